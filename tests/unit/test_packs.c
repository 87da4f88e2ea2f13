/* SPDX-License-Identifier: Apache-2.0 */
/* Packs: SQL reads what was packed, all of it or what has an address; a damaged one has no rows and no more happens;
 * whatever comes in whatever order, what is asked of minutes, hours and days is what came; a database of before there
 * were packs is upgraded without a row lost. */
#include "tests/support/aggregator.h"

#include "aggregator/store/history.h"
#include "aggregator/store/packs.h"
#include "aggregator/store/sqlite_schema.h"
#include "tests/support/guarded.h"
#include "tests/support/rng.h"

#include <inttypes.h>

enum { ROWS = 80, HOSTS = 5, REMOTES = 7, OLD_VERSION = 29 };

#define MINUTE_US UINT64_C(60000000)

static uint64_t below(struct lamp_rng *rng, uint64_t n)
{
    return lamp_rng_u64(rng) % n;
}

/* What is asked of SQL: a number. */
static int64_t number(sqlite3 *db, const char *sql, struct lamp_bytes keys, struct lamp_bytes body)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    const int n = sqlite3_bind_parameter_count(st);
    if (n > 0)
        sqlite3_bind_blob64(st, 1, keys.data, keys.len, SQLITE_STATIC);
    if (n > 1)
        sqlite3_bind_blob64(st, 2, body.data, body.len, SQLITE_STATIC);
    if (sqlite3_step(st) != SQLITE_ROW)
        fail_msg("%s", sqlite3_errmsg(db));
    const int64_t v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
}

static struct lamp_addr a_host(uint64_t i)
{
    return i == 0 ? (struct lamp_addr){ { 0 } }
                  : lamp_addr_from_v4((const uint8_t[]){ 10, 0, 0, (uint8_t)i });
}

static struct lamp_addr a_remote(uint64_t i)
{
    if (i == 0)
        return (struct lamp_addr){ { 0 } };
    return i % 2 ? lamp_addr_from_v4((const uint8_t[]){ 198, 18, 0, (uint8_t)i })
                 : (struct lamp_addr){ { 0x20, 1, 0xd, 0xb8, [15] = (uint8_t)i } };
}

static struct lamp_rollup_row a_row(struct lamp_rng *rng)
{
    static const char *const names[] = { "", "a.example", "a.rather.long.name.example" };
    const uint64_t counts[] = { 0, 1, 127, 128, 70000, UINT64_C(1) << 48, UINT64_MAX };
    struct lamp_rollup_row r = {
        .inside_addr = a_host(below(rng, HOSTS)),
        .remote_addr = a_remote(below(rng, REMOTES)),
        .ip_proto = (uint8_t)(below(rng, 2) ? 6 : 17),
        .service_port = (uint16_t)(below(rng, 3) * 30000),
        .application = lamp_bytes_of(below(rng, 2) ? "tls" : ""),
        .remote_name = lamp_bytes_of(names[below(rng, 3)]),
        .bytes_out = counts[below(rng, 7)],
        .bytes_in = counts[below(rng, 6)],
        .packets_out = counts[below(rng, 5)],
        .packets_in = counts[below(rng, 4)],
        .flows = 1,
    };
    return r;
}

/* ---- packing ---- */

static struct lamp_bytes bytes_of(const struct lamp_part *p)
{
    return (struct lamp_bytes){ p->data, p->len };
}

static sqlite3 *memory_db(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    ok(NULL, lamp_packs_register(db));
    return db;
}

static void make_pack(struct lamp_rng *rng, struct lamp_part *part, struct lamp_part *keys,
                      struct lamp_part *body)
{
    struct lamp_pack_rows rows = { 0 };
    bool damaged = true;
    for (size_t i = 0; i < ROWS; i++) {
        const struct lamp_rollup_row r = a_row(rng);
        ok(NULL, lamp_part_add(part, &r));
    }
    ok(NULL, lamp_pack_rows_part(&rows, 100, bytes_of(part), &damaged));
    ok(NULL, lamp_pack_rows_part(&rows, 103, bytes_of(part), &damaged));
    assert_false(damaged);
    lamp_pack_rows_merge(&rows);
    ok(NULL, lamp_pack_write(rows.v, rows.n, 90, keys, body));
    lamp_pack_rows_done(&rows);
}

static void test_what_was_packed(void **state)
{
    (void)state;
    static const char *const same[] = {
#define KEY " inside, remote, ip_proto, service_port, application, max(remote_name)"
#define SUMMED(column) ", CAST(min(2 * total(" column "), 4e18) AS INTEGER)"
#define OF_PART                                                                                    \
    "SELECT" KEY SUMMED("min(bytes_out, 4000000000000000000)") SUMMED("bytes_in")                  \
        SUMMED("packets_out") SUMMED("packets_in")                                                 \
            SUMMED("flows") ", 100, 103 FROM (SELECT * FROM p, part_rows(p.body)) GROUP BY 1, 2, " \
                            "3, 4, 5"
#define OF_PACK "SELECT * FROM (SELECT r.* FROM p, pack_rows(p.k, p.b) r)"
        "SELECT count(*) FROM (" OF_PART " EXCEPT " OF_PACK ")",
        "SELECT count(*) FROM (" OF_PACK " EXCEPT " OF_PART ")",
        "SELECT (SELECT count(*) FROM (" OF_PART ")) - (SELECT count(*) FROM (" OF_PACK "))",
    };
    struct lamp_rng rng = { 1 };
    struct lamp_part part = { 0 }, keys = { 0 }, body = { 0 };
    sqlite3 *db = memory_db();
    sqlite3_stmt *st = NULL;
    make_pack(&rng, &part, &keys, &body);
    run_sql(db, "CREATE TABLE p (body, k, b)");
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO p VALUES (?, ?, ?)", -1, &st, NULL),
                     SQLITE_OK);
    const struct lamp_part *const values[] = { &part, &keys, &body };
    for (int i = 0; i < 3; i++)
        sqlite3_bind_blob64(st, i + 1, values[i]->data, values[i]->len, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        assert_int_equal(number(db, same[i], bytes_of(&keys), bytes_of(&body)), 0);
    assert_true(number(db, "SELECT count(*) FROM p, pack_rows(p.k, p.b)", bytes_of(&keys),
                       bytes_of(&body)) > ROWS / 2);

    /* Of a host and of a remote: however it is asked, and none of one that is not there. */
    static const char *const addresses[] = { "x'0a000001'",  "x'c6120001'",
                                             "zeroblob(16)", "x'20010db8000000000000000000000002'",
                                             "x'0b000001'",  "x'00'" };
    int64_t found = 0;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        for (size_t k = 0; k < ARRAY_LEN(addresses); k++) {
            char sql[768];
            snprintf(sql, sizeof(sql),
                     "WITH a(i, r) AS (VALUES (%s, %s)), n AS (SELECT"
                     " (SELECT count(*) FROM a, p, pack_rows(p.k, p.b) x WHERE +x.inside = a.i"
                     " AND +x.remote = a.r) AS want, (SELECT count(*) FROM a, p,"
                     " pack_rows(p.k, p.b) x WHERE x.inside = a.i AND x.remote = a.r) AS eq,"
                     " (SELECT count(*) FROM a, p, pack_rows(p.k, p.b, a.i, a.r)) AS arg,"
                     " (SELECT pack_has(p.k, a.i, a.r) FROM a, p) AS has)"
                     " SELECT CASE WHEN want = eq AND want = arg AND (want = 0 OR has)"
                     " THEN want ELSE -1 END FROM n",
                     addresses[i], addresses[k]);
            const int64_t n = number(db, sql, bytes_of(&keys), bytes_of(&body));
            if (n < 0)
                fail_msg("%s %s", addresses[i], addresses[k]);
            found += n;
        }
    assert_true(found > 0);
    assert_int_equal(
        number(db, "SELECT pack_has(k, x'', x'') FROM p", bytes_of(&keys), bytes_of(&body)), 1);
    assert_int_equal(
        number(db, "SELECT pack_has(k, x'0b000001', x'') FROM p", bytes_of(&keys), bytes_of(&body)),
        0);
    /* Two different ones are none, and the same one twice is that one. */
    assert_int_equal(number(db,
                            "SELECT count(*) FROM p, pack_rows(p.k, p.b, x'0a000001') r"
                            " WHERE r.inside = x'0a000002'",
                            bytes_of(&keys), bytes_of(&body)),
                     0);
    assert_true(number(db,
                       "SELECT count(*) FROM p, pack_rows(p.k, p.b, x'0a000001') r"
                       " WHERE r.inside = x'0a000001'",
                       bytes_of(&keys), bytes_of(&body)) > 0);
    lamp_part_done(&part);
    lamp_part_done(&keys);
    lamp_part_done(&body);
    sqlite3_close(db);
}

/* All rows and every value of them; -1: as many as there are is not what pack_damaged() says. */
static int64_t read_damaged(sqlite3 *db, struct lamp_bytes keys, struct lamp_bytes body)
{
    uint8_t *k = guarded_dup(keys.data, keys.len), *b = guarded_dup(body.data, body.len);
    const struct lamp_bytes own_keys = { k, keys.len }, own_body = { b, body.len };
    const int64_t n = number(db,
                             "SELECT count(length(inside) + length(remote) + length(application)"
                             " + length(remote_name) + bytes_out + last) FROM pack_rows(?1, ?2)",
                             own_keys, own_body);
    const int64_t bad = number(db, "SELECT pack_damaged(?1, ?2)", own_keys, own_body);
    (void)number(db, "SELECT pack_has(?1, x'0a000001', x'c6120001')", own_keys, own_body);
    guarded_free(k);
    guarded_free(b);
    return bad == (n == 0) ? n : -1;
}

static void test_damage(void **state)
{
    (void)state;
    struct lamp_rng rng = { 2 };
    struct lamp_part part = { 0 }, keys = { 0 }, body = { 0 };
    sqlite3 *db = memory_db();
    make_pack(&rng, &part, &keys, &body);
    const int64_t all = read_damaged(db, bytes_of(&keys), bytes_of(&body));
    assert_true(all > ROWS / 2);
    for (size_t len = 0; len < keys.len; len++)
        assert_int_equal(read_damaged(db, (struct lamp_bytes){ keys.data, len }, bytes_of(&body)),
                         0);
    for (size_t len = 0; len < body.len; len += 3)
        assert_int_equal(read_damaged(db, bytes_of(&keys), (struct lamp_bytes){ body.data, len }),
                         0);
    for (int i = 0; i < 300; i++) {
        struct lamp_part *p = below(&rng, 4) ? &body : &keys;
        uint8_t *at = &p->data[below(&rng, p->len)], was = *at;
        *at ^= (uint8_t)(1 + below(&rng, 255));
        assert_true(read_damaged(db, bytes_of(&keys), bytes_of(&body)) >= 0);
        *at = was;
    }
    assert_int_equal(read_damaged(db, bytes_of(&keys), bytes_of(&body)), all);
    /* Addresses in another order would not all be found. */
    uint8_t first[4];
    memcpy(first, keys.data + 2, 4);
    memcpy(keys.data + 2, keys.data + 6, 4);
    memcpy(keys.data + 6, first, 4);
    assert_int_equal(read_damaged(db, bytes_of(&keys), bytes_of(&body)), 0);
    lamp_part_done(&part);
    lamp_part_done(&keys);
    lamp_part_done(&body);
    sqlite3_close(db);
}

/* ---- as the store does it ---- */

enum { CAME = 1500, DAYS = 3, SITES = 2 };

static struct {
    struct lamp_rollup_row row;
    uint64_t site;
} came[CAME];

struct sums {
    uint64_t bytes, flows, first_us, last_us;
};

static bool add_view(const struct lamp_traffic_view *v, void *arg)
{
    struct sums *s = arg;
    s->bytes += v->bytes_in;
    s->flows += v->flows;
    s->first_us = v->first_us < s->first_us ? v->first_us : s->first_us;
    s->last_us = v->last_us > s->last_us ? v->last_us : s->last_us;
    return true;
}

/* A random question, answered by the store and by all that came of the first n. */
static void ask(lamp_store *s, struct lamp_rng *rng, size_t n, uint64_t begin)
{
    static const char *const sites[] = { "north", "south" };
    const uint64_t from = begin + below(rng, DAYS * 1440);
    const uint64_t to = from + below(rng, begin + DAYS * 1440 - from);
    const struct lamp_addr host = a_host(below(rng, HOSTS)), remote = a_remote(below(rng, REMOTES));
    const uint64_t site = below(rng, SITES + 1);
    const bool of_host = below(rng, 2), of_remote = below(rng, 2), of_tls = below(rng, 4) == 0;
    const struct lamp_traffic_filter q = {
        .from_us = from * MINUTE_US,
        .to_us = to * MINUTE_US,
        .site = site < SITES ? sites[site] : NULL,
        .host = of_host ? &host : NULL,
        .remote = of_remote ? &remote : NULL,
        .application = of_tls ? "tls" : NULL,
        .limit = 10000,
    };
    struct sums want = { .first_us = UINT64_MAX }, got = { .first_us = UINT64_MAX };
    struct lamp_traffic_view total;
    for (size_t i = 0; i < n; i++) {
        const struct lamp_rollup_row *r = &came[i].row;
        if (r->minute < from || r->minute > to || (q.site && came[i].site != site) ||
            (of_host && !lamp_addr_eq(&r->inside_addr, &host)) ||
            (of_remote && !lamp_addr_eq(&r->remote_addr, &remote)) ||
            (of_tls && !lamp_bytes_eq(r->application, "tls")))
            continue;
        const struct lamp_traffic_view v = { .bytes_in = r->bytes_in,
                                             .flows = r->flows,
                                             .first_us = r->minute * MINUTE_US,
                                             .last_us = r->minute * MINUTE_US };
        add_view(&v, &want);
    }
    ok(s, lamp_store_traffic(s, &q, add_view, &got));
    ok(s, lamp_store_traffic_total(s, &q, &total));
    assert_int_equal(got.flows, want.flows);
    assert_int_equal(total.flows, want.flows);
    assert_true(got.bytes == want.bytes && total.bytes_in == want.bytes);
    assert_true(got.first_us == want.first_us && got.last_us == want.last_us);
}

static void upkeep(lamp_store *s, uint64_t minute, uint32_t slice_rows, int most)
{
    const struct lamp_store_policy policy = { .settle_minutes = 2, .slice_rows = slice_rows };
    struct lamp_maintained done = { .more = true };
    for (int i = 0; i < most && done.more; i++) {
        ok(s, lamp_store_begin(s));
        ok(s, lamp_store_maintain(s, &policy, minute * MINUTE_US, &done));
        ok(s, lamp_store_commit(s));
        assert_int_equal(done.damaged_parts, 0);
    }
}

static int64_t number_in(const char *folder, const char *sql)
{
    char path[256];
    sqlite3 *db = NULL;
    const struct lamp_bytes none = { NULL, 0 };
    snprintf(path, sizeof(path), "%s/db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    ok(NULL, lamp_packs_register(db));
    const int64_t n = number(db, sql, none, none);
    sqlite3_close(db);
    return n;
}

/* Rows of three days, one in eight hours or days late, with upkeep that gets through and upkeep that is left in the
 * middle of a minute, an hour, a day. */
static void test_late_and_early(void **state)
{
    (void)state;
    struct lamp_rng rng = { 3 };
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    struct lamp_store_sensor sensors[SITES];
    const uint64_t begin = TEST_NOW_US / MINUTE_US / 1440 * 1440;
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_enroll(s, "s1", "north", TEST_NOW_US));
    ok(s, lamp_store_enroll(s, "s2", "south", TEST_NOW_US));
    ok(s, lamp_store_sensor(s, "s1", &sensors[0]));
    ok(s, lamp_store_sensor(s, "s2", &sensors[1]));
    ok(s, lamp_store_commit(s));
    for (size_t i = 0; i < CAME;) {
        const uint64_t now = begin + i * DAYS * 1440 / CAME;
        ok(s, lamp_store_begin(s));
        for (size_t end = lamp_min(i + 50, CAME); i < end; i++) {
            const uint64_t late = below(&rng, 8) ? below(&rng, 5) : below(&rng, 2500);
            came[i].row = a_row(&rng);
            came[i].row.bytes_in = below(&rng, 100000);
            came[i].site = below(&rng, SITES);
            came[i].row.minute = now > begin + late ? now - late : begin;
            ok(s, lamp_store_rollup(s, sensors[came[i].site].site_ref, 1, i + 1, 0, &came[i].row));
        }
        ok(s, lamp_store_commit(s));
        upkeep(s, now, below(&rng, 2) ? 1 + (uint32_t)below(&rng, 40) : 0, (int)below(&rng, 40));
        for (int k = 0; k < 3; k++)
            ask(s, &rng, i, begin);
    }
    upkeep(s, begin + (DAYS + 1) * 1440, 0, 1000);
    for (int k = 0; k < 100; k++)
        ask(s, &rng, CAME, begin);

    /* All of it went through minutes and hours into days. */
    assert_int_equal(number_in(folder, "SELECT count(*) FROM rollup_part"), 0);
    assert_int_equal(number_in(folder, "SELECT sum(flows) FROM traffic_minute"), CAME);
    assert_int_equal(number_in(folder, "SELECT sum(flows) FROM traffic_hour"), CAME);
    assert_int_equal(number_in(folder, "SELECT sum(flows) FROM traffic_day"), CAME);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* ---- while somebody reads ---- */

static struct lamp_store_sensor enroll(lamp_store *s)
{
    struct lamp_store_sensor sensor;
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_enroll(s, "s1", "north", TEST_NOW_US));
    ok(s, lamp_store_sensor(s, "s1", &sensor));
    ok(s, lamp_store_commit(s));
    return sensor;
}

/* One record of n rows of a minute, the first of them of remote address `base`. */
static void put_rows(lamp_store *s, const struct lamp_store_sensor *to, uint64_t minute, unsigned n,
                     unsigned base)
{
    static uint64_t seq;
    ok(s, lamp_store_begin(s));
    seq++;
    for (unsigned i = 0; i < n; i++) {
        const unsigned k = base + i;
        const struct lamp_rollup_row r = {
            .minute = minute,
            .inside_addr = a_host(1 + k % 5),
            .remote_addr = lamp_addr_from_v4(
                (const uint8_t[]){ 198, (uint8_t)(k >> 16), (uint8_t)(k >> 8), (uint8_t)k }),
            .ip_proto = 6,
            .service_port = 443,
            .bytes_in = 100,
            .flows = 1,
            .application = lamp_bytes_of("tls"),
            .remote_name = lamp_bytes_of(""),
        };
        ok(s, lamp_store_rollup(s, to->site_ref, 1, seq, i, &r));
    }
    ok(s, lamp_store_commit(s));
}

static uint64_t flows_of(lamp_store *s, uint64_t from, uint64_t to)
{
    const struct lamp_traffic_filter q = { .from_us = from * MINUTE_US, .to_us = to * MINUTE_US };
    struct lamp_traffic_view total;
    ok(s, lamp_store_traffic_total(s, &q, &total));
    return total.flows;
}

/* The writer of a race, and the minute until which it does its upkeep when a reader begins to read packs. */
static struct {
    lamp_store *writer;
    uint64_t minute;
} race;

static int note_statement(unsigned what, void *arg, void *st, void *sql)
{
    (void)what, (void)arg, (void)st;
    lamp_store *writer = race.writer;
    if (writer && strstr(sql, "pack_rows")) {
        race.writer = NULL;
        upkeep(writer, race.minute, 0, 100);
    }
    return 0;
}

static int watch_statements(sqlite3 *db, char **why, const void *api)
{
    (void)why, (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, note_statement, NULL);
}

/* An hour and a day that are made after a reader has seen that they are not. */
static void test_race(void **state)
{
    (void)state;
    char *folder = new_folder();
    const uint64_t day = TEST_NOW_US / MINUTE_US / 1440 * 1440;
    lamp_store *s = open_store("sqlite", folder, false);
    const struct lamp_store_sensor sensor = enroll(s);
    sqlite3_auto_extension((void (*)(void))watch_statements);
    lamp_store *reader = open_store("sqlite", folder, true);
    sqlite3_cancel_auto_extension((void (*)(void))watch_statements);
    upkeep(s, day, 0, 100);
    put_rows(s, &sensor, day + 10, 5, 0);
    const uint64_t untils[] = { day + 30, day + 63, day + 1500 };
    for (size_t i = 0; i < ARRAY_LEN(untils); i++) {
        race.writer = s;
        race.minute = untils[i];
        assert_int_equal(flows_of(reader, day - 1440, day + 2879), 5);
        assert_null(race.writer);
        assert_int_equal(flows_of(reader, day - 1440, day + 2879), 5);
    }
    lamp_store_close(reader);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* ---- late, many, damaged, forgotten ---- */

static void test_backlog(void **state)
{
    (void)state;
    enum { MINUTES = 200, ROWS_EACH = 3 };
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    const struct lamp_store_sensor sensor = enroll(s);
    const uint64_t day = TEST_NOW_US / MINUTE_US / 1440 * 1440;
    upkeep(s, day + 2880, 0, 100);
    for (unsigned m = 0; m < MINUTES; m++)
        put_rows(s, &sensor, day + m, ROWS_EACH, 0);
    upkeep(s, day + 2890, 0, 1000);
    assert_int_equal(flows_of(s, day, day + 1439), MINUTES * ROWS_EACH);
    assert_int_equal(flows_of(s, day, day + 59), 60 * ROWS_EACH);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_pack WHERE step = 2"), 1);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_pack WHERE step = 1"), 4);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_day"), ROWS_EACH);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_late"), 0);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* The clock was a hundred days ahead: what comes after that is late for nothing. */
static void test_clock(void **state)
{
    (void)state;
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    const struct lamp_store_sensor sensor = enroll(s);
    const uint64_t day = TEST_NOW_US / MINUTE_US / 1440 * 1440;
    const int64_t ahead = (int64_t)(day / 60) + 2400;
    put_rows(s, &sensor, day - 100, 4, 0);
    upkeep(s, (uint64_t)ahead * 60, 0, 100);
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_history_start(s, 1));
    const struct lamp_history_note note = { .table = 1,
                                            .sent = { ahead - 1, INT64_MAX },
                                            .claimed = { ahead - 1, INT64_MAX },
                                            .expected = { -1, -1 } };
    ok(s, lamp_store_history_note(s, &note));
    ok(s, lamp_store_commit(s));
    put_rows(s, &sensor, day + 10, 4, 0);
    upkeep(s, day + 30, 0, 100);
    assert_int_equal(flows_of(s, day - 1440, day + 1439), 8);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_pack WHERE step > 0"), 2);
    struct lamp_history_cursor cursors[LAMP_HISTORY_TABLES];
    struct lamp_history_at to;
    ok(s, lamp_store_history_cursors(s, cursors));
    assert_int_equal(cursors[1].sent.time, (int64_t)(day / 60) - 1);
    assert_int_equal(cursors[1].claimed.time, (int64_t)(day / 60) - 1);
    upkeep(s, day + 2880, 0, 100);
    assert_int_equal(flows_of(s, day - 1440, day + 1439), 8);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_pack WHERE step > 0"), 4);
    ok(s, lamp_store_history_next(s, 1, cursors[1].sent, INT64_MAX, 100, &to));
    assert_int_equal(to.time, (int64_t)(day + 2878) / 60 - 1);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* More rows in an hour and a day than are gathered at once. */
static void test_many(void **state)
{
    (void)state;
    enum { HOURS = 12, SAME = 12000, DIFFER = 70000 };
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    const struct lamp_store_sensor sensor = enroll(s);
    const uint64_t day = TEST_NOW_US / MINUTE_US / 1440 * 1440;
    for (unsigned h = 0; h < HOURS; h++)
        put_rows(s, &sensor, day + 60 * h, SAME, 0);
    put_rows(s, &sensor, day + 1440, DIFFER, 0);
    put_rows(s, &sensor, day + 1441, DIFFER, DIFFER);
    upkeep(s, day + 4320, 0, 1000);
    assert_int_equal(flows_of(s, day, day + 1439), HOURS * SAME);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_day WHERE flows = 12"), SAME);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_day WHERE flows <> 12"),
                     2 * DIFFER);
    assert_int_equal(flows_of(s, day + 1440, day + 2879), 2 * DIFFER);
    assert_int_equal(flows_of(s, day + 1440, day + 1499), 2 * DIFFER);
    assert_int_equal(flows_of(s, day + 1440, day + 1440), DIFFER);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* A pack of a minute that the disk gives back damaged when its hour is made: counted once, the others are there. */
static void test_damaged_minute(void **state)
{
    (void)state;
    char *folder = new_folder(), path[256];
    sqlite3 *db = NULL;
    lamp_store *s = open_store("sqlite", folder, false);
    const struct lamp_store_sensor sensor = enroll(s);
    const uint64_t day = TEST_NOW_US / MINUTE_US / 1440 * 1440;
    put_rows(s, &sensor, day + 1, 5, 0);
    put_rows(s, &sensor, day + 2, 7, 0);
    upkeep(s, day + 10, 0, 100);
    snprintf(path, sizeof(path), "%s/db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "UPDATE traffic_pack SET body = substr(body, 1, length(body) - 1)"
                " WHERE step = 0 AND time % 1440 = 1");
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
    const struct lamp_store_policy policy = { .settle_minutes = 2 };
    struct lamp_maintained done = { .more = true };
    uint64_t damaged = 0;
    for (int i = 0; i < 100 && done.more; i++) {
        ok(s, lamp_store_begin(s));
        ok(s, lamp_store_maintain(s, &policy, (day + 2880) * MINUTE_US, &done));
        ok(s, lamp_store_commit(s));
        damaged += done.damaged_parts;
    }
    assert_int_equal(damaged, 1);
    assert_int_equal(flows_of(s, day, day + 59), 7);
    assert_int_equal(flows_of(s, day, day + 1439), 7);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* What is too old, and then what there is no room for, goes from minutes, hours and days; what stays is right. */
static void test_retention(void **state)
{
    (void)state;
    enum { LONG = 6, EACH = 5 };
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    const struct lamp_store_sensor sensor = enroll(s);
    const uint64_t first = TEST_NOW_US / MINUTE_US / 1440, now = (first + LONG) * 1440 + 30;
    for (unsigned h = 0; h < 24 * LONG; h++)
        put_rows(s, &sensor, first * 1440 + 60 * h, EACH, 0);
    struct lamp_store_policy policy = { .settle_minutes = 2, .days = { 1, 2, 4 } };
    for (int round = 0; round < 2; round++) {
        struct lamp_maintained done = { .more = true };
        int i = 0;
        for (; i < 1000 && done.more; i++) {
            ok(s, lamp_store_begin(s));
            ok(s, lamp_store_maintain(s, &policy, now * MINUTE_US, &done));
            ok(s, lamp_store_commit(s));
        }
        assert_true(i < 1000);
        const uint64_t left = round ? 1 : 4; /* whole days */
        assert_int_equal(flows_of(s, (first + LONG - left) * 1440, now), left * 24 * EACH);
        assert_int_equal(flows_of(s, (first + LONG) * 1440 - 30, now), 0);
        assert_int_equal(flows_of(s, 0, now), left * 24 * EACH);
        char sql[160];
        const uint64_t oldest[2][3] = { { now - 1440, now / 60 - 48, first + LONG - 4 },
                                        { now - 60, now / 60 - 24, first + LONG - 1 } };
        for (int k = 0; k < 3; k++) {
            snprintf(sql, sizeof(sql),
                     "SELECT count(*) FROM traffic_pack WHERE step = %d AND time < %" PRIu64, k,
                     oldest[round][k]);
            assert_int_equal(number_in(folder, sql), 0);
        }
        policy.max_bytes = 1;
    }
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* ---- from before ---- */

static void make_old(const char *path)
{
    sqlite3 *db = NULL;
    char sql[768];
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    ok(NULL, lamp_parts_register(db));
    run_sql(db, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
    for (int v = 0; v < OLD_VERSION; v++)
        run_sql(db, lamp_upgrades[v]);
    run_sql(db, "INSERT INTO meta VALUES ('epoch', 1), ('interval_us', 10000000);"
                "INSERT INTO site (no, name) VALUES (1, 'north'), (2, 'south')");
    const uint64_t now = TEST_NOW_US / MINUTE_US;
    static const struct {
        const char *table;
        uint64_t time;
    } tables[] = { { "minute", 1 }, { "hour", 60 }, { "day", 1440 } };
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (int k = 0; k < 30; k++) {
            char more[64] = "";
            if (i > 0)
                snprintf(more, sizeof(more), ", %" PRIu64 ", %" PRIu64 "%s", now, now,
                         i == 2 ? ", 'a.example'" : "");
            snprintf(sql, sizeof(sql),
                     "INSERT INTO traffic_%s VALUES (%" PRIu64 ", %d, x'0a0000%02x', x'c6120001',"
                     " 6, 443, 'tls', 10, 100, 1, 2, 1%s)",
                     tables[i].table, now / tables[i].time, 1 + k % 2, k, more);
            run_sql(db, sql);
        }
    run_sql(db, "PRAGMA user_version = 29");
    sqlite3_close(db);
}

static bool see_old(const struct lamp_traffic_view *v, void *arg)
{
    assert_string_equal(v->remote_name, "a.example");
    assert_string_equal(v->application, "tls");
    assert_int_equal(v->service_port, 443);
    assert_int_equal(v->bytes_in, 100);
    return add_view(v, arg);
}

/* Its hours and days are all made, so that what comes for them now is late. */
static void test_upgrade(void **state)
{
    (void)state;
    char *folder = new_folder(), path[256];
    snprintf(path, sizeof(path), "%s/db", folder);
    make_old(path);
    lamp_store *s = open_store("sqlite", folder, false);
    static const uint64_t spans[] = { 0, 130, 3000 };
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
            const struct lamp_traffic_filter q = { .from_us = TEST_NOW_US - spans[i] * MINUTE_US,
                                                   .to_us = TEST_NOW_US + spans[i] * MINUTE_US };
            struct lamp_traffic_view total;
            struct sums sum = { .flows = 0 };
            if (round == 0)
                ok(s, lamp_store_traffic(s, &q, see_old, &sum));
            ok(s, lamp_store_traffic_total(s, &q, &total));
            assert_int_equal(total.flows, 30 + round);
            assert_true(round || sum.flows == 30);
        }
        struct lamp_store_sensor sensor;
        const struct lamp_rollup_row r = { .minute = TEST_NOW_US / MINUTE_US,
                                           .inside_addr = a_host(1),
                                           .remote_addr = a_remote(1),
                                           .flows = 1 };
        ok(s, lamp_store_begin(s));
        ok(s, lamp_store_enroll(s, "s1", "north", TEST_NOW_US));
        ok(s, lamp_store_sensor(s, "s1", &sensor));
        ok(s, lamp_store_rollup(s, sensor.site_ref, 1, 1 + (uint64_t)round, 0, &r));
        ok(s, lamp_store_commit(s));
        upkeep(s, TEST_NOW_US / MINUTE_US + 10, 0, 10);
    }
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* The day of the upgrade goes on: what comes for it, and when it is made, counts once. */
static void test_upgrade_goes_on(void **state)
{
    (void)state;
    char *folder = new_folder(), path[256];
    snprintf(path, sizeof(path), "%s/db", folder);
    make_old(path);
    lamp_store *s = open_store("sqlite", folder, false);
    const struct lamp_store_sensor sensor = enroll(s);
    const uint64_t now = TEST_NOW_US / MINUTE_US, day = now / 1440 * 1440;
    const uint64_t later[] = { now + 1,    now + 60,   now + 63,  day + 1439,
                               day + 1441, day + 1443, day + 2890 };
    put_rows(s, &sensor, now + 60, 1, 0);
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        upkeep(s, later[i], 0, 100);
        assert_int_equal(flows_of(s, day, day + 1439), 31);
        assert_int_equal(flows_of(s, day - 1440, day + 2879), 31);
        assert_int_equal(flows_of(s, now + 55, now + 65), 1);
    }
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* What is late for minutes that are kept no more, of an hour before any that there is. */
static void test_upgrade_floors(void **state)
{
    (void)state;
    char *folder = new_folder(), path[256], sql[128];
    sqlite3 *db = NULL;
    const uint64_t now = TEST_NOW_US / MINUTE_US;
    snprintf(path, sizeof(path), "%s/db", folder);
    make_old(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "DELETE FROM traffic_minute; DELETE FROM traffic_hour; DELETE FROM traffic_day");
    snprintf(sql, sizeof(sql), "UPDATE meta SET value = %" PRIu64 " WHERE key = 'minute_floor'",
             now - 60);
    run_sql(db, sql);
    sqlite3_close(db);
    lamp_store *s = open_store("sqlite", folder, false);
    const struct lamp_store_sensor sensor = enroll(s);
    put_rows(s, &sensor, now - 300, 1, 0);
    for (uint64_t later = now; later < now + 10000; later += 2000) {
        upkeep(s, later, 0, 100);
        assert_int_equal(flows_of(s, now - 3000, now), 1);
    }
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

/* A minute of more rows than a pack has, and many hosts of few rows each: packs are full. */
static void test_upgrade_packs(void **state)
{
    (void)state;
    char *folder = new_folder(), path[256];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/db", folder);
    make_old(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < 8999)"
                " INSERT INTO traffic_minute SELECT 7, 1, CAST('1' || char(65 + i % 50,"
                " 65 + i / 50 % 50, 65) AS BLOB), CAST('2' || char(65 + i / 2500, 65, 65) AS BLOB),"
                " 6, 443, 'tls', 1, 2, 3, 4, 1 FROM t");
    sqlite3_close(db);
    lamp_store *s = open_store("sqlite", folder, false);
    assert_int_equal(number_in(folder, "SELECT sum(flows) FROM traffic_minute WHERE minute = 7"),
                     9000);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM traffic_pack WHERE time = 7"), 3);
    assert_int_equal(number_in(folder, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'old%'"),
                     0);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_packed),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_late_and_early),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_damaged_minute),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_upgrade_goes_on),
        cmocka_unit_test(test_upgrade_floors),
        cmocka_unit_test(test_upgrade_packs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
