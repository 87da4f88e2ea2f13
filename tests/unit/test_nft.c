/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/nft.h"
#include "tests/support/test.h"

static struct lamp_set_entry entry(const char *prefix, uint8_t proto, uint16_t port, bool inside,
                                   uint64_t id)
{
    struct lamp_set_entry e = {
        .port = port, .ip_proto = proto, .inside = inside, .ttl_s = 60, .id = id
    };
    assert_int_equal(lamp_prefix_parse(prefix, &e.prefix), LAMP_OK);
    return e;
}

static char *render(enum lamp_enforce_mode mode, const struct lamp_set_entry *entries, size_t n)
{
    struct lamp_never never = { .n = 0 };
    struct lamp_prefix p;
    assert_int_equal(lamp_prefix_parse("127.0.0.0/8", &p), LAMP_OK);
    lamp_never_add(&never, &p, "loopback");
    const struct lamp_nft_plan plan = { mode, -10, &never, entries, n };
    char *text = NULL;
    assert_int_equal(lamp_nft_render(&plan, &text), LAMP_OK);
    return text;
}

static void test_off(void **state)
{
    (void)state;
    char *text = render(LAMP_ENFORCE_OFF, NULL, 0);
    assert_string_equal(text, "add table inet davylamp\ndelete table inet davylamp\n");
    free(text);
}

static void test_elements(void **state)
{
    (void)state;
    const struct lamp_set_entry entries[] = {
        entry("192.0.2.1", 0, 0, false, 1),    entry("198.51.100.0/24", 0, 0, false, 2),
        entry("192.0.2.2", 6, 3333, false, 3), entry("192.0.2.3", 0, 53, false, 4),
        entry("192.0.2.4", 17, 0, false, 5),   entry("2001:db8::1", 0, 0, false, 6),
        entry("10.0.0.7", 0, 0, true, 7),      entry("192.0.2.0/24", 17, 53, false, 8),
    };
    static const char *const want[] = {
        "\tset never4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 127.0.0.0/8 "
        "}\n\t}\n",
        "\tset never6 {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t}\n",
        "\tset outhost4 {\n\t\ttype ipv4_addr\n\t\tflags timeout\n\t\tcounter\n"
        "\t\telements = { 192.0.2.1 timeout 60s }\n\t}\n",
        "\tset outnet4 {\n\t\ttype ipv4_addr\n\t\tflags interval,timeout\n\t\tcounter\n"
        "\t\telements = { 198.51.100.0/24 timeout 60s }\n\t}\n",
        /* udp/53 of 192.0.2.3 lies within 192.0.2.0/24 udp/53 already */
        "\t\telements = { 192.0.2.2 . 6 . 3333 timeout 60s, 192.0.2.3 . 6 . 53 timeout 60s, "
        "192.0.2.0/24 . 17 . 53 timeout 60s }\n",
        "\t\telements = { 192.0.2.4 . 17 timeout 60s }\n",
        "\tset outhost6 {\n\t\ttype ipv6_addr\n\t\tflags timeout\n\t\tcounter\n"
        "\t\telements = { 2001:db8::1 timeout 60s }\n\t}\n",
        "\tset inhost4 {\n\t\ttype ipv4_addr\n\t\tflags timeout\n\t\tcounter\n"
        "\t\telements = { 10.0.0.7 timeout 60s }\n\t}\n",
        "\tchain lamp_forward {\n\t\ttype filter hook forward priority -10; policy accept;\n"
        "\t\tip daddr @never4 return\n\t\tip saddr @never4 return\n"
        "\t\tip6 daddr @never6 return\n\t\tip6 saddr @never6 return\n"
        "\t\tip daddr @outhost4 drop\n\t\tip saddr @outhost4 drop\n",
        "\t\tip daddr . meta l4proto . th dport @outport4 drop\n"
        "\t\tip saddr . meta l4proto . th sport @outport4 drop\n",
        "\t\tip saddr . meta l4proto . th dport @inport4 drop\n"
        "\t\tip daddr . meta l4proto . th sport @inport4 drop\n",
    };
    char *text = render(LAMP_ENFORCE_ON, entries, ARRAY_LEN(entries));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        if (!strstr(text, want[i]))
            fail_msg("not there:\n%s\nin:\n%s", want[i], text);
    assert_null(strstr(text, "hook output"));
    free(text);
    text = render(LAMP_ENFORCE_DRY_RUN, entries, ARRAY_LEN(entries));
    assert_null(strstr(text, " drop\n"));
    assert_non_null(strstr(text, "\t\tip daddr @outhost4 accept\n"));
    free(text);
}

static void test_hits(void **state)
{
    (void)state;
    const struct lamp_set_entry entries[] = {
        entry("192.0.2.1", 0, 0, false, 1),
        entry("192.0.2.3", 0, 53, false, 2),
        entry("198.51.100.0/24", 0, 0, false, 3),
        entry("192.0.2.1", 0, 0, true, 4),
    };
    static const char json[] =
        "{\"nftables\":[{\"metainfo\":{}},"
        "{\"set\":{\"name\":\"outhost4\",\"elem\":[{\"elem\":{\"val\":\"192.0.2.1\","
        "\"timeout\":60,\"counter\":{\"packets\":3,\"bytes\":180}}},"
        "{\"elem\":{\"val\":\"192.0.2.99\",\"counter\":{\"packets\":9,\"bytes\":9}}}]}},"
        "{\"set\":{\"name\":\"outnet4\",\"elem\":[{\"elem\":{\"val\":{\"prefix\":{\"addr\":"
        "\"198.51.100.0\",\"len\":24}},\"counter\":{\"packets\":7,\"bytes\":70}}}]}},"
        "{\"set\":{\"name\":\"inhost4\",\"elem\":[{\"elem\":{\"val\":\"192.0.2.1\","
        "\"counter\":{\"packets\":1,\"bytes\":60}}}]}},"
        "{\"set\":{\"name\":\"outport4\",\"elem\":["
        "{\"elem\":{\"val\":{\"concat\":[\"192.0.2.3\",\"tcp\",53]},"
        "\"counter\":{\"packets\":2,\"bytes\":20}}},"
        "{\"elem\":{\"val\":{\"concat\":[\"192.0.2.3\",17,53]},"
        "\"counter\":{\"packets\":4,\"bytes\":40}}}]}}]}";
    struct lamp_set_hits hits[4] = { { 0 } };
    assert_int_equal(lamp_nft_parse_hits(json, entries, 4, hits), LAMP_OK);
    static const uint64_t packets[] = { 3, 6, 7, 1 }, bytes[] = { 180, 60, 70, 60 };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(hits[i].packets, packets[i]);
        assert_int_equal(hits[i].bytes, bytes[i]);
    }
    static const char *const bad[] = { "", "{", "[]", "{\"nftables\":3}" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(lamp_nft_parse_hits(bad[i], entries, 4, hits), LAMP_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_hits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
