/* SPDX-License-Identifier: Apache-2.0 */
/* engine: one capture thread's packet path put together: decode, flow table, reassembly,
 * classification. Feed it frames, ask it for connections. Not thread-safe; share-nothing: N
 * threads have N engines. Never logs, never reads a clock: time is the frames' own. */
#pragma once

#include "common/blockclock.h"
#include "common/catalogue.h"
#include "common/err.h"
#include "sensor/engine/conn.h"
#include "sensor/engine/identity.h"
#include "sensor/engine/packet.h"
#include "sensor/rollup/rollup.h"

typedef struct lamp_engine lamp_engine;

enum { LAMP_ENGINE_BATCH = 64 }; /* frames worked on at once by lamp_engine_frames() */

struct lamp_engine_cfg {
    const lamp_catalogue *catalogue; /* borrowed, may be NULL */
    size_t memory_bytes;             /* for flow table, reassembly and inspection together */
    uint64_t idle_us;                /* a flow silent this long ends; 0: 300 s */
    /* NULL: traffic that is not mining is not added up, and nothing gets a name. memory_bytes
     * in it is the engine's to set. */
    const struct lamp_rollup_cfg *rollup;
    bool close_minutes; /* add up live flows at each full minute, not only when they end */
    size_t host_share;  /* flows one client may own in a full table; 0: a quarter of it */
    bool no_tunnels;    /* do not open packets in packets: the outer ones count */
    bool vlan_key;      /* the same endpoints in another VLAN are another flow */
    bool keep_twins;    /* count a packet that was captured twice as two (see twin.h) */
    /* Connections are numbered first_id, first_id + id_step, ..., so that several engines together
     * give no number twice; 0: from 1, by 1. */
    uint64_t first_id, id_step;
};

/* Called once for each connection when it ends (TCP end, idle, eviction, or
 * lamp_engine_finish()); conn is valid during the call. */
typedef void lamp_conn_fn(const struct lamp_conn *conn, void *arg);

/* Everything the engine counts, cumulative. Every frame is exactly one of decode[]. */
struct lamp_engine_counters {
    uint64_t packets, bytes;   /* frames fed and their orig_len */
    uint64_t decode[64];       /* frames by outcome, order of sensor/engine/decode.def */
    uint64_t decode_bytes[64]; /* their orig_len; the two add up to packets and bytes */
    uint64_t refused_bytes;    /* of the packets in flows_refused */
    struct lamp_rollup_counters rollup;
    uint64_t flows_new, flows_ended, flows_evicted, flows_refused, flows_live;
    uint64_t flows_evicted_share; /* of the evicted ones: for a host over its share */
    uint64_t fragments_evicted;   /* fragmented datagrams forgotten for lack of room */
    uint64_t conns_live, conns_refused;
    uint64_t reasm_dropped_bytes; /* of streams: found no room, or over a session's budget */
    uint64_t reasm_conflicts;     /* TCP segments that repeat bytes with other content */
};

/* LAMP_EINVAL: memory too small (under 1 MiB). LAMP_ENOMEM. */
LAMP_CHECK int lamp_engine_new(const struct lamp_engine_cfg *cfg, lamp_conn_fn *ended, void *arg,
                               lamp_engine **out);
lamp_engine *lamp_engine_free(lamp_engine *e);

/* Takes one frame, whatever is in it; expires flows by the frame's time. */
void lamp_engine_frame(lamp_engine *e, const struct lamp_frame *frame);

/* The same for n frames in order, faster by far: what the later ones need from memory is fetched
 * while the earlier ones are worked on. Best given LAMP_ENGINE_BATCH at a time. */
void lamp_engine_frames(lamp_engine *e, const struct lamp_frame *frames, size_t n);

/* Expires flows that are silent at now_us (live capture on a quiet link). */
void lamp_engine_expire(lamp_engine *e, uint64_t now_us);

/* The watch list from now on; borrowed until the next call, may be NULL. */
void lamp_engine_watch(lamp_engine *e, const lamp_watch *watch);

/* The blocks that were heard of somewhere else, for connections that keep to none that were heard of
 * here; borrowed, and not to change while frames are taken. NULL: none. */
void lamp_engine_told(lamp_engine *e, const struct lamp_blockclock *told);

/* From now on as with these in its configuration: whether tunnels are left closed, and the most rows of
 * a minute. */
void lamp_engine_adjust(lamp_engine *e, bool no_tunnels, size_t traffic_rows);

/* Lends every TCP and UDP packet to fn from now on, when it has been counted, with the frame it came in;
 * NULL: no longer. */
typedef void lamp_engine_tap_fn(const struct lamp_frame *f, const struct lamp_pkt *pkt, void *arg);
void lamp_engine_tap(lamp_engine *e, lamp_engine_tap_fn *fn, void *arg);

/* Lends every live connection to fn (interval summaries). */
void lamp_engine_conns(lamp_engine *e, lamp_conn_fn *fn, void *arg);

/* With close_minutes, does nothing before a minute is full or everything was ended.
 * Lends the traffic that was added up since the last call, mining connections left out: of
 * flows that ended and, with close_minutes, of all others up to the last full minute. A flow that is under
 * inspection waits until it is known what it is; one that turns out to be mining later is counted as
 * a connection from its last full minute on. */
void lamp_engine_rollups(lamp_engine *e, uint64_t now_us, lamp_rollup_fn *fn, void *arg);

/* Ends every flow, so that all connections have been handed out. */
void lamp_engine_finish(lamp_engine *e);

void lamp_engine_counters(const lamp_engine *e, struct lamp_engine_counters *out);
