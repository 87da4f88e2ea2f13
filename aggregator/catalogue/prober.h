/* SPDX-License-Identifier: Apache-2.0 */
/* prober: asks servers whether they are pools: one short, honest conversation each, over plain
 * connections or TLS (whose certificates are not verified, but named). Non-blocking; owned and driven by
 * one thread, which polls.
 *
 * The address is checked right before each connection, and that address is connected to: no name is
 * looked up here, and redirects are not followed. Limits: LAMP_PROBES at once, LAMP_PROBE_RATE_MAX
 * connections a second, one probe of an address and port in LAMP_PROBE_AGAIN_US, three connections of
 * LAMP_PROBE_ATTEMPT_US a probe, LAMP_PROBE_BYTES read of each. Never logs, never reads a clock. */
#pragma once

#include "aggregator/store/pools.h"

#include <poll.h>

typedef struct lamp_prober lamp_prober;

enum {
    LAMP_PROBES = 128,
    LAMP_PROBE_RATE_MAX = 100,
    LAMP_PROBE_BYTES = 64 * 1024,
    LAMP_PROBE_RECENT = 65536, /* destinations remembered */
};
#define LAMP_PROBE_AGAIN_US (UINT64_C(600) * 1000000)
#define LAMP_PROBE_ATTEMPT_US (UINT64_C(15) * 1000000)

struct lamp_probe_target {
    struct lamp_addr addr;
    uint16_t port;
    char name[LAMP_POOL_FQDN];     /* said to TLS and HTTP; "": the address */
    char protocol[LAMP_POOL_WORD]; /* what to try first; "" unknown */
    enum lamp_pool_tls tls;
    uint64_t tag; /* the caller's */
};

/* What came of it: a row for lamp_store_pool_probed(), without probed_us. */
typedef void lamp_probe_fn(const struct lamp_probe_target *t,
                           const struct lamp_pool_endpoint *found, void *arg);

struct lamp_prober_cfg {
    unsigned rate; /* connections a second, 1 to LAMP_PROBE_RATE_MAX */
    /* Why an address must not be connected to, NULL: it may be. Called right before connecting. */
    const char *(*refuse)(const struct lamp_addr *a, void *arg);
    lamp_probe_fn *found;
    void *arg; /* of both */
    /* How long to wait: for a connection, for the first words of a server of which nothing is known,
     * for an answer, for the difficulty after one. 0: 5 s, 2 s, 4 s, 1.5 s. */
    uint64_t connect_us, hush_us, answer_us, more_us;
};

struct lamp_prober_counters {
    uint64_t started, connections, refused, too_soon, crowded, up, listen, down;
};

/* LAMP_EINVAL, LAMP_ENOMEM. */
LAMP_CHECK int lamp_prober_new(const struct lamp_prober_cfg *cfg, lamp_prober **out);

/* Gives up what is under way. Accepts NULL. Returns NULL. */
lamp_prober *lamp_prober_free(lamp_prober *p);

/* Begins a probe; found is called later, from run(). LAMP_EPROTECTED: the address is refused, *why says
 * why (static). LAMP_EEXIST: probed within LAMP_PROBE_AGAIN_US. LAMP_EAGAIN: too many at once, or too
 * fast: try again. */
LAMP_CHECK int lamp_prober_start(lamp_prober *p, const struct lamp_probe_target *t,
                                 uint64_t mono_us, const char **why);

/* What to poll for, at most LAMP_PROBES; and when run() has work at the latest (UINT64_MAX: none). */
size_t lamp_prober_fds(lamp_prober *p, struct pollfd fds[LAMP_PROBES], uint64_t *out_due_us);

/* Goes on. fds: as polled, untouched since. */
void lamp_prober_run(lamp_prober *p, const struct pollfd *fds, size_t n, uint64_t mono_us);

struct lamp_prober_counters lamp_prober_counters(const lamp_prober *p);
size_t lamp_prober_busy(const lamp_prober *p);
