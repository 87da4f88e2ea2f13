/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in parts: SQL reads what was packed, a body cut or bent anywhere gives its rows before that and no more
 * happens, upkeep goes on past it and counts it, and a database whose rows stood for themselves is upgraded without
 * one lost. What connections proved is taken over from a database of before that was kept, too. */
#include "tests/support/aggregator.h"

#include "aggregator/store/parts.h"
#include "aggregator/store/sqlite_schema.h"
#include "aggregator/writer/upkeep.h"
#include "tests/support/rng.h"

#include "tests/support/guarded.h"

#include <inttypes.h>
#include <sqlite3.h>

enum { ROWS = 50, OLD_VERSION = 22 };

#define MINUTE_US UINT64_C(60000000)

static sqlite3 *memory_db(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    ok(NULL, lamp_parts_register(db));
    return db;
}

static uint64_t below(struct lamp_rng *rng, uint64_t n)
{
    return n ? lamp_rng_u64(rng) % n : 0;
}

static struct lamp_rollup_row random_row(struct lamp_rng *rng)
{
    static const char *const names[] = { "", "tls", "a.rather.long.name.example",
                                         "\xc3\xa9t\xc3\xa9" };
    static const uint64_t numbers[] = { 0, 1, 127, 128, 70000, UINT64_C(1) << 48, INT64_MAX };
    struct lamp_rollup_row r = { .ip_proto = (uint8_t)below(rng, 256),
                                 .service_port = (uint16_t)below(rng, 65536),
                                 .application = lamp_bytes_of(names[below(rng, 4)]),
                                 .remote_name = lamp_bytes_of(names[below(rng, 4)]),
                                 .flows = (uint32_t)numbers[below(rng, 5)] };
    uint64_t *const counts[] = { &r.bytes_out, &r.bytes_in, &r.packets_out, &r.packets_in };
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        *counts[i] = numbers[below(rng, ARRAY_LEN(numbers))];
    if (below(rng, 4)) {
        r.inside_addr = test_addr("10.1.2.3");
        r.remote_addr = test_addr(below(rng, 2) ? "2001:db8::7" : "198.18.0.1");
    }
    return r;
}

static void make_part(struct lamp_rng *rng, struct lamp_rollup_row rows[ROWS],
                      struct lamp_part *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = random_row(rng);
        ok(NULL, lamp_part_add(out, &rows[i]));
    }
}

static void assert_addr(sqlite3_stmt *st, int col, const struct lamp_addr *want)
{
    const size_t len = lamp_addr_is_v4(want) ? 4 : sizeof(want->b);
    assert_int_equal(sqlite3_column_bytes(st, col), len);
    assert_memory_equal(sqlite3_column_blob(st, col), want->b + sizeof(want->b) - len, len);
}

static void assert_text(sqlite3_stmt *st, int col, struct lamp_bytes want)
{
    assert_int_equal(sqlite3_column_bytes(st, col), want.len);
    assert_memory_equal(sqlite3_column_text(st, col), want.len ? (const char *)want.data : "",
                        want.len);
}

static void test_what_was_packed(void **state)
{
    (void)state;
    struct lamp_rng rng = { 1 };
    struct lamp_rollup_row rows[ROWS];
    struct lamp_part part = { 0 };
    sqlite3 *db = memory_db();
    sqlite3_stmt *st = NULL;
    make_part(&rng, rows, &part);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM part_rows(?)", -1, &st, NULL),
                     SQLITE_OK);
    sqlite3_bind_blob64(st, 1, part.data, part.len, SQLITE_STATIC);
    for (size_t i = 0; i < ROWS; i++) {
        const struct lamp_rollup_row *r = &rows[i];
        const uint64_t want[] = { r->bytes_out, r->bytes_in, r->packets_out, r->packets_in,
                                  r->flows };
        assert_int_equal(sqlite3_step(st), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int64(st, 0), i);
        assert_addr(st, 1, &r->inside_addr);
        assert_addr(st, 2, &r->remote_addr);
        assert_int_equal(sqlite3_column_int64(st, 3), r->ip_proto);
        assert_int_equal(sqlite3_column_int64(st, 4), r->service_port);
        assert_text(st, 5, r->application);
        assert_text(st, 6, r->remote_name);
        for (size_t k = 0; k < ARRAY_LEN(want); k++)
            assert_true((uint64_t)sqlite3_column_int64(st, 7 + (int)k) == want[k]);
    }
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    lamp_part_done(&part);
    sqlite3_close(db);
}

/* Steps to the end, asks for every value and returns how many rows there were. */
static size_t read_all(sqlite3_stmt *st, const uint8_t *body, size_t len)
{
    uint8_t *copy = guarded_dup(body, len);
    size_t n = 0;
    sqlite3_reset(st);
    sqlite3_bind_blob64(st, 1, copy, len, SQLITE_STATIC);
    int rc;
    for (; (rc = sqlite3_step(st)) == SQLITE_ROW; n++)
        for (int i = 0; i < sqlite3_column_count(st); i++)
            (void)sqlite3_column_text(st, i);
    assert_int_equal(rc, SQLITE_DONE);
    sqlite3_reset(st);
    guarded_free(copy);
    return n;
}

static bool is_damaged(sqlite3_stmt *st, const uint8_t *body, size_t len)
{
    uint8_t *copy = guarded_dup(body, len);
    sqlite3_reset(st);
    sqlite3_bind_blob64(st, 1, copy, len, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    const int is = sqlite3_column_int(st, 0);
    sqlite3_reset(st);
    guarded_free(copy);
    return is != 0;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    return st;
}

static void test_damage(void **state)
{
    (void)state;
    struct lamp_rng rng = { 2 };
    struct lamp_rollup_row rows[ROWS];
    struct lamp_part part = { 0 };
    size_t ends[ROWS], whole = 0;
    sqlite3 *db = memory_db();
    sqlite3_stmt *st = prepare(db, "SELECT * FROM part_rows(?)");
    sqlite3_stmt *bad = prepare(db, "SELECT part_damaged(?)");
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = random_row(&rng);
        ok(NULL, lamp_part_add(&part, &rows[i]));
        ends[i] = part.len;
    }
    for (size_t len = 0; len < part.len; len++) {
        whole += len == ends[whole];
        assert_int_equal(read_all(st, part.data, len), whole);
        /* A cut between two rows is not seen. */
        assert_int_equal(is_damaged(bad, part.data, len),
                         len && len != ends[whole ? whole - 1 : 0]);
    }
    for (int i = 0; i < 2000; i++) {
        const size_t where = below(&rng, part.len);
        uint8_t *at = &part.data[where], was = *at;
        size_t before = 0;
        while (ends[before] <= where)
            before++;
        *at ^= (uint8_t)(1 + below(&rng, 255));
        assert_true(read_all(st, part.data, part.len) >= before);
        (void)is_damaged(bad, part.data, part.len);
        *at = was;
    }
    static const uint8_t endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                       0x80, 0x80, 0x80, 0x80, 0x80, 1 };
    static const uint8_t high_port[] = { 0, 0, 6, 0xff, 0xff, 0x04, 0, 0, 1, 1, 1, 1, 1 };
    assert_int_equal(read_all(st, endless, sizeof(endless)), 0);
    assert_true(is_damaged(bad, endless, sizeof(endless)));
    assert_int_equal(read_all(st, high_port, sizeof(high_port)), 0);
    assert_true(is_damaged(bad, high_port, sizeof(high_port)));
    assert_int_equal(read_all(st, part.data, part.len), ROWS);
    assert_false(is_damaged(bad, part.data, part.len));
    sqlite3_finalize(st);
    sqlite3_finalize(bad);
    lamp_part_done(&part);
    sqlite3_close(db);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
}

/* A database of an old version with sites north and south, to be filled and closed. */
static sqlite3 *open_old(const char *path, int version)
{
    sqlite3 *db = NULL;
    char sql[64];
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
    for (int v = 0; v < version; v++)
        run_sql(db, lamp_upgrades[v]);
    run_sql(db, "INSERT INTO meta VALUES ('epoch', 1), ('interval_us', 10000000);"
                "INSERT INTO site (no, name) VALUES (1, 'north'), (2, 'south')");
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
    run_sql(db, sql);
    return db;
}

/* A database of version 22 with rows as they came: two of one key in a minute, and one that is too old to be
 * kept in minutes. */
static void make_old(const char *path)
{
    char sql[512];
    const uint64_t now = TEST_NOW_US / MINUTE_US;
    sqlite3 *db = open_old(path, OLD_VERSION);
    for (int i = 0; i < 3; i++) {
        snprintf(
            sql, sizeof(sql),
            "INSERT INTO rollup_minute VALUES (%" PRIu64 ", 1, 1, %d, 0,"
            " x'00000000000000000000ffff0a000001', x'00000000000000000000ffffc6120001', 6, 443,"
            " 'tls', 'a.example', 10, 100, 1, 2, 1)",
            i == 2 ? now - 2 * 1440 : now, i);
        run_sql(db, sql);
    }
    snprintf(sql, sizeof(sql), "UPDATE meta SET value = %" PRIu64 " WHERE key = 'minute_floor'",
             now - 1440);
    run_sql(db, sql);
    sqlite3_close(db);
}

static bool keep_view(const struct lamp_traffic_view *v, void *arg)
{
    struct lamp_traffic_view *to = arg;
    assert_string_equal(v->site, "north");
    assert_string_equal(v->remote_name, "a.example");
    assert_string_equal(v->application, "tls");
    to->bytes_in += v->bytes_in;
    to->flows += v->flows;
    return true;
}

static void test_upgrade(void **state)
{
    (void)state;
    char *folder = new_folder(), path[256];
    snprintf(path, sizeof(path), "%s/db", folder);
    make_old(path);
    lamp_store *s = open_store("sqlite", folder, false);
    static const struct {
        uint64_t days, flows;
    } spans[] = { { 0, 2 }, { 10, 3 } };
    for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
        const struct lamp_traffic_filter q = { .from_us =
                                                   TEST_NOW_US - spans[i].days * 1440 * MINUTE_US,
                                               .to_us = TEST_NOW_US };
        struct lamp_traffic_view sum = { .flows = 0 };
        ok(s, lamp_store_traffic(s, &q, keep_view, &sum));
        assert_int_equal(sum.flows, spans[i].flows);
        assert_int_equal(sum.bytes_in, 100 * spans[i].flows);
    }
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* ---- what was proved before version 28 ---- */

enum { BEFORE_PROVED = 27 };

static void add_conn(sqlite3 *db, const char *server, int site, uint64_t first_us, uint64_t last_us,
                     int verdict, const char *pool)
{
    static int id;
    char sql[1400];
    const struct lamp_addr a = test_addr(server);
    char hex[2 * sizeof(a.b) + 1];
    for (size_t i = 0; i < sizeof(a.b); i++)
        snprintf(hex + 2 * i, 3, "%02x", a.b[i]);
    snprintf(sql, sizeof(sql),
             "INSERT INTO conn (miner, sensor, site, run, conn_id, client, server, client_port,"
             " server_port, ip_proto, vlan, first_us, last_us, bytes_up, bytes_down, packets_up,"
             " packets_down, jobs, submitted, accepted, rejected, stale, work, squares, verdict,"
             " confidence, difficulty, self_rate, flags, family, coin, algorithm, wallet, worker,"
             " agent, pool, server_name, sni, ja4, hash_unit, recent) VALUES (1, 1, %d, x'01', %d,"
             " x'00', x'%s', 1, 3333, 6, 0, %" PRIu64 ", %" PRIu64 ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
             " 0, %d, 90, 0, 0, 0, '', 'C%s', '', '', '', '', '%s', '', '', '', '', x'')",
             site, ++id, hex, first_us, last_us, verdict, pool, pool);
    run_sql(db, sql);
}

struct proved {
    struct lamp_proved v[64];
    size_t n;
};

static bool keep_proved(const struct lamp_proved *p, void *arg)
{
    struct proved *to = arg;
    assert_true(to->n < ARRAY_LEN(to->v));
    to->v[to->n++] = *p;
    return true;
}

/* Of each server the connection that began first is the one that met it; those that nothing is learned of do not
 * come in. */
static void test_upgrade_proved(void **state)
{
    (void)state;
    static const char *const edges[] = {
        "9.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "11.0.0.0",
        "172.15.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.168.0.0",
        "192.169.0.0",
        "192.168.255.255",
        "100.63.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "127.0.0.0",
        "127.255.255.255",
        "128.0.0.0",
        "169.253.0.255",
        "169.254.0.0",
        "169.254.255.255",
        "169.255.0.0",
        "0.0.0.0",
        "0.255.255.255",
        "1.0.0.0",
        "223.255.255.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.254",
        "255.255.255.255",
        "fbff::1",
        "fc00::",
        "fdff:ffff::1",
        "fe00::",
        "fe7f::1",
        "fe80::",
        "febf:ffff::1",
        "fec0::",
        "ff00::",
        "ffff:ffff::1",
        "::",
        "::1",
        "::2",
    };
    const uint64_t t = TEST_NOW_US;
    char *folder = new_folder(), path[256];
    struct proved found = { .n = 0 };
    snprintf(path, sizeof(path), "%s/db", folder);
    sqlite3 *db = open_old(path, BEFORE_PROVED);
    add_conn(db, "203.0.113.1", 1, t + 50, t + 60, 3, "second");
    add_conn(db, "203.0.113.1", 2, t + 10, t + 20, 3, "first");
    add_conn(db, "203.0.113.1", 1, t + 30, t + 90, 3, "last");
    add_conn(db, "203.0.113.1", 1, t + 40, t + 50, 4, "proof");
    add_conn(db, "203.0.113.2", 1, t, t, 2, "suspected");
    for (size_t i = 0; i < ARRAY_LEN(edges); i++)
        add_conn(db, edges[i], 1, t, t, 4, "edge");
    sqlite3_close(db);

    lamp_store *s = open_store("sqlite", folder, false);
    ok(s, lamp_store_proved(s, 0, keep_proved, &found));
    size_t want = 1;
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        const struct lamp_addr a = test_addr(edges[i]);
        const bool learned = !lamp_addr_is_private(&a) && !lamp_addr_is_multicast(&a);
        size_t n = 0;
        for (size_t k = 0; k < found.n; k++)
            n += lamp_addr_eq(&found.v[k].addr, &a);
        if (n != learned)
            fail_msg("%s: %zu", edges[i], n);
        want += learned;
    }
    assert_int_equal(found.n, want);
    const struct lamp_addr first = test_addr("203.0.113.1");
    for (size_t k = 0; k < found.n; k++) {
        const struct lamp_proved *p = &found.v[k];
        if (!lamp_addr_eq(&p->addr, &first))
            continue;
        assert_string_equal(p->site, "south");
        assert_string_equal(p->coin, "Cfirst");
        assert_string_equal(p->pool, "first");
        assert_true(p->confirmed && p->first_us == t + 10 && p->last_us == t + 90);
    }
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* ---- upkeep over a damaged part ---- */

enum { MINUTES = 4 };

/* Puts MINUTES parts of ROWS rows of one flow each into a new database. */
static void fill(lamp_store *s)
{
    struct lamp_store_sensor sensor;
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_enroll(s, "s1", "north", TEST_NOW_US));
    ok(s, lamp_store_sensor(s, "s1", &sensor));
    for (uint64_t m = 0; m < MINUTES; m++)
        for (uint32_t i = 0; i < ROWS; i++) {
            const struct lamp_rollup_row r = { .minute = TEST_NOW_US / MINUTE_US + m,
                                               .inside_addr = test_addr("10.1.2.3"),
                                               .remote_addr = test_addr("198.18.0.1"),
                                               .ip_proto = 6,
                                               .service_port = (uint16_t)(i + 1),
                                               .flows = 1 };
            ok(s, lamp_store_rollup(s, sensor.site_ref, 1, m + 1, i, &r));
        }
    ok(s, lamp_store_commit(s));
}

static uint64_t flows_of(lamp_store *s, uint64_t minute, uint64_t n)
{
    const struct lamp_traffic_filter q = { .from_us = TEST_NOW_US + minute * MINUTE_US,
                                           .to_us = TEST_NOW_US + (minute + n - 1) * MINUTE_US };
    struct lamp_traffic_view sum;
    ok(s, lamp_store_traffic_total(s, &q, &sum));
    return sum.flows;
}

static uint64_t parts_left(sqlite3 *db)
{
    sqlite3_stmt *st = prepare(db, "SELECT count(*) FROM rollup_part");
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    const uint64_t n = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static const struct {
    const char *what, *damage; /* of the part of a minute */
    uint64_t minute, flows;    /* what can still be read of it */
} damages[] = {
    /* The port of the third row: a row is 5 + 5 + 2 + 2 + 5 bytes. */
    { "the oldest, in its third row",
      "substr(body, 1, 2 * 19 + 11) || x'ffff7f' || substr(body, 2 * 19 + 13)", 0, 2 },
    { "the oldest, wholly", "x'ff' || substr(body, 2)", 0, 0 },
    { "one in between, its end", "substr(body, 1, length(body) - 1)", 2, ROWS - 1 },
    { "the newest, wholly", "x'80808080'", MINUTES - 1, 0 },
};

static void test_upkeep_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        char *folder = new_folder(), path[256], sql[512];
        lamp_store *s = open_store("sqlite", folder, false);
        const uint64_t later_us = TEST_NOW_US + 60 * MINUTE_US;
        const uint64_t left = (MINUTES - 1) * ROWS + damages[i].flows;
        struct lamp_upkeep u = { .policy = { .settle_minutes = 1, .slice_rows = ROWS } };
        struct lamp_status_view status;
        sqlite3 *db = NULL;
        fill(s);
        snprintf(path, sizeof(path), "%s/db", folder);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        snprintf(sql, sizeof(sql),
                 "UPDATE rollup_part SET body = CAST(%s AS BLOB) WHERE minute = %" PRIu64,
                 damages[i].damage, TEST_NOW_US / MINUTE_US + damages[i].minute);
        run_sql(db, sql);
        assert_int_equal(flows_of(s, damages[i].minute, 1), damages[i].flows);
        assert_int_equal(flows_of(s, 0, MINUTES), left);

        for (int run = 0; run < MINUTES + 2; run++) {
            u.due_us = 0;
            lamp_upkeep_run(&u, s, false, later_us, 1);
        }
        if (parts_left(db) != 0)
            fail_msg("%s: %" PRIu64 " parts are not added up", damages[i].what, parts_left(db));
        assert_int_equal(flows_of(s, damages[i].minute, 1), damages[i].flows);
        assert_int_equal(flows_of(s, 0, MINUTES), left);
        ok(s, lamp_store_status(s, later_us, &status));
        assert_int_equal(status.damaged_parts, 1);

        /* And what is old goes. */
        u.policy.days[LAMP_STEP_MINUTE] = u.policy.days[LAMP_STEP_HOUR] = 1;
        u.policy.days[LAMP_STEP_DAY] = 1;
        for (int run = 0; run < MINUTES + 2; run++) { /* hours and days are made first */
            u.due_us = 0;
            lamp_upkeep_run(&u, s, false, later_us + 3 * 1440 * MINUTE_US, 1);
        }
        assert_int_equal(flows_of(s, 0, MINUTES), 0);
        ok(s, lamp_store_status(s, later_us, &status));
        assert_int_equal(status.damaged_parts, 1);
        sqlite3_close(db);
        lamp_store_close(s);
        remove_folder(folder);
        free(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_packed), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_upgrade),         cmocka_unit_test(test_upgrade_proved),
        cmocka_unit_test(test_upkeep_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
