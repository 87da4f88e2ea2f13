/* SPDX-License-Identifier: Apache-2.0 */
/* delivery: the sensor's side of the conversation with the aggregator (docs/WIRE.md): HELLO
 * until WELCOME, then records from the spool under a window and a credit, cumulative
 * acknowledgement, go-back-N, CLOSE of streams that ended, PING. Knows no socket: it sends
 * through a function and is told the time, so a test can be the aggregator. Not thread-safe;
 * never logs. Timers use mono_us, what is said to the aggregator uses real_us. */
#pragma once

#include "proto/wire.h"
#include "sensor/link/spool.h"

typedef struct lamp_delivery lamp_delivery;

/* Sends one packed Envelope. LAMP_EAGAIN: not now. The bytes are lent for the call. */
typedef int lamp_delivery_send_fn(const uint8_t *data, size_t len, void *arg);

struct lamp_delivery_cfg {
    lamp_spool *spool; /* borrowed */
    char build[64], boot_id[37];
    lamp_delivery_send_fn *send;
    void *arg;
};

struct lamp_now {
    uint64_t real_us, mono_us;
};

enum lamp_delivery_state { LAMP_DELIVERY_IDLE, LAMP_DELIVERY_HELLO, LAMP_DELIVERY_STREAMING };

/* LAMP_ENOMEM. */
LAMP_CHECK int lamp_delivery_new(const struct lamp_delivery_cfg *cfg, lamp_delivery **out);
lamp_delivery *lamp_delivery_free(lamp_delivery *d);

/* Begins a session with a new id on a fresh connection. head: the block list in force. */
void lamp_delivery_start(lamp_delivery *d, const struct lamp_set_head *head, struct lamp_now now);

/* The serial of the newest key that the aggregator announced, for HELLO and PING; within a session a new one is
 * told at the next turn. */
void lamp_delivery_server_key(lamp_delivery *d, uint64_t serial);

/* No connection: sends nothing until lamp_delivery_start(). */
void lamp_delivery_stop(lamp_delivery *d);

/* A connection came up under the session: says HELLO or PING at once, not at its next turn. */
void lamp_delivery_connected(lamp_delivery *d, struct lamp_now now);

/* Spools n records, all or none, and sends what may be sent. Errors as lamp_spool_append(). */
LAMP_CHECK int lamp_delivery_append(lamp_delivery *d, const struct lamp_summary *const *m, size_t n,
                                    struct lamp_now now);

/* Takes a message of the aggregator; those of sets are the caller's, but count as a sign of
 * life. *out_pause_us: for how long to keep away. LAMP_EAUTH: the aggregator ended
 * the session (BYE; *out_bye says why): pause, then start again. LAMP_EPROTO: it claims what
 * cannot be; treat likewise. LAMP_ESTORE: the spool failed. */
LAMP_CHECK int lamp_delivery_message(lamp_delivery *d, const struct lamp_msg *m,
                                     struct lamp_now now, enum lamp_bye_reason *out_bye,
                                     uint64_t *out_pause_us);

/* Does what is due. LAMP_ETIMEOUT: the connection is dead or nothing moves on it: begin anew.
 * LAMP_ESTORE: the spool failed. */
LAMP_CHECK int lamp_delivery_tick(lamp_delivery *d, struct lamp_now now);

/* The last record was appended: CLOSE follows when all is acknowledged. */
void lamp_delivery_finish(lamp_delivery *d, struct lamp_now now);

/* Whether every stream, the current one too, is closed at the aggregator. */
bool lamp_delivery_finished(const lamp_delivery *d);

/* Bytes that others may send in the session now: none while records wait, and not the last of the
 * credit, so that records are not kept waiting by them. lamp_delivery_used() says what was sent. */
size_t lamp_delivery_room(const lamp_delivery *d);
void lamp_delivery_used(lamp_delivery *d, size_t bytes);

/* The aggregator's clock minus ours, wrapping; 0 until it is known. */
uint64_t lamp_delivery_agg_ahead_us(const lamp_delivery *d);

enum lamp_delivery_state lamp_delivery_state(const lamp_delivery *d);
