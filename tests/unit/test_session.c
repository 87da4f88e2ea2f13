/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/recog/session.h"

#include <math.h>

/* Parses a line that outlives the call. */
static struct lamp_jsonline *line(const char *text)
{
    static struct lamp_jsonline l;
    if (lamp_jsonline_parse(lamp_bytes_of(text), &l) != LAMP_OK)
        fail_msg("%s", text);
    return &l;
}

static void test_user_is_split(void **state)
{
    (void)state;
    static const struct {
        const char *user, *wallet, *worker;
    } cases[] = {
        { "1Abc.rig", "1Abc", "rig" },
        { "1Abc.rig.two", "1Abc", "rig.two" },
        { "0xabc/rig/me@example.org", "0xabc", "rig/me@example.org" },
        { "4abc+20000", "4abc", "20000" },
        { "kaspa:qq12.rig", "kaspa:qq12", "rig" },
        { "me@example.org", "me@example.org", "" },
        { "account", "account", "" },
        { "account.", "account", "" },
        { ".rig", "", "rig" },
        { "", "", "" },
        { "a\\u0041\\\"b", "aA\"b", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_session s = { 0 };
        char text[128];
        snprintf(text, sizeof(text), "{\"u\":\"%s\"}", cases[i].user);
        lamp_session_user(&s, lamp_jsonline_top(line(text), "u"));
        assert_string_equal(lamp_conn_current(&s.conn.wallets), cases[i].wallet);
        assert_string_equal(lamp_conn_current(&s.conn.workers), cases[i].worker);
    }
}

static void test_names_are_bounded_and_newest_last(void **state)
{
    (void)state;
    struct lamp_session s = { 0 };
    char text[64];
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof(text), "{\"u\":\"w%d.r\"}", i);
        lamp_session_user(&s, lamp_jsonline_top(line(text), "u"));
    }
    assert_int_equal(s.conn.wallets.n, LAMP_CONN_NAMES);
    assert_string_equal(s.conn.wallets.v[0], "w12");
    assert_string_equal(lamp_conn_current(&s.conn.wallets), "w19");
    assert_int_equal(s.conn.workers.n, 1);
    lamp_session_user(&s, lamp_jsonline_top(line("{\"u\":\"w15\"}"), "u"));
    assert_int_equal(s.conn.wallets.n, LAMP_CONN_NAMES);
    assert_string_equal(lamp_conn_current(&s.conn.wallets), "w15");
    lamp_session_user(&s, lamp_jsonline_top(line("{\"u\":17}"), "u")); /* no string */
    assert_string_equal(lamp_conn_current(&s.conn.wallets), "w15");

    /* who says the same again is the newest again, whoever was named in between */
    lamp_session_user(&s, lamp_jsonline_top(line("{\"u\":\"w15.a\"}"), "u"));
    lamp_session_worker(&s, lamp_jsonline_top(line("{\"u\":\"b\"}"), "u"));
    assert_string_equal(lamp_conn_current(&s.conn.workers), "b");
    lamp_session_user(&s, lamp_jsonline_top(line("{\"u\":\"w15.a\"}"), "u"));
    assert_string_equal(lamp_conn_current(&s.conn.workers), "a");
}

/* Answers in another order than the requests, requests without id or answer, and more open ones
 * than are remembered: each answer finds the oldest open request of its id. */
static void test_answers_find_their_requests(void **state)
{
    (void)state;
    struct lamp_session s = { 0 };
    char text[64];
    enum lamp_outcome outcome;
    lamp_session_request(&s, line("{\"method\":\"a\"}"), "no id");
    lamp_session_request(&s, line("{\"id\":1}"), "first");
    lamp_session_request(&s, line("{\"id\":2}"), "second");
    lamp_session_request(&s, line("{\"id\":1}"), "first again");
    assert_string_equal(lamp_session_answer(&s, line("{\"id\":2,\"result\":1}"), &outcome),
                        "second");
    assert_string_equal(lamp_session_answer(&s, line("{\"id\":1,\"result\":1}"), &outcome),
                        "first");
    assert_string_equal(lamp_session_answer(&s, line("{\"id\":1,\"result\":1}"), &outcome),
                        "first again");
    assert_null(lamp_session_answer(&s, line("{\"id\":1,\"result\":1}"), &outcome));

    for (int i = 0; i < 3 * LAMP_SESSION_REQUESTS; i++) {
        snprintf(text, sizeof(text), "{\"id\":%d}", 100 + i);
        lamp_session_request(&s, line(text), i % 2 ? "odd" : "even");
    }
    assert_null(lamp_session_answer(&s, line("{\"id\":100,\"result\":1}"), &outcome));
    const int oldest = 100 + 2 * LAMP_SESSION_REQUESTS;
    snprintf(text, sizeof(text), "{\"id\":%d,\"result\":1}", oldest - 1);
    assert_null(lamp_session_answer(&s, line(text), &outcome));
    snprintf(text, sizeof(text), "{\"id\":%d,\"result\":1}", oldest);
    assert_string_equal(lamp_session_answer(&s, line(text), &outcome), "even");
}

static void test_target(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        double want;
    } cases[] = {
        { "0004189374bc6a7ef9db22d0e5604189374bc6a7ef9db22d0e5604189374bc6a", 16000 },
        { "0x00000000ffff0000000000000000000000000000000000000000000000000000", 4295032833.0 },
        { "0000000000000000000000000000000000000000000000000000000000000000", 0 },
        { "xyz", 0 },
        { "", 0 },
        { "0x", 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const double got = lamp_target_hashes(lamp_bytes_of(cases[i].hex));
        if (fabs(got - cases[i].want) > cases[i].want * 1e-6)
            fail_msg("%s: %g", cases[i].hex, got);
    }
}

static void share(struct lamp_session *s, int id, const char *job)
{
    char text[96];
    snprintf(text, sizeof(text), "{\"id\":%d,\"job\":\"%s\"}", id, job);
    lamp_session_share(s, line(text), lamp_bytes_of(job), "answer");
}

static enum lamp_outcome answer(struct lamp_session *s, const char *text)
{
    enum lamp_outcome o = LAMP_OUTCOME_NONE;
    (void)lamp_session_answer(s, line(text), &o);
    return o;
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        enum lamp_outcome want;
    } cases[] = {
        { "\"result\":true,\"error\":null", LAMP_OUTCOME_ACCEPTED },
        { "\"result\":{\"status\":\"OK\"}", LAMP_OUTCOME_ACCEPTED },
        { "\"result\":true,\"error\":false", LAMP_OUTCOME_ACCEPTED },
        { "\"result\":false", LAMP_OUTCOME_REJECTED },
        { "\"result\":null,\"error\":null", LAMP_OUTCOME_REJECTED },
        { "\"result\":null,\"error\":[23,\"Low difficulty\",null]", LAMP_OUTCOME_REJECTED },
        { "\"result\":null,\"error\":[21,\"Job not found\",null]", LAMP_OUTCOME_STALE },
        { "\"error\":{\"code\":-1,\"message\":\"STALE share\"}", LAMP_OUTCOME_STALE },
        { "\"error\":{\"code\":-1,\"message\":\"Block expired\"}", LAMP_OUTCOME_STALE },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_session s = { .pool_spoke = true };
        char text[160];
        share(&s, 7, "j");
        snprintf(text, sizeof(text), "{\"id\":7,%s}", cases[i].rest);
        if (answer(&s, text) != cases[i].want)
            fail_msg("%s", text);
        assert_int_equal(answer(&s, text), LAMP_OUTCOME_NONE); /* answered once */
        assert_int_equal(s.conn.shares.accepted + s.conn.shares.rejected + s.conn.shares.stale, 1);
    }
}

/* Some miners give every request the same id: answers come in the order of the requests. */
static void test_one_id_for_all(void **state)
{
    (void)state;
    struct lamp_session s = { .pool_spoke = true };
    lamp_session_weight(&s, (struct lamp_weight){ .hashes = 10 });
    lamp_session_job(&s, lamp_bytes_of("a"), NULL);
    lamp_session_weight(&s, (struct lamp_weight){ .hashes = 1000 });
    lamp_session_job(&s, lamp_bytes_of("b"), NULL);
    share(&s, 4, "a");
    share(&s, 4, "b");
    answer(&s, "{\"id\":4,\"result\":false}");
    answer(&s, "{\"id\":4,\"result\":true}");
    lamp_session_refresh(&s);
    assert_int_equal(s.conn.shares.rejected, 1);
    assert_int_equal(s.conn.work_shares, 1);
    assert_true(s.conn.work == 1000);
}

static void test_work_without_answers(void **state)
{
    (void)state;
    struct lamp_session s = { 0 };
    lamp_session_job(&s, lamp_bytes_of("a"), &(struct lamp_weight){ .hashes = 50 });
    share(&s, 1, "a");
    share(&s, 2, "a");
    lamp_session_refresh(&s);
    assert_true(s.conn.work == 100);
    s.pool_spoke = true; /* what was counted is not taken back */
    lamp_session_refresh(&s);
    assert_true(s.conn.work == 100 && s.conn.work_shares == 2);
}

/* A difficulty alone is no number of hashes. */
static void test_unknown_algorithm_gives_no_work(void **state)
{
    (void)state;
    struct lamp_session s = { 0 };
    lamp_session_weight(&s, (struct lamp_weight){ .difficulty = 16 });
    lamp_session_job(&s, lamp_bytes_of("a"), NULL);
    share(&s, 1, "a");
    lamp_session_refresh(&s);
    assert_true(s.conn.difficulty == 16 && s.conn.work == 0);
    assert_int_equal(s.conn.work_shares, 0);
}

/* Every job message counts; shares take the weight of the newest job of their name. */
static void test_jobs_are_bounded(void **state)
{
    (void)state;
    struct lamp_session s = { 0 };
    for (unsigned i = 0; i < 1000; i++)
        lamp_session_job(&s, lamp_bytes_of("x"), &(struct lamp_weight){ .hashes = 1000 });
    lamp_session_job(&s, lamp_bytes_of("x"), &(struct lamp_weight){ .hashes = 2000 });
    assert_int_equal(s.conn.jobs, 1001);
    share(&s, 1, "x");
    lamp_session_refresh(&s);
    assert_true(s.conn.work == 2000);
}

/* A flood of requests pushes out the oldest and nothing else. */
static void test_requests_are_bounded(void **state)
{
    (void)state;
    struct lamp_session s = { .pool_spoke = true };
    char text[64];
    for (int i = 0; i < LAMP_SESSION_REQUESTS + 1; i++)
        share(&s, i, "j");
    assert_int_equal(answer(&s, "{\"id\":0,\"result\":true}"), LAMP_OUTCOME_NONE);
    for (int i = 1; i <= LAMP_SESSION_REQUESTS; i++) {
        snprintf(text, sizeof(text), "{\"id\":%d,\"result\":true}", i);
        assert_int_equal(answer(&s, text), LAMP_OUTCOME_ACCEPTED);
    }
    assert_int_equal(s.conn.shares.submitted, LAMP_SESSION_REQUESTS + 1);
}

static void test_hostile_numbers(void **state)
{
    (void)state;
    struct lamp_session s = { 0 };
    lamp_session_weight(&s, (struct lamp_weight){ .difficulty = 8 });
    lamp_session_weight(&s, (struct lamp_weight){ .difficulty = -1 });
    lamp_session_weight(&s, (struct lamp_weight){ .difficulty = INFINITY });
    lamp_session_weight(&s, (struct lamp_weight){ .hashes = NAN });
    lamp_session_weight(&s, (struct lamp_weight){ .difficulty = 1e300 });
    lamp_session_refresh(&s);
    assert_true(s.conn.difficulty == 8);
    lamp_session_job(&s, lamp_bytes_of("a"), &(struct lamp_weight){ .hashes = 1e300 });
    share(&s, 1, "a"); /* the job's weight is none, so the one in force counts */
    assert_true(s.submitted.hashes == 0 && s.submitted.difficulty == 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_is_split),
        cmocka_unit_test(test_names_are_bounded_and_newest_last),
        cmocka_unit_test(test_answers_find_their_requests),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_one_id_for_all),
        cmocka_unit_test(test_work_without_answers),
        cmocka_unit_test(test_unknown_algorithm_gives_no_work),
        cmocka_unit_test(test_jobs_are_bounded),
        cmocka_unit_test(test_requests_are_bounded),
        cmocka_unit_test(test_hostile_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
