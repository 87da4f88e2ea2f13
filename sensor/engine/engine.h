/* SPDX-License-Identifier: Apache-2.0 */
/* engine: one capture thread's packet path put together: decode, flow table, reassembly,
 * classification. Feed it frames, ask it for connections. Not thread-safe; share-nothing: N
 * threads have N engines. Never logs, never reads a clock: time is the frames' own. */
#pragma once

#include "common/catalogue.h"
#include "common/err.h"
#include "sensor/engine/conn.h"
#include "sensor/engine/packet.h"

typedef struct lamp_engine lamp_engine;

struct lamp_engine_cfg {
    const lamp_catalogue *catalogue; /* borrowed, may be NULL */
    size_t memory_bytes;             /* for flow table, reassembly and inspection together */
    uint64_t idle_us;                /* a flow silent this long ends; 0: 300 s */
};

/* Called once for each connection when it ends (TCP end, idle, eviction, or
 * lamp_engine_finish()); conn is valid during the call. */
typedef void lamp_conn_fn(const struct lamp_conn *conn, void *arg);

/* Everything the engine counts, cumulative. Every frame is exactly one of decode[]. */
struct lamp_engine_counters {
    uint64_t packets, bytes; /* frames fed and their orig_len */
    uint64_t decode[64];     /* frames by outcome, order of sensor/engine/decode.def */
    uint64_t flows_new, flows_ended, flows_evicted, flows_refused, flows_live;
    uint64_t conns_live, conns_refused;
    uint64_t reasm_dropped_bytes;
};

/* LAMP_EINVAL: memory too small (under 1 MiB). LAMP_ENOMEM. */
LAMP_CHECK int lamp_engine_new(const struct lamp_engine_cfg *cfg, lamp_conn_fn *ended, void *arg,
                               lamp_engine **out);
lamp_engine *lamp_engine_free(lamp_engine *e);

/* Takes one frame, whatever is in it; expires flows by the frame's time. */
void lamp_engine_frame(lamp_engine *e, const struct lamp_frame *frame);

/* Expires flows that are silent at now_us (live capture on a quiet link). */
void lamp_engine_expire(lamp_engine *e, uint64_t now_us);

/* Lends every live connection to fn (interval summaries). */
void lamp_engine_conns(lamp_engine *e, lamp_conn_fn *fn, void *arg);

/* Ends every flow, so that all connections have been handed out. */
void lamp_engine_finish(lamp_engine *e);

void lamp_engine_counters(const lamp_engine *e, struct lamp_engine_counters *out);
