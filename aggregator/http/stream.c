/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/stream.h"

#include "common/clock.h"
#include "common/text.h"

#include <assert.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>

enum {
    STREAMS_MAX = 1024, /* some 21 KiB each, with what libmicrohttpd keeps of a connection */
    PER_SESSION_MAX = 8,
    BLOCK = 4096,
    RENDERED = 64, /* events kept as text for the other streams */
};

#define PING_US UINT64_C(15000000)
#define STATUS_US UINT64_C(1000000)

static const char *const names[] = { [LAMP_EVENT_STATUS] = "status",
                                     [LAMP_EVENT_SENSOR] = "sensor",
                                     [LAMP_EVENT_MINER] = "miner",
                                     [LAMP_EVENT_BLOCK] = "block",
                                     [LAMP_EVENT_ALERT] = "alert" };

struct stream {
    struct stream *next, **prev;
    lamp_streams *all;
    struct MHD_Connection *conn;
    struct lamp_identity who;
    bool suspended, ended;        /* under all->lock */
    bool ping_due;                /* under all->lock */
    bool status_due;              /* under all->lock: a status was held back */
    uint64_t seq;                 /* under all->lock: the last event taken */
    uint64_t wrote_us, status_us; /* under all->lock, monotonic: when last written */
    char *text;                   /* being written, owned */
    size_t len, off;
};

struct rendered {
    uint64_t seq;              /* 0: empty */
    enum lamp_event_kind kind; /* a status held back goes out under a later event's number */
    char *text;
};

struct lamp_streams {
    pthread_mutex_t lock;
    struct stream *first;
    unsigned n;
    bool ending;
    lamp_events *events;
    lamp_auth *auth;
    lamp_stream_render_fn *render;
    void *app;
    char epoch[20]; /* ids of another run mean nothing here */

    pthread_mutex_t rendered_lock;
    struct rendered rendered[RENDERED];
};

int lamp_streams_new(lamp_events *events, lamp_auth *auth, uint64_t epoch,
                     lamp_stream_render_fn *render, void *app, lamp_streams **out)
{
    assert(events && auth && render && out);
    lamp_streams *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->rendered_lock, NULL);
    s->events = events;
    s->auth = auth;
    s->render = render;
    s->app = app;
    snprintf(s->epoch, sizeof(s->epoch), "%" PRIx64, epoch);
    *out = s;
    return LAMP_OK;
}

lamp_streams *lamp_streams_free(lamp_streams *s)
{
    if (!s)
        return NULL;
    assert(!s->first);
    for (size_t i = 0; i < RENDERED; i++)
        free(s->rendered[i].text);
    pthread_mutex_destroy(&s->rendered_lock);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

/* ---- one event as text ---- */

static char *format_event(const lamp_streams *all, uint64_t seq, const char *name, const char *data)
{
    char *text = NULL;
    if (asprintf(&text, "id: %s-%" PRIu64 "\nevent: %s\ndata: %s\n\n", all->epoch, seq, name,
                 data) < 0)
        return NULL;
    return text;
}

static char *render_text(const lamp_streams *all, const struct lamp_event *ev, const char *scope)
{
    size_t len;
    LAMP_AUTO_FREE char *json = all->render(all->app, ev, scope, &len);
    return json ? format_event(all, ev->seq, names[ev->kind], json) : NULL;
}

/* The event as text, rendered once for all streams that see every site: a change after the rendering
 * is a new event, since this one counts as seen. NULL: its object is gone. */
static char *event_text(lamp_streams *all, const struct lamp_event *ev, const char *scope)
{
    if (*scope)
        return render_text(all, ev, scope);

    struct rendered *r = &all->rendered[ev->seq % RENDERED];
    pthread_mutex_lock(&all->rendered_lock);
    const bool known = r->text && r->seq == ev->seq && r->kind == ev->kind;
    char *text = known ? strdup(r->text) : NULL;
    pthread_mutex_unlock(&all->rendered_lock);
    if (text)
        return text;

    text = render_text(all, ev, "");
    pthread_mutex_lock(&all->rendered_lock);
    if (text && r->seq <= ev->seq) {
        free(r->text);
        r->text = strdup(text);
        r->seq = ev->seq;
        r->kind = ev->kind;
    }
    pthread_mutex_unlock(&all->rendered_lock);
    return text;
}

/* ---- writing ---- */

enum step { STEP_WRITE, STEP_AGAIN, STEP_WAIT, STEP_END };

/* What a stream does next, decided and noted under the lock. */
struct next {
    enum step step;
    bool gap, ping;
    struct lamp_event event; /* to render, where neither gap nor ping */
};

static void take_status(struct stream *s, struct next *n, uint64_t mono_us)
{
    s->status_due = false;
    s->status_us = mono_us;
    n->step = STEP_WRITE;
    n->event = (struct lamp_event){ .seq = s->seq, .kind = LAMP_EVENT_STATUS };
}

static struct next decide(struct stream *s, uint64_t mono_us)
{
    lamp_streams *all = s->all;
    struct next n = { .step = STEP_WAIT };
    uint64_t seq;
    if (all->ending || s->ended) {
        n.step = STEP_END;
        return n;
    }
    const bool status_may_go = mono_us >= s->status_us + STATUS_US;
    const int err = lamp_events_next(all->events, s->seq, &n.event, &seq);
    if (err != LAMP_EAGAIN)
        s->seq = seq;
    if (err == LAMP_ENOENT) {
        n.gap = true;
        n.step = STEP_WRITE;
    } else if (err == LAMP_OK && n.event.kind == LAMP_EVENT_STATUS && !status_may_go) {
        s->status_due = true;
        n.step = STEP_AGAIN;
    } else if (err == LAMP_OK && n.event.kind != LAMP_EVENT_STATUS) {
        n.step = STEP_WRITE;
    } else if (err == LAMP_OK || (s->status_due && status_may_go)) {
        take_status(s, &n, mono_us);
    } else if (s->ping_due) {
        n.ping = true;
        n.step = STEP_WRITE;
    }
    if (n.step == STEP_WRITE) {
        s->ping_due = false;
        s->wrote_us = mono_us;
    }
    return n;
}

/* Fills s->text. Without anything to say the stream is suspended, under the lock that the
 * waking side holds too: otherwise an event between the two would be slept through. */
static enum step refill(struct stream *s)
{
    lamp_streams *all = s->all;
    pthread_mutex_lock(&all->lock);
    const struct next n = decide(s, lamp_clock_mono_us());
    if (n.step == STEP_WAIT) {
        MHD_suspend_connection(s->conn);
        s->suspended = true;
    }
    pthread_mutex_unlock(&all->lock);
    if (n.step != STEP_WRITE)
        return n.step;

    free(s->text);
    s->off = 0;
    if (n.ping)
        s->text = strdup(": ping\n\n");
    else if (n.gap)
        s->text = format_event(all, s->seq, "gap", "{}");
    else
        s->text = event_text(all, &n.event, s->who.scope);
    s->len = s->text ? strlen(s->text) : 0;
    return STEP_AGAIN;
}

static ssize_t read_stream(void *arg, uint64_t pos, char *buf, size_t max)
{
    (void)pos;
    struct stream *s = arg;
    while (s->off == s->len) {
        switch (refill(s)) {
        case STEP_WAIT:
            return 0;
        case STEP_END:
            return MHD_CONTENT_READER_END_OF_STREAM;
        default:
            break;
        }
    }
    const size_t n = lamp_min(max, s->len - s->off);
    memcpy(buf, s->text + s->off, n);
    s->off += n;
    return (ssize_t)n;
}

static void drop_stream(void *arg)
{
    struct stream *s = arg;
    lamp_streams *all = s->all;
    pthread_mutex_lock(&all->lock);
    *s->prev = s->next;
    if (s->next)
        s->next->prev = s->prev;
    all->n--;
    pthread_mutex_unlock(&all->lock);
    free(s->text);
    free(s);
}

/* ---- opening ---- */

static bool same_owner(const struct lamp_identity *a, const struct lamp_identity *b)
{
    return memcmp(a->session, b->session, sizeof(a->session)) == 0 && streq(a->user, b->user);
}

/* Where a stream starts: after Last-Event-ID where that is of this run. Of another run: a
 * place no ring holds, so that the reader is told to load again. */
static uint64_t start_of(const lamp_streams *all, const char *last_id)
{
    if (!last_id || !*last_id)
        return lamp_events_join(all->events);
    const size_t n = strlen(all->epoch);
    int64_t seq;
    if (strncmp(last_id, all->epoch, n) == 0 && last_id[n] == '-' &&
        lamp_text_int(last_id + n + 1, 0, INT64_MAX, &seq) == LAMP_OK)
        return (uint64_t)seq;
    return UINT64_MAX - 1;
}

/* Puts a stream into the list; false where a limit is reached. */
static bool enlist(lamp_streams *all, struct stream *s)
{
    unsigned mine = 0;
    pthread_mutex_lock(&all->lock);
    for (const struct stream *o = all->first; o; o = o->next)
        mine += same_owner(&o->who, &s->who);
    const bool ok = !all->ending && all->n < STREAMS_MAX && mine < PER_SESSION_MAX;
    if (ok) {
        s->prev = &all->first;
        s->next = all->first;
        if (s->next)
            s->next->prev = &s->next;
        all->first = s;
        all->n++;
    }
    pthread_mutex_unlock(&all->lock);
    return ok;
}

void lamp_streams_open(lamp_streams *all, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct stream *s = calloc(1, sizeof(*s));
    char *hello = strdup("retry: 2000\n\n");
    if (!s || !hello) {
        free(s);
        free(hello);
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory.");
        return;
    }
    *s = (struct stream){ .all = all,
                          .conn = req->conn,
                          .who = req->who,
                          .wrote_us = lamp_clock_mono_us(),
                          .text = hello,
                          .len = strlen(hello) };
    s->seq = start_of(all, lamp_request_header(req, "Last-Event-ID"));
    if (!enlist(all, s)) {
        free(hello);
        free(s);
        reply->retry_after_s = 10;
        lamp_reply_error(reply, 503, "unavailable", NULL,
                         "Too many event streams are open: at most %d of a session, %d in all.",
                         PER_SESSION_MAX, STREAMS_MAX);
        return;
    }
    reply->stream =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, s, drop_stream);
    if (!reply->stream) {
        drop_stream(s);
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory.");
        return;
    }
    MHD_add_response_header(reply->stream, "Content-Type", "text/event-stream");
    MHD_add_response_header(reply->stream, "X-Accel-Buffering", "no");
}

/* ---- waking ---- */

static void resume(struct stream *s)
{
    if (s->suspended) {
        s->suspended = false;
        MHD_resume_connection(s->conn);
    }
}

void lamp_streams_tick(lamp_streams *all, uint64_t now_us, uint64_t mono_us)
{
    pthread_mutex_lock(&all->lock);
    const uint64_t newest = lamp_events_newest(all->events);
    for (struct stream *s = all->first; s; s = s->next) {
        s->ended = s->ended || !lamp_auth_alive(all->auth, &s->who, now_us);
        s->ping_due = mono_us >= s->wrote_us + PING_US;
        const bool status = s->status_due && mono_us >= s->status_us + STATUS_US;
        if (s->ended || s->ping_due || status || s->seq != newest)
            resume(s);
    }
    pthread_mutex_unlock(&all->lock);
}

void lamp_streams_end(lamp_streams *all)
{
    pthread_mutex_lock(&all->lock);
    all->ending = true;
    for (struct stream *s = all->first; s; s = s->next)
        resume(s);
    pthread_mutex_unlock(&all->lock);
}

unsigned lamp_streams_count(lamp_streams *all)
{
    pthread_mutex_lock(&all->lock);
    const unsigned n = all->n;
    pthread_mutex_unlock(&all->lock);
    return n;
}
