/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"
#include "tests/support/test.h"

#include <limits.h>
#include <time.h>

enum { RATE = 1000, STEP_S = 86400 };

static uint64_t system_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
}

static double apart_s(uint64_t a_us, uint64_t b_us)
{
    return (double)(int64_t)(a_us - b_us) / 1e6;
}

/* LAMP_CLOCK is RATE@STEP_S here: a thousand times as fast, a day ahead. */
static void test_step_and_scale(void **state)
{
    (void)state;
    const uint64_t system0 = system_us(CLOCK_MONOTONIC);
    const uint64_t real0 = lamp_clock_real_us(), mono0 = lamp_clock_mono_us();
    assert_true(apart_s(real0, system_us(CLOCK_REALTIME)) > STEP_S - 60);
    assert_true(apart_s(real0, system_us(CLOCK_REALTIME)) < STEP_S + 3600);

    while (system_us(CLOCK_MONOTONIC) - system0 < 20000)
        ; /* 20 ms of the system's are 20 s here */
    const uint64_t mono1 = lamp_clock_mono_us(), real1 = lamp_clock_real_us();
    const double passed_s = apart_s(system_us(CLOCK_MONOTONIC), system0) * RATE;
    assert_true(apart_s(mono1, mono0) >= 15 && apart_s(mono1, mono0) <= passed_s + 1);
    assert_true(apart_s(real1, real0) >= 15);
}

static void test_poll(void **state)
{
    (void)state;
    assert_int_equal(lamp_clock_poll_ms(0), 0);
    assert_int_equal(lamp_clock_poll_ms(1), 1);
    assert_int_equal(lamp_clock_poll_ms(1000000), 1); /* a second here is 1 ms */
    assert_int_equal(lamp_clock_poll_ms(1500000), 2); /* never too early */
    assert_int_equal(lamp_clock_poll_ms(10 * 1000000), 10);
    assert_int_equal(lamp_clock_poll_ms(UINT64_MAX), INT_MAX);
}

static void test_later_step(void **state)
{
    (void)state;
    const uint64_t before = lamp_clock_real_us(), mono = lamp_clock_mono_us();
    lamp_clock_step(-3600LL * 1000000);
    assert_true(apart_s(lamp_clock_real_us(), before) < 0);
    assert_true(lamp_clock_mono_us() >= mono);
    lamp_clock_step(3600LL * 1000000);
    assert_true(apart_s(lamp_clock_real_us(), before) >= 0);
}

int main(void)
{
    if (setenv("LAMP_CLOCK", "1000@86400", 1) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_and_scale),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_later_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
