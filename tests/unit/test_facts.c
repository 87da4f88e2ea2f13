/* SPDX-License-Identifier: Apache-2.0 */
/* Prices and places of sites: as the configuration says them, as they are set, and which of them hold. */
#include "aggregator/api/facts.h"
#include "aggregator/store/facts.h"
#include "aggregator/store/write.h"
#include "tests/support/aggregator.h"

#include <pthread.h>
#include <stdatomic.h>

static const struct {
    const char *text, *rest;
    double latitude, longitude;
    int want;
} place_cases[] = {
    { "59.91 10.75 oslo", "oslo", 59.91, 10.75, LAMP_OK },
    { "-12.05 -77.04 Lima, Per\xc3\xba", "Lima, Per\xc3\xba", -12.05, -77.04, LAMP_OK },
    { "90 -180   edge", "edge", 90, -180, LAMP_OK },
    { "59.91 10.75", "", 59.91, 10.75, LAMP_OK },
    { "59.91", NULL, 0, 0, LAMP_EFORMAT },
    { "oslo 59.91 10.75", NULL, 0, 0, LAMP_EFORMAT },
    { "", NULL, 0, 0, LAMP_EFORMAT },
    { "90.1 0 north", NULL, 0, 0, LAMP_ERANGE },
    { "0 180.5 east", NULL, 0, 0, LAMP_ERANGE },
    { "nan 0 x", NULL, 0, 0, LAMP_EFORMAT },
    { "0000000000000000000000000000000000000001 0 long", NULL, 0, 0, LAMP_EFORMAT },
};

static void test_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(place_cases); i++) {
        const char *rest = NULL;
        double latitude = 0, longitude = 0;
        const int got = lamp_fact_place(place_cases[i].text, &latitude, &longitude, &rest);
        if (got != place_cases[i].want)
            fail_msg("'%s': got %d, want %d", place_cases[i].text, got, place_cases[i].want);
        assert_true(latitude == place_cases[i].latitude && longitude == place_cases[i].longitude);
        assert_true(got ? !rest : streq(rest, place_cases[i].rest));
    }
}

static const struct {
    const char *name, *site, *value;
    int want;
} check_cases[] = {
    { LAMP_FACT_PRICE, "north", "0.25", LAMP_OK },
    { LAMP_FACT_PRICE, "", "0", LAMP_OK },
    { LAMP_FACT_PRICE, "", "1000.5", LAMP_EFORMAT },
    { LAMP_FACT_PRICE, "", "-1", LAMP_EFORMAT },
    { LAMP_FACT_PRICE, "", "cheap", LAMP_EFORMAT },
    { LAMP_FACT_PLACE, "north", "59.91 10.75", LAMP_OK },
    { LAMP_FACT_PLACE, "north", "59.91 10.75 oslo", LAMP_EFORMAT },
    { LAMP_FACT_PLACE, "north", "91 0", LAMP_EFORMAT },
    { LAMP_FACT_PLACE, "", "59.91 10.75", LAMP_EFORMAT },
};

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(check_cases); i++) {
        char why[LAMP_CONF_WHY] = "";
        const int got = lamp_fact_check(lamp_fact_find(check_cases[i].name), check_cases[i].site,
                                        check_cases[i].value, why);
        if (got != check_cases[i].want || (got && !*why))
            fail_msg("%s %s: got %d (%s)", check_cases[i].name, check_cases[i].value, got, why);
    }
    assert_null(lamp_fact_find("log.level"));
}

static int make(const char *price, const char *place, lamp_facts **out)
{
    char why[128] = "";
    char price_line[64], place_line[128];
    char *prices[] = { price_line }, *places[] = { place_line };
    snprintf(price_line, sizeof(price_line), "%s", price);
    snprintf(place_line, sizeof(place_line), "%s", place);
    const int err =
        lamp_facts_new(0.3, &(struct lamp_strlist){ prices, *price ? 1 : 0 },
                       &(struct lamp_strlist){ places, *place ? 1 : 0 }, out, why, sizeof(why));
    assert_true((err != LAMP_OK) == (why[0] != '\0'));
    return err;
}

static void test_lines(void **state)
{
    (void)state;
    static const char *const prices[] = { "north", "=0.5", "north=", "north=-1", "north=1e9" };
    static const char *const places[] = {
        "59.91 10.75", "91 0 north",
        "1 2 wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
    };
    lamp_facts *f;
    for (size_t i = 0; i < ARRAY_LEN(prices); i++)
        assert_int_equal(make(prices[i], "", &f), LAMP_EFORMAT);
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        assert_int_equal(make("", places[i], &f), LAMP_EFORMAT);
    assert_int_equal(make("a=b=0.1", "", &f), LAMP_OK);
    assert_true(lamp_facts_price(f, "a=b") == 0.1);
    lamp_facts_free(f);
    assert_true(lamp_facts_price(NULL, "north") == 0);
}

static void put(lamp_store *s, const char *name, const char *site, const char *value)
{
    struct lamp_site_setting x = { .set_us = TEST_NOW_US };
    snprintf(x.name, sizeof(x.name), "%s", name);
    snprintf(x.site, sizeof(x.site), "%s", site);
    snprintf(x.value, sizeof(x.value), "%s", value);
    ok(s, lamp_store_setting_put(s, &x));
}

/* What is of a site before what is of all, what is set before the configuration. */
static void test_order(void **state)
{
    (void)state;
    lamp_facts *f;
    double latitude, longitude;
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    assert_int_equal(make("north=0.5", "59.91 10.75 north", &f), LAMP_OK);
    assert_true(lamp_facts_price(f, "north") == 0.5 && lamp_facts_price(f, "south") == 0.3);
    assert_true(lamp_facts_place(f, "north", &latitude, &longitude) && latitude == 59.91);
    assert_false(lamp_facts_place(f, "south", &latitude, &longitude));

    ok(s, lamp_store_begin(s));
    put(s, LAMP_FACT_PRICE, "", "0.2");
    put(s, LAMP_FACT_PRICE, "west", "0.125");
    put(s, LAMP_FACT_PLACE, "south", "-12 -77");
    put(s, LAMP_FACT_PLACE, "north", "60 11");
    put(s, "capture.interval", "", "30");
    ok(s, lamp_facts_load(f, s));
    assert_true(lamp_facts_price(f, "north") == 0.5); /* the configuration, of the site */
    assert_true(lamp_facts_price(f, "west") == 0.125 && lamp_facts_price(f, "south") == 0.2);
    assert_true(lamp_facts_price(f, NULL) == 0.2);
    assert_true(lamp_facts_place(f, "south", &latitude, &longitude) && longitude == -77);
    assert_true(lamp_facts_place(f, "north", &latitude, &longitude) && latitude == 60);

    put(s, LAMP_FACT_PRICE, "north", "0");
    ok(s, lamp_store_setting_remove(s, LAMP_FACT_PRICE, ""));
    ok(s, lamp_store_setting_remove(s, LAMP_FACT_PLACE, "north"));
    ok(s, lamp_facts_load(f, s));
    assert_true(lamp_facts_price(f, "north") == 0 && lamp_facts_price(f, "south") == 0.3);
    assert_true(lamp_facts_place(f, "north", &latitude, &longitude) && latitude == 59.91);
    lamp_facts_free(f);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

struct asking {
    lamp_facts *f;
    atomic_bool stop;
    unsigned wrong;
};

static void *ask(void *arg)
{
    struct asking *a = arg;
    double latitude, longitude;
    while (!atomic_load(&a->stop)) {
        a->wrong += !lamp_facts_place(a->f, "north", &latitude, &longitude) || latitude != 60;
        a->wrong += lamp_facts_price(a->f, "north") != 0.5;
    }
    return NULL;
}

/* Who asks while they are loaded has what is set, and never what is freed already. */
static void test_threads(void **state)
{
    (void)state;
    struct asking a = { .stop = false };
    pthread_t asker;
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    assert_int_equal(make("", "", &a.f), LAMP_OK);
    ok(s, lamp_store_begin(s));
    put(s, LAMP_FACT_PLACE, "north", "60 11");
    put(s, LAMP_FACT_PRICE, "north", "0.5");
    ok(s, lamp_facts_load(a.f, s));
    assert_int_equal(pthread_create(&asker, NULL, ask, &a), 0);
    for (int i = 0; i < 2000; i++)
        ok(s, lamp_facts_load(a.f, s));
    atomic_store(&a.stop, true);
    pthread_join(asker, NULL);
    assert_int_equal(a.wrong, 0);
    lamp_facts_free(a.f);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place), cmocka_unit_test(test_check),   cmocka_unit_test(test_lines),
        cmocka_unit_test(test_order), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
