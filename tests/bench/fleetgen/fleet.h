/* SPDX-License-Identifier: Apache-2.0 */
/* fleet: sensors that are only their link: the key, the connection, the spool (in memory) and the
 * delivery are the sensor's own (sensor/link), the summaries are made up. Many of them share one
 * process, thread and ZeroMQ context. What they did is counted in memory that processes share. */
#pragma once

#include "common/util.h"
#include "sensor/link/key.h"

#include <stdatomic.h>

/* Durations on a logarithmic scale, 16 steps to the octave: a figure is right to 5 %. */
enum { FLEET_STEPS = 16, FLEET_BUCKETS = 40 * FLEET_STEPS };
struct fleet_times {
    _Atomic uint64_t n, max_us, buckets[FLEET_BUCKETS];
};

void fleet_time(struct fleet_times *t, uint64_t us);

/* The duration that a share of all (0.5, 0.99) does not exceed, in ms; 0: there is none. */
double fleet_quantile_ms(const struct fleet_times *t, double share);

/* What all processes did. */
struct fleet_counts {
    _Atomic bool stop;                         /* to the processes: end now */
    _Atomic bool calm;                         /* likewise: make no more summaries */
    _Atomic uint64_t up;                       /* sensors that have a session now */
    _Atomic uint64_t sessions, lost;           /* begun; ended without our doing */
    _Atomic uint64_t made, acked, rows, bytes; /* summaries; rows acknowledged; bytes sent */
    _Atomic uint64_t lists, entries;           /* of sets that came */
    _Atomic uint64_t refused;                  /* connections, for their key */
    struct fleet_times ack;                    /* from the spool to the acknowledgement */
    struct fleet_times first;                  /* from the first attempt to the first session */
    struct fleet_times back;                   /* from the loss of a session to the next */
};

struct fleet_cfg {
    const char *endpoint, *server_key, *seed;
    uint64_t sensors, rows, interval_ms, spread_ms;
    uint64_t under_way;
    bool fast; /* a summary whenever less than that are under way, not at intervals */
    bool sets; /* ask for the sets as a sensor does */
};

/* The key pair of sensor number i; the same seed gives the same. LAMP_EIO. */
LAMP_CHECK int fleet_key(const char *seed, uint64_t i, struct lamp_key *out);

/* Plays the sensors from first up to end (not included) until counts->stop. Returns an exit status. */
int fleet_run(const struct fleet_cfg *cfg, uint64_t first, uint64_t end,
              struct fleet_counts *counts);

/* Keeps n connections of strangers open: three fifths say nothing, a fifth only greets, a tenth
 * stops within its first command, a tenth shows a key that nobody knows. Each begins anew when it is
 * thrown out. Ends with counts->stop. Returns an exit status. */
int fleet_strangers(const struct fleet_cfg *cfg, struct fleet_counts *counts);
