/* SPDX-License-Identifier: Apache-2.0 */
/* decode_plain: the frames that nearly all traffic is made of. Every condition here is one under which
 * the layers do nothing else; what fails one is theirs. A header, as calling it would be a good part
 * of what it costs. For decode alone, pure. */
#pragma once

#include "sensor/engine/decode_layers.h"

enum {
    LAMP_PLAIN_ETHERNET = 14,
    LAMP_PLAIN_IP4 = 20,
    LAMP_PLAIN_IP6 = 40,
    LAMP_PLAIN_TCP = 20,
    LAMP_PLAIN_UDP = 8,
};

/* A TCP header of `len` bytes with its payload. RFC 9293 section 3.1 */
static inline enum lamp_decode lamp_plain_tcp(const uint8_t *h, size_t len, struct lamp_pkt *out)
{
    if (len < LAMP_PLAIN_TCP)
        return LAMP_DECODE_COUNT;
    const size_t header = (size_t)(h[12] >> 4) * 4;
    if (header < LAMP_PLAIN_TCP || header > len)
        return LAMP_DECODE_COUNT;
    out->tcp_seq = lamp_be32(h + 4);
    out->tcp_ack = lamp_be32(h + 8);
    out->tcp_flags = h[13];
    out->checksum = lamp_be16(h + 16);
    out->payload = (struct lamp_bytes){ h + header, len - header };
    return LAMP_DECODE_TCP;
}

/* RFC 768 */
static inline enum lamp_decode lamp_plain_udp(const uint8_t *h, size_t len, struct lamp_pkt *out)
{
    if (len < LAMP_PLAIN_UDP || lamp_layer_is_tunnel_port(lamp_be16(h)) ||
        lamp_layer_is_tunnel_port(lamp_be16(h + 2)))
        return LAMP_DECODE_COUNT;
    const size_t own = lamp_be16(h + 4); /* less than there is: padding in IP */
    if (own < LAMP_PLAIN_UDP || own > len)
        return LAMP_DECODE_COUNT;
    out->tcp_seq = out->tcp_ack = 0;
    out->tcp_flags = 0;
    out->checksum = lamp_be16(h + 6);
    out->payload = (struct lamp_bytes){ h + LAMP_PLAIN_UDP, own - LAMP_PLAIN_UDP };
    return LAMP_DECODE_UDP;
}

/* What most frames are, read in one go: Ethernet, IP without options or extension headers, a whole TCP
 * or UDP packet that cannot be a tunnel. Fills *out as the layers would; LAMP_DECODE_COUNT: the
 * frame is something else, or not quite so, and the layers have to say what. */
static inline enum lamp_decode lamp_layer_plain(const struct lamp_frame *frame,
                                                struct lamp_pkt *out)
{
    if (frame->linktype != LAMP_LINK_ETHERNET ||
        frame->cap_len < LAMP_PLAIN_ETHERNET + LAMP_PLAIN_IP4 + LAMP_PLAIN_UDP ||
        frame->orig_len > frame->cap_len)
        return LAMP_DECODE_COUNT;
    const uint8_t *ip = frame->data + LAMP_PLAIN_ETHERNET, *h;
    const size_t left = frame->cap_len - LAMP_PLAIN_ETHERNET;
    const unsigned type = lamp_be16(frame->data + 12);
    size_t len;                   /* of what IP carries */
    if (type == ETHERTYPE_IPV4) { /* RFC 791 */
        const size_t total = lamp_be16(ip + 2);
        if (ip[0] != 0x45 || total < LAMP_PLAIN_IP4 || total > left || lamp_be16(ip + 6) & 0x3fff)
            return LAMP_DECODE_COUNT;
        h = ip + LAMP_PLAIN_IP4;
        len = total - LAMP_PLAIN_IP4;
        out->ip_proto = ip[9];
        out->ip_id = lamp_be16(ip + 4);
        lamp_layer_set_v4(&out->src, ip + 12);
        lamp_layer_set_v4(&out->dst, ip + 16);
    } else if (type == ETHERTYPE_IPV6) { /* RFC 8200 */
        if (left < LAMP_PLAIN_IP6 || ip[0] >> 4 != 6)
            return LAMP_DECODE_COUNT;
        h = ip + LAMP_PLAIN_IP6;
        len = lamp_be16(ip + 4);
        if (len == 0 || len > left - LAMP_PLAIN_IP6)
            return LAMP_DECODE_COUNT;
        out->ip_proto = ip[6];
        out->ip_id = 0;
        memcpy(out->src.b, ip + 8, sizeof(out->src));
        memcpy(out->dst.b, ip + 24, sizeof(out->dst));
    } else {
        return LAMP_DECODE_COUNT;
    }
    const enum lamp_decode outcome = out->ip_proto == LAMP_IPPROTO_TCP ? lamp_plain_tcp(h, len, out)
                                     : out->ip_proto == LAMP_IPPROTO_UDP
                                         ? lamp_plain_udp(h, len, out)
                                         : LAMP_DECODE_COUNT;
    if (outcome == LAMP_DECODE_COUNT)
        return outcome;
    out->src_port = lamp_be16(h);
    out->dst_port = lamp_be16(h + 2);
    out->frag_off = 0;
    out->payload_orig_len = (uint32_t)out->payload.len;
    return outcome;
}
