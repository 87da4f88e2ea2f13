/* SPDX-License-Identifier: Apache-2.0 */
/* Encapsulations: each leads to the same TCP packet, and every cut of each is survived. */
#include "tests/support/test.h"

#include "sensor/engine/decode.h"
#include "tests/support/frames.h"

enum {
    SRC = 0x0a000001,
    DST = 0xc6336407,
    OUTER = 0xc0000201, /* both ends of the outer packet */
    SPORT = 40000,
    DPORT = 3333,
    PAYLOAD = 10,
    TCP_LEN = 20 + PAYLOAD,
    IP4_LEN = 20 + TCP_LEN, /* of the inner packet */
    IP6_LEN = 40 + TCP_LEN,
    ETHER_LEN = 14 + IP4_LEN,
};

/* -- the packet inside --------------------------------------------------------------- */

static void tcp_segment(struct frame *f)
{
    put_tcp(f, SPORT, DPORT, 1000, LAMP_TCP_ACK);
    put(f, "aaaaaaaaaa", PAYLOAD);
}

static void in4(struct frame *f)
{
    put_ip4(f, LAMP_IPPROTO_TCP, SRC, DST, TCP_LEN);
    tcp_segment(f);
}

static void in6(struct frame *f)
{
    put_ip6(f, LAMP_IPPROTO_TCP, 1, 2, TCP_LEN);
    tcp_segment(f);
}

static void in_ether(struct frame *f)
{
    put_ether(f, 0x0800);
    in4(f);
}

static void outer4(struct frame *f, unsigned protocol, size_t len)
{
    put_ether(f, 0x0800);
    put_ip4(f, protocol, OUTER, OUTER, len);
}

static void outer_udp(struct frame *f, uint16_t port, size_t len)
{
    outer4(f, LAMP_IPPROTO_UDP, 8 + len);
    put_udp(f, SPORT, port, len);
}

/* -- links --------------------------------------------------------------------------- */

static void mpls(struct frame *f)
{
    put_ether(f, 0x8847);
    put32(f, 100U << 12), put32(f, 200U << 12 | 0x100);
    in4(f);
}
static void mpls6(struct frame *f)
{
    put_ether(f, 0x8848);
    put32(f, 0x2100);
    in6(f);
}
static void mpls_ether(struct frame *f)
{
    put_ether(f, 0x8847);
    put32(f, 0x64100);
    in_ether(f);
}
static void mpls_control_word(struct frame *f)
{
    put_ether(f, 0x8847);
    put32(f, 0x64100);
    put32(f, 7); /* control word with a sequence number */
    in_ether(f);
}
static void mpls_icmp(struct frame *f)
{
    put_ether(f, 0x8847);
    put32(f, 0x64100);
    put_ip4(f, 1, SRC, DST, 0);
}
static void mpls_other(struct frame *f)
{
    put_ether(f, 0x8847);
    put32(f, 0x64100);
    put32(f, 0x50000000);
}
static void mpls_cut(struct frame *f)
{
    put_ether(f, 0x8847);
    put16(f, 0);
}
static void mpls_deep(struct frame *f)
{
    put_ether(f, 0x8847);
    for (int i = 0; i < 10; i++)
        put32(f, i == 9 ? 0x100 : 0);
    in4(f);
}

static void pppoe(struct frame *f)
{
    put_ether(f, 0x8864);
    put16(f, 0x1100), put16(f, 9), put16(f, 2 + IP4_LEN);
    put16(f, 0x0021);
    in4(f);
}
static void pppoe_length_lie(struct frame *f)
{
    pppoe(f);
    f->b[14 + 5]++;
}
static void pppoe_discovery(struct frame *f)
{
    put_ether(f, 0x8863);
    put32(f, 0x11090000);
}
static void pppoe_cut(struct frame *f)
{
    put_ether(f, 0x8864);
    put32(f, 0x11000000);
}
static void ppp_plain(struct frame *f)
{
    put16(f, 0x0057);
    in6(f);
}
static void ppp_framed(struct frame *f)
{
    put32(f, 0xff030021);
    in4(f);
}
static void ppp_short_number(struct frame *f)
{
    put16(f, 0xff03), put8(f, 0x21);
    in4(f);
}
static void ppp_mpls(struct frame *f)
{
    put32(f, 0xff030281), put32(f, 0x64100);
    in4(f);
}
static void ppp_lcp(struct frame *f)
{
    put32(f, 0xff03c021), put32(f, 0);
}
static void ppp_direction(struct frame *f)
{
    put8(f, 1);
    ppp_framed(f);
}
static void cisco_hdlc(struct frame *f)
{
    put32(f, 0x0f000800);
    in4(f);
}

static void wlan_header(struct frame *f, unsigned control, unsigned flags)
{
    put8(f, control), put8(f, flags), put16(f, 0);
    put(f, (const uint8_t[20]){ 0 }, 20);
}
static void llc(struct frame *f, unsigned type)
{
    put32(f, 0xaaaa0300), put16(f, 0), put16(f, type);
}
static void wlan(struct frame *f)
{
    wlan_header(f, 0x08, 0x01);
    llc(f, 0x0800);
    in4(f);
    put32(f, 0xdeadbeef); /* frame check sequence */
}
static void wlan_wds_qos(struct frame *f)
{
    wlan_header(f, 0x88, 0x83);                  /* to and from a distribution system, HT control */
    put(f, (const uint8_t[6 + 2 + 4]){ 0 }, 12); /* fourth address, QoS, HT */
    llc(f, 0x86dd);
    in6(f);
}
static void wlan_encrypted(struct frame *f)
{
    wlan(f);
    f->b[1] |= 0x40;
}
static void wlan_beacon(struct frame *f)
{
    wlan_header(f, 0x80, 0);
}
static void wlan_fragment(struct frame *f)
{
    wlan(f);
    f->b[22] = 1;
}
static void amsdu(struct frame *f, unsigned n)
{
    wlan_header(f, 0x88, 0x01);
    put16(f, 0x8000); /* QoS: little-endian, A-MSDU present is bit 7 of the first byte */
    for (unsigned i = 0; i < n; i++) {
        put(f, (const uint8_t[12]){ 0 }, 12);
        put16(f, 8 + IP4_LEN);
        llc(f, 0x0800);
        in4(f);
        if (i + 1 < n)
            put(f, (const uint8_t[3]){ 0 }, -(22 + IP4_LEN) & 3);
    }
}
static void amsdu_one(struct frame *f)
{
    amsdu(f, 1);
}
static void amsdu_two(struct frame *f)
{
    amsdu(f, 2);
}
static void radiotap(struct frame *f)
{
    /* presence: clock and flags, and a second word; flags say that the header is padded */
    put32(f, 0x00001900), put32(f, 0x030000a0), put32(f, 0x00000020), put32(f, 0);
    put(f, (const uint8_t[9]){ [8] = 0x20 }, 9);
    f->b[4] = 0x03, f->b[7] = 0x80;
    f->b[8] = f->b[11] = 0;
    wlan_header(f, 0x88, 0x01);
    put16(f, 0), put16(f, 0); /* QoS, padding */
    llc(f, 0x0800);
    in4(f);
}
static void radiotap_bad_fcs(struct frame *f)
{
    put32(f, 0x00000900), put32(f, 0x02000000), put8(f, 0x40);
    wlan(f);
}
static void ppi_wlan(struct frame *f)
{
    put32(f, 0x00000800), put32(f, 0x69000000);
    wlan(f);
}
static void ppi_in_ppi(struct frame *f)
{
    put32(f, 0x00000800), put32(f, 0xc0000000);
    ppi_wlan(f);
}
static void nflog(struct frame *f)
{
    put32(f, 0x02000000);
    put16(f, 0x0500), put16(f, 0x0a00), put32(f, 0x41000000); /* a prefix of one byte */
    put16(f, (4 + IP4_LEN) << 8), put16(f, 0x0900);
    in4(f);
}
static void nflog_empty(struct frame *f)
{
    put32(f, 0x02000000);
    put32(f, 0);
}

/* -- packets in packets -------------------------------------------------------------- */

static void ip_in_ip(struct frame *f)
{
    outer4(f, 4, IP4_LEN);
    in4(f);
}
static void six_in_four(struct frame *f)
{
    outer4(f, 41, IP6_LEN);
    in6(f);
}
static void four_in_six(struct frame *f)
{
    put_ether(f, 0x86dd);
    put_ip6(f, 4, 8, 9, IP4_LEN);
    in4(f);
}
static void mpls_in_ip(struct frame *f)
{
    outer4(f, 137, 4 + IP4_LEN);
    put32(f, 0x64100);
    in4(f);
}
static void ah4(struct frame *f)
{
    outer4(f, 51, 24 + TCP_LEN);
    put32(f, 0x06040000);
    put(f, (const uint8_t[20]){ 0 }, 20);
    tcp_segment(f);
}
static void gre(struct frame *f)
{
    outer4(f, 47, 4 + IP4_LEN);
    put32(f, 0x00000800);
    in4(f);
}
static void gre_options(struct frame *f)
{
    outer4(f, 47, 16 + IP6_LEN);
    put32(f, 0xb00086dd), put32(f, 1), put32(f, 2), put32(f, 3);
    in6(f);
}
static void gre_ether(struct frame *f)
{
    outer4(f, 47, 4 + 4 + ETHER_LEN);
    put32(f, 0x00006558);
    put_ether(f, 0x8100);
    put_vlan(f, 5, 0x0800);
    in4(f);
}
static void gre_mpls(struct frame *f)
{
    outer4(f, 47, 8 + IP4_LEN);
    put32(f, 0x00008847), put32(f, 0x64100);
    in4(f);
}
static void pptp(struct frame *f)
{
    outer4(f, 47, 16 + 4 + IP4_LEN);
    put32(f, 0x3081880b), put16(f, 4 + IP4_LEN), put16(f, 7), put32(f, 1), put32(f, 0);
    put32(f, 0xff030021);
    in4(f);
}
static void pptp_acknowledgement(struct frame *f)
{
    outer4(f, 47, 12);
    put32(f, 0x2081880b), put32(f, 7), put32(f, 0);
}
static void gre_other(struct frame *f)
{
    outer4(f, 47, 8);
    put32(f, 0x00000000), put32(f, 0); /* a keepalive */
}
static void gre_cut(struct frame *f)
{
    outer4(f, 47, 6);
    put32(f, 0x20000800), put16(f, 0);
}
static void erspan1(struct frame *f)
{
    outer4(f, 47, 4 + ETHER_LEN);
    put32(f, 0x000088be);
    in_ether(f);
}
static void erspan2(struct frame *f)
{
    outer4(f, 47, 16 + ETHER_LEN);
    put32(f, 0x100088be), put32(f, 1), put32(f, 0x10640001), put32(f, 0);
    in_ether(f);
}
static void erspan3(struct frame *f)
{
    outer4(f, 47, 28 + ETHER_LEN);
    put32(f, 0x100022eb), put32(f, 1), put32(f, 0x20640001), put32(f, 0), put32(f, 1);
    put32(f, 0), put32(f, 0); /* the optional part */
    in_ether(f);
}
static void erspan3_ip(struct frame *f)
{
    outer4(f, 47, 20 + IP4_LEN);
    put32(f, 0x100022eb), put32(f, 1), put32(f, 0x20640001), put32(f, 0), put32(f, 0x00000800);
    in4(f);
}
static void erspan3_other(struct frame *f)
{
    erspan3_ip(f);
    f->b[14 + 20 + 8 + 10] = 0x7c;
}

static void vxlan(struct frame *f)
{
    outer_udp(f, 4789, 8 + ETHER_LEN);
    put32(f, 0x08000000), put32(f, 77 << 8);
    in_ether(f);
}
static void geneve(struct frame *f)
{
    outer_udp(f, 6081, 16 + ETHER_LEN);
    put32(f, 0x02006558), put32(f, 77 << 8), put32(f, 0), put32(f, 0);
    in_ether(f);
}
static void geneve_ip(struct frame *f)
{
    outer_udp(f, 6081, 8 + IP6_LEN);
    put32(f, 0x000086dd), put32(f, 77 << 8);
    in6(f);
}
static void gtp(struct frame *f)
{
    outer_udp(f, 2152, 8 + IP4_LEN);
    put16(f, 0x30ff), put16(f, IP4_LEN), put32(f, 1);
    in4(f);
}
static void gtp_extensions(struct frame *f)
{
    outer_udp(f, 2152, 20 + IP6_LEN);
    put16(f, 0x34ff), put16(f, 12 + IP6_LEN), put32(f, 1);
    put32(f, 0x00000085);                       /* sequence number, N-PDU, next: PDU session */
    put32(f, 0x01100085), put32(f, 0x01100000); /* two of one word each */
    in6(f);
}
static void teredo(struct frame *f)
{
    outer_udp(f, 3544, IP6_LEN);
    in6(f);
}
static void teredo_full(struct frame *f)
{
    outer_udp(f, 3544, 13 + 8 + IP6_LEN);
    put32(f, 0x00010000), put32(f, 0), put32(f, 0), put8(f, 0); /* authentication */
    put32(f, 0x00000001), put32(f, 0);                          /* origin */
    in6(f);
}
static void vlan_vxlan_gre(struct frame *f)
{
    put_ether(f, 0x8100);
    put_vlan(f, 9, 0x0800);
    put_ip4(f, 17, OUTER, OUTER, 8 + 8 + 14 + 20 + 4 + IP4_LEN);
    put_udp(f, SPORT, 4789, 8 + 14 + 20 + 4 + IP4_LEN);
    put32(f, 0x08000000), put32(f, 0);
    outer4(f, 47, 4 + IP4_LEN);
    put32(f, 0x00000800);
    in4(f);
}
static void nested(struct frame *f, unsigned depth)
{
    put_ether(f, 0x0800);
    for (unsigned i = depth; i > 0; i--)
        put_ip4(f, 4, OUTER, OUTER, (i - 1) * 20 + IP4_LEN);
    in4(f);
}
static void nested_8(struct frame *f)
{
    nested(f, 8);
}
static void nested_9(struct frame *f)
{
    nested(f, 9);
}

/* UDP packets to the port of a tunnel in which there is none. */
static void to_port(struct frame *f, const char *payload, size_t len)
{
    put_ip4(f, 17, SRC, DST, 8 + len);
    put_udp(f, SPORT, DPORT, len);
    put(f, payload, len);
}
static void false_vxlan(struct frame *f)
{
    to_port(f, "\x08 just text", PAYLOAD);
    f->b[22] = 4789 >> 8, f->b[23] = 4789 & 0xff;
}
static void false_gtp(struct frame *f)
{
    to_port(f, "\x30\xff\0\0\0\0\0\0\x45\0", PAYLOAD);
    f->b[22] = 2152 >> 8, f->b[23] = 2152 & 0xff;
}

#define PACKET(make, linktype)                                                                     \
    {                                                                                              \
#make, make, linktype, LAMP_DECODE_TCP                                                     \
    }
static const struct {
    const char *label;
    void (*make)(struct frame *f);
    int linktype;
    enum lamp_decode want;
} cases[] = {
    PACKET(mpls, 1),
    PACKET(mpls6, 1),
    PACKET(mpls_ether, 1),
    PACKET(mpls_control_word, 1),
    PACKET(pppoe, 1),
    PACKET(ppp_plain, 9),
    PACKET(ppp_framed, 9),
    PACKET(ppp_framed, 50),
    PACKET(ppp_framed, 104),
    PACKET(ppp_short_number, 9),
    PACKET(ppp_mpls, 9),
    PACKET(ppp_direction, 204),
    PACKET(cisco_hdlc, 104),
    PACKET(cisco_hdlc, 9),
    PACKET(wlan, 105),
    PACKET(wlan_wds_qos, 105),
    PACKET(amsdu_one, 105),
    PACKET(radiotap, 127),
    PACKET(ppi_wlan, 192),
    PACKET(nflog, 239),
    PACKET(ip_in_ip, 1),
    PACKET(six_in_four, 1),
    PACKET(four_in_six, 1),
    PACKET(mpls_in_ip, 1),
    PACKET(gre, 1),
    PACKET(gre_options, 1),
    PACKET(gre_ether, 1),
    PACKET(gre_mpls, 1),
    PACKET(pptp, 1),
    PACKET(erspan1, 1),
    PACKET(erspan2, 1),
    PACKET(erspan3, 1),
    PACKET(erspan3_ip, 1),
    PACKET(vxlan, 1),
    PACKET(geneve, 1),
    PACKET(geneve_ip, 1),
    PACKET(gtp, 1),
    PACKET(gtp_extensions, 1),
    PACKET(teredo, 1),
    PACKET(teredo_full, 1),
    PACKET(vlan_vxlan_gre, 1),
    PACKET(nested_8, 1),
    { "AH", ah4, 1, LAMP_DECODE_TCP },
    { "nine deep", nested_9, 1, LAMP_DECODE_TUNNEL_DEPTH },
    { "ICMP in MPLS", mpls_icmp, 1, LAMP_DECODE_OTHER_IP },
    { "something in MPLS", mpls_other, 1, LAMP_DECODE_NOT_IP },
    { "label cut", mpls_cut, 1, LAMP_DECODE_MPLS_SHORT },
    { "ten labels", mpls_deep, 1, LAMP_DECODE_MPLS_DEPTH },
    { "PPPoE length", pppoe_length_lie, 1, LAMP_DECODE_NOT_IP },
    { "PPPoE discovery", pppoe_discovery, 1, LAMP_DECODE_NOT_IP },
    { "PPPoE cut", pppoe_cut, 1, LAMP_DECODE_PPP_SHORT },
    { "LCP", ppp_lcp, 9, LAMP_DECODE_NOT_IP },
    { "encrypted", wlan_encrypted, 105, LAMP_DECODE_WLAN_ENCRYPTED },
    { "beacon", wlan_beacon, 105, LAMP_DECODE_WLAN_OTHER },
    { "802.11 fragment", wlan_fragment, 105, LAMP_DECODE_WLAN_OTHER },
    { "bad FCS", radiotap_bad_fcs, 127, LAMP_DECODE_WLAN_OTHER },
    { "A-MSDU", amsdu_two, 105, LAMP_DECODE_WLAN_AMSDU },
    { "PPI in PPI", ppi_in_ppi, 192, LAMP_DECODE_LINK_UNKNOWN },
    { "nflog without payload", nflog_empty, 239, LAMP_DECODE_LINK_SHORT },
    { "PPTP acknowledgement", pptp_acknowledgement, 1, LAMP_DECODE_TUNNEL_OTHER },
    { "GRE keepalive", gre_other, 1, LAMP_DECODE_NOT_IP },
    { "GRE cut", gre_cut, 1, LAMP_DECODE_TUNNEL_SHORT },
    { "ERSPAN III of another kind", erspan3_other, 1, LAMP_DECODE_TUNNEL_OTHER },
    { "no VXLAN", false_vxlan, 101, LAMP_DECODE_UDP },
    { "no GTP", false_gtp, 101, LAMP_DECODE_UDP },
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
        uint8_t *copy = guarded_dup(f.b, f.len);
        struct lamp_frame frame = frame_of(&f, copy, f.len, cases[i].linktype);
        struct lamp_pkt pkt;
        enum lamp_decode got = lamp_decode_frame(NULL, &frame, &pkt);
        if (got != cases[i].want)
            fail_msg("%s: got %s, want %s", cases[i].label, lamp_decode_name(got),
                     lamp_decode_name(cases[i].want));
        seen[got] = true;
        if (got == LAMP_DECODE_TCP) {
            assert_int_equal(pkt.src_port, SPORT);
            assert_int_equal(pkt.dst_port, DPORT);
            if (pkt.payload.len != PAYLOAD || pkt.payload_orig_len != PAYLOAD)
                fail_msg("%s: payload %zu of %u", cases[i].label, pkt.payload.len,
                         pkt.payload_orig_len);
            assert_memory_equal(pkt.payload.data, "aaaaaaaaaa", PAYLOAD);
            assert_int_equal(pkt.frame_len, f.len);
        }
        guarded_free(copy);
    }
    for (int i = LAMP_DECODE_MPLS_SHORT; i <= LAMP_DECODE_WLAN_AMSDU; i++)
        if (!seen[i])
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
                assert_true(pkt.payload_orig_len <= 200);
            }
            guarded_free(copy);
        }
    }
}

/* A snapshot length that ends in the inner payload leaves the inner packet. */
static void test_snapped(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frame f = { .len = 0 };
        struct lamp_pkt pkt;
        cases[i].make(&f);
        struct lamp_frame frame = frame_of(&f, f.b, f.len, cases[i].linktype);
        if (lamp_decode_frame(NULL, &frame, &pkt) != LAMP_DECODE_TCP)
            continue;
        frame.cap_len = (uint32_t)(pkt.payload.data + 4 - f.b);
        enum lamp_decode got = lamp_decode_frame(NULL, &frame, &pkt);
        if (got != LAMP_DECODE_TCP_CUT || pkt.payload.len != 4 || pkt.payload_orig_len < PAYLOAD)
            fail_msg("%s: %s, payload %zu of %u", cases[i].label, lamp_decode_name(got),
                     pkt.payload.len, pkt.payload_orig_len);
    }
}

static void test_vlans_of_both(void **state)
{
    (void)state;
    struct frame f = { .len = 0 };
    struct lamp_pkt pkt;
    gre_ether(&f);
    struct lamp_frame frame = frame_of(&f, f.b, f.len, 1);
    assert_int_equal(lamp_decode_frame(NULL, &frame, &pkt), LAMP_DECODE_TCP);
    assert_int_equal(pkt.n_vlans, 1);
    assert_int_equal(pkt.vlans[0], 5);
}

/* With tunnels left closed the outer packet counts; what belongs to the link is still read. */
static void test_closed(void **state)
{
    (void)state;
    static const struct {
        void (*make)(struct frame *f);
        enum lamp_decode want;
    } closed[] = {
        { gre, LAMP_DECODE_OTHER_IP },
        { ip_in_ip, LAMP_DECODE_OTHER_IP },
        { six_in_four, LAMP_DECODE_OTHER_IP },
        { vxlan, LAMP_DECODE_UDP },
        { gtp, LAMP_DECODE_UDP },
        { teredo, LAMP_DECODE_UDP },
        { geneve, LAMP_DECODE_UDP },
        { mpls_in_ip, LAMP_DECODE_OTHER_IP },
        { pppoe, LAMP_DECODE_TCP },
        { mpls_ether, LAMP_DECODE_TCP },
    };
    lamp_decoder *d;
    assert_int_equal(lamp_decoder_new(&(struct lamp_decoder_cfg){ .no_tunnels = true }, &d), 0);
    for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
        struct frame f = { .len = 0 };
        struct lamp_pkt pkt;
        closed[i].make(&f);
        struct lamp_frame frame = frame_of(&f, f.b, f.len, 1);
        assert_int_equal(lamp_decode_frame(d, &frame, &pkt), closed[i].want);
    }
    lamp_decoder_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes), cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_snapped),  cmocka_unit_test(test_vlans_of_both),
        cmocka_unit_test(test_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
