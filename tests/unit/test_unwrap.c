/* SPDX-License-Identifier: Apache-2.0 */
/* What the vectors of tests/data/recog do not reach: single heads and prefixes, packed streams
 * that lose their window, streams with holes, first looks. */
#include "tests/support/test.h"

#include "sensor/unwrap/prefix.h"
#include "sensor/unwrap/unwrap.h"

#include <zlib.h>

#define BYTES(text) ((struct lamp_bytes){ (const uint8_t *)(text), sizeof(text) - 1 })

/* ---- heads ---- */

static void test_heads(void **state)
{
    (void)state;
    struct lamp_http_head h;
    assert_int_equal(lamp_http_head(BYTES("POST /x HTTP/1.1\r\nHOST:a:1 \r\nuser-agent: b\r\n"
                                          "Authorization: basic  Ym9iOng=\r\nContent-Length: 12\r\n"
                                          "x-MINING-extensions: longpoll\r\nno header\r\n\r\n"),
                                    &h),
                     LAMP_OK);
    assert_false(h.is_response);
    assert_true(lamp_bytes_eq(h.method, "POST") && lamp_bytes_eq(h.target, "/x"));
    assert_true(lamp_bytes_eq(h.host, "a:1") && lamp_bytes_eq(h.agent, "b"));
    assert_true(lamp_bytes_eq(h.basic, "Ym9iOng="));
    assert_string_equal(h.mining, "header X-Mining-Extensions");
    assert_true(h.has_length && h.length == 12 && !h.chunked);

    assert_int_equal(lamp_http_head(BYTES("HTTP/1.1 101 x\nUpgrade: h2c, WebSocket\n"
                                          "Sec-WebSocket-Extensions: a, permessage-deflate; b=1\n"
                                          "Transfer-Encoding: gzip, chunked\n"),
                                    &h),
                     LAMP_OK);
    assert_true(h.is_response && h.status == 101 && h.websocket && h.deflate && h.chunked);

    static const char *const wrong[] = {
        "", "GET /", "HTTP/1.1 99 x\r\n", "HTTP/1.1 x\r\n", "GET / HTTP/2.0\r\n", "\r\n"
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(lamp_http_head(lamp_bytes_of(wrong[i]), &h), LAMP_EFORMAT);
    static const char *const lengths[] = { "-1", "", "1x", "18446744073709551616",
                                           "9007199254740993" };
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        char head[128];
        snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nContent-Length: %s\r\n\r\n", lengths[i]);
        assert_int_equal(lamp_http_head(lamp_bytes_of(head), &h), LAMP_OK);
        assert_false(h.has_length);
    }
}

static void test_authority(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {
        { "pool.example.org:3333", "pool.example.org", 3333 },
        { "pool.example.org", "pool.example.org", 0 },
        { "[2001:db8::1]:8080", "2001:db8::1", 8080 },
        { "[2001:db8::1", "2001:db8::1", 0 },
        { "a:65536", "a", 0 },
        { "", "", 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_bytes host;
        uint16_t port = 7;
        lamp_http_authority(lamp_bytes_of(cases[i].text), &host, &port);
        assert_true(lamp_bytes_eq(host, cases[i].host));
        assert_int_equal(port, cases[i].port);
    }
}

static void test_basic(void **state)
{
    (void)state;
    uint8_t buf[16];
    struct lamp_bytes user, password;
    assert_int_equal(
        lamp_http_basic(lamp_bytes_of("Qml0Y29pbjp4"), buf, sizeof(buf), &user, &password),
        LAMP_OK);
    assert_true(lamp_bytes_eq(user, "Bitcoin") && lamp_bytes_eq(password, "x"));
    assert_int_equal(lamp_http_basic(lamp_bytes_of("YTpiOmM="), buf, sizeof(buf), &user, &password),
                     LAMP_OK);
    assert_true(lamp_bytes_eq(user, "a") && lamp_bytes_eq(password, "b:c"));
    static const char *const wrong[] = { "", "====", "Ym9i", "!!!!", "Ym9iOng=x" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(
            lamp_http_basic(lamp_bytes_of(wrong[i]), buf, sizeof(buf), &user, &password),
            LAMP_EFORMAT);
    assert_int_equal(lamp_http_basic(lamp_bytes_of("MDEyMzQ1Njc4OTAxMjM0NTY3ODk="), buf,
                                     sizeof(buf), &user, &password),
                     LAMP_EFULL);
}

/* ---- prefixes ---- */

/* Every cut of a whole message is one that goes on; the message itself has its length. */
static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        int (*length)(struct lamp_bytes);
        struct lamp_bytes whole;
    } cases[] = {
        { lamp_proxy1_length, BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n") },
        { lamp_proxy2_length, BYTES("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x03"
                                    "abc") },
        { lamp_socks4_request_length, BYTES("\x04\x01\x00\x50\x01\x02\x03\x04me\0") },
        { lamp_socks4_request_length, BYTES("\x04\x01\x00\x50\0\0\0\x01me\0host\0") },
        { lamp_socks4_reply_length, BYTES("\0\x5a\0\0\0\0\0\0") },
        { lamp_socks5_hello_length, BYTES("\x05\x02\x00\x02") },
        { lamp_socks5_request_length, BYTES("\x01\x02me\x03key") },
        { lamp_socks5_request_length, BYTES("\x05\x01\0\x03\x04host\0\x50") },
        { lamp_socks5_request_length, BYTES("\x05\x01\0\x04"
                                            "0123456789abcdef\0\x50") },
        { lamp_socks5_method_length, BYTES("\x05\x02") },
        { lamp_socks5_reply_length, BYTES("\x01\0") },
        { lamp_socks5_reply_length, BYTES("\x05\0\0\x01\0\0\0\0\0\0") },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t n = 0; n <= cases[i].whole.len; n++) {
            uint8_t *copy = guarded_dup(cases[i].whole.data, n);
            const int got = cases[i].length((struct lamp_bytes){ copy, n });
            guarded_free(copy);
            if (got != (n == cases[i].whole.len ? (int)n : 0))
                fail_msg("case %zu, %zu bytes: %d", i, n, got);
        }
    }
}

static void test_refused_prefixes(void **state)
{
    (void)state;
    static const struct {
        int (*length)(struct lamp_bytes);
        struct lamp_bytes bytes;
    } cases[] = {
        { lamp_proxy2_length, BYTES("\r\n\r\n\0\r\nQUIT\n\x30\x00\x00\x03") }, /* version 3 */
        { lamp_proxy2_length, BYTES("\r\n\r\n\0\r\nQUIT\n\x20\x00\xff\xff") },
        { lamp_socks4_request_length, BYTES("\x04\x02\x00\x50\x01\x02\x03\x04me\0") }, /* BIND */
        { lamp_socks4_reply_length, BYTES("\0\x5b\0\0\0\0\0\0") },
        { lamp_socks5_hello_length, BYTES("\x05\x00") },
        { lamp_socks5_request_length, BYTES("\x05\x02\0\x01\0\0\0\0\0\0") }, /* BIND */
        { lamp_socks5_request_length, BYTES("\x05\x01\0\x02\0\0\0\0\0\0") },
        { lamp_socks5_method_length, BYTES("\x05\xff") },
        { lamp_socks5_reply_length, BYTES("\x05\x05\0\x01\0\0\0\0\0\0") },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (cases[i].length(cases[i].bytes) >= 0)
            fail_msg("case %zu is taken", i);
    char line[200];
    memset(line, 'x', sizeof(line));
    assert_true(lamp_proxy1_length((struct lamp_bytes){ (uint8_t *)line, sizeof(line) }) < 0);
    struct lamp_tunnel t = { 0 };
    lamp_proxy1_tunnel(BYTES("PROXY UNKNOWN\r\n"), &t);
    lamp_proxy1_tunnel(BYTES("PROXY TCP4 nonsense 1.2.3.4 1 2\r\n"), &t);
    lamp_proxy2_tunnel(BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x00"), &t); /* no room for them */
    assert_null(t.kind);
}

/* ---- streams ---- */

/* Everything that comes out of the bytes, in pieces of `step`, one after another. */
static size_t unwrapped(lamp_unwrapper *w, struct lamp_unwrap *u, enum lamp_dir dir,
                        struct lamp_bytes bytes, size_t step, char *out, size_t size)
{
    size_t n = 0;
    while (bytes.len) {
        const size_t len = lamp_min(step, bytes.len);
        uint8_t *copy = guarded_dup(bytes.data, len);
        struct lamp_bytes piece = { copy, len };
        struct lamp_unwrapped o;
        for (enum lamp_unwrap_event e; (e = lamp_unwrap_next(w, u, dir, &piece, &o));)
            if (e == LAMP_UNWRAP_BYTES) {
                assert_true(o.bytes.len <= size - n);
                memcpy(out + n, o.bytes.data, o.bytes.len);
                n += o.bytes.len;
            }
        assert_int_equal(piece.len, 0);
        guarded_free(copy);
        bytes.data += len;
        bytes.len -= len;
    }
    return n;
}

static void test_bodies_only(void **state)
{
    (void)state;
    static const char stream[] = "POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
                                 "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\n{\"b\r\n4;x=y\r\n\":2}\r\n0\r\nT: x\r\n\r\n"
                                 "PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
                                 "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na=b&c"
                                 "{\"line\":3}\n";
    for (size_t step = 1; step < sizeof(stream); step++) {
        lamp_unwrapper *w;
        struct lamp_unwrap u = { 0 };
        char out[256];
        assert_int_equal(lamp_unwrapper_new(2, 1, &w), LAMP_OK);
        const size_t n = unwrapped(w, &u, LAMP_UP, BYTES(stream), step, out, sizeof(out));
        out[n] = '\0';
        assert_string_equal(out, "{\"a\":1}{\"b\":2}{\"line\":3}\n");
        assert_true(u.hopeless); /* the form */
        lamp_unwrap_done(&u);
        lamp_unwrapper_free(w);
    }
}

/* A packed frame of text that goes on with the window of those before it. */
static size_t packed_frame(z_stream *z, const char *text, uint8_t *out, size_t size)
{
    z->next_in = (Bytef *)(uintptr_t)text;
    z->avail_in = (uInt)strlen(text);
    z->next_out = out + 4;
    z->avail_out = (uInt)size - 4;
    assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    const size_t len = size - 4 - z->avail_out - 4; /* without 00 00 ff ff */
    out[0] = 0xc1;
    out[1] = 126;
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)len;
    return len + 4;
}

/* Two packed streams share one decompressor: who comes second takes it, the first is given up.
 * A message of blanks that unpacks to more than is allowed is given up as well. */
static void test_packed(void **state)
{
    (void)state;
    lamp_unwrapper *w;
    assert_int_equal(lamp_unwrapper_new(2, 1, &w), LAMP_OK);
    struct lamp_unwrap u = { 0 };
    static const char upgrade[] = "HTTP/1.1 101 x\r\n\r\n";
    char out[64];
    uint8_t frame[4096];
    z_stream z[2] = { 0 };
    for (int dir = 0; dir < 2; dir++) {
        assert_int_equal(deflateInit2(&z[dir], 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
        unwrapped(w, &u, (enum lamp_dir)dir, BYTES(upgrade), 64, out, sizeof(out));
    }
    for (int i = 0; i < 3; i++) {
        const enum lamp_dir dir = i == 1 ? LAMP_DOWN : LAMP_UP;
        const size_t len = packed_frame(&z[dir], "{\"some\":\"text\"}", frame, sizeof(frame));
        const size_t n =
            unwrapped(w, &u, dir, (struct lamp_bytes){ frame, len }, 3, out, sizeof(out));
        assert_int_equal(n, i < 2 ? 15 : 0);
    }
    static char blanks[1 << 20];
    memset(blanks, ' ', sizeof(blanks) - 1);
    size_t len = packed_frame(&z[LAMP_DOWN], blanks, frame, sizeof(frame));
    assert_int_equal(unwrapped(w, &u, LAMP_DOWN, (struct lamp_bytes){ frame, len }, 64, out, 1), 0);
    len = packed_frame(&z[LAMP_DOWN], "{\"some\":\"text\"}", frame, sizeof(frame));
    assert_int_equal(unwrapped(w, &u, LAMP_DOWN, (struct lamp_bytes){ frame, len }, 64, out, 64),
                     0);
    deflateEnd(&z[0]);
    deflateEnd(&z[1]);
    lamp_unwrap_done(&u);
    lamp_unwrapper_free(w);
}

static void test_gap(void **state)
{
    (void)state;
    lamp_unwrapper *w;
    assert_int_equal(lamp_unwrapper_new(2, 1, &w), LAMP_OK);
    struct lamp_unwrap u = { 0 };
    char out[64];
    unwrapped(w, &u, LAMP_DOWN, BYTES("HTTP/1.1 101 x\r\n\r\n\x81\x05{\"a"), 64, out, sizeof(out));
    lamp_unwrap_gap(&u, LAMP_DOWN); /* the next frame is read */
    assert_int_equal(unwrapped(w, &u, LAMP_DOWN, BYTES("\x81\x02{}"), 64, out, sizeof(out)), 2);
    lamp_unwrap_done(&u);
    u = (struct lamp_unwrap){ 0 };
    unwrapped(w, &u, LAMP_UP, BYTES("POST / HTTP/1.1\r\nContent-Le"), 64, out, sizeof(out));
    lamp_unwrap_gap(&u, LAMP_UP); /* lines are looked for; a head ends that */
    assert_int_equal(unwrapped(w, &u, LAMP_UP, BYTES("{}\n"), 64, out, sizeof(out)), 3);
    assert_false(lamp_unwrap_again(&u, LAMP_UP, BYTES("Host: x\r\n")));
    assert_true(lamp_unwrap_again(&u, LAMP_UP, BYTES("POST / HT")));
    assert_int_equal(unwrapped(w, &u, LAMP_UP, BYTES("POST / HTTP/1.1\r\n\r\n"), 64, out, 64), 0);
    lamp_unwrap_done(&u);
    lamp_unwrapper_free(w);
}

static void test_first_look(void **state)
{
    (void)state;
    static const struct {
        struct lamp_bytes payload;
        enum lamp_unwrap_first want;
    } cases[] = {
        { BYTES("POST / HTTP/1.1\r\n"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("CONNECT a:1 HTTP/1.1\r\n"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), LAMP_UNWRAP_FIRST_NEVER },
        { BYTES("GET / HTTP/1.1\r\nupgrade: WebSocket\r\n\r\n"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("GET /LP HTTP/1.1\r\nX-Mining-Extensions: x"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"), LAMP_UNWRAP_FIRST_NEVER },
        { BYTES("HTTP/1.1 200 OK\r\nX-Stratum: x\r\n"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("\x05\x01\x00"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("\x05\x01\x00zzz"), LAMP_UNWRAP_FIRST_OTHER },
        { BYTES("\x04\x01\x0d\x05\x01\x02\x03\x04\0"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("\x81\x02{}"), LAMP_UNWRAP_FIRST_MAYBE },
        { BYTES("\x81\x02[]"), LAMP_UNWRAP_FIRST_OTHER },
        { BYTES("\x16\x03\x01\x02\x00"), LAMP_UNWRAP_FIRST_OTHER },
        { BYTES("G"), LAMP_UNWRAP_FIRST_OTHER },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t *copy = guarded_dup(cases[i].payload.data, cases[i].payload.len);
        const enum lamp_unwrap_first got =
            lamp_unwrap_first((struct lamp_bytes){ copy, cases[i].payload.len });
        guarded_free(copy);
        if (got != cases[i].want)
            fail_msg("%.30s: %d", (const char *)cases[i].payload.data, (int)got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_basic),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_refused_prefixes),
        cmocka_unit_test(test_bodies_only),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_first_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
