/* SPDX-License-Identifier: Apache-2.0 */
/* blockset: the block list this sensor accepted last. Collects SET_BEGIN, SET_CHUNK and
 * SET_END, believes nothing before END and nothing without a good signature, and remembers
 * across restarts both the list and the highest serial, so that an old list never comes back.
 *
 * Order of the checks (the first failure refuses the list as a whole; the list in force
 * stays): schema and size, signature, site, kind, serial, expiry, count, prefix lengths,
 * canonical form and digest. Text from the wire is never shown unescaped. Not thread-safe;
 * never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"

typedef struct lamp_blockset lamp_blockset;

enum {
    LAMP_BLOCKSET_DETAIL = 200,
    /* Bit of a manifest's flags: prefixes wider than /24 (IPv6 /48) were approved. Wider than
     * /16 (IPv6 /32) is refused even so. */
    LAMP_BLOCKSET_WIDE = 1,
};

struct lamp_blockset_cfg {
    const char *site;     /* borrowed */
    const char *dir;      /* folder of the durable copy, exists; borrowed */
    uint8_t list_key[32]; /* Ed25519 public key */
};

/* Loads the durable copy, if there is one. LAMP_OK also without. *out_restore_err gets
 * LAMP_OK or why the copy that is there could not be used (LAMP_EEXPIRED, ...). LAMP_ENOMEM. */
LAMP_CHECK int lamp_blockset_open(const struct lamp_blockset_cfg *cfg, uint64_t now_us,
                                  lamp_blockset **out, int *out_restore_err);
lamp_blockset *lamp_blockset_free(lamp_blockset *b);

/* Takes the next message of an answer, as packed. LAMP_EAGAIN: more must follow (also for
 * messages that belong to no answer begun). LAMP_OK: a list was accepted and is durable.
 * LAMP_EEXIST: it is the list already held. Otherwise why it was refused, with a sentence in
 * detail: LAMP_ESIGNATURE, LAMP_ESITE, LAMP_ESERIAL, LAMP_EEXPIRED, LAMP_EFULL, LAMP_EPOLICY,
 * LAMP_ECANON, LAMP_EOVERLAP, LAMP_EDIGEST, LAMP_EFORMAT, LAMP_EUNSUPPORTED (a DELTA: ask
 * again with serial 0), LAMP_ENOMEM, negated errno (could not be made durable). */
LAMP_CHECK int lamp_blockset_feed(lamp_blockset *b, struct lamp_bytes packed,
                                  const struct lamp_msg *m, uint64_t now_us,
                                  char detail[LAMP_BLOCKSET_DETAIL]);

/* The list in hand: serial 0 where there is none. */
struct lamp_set_head lamp_blockset_head(const lamp_blockset *b);
const struct lamp_set_entry *lamp_blockset_entries(const lamp_blockset *b, size_t *out_n);

/* When it was accepted, and when its manifest expires (microseconds since 1970). */
uint64_t lamp_blockset_accepted_us(const lamp_blockset *b);
uint64_t lamp_blockset_expires_us(const lamp_blockset *b);
