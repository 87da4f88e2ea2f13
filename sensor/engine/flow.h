/* SPDX-License-Identifier: Apache-2.0 */
/* flow: the live conversations of one capture thread, keyed by both endpoints and the
 * protocol, whichever side a packet comes from. All memory is taken at creation:
 * cfg.max_flows nodes of two cache lines. A full table gives up the flow that was silent
 * longest, flows marked `keep` last. The hash is keyed with random bytes, so that nobody
 * outside can choose addresses that collide.
 * A flow pointer is valid until the next touch, expire or end. Not thread-safe. Never logs,
 * never reads a clock: time is what the packets say, and may step back. */
#pragma once

#include "common/err.h"
#include "sensor/engine/conn.h"
#include "sensor/engine/packet.h"

typedef struct lamp_flows lamp_flows;

enum { LAMP_FLOW_BYTES = 128 + 32 }; /* memory a flow takes: node and its share of slots */

/* The two ends in an order of our own; which one is the client is lamp_flow.client's to say. */
struct lamp_flow_key {
    struct lamp_addr addr[2];
    uint16_t port[2];
    uint8_t ip_proto;
};

struct lamp_flow {
    struct lamp_flow_key key;
    uint8_t n_payloads[2]; /* payload packets by direction so far, stops at 255 */
    uint16_t wheel_slot;   /* flow's own, as are hash, prev and next */
    uint16_t client : 1;   /* index into key of the client */
    uint16_t saw_syn : 1;  /* so that the client is certain */
    uint16_t has_seq_up : 1, has_seq_down : 1; /* first_seq is known from a SYN */
    uint16_t fin_up : 1, fin_down : 1;         /* that direction has ended */
    uint16_t closing : 1;   /* both have, or a reset came: ends after the linger */
    uint16_t keep : 1;      /* the engine's: evict last */
    uint16_t dismissed : 1; /* the engine's: not worth inspecting */
    uint16_t retries : 3;   /* the engine's: inspections after a dismissal */
    uint16_t n_vlans : 3;   /* of the first packet */
    uint32_t hash, prev, next;
    uint32_t first_seq[2]; /* sequence number of the first payload byte, by direction */
    uint16_t vlans[LAMP_VLAN_DEPTH];

    uint64_t first_us, last_us;    /* oldest and newest packet */
    uint64_t bytes[2], packets[2]; /* by enum lamp_dir; frames and their orig_len */
    void *user;                    /* the engine's: what is attached to the flow, or NULL */
};

/* Lent a flow that ends, while it is still whole. */
typedef void lamp_flow_fn(struct lamp_flow *flow, void *arg);

struct lamp_flows_cfg {
    size_t max_flows;
    uint64_t idle_us;    /* a flow silent this long ends */
    uint64_t linger_us;  /* the same for a TCP flow after FIN or RST */
    lamp_flow_fn *ended; /* called for every flow that ends; may be NULL */
    void *arg;
};

struct lamp_flows_counters {
    uint64_t created, ended, evicted; /* evicted ones are also ended */
    uint64_t refused;                 /* packets that found no room */
    uint64_t live;
};

/* LAMP_EINVAL: a limit is zero or too large (2^30 flows). LAMP_ENOMEM. Negated errno: no
 * random bytes. */
LAMP_CHECK int lamp_flows_new(const struct lamp_flows_cfg *cfg, lamp_flows **out);

/* Frees the table without a word about its flows; accepts NULL. Returns NULL. */
lamp_flows *lamp_flows_free(lamp_flows *t);

/* Finds or creates the packet's flow and counts the packet in it. *out_dir: which way it
 * went; up is from the client, which is who sent the SYN, else who has the higher port. A
 * SYN that starts a new connection on the same ports ends the old flow. */
LAMP_CHECK int lamp_flows_touch(lamp_flows *t, const struct lamp_pkt *pkt, struct lamp_flow **out,
                                enum lamp_dir *out_dir);

/* Ends every flow that is due at now_us. Cheap when nothing is: call it for each packet. */
void lamp_flows_expire(lamp_flows *t, uint64_t now_us);

/* Ends every flow. */
void lamp_flows_end_all(lamp_flows *t);

struct lamp_flows_counters lamp_flows_counters(const lamp_flows *t);
