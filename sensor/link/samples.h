/* SPDX-License-Identifier: Apache-2.0 */
/* samples: the packet samples that the aggregator ordered of this sensor: each from its ORDER to the
 * SAMPLE_ACK that says it is over (docs/WIRE.md, "Packet samples"). What capture collects is kept in a SQLite
 * database beside the spool, or in memory with it, and sent in chunks, one under way at a time, as quickly as
 * the configuration allows and only where the caller has room for it.
 * Bounded: LAMP_SAMPLES_MAX orders, of which LAMP_SAMPLES_RUNNING collect; together they may become no larger
 * than the quota. What survives a restart is what was collected; an order that was still running goes on to
 * its end without the packets of the time between. Knows no socket and reads no clock. Not thread-safe;
 * never logs. */
#pragma once

#include "proto/wire.h"

typedef struct lamp_samples lamp_samples;

enum {
    LAMP_SAMPLES_MAX = 32,
    LAMP_SAMPLES_RUNNING = 4,
    LAMP_SAMPLES_CHUNK = 32 * 1024, /* bytes sent at once, at most */
};

/* Sends one packed Envelope. LAMP_EAGAIN: not now. */
typedef int lamp_samples_send_fn(const uint8_t *data, size_t len, void *arg);

struct lamp_samples_cfg {
    const char *folder;   /* NULL: in memory */
    uint64_t quota_bytes; /* 0: samples are switched off */
    uint64_t rate;        /* bytes a second towards the aggregator */
    /* Bytes free where the folder is; a test has its own. NULL: statvfs(3). */
    uint64_t (*free_bytes)(const char *folder);
    lamp_samples_send_fn *to_capture, *to_aggregator;
    void *arg; /* of both */
};

/* Always succeeds but for LAMP_ENOMEM: without its database it refuses every order, in words. */
LAMP_CHECK int lamp_samples_open(const struct lamp_samples_cfg *cfg, uint64_t real_us,
                                 lamp_samples **out);
lamp_samples *lamp_samples_close(lamp_samples *s);

/* Takes an ORDER of the aggregator; its answer is sent by the next lamp_samples_pump(). */
void lamp_samples_order(lamp_samples *s, const struct lamp_order *o, uint64_t real_us);

/* Takes what capture collected. */
void lamp_samples_take(lamp_samples *s, const struct lamp_local_sample *m);

/* Takes a SAMPLE_ACK. */
void lamp_samples_ack(lamp_samples *s, const struct lamp_sample_ack *a);

/* Bytes a second towards the aggregator from now on. */
void lamp_samples_rate(lamp_samples *s, uint64_t rate);

/* A session began: nothing is under way any more, and the state of each order is told anew. */
void lamp_samples_session(lamp_samples *s);

/* Ends what is past its time, says what is news, and sends a chunk if one is due and no longer than room.
 * Returns the bytes sent to the aggregator. */
size_t lamp_samples_pump(lamp_samples *s, size_t room, uint64_t real_us, uint64_t mono_us);

/* What the database said of its last failure; "" before one. */
const char *lamp_samples_error(const lamp_samples *s);
