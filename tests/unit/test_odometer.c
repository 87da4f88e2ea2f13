/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated miners of each layout: what their nonces tell, and that nonces at random tell nothing. */
#include "sensor/recog/odometer.h"
#include "tests/support/test.h"

#include <math.h>

static uint64_t seed;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return ((double)(seed >> 11) + 1) / 9007199254740992.0;
}

/* Takes a share in at so many seconds after its job, which came job_s after the start. */
static bool share(struct lamp_odometer *o, double job_s, double dt_s, uint32_t count, uint8_t last)
{
    uint8_t nonce[16] = { (uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16),
                          (uint8_t)(count >> 24) };
    nonce[15] = last;
    const uint64_t job_us = 1000000 + (uint64_t)(job_s * 1e6);
    return lamp_odometer_add(o, job_us, job_us + (uint64_t)(dt_s * 1e6),
                             (struct lamp_bytes){ nonce, sizeof(nonce) });
}

/* n threads of about `rate` hashes/s, jobs of 60 s. */
static void stak(struct lamp_odometer *o, unsigned threads, double rate)
{
    double job_s = 0;
    while (o->n < 30) {
        const unsigned thread = (unsigned)(uniform() * threads) % threads;
        const double dt = 1 + 58 * uniform();
        const double own = rate * (1 + 0.1 * (thread % 2)) * (1 + 0.005 * (uniform() - 0.5));
        share(o, job_s, dt, thread << 22 | (uint32_t)(own * dt), 0);
        job_s += 60;
    }
}

static void ewbf(struct lamp_odometer *o, unsigned gpus, double rate)
{
    double t = 0;
    while (o->n < 30) {
        const uint8_t gpu = (uint8_t)((unsigned)(uniform() * gpus) % gpus);
        t += 20 * uniform();
        share(o, floor(t / 75) * 75, t - floor(t / 75) * 75 + 0.01,
              (uint32_t)(t * rate * (1 + 0.01 * gpu)), gpu);
    }
}

/* Threads take chunks of one count as they finish them. */
static void xmrig(struct lamp_odometer *o, unsigned threads, double rate)
{
    for (double job_s = 0; o->n < 40; job_s += 120) {
        const double dt = 5 + 110 * uniform();
        /* in every round each thread has one chunk, in any order */
        const unsigned round = (unsigned)(rate * dt / 32768);
        const uint32_t chunk = round * threads + (unsigned)(uniform() * threads) % threads;
        const double low = fmod(rate * dt, 32768);
        share(o, job_s, dt + 0.02 * uniform(), chunk * 32768 + (uint32_t)low, 0);
    }
}

static void at_random(struct lamp_odometer *o)
{
    while (o->n < LAMP_ODOMETER_SHARES)
        share(o, o->n * 10.0, 9 * uniform(), (uint32_t)(uniform() * 4294967295.0),
              (uint8_t)(256 * uniform()));
}

static void test_layouts(void **state)
{
    (void)state;
    static const struct {
        const char *layout;
        void (*miner)(struct lamp_odometer *, unsigned, double);
        unsigned lanes;
        double rate, total;
    } cases[] = {
        { "threads", stak, 8, 57, 8 * 57 * 1.05 },   { "counter", stak, 1, 200, 200 },
        { "threads", stak, 2, 900, 2 * 900 * 1.05 }, { "devices", ewbf, 3, 147, 3 * 147 * 1.01 },
        { "chunks", xmrig, 8, 500, 4000 },           { "chunks", xmrig, 32, 300, 9600 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_odometer o = { 0 };
        seed = 11 + i;
        cases[i].miner(&o, cases[i].lanes, cases[i].rate);
        const struct lamp_odometer_reading r = lamp_odometer_read(&o);
        const bool chunks = streq(cases[i].layout, "chunks");
        if (!r.layout || !streq(r.layout, cases[i].layout) ||
            fabs((double)r.lanes / cases[i].lanes - 1) > (chunks ? 0.3 : 0) ||
            !(r.low <= cases[i].total && cases[i].total <= r.high) ||
            fabs(r.value / cases[i].total - 1) > (chunks ? 0.3 : 0.02))
            fail_msg("case %zu: %s, %u lanes, %.1f (%.1f to %.1f)", i,
                     r.layout ? r.layout : "nothing", r.lanes, r.value, r.low, r.high);
    }
}

static void test_random_nonces_tell_nothing(void **state)
{
    (void)state;
    for (seed = 1; seed < 200 * (uint64_t)1000003; seed += 1000003) {
        const uint64_t from = seed;
        struct lamp_odometer o = { 0 };
        at_random(&o);
        for (uint32_t n = LAMP_ODOMETER_LEAST; n <= LAMP_ODOMETER_SHARES; n++) {
            o.n = n;
            const struct lamp_odometer_reading r = lamp_odometer_read(&o);
            if (r.layout && n > 8) /* eight may agree by chance, once in many thousands */
                fail_msg("seed %llu, %u shares: %s", (unsigned long long)from, n, r.layout);
        }
        seed = from;
    }
}

static void test_what_is_not_taken_in(void **state)
{
    (void)state;
    struct lamp_odometer o = { 0 };
    const uint8_t nonce[] = { 1, 2, 3, 4 };
    const struct lamp_bytes four = { nonce, 4 }, three = { nonce, 3 };
    assert_false(lamp_odometer_add(&o, 0, 5, four));  /* the job was not seen */
    assert_false(lamp_odometer_add(&o, 6, 5, four));  /* time went backwards */
    assert_false(lamp_odometer_add(&o, 1, 5, three)); /* too short */
    assert_int_equal(o.n, 0);
    for (unsigned i = 0; i < 2 * LAMP_ODOMETER_SHARES; i++)
        (void)lamp_odometer_add(&o, 1, 1000000 * (i + 1), four);
    assert_int_equal(o.n, LAMP_ODOMETER_SHARES);
    assert_null(lamp_odometer_read(&(struct lamp_odometer){ .n = 4 }).layout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_random_nonces_tell_nothing),
        cmocka_unit_test(test_what_is_not_taken_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
