/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/summarise.h"
#include "tests/support/test.h"

#include <math.h>

enum { CONNS = 700, ROUNDS = 5 };

/* What all rows of a connection add up to. */
struct sums {
    uint64_t bytes[2], packets[2], submitted, jobs, rows;
    double work;
    uint32_t work_shares;
    bool ended;
};

struct sink {
    struct sums sums[CONNS + 1];
    size_t records, rows;
    uint64_t tracked[LAMP_WIRE_TRACK_ROWS_MAX]; /* bytes by step */
    uint64_t n_bytes, from_us, rows_dropped;    /* the last two of the newest record */
    uint32_t block_ms;                          /* of the newest row */
};

static void on_record(const uint8_t *data, size_t len, size_t n_rows, uint64_t n_bytes, void *arg)
{
    struct sink *k = arg;
    struct lamp_msg *m;
    struct lamp_batch *b;
    assert_true(len <= 64 * 1024);
    assert_int_equal(lamp_msg_unpack(data, len, &m), LAMP_OK);
    assert_int_equal(m->type, LAMP_MSG_SUMMARY);
    assert_int_equal(m->u.summary.n_rows, n_rows);
    assert_int_equal(m->u.summary.n_bytes, n_bytes);
    assert_int_equal(lamp_batch_unpack(m->u.summary.batch, &b), LAMP_OK);
    assert_int_equal(b->n_conns + b->n_tracks, n_rows);
    for (size_t i = 0; i < b->n_tracks; i++)
        k->tracked[b->tracks[i].step] += b->tracks[i].bytes_out;
    k->records++;
    k->from_us = b->t_from_us;
    k->rows_dropped = b->counters.summary_rows_dropped;
    k->rows += n_rows;
    k->n_bytes += m->u.summary.n_bytes;
    for (size_t i = 0; i < b->n_conns; i++) {
        const struct lamp_conn_row *r = &b->conns[i];
        struct sums *s = &k->sums[r->conn_id];
        assert_false(s->ended);
        s->bytes[0] += r->bytes_up;
        s->bytes[1] += r->bytes_down;
        s->packets[0] += r->packets_up;
        s->packets[1] += r->packets_down;
        s->submitted += r->submitted;
        s->jobs += r->jobs;
        s->work += r->work_hashes;
        s->work_shares += r->work_shares;
        k->block_ms = r->block_ms;
        s->rows++;
        s->ended = r->flags & LAMP_CONN_ENDED;
        assert_true(lamp_bytes_eq(r->family, "stratum-v1"));
        assert_true(lamp_bytes_eq(r->worker, "rig1"));
    }
    lamp_batch_free(b);
    lamp_msg_free(m);
}

static void grow(struct lamp_conn *c, uint64_t step)
{
    c->bytes[LAMP_UP] += 100 * step;
    c->bytes[LAMP_DOWN] += 1000 * step;
    c->packets[LAMP_UP] += step;
    c->packets[LAMP_DOWN] += 2 * step;
    c->shares.submitted += (uint32_t)step;
    c->jobs++;
    c->work += 1e6;
    c->work_shares += 2;
    c->last_us += 1000;
}

/* Connections come, grow and end in any order, also more than the table follows: the sum of
 * all deltas is the total of each. */
static void run(size_t max_conns)
{
    static struct sink k;
    static struct lamp_conn conns[CONNS];
    memset(&k, 0, sizeof(k));
    memset(conns, 0, sizeof(conns));
    lamp_summarise *s = NULL;
    const struct lamp_summarise_cfg cfg = {
        .max_conns = max_conns, .max_record_bytes = 64 * 1024, .emit = on_record, .arg = &k
    };
    assert_int_equal(lamp_summarise_new(&cfg, 1000, 1, &s), LAMP_OK);
    for (size_t i = 0; i < CONNS; i++) {
        conns[i].id = i + 1;
        conns[i].family = "stratum-v1";
        conns[i].verdict = LAMP_VERDICT_CONFIRMED;
        snprintf(conns[i].workers.v[0], LAMP_CONN_TEXT, "rig1");
        conns[i].workers.n = 1;
        snprintf(conns[i].agent, LAMP_CONN_TEXT, "agent/%zu-%0120zu", i, i);
    }
    const struct lamp_sensor_counters counters = { .packets = 1 };
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < CONNS; i++) {
            if (conns[i].ended)
                continue;
            grow(&conns[i], round + i);
            conns[i].ended = round == ROUNDS || i % ROUNDS == round;
            if (conns[i].ended)
                lamp_summarise_conn(s, &conns[i]);
        }
        for (size_t i = 0; i < CONNS; i++)
            if (!conns[i].ended)
                lamp_summarise_conn(s, &conns[i]);
        lamp_summarise_flush(&s, 1, &counters, 1000 + round * 1000, round);
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < CONNS; i++) {
        const struct sums *got = &k.sums[i + 1];
        const struct lamp_conn *want = &conns[i];
        assert_true(got->ended);
        assert_memory_equal(got->bytes, want->bytes, sizeof(want->bytes));
        assert_memory_equal(got->packets, want->packets, sizeof(want->packets));
        assert_int_equal(got->submitted, want->shares.submitted);
        assert_int_equal(got->jobs, want->jobs);
        assert_int_equal(got->work_shares, want->work_shares);
        assert_true(got->work > want->work * 0.999 && got->work < want->work * 1.001);
        bytes += want->bytes[0] + want->bytes[1];
    }
    assert_int_equal(k.n_bytes, bytes);
    const struct lamp_summarise_counters c = lamp_summarise_counters(s);
    assert_int_equal(c.rows, k.rows);
    assert_int_equal(c.lost_rows, 0);
    assert_true((c.untracked > 0) == (max_conns < CONNS));
    lamp_summarise_free(s);
}

static void test_sums(void **state)
{
    (void)state;
    run(4096);
}

static void test_sums_with_small_table(void **state)
{
    (void)state;
    run(50);
}

static void test_quiet(void **state)
{
    (void)state;
    static struct sink k;
    lamp_summarise *s = NULL;
    const struct lamp_summarise_cfg cfg = {
        .max_conns = 8, .max_record_bytes = 64 * 1024, .emit = on_record, .arg = &k
    };
    assert_int_equal(lamp_summarise_new(&cfg, 1000, 1, &s), LAMP_OK);
    const struct lamp_sensor_counters counters = { .packets = 1 };
    struct lamp_conn c = {
        .id = 1, .family = "stratum-v1", .packets = { 1, 1 }, .workers = { .v = { "rig1" }, .n = 1 }
    };
    lamp_summarise_conn(s, &c);
    lamp_summarise_flush(&s, 1, &counters, 2000, 2);
    lamp_summarise_conn(s, &c); /* nothing new: no row, but a record */
    lamp_summarise_flush(&s, 1, &counters, 3000, 3);
    assert_int_equal(k.records, 2);
    assert_int_equal(k.rows, 1);
    lamp_summarise_free(s);
}

/* Late the classifier finds that the sides are the other way round, then that another family is
 * spoken, whose counts begin at 0: the sums stay right. */
static void test_change_of_mind(void **state)
{
    (void)state;
    static struct sink k;
    memset(&k, 0, sizeof(k));
    lamp_summarise *s = NULL;
    const struct lamp_summarise_cfg cfg = {
        .max_conns = 8, .max_record_bytes = 64 * 1024, .emit = on_record, .arg = &k
    };
    assert_int_equal(lamp_summarise_new(&cfg, 1000, 1, &s), LAMP_OK);
    const struct lamp_sensor_counters counters = { .packets = 1 };
    char family[] = "stratum-v1"; /* another one to the summariser: not the same constant */
    struct lamp_conn c = { .id = 1,
                           .family = "stratum-v1",
                           .client_port = 40000,
                           .server_port = 3333,
                           .bytes = { 100, 5000 },
                           .packets = { 1, 50 },
                           .shares.submitted = 9,
                           .workers = { .v = { "rig1" }, .n = 1 } };
    lamp_summarise_conn(s, &c);
    lamp_summarise_flush(&s, 1, &counters, 2000, 2);
    c.client_port = 3333;
    c.server_port = 40000;
    c.bytes[LAMP_UP] = 5100;
    c.bytes[LAMP_DOWN] = 100;
    c.packets[LAMP_UP] = 51;
    c.packets[LAMP_DOWN] = 1;
    c.family = family;
    c.shares.submitted = 4;
    c.ended = true;
    lamp_summarise_conn(s, &c);
    lamp_summarise_flush(&s, 1, &counters, 3000, 3);
    assert_int_equal(k.sums[1].bytes[0] + k.sums[1].bytes[1], 5200);
    assert_int_equal(k.sums[1].packets[0] + k.sums[1].packets[1], 52);
    assert_int_equal(k.sums[1].submitted, 9 + 4);
    lamp_summarise_free(s);
}

/* A row that cannot be packed is lost alone. */
static void test_one_bad_row(void **state)
{
    (void)state;
    static struct sink k;
    memset(&k, 0, sizeof(k));
    lamp_summarise *s = NULL;
    const struct lamp_summarise_cfg cfg = {
        .max_conns = 64, .max_record_bytes = 64 * 1024, .emit = on_record, .arg = &k
    };
    assert_int_equal(lamp_summarise_new(&cfg, 1000, 1, &s), LAMP_OK);
    const struct lamp_sensor_counters counters = { .packets = 1 };
    for (size_t i = 1; i <= 20; i++) {
        const struct lamp_conn c = { .id = i,
                                     .family = "stratum-v1",
                                     .packets = { 1, 1 },
                                     .work = i == 7 ? (double)INFINITY : 1,
                                     .workers = { .v = { "rig1" }, .n = 1 } };
        lamp_summarise_conn(s, &c);
    }
    lamp_summarise_flush(&s, 1, &counters, 2000, 2);
    assert_int_equal(k.rows, 19);
    assert_int_equal(lamp_summarise_counters(s).lost_rows, 1);
    lamp_summarise_free(s);
}

/* Rows of what is tracked go along, are split from the others where a record is too long, and one that cannot
 * be packed is lost alone. */
static void test_tracks(void **state)
{
    (void)state;
    static struct sink k;
    static struct lamp_track_row rows[LAMP_WIRE_TRACK_ROWS_MAX];
    enum { SEEN = 256 }; /* connections, each with a text of its own */
    memset(&k, 0, sizeof(k));
    lamp_summarise *s = NULL;
    const struct lamp_summarise_cfg cfg = {
        .max_conns = SEEN, .max_record_bytes = 64 * 1024, .emit = on_record, .arg = &k
    };
    assert_int_equal(lamp_summarise_new(&cfg, 1000, 1, &s), LAMP_OK);
    const struct lamp_sensor_counters counters = { .packets = 1 };
    for (size_t i = 1; i <= SEEN; i++) {
        struct lamp_conn c = { .id = i,
                               .family = "stratum-v1",
                               .packets = { 1, 1 },
                               .workers = { .v = { "rig1" }, .n = 1 } };
        snprintf(c.agent, LAMP_CONN_TEXT, "agent/%zu-%0120zu", i, i);
        lamp_summarise_conn(s, &c);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        rows[i] = (struct lamp_track_row){ i == 7 ? UINT64_MAX : 1, i, UINT64_C(1) << 47, i, 1, 1 };
    lamp_summarise_tracks(s, rows, ARRAY_LEN(rows));
    lamp_summarise_flush(&s, 1, &counters, 2000, 2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(k.tracked[i], i == 7 ? 0 : UINT64_C(1) << 47);
    assert_true(k.records > 2);
    assert_int_equal(k.rows, SEEN + ARRAY_LEN(rows) - 1);
    assert_int_equal(k.n_bytes, 0); /* their packets are in the other rows, too */
    assert_int_equal(lamp_summarise_counters(s).lost_rows, 1);
    lamp_summarise_flush(&s, 1, &counters, 3000, 3);
    assert_int_equal(k.rows, SEEN + ARRAY_LEN(rows) - 1); /* once */
    lamp_summarise_free(s);
}

/* Of each new block the next row says when it came, once. */
static void test_blocks(void **state)
{
    static const struct {
        uint64_t block_us; /* of the connection; 0: as before */
        uint32_t block_ms; /* of its row */
    } steps[] = { { 0, 0 },       { 1000500, 1 }, { 0, 0 },
                  { 3004000, 5 }, { 3990000, 1 }, { 5999999, 1000 } };
    (void)state;
    static struct sink k;
    memset(&k, 0, sizeof(k));
    lamp_summarise *s = NULL;
    const struct lamp_summarise_cfg cfg = {
        .max_conns = 4, .max_record_bytes = 64 * 1024, .emit = on_record, .arg = &k
    };
    const struct lamp_sensor_counters counters = { .packets = 1 };
    struct lamp_conn c = { .id = 1,
                           .family = "stratum-v1",
                           .workers = { .v = { "rig1" }, .n = 1 } };
    assert_int_equal(lamp_summarise_new(&cfg, 0, 1, &s), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        grow(&c, 1);
        c.block_us = steps[i].block_us ? steps[i].block_us : c.block_us;
        lamp_summarise_conn(s, &c);
        lamp_summarise_flush(&s, 1, &counters, (i + 1) * 1000000, i + 1);
        assert_int_equal(k.block_ms, steps[i].block_ms);
    }
    /* one that finds a place only now tells of no block of long ago */
    struct lamp_conn late = {
        .id = 2, .family = "stratum-v1", .block_us = 500000, .workers = { .v = { "rig1" }, .n = 1 }
    };
    grow(&late, 1);
    lamp_summarise_conn(s, &late);
    lamp_summarise_flush(&s, 1, &counters, 7000000, 7);
    assert_int_equal(k.block_ms, 0);
    lamp_summarise_free(s);
}

/* What several have taken leaves as one record, with what each of them lost in its counters. */
static void test_together(void **state)
{
    (void)state;
    static struct sink k;
    memset(&k, 0, sizeof(k));
    lamp_summarise *all[3] = { NULL };
    struct lamp_summarise_cfg cfg = {
        .max_conns = 64, .max_record_bytes = 64 * 1024, .together = 3, .emit = on_record, .arg = &k
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++, cfg.together = 0)
        assert_int_equal(lamp_summarise_new(&cfg, 1000, 1, &all[i]), LAMP_OK);
    const struct lamp_sensor_counters counters = { .packets = 1 };
    for (size_t i = 1; i <= 30; i++) {
        const struct lamp_conn c = { .id = i,
                                     .family = "stratum-v1",
                                     .bytes = { 60 * i, 0 },
                                     .packets = { i, 0 },
                                     .work = i == 7 ? (double)INFINITY : 1,
                                     .workers = { .v = { "rig1" }, .n = 1 } };
        lamp_summarise_conn(all[i % 3], &c);
    }
    lamp_summarise_flush(all, 3, &counters, 2000, 2);
    assert_int_equal(k.rows, 29);
    for (size_t i = 1; i <= 30; i++)
        assert_int_equal(k.sums[i].packets[0], i == 7 ? 0 : i);
    k.records = 0;
    for (size_t i = 0; i < 3; i++)
        lamp_summarise_begin(all[i], 5000, 5);
    lamp_summarise_flush(all, 3, &counters, 6000, 6);
    assert_int_equal(k.records, 1);
    assert_int_equal(k.from_us, 5000);
    assert_int_equal(k.rows_dropped, 1);
    for (size_t i = 0; i < 3; i++)
        lamp_summarise_free(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),        cmocka_unit_test(test_sums_with_small_table),
        cmocka_unit_test(test_quiet),       cmocka_unit_test(test_change_of_mind),
        cmocka_unit_test(test_one_bad_row), cmocka_unit_test(test_tracks),
        cmocka_unit_test(test_blocks),      cmocka_unit_test(test_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
