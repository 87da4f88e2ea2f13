/* SPDX-License-Identifier: Apache-2.0 */
/* clock: the only place that reads the time. Loops call it and pass now_us on; all other
 * modules take now_us as a parameter. Tests scale and step it through the environment
 * variable LAMP_CLOCK, read once: "RATE" or "RATE@OFFSET_S", for example "60" (a minute a
 * second) or "1@86400" (a day ahead). Thread-safe. */
#pragma once

#include <stdint.h>

/* Microseconds since 1970 (CLOCK_REALTIME, scaled and stepped). */
uint64_t lamp_clock_real_us(void);

/* Microseconds of CLOCK_MONOTONIC, scaled. */
uint64_t lamp_clock_mono_us(void);

/* Converts a duration on this clock to real milliseconds for poll(2); at least 1 unless 0. */
int lamp_clock_poll_ms(uint64_t duration_us);

/* Moves the real-time clock by delta_us from now on (tests, and clock-step drills). Not while
 * another thread may read it. */
void lamp_clock_step(int64_t delta_us);
