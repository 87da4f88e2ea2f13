/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/tls/hello.h"
#include "tests/support/hello.h"
#include "tests/support/test.h"

static int parse(const uint8_t *p, size_t len, struct lamp_tls_hello *out)
{
    uint8_t *copy = guarded_dup(p, len);
    const int err = lamp_tls_client_hello((struct lamp_bytes){ copy, len }, out);
    /* names borrow the copy: what a test looks at are their lengths and the original */
    if (err == LAMP_OK && out->sni.len)
        out->sni.data = p + (out->sni.data - copy);
    if (err == LAMP_OK && out->alpn.len)
        out->alpn.data = p + (out->alpn.data - copy);
    guarded_free(copy);
    return err;
}

static void test_whole(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_tls_hello got;
    make_hello(&h, "pool.example.org", "h2", 0);
    assert_int_equal(parse(h.b, h.len, &got), LAMP_OK);
    assert_true(lamp_bytes_eq(got.sni, "pool.example.org"));
    assert_true(lamp_bytes_eq(got.alpn, "h2"));
    assert_true(got.web);
    assert_false(got.cut);
    assert_int_equal(got.version, 0x0303);

    make_hello(&h, "", "mqtt", 0);
    assert_int_equal(parse(h.b, h.len, &got), LAMP_OK);
    assert_int_equal(got.sni.len, 0);
    assert_false(got.web);
}

/* A hello that goes on in a later segment gives what is in the first: never anything wrong,
 * and never less with more bytes. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_tls_hello got;
    make_hello(&h, "a.example", "http/1.1", 700);
    size_t first_with_sni = 0;
    for (size_t len = 0; len <= h.len; len++) {
        const int err = parse(h.b, len, &got);
        if (len < 9) {
            assert_int_equal(err, LAMP_EFORMAT);
            continue;
        }
        assert_int_equal(err, LAMP_OK);
        assert_int_equal(got.cut, len < h.len);
        assert_true(got.sni.len == 0 || lamp_bytes_eq(got.sni, "a.example"));
        if (got.sni.len && !first_with_sni)
            first_with_sni = len;
        assert_true(!first_with_sni || got.sni.len);
    }
    assert_true(first_with_sni > 0 && first_with_sni < h.len - 700);
}

/* A hello spread over two records says what its first record holds. */
static void test_two_records(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_tls_hello got;
    make_hello(&h, "a.example", "h2", 300);
    h.b[3] = 0;
    h.b[4] = 200;
    assert_int_equal(parse(h.b, h.len, &got), LAMP_OK);
    assert_true(got.cut);
    assert_true(lamp_bytes_eq(got.sni, "a.example"));
}

static void test_refused(void **state)
{
    (void)state;
    struct hello h;
    struct lamp_tls_hello got = { .version = 7 };
    static const struct {
        const char *label;
        size_t at;
        uint8_t value;
    } cases[] = {
        { "not a handshake", 0, 23 },        { "no TLS", 1, 4 },
        { "record too long", 3, 0xff },      { "a server hello", 5, 2 },
        { "longer than its record", 6, 1 },  { "version", 9, 9 },
        { "session id", 43, 200 },           { "odd list of ciphers", 45, 3 },
        { "extensions too long", 51, 0xff }, { "name longer than its list", 60, 200 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_hello(&h, "pool.example.org", "h2", 0);
        h.b[cases[i].at] = cases[i].value;
        const int err = parse(h.b, h.len, &got);
        /* where only a length grows, the rest may be in a later record */
        if (err != LAMP_EFORMAT && !(err == LAMP_OK && got.cut))
            fail_msg("%s: %d", cases[i].label, err);
    }
    assert_int_equal(parse((const uint8_t *)"", 0, &got), LAMP_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_two_records),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
