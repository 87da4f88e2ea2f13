/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/rollup/dns.h"
#include "tests/support/hello.h"
#include "tests/support/test.h"

static const uint8_t addr4[4] = { 203, 0, 113, 7 };

static int parse(const struct hello *h, size_t len, struct lamp_dns *out)
{
    uint8_t *copy = guarded_dup(h->b, len);
    const int err = lamp_dns_parse((struct lamp_bytes){ copy, len }, out);
    guarded_free(copy);
    return err;
}

static void test_answer(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_dns d;
    make_answer(&h, "Pool.Example.org", 2);
    put_a(&h, 12, 300, addr4);
    put_a(&h, 12, 60, (const uint8_t[]){ 203, 0, 113, 8 });
    assert_int_equal(parse(&h, h.len, &d), LAMP_OK);
    assert_string_equal(d.name, "pool.example.org");
    assert_true(d.is_response);
    assert_int_equal(d.type, 1);
    assert_int_equal(d.n_addrs, 2);
    assert_int_equal(d.addrs[0].ttl_s, 300);
    assert_int_equal(d.addrs[1].ttl_s, 60);
    char text[LAMP_ADDR_STRLEN];
    assert_string_equal(lamp_addr_str(&d.addrs[1].addr, text), "203.0.113.8");
    assert_false(d.cut);
}

static void test_alias(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_dns d;
    make_answer(&h, "pool.example.org", 3);
    put16(&h, 0xc000 | 12);
    put(&h, "\0\x05\0\x01\0\0\0\x1e", 8);
    const size_t at = h.len;
    put16(&h, 0);
    put_name(&h, "eu.cdn.example");
    set16(&h, at, h.len - at - 2);
    put_a(&h, at + 2, 300, addr4);
    put_a(&h, 12, 300, addr4); /* the name is an alias now: this address is not its */
    assert_int_equal(parse(&h, h.len, &d), LAMP_OK);
    assert_string_equal(d.name, "pool.example.org");
    assert_int_equal(d.n_addrs, 1);
    assert_int_equal(d.addrs[0].ttl_s, 30); /* the least on the way */
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_dns d;
    make_answer(&h, "a.example", 2);
    const size_t question = h.len;
    put_a(&h, 12, 300, addr4);
    put_a(&h, 12, 300, addr4);
    for (size_t len = 0; len <= h.len; len++) {
        const int err = parse(&h, len, &d);
        assert_int_equal(err, len < question ? LAMP_EFORMAT : LAMP_OK);
        if (err == LAMP_OK) {
            assert_int_equal(d.cut, len < h.len);
            assert_int_equal(d.n_addrs, (len - question) / 16);
        }
    }
}

/* Pointers that lead to themselves, forwards, in circles, or into the header. */
static void test_loops(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_dns d;
    static const uint16_t targets[] = { 12, 14, 13, 4, 0, 0x3fff };
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        h = (struct hello){ 0 };
        put(&h, "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0", 12);
        put16(&h, 0xc000 | targets[i]);
        put(&h, "\0\x01\0\x01", 4);
        assert_int_equal(parse(&h, h.len, &d), LAMP_EFORMAT);
    }
    make_answer(&h, "a.example", 1);
    const size_t at = h.len;
    put_a(&h, at, 300, addr4); /* the owner points at itself */
    assert_int_equal(parse(&h, h.len, &d), LAMP_OK);
    assert_true(d.cut);
    assert_int_equal(d.n_addrs, 0);

    /* many pointers, each to the one before: more hops than we follow */
    make_answer(&h, "a", LAMP_DNS_RECORDS);
    size_t before = 12;
    for (unsigned i = 0; i < LAMP_DNS_HOPS + 2; i++) {
        const size_t here = h.len;
        put_a(&h, before, 300, addr4);
        before = here;
    }
    assert_int_equal(parse(&h, h.len, &d), LAMP_OK);
    assert_true(d.cut);
    assert_int_equal(d.n_addrs, LAMP_DNS_ADDRS);
}

static void test_limits(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_dns d;
    char name[512] = "";
    /* 4 labels of 62 and one of 1: 253 characters, the most there can be */
    for (unsigned i = 0; i < 4; i++) {
        memset(name + 63 * i, 'a', 62);
        name[63 * i + 62] = '.';
    }
    memcpy(name + 252, "b", 2);
    make_answer(&h, name, 0);
    assert_int_equal(parse(&h, h.len, &d), LAMP_OK);
    assert_int_equal(strlen(d.name), 253);
    memcpy(name + 252, "bb", 3);
    make_answer(&h, name, 0);
    assert_int_equal(parse(&h, h.len, &d), LAMP_EFORMAT);

    make_answer(&h, "a.example", 40);
    for (unsigned i = 0; i < 40; i++)
        put_a(&h, 12, 1, addr4);
    assert_int_equal(parse(&h, h.len, &d), LAMP_OK);
    assert_int_equal(d.n_addrs, LAMP_DNS_ADDRS);
    assert_true(d.cut);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        size_t at;
        uint8_t value;
    } cases[] = {
        { "an update", 2, 0xa8 },
        { "two questions", 5, 2 },
        { "a query with answers", 2, 0x01 },
        { "no host name", 13, '<' },
        { "a reserved kind of label", 12, 0x81 },
        { "another class", 26, 3 },
    };
    struct hello h;
    struct lamp_dns d;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_answer(&h, "a.example", 1);
        h.b[cases[i].at] = cases[i].value;
        if (parse(&h, h.len, &d) != LAMP_EFORMAT)
            fail_msg("%s", cases[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),       cmocka_unit_test(test_alias),
        cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_loops),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
