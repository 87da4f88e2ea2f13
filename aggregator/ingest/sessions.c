/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/sessions.h"

enum { SESSIONS_MAX = 16384, SLOTS = 2 * SESSIONS_MAX };

struct lamp_sessions {
    struct lamp_session *slots[SLOTS]; /* open addressing by sensor; never removed */
    size_t n;
};

int lamp_sessions_new(lamp_sessions **out)
{
    lamp_sessions *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    *out = s;
    return LAMP_OK;
}

lamp_sessions *lamp_sessions_free(lamp_sessions *s)
{
    for (size_t i = 0; s && i < SLOTS; i++)
        free(s->slots[i]);
    free(s);
    return NULL;
}

/* FNV-1a: names come from operators and from whom they gave a token, so no seed is needed. */
static struct lamp_session **slot(lamp_sessions *s, const char *sensor)
{
    uint64_t h = 14695981039346656037U;
    for (const char *p = sensor; *p; p++)
        h = (h ^ (uint8_t)*p) * 1099511628211U;
    size_t i = (size_t)(h % SLOTS);
    while (s->slots[i] && !streq(s->slots[i]->who.id, sensor))
        i = (i + 1) % SLOTS;
    return &s->slots[i];
}

struct lamp_session *lamp_sessions_find(lamp_sessions *s, const char *sensor)
{
    return *slot(s, sensor);
}

int lamp_sessions_get(lamp_sessions *s, const char *sensor, struct lamp_session **out)
{
    struct lamp_session **at = slot(s, sensor);
    if (!*at) {
        if (s->n == SESSIONS_MAX)
            return LAMP_EFULL;
        *at = calloc(1, sizeof(**at));
        if (!*at)
            return LAMP_ENOMEM;
        memcpy((*at)->who.id, sensor, lamp_min(strlen(sensor), sizeof((*at)->who.id) - 1));
        s->n++;
    }
    *out = *at;
    return LAMP_OK;
}

void lamp_sessions_each(lamp_sessions *s, lamp_session_fn *fn, void *arg)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (s->slots[i] && s->slots[i]->live)
            fn(s->slots[i], arg);
}
