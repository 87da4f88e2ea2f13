/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/capture.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/min.h"
#include "sensor/capture/crew.h"
#include "sensor/capture/inbox.h"
#include "sensor/capture/inside.h"
#include "sensor/capture/lane.h"
#include "sensor/capture/queue.h"
#include "sensor/capture/recordlane.h"
#include "sensor/capture/sampler.h"
#include "sensor/capture/tracks.h"
#include "sensor/process/channel.h"
#include "sensor/process/child.h"
#include "sensor/source/replay.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

enum {
    RECORD_MAX_BYTES = 192 * 1024,        /* fits a channel message and the link's MAXMSGSIZE */
    GROWTH_MAX_BYTES = 32 * 1024 * 1024,  /* private memory after the start: the queue and rows */
    UNPACK_MAX_BYTES = 136 * 1024 * 1024, /* more for a replay: the largest window of zstd */
    RING_MIN_BYTES = 256 * 1024,
    CONNS_MAX = 16384,
    READS_PER_TURN = 16, /* of a replay, before anything else is looked at */
    TURN_US = 200 * 1000,
    LAST_TURNS = 64, /* of a lane that is told to end */
    LAST_RECORD_TURNS = 256,
    LAST_TRIES = 50, /* to hand over what waits when told to end */
};

#define TELL_US (UINT64_C(3600) * 1000000) /* between lines about exporters */
#define BLOCK_LEAD_US UINT64_C(1500000)

/* Why a lane reads no more; `why` is written before err. */
struct lane_end {
    atomic_int err;
    char why[LAMP_SOURCE_WHY];
};

struct capture {
    struct lamp_settings settings;
    const struct lamp_sensor_conf *conf; /* with what the aggregator set: settings.now */
    int fd, statm_fd;
    lamp_catalogue *catalogue;
    lamp_queue *queue;
    lamp_inbox *inbox;
    lamp_sampler *sampler;
    lamp_tracks *tracks;
    bool tapped[2];  /* the lanes give their packets to: the sampler; tracks */
    bool summarised; /* since the link was last talked to */
    lamp_lane *lanes[LAMP_LANES_MAX];
    size_t n_lanes;
    struct lane_end ends[LAMP_LANES_MAX];
    lamp_crew *crew; /* a thread for each lane but the first, which is ours; NULL: no other lane */
    lamp_record_lane *records; /* NULL: no flow records are taken */
    uint64_t told_us;          /* when exporters were last logged */
    lamp_replay *replay;       /* NULL: live */
    uint64_t due_us; /* of the replay: end of the interval in its time; 0: none has begun */
    unsigned files_failed;
    struct lamp_blockclock told, told_next; /* that lanes look at; from the next interval on */
};

/* ---- summaries ---- */

static void on_summary(const uint8_t *data, size_t len, size_t n_rows, uint64_t n_bytes, void *arg)
{
    lamp_queue_add(((struct capture *)arg)->queue, data, len, n_rows, n_bytes);
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
    *out = (struct lamp_sensor_counters){ .memory_bytes = resident_bytes(c->statm_fd),
                                          .cpu_us = cpu_us() };
    lamp_queue_lost(c->queue, &out->summary_rows_dropped, &out->summary_bytes_dropped);
    for (size_t i = 0; i < c->n_lanes; i++)
        lamp_lane_count(c->lanes[i], out);
    lamp_record_lane_count(c->records, out);
}

/* One summary of all lanes, which nobody else uses meanwhile. */
static void summarise(struct capture *c, uint64_t now_us, uint64_t mono_us)
{
    struct lamp_sensor_counters counters;
    lamp_summarise *all[LAMP_LANES_MAX + 1];
    size_t n = c->n_lanes, n_tracks;
    for (size_t i = 0; i < c->n_lanes; i++)
        all[i] = lamp_lane_collect(c->lanes[i], now_us);
    if (c->records)
        all[n++] = lamp_record_lane_collect(c->records, now_us);
    assert(n > 0); /* the configuration names an interface, a file or an exporter */
    fill_counters(c, &counters);
    struct lamp_track_row *tracks = lamp_tracks_take(c->tracks, lamp_clock_mono_us(), &n_tracks);
    lamp_summarise_tracks(all[0], tracks, n_tracks);
    lamp_summarise_flush(all, n, &counters, now_us, mono_us);
    c->summarised = true;
}

/* ---- start ---- */

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

static void on_answer(const char *name, const struct lamp_addr *addr,
                      const struct lamp_addr *server, uint32_t ttl_s, void *arg)
{
    lamp_inbox_answer(arg, name, addr, server, ttl_s);
}

/* One that is not taken gives an empty sample: the link has looked at it before. */
static void on_sample_order(struct capture *c, const struct lamp_order *o)
{
    const int err = lamp_sampler_order(c->sampler, o, lamp_clock_mono_us());
    if (err)
        lamp_log_limited(LAMP_LOG_WARN, "capture", "a sample was not begun: %s",
                         lamp_strerror(err));
}

/* An answer for which there is no room is not missed: the aggregator says again what it wants. */
static void on_track(struct capture *c, const struct lamp_order *o)
{
    struct lamp_msg m = { .type = LAMP_MSG_ORDER_STATUS };
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len;
    lamp_crew_halt(c->crew);
    lamp_tracks_order(c->tracks, o, lamp_clock_mono_us(), &m.u.order_status);
    lamp_crew_resume(c->crew);
    if (lamp_msg_pack(&m, &packed, &len) == LAMP_OK)
        (void)!lamp_channel_send(c->fd, packed, len);
}

static void on_order(enum lamp_msg_type type, const struct lamp_order *o, void *arg)
{
    if (type == LAMP_MSG_TRACK)
        on_track(arg, o);
    else
        on_sample_order(arg, o);
}

/* Told times are those of another site's pool, by another clock: a server here may well be a little
 * ahead of them. Lanes see them from the next interval on. */
static void on_blocks(const struct lamp_coin_blocks *told, void *arg)
{
    struct capture *c = arg;
    for (size_t i = 0; i < told->n_blocks; i++) {
        const struct lamp_coin_block *b = &told->blocks[i];
        (void)lamp_blockclock_told(&c->told_next, (const char *)b->coin.data, b->coin.len,
                                   b->t_us - lamp_min_u64(b->t_us, BLOCK_LEAD_US));
    }
}

/* Opens what routers send flow records to. */
static int make_records(struct capture *c, const struct lamp_lane_cfg *lanes)
{
    const struct lamp_strlist *list = &c->conf->records.listen;
    char why[LAMP_RECORD_LANE_WHY];
    const struct lamp_record_lane_cfg cfg = {
        .listen = (const char *const *)list->v,
        .n_listen = list->n,
        .exporters = c->conf->exporter_prefixes,
        .n_exporters = c->conf->records.exporters.n,
        .catalogue = c->catalogue,
        .rollup = *lanes->engine.rollup,
        .summaries = lanes->summaries,
        .now_us = lanes->now_us,
        .mono_us = lanes->mono_us,
    };
    const int err = lamp_record_lane_new(&cfg, &c->records, why);
    if (err)
        lamp_log(LAMP_LOG_ERROR, "capture", "records.listen: %s", why);
    else
        lamp_log(LAMP_LOG_INFO, "capture", "taking flow records sockets=%zu", list->n);
    return err;
}

static int make_lanes(struct capture *c, const struct lamp_rollup_cfg *rollup)
{
    struct lamp_lane_cfg cfg = {
        .n = c->replay ? 1 : (unsigned)c->conf->capture.threads,
        .engine = { .catalogue = c->catalogue,
                    .memory_bytes = (size_t)c->conf->capture.memory_bytes,
                    .rollup = rollup,
                    .no_tunnels = !c->conf->capture.tunnels,
                    .vlan_key = c->conf->capture.vlan_key,
                    .keep_twins = !c->conf->capture.duplicates,
                    .close_minutes = true },
        .summaries = { .max_conns = CONNS_MAX,
                       .max_record_bytes = RECORD_MAX_BYTES,
                       .recorded = c->replay != NULL,
                       .emit = on_summary,
                       .arg = c },
        .now_us = lamp_clock_real_us(),
        .mono_us = lamp_clock_mono_us(),
    };
    randombytes_buf(cfg.summaries.cap_run, sizeof(cfg.summaries.cap_run));
    c->told_us = cfg.mono_us;
    int err = lamp_queue_new(&c->queue);
    if (!err && c->conf->records.listen.n > 0) {
        err = make_records(c, &cfg);
        if (err)
            return err; /* and it is said why */
    }
    for (; !err && cfg.index < cfg.n; cfg.index++) {
        err = lamp_lane_new(&cfg, &c->lanes[cfg.index]);
        if (!err)
            lamp_lane_told(c->lanes[c->n_lanes++], &c->told);
    }
    if (err)
        lamp_log(LAMP_LOG_ERROR, "capture", "capture.memory: cannot make the flow table: %s",
                 lamp_strerror(err));
    return err;
}

static int open_lanes(struct capture *c)
{
    struct lamp_prefix own[LAMP_INSIDE_MAX];
    struct lamp_rollup_cfg rollup = { .on_answer = on_answer };
    int err = lamp_inbox_new(c->fd, &c->inbox);
    if (!err)
        err = lamp_sampler_new(&c->sampler);
    if (!err)
        err = lamp_tracks_new(&c->tracks);
    if (err)
        return err;
    lamp_inbox_on_order(c->inbox, on_order, c);
    if (!c->replay) /* whose times are its own */
        lamp_inbox_on_blocks(c->inbox, on_blocks, c);
    lamp_inbox_settings(c->inbox, &c->settings);
    rollup.on_answer_arg = c->inbox;
    err = find_inside(c, own, &rollup);
    if (err) {
        lamp_log(LAMP_LOG_ERROR, "capture", "capture.inside: cannot list the interfaces: %s",
                 lamp_strerror(err));
        return err;
    }
    char why[512];
    err = lamp_catalogue_load(c->conf->catalogue, &c->catalogue, why, sizeof(why));
    if (err) {
        lamp_log(LAMP_LOG_ERROR, "capture", "sensor.catalogue: %s", why);
        return err;
    }
    return make_lanes(c, &rollup);
}

/* Opens an interface for every lane. */
static int open_interface(struct capture *c, const char *name)
{
    char why[LAMP_SOURCE_WHY] = "more than there is room for";
    const int ring = (int)c->conf->capture.ring_bytes / (int)c->n_lanes;
    struct lamp_fanout fanout = { .id = -1, .key = randombytes_random() };
    const struct lamp_live_cfg live = {
        .interface = name,
        .filter = c->conf->capture.filter,
        .snaplen = (int)c->conf->capture.snaplen,
        .ring_bytes = ring > RING_MIN_BYTES ? ring : RING_MIN_BYTES,
        .promiscuous = c->conf->capture.promiscuous,
        .fanout = c->n_lanes > 1 ? &fanout : NULL,
    };
    int err = LAMP_OK;
    for (size_t i = 0; !err && i < c->n_lanes; i++) {
        lamp_source *source;
        err = lamp_source_open_live(&live, &source, why);
        if (err)
            break;
        err = lamp_lane_add(c->lanes[i], source);
        if (err)
            lamp_source_close(source);
    }
    if (err)
        lamp_log(LAMP_LOG_ERROR, "capture", "capture.interfaces: %s", why);
    return err;
}

/* From now on every frame reaches one lane: what came before may be in several. On the kernel's clock. */
static void begin_sharing(struct capture *c)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    for (size_t i = 0; i < c->n_lanes && c->n_lanes > 1; i++)
        lamp_lane_skip(c->lanes[i], (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000);
}

static int open_interfaces(struct capture *c)
{
    const struct lamp_strlist *list = &c->conf->capture.interfaces;
    if (list->n > LAMP_LANE_SOURCES) {
        lamp_log(LAMP_LOG_ERROR, "capture", "capture.interfaces: more than %d interfaces",
                 LAMP_LANE_SOURCES);
        return LAMP_EFULL;
    }
    for (size_t i = 0; i < list->n; i++) {
        const int err = open_interface(c, list->v[i]);
        if (err)
            return err;
        lamp_log(LAMP_LOG_INFO, "capture", "watching interface=%s threads=%zu", list->v[i],
                 c->n_lanes);
    }
    begin_sharing(c);
    return LAMP_OK;
}

/* All files are opened now, by what privilege there is. */
static int open_replay(struct capture *c)
{
    const struct lamp_strlist *list = &c->conf->replay.files;
    struct rlimit most;
    char why[LAMP_SOURCE_WHY] = "out of memory";
    if (list->n == 0)
        return LAMP_OK;
    if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
        most.rlim_cur = most.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &most); /* else lamp_replay_add() says what is missing */
    }
    int err = lamp_replay_new((unsigned)c->conf->replay.speed, &c->replay);
    for (size_t i = 0; !err && i < list->n; i++)
        err = lamp_replay_add(c->replay, list->v[i], why);
    if (!err && lamp_replay_files(c->replay) == 0) {
        snprintf(why, sizeof(why), "no file in them");
        err = LAMP_ENOENT;
    }
    if (err)
        lamp_log(LAMP_LOG_ERROR, "capture", "replay.files: %s", why);
    else
        lamp_log(LAMP_LOG_INFO, "capture", "replaying files=%zu speed=%lld",
                 lamp_replay_files(c->replay), (long long)c->conf->replay.speed);
    return err;
}

/* Gives up all privilege, and with it the way back: from here on this process opens nothing, an
 * interface that went away and came back included. When there is nothing left to watch it ends, and
 * the supervisor starts another one, which still may. */
static int confine(struct capture *c, int ready_fd)
{
    const struct lamp_sandbox sandbox = {
        .kind = LAMP_SANDBOX_CAPTURE,
        .write_fds = { STDERR_FILENO, ready_fd, c->fd, lamp_crew_bell(c->crew) },
        .threads = (unsigned)(c->n_lanes - 1),
        .memory_bytes = GROWTH_MAX_BYTES + (c->replay ? UNPACK_MAX_BYTES : 0),
    };
    const int err = lamp_child_drop("capture", c->conf->user, 0);
    return err ? err : lamp_child_confine("capture", &sandbox);
}

/* Reads a lane's sources for a turn; false: nothing more for now. */
static bool read_lane(struct capture *c, size_t i)
{
    struct lane_end *e = &c->ends[i];
    bool more = false;
    if (atomic_load(&e->err) == LAMP_OK) {
        const int err = lamp_lane_read(c->lanes[i], &more, e->why);
        if (err)
            atomic_store(&e->err, err);
        more = more && !err;
    }
    return more;
}

/* What a helper does: the lane after its own number. */
static void work(size_t helper, int bell_fd, void *arg)
{
    struct capture *c = arg;
    const size_t i = helper + 1;
    struct pollfd bell = { .fd = bell_fd, .events = POLLIN };
    if (read_lane(c, i))
        return;
    if (atomic_load(&c->ends[i].err) == LAMP_OK)
        lamp_lane_wait(c->lanes[i], &bell, 1, (int)(TURN_US / 1000));
    else
        (void)poll(&bell, 1, (int)(TURN_US / 1000));
}

static int start(struct capture *c, int ready_fd)
{
    int err = open_replay(c);
    if (!err)
        err = open_lanes(c);
    if (!err)
        err = open_interfaces(c);
    if (err)
        return err;
    c->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (c->n_lanes > 1)
        err = lamp_crew_new(c->n_lanes - 1, work, c, &c->crew);
    if (!err)
        err = confine(c, ready_fd);
    if (!err) /* now, so that the threads have no more than this one */
        err = lamp_crew_start(c->crew);
    if (err)
        lamp_log(LAMP_LOG_ERROR, "capture", "cannot start: %s", lamp_strerror(err));
    return err;
}

static void stop(struct capture *c)
{
    lamp_crew_free(c->crew);
    for (size_t i = 0; i < c->n_lanes; i++)
        lamp_lane_free(c->lanes[i]);
    lamp_record_lane_free(c->records);
    lamp_replay_free(c->replay);
    lamp_queue_free(c->queue);
    lamp_inbox_free(c->inbox);
    lamp_settings_done(&c->settings);
    lamp_sampler_free(c->sampler);
    lamp_tracks_free(c->tracks);
    lamp_catalogue_free(c->catalogue);
    if (c->statm_fd >= 0)
        close(c->statm_fd);
}

/* ---- live ---- */

static uint64_t interval_us(const struct capture *c)
{
    return (uint64_t)c->conf->capture.interval_s * 1000000U;
}

/* Waits for packets, at most for max_us; where summaries wait, also until the link takes some. */
static void wait_for_work(struct capture *c, uint64_t max_us)
{
    const int turn_ms = (int)(TURN_US / 1000), ms = lamp_clock_poll_ms(max_us);
    const bool waits = lamp_queue_bytes(c->queue) > 0 || lamp_sampler_waits(c->sampler);
    const short events = (short)(POLLIN | (waits ? POLLOUT : 0));
    struct pollfd others[LAMP_RECORD_LISTEN_MAX + 1] = { { .fd = c->fd, .events = events } };
    const size_t n = 1 + lamp_record_lane_poll(c->records, others + 1);
    lamp_lane_wait(c->lanes[0], others, n, ms < turn_ms ? ms : turn_ms);
}

/* Whether some lane can read no more: the first that says why. */
static int lane_error(const struct capture *c)
{
    for (size_t i = 0; i < c->n_lanes; i++) {
        const int err = atomic_load(&c->ends[i].err);
        if (err) {
            lamp_log(LAMP_LOG_ERROR, "capture", "%s", c->ends[i].why);
            return err;
        }
    }
    return LAMP_OK;
}

static void on_packet(const struct lamp_frame *f, const struct lamp_pkt *pkt, void *arg)
{
    struct capture *c = arg;
    if (c->tapped[0])
        lamp_sampler_packet(f, pkt, c->sampler);
    if (c->tapped[1])
        lamp_tracks_packet(f, pkt, c->tracks);
}

/* Has the lanes give their packets away while an order wants some, or something is tracked. */
static void tap(struct capture *c)
{
    const uint64_t mono_us = lamp_clock_mono_us();
    const bool wanted[2] = { lamp_sampler_is_running(c->sampler, mono_us),
                             lamp_tracks_is_running(c->tracks, mono_us) };
    if (memcmp(wanted, c->tapped, sizeof(wanted)) == 0)
        return;
    lamp_crew_halt(c->crew);
    memcpy(c->tapped, wanted, sizeof(wanted));
    for (size_t i = 0; i < c->n_lanes; i++)
        lamp_lane_tap(c->lanes[i], wanted[0] || wanted[1] ? on_packet : NULL, c);
    lamp_crew_resume(c->crew);
}

/* The aggregator set something for this site, or does no longer. */
static void adjust(struct capture *c)
{
    if (!lamp_inbox_set_anew(c->inbox))
        return;
    lamp_log_setup((enum lamp_log_level)c->conf->log_level, c->conf->log_format == 1);
    lamp_crew_halt(c->crew);
    for (size_t i = 0; i < c->n_lanes; i++)
        lamp_lane_adjust(c->lanes[i], (unsigned)c->n_lanes, !c->conf->capture.tunnels,
                         (size_t)c->conf->capture.traffic_rows);
    lamp_record_lane_adjust(c->records, (size_t)c->conf->capture.traffic_rows);
    lamp_crew_resume(c->crew);
}

/* Takes in what the link says, tells it what was found and hands it summaries, then samples.
 * LAMP_ECLOSED: it is gone. */
static int talk(struct capture *c)
{
    int err = lamp_inbox_read(c->inbox);
    tap(c);
    adjust(c);
    if (!err)
        err = lamp_inbox_flush(c->inbox, c->summarised);
    c->summarised = false;
    if (!err)
        err = lamp_queue_send(c->queue, c->fd);
    return err || lamp_queue_bytes(c->queue) > 0 ? err : lamp_sampler_send(c->sampler, c->fd);
}

/* Has all lanes, which nobody else uses meanwhile, look into the newest watch list. */
static void renew_watch(struct capture *c)
{
    const lamp_watch *watch;
    if (!lamp_inbox_watch(c->inbox, &watch))
        return;
    for (size_t i = 0; i < c->n_lanes; i++)
        lamp_lane_watch(c->lanes[i], watch);
    lamp_record_lane_watch(c->records, watch);
}

static void send_last(struct capture *c)
{
    for (unsigned tries = 0; tries < LAST_TRIES; tries++) {
        if (lamp_queue_send(c->queue, c->fd) != LAMP_OK || lamp_queue_bytes(c->queue) == 0)
            return;
        poll(&(struct pollfd){ .fd = c->fd, .events = POLLOUT }, 1, 20);
    }
}

static void on_exporter(const struct lamp_netflow_sender *from, uint64_t records, uint64_t missing,
                        void *arg)
{
    char ip[LAMP_ADDR_STRLEN];
    (void)arg;
    lamp_log(LAMP_LOG_INFO, "capture", "exporter=%s domain=%u version=%u records=%llu missing=%llu",
             lamp_addr_str(&from->exporter, ip), from->domain, from->version,
             (unsigned long long)records, (unsigned long long)missing);
}

/* How much came of whom, from time to time. */
static void tell_exporters(struct capture *c)
{
    c->told_us = lamp_clock_mono_us();
    lamp_record_lane_exporters(c->records, on_exporter, NULL);
}

/* A summary of the interval that ends now, while everybody stands still. */
static void close_interval(struct capture *c)
{
    lamp_crew_halt(c->crew);
    summarise(c, lamp_clock_real_us(), lamp_clock_mono_us());
    for (size_t i = 0; i < c->n_lanes; i++)
        lamp_lane_skip(c->lanes[i], 0);
    renew_watch(c);
    c->told = c->told_next;
    lamp_crew_resume(c->crew);
    if (lamp_clock_mono_us() - c->told_us > TELL_US)
        tell_exporters(c);
}

/* What the interfaces still hold, then the rest of every connection: also where an interface
 * went away, since nobody else knows of it. */
static void finish_live(struct capture *c)
{
    c->crew = lamp_crew_free(c->crew);
    for (size_t i = 0; i < c->n_lanes; i++) {
        for (unsigned turns = 0; turns < LAST_TURNS && read_lane(c, i); turns++)
            ;
        struct lamp_sensor_counters counters = { 0 };
        lamp_lane_finish(c->lanes[i]);
        lamp_lane_count(c->lanes[i], &counters);
        lamp_log(LAMP_LOG_DEBUG, "capture", "thread=%zu packets=%llu flows=%llu", i,
                 (unsigned long long)counters.packets, (unsigned long long)counters.flows_new);
    }
    for (unsigned turns = 0;
         turns < LAST_RECORD_TURNS && lamp_record_lane_read(c->records, lamp_clock_real_us());
         turns++)
        ;
    lamp_record_lane_finish(c->records);
    tell_exporters(c);
    summarise(c, lamp_clock_real_us(), lamp_clock_mono_us());
    send_last(c);
}

static int serve_live(struct capture *c)
{
    uint64_t due_us = lamp_clock_mono_us() + interval_us(c);
    int err = LAMP_OK;
    while (!err && !lamp_child_stopping()) {
        const bool frames = read_lane(c, 0);
        const bool more = lamp_record_lane_read(c->records, lamp_clock_real_us()) || frames;
        err = lane_error(c);
        if (!err && lamp_clock_mono_us() >= due_us) {
            close_interval(c);
            due_us += interval_us(c);
            if (due_us < lamp_clock_mono_us()) /* suspended, or a scaled clock */
                due_us = lamp_clock_mono_us() + interval_us(c);
        }
        if (!err)
            err = talk(c);
        const uint64_t now_us = lamp_clock_mono_us();
        due_us = lamp_min_u64(due_us, now_us + interval_us(c)); /* which may be shorter now */
        if (!err && !more)
            wait_for_work(c, due_us > now_us ? due_us - now_us : 0);
    }
    finish_live(c);
    return err;
}

/* ---- a replay, in the time of its packets ---- */

/* Time has come to t_us: where that is past the end of an interval, its summary is made. */
static void pass_time(struct capture *c, uint64_t t_us)
{
    const uint64_t step_us = interval_us(c);
    if (c->due_us == 0) {
        lamp_lane_begin(c->lanes[0], t_us);
        c->due_us = t_us + step_us;
    } else if (t_us >= c->due_us) {
        summarise(c, c->due_us, c->due_us);
        c->due_us += step_us * (1 + (t_us - c->due_us) / step_us);
    }
}

/* A recording is over: so are its flows. */
static void end_recording(struct capture *c, uint64_t t_us)
{
    if (c->due_us == 0)
        return; /* there was none */
    const uint64_t began_us = c->due_us - interval_us(c);
    lamp_lane_finish(c->lanes[0]);
    summarise(c, t_us > began_us ? t_us : began_us, t_us > began_us ? t_us : began_us);
    c->due_us = 0;
}

static void play(struct capture *c, const struct lamp_frame *frames, size_t n)
{
    for (size_t done = 0, run; done < n; done += run) {
        pass_time(c, frames[done].t_us);
        for (run = 1; done + run < n && frames[done + run].t_us < c->due_us;)
            run++;
        lamp_lane_frames(c->lanes[0], frames + done, run);
    }
}

/* Reads what is due, at most a turn's worth. LAMP_ECLOSED: that was all. */
static int read_replay(struct capture *c)
{
    struct lamp_frame frames[LAMP_ENGINE_BATCH];
    char why[LAMP_SOURCE_WHY];
    for (unsigned i = 0; i < READS_PER_TURN; i++) {
        const uint64_t now_us = lamp_clock_mono_us();
        const uint64_t clock_us = lamp_replay_clock(c->replay, now_us);
        size_t n;
        bool anew;
        const int err =
            lamp_replay_read(c->replay, now_us, frames, ARRAY_LEN(frames), &n, &anew, why);
        if (err == LAMP_EAGAIN && c->due_us != 0)
            pass_time(c, clock_us);
        if (err == LAMP_ECLOSED || (err == LAMP_OK && anew))
            end_recording(c, clock_us);
        if (err == LAMP_EAGAIN || err == LAMP_ECLOSED)
            return err;
        if (err) {
            lamp_log(LAMP_LOG_ERROR, "capture", "replay.files: %s", why);
            c->files_failed++;
        } else {
            play(c, frames, n);
        }
    }
    return LAMP_OK;
}

/* What is read can wait, so nothing is given up while link is behind. */
static int serve_replay(struct capture *c)
{
    int err = LAMP_OK;
    while (err != LAMP_ECLOSED && !lamp_child_stopping()) {
        const bool room = lamp_queue_bytes(c->queue) < LAMP_QUEUE_MAX_BYTES / 4;
        err = room ? read_replay(c) : LAMP_EAGAIN;
        if (talk(c) != LAMP_OK)
            return LAMP_EIO;
        renew_watch(c);
        if (err == LAMP_EAGAIN)
            wait_for_work(c, room ? lamp_replay_wait_us(c->replay, lamp_clock_mono_us()) : TURN_US);
    }
    end_recording(c, lamp_replay_clock(c->replay, lamp_clock_mono_us()));
    while (lamp_queue_bytes(c->queue) > 0 && !lamp_child_stopping())
        send_last(c);
    send_last(c);
    return c->files_failed ? LAMP_EFORMAT : LAMP_OK;
}

int lamp_capture_run(const struct lamp_sensor_conf *conf, int fd, int ready_fd)
{
    struct capture c = { .fd = fd, .statm_fd = -1 };
    lamp_settings_init(&c.settings, conf);
    c.conf = &c.settings.now;
    int status = LAMP_EXIT_CONFIG;
    if (start(&c, ready_fd) == LAMP_OK) {
        lamp_child_ready(ready_fd);
        const int err = c.replay ? serve_replay(&c) : serve_live(&c);
        if (err)
            lamp_log(LAMP_LOG_ERROR, "capture", "stopped: %s", lamp_strerror(err));
        status = err ? 1 : 0;
    }
    stop(&c);
    return status;
}
