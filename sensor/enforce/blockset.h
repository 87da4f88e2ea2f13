/* SPDX-License-Identifier: Apache-2.0 */
/* blockset: the block list this sensor accepted last. Collects SET_BEGIN, SET_CHUNK and
 * SET_END, believes nothing before END and nothing without a good signature, and remembers
 * across restarts both the list and the highest serial, so that an old list never comes back.
 *
 * Order of the checks (the first failure refuses the list as a whole; the list in force
 * stays): schema, size and sequence, signature, site, kind, rolled back before, serial, expiry,
 * count, prefix lengths and names, canonical form, growth and digest.
 *
 * A list that was accepted is a candidate until lamp_blockset_confirm(); until then
 * lamp_blockset_rollback() brings the last confirmed one back, for good: the candidate's serial is
 * refused from then on. After a restart only a confirmed list is there.
 * Text from the wire is never shown unescaped. Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"

typedef struct lamp_blockset lamp_blockset;

enum {
    LAMP_BLOCKSET_DETAIL = 200,
    /* Without LAMP_SET_APPROVED, prefixes are not wider than /24 (IPv6 /48), and a list adds in an
     * hour no more than this, or a tenth of itself if that is more, to the one before. With it
     * they are not wider than /16 (IPv6 /32). */
    LAMP_BLOCKSET_GROWTH = 50,
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

/* Takes the next message of an answer, as packed. LAMP_EAGAIN: more must follow (also for what
 * follows of an answer that was refused, and for other sets). LAMP_OK: a list was accepted and is durable.
 * LAMP_EEXIST: it is the list already held. Otherwise why it was refused, with a sentence in
 * detail: LAMP_ESIGNATURE, LAMP_ESITE, LAMP_ESERIAL, LAMP_EEXPIRED, LAMP_EFULL, LAMP_EPOLICY,
 * LAMP_ECANON, LAMP_EOVERLAP, LAMP_EDIGEST, LAMP_EFORMAT, LAMP_EPROTO (parts out of order, or of
 * no answer that began), LAMP_ETRUNC (parts are missing), LAMP_EREJECTED, LAMP_EUNSUPPORTED (a
 * DELTA: ask again with serial 0; another kind of set), LAMP_ENOMEM, negated errno (could not be made durable). */
LAMP_CHECK int lamp_blockset_feed(lamp_blockset *b, struct lamp_bytes packed,
                                  const struct lamp_msg *m, uint64_t now_us,
                                  char detail[LAMP_BLOCKSET_DETAIL]);

/* Confirms the list in hand, durably. LAMP_OK also where it is confirmed already. Negated errno: it
 * counts as confirmed, but after a restart the one before is there. */
LAMP_CHECK int lamp_blockset_confirm(lamp_blockset *b);
bool lamp_blockset_is_confirmed(const lamp_blockset *b);

/* Goes back to the list confirmed last (perhaps none) and refuses the one in hand from now on.
 * Negated errno: after a restart it might be accepted again. */
LAMP_CHECK int lamp_blockset_rollback(lamp_blockset *b);

/* What the list refused or rolled back last says of itself; serial 0: nothing that is proved. */
struct lamp_set_head lamp_blockset_refused(const lamp_blockset *b);

/* The list in hand: serial 0 where there is none. */
struct lamp_set_head lamp_blockset_head(const lamp_blockset *b);
const struct lamp_set_entry *lamp_blockset_entries(const lamp_blockset *b, size_t *out_n);

/* When it was accepted, and when its manifest expires (microseconds since 1970). */
uint64_t lamp_blockset_accepted_us(const lamp_blockset *b);
uint64_t lamp_blockset_expires_us(const lamp_blockset *b);
