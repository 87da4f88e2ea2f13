/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sum.h"

#include <math.h>

#define TWO_SIDED_95 3.919927969080108 /* standard deviations from 2.5 to 97.5 % */

void lamp_sum_add_rate(struct lamp_sum *s, const struct lamp_rate *r)
{
    if (r->method == LAMP_RATE_NONE || !(r->value > 0) || !isfinite(r->value))
        return;
    const bool self = r->method == LAMP_RATE_SELF_REPORTED;
    const bool counted = r->variance > 0;
    const double sd = (r->high - r->low) / TWO_SIDED_95;
    s->only = (struct lamp_range){ r->value, r->low, r->high };
    s->mean += r->value;
    s->variance += self ? 0 : counted ? r->variance : sd * sd;
    s->shared += self ? sd : 0;
    s->weight = fmax(s->weight, counted ? r->variance / r->value : 0);
    s->n++;
}

void lamp_sum_add_times(struct lamp_sum *s, const struct lamp_moments *m, double shared,
                        const struct lamp_range *own, double factor)
{
    if (!(m->mean > 0) || !(factor > 0))
        return;
    s->only = (struct lamp_range){ own->value * factor, own->low * factor, own->high * factor };
    s->mean += m->mean * factor;
    s->variance += m->variance * factor * factor;
    s->shared += m->mean * factor * shared;
    s->n++;
}

void lamp_sum_add(struct lamp_sum *s, const struct lamp_moments *m, double shared,
                  const struct lamp_range *own)
{
    lamp_sum_add_times(s, m, shared, own, 1);
}

struct lamp_range lamp_sum_range(const struct lamp_sum *s)
{
    if (s->n < 2)
        return s->only;
    const double v = s->variance + s->shared * s->shared, m = s->mean;
    if (!(v > m * m * 1e-18)) /* known to all digits */
        return (struct lamp_range){ m, m, m };
    const double up_v = v + s->weight * s->weight, up_m = m + s->weight;
    return (struct lamp_range){
        .value = m,
        .low = v / (2 * m) * lamp_chi2_quantile(0.025, 2 * m * m / v),
        .high = up_v / (2 * up_m) * lamp_chi2_quantile(0.975, 2 * up_m * up_m / up_v),
    };
}
