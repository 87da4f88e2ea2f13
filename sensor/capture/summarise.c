/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/summarise.h"

#include "sensor/engine/behaviour.h"

#include "common/min.h"
#include <math.h>
#include <stdio.h>

_Static_assert((int)LAMP_BEHAVIOUR_EARLY_S == (int)LAMP_WIRE_EARLY_S, "");
_Static_assert((int)LAMP_CONN_EVIDENCE <= (int)LAMP_WIRE_EVIDENCE_MAX, "");

enum {
    ROWS_HELD = 256, /* copies of about 6 KiB each */
    ROLLUPS_HELD = 1024,
    SLACK_US = 5000000, /* frames may be a little older than the interval they are counted in */
};

/* What a live connection has reported so far. */
struct reported {
    uint64_t conn_id; /* key; valid where used */
    bool used;
    uint16_t client_port;
    struct lamp_addr client;
    const char *family; /* conn's */
    uint64_t bytes[2], packets[2];
    uint32_t jobs;
    uint64_t block_us;
    struct lamp_shares shares;
    double work;
    uint32_t work_shares;
    enum lamp_verdict verdict;
};

struct held {
    struct lamp_conn conn; /* texts live here until the record is packed */
    struct lamp_conn_row row;
    struct lamp_evidence evidence[LAMP_CONN_EVIDENCE];
};

struct held_rollup {
    char remote_name[LAMP_WIRE_STRING_MAX];
    struct lamp_rollup_row row;
};

struct lamp_summarise {
    struct lamp_summarise_cfg cfg;
    struct reported *slots; /* open addressing, linear probing, half full at most */
    size_t mask, n_used;
    struct held *held;
    struct lamp_conn_row *rows; /* scratch: rows of one record side by side */
    size_t n_held;
    struct held_rollup *rollups;
    struct lamp_rollup_row *rollup_rows; /* scratch, as rows */
    size_t n_rollups;
    struct lamp_track_row *tracks; /* lent */
    size_t n_tracks;
    uint64_t from_us, from_mono_us;
    struct lamp_sensor_counters last;
    struct lamp_summarise_counters count;
};

int lamp_summarise_new(const struct lamp_summarise_cfg *cfg, uint64_t now_us, uint64_t mono_us,
                       lamp_summarise **out)
{
    if (cfg->max_conns == 0 || cfg->max_conns > SIZE_MAX / 4 / sizeof(struct reported) ||
        cfg->max_record_bytes < 64 * 1024)
        return LAMP_EINVAL;
    size_t slots = 4;
    while (slots < 2 * cfg->max_conns)
        slots *= 2;

    lamp_summarise *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->cfg = *cfg;
    s->mask = slots - 1;
    s->slots = calloc(slots, sizeof(*s->slots));
    s->held = calloc(ROWS_HELD, sizeof(*s->held));
    const size_t together = cfg->together ? cfg->together : 1;
    s->rows = calloc(together, ROWS_HELD * sizeof(*s->rows));
    s->rollups = calloc(ROLLUPS_HELD, sizeof(*s->rollups));
    s->rollup_rows = calloc(together, ROLLUPS_HELD * sizeof(*s->rollup_rows));
    s->from_us = now_us;
    s->from_mono_us = mono_us;
    if (!s->slots || !s->held || !s->rows || !s->rollups || !s->rollup_rows) {
        lamp_summarise_free(s);
        return LAMP_ENOMEM;
    }
    *out = s;
    return LAMP_OK;
}

lamp_summarise *lamp_summarise_free(lamp_summarise *s)
{
    if (!s)
        return NULL;
    free(s->slots);
    free(s->held);
    free(s->rows);
    free(s->rollups);
    free(s->rollup_rows);
    free(s);
    return NULL;
}

/* ---- the table ---- */

/* Ids are our own running numbers, not a packet's choice: a fixed multiplier (Knuth, TAOCP
 * volume 3, 6.4) spreads them well enough. */
static size_t slot_of(const lamp_summarise *s, uint64_t id)
{
    return (size_t)(id * 0x9e3779b97f4a7c15U >> 20) & s->mask;
}

static struct reported *find(lamp_summarise *s, uint64_t id)
{
    for (size_t i = slot_of(s, id); s->slots[i].used; i = (i + 1) & s->mask)
        if (s->slots[i].conn_id == id)
            return &s->slots[i];
    return NULL;
}

static struct reported *insert(lamp_summarise *s, uint64_t id)
{
    if (s->n_used == s->cfg.max_conns)
        return NULL;
    size_t i = slot_of(s, id);
    while (s->slots[i].used)
        i = (i + 1) & s->mask;
    s->slots[i] = (struct reported){ .conn_id = id, .used = true };
    s->n_used++;
    return &s->slots[i];
}

/* Closes the gap behind a removed slot, so that no probe ends too early. */
static void erase(lamp_summarise *s, struct reported *r)
{
    size_t hole = (size_t)(r - s->slots);
    for (size_t i = (hole + 1) & s->mask; s->slots[i].used; i = (i + 1) & s->mask) {
        const size_t home = slot_of(s, s->slots[i].conn_id);
        if (((i - home) & s->mask) >= ((i - hole) & s->mask)) {
            s->slots[hole] = s->slots[i];
            hole = i;
        }
    }
    s->slots[hole].used = false;
    s->n_used--;
}

/* ---- records ---- */

/* What one record carries. */
struct rows {
    struct lamp_conn_row *conns;
    struct lamp_rollup_row *rollups;
    struct lamp_track_row *tracks;
    size_t n_conns, n_rollups, n_tracks;
};

static size_t number_of(const struct rows *r)
{
    return r->n_conns + r->n_rollups + r->n_tracks;
}

static uint64_t bytes_of(const struct rows *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->n_conns; i++)
        n += r->conns[i].bytes_up + r->conns[i].bytes_down;
    for (size_t i = 0; i < r->n_rollups; i++)
        n += r->rollups[i].bytes_out + r->rollups[i].bytes_in;
    return n;
}

static int pack(const lamp_summarise *s, const struct rows *r, uint64_t to_us, uint64_t to_mono_us,
                uint8_t **out, size_t *out_len)
{
    struct lamp_batch batch = {
        .t_from_us = s->from_us,
        .t_to_us = to_us,
        .mono_from_us = s->from_mono_us,
        .mono_to_us = to_mono_us,
        .recorded = s->cfg.recorded,
        .counters = s->last,
        .conns = r->conns,
        .n_conns = r->n_conns,
        .rollups = r->rollups,
        .n_rollups = r->n_rollups,
        .tracks = r->tracks,
        .n_tracks = r->n_tracks,
    };
    memcpy(batch.cap_run, s->cfg.cap_run, sizeof(batch.cap_run));
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t packed_len = 0;
    int err = lamp_batch_pack(&batch, &packed, &packed_len);
    if (err)
        return err;
    const struct lamp_msg m = { .type = LAMP_MSG_SUMMARY,
                                .u.summary = { .t_from_us = s->from_us,
                                               .t_to_us = to_us,
                                               .n_rows = number_of(r),
                                               .n_bytes = bytes_of(r),
                                               .batch = { packed, packed_len } } };
    uint8_t *record = NULL;
    size_t record_len = 0;
    err = lamp_msg_pack(&m, &record, &record_len);
    if (err)
        return err;
    if (record_len > s->cfg.max_record_bytes) {
        free(record);
        return LAMP_EFULL;
    }
    *out = record;
    *out_len = record_len;
    return LAMP_OK;
}

/* By kind first, then each kind in halves. */
static void split(const struct rows *r, struct rows *front, struct rows *back)
{
    const unsigned kinds = (r->n_conns ? 1U : 0) + (r->n_rollups ? 1U : 0) + (r->n_tracks ? 1U : 0);
    *front = *back = *r;
    if (kinds > 1) {
        front->n_rollups = front->n_tracks = back->n_conns = 0;
        if (r->n_conns == 0) {
            front->n_rollups = r->n_rollups;
            back->n_rollups = 0;
        }
        return;
    }
    front->n_conns /= 2;
    front->n_rollups /= 2;
    front->n_tracks /= 2;
    back->n_conns -= front->n_conns;
    back->n_rollups -= front->n_rollups;
    back->n_tracks -= front->n_tracks;
    if (r->n_conns)
        back->conns += front->n_conns;
    if (r->n_rollups)
        back->rollups += front->n_rollups;
    if (r->n_tracks)
        back->tracks += front->n_tracks;
}

/* Emits rows as one record, or in parts where they are too long for one. */
static void emit_rows(lamp_summarise *s, const struct rows *r, uint64_t to_us, uint64_t to_mono_us)
{
    LAMP_AUTO_FREE uint8_t *record = NULL;
    size_t record_len = 0;
    const size_t n = number_of(r);
    const int err = pack(s, r, to_us, to_mono_us, &record, &record_len);
    if (err && err != LAMP_ENOMEM && n > 1) { /* one bad row must not take the others along */
        struct rows front, back;
        split(r, &front, &back);
        emit_rows(s, &front, to_us, to_mono_us);
        emit_rows(s, &back, to_us, to_mono_us);
        return;
    }
    if (err) {
        s->count.lost_rows += n;
        s->count.lost_bytes += bytes_of(r);
        return;
    }
    s->count.records++;
    s->count.rows += n;
    s->cfg.emit(record, record_len, n, bytes_of(r), s->cfg.arg);
}

/* What all of them hold leaves by the first. */
static void emit_held(lamp_summarise *const *all, size_t n, uint64_t to_us, uint64_t to_mono_us)
{
    lamp_summarise *first = all[0];
    struct rows r = { .conns = first->rows,
                      .rollups = first->rollup_rows,
                      .tracks = first->tracks,
                      .n_tracks = first->n_tracks };
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < all[k]->n_held; i++)
            r.conns[r.n_conns++] = all[k]->held[i].row;
        for (size_t i = 0; i < all[k]->n_rollups; i++)
            r.rollups[r.n_rollups++] = all[k]->rollups[i].row;
    }
    emit_rows(first, &r, to_us, to_mono_us);
    for (size_t k = 0; k < n; k++)
        all[k]->n_held = all[k]->n_rollups = 0;
    first->n_tracks = 0;
}

/* Makes room: what is held leaves with the counters of the last interval; times are the frames'. */
static void emit_early(lamp_summarise *s, uint64_t frame_us)
{
    const uint64_t to_us = frame_us > s->from_us ? frame_us : s->from_us;
    emit_held(&s, 1, to_us, s->from_mono_us + (to_us - s->from_us));
}

/* ---- rows ---- */

static struct lamp_bytes text(const char *s)
{
    return s && *s ? lamp_bytes_of(s) : (struct lamp_bytes){ 0 };
}

/* Totals never fall; where one seems to, the row says 0 rather than a huge number. */
static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static uint32_t grown32(uint32_t now, uint32_t before)
{
    return now > before ? now - before : 0;
}

/* When the newest block came that was not reported yet; 0: none did, or one of long ago, of a
 * connection that found no place in the table until now. */
static uint32_t block_ms(const lamp_summarise *s, const struct lamp_conn *c,
                         const struct reported *r)
{
    if (c->block_us <= r->block_us || c->block_us + SLACK_US < s->from_us)
        return 0;
    const uint64_t ms = grown(c->block_us, s->from_us) / 1000;
    return 1 + (uint32_t)lamp_min_u64(ms, UINT32_MAX - 1);
}

static void fill_deltas(struct lamp_conn_row *row, const struct lamp_conn *c,
                        const struct reported *r)
{
    row->bytes_up = grown(c->bytes[LAMP_UP], r->bytes[LAMP_UP]);
    row->bytes_down = grown(c->bytes[LAMP_DOWN], r->bytes[LAMP_DOWN]);
    row->packets_up = grown(c->packets[LAMP_UP], r->packets[LAMP_UP]);
    row->packets_down = grown(c->packets[LAMP_DOWN], r->packets[LAMP_DOWN]);
    row->jobs = grown32(c->jobs, r->jobs);
    row->submitted = grown32(c->shares.submitted, r->shares.submitted);
    row->accepted = grown32(c->shares.accepted, r->shares.accepted);
    row->rejected = grown32(c->shares.rejected, r->shares.rejected);
    row->stale = grown32(c->shares.stale, r->shares.stale);
    row->work_hashes = c->work > r->work ? c->work - r->work : 0;
    row->work_shares = grown32(c->work_shares, r->work_shares);
}

/* The classifier may learn late that the sides are the other way round, or that another family
 * is spoken, whose counts begin at 0: puts what was reported into the terms that hold now, so
 * that no byte or share is counted twice or left out. */
static void adapt(struct reported *r, const struct lamp_conn *c)
{
    if (r->client_port != c->client_port || !lamp_addr_eq(&r->client, &c->client)) {
        const uint64_t bytes = r->bytes[LAMP_UP], packets = r->packets[LAMP_UP];
        r->bytes[LAMP_UP] = r->bytes[LAMP_DOWN];
        r->packets[LAMP_UP] = r->packets[LAMP_DOWN];
        r->bytes[LAMP_DOWN] = bytes;
        r->packets[LAMP_DOWN] = packets;
    }
    if (r->family != c->family) {
        r->jobs = r->work_shares = 0;
        r->shares = (struct lamp_shares){ 0 };
        r->work = 0;
    }
}

static void remember(struct reported *r, const struct lamp_conn *c)
{
    r->client = c->client;
    r->client_port = c->client_port;
    r->family = c->family;
    memcpy(r->bytes, c->bytes, sizeof(r->bytes));
    memcpy(r->packets, c->packets, sizeof(r->packets));
    r->jobs = c->jobs;
    r->block_us = c->block_us;
    r->shares = c->shares;
    r->work = c->work;
    r->work_shares = c->work_shares;
    r->verdict = c->verdict;
}

static void fill_evidence(struct held *h)
{
    const struct lamp_conn *c = &h->conn;
    h->row.evidence = h->evidence;
    h->row.n_evidence = c->n_evidence;
    for (size_t i = 0; i < c->n_evidence; i++) {
        const struct lamp_conn_evidence *e = &c->evidence[i];
        h->evidence[i] = (struct lamp_evidence){
            .kind = text(e->kind),
            .detail = text(e->detail),
            .field = text(e->field),
            .strength = text(e->strength),
            .refute = text(e->refute),
            .t_us = e->t_us,
            .side = e->dir == LAMP_UP ? LAMP_SIDE_CLIENT : LAMP_SIDE_SERVER,
        };
    }
}

static void fill_newest(struct lamp_conn_row *row, const struct lamp_conn *c)
{
    row->conn_id = c->id;
    row->client_addr = c->client;
    row->server_addr = c->server;
    row->client_port = c->client_port;
    row->server_port = c->server_port;
    row->ip_proto = c->ip_proto;
    row->vlan = (uint32_t)(c->n_vlans > 0 ? c->vlans[0] & 0xfffU : 0) |
                (uint32_t)(c->n_vlans > 1 ? c->vlans[1] & 0xfffU : 0) << 12 |
                (uint32_t)c->n_vlans << 24;
    row->first_us = c->first_us;
    row->last_us = c->last_us;
    row->verdict = c->verdict;
    row->confidence = (uint32_t)lround(fmin(fmax(c->confidence, 0), 1) * 10000);
    row->family = text(c->family);
    row->coin = text(c->coin);
    row->algorithm = text(c->algorithm);
    row->hash_unit = text(c->unit);
    row->pool = text(c->pool);
    row->wallet = text(lamp_conn_current(&c->wallets));
    row->worker = text(lamp_conn_current(&c->workers));
    row->agent = text(c->agent);
    row->server_name = text(c->server_name);
    row->sni = text(c->sni);
    row->ja4 = text(c->ja4);
    row->tunnel_kind = text(c->tunnel.kind);
    row->tunnel_host = text(c->tunnel.host);
    row->tunnel_port = c->tunnel.port;
    row->difficulty = c->difficulty;
    row->self_rate = c->self_rate;
    row->flags = (c->midstream ? LAMP_CONN_MIDSTREAM : 0U) | (c->tls ? LAMP_CONN_TLS : 0U) |
                 (c->ended ? LAMP_CONN_ENDED : 0U) | (c->recalled ? LAMP_CONN_RECALLED : 0U) |
                 (c->ip_bytes ? LAMP_CONN_IP_BYTES : 0U);
    row->platform = text(c->platform);
    row->devices = c->devices;
    row->early_shares = c->early_shares;
    row->work_method = c->work_method;
    row->hash_values = c->hash_values;
    row->other_method = c->other_rate.method;
    row->other_rate = c->other_rate.value;
    row->other_low = c->other_rate.low;
    row->other_high = c->other_rate.high;
}

static bool says_nothing(const struct lamp_conn_row *row)
{
    return row->packets_up == 0 && row->packets_down == 0 && row->jobs == 0 &&
           row->submitted == 0 && row->accepted == 0 && row->rejected == 0 && row->stale == 0;
}

void lamp_summarise_conn(lamp_summarise *s, const struct lamp_conn *conn)
{
    static const struct reported nothing;
    struct reported *r = find(s, conn->id);
    const bool first = !r;
    if (first && !conn->ended) {
        r = insert(s, conn->id);
        if (!r) {
            s->count.untracked++;
            return;
        }
    }
    if (r)
        adapt(r, conn);
    const struct reported *before = r ? r : &nothing;
    struct lamp_conn_row delta = { 0 };
    fill_deltas(&delta, conn, before);
    delta.block_ms = block_ms(s, conn, before);
    if (!first && !conn->ended && before->verdict == conn->verdict && says_nothing(&delta))
        return;

    if (s->n_held == ROWS_HELD)
        emit_early(s, conn->last_us);
    struct held *h = &s->held[s->n_held++];
    h->conn = *conn;
    h->row = delta;
    fill_newest(&h->row, &h->conn);
    fill_evidence(h);
    if (conn->ended && r)
        erase(s, r);
    else if (r)
        remember(r, conn);
}

void lamp_summarise_rollup(lamp_summarise *s, const struct lamp_rollup_sum *sum)
{
    if (s->n_rollups == ROLLUPS_HELD)
        emit_early(s, s->from_us);
    struct held_rollup *h = &s->rollups[s->n_rollups++];
    snprintf(h->remote_name, sizeof(h->remote_name), "%s", sum->remote_name);
    h->row = (struct lamp_rollup_row){
        .minute = sum->minute,
        .inside_addr = sum->inside,
        .remote_addr = sum->remote,
        .ip_proto = sum->ip_proto,
        .service_port = sum->service_port,
        .application = text(sum->application),
        .remote_name = text(h->remote_name),
        .bytes_out = sum->bytes_out,
        .bytes_in = sum->bytes_in,
        .packets_out = sum->packets_out,
        .packets_in = sum->packets_in,
        .flows = sum->flows,
    };
}

void lamp_summarise_tracks(lamp_summarise *s, struct lamp_track_row *rows, size_t n)
{
    s->tracks = rows;
    s->n_tracks = n;
}

void lamp_summarise_begin(lamp_summarise *s, uint64_t now_us, uint64_t mono_us)
{
    s->from_us = now_us;
    s->from_mono_us = mono_us;
}

void lamp_summarise_flush(lamp_summarise *const *all, size_t n,
                          const struct lamp_sensor_counters *counters, uint64_t now_us,
                          uint64_t mono_us)
{
    struct lamp_sensor_counters last = *counters;
    for (size_t k = 0; k < n; k++) {
        last.summary_rows_dropped += all[k]->count.lost_rows;
        last.summary_bytes_dropped += all[k]->count.lost_bytes;
    }
    for (size_t k = 0; k < n; k++)
        all[k]->last = last;
    emit_held(all, n, now_us, mono_us);
    for (size_t k = 0; k < n; k++)
        lamp_summarise_begin(all[k], now_us, mono_us);
}

struct lamp_summarise_counters lamp_summarise_counters(const lamp_summarise *s)
{
    return s->count;
}
