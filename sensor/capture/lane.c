/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/lane.h"

enum { FRAMES_PER_TURN = 512 }; /* of one source, so that none starves the others */

struct lamp_lane {
    lamp_source *sources[LAMP_LANE_SOURCES];
    size_t n_sources;
    lamp_engine *engine;
    lamp_summarise *summarise;
};

static void on_conn(const struct lamp_conn *conn, void *arg)
{
    lamp_summarise_conn(((lamp_lane *)arg)->summarise, conn);
}

static void on_rollup(const struct lamp_rollup_sum *row, void *arg)
{
    lamp_summarise_rollup(((lamp_lane *)arg)->summarise, row);
}

static size_t share(size_t of, unsigned n)
{
    return of / n ? of / n : 1;
}

int lamp_lane_new(const struct lamp_lane_cfg *cfg, lamp_lane **out)
{
    lamp_lane *l = calloc(1, sizeof(*l));
    if (!l)
        return LAMP_ENOMEM;
    struct lamp_rollup_cfg rollup = *cfg->engine.rollup;
    rollup.top = rollup.top ? share(rollup.top, cfg->n) : 0;
    struct lamp_engine_cfg engine = cfg->engine;
    engine.rollup = &rollup;
    engine.memory_bytes /= cfg->n;
    engine.first_id = cfg->index + 1;
    engine.id_step = cfg->n;
    struct lamp_summarise_cfg summaries = cfg->summaries;
    summaries.max_conns = share(summaries.max_conns, cfg->n);
    summaries.together = cfg->index == 0 ? cfg->n + 1 : 1; /* flow records' beside those of lanes */
    int err = lamp_summarise_new(&summaries, cfg->now_us, cfg->mono_us, &l->summarise);
    if (!err)
        err = lamp_engine_new(&engine, on_conn, l, &l->engine);
    if (err) {
        lamp_lane_free(l);
        return err;
    }
    *out = l;
    return LAMP_OK;
}

lamp_lane *lamp_lane_free(lamp_lane *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < l->n_sources; i++)
        lamp_source_close(l->sources[i]);
    lamp_engine_free(l->engine);
    lamp_summarise_free(l->summarise);
    free(l);
    return NULL;
}

int lamp_lane_add(lamp_lane *l, lamp_source *source)
{
    if (l->n_sources == LAMP_LANE_SOURCES)
        return LAMP_EFULL;
    l->sources[l->n_sources++] = source;
    return LAMP_OK;
}

void lamp_lane_skip(lamp_lane *l, uint64_t t_us)
{
    for (size_t i = 0; i < l->n_sources; i++)
        lamp_source_skip(l->sources[i], t_us);
}

int lamp_lane_read(lamp_lane *l, bool *out_more, char why[LAMP_SOURCE_WHY])
{
    *out_more = false;
    for (size_t i = 0; i < l->n_sources; i++) {
        unsigned n = 0;
        while (n < FRAMES_PER_TURN) {
            struct lamp_frame frames[LAMP_ENGINE_BATCH];
            size_t got;
            const int err = lamp_source_read(l->sources[i], frames, ARRAY_LEN(frames), &got, why);
            if (err == LAMP_EAGAIN)
                break;
            if (err)
                return err;
            lamp_engine_frames(l->engine, frames, got);
            n += (unsigned)got;
        }
        *out_more |= n >= FRAMES_PER_TURN;
    }
    return LAMP_OK;
}

void lamp_lane_wait(const lamp_lane *l, const struct pollfd *others, size_t n, int ms)
{
    struct pollfd p[LAMP_LANE_SOURCES + LAMP_LANE_OTHERS];
    for (size_t i = 0; i < l->n_sources; i++)
        p[i] = (struct pollfd){ .fd = lamp_source_fd(l->sources[i]), .events = POLLIN };
    n = lamp_min(n, LAMP_LANE_OTHERS);
    memcpy(p + l->n_sources, others, n * sizeof(*p));
    (void)poll(p, l->n_sources + n, ms);
}

void lamp_lane_frames(lamp_lane *l, const struct lamp_frame *frames, size_t n)
{
    lamp_engine_frames(l->engine, frames, n);
}

void lamp_lane_begin(lamp_lane *l, uint64_t now_us)
{
    lamp_summarise_begin(l->summarise, now_us, now_us);
}

void lamp_lane_watch(lamp_lane *l, const lamp_watch *watch)
{
    lamp_engine_watch(l->engine, watch);
}

void lamp_lane_told(lamp_lane *l, const struct lamp_blockclock *told)
{
    lamp_engine_told(l->engine, told);
}

void lamp_lane_adjust(lamp_lane *l, unsigned n, bool no_tunnels, size_t traffic_rows)
{
    lamp_engine_adjust(l->engine, no_tunnels, share(traffic_rows, n));
}

void lamp_lane_tap(lamp_lane *l, lamp_engine_tap_fn *fn, void *arg)
{
    lamp_engine_tap(l->engine, fn, arg);
}

void lamp_lane_finish(lamp_lane *l)
{
    lamp_engine_finish(l->engine);
}

lamp_summarise *lamp_lane_collect(lamp_lane *l, uint64_t now_us)
{
    lamp_engine_expire(l->engine, now_us);
    lamp_engine_conns(l->engine, on_conn, l);
    lamp_engine_rollups(l->engine, now_us, on_rollup, l);
    return l->summarise;
}

void lamp_lane_count(lamp_lane *l, struct lamp_sensor_counters *io)
{
    struct lamp_engine_counters e;
    lamp_engine_counters(l->engine, &e);
    io->packets += e.packets;
    io->bytes += e.bytes;
    io->flows_new += e.flows_new;
    io->flows_evicted += e.flows_evicted;
    io->flows_refused += e.flows_refused;
    io->flows_live += e.flows_live;
    io->conns_live += e.conns_live;
    io->conns_refused += e.conns_refused;
    io->reasm_dropped_bytes += e.reasm_dropped_bytes;
    io->refused_bytes += e.refused_bytes;
    io->rollup_other += e.rollup.other_flows;
    io->names_dropped += e.rollup.names_refused + e.rollup.names_evicted;
    for (size_t i = 0; i < LAMP_WIRE_DECODE_MAX; i++) {
        io->decode[i] += e.decode[i];
        io->decode_bytes[i] += e.decode_bytes[i];
        if (io->decode[i] > 0 && io->n_decode <= i)
            io->n_decode = io->n_decode_bytes = i + 1;
    }
    for (size_t i = 0; i < l->n_sources; i++) {
        struct lamp_source_stats st;
        lamp_source_stats(l->sources[i], &st);
        io->kernel_drops += st.kernel_drops;
        io->interface_drops += st.interface_drops;
    }
}
