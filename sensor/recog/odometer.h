/* SPDX-License-Identifier: Apache-2.0 */
/* odometer: many miners count nonces up, so a submitted nonce tells how far the device has come since it
 * got the job. Which way a miner numbers them is tried: the layout under which the first shares
 * of a connection agree on a constant rate is taken for its own. Layouts (read from captures and from the
 * miners' sources):
 * - threads: of 32 bits the high 10 are the thread, the low 22 its count in this job (xmr-stak);
 * - devices: the first 4 bytes count over all jobs, the last byte is the device (EWBF);
 * - counter: the first 4 bytes count in this job (one device);
 * - chunks: threads take turns with chunks of 32768 of one count (xmrig). All numbers are
 * little-endian. No state of its own beyond struct lamp_odometer; not thread-safe. */
#pragma once

#include "common/estimate.h"
#include "common/util.h"

enum { LAMP_ODOMETER_SHARES = 48, LAMP_ODOMETER_LEAST = 5 };

struct lamp_odometer {
    struct lamp_odometer_share {
        float job_s;    /* since the job came */
        float t_s;      /* since the first share's job */
        uint32_t count; /* the first 4 bytes of the nonce */
        uint8_t last;   /* its last byte */
    } shares[LAMP_ODOMETER_SHARES];
    uint32_t n;
    uint64_t from_us;
};

struct lamp_odometer_reading {
    const char *layout; /* static: "threads", "devices", "counter", "chunks"; NULL: none fits */
    unsigned lanes;     /* threads or devices */
    double value, low, high; /* nonces/s of all, with a 95 % interval */
};

/* Takes in a share; returns whether there are now so many that reading again is worth it.
 * job_us: when its job came, 0 unknown (then nothing is taken in). nonce: its bytes. */
bool lamp_odometer_add(struct lamp_odometer *o, uint64_t job_us, uint64_t now_us,
                       struct lamp_bytes nonce);

/* Tries all layouts. */
struct lamp_odometer_reading lamp_odometer_read(const struct lamp_odometer *o);
