/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in parts: SQL reads what was packed, a body cut or bent anywhere is refused and no more, and a database
 * whose rows stood for themselves is upgraded without one lost. */
#include "tests/support/aggregator.h"

#include "aggregator/store/parts.h"
#include "aggregator/store/sqlite_schema.h"
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

/* Steps to the end; returns what it ended with. Every value is asked for. */
static int read_all(sqlite3_stmt *st, const uint8_t *body, size_t len)
{
    uint8_t *copy = guarded_dup(body, len);
    int rc;
    sqlite3_reset(st);
    sqlite3_bind_blob64(st, 1, copy, len, SQLITE_STATIC);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(st); i++)
            (void)sqlite3_column_text(st, i);
    sqlite3_reset(st);
    guarded_free(copy);
    return rc;
}

static void test_damage(void **state)
{
    (void)state;
    struct lamp_rng rng = { 2 };
    struct lamp_rollup_row rows[ROWS];
    struct lamp_part part = { 0 };
    sqlite3 *db = memory_db();
    sqlite3_stmt *st = NULL;
    unsigned refused = 0;
    make_part(&rng, rows, &part);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM part_rows(?)", -1, &st, NULL),
                     SQLITE_OK);
    for (size_t len = 0; len < part.len; len++) {
        const int rc = read_all(st, part.data, len);
        assert_true(rc == SQLITE_DONE || (rc & 0xff) == SQLITE_CORRUPT);
        refused += rc != SQLITE_DONE;
    }
    assert_int_equal(refused, part.len - ROWS); /* a cut between two rows is not seen */
    for (int i = 0; i < 2000; i++) {
        uint8_t *at = &part.data[below(&rng, part.len)], was = *at;
        *at ^= (uint8_t)(1 + below(&rng, 255));
        const int rc = read_all(st, part.data, part.len);
        assert_true(rc == SQLITE_DONE || (rc & 0xff) == SQLITE_CORRUPT);
        *at = was;
    }
    static const uint8_t endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                       0x80, 0x80, 0x80, 0x80, 0x80, 1 };
    assert_int_equal(read_all(st, endless, sizeof(endless)) & 0xff, SQLITE_CORRUPT);
    assert_int_equal(read_all(st, part.data, part.len), SQLITE_DONE);
    sqlite3_finalize(st);
    lamp_part_done(&part);
    sqlite3_close(db);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
}

/* A database of version 22 with rows as they came: two of one key in a minute, and one that is too old to be
 * kept in minutes. */
static void make_old(const char *path)
{
    sqlite3 *db = NULL;
    char sql[512];
    const uint64_t now = TEST_NOW_US / MINUTE_US;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
    for (size_t v = 0; v < OLD_VERSION; v++)
        run_sql(db, lamp_upgrades[v]);
    run_sql(db, "INSERT INTO meta VALUES ('epoch', 1), ('interval_us', 10000000);"
                "INSERT INTO site (no, name) VALUES (1, 'north')");
    for (int i = 0; i < 3; i++) {
        snprintf(
            sql, sizeof(sql),
            "INSERT INTO rollup_minute VALUES (%" PRIu64 ", 1, 1, %d, 0,"
            " x'00000000000000000000ffff0a000001', x'00000000000000000000ffffc6120001', 6, 443,"
            " 'tls', 'a.example', 10, 100, 1, 2, 1)",
            i == 2 ? now - 2 * 1440 : now, i);
        run_sql(db, sql);
    }
    snprintf(sql, sizeof(sql),
             "UPDATE meta SET value = %" PRIu64 " WHERE key = 'minute_floor';"
             "PRAGMA user_version = %d",
             now - 1440, OLD_VERSION);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_packed),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
