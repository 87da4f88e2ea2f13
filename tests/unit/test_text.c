/* SPDX-License-Identifier: Apache-2.0 */
#include "common/text.h"
#include "tests/support/test.h"

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t min, max;
        int want;
        int64_t value;
    } cases[] = {
        { "0", 0, 1, LAMP_OK, 0 },
        { "-5", -5, 5, LAMP_OK, -5 },
        { "+5", -5, 5, LAMP_OK, 5 },
        { "007", 0, 9, LAMP_OK, 7 },
        { "9223372036854775807", INT64_MIN, INT64_MAX, LAMP_OK, INT64_MAX },
        { "-9223372036854775808", INT64_MIN, INT64_MAX, LAMP_OK, INT64_MIN },
        { "9223372036854775808", INT64_MIN, INT64_MAX, LAMP_ERANGE, 0 },
        { "6", -5, 5, LAMP_ERANGE, 0 },
        { "", 0, 9, LAMP_EFORMAT, 0 },
        { "-", 0, 9, LAMP_EFORMAT, 0 },
        { "+-1", 0, 9, LAMP_EFORMAT, 0 },
        { " 1", 0, 9, LAMP_EFORMAT, 0 },
        { "1 ", 0, 9, LAMP_EFORMAT, 0 },
        { "1x", 0, 9, LAMP_EFORMAT, 0 },
        { "0x1", 0, 9, LAMP_EFORMAT, 0 },
        { "1.0", 0, 9, LAMP_EFORMAT, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t v = 42;
        int rc = lamp_text_int(cases[i].text, cases[i].min, cases[i].max, &v);
        if (rc != cases[i].want || v != (rc ? 42 : cases[i].value))
            fail_msg("'%s': %s", cases[i].text, lamp_strerror(rc));
    }
}

static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
        double value;
    } cases[] = {
        { "0.5", LAMP_OK, 0.5 },     { "-1e3", LAMP_OK, -1000 }, { ".25", LAMP_OK, 0.25 },
        { "1e999", LAMP_ERANGE, 0 }, { "1001", LAMP_ERANGE, 0 }, { "nan", LAMP_EFORMAT, 0 },
        { "inf", LAMP_EFORMAT, 0 },  { "0x1", LAMP_EFORMAT, 0 }, { "", LAMP_EFORMAT, 0 },
        { " 1", LAMP_EFORMAT, 0 },   { "1e", LAMP_EFORMAT, 0 },  { "1.2.3", LAMP_EFORMAT, 0 },
        { "+", LAMP_EFORMAT, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double v = 42;
        int rc = lamp_text_double(cases[i].text, -1000, 1000, &v);
        if (rc != cases[i].want || v != (rc ? 42 : cases[i].value))
            fail_msg("'%s': %s", cases[i].text, lamp_strerror(rc));
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len, want;
    } cases[] = {
        { "a", 1, 1 },
        { "", 0, 0 },
        { "\0", 1, 1 },
        { "\xc3\xa4", 2, 2 },
        { "\xe2\x82\xac", 3, 3 },
        { "\xf0\x9f\x8c\x8d", 4, 4 },
        { "\xf4\x8f\xbf\xbf", 4, 4 },
        { "\xc3", 1, 0 },
        { "\xe2\x82", 2, 0 },
        { "\x80", 1, 0 },
        { "\xc0\x80", 2, 0 },
        { "\xc1\xbf", 2, 0 },
        { "\xe0\x9f\xbf", 3, 0 },
        { "\xed\xa0\x80", 3, 0 },
        { "\xf0\x8f\xbf\xbf", 4, 0 },
        { "\xf4\x90\x80\x80", 4, 0 },
        { "\xf5\x80\x80\x80", 4, 0 },
        { "\xff", 1, 0 },
        { "\xc3(", 2, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t *copy = guarded_dup(cases[i].bytes, cases[i].len);
        size_t got = lamp_utf8_len(copy, cases[i].len);
        if (got != cases[i].want)
            fail_msg("case %zu: %zu", i, got);
        guarded_free(copy);
    }
}

static void test_escaping(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *safe, *utf8;
    } cases[] = {
        { "plain", 5, "plain", "plain" },
        { "", 0, "", "" },
        { "a\nb", 3, "a\\x0ab", "a\nb" },
        { "\x1b[31m", 5, "\\x1b[31m", "\x1b[31m" },
        { "a\\b", 3, "a\\\\b", "a\\b" },
        { "a\0b", 3, "a\\x00b", "a\\x00b" },
        { "\xff\xfe", 2, "\\xff\\xfe", "\\xff\\xfe" },
        { "\xc2\x85", 2, "\\xc2\\x85", "\xc2\x85" },              /* C1: next line */
        { "\xe2\x80\xae", 3, "\\xe2\\x80\\xae", "\xe2\x80\xae" }, /* right-to-left override */
        { "\xe2\x81\xa6", 3, "\\xe2\\x81\\xa6", "\xe2\x81\xa6" },
        { "\xd8\x9c", 2, "\\xd8\\x9c", "\xd8\x9c" },
        { "\xe2\x82\xac", 3, "\xe2\x82\xac", "\xe2\x82\xac" },
        { "\x7f", 1, "\\x7f", "\x7f" },
    };
    char buf[64];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t *copy = guarded_dup(cases[i].bytes, cases[i].len);
        assert_string_equal(lamp_text_safe(copy, cases[i].len, buf, sizeof(buf)), cases[i].safe);
        assert_string_equal(lamp_text_utf8(copy, cases[i].len, buf, sizeof(buf)), cases[i].utf8);
        guarded_free(copy);
    }
}

/* A buffer of any size holds whole characters only and its terminator. */
static void test_small_buffers(void **state)
{
    (void)state;
    static const char text[] = "a\xe2\x82\xac\n\\z";
    static const char *const want[] = { "",
                                        "a",
                                        "a",
                                        "a",
                                        "a\xe2\x82\xac",
                                        "a\xe2\x82\xac",
                                        "a\xe2\x82\xac",
                                        "a\xe2\x82\xac",
                                        "a\xe2\x82\xac\\x0a" };
    for (size_t size = 1; size <= ARRAY_LEN(want); size++) {
        char *buf = malloc(size);
        assert_non_null(buf);
        assert_string_equal(lamp_text_safe((const uint8_t *)text, sizeof(text) - 1, buf, size),
                            want[size - 1]);
        free(buf);
    }
}

/* Every byte at every place of a text that is read eight at a time and its rest one by one. */
static void test_hex_digits(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdefABCDEF";
    for (unsigned at = 0; at < 20; at++) {
        for (unsigned c = 0; c < 256; c++) {
            char text[21] = "00112233445566778899";
            uint8_t out[10] = { 0 };
            size_t len = 0;
            text[at] = (char)c;
            const char *const digit = c ? strchr(digits, (int)c) : NULL;
            const bool is_prefix = at == 1 && (c == 'x' || c == 'X');
            assert_int_equal(lamp_hex_is(text, 20), digit != NULL);
            assert_int_equal(lamp_hex_decode(text, 20, out, sizeof(out), &len),
                             digit || is_prefix ? LAMP_OK : LAMP_EFORMAT);
            if (!digit)
                continue;
            const unsigned i = (unsigned)(digit - digits), value = i < 16 ? i : i - 6;
            for (unsigned k = 0; k < 10; k++) {
                const unsigned want = at / 2 != k ? k * 17
                                      : at % 2    ? k << 4 | value
                                                  : value << 4 | k;
                assert_int_equal(out[k], want);
            }
        }
    }
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t out[4];
    size_t len = 9;
    char buf[9];
    assert_int_equal(lamp_hex_decode("0xDEadBE", 8, out, sizeof(out), &len), LAMP_OK);
    assert_int_equal(len, 3);
    assert_string_equal(lamp_hex_encode(out, 3, buf), "deadbe");
    assert_int_equal(lamp_hex_decode("", 0, out, sizeof(out), &len), LAMP_OK);
    assert_int_equal(len, 0);
    assert_int_equal(lamp_hex_decode("abc", 3, out, sizeof(out), &len), LAMP_EFORMAT);
    assert_int_equal(lamp_hex_decode("zz", 2, out, sizeof(out), &len), LAMP_EFORMAT);
    assert_int_equal(lamp_hex_decode("a ", 2, out, sizeof(out), &len), LAMP_EFORMAT);
    assert_int_equal(lamp_hex_decode("0011223344", 10, out, sizeof(out), &len), LAMP_EFULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),      cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_utf8),          cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_small_buffers), cmocka_unit_test(test_hex),
        cmocka_unit_test(test_hex_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
