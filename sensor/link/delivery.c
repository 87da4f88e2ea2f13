/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/delivery.h"

#include "common/min.h"

#include <sodium.h>
#include <stdio.h>

enum {
    SECOND_US = 1000 * 1000,
    HELLO_FIRST_US = 2 * SECOND_US,
    PING_AFTER_US = 5 * SECOND_US,
    DEAD_AFTER_US = 15 * SECOND_US,
    GO_BACK_AFTER_US = 10 * SECOND_US,
    GO_BACK_MAX = 3,
    AGAIN_SOON_US = SECOND_US,
    KEEP_AWAY_US = 32 * SECOND_US,
    WINDOW = 64,
    KEPT_CREDIT = 256 * 1024, /* for records: what others do not use */
};

struct stream {
    struct lamp_spool_stream s;
    uint64_t send_seq; /* next to send in this session */
    bool closing, close_sent, clean;
};

struct lamp_delivery {
    struct lamp_delivery_cfg cfg;
    enum lamp_delivery_state state;
    struct lamp_session_id session;
    struct lamp_set_head head;
    struct stream streams[LAMP_WIRE_STREAMS_MAX];
    size_t n;
    bool finishing, more;
    uint64_t credit, sent_bytes;
    uint64_t rx_us, ping_us, hello_us, hello_wait_us, progress_us;
    unsigned go_backs, hellos;
    uint64_t server_key_serial;
    bool serial_due;        /* tell the aggregator of it */
    uint64_t hello_real_us; /* of the last HELLO */
    uint64_t agg_ahead_us;  /* the aggregator's clock minus ours, wrapping; */
    uint64_t rtt_us;        /* found by an exchange that took this long; 0: not known */
};

int lamp_delivery_new(const struct lamp_delivery_cfg *cfg, lamp_delivery **out)
{
    lamp_delivery *d = calloc(1, sizeof(*d));
    if (!d)
        return LAMP_ENOMEM;
    d->cfg = *cfg;
    *out = d;
    return LAMP_OK;
}

lamp_delivery *lamp_delivery_free(lamp_delivery *d)
{
    free(d);
    return NULL;
}

uint64_t lamp_delivery_agg_ahead_us(const lamp_delivery *d)
{
    return d->agg_ahead_us;
}

enum lamp_delivery_state lamp_delivery_state(const lamp_delivery *d)
{
    return d->state;
}

static int send_msg(lamp_delivery *d, const struct lamp_msg *m, size_t *out_len)
{
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    int err = lamp_msg_pack(m, &data, &len);
    if (!err)
        err = d->cfg.send(data, len, d->cfg.arg);
    if (!err && out_len)
        *out_len = len;
    return err;
}

/* ---- HELLO ---- */

static int load_streams(lamp_delivery *d)
{
    struct lamp_spool_stream list[LAMP_WIRE_STREAMS_MAX];
    size_t n;
    const int err = lamp_spool_streams(d->cfg.spool, list, ARRAY_LEN(list), &n);
    if (err)
        return err;
    for (size_t i = 0; i < n; i++)
        d->streams[i] = (struct stream){
            .s = list[i],
            .send_seq = list[i].next_seq,
            .closing = !list[i].current || d->finishing,
            .clean = list[i].current,
        };
    d->n = n;
    d->more = n == ARRAY_LEN(list);
    return LAMP_OK;
}

static int send_hello(lamp_delivery *d, struct lamp_now now)
{
    struct lamp_stream_state states[LAMP_WIRE_STREAMS_MAX];
    struct lamp_msg m = {
        .type = LAMP_MSG_HELLO,
        .u.hello = { .proto_min = LAMP_WIRE_PROTO,
                     .proto_max = LAMP_WIRE_PROTO,
                     .session = d->session,
                     .build = lamp_bytes_of(d->cfg.build),
                     .boot_id = lamp_bytes_of(d->cfg.boot_id),
                     .t_real_us = now.real_us,
                     .t_mono_us = now.mono_us,
                     .streams = states,
                     .n_streams = d->n,
                     .block_list = d->head,
                     .spool_bytes = lamp_spool_bytes(d->cfg.spool),
                     .spool_quota_bytes = lamp_spool_quota(d->cfg.spool),
                     .memory_only = lamp_spool_memory_only(d->cfg.spool),
                     .more_streams = d->more,
                     .agg_epoch = lamp_spool_known_epoch(d->cfg.spool),
                     .server_key_serial = d->server_key_serial },
    };
    for (size_t i = 0; i < d->n; i++) {
        const struct lamp_spool_stream *s = &d->streams[i].s;
        states[i] = (struct lamp_stream_state){ s->id, s->first_seq, s->last_seq, s->next_seq - 1 };
        if (s->current)
            m.u.hello.current_stream = s->id;
    }
    d->hello_us = now.mono_us;
    d->hello_real_us = now.real_us;
    d->hellos++;
    return send_msg(d, &m, NULL);
}

/* A message that cannot be sent now is no failure here: timers say it again. */
static int tolerate(int err)
{
    return err == LAMP_EAGAIN ? LAMP_OK : err;
}

void lamp_delivery_start(lamp_delivery *d, const struct lamp_set_head *head, struct lamp_now now)
{
    randombytes_buf(d->session.b, sizeof(d->session.b));
    d->head = *head;
    d->state = LAMP_DELIVERY_HELLO;
    d->credit = d->sent_bytes = 0;
    d->go_backs = d->hellos = 0;
    d->serial_due = false; /* HELLO tells it */
    d->rtt_us = 0;
    d->hello_wait_us = HELLO_FIRST_US;
    d->rx_us = d->ping_us = d->progress_us = now.mono_us;
    d->hello_us = 0; /* due at the next tick */
}

void lamp_delivery_server_key(lamp_delivery *d, uint64_t serial)
{
    d->serial_due |= d->state == LAMP_DELIVERY_STREAMING && serial != d->server_key_serial;
    d->server_key_serial = serial;
}

void lamp_delivery_stop(lamp_delivery *d)
{
    d->state = LAMP_DELIVERY_IDLE;
}

static int send_ping(lamp_delivery *d, struct lamp_now now)
{
    d->ping_us = now.mono_us;
    d->serial_due = false;
    const struct lamp_msg m = { .type = LAMP_MSG_PING,
                                .u.ping = { d->session, now.real_us,
                                            d->rtt_us ? now.real_us + d->agg_ahead_us : 0,
                                            d->rtt_us, d->server_key_serial } };
    return tolerate(send_msg(d, &m, NULL));
}

void lamp_delivery_connected(lamp_delivery *d, struct lamp_now now)
{
    if (d->state == LAMP_DELIVERY_HELLO)
        d->hello_us = 0;
    else if (d->state == LAMP_DELIVERY_STREAMING)
        d->ping_us = now.mono_us - PING_AFTER_US;
    if (d->rx_us + PING_AFTER_US > now.mono_us && d->state == LAMP_DELIVERY_STREAMING)
        d->rx_us = now.mono_us - PING_AFTER_US;
}

/* ---- records ---- */

static size_t in_flight(const lamp_delivery *d)
{
    uint64_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        n += d->streams[i].send_seq - d->streams[i].s.next_seq;
    return (size_t)n;
}

static int send_record(lamp_delivery *d, struct stream *st, const struct lamp_spool_record *r)
{
    struct lamp_msg m;
    if (r->kind == LAMP_SPOOL_SUMMARY)
        m = (struct lamp_msg){ .type = LAMP_MSG_SUMMARY,
                               .u.summary = { d->session,
                                              st->s.id,
                                              r->seq,
                                              r->t_from_us,
                                              r->t_to_us,
                                              r->n_rows,
                                              r->n_bytes,
                                              { r->body, r->body_len } } };
    else
        m = (struct lamp_msg){ .type = LAMP_MSG_LOSS,
                               .u.loss = { d->session, st->s.id, r->seq, r->to_seq, r->t_from_us,
                                           r->t_to_us, r->n_rows, r->n_bytes, r->reason } };
    /* The envelope adds less than 128 bytes; the credit is a brake, not an exact science. A record
     * that is longer than all of it goes alone: nothing else would ever bring new credit. */
    const bool alone = d->sent_bytes < d->credit && in_flight(d) == 0;
    if (d->sent_bytes + r->body_len > d->credit && !alone)
        return LAMP_EAGAIN;
    size_t len = 0;
    const int err = send_msg(d, &m, &len);
    if (err)
        return err;
    d->sent_bytes += len;
    st->send_seq = r->to_seq + 1;
    return LAMP_OK;
}

static int send_close(lamp_delivery *d, struct stream *st)
{
    const struct lamp_msg m = { .type = LAMP_MSG_CLOSE,
                                .u.close = { d->session, st->s.id, st->s.last_seq, st->clean } };
    const int err = send_msg(d, &m, NULL);
    if (!err)
        st->close_sent = true;
    return err;
}

static int pump_stream(lamp_delivery *d, struct stream *st, struct lamp_now now)
{
    while (st->send_seq <= st->s.last_seq) {
        const size_t flying = in_flight(d);
        if (flying >= WINDOW)
            return LAMP_EAGAIN;
        struct lamp_spool_record r;
        int err = lamp_spool_read(d->cfg.spool, &st->s.id, st->send_seq, &r);
        if (err == LAMP_ENOENT)
            return LAMP_ESTORE; /* the stream says there is one */
        if (err)
            return err;
        err = send_record(d, st, &r);
        free(r.body);
        if (err)
            return err;
        if (flying == 0)
            d->progress_us = now.mono_us;
    }
    if (st->closing && !st->close_sent && st->s.next_seq > st->s.last_seq) {
        d->progress_us = now.mono_us;
        return send_close(d, st);
    }
    return LAMP_OK;
}

static int pump(lamp_delivery *d, struct lamp_now now)
{
    if (d->state != LAMP_DELIVERY_STREAMING)
        return LAMP_OK;
    for (size_t i = 0; i < d->n; i++) {
        const int err = pump_stream(d, &d->streams[i], now);
        if (err)
            return tolerate(err);
    }
    return LAMP_OK;
}

int lamp_delivery_append(lamp_delivery *d, const struct lamp_summary *const *m, size_t n,
                         struct lamp_now now)
{
    uint64_t seq;
    const int err = lamp_spool_append(d->cfg.spool, m, n, &seq);
    if (err)
        return err;
    for (size_t i = 0; i < d->n; i++)
        if (d->streams[i].s.current)
            d->streams[i].s.last_seq = seq;
    /* The record is safe: an error now must not look as if it were not, or it would come twice.
     * Sending is tried again by the next tick, which reports what is wrong. */
    (void)pump(d, now);
    return LAMP_OK;
}

/* ---- messages ---- */

static struct stream *find(lamp_delivery *d, const struct lamp_stream_id *id)
{
    for (size_t i = 0; i < d->n; i++)
        if (memcmp(&d->streams[i].s.id, id, sizeof(*id)) == 0)
            return &d->streams[i];
    return NULL;
}

static int advance(lamp_delivery *d, struct stream *st, uint64_t next_seq, struct lamp_now now)
{
    if (next_seq > st->s.last_seq + 1)
        return LAMP_EPROTO;
    if (next_seq > st->s.next_seq) {
        const int err = lamp_spool_ack(d->cfg.spool, &st->s.id, next_seq, now.real_us);
        if (err)
            return err;
        st->s.next_seq = next_seq;
        if (st->send_seq < next_seq)
            st->send_seq = next_seq;
        d->progress_us = now.mono_us;
        d->go_backs = 0;
    }
    if (!st->close_sent || next_seq <= st->s.last_seq)
        return LAMP_OK;
    const int err = lamp_spool_finish(d->cfg.spool, &st->s.id);
    if (!err) {
        const size_t i = (size_t)(st - d->streams);
        d->n--;
        memmove(st, st + 1, (d->n - i) * sizeof(*st));
        d->progress_us = now.mono_us;
    }
    return err;
}

/* How far the aggregator's clock is ahead: four timestamps, ours at both ends and the
 * aggregator's in between (RFC 5905 section 8). The quickest exchange of the session counts, as
 * the error is at most half of what it took. */
static void note_clock(lamp_delivery *d, uint64_t sent_us, uint64_t rx_us, uint64_t tx_us,
                       uint64_t now_us)
{
    const uint64_t there_us = tx_us - rx_us, took_us = now_us - sent_us;
    if (now_us < sent_us || tx_us < rx_us || there_us > took_us || took_us > DEAD_AFTER_US)
        return; /* a clock was set in between */
    const uint64_t rtt_us = took_us - there_us ? took_us - there_us : 1;
    if (d->rtt_us && rtt_us > d->rtt_us)
        return;
    d->rtt_us = rtt_us;
    d->agg_ahead_us = rx_us - sent_us - rtt_us / 2;
}

static int on_welcome(lamp_delivery *d, const struct lamp_welcome *w, struct lamp_now now)
{
    if (d->state != LAMP_DELIVERY_HELLO)
        return LAMP_OK;
    if (w->proto != LAMP_WIRE_PROTO)
        return LAMP_EPROTO;
    bool lost = false;
    for (size_t i = 0; i < w->n_streams; i++) {
        struct stream *st = find(d, &w->streams[i].stream);
        const uint64_t next = w->streams[i].next_seq;
        if (!st)
            continue;
        if (next == 0 || next > st->s.last_seq + 1)
            return LAMP_EPROTO;
        int err = LAMP_OK;
        lost |= next < st->s.next_seq;
        if (next < st->s.next_seq)
            err = lamp_spool_rewind(d->cfg.spool, &st->s.id, next);
        else if (next > st->s.next_seq)
            err = lamp_spool_ack(d->cfg.spool, &st->s.id, next, now.real_us);
        if (err)
            return err;
        st->s.next_seq = st->send_seq = next;
    }
    /* A restored database may lack streams that were finished with the one before. */
    bool reopened;
    const int err = lamp_spool_epoch(d->cfg.spool, w->agg_epoch, lost, &reopened);
    if (err)
        return err;
    if (reopened) {
        d->hello_us = 0;
        return LAMP_OK; /* HELLO again, with all of them */
    }
    if (d->hellos == 1) /* else it could be the answer to any of them */
        note_clock(d, d->hello_real_us, w->t_rx_us, w->t_tx_us, now.real_us);
    d->state = LAMP_DELIVERY_STREAMING;
    d->credit = w->credit_bytes;
    d->progress_us = now.mono_us;
    return LAMP_OK;
}

static int on_ack(lamp_delivery *d, const struct lamp_ack *a, struct lamp_now now)
{
    if (d->state != LAMP_DELIVERY_STREAMING)
        return LAMP_OK;
    d->credit = a->credit_bytes > d->credit ? a->credit_bytes : d->credit;
    for (size_t i = 0; i < a->n_streams; i++) {
        struct stream *st = find(d, &a->streams[i].stream);
        const int err = st ? advance(d, st, a->streams[i].next_seq, now) : LAMP_OK;
        if (err)
            return err;
    }
    return LAMP_OK;
}

static uint64_t pause_after(const struct lamp_bye *b)
{
    switch (b->reason) {
    case LAMP_BYE_UNKNOWN_SESSION:
        return 0;
    case LAMP_BYE_OVERLOAD:
        return b->retry_after_ms ? (uint64_t)b->retry_after_ms * 1000 : AGAIN_SOON_US;
    case LAMP_BYE_PROTOCOL:
        return AGAIN_SOON_US;
    default: /* another sensor has our key, or it was revoked */
        return KEEP_AWAY_US;
    }
}

int lamp_delivery_message(lamp_delivery *d, const struct lamp_msg *m, struct lamp_now now,
                          enum lamp_bye_reason *out_bye, uint64_t *out_pause_us)
{
    const struct lamp_session_id *s = m->type == LAMP_MSG_WELCOME ? &m->u.welcome.session
                                      : m->type == LAMP_MSG_ACK   ? &m->u.ack.session
                                      : m->type == LAMP_MSG_BYE   ? &m->u.bye.session
                                      : m->type == LAMP_MSG_PONG  ? &m->u.pong.session
                                                                  : NULL;
    /* A revoked key never gets as far as a session. */
    const bool revoked = m->type == LAMP_MSG_BYE && m->u.bye.reason == LAMP_BYE_REVOKED;
    if (s && !revoked && memcmp(s, &d->session, sizeof(*s)) != 0)
        return LAMP_OK; /* of a session that is over */
    d->rx_us = now.mono_us;
    int err = LAMP_OK;
    if (m->type == LAMP_MSG_BYE && d->state != LAMP_DELIVERY_IDLE) {
        *out_bye = m->u.bye.reason;
        *out_pause_us = pause_after(&m->u.bye);
        return LAMP_EAUTH;
    }
    if (m->type == LAMP_MSG_WELCOME)
        err = on_welcome(d, &m->u.welcome, now);
    else if (m->type == LAMP_MSG_ACK)
        err = on_ack(d, &m->u.ack, now);
    else if (m->type == LAMP_MSG_PONG)
        note_clock(d, m->u.pong.t_ping_us, m->u.pong.t_us, m->u.pong.t_us, now.real_us);
    if (!err)
        err = pump(d, now);
    if (err == LAMP_EPROTO)
        *out_pause_us = AGAIN_SOON_US;
    return err;
}

/* ---- time ---- */

static bool waits_for_ack(const lamp_delivery *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->streams[i].close_sent || d->streams[i].send_seq > d->streams[i].s.next_seq)
            return true;
    return false;
}

static int go_back(lamp_delivery *d, struct lamp_now now)
{
    if (++d->go_backs > GO_BACK_MAX)
        return LAMP_ETIMEOUT;
    for (size_t i = 0; i < d->n; i++) {
        d->streams[i].send_seq = d->streams[i].s.next_seq;
        d->streams[i].close_sent = false;
    }
    d->progress_us = now.mono_us;
    return LAMP_OK;
}

static bool only_current_left(const lamp_delivery *d)
{
    return d->n == 0 || (d->n == 1 && d->streams[0].s.current);
}

/* HELLO names at most 64 streams; where there were more, the next session takes them on. */
static bool more_streams(const lamp_delivery *d)
{
    struct lamp_spool_stream two[2];
    size_t n;
    return only_current_left(d) && lamp_spool_streams(d->cfg.spool, two, 2, &n) == LAMP_OK &&
           n > d->n && !d->finishing;
}

int lamp_delivery_tick(lamp_delivery *d, struct lamp_now now)
{
    if (d->state == LAMP_DELIVERY_IDLE)
        return LAMP_OK;
    if (now.mono_us - d->rx_us >= DEAD_AFTER_US)
        return LAMP_ETIMEOUT;
    if (d->state == LAMP_DELIVERY_HELLO) {
        if (d->hello_us != 0 && now.mono_us - d->hello_us < d->hello_wait_us)
            return LAMP_OK;
        if (d->hello_us != 0)
            d->hello_wait_us *= 2; /* DEAD_AFTER_US ends it before it grows long */
        const int err = load_streams(d);
        return err ? err : tolerate(send_hello(d, now));
    }
    int err = LAMP_OK;
    if (d->serial_due ||
        (now.mono_us - d->rx_us >= PING_AFTER_US && now.mono_us - d->ping_us >= PING_AFTER_US))
        err = send_ping(d, now);
    if (!err && waits_for_ack(d) && now.mono_us - d->progress_us >= GO_BACK_AFTER_US)
        err = go_back(d, now);
    if (!err && more_streams(d))
        err = LAMP_ETIMEOUT;
    return err ? err : pump(d, now);
}

void lamp_delivery_finish(lamp_delivery *d, struct lamp_now now)
{
    d->finishing = true;
    for (size_t i = 0; i < d->n; i++)
        d->streams[i].closing = true;
    (void)pump(d, now); /* best effort: a restart closes the stream as well */
}

bool lamp_delivery_finished(const lamp_delivery *d)
{
    return d->state == LAMP_DELIVERY_STREAMING && d->n == 0;
}

size_t lamp_delivery_room(const lamp_delivery *d)
{
    if (d->state != LAMP_DELIVERY_STREAMING || d->sent_bytes >= d->credit)
        return 0;
    const uint64_t left = d->credit - d->sent_bytes;
    for (size_t i = 0; i < d->n; i++)
        if (d->streams[i].send_seq <= d->streams[i].s.last_seq)
            return 0;
    return (size_t)lamp_min_u64(left - lamp_min_u64(KEPT_CREDIT, left / 4), SIZE_MAX);
}

void lamp_delivery_used(lamp_delivery *d, size_t bytes)
{
    d->sent_bytes += bytes;
}
