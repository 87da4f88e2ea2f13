/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/history/exporter.h"

#include "aggregator/history/rowbin.h"
#include "aggregator/store/history.h"
#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

enum {
    BLOCK_ROWS = 50000,
    BLOCK_BYTES = 8 * 1024 * 1024,
    INSERT_S = 60,
    ANSWER_MAX = 64 * 1024,
    COMMAND_MS = 60000,
    LATES = 64, /* groups at once */
    COUNT_MAX = 1000000,
    IDLE_MS = 1000,
    RETRY_MS = 1000, /* doubles up to */
    RETRY_MAX_MS = 30000,
    LATE_S = 60,
    LATE_LONG_S = 900,
};

#define MINUTE_US UINT64_C(60000000)
#define COUNT_EVERY_US (UINT64_C(15) * 1000000)

/* When something that failed is tried again. */
struct retry {
    uint64_t at_us; /* monotonic; 0: it did not fail */
    int wait_ms;
};

struct lamp_exporter {
    struct lamp_exporter_cfg cfg;
    lamp_store *store;
    lamp_clickhouse *server;
    uint64_t id; /* of this store */
    bool ready;  /* its tables are there */
    struct retry in_order[LAMP_HISTORY_TABLES], late[LAMP_HISTORY_TABLES];
    struct lamp_rowbin block;
    uint64_t counted_us; /* monotonic */

    pthread_t thread;
    atomic_bool stop;
    int stop_fd;

    pthread_mutex_t lock;
    struct lamp_exporter_state state;
};

/* ---- trying again ---- */

static int longer(int wait_ms)
{
    return wait_ms ? (int)lamp_min((size_t)wait_ms * 2, RETRY_MAX_MS) : RETRY_MS;
}

/* Whether the server may take rows of another table all the same. */
static bool others_may_go(const lamp_exporter *e, int err)
{
    return err == LAMP_EIO && (lamp_clickhouse_fault_of(e->server) == LAMP_CLICKHOUSE_REFUSED ||
                               lamp_clickhouse_fault_of(e->server) == LAMP_CLICKHOUSE_FULL);
}

/* What holds for the whole server waits in run(). */
static void set_retry(const lamp_exporter *e, struct retry *r, int err)
{
    const bool failed = others_may_go(e, err);
    r->wait_ms = failed ? longer(r->wait_ms) : 0;
    r->at_us = failed ? lamp_clock_mono_us() + (uint64_t)r->wait_ms * 1000 : 0;
}

static bool is_due(const struct retry *r)
{
    return r->at_us <= lamp_clock_mono_us();
}

static bool any_failed(const lamp_exporter *e)
{
    for (unsigned i = 0; i < LAMP_HISTORY_TABLES; i++)
        if (e->in_order[i].at_us || e->late[i].at_us)
            return true;
    return false;
}

/* ---- sending ---- */

/* What a block has taken of a span. */
struct taking {
    lamp_exporter *e;
    unsigned table;
    uint32_t rows_max;
    struct lamp_history_at done, at; /* the last group that is whole; the one at hand */
    uint64_t of_at;                  /* rows of that one, with those before this block */
    bool full;
    int err;
};

static bool same(struct lamp_history_at a, struct lamp_history_at b)
{
    return a.time == b.time && a.site == b.site;
}

static bool take_row(const struct lamp_history_row *r, void *arg)
{
    struct taking *t = arg;
    if (t->e->block.rows >= t->rows_max || t->e->block.len >= BLOCK_BYTES) {
        t->full = true;
        return false;
    }
    if (!same(t->at, r->at)) {
        t->done = t->of_at ? t->at : t->done;
        t->at = r->at;
        t->of_at = 0;
    }
    t->err = lamp_rowbin_add(&t->e->block, t->table, t->e->id, r);
    t->of_at++;
    return t->err == LAMP_OK;
}

static int insert(lamp_exporter *e, unsigned table)
{
    static const char *const names[LAMP_HISTORY_TABLES] = { "traffic_minute", "traffic_hour",
                                                            "traffic_day",    "conn_minute",
                                                            "conn_hour",      "conn_day" };
    const struct lamp_clickhouse_cfg *c = e->cfg.clickhouse;
    struct lamp_bytes answer;
    char sql[768];
    snprintf(sql, sizeof(sql), "INSERT INTO %.100s.%s%s (%s) FORMAT RowBinary", c->database,
             names[table], *c->cluster ? "" : "_local",
             lamp_rowbin_columns(lamp_history_kind_of(table)));
    const int err =
        lamp_clickhouse_run(e->server, sql, (struct lamp_bytes){ e->block.data, e->block.len },
                            INSERT_S, ANSWER_MAX, &answer);
    if (err)
        return err;
    pthread_mutex_lock(&e->lock);
    e->state.rows += e->block.rows;
    e->state.blocks++;
    pthread_mutex_unlock(&e->lock);
    return LAMP_OK;
}

static int send_block(lamp_exporter *e, unsigned table)
{
    const int err = e->block.rows > 0 ? insert(e, table) : LAMP_OK;
    e->block.len = e->block.rows = 0;
    return err;
}

/* Puts all rows behind one group up to another into the block, and sends it where it is full. Nothing is read
 * while something is sent, so that the store's log does not grow for a slow server. */
static int gather(lamp_exporter *e, unsigned table, struct lamp_history_at from,
                  struct lamp_history_at to)
{
    struct lamp_history_span span = { from, to, 0 };
    for (;;) {
        struct taking t = { .e = e,
                            .table = table,
                            .rows_max = e->cfg.block_rows,
                            .done = span.from,
                            .at = span.from,
                            .of_at = 0 };
        const uint64_t skipped = span.skip;
        int err = lamp_store_history_rows(e->store, table, &span, take_row, &t);
        if (!err)
            err = t.err;
        if (err || !t.full)
            return err;
        err = send_block(e, table);
        if (err)
            return err;
        if (atomic_load(&e->stop))
            return LAMP_EAGAIN;
        /* The group at hand is the one that was skipped into, where none before it was met. */
        span.skip = t.of_at + (same(t.done, span.from) ? skipped : 0);
        span.from = t.done;
    }
}

static int send_span(lamp_exporter *e, unsigned table, struct lamp_history_at from,
                     struct lamp_history_at to)
{
    e->block.len = e->block.rows = 0;
    const int err = gather(e, table, from, to);
    return err ? err : send_block(e, table);
}

static int note(lamp_exporter *e, const struct lamp_history_note *n)
{
    const struct lamp_command c = { .kind = LAMP_CMD_HISTORY,
                                    .actor = "aggregator",
                                    .history = *n };
    struct lamp_command_result r = { 0 };
    const int err = lamp_commands_run(e->cfg.commands, &c, COMMAND_MS, &r);
    return err ? err : r.err;
}

/* ---- which ---- */

static int claim_next(lamp_exporter *e, unsigned table, const struct lamp_history_cursor *c,
                      uint64_t now_us, bool *io_worked)
{
    const uint64_t settled = now_us / MINUTE_US - e->cfg.settle_minutes - 1;
    const int64_t end = (int64_t)(settled / lamp_step_minutes(lamp_history_step_of(table)));
    struct lamp_history_at next;
    int err = lamp_store_history_next(e->store, table, c->claimed, end, e->cfg.block_rows, &next);
    const bool behind = next.time > c->claimed.time ||
                        (next.time == c->claimed.time && next.site > c->claimed.site);
    if (err || (same(c->sent, c->claimed) && !behind))
        return err;
    const struct lamp_history_note n = { .table = table,
                                         .expected = c->claimed,
                                         .sent = c->claimed,
                                         .claimed = behind ? next : c->claimed };
    err = note(e, &n);
    *io_worked |= !err;
    return err;
}

struct lates {
    struct lamp_history_late v[LATES];
    size_t n;
    int64_t no; /* the largest */
};

static bool take_late(const struct lamp_history_late *l, void *arg)
{
    struct lates *t = arg;
    t->v[t->n++] = *l;
    t->no = l->no > t->no ? l->no : t->no;
    return t->n < LATES;
}

/* The groups that came late go together: a block of its own for each would be a part of a table for each. */
static int send_late(lamp_exporter *e, unsigned table, uint64_t now_us, bool *io_worked)
{
    struct lates t = { .n = 0 };
    const uint32_t rest_s = e->cfg.late_s                                     ? e->cfg.late_s
                            : lamp_history_step_of(table) == LAMP_STEP_MINUTE ? LATE_S
                                                                              : LATE_LONG_S;
    const uint64_t before_us = now_us - rest_s * UINT64_C(1000000);
    int err = lamp_store_history_lates(e->store, table, before_us, LATES, take_late, &t);
    if (err || t.n == 0)
        return err;
    e->block.len = e->block.rows = 0;
    for (size_t i = 0; i < t.n && !err; i++) {
        const struct lamp_history_at at = t.v[i].at;
        err = gather(e, table, (struct lamp_history_at){ at.time, at.site - 1 }, at);
    }
    if (!err)
        err = send_block(e, table);
    const struct lamp_history_note n = {
        .table = table,
        .has_late = true,
        .late = { t.v[t.n - 1].at, t.no },
        .late_before_us = before_us,
    };
    if (!err)
        err = note(e, &n);
    *io_worked |= !err;
    return err;
}

/* One block of a table. What came late does not hold up the rest. */
static int work_table(lamp_exporter *e, unsigned table, const struct lamp_history_cursor *c,
                      uint64_t now_us, bool *io_worked)
{
    if (!is_due(&e->in_order[table]))
        return LAMP_OK;
    int err = same(c->sent, c->claimed) ? LAMP_OK : send_span(e, table, c->sent, c->claimed);
    if (!err)
        err = claim_next(e, table, c, now_us, io_worked);
    set_retry(e, &e->in_order[table], err);
    if (err || atomic_load(&e->stop) || !is_due(&e->late[table]))
        return err;
    err = send_late(e, table, now_us, io_worked);
    set_retry(e, &e->late[table], err);
    return err;
}

/* Gives the first fault of all tables; what `why` says is of the last. *out_on: nothing befell the server as a
 * whole. */
static int work(lamp_exporter *e, bool *out_worked, bool *out_on)
{
    struct lamp_history_cursor cursors[LAMP_HISTORY_TABLES];
    const uint64_t now_us = lamp_clock_real_us();
    bool worked = false, on = true;
    int err = e->ready ? LAMP_OK : lamp_clickhouse_make_schema(e->server);
    e->ready = !err;
    if (!err)
        err = lamp_store_history_cursors(e->store, cursors);
    on = !err;
    for (unsigned i = 0; i < LAMP_HISTORY_TABLES && on && !atomic_load(&e->stop); i++) {
        const int fault = cursors[i].on ? work_table(e, i, &cursors[i], now_us, &worked) : LAMP_OK;
        on = !fault || others_may_go(e, fault);
        err = err ? err : fault;
    }
    *out_worked = worked;
    *out_on = on;
    return err;
}

/* ---- how it is ---- */

static void count_waiting(lamp_exporter *e)
{
    struct lamp_history_cursor cursors[LAMP_HISTORY_TABLES];
    const uint64_t mono_us = lamp_clock_mono_us(), now = lamp_clock_real_us() / MINUTE_US;
    uint64_t id, lost = 0, rows[2] = { 0 }, lag = 0;
    if (e->counted_us && mono_us - e->counted_us < COUNT_EVERY_US)
        return;
    e->counted_us = mono_us;
    int err = lamp_store_history_id(e->store, &id, &lost);
    if (!err)
        err = lamp_store_history_cursors(e->store, cursors);
    for (unsigned k = 0; k < LAMP_HISTORY_KINDS && !err; k++) {
        const unsigned table = k * LAMP_HISTORY_STEPS + LAMP_STEP_MINUTE;
        struct lamp_history_at first;
        err = lamp_store_history_count(e->store, table, cursors[table].sent, COUNT_MAX, &rows[k]);
        if (!err && rows[k] > 0)
            err =
                lamp_store_history_next(e->store, table, cursors[table].sent, INT64_MAX, 1, &first);
        const uint64_t usual = e->cfg.settle_minutes + 2;
        if (!err && rows[k] > 0 && (uint64_t)first.time + usual < now)
            lag =
                now - usual - (uint64_t)first.time > lag ? now - usual - (uint64_t)first.time : lag;
    }
    if (err)
        return;
    pthread_mutex_lock(&e->lock);
    e->state.lost_rows = lost;
    e->state.waiting_rows = lamp_min(rows[0] + rows[1], COUNT_MAX);
    e->state.lag_us = lag * MINUTE_US;
    pthread_mutex_unlock(&e->lock);
}

/* Told once when it changes, not at each try. */
static void tell(lamp_exporter *e, int err)
{
    const bool remote = err == LAMP_EIO;
    const char *why = remote               ? lamp_clickhouse_why(e->server)
                      : err == LAMP_ESTORE ? lamp_store_why(e->store)
                                           : lamp_strerror(err);
    pthread_mutex_lock(&e->lock);
    struct lamp_exporter_state *s = &e->state;
    const bool changed = !s->since_us || s->connected != !err ||
                         (remote && s->fault != lamp_clickhouse_fault_of(e->server));
    if (changed)
        s->since_us = lamp_clock_real_us();
    s->connected = !err;
    if (remote) {
        s->fault = lamp_clickhouse_fault_of(e->server);
        s->faults[s->fault]++;
    }
    snprintf(s->why, sizeof(s->why), "%s", err ? why : "");
    pthread_mutex_unlock(&e->lock);
    if (changed && err)
        lamp_log(LAMP_LOG_WARN, "history", "ClickHouse: history waits in the database error=\"%s\"",
                 why);
    else if (changed)
        lamp_log(LAMP_LOG_INFO, "history", "ClickHouse takes history");
}

static void *run(void *arg)
{
    lamp_exporter *e = arg;
    int wait_ms = 0;
    while (!atomic_load(&e->stop)) {
        bool worked = false, on = true;
        const int err = work(e, &worked, &on);
        if (atomic_load(&e->stop))
            break;
        if (err || !any_failed(e)) /* one that waits for its turn is no better yet */
            tell(e, err);
        count_waiting(e);
        e->ready &= !err || (on && worked);
        wait_ms = on ? 0 : longer(worked ? 0 : wait_ms);
        const int pause_ms = !on ? wait_ms : worked ? 0 : IDLE_MS;
        struct pollfd p = { .fd = e->stop_fd, .events = POLLIN };
        if (pause_ms)
            (void)poll(&p, 1, pause_ms);
    }
    return NULL;
}

/* ---- life ---- */

static lamp_exporter *release(lamp_exporter *e)
{
    if (e->stop_fd >= 0)
        close(e->stop_fd);
    lamp_store_close(e->store);
    lamp_clickhouse_free(e->server);
    lamp_rowbin_done(&e->block);
    pthread_mutex_destroy(&e->lock);
    free(e);
    return NULL;
}

int lamp_exporter_start(const struct lamp_exporter_cfg *cfg, lamp_exporter **out)
{
    char why[LAMP_STORE_WHY];
    uint64_t lost;
    lamp_exporter *e = calloc(1, sizeof(*e));
    if (!e)
        return LAMP_ENOMEM;
    e->cfg = *cfg;
    e->cfg.block_rows = cfg->block_rows ? cfg->block_rows : BLOCK_ROWS;
    pthread_mutex_init(&e->lock, NULL);
    e->stop_fd = eventfd(0, EFD_CLOEXEC);
    int err = e->stop_fd < 0 ? LAMP_ENOMEM : LAMP_OK;
    if (!err)
        err = lamp_clickhouse_new(cfg->clickhouse, &e->stop, &e->server);
    if (!err)
        err = lamp_store_open(cfg->backend, cfg->database, true, &e->store, why);
    if (!err)
        err = lamp_store_history_id(e->store, &e->id, &lost);
    if (!err && pthread_create(&e->thread, NULL, run, e) != 0)
        err = LAMP_ENOMEM;
    if (err) {
        release(e);
        return err;
    }
    *out = e;
    return LAMP_OK;
}

lamp_exporter *lamp_exporter_stop(lamp_exporter *e)
{
    if (!e)
        return NULL;
    const uint64_t one = 1;
    atomic_store(&e->stop, true);
    (void)!write(e->stop_fd, &one, sizeof(one));
    pthread_join(e->thread, NULL);
    return release(e);
}

void lamp_exporter_state(lamp_exporter *e, struct lamp_exporter_state *out)
{
    pthread_mutex_lock(&e->lock);
    *out = e->state;
    pthread_mutex_unlock(&e->lock);
}
