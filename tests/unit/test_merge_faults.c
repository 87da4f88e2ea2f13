/* SPDX-License-Identifier: Apache-2.0 */
/* Every file call and every allocation of a transaction of the aggregator fails in turn. Where one step
 * says so, the database is as it was or as it should be, never in between; where none does (which is
 * when acknowledgements go out) all of it is there; and the same messages again make it whole. */
#include "tests/support/faults/alloc.h"
#include "tests/support/faults/cut.h"
#include "tests/support/faults/disk.h"
#include "tests/support/merging.h"

#include <errno.h>
#include <sodium.h>

static char *folder, base[128], work[128];
static uint8_t *batch; /* of every SUMMARY here */
static size_t batch_len;

static const struct lamp_stream_id old = { { 1 } }, new = { { 2 } };

/* What passes in one transaction. */
static int exchange(struct merging *g)
{
    struct lamp_stream_state states[] = { { old, 1, 1, 1 }, { new, 1, 5, 0 } };
    struct lamp_msg m[] = {
        { .type = LAMP_MSG_HELLO,
          .u.hello = { .proto_min = 1,
                       .proto_max = 1,
                       .build = lamp_bytes_of("test"),
                       .t_real_us = TEST_NOW_US + 20000000,
                       .streams = states,
                       .n_streams = 2,
                       .current_stream = new } },
        merging_summary(&new, 1, (struct lamp_bytes){ batch, batch_len }),
        merging_summary(&new, 2, (struct lamp_bytes){ batch, batch_len }),
        merging_summary(&new, 3, lamp_bytes_of("no batch")),
        { .type = LAMP_MSG_LOSS,
          .u.loss = { .stream = new, .from_seq = 4, .to_seq = 5, .reason = LAMP_LOSS_QUOTA } },
        { .type = LAMP_MSG_CLOSE, .u.close = { .stream = old, .last_seq = 1, .clean = true } },
        { .type = LAMP_MSG_SET_QUERY, .u.set_query = { .have.kind = LAMP_SET_NEVER } },
        { .type = LAMP_MSG_SET_STATUS,
          .u.set_status = { .head = { .kind = LAMP_SET_WATCH, .serial = 1 },
                            .state = LAMP_SET_CONFIRMED } },
    };
    int err = lamp_store_begin(g->store);
    for (size_t i = 0; i < ARRAY_LEN(m) && !err; i++)
        err = merging_take(g, true, &m[i]);
    if (!err)
        err = lamp_store_commit(g->store);
    if (err)
        lamp_store_rollback(g->store);
    lamp_answers_drop(&g->answers);
    return err;
}

/* ---- what is in a database ---- */

struct digest {
    uint8_t b[32];
};

static void hash_rows(crypto_generichash_state *h, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            const int type = sqlite3_column_type(st, i);
            const void *data = sqlite3_column_blob(st, i); /* numbers as text */
            const size_t len = (size_t)sqlite3_column_bytes(st, i);
            crypto_generichash_update(h, (const uint8_t *)&type, sizeof(type));
            crypto_generichash_update(h, (const uint8_t *)&len, sizeof(len));
            if (len)
                crypto_generichash_update(h, data, len);
        }
    }
    assert_int_equal(rc, SQLITE_DONE);
    sqlite3_finalize(st);
}

/* Of all rows of all tables. */
static struct digest look(void)
{
    char path[160], sql[256];
    sqlite3 *db = NULL;
    sqlite3_stmt *tables = NULL;
    struct digest d;
    crypto_generichash_state h;
    crypto_generichash_init(&h, NULL, 0, sizeof(d.b));
    snprintf(path, sizeof(path), "%s/db", work);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT name FROM sqlite_master WHERE type = 'table'"
                                        " ORDER BY name",
                                        -1, &tables, NULL),
                     SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\"",
                 (const char *)sqlite3_column_text(tables, 0));
        hash_rows(&h, db, sql);
    }
    sqlite3_finalize(tables);
    sqlite3_close(db);
    crypto_generichash_final(&h, d.b, sizeof(d.b));
    return d;
}

static bool same(const struct digest *a, const struct digest *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- the loops ---- */

struct states {
    struct digest before, after, twice; /* twice: the messages came again, and were duplicates */
};

static void learn(struct states *s)
{
    struct merging g;
    assert_int_equal(copy_folder(base, work), LAMP_OK);
    merging_open(&g, work);
    s->before = look();
    ok(g.store, exchange(&g));
    s->after = look();
    ok(g.store, exchange(&g));
    s->twice = look();
    merging_close(&g);
    assert_false(same(&s->before, &s->after));
    assert_false(same(&s->after, &s->twice));
}

/* One transaction in which something fails; returns whether it said so. */
static bool try(const struct states *s, const char *what, uint64_t n, uint64_t *calls,
                void (*fail_at)(uint64_t n), uint64_t (*count)(void))
{
    struct merging g;
    assert_int_equal(copy_folder(base, work), LAMP_OK);
    merging_open(&g, work);
    fail_at(n);
    const int err = exchange(&g);
    *calls = count();
    fail_at(0);
    const struct digest d = look();
    if (!same(&d, &s->after) && (!err || !same(&d, &s->before)))
        fail_msg("%s %llu: neither all nor nothing is there (%s)", what, (unsigned long long)n,
                 lamp_strerror(err));
    const bool whole = same(&d, &s->after);
    if (err) {
        lamp_keyring_dropped(g.keyring);
        merging_open_lists(&g);
    }
    if (exchange(&g) != LAMP_OK)
        fail_msg("%s %llu: the store does not recover", what, (unsigned long long)n);
    const struct digest again = look();
    if (!same(&again, whole ? &s->twice : &s->after))
        fail_msg("%s %llu: the same again makes something else", what, (unsigned long long)n);
    merging_close(&g);
    return err != LAMP_OK;
}

static int disk_error;

static void fail_disk(uint64_t n)
{
    disk_fail(n, disk_error, false);
}

static void test_file_calls(void **state)
{
    (void)state;
    static const int errors[] = { EIO, ENOSPC };
    struct states s;
    uint64_t failed = 0;
    learn(&s);
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        uint64_t n = 0, calls;
        disk_error = errors[i];
        do
            failed += try(&s, errors[i] == EIO ? "EIO at file call" : "ENOSPC at file call", ++n,
                          &calls, fail_disk, disk_calls);
        while (n <= calls);
        assert_true(n > 5);
    }
    assert_true(failed > 5);
}

static uint64_t count_allocations(void)
{
    return alloc_calls;
}

/* Each in turn takes minutes: that is for LAMP_LONG=1, else one in so many, from the first on. */
static void test_allocations(void **state)
{
    (void)state;
    struct states s;
    const uint64_t step = getenv("LAMP_LONG") ? 1 : 29;
    uint64_t n = 1, calls, failed = 0;
    learn(&s);
    for (;; n += step) {
        failed += try(&s, "no memory at allocation", n, &calls, alloc_fail, count_allocations);
        if (n > calls)
            break;
    }
    printf("%llu allocations, %llu of which ended the transaction\n", (unsigned long long)calls,
           (unsigned long long)failed);
    assert_true(failed > 50 / step);
}

static int setup(void **state)
{
    (void)state;
    struct merging g;
    struct lamp_conn_row rows[2] = { test_row(1, TEST_NOW_US, TEST_NOW_US + 5),
                                     test_row(2, TEST_NOW_US, TEST_NOW_US + 5) };
    struct lamp_rollup_row rollup = { .minute = TEST_NOW_US / 60000000,
                                      .inside_addr = test_addr("10.0.0.7"),
                                      .remote_addr = test_addr("198.51.100.1"),
                                      .ip_proto = 6,
                                      .service_port = 443,
                                      .application = lamp_bytes_of("tls"),
                                      .bytes_out = 5,
                                      .packets_out = 1,
                                      .flows = 1 };
    struct lamp_batch b = test_batch(rows, 2, TEST_NOW_US, TEST_NOW_US + 10000000);
    b.rollups = &rollup;
    b.n_rollups = 1;
    assert_int_equal(lamp_batch_pack(&b, &batch, &batch_len), LAMP_OK);
    folder = new_folder();
    snprintf(base, sizeof(base), "%s/base", folder);
    snprintf(work, sizeof(work), "%s/work", folder);
    assert_int_equal(mkdir(work, 0700), 0);
    merging_open(&g, work);
    struct lamp_msg m = merging_summary(&old, 1, (struct lamp_bytes){ batch, batch_len });
    ok(g.store, lamp_store_begin(g.store));
    ok(g.store, merging_take(&g, true, &m));
    ok(g.store, lamp_store_commit(g.store));
    merging_close(&g);
    assert_int_equal(copy_folder(work, base), LAMP_OK);
    disk_watch(work, -1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_folder(folder);
    free(folder);
    free(batch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_allocations, setup, teardown),
    };
    if (sodium_init() < 0 || faulty_sqlite() != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
