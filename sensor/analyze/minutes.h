/* SPDX-License-Identifier: Apache-2.0 */
/* analyze_minutes: what a capture file holds minute by minute, as one JSON object each: all
 * packets, and what its mining connections did. Of one file; not thread-safe.
 *
 * Limits: 20,000 minutes of a file; what comes later counts for the last of them. A packet from
 * before the minute that is being counted counts for that one. */
#pragma once

#include "sensor/engine/engine.h"

#include <stdio.h>

/* What mining connections did, up to now. */
struct lamp_report_mining {
    uint64_t bytes[2], packets[2]; /* by enum lamp_dir */
    uint64_t submitted, accepted, rejected, jobs;
};

struct lamp_report_minutes {
    uint64_t minute; /* being counted, since 1970; 0: none yet */
    uint64_t packets, bytes;
    struct lamp_report_mining ended; /* connections that are over */
    struct lamp_report_mining told;  /* in minutes before this one */
    uint32_t n;                      /* minutes told */
};

/* Gives frames to the engine, and writes each minute that is over. */
void lamp_report_minutes_frames(struct lamp_report_minutes *m, FILE *out, const char *file,
                                lamp_engine *e, const struct lamp_frame *frames, size_t n);

/* Counts a connection that the engine has handed out. */
void lamp_report_minutes_ended(struct lamp_report_minutes *m, const struct lamp_conn *c);

/* Writes the last minute, after lamp_engine_finish(). */
void lamp_report_minutes_end(struct lamp_report_minutes *m, FILE *out, const char *file);
