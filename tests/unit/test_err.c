/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"
#include "tests/support/test.h"

#include <errno.h>

/* The numbers are on the wire (SET_STATUS.code): they never change. */
static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(LAMP_OK, 0);
    assert_int_equal(LAMP_EINVAL, -1001);
    assert_int_equal(LAMP_ENOMEM, -1002);
    assert_int_equal(LAMP_EFORMAT, -1005);
    assert_int_equal(LAMP_EPROTECTED, -1020);
    assert_int_equal(LAMP_ERANGE, -1027);
}

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(lamp_strerror(LAMP_OK), "success");
    assert_string_equal(lamp_strerror(LAMP_EINVAL), "invalid argument");
    assert_string_equal(lamp_strerror(LAMP_ERANGE), "out of range");
    assert_string_equal(lamp_strerror(-ENOENT), "No such file or directory");
    for (int i = 0; i < LAMP_ERR_COUNT; i++)
        assert_true(*lamp_strerror(LAMP_ERR_BASE - i) != '\0');
    assert_non_null(lamp_strerror(LAMP_ERR_BASE - LAMP_ERR_COUNT));
    assert_non_null(lamp_strerror(-2000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
