/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "common/walletname.h"
#include "sensor/engine/classify.h"
#include "sensor/recog/jsonline.h"

#define SUBSCRIBE "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4\"]}\n"
#define NOTIFY "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"b1\"]}\n"

static lamp_classify *make(size_t states)
{
    lamp_classify *c;
    const struct lamp_classify_cfg cfg = { .max_inspected = states };
    assert_int_equal(lamp_classify_new(&cfg, &c), LAMP_OK);
    return c;
}

static lamp_inspect *open_flow(lamp_classify *c, bool saw_syn)
{
    const struct lamp_flow_facts facts = {
        .client_port = 40000,
        .server_port = 3333,
        .ip_proto = 6,
        .saw_syn = saw_syn,
    };
    lamp_inspect *s;
    assert_int_equal(lamp_classify_open(c, &facts, &s), LAMP_OK);
    return s;
}

static enum lamp_interest say(lamp_classify *c, lamp_inspect *s, enum lamp_dir dir,
                              const char *text)
{
    return lamp_classify_stream(c, s, dir, lamp_bytes_of(text), false, 1);
}

static enum lamp_verdict verdict(lamp_inspect *s)
{
    const struct lamp_conn *c = lamp_inspect_conn(s);
    return c ? c->verdict : LAMP_VERDICT_NONE;
}

static void test_peek(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        uint32_t n;
        enum lamp_interest want;
    } cases[] = {
        { "{\"id\":1", 0, LAMP_INTEREST_MORE },
        { "\r\n {\"id\"", 9, LAMP_INTEREST_MORE },
        { "{ \n\t\"id\"", 0, LAMP_INTEREST_MORE },
        { "{", 0, LAMP_INTEREST_MORE }, /* the rest may follow */
        { "{}", 0, LAMP_INTEREST_MORE },
        { "{x\"id\"", 0, LAMP_INTEREST_SKIP }, /* noise */
        { "x", 0, LAMP_INTEREST_SKIP },        /* TCP keep-alive */
        { "", 0, LAMP_INTEREST_SKIP },
        { "GET / HTTP/1.1\r\n\r\n", 0, LAMP_INTEREST_NEVER },
        { "GET / HTTP/1.1\r\nUser-", 0, LAMP_INTEREST_MORE } /* the rest may tell */,
        { "220 mail.example.org", 0, LAMP_INTEREST_NEVER },
        { "SSH-2.0-x", 0, LAMP_INTEREST_NEVER },
        { "\x16\x03\x01\x02", 0, LAMP_INTEREST_NEVER },
        { "00ab12\",\"1b04864c\"", 0, LAMP_INTEREST_SKIP }, /* rest of a cut line */
        { "GET / HTTP/1.1\r\n\r\n", 3, LAMP_INTEREST_SKIP },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const enum lamp_interest got =
            lamp_classify_peek(lamp_bytes_of(cases[i].payload), LAMP_UP, cases[i].n);
        if (got != cases[i].want)
            fail_msg("%s: %d, want %d", cases[i].payload, (int)got, (int)cases[i].want);
    }
}

/* The time of each new block that a pool's work tells of, and of no other job. */
static void test_blocks(void **state)
{
    static const struct {
        const char *job;
        uint64_t t_us, block_us; /* since then */
    } jobs[] = {
        { "\"job_id\":\"1\",\"height\":900", 10, 0 }, /* the first tells of none */
        { "\"job_id\":\"2\",\"height\":900", 20, 0 }, /* other transactions */
        { "\"job_id\":\"3\",\"height\":901", 30, 30 },
        { "\"job_id\":\"4\",\"height\":901", 40, 30 },
        { "\"job_id\":\"5\",\"height\":902", 50, 50 },
    };
    (void)state;
    lamp_classify *c = make(1);
    lamp_inspect *s = open_flow(c, true);
    (void)say(
        c, s, LAMP_UP,
        "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"4a\",\"pass\":\"x\",\"agent\":"
        "\"XMRig/6\"}}\n");
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        char line[400];
        snprintf(line, sizeof(line),
                 "{\"method\":\"job\",\"params\":{\"blob\":\"0e0e%0148d\",\"target\":\"b88d0600\",%"
                 "s}}\n",
                 0, jobs[i].job);
        (void)lamp_classify_stream(c, s, LAMP_DOWN, lamp_bytes_of(line), false, jobs[i].t_us);
        assert_int_equal(lamp_inspect_conn(s)->block_us, jobs[i].block_us);
    }
    lamp_classify_close(c, s);
    lamp_classify_free(c);
}

static const struct lamp_conn_evidence *known_wallet(lamp_inspect *s)
{
    const struct lamp_conn *c = lamp_inspect_conn(s);
    for (size_t i = 0; c && i < c->n_evidence; i++)
        if (streq(c->evidence[i].kind, "known-wallet"))
            return &c->evidence[i];
    return NULL;
}

static lamp_watch *wallet_list(const char *wallet, bool fresh)
{
    char name[LAMP_WALLET_NAME];
    const struct lamp_watch_entry e = { .name = lamp_wallet_name(wallet, name),
                                        .fresh = fresh,
                                        .origin = "north",
                                        .ttl_s = 30 * 86400 };
    lamp_watch *w;
    assert_int_equal(lamp_watch_new(&e, 1, &w), LAMP_OK);
    return w;
}

/* A login in the clear with a wallet of the watch list: a reason with its origin and expiry, and more than the
 * words alone are worth. */
static void test_known_wallet(void **state)
{
    (void)state;
    static const char login[] = "{\"id\":1,\"method\":\"login\",\"params\":"
                                "{\"login\":\"4wallet.rig\",\"pass\":\"x\"}}\n";
    static const struct {
        const char *label, *listed;
        bool fresh;
        enum lamp_verdict want;
        const char *strength; /* NULL: no such reason */
    } cases[] = {
        { "no list", NULL, true, LAMP_VERDICT_SUSPECTED, NULL },
        { "another's", "4another", true, LAMP_VERDICT_SUSPECTED, NULL },
        { "its worker", "rig", true, LAMP_VERDICT_SUSPECTED, NULL },
        { "listed", "4wallet", true, LAMP_VERDICT_PROBABLE, "strong" },
        { "not of late", "4wallet", false, LAMP_VERDICT_SUSPECTED, "fair" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_classify *c = make(1);
        lamp_watch *w = cases[i].listed ? wallet_list(cases[i].listed, cases[i].fresh) : NULL;
        lamp_classify_watch(c, w);
        lamp_inspect *s = open_flow(c, true);
        assert_int_equal(say(c, s, LAMP_UP, login), LAMP_INTEREST_MORE);
        const struct lamp_conn_evidence *e = known_wallet(s);
        if (verdict(s) != cases[i].want || !e != !cases[i].strength)
            fail_msg("%s: %d", cases[i].label, (int)verdict(s));
        if (e) {
            assert_string_equal(e->strength, cases[i].strength);
            assert_non_null(strstr(e->detail, "met at north, for 30 more days"));
            assert_non_null(strstr(e->detail, "4wallet"));
        }
        lamp_classify_close(c, s);
        lamp_classify_free(c);
        lamp_watch_free(w);
    }
}

/* A list that comes later holds for who is there already, from what it says next; one that goes takes nothing back. */
static void test_known_wallet_later(void **state)
{
    (void)state;
    lamp_classify *c = make(1);
    lamp_inspect *s = open_flow(c, true);
    say(c, s, LAMP_UP, SUBSCRIBE);
    say(c, s, LAMP_UP,
        "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"4wallet\",\"x\"]}\n");
    assert_null(known_wallet(s));
    lamp_watch *w = wallet_list("4wallet", true);
    lamp_classify_watch(c, w);
    say(c, s, LAMP_DOWN, NOTIFY);
    assert_null(known_wallet(s));
    say(c, s, LAMP_UP, SUBSCRIBE);
    assert_non_null(known_wallet(s));
    lamp_classify_watch(c, NULL);
    lamp_watch_free(w);
    say(c, s, LAMP_UP, SUBSCRIBE);
    assert_non_null(known_wallet(s));
    lamp_classify_close(c, s);
    lamp_classify_free(c);
}

static void test_ladder_and_evidence(void **state)
{
    (void)state;
    lamp_classify *c = make(1);
    lamp_inspect *s = open_flow(c, true);
    assert_null(lamp_inspect_conn(s));
    say(c, s, LAMP_UP, SUBSCRIBE);
    assert_int_equal(verdict(s), LAMP_VERDICT_PROBABLE);
    say(c, s, LAMP_DOWN, NOTIFY NOTIFY);
    assert_int_equal(verdict(s), LAMP_VERDICT_CONFIRMED);
    const struct lamp_conn *conn = lamp_inspect_conn(s);
    assert_string_equal(conn->family, "stratum-v1");
    assert_int_equal(conn->n_evidence, 2); /* a repeated reason is told once */
    assert_string_equal(conn->evidence[0].kind, "grammar-client");
    assert_string_equal(conn->evidence[0].detail, "client line 1: method mining.subscribe");
    assert_string_equal(conn->evidence[1].detail, "server line 1: method mining.notify");
    say(c, s, LAMP_UP, "rubbish\n{\"id\":9,\"error\":\"x\"}\n");
    assert_int_equal(verdict(s), LAMP_VERDICT_CONFIRMED);
    lamp_classify_close(c, s);
    assert_int_equal(lamp_classify_counters(c).matched, 1);
    lamp_classify_free(c);
}

static void test_swapped(void **state)
{
    (void)state;
    lamp_classify *c = make(1);
    lamp_inspect *s = open_flow(c, false);
    say(c, s, LAMP_UP, NOTIFY);
    assert_true(lamp_inspect_swapped(s));
    assert_int_equal(lamp_inspect_conn(s)->server_port, 40000);
    assert_int_equal(lamp_inspect_conn(s)->jobs, 1);
    lamp_classify_close(c, s);
    lamp_classify_free(c);
}

/* One direction is probable; three shares whose hashes no chance makes so small confirm it. */
static void test_proof_confirms(void **state)
{
    (void)state;
    static const struct {
        const char *last_bytes; /* of the hash, which is little-endian */
        enum lamp_verdict want;
    } cases[] = {
        { "ffffffff00000000", LAMP_VERDICT_CONFIRMED },
        { "ffffffffffff0f00", LAMP_VERDICT_PROBABLE }, /* 2^-12: by chance once in 2^36 */
        { "ffffffffffffffff", LAMP_VERDICT_PROBABLE },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_classify *c = make(1);
        lamp_inspect *s = open_flow(c, true);
        char line[512];
        for (int n = 0; n < 3; n++) {
            assert_true(n == 0 || verdict(s) == LAMP_VERDICT_PROBABLE);
            snprintf(line, sizeof(line),
                     "{\"id\":%d,\"method\":\"submit\",\"params\":{\"id\":\"s\",\"job_id\":\"j\","
                     "\"nonce\":\"%08x\",\"result\":\"%048x%s\"}}\n",
                     n, n, n, cases[i].last_bytes);
            say(c, s, LAMP_UP, line);
        }
        if (verdict(s) != cases[i].want)
            fail_msg("case %zu: verdict %d", i, (int)verdict(s));
        lamp_classify_close(c, s);
        lamp_classify_free(c);
    }
}

/* A better recogniser takes over; what the engine wrote stays. */
static void test_certain_beats_strong(void **state)
{
    (void)state;
    lamp_classify *c = make(1);
    lamp_inspect *s = open_flow(c, true);
    say(c, s, LAMP_UP,
        "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"bob\",\"pass\":\"x\"}}\n");
    assert_int_equal(verdict(s), LAMP_VERDICT_SUSPECTED);
    lamp_inspect_conn(s)->id = 77;
    say(c, s, LAMP_UP, SUBSCRIBE);
    assert_int_equal(verdict(s), LAMP_VERDICT_PROBABLE);
    assert_string_equal(lamp_inspect_conn(s)->family, "stratum-v1");
    assert_int_equal(lamp_inspect_conn(s)->id, 77);
    lamp_classify_close(c, s);
    lamp_classify_free(c);
}

static void test_gives_up(void **state)
{
    (void)state;
    lamp_classify *c = make(1);
    lamp_inspect *s = open_flow(c, true);
    assert_int_equal(say(c, s, LAMP_UP, "hello\n"), LAMP_INTEREST_MORE);
    assert_int_equal(say(c, s, LAMP_DOWN, "hello\n"), LAMP_INTEREST_NEVER);
    say(c, s, LAMP_UP, SUBSCRIBE);
    assert_int_equal(verdict(s), LAMP_VERDICT_NONE);
    lamp_classify_close(c, s);

    s = open_flow(c, true); /* JSON lines of something else */
    enum lamp_interest last = LAMP_INTEREST_MORE;
    for (int i = 0; i < 40; i++) {
        say(c, s, LAMP_UP, "{\"event\":\"x\"}\n");
        last = say(c, s, LAMP_DOWN, "{\"ok\":true}\n");
    }
    assert_int_equal(last, LAMP_INTEREST_NEVER);
    lamp_classify_close(c, s);
    lamp_classify_free(c);
}

static void test_gap_skips_to_the_next_line(void **state)
{
    (void)state;
    lamp_classify *c = make(1);
    lamp_inspect *s = open_flow(c, true);
    say(c, s, LAMP_UP, "{\"id\":1,\"meth");
    lamp_classify_stream(c, s, LAMP_UP, lamp_bytes_of("\"}]}\n" SUBSCRIBE), true, 1);
    assert_int_equal(verdict(s), LAMP_VERDICT_PROBABLE);
    lamp_classify_close(c, s);
    lamp_classify_free(c);
}

static void test_states_are_bounded(void **state)
{
    (void)state;
    lamp_classify *c = make(2);
    const struct lamp_flow_facts facts = { .ip_proto = 6 };
    lamp_inspect *s[3];
    assert_int_equal(lamp_classify_open(c, &facts, &s[0]), LAMP_OK);
    assert_int_equal(lamp_classify_open(c, &facts, &s[1]), LAMP_OK);
    assert_int_equal(lamp_classify_open(c, &facts, &s[2]), LAMP_EFULL);
    assert_int_equal(lamp_classify_counters(c).refused, 1);
    lamp_classify_close(c, s[0]);
    assert_int_equal(lamp_classify_open(c, &facts, &s[2]), LAMP_OK);
    lamp_classify_free(c);
    const struct lamp_classify_cfg none = { .max_inspected = 0 };
    assert_int_equal(lamp_classify_new(&none, &c), LAMP_EINVAL);
}

/* Many flows with half a line each: the oldest lose theirs, later whole lines still count. */
static void test_line_buffers_go_round(void **state)
{
    (void)state;
    enum { FLOWS = 40 };
    lamp_classify *c = make(FLOWS);
    lamp_inspect *s[FLOWS];
    for (int i = 0; i < FLOWS; i++) {
        s[i] = open_flow(c, true);
        say(c, s[i], LAMP_UP, "{\"id\":1,\"method\":\"mining.sub");
    }
    int found = 0;
    for (int i = 0; i < FLOWS; i++) {
        say(c, s[i], LAMP_UP, "scribe\",\"params\":[]}\n");
        found += verdict(s[i]) == LAMP_VERDICT_PROBABLE;
        say(c, s[i], LAMP_UP, SUBSCRIBE);
        assert_int_equal(verdict(s[i]), LAMP_VERDICT_PROBABLE);
    }
    assert_true(found > 0 && found < FLOWS);
    for (int i = 0; i < FLOWS; i++)
        lamp_classify_close(c, s[i]);
    lamp_classify_free(c);
}

static void test_line_too_long(void **state)
{
    (void)state;
    lamp_classify *c = make(1);
    lamp_inspect *s = open_flow(c, true);
    char piece[1025];
    memset(piece, 'a', sizeof(piece) - 1);
    piece[sizeof(piece) - 1] = '\0';
    say(c, s, LAMP_UP, "{\"x\":\"");
    for (int i = 0; i < 2 * LAMP_JSONLINE_MAX / 1024; i++)
        say(c, s, LAMP_UP, piece);
    say(c, s, LAMP_UP, "\"}\n" SUBSCRIBE);
    assert_int_equal(verdict(s), LAMP_VERDICT_PROBABLE);
    lamp_classify_close(c, s);
    lamp_classify_free(c);
}

static void submit(lamp_classify *c, lamp_inspect *s, unsigned number, const char *extra,
                   uint64_t t_us)
{
    char line[256];
    snprintf(line, sizeof(line),
             "{\"id\":%u,\"method\":\"mining.submit\",\"params\":[\"w\",\"j\",\"00\",\"%08x\","
             "\"%08x\"]%s}\n",
             number, number, number, extra);
    lamp_classify_stream(c, s, LAMP_UP, lamp_bytes_of(line), false, t_us);
}

/* A session may say so much a second; what goes beyond is left out, counted, and does not last. */
static void test_budget(void **state)
{
    (void)state;
    static const struct {
        const char *label, *extra; /* of the share's line */
        uint64_t every_us;
        unsigned n, least, most; /* lines, and how many of them are read */
    } cases[] = {
        { "busy proxy", "", 10000, 2000, 2000, 2000 },
        { "a burst after a silence", "", 1, 800, 800, 800 },
        { "a flood of shares", "", 1, 3000, 800, 1200 },
        { "brackets", ",\"x\":[[[[1,2,3,4,5,6,7,8,9],[1,2,3,4,5,6,7,8,9]]]]", 1, 3000, 300, 640 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_classify *c = make(1);
        lamp_inspect *s = open_flow(c, true);
        uint64_t t_us = 0;
        for (unsigned k = 0; k < cases[i].n; k++, t_us += cases[i].every_us)
            submit(c, s, k, cases[i].extra, t_us);
        const uint32_t read = lamp_inspect_conn(s)->shares.submitted;
        if (read < cases[i].least || read > cases[i].most)
            fail_msg("%s: %u of %u lines read", cases[i].label, read, cases[i].n);
        assert_int_equal(lamp_classify_counters(c).left_out_bytes > 0, read < cases[i].n);
        /* a second later it is heard again, from the next whole line on */
        lamp_classify_stream(c, s, LAMP_UP, lamp_bytes_of("d\"]}\n"), false, t_us + 1000000);
        submit(c, s, cases[i].n, "", t_us + 1000000);
        assert_int_equal(lamp_inspect_conn(s)->shares.submitted, read + 1);
        lamp_classify_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_known_wallet),
        cmocka_unit_test(test_known_wallet_later),
        cmocka_unit_test(test_ladder_and_evidence),
        cmocka_unit_test(test_swapped),
        cmocka_unit_test(test_certain_beats_strong),
        cmocka_unit_test(test_proof_confirms),
        cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_gap_skips_to_the_next_line),
        cmocka_unit_test(test_states_are_bounded),
        cmocka_unit_test(test_line_buffers_go_round),
        cmocka_unit_test(test_line_too_long),
        cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
