/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/behaviour.h"

#include "common/estimate.h"
#include "tests/support/rng.h"
#include "tests/support/test.h"

#include <math.h>

#define S UINT64_C(1000000)

/* Who says how much, how often: the mean of random gaps, or a fixed gap if `steady`. */
struct talk {
    enum lamp_dir dir;
    uint32_t len;
    double gap_s;
    bool steady;
    uint32_t answer; /* what the other side answers 50 ms later; 0: nothing */
};

enum { TALKS = 4 };

/* Plays the talks for so long and returns the behaviour. */
static struct lamp_behaviour play(const struct talk *talks, unsigned duration_s, uint64_t seed)
{
    struct lamp_behaviour b = { 0 };
    struct lamp_rng rng = { seed };
    double next[TALKS];
    for (size_t i = 0; i < TALKS; i++)
        next[i] = talks[i].len ? talks[i].gap_s / 2 : 1e9;
    for (;;) {
        size_t first = 0;
        for (size_t i = 1; i < TALKS; i++)
            if (next[i] < next[first])
                first = i;
        if (next[first] > duration_s)
            return b;
        const struct talk *t = &talks[first];
        const uint64_t now = 1000 * S + (uint64_t)(next[first] * 1e6);
        lamp_behaviour_message(&b, t->dir, t->len, now);
        if (t->answer)
            lamp_behaviour_message(&b, (enum lamp_dir) !t->dir, t->answer, now + 50000);
        next[first] += t->steady ? t->gap_s : lamp_rng_exponential(&rng, t->gap_s);
    }
}

static void test_scores(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct talk talks[TALKS];
        int least, most;
    } cases[] = {
        { "cryptonote",
          { { LAMP_UP, 270, 17, false, 86 },
            { LAMP_DOWN, 398, 45, false, 0 },
            { LAMP_UP, 125, 60, true, 94 } },
          13,
          14 },
        { "bitcoin",
          { { LAMP_UP, 177, 12, false, 58 }, { LAMP_DOWN, 1042, 30, false, 0 } },
          13,
          14 },
        { "eth-proxy",
          { { LAMP_UP, 103, 10, true, 265 },
            { LAMP_UP, 170, 20, true, 61 },
            { LAMP_UP, 227, 40, false, 61 },
            { LAMP_DOWN, 265, 15, false, 0 } },
          12,
          14 },
        { "equihash",
          { { LAMP_UP, 2880, 22, false, 58 }, { LAMP_DOWN, 330, 40, false, 0 } },
          13,
          14 },
        { "keep-alive", { { LAMP_UP, 40, 30, true, 40 } }, -20, 7 },
        { "beacon of 15 s", { { LAMP_UP, 300, 15, true, 120 } }, -20, 8 },
        { "SCADA polls", { { LAMP_UP, 31, 1, true, 45 }, { LAMP_UP, 44, 1.5, true, 60 } }, -20, 7 },
        { "download",
          { { LAMP_UP, 200, 5, false, 16000 }, { LAMP_DOWN, 16000, 1, false, 0 } },
          -20,
          7 },
        { "log shipping",
          { { LAMP_UP, 400, 2, false, 0 },
            { LAMP_UP, 900, 2, false, 0 },
            { LAMP_UP, 1200, 5, false, 30 } },
          -20,
          8 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            const struct lamp_behaviour b = play(cases[i].talks, 400, seed);
            assert_true(lamp_behaviour_is_ripe(&b, b.last_us));
            const int got = lamp_behaviour_score(&b, b.last_us);
            if (got < cases[i].least || got > cases[i].most) {
                char text[200];
                lamp_behaviour_tell(&b, text, sizeof(text));
                fail_msg("%s, seed %d: %d (%s)", cases[i].label, (int)seed, got, text);
            }
        }
}

static void test_too_early(void **state)
{
    (void)state;
    const struct talk talks[TALKS] = { { LAMP_UP, 270, 8, false, 86 } };
    struct lamp_behaviour b = play(talks, 100, 1);
    assert_false(lamp_behaviour_is_ripe(&b, b.last_us));
    b = play(talks, 300, 1);
    assert_true(lamp_behaviour_is_ripe(&b, b.last_us));
    const struct talk one_way[TALKS] = { { LAMP_UP, 270, 8, false, 0 } };
    b = play(one_way, 300, 1);
    assert_false(lamp_behaviour_is_ripe(&b, b.last_us));
    assert_int_equal(lamp_behaviour_score(&b, b.last_us), 0);
}

static void test_bulk(void **state)
{
    (void)state;
    struct lamp_behaviour b = { 0 };
    for (unsigned i = 0; i < 5; i++)
        lamp_behaviour_message(&b, LAMP_DOWN, 16384, 1000 * S + i);
    assert_true(lamp_behaviour_is_bulk(&b));
    lamp_behaviour_message(&b, LAMP_UP, 1, 1060 * S);
    assert_false(lamp_behaviour_is_bulk(&b));
}

/* Time that steps back does no harm. */
static void test_clock_steps_back(void **state)
{
    (void)state;
    struct lamp_behaviour b = { 0 };
    for (unsigned i = 0; i < 100; i++)
        lamp_behaviour_message(&b, i % 2 ? LAMP_UP : LAMP_DOWN, 100 + i, (i * 7919 % 100) * S);
    const int got = lamp_behaviour_score(&b, 50 * S);
    assert_true(got >= -20 && got <= 14);
    (void)lamp_behaviour_score(&b, 0);
}

/* Of the first shares the rate's interval holds the true one in 95 of 100 cases, whatever else is said. */
static void test_early(void **state)
{
    (void)state;
    static const struct {
        double gap_s;
        unsigned login; /* messages each way before the first share */
    } cases[] = { { 3, 2 }, { 8, 2 }, { 3, 3 } };
    enum { RUNS = 1000 };
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        unsigned held = 0;
        for (uint64_t seed = 1; seed <= RUNS; seed++) {
            struct lamp_rng rng = { seed };
            struct lamp_behaviour b = { 0 };
            double t = 0, alive = 60, job = 20;
            for (unsigned i = 0; i < cases[k].login; i++) {
                lamp_behaviour_message(&b, LAMP_UP, 200 + 40 * i, S + i * 1000);
                lamp_behaviour_message(&b, LAMP_DOWN, 300 + 40 * i, S + i * 1000 + 500);
            }
            while (t < 400) {
                t += lamp_rng_exponential(&rng, cases[k].gap_s);
                for (; alive < t; alive += 60)
                    lamp_behaviour_message(&b, LAMP_UP, 120, S + (uint64_t)(alive * 1e6));
                for (; job < t; job += 45)
                    lamp_behaviour_message(&b, LAMP_DOWN, 400, S + (uint64_t)(job * 1e6));
                lamp_behaviour_message(&b, LAMP_UP, 270, S + (uint64_t)(t * 1e6));
                lamp_behaviour_message(&b, LAMP_DOWN, 86, S + (uint64_t)(t * 1e6) + 50000);
            }
            assert_true(b.is_early_over);
            const struct lamp_rate r =
                lamp_rate_from_shares(b.early, b.early, LAMP_BEHAVIOUR_EARLY_S);
            held += r.low <= 1 / cases[k].gap_s && 1 / cases[k].gap_s <= r.high;
        }
        if (held < RUNS * 94 / 100 || held > RUNS * 98 / 100)
            fail_msg("case %zu: %u of %d intervals hold the rate", k, held, RUNS);
    }
}

/* Nothing is said of a connection that is younger. */
static void test_early_not_over(void **state)
{
    (void)state;
    const struct talk talks[TALKS] = { { LAMP_UP, 270, 3, false, 86 } };
    const struct lamp_behaviour b = play(talks, 80, 1);
    assert_false(b.is_early_over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores), cmocka_unit_test(test_too_early),
        cmocka_unit_test(test_early),  cmocka_unit_test(test_early_not_over),
        cmocka_unit_test(test_bulk),   cmocka_unit_test(test_clock_steps_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
