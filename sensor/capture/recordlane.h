/* SPDX-License-Identifier: Apache-2.0 */
/* recordlane: what a lane is to frames, this is to flow records: the UDP sockets that routers send them to, who may,
 * what they become (netflow.h, ledger.h), and a summariser of its own. Used by one thread at a time; never logs. */
#pragma once

#include "sensor/capture/summarise.h"
#include "sensor/records/ledger.h"
#include "sensor/records/netflow.h"

#include <poll.h>

typedef struct lamp_record_lane lamp_record_lane;

enum { LAMP_RECORD_LISTEN_MAX = 8, LAMP_RECORD_LANE_WHY = 256 };

struct lamp_record_lane_cfg {
    const char *const *listen; /* "ADDRESS:PORT" */
    size_t n_listen;
    const struct lamp_prefix *exporters; /* who may send; borrowed */
    size_t n_exporters;
    const lamp_catalogue *catalogue; /* borrowed, may be NULL */
    struct lamp_rollup_cfg rollup;   /* memory_bytes is the lane's to set */
    struct lamp_summarise_cfg summaries;
    uint64_t now_us, mono_us;
};

/* Opens the sockets. On failure says in `why` which it was. LAMP_EINVAL: no address and port, or too many.
 * LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_record_lane_new(const struct lamp_record_lane_cfg *cfg, lamp_record_lane **out,
                                    char why[LAMP_RECORD_LANE_WHY]);

/* The others accept NULL, a lane of nothing. */
lamp_record_lane *lamp_record_lane_free(lamp_record_lane *l);

/* Takes in what has come by now_us, at most a turn's worth. Whether there may be more. */
bool lamp_record_lane_read(lamp_record_lane *l, uint64_t now_us);

/* Fills in what to wait for; how many that are. */
size_t lamp_record_lane_poll(const lamp_record_lane *l, struct pollfd out[LAMP_RECORD_LISTEN_MAX]);

/* The watch list from now on; borrowed until the next call, may be NULL. */
void lamp_record_lane_watch(lamp_record_lane *l, const lamp_watch *watch);

/* How many rows of other traffic a minute may have from now on. */
void lamp_record_lane_adjust(lamp_record_lane *l, size_t traffic_rows);

/* Ends what is over at now_us and hands the news of all connections and, once a minute, the rollups to the
 * summariser, which is borrowed. NULL for NULL. */
lamp_summarise *lamp_record_lane_collect(lamp_record_lane *l, uint64_t now_us);

/* Ends every conversation. */
void lamp_record_lane_finish(lamp_record_lane *l);

/* Adds what was counted. */
void lamp_record_lane_count(lamp_record_lane *l, struct lamp_sensor_counters *io);

/* Lends each exporter and domain that was heard of. */
void lamp_record_lane_exporters(const lamp_record_lane *l, lamp_netflow_sender_fn *fn, void *arg);
