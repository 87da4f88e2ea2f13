/* SPDX-License-Identifier: Apache-2.0 */
/* decode_fragments: the fragmented IP datagrams of which the first fragment was seen, so that the
 * others find their ports. Nothing is copied: a later fragment of a TCP datagram is a segment
 * whose sequence number follows from its offset, and the stream's reassembly does the rest.
 * All memory is taken at creation. A datagram has WAYS places it may be at, chosen by a keyed
 * hash; the oldest there makes room, so a flood costs what anything else costs. Datagrams are
 * forgotten when they are complete or LAMP_FRAGMENT_US old. Not thread-safe. */
#pragma once

#include "common/err.h"
#include "sensor/engine/packet.h"

typedef struct lamp_fragments lamp_fragments;

enum { LAMP_FRAGMENT_US = 30 * 1000 * 1000 };

/* Which datagram (RFC 791 section 2.3, RFC 8200 section 4.5). */
struct lamp_datagram_key {
    struct lamp_addr src, dst;
    uint32_t id;
    uint32_t protocol; /* of IPv4; 0 for IPv6 */
};

/* Where in a datagram a fragment lies. */
struct lamp_fragment {
    uint32_t start, end; /* bytes of the datagram's payload, at most 2^16 + 2^16 */
    bool last;
    uint64_t t_us;
};

enum lamp_fragment_fit {
    LAMP_FRAGMENT_FITS,
    LAMP_FRAGMENT_ORPHAN,   /* its first fragment was not seen (yet), or forgotten */
    LAMP_FRAGMENT_OVERLAPS, /* part of it was there before */
    LAMP_FRAGMENT_PIECES,   /* too many holes in the datagram */
};

/* LAMP_EINVAL: max out of 1 to 2^20. LAMP_ENOMEM. Negated errno: no random bytes. */
LAMP_CHECK int lamp_fragments_new(size_t max, lamp_fragments **out);
lamp_fragments *lamp_fragments_free(lamp_fragments *t);

/* Remembers a datagram by its first fragment, in place of another of the same key. first: the
 * packet in it. payload_at: where in the datagram first->payload begins, for TCP; 0: unknown. */
void lamp_fragments_first(lamp_fragments *t, const struct lamp_datagram_key *key,
                          const struct lamp_fragment *fragment, const struct lamp_pkt *first,
                          uint32_t payload_at);

/* Finds the datagram of a later fragment. LAMP_FRAGMENT_FITS: fills addresses, ports, protocol
 * and tcp_* of *pkt; *out_stream tells whether tcp_seq is that of the fragment's first byte,
 * so that its bytes are the stream's. */
enum lamp_fragment_fit lamp_fragments_later(lamp_fragments *t, const struct lamp_datagram_key *key,
                                            const struct lamp_fragment *fragment,
                                            struct lamp_pkt *pkt, bool *out_stream);

/* How many were pushed out by others. */
uint64_t lamp_fragments_evicted(const lamp_fragments *t);
