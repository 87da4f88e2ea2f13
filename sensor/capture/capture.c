/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/capture.h"

#include "common/clock.h"
#include "common/log.h"
#include "sensor/capture/inside.h"
#include "sensor/capture/summarise.h"
#include "sensor/engine/engine.h"
#include "sensor/process/channel.h"
#include "sensor/process/child.h"
#include "sensor/process/privilege.h"
#include "sensor/source/source.h"

#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/resource.h>

enum {
    SOURCES_MAX = 32,
    FRAMES_PER_TURN = 512,               /* of one source, so that none starves the others */
    QUEUE_MAX_BYTES = 8 * 1024 * 1024,   /* summaries waiting while the link is busy */
    RECORD_MAX_BYTES = 192 * 1024,       /* fits a channel message and the link's MAXMSGSIZE */
    GROWTH_MAX_BYTES = 32 * 1024 * 1024, /* private memory after the start: the queue and rows */
    CONNS_MAX = 16384,
    TURN_US = 200 * 1000,
};

/* A summary that the link has not taken yet. */
struct waiting {
    struct waiting *next;
    size_t len, n_rows;
    uint64_t n_bytes;
    uint8_t data[];
};

struct capture {
    const struct lamp_sensor_conf *conf;
    int fd, statm_fd;
    lamp_source *sources[SOURCES_MAX];
    size_t n_sources;
    lamp_catalogue *catalogue;
    lamp_engine *engine;
    lamp_summarise *summarise;
    struct waiting *first, **last;
    size_t waiting_bytes;
    uint64_t rows_dropped, bytes_dropped;
};

/* ---- towards the link ---- */

static void lose(struct capture *c, size_t n_rows, uint64_t n_bytes)
{
    c->rows_dropped += n_rows;
    c->bytes_dropped += n_bytes;
}

static void drop_first(struct capture *c)
{
    struct waiting *w = c->first;
    c->first = w->next;
    if (!c->first)
        c->last = &c->first;
    c->waiting_bytes -= w->len;
    free(w);
}

static void on_summary(const uint8_t *data, size_t len, size_t n_rows, uint64_t n_bytes, void *arg)
{
    struct capture *c = arg;
    struct waiting *w = malloc(sizeof(*w) + len);
    if (!w) {
        lose(c, n_rows, n_bytes);
        return;
    }
    *w = (struct waiting){ .len = len, .n_rows = n_rows, .n_bytes = n_bytes };
    memcpy(w->data, data, len);
    *c->last = w;
    c->last = &w->next;
    c->waiting_bytes += len;
    while (c->waiting_bytes > QUEUE_MAX_BYTES) {
        lose(c, c->first->n_rows, c->first->n_bytes);
        drop_first(c);
    }
}

static int send_waiting(struct capture *c)
{
    while (c->first) {
        const int err = lamp_channel_send(c->fd, c->first->data, c->first->len);
        if (err == LAMP_EAGAIN)
            return LAMP_OK;
        if (err == LAMP_ECLOSED)
            return err;
        if (err)
            lose(c, c->first->n_rows, c->first->n_bytes);
        drop_first(c);
    }
    return LAMP_OK;
}

/* ---- summaries ---- */

static void on_conn(const struct lamp_conn *conn, void *arg)
{
    struct capture *c = arg;
    lamp_summarise_conn(c->summarise, conn);
}

static void on_rollup(const struct lamp_rollup_sum *row, void *arg)
{
    struct capture *c = arg;
    lamp_summarise_rollup(c->summarise, row);
}

static uint64_t resident_bytes(int statm_fd)
{
    char text[128];
    unsigned long pages = 0;
    const ssize_t n = pread(statm_fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    if (sscanf(text, "%*u %lu", &pages) != 1) /* proc(5): size resident ... */
        return 0;
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_us(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) < 0)
        return 0;
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000U +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void fill_counters(struct capture *c, struct lamp_sensor_counters *out)
{
    struct lamp_engine_counters e;
    lamp_engine_counters(c->engine, &e);
    *out = (struct lamp_sensor_counters){
        .packets = e.packets,
        .bytes = e.bytes,
        .n_decode = LAMP_WIRE_DECODE_MAX,
        .flows_new = e.flows_new,
        .flows_evicted = e.flows_evicted,
        .flows_refused = e.flows_refused,
        .flows_live = e.flows_live,
        .conns_live = e.conns_live,
        .conns_refused = e.conns_refused,
        .reasm_dropped_bytes = e.reasm_dropped_bytes,
        .summary_rows_dropped = c->rows_dropped,
        .summary_bytes_dropped = c->bytes_dropped,
        .refused_bytes = e.refused_bytes,
        .rollup_other = e.rollup.other_flows,
        .names_dropped = e.rollup.names_refused + e.rollup.names_evicted,
        .n_decode_bytes = LAMP_WIRE_DECODE_MAX,
        .memory_bytes = resident_bytes(c->statm_fd),
        .cpu_us = cpu_us(),
    };
    memcpy(out->decode, e.decode, sizeof(out->decode));
    memcpy(out->decode_bytes, e.decode_bytes, sizeof(out->decode_bytes));
    while (out->n_decode > 0 && out->decode[out->n_decode - 1] == 0)
        out->n_decode--;
    out->n_decode_bytes = out->n_decode;
    for (size_t i = 0; i < c->n_sources; i++) {
        struct lamp_source_stats st;
        lamp_source_stats(c->sources[i], &st);
        out->kernel_drops += st.kernel_drops;
        out->interface_drops += st.interface_drops;
    }
}

static void summarise(struct capture *c)
{
    const uint64_t now_us = lamp_clock_real_us();
    struct lamp_sensor_counters counters;
    lamp_engine_expire(c->engine, now_us);
    lamp_engine_conns(c->engine, on_conn, c);
    lamp_engine_rollups(c->engine, now_us, on_rollup, c);
    fill_counters(c, &counters);
    lamp_summarise_flush(c->summarise, &counters, now_us, lamp_clock_mono_us());
}

/* ---- start ---- */

static int open_sources(struct capture *c)
{
    const struct lamp_strlist *list = &c->conf->capture.interfaces;
    if (list->n > SOURCES_MAX) {
        lamp_log(LAMP_LOG_ERROR, "capture", "capture.interfaces: more than %d interfaces",
                 SOURCES_MAX);
        return LAMP_EFULL;
    }
    for (size_t i = 0; i < list->n; i++) {
        char why[LAMP_SOURCE_WHY];
        const struct lamp_live_cfg live = {
            .interface = list->v[i],
            .filter = c->conf->capture.filter,
            .snaplen = (int)c->conf->capture.snaplen,
            .ring_bytes = (int)c->conf->capture.ring_bytes,
            .promiscuous = c->conf->capture.promiscuous,
        };
        const int err = lamp_source_open_live(&live, &c->sources[i], why);
        if (err) {
            lamp_log(LAMP_LOG_ERROR, "capture", "capture.interfaces: %s", why);
            return err;
        }
        c->n_sources++;
        lamp_log(LAMP_LOG_INFO, "capture", "watching interface=%s", list->v[i]);
    }
    return LAMP_OK;
}

/* Whose traffic is whose: what the configuration says, or what the interfaces show. */
static int find_inside(const struct capture *c, struct lamp_prefix own[LAMP_INSIDE_MAX],
                       struct lamp_rollup_cfg *out)
{
    const struct lamp_strlist *list = &c->conf->capture.interfaces;
    out->top = (size_t)c->conf->capture.traffic_rows;
    out->inside = c->conf->inside_prefixes;
    out->n_inside = c->conf->capture.inside.n;
    if (out->n_inside > 0)
        return LAMP_OK;
    out->inside = own;
    out->private_too = true;
    return lamp_inside_of_interfaces((const char *const *)list->v, list->n, own, &out->n_inside);
}

static int open_engine(struct capture *c)
{
    struct lamp_prefix own[LAMP_INSIDE_MAX];
    struct lamp_rollup_cfg rollup = { 0 };
    int made = find_inside(c, own, &rollup);
    if (made) {
        lamp_log(LAMP_LOG_ERROR, "capture", "capture.inside: cannot list the interfaces: %s",
                 lamp_strerror(made));
        return made;
    }
    char why[512];
    const int err = lamp_catalogue_load(c->conf->catalogue, &c->catalogue, why, sizeof(why));
    if (err) {
        lamp_log(LAMP_LOG_ERROR, "capture", "sensor.catalogue: %s", why);
        return err;
    }
    const struct lamp_engine_cfg engine = {
        .catalogue = c->catalogue,
        .memory_bytes = (size_t)c->conf->capture.memory_bytes,
        .rollup = &rollup,
        .no_tunnels = !c->conf->capture.tunnels,
        .vlan_key = c->conf->capture.vlan_key,
        .keep_twins = !c->conf->capture.duplicates,
        .close_minutes = true,
    };
    struct lamp_summarise_cfg summaries = {
        .max_conns = CONNS_MAX,
        .max_record_bytes = RECORD_MAX_BYTES,
        .emit = on_summary,
        .arg = c,
    };
    randombytes_buf(summaries.cap_run, sizeof(summaries.cap_run));
    made =
        lamp_summarise_new(&summaries, lamp_clock_real_us(), lamp_clock_mono_us(), &c->summarise);
    if (!made)
        made = lamp_engine_new(&engine, on_conn, c, &c->engine);
    if (made)
        lamp_log(LAMP_LOG_ERROR, "capture", "capture.memory: cannot make the flow table: %s",
                 lamp_strerror(made));
    return made;
}

/* Gives up all privilege, and with it the way back: from here on this process opens nothing, an
 * interface that went away and came back included. When there is nothing left to watch it ends, and
 * the supervisor starts another one, which still may. */
static int confine(struct capture *c, int ready_fd)
{
    const struct lamp_sandbox sandbox = {
        .kind = LAMP_SANDBOX_CAPTURE,
        .write_fds = { STDERR_FILENO, ready_fd, c->fd, -1 },
        .memory_bytes = GROWTH_MAX_BYTES,
    };
    const int err = lamp_child_drop("capture", c->conf->user, 0);
    return err ? err : lamp_child_confine("capture", &sandbox);
}

static int start(struct capture *c, int ready_fd)
{
    int err = open_sources(c);
    if (!err)
        err = open_engine(c);
    if (err)
        return err;
    c->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    return confine(c, ready_fd);
}

static void stop(struct capture *c)
{
    c->engine = lamp_engine_free(c->engine);
    c->summarise = lamp_summarise_free(c->summarise);
    lamp_catalogue_free(c->catalogue);
    for (size_t i = 0; i < c->n_sources; i++)
        lamp_source_close(c->sources[i]);
    while (c->first)
        drop_first(c);
    if (c->statm_fd >= 0)
        close(c->statm_fd);
}

/* ---- the loop ---- */

/* Reads what is there, at most a turn's worth of each source; *out_more: some had more. */
static int read_sources(struct capture *c, bool *out_more)
{
    *out_more = false;
    for (size_t i = 0; i < c->n_sources; i++) {
        unsigned n = 0;
        while (n < FRAMES_PER_TURN) {
            struct lamp_frame frames[LAMP_ENGINE_BATCH];
            char why[LAMP_SOURCE_WHY];
            size_t got;
            const int err = lamp_source_read(c->sources[i], frames, ARRAY_LEN(frames), &got, why);
            if (err == LAMP_EAGAIN)
                break;
            if (err) {
                lamp_log(LAMP_LOG_ERROR, "capture", "%s", why);
                return err;
            }
            lamp_engine_frames(c->engine, frames, got);
            n += (unsigned)got;
        }
        *out_more |= n >= FRAMES_PER_TURN;
    }
    return LAMP_OK;
}

static void wait_for_work(const struct capture *c, uint64_t due_us)
{
    struct pollfd p[SOURCES_MAX + 1];
    for (size_t i = 0; i < c->n_sources; i++)
        p[i] = (struct pollfd){ .fd = lamp_source_fd(c->sources[i]), .events = POLLIN };
    /* Where nothing waits, only the end of the link is of interest. */
    p[c->n_sources] = (struct pollfd){ .fd = c->fd, .events = c->first ? POLLOUT : 0 };
    const uint64_t now_us = lamp_clock_mono_us();
    const uint64_t left_us = due_us > now_us ? due_us - now_us : 0;
    const int real_ms = (int)(TURN_US / 1000), due_ms = lamp_clock_poll_ms(left_us);
    (void)poll(p, c->n_sources + 1, due_ms < real_ms ? due_ms : real_ms);
}

static int serve(struct capture *c)
{
    const uint64_t interval_us = (uint64_t)c->conf->capture.interval_s * 1000000U;
    uint64_t due_us = lamp_clock_mono_us() + interval_us;
    int err = LAMP_OK;
    while (!err && !lamp_child_stopping()) {
        bool more = true;
        err = read_sources(c, &more);
        if (!err && lamp_clock_mono_us() >= due_us) {
            summarise(c);
            due_us += interval_us;
            if (due_us < lamp_clock_mono_us()) /* suspended, or a scaled clock */
                due_us = lamp_clock_mono_us() + interval_us;
        }
        if (!err)
            err = send_waiting(c);
        if (!err && !more)
            wait_for_work(c, due_us);
    }
    /* What the interfaces still hold, then the rest of every connection: also where an interface
     * went away, since nobody else knows of it. */
    bool more = !err;
    for (unsigned turns = 0; more && turns < 64; turns++)
        if (read_sources(c, &more) != LAMP_OK)
            break;
    lamp_engine_finish(c->engine);
    summarise(c);
    for (unsigned tries = 0; c->first && tries < 50; tries++) {
        if (send_waiting(c) != LAMP_OK)
            break;
        if (c->first)
            poll(&(struct pollfd){ .fd = c->fd, .events = POLLOUT }, 1, 20);
    }
    return err;
}

int lamp_capture_run(const struct lamp_sensor_conf *conf, int fd, int ready_fd)
{
    struct capture c = { .conf = conf, .fd = fd, .statm_fd = -1 };
    c.last = &c.first;
    int status = LAMP_EXIT_CONFIG;
    if (start(&c, ready_fd) == LAMP_OK) {
        lamp_child_ready(ready_fd);
        const int err = serve(&c);
        if (err)
            lamp_log(LAMP_LOG_ERROR, "capture", "stopped: %s", lamp_strerror(err));
        status = err ? 1 : 0;
    }
    stop(&c);
    return status;
}
