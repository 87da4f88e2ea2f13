/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/live/faults.h"

#include "aggregator/store/safety.h"
#include "common/clock.h"
#include "common/io.h"
#include "tests/support/faults/cut.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)

enum { DRAIN_MS = 60000 };

/* What networks do, and a third of all acknowledgements lost. */
static const struct proxy_faults rough = {
    .drop = { 0.03, 1.0 / 3 },
    .cut = { 0.15, 0.15 },
    .stall = { 0.05, 0.05 },
    .deaf = 0.2,
    .half_open = 0.05,
    .refuse = 0.05,
    .delay_ms = 5,
    .within = 12,
    .stall_ms = 1400,
};

static uint64_t below(struct world *w, uint64_t n)
{
    return lamp_rng_u64(&w->rng) % n;
}

static struct peer *any_sensor(struct world *w)
{
    return &w->sensors[below(w, w->scenario->n_sensors)];
}

/* Both sides' clocks jump by up to two days, one way or the other. */
static void step_a_clock(struct world *w)
{
    struct peer *p = below(w, 2) ? &w->aggregator : any_sensor(w);
    atomic_store(&p->control->step_us, (int64_t)below(w, (uint64_t)(4 * DAY_US)) - 2 * DAY_US);
}

/* A stop for a while of a random length, mostly short, in which things pass. */
static void go_on(struct world *w, unsigned mean_ms)
{
    const double ms = lamp_rng_exponential(&w->rng, mean_ms);
    wait_ms(w, ms < 4 * mean_ms ? (uint64_t)ms : 4 * mean_ms);
}

/* Mostly until something is acknowledged again, so that faults strike at work. */
static void let_work(struct world *w, unsigned mean_ms)
{
    uint64_t before = 0, after = 0;
    for (size_t i = 0; i < w->scenario->n_sensors; i++)
        before += acknowledged(w, i);
    const uint64_t until_ms = now_ms() + (below(w, 8) ? 3000 : 0);
    while (after <= before && now_ms() < until_ms) {
        wait_ms(w, 10);
        after = 0;
        for (size_t i = 0; i < w->scenario->n_sensors; i++)
            after += acknowledged(w, i);
    }
    go_on(w, mean_ms);
}

static void wait_until_acknowledged(struct world *w, size_t sensor, uint64_t more,
                                    uint64_t limit_ms, const char *what)
{
    const uint64_t want = acknowledged(w, sensor) + more, until_ms = now_ms() + limit_ms;
    while (acknowledged(w, sensor) < want) {
        if (now_ms() > until_ms)
            world_fail(w, "%s: nothing is acknowledged within %llu ms", what,
                       (unsigned long long)limit_ms);
        wait_ms(w, 20);
    }
}

/* The end of a run: what is still under way arrives, or stays in the spool when all are killed. */
static void finish(struct world *w)
{
    drain(w, DRAIN_MS);
    make_batches(w, 20000, UINT64_MAX);
    lamp_proxy_set(w->proxy, &rough);
    go_on(w, 300);
    end_all(w, SIGKILL);
    check_promises(w);
    (void)check_invariant(w, "all killed");
    start_all(w);
    drain(w, DRAIN_MS);
    end_all(w, SIGTERM);
    const struct check_result r = check_invariant(w, "all delivered");
    if (r.waiting || r.spooled > r.merged + r.lost)
        world_fail(w, "something is left in a spool");
}

/* ---- kill ---- */

/* What it said before reaches the sensors yet. */
static void kill_aggregator(struct world *w)
{
    end(w, &w->aggregator, SIGKILL);
    wait_ms(w, 20);
    check_promises(w);
}

static void kill_one(struct world *w)
{
    const uint64_t who = below(w, 10);
    struct peer *sensor = any_sensor(w);
    if (who < 6)
        end(w, sensor, SIGKILL);
    if (who >= 5)
        kill_aggregator(w);
    if (who == 5)
        go_on(w, 50);
    if (who >= 5)
        start(w, &w->aggregator);
    if (who < 6)
        start(w, sensor);
}

static void run_kill(struct world *w, unsigned count)
{
    start_all(w);
    make_batches(w, 20000, UINT64_MAX);
    wait_until_acknowledged(w, 0, 10, 60000, "at the start");
    lamp_proxy_set(w->proxy, &rough);
    for (unsigned i = 0; i < count; i++) {
        let_work(w, 100);
        if (below(w, 8) == 0)
            step_a_clock(w);
        kill_one(w);
    }
    finish(w);
}

const struct scenario scenario_kill = {
    .name = "kill",
    .help = "kill -9 on both sides, a third of the acknowledgements lost, clocks that jump",
    .count = 300,
    .long_count = 2000,
    .n_sensors = 4,
    .rows = 2,
    .rate = 10,
    .unsynced = true,
    .run = run_kill,
};

/* ---- lossy ---- */

/* No connection ends here, so only going back to what was not acknowledged can fill the holes. */
static void run_lossy(struct world *w, unsigned count)
{
    static const struct proxy_faults lossy = { .drop = { 0.05, 1.0 / 3 } };
    start_all(w);
    make_batches(w, 20000, UINT64_MAX);
    wait_until_acknowledged(w, 0, 10, 60000, "at the start");
    for (unsigned i = 0; i < count; i++) {
        lamp_proxy_set(w->proxy, &lossy);
        wait_until_acknowledged(w, 0, 100, 60000, "while messages are lost");
        drain(w, DRAIN_MS);
        make_batches(w, 20000, UINT64_MAX);
    }
    finish(w);
}

const struct scenario scenario_lossy = {
    .name = "lossy",
    .help = "one message in twenty to the aggregator is lost, and a third of its answers",
    .count = 3,
    .long_count = 60,
    .n_sensors = 2,
    .rows = 2,
    .rate = 10,
    .run = run_lossy,
};

/* ---- power ---- */

static void run_power(struct world *w, unsigned count)
{
    start_all(w);
    make_batches(w, 20000, UINT64_MAX);
    wait_until_acknowledged(w, 0, 10, 60000, "at the start");
    lamp_proxy_set(w->proxy, &rough);
    for (unsigned i = 0; i < 2 * count; i++) {
        struct peer *p = i % 2 ? &w->aggregator : any_sensor(w);
        let_work(w, 100);
        cut(w, p);
        if (p == &w->aggregator)
            check_promises(w);
        start(w, p);
    }
    finish(w);
}

const struct scenario scenario_power = {
    .name = "power",
    .help = "loss of power on both sides, COUNT times each: what was not synced is gone or torn",
    .count = 60,
    .long_count = 500,
    .n_sensors = 2,
    .rows = 2,
    .rate = 10,
    .cuts = true,
    .run = run_power,
};

/* ---- restart ---- */

/* The aggregator's clock runs twice as fast here, so its 15 s of silence are 7.5: a sensor that is
 * told that its session is over needs no more than it takes to connect again (1 to 2 s). While
 * nobody listens its pauses double, so the longest is as long as the aggregator was away. */
static void run_restart(struct world *w, unsigned count)
{
    start_all(w);
    make_batches(w, 20000, UINT64_MAX);
    wait_until_acknowledged(w, 0, 10, 60000, "at the start");
    for (unsigned i = 0; i < count; i++) {
        kill_aggregator(w);
        start(w, &w->aggregator);
        const uint64_t away_ms = wait_until_listening(w, 60000);
        wait_until_acknowledged(w, 0, 10, away_ms < 1800 ? 5500 : 3 * away_ms,
                                "after a restart of the aggregator");
    }
    finish(w);
}

const struct scenario scenario_restart = {
    .name = "restart",
    .help = "the aggregator is killed and started: the sensor goes on at once, not after a timeout",
    .count = 3,
    .long_count = 10,
    .n_sensors = 1,
    .rows = 2,
    .rate = 2,
    .run = run_restart,
};

/* ---- stop ---- */

static size_t lines_with(const struct world *w, const char *name, const char *words)
{
    char path[128], *text;
    size_t len, n = 0;
    snprintf(path, sizeof(path), "%s/%s.log", w->dir, name);
    if (lamp_io_read_file(path, 64 << 20, &text, &len) != LAMP_OK)
        return 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
        n++;
    free(text);
    return n;
}

/* An aggregator that stands still answers no PING: the sensor knows within 15 s of its clock.
 * libzmq's own heartbeats, in real time, are far from noticing. */
static void stop_aggregator(struct world *w)
{
    const char *words = "no answer from the aggregator";
    struct control *c = w->sensors[0].control;
    const size_t before = lines_with(w, w->sensors[0].name, words);
    kill(w->aggregator.pid, SIGSTOP);
    const uint64_t began_us = atomic_load(&c->clock_us), until_ms = now_ms() + 10000;
    while (lines_with(w, w->sensors[0].name, words) == before) {
        if (now_ms() > until_ms)
            world_fail(w, "the sensor does not notice that the aggregator stands still");
        wait_ms(w, 10);
    }
    const uint64_t took_us = atomic_load(&c->clock_us) - began_us;
    printf("stop: noticed after %llu s of the sensor's clock\n",
           (unsigned long long)(took_us / 1000000));
    kill(w->aggregator.pid, SIGCONT);
}

static void run_stop(struct world *w, unsigned count)
{
    start_all(w);
    make_batches(w, 10000, UINT64_MAX);
    for (unsigned i = 0; i < count; i++) {
        wait_until_acknowledged(w, 0, 10, 60000, "before a stop");
        if (i % 2 == 0) {
            stop_aggregator(w);
        } else {
            kill(w->sensors[0].pid, SIGSTOP);
            wait_ms(w, 1000);
            kill(w->sensors[0].pid, SIGCONT);
        }
        if (i % 3 == 2)
            step_a_clock(w);
    }
    finish(w);
}

const struct scenario scenario_stop = {
    .name = "stop",
    .help = "SIGSTOP and SIGCONT on both sides: noticed by PING, and nothing lost",
    .count = 8,
    .long_count = 60,
    .n_sensors = 1,
    .rows = 2,
    .rate = 10,
    .run = run_stop,
};

/* ---- full ---- */

/* The aggregator gives up after three refusals and is started again, as systemd does. */
static void fill_aggregator(struct world *w)
{
    int status = 0;
    atomic_store(&w->aggregator.control->disk_full, true);
    const uint64_t until_ms = now_ms() + 30000;
    while (waitpid(w->aggregator.pid, &status, WNOHANG) == 0) {
        if (now_ms() > until_ms)
            world_fail(w, "the aggregator goes on with a full disk");
        (void)poll(NULL, 0, 10);
    }
    w->aggregator.pid = 0;
    atomic_store(&w->aggregator.control->disk_full, false);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
        world_fail(w, "the aggregator ended with status %x on a full disk", (unsigned)status);
    wait_ms(w, 300); /* what it said before reaches the sensor yet */
    check_promises(w);
    start(w, &w->aggregator);
}

static void run_full(struct world *w, unsigned count)
{
    start_all(w);
    make_batches(w, 20000, UINT64_MAX);
    for (unsigned i = 0; i < count; i++) {
        wait_until_acknowledged(w, 0, 10, 60000, "before a full disk");
        if (i % 2 == 0) {
            fill_aggregator(w);
            continue;
        }
        atomic_store(&w->sensors[0].control->disk_full, true);
        wait_ms(w, 500);
        atomic_store(&w->sensors[0].control->disk_full, false);
    }
    finish(w);
}

const struct scenario scenario_full = {
    .name = "full",
    .help = "the disk of one side is full for a while",
    .count = 4,
    .long_count = 40,
    .n_sensors = 1,
    .rows = 2,
    .rate = 10,
    .run = run_full,
};

/* ---- restore ---- */

/* The aggregator's database goes back in time, while streams were finished meanwhile. */
static void run_restore(struct world *w, unsigned count)
{
    char backup[128], why[LAMP_STORE_WHY] = "";
    struct lamp_restored restored;
    snprintf(backup, sizeof(backup), "%s/backup.db", w->dir);
    start_all(w);
    make_batches(w, 20000, UINT64_MAX);
    for (unsigned i = 0; i < count; i++) {
        wait_until_acknowledged(w, 0, 50, 60000, "before the backup");
        (void)unlink(backup);
        if (lamp_store_backup("sqlite", w->database, backup, NULL, NULL, why) != LAMP_OK)
            world_fail(w, "no backup: %s", why);
        for (int k = 0; k < 3; k++) {
            wait_until_acknowledged(w, 0, 20, 20000, "after the backup");
            end(w, &w->sensors[0], SIGTERM);
            start(w, &w->sensors[0]);
        }
        wait_until_acknowledged(w, 0, 20, 20000, "before the restore");
        end(w, &w->aggregator, SIGTERM);
        if (lamp_store_restore("sqlite", w->database, backup, lamp_clock_real_us(), &restored,
                               why) != LAMP_OK)
            world_fail(w, "no restore: %s", why);
        start(w, &w->aggregator);
    }
    finish(w);
}

const struct scenario scenario_restore = {
    .name = "restore",
    .help = "the aggregator's database is restored from a backup: sensors send again",
    .count = 2,
    .long_count = 20,
    .n_sensors = 1,
    .rows = 2,
    .rate = 10,
    .run = run_restore,
};

/* ---- quota ---- */

static void run_quota(struct world *w, unsigned count)
{
    uint64_t made = 0;
    for (unsigned i = 0; i < count; i++) {
        start(w, &w->sensors[0]);
        make_batches(w, 1000, 100);
        made += 100;
        const uint64_t until_ms = now_ms() + 30000;
        while (spooled(w, 0) < made && now_ms() < until_ms)
            wait_ms(w, 20);
        if (i % 2)
            end(w, &w->sensors[0], SIGKILL);
        else
            end(w, &w->sensors[0], SIGTERM);
    }
    start_all(w);
    drain(w, DRAIN_MS);
    end_all(w, SIGTERM);
    const struct check_result r = check_invariant(w, "after the quota");
    if (r.lost < made / 2 || r.merged < 20 || r.merged + r.lost != made || r.waiting)
        world_fail(w, "of %llu batches this is not what a full spool leaves",
                   (unsigned long long)made);
}

const struct scenario scenario_quota = {
    .name = "quota",
    .help = "spools overflow: what is declared lost is exactly what is lost",
    .count = 3,
    .long_count = 20,
    .n_sensors = 1,
    .rows = 256,
    .quota = 1 << 20,
    .rate = 10,
    .run = run_quota,
};

/* ---- outage ---- */

enum { OUTAGE_BATCHES = 8640 }; /* a day of one each 10 s */

static void run_outage(struct world *w, unsigned count)
{
    w->rate = 4320; /* a day in 20 s; not less than the disk takes */
    start(w, &w->sensors[0]);
    make_batches(w, 1000, count);
    const uint64_t until_ms = now_ms() + 300000;
    while (spooled(w, 0) < count) {
        if (now_ms() > until_ms)
            world_fail(w, "the batches are not spooled in time");
        wait_ms(w, 100);
    }
    end(w, &w->sensors[0], SIGTERM);
    w->rate = 1;
    const uint64_t began_ms = now_ms();
    start_all(w);
    drain(w, 1000 * (uint64_t)count * 10 / 50);
    const uint64_t took_ms = now_ms() - began_ms;
    printf("outage: %u batches, %llu s of a branch, drained in %llu ms: %llu times real time\n",
           count, (unsigned long long)count * 10, (unsigned long long)took_ms,
           (unsigned long long)count * 10000 / took_ms);
    end_all(w, SIGTERM);
    const struct check_result r = check_invariant(w, "after the outage");
    if (r.merged != count || r.lost || r.waiting)
        world_fail(w, "the outage cost batches");
}

const struct scenario scenario_outage = {
    .name = "outage",
    .help = "a day without the aggregator goes to the spool, then is delivered",
    .count = OUTAGE_BATCHES,
    .long_count = OUTAGE_BATCHES,
    .n_sensors = 1,
    .rows = 230,
    .quota = 256 << 20,
    .rate = 1,
    .run = run_outage,
};
