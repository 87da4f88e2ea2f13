/* SPDX-License-Identifier: Apache-2.0 */
/* faults: sensors' link processes and an aggregator, as shipped, with a proxy between them, under
 * faults drawn from a seed; after each run the invariant of the link is checked on the disks
 * (tests/support/faults/check.h).
 *
 *   faults [--seed N] [--count N] [--sensor PROGRAM] [--aggregator PROGRAM] [--keep] SCENARIO
 */
#include "tests/live/faults.h"

#include "common/text.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>

static const struct scenario *const scenarios[] = {
    &scenario_kill, &scenario_lossy,   &scenario_restart, &scenario_stop,  &scenario_power,
    &scenario_full, &scenario_restore, &scenario_quota,   &scenario_outage
};

static int usage(FILE *to)
{
    fputs("usage: faults [OPTION]... SCENARIO\n"
          "  --seed N             of the schedule (default: a new one, which is printed)\n"
          "  --count N            how many faults (default: the scenario's; more where LAMP_LONG "
          "is set)\n"
          "  --sensor PROGRAM     fault_sensor or a mutant of it\n"
          "  --aggregator PROGRAM fault_aggregator or a mutant of it\n"
          "  --keep               leave the folder of the run\n",
          to);
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        fprintf(to, "%-10s %s\n", scenarios[i]->name, scenarios[i]->help);
    return to == stderr ? 2 : 0;
}

static bool number(const char *text, uint64_t *out)
{
    int64_t v;
    if (lamp_text_int(text, 0, INT64_MAX, &v) != LAMP_OK)
        return false;
    *out = (uint64_t)v;
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },
        { "count", required_argument, NULL, 'c' },
        { "sensor", required_argument, NULL, 'S' },
        { "aggregator", required_argument, NULL, 'A' },
        { "keep", no_argument, NULL, 'k' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    struct world_cfg cfg = { .sensor = FAULT_SENSOR, .aggregator = FAULT_AGGREGATOR };
    uint64_t count = 0;
    if (sodium_init() < 0)
        return 1;
    randombytes_buf(&cfg.seed, 4); /* short enough to type */
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        bool good = true;
        switch (c) {
        case 's':
            good = number(optarg, &cfg.seed);
            break;
        case 'c':
            good = number(optarg, &count);
            break;
        case 'S':
            cfg.sensor = optarg;
            break;
        case 'A':
            cfg.aggregator = optarg;
            break;
        case 'k':
            cfg.keep = true;
            break;
        case 'h':
            return usage(stdout);
        default:
            good = false;
        }
        if (!good)
            return usage(stderr);
    }
    for (size_t i = 0; optind + 1 == argc && i < ARRAY_LEN(scenarios); i++) {
        const struct scenario *s = scenarios[i];
        if (!streq(argv[optind], s->name))
            continue;
        printf("%s: seed %llu\n", s->name, (unsigned long long)cfg.seed);
        fflush(stdout);
        if (!count)
            count = getenv("LAMP_LONG") ? s->long_count : s->count;
        return world_run(&cfg, s, (unsigned)count);
    }
    return usage(stderr);
}
