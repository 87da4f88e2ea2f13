/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/unwrap/pieces.h"

static void test_put_together(void **state)
{
    (void)state;
    lamp_pieces *p;
    assert_int_equal(lamp_pieces_new(1, &p), LAMP_OK);
    struct lamp_held h = { 0 };
    struct lamp_bytes whole, last = lamp_bytes_of("alone");
    assert_true(lamp_held_whole(p, &h, last, &whole));
    assert_ptr_equal(whole.data, last.data); /* nothing kept, nothing copied */
    assert_true(lamp_held_add(p, &h, lamp_bytes_of("to")));
    assert_true(lamp_held_add(p, &h, lamp_bytes_of("")));
    assert_true(lamp_held_add(p, &h, lamp_bytes_of("get")));
    assert_int_equal(lamp_held_length(&h), 5);
    assert_true(lamp_held_whole(p, &h, lamp_bytes_of("her"), &whole));
    assert_true(lamp_bytes_eq(whole, "together"));
    lamp_held_drop(&h);
    assert_int_equal(lamp_held_length(&h), 0);
    lamp_pieces_free(p);
    assert_int_equal(lamp_pieces_new(0, &p), LAMP_EINVAL);
}

/* The buffer goes to who asks last; the other knows that its message is lost until it drops it. */
static void test_taken_away(void **state)
{
    (void)state;
    lamp_pieces *p;
    assert_int_equal(lamp_pieces_new(1, &p), LAMP_OK);
    struct lamp_held a = { 0 }, b = { 0 };
    struct lamp_bytes whole;
    assert_true(lamp_held_add(p, &a, lamp_bytes_of("a")));
    assert_true(lamp_held_add(p, &b, lamp_bytes_of("b")));
    assert_false(lamp_held_add(p, &a, lamp_bytes_of("a")));
    assert_false(lamp_held_whole(p, &a, lamp_bytes_of("a"), &whole));
    lamp_held_drop(&a);
    assert_true(lamp_held_add(p, &a, lamp_bytes_of("new")));
    assert_false(lamp_held_whole(p, &b, lamp_bytes_of("b"), &whole));
    lamp_held_drop(&b);
    assert_true(lamp_held_whole(p, &a, lamp_bytes_of("er"), &whole));
    assert_true(lamp_bytes_eq(whole, "newer"));
    lamp_held_drop(&a);
    lamp_pieces_free(p);
}

static void test_too_long(void **state)
{
    (void)state;
    lamp_pieces *p;
    static const uint8_t block[LAMP_PIECES_MAX / 2];
    const struct lamp_bytes half = { block, sizeof(block) };
    struct lamp_held h = { 0 };
    struct lamp_bytes whole;
    assert_int_equal(lamp_pieces_new(1, &p), LAMP_OK);
    assert_true(lamp_held_add(p, &h, half) && lamp_held_add(p, &h, half));
    assert_false(lamp_held_whole(p, &h, lamp_bytes_of("x"), &whole));
    assert_false(lamp_held_add(p, &h, half));
    lamp_held_drop(&h);
    assert_true(lamp_held_add(p, &h, half));
    lamp_held_drop(&h);
    lamp_pieces_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_together),
        cmocka_unit_test(test_taken_away),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
