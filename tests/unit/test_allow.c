/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/allow.h"

#include "tests/support/test.h"

#include <stdio.h>

/* Distinct keys in an order that is not theirs. */
static struct lamp_allowed key_number(unsigned i)
{
    struct lamp_allowed k = { .active = true };
    snprintf(k.key, sizeof(k.key), "%040u", (i * 7919U) % 20011U);
    snprintf(k.id, sizeof(k.id), "s%u", i);
    snprintf(k.site, sizeof(k.site), "north");
    return k;
}

static void test_states(void **state)
{
    (void)state;
    lamp_allow *a = NULL;
    struct lamp_allowed k = key_number(3), got;
    assert_int_equal(lamp_allow_new(&a), LAMP_OK);
    assert_int_equal(lamp_allow_find(a, k.key, &got), LAMP_ENOENT);
    assert_int_equal(lamp_allow_put(a, &k), LAMP_OK);
    assert_int_equal(lamp_allow_find(a, k.key, &got), LAMP_OK);
    assert_string_equal(got.id, "s3");
    k.active = false;
    assert_int_equal(lamp_allow_put(a, &k), LAMP_OK);
    assert_int_equal(lamp_allow_count(a), 1);
    assert_int_equal(lamp_allow_find(a, k.key, &got), LAMP_ENOENT);
    assert_int_equal(lamp_allow_known(a, k.key, &got), LAMP_OK);
    assert_false(got.active);
    assert_int_equal(lamp_allow_known(a, "short", &got), LAMP_ENOENT);
    lamp_allow_remove(a, k.key);
    lamp_allow_remove(a, k.key);
    assert_int_equal(lamp_allow_known(a, k.key, &got), LAMP_ENOENT);
    assert_int_equal(lamp_allow_count(a), 0);
    lamp_allow_free(a);
}

/* Every key that was put is found, no other is, and one past the limit is refused. */
static void test_full(void **state)
{
    (void)state;
    lamp_allow *a = NULL;
    struct lamp_allowed *v = NULL, k, got;
    size_t n = 0;
    assert_int_equal(lamp_allow_new(&a), LAMP_OK);
    for (unsigned i = 0; i < LAMP_ALLOW_MAX; i++) {
        k = key_number(i);
        k.active = i % 2;
        assert_int_equal(lamp_allow_put(a, &k), LAMP_OK);
    }
    k = key_number(LAMP_ALLOW_MAX);
    assert_int_equal(lamp_allow_put(a, &k), LAMP_EFULL);
    assert_int_equal(lamp_allow_known(a, k.key, &got), LAMP_ENOENT);
    for (unsigned i = 0; i < LAMP_ALLOW_MAX; i++) {
        k = key_number(i);
        assert_int_equal(lamp_allow_find(a, k.key, &got), i % 2 ? LAMP_OK : LAMP_ENOENT);
        assert_int_equal(lamp_allow_known(a, k.key, &got), LAMP_OK);
        assert_string_equal(got.id, k.id);
    }
    assert_int_equal(lamp_allow_copy(a, &v, &n), LAMP_OK);
    assert_int_equal(n, LAMP_ALLOW_MAX / 2);
    assert_int_equal(lamp_allow_active(a), n);
    free(v);
    lamp_allow_free(a);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } cases[] = {
        { "router-17.oslo_2", true },
        { "", false },
        { "a b", false },
        { "no/rth", false },
        { "0123456789012345678901234567890123456789012345678901234567890123", true },
        { "01234567890123456789012345678901234567890123456789012345678901234", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(lamp_allow_is_name(cases[i].text), cases[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
