/* SPDX-License-Identifier: Apache-2.0 */
/* tracks: what the aggregator wants to know of finely, in the capture process: bytes and packets of each
 * tracked target within steps of LAMP_WIRE_TRACK_STEP_S, by the time of the frame, until the next summary
 * takes them along (docs/WIRE.md, "Tracking"). Only TCP and UDP packets count, copies that the engine
 * counts as DUPLICATE do not. Kept in memory alone: the aggregator says again what it wants.
 * Bounded: LAMP_TRACKS_MAX targets, LAMP_TRACK_STEPS steps of each between two summaries; packets beyond
 * are counted and left out. lamp_tracks_packet() may be called by any thread while nothing else is; the
 * others by one. Never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"
#include "sensor/engine/packet.h"

typedef struct lamp_tracks lamp_tracks;

enum {
    LAMP_TRACKS_MAX = 8,
    LAMP_TRACK_STEPS = 64,
    LAMP_TRACK_DURATION_MAX_S = 31 * 86400,
};

/* LAMP_ENOMEM. */
LAMP_CHECK int lamp_tracks_new(lamp_tracks **out);
lamp_tracks *lamp_tracks_free(lamp_tracks *t);

/* Begins to track (SAMPLE), or ends it (CANCEL); of one that it has, what is left of the time is as said now.
 * *out gets the answer to the aggregator, whose words are constant. */
void lamp_tracks_order(lamp_tracks *t, const struct lamp_order *o, uint64_t mono_us,
                       struct lamp_order_status *out);

/* Whether something is tracked at mono_us. */
bool lamp_tracks_is_running(const lamp_tracks *t, uint64_t mono_us);

/* Counts the packet for every target that it belongs to; arg is the tracks. */
void lamp_tracks_packet(const struct lamp_frame *f, const struct lamp_pkt *pkt, void *arg);

/* Hands out what was counted since the last call, *out_n rows that are lent until the next one, and forgets
 * targets whose time is up at mono_us. */
struct lamp_track_row *lamp_tracks_take(lamp_tracks *t, uint64_t mono_us, size_t *out_n);
