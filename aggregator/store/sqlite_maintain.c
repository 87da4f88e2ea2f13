/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps the SQLite store small: rows are added up once their minute is over, old ones are deleted, and
 * what they took is given back to the disk. */
#include "aggregator/store/sqlite.h"

#include "aggregator/store/sqlite_compact.h"
#include "aggregator/store/sqlite_history.h"
#include "aggregator/store/sqlite_rollup.h"

enum {
    SLICE_ROWS = 32768,  /* of other traffic and of what is forgotten */
    SLICE_CONNS = 4096,  /* rows of connections, which are added up one by one */
    PACK_ROWS_MEAN = 64, /* rows that a pack of other traffic is taken to have */
    VACUUM_PAGES = 2048, /* given back at once */
    SLACK_PAGES = 64,    /* kept for what comes next, or 1/16 of the file */
};

#define MINUTE_US UINT64_C(60000000)
#define DAY_US (1440 * MINUTE_US)

/* ---- slices ---- */

/* The first rows of a table that are older than `limit`, in whole minutes of a site. */
struct slice {
    int64_t time, site; /* the last that belongs to it */
    bool any, all;      /* there are some; nothing is left after it */
};

#define FIRST_ROWS(table, column)                                                                  \
    "SELECT " column ", site FROM " table " WHERE " column " < ?1 ORDER BY 1, 2 LIMIT 1 OFFSET ?2"

static int find_slice(struct lamp_sqlite *q, const char *sql, uint64_t limit, uint32_t rows,
                      struct slice *out)
{
    *out = (struct slice){ .time = (int64_t)limit - 1, .site = INT64_MAX };
    sqlite3_stmt *st = LAMP_QUERY(q, sql, lamp_uint(limit), lamp_int(0));
    int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got;
    out->any = true;
    st = LAMP_QUERY(q, sql, lamp_uint(limit), lamp_int(rows - 1));
    got = lamp_sqlite_step(q, st);
    out->all = got == 0;
    if (got <= 0)
        return got;
    out->time = sqlite3_column_int64(st, 0);
    out->site = sqlite3_column_int64(st, 1);
    sqlite3_reset(st);
    return LAMP_OK;
}

/* ---- adding up connections ---- */

/* Every row is in the table of rows as they came, or in those of minutes, hours and days: reads that add up one
 * of these with what is still as it came count it once. */
static int add_up_conns(struct lamp_sqlite *q, uint64_t limit, uint32_t rows,
                        const uint64_t floors[3], uint64_t now_us, struct lamp_maintained *io)
{
    static const char *const into[3] = { CONN_INTO_MINUTE, CONN_INTO_HOUR, CONN_INTO_DAY };
    struct slice s;
    int err = find_slice(q, FIRST_ROWS("conn_minute", "minute"), limit, rows, &s);
    if (err || !s.any)
        return err;
    err = lamp_sqlite_history_grown(q, LAMP_HISTORY_CONNS,
                                    (struct lamp_history_at){ s.time, s.site }, now_us);
    for (size_t i = 0; i < 3 && !err; i++)
        err = LAMP_EXEC(q, into[i], lamp_int(s.time), lamp_int(s.site),
                        lamp_uint(floors[i] * lamp_step_minutes((enum lamp_step)i)));
    io->more |= !s.all;
    return err ? err
               : LAMP_EXEC(q, "DELETE FROM conn_minute WHERE (minute, site) <= (?1, ?2)",
                           lamp_int(s.time), lamp_int(s.site));
}

/* ---- forgetting ---- */

static const struct {
    enum lamp_step step;
    uint32_t mean; /* rows that one of these stands for */
    const char *first, *remove;
} tables[] = {
#define CONNS(step, name, column)                                                                  \
    {                                                                                              \
        step, 1, FIRST_ROWS(name, column),                                                         \
            "DELETE FROM " name " WHERE (" column ", site) <= (?1, ?2)"                            \
    }
#define PACKS(step, number)                                                                        \
    {                                                                                              \
        step, PACK_ROWS_MEAN,                                                                      \
            "SELECT time, site FROM traffic_pack WHERE step = " number " AND time < ?1"            \
            " ORDER BY 1, 2 LIMIT 1 OFFSET ?2",                                                    \
            "DELETE FROM traffic_pack WHERE step = " number " AND (time, site) <= (?1, ?2)"        \
    }
    PACKS(LAMP_STEP_MINUTE, "0"), CONNS(LAMP_STEP_MINUTE, "conn_by_minute", "minute"),
    PACKS(LAMP_STEP_HOUR, "1"),   CONNS(LAMP_STEP_HOUR, "conn_by_hour", "hour"),
    PACKS(LAMP_STEP_DAY, "2"),    CONNS(LAMP_STEP_DAY, "conn_by_day", "day"),
};

int lamp_sqlite_floors(struct lamp_sqlite *q, uint64_t out[3])
{
    sqlite3_stmt *st =
        lamp_sqlite_bind(q,
                         "SELECT (SELECT value FROM meta WHERE key = 'minute_floor'),"
                         " (SELECT value FROM meta WHERE key = 'hour_floor'),"
                         " (SELECT value FROM meta WHERE key = 'day_floor')",
                         NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    for (int i = 0; i < 3; i++)
        out[i] = lamp_col_uint(st, i);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_kept_us(lamp_store *s, uint64_t out[3])
{
    uint64_t floors[3];
    const int err = lamp_sqlite_floors((struct lamp_sqlite *)s, floors);
    for (size_t i = 0; i < 3 && !err; i++)
        out[i] = floors[i] * lamp_step_minutes((enum lamp_step)i) * MINUTE_US;
    return err;
}

/* Minutes (hours) stay until hours (days) were made of them. */
static int last_floor(struct lamp_sqlite *q, enum lamp_step step, uint64_t *io_to)
{
    struct lamp_sqlite_made made;
    if (step == LAMP_STEP_DAY)
        return LAMP_OK;
    const enum lamp_step next = (enum lamp_step)((int)step + 1);
    const int err = lamp_sqlite_made(q, &made);
    if (!err)
        *io_to = lamp_min(*io_to, (uint64_t)lamp_sqlite_made_until(&made, next) *
                                      (lamp_step_minutes(next) / lamp_step_minutes(step)));
    return err;
}

static int raise_floor(struct lamp_sqlite *q, enum lamp_step step, uint64_t to, uint64_t floors[3])
{
    static const char *const keys[] = { "minute_floor", "hour_floor", "day_floor" };
    const int err = last_floor(q, step, &to);
    if (err)
        return err;
    if (to <= floors[step])
        return LAMP_OK;
    floors[step] = to;
    const int late = LAMP_EXEC(q, "DELETE FROM traffic_late WHERE step = ?1 AND time < ?2",
                               lamp_int((int64_t)step), lamp_uint(to));
    return late ? late
                : LAMP_EXEC(q, "UPDATE meta SET value = ?2 WHERE key = ?1", lamp_str(keys[step]),
                            lamp_uint(to));
}

static int value_of(struct lamp_sqlite *q, const char *sql, uint64_t *out)
{
    sqlite3_stmt *st = lamp_sqlite_bind(q, sql, NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = lamp_col_uint(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

/* What goes when the file is too large: the first of these of which there is more than `keep`, by a
 * piece; then the next, and in the end nearly everything. */
static const struct {
    enum lamp_step step;
    uint64_t keep, piece;
} victims[] = {
    { LAMP_STEP_MINUTE, 1440, 60 }, { LAMP_STEP_HOUR, 7 * 24, 24 }, { LAMP_STEP_DAY, 90, 7 },
    { LAMP_STEP_MINUTE, 60, 10 },   { LAMP_STEP_HOUR, 24, 6 },      { LAMP_STEP_DAY, 1, 1 },
};

static int make_room(struct lamp_sqlite *q, uint64_t now_us, uint64_t floors[3])
{
    static const char *const oldest[] = {
        "SELECT min(ifnull((SELECT min(time) FROM traffic_pack WHERE step = 0), 1 << 60),"
        " ifnull((SELECT min(minute) FROM conn_by_minute), 1 << 60))",
        "SELECT min(ifnull((SELECT min(time) FROM traffic_pack WHERE step = 1), 1 << 60),"
        " ifnull((SELECT min(hour) FROM conn_by_hour), 1 << 60))",
        "SELECT min(ifnull((SELECT min(time) FROM traffic_pack WHERE step = 2), 1 << 60),"
        " ifnull((SELECT min(day) FROM conn_by_day), 1 << 60))",
    };
    for (size_t i = 0; i < ARRAY_LEN(victims); i++) {
        const enum lamp_step step = victims[i].step;
        const uint64_t now = now_us / MINUTE_US / lamp_step_minutes(step);
        uint64_t first = 0;
        int err = value_of(q, oldest[step], &first);
        if (err)
            return err;
        if (first + victims[i].keep >= now)
            continue;
        uint64_t to = lamp_min(first + victims[i].piece, now - victims[i].keep);
        err = last_floor(q, step, &to);
        if (err)
            return err;
        if (to <= first)
            continue;
        if (to <= floors[step]) /* it goes, slice by slice */
            return LAMP_OK;
        const int lost = lamp_sqlite_history_forget(q, step, floors[step], to);
        return lost ? lost : raise_floor(q, step, to, floors);
    }
    return LAMP_OK;
}

static int forget(struct lamp_sqlite *q, const struct lamp_store_policy *p, uint64_t now_us,
                  uint32_t rows, uint64_t floors[3], bool *io_more)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < 3 && !err; i++) {
        const uint64_t span_us = lamp_step_minutes((enum lamp_step)i) * MINUTE_US;
        if (!p->days[i] || now_us <= p->days[i] * DAY_US)
            continue;
        /* What has to go elsewhere first waits for that. */
        int64_t unsent = 0;
        err = lamp_sqlite_history_unsent(q, (enum lamp_step)i, &unsent);
        if (!err && unsent > 0)
            err = raise_floor(q, (enum lamp_step)i,
                              lamp_min((now_us - p->days[i] * DAY_US) / span_us, (uint64_t)unsent),
                              floors);
    }
    for (size_t i = 0; i < ARRAY_LEN(tables) && !err; i++) {
        struct slice s = { 0 };
        if (floors[tables[i].step])
            err = find_slice(q, tables[i].first, floors[tables[i].step], rows / tables[i].mean + 1,
                             &s);
        if (!err && s.any)
            err = LAMP_EXEC(q, tables[i].remove, lamp_int(s.time), lamp_int(s.site));
        *io_more |= s.any && !s.all;
    }
    return err;
}

/* Goes through the connections, a slice at a time, and from the beginning again after the last. */
static int forget_conns(struct lamp_sqlite *q, const struct lamp_store_policy *p, uint64_t now_us,
                        uint32_t rows)
{
    if (!p->conn_days || now_us <= p->conn_days * DAY_US)
        return LAMP_OK;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT max(id) FROM (SELECT id FROM conn WHERE id > ?1"
                                  " ORDER BY id LIMIT ?2)",
                                  lamp_int(q->prune_conn), lamp_int(rows));
    const int got = lamp_sqlite_step(q, st);
    if (got < 0)
        return got;
    const int64_t last = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    const struct lamp_sqlv from = lamp_int(q->prune_conn), to = lamp_int(last),
                           old = lamp_uint(now_us - p->conn_days * DAY_US);
    int err = LAMP_EXEC(q,
                        "DELETE FROM evidence WHERE conn IN (SELECT id FROM conn WHERE id > ?1"
                        " AND id <= ?2 AND last_us < ?3)",
                        from, to, old);
    if (!err)
        err = LAMP_EXEC(q, "DELETE FROM conn WHERE id > ?1 AND id <= ?2 AND last_us < ?3", from, to,
                        old);
    q->prune_conn = last;
    return err;
}

/* ---- the file ---- */

static int give_back(struct lamp_sqlite *q, uint64_t *out_used, bool *io_more)
{
    uint64_t pages = 0, free_pages = 0, page_size = 0;
    int err = value_of(q, "SELECT page_count FROM pragma_page_count", &pages);
    if (!err)
        err = value_of(q, "SELECT freelist_count FROM pragma_freelist_count", &free_pages);
    if (!err)
        err = value_of(q, "SELECT page_size FROM pragma_page_size", &page_size);
    if (err)
        return err;
    *out_used = (pages - free_pages) * page_size;
    if (free_pages <= SLACK_PAGES + pages / 16)
        return LAMP_OK;
    *io_more |= free_pages > SLACK_PAGES + pages / 16 + VACUUM_PAGES;
    return sqlite3_exec(q->db, "PRAGMA incremental_vacuum(" LAMP_STR(2048) ")", NULL, NULL, NULL) ==
                   SQLITE_OK
               ? LAMP_OK
               : lamp_sqlite_refuse(q);
}

int lamp_sqlite_op_maintain(lamp_store *s, const struct lamp_store_policy *p, uint64_t now_us,
                            struct lamp_maintained *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const uint32_t rows = p->slice_rows ? p->slice_rows : SLICE_ROWS;
    const uint32_t conns = p->slice_rows ? p->slice_rows : SLICE_CONNS;
    const uint64_t now = now_us / MINUTE_US;
    const uint64_t settled = now > p->settle_minutes ? now - p->settle_minutes : 0;
    uint64_t floors[3], used = 0;
    struct lamp_maintained done = { .more = false };
    int err = lamp_sqlite_floors(q, floors);
    if (!err)
        err = lamp_sqlite_compact(q, settled, rows, floors, now_us, &done);
    if (!err)
        err = add_up_conns(q, settled, conns, floors, now_us, &done);
    if (!err)
        err = give_back(q, &used, &done.more);
    if (!err && p->max_bytes && used > p->max_bytes) {
        const uint64_t before = floors[0] + floors[1] + floors[2];
        err = make_room(q, now_us, floors);
        done.more |= floors[0] + floors[1] + floors[2] > before;
    }
    if (!err)
        err = forget(q, p, now_us, rows, floors, &done.more);
    if (!err)
        err = forget_conns(q, p, now_us, conns);
    if (!err)
        *out = done;
    return err;
}
