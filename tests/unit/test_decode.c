/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/engine/decode.h"
#include "sensor/engine/decode_plain.h"
#include "tests/support/frames.h"
#include "tests/support/rng.h"

enum { SRC = 0x0a000001, DST = 0xc6336407, SPORT = 40000, DPORT = 3333 };

static void tcp_segment(struct frame *f, size_t payload)
{
    put_tcp(f, SPORT, DPORT, 1000, LAMP_TCP_ACK | LAMP_TCP_PSH);
    for (size_t i = 0; i < payload; i++)
        put8(f, 'a');
}

static void ip4_tcp(struct frame *f, size_t payload)
{
    put_ip4(f, LAMP_IPPROTO_TCP, SRC, DST, 20 + payload);
    tcp_segment(f, payload);
}

static void ip4_udp(struct frame *f, size_t payload)
{
    put_ip4(f, LAMP_IPPROTO_UDP, SRC, DST, 8 + payload);
    put_udp(f, SPORT, DPORT, payload);
    for (size_t i = 0; i < payload; i++)
        put8(f, 'u');
}

static void ip6_tcp(struct frame *f, size_t payload)
{
    put_ip6(f, LAMP_IPPROTO_TCP, 1, 2, 20 + payload);
    tcp_segment(f, payload);
}

/* -- makers: one frame each ---------------------------------------------------------- */

static void plain(struct frame *f)
{
    put_ether(f, 0x0800);
    ip4_tcp(f, 10);
}
static void padded(struct frame *f)
{
    plain(f);
    put32(f, 0);
    put16(f, 0);
}
static void udp(struct frame *f)
{
    put_ether(f, 0x0800);
    ip4_udp(f, 10);
}
static void tcp6(struct frame *f)
{
    put_ether(f, 0x86dd);
    ip6_tcp(f, 10);
}
static void udp6(struct frame *f)
{
    put_ether(f, 0x86dd);
    put_ip6(f, LAMP_IPPROTO_UDP, 1, 2, 8 + 10);
    put_udp(f, SPORT, DPORT, 10);
    for (int i = 0; i < 10; i++)
        put8(f, 'u');
}
static void arp(struct frame *f)
{
    put_ether(f, 0x0806);
    put32(f, 0);
}
static void llc(struct frame *f)
{
    put_ether(f, 38);
    put32(f, 0x42420300);
}
static void runt(struct frame *f)
{
    put32(f, 0);
}
static void zeros(struct frame *f, int n)
{
    while (n-- > 0)
        put8(f, 0);
}
static void sll2(struct frame *f)
{
    put16(f, 0x0800);
    zeros(f, 18);
    ip4_tcp(f, 10);
}
static void sll(struct frame *f)
{
    zeros(f, 14);
    put16(f, 0x86dd);
    ip6_tcp(f, 10);
}
static void raw4(struct frame *f)
{
    ip4_tcp(f, 10);
}
static void raw6(struct frame *f)
{
    ip6_tcp(f, 10);
}
static void raw_other(struct frame *f)
{
    put32(f, 0x50000000);
}
static void null_le(struct frame *f)
{
    put32(f, 0x02000000);
    ip4_tcp(f, 10);
}
static void null_be(struct frame *f)
{
    put32(f, 0x0000001e);
    ip6_tcp(f, 10);
}
static void null_other(struct frame *f)
{
    put32(f, 7);
    ip4_tcp(f, 10);
}

static void qinq(struct frame *f)
{
    put_ether(f, 0x88a8);
    put_vlan(f, 0x2064, 0x8100); /* priority 1, id 100 */
    put_vlan(f, 0, 0x8100);      /* priority tag: no VLAN */
    put_vlan(f, 200, 0x0800);
    ip4_tcp(f, 10);
}

static void deep_vlan(struct frame *f)
{
    put_ether(f, 0x8100);
    for (int i = 0; i < 5; i++)
        put_vlan(f, 1, i < 4 ? 0x8100 : 0x0800);
    ip4_tcp(f, 10);
}

static void vlan_cut(struct frame *f)
{
    put_ether(f, 0x8100);
    put16(f, 1);
}

static void options4(struct frame *f)
{
    put_ip4(f, LAMP_IPPROTO_TCP, SRC, DST, 4 + 20 + 10);
    f->b[0] = 0x46;
    put32(f, 0x01010101);
    tcp_segment(f, 10);
}

static void tso4(struct frame *f)
{
    ip4_tcp(f, 10);
    f->b[2] = f->b[3] = 0;
}
static void icmp(struct frame *f)
{
    put_ip4(f, 1, SRC, DST, 8);
    put32(f, 0x08000000);
    put32(f, 0);
}
static void fragment_later(struct frame *f)
{
    ip4_tcp(f, 10);
    f->b[6] = 0x20;
    f->b[7] = 5;
}
static void fragment_first(struct frame *f)
{
    ip4_udp(f, 10);
    f->b[6] = 0x20;
    f->b[25] = 200;
}
static void header4_short(struct frame *f)
{
    ip4_tcp(f, 0);
    f->len = 19;
}
static void header4_tiny(struct frame *f)
{
    ip4_tcp(f, 0);
    f->b[0] = 0x44;
}
static void version4(struct frame *f)
{
    ip4_tcp(f, 0);
    f->b[0] = 0x65;
}
static void length4_long(struct frame *f)
{
    ip4_tcp(f, 10);
    f->b[3]++;
}
static void length4_tiny(struct frame *f)
{
    ip4_tcp(f, 10);
    f->b[3] = 19;
}
static void options4_lie(struct frame *f)
{
    put_ip4(f, 6, SRC, DST, 4);
    f->b[0] = 0x46;
}
static void header6_short(struct frame *f)
{
    ip6_tcp(f, 0);
    f->len = 39;
}
static void length6_long(struct frame *f)
{
    ip6_tcp(f, 10);
    f->b[5]++;
}

static void ext6(struct frame *f)
{
    put_ip6(f, 0, 1, 2, 8 + 16 + 8 + 12 + 20 + 10);
    put32(f, 43U << 24), put32(f, 0); /* hop-by-hop, then routing */
    put32(f, 44U << 24 | 1 << 16), put32(f, 0), put32(f, 0), put32(f, 0); /* then fragment */
    put32(f, 51U << 24), put32(f, 0); /* a whole datagram, then AH */
    put32(f, 6U << 24 | 1 << 16), put32(f, 0), put32(f, 0);
    tcp_segment(f, 10);
}

static void ext6_cut(struct frame *f)
{
    put_ip6(f, 60, 1, 2, 8);
    put32(f, 6U << 24 | 9 << 16), put32(f, 0);
}

static void ext6_deep(struct frame *f)
{
    put_ip6(f, 60, 1, 2, 10 * 8 + 20);
    for (int i = 0; i < 10; i++)
        put32(f, (i < 9 ? 60U : 6U) << 24), put32(f, 0);
    tcp_segment(f, 0);
}

static void fragment6(struct frame *f)
{
    put_ip6(f, 44, 1, 2, 8 + 20);
    put32(f, 6U << 24 | 8), put32(f, 0);
    tcp_segment(f, 0);
}

static void ports_cut(struct frame *f)
{
    put_ip4(f, 6, SRC, DST, 3);
    put16(f, 1);
    put8(f, 2);
}
static void udp_ports_cut(struct frame *f)
{
    put_ip4(f, 17, SRC, DST, 3);
    put16(f, 1);
    put8(f, 2);
}
static void offset_tiny(struct frame *f)
{
    ip4_tcp(f, 10);
    f->b[32] = 0x40;
}
static void offset_long(struct frame *f)
{
    ip4_tcp(f, 10);
    f->b[32] = 0xf0;
}
static void udp_tiny(struct frame *f)
{
    ip4_udp(f, 10);
    f->b[25] = 7;
}
static void udp_long(struct frame *f)
{
    ip4_udp(f, 10);
    f->b[25]++;
}
static void udp_trailing(struct frame *f)
{
    ip4_udp(f, 12);
    f->b[25] -= 2;
}

static const struct {
    const char *label;
    void (*make)(struct frame *f);
    int linktype;
    enum lamp_decode want;
    uint32_t cut;      /* bytes that the capture left out at the end */
    int payload, orig; /* captured and original length of the payload; -1: no packet */
} cases[] = {
    { "plain", plain, 1, LAMP_DECODE_TCP, 0, 10, 10 },
    { "padding is trimmed", padded, 1, LAMP_DECODE_TCP, 0, 10, 10 },
    { "payload cut", plain, 1, LAMP_DECODE_TCP_CUT, 4, 6, 10 },
    { "only padding cut", padded, 1, LAMP_DECODE_TCP, 4, 10, 10 },
    { "payload all cut", plain, 1, LAMP_DECODE_TCP_CUT, 10, 0, 10 },
    { "TCP header cut", plain, 1, LAMP_DECODE_TCP_CUT, 10 + 8, 0, 0 },
    { "cut after the flags", plain, 1, LAMP_DECODE_TCP_CUT, 10 + 6, 0, 10 },
    { "ports cut", plain, 1, LAMP_DECODE_TCP_SHORT, 10 + 18, -1, -1 },
    { "udp", udp, 1, LAMP_DECODE_UDP, 0, 10, 10 },
    { "udp payload cut", udp, 1, LAMP_DECODE_UDP_CUT, 3, 7, 10 },
    { "udp header cut", udp, 1, LAMP_DECODE_UDP_CUT, 12, 0, 0 },
    { "udp trailing bytes", udp_trailing, 101, LAMP_DECODE_UDP, 0, 10, 10 },
    { "ipv6", tcp6, 1, LAMP_DECODE_TCP, 0, 10, 10 },
    { "arp", arp, 1, LAMP_DECODE_NOT_IP, 0, -1, -1 },
    { "802.3", llc, 1, LAMP_DECODE_NOT_IP, 0, -1, -1 },
    { "runt", runt, 1, LAMP_DECODE_LINK_SHORT, 0, -1, -1 },
    { "qinq", qinq, 1, LAMP_DECODE_TCP, 0, 10, 10 },
    { "five tags", deep_vlan, 1, LAMP_DECODE_VLAN_DEPTH, 0, -1, -1 },
    { "tag cut", vlan_cut, 1, LAMP_DECODE_VLAN_SHORT, 0, -1, -1 },
    { "sll", sll, 113, LAMP_DECODE_TCP, 0, 10, 10 },
    { "sll2", sll2, 276, LAMP_DECODE_TCP, 0, 10, 10 },
    { "raw 4", raw4, 101, LAMP_DECODE_TCP, 0, 10, 10 },
    { "raw 6", raw6, 101, LAMP_DECODE_TCP, 0, 10, 10 },
    { "raw neither", raw_other, 101, LAMP_DECODE_IP_VERSION, 0, -1, -1 },
    { "link IPv4", raw4, 228, LAMP_DECODE_TCP, 0, 10, 10 },
    { "link IPv6", raw6, 229, LAMP_DECODE_TCP, 0, 10, 10 },
    { "null little-endian", null_le, 0, LAMP_DECODE_TCP, 0, 10, 10 },
    { "null big-endian", null_be, 0, LAMP_DECODE_TCP, 0, 10, 10 },
    { "loop", null_be, 108, LAMP_DECODE_TCP, 0, 10, 10 },
    { "null other family", null_other, 0, LAMP_DECODE_NOT_IP, 0, -1, -1 },
    { "unknown link", raw4, 148, LAMP_DECODE_LINK_UNKNOWN, 0, -1, -1 },
    { "options", options4, 101, LAMP_DECODE_TCP, 0, 10, 10 },
    { "options past the end", options4_lie, 101, LAMP_DECODE_IP_LENGTH, 0, -1, -1 },
    { "total length 0", tso4, 101, LAMP_DECODE_TCP, 0, 10, 10 },
    { "total length 0, payload cut", tso4, 101, LAMP_DECODE_TCP_CUT, 4, 6, 10 },
    { "icmp", icmp, 101, LAMP_DECODE_OTHER_IP, 0, -1, -1 },
    { "later fragment", fragment_later, 101, LAMP_DECODE_FRAGMENT, 0, -1, -1 },
    { "first fragment", fragment_first, 101, LAMP_DECODE_UDP_CUT, 0, 10, 192 },
    { "IPv4 header short", header4_short, 101, LAMP_DECODE_IP4_SHORT, 0, -1, -1 },
    { "IPv4 header tiny", header4_tiny, 101, LAMP_DECODE_IP4_HEADER, 0, -1, -1 },
    { "version", version4, 228, LAMP_DECODE_IP_VERSION, 0, -1, -1 },
    { "IPv4 length lie", length4_long, 101, LAMP_DECODE_IP_LENGTH, 0, -1, -1 },
    { "IPv4 length tiny", length4_tiny, 101, LAMP_DECODE_IP_LENGTH, 0, -1, -1 },
    { "IPv6 header short", header6_short, 101, LAMP_DECODE_IP6_SHORT, 0, -1, -1 },
    { "IPv6 length lie", length6_long, 101, LAMP_DECODE_IP_LENGTH, 0, -1, -1 },
    { "extension headers", ext6, 101, LAMP_DECODE_TCP, 0, 10, 10 },
    { "extension header cut", ext6_cut, 101, LAMP_DECODE_EXT_SHORT, 0, -1, -1 },
    { "ten extension headers", ext6_deep, 101, LAMP_DECODE_EXT_DEPTH, 0, -1, -1 },
    { "IPv6 later fragment", fragment6, 101, LAMP_DECODE_FRAGMENT, 0, -1, -1 },
    { "no room for TCP ports", ports_cut, 101, LAMP_DECODE_TCP_SHORT, 0, -1, -1 },
    { "no room for UDP ports", udp_ports_cut, 101, LAMP_DECODE_UDP_SHORT, 0, -1, -1 },
    { "TCP offset tiny", offset_tiny, 101, LAMP_DECODE_TCP_HEADER, 0, -1, -1 },
    { "TCP offset long", offset_long, 101, LAMP_DECODE_TCP_HEADER, 0, -1, -1 },
    { "UDP length tiny", udp_tiny, 101, LAMP_DECODE_UDP_LENGTH, 0, -1, -1 },
    { "UDP length lie", udp_long, 101, LAMP_DECODE_UDP_LENGTH, 0, -1, -1 },
};

static struct lamp_frame frame_of(const struct frame *f, const uint8_t *data, size_t cap,
                                  int linktype)
{
    return (struct lamp_frame){ data, (uint32_t)cap, (uint32_t)f->len, 1000000, linktype };
}

static void test_outcomes(void **state)
{
    (void)state;
    bool seen[LAMP_DECODE_COUNT] = { false };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frame f = { .len = 0 };
        cases[i].make(&f);
        size_t cap = f.len - cases[i].cut;
        uint8_t *copy = guarded_dup(f.b, cap);
        struct lamp_frame frame = frame_of(&f, copy, cap, cases[i].linktype);
        struct lamp_pkt pkt;
        enum lamp_decode got = lamp_decode_frame(NULL, &frame, &pkt);
        if (got != cases[i].want)
            fail_msg("%s: got %s, want %s", cases[i].label, lamp_decode_name(got),
                     lamp_decode_name(cases[i].want));
        seen[got] = true;
        assert_int_equal(lamp_decode_is_packet(got), cases[i].payload >= 0);
        if (cases[i].payload >= 0) {
            if ((int)pkt.payload.len != cases[i].payload ||
                (int)pkt.payload_orig_len != cases[i].orig)
                fail_msg("%s: payload %zu of %u", cases[i].label, pkt.payload.len,
                         pkt.payload_orig_len);
            assert_int_equal(pkt.src_port, SPORT);
            assert_int_equal(pkt.dst_port, DPORT);
            assert_int_equal(pkt.frame_len, f.len);
            assert_int_equal(pkt.t_us, 1000000);
        }
        guarded_free(copy);
    }
    /* the outcomes of tunnels and fragments are those of test_tunnels and test_fragments */
    for (int i = 0; i <= LAMP_DECODE_UDP_LENGTH; i++)
        if (!seen[i] && i != LAMP_DECODE_DUPLICATE) /* the engine's to say */
            fail_msg("no case ends in %s", lamp_decode_name((enum lamp_decode)i));
}

/* Every frame cut at every byte, as by the snapshot length and as if it were that short. */
static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frame f = { .len = 0 };
        cases[i].make(&f);
        for (size_t cap = 0; cap <= f.len; cap++) {
            uint8_t *copy = guarded_dup(f.b, cap);
            struct lamp_frame frame = frame_of(&f, copy, cap, cases[i].linktype);
            for (int whole = 0; whole < 2; whole++) {
                struct lamp_pkt pkt;
                if (whole)
                    frame.orig_len = frame.cap_len;
                if (!lamp_decode_is_packet(lamp_decode_frame(NULL, &frame, &pkt)))
                    continue;
                assert_true(pkt.payload.data >= copy);
                assert_true(pkt.payload.data + pkt.payload.len <= copy + cap);
                assert_true(pkt.payload_orig_len >= pkt.payload.len);
            }
            guarded_free(copy);
        }
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct frame f = { .len = 0 };
    struct lamp_pkt pkt;
    char text[LAMP_ADDR_STRLEN];
    qinq(&f);
    struct lamp_frame frame = frame_of(&f, f.b, f.len, 1);
    assert_int_equal(lamp_decode_frame(NULL, &frame, &pkt), LAMP_DECODE_TCP);
    assert_int_equal(pkt.n_vlans, 2);
    assert_int_equal(pkt.vlans[0], 100);
    assert_int_equal(pkt.vlans[1], 200);
    assert_string_equal(lamp_addr_str(&pkt.src, text), "10.0.0.1");
    assert_string_equal(lamp_addr_str(&pkt.dst, text), "198.51.100.7");
    assert_int_equal(pkt.tcp_seq, 1000);
    assert_int_equal(pkt.tcp_flags, LAMP_TCP_ACK | LAMP_TCP_PSH);
    assert_memory_equal(pkt.payload.data, "aaaaaaaaaa", 10);

    f.len = 0;
    tcp6(&f);
    frame = frame_of(&f, f.b, f.len, 1);
    assert_int_equal(lamp_decode_frame(NULL, &frame, &pkt), LAMP_DECODE_TCP);
    assert_int_equal(pkt.n_vlans, 0);
    assert_string_equal(lamp_addr_str(&pkt.dst, text), "fd00::2");
}

/* Decodes the packet behind a frame's Ethernet header by itself, which takes it layer by layer. */
static enum lamp_decode without_link(const struct lamp_frame *f, struct lamp_pkt *out)
{
    const struct lamp_frame inner = {
        .data = f->data + 14,
        .cap_len = f->cap_len - 14,
        .orig_len = f->orig_len - 14,
        .t_us = f->t_us,
        .linktype = f->data[12] == 8 ? LAMP_LINK_IPV4 : LAMP_LINK_IPV6,
    };
    return lamp_decode_frame(NULL, &inner, out);
}

static void assert_same(const struct lamp_frame *f)
{
    struct lamp_pkt a, b;
    const enum lamp_decode got = lamp_decode_frame(NULL, f, &a), want = without_link(f, &b);
    if (got != want)
        fail_msg("got %s, want %s", lamp_decode_name(got), lamp_decode_name(want));
    if (!lamp_decode_is_packet(got))
        return;
    assert_true(lamp_addr_eq(&a.src, &b.src) && lamp_addr_eq(&a.dst, &b.dst));
    assert_int_equal(a.src_port, b.src_port);
    assert_int_equal(a.dst_port, b.dst_port);
    assert_int_equal(a.ip_proto, b.ip_proto);
    assert_int_equal(a.n_vlans, b.n_vlans);
    assert_int_equal(a.tcp_flags, b.tcp_flags);
    assert_int_equal(a.tcp_seq, b.tcp_seq);
    assert_int_equal(a.tcp_ack, b.tcp_ack);
    assert_int_equal(a.ip_id, b.ip_id);
    assert_int_equal(a.frag_off, b.frag_off);
    assert_int_equal(a.checksum, b.checksum);
    assert_ptr_equal(a.payload.data, b.payload.data);
    assert_int_equal(a.payload.len, b.payload.len);
    assert_int_equal(a.payload_orig_len, b.payload_orig_len);
    assert_int_equal(a.frame_len, f->orig_len);
    assert_int_equal(a.t_us, f->t_us);
}

/* What is read in one go is what the layers make of it: plain frames with up to three bytes of
 * their headers changed, and with a part of their end cut off, by the snapshot length or not. */
static void test_plain_frames_are_as_their_layers_say(void **state)
{
    (void)state;
    static void (*const makers[])(struct frame *) = { plain, padded, udp, tcp6, udp6 };
    static const uint8_t telling[] = { 0, 1, 4, 5, 6, 8, 17, 20, 40, 0x45, 0x46, 0x50, 0x60, 0xff };
    struct lamp_rng rng = { 7 };
    unsigned plain_ones = 0;
    for (unsigned round = 0; round < 200000; round++) {
        struct frame f = { .len = 0 };
        makers[round % ARRAY_LEN(makers)](&f);
        const uint64_t r = lamp_rng_u64(&rng);
        for (unsigned i = 0; i < (r & 3); i++) {
            const uint64_t v = lamp_rng_u64(&rng);
            f.b[14 + v % lamp_min(f.len - 14, (size_t)60)] =
                v >> 63 ? (uint8_t)(v >> 32) : telling[(v >> 32) % ARRAY_LEN(telling)];
        }
        const size_t cap = r >> 63 ? f.len : f.len - (size_t)((r >> 8) % (f.len - 14));
        uint8_t *copy = guarded_dup(f.b, cap);
        struct lamp_frame frame = frame_of(&f, copy, cap, LAMP_LINK_ETHERNET);
        if (r & 4)
            frame.orig_len = frame.cap_len;
        assert_same(&frame);
        struct lamp_pkt pkt;
        plain_ones += lamp_layer_plain(&frame, &pkt) != LAMP_DECODE_COUNT;
        guarded_free(copy);
    }
    assert_in_range(plain_ones, 40000, 160000); /* both ways were gone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_plain_frames_are_as_their_layers_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
