/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/history/past.h"

#include "aggregator/history/rowbin.h"
#include "aggregator/store/history.h"

#include <inttypes.h>
#include <pthread.h>

enum {
    AT_ONCE = 2,
    LIMIT_S = 10,
    TURN_S = 5, /* that a question waits for its turn */
    ROWS_MAX = 50000,
    ANSWER_MAX = 32 * 1024 * 1024,
};

struct lamp_past {
    const struct lamp_clickhouse_cfg *cfg;
    pthread_mutex_t lock;
    pthread_cond_t free; /* some are idle; of the monotonic clock */
    lamp_clickhouse *idle[AT_ONCE];
    size_t n_idle;
};

int lamp_past_new(const struct lamp_clickhouse_cfg *cfg, lamp_past **out)
{
    lamp_past *p = calloc(1, sizeof(*p));
    if (!p)
        return LAMP_ENOMEM;
    p->cfg = cfg;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->free, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (; p->n_idle < AT_ONCE; p->n_idle++) {
        if (lamp_clickhouse_new(cfg, NULL, &p->idle[p->n_idle]) != LAMP_OK) {
            lamp_past_free(p);
            return LAMP_ENOMEM;
        }
    }
    *out = p;
    return LAMP_OK;
}

lamp_past *lamp_past_free(lamp_past *p)
{
    if (p) {
        for (size_t i = 0; i < p->n_idle; i++)
            lamp_clickhouse_free(p->idle[i]);
        pthread_cond_destroy(&p->free);
        pthread_mutex_destroy(&p->lock);
        free(p);
    }
    return NULL;
}

static lamp_clickhouse *take(lamp_past *p)
{
    struct timespec until;
    int err = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TURN_S;
    pthread_mutex_lock(&p->lock);
    while (!p->n_idle && !err)
        err = pthread_cond_timedwait(&p->free, &p->lock, &until);
    lamp_clickhouse *c = p->n_idle ? p->idle[--p->n_idle] : NULL;
    pthread_mutex_unlock(&p->lock);
    return c;
}

static void put_back(lamp_past *p, lamp_clickhouse *c)
{
    pthread_mutex_lock(&p->lock);
    p->idle[p->n_idle++] = c;
    pthread_cond_signal(&p->free);
    pthread_mutex_unlock(&p->lock);
}

/* ---- questions ---- */

struct sites {
    FILE *sql;
    const char *only; /* NULL: all */
    bool any;
};

static void add_site_name(struct sites *q, const char *name)
{
    fputs(q->any ? ", " : "", q->sql);
    lamp_clickhouse_quote(q->sql, (struct lamp_bytes){ (const uint8_t *)name, strlen(name) });
    q->any = true;
}

static bool add_site(const struct lamp_site_view *v, void *arg)
{
    struct sites *q = arg;
    if (!q->only || streq(q->only, v->name))
        add_site_name(q, v->name);
    return true;
}

static void write_addr(FILE *sql, const char *column, const struct lamp_addr *a)
{
    if (!a)
        return;
    fprintf(sql, " AND %s = toFixedString(unhex('", column);
    for (size_t i = 0; i < sizeof(a->b); i++)
        fprintf(sql, "%02x", a->b[i]);
    fputs("'), 16)", sql);
}

/* The rows of a span of minutes, hours or days; as_names: for the names in them alone. A constant that is not the same in
 * all parts of a UNION is an error of Distributed tables (18.16), so none is constant. */
static void write_piece(const struct lamp_past *p, FILE *sql, const char *table,
                        enum lamp_step step, struct lamp_piece piece, const char *where,
                        bool as_names, bool *io_any)
{
    const int64_t seconds = 60 * (int64_t)lamp_step_minutes(step);
    if (piece.from > piece.to)
        return;
    fprintf(
        sql,
        "%s SELECT site, inside, remote, ip_proto, service_port, application, remote_name,"
        " %s FROM %s.%s%s FINAL WHERE time >= toDateTime(%" PRId64
        ") AND time <= toDateTime(%" PRId64 ") %s",
        *io_any ? " UNION ALL" : "",
        as_names
            ? "materialize(toUInt64(0)) AS bytes_out, materialize(toUInt64(0)) AS bytes_in,"
              " materialize(toUInt64(0)) AS packets_out, materialize(toUInt64(0)) AS packets_in,"
              " materialize(toUInt64(0)) AS flows, first, last, materialize(toUInt8(0)) AS counted"
            : "bytes_out, bytes_in, packets_out, packets_in, flows, first, last,"
              " materialize(toUInt8(1)) AS counted",
        p->cfg->database, table, *p->cfg->cluster ? "" : "_local", piece.from * seconds,
        piece.to * seconds, where);
    *io_any = true;
}

/* Sums stop short of what a 64-bit number holds, as the store's do; below 2^53 they are exact. */
#define SUM(column) "toUInt64(least(sum(toFloat64(" column ") * counted), 4e18))"
#define SUMS                                                                                       \
    SUM("bytes_out")                                                                               \
    ", " SUM("bytes_in") ", " SUM("packets_out") ", " SUM("packets_in") ", " SUM(                  \
        "flows") ", "                                                                              \
                 "toDateTime(min(if(counted = 1, toUInt32(first), 4294967295))),"                  \
                 " toDateTime(max(if(counted = 1, toUInt32(last), 0)))"

static void write_question(const struct lamp_past *p, FILE *sql, const struct lamp_pieces *t,
                           const char *where, bool total)
{
    bool any = false;
    const struct lamp_piece named = { t->all.from / 1440, t->all.to / 1440 };
    if (total)
        fputs("SELECT any(site), toFixedString(unhex(''), 16), toFixedString(unhex(''), 16),"
              " toUInt8(0), toUInt16(0), '', '', " SUMS " FROM (",
              sql);
    else
        fputs("SELECT site, inside, remote, ip_proto, service_port, application,"
              " max(remote_name), " SUMS " FROM (",
              sql);
    for (size_t i = 0; i < 2; i++) {
        write_piece(p, sql, "traffic_minute", LAMP_STEP_MINUTE, t->minutes[i], where, false, &any);
        write_piece(p, sql, "traffic_hour", LAMP_STEP_HOUR, t->hours[i], where, false, &any);
    }
    write_piece(p, sql, "traffic_day", LAMP_STEP_DAY, t->days, where, false, &any);
    if (!total)
        write_piece(p, sql, "traffic_day", LAMP_STEP_DAY, named, where, true, &any);
    if (total)
        fputs(") HAVING max(counted) = 1 FORMAT RowBinary", sql);
    else
        fprintf(sql,
                ") GROUP BY site, inside, remote, ip_proto, service_port, application HAVING"
                " max(counted) = 1 ORDER BY sum((toFloat64(bytes_out) + bytes_in) * counted) DESC"
                " LIMIT %d FORMAT RowBinary",
                ROWS_MAX);
}

/* ---- answers ---- */

static int lend(lamp_store *s, enum lamp_history_kind kind, struct lamp_bytes answer,
                uint64_t span_minutes, char why[LAMP_CLICKHOUSE_WHY])
{
    struct lamp_cursor c = lamp_cursor_of(answer.data, answer.len);
    struct lamp_history_row r;
    int err = LAMP_OK;
    while (!err && lamp_rowbin_get(&c, kind, &r)) {
        r.at.time /= (int64_t)span_minutes;
        err = lamp_store_past_add(s, kind, &r);
    }
    if (!err && c.bad) {
        snprintf(why, LAMP_CLICKHOUSE_WHY, "its rows cannot be read");
        err = LAMP_EIO;
    }
    return err;
}

static int ask(lamp_past *p, lamp_store *s, enum lamp_history_kind kind, const char *sql,
               uint64_t span_minutes, char why[LAMP_CLICKHOUSE_WHY])
{
    struct lamp_bytes answer;
    lamp_clickhouse *c = take(p);
    if (!c) {
        snprintf(why, LAMP_CLICKHOUSE_WHY, "others are waiting for it");
        return LAMP_EAGAIN;
    }
    int err =
        lamp_clickhouse_run(c, sql, (struct lamp_bytes){ NULL, 0 }, LIMIT_S, ANSWER_MAX, &answer);
    if (err == LAMP_EIO)
        snprintf(why, LAMP_CLICKHOUSE_WHY, "%s", lamp_clickhouse_why(c));
    if (!err)
        err = lend(s, kind, answer, span_minutes, why);
    put_back(p, c);
    return err;
}

/* The conditions of a filter, of malloc(). *out NULL: it has no site. */
static int write_where(lamp_store *s, const struct lamp_traffic_filter *f, char **out)
{
    char *text = NULL;
    size_t len = 0;
    struct sites q = { .only = f->site, .sql = open_memstream(&text, &len) };
    if (!q.sql)
        return LAMP_ENOMEM;
    fputs("AND site IN (", q.sql);
    int err = lamp_store_sites(s, add_site, &q);
    putc(')', q.sql);
    write_addr(q.sql, "inside", f->host);
    write_addr(q.sql, "remote", f->remote);
    if (f->application) {
        fputs(" AND application = ", q.sql);
        lamp_clickhouse_quote(
            q.sql, (struct lamp_bytes){ (const uint8_t *)f->application, strlen(f->application) });
    }
    if (fclose(q.sql) != 0 && !err)
        err = LAMP_ENOMEM;
    if (err || !q.any) {
        free(text);
        text = NULL;
    }
    *out = text;
    return err;
}

int lamp_past_traffic(lamp_past *p, lamp_store *s, const struct lamp_traffic_filter *f, bool total,
                      char why[LAMP_CLICKHOUSE_WHY])
{
    struct lamp_past_traffic t;
    int err = lamp_store_past_clear(s);
    if (!err)
        err = lamp_store_past_traffic_span(s, f->from_us, f->to_us, &t);
    if (err || t.pieces.all.from > t.pieces.all.to)
        return err;
    char *where = NULL, *text = NULL;
    size_t len = 0;
    err = write_where(s, f, &where);
    FILE *sql = where ? open_memstream(&text, &len) : NULL;
    if (where && !sql)
        err = LAMP_ENOMEM;
    if (sql) {
        write_question(p, sql, &t.pieces, where, total);
        err = fclose(sql) != 0 ? LAMP_ENOMEM : ask(p, s, LAMP_HISTORY_TRAFFIC, text, 1, why);
    }
    free(text);
    free(where);
    return t.here && (err == LAMP_EIO || err == LAMP_EAGAIN) ? lamp_store_past_clear(s) : err;
}

int lamp_past_minutes(lamp_past *p, lamp_store *s, int64_t miner_id, enum lamp_step step,
                      uint64_t from_us, uint64_t to_us, char why[LAMP_CLICKHOUSE_WHY])
{
    static const char *const tables[] = { "conn_minute", "conn_hour", "conn_day" };
    struct lamp_past_miner m;
    char *text = NULL;
    size_t len = 0;
    int err = lamp_store_past_clear(s);
    if (!err)
        err = lamp_store_past_miner_span(s, miner_id, step, from_us, to_us, &m);
    if (err || m.spans.from > m.spans.to)
        return err;
    FILE *sql = open_memstream(&text, &len);
    if (!sql)
        return LAMP_ENOMEM;
    const int64_t seconds = 60 * (int64_t)lamp_step_minutes(step);
    fprintf(sql,
            "SELECT time, sum(bytes_up), sum(bytes_down), sum(packets_up), sum(packets_down),"
            " sum(jobs), sum(submitted), sum(accepted), sum(rejected), sum(stale), sum(work),"
            " sum(squares), max(self_rate) FROM %s.%s%s FINAL WHERE time >= toDateTime(%" PRId64
            ") AND time <= toDateTime(%" PRId64 ") AND vlan = %" PRIu32 " AND site = ",
            p->cfg->database, tables[step], *p->cfg->cluster ? "" : "_local",
            m.spans.from * seconds, m.spans.to * seconds, m.vlan);
    lamp_clickhouse_quote(sql, (struct lamp_bytes){ (const uint8_t *)m.site, strlen(m.site) });
    write_addr(sql, "host", &m.host);
    fprintf(sql, " GROUP BY time ORDER BY time DESC LIMIT %d FORMAT RowBinary", ROWS_MAX);
    err = fclose(sql) != 0 ? LAMP_ENOMEM
                           : ask(p, s, LAMP_HISTORY_CONNS, text, lamp_step_minutes(step), why);
    free(text);
    return err;
}
