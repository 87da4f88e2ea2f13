/* SPDX-License-Identifier: Apache-2.0 */
/* events: what changed, from the writer thread to the browsers. The writer publishes (kind, id)
 * after its commit; the HTTP side renders the object as it stands and streams it. A ring of
 * 1,024; a reader that falls behind learns so and reloads. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

typedef struct lamp_events lamp_events;

enum lamp_event_kind {
    LAMP_EVENT_STATUS,
    LAMP_EVENT_SENSOR,
    LAMP_EVENT_MINER,
    LAMP_EVENT_BLOCK,
    LAMP_EVENT_ALERT
};

struct lamp_event {
    uint64_t seq; /* from 1 */
    enum lamp_event_kind kind;
    int64_t id;    /* miner, block or alert; 0 for status */
    char name[65]; /* sensor */
};

LAMP_CHECK int lamp_events_new(lamp_events **out);
lamp_events *lamp_events_free(lamp_events *e);

/* Appends an event and calls the waker. Repeats of an event that no reader
 * could have seen yet may be merged. */
void lamp_events_publish(lamp_events *e, enum lamp_event_kind kind, int64_t id, const char *name);

/* Who is told that something is new; called on the publisher's thread with the ring locked, so it
 * must not call back, and after set_waker() returned the former one is not running. */
typedef void lamp_events_wake_fn(void *arg);
void lamp_events_set_waker(lamp_events *e, lamp_events_wake_fn *fn, void *arg);

/* Where a new reader starts: after the newest event. What it loads now shows everything up to there, so
 * that a later change is a new event for it, and never merged with an older one it is not given. */
uint64_t lamp_events_join(lamp_events *e);

/* The event after seq. LAMP_EAGAIN: none yet. LAMP_ENOENT: it has left the ring; *out_seq is the
 * newest, from which to go on after a reload. */
LAMP_CHECK int lamp_events_next(lamp_events *e, uint64_t seq, struct lamp_event *out,
                                uint64_t *out_seq);
uint64_t lamp_events_newest(lamp_events *e);
