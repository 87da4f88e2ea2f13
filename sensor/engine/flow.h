/* SPDX-License-Identifier: Apache-2.0 */
/* flow: the live conversations of one capture thread, keyed by both endpoints and the
 * protocol, whichever side a packet comes from, and by VLAN where asked for. All memory is
 * taken at creation: cfg.max_flows nodes of two cache lines. A full table gives up a flow of a
 * host that owns more than its share, if there is one, else the flow that was silent longest;
 * flows marked `keep` last. The hash is keyed with random bytes, so that nobody outside can
 * choose addresses that collide.
 * A look-up is two cache misses in a large table; lamp_flows_aim() and lamp_flows_fetch() let
 * those of many packets pass at the same time.
 * A flow pointer is valid until the next touch, expire or end. Not thread-safe. Never logs,
 * never reads a clock: time is what the packets say, and may step back. */
#pragma once

#include "common/catalogue.h"
#include "common/err.h"
#include "sensor/engine/conn.h"
#include "sensor/engine/packet.h"

#include <assert.h>

typedef struct lamp_flows lamp_flows;

/* Memory a flow takes all in: node, places of the hash table, counts of hosts. */
enum { LAMP_FLOW_BYTES = 128 + 32 + 4 };
static_assert(LAMP_FLOW_BYTES <= 256, "what a flow may cost");

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
    uint16_t live : 1;      /* flow's own: not on the free list */
    uint32_t hash, prev, next;
    uint32_t first_seq[2]; /* sequence number of the first payload byte, by direction */
    uint16_t vlans[LAMP_VLAN_DEPTH];

    uint64_t first_us, last_us; /* oldest and newest packet */
    uint64_t bytes[2];          /* by enum lamp_dir, orig_len of the frames; the engine takes out */
    uint32_t packets[2];        /* what it has rolled up */
    uint32_t name;              /* the engine's, for rollups, as are app and rolled_up */
    uint8_t app;
    uint8_t rolled_up : 1;
    uint8_t opaque_over : 1; /* the engine's: nothing for lamp_opaque in it */
    void *user;              /* the engine's: what is attached to the flow, or NULL */
};

/* Lent a flow that ends, while it is still whole. */
typedef void lamp_flow_fn(struct lamp_flow *flow, void *arg);

struct lamp_flows_cfg {
    size_t max_flows;
    uint64_t idle_us;   /* a flow silent this long ends */
    uint64_t linger_us; /* the same for a TCP flow after FIN or RST */
    size_t host_share;  /* flows a client may own in a full table; 0: a quarter of max_flows */
    bool vlan_key;      /* the same endpoints in another VLAN are another flow */
    const lamp_catalogue *catalogue; /* knows ports of pools; borrowed, may be NULL */
    lamp_flow_fn *ended;             /* called for every flow that ends; may be NULL */
    void *arg;
};

struct lamp_flows_counters {
    uint64_t created, ended, evicted; /* evicted ones are also ended */
    uint64_t evicted_share;           /* of those, for a host over its share */
    uint64_t refused;                 /* packets that found no room */
    uint64_t live;
};

/* LAMP_EINVAL: a limit is zero or too large (2^30 flows). LAMP_ENOMEM. Negated errno: no
 * random bytes. */
LAMP_CHECK int lamp_flows_new(const struct lamp_flows_cfg *cfg, lamp_flows **out);

/* Frees the table without a word about its flows; accepts NULL. Returns NULL. */
lamp_flows *lamp_flows_free(lamp_flows *t);

/* Where in the table a packet's flow is looked for. */
struct lamp_flow_aim {
    uint64_t hash; /* keyed, of the unordered pair of ends */
    uint32_t flow; /* flow's own: the node that was fetched, from 1; 0: none */
    bool src;      /* the sender's index in lamp_flow_key */
};

/* Computes out[] of n packets and has memory begin to fetch the places of the hash table, and then,
 * called when these have arrived, the flows themselves. Best of many at once; without, touching is
 * right too, but slower. What is no packet may stand among them, and its aim means nothing. */
void lamp_flows_aim(const lamp_flows *t, const struct lamp_pkt *pkts, size_t n,
                    struct lamp_flow_aim *out);
void lamp_flows_fetch(const lamp_flows *t, const struct lamp_pkt *pkts, size_t n,
                      struct lamp_flow_aim *io);

/* Finds or creates the packet's flow and counts the packet in it. *out_dir: which way it
 * went; up is from the client. That is who sent the SYN; if none was seen, the side whose port
 * is less of a service's: well-known ports (below 1024) first, then ports of known pools,
 * then others, then those that systems give to clients (from 32768 on), then the higher. A
 * SYN that starts a new connection on the same ports ends the old flow. LAMP_EFULL: no room,
 * counted as refused. */
LAMP_CHECK int lamp_flows_touch_aimed(lamp_flows *t, const struct lamp_pkt *pkt,
                                      const struct lamp_flow_aim *aim, struct lamp_flow **out,
                                      enum lamp_dir *out_dir);

/* The same, aiming itself. */
LAMP_CHECK int lamp_flows_touch(lamp_flows *t, const struct lamp_pkt *pkt, struct lamp_flow **out,
                                enum lamp_dir *out_dir);

/* Ends every flow that is due at now_us. Cheap when nothing is: call it for each packet. */
void lamp_flows_expire(lamp_flows *t, uint64_t now_us);

/* In this span of time lamp_flows_expire() has nothing to do, until it is called with a time outside. */
void lamp_flows_calm(const lamp_flows *t, uint64_t *out_from_us, uint64_t *out_us);

/* Lends every live flow to fn, which may change what is the engine's. */
void lamp_flows_each(lamp_flows *t, lamp_flow_fn *fn, void *arg);

/* Ends every flow. */
void lamp_flows_end_all(lamp_flows *t);

struct lamp_flows_counters lamp_flows_counters(const lamp_flows *t);
