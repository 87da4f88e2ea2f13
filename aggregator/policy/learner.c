/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/policy/learner.h"

#include "aggregator/store/spread.h"

#include <math.h>
#include <stdio.h>

#define MINUTE_US UINT64_C(60000000)

enum {
    BEATS_LEAST = 4, /* times from one contact to the next that a rhythm needs */
    SEEN_MAX = 2048, /* destinations that are added up; the rest are left out */
    GAPS_MAX = 256,
    INTERVALS = 64, /* of a destination that are looked at */
};

/* A destination as it is added up. */
struct seen {
    struct lamp_baseline_entry e;
    uint64_t minute;               /* the last with traffic; 0: none */
    uint32_t intervals[INTERVALS]; /* the newest, by n_beats modulo the length */
    uint32_t n_beats;
};

struct learner {
    const struct lamp_learning *l;
    struct seen *seen;
    size_t n;
    uint32_t left_out;
    uint64_t minute; /* the one that is added up; 0: none yet */
    double mining, other, mining_packets, packets;
    struct lamp_spread_sum sums[4]; /* of the same */
    struct {
        uint64_t from, to; /* minutes */
    } gaps[GAPS_MAX];
    size_t n_gaps;
    struct lamp_baseline_body *body;
};

/* ---- minutes ---- */

static bool in_gap(const struct learner *w, uint64_t minute)
{
    for (size_t i = 0; i < w->n_gaps; i++)
        if (w->gaps[i].from <= minute && minute <= w->gaps[i].to)
            return true;
    return false;
}

static void end_minute(struct learner *w)
{
    const double values[] = { w->mining, w->other, w->mining_packets, w->packets };
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        lamp_spread_add(&w->sums[i], values[i]);
    w->mining = w->other = w->mining_packets = w->packets = 0;
    w->body->minutes++;
}

/* Up to, and without, a minute. */
static void go_on(struct learner *w, uint64_t minute)
{
    if (w->minute == 0)
        w->minute = minute;
    for (; w->minute < minute; w->minute++)
        if (w->packets > 0 || !in_gap(w, w->minute))
            end_minute(w);
}

/* ---- destinations ---- */

static void add_text(char *io, const char *text)
{
    if (!*io && *text)
        snprintf(io, LAMP_BASELINE_TEXT, "%s", text);
}

/* What is only known of some minutes of a destination counts for all of them. */
static struct seen *find(struct learner *w, const struct lamp_baseline_place *at)
{
    for (size_t i = 0; i < w->n; i++)
        if (lamp_baseline_knows(&w->seen[i].e, at))
            return &w->seen[i];
    if (w->n == SEEN_MAX) {
        w->left_out++;
        return NULL;
    }
    struct seen *s = &w->seen[w->n++];
    *s = (struct seen){ .e = { .at = *at } };
    return s;
}

static void beat(struct seen *s, uint64_t minute)
{
    if (s->minute)
        s->intervals[s->n_beats++ % INTERVALS] = (uint32_t)(minute - s->minute);
    s->minute = minute;
    s->e.minutes++;
}

static bool add_gap(const struct lamp_gap_view *g, void *arg)
{
    struct learner *w = arg;
    if (!streq(g->site, w->l->site) || g->to_us <= w->l->from_us || g->from_us >= w->l->to_us)
        return true;
    if (w->n_gaps < GAPS_MAX) {
        w->gaps[w->n_gaps].from = g->from_us / MINUTE_US;
        w->gaps[w->n_gaps++].to = g->to_us / MINUTE_US;
    }
    return true;
}

static void add_wallet(struct lamp_baseline_body *b, const char *wallet)
{
    for (uint32_t i = 0; i < b->n_wallets; i++)
        if (streq(b->wallets[i], wallet))
            return;
    if (*wallet && strlen(wallet) < sizeof(b->wallets[0]) && b->n_wallets < LAMP_BASELINE_WALLETS)
        snprintf(b->wallets[b->n_wallets++], sizeof(b->wallets[0]), "%s", wallet);
}

static bool add_minute(const struct lamp_host_minute *m, void *arg)
{
    struct learner *w = arg;
    struct lamp_baseline_place at = m->at;
    go_on(w, m->minute);
    *(at.mining ? &w->mining : &w->other) += (double)m->bytes;
    w->mining_packets += at.mining ? (double)m->packets : 0;
    w->packets += (double)m->packets;
    add_wallet(w->body, m->wallet);
    /* Whom nobody answered is no destination. */
    if (m->packets_out == 0)
        return true;
    at.asn = w->l->asn ? w->l->asn(&at.remote, w->l->arg) : 0;
    struct seen *s = find(w, &at);
    if (!s)
        return true;
    s->e.at.mining |= at.mining;
    s->e.at.asn = s->e.at.asn ? s->e.at.asn : at.asn;
    add_text(s->e.at.name, at.name);
    add_text(s->e.at.pool, at.pool);
    add_text(s->e.at.application, at.application);
    s->e.by = lamp_baseline_by_of(&s->e.at, w->l->by_asn);
    s->e.bytes += m->bytes;
    s->e.packets += m->packets;
    if (s->minute != m->minute)
        beat(s, m->minute);
    return true;
}

/* ---- what comes of it ---- */

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_bytes(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return (x->e.bytes < y->e.bytes) - (x->e.bytes > y->e.bytes);
}

/* A rhythm is what keeps within a quarter of its period, and is no more than every minute's. */
static void find_rhythm(struct seen *s)
{
    const uint32_t n = s->n_beats < INTERVALS ? s->n_beats : INTERVALS;
    if (n < BEATS_LEAST)
        return;
    qsort(s->intervals, n, sizeof(s->intervals[0]), by_number);
    const uint32_t middle = n / 2;
    const double period = s->intervals[middle];
    const double jitter = fmax(s->intervals[n - 1] - period, period - s->intervals[0]);
    if (period < 2 || jitter > fmax(1, period / 4))
        return;
    s->e.period_min = period;
    s->e.jitter_min = jitter;
}

static void conclude(struct learner *w)
{
    struct lamp_baseline_body *b = w->body;
    b->mining = lamp_spread_of(&w->sums[0]);
    b->other = lamp_spread_of(&w->sums[1]);
    b->packets = lamp_spread_of(&w->sums[b->mining.mean > 0 ? 2 : 3]);
    qsort(w->seen, w->n, sizeof(*w->seen), by_bytes);
    for (size_t i = 0; i < w->n; i++) {
        if (b->n_entries == LAMP_BASELINE_ENTRIES) {
            w->left_out++;
            continue;
        }
        find_rhythm(&w->seen[i]);
        b->entries[b->n_entries++] = w->seen[i].e;
    }
    b->left_out = w->left_out;
}

int lamp_learn(lamp_store *s, const struct lamp_learning *l, struct lamp_baseline_body *out)
{
    const uint64_t end_us = l->to_us / MINUTE_US * MINUTE_US;
    struct learner w = { .l = l, .seen = calloc(SEEN_MAX, sizeof(struct seen)), .body = out };
    if (!w.seen)
        return LAMP_ENOMEM;
    memset(out, 0, sizeof(*out));
    out->from_us = l->from_us;
    out->to_us = l->to_us;
    int err = lamp_store_gaps(s, NULL, 0, add_gap, &w);
    if (err == LAMP_OK && end_us > l->from_us)
        err = lamp_store_host_minutes(s, l->site, &l->host, l->from_us + MINUTE_US - 1, end_us - 1,
                                      add_minute, &w);
    if (err == LAMP_OK && w.minute)
        go_on(&w, end_us / MINUTE_US);
    if (err == LAMP_OK && out->minutes < LAMP_BASELINE_MINUTES_LEAST)
        err = LAMP_EAGAIN;
    if (err == LAMP_OK)
        conclude(&w);
    free(w.seen);
    return err;
}
