/* SPDX-License-Identifier: Apache-2.0 */
/* consume: what the sensor's capture process does with an interface, and nothing else: reads it for
 * so many seconds through the engine with everything on, and prints what it saw and what the kernel
 * dropped, with the CPU time of this process for each frame seen:
 *   seen N dropped D cpu_ns C peak_kib K flows F connections M */
#include "common/catalogue.h"
#include "common/clock.h"
#include "sensor/engine/engine.h"
#include "sensor/source/source.h"

#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>

enum { RING = 64 << 20, MEMORY = 64 << 20 };

static void on_end(const struct lamp_conn *c, void *arg)
{
    uint64_t *n = arg;
    *n += c->verdict != LAMP_VERDICT_NONE;
}

static uint64_t cpu_us(long *out_peak_kib)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    *out_peak_kib = u.ru_maxrss;
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000U +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
    char why[LAMP_SOURCE_WHY] = "";
    lamp_catalogue *catalogue = NULL;
    lamp_source *source;
    lamp_engine *engine;
    uint64_t connections = 0;
    long peak_kib;
    if (argc != 4) {
        fputs("usage: consume INTERFACE SECONDS CATALOGUE-FOLDER\n", stderr);
        return 2;
    }
    const struct lamp_live_cfg live = {
        .interface = argv[1], .filter = "", .snaplen = 65535, .ring_bytes = RING
    };
    const struct lamp_rollup_cfg rollup = { 0 };
    if (lamp_catalogue_load(argv[3], &catalogue, why, sizeof(why)) != LAMP_OK ||
        lamp_source_open_live(&live, &source, why) != LAMP_OK) {
        fprintf(stderr, "consume: %s\n", why);
        return 1;
    }
    const struct lamp_engine_cfg cfg = {
        .catalogue = catalogue, .memory_bytes = MEMORY, .rollup = &rollup, .close_minutes = true
    };
    if (lamp_engine_new(&cfg, on_end, &connections, &engine) != LAMP_OK)
        return 1;
    const uint64_t began = cpu_us(&peak_kib),
                   end_us = lamp_clock_mono_us() + strtoull(argv[2], NULL, 10) * 1000000U;
    puts("ready");
    fflush(stdout);
    for (uint64_t now_us; (now_us = lamp_clock_mono_us()) < end_us;) {
        struct lamp_frame frames[LAMP_ENGINE_BATCH];
        size_t n;
        unsigned turn = 0;
        while (turn++ < 1024 &&
               lamp_source_read(source, frames, ARRAY_LEN(frames), &n, why) == LAMP_OK)
            lamp_engine_frames(engine, frames, n);
        if (turn <= 1024)
            poll(&(struct pollfd){ .fd = lamp_source_fd(source), .events = POLLIN }, 1, 50);
    }
    const uint64_t spent_us = cpu_us(&peak_kib) - began;
    struct lamp_source_stats st;
    struct lamp_engine_counters c;
    lamp_source_stats(source, &st);
    lamp_engine_counters(engine, &c);
    printf("seen %llu dropped %llu cpu_ns %.0f peak_kib %ld flows %llu connections %llu\n",
           (unsigned long long)c.packets, (unsigned long long)st.kernel_drops,
           c.packets ? (double)spent_us * 1e3 / (double)c.packets : 0, peak_kib,
           (unsigned long long)c.flows_new, (unsigned long long)c.conns_live);
    lamp_engine_free(engine);
    lamp_source_close(source);
    lamp_catalogue_free(catalogue);
    return 0;
}
