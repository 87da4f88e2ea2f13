/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of coins from the minutes of connections, and the gaps that sensors declared. */
#include "aggregator/store/sqlite.h"

enum { ROWS_DEFAULT = 1000 };

#define MINUTE_US UINT64_C(60000000)

/* The minutes are added up connection by connection first: that needs no text, and leaves few rows
 * for the join. ?4: enum lamp_coin_by; ?5: minutes that make one step. */
#define COINS                                                                                      \
    "WITH part AS (SELECT conn, minute / ?5 AS step, sum(bytes_up + bytes_down) AS bytes,"         \
    " max(minute) AS last FROM conn_minutes WHERE minute BETWEEN ?1 AND ?2 AND (?3 = '' OR"        \
    " site = (SELECT no FROM site WHERE name = ?3)) GROUP BY 1, 2)"                                \
    " SELECT c.coin, CASE WHEN ?4 <= 1 THEN t.name ELSE '' END AS at, CASE ?4"                     \
    " WHEN 1 THEN c.client WHEN 2 THEN c.server WHEN 3 THEN c.platform WHEN 4 THEN c.wallet"       \
    " WHEN 5 THEN p.step END AS key, CASE ?4 WHEN 2 THEN c.server_port ELSE 0 END AS port,"        \
    " total(CASE WHEN c.verdict >= 2 THEN p.bytes END),"                                           \
    " total(CASE WHEN c.verdict = 1 THEN p.bytes END), count(DISTINCT c.id),"                      \
    " count(DISTINCT c.site || hex(c.client)), max(p.last)"                                        \
    " FROM part p JOIN conn c ON c.id = p.conn JOIN site t ON t.no = c.site"                       \
    " GROUP BY 1, 2, 3, 4 ORDER BY CASE ?4 WHEN 5 THEN key END, sum(p.bytes) DESC, 1, 2, 3, 4"     \
    " LIMIT ?6"

static uint64_t col_total(sqlite3_stmt *st, int i)
{
    const double v = sqlite3_column_double(st, i);
    return v > 0 ? v < 9e18 ? (uint64_t)v : UINT64_C(9000000000000000000) : 0;
}

int lamp_sqlite_op_coins(lamp_store *s, const struct lamp_coin_filter *f, lamp_coin_view_fn *fn,
                         void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const bool over_time = f->by == LAMP_COINS_BY_TIME;
    const uint32_t step = over_time && f->step_minutes ? f->step_minutes : INT32_MAX;
    sqlite3_stmt *st =
        LAMP_QUERY(q, COINS, lamp_uint(f->from_us / MINUTE_US), lamp_uint(f->to_us / MINUTE_US),
                   lamp_str(f->site ? f->site : ""), lamp_int(f->by), lamp_int(step),
                   lamp_int(f->limit ? f->limit : ROWS_DEFAULT));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_coin_view v = {
            .coin = lamp_col_str(st, 0),
            .site = lamp_col_str(st, 1),
            .text = "",
            .port = (uint16_t)sqlite3_column_int(st, 3),
            .mining_bytes = col_total(st, 4),
            .wallet_bytes = col_total(st, 5),
            .connections = lamp_col_uint(st, 6),
            .hosts = lamp_col_uint(st, 7),
            .last_us = lamp_col_uint(st, 8) * MINUTE_US,
        };
        if (over_time)
            v.start_us = lamp_col_uint(st, 2) * step * MINUTE_US;
        else if (f->by == LAMP_COINS_BY_HOST || f->by == LAMP_COINS_BY_POOL)
            v.addr = lamp_col_addr(st, 2);
        else if (f->by != LAMP_COINS_BY_SITE)
            v.text = lamp_col_str(st, 2);
        if (!fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

int lamp_sqlite_op_gaps(lamp_store *s, const char *sensor, uint32_t limit, lamp_gap_view_fn *fn,
                        void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT n.id, t.name, g.from_us, g.to_us, g.to_seq - g.from_seq + 1, g.flows,"
                   " g.bytes, g.reason, g.at_us FROM gap g JOIN sensor n ON n.no = g.sensor"
                   " JOIN site t ON t.no = n.site WHERE ?1 = '' OR n.id = ?1"
                   " ORDER BY g.no DESC LIMIT ?2",
                   lamp_str(sensor ? sensor : ""), lamp_int(limit ? limit : ROWS_DEFAULT));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_gap_view v = {
            .sensor = lamp_col_str(st, 0),
            .site = lamp_col_str(st, 1),
            .from_us = lamp_col_uint(st, 2),
            .to_us = lamp_col_uint(st, 3),
            .records = lamp_col_uint(st, 4),
            .flows = lamp_col_uint(st, 5),
            .bytes = lamp_col_uint(st, 6),
            .reason = lamp_col_str(st, 7),
            .at_us = lamp_col_uint(st, 8),
        };
        if (!fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}
