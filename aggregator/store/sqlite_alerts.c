/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's alerts. A condition that comes back gets a new number, so that numbers are in
 * the order in which alerts were raised. The table's size is kept in meta, since counting it each time
 * would cost more than the rest. */
#include "aggregator/store/sqlite.h"

#define MINUTE_US (60 * UINT64_C(1000000))

static int add_meta(struct lamp_sqlite *q, const char *key, int64_t n)
{
    return LAMP_EXEC(q,
                     "INSERT INTO meta VALUES (?1, max(?2, 0))"
                     " ON CONFLICT DO UPDATE SET value = value + ?2",
                     lamp_str(key), lamp_int(n));
}

static int meta(struct lamp_sqlite *q, const char *key, uint64_t *out)
{
    sqlite3_stmt *st = LAMP_QUERY(q, "SELECT value FROM meta WHERE key = ?", lamp_str(key));
    const int got = lamp_sqlite_step(q, st);
    *out = got > 0 ? lamp_col_uint(st, 0) : 0;
    if (got > 0)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

/* Makes room for one. LAMP_EFULL: all that are kept last. */
static int make_room(struct lamp_sqlite *q)
{
    uint64_t kept;
    int err = meta(q, "alerts", &kept);
    if (err != LAMP_OK || kept < LAMP_ALERTS_MAX)
        return err;
    err = lamp_sqlite_exec(q,
                           "DELETE FROM alert WHERE id = (SELECT id FROM alert"
                           " WHERE resolved_us > 0 ORDER BY id LIMIT 1)",
                           NULL, 0);
    if (err != LAMP_OK)
        return err;
    if (sqlite3_changes(q->db) > 0)
        return add_meta(q, "alerts", -1);
    err = add_meta(q, "alerts_refused", 1);
    return err == LAMP_OK ? LAMP_EFULL : err;
}

static int insert(struct lamp_sqlite *q, const struct lamp_alert *a, uint64_t count,
                  uint64_t first_us, uint64_t now_us, int64_t *out_id)
{
    const int err = LAMP_EXEC(
        q,
        "INSERT INTO alert (kind, subject, site, text, miner, count, first_us, raised_us, last_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?8, ?8)",
        lamp_int((int64_t)a->kind), lamp_str(a->subject), lamp_str(a->site), lamp_str(a->text),
        lamp_int(a->miner_id), lamp_uint(count), lamp_uint(first_us), lamp_uint(now_us));
    if (err == LAMP_OK)
        *out_id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_alert_raise(lamp_store *s, const struct lamp_alert *a, uint64_t now_us,
                               int64_t *out_id, bool *out_new)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT id, resolved_us, last_us, count, first_us FROM alert"
                                  " WHERE kind = ? AND subject = ?",
                                  lamp_int((int64_t)a->kind), lamp_str(a->subject));
    const int got = lamp_sqlite_step(q, st);
    if (got < 0)
        return got;
    *out_id = 0;
    *out_new = true;
    if (got == 0) {
        int err = make_room(q);
        if (err == LAMP_OK)
            err = add_meta(q, "alerts", 1);
        return err == LAMP_OK ? insert(q, a, 1, now_us, now_us, out_id) : err;
    }
    const int64_t id = sqlite3_column_int64(st, 0);
    const bool ended = lamp_col_uint(st, 1) > 0;
    const uint64_t last_us = lamp_col_uint(st, 2), count = lamp_col_uint(st, 3) + 1;
    const uint64_t first_us = lamp_col_uint(st, 4);
    sqlite3_reset(st);
    if (ended) {
        const int err = LAMP_EXEC(q, "DELETE FROM alert WHERE id = ?", lamp_int(id));
        return err == LAMP_OK ? insert(q, a, count, first_us, now_us, out_id) : err;
    }
    *out_new = false;
    if (now_us < last_us + MINUTE_US)
        return LAMP_OK;
    *out_id = id;
    return LAMP_EXEC(q, "UPDATE alert SET count = ?2, last_us = ?3, text = ?4 WHERE id = ?1",
                     lamp_int(id), lamp_uint(count), lamp_uint(now_us), lamp_str(a->text));
}

int lamp_sqlite_op_alert_resolve(lamp_store *s, enum lamp_alert_kind kind, const char *subject,
                                 uint64_t now_us, int64_t *out_id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "UPDATE alert SET resolved_us = ?3 WHERE kind = ?1"
                                  " AND subject = ?2 AND resolved_us = 0 RETURNING id",
                                  lamp_int((int64_t)kind), lamp_str(subject), lamp_uint(now_us));
    const int got = lamp_sqlite_step(q, st);
    *out_id = got > 0 ? sqlite3_column_int64(st, 0) : 0;
    return got > 0 ? lamp_sqlite_step(q, st) : got;
}

int lamp_sqlite_op_alerts_end(lamp_store *s, int64_t miner_id, uint32_t kinds, const char *why,
                              uint64_t now_us, lamp_alert_id_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "UPDATE alert SET resolved_us = ?4, text = substr(text || ' ' || ?3, 1, ?5)"
                   " WHERE miner = ?1 AND resolved_us = 0 AND (?2 >> kind) & 1 RETURNING id",
                   lamp_int(miner_id), lamp_int(kinds), lamp_str(why), lamp_uint(now_us),
                   lamp_int(LAMP_ALERT_TEXT - 1));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0)
        fn(sqlite3_column_int64(st, 0), arg);
    return got;
}

int lamp_sqlite_op_alert_ack(lamp_store *s, int64_t id, const char *by, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q,
                              "UPDATE alert SET acked_us = iif(acked_us > 0, acked_us, ?3),"
                              " acked_by = iif(acked_us > 0, acked_by, ?2) WHERE id = ?1",
                              lamp_int(id), lamp_str(by), lamp_uint(now_us));
    return err == LAMP_OK && sqlite3_changes(q->db) == 0 ? LAMP_ENOENT : err;
}

int lamp_sqlite_op_alerts_quiet(lamp_store *s, uint64_t before_us, lamp_alert_view_fn *fn,
                                void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT a.kind, a.subject FROM alert a"
                                  " LEFT JOIN miner m ON m.id = a.miner WHERE a.resolved_us = 0"
                                  " AND a.miner > 0 AND coalesce(m.last_us, 0) < ?",
                                  lamp_uint(before_us));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_alert_view v = { .kind = (enum lamp_alert_kind)sqlite3_column_int(st, 0),
                                           .subject = lamp_col_str(st, 1) };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_alerts(lamp_store *s, const struct lamp_alert_filter *f, lamp_alert_view_fn *fn,
                          void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
#define ALERTS(past)                                                                               \
    "SELECT id, kind, subject, site, text, miner, count, first_us, raised_us, last_us,"            \
    " resolved_us, acked_us, acked_by FROM alert WHERE (?1 = 0 OR id = ?1)"                        \
    " AND (?2 = 0 OR " past ") AND (?3 = 0 OR resolved_us = 0) AND (?4 = '' OR site = ?4)"
#define ALERTS_BY(by)                                                                              \
    {                                                                                              \
        ALERTS("(" by ", id) < (SELECT " by ", id FROM alert WHERE id = ?2)")                      \
        " ORDER BY " by " DESC, id DESC LIMIT ?5",                                                 \
            ALERTS("(" by ", id) > (SELECT " by ", id FROM alert WHERE id = ?2)") " ORDER BY " by  \
                                                                                  ", id LIMIT ?5"  \
    }
    static const char *const sql[LAMP_ALERT_SORTS][2] = {
        [LAMP_ALERTS_BY_ID] = { ALERTS("id < ?2") " ORDER BY id DESC LIMIT ?5",
                                ALERTS("id > ?2") " ORDER BY id LIMIT ?5" },
        [LAMP_ALERTS_BY_LAST] = ALERTS_BY("last_us"),
        [LAMP_ALERTS_BY_FIRST] = ALERTS_BY("first_us"),
        [LAMP_ALERTS_BY_SITE] = ALERTS_BY("site"),
        [LAMP_ALERTS_BY_COUNT] = ALERTS_BY("count"),
    };
    sqlite3_stmt *st = LAMP_QUERY(
        q, sql[f->sort.by][f->sort.up], lamp_int(f->id), lamp_int(f->after_id), lamp_int(f->open),
        lamp_str(f->site ? f->site : ""), lamp_int(f->limit ? f->limit : 200));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_alert_view v = {
            .id = sqlite3_column_int64(st, 0),
            .kind = (enum lamp_alert_kind)sqlite3_column_int(st, 1),
            .subject = lamp_col_str(st, 2),
            .site = lamp_col_str(st, 3),
            .text = lamp_col_str(st, 4),
            .miner_id = sqlite3_column_int64(st, 5),
            .count = lamp_col_uint(st, 6),
            .first_us = lamp_col_uint(st, 7),
            .raised_us = lamp_col_uint(st, 8),
            .last_us = lamp_col_uint(st, 9),
            .resolved_us = lamp_col_uint(st, 10),
            .acked_us = lamp_col_uint(st, 11),
            .acked_by = lamp_col_str(st, 12),
        };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_alert_counts(lamp_store *s, struct lamp_alert_counts *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    *out = (struct lamp_alert_counts){ 0 };
    int err = meta(q, "alerts_refused", &out->refused);
    if (err != LAMP_OK)
        return err;
    sqlite3_stmt *st = lamp_sqlite_bind(q,
                                        "SELECT count(*), coalesce(sum(resolved_us = 0), 0),"
                                        " coalesce(sum(resolved_us = 0 AND acked_us = 0), 0)"
                                        " FROM alert",
                                        NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    out->kept = lamp_col_uint(st, 0);
    out->open = lamp_col_uint(st, 1);
    out->unacknowledged = lamp_col_uint(st, 2);
    sqlite3_reset(st);
    return LAMP_OK;
}

/* ---- the owner's lists ---- */

int lamp_sqlite_op_own(lamp_store *s, lamp_own_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(q,
                                        "SELECT id, kind, site, value, note, added_by, added_us"
                                        " FROM own ORDER BY kind, value, site",
                                        NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_own o = { .id = sqlite3_column_int64(st, 0),
                              .kind = (enum lamp_own_kind)sqlite3_column_int(st, 1),
                              .added_us = lamp_col_uint(st, 6) };
        lamp_col_copy(st, 2, o.site, sizeof(o.site));
        lamp_col_copy(st, 3, o.value, sizeof(o.value));
        lamp_col_copy(st, 4, o.note, sizeof(o.note));
        lamp_col_copy(st, 5, o.added_by, sizeof(o.added_by));
        if (!fn(&o, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_own_add(lamp_store *s, struct lamp_own *o)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q,
                              "INSERT INTO own (kind, site, value, note, added_by, added_us)"
                              " SELECT ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM own) < ?"
                              " ON CONFLICT DO NOTHING",
                              lamp_int((int64_t)o->kind), lamp_str(o->site), lamp_str(o->value),
                              lamp_str(o->note), lamp_str(o->added_by), lamp_uint(o->added_us),
                              lamp_int(LAMP_OWN_MAX));
    if (err == LAMP_OK && sqlite3_changes(q->db) == 0) {
        sqlite3_stmt *st =
            LAMP_QUERY(q, "SELECT 1 FROM own WHERE kind = ? AND site = ? AND value = ?",
                       lamp_int((int64_t)o->kind), lamp_str(o->site), lamp_str(o->value));
        const int got = lamp_sqlite_step(q, st);
        if (got > 0)
            sqlite3_reset(st);
        return got < 0 ? got : got ? LAMP_EEXIST : LAMP_EFULL;
    }
    o->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_own_remove(lamp_store *s, int64_t id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q, "DELETE FROM own WHERE id = ?", lamp_int(id));
    return err == LAMP_OK && sqlite3_changes(q->db) == 0 ? LAMP_ENOENT : err;
}
