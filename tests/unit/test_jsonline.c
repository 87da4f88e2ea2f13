/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/recog/jsonline.h"

static int parse(const char *text, struct lamp_jsonline *out)
{
    const size_t len = strlen(text);
    uint8_t *copy = guarded_dup(text, len);
    const int err = lamp_jsonline_parse((struct lamp_bytes){ copy, len }, out);
    guarded_free(copy);
    return err;
}

static void test_accepts_and_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
    } cases[] = {
        { "{}", LAMP_OK },
        { " \t{ \"a\" : 1 }\r\n", LAMP_OK },
        { "{\"a\":[1,-2.5e3,true,false,null,\"x\",{\"b\":[]}]}", LAMP_OK },
        { "{\"a\":\"\\\"}\"}", LAMP_OK },
        { "", LAMP_ETRUNC },
        { "{", LAMP_ETRUNC },
        { "{\"a", LAMP_ETRUNC },
        { "{\"a\"", LAMP_ETRUNC },
        { "{\"a\":", LAMP_ETRUNC },
        { "{\"a\":1", LAMP_ETRUNC },
        { "{\"a\":\"x\\", LAMP_ETRUNC },
        { "{\"a\":[1", LAMP_ETRUNC },
        { "[]", LAMP_EFORMAT },
        { "{\"a\"1}", LAMP_EFORMAT },
        { "{\"a\":1,}", LAMP_EFORMAT },
        { "{\"a\":[1,]}", LAMP_EFORMAT },
        { "{\"a\":1 \"b\":2}", LAMP_EFORMAT },
        { "{\"a\":[1}", LAMP_EFORMAT },
        { "{\"a\":nul}", LAMP_EFORMAT },
        { "{a:1}", LAMP_EFORMAT },
        { "{} {}", LAMP_EFORMAT },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_jsonline l;
        const int got = parse(cases[i].text, &l);
        if (got != cases[i].want)
            fail_msg("%s: %s, want %s", cases[i].text, lamp_strerror(got),
                     lamp_strerror(cases[i].want));
    }
}

static void test_finds_values(void **state)
{
    (void)state;
    static const char text[] = "{\"params\":[\"u\",{\"k\":[7,\"8\"]},null],\"id\":4,\"id2\":\"x\"}";
    struct lamp_jsonline l;
    double n;
    assert_int_equal(lamp_jsonline_parse(lamp_bytes_of(text), &l), LAMP_OK);
    const struct lamp_jsonvalue *params = lamp_jsonline_top(&l, "params");
    assert_int_equal(lamp_jsonline_count(&l, params), 3);
    assert_true(lamp_bytes_eq(lamp_jsonline_string(lamp_jsonline_item(&l, params, 0)), "u"));
    const struct lamp_jsonvalue *k =
        lamp_jsonline_member(&l, lamp_jsonline_item(&l, params, 1), "k");
    assert_true(lamp_bytes_eq(k->text, "[7,\"8\"]"));
    assert_true(lamp_jsonline_number(lamp_jsonline_item(&l, k, 0), &n) && n == 7);
    assert_true(lamp_jsonline_number(lamp_jsonline_item(&l, k, 1), &n) && n == 8);
    assert_false(lamp_jsonline_number(lamp_jsonline_top(&l, "id2"), &n));
    assert_false(lamp_jsonline_given(lamp_jsonline_item(&l, params, 2)));
    assert_null(lamp_jsonline_item(&l, params, 3));
    assert_null(lamp_jsonline_member(&l, params, "k"));
    assert_null(lamp_jsonline_member(&l, NULL, "k"));
    assert_null(lamp_jsonline_top(&l, "i"));
}

/* What stands after a long list and a deep nest is still found. */
static void test_limits(void **state)
{
    (void)state;
    char text[LAMP_JSONLINE_MAX + 64] = "{\"a\":[";
    struct lamp_jsonline l;
    size_t at = strlen(text);
    for (int i = 0; i < 2000; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s{\"x\":1}", i ? "," : "");
    snprintf(text + at, sizeof(text) - at, "],\"method\":\"m\"}");
    assert_int_equal(parse(text, &l), LAMP_OK);
    assert_int_equal(lamp_jsonline_parse(lamp_bytes_of(text), &l), LAMP_OK);
    assert_true(lamp_bytes_eq(lamp_jsonline_string(lamp_jsonline_top(&l, "method")), "m"));
    assert_int_equal(lamp_jsonline_count(&l, lamp_jsonline_top(&l, "a")), LAMP_JSONLINE_CHILDREN);

    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', 40);
    text[45] = '\0';
    assert_int_equal(parse(text, &l), LAMP_EFORMAT);

    memset(text, ' ', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(parse(text, &l), LAMP_EFULL);
}

static void test_unescape(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "plain", "plain" }, { "a\\\"b\\\\c\\/d", "a\"b\\c/d" },
        { "\\n\\t", "\n\t" }, { "\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac" },
        { "\\u12", "u12" },   { "end\\", "end\\" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t buf[32];
        const size_t n = lamp_jsonline_unescape(lamp_bytes_of(cases[i].text), buf, sizeof(buf));
        if (!lamp_bytes_eq((struct lamp_bytes){ buf, n }, cases[i].want))
            fail_msg("%s: got %.*s", cases[i].text, (int)n, (const char *)buf);
    }
    uint8_t tiny[4];
    assert_int_equal(lamp_jsonline_unescape(lamp_bytes_of("abcdef"), tiny, sizeof(tiny)), 2);
}

/* Events as letters: Begin, End, broken (x); the rest is left out. */
static void add_event(enum lamp_jsonsplit_event e, char *got, size_t *n)
{
    if (e == LAMP_SPLIT_BEGIN || e == LAMP_SPLIT_END || e == LAMP_SPLIT_BROKEN)
        got[(*n)++] = e == LAMP_SPLIT_BEGIN ? 'B' : e == LAMP_SPLIT_END ? 'E' : 'x';
}

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "{}\n{}\n", "BEBE" },
        { "{}{}", "BEBE" }, /* no line feed at all */
        { "\r\n {\"a\":{\"b\":[1]}}\r\n", "BE" },
        { "{\"a\":\"}\\\"{\"}\n", "BE" },
        { "x{}\n{}\n", "xBE" },
        { "{\"a\n{}\n", "BxBE" }, /* cut off, then a good line */
        { "{} trailing\n{}", "BExBE" },
        { "{\"a\":[[[[[[[[[[[[[[[[[[[[", "Bx" },
        { "{noise\n{ \t\"a\":1}{ }", "BxBEBE" }, /* no key, no object */
        { "{\"a long string, with \\\\ and \\\" and { in it\": \"}, and an end\"}{}", "BEBE" },
        { "{\"a long string, with a line\nfeed\"}{}\n{}", "BxxBE" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_bytes text = lamp_bytes_of(cases[i].text);
        char got[64];
        struct lamp_jsonsplit s = { 0 };
        size_t n = 0;
        for (size_t at = 0; at < text.len; at++)
            add_event(lamp_jsonsplit_byte(&s, text.data[at]), got, &n);
        got[n] = '\0';
        if (!streq(got, cases[i].want))
            fail_msg("%s: %s, want %s", cases[i].text, got, cases[i].want);
        for (size_t cut = 0; cut <= text.len; cut++) { /* in two pieces, as segments come */
            const struct lamp_bytes pieces[] = { { text.data, cut },
                                                 { text.data + cut, text.len - cut } };
            s = (struct lamp_jsonsplit){ 0 };
            n = 0;
            for (size_t k = 0; k < 2; k++)
                for (size_t at = 0; at < pieces[k].len; at++)
                    add_event(lamp_jsonsplit_next(&s, pieces[k], &at), got, &n);
            got[n] = '\0';
            if (!streq(got, cases[i].want))
                fail_msg("%s cut at %zu: %s, want %s", cases[i].text, cut, got, cases[i].want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_and_refuses),
        cmocka_unit_test(test_finds_values),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
