/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/nft.h"
#include "tests/support/test.h"

#define NOW UINT64_C(1700000000000000)
#define SECOND UINT64_C(1000000)

static struct lamp_element element(const char *prefix, uint8_t proto, uint16_t port, bool inside,
                                   uint64_t id)
{
    struct lamp_element e = {
        .port = port, .ip_proto = proto, .inside = inside, .until_us = NOW + 60 * SECOND, .id = id
    };
    assert_int_equal(lamp_prefix_parse(prefix, &e.prefix), LAMP_OK);
    return e;
}

static struct lamp_never loopback(void)
{
    struct lamp_never never = { .n = 0 };
    struct lamp_prefix p;
    assert_int_equal(lamp_prefix_parse("127.0.0.0/8", &p), LAMP_OK);
    lamp_never_add(&never, &p, "loopback");
    assert_int_equal(lamp_prefix_parse("10.0.0.0/24", &p), LAMP_OK);
    lamp_never_add_net(&never, &p, "own network"); /* no rule: it would let everything through */
    return never;
}

static char *render(enum lamp_enforce_mode mode, struct lamp_element *v, size_t n)
{
    const struct lamp_never never = loopback();
    char *text = NULL;
    if (n)
        qsort(v, n, sizeof(*v), lamp_element_cmp);
    const struct lamp_nft_table t = { mode, -10, &never, v, n };
    assert_int_equal(lamp_nft_render(&t, NOW, &text), LAMP_OK);
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
    struct lamp_element v[] = {
        element("192.0.2.1", 0, 0, false, 1),    element("198.51.100.0/24", 0, 0, false, 2),
        element("192.0.2.2", 6, 3333, false, 3), element("192.0.2.0/24", 17, 53, false, 8),
        element("192.0.2.4", 17, 0, false, 5),   element("2001:db8::1", 0, 0, false, 6),
        element("10.0.0.7", 0, 0, true, 7),
    };
    static const char *const want[] = {
        "\tset never4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 127.0.0.0/8 "
        "}\n\t}\n",
        "\tset never6 {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t}\n",
        "\tset outhost4 {\n\t\ttype ipv4_addr\n\t\tflags timeout\n\t\tcounter\n"
        "\t\telements = { 192.0.2.1 timeout 60s }\n\t}\n",
        "\tset outnet4 {\n\t\ttype ipv4_addr\n\t\tflags interval,timeout\n\t\tcounter\n"
        "\t\telements = { 198.51.100.0/24 timeout 60s }\n\t}\n",
        "\t\telements = { 192.0.2.2 . 6 . 3333 timeout 60s, 192.0.2.0/24 . 17 . 53 timeout 60s }\n",
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
    char *text = render(LAMP_ENFORCE_ON, v, ARRAY_LEN(v));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        if (!strstr(text, want[i]))
            fail_msg("not there:\n%s\nin:\n%s", want[i], text);
    assert_null(strstr(text, "hook output"));
    assert_null(strstr(text, "10.0.0.0/24"));
    free(text);
    text = render(LAMP_ENFORCE_DRY_RUN, v, ARRAY_LEN(v));
    assert_null(strstr(text, " drop\n"));
    assert_non_null(strstr(text, "\t\tip daddr @outhost4 accept\n"));
    free(text);
}

/* What goes goes before what comes, so that a renewed element is both in one transaction. */
static void test_changes(void **state)
{
    (void)state;
    const struct lamp_element a = element("192.0.2.1", 0, 0, false, 1),
                              b = element("192.0.2.2", 0, 0, false, 2),
                              c = element("2001:db8::/64", 6, 443, true, 3);
    const struct lamp_nft_change changes[] = { { &a, NULL }, { &b, &b }, { NULL, &c } };
    char *text;
    assert_int_equal(lamp_nft_render_changes(changes, ARRAY_LEN(changes), NOW, &text), LAMP_OK);
    assert_string_equal(text, "delete element inet davylamp outhost4 { 192.0.2.1, 192.0.2.2 }\n"
                              "add element inet davylamp outhost4 { 192.0.2.2 timeout 60s }\n"
                              "add element inet davylamp inport6 { 2001:db8::/64 . 6 . 443 timeout "
                              "60s }\n");
    free(text);
}

#define ELEM(val, rest) "{\"elem\":{\"val\":" val ",\"timeout\":60,\"expires\":50" rest "}}"
#define HIT(p, b) ",\"counter\":{\"packets\":" #p ",\"bytes\":" #b "}"
#define CHAIN "{\"chain\":{\"name\":\"lamp_forward\",\"handle\":1}},"

static void test_reading(void **state)
{
    (void)state;
    const struct lamp_never never = loopback();
    struct lamp_element v[] = {
        element("192.0.2.1", 0, 0, false, 1),   element("192.0.2.3", 6, 53, false, 2),
        element("192.0.2.3", 17, 53, false, 2), element("198.51.100.0/24", 0, 0, false, 3),
        element("192.0.2.1", 0, 0, true, 4),
    };
    qsort(v, ARRAY_LEN(v), sizeof(*v), lamp_element_cmp);
    static const char json[] =
        "{\"nftables\":[{\"metainfo\":{}}," CHAIN
        "{\"set\":{\"name\":\"never4\",\"elem\":[{\"prefix\":{\"addr\":\"127.0.0.0\",\"len\":8}}]}}"
        ","
        "{\"set\":{\"name\":\"outhost4\",\"elem\":[" ELEM("\"192.0.2.1\"", HIT(3, 180)) "," ELEM(
            "\"192.0.2.99\"",
            HIT(9, 9)) "]}},"
                       "{\"set\":{\"name\":\"outnet4\",\"elem\":[" ELEM(
                           "{\"prefix\":{\"addr\":\"198.51.100.0\",\"len\":24}}",
                           HIT(7, 70)) "]}},"
                                       "{\"set\":{\"name\":\"outport4\",\"elem\":[" ELEM(
                                           "{\"concat\":[\"192.0.2.3\",\"tcp\",53]}",
                                           HIT(2,
                                               20)) "," ELEM("{\"concat\":[\"192.0.2.3\",17,53]}",
                                                             HIT(4, 40)) "]}}]}";
    struct lamp_nft_seen seen;
    assert_int_equal(lamp_nft_parse(json, &never, v, ARRAY_LEN(v), NOW, &seen), LAMP_OK);
    assert_int_equal(seen.foreign, 1); /* 192.0.2.99 */
    assert_int_equal(seen.missing, 1); /* the inside host */
    static const uint64_t packets[] = { 3, 7, 2, 4, 0 };
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        assert_int_equal(v[i].packets, packets[i]);
        assert_int_equal(v[i].seen, packets[i] != 0);
    }
    static const struct {
        const char *label, *json;
        size_t missing, foreign;
    } cases[] = {
        { "nothing", "", 2, 0 },
        { "as it should be",
          "{\"set\":{\"name\":\"never4\",\"elem\":[{\"prefix\":{\"addr\":\"127.0.0.0\",\"len\":8}}]"
          "}},"
          "{\"set\":{\"name\":\"outhost4\",\"elem\":[" ELEM("\"192.0.2.1\"", HIT(0, 0)) "]}},",
          0, 0 },
        { "holds for ever",
          "{\"set\":{\"name\":\"never4\",\"elem\":[{\"prefix\":{\"addr\":\"127.0.0.0\",\"len\":8}}]"
          "}},"
          "{\"set\":{\"name\":\"outhost4\",\"elem\":[{\"elem\":{\"val\":\"192.0.2.1\"" HIT(
              0, 0) "}}]}},",
          1, 1 },
        { "holds too long",
          "{\"set\":{\"name\":\"never4\",\"elem\":[{\"prefix\":{\"addr\":\"127.0.0.0\",\"len\":8}}]"
          "}},"
          "{\"set\":{\"name\":\"outhost4\",\"elem\":[{\"elem\":{\"val\":\"192.0.2.1\",\"expires\":"
          "90" HIT(0, 0) "}}]}},",
          0, 1 },
        { "more that is never blocked",
          "{\"set\":{\"name\":\"never4\",\"elem\":[{\"prefix\":{\"addr\":\"127.0.0.0\",\"len\":8}},"
          "{\"range\":[\"8.0.0.0\",\"9.0.0.5\"]}]}},"
          "{\"set\":{\"name\":\"outhost4\",\"elem\":[" ELEM("\"192.0.2.1\"", HIT(0, 0)) "]}},",
          0, 1 },
    };
    struct lamp_element one = element("192.0.2.1", 0, 0, false, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[1024];
        snprintf(text, sizeof(text), "{\"nftables\":[%s" CHAIN "{\"metainfo\":{}}]}",
                 cases[i].json);
        assert_int_equal(lamp_nft_parse(text, &never, &one, 1, NOW, &seen), LAMP_OK);
        if (seen.missing != cases[i].missing || seen.foreign != cases[i].foreign)
            fail_msg("%s: missing %zu, foreign %zu", cases[i].label, seen.missing, seen.foreign);
    }
    static const char *const bad[] = { "", "{", "[]", "{\"nftables\":3}" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(lamp_nft_parse(bad[i], &never, v, ARRAY_LEN(v), NOW, &seen), LAMP_EFORMAT);
    assert_int_equal(lamp_nft_parse("{\"nftables\":[]}", &never, v, ARRAY_LEN(v), NOW, &seen),
                     LAMP_ENOENT);
}

/* The digest of the rules changes with them, not with handles. */
static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        bool same;
    } cases[] = {
        { "{\"rule\":{\"handle\":7,\"expr\":[1,{\"drop\":null}]}}", true },
        { "{\"rule\":{\"expr\":[1,{\"drop\":null}],\"handle\":9}}", true },
        { "{\"rule\":{\"handle\":7,\"expr\":[1,{\"accept\":null}]}}", false },
        { "{\"rule\":{\"handle\":7,\"expr\":[1,{\"drop\":null}]}},{\"rule\":{\"expr\":[]}}",
          false },
        { "{\"metainfo\":{}}", false },
    };
    const struct lamp_never none = { .n = 0 };
    struct lamp_nft_seen first, seen;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        snprintf(text, sizeof(text), "{\"nftables\":[" CHAIN "%s]}", cases[i].rule);
        assert_int_equal(lamp_nft_parse(text, &none, NULL, 0, NOW, &seen), LAMP_OK);
        if (i == 0)
            first = seen;
        if ((memcmp(first.rules, seen.rules, sizeof(seen.rules)) == 0) != cases[i].same)
            fail_msg("%s: not %d", cases[i].rule, cases[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),     cmocka_unit_test(test_elements),
        cmocka_unit_test(test_changes), cmocka_unit_test(test_reading),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
