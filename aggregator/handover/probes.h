/* SPDX-License-Identifier: Apache-2.0 */
/* probes: what operators ask of the catalogue's thread now (probe this, look that pool up again), with
 * what came of it, and what that thread says of itself. The newest LAMP_ORDERS_MAX orders are kept.
 * Thread-safe. */
#pragma once

#include "aggregator/store/pools.h"

typedef struct lamp_probes lamp_probes;

enum { LAMP_ORDERS_MAX = 64, LAMP_ORDER_RESULTS = 8 };

struct lamp_probe_order {
    int64_t id;
    int64_t pool_id;           /* look it up and probe it again; 0: */
    char host[LAMP_POOL_FQDN]; /* a name or an address, and */
    uint16_t port;
    bool done;
    char error[160]; /* why it was not done; "" it was */
    struct lamp_pool_endpoint results[LAMP_ORDER_RESULTS];
    size_t n; /* results */
};

struct lamp_probes_status {
    bool resolving, probing;
    bool resolve_default, probe_default; /* what the configuration says */
    bool offline;                        /* neither is possible: the traffic is made up */
    uint64_t names_asked, names_failed;
    uint64_t suspects; /* probes of servers that were suspected */
    uint64_t probes, connections, refused, too_soon, crowded;
    uint64_t dropped; /* findings that the writer did not take in time */
    uint64_t waiting; /* probes under way */
};

LAMP_CHECK int lamp_probes_new(lamp_probes **out);
lamp_probes *lamp_probes_free(lamp_probes *p);

/* The API's side. LAMP_EFULL: as many orders wait as there may be. */
LAMP_CHECK int lamp_probes_order(lamp_probes *p, const struct lamp_probe_order *o, int64_t *out_id);

/* LAMP_ENOENT: unknown, or too long ago. */
LAMP_CHECK int lamp_probes_get(lamp_probes *p, int64_t id, struct lamp_probe_order *out);
struct lamp_probes_status lamp_probes_status(lamp_probes *p);

/* The thread's side: readable while orders wait; the next new one (LAMP_EAGAIN: none); what became of it.
 * wake() lets its poll return. */
int lamp_probes_fd(const lamp_probes *p);
void lamp_probes_wake(lamp_probes *p);
LAMP_CHECK int lamp_probes_take(lamp_probes *p, struct lamp_probe_order *out);
void lamp_probes_answer(lamp_probes *p, const struct lamp_probe_order *o);
void lamp_probes_say(lamp_probes *p, const struct lamp_probes_status *s);
