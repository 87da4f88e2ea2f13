/* SPDX-License-Identifier: Apache-2.0 */
/* allow: the keys that the database knows, and whether they may connect, in memory, for those who
 * must know at once: the ZAP thread at each handshake, ingest at each message. The writer thread
 * changes it, after the database did. At most 16,384 keys. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_ALLOW_MAX = 16384 };

struct lamp_allowed {
    char key[41]; /* Z85 */
    char site[65], id[65];
    bool active; /* else refused for good: rejected, revoked, retired */
};

typedef struct lamp_allow lamp_allow;

LAMP_CHECK int lamp_allow_new(lamp_allow **out);
lamp_allow *lamp_allow_free(lamp_allow *a);

/* Adds a key, or replaces what is known of it. LAMP_EFULL, LAMP_ENOMEM. */
LAMP_CHECK int lamp_allow_put(lamp_allow *a, const struct lamp_allowed *k);

/* Forgets a key. */
void lamp_allow_remove(lamp_allow *a, const char *key);

/* A key that may connect. LAMP_ENOENT. */
LAMP_CHECK int lamp_allow_find(lamp_allow *a, const char *key, struct lamp_allowed *out);

/* A key that is known, whether it may connect or not. LAMP_ENOENT. */
LAMP_CHECK int lamp_allow_known(lamp_allow *a, const char *key, struct lamp_allowed *out);

/* How many keys are known, and how many may connect. */
size_t lamp_allow_count(lamp_allow *a);
size_t lamp_allow_active(lamp_allow *a);

/* A copy of those that may connect, free() it. LAMP_ENOMEM. */
LAMP_CHECK int lamp_allow_copy(lamp_allow *a, struct lamp_allowed **out, size_t *out_n);

/* Whether a sensor or site may be called that: letters, digits, '.', '_', '-', at most 64. */
bool lamp_allow_is_name(const char *text);
