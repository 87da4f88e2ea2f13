/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/pending.h"

#include "tests/support/test.h"

#include <stdio.h>

#define SECOND UINT64_C(1000000)

static struct lamp_pending_row stranger(unsigned key, const char *from)
{
    struct lamp_pending_row r = { 0 };
    snprintf(r.key, sizeof(r.key), "%040u", key);
    snprintf(r.name, sizeof(r.name), "router-%u", key);
    assert_int_equal(lamp_addr_parse(from, &r.from), LAMP_OK);
    return r;
}

static void test_rows(void **state)
{
    (void)state;
    lamp_pending *p = NULL;
    static struct lamp_pending_row rows[LAMP_PENDING_MAX];
    struct lamp_pending_row r = stranger(1, "192.0.2.1"), got;
    uint64_t refused;
    bool fresh;
    assert_int_equal(lamp_pending_new(&p), LAMP_OK);
    assert_int_equal(lamp_pending_ask(p, &r, 10 * SECOND, &fresh), LAMP_OK);
    assert_true(fresh);
    snprintf(r.name, sizeof(r.name), "renamed");
    assert_int_equal(lamp_pending_ask(p, &r, 20 * SECOND, &fresh), LAMP_OK);
    assert_false(fresh);
    assert_int_equal(lamp_pending_copy(p, rows, &refused), 1); /* one row per key */
    assert_int_equal(rows[0].asks, 2);
    assert_int_equal(rows[0].first_us, 10 * SECOND);
    assert_int_equal(rows[0].last_us, 20 * SECOND);
    assert_string_equal(rows[0].name, "renamed");
    assert_int_equal(lamp_pending_get(p, rows[0].id, &got), LAMP_OK);
    assert_string_equal(got.key, r.key);
    assert_int_equal(lamp_pending_get(p, rows[0].id + 1, &got), LAMP_ENOENT);
    lamp_pending_drop(p, r.key);
    assert_int_equal(lamp_pending_copy(p, rows, &refused), 0);
    assert_int_equal(lamp_pending_ask(p, &r, 30 * SECOND, &fresh), LAMP_OK);
    assert_int_equal(lamp_pending_get(p, 1, &got), LAMP_ENOENT); /* a number names one row */
    lamp_pending_free(p);
}

/* One source cannot take the table, and all of them cannot make it grow. */
static void test_bounds(void **state)
{
    (void)state;
    lamp_pending *p = NULL;
    static struct lamp_pending_row rows[LAMP_PENDING_MAX];
    uint64_t refused;
    bool fresh;
    unsigned key = 0, taken = 0;
    assert_int_equal(lamp_pending_new(&p), LAMP_OK);
    for (unsigned i = 0; i < 100; i++) { /* different hosts of one /64 */
        char from[64];
        snprintf(from, sizeof(from), "2001:db8::%x", i + 1);
        const struct lamp_pending_row r = stranger(key++, from);
        taken += lamp_pending_ask(p, &r, SECOND, &fresh) == LAMP_OK;
    }
    assert_int_equal(taken, LAMP_PENDING_OF_SOURCE);
    for (unsigned i = 0; i < 1000; i++) {
        char from[64];
        snprintf(from, sizeof(from), "10.0.%u.%u", i / 250, i % 250);
        const struct lamp_pending_row r = stranger(key++, from);
        taken += lamp_pending_ask(p, &r, SECOND, &fresh) == LAMP_OK;
    }
    assert_int_equal(taken, LAMP_PENDING_MAX);
    assert_int_equal(lamp_pending_copy(p, rows, &refused), LAMP_PENDING_MAX);
    assert_int_equal(refused, 1100 - LAMP_PENDING_MAX);

    /* Who still asks keeps the row; the rest of the table is free again after a while. */
    const struct lamp_pending_row keeper = stranger(0, "2001:db8::1");
    assert_int_equal(lamp_pending_ask(p, &keeper, 500 * SECOND, &fresh), LAMP_OK);
    assert_false(fresh);
    const struct lamp_pending_row late = stranger(key, "198.51.100.1");
    assert_int_equal(lamp_pending_ask(p, &late, 602 * SECOND, &fresh), LAMP_OK);
    assert_int_equal(lamp_pending_copy(p, rows, &refused), 2);
    assert_string_equal(rows[0].key, keeper.key);
    lamp_pending_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
