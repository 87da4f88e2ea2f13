/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/analyze/report.h"

struct lamp_rate lamp_report_rate(const struct lamp_conn *c)
{
    const double seconds =
        c->last_us > c->work_from_us ? (double)(c->last_us - c->work_from_us) / 1e6 : 0;
    const double equal_shares = c->work_squares > 0 ? c->work * c->work / c->work_squares : 0;
    const struct lamp_rate r =
        c->work_method == LAMP_RATE_HASH_VALUE
            ? lamp_rate_from_values(c->work, equal_shares, seconds, c->hash_values)
            : lamp_rate_from_shares(c->work, equal_shares, seconds);
    return lamp_rate_best(r, c->other_rate, c->self_rate);
}

const char *lamp_report_rate_text(const struct lamp_rate *r, const char *unit, char *buf,
                                  size_t size)
{
    static const char *const prefixes[] = { "", "k", "M", "G", "T", "P", "E" };
    double v = r->value;
    size_t i = 0;
    while (v >= 1000 && i + 1 < ARRAY_LEN(prefixes)) {
        v /= 1000;
        i++;
    }
    if (r->method == LAMP_RATE_NONE)
        buf[0] = '\0';
    else
        snprintf(buf, size, "%.3g %s%s", v, prefixes[i], unit ? unit : "H/s");
    return buf;
}

static const char *watts_text(double watts, char *buf, size_t size)
{
    snprintf(buf, size, watts < 1000 ? "%.3g W" : "%.3g kW", watts < 1000 ? watts : watts / 1000);
    return buf;
}

const char *lamp_report_power_text(const struct lamp_report_estimate *e, char *buf, size_t size)
{
    const struct lamp_hardware *h = &e->hardware;
    char value[24], low[24], high[24];
    buf[0] = '\0';
    if (h->n == 0)
        return buf;
    const struct lamp_hardware_guess *g = &h->guesses[0];
    size_t n = (size_t)snprintf(buf, size, "likely %.0f x %s (%.0f %%)", g->count.value, g->model,
                                100 * g->probability);
    if (h->watts.high > 0 && n < size)
        n += (size_t)snprintf(buf + n, size - n, ", %s (%s to %s)",
                              watts_text(h->watts.value, value, sizeof(value)),
                              watts_text(h->watts.low, low, sizeof(low)),
                              watts_text(h->watts.high, high, sizeof(high)));
    if (h->watts.high > 0 && e->price > 0 && n < size)
        snprintf(buf + n, size - n, ", %.2f a day", e->price * lamp_kwh_per_day(h->watts.value));
    return buf;
}
