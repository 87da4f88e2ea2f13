/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/events.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

enum { RING = 1024 };

struct lamp_events {
    pthread_mutex_t lock;
    struct lamp_event ring[RING]; /* event seq stands at seq % RING */
    uint64_t newest;              /* 0: none yet */
    uint64_t seen;                /* highest seq any reader was given or started after */
    lamp_events_wake_fn *wake;
    void *wake_arg;
};

int lamp_events_new(lamp_events **out)
{
    assert(out);
    lamp_events *e = calloc(1, sizeof(*e));
    if (!e)
        return LAMP_ENOMEM;
    pthread_mutex_init(&e->lock, NULL);
    *out = e;
    return LAMP_OK;
}

lamp_events *lamp_events_free(lamp_events *e)
{
    if (!e)
        return NULL;
    pthread_mutex_destroy(&e->lock);
    free(e);
    return NULL;
}

static uint64_t oldest(const lamp_events *e)
{
    return e->newest > RING ? e->newest - RING + 1 : 1;
}

/* Whether the ring still holds the same event for every reader: one that nobody was given
 * yet will be rendered as the object stands then, so it covers this change too. */
static bool is_waiting(const lamp_events *e, enum lamp_event_kind kind, int64_t id,
                       const char *name)
{
    const uint64_t first = e->seen + 1 > oldest(e) ? e->seen + 1 : oldest(e);
    for (uint64_t seq = e->newest; seq >= first && seq > 0; seq--) {
        const struct lamp_event *ev = &e->ring[seq % RING];
        if (ev->kind == kind && ev->id == id && streq(ev->name, name))
            return true;
    }
    return false;
}

void lamp_events_publish(lamp_events *e, enum lamp_event_kind kind, int64_t id, const char *name)
{
    assert(e);
    pthread_mutex_lock(&e->lock);
    const bool merged = is_waiting(e, kind, id, name ? name : "");
    if (!merged) {
        const uint64_t seq = ++e->newest;
        struct lamp_event *ev = &e->ring[seq % RING];
        *ev = (struct lamp_event){ .seq = seq, .kind = kind, .id = id };
        snprintf(ev->name, sizeof(ev->name), "%s", name ? name : "");
    }
    if (!merged && e->wake)
        e->wake(e->wake_arg);
    pthread_mutex_unlock(&e->lock);
}

void lamp_events_set_waker(lamp_events *e, lamp_events_wake_fn *fn, void *arg)
{
    pthread_mutex_lock(&e->lock);
    e->wake = fn;
    e->wake_arg = arg;
    pthread_mutex_unlock(&e->lock);
}

uint64_t lamp_events_join(lamp_events *e)
{
    assert(e);
    pthread_mutex_lock(&e->lock);
    e->seen = e->newest;
    const uint64_t newest = e->newest;
    pthread_mutex_unlock(&e->lock);
    return newest;
}

int lamp_events_next(lamp_events *e, uint64_t seq, struct lamp_event *out, uint64_t *out_seq)
{
    assert(e && out && out_seq);
    int err = LAMP_OK;
    pthread_mutex_lock(&e->lock);
    if (seq == e->newest) {
        err = LAMP_EAGAIN;
    } else if (seq > e->newest || seq + 1 < oldest(e)) {
        err = LAMP_ENOENT;
        *out_seq = e->newest;
        e->seen = e->newest;
    } else {
        *out = e->ring[(seq + 1) % RING];
        *out_seq = out->seq;
        if (out->seq > e->seen)
            e->seen = out->seq;
    }
    pthread_mutex_unlock(&e->lock);
    return err;
}

uint64_t lamp_events_newest(lamp_events *e)
{
    pthread_mutex_lock(&e->lock);
    const uint64_t newest = e->newest;
    pthread_mutex_unlock(&e->lock);
    return newest;
}
