/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/decode.h"

#include "common/cursor.h"

#include <assert.h>

static_assert(LAMP_DECODE_COUNT <= 64, "lamp_engine_counters.decode has 64 places");

enum ethertype {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_VLAN = 0x8100,     /* 802.1Q */
    ETHERTYPE_QINQ = 0x88a8,     /* 802.1ad */
    ETHERTYPE_QINQ_OLD = 0x9100, /* before 802.1ad */
};

/* IPv6 extension headers */
enum ip_extension {
    IP_HOPOPTS = 0,
    IP_ROUTING = 43,
    IP_FRAGMENT = 44,
    IP_AH = 51,
    IP_DSTOPTS = 60,
    IP_MOBILITY = 135,
    IP_HIP = 139,
    IP_SHIM6 = 140,
};

/* What is being decoded: the bytes left, and what is known of those that are missing. */
struct job {
    struct lamp_cursor in;
    struct lamp_pkt *pkt;
    size_t missing;      /* bytes of the frame that were not captured */
    size_t cut;          /* how many of them belong to the innermost packet */
    bool first_fragment; /* the rest of the datagram follows in other frames */
};

/* Narrows the input to the `len` bytes a header promises: what lies behind is padding. A
 * promise past the frame's end is honest only if the capture cut the frame. */
static bool narrow(struct job *j, size_t len)
{
    size_t left = lamp_cursor_left(&j->in);
    if (len <= left) {
        j->in.end = j->in.p + len;
        return true;
    }
    if (len - left > j->missing)
        return false;
    j->cut = len - left;
    return true;
}

static void set_v4(struct lamp_addr *a, const uint8_t *p)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    memcpy(a->b, mapped, sizeof(mapped));
    memcpy(a->b + sizeof(mapped), p, 4);
}

static void set_payload(struct job *j)
{
    size_t len = lamp_cursor_left(&j->in);
    j->pkt->payload = (struct lamp_bytes){ j->in.p, len };
    j->pkt->payload_orig_len = (uint32_t)(len + j->cut);
}

static enum lamp_decode tcp(struct job *j)
{
    struct lamp_pkt *pkt = j->pkt;
    pkt->src_port = lamp_cursor_be16(&j->in);
    pkt->dst_port = lamp_cursor_be16(&j->in);
    if (j->in.bad)
        return LAMP_DECODE_TCP_SHORT;

    pkt->tcp_seq = lamp_cursor_be32(&j->in);
    pkt->tcp_ack = lamp_cursor_be32(&j->in);
    uint8_t words = lamp_cursor_u8(&j->in) >> 4;
    pkt->tcp_flags = lamp_cursor_u8(&j->in);
    pkt->payload = (struct lamp_bytes){ j->in.p, 0 };
    pkt->payload_orig_len = 0;
    if (j->in.bad) {
        pkt->tcp_seq = pkt->tcp_ack = pkt->tcp_flags = 0;
        return LAMP_DECODE_TCP_CUT;
    }

    const size_t fixed = 14; /* read so far */
    size_t header = (size_t)words * 4, left = lamp_cursor_left(&j->in);
    if (header < 20 || header - fixed > left + j->cut)
        return LAMP_DECODE_TCP_HEADER;
    if (header - fixed > left) {
        pkt->payload_orig_len = (uint32_t)(left + j->cut - (header - fixed));
        return LAMP_DECODE_TCP_CUT;
    }
    j->in.p += header - fixed;
    set_payload(j);
    return j->cut || j->first_fragment ? LAMP_DECODE_TCP_CUT : LAMP_DECODE_TCP;
}

static enum lamp_decode udp(struct job *j)
{
    struct lamp_pkt *pkt = j->pkt;
    pkt->src_port = lamp_cursor_be16(&j->in);
    pkt->dst_port = lamp_cursor_be16(&j->in);
    if (j->in.bad)
        return LAMP_DECODE_UDP_SHORT;
    pkt->tcp_seq = pkt->tcp_ack = pkt->tcp_flags = 0;
    pkt->payload = (struct lamp_bytes){ j->in.p, 0 };
    pkt->payload_orig_len = 0;

    size_t len = lamp_cursor_be16(&j->in);
    lamp_cursor_skip(&j->in, 2); /* checksum */
    if (j->in.bad)
        return LAMP_DECODE_UDP_CUT;
    if (len < 8)
        return LAMP_DECODE_UDP_LENGTH;
    len -= 8;
    size_t left = lamp_cursor_left(&j->in);
    if (len <= left) {
        j->in.end = j->in.p + len;
        j->cut = 0;
    } else if (len <= left + j->cut || j->first_fragment) {
        j->cut = len - left;
    } else {
        return LAMP_DECODE_UDP_LENGTH;
    }
    set_payload(j);
    return j->cut ? LAMP_DECODE_UDP_CUT : LAMP_DECODE_UDP;
}

static enum lamp_decode transport(struct job *j, uint8_t proto)
{
    j->pkt->ip_proto = proto;
    if (proto == LAMP_IPPROTO_TCP)
        return tcp(j);
    if (proto == LAMP_IPPROTO_UDP)
        return udp(j);
    return LAMP_DECODE_OTHER_IP;
}

/* RFC 791 */
static enum lamp_decode ipv4(struct job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 20);
    if (!h)
        return LAMP_DECODE_IP4_SHORT;
    if (h[0] >> 4 != 4)
        return LAMP_DECODE_IP_VERSION;
    size_t header = (size_t)(h[0] & 0x0f) * 4;
    if (header < 20)
        return LAMP_DECODE_IP4_HEADER;
    size_t total = (size_t)h[2] << 8 | h[3];
    /* 0 is what segmentation offload leaves in a large packet captured before it is sent */
    if (total == 0)
        total = 20 + lamp_cursor_left(&j->in) + j->missing;
    if (total < header || !narrow(j, total - 20))
        return LAMP_DECODE_IP_LENGTH;
    if (!lamp_cursor_skip(&j->in, header - 20))
        return LAMP_DECODE_IP4_SHORT;

    unsigned fragment = (unsigned)h[6] << 8 | h[7];
    if (fragment & 0x1fff)
        return LAMP_DECODE_FRAGMENT;
    j->first_fragment = fragment & 0x2000;
    set_v4(&j->pkt->src, h + 12);
    set_v4(&j->pkt->dst, h + 16);
    return transport(j, h[9]);
}

/* RFC 8200; the length units of AH are those of RFC 4302 section 2.2. */
static enum lamp_decode ipv6(struct job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 40);
    if (!h)
        return LAMP_DECODE_IP6_SHORT;
    if (h[0] >> 4 != 6)
        return LAMP_DECODE_IP_VERSION;
    size_t len = (size_t)h[4] << 8 | h[5];
    /* 0 is a jumbogram or segmentation offload */
    if (len == 0)
        len = lamp_cursor_left(&j->in) + j->missing;
    if (!narrow(j, len))
        return LAMP_DECODE_IP_LENGTH;
    memcpy(j->pkt->src.b, h + 8, 16);
    memcpy(j->pkt->dst.b, h + 24, 16);

    uint8_t next = h[6];
    for (unsigned depth = 0; depth <= LAMP_EXT_DEPTH; depth++) {
        if (next != IP_HOPOPTS && next != IP_ROUTING && next != IP_FRAGMENT && next != IP_AH &&
            next != IP_DSTOPTS && next != IP_MOBILITY && next != IP_HIP && next != IP_SHIM6)
            return transport(j, next);
        const uint8_t *ext = lamp_cursor_take(&j->in, 8);
        if (!ext)
            return LAMP_DECODE_EXT_SHORT;
        if (next == IP_FRAGMENT) {
            if ((ext[2] << 8 | ext[3]) & 0xfff8)
                return LAMP_DECODE_FRAGMENT;
            j->first_fragment = ext[3] & 1;
        } else if (next == IP_AH) {
            size_t total = ((size_t)ext[1] + 2) * 4;
            if (total > 8 && !lamp_cursor_skip(&j->in, total - 8))
                return LAMP_DECODE_EXT_SHORT;
        } else if (!lamp_cursor_skip(&j->in, (size_t)ext[1] * 8)) {
            return LAMP_DECODE_EXT_SHORT;
        }
        next = ext[0];
    }
    return LAMP_DECODE_EXT_DEPTH;
}

/* What follows an EtherType: VLAN tags, then IP. */
static enum lamp_decode network(struct job *j, uint16_t type)
{
    unsigned tags = 0;
    while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD) {
        if (tags++ == LAMP_VLAN_DEPTH)
            return LAMP_DECODE_VLAN_DEPTH;
        uint16_t id = lamp_cursor_be16(&j->in) & 0x0fff;
        type = lamp_cursor_be16(&j->in);
        if (j->in.bad)
            return LAMP_DECODE_VLAN_SHORT;
        if (id != 0) /* 0 carries a priority only (802.1Q 6.9) */
            j->pkt->vlans[j->pkt->n_vlans++] = id;
    }
    if (type == ETHERTYPE_IPV4)
        return ipv4(j);
    if (type == ETHERTYPE_IPV6)
        return ipv6(j);
    return LAMP_DECODE_NOT_IP;
}

/* A packet that only its first four bits name. */
static enum lamp_decode raw_ip(struct job *j)
{
    if (!lamp_cursor_left(&j->in))
        return LAMP_DECODE_LINK_SHORT;
    switch (j->in.p[0] >> 4) {
    case 4:
        return ipv4(j);
    case 6:
        return ipv6(j);
    default:
        return LAMP_DECODE_IP_VERSION;
    }
}

/* The address family is in the byte order of the capturing host, which a file does not tell:
 * the families in use are small numbers, so the order shows. AF_INET6 has a number of its own
 * on each system: 10 Linux, 24 NetBSD and OpenBSD, 28 FreeBSD, 30 macOS. */
static enum lamp_decode loopback(struct job *j)
{
    uint32_t family = lamp_cursor_be32(&j->in);
    if (j->in.bad)
        return LAMP_DECODE_LINK_SHORT;
    if (family > 0xffff)
        family = __builtin_bswap32(family);
    switch (family) {
    case 2:
        return ipv4(j);
    case 10:
    case 24:
    case 28:
    case 30:
        return ipv6(j);
    default:
        return LAMP_DECODE_NOT_IP;
    }
}

enum lamp_decode lamp_decode_frame(const struct lamp_frame *frame, struct lamp_pkt *out)
{
    struct job j = { .in = lamp_cursor_of(frame->data, frame->cap_len), .pkt = out };
    if (frame->orig_len > frame->cap_len)
        j.missing = frame->orig_len - frame->cap_len;
    out->n_vlans = 0;
    out->frame_len = frame->orig_len;
    out->t_us = frame->t_us;

    uint16_t type;
    switch (frame->linktype) {
    case LAMP_LINK_ETHERNET:
        lamp_cursor_skip(&j.in, 12);
        type = lamp_cursor_be16(&j.in);
        break;
    case LAMP_LINK_SLL:
        lamp_cursor_skip(&j.in, 14);
        type = lamp_cursor_be16(&j.in);
        break;
    case LAMP_LINK_SLL2:
        type = lamp_cursor_be16(&j.in);
        lamp_cursor_skip(&j.in, 18);
        break;
    case LAMP_LINK_NULL:
    case LAMP_LINK_LOOP:
        return loopback(&j);
    case LAMP_LINK_RAW:
        return raw_ip(&j);
    case LAMP_LINK_IPV4:
        return ipv4(&j);
    case LAMP_LINK_IPV6:
        return ipv6(&j);
    default:
        return LAMP_DECODE_LINK_UNKNOWN;
    }
    if (j.in.bad)
        return LAMP_DECODE_LINK_SHORT;
    return network(&j, type);
}

static const char *const names[] = {
#define LAMP_DECODE(name, text) #name,
#include "sensor/engine/decode.def"
#undef LAMP_DECODE
};

const char *lamp_decode_name(enum lamp_decode outcome)
{
    return names[outcome];
}
