/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/faults/proxy.h"

#include "common/clock.h"
#include "tests/support/rng.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum {
    CONNS_MAX = 128,
    QUEUE_MAX = 256 * 1024,
    MARKS_MAX = 128,
    GREETING = 64, /* ZeroMQ RFC 37: signature, version, mechanism, filler */
    HEAD_MAX = 9 + 8,
};

enum fate { CLEAN, CUT, STALL, DEAF, HALF_OPEN };

/* Bytes on their way, and when they may arrive. */
struct queue {
    uint8_t b[QUEUE_MAX];
    size_t len, n_marks;
    struct {
        size_t len;
        uint64_t due_us;
    } marks[MARKS_MAX];
};

/* One way of a connection: what was read so far of the frame at hand. */
struct way {
    struct queue q;
    size_t greeting_left;
    uint8_t head[HEAD_MAX]; /* flags, length, first bytes of the body */
    size_t n_head;
    uint64_t body_left;
    bool raw;      /* is not ZMTP: relayed without looking */
    bool dropping; /* the rest of the body */
    bool ended;    /* nothing more comes in */
};

struct conn {
    int fd[2]; /* the ends that UP and DOWN lead to */
    bool connecting, dead;
    struct way way[2];
    enum fate fate;
    enum proxy_way fate_way;
    unsigned strikes_at, messages;
    bool struck;
    uint64_t until_us, delay_us;
};

struct lamp_proxy {
    struct sim_endpoint to;
    int listen_fd, wake_fd;
    uint16_t port;
    pthread_t thread;
    struct lamp_rng rng;
    struct conn *conns[CONNS_MAX];
    size_t n;
    pthread_mutex_t lock; /* over what follows */
    struct proxy_faults faults;
    bool stop, calm, reset;
    struct proxy_counts counts;
};

static bool happens(lamp_proxy *p, double probability)
{
    return lamp_rng_unit(&p->rng) < probability;
}

static uint64_t below(lamp_proxy *p, uint64_t n)
{
    return n ? lamp_rng_u64(&p->rng) % n : 0;
}

/* ---- what comes in ---- */

static void emit(struct conn *c, struct way *w, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct queue *q = &w->q;
    if (len == 0 || q->len + len > sizeof(q->b))
        return; /* room was looked for before */
    memcpy(q->b + q->len, data, len);
    q->len += len;
    const uint64_t due_us = now_us + c->delay_us;
    if (q->n_marks > 0 && (q->marks[q->n_marks - 1].due_us == due_us || q->n_marks == MARKS_MAX)) {
        q->marks[q->n_marks - 1].len += len;
    } else {
        q->marks[q->n_marks].len = len;
        q->marks[q->n_marks++].due_us = due_us;
    }
}

/* Bytes of the frame head at hand that are needed before its fate is known; 0: not known yet. */
static size_t head_needs(const struct way *w, uint64_t *out_body)
{
    if (w->n_head == 0)
        return 1;
    const bool is_long = w->head[0] & 2;
    const size_t fixed = is_long ? 9 : 2;
    if (w->n_head < fixed)
        return fixed;
    uint64_t body = w->head[1];
    for (size_t i = 2; is_long && i < 9; i++)
        body = body << 8 | w->head[i];
    *out_body = body;
    return fixed + (size_t)(body < 8 ? body : 8);
}

static void strike(lamp_proxy *p, struct conn *c, struct way *w, uint64_t now_us)
{
    c->struck = true;
    c->until_us = now_us + 1000 * (1 + below(p, p->faults.stall_ms));
    switch (c->fate) {
    case CUT:
        p->counts.cut++;
        c->until_us = 0;
        w->body_left = below(p, w->body_left + 1); /* and no more */
        break;
    case STALL:
    case DEAF:
        p->counts.stalled++;
        break;
    default:
        p->counts.half_open++;
    }
}

/* The head of a frame is complete. */
static void begin_frame(lamp_proxy *p, struct conn *c, enum proxy_way way, uint64_t body,
                        uint64_t now_us)
{
    struct way *w = &c->way[way];
    const size_t fixed = w->head[0] & 2 ? 9 : 2;
    const size_t n_body = w->n_head - fixed;
    const bool message = n_body == 8 && memcmp(w->head + fixed, "\x07MESSAGE", 8) == 0;
    w->body_left = body - n_body;
    w->dropping = false;
    if (message) {
        p->counts.messages[way]++;
        c->messages++;
        if (c->fate != CLEAN && !c->struck && way == c->fate_way && c->messages >= c->strikes_at)
            strike(p, c, w, now_us);
        const bool deaf =
            c->struck && c->fate == DEAF && way == c->fate_way && now_us < c->until_us;
        w->dropping = deaf || happens(p, p->faults.drop[way]);
        p->counts.dropped[way] += w->dropping;
    }
    if (!w->dropping)
        emit(c, w, w->head, w->n_head, now_us);
    w->n_head = 0;
}

static bool is_over(const struct conn *c, const struct way *w)
{
    return c->struck && ((c->fate == CUT && w->body_left == 0) || c->fate == HALF_OPEN);
}

static void feed(lamp_proxy *p, struct conn *c, enum proxy_way way, const uint8_t *data, size_t len,
                 uint64_t now_us)
{
    struct way *w = &c->way[way];
    while (len > 0 && !is_over(c, w)) {
        size_t k;
        if (w->greeting_left == GREETING && data[0] != 0xff)
            w->raw = true;
        if (w->raw || w->greeting_left > 0) {
            k = w->raw ? len : lamp_min(len, w->greeting_left);
            w->greeting_left -= w->raw ? 0 : k;
            emit(c, w, data, k, now_us);
        } else if (w->body_left > 0) {
            k = w->body_left < len ? (size_t)w->body_left : len;
            w->body_left -= k;
            if (!w->dropping)
                emit(c, w, data, k, now_us);
        } else {
            uint64_t body = 0;
            k = 1;
            w->head[w->n_head++] = data[0];
            if (head_needs(w, &body) == w->n_head && w->n_head > 1)
                begin_frame(p, c, way, body, now_us);
        }
        data += k;
        len -= k;
    }
}

/* ---- connections ---- */

static void pick_fate(lamp_proxy *p, struct conn *c)
{
    const struct proxy_faults *f = &p->faults;
    const struct {
        double probability;
        enum fate fate;
        enum proxy_way way;
    } fates[] = {
        { f->cut[PROXY_UP], CUT, PROXY_UP },
        { f->cut[PROXY_DOWN], CUT, PROXY_DOWN },
        { f->stall[PROXY_UP], STALL, PROXY_UP },
        { f->stall[PROXY_DOWN], STALL, PROXY_DOWN },
        { f->deaf, DEAF, PROXY_DOWN },
        { f->half_open, HALF_OPEN, below(p, 2) ? PROXY_UP : PROXY_DOWN },
    };
    double at = lamp_rng_unit(&p->rng);
    for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
        if (at < fates[i].probability) {
            c->fate = fates[i].fate;
            c->fate_way = fates[i].way;
            break;
        }
        at -= fates[i].probability;
    }
    c->strikes_at = 1 + (unsigned)below(p, f->within);
    c->delay_us = 1000 * below(p, (uint64_t)f->delay_ms + 1);
}

static void take_connection(lamp_proxy *p)
{
    const int fd = accept4(p->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    p->counts.connections++;
    struct conn *c = NULL;
    int up = -1;
    if (happens(p, p->faults.refuse)) {
        p->counts.refused++;
    } else if (p->n < CONNS_MAX && sim_connect(&p->to, NULL, &up) == LAMP_OK) {
        c = calloc(1, sizeof(*c));
    }
    if (!c) {
        sim_abort(fd);
        if (up >= 0)
            sim_abort(up);
        return;
    }
    c->fd[PROXY_UP] = up;
    c->fd[PROXY_DOWN] = fd;
    c->connecting = true;
    c->way[PROXY_UP].greeting_left = c->way[PROXY_DOWN].greeting_left = GREETING;
    pick_fate(p, c);
    p->conns[p->n++] = c;
}

static void read_way(lamp_proxy *p, struct conn *c, enum proxy_way way, uint64_t now_us)
{
    uint8_t b[16384];
    const ssize_t n = read(c->fd[way == PROXY_UP ? PROXY_DOWN : PROXY_UP], b, sizeof(b));
    if (n > 0)
        feed(p, c, way, b, (size_t)n, now_us);
    else if (n == 0)
        c->way[way].ended = true;
    else if (errno != EAGAIN && errno != EINTR)
        c->dead = true;
}

static size_t due(const struct queue *q, uint64_t now_us)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_marks && q->marks[i].due_us <= now_us; i++)
        n += q->marks[i].len;
    return n;
}

static void write_way(struct conn *c, enum proxy_way way, uint64_t now_us)
{
    struct queue *q = &c->way[way].q;
    const size_t want = due(q, now_us);
    if (want == 0)
        return;
    const ssize_t n = send(c->fd[way], q->b, want, MSG_NOSIGNAL);
    if (n < 0) {
        c->dead |= errno != EAGAIN && errno != EINTR;
        return;
    }
    memmove(q->b, q->b + n, q->len - (size_t)n);
    q->len -= (size_t)n;
    for (size_t left = (size_t)n; left > 0;) {
        const size_t k = lamp_min(left, q->marks[0].len);
        left -= k;
        q->marks[0].len -= k;
        if (q->marks[0].len == 0)
            memmove(q->marks, q->marks + 1, --q->n_marks * sizeof(q->marks[0]));
    }
}

static bool stands_still(const struct conn *c, enum proxy_way way, uint64_t now_us)
{
    return c->struck && c->fate == STALL && way == c->fate_way && now_us < c->until_us;
}

/* What the fate of a connection, its ends or the caller want now. */
static void age(lamp_proxy *p, struct conn *c, uint64_t now_us)
{
    for (int way = 0; way < 2; way++)
        c->dead |= c->way[way].ended && c->way[way].q.len == 0;
    if (c->struck && c->fate == CUT && c->way[c->fate_way].body_left == 0)
        c->dead |= c->way[c->fate_way].q.len == 0;
    if (c->struck && c->fate == HALF_OPEN)
        c->dead |= now_us >= c->until_us;
    if (p->calm) {
        c->dead |= c->struck && c->fate != CUT;
        c->fate = c->struck ? c->fate : CLEAN;
        c->delay_us = 0;
    }
    c->dead |= p->reset;
}

/* ---- the thread ---- */

static int poll_ms(const lamp_proxy *p, uint64_t now_us)
{
    uint64_t until_us = now_us + 1000000;
    for (size_t i = 0; i < p->n; i++) {
        const struct conn *c = p->conns[i];
        if (c->struck && c->until_us > now_us && c->until_us < until_us)
            until_us = c->until_us;
        for (int way = 0; way < 2; way++)
            if (c->way[way].q.n_marks > 0 && c->way[way].q.marks[0].due_us > now_us &&
                c->way[way].q.marks[0].due_us < until_us)
                until_us = c->way[way].q.marks[0].due_us;
    }
    return (int)((until_us - now_us) / 1000 + 1);
}

static void prepare(const struct conn *c, struct pollfd fds[2], uint64_t now_us)
{
    for (int way = 0; way < 2; way++)
        fds[way] = (struct pollfd){ .fd = c->fd[way] };
    for (int way = 0; way < 2; way++) {
        const struct way *w = &c->way[way];
        if (stands_still(c, (enum proxy_way)way, now_us))
            continue;
        if (!w->ended && w->q.len + 65536 < sizeof(w->q.b) && !c->connecting)
            fds[!way].events |= POLLIN;
        if (due(&w->q, now_us) > 0)
            fds[way].events |= POLLOUT;
    }
    if (c->connecting)
        fds[PROXY_UP].events |= POLLOUT;
}

static void serve(lamp_proxy *p, struct conn *c, const struct pollfd fds[2], uint64_t now_us)
{
    if (c->connecting && fds[PROXY_UP].revents) {
        c->connecting = false;
        c->dead |= sim_connected(c->fd[PROXY_UP]) != LAMP_OK;
    }
    for (int way = 0; way < 2 && !c->dead; way++) {
        if (fds[!way].revents & (POLLIN | POLLHUP | POLLERR))
            read_way(p, c, (enum proxy_way)way, now_us);
        if (!stands_still(c, (enum proxy_way)way, now_us))
            write_way(c, (enum proxy_way)way, now_us);
    }
    age(p, c, now_us);
}

static void bury(lamp_proxy *p)
{
    for (size_t i = 0; i < p->n;) {
        struct conn *c = p->conns[i];
        if (!c->dead) {
            i++;
            continue;
        }
        sim_abort(c->fd[PROXY_UP]);
        sim_abort(c->fd[PROXY_DOWN]);
        free(c);
        p->conns[i] = p->conns[--p->n];
    }
    p->calm = p->reset = false;
}

static void *run(void *arg)
{
    lamp_proxy *p = arg;
    struct pollfd fds[2 + 2 * CONNS_MAX];
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        uint64_t now_us = lamp_clock_mono_us();
        const size_t n = p->n;
        fds[0] = (struct pollfd){ .fd = p->wake_fd, .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = p->listen_fd, .events = POLLIN };
        for (size_t i = 0; i < n; i++)
            prepare(p->conns[i], fds + 2 + 2 * i, now_us);
        const int ms = poll_ms(p, now_us);
        pthread_mutex_unlock(&p->lock);
        (void)poll(fds, 2 + 2 * n, ms);
        pthread_mutex_lock(&p->lock);
        eventfd_t woken;
        if (fds[0].revents)
            (void)eventfd_read(p->wake_fd, &woken);
        now_us = lamp_clock_mono_us();
        for (size_t i = 0; i < n; i++)
            serve(p, p->conns[i], fds + 2 + 2 * i, now_us);
        if (fds[1].revents)
            take_connection(p);
        bury(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = { 0 };
    socklen_t len = sizeof(a);
    if (getsockname(fd, &a.any, &len) < 0)
        return 0;
    return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

int lamp_proxy_start(const struct sim_endpoint *at, const struct sim_endpoint *to, uint64_t seed,
                     lamp_proxy **out)
{
    lamp_proxy *p = calloc(1, sizeof(*p));
    if (!p)
        return LAMP_ENOMEM;
    p->to = *to;
    p->rng.state = seed;
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&p->lock, NULL);
    int err = sim_listen(at, &p->listen_fd);
    if (!err) {
        p->port = port_of(p->listen_fd);
        err = pthread_create(&p->thread, NULL, run, p) == 0 ? LAMP_OK : LAMP_EIO;
        if (err)
            close(p->listen_fd);
    }
    if (err) {
        close(p->wake_fd);
        free(p);
        return err;
    }
    *out = p;
    return LAMP_OK;
}

static void unlock_and_wake(lamp_proxy *p)
{
    pthread_mutex_unlock(&p->lock);
    (void)eventfd_write(p->wake_fd, 1);
}

lamp_proxy *lamp_proxy_stop(lamp_proxy *p)
{
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    unlock_and_wake(p);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < p->n; i++)
        p->conns[i]->dead = true;
    bury(p);
    close(p->listen_fd);
    close(p->wake_fd);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

uint16_t lamp_proxy_port(const lamp_proxy *p)
{
    return p->port;
}

void lamp_proxy_set(lamp_proxy *p, const struct proxy_faults *faults)
{
    pthread_mutex_lock(&p->lock);
    p->faults = faults ? *faults : (struct proxy_faults){ 0 };
    p->calm = !faults;
    unlock_and_wake(p);
}

void lamp_proxy_reset(lamp_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->reset = true;
    unlock_and_wake(p);
}

struct proxy_counts lamp_proxy_counts(lamp_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    const struct proxy_counts counts = p->counts;
    pthread_mutex_unlock(&p->lock);
    return counts;
}
