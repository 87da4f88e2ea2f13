/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fingerprint.h"

#include "common/text.h"
#include "tests/support/test.h"

/* The key of RFC 32's test, and BLAKE2b-256 of its bytes as `b2sum -l 256` tells it. */
#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define HEX "54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652"

static void test_z85(void **state)
{
    (void)state;
    static const struct {
        const char *label, *text;
        int want;
    } cases[] = {
        { "the key", KEY, LAMP_OK },
        { "short", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf", LAMP_EFORMAT },
        { "long", KEY "0", LAMP_EFORMAT },
        { "no digit", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf~", LAMP_EFORMAT },
        { "past 32 bits", "#####>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", LAMP_EFORMAT },
        { "empty", "", LAMP_EFORMAT },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t key[LAMP_KEY_BYTES];
        char hex[2 * LAMP_KEY_BYTES + 1];
        const int got = lamp_z85_key(cases[i].text, key);
        if (got != cases[i].want)
            fail_msg("%s: %s", cases[i].label, lamp_strerror(got));
        if (got == LAMP_OK)
            assert_string_equal(lamp_hex_encode(key, sizeof(key), hex), HEX);
    }
}

static void test_fingerprint(void **state)
{
    (void)state;
    char text[LAMP_FINGERPRINT];
    assert_string_equal(lamp_fingerprint_z85(KEY, text), "a04e-20ef-9634-61f8-1f1a-6540-888e-b49b");
    assert_string_equal(lamp_fingerprint_z85("no key", text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_z85),
        cmocka_unit_test(test_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
