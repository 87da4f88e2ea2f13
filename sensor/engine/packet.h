/* SPDX-License-Identifier: Apache-2.0 */
/* packet: what passes along the packet path: a frame as captured, and a packet as decoded.
 * Plain data that borrows the capture buffer: valid until the next frame is read. */
#pragma once

#include "common/addr.h"
#include "common/util.h"

enum { LAMP_VLAN_DEPTH = 4 };

/* The link types that decode reads, with their LINKTYPE_ values. */
enum lamp_linktype {
    LAMP_LINK_NULL = 0, /* BSD loopback: address family in the host's byte order */
    LAMP_LINK_ETHERNET = 1,
    LAMP_LINK_PPP = 9,
    LAMP_LINK_PPP_HDLC = 50,  /* PPP or Cisco HDLC */
    LAMP_LINK_PPP_ETHER = 51, /* a PPPoE session */
    LAMP_LINK_RAW = 101,      /* an IPv4 or IPv6 packet */
    LAMP_LINK_C_HDLC = 104,   /* Cisco HDLC or PPP */
    LAMP_LINK_WLAN = 105,     /* 802.11 */
    LAMP_LINK_LOOP = 108,     /* OpenBSD loopback: address family in network byte order */
    LAMP_LINK_SLL = 113,      /* Linux "any" */
    LAMP_LINK_RADIOTAP = 127, /* 802.11 with radiotap */
    LAMP_LINK_PPI = 192,
    LAMP_LINK_PPP_DIRECTION = 204, /* PPP after a byte of direction */
    LAMP_LINK_IPV4 = 228,
    LAMP_LINK_IPV6 = 229,
    LAMP_LINK_NFLOG = 239,
    LAMP_LINK_SLL2 = 276,
};

static inline bool lamp_linktype_known(int linktype)
{
    switch (linktype) {
    case LAMP_LINK_NULL:
    case LAMP_LINK_ETHERNET:
    case LAMP_LINK_PPP:
    case LAMP_LINK_PPP_HDLC:
    case LAMP_LINK_PPP_ETHER:
    case LAMP_LINK_RAW:
    case LAMP_LINK_C_HDLC:
    case LAMP_LINK_WLAN:
    case LAMP_LINK_LOOP:
    case LAMP_LINK_SLL:
    case LAMP_LINK_RADIOTAP:
    case LAMP_LINK_PPI:
    case LAMP_LINK_PPP_DIRECTION:
    case LAMP_LINK_IPV4:
    case LAMP_LINK_IPV6:
    case LAMP_LINK_NFLOG:
    case LAMP_LINK_SLL2:
        return true;
    default:
        return false;
    }
}

struct lamp_frame {
    const uint8_t *data;
    uint32_t cap_len;  /* bytes present */
    uint32_t orig_len; /* bytes on the wire: what all byte counts mean (DESIGN 8) */
    uint64_t t_us;     /* capture time, microseconds since 1970 */
    int linktype;      /* LINKTYPE_ value (tcpdump.org/linktypes.html) */
};

enum { LAMP_IPPROTO_TCP = 6, LAMP_IPPROTO_UDP = 17 };

enum lamp_tcp_flag {
    LAMP_TCP_FIN = 0x01,
    LAMP_TCP_SYN = 0x02,
    LAMP_TCP_RST = 0x04,
    LAMP_TCP_PSH = 0x08,
    LAMP_TCP_ACK = 0x10,
};

/* One TCP or UDP packet, the innermost if it was tunnelled. */
struct lamp_pkt {
    struct lamp_addr src, dst;
    uint16_t src_port, dst_port;
    uint8_t ip_proto; /* LAMP_IPPROTO_TCP or _UDP */
    uint8_t n_vlans;
    uint16_t vlans[LAMP_VLAN_DEPTH]; /* ids, outermost first */
    uint8_t tcp_flags;               /* enum lamp_tcp_flag; 0 where the header was cut */
    uint32_t tcp_seq, tcp_ack;
    uint16_t ip_id;            /* of the IPv4 header; 0 for IPv6 */
    uint16_t frag_off;         /* IP fragment offset as in the header; 0: first or whole */
    uint16_t checksum;         /* of TCP or UDP as captured; 0 where it was cut */
    struct lamp_bytes payload; /* what was captured of it */
    uint32_t payload_orig_len; /* what the headers say was sent */
    uint32_t frame_len;        /* orig_len of the frame */
    uint64_t t_us;
};
