/* SPDX-License-Identifier: Apache-2.0 */
#include "common/enroll.h"

#include "tests/support/test.h"

#include <stdio.h>

/* Bytes 0, 1, 2, ... 47 as base64url. */
#define DIGITS "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"

static void test_text(void **state)
{
    (void)state;
    struct lamp_token t, back;
    char text[LAMP_TOKEN_TEXT];
    for (size_t i = 0; i < sizeof(t); i++)
        ((uint8_t *)&t)[i] = (uint8_t)i;
    assert_string_equal(lamp_token_encode(&t, text), "lamp1-" DIGITS);
    assert_int_equal(lamp_token_decode(text, &back), LAMP_OK);
    assert_memory_equal(&t, &back, sizeof(t));

    static const struct {
        const char *label, *text;
        int want;
    } cases[] = {
        { "space around", " lamp1-" DIGITS "\r\n", LAMP_OK },
        { "empty", "", LAMP_EFORMAT },
        { "no prefix", DIGITS, LAMP_EFORMAT },
        { "another version", "lamp2-" DIGITS, LAMP_EFORMAT },
        { "too long", "lamp1-" DIGITS "A", LAMP_EFORMAT },
        { "two", "lamp1-" DIGITS " lamp1-" DIGITS, LAMP_EFORMAT },
        { "not base64url", "lamp1-+" DIGITS, LAMP_EFORMAT },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const int got = lamp_token_decode(cases[i].text, &back);
        if (got != cases[i].want)
            fail_msg("%s: %s", cases[i].label, lamp_strerror(got));
    }
    for (size_t cut = 0; cut + 1 < LAMP_TOKEN_TEXT; cut++) {
        char part[LAMP_TOKEN_TEXT];
        snprintf(part, sizeof(part), "%.*s", (int)cut, text);
        assert_int_equal(lamp_token_decode(part, &back), LAMP_EFORMAT);
        snprintf(part, sizeof(part), "%s", text);
        part[cut] = '!';
        assert_int_equal(lamp_token_decode(part, &back), LAMP_EFORMAT);
    }
}

static void test_digest(void **state)
{
    (void)state;
    const uint8_t secret[LAMP_TOKEN_SECRET] = { 0 }, other[LAMP_TOKEN_SECRET] = { 1 };
    uint8_t a[32], b[32];
    lamp_token_digest(secret, a);
    lamp_token_digest(other, b);
    assert_memory_not_equal(a, b, sizeof(a));
    static const uint8_t want[4] = { 0x94, 0xc1, 0xc0, 0x88 };
    assert_memory_equal(a, want, sizeof(want));
}

static void test_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *sensors, *want; /* NULL: none */
    } cases[] = {
        { "tcp://0.0.0.0:5667", "tcp://0.0.0.0:5668" },
        { "tcp://[::1]:1", "tcp://[::1]:2" },
        { "tcp://hq.example:65534", "tcp://hq.example:65535" },
        { "tcp://hq.example:65535", NULL },
        { "tcp://hq.example:*", NULL },
        { "tcp://hq.example", NULL },
        { "ipc:///run/x:1", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[64] = "";
        const int got = lamp_enroll_endpoint(cases[i].sensors, out, sizeof(out));
        if ((got == LAMP_OK) != (cases[i].want != NULL) ||
            (cases[i].want && !streq(cases[i].want, out)))
            fail_msg("%s: %s, \"%s\"", cases[i].sensors, lamp_strerror(got), out);
    }
    char small[8];
    assert_int_equal(lamp_enroll_endpoint("tcp://0.0.0.0:5667", small, sizeof(small)), LAMP_EFULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
