/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/rollup/apps.h"
#include "tests/support/hello.h"
#include "tests/support/test.h"

#define BYTES(s) s, sizeof(s) - 1

static const struct {
    const char *label;
    uint8_t ip_proto;
    uint16_t port;
    enum lamp_dir dir;
    const char *payload;
    size_t len;
    enum lamp_app app;
    const char *name;
} cases[] = {
    { "request", 6, 8000, LAMP_UP,
      BYTES("GET / HTTP/1.1\r\nAccept: */*\r\nhost:\t a.example \r\n\r\n"), LAMP_APP_HTTP,
      "a.example" },
    { "host in a later segment", 6, 80, LAMP_UP, BYTES("GET / HTTP/1.1\r\nHost: a.exam"),
      LAMP_APP_HTTP, "" },
    { "no host", 6, 80, LAMP_UP, BYTES("POST /x HTTP/1.0\r\n\r\nHost: body\r\n"), LAMP_APP_HTTP,
      "" },
    { "response", 6, 80, LAMP_DOWN, BYTES("HTTP/1.1 200 OK\r\n"), LAMP_APP_HTTP, "" },
    { "request from the server", 6, 80, LAMP_DOWN, BYTES("GET / HTTP/1.1\r\n"), LAMP_APP_UNKNOWN,
      "" },
    { "ssh", 6, 2222, LAMP_DOWN, BYTES("SSH-2.0-OpenSSH_9.2\r\n"), LAMP_APP_SSH, "" },
    { "bittorrent", 6, 6881, LAMP_UP,
      BYTES("\x13"
            "BitTorrent protocol........"),
      LAMP_APP_BITTORRENT, "" },
    { "server hello", 6, 8883, LAMP_DOWN, BYTES("\x16\x03\x03\0\x50\x02\0\0\x4c"), LAMP_APP_TLS,
      "" },
    { "quic", 17, 4433, LAMP_UP,
      BYTES("\xc3\0\0\0\x01\x08"
            "12345678"),
      LAMP_APP_QUIC, "" },
    { "quic of no known version", 17, 4433, LAMP_UP,
      BYTES("\xc3\x12\0\0\x01\x08"
            "12345678"),
      LAMP_APP_UNKNOWN, "" },
    { "stun", 17, 5000, LAMP_UP,
      BYTES("\0\x01\0\0\x21\x12\xa4\x42"
            "123456789012"),
      LAMP_APP_STUN, "" },
    { "ntp", 17, 123, LAMP_UP,
      BYTES(
          "\x23\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
          "\0\0\0\0\0"),
      LAMP_APP_NTP, "" },
    { "dht", 17, 6881, LAMP_UP, BYTES("d1:ad2:id20:aaaa"), LAMP_APP_BITTORRENT, "" },
    { "nothing", 6, 443, LAMP_UP, BYTES("x"), LAMP_APP_UNKNOWN, "" },
};

static void test_payloads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        /* every shorter payload is read within its bounds too */
        for (size_t len = 0; len <= cases[i].len; len++) {
            uint8_t *copy = guarded_dup(cases[i].payload, len);
            const struct lamp_app_seen got = lamp_app_look(
                cases[i].ip_proto, cases[i].port, cases[i].dir, (struct lamp_bytes){ copy, len });
            if (len == cases[i].len &&
                (got.app != cases[i].app || !lamp_bytes_eq(got.name, cases[i].name)))
                fail_msg("%s: %s, %.*s", cases[i].label, lamp_app_name(got.app), (int)got.name.len,
                         got.name.len ? (const char *)got.name.data : "");
            guarded_free(copy);
        }
    }
}

static void test_tls(void **state)
{
    (void)state;
    struct hello h;
    make_hello(&h, "a.example", "h2", 0);
    struct lamp_bytes b = { h.b, h.len };
    struct lamp_app_seen got = lamp_app_look(6, 9443, LAMP_UP, b);
    assert_int_equal(got.app, LAMP_APP_HTTPS); /* by what is offered */
    assert_true(lamp_bytes_eq(got.name, "a.example"));
    make_hello(&h, "a.example", "mqtt", 0);
    b.len = h.len;
    assert_int_equal(lamp_app_look(6, 9443, LAMP_UP, b).app, LAMP_APP_TLS);
    assert_int_equal(lamp_app_look(6, 443, LAMP_UP, b).app, LAMP_APP_HTTPS);
}

static void test_ports(void **state)
{
    (void)state;
    assert_int_equal(lamp_app_of_port(17, 53), LAMP_APP_DNS);
    assert_int_equal(lamp_app_of_port(6, 53), LAMP_APP_DNS);
    assert_int_equal(lamp_app_of_port(6, 443), LAMP_APP_HTTPS);
    assert_int_equal(lamp_app_of_port(17, 443), LAMP_APP_QUIC);
    assert_int_equal(lamp_app_of_port(6, 123), LAMP_APP_UNKNOWN);
    assert_string_equal(lamp_app_name(LAMP_APP_UNKNOWN), "");
    assert_string_equal(lamp_app_name(LAMP_APP_NTP), "ntp");
}

static void test_dns_message(void **state)
{
    (void)state;
    const uint8_t tcp[] = { 0, 3, 'a', 'b', 'c', 'd' };
    struct lamp_bytes got = lamp_app_dns(6, 53, (struct lamp_bytes){ tcp, 6 });
    assert_true(lamp_bytes_eq(got, "abc"));
    got = lamp_app_dns(6, 53, (struct lamp_bytes){ tcp, 4 });
    assert_true(lamp_bytes_eq(got, "ab"));
    assert_int_equal(lamp_app_dns(6, 53, (struct lamp_bytes){ tcp, 1 }).len, 0);
    assert_int_equal(lamp_app_dns(17, 53, (struct lamp_bytes){ tcp, 6 }).len, 6);
    assert_int_equal(lamp_app_dns(17, 54, (struct lamp_bytes){ tcp, 6 }).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_dns_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
