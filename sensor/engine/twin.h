/* SPDX-License-Identifier: Apache-2.0 */
/* twin: recognises a packet that was captured twice: a mirror port that copies a port's way in
 * and way out, one packet seen in two VLANs on both sides of a router. Copies are the same in
 * all that routers and switches leave alone (addresses, ports, IPv4 identification, fragment,
 * sequence numbers, flags, checksum, length), and follow within LAMP_TWIN_US.
 *
 * What looks alike but is not a copy is let through: a TCP retransmission has another IPv4
 * identification, and comes later than that even where there is none (IPv6, or zero as some
 * senders write); repeated acknowledgements and datagrams without an identification pass,
 * unless their VLAN is another, since nothing tells them from copies.
 *
 * Memory: 64 KiB, taken at creation; of packets that fall on the same place the newer is
 * remembered. Not thread-safe, reads no clock. */
#pragma once

#include "common/err.h"
#include "sensor/engine/packet.h"

typedef struct lamp_twins lamp_twins;

enum { LAMP_TWIN_US = 2000, LAMP_TWIN_PLACES = 4096 };

LAMP_CHECK int lamp_twins_new(lamp_twins **out); /* LAMP_ENOMEM */
lamp_twins *lamp_twins_free(lamp_twins *t);

/* What copies of the packet have in common. pair_hash: keyed hash of its ends; src: which of
 * them sent it. Has memory begin to fetch what it will be compared with. */
uint64_t lamp_twins_print(const lamp_twins *t, const struct lamp_pkt *pkt, uint64_t pair_hash,
                          bool src);

/* Whether the packet is a copy of one seen before; if not, it is remembered. */
bool lamp_twins_is_copy(lamp_twins *t, const struct lamp_pkt *pkt, uint64_t print);
