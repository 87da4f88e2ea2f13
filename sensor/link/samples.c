/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/samples.h"

#include "common/min.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/statvfs.h>

#define SECOND_US UINT64_C(1000000)
#define AGAIN_US (10 * SECOND_US) /* a chunk that is not acknowledged */
#define TELL_US (5 * SECOND_US)   /* how far an order is that runs */
#define GRACE_US (5 * SECOND_US)  /* for what capture collected last */

enum {
    ROOM_LEFT = 4 * 1024 * 1024, /* of the disk, for the spool */
    DURATION_MAX_S = 86400,
};

struct order {
    uint64_t id; /* 0: the place is free */
    enum lamp_order_state state;
    int32_t code;
    char words[LAMP_WIRE_DETAIL_MAX + 1];
    uint64_t packets, bytes, bytes_max;
    uint64_t until_us;   /* real: when it ends by itself */
    uint64_t acked;      /* the aggregator has every byte below */
    bool news;           /* its state is to be told */
    bool over;           /* the aggregator wants no more; kept so that it is not begun again */
    uint64_t told_us;    /* monotonic */
    uint64_t flight_us;  /* monotonic: when the chunk under way was sent; 0: none is */
    struct lamp_order o; /* while ACCEPTED: to be handed to capture */
    struct lamp_order_match matches[LAMP_WIRE_MATCHES_MAX];
};

struct lamp_samples {
    struct lamp_samples_cfg cfg;
    char folder[PATH_MAX];
    sqlite3 *db; /* NULL: none, said says why */
    char said[200];
    struct order orders[LAMP_SAMPLES_MAX];
    size_t next;      /* whose turn it is to send a chunk */
    uint64_t paid_us; /* monotonic: no chunk before this, for the rate */
    uint8_t chunk[LAMP_SAMPLES_CHUNK];
};

/* state: enum lamp_order_state. A part is what capture said at once. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS sample("
    " id INTEGER PRIMARY KEY, state INTEGER NOT NULL, packets INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, bytes_max INTEGER NOT NULL, until_us INTEGER NOT NULL,"
    " acked INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS part("
    " id INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(id, at));";

/* ---- the database ---- */

static int code_of(lamp_samples *s, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
        return LAMP_OK;
    snprintf(s->said, sizeof(s->said), "%s", s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
    return LAMP_ESTORE;
}

/* Runs a statement that returns no rows; its values are n integers and, last, data unless NULL. */
static int run(lamp_samples *s, const char *sql, const int64_t *v, size_t n,
               const struct lamp_bytes *data)
{
    sqlite3_stmt *st = NULL;
    if (!s->db)
        return LAMP_ESTORE;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return code_of(s, rc);
    for (size_t i = 0; i < n; i++)
        sqlite3_bind_int64(st, (int)i + 1, v[i]);
    if (data)
        sqlite3_bind_blob64(st, (int)n + 1, data->data, data->len, SQLITE_STATIC);
    sqlite3_step(st);
    return code_of(s, sqlite3_finalize(st));
}
#define VALUES(...)                                                                                \
    (const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)

static int save(lamp_samples *s, const struct order *r)
{
    return run(s, "INSERT OR REPLACE INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)",
               VALUES((int64_t)r->id, r->state, (int64_t)r->packets, (int64_t)r->bytes,
                      (int64_t)r->bytes_max, (int64_t)r->until_us, (int64_t)r->acked),
               NULL);
}

/* Where this fails the next opening forgets it. */
static void discard(lamp_samples *s, uint64_t id)
{
    (void)!run(s, "DELETE FROM part WHERE id = ?", VALUES((int64_t)id), NULL);
    (void)!run(s, "DELETE FROM sample WHERE id = ?", VALUES((int64_t)id), NULL);
}

static int load(lamp_samples *s, uint64_t real_us)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT * FROM sample ORDER BY id LIMIT ?", -1, &st, NULL);
    if (rc != SQLITE_OK)
        return code_of(s, rc);
    sqlite3_bind_int64(st, 1, LAMP_SAMPLES_MAX);
    for (size_t i = 0; i < LAMP_SAMPLES_MAX && sqlite3_step(st) == SQLITE_ROW; i++) {
        struct order *r = &s->orders[i];
        *r = (struct order){
            .id = (uint64_t)sqlite3_column_int64(st, 0),
            .state = (enum lamp_order_state)sqlite3_column_int(st, 1),
            .packets = (uint64_t)sqlite3_column_int64(st, 2),
            .bytes = (uint64_t)sqlite3_column_int64(st, 3),
            .bytes_max = (uint64_t)sqlite3_column_int64(st, 4),
            .until_us = (uint64_t)sqlite3_column_int64(st, 5),
            .acked = (uint64_t)sqlite3_column_int64(st, 6),
            .news = true,
        };
        if (r->state == LAMP_ORDER_ACCEPTED)
            r->state = LAMP_ORDER_RUNNING; /* capture may have it, or has forgotten it with us */
        if (r->until_us > real_us + DURATION_MAX_S * SECOND_US)
            r->until_us = real_us; /* the clock went back */
    }
    return code_of(s, sqlite3_finalize(st));
}

static int open_db(lamp_samples *s)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/samples.db", s->folder);
    const int rc = sqlite3_open(s->cfg.folder ? path : ":memory:", &s->db);
    if (rc != SQLITE_OK)
        return code_of(s, rc);
    sqlite3_busy_timeout(s->db, 1000);
    return code_of(s, sqlite3_exec(s->db,
                                   "PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -256;"
                                   "PRAGMA journal_size_limit = 262144",
                                   NULL, NULL, NULL));
}

/* A file that cannot be read is begun anew: samples are no more than that. */
static int make_db(lamp_samples *s, uint64_t real_us)
{
    static const char *const files[] = { "samples.db", "samples.db-wal", "samples.db-shm" };
    int err = LAMP_ESTORE;
    for (int tries = 0; tries < 2 && err; tries++) {
        err = open_db(s);
        if (!err)
            err = code_of(s, sqlite3_exec(s->db, schema, NULL, NULL, NULL));
        if (!err)
            err = load(s, real_us);
        if (!err)
            break;
        sqlite3_close(s->db);
        s->db = NULL;
        memset(s->orders, 0, sizeof(s->orders));
        for (size_t i = 0; s->cfg.folder && tries == 0 && i < ARRAY_LEN(files); i++) {
            char path[PATH_MAX + 16];
            snprintf(path, sizeof(path), "%s/%s", s->folder, files[i]);
            (void)unlink(path);
        }
    }
    return err;
}

static uint64_t disk_free(const char *folder)
{
    struct statvfs v;
    return statvfs(folder, &v) < 0 ? 0 : (uint64_t)v.f_bavail * v.f_frsize;
}

int lamp_samples_open(const struct lamp_samples_cfg *cfg, uint64_t real_us, lamp_samples **out)
{
    lamp_samples *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->cfg = *cfg;
    snprintf(s->folder, sizeof(s->folder), "%s", cfg->folder ? cfg->folder : "");
    if (!s->cfg.free_bytes)
        s->cfg.free_bytes = disk_free;
    if (cfg->quota_bytes)
        (void)!make_db(s, real_us); /* what it said is the answer to orders */
    *out = s;
    return LAMP_OK;
}

lamp_samples *lamp_samples_close(lamp_samples *s)
{
    if (!s)
        return NULL;
    sqlite3_close(s->db);
    free(s);
    return NULL;
}

const char *lamp_samples_error(const lamp_samples *s)
{
    return s->said;
}

/* ---- orders ---- */

static struct order *find(lamp_samples *s, uint64_t id)
{
    for (size_t i = 0; i < LAMP_SAMPLES_MAX; i++)
        if (s->orders[i].id == id)
            return &s->orders[i];
    return NULL;
}

static bool collects(const struct order *r)
{
    return r->id && (r->state == LAMP_ORDER_ACCEPTED || r->state == LAMP_ORDER_RUNNING);
}

/* A free place, or that of an order which is only remembered. */
static struct order *place(lamp_samples *s)
{
    struct order *r = find(s, 0);
    for (size_t i = 0; !r && i < LAMP_SAMPLES_MAX; i++)
        if (s->orders[i].over || s->orders[i].state == LAMP_ORDER_REFUSED)
            r = &s->orders[i];
    return r;
}

/* Why an order cannot be taken, in words; NULL: it can. */
static const char *problem(const lamp_samples *s, const struct lamp_order *o, int32_t *code,
                           char words[LAMP_WIRE_DETAIL_MAX + 1])
{
    const size_t size = LAMP_WIRE_DETAIL_MAX + 1;
    uint64_t promised = 0;
    unsigned running = 0;
    for (size_t i = 0; i < LAMP_SAMPLES_MAX; i++) {
        const struct order *r = &s->orders[i];
        running += collects(r);
        if (r->id && !r->over && r->state != LAMP_ORDER_REFUSED && r->state != LAMP_ORDER_FAILED)
            promised += collects(r) ? r->bytes_max : r->bytes;
    }
    *code = LAMP_EFULL;
    if (s->cfg.quota_bytes == 0) {
        *code = LAMP_EUNSUPPORTED;
        return "samples are switched off at this sensor (link.sample_quota)";
    }
    if (!s->db) {
        *code = LAMP_ESTORE;
        snprintf(words, size, "no database for samples: %.180s", s->said);
        return words;
    }
    if (o->packets == 0 || o->packets > 10000 || o->packets_per_connection == 0 ||
        o->duration_s == 0 || o->duration_s > DURATION_MAX_S || o->bytes_max == 0 ||
        o->snaplen == 0 || o->snaplen > 65535) {
        *code = LAMP_EINVAL;
        return "a limit of the order is zero, or above what this sensor knows";
    }
    if (running >= LAMP_SAMPLES_RUNNING)
        return "4 samples are being taken here already";
    if (o->bytes_max > s->cfg.quota_bytes - lamp_min_u64(promised, s->cfg.quota_bytes)) {
        snprintf(
            words, size,
            "%llu bytes are more than is left of link.sample_quota (%llu of %llu bytes)",
            (unsigned long long)o->bytes_max,
            (unsigned long long)(s->cfg.quota_bytes - lamp_min_u64(promised, s->cfg.quota_bytes)),
            (unsigned long long)s->cfg.quota_bytes);
        return words;
    }
    const uint64_t room = s->cfg.folder ? s->cfg.free_bytes(s->folder) : UINT64_MAX;
    if (room < o->bytes_max + ROOM_LEFT) {
        snprintf(words, size, "the disk has %llu KiB free, the sample may need %llu KiB",
                 (unsigned long long)room / 1024,
                 (unsigned long long)(o->bytes_max + ROOM_LEFT) / 1024);
        return words;
    }
    return NULL;
}

/* Has capture take no more of it; where that is behind, it ends by its limits. */
static void call_off(const lamp_samples *s, const struct order *r)
{
    const struct lamp_msg m = { .type = LAMP_MSG_ORDER,
                                .u.order = { .id = r->id, .kind = LAMP_ORDER_CANCEL } };
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    if (collects(r) && lamp_msg_pack(&m, &data, &len) == LAMP_OK)
        (void)!s->cfg.to_capture(data, len, s->cfg.arg);
}

static void fail(lamp_samples *s, struct order *r, enum lamp_order_state state, int32_t code,
                 const char *words)
{
    call_off(s, r);
    r->state = state;
    r->code = code;
    snprintf(r->words, sizeof(r->words), "%s", words);
    r->news = true;
    r->flight_us = 0;
    discard(s, r->id);
}

static void begin(lamp_samples *s, const struct lamp_order *o, uint64_t real_us)
{
    char words[LAMP_WIRE_DETAIL_MAX + 1] = "";
    int32_t code = 0;
    const char *why = problem(s, o, &code, words);
    struct order *r = place(s);
    if (!r)
        return; /* the aggregator asks again */
    *r = (struct order){ .id = o->id,
                         .state = LAMP_ORDER_ACCEPTED,
                         .bytes_max = o->bytes_max,
                         .until_us = real_us + o->duration_s * SECOND_US + GRACE_US,
                         .news = true,
                         .o = *o };
    if (o->n_matches)
        memcpy(r->matches, o->matches, o->n_matches * sizeof(*o->matches));
    r->o.matches = r->matches;
    if (!why && save(s, r) != LAMP_OK) {
        snprintf(words, sizeof(words), "the sample cannot be kept: %.180s", s->said);
        code = LAMP_ESTORE;
        why = words;
    }
    if (why)
        fail(s, r, LAMP_ORDER_REFUSED, code, why);
}

/* Nothing more is wanted of it. */
static void end(lamp_samples *s, struct order *r)
{
    call_off(s, r);
    if (collects(r))
        r->state = LAMP_ORDER_DONE;
    discard(s, r->id);
    r->over = true;
    r->news = false;
    r->flight_us = 0;
}

void lamp_samples_order(lamp_samples *s, const struct lamp_order *o, uint64_t real_us)
{
    struct order *r = o->id ? find(s, o->id) : NULL;
    if (o->kind == LAMP_ORDER_CANCEL && r && !r->over)
        end(s, r);
    else if (o->kind == LAMP_ORDER_SAMPLE && r)
        r->news = true;
    else if (o->kind == LAMP_ORDER_SAMPLE && o->id)
        begin(s, o, real_us);
}

static void set_done(lamp_samples *s, struct order *r)
{
    r->state = LAMP_ORDER_DONE;
    r->news = true;
    if (save(s, r) != LAMP_OK)
        fail(s, r, LAMP_ORDER_FAILED, LAMP_ESTORE, s->said);
}

void lamp_samples_take(lamp_samples *s, const struct lamp_local_sample *m)
{
    struct order *r = m->order_id ? find(s, m->order_id) : NULL;
    if (!r || !collects(r))
        return;
    if (m->data.len > r->bytes_max - lamp_min_u64(r->bytes, r->bytes_max)) {
        fail(s, r, LAMP_ORDER_FAILED, LAMP_EFULL, "capture collected more than was ordered");
        return;
    }
    if (m->data.len > 0 && run(s, "INSERT OR REPLACE INTO part VALUES (?, ?, ?)",
                               VALUES((int64_t)r->id, (int64_t)r->bytes), &m->data) != LAMP_OK) {
        fail(s, r, LAMP_ORDER_FAILED, LAMP_ESTORE, s->said);
        return;
    }
    r->news |= r->state == LAMP_ORDER_ACCEPTED;
    r->state = LAMP_ORDER_RUNNING;
    r->bytes += m->data.len;
    r->packets += m->packets;
    if (m->over)
        set_done(s, r);
    else if (save(s, r) != LAMP_OK)
        fail(s, r, LAMP_ORDER_FAILED, LAMP_ESTORE, s->said);
    if (m->over && m->dropped && r->state == LAMP_ORDER_DONE)
        snprintf(r->words, sizeof(r->words), "%llu packets found no room on their way",
                 (unsigned long long)m->dropped);
}

/* ---- sending ---- */

void lamp_samples_rate(lamp_samples *s, uint64_t rate)
{
    s->cfg.rate = rate;
}

void lamp_samples_session(lamp_samples *s)
{
    for (size_t i = 0; i < LAMP_SAMPLES_MAX; i++) {
        struct order *r = &s->orders[i];
        r->news = r->id && !r->over;
        r->flight_us = 0;
    }
}

void lamp_samples_ack(lamp_samples *s, const struct lamp_sample_ack *a)
{
    struct order *r = a->order_id ? find(s, a->order_id) : NULL;
    if (!r || r->over)
        return;
    if (a->over) {
        end(s, r);
    } else if (a->next_offset <= r->bytes) { /* also back: its disk may have lost some */
        r->acked = a->next_offset;
        r->flight_us = 0;
    }
}

static int send_msg(const lamp_samples *s, const struct lamp_msg *m, size_t *out_len)
{
    LAMP_AUTO_FREE uint8_t *data = NULL;
    int err = lamp_msg_pack(m, &data, out_len);
    if (!err)
        err = m->type == LAMP_MSG_ORDER ? s->cfg.to_capture(data, *out_len, s->cfg.arg)
                                        : s->cfg.to_aggregator(data, *out_len, s->cfg.arg);
    return err;
}

/* Hands an order to capture; where that is behind, the next turn does. */
static void hand_over(lamp_samples *s, struct order *r)
{
    const struct lamp_msg m = { .type = LAMP_MSG_ORDER, .u.order = r->o };
    size_t len;
    if (send_msg(s, &m, &len) != LAMP_OK)
        return;
    r->state = LAMP_ORDER_RUNNING;
    r->news = true;
}

static size_t tell(lamp_samples *s, struct order *r, uint64_t mono_us)
{
    const struct lamp_msg m = { .type = LAMP_MSG_ORDER_STATUS,
                                .u.order_status = { r->id, r->state, r->code,
                                                    lamp_bytes_of(r->words), r->packets,
                                                    r->bytes } };
    size_t len = 0;
    if (send_msg(s, &m, &len) != LAMP_OK)
        return 0;
    r->news = false;
    r->told_us = mono_us;
    return len;
}

/* What comes after the acknowledged bytes, out of as many parts as a chunk has room for. */
static size_t fill_chunk(lamp_samples *s, const struct order *r, sqlite3_stmt *st)
{
    size_t filled = 0;
    while (filled < sizeof(s->chunk) && sqlite3_step(st) == SQLITE_ROW) {
        const uint64_t want = r->acked + filled, at = (uint64_t)sqlite3_column_int64(st, 0);
        const uint8_t *data = sqlite3_column_blob(st, 1);
        const size_t size = (size_t)sqlite3_column_bytes(st, 1);
        if (want < at || want - at >= size)
            break; /* there is a hole */
        const size_t skip = (size_t)(want - at);
        const size_t take = lamp_min(size - skip, sizeof(s->chunk) - filled);
        memcpy(s->chunk + filled, data + skip, take);
        filled += take;
    }
    return filled;
}

static size_t send_chunk(lamp_samples *s, struct order *r, uint64_t mono_us)
{
    sqlite3_stmt *st = NULL;
    size_t len = 0;
    struct lamp_msg m = { .type = LAMP_MSG_SAMPLE_CHUNK,
                          .u.sample_chunk = { .order_id = r->id, .offset = r->acked } };
    struct lamp_sample_chunk *c = &m.u.sample_chunk;
    if (sqlite3_prepare_v2(s->db,
                           "SELECT at, data FROM part WHERE id = ?1 AND at >= coalesce(("
                           "SELECT max(at) FROM part WHERE id = ?1 AND at <= ?2), 0) ORDER BY at",
                           -1, &st, NULL) != SQLITE_OK) {
        fail(s, r, LAMP_ORDER_FAILED, LAMP_ESTORE, sqlite3_errmsg(s->db));
        return 0;
    }
    sqlite3_bind_int64(st, 1, (int64_t)r->id);
    sqlite3_bind_int64(st, 2, (int64_t)r->acked);
    c->data = (struct lamp_bytes){ s->chunk, r->acked < r->bytes ? fill_chunk(s, r, st) : 0 };
    const bool lost = r->acked < r->bytes && c->data.len == 0;
    c->last = r->acked + c->data.len == r->bytes;
    if (!lost && send_msg(s, &m, &len) == LAMP_OK)
        r->flight_us = mono_us;
    else
        len = 0;
    sqlite3_finalize(st);
    if (lost)
        fail(s, r, LAMP_ORDER_FAILED, LAMP_ESTORE, "the sample is damaged");
    return len;
}

/* What was collected is sent once the order has ended. */
static bool chunk_is_due(const struct order *r, uint64_t mono_us)
{
    return r->id && !r->over && !r->news && r->state == LAMP_ORDER_DONE &&
           (r->flight_us == 0 || mono_us - r->flight_us >= AGAIN_US);
}

static size_t send_next_chunk(lamp_samples *s, size_t room, uint64_t mono_us)
{
    if (room < LAMP_SAMPLES_CHUNK + 64 || mono_us < s->paid_us)
        return 0;
    for (size_t i = 0; i < LAMP_SAMPLES_MAX; i++) {
        struct order *r = &s->orders[(s->next + i) % LAMP_SAMPLES_MAX];
        if (!chunk_is_due(r, mono_us))
            continue;
        const size_t len = send_chunk(s, r, mono_us);
        s->next = (s->next + i + 1) % LAMP_SAMPLES_MAX;
        s->paid_us = mono_us + len * SECOND_US / (s->cfg.rate ? s->cfg.rate : 1);
        return len;
    }
    return 0;
}

size_t lamp_samples_pump(lamp_samples *s, size_t room, uint64_t real_us, uint64_t mono_us)
{
    size_t sent = 0;
    for (size_t i = 0; i < LAMP_SAMPLES_MAX; i++) {
        struct order *r = &s->orders[i];
        if (r->state == LAMP_ORDER_ACCEPTED)
            hand_over(s, r);
        if (collects(r) && real_us >= r->until_us) {
            call_off(s, r);
            set_done(s, r);
        }
        r->news |= collects(r) && mono_us - r->told_us >= TELL_US;
        if (r->id && r->news && room > 0)
            sent += tell(s, r, mono_us);
    }
    return sent + send_next_chunk(s, room, mono_us);
}
