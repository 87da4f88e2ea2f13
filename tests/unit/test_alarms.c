/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/aggregator.h"

#include "aggregator/policy/guard.h"
#include "aggregator/writer/tracker.h"

#define S UINT64_C(1000000)

struct fixture {
    char *folder;
    lamp_store *s;
    lamp_alarms *a;
    lamp_rigs *r;
    lamp_rules *rules;
    lamp_guard *g;
    struct lamp_store_sensor sensor;
    uint64_t seq, now_us;
};

static void open_alarms(struct fixture *f, double disk_free)
{
    const struct lamp_alarms_cfg cfg = { .store = f->s,
                                         .folder = f->folder,
                                         .started_us = f->now_us,
                                         .silent_us = 60 * S,
                                         .drops = 0.01,
                                         .disk_free = disk_free };
    lamp_alarms_free(f->a);
    lamp_guard_free(f->g);
    lamp_rigs_free(f->r);
    lamp_rules_free(f->rules);
    ok(f->s, lamp_alarms_new(&cfg, &f->a));
    ok(f->s, lamp_rigs_new(&(struct lamp_rigs_cfg){ f->s, f->a, 0.1, 300 * S, 0.5, NULL }, &f->r));
    ok(f->s, lamp_rules_new(&(struct lamp_rules_cfg){ .store = f->s }, &f->rules));
    ok(f->s, lamp_guard_new(&(struct lamp_guard_cfg){ f->s, f->a, f->r, f->rules }, &f->g));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    f->now_us = TEST_NOW_US;
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_sensor(f->s, "s1", &f->sensor));
    open_alarms(f, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_guard_free(f->g);
    lamp_rigs_free(f->r);
    lamp_rules_free(f->rules);
    lamp_alarms_free(f->a);
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

struct found {
    enum lamp_alert_kind kind;
    size_t n, open;
    int64_t id; /* of the newest */
    uint64_t count;
    char text[LAMP_ALERT_TEXT];
};

static bool find_kind(const struct lamp_alert_view *v, void *arg)
{
    struct found *x = arg;
    if (v->kind != x->kind)
        return true;
    if (x->n++ == 0) {
        x->id = v->id;
        x->count = v->count;
        snprintf(x->text, sizeof(x->text), "%s", v->text);
    }
    x->open += v->resolved_us == 0;
    return true;
}

static struct found find(struct fixture *f, enum lamp_alert_kind kind)
{
    struct found x = { .kind = kind };
    ok(f->s, lamp_store_alerts(f->s, &(struct lamp_alert_filter){ .limit = LAMP_ALERTS_MAX },
                               find_kind, &x));
    return x;
}

static void tick(struct fixture *f, uint64_t seconds)
{
    f->now_us += seconds * S;
    ok(f->s, lamp_alarms_tick(f->a, f->now_us));
    assert_true(lamp_alarms_due_us(f->a) > f->now_us);
}

static void hear(struct fixture *f, struct lamp_sensor_delta d)
{
    d.seen_us = f->now_us;
    ok(f->s, lamp_store_sensor_add(f->s, f->sensor.ref, &d));
}

static void set_counters(struct fixture *f, uint64_t packets, uint64_t drops)
{
    static const uint8_t run[16] = { 1 };
    ok(f->s, lamp_store_counters(
                 f->s, f->sensor.ref, run,
                 &(struct lamp_sensor_counters){ .packets = packets, .kernel_drops = drops }));
}

static int on_mined(const struct lamp_track_conn *c, const struct lamp_conn_row *delta, void *arg)
{
    struct fixture *f = arg;
    return lamp_guard_mined(
        f->g, &(struct lamp_guard_news){ "north", "s1", c, delta, f->now_us, f->now_us });
}

static bool not_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

static void mine(struct fixture *f, uint64_t conn_id, enum lamp_verdict verdict)
{
    const struct lamp_tracker t = { f->s, not_covered, ignore_id, f, on_mined, NULL };
    const struct lamp_record rec = { &f->sensor, 1, ++f->seq, f->now_us };
    struct lamp_conn_row row = test_row(conn_id, f->now_us - S, f->now_us);
    row.verdict = verdict;
    const struct lamp_batch b = test_batch(&row, 1, f->now_us - 10 * S, f->now_us);
    ok(f->s, lamp_tracker_merge(&t, &rec, &b));
}

/* Each condition of a sensor raises one alert, which ends with it, and is one again when it comes
 * back. */
static void test_sensors(void **state)
{
    struct fixture *f = *state;
    hear(f, (struct lamp_sensor_delta){ .batches = 1 });
    set_counters(f, 1000, 0);
    tick(f, 10);
    assert_int_equal(find(f, LAMP_ALERT_SENSOR_SILENT).n, 0);
    assert_int_equal(find(f, LAMP_ALERT_PACKETS_DROPPED).n, 0);
    for (int i = 0; i < 20; i++)
        tick(f, 10);
    struct found x = find(f, LAMP_ALERT_SENSOR_SILENT);
    assert_int_equal(x.n, 1);
    assert_int_equal(x.open, 1);
    assert_true(x.count >= 2 && x.count <= 4); /* once a minute */
    assert_non_null(strstr(x.text, "s1"));
    hear(f, (struct lamp_sensor_delta){
                .has_clock_offset = true, .clock_offset_us = -40 * (int64_t)S, .lost_records = 3 });
    set_counters(f, 2000, 100);
    tick(f, 10);
    assert_int_equal(find(f, LAMP_ALERT_SENSOR_SILENT).open, 0);
    assert_int_equal(find(f, LAMP_ALERT_PACKETS_DROPPED).open, 1);
    assert_int_equal(find(f, LAMP_ALERT_RECORDS_LOST).open, 1);
    x = find(f, LAMP_ALERT_CLOCK_OFF);
    assert_int_equal(x.open, 1);
    assert_non_null(strstr(x.text, "40 s behind"));
    /* One packet in a thousand is within reason; after five minutes it is over. */
    hear(f, (struct lamp_sensor_delta){ .has_clock_offset = true, .clock_offset_us = 5 });
    set_counters(f, 3000, 101);
    tick(f, 10);
    assert_int_equal(find(f, LAMP_ALERT_CLOCK_OFF).open, 0);
    assert_int_equal(find(f, LAMP_ALERT_PACKETS_DROPPED).open, 1);
    for (int i = 0; i < 30; i++) {
        hear(f, (struct lamp_sensor_delta){ .batches = 1 });
        tick(f, 10);
    }
    assert_int_equal(find(f, LAMP_ALERT_PACKETS_DROPPED).open, 0);
    assert_int_equal(find(f, LAMP_ALERT_RECORDS_LOST).open, 0);
    const int64_t before = find(f, LAMP_ALERT_SENSOR_SILENT).id;
    tick(f, 100);
    x = find(f, LAMP_ALERT_SENSOR_SILENT);
    assert_int_equal(x.n, 1);
    assert_int_equal(x.open, 1);
    assert_true(x.id > before);
    /* What is enrolled no more is not missed. */
    ok(f->s, lamp_store_unenroll(f->s, "s1"));
    tick(f, 10);
    assert_int_equal(find(f, LAMP_ALERT_SENSOR_SILENT).open, 0);
}

/* A restart of the aggregator is no silence of its sensors, and ends no alert that still holds. */
static void test_restart(void **state)
{
    struct fixture *f = *state;
    hear(f, (struct lamp_sensor_delta){ .batches = 1 });
    f->now_us += 3600 * S;
    open_alarms(f, 0);
    tick(f, 1);
    assert_int_equal(find(f, LAMP_ALERT_SENSOR_SILENT).n, 0);
    tick(f, 61);
    assert_int_equal(find(f, LAMP_ALERT_SENSOR_SILENT).open, 1);
    hear(f, (struct lamp_sensor_delta){ .batches = 1 });
    open_alarms(f, 0);
    tick(f, 1);
    assert_int_equal(find(f, LAMP_ALERT_SENSOR_SILENT).open, 0);
}

static void test_lists_and_spool(void **state)
{
    struct fixture *f = *state;
    struct lamp_set_status st = { .head.kind = LAMP_SET_BLOCK,
                                  .state = LAMP_SET_REFUSED,
                                  .code = LAMP_EPOLICY,
                                  .detail = lamp_bytes_of("too wide") };
    hear(f, (struct lamp_sensor_delta){ .batches = 1 });
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, f->now_us, ignore_id, NULL));
    tick(f, 10);
    struct found x = find(f, LAMP_ALERT_LIST_REFUSED);
    assert_int_equal(x.open, 1);
    assert_non_null(strstr(x.text, "refused a block list: too wide"));
    st = (struct lamp_set_status){ .head.kind = LAMP_SET_BLOCK, .state = LAMP_SET_CONFIRMED };
    ok(f->s, lamp_store_list_status(f->s, f->sensor.ref, &st, f->now_us, ignore_id, NULL));
    tick(f, 10);
    assert_int_equal(find(f, LAMP_ALERT_LIST_REFUSED).open, 0);

    static const struct {
        uint64_t bytes, quota;
        size_t open;
    } spools[] = { { 0, 0, 0 }, { 79, 100, 0 }, { 80, 100, 1 }, { 100, 100, 1 }, { 10, 100, 0 } };
    for (size_t i = 0; i < ARRAY_LEN(spools); i++) {
        ok(f->s,
           lamp_alarms_spool(f->a, "s1", "north", spools[i].bytes, spools[i].quota, f->now_us));
        assert_int_equal(find(f, LAMP_ALERT_SPOOL_FILLING).open, spools[i].open);
    }
    open_alarms(f, 1); /* no disk is wholly free */
    tick(f, 10);
    assert_int_equal(find(f, LAMP_ALERT_DISK_FILLING).open, 1);
    open_alarms(f, 0);
    tick(f, 10);
    assert_int_equal(find(f, LAMP_ALERT_DISK_FILLING).open, 0);
}

static void test_miners(void **state)
{
    struct fixture *f = *state;
    struct lamp_track_miner m;
    hear(f, (struct lamp_sensor_delta){ .batches = 1 });
    mine(f, 1, LAMP_VERDICT_SUSPECTED);
    assert_int_equal(find(f, LAMP_ALERT_MINER_PROBABLE).n, 0);
    mine(f, 1, LAMP_VERDICT_PROBABLE);
    assert_int_equal(find(f, LAMP_ALERT_MINER_PROBABLE).open, 1);
    mine(f, 1, LAMP_VERDICT_CONFIRMED);
    assert_int_equal(find(f, LAMP_ALERT_MINER_PROBABLE).open, 0);
    struct found x = find(f, LAMP_ALERT_MINER_CONFIRMED);
    assert_int_equal(x.open, 1);
    assert_string_equal(x.text,
                        "10.0.0.7 at north mines XMR at 203.0.113.9 port 3333, wallet 4wallet.");
    tick(f, 14 * 60);
    assert_int_equal(find(f, LAMP_ALERT_MINER_CONFIRMED).open, 1);
    tick(f, 2 * 60);
    assert_int_equal(find(f, LAMP_ALERT_MINER_CONFIRMED).open, 0);
    /* It comes back, though its verdict cannot rise any more; then it is wanted. */
    mine(f, 2, LAMP_VERDICT_CONFIRMED);
    const int64_t first = x.id;
    x = find(f, LAMP_ALERT_MINER_CONFIRMED);
    assert_int_equal(x.open, 1);
    assert_true(x.id > first);
    const struct lamp_conn_row row = test_row(1, 0, 0);
    ok(f->s, lamp_store_miner_find(f->s, f->sensor.site_ref, &row.client_addr, row.vlan, &m));
    static const struct {
        enum lamp_mark mark;
        const char *reason, *text; /* NULL: it is raised again */
    } marks[] = {
        { LAMP_MARK_SANCTIONED, "", "wallet 4wallet. It ended since ann sanctioned the miner." },
        { LAMP_MARK_NONE, "", NULL },
        { LAMP_MARK_DISMISSED, "a lab", "It ended since ann dismissed the miner: a lab." },
    };
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        ok(f->s, lamp_store_miner_mark(f->s, m.id, marks[i].mark, "ann", "", f->now_us));
        ok(f->s, lamp_guard_marked(f->g, m.id, marks[i].mark, "ann", marks[i].reason, f->now_us));
        if (marks[i].text) { /* at once, and for good */
            x = find(f, LAMP_ALERT_MINER_CONFIRMED);
            assert_int_equal(x.open, 0);
            assert_non_null(strstr(x.text, marks[i].text));
        }
        mine(f, 2, LAMP_VERDICT_CONFIRMED);
        assert_int_equal(find(f, LAMP_ALERT_MINER_CONFIRMED).open, !marks[i].text);
    }
}

/* The table is bounded: what has ended makes room, and where nothing has, what is refused counts. */
static void test_limit(void **state)
{
    struct fixture *f = *state;
    struct lamp_alert a = { .kind = LAMP_ALERT_MINER_PROBABLE };
    struct lamp_alert_counts n;
    int64_t id, first = 0;
    bool is_new;
    for (unsigned i = 0; i < LAMP_ALERTS_MAX; i++) {
        snprintf(a.subject, sizeof(a.subject), "host %u", i);
        ok(f->s, lamp_store_alert_raise(f->s, &a, f->now_us, &id, &is_new));
        assert_true(is_new && id > 0);
        first = first ? first : id;
    }
    snprintf(a.subject, sizeof(a.subject), "one more");
    assert_int_equal(lamp_store_alert_raise(f->s, &a, f->now_us, &id, &is_new), LAMP_EFULL);
    ok(f->s, lamp_alarms_set(f->a, &a, true, f->now_us));
    ok(f->s, lamp_store_alert_counts(f->s, &n));
    assert_int_equal(n.kept, LAMP_ALERTS_MAX);
    assert_int_equal(n.refused, 2);
    ok(f->s, lamp_store_alert_ack(f->s, first, "ann", f->now_us));
    ok(f->s, lamp_store_alert_ack(f->s, first, "bob", f->now_us));
    ok(f->s, lamp_store_alert_resolve(f->s, a.kind, "host 0", f->now_us, &id));
    assert_int_equal(id, first);
    ok(f->s, lamp_store_alert_raise(f->s, &a, f->now_us, &id, &is_new));
    ok(f->s, lamp_store_alert_counts(f->s, &n));
    assert_int_equal(n.kept, LAMP_ALERTS_MAX);
    assert_int_equal(n.open, LAMP_ALERTS_MAX);
    assert_int_equal(n.unacknowledged, LAMP_ALERTS_MAX);
    assert_int_equal(lamp_store_alert_ack(f->s, first, "ann", f->now_us), LAMP_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sensors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists_and_spool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_miners, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
