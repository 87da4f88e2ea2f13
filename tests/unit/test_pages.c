/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "common/pages.h"

static void test_zeroed(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 4096, (2 << 20) - 1, 2 << 20, (6 << 20) + 1 };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *p = lamp_pages_calloc(sizes[i], 1);
        assert_non_null(p);
        for (size_t at = 0; at < sizes[i]; at += 4000)
            assert_int_equal(p[at], 0);
        p[0] = p[sizes[i] - 1] = 1;
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_zeroed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
