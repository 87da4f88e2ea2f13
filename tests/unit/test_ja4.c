/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/tls/hello.h"
#include "tests/support/hello.h"
#include "tests/support/test.h"

enum { MOST = 24 };

/* A hello to build: numbers end at 0, which stands for no value. */
struct offer {
    const char *label, *ja4, *sni, *alpn;
    uint16_t version, ciphers[MOST], extensions[MOST], signatures[MOST], versions[4];
};

/* The published examples of FoxIO's technical_details/JA4.md (Chrome; its lists are quoted there), the
 * same with random values put in and in another order, and what OpenSSL sends. */
#define CHROME_CIPHERS                                                                             \
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,        \
        0x009c, 0x009d, 0x002f, 0x0035
#define CHROME_SIGNATURES 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601
static const struct offer offers[] = {
    { "Chrome of the specification",
      "t13d1516h2_8daaf6152771_e5627efa2ab1",
      "a.example",
      "h2",
      0x0303,
      { 0x2a2a, CHROME_CIPHERS },
      { 0x3a3a, 0x001b, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
        0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x4a4a, 0xffff },
      { CHROME_SIGNATURES },
      { 0xdada, 0x0304, 0x0303 } },
    { "random values elsewhere, another order",
      "t13d1516h2_8daaf6152771_e5627efa2ab1",
      "b.example.org",
      "h2",
      0x0303,
      { CHROME_CIPHERS, 0xfafa },
      { 0x0015, 0x000a, 0x000b, 0xff01, 0x0a0a, 0x002b, 0x0012, 0x0023, 0x0005, 0x000d, 0x002d,
        0x0017, 0x4469, 0x0010, 0x0033, 0x001b, 0xffff },
      { 0xeaea, CHROME_SIGNATURES },
      { 0x0303, 0x0304, 0xfafa } },
    { "a newer Chrome",
      "t13d1516h2_8daaf6152771_d8a2da3f94cd",
      "c.example",
      "h2",
      0x0303,
      { CHROME_CIPHERS },
      { 0x002d, 0x0033, 0x0010, 0xfe0d, 0x0017, 0x44cd, 0x000b, 0x000a, 0x002b, 0xff01, 0x0023,
        0x0012, 0x0005, 0x000d, 0x001b, 0xffff },
      { CHROME_SIGNATURES },
      { 0x0304, 0x0303 } },
    { "neither name nor extensions",
      "t12i010000_ba72b8082249_000000000000",
      "",
      "",
      0x0303,
      { 0x002f },
      { 0xffff },
      { 0 },
      { 0 } },
    { "ALPN that is no text",
      "t12i0101ab_ba72b8082249_000000000000",
      "",
      "\xa1\x0b",
      0x0303,
      { 0x002f },
      { 0x0010, 0xffff },
      { 0 },
      { 0 } },
    { "ALPN of one letter",
      "t11i0101aa_ba72b8082249_000000000000",
      "",
      "a",
      0x0302,
      { 0x002f },
      { 0x0010, 0xffff },
      { 0 },
      { 0 } },
};

static void put_list(struct hello *h, const uint16_t *v, size_t prefix)
{
    size_t n = 0;
    while (n < MOST && v[n])
        n++;
    if (prefix == 1)
        put(h, &(uint8_t){ (uint8_t)(2 * n) }, 1);
    else
        put16(h, 2 * n);
    for (size_t i = 0; i < n; i++)
        put16(h, v[i]);
}

static void put_extension(struct hello *h, const struct offer *o, uint16_t type)
{
    put16(h, type);
    const size_t at = h->len;
    put16(h, 0);
    if (type == 0x0010) {
        const size_t len = strlen(o->alpn);
        put16(h, len + 1);
        put(h, &(uint8_t){ (uint8_t)len }, 1);
        put(h, o->alpn, len);
    } else if (type == 0x000d) {
        put_list(h, o->signatures, 2);
    } else if (type == 0x002b) {
        put_list(h, o->versions, 1);
    }
    set16(h, at, h->len - at - 2);
}

/* The handshake message. */
static void build(struct hello *h, const struct offer *o)
{
    static const uint8_t random[32];
    *h = (struct hello){ 0 };
    put(h, "\x01\0\0\0", 4);
    put16(h, o->version);
    put(h, random, sizeof(random));
    put(h, "", 1);
    put_list(h, o->ciphers, 2);
    put(h, "\x01", 2); /* one compression method: none */
    const size_t at = h->len;
    put16(h, 0);
    const size_t name = strlen(o->sni);
    if (name) {
        put16(h, 0);
        put16(h, name + 5);
        put16(h, name + 3);
        put(h, "", 1);
        put16(h, name);
        put(h, o->sni, name);
    }
    for (size_t i = 0; i < MOST && o->extensions[i] != 0xffff; i++)
        put_extension(h, o, o->extensions[i]);
    set16(h, at, h->len - at - 2);
    set16(h, 2, h->len - 4);
}

static void test_fingerprints(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
        struct hello h;
        build(&h, &offers[i]);
        uint8_t *copy = guarded_dup(h.b, h.len);
        struct lamp_tls_hello hello;
        char ja4[LAMP_TLS_JA4];
        assert_int_equal(lamp_tls_hello_message((struct lamp_bytes){ copy, h.len }, &hello),
                         LAMP_OK);
        assert_true(lamp_bytes_eq(hello.sni, offers[i].sni));
        struct lamp_tls_offer offer;
        lamp_tls_offer_of(&hello, &offer);
        lamp_tls_ja4(&offer, ja4);
        guarded_free(copy);
        if (!streq(ja4, offers[i].ja4))
            fail_msg("%s: %s, not %s", offers[i].label, ja4, offers[i].ja4);
    }
}

/* What breaks off has no fingerprint, and no byte beyond it is read. */
static void test_cut(void **state)
{
    (void)state;
    struct hello h;
    build(&h, &offers[0]);
    for (size_t len = 0; len < h.len; len++) {
        uint8_t *copy = guarded_dup(h.b, len);
        struct lamp_tls_hello hello;
        if (lamp_tls_hello_message((struct lamp_bytes){ copy, len }, &hello) == LAMP_OK) {
            char ja4[LAMP_TLS_JA4];
            struct lamp_tls_offer offer;
            lamp_tls_offer_of(&hello, &offer);
            lamp_tls_ja4(&offer, ja4);
            assert_string_equal(ja4, "");
        }
        guarded_free(copy);
    }
}

static void test_server_hello(void **state)
{
    (void)state;
    struct hello h = { 0 };
    static const uint8_t random[32];
    put(&h, "\x02\0\0\0\x03\x03", 6);
    put(&h, random, 32);
    put(&h, "", 1);
    put(&h, "\x13\x01", 3); /* cipher, compression */
    const size_t plain = h.len;
    put16(&h, 6);
    put(&h, "\0\x2b\0\x02\x03\x04", 6);
    uint16_t version = 0;
    assert_true(lamp_tls_server_hello((struct lamp_bytes){ h.b, h.len }, &version));
    assert_int_equal(version, 0x0304);
    assert_true(lamp_tls_server_hello((struct lamp_bytes){ h.b, plain }, &version));
    assert_int_equal(version, 0x0303);
    assert_false(lamp_tls_server_hello((struct lamp_bytes){ h.b, 5 }, &version));
    h.b[0] = 1;
    assert_false(lamp_tls_server_hello((struct lamp_bytes){ h.b, h.len }, &version));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_server_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
