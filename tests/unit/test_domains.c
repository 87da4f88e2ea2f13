/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/domains.h"
#include "tests/support/test.h"

#define NOW UINT64_C(1700000000000000)
#define SECOND UINT64_C(1000000)

static struct lamp_domains d;

static bool add(const char *name, const char *addr, uint32_t ttl_s, uint64_t now_us)
{
    struct lamp_addr a;
    assert_int_equal(lamp_addr_parse(addr, &a), LAMP_OK);
    return lamp_domains_add(&d, lamp_bytes_of(name), &a, ttl_s, now_us);
}

static void test_covers(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *name;
        bool want;
    } cases[] = {
        { "pool.example", "pool.example", true },
        { "pool.example", "eu.pool.example", true },
        { "pool.example", "notpool.example", false },
        { "pool.example", "pool.example.org", false },
        { "pool.example", "example", false },
        { "eu.pool.example", "pool.example", false },
        { "pool.example", "", false },
        { "", "pool.example", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (lamp_domain_covers(lamp_bytes_of(cases[i].domain), cases[i].name) != cases[i].want)
            fail_msg("%s covers %s: not %d", cases[i].domain, cases[i].name, cases[i].want);
}

static void test_what_counts(void **state)
{
    (void)state;
    memset(&d, 0, sizeof(d));
    static const char *const never[] = { "10.0.0.1",    "127.0.0.1", "192.168.1.1",
                                         "169.254.1.1", "224.0.0.1", "255.255.255.255",
                                         "::1",         "fe80::1",   "fd00::1",
                                         "ff02::1",     "::" };
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (add("pool.example", never[i], 60, NOW))
            fail_msg("%s counts", never[i]);
    assert_int_equal(d.refused, ARRAY_LEN(never));
    assert_false(add("", "203.0.113.1", 60, NOW));
    assert_int_equal(d.n, 0);
    assert_true(add("pool.example", "203.0.113.1", 60, NOW));
    assert_false(add("pool.example", "203.0.113.1", 60, NOW)); /* no news */
    assert_true(add("pool.example", "2001:db8::1", 60, NOW));
    assert_true(add("eu.pool.example", "203.0.113.1", 60, NOW));
    assert_int_equal(d.n, 3);
}

/* At least five minutes, at most a day; and a clock that was set back holds nothing longer. */
static void test_time(void **state)
{
    (void)state;
    memset(&d, 0, sizeof(d));
    assert_true(add("a.example", "203.0.113.1", 0, NOW));
    assert_true(add("b.example", "203.0.113.2", UINT32_MAX, NOW));
    assert_false(lamp_domains_expire(&d, NOW + LAMP_DOMAINS_TTL_MIN_S * SECOND - 1));
    assert_true(lamp_domains_expire(&d, NOW + LAMP_DOMAINS_TTL_MIN_S * SECOND));
    assert_int_equal(d.n, 1);
    assert_false(lamp_domains_expire(&d, NOW + LAMP_DOMAINS_TTL_MAX_S * SECOND - 1));
    assert_true(lamp_domains_expire(&d, NOW - SECOND));
    assert_int_equal(d.n, 0);
    assert_true(add("a.example", "203.0.113.1", 600, NOW));
    assert_true(add("a.example", "203.0.113.1", 600, NOW + 400 * SECOND)); /* holds much longer */
    assert_int_equal(d.n, 1);
}

static void test_bounded(void **state)
{
    (void)state;
    memset(&d, 0, sizeof(d));
    for (unsigned i = 0; i < 3 * LAMP_DOMAINS_ADDRS; i++) {
        char addr[32];
        snprintf(addr, sizeof(addr), "203.0.113.%u", i);
        assert_true(add("one.example", addr, 600 + i, NOW));
    }
    assert_int_equal(d.n, LAMP_DOMAINS_ADDRS);
    for (unsigned i = 0; i < 2 * LAMP_DOMAINS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.example", i);
        assert_true(add(name, "203.0.113.1", 600, NOW));
    }
    assert_int_equal(d.n, LAMP_DOMAINS_MAX);
    assert_true(d.evicted > 0);
}

static void test_file(void **state)
{
    (void)state;
    memset(&d, 0, sizeof(d));
    assert_true(add("a.example", "203.0.113.1", 600, NOW));
    assert_true(add("b.example", "2001:db8::1", 300, NOW));
    char *text;
    size_t len;
    assert_int_equal(lamp_domains_write(&d, &text, &len), LAMP_OK);
    memset(&d, 0, sizeof(d));
    lamp_domains_read(&d, text, NOW + 400 * SECOND);
    free(text);
    assert_int_equal(d.n, 1);
    assert_string_equal(d.v[0].name, "a.example");
    char bad[] = "\n\nx\na.example 10.0.0.1 99999999999999999\na.example nonsense 5\n"
                 "a.example 203.0.113.1 18446744073709551615\n";
    memset(&d, 0, sizeof(d));
    lamp_domains_read(&d, bad, NOW);
    assert_int_equal(d.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers), cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_time),   cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
