/* SPDX-License-Identifier: Apache-2.0 */
/* Baselines of rigs that are simulated on a clock of the test's own: learned from half an hour of history;
 * what goes wrong raises one alert within two minutes, days of chance none; what is accepted makes versions. */
#include "aggregator/policy/guard.h"
#include "aggregator/store/spread.h"
#include "aggregator/writer/baselinebook.h"
#include "aggregator/writer/tracker.h"
#include "tests/support/aggregator.h"
#include "tests/support/alerts_found.h"
#include "tests/support/rng.h"

#include <math.h>

#define S UINT64_C(1000000)
#define MINUTE (60 * S)

enum { EVERY_S = 10, RIGS = 16, LEARN_S = 1800 };

struct rig {
    char host[LAMP_ADDR_STRLEN];
    double shares_per_s;
};

struct fixture {
    char *folder;
    lamp_store *s;
    lamp_alarms *a;
    lamp_habits *h;
    lamp_rigs *r;
    lamp_rules *rules;
    lamp_guard *g;
    struct lamp_baselinebook book;
    struct lamp_store_sensor sensor;
    uint64_t seq, now_us;
    struct lamp_rng rng;
    struct rig rigs[RIGS];
    size_t n;
    /* What is different with the first of them. */
    const char *wallet;
    bool off, visits, no_monitor;
    double times;
    bool direct; /* past the store: only what judges */
};

static uint32_t asn_of(const struct lamp_addr *a, void *arg)
{
    (void)arg;
    return a->b[12] == 203 ? 64500 : 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    f->now_us = TEST_NOW_US / MINUTE * MINUTE;
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", f->now_us));
    ok(f->s, lamp_store_sensor(f->s, "s1", &f->sensor));
    ok(f->s, lamp_alarms_new(&(struct lamp_alarms_cfg){ .store = f->s }, &f->a));
    ok(f->s, lamp_habits_new(&(struct lamp_habits_cfg){ f->s, f->a, asn_of, NULL }, &f->h));
    ok(f->s, lamp_rigs_new(&(struct lamp_rigs_cfg){ f->s, f->a, 0.1, 300 * S, 0.5, f->h }, &f->r));
    ok(f->s, lamp_rules_new(&(struct lamp_rules_cfg){ .store = f->s }, &f->rules));
    ok(f->s, lamp_guard_new(&(struct lamp_guard_cfg){ f->s, f->a, f->r, f->rules }, &f->g));
    f->book = (struct lamp_baselinebook){ f->s, f->h, asn_of, NULL, 0 };
    f->rng = (struct lamp_rng){ 7 };
    f->n = 1;
    f->rigs[0] = (struct rig){ "10.0.0.7", 1 };
    f->wallet = "4mine";
    f->times = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_guard_free(f->g);
    lamp_rules_free(f->rules);
    lamp_rigs_free(f->r);
    lamp_habits_free(f->h);
    lamp_alarms_free(f->a);
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

/* ---- rigs ---- */

static bool not_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

static int judge(struct fixture *f, const struct lamp_track_conn *c, const struct lamp_conn_row *d)
{
    return lamp_habits_mined(f->h, &(struct lamp_habits_news){
                                       "north", "s1", c, d, f->now_us - EVERY_S * S, f->now_us });
}

static int on_mined(const struct lamp_track_conn *c, const struct lamp_conn_row *delta, void *arg)
{
    struct fixture *f = arg;
    const int err = judge(f, c, delta);
    return err ? err
               : lamp_guard_mined(f->g, &(struct lamp_guard_news){ "north", "s1", c, delta,
                                                                   f->now_us, f->now_us });
}

/* Knuth's way of drawing from a Poisson distribution. */
static uint32_t draw(struct fixture *f, double mean)
{
    const double limit = exp(-mean);
    double p = 1;
    uint32_t n = 0;
    for (;;) {
        p *= 1 - lamp_rng_unit(&f->rng);
        if (p <= limit)
            return n;
        n++;
    }
}

/* An interval of a rig: shares of some 500 bytes, and a job of 1,400 every half a minute. */
static struct lamp_conn_row mine(struct fixture *f, size_t i)
{
    const struct rig *g = &f->rigs[i];
    const uint64_t from_us = f->now_us - EVERY_S * S;
    const uint32_t n = draw(f, g->shares_per_s * EVERY_S);
    const bool job = from_us / S % 30 == 0;
    const double times = i == 0 ? f->times : 1;
    struct lamp_conn_row row = test_row(100 + i, from_us, f->now_us);
    row.client_addr = test_addr(g->host);
    row.wallet = lamp_bytes_of(i == 0 ? f->wallet : "4mine");
    row.submitted = row.accepted = row.work_shares = n;
    row.work_hashes = 1e9 * n;
    row.difficulty = 1e9;
    row.bytes_up = (uint64_t)(times * (280 * n + 66 * job));
    row.bytes_down = (uint64_t)(times * (220 * n + 1334 * job));
    row.packets_up = 2 * (uint64_t)n + job;
    row.packets_down = (uint64_t)n + job;
    row.server_name = lamp_bytes_of("pool.example");
    return row;
}

static struct lamp_rollup_row other(const struct fixture *f, size_t i, const char *remote,
                                    uint16_t port, const char *application, const char *name)
{
    return (struct lamp_rollup_row){ .minute = f->now_us / MINUTE - 1,
                                     .inside_addr = test_addr(f->rigs[i].host),
                                     .remote_addr = test_addr(remote),
                                     .ip_proto = port == 53 ? 17 : 6,
                                     .service_port = port,
                                     .application = lamp_bytes_of(application),
                                     .remote_name = lamp_bytes_of(name),
                                     .bytes_out = port == 443 ? 2000 : 150,
                                     .bytes_in = port == 443 ? 3000 : 250,
                                     .packets_out = 4,
                                     .packets_in = 4,
                                     .flows = 2 };
}

/* Names looked up each minute, a report to the monitor every five, and, if so, a visit elsewhere. */
static size_t others(const struct fixture *f, struct lamp_rollup_row *rows)
{
    size_t n = 0;
    if (f->now_us % MINUTE)
        return 0;
    for (size_t i = 0; i < f->n; i++) {
        if (i == 0 && f->off)
            continue;
        rows[n++] = other(f, i, "10.0.0.1", 53, "dns", "");
        if (f->now_us / MINUTE % 5 == 0 && !(i == 0 && f->no_monitor))
            rows[n++] = other(f, i, "198.51.100.50", 443, "tls", "monitor.example");
        if (i == 0 && f->visits)
            rows[n++] = other(f, i, "203.0.113.99", 22, "ssh", "");
    }
    return n;
}

static void feed_directly(struct fixture *f, struct lamp_conn_row *rows, size_t n)
{
    static struct lamp_track_conn c;
    for (size_t i = 0; i < n; i++) {
        c.row = rows[i];
        snprintf(c.text[LAMP_TEXT_SERVER_NAME], LAMP_TRACK_TEXT, "pool.example");
        snprintf(c.text[LAMP_TEXT_FAMILY], LAMP_TRACK_TEXT, "cryptonote");
        ok(f->s, judge(f, &c, &rows[i]));
    }
}

static void interval(struct fixture *f)
{
    struct lamp_conn_row conns[RIGS];
    struct lamp_rollup_row rollups[3 * RIGS];
    size_t n = 0;
    f->now_us += EVERY_S * S;
    for (size_t i = 0; i < f->n; i++)
        if (i > 0 || !f->off)
            conns[n++] = mine(f, i);
    struct lamp_batch b = test_batch(conns, n, f->now_us - EVERY_S * S, f->now_us);
    b.rollups = rollups;
    b.n_rollups = others(f, rollups);
    if (f->direct) {
        feed_directly(f, conns, n);
    } else {
        const struct lamp_tracker t = { f->s, not_covered, ignore_id, f, on_mined, NULL };
        const struct lamp_record rec = { &f->sensor, 1, ++f->seq, f->now_us };
        ok(f->s, lamp_tracker_merge(&t, &rec, &b));
    }
    ok(f->s, lamp_habits_batch(f->h, "north", "s1", &b));
    if (!f->direct)
        ok(f->s, lamp_rigs_interval(f->r, "s1", b.t_from_us, b.t_to_us));
}

static void intervals(struct fixture *f, uint64_t seconds)
{
    for (uint64_t s = 0; s < seconds; s += EVERY_S)
        interval(f);
}

/* ---- commands ---- */

static int run(struct fixture *f, struct lamp_baseline_command c, struct lamp_command_result *r)
{
    struct lamp_command cmd = { .kind = LAMP_CMD_BASELINE, .actor = "ann", .baseline = c };
    *r = (struct lamp_command_result){ 0 };
    return lamp_baselinebook_command(&f->book, &cmd, f->now_us, r);
}

static struct lamp_baseline of(const char *host, uint64_t from_us, uint64_t to_us)
{
    return (struct lamp_baseline){
        .site = "north", .host = test_addr(host), .learn_from_us = from_us, .learn_to_us = to_us
    };
}

static int64_t baseline(struct fixture *f, size_t i)
{
    struct lamp_command_result r;
    struct lamp_baseline_command c = {
        .change = LAMP_BASELINE_LEARN, .at = of(f->rigs[i].host, f->now_us - LEARN_S * S, f->now_us)
    };
    ok(f->s, run(f, c, &r));
    c = (struct lamp_baseline_command){ .change = LAMP_BASELINE_ACCEPT, .at.id = r.key_id };
    ok(f->s, run(f, c, &r));
    return r.key_id;
}

static void want_all(struct fixture *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct lamp_track_miner m;
        const struct lamp_addr host = test_addr(f->rigs[i].host);
        ok(f->s, lamp_store_miner_find(f->s, f->sensor.site_ref, &host, 0, &m));
        ok(f->s, lamp_store_miner_mark(f->s, m.id, LAMP_MARK_SANCTIONED, "ann", "", f->now_us));
    }
}

/* Half an hour of all rigs, sanctioned; and a baseline of each. The number of the first one's. */
static int64_t start(struct fixture *f)
{
    interval(f);
    want_all(f);
    intervals(f, LEARN_S + 60);
    int64_t first = 0;
    for (size_t i = 0; i < f->n; i++) {
        const int64_t id = baseline(f, i);
        first = i == 0 ? id : first;
    }
    return first;
}

static struct lamp_baseline_body *body_of(struct fixture *f, int64_t id, uint32_t version)
{
    struct lamp_baseline_body *b = malloc(sizeof(*b));
    assert_non_null(b);
    ok(f->s, lamp_store_baseline_body(f->s, id, version, b));
    return b;
}

static bool take_baseline(const struct lamp_baseline *b, void *arg)
{
    memcpy(arg, b, sizeof(*b));
    return false;
}

static struct lamp_baseline state_of(struct fixture *f, int64_t id)
{
    struct lamp_baseline b = { .id = 0 };
    ok(f->s,
       lamp_store_baselines(f->s, &(struct lamp_baseline_filter){ .id = id }, take_baseline, &b));
    return b;
}

/* ---- tests ---- */

static void test_learned(void **state)
{
    struct fixture *f = *state;
    const int64_t id = start(f);
    struct lamp_baseline_body *b = body_of(f, id, 1);
    assert_true(b->minutes >= LEARN_S / 60 - 1);
    assert_int_equal(b->n_entries, 3);
    assert_string_equal(b->entries[0].at.name, "pool.example");
    assert_true(b->entries[0].at.mining);
    assert_int_equal(b->entries[0].by, LAMP_BASELINE_BY_NAME);
    assert_int_equal(b->entries[0].at.asn, 64500);
    assert_string_equal(b->entries[0].at.application, "cryptonote");
    assert_string_equal(b->entries[1].at.name, "monitor.example");
    assert_string_equal(b->entries[1].at.application, "tls");
    assert_true(b->entries[1].period_min > 4.9 && b->entries[1].period_min < 5.1);
    assert_true(b->entries[1].jitter_min < 0.1);
    assert_int_equal(b->entries[2].by, LAMP_BASELINE_BY_ADDRESS);
    assert_int_equal(b->entries[2].at.port, 53);
    assert_int_equal(b->n_wallets, 1);
    assert_string_equal(b->wallets[0], "4mine");
    /* 60 shares of 500 bytes and two jobs of 1,400 a minute; of Poisson's shares sd is 500 sqrt(60). */
    assert_true(fabs(b->mining.mean - 32800) < 3 * 3873 / sqrt(30));
    assert_true(b->mining.sd > 2300 && b->mining.sd < 5700);
    assert_true(fabs(b->other.mean - (400 + 1000)) < 200);
    free(b);
}

static void swap_wallet(struct fixture *f)
{
    f->wallet = "4theirs";
}

static void stop(struct fixture *f)
{
    f->off = true;
}

static void visit(struct fixture *f)
{
    f->visits = true;
}

static void double_volume(struct fixture *f)
{
    f->times = 2;
}

static void forget_monitor(struct fixture *f)
{
    f->no_monitor = true;
}

/* One cause for five minutes (the last: twenty), from any moment of a minute on; one alert, no later than
 * within_s, that names it, and no other within an hour, of which all but what needs a person's word end. */
static void test_causes(void **state)
{
    static const struct {
        const char *label;
        void (*cause)(struct fixture *f);
        enum lamp_alert_kind want;
        uint64_t within_s, for_s;
        const char *text;
    } cases[] = {
        { "silence", stop, LAMP_ALERT_BASELINE_SILENT, 120, 300, "nothing of its mining for" },
        { "wallet swapped", swap_wallet, LAMP_ALERT_FOREIGN_WALLET, 120, 300, "wallet 4theirs" },
        { "volume doubled", double_volume, LAMP_ALERT_BASELINE_VOLUME, 120, 300, "mining traffic" },
        { "no reports", forget_monitor, LAMP_ALERT_BASELINE_RHYTHM, 900, 1200, "monitor.example" },
        { "new destination", visit, LAMP_ALERT_BASELINE_DESTINATION, 120, 300,
          "203.0.113.99 port 22" },
    };
    struct fixture *f = *state;
    const int64_t id = start(f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        intervals(f, 1200 + 10 * (lamp_rng_u64(&f->rng) % 6));
        const int64_t before = newest_alert(f->s);
        if (alerts_found(f->s, 0).open)
            fail_msg("%s: before, %s", cases[i].label, alerts_found(f->s, 0).text);
        cases[i].cause(f);
        const uint64_t since_us = f->now_us;
        while (alerts_found(f->s, before).n == 0) {
            if (f->now_us >= since_us + cases[i].within_s * S)
                fail_msg("%s: no alert within %u s", cases[i].label, (unsigned)cases[i].within_s);
            interval(f);
        }
        while (f->now_us < since_us + cases[i].for_s * S)
            interval(f);
        f->off = f->visits = f->no_monitor = false;
        f->wallet = "4mine";
        f->times = 1;
        intervals(f, 3600);
        const struct found x = alerts_found(f->s, before);
        const size_t lasts = cases[i].want == LAMP_ALERT_BASELINE_DESTINATION;
        if (x.n != 1 || x.open != lasts || x.kind != cases[i].want ||
            !strstr(x.text, cases[i].text))
            fail_msg("%s: %zu alerts, %zu last, the newest %s: %s", cases[i].label, x.n, x.open,
                     lamp_alert_name(x.kind), x.text);
    }
    assert_int_equal(state_of(f, id).version, 1);
}

/* A day of a rig through the whole of the aggregator. */
static void test_a_day(void **state)
{
    struct fixture *f = *state;
    (void)start(f);
    const int64_t before = newest_alert(f->s);
    intervals(f, 86400);
    const struct found x = alerts_found(f->s, before);
    if (x.n)
        fail_msg("%zu alerts: %s", x.n, x.text);
}

/* The rate of false alarms that the documentation states, fewer than one in a hundred days of a rig, measured on
 * sixteen rigs, from a share a second to one in a minute, over three days each (LAMP_LONG: thirty). */
static void test_false_alarms(void **state)
{
    struct fixture *f = *state;
    const unsigned days = getenv("LAMP_LONG") ? 30 : 3;
    f->n = RIGS;
    for (size_t i = 0; i < RIGS; i++) {
        snprintf(f->rigs[i].host, sizeof(f->rigs[i].host), "10.0.0.%zu", 7 + i);
        f->rigs[i].shares_per_s = pow(60, -(double)i / (RIGS - 1));
    }
    (void)start(f);
    const int64_t before = newest_alert(f->s);
    f->direct = true;
    intervals(f, days * UINT64_C(86400));
    const struct found x = alerts_found(f->s, before);
    const double rig_days = RIGS * days;
    print_message("%zu false alarms in %.0f days of rigs\n", x.n, rig_days);
    if ((double)x.n > rig_days / 100)
        fail_msg("%zu alerts, the last: %s", x.n, x.text);
}

struct news_list {
    struct lamp_baseline_news v[LAMP_BASELINE_NEWS];
    size_t n;
};

static bool add_news(const struct lamp_baseline_news *n, void *arg)
{
    struct news_list *l = arg;
    l->v[l->n++] = *n;
    return true;
}

static struct news_list *news_of(struct fixture *f, int64_t id)
{
    static struct news_list l;
    l.n = 0;
    ok(f->s, lamp_store_baseline_news(f->s, id, add_news, &l));
    return &l;
}

static bool count_version(const struct lamp_baseline_version *v, void *arg)
{
    (void)v;
    ++*(size_t *)arg;
    return true;
}

/* An unexpected destination is watched, then accepted: the alert ends with the first word, the version grows with
 * the second, and it comes again without a word. */
static void test_said(void **state)
{
    struct fixture *f = *state;
    struct lamp_command_result r;
    const int64_t id = start(f);
    f->visits = true;
    intervals(f, 180);
    assert_int_equal(alerts_found(f->s, 0).open, 1);
    assert_int_equal(news_of(f, id)->n, 1);
    const int64_t news = news_of(f, id)->v[0].id;
    assert_int_equal(news_of(f, id)->v[0].at.port, 22);
    assert_int_equal(news_of(f, id)->v[0].at.asn, 64500);
    assert_int_equal(news_of(f, id)->v[0].say, LAMP_BASELINE_NEW);

    struct lamp_baseline_command say = {
        .change = LAMP_BASELINE_SAY, .at.id = id, .news_id = news, .say = LAMP_BASELINE_WATCHED
    };
    ok(f->s, run(f, say, &r));
    assert_int_equal(alerts_found(f->s, 0).open, 0);
    intervals(f, 300);
    assert_int_equal(alerts_found(f->s, 0).open, 0);
    assert_int_equal(news_of(f, id)->v[0].say, LAMP_BASELINE_WATCHED);
    assert_true(news_of(f, id)->v[0].bytes >= 5 * 400);

    say.accept = true;
    ok(f->s, run(f, say, &r));
    assert_int_equal(state_of(f, id).version, 2);
    assert_int_equal(news_of(f, id)->n, 0);
    struct lamp_baseline_body *b = body_of(f, id, 2);
    assert_int_equal(b->n_entries, 4);
    free(b);
    intervals(f, 300);
    assert_int_equal(news_of(f, id)->n, 0);
    assert_int_equal(run(f, say, &r), LAMP_ENOENT);

    /* Version 1 again: it is unexpected again. */
    const struct lamp_baseline_command again = { .change = LAMP_BASELINE_ACCEPT,
                                                 .at.id = id,
                                                 .version = 1 };
    ok(f->s, run(f, again, &r));
    intervals(f, 120);
    assert_int_equal(news_of(f, id)->n, 1);
    for (size_t i = 0; i < LAMP_BASELINE_VERSIONS; i++)
        ok(f->s, run(f,
                     (struct lamp_baseline_command){ .change = LAMP_BASELINE_ACCEPT,
                                                     .at.id = id,
                                                     .version = state_of(f, id).version },
                     &r));
    size_t n = 0;
    ok(f->s, lamp_store_baseline_versions(f->s, id, count_version, &n));
    assert_int_equal(n, LAMP_BASELINE_VERSIONS);
    assert_int_equal(run(f, again, &r), LAMP_ENOENT); /* forgotten */

    ok(f->s,
       run(f, (struct lamp_baseline_command){ .change = LAMP_BASELINE_DELETE, .at.id = id }, &r));
    assert_int_equal(state_of(f, id).id, 0);
    assert_int_equal(alerts_found(f->s, 0).open, 0);
    assert_int_equal(run(f, say, &r), LAMP_ENOENT);
}

/* A window that is still to come is learned when it is over; what is wanted is checked, what is known too. */
static void test_windows(void **state)
{
    struct fixture *f = *state;
    struct lamp_command_result r;
    struct lamp_baseline_command c = { .change = LAMP_BASELINE_LEARN,
                                       .at = of("10.0.0.7", f->now_us, f->now_us + 900 * S) };
    intervals(f, 10);
    assert_int_equal(run(f, c, &r), LAMP_EPOLICY); /* not sanctioned */
    want_all(f);
    ok(f->s, run(f, c, &r));
    const int64_t id = r.key_id;
    while (!state_of(f, id).has_draft) {
        interval(f);
        if (f->book.due_us <= f->now_us)
            ok(f->s, lamp_baselinebook_tick(&f->book, f->now_us));
        assert_true(f->now_us < c.at.learn_to_us + 300 * S);
    }
    assert_true(f->now_us > c.at.learn_to_us);
    assert_int_equal(state_of(f, id).version, 0);
    struct lamp_baseline_body *b = body_of(f, id, 0);
    assert_true(b->minutes >= 14 && b->n_entries == 3);
    free(b);

    c.at.learn_from_us = f->now_us - 300 * S;
    c.at.learn_to_us = f->now_us;
    assert_int_equal(run(f, c, &r), LAMP_EPOLICY); /* five minutes are too few */
    c.at.by_asn = true;
    c.at.learn_from_us = f->now_us - 900 * S;
    ok(f->s, run(f, c, &r));
    assert_int_equal(r.key_id, id);
    b = body_of(f, id, 0);
    assert_int_equal(b->entries[0].by, LAMP_BASELINE_BY_ASN);

    /* A copy for another rig needs that its mining is wanted too. */
    struct lamp_baseline_command copy = { .change = LAMP_BASELINE_IMPORT,
                                          .at = of("10.0.0.8", 0, 0),
                                          .body = b };
    assert_int_equal(run(f, copy, &r), LAMP_EPOLICY);
    copy.at = of("10.0.0.7", 0, 0);
    ok(f->s, run(f, copy, &r));
    assert_true(state_of(f, id).has_draft);
    free(b);
}

/* A host that speaks to thousands costs no more than what is kept of it. */
static void test_scanner(void **state)
{
    struct fixture *f = *state;
    struct lamp_rollup_row rows[600];
    const int64_t id = start(f);
    for (unsigned k = 0; k < 3; k++) {
        f->now_us += MINUTE;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            char to[LAMP_ADDR_STRLEN];
            snprintf(to, sizeof(to), "192.0.%zu.%zu", i / 200, i % 200);
            rows[i] = other(f, 0, to, (uint16_t)(1000 + k), "", "");
        }
        struct lamp_batch b = test_batch(NULL, 0, f->now_us - MINUTE, f->now_us);
        b.rollups = rows;
        b.n_rollups = ARRAY_LEN(rows);
        ok(f->s, lamp_habits_batch(f->h, "north", "s1", &b));
    }
    assert_int_equal(news_of(f, id)->n, 3 * 32);
    assert_int_equal(lamp_habits_refused(f->h), 3 * (600 - 32));
    for (unsigned k = 3; k < 6; k++) {
        f->now_us += MINUTE;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            rows[i].service_port = (uint16_t)(1000 + k);
            rows[i].minute = f->now_us / MINUTE - 1;
        }
        struct lamp_batch b = test_batch(NULL, 0, f->now_us - MINUTE, f->now_us);
        b.rollups = rows;
        b.n_rollups = ARRAY_LEN(rows);
        ok(f->s, lamp_habits_batch(f->h, "north", "s1", &b));
    }
    assert_int_equal(news_of(f, id)->n, LAMP_BASELINE_NEWS);
    assert_int_equal(state_of(f, id).news_left_out, 6 * 32 - LAMP_BASELINE_NEWS);
}

static void test_spread(void **state)
{
    (void)state;
    struct lamp_spread_sum sum = { 0 };
    for (unsigned i = 0; i < 30; i++)
        lamp_spread_add(&sum, i % 2 ? 90 : 110);
    const struct lamp_spread s = lamp_spread_of(&sum);
    assert_true(fabs(s.mean - 100) < 1e-9 && fabs(s.sd - 10.17) < 0.01 && s.carry == 0);
    struct lamp_bounds b = lamp_spread_bounds(&s, 30, 1);
    /* Of so steady a thing the bounds are what they are at least, or wider. */
    assert_true(b.low <= 50 && b.high >= 150 && b.high < 250);
    const struct lamp_bounds longer = lamp_spread_bounds(&s, 30, 10);
    assert_true(longer.high / 10 < b.high && longer.low / 10 >= b.low);
    const struct lamp_bounds sure = lamp_spread_bounds(&s, 3000, 1);
    assert_true(sure.high <= b.high);
    /* Nothing learned, nothing said. */
    b = lamp_spread_bounds(&(struct lamp_spread){ 0 }, 30, 1);
    assert_true(b.low == 0 && isinf(b.high));
    b = lamp_spread_bounds(&s, 5, 1);
    assert_true(isinf(b.high));
    /* Poisson: e^-m a minute; a tenth of a packet a minute is silent for hours by chance. */
    assert_true(lamp_spread_quiet_s(&(struct lamp_spread){ .mean = 100, .sd = 10 }, 30, 60) == 60);
    const double slow =
        lamp_spread_quiet_s(&(struct lamp_spread){ .mean = 2, .sd = 1.4 }, 10000, 60);
    assert_true(slow > 480 && slow < 520);
    assert_true(lamp_spread_quiet_s(&(struct lamp_spread){ .mean = 0.001, .sd = 1 }, 30, 60) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread),
        cmocka_unit_test_setup_teardown(test_learned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_causes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(test_false_alarms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scanner, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
