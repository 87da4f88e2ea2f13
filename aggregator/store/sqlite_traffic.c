/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of traffic that is not mining, added up: from days, from the hours and minutes around them, and
 * from what is still as it came. */
#include "aggregator/store/sqlite.h"

#include "aggregator/store/spans.h"
#include "aggregator/store/sqlite_compact.h"

enum {
    ROWS_DEFAULT = 100,
};

#define MINUTE_US UINT64_C(60000000)

/* The "other" row of a minute has no addresses; it is kept apart from rows that have. */
#define OF_SITE(site) " AND (?3 = '' OR " site " = (SELECT no FROM site WHERE name = ?3))"
#define OF_APPLICATION(application) " AND (?6 = '' OR " application " = ?6)"
#define KEY " site, inside, remote, ip_proto, service_port, application,"
#define COUNTS " bytes_out, bytes_in, packets_out, packets_in, flows,"
#define AS_THEY_CAME                                                                               \
    "SELECT" KEY COUNTS " minute AS first, minute AS last, remote_name AS name"                    \
    " FROM rollup_minute WHERE minute BETWEEN ?1 AND ?2" OF_SITE("site") OF_APPLICATION(           \
        "application") " AND (length(?4) = 0 OR inside = ?4) AND (length(?5) = 0 OR remote = ?5)"

/* Of packs that have none of the addresses, only the keys are read. */
#define PACKED(step, from, to, more)                                                               \
    " UNION ALL SELECT p.site, r.inside, r.remote, r.ip_proto, r.service_port, r.application,"     \
    " r.bytes_out, r.bytes_in, r.packets_out, r.packets_in, r.flows, r.first, r.last,"             \
    " r.remote_name FROM traffic_pack p CROSS JOIN pack_rows(p.keys, p.body, ?4, ?5) r"            \
    " WHERE p.step = " step " AND p.time BETWEEN " from " AND " to                                 \
    " AND pack_has(p.keys, ?4, ?5)" OF_SITE("p.site") OF_APPLICATION("r.application") more
#define MINUTES(from, to) PACKED("0", from, to, "")
#define HOURS(from, to) PACKED("1", from, to, "")
#define DAYS(from, to) PACKED("2", from, to, "")

/* Minutes of which no hours were made yet, where hours are read, and hours of which no days were, where days are:
 * behind hour ?15, site ?16, and day ?17, site ?18. */
#define MINUTES_FOR_HOURS(from, to)                                                                \
    PACKED("0", "max(" from ", ?15 * 60)", to, " AND (p.time / 60, p.site) > (?15, ?16)")
#define HOURS_FOR_DAYS(from, to)                                                                   \
    PACKED("1", "max(" from ", ?17 * 24)", to, " AND (p.time / 24, p.site) > (?17, ?18)")

/* What was fetched of before these minutes (history.h) was asked for by the same filter. */
#define PAST " UNION ALL SELECT" KEY COUNTS " first, last, name FROM past_traffic"

/* Every minute from ?1 to ?2 once. */
#define TRAFFIC_FROM                                                                               \
    " FROM (" AS_THEY_CAME MINUTES("?1", "?7") MINUTES("?8", "?2") HOURS("?9", "?10")              \
        HOURS("?11", "?12") DAYS("?13", "?14") MINUTES_FOR_HOURS("?7 + 1", "?8 - 1")               \
            HOURS_FOR_DAYS("?13 * 24", "?14 * 24 + 23") PAST ") r"
#define TRAFFIC_SUMS                                                                               \
    " total(r.bytes_out), total(r.bytes_in), total(r.packets_out), total(r.packets_in),"           \
    " total(r.flows), min(r.first), max(r.last)"

/* ---- reading ---- */

static size_t short_addr(const struct lamp_addr *a, const void **out)
{
    *out = a ? (const void *)(lamp_addr_is_v4(a) ? a->b + 12 : a->b) : "";
    return !a ? 0 : lamp_addr_is_v4(a) ? 4 : 16;
}

/* What is kept, what was made and what is read of it are of one moment: while the writer makes an hour of minutes, both
 * would else count, or neither. *out_own: a transaction was begun, to be ended by end_reading(). */
static int begin_reading(struct lamp_sqlite *q, bool *out_own)
{
    *out_own = sqlite3_get_autocommit(q->db) != 0;
    const int err = *out_own ? lamp_sqlite_exec(q, "BEGIN", NULL, 0) : LAMP_OK;
    *out_own &= err == LAMP_OK;
    return err;
}

/* An error may have ended it already. */
static int end_reading(struct lamp_sqlite *q, bool own, int err)
{
    const int end =
        own && !sqlite3_get_autocommit(q->db) ? lamp_sqlite_exec(q, "COMMIT", NULL, 0) : LAMP_OK;
    return err ? err : end;
}

/* Minutes after the last hour begin at ?8, so that those before and after are never the same. */
static sqlite3_stmt *query(struct lamp_sqlite *q, const char *sql,
                           const struct lamp_traffic_filter *f, bool total)
{
    uint64_t floors[3];
    struct lamp_sqlite_made made;
    if (lamp_sqlite_floors(q, floors) != LAMP_OK || lamp_sqlite_made(q, &made) != LAMP_OK)
        return NULL;
    const uint64_t from_us = q->past_until ? (uint64_t)q->past_until * MINUTE_US : f->from_us;
    struct lamp_piece all = lamp_span_widened(from_us, f->to_us, floors);
    if (q->past_until && from_us > f->to_us)
        all = (struct lamp_piece){ q->past_until, (int64_t)(f->to_us / MINUTE_US) };
    const struct lamp_pieces p = lamp_span_pieces(all);
    const void *host, *remote;
    const size_t host_len = short_addr(f->host, &host);
    const size_t remote_len = short_addr(f->remote, &remote);
    const struct lamp_sqlv values[] = {
        lamp_int(p.all.from),
        lamp_int(p.all.to),
        lamp_str(f->site ? f->site : ""),
        lamp_blob(host, host_len),
        lamp_blob(remote, remote_len),
        lamp_str(f->application ? f->application : ""),
        lamp_int(p.minutes[0].to),
        lamp_int(p.minutes[1].from <= p.minutes[1].to ? p.minutes[1].from : p.all.to + 1),
        lamp_int(p.hours[0].from),
        lamp_int(p.hours[0].to),
        lamp_int(p.hours[1].from),
        lamp_int(p.hours[1].to),
        lamp_int(p.days.from),
        lamp_int(p.days.to),
        lamp_int(made.at[LAMP_STEP_HOUR].time),
        lamp_int(made.at[LAMP_STEP_HOUR].site),
        lamp_int(made.at[LAMP_STEP_DAY].time),
        lamp_int(made.at[LAMP_STEP_DAY].site),
        lamp_int(f->limit ? f->limit : ROWS_DEFAULT),
    };
    return lamp_sqlite_bind(q, sql, values, ARRAY_LEN(values) - (total ? 1 : 0));
}

static void read_sums(sqlite3_stmt *st, int at, struct lamp_traffic_view *v)
{
    v->bytes_out = lamp_col_uint(st, at);
    v->bytes_in = lamp_col_uint(st, at + 1);
    v->packets_out = lamp_col_uint(st, at + 2);
    v->packets_in = lamp_col_uint(st, at + 3);
    v->flows = lamp_col_uint(st, at + 4);
    v->first_us = lamp_col_uint(st, at + 5) * MINUTE_US;
    v->last_us = lamp_col_uint(st, at + 6) * MINUTE_US;
}

#define LARGEST                                                                                    \
    "WITH largest AS (SELECT" KEY " max(name) AS name, total(r.bytes_out) AS out,"                 \
    " total(r.bytes_in) AS in_, total(r.packets_out) AS packets_out,"                              \
    " total(r.packets_in) AS packets_in, total(r.flows) AS flows, min(r.first) AS first,"          \
    " max(r.last) AS last" TRAFFIC_FROM                                                            \
    " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY out + in_ DESC, (SELECT name FROM site WHERE no = "       \
    "r.site),"                                                                                     \
    " 2, 3, 4, 5, 6 LIMIT ?19)"                                                                    \
    " SELECT t.name, l.inside, l.remote, l.ip_proto, l.service_port, l.application, l.name,"       \
    " l.out, l.in_, l.packets_out, l.packets_in, l.flows, l.first, l.last"                         \
    " FROM largest l JOIN site t ON t.no = l.site ORDER BY l.out + l.in_ DESC, 1, 2, 3, 4, 5, 6"

static int read_largest(struct lamp_sqlite *q, const struct lamp_traffic_filter *f,
                        lamp_traffic_view_fn *fn, void *arg)
{
    static const struct lamp_addr zero;
    sqlite3_stmt *st = query(q, LARGEST, f, false);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_traffic_view v = {
            .site = lamp_col_str(st, 0),
            .host = lamp_col_addr(st, 1),
            .remote = lamp_col_addr(st, 2),
            .ip_proto = (uint8_t)sqlite3_column_int(st, 3),
            .service_port = (uint16_t)sqlite3_column_int(st, 4),
            .application = lamp_col_str(st, 5),
            .remote_name = lamp_col_str(st, 6),
        };
        v.is_other = lamp_addr_eq(&v.host, &zero) && lamp_addr_eq(&v.remote, &zero);
        read_sums(st, 7, &v);
        if (!fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

int lamp_sqlite_op_traffic(lamp_store *s, const struct lamp_traffic_filter *f,
                           lamp_traffic_view_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    bool own;
    int err = begin_reading(q, &own);
    if (!err)
        err = read_largest(q, f, fn, arg);
    return end_reading(q, own, err);
}

static int read_total(struct lamp_sqlite *q, const struct lamp_traffic_filter *f,
                      struct lamp_traffic_view *out)
{
    sqlite3_stmt *st = query(q, "SELECT" TRAFFIC_SUMS TRAFFIC_FROM, f, true);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    struct lamp_traffic_view v = { .site = "", .application = "", .remote_name = "" };
    read_sums(st, 0, &v);
    sqlite3_reset(st);
    *out = v;
    return LAMP_OK;
}

int lamp_sqlite_op_traffic_total(lamp_store *s, const struct lamp_traffic_filter *f,
                                 struct lamp_traffic_view *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    bool own;
    int err = begin_reading(q, &own);
    if (!err)
        err = read_total(q, f, out);
    return end_reading(q, own, err);
}
