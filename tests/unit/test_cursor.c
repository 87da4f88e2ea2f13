/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cursor.h"
#include "tests/support/test.h"

static void test_orders(void **state)
{
    (void)state;
    uint8_t *data = guarded_dup("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", 14);
    struct lamp_cursor c = lamp_cursor_of(data, 14);
    assert_int_equal(lamp_cursor_u8(&c), 0x01);
    assert_int_equal(lamp_cursor_be16(&c), 0x0203);
    assert_int_equal(lamp_cursor_be32(&c), 0x04050607);
    assert_int_equal(lamp_cursor_le16(&c), 0x0908);
    assert_int_equal(lamp_cursor_le32(&c), 0x0d0c0b0a);
    assert_int_equal(lamp_cursor_left(&c), 1);
    assert_false(c.bad);
    guarded_free(data);
}

static void test_high_bits(void **state)
{
    (void)state;
    static const uint8_t ones[] = { 0xff, 0xff, 0xff, 0xff };
    struct lamp_cursor c = lamp_cursor_of(ones, 4);
    assert_true(lamp_cursor_be32(&c) == UINT32_MAX);
    c = lamp_cursor_of(ones, 4);
    assert_true(lamp_cursor_le32(&c) == UINT32_MAX);
    c = lamp_cursor_of(ones, 4);
    assert_int_equal(lamp_cursor_be16(&c), 65535);
}

/* A read that does not fit gives zero, and everything after it too. */
static void test_past_the_end(void **state)
{
    (void)state;
    for (size_t len = 0; len < 4; len++) {
        uint8_t *data = guarded_dup("\xff\xff\xff", len);
        struct lamp_cursor c = lamp_cursor_of(data, len);
        assert_int_equal(lamp_cursor_be32(&c), 0);
        assert_true(c.bad);
        assert_int_equal(lamp_cursor_left(&c), 0);
        assert_int_equal(lamp_cursor_u8(&c), 0);
        assert_null(lamp_cursor_take(&c, 0));
        assert_false(lamp_cursor_skip(&c, 0));
        guarded_free(data);
    }
}

static void test_take_and_skip(void **state)
{
    (void)state;
    uint8_t *data = guarded_dup("abcd", 4);
    struct lamp_cursor c = lamp_cursor_of(data, 4);
    assert_true(lamp_cursor_skip(&c, 1));
    assert_ptr_equal(lamp_cursor_take(&c, 2), data + 1);
    assert_null(lamp_cursor_take(&c, SIZE_MAX));
    assert_true(c.bad);
    guarded_free(data);

    c = lamp_cursor_of(NULL, 7);
    assert_int_equal(lamp_cursor_left(&c), 0);
    assert_int_equal(lamp_cursor_le16(&c), 0);
    assert_true(c.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_high_bits),
        cmocka_unit_test(test_past_the_end),
        cmocka_unit_test(test_take_and_skip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
