/* SPDX-License-Identifier: Apache-2.0 */
/* decode_ip: IP, its extension headers and fragments, and the ports. */
#include "sensor/engine/decode_fragments.h"
#include "sensor/engine/decode_layers.h"

#include <assert.h>

enum ip_protocol {
    IP_HOPOPTS = 0,
    IP_IPV4 = 4,
    IP_IPV6 = 41,
    IP_ROUTING = 43,
    IP_FRAGMENT = 44,
    IP_GRE = 47,
    IP_AH = 51,
    IP_DSTOPTS = 60,
    IP_MOBILITY = 135,
    IP_MPLS = 137,
    IP_HIP = 139,
    IP_SHIM6 = 140,
};

static void set_payload(struct lamp_job *j, size_t missing)
{
    size_t len = lamp_cursor_left(&j->in);
    j->pkt->payload = (struct lamp_bytes){ j->in.p, len };
    j->pkt->payload_orig_len = (uint32_t)(len + missing);
}

/* What is known of a packet of which nothing but its ports was read so far. */
static void set_ports(struct lamp_job *j, const uint8_t *h)
{
    struct lamp_pkt *pkt = j->pkt;
    pkt->src_port = lamp_be16(h);
    pkt->dst_port = lamp_be16(h + 2);
    pkt->tcp_seq = pkt->tcp_ack = 0;
    pkt->tcp_flags = 0;
    pkt->payload = (struct lamp_bytes){ h, 0 };
    pkt->payload_orig_len = 0;
}

/* RFC 9293 section 3.1 */
static enum lamp_decode tcp(struct lamp_job *j)
{
    struct lamp_pkt *pkt = j->pkt;
    const uint8_t *h = j->in.p;
    const size_t left = lamp_cursor_left(&j->in);
    if (left < 4)
        return LAMP_DECODE_TCP_SHORT;
    set_ports(j, h);
    if (left < 14) /* up to the flags */
        return LAMP_DECODE_TCP_CUT;

    pkt->tcp_seq = lamp_be32(h + 4);
    pkt->tcp_ack = lamp_be32(h + 8);
    pkt->tcp_flags = h[13];
    const size_t header = (size_t)(h[12] >> 4) * 4;
    if (header < 20)
        return LAMP_DECODE_TCP_HEADER;
    if (header > left) {
        if (header > left + j->missing)
            return j->ip_header ? LAMP_DECODE_TCP_CUT : LAMP_DECODE_TCP_HEADER;
        pkt->payload_orig_len = (uint32_t)(left + j->missing - header);
        return LAMP_DECODE_TCP_CUT;
    }
    pkt->checksum = lamp_be16(h + 16);
    j->in.p += header;
    set_payload(j, j->missing);
    return j->missing ? LAMP_DECODE_TCP_CUT : LAMP_DECODE_TCP;
}

/* RFC 768 */
static enum lamp_decode udp(struct lamp_job *j)
{
    struct lamp_pkt *pkt = j->pkt;
    const uint8_t *h = j->in.p;
    if (lamp_cursor_left(&j->in) < 4)
        return LAMP_DECODE_UDP_SHORT;
    set_ports(j, h);
    if (!lamp_cursor_skip(&j->in, 8))
        return LAMP_DECODE_UDP_CUT;
    pkt->checksum = lamp_be16(h + 6);
    size_t len = lamp_be16(h + 4);
    if (len < 8)
        return LAMP_DECODE_UDP_LENGTH;
    len -= 8;
    size_t left = lamp_cursor_left(&j->in);
    if (!lamp_job_narrow(j, len))
        return LAMP_DECODE_UDP_LENGTH;
    set_payload(j, len > left ? len - left : 0);
    enum lamp_decode inner;
    if (lamp_layer_udp_tunnel(j, &inner))
        return inner;
    return len > left ? LAMP_DECODE_UDP_CUT : LAMP_DECODE_UDP;
}

/* A packet in the packet: `layer`, if tunnels are opened. */
static enum lamp_decode inner(struct lamp_job *j, lamp_layer *layer)
{
    if (!lamp_job_opens_tunnels(j))
        return LAMP_DECODE_OTHER_IP;
    return lamp_job_enter(j) ? layer(j) : LAMP_DECODE_TUNNEL_DEPTH;
}

static enum lamp_decode transport(struct lamp_job *j, uint8_t protocol)
{
    j->pkt->ip_proto = protocol;
    switch (protocol) {
    case LAMP_IPPROTO_TCP:
        return tcp(j);
    case LAMP_IPPROTO_UDP:
        return udp(j);
    case IP_IPV4:
        return inner(j, lamp_layer_ipv4);
    case IP_IPV6:
        return inner(j, lamp_layer_ipv6);
    case IP_GRE:
        return inner(j, lamp_layer_gre);
    case IP_MPLS: /* RFC 4023 */
        return inner(j, lamp_layer_mpls);
    default:
        return LAMP_DECODE_OTHER_IP;
    }
}

/* -- fragments ----------------------------------------------------------------------- */

/* The key of the fragmented datagram whose IP header this is. */
static struct lamp_datagram_key datagram_key(const uint8_t *ip, uint32_t id, uint8_t protocol)
{
    struct lamp_datagram_key key = { .id = id };
    if (ip[0] >> 4 == 4) {
        lamp_layer_set_v4(&key.src, ip + 12);
        lamp_layer_set_v4(&key.dst, ip + 16);
        key.protocol = protocol;
    } else {
        memcpy(key.src.b, ip + 8, 16);
        memcpy(key.dst.b, ip + 24, 16);
    }
    return key;
}

/* A fragment after the first: j->in is its data, `start` its place in the datagram. */
static enum lamp_decode later_fragment(struct lamp_job *j, const uint8_t *ip, uint32_t id,
                                       uint8_t protocol, uint32_t start, bool last)
{
    lamp_fragments *table = lamp_job_fragments(j);
    if (!table)
        return LAMP_DECODE_FRAGMENT;
    struct lamp_datagram_key key = datagram_key(ip, id, protocol);
    struct lamp_fragment fragment = {
        .start = start,
        .end = start + (uint32_t)(lamp_cursor_left(&j->in) + j->missing),
        .last = last,
        .t_us = j->pkt->t_us,
    };
    bool stream;
    switch (lamp_fragments_later(table, &key, &fragment, j->pkt, &stream)) {
    case LAMP_FRAGMENT_OVERLAPS:
        return LAMP_DECODE_FRAGMENT_OVERLAP;
    case LAMP_FRAGMENT_PIECES:
        return LAMP_DECODE_FRAGMENT_PIECES;
    case LAMP_FRAGMENT_ORPHAN:
        return LAMP_DECODE_FRAGMENT;
    case LAMP_FRAGMENT_FITS:
        break;
    }
    j->pkt->frag_off = (uint16_t)(start / 8);
    j->pkt->checksum = 0;
    j->pkt->payload = (struct lamp_bytes){ j->in.p, 0 };
    j->pkt->payload_orig_len = 0;
    if (stream)
        set_payload(j, j->missing);
    return j->pkt->ip_proto == LAMP_IPPROTO_TCP ? LAMP_DECODE_TCP_FRAGMENT
                                                : LAMP_DECODE_UDP_FRAGMENT;
}

/* Notes that what j->in begins with is a datagram's first fragment. Of two, one in the other,
 * the outer one is followed. */
static void first_fragment(struct lamp_job *j, const uint8_t *ip, uint32_t id, uint8_t protocol)
{
    if (j->ip_header)
        return;
    j->ip_header = ip;
    j->datagram = j->in.p;
    j->datagram_id = id;
    j->datagram_protocol = protocol;
    j->fragment_len = (uint32_t)(lamp_cursor_left(&j->in) + j->missing);
}

void lamp_layer_remember_fragment(struct lamp_job *j, enum lamp_decode outcome)
{
    lamp_fragments *table = lamp_job_fragments(j);
    if (!table)
        return;
    struct lamp_datagram_key key = datagram_key(j->ip_header, j->datagram_id, j->datagram_protocol);
    struct lamp_fragment fragment = { 0, j->fragment_len, false, j->pkt->t_us };
    uint32_t payload_at = 0;
    if (outcome == LAMP_DECODE_TCP || (outcome == LAMP_DECODE_TCP_CUT && j->pkt->payload.len > 0))
        payload_at = (uint32_t)(j->pkt->payload.data - j->datagram);
    lamp_fragments_first(table, &key, &fragment, j->pkt, payload_at);
}

/* -- IP ------------------------------------------------------------------------------ */

/* RFC 4302 section 2.2: the length of the whole header in words of 4 bytes, less 2. */
static size_t ah_length(const uint8_t *ah)
{
    return ((size_t)ah[1] + 2) * 4;
}

/* RFC 791 */
enum lamp_decode lamp_layer_ipv4(struct lamp_job *j)
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
    if (total != 0 && (total < header || !lamp_job_narrow(j, total - 20)))
        return LAMP_DECODE_IP_LENGTH;
    if (!lamp_cursor_skip(&j->in, header - 20))
        return LAMP_DECODE_IP4_SHORT;

    j->pkt->ip_id = (uint16_t)(h[4] << 8 | h[5]);
    unsigned fragment = (unsigned)h[6] << 8 | h[7];
    uint8_t protocol = h[9];
    if (fragment & 0x1fff)
        return later_fragment(j, h, j->pkt->ip_id, protocol, (fragment & 0x1fff) * 8,
                              !(fragment & 0x2000));
    if (fragment & 0x2000)
        first_fragment(j, h, j->pkt->ip_id, protocol);
    lamp_layer_set_v4(&j->pkt->src, h + 12);
    lamp_layer_set_v4(&j->pkt->dst, h + 16);
    if (protocol == IP_AH) {
        const uint8_t *ah = lamp_cursor_take(&j->in, 12);
        if (!ah || !lamp_cursor_skip(&j->in, ah_length(ah) > 12 ? ah_length(ah) - 12 : 0))
            return LAMP_DECODE_EXT_SHORT;
        protocol = ah[0];
    }
    return transport(j, protocol);
}

static bool is_extension(uint8_t next)
{
    switch (next) {
    case IP_HOPOPTS:
    case IP_ROUTING:
    case IP_FRAGMENT:
    case IP_AH:
    case IP_DSTOPTS:
    case IP_MOBILITY:
    case IP_HIP:
    case IP_SHIM6:
        return true;
    default:
        return false;
    }
}

/* RFC 8200 */
enum lamp_decode lamp_layer_ipv6(struct lamp_job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 40);
    if (!h)
        return LAMP_DECODE_IP6_SHORT;
    if (h[0] >> 4 != 6)
        return LAMP_DECODE_IP_VERSION;
    size_t len = (size_t)h[4] << 8 | h[5];
    /* 0 is a jumbogram or segmentation offload */
    if (len != 0 && !lamp_job_narrow(j, len))
        return LAMP_DECODE_IP_LENGTH;
    j->pkt->ip_id = 0;
    memcpy(j->pkt->src.b, h + 8, 16);
    memcpy(j->pkt->dst.b, h + 24, 16);

    uint8_t next = h[6];
    for (unsigned depth = 0; is_extension(next); depth++) {
        if (depth == LAMP_EXT_DEPTH)
            return LAMP_DECODE_EXT_DEPTH;
        const uint8_t *ext = lamp_cursor_take(&j->in, 8);
        if (!ext)
            return LAMP_DECODE_EXT_SHORT;
        size_t more = (size_t)ext[1] * 8;
        if (next == IP_FRAGMENT) {
            const uint32_t start = (uint32_t)(ext[2] << 8 | ext[3]) & 0xfff8;
            const uint32_t id =
                (uint32_t)ext[4] << 24 | (uint32_t)ext[5] << 16 | (uint32_t)ext[6] << 8 | ext[7];
            if (start != 0)
                return later_fragment(j, h, id, ext[0], start, !(ext[3] & 1));
            if (ext[3] & 1)
                first_fragment(j, h, id, ext[0]);
            more = 0;
        } else if (next == IP_AH) {
            more = ah_length(ext) - 8;
        }
        if (!lamp_cursor_skip(&j->in, more))
            return LAMP_DECODE_EXT_SHORT;
        next = ext[0];
    }
    return transport(j, next);
}

/* A packet that only its first four bits name. */
enum lamp_decode lamp_layer_ip(struct lamp_job *j)
{
    if (!lamp_cursor_left(&j->in))
        return LAMP_DECODE_LINK_SHORT;
    switch (j->in.p[0] >> 4) {
    case 4:
        return lamp_layer_ipv4(j);
    case 6:
        return lamp_layer_ipv6(j);
    default:
        return LAMP_DECODE_IP_VERSION;
    }
}
