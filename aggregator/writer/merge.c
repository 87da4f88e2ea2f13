/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/merge.h"

#include "aggregator/writer/tracker.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)

enum { LOSS_MAX = 1 << 30 }; /* records one LOSS may stand for */

#define FUTURE_US (5 * MINUTE_US)     /* nothing is reported sooner than it happens */
#define CLOCK_OFF_US (30 * SECOND_US) /* from here on a sensor's clock is put right */
#define PAUSE_US (2 * SECOND_US)      /* between two intervals: from here on it is a gap */

/* One letter being worked on: what it adds to its sensor's row. */
struct work {
    const struct lamp_letter *letter;
    struct lamp_store_sensor sensor;
    struct lamp_sensor_delta delta;
    char version[LAMP_NAME_MAX];
};

/* ---- streams ---- */

/* The state of a stream; one that nothing was merged of has no row yet (ref 0), so that a HELLO
 * full of made-up streams leaves nothing behind. */
static int find_stream(const struct lamp_merge *m, const struct work *k,
                       const struct lamp_stream_id *id, struct lamp_store_stream *out)
{
    const int err = lamp_store_stream(m->store, k->sensor.ref, id, out);
    if (err != LAMP_ENOENT)
        return err;
    *out = (struct lamp_store_stream){ .next_seq = 1 };
    return LAMP_OK;
}

static int need_row(const struct lamp_merge *m, const struct work *k,
                    const struct lamp_stream_id *id, struct lamp_store_stream *st)
{
    return st->ref ? LAMP_OK
                   : lamp_store_stream_add(m->store, k->sensor.ref, id, k->letter->at_us, st);
}

static void acknowledge(const struct lamp_merge *m, const struct work *k,
                        const struct lamp_stream_id *id, uint64_t next_seq)
{
    lamp_answers_ack(m->answers, k->letter, &(struct lamp_stream_next){ *id, next_seq },
                     k->letter->session_bytes + m->window_bytes);
}

/* agg_us: our own clock at the sensor's sensor_us. */
static void note_clock(struct work *k, uint64_t sensor_us, uint64_t agg_us)
{
    k->delta.has_clock_offset = true;
    k->delta.clock_offset_us = (int64_t)(sensor_us - agg_us);
}

/* ---- streams that are gone ---- */

struct forgotten {
    const struct lamp_hello *hello;
    struct lamp_store_stream v[LAMP_STREAMS_KEPT];
    size_t n;
};

static void find_forgotten(const struct lamp_store_stream *st, void *arg)
{
    struct forgotten *f = arg;
    for (size_t i = 0; i < f->hello->n_streams; i++)
        if (memcmp(&f->hello->streams[i].stream, &st->id, sizeof(st->id)) == 0)
            return;
    if (f->n < ARRAY_LEN(f->v))
        f->v[f->n++] = *st;
}

/* Streams that the sensor should know and does not name: its spool is gone, and what was in it
 * since the last record that came is a gap. Of a database that was restored nothing is said: the
 * sensor is about to name again what it retained. */
static int close_forgotten(const struct lamp_merge *m, struct work *k,
                           const struct lamp_stream_next *next)
{
    const struct lamp_hello *h = &k->letter->msg->u.hello;
    for (size_t i = 0; i < h->n_streams; i++)
        if (h->streams[i].acked_seq >= next[i].next_seq)
            return LAMP_OK;
    if (h->more_streams || (h->agg_epoch && h->agg_epoch != m->epoch))
        return LAMP_OK;
    struct forgotten *f = calloc(1, sizeof(*f));
    if (!f)
        return LAMP_ENOMEM;
    f->hello = h;
    int err = lamp_store_streams_open(m->store, k->sensor.ref, find_forgotten, f);
    for (size_t i = 0; i < f->n && err == LAMP_OK; i++) {
        struct lamp_store_stream *st = &f->v[i];
        const struct lamp_store_gap gap = {
            .sensor_ref = k->sensor.ref,
            .stream_ref = st->ref,
            .from_seq = st->next_seq,
            .to_seq = st->next_seq - 1,
            .from_us = st->to_us,
            .to_us = k->letter->at_us,
            .at_us = k->letter->at_us,
            .reason = h->memory_only ? "memory-only" : "spool lost",
        };
        st->closed = true;
        err = lamp_store_gap(m->store, &gap);
        if (err == LAMP_OK)
            err = lamp_store_stream_put(m->store, st);
    }
    free(f);
    return err;
}

/* ---- keys ---- */

static void announce(const struct lamp_merge *m, struct work *k, uint64_t known_serial)
{
    k->delta.has_server_key_serial = true;
    k->delta.server_key_serial = known_serial;
    if (known_serial < m->next_server_key->serial)
        lamp_answers_add(
            m->answers, k->letter,
            &(struct lamp_msg){ .type = LAMP_MSG_SERVER_KEY, .u.server_key = *m->next_server_key });
}

/* The key of a session that begins. */
static int note_key(const struct lamp_merge *m, struct work *k)
{
    bool replace;
    const int err = lamp_keyring_used(m->keyring, k->letter->key, k->letter->at_us, &replace);
    if (err == LAMP_OK && replace)
        lamp_answers_add(m->answers, k->letter,
                         &(struct lamp_msg){ .type = LAMP_MSG_KEY_STATE,
                                             .u.key_state.order = LAMP_KEY_ORDER_REPLACE });
    announce(m, k, k->letter->msg->u.hello.server_key_serial);
    return err;
}

static int note_spool(const struct lamp_merge *m, const struct work *k)
{
    const struct lamp_hello *h = &k->letter->msg->u.hello;
    return lamp_alarms_spool(m->alarms, k->sensor.id, k->sensor.site, h->spool_bytes,
                             h->spool_quota_bytes, k->letter->at_us);
}

static int on_key_rotate(const struct lamp_merge *m, struct work *k)
{
    const struct lamp_key_rotate *r = &k->letter->msg->u.key_rotate;
    struct lamp_msg answer = { .type = LAMP_MSG_KEY_STATE };
    const int err = lamp_keyring_next(m->keyring, k->letter->key, r->public_key, k->letter->at_us,
                                      &answer.u.key_state.order);
    memcpy(answer.u.key_state.public_key, r->public_key, sizeof(r->public_key));
    lamp_answers_add(m->answers, k->letter, &answer);
    return err;
}

static int on_hello(const struct lamp_merge *m, struct work *k)
{
    const struct lamp_hello *h = &k->letter->msg->u.hello;
    struct lamp_stream_next next[LAMP_WIRE_STREAMS_MAX];
    size_t n = 0;
    for (; n < h->n_streams && n < ARRAY_LEN(next); n++) {
        struct lamp_store_stream st;
        const int err = find_stream(m, k, &h->streams[n].stream, &st);
        if (err != LAMP_OK)
            return err;
        next[n] = (struct lamp_stream_next){ h->streams[n].stream, st.next_seq };
    }
    const int err = close_forgotten(m, k, next);
    if (err != LAMP_OK)
        return err;
    struct lamp_set_head heads[LAMP_SETS_SOURCES_MAX];
    size_t n_heads = 0;
    for (enum lamp_set_kind kind = LAMP_SET_WATCH; kind <= LAMP_SET_POLICY; kind++)
        if (lamp_sets_head(m->sets, kind, k->sensor.site, &heads[n_heads]) == LAMP_OK)
            n_heads++;
    struct lamp_msg welcome = { .type = LAMP_MSG_WELCOME };
    welcome.u.welcome = (struct lamp_welcome){
        .proto = LAMP_WIRE_PROTO,
        .session = h->session,
        .agg_epoch = m->epoch,
        .streams = next,
        .n_streams = n,
        .credit_bytes = k->letter->session_bytes + m->window_bytes,
        .t_rx_us = k->letter->at_us,
        .t_tx_us = lamp_clock_real_us(),
        .interval_ms = m->interval_ms,
        .sets = heads,
        .n_sets = n_heads,
    };
    lamp_answers_add(m->answers, k->letter, &welcome);
    int used = note_key(m, k);
    if (used == LAMP_OK && m->samples)
        used = lamp_samplebook_hello(m->samples, k->letter, k->sensor.ref, m->answers);
    if (used == LAMP_OK && m->trackings)
        used = lamp_trackbook_hello(m->trackings, k->letter, k->sensor.ref, m->answers);
    if (used != LAMP_OK)
        return used;
    if (m->clock)
        lamp_fleetclock_hello(m->clock, k->letter, m->answers);
    k->delta.version = lamp_text_utf8(h->build.data, h->build.len, k->version, sizeof(k->version));
    note_clock(k, h->t_real_us, k->letter->at_us);
    if (k->letter->shared_key)
        k->delta.shared_key_us = k->letter->at_us;
    return note_spool(m, k);
}

/* For what is sent within the credit too, and no record acknowledges. */
static void give_credit(const struct lamp_merge *m, const struct work *k)
{
    struct lamp_msg credit = { .type = LAMP_MSG_ACK };
    credit.u.ack.session = k->letter->session;
    credit.u.ack.credit_bytes = k->letter->session_bytes + m->window_bytes;
    credit.u.ack.t_us = k->letter->at_us;
    lamp_answers_add(m->answers, k->letter, &credit);
}

/* A sensor that has nothing to deliver for weeks uses its credit up all the same. */
static void on_ping(const struct lamp_merge *m, struct work *k)
{
    const struct lamp_ping *p = &k->letter->msg->u.ping;
    if (k->letter->short_of_credit)
        give_credit(m, k);
    announce(m, k, p->server_key_serial);
    note_clock(k, p->t_us, p->rtt_us ? p->t_agg_us : k->letter->at_us);
}

/* ---- the clock of a sensor ---- */

/* How far a batch is off. A router that has no battery stamps its packets with 1970 until NTP
 * reaches it, so a difference told by HELLO or PING is taken off, unless that would move the
 * batch into the future (the clock was set since). Without one, a batch from the future happened
 * now. The times of a capture file are not of the sensor's clock. */
static int64_t clock_error_us(const struct work *k, const struct lamp_batch *b)
{
    const int64_t offset = k->sensor.clock_offset_us, end = (int64_t)b->t_to_us;
    const int64_t now = (int64_t)k->letter->at_us;
    int64_t put_right;
    if (!b->recorded && (offset > CLOCK_OFF_US || offset < -CLOCK_OFF_US) &&
        !__builtin_sub_overflow(end, offset, &put_right) && put_right >= 0 &&
        put_right <= now + FUTURE_US)
        return offset;
    return end > now + FUTURE_US ? end - now : 0;
}

static uint64_t moved(uint64_t t, int64_t by)
{
    int64_t v;
    return __builtin_sub_overflow((int64_t)t, by, &v) || v < 0 ? 0 : (uint64_t)v;
}

static void put_right(struct lamp_batch *b, int64_t error_us)
{
    b->t_from_us = moved(b->t_from_us, error_us);
    b->t_to_us = moved(b->t_to_us, error_us);
    for (size_t i = 0; i < b->n_conns; i++) {
        b->conns[i].first_us = moved(b->conns[i].first_us, error_us);
        b->conns[i].last_us = moved(b->conns[i].last_us, error_us);
        for (size_t k = 0; k < b->conns[i].n_evidence; k++)
            b->conns[i].evidence[k].t_us = moved(b->conns[i].evidence[k].t_us, error_us);
    }
    for (size_t i = 0; i < b->n_rollups; i++)
        b->rollups[i].minute = moved(b->rollups[i].minute, error_us / MINUTE_US);
    for (size_t i = 0; i < b->n_tracks; i++)
        b->tracks[i].step =
            moved(b->tracks[i].step, error_us / (LAMP_WIRE_TRACK_STEP_S * SECOND_US));
}

/* ---- records ---- */

/* A record that cannot be read is skipped, and the hole is on record. */
static int skip_record(const struct lamp_merge *m, struct work *k,
                       const struct lamp_store_stream *st)
{
    const struct lamp_summary *s = &k->letter->msg->u.summary;
    lamp_log_limited(LAMP_LOG_WARN, "writer",
                     "a summary makes no sense, counted as lost sensor=%s seq=%llu", k->sensor.id,
                     (unsigned long long)s->seq);
    k->delta.lost_records++;
    return lamp_store_gap(m->store,
                          &(struct lamp_store_gap){ k->sensor.ref, st->ref, s->seq, s->seq,
                                                    s->t_from_us, s->t_to_us, s->n_rows, s->n_bytes,
                                                    k->letter->at_us, "unreadable" });
}

struct tracking {
    const struct lamp_merge *m;
    const struct work *k;
    const struct lamp_batch *b;
};

static bool covered(const struct lamp_miner_target *t, void *arg)
{
    return lamp_blocklist_covers(((const struct tracking *)arg)->m->blocks, t);
}

static void miner_touched(int64_t id, void *arg)
{
    lamp_touched_add(((const struct tracking *)arg)->m->touched, LAMP_EVENT_MINER, id, "");
}

/* A server that answered as a pool does is one at every site. */
static int note_probed(const struct tracking *t, const struct lamp_track_conn *c)
{
    struct lamp_conn_row row = c->row;
    row.coin = lamp_bytes_of(c->text[LAMP_TEXT_COIN]);
    row.pool = lamp_bytes_of(c->text[LAMP_TEXT_POOL]);
    row.n_evidence = 0;
    row.wallet.len = 0;
    return lamp_watchlist_note(t->m->watch, t->k->sensor.site, &row, t->m->watch_changed);
}

static int mined(const struct lamp_track_conn *c, const struct lamp_conn_row *delta, void *arg)
{
    const struct tracking *t = arg;
    int err = c->row.flags & LAMP_CONN_PROBED ? note_probed(t, c) : LAMP_OK;
    const struct lamp_guard_news news = { .site = t->k->sensor.site,
                                          .sensor = t->k->sensor.id,
                                          .conn = c,
                                          .delta = delta,
                                          .at_us = t->b->t_to_us,
                                          .now_us = t->k->letter->at_us };
    const struct lamp_habits_news habits = { .site = news.site,
                                             .sensor = news.sensor,
                                             .conn = c,
                                             .delta = delta,
                                             .from_us = t->b->t_from_us,
                                             .to_us = t->b->t_to_us };
    if (!err && !t->b->recorded)
        err = lamp_habits_mined(t->m->habits, &habits);
    return err ? err : lamp_guard_mined(t->m->guard, &news);
}

/* The first record of a stream: since the last interval of the streams before nobody watched. */
static int note_pause(const struct lamp_merge *m, struct work *k,
                      const struct lamp_store_stream *st, const struct lamp_batch *b)
{
    uint64_t until_us = 0;
    const int err = lamp_store_streams_end(m->store, k->sensor.ref, &until_us);
    if (err != LAMP_OK || until_us == 0 || b->t_from_us <= until_us + PAUSE_US)
        return err;
    return lamp_store_gap(m->store, &(struct lamp_store_gap){ .sensor_ref = k->sensor.ref,
                                                              .stream_ref = st->ref,
                                                              .from_seq = 1,
                                                              .to_seq = 0,
                                                              .from_us = until_us,
                                                              .to_us = b->t_from_us,
                                                              .at_us = k->letter->at_us,
                                                              .reason = "not running" });
}

static int merge_record(const struct lamp_merge *m, struct work *k, struct lamp_store_stream *st)
{
    const struct lamp_summary *s = &k->letter->msg->u.summary;
    struct lamp_batch *b = NULL;
    int err = lamp_batch_unpack(s->batch, &b);
    if (err == LAMP_EFORMAT || err == LAMP_EFULL)
        return skip_record(m, k, st);
    if (err != LAMP_OK)
        return err;
    const int64_t error_us = clock_error_us(k, b);
    if (error_us)
        put_right(b, error_us);
    struct tracking tracking = { m, k, b };
    const struct lamp_tracker tracker = { m->store,  covered, miner_touched,
                                          &tracking, mined,   m->catalogue };
    const struct lamp_record rec = { &k->sensor, st->ref, s->seq, k->letter->at_us };
    err = s->seq == 1 ? note_pause(m, k, st, b) : LAMP_OK;
    if (err == LAMP_OK)
        err = lamp_tracker_merge(&tracker, &rec, b);
    if (err == LAMP_OK && !b->recorded)
        err = lamp_habits_batch(m->habits, k->sensor.site, k->sensor.id, b);
    if (err == LAMP_OK && !b->recorded)
        err = lamp_rigs_interval(m->rigs, k->sensor.id, b->t_from_us, b->t_to_us);
    if (err == LAMP_OK && !b->recorded && m->clock)
        lamp_fleetclock_record(m->clock, m->catalogue, b, error_us ? 0 : k->sensor.clock_offset_us,
                               k->letter->at_us, m->answers);
    for (size_t i = 0; i < b->n_conns && err == LAMP_OK; i++)
        err = lamp_watchlist_note(m->watch, k->sensor.site, &b->conns[i], m->watch_changed);
    if (err == LAMP_OK && m->trackings)
        err = lamp_trackbook_rows(m->trackings, k->letter, k->sensor.ref, b->tracks, b->n_tracks,
                                  m->answers);
    st->to_us = b->t_to_us > st->to_us ? b->t_to_us : st->to_us;
    if (err == LAMP_OK)
        err = lamp_store_counters(m->store, k->sensor.ref, b->cap_run, &b->counters);
    k->delta.batches++;
    k->delta.rows += b->n_conns + b->n_rollups + b->n_tracks;
    k->delta.data_us = b->t_to_us;
    lamp_batch_free(b);
    return err;
}

static int on_summary(const struct lamp_merge *m, struct work *k)
{
    const struct lamp_summary *s = &k->letter->msg->u.summary;
    struct lamp_store_stream st;
    int err = find_stream(m, k, &s->stream, &st);
    if (err != LAMP_OK)
        return err;
    if (s->seq == st.next_seq) {
        err = need_row(m, k, &s->stream, &st);
        if (err == LAMP_OK)
            err = merge_record(m, k, &st);
        st.next_seq++;
        if (err == LAMP_OK)
            err = lamp_store_stream_put(m->store, &st);
    } else if (s->seq < st.next_seq) {
        k->delta.duplicates++;
    }
    if (err == LAMP_OK)
        acknowledge(m, k, &s->stream, st.next_seq);
    return err;
}

static int on_loss(const struct lamp_merge *m, struct work *k)
{
    static const char *const reasons[] = { "unspecified", "quota",       "damaged",
                                           "restore",     "memory-only", "crash" };
    const struct lamp_loss *l = &k->letter->msg->u.loss;
    struct lamp_store_stream st;
    int err = find_stream(m, k, &l->stream, &st);
    if (err != LAMP_OK)
        return err;
    if (l->to_seq < st.next_seq) {
        k->delta.duplicates++;
    } else if (l->from_seq <= st.next_seq && l->to_seq - st.next_seq < LOSS_MAX) {
        const size_t reason = (size_t)l->reason < ARRAY_LEN(reasons) ? (size_t)l->reason : 0;
        err = need_row(m, k, &l->stream, &st);
        if (err == LAMP_OK)
            err = lamp_store_gap(m->store, &(struct lamp_store_gap){
                                               k->sensor.ref, st.ref, st.next_seq, l->to_seq,
                                               l->t_from_us, l->t_to_us, l->n_flows, l->n_bytes,
                                               k->letter->at_us, reasons[reason] });
        k->delta.lost_records += l->to_seq - st.next_seq + 1;
        st.next_seq = l->to_seq + 1;
        if (err == LAMP_OK)
            err = lamp_store_stream_put(m->store, &st);
    }
    if (err == LAMP_OK)
        acknowledge(m, k, &l->stream, st.next_seq);
    return err;
}

static int on_close(const struct lamp_merge *m, struct work *k)
{
    const struct lamp_close *c = &k->letter->msg->u.close;
    struct lamp_store_stream st;
    int err = find_stream(m, k, &c->stream, &st);
    if (err == LAMP_OK && st.ref && st.next_seq == c->last_seq + 1 && !st.closed) {
        st.closed = true;
        err = lamp_store_stream_put(m->store, &st);
    }
    if (err == LAMP_OK)
        acknowledge(m, k, &c->stream, st.next_seq);
    return err;
}

/* ---- sets ---- */

static void block_touched(int64_t id, void *arg)
{
    lamp_touched_add(((const struct lamp_merge *)arg)->touched, LAMP_EVENT_BLOCK, id, "");
}

struct answer {
    struct lamp_answers *answers;
    const struct lamp_letter *to;
};

static int send_part(const struct lamp_msg *msg, void *arg)
{
    const struct answer *a = arg;
    lamp_answers_add(a->answers, a->to, msg);
    return LAMP_OK;
}

static int on_query(const struct lamp_merge *m, struct work *k)
{
    const struct lamp_set_query *q = &k->letter->msg->u.set_query;
    struct lamp_set_head head;
    if (lamp_sets_head(m->sets, q->have.kind, k->sensor.site, &head) != LAMP_OK)
        return LAMP_OK; /* nothing of that kind is published */
    const bool is_block = q->have.kind == LAMP_SET_BLOCK;
    const bool has_it = q->have.epoch == head.epoch && q->have.serial == head.serial &&
                        memcmp(q->have.digest, head.digest, sizeof(head.digest)) == 0;
    /* What the sensor rolled back it would refuse: it waits for the next serial. */
    const bool rejected = is_block && k->sensor.rejected_serial == head.serial &&
                          k->sensor.rejected_epoch == head.epoch;
    if (has_it || rejected) {
        struct lamp_msg notify = { .type = LAMP_MSG_SET_NOTIFY };
        notify.u.set_notify = (struct lamp_set_notify){ head, q->nonce };
        lamp_answers_add(m->answers, k->letter, &notify);
        return LAMP_OK;
    }
    if (!lamp_answers_may_list(m->answers, k->letter, q->have.kind))
        return LAMP_OK;
    struct answer a = { m->answers, k->letter };
    const int err = lamp_sets_answer(m->sets, k->sensor.site, q, send_part, &a);
    return err == LAMP_OK && is_block
               ? lamp_store_list_sent(m->store, k->sensor.ref, head.serial, k->letter->at_us,
                                      block_touched, (void *)(uintptr_t)m)
               : err;
}

static int on_status(const struct lamp_merge *m, struct work *k)
{
    const struct lamp_set_status *st = &k->letter->msg->u.set_status;
    if (st->head.kind == LAMP_SET_BLOCK)
        return lamp_store_list_status(m->store, k->sensor.ref, st, k->letter->at_us, block_touched,
                                      (void *)(uintptr_t)m);
    return st->head.kind == LAMP_SET_NONE
               ? LAMP_OK
               : lamp_store_set_status(m->store, k->sensor.ref, st, k->letter->at_us);
}

/* ---- packet samples, and what is tracked ---- */

static int on_sample(const struct lamp_merge *m, const struct work *k)
{
    give_credit(m, k);
    if (m->trackings && k->letter->msg->type == LAMP_MSG_ORDER_STATUS) {
        const int err = lamp_trackbook_status(m->trackings, k->letter, k->sensor.ref, m->answers);
        if (err != LAMP_ENOENT)
            return err;
    }
    if (!m->samples)
        return LAMP_OK;
    return lamp_samplebook_letter(m->samples, k->letter, k->sensor.ref, m->answers);
}

/* ---- any letter ---- */

static int dispatch(const struct lamp_merge *m, struct work *k)
{
    switch (k->letter->msg->type) {
    case LAMP_MSG_HELLO:
        return on_hello(m, k);
    case LAMP_MSG_SUMMARY:
        return on_summary(m, k);
    case LAMP_MSG_LOSS:
        return on_loss(m, k);
    case LAMP_MSG_CLOSE:
        return on_close(m, k);
    case LAMP_MSG_SET_QUERY:
        return on_query(m, k);
    case LAMP_MSG_SET_STATUS:
        return on_status(m, k);
    case LAMP_MSG_KEY_ROTATE:
        return on_key_rotate(m, k);
    case LAMP_MSG_ORDER_STATUS:
    case LAMP_MSG_SAMPLE_CHUNK:
        return on_sample(m, k);
    case LAMP_MSG_PING:
        on_ping(m, k);
        return LAMP_OK;
    default:
        return LAMP_OK;
    }
}

int lamp_merge_letter(const struct lamp_merge *m, const struct lamp_letter *letter)
{
    struct work k = { .letter = letter };
    int err = lamp_store_sensor(m->store, letter->sensor, &k.sensor);
    if (err == LAMP_ENOENT)
        return LAMP_OK;
    if (err == LAMP_OK)
        err = dispatch(m, &k);
    k.delta.seen_us = letter->at_us;
    k.delta.uplink_bytes = letter->cost;
    if (err == LAMP_OK)
        err = lamp_store_sensor_add(m->store, k.sensor.ref, &k.delta);
    lamp_touched_add(m->touched, LAMP_EVENT_SENSOR, 0, k.sensor.id);
    lamp_touched_add(m->touched, LAMP_EVENT_STATUS, 0, "");
    return err;
}
