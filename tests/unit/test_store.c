/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of a store, over every backend of store.def. */
#include "tests/support/aggregator.h"

#include "aggregator/store/backend.h"
#include "aggregator/writer/tracker.h"

static const char *backend;

struct fixture {
    char *folder;
    lamp_store *s;
    struct lamp_store_sensor sensor;
    struct lamp_store_stream stream;
};

static const struct lamp_stream_id stream_id = { { 9, 9, 9 } };

static void enroll_in(struct fixture *f)
{
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_enroll(f->s, "s2", "south", TEST_NOW_US));
    ok(f->s, lamp_store_sensor(f->s, "s1", &f->sensor));
    ok(f->s, lamp_store_stream_add(f->s, f->sensor.ref, &stream_id, TEST_NOW_US, &f->stream));
    ok(f->s, lamp_store_commit(f->s));
}

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store(backend, f->folder, false);
    enroll_in(f);
    return f;
}

static void fixture_free(struct fixture *f)
{
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
}

static bool never_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t;
    (void)arg;
    return false;
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id;
    (void)arg;
}

static void merge(struct fixture *f, struct lamp_conn_row *rows, size_t n, uint64_t from_us,
                  uint64_t to_us)
{
    const struct lamp_tracker t = { f->s, never_covered, ignore_id, NULL, NULL, NULL };
    const struct lamp_record rec = { &f->sensor, f->stream.ref, f->stream.next_seq++, to_us };
    const struct lamp_batch b = test_batch(rows, n, from_us, to_us);
    ok(f->s, lamp_tracker_merge(&t, &rec, &b));
    ok(f->s, lamp_store_counters(f->s, f->sensor.ref, b.cap_run, &b.counters));
    ok(f->s,
       lamp_store_sensor_add(f->s, f->sensor.ref,
                             &(struct lamp_sensor_delta){
                                 .seen_us = to_us, .data_us = to_us, .batches = 1, .rows = n }));
    ok(f->s, lamp_store_stream_put(f->s, &f->stream));
}

struct miner_seen {
    int n;
    struct lamp_miner_view last;
    double rate;
    char coins[32], pools[64], platforms[32], marked_by[32], reason[32];
};

static bool count_miner(const struct lamp_miner_view *v, void *arg)
{
    struct miner_seen *got = arg;
    got->n++;
    got->last = *v;
    got->rate = v->rate.value;
    snprintf(got->coins, sizeof(got->coins), "%s", v->coins);
    snprintf(got->pools, sizeof(got->pools), "%s", v->pools);
    snprintf(got->marked_by, sizeof(got->marked_by), "%s", v->marked_by);
    snprintf(got->reason, sizeof(got->reason), "%s", v->mark_reason);
    snprintf(got->platforms, sizeof(got->platforms), "%s", v->platforms);
    return true;
}

static struct miner_seen miners(lamp_store *s, const struct lamp_miner_filter *filter,
                                uint64_t now_us)
{
    struct miner_seen got = { 0 };
    ok(s, lamp_store_miners(s, filter, now_us, count_miner, &got));
    return got;
}

/* What is rolled back, or not committed when the process dies, is not there. */
static void test_transactions(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US);
    ok(f->s, lamp_store_begin(f->s));
    merge(f, &row, 1, TEST_NOW_US, TEST_NOW_US + 1);
    lamp_store_rollback(f->s);
    assert_int_equal(miners(f->s, &(struct lamp_miner_filter){ 0 }, TEST_NOW_US).n, 0);

    f->stream.next_seq = 1;
    ok(f->s, lamp_store_begin(f->s));
    merge(f, &row, 1, TEST_NOW_US, TEST_NOW_US + 1);
    lamp_store_close(f->s); /* as if killed */
    f->s = open_store(backend, f->folder, false);
    struct lamp_store_stream st;
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_stream(f->s, f->sensor.ref, &stream_id, &st));
    ok(f->s, lamp_store_commit(f->s));
    assert_int_equal(st.next_seq, 1);
    assert_int_equal(miners(f->s, &(struct lamp_miner_filter){ 0 }, TEST_NOW_US).n, 0);
    fixture_free(f);
}

static bool sum_minutes(const struct lamp_minute_view *v, void *arg)
{
    struct lamp_totals *t = arg;
    t->bytes_up += v->totals.bytes_up;
    t->accepted += v->totals.accepted;
    return true;
}

/* 60 intervals of 10 s with one share of 1,000 hashes each: 100 H/s. */
static void test_rate_and_sums(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    uint64_t t = TEST_NOW_US;
    ok(f->s, lamp_store_begin(f->s));
    for (int i = 0; i < 60; i++, t += 10000000) {
        struct lamp_conn_row row = test_row(1, TEST_NOW_US, t + 10000000);
        merge(f, &row, 1, t, t + 10000000);
    }
    ok(f->s, lamp_store_commit(f->s));

    lamp_store *r = open_store(backend, f->folder, true);
    struct miner_seen m = miners(r, &(struct lamp_miner_filter){ 0 }, t);
    assert_int_equal(m.n, 1);
    assert_int_equal(m.last.totals.bytes_up, 6000);
    assert_int_equal(m.last.totals.accepted, 60);
    assert_int_equal(m.last.state, LAMP_MINER_CONFIRMED);
    assert_int_equal(m.last.open_connections, 1);
    assert_string_equal(m.coins, "XMR");
    assert_string_equal(m.pools, "203.0.113.9:3333");
    assert_int_equal(m.last.rate.method, LAMP_RATE_SHARES);
    assert_true(m.rate > 99 && m.rate < 101);
    assert_true(m.last.rate.low < 100 && m.last.rate.high > 100);

    struct lamp_totals sum = { 0 };
    ok(r, lamp_store_minutes(r, m.last.id, LAMP_STEP_MINUTE, TEST_NOW_US, t, sum_minutes, &sum));
    assert_int_equal(sum.bytes_up, 6000);
    assert_int_equal(sum.accepted, 60);

    /* 15 minutes of silence end it. */
    m = miners(r, &(struct lamp_miner_filter){ 0 }, t + 16 * 60 * UINT64_C(1000000));
    assert_int_equal(m.last.state, LAMP_MINER_ENDED);
    assert_int_equal(m.last.open_connections, 0);

    struct lamp_status_view st;
    ok(r, lamp_store_status(r, t, &st));
    assert_int_equal(st.sensors, 2);
    assert_int_equal(st.sensors_online, 1);
    assert_int_equal(st.miners_confirmed, 1);
    assert_int_equal(st.batches, 60);
    assert_int_equal(st.packets, 10); /* cumulative, not summed */
    assert_int_equal(st.mining_bytes, 60 * 300);
    lamp_store_close(r);
    fixture_free(f);
}

/* One share of 1,000 hashes every 10 s in each minute from first to last. */
static void mine(struct fixture *f, uint64_t conn_id, uint64_t first, uint64_t last, bool ends,
                 const char *unit)
{
    const uint64_t minute = 60 * UINT64_C(1000000), from_us = TEST_NOW_US + first * minute;
    for (uint64_t m = first; m < last; m++) {
        struct lamp_conn_row row = test_row(conn_id, from_us, TEST_NOW_US + (m + 1) * minute - 1);
        row.accepted = row.submitted = row.work_shares = 6;
        row.work_hashes = 6000;
        row.hash_unit = lamp_bytes_of(unit);
        row.flags = ends && m + 1 == last ? LAMP_CONN_ENDED : 0;
        merge(f, &row, 1, TEST_NOW_US + m * minute, TEST_NOW_US + (m + 1) * minute);
    }
}

static uint64_t minutes_on(uint64_t n)
{
    return TEST_NOW_US + n * 60 * UINT64_C(1000000);
}

/* A miner that comes back after 20 minutes mines as fast as before: both connections are
 * measured over the same quarter of an hour. */
static void test_rate_over_connections(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    ok(f->s, lamp_store_begin(f->s));
    mine(f, 1, 0, 20, true, "H/s");
    mine(f, 2, 20, 30, false, "H/s");
    struct miner_seen m = miners(f->s, &(struct lamp_miner_filter){ 0 }, minutes_on(30));
    if (!(m.rate > 95 && m.rate < 105))
        fail_msg("%g H/s", m.rate);
    fixture_free(f);
}

static bool take_conn(const struct lamp_conn_view *v, void *arg)
{
    *(struct lamp_conn_view *)arg = *v;
    return true;
}

/* How the rate of a connection and of its miner is known, by what the sensor said. */
static void test_rate_methods(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        bool shares;
        enum lamp_rate_method work_method, other_method;
        double other; /* H/s; +-10 % */
        double self;
        enum lamp_rate_method want;
    } cases[] = {
        { "shares", true, LAMP_RATE_SHARES, LAMP_RATE_NONE, 0, 500, LAMP_RATE_SHARES },
        { "nonces agree", true, LAMP_RATE_SHARES, LAMP_RATE_NONCE, 101, 500, LAMP_RATE_NONCE },
        { "nonces disagree", true, LAMP_RATE_SHARES, LAMP_RATE_NONCE, 900, 0, LAMP_RATE_SHARES },
        { "hash values", true, LAMP_RATE_HASH_VALUE, LAMP_RATE_NONE, 0, 0, LAMP_RATE_HASH_VALUE },
        { "timing", false, LAMP_RATE_NONE, LAMP_RATE_TIMING, 70, 0, LAMP_RATE_TIMING },
        { "self-report", false, LAMP_RATE_NONE, LAMP_RATE_NONE, 0, 7, LAMP_RATE_SELF_REPORTED },
        { "nothing", false, LAMP_RATE_NONE, LAMP_RATE_NONE, 0, 0, LAMP_RATE_NONE },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture *f = fixture_new();
        ok(f->s, lamp_store_begin(f->s));
        for (uint64_t m = 0; m < 10; m++) {
            struct lamp_conn_row row = test_row(1, TEST_NOW_US, minutes_on(m + 1) - 1);
            row.accepted = row.submitted = row.work_shares = cases[i].shares ? 6 : 0;
            row.work_hashes = cases[i].shares ? 6000 : 0;
            row.work_method = cases[i].work_method;
            row.hash_values = cases[i].work_method == LAMP_RATE_HASH_VALUE ? 16 : 0;
            row.other_method = cases[i].other_method;
            row.other_rate = cases[i].other;
            row.other_low = 0.9 * cases[i].other;
            row.other_high = 1.1 * cases[i].other;
            row.self_rate = cases[i].self;
            row.devices = m < 5 ? 0 : 3; /* the nonces tell late */
            row.platform = lamp_bytes_of(m < 5 ? "" : "minergate");
            merge(f, &row, 1, minutes_on(m), minutes_on(m + 1));
        }
        struct lamp_conn_view v;
        struct miner_seen s = miners(f->s, &(struct lamp_miner_filter){ 0 }, minutes_on(10));
        ok(f->s,
           lamp_store_conns(f->s, &(struct lamp_conn_filter){ 0 }, minutes_on(10), take_conn, &v));
        if (v.rate.method != cases[i].want || s.last.rate.method != cases[i].want)
            fail_msg("%s: connection by %d, miner by %d", cases[i].label, (int)v.rate.method,
                     (int)s.last.rate.method);
        assert_int_equal(v.row.devices, 3);
        assert_int_equal(s.last.devices, 3);
        assert_string_equal(s.platforms, "minergate");
        if (cases[i].other_method == cases[i].want && cases[i].other > 0)
            assert_true(s.last.rate.low < cases[i].other && s.last.rate.high > cases[i].other);
        fixture_free(f);
    }
}

struct timeline {
    int n_reasons, n_steps;
    char text[1024]; /* a line each */
    size_t len;
};

static bool add_reason(const struct lamp_sighting_view *v, void *arg)
{
    struct timeline *t = arg;
    t->n_reasons++;
    if (t->len < 900)
        t->len +=
            (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "%s/%s by %s, %d to %d\n",
                             v->kind, v->detail, v->sensor, (int)(v->first_us - TEST_NOW_US),
                             (int)(v->last_us - TEST_NOW_US));
    return true;
}

static bool add_step(const struct lamp_step_view *v, void *arg)
{
    struct timeline *t = arg;
    t->n_steps++;
    if (t->len < 900)
        t->len +=
            (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "%s by %s: %s at %d\n",
                             v->state, v->by, v->reason, (int)(v->at_us - TEST_NOW_US));
    return true;
}

/* When each reason was seen and by whom, whichever summary came first; and what became of it. */
static void test_timeline(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct timeline t = { 0 };
    uint64_t left_out = 0;
    const uint64_t second = 1000000, minute = 60 * second;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + second);
    struct lamp_evidence why[] = { { .kind = lamp_bytes_of("rhythm"), .t_us = TEST_NOW_US + 5 },
                                   { .kind = lamp_bytes_of("address"),
                                     .detail = lamp_bytes_of("known") } };
    row.evidence = why;
    row.n_evidence = 2;
    row.verdict = LAMP_VERDICT_WALLET;
    assert_int_equal(lamp_store_sightings(f->s, 1, add_reason, &t, &left_out), LAMP_ENOENT);
    assert_int_equal(lamp_store_steps(f->s, 1, 0, add_step, &t), LAMP_ENOENT);
    ok(f->s, lamp_store_begin(f->s));
    merge(f, &row, 1, TEST_NOW_US, TEST_NOW_US + second); /* no miner yet */
    row.verdict = LAMP_VERDICT_SUSPECTED;
    row.last_us = TEST_NOW_US + 2 * second;
    row.n_evidence = 0; /* nothing new */
    merge(f, &row, 1, TEST_NOW_US + second, TEST_NOW_US + 2 * second);
    why[0].t_us = TEST_NOW_US + 7;
    row.n_evidence = 2;
    row.verdict = LAMP_VERDICT_PROBABLE;
    row.last_us = TEST_NOW_US + 3 * second;
    merge(f, &row, 1, TEST_NOW_US + 2 * second, TEST_NOW_US + 3 * second);
    row.conn_id = 2; /* an older connection that is heard of later */
    row.n_evidence = 1;
    why[0].t_us = TEST_NOW_US - minute;
    row.first_us = row.last_us = TEST_NOW_US - minute;
    row.verdict = LAMP_VERDICT_SUSPECTED;
    merge(f, &row, 1, TEST_NOW_US - minute, TEST_NOW_US - minute + second);
    ok(f->s, lamp_store_step(f->s, 1,
                             &(struct lamp_step_view){ "sanctioned", "ann", "ours", TEST_NOW_US }));
    ok(f->s, lamp_store_commit(f->s));
    ok(f->s, lamp_store_sightings(f->s, 1, add_reason, &t, &left_out));
    ok(f->s, lamp_store_steps(f->s, 1, TEST_NOW_US + 20 * minute, add_step, &t));
    assert_string_equal(t.text, "rhythm/ by s1, -60000000 to 7\n"
                                "address/known by s1, 2000000 to 3000000\n"
                                "suspected by s1:  at -60000000\n"
                                "sanctioned by ann: ours at 0\n"
                                "probable by s1:  at 3000000\n"
                                "ended by :  at 903000000\n");
    assert_int_equal(left_out, 0);

    /* bounded, and what is past the bound is counted */
    struct lamp_track_evidence e = { .kind = "x" };
    ok(f->s, lamp_store_begin(f->s));
    for (int i = 0; i < 300; i++) {
        snprintf(e.detail, sizeof(e.detail), "%d", i);
        ok(f->s, lamp_store_sighting(f->s, 1, 1, &e, TEST_NOW_US, TEST_NOW_US));
        ok(f->s, lamp_store_step(f->s, 1,
                                 &(struct lamp_step_view){ "blocked", "", "", TEST_NOW_US + 1 }));
    }
    ok(f->s, lamp_store_commit(f->s));
    t = (struct timeline){ 0 };
    ok(f->s, lamp_store_sightings(f->s, 1, add_reason, &t, &left_out));
    assert_int_equal(t.n_reasons, LAMP_SIGHTINGS_MAX);
    assert_int_equal(left_out, 300 + 2 - LAMP_SIGHTINGS_MAX);
    ok(f->s, lamp_store_steps(f->s, 1, TEST_NOW_US, add_step, &t));
    assert_int_equal(t.n_steps, LAMP_STEPS_MAX + 2); /* and the two verdicts */
    fixture_free(f);
}

/* A marked pair stays quiet whatever is found of it; a server that was not marked does not. */
static void test_marks(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    ok(f->s, lamp_store_begin(f->s));
    assert_int_equal(lamp_store_miner_mark(f->s, 1, LAMP_MARK_DISMISSED, "ann", "", TEST_NOW_US),
                     LAMP_ENOENT);
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 1);
    row.verdict = LAMP_VERDICT_SUSPECTED;
    merge(f, &row, 1, TEST_NOW_US, TEST_NOW_US + 1);
    const struct lamp_miner_filter any = { 0 };
    struct miner_seen m = miners(f->s, &any, TEST_NOW_US + 1);
    assert_int_equal(m.last.state, LAMP_MINER_SUSPECTED);
    assert_int_equal(m.last.mark, LAMP_MARK_NONE);
    ok(f->s,
       lamp_store_miner_mark(f->s, m.last.id, LAMP_MARK_SANCTIONED, "ann", "our rig", TEST_NOW_US));
    row.conn_id = 2; /* it reconnects, and more is found */
    row.verdict = LAMP_VERDICT_CONFIRMED;
    row.last_us = minutes_on(1);
    merge(f, &row, 1, TEST_NOW_US, minutes_on(1));
    m = miners(f->s, &any, minutes_on(1));
    assert_int_equal(m.last.state, LAMP_MINER_SANCTIONED);
    assert_int_equal(m.last.verdict, LAMP_VERDICT_CONFIRMED);
    assert_string_equal(m.marked_by, "ann");
    assert_string_equal(m.reason, "our rig");
    struct lamp_status_view st;
    ok(f->s, lamp_store_status(f->s, minutes_on(1), &st));
    assert_int_equal(st.miners_confirmed, 0);

    row.conn_id = 3; /* elsewhere */
    row.server_port++;
    row.last_us = minutes_on(2);
    merge(f, &row, 1, minutes_on(1), minutes_on(2));
    m = miners(f->s, &any, minutes_on(2));
    assert_int_equal(m.last.state, LAMP_MINER_CONFIRMED);
    ok(f->s, lamp_store_status(f->s, minutes_on(2), &st));
    assert_int_equal(st.miners_confirmed, 1);
    ok(f->s, lamp_store_miner_mark(f->s, m.last.id, LAMP_MARK_DISMISSED, "bob", "", minutes_on(2)));
    assert_int_equal(miners(f->s, &any, minutes_on(2)).last.state, LAMP_MINER_DISMISSED);
    ok(f->s, lamp_store_miner_mark(f->s, m.last.id, LAMP_MARK_NONE, "bob", "", minutes_on(2)));
    assert_int_equal(miners(f->s, &any, minutes_on(2)).last.state, LAMP_MINER_CONFIRMED);
    fixture_free(f);
}

/* What counts in another unit is left out, not what came before it. */
static void test_rate_over_units(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    ok(f->s, lamp_store_begin(f->s));
    mine(f, 1, 0, 10, false, "H/s");
    mine(f, 2, 1, 10, false, "Sol/s");
    mine(f, 3, 2, 10, false, "H/s");
    struct miner_seen m = miners(f->s, &(struct lamp_miner_filter){ 0 }, minutes_on(10));
    assert_int_equal(m.last.open_connections, 3);
    if (!(m.rate > 175 && m.rate < 185)) /* 10 and 8 minutes of 100 H/s within 10 */
        fail_msg("%g H/s", m.rate);
    fixture_free(f);
}

static bool take_minute(const struct lamp_minute_view *v, void *arg)
{
    *(struct lamp_minute_view *)arg = *v;
    return true;
}

/* The newest minute is measured over what there is of it. */
static void test_part_of_a_minute(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const uint64_t start_us = minutes_on(1) - minutes_on(1) % 60000000;
    ok(f->s, lamp_store_begin(f->s));
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, start_us + 10000000);
    row.work_hashes = 10000;
    row.work_shares = 10;
    merge(f, &row, 1, start_us, start_us + 10000000);
    struct lamp_minute_view v = { 0 };
    ok(f->s, lamp_store_minutes(f->s, 1, LAMP_STEP_MINUTE, start_us, start_us + 10000000,
                                take_minute, &v));
    assert_true(v.rate.value > 999 && v.rate.value < 1001);
    fixture_free(f);
}

/* However much a sensor claims, its minutes can be read. */
static void test_absurd_sums(void **state)
{
    (void)state;
    enum { ROWS = 1024, RECORDS = 9 };
    struct fixture *f = fixture_new();
    struct lamp_conn_row *rows = calloc(ROWS, sizeof(*rows));
    assert_non_null(rows);
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = test_row(1, TEST_NOW_US, TEST_NOW_US);
        rows[i].bytes_up = UINT64_C(1) << 50;
    }
    ok(f->s, lamp_store_begin(f->s));
    for (int i = 0; i < RECORDS; i++)
        merge(f, rows, ROWS, TEST_NOW_US, TEST_NOW_US + 1);
    struct lamp_totals sum = { 0 };
    ok(f->s,
       lamp_store_minutes(f->s, 1, LAMP_STEP_MINUTE, TEST_NOW_US, TEST_NOW_US, sum_minutes, &sum));
    assert_true(sum.bytes_up > 0);
    free(rows);
    fixture_free(f);
}

/* Old streams of a sensor are forgotten, so that no number of them fills the database. */
static void test_streams_bounded(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_store_stream st;
    ok(f->s, lamp_store_begin(f->s));
    for (uint32_t i = 0; i < LAMP_STREAMS_KEPT; i++) {
        struct lamp_stream_id id = { { 1 } };
        memcpy(id.b + 1, &i, sizeof(i));
        assert_int_equal(lamp_store_stream(f->s, f->sensor.ref, &id, &st), LAMP_ENOENT);
        ok(f->s, lamp_store_stream_add(f->s, f->sensor.ref, &id, TEST_NOW_US, &st));
        assert_int_equal(st.next_seq, 1);
        st.next_seq = i + 7;
        ok(f->s, lamp_store_stream_put(f->s, &st));
        ok(f->s, lamp_store_stream(f->s, f->sensor.ref, &id, &st));
        assert_int_equal(st.next_seq, i + 7);
    }
    assert_int_equal(lamp_store_stream(f->s, f->sensor.ref, &stream_id, &st), LAMP_ENOENT);
    fixture_free(f);
}

static bool count_conn(const struct lamp_conn_view *v, void *arg)
{
    int *n = arg;
    assert_int_equal(v->row.n_evidence, 1);
    const struct lamp_evidence *e = &v->row.evidence[0];
    assert_true(lamp_bytes_eq(e->detail, "login"));
    assert_true(lamp_bytes_eq(e->field, "JSON line"));
    assert_true(lamp_bytes_eq(e->strength, "certain"));
    assert_true(lamp_bytes_eq(e->refute, "no pool"));
    assert_int_equal(e->t_us, TEST_NOW_US);
    assert_int_equal(e->side, LAMP_SIDE_CLIENT);
    assert_true(lamp_bytes_eq(v->row.wallet, "4wallet"));
    ++*n;
    return true;
}

/* Pages have no row twice and miss none; filters hold. */
static void test_paging(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    ok(f->s, lamp_store_begin(f->s));
    for (uint64_t i = 1; i <= 25; i++) {
        struct lamp_conn_row row = test_row(i, TEST_NOW_US, TEST_NOW_US + i);
        row.client_addr.b[15] = (uint8_t)i;
        merge(f, &row, 1, TEST_NOW_US, TEST_NOW_US + 100);
    }
    ok(f->s, lamp_store_commit(f->s));
    struct lamp_miner_filter filter = { .limit = 10 };
    int seen = 0;
    for (int page = 0; page < 4; page++) {
        const struct miner_seen m = miners(f->s, &filter, TEST_NOW_US + 100);
        seen += m.n;
        filter.after_id = m.n ? m.last.id : filter.after_id;
    }
    assert_int_equal(seen, 25);
    assert_int_equal(miners(f->s, &(struct lamp_miner_filter){ .host = "10.0.0.3" }, TEST_NOW_US).n,
                     1);
    assert_int_equal(miners(f->s, &(struct lamp_miner_filter){ .host = "nonsense" }, TEST_NOW_US).n,
                     0);
    assert_int_equal(miners(f->s, &(struct lamp_miner_filter){ .site = "south" }, TEST_NOW_US).n,
                     0);
    int n = 0;
    ok(f->s, lamp_store_conns(f->s, &(struct lamp_conn_filter){ .limit = 7 }, TEST_NOW_US,
                              count_conn, &n));
    assert_int_equal(n, 7);
    fixture_free(f);
}

struct states {
    char s1[16], s2[16], error[64];
    uint64_t hits;
};

static bool take_state(const struct lamp_block_sensor_view *v, void *arg)
{
    struct states *st = arg;
    snprintf(streq(v->sensor, "s1") ? st->s1 : st->s2, 16, "%s", v->state);
    if (streq(v->sensor, "s1")) {
        snprintf(st->error, sizeof(st->error), "%s", v->error);
        st->hits = v->hit_packets;
    }
    return true;
}

static void expect_states(lamp_store *s, int64_t block, const char *s1, const char *s2)
{
    struct states st = { 0 };
    ok(s, lamp_store_block_sensors(s, block, take_state, &st));
    assert_string_equal(st.s1, s1);
    assert_string_equal(st.s2, s2);
}

/* pending, sent, applied (or failed), removed: as the sensor reports. */
static void test_block_states(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    uint64_t epoch = 0;
    ok(f->s, lamp_store_epoch(f->s, &epoch));
    struct lamp_block b = { .prefix = { test_addr("203.0.113.9"), 128 },
                            .created_us = TEST_NOW_US,
                            .expires_us = TEST_NOW_US + 1000000 };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_block_add(f->s, &b));
    struct lamp_store_list list = { .serial = 5, .expires_us = TEST_NOW_US + 1 };
    ok(f->s, lamp_store_list_put(f->s, LAMP_SET_BLOCK, "north", &list, 1, TEST_NOW_US));
    ok(f->s, lamp_store_list_put(f->s, LAMP_SET_BLOCK, "south", &list, 1, TEST_NOW_US));
    expect_states(f->s, b.id, "pending", "pending");
    ok(f->s, lamp_store_list_sent(f->s, f->sensor.ref, 5, TEST_NOW_US, ignore_id, NULL));
    expect_states(f->s, b.id, "sent", "pending");

    struct lamp_set_hits hits = { (uint64_t)b.id, 7, 700 };
    struct lamp_set_status st = { .head = { LAMP_SET_BLOCK, epoch, 5, { 0 } },
                                  .state = LAMP_SET_APPLIED,
                                  .hits = &hits,
                                  .n_hits = 1 };
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, TEST_NOW_US, ignore_id, NULL));
    expect_states(f->s, b.id, "applied", "pending");
    hits.packets = 9;
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, TEST_NOW_US, ignore_id, NULL));
    hits.packets = 2; /* counters started over */
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, TEST_NOW_US, ignore_id, NULL));
    struct states seen = { 0 };
    ok(f->s, lamp_store_block_sensors(f->s, b.id, take_state, &seen));
    assert_int_equal(seen.hits, 11);
    struct lamp_set_status back = st;
    back.state = LAMP_SET_ROLLED_BACK;
    back.about = (struct lamp_set_head){ LAMP_SET_BLOCK, epoch, 9, { 0 } };
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &back, TEST_NOW_US, ignore_id, NULL));
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, TEST_NOW_US, ignore_id, NULL));
    struct lamp_store_sensor again;
    ok(f->s, lamp_store_sensor(f->s, f->sensor.id, &again));
    assert_int_equal(again.rejected_serial, 9); /* whatever is in force since */
    assert_int_equal(again.rejected_epoch, epoch);

    uint64_t refused = (uint64_t)b.id;
    st = (struct lamp_set_status){ .head = { LAMP_SET_BLOCK, epoch, 6, { 0 } },
                                   .state = LAMP_SET_APPLIED,
                                   .refused_ids = &refused,
                                   .n_refused_ids = 1 };
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, TEST_NOW_US, ignore_id, NULL));
    expect_states(f->s, b.id, "failed", "pending");

    ok(f->s, lamp_store_block_end(f->s, b.id, "admin", TEST_NOW_US + 5));
    assert_int_equal(lamp_store_block_end(f->s, b.id, "admin", TEST_NOW_US + 5), LAMP_ENOENT);
    expect_states(f->s, b.id, "failed", "removed");
    list.serial = 7;
    ok(f->s, lamp_store_list_put(f->s, LAMP_SET_BLOCK, "north", &list, 0, TEST_NOW_US));
    st = (struct lamp_set_status){ .head = { LAMP_SET_BLOCK, epoch, 7, { 0 } },
                                   .state = LAMP_SET_EMPTY };
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, TEST_NOW_US, ignore_id, NULL));
    expect_states(f->s, b.id, "removed", "removed");
    ok(f->s, lamp_store_commit(f->s));
    uint64_t serial = 0;
    ok(f->s, lamp_store_serial(f->s, &serial));
    assert_int_equal(serial, 7);
    fixture_free(f);
}

/* A list that went out before the block was on it sends nothing of the block; a dry run is not
 * called applied without a word; counters that leap cannot break the store. */
static void test_block_states_odd(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    uint64_t epoch = 0;
    ok(f->s, lamp_store_epoch(f->s, &epoch));
    struct lamp_block b = { .prefix = { test_addr("203.0.113.9"), 128 },
                            .created_us = TEST_NOW_US,
                            .expires_us = TEST_NOW_US + 1000000 };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_block_add(f->s, &b));
    ok(f->s, lamp_store_list_sent(f->s, f->sensor.ref, 4, TEST_NOW_US, ignore_id, NULL));
    expect_states(f->s, b.id, "pending", "pending");

    const struct lamp_store_list list = { .serial = 5, .expires_us = TEST_NOW_US + 1 };
    ok(f->s, lamp_store_list_put(f->s, LAMP_SET_BLOCK, "north", &list, 1, TEST_NOW_US));
    struct lamp_set_hits hits = { (uint64_t)b.id, 0, 0 };
    struct lamp_set_status st = { .head = { LAMP_SET_BLOCK, epoch, 5, { 0 } },
                                  .state = LAMP_SET_APPLIED,
                                  .mode = LAMP_ENFORCE_DRY_RUN,
                                  .detail = lamp_bytes_of("\xff"),
                                  .hits = &hits,
                                  .n_hits = 1 };
    for (int i = 0; i < 40; i++) {
        hits.packets = hits.bytes = i % 2 ? 0 : INT64_MAX;
        ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, TEST_NOW_US, ignore_id, NULL));
    }
    struct states seen = { 0 };
    ok(f->s, lamp_store_block_sensors(f->s, b.id, take_state, &seen));
    assert_string_equal(seen.s1, "applied");
    assert_non_null(strstr(seen.error, "dry run"));
    st.mode = LAMP_ENFORCE_ON;
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, TEST_NOW_US, ignore_id, NULL));
    ok(f->s, lamp_store_block_sensors(f->s, b.id, take_state, &seen));
    assert_string_equal(seen.error, "");
    fixture_free(f);
}

static bool count_block(const struct lamp_block_view *v, void *arg)
{
    (void)v;
    ++*(int *)arg;
    return true;
}

static int n_blocks(lamp_store *s, int64_t id, bool with_removed)
{
    int n = 0;
    ok(s,
       lamp_store_blocks(s, &(struct lamp_block_filter){ .id = id, .with_removed = with_removed },
                         count_block, &n));
    return n;
}

/* Blocks in force are all there; of the others the newest. */
static void test_block_filter(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_block b = { .prefix = { test_addr("203.0.113.9"), 128 } };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_block_add(f->s, &b));
    const int64_t first = b.id;
    for (int i = 0; i < LAMP_BLOCKS_ENDED_MAX + 3; i++) {
        ok(f->s, lamp_store_block_add(f->s, &b));
        ok(f->s, lamp_store_block_end(f->s, b.id, "admin", TEST_NOW_US));
    }
    assert_int_equal(n_blocks(f->s, 0, false), 1);
    assert_int_equal(n_blocks(f->s, 0, true), LAMP_BLOCKS_ENDED_MAX + 1);
    assert_int_equal(n_blocks(f->s, first, false), 1);
    assert_int_equal(n_blocks(f->s, first + 1, false), 1);
    assert_int_equal(n_blocks(f->s, b.id + 1, true), 0);
    fixture_free(f);
}

/* A sensor that moves to another site leaves the blocks of the old one and gets them again when
 * it comes back. */
static void test_moved_sensor(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_block b = { .prefix = { test_addr("203.0.113.9"), 128 },
                            .site = "north",
                            .created_us = TEST_NOW_US,
                            .expires_us = TEST_NOW_US + 1000000 };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_block_add(f->s, &b));
    expect_states(f->s, b.id, "pending", "");
    ok(f->s, lamp_store_enroll(f->s, "s1", "south", TEST_NOW_US));
    expect_states(f->s, b.id, "removed", "");
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    expect_states(f->s, b.id, "pending", "");
    fixture_free(f);
}

static void test_unknown_backend(void **state)
{
    (void)state;
    char why[LAMP_STORE_WHY] = "";
    lamp_store *s = NULL;
    assert_int_equal(lamp_store_open("nothing", "/tmp/x", false, &s, why), LAMP_ENOENT);
    assert_non_null(strstr(why, "nothing"));
    assert_int_equal(lamp_store_open(backend, "/nowhere/at/all", false, &s, why), LAMP_ESTORE);
    assert_non_null(strstr(why, "/nowhere/at/all"));
}

struct traffic {
    struct lamp_traffic_view v[8];
    size_t n;
};

static bool keep_traffic(const struct lamp_traffic_view *v, void *arg)
{
    struct traffic *t = arg;
    assert_true(t->n < ARRAY_LEN(t->v));
    t->v[t->n++] = *v;
    return true;
}

/* Rows of one key add up over minutes and records; "other" is a row of its own; the total does
 * not know the limit. */
static void test_traffic(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const struct lamp_addr host = test_addr("10.0.0.1"), remote = test_addr("203.0.113.7");
    struct lamp_rollup_row row = { .minute = TEST_NOW_US / 60000000,
                                   .inside_addr = host,
                                   .remote_addr = remote,
                                   .ip_proto = 6,
                                   .service_port = 443,
                                   .application = lamp_bytes_of("https"),
                                   .remote_name = lamp_bytes_of("a.example"),
                                   .bytes_out = 10,
                                   .bytes_in = 100,
                                   .packets_out = 1,
                                   .packets_in = 2,
                                   .flows = 1 };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_rollup(f->s, f->sensor.site_ref, f->stream.ref, 1, 0, &row));
    row.minute++;
    ok(f->s, lamp_store_rollup(f->s, f->sensor.site_ref, f->stream.ref, 2, 0, &row));
    const struct lamp_rollup_row other = { .minute = row.minute, .bytes_in = 7, .packets_in = 1 };
    ok(f->s, lamp_store_rollup(f->s, f->sensor.site_ref, f->stream.ref, 2, 1, &other));
    ok(f->s, lamp_store_commit(f->s));

    struct lamp_traffic_filter q = { .from_us = TEST_NOW_US, .to_us = TEST_NOW_US + 60000000 };
    struct lamp_traffic_view total;
    struct traffic t = { .n = 0 };
    ok(f->s, lamp_store_traffic(f->s, &q, keep_traffic, &t));
    assert_int_equal(t.n, 2);
    assert_int_equal(t.v[0].bytes_in, 200);
    assert_int_equal(t.v[0].flows, 2);
    assert_int_equal(t.v[0].last_us - t.v[0].first_us, 60000000);
    assert_false(t.v[0].is_other);
    assert_true(t.v[1].is_other);
    q.limit = 1;
    ok(f->s, lamp_store_traffic_total(f->s, &q, &total));
    assert_int_equal(total.bytes_in, 207);
    q.host = &host;
    q.remote = &remote;
    q.application = "https";
    q.site = "north";
    q.to_us = TEST_NOW_US;
    ok(f->s, lamp_store_traffic_total(f->s, &q, &total));
    assert_int_equal(total.bytes_in, 100);
    q.site = "south";
    ok(f->s, lamp_store_traffic_total(f->s, &q, &total));
    assert_int_equal(total.bytes_in, 0);
    fixture_free(f);
}

struct coins {
    struct lamp_coin_view v[8];
    char of[8][48];
    size_t n;
};

static bool keep_coin(const struct lamp_coin_view *v, void *arg)
{
    struct coins *c = arg;
    assert_true(c->n < ARRAY_LEN(c->v));
    snprintf(c->of[c->n], sizeof(c->of[0]), "%s|%s|%s", v->coin, v->site, v->text);
    c->v[c->n++] = *v;
    return true;
}

static struct coins coins(struct fixture *f, struct lamp_coin_filter *q, enum lamp_coin_by by)
{
    struct coins c = { .n = 0 };
    q->by = by;
    ok(f->s, lamp_store_coins(f->s, q, keep_coin, &c));
    return c;
}

/* Bytes of a coin by what they are told apart by, mining and wallets apart; and over time. */
static void test_coins(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    const uint64_t minute_us = 60000000, start_us = TEST_NOW_US / minute_us * minute_us;
    ok(f->s, lamp_store_begin(f->s));
    for (uint64_t i = 0; i < 4; i++) {
        struct lamp_conn_row rows[] = { test_row(1, start_us, start_us + i * minute_us),
                                        test_row(2, start_us, start_us + i * minute_us),
                                        test_row(3, start_us, start_us + i * minute_us) };
        rows[1].client_addr = test_addr("10.0.0.8");
        rows[1].verdict = LAMP_VERDICT_WALLET;
        rows[1].wallet = lamp_bytes_of("");
        rows[2].coin = lamp_bytes_of("BTC");
        rows[2].server_port = 25;
        rows[2].platform = lamp_bytes_of("nicehash");
        merge(f, rows, i == 2 ? 2 : 3, start_us + i * minute_us,
              start_us + (i + 1) * minute_us - 1);
    }
    ok(f->s, lamp_store_commit(f->s));

    struct lamp_coin_filter q = { .from_us = start_us, .to_us = start_us + 3 * minute_us };
    struct coins c = coins(f, &q, LAMP_COINS_BY_SITE);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.of[0], "XMR|north|");
    assert_int_equal(c.v[0].mining_bytes, 1200);
    assert_int_equal(c.v[0].wallet_bytes, 1200);
    assert_int_equal(c.v[0].connections, 2);
    assert_int_equal(c.v[0].hosts, 2);
    assert_int_equal(c.v[0].last_us, start_us + 3 * minute_us);
    assert_string_equal(c.of[1], "BTC|north|");
    assert_int_equal(c.v[1].mining_bytes, 900);

    c = coins(f, &q, LAMP_COINS_BY_HOST);
    assert_int_equal(c.n, 3);
    c = coins(f, &q, LAMP_COINS_BY_POOL);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.v[1].port, 25);
    assert_true(lamp_addr_eq(&c.v[1].addr, &(struct lamp_addr[]){ test_addr("203.0.113.9") }[0]));
    c = coins(f, &q, LAMP_COINS_BY_PLATFORM);
    assert_string_equal(c.of[1], "BTC||nicehash");
    c = coins(f, &q, LAMP_COINS_BY_WALLET);
    assert_int_equal(c.n, 3);
    q.limit = 1;
    assert_int_equal(coins(f, &q, LAMP_COINS_BY_WALLET).n, 1);
    q.limit = 0;

    q.step_minutes = 2;
    q.from_us = start_us + minute_us;
    c = coins(f, &q, LAMP_COINS_BY_TIME);
    uint64_t sum = 0;
    for (size_t i = 0; i < c.n; i++) {
        sum += c.v[i].mining_bytes + c.v[i].wallet_bytes;
        assert_int_equal(c.v[i].start_us % (2 * minute_us), 0);
        assert_true(i == 0 || c.v[i].start_us >= c.v[i - 1].start_us);
    }
    assert_int_equal(sum, 3 * 600 + 2 * 300);
    q.site = "south";
    assert_int_equal(coins(f, &q, LAMP_COINS_BY_TIME).n, 0);
    fixture_free(f);
}

static bool keep_gap(const struct lamp_gap_view *v, void *arg)
{
    struct lamp_gap_view *out = arg;
    assert_string_equal(v->sensor, "s1");
    assert_string_equal(v->site, "north");
    assert_string_equal(v->reason, "quota");
    *out = *v;
    return true;
}

static void test_gaps(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_gap_view got = { 0 };
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_gap(f->s, &(struct lamp_store_gap){ .sensor_ref = f->sensor.ref,
                                                            .stream_ref = f->stream.ref,
                                                            .from_seq = 3,
                                                            .to_seq = 6,
                                                            .from_us = 1,
                                                            .to_us = 2,
                                                            .flows = 7,
                                                            .bytes = 8,
                                                            .reason = "quota",
                                                            .at_us = TEST_NOW_US }));
    ok(f->s, lamp_store_commit(f->s));
    ok(f->s, lamp_store_gaps(f->s, "s2", 0, keep_gap, &got));
    assert_int_equal(got.records, 0);
    ok(f->s, lamp_store_gaps(f->s, NULL, 0, keep_gap, &got));
    assert_int_equal(got.records, 4);
    assert_true(got.flows == 7 && got.bytes == 8 && got.to_us == 2 && got.at_us == TEST_NOW_US);
    fixture_free(f);
}

/* What a second site shows is news for the first one's miner too, once; later for the one that shows it. */
static void test_traces(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_store_sensor other;
    int64_t miners[LAMP_TRACE_SITES];
    size_t n = 99;
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_sensor(f->s, "s2", &other));
    struct lamp_trace here = { LAMP_TRACE_WALLET, "4w", f->sensor.site_ref, 1, TEST_NOW_US };
    struct lamp_trace there = { LAMP_TRACE_WALLET, "4w", other.site_ref, 2, TEST_NOW_US + 5 };
    ok(f->s, lamp_store_trace(f->s, &here, miners, &n));
    assert_int_equal(n, 0);
    here.miner_id = 3; /* another host of the same site is no other site */
    ok(f->s, lamp_store_trace(f->s, &here, miners, &n));
    assert_int_equal(n, 0);
    there.kind = LAMP_TRACE_WORKER; /* nor is something else that reads the same */
    ok(f->s, lamp_store_trace(f->s, &there, miners, &n));
    assert_int_equal(n, 0);
    there.kind = LAMP_TRACE_WALLET;
    ok(f->s, lamp_store_trace(f->s, &there, miners, &n));
    assert_true(n == 2 && miners[0] == 2 && miners[1] == 3);
    ok(f->s, lamp_store_trace(f->s, &here, miners, &n));
    assert_true(n == 1 && miners[0] == 3);
    here.at_us += 2 * LAMP_TRACE_US; /* what the other showed is long ago */
    ok(f->s, lamp_store_trace(f->s, &here, miners, &n));
    assert_int_equal(n, 0);
    ok(f->s, lamp_store_commit(f->s));
    fixture_free(f);
}

static void note_quiet(int64_t id, void *arg)
{
    int64_t *sum = arg;
    *sum = *sum * 10 + id;
}

static void test_quiet(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    int64_t got = 0;
    ok(f->s, lamp_store_begin(f->s));
    for (uint64_t i = 1; i <= 3; i++) {
        struct lamp_track_miner m = { .site_ref = f->sensor.site_ref,
                                      .vlan = (uint32_t)i,
                                      .last_us = TEST_NOW_US + i };
        ok(f->s, lamp_store_miner_save(f->s, &m));
        assert_int_equal(m.id, i);
    }
    ok(f->s, lamp_store_miners_quiet(f->s, TEST_NOW_US + 1, TEST_NOW_US + 2, note_quiet, &got));
    assert_int_equal(got, 2);
    ok(f->s, lamp_store_commit(f->s));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_rate_and_sums),
        cmocka_unit_test(test_rate_over_connections),
        cmocka_unit_test(test_rate_over_units),
        cmocka_unit_test(test_rate_methods),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_timeline),
        cmocka_unit_test(test_part_of_a_minute),
        cmocka_unit_test(test_absurd_sums),
        cmocka_unit_test(test_streams_bounded),
        cmocka_unit_test(test_paging),
        cmocka_unit_test(test_block_states),
        cmocka_unit_test(test_block_states_odd),
        cmocka_unit_test(test_block_filter),
        cmocka_unit_test(test_moved_sensor),
        cmocka_unit_test(test_coins),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_unknown_backend),
        cmocka_unit_test(test_traffic),
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_quiet),
    };
    size_t n = 0;
    int failed = 0;
    const struct lamp_store_ops *const *all = lamp_store_backends(&n);
    for (size_t i = 0; i < n; i++) {
        backend = all[i]->name;
        failed += cmocka_run_group_tests_name(backend, tests, NULL, NULL);
    }
    return failed;
}
