/* SPDX-License-Identifier: Apache-2.0 */
/* collect: puts the parts of one SET_BEGIN, SET_CHUNK..., SET_END together. Checks their order and
 * number, nothing else: what they say is the caller's to check. Not thread-safe; at most
 * LAMP_WIRE_SET_ENTRIES_MAX entries. */
#pragma once

#include "proto/wire.h"

struct lamp_collect {
    struct lamp_set_begin begin; /* of the answer under way */
    bool is_open;
    uint32_t next_chunk;
    struct lamp_set chunks[LAMP_WIRE_SET_CHUNKS_MAX];
    size_t n_entries;
};

/* Takes a BEGIN (what was under way is forgotten), CHUNK or END. LAMP_EAGAIN: more must follow.
 * LAMP_OK: it was the END of a complete answer, *out has its entries (lamp_set_done()).
 * LAMP_EPROTO: no part of the answer under way, or out of order. LAMP_ETRUNC: parts are missing at
 * the END. LAMP_EFULL: too many entries or parts. LAMP_EINVAL: another message. LAMP_ENOMEM.
 * After any but LAMP_EAGAIN nothing is under way. */
LAMP_CHECK int lamp_collect_feed(struct lamp_collect *c, const struct lamp_msg *m,
                                 struct lamp_set *out);

/* Forgets what is under way; accepts a struct that was only zeroed. */
void lamp_collect_done(struct lamp_collect *c);

/* Lends fn the parts that a set, whole or changes alone, travels in, up to the last CHUNK; END is
 * the caller's. Returns what fn returned, when it is not LAMP_OK. */
typedef int lamp_collect_send_fn(const struct lamp_msg *m, void *arg);
LAMP_CHECK int lamp_collect_send(const struct lamp_set_begin *begin, const struct lamp_set *set,
                                 lamp_collect_send_fn *fn, void *arg);
