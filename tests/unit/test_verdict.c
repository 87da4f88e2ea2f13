/* SPDX-License-Identifier: Apache-2.0 */
#include "common/verdict.h"
#include "tests/support/test.h"

static void test_names(void **state)
{
    (void)state;
    static const struct {
        enum lamp_verdict v;
        const char *name;
    } cases[] = {
        { LAMP_VERDICT_NONE, "none" },           { LAMP_VERDICT_WALLET, "wallet" },
        { LAMP_VERDICT_SUSPECTED, "suspected" }, { LAMP_VERDICT_PROBABLE, "probable" },
        { LAMP_VERDICT_CONFIRMED, "confirmed" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum lamp_verdict v = LAMP_VERDICT_NONE;
        assert_int_equal(cases[i].v, i); /* the numbers are on the wire */
        assert_string_equal(lamp_verdict_name(cases[i].v), cases[i].name);
        assert_int_equal(lamp_verdict_parse(cases[i].name, &v), LAMP_OK);
        assert_int_equal(v, cases[i].v);
    }
}

static void test_unknown(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "Confirmed", "confirmed ", "mining" };
    enum lamp_verdict v = LAMP_VERDICT_WALLET;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(lamp_verdict_parse(bad[i], &v), LAMP_EFORMAT);
    assert_int_equal(v, LAMP_VERDICT_WALLET);
    assert_string_equal(lamp_verdict_name((enum lamp_verdict)99), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
