/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/notify/notify.h"

#include "aggregator/notify/send.h"
#include "aggregator/store/notices.h"
#include "common/clock.h"
#include "common/log.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/eventfd.h>

enum {
    TICK_MS = 500,          /* between looks for new alerts */
    FEED = LAMP_ALERTS_MAX, /* alerts put in at once: all there can be */
    MAIL_GATHER_S = 2,
    BACKOFF_MAX_S = 60,
};

#define SECOND_US UINT64_C(1000000)

/* One receiver and its thread. */
struct worker {
    struct lamp_notify *n;
    struct lamp_receiver r;
    lamp_store *store;
    struct lamp_message m; /* with places of its own, as conns */
    struct lamp_notify_conn *conns;
    pthread_t thread;
    bool started;
};

struct lamp_notify {
    struct worker *workers; /* LAMP_RECEIVERS_MAX places */
    size_t n;
    pthread_mutex_t lock; /* of the queue */
    lamp_notices *queue;
    pthread_mutex_t testing;
    char host[256];
    int stop_fd; /* an eventfd, never read */
    atomic_bool stop;
};

/* ---- new alerts into the queue ---- */

struct feed {
    struct worker *w;
    int64_t cursor, newest;
    uint64_t now_us;
    int err;
};

static bool look_at_newest(const struct lamp_alert_view *v, void *arg)
{
    *(int64_t *)arg = v->id;
    return false;
}

/* They come newest first, down to those that are in. */
static bool put_alert(const struct lamp_alert_view *v, void *arg)
{
    struct feed *f = arg;
    if (v->id <= f->cursor)
        return false;
    if (v->id > f->newest)
        f->newest = v->id;
    if (lamp_receiver_wants(&f->w->r, v))
        f->err = lamp_notices_put(f->w->n->queue, f->w->r.name, v, f->now_us);
    return !f->err;
}

/* Puts in what is new since the last time. LAMP_ESTORE. */
static int feed(struct worker *w, uint64_t now_us)
{
    struct lamp_notify *n = w->n;
    struct feed f = { .w = w, .now_us = now_us };
    int64_t newest = 0;
    int err = lamp_store_alerts(w->store, &(struct lamp_alert_filter){ .limit = 1 }, look_at_newest,
                                &newest);
    pthread_mutex_lock(&n->lock);
    if (!err)
        err = lamp_notices_cursor(n->queue, w->r.name, newest, &f.cursor);
    if (!err && newest > f.cursor) {
        err = lamp_notices_begin(n->queue);
        if (!err)
            err = lamp_store_alerts(w->store, &(struct lamp_alert_filter){ .limit = FEED },
                                    put_alert, &f);
        if (!err)
            err = f.err;
        if (!err)
            err = lamp_notices_end(n->queue, w->r.name, f.newest > newest ? f.newest : newest);
        if (err)
            lamp_notices_rollback(n->queue);
    }
    pthread_mutex_unlock(&n->lock);
    return err;
}

/* ---- messages out of it ---- */

static struct lamp_pace pace_of(const struct lamp_receiver *r)
{
    return (struct lamp_pace){
        .rate = r->rate,
        .interval_us = r->interval_us,
        .gather_us = r->kind == LAMP_RECEIVER_MAIL ? MAIL_GATHER_S * SECOND_US : 0,
        .batch = r->kind == LAMP_RECEIVER_SYSLOG ? 1 : LAMP_MESSAGE_ALERTS,
    };
}

static bool take_conn(const struct lamp_conn_view *v, void *arg)
{
    struct lamp_notify_conn *c = arg;
    *c = (struct lamp_notify_conn){ .known = true,
                                    .client = v->row.client_addr,
                                    .server = v->row.server_addr,
                                    .client_port = v->row.client_port,
                                    .server_port = v->row.server_port,
                                    .ip_proto = v->row.ip_proto };
    return false;
}

/* The newest connection of each alert's miner; one that cannot be read is not known. */
static void find_conns(struct worker *w, uint64_t now_us)
{
    for (size_t i = 0; i < w->m.n; i++) {
        const struct lamp_conn_filter f = { .miner_id = w->m.v[i].v.miner_id, .limit = 1 };
        w->conns[i].known = false;
        if (f.miner_id && lamp_store_conns(w->store, &f, now_us, take_conn, &w->conns[i]))
            w->conns[i].known = false;
    }
}

/* 1, 2, 4, ... seconds after the failures before. */
static uint64_t backoff_us(uint32_t tries)
{
    return tries < 6 ? SECOND_US << tries : BACKOFF_MAX_S * SECOND_US;
}

/* When a message that just failed is tried again; 0: it is given up. */
static uint64_t next_try_us(const struct worker *w, int err, uint64_t now_us)
{
    if (err == LAMP_EPROTO || now_us >= w->m.made_us + w->r.keep_us)
        return 0;
    return now_us + backoff_us(w->m.tries);
}

/* Sends what is due. LAMP_OK: ask again at once; LAMP_EAGAIN: nothing is; LAMP_ESTORE. */
static int deliver(struct worker *w)
{
    struct lamp_notify *n = w->n;
    const struct lamp_pace pace = pace_of(&w->r);
    uint64_t now_us = lamp_clock_real_us(), due_us;
    char why[LAMP_SEND_WHY];
    pthread_mutex_lock(&n->lock);
    int err = lamp_notices_take(n->queue, w->r.name, &pace, now_us, &w->m, &due_us);
    pthread_mutex_unlock(&n->lock);
    if (err)
        return err;
    find_conns(w, now_us);
    const struct lamp_notify_body b = {
        .m = &w->m, .conns = w->conns, .receiver = w->r.name, .host = n->host, .now_us = now_us
    };
    const int sent = lamp_notify_send(&w->r, &b, &n->stop, why);
    now_us = lamp_clock_real_us();
    due_us = next_try_us(w, sent, now_us);
    pthread_mutex_lock(&n->lock);
    if (!sent)
        err = lamp_notices_sent(n->queue, w->r.name, &w->m, now_us);
    else if (!atomic_load(&n->stop))
        err = lamp_notices_failed(n->queue, w->r.name, &w->m, why, now_us, due_us);
    pthread_mutex_unlock(&n->lock);
    if (sent && due_us == 0)
        lamp_log_limited(LAMP_LOG_WARN, "notify", "message given up receiver=%s alerts=%zu: %s",
                         w->r.name, w->m.n, why);
    return err;
}

/* ---- the threads ---- */

static void pause_ms(const struct lamp_notify *n, int ms)
{
    struct pollfd fd = { .fd = n->stop_fd, .events = POLLIN };
    (void)poll(&fd, 1, ms);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    bool well = true;
    while (!atomic_load(&w->n->stop)) {
        int err = feed(w, lamp_clock_real_us());
        if (!err)
            err = deliver(w);
        const bool failed = err && err != LAMP_EAGAIN;
        if (failed && well)
            lamp_log(LAMP_LOG_ERROR, "notify",
                     "receiver=%s alerts cannot be read or queued, trying again: %s / %s",
                     w->r.name, lamp_store_why(w->store), lamp_notices_why(w->n->queue));
        well = !failed;
        if (err)
            pause_ms(w->n, TICK_MS);
    }
    return NULL;
}

static int start_worker(struct worker *w, const struct lamp_notify_cfg *cfg, char *why)
{
    int err = lamp_store_open(cfg->backend, cfg->database, true, &w->store, why);
    w->m.v = calloc(LAMP_MESSAGE_ALERTS, sizeof(*w->m.v));
    w->conns = calloc(LAMP_MESSAGE_ALERTS, sizeof(*w->conns));
    if (!err && (!w->m.v || !w->conns))
        err = LAMP_ENOMEM;
    if (!err)
        err = -pthread_create(&w->thread, NULL, run, w);
    w->started = !err;
    return err;
}

/* ---- start and stop ---- */

static int parse_all(const char *const *lines, size_t n_lines, struct worker *out, char *why)
{
    char reason[LAMP_RECEIVER_WHY];
    if (n_lines > LAMP_RECEIVERS_MAX) {
        snprintf(why, LAMP_STORE_WHY, "more than %d receivers", LAMP_RECEIVERS_MAX);
        return LAMP_EFULL;
    }
    for (size_t i = 0; i < n_lines; i++) {
        const int err = lamp_receiver_parse(lines[i], &out[i].r, reason);
        if (err) {
            snprintf(why, LAMP_STORE_WHY, "\"%.80s\": %.400s", lines[i], reason);
            return err;
        }
        for (size_t k = 0; k < i; k++) {
            if (streq(out[k].r.name, out[i].r.name)) {
                snprintf(why, LAMP_STORE_WHY, "two receivers are called %s", out[i].r.name);
                return LAMP_EFORMAT;
            }
        }
    }
    return LAMP_OK;
}

int lamp_notify_check(const char *const *lines, size_t n_lines, char *why)
{
    snprintf(why, LAMP_STORE_WHY, "out of memory");
    struct worker *scratch = calloc(LAMP_RECEIVERS_MAX, sizeof(*scratch));
    const int err = scratch ? parse_all(lines, n_lines, scratch, why) : LAMP_ENOMEM;
    free(scratch);
    return err;
}

static int start_all(lamp_notify *n, const struct lamp_notify_cfg *cfg, char *why)
{
    sigset_t all, before; /* signals are main's */
    int err = n->workers ? parse_all(cfg->lines, cfg->n_lines, n->workers, why) : LAMP_ENOMEM;
    if (!err)
        err = lamp_notices_open(cfg->queue, &n->queue, why);
    n->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!err && n->stop_fd < 0)
        err = -errno;
    if (!err && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        err = LAMP_ENOMEM;
    if (gethostname(n->host, sizeof(n->host) - 1) < 0)
        n->host[0] = '\0';
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < cfg->n_lines && !err; i++) {
        n->workers[i].n = n;
        n->n = i + 1;
        err = start_worker(&n->workers[i], cfg, why);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

int lamp_notify_start(const struct lamp_notify_cfg *cfg, lamp_notify **out, char *why)
{
    *out = NULL;
    if (cfg->n_lines == 0)
        return LAMP_OK;
    snprintf(why, LAMP_STORE_WHY, "out of memory");
    lamp_notify *n = calloc(1, sizeof(*n));
    if (!n)
        return LAMP_ENOMEM;
    n->stop_fd = -1;
    pthread_mutex_init(&n->lock, NULL);
    pthread_mutex_init(&n->testing, NULL);
    n->workers = calloc(LAMP_RECEIVERS_MAX, sizeof(*n->workers));
    const int err = start_all(n, cfg, why);
    if (err) {
        lamp_notify_stop(n);
        return err;
    }
    *out = n;
    return LAMP_OK;
}

lamp_notify *lamp_notify_stop(lamp_notify *n)
{
    if (!n)
        return NULL;
    const uint64_t one = 1;
    atomic_store(&n->stop, true);
    if (n->stop_fd >= 0)
        (void)!write(n->stop_fd, &one, sizeof(one));
    for (size_t i = 0; i < n->n; i++) {
        struct worker *w = &n->workers[i];
        if (w->started)
            pthread_join(w->thread, NULL);
        lamp_store_close(w->store);
        free(w->m.v);
        free(w->conns);
    }
    if (n->stop_fd >= 0)
        close(n->stop_fd);
    lamp_notices_close(n->queue);
    pthread_mutex_destroy(&n->lock);
    pthread_mutex_destroy(&n->testing);
    if (n->workers) /* secrets are in there */
        sodium_memzero(n->workers, LAMP_RECEIVERS_MAX * sizeof(*n->workers));
    free(n->workers);
    free(n);
    return NULL;
}

/* ---- asked by others ---- */

const struct lamp_receiver *lamp_notify_receiver(const lamp_notify *n, size_t i)
{
    return n && i < n->n ? &n->workers[i].r : NULL;
}

static const struct lamp_receiver *find(const lamp_notify *n, const char *name)
{
    const struct lamp_receiver *r = NULL;
    for (size_t i = 0; (r = lamp_notify_receiver(n, i)) && !streq(r->name, name); i++)
        ;
    return r;
}

int lamp_notify_counts(lamp_notify *n, const char *name, struct lamp_receiver_counts *out)
{
    pthread_mutex_lock(&n->lock);
    const int err = lamp_notices_counts(n->queue, name, out);
    pthread_mutex_unlock(&n->lock);
    return err;
}

int lamp_notify_dead(lamp_notify *n, const char *name, uint32_t limit,
                     bool (*fn)(const struct lamp_dead_view *v, void *arg), void *arg)
{
    pthread_mutex_lock(&n->lock);
    const int err = lamp_notices_dead(n->queue, name, limit, fn, arg);
    pthread_mutex_unlock(&n->lock);
    return err;
}

int lamp_notify_test(lamp_notify *n, const char *name, char *why)
{
    const struct lamp_receiver *r = find(n, name);
    const uint64_t now_us = lamp_clock_real_us();
    struct lamp_message m = { .made_us = now_us };
    if (!r)
        return LAMP_ENOENT;
    if (pthread_mutex_trylock(&n->testing) != 0)
        return LAMP_EAGAIN;
    const struct lamp_notify_body b = {
        .m = &m, .receiver = r->name, .host = n->host, .now_us = now_us, .test = true
    };
    const int err = lamp_notify_send(r, &b, &n->stop, why);
    pthread_mutex_unlock(&n->testing);
    return err;
}

int lamp_notify_retry(lamp_notify *n, const char *name, uint64_t *out_n)
{
    if (!find(n, name))
        return LAMP_ENOENT;
    pthread_mutex_lock(&n->lock);
    const int err = lamp_notices_retry(n->queue, name, lamp_clock_real_us(), out_n);
    pthread_mutex_unlock(&n->lock);
    return err;
}
