/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"
#include "common/version.h"
#include "sensor/link/delivery.h"
#include "sensor/link/redial.h"
#include "sensor/link/uplink.h"
#include "tests/bench/fleetgen/fleet.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <zmq.h>

enum {
    SECOND_US = 1000 * 1000,
    TURN_US = SECOND_US / 5, /* as link has it */
    REFRESH_US = 60 * SECOND_US,
    REMEMBERED = 128,
    SPOOL_BYTES = 8 * 1024 * 1024,
    N_SETS = LAMP_SET_NEVER - LAMP_SET_WATCH + 1,
    EVENTS = 256,
    OPENS = 32, /* sockets made in one turn: others want to be served, too */
};

struct fleet;
struct sensor;

struct send_to {
    struct fleet *f;
    struct sensor *s;
};

struct asked {
    struct lamp_set_head head;
    struct lamp_nonce nonce;
    uint64_t at_us;
};

struct sensor {
    uint64_t number;
    lamp_uplink *uplink;
    lamp_spool *spool;
    lamp_delivery *delivery;
    struct lamp_redial redial;
    bool connected;
    bool up;                    /* a session stands */
    uint64_t start_us, lost_us; /* the first attempt; since when it does not any more, 0: never */
    uint64_t next_us, seq, acked;
    uint64_t made_us[REMEMBERED]; /* when the newest summaries were made */
    struct asked sets[N_SETS];
    uint8_t run[16];
    struct send_to to;
};

struct fleet {
    const struct fleet_cfg *cfg;
    struct fleet_counts *counts;
    void *context;
    struct sensor *v;
    size_t n;
    unsigned opens; /* in this turn */
    int epoll_fd;
    struct lamp_rollup_row *rows;
};

/* ---- figures ---- */

/* Sixteen buckets to the octave: the number of the highest bit, then the four bits below it. */
static size_t bucket_of(uint64_t us)
{
    if (us < FLEET_STEPS)
        return (size_t)us;
    const unsigned high = 63 - (unsigned)__builtin_clzll(us);
    const size_t i = (size_t)(high - 3) * FLEET_STEPS + ((us >> (high - 4)) & (FLEET_STEPS - 1));
    return lamp_min(i, FLEET_BUCKETS - 1);
}

static double end_of_bucket_us(size_t i)
{
    if (i < FLEET_STEPS)
        return (double)i;
    const unsigned high = (unsigned)(i / FLEET_STEPS) + 3;
    return (double)((FLEET_STEPS + i % FLEET_STEPS + 1) << (high - 4));
}

void fleet_time(struct fleet_times *t, uint64_t us)
{
    uint64_t max = atomic_load(&t->max_us);
    atomic_fetch_add(&t->buckets[bucket_of(us)], 1);
    atomic_fetch_add(&t->n, 1);
    while (us > max && !atomic_compare_exchange_weak(&t->max_us, &max, us))
        continue;
}

double fleet_quantile_ms(const struct fleet_times *t, double share)
{
    const uint64_t n = atomic_load(&t->n);
    double seen = 0;
    for (size_t i = 0; i < FLEET_BUCKETS; i++) {
        seen += (double)atomic_load(&t->buckets[i]);
        if (seen > 0 && seen >= share * (double)n)
            return end_of_bucket_us(i) / 1000;
    }
    return 0;
}

/* ---- keys ---- */

int fleet_key(const char *seed, uint64_t i, struct lamp_key *out)
{
    char text[256];
    uint8_t secret[crypto_scalarmult_SCALARBYTES];
    snprintf(text, sizeof(text), "%.200s/%llu", seed, (unsigned long long)i);
    crypto_generichash(secret, sizeof(secret), (const uint8_t *)text, strlen(text), NULL, 0);
    const bool good = zmq_z85_encode(out->secret_z85, secret, sizeof(secret)) &&
                      zmq_curve_public(out->public_z85, out->secret_z85) == 0;
    return good ? LAMP_OK : LAMP_EIO;
}

/* ---- one sensor ---- */

static struct lamp_now read_clock(void)
{
    return (struct lamp_now){ lamp_clock_real_us(), lamp_clock_mono_us() };
}

static int send_msg(struct fleet *f, struct sensor *s, const struct lamp_msg *m)
{
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    int err = lamp_msg_pack(m, &data, &len);
    if (!err)
        err = lamp_uplink_send(s->uplink, data, len);
    if (!err)
        atomic_fetch_add(&f->counts->bytes, len);
    return err;
}

static int send_packed(const uint8_t *data, size_t len, void *arg)
{
    const struct send_to *to = arg;
    const int err = lamp_uplink_send(to->s->uplink, data, len);
    if (!err)
        atomic_fetch_add(&to->f->counts->bytes, len);
    return err;
}

static void set_down(struct fleet *f, struct sensor *s, struct lamp_now now)
{
    if (!s->up)
        return;
    s->up = false;
    s->lost_us = now.mono_us;
    atomic_fetch_sub(&f->counts->up, 1);
    atomic_fetch_add(&f->counts->lost, 1);
}

static void set_up(struct fleet *f, struct sensor *s, struct lamp_now now)
{
    s->up = true;
    lamp_redial_reset(&s->redial);
    atomic_fetch_add(&f->counts->up, 1);
    if (s->lost_us)
        fleet_time(&f->counts->back, now.mono_us - s->lost_us);
    else
        fleet_time(&f->counts->first, now.mono_us - s->start_us);
    for (size_t i = 0; i < N_SETS; i++)
        s->sets[i].at_us = 0;
}

/* Closing a socket takes its descriptors out of the epoll set. */
static void disconnect(struct fleet *f, struct sensor *s, uint64_t pause_us, struct lamp_now now)
{
    set_down(f, s, now);
    s->connected = false;
    lamp_uplink_close(s->uplink);
    lamp_delivery_stop(s->delivery);
    lamp_redial_later(&s->redial, pause_us, now.mono_us);
}

static void watch_fds(const struct fleet *f, struct sensor *s)
{
    int fds[2];
    lamp_uplink_fds(s->uplink, &fds[0], &fds[1]);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };
        (void)epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fds[i], &e);
    }
}

static void connect_if_due(struct fleet *f, struct sensor *s, struct lamp_now now)
{
    if (lamp_uplink_is_open(s->uplink) || now.mono_us < s->redial.at_us || f->opens == OPENS)
        return;
    f->opens++;
    const struct lamp_set_head none = { .kind = LAMP_SET_BLOCK };
    if (lamp_uplink_open(s->uplink) != LAMP_OK) {
        disconnect(f, s, 0, now);
        return;
    }
    watch_fds(f, s);
    lamp_delivery_start(s->delivery, &none, now);
}

static int make_summary(struct fleet *f, struct sensor *s, struct lamp_now now)
{
    const uint64_t n = f->cfg->rows;
    const uint64_t from_us = now.real_us - f->cfg->interval_ms * 1000;
    for (size_t i = 0; i < n; i++)
        f->rows[i].minute = now.real_us / (60 * (uint64_t)SECOND_US);
    struct lamp_batch b = { .t_from_us = from_us,
                            .t_to_us = now.real_us,
                            .mono_from_us = now.mono_us - f->cfg->interval_ms * 1000,
                            .mono_to_us = now.mono_us,
                            .rollups = f->rows,
                            .n_rollups = n };
    memcpy(b.cap_run, s->run, sizeof(b.cap_run));
    b.counters.packets = b.counters.bytes = (s->seq + 1) * n;
    LAMP_AUTO_FREE uint8_t *batch = NULL;
    size_t len;
    int err = lamp_batch_pack(&b, &batch, &len);
    if (err)
        return err;
    const struct lamp_summary m = { .t_from_us = from_us,
                                    .t_to_us = now.real_us,
                                    .n_rows = n,
                                    .n_bytes = n,
                                    .batch = { batch, len } };
    s->made_us[++s->seq % REMEMBERED] = now.mono_us;
    atomic_fetch_add(&f->counts->made, 1);
    return lamp_delivery_append(s->delivery, &(const struct lamp_summary *){ &m }, 1, now);
}

static int make_due(struct fleet *f, struct sensor *s, struct lamp_now now)
{
    int err = LAMP_OK;
    if (atomic_load(&f->counts->calm))
        return LAMP_OK;
    if (f->cfg->fast) {
        while (!err && s->up && s->seq - s->acked < f->cfg->under_way)
            err = make_summary(f, s, now);
    } else if (now.mono_us >= s->next_us) {
        s->next_us = now.mono_us + f->cfg->interval_ms * 1000;
        err = make_summary(f, s, now);
    }
    return err;
}

/* ---- sets ---- */

static void ask(struct fleet *f, struct sensor *s, size_t i, struct lamp_now now)
{
    struct asked *a = &s->sets[i];
    struct lamp_msg m = { .type = LAMP_MSG_SET_QUERY };
    randombytes_buf(a->nonce.b, sizeof(a->nonce.b));
    a->head.kind = (enum lamp_set_kind)(LAMP_SET_WATCH + i);
    m.u.set_query = (struct lamp_set_query){ a->nonce, a->head };
    if (send_msg(f, s, &m) == LAMP_OK)
        a->at_us = now.mono_us;
}

static void on_list(struct fleet *f, struct sensor *s, struct asked *a,
                    const struct lamp_set_end *e, struct lamp_now now)
{
    char site[LAMP_WIRE_SITE_MAX + 1];
    struct lamp_set_manifest m;
    if (memcmp(&e->nonce, &a->nonce, sizeof(a->nonce)) != 0 ||
        lamp_set_manifest_unpack(e->manifest, site, &m) != LAMP_OK || m.kind != a->head.kind)
        return;
    a->head.epoch = m.epoch;
    a->head.serial = m.serial;
    memcpy(a->head.digest, m.digest, sizeof(m.digest));
    atomic_fetch_add(&f->counts->lists, 1);
    struct lamp_msg status = { .type = LAMP_MSG_SET_STATUS };
    status.u.set_status = (struct lamp_set_status){ .head = a->head,
                                                    .state = LAMP_SET_CONFIRMED,
                                                    .mode = LAMP_ENFORCE_DRY_RUN,
                                                    .t_us = now.real_us };
    (void)send_msg(f, s, &status);
}

static void on_set_message(struct fleet *f, struct sensor *s, const struct lamp_msg *m,
                           struct lamp_now now)
{
    for (size_t i = 0; i < N_SETS; i++) {
        struct asked *a = &s->sets[i];
        if (m->type == LAMP_MSG_SET_END)
            on_list(f, s, a, &m->u.set_end, now);
        else if (m->type == LAMP_MSG_SET_NOTIFY && m->u.set_notify.head.kind == a->head.kind &&
                 sodium_is_zero(m->u.set_notify.nonce.b, LAMP_WIRE_NONCE_LEN) &&
                 m->u.set_notify.head.serial != a->head.serial)
            a->at_us = 0;
    }
    if (m->type == LAMP_MSG_SET_CHUNK)
        atomic_fetch_add(&f->counts->entries, m->u.set_chunk.n_entries);
}

/* ---- what arrives ---- */

static void on_ack(struct fleet *f, struct sensor *s, const struct lamp_ack *a, struct lamp_now now)
{
    for (size_t i = 0; i < a->n_streams; i++) {
        for (; s->acked + 1 < a->streams[i].next_seq && s->acked < s->seq; s->acked++) {
            if (s->seq - s->acked <= REMEMBERED)
                fleet_time(&f->counts->ack, now.mono_us - s->made_us[(s->acked + 1) % REMEMBERED]);
            atomic_fetch_add(&f->counts->acked, 1);
            atomic_fetch_add(&f->counts->rows, f->cfg->rows);
        }
    }
}

static void on_message(struct fleet *f, struct sensor *s, struct lamp_bytes packed)
{
    const struct lamp_now now = read_clock();
    enum lamp_bye_reason bye = LAMP_BYE_UNSPECIFIED;
    uint64_t pause_us = 0;
    struct lamp_msg *m;
    if (lamp_msg_unpack(packed.data, packed.len, &m) != LAMP_OK)
        return;
    const enum lamp_delivery_state before = lamp_delivery_state(s->delivery);
    const int err = lamp_delivery_message(s->delivery, m, now, &bye, &pause_us);
    if (m->type == LAMP_MSG_ACK)
        on_ack(f, s, &m->u.ack, now);
    on_set_message(f, s, m, now);
    lamp_msg_free(m);
    const bool streaming = lamp_delivery_state(s->delivery) == LAMP_DELIVERY_STREAMING;
    if (streaming && before != LAMP_DELIVERY_STREAMING)
        atomic_fetch_add(&f->counts->sessions, 1);
    if (err == LAMP_EAUTH && pause_us == 0) {
        const struct lamp_set_head none = { .kind = LAMP_SET_BLOCK };
        set_down(f, s, now);
        lamp_delivery_start(s->delivery, &none, now);
    } else if (err) {
        disconnect(f, s, pause_us, now);
    } else if (streaming && s->connected && !s->up) {
        set_up(f, s, now);
    }
}

static void on_event(struct fleet *f, struct sensor *s, enum lamp_uplink_event event)
{
    const struct lamp_now now = read_clock();
    s->connected = event == LAMP_UPLINK_CONNECTED;
    if (s->connected) {
        lamp_delivery_connected(s->delivery, now);
    } else if (event == LAMP_UPLINK_DISCONNECTED) {
        set_down(f, s, now); /* libzmq connects again by itself */
    } else {
        atomic_fetch_add(&f->counts->refused, event == LAMP_UPLINK_REFUSED);
        disconnect(f, s, 0, now);
    }
}

static void serve(struct fleet *f, struct sensor *s)
{
    enum lamp_uplink_event event;
    uint8_t *data;
    size_t len;
    do {
        while (lamp_uplink_is_open(s->uplink) && lamp_uplink_next_event(s->uplink, &event))
            on_event(f, s, event);
        while (lamp_uplink_is_open(s->uplink) &&
               lamp_uplink_recv(s->uplink, &data, &len) == LAMP_OK) {
            on_message(f, s, (struct lamp_bytes){ data, len });
            free(data);
        }
        if (f->cfg->fast && make_due(f, s, read_clock()) != LAMP_OK)
            disconnect(f, s, 0, read_clock());
    } while (lamp_uplink_is_open(s->uplink) && lamp_uplink_is_ready(s->uplink));
}

static void tick(struct fleet *f, struct sensor *s)
{
    const struct lamp_now now = read_clock();
    connect_if_due(f, s, now);
    int err = make_due(f, s, now);
    if (!err)
        err = lamp_delivery_tick(s->delivery, now);
    if (err)
        disconnect(f, s, 0, now);
    for (size_t i = 0; s->up && f->cfg->sets && i < N_SETS; i++)
        if (s->sets[i].at_us == 0 || now.mono_us - s->sets[i].at_us >= REFRESH_US)
            ask(f, s, i, now);
    serve(f, s);
}

/* ---- all of them ---- */

static int make_sensor(struct fleet *f, struct sensor *s, uint64_t number, struct lamp_now now)
{
    struct lamp_key key;
    char damaged[PATH_MAX], why[256];
    *s = (struct sensor){ .number = number, .to = { f, s } };
    randombytes_buf(s->run, sizeof(s->run));
    struct lamp_delivery_cfg cfg = { .build = LAMP_VERSION, .send = send_packed, .arg = &s->to };
    int err = fleet_key(f->cfg->seed, number, &key);
    if (!err)
        err = lamp_uplink_new(&key, f->cfg->endpoint, f->cfg->server_key, f->context, &s->uplink);
    if (!err)
        err = lamp_spool_open(NULL, SPOOL_BYTES, now.real_us, &s->spool, damaged, why);
    cfg.spool = s->spool;
    return err ? err : lamp_delivery_new(&cfg, &s->delivery);
}

/* Once all are made, which takes a while. */
static void begin(const struct fleet *f, struct sensor *s, uint64_t now_us)
{
    const uint64_t spread_us = f->cfg->spread_ms * 1000, interval_us = f->cfg->interval_ms * 1000;
    lamp_redial_reset(&s->redial);
    s->start_us = s->redial.at_us = now_us + spread_us * s->number / f->cfg->sensors;
    s->next_us = s->start_us + interval_us * (s->number % 64) / 64;
}

static int make_rows(struct fleet *f)
{
    f->rows = calloc(f->cfg->rows + 1, sizeof(*f->rows));
    for (size_t i = 0; f->rows && i < f->cfg->rows; i++)
        f->rows[i] = (struct lamp_rollup_row){
            .inside_addr = lamp_addr_from_v4(
                (const uint8_t[]){ 10, 0, (uint8_t)(i >> 4), (uint8_t)(1 + i % 16) }),
            .remote_addr =
                lamp_addr_from_v4((const uint8_t[]){ 198, 18, (uint8_t)(i >> 8), (uint8_t)i }),
            .ip_proto = 6,
            .service_port = (uint16_t)(i % 4 ? 443 : 80),
            .application = lamp_bytes_of(i % 4 ? "tls" : "http"),
            .bytes_out = 1000 + i,
            .bytes_in = 20000 + i,
            .packets_out = 10,
            .packets_in = 20,
            .flows = 1,
        };
    return f->rows ? LAMP_OK : LAMP_ENOMEM;
}

int fleet_run(const struct fleet_cfg *cfg, uint64_t first, uint64_t end,
              struct fleet_counts *counts)
{
    static struct fleet f;
    f = (struct fleet){ .cfg = cfg, .counts = counts, .context = zmq_ctx_new() };
    struct epoll_event events[EVENTS];
    f.v = calloc(end - first + 1, sizeof(*f.v));
    f.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!f.context || !f.v || f.epoll_fd < 0 || make_rows(&f) != LAMP_OK ||
        zmq_ctx_set(f.context, ZMQ_MAX_SOCKETS, 65535) != 0)
        return 1;
    for (uint64_t i = first; i < end; i++) {
        const int err = make_sensor(&f, &f.v[f.n], i, read_clock());
        if (err) {
            fprintf(stderr, "fleetgen: sensor %llu: %s\n", (unsigned long long)i,
                    lamp_strerror(err));
            return 1;
        }
        f.n++;
    }
    for (size_t i = 0; i < f.n; i++)
        begin(&f, &f.v[i], lamp_clock_mono_us());
    uint64_t tick_us = 0;
    while (!atomic_load(&counts->stop)) {
        const int n = epoll_wait(f.epoll_fd, events, EVENTS, lamp_clock_poll_ms(TURN_US / 4));
        for (int i = 0; i < n; i++)
            serve(&f, events[i].data.ptr);
        const uint64_t now_us = lamp_clock_mono_us();
        if (now_us < tick_us)
            continue;
        tick_us = now_us + TURN_US;
        f.opens = 0;
        for (size_t i = 0; i < f.n; i++)
            tick(&f, &f.v[i]);
    }
    return 0; /* the end of the process ends the connections, as kill -9 would */
}
