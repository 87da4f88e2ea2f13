/* SPDX-License-Identifier: Apache-2.0 */
/* sum: estimates that are added up, and the interval of the sum. Pure functions, thread-safe.
 *
 * Independent parts: their variances add. The interval is that of the gamma distribution which has
 * the sum's mean m and variance v (Satterthwaite, Biometrics Bulletin 2, 1946), with the upper end
 * of Fay and Feuer (Statistics in Medicine 16, 1997), who give it for weighted sums of Poisson counts, where
 * w is the greatest weight of one count:
 *
 *     low  = v / 2m * chi2(0.025, 2 m^2 / v)
 *     high = (v + w^2) / 2(m + w) * chi2(0.975, 2 (m + w)^2 / (v + w^2))
 *
 * For one miner whose shares weigh the same this is Garwood's interval (estimate.h). What all parts
 * have in common (the table of devices, how miners report themselves) does not average out: those
 * standard deviations s add, and v is the sum of the variances plus the square of the sum of s.
 * A sum of one part has the part's own interval. */
#pragma once

#include "common/devices.h"

struct lamp_sum {
    size_t n;
    double mean, variance, shared; /* shared: the sum of the standard deviations in common */
    double weight;                 /* the greatest of one count */
    struct lamp_range only;        /* the part, where there is one */
};

/* Adds a rate; one of method NONE adds nothing. Self-reports count as wrong together, all other errors
 * as independent. */
void lamp_sum_add_rate(struct lamp_sum *s, const struct lamp_rate *r);

/* Adds what a distribution says; mean 0 adds nothing. shared: the relative standard deviation of
 * what its parts have in common. own: its interval. */
void lamp_sum_add(struct lamp_sum *s, const struct lamp_moments *m, double shared,
                  const struct lamp_range *own);

/* Adds the same times a constant (a price). */
void lamp_sum_add_times(struct lamp_sum *s, const struct lamp_moments *m, double shared,
                        const struct lamp_range *own, double factor);

/* All zero where nothing was added. */
struct lamp_range lamp_sum_range(const struct lamp_sum *s);
