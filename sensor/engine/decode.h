/* SPDX-License-Identifier: Apache-2.0 */
/* decode: from a frame to the TCP or UDP packet in it. Pure functions: no state, no
 * allocation, thread-safe. Every frame ends in exactly one outcome of decode.def, and no
 * byte past frame->cap_len is read, whatever the lengths in the headers say.
 *
 * Read are Ethernet II, 802.1Q and 802.1ad tags, Linux SLL and SLL2, raw IP, BSD and OpenBSD
 * loopback, IPv4 with options, IPv6 with extension headers, TCP, UDP. A packet cut by the
 * snapshot length is still a packet if its ports are there. Limits: LAMP_VLAN_DEPTH tags,
 * LAMP_EXT_DEPTH extension headers. */
#pragma once

#include "sensor/engine/packet.h"

enum { LAMP_EXT_DEPTH = 8 };

enum lamp_decode {
#define LAMP_DECODE(name, text) LAMP_DECODE_##name,
#include "sensor/engine/decode.def"
#undef LAMP_DECODE
    LAMP_DECODE_COUNT
};

/* Decodes one frame. *out, which borrows the frame's bytes, is filled only where
 * lamp_decode_is_packet() holds for the outcome. Sources: IEEE 802.3, 802.1Q; RFC 791, 8200,
 * 9293, 768; tcpdump.org/linktypes for the rest. */
enum lamp_decode lamp_decode_frame(const struct lamp_frame *frame, struct lamp_pkt *out);

static inline bool lamp_decode_is_packet(enum lamp_decode outcome)
{
    return outcome <= LAMP_DECODE_UDP_CUT;
}

/* A constant name ("TCP_CUT"); outcome below LAMP_DECODE_COUNT. */
const char *lamp_decode_name(enum lamp_decode outcome);
