/* SPDX-License-Identifier: Apache-2.0 */
/* History that leaves the SQLite store for good: its cursors, its rows, and what came late. */
#include "aggregator/store/sqlite_history.h"

#include "aggregator/store/sqlite_compact.h"

static const struct {
    const char *next, *rows, *count;
} tables[LAMP_HISTORY_TABLES] = {
#define COUNT(table, time)                                                                         \
    "SELECT count(*) FROM (SELECT 1 FROM " table " WHERE (" time ", site) > (?1, ?2) LIMIT ?3)"
#define NEXT(table, time)                                                                          \
    "SELECT " time ", site FROM " table " WHERE (" time ", site) > (?1, ?2) AND " time " < ?3"     \
    " ORDER BY 1, 2 LIMIT 1 OFFSET ?4"
/* Several packs may have the same row. */
#define SUM(column) "CAST(min(total(" #column "), 4e18) AS INTEGER)"
#define SPAN(table, time, order, group)                                                            \
    " FROM " table " h JOIN site t ON t.no = h.site WHERE (" time ", site) > (?1, ?2)"             \
    " AND (" time ", site) <= (?3, ?4)" group " ORDER BY " time ", site, " order                   \
    " LIMIT -1 OFFSET ?5"
#define TRAFFIC(table, time, first, last, remote_name)                                             \
    {                                                                                              \
        NEXT(table, time),                                                                         \
            "SELECT " time ", h.site, t.name, inside, remote, ip_proto, service_port,"             \
            " application, " remote_name ", min(" first "), max(" last                             \
            "), " SUM(bytes_out) "," SUM(bytes_in) "," SUM(packets_out) "," SUM(                   \
                packets_in) "," SUM(flows)                                                         \
                SPAN(table, time, "inside, remote, ip_proto, service_port, application",           \
                     " GROUP BY " time                                                             \
                     ", h.site, inside, remote, ip_proto, service_port, application"),             \
            COUNT(table, time)                                                                     \
    }
#define CONNS(table, time)                                                                         \
    {                                                                                              \
        NEXT(table, time),                                                                         \
            "SELECT " time ", h.site, t.name, host, vlan, conn, work, squares, self_rate,"         \
            " bytes_up, bytes_down, packets_up, packets_down, jobs, submitted, accepted,"          \
            " rejected, stale" SPAN(table, time, "host, vlan, conn", ""),                          \
            COUNT(table, time)                                                                     \
    }
    TRAFFIC("traffic_minute", "minute", "minute", "minute", "''"),
    TRAFFIC("traffic_hour", "hour", "first_minute", "last_minute", "''"),
    TRAFFIC("traffic_day", "day", "first_minute", "last_minute", "max(remote_name)"),
    CONNS("conn_by_minute", "minute"),
    CONNS("conn_by_hour", "hour"),
    CONNS("conn_by_day", "day"),
};

/* ---- reading ---- */

int lamp_sqlite_op_history_id(lamp_store *s, uint64_t *out, uint64_t *out_lost)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(q,
                                        "SELECT (SELECT value FROM meta WHERE key = 'history_id'),"
                                        " (SELECT value FROM meta WHERE key = 'history_lost')",
                                        NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = lamp_col_uint(st, 0);
    *out_lost = lamp_col_uint(st, 1);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_history_cursors(lamp_store *s,
                                   struct lamp_history_cursor out[LAMP_HISTORY_TABLES])
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct lamp_history_cursor c[LAMP_HISTORY_TABLES] = { { .on = false } };
    sqlite3_stmt *st =
        lamp_sqlite_bind(q,
                         "SELECT tbl, sent_time, sent_site, claimed_time, claimed_site"
                         " FROM history_cursor WHERE tbl BETWEEN 0 AND 5",
                         NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0)
        c[sqlite3_column_int(st, 0)] = (struct lamp_history_cursor){
            true,
            { sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2) },
            { sqlite3_column_int64(st, 3), sqlite3_column_int64(st, 4) },
        };
    if (got == 0)
        memcpy(out, c, sizeof(c));
    return got;
}

int lamp_sqlite_op_history_next(lamp_store *s, unsigned table, struct lamp_history_at from,
                                int64_t end, uint32_t rows, struct lamp_history_at *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    assert(table < LAMP_HISTORY_TABLES && rows > 0);
    if (lamp_history_kind_of(table) == LAMP_HISTORY_TRAFFIC) { /* only of what was made whole */
        struct lamp_sqlite_made made;
        const int err = lamp_sqlite_made(q, &made);
        if (err)
            return err;
        const int64_t until = lamp_sqlite_made_until(&made, lamp_history_step_of(table));
        end = until < end ? until : end;
    }
    sqlite3_stmt *st = LAMP_QUERY(q, tables[table].next, lamp_int(from.time), lamp_int(from.site),
                                  lamp_int(end), lamp_int(rows - 1));
    const int got = lamp_sqlite_step(q, st);
    if (got < 0)
        return got;
    *out = (struct lamp_history_at){ end - 1, INT64_MAX };
    if (got > 0)
        *out = (struct lamp_history_at){ sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1) };
    sqlite3_reset(st);
    return LAMP_OK;
}

static struct lamp_bytes bytes_of(sqlite3_stmt *st, int i)
{
    const uint8_t *p = sqlite3_column_text(st, i);
    return p ? (struct lamp_bytes){ p, (size_t)sqlite3_column_bytes(st, i) }
             : (struct lamp_bytes){ (const uint8_t *)"", 0 };
}

static void read_row(sqlite3_stmt *st, enum lamp_history_kind kind, struct lamp_history_row *r)
{
    *r = (struct lamp_history_row){
        .at = { sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1) },
        .site = bytes_of(st, 2),
        .host = lamp_col_addr(st, 3),
    };
    const bool traffic = kind == LAMP_HISTORY_TRAFFIC;
    if (traffic) {
        r->remote = lamp_col_addr(st, 4);
        r->ip_proto = (uint8_t)sqlite3_column_int(st, 5);
        r->service_port = (uint16_t)sqlite3_column_int(st, 6);
        r->application = bytes_of(st, 7);
        r->remote_name = bytes_of(st, 8);
        r->first_minute = lamp_col_uint(st, 9);
        r->last_minute = lamp_col_uint(st, 10);
    } else {
        r->vlan = (uint32_t)sqlite3_column_int64(st, 4);
        r->conn = lamp_col_uint(st, 5);
        r->work = sqlite3_column_double(st, 6);
        r->squares = sqlite3_column_double(st, 7);
        r->self_rate = sqlite3_column_double(st, 8);
    }
    for (int i = 0; i < (traffic ? 5 : LAMP_HISTORY_COUNTS); i++)
        r->counts[i] = lamp_col_uint(st, (traffic ? 11 : 9) + i);
}

int lamp_sqlite_op_history_rows(lamp_store *s, unsigned table, const struct lamp_history_span *span,
                                lamp_history_row_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    assert(table < LAMP_HISTORY_TABLES);
    sqlite3_stmt *st =
        LAMP_QUERY(q, tables[table].rows, lamp_int(span->from.time), lamp_int(span->from.site),
                   lamp_int(span->to.time), lamp_int(span->to.site), lamp_uint(span->skip));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_history_row r;
        read_row(st, lamp_history_kind_of(table), &r);
        if (!fn(&r, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

int lamp_sqlite_op_history_lates(lamp_store *s, unsigned table, uint64_t before_us, uint32_t limit,
                                 lamp_history_late_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT time, site, no FROM history_late WHERE tbl = ?1"
                                  " AND since_us < ?2 ORDER BY time, site LIMIT ?3",
                                  lamp_int(table), lamp_uint(before_us), lamp_int(limit));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_history_late l = { { sqlite3_column_int64(st, 0),
                                               sqlite3_column_int64(st, 1) },
                                             sqlite3_column_int64(st, 2) };
        if (!fn(&l, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

int lamp_sqlite_op_history_count(lamp_store *s, unsigned table, struct lamp_history_at from,
                                 uint32_t most, uint64_t *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    assert(table < LAMP_HISTORY_TABLES);
    sqlite3_stmt *st = LAMP_QUERY(q, tables[table].count, lamp_int(from.time), lamp_int(from.site),
                                  lamp_int(most));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = lamp_col_uint(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

/* ---- the writer's ---- */

/* begin: the first minute (hour, day) that there will be. */
int lamp_sqlite_op_history_start(lamp_store *s, uint64_t place)
{
    static const char *const forget_other[] = {
#define OTHER " WHERE ?1 IS NOT (SELECT value FROM meta WHERE key = 'history_place')"
        "DELETE FROM history_cursor" OTHER,
        "DELETE FROM history_late" OTHER,
        "INSERT INTO meta VALUES ('history_place', ?1) ON CONFLICT DO UPDATE SET value = ?1",
    };
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_OK;
    for (size_t i = 0; i < ARRAY_LEN(forget_other) && !err; i++)
        err = LAMP_EXEC(q, forget_other[i], lamp_uint(place));
    if (!err && place)
        err = lamp_sqlite_exec(
            q,
            "INSERT OR IGNORE INTO history_cursor WITH t(tbl) AS (VALUES (0), (1), (2), (3), (4),"
            " (5)) SELECT tbl, -1, -1, -1, -1, (SELECT value FROM meta WHERE key ="
            " CASE tbl % 3 WHEN 0 THEN 'minute_floor' WHEN 1 THEN 'hour_floor' ELSE 'day_floor'"
            " END) FROM t",
            NULL, 0);
    if (!err)
        q->history_on = place != 0;
    return err;
}

int lamp_sqlite_op_history_note(lamp_store *s, const struct lamp_history_note *n)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    if (n->has_late)
        return LAMP_EXEC(q,
                         "DELETE FROM history_late WHERE tbl = ?1 AND (time, site) <= (?2, ?3)"
                         " AND no <= ?4 AND since_us < ?5",
                         lamp_int(n->table), lamp_int(n->late.at.time), lamp_int(n->late.at.site),
                         lamp_int(n->late.no), lamp_uint(n->late_before_us));
    return LAMP_EXEC(
        q,
        "UPDATE history_cursor SET sent_time = ?2, sent_site = ?3, claimed_time = ?4,"
        " claimed_site = ?5 WHERE tbl = ?1 AND claimed_time = ?6 AND claimed_site = ?7",
        lamp_int(n->table), lamp_int(n->sent.time), lamp_int(n->sent.site),
        lamp_int(n->claimed.time), lamp_int(n->claimed.site), lamp_int(n->expected.time),
        lamp_int(n->expected.site));
}

/* ---- with maintenance ---- */

#define STEP_MINUTES "(CASE c.tbl % 3 WHEN 0 THEN 1 WHEN 1 THEN 60 ELSE 1440 END)"
#define GROWN(rows, kind)                                                                          \
    "INSERT INTO history_late SELECT DISTINCT c.tbl, r.minute / " STEP_MINUTES ", r.site,"         \
    " (SELECT value FROM meta WHERE key = 'history_no'), ?3"                                       \
    " FROM (SELECT DISTINCT minute, site FROM " rows " WHERE (minute, site) <= (?1, ?2)) r"        \
    " JOIN history_cursor c ON c.tbl / 3 = " kind " AND (r.minute / " STEP_MINUTES ", r.site) <="  \
    " (c.claimed_time, c.claimed_site) AND r.minute / " STEP_MINUTES " >= (SELECT value FROM meta" \
    " WHERE key = CASE c.tbl % 3 WHEN 0 THEN 'minute_floor' WHEN 1 THEN 'hour_floor'"              \
    " ELSE 'day_floor' END) WHERE true ON CONFLICT DO UPDATE SET no = excluded.no"

/* Too many to be noted: from the first of them on, everything goes once more. So does a block that is under way: what was
 * claimed for it is that no more, and its note moves nothing. */
static int rewind_cursors(struct lamp_sqlite *q)
{
    int err = lamp_sqlite_exec(
        q,
        "UPDATE history_cursor AS c SET sent_time = l.time, sent_site = l.site,"
        " claimed_time = l.time, claimed_site = l.site FROM (SELECT k.tbl,"
        " min(k.sent_time, min(h.time) - 1) AS time, iif(k.sent_time < min(h.time), k.sent_site,"
        " 9223372036854775807) AS site FROM history_late h JOIN history_cursor k USING (tbl)"
        " GROUP BY k.tbl) l WHERE l.tbl = c.tbl",
        NULL, 0);
    return err ? err : lamp_sqlite_exec(q, "DELETE FROM history_late", NULL, 0);
}

int lamp_sqlite_history_grown(struct lamp_sqlite *q, enum lamp_history_kind kind,
                              struct lamp_history_at last, uint64_t now_us)
{
    static const char *const sql[LAMP_HISTORY_KINDS] = { GROWN("rollup_part", "0"),
                                                         GROWN("conn_minute", "1") };
    if (!q->history_on)
        return LAMP_OK;
    int err =
        lamp_sqlite_exec(q, "UPDATE meta SET value = value + 1 WHERE key = 'history_no'", NULL, 0);
    const int before = sqlite3_total_changes(q->db);
    if (!err)
        err = LAMP_EXEC(q, sql[kind], lamp_int(last.time), lamp_int(last.site), lamp_uint(now_us));
    if (err || sqlite3_total_changes(q->db) == before)
        return err;
    int64_t n = 0;
    err = lamp_sqlite_value(q, "SELECT count(*) FROM history_late", &n);
    return err || n <= LAMP_HISTORY_LATE_MAX ? err : rewind_cursors(q);
}

int lamp_sqlite_history_unsent(struct lamp_sqlite *q, enum lamp_step step, int64_t *out)
{
    *out = INT64_MAX;
    if (!q->history_on)
        return LAMP_OK;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT min((SELECT min(sent_time + (sent_site = 9223372036854775807))"
                   " FROM history_cursor WHERE tbl % 3 = ?1), ifnull((SELECT min(time) FROM"
                   " history_late WHERE tbl % 3 = ?1), 9223372036854775807))",
                   lamp_int((int64_t)step));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

#define LOST(table, time, tbl)                                                                     \
    "UPDATE meta SET value = value + (SELECT count(*) FROM " table                                 \
    " h, history_cursor c WHERE c.tbl = " tbl " AND h." time " >= ?1 AND h." time                  \
    " < ?2 AND (h." time ", h.site) > (c.sent_time, c.sent_site)) WHERE key = 'history_lost'"

/* Late ones whose group is gone have nothing left to send. */
int lamp_sqlite_history_forget(struct lamp_sqlite *q, enum lamp_step step, uint64_t from,
                               uint64_t floor)
{
    static const char *const sql[LAMP_HISTORY_TABLES] = {
        LOST("traffic_minute", "minute", "0"), LOST("traffic_hour", "hour", "1"),
        LOST("traffic_day", "day", "2"),       LOST("conn_by_minute", "minute", "3"),
        LOST("conn_by_hour", "hour", "4"),     LOST("conn_by_day", "day", "5"),
    };
    int err = LAMP_OK;
    for (size_t kind = 0; kind < LAMP_HISTORY_KINDS && q->history_on && !err; kind++)
        err = LAMP_EXEC(q, sql[kind * LAMP_HISTORY_STEPS + (size_t)step], lamp_uint(from),
                        lamp_uint(floor));
    if (!err && q->history_on)
        err = LAMP_EXEC(q, "DELETE FROM history_late WHERE tbl % 3 = ?1 AND time < ?2",
                        lamp_int((int64_t)step), lamp_uint(floor));
    return err;
}
