/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/sqlite_compact.h"

#include "aggregator/store/packs.h"
#include "aggregator/store/sqlite_history.h"

enum {
    PACK_ROWS = 4096,
    GATHERED_MAX =
        1 << 17, /* rows; of more, several packs are made that are not merged with one another */
};

#define MINUTE_US UINT64_C(60000000)

int lamp_sqlite_made(struct lamp_sqlite *q, struct lamp_sqlite_made *out)
{
    sqlite3_stmt *st = lamp_sqlite_bind(q,
                                        "SELECT (SELECT value FROM meta WHERE key = 'made_hour'),"
                                        " (SELECT value FROM meta WHERE key = 'made_hour_site'),"
                                        " (SELECT value FROM meta WHERE key = 'made_day'),"
                                        " (SELECT value FROM meta WHERE key = 'made_day_site')",
                                        NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    for (int i = LAMP_STEP_HOUR; i <= LAMP_STEP_DAY; i++) {
        out->at[i].time = sqlite3_column_int64(st, 2 * (i - 1));
        out->at[i].site = sqlite3_column_int64(st, 2 * (i - 1) + 1);
    }
    sqlite3_reset(st);
    return LAMP_OK;
}

int64_t lamp_sqlite_made_until(const struct lamp_sqlite_made *m, enum lamp_step step)
{
    if (step == LAMP_STEP_MINUTE)
        return INT64_MAX;
    return m->at[step].time + (m->at[step].site == INT64_MAX);
}

static int set_made(struct lamp_sqlite *q, enum lamp_step step, int64_t time, int64_t site)
{
    static const char *const keys[][2] = { { NULL, NULL },
                                           { "made_hour", "made_hour_site" },
                                           { "made_day", "made_day_site" } };
    const int err = LAMP_EXEC(q, "UPDATE meta SET value = ?2 WHERE key = ?1",
                              lamp_str(keys[step][0]), lamp_int(time));
    return err ? err
               : LAMP_EXEC(q, "UPDATE meta SET value = ?2 WHERE key = ?1", lamp_str(keys[step][1]),
                           lamp_int(site));
}

static bool is_made(const struct lamp_sqlite_made *m, enum lamp_step step, int64_t time,
                    int64_t site)
{
    return time < m->at[step].time || (time == m->at[step].time && site <= m->at[step].site);
}

/* ---- packs of some rows ---- */

/* What one slice works with. */
struct compacting {
    struct lamp_sqlite *q;
    struct lamp_pack_rows rows;
    struct lamp_part keys, body;
    struct lamp_sqlite_made made;
    const uint64_t *floors;
    struct lamp_maintained *io;
    uint64_t worked; /* rows */
};

static int next_number(struct compacting *c, enum lamp_step step, int64_t time, int64_t site,
                       int64_t *out)
{
    sqlite3_stmt *st = LAMP_QUERY(c->q,
                                  "SELECT ifnull(max(no), -1) + 1 FROM traffic_pack"
                                  " WHERE step = ?1 AND time = ?2 AND site = ?3",
                                  lamp_int((int64_t)step), lamp_int(time), lamp_int(site));
    const int got = lamp_sqlite_step(c->q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

/* The rows, which are merged, as packs of a minute (hour, day) of a site. */
static int put_packs(struct compacting *c, enum lamp_step step, int64_t time, int64_t site)
{
    int64_t no;
    int err = next_number(c, step, time, site, &no);
    for (size_t at = 0; at < c->rows.n && !err; at += PACK_ROWS, no++) {
        const size_t n = lamp_min(c->rows.n - at, PACK_ROWS);
        err = lamp_pack_write(c->rows.v + at, n, (uint64_t)time * lamp_step_minutes(step), &c->keys,
                              &c->body);
        if (!err)
            err = LAMP_EXEC(c->q, "INSERT INTO traffic_pack VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                            lamp_int((int64_t)step), lamp_int(time), lamp_int(site), lamp_int(no),
                            lamp_blob(c->keys.data, c->keys.len),
                            lamp_blob(c->body.data, c->body.len));
    }
    return err;
}

/* ---- minutes out of rows as they came ---- */

/* The rows of a minute of a site: into its minute, and where that is too late for its hour or day to be made of
 * minutes, into these as well. */
static int put_minute(struct compacting *c, int64_t minute, int64_t site)
{
    int err = LAMP_OK;
    if (c->rows.n == 0)
        return LAMP_OK;
    c->worked += c->rows.n;
    lamp_pack_rows_merge(&c->rows);
    for (int i = LAMP_STEP_MINUTE; i <= LAMP_STEP_DAY && !err; i++) {
        const enum lamp_step step = (enum lamp_step)i;
        const int64_t time = minute / (int64_t)lamp_step_minutes(step);
        if ((uint64_t)time >= c->floors[step] &&
            (step == LAMP_STEP_MINUTE || is_made(&c->made, step, time, site)))
            err = put_packs(c, step, time, site);
    }
    lamp_pack_rows_clear(&c->rows);
    return err;
}

/* What is damaged is counted in the transaction in which it goes, so once. */
static int count_damaged(struct compacting *c, uint64_t minute)
{
    if (c->io->damaged_parts++ == 0)
        c->io->damaged_from_us = minute * MINUTE_US;
    return LAMP_EXEC(c->q,
                     "INSERT INTO meta VALUES ('damaged_parts', ?1)"
                     " ON CONFLICT DO UPDATE SET value = value + ?1",
                     lamp_int(1));
}

static struct lamp_bytes col_bytes(sqlite3_stmt *st, int i)
{
    const uint8_t *p = sqlite3_column_blob(st, i); /* before its length is asked for */
    return (struct lamp_bytes){ p, (size_t)sqlite3_column_bytes(st, i) };
}

/* *out_last: the last group that was taken whole. *out_all: there was no other. */
static int take_parts(struct compacting *c, uint64_t settled, uint32_t rows,
                      struct lamp_history_at *out_last, bool *out_all)
{
    sqlite3_stmt *st = LAMP_QUERY(c->q,
                                  "SELECT minute, site, body FROM rollup_part WHERE minute < ?1"
                                  " ORDER BY minute, site, stream, seq, place",
                                  lamp_uint(settled));
    struct lamp_history_at at = { 0, 0 };
    bool any = false;
    int err = LAMP_OK, got;
    *out_all = true;
    while ((got = lamp_sqlite_step(c->q, st)) > 0) {
        const struct lamp_history_at next = { sqlite3_column_int64(st, 0),
                                              sqlite3_column_int64(st, 1) };
        const bool same = any && next.time == at.time && next.site == at.site;
        bool damaged = false;
        if (any && (!same || c->rows.n >= GATHERED_MAX))
            err = put_minute(c, at.time, at.site);
        if (!err && !same && c->worked >= rows) {
            *out_all = false;
            break;
        }
        if (!err)
            err = lamp_pack_rows_part(&c->rows, (uint64_t)next.time, col_bytes(st, 2), &damaged);
        if (!err && damaged)
            err = count_damaged(c, (uint64_t)next.time);
        at = next;
        any = true;
        if (err)
            break;
    }
    if (st)
        sqlite3_reset(st);
    if (!err && got >= 0 && any)
        err = put_minute(c, at.time, at.site);
    *out_last = any ? at : (struct lamp_history_at){ (int64_t)settled - 1, INT64_MAX };
    return got < 0 ? got : err;
}

static int make_minutes(struct compacting *c, uint64_t settled, uint32_t rows, uint64_t now_us)
{
    struct lamp_history_at last;
    bool all = false;
    int err = take_parts(c, settled, rows, &last, &all);
    if (!err)
        err = lamp_sqlite_history_grown(c->q, LAMP_HISTORY_TRAFFIC, last, now_us);
    if (!err)
        err = LAMP_EXEC(c->q, "DELETE FROM rollup_part WHERE (minute, site) <= (?1, ?2)",
                        lamp_int(last.time), lamp_int(last.site));
    c->io->more |= !all;
    return err;
}

/* ---- hours out of minutes, days out of hours ---- */

/* The first site behind `site` that has packs of `step` in these times. LAMP_ENOENT: there is none. */
static int next_site(struct compacting *c, enum lamp_step step, int64_t from, int64_t to,
                     int64_t site, int64_t *out)
{
    sqlite3_stmt *st = LAMP_QUERY(
        c->q,
        "WITH RECURSIVE t(time) AS (SELECT ?2 UNION ALL SELECT time + 1 FROM t WHERE time < ?3)"
        " SELECT min((SELECT p.site FROM traffic_pack p WHERE p.step = ?1 AND p.time = t.time"
        " AND p.site > ?4 ORDER BY p.site LIMIT 1)) FROM t",
        lamp_int((int64_t)step), lamp_int(from), lamp_int(to), lamp_int(site));
    const int got = lamp_sqlite_step(c->q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    const bool is = sqlite3_column_type(st, 0) != SQLITE_NULL;
    if (is)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return is ? LAMP_OK : LAMP_ENOENT;
}

/* The hour (day) of the first packs of `step` from a time on; `end` where there are none before. */
static int next_time(struct compacting *c, enum lamp_step step, int64_t from, int64_t ratio,
                     int64_t end, int64_t *out)
{
    sqlite3_stmt *st = LAMP_QUERY(c->q,
                                  "SELECT time FROM traffic_pack WHERE step = ?1 AND time >= ?2"
                                  " ORDER BY time LIMIT 1",
                                  lamp_int((int64_t)step), lamp_int(from * ratio));
    const int got = lamp_sqlite_step(c->q, st);
    if (got < 0)
        return got;
    *out = end;
    if (got > 0 && sqlite3_column_int64(st, 0) / ratio < end)
        *out = sqlite3_column_int64(st, 0) / ratio;
    if (got > 0)
        sqlite3_reset(st);
    return LAMP_OK;
}

static int merge_site(struct compacting *c, enum lamp_step step, int64_t time, int64_t ratio,
                      int64_t site)
{
    sqlite3_stmt *st =
        LAMP_QUERY(c->q,
                   "WITH RECURSIVE t(time) AS (SELECT ?2 UNION ALL SELECT time + 1 FROM t"
                   " WHERE time < ?3) SELECT p.keys, p.body FROM t CROSS JOIN traffic_pack p"
                   " ON p.step = ?1 AND p.time = t.time AND p.site = ?4",
                   lamp_int((int64_t)step - 1), lamp_int(time * ratio),
                   lamp_int(time * ratio + ratio - 1), lamp_int(site));
    int err = LAMP_OK, got = 0;
    while (!err && (got = lamp_sqlite_step(c->q, st)) > 0) {
        err = lamp_pack_rows_pack(&c->rows, col_bytes(st, 0), col_bytes(st, 1));
        if (err == LAMP_EFORMAT)
            err = count_damaged(c, (uint64_t)time * lamp_step_minutes(step));
        if (!err && c->rows.n >= GATHERED_MAX) {
            c->worked += c->rows.n;
            lamp_pack_rows_merge(&c->rows);
            err = put_packs(c, step, time, site);
            lamp_pack_rows_clear(&c->rows);
        }
    }
    if (st)
        sqlite3_reset(st);
    if (err || got < 0)
        return err ? err : got;
    c->worked += c->rows.n;
    lamp_pack_rows_merge(&c->rows);
    err = c->rows.n ? put_packs(c, step, time, site) : LAMP_OK;
    lamp_pack_rows_clear(&c->rows);
    return err;
}

/* Packs of step, site by site, of the times before `end`. */
static int make_step(struct compacting *c, enum lamp_step step, int64_t end, uint32_t rows)
{
    const int64_t ratio =
        (int64_t)(lamp_step_minutes(step) / lamp_step_minutes((enum lamp_step)((int)step - 1)));
    int64_t time = c->made.at[step].time, site = c->made.at[step].site;
    int err = LAMP_OK;
    while (!err && (site == INT64_MAX ? time + 1 : time) < end) {
        if (c->worked >= rows) {
            c->io->more = true;
            break;
        }
        if (site == INT64_MAX) {
            err = next_time(c, (enum lamp_step)((int)step - 1), time + 1, ratio, end, &time);
            site = INT64_MIN;
            if (err || time < end)
                continue;
            time = end - 1;
            site = INT64_MAX;
            break;
        }
        int64_t next = 0;
        err = next_site(c, (enum lamp_step)((int)step - 1), time * ratio, time * ratio + ratio - 1,
                        site, &next);
        if (err == LAMP_ENOENT) {
            err = LAMP_OK;
            site = INT64_MAX;
        } else if (!err) {
            err = merge_site(c, step, time, ratio, next);
            site = next;
        }
    }
    if (err || (time == c->made.at[step].time && site == c->made.at[step].site))
        return err;
    c->made.at[step].time = time;
    c->made.at[step].site = site;
    return set_made(c->q, step, time, site);
}

int lamp_sqlite_compact(struct lamp_sqlite *q, uint64_t settled, uint32_t rows,
                        const uint64_t floors[3], uint64_t now_us, struct lamp_maintained *io)
{
    struct compacting c = { .q = q, .floors = floors, .io = io };
    int err = lamp_sqlite_made(q, &c.made);
    if (!err)
        err = make_minutes(&c, settled, rows, now_us);
    if (!err && c.worked < rows)
        err = make_step(&c, LAMP_STEP_HOUR, (int64_t)(settled / 60), rows);
    if (!err && c.worked < rows)
        err = make_step(&c, LAMP_STEP_DAY, lamp_sqlite_made_until(&c.made, LAMP_STEP_HOUR) / 24,
                        rows);
    io->more |= c.worked >= rows;
    lamp_pack_rows_done(&c.rows);
    lamp_part_done(&c.keys);
    lamp_part_done(&c.body);
    return err;
}
