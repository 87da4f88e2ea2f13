/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/ingest.h"

#include "aggregator/ingest/router.h"
#include "aggregator/ingest/sessions.h"
#include "aggregator/ingest/zap.h"
#include "common/clock.h"
#include "common/fingerprint.h"
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <zmq.h>

#define SECOND_US UINT64_C(1000000)
#define ZAP_DOMAIN "sensors"

enum {
    BURST = 256,      /* messages taken before answers get their turn */
    FULL_POLL_MS = 5, /* how often to look whether the writer has caught up */
    LINGER_MS = 500,
    CLONE_TAKEOVERS = 3, /* in a minute: two sensors must have the same key */
    RETRY_MS = 5000,     /* for a sensor that goes past its credit */
};

/* What a sensor may send beyond its credit: messages that need none, and what was on its way. */
#define CREDIT_SLACK ((uint64_t)4 * LAMP_WIRE_MSG_MAX)

struct lamp_ingest {
    void *context, *router;
    lamp_zap *zap;
    lamp_allow *allow;
    lamp_mailbox *to_writer, *from_writer;
    lamp_sessions *sessions;
    int wake_fd;
    pthread_t thread;
    bool running;
    int quiet_fd; /* blocking; readable once nothing more is received */
    _Atomic bool quiesce, stop;
    _Atomic uint64_t no_user, revoked, malformed, unknown_type, unknown_session, unsent, greedy;
};

/* One message as it came in. */
struct arrival {
    const uint8_t *routing;
    size_t routing_len;
    struct lamp_allowed who;
    size_t len;
    uint64_t now_us;
};

/* ---- sending ---- */

static int send_to(lamp_ingest *i, const uint8_t *routing, size_t routing_len, const void *data,
                   size_t len)
{
    if (zmq_send(i->router, routing, routing_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
        zmq_send(i->router, data, len, ZMQ_DONTWAIT) >= 0)
        return LAMP_OK;
    atomic_fetch_add(&i->unsent, 1);
    return zmq_errno() == EAGAIN ? LAMP_EAGAIN : LAMP_ECLOSED;
}

static void send_msg(lamp_ingest *i, const uint8_t *routing, size_t routing_len,
                     const struct lamp_msg *m)
{
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len = 0;
    if (lamp_msg_pack(m, &data, &len) == LAMP_OK)
        (void)send_to(i, routing, routing_len, data, len); /* the sensor asks again */
}

static void send_bye(lamp_ingest *i, const uint8_t *routing, size_t routing_len,
                     const struct lamp_session_id *session, enum lamp_bye_reason reason)
{
    struct lamp_msg m = { .type = LAMP_MSG_BYE };
    m.u.bye.reason = reason;
    m.u.bye.retry_after_ms = reason == LAMP_BYE_OVERLOAD ? RETRY_MS : 0;
    if (session)
        m.u.bye.session = *session;
    send_msg(i, routing, routing_len, &m);
}

static void send_letter(lamp_ingest *i, struct lamp_session *s, const struct lamp_letter *l)
{
    struct lamp_allowed now;
    if (lamp_allow_find(i->allow, s->who.key, &now) != LAMP_OK || !streq(now.id, s->who.id)) {
        s->live = false;
        send_bye(i, s->routing, s->routing_len, &s->id, LAMP_BYE_REVOKED);
    } else if (l->len > 0 &&
               send_to(i, s->routing, s->routing_len, l->data, l->len) == LAMP_ECLOSED) {
        s->live = false;
    } else if (l->credit_bytes > s->credit) {
        s->credit = l->credit_bytes;
    }
}

struct fan {
    lamp_ingest *i;
    const struct lamp_letter *letter;
};

static void send_to_site(struct lamp_session *s, void *arg)
{
    const struct fan *f = arg;
    if (f->letter->site[0] == '\0' || streq(s->who.site, f->letter->site))
        send_letter(f->i, s, f->letter);
}

static void deliver(lamp_ingest *i)
{
    for (struct lamp_letter *l; (l = lamp_mailbox_take(i->from_writer)) != NULL;) {
        static const struct lamp_session_id any;
        struct lamp_session *s = l->sensor[0] ? lamp_sessions_find(i->sessions, l->sensor) : NULL;
        if (!l->sensor[0])
            lamp_sessions_each(i->sessions, send_to_site, &(struct fan){ i, l });
        else if (s && s->live &&
                 (memcmp(&l->session, &any, sizeof(any)) == 0 ||
                  memcmp(&s->id, &l->session, sizeof(s->id)) == 0))
            send_letter(i, s, l);
        lamp_letter_free(l);
    }
}

/* ---- receiving ---- */

/* The session of a message, or NULL after a BYE: unknown, superseded, or over another
 * connection (after which the sensor cannot know what arrived). */
static struct lamp_session *session_of(lamp_ingest *i, const struct arrival *a,
                                       const struct lamp_session_id *id)
{
    struct lamp_session *s = lamp_sessions_find(i->sessions, a->who.id);
    if (s && s->live && s->routing_len == a->routing_len &&
        memcmp(s->routing, a->routing, a->routing_len) == 0 && streq(s->who.key, a->who.key) &&
        (!id || memcmp(&s->id, id, sizeof(*id)) == 0)) {
        s->bytes += a->len;
        if (s->bytes <= s->credit + CREDIT_SLACK)
            return s;
        atomic_fetch_add(&i->greedy, 1);
        s->live = false;
        send_bye(i, a->routing, a->routing_len, &s->id, LAMP_BYE_OVERLOAD);
        return NULL;
    }
    atomic_fetch_add(&i->unknown_session, 1);
    send_bye(i, a->routing, a->routing_len, id, LAMP_BYE_UNKNOWN_SESSION);
    return NULL;
}

static void post(lamp_ingest *i, const struct arrival *a, const struct lamp_session *s,
                 struct lamp_msg **msg)
{
    struct lamp_letter *l = calloc(1, sizeof(*l));
    if (!l)
        return; /* not acknowledged, so it comes again */
    memcpy(l->sensor, s->who.id, sizeof(l->sensor));
    memcpy(l->site, s->who.site, sizeof(l->site));
    memcpy(l->key, s->who.key, sizeof(l->key));
    l->session = s->id;
    l->at_us = a->now_us;
    l->session_bytes = s->bytes;
    l->short_of_credit = s->bytes > s->credit;
    l->shared_key = s->takeovers >= CLONE_TAKEOVERS;
    l->cost = a->len;
    l->msg = *msg;
    *msg = NULL;
    if (lamp_mailbox_put(i->to_writer, &l) != LAMP_OK)
        lamp_letter_free(l); /* room was checked, so this is a race at the stop */
}

static void count_takeover(struct lamp_session *s, uint64_t now_us)
{
    if (now_us - s->takeover_from_us > 60 * SECOND_US) {
        s->takeover_from_us = now_us;
        s->takeovers = 0;
    }
    if (++s->takeovers == CLONE_TAKEOVERS)
        lamp_log_limited(LAMP_LOG_WARN, "ingest",
                         "two sensors seem to use the same key: give each its own sensor=%s "
                         "site=%s",
                         s->who.id, s->who.site);
}

static void on_hello(lamp_ingest *i, const struct arrival *a, struct lamp_msg **msg)
{
    const struct lamp_hello *h = &(*msg)->u.hello;
    if (h->proto_min > LAMP_WIRE_PROTO || h->proto_max < LAMP_WIRE_PROTO) {
        lamp_log_limited(LAMP_LOG_WARN, "ingest",
                         "a sensor speaks no version of the protocol that this program does "
                         "sensor=%s its=%u..%u ours=%d",
                         a->who.id, h->proto_min, h->proto_max, LAMP_WIRE_PROTO);
        send_bye(i, a->routing, a->routing_len, &h->session, LAMP_BYE_VERSION);
        return;
    }
    struct lamp_session *s = NULL;
    if (lamp_sessions_get(i->sessions, a->who.id, &s) != LAMP_OK) {
        send_bye(i, a->routing, a->routing_len, &h->session, LAMP_BYE_OVERLOAD);
        return;
    }
    const bool same_id = memcmp(&s->id, &h->session, sizeof(s->id)) == 0;
    const bool same_way =
        s->routing_len == a->routing_len && memcmp(s->routing, a->routing, a->routing_len) == 0;
    if (s->live && !same_id && !same_way) {
        send_bye(i, s->routing, s->routing_len, &s->id, LAMP_BYE_SUPERSEDED);
        count_takeover(s, a->now_us);
    }
    if (!s->live || !same_id || !same_way)
        s->bytes = s->credit = 0;
    if (!s->live)
        lamp_log_limited(LAMP_LOG_INFO, "ingest", "sensor connected sensor=%s site=%s", a->who.id,
                         a->who.site);
    s->who = a->who;
    s->live = true;
    s->id = h->session;
    memcpy(s->routing, a->routing, a->routing_len);
    s->routing_len = a->routing_len;
    s->bytes += a->len;
    post(i, a, s, msg);
}

static void on_ping(lamp_ingest *i, const struct arrival *a, struct lamp_msg **msg)
{
    struct lamp_session *s = session_of(i, a, &(*msg)->u.ping.session);
    if (!s)
        return;
    struct lamp_msg pong = { .type = LAMP_MSG_PONG };
    pong.u.pong = (struct lamp_pong){ s->id, (*msg)->u.ping.t_us, a->now_us };
    send_msg(i, a->routing, a->routing_len, &pong);
    post(i, a, s, msg);
}

static void dispatch(lamp_ingest *i, const struct arrival *a, struct lamp_msg **msg)
{
    const struct lamp_session_id *id = NULL;
    switch ((*msg)->type) {
    case LAMP_MSG_HELLO:
        on_hello(i, a, msg);
        return;
    case LAMP_MSG_PING:
        on_ping(i, a, msg);
        return;
    case LAMP_MSG_SUMMARY:
        id = &(*msg)->u.summary.session;
        break;
    case LAMP_MSG_LOSS:
        id = &(*msg)->u.loss.session;
        break;
    case LAMP_MSG_CLOSE:
        id = &(*msg)->u.close.session;
        break;
    case LAMP_MSG_SET_QUERY: /* these belong to the connection's session */
    case LAMP_MSG_SET_STATUS:
    case LAMP_MSG_KEY_ROTATE:
    case LAMP_MSG_ORDER_STATUS:
    case LAMP_MSG_SAMPLE_CHUNK:
        break;
    default:
        atomic_fetch_add(&i->unknown_type, 1);
        return;
    }
    const struct lamp_session *s = session_of(i, a, id);
    if (s)
        post(i, a, s, msg);
}

/* False: the message makes no sense. */
static bool handle(zmq_msg_t *routing, zmq_msg_t *payload, void *arg)
{
    lamp_ingest *i = arg;
    struct arrival a = { .routing = zmq_msg_data(routing),
                         .routing_len = zmq_msg_size(routing),
                         .len = zmq_msg_size(payload),
                         .now_us = lamp_clock_real_us() };
    /* From the payload frame: libzmq 4.3.4 loses the metadata of the first one after a poll. */
    const char *user = zmq_msg_gets(payload, "User-Id");
    if (!user || !*user) {
        atomic_fetch_add(&i->no_user, 1);
        return true;
    }
    if (lamp_allow_find(i->allow, user, &a.who) != LAMP_OK) {
        atomic_fetch_add(&i->revoked, 1);
        send_bye(i, a.routing, a.routing_len, NULL, LAMP_BYE_REVOKED);
        return true;
    }
    struct lamp_msg *msg = NULL;
    const int err = lamp_msg_unpack(zmq_msg_data(payload), a.len, &msg);
    if (err != LAMP_OK) {
        lamp_log_limited(LAMP_LOG_WARN, "ingest",
                         "a message makes no sense, ignoring sensor=%s bytes=%zu error=\"%s\"",
                         a.who.id, a.len, lamp_strerror(err));
        return false;
    }
    dispatch(i, &a, &msg);
    lamp_msg_free(msg);
    return true;
}

static bool receive(lamp_ingest *i)
{
    const enum lamp_router_got got = lamp_router_receive(i->router, handle, i);
    if (got == LAMP_ROUTER_MALFORMED)
        atomic_fetch_add(&i->malformed, 1);
    return got != LAMP_ROUTER_EMPTY;
}

static void *run(void *arg)
{
    lamp_ingest *i = arg;
    (void)pthread_setname_np(pthread_self(), "ingest"); /* for top(1) and the like */
    bool closed = false;
    while (!atomic_load(&i->stop)) {
        if (!closed && atomic_load(&i->quiesce)) {
            closed = true;
            (void)eventfd_write(i->quiet_fd, 1);
        }
        const bool room = !closed && lamp_mailbox_has_room(i->to_writer);
        zmq_pollitem_t items[] = {
            { NULL, i->wake_fd, ZMQ_POLLIN, 0 },
            { NULL, lamp_mailbox_fd(i->from_writer), ZMQ_POLLIN, 0 },
            { i->router, 0, ZMQ_POLLIN, 0 },
        };
        const int n = room ? 3 : 2;
        if (zmq_poll(items, n, room || closed ? -1 : FULL_POLL_MS) < 0 && zmq_errno() != EINTR) {
            lamp_log(LAMP_LOG_ERROR, "ingest", "polling failed error=\"%s\"",
                     zmq_strerror(zmq_errno()));
            abort();
        }
        eventfd_t woken;
        if (items[0].revents)
            (void)eventfd_read(i->wake_fd, &woken);
        deliver(i);
        for (int k = 0; room && k < BURST && lamp_mailbox_has_room(i->to_writer) && receive(i);)
            k++;
    }
    deliver(i);
    return NULL;
}

/* ---- starting and stopping ---- */

/* A stranger is a counter; that somebody knocks is worth a line now and then. */
static bool admit(const char *key, const char *address, void *arg)
{
    const lamp_ingest *i = arg;
    struct lamp_allowed who;
    if (lamp_allow_find(i->allow, key, &who) == LAMP_OK)
        return true;
    char print[LAMP_FINGERPRINT];
    lamp_log_limited(LAMP_LOG_WARN, "ingest",
                     "a sensor whose key is not enrolled was refused fingerprint=%s address=%s",
                     lamp_fingerprint_z85(key, print), address);
    return false;
}

static int bind_router(lamp_ingest *i, const struct lamp_ingest_cfg *cfg, char *why, size_t size)
{
    static const struct lamp_router_opt opts[] = {
        { ZMQ_BACKLOG, 4096 }, /* a fleet may come back at once, strangers beside it */
        { ZMQ_LINGER, LINGER_MS },
        { ZMQ_SNDHWM, 64 },
        { ZMQ_RCVHWM, 256 },
        { ZMQ_HEARTBEAT_IVL, 5000 },
        { ZMQ_HEARTBEAT_TIMEOUT, 15000 },
        { ZMQ_HEARTBEAT_TTL, 15000 },
    };
    const struct lamp_router_cfg router = { i->context,        cfg->keys, ZAP_DOMAIN,
                                            LAMP_WIRE_MSG_MAX, opts,      ARRAY_LEN(opts) };
    const int err = lamp_router_bind(&router, cfg->listen, &i->router);
    if (err != LAMP_OK)
        snprintf(why, size, "listen.sensors: %s: %s", cfg->listen,
                 err == LAMP_EEXIST ? "something listens there already (another aggregator?)"
                                    : zmq_strerror(zmq_errno()));
    return err;
}

int lamp_ingest_start(const struct lamp_ingest_cfg *cfg, lamp_ingest **out, char *why, size_t size)
{
    lamp_ingest *i = calloc(1, sizeof(*i));
    if (!i)
        return LAMP_ENOMEM;
    i->allow = cfg->allow;
    i->to_writer = cfg->to_writer;
    i->from_writer = cfg->from_writer;
    i->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    i->quiet_fd = eventfd(0, EFD_CLOEXEC);
    i->context = zmq_ctx_new();
    int err = LAMP_EIO;
    if (i->context && i->wake_fd >= 0 && i->quiet_fd >= 0)
        err = lamp_sessions_new(&i->sessions);
    snprintf(why, size, "%s", lamp_strerror(err));
    if (err == LAMP_OK) {
        /* Connections count against this limit before they are let in. */
        (void)zmq_ctx_set(i->context, ZMQ_MAX_SOCKETS, 32768);
        /* Before the ROUTER binds. */
        err = lamp_zap_start(i->context, ZAP_DOMAIN, admit, i, &i->zap);
        snprintf(why, size, "authentication: %s", lamp_strerror(err));
    }
    if (err == LAMP_OK)
        err = bind_router(i, cfg, why, size);
    if (err != LAMP_OK)
        goto fail;
    i->running = pthread_create(&i->thread, NULL, run, i) == 0;
    if (!i->running) {
        err = LAMP_EIO;
        snprintf(why, size, "no thread could be started");
        goto fail;
    }
    *out = i;
    return LAMP_OK;
fail:
    lamp_ingest_stop(i);
    return err;
}

void lamp_ingest_quiesce(lamp_ingest *i)
{
    eventfd_t n;
    atomic_store(&i->quiesce, true);
    (void)eventfd_write(i->wake_fd, 1);
    while (eventfd_read(i->quiet_fd, &n) != 0 && errno == EINTR)
        continue;
}

lamp_ingest *lamp_ingest_stop(lamp_ingest *i)
{
    if (!i)
        return NULL;
    if (i->running) {
        atomic_store(&i->stop, true);
        (void)eventfd_write(i->wake_fd, 1);
        pthread_join(i->thread, NULL);
    }
    if (i->router)
        zmq_close(i->router);
    lamp_zap_stop(i->zap);
    if (i->context)
        zmq_ctx_term(i->context);
    lamp_sessions_free(i->sessions);
    if (i->wake_fd >= 0)
        close(i->wake_fd);
    if (i->quiet_fd >= 0)
        close(i->quiet_fd);
    free(i);
    return NULL;
}

void lamp_ingest_counts(const lamp_ingest *i, struct lamp_ingest_counts *out)
{
    *out = (struct lamp_ingest_counts){
        lamp_zap_refused(i->zap),   atomic_load(&i->no_user),      atomic_load(&i->revoked),
        atomic_load(&i->malformed), atomic_load(&i->unknown_type), atomic_load(&i->unknown_session),
        atomic_load(&i->unsent),    atomic_load(&i->greedy),
    };
}
