/* SPDX-License-Identifier: Apache-2.0 */
/* setsync: the sets of all kinds as the link process has to do with them: what enforce says is in force is
 * told to the aggregator, what is newer there is asked for, and what answers a question goes to enforce
 * (docs/WIRE.md, "Sets"). It looks into none of them.
 * Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"

typedef struct lamp_setsync lamp_setsync;

/* Send a packed Envelope: LAMP_OK, else it did not go and is tried again; the other way what is lost
 * is asked for again. */
typedef int lamp_setsync_up_fn(const uint8_t *data, size_t len, void *arg);
typedef void lamp_setsync_down_fn(const uint8_t *data, size_t len, void *arg);

struct lamp_setsync_cfg {
    uint64_t refresh_us; /* between questions */
    lamp_setsync_up_fn *to_aggregator;
    lamp_setsync_down_fn *to_enforce;
    void *arg;
};

/* LAMP_ENOMEM. */
LAMP_CHECK int lamp_setsync_new(const struct lamp_setsync_cfg *cfg, lamp_setsync **out);
lamp_setsync *lamp_setsync_free(lamp_setsync *s);

/* The set of a kind that enforce says is in force; serial 0: none. */
const struct lamp_set_head *lamp_setsync_head(const lamp_setsync *s, enum lamp_set_kind kind);

/* A session began: every kind is asked for. */
void lamp_setsync_session(lamp_setsync *s);

/* Sends what is due. To be called often while there is a session. */
void lamp_setsync_turn(lamp_setsync *s, uint64_t mono_us);

/* Whether a message of the aggregator belongs to sets; then it was taken. */
bool lamp_setsync_take(lamp_setsync *s, const struct lamp_msg *m, struct lamp_bytes packed);

/* What enforce says: a SET_STATUS (packed, too), and which set it had when it began. */
void lamp_setsync_status(lamp_setsync *s, const struct lamp_set_status *m,
                         struct lamp_bytes packed);
void lamp_setsync_holds(lamp_setsync *s, const struct lamp_set_head *head);
