/* SPDX-License-Identifier: Apache-2.0 */
/* Places of sites, as the configuration says them. */
#include "aggregator/places/sites.h"
#include "tests/support/test.h"

static const struct {
    const char *text, *name;
    double latitude, longitude;
    int want;
} cases[] = {
    { "59.91 10.75 oslo", "oslo", 59.91, 10.75, LAMP_OK },
    { "-12.05 -77.04 Lima, Per\xc3\xba", "Lima, Per\xc3\xba", -12.05, -77.04, LAMP_OK },
    { "90 -180   edge", "edge", 90, -180, LAMP_OK },
    { "59.91 10.75", "", 0, 0, LAMP_EFORMAT },
    { "59.91 10.75 ", "", 0, 0, LAMP_EFORMAT },
    { "oslo 59.91 10.75", "", 0, 0, LAMP_EFORMAT },
    { "", "", 0, 0, LAMP_EFORMAT },
    { "90.1 0 north", "", 0, 0, LAMP_ERANGE },
    { "0 180.5 east", "", 0, 0, LAMP_ERANGE },
    { "nan 0 x", "", 0, 0, LAMP_EFORMAT },
    { "0000000000000000000000000000000000000001 0 long", "", 0, 0, LAMP_EFORMAT },
    { "1 2 wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww", "", 0, 0,
      LAMP_ERANGE },
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_site_place p = { .name = "before" };
        const int got = lamp_site_place_parse(cases[i].text, &p);
        if (got != cases[i].want)
            fail_msg("'%s': got %d, want %d", cases[i].text, got, cases[i].want);
        assert_string_equal(p.name, got ? "before" : cases[i].name);
        if (!got)
            assert_true(p.latitude == cases[i].latitude && p.longitude == cases[i].longitude);
    }
}

static void test_find(void **state)
{
    (void)state;
    const struct lamp_site_place places[] = { { "oslo", 59.91, 10.75 },
                                              { "lima", -12.05, -77.04 } };
    assert_ptr_equal(lamp_site_place_find(places, 2, "lima"), &places[1]);
    assert_null(lamp_site_place_find(places, 2, "Lima"));
    assert_null(lamp_site_place_find(NULL, 0, "lima"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
