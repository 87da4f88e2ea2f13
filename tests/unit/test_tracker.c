/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/aggregator.h"

#include "aggregator/writer/tracker.h"

#include <math.h>

struct fixture {
    char *folder;
    lamp_store *s;
    struct lamp_store_sensor sensor;
    uint64_t seq;
    bool covered;
    int touched;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_sensor(f->s, "s1", &f->sensor));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static bool is_covered(const struct lamp_miner_target *t, void *arg)
{
    assert_string_equal(t->site, "north");
    return ((struct fixture *)arg)->covered;
}

static void on_touched(int64_t id, void *arg)
{
    (void)id;
    ((struct fixture *)arg)->touched++;
}

static void merge(struct fixture *f, struct lamp_conn_row *rows, size_t n)
{
    const struct lamp_tracker t = { f->s, is_covered, on_touched, f, NULL, NULL };
    const struct lamp_record rec = { &f->sensor, 1, ++f->seq, TEST_NOW_US + 10000000 };
    const struct lamp_batch b = test_batch(rows, n, TEST_NOW_US, TEST_NOW_US + 10000000);
    ok(f->s, lamp_tracker_merge(&t, &rec, &b));
}

static int find(struct fixture *f, const struct lamp_conn_row *row, struct lamp_track_miner *out)
{
    return lamp_store_miner_find(f->s, f->sensor.site_ref, &row->client_addr, row->vlan, out);
}

/* Wallet traffic makes no miner; once it turns into mining, all of it counts. */
static void test_wallet_first(void **state)
{
    struct fixture *f = *state;
    struct lamp_track_miner m;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 5);
    row.verdict = LAMP_VERDICT_WALLET;
    merge(f, &row, 1);
    assert_int_equal(find(f, &row, &m), LAMP_ENOENT);
    assert_int_equal(f->touched, 0);
    row.verdict = LAMP_VERDICT_SUSPECTED;
    merge(f, &row, 1);
    ok(f->s, find(f, &row, &m));
    assert_int_equal(m.verdict, LAMP_VERDICT_SUSPECTED);
    assert_int_equal(m.connections, 1);
    assert_int_equal(m.totals.bytes_up, 200);
    row.verdict = LAMP_VERDICT_NONE; /* verdicts only rise */
    merge(f, &row, 1);
    ok(f->s, find(f, &row, &m));
    assert_int_equal(m.verdict, LAMP_VERDICT_SUSPECTED);
    assert_int_equal(m.totals.bytes_up, 300);
    assert_int_equal(f->touched, 2);
}

/* The same connection twice in one record is hostile or a bug; its counts still add up. */
static void test_twice_in_a_record(void **state)
{
    struct fixture *f = *state;
    struct lamp_track_miner m;
    struct lamp_conn_row rows[2] = { test_row(1, TEST_NOW_US, TEST_NOW_US + 5),
                                     test_row(1, TEST_NOW_US, TEST_NOW_US + 6) };
    merge(f, rows, 2);
    ok(f->s, find(f, rows, &m));
    assert_int_equal(m.connections, 1);
    assert_int_equal(m.totals.accepted, 2);
}

/* VLANs and hosts are apart, lists have the newest first, hostile text stays one line. */
static void test_lists(void **state)
{
    struct fixture *f = *state;
    struct lamp_track_miner m;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 5);
    merge(f, &row, 1);
    row.conn_id = 2;
    row.last_us++;
    row.worker = lamp_bytes_of("a\nb\xff");
    merge(f, &row, 1);
    ok(f->s, find(f, &row, &m));
    assert_string_equal(m.list[LAMP_LIST_WORKERS], "a\\x0ab\\xff\nrig1");
    assert_string_equal(m.list[LAMP_LIST_WALLETS], "4wallet");
    assert_string_equal(m.list[LAMP_LIST_SENSORS], "s1");
    assert_int_equal(m.connections, 2);
    row.vlan = 7;
    assert_int_equal(find(f, &row, &m), LAMP_ENOENT);

    for (uint64_t i = 10; i < 60; i++) { /* bounded */
        char name[16];
        snprintf(name, sizeof(name), "w%u", (unsigned)i);
        row = test_row(i, TEST_NOW_US, TEST_NOW_US + i);
        row.worker = lamp_bytes_of(name);
        merge(f, &row, 1);
    }
    ok(f->s, find(f, &row, &m));
    assert_memory_equal(m.list[LAMP_LIST_WORKERS], "w59\nw58\n", 8);
    assert_null(strstr(m.list[LAMP_LIST_WORKERS], "rig1"));
}

/* The verdict of a connection that follows another of the same client and server. */
static void test_pairs(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum lamp_verdict was, is; /* of the connection before, of this one by itself */
        uint64_t ago_s;            /* end of the one before, before the start of this one */
        uint16_t port;
        bool by_memory; /* the sensor says that `is` comes from its own memory */
        enum lamp_verdict want;
        bool want_recalled;
    } cases[] = {
        { "known again", LAMP_VERDICT_PROBABLE, LAMP_VERDICT_SUSPECTED, 60, 3333, false,
          LAMP_VERDICT_PROBABLE, true },
        { "rises", LAMP_VERDICT_PROBABLE, LAMP_VERDICT_CONFIRMED, 60, 3333, false,
          LAMP_VERDICT_CONFIRMED, false },
        { "falls not", LAMP_VERDICT_CONFIRMED, LAMP_VERDICT_PROBABLE, 60, 3333, false,
          LAMP_VERDICT_CONFIRMED, true },
        { "just within a day", LAMP_VERDICT_PROBABLE, LAMP_VERDICT_SUSPECTED, 86399, 3333, false,
          LAMP_VERDICT_PROBABLE, true },
        { "a day later", LAMP_VERDICT_PROBABLE, LAMP_VERDICT_SUSPECTED, 86400, 3333, false,
          LAMP_VERDICT_SUSPECTED, false },
        { "another port", LAMP_VERDICT_PROBABLE, LAMP_VERDICT_SUSPECTED, 60, 3334, false,
          LAMP_VERDICT_SUSPECTED, false },
        { "nothing suspected of it", LAMP_VERDICT_PROBABLE, LAMP_VERDICT_WALLET, 60, 3333, false,
          LAMP_VERDICT_WALLET, false },
        { "by the sensor's memory", LAMP_VERDICT_PROBABLE, LAMP_VERDICT_PROBABLE, 60, 3333, true,
          LAMP_VERDICT_PROBABLE, true },
    };
    static const uint8_t run[16] = { 1, 2, 3 };
    const uint64_t now = TEST_NOW_US, second = 1000000;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        void *fixture = NULL;
        setup(&fixture);
        struct fixture *f = fixture;
        const uint64_t ended = now - cases[i].ago_s * second;
        struct lamp_conn_row row = test_row(1, ended - 5 * second, ended);
        row.verdict = cases[i].was;
        row.confidence = 9600;
        merge(f, &row, 1);
        row = test_row(2, now, now + second);
        row.verdict = cases[i].is;
        row.confidence = 7000;
        row.server_port = cases[i].port;
        row.flags = cases[i].by_memory ? LAMP_CONN_RECALLED : 0;
        merge(f, &row, 1);
        struct lamp_track_conn *c = calloc(1, sizeof(*c));
        assert_non_null(c);
        ok(f->s, lamp_store_conn_find(f->s, f->sensor.ref, run, 2, c));
        if (c->row.verdict != cases[i].want ||
            !(c->row.flags & LAMP_CONN_RECALLED) == cases[i].want_recalled)
            fail_msg("%s: verdict %d, flags %u", cases[i].label, (int)c->row.verdict, c->row.flags);
        /* what was only recalled prolongs nothing */
        struct lamp_track_pair p = { .site_ref = f->sensor.site_ref,
                                     .client = row.client_addr,
                                     .server = row.server_addr,
                                     .server_port = 3333,
                                     .ip_proto = row.ip_proto };
        ok(f->s, lamp_store_pair_find(f->s, &p));
        if (cases[i].want_recalled)
            assert_int_equal(p.last_us, ended);
        free(c);
        teardown(&fixture);
    }
}

static void test_blocked(void **state)
{
    struct fixture *f = *state;
    struct lamp_track_miner m;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 5);
    f->covered = true;
    merge(f, &row, 1);
    ok(f->s, find(f, &row, &m));
    assert_true(m.blocked);
}

/* A clock that runs far ahead does not reach history. */
static void test_future(void **state)
{
    struct fixture *f = *state;
    struct lamp_track_miner m;
    struct lamp_conn_row row = test_row(1, UINT64_MAX - 1, UINT64_MAX);
    merge(f, &row, 1);
    ok(f->s, find(f, &row, &m));
    assert_true(m.last_us < TEST_NOW_US + 600 * UINT64_C(1000000));
}

/* Numbers out of reason are not stored, and do not make the store refuse the record. */
static void test_absurd(void **state)
{
    struct fixture *f = *state;
    struct lamp_track_miner m;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 5);
    row.bytes_up = UINT64_MAX;
    row.work_hashes = (double)NAN;
    row.self_rate = (double)INFINITY;
    merge(f, &row, 1);
    merge(f, &row, 1);
    ok(f->s, find(f, &row, &m));
    assert_true(m.totals.bytes_up < INT64_MAX);
}

/* A reason without a detail does not borrow that of the reason it replaces. */
static void test_evidence(void **state)
{
    struct fixture *f = *state;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 5);
    merge(f, &row, 1);
    row.evidence = &(struct lamp_evidence){ .kind = lamp_bytes_of("share") };
    merge(f, &row, 1);
    static const uint8_t run[16] = { 1, 2, 3 };
    struct lamp_track_conn *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    ok(f->s, lamp_store_conn_find(f->s, f->sensor.ref, run, 1, c));
    assert_string_equal(c->evidence[0].kind, "share");
    assert_string_equal(c->evidence[0].detail, "");
    row.hash_unit = lamp_bytes_of("bananas/s"); /* rates are in one of three units */
    merge(f, &row, 1);
    ok(f->s, lamp_store_conn_find(f->s, f->sensor.ref, run, 1, c));
    assert_string_equal(c->text[LAMP_TEXT_HASH_UNIT], "H/s");
    row.tunnel_kind = lamp_bytes_of("socks5");
    row.tunnel_host = lamp_bytes_of("pool.example.org");
    row.tunnel_port = 3333;
    merge(f, &row, 1);
    row.tunnel_kind = row.tunnel_host = (struct lamp_bytes){ 0 }; /* what is known stays */
    row.tunnel_port = 0;
    merge(f, &row, 1);
    ok(f->s, lamp_store_conn_find(f->s, f->sensor.ref, run, 1, c));
    assert_string_equal(c->text[LAMP_TEXT_TUNNEL_KIND], "socks5");
    assert_string_equal(c->text[LAMP_TEXT_TUNNEL_HOST], "pool.example.org");
    assert_int_equal(c->row.tunnel_port, 3333);
    free(c);
}

static bool any_site(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

struct fleet_seen {
    unsigned n;
    bool wallet;
};

static bool count_fleet(const struct lamp_sighting_view *v, void *arg)
{
    struct fleet_seen *got = arg;
    if (!streq(v->kind, "fleet"))
        return true;
    assert_string_equal(v->sensor, "");
    got->n++;
    got->wallet |= streq(v->detail, "the same wallet at several sites: 4wallet") &&
                   streq(v->strength, "strong");
    return true;
}

static struct fleet_seen fleet_of(struct fixture *f, int64_t miner_id)
{
    struct fleet_seen got = { .n = 0 };
    uint64_t left_out;
    ok(f->s, lamp_store_sightings(f->s, miner_id, count_fleet, &got, &left_out));
    return got;
}

/* What hosts of two sites have in common is told of both; what two hosts of one site have, of neither. */
static void test_fleet(void **state)
{
    struct fixture *f = *state;
    struct lamp_store_sensor there;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 5);
    const struct lamp_tracker t = { f->s, any_site, on_touched, f, NULL, NULL };
    merge(f, &row, 1);
    row = test_row(2, TEST_NOW_US, TEST_NOW_US + 5);
    row.client_addr = test_addr("10.0.0.8");
    row.server_addr = test_addr("203.0.113.10");
    merge(f, &row, 1);
    assert_true(fleet_of(f, 1).n == 0 && fleet_of(f, 2).n == 0);

    ok(f->s, lamp_store_enroll(f->s, "s2", "south", TEST_NOW_US));
    ok(f->s, lamp_store_sensor(f->s, "s2", &there));
    const struct lamp_record rec = { &there, 2, 1, TEST_NOW_US + 10000000 };
    row = test_row(3, TEST_NOW_US, TEST_NOW_US + 5);
    row.server_addr = test_addr("203.0.113.11");
    row.worker = lamp_bytes_of("another");
    const struct lamp_batch b = test_batch(&row, 1, TEST_NOW_US, TEST_NOW_US + 10000000);
    ok(f->s, lamp_tracker_merge(&t, &rec, &b));
    assert_true(fleet_of(f, 3).n == 1 && fleet_of(f, 3).wallet);
    assert_true(fleet_of(f, 2).n == 1 && fleet_of(f, 2).wallet); /* the last there that showed it */
    assert_int_equal(fleet_of(f, 1).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wallet_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_twice_in_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_future, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absurd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_evidence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet, setup, teardown),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
