/* SPDX-License-Identifier: Apache-2.0 */
/* spans: how a span of minutes is put together of whole days, the whole hours around them and the minutes around
 * those, so that long ones cost few rows. Pure functions. */
#pragma once

#include <stdint.h>

/* First and last (inclusive) minute, hour or day since 1970; empty where the last is before the first. */
struct lamp_piece {
    int64_t from, to;
};

struct lamp_pieces {
    struct lamp_piece all; /* in minutes */
    struct lamp_piece minutes[2], hours[2], days;
};

/* The span of the minutes of both times and those between, with its ends widened to whole hours where minutes, and
 * to whole days where hours are not kept any more; floors: the first minute, hour and day that are. */
struct lamp_piece lamp_span_widened(uint64_t from_us, uint64_t to_us, const uint64_t floors[3]);

/* Every minute of the span once. */
struct lamp_pieces lamp_span_pieces(struct lamp_piece all);
