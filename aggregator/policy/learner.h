/* SPDX-License-Identifier: Apache-2.0 */
/* learner: makes a baseline of what a host did, minute by minute, in a window of history. */
#pragma once

#include "aggregator/store/baselines.h"

/* Whose network an address is in; 0: not known. */
typedef uint32_t lamp_asn_fn(const struct lamp_addr *a, void *arg);

struct lamp_learning {
    const char *site;
    struct lamp_addr host;
    uint64_t from_us, to_us; /* the window */
    bool by_asn;             /* destinations are known again by their network where that is known */
    lamp_asn_fn *asn;        /* may be NULL */
    void *arg;
};

/* Learns from the minutes of the window that are over, from the first with traffic on; those in gaps that
 * sensors told of do not count. LAMP_EAGAIN: of fewer than LAMP_BASELINE_MINUTES_LEAST something is known.
 * LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_learn(lamp_store *s, const struct lamp_learning *l,
                          struct lamp_baseline_body *out);
