/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/tracks.h"

#include "sensor/capture/sampler.h"

#include <pthread.h>

#define STEP_US (LAMP_WIRE_TRACK_STEP_S * UINT64_C(1000000))

_Static_assert(LAMP_TRACKS_MAX *LAMP_TRACK_STEPS <= LAMP_WIRE_TRACK_ROWS_MAX,
               "one summary takes all");

struct track {
    uint64_t id; /* 0: the place is free */
    struct lamp_order_match matches[LAMP_WIRE_MATCHES_MAX];
    size_t n_matches;
    uint64_t until_us;    /* monotonic */
    pthread_mutex_t lock; /* of what follows */
    struct lamp_track_row steps[LAMP_TRACK_STEPS];
    size_t n_steps;
    uint64_t packets, bytes, dropped; /* since it began; dropped ones found no step */
};

struct lamp_tracks {
    struct track v[LAMP_TRACKS_MAX];
    struct lamp_track_row rows[LAMP_TRACKS_MAX * LAMP_TRACK_STEPS]; /* as handed out */
};

int lamp_tracks_new(lamp_tracks **out)
{
    lamp_tracks *t = calloc(1, sizeof(*t));
    if (!t)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < LAMP_TRACKS_MAX; i++)
        pthread_mutex_init(&t->v[i].lock, NULL);
    *out = t;
    return LAMP_OK;
}

lamp_tracks *lamp_tracks_free(lamp_tracks *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < LAMP_TRACKS_MAX; i++)
        pthread_mutex_destroy(&t->v[i].lock);
    free(t);
    return NULL;
}

/* ---- orders ---- */

static struct track *find(lamp_tracks *t, uint64_t id)
{
    for (size_t i = 0; i < LAMP_TRACKS_MAX; i++)
        if (t->v[i].id == id)
            return &t->v[i];
    return NULL;
}

/* A place of none, or of one whose time is up and whose steps are handed out. */
static struct track *place(lamp_tracks *t, uint64_t mono_us)
{
    for (size_t i = 0; i < LAMP_TRACKS_MAX; i++)
        if (t->v[i].id == 0 || (t->v[i].until_us <= mono_us && t->v[i].n_steps == 0))
            return &t->v[i];
    return NULL;
}

static void begin(struct track *r, const struct lamp_order *o)
{
    r->id = o->id;
    r->n_matches = o->n_matches;
    memcpy(r->matches, o->matches, o->n_matches * sizeof(*o->matches));
    r->n_steps = 0;
    r->packets = r->bytes = r->dropped = 0;
}

static void refuse(struct lamp_order_status *out, int code, const char *words)
{
    out->state = LAMP_ORDER_REFUSED;
    out->code = code;
    out->detail = lamp_bytes_of(words);
}

static bool is_sound(const struct lamp_order *o)
{
    return o->id && o->kind == LAMP_ORDER_SAMPLE && o->duration_s &&
           o->duration_s <= LAMP_TRACK_DURATION_MAX_S && o->n_matches > 0 &&
           o->n_matches <= LAMP_WIRE_MATCHES_MAX;
}

void lamp_tracks_order(lamp_tracks *t, const struct lamp_order *o, uint64_t mono_us,
                       struct lamp_order_status *out)
{
    struct track *r = o->id ? find(t, o->id) : NULL;
    *out = (struct lamp_order_status){ .id = o->id, .state = LAMP_ORDER_DONE };
    if (o->kind == LAMP_ORDER_CANCEL) {
        if (r)
            r->until_us = mono_us; /* what was counted goes with the next summary */
        return;
    }
    if (!is_sound(o)) {
        refuse(out, LAMP_EINVAL, "what is to be tracked makes no sense to this sensor");
        return;
    }
    if (!r) {
        r = place(t, mono_us);
        if (!r) {
            refuse(out, LAMP_EFULL, "8 targets are tracked here already");
            return;
        }
        begin(r, o);
    }
    r->until_us = mono_us + o->duration_s * UINT64_C(1000000);
    out->state = LAMP_ORDER_RUNNING;
    out->packets = r->packets;
    out->bytes = r->bytes;
    if (r->dropped)
        out->detail = lamp_bytes_of("some packets were left out: more time between two summaries "
                                    "than there is room for");
}

bool lamp_tracks_is_running(const lamp_tracks *t, uint64_t mono_us)
{
    for (size_t i = 0; i < LAMP_TRACKS_MAX; i++)
        if (t->v[i].id && t->v[i].until_us > mono_us)
            return true;
    return false;
}

/* ---- packets ---- */

/* The newest step is asked for nearly always. NULL: there is no room. */
static struct lamp_track_row *step_of(struct track *r, uint64_t step)
{
    for (size_t i = r->n_steps; i-- > 0;)
        if (r->steps[i].step == step)
            return &r->steps[i];
    if (r->n_steps == LAMP_TRACK_STEPS)
        return NULL;
    r->steps[r->n_steps] = (struct lamp_track_row){ .order_id = r->id, .step = step };
    return &r->steps[r->n_steps++];
}

static void count(struct track *r, const struct lamp_frame *f, bool out)
{
    pthread_mutex_lock(&r->lock);
    struct lamp_track_row *s = step_of(r, f->t_us / STEP_US);
    if (s) {
        *(out ? &s->packets_out : &s->packets_in) += 1;
        *(out ? &s->bytes_out : &s->bytes_in) += f->orig_len;
        r->packets++;
        r->bytes += f->orig_len;
    } else {
        r->dropped++;
    }
    pthread_mutex_unlock(&r->lock);
}

void lamp_tracks_packet(const struct lamp_frame *f, const struct lamp_pkt *pkt, void *arg)
{
    lamp_tracks *t = arg;
    for (size_t i = 0; i < LAMP_TRACKS_MAX; i++) {
        struct track *r = &t->v[i];
        const enum lamp_sampler_side side =
            r->id ? lamp_sampler_side(r->matches, r->n_matches, pkt) : LAMP_SIDE_OF_NONE;
        if (side != LAMP_SIDE_OF_NONE)
            count(r, f, side == LAMP_SOURCE_IS_HOST);
    }
}

struct lamp_track_row *lamp_tracks_take(lamp_tracks *t, uint64_t mono_us, size_t *out_n)
{
    *out_n = 0;
    for (size_t i = 0; i < LAMP_TRACKS_MAX; i++) {
        struct track *r = &t->v[i];
        memcpy(t->rows + *out_n, r->steps, r->n_steps * sizeof(*r->steps));
        *out_n += r->n_steps;
        r->n_steps = 0;
        if (r->until_us <= mono_us)
            r->id = 0;
    }
    return t->rows;
}
