/* SPDX-License-Identifier: Apache-2.0 */
/* Records in, verdicts out; and every byte in a connection or a row. */
#include "common/io.h"
#include "sensor/records/ledger.h"
#include "tests/support/test.h"

#define T0 UINT64_C(1700000000000000)
#define S UINT64_C(1000000)

static lamp_catalogue *catalogue;
static lamp_endpoints *endpoints;

/* One exchange, told as records of each way, or as one of both. */
struct talk {
    const char *client, *server;
    uint16_t client_port, server_port;
    unsigned slices, slice_s;          /* records one after another */
    uint64_t up, down;                 /* bytes a slice */
    uint64_t packets_up, packets_down; /* packets a slice */
    unsigned grows;                    /* how many times more each slice has than the one before */
    uint32_t sampling;
    uint8_t proto;
    bool both;
    uint64_t at_s; /* after T0 */
    const char *name;
};

#define POOL "198.51.100.7" /* in the endpoints from T0 on, port 3333; until T0 + 1 day port 4444 */
#define OTHER "198.51.100.99"

static const struct {
    const char *label;
    struct talk t;
    enum lamp_verdict want;
    const char *evidence; /* kinds */
} cases[] = {
    { "a pool's address and port: identity alone",
      { "10.0.0.1", POOL, 50000, 3333, 1, 5, 900, 2000, 9, 8, .grows = 1 },
      LAMP_VERDICT_SUSPECTED,
      "flow-only address " },
    { "the same, long and small",
      { "10.0.0.1", POOL, 50000, 3333, 1, 600, 5000, 9000, 40, 40, .grows = 1 },
      LAMP_VERDICT_PROBABLE,
      "flow-only address flow-shape " },
    { "the same in slices, both ways in a record",
      { "10.0.0.1", POOL, 50000, 3333, 6, 60, 900, 1500, 8, 8, .both = true },
      LAMP_VERDICT_PROBABLE,
      "flow-only address flow-shape " },
    { "the same, sampled: no shape is left",
      { "10.0.0.1", POOL, 50000, 3333, 6, 60, 90000, 150000, 800, 800, .sampling = 100 },
      LAMP_VERDICT_SUSPECTED,
      "flow-only address " },
    { "a download from a pool's address and port",
      { "10.0.0.1", POOL, 50000, 3333, 1, 600, 90000, 90000000, 1500, 62000, .grows = 1 },
      LAMP_VERDICT_SUSPECTED,
      "flow-only address " },
    { "nothing but a SYN and its repetition",
      { "10.0.0.1", POOL, 50000, 3333, 1, 3, 180, 0, 3, 0, .grows = 1 },
      LAMP_VERDICT_NONE,
      "" },
    { "a connection that was refused",
      { "10.0.0.1", POOL, 50000, 3333, 1, 3, 120, 80, 2, 2, .grows = 1 },
      LAMP_VERDICT_NONE,
      "" },
    { "one SYN, answered by RST",
      { "10.0.0.1", POOL, 50000, 3333, 1, 0, 60, 40, 1, 1, .both = true },
      LAMP_VERDICT_NONE,
      "" },
    { "after it was one",
      { "10.0.0.1", POOL, 50000, 4444, 1, 5, 900, 2000, 9, 8, .at_s = 86401 },
      LAMP_VERDICT_NONE,
      "" },
    { "when it was one",
      { "10.0.0.1", POOL, 50000, 4444, 1, 5, 900, 2000, 9, 8, .at_s = 86000 },
      LAMP_VERDICT_SUSPECTED,
      "flow-only address " },
    { "a pool's address at another port of no time",
      { "10.0.0.1", POOL, 50000, 3334, 1, 5, 900, 2000, 9, 8, .grows = 1 },
      LAMP_VERDICT_NONE,
      "" },
    { "an unknown address, a mining port, long, small and even: shape alone",
      { "10.0.0.1", OTHER, 50000, 3333, 6, 60, 900, 1500, 8, 8, .grows = 1 },
      LAMP_VERDICT_SUSPECTED,
      "flow-only flow-shape " },
    { "the same, but uneven",
      { "10.0.0.1", OTHER, 50000, 3333, 5, 60, 700, 1500, 5, 8, .grows = 3 },
      LAMP_VERDICT_NONE,
      "" },
    { "the same at a port of nobody's",
      { "10.0.0.1", OTHER, 50000, 31999, 6, 60, 900, 1500, 8, 8, .grows = 1 },
      LAMP_VERDICT_NONE,
      "" },
    { "a web server",
      { "10.0.0.1", OTHER, 50000, 443, 6, 60, 900, 1500, 8, 8, .grows = 1 },
      LAMP_VERDICT_NONE,
      "" },
    { "IPv6",
      { "fd00::1", "2001:db8::7", 50000, 3333, 1, 600, 6000, 9000, 40, 40, .grows = 1 },
      LAMP_VERDICT_PROBABLE,
      "flow-only address flow-shape " },
    { "a pool's name in the record",
      { "10.0.0.1", OTHER, 50000, 4444, 1, 5, 900, 2000, 9, 8, .name = "xmr-eu1.nanopool.org" },
      LAMP_VERDICT_SUSPECTED,
      "flow-only name " },
    { "another protocol",
      { "10.0.0.1", POOL, 0, 0, 1, 5, 900, 2000, 9, 8, .proto = 1 },
      LAMP_VERDICT_NONE,
      "" },
};

struct found {
    struct lamp_conn conn;
    unsigned conns;
    uint64_t bytes, packets; /* of connections and rows */
};

static void on_conn(const struct lamp_conn *c, void *arg)
{
    struct found *f = arg;
    f->conn = *c;
    f->conns++;
    f->bytes += c->bytes[0] + c->bytes[1];
    f->packets += c->packets[0] + c->packets[1];
}

static void on_row(const struct lamp_rollup_sum *row, void *arg)
{
    struct found *f = arg;
    f->bytes += row->bytes_in + row->bytes_out;
    f->packets += row->packets_in + row->packets_out;
}

static void tell(lamp_ledger *l, const struct talk *t)
{
    struct lamp_record up = { .ip_proto = t->proto ? t->proto : 6,
                              .src_port = t->client_port,
                              .dst_port = t->server_port,
                              .sampling = t->sampling ? t->sampling : 1,
                              .name = t->name };
    assert_int_equal(lamp_addr_parse(t->client, &up.src), LAMP_OK);
    assert_int_equal(lamp_addr_parse(t->server, &up.dst), LAMP_OK);
    uint64_t times = 1;
    for (unsigned i = 0; i < t->slices; i++, times *= t->grows ? t->grows : 1) {
        up.first_us = T0 + t->at_s * S + (uint64_t)i * t->slice_s * S;
        up.last_us = up.first_us + t->slice_s * S;
        up.bytes[0] = t->up * times;
        up.packets[0] = t->packets_up * times;
        struct lamp_record down = up;
        down.src = up.dst, down.dst = up.src;
        down.src_port = up.dst_port, down.dst_port = up.src_port;
        down.bytes[0] = t->down * times;
        down.packets[0] = t->packets_down * times;
        down.name = NULL;
        if (t->both) {
            struct lamp_record whole = up;
            whole.bytes[1] = down.bytes[0];
            whole.packets[1] = down.packets[0];
            lamp_ledger_record(l, &whole, whole.last_us, "a test");
            continue;
        }
        if (down.packets[0] && i % 2) /* either may come first */
            lamp_ledger_record(l, &down, down.last_us, "a test");
        lamp_ledger_record(l, &up, up.last_us, "a test");
        if (down.packets[0] && i % 2 == 0)
            lamp_ledger_record(l, &down, down.last_us, "a test");
    }
}

static lamp_ledger *make(size_t max_talks, struct found *f)
{
    static const struct lamp_rollup_cfg rollup = { .memory_bytes = 64 * 1024 };
    const struct lamp_ledger_cfg cfg = { .catalogue = catalogue,
                                         .endpoints = endpoints,
                                         .max_talks = max_talks,
                                         .idle_us = 2100 * S,
                                         .rollup = &rollup,
                                         .first_id = 7 };
    lamp_ledger *l;
    assert_int_equal(lamp_ledger_new(&cfg, on_conn, f, &l), LAMP_OK);
    return l;
}

static void add_up(lamp_ledger *l, struct found *f, const char *label)
{
    lamp_ledger_finish(l);
    lamp_ledger_rollups(l, on_row, f);
    const struct lamp_ledger_counters n = lamp_ledger_counters(l);
    if (n.bytes != f->bytes || n.packets != f->packets || n.conns_live != 0)
        fail_msg("%s: %llu of %llu bytes are somewhere", label, (unsigned long long)f->bytes,
                 (unsigned long long)n.bytes);
}

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct found f = { .conns = 0 };
        lamp_ledger *l = make(16, &f);
        char kinds[256] = "";
        tell(l, &cases[i].t);
        add_up(l, &f, cases[i].label);
        for (size_t k = 0; k < f.conn.n_evidence; k++)
            snprintf(kinds + strlen(kinds), sizeof(kinds) - strlen(kinds), "%s ",
                     f.conn.evidence[k].kind);
        if (f.conn.verdict != cases[i].want || strcmp(kinds, cases[i].evidence) != 0 ||
            f.conns != (cases[i].want != LAMP_VERDICT_NONE))
            fail_msg("%s: %s by %s", cases[i].label, lamp_verdict_name(f.conn.verdict), kinds);
        if (f.conns) {
            char client[LAMP_ADDR_STRLEN], server[LAMP_ADDR_STRLEN];
            assert_string_equal(lamp_addr_str(&f.conn.client, client), cases[i].t.client);
            assert_string_equal(lamp_addr_str(&f.conn.server, server), cases[i].t.server);
            assert_int_equal(f.conn.server_port, cases[i].t.server_port);
            assert_string_equal(f.conn.family, "flow-only");
            assert_true(f.conn.ip_bytes);
            assert_int_equal(f.conn.id, 7);
        }
        lamp_ledger_free(l);
    }
}

/* More conversations than there is room for, and one that falls silent. */
static void test_room(void **state)
{
    (void)state;
    struct found f = { .conns = 0 };
    lamp_ledger *l = make(16, &f);
    struct talk t = { "10.0.0.1", POOL, 50000, 3333, 1, 5, 900, 2000, 9, 8, .grows = 1 };
    for (unsigned i = 0; i < 40; i++) {
        t.client_port = (uint16_t)(50000 + i);
        tell(l, &t);
    }
    assert_int_equal(lamp_ledger_counters(l).evicted, 24);
    assert_int_equal(lamp_ledger_counters(l).conns_live, 16);
    assert_int_equal(f.conns, 24);
    lamp_ledger_expire(l, T0 + 2000 * S);
    assert_int_equal(lamp_ledger_counters(l).conns_live, 16);
    lamp_ledger_expire(l, T0 + 2200 * S);
    assert_int_equal(lamp_ledger_counters(l).conns_live, 0);
    assert_int_equal(f.conns, 40);
    add_up(l, &f, "40 conversations");
    lamp_ledger_free(l);
}

/* An exporter whose clock is an hour slow: its conversations end by when they were last heard of. */
static void test_slow_clock(void **state)
{
    (void)state;
    struct found f = { .conns = 0 };
    lamp_ledger *l = make(16, &f);
    struct lamp_record r = { .ip_proto = 6,
                             .src_port = 50000,
                             .dst_port = 3333,
                             .sampling = 1,
                             .bytes = { 900, 1500 },
                             .packets = { 8, 8 } };
    assert_int_equal(lamp_addr_parse("10.0.0.1", &r.src), LAMP_OK);
    assert_int_equal(lamp_addr_parse(POOL, &r.dst), LAMP_OK);
    uint64_t now_us = 0;
    for (unsigned i = 0; i < 6; i++) {
        r.first_us = T0 + i * 60 * S;
        r.last_us = r.first_us + 60 * S;
        now_us = r.last_us + 3600 * S;
        lamp_ledger_record(l, &r, now_us, "a test");
        lamp_ledger_expire(l, now_us + S);
        assert_int_equal(lamp_ledger_counters(l).conns_live, 1);
    }
    assert_int_equal(f.conns, 0);
    lamp_ledger_expire(l, now_us + 2200 * S);
    assert_int_equal(f.conns, 1);
    assert_int_equal(f.conn.verdict,
                     LAMP_VERDICT_PROBABLE); /* it grew old enough to have a shape */
    add_up(l, &f, "a slow clock");
    lamp_ledger_free(l);
}

/* Sums stay what can travel: the records past them are counted only. */
static void test_sums(void **state)
{
    (void)state;
    static const uint16_t ports[] = { 3333, 443 }; /* a connection, and the rest */
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        struct found f = { .conns = 0 };
        lamp_ledger *l = make(16, &f);
        struct lamp_record r = { .ip_proto = 6,
                                 .src_port = 50000,
                                 .dst_port = ports[i],
                                 .sampling = 1,
                                 .first_us = T0,
                                 .last_us = T0 + S,
                                 .bytes = { UINT64_C(1) << 60, UINT64_C(1) << 60 },
                                 .packets = { 1000, 1000 } };
        assert_int_equal(lamp_addr_parse("10.0.0.1", &r.src), LAMP_OK);
        assert_int_equal(lamp_addr_parse(POOL, &r.dst), LAMP_OK);
        for (unsigned k = 0; k < 10; k++)
            lamp_ledger_record(l, &r, T0, "a test");
        r.bytes[0] = r.bytes[1] = 1;
        r.packets[0] = LAMP_LEDGER_MAX;
        r.packets[1] = UINT64_MAX;
        lamp_ledger_record(l, &r, T0, "a test");
        const struct lamp_ledger_counters n = lamp_ledger_counters(l);
        assert_int_equal(n.records, 2);
        assert_int_equal(n.refused, 9);
        assert_int_equal(n.bytes, LAMP_LEDGER_MAX);
        add_up(l, &f, "sums");
        lamp_ledger_free(l);
    }
}

static void test_endpoint_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } wrong[] = {
        { "address,port,pool,coin,since,until\nnosuch,1,,,,\n", "not an address" },
        { "address,port,pool,coin,since,until\n192.0.2.1,70000,,,,\n", "not a port" },
        { "address,port,pool,coin,since,until\n192.0.2.1,1,,,yesterday,\n", "not a time" },
        { "address,port\n192.0.2.1,1\n", "no column named pool" },
        { "", "empty" },
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char why[256], path[] = "/tmp/lamp-endpoints-XXXXXX";
        lamp_endpoints *e;
        const int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(lamp_io_write_full(fd, wrong[i].text, strlen(wrong[i].text)), LAMP_OK);
        close(fd);
        assert_int_equal(lamp_endpoints_load(path, &e, why, sizeof(why)), LAMP_EFORMAT);
        unlink(path);
        if (!strstr(why, wrong[i].why))
            fail_msg("%s: says %s", wrong[i].text, why);
    }
}

static int load(void **state)
{
    static const char text[] = "address,port,pool,coin,since,until\n"
                               "198.51.100.7,3333,Example Pool,XMR,2023-11-14T22:13:20Z,\n"
                               "198.51.100.7,4444,Example Pool,,2020-01-01,1600000000\n"
                               "198.51.100.7,4444,Example Pool,,1700000000,1700086400\n"
                               "2001:db8::7,3333,Example Pool,XMR,,\n";
    char why[256], path[] = "/tmp/lamp-endpoints-XXXXXX";
    (void)state;
    const int fd = mkstemp(path);
    const bool written = fd >= 0 && lamp_io_write_full(fd, text, strlen(text)) == LAMP_OK;
    close(fd);
    const int err = written ? lamp_endpoints_load(path, &endpoints, why, sizeof(why)) : LAMP_EIO;
    unlink(path);
    return err || lamp_catalogue_load(LAMP_DATA, &catalogue, why, sizeof(why));
}

static int unload(void **state)
{
    (void)state;
    lamp_endpoints_free(endpoints);
    lamp_catalogue_free(catalogue);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),       cmocka_unit_test(test_room),
        cmocka_unit_test(test_slow_clock),     cmocka_unit_test(test_sums),
        cmocka_unit_test(test_endpoint_files),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
