/* SPDX-License-Identifier: Apache-2.0 */
/* decode_link: what lies between a link and IP. The link types' own headers are described at
 * tcpdump.org/linktypes. */
#include "sensor/engine/decode_layers.h"

/* -- between: VLAN tags, MPLS, PPPoE, PPP ---------------------------------------------- */

enum lamp_decode lamp_layer_network(struct lamp_job *j, uint16_t type)
{
    while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD) {
        uint16_t id = lamp_cursor_be16(&j->in) & 0x0fff;
        type = lamp_cursor_be16(&j->in);
        if (j->in.bad)
            return LAMP_DECODE_VLAN_SHORT;
        if (j->vlan_tags++ == LAMP_VLAN_DEPTH)
            return LAMP_DECODE_VLAN_DEPTH;
        if (id != 0) /* 0 carries a priority only (802.1Q 6.9) */
            j->pkt->vlans[j->pkt->n_vlans++] = id;
    }
    switch (type) {
    case ETHERTYPE_IPV4:
        return lamp_layer_ipv4(j);
    case ETHERTYPE_IPV6:
        return lamp_layer_ipv6(j);
    case ETHERTYPE_MPLS:
    case ETHERTYPE_MPLS_MULTICAST:
        return lamp_layer_mpls(j);
    case ETHERTYPE_PPPOE:
        return lamp_layer_pppoe(j);
    case ETHERTYPE_TRANSPARENT:
        return lamp_job_enter(j) ? lamp_layer_ethernet(j) : LAMP_DECODE_TUNNEL_DEPTH;
    default:
        return LAMP_DECODE_NOT_IP;
    }
}

enum lamp_decode lamp_layer_ethernet(struct lamp_job *j)
{
    lamp_cursor_skip(&j->in, 12);
    uint16_t type = lamp_cursor_be16(&j->in);
    return j->in.bad ? LAMP_DECODE_LINK_SHORT : lamp_layer_network(j, type);
}

/* RFC 4385 section 3: a control word begins with four zero bits. */
static enum lamp_decode control_word(struct lamp_job *j)
{
    const uint8_t *word = lamp_cursor_take(&j->in, 4);
    return word && word[0] >> 4 == 0 ? lamp_layer_ethernet(j) : LAMP_DECODE_NOT_IP;
}

/* RFC 3032. What the labels carry nobody says: IP shows by its version (RFC 4928), and what is
 * none may be an Ethernet pseudowire with or without a control word (RFC 4448). */
enum lamp_decode lamp_layer_mpls(struct lamp_job *j)
{
    const uint8_t *label;
    unsigned depth = 0;
    do {
        label = lamp_cursor_take(&j->in, 4);
        if (!label)
            return LAMP_DECODE_MPLS_SHORT;
        if (depth++ == LAMP_MPLS_DEPTH)
            return LAMP_DECODE_MPLS_DEPTH;
    } while (!(label[2] & 1)); /* the bottom of the stack */

    enum lamp_decode outcome = LAMP_DECODE_NOT_IP;
    if (!lamp_cursor_left(&j->in))
        return LAMP_DECODE_MPLS_SHORT;
    unsigned version = j->in.p[0] >> 4;
    if ((version == 4 || version == 6) && lamp_job_try(j, lamp_layer_ip, &outcome))
        return outcome;
    static lamp_layer *const wires[] = { control_word, lamp_layer_ethernet };
    for (size_t i = 0; i < ARRAY_LEN(wires); i++) {
        enum lamp_decode wire;
        if (!lamp_job_enter(j))
            return LAMP_DECODE_TUNNEL_DEPTH;
        if (lamp_job_try(j, wires[i], &wire))
            return wire;
    }
    return outcome;
}

/* RFC 2516 section 4 */
enum lamp_decode lamp_layer_pppoe(struct lamp_job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 6);
    if (!h)
        return LAMP_DECODE_PPP_SHORT;
    if (h[0] != 0x11 || h[1] != 0 || !lamp_job_narrow(j, (size_t)h[4] << 8 | h[5]))
        return LAMP_DECODE_NOT_IP;
    return lamp_layer_ppp(j);
}

/* RFC 1661 section 2; RFC 1662 section 3.1: address and control FF 03, which may be left out,
 * as may be the first byte of a protocol below 256. */
enum lamp_decode lamp_layer_ppp(struct lamp_job *j)
{
    enum { PPP_IPV4 = 0x21, PPP_IPV6 = 0x57, PPP_MPLS = 0x281, PPP_MPLS_MULTICAST = 0x283 };
    if (lamp_cursor_left(&j->in) >= 2 && j->in.p[0] == 0xff && j->in.p[1] == 3)
        j->in.p += 2;
    unsigned protocol = lamp_cursor_u8(&j->in);
    if (!(protocol & 1)) /* the last byte of the number is odd */
        protocol = protocol << 8 | lamp_cursor_u8(&j->in);
    if (j->in.bad)
        return LAMP_DECODE_PPP_SHORT;
    switch (protocol) {
    case PPP_IPV4:
        return lamp_layer_ipv4(j);
    case PPP_IPV6:
        return lamp_layer_ipv6(j);
    case PPP_MPLS:
    case PPP_MPLS_MULTICAST:
        return lamp_layer_mpls(j);
    default:
        return LAMP_DECODE_NOT_IP;
    }
}

/* PPP or Cisco HDLC, which capture programs do not keep apart: the latter begins with address 0F
 * or 8F (RFC 1547 section 4.3.1) and a zero, which in PPP is no protocol. Then an EtherType. */
static enum lamp_decode serial(struct lamp_job *j)
{
    const uint8_t *h = j->in.p;
    if (lamp_cursor_left(&j->in) < 2 || (h[0] != 0x0f && h[0] != 0x8f) || h[1] != 0)
        return lamp_layer_ppp(j);
    lamp_cursor_skip(&j->in, 2);
    uint16_t type = lamp_cursor_be16(&j->in);
    return j->in.bad ? LAMP_DECODE_LINK_SHORT : lamp_layer_network(j, type);
}

/* -- 802.11 -------------------------------------------------------------------------- */

/* IEEE 802.2 and SNAP as RFC 1042 uses them. */
static enum lamp_decode snap(struct lamp_job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 8);
    if (!h)
        return LAMP_DECODE_LINK_SHORT;
    if (h[0] != 0xaa || h[1] != 0xaa || h[2] != 3)
        return LAMP_DECODE_NOT_IP;
    return lamp_layer_network(j, (uint16_t)(h[6] << 8 | h[7]));
}

/* IEEE 802.11 section 9.3.2.2: subframes of 14 bytes of header each. One alone is read. */
static enum lamp_decode amsdu(struct lamp_job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 14);
    if (!h)
        return LAMP_DECODE_LINK_SHORT;
    const size_t len = (size_t)h[12] << 8 | h[13], fcs = 4, padding = 3;
    if (lamp_cursor_left(&j->in) + j->missing > len + padding + fcs)
        return LAMP_DECODE_WLAN_AMSDU;
    return lamp_job_narrow(j, len) ? snap(j) : LAMP_DECODE_WLAN_AMSDU;
}

/* IEEE 802.11 section 9.2: frame control, then a header whose length it tells. padded: the
 * header was filled up to a multiple of 4. */
static enum lamp_decode wlan_frame(struct lamp_job *j, bool padded)
{
    enum {
        TYPE_DATA = 2,
        SUBTYPE_NO_DATA = 4,
        SUBTYPE_QOS = 8,
        BOTH_DS = 3,
        MORE_FRAGMENTS = 0x04,
        PROTECTED = 0x40,
        HT_CONTROL = 0x80,
        QOS_AMSDU = 0x80,
    };
    const uint8_t *h = lamp_cursor_take(&j->in, 24);
    if (!h)
        return LAMP_DECODE_WLAN_OTHER; /* acknowledgements are shorter */
    unsigned type = h[0] >> 2 & 3, subtype = h[0] >> 4;
    if ((h[0] & 3) != 0 || type != TYPE_DATA || (subtype & SUBTYPE_NO_DATA))
        return LAMP_DECODE_WLAN_OTHER;
    if (h[1] & PROTECTED)
        return LAMP_DECODE_WLAN_ENCRYPTED;
    if ((h[1] & MORE_FRAGMENTS) || (h[22] & 0x0f))
        return LAMP_DECODE_WLAN_OTHER;
    size_t len = 24;
    if ((h[1] & BOTH_DS) == BOTH_DS) /* a fourth address */
        len += 6;
    lamp_cursor_skip(&j->in, len - 24);
    bool many = false;
    if (subtype & SUBTYPE_QOS) {
        many = lamp_cursor_be16(&j->in) >> 8 & QOS_AMSDU;
        len += 2;
        if (h[1] & HT_CONTROL) {
            lamp_cursor_skip(&j->in, 4);
            len += 4;
        }
    }
    if (padded)
        lamp_cursor_skip(&j->in, -len & 3);
    if (j->in.bad)
        return LAMP_DECODE_LINK_SHORT;
    return many ? amsdu(j) : snap(j);
}

static enum lamp_decode wlan(struct lamp_job *j)
{
    return wlan_frame(j, false);
}

/* radiotap.org: little-endian length; words of presence bits, the last without bit 31; then the
 * fields, of which the first two (a 64-bit clock, flags) tell what is needed. */
static enum lamp_decode radiotap(struct lamp_job *j)
{
    enum { HAS_TSFT = 1, HAS_FLAGS = 2, FLAG_PADDED = 0x20, FLAG_BAD_FCS = 0x40 };
    struct lamp_cursor in = j->in;
    uint8_t version = lamp_cursor_u8(&in);
    lamp_cursor_skip(&in, 1);
    size_t len = lamp_cursor_le16(&in);
    uint32_t present = lamp_cursor_le32(&in), more = present;
    while (more >> 31 && !in.bad)
        more = lamp_cursor_le32(&in);
    size_t at = (size_t)(in.p - j->in.p);
    if (present & HAS_TSFT)
        at = (at + 7) / 8 * 8 + 8;
    if (in.bad || version != 0 || len < 8 || len > lamp_cursor_left(&j->in))
        return LAMP_DECODE_LINK_SHORT;
    uint8_t flags = (present & HAS_FLAGS) && at < len ? j->in.p[at] : 0;
    j->in.p += len;
    if (flags & FLAG_BAD_FCS)
        return LAMP_DECODE_WLAN_OTHER;
    return wlan_frame(j, flags & FLAG_PADDED);
}

/* Per-packet information: little-endian length and link type. */
static enum lamp_decode ppi(struct lamp_job *j)
{
    const uint8_t *h = lamp_cursor_take(&j->in, 8);
    if (!h)
        return LAMP_DECODE_LINK_SHORT;
    size_t len = (size_t)h[3] << 8 | h[2];
    if (h[0] != 0 || len < 8 || !lamp_cursor_skip(&j->in, len - 8))
        return LAMP_DECODE_LINK_SHORT;
    const int inner = h[5] << 8 | h[4]; /* a DLT; those read here are the same as LINKTYPEs */
    if (h[6] || h[7] || inner == LAMP_LINK_PPI)
        return LAMP_DECODE_LINK_UNKNOWN;
    return inner == LAMP_LINK_ETHERNET ? lamp_layer_ethernet(j) : lamp_layer_link(j, inner);
}

/* -- other links --------------------------------------------------------------------- */

/* The address family is in the byte order of the capturing host, which a file does not tell:
 * the families in use are small numbers, so the order shows. AF_INET6 has a number of its own
 * on each system: 10 Linux, 24 NetBSD and OpenBSD, 28 FreeBSD, 30 macOS. */
static enum lamp_decode loopback(struct lamp_job *j)
{
    uint32_t family = lamp_cursor_be32(&j->in);
    if (j->in.bad)
        return LAMP_DECODE_LINK_SHORT;
    if (family > 0xffff)
        family = __builtin_bswap32(family);
    switch (family) {
    case 2:
        return lamp_layer_ipv4(j);
    case 10:
    case 24:
    case 28:
    case 30:
        return lamp_layer_ipv6(j);
    default:
        return LAMP_DECODE_NOT_IP;
    }
}

/* Linux netfilter log: a header of 4 bytes, then attributes of 16-bit length and type in the
 * capturing host's byte order (little-endian read here), each filled up to a multiple of 4. */
static enum lamp_decode nflog(struct lamp_job *j)
{
    enum { ATTRIBUTE_PAYLOAD = 9 };
    if (!lamp_cursor_skip(&j->in, 4))
        return LAMP_DECODE_LINK_SHORT;
    while (lamp_cursor_left(&j->in) >= 4) {
        size_t len = lamp_cursor_le16(&j->in);
        uint16_t type = lamp_cursor_le16(&j->in) & 0x7fff;
        if (len < 4)
            break;
        if (type == ATTRIBUTE_PAYLOAD)
            return lamp_job_narrow(j, len - 4) ? lamp_layer_ip(j) : LAMP_DECODE_LINK_SHORT;
        if (!lamp_cursor_skip(&j->in, (len + 3) / 4 * 4 - 4))
            break;
    }
    return LAMP_DECODE_LINK_SHORT;
}

static enum lamp_decode sll(struct lamp_job *j)
{
    lamp_cursor_skip(&j->in, 14);
    uint16_t type = lamp_cursor_be16(&j->in);
    return j->in.bad ? LAMP_DECODE_LINK_SHORT : lamp_layer_network(j, type);
}

static enum lamp_decode sll2(struct lamp_job *j)
{
    uint16_t type = lamp_cursor_be16(&j->in);
    lamp_cursor_skip(&j->in, 18);
    return j->in.bad ? LAMP_DECODE_LINK_SHORT : lamp_layer_network(j, type);
}

static enum lamp_decode ppp_direction(struct lamp_job *j)
{
    return lamp_cursor_skip(&j->in, 1) ? lamp_layer_ppp(j) : LAMP_DECODE_LINK_SHORT;
}

enum lamp_decode lamp_layer_link(struct lamp_job *j, int linktype)
{
    static const struct {
        int linktype;
        lamp_layer *layer;
    } links[] = {
        { LAMP_LINK_NULL, loopback },
        { LAMP_LINK_LOOP, loopback },
        { LAMP_LINK_RAW, lamp_layer_ip },
        { LAMP_LINK_IPV4, lamp_layer_ipv4 },
        { LAMP_LINK_IPV6, lamp_layer_ipv6 },
        { LAMP_LINK_SLL, sll },
        { LAMP_LINK_SLL2, sll2 },
        { LAMP_LINK_PPP, serial },
        { LAMP_LINK_PPP_HDLC, serial },
        { LAMP_LINK_PPP_ETHER, lamp_layer_pppoe },
        { LAMP_LINK_PPP_DIRECTION, ppp_direction },
        { LAMP_LINK_C_HDLC, serial },
        { LAMP_LINK_WLAN, wlan },
        { LAMP_LINK_RADIOTAP, radiotap },
        { LAMP_LINK_PPI, ppi },
        { LAMP_LINK_NFLOG, nflog },
    };
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (links[i].linktype == linktype)
            return links[i].layer(j);
    return LAMP_DECODE_LINK_UNKNOWN;
}
