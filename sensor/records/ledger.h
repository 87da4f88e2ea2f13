/* SPDX-License-Identifier: Apache-2.0 */
/* ledger: what becomes of flow records: each is of a mining connection, or is added up with the rest of the traffic
 * (rollup.h), so that every byte of every record is in one place. The same ladder of evidence as for packets
 * (docs/DETECTION.md), with what records tell: who the server is (identity), and how long, small and even the exchange
 * is (shape). There are no words, so nothing is ever confirmed; identity and shape together are probable, either
 * alone is suspected. Records of one conversation are united, whichever way they tell it.
 *
 * All memory is taken at creation. Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "common/catalogue.h"
#include "sensor/engine/identity.h"
#include "sensor/records/endpoints.h"
#include "sensor/records/record.h"
#include "sensor/rollup/rollup.h"

typedef struct lamp_ledger lamp_ledger;

/* Of every conversation, as the wire's family has it. */
#define LAMP_FLOW_ONLY "flow-only"

struct lamp_ledger_cfg {
    const lamp_catalogue *catalogue;      /* borrowed, may be NULL */
    const lamp_endpoints *endpoints;      /* borrowed, may be NULL */
    size_t max_talks;                     /* conversations that may be mining, at once */
    uint64_t idle_us;                     /* one without records this long has ended */
    const struct lamp_rollup_cfg *rollup; /* NULL: the rest is counted only */
    uint64_t first_id;                    /* connections are numbered from here on */
};

/* Called once for each connection when it ends; conn is valid during the call. */
typedef void lamp_ledger_fn(const struct lamp_conn *conn, void *arg);

struct lamp_ledger_counters {
    uint64_t records, packets, bytes; /* taken in */
    uint64_t conns_live;
    uint64_t pool_records; /* with an end that was known as a pool's, then */
    uint64_t evicted;      /* conversations that made room for others */
    uint64_t refused;      /* records past the most that sums may be */
    struct lamp_rollup_counters rollup;
};

/* LAMP_EINVAL: no talks, or too little memory for rollups. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_ledger_new(const struct lamp_ledger_cfg *cfg, lamp_ledger_fn *ended, void *arg,
                               lamp_ledger **out);
lamp_ledger *lamp_ledger_free(lamp_ledger *l);

/* What is taken in never adds up to more: sums travel as numbers below 2^63 (proto/shape.c). */
#define LAMP_LEDGER_MAX (UINT64_C(1) << 62)

/* Takes a record that is heard of at now_us, by a clock that need not be its exporter's; of: where it comes from, for
 * a person: "NetFlow 9 of 192.0.2.1". */
void lamp_ledger_record(lamp_ledger *l, const struct lamp_record *r, uint64_t now_us,
                        const char *of);

/* The watch list from now on; borrowed until the next call, may be NULL. */
void lamp_ledger_watch(lamp_ledger *l, const lamp_watch *watch);

/* How many rows of the rest a minute may have from now on (lamp_rollup_cfg.top). */
void lamp_ledger_limit(lamp_ledger *l, size_t rows);

/* Ends what is silent at now_us, of the clock that records are heard by. */
void lamp_ledger_expire(lamp_ledger *l, uint64_t now_us);

/* Lends every live connection. */
void lamp_ledger_conns(lamp_ledger *l, lamp_ledger_fn *fn, void *arg);

/* Lends what was added up since the last call. */
void lamp_ledger_rollups(lamp_ledger *l, lamp_rollup_fn *fn, void *arg);

/* Ends everything. */
void lamp_ledger_finish(lamp_ledger *l);

struct lamp_ledger_counters lamp_ledger_counters(const lamp_ledger *l);
