/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/spread.h"

#include <math.h>

#define Z 5.1993 /* of the normal distribution: 1 - LAMP_SPREAD_CHANCE */
#define CARRY_MAX 0.9
#define DAY_S 86400.0

void lamp_spread_add(struct lamp_spread_sum *s, double value)
{
    if (s->n == 0)
        s->first = value;
    else
        s->lagged += s->last * value;
    s->sum += value;
    s->squares += value * value;
    s->most = fmax(s->most, value);
    s->last = value;
    s->n++;
}

struct lamp_spread lamp_spread_of(const struct lamp_spread_sum *s)
{
    struct lamp_spread out = { .most = s->most };
    if (s->n < 2)
        return out;
    const double n = s->n, mean = s->sum / n;
    const double var = fmax(0, (s->squares - n * mean * mean) / (n - 1));
    out.mean = mean;
    out.sd = sqrt(var);
    /* The sum of (x[i] - mean) (x[i+1] - mean), told from the sums. What chance shows too is none. */
    const double co = s->lagged - mean * (2 * s->sum - s->first - s->last) + (n - 1) * mean * mean;
    const double r = var > 0 ? co / ((n - 1) * var) : 0;
    out.carry = r > 2 / sqrt(n) ? fmin(r, CARRY_MAX) : 0;
    return out;
}

/* Student's t of the same chance as Z, with n - 1 degrees of freedom. */
static double student(uint32_t n)
{
    const double v = n > 1 ? n - 1.0 : 1, z = Z, z2 = z * z;
    return z * (1 + (z2 + 1) / (4 * v) + ((5 * z2 + 16) * z2 + 3) / (96 * v * v) +
                (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * v * v * v));
}

/* (1 + x)^3, no less than 0: what Wilson and Hilferty make of a normal variate. */
static double cubed(double x)
{
    return x <= -1 ? 0 : (1 + x) * (1 + x) * (1 + x);
}

struct lamp_bounds lamp_spread_bounds(const struct lamp_spread *s, uint32_t n, double minutes)
{
    if (s->mean <= 0 || n < LAMP_BASELINE_MINUTES_LEAST)
        return (struct lamp_bounds){ 0, HUGE_VAL };
    const double usual = s->mean * minutes;
    const double carried = minutes > 1 ? (1 + s->carry) / (1 - s->carry) : 1;
    const double rel = s->sd / s->mean * sqrt(carried / minutes); /* of the sum's deviation to it */
    const double t = student(n) * sqrt(1 + minutes / n);
    const double low = cubed(-rel * rel / 9 - t * rel / 3),
                 high = cubed(-rel * rel / 9 + t * rel / 3);
    return (struct lamp_bounds){
        .low = usual * fmin(low, 0.5),
        .high = fmax(usual * fmax(high, 1.5), 1.25 * s->most),
    };
}

double lamp_spread_quiet_s(const struct lamp_spread *packets, uint32_t n, double least)
{
    if (packets->mean <= 0 || n < LAMP_BASELINE_MINUTES_LEAST)
        return 0;
    const double mean = fmax(packets->mean - 3 * packets->sd / sqrt(n), packets->mean / 4);
    const double var = packets->sd * packets->sd;
    /* -ln of the chance of a minute without any. */
    const double surprise =
        var <= mean ? mean : mean * mean / (var - mean) * log1p((var - mean) / mean);
    const double seconds = 60 * -log(LAMP_SPREAD_CHANCE) / surprise;
    return seconds > DAY_S ? 0 : fmax(least, seconds);
}
