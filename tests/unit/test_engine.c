/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/engine/decode.h"
#include "sensor/engine/engine.h"
#include "tests/support/frames.h"
#include "tests/support/rng.h"

#include <sys/resource.h>

enum { CLIENT = 0x0a000001, POOL = 0xc6336407, PORT = 40000, POOL_PORT = 3333 };

static const char *const up[] = {
    "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4.10\"]}\n",
    "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"w.rig1\",\"x\"]}\n",
    "{\"id\":3,\"method\":\"mining.submit\",\"params\":[\"w.rig1\",\"j1\",\"01\",\"5a\",\"de\"]}\n",
};
static const char *const down[] = {
    "{\"id\":1,\"result\":[[[\"mining.notify\",\"ae68\"]],\"08000002\",4],\"error\":null}\n",
    ("{\"id\":2,\"result\":true,\"error\":null}\n"
     "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"j1\","
     "\"4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000\",\"01000000\","
     "\"072f736c7573682f\",[],\"00000002\",\"1c2ac4af\",\"504e86b9\",true]}\n"),
    "{\"id\":3,\"result\":true,\"error\":null}\n",
};

/* What came out: the last connection that ended, and how many did. */
struct out {
    struct lamp_conn conn;
    unsigned n;
};

static void on_end(const struct lamp_conn *conn, void *arg)
{
    struct out *o = arg;
    o->conn = *conn;
    o->n++;
}

/* A conversation in the making: sends segments to an engine and keeps the truth. */
struct talk {
    lamp_engine *e;
    uint32_t seq[2];
    uint64_t t_us, packets[2], bytes[2];
    uint32_t snaplen; /* 0: all */
    unsigned vlan;    /* 0: none */
};

static lamp_engine *new_engine(struct out *o)
{
    lamp_engine *e;
    o->n = 0;
    struct lamp_engine_cfg cfg = { .memory_bytes = 4 << 20 };
    assert_int_equal(lamp_engine_new(&cfg, on_end, o, &e), LAMP_OK);
    return e;
}

static void send_at(struct talk *t, int dir, unsigned flags, uint32_t seq, const char *data,
                    size_t len)
{
    struct frame f = { .len = 0 };
    put_ether(&f, t->vlan ? 0x8100 : 0x0800);
    if (t->vlan)
        put_vlan(&f, t->vlan, 0x0800);
    put_ip4(&f, LAMP_IPPROTO_TCP, dir ? POOL : CLIENT, dir ? CLIENT : POOL, 20 + len);
    put_tcp(&f, dir ? POOL_PORT : PORT, dir ? PORT : POOL_PORT, seq, flags);
    put(&f, data, len);
    size_t cap = t->snaplen ? lamp_min(t->snaplen, f.len) : f.len;
    uint8_t *copy = guarded_dup(f.b, cap);
    t->t_us += 20000;
    struct lamp_frame frame = { copy, (uint32_t)cap, (uint32_t)f.len, t->t_us, 1 };
    lamp_engine_frame(t->e, &frame);
    guarded_free(copy);
    t->packets[dir]++;
    t->bytes[dir] += f.len;
}

static void send_bytes(struct talk *t, int dir, const char *data, size_t len)
{
    send_at(t, dir, LAMP_TCP_ACK, t->seq[dir], data, len);
    t->seq[dir] += (uint32_t)len;
}

static void start(struct talk *t, lamp_engine *e, bool syn)
{
    *t = (struct talk){ .e = e, .seq = { UINT32_MAX - 100, 7000 }, .t_us = 1700000000000000 };
    if (!syn)
        return;
    send_at(t, 0, LAMP_TCP_SYN, t->seq[0]++, "", 0);
    send_at(t, 1, LAMP_TCP_SYN | LAMP_TCP_ACK, t->seq[1]++, "", 0);
    send_at(t, 0, LAMP_TCP_ACK, t->seq[0], "", 0);
}

/* Message i of one side, its first `cut` bytes in a segment of their own. */
static void send_cut(struct talk *t, int dir, const char *text, size_t cut)
{
    size_t len = strlen(text);
    cut = lamp_min(cut, len);
    if (cut > 0)
        send_bytes(t, dir, text, cut);
    if (cut < len)
        send_bytes(t, dir, text + cut, len - cut);
}

static void finish(struct talk *t)
{
    send_at(t, 0, LAMP_TCP_FIN | LAMP_TCP_ACK, t->seq[0]++, "", 0);
    send_at(t, 1, LAMP_TCP_FIN | LAMP_TCP_ACK, t->seq[1]++, "", 0);
    send_at(t, 0, LAMP_TCP_ACK, t->seq[0], "", 0);
    lamp_engine_expire(t->e, t->t_us + 20 * 1000 * 1000);
}

static void check(const char *label, size_t i, const struct out *o, const struct talk *t)
{
    const struct lamp_conn *c = &o->conn;
    if (o->n != 1)
        fail_msg("%s %zu: %u connections", label, i, o->n);
    if (c->verdict != LAMP_VERDICT_CONFIRMED || c->shares.submitted != 1 ||
        c->shares.accepted != 1 || c->jobs != 1 || strcmp(lamp_conn_current(&c->workers), "rig1"))
        fail_msg("%s %zu: verdict %d, shares %u/%u, jobs %u", label, i, c->verdict,
                 c->shares.submitted, c->shares.accepted, c->jobs);
    for (int dir = 0; dir < 2; dir++)
        if (c->packets[dir] != t->packets[dir] || c->bytes[dir] != t->bytes[dir])
            fail_msg("%s %zu: direction %d: %llu packets, %llu bytes", label, i, dir,
                     (unsigned long long)c->packets[dir], (unsigned long long)c->bytes[dir]);
    assert_int_equal(c->client_port, PORT);
    assert_int_equal(c->server_port, POOL_PORT);
    assert_int_equal(c->last_us, t->t_us);
    assert_true(c->ended);
    assert_int_not_equal(c->id, 0);

    struct lamp_engine_counters n;
    lamp_engine_counters(t->e, &n);
    assert_int_equal(n.conns_live, 0);
    assert_int_equal(n.flows_live, 0);
    assert_int_equal(n.packets, t->packets[0] + t->packets[1]);
}

static void test_split_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < 300; cut++) {
        struct out o;
        struct talk t;
        lamp_engine *e = new_engine(&o);
        start(&t, e, true);
        for (size_t i = 0; i < ARRAY_LEN(up); i++) {
            send_cut(&t, 0, up[i], cut);
            send_cut(&t, 1, down[i], cut);
        }
        finish(&t);
        check("cut", cut, &o, &t);
        assert_false(o.conn.midstream);
        lamp_engine_free(e);
    }
}

/* Each segment one byte; and everything seen twice. */
static void test_tiny_and_doubled(void **state)
{
    (void)state;
    for (int doubled = 0; doubled < 2; doubled++) {
        struct out o;
        struct talk t;
        lamp_engine *e = new_engine(&o);
        start(&t, e, true);
        for (size_t i = 0; i < ARRAY_LEN(up); i++) {
            for (int dir = 0; dir < 2; dir++) {
                const char *text = dir ? down[i] : up[i];
                size_t step = doubled ? strlen(text) : 1;
                for (size_t at = 0; at < strlen(text); at += step) {
                    send_bytes(&t, dir, text + at, step);
                    if (doubled)
                        send_at(&t, dir, LAMP_TCP_ACK, t.seq[dir] - (uint32_t)step, text, step);
                }
            }
        }
        finish(&t);
        check("tiny or doubled", (size_t)doubled, &o, &t);
        lamp_engine_free(e);
    }
}

/* The halves of every message change places, the very first one too. */
static void test_reordered(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 60; cut++) {
        struct out o;
        struct talk t;
        lamp_engine *e = new_engine(&o);
        start(&t, e, true);
        for (size_t i = 0; i < ARRAY_LEN(up); i++) {
            for (int dir = 0; dir < 2; dir++) {
                const char *text = dir ? down[i] : up[i];
                size_t len = strlen(text), half = lamp_min(cut, len - 1);
                send_at(&t, dir, LAMP_TCP_ACK, t.seq[dir] + (uint32_t)half, text + half,
                        len - half);
                send_at(&t, dir, LAMP_TCP_ACK, t.seq[dir], text, half);
                t.seq[dir] += (uint32_t)len;
            }
        }
        finish(&t);
        check("reordered", cut, &o, &t);
        lamp_engine_free(e);
    }
}

/* Joined midway, behind a VLAN tag: what the flow counted before is the connection's too. */
static void test_midstream(void **state)
{
    (void)state;
    struct out o;
    struct talk t;
    lamp_engine *e = new_engine(&o);
    start(&t, e, false);
    t.vlan = 42;
    send_bytes(&t, 0, "f3\",\"00000001\"]}\n", 17);
    send_at(&t, 0, LAMP_TCP_ACK, t.seq[0], "", 0);
    for (size_t i = 0; i < ARRAY_LEN(up); i++) {
        send_cut(&t, 0, up[i], 0);
        send_cut(&t, 1, down[i], 0);
    }
    finish(&t);
    check("midstream", 0, &o, &t);
    assert_true(o.conn.midstream);
    assert_int_equal(o.conn.n_vlans, 1);
    assert_int_equal(o.conn.vlans[0], 42);
    lamp_engine_free(e);
}

/* A snapshot length changes no count of packets or bytes. */
static void test_snaplen(void **state)
{
    (void)state;
    struct out o;
    struct talk t;
    lamp_engine *e = new_engine(&o);
    start(&t, e, true);
    t.snaplen = 120;
    for (size_t i = 0; i < ARRAY_LEN(up); i++) {
        send_cut(&t, 0, up[i], 0);
        send_cut(&t, 1, down[i], 0);
    }
    finish(&t);
    assert_int_equal(o.n, 1);
    assert_int_equal(o.conn.bytes[LAMP_UP], t.bytes[0]);
    assert_int_equal(o.conn.bytes[LAMP_DOWN], t.bytes[1]);
    lamp_engine_free(e);
}

/* Flows that look like a start and stay open take every place; a miner still finds one. */
static void test_flood(void **state)
{
    (void)state;
    struct out o;
    struct talk t;
    lamp_engine *e = new_engine(&o);
    start(&t, e, true);
    for (unsigned i = 0; i < 2000; i++) {
        struct frame f = { .len = 0 };
        put_ether(&f, 0x0800);
        put_ip4(&f, LAMP_IPPROTO_TCP, CLIENT, POOL + 1, 28);
        put_tcp(&f, (uint16_t)(1024 + i), 80, 1, LAMP_TCP_ACK);
        put(&f, "{\"a\":1}\n", 8);
        lamp_engine_frame(e,
                          &(struct lamp_frame){ f.b, (uint32_t)f.len, (uint32_t)f.len, t.t_us, 1 });
    }
    for (size_t i = 0; i < ARRAY_LEN(up); i++) {
        send_cut(&t, 0, up[i], 0);
        send_cut(&t, 1, down[i], 0);
    }
    struct lamp_engine_counters n;
    lamp_engine_counters(e, &n);
    assert_int_equal(n.conns_refused, 0);
    lamp_engine_finish(e);
    assert_int_equal(o.n, 1);
    assert_int_equal(o.conn.verdict, LAMP_VERDICT_CONFIRMED);
    assert_int_equal(o.conn.shares.accepted, 1);
    lamp_engine_free(e);
}

static void see_live(const struct lamp_conn *conn, void *arg)
{
    assert_false(conn->ended);
    on_end(conn, arg);
}

static void test_live_and_finish(void **state)
{
    (void)state;
    struct out o, live = { .n = 0 };
    struct talk t;
    lamp_engine *e = new_engine(&o);
    start(&t, e, true);
    lamp_engine_conns(e, see_live, &live);
    assert_int_equal(live.n, 0);
    for (size_t i = 0; i < ARRAY_LEN(up); i++) {
        send_cut(&t, 0, up[i], 0);
        send_cut(&t, 1, down[i], 0);
    }
    lamp_engine_conns(e, see_live, &live);
    assert_int_equal(live.n, 1);
    assert_int_equal(live.conn.packets[LAMP_UP], t.packets[0]);
    assert_int_equal(o.n, 0);
    lamp_engine_finish(e);
    check("finish", 0, &o, &t);
    assert_int_equal(o.conn.id, live.conn.id);
    lamp_engine_free(e);
}

/* Every frame ends in one decode outcome, and other talk makes no connection. */
static void test_counters(void **state)
{
    (void)state;
    struct out o;
    struct talk t;
    lamp_engine *e = new_engine(&o);
    start(&t, e, true);
    send_cut(&t, 0, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 5);
    send_cut(&t, 1, "HTTP/1.1 200 OK\r\n\r\n{\"method\":\"mining.notify\"}\n", 0);
    lamp_engine_frame(e, &(struct lamp_frame){ NULL, 0, 0, t.t_us, 1 });
    lamp_engine_frame(e, &(struct lamp_frame){ (const uint8_t *)"", 1, 1, t.t_us, 999 });
    lamp_engine_finish(e);
    struct lamp_engine_counters n;
    lamp_engine_counters(e, &n);
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(n.decode); i++)
        sum += n.decode[i];
    assert_int_equal(sum, n.packets);
    assert_int_equal(n.decode[LAMP_DECODE_LINK_SHORT], 1);
    assert_int_equal(n.decode[LAMP_DECODE_LINK_UNKNOWN], 1);
    assert_int_equal(n.flows_new, 1);
    assert_int_equal(n.flows_ended, 1);
    assert_int_equal(o.n, 0);
    lamp_engine_free(e);

    struct lamp_engine_cfg small = { .memory_bytes = 1000 };
    assert_int_equal(lamp_engine_new(&small, on_end, &o, &e), LAMP_EINVAL);
    assert_null(lamp_engine_free(NULL));
}

static void add_row(const struct lamp_rollup_sum *row, void *arg)
{
    uint64_t *sum = arg;
    sum[0] += row->packets_out + row->packets_in;
    sum[1] += row->bytes_out + row->bytes_in;
}

/* A flow that was added up as ordinary traffic before it turned out to be mining: what came before
 * the full minute is in the rollup, what came after in the connection, nothing in both. */
static void test_found_midway(void **state)
{
    (void)state;
    struct out o = { .n = 0 };
    struct talk t;
    lamp_engine *e;
    uint64_t sum[2] = { 0 };
    const struct lamp_rollup_cfg rollup = { 0 };
    const struct lamp_engine_cfg cfg = { .memory_bytes = 4 << 20,
                                         .rollup = &rollup,
                                         .close_minutes = true };
    assert_int_equal(lamp_engine_new(&cfg, on_end, &o, &e), LAMP_OK);
    start(&t, e, true);
    const uint64_t before = t.packets[0] + t.packets[1];
    lamp_engine_rollups(e, t.t_us, add_row, sum);
    assert_int_equal(sum[0], 0); /* the minute is not over */
    t.t_us += 61 * 1000 * 1000;
    lamp_engine_rollups(e, t.t_us, add_row, sum);
    assert_int_equal(sum[0], before);
    for (size_t i = 0; i < ARRAY_LEN(up); i++) {
        send_bytes(&t, 0, up[i], strlen(up[i]));
        send_bytes(&t, 1, down[i], strlen(down[i]));
    }
    t.t_us += 61 * 1000 * 1000; /* a known connection is never added up */
    finish(&t);
    lamp_engine_finish(e);
    lamp_engine_rollups(e, t.t_us, add_row, sum);
    assert_int_equal(o.n, 1);
    assert_int_equal(sum[0], before);
    assert_int_equal(o.conn.packets[0] + o.conn.packets[1] + sum[0], t.packets[0] + t.packets[1]);
    assert_int_equal(o.conn.bytes[0] + o.conn.bytes[1] + sum[1], t.bytes[0] + t.bytes[1]);
    lamp_engine_free(e);
}

static long peak_kib(void)
{
    struct rusage u;
    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_maxrss;
}

/* A miner is found, a million flows from everywhere follow, then the miner submits a share:
 * it is still the same connection, and memory did not grow past what was given. */
static void test_random_flood(void **state)
{
    (void)state;
    enum { FLOOD = 1000000, MEMORY = 8 << 20 };
    struct out o = { .n = 0 };
    struct talk t;
    lamp_engine *e;
    const struct lamp_engine_cfg cfg = { .memory_bytes = MEMORY };
    const long before_kib = peak_kib();
    assert_int_equal(lamp_engine_new(&cfg, on_end, &o, &e), LAMP_OK);
    start(&t, e, true);
    for (size_t i = 0; i < 2; i++) {
        send_bytes(&t, 0, up[i], strlen(up[i]));
        send_bytes(&t, 1, down[i], strlen(down[i]));
    }

    struct lamp_rng rng = { 1 };
    static struct frame f[LAMP_ENGINE_BATCH];
    struct lamp_frame frames[LAMP_ENGINE_BATCH];
    for (size_t done = 0; done < FLOOD; done += LAMP_ENGINE_BATCH) {
        for (size_t i = 0; i < LAMP_ENGINE_BATCH; i++) {
            const uint64_t ends = lamp_rng_u64(&rng), ports = lamp_rng_u64(&rng);
            f[i].len = 0;
            put_ether(&f[i], 0x0800);
            put_ip4(&f[i], LAMP_IPPROTO_TCP, (uint32_t)ends, (uint32_t)(ends >> 32), 20 + 10);
            put_tcp(&f[i], (uint16_t)ports, (uint16_t)(ports >> 16), (uint32_t)(ports >> 32),
                    LAMP_TCP_ACK);
            put(&f[i], i % 2 ? "{\"id\":1,\"m" : "GET / HTTP", 10);
            t.t_us++;
            frames[i] =
                (struct lamp_frame){ f[i].b, (uint32_t)f[i].len, (uint32_t)f[i].len, t.t_us, 1 };
        }
        lamp_engine_frames(e, frames, LAMP_ENGINE_BATCH);
    }
    struct lamp_engine_counters n;
    lamp_engine_counters(e, &n);
    assert_true(n.flows_evicted > FLOOD / 2);
    assert_int_equal(n.conns_live, 1);
    assert_int_equal(o.n, 0);
    /* sanitizers and the C library add a little of their own */
    assert_true(peak_kib() - before_kib < MEMORY / 1024 * 3 / 2);

    send_bytes(&t, 0, up[2], strlen(up[2]));
    send_bytes(&t, 1, down[2], strlen(down[2]));
    lamp_engine_finish(e);
    assert_int_equal(o.n, 1);
    assert_int_equal(o.conn.shares.accepted, 1);
    assert_int_equal(o.conn.packets[0], t.packets[0]);
    assert_false(o.conn.midstream);
    lamp_engine_free(e);
}

/* The same conversation as a mirror port gives it, every packet twice and one copy tagged: each
 * counts once, and the copies are named; with the switch off they count. */
static void test_twins(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct out o = { .n = 0 };
        lamp_engine *e;
        const struct lamp_engine_cfg cfg = { .memory_bytes = 4 << 20, .keep_twins = keep };
        assert_int_equal(lamp_engine_new(&cfg, on_end, &o, &e), LAMP_OK);
        uint32_t seq[2] = { 100, 7000 };
        uint64_t t_us = 1700000000000000, packets = 0;
        for (size_t i = 0; i < 2 * ARRAY_LEN(up); i++) {
            const int dir = i % 2;
            const char *text = dir ? down[i / 2] : up[i / 2];
            for (unsigned vlan = 0; vlan < 2; vlan++) {
                struct frame f = { .len = 0 };
                put_ether(&f, vlan ? 0x8100 : 0x0800);
                if (vlan)
                    put_vlan(&f, 12, 0x0800);
                put_ip4(&f, LAMP_IPPROTO_TCP, dir ? POOL : CLIENT, dir ? CLIENT : POOL,
                        20 + strlen(text));
                put_tcp(&f, dir ? POOL_PORT : PORT, dir ? PORT : POOL_PORT, seq[dir], LAMP_TCP_ACK);
                put(&f, text, strlen(text));
                const struct lamp_frame frame = { f.b, (uint32_t)f.len, (uint32_t)f.len, t_us, 1 };
                lamp_engine_frame(e, &frame);
                t_us += 7;
                packets++;
            }
            seq[dir] += (uint32_t)strlen(text);
            t_us += 20000;
        }
        lamp_engine_finish(e);
        struct lamp_engine_counters n;
        lamp_engine_counters(e, &n);
        assert_int_equal(n.packets, packets);
        assert_int_equal(n.decode[LAMP_DECODE_DUPLICATE], keep ? 0 : packets / 2);
        assert_int_equal(o.n, 1);
        assert_int_equal(o.conn.packets[0] + o.conn.packets[1], keep ? packets : packets / 2);
        assert_int_equal(o.conn.shares.submitted, 1);
        lamp_engine_free(e);
    }
}

/* One direction alone, from its middle, with ports that tell nothing: the side that speaks like
 * a pool is the server. */
static void test_one_direction(void **state)
{
    (void)state;
    for (int dir = 0; dir < 2; dir++) {
        struct out o;
        struct talk t;
        lamp_engine *e = new_engine(&o);
        start(&t, e, false);
        for (size_t i = 1; i < ARRAY_LEN(up); i++) {
            const char *text = dir ? down[i] : up[i];
            send_bytes(&t, dir, text, strlen(text));
        }
        lamp_engine_finish(e);
        assert_int_equal(o.n, 1);
        assert_int_equal(o.conn.verdict, LAMP_VERDICT_PROBABLE);
        assert_int_equal(o.conn.client_port, PORT);
        assert_int_equal(o.conn.packets[dir], 2);
        assert_int_equal(o.conn.packets[!dir], 0);
        assert_true(o.conn.midstream);
        lamp_engine_free(e);
    }
}

/* A pool that is asked by name once, in the only message there is, is still looked up. */
static void test_named_by_one_request(void **state)
{
    (void)state;
    static const char body[] = "{\"id\":1,\"method\":\"getwork\",\"params\":[]}";
    lamp_catalogue *catalogue;
    char why[256], request[512];
    assert_int_equal(lamp_catalogue_load(LAMP_DATA, &catalogue, why, sizeof(why)), LAMP_OK);
    const struct lamp_rollup_cfg rollup = { .memory_bytes = 1 << 20 };
    const struct lamp_engine_cfg cfg = { .memory_bytes = 4 << 20,
                                         .catalogue = catalogue,
                                         .rollup = &rollup };
    struct out o = { .n = 0 };
    lamp_engine *e;
    struct talk t;
    assert_int_equal(lamp_engine_new(&cfg, on_end, &o, &e), LAMP_OK);
    start(&t, e, true);
    snprintf(request, sizeof(request),
             "POST / HTTP/1.1\r\nHost: 2miners.com:3333\r\nAuthorization: Basic dTpw\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    send_bytes(&t, 0, request, strlen(request));
    finish(&t);
    assert_int_equal(o.n, 1);
    assert_string_equal(o.conn.family, "getwork");
    assert_string_equal(o.conn.server_name, "2miners.com");
    assert_non_null(o.conn.pool);
    assert_string_equal(o.conn.pool, "2Miners");
    lamp_engine_free(e);
    lamp_catalogue_free(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_by_one_request),
        cmocka_unit_test(test_found_midway),
        cmocka_unit_test(test_split_anywhere),
        cmocka_unit_test(test_tiny_and_doubled),
        cmocka_unit_test(test_reordered),
        cmocka_unit_test(test_midstream),
        cmocka_unit_test(test_snaplen),
        cmocka_unit_test(test_live_and_finish),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_random_flood),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_one_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
