/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/engine/decode.h"
#include "sensor/engine/decode_fragments.h"
#include "tests/support/frames.h"

enum { SRC = 0x0a000001, DST = 0xc6336407, SPORT = 40000, DPORT = 3333, SEQ = 1000, HEAD = 32 };

static const char line[] = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";

/* A datagram: TCP with `line`, or UDP with it. The first HEAD bytes are the first fragment. */
static size_t datagram(uint8_t *out, bool tcp)
{
    struct frame f = { .len = 0 };
    if (tcp)
        put_tcp(&f, SPORT, DPORT, SEQ, LAMP_TCP_ACK | LAMP_TCP_PSH);
    else
        put_udp(&f, SPORT, DPORT, sizeof(line) - 1);
    put(&f, line, sizeof(line) - 1);
    memcpy(out, f.b, f.len);
    return f.len;
}

static void fragment4(struct frame *f, unsigned id, bool tcp, size_t from, size_t to)
{
    uint8_t d[256];
    size_t len = datagram(d, tcp);
    if (to > len)
        to = len;
    f->len = 0;
    put_ip4(f, tcp ? 6 : 17, SRC, DST, to - from);
    f->b[4] = (uint8_t)(id >> 8), f->b[5] = (uint8_t)id;
    f->b[6] = (uint8_t)((to < len ? 0x20 : 0) | from / 8 >> 8), f->b[7] = (uint8_t)(from / 8);
    put(f, d + from, to - from);
}

static void fragment6(struct frame *f, unsigned id, bool tcp, size_t from, size_t to)
{
    uint8_t d[256];
    size_t len = datagram(d, tcp);
    if (to > len)
        to = len;
    f->len = 0;
    put_ip6(f, 44, 1, 2, 8 + to - from);
    put8(f, tcp ? 6 : 17), put8(f, 0);
    put16(f, (unsigned)(from | (to < len))), put32(f, id);
    put(f, d + from, to - from);
}

typedef void maker(struct frame *f, unsigned id, bool tcp, size_t from, size_t to);

static lamp_decoder *decoder(size_t max)
{
    lamp_decoder *d;
    assert_int_equal(lamp_decoder_new(&(struct lamp_decoder_cfg){ .max_datagrams = max }, &d), 0);
    return d;
}

static enum lamp_decode feed(lamp_decoder *d, const struct frame *f, uint64_t t_us,
                             struct lamp_pkt *pkt)
{
    static uint8_t *copy; /* lives until the next one, as the packet borrows it */
    if (copy)
        guarded_free(copy);
    copy = NULL;
    if (!f)
        return LAMP_DECODE_COUNT;
    copy = guarded_dup(f->b, f->len);
    const struct lamp_frame frame = { copy, (uint32_t)f->len, (uint32_t)f->len, t_us, 101 };
    return lamp_decode_frame(d, &frame, pkt);
}

/* What the fragments of a TCP datagram say, put where their sequence numbers say. */
static void test_tcp_is_whole(void **state)
{
    (void)state;
    static maker *const makers[] = { fragment4, fragment6 };
    static const size_t order[][3] = { { HEAD, 48, 56 }, { 48, 56, HEAD }, { 56, HEAD, 48 } };
    for (size_t m = 0; m < 2 * ARRAY_LEN(order); m++) {
        maker *make = makers[m % 2];
        const size_t *starts = order[m / 2];
        lamp_decoder *d = decoder(16);
        struct frame f;
        struct lamp_pkt pkt;
        char got[sizeof(line)] = "";
        make(&f, 7, true, 0, HEAD);
        assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_TCP);
        assert_int_equal(pkt.tcp_seq, SEQ);
        assert_int_equal(pkt.payload.len, HEAD - 20);
        assert_int_equal(pkt.payload_orig_len, HEAD - 20);
        memcpy(got, pkt.payload.data, pkt.payload.len);
        for (size_t i = 0; i < 3; i++) {
            size_t end = starts[i] == HEAD ? 48 : starts[i] == 48 ? 56 : 200;
            make(&f, 7, true, starts[i], end);
            assert_int_equal(feed(d, &f, 2, &pkt), LAMP_DECODE_TCP_FRAGMENT);
            assert_int_equal(pkt.src_port, SPORT);
            assert_int_equal(pkt.dst_port, DPORT);
            assert_int_equal(pkt.ip_proto, LAMP_IPPROTO_TCP);
            assert_int_equal(pkt.tcp_flags, LAMP_TCP_ACK | LAMP_TCP_PSH);
            assert_int_equal(pkt.payload.len, pkt.payload_orig_len);
            assert_true(pkt.tcp_seq - SEQ + pkt.payload.len < sizeof(line));
            memcpy(got + (pkt.tcp_seq - SEQ), pkt.payload.data, pkt.payload.len);
        }
        assert_string_equal(got, line);
        /* complete, so forgotten: the same number again is another datagram */
        make(&f, 7, true, HEAD, 48);
        assert_int_equal(feed(d, &f, 2, &pkt), LAMP_DECODE_FRAGMENT);
        lamp_decoder_free(d);
    }
    feed(NULL, NULL, 0, NULL);
}

/* Later fragments of UDP have the ports, and no payload: they are no message of their own. */
static void test_udp(void **state)
{
    (void)state;
    lamp_decoder *d = decoder(16);
    struct frame f;
    struct lamp_pkt pkt;
    fragment4(&f, 7, false, 0, HEAD);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_UDP_CUT);
    assert_int_equal(pkt.payload.len, HEAD - 8);
    assert_int_equal(pkt.payload_orig_len, sizeof(line) - 1);
    fragment4(&f, 7, false, HEAD, 200);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_UDP_FRAGMENT);
    assert_int_equal(pkt.dst_port, DPORT);
    assert_int_equal(pkt.payload.len, 0);
    assert_int_equal(pkt.frag_off, HEAD / 8);
    lamp_decoder_free(d);
    feed(NULL, NULL, 0, NULL);
}

/* The inner packet of a fragmented tunnel: its later bytes come in the outer one's fragments. */
static void test_in_tunnel(void **state)
{
    (void)state;
    uint8_t inner[256];
    struct frame whole = { .len = 0 }, f = { .len = 0 };
    size_t len = datagram(inner, true);
    put_ip4(&whole, 6, SRC, DST, len);
    put(&whole, inner, len);

    lamp_decoder *d = decoder(16);
    struct lamp_pkt pkt;
    put_ip4(&f, 4, 1, 2, 48);
    f.b[6] = 0x20;
    put(&f, whole.b, 48);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_TCP);
    assert_int_equal(pkt.payload.len, 8);
    f.len = 0;
    put_ip4(&f, 4, 1, 2, whole.len - 48);
    f.b[7] = 48 / 8;
    put(&f, whole.b + 48, whole.len - 48);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_TCP_FRAGMENT);
    assert_int_equal(pkt.tcp_seq, SEQ + 8);
    assert_int_equal(pkt.dst_port, DPORT);
    assert_memory_equal(pkt.payload.data, line + 8, sizeof(line) - 1 - 8);
    lamp_decoder_free(d);
    feed(NULL, NULL, 0, NULL);
}

static void test_named_ends(void **state)
{
    (void)state;
    lamp_decoder *d = decoder(16);
    struct frame f;
    struct lamp_pkt pkt;
    fragment4(&f, 7, true, HEAD, 48);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_FRAGMENT); /* before its first */
    assert_int_equal(feed(NULL, &f, 1, &pkt), LAMP_DECODE_FRAGMENT);
    fragment4(&f, 7, true, 0, HEAD);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_TCP);
    fragment4(&f, 8, true, HEAD, 48);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_FRAGMENT); /* of another datagram */
    fragment4(&f, 7, false, HEAD, 48);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_FRAGMENT); /* of another protocol */
    fragment4(&f, 7, true, 24, 40);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_FRAGMENT_OVERLAP);
    fragment4(&f, 7, true, HEAD, 48);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_TCP_FRAGMENT);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_FRAGMENT_OVERLAP);
    fragment4(&f, 7, true, 48, 56);
    assert_int_equal(feed(d, &f, 1 + LAMP_FRAGMENT_US, &pkt), LAMP_DECODE_FRAGMENT); /* too old */
    lamp_decoder_free(d);

    /* a first fragment too short for the TCP header: counted, but nobody knows where the later
     * bytes belong */
    d = decoder(16);
    fragment4(&f, 7, true, 0, 16);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_TCP_CUT);
    fragment4(&f, 7, true, 16, 200);
    assert_int_equal(feed(d, &f, 1, &pkt), LAMP_DECODE_TCP_FRAGMENT);
    assert_int_equal(pkt.payload.len, 0);
    lamp_decoder_free(d);
    feed(NULL, NULL, 0, NULL);
}

/* Pieces with holes between them are bounded. */
static void test_holes(void **state)
{
    (void)state;
    lamp_fragments *t;
    assert_int_equal(lamp_fragments_new(1, &t), LAMP_OK);
    const struct lamp_datagram_key key = { .id = 1 };
    const struct lamp_pkt first = { .ip_proto = LAMP_IPPROTO_UDP };
    struct lamp_pkt pkt;
    bool stream;
    lamp_fragments_first(t, &key, &(struct lamp_fragment){ .end = 8, .t_us = 1 }, &first, 0);
    unsigned taken = 0;
    enum lamp_fragment_fit fit = LAMP_FRAGMENT_FITS;
    for (uint32_t at = 16; fit == LAMP_FRAGMENT_FITS && at < 65536; at += 16, taken++)
        fit = lamp_fragments_later(t, &key, &(struct lamp_fragment){ at, at + 8, false, 1 }, &pkt,
                                   &stream);
    assert_int_equal(fit, LAMP_FRAGMENT_PIECES);
    assert_in_range(taken, 4, 16);
    /* filling a hole makes room */
    assert_int_equal(
        lamp_fragments_later(t, &key, &(struct lamp_fragment){ 8, 16, false, 1 }, &pkt, &stream),
        LAMP_FRAGMENT_FITS);
    lamp_fragments_free(t);
    assert_int_equal(lamp_fragments_new(0, &t), LAMP_EINVAL);
}

/* A flood of first fragments takes no more room than there is, and is counted. */
static void test_flood(void **state)
{
    (void)state;
    lamp_decoder *d = decoder(64);
    struct frame f;
    struct lamp_pkt pkt;
    for (unsigned id = 0; id < 5000; id++) {
        fragment4(&f, id, true, 0, HEAD);
        assert_int_equal(feed(d, &f, 1000 + id, &pkt), LAMP_DECODE_TCP);
    }
    assert_int_equal(lamp_decoder_evicted(d), 5000 - 64);
    unsigned found = 0;
    for (unsigned id = 0; id < 5000; id++) {
        fragment4(&f, id, true, HEAD, 48);
        found += feed(d, &f, 7000, &pkt) == LAMP_DECODE_TCP_FRAGMENT;
    }
    assert_int_equal(found, 64);
    lamp_decoder_free(d);
    feed(NULL, NULL, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_is_whole), cmocka_unit_test(test_udp),
        cmocka_unit_test(test_in_tunnel),    cmocka_unit_test(test_named_ends),
        cmocka_unit_test(test_holes),        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
