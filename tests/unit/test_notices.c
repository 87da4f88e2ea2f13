/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of what receivers are still to be told, with a clock of the test's own. */
#include "aggregator/store/notices.h"
#include "tests/support/aggregator.h"

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)

static const struct lamp_pace webhook = { .rate = 10, .interval_us = MINUTE, .batch = 100 };
static const struct lamp_pace lines = { .rate = 30, .interval_us = MINUTE, .batch = 1 };
static const struct lamp_pace mail = {
    .rate = 1, .interval_us = 5 * MINUTE, .gather_us = 2 * SECOND, .batch = 100
};

struct fixture {
    char *folder, path[256];
    lamp_notices *q;
    uint64_t now_us;
    struct lamp_message m;
};

static void reopen(struct fixture *f)
{
    char why[LAMP_NOTICES_WHY] = "";
    lamp_notices_close(f->q);
    f->q = NULL;
    if (lamp_notices_open(f->path, &f->q, why) != LAMP_OK)
        fail_msg("%s", why);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->now_us = TEST_NOW_US;
    f->m.v = calloc(LAMP_MESSAGE_ALERTS, sizeof(*f->m.v));
    assert_non_null(f->m.v);
    snprintf(f->path, sizeof(f->path), "%s/notify.db", f->folder);
    reopen(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    lamp_notices_close(f->q);
    remove_folder(f->folder);
    free(f->folder);
    free(f->m.v);
    free(f);
    return 0;
}

static void good(const struct fixture *f, int err)
{
    if (err)
        fail_msg("%s: %s", lamp_strerror(err), lamp_notices_why(f->q));
}

/* Alerts from..to, newest first, as the store lends them. */
static void put(struct fixture *f, const char *receiver, int64_t from, int64_t to)
{
    int64_t cursor;
    good(f, lamp_notices_cursor(f->q, receiver, to, &cursor));
    good(f, lamp_notices_begin(f->q));
    for (int64_t id = to; id >= from; id--) {
        const struct lamp_alert_view v = { .id = id,
                                           .kind = id % 4 ? LAMP_ALERT_MINER_CONFIRMED
                                                          : LAMP_ALERT_POLICY,
                                           .subject = "10.1.0.23",
                                           .site = "berlin",
                                           .text = "It mines.",
                                           .count = 1,
                                           .raised_us = f->now_us };
        good(f, lamp_notices_put(f->q, receiver, &v, f->now_us));
    }
    good(f, lamp_notices_end(f->q, receiver, to));
}

static struct lamp_receiver_counts counts(struct fixture *f, const char *receiver)
{
    struct lamp_receiver_counts c;
    good(f, lamp_notices_counts(f->q, receiver, &c));
    return c;
}

static bool take(struct fixture *f, const char *receiver, const struct lamp_pace *pace,
                 uint64_t *out_due_us)
{
    const int err = lamp_notices_take(f->q, receiver, pace, f->now_us, &f->m, out_due_us);
    if (err != LAMP_EAGAIN)
        good(f, err);
    return !err;
}

/* Sends whatever is due for a while, a second a step. Returns the messages. */
static unsigned run(struct fixture *f, const char *receiver, const struct lamp_pace *pace,
                    uint64_t for_us, uint64_t *io_alerts, uint64_t *io_more)
{
    const uint64_t end_us = f->now_us + for_us;
    unsigned n = 0;
    uint64_t due_us;
    for (; f->now_us < end_us; f->now_us += SECOND) {
        while (take(f, receiver, pace, &due_us)) {
            n++;
            *io_alerts += f->m.n;
            *io_more += f->m.more;
            good(f, lamp_notices_sent(f->q, receiver, &f->m, f->now_us));
        }
    }
    return n;
}

static void test_cursor(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t newest, want;
    } cases[] = {
        { 7, 7 },                     /* what was there before is not told */
        { 9, 7 }, { 9, 7 }, { 3, 3 }, /* an older history came back */
        { 5, 3 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t cursor;
        good(f, lamp_notices_cursor(f->q, "a", cases[i].newest, &cursor));
        assert_int_equal(cursor, cases[i].want);
        reopen(f);
    }
}

/* 10,000 events within a minute: no receiver gets more than it may, and all add up. */
static void test_storm(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        const struct lamp_pace *pace;
        unsigned most;
    } cases[] = { { "hook", &webhook, 10 }, { "siem", &lines, 30 }, { "mail", &mail, 1 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t alerts = 0, more = 0;
        unsigned n = 0;
        good(f, lamp_notices_cursor(f->q, cases[i].name, 0, &(int64_t){ 0 }));
        for (int64_t k = 0; k < 12; k++) { /* 10,000 evenly */
            put(f, cases[i].name, k * 10000 / 12 + 1, (k + 1) * 10000 / 12);
            n += run(f, cases[i].name, cases[i].pace, 5 * SECOND, &alerts, &more);
        }
        assert_true(n <= cases[i].most);
        n = run(f, cases[i].name, cases[i].pace, 10 * MINUTE, &alerts, &more);
        assert_true(n > 0 && n <= 2 * cases[i].most);
        assert_int_equal(alerts + more, 10000);
        assert_int_equal(counts(f, cases[i].name).queued, 0);
        assert_int_equal(counts(f, cases[i].name).alerts, alerts);
        assert_int_equal(counts(f, cases[i].name).more, more);
    }
}

static void test_summary(void **state)
{
    struct fixture *f = *state;
    uint64_t due_us;
    good(f, lamp_notices_cursor(f->q, "mail", 0, &(int64_t){ 0 }));
    put(f, "mail", 1, 104);
    assert_false(take(f, "mail", &mail, &due_us)); /* it waits for others */
    assert_int_equal(due_us, f->now_us + 2 * SECOND);
    f->now_us = due_us;
    assert_true(take(f, "mail", &mail, &due_us));
    assert_int_equal(f->m.n, 100);
    assert_int_equal(f->m.v[0].v.id, 1);
    assert_int_equal(f->m.v[99].v.id, 100);
    assert_string_equal(f->m.v[99].v.subject, "10.1.0.23");
    assert_int_equal(f->m.more, 4);
    assert_string_equal(f->m.summary, "3 miner-confirmed, 1 policy");
    good(f, lamp_notices_sent(f->q, "mail", &f->m, f->now_us));
    put(f, "mail", 105, 105);
    f->now_us += 3 * SECOND;
    assert_false(take(f, "mail", &mail, &due_us)); /* one in five minutes */
    assert_int_equal(due_us, f->now_us - 3 * SECOND + 5 * MINUTE);
}

/* Down for an hour, killed on the way: then each alert once, in its order. */
static void test_down(void **state)
{
    struct fixture *f = *state;
    uint64_t due_us, last_made = 0;
    int64_t next = 1, cursor;
    unsigned failures = 0;
    good(f, lamp_notices_cursor(f->q, "hook", 0, &cursor));
    for (unsigned s = 0; s < 3600; s += 10, f->now_us += 10 * SECOND) {
        if (s % 600 == 0)
            put(f, "hook", (int64_t)s / 120 + 1, (int64_t)s / 120 + 5);
        if (s % 900 == 0)
            reopen(f);
        while (take(f, "hook", &webhook, &due_us)) {
            if (last_made)
                assert_int_equal(f->m.made_us, last_made); /* always the same message */
            last_made = f->m.made_us;
            assert_int_equal(f->m.tries, failures);
            good(f, lamp_notices_failed(f->q, "hook", &f->m, "nobody listens", f->now_us,
                                        f->now_us + 30 * SECOND));
            failures++;
        }
    }
    assert_true(failures > 100 && failures < 130);
    assert_int_equal(counts(f, "hook").queued, 30);
    assert_string_equal(counts(f, "hook").error, "nobody listens");
    assert_int_equal(counts(f, "hook").failures, failures);
    assert_true(counts(f, "hook").due_us > 0);
    for (unsigned s = 0; s < 120; s += 10, f->now_us += 10 * SECOND) {
        reopen(f);
        while (take(f, "hook", &webhook, &due_us)) {
            for (size_t i = 0; i < f->m.n; i++)
                assert_int_equal(f->m.v[i].v.id, next++);
            good(f, lamp_notices_sent(f->q, "hook", &f->m, f->now_us));
        }
    }
    assert_int_equal(next, 31);
    assert_int_equal(counts(f, "hook").queued, 0);
    assert_string_equal(counts(f, "hook").error, "");
}

static bool count_dead(const struct lamp_dead_view *v, void *arg)
{
    unsigned *n = arg;
    assert_string_equal(v->error, "HTTP status 400");
    assert_int_equal(v->tries, 1);
    assert_int_equal(v->alerts, 1);
    ++*n;
    return true;
}

static void test_dead(void **state)
{
    struct fixture *f = *state;
    struct lamp_pace quick = webhook;
    uint64_t due_us, n;
    unsigned listed = 0;
    quick.rate = UINT32_MAX;
    good(f, lamp_notices_cursor(f->q, "hook", 0, &(int64_t){ 0 }));
    quick.batch = 1;
    put(f, "hook", 1, LAMP_DEAD_MAX + 3);
    for (int64_t id = 1; id <= LAMP_DEAD_MAX + 3; id++) {
        assert_true(take(f, "hook", &quick, &due_us));
        good(f, lamp_notices_failed(f->q, "hook", &f->m, "HTTP status 400", f->now_us, 0));
    }
    assert_false(take(f, "hook", &quick, &due_us));
    good(f, lamp_notices_dead(f->q, "hook", 5000, count_dead, &listed));
    assert_int_equal(listed, LAMP_DEAD_MAX);
    assert_int_equal(counts(f, "hook").dead, LAMP_DEAD_MAX);
    assert_int_equal(counts(f, "hook").dead_dropped, 3);
    assert_int_equal(counts(f, "hook").queued, 0);
    good(f, lamp_notices_retry(f->q, "hook", f->now_us, &n));
    assert_int_equal(n, LAMP_DEAD_MAX);
    for (int64_t id = 4; id <= LAMP_DEAD_MAX + 3; id++) {
        assert_true(take(f, "hook", &quick, &due_us));
        assert_int_equal(f->m.v[0].v.id, id);
        good(f, lamp_notices_sent(f->q, "hook", &f->m, f->now_us));
    }
    assert_int_equal(counts(f, "hook").dead, 0);
    assert_int_equal(counts(f, "hook").queued, 0);
}

/* What finds no room is told of as a number. */
static void test_full(void **state)
{
    struct fixture *f = *state;
    uint64_t due_us;
    good(f, lamp_notices_cursor(f->q, "siem", 0, &(int64_t){ 0 }));
    put(f, "siem", 1, LAMP_NOTICES_MAX + 7);
    assert_int_equal(counts(f, "siem").queued, LAMP_NOTICES_MAX + 7);
    assert_true(take(f, "siem", &lines, &due_us));
    assert_int_equal(f->m.n, 0);
    assert_int_equal(f->m.more, 7);
    good(f, lamp_notices_sent(f->q, "siem", &f->m, f->now_us));
    assert_true(take(f, "siem", &lines, &due_us));
    assert_int_equal(f->m.n, 1);
    assert_int_equal(f->m.v[0].v.id, 8);
    assert_int_equal(f->m.more, 0);
}

/* A clock that was set back stops nothing. */
static void test_clock_back(void **state)
{
    struct fixture *f = *state;
    uint64_t due_us;
    good(f, lamp_notices_cursor(f->q, "mail", 0, &(int64_t){ 0 }));
    put(f, "mail", 1, 1);
    f->now_us += 2 * SECOND;
    assert_true(take(f, "mail", &mail, &due_us));
    good(f, lamp_notices_sent(f->q, "mail", &f->m, f->now_us));
    put(f, "mail", 2, 2);
    f->now_us -= 86400 * SECOND;
    assert_true(take(f, "mail", &mail, &due_us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cursor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_storm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_summary, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
