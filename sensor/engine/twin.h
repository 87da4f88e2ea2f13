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

#include "sensor/engine/decode.h"
#include "sensor/engine/flow.h"

typedef struct lamp_twins lamp_twins;

enum { LAMP_TWIN_US = 2000, LAMP_TWIN_PLACES = 4096 };

LAMP_CHECK int lamp_twins_new(lamp_twins **out); /* LAMP_ENOMEM */
lamp_twins *lamp_twins_free(lamp_twins *t);

/* Makes LAMP_DECODE_DUPLICATE of the outcome of each of n packets that is a copy of one seen before,
 * among them or earlier; the others are remembered. Outcomes without a packet stay as they are. */
void lamp_twins_mark(lamp_twins *t, const struct lamp_pkt *pkts, const struct lamp_flow_aim *aims,
                     size_t n, enum lamp_decode *io_outcomes);
