/* SPDX-License-Identifier: Apache-2.0 */
/* The test is the aggregator: it reads what delivery sends and answers as it likes. */
#include "sensor/link/delivery.h"
#include "tests/support/test.h"

enum { SECOND = 1000000, SENT_MAX = 512 };

static char dir[64];
static lamp_spool *spool;
static lamp_delivery *d;
static struct lamp_now now;
static struct lamp_msg *sent[SENT_MAX];
static size_t n_sent;

static int on_send(const uint8_t *data, size_t len, void *arg)
{
    (void)arg;
    assert_true(n_sent < SENT_MAX);
    assert_int_equal(lamp_msg_unpack(data, len, &sent[n_sent]), LAMP_OK);
    n_sent++;
    return LAMP_OK;
}

static void forget_sent(void)
{
    while (n_sent > 0)
        lamp_msg_free(sent[--n_sent]);
}

static void open_all(void)
{
    char damaged[PATH_MAX], why[256];
    assert_int_equal(lamp_spool_open(dir, 1 << 24, 1, &spool, damaged, why), LAMP_OK);
    const struct lamp_delivery_cfg cfg = { .spool = spool, .build = "test", .send = on_send };
    assert_int_equal(lamp_delivery_new(&cfg, &d), LAMP_OK);
}

static void close_all(void)
{
    d = lamp_delivery_free(d);
    spool = lamp_spool_close(spool);
    forget_sent();
}

static int setup(void **state)
{
    (void)state;
    now = (struct lamp_now){ 1700000000000000, 100 * SECOND };
    snprintf(dir, sizeof(dir), "/tmp/lamp-delivery-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    open_all();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char cmd[128];
    close_all();
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

static void pass(uint64_t us)
{
    now.mono_us += us;
    now.real_us += us;
}

static void append_long(unsigned n, size_t len)
{
    static const uint8_t body[200 * 1024];
    const struct lamp_summary m = { .t_to_us = now.real_us, .n_rows = 1, .batch = { body, len } };
    assert_true(len <= sizeof(body));
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(lamp_delivery_append(d, &(const struct lamp_summary *){ &m }, 1, now),
                         LAMP_OK);
}

static void append(unsigned n)
{
    append_long(n, 100);
}

static int answer(const struct lamp_msg *m)
{
    enum lamp_bye_reason bye = LAMP_BYE_UNSPECIFIED;
    uint64_t pause_us;
    return lamp_delivery_message(d, m, now, &bye, &pause_us);
}

/* Starts a session and welcomes it; every stream goes on at next. Returns the HELLO's. */
static struct lamp_hello *welcome(uint64_t next, uint64_t credit)
{
    static struct lamp_hello hello;
    static struct lamp_stream_state states[LAMP_WIRE_STREAMS_MAX];
    struct lamp_stream_next streams[LAMP_WIRE_STREAMS_MAX];
    const struct lamp_set_head head = { .kind = LAMP_SET_BLOCK };
    lamp_delivery_start(d, &head, now);
    forget_sent();
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(n_sent, 1);
    assert_int_equal(sent[0]->type, LAMP_MSG_HELLO);
    hello = sent[0]->u.hello;
    memcpy(states, hello.streams, hello.n_streams * sizeof(*states));
    hello.streams = states;
    forget_sent();
    struct lamp_msg m = { .type = LAMP_MSG_WELCOME,
                          .u.welcome = { .proto = 1,
                                         .session = hello.session,
                                         .streams = streams,
                                         .n_streams = hello.n_streams,
                                         .credit_bytes = credit } };
    for (size_t i = 0; i < hello.n_streams; i++)
        streams[i] = (struct lamp_stream_next){ states[i].stream, next };
    assert_int_equal(answer(&m), LAMP_OK);
    return &hello;
}

static int ack(const struct lamp_hello *h, size_t stream, uint64_t next, uint64_t credit)
{
    struct lamp_stream_next s = { h->streams[stream].stream, next };
    const struct lamp_msg m = {
        .type = LAMP_MSG_ACK,
        .u.ack = { .session = h->session, .streams = &s, .n_streams = 1, .credit_bytes = credit }
    };
    return answer(&m);
}

static void expect_summaries(uint64_t from, uint64_t to)
{
    assert_int_equal(n_sent, to - from + 1);
    for (size_t i = 0; i < n_sent; i++) {
        assert_int_equal(sent[i]->type, LAMP_MSG_SUMMARY);
        assert_int_equal(sent[i]->u.summary.seq, from + i);
    }
    forget_sent();
}

static void test_window_and_go_back(void **state)
{
    (void)state;
    append(100);
    const struct lamp_hello *h = welcome(1, 1 << 30);
    expect_summaries(1, 64);
    assert_int_equal(ack(h, 0, 11, 1 << 30), LAMP_OK);
    expect_summaries(65, 74);
    assert_int_equal(ack(h, 0, 102, 1 << 30), LAMP_EPROTO); /* more than there is */

    for (unsigned i = 0; i < 3; i++) {
        pass(10 * SECOND);
        assert_int_equal(ack(h, 0, 11, 1 << 30), LAMP_OK); /* alive, but no progress */
        assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
        expect_summaries(11, 74);
    }
    pass(10 * SECOND);
    assert_int_equal(ack(h, 0, 11, 1 << 30), LAMP_OK);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_ETIMEOUT);
}

static void test_credit(void **state)
{
    (void)state;
    append(10);
    const struct lamp_hello *h = welcome(1, 100);
    expect_summaries(1, 1);
    assert_int_equal(ack(h, 0, 2, 500), LAMP_OK);
    assert_true(n_sent >= 1 && n_sent <= 4);
    forget_sent();
    assert_int_equal(ack(h, 0, 2, 1 << 20), LAMP_OK);
    assert_int_equal(sent[n_sent - 1]->u.summary.seq, 10);
}

/* In a large fleet a sensor's share of the credit may be less than one record. */
static void test_longer_than_the_credit(void **state)
{
    (void)state;
    const uint64_t share = 64 * 1024, len = 200 * 1024;
    append_long(3, len);
    const struct lamp_hello *h = welcome(1, share);
    expect_summaries(1, 1);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    expect_summaries(1, 0); /* not before the first is acknowledged */
    assert_int_equal(ack(h, 0, 2, len), LAMP_OK);
    expect_summaries(1, 0); /* not without any credit */
    assert_int_equal(ack(h, 0, 2, len + share), LAMP_OK);
    expect_summaries(2, 2);
}

static void test_restart_replays_and_closes(void **state)
{
    (void)state;
    append(3);
    close_all();
    open_all();
    append(2);
    const struct lamp_hello *h = welcome(1, 1 << 30);
    assert_int_equal(h->n_streams, 2);
    assert_int_equal(n_sent, 5); /* oldest stream first */
    assert_int_equal(sent[2]->u.summary.seq, 3);
    assert_memory_equal(&sent[2]->u.summary.stream, &h->streams[0].stream, 16);
    assert_memory_equal(&sent[3]->u.summary.stream, &h->current_stream, 16);
    forget_sent();
    assert_int_equal(ack(h, 0, 4, 1 << 30), LAMP_OK);
    assert_int_equal(n_sent, 1);
    assert_int_equal(sent[0]->type, LAMP_MSG_CLOSE);
    assert_int_equal(sent[0]->u.close.last_seq, 3);
    assert_false(sent[0]->u.close.clean);
    forget_sent();
    assert_int_equal(ack(h, 0, 4, 1 << 30), LAMP_OK); /* of the CLOSE */
    assert_int_equal(ack(h, 1, 3, 1 << 30), LAMP_OK);
    assert_int_equal(n_sent, 0);
    lamp_delivery_finish(d, now);
    assert_int_equal(n_sent, 1);
    assert_true(sent[0]->u.close.clean);
    assert_false(lamp_delivery_finished(d));
    assert_int_equal(ack(h, 1, 3, 1 << 30), LAMP_OK);
    assert_true(lamp_delivery_finished(d));
    assert_int_equal(lamp_spool_bytes(spool), 0);
}

static void test_restored_aggregator(void **state)
{
    (void)state;
    append(5);
    const struct lamp_hello *h = welcome(1, 1 << 30);
    forget_sent();
    assert_int_equal(ack(h, 0, 4, 1 << 30), LAMP_OK);
    (void)welcome(2, 1 << 30); /* it had 3, now it says 1 */
    expect_summaries(2, 5);
}

/* A database restored to before a finished stream: HELLO comes again and names that too. */
static void test_restored_aggregator_and_finished_stream(void **state)
{
    (void)state;
    append(3);
    close_all();
    open_all();
    append(1);
    const struct lamp_hello *h = welcome(1, 1 << 30);
    forget_sent();
    assert_int_equal(ack(h, 0, 4, 1 << 30), LAMP_OK);
    assert_int_equal(ack(h, 0, 4, 1 << 30), LAMP_OK); /* of the CLOSE */
    assert_int_equal(ack(h, 1, 2, 1 << 30), LAMP_OK);
    forget_sent();

    h = welcome(1, 1 << 30);
    assert_int_equal(h->n_streams, 1);
    assert_int_equal(lamp_delivery_state(d), LAMP_DELIVERY_HELLO);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(n_sent, 1);
    assert_int_equal(sent[0]->type, LAMP_MSG_HELLO);
    assert_int_equal(sent[0]->u.hello.n_streams, 2);
    struct lamp_stream_next next[2] = { { sent[0]->u.hello.streams[0].stream, 1 },
                                        { sent[0]->u.hello.streams[1].stream, 1 } };
    const struct lamp_msg m = { .type = LAMP_MSG_WELCOME,
                                .u.welcome = { .proto = 1,
                                               .session = h->session,
                                               .streams = next,
                                               .n_streams = 2,
                                               .credit_bytes = 1 << 30 } };
    forget_sent();
    assert_int_equal(answer(&m), LAMP_OK);
    assert_int_equal(n_sent, 4);
    assert_int_equal(sent[2]->u.summary.seq, 3);
    assert_int_equal(sent[3]->u.summary.seq, 1);
}

/* PING tells the aggregator its own time as the quickest exchange of the session found it. */
static void test_clock(void **state)
{
    (void)state;
    const struct lamp_set_head head = { .kind = LAMP_SET_BLOCK };
    lamp_delivery_start(d, &head, now);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    struct lamp_msg m = { .type = LAMP_MSG_WELCOME,
                          .u.welcome = { .proto = 1, .session = sent[0]->u.hello.session } };
    m.u.welcome.t_rx_us = now.real_us + 100 * SECOND + 40000; /* 100 s ahead, 40 ms there */
    m.u.welcome.t_tx_us = m.u.welcome.t_rx_us + 500000;
    pass(580000); /* and 40 ms back */
    assert_int_equal(answer(&m), LAMP_OK);
    forget_sent();
    pass(5 * SECOND);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(sent[0]->type, LAMP_MSG_PING);
    assert_int_equal(sent[0]->u.ping.rtt_us, 80000);
    assert_int_equal(sent[0]->u.ping.t_agg_us, now.real_us + 100 * SECOND);

    /* A slower exchange changes nothing, a quicker one does. */
    struct lamp_msg pong = { .type = LAMP_MSG_PONG, .u.pong = { .session = m.u.welcome.session } };
    pong.u.pong.t_ping_us = now.real_us;
    pong.u.pong.t_us = now.real_us + 1000 * SECOND;
    pass(SECOND);
    assert_int_equal(answer(&pong), LAMP_OK);
    pong.u.pong.t_ping_us = now.real_us;
    pong.u.pong.t_us = now.real_us + 7 * SECOND + 10;
    pass(20);
    assert_int_equal(answer(&pong), LAMP_OK);
    forget_sent();
    pass(5 * SECOND);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(sent[0]->u.ping.rtt_us, 20);
    assert_int_equal(sent[0]->u.ping.t_agg_us, now.real_us + 7 * SECOND);
}

/* However often the aggregator speaks: that a key of its was heard of is told at the next turn, once. */
static void test_key_heard_of(void **state)
{
    (void)state;
    lamp_delivery_server_key(d, 3); /* HELLO tells of this one */
    welcome(1, 1 << 30);
    forget_sent();
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(n_sent, 0);
    for (unsigned i = 0; i < 2; i++)
        lamp_delivery_server_key(d, 7); /* said again before the turn */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(n_sent, 1);
    assert_int_equal(sent[0]->type, LAMP_MSG_PING);
    assert_int_equal(sent[0]->u.ping.server_key_serial, 7);

    lamp_delivery_server_key(d, 8); /* the next HELLO tells of it */
    welcome(1, 1 << 30);
    forget_sent();
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(n_sent, 0);
}

static void test_silence_bye_and_strangers(void **state)
{
    (void)state;
    const struct lamp_set_head head = { .kind = LAMP_SET_BLOCK };
    lamp_delivery_start(d, &head, now);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    pass(2 * SECOND);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(n_sent, 2); /* HELLO again */
    pass(13 * SECOND);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_ETIMEOUT);

    const struct lamp_hello *h = welcome(1, 1 << 30);
    pass(5 * SECOND);
    assert_int_equal(lamp_delivery_tick(d, now), LAMP_OK);
    assert_int_equal(n_sent, 1);
    assert_int_equal(sent[0]->type, LAMP_MSG_PING);

    enum lamp_bye_reason bye = LAMP_BYE_UNSPECIFIED;
    uint64_t pause_us = 1;
    struct lamp_msg m = { .type = LAMP_MSG_BYE, .u.bye = { .reason = LAMP_BYE_UNKNOWN_SESSION } };
    assert_int_equal(lamp_delivery_message(d, &m, now, &bye, &pause_us), LAMP_OK); /* not ours */
    m.u.bye.session = h->session;
    assert_int_equal(lamp_delivery_message(d, &m, now, &bye, &pause_us), LAMP_EAUTH);
    assert_int_equal(bye, LAMP_BYE_UNKNOWN_SESSION);
    assert_int_equal(pause_us, 0);
    m.u.bye = (struct lamp_bye){ .reason = LAMP_BYE_REVOKED }; /* before any session */
    assert_int_equal(lamp_delivery_message(d, &m, now, &bye, &pause_us), LAMP_EAUTH);
    assert_int_equal(pause_us, 32 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_window_and_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_credit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longer_than_the_credit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_replays_and_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restored_aggregator, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restored_aggregator_and_finished_stream, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key_heard_of, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_bye_and_strangers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
