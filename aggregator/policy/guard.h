/* SPDX-License-Identifier: Apache-2.0 */
/* guard: what is done about mining that the writer learns of. For each connection with news it raises
 * alerts. The writer thread's, inside its transactions. */
#pragma once

#include "aggregator/policy/rigs.h"
#include "aggregator/policy/rules.h"

typedef struct lamp_guard lamp_guard;

struct lamp_guard_cfg {
    lamp_store *store; /* all borrowed */
    lamp_alarms *alarms;
    lamp_rigs *rigs;
    lamp_rules *rules;
};

/* News of a connection that is at least suspected to mine. */
struct lamp_guard_news {
    const char *site, *sensor;
    const struct lamp_track_conn *conn;
    const struct lamp_conn_row *delta; /* what the record added */
    uint64_t at_us;                    /* end of what the record covers */
    uint64_t now_us;
};

LAMP_CHECK int lamp_guard_new(const struct lamp_guard_cfg *cfg, lamp_guard **out);
lamp_guard *lamp_guard_free(lamp_guard *g);

/* A person marked a miner, or took that back: what it was told of for is over, and of one that is no rig of the
 * owner's any more nothing of one. LAMP_ESTORE. */
LAMP_CHECK int lamp_guard_marked(lamp_guard *g, int64_t miner_id, enum lamp_mark mark,
                                 const char *by, const char *reason, uint64_t now_us);

/* LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_guard_mined(lamp_guard *g, const struct lamp_guard_news *news);
