/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from rollup_minute: traffic that is not mining, added up. */
#include "aggregator/store/sqlite.h"

enum { ROWS_DEFAULT = 100 };

#define MINUTE_US UINT64_C(60000000)

/* The "other" row of a minute has no addresses; it is kept apart from rows that have. */
#define TRAFFIC_FROM                                                                               \
    " FROM rollup_minute r JOIN site t ON t.no = r.site WHERE r.minute BETWEEN ?1 AND ?2"          \
    " AND (?3 = '' OR t.name = ?3) AND (length(?4) = 0 OR r.inside = ?4)"                          \
    " AND (length(?5) = 0 OR r.remote = ?5) AND (?6 = '' OR r.application = ?6)"
#define TRAFFIC_SUMS                                                                               \
    " sum(r.bytes_out), sum(r.bytes_in), sum(r.packets_out), sum(r.packets_in), sum(r.flows),"     \
    " min(r.minute), max(r.minute)"
#define TRAFFIC_VALUES(f)                                                                          \
    lamp_uint((f)->from_us / MINUTE_US), lamp_uint((f)->to_us / MINUTE_US),                        \
        lamp_str((f)->site ? (f)->site : ""),                                                      \
        lamp_blob((f)->host ? (const void *)(f)->host : "", (f)->host ? 16 : 0),                   \
        lamp_blob((f)->remote ? (const void *)(f)->remote : "", (f)->remote ? 16 : 0),             \
        lamp_str((f)->application ? (f)->application : "")

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

int lamp_sqlite_op_traffic(lamp_store *s, const struct lamp_traffic_filter *f,
                           lamp_traffic_view_fn *fn, void *arg)
{
    static const struct lamp_addr zero;
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT t.name, r.inside, r.remote, r.ip_proto, r.service_port, r.application,"
                   " max(r.remote_name)," TRAFFIC_SUMS TRAFFIC_FROM " GROUP BY 1, 2, 3, 4, 5, 6"
                   " ORDER BY sum(r.bytes_out) + sum(r.bytes_in) DESC, 1, 2, 3, 4, 5, 6 LIMIT ?7",
                   TRAFFIC_VALUES(f), lamp_int(f->limit ? f->limit : ROWS_DEFAULT));
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

int lamp_sqlite_op_traffic_total(lamp_store *s, const struct lamp_traffic_filter *f,
                                 struct lamp_traffic_view *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q, "SELECT" TRAFFIC_SUMS TRAFFIC_FROM, TRAFFIC_VALUES(f));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    struct lamp_traffic_view v = { .site = "", .application = "", .remote_name = "" };
    read_sums(st, 0, &v);
    sqlite3_reset(st);
    *out = v;
    return LAMP_OK;
}
