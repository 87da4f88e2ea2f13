/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/spans.h"

#define MINUTE_US UINT64_C(60000000)

struct lamp_piece lamp_span_widened(uint64_t from_us, uint64_t to_us, const uint64_t floors[3])
{
    struct lamp_piece p = { (int64_t)(from_us / MINUTE_US), (int64_t)(to_us / MINUTE_US) };
    const int64_t minute_floor = (int64_t)floors[0], hour_floor = (int64_t)floors[1];
    if (p.from < minute_floor)
        p.from = p.from / 60 * 60;
    if (p.from / 60 < hour_floor)
        p.from = p.from / 1440 * 1440;
    if (p.to < minute_floor)
        p.to = p.to / 60 * 60 + 59;
    if (p.to / 60 < hour_floor)
        p.to = p.to / 1440 * 1440 + 1439;
    return p;
}

static const struct lamp_piece nothing = { 1, 0 };

/* Splits whole spans of `size` off `p`: *out_whole in that unit, the rest before and after in p's. */
static void split(struct lamp_piece p, int64_t size, struct lamp_piece out_rest[2],
                  struct lamp_piece *out_whole)
{
    const int64_t first = (p.from + size - 1) / size, end = (p.to + 1) / size;
    if (first >= end) {
        out_rest[0] = p;
        out_rest[1] = *out_whole = nothing;
        return;
    }
    *out_whole = (struct lamp_piece){ first, end - 1 };
    out_rest[0] = (struct lamp_piece){ p.from, first * size - 1 };
    out_rest[1] = (struct lamp_piece){ end * size, p.to };
}

struct lamp_pieces lamp_span_pieces(struct lamp_piece all)
{
    struct lamp_pieces p = { .all = all };
    struct lamp_piece hours;
    split(all, 60, p.minutes, &hours);
    if (hours.from > hours.to) {
        p.hours[0] = p.hours[1] = p.days = nothing;
        return p;
    }
    split(hours, 24, p.hours, &p.days);
    return p;
}
