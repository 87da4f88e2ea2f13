/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/spool.h"

#include "common/min.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>

#define RECORD_OVERHEAD 64 /* bytes a row costs beside its body, about */
#define SIZE_OF_BODIES "ifnull(sum(length(body) + " LAMP_STR(RECORD_OVERHEAD) "), 0)"
/* The records of a stream that hold ?2 or follow it. None overlaps another, so the first of them is the
 * last that begins at ?2 or before, or the next: the key finds it, however many were acknowledged. */
#define FROM_2 "seq>=(SELECT ifnull(max(seq), 0) FROM record WHERE n=?1 AND seq<=?2) AND to_seq>=?2"
#define RETAIN_US (UINT64_C(24) * 3600 * 1000000) /* acknowledged records are kept this long */

struct lamp_spool {
    sqlite3 *db;
    int64_t current; /* stream.n of the current stream */
    uint64_t quota, dropped;
    uint64_t bytes, retained; /* of all records; of those that are acknowledged */
    uint64_t epoch;           /* of the aggregator */
    bool memory_only;
    char said[200]; /* by the database of its last failure */
    bool damaged;
};

/* stream.n orders streams by age. record.body is NULL in a LOSS, which covers seq..to_seq.
 * A stream that is finished stays for as long as records of it are retained. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS stream("
    " n INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,"
    " last_seq INTEGER NOT NULL DEFAULT 0, next_seq INTEGER NOT NULL DEFAULT 1,"
    " finished INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS meta(agg_epoch INTEGER NOT NULL);"
    "INSERT INTO meta SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM meta);"
    "CREATE TABLE IF NOT EXISTS record("
    " n INTEGER NOT NULL, seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, body BLOB,"
    " t_from INTEGER NOT NULL, t_to INTEGER NOT NULL, n_rows INTEGER NOT NULL,"
    " n_bytes INTEGER NOT NULL, reason INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(n, seq));";

/* ---- statements ---- */

static int code_of(lamp_spool *s, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
        return LAMP_OK;
    snprintf(s->said, sizeof(s->said), "%s", sqlite3_errmsg(s->db));
    s->damaged |= (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
    return rc == SQLITE_NOMEM ? LAMP_ENOMEM : LAMP_ESTORE;
}

static int exec(lamp_spool *s, const char *sql)
{
    return code_of(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

/* Prepares sql and binds n integers from ?1 on. */
static int prepare(lamp_spool *s, const char *sql, const int64_t *args, size_t n,
                   sqlite3_stmt **out)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc != SQLITE_OK)
        return code_of(s, rc);
    for (size_t i = 0; i < n; i++)
        sqlite3_bind_int64(st, (int)i + 1, args[i]);
    *out = st;
    return LAMP_OK;
}

/* Runs a statement that returns no rows. */
static int run(lamp_spool *s, const char *sql, const int64_t *args, size_t n)
{
    sqlite3_stmt *st = NULL;
    const int err = prepare(s, sql, args, n, &st);
    if (err)
        return err;
    sqlite3_step(st);
    return code_of(s, sqlite3_finalize(st));
}
#define RUN(s, sql, ...)                                                                           \
    run((s), (sql), (const int64_t[]){ __VA_ARGS__ },                                              \
        sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

/* Runs a query of one integer; LAMP_ENOENT: no row. */
static int query(lamp_spool *s, const char *sql, const int64_t *args, size_t n, int64_t *out)
{
    sqlite3_stmt *st = NULL;
    int err = prepare(s, sql, args, n, &st);
    if (err)
        return err;
    const bool row = sqlite3_step(st) == SQLITE_ROW;
    const int64_t v = row ? sqlite3_column_int64(st, 0) : 0;
    err = code_of(s, sqlite3_finalize(st));
    if (err)
        return err;
    if (!row)
        return LAMP_ENOENT;
    *out = v;
    return LAMP_OK;
}
#define QUERY(s, out, sql, ...)                                                                    \
    query((s), (sql), (const int64_t[]){ __VA_ARGS__ },                                            \
          sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (out))

/* Ends a transaction: all of it or nothing. */
static int finish(lamp_spool *s, int err)
{
    if (!err)
        err = exec(s, "COMMIT");
    /* Of a full disk the database has gone back by itself. Its words stay those of the cause. */
    if (err && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

/* ---- opening ---- */

static int check_is(lamp_spool *s, const char *sql, const char *want)
{
    sqlite3_stmt *st = NULL;
    int err = prepare(s, sql, NULL, 0, &st);
    if (err)
        return err;
    const bool row = sqlite3_step(st) == SQLITE_ROW;
    const char *got = row ? (const char *)sqlite3_column_text(st, 0) : NULL;
    const bool same = got && streq(got, want);
    err = code_of(s, sqlite3_finalize(st));
    return err ? err : same ? LAMP_OK : LAMP_ESTORE;
}

/* Damage is found every time: a read that failed once, or a lack of memory, is none. */
static int check_whole(lamp_spool *s)
{
    int err = LAMP_ESTORE;
    for (int i = 0; i < 2 && err; i++)
        err = check_is(s, "PRAGMA quick_check(1)", "ok");
    return err && err != LAMP_ENOMEM ? LAMP_EFORMAT : err;
}

/* Spools of version 0.1 before retention lack the column. */
static int add_finished(lamp_spool *s)
{
    int64_t has = 0;
    const int err = query(
        s, "SELECT count(*) FROM pragma_table_info('stream') WHERE name='finished'", NULL, 0, &has);
    return err || has
               ? err
               : exec(s, "ALTER TABLE stream ADD COLUMN finished INTEGER NOT NULL DEFAULT 0");
}

/* d14: the defaults differ between builds, so what was set is read back. */
static int open_database(lamp_spool *s, const char *path)
{
    const int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc != SQLITE_OK)
        return code_of(s, rc);
    sqlite3_busy_timeout(s->db, 2000);
    if (s->memory_only)
        return exec(s, schema);
    int err = exec(s, "PRAGMA auto_vacuum=INCREMENTAL;");
    if (!err)
        err = check_is(s, "PRAGMA journal_mode=WAL", "wal");
    if (!err)
        err = exec(s, "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;"
                      "PRAGMA wal_autocheckpoint=256; PRAGMA journal_size_limit=4194304;");
    if (!err)
        err = check_is(s, "PRAGMA synchronous", "2");
    if (!err)
        err = check_whole(s);
    if (!err)
        err = exec(s, schema);
    return err ? err : add_finished(s);
}

static int set_aside(const char *path, uint64_t now_us, char damaged[PATH_MAX])
{
    if (snprintf(damaged, PATH_MAX, "%s.damaged-%" PRIu64, path, now_us / 1000000) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (rename(path, damaged) < 0) {
        damaged[0] = '\0';
        return -errno;
    }
    static const char *const parts[] = { "-wal", "-shm" };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char from[PATH_MAX], to[PATH_MAX];
        if (snprintf(from, sizeof(from), "%s%s", path, parts[i]) < (int)sizeof(from) &&
            snprintf(to, sizeof(to), "%s%s", damaged, parts[i]) < (int)sizeof(to))
            (void)rename(from, to); /* absent after a clean end */
    }
    return LAMP_OK;
}

static bool is_damaged(sqlite3 *db, int err)
{
    if (!db || !err)
        return false;
    const int rc = sqlite3_errcode(db) & 0xff;
    return err == LAMP_EFORMAT || rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

/* A stream nothing was ever written to needs no CLOSE. */
static int begin_stream(lamp_spool *s)
{
    int err = exec(s, "DELETE FROM stream WHERE last_seq = 0");
    if (err)
        return err;
    struct lamp_stream_id id;
    randombytes_buf(id.b, sizeof(id.b));
    sqlite3_stmt *st = NULL;
    err = prepare(s, "INSERT INTO stream(id) VALUES(?1)", NULL, 0, &st);
    if (err)
        return err;
    sqlite3_bind_blob(st, 1, id.b, sizeof(id.b), SQLITE_TRANSIENT);
    sqlite3_step(st);
    err = code_of(s, sqlite3_finalize(st));
    s->current = sqlite3_last_insert_rowid(s->db);
    return err;
}

int lamp_spool_open(const char *dir, uint64_t quota_bytes, uint64_t now_us, lamp_spool **out,
                    char damaged[PATH_MAX], char why[256])
{
    char path[PATH_MAX];
    damaged[0] = '\0';
    snprintf(why, 256, "path too long");
    const int len = dir ? snprintf(path, sizeof(path), "%s/spool.db", dir)
                        : snprintf(path, sizeof(path), ":memory:");
    if (len >= (int)sizeof(path))
        return -ENAMETOOLONG;
    lamp_spool *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->quota = quota_bytes;
    s->memory_only = !dir;
    int err = open_database(s, path);
    if (is_damaged(s->db, err)) {
        sqlite3_close(s->db);
        s->db = NULL;
        s->damaged = false;
        err = set_aside(path, now_us, damaged);
        if (!err)
            err = open_database(s, path);
    }
    int64_t bytes = 0, retained = 0, epoch = 0;
    if (!err)
        err = query(s, "SELECT agg_epoch FROM meta", NULL, 0, &epoch);
    if (!err)
        err = begin_stream(s);
    if (!err)
        err = query(s, "SELECT " SIZE_OF_BODIES " FROM record", NULL, 0, &bytes);
    if (!err)
        err = query(s,
                    "SELECT " SIZE_OF_BODIES " FROM stream JOIN record USING(n) "
                    "WHERE to_seq < next_seq",
                    NULL, 0, &retained);
    if (err) {
        snprintf(why, 256, "%s", s->said[0] ? s->said : lamp_strerror(err));
        lamp_spool_close(s);
        return err;
    }
    s->bytes = (uint64_t)bytes;
    s->retained = (uint64_t)retained;
    s->epoch = (uint64_t)epoch;
    *out = s;
    return LAMP_OK;
}

lamp_spool *lamp_spool_close(lamp_spool *s)
{
    if (!s)
        return NULL;
    sqlite3_close(s->db);
    free(s);
    return NULL;
}

/* ---- writing ---- */

/* Deletes the oldest record that the aggregator has, if the retained ones are more than
 * max_bytes or it ended before old_us. *out_freed 0: there is none to delete. */
static int drop_retained(lamp_spool *s, uint64_t max_bytes, uint64_t old_us, uint64_t *out_freed)
{
    *out_freed = 0;
    sqlite3_stmt *st = NULL;
    int err = prepare(s,
                      "SELECT r.n, r.seq, length(body), t_to FROM stream s JOIN record r "
                      "ON r.n = s.n AND r.seq < s.next_seq WHERE r.to_seq < s.next_seq "
                      "ORDER BY s.n, r.seq LIMIT 1",
                      NULL, 0, &st);
    if (err)
        return err;
    int64_t v[4] = { 0 };
    const bool row = sqlite3_step(st) == SQLITE_ROW;
    for (int i = 0; row && i < 4; i++)
        v[i] = sqlite3_column_int64(st, i);
    const bool has_body = row && sqlite3_column_type(st, 2) != SQLITE_NULL;
    err = code_of(s, sqlite3_finalize(st));
    if (err || !row || (s->retained <= max_bytes && (uint64_t)v[3] >= old_us))
        return err;
    err = RUN(s, "DELETE FROM record WHERE n=?1 AND seq=?2", v[0], v[1]);
    if (err)
        return err;
    const uint64_t size = has_body ? (uint64_t)v[2] + RECORD_OVERHEAD : 0;
    s->bytes -= lamp_min_u64(size, s->bytes);
    s->retained -= lamp_min_u64(size, s->retained);
    *out_freed = size ? size : 1;
    return LAMP_OK;
}

/* Keeps what is acknowledged within a quarter of the quota and a day. */
static int trim(lamp_spool *s, uint64_t now_us)
{
    const uint64_t old_us = now_us > RETAIN_US ? now_us - RETAIN_US : 0;
    int err;
    uint64_t freed;
    do
        err = drop_retained(s, s->quota / 4, old_us, &freed);
    while (!err && freed);
    return err ? err
               : exec(s, "DELETE FROM stream WHERE finished AND NOT EXISTS "
                         "(SELECT 1 FROM record r WHERE r.n = stream.n)");
}

/* Turns the oldest record with a body into a LOSS, or lengthens the LOSS before it. */
static int drop_oldest(lamp_spool *s, uint64_t *out_freed)
{
    sqlite3_stmt *st = NULL;
    int err = prepare(s,
                      "SELECT n, seq, length(body), t_from, t_to, n_rows, n_bytes FROM record "
                      "WHERE body IS NOT NULL ORDER BY n, seq LIMIT 1",
                      NULL, 0, &st);
    if (err)
        return err;
    int64_t v[7] = { 0 };
    if (sqlite3_step(st) == SQLITE_ROW)
        for (int i = 0; i < 7; i++)
            v[i] = sqlite3_column_int64(st, i);
    err = code_of(s, sqlite3_finalize(st));
    if (err)
        return err;
    *out_freed = (uint64_t)v[2] + RECORD_OVERHEAD;

    int64_t before;
    err = QUERY(s, &before,
                "SELECT seq FROM record WHERE n=?1 AND to_seq=?2 AND body IS NULL "
                "AND reason=?3",
                v[0], v[1] - 1, LAMP_LOSS_QUOTA);
    if (err == LAMP_ENOENT)
        return RUN(s, "UPDATE record SET body=NULL, reason=?3 WHERE n=?1 AND seq=?2", v[0], v[1],
                   LAMP_LOSS_QUOTA);
    if (!err)
        err = RUN(s, "DELETE FROM record WHERE n=?1 AND seq=?2", v[0], v[1]);
    if (!err)
        err = RUN(s,
                  "UPDATE record SET to_seq=?3, t_to=max(t_to, ?4), n_rows=n_rows+?5, "
                  "n_bytes=n_bytes+?6 WHERE n=?1 AND seq=?2",
                  v[0], before, v[1], v[4], v[5], v[6]);
    return err;
}

static int insert_record(lamp_spool *s, int64_t seq, const struct lamp_summary *m)
{
    const int64_t args[] = {
        s->current,         seq, (int64_t)m->t_from_us, (int64_t)m->t_to_us, (int64_t)m->n_rows,
        (int64_t)m->n_bytes
    };
    sqlite3_stmt *st = NULL;
    const int err = prepare(s,
                            "INSERT INTO record(n, seq, to_seq, t_from, t_to, n_rows, n_bytes, "
                            "body) VALUES(?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7)",
                            args, ARRAY_LEN(args), &st);
    if (err)
        return err;
    sqlite3_bind_blob64(st, 7, m->batch.len ? (const void *)m->batch.data : "", m->batch.len,
                        SQLITE_STATIC);
    sqlite3_step(st);
    return code_of(s, sqlite3_finalize(st));
}

/* Makes room for size bytes: what the aggregator has goes first, then the oldest it has not. */
static int make_room(lamp_spool *s, uint64_t size)
{
    int64_t held = 0;
    uint64_t freed = 1;
    int err = LAMP_OK;
    while (!err && freed && s->bytes + size > s->quota)
        err = drop_retained(s, 0, 0, &freed);
    if (!err && s->bytes + size > s->quota)
        err = query(s, "SELECT count(*) FROM record WHERE body IS NOT NULL", NULL, 0, &held);
    for (; !err && s->bytes + size > s->quota && held > 0; held--) {
        err = drop_oldest(s, &freed);
        if (!err) {
            s->bytes -= lamp_min_u64(freed, s->bytes);
            s->dropped++;
        }
    }
    return err;
}

int lamp_spool_append(lamp_spool *s, const struct lamp_summary *const *m, size_t n,
                      uint64_t *out_last)
{
    const uint64_t bytes = s->bytes, retained = s->retained, dropped = s->dropped;
    int64_t last = 0;
    int err = exec(s, "BEGIN IMMEDIATE");
    if (err)
        return err;
    err = QUERY(s, &last, "SELECT last_seq FROM stream WHERE n=?1", s->current);
    for (size_t i = 0; !err && i < n; i++) {
        const uint64_t size = m[i]->batch.len + RECORD_OVERHEAD;
        err = make_room(s, size); /* before: of what is left then, this is the newest */
        if (!err)
            err = insert_record(s, ++last, m[i]);
        s->bytes += size;
    }
    if (!err)
        err = RUN(s, "UPDATE stream SET last_seq=?2 WHERE n=?1", s->current, last);
    err = finish(s, err);
    if (err) {
        s->bytes = bytes;
        s->retained = retained;
        s->dropped = dropped;
        return err;
    }
    *out_last = (uint64_t)last;
    return LAMP_OK;
}

/* ---- reading ---- */

int lamp_spool_streams(lamp_spool *s, struct lamp_spool_stream *out, size_t max, size_t *out_n)
{
    sqlite3_stmt *st = NULL;
    const int64_t args[] = { s->current, (int64_t)max - 1 };
    int err = prepare(s,
                      "SELECT id, last_seq, next_seq, n = ?1, ifnull((SELECT min(seq) FROM record "
                      "r WHERE r.n = stream.n), last_seq + 1) FROM stream WHERE n = ?1 OR n IN "
                      "(SELECT n FROM stream WHERE n <> ?1 AND NOT finished ORDER BY n LIMIT ?2) "
                      "ORDER BY n",
                      args, ARRAY_LEN(args), &st);
    if (err)
        return err;
    size_t n = 0;
    while (n < max && sqlite3_step(st) == SQLITE_ROW) {
        struct lamp_spool_stream *o = &out[n++];
        *o = (struct lamp_spool_stream){
            .last_seq = (uint64_t)sqlite3_column_int64(st, 1),
            .next_seq = (uint64_t)sqlite3_column_int64(st, 2),
            .current = sqlite3_column_int(st, 3) != 0,
            .first_seq = (uint64_t)sqlite3_column_int64(st, 4),
        };
        if (sqlite3_column_bytes(st, 0) == (int)sizeof(o->id.b))
            memcpy(o->id.b, sqlite3_column_blob(st, 0), sizeof(o->id.b));
    }
    err = code_of(s, sqlite3_finalize(st));
    if (!err)
        *out_n = n;
    return err;
}

/* The number of a stream, and its next_seq and last_seq. */
static int find_stream(lamp_spool *s, const struct lamp_stream_id *stream, int64_t out[3])
{
    sqlite3_stmt *st = NULL;
    int err = prepare(s, "SELECT n, next_seq, last_seq FROM stream WHERE id=?1", NULL, 0, &st);
    if (err)
        return err;
    sqlite3_bind_blob(st, 1, stream->b, sizeof(stream->b), SQLITE_STATIC);
    const bool row = sqlite3_step(st) == SQLITE_ROW;
    for (int i = 0; row && i < 3; i++)
        out[i] = sqlite3_column_int64(st, i);
    err = code_of(s, sqlite3_finalize(st));
    return err ? err : row ? LAMP_OK : LAMP_ENOENT;
}

/* One that nothing was written to is forgotten when the next one begins: here it is needed after all,
 * in its old place before the current one. */
static int remember_stream(lamp_spool *s, const struct lamp_stream_id *stream, int64_t out[3])
{
    sqlite3_stmt *st = NULL;
    out[0] = s->current - 1;
    out[1] = 1;
    out[2] = 0;
    const int err = prepare(s, "INSERT INTO stream(n, id) VALUES(?1, ?2)", out, 1, &st);
    if (err)
        return err;
    sqlite3_bind_blob(st, 2, stream->b, sizeof(stream->b), SQLITE_STATIC);
    sqlite3_step(st);
    return code_of(s, sqlite3_finalize(st));
}

static int declare_in(lamp_spool *s, const int64_t v[3], const struct lamp_spool_taken *t,
                      uint64_t n)
{
    uint64_t from_us = UINT64_MAX, to_us = 0, rows = 0, bytes = 0;
    for (uint64_t i = (uint64_t)v[2] + 1; i <= n; i++) {
        const uint64_t at = i % LAMP_SPOOL_GROUP;
        from_us = t->newest[at].t_from_us < from_us ? t->newest[at].t_from_us : from_us;
        to_us = t->newest[at].t_to_us > to_us ? t->newest[at].t_to_us : to_us;
        rows += t->newest[at].n_rows;
        bytes += t->newest[at].n_bytes;
    }
    const int err = RUN(s,
                        "INSERT INTO record(n, seq, to_seq, t_from, t_to, n_rows, n_bytes, reason) "
                        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        v[0], v[2] + 1, (int64_t)n, (int64_t)from_us, (int64_t)to_us, (int64_t)rows,
                        (int64_t)bytes, LAMP_LOSS_CRASH);
    return err ? err
               : RUN(s, "UPDATE stream SET last_seq=?2, finished=0 WHERE n=?1", v[0], (int64_t)n);
}

int lamp_spool_declare(lamp_spool *s, const struct lamp_spool_taken *taken, uint64_t *out_lost)
{
    static const struct lamp_stream_id none;
    const uint64_t n = atomic_load(&taken->n);
    int64_t v[3];
    *out_lost = 0;
    if (s->memory_only || memcmp(&taken->stream, &none, sizeof(none)) == 0)
        return LAMP_OK;
    int err = exec(s, "BEGIN IMMEDIATE");
    if (err)
        return err;
    err = find_stream(s, &taken->stream, v);
    if (err == LAMP_ENOENT && n > LAMP_SPOOL_GROUP)
        return finish(s, LAMP_OK); /* set aside, which is told otherwise */
    if (err == LAMP_ENOENT)
        err = n ? remember_stream(s, &taken->stream, v) : LAMP_OK;
    const uint64_t lost = !err && n > 0 && n > (uint64_t)v[2] ? n - (uint64_t)v[2] : 0;
    if (lost > LAMP_SPOOL_GROUP)
        err = LAMP_EPROTO;
    if (!err && lost)
        err = declare_in(s, v, taken, n);
    err = finish(s, err);
    if (!err)
        *out_lost = lost;
    return err;
}

int lamp_spool_current(lamp_spool *s, struct lamp_stream_id *out)
{
    sqlite3_stmt *st = NULL;
    int err = prepare(s, "SELECT id FROM stream WHERE n=?1", &s->current, 1, &st);
    if (err)
        return err;
    const bool got =
        sqlite3_step(st) == SQLITE_ROW && sqlite3_column_bytes(st, 0) == (int)sizeof(out->b);
    if (got)
        memcpy(out->b, sqlite3_column_blob(st, 0), sizeof(out->b));
    err = code_of(s, sqlite3_finalize(st));
    return err ? err : got ? LAMP_OK : LAMP_ESTORE;
}

static int read_row(sqlite3_stmt *st, struct lamp_spool_record *out)
{
    struct lamp_spool_record r = {
        .kind = sqlite3_column_type(st, 6) == SQLITE_NULL ? LAMP_SPOOL_LOSS : LAMP_SPOOL_SUMMARY,
        .seq = (uint64_t)sqlite3_column_int64(st, 0),
        .to_seq = (uint64_t)sqlite3_column_int64(st, 1),
        .t_from_us = (uint64_t)sqlite3_column_int64(st, 2),
        .t_to_us = (uint64_t)sqlite3_column_int64(st, 3),
        .n_rows = (uint64_t)sqlite3_column_int64(st, 4),
        .n_bytes = (uint64_t)sqlite3_column_int64(st, 5),
        .reason = (enum lamp_loss_reason)sqlite3_column_int(st, 7),
    };
    const void *body = sqlite3_column_blob(st, 6);
    r.body_len = (size_t)sqlite3_column_bytes(st, 6);
    r.body = malloc(r.body_len + 1);
    if (!r.body)
        return LAMP_ENOMEM;
    if (r.body_len)
        memcpy(r.body, body, r.body_len);
    *out = r;
    return LAMP_OK;
}

int lamp_spool_read(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t seq,
                    struct lamp_spool_record *out)
{
    int64_t v[3];
    int err = find_stream(s, stream, v);
    if (err)
        return err;
    const int64_t args[] = { v[0], (int64_t)seq };
    sqlite3_stmt *st = NULL;
    err = prepare(s,
                  "SELECT seq, to_seq, t_from, t_to, n_rows, n_bytes, body, reason FROM record "
                  "WHERE n=?1 AND " FROM_2 " ORDER BY seq LIMIT 1",
                  args, ARRAY_LEN(args), &st);
    if (err)
        return err;
    err = sqlite3_step(st) == SQLITE_ROW ? read_row(st, out) : LAMP_ENOENT;
    const int end = code_of(s, sqlite3_finalize(st));
    return end ? end : err;
}

/* ---- acknowledgement ---- */

int lamp_spool_ack(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq,
                   uint64_t now_us)
{
    int64_t v[3], size = 0;
    const uint64_t bytes = s->bytes, retained = s->retained;
    int err = find_stream(s, stream, v);
    if (err)
        return err;
    if (next_seq > (uint64_t)v[2] + 1)
        return LAMP_EPROTO;
    if (next_seq <= (uint64_t)v[1])
        return LAMP_OK;

    err = exec(s, "BEGIN IMMEDIATE");
    if (err)
        return err;
    err = QUERY(s, &size,
                "SELECT " SIZE_OF_BODIES " FROM record WHERE n=?1 AND " FROM_2
                " AND seq<?3 AND to_seq<?3",
                v[0], v[1], (int64_t)next_seq);
    if (!err)
        err = RUN(s, "UPDATE stream SET next_seq=?2 WHERE n=?1", v[0], (int64_t)next_seq);
    s->retained += (uint64_t)size;
    if (!err)
        err = trim(s, now_us);
    err = finish(s, err);
    if (err) {
        s->bytes = bytes;
        s->retained = retained;
        return err;
    }
    /* Gives the freed pages back to the disk, a few at a time. */
    return exec(s, "PRAGMA incremental_vacuum(64)");
}

int lamp_spool_rewind(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq)
{
    int64_t v[3], first = 0, until = 0, size = 0;
    int err = find_stream(s, stream, v);
    if (err)
        return err;
    if (next_seq == 0)
        return LAMP_EPROTO;
    if (next_seq >= (uint64_t)v[1])
        return LAMP_OK;
    err = exec(s, "BEGIN IMMEDIATE");
    if (err)
        return err;
    err = QUERY(s, &first, "SELECT ifnull(min(seq), ?2 + 1) FROM record WHERE n=?1", v[0], v[2]);
    if (!err)
        err = QUERY(s, &until, "SELECT ifnull(min(t_from), 0) FROM record WHERE n=?1 AND seq=?2",
                    v[0], first);
    if (!err && (uint64_t)first > next_seq)
        err = RUN(s,
                  "INSERT INTO record(n, seq, to_seq, t_from, t_to, n_rows, n_bytes, reason) "
                  "VALUES(?1, ?2, ?3, ?5, ?5, 0, 0, ?4)",
                  v[0], (int64_t)next_seq, first - 1, LAMP_LOSS_AGG_RESTORE, until);
    if (!err)
        err = QUERY(s, &size,
                    "SELECT " SIZE_OF_BODIES " FROM record WHERE n=?1 AND " FROM_2
                    " AND seq<?3 AND to_seq<?3",
                    v[0], (int64_t)next_seq, v[1]);
    if (!err)
        err = RUN(s, "UPDATE stream SET next_seq=?2 WHERE n=?1", v[0], (int64_t)next_seq);
    err = finish(s, err);
    if (!err)
        s->retained -= lamp_min_u64((uint64_t)size, s->retained);
    return err;
}

int lamp_spool_finish(lamp_spool *s, const struct lamp_stream_id *stream)
{
    int64_t v[3];
    int err = find_stream(s, stream, v);
    if (err)
        return err;
    err = exec(s, "BEGIN IMMEDIATE");
    if (err)
        return err;
    const uint64_t bytes = s->bytes, retained = s->retained;
    err = RUN(s, "UPDATE stream SET finished=1 WHERE n=?1 AND next_seq > last_seq", v[0]);
    if (!err)
        err = trim(s, 0);
    err = finish(s, err);
    if (err) {
        s->bytes = bytes;
        s->retained = retained;
    }
    return err;
}

int lamp_spool_epoch(lamp_spool *s, uint64_t epoch, bool lost_something, bool *out_reopened)
{
    const bool restored = lost_something || (s->epoch && s->epoch != epoch);
    *out_reopened = false;
    if (!restored && s->epoch == epoch)
        return LAMP_OK;
    int err = exec(s, "BEGIN IMMEDIATE");
    if (err)
        return err;
    err = RUN(s, "UPDATE meta SET agg_epoch=?1", (int64_t)epoch);
    int changed = 0;
    if (!err && restored) {
        err = RUN(s, "UPDATE stream SET finished=0 WHERE finished AND n<>?1", s->current);
        changed = sqlite3_changes(s->db);
    }
    err = finish(s, err);
    if (err)
        return err;
    s->epoch = epoch;
    *out_reopened = changed > 0;
    return LAMP_OK;
}

uint64_t lamp_spool_known_epoch(const lamp_spool *s)
{
    return s->epoch;
}

uint64_t lamp_spool_bytes(const lamp_spool *s)
{
    return s->bytes - s->retained;
}

uint64_t lamp_spool_retained(const lamp_spool *s)
{
    return s->retained;
}

bool lamp_spool_memory_only(const lamp_spool *s)
{
    return s->memory_only;
}

uint64_t lamp_spool_quota(const lamp_spool *s)
{
    return s->quota;
}

uint64_t lamp_spool_dropped(const lamp_spool *s)
{
    return s->dropped;
}

bool lamp_spool_is_damaged(const lamp_spool *s)
{
    return s->damaged;
}

const char *lamp_spool_error(const lamp_spool *s)
{
    return s->said;
}
