/* SPDX-License-Identifier: Apache-2.0 */
#include "common/addr.h"
#include "tests/support/test.h"

static struct lamp_addr addr(const char *text)
{
    struct lamp_addr a = { 0 };
    if (lamp_addr_parse(text, &a) != LAMP_OK)
        fail_msg("not an address: %s", text);
    return a;
}

static struct lamp_prefix prefix(const char *text)
{
    struct lamp_prefix p = { 0 };
    if (lamp_prefix_parse(text, &p) != LAMP_OK)
        fail_msg("not a prefix: %s", text);
    return p;
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        bool v4;
    } good[] = {
        { "192.0.2.1", "192.0.2.1", true },
        { "0.0.0.0", "0.0.0.0", true },
        { "255.255.255.255", "255.255.255.255", true },
        { "2001:db8::1", "2001:db8::1", false },
        { "2001:DB8:0:0:0:0:0:1", "2001:db8::1", false },
        { "::", "::", false },
        { "::ffff:192.0.2.1", "192.0.2.1", true },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
          false },
    };
    static const char *const bad[] = { "",         "1.2.3",   "1.2.3.256",    "1.2.3.4 ",
                                       " 1.2.3.4", "1::2::3", "fe80::1%eth0", "example",
                                       "1.2.3.4/8" };
    char buf[LAMP_ADDR_STRLEN];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct lamp_addr a = addr(good[i].text);
        assert_string_equal(lamp_addr_str(&a, buf), good[i].shown);
        assert_true(lamp_addr_is_v4(&a) == good[i].v4);
        struct lamp_addr again = addr(buf);
        assert_true(lamp_addr_eq(&a, &again));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct lamp_addr a;
        if (lamp_addr_parse(bad[i], &a) != LAMP_EFORMAT)
            fail_msg("accepted '%s'", bad[i]);
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
        unsigned len;
        const char *shown;
    } cases[] = {
        { "192.0.2.0/24", LAMP_OK, 120, "192.0.2.0/24" },
        { "192.0.2.1", LAMP_OK, 128, "192.0.2.1" },
        { "192.0.2.1/32", LAMP_OK, 128, "192.0.2.1" },
        { "0.0.0.0/0", LAMP_OK, 96, "0.0.0.0/0" },
        { "::/0", LAMP_OK, 0, "::/0" },
        { "2001:db8::/32", LAMP_OK, 32, "2001:db8::/32" },
        { "2001:db8::/33", LAMP_OK, 33, "2001:db8::/33" },
        { "192.0.2.1/24", LAMP_ECANON, 0, NULL },
        { "2001:db8::1/127", LAMP_ECANON, 0, NULL },
        { "::ffff:192.0.2.0/95", LAMP_ECANON, 0, NULL },
        { "192.0.2.0/33", LAMP_EFORMAT, 0, NULL },
        { "192.0.2.0/-1", LAMP_EFORMAT, 0, NULL },
        { "192.0.2.0/", LAMP_EFORMAT, 0, NULL },
        { "192.0.2.0/ 8", LAMP_EFORMAT, 0, NULL },
        { "2001:db8::/129", LAMP_EFORMAT, 0, NULL },
        { "/24", LAMP_EFORMAT, 0, NULL },
        { "0000:0000:0000:0000:0000:0000:0000:0000:0000:00/1", LAMP_EFORMAT, 0, NULL },
    };
    char buf[LAMP_PREFIX_STRLEN];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_prefix p = { .len = 77 };
        int rc = lamp_prefix_parse(cases[i].text, &p);
        if (rc != cases[i].want)
            fail_msg("%s: %s", cases[i].text, lamp_strerror(rc));
        assert_int_equal(p.len, rc ? 77 : cases[i].len);
        if (rc == LAMP_OK)
            assert_string_equal(lamp_prefix_str(&p, buf), cases[i].shown);
    }
    assert_false(lamp_prefix_is_canonical(&(struct lamp_prefix){ .len = 129 }));
}

static void test_cover(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool overlap;
    } cases[] = {
        { "192.0.2.0/24", "192.0.2.255", true },
        { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.0/25", "192.0.2.128/25", false },
        { "192.0.2.0/23", "192.0.3.0/24", true },
        { "0.0.0.0/0", "255.0.0.0/8", true },
        { "0.0.0.0/0", "2001:db8::/32", false },
        { "::/0", "192.0.2.1", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
        { "2001:db8::/33", "2001:db8:7fff::", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_prefix a = prefix(cases[i].a), b = prefix(cases[i].b);
        if (lamp_prefix_overlap(&a, &b) != cases[i].overlap ||
            lamp_prefix_overlap(&b, &a) != cases[i].overlap)
            fail_msg("%s against %s", cases[i].a, cases[i].b);
        if (b.len == 128)
            assert_true(lamp_prefix_has(&a, &b.addr) == cases[i].overlap);
    }
}

static void test_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
        const char *addr;
        uint16_t port;
    } cases[] = {
        { "192.0.2.1:3333", LAMP_OK, "192.0.2.1", 3333 },
        { "[2001:db8::1]:65535", LAMP_OK, "2001:db8::1", 65535 },
        { "192.0.2.1:0", LAMP_ERANGE, NULL, 0 },
        { "192.0.2.1:65536", LAMP_ERANGE, NULL, 0 },
        { "192.0.2.1:", LAMP_EFORMAT, NULL, 0 },
        { "192.0.2.1", LAMP_EFORMAT, NULL, 0 },
        { "2001:db8::1:3333", LAMP_EFORMAT, NULL, 0 },
        { "[2001:db8::1]", LAMP_EFORMAT, NULL, 0 },
        { "[]:80", LAMP_EFORMAT, NULL, 0 },
        { ":80", LAMP_EFORMAT, NULL, 0 },
        { "pool.example:80", LAMP_EFORMAT, NULL, 0 },
        { "", LAMP_EFORMAT, NULL, 0 },
    };
    char buf[LAMP_ADDR_STRLEN];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_addr a;
        uint16_t port = 1;
        int rc = lamp_endpoint_parse(cases[i].text, &a, &port);
        if (rc != cases[i].want)
            fail_msg("%s: %s", cases[i].text, lamp_strerror(rc));
        if (rc == LAMP_OK) {
            assert_string_equal(lamp_addr_str(&a, buf), cases[i].addr);
            assert_int_equal(port, cases[i].port);
        }
    }
}

static void test_kinds(void **state)
{
    (void)state;
    static const char *const private[] = {
        "10.0.0.1",   "172.31.255.255", "192.168.0.1", "127.0.0.1",
        "100.64.0.1", "169.254.1.1",    "::1",         "::",
        "fd00::1",    "fe80::1",        "0.0.0.0"
    };
    static const char *const public[] = { "172.32.0.1", "11.0.0.1",    "100.128.0.1", "192.169.0.1",
                                          "8.8.8.8",    "2001:db8::1", "fec0::1",     "::2" };
    static const char *const many[] = { "224.0.0.1", "239.255.255.255", "255.255.255.255",
                                        "ff02::1" };
    for (size_t i = 0; i < ARRAY_LEN(private); i++) {
        struct lamp_addr a = addr(private[i]);
        assert_true(lamp_addr_is_private(&a));
    }
    for (size_t i = 0; i < ARRAY_LEN(public); i++) {
        struct lamp_addr a = addr(public[i]);
        assert_false(lamp_addr_is_private(&a));
        assert_false(lamp_addr_is_multicast(&a));
    }
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        struct lamp_addr a = addr(many[i]);
        assert_true(lamp_addr_is_multicast(&a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_cover),     cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
