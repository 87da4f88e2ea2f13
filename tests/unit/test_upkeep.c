/* SPDX-License-Identifier: Apache-2.0 */
/* A writer that is busy without end still gets round to all slices, in half of its time. */
#include "tests/support/aggregator.h"

#include "aggregator/writer/upkeep.h"
#include "common/clock.h"

#define MINUTE_US UINT64_C(60000000)

enum { MINUTES = 12, LITTLE_US = 10000 };

static void test_keeps_up_while_busy(void **state)
{
    (void)state;
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    struct lamp_store_sensor sensor;
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_enroll(s, "s1", "north", TEST_NOW_US));
    ok(s, lamp_store_sensor(s, "s1", &sensor));
    for (uint64_t i = 0; i < MINUTES; i++) {
        const struct lamp_rollup_row r = { .minute = TEST_NOW_US / MINUTE_US + i, .flows = 1 };
        ok(s, lamp_store_rollup(s, sensor.site_ref, 1, i + 1, 0, &r));
    }
    ok(s, lamp_store_commit(s));

    struct lamp_upkeep u = { .policy = { .settle_minutes = 1, .slice_rows = 1 } };
    for (int run = 0; run < MINUTES; run++) {
        const uint64_t from_us = lamp_clock_mono_us();
        u.due_us = from_us; /* instead of waiting */
        lamp_upkeep_run(&u, s, true, TEST_NOW_US + 60 * MINUTE_US, from_us);
        const uint64_t end_us = lamp_clock_mono_us();
        assert_true(u.due_us >= from_us);
        /* While there is more: as long a pause as the slice took, and a little. */
        assert_true(run == MINUTES - 1 || u.due_us <= end_us + (end_us - from_us) + LITTLE_US);
    }
    struct lamp_maintained done = { .more = true };
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_maintain(s, &u.policy, TEST_NOW_US + 60 * MINUTE_US, &done));
    ok(s, lamp_store_commit(s));
    assert_false(done.more);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* What is not due yet is left alone. */
static void test_waits(void **state)
{
    (void)state;
    struct lamp_upkeep u = { .due_us = 5 };
    lamp_upkeep_run(&u, NULL, false, TEST_NOW_US, 4);
    assert_int_equal(u.due_us, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_up_while_busy),
        cmocka_unit_test(test_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
