/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/engine/flow.h"

#include <arpa/inet.h>

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
    struct lamp_flows_cfg cfg = { .max_flows = max,
                                  .idle_us = 300 * (uint64_t)SEC,
                                  .linger_us = 5 * SEC,
                                  .host_share = max, /* all flows here are of one client */
                                  .ended = note_end,
                                  .arg = ends };
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

/* A packet between any two IPv4 addresses. */
static struct lamp_pkt between(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
                               uint64_t t_us)
{
    const uint32_t v[2] = { htonl(src), htonl(dst) };
    return (struct lamp_pkt){
        .src = lamp_addr_from_v4((const uint8_t *)&v[0]),
        .dst = lamp_addr_from_v4((const uint8_t *)&v[1]),
        .src_port = sport,
        .dst_port = dport,
        .ip_proto = LAMP_IPPROTO_TCP,
        .tcp_flags = LAMP_TCP_SYN,
        .frame_len = 60,
        .t_us = t_us,
    };
}

/* One host that opens more than its share loses its own flows, not those of others, though
 * theirs are older. */
static void test_host_share(void **state)
{
    (void)state;
    enum { MAX = 4096, OTHERS = 1000, FLOOD = 20000, ATTACKER = 0x0a000063 };
    struct lamp_flows_cfg cfg = { .max_flows = MAX,
                                  .idle_us = 300 * (uint64_t)SEC,
                                  .linger_us = 5 * SEC };
    lamp_flows *t;
    assert_int_equal(lamp_flows_new(&cfg, &t), LAMP_OK);
    for (uint32_t i = 0; i < OTHERS; i++)
        touch(t, between(0x0a010000 + i, 40000, 0xc6336407, 443, SEC), NULL);
    for (uint32_t i = 0; i < FLOOD; i++)
        touch(t, between(ATTACKER, (uint16_t)(1024 + i), 0xc6330000 + i / 60000, 80, 2 * SEC + i),
              NULL);
    const struct lamp_flows_counters n = lamp_flows_counters(t);
    assert_int_equal(n.live, MAX);
    assert_int_equal(n.evicted, OTHERS + FLOOD - MAX);
    assert_true(n.evicted_share > n.evicted * 99 / 100); /* a probe may miss */
    assert_int_equal(n.refused, 0);
    unsigned left = 0;
    for (uint32_t i = 0; i < OTHERS; i++)
        left += touch(t, between(0x0a010000 + i, 40000, 0xc6336407, 443, 3 * SEC), NULL)
                    ->packets[LAMP_UP] == 2;
    assert_true(left > OTHERS * 98 / 100);
    lamp_flows_end_all(t);
    assert_int_equal(lamp_flows_counters(t).live, 0);
    touch(t, between(1, 2, 3, 4, 4 * SEC), NULL); /* the table is as new */
    assert_int_equal(lamp_flows_counters(t).live, 1);
    lamp_flows_free(t);
}

/* More kept flows than an eviction looks at, all due before anything else: a flood of flows
 * from everywhere takes none of them. The work of it is bounded, whatever the order. */
static void test_kept_survive_flood(void **state)
{
    (void)state;
    enum { MAX = 20000, KEPT = 2000, FLOOD = 1000000 };
    struct lamp_flows_cfg cfg = { .max_flows = MAX,
                                  .idle_us = 300 * (uint64_t)SEC,
                                  .linger_us = 5 * SEC };
    lamp_flows *t;
    assert_int_equal(lamp_flows_new(&cfg, &t), LAMP_OK);
    for (uint32_t i = 0; i < KEPT; i++)
        touch(t, between(0x0a010000 + i, 40000, 0xc6336407, 3333, SEC), NULL)->keep = true;
    uint64_t random = 88172645463325252;
    for (uint32_t i = 0; i < FLOOD; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        struct lamp_pkt pkt =
            between((uint32_t)random, (uint16_t)(random >> 32), (uint32_t)(random >> 16) | 1,
                    (uint16_t)(random >> 48), 2 * SEC + i);
        touch(t, pkt, NULL);
    }
    assert_int_equal(lamp_flows_counters(t).live, MAX);
    for (uint32_t i = 0; i < KEPT; i++) {
        struct lamp_flow *f =
            touch(t, between(0x0a010000 + i, 40000, 0xc6336407, 3333, 4 * SEC), NULL);
        assert_int_equal(f->packets[LAMP_UP], 2);
    }
    assert_int_equal(lamp_flows_counters(t).refused, 0);
    lamp_flows_free(t);
}

static void test_vlan_key(void **state)
{
    (void)state;
    static struct ends ends;
    for (int keyed = 0; keyed < 2; keyed++) {
        struct lamp_flows_cfg cfg = { .max_flows = 64,
                                      .idle_us = 300 * (uint64_t)SEC,
                                      .linger_us = 5 * SEC,
                                      .ended = note_end,
                                      .arg = &ends,
                                      .vlan_key = keyed };
        lamp_flows *t;
        assert_int_equal(lamp_flows_new(&cfg, &t), LAMP_OK);
        struct lamp_pkt up = packet(40000, true, 0, 1, 1), down = packet(40000, false, 0, 1, 1);
        struct lamp_flow *none = touch(t, up, NULL);
        up.n_vlans = down.n_vlans = 1;
        up.vlans[0] = down.vlans[0] = 7;
        struct lamp_flow *seven = touch(t, up, NULL);
        assert_ptr_equal(touch(t, down, NULL), seven);
        up.vlans[0] = 8;
        struct lamp_flow *eight = touch(t, up, NULL);
        up.n_vlans = 2;
        up.vlans[1] = 7;
        struct lamp_flow *stack = touch(t, up, NULL);
        assert_int_equal(lamp_flows_counters(t).live, keyed ? 4 : 1);
        assert_int_equal(none != seven && seven != eight && eight != stack, keyed);
        lamp_flows_free(t);
    }
}

/* IPv6 ends, and IPv4 ones against the same bits elsewhere: all are flows of their own. */
static void test_families(void **state)
{
    (void)state;
    static struct ends ends;
    lamp_flows *t = new_table(64, &ends);
    struct lamp_pkt v4 = packet(40000, true, 0, 1, 1), v6 = v4, other;
    memset(v6.src.b, 0, 12); /* ::10.0.0.1, not mapped */
    memset(v6.dst.b, 0, 12);
    other = v6;
    other.dst.b[0] = 0x20;
    enum lamp_dir dir;
    struct lamp_flow *a = touch(t, v4, NULL), *b = touch(t, v6, NULL), *c = touch(t, other, NULL);
    assert_true(a != b && b != c && a != c);
    struct lamp_pkt back = other;
    back.src = other.dst, back.dst = other.src;
    back.src_port = other.dst_port, back.dst_port = other.src_port;
    assert_ptr_equal(touch(t, back, &dir), c);
    assert_int_equal(dir, LAMP_DOWN);
    lamp_flows_free(t);
}

/* Who the client is where no SYN was seen and a pool listens high. */
static void test_client_by_pool_port(void **state)
{
    (void)state;
    static const struct {
        uint16_t src, dst;
        bool from_client;
    } cases[] = {
        { 45700, 33000, false }, /* a pool's port above what the client was given */
        { 33000, 45700, true },
        { 45700, 443, true }, /* but a well-known one is more of a service still */
        { 50000, 8123, true },
        { 8123, 50000, false },
        { 30001, 30007, false }, /* nothing known: the higher */
    };
    lamp_catalogue *catalogue;
    char why[256];
    assert_int_equal(lamp_catalogue_load(LAMP_DATA, &catalogue, why, sizeof(why)), LAMP_OK);
    assert_true(lamp_catalogue_is_pool_port(catalogue, 45700));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_flows_cfg cfg = { .max_flows = 4,
                                      .idle_us = 300 * (uint64_t)SEC,
                                      .linger_us = 5 * SEC,
                                      .catalogue = catalogue };
        lamp_flows *t;
        assert_int_equal(lamp_flows_new(&cfg, &t), LAMP_OK);
        struct lamp_pkt pkt = between(1, cases[i].src, 2, cases[i].dst, SEC);
        pkt.tcp_flags = LAMP_TCP_ACK;
        enum lamp_dir dir;
        touch(t, pkt, &dir);
        if ((dir == LAMP_UP) != cases[i].from_client)
            fail_msg("case %zu", i);
        lamp_flows_free(t);
    }
    lamp_catalogue_free(catalogue);
}

/* The hash is keyed anew for each table: what falls on one place in one table does not in the
 * next, so an outsider cannot prepare a flood that does. */
static void test_hash_is_keyed(void **state)
{
    (void)state;
    static struct ends ends;
    enum { FLOWS = 4096, BITS = 12, ROUNDS = 8 };
    lamp_flows *first = new_table(16, &ends);
    unsigned same = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        lamp_flows *t = new_table(16, &ends);
        for (unsigned i = 0; i < FLOWS; i++) {
            struct lamp_pkt pkt = packet((uint16_t)(1024 + i), true, 0, 1, 1);
            struct lamp_flow_aim a, b;
            lamp_flows_aim(first, &pkt, 1, &a);
            lamp_flows_aim(t, &pkt, 1, &b);
            same += ((a.hash ^ b.hash) & ((1U << BITS) - 1)) == 0;
        }
        lamp_flows_free(t);
    }
    /* ROUNDS are expected by chance */
    assert_true(same < 5 * ROUNDS);
    lamp_flows_free(first);
}

static void test_limits(void **state)
{
    (void)state;
    lamp_flows *t = NULL;
    assert_int_equal(lamp_flows_new(&(struct lamp_flows_cfg){ .idle_us = 1, .linger_us = 1 }, &t),
                     LAMP_EINVAL);
    assert_int_equal(lamp_flows_new(&(struct lamp_flows_cfg){ .max_flows = 1, .linger_us = 1 }, &t),
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
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_host_share),
        cmocka_unit_test(test_vlan_key),        cmocka_unit_test(test_kept_survive_flood),
        cmocka_unit_test(test_families),        cmocka_unit_test(test_client_by_pool_port),
        cmocka_unit_test(test_hash_is_keyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
