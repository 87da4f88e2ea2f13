/* SPDX-License-Identifier: Apache-2.0 */
/* lift: weighs what a sensor suspects of a connection with what the aggregator alone knows of its server: what
 * a probe found there (within LAMP_POOL_YES_US where it answered as a pool, LAMP_POOL_NO_US where not), and
 * whether another client of the fleet was confirmed to mine there within a day. The masses and the levels are
 * those of docs/DETECTION.md, "How evidence adds up". Pure. */
#pragma once

#include "aggregator/store/write.h"
#include "common/catalogue.h"
#include "common/estimate.h"

struct lamp_lift {
    enum lamp_verdict verdict; /* no lower than suspected */
    uint32_t confidence;       /* 1e-4 */
    uint32_t flags;            /* LAMP_CONN_PROBED, LAMP_CONN_FLEET: what raised the verdict */
    struct lamp_track_evidence evidence[2];
    size_t n_evidence;
};

/* The rate behind `shares` messages that look like encrypted shares, of the first LAMP_WIRE_EARLY_S of a
 * connection: they are of the difficulty that the server begins with, which a probe was told (no longer ago
 * than LAMP_POOL_YES_US). Of CryptoNote that is in hashes; of Stratum v1 the algorithm tells what it is worth.
 * Method TIMING; NONE where that is not known, or makes no sense. */
struct lamp_rate lamp_lift_rate(const struct lamp_server_known *k, const lamp_catalogue *catalogue,
                                const char *algorithm, uint32_t shares, uint64_t now_us);

/* c: a connection with its reasons; confidence: with which its sensor suspects it. */
void lamp_lift_weigh(const struct lamp_track_conn *c, uint32_t confidence,
                     const struct lamp_server_known *k, uint64_t now_us, struct lamp_lift *out);
