/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

#include "common/text.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static double rate = 1.0;
static uint64_t real_base_us, mono_base_us; /* both clocks at first use */
static int64_t offset_us;                   /* no atomic: 32-bit MIPS has none of 64 bits */

static uint64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
}

static void init(void)
{
    real_base_us = read_us(CLOCK_REALTIME);
    mono_base_us = read_us(CLOCK_MONOTONIC);
    const char *env = getenv("LAMP_CLOCK");
    if (!env)
        return;
    char buf[64];
    snprintf(buf, sizeof(buf), "%s", env);
    char *at = strchr(buf, '@');
    double step_s = 0, r;
    if (at)
        *at++ = '\0';
    if (at && lamp_text_double(at, -1e10, 1e10, &step_s) != LAMP_OK)
        step_s = 0;
    if (lamp_text_double(buf, 0.001, 100000, &r) == LAMP_OK)
        rate = r;
    offset_us = (int64_t)(step_s * 1e6);
}

static uint64_t scaled(uint64_t now, uint64_t base)
{
    if (rate == 1.0)
        return now;
    /* signed: the system's clock may have been set back since */
    return base + (uint64_t)(int64_t)((double)(int64_t)(now - base) * rate);
}

uint64_t lamp_clock_real_us(void)
{
    pthread_once(&once, init);
    return scaled(read_us(CLOCK_REALTIME), real_base_us) + (uint64_t)offset_us;
}

uint64_t lamp_clock_mono_us(void)
{
    pthread_once(&once, init);
    return scaled(read_us(CLOCK_MONOTONIC), mono_base_us);
}

int lamp_clock_poll_ms(uint64_t duration_us)
{
    pthread_once(&once, init);
    if (duration_us == 0)
        return 0;
    const double ms = (double)duration_us / 1000.0 / rate;
    if (ms >= INT_MAX)
        return INT_MAX;
    return (int)ms + (ms > (int)ms); /* up, so that poll(2) does not return too early */
}

void lamp_clock_step(int64_t delta_us)
{
    pthread_once(&once, init);
    offset_us += delta_us;
}
