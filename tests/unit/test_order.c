/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever order the batches of several sensors and minutes are merged in, the database says the same. */
#include "tests/support/aggregator.h"

#include "aggregator/store/packs.h"
#include "aggregator/writer/tracker.h"
#include "tests/support/rng.h"

#include <sqlite3.h>

enum { SENSORS = 3, BATCHES = 8, ROWS = 3, ORDERS = 4, TEXT_MAX = 1 << 20 };

#define INTERVAL_US (20 * UINT64_C(1000000))

/* One batch of one sensor, with all that it points to. */
struct made {
    unsigned sensor;
    uint64_t seq;
    struct lamp_batch batch;
    struct lamp_conn_row rows[ROWS];
    struct lamp_evidence evidence[ROWS][2];
    struct lamp_rollup_row rollup;
};

static const char *const names[] = { "rig1", "rig2", "a-rig", "z\nrig", "rig10" };
static const char *const coins[] = { "", "XMR", "ETC" };

static uint32_t below(struct lamp_rng *r, uint32_t n)
{
    return (uint32_t)(lamp_rng_u64(r) % n);
}

static struct lamp_bytes any_of(struct lamp_rng *r, const char *const *of, size_t n)
{
    return lamp_bytes_of(of[below(r, (uint32_t)n)]);
}

/* Conversations of a few hosts, some of which two sensors of a site see. Verdicts rise and fall, texts come and
 * go; all sums are whole numbers, so that no order of adding rounds another way. */
static void make_row(struct lamp_rng *r, const struct made *m, unsigned i, uint64_t from_us,
                     struct lamp_conn_row *row, struct lamp_evidence *e)
{
    static const enum lamp_verdict verdicts[] = { LAMP_VERDICT_SUSPECTED, LAMP_VERDICT_PROBABLE,
                                                  LAMP_VERDICT_CONFIRMED };
    *row = test_row(i + 1, from_us - i, from_us + below(r, (uint32_t)INTERVAL_US));
    row->client_addr = test_addr(i == 2 ? "10.0.0.8" : "10.0.0.7");
    row->server_port =
        (uint16_t)(3000 + 10 * m->sensor + i); /* what pairs remember is of its own time */
    row->coin = any_of(r, coins, ARRAY_LEN(coins));
    row->worker = any_of(r, names, ARRAY_LEN(names));
    row->agent = any_of(r, names, ARRAY_LEN(names));
    row->verdict = verdicts[below(r, ARRAY_LEN(verdicts))];
    row->confidence = below(r, 10000);
    row->difficulty = below(r, 3) * 1000;
    row->devices = below(r, 3);
    row->work_hashes = below(r, 1000);
    row->bytes_up = below(r, 5000);
    row->n_evidence = below(r, 3);
    row->evidence = e;
    for (size_t k = 0; k < row->n_evidence; k++)
        e[k] = (struct lamp_evidence){ any_of(r, names, ARRAY_LEN(names)),
                                       any_of(r, names, ARRAY_LEN(names)),
                                       lamp_bytes_of("field"),
                                       lamp_bytes_of("strong"),
                                       lamp_bytes_of("none"),
                                       from_us + k,
                                       LAMP_SIDE_CLIENT };
}

static void make_all(struct lamp_rng *r, struct made *all)
{
    for (unsigned i = 0; i < SENSORS * BATCHES; i++) {
        struct made *m = &all[i];
        m->sensor = i % SENSORS;
        m->seq = 1 + i / SENSORS;
        const uint64_t from_us = TEST_NOW_US + m->seq * INTERVAL_US;
        for (unsigned k = 0; k < ROWS; k++)
            make_row(r, m, k, from_us, &m->rows[k], m->evidence[k]);
        m->batch = test_batch(m->rows, ROWS, from_us, from_us + INTERVAL_US);
        m->batch.cap_run[0] = (uint8_t)(1 + m->sensor);
        m->rollup = (struct lamp_rollup_row){ .minute = from_us / 60000000,
                                              .inside_addr = test_addr("10.0.0.9"),
                                              .remote_addr = test_addr("203.0.113.1"),
                                              .ip_proto = 6,
                                              .service_port = 443,
                                              .application = lamp_bytes_of("tls"),
                                              .bytes_out = below(r, 5000),
                                              .flows = 1 };
        m->batch.rollups = &m->rollup;
        m->batch.n_rollups = 1;
    }
}

static bool never_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

static void merge_all(lamp_store *s, const struct made *all, const unsigned *order)
{
    static const char *const ids[SENSORS] = { "s1", "s2", "s3" };
    struct lamp_store_sensor sensors[SENSORS];
    struct lamp_store_stream streams[SENSORS];
    const struct lamp_tracker t = { s, never_covered, ignore_id, NULL, NULL, NULL };
    ok(s, lamp_store_begin(s));
    for (unsigned i = 0; i < SENSORS; i++) { /* the first two at one site */
        const struct lamp_stream_id id = { { (uint8_t)(i + 1) } };
        ok(s, lamp_store_enroll(s, ids[i], i < 2 ? "north" : "south", TEST_NOW_US));
        ok(s, lamp_store_sensor(s, ids[i], &sensors[i]));
        ok(s, lamp_store_stream_add(s, sensors[i].ref, &id, TEST_NOW_US, &streams[i]));
    }
    for (unsigned i = 0; i < SENSORS * BATCHES; i++) {
        const struct made *m = &all[order[i]];
        const struct lamp_record rec = { &sensors[m->sensor], streams[m->sensor].ref, m->seq,
                                         TEST_NOW_US + 3600 * UINT64_C(1000000) };
        ok(s, lamp_tracker_merge(&t, &rec, &m->batch));
    }
    ok(s, lamp_store_commit(s));
}

/* Every table that the tracker writes, by names instead of the numbers of rows, which tell of the order. What the aggregator says
 * of several sites is said of whoever showed it last; of a pair the time counts to the ten minutes in which it is renewed. */
static const char *const tables[] = {
    "SELECT c.sensor, hex(c.run), conn_id, hex(client), hex(c.server), c.server_port, first_us,"
    " c.last_us, c.bytes_up, c.bytes_down, c.jobs, c.accepted, work, squares, c.verdict, "
    "c.confidence,"
    " difficulty, self_rate, c.flags, family, coin, algorithm, wallet, worker, agent, pool, "
    "devices,"
    " hex(said), hex(recent), hex(m.host) FROM conn c JOIN miner m ON m.id = c.miner",
    "SELECT c.sensor, c.conn_id, place, kind, detail, field, strength, refute, t_us, side"
    " FROM evidence e JOIN conn c ON c.id = e.conn",
    "SELECT site, hex(host), vlan, verdict, confidence, hex(server), server_port, ip_proto, coins,"
    " families, algorithms, wallets, workers, agents, pools, sensors, platforms, hex(listed),"
    " bytes_up, bytes_down, jobs, accepted, connections, since_us, last_us, sightings_left_out"
    " FROM miner",
    "SELECT m.site, hex(m.host), kind, detail, sensor, field, strength, refute, side, first_us,"
    " g.last_us FROM sighting g JOIN miner m ON m.id = g.miner WHERE sensor <> 0",
    "SELECT m.site, hex(m.host), l.verdict, sensor, at_us FROM level l JOIN miner m ON m.id = "
    "l.miner",
    "SELECT site, hex(client), hex(server), server_port, verdict, confidence, last_us / 600000000"
    " FROM pair",
    "SELECT n.minute, n.site, hex(host), c.sensor, c.conn_id, n.stream, n.seq, n.bytes_up, n.work,"
    " n.squares FROM conn_minute n JOIN conn c ON c.id = n.conn",
    "SELECT minute, site, stream, seq, hex(inside), bytes_out, flows FROM rollup_minute",
};

static void add_row(sqlite3_stmt *st, char *out, size_t *io_len)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        const char *text = (const char *)sqlite3_column_text(st, i);
        *io_len += (size_t)snprintf(out + *io_len, TEXT_MAX - *io_len, "%s|", text ? text : "");
        assert_true(*io_len < TEXT_MAX);
    }
    out[*io_len - 1] = '\n';
}

static char *content_of(const char *folder)
{
    char path[256], *out = calloc(1, TEXT_MAX);
    size_t len = 0;
    sqlite3 *db = NULL;
    assert_non_null(out);
    snprintf(path, sizeof(path), "%s/db", folder);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(lamp_packs_register(db), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        char sql[1024];
        sqlite3_stmt *st = NULL;
        const size_t before = len;
        snprintf(sql, sizeof(sql), "%s ORDER BY 1, 2, 3, 4, 5", tables[i]);
        if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
            fail_msg("%s", sqlite3_errmsg(db));
        while (sqlite3_step(st) == SQLITE_ROW)
            add_row(st, out, &len);
        sqlite3_finalize(st);
        assert_true(len > before); /* an empty table proves nothing */
    }
    sqlite3_close(db);
    return out;
}

static char *merged_in(const struct made *all, const unsigned *order)
{
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    merge_all(s, all, order);
    lamp_store_close(s);
    char *content = content_of(folder);
    remove_folder(folder);
    free(folder);
    return content;
}

static void show_difference(const char *a, const char *b)
{
    while (*a && *b) {
        const size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");
        if (la != lb || memcmp(a, b, la) != 0)
            fail_msg("in order:\n%.*s\nin another:\n%.*s", (int)la, a, (int)lb, b);
        a += la + (a[la] == '\n');
        b += lb + (b[lb] == '\n');
    }
    fail_msg("one has more rows than the other");
}

static void test_any_order(void **state)
{
    (void)state;
    struct made *all = calloc((size_t)SENSORS * BATCHES, sizeof(*all));
    struct lamp_rng r;
    unsigned order[SENSORS * BATCHES];
    assert_non_null(all);
    const char *seed = getenv("LAMP_SEED");
    r.state = seed ? strtoull(seed, NULL, 10) : 20261127;
    for (unsigned round = 0; round < ORDERS; round++) {
        if (round % 2 == 0)
            make_all(&r, all);
        for (unsigned i = 0; i < ARRAY_LEN(order); i++)
            order[i] = i;
        char *want = merged_in(all, order);
        for (unsigned i = ARRAY_LEN(order) - 1; i > 0; i--) {
            const unsigned k = below(&r, i + 1), kept = order[i];
            order[i] = order[k];
            order[k] = kept;
        }
        char *got = merged_in(all, order);
        if (!streq(want, got))
            show_difference(want, got);
        free(want);
        free(got);
    }
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_any_order) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
