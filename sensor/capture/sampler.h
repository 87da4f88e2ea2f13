/* SPDX-License-Identifier: Apache-2.0 */
/* sampler: the packet samples that were ordered of this sensor, in the capture process: which packets they
 * want, how many of them they have, and the copies that wait for the link, as pcapng blocks without a
 * section header. Only TCP and UDP packets are sampled, copies that the engine counts as DUPLICATE are not;
 * the frame is kept as it came, with what it is wrapped in.
 * Bounded: LAMP_SAMPLER_ORDERS orders, LAMP_SAMPLER_BUFFER bytes that wait for each; packets beyond are
 * counted as dropped and do not count towards the limits. lamp_sampler_packet() may be called by any
 * thread, the others by one. Never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"
#include "sensor/engine/packet.h"

typedef struct lamp_sampler lamp_sampler;

enum {
    LAMP_SAMPLER_ORDERS = 4,
    LAMP_SAMPLER_BUFFER = 1024 * 1024,
    LAMP_SAMPLE_PACKETS_MAX = 10000,
    LAMP_SAMPLE_SNAPLEN_MAX = 65535,
};

/* LAMP_ENOMEM. */
LAMP_CHECK int lamp_sampler_new(lamp_sampler **out);
lamp_sampler *lamp_sampler_free(lamp_sampler *s);

/* Begins an order, or ends one (CANCEL). One that it has is left alone. LAMP_EFULL: there are as many as
 * there may be. LAMP_EINVAL: a limit is zero, or above what is stated here. LAMP_ENOMEM. */
LAMP_CHECK int lamp_sampler_order(lamp_sampler *s, const struct lamp_order *o, uint64_t mono_us);

/* Whether some order still wants packets. Those whose time is up at mono_us end here. */
bool lamp_sampler_is_running(lamp_sampler *s, uint64_t mono_us);

/* Takes a copy of the frame for every order that wants it; arg is the sampler. */
void lamp_sampler_packet(const struct lamp_frame *f, const struct lamp_pkt *pkt, void *arg);

/* Whether the packet is one that an order with such matches wants. */
bool lamp_sampler_wants(const struct lamp_order_match *matches, size_t n,
                        const struct lamp_pkt *pkt);

/* Which side of a packet is the host of the first of n matches that it fits; with none, any fits. */
enum lamp_sampler_side { LAMP_SIDE_OF_NONE, LAMP_SOURCE_IS_HOST, LAMP_DESTINATION_IS_HOST };
enum lamp_sampler_side lamp_sampler_side(const struct lamp_order_match *matches, size_t n,
                                         const struct lamp_pkt *pkt);

/* Sends what waits to the channel, as much as it takes, and forgets the orders of which all is sent.
 * LAMP_ECLOSED: nobody reads it any more. */
LAMP_CHECK int lamp_sampler_send(lamp_sampler *s, int channel_fd);

/* Bytes that wait, and whether the end of an order waits to be told. */
bool lamp_sampler_waits(lamp_sampler *s);
