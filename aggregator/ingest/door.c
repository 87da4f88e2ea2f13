/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/door.h"

#include "aggregator/ingest/router.h"
#include "aggregator/ingest/zap.h"
#include "common/clock.h"
#include "common/enroll.h"
#include "common/fingerprint.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <zmq.h>

#define SECOND_US UINT64_C(1000000)
#define ZAP_DOMAIN "enroll"

enum {
    MESSAGE_MAX = 1024,
    ANSWERS_MAX = 32,   /* under way on a connection; a ROUTER drops what is more */
    ADMITTED_MAX = 256, /* connections between two renewals */
    RENEW_S = 60,
    SOURCES = 256,
    BURST = 10, /* questions of a source at once; one more a second */
    TOKENS_PER_S = 10,
    TICK_MS = 1000,
    REBIND_MS = 20,
    COMMAND_WAIT_MS = 5000,
    RETRY_MS = 5000, /* for one who waits to be approved */
    LATER_MS = 15000,
};

/* A bucket of permissions: `left` of them at at_us, one more every refill_us up to a limit. */
struct bucket {
    uint64_t left, at_us;
};

struct source {
    struct lamp_addr addr; /* an IPv6 one without its last 64 bits */
    struct bucket bucket;  /* at_us 0: free place */
};

struct lamp_door {
    struct lamp_door_cfg cfg;
    char listen[256];
    void *context, *router; /* router NULL: to be bound again */
    lamp_zap *zap;
    int stop_fd;
    pthread_t thread;
    bool running;
    uint64_t bound_us; /* monotonic */
    _Atomic unsigned admitted;
    struct source sources[SOURCES];
    struct bucket tokens;
    _Atomic uint64_t asked, accepted, refused, later, malformed, turned_away, renewed;
};

/* ---- limits ---- */

static bool take(struct bucket *b, uint64_t limit, uint64_t refill_us, uint64_t now_us)
{
    if (b->at_us == 0)
        *b = (struct bucket){ limit, now_us };
    const uint64_t fresh = (now_us - b->at_us) / refill_us;
    b->at_us += fresh * refill_us;
    b->left = b->left + fresh < limit ? b->left + fresh : limit;
    if (b->left == 0)
        return false;
    b->left--;
    return true;
}

/* The place of a source, or of the one that was quiet longest. */
static struct source *find_source(lamp_door *d, struct lamp_addr addr)
{
    struct source *oldest = &d->sources[0];
    if (!lamp_addr_is_v4(&addr))
        memset(addr.b + 8, 0, 8);
    for (size_t i = 0; i < SOURCES; i++) {
        struct source *s = &d->sources[i];
        if (s->bucket.at_us && lamp_addr_eq(&s->addr, &addr))
            return s;
        if (s->bucket.at_us < oldest->bucket.at_us)
            oldest = s;
    }
    *oldest = (struct source){ .addr = addr };
    return oldest;
}

/* On the thread of the zap. */
static bool admit(const char *key, const char *address, void *arg)
{
    lamp_door *d = arg;
    (void)key, (void)address;
    if (atomic_fetch_add(&d->admitted, 1) < ADMITTED_MAX)
        return true;
    atomic_fetch_add(&d->turned_away, 1);
    return false;
}

/* ---- one question ---- */

struct question {
    const char *key;
    struct lamp_addr from;
    const struct lamp_enroll *e;
    struct lamp_enroll_answer answer;
    struct lamp_command_result result; /* what site and name of the answer lead to */
    struct lamp_allowed who;
};

static void accept_key(const lamp_door *d, struct question *q, const char *site, const char *name)
{
    q->answer.state = LAMP_ENROLL_ACCEPTED;
    q->answer.site = lamp_bytes_of(site);
    q->answer.name = lamp_bytes_of(name);
    memcpy(q->answer.list_key, d->cfg.keys->list_public, sizeof(q->answer.list_key));
}

static void refuse(struct question *q, int code)
{
    q->answer.state = LAMP_ENROLL_REFUSED;
    q->answer.code = code;
}

static void say_later(struct question *q, uint32_t ms)
{
    q->answer.state = LAMP_ENROLL_LATER;
    q->answer.retry_after_ms = ms;
}

/* A token goes to the writer, who alone knows which there are. */
static void try_token(lamp_door *d, struct question *q, uint64_t now_us)
{
    struct lamp_command c = { .kind = LAMP_CMD_ENROLL, .actor = "token" };
    if (!take(&d->tokens, TOKENS_PER_S, SECOND_US / TOKENS_PER_S, now_us)) {
        say_later(q, LATER_MS);
        return;
    }
    snprintf(c.key, sizeof(c.key), "%s", q->key);
    lamp_text_utf8(q->e->name.data, q->e->name.len, c.name, sizeof(c.name));
    lamp_token_digest(q->e->token, c.digest);
    if (lamp_commands_run(d->cfg.commands, &c, COMMAND_WAIT_MS, &q->result) != LAMP_OK ||
        q->result.err == LAMP_ESTORE || q->result.err == LAMP_ENOMEM) {
        say_later(q, LATER_MS);
    } else if (q->result.err) {
        lamp_log_limited(LAMP_LOG_WARN, "enroll", "a token was refused: %s", q->result.why);
        refuse(q, q->result.err);
    } else {
        lamp_pending_drop(d->cfg.pending, q->key);
        accept_key(d, q, q->result.site, q->result.name);
    }
}

static void wait_for_operator(lamp_door *d, struct question *q)
{
    struct lamp_pending_row row = { .from = q->from };
    bool fresh = false;
    snprintf(row.key, sizeof(row.key), "%s", q->key);
    lamp_text_utf8(q->e->name.data, q->e->name.len, row.name, sizeof(row.name));
    lamp_text_utf8(q->e->site.data, q->e->site.len, row.site, sizeof(row.site));
    lamp_text_utf8(q->e->build.data, q->e->build.len, row.version, sizeof(row.version));
    if (lamp_pending_ask(d->cfg.pending, &row, lamp_clock_real_us(), &fresh) != LAMP_OK) {
        say_later(q, LATER_MS);
        return;
    }
    q->answer.state = LAMP_ENROLL_PENDING;
    q->answer.retry_after_ms = RETRY_MS;
    char print[LAMP_FINGERPRINT], from[LAMP_ADDR_STRLEN];
    if (fresh)
        lamp_log_limited(LAMP_LOG_INFO, "enroll",
                         "a sensor asks to be let in (see davylamp sensors keys) fingerprint=%s "
                         "address=%s",
                         lamp_fingerprint_z85(q->key, print), lamp_addr_str(&q->from, from));
}

static void decide(lamp_door *d, struct question *q)
{
    const uint64_t now_us = lamp_clock_mono_us();
    static const uint8_t none[LAMP_WIRE_TOKEN_LEN];
    atomic_fetch_add(&d->asked, 1);
    if (!take(&find_source(d, q->from)->bucket, BURST, SECOND_US, now_us))
        say_later(q, LATER_MS);
    else if (lamp_allow_known(d->cfg.allow, q->key, &q->who) == LAMP_OK && q->who.active)
        accept_key(d, q, q->who.site, q->who.id);
    else if (memcmp(q->e->token, none, sizeof(none)) != 0)
        try_token(d, q, now_us);
    else if (lamp_allow_known(d->cfg.allow, q->key, &q->who) == LAMP_OK)
        refuse(q, LAMP_EREJECTED);
    else
        wait_for_operator(d, q);
    atomic_fetch_add(q->answer.state == LAMP_ENROLL_ACCEPTED  ? &d->accepted
                     : q->answer.state == LAMP_ENROLL_REFUSED ? &d->refused
                                                              : &d->later,
                     q->answer.state != LAMP_ENROLL_PENDING);
}

static void send_answer(lamp_door *d, zmq_msg_t *routing, const struct lamp_enroll_answer *answer)
{
    const struct lamp_msg m = { .type = LAMP_MSG_ENROLL_ANSWER, .u.enroll_answer = *answer };
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len = 0;
    if (lamp_msg_pack(&m, &data, &len) == LAMP_OK && /* who gets no answer asks again */
        zmq_send(d->router, zmq_msg_data(routing), zmq_msg_size(routing),
                 ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        (void)zmq_send(d->router, data, len, ZMQ_DONTWAIT);
}

static bool handle(zmq_msg_t *routing, zmq_msg_t *payload, void *arg)
{
    lamp_door *d = arg;
    struct lamp_msg *m = NULL;
    struct question q = { .key = zmq_msg_gets(payload, "User-Id") };
    const char *from = zmq_msg_gets(payload, "Peer-Address");
    const int err = q.key && *q.key
                        ? lamp_msg_unpack(zmq_msg_data(payload), zmq_msg_size(payload), &m)
                        : LAMP_EAUTH;
    if (err != LAMP_OK || m->type != LAMP_MSG_ENROLL) {
        lamp_msg_free(m);
        return false;
    }
    if (!from || lamp_addr_parse(from, &q.from) != LAMP_OK)
        q.from = (struct lamp_addr){ { 0 } };
    q.e = &m->u.enroll;
    decide(d, &q);
    send_answer(d, routing, &q.answer);
    lamp_msg_free(m);
    return true;
}

/* ---- the socket ---- */

static int bind_router(lamp_door *d)
{
    static const struct lamp_router_opt opts[] = {
        { ZMQ_SNDHWM, ANSWERS_MAX }, { ZMQ_RCVHWM, 4 },        { ZMQ_LINGER, 0 },
        { ZMQ_BACKLOG, 64 },         { ZMQ_HEARTBEAT_IVL, 0 }, { ZMQ_ROUTER_MANDATORY, 0 },
        { ZMQ_HANDSHAKE_IVL, 3000 },
    };
    const struct lamp_router_cfg cfg = { d->context,  d->cfg.keys, ZAP_DOMAIN,
                                         MESSAGE_MAX, opts,        ARRAY_LEN(opts) };
    const int err = lamp_router_bind(&cfg, d->listen, &d->router);
    if (err == LAMP_OK) {
        d->bound_us = lamp_clock_mono_us();
        atomic_store(&d->admitted, 0);
    }
    return err;
}

/* libzmq cannot end one connection of a socket, so all of them are ended: strangers hold at most
 * ADMITTED_MAX descriptors and none for long. The port is free again a moment later. */
static void renew(lamp_door *d)
{
    zmq_close(d->router);
    d->router = NULL;
    atomic_fetch_add(&d->renewed, 1);
}

static bool renewal_is_due(const lamp_door *d)
{
    const unsigned admitted = atomic_load(&d->admitted);
    return admitted >= ADMITTED_MAX ||
           (admitted > 0 && lamp_clock_mono_us() - d->bound_us >= RENEW_S * SECOND_US);
}

static void *run(void *arg)
{
    lamp_door *d = arg;
    for (;;) {
        if (!d->router && bind_router(d) != LAMP_OK)
            lamp_log_limited(LAMP_LOG_DEBUG, "enroll", "the port is not free yet");
        zmq_pollitem_t items[] = { { NULL, d->stop_fd, ZMQ_POLLIN, 0 },
                                   { d->router, 0, ZMQ_POLLIN, 0 } };
        (void)zmq_poll(items, d->router ? 2 : 1, d->router ? TICK_MS : REBIND_MS);
        if (items[0].revents)
            return NULL;
        if (!d->router)
            continue;
        enum lamp_router_got got = LAMP_ROUTER_HANDLED;
        for (unsigned n = 0; n < ADMITTED_MAX && got != LAMP_ROUTER_EMPTY; n++) {
            got = lamp_router_receive(d->router, handle, d);
            if (got == LAMP_ROUTER_MALFORMED)
                atomic_fetch_add(&d->malformed, 1);
        }
        if (renewal_is_due(d))
            renew(d);
    }
}

int lamp_door_start(const struct lamp_door_cfg *cfg, lamp_door **out, char *why, size_t size)
{
    lamp_door *d = calloc(1, sizeof(*d));
    if (!d)
        return LAMP_ENOMEM;
    d->cfg = *cfg;
    snprintf(d->listen, sizeof(d->listen), "%s", cfg->listen);
    d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->context = zmq_ctx_new();
    int err = d->context && d->stop_fd >= 0 ? LAMP_OK : LAMP_EIO;
    if (err == LAMP_OK)
        err = lamp_zap_start(d->context, ZAP_DOMAIN, admit, d, &d->zap);
    if (err == LAMP_OK)
        err = bind_router(d);
    if (err == LAMP_OK) {
        d->running = pthread_create(&d->thread, NULL, run, d) == 0;
        err = d->running ? LAMP_OK : LAMP_EIO;
    }
    if (err != LAMP_OK) {
        snprintf(why, size, "listen.enroll: %s: %s", cfg->listen,
                 err == LAMP_EEXIST ? "something listens there already" : lamp_strerror(err));
        lamp_door_stop(d);
        return err;
    }
    *out = d;
    return LAMP_OK;
}

lamp_door *lamp_door_stop(lamp_door *d)
{
    if (!d)
        return NULL;
    if (d->running) {
        (void)eventfd_write(d->stop_fd, 1);
        pthread_join(d->thread, NULL);
    }
    if (d->router)
        zmq_close(d->router);
    lamp_zap_stop(d->zap);
    if (d->context)
        zmq_ctx_term(d->context);
    if (d->stop_fd >= 0)
        close(d->stop_fd);
    free(d);
    return NULL;
}

void lamp_door_counts(const lamp_door *d, struct lamp_door_counts *out)
{
    *out = (struct lamp_door_counts){
        atomic_load(&d->asked),   atomic_load(&d->accepted),  atomic_load(&d->refused),
        atomic_load(&d->later),   atomic_load(&d->malformed), atomic_load(&d->turned_away),
        atomic_load(&d->renewed),
    };
}
