/* SPDX-License-Identifier: Apache-2.0 */
/* findings: what the catalogue's thread found out, on its way to the writer thread, which alone writes.
 * A bounded queue: what does not fit is dropped and counted, since the next round finds it again.
 * Thread-safe. */
#pragma once

#include "aggregator/store/pools.h"

typedef struct lamp_findings lamp_findings;

enum { LAMP_FINDINGS_MAX = 1024 };

struct lamp_finding {
    enum { LAMP_FINDING_RESOLVED, LAMP_FINDING_PROBED } kind;
    uint64_t at_us;
    struct lamp_pool_resolution resolved;
    struct lamp_pool_endpoint probed; /* probed_us is at_us */
};

LAMP_CHECK int lamp_findings_new(lamp_findings **out);
lamp_findings *lamp_findings_free(lamp_findings *q);

/* Copies one in. */
void lamp_findings_put(lamp_findings *q, const struct lamp_finding *f);

/* Readable while one waits. */
int lamp_findings_fd(const lamp_findings *q);

/* LAMP_EAGAIN: none waits. */
LAMP_CHECK int lamp_findings_take(lamp_findings *q, struct lamp_finding *out);
uint64_t lamp_findings_dropped(lamp_findings *q);
