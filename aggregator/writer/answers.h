/* SPDX-License-Identifier: Apache-2.0 */
/* answers: what goes out to sensors once the transaction at hand is committed; after a roll-back
 * it is dropped, so nothing is ever acknowledged that is not in the database. Packed at once, so
 * nothing borrowed outlives the call. Memory running out, or a full outbox, loses an answer,
 * which sensors ask for again. The writer thread's. */
#pragma once

#include "aggregator/handover/mailbox.h"

enum { LAMP_ANSWERS_ACKS_MAX = 256 }; /* streams acknowledged in one transaction */

/* How far a stream will be acknowledged. */
struct lamp_answers_ack {
    char sensor[65];
    struct lamp_session_id session;
    struct lamp_stream_next next;
    uint64_t credit_bytes;
};

struct lamp_answers {
    struct lamp_letter *first, **last;
    struct lamp_answers_ack acks[LAMP_ANSWERS_ACKS_MAX];
    size_t n_acks;
    /* Sessions that get a list: one of a kind in a transaction is enough for each, and more would
     * let a sensor that asks without end fill the memory. */
    struct lamp_answers_list {
        struct lamp_session_id session;
        enum lamp_set_kind kind;
    } lists[LAMP_ANSWERS_ACKS_MAX];
    size_t n_lists;
};

void lamp_answers_init(struct lamp_answers *a);

/* Adds a message for the sensor whose letter it answers, or for every sensor of a site ("": of every
 * site). */
void lamp_answers_add(struct lamp_answers *a, const struct lamp_letter *to,
                      const struct lamp_msg *m);
void lamp_answers_add_site(struct lamp_answers *a, const char *site, const struct lamp_msg *m);

/* Adds a message for whichever session a sensor has, or (m NULL) ends the session if its key is not
 * allowed any more. And one for every sensor. */
void lamp_answers_add_sensor(struct lamp_answers *a, const char *sensor, const struct lamp_msg *m);
void lamp_answers_add_all(struct lamp_answers *a, const struct lamp_msg *m);

/* Notes an acknowledgement; the newest one of a stream stands for all before it. */
void lamp_answers_ack(struct lamp_answers *a, const struct lamp_letter *to,
                      const struct lamp_stream_next *next, uint64_t credit_bytes);

/* Whether the letter's session may have a list of the kind now; true once in a transaction. */
bool lamp_answers_may_list(struct lamp_answers *a, const struct lamp_letter *to,
                           enum lamp_set_kind kind);

/* Hands everything to the outbox. */
void lamp_answers_send(struct lamp_answers *a, lamp_mailbox *outbox, uint64_t now_us);

void lamp_answers_drop(struct lamp_answers *a);
