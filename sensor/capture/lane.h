/* SPDX-License-Identifier: Apache-2.0 */
/* lane: what one thread of the capture process works with: its share of every interface (or the frames of
 * a replay), an engine and a summariser of its own. Lanes share nothing; flows are spread over them by
 * the kernel so that both directions meet in one. Used by one thread at a time; never logs. */
#pragma once

#include "sensor/capture/summarise.h"
#include "sensor/engine/engine.h"
#include "sensor/source/source.h"

#include <poll.h>

typedef struct lamp_lane lamp_lane;

enum {
    LAMP_LANES_MAX = 16,
    LAMP_LANE_SOURCES = 32, /* interfaces */
    LAMP_LANE_OTHERS = 16,
};

struct lamp_lane_cfg {
    unsigned index, n;                   /* which one of how many */
    struct lamp_engine_cfg engine;       /* of all lanes together: memory and rows are divided */
    struct lamp_summarise_cfg summaries; /* the same: max_conns is divided */
    uint64_t now_us, mono_us;
};

/* LAMP_EINVAL: too little memory for so many. LAMP_ENOMEM. */
LAMP_CHECK int lamp_lane_new(const struct lamp_lane_cfg *cfg, lamp_lane **out);
lamp_lane *lamp_lane_free(lamp_lane *l);

/* Adds a source, which the lane takes. LAMP_EFULL: it has LAMP_LANE_SOURCES. */
LAMP_CHECK int lamp_lane_add(lamp_lane *l, lamp_source *source);

/* lamp_source_skip() of every source. */
void lamp_lane_skip(lamp_lane *l, uint64_t t_us);

/* Reads what is there, at most a turn's worth of each source; *out_more: some had more. An error is that of
 * a source (lamp_source_read()). */
LAMP_CHECK int lamp_lane_read(lamp_lane *l, bool *out_more, char why[LAMP_SOURCE_WHY]);

/* Waits until a source has something, until one of n others is ready, at most LAMP_LANE_OTHERS, or for ms. */
void lamp_lane_wait(const lamp_lane *l, const struct pollfd *others, size_t n, int ms);

/* Takes frames that came in another way. */
void lamp_lane_frames(lamp_lane *l, const struct lamp_frame *frames, size_t n);

/* Time has stepped to now_us: the interval that the next lamp_lane_collect() ends begins there. */
void lamp_lane_begin(lamp_lane *l, uint64_t now_us);

/* The watch list from now on; borrowed until the next call, may be NULL. */
void lamp_lane_watch(lamp_lane *l, const lamp_watch *watch);

/* lamp_engine_told() of its engine. */
void lamp_lane_told(lamp_lane *l, const struct lamp_blockclock *told);

/* lamp_engine_adjust() of its engine; the rows are those of all n lanes together. */
void lamp_lane_adjust(lamp_lane *l, unsigned n, bool no_tunnels, size_t traffic_rows);

/* lamp_engine_tap() of its engine. */
void lamp_lane_tap(lamp_lane *l, lamp_engine_tap_fn *fn, void *arg);

/* Ends every flow. */
void lamp_lane_finish(lamp_lane *l);

/* Ends what is over at now_us and hands the news of all connections and, of full minutes, the rollups to the
 * lane's summariser, which is borrowed. */
lamp_summarise *lamp_lane_collect(lamp_lane *l, uint64_t now_us);

/* Adds what the lane and its sources have counted. */
void lamp_lane_count(lamp_lane *l, struct lamp_sensor_counters *io);
