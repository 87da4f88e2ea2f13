/* SPDX-License-Identifier: Apache-2.0 */
/* exporter: the thread that sends history to ClickHouse (store/history.h), some 50,000 rows at a time, and asks the
 * writer to note how far it is. While ClickHouse is away the rows wait where they are, in the store, which keeps
 * them beyond their time for it. Memory: one block of at most 8 MiB and what SQLite takes to read. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/history/clickhouse.h"

typedef struct lamp_exporter lamp_exporter;

struct lamp_exporter_cfg {
    const char *backend, *database; /* as for lamp_store_open() */
    const struct lamp_clickhouse_cfg *clickhouse;
    lamp_commands *commands;
    uint32_t settle_minutes; /* of the policy of retention */
    uint32_t block_rows;     /* 0: 50,000 */
    uint32_t
        late_s; /* how long a group that grew rests before it is sent again; 0: 60 s, hours and days
                              * 15 min */
};

/* What has become of it since the start. */
struct lamp_exporter_state {
    bool connected;                /* the last thing it asked was answered */
    char why[LAMP_CLICKHOUSE_WHY]; /* "" connected */
    enum lamp_clickhouse_fault fault;
    uint64_t since_us;     /* when that came to be so; 0: not yet */
    uint64_t rows, blocks; /* that arrived */
    uint64_t faults[LAMP_CLICKHOUSE_FAULTS];
    uint64_t lag_us;       /* age of the oldest minute that waits, beyond what is usual */
    uint64_t waiting_rows; /* minutes that wait; no more than 1,000,000 are counted */
    uint64_t
        lost_rows; /* that retention.disk took before they were sent, since the database was made */
};

/* Starts the thread; cfg and what it points to are borrowed until the end. LAMP_ENOMEM, LAMP_ESTORE. */
LAMP_CHECK int lamp_exporter_start(const struct lamp_exporter_cfg *cfg, lamp_exporter **out);

/* Stops it; what is under way is sent again at the next start. Accepts NULL. Returns NULL. */
lamp_exporter *lamp_exporter_stop(lamp_exporter *e);

void lamp_exporter_state(lamp_exporter *e, struct lamp_exporter_state *out);
