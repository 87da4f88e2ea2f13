/* SPDX-License-Identifier: Apache-2.0 */
/* What a store makes of minutes that are over: every question has the same answer before, between and after
 * the slices of maintenance, whatever came late; what is too old goes, and so does its room on the
 * disk. Over every backend of store.def. */
#include "tests/support/aggregator.h"
#include "tests/support/rng.h"

#include "aggregator/history/past.h"
#include "aggregator/store/backend.h"
#include "aggregator/store/history.h"
#include "aggregator/writer/tracker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#define MINUTE_US UINT64_C(60000000)
#define DAY_US (1440 * MINUTE_US)

static const char *backend;

struct fixture {
    char *folder;
    lamp_store *s;
    struct lamp_store_sensor sensor[2];
    uint64_t seq;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store(backend, f->folder, false);
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_enroll(f->s, "s2", "south", TEST_NOW_US));
    ok(f->s, lamp_store_sensor(f->s, "s1", &f->sensor[0]));
    ok(f->s, lamp_store_sensor(f->s, "s2", &f->sensor[1]));
    ok(f->s, lamp_store_commit(f->s));
    return f;
}

static void fixture_free(struct fixture *f)
{
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
}

/* ---- the model: every row that was given, added up by hand ---- */

enum { ROWS = 600, HOSTS = 3, REMOTES = 3, PAIRS = HOSTS * REMOTES };

struct given {
    int site;
    struct lamp_rollup_row row;
};

static struct given rows[ROWS];
static size_t n_rows;

static struct lamp_addr host_of(uint64_t i)
{
    static const char *const names[] = { "10.0.0.1", "10.0.0.2", "fd00::1" };
    return test_addr(names[i]);
}

static struct lamp_addr remote_of(uint64_t i)
{
    static const char *const names[] = { "198.51.100.7", "2001:db8::7", "203.0.113.9" };
    return test_addr(names[i]);
}

static void give(struct fixture *f, struct lamp_rng *rng, uint64_t minute)
{
    static const char *const applications[] = { "tls", "dns" };
    struct given *g = &rows[n_rows++];
    const uint64_t r = lamp_rng_u64(rng);
    *g = (struct given){ .site = (int)(r & 1) };
    g->row = (struct lamp_rollup_row){ .minute = minute,
                                       .inside_addr = host_of((r >> 1) % HOSTS),
                                       .remote_addr = remote_of((r >> 8) % REMOTES),
                                       .ip_proto = 6,
                                       .service_port = 443,
                                       .application = lamp_bytes_of(applications[r >> 16 & 1]),
                                       .remote_name = lamp_bytes_of("a.example"),
                                       .bytes_out = (r >> 20) % 5000,
                                       .bytes_in = (r >> 33) % 5000,
                                       .packets_out = (r >> 40) % 50,
                                       .packets_in = (r >> 46) % 50,
                                       .flows = (uint32_t)(r >> 60) };
    if ((r >> 52) % 16 == 0) /* what the sensor kept no row for */
        g->row = (struct lamp_rollup_row){ .minute = minute, .bytes_in = 1 + (r >> 20) % 5000 };
    ok(f->s, lamp_store_rollup(f->s, f->sensor[g->site].site_ref, 1, ++f->seq, 0, &g->row));
}

static bool fits(const struct given *g, const struct lamp_traffic_filter *q)
{
    const uint64_t m = g->row.minute;
    return m >= q->from_us / MINUTE_US && m <= q->to_us / MINUTE_US &&
           (!q->site || streq(q->site, g->site ? "south" : "north")) &&
           (!q->host || lamp_addr_eq(q->host, &g->row.inside_addr)) &&
           (!q->remote || lamp_addr_eq(q->remote, &g->row.remote_addr));
}

struct sums {
    uint64_t out, in, packets, flows, first_us, last_us;
};

static struct sums add_up(const struct lamp_traffic_filter *q)
{
    struct sums s = { .first_us = UINT64_MAX };
    for (size_t i = 0; i < n_rows; i++) {
        const struct lamp_rollup_row *r = &rows[i].row;
        if (!fits(&rows[i], q))
            continue;
        s.out += r->bytes_out, s.in += r->bytes_in, s.flows += r->flows;
        s.packets += r->packets_out + r->packets_in;
        s.first_us = lamp_min(s.first_us, r->minute * MINUTE_US);
        s.last_us = r->minute * MINUTE_US > s.last_us ? r->minute * MINUTE_US : s.last_us;
    }
    return s;
}

static bool add_view(const struct lamp_traffic_view *v, void *arg)
{
    struct sums *s = arg;
    s->out += v->bytes_out, s->in += v->bytes_in, s->flows += v->flows;
    s->packets += v->packets_out + v->packets_in;
    s->first_us = lamp_min(s->first_us, v->first_us);
    s->last_us = v->last_us > s->last_us ? v->last_us : s->last_us;
    if (!v->is_other)
        assert_string_equal(v->remote_name, "a.example");
    return true;
}

static void same(const char *what, const struct sums *want, const struct sums *got)
{
    if (want->out != got->out || want->in != got->in || want->packets != got->packets ||
        want->flows != got->flows || want->first_us != got->first_us ||
        want->last_us != got->last_us)
        fail_msg(
            "%s: %llu out %llu in %llu flows from %llu to %llu, should be %llu %llu %llu %llu %llu",
            what, (unsigned long long)got->out, (unsigned long long)got->in,
            (unsigned long long)got->flows, (unsigned long long)got->first_us,
            (unsigned long long)got->last_us, (unsigned long long)want->out,
            (unsigned long long)want->in, (unsigned long long)want->flows,
            (unsigned long long)want->first_us, (unsigned long long)want->last_us);
}

/* Any span, any filter. */
static void ask(struct fixture *f, struct lamp_rng *rng, uint64_t start_us, uint64_t span_us)
{
    const uint64_t r = lamp_rng_u64(rng);
    const struct lamp_addr host = host_of(r % HOSTS), remote = remote_of((r >> 8) % REMOTES);
    struct lamp_traffic_filter q = { .site = (r >> 16) % 3 == 0 ? "south" : NULL,
                                     .host = (r >> 20) % 4 == 0 ? &host : NULL,
                                     .remote = (r >> 24) % 4 == 0 ? &remote : NULL,
                                     .limit = 1000 };
    q.from_us = start_us + (uint64_t)(lamp_rng_unit(rng) * (double)span_us);
    q.to_us = q.from_us + (uint64_t)(lamp_rng_unit(rng) * (double)span_us);
    const struct sums want = add_up(&q);
    struct sums got = { .first_us = UINT64_MAX };
    ok(f->s, lamp_store_traffic(f->s, &q, add_view, &got));
    same("rows", &want, &got);
    struct lamp_traffic_view total;
    ok(f->s, lamp_store_traffic_total(f->s, &q, &total));
    assert_int_equal(total.bytes_out, want.out);
    assert_int_equal(total.bytes_in, want.in);
    assert_int_equal(total.flows, want.flows);
}

static bool slice(struct fixture *f, const struct lamp_store_policy *p, uint64_t now_us)
{
    struct lamp_maintained done = { .more = false };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_maintain(f->s, p, now_us, &done));
    ok(f->s, lamp_store_commit(f->s));
    return done.more;
}

/* Three days of rows, a third of them late, with maintenance in small slices in between. */
static void test_traffic_is_exact(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_rng rng = { 11 };
    const struct lamp_store_policy p = { .settle_minutes = 5, .slice_rows = 20 };
    const uint64_t start = TEST_NOW_US / DAY_US * 1440, span = 3 * 1440;
    n_rows = 0;
    for (unsigned turn = 0; turn < 30; turn++) {
        const uint64_t now = start + span * (turn + 1) / 30;
        ok(f->s, lamp_store_begin(f->s));
        for (unsigned i = 0; i < ROWS / 30; i++) {
            const bool late = lamp_rng_unit(&rng) < 0.3;
            const uint64_t back = late ? now - start : span / 30;
            give(f, &rng, now - 1 - (uint64_t)(lamp_rng_unit(&rng) * (double)back));
        }
        ok(f->s, lamp_store_commit(f->s));
        for (unsigned i = turn % 4; i > 0; i--) {
            ask(f, &rng, start * MINUTE_US, span * MINUTE_US);
            (void)slice(f, &p, now * MINUTE_US);
        }
        ask(f, &rng, start * MINUTE_US, span * MINUTE_US);
    }
    while (slice(f, &p, (start + span + 10) * MINUTE_US))
        ask(f, &rng, start * MINUTE_US, span * MINUTE_US);
    for (unsigned i = 0; i < 60; i++)
        ask(f, &rng, (start - 60) * MINUTE_US, (span + 120) * MINUTE_US);
    for (unsigned i = 0; i < 30; i++) /* short ones, around hours */
        ask(f, &rng, (start + 1420) * MINUTE_US, 40 * MINUTE_US);
    fixture_free(f);
}

/* ---- connections ---- */

static bool never_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

struct spans {
    size_t n;
    uint64_t bytes[200], start[200];
    double rate[200];
};

static bool take_span(const struct lamp_minute_view *v, void *arg)
{
    struct spans *s = arg;
    if (s->n < ARRAY_LEN(s->bytes)) {
        s->bytes[s->n] = v->totals.bytes_up;
        s->rate[s->n] = v->rate.value;
        s->start[s->n++] = v->minute;
    }
    return true;
}

static struct spans history(struct fixture *f, enum lamp_step step, uint64_t from_us,
                            uint64_t to_us)
{
    struct spans s = { 0 };
    ok(f->s, lamp_store_minutes(f->s, 1, step, from_us, to_us, take_span, &s));
    return s;
}

/* A miner's hours and days are the sums of its minutes, whatever has been added up. */
static void test_miner_history(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const struct lamp_tracker t = {
        .store = f->s, .covered = never_covered, .touched = ignore_id, .mined = NULL
    };
    const struct lamp_store_policy p = { .settle_minutes = 5, .slice_rows = 30 };
    const uint64_t day = TEST_NOW_US / DAY_US * DAY_US, start_us = day + 1350 * MINUTE_US;
    enum { INTERVALS = 180 }; /* of a minute: 90 on each day, two connections */
    uint64_t stream = 1;
    for (unsigned pass = 0; pass < 2; pass++) { /* the second connection's rows all come late */
        for (unsigned i = 0; i < INTERVALS; i++) {
            const uint64_t at = start_us + i * MINUTE_US;
            struct lamp_conn_row row = test_row(pass + 1, start_us, at + 1000000);
            row.bytes_up = i + 1;
            const struct lamp_batch b = test_batch(&row, 1, at, at + 2000000);
            const struct lamp_record rec = { &f->sensor[0], (int64_t)stream, ++f->seq,
                                             at + 2000000 };
            if (i % 40 == 0)
                ok(f->s, lamp_store_begin(f->s));
            ok(f->s, lamp_tracker_merge(&t, &rec, &b));
            if (i % 40 == 39 || i == INTERVALS - 1)
                ok(f->s, lamp_store_commit(f->s));
            if (i % 40 == 39)
                (void)slice(f, &p, at);
        }
        for (unsigned turn = 0; turn < 3; turn++) {
            const uint64_t times = pass + 1, end_us = start_us + INTERVALS * MINUTE_US;
            struct spans s = history(f, LAMP_STEP_DAY, day, end_us);
            assert_int_equal(s.n, 2);
            assert_int_equal(s.bytes[0], times * 90 * 91 / 2);
            assert_int_equal(s.bytes[1], times * (INTERVALS * (INTERVALS + 1) / 2 - 90 * 91 / 2));
            s = history(f, LAMP_STEP_HOUR, day, end_us);
            assert_int_equal(s.n, 4); /* 22:30 to 01:30 */
            assert_int_equal(s.bytes[0], times * 30 * 31 / 2);
            assert_int_equal(s.start[1], day / MINUTE_US + 23 * 60);
            assert_true(s.rate[1] > 0.99 * 1000.0 * (double)times / 60 &&
                        s.rate[1] < 1.01 * 1000.0 * (double)times / 60);
            s = history(f, LAMP_STEP_MINUTE, day, end_us);
            assert_int_equal(s.n, INTERVALS);
            assert_int_equal(s.bytes[100], times * 101);
            if (turn == 1)
                while (slice(f, &p, end_us + 10 * MINUTE_US))
                    ;
            else
                (void)slice(f, &p, end_us + 10 * MINUTE_US);
        }
    }
    fixture_free(f);
}

/* ---- forgetting ---- */

static uint64_t file_bytes(const struct fixture *f)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof(path), "%s/db", f->folder);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void fill(struct fixture *f, uint64_t from, uint64_t minutes, unsigned per_minute)
{
    char name[32];
    ok(f->s, lamp_store_begin(f->s));
    for (uint64_t m = from; m < from + minutes; m++) {
        for (unsigned i = 0; i < per_minute; i++) {
            struct lamp_rollup_row r = { .minute = m,
                                         .inside_addr = host_of(0),
                                         .remote_addr = remote_of(0),
                                         .service_port = (uint16_t)i,
                                         .ip_proto = 6,
                                         .bytes_in = 1000000,
                                         .flows = 1 };
            snprintf(name, sizeof(name), "host-%u.example", i);
            r.remote_name = lamp_bytes_of(name);
            r.remote_addr.b[14] = (uint8_t)m;
            ok(f->s, lamp_store_rollup(f->s, f->sensor[0].site_ref, 1, ++f->seq, 0, &r));
        }
    }
    ok(f->s, lamp_store_commit(f->s));
}

static uint64_t flows(struct fixture *f, uint64_t from_us, uint64_t to_us)
{
    const struct lamp_traffic_filter q = { .from_us = from_us, .to_us = to_us };
    struct lamp_traffic_view v;
    ok(f->s, lamp_store_traffic_total(f->s, &q, &v));
    return v.flows;
}

/* Minutes go first, the hours and days that they are in stay exact; a span that ends within an hour
 * whose minutes are gone is widened to that hour; a row that comes too late for its minute is in its
 * hour; and the file gets smaller. */
static void test_forgets_by_age(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_store_policy p = { .settle_minutes = 5, .days = { 1, 2, 0 } };
    const uint64_t day = TEST_NOW_US / DAY_US - 3, start = day * 1440; /* three days before */
    fill(f, start, 4 * 60, 60);                                        /* the first four hours */
    fill(f, start + 3 * 1440, 10, 60);
    while (slice(f, &(struct lamp_store_policy){ .settle_minutes = 5 },
                 (start + 3 * 1440 + 60) * MINUTE_US))
        ;
    lamp_store_close(f->s);
    const uint64_t before = file_bytes(f);
    f->s = open_store(backend, f->folder, false);
    assert_int_equal(flows(f, start * MINUTE_US, (start + 30) * MINUTE_US), 31 * 60);

    const uint64_t now_us = (start + 3 * 1440 + 60) * MINUTE_US;
    p.days[1] = 0;
    while (slice(f, &p, now_us))
        ;
    uint64_t kept[3];
    ok(f->s, lamp_store_kept_us(f->s, kept));
    assert_int_equal(kept[0], now_us - DAY_US);
    assert_int_equal(kept[1], 0);
    assert_int_equal(flows(f, start * MINUTE_US, (start + 30) * MINUTE_US), 3600);
    assert_int_equal(flows(f, start * MINUTE_US, (start + 70) * MINUTE_US), 7200);
    fill(f, start + 3, 1, 5); /* late */
    assert_int_equal(flows(f, start * MINUTE_US, (start + 30) * MINUTE_US), 3605);
    while (slice(f, &p, now_us))
        ;
    assert_int_equal(flows(f, start * MINUTE_US, (start + 30) * MINUTE_US), 3605);
    assert_int_equal(flows(f, (start + 3 * 1440) * MINUTE_US, (start + 3 * 1440 + 3) * MINUTE_US),
                     240); /* minutes that are kept */

    p.days[1] = 2; /* now hours too */
    while (slice(f, &p, now_us))
        ;
    assert_int_equal(flows(f, start * MINUTE_US, (start + 30) * MINUTE_US), 4 * 3600 + 5);
    assert_int_equal(flows(f, 0, now_us), 4 * 3600 + 5 + 600);
    lamp_store_close(f->s);
    const uint64_t after = file_bytes(f);
    if (before && after * 3 > before * 2)
        fail_msg("the file had %llu bytes and has %llu", (unsigned long long)before,
                 (unsigned long long)after);
    f->s = open_store(backend, f->folder, false);
    fixture_free(f);
}

/* A limit in bytes: what was read before is deleted oldest first until it holds, newest minutes stay. */
static void test_forgets_by_size(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const uint64_t now = TEST_NOW_US / MINUTE_US, start = now - 2 * 1440;
    fill(f, start, 300, 100);
    fill(f, now - 60, 50, 10);
    const struct lamp_store_policy all = { .settle_minutes = 5 };
    while (slice(f, &all, TEST_NOW_US))
        ;
    struct lamp_status_view st;
    ok(f->s, lamp_store_status(f->s, TEST_NOW_US, &st));
    const uint64_t full = st.database_bytes;
    const struct lamp_store_policy limited = { .settle_minutes = 5, .max_bytes = full * 3 / 4 };
    unsigned slices = 0;
    while (slice(f, &limited, TEST_NOW_US) && slices < 1000)
        slices++;
    assert_true(slices < 1000);
    ok(f->s, lamp_store_status(f->s, TEST_NOW_US, &st));
    assert_true(st.database_bytes < full);
    assert_int_equal(flows(f, (now - 60) * MINUTE_US, TEST_NOW_US), 500);
    assert_int_equal(flows(f, 0, TEST_NOW_US), 300 * 100 + 500); /* hours and days are there */
    fixture_free(f);
}

/* Connections that are over for long go with their evidence; miners stay. */
static void test_forgets_connections(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const struct lamp_tracker t = {
        .store = f->s, .covered = never_covered, .touched = ignore_id, .mined = NULL
    };
    ok(f->s, lamp_store_begin(f->s));
    for (uint64_t i = 0; i < 10; i++) {
        const uint64_t at = TEST_NOW_US + i * DAY_US;
        struct lamp_conn_row row = test_row(i + 1, at, at + 1);
        const struct lamp_batch b = test_batch(&row, 1, at, at + 1);
        const struct lamp_record rec = { &f->sensor[0], 1, i + 1, at + 1 };
        ok(f->s, lamp_tracker_merge(&t, &rec, &b));
    }
    ok(f->s, lamp_store_commit(f->s));
    const struct lamp_store_policy p = { .conn_days = 5, .slice_rows = 4 };
    for (int i = 0; i < 8; i++)
        (void)slice(f, &p, TEST_NOW_US + 10 * DAY_US);
    struct lamp_track_conn *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    static const uint8_t run[16] = { 1, 2, 3 };
    for (uint64_t i = 0; i < 10; i++) /* those of the days 5 to 9 are left */
        assert_int_equal(lamp_store_conn_find(f->s, f->sensor[0].ref, run, i + 1, c),
                         i < 5 ? LAMP_ENOENT : LAMP_OK);
    free(c);
    struct lamp_track_miner *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    const struct lamp_addr host = test_addr("10.0.0.7");
    ok(f->s, lamp_store_miner_find(f->s, f->sensor[0].site_ref, &host, 0, m));
    assert_int_equal(m->connections, 10);
    free(m);
    fixture_free(f);
}

/* Counts out of reason do not stop maintenance. */
static void test_absurd_counts(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const struct lamp_rollup_row r = { .minute = TEST_NOW_US / MINUTE_US,
                                       .inside_addr = host_of(0),
                                       .bytes_in = UINT64_MAX,
                                       .flows = 1 };
    ok(f->s, lamp_store_begin(f->s));
    for (uint64_t i = 0; i < 6; i++)
        ok(f->s, lamp_store_rollup(f->s, f->sensor[0].site_ref, 1, i, 0, &r));
    ok(f->s, lamp_store_commit(f->s));
    assert_int_equal(flows(f, 0, TEST_NOW_US), 6);
    for (int i = 0; i < 2; i++) {
        (void)slice(f, &(struct lamp_store_policy){ .slice_rows = 1 }, TEST_NOW_US + DAY_US);
        ok(f->s, lamp_store_begin(f->s));
        ok(f->s, lamp_store_rollup(f->s, f->sensor[0].site_ref, 1, 7, 0, &r));
        ok(f->s, lamp_store_commit(f->s));
    }
    assert_int_equal(flows(f, 0, TEST_NOW_US), 8);
    fixture_free(f);
}

/* ---- leaving (store/history.h) ---- */

static void start_history(struct fixture *f, uint64_t place)
{
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_history_start(f->s, place));
    ok(f->s, lamp_store_commit(f->s));
}

static struct lamp_history_cursor cursor(struct fixture *f, unsigned table)
{
    struct lamp_history_cursor c[LAMP_HISTORY_TABLES];
    ok(f->s, lamp_store_history_cursors(f->s, c));
    return c[table];
}

/* Up to these times, sites and all, a table was sent and claimed. */
static void note(struct fixture *f, unsigned table, uint64_t sent, uint64_t claimed)
{
    const struct lamp_history_note n = { .table = table,
                                         .expected = cursor(f, table).claimed,
                                         .sent = { (int64_t)sent, INT64_MAX },
                                         .claimed = { (int64_t)claimed, INT64_MAX } };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_history_note(f->s, &n));
    ok(f->s, lamp_store_commit(f->s));
}

static struct lamp_past_traffic asked(struct fixture *f, uint64_t from, uint64_t to)
{
    struct lamp_past_traffic t;
    ok(f->s,
       lamp_store_past_traffic_span(f->s, from * MINUTE_US, to * MINUTE_US + MINUTE_US - 1, &t));
    return t;
}

/* Hours and days that are kept here are asked of another place only once all of them are there. What is from before the first
 * day always is, and where nobody answers, that alone fails. */
static void test_asks_for_what_was_sent(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const uint64_t now = TEST_NOW_US / DAY_US * 1440 + 720, old = now - 5 * 1440;
    const uint64_t hours = now - 1440 - 600; /* minutes of then are gone, hours are not */
    const struct lamp_store_policy p = { .settle_minutes = 5, .days = { 1, 0, 3 } };
    fill(f, old, 60, 1);
    fill(f, hours, 60, 1);
    fill(f, now - 600, 60, 1);
    while (slice(f, &(struct lamp_store_policy){ .settle_minutes = 5 }, now * MINUTE_US))
        ;
    while (slice(f, &p, now * MINUTE_US))
        ;
    start_history(f, 1);
    const uint64_t first_minute = now - 1440, first_day = now / 1440 - 3;
    static const struct {
        unsigned table;
        uint64_t step;
    } steps[] = { { LAMP_STEP_DAY, 1440 }, { LAMP_STEP_MINUTE, 1 }, { LAMP_STEP_HOUR, 60 } };
    for (size_t sent = 0; sent <= ARRAY_LEN(steps); sent++) {
        const bool all = sent == ARRAY_LEN(steps);
        struct lamp_past_traffic t = asked(f, hours, now);
        assert_true(t.here);
        assert_int_equal(t.pieces.all.from <= t.pieces.all.to, all);
        assert_int_equal(flows(f, hours * MINUTE_US, now * MINUTE_US), all ? 60 : 120);
        t = asked(f, old, now);
        assert_false(t.here);
        assert_int_equal(t.pieces.all.to + 1, all ? first_minute : first_day * 1440);
        assert_int_equal(flows(f, old * MINUTE_US, now * MINUTE_US), all ? 60 : 120);
        assert_int_equal(asked(f, old, hours).pieces.all.to + 1,
                         all ? hours + 60 : first_day * 1440);
        assert_int_equal(flows(f, old * MINUTE_US, hours * MINUTE_US), all ? 0 : 60);
        t = asked(f, now - 700, now);
        assert_true(t.here && t.pieces.all.from > t.pieces.all.to);
        ok(f->s, lamp_store_past_clear(f->s));
        if (!all)
            note(f, steps[sent].table, (now - 10) / steps[sent].step - 1,
                 (now - 10) / steps[sent].step - 1);
    }

    const struct lamp_clickhouse_cfg nobody = { .url = "http://127.0.0.1:1",
                                                .database = "davylamp",
                                                .cluster = "",
                                                .user = "",
                                                .password_file = "",
                                                .ca = "" };
    char why[LAMP_CLICKHOUSE_WHY] = "";
    lamp_past *past = NULL;
    assert_int_equal(lamp_past_new(&nobody, &past), LAMP_OK);
    struct lamp_traffic_filter q = { .from_us = hours * MINUTE_US, .to_us = now * MINUTE_US };
    ok(f->s, lamp_past_traffic(past, f->s, &q, true, why));
    assert_int_equal(flows(f, q.from_us, q.to_us), 120);
    q.from_us = old * MINUTE_US;
    assert_int_equal(lamp_past_traffic(past, f->s, &q, true, why), LAMP_EIO);
    assert_true(*why);
    lamp_past_free(past);
    fixture_free(f);
}

/* A ClickHouse that takes questions and does not answer until it is told to go. */
struct asking {
    struct fixture *f;
    lamp_past *past;
    struct lamp_traffic_filter q;
    pthread_t thread;
    int err;
};

static void *ask_past(void *arg)
{
    struct asking *a = arg;
    char why[LAMP_CLICKHOUSE_WHY] = "";
    lamp_store *s = open_store(backend, a->f->folder, true);
    a->err = lamp_past_traffic(a->past, s, &a->q, true, why);
    lamp_store_close(s);
    return NULL;
}

/* Of three questions at once the third waits for its turn. */
static void test_takes_turns(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const uint64_t now = TEST_NOW_US / MINUTE_US;
    const struct lamp_store_policy p = { .settle_minutes = 5, .days = { 1, 1, 1 } };
    fill(f, now - 3 * 1440, 1, 1);
    start_history(f, 1);
    while (slice(f, &p, TEST_NOW_US))
        ;
    for (unsigned i = 0; i < LAMP_HISTORY_TABLES; i++)
        note(f, i, now, now);
    while (slice(f, &p, TEST_NOW_US))
        ;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(at.sin_port));
    const struct lamp_clickhouse_cfg slow = {
        .url = url, .database = "davylamp", .cluster = "", .user = "", .password_file = "", .ca = ""
    };
    lamp_past *past = NULL;
    assert_int_equal(lamp_past_new(&slow, &past), LAMP_OK);
    struct asking a[3];
    int taken[2];
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        a[i] = (struct asking){ .f = f, .past = past, .q = { .to_us = TEST_NOW_US } };
        assert_int_equal(pthread_create(&a[i].thread, NULL, ask_past, &a[i]), 0);
        if (i < ARRAY_LEN(taken))
            assert_true((taken[i] = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    assert_int_equal(pthread_timedjoin_np(a[2].thread, NULL, &until), ETIMEDOUT);
    close(fd); /* nobody takes it after this */
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        close(taken[i]);
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        assert_int_equal(pthread_join(a[i].thread, NULL), 0);
        assert_int_equal(a[i].err, LAMP_EIO);
    }
    lamp_past_free(past);
    fixture_free(f);
}

/* Too many groups that came late: those of a block that is under way are sent again too, for its note comes to nothing. */
static void test_too_many_late(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const uint64_t now = TEST_NOW_US / DAY_US * 1440, start = now - LAMP_HISTORY_LATE_MAX - 10;
    start_history(f, 1);
    note(f, 0, start - 1, now); /* all minutes are on their way; of hours and days none is */
    const struct lamp_history_cursor before = cursor(f, 0);
    fill(f, start, LAMP_HISTORY_LATE_MAX + 1, 1);
    while (slice(f, &(struct lamp_store_policy){ .settle_minutes = 5 }, now * MINUTE_US))
        ;
    const struct lamp_history_cursor after = cursor(f, 0);
    assert_int_equal(after.sent.time, start - 1);
    assert_int_equal(after.claimed.time, start - 1);
    const struct lamp_history_note arrived = {
        .table = 0, .expected = before.claimed, .sent = before.claimed, .claimed = before.claimed
    };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_history_note(f->s, &arrived));
    ok(f->s, lamp_store_commit(f->s));
    assert_int_equal(cursor(f, 0).sent.time, start - 1);
    fixture_free(f);
}

static uint64_t rows_of_history(struct fixture *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < LAMP_HISTORY_TABLES; i++) {
        uint64_t n = 0;
        ok(f->s, lamp_store_history_count(f->s, i, (struct lamp_history_at){ -1, -1 }, 100000, &n));
        sum += n;
    }
    return sum;
}

/* What goes for want of room before it was sent is counted once, however many slices that takes. */
static void test_lost_is_counted_once(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const uint64_t now = TEST_NOW_US / MINUTE_US;
    uint64_t id, lost = 0;
    start_history(f, 1);
    fill(f, now - 2 * 1440, 300, 2);
    while (slice(f, &(struct lamp_store_policy){ .settle_minutes = 5 }, TEST_NOW_US))
        ;
    const uint64_t before = rows_of_history(f);
    const struct lamp_store_policy p = { .settle_minutes = 5, .max_bytes = 1, .slice_rows = 7 };
    for (unsigned i = 0; i < 400; i++)
        (void)slice(f, &p, TEST_NOW_US);
    ok(f->s, lamp_store_history_id(f->s, &id, &lost));
    assert_true(lost > 600);
    assert_int_equal(lost, before - rows_of_history(f));
    fixture_free(f);
}

/* Another place has nothing yet. */
static void test_another_place(void **state)
{
    (void)state;
    static const struct lamp_clickhouse_cfg places[] = {
        { .url = "", .database = "davylamp", .cluster = "" },
        { .url = "https://a.example", .database = "davylamp", .cluster = "" },
        { .url = "https://b.example", .database = "davylamp", .cluster = "" },
        { .url = "https://a.example", .database = "lamp", .cluster = "" },
        { .url = "https://a.example", .database = "davylamp", .cluster = "fleet" },
        { .url = "https://a.example", .database = "davylampf", .cluster = "leet" },
    };
    struct fixture *f = fixture_new();
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const uint64_t place = lamp_clickhouse_place(&places[i]);
        assert_true(place >> 63 == 0);
        assert_int_equal(place == 0, i == 0);
        for (unsigned k = 0; k < LAMP_HISTORY_TABLES; k++) {
            start_history(f, place);
            assert_int_equal(cursor(f, k).on, i > 0);
            assert_int_equal(cursor(f, k).sent.time, i ? -1 : 0);
            note(f, k, 7, 8);
            start_history(f, place);
            assert_int_equal(cursor(f, k).sent.time, i ? 7 : 0);
        }
    }
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traffic_is_exact),
        cmocka_unit_test(test_miner_history),
        cmocka_unit_test(test_forgets_by_age),
        cmocka_unit_test(test_forgets_by_size),
        cmocka_unit_test(test_forgets_connections),
        cmocka_unit_test(test_absurd_counts),
        cmocka_unit_test(test_asks_for_what_was_sent),
        cmocka_unit_test(test_too_many_late),
        cmocka_unit_test(test_lost_is_counted_once),
        cmocka_unit_test(test_another_place),
        cmocka_unit_test(test_takes_turns),
    };
    size_t n;
    const struct lamp_store_ops *const *all = lamp_store_backends(&n);
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        backend = all[i]->name;
        failed += cmocka_run_group_tests_name(backend, tests, NULL, NULL);
    }
    return failed;
}
