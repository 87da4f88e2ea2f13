/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sum.h"
#include "tests/support/rng.h"
#include "tests/support/test.h"

#include <math.h>

static uint32_t poisson(struct lamp_rng *rng, double mean)
{
    uint32_t n = 0;
    for (double t = lamp_rng_exponential(rng, 1); t < mean; t += lamp_rng_exponential(rng, 1))
        n++;
    return n;
}

static double normal(struct lamp_rng *rng)
{
    return sqrt(2 * lamp_rng_exponential(rng, 1)) * cos(6.283185307179586 * lamp_rng_unit(rng));
}

/* One miner alone has Garwood's interval, and two halves of it have that of the whole. */
static void test_one_is_garwood(void **state)
{
    (void)state;
    const struct lamp_rate whole = lamp_rate_from_shares(1e6, 10, 100);
    const struct lamp_rate half = lamp_rate_from_shares(5e5, 5, 100);
    struct lamp_sum one = { 0 }, two = { 0 };
    lamp_sum_add_rate(&one, &whole);
    lamp_sum_add_rate(&two, &half);
    lamp_sum_add_rate(&two, &half);
    lamp_sum_add_rate(&two, &(struct lamp_rate){ .method = LAMP_RATE_NONE });
    assert_int_equal(two.n, 2);
    const struct lamp_range r[] = { lamp_sum_range(&one), lamp_sum_range(&two) };
    for (size_t i = 0; i < ARRAY_LEN(r); i++) {
        assert_true(fabs(r[i].value / whole.value - 1) < 1e-12);
        assert_true(fabs(r[i].low / whole.low - 1) < 1e-8);
        assert_true(fabs(r[i].high / whole.high - 1) < 1e-8);
    }
    const struct lamp_range none = lamp_sum_range(&(struct lamp_sum){ 0 });
    assert_true(none.value == 0 && none.low == 0 && none.high == 0);
}

/* How often the interval of made-up fleets holds the truth: miners of rates that differ up to
 * a thousand times, seen by a few shares each, those that have none yet included. */
static void test_fleet_of_shares(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        unsigned miners;
        double fewest, most; /* shares to expect of a miner */
        double spread;       /* of the work of a share, miner to miner */
    } cases[] = {
        { "two, few shares", 2, 2, 5, 10 },
        { "three sites alike", 3, 20, 20, 1 },
        { "twenty that differ", 20, 1, 60, 1000 },
        { "two hundred", 200, 1, 10, 100 },
    };
    enum { FLEETS = 2000 };
    const double seconds = 900;
    struct lamp_rng rng = { 4711 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned held = 0, low = 0, high = 0;
        for (unsigned f = 0; f < FLEETS; f++) {
            struct lamp_sum s = { 0 };
            double truth = 0;
            for (unsigned k = 0; k < cases[i].miners; k++) {
                const double work = 1e6 * pow(cases[i].spread, lamp_rng_unit(&rng));
                const double mean =
                    cases[i].fewest + (cases[i].most - cases[i].fewest) * lamp_rng_unit(&rng);
                const uint32_t n = poisson(&rng, mean);
                const struct lamp_rate r = lamp_rate_from_shares(n * work, n, seconds);
                lamp_sum_add_rate(&s, &r);
                truth += mean * work / seconds;
            }
            const struct lamp_range r = lamp_sum_range(&s);
            low += truth < r.low;
            high += truth > r.high;
            held += r.low <= truth && truth <= r.high;
        }
        const double share = (double)held / FLEETS;
        if (share < 0.94 || share > 0.995 || low > FLEETS / 20 || high > FLEETS / 20)
            fail_msg("%s: %.1f %% hold the truth, %u below, %u above", cases[i].label, 100 * share,
                     low, high);
    }
}

/* Devices: skewed distributions of which only mean and variance are told. */
static void test_fleet_of_devices(void **state)
{
    (void)state;
    enum { FLEETS = 2000, MINERS = 30 };
    struct lamp_rng rng = { 815 };
    unsigned held = 0;
    for (unsigned f = 0; f < FLEETS; f++) {
        struct lamp_sum s = { 0 };
        double truth = 0;
        for (unsigned k = 0; k < MINERS; k++) {
            const double sigma = 0.2 + 0.5 * lamp_rng_unit(&rng),
                         scale = 1 + 9 * lamp_rng_unit(&rng);
            const double mean = scale * exp(sigma * sigma / 2);
            const struct lamp_moments m = { mean, mean * mean * expm1(sigma * sigma) };
            const struct lamp_range own = { scale, 0, 0 };
            lamp_sum_add(&s, &m, 0, &own);
            truth += scale * exp(sigma * normal(&rng));
        }
        const struct lamp_range r = lamp_sum_range(&s);
        held += r.low <= truth && truth <= r.high;
    }
    const double share = (double)held / FLEETS;
    if (share < 0.935 || share > 0.965)
        fail_msg("%.1f %% hold the truth", 100 * share);
}

/* Independent errors shrink with the number of parts, those in common do not. */
static void test_shared(void **state)
{
    (void)state;
    const struct lamp_rate self = lamp_rate_from_self_report(1000);
    const struct lamp_rate shares = lamp_rate_from_shares(1e8, 400, 1e5);
    struct lamp_sum reports = { 0 }, counted = { 0 }, cost = { 0 };
    for (int i = 0; i < 100; i++) {
        lamp_sum_add_rate(&reports, &self);
        lamp_sum_add_rate(&counted, &shares);
        lamp_sum_add_times(&cost, &(struct lamp_moments){ 10, 4 }, 0.05,
                           &(struct lamp_range){ 10, 8, 12 }, 0.5);
    }
    struct lamp_range r = lamp_sum_range(&reports);
    assert_true(fabs(r.high / r.value - 1.1) < 0.003 && fabs(r.low / r.value - 0.9) < 0.003);
    r = lamp_sum_range(&counted);
    assert_true(r.high / r.value - 1 < 0.011 && r.high / r.value - 1 > 0.009); /* 1.96 / 200 */
    r = lamp_sum_range(&cost);
    assert_true(fabs(r.value - 500) < 1e-9);
    assert_true(fabs((r.high - r.low) / 3.92 - hypot(10, 25)) < 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_garwood),
        cmocka_unit_test(test_fleet_of_shares),
        cmocka_unit_test(test_fleet_of_devices),
        cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
