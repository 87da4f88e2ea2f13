/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/touched.h"

#include <stdio.h>

enum { OBJECTS_MAX = 8192, SLOTS = 2 * OBJECTS_MAX, EVERY_US = 1000000 };

struct object {
    bool used, waiting;
    enum lamp_event_kind kind;
    int64_t id;
    char name[65];
    uint64_t told_us; /* when it was last published */
};

struct lamp_touched {
    struct object slots[SLOTS]; /* open addressing */
    size_t used;
    uint64_t due_us;
};

int lamp_touched_new(lamp_touched **out)
{
    lamp_touched *t = calloc(1, sizeof(*t));
    if (!t)
        return LAMP_ENOMEM;
    t->due_us = UINT64_MAX;
    *out = t;
    return LAMP_OK;
}

lamp_touched *lamp_touched_free(lamp_touched *t)
{
    free(t);
    return NULL;
}

/* FNV-1a; ids and names are our own, so no seed is needed. */
static size_t slot_of(enum lamp_event_kind kind, int64_t id, const char *name)
{
    uint64_t h = 14695981039346656037U ^ (uint64_t)kind;
    for (size_t i = 0; i < sizeof(id); i++)
        h = (h ^ (((uint64_t)id >> (8 * i)) & 0xff)) * 1099511628211U;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211U;
    return (size_t)(h % SLOTS);
}

void lamp_touched_add(lamp_touched *t, enum lamp_event_kind kind, int64_t id, const char *name)
{
    size_t i = slot_of(kind, id, name);
    while (t->slots[i].used &&
           !(t->slots[i].kind == kind && t->slots[i].id == id && streq(t->slots[i].name, name)))
        i = (i + 1) % SLOTS;
    struct object *o = &t->slots[i];
    if (!o->used) {
        if (t->used >= OBJECTS_MAX && kind != LAMP_EVENT_STATUS) {
            lamp_touched_add(t, LAMP_EVENT_STATUS, 0, "");
            return;
        }
        *o = (struct object){ .used = true, .kind = kind, .id = id };
        snprintf(o->name, sizeof(o->name), "%s", name);
        t->used++;
    }
    if (!o->waiting) {
        o->waiting = true;
        if (o->told_us + EVERY_US < t->due_us)
            t->due_us = o->told_us + EVERY_US;
    }
}

/* Keeps only what waits or was told within the last second. */
static void forget(lamp_touched *t, uint64_t now_us)
{
    struct object *old = malloc(sizeof(t->slots));
    if (!old)
        return;
    memcpy(old, t->slots, sizeof(t->slots));
    memset(t->slots, 0, sizeof(t->slots));
    t->used = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (!old[i].used || (!old[i].waiting && old[i].told_us + EVERY_US <= now_us))
            continue;
        size_t at = slot_of(old[i].kind, old[i].id, old[i].name);
        while (t->slots[at].used)
            at = (at + 1) % SLOTS;
        t->slots[at] = old[i];
        t->used++;
    }
    free(old);
}

void lamp_touched_publish(lamp_touched *t, uint64_t now_us, lamp_events *to)
{
    if (t->due_us > now_us)
        return;
    t->due_us = UINT64_MAX;
    for (size_t i = 0; i < SLOTS && t->used; i++) {
        struct object *o = &t->slots[i];
        if (!o->used)
            continue;
        const uint64_t due_us = o->told_us + EVERY_US;
        if (o->waiting && due_us <= now_us) {
            lamp_events_publish(to, o->kind, o->id, o->name);
            o->waiting = false;
            o->told_us = now_us;
        } else if (o->waiting && due_us < t->due_us) {
            t->due_us = due_us;
        }
    }
    if (t->used > OBJECTS_MAX / 2)
        forget(t, now_us);
}

uint64_t lamp_touched_due_us(const lamp_touched *t)
{
    return t->due_us;
}
