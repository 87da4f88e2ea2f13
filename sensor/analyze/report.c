/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/analyze/report.h"

struct lamp_rate lamp_report_rate(const struct lamp_conn *c)
{
    const double seconds =
        c->last_us > c->work_from_us ? (double)(c->last_us - c->work_from_us) / 1e6 : 0;
    const struct lamp_rate r = lamp_rate_from_shares(c->work, c->work_shares, seconds);
    return r.method == LAMP_RATE_NONE ? lamp_rate_from_self_report(c->self_rate) : r;
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
