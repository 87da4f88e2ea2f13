/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/cut.h"
#include "tests/support/test.h"

static struct lamp_element element(const char *prefix, uint8_t proto, uint16_t port, bool inside)
{
    struct lamp_element e = { .port = port, .ip_proto = proto, .inside = inside };
    assert_int_equal(lamp_prefix_parse(prefix, &e.prefix), LAMP_OK);
    return e;
}

/* A connection from..to, behind whose address translation the site is `public`. */
static struct lamp_cut_flow flow(const char *from, uint16_t sport, const char *to, uint16_t dport,
                                 uint8_t proto, const char *public)
{
    struct lamp_cut_flow f = { .ip_proto = proto };
    assert_int_equal(lamp_addr_parse(from, &f.src[0]), LAMP_OK);
    assert_int_equal(lamp_addr_parse(to, &f.dst[0]), LAMP_OK);
    f.src[1] = f.dst[0];
    assert_int_equal(lamp_addr_parse(public, &f.dst[1]), LAMP_OK);
    f.sport[0] = f.dport[1] = sport;
    f.dport[0] = f.sport[1] = dport;
    return f;
}

static const struct {
    const char *label, *from;
    uint16_t sport;
    const char *to;
    uint16_t dport;
    uint8_t proto;
    bool want;
} cases[] = {
    { "the host", "10.0.0.9", 40000, "192.0.2.1", 3333, 6, true },
    { "the host, UDP", "10.0.0.9", 40000, "192.0.2.1", 53, 17, true },
    { "from the host", "192.0.2.1", 40000, "10.0.0.9", 22, 6, true },
    { "its neighbour", "10.0.0.9", 40000, "192.0.2.2", 3333, 6, false },
    { "in the prefix", "10.0.0.9", 40000, "198.51.100.77", 443, 6, true },
    { "past the prefix", "10.0.0.9", 40000, "198.51.101.0", 443, 6, false },
    { "the port", "10.0.0.9", 40000, "203.0.113.5", 3333, 6, true },
    { "the port, UDP", "10.0.0.9", 40000, "203.0.113.5", 3333, 17, false },
    { "another port", "10.0.0.9", 3333, "203.0.113.5", 443, 6, false },
    { "the protocol", "10.0.0.9", 40000, "203.0.113.6", 1, 17, true },
    { "another protocol", "10.0.0.9", 40000, "203.0.113.6", 1, 6, false },
    { "an inside host", "10.0.0.7", 40000, "8.8.8.8", 443, 6, true },
    { "towards an inside host", "8.8.8.8", 40000, "10.0.0.7", 22, 6, true },
    { "an inside host's port", "10.0.0.8", 40000, "8.8.8.8", 3333, 6, true },
    { "an inside host's other port", "10.0.0.8", 3333, "8.8.8.8", 443, 6, false },
    { "IPv6", "2001:db8:9::1", 1, "2001:db8:1::77", 443, 6, true },
    { "IPv6 past it", "2001:db8:9::1", 1, "2001:db8:2::77", 443, 6, false },
};

static void test_covers(void **state)
{
    (void)state;
    const struct lamp_element v[] = {
        element("192.0.2.1", 0, 0, false),       element("198.51.100.0/24", 0, 0, false),
        element("203.0.113.5", 6, 3333, false),  element("203.0.113.6", 17, 0, false),
        element("10.0.0.7", 0, 0, true),         element("10.0.0.8", 6, 3333, true),
        element("2001:db8:1::/48", 0, 0, false),
    };
    lamp_cut_index *x;
    assert_int_equal(lamp_cut_index_new(v, ARRAY_LEN(v), &x), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_cut_flow f = flow(cases[i].from, cases[i].sport, cases[i].to,
                                            cases[i].dport, cases[i].proto, cases[i].from);
        if (lamp_cut_covers(x, &f) != cases[i].want)
            fail_msg("%s: not %d", cases[i].label, cases[i].want);
    }
    /* Behind translation: the inside host is in one direction only. */
    const struct lamp_cut_flow nat = flow("10.0.0.7", 40000, "8.8.8.8", 443, 6, "192.0.2.200");
    assert_true(lamp_cut_covers(x, &nat));
    lamp_cut_index_free(x);
    assert_int_equal(lamp_cut_index_new(NULL, 0, &x), LAMP_OK);
    assert_false(lamp_cut_covers(x, &nat));
    lamp_cut_index_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_covers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
