/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/rollup/rollup.h"

#include "sensor/rollup/names.h"
#include "tests/support/hello.h"
#include "tests/support/test.h"

#include <stdio.h>

#define MINUTE_US UINT64_C(60000000)

static struct lamp_addr addr(const char *text)
{
    struct lamp_addr a;
    assert_int_equal(lamp_addr_parse(text, &a), LAMP_OK);
    return a;
}

/* The rows of one drain. */
struct rows {
    struct lamp_rollup_sum v[4096];
    char name[4096][LAMP_NAMES_TEXT];
    size_t n;
    uint64_t bytes, packets, other_bytes;
    uint32_t flows;
};

static void on_row(const struct lamp_rollup_sum *row, void *arg)
{
    static const struct lamp_addr zero;
    struct rows *r = arg;
    assert_true(r->n < ARRAY_LEN(r->v));
    snprintf(r->name[r->n], sizeof(r->name[0]), "%s", row->remote_name);
    r->v[r->n] = *row;
    r->v[r->n].remote_name = r->name[r->n];
    r->n++;
    r->bytes += row->bytes_out + row->bytes_in;
    r->packets += row->packets_out + row->packets_in;
    r->flows += row->flows;
    if (lamp_addr_eq(&row->inside, &zero))
        r->other_bytes += row->bytes_out + row->bytes_in;
}

static struct rows *drain(lamp_rollup *r)
{
    static struct rows rows;
    memset(&rows, 0, sizeof(rows));
    lamp_rollup_drain(r, on_row, &rows);
    return &rows;
}

static lamp_rollup *make(size_t memory_bytes, size_t top)
{
    lamp_rollup *r;
    const struct lamp_rollup_cfg cfg = { .memory_bytes = memory_bytes, .top = top };
    assert_int_equal(lamp_rollup_new(&cfg, &r), LAMP_OK);
    return r;
}

static void add(lamp_rollup *r, const char *client, const char *server, uint16_t port, uint64_t up,
                uint64_t down, uint64_t t_us)
{
    const struct lamp_addr c = addr(client), s = addr(server);
    lamp_rollup_add(r, &(struct lamp_rollup_flow){ .client = &c,
                                                   .server = &s,
                                                   .server_port = port,
                                                   .ip_proto = LAMP_IPPROTO_TCP,
                                                   .is_new = true,
                                                   .first_us = t_us,
                                                   .last_us = t_us,
                                                   .bytes = { up, down },
                                                   .packets = { 1, 2 } });
}

static void test_sides(void **state)
{
    (void)state;
    static const struct {
        const char *label, *client, *server, *inside;
        uint64_t out;
    } cases[] = {
        { "client inside", "10.0.0.1", "203.0.113.7", "10.0.0.1", 100 },
        { "server inside", "203.0.113.7", "10.0.0.1", "10.0.0.1", 900 },
        { "both inside", "10.0.0.1", "10.0.0.2", "10.0.0.1", 100 },
        { "both outside", "198.51.100.1", "203.0.113.7", "198.51.100.1", 100 },
        { "IPv6", "2001:db8::1", "fd00::2", "fd00::2", 900 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_rollup *r = make(64 << 10, 0);
        add(r, cases[i].client, cases[i].server, 443, 100, 900, MINUTE_US * 7 + 5);
        const struct rows *got = drain(r);
        const struct lamp_addr inside = addr(cases[i].inside);
        assert_int_equal(got->n, 1);
        if (!lamp_addr_eq(&got->v[0].inside, &inside) || got->v[0].bytes_out != cases[i].out)
            fail_msg("%s", cases[i].label);
        assert_int_equal(got->v[0].minute, 7);
        assert_int_equal(got->v[0].service_port, 443);
        assert_string_equal(got->v[0].application, "https");
        assert_int_equal(got->bytes, 1000);
        assert_int_equal(drain(r)->n, 0);
        lamp_rollup_free(r);
    }
}

static void test_configured_networks(void **state)
{
    (void)state;
    struct lamp_prefix inside;
    assert_int_equal(lamp_prefix_parse("203.0.113.0/24", &inside), LAMP_OK);
    struct lamp_rollup_cfg cfg = { .memory_bytes = 64 << 10, .inside = &inside, .n_inside = 1 };
    for (unsigned private_too = 0; private_too < 2; private_too++) {
        lamp_rollup *r;
        cfg.private_too = private_too;
        assert_int_equal(lamp_rollup_new(&cfg, &r), LAMP_OK);
        add(r, "10.0.0.1", "203.0.113.7", 22, 1, 2, 0);
        const struct lamp_addr want = addr(private_too ? "10.0.0.1" : "203.0.113.7");
        assert_true(lamp_addr_eq(&drain(r)->v[0].inside, &want));
        lamp_rollup_free(r);
    }
}

/* Rows past the top, and those that find no room at all, are in "other": the sum stays. */
static void test_other(void **state)
{
    (void)state;
    static const struct {
        size_t memory, top, flows;
    } cases[] = { { 1 << 20, 10, 500 }, { 32 << 10, 2000, 5000 }, { 32 << 10, 1, 3000 } };
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        lamp_rollup *r = make(cases[k].memory, cases[k].top);
        uint64_t bytes = 0;
        for (size_t i = 0; i < cases[k].flows; i++) {
            char client[32];
            snprintf(client, sizeof(client), "10.0.%zu.%zu", i / 256, i % 256);
            const uint64_t up = i == 77 ? 1000000 : 60 + i % 13;
            add(r, client, "203.0.113.7", 443, up, 5, MINUTE_US * (i % 3));
            bytes += up + 5;
        }
        const struct rows *got = drain(r);
        assert_int_equal(got->bytes, bytes);
        assert_int_equal(got->packets, 3 * cases[k].flows);
        assert_int_equal(got->flows, cases[k].flows);
        assert_true(got->other_bytes > 0);
        assert_true(got->n <= cases[k].top + 8);
        assert_int_equal(got->v[0].bytes_out, 1000000); /* the large one stays */
        assert_true(lamp_rollup_counters(r).other_flows > 0);
        lamp_rollup_free(r);
    }
}

/* What DNS answers were told of. */
struct heard {
    unsigned n;
    char name[64];
    struct lamp_addr addr, server;
    uint32_t ttl_s;
};

static void on_answer(const char *name, const struct lamp_addr *address,
                      const struct lamp_addr *server, uint32_t ttl_s, void *arg)
{
    struct heard *h = arg;
    h->n++;
    snprintf(h->name, sizeof(h->name), "%s", name);
    h->addr = *address;
    h->server = *server;
    h->ttl_s = ttl_s;
}

static void test_names(void **state)
{
    (void)state;
    struct hello h;
    struct heard heard = { .n = 0 };
    const struct lamp_rollup_cfg cfg = { .memory_bytes = 64 << 10,
                                         .on_answer = on_answer,
                                         .on_answer_arg = &heard };
    lamp_rollup *r = NULL;
    assert_int_equal(lamp_rollup_new(&cfg, &r), LAMP_OK);
    const struct lamp_addr server = addr("203.0.113.7"), resolver = addr("192.0.2.53");
    struct lamp_rollup_mark mark = { 0 };
    make_answer(&h, "pool.example.org", 1);
    put_a(&h, 12, 300, (const uint8_t[]){ 203, 0, 113, 7 });
    const struct lamp_bytes message = { h.b, h.len };
    lamp_rollup_look(r, LAMP_IPPROTO_UDP, &resolver, 53, LAMP_UP, message, 1000, &mark);
    assert_int_equal(heard.n, 0);
    assert_string_equal(lamp_rollup_dns_name(r, &server, 1000), ""); /* a server answers */
    lamp_rollup_look(r, LAMP_IPPROTO_UDP, &resolver, 53, LAMP_DOWN, message, 1000, &mark);
    assert_int_equal(heard.n, 1);
    assert_string_equal(heard.name, "pool.example.org");
    assert_true(lamp_addr_eq(&heard.addr, &server) && lamp_addr_eq(&heard.server, &resolver));
    assert_int_equal(heard.ttl_s, 300);
    assert_string_equal(lamp_rollup_dns_name(r, &server, 1000), "pool.example.org");
    assert_string_equal(lamp_rollup_dns_name(r, &server, 359 * UINT64_C(1000000)),
                        "pool.example.org");
    assert_string_equal(lamp_rollup_dns_name(r, &server, 361 * UINT64_C(1000000)), "");

    add(r, "10.0.0.1", "203.0.113.7", 3333, 1, 2, 5000);
    assert_string_equal(drain(r)->v[0].remote_name, "pool.example.org");

    /* what the client asks for by name counts before DNS */
    make_hello(&h, "Other.Example.", "h2", 0);
    const struct lamp_bytes hello = { h.b, h.len };
    lamp_rollup_look(r, LAMP_IPPROTO_TCP, &server, 443, LAMP_UP, hello, 6000, &mark);
    assert_string_equal(lamp_rollup_mark_name(r, &mark), "other.example");
    const struct lamp_addr client = addr("10.0.0.1");
    lamp_rollup_add(r, &(struct lamp_rollup_flow){ .client = &client,
                                                   .server = &server,
                                                   .server_port = 443,
                                                   .ip_proto = LAMP_IPPROTO_TCP,
                                                   .mark = mark,
                                                   .packets = { 1, 0 } });
    assert_string_equal(drain(r)->v[0].remote_name, "other.example");
    lamp_rollup_free(r);
}

static void test_name_table(void **state)
{
    (void)state;
    lamp_names *n;
    static const char *const bad[] = { "", "1.2.3.4", "a..b", ".a", "a b", "<x>", "[::1]:443" };
    assert_int_equal(lamp_names_new(8 << 10, &n), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(lamp_names_intern(n, lamp_bytes_of(bad[i]), 1), 0);
    char name[200];
    memset(name, 'a', sizeof(name));
    assert_int_equal(lamp_names_intern(n, (struct lamp_bytes){ (uint8_t *)name, 112 }, 1), 0);
    assert_true(lamp_names_intern(n, (struct lamp_bytes){ (uint8_t *)name, 111 }, 1) != 0);
    assert_int_equal(lamp_names_counters(n).refused, ARRAY_LEN(bad) + 1);

    const uint32_t ref = lamp_names_intern(n, lamp_bytes_of("Pool.Example:3333"), 2);
    assert_string_equal(lamp_names_text(n, ref), "pool.example");
    assert_int_equal(lamp_names_intern(n, lamp_bytes_of("pool.example."), 3), ref);
    /* far more names than places: the old reference never shows another name */
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        const uint32_t other = lamp_names_intern(n, lamp_bytes_of(name), 10 + i);
        assert_string_equal(lamp_names_text(n, other), name);
        const char *text = lamp_names_text(n, ref);
        assert_true(!*text || streq(text, "pool.example"));
    }
    assert_string_equal(lamp_names_text(n, ref), "");
    assert_true(lamp_names_counters(n).evicted > 4000);
    lamp_names_free(n);
}

static void test_memory(void **state)
{
    (void)state;
    lamp_rollup *r;
    assert_int_equal(lamp_rollup_new(&(struct lamp_rollup_cfg){ .memory_bytes = 1000 }, &r),
                     LAMP_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),      cmocka_unit_test(test_configured_networks),
        cmocka_unit_test(test_other),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_name_table), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
