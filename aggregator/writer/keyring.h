/* SPDX-License-Identifier: Apache-2.0 */
/* keyring: who may connect. The database is the truth; the allow table follows it after each
 * commit, so a key that is revoked is refused from then on, whatever was under way. Every change
 * has a row in the audit log.
 *
 * A sensor has one key, and two while one takes the other's place: the new one is admitted, the
 * first session with it starts the clock of the old one. The writer thread's, inside its
 * transactions. */
#pragma once

#include "aggregator/allow.h"
#include "aggregator/handover/command.h"
#include "aggregator/store/write.h"

typedef struct lamp_keyring lamp_keyring;

/* Fills the allow table from the database, before anybody may connect. LAMP_EFULL: the database
 * has more keys than the table takes. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_keyring_load(lamp_store *s, lamp_allow *allow);

/* overlap_s: how long an old key holds after the first session with the new one. The store and
 * allow are borrowed. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_keyring_new(lamp_store *s, lamp_allow *allow, uint32_t overlap_s,
                                lamp_keyring **out);
lamp_keyring *lamp_keyring_free(lamp_keyring *i);

/* Carries out a command about keys or tokens. The result says what is wrong with it; LAMP_ESTORE,
 * LAMP_ENOMEM: roll back. */
LAMP_CHECK int lamp_keyring_command(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us,
                                    struct lamp_command_result *r);

/* A session began with a key. *out_replace: the sensor is to make another. */
LAMP_CHECK int lamp_keyring_used(lamp_keyring *i, const char *key, uint64_t now_us,
                                 bool *out_replace);

/* The sensor, in a session with `key`, says which key it will have next. *out_order: what to
 * answer. */
LAMP_CHECK int lamp_keyring_next(lamp_keyring *i, const char *key,
                                 const uint8_t next[LAMP_WIRE_KEY_LEN], uint64_t now_us,
                                 enum lamp_key_order *out_order);

/* Notes in the audit log which key the aggregator itself has, where it is not the one noted last. */
LAMP_CHECK int lamp_keyring_note_server(lamp_keyring *i, const char *key, uint64_t now_us);

/* When a key ends by itself; UINT64_MAX: none does. And the ending of those that are due. */
uint64_t lamp_keyring_due_us(const lamp_keyring *i);
LAMP_CHECK int lamp_keyring_expire(lamp_keyring *i, uint64_t now_us);

/* The transaction was committed: the allow table takes the changes over, and fn is told of each
 * sensor that lost a key. Or it was rolled back, and nothing happened. */
typedef void lamp_keyring_lost_fn(const char *sensor, void *arg);
void lamp_keyring_committed(lamp_keyring *i, lamp_keyring_lost_fn *fn, void *arg);
void lamp_keyring_dropped(lamp_keyring *i);
