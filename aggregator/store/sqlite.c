/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/sqlite.h"

#include "aggregator/store/sqlite_compact.h"
#include "aggregator/store/sqlite_history.h"
#include "aggregator/store/sqlite_schema.h"
#include "common/clock.h"

#include <stdio.h>

enum { BUSY_MS = 5000 };

int lamp_sqlite_refuse(struct lamp_sqlite *q)
{
    snprintf(q->base.why, sizeof(q->base.why), "%s", sqlite3_errmsg(q->db));
    return LAMP_ESTORE;
}

/* ---- statements ---- */

static sqlite3_stmt *prepared(struct lamp_sqlite *q, const char *sql)
{
    size_t slot = ((uintptr_t)sql >> 3) % LAMP_SQLITE_STATEMENTS;
    for (size_t i = 0; i < LAMP_SQLITE_STATEMENTS; i++) {
        if (q->cache[slot].sql == sql)
            return q->cache[slot].st;
        if (!q->cache[slot].sql)
            break;
        slot = (slot + 1) % LAMP_SQLITE_STATEMENTS;
    }
    assert(!q->cache[slot].sql); /* more literals in the sources than places */
    if (sqlite3_prepare_v3(q->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->cache[slot].st, NULL) !=
        SQLITE_OK)
        return NULL;
    q->cache[slot].sql = sql;
    return q->cache[slot].st;
}

static int bind_one(sqlite3_stmt *st, int at, const struct lamp_sqlv *v)
{
    switch (v->type) {
    case LAMP_SQL_INT:
        return sqlite3_bind_int64(st, at, v->i);
    case LAMP_SQL_REAL:
        return sqlite3_bind_double(st, at, v->d);
    case LAMP_SQL_TEXT:
        return sqlite3_bind_text64(st, at, v->p, v->len, SQLITE_STATIC, SQLITE_UTF8);
    case LAMP_SQL_BLOB:
        return sqlite3_bind_blob64(st, at, v->p, v->len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

/* SQLITE_STATIC is right: values outlive the steps, and every query is stepped to its end or
 * reset within the function that bound it. */
sqlite3_stmt *lamp_sqlite_bind(struct lamp_sqlite *q, const char *sql, const struct lamp_sqlv *v,
                               size_t n)
{
    if (q->part.len && lamp_sqlite_flush_part(q) != LAMP_OK)
        return NULL;
    sqlite3_stmt *st = prepared(q, sql);
    if (!st) {
        (void)lamp_sqlite_refuse(q);
        return NULL;
    }
    sqlite3_reset(st);
    for (size_t i = 0; i < n; i++) {
        if (bind_one(st, (int)i + 1, &v[i]) != SQLITE_OK) {
            (void)lamp_sqlite_refuse(q);
            return NULL;
        }
    }
    return st;
}

int lamp_sqlite_step(struct lamp_sqlite *q, sqlite3_stmt *st)
{
    if (!st)
        return LAMP_ESTORE;
    const int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return 1;
    const int err = rc == SQLITE_DONE ? 0 : lamp_sqlite_refuse(q);
    sqlite3_reset(st);
    return err;
}

int lamp_sqlite_exec(struct lamp_sqlite *q, const char *sql, const struct lamp_sqlv *v, size_t n)
{
    const int got = lamp_sqlite_step(q, lamp_sqlite_bind(q, sql, v, n));
    assert(got <= 0);
    return got;
}

void lamp_col_copy(sqlite3_stmt *st, int i, char *buf, size_t size)
{
    snprintf(buf, size, "%s", lamp_col_str(st, i));
}

void lamp_col_blob(sqlite3_stmt *st, int i, void *buf, size_t len)
{
    const void *p = sqlite3_column_blob(st, i);
    if (p && (size_t)sqlite3_column_bytes(st, i) == len)
        memcpy(buf, p, len);
    else
        memset(buf, 0, len);
}

/* ---- opening ---- */

static int pragma(struct lamp_sqlite *q, const char *sql)
{
    return sqlite3_exec(q->db, sql, NULL, NULL, NULL) == SQLITE_OK ? LAMP_OK
                                                                   : lamp_sqlite_refuse(q);
}

int lamp_sqlite_value(struct lamp_sqlite *q, const char *sql, int64_t *out)
{
    sqlite3_stmt *st = NULL;
    int err = LAMP_ESTORE;
    if (sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW) {
        *out = sqlite3_column_int64(st, 0);
        err = LAMP_OK;
    } else {
        (void)lamp_sqlite_refuse(q);
    }
    sqlite3_finalize(st);
    return err;
}

/* Hardening for a file that somebody else may have touched (sqlite.org/security.html). */
int lamp_sqlite_harden(struct lamp_sqlite *q)
{
    sqlite3_busy_timeout(q->db, BUSY_MS);
    sqlite3_extended_result_codes(q->db, 1);
    int on = 0;
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
    return pragma(q, "PRAGMA foreign_keys = OFF; PRAGMA cache_size = -16384");
}

/* WAL and synchronous = FULL are read back: the default differs between builds of SQLite, and
 * an acknowledgement is a promise. */
int lamp_sqlite_set_durable(struct lamp_sqlite *q)
{
    int err = pragma(q, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                        " PRAGMA journal_size_limit = 67108864");
    int64_t level = 0;
    if (err == LAMP_OK)
        err = lamp_sqlite_value(q, "PRAGMA synchronous", &level);
    if (err == LAMP_OK && level != 2) {
        snprintf(q->base.why, sizeof(q->base.why), "synchronous = FULL was not accepted");
        return LAMP_ESTORE;
    }
    sqlite3_stmt *st = NULL;
    if (err == LAMP_OK &&
        (sqlite3_prepare_v2(q->db, "PRAGMA journal_mode", -1, &st, NULL) != SQLITE_OK ||
         sqlite3_step(st) != SQLITE_ROW || !streq(lamp_col_str(st, 0), "wal"))) {
        snprintf(q->base.why, sizeof(q->base.why), "journal_mode = WAL was not accepted");
        err = LAMP_ESTORE;
    }
    sqlite3_finalize(st);
    return err;
}

static int make_schema(struct lamp_sqlite *q)
{
    int64_t version = 0;
    int err = lamp_sqlite_value(q, "PRAGMA user_version", &version);
    if (err != LAMP_OK)
        return err;
    if (version == LAMP_SCHEMA_VERSION)
        return LAMP_OK;
    if (version < 0 || version > LAMP_SCHEMA_VERSION) {
        snprintf(q->base.why, sizeof(q->base.why),
                 "the database has version %lld, this program knows %d", (long long)version,
                 LAMP_SCHEMA_VERSION);
        return LAMP_ESTORE;
    }
    static const char upgraded[] = "PRAGMA user_version = " LAMP_STR(LAMP_SCHEMA_LATEST) "; COMMIT";
    char epoch[128];
    snprintf(epoch, sizeof(epoch),
             "INSERT INTO meta VALUES ('epoch', %llu), ('interval_us', 10000000);"
             "PRAGMA user_version = %d; COMMIT",
             (unsigned long long)(lamp_clock_real_us() / 1000000), LAMP_SCHEMA_VERSION);
    if (version > 0 &&
        version < LAMP_SCHEMA_VACUUM) /* once, since the file has no such pages yet */
        err = pragma(q, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
    if (err == LAMP_OK)
        err = pragma(q, "BEGIN IMMEDIATE");
    for (int64_t v = version; v < LAMP_SCHEMA_VERSION && err == LAMP_OK; v++) {
        err = pragma(q, lamp_upgrades[v]);
        if (err == LAMP_OK && v + 1 == LAMP_SCHEMA_PACKS)
            err = lamp_sqlite_pack_old(q);
    }
    return err == LAMP_OK ? pragma(q, version == 0 ? epoch : upgraded) : err;
}

void lamp_sqlite_close(lamp_store *s)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    for (size_t i = 0; i < LAMP_SQLITE_STATEMENTS; i++)
        sqlite3_finalize(q->cache[i].st);
    sqlite3_close(q->db);
    lamp_part_done(&q->part);
    free(q);
}

extern const struct lamp_store_ops lamp_store_backend_sqlite;
extern const struct lamp_store_safety lamp_sqlite_safety;
const uint64_t lamp_sqlite_version = LAMP_SCHEMA_VERSION;

static int op_open(const char *where, bool read_only, lamp_store **out, char why[LAMP_STORE_WHY])
{
    struct lamp_sqlite *q = calloc(1, sizeof(*q));
    if (!q)
        return LAMP_ENOMEM;
    q->base.ops = &lamp_store_backend_sqlite;
    q->read_only = read_only;
    const int flags =
        SQLITE_OPEN_NOMUTEX |
        (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    int err =
        sqlite3_open_v2(where, &q->db, flags, NULL) == SQLITE_OK ? LAMP_OK : lamp_sqlite_refuse(q);
    if (err == LAMP_OK)
        err = lamp_sqlite_harden(q);
    if (err == LAMP_OK)
        err = lamp_packs_register(q->db);
    if (err == LAMP_OK)
        err = lamp_sqlite_past_open(q);
    if (err == LAMP_OK && read_only)
        err = pragma(q, "PRAGMA query_only = ON");
    if (err == LAMP_OK && !read_only) /* of a new file, before there is anything in it */
        err = pragma(q, "PRAGMA auto_vacuum = INCREMENTAL");
    if (err == LAMP_OK && !read_only)
        err = lamp_sqlite_set_durable(q);
    if (err == LAMP_OK && !read_only)
        err = make_schema(q);
    if (err == LAMP_OK) {
        *out = &q->base;
        return LAMP_OK;
    }
    snprintf(why, LAMP_STORE_WHY, "%.200s: %.300s", where, q->base.why);
    lamp_sqlite_close(&q->base);
    return err;
}

/* ---- transactions and meta ---- */

int lamp_sqlite_op_begin(lamp_store *s)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = lamp_sqlite_exec(q, "BEGIN IMMEDIATE", NULL, 0);
    q->in_transaction = err == LAMP_OK;
    return err;
}

int lamp_sqlite_op_commit(lamp_store *s)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = lamp_sqlite_exec(q, "COMMIT", NULL, 0);
    if (err == LAMP_OK)
        q->in_transaction = false;
    return err;
}

static void op_rollback(lamp_store *s)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    /* Some errors have rolled back already (sqlite.org/lang_transaction.html), then this fails. */
    if (q->in_transaction)
        sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
    q->in_transaction = false;
    q->part.len = 0;
}

int lamp_sqlite_op_epoch(lamp_store *s, uint64_t *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(q, "SELECT value FROM meta WHERE key = 'epoch'", NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    *out = lamp_col_uint(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_set_interval(lamp_store *s, uint64_t interval_us)
{
    return LAMP_EXEC((struct lamp_sqlite *)s, "UPDATE meta SET value = ? WHERE key = 'interval_us'",
                     lamp_uint(interval_us));
}

const struct lamp_store_ops lamp_store_backend_sqlite = {
    .name = "sqlite",
    .open = op_open,
    .close = lamp_sqlite_close,
    .rollback = op_rollback,
    .safety = &lamp_sqlite_safety,
#define LAMP_OP(name, params, args) .name = lamp_sqlite_op_##name,
#include "aggregator/store/ops.def"
#undef LAMP_OP
};
