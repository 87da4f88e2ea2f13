/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/engine/flow.h"

enum { SEC = 1000 * 1000 };

/* What ended, in order: the client's port of each flow. */
struct ends {
    unsigned port[4096], n;
};

static void note_end(struct lamp_flow *f, void *arg)
{
    struct ends *e = arg;
    assert_true(e->n < ARRAY_LEN(e->port));
    e->port[e->n++] = f->key.port[f->client];
}

static lamp_flows *new_table(size_t max, struct ends *ends)
{
    lamp_flows *t;
    struct lamp_flows_cfg cfg = { max, 300 * (uint64_t)SEC, 5 * SEC, note_end, ends };
    ends->n = 0;
    assert_int_equal(lamp_flows_new(&cfg, &t), LAMP_OK);
    return t;
}

/* From 10.0.0.1:port to 198.51.100.7:3333, or back. */
static struct lamp_pkt packet(uint16_t port, bool up, unsigned flags, uint32_t seq, uint64_t t_s)
{
    struct lamp_addr a = lamp_addr_from_v4((const uint8_t[]){ 10, 0, 0, 1 });
    struct lamp_addr b = lamp_addr_from_v4((const uint8_t[]){ 198, 51, 100, 7 });
    return (struct lamp_pkt){
        .src = up ? a : b,
        .dst = up ? b : a,
        .src_port = up ? port : 3333,
        .dst_port = up ? 3333 : port,
        .ip_proto = LAMP_IPPROTO_TCP,
        .tcp_flags = (uint8_t)flags,
        .tcp_seq = seq,
        .frame_len = 100,
        .t_us = t_s * SEC,
    };
}

static struct lamp_flow *touch(lamp_flows *t, struct lamp_pkt pkt, enum lamp_dir *out_dir)
{
    struct lamp_flow *f = NULL;
    enum lamp_dir dir;
    lamp_flows_expire(t, pkt.t_us);
    assert_int_equal(lamp_flows_touch(t, &pkt, &f, &dir), LAMP_OK);
    if (out_dir)
        *out_dir = dir;
    return f;
}

static void test_both_directions(void **state)
{
    (void)state;
    static struct ends ends;
    lamp_flows *t = new_table(16, &ends);
    enum lamp_dir dir;
    struct lamp_flow *f = touch(t, packet(40000, true, LAMP_TCP_SYN, 7, 10), &dir);
    assert_int_equal(dir, LAMP_UP);
    assert_true(f->saw_syn);
    assert_int_equal(f->key.port[f->client], 40000);
    assert_ptr_equal(touch(t, packet(40000, false, LAMP_TCP_SYN | LAMP_TCP_ACK, 9, 11), &dir), f);
    assert_int_equal(dir, LAMP_DOWN);
    assert_ptr_equal(touch(t, packet(40000, true, LAMP_TCP_ACK, 8, 12), &dir), f);
    assert_ptr_not_equal(touch(t, packet(40001, true, LAMP_TCP_ACK, 8, 12), &dir), f);
    struct lamp_pkt udp = packet(40000, true, 0, 0, 12);
    udp.ip_proto = LAMP_IPPROTO_UDP;
    assert_ptr_not_equal(touch(t, udp, NULL), f);

    assert_int_equal(f->packets[LAMP_UP], 2);
    assert_int_equal(f->packets[LAMP_DOWN], 1);
    assert_int_equal(f->bytes[LAMP_UP], 200);
    assert_int_equal(f->first_seq[LAMP_UP], 8);
    assert_int_equal(f->first_seq[LAMP_DOWN], 10);
    assert_int_equal(f->first_us, 10 * SEC);
    assert_int_equal(f->last_us, 12 * SEC);
    assert_int_equal(lamp_flows_counters(t).live, 3);
    lamp_flows_end_all(t);
    assert_int_equal(ends.n, 3);
    assert_int_equal(lamp_flows_counters(t).live, 0);
    lamp_flows_free(t);
}

/* Who the client is, by the first packet seen. */
static void test_client(void **state)
{
    (void)state;
    static struct ends ends;
    static const struct {
        bool up;
        unsigned flags;
        uint16_t port;
        bool saw_syn, upwards;
    } cases[] = {
        { true, LAMP_TCP_SYN, 100, true, true },
        { false, LAMP_TCP_SYN | LAMP_TCP_ACK, 100, true, false },
        { true, LAMP_TCP_ACK, 40000, false, true },
        { false, LAMP_TCP_ACK, 40000, false, false },
        { true, LAMP_TCP_ACK, 443, false, false }, /* 3333 is the higher port */
        { true, LAMP_TCP_ACK, 3333, false, true }, /* equal ports: who speaks first */
        { false, LAMP_TCP_ACK, 3333, false, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_flows *t = new_table(16, &ends);
        enum lamp_dir dir;
        struct lamp_flow *f =
            touch(t, packet(cases[i].port, cases[i].up, cases[i].flags, 1, 1), &dir);
        if (f->saw_syn != cases[i].saw_syn || (dir == LAMP_UP) != cases[i].upwards)
            fail_msg("case %zu", i);
        lamp_flows_free(t);
    }
}

static void test_expiry(void **state)
{
    (void)state;
    static struct ends ends;
    lamp_flows *t = new_table(64, &ends);
    touch(t, packet(1001, true, LAMP_TCP_ACK, 1, 1000), NULL);  /* 3333 > 1001: port 3333 ends */
    touch(t, packet(40000, true, LAMP_TCP_ACK, 1, 1000), NULL); /* kept alive */
    touch(t, packet(40001, true, LAMP_TCP_RST, 1, 1000), NULL); /* lingers 5 s */
    lamp_flows_expire(t, 1003 * (uint64_t)SEC);
    assert_int_equal(ends.n, 0);
    lamp_flows_expire(t, 1008 * (uint64_t)SEC);
    assert_int_equal(ends.n, 1);
    assert_int_equal(ends.port[0], 40001);
    for (uint64_t s = 1100; s <= 1300; s += 100)
        touch(t, packet(40000, true, LAMP_TCP_ACK, 1, s), NULL);
    lamp_flows_expire(t, 1303 * (uint64_t)SEC);
    assert_int_equal(ends.n, 2);
    assert_int_equal(ends.port[1], 3333);
    lamp_flows_expire(t, 1604 * (uint64_t)SEC);
    assert_int_equal(ends.n, 3);
    assert_int_equal(lamp_flows_counters(t).ended, 3);
    lamp_flows_free(t);
}

/* The clock leaps ahead and back: nothing is stuck for more than a turn of the wheel. */
static void test_clock_steps(void **state)
{
    (void)state;
    static struct ends ends;
    lamp_flows *t = new_table(64, &ends);
    touch(t, packet(40000, true, LAMP_TCP_ACK, 1, 1000), NULL);
    touch(t, packet(40001, true, LAMP_TCP_ACK, 1, 900000000), NULL); /* one bad time stamp */
    assert_int_equal(ends.n, 1);
    for (uint64_t s = 1001; s < 2000; s += 10)
        touch(t, packet(40002, true, LAMP_TCP_ACK, 1, s), NULL);
    assert_int_equal(ends.n, 2);
    assert_int_equal(ends.port[1], 40001);
    lamp_flows_free(t);
}

static void test_fin_and_reuse(void **state)
{
    (void)state;
    static struct ends ends;
    lamp_flows *t = new_table(64, &ends);
    struct lamp_flow *f = touch(t, packet(40000, true, LAMP_TCP_SYN, 7, 1), NULL);
    assert_ptr_equal(touch(t, packet(40000, true, LAMP_TCP_SYN, 7, 2), NULL), f); /* again */
    assert_int_equal(f->packets[LAMP_UP], 2);
    touch(t, packet(40000, true, LAMP_TCP_FIN | LAMP_TCP_ACK, 8, 3), NULL);
    assert_false(f->closing);
    touch(t, packet(40000, false, LAMP_TCP_FIN | LAMP_TCP_ACK, 8, 3), NULL);
    assert_true(f->closing);
    touch(t, packet(40000, true, LAMP_TCP_ACK, 9, 3), NULL);
    assert_int_equal(ends.n, 0);

    f = touch(t, packet(40000, true, LAMP_TCP_SYN, 5000, 4), NULL); /* a new connection */
    assert_int_equal(ends.n, 1);
    assert_int_equal(f->packets[LAMP_UP], 1);
    assert_false(f->closing);

    touch(t, packet(40009, true, LAMP_TCP_ACK, 1, 5), NULL)->n_payloads[LAMP_UP] = 3;
    f = touch(t, packet(40009, true, LAMP_TCP_SYN, 5000, 5), NULL); /* after a mid-stream one */
    assert_int_equal(ends.n, 2);
    assert_true(f->saw_syn);
    lamp_flows_free(t);
}

static void test_eviction(void **state)
{
    (void)state;
    static struct ends ends;
    enum { MAX = 100 };
    lamp_flows *t = new_table(MAX, &ends);
    for (unsigned i = 0; i < MAX; i++) {
        struct lamp_flow *f = touch(t, packet((uint16_t)(40000 + i), true, 0, 1, 10 + 2 * i), NULL);
        f->keep = i < 10;
    }
    touch(t, packet(40010, true, 0, 1, 250), NULL); /* the oldest that is not kept, used again */
    touch(t, packet(50000, true, 0, 1, 250), NULL);
    assert_int_equal(ends.n, 1);
    assert_int_equal(ends.port[0], 40011);

    for (unsigned i = 1; i < 2 * MAX; i++) /* a flood: the kept ones stay */
        touch(t, packet((uint16_t)(50000 + i), true, 0, 1, 251), NULL);
    for (unsigned i = 0; i < ends.n; i++)
        assert_true(ends.port[i] >= 40010);
    assert_int_equal(lamp_flows_counters(t).live, MAX);
    assert_int_equal(lamp_flows_counters(t).evicted, 2 * MAX);
    assert_int_equal(lamp_flows_counters(t).refused, 0);
    lamp_flows_free(t);
}

static void test_only_kept_flows(void **state)
{
    (void)state;
    static struct ends ends;
    lamp_flows *t = new_table(2, &ends);
    touch(t, packet(40000, true, 0, 1, 10), NULL)->keep = true;
    touch(t, packet(40001, true, 0, 1, 20), NULL)->keep = true;
    touch(t, packet(40002, true, 0, 1, 30), NULL);
    assert_int_equal(ends.n, 1);
    assert_int_equal(ends.port[0], 40000);
    lamp_flows_free(t);
}

/* Many flows come and go in a small table: every one is found while it lives and gone after,
 * though their places collide all the time. */
static void test_collisions(void **state)
{
    (void)state;
    static struct ends ends;
    enum { MAX = 1500, ROUNDS = 2 };
    lamp_flows *t = new_table(MAX, &ends);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < MAX; i++)
            touch(t, packet((uint16_t)(10000 + i), true, LAMP_TCP_RST, 1, 100 + 1000 * round),
                  NULL);
        for (unsigned i = 0; i < MAX; i += 2) {
            struct lamp_flow *f =
                touch(t, packet((uint16_t)(10000 + i), false, 0, 1, 101 + 1000 * round), NULL);
            assert_int_equal(f->packets[LAMP_UP], 1);
            assert_int_equal(f->packets[LAMP_DOWN], 1);
        }
        lamp_flows_expire(t, (uint64_t)(500 + 1000 * round) * SEC);
        assert_int_equal(lamp_flows_counters(t).live, 0);
    }
    assert_int_equal(ends.n, ROUNDS * MAX);
    assert_int_equal(lamp_flows_counters(t).created, ROUNDS * MAX);
    lamp_flows_free(t);
}

static void test_limits(void **state)
{
    (void)state;
    lamp_flows *t = NULL;
    assert_int_equal(lamp_flows_new(&(struct lamp_flows_cfg){ 0, 1, 1, NULL, NULL }, &t),
                     LAMP_EINVAL);
    assert_int_equal(lamp_flows_new(&(struct lamp_flows_cfg){ 1, 0, 1, NULL, NULL }, &t),
                     LAMP_EINVAL);
    assert_null(t);
    assert_null(lamp_flows_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_directions), cmocka_unit_test(test_client),
        cmocka_unit_test(test_expiry),          cmocka_unit_test(test_clock_steps),
        cmocka_unit_test(test_fin_and_reuse),   cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_only_kept_flows), cmocka_unit_test(test_collisions),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
