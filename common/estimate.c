/* SPDX-License-Identifier: Apache-2.0 */
#include "common/estimate.h"

#include <math.h>

/* Regularised lower incomplete gamma P(a, x): the power series below a + 1, the continued
 * fraction by Lentz's method above (Abramowitz and Stegun 6.5.29 and 6.5.31). */
static double gamma_p(double a, double x)
{
    if (x <= 0)
        return 0;
    const double scale = exp(a * log(x) - x - lgamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (int n = 1; n < 10000 && term > sum * 1e-16; n++) {
            term *= x / (a + n);
            sum += term;
        }
        return sum * scale;
    }
    const double tiny = 1e-300;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
    for (int n = 1; n < 10000; n++) {
        const double an = -n * (n - a);
        b += 2;
        d = an * d + b;
        d = fabs(d) < tiny ? 1 / tiny : 1 / d;
        c = b + an / c;
        if (fabs(c) < tiny)
            c = tiny;
        const double step = c * d;
        h *= step;
        if (fabs(step - 1) < 1e-16)
            break;
    }
    return 1 - scale * h;
}

/* The standard normal quantile for the start value only (Abramowitz and Stegun 26.2.23,
 * error below 4.5e-4). */
static double normal_start(double p)
{
    const double q = p < 0.5 ? p : 1 - p;
    const double t = sqrt(-2 * log(q));
    const double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                             (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    return p < 0.5 ? -z : z;
}

double lamp_chi2_quantile(double p, double k)
{
    const double a = k / 2;
    const double h = 2 / (9 * k);
    const double cube = 1 - h + normal_start(p) * sqrt(h);
    double x = cube > 0 ? k * cube * cube * cube / 2 : 0;
    const double small = pow(p * a, 1 / a) * exp(lgamma(a) / a); /* P(a,x) ~ x^a / (a Gamma(a)) */
    if (x < 0.1 * a || x <= 0)
        x = small;
    double low = 0, high = INFINITY;
    for (int i = 0; i < 100; i++) {
        const double f = gamma_p(a, x) - p;
        if (f > 0)
            high = x;
        else
            low = x;
        const double slope = exp((a - 1) * log(x) - x - lgamma(a));
        double next = x - f / slope;
        if (!(next > low && next < high))
            next = isinf(high) ? 2 * x : (low + high) / 2;
        if (fabs(next - x) <= 1e-12 * x)
            return 2 * next;
        x = next;
    }
    return 2 * x;
}

struct lamp_rate lamp_rate_from_shares(double work, double n, double seconds)
{
    if (!(n > 0) || !(seconds > 0) || !(work > 0) || !isfinite(n) || !isfinite(work))
        return (struct lamp_rate){ 0 };
    const double per_share = work / n;
    return (struct lamp_rate){
        .value = work / seconds,
        .low = per_share * lamp_chi2_quantile(0.025, 2 * n) / 2 / seconds,
        .high = per_share * lamp_chi2_quantile(0.975, 2 * n + 2) / 2 / seconds,
        .method = LAMP_RATE_SHARES,
        .variance = work * per_share / seconds / seconds,
    };
}

struct lamp_rate lamp_rate_from_values(double work, double n, double seconds, uint32_t n_values)
{
    struct lamp_rate r = lamp_rate_from_shares(work, n, seconds);
    if (r.method == LAMP_RATE_NONE || n_values == 0)
        return (struct lamp_rate){ 0 };
    const double most = (n_values + 1.0) / n_values; /* hashes of a share, by those counted */
    r.high *= most;
    r.low *= most * pow(0.05, 1.0 / n_values);
    r.method = LAMP_RATE_HASH_VALUE;
    /* that of M (n + 1) / n, M the greatest of n uniform values */
    r.variance += r.value * r.value / n_values / (n_values + 2.0);
    return r;
}

struct lamp_rate lamp_rate_from_self_report(double rate)
{
    if (!(rate > 0) || !isfinite(rate))
        return (struct lamp_rate){ 0 };
    return (struct lamp_rate){ rate, 0.9 * rate, 1.1 * rate, LAMP_RATE_SELF_REPORTED, 0 };
}

struct lamp_rate lamp_rate_best(struct lamp_rate shares, struct lamp_rate other, double self_rate)
{
    if (other.method != LAMP_RATE_NONE &&
        (shares.method == LAMP_RATE_NONE ||
         (other.high - other.low < shares.high - shares.low && shares.low <= other.value &&
          other.value <= shares.high)))
        return other;
    return shares.method == LAMP_RATE_NONE ? lamp_rate_from_self_report(self_rate) : shares;
}

const char *lamp_rate_method_name(enum lamp_rate_method m)
{
    static const char *const names[] = { NULL,         "shares", "self-reported",
                                         "hash-value", "nonce",  "timing" };
    return names[m];
}
