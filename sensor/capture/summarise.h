/* SPDX-License-Identifier: Apache-2.0 */
/* summarise: turns the connections and rollups of an engine into SUMMARY records: for every
 * connection what came since the last record, so that the sum of all rows of a connection is
 * its total; a rollup row is such a difference already.
 *
 * Owns copies of what it is lent and a table of what each live connection has reported. Both
 * are bounded: rows that find no room leave as a record of their own at once; a connection
 * that finds no place in the table is reported whole when it ends (counted in `untracked`).
 * Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"
#include "sensor/engine/conn.h"
#include "sensor/rollup/rollup.h"

typedef struct lamp_summarise lamp_summarise;

/* Gets each record: a packed Envelope SUMMARY without session, stream and seq. The bytes are
 * the callee's for the call. n_rows and n_bytes as in the record. */
typedef void lamp_summary_fn(const uint8_t *data, size_t len, size_t n_rows, uint64_t n_bytes,
                             void *arg);

struct lamp_summarise_cfg {
    uint8_t cap_run[16];     /* random, new at each start of the capture process */
    size_t max_conns;        /* live connections followed; at least 1 */
    size_t max_record_bytes; /* of one packed record; at least 64 KiB */
    size_t together;         /* how many lamp_summarise_flush() gets at most; 0: 1 */
    bool recorded;           /* times are those of a capture file */
    lamp_summary_fn *emit;
    void *arg;
};

/* LAMP_EINVAL: a limit too small. LAMP_ENOMEM. */
LAMP_CHECK int lamp_summarise_new(const struct lamp_summarise_cfg *cfg, uint64_t now_us,
                                  uint64_t mono_us, lamp_summarise **out);
lamp_summarise *lamp_summarise_free(lamp_summarise *s);

/* Takes the connection's news; to be called for every live one before lamp_summarise_flush()
 * and for each that ends (conn->ended) when it does. */
void lamp_summarise_conn(lamp_summarise *s, const struct lamp_conn *conn);

/* Takes a rollup row. */
void lamp_summarise_rollup(lamp_summarise *s, const struct lamp_rollup_sum *sum);

/* Rows of what is tracked, which the next lamp_summarise_flush() sends; lent until then. At most
 * LAMP_WIRE_TRACK_ROWS_MAX. */
void lamp_summarise_tracks(lamp_summarise *s, struct lamp_track_row *rows, size_t n);

/* Begins an interval at now_us, where the time that the frames bear has stepped. */
void lamp_summarise_begin(lamp_summarise *s, uint64_t now_us, uint64_t mono_us);

/* Emits everything that these n of one capture run (the first's `together` is n at least) have taken
 * since the last call as one interval, with the counters (to whose summary_rows_dropped and
 * summary_bytes_dropped their own are added): at least one record, so that a quiet sensor is heard of.
 * now_us: capture clock, mono_us: CLOCK_MONOTONIC. */
void lamp_summarise_flush(lamp_summarise *const *all, size_t n,
                          const struct lamp_sensor_counters *counters, uint64_t now_us,
                          uint64_t mono_us);

struct lamp_summarise_counters {
    uint64_t records, rows, untracked, lost_rows, lost_bytes;
};
struct lamp_summarise_counters lamp_summarise_counters(const lamp_summarise *s);
