/* SPDX-License-Identifier: Apache-2.0 */
/* decode_layers: what the files of decode share; for them alone. A layer reads its header from
 * job->in, narrows what is left to what the header promises, and ends in the outcome of the
 * layer inside. Not thread-safe: a job belongs to one call. */
#pragma once

#include "common/cursor.h"
#include "sensor/engine/decode.h"
#include "sensor/engine/decode_fragments.h"

enum ethertype {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_TRANSPARENT = 0x6558, /* Ethernet in GRE or Geneve */
    ETHERTYPE_VLAN = 0x8100,        /* 802.1Q */
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_MPLS = 0x8847,
    ETHERTYPE_MPLS_MULTICAST = 0x8848,
    ETHERTYPE_PPPOE = 0x8864,
    ETHERTYPE_QINQ = 0x88a8,     /* 802.1ad */
    ETHERTYPE_QINQ_OLD = 0x9100, /* before 802.1ad */
};

/* What is being decoded: the bytes left, and what is known of those that are not there. */
struct lamp_job {
    struct lamp_cursor in;
    struct lamp_pkt *pkt;
    lamp_decoder *decoder;     /* NULL: tunnels are opened, fragments not remembered */
    size_t missing;            /* bytes of the innermost packet that were not captured */
    const uint8_t *datagram;   /* the payload of the IP datagram that is a first fragment */
    const uint8_t *ip_header;  /* of that datagram; NULL: nothing is fragmented */
    uint32_t datagram_id;      /* its identification */
    uint8_t datagram_protocol; /* what it carries */
    uint32_t fragment_len;     /* bytes of it in this frame */
    uint8_t vlan_tags;
    uint8_t tunnels; /* headers of tunnels looked at, also in vain */
};

/* Narrows the input to the `len` bytes a header promises: what lies behind is padding. A
 * promise past the end is honest only if the capture cut the frame or the rest is in the
 * datagram's other fragments. */
static inline bool lamp_job_narrow(struct lamp_job *job, size_t len)
{
    size_t left = lamp_cursor_left(&job->in);
    if (len <= left) {
        job->in.end = job->in.p + len;
        job->missing = 0;
    } else if (len - left <= job->missing) {
        job->missing = len - left;
    } else {
        return job->ip_header != NULL; /* the rest follows in other frames */
    }
    return true;
}

/* From 4 bytes in network order; lamp_addr_from_v4() in place. */
static inline void lamp_layer_set_v4(struct lamp_addr *a, const uint8_t *p)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    memcpy(a->b, mapped, sizeof(mapped));
    memcpy(a->b + sizeof(mapped), p, 4);
}

/* Counts a tunnel header; false when there have been LAMP_TUNNEL_DEPTH. */
bool lamp_job_enter(struct lamp_job *job);

bool lamp_job_opens_tunnels(const struct lamp_job *job);
lamp_fragments *lamp_job_fragments(const struct lamp_job *job); /* NULL: none are remembered */

/* A layer of either file; the names say what job->in begins with. */
typedef enum lamp_decode lamp_layer(struct lamp_job *job);
lamp_layer lamp_layer_ethernet, lamp_layer_mpls, lamp_layer_pppoe, lamp_layer_ppp;
lamp_layer lamp_layer_ipv4, lamp_layer_ipv6, lamp_layer_ip; /* ip: either, by its version */
lamp_layer lamp_layer_gre;

/* What follows an EtherType: VLAN tags, then a network layer. */
enum lamp_decode lamp_layer_network(struct lamp_job *job, uint16_t type);

/* Whether a UDP port is one of a tunnel's. */
bool lamp_layer_is_tunnel_port(uint16_t port);

/* Frames of all link types but Ethernet. */
enum lamp_decode lamp_layer_link(struct lamp_job *job, int linktype);

/* Tries whether the payload of the UDP packet just decoded is a tunnel with a TCP or UDP packet
 * in it. If so *out is the outcome and job->pkt the inner packet; if not, nothing changed. */
bool lamp_layer_udp_tunnel(struct lamp_job *job, enum lamp_decode *out);

/* Remembers the datagram of which the frame was the first fragment. */
void lamp_layer_remember_fragment(struct lamp_job *job, enum lamp_decode outcome);

/* Whether `layer` leads to a packet; if not, the job and its packet are as before. */
bool lamp_job_try(struct lamp_job *job, lamp_layer *layer, enum lamp_decode *out);
