/* SPDX-License-Identifier: Apache-2.0 */
/* decode_tunnel: packets in GRE and in UDP. */
#include "sensor/engine/decode_layers.h"

enum tunnel_port {
    PORT_GTP_U = 2152,  /* 3GPP TS 29.281 section 4.4.2 */
    PORT_TEREDO = 3544, /* RFC 4380 section 2.7 */
    PORT_VXLAN = 4789,  /* RFC 7348 section 8 */
    PORT_GENEVE = 6081, /* RFC 8926 section 3.3 */
};

enum gre_protocol {
    GRE_PPP = 0x880b,    /* RFC 2637: PPTP */
    GRE_ERSPAN = 0x88be, /* types I and II */
    GRE_ERSPAN_III = 0x22eb,
};

enum gre_flag {
    GRE_CHECKSUM = 0x8000,
    GRE_ROUTING = 0x4000, /* RFC 1701; gone in RFC 2784 */
    GRE_KEY = 0x2000,
    GRE_SEQUENCE = 0x1000,
    GRE_ACKNOWLEDGE = 0x0080, /* version 1 */
    GRE_VERSION = 0x0007,
};

/* draft-foschiano-erspan: type II has a header of 8 bytes; type III of 12, and of 8 more if its
 * last bit says so; type I has none. */
static enum lamp_decode erspan(struct lamp_job *j, uint16_t protocol, bool has_sequence)
{
    enum { FRAME_ETHERNET = 0, FRAME_IP = 2 };
    if (protocol == GRE_ERSPAN) {
        if (has_sequence && !lamp_cursor_skip(&j->in, 8))
            return LAMP_DECODE_TUNNEL_SHORT;
        return lamp_layer_ethernet(j);
    }
    const uint8_t *h = lamp_cursor_take(&j->in, 12);
    if (!h || ((h[11] & 1) && !lamp_cursor_skip(&j->in, 8)))
        return LAMP_DECODE_TUNNEL_SHORT;
    switch (h[10] >> 2 & 0x1f) {
    case FRAME_ETHERNET:
        return lamp_layer_ethernet(j);
    case FRAME_IP:
        return lamp_layer_ip(j);
    default:
        return LAMP_DECODE_TUNNEL_OTHER;
    }
}

/* RFC 2784 and 2890; version 1: RFC 2637 section 4.1 */
enum lamp_decode lamp_layer_gre(struct lamp_job *j)
{
    uint16_t flags = lamp_cursor_be16(&j->in);
    uint16_t protocol = lamp_cursor_be16(&j->in);
    unsigned version = flags & GRE_VERSION;
    size_t options = 0;
    if (flags & (GRE_CHECKSUM | GRE_ROUTING))
        options += 4;
    if (flags & GRE_KEY)
        options += 4;
    if (flags & GRE_SEQUENCE)
        options += 4;
    if (version == 1 && (flags & GRE_ACKNOWLEDGE))
        options += 4;
    if (!lamp_cursor_skip(&j->in, options))
        return LAMP_DECODE_TUNNEL_SHORT;
    if (version > 1 || (flags & GRE_ROUTING))
        return LAMP_DECODE_TUNNEL_OTHER;
    /* without a sequence number PPTP only acknowledges */
    if (version == 1)
        return protocol == GRE_PPP && (flags & GRE_SEQUENCE) ? lamp_layer_ppp(j)
                                                             : LAMP_DECODE_TUNNEL_OTHER;
    switch (protocol) {
    case GRE_PPP:
        return lamp_layer_ppp(j);
    case GRE_ERSPAN:
    case GRE_ERSPAN_III:
        return erspan(j, protocol, flags & GRE_SEQUENCE);
    default:
        return lamp_layer_network(j, protocol);
    }
}

/* RFC 7348 section 5: a VNI is there if bit I is set. */
static enum lamp_decode vxlan(struct lamp_job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 8);
    return h && (h[0] & 0x08) ? lamp_layer_ethernet(j) : LAMP_DECODE_TUNNEL_OTHER;
}

/* RFC 8926 section 3.4: version 0, length of the options in words, EtherType. */
static enum lamp_decode geneve(struct lamp_job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 8);
    if (!h || h[0] >> 6 != 0 || !lamp_cursor_skip(&j->in, (size_t)(h[0] & 0x3f) * 4))
        return LAMP_DECODE_TUNNEL_OTHER;
    return lamp_layer_network(j, (uint16_t)(h[2] << 8 | h[3]));
}

/* 3GPP TS 29.281 sections 5.1 and 5.2: version 1, message 255 carries a user's packet. */
static enum lamp_decode gtp_u(struct lamp_job *j)
{
    enum { VERSION_AND_TYPE = 0xf0, GTP_1 = 0x30, OPTIONS = 0x07, NEXT = 0x04, G_PDU = 255 };
    const uint8_t *h = lamp_cursor_take(&j->in, 8);
    if (!h || (h[0] & VERSION_AND_TYPE) != GTP_1 || h[1] != G_PDU ||
        !lamp_job_narrow(j, (size_t)h[2] << 8 | h[3]))
        return LAMP_DECODE_TUNNEL_OTHER;
    if (!(h[0] & OPTIONS))
        return lamp_layer_ip(j);
    const uint8_t *options = lamp_cursor_take(&j->in, 4);
    if (!options)
        return LAMP_DECODE_TUNNEL_OTHER;
    uint8_t next = h[0] & NEXT ? options[3] : 0;
    for (unsigned depth = 0; next != 0; depth++) {
        size_t len = (size_t)lamp_cursor_u8(&j->in) * 4;
        if (len == 0 || depth == LAMP_EXT_DEPTH || !lamp_cursor_skip(&j->in, len - 2))
            return LAMP_DECODE_TUNNEL_OTHER;
        next = lamp_cursor_u8(&j->in);
    }
    return j->in.bad ? LAMP_DECODE_TUNNEL_OTHER : lamp_layer_ip(j);
}

/* RFC 4380 section 5.1.1: authentication and origin indication may come before the IPv6. */
static enum lamp_decode teredo(struct lamp_job *j)
{
    enum { ORIGIN = 0, AUTHENTICATION = 1 };
    for (unsigned i = 0; i < 2 && lamp_cursor_left(&j->in) >= 4 && j->in.p[0] == 0; i++) {
        const uint8_t *h = j->in.p;
        size_t len = h[1] == AUTHENTICATION ? 4U + h[2] + h[3] + 8 + 1 : 8;
        if (h[1] > AUTHENTICATION || !lamp_cursor_skip(&j->in, len))
            return LAMP_DECODE_TUNNEL_OTHER;
    }
    return lamp_layer_ipv6(j);
}

static lamp_layer *by_port(uint16_t port)
{
    switch (port) {
    case PORT_VXLAN:
        return vxlan;
    case PORT_GENEVE:
        return geneve;
    case PORT_GTP_U:
        return gtp_u;
    case PORT_TEREDO:
        return teredo;
    default:
        return NULL;
    }
}

bool lamp_layer_is_tunnel_port(uint16_t port)
{
    return by_port(port) != NULL;
}

bool lamp_layer_udp_tunnel(struct lamp_job *j, enum lamp_decode *out)
{
    lamp_layer *layer = by_port(j->pkt->dst_port);
    if (!layer)
        layer = by_port(j->pkt->src_port);
    return layer && lamp_job_opens_tunnels(j) && lamp_job_enter(j) && lamp_job_try(j, layer, out);
}
