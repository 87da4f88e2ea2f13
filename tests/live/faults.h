/* SPDX-License-Identifier: Apache-2.0 */
/* faults: the small world that the fault scenarios happen in: one aggregator, some sensors, a
 * proxy between them, everything below one folder. A failure ends the program with 1. */
#pragma once

#include "tests/support/faults/check.h"
#include "tests/support/faults/proxy.h"
#include "tests/support/rng.h"

#include <limits.h>
#include <sys/types.h>

enum { WORLD_SENSORS_MAX = 8 };

struct world_cfg {
    const char *sensor, *aggregator; /* programs */
    uint64_t seed;
    bool keep;
};

/* One process that is started again and again. */
struct peer {
    char name[32], dir[128], watched[160]; /* watched: whose file calls can be faulty */
    struct control *control;
    pid_t pid; /* 0: not running */
    bool cuts; /* its file calls are written down, so that its power can be cut */
};

struct world {
    const struct world_cfg *cfg;
    const struct scenario *scenario;
    char dir[64], database[256];
    struct lamp_rng rng;
    lamp_proxy *proxy;
    char server_key[41];
    uint16_t port; /* of the aggregator itself */
    unsigned rate; /* of the clock of what is started from now on */
    struct peer aggregator, sensors[WORLD_SENSORS_MAX];
    char spools[WORLD_SENSORS_MAX][256];
};

struct scenario {
    const char *name, *help;
    unsigned count, long_count; /* of faults, if not told; where LAMP_LONG is set */
    size_t n_sensors;
    uint64_t rows;  /* of a batch */
    uint64_t quota; /* of a spool; 0: 64 MiB */
    unsigned rate;  /* of the programs' clock */
    bool cuts;      /* write the file calls down */
    bool unsynced;  /* fsync(2) does nothing, since power is never cut: saves time */
    void (*run)(struct world *w, unsigned count);
};

extern const struct scenario scenario_kill, scenario_lossy, scenario_restart, scenario_stop,
    scenario_power, scenario_full, scenario_restore, scenario_quota, scenario_outage;

/* Makes the world, runs the scenario in it, clears it away. Returns an exit status. */
int world_run(const struct world_cfg *cfg, const struct scenario *s, unsigned count);

/* Fails the test: says why, and what the programs last said. */
_Noreturn void world_fail(struct world *w, const char *form, ...)
    __attribute__((format(printf, 2, 3)));

void start(struct world *w, struct peer *p);
void start_all(struct world *w);

/* Ends a peer by a signal and waits for it. SIGTERM must end it well, within 20 s. */
void end(struct world *w, struct peer *p, int signo);
void end_all(struct world *w, int signo);

/* Kills a peer and takes from its folder what a loss of power would take. */
void cut(struct world *w, struct peer *p);

/* No process may have ended by itself. */
void all_alive(struct world *w);

/* Batches every pause_us from each sensor, until `left` were made. */
void make_batches(struct world *w, uint64_t pause_us, uint64_t left);

/* Milliseconds of real time. */
uint64_t now_ms(void);
void wait_ms(struct world *w, uint64_t ms);

/* Waits for the aggregator's port and tells how long that took, in ms. */
uint64_t wait_until_listening(struct world *w, uint64_t limit_ms);

/* Records that the sensors spooled and were not acknowledged. */
uint64_t unacknowledged(struct world *w);

/* Batches that a sensor spooled, and that it was acknowledged, since the start. */
uint64_t spooled(const struct world *w, size_t sensor);
uint64_t acknowledged(const struct world *w, size_t sensor);

/* No more batches and no more faults: everything must be acknowledged within limit_ms. */
void drain(struct world *w, uint64_t limit_ms);

/* The aggregator is down: what it acknowledged must be in its database. */
void check_promises(struct world *w);

/* All are down: the invariant holds. Prints what became of the batches. */
struct check_result check_invariant(struct world *w, const char *when);
