/* SPDX-License-Identifier: Apache-2.0 */
/* lift: weighs what a sensor suspects of a connection with what the aggregator alone knows of its server: what
 * a probe found there (within LAMP_POOL_YES_US where it answered as a pool, LAMP_POOL_NO_US where not), and
 * whether another client of the fleet was confirmed to mine there within a day. The masses and the levels are
 * those of docs/DETECTION.md, "How evidence adds up". Pure. */
#pragma once

#include "aggregator/store/write.h"

struct lamp_lift {
    enum lamp_verdict verdict; /* no lower than suspected */
    uint32_t confidence;       /* 1e-4 */
    uint32_t flags;            /* LAMP_CONN_PROBED, LAMP_CONN_FLEET: what raised the verdict */
    struct lamp_track_evidence evidence[2];
    size_t n_evidence;
};

/* c: a connection with its reasons; confidence: with which its sensor suspects it. */
void lamp_lift_weigh(const struct lamp_track_conn *c, uint32_t confidence,
                     const struct lamp_server_known *k, uint64_t now_us, struct lamp_lift *out);
