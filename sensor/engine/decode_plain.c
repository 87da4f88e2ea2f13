/* SPDX-License-Identifier: Apache-2.0 */
/* decode_plain: the frames that nearly all traffic is made of. Every condition here is one under which
 * the layers do nothing else; what fails one is theirs. */
#include "sensor/engine/decode_layers.h"

enum { ETHERNET = 14, IP4 = 20, IP6 = 40, TCP = 20, UDP = 8 };
static const enum lamp_decode NOT_PLAIN = LAMP_DECODE_COUNT;

/* A TCP header of `len` bytes with its payload. RFC 9293 section 3.1 */
static inline enum lamp_decode tcp(const uint8_t *h, size_t len, struct lamp_pkt *out)
{
    if (len < TCP)
        return NOT_PLAIN;
    const size_t header = (size_t)(h[12] >> 4) * 4;
    if (header < TCP || header > len)
        return NOT_PLAIN;
    out->tcp_seq = lamp_be32(h + 4);
    out->tcp_ack = lamp_be32(h + 8);
    out->tcp_flags = h[13];
    out->checksum = lamp_be16(h + 16);
    out->payload = (struct lamp_bytes){ h + header, len - header };
    return LAMP_DECODE_TCP;
}

/* RFC 768 */
static inline enum lamp_decode udp(const uint8_t *h, size_t len, struct lamp_pkt *out)
{
    if (len < UDP || lamp_layer_is_tunnel_port(lamp_be16(h)) ||
        lamp_layer_is_tunnel_port(lamp_be16(h + 2)))
        return NOT_PLAIN;
    const size_t own = lamp_be16(h + 4); /* less than there is: padding in IP */
    if (own < UDP || own > len)
        return NOT_PLAIN;
    out->tcp_seq = out->tcp_ack = 0;
    out->tcp_flags = 0;
    out->checksum = lamp_be16(h + 6);
    out->payload = (struct lamp_bytes){ h + UDP, own - UDP };
    return LAMP_DECODE_UDP;
}

enum lamp_decode lamp_layer_plain(const struct lamp_frame *frame, struct lamp_pkt *out)
{
    if (frame->linktype != LAMP_LINK_ETHERNET || frame->cap_len < ETHERNET + IP4 + UDP ||
        frame->orig_len > frame->cap_len)
        return NOT_PLAIN;
    const uint8_t *ip = frame->data + ETHERNET, *h;
    const size_t left = frame->cap_len - ETHERNET;
    const unsigned type = lamp_be16(frame->data + 12);
    size_t len;                   /* of what IP carries */
    if (type == ETHERTYPE_IPV4) { /* RFC 791 */
        const size_t total = lamp_be16(ip + 2);
        if (ip[0] != 0x45 || total < IP4 || total > left || lamp_be16(ip + 6) & 0x3fff)
            return NOT_PLAIN;
        h = ip + IP4;
        len = total - IP4;
        out->ip_proto = ip[9];
        out->ip_id = lamp_be16(ip + 4);
        lamp_layer_set_v4(&out->src, ip + 12);
        lamp_layer_set_v4(&out->dst, ip + 16);
    } else if (type == ETHERTYPE_IPV6) { /* RFC 8200 */
        if (left < IP6 || ip[0] >> 4 != 6)
            return NOT_PLAIN;
        h = ip + IP6;
        len = lamp_be16(ip + 4);
        if (len == 0 || len > left - IP6)
            return NOT_PLAIN;
        out->ip_proto = ip[6];
        out->ip_id = 0;
        memcpy(out->src.b, ip + 8, sizeof(out->src));
        memcpy(out->dst.b, ip + 24, sizeof(out->dst));
    } else {
        return NOT_PLAIN;
    }
    const enum lamp_decode outcome = out->ip_proto == LAMP_IPPROTO_TCP   ? tcp(h, len, out)
                                     : out->ip_proto == LAMP_IPPROTO_UDP ? udp(h, len, out)
                                                                         : NOT_PLAIN;
    if (outcome == NOT_PLAIN)
        return outcome;
    out->src_port = lamp_be16(h);
    out->dst_port = lamp_be16(h + 2);
    out->frag_off = 0;
    out->payload_orig_len = (uint32_t)out->payload.len;
    return outcome;
}
