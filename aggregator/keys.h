/* SPDX-License-Identifier: Apache-2.0 */
/* keys: the aggregator's CURVE pair (who it is to sensors) and its Ed25519 pair (who signs
 * block lists), made at the first start and kept in the state folder: server.key and list.key,
 * mode 0400, as text. Read-only after loading, so threads may share it.
 *
 * To change the CURVE pair, another is made (server.next), sensors are told of it, signed with the
 * list key, and in the end it becomes server.key; the former is kept as server.old. */
#pragma once

#include "common/err.h"
#include "common/util.h"
#include "proto/wire.h"

enum {
    LAMP_Z85_KEY = 41, /* a CURVE key as Z85 with NUL (ZeroMQ RFC 32) */
    LAMP_LIST_PUBLIC = 32,
    LAMP_LIST_SECRET = 64,
};

struct lamp_keys {
    char curve_public[LAMP_Z85_KEY], curve_secret[LAMP_Z85_KEY];
    uint8_t curve_public_raw[32];
    struct lamp_server_key next; /* announced to sensors; serial 0: none */
    uint8_t list_public[LAMP_LIST_PUBLIC], list_secret[LAMP_LIST_SECRET];
};

/* Reads the keys of a folder (which it makes, mode 0700), making those that are missing.
 * `why` (size bytes) says which file is at fault. LAMP_EFORMAT: a file holds no such key.
 * LAMP_EIO, negated errno. */
LAMP_CHECK int lamp_keys_load(const char *folder, struct lamp_keys *out, char *why, size_t size);

/* Makes the next CURVE pair, with now_s as its serial. LAMP_EEXIST: there is one already. Errors as
 * above. */
LAMP_CHECK int lamp_keys_make_next(const char *folder, uint64_t now_s);

/* The next pair becomes the one in use, from the next start on. LAMP_ENOENT: there is none. LAMP_EFORMAT,
 * LAMP_EIO, negated errno. */
LAMP_CHECK int lamp_keys_switch(const char *folder);

/* Wipes the secrets. */
void lamp_keys_wipe(struct lamp_keys *k);
