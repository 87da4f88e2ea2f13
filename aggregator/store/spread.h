/* SPDX-License-Identifier: Apache-2.0 */
/* spread: how much of something comes a minute, learned from some minutes, and the bounds that chance alone
 * leaves once in LAMP_SPREAD_CHANCE looks. Pure.
 *
 * Sums of traffic are taken for gamma distributed with the mean and variance learned (by Wilson and Hilferty,
 * Proc. Nat. Acad. Sci. 17, 1931: the cube root of such a sum is nearly normal); that these two are known from
 * few minutes only widens the bounds as Student's t does (Abramowitz and Stegun 26.7.5). Packets are taken for
 * negative binomial, so that the chance of a time without any follows from the same two (Poisson where the
 * variance is no larger than the mean). */
#pragma once

#include "aggregator/store/baselines.h"

#define LAMP_SPREAD_CHANCE 1e-7 /* on each side */

/* Minutes as they come, in order. */
struct lamp_spread_sum {
    double sum, squares, lagged; /* lagged: of products of neighbours */
    double first, last, most;
    uint32_t n;
};
void lamp_spread_add(struct lamp_spread_sum *s, double value);
struct lamp_spread lamp_spread_of(const struct lamp_spread_sum *s);

/* Between which the sum over some minutes (not whole ones need be) lies, known from n minutes. A bound is never
 * nearer to what is usual than half or one and a half times of it, nor below what was seen. Where nothing was
 * ever seen: 0 and HUGE_VAL, since there is nothing to hold it against. */
struct lamp_bounds {
    double low, high;
};
struct lamp_bounds lamp_spread_bounds(const struct lamp_spread *s, uint32_t n, double minutes);

/* Seconds without a packet that are no chance, at least `least`; 0: there is no such time within a day. */
double lamp_spread_quiet_s(const struct lamp_spread *packets, uint32_t n, double least);
