/* SPDX-License-Identifier: Apache-2.0 */
/* pending: strangers who ask to be let in and wait for an operator: a row for each key, in memory
 * alone, so that nobody who is not enrolled makes the aggregator write to its disk. They ask again
 * after a restart.
 *
 * At most 256 rows, 8 of one source (an IPv4 address, or an IPv6 /64). A row that was not asked
 * for again within 10 minutes may be taken by another key. Thread-safe. */
#pragma once

#include "common/addr.h"
#include "common/err.h"
#include "common/util.h"

enum {
    LAMP_PENDING_MAX = 256,
    LAMP_PENDING_OF_SOURCE = 8,
    LAMP_PENDING_IDLE_S = 600,
};

struct lamp_pending_row {
    int64_t id;                           /* from 1, not used again while the program runs */
    char key[41];                         /* Z85 */
    char name[65], site[65], version[65]; /* what it says of itself: UTF-8, else untrusted */
    struct lamp_addr from;
    uint64_t first_us, last_us;
    uint64_t asks;
};

typedef struct lamp_pending lamp_pending;

LAMP_CHECK int lamp_pending_new(lamp_pending **out);
lamp_pending *lamp_pending_free(lamp_pending *p);

/* Notes that row->key asked at now_us; of *row the key, name, site, version and from count.
 * *out_new: it was not waiting before. LAMP_EFULL: no row is free for it; counted. */
LAMP_CHECK int lamp_pending_ask(lamp_pending *p, const struct lamp_pending_row *row,
                                uint64_t now_us, bool *out_new);

/* LAMP_ENOENT. */
LAMP_CHECK int lamp_pending_get(lamp_pending *p, int64_t id, struct lamp_pending_row *out);

/* Forgets a key, which has been decided about. */
void lamp_pending_drop(lamp_pending *p, const char *key);

/* Copies the rows, oldest first, and returns how many there are. *out_refused: asks that found
 * no row free, since the start. */
size_t lamp_pending_copy(lamp_pending *p, struct lamp_pending_row out[LAMP_PENDING_MAX],
                         uint64_t *out_refused);
