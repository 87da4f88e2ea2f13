/* SPDX-License-Identifier: Apache-2.0 */
/* Rigs whose mining is wanted, simulated through the tracker on a clock of the test's own: what goes wrong
 * raises one alert within two minutes, and a day of chance none. */
#include "tests/support/aggregator.h"
#include "tests/support/alerts_found.h"

#include "aggregator/policy/guard.h"
#include "aggregator/writer/tracker.h"
#include "tests/support/rng.h"

#include <math.h>

#define S UINT64_C(1000000)

enum { EVERY_S = 10 };

struct fixture {
    char *folder;
    lamp_store *s;
    lamp_alarms *a;
    lamp_rigs *r;
    lamp_rules *rules;
    lamp_guard *g;
    struct lamp_store_sensor sensor;
    uint64_t seq, now_us;
    struct lamp_rng rng;
    /* How the rig mines. */
    double shares_per_s, share_work, rejected;
    const char *wallet, *worker, *server;
    uint16_t port;
    bool off;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    f->now_us = TEST_NOW_US;
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_sensor(f->s, "s1", &f->sensor));
    ok(f->s, lamp_alarms_new(&(struct lamp_alarms_cfg){ .store = f->s }, &f->a));
    ok(f->s, lamp_rigs_new(&(struct lamp_rigs_cfg){ f->s, f->a, 0.1, 90 * S, 0.5, NULL }, &f->r));
    ok(f->s, lamp_rules_new(&(struct lamp_rules_cfg){ .store = f->s }, &f->rules));
    ok(f->s, lamp_guard_new(&(struct lamp_guard_cfg){ f->s, f->a, f->r, f->rules }, &f->g));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_guard_free(f->g);
    lamp_rigs_free(f->r);
    lamp_rules_free(f->rules);
    lamp_alarms_free(f->a);
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static bool not_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

static int on_mined(const struct lamp_track_conn *c, const struct lamp_conn_row *delta, void *arg)
{
    struct fixture *f = arg;
    return lamp_guard_mined(
        f->g, &(struct lamp_guard_news){ "north", "s1", c, delta, f->now_us, f->now_us });
}

/* Shares found within one interval (Knuth's way of drawing from a Poisson distribution). */
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

/* One interval: the rig's connection, if it is on, in a batch of its sensor. */
static void interval(struct fixture *f)
{
    const uint64_t from_us = f->now_us;
    f->now_us += EVERY_S * S;
    const uint32_t n = draw(f, f->shares_per_s * EVERY_S);
    struct lamp_conn_row row = test_row(f->port, from_us, f->now_us);
    row.server_addr = test_addr(f->server);
    row.server_port = f->port;
    row.wallet = lamp_bytes_of(f->wallet);
    row.worker = lamp_bytes_of(f->worker);
    row.submitted = n;
    row.jobs = f->now_us / (EVERY_S * S) % 3 == 0; /* a job each 30 s */
    row.packets_up = row.packets_down = n + row.jobs;
    row.rejected = 0;
    for (uint32_t i = 0; i < n; i++)
        row.rejected += lamp_rng_unit(&f->rng) < f->rejected;
    row.accepted = n - row.rejected;
    row.work_shares = n;
    row.difficulty = f->share_work;
    row.work_hashes = f->share_work * n;
    const struct lamp_tracker t = { f->s, not_covered, ignore_id, f, on_mined, NULL };
    const struct lamp_record rec = { &f->sensor, 1, ++f->seq, f->now_us };
    const struct lamp_batch b = test_batch(&row, f->off ? 0 : 1, from_us, f->now_us);
    ok(f->s, lamp_tracker_merge(&t, &rec, &b));
    ok(f->s, lamp_rigs_interval(f->r, "s1", from_us, f->now_us));
}

static void intervals(struct fixture *f, uint64_t seconds)
{
    for (uint64_t s = 0; s < seconds; s += EVERY_S)
        interval(f);
}

static void own(struct fixture *f, enum lamp_own_kind kind, const char *site, const char *value)
{
    struct lamp_own o = { .kind = kind };
    snprintf(o.site, sizeof(o.site), "%s", site);
    snprintf(o.value, sizeof(o.value), "%s", value);
    ok(f->s, lamp_store_own_add(f->s, &o));
    ok(f->s, lamp_rigs_reload(f->r));
}

/* A rig that mines as it should: a share each three seconds, one in a hundred rejected. */
static void good_rig(struct fixture *f)
{
    f->shares_per_s = 1.0 / 3;
    f->share_work = 1e9;
    f->rejected = 0.01;
    f->wallet = "4mine";
    f->worker = "rig7";
    f->server = "203.0.113.9";
    f->port = 3333;
    f->off = false;
}

static void start_rig(struct fixture *f)
{
    struct lamp_track_miner m;
    const struct lamp_conn_row row = test_row(1, 0, 0);
    good_rig(f);
    own(f, LAMP_OWN_WALLET, "", "4mine");
    own(f, LAMP_OWN_WALLET, "south", "4theirs");
    own(f, LAMP_OWN_POOL, "north", "203.0.113.9:3333");
    own(f, LAMP_OWN_WORKER, "", "rig*");
    interval(f);
    ok(f->s, lamp_store_miner_find(f->s, f->sensor.site_ref, &row.client_addr, row.vlan, &m));
    ok(f->s, lamp_store_miner_mark(f->s, m.id, LAMP_MARK_SANCTIONED, "ann", "", f->now_us));
    interval(f);
}

static void swap_wallet(struct fixture *f)
{
    f->wallet = "4theirs"; /* which is the owner's elsewhere */
}

static void change_pool(struct fixture *f)
{
    f->server = "198.51.100.66";
    f->port = 4444;
}

static void rename_worker(struct fixture *f)
{
    f->worker = "stranger";
}

static void reject(struct fixture *f)
{
    f->rejected = 0.95;
}

static void stop(struct fixture *f)
{
    f->off = true;
}

static void freeze(struct fixture *f)
{
    f->shares_per_s = 0; /* it stays connected */
}

static void slow_down(struct fixture *f)
{
    f->shares_per_s /= 20;
}

/* After 20 minutes as it should be, one cause; one alert of its kind, no later than within_s, and no
 * other within 20 minutes. When all is well again the alert ends. */
static void test_causes(void **state)
{
    static const struct {
        const char *label;
        void (*cause)(struct fixture *f);
        enum lamp_alert_kind want;
        uint64_t within_s;
        const char *text;
    } cases[] = {
        { "wallet swapped", swap_wallet, LAMP_ALERT_FOREIGN_WALLET, 120, "wallet 4theirs" },
        { "pool changed", change_pool, LAMP_ALERT_FOREIGN_POOL, 120, "198.51.100.66 port 4444" },
        { "worker unknown", rename_worker, LAMP_ALERT_UNKNOWN_WORKER, 120, "worker stranger" },
        { "shares rejected", reject, LAMP_ALERT_SHARES_REJECTED, 120, "rejected" },
        { "rate dropped", slow_down, LAMP_ALERT_RATE_DROPPED, 120, "of the hash rate" },
        { "rig silent", stop, LAMP_ALERT_BASELINE_SILENT, 120, "nothing of its mining" },
        { "rig without shares", freeze, LAMP_ALERT_NO_SHARES, 120, "no share accepted" },
    };
    struct fixture *f = *state;
    start_rig(f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        good_rig(f);
        intervals(f, 45 * 60); /* well again, and something to compare with */
        const int64_t before = newest_alert(f->s);
        if (alerts_found(f->s, 0).open)
            fail_msg("%s: before, %s", cases[i].label, alerts_found(f->s, 0).text);
        cases[i].cause(f);
        const uint64_t since_us = f->now_us;
        while (alerts_found(f->s, before).n == 0) {
            if (f->now_us > since_us + cases[i].within_s * S)
                fail_msg("%s: no alert within %u s", cases[i].label, (unsigned)cases[i].within_s);
            interval(f);
        }
        intervals(f, 20 * 60);
        const struct found x = alerts_found(f->s, before);
        if (x.n != 1 || x.open != 1 || x.kind != cases[i].want || !strstr(x.text, cases[i].text))
            fail_msg("%s: %zu alerts, %zu last, the newest %s: %s", cases[i].label, x.n, x.open,
                     lamp_alert_name(x.kind), x.text);
    }
}

/* Of a host that is no rig any more nothing of one is told: what was is over, and no more comes. */
static void test_no_rig_any_more(void **state)
{
    struct fixture *f = *state;
    struct lamp_track_miner m;
    const struct lamp_conn_row row = test_row(1, 0, 0);
    start_rig(f);
    intervals(f, 45 * 60);
    swap_wallet(f);
    intervals(f, 60);
    assert_int_equal(alerts_found(f->s, 0).open, 1);
    ok(f->s, lamp_store_miner_find(f->s, f->sensor.site_ref, &row.client_addr, row.vlan, &m));
    ok(f->s, lamp_store_miner_mark(f->s, m.id, LAMP_MARK_DISMISSED, "ann", "", f->now_us));
    ok(f->s, lamp_guard_marked(f->g, m.id, LAMP_MARK_DISMISSED, "ann", "", f->now_us));
    const struct found x = alerts_found(f->s, 0);
    assert_int_equal(x.open, 0);
    assert_non_null(strstr(x.text, "It ended since ann dismissed the miner."));
    intervals(f, 60);
    stop(f);
    intervals(f, 20 * 60);
    assert_int_equal(alerts_found(f->s, 0).n, x.n);
}

/* A day of rigs as they are: fast, slow, with a difficulty that the pool changes, with a sensor that is
 * away for a while, switched to another connection. */
static void test_a_day_of_chance(void **state)
{
    struct fixture *f = *state;
    start_rig(f);
    for (unsigned hour = 0; hour < 24; hour++) {
        good_rig(f);
        f->shares_per_s = hour < 8 ? 1.0 / 3 : hour < 16 ? 1.0 / 40 : 1.0 / 500;
        f->share_work = 1e9 / f->shares_per_s;
        if (hour % 8 == 3) { /* another difficulty, the same hash rate */
            f->shares_per_s /= 4;
            f->share_work *= 4;
        }
        intervals(f, 1800);
        if (hour % 5 == 2)
            f->now_us += 900 * S; /* nobody watches */
        intervals(f, 1800);
        const struct found x = alerts_found(f->s, 0);
        if (x.n > 1 || (x.n == 1 && x.kind != LAMP_ALERT_MINER_CONFIRMED))
            fail_msg("hour %u: %s", hour, x.text);
    }
}

static void test_own_lists(void **state)
{
    struct fixture *f = *state;
    struct lamp_own o = { .kind = LAMP_OWN_POOL, .value = "pool.example" };
    ok(f->s, lamp_store_own_add(f->s, &o));
    assert_int_equal(lamp_store_own_add(f->s, &o), LAMP_EEXIST);
    ok(f->s, lamp_store_own_remove(f->s, o.id));
    assert_int_equal(lamp_store_own_remove(f->s, o.id), LAMP_ENOENT);
    for (unsigned i = 0; i < LAMP_OWN_MAX; i++) {
        snprintf(o.value, sizeof(o.value), "p%u", i);
        ok(f->s, lamp_store_own_add(f->s, &o));
    }
    snprintf(o.value, sizeof(o.value), "one more");
    assert_int_equal(lamp_store_own_add(f->s, &o), LAMP_EFULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_causes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_rig_any_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_day_of_chance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_lists, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
