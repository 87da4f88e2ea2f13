/* SPDX-License-Identifier: Apache-2.0 */
/* decode: from a frame to the innermost TCP or UDP packet in it. No allocation after
 * lamp_decoder_new(). Every frame ends in exactly one outcome of decode.def, and no byte past
 * frame->cap_len is read, whatever the lengths in the headers say.
 *
 * Links: Ethernet, 802.11 (plain, radiotap, PPI), PPP, Cisco HDLC, Linux SLL and SLL2, raw IP,
 * BSD and OpenBSD loopback, nflog. Between them and IP: 802.1Q and 802.1ad tags, MPLS, PPPoE.
 * IPv4 with options and AH, IPv6 with extension headers, fragments. Tunnels: IP and MPLS in IP,
 * GRE (also PPTP's), ERSPAN, VXLAN, Geneve, GTP-U, Teredo. A tunnel in UDP is believed only
 * when a TCP or UDP packet comes out of it; otherwise the outer UDP packet is the result.
 *
 * A packet cut by the snapshot length is still a packet if its ports are there. Limits:
 * LAMP_VLAN_DEPTH tags in all, LAMP_MPLS_DEPTH labels, LAMP_EXT_DEPTH extension headers,
 * LAMP_TUNNEL_DEPTH tunnel headers looked at in a frame.
 *
 * Files: decode.c links and dispatch, decode_link.c what lies between a link and IP,
 * decode_ip.c IP to ports, decode_tunnel.c packets in packets, decode_fragments.c datagrams in
 * pieces. */
#pragma once

#include "common/err.h"
#include "sensor/engine/packet.h"

typedef struct lamp_decoder lamp_decoder; /* what is remembered from frame to frame */

enum { LAMP_EXT_DEPTH = 8, LAMP_MPLS_DEPTH = 8, LAMP_TUNNEL_DEPTH = 8 };

enum lamp_decode {
#define LAMP_DECODE(name, text) LAMP_DECODE_##name,
#include "sensor/engine/decode.def"
#undef LAMP_DECODE
    LAMP_DECODE_COUNT
};

struct lamp_decoder_cfg {
    bool no_tunnels;      /* the outermost TCP or UDP packet is the result */
    size_t max_datagrams; /* fragmented ones remembered at once, 1 to 2^20; 0: 1024 */
};

/* LAMP_EINVAL: max_datagrams too large. LAMP_ENOMEM. Negated errno: no random bytes. */
LAMP_CHECK int lamp_decoder_new(const struct lamp_decoder_cfg *cfg, lamp_decoder **out);

/* Whether tunnels are left closed from now on, as no_tunnels. */
void lamp_decoder_close_tunnels(lamp_decoder *d, bool closed);

/* Accepts NULL. Returns NULL. */
lamp_decoder *lamp_decoder_free(lamp_decoder *d);

/* Decodes one frame. d is one thread's; NULL: tunnels are opened and every fragment after a
 * first is LAMP_DECODE_FRAGMENT. *out, which borrows the frame's bytes, is filled only where
 * lamp_decode_is_packet() holds for the outcome; a TCP fragment is a segment of its own there,
 * with its place in the stream. Sources stand at the layers. */
enum lamp_decode lamp_decode_frame(lamp_decoder *d, const struct lamp_frame *frame,
                                   struct lamp_pkt *out);

/* The same for n frames. Time and length of a frame stand in its packet whatever the outcome is. */
void lamp_decode_frames(lamp_decoder *d, const struct lamp_frame *frames, size_t n,
                        struct lamp_pkt *out, enum lamp_decode *out_outcomes);

/* Remembered datagrams that were given up before their time or their end, for lack of room. */
uint64_t lamp_decoder_evicted(const lamp_decoder *d);

static inline bool lamp_decode_is_packet(enum lamp_decode outcome)
{
    const uint64_t packets = UINT64_C(1) << LAMP_DECODE_TCP | UINT64_C(1) << LAMP_DECODE_TCP_CUT |
                             UINT64_C(1) << LAMP_DECODE_UDP | UINT64_C(1) << LAMP_DECODE_UDP_CUT |
                             UINT64_C(1) << LAMP_DECODE_TCP_FRAGMENT |
                             UINT64_C(1) << LAMP_DECODE_UDP_FRAGMENT |
                             UINT64_C(1) << LAMP_DECODE_RECORD;
    return packets >> outcome & 1;
}

/* A constant name ("TCP_CUT"); outcome below LAMP_DECODE_COUNT. */
const char *lamp_decode_name(enum lamp_decode outcome);
