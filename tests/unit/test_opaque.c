/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/opaque.h"
#include "tests/support/hello.h"
#include "tests/support/rng.h"
#include "tests/support/test.h"

#define S UINT64_C(1000000)

static lamp_catalogue *catalogue;
static struct lamp_known known; /* zero but in test_known_pair */

static int load(void **state)
{
    (void)state;
    char why[256];
    return lamp_catalogue_load(LAMP_DATA, &catalogue, why, sizeof(why));
}

static int unload(void **state)
{
    (void)state;
    catalogue = lamp_catalogue_free(catalogue);
    return 0;
}

/* A connection as it is played. */
struct play {
    lamp_opaque *o;
    lamp_dim *d;
    uint32_t seq[2];
    uint64_t now_us;
    enum lamp_interest last;
    enum lamp_verdict verdict;
};

static struct play start(const struct lamp_blockclock *clock, const char *dns, uint16_t port,
                         bool saw_syn)
{
    struct play p = { .now_us = 1000 * S, .last = LAMP_INTEREST_MORE };
    const struct lamp_opaque_cfg cfg = {
        .catalogue = catalogue, .clock = clock, .known = &known, .max_states = 4
    };
    const struct lamp_flow_facts facts = {
        .client = lamp_addr_from_v4((const uint8_t[]){ 10, 0, 0, 1 }),
        .server = lamp_addr_from_v4((const uint8_t[]){ 203, 0, 113, 9 }),
        .client_port = 40000,
        .server_port = port,
        .ip_proto = 6,
        .saw_syn = saw_syn,
        .first_us = p.now_us,
    };
    assert_int_equal(lamp_opaque_new(&cfg, &p.o), LAMP_OK);
    assert_int_equal(lamp_opaque_open(p.o, &facts, dns, &p.d), LAMP_OK);
    return p;
}

static void stop(struct play *p)
{
    lamp_opaque_close(p->o, p->d);
    lamp_opaque_free(p->o);
}

/* Sends bytes; a verdict never falls. */
static void send_bytes(struct play *p, enum lamp_dir dir, const uint8_t *b, size_t len)
{
    uint8_t *copy = guarded_dup(b, len);
    p->last = lamp_opaque_stream(p->o, p->d, dir, (struct lamp_bytes){ copy, len }, (uint32_t)len,
                                 p->seq[dir], p->now_us);
    guarded_free(copy);
    p->seq[dir] += (uint32_t)len;
    const struct lamp_conn *c = lamp_opaque_conn(p->d);
    const enum lamp_verdict v = c ? c->verdict : LAMP_VERDICT_NONE;
    assert_true(v >= p->verdict);
    p->verdict = v;
}

static void send_record(struct play *p, enum lamp_dir dir, uint8_t type, size_t len)
{
    uint8_t b[20000] = { type, 3, 3, (uint8_t)(len >> 8), (uint8_t)len };
    send_bytes(p, dir, b, len + 5);
}

/* The server's first flight of TLS 1.3, the client's Finished. */
static void shake(struct play *p, const char *sni, const char *alpn)
{
    struct hello h;
    make_hello(&h, sni, alpn, 0);
    send_bytes(p, LAMP_UP, h.b, h.len);
    if (p->last != LAMP_INTEREST_MORE)
        return;
    static const uint8_t server[] = "\x16\x03\x03\0\x32\x02\0\0\x2e\x03\x03"
                                    "01234567890123456789012345678901\0\x13\x01\0\0\x06\0\x2b\0"
                                    "\x02\x03\x04";
    p->now_us += 20000;
    send_bytes(p, LAMP_DOWN, server, sizeof(server) - 1);
    send_record(p, LAMP_DOWN, 20, 1);
    send_record(p, LAMP_DOWN, 23, 900);
    p->now_us += 20000;
    send_record(p, LAMP_UP, 20, 1);
    send_record(p, LAMP_UP, 23, 53);
}

/* Shares at random times, answered, and jobs, for so long. */
static void mine(struct play *p, unsigned duration_s, uint64_t seed)
{
    struct lamp_rng rng = { seed };
    const uint64_t from = p->now_us;
    double share = 5, job = 20;
    send_record(p, LAMP_UP, 23, 560);
    send_record(p, LAMP_DOWN, 23, 570);
    while (share < duration_s || job < duration_s) {
        if (share < job) {
            p->now_us = from + (uint64_t)(share * 1e6);
            send_record(p, LAMP_UP, 23, 265);
            p->now_us += 50000;
            send_record(p, LAMP_DOWN, 23, 81);
            share += 2 + lamp_rng_exponential(&rng, 14);
        } else {
            p->now_us = from + (uint64_t)(job * 1e6);
            send_record(p, LAMP_DOWN, 23, 393);
            job += 2 + lamp_rng_exponential(&rng, 40);
        }
    }
}

static void test_levels(void **state)
{
    (void)state;
    static const struct {
        const char *label, *sni, *alpn, *dns;
        uint16_t port;
        unsigned duration_s;
        enum lamp_verdict verdict;
    } cases[] = {
        { "unknown server, rhythm", "a.example", "", "", 443, 400, LAMP_VERDICT_SUSPECTED },
        { "unknown server, too short", "a.example", "", "", 443, 100, LAMP_VERDICT_NONE },
        { "pool by SNI and port, at once", "rvn.2miners.com", "", "", 16060, 1,
          LAMP_VERDICT_SUSPECTED },
        { "pool by SNI and port, rhythm", "rvn.2miners.com", "", "", 16060, 400,
          LAMP_VERDICT_PROBABLE },
        { "pool by DNS and port, rhythm", "", "", "rvn.2miners.com", 16060, 400,
          LAMP_VERDICT_PROBABLE },
        { "pool at another port, rhythm", "rvn.2miners.com", "", "", 443, 400,
          LAMP_VERDICT_SUSPECTED },
        { "pool's name from a browser", "rvn.2miners.com", "h2", "", 16060, 400,
          LAMP_VERDICT_SUSPECTED },
        { "browser", "a.example", "h2", "", 443, 400, LAMP_VERDICT_NONE },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct play p = start(NULL, cases[i].dns, cases[i].port, true);
        shake(&p, cases[i].sni, cases[i].alpn);
        if (p.last == LAMP_INTEREST_MORE)
            mine(&p, cases[i].duration_s, 7);
        lamp_opaque_finish(p.o, p.d, p.now_us);
        const struct lamp_conn *c = lamp_opaque_conn(p.d);
        const enum lamp_verdict v = c ? c->verdict : LAMP_VERDICT_NONE;
        if (v != cases[i].verdict)
            fail_msg("%s: %s", cases[i].label, lamp_verdict_name(v));
        if (c) {
            assert_string_equal(c->family, "tls-mining");
            assert_true(c->tls && c->n_evidence > 0 && c->ja4[0] == 't');
            assert_string_equal(c->sni, cases[i].sni);
        }
        stop(&p);
    }
}

/* It takes two looks, a minute apart, for an alarm. */
static void test_two_looks(void **state)
{
    (void)state;
    struct play p = start(NULL, "", 16060, true);
    shake(&p, "rvn.2miners.com", "");
    mine(&p, 125, 3);
    assert_int_equal(p.verdict, LAMP_VERDICT_SUSPECTED);
    mine(&p, 130, 4);
    assert_int_equal(p.verdict, LAMP_VERDICT_PROBABLE);
    stop(&p);
}

static void test_given_up(void **state)
{
    (void)state;
    struct play p = start(NULL, "", 443, true);
    shake(&p, "a.example", "http/1.1");
    assert_int_equal(p.last, LAMP_INTEREST_NEVER);
    assert_int_equal(lamp_opaque_counters(p.o).browsers, 1);
    stop(&p);

    p = start(NULL, "", 443, true);
    shake(&p, "a.example", "");
    for (unsigned i = 0; i < 6 && p.last == LAMP_INTEREST_MORE; i++)
        send_record(&p, LAMP_DOWN, 23, 16000);
    assert_int_equal(p.last, LAMP_INTEREST_NEVER);
    assert_int_equal(lamp_opaque_counters(p.o).bulk, 1);
    stop(&p);

    /* a pool that answers in JSON speaks no TLS: whoever reads text may have it, listed or not */
    p = start(NULL, "", 16060, true);
    struct hello h;
    make_hello(&h, "rvn.2miners.com", "", 0);
    send_bytes(&p, LAMP_UP, h.b, h.len);
    assert_int_equal(p.verdict, LAMP_VERDICT_NONE);
    send_bytes(&p, LAMP_DOWN, (const uint8_t *)"{\"id\":null}\n", 12);
    assert_int_equal(p.last, LAMP_INTEREST_NEVER);
    stop(&p);
}

/* The hello may be cut anywhere into segments, and into two records. */
static void test_hello_in_pieces(void **state)
{
    (void)state;
    struct hello h;
    make_hello(&h, "rvn.2miners.com", "", 900);
    for (size_t at = 5; at < h.len; at++) {
        struct play p = start(NULL, "", 16060, true);
        send_bytes(&p, LAMP_UP, h.b, at);
        send_bytes(&p, LAMP_UP, h.b + at, h.len - at);
        lamp_opaque_finish(p.o, p.d, p.now_us);
        const struct lamp_conn *c = lamp_opaque_conn(p.d);
        assert_non_null(c);
        assert_string_equal(c->sni, "rvn.2miners.com");
        assert_string_equal(c->coin, "RVN");
        stop(&p);
    }
    for (size_t at = 1; at + 5 < h.len; at += 13) {
        struct hello two = { 0 };
        put(&two, h.b, 3);
        put16(&two, at);
        put(&two, h.b + 5, at);
        put(&two, h.b, 3);
        put16(&two, h.len - 5 - at);
        put(&two, h.b + 5 + at, h.len - 5 - at);
        struct play p = start(NULL, "", 16060, true);
        send_bytes(&p, LAMP_UP, two.b, two.len);
        lamp_opaque_finish(p.o, p.d, p.now_us);
        const struct lamp_conn *c = lamp_opaque_conn(p.d);
        assert_non_null(c);
        assert_string_equal(c->sni, "rvn.2miners.com");
        stop(&p);
    }
}

/* From the middle of a stream: a piece of a record first, then records. */
static void test_midstream(void **state)
{
    (void)state;
    struct play p = start(NULL, "rvn.2miners.com", 16060, false);
    send_record(&p, LAMP_UP, 23, 265);
    p.seq[LAMP_UP] += 77; /* lost */
    mine(&p, 400, 9);
    lamp_opaque_finish(p.o, p.d, p.now_us);
    assert_int_equal(lamp_opaque_conn(p.d)->verdict, LAMP_VERDICT_PROBABLE);
    assert_true(lamp_opaque_conn(p.d)->midstream);
    stop(&p);
}

/* Jobs that come with a coin's blocks, of a server that nobody knows, by a clock that was heard or told of. */
static void keep_to_blocks(bool is_told)
{
    struct lamp_blockclock clock = { 0 };
    struct lamp_rng rng = { 11 };
    struct play p = start(is_told ? NULL : &clock, "", 443, true);
    if (is_told)
        lamp_opaque_told(p.o, &clock);
    shake(&p, "", "");
    double t = 10;
    const uint64_t from = p.now_us;
    for (unsigned i = 0; i < 40; i++) {
        t += 20 + lamp_rng_exponential(&rng, 100);
        (void)lamp_blockclock_block(&clock, "XMR", from + (uint64_t)(t * 1e6));
        p.now_us = from + (uint64_t)(t * 1e6) + 400000;
        send_record(&p, LAMP_DOWN, 23, 393);
    }
    lamp_opaque_finish(p.o, p.d, p.now_us);
    const struct lamp_conn *c = lamp_opaque_conn(p.d);
    assert_non_null(c);
    assert_string_equal(c->coin, "XMR");
    /* time alone is one group: no alarm */
    assert_int_equal(c->verdict, LAMP_VERDICT_SUSPECTED);
    stop(&p);
}

static void test_block_clock(void **state)
{
    (void)state;
    keep_to_blocks(false);
    keep_to_blocks(true);
}

static void test_limits(void **state)
{
    (void)state;
    struct play p = start(NULL, "", 443, true);
    const struct lamp_flow_facts facts = { .ip_proto = 6 };
    lamp_dim *d[4];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(lamp_opaque_open(p.o, &facts, "", &d[i]), LAMP_OK);
    assert_true(lamp_opaque_full(p.o));
    assert_int_equal(lamp_opaque_open(p.o, &facts, "", &d[3]), LAMP_EFULL);
    assert_int_equal(lamp_opaque_counters(p.o).refused, 1);
    lamp_opaque_close(p.o, d[1]);
    assert_int_equal(lamp_opaque_open(p.o, &facts, "", &d[3]), LAMP_OK);
    stop(&p);
    const struct lamp_opaque_cfg none = { .max_states = 0 };
    assert_int_equal(lamp_opaque_new(&none, &p.o), LAMP_EINVAL);
}

/* A client that was probable at a server is so again at once, for a day; another program is not. */
static void test_known_pair(void **state)
{
    (void)state;
    static const struct {
        const char *label, *alpn;
        uint16_t port, known_port;
        uint64_t later_us;
        enum lamp_verdict was, want;
    } cases[] = {
        { "again", "", 443, 443, S, LAMP_VERDICT_PROBABLE, LAMP_VERDICT_PROBABLE },
        { "confirmed", "", 443, 443, 3600 * S, LAMP_VERDICT_CONFIRMED, LAMP_VERDICT_CONFIRMED },
        { "only suspected", "", 443, 443, S, LAMP_VERDICT_SUSPECTED, LAMP_VERDICT_NONE },
        { "a day later", "", 443, 443, LAMP_KNOWN_US, LAMP_VERDICT_PROBABLE, LAMP_VERDICT_NONE },
        { "another port", "", 443, 444, S, LAMP_VERDICT_PROBABLE, LAMP_VERDICT_NONE },
        { "a browser", "h2", 443, 443, S, LAMP_VERDICT_PROBABLE, LAMP_VERDICT_NONE },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct play p = start(NULL, "", cases[i].port, true);
        const struct lamp_conn was = {
            .client = lamp_addr_from_v4((const uint8_t[]){ 10, 0, 0, 1 }),
            .server = lamp_addr_from_v4((const uint8_t[]){ 203, 0, 113, 9 }),
            .server_port = cases[i].known_port,
            .ip_proto = 6,
            .verdict = cases[i].was,
            .confidence = 0.96,
            .last_us = p.now_us,
        };
        lamp_known_note(&known, &was);
        p.now_us += cases[i].later_us;
        shake(&p, "a.example", cases[i].alpn);
        const struct lamp_conn *c = lamp_opaque_conn(p.d);
        if ((c ? c->verdict : LAMP_VERDICT_NONE) != cases[i].want)
            fail_msg("%s: %s", cases[i].label, lamp_verdict_name(c ? c->verdict : 0));
        if (c)
            assert_string_equal(c->evidence[0].kind, "known-pair");
        stop(&p);
        memset(&known, 0, sizeof(known));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),    cmocka_unit_test(test_two_looks),
        cmocka_unit_test(test_given_up),  cmocka_unit_test(test_hello_in_pieces),
        cmocka_unit_test(test_midstream), cmocka_unit_test(test_block_clock),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_known_pair),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
