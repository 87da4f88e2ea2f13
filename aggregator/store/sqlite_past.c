/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the past that are lent to a handle of the SQLite store (history.h): temporary tables beside its own. */
#include "aggregator/store/sqlite.h"

#include "aggregator/store/sqlite_history.h"

#define MINUTE_US UINT64_C(60000000)

static int exec(struct lamp_sqlite *q, const char *sql)
{
    return sqlite3_exec(q->db, sql, NULL, NULL, NULL) == SQLITE_OK ? LAMP_OK
                                                                   : lamp_sqlite_refuse(q);
}

int lamp_sqlite_past_open(struct lamp_sqlite *q)
{
    return exec(q, "CREATE TEMP TABLE past_traffic (site INTEGER, inside BLOB, remote BLOB,"
                   " ip_proto INTEGER, service_port INTEGER, application TEXT, bytes_out INTEGER,"
                   " bytes_in INTEGER, packets_out INTEGER, packets_in INTEGER, flows INTEGER,"
                   " first INTEGER, last INTEGER, name TEXT);"
                   "CREATE TEMP TABLE past_conn (time INTEGER, bytes_up INTEGER,"
                   " bytes_down INTEGER, packets_up INTEGER, packets_down INTEGER, jobs INTEGER,"
                   " submitted INTEGER, accepted INTEGER, rejected INTEGER, stale INTEGER,"
                   " work REAL, squares REAL, self_rate REAL)");
}

/* query_only holds for temporary tables too; the file itself is open for reading alone. */
static int writable(struct lamp_sqlite *q, bool yes)
{
    if (!q->read_only || q->past_writable == yes)
        return LAMP_OK;
    const int err = exec(q, yes ? "PRAGMA query_only = OFF" : "PRAGMA query_only = ON");
    q->past_writable = yes && !err;
    return err;
}

/* What of minutes, hours and days is where. */
struct reach {
    bool on;            /* history leaves this store */
    uint64_t floors[3]; /* the first that is kept here */
    uint64_t begins[3]; /* the first that went to the other place */
    uint64_t sent[3];   /* of traffic: the first that may not be there yet */
};

#define BEGIN(step) "min(CASE tbl % 3 WHEN " step " THEN begin END)"
#define SENT(tbl)                                                                                  \
    "max(CASE tbl WHEN " tbl " THEN sent_time + (sent_site = 9223372036854775807) END)"

static int read_reach(struct lamp_sqlite *q, struct reach *out)
{
    const int err = lamp_sqlite_floors(q, out->floors);
    if (err)
        return err;
    sqlite3_stmt *st =
        lamp_sqlite_bind(q,
                         "SELECT count(*), " BEGIN("0") ", " BEGIN("1") ", " BEGIN("2") ", " SENT(
                             "0") ", " SENT("1") ", " SENT("2") " FROM history_cursor",
                         NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    out->on = sqlite3_column_int(st, 0) == LAMP_HISTORY_TABLES;
    for (int i = 0; i < 3; i++) {
        const int64_t sent = sqlite3_column_int64(st, i + 4);
        out->begins[i] = lamp_col_uint(st, i + 1);
        out->sent[i] = sent > 0 ? (uint64_t)sent : 0;
    }
    sqlite3_reset(st);
    return LAMP_OK;
}

/* Whether all before a minute is there: whole days, the hours behind these, the minutes behind those. */
static bool is_there(const struct reach *r, uint64_t minute)
{
    for (size_t i = 0; i < 3; i++)
        if (r->sent[i] < minute / lamp_step_minutes((enum lamp_step)i))
            return false;
    return true;
}

/* Before the first day that is kept here only the other place can know. From there on to where minutes begin
 * it knows more closely, but only once all of it went there: until then hours and days are answered from here. */
int lamp_sqlite_op_past_traffic_span(lamp_store *s, uint64_t from_us, uint64_t to_us,
                                     struct lamp_past_traffic *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct reach r;
    const int err = read_reach(q, &r);
    if (err)
        return err;
    const uint64_t days_us = r.floors[LAMP_STEP_DAY] * 1440 * MINUTE_US;
    uint64_t split_us = 0;
    for (size_t i = 0; i < 3; i++) {
        const uint64_t first_us = r.floors[i] * lamp_step_minutes((enum lamp_step)i) * MINUTE_US;
        split_us = first_us > split_us ? first_us : split_us;
    }
    struct lamp_piece all = { 1, 0 };
    if (r.on && from_us < split_us && from_us <= to_us) {
        all = lamp_span_widened(from_us, lamp_min(to_us, split_us - 1), r.begins);
        if (!is_there(&r, (uint64_t)all.to + 1))
            all = from_us >= days_us
                      ? (struct lamp_piece){ 1, 0 }
                      : lamp_span_widened(from_us, lamp_min(to_us, days_us - 1), r.begins);
    }
    q->past_until = all.from <= all.to ? all.to + 1 : 0;
    *out = (struct lamp_past_traffic){ lamp_span_pieces(all), from_us >= days_us };
    return LAMP_OK;
}

int lamp_sqlite_op_past_miner_span(lamp_store *s, int64_t miner_id, enum lamp_step step,
                                   uint64_t from_us, uint64_t to_us, struct lamp_past_miner *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct reach r;
    const int err = read_reach(q, &r);
    if (err)
        return err;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT t.name, m.host, m.vlan FROM miner m"
                                  " JOIN site t ON t.no = m.site WHERE m.id = ?",
                                  lamp_int(miner_id));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    struct lamp_past_miner m = { .host = lamp_col_addr(st, 1),
                                 .vlan = (uint32_t)sqlite3_column_int64(st, 2) };
    lamp_col_copy(st, 0, m.site, sizeof(m.site));
    sqlite3_reset(st);
    const uint64_t span_us = lamp_step_minutes(step) * MINUTE_US;
    m.spans = (struct lamp_piece){ 1, 0 };
    if (r.on && from_us / span_us < r.floors[step])
        m.spans = (struct lamp_piece){ (int64_t)(from_us / span_us),
                                       (int64_t)lamp_min(to_us / span_us, r.floors[step] - 1) };
    q->past_spans_until = m.spans.from <= m.spans.to ? m.spans.to + 1 : 0;
    *out = m;
    return LAMP_OK;
}

int lamp_sqlite_op_past_kept_us(lamp_store *s, uint64_t out[3])
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct reach r;
    const int err = read_reach(q, &r);
    for (size_t i = 0; i < 3 && !err; i++)
        out[i] = (r.on ? lamp_min(r.begins[i], r.floors[i]) : r.floors[i]) *
                 lamp_step_minutes((enum lamp_step)i) * MINUTE_US;
    return err;
}

static struct lamp_sqlv short_addr(const struct lamp_addr *a)
{
    return lamp_addr_is_v4(a) ? lamp_blob(a->b + 12, 4) : lamp_addr_blob(a);
}

static int add_traffic(struct lamp_sqlite *q, const struct lamp_history_row *r)
{
    return LAMP_EXEC(q,
                     "INSERT INTO past_traffic SELECT no, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
                     " ?12, ?13, ?14 FROM site WHERE name = ?1",
                     lamp_text(r->site), short_addr(&r->host), short_addr(&r->remote),
                     lamp_int(r->ip_proto), lamp_int(r->service_port), lamp_text(r->application),
                     lamp_uint(r->counts[0]), lamp_uint(r->counts[1]), lamp_uint(r->counts[2]),
                     lamp_uint(r->counts[3]), lamp_uint(r->counts[4]), lamp_uint(r->first_minute),
                     lamp_uint(r->last_minute), lamp_text(r->remote_name));
}

static int add_conn(struct lamp_sqlite *q, const struct lamp_history_row *r)
{
    const uint64_t *c = r->counts;
    return LAMP_EXEC(q,
                     "INSERT INTO past_conn VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
                     " ?12, ?13)",
                     lamp_int(r->at.time), lamp_uint(c[0]), lamp_uint(c[1]), lamp_uint(c[2]),
                     lamp_uint(c[3]), lamp_uint(c[4]), lamp_uint(c[5]), lamp_uint(c[6]),
                     lamp_uint(c[7]), lamp_uint(c[8]), lamp_real(r->work), lamp_real(r->squares),
                     lamp_real(r->self_rate));
}

int lamp_sqlite_op_past_add(lamp_store *s, enum lamp_history_kind kind,
                            const struct lamp_history_row *r)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = writable(q, true);
    if (!err)
        err = kind == LAMP_HISTORY_TRAFFIC ? add_traffic(q, r) : add_conn(q, r);
    q->past_any |= !err;
    return err;
}

int lamp_sqlite_op_past_clear(lamp_store *s)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_OK;
    q->past_until = q->past_spans_until = 0;
    if (q->past_any)
        err = writable(q, true);
    if (!err && q->past_any)
        err = exec(q, "DELETE FROM past_traffic; DELETE FROM past_conn");
    q->past_any &= err != LAMP_OK;
    const int shut = writable(q, false);
    return err ? err : shut;
}
