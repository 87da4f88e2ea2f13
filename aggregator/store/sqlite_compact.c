/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/sqlite_compact.h"

#include "aggregator/store/packs.h"
#include "aggregator/store/sqlite_history.h"

enum {
    PACK_ROWS = 4096,
    GATHERED_MAX = 1 << 17, /* rows; where more differ than half of it, packs are made that are not
                               merged with one another */
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

static void compacted(struct compacting *c)
{
    lamp_pack_rows_done(&c->rows);
    lamp_part_done(&c->keys);
    lamp_part_done(&c->body);
}

static int set_made(struct compacting *c, enum lamp_step step, int64_t time, int64_t site)
{
    static const char *const keys[][2] = { { NULL, NULL },
                                           { "made_hour", "made_hour_site" },
                                           { "made_day", "made_day_site" } };
    c->made.at[step].time = time;
    c->made.at[step].site = site;
    const int err = LAMP_EXEC(c->q, "UPDATE meta SET value = ?2 WHERE key = ?1",
                              lamp_str(keys[step][0]), lamp_int(time));
    return err ? err
               : LAMP_EXEC(c->q, "UPDATE meta SET value = ?2 WHERE key = ?1",
                           lamp_str(keys[step][1]), lamp_int(site));
}

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

static int note_late(struct compacting *c, enum lamp_step step, int64_t time, int64_t site)
{
    return LAMP_EXEC(c->q,
                     "INSERT INTO traffic_late VALUES (?1, ?2, ?3, 1)"
                     " ON CONFLICT DO UPDATE SET n = n + 1",
                     lamp_int((int64_t)step), lamp_int(time), lamp_int(site));
}

/* The rows, which are merged, as packs of a minute (hour, day) of a site. may_be_late: if there are some already, it
 * is noted that they are not merged with those. */
static int put_packs(struct compacting *c, enum lamp_step step, int64_t time, int64_t site,
                     bool may_be_late)
{
    int64_t no;
    int err = next_number(c, step, time, site, &no);
    if (!err && no > 0 && may_be_late)
        err = note_late(c, step, time, site);
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
    lamp_pack_rows_merge(&c->rows);
    for (int i = LAMP_STEP_MINUTE; i <= LAMP_STEP_DAY && !err; i++) {
        const enum lamp_step step = (enum lamp_step)i;
        const int64_t time = minute / (int64_t)lamp_step_minutes(step);
        if ((uint64_t)time >= c->floors[step] &&
            (step == LAMP_STEP_MINUTE || is_made(&c->made, step, time, site)))
            err = put_packs(c, step, time, site, true);
    }
    lamp_pack_rows_clear(&c->rows);
    return err;
}

/* Adds up what was gathered. *out_full: that did not make much room. */
static int make_room(struct compacting *c, bool *out_full)
{
    *out_full = false;
    if (c->rows.n < GATHERED_MAX)
        return LAMP_OK;
    lamp_pack_rows_merge(&c->rows);
    *out_full = c->rows.n > GATHERED_MAX / 2;
    return *out_full ? LAMP_OK : lamp_pack_rows_own(&c->rows);
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
        bool damaged = false, full = false;
        if (same)
            err = make_room(c, &full);
        if (!err && any && (!same || full))
            err = put_minute(c, at.time, at.site);
        if (!err && !same && c->worked >= rows) {
            *out_all = false;
            break;
        }
        const size_t before = c->rows.n;
        if (!err)
            err = lamp_pack_rows_part(&c->rows, (uint64_t)next.time, col_bytes(st, 2), &damaged);
        c->worked += c->rows.n - before;
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

/* Makes packs of step of the keys and bodies that a statement gives. */
static int merge_packs(struct compacting *c, sqlite3_stmt *st, enum lamp_step step, int64_t time,
                       int64_t site)
{
    int err = LAMP_OK, got = 0;
    bool full = false;
    while (!err && (got = lamp_sqlite_step(c->q, st)) > 0) {
        const size_t before = c->rows.n;
        err = lamp_pack_rows_pack(&c->rows, col_bytes(st, 0), col_bytes(st, 1));
        c->worked += c->rows.n - before;
        if (err == LAMP_EFORMAT)
            err = count_damaged(c, (uint64_t)time * lamp_step_minutes(step));
        if (!err)
            err = make_room(c, &full);
        if (!err && full) {
            err = put_packs(c, step, time, site, false);
            lamp_pack_rows_clear(&c->rows);
        }
    }
    if (st)
        sqlite3_reset(st);
    err = err ? err : got;
    lamp_pack_rows_merge(&c->rows);
    if (!err && c->rows.n)
        err = put_packs(c, step, time, site, false);
    lamp_pack_rows_clear(&c->rows);
    return err;
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
    return merge_packs(c, st, step, time, site);
}

/* What is there of a minute (hour, day) of a site is written anew, as one. */
static int merge_again(struct compacting *c, enum lamp_step step, int64_t time, int64_t site)
{
    const struct lamp_sqlv of[] = { lamp_int((int64_t)step), lamp_int(time), lamp_int(site) };
    int64_t end;
    int err = next_number(c, step, time, site, &end);
    if (!err)
        err = merge_packs(c,
                          LAMP_QUERY(c->q,
                                     "SELECT keys, body FROM traffic_pack WHERE step = ?1"
                                     " AND time = ?2 AND site = ?3 AND no < ?4",
                                     of[0], of[1], of[2], lamp_int(end)),
                          step, time, site);
    if (!err)
        err = LAMP_EXEC(c->q,
                        "DELETE FROM traffic_pack WHERE step = ?1 AND time = ?2 AND site = ?3"
                        " AND no < ?4",
                        of[0], of[1], of[2], lamp_int(end));
    return err ? err
               : LAMP_EXEC(c->q,
                           "DELETE FROM traffic_late WHERE step = ?1 AND time = ?2 AND site = ?3",
                           of[0], of[1], of[2]);
}

/* Where much came late. That is left for when there is nothing else to do. */
static int merge_late(struct compacting *c, uint32_t rows)
{
    int err = LAMP_OK, got = 0;
    while (!err && c->worked < rows) {
        sqlite3_stmt *st = lamp_sqlite_bind(c->q,
                                            "SELECT step, time, site FROM traffic_late"
                                            " WHERE n >= 8 LIMIT 1",
                                            NULL, 0);
        got = lamp_sqlite_step(c->q, st);
        if (got <= 0)
            return got;
        const enum lamp_step step = (enum lamp_step)sqlite3_column_int(st, 0);
        const int64_t time = sqlite3_column_int64(st, 1), site = sqlite3_column_int64(st, 2);
        sqlite3_reset(st);
        err = merge_again(c, step, time, site);
    }
    c->io->more = true;
    return err;
}

/* Packs of step, site by site, of the times before `end`. Goes on behind `last`: of its time, the sites up to its own were
 * made. */
static int make_step(struct compacting *c, enum lamp_step step, int64_t end, uint32_t rows)
{
    const enum lamp_step of = (enum lamp_step)((int)step - 1);
    const int64_t ratio = (int64_t)(lamp_step_minutes(step) / lamp_step_minutes(of));
    const struct lamp_history_at begin = { c->made.at[step].time, c->made.at[step].site };
    struct lamp_history_at last = begin;
    int err = LAMP_OK;
    c->worked = 0;
    while (!err && last.time + (last.site == INT64_MAX) < end) {
        int64_t next = 0;
        if (c->worked >= rows) {
            c->io->more = true;
            break;
        }
        if (last.site == INT64_MAX) {
            err = next_time(c, of, last.time + 1, ratio, end, &next);
            if (!err)
                last = next < end ? (struct lamp_history_at){ next, INT64_MIN }
                                  : (struct lamp_history_at){ end - 1, INT64_MAX };
            continue;
        }
        err = next_site(c, of, last.time * ratio, last.time * ratio + ratio - 1, last.site, &next);
        if (!err)
            err = merge_site(c, step, last.time, ratio, next);
        else if (err == LAMP_ENOENT) {
            next = INT64_MAX;
            err = LAMP_OK;
        }
        last.site = next;
    }
    if (err || (last.time == begin.time && last.site == begin.site))
        return err;
    return set_made(c, step, last.time, last.site);
}

/* The hour before which all minutes were made that are not late. */
static int made_minutes_until(struct compacting *c, uint64_t settled, int64_t *out)
{
    const int64_t until = lamp_sqlite_made_until(&c->made, LAMP_STEP_HOUR);
    sqlite3_stmt *st =
        LAMP_QUERY(c->q,
                   "SELECT minute FROM rollup_part WHERE minute >= ?1 AND minute < ?2"
                   " ORDER BY minute LIMIT 1",
                   lamp_int(until * 60), lamp_uint(settled));
    const int got = lamp_sqlite_step(c->q, st);
    *out = (int64_t)(settled / 60);
    if (got > 0) {
        *out = sqlite3_column_int64(st, 0) / 60;
        sqlite3_reset(st);
    }
    return got < 0 ? got : LAMP_OK;
}

/* ---- where it begins ---- */

/* What is made at least: all that there are packs of, with the hours of a day that was made, and all before what is
 * still kept of what it would be made of. */
static int least_made(struct lamp_sqlite *q, int64_t *out_hour, int64_t *out_day)
{
    uint64_t floors[3];
    const int err = lamp_sqlite_floors(q, floors);
    if (err)
        return err;
    sqlite3_stmt *st =
        lamp_sqlite_bind(q,
                         "SELECT ifnull((SELECT max(time) FROM traffic_pack WHERE step = 1), -1),"
                         " ifnull((SELECT max(time) FROM traffic_pack WHERE step = 2), -1)",
                         NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    const int64_t hour = sqlite3_column_int64(st, 0), day = sqlite3_column_int64(st, 1);
    sqlite3_reset(st);
    const int64_t minutes[] = { hour, (int64_t)((floors[LAMP_STEP_MINUTE] + 59) / 60) - 1,
                                (int64_t)floors[LAMP_STEP_HOUR] - 1 };
    const int64_t hours[] = { day, (int64_t)((floors[LAMP_STEP_HOUR] + 23) / 24) - 1,
                              (int64_t)floors[LAMP_STEP_DAY] - 1 };
    *out_hour = *out_day = -1;
    for (size_t i = 0; i < ARRAY_LEN(hours); i++)
        *out_day = hours[i] > *out_day ? hours[i] : *out_day;
    *out_hour = *out_day * 24 + 23;
    for (size_t i = 0; i < ARRAY_LEN(minutes); i++)
        *out_hour = minutes[i] > *out_hour ? minutes[i] : *out_hour;
    return LAMP_OK;
}

/* What was sent of hours (days) that are to be made again, none of which has a pack, was nothing. */
static int unmake(struct compacting *c, enum lamp_step step, int64_t time)
{
    if (time >= c->made.at[step].time)
        return LAMP_OK;
    int err = LAMP_EXEC(c->q,
                        "UPDATE history_cursor SET sent_time = min(sent_time, ?2),"
                        " sent_site = iif(sent_time >= ?2, 9223372036854775807, sent_site),"
                        " claimed_time = ?2, claimed_site = 9223372036854775807"
                        " WHERE tbl = ?1 AND claimed_time > ?2",
                        lamp_int((int64_t)step), lamp_int(time));
    return err ? err : set_made(c, step, time, INT64_MAX);
}

/* Hours to come were made when the clock was ahead: what they bring would be late, all of it. */
static int mind_clock(struct compacting *c, uint64_t settled)
{
    int64_t hour = 0, day = 0;
    if (c->made.at[LAMP_STEP_HOUR].time <= (int64_t)(settled / 60))
        return LAMP_OK;
    int err = least_made(c->q, &hour, &day);
    if (!err)
        err = unmake(c, LAMP_STEP_HOUR, hour);
    return err ? err : unmake(c, LAMP_STEP_DAY, day);
}

int lamp_sqlite_compact(struct lamp_sqlite *q, uint64_t settled, uint32_t rows,
                        const uint64_t floors[3], uint64_t now_us, struct lamp_maintained *io)
{
    struct compacting c = { .q = q, .floors = floors, .io = io };
    const uint32_t half = rows / 2 + 1; /* hours and days have shares of their own */
    int64_t end = 0;
    int err = lamp_sqlite_made(q, &c.made);
    if (!err)
        err = mind_clock(&c, settled);
    if (!err)
        err = make_minutes(&c, settled, rows, now_us);
    if (!err)
        err = made_minutes_until(&c, settled, &end);
    if (!err)
        err = make_step(&c, LAMP_STEP_HOUR, end, half);
    if (!err)
        err = make_step(&c, LAMP_STEP_DAY, lamp_sqlite_made_until(&c.made, LAMP_STEP_HOUR) / 24,
                        half);
    if (!err && !io->more) {
        c.worked = 0;
        err = merge_late(&c, rows);
    }
    compacted(&c);
    return err;
}

/* ---- from before there were packs ---- */

struct old_row {
    struct lamp_history_at at;
    struct lamp_pack_row row;
};

static void read_old(sqlite3_stmt *st, struct old_row *out)
{
    *out = (struct old_row){
        .at = { sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1) },
        .row = { .key = { .inside = col_bytes(st, 2),
                          .remote = col_bytes(st, 3),
                          .ip_proto = lamp_col_uint(st, 4) & UINT8_MAX,
                          .service_port = lamp_col_uint(st, 5) & UINT16_MAX,
                          .application = col_bytes(st, 6),
                          .name = col_bytes(st, 7) },
                 .first = lamp_col_uint(st, 8),
                 .last = lamp_col_uint(st, 9) },
    };
    struct lamp_part_row *k = &out->row.key;
    k->application.len = lamp_min(k->application.len, LAMP_PACKED_TEXT);
    k->name.len = lamp_min(k->name.len, LAMP_PACKED_TEXT);
    for (int i = 0; i < (int)ARRAY_LEN(k->counts); i++)
        k->counts[i] = lamp_col_uint(st, 10 + i);
}

static bool is_addr(struct lamp_bytes b)
{
    return b.len == 4 || b.len == 16;
}

static int put_old(struct compacting *c, enum lamp_step step, const struct lamp_history_at *at)
{
    lamp_pack_rows_merge(&c->rows);
    const int err = c->rows.n ? put_packs(c, step, at->time, at->site, false) : LAMP_OK;
    lamp_pack_rows_clear(&c->rows);
    return err;
}

/* The rows come in the order of their table, so that neither they nor a minute of them has to be held. */
static int pack_table(struct compacting *c, enum lamp_step step, const char *sql)
{
    sqlite3_stmt *st = lamp_sqlite_bind(c->q, sql, NULL, 0);
    struct lamp_history_at at = { 0, 0 };
    int err = LAMP_OK, got = 0;
    while (!err && (got = lamp_sqlite_step(c->q, st)) > 0) {
        struct old_row r;
        read_old(st, &r);
        if (c->rows.n >= PACK_ROWS || r.at.time != at.time || r.at.site != at.site)
            err = put_old(c, step, &at);
        at = r.at;
        if (!err && is_addr(r.row.key.inside) && is_addr(r.row.key.remote))
            err = lamp_pack_rows_add(&c->rows, &r.row);
    }
    if (st)
        sqlite3_reset(st);
    if (!err && got == 0)
        err = put_old(c, step, &at);
    return err ? err : got;
}

/* clang-format off */
#define OLD(table, time, first, last, name)                                                        \
    "SELECT " time ", site, inside, remote, ip_proto, service_port, application, " name ","        \
    " " first ", " last ", bytes_out, bytes_in, packets_out, packets_in, flows FROM " table " h"   \
    " ORDER BY " time ", site, inside, remote, ip_proto, service_port, application"
#define NAME_OF_DAY(day)                                                                           \
    "ifnull((SELECT d.remote_name FROM old_day d WHERE d.day = " day " AND d.site = h.site"        \
    " AND d.inside = h.inside AND d.remote = h.remote AND d.ip_proto = h.ip_proto"                 \
    " AND d.service_port = h.service_port AND d.application = h.application), '')"
static const char *const old_tables[] = {
    OLD("old_minute", "minute", "minute", "minute", NAME_OF_DAY("h.minute / 1440")),
    OLD("old_hour", "hour", "first_minute", "last_minute", NAME_OF_DAY("h.hour / 24")),
    OLD("old_day", "day", "first_minute", "last_minute", "remote_name"),
};
/* clang-format on */

/* Their pages need not be overwritten, as builds of SQLite for safety's sake do: what was in them is still there. */
static int drop_old(struct lamp_sqlite *q)
{
    static const char *const drop[] = { "DROP TABLE old_minute", "DROP TABLE old_hour",
                                        "DROP TABLE old_day" };
    int64_t was = 0, now = 0;
    int err = lamp_sqlite_value(q, "PRAGMA secure_delete", &was);
    if (!err)
        err = lamp_sqlite_value(q, "PRAGMA secure_delete = 0", &now);
    for (size_t i = 0; i < ARRAY_LEN(drop) && !err; i++)
        err = lamp_sqlite_exec(q, drop[i], NULL, 0);
    if (was > 0) {
        const int back = lamp_sqlite_value(
            q, was == 1 ? "PRAGMA secure_delete = 1" : "PRAGMA secure_delete = FAST", &now);
        err = err ? err : back;
    }
    return err;
}

int lamp_sqlite_pack_old(struct lamp_sqlite *q)
{
    struct compacting c = { .q = q };
    int64_t hour = 0, day = 0;
    int err = LAMP_OK;
    for (size_t i = 0; i < ARRAY_LEN(old_tables) && !err; i++)
        err = pack_table(&c, (enum lamp_step)i, old_tables[i]);
    if (!err)
        err = drop_old(q);
    if (!err)
        err = least_made(q, &hour, &day);
    if (!err)
        err = set_made(&c, LAMP_STEP_HOUR, hour, INT64_MAX);
    if (!err)
        err = set_made(&c, LAMP_STEP_DAY, day, INT64_MAX);
    compacted(&c);
    return err;
}
