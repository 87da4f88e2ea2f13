/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/identity.h"
#include "tests/support/test.h"

static lamp_catalogue *catalogue;

static int load(void **state)
{
    (void)state;
    char why[256];
    return lamp_catalogue_load(LAMP_DATA, &catalogue, why, sizeof(why));
}

static int unload(void **state)
{
    (void)state;
    catalogue = lamp_catalogue_free(catalogue);
    return 0;
}

static void test_catalogue(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t port;
        const struct lamp_mass *mass;
        const char *coin;
    } cases[] = {
        { "rvn.2miners.com", 16060, &lamp_mass_name, "RVN" },
        { "RVN.2Miners.com.", 16060, &lamp_mass_name, "RVN" },
        { "rvn.2miners.com", 443, &lamp_mass_stale, "RVN" },
        { "eu.rvn.2miners.com", 16060, &lamp_mass_front, "RVN" },
        { "www.example.org", 443, NULL, NULL },
        { "com", 443, NULL, NULL },
        { "2miners.com.example.org", 16060, NULL, NULL },
        { "", 443, NULL, NULL },
        { ".", 443, NULL, NULL },
        { "..", 443, NULL, NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_identity got =
            lamp_identity_of_name(catalogue, NULL, lamp_bytes_of(cases[i].name), cases[i].port);
        const double want = cases[i].mass ? cases[i].mass->mining : 0;
        if (got.mass.mining < want || got.mass.mining > want)
            fail_msg("%s:%u: %.2f, not %.2f", cases[i].name, cases[i].port, got.mass.mining, want);
        if (cases[i].coin)
            assert_string_equal(got.coin, cases[i].coin);
    }
}

static void test_watch(void **state)
{
    (void)state;
    struct lamp_addr pool, other;
    assert_int_equal(lamp_addr_parse("203.0.113.9", &pool), LAMP_OK);
    assert_int_equal(lamp_addr_parse("2001:db8::9", &other), LAMP_OK);
    const struct lamp_watch_entry entries[] = {
        { .addr = pool, .port = 443, .pool = "P", .coin = "XMR", .fresh = true },
        { .addr = other, .pool = "Q" },
        { .name = "rig.example.net", .port = 3333, .coin = "BTC", .fresh = true },
        { .name = "rvn.2miners.com", .mute = true },
    };
    lamp_watch *w = NULL;
    assert_int_equal(lamp_watch_new(entries, ARRAY_LEN(entries), &w), LAMP_OK);
    struct lamp_identity got = lamp_identity_of_address(w, &pool, 443);
    assert_true(got.mass.mining >= lamp_mass_fresh.mining);
    assert_string_equal(got.coin, "XMR");
    assert_ptr_equal(got.pool, entries[0].pool); /* borrowed, for as long as it is told */
    assert_true(lamp_identity_of_address(w, &pool, 80).mass.mining <= 0);
    got = lamp_identity_of_address(w, &other, 80);
    assert_true(got.mass.mining >= 0.6 && got.mass.mining <= 0.6);
    got = lamp_identity_of_name(catalogue, w, lamp_bytes_of("Rig.example.net"), 3333);
    assert_string_equal(got.coin, "BTC");
    /* what is muted says nothing, also where the catalogue knows it */
    got = lamp_identity_of_name(catalogue, w, lamp_bytes_of("rvn.2miners.com"), 16060);
    assert_true(got.mass.mining <= 0);
    lamp_watch_free(w);
    assert_true(lamp_identity_of_address(NULL, &pool, 443).mass.mining <= 0);
    assert_int_equal(lamp_watch_new(entries, LAMP_WATCH_MAX + 1, &w), LAMP_EFULL);
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool want;
    } cases[] = {
        { "xmr-eu.pool.example", true },   { "btc.mining.example", true },
        { "stratum.example.net", true },   { "de.alephium.herominers.example", true },
        { "pool.ntp.org", false },         { "0.debian.pool.ntp.org", false },
        { "swimmingpool.example", false }, { "mine.example", false },
        { "determine.example", false },    { "btc.exchange.example", false },
        { "data-mining.example", false },  { "", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (lamp_identity_hint(lamp_bytes_of(cases[i].name)) != cases[i].want)
            fail_msg("%s", cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_catalogue),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
