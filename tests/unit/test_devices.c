/* SPDX-License-Identifier: Apache-2.0 */
#include "common/devices.h"
#include "common/io.h"
#include "tests/support/test.h"

#include <math.h>

static lamp_devices *shipped(void)
{
    lamp_devices *d;
    char why[256];
    if (lamp_devices_load(LAMP_DATA, &d, why, sizeof(why)) != LAMP_OK)
        fail_msg("%s", why);
    return d;
}

static struct lamp_rate about(double value)
{
    return (struct lamp_rate){ value, 0.9 * value, 1.1 * value, LAMP_RATE_SHARES, 0 };
}

/* What a person with the table at hand would say. */
static void test_shipped(void **state)
{
    (void)state;
    static const struct {
        const char *label, *algorithm;
        double rate;
        const char *kind;             /* the likeliest kind */
        double count_low, count_high; /* within which the count's median lies */
        double watts_low, watts_high; /* the same of the power */
    } cases[] = {
        { "one S19j Pro", "sha256d", 104e12, "asic", 1, 2, 2500, 4500 },
        { "a hall of ASICs", "sha256d", 100e15, "asic", 300, 1500, 1.2e6, 4e6 },
        { "one desktop CPU", "randomx", 9000, "cpu", 1, 2, 40, 300 },
        { "a throttled one", "randomx", 300, "cpu", 1, 1, 1, 120 },
        { "a GPU rig of six", "kawpow", 6 * 30e6, "gpu", 3, 8, 500, 1500 },
        { "one GPU", "etchash", 60e6, "gpu", 1, 2, 90, 250 },
    };
    lamp_devices *d = shipped();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_rate r = about(cases[i].rate);
        struct lamp_hardware h;
        lamp_devices_estimate(d, &r, cases[i].algorithm, 0, &h);
        if (h.n == 0)
            fail_msg("%s: nothing", cases[i].label);
        size_t kind = 0;
        for (size_t k = 1; k < 3; k++)
            if (h.kinds[k] > h.kinds[kind])
                kind = k;
        double sum = 0;
        for (size_t g = 0; g < h.n; g++) {
            const struct lamp_hardware_guess *x = &h.guesses[g];
            assert_true(x->count.low <= x->count.value && x->count.value <= x->count.high);
            assert_true(g == 0 || x->probability <= h.guesses[g - 1].probability);
            assert_true(x->share > 0 && x->share <= 1);
            sum += x->probability;
        }
        assert_true(sum <= 1 + 1e-9);
        assert_true(fabs(h.kinds[0] + h.kinds[1] + h.kinds[2] - 1) < 1e-9);
        assert_true(h.watts.low <= h.watts.value && h.watts.value <= h.watts.high);
        if (!streq(lamp_hardware_kinds[kind], cases[i].kind) ||
            h.count.value < cases[i].count_low || h.count.value > cases[i].count_high ||
            h.watts.value < cases[i].watts_low || h.watts.value > cases[i].watts_high)
            fail_msg("%s: %s x %.0f (%.0f to %.0f), %.0f W (%.0f to %.0f), likeliest %s",
                     cases[i].label, lamp_hardware_kinds[kind], h.count.value, h.count.low,
                     h.count.high, h.watts.value, h.watts.low, h.watts.high, h.guesses[0].model);
    }
    lamp_devices_free(d);
}

/* No row of the quality that may not be shipped. */
static void test_only_sourced_rows(void **state)
{
    (void)state;
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    assert_int_equal(lamp_io_read_file(LAMP_DATA "/devices.csv", 1 << 20, &text, &len), LAMP_OK);
    assert_null(strstr(text, "unverified-knowledge"));
    assert_non_null(strstr(text, "RTX 3080"));
}

/* The number known for certain is the answer, and the model follows from it. */
static void test_known_count(void **state)
{
    (void)state;
    lamp_devices *d = shipped();
    const struct lamp_rate r = about(3 * 60e6);
    struct lamp_hardware h;
    lamp_devices_estimate(d, &r, "etchash", 3, &h);
    assert_true(h.n > 0 && h.count.value == 3 && h.count.low == 3 && h.count.high == 3);
    assert_true(fabs(h.guesses[0].rate / 60e6 - 1) < 0.3);
    lamp_devices_free(d);
}

static void test_nothing_to_say(void **state)
{
    (void)state;
    lamp_devices *d = shipped();
    static const struct {
        struct lamp_rate rate;
        const char *algorithm;
    } cases[] = {
        { { 0 }, "sha256d" },
        { { 1, 1, 1, LAMP_RATE_SHARES, 0 }, NULL },
        { { 1, 1, 1, LAMP_RATE_SHARES, 0 }, "no such algorithm" },
        { { (double)INFINITY, 1, 1, LAMP_RATE_SHARES, 0 }, "sha256d" },
        { { (double)NAN, 1, 1, LAMP_RATE_SHARES, 0 }, "sha256d" },
        { { -1, 1, 1, LAMP_RATE_SHARES, 0 }, "sha256d" },
        { { 1e-6, 1e-6, 1e-6, LAMP_RATE_SHARES, 0 }, "sha256d" }, /* no device is that slow */
    };
    struct lamp_hardware h;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_devices_estimate(d, &cases[i].rate, cases[i].algorithm, 0, &h);
        assert_int_equal(h.n, 0);
    }
    const struct lamp_rate r = about(1e12);
    lamp_devices_estimate(NULL, &r, "sha256d", 0, &h);
    assert_int_equal(h.n, 0);
    lamp_devices_free(d);
}

static void test_errors_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *row, *want;
    } cases[] = {
        { "toaster,V,M,x,1,1,1.0", "devices.csv:2: kind" },
        { "gpu,V,M,x,0,1,1.0", "devices.csv:2: hashrate" },
        { "gpu,V,M,x,1,many,1.0", "devices.csv:2: power_w" },
        { "gpu,V,M,x,1,1,0.5", "devices.csv:2: spread" },
        { "gpu,V,M,x,1,1", "devices.csv:2: number of columns" },
    };
    char folder[] = "/tmp/lamp-devices-XXXXXX", path[64], text[256], why[256];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/devices.csv", folder);
    lamp_devices *d = NULL;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const int n =
            snprintf(text, sizeof(text),
                     "kind,vendor,model,algorithm,hashrate,power_w,spread\n%s\n", cases[i].row);
        assert_int_equal(lamp_io_replace_file(path, text, (size_t)n, 0644), LAMP_OK);
        assert_int_equal(lamp_devices_load(folder, &d, why, sizeof(why)), LAMP_EFORMAT);
        if (!strstr(why, cases[i].want))
            fail_msg("%s", why);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lamp_devices_load(folder, &d, why, sizeof(why)), LAMP_ENOENT);
    assert_int_equal(rmdir(folder), 0);
    assert_null(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),          cmocka_unit_test(test_only_sourced_rows),
        cmocka_unit_test(test_known_count),      cmocka_unit_test(test_nothing_to_say),
        cmocka_unit_test(test_errors_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
