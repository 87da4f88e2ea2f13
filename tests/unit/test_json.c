/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json.h"
#include "tests/support/rng.h"
#include "tests/support/test.h"

#include <math.h>

static void test_structure(void **state)
{
    (void)state;
    struct lamp_json j;
    lamp_json_init(&j, 4096);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "name", "rig");
    lamp_json_array(&j, "list");
    lamp_json_int(&j, NULL, -1);
    lamp_json_uint(&j, NULL, UINT64_MAX);
    lamp_json_object(&j, NULL);
    lamp_json_end(&j);
    lamp_json_array(&j, NULL);
    lamp_json_end(&j);
    lamp_json_end(&j);
    lamp_json_bool(&j, "yes", true);
    lamp_json_bool(&j, "no", false);
    lamp_json_null(&j, "nothing");
    lamp_json_raw(&j, "raw", "[1]", 3);
    lamp_json_end(&j);
    lamp_json_newline(&j);
    assert_int_equal(lamp_json_error(&j), LAMP_OK);
    size_t len = 0;
    char *text = lamp_json_take(&j, &len);
    assert_string_equal(text, "{\"name\":\"rig\",\"list\":[-1,18446744073709551615,{},[]],"
                              "\"yes\":true,\"no\":false,\"nothing\":null,\"raw\":[1]}\n");
    assert_int_equal(len, strlen(text));
    free(text);
    lamp_json_int(&j, NULL, 1); /* and what comes next */
    text = lamp_json_take(&j, &len);
    assert_string_equal(text, "1");
    free(text);
    assert_null(lamp_json_take(&j, &len));
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *want;
    } cases[] = {
        { "plain", 5, "\"plain\"" },
        { "", 0, "null" },
        { "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
        { "\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"" },
        { "\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"" },
        { "\xff"
          "a",
          2, "\"\\\\xffa\"" },
        { "\xc3\xa4", 2, "\"\xc3\xa4\"" },
        { "\xc3", 1, "\"\\\\xc3\"" },
        { "</script>", 9, "\"</script>\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[64];
        struct lamp_json j;
        uint8_t *copy = guarded_dup(cases[i].bytes, cases[i].len);
        lamp_json_init_fixed(&j, buf, sizeof(buf));
        lamp_json_bytes(&j, NULL, (struct lamp_bytes){ copy, cases[i].len });
        assert_string_equal(buf, cases[i].want);
        guarded_free(copy);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *want;
    } cases[] = {
        { 0, "0" },
        { 0.1, "0.1" },
        { 1e21, "1e+21" },
        { 123456789, "123456789" },
        { -2.5, "-2.5" },
        { 1.0 / 3, "0.3333333333333333" },
        { NAN, "null" },
        { INFINITY, "null" },
        { -INFINITY, "null" },
    };
    char buf[64];
    struct lamp_json j;
    lamp_json_init_fixed(&j, buf, sizeof(buf));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_json_reset(&j);
        lamp_json_double(&j, NULL, cases[i].v);
        assert_string_equal(buf, cases[i].want);
        if (isfinite(cases[i].v))
            assert_true(strtod(buf, NULL) == cases[i].v);
    }
    struct lamp_rng rng = { .state = 1 };
    for (unsigned i = 0; i < 3000; i++) { /* the first length that reads back, of all lengths */
        char want[64];
        const double v =
            ldexp(round(ldexp(lamp_rng_unit(&rng), (int)(i % 60))), (int)(i % 90) - 45);
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(want, sizeof(want), "%.*g", digits, v);
            if (strtod(want, NULL) == v)
                break;
        }
        lamp_json_reset(&j);
        lamp_json_double(&j, NULL, v);
        assert_string_equal(buf, want);
    }
    lamp_json_reset(&j);
    lamp_json_time(&j, NULL, 1700000000000042);
    assert_string_equal(buf, "1700000000.000042");
    lamp_json_reset(&j);
    lamp_json_time(&j, NULL, 0);
    assert_string_equal(buf, "null");
}

/* Every size too small is told, terminated and never overrun. */
static void test_limits(void **state)
{
    (void)state;
    static const char want[] = "{\"key\":\"value\",\"n\":12345}";
    for (size_t size = 1; size <= sizeof(want) + 1; size++) {
        char *buf = malloc(size);
        assert_non_null(buf);
        struct lamp_json fixed, grown;
        lamp_json_init_fixed(&fixed, buf, size);
        lamp_json_init(&grown, size);
        struct lamp_json *const both[] = { &fixed, &grown };
        for (size_t i = 0; i < 2; i++) {
            struct lamp_json *j = both[i];
            lamp_json_object(j, NULL);
            lamp_json_str(j, "key", "value");
            lamp_json_int(j, "n", 12345);
            lamp_json_end(j);
            assert_int_equal(lamp_json_error(j), size < sizeof(want) ? LAMP_EFULL : LAMP_OK);
        }
        if (size >= sizeof(want))
            assert_string_equal(buf, want);
        size_t len;
        char *text = lamp_json_take(&grown, &len);
        assert_true((text != NULL) == (size >= sizeof(want)));
        free(text);
        lamp_json_done(&fixed);
        free(buf);
    }
}

static void test_reset(void **state)
{
    (void)state;
    struct lamp_json j;
    lamp_json_init(&j, 16);
    lamp_json_str(&j, NULL, "far too long for the limit");
    assert_int_equal(lamp_json_error(&j), LAMP_EFULL);
    lamp_json_reset(&j);
    lamp_json_str(&j, NULL, "fits");
    assert_int_equal(lamp_json_error(&j), LAMP_OK);
    assert_string_equal(j.buf, "\"fits\"");
    lamp_json_done(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
