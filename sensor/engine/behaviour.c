/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/behaviour.h"

#include <math.h>
#include <stdio.h>

enum {
    SAME = 3,            /* lengths that differ by no more are one size */
    ANSWER_US = 1000000, /* how soon an answer comes */
    BULK_BYTES = 64 << 10,
    BULK_RATE = 4 << 10, /* bytes/s */
    GAPS_MIN = 4,        /* gaps before their spread says anything */
    EARLY_US = LAMP_BEHAVIOUR_EARLY_S * 1000000,
};

static void welford_add(struct lamp_welford *w, double x)
{
    w->n++;
    const double d = x - (double)w->mean;
    w->mean = (float)((double)w->mean + d / w->n);
    w->m2 = (float)((double)w->m2 + d * (x - (double)w->mean));
}

/* Standard deviation over mean; 0 where there is none. */
static double welford_cv(const struct lamp_welford *w)
{
    return w->n > 1 && w->mean > 0 ? sqrt((double)w->m2 / (w->n - 1)) / (double)w->mean : 0;
}

static double seconds(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

/* Counts a size; of more sizes than there are slots the frequent ones stay (J. Misra and
 * D. Gries, Science of Computer Programming 2, 1982). */
static void count_size(struct lamp_behaviour_side *s, uint16_t len, uint64_t t_us)
{
    struct lamp_behaviour_slot *free_slot = NULL, *best = NULL;
    for (size_t i = 0; i < LAMP_BEHAVIOUR_SLOTS; i++) {
        struct lamp_behaviour_slot *slot = &s->slots[i];
        const int off = abs((int)slot->len - (int)len);
        if (slot->count == 0)
            free_slot = slot;
        else if (off <= SAME && (!best || off < abs((int)best->len - (int)len)))
            best = slot;
    }
    if (best) {
        if (best->count < UINT16_MAX)
            best->count++;
        welford_add(&best->gap, seconds(best->last_us, t_us));
        best->last_us = t_us;
    } else if (free_slot) {
        *free_slot = (struct lamp_behaviour_slot){ .len = len, .count = 1, .last_us = t_us };
    } else {
        for (size_t i = 0; i < LAMP_BEHAVIOUR_SLOTS; i++)
            s->slots[i].count--;
    }
}

static const struct lamp_behaviour_slot *mode(const struct lamp_behaviour_side *s)
{
    const struct lamp_behaviour_slot *best = &s->slots[0];
    for (size_t i = 1; i < LAMP_BEHAVIOUR_SLOTS; i++)
        if (s->slots[i].count > best->count)
            best = &s->slots[i];
    return best;
}

void lamp_behaviour_message(struct lamp_behaviour *b, enum lamp_dir dir, uint32_t len,
                            uint64_t t_us)
{
    if (b->messages++ == 0)
        b->first_us = b->last_us = t_us;
    if (!b->is_early_over && t_us > b->first_us + EARLY_US) {
        b->is_early_over = true;
        b->early = mode(&b->side[LAMP_UP])->count;
    }
    b->bytes += len;
    if (t_us > b->last_us)
        b->last_us = t_us;
    const bool counts = b->messages > LAMP_BEHAVIOUR_SKIP;
    struct lamp_behaviour_side *s = &b->side[dir];
    if (counts) {
        const uint16_t size = (uint16_t)lamp_min(len, UINT16_MAX);
        s->n++;
        if (size > s->longest)
            s->longest = size;
        count_size(s, size, t_us);
    }
    if (dir == LAMP_UP) {
        b->last_up_us = t_us;
    } else if (counts) {
        if (b->last_was_down || t_us - b->last_up_us > ANSWER_US) {
            b->unasked++;
            if (b->last_unasked_us)
                welford_add(&b->unasked_gap, seconds(b->last_unasked_us, t_us));
            b->last_unasked_us = t_us;
        } else {
            b->answers++;
        }
    }
    b->last_was_down = dir == LAMP_DOWN;
}

bool lamp_behaviour_is_bulk(const struct lamp_behaviour *b)
{
    return (double)b->bytes > BULK_BYTES + BULK_RATE * seconds(b->first_us, b->last_us);
}

bool lamp_behaviour_is_ripe(const struct lamp_behaviour *b, uint64_t now_us)
{
    return b->messages >= LAMP_BEHAVIOUR_NEEDS && b->side[LAMP_UP].n >= LAMP_BEHAVIOUR_SKIP &&
           b->side[LAMP_DOWN].n >= LAMP_BEHAVIOUR_SKIP && now_us > b->first_us &&
           now_us - b->first_us >= LAMP_BEHAVIOUR_AGE_US;
}

/* The share of messages that have one of the three most frequent sizes. */
static double coverage(const struct lamp_behaviour_side *s)
{
    unsigned sum = 0, least = UINT16_MAX;
    for (size_t i = 0; i < LAMP_BEHAVIOUR_SLOTS; i++) {
        sum += s->slots[i].count;
        least = s->slots[i].count < least ? s->slots[i].count : least;
    }
    return s->n ? (sum - least) / (double)s->n : 0;
}

/* Reports come at one of the periods that miners have. */
static bool is_period(double s)
{
    static const double periods[] = { 10, 20, 30, 60 };
    for (size_t i = 0; i < ARRAY_LEN(periods); i++)
        if (fabs(s - periods[i]) <= 0.03 * periods[i])
            return true;
    return false;
}

/* Some client message comes as shares do, at random, or as reports do; or it can be measured and
 * does not. */
static int rhythm_points(const struct lamp_behaviour_side *up)
{
    int points = 0;
    for (size_t i = 0; i < LAMP_BEHAVIOUR_SLOTS; i++) {
        const struct lamp_behaviour_slot *s = &up->slots[i];
        if (s->count == 0 || s->len < 60 || s->gap.n < GAPS_MIN)
            continue;
        const double cv = welford_cv(&s->gap), mean = (double)s->gap.mean;
        if (mean >= 2 && ((cv >= 0.6 && cv <= 1.5) || (cv < 0.08 && is_period(mean))))
            return 2;
        points = -2;
    }
    return points;
}

/* An acknowledgement of a usual size, or mostly jobs. */
static bool answers_like_a_pool(const struct lamp_behaviour_side *down)
{
    for (size_t i = 0; i < LAMP_BEHAVIOUR_SLOTS; i++)
        if (down->slots[i].count && down->slots[i].len >= 25 && down->slots[i].len <= 160)
            return true;
    return mode(down)->len >= 200;
}

int lamp_behaviour_score(const struct lamp_behaviour *b, uint64_t now_us)
{
    const struct lamp_behaviour_side *up = &b->side[LAMP_UP], *down = &b->side[LAMP_DOWN];
    if (up->n == 0 || down->n == 0)
        return 0;
    const double age = seconds(b->first_us, now_us), rate = (double)b->bytes / age;
    const double per_minute = b->messages / age * 60, unasked = b->unasked / (double)down->n;
    const double of_up = coverage(up), of_down = coverage(down);
    const double push_cv = welford_cv(&b->unasked_gap);
    int points = of_up >= 0.9 ? 2 : of_up >= 0.75 ? 1 : -2;
    points += of_down >= 0.7 ? 1 : of_down >= 0.5 ? 0 : -1;
    points += rate < 600 ? 1 : rate < 2500 ? 0 : -3;
    points += per_minute >= 0.3 && per_minute <= 90 ? 1 : -2;
    points += unasked >= 0.10 && unasked <= 0.97 ? 1 : -2;
    points += b->answers / (double)up->n >= 0.6 ? 1 : -1;
    points += mode(up)->len >= 60 && up->longest < 3300 ? 2 : -3;
    points += down->longest < 4200 ? 1 : -2;
    points += answers_like_a_pool(down) ? 1 : -1;
    points += rhythm_points(up);
    points += push_cv >= 0.3 && push_cv <= 1.6 && (double)b->unasked_gap.mean >= 1 ? 1 : 0;
    return points;
}

void lamp_behaviour_tell(const struct lamp_behaviour *b, char *out, size_t size)
{
    const struct lamp_behaviour_side *up = &b->side[LAMP_UP], *down = &b->side[LAMP_DOWN];
    const struct lamp_behaviour_slot *u = mode(up), *d = mode(down);
    const double age = seconds(b->first_us, b->last_us);
    snprintf(out, size,
             "%.0f messages/min, %u of %u up near %u bytes (gaps %.0f s, cv %.2f), %u of %u down "
             "near %u, %u unasked",
             age > 0 ? b->messages / age * 60 : 0, u->count, up->n, u->len, (double)u->gap.mean,
             welford_cv(&u->gap), d->count, down->n, d->len, b->unasked);
}
