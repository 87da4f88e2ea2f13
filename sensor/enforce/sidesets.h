/* SPDX-License-Identifier: Apache-2.0 */
/* sidesets: the sets beside the block list that the aggregator sends: watch, never, policy. They cut
 * no way to the aggregator, so what is accepted is confirmed at once; watch and policy end when
 * their manifest expires, the never list stays until another comes, since it only protects.
 * Watch and policy are meant for the other processes, policy for this one too: they say what they hold,
 * and where that is another, are told the whole set.
 * Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "sensor/enforce/signedset.h"

typedef struct lamp_sidesets lamp_sidesets;

/* cfg->kind does not matter. LAMP_ENOMEM. */
LAMP_CHECK int lamp_sidesets_new(const struct lamp_signedset_cfg *cfg, uint64_t now_us,
                                 lamp_sidesets **out);
lamp_sidesets *lamp_sidesets_free(lamp_sidesets *s);

/* Whether a part of an answer (SET_BEGIN, SET_CHUNK, SET_END) belongs to one of these sets; then it
 * was taken, and *out_err is LAMP_OK or why a set was refused (lamp_signedset_feed()). */
bool lamp_sidesets_take(lamp_sidesets *s, const struct lamp_msg *m, uint64_t now_us, int *out_err);

/* Lets go of what expired. To be called every second. */
void lamp_sidesets_tick(lamp_sidesets *s, uint64_t now_us);

/* The set of a kind that is in force; serial 0: none. */
struct lamp_set_head lamp_sidesets_head(const lamp_sidesets *s, enum lamp_set_kind kind);
const struct lamp_set_entry *lamp_sidesets_entries(const lamp_sidesets *s, enum lamp_set_kind kind,
                                                   size_t *out_n);

/* Fills *out (borrows from s until the next call) and returns true while a status is due: after a
 * change of a set, and every 5 minutes for each that there is. */
bool lamp_sidesets_status(lamp_sidesets *s, uint64_t now_us, struct lamp_set_status *out);

/* Has every status said again. */
void lamp_sidesets_repeat(lamp_sidesets *s);

/* Another process holds this set; and the messages it is to get for it, if it is another than the one in
 * force (none in force: an empty one). What fn returned, when it is not LAMP_OK. */
void lamp_sidesets_holds(lamp_sidesets *s, const struct lamp_set_head *head);
LAMP_CHECK int lamp_sidesets_tell(lamp_sidesets *s, lamp_signedset_msg_fn *fn, void *arg);
