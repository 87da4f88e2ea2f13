/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/faults/check.h"

#include "aggregator/store/packs.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

enum { TOLD_MAX = 12 };

/* What became of one batch. */
struct batch {
    uint64_t rows, flows, rows_sum; /* of its rows in the database; indices added up */
    struct lamp_stream_id stream;   /* that it was spooled in, and its record there */
    uint64_t seq;
    bool traced, waiting, lost_in_spool;
};

/* One stream as the aggregator knows it. */
struct stream {
    struct lamp_stream_id id;
    int64_t ref;
    uint64_t next_seq;
    uint64_t records, gaps; /* merged; declared lost */
    uint64_t acked;         /* below this, the sensor was told */
};

struct gap {
    int64_t ref;
    uint64_t from, to, sum;
};

struct view {
    const struct check_sensor *sensor;
    struct check_result *result;
    sqlite3 *db, *spool;
    struct batch *batches; /* by number */
    uint64_t n_batches;
    struct stream *streams;
    size_t n_streams;
    struct gap *gaps;
    size_t n_gaps;
};

static void __attribute__((format(printf, 2, 3))) violation(struct view *v, const char *form, ...)
{
    if (v->result->residue++ >= TOLD_MAX)
        return;
    va_list ap;
    va_start(ap, form);
    fprintf(stderr, "check: %s: ", v->sensor->name);
    vfprintf(stderr, form, ap);
    fputc('\n', stderr);
    va_end(ap);
}

/* ---- reading ---- */

static int open_file(const char *path, sqlite3 **out)
{
    if (sqlite3_open_v2(path, out, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        lamp_packs_register(*out) == LAMP_OK) {
        sqlite3_busy_timeout(*out, 5000);
        return LAMP_OK;
    }
    fprintf(stderr, "check: %s: %s\n", path, sqlite3_errmsg(*out));
    return LAMP_ESTORE;
}

typedef int row_fn(struct view *v, sqlite3_stmt *st);

/* Calls fn for every row; ?1 is the sensor's name, where the text asks for it. */
static int each(struct view *v, sqlite3 *db, const char *sql, row_fn *fn)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK && sqlite3_bind_parameter_count(st) > 0)
        rc = sqlite3_bind_text(st, 1, v->sensor->name, -1, SQLITE_STATIC);
    int err = LAMP_OK;
    while (rc == SQLITE_OK && !err && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        err = fn(v, st);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        fprintf(stderr, "check: %s: %s\n", sqlite3_errmsg(db), sql);
        err = LAMP_ESTORE;
    }
    sqlite3_finalize(st);
    return err;
}

static uint64_t column(sqlite3_stmt *st, int i)
{
    return (uint64_t)sqlite3_column_int64(st, i);
}

static bool column_id(sqlite3_stmt *st, int i, struct lamp_stream_id *out)
{
    if (sqlite3_column_bytes(st, i) != (int)sizeof(out->b))
        return false;
    memcpy(out->b, sqlite3_column_blob(st, i), sizeof(out->b));
    return true;
}

static struct stream *find_stream(const struct view *v, const struct lamp_stream_id *id)
{
    for (size_t i = 0; i < v->n_streams; i++)
        if (memcmp(&v->streams[i].id, id, sizeof(*id)) == 0)
            return &v->streams[i];
    return NULL;
}

static struct stream *stream_of_ref(const struct view *v, int64_t ref)
{
    for (size_t i = 0; i < v->n_streams; i++)
        if (v->streams[i].ref == ref)
            return &v->streams[i];
    return NULL;
}

static int add_stream(struct view *v, const struct stream *s)
{
    if (v->n_streams % 64 == 0) {
        struct stream *grown = realloc(v->streams, (v->n_streams + 64) * sizeof(*grown));
        if (!grown)
            return LAMP_ENOMEM;
        v->streams = grown;
    }
    v->streams[v->n_streams++] = *s;
    return LAMP_OK;
}

static int on_stream(struct view *v, sqlite3_stmt *st)
{
    struct stream s = { .ref = sqlite3_column_int64(st, 0), .next_seq = column(st, 2) };
    if (!column_id(st, 1, &s.id))
        violation(v, "a stream without an id in the database");
    return add_stream(v, &s);
}

static int on_gap(struct view *v, sqlite3_stmt *st)
{
    const struct gap g = { sqlite3_column_int64(st, 0), column(st, 1), column(st, 2),
                           column(st, 3) };
    struct stream *s = stream_of_ref(v, g.ref);
    if (!s)
        violation(v, "a gap of a stream that is not in the database");
    else
        s->gaps += g.to - g.from + 1;
    if (v->n_gaps % 64 == 0) {
        struct gap *grown = realloc(v->gaps, (v->n_gaps + 64) * sizeof(*grown));
        if (!grown)
            return LAMP_ENOMEM;
        v->gaps = grown;
    }
    v->gaps[v->n_gaps++] = g;
    return LAMP_OK;
}

/* A row of a batch in the database. */
static int on_row(struct view *v, sqlite3_stmt *st)
{
    const uint8_t *remote = sqlite3_column_blob(st, 0);
    uint64_t number = 0;
    if (sqlite3_column_bytes(st, 0) == 16)
        for (int i = 6; i < 14; i++)
            number = number << 8 | remote[i];
    if (number == 0 || number >= v->n_batches || column(st, 1) != number) {
        violation(v, "a row of a batch that never was, number %" PRIu64, number);
        return LAMP_OK;
    }
    struct batch *b = &v->batches[number];
    b->rows++;
    b->flows += column(st, 2);
    b->rows_sum += (uint64_t)remote[14] << 8 | remote[15];
    struct lamp_stream_id id = { 0 };
    if (!b->traced)
        return LAMP_OK;
    if (!column_id(st, 3, &id) || memcmp(&id, &b->stream, sizeof(id)) != 0 ||
        column(st, 4) != b->seq)
        violation(v, "batch %" PRIu64 " was merged as another record than it was spooled as",
                  number);
    return LAMP_OK;
}

static int on_record_count(struct view *v, sqlite3_stmt *st)
{
    struct stream *s = stream_of_ref(v, sqlite3_column_int64(st, 0));
    if (s)
        s->records = column(st, 1);
    return LAMP_OK;
}

/* A record in the spool that the aggregator does not have. */
static int on_spooled(struct view *v, sqlite3_stmt *st)
{
    struct lamp_stream_id id = { 0 };
    const bool named = column_id(st, 0, &id);
    const struct stream *s = find_stream(v, &id);
    const uint64_t seq = column(st, 1), to_seq = column(st, 2);
    const uint64_t next_seq = s ? s->next_seq : 1;
    if (!named)
        violation(v, "a stream without an id in the spool");
    if (to_seq < next_seq)
        return LAMP_OK; /* retained */
    if (sqlite3_column_type(st, 3) == SQLITE_NULL) {
        for (uint64_t n = 1; n < v->n_batches; n++) {
            struct batch *b = &v->batches[n];
            if (b->traced && memcmp(&b->stream, &id, sizeof(id)) == 0 && b->seq >= seq &&
                b->seq <= to_seq && b->seq >= next_seq)
                b->lost_in_spool = true;
        }
        return LAMP_OK;
    }
    struct lamp_batch *batch = NULL;
    const struct lamp_bytes body = { sqlite3_column_blob(st, 3),
                                     (size_t)sqlite3_column_bytes(st, 3) };
    const bool good = lamp_batch_unpack(body, &batch) == LAMP_OK && batch->n_rollups > 0;
    const uint64_t number = good ? batch->rollups[0].bytes_out : 0;
    lamp_batch_free(batch);
    if (number == 0 || number >= v->n_batches)
        violation(v, "record %" PRIu64 " in the spool is no batch", seq);
    else if (v->batches[number].waiting)
        violation(v, "batch %" PRIu64 " is in the spool twice", number);
    else
        v->batches[number].waiting = true;
    return LAMP_OK;
}

static int on_duplicates(struct view *v, sqlite3_stmt *st)
{
    v->result->duplicates += column(st, 0);
    return LAMP_OK;
}

/* ---- the trace ---- */

static void read_trace(struct view *v)
{
    const struct control *c = v->sensor->control;
    const uint64_t n = atomic_load(&c->n);
    if (n > TRACE_MAX)
        violation(v, "the trace is full");
    for (uint64_t i = 0; i < n && i < TRACE_MAX; i++) {
        const struct trace *t = &c->trace[i];
        struct stream *s = find_stream(v, &t->stream);
        if (t->kind == TRACE_SPOOLED && t->number < v->n_batches) {
            struct batch *b = &v->batches[t->number];
            if (b->traced)
                violation(v, "batch %" PRIu64 " was spooled twice", t->number);
            b->traced = true;
            b->stream = t->stream;
            b->seq = t->seq;
        } else if (t->kind == TRACE_ACKED && s) {
            s->acked = t->seq > s->acked ? t->seq : s->acked;
        } else if (t->kind == TRACE_REWOUND && s) {
            s->acked = t->seq;
        } else if (t->kind == TRACE_ACKED && t->seq > 1) {
            violation(v, "acknowledged up to %" PRIu64 ", but the stream is not in the database",
                      t->seq);
        }
    }
}

static void check_acks(struct view *v)
{
    for (size_t i = 0; i < v->n_streams; i++)
        if (v->streams[i].acked > v->streams[i].next_seq)
            violation(v, "acknowledged up to %" PRIu64 ", in the database up to %" PRIu64,
                      v->streams[i].acked, v->streams[i].next_seq);
}

/* ---- the invariant ---- */

static bool is_in_gap(const struct view *v, const struct batch *b)
{
    const struct stream *s = find_stream(v, &b->stream);
    for (size_t i = 0; s && i < v->n_gaps; i++)
        if (v->gaps[i].ref == s->ref && b->seq >= v->gaps[i].from && b->seq <= v->gaps[i].to)
            return true;
    return false;
}

static void check_batch(struct view *v, uint64_t number)
{
    const struct batch *b = &v->batches[number];
    const uint64_t rows = v->sensor->rows;
    const bool merged = b->rows > 0;
    const bool lost = b->lost_in_spool || (b->traced && is_in_gap(v, b));
    v->result->spooled += b->traced;
    v->result->merged += merged;
    /* One that was spooled just before a kill, and not traced yet, nobody has waited for. */
    v->result->waiting += b->waiting && b->traced;
    v->result->lost += lost;
    if (merged && (b->rows != rows || b->flows != rows || b->rows_sum != rows * (rows - 1) / 2))
        violation(v, "batch %" PRIu64 " is not merged once: %" PRIu64 " rows, %" PRIu64 " flows",
                  number, b->rows, b->flows);
    if (b->traced && merged + b->waiting + lost != 1)
        violation(v,
                  "batch %" PRIu64 " (record %" PRIu64 "): merged %d, in the spool %d, declared "
                  "lost %d",
                  number, b->seq, merged, b->waiting, lost);
    if (!b->traced && merged && b->waiting)
        violation(v, "batch %" PRIu64 " is merged and will be again", number);
}

/* What was made of the batches beside their rows: sums of a connection and its minutes. */
static int on_sums(struct view *v, sqlite3_stmt *st)
{
    uint64_t n = 0, sum = 0;
    for (uint64_t i = 1; i < v->n_batches; i++) {
        n += v->batches[i].rows > 0;
        sum += v->batches[i].rows > 0 ? i : 0;
    }
    if (column(st, 0) != n || column(st, 1) != sum)
        violation(v,
                  "%s: %" PRIu64 " shares and %" PRIu64 " bytes, but the batches say %" PRIu64
                  " and %" PRIu64,
                  (const char *)sqlite3_column_text(st, 2), column(st, 0), column(st, 1), n, sum);
    return LAMP_OK;
}

static void check_streams(struct view *v)
{
    for (size_t i = 0; i < v->n_streams; i++) {
        const struct stream *s = &v->streams[i];
        if (s->records + s->gaps != s->next_seq - 1)
            violation(v,
                      "stream %" PRId64 ": %" PRIu64 " records and %" PRIu64
                      " lost, but the next is %" PRIu64,
                      s->ref, s->records, s->gaps, s->next_seq);
    }
}

/* A LOSS says how much it stands for (n_bytes: here the sum of the numbers). */
static void check_gaps(struct view *v)
{
    for (size_t i = 0; i < v->n_gaps; i++) {
        const struct stream *s = stream_of_ref(v, v->gaps[i].ref);
        uint64_t sum = 0;
        for (uint64_t n = 1; s && n < v->n_batches; n++) {
            const struct batch *b = &v->batches[n];
            if (b->traced && memcmp(&b->stream, &s->id, sizeof(s->id)) == 0 &&
                b->seq >= v->gaps[i].from && b->seq <= v->gaps[i].to)
                sum += n;
        }
        if (v->gaps[i].sum && v->gaps[i].sum < sum)
            violation(v, "a gap declares %" PRIu64 " bytes, but %" PRIu64 " are lost",
                      v->gaps[i].sum, sum);
    }
}

static int read_database(struct view *v)
{
    int err = each(v, v->db,
                   "SELECT st.no, st.id, st.next_seq FROM stream st JOIN sensor s "
                   "ON s.no = st.sensor WHERE s.id = ?1",
                   on_stream);
    if (!err)
        err = each(v, v->db,
                   "SELECT g.stream, g.from_seq, g.to_seq, g.bytes FROM gap g JOIN sensor s "
                   "ON s.no = g.sensor WHERE s.id = ?1 AND g.to_seq >= g.from_seq",
                   on_gap);
    return err;
}

static int read_batches(struct view *v)
{
    int err = each(v, v->db,
                   "SELECT r.remote, r.bytes_out, r.flows, st.id, r.seq FROM rollup_minute r "
                   "JOIN stream st ON st.no = r.stream JOIN sensor s ON s.no = st.sensor "
                   "WHERE s.id = ?1",
                   on_row);
    if (!err)
        err = each(v, v->db,
                   "SELECT r.stream, count(DISTINCT r.seq) FROM rollup_minute r JOIN stream st "
                   "ON st.no = r.stream JOIN sensor s ON s.no = st.sensor WHERE s.id = ?1 "
                   "GROUP BY r.stream",
                   on_record_count);
    if (!err)
        err = each(v, v->spool, "SELECT id, seq, to_seq, body FROM record JOIN stream USING(n)",
                   on_spooled);
    if (!err)
        err = each(v, v->db, "SELECT duplicates FROM sensor WHERE id = ?1", on_duplicates);
    return err;
}

static int check_sums(struct view *v)
{
    int err = each(v, v->db,
                   "SELECT ifnull(sum(c.submitted), 0), ifnull(sum(c.bytes_up), 0), 'connection' "
                   "FROM conn c JOIN sensor s ON s.no = c.sensor WHERE s.id = ?1",
                   on_sums);
    if (!err)
        err = each(v, v->db,
                   "SELECT ifnull(sum(m.submitted), 0), ifnull(sum(m.bytes_up), 0), 'minutes' "
                   "FROM conn_minute m JOIN conn c ON c.id = m.conn JOIN sensor s "
                   "ON s.no = c.sensor WHERE s.id = ?1",
                   on_sums);
    return err;
}

static void done(struct view *v)
{
    sqlite3_close(v->db);
    sqlite3_close(v->spool);
    free(v->batches);
    free(v->streams);
    free(v->gaps);
}

static int check_sensor(const char *database, const struct check_sensor *sensor, bool acks_only,
                        struct check_result *result)
{
    struct view v = { .sensor = sensor,
                      .result = result,
                      .n_batches = atomic_load(&sensor->control->next_number) };
    int err = open_file(database, &v.db);
    v.batches = calloc(v.n_batches + 1, sizeof(*v.batches));
    if (!err && !v.batches)
        err = LAMP_ENOMEM;
    if (!err)
        err = read_database(&v);
    if (!err)
        read_trace(&v);
    if (!err && acks_only)
        check_acks(&v);
    if (!err && !acks_only)
        err = open_file(sensor->spool, &v.spool);
    if (!err && !acks_only)
        err = read_batches(&v);
    if (!err && !acks_only) {
        for (uint64_t n = 1; n < v.n_batches; n++)
            check_batch(&v, n);
        check_streams(&v);
        check_gaps(&v);
        err = check_sums(&v);
    }
    done(&v);
    return err;
}

static int check_all(const char *database, const struct check_sensor *sensors, size_t n,
                     bool acks_only, struct check_result *out)
{
    *out = (struct check_result){ 0 };
    int err = LAMP_OK;
    for (size_t i = 0; i < n && !err; i++)
        err = check_sensor(database, &sensors[i], acks_only, out);
    return err;
}

int check_run(const char *database, const struct check_sensor *sensors, size_t n,
              struct check_result *out)
{
    return check_all(database, sensors, n, false, out);
}

int check_acked(const char *database, const struct check_sensor *sensors, size_t n,
                struct check_result *out)
{
    return check_all(database, sensors, n, true, out);
}
