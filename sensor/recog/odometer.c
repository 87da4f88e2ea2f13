/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/odometer.h"

#include <math.h>

enum {
    LANES = 64,
    THREAD_SHIFT = 22,
    CHUNK = 32768, /* xmrig's kReserveCount */
    ROUNDS = 6,
};

#define LEAST_S 0.5f  /* younger shares say too little about a rate */
#define STEADY 0.05   /* variation of a rate that counts as constant */
#define STRAIGHT 0.01 /* deviation from a line, in parts of its range */
#define IN_PHASE 0.03 /* mean distance from a chunk's expected place, in chunks */

bool lamp_odometer_add(struct lamp_odometer *o, uint64_t job_us, uint64_t now_us,
                       struct lamp_bytes nonce)
{
    if (job_us == 0 || now_us <= job_us || nonce.len < 4 || o->n == LAMP_ODOMETER_SHARES)
        return false;
    if (o->n == 0)
        o->from_us = job_us;
    if (now_us < o->from_us)
        return false;
    o->shares[o->n++] = (struct lamp_odometer_share){
        .job_s = (float)(now_us - job_us) / 1e6f,
        .t_s = (float)(now_us - o->from_us) / 1e6f,
        .count = (uint32_t)nonce.data[0] | (uint32_t)nonce.data[1] << 8 |
                 (uint32_t)nonce.data[2] << 16 | (uint32_t)nonce.data[3] << 24,
        .last = nonce.data[nonce.len - 1],
    };
    return o->n >= LAMP_ODOMETER_LEAST && (o->n < 12 || o->n % 6 == 0);
}

/* ---- a rate for each thread of each job ---- */

struct lane {
    double n, sum, squares;
};

/* Rates of shares in lanes: whether each lane's are constant. */
static bool is_steady(const struct lane *lanes, size_t n_lanes, double *out_total,
                      unsigned *out_seen)
{
    double within = 0, freedom = 0, mean = 0;
    *out_total = 0;
    *out_seen = 0;
    for (size_t i = 0; i < n_lanes; i++) {
        if (lanes[i].n <= 0)
            continue;
        const double own = lanes[i].sum / lanes[i].n;
        within += lanes[i].squares - lanes[i].n * own * own;
        freedom += lanes[i].n - 1;
        *out_total += own;
        (*out_seen)++;
    }
    if (*out_seen == 0 || freedom < 3)
        return false;
    mean = *out_total / *out_seen;
    return sqrt(fmax(0, within) / freedom) < STEADY * mean;
}

static struct lamp_odometer_reading read_threads(const struct lamp_odometer *o)
{
    struct lane lanes[LANES] = { { 0 } };
    unsigned highest = 0, seen;
    double total;
    for (size_t i = 0; i < o->n; i++) {
        const struct lamp_odometer_share *s = &o->shares[i];
        const unsigned thread = s->count >> THREAD_SHIFT;
        if (thread >= LANES)
            return (struct lamp_odometer_reading){ 0 };
        if (s->job_s < LEAST_S)
            continue;
        const double rate = (s->count & ((1u << THREAD_SHIFT) - 1)) / (double)s->job_s;
        lanes[thread].n++;
        lanes[thread].sum += rate;
        lanes[thread].squares += rate * rate;
        highest = thread > highest ? thread : highest;
    }
    if (!is_steady(lanes, highest + 1, &total, &seen))
        return (struct lamp_odometer_reading){ 0 };
    /* threads between that found nothing yet are as fast as the others; above there may be more */
    const unsigned n = highest + 1;
    const double all = total / seen * n;
    const double unseen = n * exp(-(double)o->n / n);
    return (struct lamp_odometer_reading){
        .layout = n == 1 ? "counter" : "threads",
        .lanes = n,
        .value = all,
        .low = 0.97 * total,
        .high = 1.03 * all * (1 + unseen / n),
    };
}

static struct lamp_odometer_reading read_counter(const struct lamp_odometer *o)
{
    struct lane lane = { 0 };
    unsigned seen;
    double total;
    for (size_t i = 0; i < o->n; i++) {
        const struct lamp_odometer_share *s = &o->shares[i];
        const double rate = s->count / (double)s->job_s;
        if (s->job_s < LEAST_S)
            continue;
        lane.n++;
        lane.sum += rate;
        lane.squares += rate * rate;
    }
    if (lane.n < LAMP_ODOMETER_LEAST || !is_steady(&lane, 1, &total, &seen))
        return (struct lamp_odometer_reading){ 0 };
    return (struct lamp_odometer_reading){ "counter", 1, total, 0.97 * total, 1.03 * total };
}

/* ---- counts that go on over all jobs ---- */

/* The slope of a device's counts over time, by least squares; false: they lie on no line. */
static bool slope_of(const struct lamp_odometer *o, uint8_t device, double *out)
{
    double n = 0, t = 0, c = 0, tt = 0, tc = 0, low = INFINITY, high = 0;
    for (size_t i = 0; i < o->n; i++) {
        const struct lamp_odometer_share *s = &o->shares[i];
        if (s->last != device)
            continue;
        n++;
        t += s->t_s;
        c += s->count;
        tt += (double)s->t_s * s->t_s;
        tc += (double)s->t_s * s->count;
        low = fmin(low, s->count);
        high = fmax(high, s->count);
    }
    const double spread = n * tt - t * t;
    if (n < 3 || spread <= 0 || high <= low)
        return false;
    const double slope = (n * tc - t * c) / spread, offset = (c - slope * t) / n;
    double off = 0;
    for (size_t i = 0; i < o->n; i++) {
        const struct lamp_odometer_share *s = &o->shares[i];
        if (s->last == device)
            off += pow(s->count - offset - slope * s->t_s, 2);
    }
    *out = slope;
    return slope > 0 && sqrt(off / n) < STRAIGHT * (high - low);
}

static struct lamp_odometer_reading read_devices(const struct lamp_odometer *o)
{
    bool known[256] = { false };
    unsigned n = 0, on_lines = 0, lonely = 0;
    double total = 0, slope;
    for (size_t i = 0; i < o->n; i++)
        known[o->shares[i].last] = true;
    for (unsigned d = 0; d < 256; d++) {
        if (!known[d])
            continue;
        unsigned shares = 0;
        for (size_t i = 0; i < o->n; i++)
            shares += o->shares[i].last == d;
        n++;
        lonely += shares < 3;
        if (shares >= 3 && slope_of(o, (uint8_t)d, &slope)) {
            total += slope;
            on_lines++;
        }
    }
    if (on_lines == 0 || on_lines + lonely < n || lonely > on_lines)
        return (struct lamp_odometer_reading){ 0 };
    const double all = total / on_lines * n;
    return (struct lamp_odometer_reading){ "devices", n, all, 0.99 * total, 1.01 * all };
}

/* ---- chunks of one count ---- */

/* How far shares lie from where threads of that rate would be in their chunks, in chunks. */
static double phase_error(const struct lamp_odometer *o, double rate)
{
    double sum = 0;
    for (size_t i = 0; i < o->n; i++) {
        const struct lamp_odometer_share *s = &o->shares[i];
        const double x = (rate * s->job_s - s->count % CHUNK) / CHUNK;
        sum += fabs(x - round(x));
    }
    return sum / o->n;
}

/* Every thread works at its rate from the job on, whatever the number of threads, so that rate *
 * time is a share's place in its chunk plus whole chunks. The number follows from how many chunks
 * all took meanwhile. */
static struct lamp_odometer_reading read_chunks(const struct lamp_odometer *o)
{
    double best = 0, least = IN_PHASE;
    for (size_t i = 0; i < o->n; i++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            const struct lamp_odometer_share *s = &o->shares[i];
            const double rate = (CHUNK * round + s->count % CHUNK) / (double)s->job_s;
            if (s->job_s < LEAST_S || rate < 10 || rate > 20000)
                continue;
            const double error =
                phase_error(o, rate) + 1e-6 * rate; /* the slower of two that fit */
            if (error < least) {
                least = error;
                best = rate;
            }
        }
    if (best <= 0 || o->n < LAMP_ODOMETER_LEAST + 1)
        return (struct lamp_odometer_reading){ 0 };
    double chunks = 0, rounds = 0;
    for (size_t i = 0; i < o->n; i++) {
        const struct lamp_odometer_share *s = &o->shares[i];
        const uint64_t chunk = s->count / CHUNK;
        chunks += (double)chunk + 0.5;
        rounds += fmax(0, round((best * s->job_s - s->count % CHUNK) / CHUNK)) + 0.5;
    }
    const double threads = fmax(1, chunks / rounds);
    const double error = 1.7 / sqrt(o->n); /* of simulations: 70 % at 6 shares, 30 % at 30 */
    return (struct lamp_odometer_reading){
        .layout = "chunks",
        .lanes = (unsigned)lround(threads),
        .value = threads * best,
        .low = threads * best / (1 + error),
        .high = threads * best * (1 + error),
    };
}

struct lamp_odometer_reading lamp_odometer_read(const struct lamp_odometer *o)
{
    static struct lamp_odometer_reading (*const layouts[])(
        const struct lamp_odometer *) = { read_threads, read_counter, read_devices, read_chunks };
    struct lamp_odometer_reading r = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(layouts) && !r.layout && o->n >= LAMP_ODOMETER_LEAST; i++)
        r = layouts[i](o);
    return r;
}
