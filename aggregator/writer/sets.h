/* SPDX-License-Identifier: Apache-2.0 */
/* sets: what the sensors are to have (watch, block, never, policy), published under signed manifests.
 * A source says what is in a set; here a list of it gets an epoch (that of the database) and a
 * serial that grows with each change, fleet-wide and over all kinds; its manifest expires after the
 * time to live and is renewed at half of it. A list is for one site, or one for all, but each
 * manifest is scoped to the site that asks. Sensors that hold one of the last serials are answered
 * with the changes since (bounded: LAMP_SETS_HISTORY serials, LAMP_SETS_CHANGES entries of a list; also
 * over a restart, where the list is still the same then and no step is longer than a chunk), others with
 * the whole. The writer thread's. */
#pragma once

#include "aggregator/keys.h"
#include "aggregator/store/write.h"

typedef struct lamp_sets lamp_sets;

enum {
    LAMP_SETS_SOURCES_MAX = 4,
    LAMP_SETS_HISTORY = 64,
    LAMP_SETS_CHANGES = 4096,
};

/* Fills *out with the entries for a site ("" for all): canonical, without overlaps. Errors end the
 * publication. */
typedef int lamp_set_build_fn(void *arg, const char *site, uint64_t now_us, struct lamp_set *out);

struct lamp_set_source {
    enum lamp_set_kind kind;
    bool per_site;
    lamp_set_build_fn *build;
    void *arg;
};

struct lamp_sets_cfg {
    lamp_store *store; /* borrowed, as is keys */
    const struct lamp_keys *keys;
    uint32_t ttl_s;
    struct lamp_set_source sources[LAMP_SETS_SOURCES_MAX];
    size_t n_sources;
};

/* Makes the lists that are for all. LAMP_ESTORE, LAMP_ENOMEM, or what a source returned. */
LAMP_CHECK int lamp_sets_open(const struct lamp_sets_cfg *cfg, uint64_t now_us, lamp_sets **out);
lamp_sets *lamp_sets_close(lamp_sets *s);

/* Makes a site's lists if there are none yet. */
LAMP_CHECK int lamp_sets_site(lamp_sets *s, const char *site, uint64_t now_us);

/* The source has something new for a site ("": for every list of the kind). */
void lamp_sets_mark(lamp_sets *s, enum lamp_set_kind kind, const char *site);

/* Makes the lists that a change or their age call for, and lends fn each new head; site "": it is
 * for all. Inside a transaction. After an error and the roll-back, open the sets anew. */
typedef void lamp_sets_fn(const char *site, const struct lamp_set_head *head, void *arg);
LAMP_CHECK int lamp_sets_publish(lamp_sets *s, uint64_t now_us, lamp_sets_fn *fn, void *arg);

/* When lamp_sets_publish() has work next; UINT64_MAX: never. */
uint64_t lamp_sets_due_us(const lamp_sets *s, uint64_t now_us);

/* The head of a list as a site sees it. LAMP_ENOENT: none. */
LAMP_CHECK int lamp_sets_head(const lamp_sets *s, enum lamp_set_kind kind, const char *site,
                              struct lamp_set_head *out);

/* Lends fn the messages that answer the query of a site's sensor, which has not the newest list:
 * SET_BEGIN, SET_CHUNK..., SET_END. LAMP_ENOENT, LAMP_ENOMEM, or what fn returned. */
typedef int lamp_sets_send_fn(const struct lamp_msg *m, void *arg);
LAMP_CHECK int lamp_sets_answer(const lamp_sets *s, const char *site,
                                const struct lamp_set_query *query, lamp_sets_send_fn *fn,
                                void *arg);
