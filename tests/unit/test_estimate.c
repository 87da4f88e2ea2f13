/* SPDX-License-Identifier: Apache-2.0 */
#include "common/estimate.h"
#include "tests/support/test.h"

#include <math.h>

/* Abramowitz and Stegun, table 26.8, and the closed form for two degrees (-2 ln(1 - p)). */
static void test_quantiles(void **state)
{
    (void)state;
    static const struct {
        double p, k, want, error;
    } cases[] = {
        { 0.975, 2, 7.377758908227872, 1e-9 },     { 0.025, 2, 0.05063561596857975, 1e-9 },
        { 0.5, 2, 1.386294361119891, 1e-9 },       { 0.025, 20, 9.590777392264867, 1e-9 },
        { 0.975, 20, 34.16960690283833, 1e-9 },    { 0.95, 1, 3.841458820694124, 1e-9 },
        { 0.025, 1, 0.0009820691171752555, 1e-8 }, { 0.975, 4, 11.14328678, 1e-8 },
        { 0.95, 10, 18.3070380532751, 1e-9 },      { 0.025, 100, 74.2219274749, 1e-9 },
        { 0.975, 100, 129.561197188, 1e-9 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double got = lamp_chi2_quantile(cases[i].p, cases[i].k);
        if (!(fabs(got / cases[i].want - 1) < cases[i].error))
            fail_msg("chi2(%g, %g) = %.12g, want %.12g", cases[i].p, cases[i].k, got,
                     cases[i].want);
    }
}

/* Many degrees: the Cornish-Fisher expansion of the quantile is exact to 1e-9 there. */
static void test_many_degrees(void **state)
{
    (void)state;
    static const double degrees[] = { 1e5, 1e6, 1e7, 1e9 };
    const double z = 1.959963984540054;
    for (size_t i = 0; i < ARRAY_LEN(degrees); i++) {
        const double k = degrees[i], want = k + z * sqrt(2 * k) + 2.0 / 3 * (z * z - 1) +
                                            (z * z * z - 7 * z) / (9 * sqrt(2 * k));
        const double got = lamp_chi2_quantile(0.975, k);
        if (!(fabs(got / want - 1) < 1e-9))
            fail_msg("chi2(0.975, %g) = %.12g, want %.12g", k, got, want);
    }
}

static void test_rates(void **state)
{
    (void)state;
    struct lamp_rate r = lamp_rate_from_shares(10 * 4294967296.0, 10, 100);
    assert_int_equal(r.method, LAMP_RATE_SHARES);
    assert_true(fabs(r.value - 429496729.6) < 1);
    assert_true(fabs(r.low / (4.795388696 * 42949672.96) - 1) < 1e-8);  /* chi2(.025,20)/2 */
    assert_true(fabs(r.high / (18.39035604 * 42949672.96) - 1) < 1e-8); /* chi2(.975,22)/2 */

    const struct lamp_rate none[] = {
        lamp_rate_from_shares(1, 0, 10), lamp_rate_from_shares(1, 1, 0),
        lamp_rate_from_shares(1, 1, -1), lamp_rate_from_shares(1, 1, NAN),
        lamp_rate_from_shares(0, 1, 1),  lamp_rate_from_shares(NAN, 1, 1),
        lamp_rate_from_self_report(0),   lamp_rate_from_self_report(-1),
        lamp_rate_from_self_report(NAN), lamp_rate_from_self_report(INFINITY),
    };
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        assert_int_equal(none[i].method, LAMP_RATE_NONE);
        assert_true(none[i].value == 0 && none[i].low == 0 && none[i].high == 0);
    }
    r = lamp_rate_from_self_report(100);
    assert_int_equal(r.method, LAMP_RATE_SELF_REPORTED);
    assert_true(r.value == 100 && fabs(r.low - 90) < 1e-9 && fabs(r.high - 110) < 1e-9);
}

/* Uniform in (0, 1]: the 53 high bits of a 64-bit linear congruence (Knuth's MMIX). */
static double uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return ((double)(*seed >> 11) + 1) / 9007199254740992.0;
}

/* Shares at exponential intervals with a known rate: the interval holds the truth at least
 * as often as it says (the exact interval is conservative for few shares). */
static void test_coverage(void **state)
{
    (void)state;
    enum { TRIALS = 4000 };
    static const double means[] = { 4, 10, 25, 60, 150, 400 };
    uint64_t seed = 20240229;
    for (size_t m = 0; m < ARRAY_LEN(means); m++) {
        unsigned hits = 0, seen = 0;
        for (unsigned trial = 0; trial < TRIALS; trial++) {
            uint64_t n = 0;
            for (double t = -log(uniform(&seed)); t < means[m]; t -= log(uniform(&seed)))
                n++;
            if (n == 0)
                continue; /* nothing seen, nothing claimed */
            /* truth: one hash per second; a share is worth 1 hash, seen for means[m] s */
            struct lamp_rate r = lamp_rate_from_shares((double)n, (double)n, means[m]);
            seen++;
            hits += r.low <= 1 && 1 <= r.high;
        }
        const double coverage = (double)hits / seen;
        if (coverage < 0.94 || coverage > 0.985)
            fail_msg("mean %g: the interval held the truth in %.2f %%", means[m], 100 * coverage);
    }
}

/* The same for a miner whose shares differ: many of 1 hash and few of 40. Counting heads would
 * make the interval far too narrow. */
static void test_unequal_shares(void **state)
{
    (void)state;
    enum { TRIALS = 2000 };
    const double weights[] = { 1, 40 }, means[] = { 400, 10 }, seconds = 400 + 40 * 10;
    uint64_t seed = 7;
    unsigned hits = 0;
    for (unsigned trial = 0; trial < TRIALS; trial++) {
        double work = 0, squares = 0;
        for (size_t k = 0; k < ARRAY_LEN(weights); k++) {
            for (double t = -log(uniform(&seed)); t < means[k]; t -= log(uniform(&seed))) {
                work += weights[k];
                squares += weights[k] * weights[k];
            }
        }
        const struct lamp_rate r = lamp_rate_from_shares(work, work * work / squares, seconds);
        hits += r.low <= 1 && 1 <= r.high;
    }
    const double coverage = (double)hits / TRIALS;
    if (coverage < 0.93 || coverage > 0.99)
        fail_msg("the interval held the truth in %.2f %%", 100 * coverage);
}

static void test_names(void **state)
{
    (void)state;
    assert_null(lamp_rate_method_name(LAMP_RATE_NONE));
    assert_string_equal(lamp_rate_method_name(LAMP_RATE_SHARES), "shares");
    assert_string_equal(lamp_rate_method_name(LAMP_RATE_SELF_REPORTED), "self-reported");
    assert_string_equal(lamp_rate_method_name(LAMP_RATE_TIMING), "timing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),      cmocka_unit_test(test_many_degrees),
        cmocka_unit_test(test_rates),          cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_unequal_shares), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
