/* SPDX-License-Identifier: Apache-2.0 */
/* signedset: the set of one kind (watch, block, never, policy) that this sensor accepted last.
 * Collects SET_BEGIN, SET_CHUNK and SET_END, whole sets and changes to the one in hand, believes
 * nothing before END and nothing without a good signature, and remembers across restarts both the
 * set and the highest serial, so that an old set never comes back.
 *
 * Order of the checks (the first failure refuses the set as a whole; the one in force stays):
 * schema, size and sequence, base of a DELTA, signature, site, kind, rolled back before, serial,
 * expiry, changes that fit, count, entries (prefix lengths and names), canonical form, overlap,
 * digest and growth.
 *
 * A set that was accepted is a candidate until lamp_signedset_confirm(); until then
 * lamp_signedset_rollback() brings the last confirmed one back, for good: the candidate's serial is
 * refused from then on. After a restart only a confirmed set is there.
 * Text from the wire is never shown unescaped. Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"

typedef struct lamp_signedset lamp_signedset;

enum {
    LAMP_SIGNEDSET_DETAIL = 200,
    /* Of a block list: prefixes are not wider than /24 (IPv6 /48), or /16 (/32) where the entry is
     * approved; without counting approved entries a list adds in an hour no more than this, or a
     * tenth of itself if that is more, to the one before. */
    LAMP_SIGNEDSET_GROWTH = 50,
    LAMP_SIGNEDSET_NEVER_MAX = 256, /* entries of a never list, none wider than /8 (IPv6 /16) */
};

struct lamp_signedset_cfg {
    enum lamp_set_kind kind;
    const char *site;     /* borrowed */
    const char *dir;      /* folder of the durable copy, exists; borrowed */
    uint8_t list_key[32]; /* Ed25519 public key */
};

/* Loads the durable copy, if there is one. LAMP_OK also without. *out_restore_err gets
 * LAMP_OK or why the copy that is there could not be used (LAMP_EEXPIRED, ...); a never list is used
 * though it expired, since it only protects. LAMP_ENOMEM. */
LAMP_CHECK int lamp_signedset_open(const struct lamp_signedset_cfg *cfg, uint64_t now_us,
                                   lamp_signedset **out, int *out_restore_err);
lamp_signedset *lamp_signedset_free(lamp_signedset *b);

/* Takes the next message of an answer. LAMP_EAGAIN: more must follow (also for what
 * follows of an answer that was refused, and for other sets). LAMP_OK: a set was accepted and is
 * durable. LAMP_EEXIST: it is the set already held. Otherwise why it was refused, with a sentence
 * in detail: LAMP_ESIGNATURE, LAMP_ESITE, LAMP_ESERIAL, LAMP_EEXPIRED, LAMP_EFULL, LAMP_EPOLICY,
 * LAMP_ECANON, LAMP_EOVERLAP, LAMP_EDIGEST, LAMP_EFORMAT, LAMP_EPROTO (parts out of order, or of
 * no answer that began), LAMP_ETRUNC (parts are missing), LAMP_EREJECTED, LAMP_EUNSUPPORTED (a
 * DELTA from another set than the one in hand; another kind), LAMP_ENOMEM, negated errno (could not
 * be made durable). After a DELTA was refused: ask for the whole set. */
LAMP_CHECK int lamp_signedset_feed(lamp_signedset *b, const struct lamp_msg *m, uint64_t now_us,
                                   char detail[LAMP_SIGNEDSET_DETAIL]);

/* Confirms the set in hand, durably. LAMP_OK also where it is confirmed already. Negated errno: it
 * counts as confirmed, but after a restart the one before is there. */
LAMP_CHECK int lamp_signedset_confirm(lamp_signedset *b);
bool lamp_signedset_is_confirmed(const lamp_signedset *b);

/* Goes back to the set confirmed last (perhaps none) and refuses the one in hand from now on.
 * Negated errno: after a restart it might be accepted again. */
LAMP_CHECK int lamp_signedset_rollback(lamp_signedset *b);

/* What the set refused or rolled back last says of itself; serial 0: nothing that is proved. */
struct lamp_set_head lamp_signedset_refused(const lamp_signedset *b);

/* The set in hand: serial 0 where there is none. */
struct lamp_set_head lamp_signedset_head(const lamp_signedset *b);
const struct lamp_set_entry *lamp_signedset_entries(const lamp_signedset *b, size_t *out_n);

/* When it was accepted, and when its manifest expires (microseconds since 1970). */
uint64_t lamp_signedset_accepted_us(const lamp_signedset *b);
uint64_t lamp_signedset_expires_us(const lamp_signedset *b);

/* Lends fn the messages of the set in hand as a whole, as they would come from the aggregator
 * (LAMP_EAGAIN: none in hand), or what fn returned. */
typedef int lamp_signedset_msg_fn(const struct lamp_msg *m, void *arg);
LAMP_CHECK int lamp_signedset_tell(const lamp_signedset *b, lamp_signedset_msg_fn *fn, void *arg);
