/* SPDX-License-Identifier: Apache-2.0 */
/* What is tracked, at the aggregator: beginnings and ends, what honest and hostile sensors send, limits, and the ring
 * of samples. The sensors are s1 of north and s2 of south. */
#include "aggregator/store/sqlite.h"
#include "aggregator/writer/trackbook.h"
#include "tests/support/merging.h"

#define SECOND UINT64_C(1000000)
#define DAY (86400 * SECOND)
#define STEP (LAMP_WIRE_TRACK_STEP_S * SECOND)

static struct merging g;
static char *folder, samples[160];
static lamp_samplebook *samplebook;
static lamp_trackbook *book;
static uint64_t now_us;

static void open_books(void)
{
    const struct lamp_samplebook_cfg cfg = { g.store, samples, 1 << 20, 30 };
    lamp_samplebook_free(samplebook);
    lamp_trackbook_free(book);
    assert_int_equal(lamp_samplebook_new(&cfg, &samplebook), LAMP_OK);
    const struct lamp_trackbook_cfg tracks = { g.store, samplebook, 30 };
    assert_int_equal(lamp_trackbook_new(&tracks, &book), LAMP_OK);
    g.m.samples = samplebook;
    g.m.trackings = book;
}

static int setup(void **state)
{
    (void)state;
    folder = new_folder();
    snprintf(samples, sizeof(samples), "%s/samples", folder);
    merging_open(&g, folder);
    now_us = TEST_NOW_US;
    open_books();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    book = lamp_trackbook_free(book);
    samplebook = lamp_samplebook_free(samplebook);
    merging_close(&g);
    remove_folder(folder);
    free(folder);
    return 0;
}

/* ---- what is asked, and told ---- */

static int run(const struct lamp_command *c, struct lamp_command_result *r)
{
    *r = (struct lamp_command_result){ 0 };
    ok(g.store, lamp_store_begin(g.store));
    const int err = lamp_trackbook_command(book, c, &g.answers, now_us, r);
    ok(g.store, lamp_store_commit(g.store));
    return err;
}

static int start(const char *site, uint32_t ring, int64_t *out_id)
{
    struct lamp_command_result r;
    struct lamp_command c = { .kind = LAMP_CMD_TRACKING,
                              .actor = "ann",
                              .tracking_change = LAMP_TRACKING_START,
                              .tracking = { .ring = ring,
                                            .order = { .what = LAMP_SAMPLE_REMOTE,
                                                       .packets = 100,
                                                       .packets_per_connection = 100,
                                                       .duration_s = 300,
                                                       .snaplen = 65535,
                                                       .bytes_max = 10000,
                                                       .expires_us = 3600 * SECOND,
                                                       .matches = { { .remote_port = 3333 } },
                                                       .n_matches = 1 } } };
    snprintf(c.tracking.order.site, sizeof(c.tracking.order.site), "%s", site);
    const int err = run(&c, &r);
    assert_true((err != LAMP_OK) == (*r.why != '\0'));
    *out_id = r.key_id;
    return err;
}

static int change(int64_t id, bool remove)
{
    struct lamp_command_result r;
    const struct lamp_command c = { .kind = LAMP_CMD_TRACKING,
                                    .actor = "bob",
                                    .tracking_change =
                                        remove ? LAMP_TRACKING_REMOVE : LAMP_TRACKING_END,
                                    .tracking = { .id = id } };
    return run(&c, &r);
}

static void tick(void)
{
    ok(g.store, lamp_store_begin(g.store));
    ok(g.store, lamp_trackbook_tick(book, &g.answers, now_us));
    ok(g.store, lamp_store_commit(g.store));
}

/* The messages of a type that wait for a sensor, all forgotten; the last in *out, if it is of such a kind. */
static size_t told(enum lamp_msg_type type, const char *sensor, struct lamp_order *out)
{
    size_t n = 0;
    for (const struct lamp_letter *l = g.answers.first; l; l = l->next) {
        struct lamp_msg *m;
        assert_int_equal(lamp_msg_unpack(l->data, l->len, &m), LAMP_OK);
        if (m->type == type && streq(l->sensor, sensor)) {
            n++;
            *out = m->u.order;
        }
        lamp_msg_free(m);
    }
    lamp_answers_drop(&g.answers);
    return n;
}

static bool take_tracking(const struct lamp_tracking *v, void *arg)
{
    memcpy(arg, v, sizeof(*v));
    return false;
}

static struct lamp_tracking tracking(int64_t id)
{
    struct lamp_tracking v = { .id = 0 };
    ok(g.store, lamp_store_trackings(g.store, &(struct lamp_tracking_filter){ .id = id },
                                     take_tracking, &v));
    return v;
}

static bool take_sensor(const struct lamp_tracking_sensor *v, void *arg)
{
    memcpy(arg, v, sizeof(*v));
    return false;
}

/* Of the first sensor. */
static struct lamp_tracking_sensor sensor_of(int64_t id)
{
    struct lamp_tracking_sensor v = { .tracking_id = 0 };
    ok(g.store,
       lamp_store_tracking_sensors(
           g.store, &(struct lamp_tracking_sensor_filter){ .tracking_id = id, .sums = true },
           take_sensor, &v));
    return v;
}

struct sum {
    size_t n;
    uint64_t bytes_out, bytes_in;
};

static bool add_step(const struct lamp_tracking_step *v, void *arg)
{
    struct sum *s = arg;
    s->n++;
    s->bytes_out += v->bytes_out;
    s->bytes_in += v->bytes_in;
    return true;
}

static struct sum steps(int64_t id, uint32_t step_s)
{
    const struct lamp_tracking_step_filter f = { id, 0, now_us + DAY, step_s };
    struct sum s = { 0 };
    ok(g.store, lamp_store_tracking_steps(g.store, &f, add_step, &s));
    return s;
}

/* ---- what sensors say ---- */

static void say(const char *sensor, struct lamp_msg *m)
{
    struct lamp_letter l = { .msg = m, .at_us = now_us, .cost = 100, .session_bytes = 100 };
    snprintf(l.sensor, sizeof(l.sensor), "%s", sensor);
    lamp_answers_drop(&g.answers);
    ok(g.store, lamp_store_begin(g.store));
    ok(g.store, lamp_merge_letter(&g.m, &l));
    ok(g.store, lamp_store_commit(g.store));
}

static void status(const char *sensor, uint64_t wire, enum lamp_order_state st, const char *words)
{
    struct lamp_msg m = { .type = LAMP_MSG_ORDER_STATUS };
    m.u.order_status = (struct lamp_order_status){ wire, st, 0, lamp_bytes_of(words), 0, 0 };
    say(sensor, &m);
}

static void hello(const char *sensor)
{
    struct lamp_msg m = { .type = LAMP_MSG_HELLO,
                          .u.hello = { .proto_min = 1, .proto_max = 1, .t_real_us = now_us } };
    say(sensor, &m);
}

/* A record with rows, the next of the sensor's stream. */
static void rows(const char *sensor, struct lamp_track_row *v, size_t n)
{
    static uint64_t seq[2];
    const size_t k = streq(sensor, "s2");
    struct lamp_batch b = {
        .t_from_us = now_us - STEP, .t_to_us = now_us, .tracks = v, .n_tracks = n
    };
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len;
    struct lamp_msg m = { .type = LAMP_MSG_SUMMARY };
    b.cap_run[0] = (uint8_t)(k + 1);
    assert_int_equal(lamp_batch_pack(&b, &packed, &len), LAMP_OK);
    m.u.summary = (struct lamp_summary){ .stream = { { (uint8_t)(k + 1) } },
                                         .t_from_us = b.t_from_us,
                                         .t_to_us = b.t_to_us,
                                         .n_rows = n,
                                         .batch = { packed, len } };
    struct lamp_store_sensor s;
    struct lamp_store_stream st;
    ok(g.store, lamp_store_sensor(g.store, sensor, &s));
    seq[k] =
        lamp_store_stream(g.store, s.ref, &m.u.summary.stream, &st) == LAMP_OK ? st.next_seq : 1;
    m.u.summary.seq = seq[k];
    say(sensor, &m);
}

/* ---- tests ---- */

static void test_life(void **state)
{
    (void)state;
    struct lamp_order o;
    int64_t id;
    assert_int_equal(start("north", 0, &id), LAMP_OK);
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 1);
    assert_int_equal(o.kind, LAMP_ORDER_SAMPLE);
    assert_int_equal(o.duration_s, 3600);
    assert_int_equal(o.n_matches, 1);
    const uint64_t wire = o.id, step = now_us / STEP;
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_ASKED);
    status("s1", wire, LAMP_ORDER_RUNNING, "");
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_RUNS);

    struct lamp_track_row v[] = { { wire, step, 100, 1000, 1, 10 },
                                  { wire, step + 1, 200, 2000, 2, 20 },
                                  { wire, step, 50, 500, 1, 5 } };
    rows("s1", v, ARRAY_LEN(v));
    struct sum s = steps(id, 10);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.bytes_out, 350);
    assert_int_equal(s.bytes_in, 3500);
    assert_int_equal(steps(id, 86400).bytes_out, 350);
    assert_int_equal(tracking(id).rows, 2);
    assert_int_equal(sensor_of(id).bytes, 3850);

    /* Either side starts anew: it is said again, with what is left of the time. */
    now_us += 600 * SECOND;
    open_books();
    hello("s1");
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 1);
    assert_int_equal(o.id, wire);
    assert_int_equal(o.duration_s, 3000);
    tick();
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 1);
    assert_true(lamp_trackbook_due_us(book) > now_us);

    /* It ends by time; what was seen before and comes late still counts. */
    now_us += 3000 * SECOND;
    tick();
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 1);
    assert_int_equal(o.kind, LAMP_ORDER_CANCEL);
    assert_int_equal(tracking(id).ended_us, now_us);
    assert_string_equal(tracking(id).ended_by, "");
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_OVER);
    rows("s1", v, 1);
    assert_int_equal(steps(id, 10).bytes_out, 450);
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 1); /* and it hears that it is over */
    assert_int_equal(o.kind, LAMP_ORDER_CANCEL);
    assert_int_equal(change(id, false), LAMP_OK); /* changes nothing */
    assert_string_equal(tracking(id).ended_by, "");

    now_us += 30 * DAY + SECOND;
    tick();
    assert_int_equal(tracking(id).id, 0);
    assert_int_equal(steps(id, 10).n, 0);
}

/* The text of the statement that was run last. */
static int keep_text(unsigned what, void *arg, void *st, void *expanded)
{
    (void)what, (void)expanded;
    snprintf(arg, 2048, "%s", sqlite3_sql(st));
    return 0;
}

/* What is asked each time that a sensor or a page comes reads no table from its beginning to its end. */
static void test_plans(void **state)
{
    (void)state;
    static const struct {
        struct lamp_tracking_sensor_filter f;
        const char *want, *never;
    } cases[] = {
        { { .sensor_ref = 1, .open = true }, "tracking_sensor_open", "SCAN" },
        { { .tracking_id = 1 }, "SEARCH k USING PRIMARY KEY", "tracking_step" },
        { { .tracking_id = 1, .sums = true }, "SEARCH k USING PRIMARY KEY", "SCAN k" },
    };
    sqlite3 *db = ((struct lamp_sqlite *)g.store)->db;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sql[2048], plan[2200], found[2048] = "";
        struct lamp_tracking_sensor v;
        sqlite3_stmt *st;
        sqlite3_trace_v2(db, SQLITE_TRACE_STMT, keep_text, sql);
        ok(g.store, lamp_store_tracking_sensors(g.store, &cases[i].f, take_sensor, &v));
        sqlite3_trace_v2(db, 0, NULL, NULL);
        snprintf(plan, sizeof(plan), "EXPLAIN QUERY PLAN %s", sql);
        assert_int_equal(sqlite3_prepare_v2(db, plan, -1, &st, NULL), SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW) {
            const size_t len = strlen(found);
            snprintf(found + len, sizeof(found) - len, "%s; ",
                     (const char *)sqlite3_column_text(st, 3));
        }
        sqlite3_finalize(st);
        if (!strstr(found, cases[i].want) || strstr(found, cases[i].never))
            fail_msg("%zu: %s", i, found);
    }
}

static void test_ends_by_hand(void **state)
{
    (void)state;
    struct lamp_order o;
    int64_t id;
    assert_int_equal(start("", 0, &id), LAMP_OK);
    assert_int_equal(told(LAMP_MSG_TRACK, "s2", &o), 1);
    for (unsigned i = 0; i < 2; i++) { /* the second time changes nothing */
        now_us += SECOND;
        assert_int_equal(change(id, false), LAMP_OK);
        assert_int_equal(tracking(id).ended_us, TEST_NOW_US + SECOND);
        assert_string_equal(tracking(id).ended_by, "bob");
        assert_int_equal(told(LAMP_MSG_TRACK, "s2", &o), i == 0);
        assert_int_equal(o.kind, LAMP_ORDER_CANCEL);
    }
    status("s2", tracking(id).order.wire, LAMP_ORDER_RUNNING, ""); /* it did not hear */
    assert_int_equal(told(LAMP_MSG_TRACK, "s2", &o), 1);
    assert_int_equal(o.kind, LAMP_ORDER_CANCEL);
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_OVER);
    assert_int_equal(change(id, true), LAMP_OK);
    assert_int_equal(tracking(id).id, 0);
    assert_int_equal(change(id, true), LAMP_ENOENT);
    assert_int_equal(start("nowhere", 0, &id), LAMP_ENOENT);

    assert_int_equal(start("north", 0, &id), LAMP_OK); /* taken out while it goes on */
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 1);
    assert_int_equal(change(id, true), LAMP_OK);
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 1);
    assert_int_equal(o.kind, LAMP_ORDER_CANCEL);
}

/* Two sensors that see the same packets are not two times the bytes. */
static void test_seen_twice(void **state)
{
    (void)state;
    int64_t id;
    assert_int_equal(start("", 0, &id), LAMP_OK);
    const uint64_t wire = tracking(id).order.wire, step = now_us / STEP;
    struct lamp_track_row a[] = { { wire, step, 100, 1000, 1, 1 }, { wire, step + 1, 5, 0, 1, 0 } };
    struct lamp_track_row b[] = { { wire, step, 90, 1100, 1, 1 } };
    rows("s1", a, 2);
    rows("s2", b, 1);
    assert_int_equal(tracking(id).rows, 3);
    const struct sum s = steps(id, 10);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.bytes_out, 105);
    assert_int_equal(s.bytes_in, 1100);
}

/* What no network carries stays a number that can be added up. */
static void test_absurd_rows(void **state)
{
    (void)state;
    const uint64_t most = UINT64_C(1) << 48;
    struct lamp_track_row r[64];
    int64_t id;
    assert_int_equal(start("", 0, &id), LAMP_OK);
    const uint64_t wire = tracking(id).order.wire, step = now_us / STEP;
    for (size_t i = 0; i < ARRAY_LEN(r); i++)
        r[i] = (struct lamp_track_row){ wire, step + i % 2, most, most, most, most };
    rows("s1", r, ARRAY_LEN(r));
    const struct sum s = steps(id, 10);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.bytes_out, UINT64_C(2) << 40);
    assert_int_equal(s.bytes_in, UINT64_C(2) << 40);
}

/* Each order that nobody knows is cancelled, but not by more messages than came. */
static void test_many_unknown(void **state)
{
    (void)state;
    struct lamp_track_row r[64];
    struct lamp_order o;
    for (size_t i = 0; i < ARRAY_LEN(r); i++)
        r[i] = (struct lamp_track_row){ 1000 + i, now_us / STEP, 1, 1, 1, 1 };
    rows("s1", r, ARRAY_LEN(r));
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 8);
}

static void test_refused_rows(void **state)
{
    (void)state;
    struct lamp_order o;
    int64_t id;
    assert_int_equal(start("north", 0, &id), LAMP_OK);
    const uint64_t wire = tracking(id).order.wire, step = now_us / STEP;
    static const struct {
        const char *label, *sensor;
        int64_t ahead; /* steps from the beginning */
        bool known, taken;
    } cases[] = {
        { "its own", "s1", 0, true, true },
        { "of another sensor's", "s2", 0, true, false },
        { "unknown", "s1", 0, false, false },
        { "a clock that is off a little", "s1", -30, true, true },
        { "long before", "s1", -100, true, false },
        { "near the end", "s1", 361, true, true },
        { "long after", "s1", 460, true, false },
        { "the end of time", "s1", INT64_C(1) << 40, true, false },
        { "once round", "s1", INT64_C(1844674407371), true, false },
    };
    uint64_t refused = 0, taken = 0, of_it = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_track_row row = {
            cases[i].known ? wire : wire ^ 1, step + (uint64_t)cases[i].ahead, 1, 1, 1, 1
        };
        struct lamp_tracking_totals t;
        rows(cases[i].sensor, &row, 1);
        taken += cases[i].taken;
        refused += !cases[i].taken;
        of_it += !cases[i].taken && cases[i].known && streq(cases[i].sensor, "s1");
        const bool stranger = !cases[i].known || streq(cases[i].sensor, "s2");
        ok(g.store, lamp_store_tracking_totals(g.store, "", &t));
        if (tracking(id).rows != taken || tracking(id).rows_refused != of_it ||
            t.rows_refused != refused || told(LAMP_MSG_TRACK, cases[i].sensor, &o) != stranger)
            fail_msg("%s", cases[i].label);
    }
    /* A row that is there may grow, and another is refused, once there are as many as there may be. */
    ok(g.store, lamp_store_begin(g.store));
    ok(g.store, lamp_store_tracking_count(g.store, id, LAMP_TRACKING_ROWS - taken, 0));
    ok(g.store, lamp_store_commit(g.store));
    struct lamp_track_row more = { wire, step + 5, 1, 1, 1, 1 };
    rows("s1", &more, 1);
    assert_int_equal(tracking(id).rows, LAMP_TRACKING_ROWS);
    assert_int_equal(tracking(id).rows_refused, of_it + 1);
}

static void test_limits(void **state)
{
    (void)state;
    struct lamp_tracking_totals t;
    int64_t id, first = 0;
    for (unsigned i = 0; i < LAMP_TRACKINGS_SITE; i++) {
        assert_int_equal(start("north", i < LAMP_TRACKINGS_SITE_RINGS, &id), LAMP_OK);
        first = first ? first : id;
        if (i == LAMP_TRACKINGS_SITE_RINGS)
            assert_int_equal(start("north", 1, &id), LAMP_EFULL);
    }
    assert_int_equal(start("north", 0, &id), LAMP_EFULL);
    assert_int_equal(start("", 0, &id), LAMP_EFULL); /* is at north, too */
    assert_int_equal(start("south", 0, &id), LAMP_OK);
    ok(g.store, lamp_store_tracking_totals(g.store, "north", &t));
    assert_int_equal(t.open, LAMP_TRACKINGS_SITE + 1);
    assert_int_equal(t.refused, 3);

    /* Those that are over make room, the oldest first. */
    assert_int_equal(change(first + 1, false), LAMP_OK);
    ok(g.store, lamp_store_begin(g.store));
    for (uint64_t i = t.kept; i < LAMP_TRACKINGS_KEPT; i++) {
        struct lamp_tracking over = { .order = { .wire = i, .created_us = now_us } };
        ok(g.store, lamp_store_tracking_add(g.store, &over));
        ok(g.store, lamp_store_tracking_end(g.store, over.id, now_us, "ann"));
    }
    ok(g.store, lamp_store_commit(g.store));
    assert_int_equal(start("nowhere", 0, &id), LAMP_ENOENT); /* takes out none */
    assert_int_equal(tracking(first + 1).id, first + 1);
    assert_int_equal(start("south", 0, &id), LAMP_OK);
    ok(g.store, lamp_store_tracking_totals(g.store, "north", &t));
    assert_int_equal(t.kept, LAMP_TRACKINGS_KEPT);
    assert_int_equal(tracking(first).id, first); /* goes on, and stays */
    assert_int_equal(tracking(first + 1).id, 0);
}

static void test_states_of_sensors(void **state)
{
    (void)state;
    struct lamp_order o;
    int64_t id;
    assert_int_equal(start("north", 0, &id), LAMP_OK);
    const uint64_t wire = tracking(id).order.wire;
    status("s1", wire, LAMP_ORDER_REFUSED, "8 targets are tracked here already");
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_REFUSED);
    assert_string_equal(sensor_of(id).words, "8 targets are tracked here already");
    tick();
    assert_int_equal(told(LAMP_MSG_TRACK, "s1", &o), 1); /* there may be room by now */
    status("s1", wire, LAMP_ORDER_RUNNING, "");
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_RUNS);
    assert_string_equal(sensor_of(id).words, "");

    /* One that is away is waited for; one that is there and says nothing knows nothing of it. */
    assert_int_equal(start("south", 0, &id), LAMP_OK);
    now_us += 120 * SECOND;
    tick();
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_ASKED);
    hello("s2");
    now_us += SECOND;
    tick();
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_UNKNOWN);
    assert_non_null(strstr(sensor_of(id).words, "knows no tracking"));
    status("s2", tracking(id).order.wire, LAMP_ORDER_RUNNING, ""); /* was updated */
    assert_int_equal(sensor_of(id).state, LAMP_TRACKING_RUNS);
}

struct ids {
    int64_t v[2 * LAMP_TRACKING_RING];
    size_t n;
};

static bool collect(const struct lamp_sample *v, void *arg)
{
    struct ids *w = arg;
    w->v[w->n++] = v->id;
    return true;
}

static struct ids samples_of(int64_t id)
{
    struct ids w = { .n = 0 };
    ok(g.store,
       lamp_store_samples(g.store, &(struct lamp_sample_filter){ .tracking_id = id }, collect, &w));
    return w;
}

/* The sample that was ordered last comes, with len bytes. */
static void deliver(uint64_t wire, size_t len)
{
    static const uint8_t bytes[100];
    struct lamp_msg m = { .type = LAMP_MSG_SAMPLE_CHUNK,
                          .u.sample_chunk = { wire, 0, { bytes, len }, true } };
    say("s1", &m);
    lamp_answers_drop(&g.answers);
}

static void test_ring(void **state)
{
    (void)state;
    struct lamp_order o = { .id = 0 };
    int64_t id;
    assert_int_equal(start("north", 2, &id), LAMP_OK);
    lamp_answers_drop(&g.answers);
    int64_t newest = 0;
    for (unsigned i = 0; i < 5; i++) {
        tick();
        assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 1);
        assert_int_equal(o.duration_s, 300);
        const uint64_t wire = o.id;
        tick();
        assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 0); /* one at a time */
        const struct ids w = samples_of(id);
        assert_int_equal(w.n, i < 2 ? i + 1 : 3); /* two beside the one under way */
        assert_true(w.v[0] > newest);             /* the newest stay */
        newest = w.v[0];
        deliver(wire, 100);
        now_us += 10 * SECOND;
    }
    /* One that nothing came of is not followed at once, and takes no place of the ring. */
    tick();
    assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 1);
    deliver(o.id, 0);
    tick();
    assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 0);
    now_us += 300 * SECOND;
    tick();
    assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 1);
    const struct ids w = samples_of(id);
    assert_int_equal(w.n, 3);
    assert_int_equal(w.v[1], newest);
    deliver(o.id, 100);

    assert_int_equal(change(id, false), LAMP_OK);
    tick();
    assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 0);
    assert_int_equal(samples_of(id).n, 3); /* they stay with the history */
    assert_int_equal(change(id, true), LAMP_OK);
    assert_int_equal(samples_of(id).n, 0);
    assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 0);

    /* The sample that is under way goes with its tracking, at the sensor, too. */
    assert_int_equal(start("north", 2, &id), LAMP_OK);
    tick();
    assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 1);
    const uint64_t wire = o.id;
    assert_int_equal(change(id, true), LAMP_OK);
    assert_int_equal(told(LAMP_MSG_ORDER, "s1", &o), 1);
    assert_int_equal(o.kind, LAMP_ORDER_CANCEL);
    assert_int_equal(o.id, wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seen_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absurd_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_states_of_sensors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
