/* SPDX-License-Identifier: Apache-2.0 */
/* trackings: hosts, remotes and connections that operators have sensors watch finely for a time: what was seen of
 * them in steps of LAMP_WIRE_TRACK_STEP_S, sensor by sensor, and packet samples one after another, of which the
 * newest stay. */
#pragma once

#include "aggregator/store/samples.h"

enum {
    LAMP_TRACKINGS_KEPT = 100,     /* the oldest that are over make room */
    LAMP_TRACKINGS_OPEN = 64,      /* going on, of all sites */
    LAMP_TRACKINGS_SITE = 8,       /* of one site: what a sensor has room for */
    LAMP_TRACKINGS_SITE_RINGS = 2, /* of these with samples: a sensor takes four at once */
    LAMP_TRACKING_ROWS = 100000,   /* of one: steps and sensors */
    LAMP_TRACKING_RING = 16,       /* samples kept of one */
    LAMP_TRACKING_STEPS_ASKED = 10000,
};

/* Of a tracking at one sensor. */
enum lamp_tracking_state {
    LAMP_TRACKING_ASKED, /* not heard of since */
    LAMP_TRACKING_RUNS,
    LAMP_TRACKING_REFUSED, /* by the sensor */
    LAMP_TRACKING_UNKNOWN, /* the sensor is there and does not answer: an older build */
    LAMP_TRACKING_OVER,
    LAMP_TRACKING_STATES
};
const char *lamp_tracking_state_name(enum lamp_tracking_state s); /* "asked", "tracking", ... */

struct lamp_tracking {
    int64_t id; /* 0: not in the store yet */
    /* What is tracked, by whom and why; wire: its id in messages. Its limits are those of each sample of the
     * ring; expires_us is when the tracking ends. */
    struct lamp_sample order;
    uint32_t ring;         /* samples kept beside the one under way; 0: none are taken */
    uint64_t ended_us;     /* 0: it goes on */
    char ended_by[65];     /* "" by time */
    uint64_t rows;         /* kept */
    uint64_t rows_refused; /* that found no room, or were of another time */
};
typedef bool lamp_tracking_fn(const struct lamp_tracking *v, void *arg);

struct lamp_tracking_sensor {
    int64_t tracking_id, sensor_ref;
    char sensor[65], site[65];
    enum lamp_tracking_state state;
    char words[LAMP_WIRE_DETAIL_MAX + 1]; /* of the sensor; "" nothing to say */
    uint64_t asked_us,
        changed_us;    /* when it was asked first; when it last answered, or that became clear */
    uint64_t heard_us; /* when anything was last heard of the sensor */
    uint64_t bytes, packets; /* of its rows, both ways; 0 where the filter asks for no sums */
};
typedef bool lamp_tracking_sensor_fn(const struct lamp_tracking_sensor *v, void *arg);

struct lamp_tracking_filter {
    int64_t id;       /* 0: any */
    int64_t after_id; /* 0: from the newest on; else those before this one */
    int64_t miner_id; /* 0: any */
    bool open;        /* only those that go on */
    uint32_t limit;   /* 0: 100 */
};

struct lamp_tracking_sensor_filter {
    int64_t tracking_id, sensor_ref; /* 0: any */
    bool open;                       /* only where the tracking goes on */
    bool sums;      /* with bytes and packets, of one tracking: reads each of its steps */
    uint32_t limit; /* 0: all; those answered longest ago first */
};

/* A step as it was seen by the sensor that saw most of it, since several may see the same packets. */
struct lamp_tracking_step {
    uint64_t from_us;
    uint64_t bytes_out, bytes_in, packets_out, packets_in;
};
typedef bool lamp_tracking_step_fn(const struct lamp_tracking_step *v, void *arg);

struct lamp_tracking_step_filter {
    int64_t tracking_id;
    uint64_t from_us, to_us;
    uint32_t step_s; /* a multiple of LAMP_WIRE_TRACK_STEP_S */
};

/* Lends fn trackings, newest first. LAMP_ESTORE, as from all below. */
LAMP_CHECK int lamp_store_trackings(lamp_store *s, const struct lamp_tracking_filter *f,
                                    lamp_tracking_fn *fn, void *arg);
LAMP_CHECK int lamp_store_tracking_sensors(lamp_store *s,
                                           const struct lamp_tracking_sensor_filter *f,
                                           lamp_tracking_sensor_fn *fn, void *arg);

/* Lends fn the steps that have something, in order. */
LAMP_CHECK int lamp_store_tracking_steps(lamp_store *s, const struct lamp_tracking_step_filter *f,
                                         lamp_tracking_step_fn *fn, void *arg);

/* Enters a tracking and sets its id. */
LAMP_CHECK int lamp_store_tracking_add(lamp_store *s, struct lamp_tracking *v);

/* Ends one, at every sensor. */
LAMP_CHECK int lamp_store_tracking_end(lamp_store *s, int64_t id, uint64_t at_us, const char *by);

/* Enters what is known of one at a sensor, or changes state, words and changed_us. */
LAMP_CHECK int lamp_store_tracking_sensor_put(lamp_store *s, const struct lamp_tracking_sensor *v);

/* What a sensor's message with the id is about. LAMP_ENOENT: nothing that was asked of it. */
LAMP_CHECK int lamp_store_tracking_of(lamp_store *s, uint64_t wire, int64_t sensor_ref,
                                      struct lamp_tracking *out,
                                      struct lamp_tracking_sensor *out_sensor);

/* Adds what a sensor saw to the step; *out_new: it is the first of it. */
LAMP_CHECK int lamp_store_tracking_row(lamp_store *s, int64_t id, int64_t sensor_ref,
                                       const struct lamp_track_row *row, bool *out_new);

/* Adds to rows and rows_refused of a tracking. */
LAMP_CHECK int lamp_store_tracking_count(lamp_store *s, int64_t id, uint64_t rows,
                                         uint64_t refused);

/* Takes one out with all that is known of it but its samples. */
LAMP_CHECK int lamp_store_tracking_remove(lamp_store *s, int64_t id);

struct lamp_tracking_totals {
    uint64_t kept, open;
    uint64_t site_open, site_rings; /* going on at the site, or at all; of these with samples */
    uint64_t refused, rows_refused; /* trackings, and rows, since the database was made */
};
LAMP_CHECK int lamp_store_tracking_totals(lamp_store *s, const char *site,
                                          struct lamp_tracking_totals *out);

/* Counts trackings or rows that were refused, for lamp_tracking_totals. */
LAMP_CHECK int lamp_store_tracking_refused(lamp_store *s, uint64_t trackings, uint64_t rows);
