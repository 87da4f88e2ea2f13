/* SPDX-License-Identifier: Apache-2.0 */
/* samples: packet samples that operators ordered, and what each sensor made of its order. What the sensors
 * sent lies in files of the writer's (lamp_sample_path()); here is what is known of it. */
#pragma once

#include "aggregator/store/store.h"

enum {
    LAMP_SAMPLES_KEPT = 1000,   /* orders; the oldest that are over make room */
    LAMP_SAMPLES_OPEN = 64,     /* orders that are not over */
    LAMP_SAMPLES_RINGS = 32,    /* of these at most, of rings of trackings */
    LAMP_SAMPLE_SENSORS = 1000, /* of one order */
};

enum lamp_sample_what {
    LAMP_SAMPLE_EVERYTHING,
    LAMP_SAMPLE_HOST,
    LAMP_SAMPLE_REMOTE,
    LAMP_SAMPLE_CONNECTION,
    LAMP_SAMPLE_MINER,
    LAMP_SAMPLE_WHATS
};
const char *lamp_sample_what_name(enum lamp_sample_what w); /* "everything", "host", ... */

/* Of an order at one sensor. Up to ARRIVING it is open. */
enum lamp_sample_state {
    LAMP_SAMPLE_ORDERED, /* not heard of since */
    LAMP_SAMPLE_RUNNING,
    LAMP_SAMPLE_ARRIVING, /* taken, and on its way here */
    LAMP_SAMPLE_DONE,     /* all of it is here */
    LAMP_SAMPLE_REFUSED,  /* by the sensor */
    LAMP_SAMPLE_FAILED,
    LAMP_SAMPLE_EXPIRED,   /* the sensor did not answer in time */
    LAMP_SAMPLE_CANCELLED, /* by an operator */
    LAMP_SAMPLE_STATES
};
const char *lamp_sample_state_name(enum lamp_sample_state s); /* "ordered", "running", ... */

struct lamp_sample {
    int64_t id;    /* 0: not in the store yet */
    uint64_t wire; /* its id in messages, drawn at random */
    enum lamp_sample_what what;
    char site[65], sensor[65]; /* "": every site; every sensor there */
    int64_t miner_id;          /* 0: none */
    int64_t tracking_id;       /* of whose ring it is; 0: none */
    uint32_t packets_per_connection, packets, duration_s, snaplen;
    uint64_t bytes_max;
    struct lamp_order_match matches[LAMP_WIRE_MATCHES_MAX];
    size_t n_matches;
    char reason[257], created_by[65];
    uint64_t created_us,
        expires_us; /* a sensor that was not heard of until then is not waited for */
};
typedef bool lamp_sample_fn(const struct lamp_sample *v, void *arg);

struct lamp_sample_file {
    int64_t sample_id, sensor_ref;
    char sensor[65], site[65];
    enum lamp_sample_state state;
    char words[LAMP_WIRE_DETAIL_MAX + 1]; /* why it was refused, or failed; "" nothing to say */
    uint64_t packets, bytes;              /* as the sensor says */
    uint64_t landed;                      /* bytes that are here */
    uint64_t changed_us;
    bool removed; /* the file is not kept any more */
};
typedef bool lamp_sample_file_fn(const struct lamp_sample_file *v, void *arg);

struct lamp_sample_filter {
    int64_t id;          /* 0: any */
    int64_t after_id;    /* 0: from the newest on; else those before this one */
    int64_t miner_id;    /* 0: any */
    int64_t tracking_id; /* 0: any */
    uint32_t limit;      /* 0: 100 */
};

/* Which files; the oldest first, by when they changed. */
struct lamp_sample_file_filter {
    int64_t sample_id, sensor_ref; /* 0: any */
    bool open;                     /* only those that are */
    bool kept;                     /* only those that are over and whose file is there */
    uint64_t before_us;            /* 0: any; else changed before */
    uint32_t limit;                /* 0: all */
};

/* The message that orders it of a sensor; borrows the matches of *v. */
struct lamp_msg lamp_sample_order(const struct lamp_sample *v);

/* Where in a folder the file of an order lies that a sensor sent: pcapng blocks without a section header. */
void lamp_sample_path(const char *folder, int64_t sample_id, int64_t sensor_ref, char *buf,
                      size_t size);

/* Lends fn orders, newest first. LAMP_ESTORE, as from all below. */
LAMP_CHECK int lamp_store_samples(lamp_store *s, const struct lamp_sample_filter *f,
                                  lamp_sample_fn *fn, void *arg);
LAMP_CHECK int lamp_store_sample_files(lamp_store *s, const struct lamp_sample_file_filter *f,
                                       lamp_sample_file_fn *fn, void *arg);

/* Enters an order and sets its id. */
LAMP_CHECK int lamp_store_sample_add(lamp_store *s, struct lamp_sample *v);

/* Enters what is known of an order at a sensor (sample_id, sensor_ref), or changes it. */
LAMP_CHECK int lamp_store_sample_put(lamp_store *s, const struct lamp_sample_file *v);

/* What a sensor's message with the id is about. LAMP_ENOENT: none of its orders. */
LAMP_CHECK int lamp_store_sample_of(lamp_store *s, uint64_t wire, int64_t sensor_ref,
                                    struct lamp_sample *out, struct lamp_sample_file *out_file);

/* Takes an order and what is known of it out. */
LAMP_CHECK int lamp_store_sample_remove(lamp_store *s, int64_t id);

/* Orders there are, those that are open, bytes of the files that are kept, and open orders of rings. */
struct lamp_sample_totals {
    uint64_t kept, open, bytes, rings_open;
};
LAMP_CHECK int lamp_store_sample_totals(lamp_store *s, struct lamp_sample_totals *out);
