/* SPDX-License-Identifier: Apache-2.0 */
/* devices: which hardware is behind a hash rate, how many of it, and what it draws: a distribution
 * over the devices of devices.csv, not one answer. Read-only after loading, so threads may share it.
 * Limits: 4,096 rows, 256 models of one algorithm. */
#pragma once

#include "common/err.h"
#include "common/estimate.h"

typedef struct lamp_devices lamp_devices;

/* Loads devices.csv from a folder. On failure says in `why` (size bytes) which file and line.
 * LAMP_ENOENT, LAMP_EFORMAT, LAMP_EFULL, LAMP_ENOMEM. */
LAMP_CHECK int lamp_devices_load(const char *folder, lamp_devices **out, char *why, size_t size);
lamp_devices *lamp_devices_free(lamp_devices *d);

enum { LAMP_HARDWARE_GUESSES = 5 };

/* A value with its 95 % interval. */
struct lamp_range {
    double value, low, high;
};

/* What a distribution adds to a sum. */
struct lamp_moments {
    double mean, variance;
};

/* One model, or kind of machine, that may be it. */
struct lamp_hardware_guess {
    const char *kind; /* "gpu", "cpu", "asic" */
    const char *vendor, *model;
    double rate;             /* of one, by the table */
    double share;            /* of one that is used, 0..1; below 1 where one alone is too fast */
    struct lamp_range count; /* how many, given that it is this model */
    struct lamp_range watts; /* all of them; 0: the table has no figure */
    double probability;      /* among all models of the table */
};

struct lamp_hardware {
    size_t n;                                                  /* 0: nothing can be said */
    struct lamp_hardware_guess guesses[LAMP_HARDWARE_GUESSES]; /* likeliest first */
    struct lamp_range count;                                   /* over all models */
    struct lamp_range watts;                                   /* at the wall; 0: unknown */
    struct lamp_moments count_moments, watts_moments;          /* of the same, for sums */
    double kinds[3]; /* probability of gpu, cpu, asic (lamp_hardware_kinds) */
};
extern const char *const lamp_hardware_kinds[3];

/* The distribution over models and whole numbers of them that the rate allows. A model's own rate is
 * uncertain by what its sources differ and 10 % of tuning (CPUs 25 %), the measured rate by its
 * interval, both as log-normal errors; k machines count as 1 / k^2 beforehand: few are
 * commoner than many. A device that is too fast for the rate may be used in part, which CPUs often
 * are and others hardly ever. known_count: how many devices there are for certain, 0 unknown. The power of
 * GPUs is that of the cards, so 5 to 15 % are added for the rest of the rig; that of ASICs is at the
 * wall. Method NONE or an algorithm that no row has: n is 0. */
void lamp_devices_estimate(const lamp_devices *d, const struct lamp_rate *rate,
                           const char *algorithm, unsigned known_count, struct lamp_hardware *out);

/* kWh of a day at so many watts. */
static inline double lamp_kwh_per_day(double watts)
{
    return watts * 24 / 1000;
}
