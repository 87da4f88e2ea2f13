/* SPDX-License-Identifier: Apache-2.0 */
/* Which blocks that sensors heard of are told to all, when, and what hostile sensors can do to that. */
#include "aggregator/writer/fleetclock.h"
#include "tests/support/test.h"

#define SECOND UINT64_C(1000000)
#define NOW (1700000000 * SECOND)

static struct lamp_fleetclock f;
static struct lamp_answers answers;
static lamp_mailbox *outbox;

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    lamp_answers_init(&answers);
    return lamp_mailbox_new(1 << 20, &outbox);
}

static int teardown(void **state)
{
    (void)state;
    outbox = lamp_mailbox_free(outbox);
    lamp_answers_drop(&answers);
    return 0;
}

/* A sensor says at now_us that a pool told of a block of the coin at t_us. */
static void say_ahead(const char *coin, uint64_t t_us, int64_t ahead_us, uint64_t now_us)
{
    struct lamp_conn_row row = { .coin = lamp_bytes_of(coin), .block_ms = 1 + 1500 };
    const struct lamp_batch b = { .t_from_us = t_us - 1500000, .conns = &row, .n_conns = 1 };
    lamp_fleetclock_record(&f, NULL, &b, ahead_us, now_us, &answers);
}

static void say(const char *coin, uint64_t t_us, uint64_t now_us)
{
    say_ahead(coin, t_us, 0, now_us);
}

static void tick(uint64_t now_us)
{
    const struct lamp_batch nothing = { 0 };
    lamp_fleetclock_record(&f, NULL, &nothing, 0, now_us, &answers);
}

/* How many blocks have been told since the last call, to whom, and the time of the last of them. */
static size_t told(const char *sensor, uint64_t *last_us)
{
    size_t n = 0;
    struct lamp_letter *l;
    lamp_answers_send(&answers, outbox, NOW);
    while ((l = lamp_mailbox_take(outbox))) {
        struct lamp_msg *m;
        assert_string_equal(l->sensor, sensor);
        assert_int_equal(lamp_msg_unpack(l->data, l->len, &m), LAMP_OK);
        assert_int_equal(m->type, LAMP_MSG_COIN_BLOCKS);
        n += m->u.coin_blocks.n_blocks;
        *last_us = m->u.coin_blocks.blocks[m->u.coin_blocks.n_blocks - 1].t_us;
        lamp_msg_free(m);
        lamp_letter_free(l);
    }
    return n;
}

static void test_gathered(void **state)
{
    (void)state;
    uint64_t last_us = 0;
    say("XMR", NOW - SECOND, NOW);
    assert_int_equal(told("", &last_us), 1); /* nothing was told for long */
    assert_int_equal(last_us, NOW - SECOND);
    say("XMR", NOW + 2 * SECOND, NOW + 3 * SECOND); /* the same block, by another sensor */
    say("BTC", NOW + 4 * SECOND, NOW + 4 * SECOND);
    say("XMR", NOW + 12 * SECOND, NOW + 12 * SECOND);
    assert_int_equal(told("", &last_us), 0);
    tick(NOW + 20 * SECOND);
    assert_int_equal(told("", &last_us), 2);
    assert_int_equal(last_us, NOW + 12 * SECOND);
    tick(NOW + 50 * SECOND);
    assert_int_equal(told("", &last_us), 0);
}

static void test_hello(void **state)
{
    (void)state;
    uint64_t last_us = 0;
    const struct lamp_letter from = { .sensor = "s1", .site = "north" };
    lamp_fleetclock_hello(&f, &from, &answers);
    assert_int_equal(told("s1", &last_us), 0);
    for (unsigned i = 0; i < LAMP_BLOCKCLOCK_BLOCKS + 10; i++) {
        say("XMR", NOW + 60 * i * SECOND, NOW + 60 * i * SECOND);
        say("BTC", NOW + 60 * i * SECOND, NOW + 60 * i * SECOND);
    }
    (void)told("", &last_us);
    lamp_fleetclock_hello(&f, &from, &answers);
    assert_int_equal(told("s1", &last_us), 2 * LAMP_BLOCKCLOCK_BLOCKS);
    assert_int_equal(last_us, NOW + 60 * (LAMP_BLOCKCLOCK_BLOCKS + 9) * SECOND);
}

static void test_refused(void **state)
{
    static const struct {
        const char *coin;
        int64_t ago_s;
        bool is_taken;
    } cases[] = {
        { "XMR", 0, true },    { "BTC", 7100, true },  { "LTC", -4, true },
        { "ETC", -10, false }, { "RVN", 7300, false }, { "xmr", 0, false },
        { "<b>", 0, false },   { "", 0, false },       { "NOSUCHCOINISTHISLONG", 0, false },
    };
    (void)state;
    uint64_t last_us, at_us = NOW;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        at_us += 60 * SECOND; /* so that each is told at once */
        say(cases[i].coin, at_us - (uint64_t)(cases[i].ago_s * (int64_t)SECOND), at_us);
        assert_int_equal(told("", &last_us), cases[i].is_taken);
    }
    assert_int_equal(f.refused, 5);
}

/* A sensor whose clock is off tells of the same blocks as the others. */
static void test_clock_off(void **state)
{
    (void)state;
    uint64_t last_us = 0;
    say("XMR", NOW, NOW);
    say_ahead("XMR", NOW + 15 * SECOND, 15 * (int64_t)SECOND, NOW + 60 * SECOND);
    say_ahead("XMR", NOW - 15 * SECOND, -15 * (int64_t)SECOND, NOW + 90 * SECOND);
    assert_int_equal(told("", &last_us), 1);
    say_ahead("XMR", 10 * SECOND, 20 * (int64_t)SECOND, NOW + 120 * SECOND); /* before 1970 */
    assert_int_equal(f.refused, 1);
}

/* Invented coins take no place. */
static void test_catalogue(void **state)
{
    (void)state;
    char why[256];
    uint64_t last_us;
    lamp_catalogue *catalogue;
    assert_int_equal(lamp_catalogue_load(LAMP_DATA, &catalogue, why, sizeof(why)), LAMP_OK);
    struct lamp_conn_row rows[] = { { .coin = lamp_bytes_of("ZZ1"), .block_ms = 1 },
                                    { .coin = lamp_bytes_of("XMR"), .block_ms = 1 },
                                    { .coin = { (const uint8_t *)"XMR\0", 4 }, .block_ms = 1 } };
    const struct lamp_batch b = { .t_from_us = NOW, .conns = rows, .n_conns = ARRAY_LEN(rows) };
    lamp_fleetclock_record(&f, catalogue, &b, 0, NOW, &answers);
    assert_int_equal(told("", &last_us), 1);
    assert_int_equal(f.refused, 2);
    lamp_catalogue_free(catalogue);
}

/* One record with ever so many: no more than there is room for is held, and all of it is told. */
static void test_flood(void **state)
{
    enum { ROWS = LAMP_WIRE_CONN_ROWS_MAX };
    static struct lamp_conn_row rows[ROWS];
    static char names[ROWS][8];
    (void)state;
    uint64_t last_us;
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof(names[i]), "C%zu", i % 40);
        rows[i] = (struct lamp_conn_row){ .coin = lamp_bytes_of(names[i]),
                                          .block_ms = (uint32_t)(1 + 1000 * (i / 40) * 11) };
    }
    const struct lamp_batch b = { .t_from_us = NOW - 3600 * SECOND,
                                  .conns = rows,
                                  .n_conns = ROWS };
    f.due_us = NOW + SECOND;
    lamp_fleetclock_record(&f, NULL, &b, 0, NOW, &answers);
    assert_true(f.refused > 0); /* 16 coins of 40 have a place */
    size_t n = told("", &last_us) + f.n_waiting;
    assert_int_equal(n, 16 * (ROWS / 40) + lamp_min((size_t)ROWS % 40, (size_t)16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gathered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hello, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalogue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
