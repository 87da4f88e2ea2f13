/* SPDX-License-Identifier: Apache-2.0 */
/* packs_read: a pack that was taken apart. Private to store/packs*.c. */
#pragma once

#include "aggregator/store/packs.h"

enum { LAMP_PACK_COUNTS = 5, LAMP_PACK_V4 = 4, LAMP_PACK_V6 = 16 };

/* Addresses of a pack, in order. */
struct lamp_pack_addresses {
    const uint8_t *v4, *v6;
    size_t n_v4, n_v6;
};

struct lamp_pack_service {
    uint64_t ip_proto, port;
    struct lamp_bytes application;
};

struct lamp_packed_row {
    uint32_t inside, remote, service, name;
    uint64_t counts[LAMP_PACK_COUNTS], first, last;
};

/* A pack that was read; what it has points into the keys and the body. */
struct lamp_pack {
    struct lamp_pack_addresses inside, remote;
    struct lamp_pack_service *services;
    struct lamp_bytes *names;
    struct lamp_packed_row *rows;
    size_t n, n_services, n_names;
};

/* Takes the addresses of one side out of keys. False, and c->bad: there are none. */
bool lamp_pack_addresses(struct lamp_cursor *c, struct lamp_pack_addresses *out);

/* The place of an address among these. False: it is none of them. */
bool lamp_pack_find(const struct lamp_pack_addresses *a, struct lamp_bytes what, size_t *out);

/* LAMP_EFORMAT, LAMP_ENOMEM: there is none. What was read borrows from keys and body, and is freed by the second. */
LAMP_CHECK int lamp_pack_read(struct lamp_bytes keys, struct lamp_bytes body,
                              struct lamp_pack *out);
void lamp_pack_done(struct lamp_pack *p);

/* Row i, which borrows from the same. */
void lamp_pack_row_at(const struct lamp_pack *p, size_t i, struct lamp_pack_row *out);
