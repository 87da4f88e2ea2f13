/* SPDX-License-Identifier: Apache-2.0 */
/* flood: a million random new flows a second, for so many seconds of capture time, against an engine
 * of the memory given, after some miners were found; half of the flows begin as a line of JSON does. Prints
 * what the process grew by, and whether each miner is still followed: its next share has to be
 * counted on the connection of before. Exit code 1: it was not, or memory was not kept to. */
#include "sensor/engine/engine.h"
#include "tests/support/frames.h"
#include "tests/support/rng.h"

#include <stdio.h>
#include <sys/resource.h>

enum { MINERS = 100, MIB = 1 << 20, SLACK = 24 * MIB };

struct flood {
    lamp_engine *engine;
    uint64_t t_us, ended;
    uint32_t seq[MINERS][2]; /* by enum lamp_dir */
    uint64_t followed, shares;
};

static void on_end(const struct lamp_conn *c, void *arg)
{
    struct flood *f = arg;
    f->ended += c->verdict != LAMP_VERDICT_NONE;
}

static void on_live(const struct lamp_conn *c, void *arg)
{
    struct flood *f = arg;
    f->followed++;
    f->shares += c->shares.submitted;
}

static void say(struct flood *f, unsigned miner, enum lamp_dir dir, const char *line)
{
    struct frame frame = { .len = 0 };
    const size_t len = strlen(line);
    const uint32_t ends[2] = { 0x0a000000 + miner, 0xcb007101 };
    const uint16_t ports[2] = { (uint16_t)(30000 + miner), 3333 };
    put_ether(&frame, 0x0800);
    put_ip4(&frame, 6, ends[dir], ends[!dir], 20 + len);
    put_tcp(&frame, ports[dir], ports[!dir], f->seq[miner][dir], 0x18);
    put(&frame, line, len);
    f->seq[miner][dir] += (uint32_t)len;
    lamp_engine_frame(f->engine, &(struct lamp_frame){ frame.b, (uint32_t)frame.len,
                                                       (uint32_t)frame.len, ++f->t_us, 1 });
}

static void strangers(struct flood *f, struct lamp_rng *rng, uint64_t n)
{
    static struct frame frames[LAMP_ENGINE_BATCH];
    for (uint64_t done = 0; done < n; done += LAMP_ENGINE_BATCH) {
        struct lamp_frame batch[LAMP_ENGINE_BATCH];
        for (size_t i = 0; i < LAMP_ENGINE_BATCH; i++) {
            struct frame *frame = &frames[i];
            const uint64_t ends = lamp_rng_u64(rng), ports = lamp_rng_u64(rng);
            const char *payload =
                ports >> 63 ? "{\"id\":1,\"x\":" : "\1\2\3\4\5\6\7\10\11\12\13\14";
            frame->len = 0;
            put_ether(frame, 0x0800);
            put_ip4(frame, 6, (uint32_t)ends, (uint32_t)(ends >> 32), 32);
            put_tcp(frame, (uint16_t)ports, (uint16_t)(ports >> 16), (uint32_t)(ports >> 32), 0x18);
            put(frame, payload, 12);
            batch[i] = (struct lamp_frame){ frame->b, (uint32_t)frame->len, (uint32_t)frame->len,
                                            ++f->t_us, 1 };
        }
        lamp_engine_frames(f->engine, batch, LAMP_ENGINE_BATCH);
    }
}

static long peak_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: flood SECONDS MEMORY-MIB\n", stderr);
        return 2;
    }
    const uint64_t seconds = strtoull(argv[1], NULL, 10);
    const size_t memory = (size_t)strtoull(argv[2], NULL, 10) * MIB;
    struct lamp_rng rng = { .state = 7 };
    static struct flood f = { .t_us = 1700000000000000 };
    const struct lamp_rollup_cfg rollup = { 0 };
    const struct lamp_engine_cfg cfg = { .memory_bytes = memory, .rollup = &rollup };
    const long before = peak_kib();
    if (lamp_engine_new(&cfg, on_end, &f, &f.engine) != LAMP_OK)
        return 2;
    for (unsigned i = 0; i < MINERS; i++) {
        say(&f, i, LAMP_UP,
            "{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"w.r\",\"x\"]}\n");
        say(&f, i, LAMP_DOWN, "{\"id\":1,\"result\":true,\"error\":null}\n");
    }
    for (uint64_t s = 0; s < seconds; s++) {
        strangers(&f, &rng, 1000000);
        for (unsigned i = 0; i < MINERS && s % 10 == 9; i++) /* a share every ten seconds */
            say(&f, i, LAMP_UP,
                s % 20 == 9
                    ? "{\"id\":2,\"method\":\"mining.submit\",\"params\":[\"w.r\",\"a\"]}\n"
                    : "{\"id\":3,\"method\":\"mining.submit\",\"params\":[\"w.r\",\"b\"]}\n");
    }
    for (unsigned i = 0; i < MINERS; i++)
        say(&f, i, LAMP_UP, "{\"id\":9,\"method\":\"mining.submit\",\"params\":[\"w.r\",\"c\"]}\n");
    lamp_engine_conns(f.engine, on_live, &f);
    struct lamp_engine_counters n;
    lamp_engine_counters(f.engine, &n);
    const long grown = peak_kib() - before;
    const uint64_t shares = (seconds >= 20 ? 3U : seconds >= 10 ? 2U : 1U) * MINERS;
    printf("%llu flows in %llu s, engine of %zu MiB: process grew by %ld MiB, %llu of %d miners "
           "followed, %llu of %llu shares counted, %llu flows evicted\n",
           (unsigned long long)n.flows_new, (unsigned long long)seconds, memory / MIB, grown / 1024,
           (unsigned long long)f.followed, MINERS, (unsigned long long)f.shares,
           (unsigned long long)shares, (unsigned long long)n.flows_evicted);
    const bool good = f.followed == MINERS && f.ended == 0 && f.shares == shares &&
                      (size_t)grown * 1024 <= memory + SLACK;
    lamp_engine_free(f.engine);
    return good ? 0 : 1;
}
