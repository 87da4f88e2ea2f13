/* SPDX-License-Identifier: Apache-2.0 */
/* The readers' side of the SQLite store: sensors, miners, connections, minutes, status. */
#include "aggregator/store/sqlite.h"

#include <stdio.h>

#define MINUTE_US (60 * UINT64_C(1000000))

enum {
    QUIET_MINUTES = 15, /* silence after which a connection counts as over */
    SPANS_MAX = 256,    /* connections of a miner that its rate looks at */
    LIMIT_DEFAULT = 1000,
    SPANS_OF_TIME_MAX = 7 * 24 * 60,
    ONLINE_INTERVALS = 3,
};

static uint64_t before(uint64_t now_us, uint64_t span_us)
{
    return now_us > span_us ? now_us - span_us : 0;
}

static bool is_open(uint32_t flags, uint64_t last_us, uint64_t now_us)
{
    return !(flags & LAMP_CONN_ENDED) && last_us > before(now_us, QUIET_MINUTES * MINUTE_US);
}

/* ---- rates ---- */

/* What one connection says about a rate. */
struct span {
    uint64_t from_us, to_us; /* when shares could be seen */
    struct lamp_recent recent[LAMP_RECENT_MINUTES];
    double work, squares, self_rate; /* of all of it */
    uint32_t hash_values;            /* that the work was read from; 0: it was not */
    uint32_t devices;
    struct lamp_rate other; /* by nonces or timing */
    char unit[16];
    bool open;
};

#define SPAN_COLUMNS                                                                               \
    "c.first_us, c.last_us, s.data_us, c.flags, c.recent, c.work, c.squares, c.self_rate,"         \
    " c.hash_unit, c.work_method, c.hash_values, c.devices, c.other_method, c.other_rate,"         \
    " c.other_low, c.other_high"

/* Reads SPAN_COLUMNS, of which the first is column `at`. */
static struct span span_of(sqlite3_stmt *st, int at, uint64_t now_us)
{
    const uint64_t last_us = lamp_col_uint(st, at + 1), data_us = lamp_col_uint(st, at + 2);
    struct span s = { .from_us = lamp_col_uint(st, at), .to_us = last_us };
    s.open = is_open((uint32_t)sqlite3_column_int64(st, at + 3), last_us, now_us);
    if (s.open && data_us > last_us) /* silence counts as well: the sensor was watching */
        s.to_us = data_us < now_us ? data_us : now_us;
    lamp_col_blob(st, at + 4, s.recent, sizeof(s.recent));
    s.work = sqlite3_column_double(st, at + 5);
    s.squares = sqlite3_column_double(st, at + 6);
    s.self_rate = sqlite3_column_double(st, at + 7);
    lamp_col_copy(st, at + 8, s.unit, sizeof(s.unit));
    if (sqlite3_column_int(st, at + 9) == LAMP_RATE_HASH_VALUE)
        s.hash_values = (uint32_t)sqlite3_column_int64(st, at + 10);
    s.devices = (uint32_t)sqlite3_column_int64(st, at + 11);
    s.other = (struct lamp_rate){ .method = (enum lamp_rate_method)sqlite3_column_int(st, at + 12),
                                  .value = sqlite3_column_double(st, at + 13),
                                  .low = sqlite3_column_double(st, at + 14),
                                  .high = sqlite3_column_double(st, at + 15) };
    return s;
}

/* The start of the oldest whole minute of the window that ends at to_us. */
static uint64_t window_start(uint64_t to_us)
{
    return before(to_us / MINUTE_US, LAMP_RECENT_MINUTES - 1) * MINUTE_US;
}

static double seconds(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

/* How long at least one of the spans lasted since start_us; they are in order of from_us. */
static double union_seconds(const struct span *s, size_t n, uint64_t start_us)
{
    double sum = 0;
    uint64_t covered_us = start_us;
    for (size_t i = 0; i < n; i++) {
        const uint64_t from = s[i].from_us > covered_us ? s[i].from_us : covered_us;
        if (s[i].to_us <= from)
            continue;
        sum += seconds(from, s[i].to_us);
        covered_us = s[i].to_us;
    }
    return sum;
}

/* hash_values: where the difficulty was read from so many hashes; 0: the pool said it. */
static struct lamp_rate rate_of(double work, double squares, double span_s, uint32_t hash_values)
{
    const double n = squares > 0 ? work * work / squares : 0;
    return hash_values ? lamp_rate_from_values(work, n, span_s, hash_values)
                       : lamp_rate_from_shares(work, n, span_s);
}

/* The sum of what nonces or timing tell of the spans that are open (of one alone: open or not);
 * method NONE unless each of them has such a rate. */
static struct lamp_rate other_rate(const struct span *s, size_t n)
{
    struct lamp_rate sum = { .method = LAMP_RATE_NONE };
    for (size_t i = 0; i < n; i++) {
        if (!s[i].open && n > 1)
            continue;
        if (s[i].other.method == LAMP_RATE_NONE)
            return (struct lamp_rate){ .method = LAMP_RATE_NONE };
        sum.value += s[i].other.value;
        sum.low += s[i].other.low;
        sum.high += s[i].other.high;
        sum.method = s[i].other.method;
    }
    return sum;
}

/* Shares of the last 15 minutes of the spans, else since they began; else, or where that is more
 * exact, what nonces or timing tell; else what the miner says of itself. The window is the same for
 * all spans: each counts with what it did within. */
static struct lamp_rate spans_rate(const struct span *s, size_t n)
{
    uint64_t newest_us = 0;
    for (size_t i = 0; i < n; i++)
        newest_us = s[i].to_us > newest_us ? s[i].to_us : newest_us;
    const uint64_t start_us = window_start(newest_us);
    struct lamp_recent in_window = { 0 }, all = { 0 };
    double self_rate = 0;
    uint32_t hash_values = 0; /* the fewest, which widen the interval the most */
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < LAMP_RECENT_MINUTES; k++) {
            if (s[i].recent[k].minute >= start_us / MINUTE_US) {
                in_window.work += s[i].recent[k].work;
                in_window.squares += s[i].recent[k].squares;
            }
        }
        all.work += s[i].work;
        all.squares += s[i].squares;
        self_rate += s[i].open || n == 1 ? s[i].self_rate : 0;
        if (s[i].hash_values && (hash_values == 0 || s[i].hash_values < hash_values))
            hash_values = s[i].hash_values;
    }
    struct lamp_rate r =
        rate_of(in_window.work, in_window.squares, union_seconds(s, n, start_us), hash_values);
    if (r.method == LAMP_RATE_NONE)
        r = rate_of(all.work, all.squares, union_seconds(s, n, 0), hash_values);
    return lamp_rate_best(r, other_rate(s, n), self_rate);
}

/* The devices behind the open spans; 0 unless each of them tells. */
static uint32_t devices_of(const struct span *s, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!s[i].open)
            continue;
        if (s[i].devices == 0)
            return 0;
        sum += s[i].devices;
    }
    return (uint32_t)lamp_min(sum, UINT32_MAX);
}

struct miner_activity {
    struct lamp_rate rate;
    char unit[16]; /* of the newest connection that has one */
    uint32_t open, devices;
};

/* Leaves out the spans that count in another unit; returns how many are left. */
static size_t keep_unit(struct span *s, size_t n, const char *unit)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!*s[i].unit || streq(s[i].unit, unit))
            s[kept++] = s[i];
    return kept;
}

/* Adds up the newest connections of a miner that count in the same unit: a miner that comes
 * back does not count as idle in between, and several connections at a time add up. */
static int miner_activity(struct lamp_sqlite *q, int64_t miner, uint64_t now_us,
                          struct miner_activity *out)
{
    struct span *s = calloc(SPANS_MAX, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT * FROM (SELECT " SPAN_COLUMNS ", c.id FROM conn c JOIN sensor s"
        " ON s.no = c.sensor WHERE c.miner = ?1 ORDER BY c.id DESC LIMIT ?2) ORDER BY first_us, id",
        lamp_int(miner), lamp_int(SPANS_MAX));
    int got;
    size_t n = 0;
    *out = (struct miner_activity){ 0 };
    while ((got = lamp_sqlite_step(q, st)) > 0 && n < SPANS_MAX) {
        s[n] = span_of(st, 0, now_us);
        out->open += s[n].open;
        if (*s[n].unit)
            memcpy(out->unit, s[n].unit, sizeof(out->unit));
        n++;
    }
    if (st)
        sqlite3_reset(st);
    n = keep_unit(s, n, out->unit);
    out->rate = spans_rate(s, n);
    out->devices = devices_of(s, n);
    free(s);
    return got < 0 ? got : LAMP_OK;
}

/* ---- sensors ---- */

static int online_since(struct lamp_sqlite *q, uint64_t now_us, uint64_t *out)
{
    sqlite3_stmt *st =
        lamp_sqlite_bind(q, "SELECT value FROM meta WHERE key = 'interval_us'", NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = before(now_us, ONLINE_INTERVALS * lamp_col_uint(st, 0));
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_sensors(lamp_store *s, uint64_t now_us, lamp_sensor_view_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    uint64_t since_us = 0;
    const int err = online_since(q, now_us, &since_us);
    if (err != LAMP_OK)
        return err;
    sqlite3_stmt *st = lamp_sqlite_bind(
        q,
        "SELECT s.id, t.name, s.version, s.enrolled_us, s.last_seen_us, s.clock_offset_us,"
        " s.batches, s.rows, s.duplicates, s.lost_records, s.uplink_bytes, s.flows_live,"
        " s.memory_bytes, s.list_mode, s.list_state, s.list_epoch, s.list_serial, s.list_at_us,"
        " s.list_error, s.list_elements, s.list_repairs, s.list_flows_cut, s.list_about_epoch,"
        " s.list_about_serial, total(r.packets), total(r.bytes), total(r.kernel_drops),"
        " total(r.interface_drops), total(r.flows_evicted), total(r.cpu_us), s.shared_key_us,"
        " s.server_key_serial"
        " FROM sensor s JOIN site t ON t.no = s.site LEFT JOIN capture_run r ON r.sensor = s.no"
        " WHERE s.enrolled = 1 GROUP BY s.no ORDER BY t.name, s.id",
        NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_sensor_view v = {
            .id = lamp_col_str(st, 0),
            .site = lamp_col_str(st, 1),
            .version = lamp_col_str(st, 2),
            .online = lamp_col_uint(st, 4) > since_us,
            .enrolled_us = lamp_col_uint(st, 3),
            .last_seen_us = lamp_col_uint(st, 4),
            .clock_offset_us = sqlite3_column_int64(st, 5),
            .batches = lamp_col_uint(st, 6),
            .rows = lamp_col_uint(st, 7),
            .duplicates = lamp_col_uint(st, 8),
            .lost_records = lamp_col_uint(st, 9),
            .uplink_bytes = lamp_col_uint(st, 10),
            .flows_live = lamp_col_uint(st, 11),
            .memory_bytes = lamp_col_uint(st, 12),
            .mode = (enum lamp_enforce_mode)sqlite3_column_int(st, 13),
            .list_state = (enum lamp_set_state)sqlite3_column_int(st, 14),
            .list_epoch = lamp_col_uint(st, 15),
            .list_serial = lamp_col_uint(st, 16),
            .list_at_us = lamp_col_uint(st, 17),
            .list_error = lamp_col_str(st, 18),
            .list_elements = lamp_col_uint(st, 19),
            .list_repairs = lamp_col_uint(st, 20),
            .list_flows_cut = lamp_col_uint(st, 21),
            .about_epoch = lamp_col_uint(st, 22),
            .about_serial = lamp_col_uint(st, 23),
            .packets = lamp_col_uint(st, 24),
            .bytes = lamp_col_uint(st, 25),
            .kernel_drops = lamp_col_uint(st, 26),
            .interface_drops = lamp_col_uint(st, 27),
            .flows_evicted = lamp_col_uint(st, 28),
            .cpu_us = lamp_col_uint(st, 29),
            .shared_key_us = lamp_col_uint(st, 30),
            .server_key_serial = lamp_col_uint(st, 31),
        };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

/* ---- miners ---- */

static enum lamp_miner_state miner_state(enum lamp_verdict verdict, bool blocked,
                                         enum lamp_mark mark, uint64_t last_us, uint64_t now_us)
{
    if (blocked)
        return LAMP_MINER_BLOCKED;
    if (last_us <= before(now_us, QUIET_MINUTES * MINUTE_US))
        return LAMP_MINER_ENDED;
    if (mark != LAMP_MARK_NONE)
        return mark == LAMP_MARK_SANCTIONED ? LAMP_MINER_SANCTIONED : LAMP_MINER_DISMISSED;
    return verdict == LAMP_VERDICT_CONFIRMED  ? LAMP_MINER_CONFIRMED
           : verdict == LAMP_VERDICT_PROBABLE ? LAMP_MINER_PROBABLE
                                              : LAMP_MINER_SUSPECTED;
}

int lamp_sqlite_op_miners(lamp_store *s, const struct lamp_miner_filter *f, uint64_t now_us,
                          lamp_miner_view_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct lamp_addr host = { { 0 } };
    if (f->host && lamp_addr_parse(f->host, &host) != LAMP_OK)
        return LAMP_OK; /* no host is called that */
#define MINERS(by, past, way)                                                                      \
    "SELECT m.id, t.name, m.host, m.vlan, m.verdict, m.confidence, m.blocked, m.coins,"            \
    " m.families, m.algorithms, m.wallets, m.workers, m.agents, m.pools, m.sensors,"               \
    " m.bytes_up, m.bytes_down, m.packets_up, m.packets_down, m.jobs, m.submitted,"                \
    " m.accepted, m.rejected, m.stale, m.connections, m.since_us, m.last_us, m.platforms"          \
    " FROM miner m JOIN site t ON t.no = m.site"                                                   \
    " WHERE (?1 = '' OR t.name = ?1) AND (?2 = 0 OR m.host = ?3) AND (?4 = 0 OR m.id = ?4)"        \
    " AND (?5 = 0 OR (" by ", m.id) " past " (SELECT " by ", m.id FROM miner m"                    \
    " JOIN site t ON t.no = m.site WHERE m.id = ?5))"                                              \
    " AND m.last_us >= ?7 ORDER BY " by " " way ", m.id " way " LIMIT ?6"
#define MINERS_BY(by)                                                                              \
    {                                                                                              \
        MINERS(by, "<", "DESC"), MINERS(by, ">", "ASC")                                            \
    }
    static const char *const sql[LAMP_MINER_SORTS][2] = {
        [LAMP_MINERS_BY_LAST] = MINERS_BY("m.last_us"),
        [LAMP_MINERS_BY_SINCE] = MINERS_BY("m.since_us"),
        [LAMP_MINERS_BY_SITE] = MINERS_BY("t.name"),
        [LAMP_MINERS_BY_HOST] = MINERS_BY("m.host"),
        [LAMP_MINERS_BY_CONFIDENCE] = MINERS_BY("m.confidence"),
        [LAMP_MINERS_BY_BYTES] = MINERS_BY("m.bytes_up + m.bytes_down"),
        [LAMP_MINERS_BY_SHARES] = MINERS_BY("m.submitted"),
        [LAMP_MINERS_BY_CONNECTIONS] = MINERS_BY("m.connections"),
    };
    sqlite3_stmt *st = LAMP_QUERY(
        q, sql[f->sort.by][f->sort.up], lamp_str(f->site ? f->site : ""), lamp_int(f->host != NULL),
        lamp_addr_blob(&host), lamp_int(f->id), lamp_int(f->after_id),
        lamp_int(f->limit ? f->limit : LIMIT_DEFAULT), lamp_uint(f->from_us));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct miner_activity act;
        struct lamp_sqlite_mark mark;
        struct lamp_miner_view v = {
            .id = sqlite3_column_int64(st, 0),
            .site = lamp_col_str(st, 1),
            .host = lamp_col_addr(st, 2),
            .vlan = (uint32_t)sqlite3_column_int64(st, 3),
            .verdict = (enum lamp_verdict)sqlite3_column_int(st, 4),
            .confidence = sqlite3_column_int(st, 5) / 10000.0,
            .coins = lamp_col_str(st, 7),
            .families = lamp_col_str(st, 8),
            .algorithms = lamp_col_str(st, 9),
            .wallets = lamp_col_str(st, 10),
            .workers = lamp_col_str(st, 11),
            .agents = lamp_col_str(st, 12),
            .pools = lamp_col_str(st, 13),
            .sensors = lamp_col_str(st, 14),
            .totals = { lamp_col_uint(st, 15), lamp_col_uint(st, 16), lamp_col_uint(st, 17),
                        lamp_col_uint(st, 18), lamp_col_uint(st, 19), lamp_col_uint(st, 20),
                        lamp_col_uint(st, 21), lamp_col_uint(st, 22), lamp_col_uint(st, 23) },
            .connections = (uint32_t)sqlite3_column_int64(st, 24),
            .since_us = lamp_col_uint(st, 25),
            .last_us = lamp_col_uint(st, 26),
            .platforms = lamp_col_str(st, 27),
        };
        got = miner_activity(q, v.id, now_us, &act);
        if (got == LAMP_OK)
            got = lamp_sqlite_mark(q, v.id, v.last_us, &mark);
        if (got < 0)
            break;
        v.state =
            miner_state(v.verdict, sqlite3_column_int(st, 6) != 0, mark.mark, v.last_us, now_us);
        v.mark = mark.mark;
        v.marked_by = mark.by;
        v.mark_reason = mark.reason;
        v.marked_us = mark.at_us;
        v.rate = act.rate;
        v.unit = act.unit;
        v.open_connections = act.open;
        v.devices = act.devices;
        if (!fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

/* ---- connections ---- */

static struct lamp_bytes col_bytes(sqlite3_stmt *st, int i)
{
    const unsigned char *p = sqlite3_column_text(st, i);
    return (struct lamp_bytes){ p, (size_t)sqlite3_column_bytes(st, i) };
}

/* Evidence of one connection: the texts, and the views that lead into them. */
struct reasons {
    struct lamp_track_evidence text[LAMP_WIRE_EVIDENCE_MAX];
    struct lamp_evidence view[LAMP_WIRE_EVIDENCE_MAX];
};

static int read_evidence(struct lamp_sqlite *q, struct lamp_conn_view *v, struct reasons *r)
{
    const int err = lamp_sqlite_evidence(q, v->id, r->text, &v->row.n_evidence);
    v->row.evidence = r->view;
    for (size_t i = 0; i < v->row.n_evidence; i++) {
        const struct lamp_track_evidence *e = &r->text[i];
        r->view[i] = (struct lamp_evidence){
            .kind = lamp_bytes_of(e->kind),
            .detail = lamp_bytes_of(e->detail),
            .field = lamp_bytes_of(e->field),
            .strength = lamp_bytes_of(e->strength),
            .refute = lamp_bytes_of(e->refute),
            .t_us = e->t_us,
            .side = e->side,
        };
    }
    return err;
}

static void read_conn(sqlite3_stmt *st, uint64_t now_us, struct lamp_conn_view *v)
{
    const struct span span = span_of(st, 4, now_us);
    *v = (struct lamp_conn_view){
        .id = sqlite3_column_int64(st, 0),
        .miner_id = sqlite3_column_int64(st, 1),
        .site = lamp_col_str(st, 2),
        .sensor = lamp_col_str(st, 3),
        .row = {
            .first_us = lamp_col_uint(st, 4),
            .last_us = lamp_col_uint(st, 5),
            .flags = (uint32_t)sqlite3_column_int64(st, 7),
            .work_hashes = span.work,
            .self_rate = span.self_rate,
            .hash_unit = col_bytes(st, 12),
            .devices = span.devices,
            .conn_id = lamp_col_uint(st, 20),
            .client_addr = lamp_col_addr(st, 21),
            .server_addr = lamp_col_addr(st, 22),
            .client_port = (uint16_t)sqlite3_column_int(st, 23),
            .server_port = (uint16_t)sqlite3_column_int(st, 24),
            .ip_proto = (uint8_t)sqlite3_column_int(st, 25),
            .vlan = (uint32_t)sqlite3_column_int64(st, 26),
            .bytes_up = lamp_col_uint(st, 27),
            .bytes_down = lamp_col_uint(st, 28),
            .packets_up = lamp_col_uint(st, 29),
            .packets_down = lamp_col_uint(st, 30),
            .jobs = (uint32_t)sqlite3_column_int64(st, 31),
            .submitted = (uint32_t)sqlite3_column_int64(st, 32),
            .accepted = (uint32_t)sqlite3_column_int64(st, 33),
            .rejected = (uint32_t)sqlite3_column_int64(st, 34),
            .stale = (uint32_t)sqlite3_column_int64(st, 35),
            .verdict = (enum lamp_verdict)sqlite3_column_int(st, 36),
            .confidence = (uint32_t)sqlite3_column_int(st, 37),
            .difficulty = sqlite3_column_double(st, 38),
            .family = col_bytes(st, 39),
            .coin = col_bytes(st, 40),
            .algorithm = col_bytes(st, 41),
            .wallet = col_bytes(st, 42),
            .worker = col_bytes(st, 43),
            .agent = col_bytes(st, 44),
            .pool = col_bytes(st, 45),
            .server_name = col_bytes(st, 46),
            .sni = col_bytes(st, 47),
            .ja4 = col_bytes(st, 48),
            .tunnel_kind = col_bytes(st, 49),
            .tunnel_host = col_bytes(st, 50),
            .tunnel_port = (uint16_t)sqlite3_column_int(st, 51),
            .platform = col_bytes(st, 52),
        },
        .rate = spans_rate(&span, 1),
        .open = span.open,
    };
}

int lamp_sqlite_op_conns(lamp_store *s, const struct lamp_conn_filter *f, uint64_t now_us,
                         lamp_conn_view_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
#define CONN_SELECT                                                                                \
    "SELECT c.id, c.miner, t.name, s.id, " SPAN_COLUMNS ", c.conn_id, c.client, c.server,"         \
    " c.client_port, c.server_port, c.ip_proto, c.vlan, c.bytes_up, c.bytes_down, c.packets_up,"   \
    " c.packets_down, c.jobs, c.submitted, c.accepted, c.rejected, c.stale, c.verdict,"            \
    " c.confidence, c.difficulty, c.family, c.coin, c.algorithm, c.wallet, c.worker, c.agent,"     \
    " c.pool, c.server_name, c.sni, c.ja4, c.tunnel_kind, c.tunnel_host, c.tunnel_port,"           \
    " c.platform FROM conn c JOIN sensor s ON s.no = c.sensor JOIN site t ON t.no = c.site"
#define CONN_WHERE " (?1 = 0 OR c.id = ?1) AND (?2 = '' OR t.name = ?2) AND (?3 = 0 OR "
    /* Two texts each, so that a miner's connections come from their index. */
#define CONNS(rest)                                                                                \
    {                                                                                              \
        CONN_SELECT " WHERE ?5 = 0 AND" CONN_WHERE rest,                                           \
            CONN_SELECT " WHERE c.miner = ?5 AND" CONN_WHERE rest                                  \
    }
#define CONNS_BY(by)                                                                               \
    {                                                                                              \
        CONNS("(" by ", c.id) < (SELECT " by ", c.id FROM conn c WHERE c.id = ?3))"                \
              " ORDER BY " by " DESC, c.id DESC LIMIT ?4"),                                        \
            CONNS("(" by ", c.id) > (SELECT " by ", c.id FROM conn c WHERE c.id = ?3))"            \
                  " ORDER BY " by ", c.id LIMIT ?4")                                               \
    }
    static const char *const sql[LAMP_CONN_SORTS][2][2] = {
        [LAMP_CONNS_BY_ID] = { CONNS("c.id < ?3) ORDER BY c.id DESC LIMIT ?4"),
                               CONNS("c.id > ?3) ORDER BY c.id LIMIT ?4") },
        [LAMP_CONNS_BY_LAST] = CONNS_BY("c.last_us"),
        [LAMP_CONNS_BY_FIRST] = CONNS_BY("c.first_us"),
        [LAMP_CONNS_BY_CLIENT] = CONNS_BY("c.client"),
        [LAMP_CONNS_BY_SERVER] = CONNS_BY("c.server"),
        [LAMP_CONNS_BY_CONFIDENCE] = CONNS_BY("c.confidence"),
        [LAMP_CONNS_BY_BYTES] = CONNS_BY("c.bytes_up + c.bytes_down"),
        [LAMP_CONNS_BY_SHARES] = CONNS_BY("c.submitted"),
    };
    sqlite3_stmt *st =
        LAMP_QUERY(q, sql[f->sort.by][f->sort.up][f->miner_id != 0], lamp_int(f->id),
                   lamp_str(f->site ? f->site : ""), lamp_int(f->after_id),
                   lamp_int(f->limit ? f->limit : LIMIT_DEFAULT), lamp_int(f->miner_id));
    struct reasons reasons;
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_conn_view v;
        read_conn(st, now_us, &v);
        got = read_evidence(q, &v, &reasons);
        if (got < 0 || !fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

/* ---- minutes ---- */

/* How much of a span the miner could be seen in: its first and the newest are not whole. */
static double watched_seconds(uint64_t start_us, uint64_t end_us, uint64_t since_us,
                              uint64_t data_us)
{
    const uint64_t from_us = since_us > start_us && since_us < end_us ? since_us : start_us;
    return seconds(from_us, data_us > from_us && data_us < end_us ? data_us : end_us);
}

/* One seek for each span, since the tables are clustered by time first, and what has not been added
 * up yet. ?1, ?2: first and last span; ?3: minutes of one; ?7: spans before are those of past_conn alone. */
#define SPANS(table, column)                                                                       \
    "WITH RECURSIVE b(x) AS (SELECT ?1 UNION ALL SELECT x + 1 FROM b WHERE x < ?2)"                \
    " SELECT x, total(bytes_up), total(bytes_down), total(packets_up), total(packets_down),"       \
    " total(jobs), total(submitted), total(accepted), total(rejected), total(stale),"              \
    " total(work), total(squares), max(self_rate) FROM (SELECT b.x, bytes_up, bytes_down,"         \
    " packets_up, packets_down, jobs, submitted, accepted, rejected, stale, work, squares,"        \
    " self_rate FROM b CROSS JOIN " table " h ON h." column " = b.x AND b.x >= ?7 AND h.site"      \
    " = ?4 AND h.host = ?5 AND h.vlan = ?6 UNION ALL SELECT minute / ?3, bytes_up, bytes_down,"    \
    " packets_up, packets_down, jobs, submitted, accepted, rejected, stale, work, squares,"        \
    " self_rate FROM conn_minute WHERE minute BETWEEN ?1 * ?3 AND ?2 * ?3 + ?3 - 1 AND site = ?4"  \
    " AND host = ?5 AND vlan = ?6 AND minute / ?3 >= ?7 UNION ALL SELECT * FROM past_conn WHERE "  \
    "time BETWEEN ?1 AND ?2)"                                                                      \
    " GROUP BY x ORDER BY x"

int lamp_sqlite_op_minutes(lamp_store *s, int64_t miner_id, enum lamp_step step, uint64_t from_us,
                           uint64_t to_us, lamp_minute_view_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT site, host, vlan, since_us,"
                                  " (SELECT max(data_us) FROM sensor n WHERE n.site = m.site),"
                                  " (SELECT ifnull(min(hash_values), 0) FROM conn c"
                                  " WHERE c.miner = m.id AND c.work_method = 3)"
                                  " FROM miner m WHERE id = ?",
                                  lamp_int(miner_id));
    int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got;
    const int64_t site = sqlite3_column_int64(st, 0), vlan = sqlite3_column_int64(st, 2);
    const struct lamp_addr host = lamp_col_addr(st, 1);
    const uint64_t since_us = lamp_col_uint(st, 3), data_us = lamp_col_uint(st, 4);
    const uint32_t hash_values = (uint32_t)sqlite3_column_int64(st, 5);
    sqlite3_reset(st);

    static const char *const sql[] = { SPANS("conn_by_minute", "minute"),
                                       SPANS("conn_by_hour", "hour"), SPANS("conn_by_day", "day") };
    const uint64_t span_us = lamp_step_minutes(step) * MINUTE_US;
    const uint64_t last = to_us / span_us;
    uint64_t first = from_us / span_us;
    if (last >= SPANS_OF_TIME_MAX && first < last - SPANS_OF_TIME_MAX)
        first = last - SPANS_OF_TIME_MAX;
    st = LAMP_QUERY(q, sql[step], lamp_uint(first), lamp_uint(last),
                    lamp_uint(lamp_step_minutes(step)), lamp_int(site), lamp_addr_blob(&host),
                    lamp_int(vlan), lamp_int(q->past_spans_until));
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const uint64_t start_us = lamp_col_uint(st, 0) * span_us;
        const struct lamp_minute_view v = {
            .minute = start_us / MINUTE_US,
            .totals = { lamp_col_uint(st, 1), lamp_col_uint(st, 2), lamp_col_uint(st, 3),
                        lamp_col_uint(st, 4), lamp_col_uint(st, 5), lamp_col_uint(st, 6),
                        lamp_col_uint(st, 7), lamp_col_uint(st, 8), lamp_col_uint(st, 9) },
            .work_hashes = sqlite3_column_double(st, 10),
            .self_rate = sqlite3_column_double(st, 12),
            .rate = rate_of(sqlite3_column_double(st, 10), sqlite3_column_double(st, 11),
                            watched_seconds(start_us, start_us + span_us, since_us, data_us),
                            hash_values),
        };
        if (!fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

/* ---- status ---- */

/* The newest serial of any block list. */
static int block_serial(struct lamp_sqlite *q, uint64_t *out)
{
    sqlite3_stmt *st =
        LAMP_QUERY(q, "SELECT coalesce(max(serial), 0) FROM set_history WHERE kind = ?",
                   lamp_int(LAMP_SET_BLOCK));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = lamp_col_uint(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_status(lamp_store *s, uint64_t now_us, struct lamp_status_view *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct lamp_status_view v = { 0 };
    uint64_t since_us = 0;
    int err = online_since(q, now_us, &since_us);
    if (err == LAMP_OK)
        err = lamp_sqlite_op_epoch(s, &v.list_epoch);
    if (err == LAMP_OK)
        err = block_serial(q, &v.list_serial);
    if (err != LAMP_OK)
        return err;

    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT (SELECT count(*) FROM sensor WHERE enrolled = 1),"
        " (SELECT count(*) FROM sensor WHERE enrolled = 1 AND last_seen_us > ?1),"
        " (SELECT count(DISTINCT site) FROM sensor WHERE enrolled = 1),"
        " total(batches), total(rows), total(duplicates), total(lost_records),"
        " (SELECT total(packets) FROM capture_run), (SELECT total(bytes) FROM capture_run),"
        " (SELECT count(*) FROM block WHERE removed_us = 0),"
        " (SELECT value FROM meta WHERE key = 'damaged_parts') FROM sensor",
        lamp_uint(since_us));
    int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    v.sensors = (uint32_t)sqlite3_column_int64(st, 0);
    v.sensors_online = (uint32_t)sqlite3_column_int64(st, 1);
    v.sites = (uint32_t)sqlite3_column_int64(st, 2);
    v.batches = lamp_col_uint(st, 3);
    v.rows = lamp_col_uint(st, 4);
    v.duplicates = lamp_col_uint(st, 5);
    v.lost_records = lamp_col_uint(st, 6);
    v.packets = lamp_col_uint(st, 7);
    v.bytes = lamp_col_uint(st, 8);
    v.blocks = (uint32_t)sqlite3_column_int64(st, 9);
    v.damaged_parts = lamp_col_uint(st, 10);
    sqlite3_reset(st);

    st = LAMP_QUERY(q,
                    "SELECT total(quiet = 0 AND verdict = 4), total(quiet = 0 AND verdict = 3),"
                    " total(quiet = 0 AND verdict = 2), total(blocked), total(bytes) FROM"
                    " (SELECT verdict, blocked, bytes_up + bytes_down AS bytes, blocked OR"
                    " last_us <= ?1 OR ifnull((SELECT min(p.mark) FROM pair p WHERE p.site = m.site"
                    " AND p.client = m.host AND p.vlan = m.vlan AND p.last_us >= m.last_us - ?2),"
                    " 0) AS quiet FROM miner m)",
                    lamp_uint(before(now_us, QUIET_MINUTES * MINUTE_US)), lamp_uint(LAMP_PAIR_US));
    got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    v.miners_confirmed = (uint32_t)sqlite3_column_int64(st, 0);
    v.miners_probable = (uint32_t)sqlite3_column_int64(st, 1);
    v.miners_suspected = (uint32_t)sqlite3_column_int64(st, 2);
    v.miners_blocked = (uint32_t)sqlite3_column_int64(st, 3);
    v.mining_bytes = lamp_col_uint(st, 4);
    sqlite3_reset(st);

    st = lamp_sqlite_bind(q,
                          "SELECT page_count * page_size FROM pragma_page_count,"
                          " pragma_page_size",
                          NULL, 0);
    got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    v.database_bytes = lamp_col_uint(st, 0);
    sqlite3_reset(st);
    *out = v;
    return LAMP_OK;
}
