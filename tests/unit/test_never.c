/* SPDX-License-Identifier: Apache-2.0 */
#include "common/never.h"
#include "tests/support/test.h"

#include "common/io.h"

static struct lamp_prefix prefix(const char *text)
{
    struct lamp_prefix p;
    assert_int_equal(lamp_prefix_parse(text, &p), LAMP_OK);
    return p;
}

static void add(struct lamp_never *n, const char *text)
{
    const struct lamp_prefix p = prefix(text);
    lamp_never_add(n, &p, "test");
}

static void test_no_overlap(void **state)
{
    (void)state;
    struct lamp_never n = { .n = 0 };
    add(&n, "10.1.2.3");
    add(&n, "10.9.0.0/16");
    add(&n, "10.0.0.0/8"); /* swallows both */
    add(&n, "10.4.4.4");   /* is swallowed */
    assert_int_equal(n.n, 1);
    add(&n, "192.0.2.0/24");
    assert_int_equal(n.n, 2);
}

static void test_hits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool hit;
    } cases[] = {
        { "127.0.0.5", true },       { "8.0.0.0/6", false },       { "224.0.0.251", true },
        { "fe80::1", true },         { "2001:db8::1", false },     { "198.51.100.53", true },
        { "198.51.100.0/24", true }, { "198.51.101.0/24", false }, { "0.0.0.0/0", true },
    };
    struct lamp_never n = { .n = 0 };
    lamp_never_add_fixed(&n);
    add(&n, "198.51.100.53");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_prefix p = prefix(cases[i].text);
        if ((lamp_never_hit(&n, &p, false) != NULL) != cases[i].hit)
            fail_msg("%s: hit is not %d", cases[i].text, cases[i].hit);
    }
}

static void test_bounded(void **state)
{
    (void)state;
    struct lamp_never n = { .n = 0 };
    for (unsigned i = 0; i < LAMP_NEVER_MAX + 10; i++) {
        const struct lamp_addr a =
            lamp_addr_from_v4((const uint8_t[]){ 10, 0, (uint8_t)(i >> 8), (uint8_t)i });
        lamp_never_add_addr(&n, &a, "test");
    }
    assert_int_equal(n.n, LAMP_NEVER_MAX);
    assert_int_equal(n.refused, 10);
}

static void put(const char *root, const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s", root, dir);
    assert_int_equal(lamp_io_mkdirs(path, 0755), LAMP_OK);
    snprintf(path, sizeof(path), "%s%s/%s", root, dir, name);
    assert_int_equal(lamp_io_replace_file(path, text, strlen(text), 0644), LAMP_OK);
}

static void test_machine(void **state)
{
    (void)state;
    char root[] = "/tmp/lamp-never-XXXXXX";
    assert_non_null(mkdtemp(root));
    /* The kernel prints the u32 as it lies in memory: C0000201 is 192.0.2.1 on big-endian. */
    const uint32_t gw = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 0xc0000201U : 0x010200c0U;
    char routes[256];
    snprintf(routes, sizeof(routes),
             "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
             "eth0\t00000000\t%08X\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
             "eth0\t0000000A\t0500000A\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n",
             gw);
    put(root, "/proc/net", "route", routes);
    put(root, "/proc/net", "ipv6_route",
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
        "20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n");
    put(root, "/etc", "resolv.conf",
        "# nameserver 203.0.113.9\nsearch example.org\n"
        "nameserver 203.0.113.53\nnameserver fe80::1%eth0\n"
        "nameserver nonsense\n");
    struct lamp_never n = { .n = 0 };
    assert_int_equal(lamp_never_add_machine(&n, root), 0);
    static const struct {
        const char *text;
        bool hit;
    } cases[] = {
        { "192.0.2.1", true },    { "10.0.0.5", false },    { "2001:db8::1", true },
        { "203.0.113.53", true }, { "203.0.113.9", false }, { "127.0.0.1", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_prefix p = prefix(cases[i].text);
        if ((lamp_never_hit(&n, &p, false) != NULL) != cases[i].hit)
            fail_msg("%s: hit is not %d", cases[i].text, cases[i].hit);
    }
    char cmd[64];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
    assert_int_equal(system(cmd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_overlap),
        cmocka_unit_test(test_hits),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
