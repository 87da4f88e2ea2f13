/* SPDX-License-Identifier: Apache-2.0 */
/* estimate: hash rate with its interval from counted shares. Pure functions, thread-safe. */
#pragma once

#include "common/util.h"

/* The numbers are on the wire. */
enum lamp_rate_method {
    LAMP_RATE_NONE,
    LAMP_RATE_SHARES,        /* shares x difficulty */
    LAMP_RATE_SELF_REPORTED, /* what the miner said of itself */
    LAMP_RATE_HASH_VALUE,    /* shares x difficulty as the hashes of the shares tell it */
    LAMP_RATE_NONCE,         /* the shares' nonces, read as counters */
    LAMP_RATE_TIMING,        /* when encrypted shares came */
};

/* Hashes (or solutions, graphs) per second with a 95 % interval. */
struct lamp_rate {
    double value, low, high;
    enum lamp_rate_method method;
    double variance; /* of the value; 0: only the interval is known */
};

/* The rate behind n shares whose expected work adds up to work hashes, seen in seconds of
 * observation. Shares form a Poisson process, so the interval is the exact one of Garwood
 * (Biometrika 28, 1936): [chi2(0.025, 2n) / 2, chi2(0.975, 2n + 2) / 2] shares, scaled by the mean
 * work of a share. Where shares differ in work, n is how many equal ones would vary as much
 * (Kish's effective size): work^2 / sum of work_i^2, which need not be whole. n or seconds not
 * above 0: method NONE, all zero. */
struct lamp_rate lamp_rate_from_shares(double work, double n, double seconds);

/* The same where the difficulty itself was estimated as the greatest of n_values hashes tells it, which
 * widens the interval: the target T is at least that hash M, and (M / T)^n is uniform, so that T lies
 * between M and M * 0.05^(-1/n) in 95 of 100 cases; work counts T = M * (n + 1) / n. */
struct lamp_rate lamp_rate_from_values(double work, double n, double seconds, uint32_t n_values);

/* The self-reported rate with the +-10 % that unverified reports get. 0: method NONE. */
struct lamp_rate lamp_rate_from_self_report(double rate);

/* The best of what is known of one rate: counted shares; `other` (nonces, timing) where nothing was
 * counted, or where it is the narrower and the shares do not gainsay it; else the self-report. */
struct lamp_rate lamp_rate_best(struct lamp_rate shares, struct lamp_rate other, double self_rate);

/* The method as the JSON names it ("shares", "self-reported", ...); NULL for NONE. */
const char *lamp_rate_method_name(enum lamp_rate_method m);

/* The p-quantile of the chi-square distribution with k degrees of freedom (0 < p < 1,
 * k > 0), by Newton steps on the regularised incomplete gamma function from the start of
 * Wilson and Hilferty (PNAS 17, 1931). Relative error below 1e-9. */
double lamp_chi2_quantile(double p, double k);
