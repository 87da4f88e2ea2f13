/* SPDX-License-Identifier: Apache-2.0 */
/* plan: which elements the kernel shall hold, given the accepted list, what must never be blocked
 * and the addresses of the list's names. Pure: no clock, no file, no kernel. Not thread-safe.
 *
 * An entry without a protocol but with a port is two elements; an entry for a name is one for
 * each of its addresses. Elements of one set never overlap: the wider one stands. */
#pragma once

#include "common/never.h"
#include "proto/wire.h"
#include "sensor/enforce/domains.h"

enum {
    LAMP_PLAN_ELEMENTS_MAX = 24576, /* 2 of each entry, and the addresses of names */
    LAMP_PLAN_REFUSED_MAX = 1024,
    LAMP_PLAN_DETAIL = 256,
    LAMP_PLAN_LIFE_MAX_S = 24 * 3600, /* no element holds longer without renewal */
};

/* The sets of the table: by side (out: a remote address, in: an inside host) and by what
 * identifies an element. */
enum lamp_shape_of_set { LAMP_HOST, LAMP_NET, LAMP_PROTO, LAMP_PORT, LAMP_N_SHAPES };

struct lamp_element {
    struct lamp_prefix prefix;
    uint64_t id, until_us; /* of the block; when the kernel lets go of it */
    uint16_t port;
    uint8_t ip_proto;
    bool inside;
    bool seen;               /* the kernel had it when it was last asked */
    uint64_t packets, bytes; /* its counter then */
};

bool lamp_element_is_v4(const struct lamp_element *e);
enum lamp_shape_of_set lamp_element_shape(const struct lamp_element *e);

/* The order of elements: by set (side, shape, family), then by what identifies them. */
int lamp_element_cmp(const void *a, const void *b);

struct lamp_plan_in {
    const struct lamp_set_entry *entries; /* the accepted list, canonical */
    size_t n_entries;
    uint64_t accepted_us, expires_us; /* of the list */
    uint64_t cap_us;                  /* nothing holds beyond; 0: no such limit */
    const struct lamp_never *never;
    const struct lamp_domains *domains; /* NULL: none known */
};

struct lamp_plan {
    struct lamp_element *v; /* in order, without overlaps */
    size_t n;
    uint64_t refused_ids[LAMP_PLAN_REFUSED_MAX]; /* entries kept out, each once */
    size_t n_refused;
    size_t n_domains; /* entries that are names */
    int code;         /* why entries were kept out: LAMP_EPROTECTED, LAMP_EFULL; else LAMP_OK */
    char detail[LAMP_PLAN_DETAIL];
};

/* Makes the plan for now_us. LAMP_ENOMEM. lamp_plan_done() releases it. */
LAMP_CHECK int lamp_plan_make(const struct lamp_plan_in *in, uint64_t now_us,
                              struct lamp_plan *out);
void lamp_plan_done(struct lamp_plan *p);

/* The element with the key of *key, or NULL. */
struct lamp_element *lamp_plan_find(const struct lamp_plan *p, const struct lamp_element *key);
