/* SPDX-License-Identifier: Apache-2.0 */
/* fleetgen: plays a fleet of sensors towards an aggregator, with real keys and the sensor's own link
 * code; see usage(). */
#include "common/clock.h"
#include "tests/bench/fleetgen/fleet.h"
#include "tests/support/poolsim/opts.h"

#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { PROCESSES_MAX = 64, CALM_MS = 10000 };

struct options {
    struct fleet_cfg fleet;
    const char *progress;
    uint64_t processes, seconds, spread_s, sites;
};

static volatile sig_atomic_t told_to_end;

static void on_signal(int signo)
{
    (void)signo;
    told_to_end = 1;
}

static int usage(const struct sim_opt *opts, size_t n)
{
    puts("fleetgen keys [OPTION...]\n"
         "    The lines of an aggregator's sensors file for this fleet.\n"
         "fleetgen run ENDPOINT SERVER_KEY [OPTION...]\n"
         "    Plays the fleet and prints figures as JSON at the end.\n"
         "fleetgen strangers ENDPOINT SERVER_KEY [OPTION...]\n"
         "    As many connections that never become a session, instead.\n"
         "Options:");
    sim_opt_help(opts, n);
    return 0;
}

static int print_keys(const struct options *o)
{
    for (uint64_t i = 0; i < o->fleet.sensors; i++) {
        struct lamp_key key;
        if (fleet_key(o->fleet.seed, i, &key) != LAMP_OK)
            return 1;
        printf("%s site%llu fleet%llu\n", key.public_z85,
               (unsigned long long)(o->sites ? i % o->sites : i), (unsigned long long)i);
    }
    return 0;
}

/* ---- figures ---- */

static unsigned long long get(const _Atomic uint64_t *v)
{
    return atomic_load(v);
}

static void print_progress(FILE *f, const struct fleet_counts *c, double at_s)
{
    fprintf(f,
            "{\"t\":%.1f,\"up\":%llu,\"sessions\":%llu,\"lost\":%llu,\"acked\":%llu,"
            "\"waiting\":%llu,\"refused\":%llu}\n",
            at_s, get(&c->up), get(&c->sessions), get(&c->lost), get(&c->acked),
            get(&c->made) - get(&c->acked), get(&c->refused));
    fflush(f);
}

static void print_times(const char *name, const struct fleet_times *t)
{
    printf("\"%s\":{\"n\":%llu,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, get(&t->n),
           fleet_quantile_ms(t, 0.5), fleet_quantile_ms(t, 0.99), (double)get(&t->max_us) / 1000);
}

static void print_figures(const struct options *o, const struct fleet_counts *c, double took_s,
                          unsigned long long rows)
{
    printf(
        "{\"sensors\":%llu,\"processes\":%llu,\"rows_per_summary\":%llu,\"interval_ms\":%llu,"
        "\"fast\":%s,\"seconds\":%.1f,\"up\":%llu,\"sessions\":%llu,\"lost\":%llu,"
        "\"refused\":%llu,\"made\":%llu,\"acked\":%llu,\"waiting\":%llu,\"rows_acked_per_s\":%.0f,"
        "\"bytes_sent\":%llu,\"lists\":%llu,\"entries\":%llu,",
        (unsigned long long)o->fleet.sensors, (unsigned long long)o->processes,
        (unsigned long long)o->fleet.rows, (unsigned long long)o->fleet.interval_ms,
        o->fleet.fast ? "true" : "false", took_s, get(&c->up), get(&c->sessions), get(&c->lost),
        get(&c->refused), get(&c->made), get(&c->acked), get(&c->made) - get(&c->acked),
        took_s > 0 ? (double)rows / took_s : 0, get(&c->bytes), get(&c->lists), get(&c->entries));
    print_times("ack_ms", &c->ack);
    putchar(',');
    print_times("first_ms", &c->first);
    putchar(',');
    print_times("back_ms", &c->back);
    puts("}");
}

/* ---- processes ---- */

static int start(const struct options *o, bool strangers, struct fleet_counts *c, uint64_t i,
                 pid_t *out)
{
    const uint64_t n = o->fleet.sensors, p = o->processes;
    fflush(NULL);
    *out = fork();
    if (*out < 0)
        return -1;
    if (*out > 0)
        return 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_DFL);
    _exit(strangers ? fleet_strangers(&o->fleet, c)
                    : fleet_run(&o->fleet, n * i / p, n * (i + 1) / p, c));
}

static bool died(const pid_t *pids, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (waitpid(pids[i], NULL, WNOHANG) != 0)
            return true;
    return false;
}

/* Waits ms at most, by turns of a tenth of a second; writes a line of progress each second. False: a
 * process of the fleet ended. */
static bool watch(const struct options *o, const struct fleet_counts *c, const pid_t *pids, FILE *f,
                  uint64_t began_us, uint64_t ms, bool until_calm)
{
    uint64_t said_us = 0;
    const uint64_t from_us = lamp_clock_mono_us();
    for (;;) {
        const uint64_t now_us = lamp_clock_mono_us();
        const bool calm = atomic_load(&c->made) == atomic_load(&c->acked);
        if ((ms && now_us - from_us >= ms * 1000) || (until_calm ? calm : told_to_end))
            return true;
        if (f && now_us - said_us >= 1000000) {
            print_progress(f, c, (double)(now_us - began_us) / 1e6);
            said_us = now_us;
        }
        if (died(pids, o->processes))
            return false;
        (void)poll(NULL, 0, 100);
    }
}

static int play(const struct options *o, bool strangers)
{
    pid_t pids[PROCESSES_MAX];
    struct fleet_counts *c =
        mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *f = o->progress ? fopen(o->progress, "we") : NULL;
    if (c == MAP_FAILED || (o->progress && !f)) {
        perror("fleetgen");
        return 1;
    }
    const uint64_t began_us = lamp_clock_mono_us();
    for (uint64_t i = 0; i < o->processes; i++)
        if (start(o, strangers, c, i, &pids[i]) != 0)
            return 1;
    bool good = watch(o, c, pids, f, began_us, o->seconds * 1000, false);
    /* The rate is of the time that summaries were made; what is under way then has a while left. */
    const double took_s = (double)(lamp_clock_mono_us() - began_us) / 1e6;
    const unsigned long long rows = get(&c->rows);
    atomic_store(&c->calm, true);
    good = good && (strangers || watch(o, c, pids, f, began_us, CALM_MS, true));
    const bool all = atomic_load(&c->made) == atomic_load(&c->acked);
    if (f)
        fclose(f);
    print_figures(o, c, took_s, rows);
    atomic_store(&c->stop, true);
    for (uint64_t i = 0; i < o->processes; i++)
        (void)waitpid(pids[i], NULL, 0);
    if (!good)
        fputs("fleetgen: a process of the fleet ended by itself\n", stderr);
    return good && all ? 0 : 1;
}

/* A sensor has four descriptors here: its connection and what libzmq wakes by. */
static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

int main(int argc, char **argv)
{
    struct options o = { .fleet = { .seed = "fleetgen",
                                    .sensors = 100,
                                    .rows = 20,
                                    .interval_ms = 10000,
                                    .under_way = 32 },
                         .processes = 1,
                         .spread_s = 10,
                         .seconds = 30 };
    const struct sim_opt opts[] = {
        { "sensors", SIM_OPT_UINT, &o.fleet.sensors, "how many (100)" },
        { "sites", SIM_OPT_UINT, &o.sites, "how many sites they are spread over (one each)" },
        { "seed", SIM_OPT_STR, &o.fleet.seed, "the keys are made of it (fleetgen)" },
        { "processes", SIM_OPT_UINT, &o.processes, "that play them (1)" },
        { "rows", SIM_OPT_UINT, &o.fleet.rows, "of traffic in each summary (20)" },
        { "interval", SIM_OPT_UINT, &o.fleet.interval_ms, "between two summaries, ms (10000)" },
        { "spread", SIM_OPT_UINT, &o.spread_s, "the starts are spread over so many s (10)" },
        { "seconds", SIM_OPT_UINT, &o.seconds, "to run; 0: until a signal (30)" },
        { "fast", SIM_OPT_FLAG, &o.fleet.fast, "as many summaries as are acknowledged" },
        { "under-way", SIM_OPT_UINT, &o.fleet.under_way, "how many of a sensor then wait (32)" },
        { "sets", SIM_OPT_FLAG, &o.fleet.sets, "ask for the sets, as sensors do" },
        { "progress", SIM_OPT_STR, &o.progress, "a file that gets a line of JSON each second" },
    };
    const char *words[3];
    char why[SIM_WHY];
    if (argc < 2 || streq(argv[1], "--help"))
        return usage(opts, ARRAY_LEN(opts));
    const bool keys = streq(argv[1], "keys"), strangers = streq(argv[1], "strangers");
    const size_t n_words = keys ? 0 : 2;
    words[0] = words[1] = NULL;
    if ((!keys && !strangers && !streq(argv[1], "run")) || sodium_init() < 0 ||
        sim_opt_argv(opts, ARRAY_LEN(opts), argc, argv, 2, words, n_words, why) != LAMP_OK ||
        (n_words && !words[1])) {
        fputs("fleetgen: see fleetgen --help\n", stderr);
        return 2;
    }
    o.fleet.spread_ms = o.spread_s * 1000;
    if (o.fleet.rows > 4096 || o.fleet.under_way == 0 || o.fleet.under_way > 64 ||
        o.fleet.sensors == 0 || o.fleet.interval_ms == 0 || o.processes == 0 ||
        o.processes > PROCESSES_MAX) {
        fputs("fleetgen: a number is out of range\n", stderr);
        return 2;
    }
    if (keys)
        return print_keys(&o);
    o.fleet.endpoint = words[0];
    o.fleet.server_key = words[1];
    if (strangers)
        o.processes = 1;
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    raise_limits();
    return play(&o, strangers);
}
