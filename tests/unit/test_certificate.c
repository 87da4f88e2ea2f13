/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/tls/certificate.h"
#include "tests/support/hello.h"
#include "tests/support/test.h"

/* An element of DER around what `put` writes between begin() and end(). */
static size_t begin(struct hello *h, uint8_t tag)
{
    put(h, &tag, 1);
    put(h, "\x82\0\0", 3);
    return h->len;
}

static void end(struct hello *h, size_t at)
{
    set16(h, at - 2, h->len - at);
}

static void put_common_name(struct hello *h, const char *name)
{
    const size_t all = begin(h, 0x30), set = begin(h, 0x31), pair = begin(h, 0x30);
    put(h, "\x06\x03\x55\x04\x03", 5);
    const size_t text = begin(h, 0x0c);
    put(h, name, strlen(name));
    end(h, text);
    end(h, pair);
    end(h, set);
    end(h, all);
}

/* A Certificate message with one certificate; names: of subjectAltName, NULL-terminated. */
static void build(struct hello *h, const char *issuer, const char *subject,
                  const char *const *names)
{
    *h = (struct hello){ 0 };
    put(h, "\x0b\0\0\0\0\0\0\0\0\0", 10);
    const size_t cert = begin(h, 0x30), tbs = begin(h, 0x30);
    put(h, "\xa0\x03\x02\x01\x02\x02\x01\x07\x30\0", 10); /* version, serial, algorithm */
    put_common_name(h, issuer);
    put(h, "\x30\0", 2); /* validity */
    put_common_name(h, subject);
    put(h, "\x30\0", 2); /* key */
    const size_t three = begin(h, 0xa3), list = begin(h, 0x30);
    put(h, "\x30\x07\x06\x03\x55\x1d\x0f\x04\0", 9); /* another extension */
    const size_t ext = begin(h, 0x30);
    put(h, "\x06\x03\x55\x1d\x11\x01\x01\xff", 8); /* subjectAltName, critical */
    const size_t octets = begin(h, 0x04), alternatives = begin(h, 0x30);
    for (; *names; names++) {
        put(h, "\x82", 1);
        put(h, &(uint8_t){ (uint8_t)strlen(*names) }, 1);
        put(h, *names, strlen(*names));
    }
    end(h, alternatives);
    end(h, octets);
    end(h, ext);
    end(h, list);
    end(h, three);
    end(h, tbs);
    end(h, cert);
    set16(h, 2, h->len - 4);
    set16(h, 5, h->len - 7);
    set16(h, 8, h->len - 10);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *issuer, *subject;
        const char *names[12];
        size_t n;
        bool self_signed;
    } cases[] = {
        { "CA", "pool.example", { "pool.example", "*.pool.example" }, 3, false },
        { "pool", "pool", { NULL }, 1, true },
        { "CA",
          "",
          { "a", "b", "c", "d", "e", "f", "g", "h", "i" },
          LAMP_CERTIFICATE_NAMES,
          false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hello h;
        build(&h, cases[i].issuer, cases[i].subject, cases[i].names);
        uint8_t *copy = guarded_dup(h.b, h.len);
        struct lamp_certificate got;
        assert_int_equal(lamp_certificate_message((struct lamp_bytes){ copy, h.len }, &got),
                         LAMP_OK);
        assert_int_equal(got.n_names, cases[i].n);
        assert_int_equal(got.self_signed, cases[i].self_signed);
        if (*cases[i].subject)
            assert_true(lamp_bytes_eq(got.names[0], cases[i].subject));
        if (cases[i].n == 3)
            assert_true(lamp_bytes_eq(got.names[2], "*.pool.example"));
        guarded_free(copy);
    }
}

/* What breaks off gives what is there, or nothing; no byte beyond it is read. */
static void test_cut_and_bent(void **state)
{
    (void)state;
    static const char *const names[] = { "pool.example", NULL };
    struct hello h;
    build(&h, "CA", "pool.example", names);
    size_t read = 0;
    for (size_t len = 0; len < h.len; len++) {
        uint8_t *copy = guarded_dup(h.b, len);
        struct lamp_certificate got;
        read += lamp_certificate_message((struct lamp_bytes){ copy, len }, &got) == LAMP_OK;
        guarded_free(copy);
    }
    assert_true(read > 0 && read < h.len);
    for (size_t at = 0; at < h.len; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t *copy = guarded_dup(h.b, h.len);
            copy[at] ^= (uint8_t)(1U << bit);
            struct lamp_certificate got;
            if (lamp_certificate_message((struct lamp_bytes){ copy, h.len }, &got) == LAMP_OK)
                assert_true(got.n_names <= LAMP_CERTIFICATE_NAMES);
            guarded_free(copy);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_cut_and_bent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
