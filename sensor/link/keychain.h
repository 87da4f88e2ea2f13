/* SPDX-License-Identifier: Apache-2.0 */
/* keychain: what the link process knows of keys beyond the configuration: the key pair that took
 * the place of the one in link.key_file, the key the aggregator will have next, and what the
 * aggregator said at the enrolment. A file of mode 0600 in the link process's folder, replaced
 * whole, so that a crash leaves the old or the new one.
 *
 * It hangs on two things of the operator's: the key file, and the aggregator's key that was pinned
 * (link.server_key, or a token). Where one of them is another now, what descends from it is void. */
#pragma once

#include "common/enroll.h"
#include "proto/wire.h"
#include "sensor/link/key.h"

struct lamp_keychain {
    char base[41];         /* public key in link.key_file; Z85 as all below */
    struct lamp_key own;   /* in use */
    struct lamp_key other; /* the next one (is_next), or the one before; public_z85 "": none */
    bool is_next;

    char pinned[41];        /* by the operator */
    char server[41];        /* the aggregator's key as we know it */
    char next_server[41];   /* announced; "": none */
    uint64_t server_serial; /* of the newest announcement; 0: none */

    uint8_t list_key[LAMP_WIRE_KEY_LEN]; /* told at the enrolment; all zero: none */
    char site[LAMP_WIRE_SITE_MAX + 1], name[LAMP_WIRE_NAME_MAX + 1]; /* likewise; "" none */
};

/* state_dir/spool/keys: the folder that the link process may write to. LAMP_EFULL. */
LAMP_CHECK int lamp_keychain_path(const char *state_dir, char *out, size_t size);

/* The keychain of a key and a pinned server key: what the file says, as far as it descends from
 * them. base NULL: the key is not known yet; pinned "": whichever the file has. A file that is not
 * there is an empty one. LAMP_EFORMAT: it makes no sense. Negated errno. */
LAMP_CHECK int lamp_keychain_load(const char *path, const struct lamp_key *base, const char *pinned,
                                  struct lamp_keychain *out);

/* Negated errno. */
LAMP_CHECK int lamp_keychain_save(const char *path, const struct lamp_keychain *k);
void lamp_keychain_wipe(struct lamp_keychain *k);

/* Makes a pair as the next one, unless there is one waiting already. LAMP_EIO: no randomness. */
LAMP_CHECK int lamp_keychain_make_next(struct lamp_keychain *k);

/* Takes the announcement of the aggregator's next key. LAMP_ESIGNATURE: not signed by the list
 * key. LAMP_ESERIAL: not newer than what is known. */
LAMP_CHECK int lamp_keychain_announced(struct lamp_keychain *k, const struct lamp_server_key *s,
                                       const uint8_t list_key[LAMP_WIRE_KEY_LEN]);

/* A session came up with the other pair, or with the next key of the aggregator: from now on it is
 * the one in use. The aggregator's former key is not taken any more. Returns whether anything
 * changed. */
bool lamp_keychain_proven(struct lamp_keychain *k, bool with_other, bool with_next_server);
