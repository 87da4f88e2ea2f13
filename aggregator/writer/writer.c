/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/writer.h"

#include "aggregator/writer/touched.h"
#include "aggregator/writer/tracker.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define SECOND_US UINT64_C(1000000)

enum {
    GROUP_MAX = 256,                /* letters in one transaction */
    GROUP_US = 1000000,             /* how long one may stay open */
    COMMANDS_MAX = 32,              /* answered together */
    WINDOW_BYTES = 4 * 1024 * 1024, /* what a sensor may have under way */
    FAILURES_MAX = 3,
    FUTURE_US = 5 * 60 * 1000000,
    LOSS_MAX = 1 << 30, /* records one LOSS may stand for */
};

/* How far a stream will be acknowledged. */
struct ack {
    char sensor[LAMP_NAME_MAX];
    struct lamp_session_id session;
    struct lamp_stream_next next;
    uint64_t credit_bytes;
};

struct lamp_writer {
    struct lamp_writer_cfg cfg;
    lamp_store *store;
    lamp_blocklist *blocks;
    lamp_touched *touched;
    uint64_t epoch;
    pthread_t thread;
    int stop_fd;
    _Atomic bool failed;

    bool open;                           /* a transaction is */
    uint64_t opened_us;                  /* monotonic */
    unsigned letters;                    /* in it */
    unsigned failures;                   /* in a row */
    struct lamp_letter *out, **out_last; /* answers that wait for the commit */
    struct ack acks[GROUP_MAX];          /* likewise, one per stream */
    size_t n_acks;
    struct lamp_command_result results[COMMANDS_MAX];
    size_t n_results;    /* likewise */
    bool blocks_changed; /* miners must be looked at again */
};

/* ---- answers ---- */

/* Packs a message to go out after the commit. to: whose letter it answers; NULL: to every
 * sensor of the site. Memory running out loses an answer, which is asked for again. */
static void reply(lamp_writer *w, const struct lamp_letter *to, const char *site,
                  const struct lamp_msg *m)
{
    struct lamp_letter *l = calloc(1, sizeof(*l));
    if (!l || lamp_msg_pack(m, &l->data, &l->len) != LAMP_OK) {
        free(l);
        return;
    }
    if (to) {
        memcpy(l->sensor, to->sensor, sizeof(l->sensor));
        l->session = to->session;
    } else {
        snprintf(l->site, sizeof(l->site), "%s", site);
    }
    l->cost = l->len;
    *w->out_last = l;
    w->out_last = &l->next;
}

static void drop_answers(lamp_writer *w)
{
    while (w->out) {
        struct lamp_letter *l = w->out;
        w->out = l->next;
        lamp_letter_free(l);
    }
    w->out_last = &w->out;
    w->n_acks = 0;
}

/* Notes an acknowledgement; the newest one of a stream stands for all before it. */
static void note_ack(lamp_writer *w, const struct lamp_letter *to,
                     const struct lamp_stream_id *stream, uint64_t next_seq)
{
    size_t i = 0;
    while (i < w->n_acks && (memcmp(&w->acks[i].next.stream, stream, sizeof(*stream)) != 0 ||
                             memcmp(&w->acks[i].session, &to->session, sizeof(to->session)) != 0))
        i++;
    if (i == ARRAY_LEN(w->acks))
        return;
    w->n_acks = i == w->n_acks ? i + 1 : w->n_acks;
    struct ack *a = &w->acks[i];
    *a = (struct ack){ .session = to->session,
                       .next = { *stream, next_seq },
                       .credit_bytes = to->session_bytes + WINDOW_BYTES };
    memcpy(a->sensor, to->sensor, sizeof(a->sensor));
}

static void reply_acks(lamp_writer *w)
{
    for (size_t i = 0; i < w->n_acks; i++) {
        struct ack *a = &w->acks[i];
        struct lamp_letter to = { .session = a->session };
        memcpy(to.sensor, a->sensor, sizeof(to.sensor));
        struct lamp_msg m = { .type = LAMP_MSG_ACK };
        m.u.ack =
            (struct lamp_ack){ a->session, &a->next, 1, a->credit_bytes, lamp_clock_real_us() };
        reply(w, &to, NULL, &m);
    }
    w->n_acks = 0;
}

static void send_answers(lamp_writer *w)
{
    reply_acks(w);
    while (w->out) {
        struct lamp_letter *l = w->out;
        w->out = l->next;
        if (lamp_mailbox_put(w->cfg.outbox, &l) != LAMP_OK)
            lamp_letter_free(l); /* as if lost on the way */
    }
    w->out_last = &w->out;
}

/* ---- what the tracker and the block list call ---- */

static bool covered(const struct lamp_miner_target *t, void *arg)
{
    return lamp_blocklist_covers(((lamp_writer *)arg)->blocks, t);
}

static void miner_touched(int64_t id, void *arg)
{
    lamp_touched_add(((lamp_writer *)arg)->touched, LAMP_EVENT_MINER, id, "");
}

static void block_touched(int64_t id, void *arg)
{
    lamp_touched_add(((lamp_writer *)arg)->touched, LAMP_EVENT_BLOCK, id, "");
}

static void on_news(const struct lamp_blocklist_news *news, void *arg)
{
    lamp_writer *w = arg;
    if (news->expired_id) {
        block_touched(news->expired_id, w);
        w->blocks_changed = true;
        return;
    }
    struct lamp_msg m = { .type = LAMP_MSG_SET_NOTIFY };
    m.u.set_notify.head = news->head;
    reply(w, NULL, news->site, &m);
}

/* Miners whose block state is no longer right. */
struct flips {
    lamp_writer *w;
    struct {
        int64_t id;
        bool blocked;
    } * v;
    size_t n;
    bool failed;
};

static bool find_flip(const struct lamp_miner_target *t, void *arg)
{
    struct flips *f = arg;
    const bool blocked = lamp_blocklist_covers(f->w->blocks, t);
    if (blocked == t->blocked)
        return true;
    if (f->n % 64 == 0) {
        void *v = realloc(f->v, (f->n + 64) * sizeof(*f->v));
        if (!v) {
            f->failed = true;
            return false;
        }
        f->v = v;
    }
    f->v[f->n].id = t->id;
    f->v[f->n++].blocked = blocked;
    return true;
}

static int refresh_miners(lamp_writer *w)
{
    struct flips f = { .w = w };
    int err = lamp_store_miner_targets(w->store, 0, find_flip, &f);
    if (err == LAMP_OK && f.failed)
        err = LAMP_ENOMEM;
    for (size_t i = 0; i < f.n && err == LAMP_OK; i++) {
        err = lamp_store_miner_blocked(w->store, f.v[i].id, f.v[i].blocked);
        miner_touched(f.v[i].id, w);
    }
    free(f.v);
    w->blocks_changed = false;
    return err;
}

/* ---- letters ---- */

/* One letter being worked on: what it adds to its sensor's row. */
struct work {
    const struct lamp_letter *letter;
    struct lamp_store_sensor sensor;
    struct lamp_sensor_delta delta;
    char version[LAMP_NAME_MAX];
};

static int on_hello(lamp_writer *w, struct work *k)
{
    const struct lamp_hello *h = &k->letter->msg->u.hello;
    struct lamp_stream_next next[LAMP_WIRE_STREAMS_MAX];
    size_t n = 0;
    for (; n < h->n_streams && n < ARRAY_LEN(next); n++) {
        struct lamp_store_stream st;
        const int err = lamp_store_stream(w->store, k->sensor.ref, &h->streams[n].stream,
                                          k->letter->at_us, &st);
        if (err != LAMP_OK)
            return err;
        next[n] = (struct lamp_stream_next){ h->streams[n].stream, st.next_seq };
    }
    struct lamp_set_head head;
    struct lamp_msg m = { .type = LAMP_MSG_WELCOME };
    m.u.welcome = (struct lamp_welcome){
        .proto = LAMP_WIRE_PROTO,
        .session = h->session,
        .agg_epoch = w->epoch,
        .streams = next,
        .n_streams = n,
        .credit_bytes = k->letter->session_bytes + WINDOW_BYTES,
        .t_rx_us = k->letter->at_us,
        .t_tx_us = lamp_clock_real_us(),
        .interval_ms = w->cfg.interval_ms,
        .sets = &head,
        .n_sets = lamp_blocklist_head(w->blocks, k->sensor.site, &head) == LAMP_OK,
    };
    reply(w, k->letter, NULL, &m);

    k->delta.version = lamp_text_utf8(h->build.data, h->build.len, k->version, sizeof(k->version));
    k->delta.has_clock_offset = true;
    k->delta.clock_offset_us = (int64_t)(h->t_real_us - k->letter->at_us);
    return LAMP_OK;
}

/* A record that cannot be read is skipped, and the hole is on record. */
static int skip_record(lamp_writer *w, struct work *k, const struct lamp_store_stream *st)
{
    const struct lamp_summary *s = &k->letter->msg->u.summary;
    lamp_log_limited(LAMP_LOG_WARN, "writer",
                     "a summary makes no sense, counted as lost sensor=%s seq=%llu", k->sensor.id,
                     (unsigned long long)s->seq);
    k->delta.lost_records++;
    return lamp_store_gap(w->store,
                          &(struct lamp_store_gap){ k->sensor.ref, st->ref, s->seq, s->seq,
                                                    s->t_from_us, s->t_to_us, s->n_rows, s->n_bytes,
                                                    k->letter->at_us, "unreadable" });
}

static int merge_record(lamp_writer *w, struct work *k, const struct lamp_store_stream *st)
{
    const struct lamp_summary *s = &k->letter->msg->u.summary;
    struct lamp_batch *b = NULL;
    int err = lamp_batch_unpack(s->batch, &b);
    if (err == LAMP_EFORMAT || err == LAMP_EFULL)
        return skip_record(w, k, st);
    if (err != LAMP_OK)
        return err;
    const struct lamp_tracker tracker = { w->store, covered, miner_touched, w };
    const struct lamp_record rec = { &k->sensor, st->ref, s->seq, k->letter->at_us };
    err = lamp_tracker_merge(&tracker, &rec, b);
    if (err == LAMP_OK)
        err = lamp_store_counters(w->store, k->sensor.ref, b->cap_run, &b->counters);
    k->delta.batches++;
    k->delta.rows += b->n_conns + b->n_rollups;
    k->delta.data_us = b->t_to_us < k->letter->at_us + FUTURE_US ? b->t_to_us : k->letter->at_us;
    lamp_batch_free(b);
    return err;
}

static int on_summary(lamp_writer *w, struct work *k)
{
    const struct lamp_summary *s = &k->letter->msg->u.summary;
    struct lamp_store_stream st;
    int err = lamp_store_stream(w->store, k->sensor.ref, &s->stream, k->letter->at_us, &st);
    if (err != LAMP_OK)
        return err;
    if (s->seq == st.next_seq) {
        err = merge_record(w, k, &st);
        st.next_seq++;
        if (err == LAMP_OK)
            err = lamp_store_stream_put(w->store, &st);
    } else if (s->seq < st.next_seq) {
        k->delta.duplicates++;
    }
    if (err == LAMP_OK)
        note_ack(w, k->letter, &s->stream, st.next_seq);
    return err;
}

static int on_loss(lamp_writer *w, struct work *k)
{
    static const char *const reasons[] = { "unspecified", "quota", "damaged", "restore",
                                           "memory-only" };
    const struct lamp_loss *l = &k->letter->msg->u.loss;
    struct lamp_store_stream st;
    int err = lamp_store_stream(w->store, k->sensor.ref, &l->stream, k->letter->at_us, &st);
    if (err != LAMP_OK)
        return err;
    if (l->to_seq < st.next_seq) {
        k->delta.duplicates++;
    } else if (l->from_seq <= st.next_seq && l->to_seq - st.next_seq < LOSS_MAX) {
        err = lamp_store_gap(
            w->store,
            &(struct lamp_store_gap){
                k->sensor.ref, st.ref, st.next_seq, l->to_seq, l->t_from_us, l->t_to_us, l->n_flows,
                l->n_bytes, k->letter->at_us,
                reasons[(size_t)l->reason < ARRAY_LEN(reasons) ? (size_t)l->reason : 0] });
        k->delta.lost_records += l->to_seq - st.next_seq + 1;
        st.next_seq = l->to_seq + 1;
        if (err == LAMP_OK)
            err = lamp_store_stream_put(w->store, &st);
    }
    if (err == LAMP_OK)
        note_ack(w, k->letter, &l->stream, st.next_seq);
    return err;
}

static int on_close(lamp_writer *w, struct work *k)
{
    const struct lamp_close *c = &k->letter->msg->u.close;
    struct lamp_store_stream st;
    int err = lamp_store_stream(w->store, k->sensor.ref, &c->stream, k->letter->at_us, &st);
    if (err == LAMP_OK && st.next_seq == c->last_seq + 1 && !st.closed) {
        st.closed = true;
        err = lamp_store_stream_put(w->store, &st);
    }
    if (err == LAMP_OK)
        note_ack(w, k->letter, &c->stream, st.next_seq);
    return err;
}

struct answer {
    lamp_writer *w;
    const struct lamp_letter *to;
};

static int send_part(const struct lamp_msg *m, void *arg)
{
    const struct answer *a = arg;
    reply(a->w, a->to, NULL, m);
    return LAMP_OK;
}

static int on_query(lamp_writer *w, struct work *k)
{
    const struct lamp_set_query *q = &k->letter->msg->u.set_query;
    struct lamp_set_head head;
    if (q->have.kind != LAMP_SET_BLOCK ||
        lamp_blocklist_head(w->blocks, k->sensor.site, &head) != LAMP_OK)
        return LAMP_OK; /* nothing of that kind is published */
    if (q->have.epoch == head.epoch && q->have.serial == head.serial &&
        memcmp(q->have.digest, head.digest, sizeof(head.digest)) == 0) {
        struct lamp_msg m = { .type = LAMP_MSG_SET_NOTIFY };
        m.u.set_notify.head = head;
        reply(w, k->letter, NULL, &m);
        return LAMP_OK;
    }
    struct answer a = { w, k->letter };
    const int err = lamp_blocklist_answer(w->blocks, k->sensor.site, &q->nonce, send_part, &a);
    return err == LAMP_OK ? lamp_store_list_sent(w->store, k->sensor.ref, head.serial,
                                                 k->letter->at_us, block_touched, w)
                          : err;
}

static int on_letter(lamp_writer *w, const struct lamp_letter *letter)
{
    struct work k = { .letter = letter };
    int err = lamp_store_sensor(w->store, letter->sensor, &k.sensor);
    if (err == LAMP_ENOENT)
        return LAMP_OK; /* struck off the allow list meanwhile */
    if (err != LAMP_OK)
        return err;
    switch (letter->msg->type) {
    case LAMP_MSG_HELLO:
        err = on_hello(w, &k);
        break;
    case LAMP_MSG_SUMMARY:
        err = on_summary(w, &k);
        break;
    case LAMP_MSG_LOSS:
        err = on_loss(w, &k);
        break;
    case LAMP_MSG_CLOSE:
        err = on_close(w, &k);
        break;
    case LAMP_MSG_SET_QUERY:
        err = on_query(w, &k);
        break;
    case LAMP_MSG_SET_STATUS:
        err = lamp_store_list_status(w->store, k.sensor.ref, &letter->msg->u.set_status,
                                     letter->at_us, block_touched, w);
        break;
    default:
        break; /* PING: only that it was heard */
    }
    k.delta.seen_us = letter->at_us;
    k.delta.uplink_bytes = letter->cost;
    if (err == LAMP_OK)
        err = lamp_store_sensor_add(w->store, k.sensor.ref, &k.delta);
    lamp_touched_add(w->touched, LAMP_EVENT_SENSOR, 0, k.sensor.id);
    lamp_touched_add(w->touched, LAMP_EVENT_STATUS, 0, "");
    return err;
}

/* The allow list as it stands becomes the enrolled sensors and the sites that have lists. */
static int enroll(lamp_writer *w, uint64_t now_us)
{
    LAMP_AUTO_FREE struct lamp_allowed *v = NULL;
    size_t n = 0;
    int err = lamp_allow_copy(w->cfg.allow, &v, &n);
    if (err == LAMP_OK)
        err = lamp_store_unenroll_all(w->store);
    for (size_t i = 0; i < n && err == LAMP_OK; i++) {
        err = lamp_store_enroll(w->store, v[i].id, v[i].site, now_us);
        if (err == LAMP_OK)
            err = lamp_blocklist_site(w->blocks, v[i].site, now_us);
    }
    lamp_touched_add(w->touched, LAMP_EVENT_STATUS, 0, "");
    return err;
}

/* ---- transactions ---- */

static int begin(lamp_writer *w)
{
    if (w->open)
        return LAMP_OK;
    const int err = lamp_store_begin(w->store);
    if (err == LAMP_OK) {
        w->open = true;
        w->opened_us = lamp_clock_mono_us();
        w->letters = 0;
    }
    return err;
}

static int open_blocks(lamp_writer *w)
{
    const struct lamp_blocklist_cfg cfg = { w->store, w->cfg.keys, w->cfg.never, w->cfg.n_never,
                                            w->cfg.list_ttl_s };
    lamp_blocklist *fresh = NULL;
    const int err = lamp_blocklist_open(&cfg, &fresh);
    if (err == LAMP_OK) {
        lamp_blocklist_close(w->blocks);
        w->blocks = fresh;
    }
    return err;
}

/* Undoes everything since begin(): nothing of it was acknowledged, so it all comes again. */
static void undo(lamp_writer *w, int why)
{
    lamp_log(LAMP_LOG_ERROR, "writer",
             "the store refused; nothing of this group counts error=\"%s\"",
             why == LAMP_ESTORE ? lamp_store_why(w->store) : lamp_strerror(why));
    lamp_store_rollback(w->store);
    w->open = false;
    drop_answers(w);
    for (size_t i = 0; i < w->n_results; i++) {
        struct lamp_command_result *r = &w->results[i];
        if (r->err == LAMP_OK) {
            r->err = LAMP_ESTORE;
            snprintf(r->why, sizeof(r->why), "the database refused; see the aggregator's log");
        }
    }
    w->failures++;
    int err = open_blocks(w);
    if (err == LAMP_OK)
        err = lamp_store_begin(w->store);
    if (err == LAMP_OK)
        err = enroll(w, lamp_clock_real_us());
    if (err == LAMP_OK)
        err = lamp_store_commit(w->store);
    if (err != LAMP_OK)
        lamp_store_rollback(w->store);
    if ((err != LAMP_OK || w->failures >= FAILURES_MAX) && !atomic_exchange(&w->failed, true)) {
        lamp_log(LAMP_LOG_ERROR, "writer", "giving up: the store keeps refusing");
        kill(getpid(), SIGTERM);
    }
}

static void answer_commands(lamp_writer *w)
{
    for (size_t i = 0; i < w->n_results; i++)
        lamp_commands_answer(w->cfg.commands, &w->results[i]);
    w->n_results = 0;
}

/* Publishes lists, commits, and only then lets answers and events go. err: of the work so far. */
static void finish(lamp_writer *w, int err)
{
    const uint64_t now_us = lamp_clock_real_us();
    if (err == LAMP_OK && lamp_blocklist_due_us(w->blocks) <= now_us) {
        err = begin(w);
        if (err == LAMP_OK)
            err = lamp_blocklist_publish(w->blocks, now_us, on_news, w);
    }
    if (err == LAMP_OK && w->blocks_changed)
        err = begin(w);
    if (err == LAMP_OK && w->blocks_changed)
        err = refresh_miners(w);
    if (err == LAMP_OK && w->open)
        err = lamp_store_commit(w->store);
    if (err == LAMP_OK) {
        w->open = false;
        w->failures = 0;
        send_answers(w);
    } else {
        undo(w, err);
    }
    answer_commands(w);
    lamp_touched_publish(w->touched, now_us, w->cfg.events);
}

/* ---- commands ---- */

static int on_block(lamp_writer *w, const struct lamp_command *c, uint64_t now_us,
                    struct lamp_command_result *r)
{
    struct lamp_block b = {
        .kind = c->block_kind,
        .prefix = c->prefix,
        .port = c->port,
        .ip_proto = c->ip_proto,
        .created_us = now_us,
        .expires_us = now_us + c->ttl_s * SECOND_US,
    };
    snprintf(b.site, sizeof(b.site), "%s", c->site);
    snprintf(b.reason, sizeof(b.reason), "%s", c->reason);
    snprintf(b.created_by, sizeof(b.created_by), "%s", c->actor);
    const int err = lamp_blocklist_add(w->blocks, &b, r->why, sizeof(r->why));
    r->block_id = err == LAMP_OK ? b.id : 0;
    return err;
}

/* Carries out the commands that wait. Returns an error only where the transaction is spoilt. */
static int take_commands(lamp_writer *w)
{
    struct lamp_command c;
    while (w->n_results < COMMANDS_MAX && lamp_commands_take(w->cfg.commands, &c) == LAMP_OK) {
        struct lamp_command_result *r = &w->results[w->n_results++];
        *r = (struct lamp_command_result){ 0 };
        const uint64_t now_us = lamp_clock_real_us();
        r->err = begin(w);
        if (r->err == LAMP_OK && c.kind == LAMP_CMD_BLOCK) {
            r->err = on_block(w, &c, now_us, r);
        } else if (r->err == LAMP_OK) {
            r->block_id = c.block_id;
            r->err =
                lamp_blocklist_end(w->blocks, c.block_id, c.actor, now_us, r->why, sizeof(r->why));
        }
        if (r->err == LAMP_ESTORE || r->err == LAMP_ENOMEM) {
            const int err = r->err;
            snprintf(r->why, sizeof(r->why), "the database refused; see the aggregator's log");
            return err;
        }
        if (r->err == LAMP_OK) {
            w->blocks_changed = true;
            block_touched(r->block_id, w);
            lamp_touched_add(w->touched, LAMP_EVENT_STATUS, 0, "");
        }
    }
    return LAMP_OK;
}

/* ---- the thread ---- */

/* Takes letters until the group is full or none waits. */
static int take_letters(lamp_writer *w)
{
    int err = LAMP_OK;
    while (err == LAMP_OK && w->letters < GROUP_MAX &&
           (!w->open || lamp_clock_mono_us() - w->opened_us < GROUP_US)) {
        struct lamp_letter *l = lamp_mailbox_take(w->cfg.inbox);
        if (!l)
            break;
        err = begin(w);
        if (err == LAMP_OK)
            err = l->msg ? on_letter(w, l) : enroll(w, lamp_clock_real_us());
        w->letters++;
        lamp_letter_free(l);
    }
    return err;
}

static int wait_ms(const lamp_writer *w)
{
    if (atomic_load(&w->failed))
        return 1000; /* only waiting for the end */
    const uint64_t now_us = lamp_clock_real_us();
    uint64_t due_us = lamp_blocklist_due_us(w->blocks);
    if (lamp_touched_due_us(w->touched) < due_us)
        due_us = lamp_touched_due_us(w->touched);
    if (due_us <= now_us)
        return 0;
    /* At least once a minute, in case the clock was set. */
    const uint64_t left_us = due_us - now_us;
    return lamp_clock_poll_ms(left_us < 60 * SECOND_US ? left_us : 60 * SECOND_US);
}

static void *run(void *arg)
{
    lamp_writer *w = arg;
    bool stopping = false;
    for (;;) {
        struct pollfd fds[] = {
            { w->stop_fd, POLLIN, 0 },
            { lamp_mailbox_fd(w->cfg.inbox), POLLIN, 0 },
            { lamp_commands_fd(w->cfg.commands), POLLIN, 0 },
        };
        (void)poll(fds, ARRAY_LEN(fds), stopping ? 0 : wait_ms(w));
        stopping |= fds[0].revents != 0;
        if (stopping && !fds[1].revents && !fds[2].revents)
            return NULL;
        w->letters = 0;
        int err = take_commands(w);
        if (err == LAMP_OK)
            err = take_letters(w);
        finish(w, err);
    }
}

static void free_writer(lamp_writer *w)
{
    drop_answers(w);
    lamp_blocklist_close(w->blocks);
    lamp_touched_free(w->touched);
    if (w->stop_fd >= 0)
        close(w->stop_fd);
    free(w);
}

static int prepare(lamp_writer *w)
{
    const uint64_t now_us = lamp_clock_real_us();
    int err = lamp_touched_new(&w->touched);
    if (err == LAMP_OK)
        err = lamp_store_epoch(w->store, &w->epoch);
    if (err == LAMP_OK)
        err = open_blocks(w);
    if (err == LAMP_OK)
        err = lamp_store_begin(w->store);
    if (err == LAMP_OK)
        err = lamp_store_set_interval(w->store, w->cfg.interval_ms * UINT64_C(1000));
    if (err == LAMP_OK)
        err = enroll(w, now_us);
    if (err == LAMP_OK)
        err = lamp_blocklist_publish(w->blocks, now_us, on_news, w);
    if (err == LAMP_OK)
        err = lamp_store_commit(w->store);
    if (err != LAMP_OK)
        lamp_store_rollback(w->store);
    drop_answers(w); /* nobody is connected yet */
    return err;
}

int lamp_writer_start(const struct lamp_writer_cfg *cfg, lamp_writer **out)
{
    lamp_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return LAMP_ENOMEM;
    w->cfg = *cfg;
    w->store = cfg->store;
    w->out_last = &w->out;
    w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = w->stop_fd >= 0 ? prepare(w) : -errno;
    if (err == LAMP_OK && pthread_create(&w->thread, NULL, run, w) != 0)
        err = LAMP_EIO;
    if (err != LAMP_OK) {
        free_writer(w);
        return err;
    }
    *out = w;
    return LAMP_OK;
}

lamp_writer *lamp_writer_stop(lamp_writer *w)
{
    if (!w)
        return NULL;
    (void)eventfd_write(w->stop_fd, 1);
    pthread_join(w->thread, NULL);
    free_writer(w);
    return NULL;
}

bool lamp_writer_failed(const lamp_writer *w)
{
    return atomic_load(&w->failed);
}
