/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue's thread from the store through resolver and prober back to the store, against a server on
 * loopback, which an address check of the test's own allows. */
#include "aggregator/catalogue/rounds.h"
#include "aggregator/catalogue/target.h"
#include "aggregator/writer/poolbook.h"
#include "tests/support/aggregator.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

static struct {
    char *folder;
    char database[300];
    lamp_store *store; /* the writer's, which the test plays */
    lamp_findings *findings;
    lamp_probes *probes;
    int fd;
    uint16_t port;
    pthread_t server;
    atomic_uint connections;
    atomic_bool stop;
} t;

/* A pool that says its difficulty to whoever comes. */
static void *serve(void *arg)
{
    static const char words[] =
        "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[8]}\n";
    struct pollfd p = { t.fd, POLLIN, 0 };
    (void)arg;
    while (!atomic_load(&t.stop)) {
        const int fd = poll(&p, 1, 20) > 0 ? accept(t.fd, NULL, NULL) : -1;
        if (fd < 0)
            continue;
        atomic_fetch_add(&t.connections, 1);
        (void)send(fd, words, strlen(words), MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void add(const char *pool, const char *fqdn, uint16_t port)
{
    struct lamp_pool_edit e = { .action = LAMP_POOL_ADD, .port = port };
    char why[160];
    int64_t id;
    bool changed;
    snprintf(e.pool, sizeof(e.pool), "%s", pool);
    snprintf(e.fqdn, sizeof(e.fqdn), "%s", fqdn);
    ok(t.store,
       lamp_store_pool_edit(t.store, &e, "ann", TEST_NOW_US, why, sizeof(why), &id, &changed));
}

static int set_up(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    (void)state;
    memset(&t, 0, sizeof(t));
    t.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t.fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(t.fd, 8), 0);
    assert_int_equal(getsockname(t.fd, (struct sockaddr *)&a, &len), 0);
    t.port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&t.server, NULL, serve, NULL), 0);
    t.folder = new_folder();
    t.store = open_store("sqlite", t.folder, false);
    snprintf(t.database, sizeof(t.database), "%s/db", t.folder);
    assert_int_equal(lamp_findings_new(&t.findings), LAMP_OK);
    assert_int_equal(lamp_probes_new(&t.probes), LAMP_OK);
    ok(t.store, lamp_store_begin(t.store));
    add("Here", "127.0.0.1", t.port);
    add("Private", "10.0.0.1", 3333);
    add("Never", "never.example", 3333);
    add("Lost", "lost.example", 3333);
    ok(t.store, lamp_store_commit(t.store));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    atomic_store(&t.stop, true);
    pthread_join(t.server, NULL);
    close(t.fd);
    lamp_findings_free(t.findings);
    lamp_probes_free(t.probes);
    lamp_store_close(t.store);
    remove_folder(t.folder);
    free(t.folder);
    return 0;
}

static const char *only_loopback(const struct lamp_addr *a)
{
    const struct lamp_addr loopback = test_addr("127.0.0.1");
    return lamp_addr_eq(a, &loopback) ? NULL : lamp_probe_refusal(a);
}

static lamp_rounds *start(bool probe, bool offline)
{
    static const char *const never[] = { "never.example" };
    const struct lamp_rounds_cfg cfg = { .backend = "sqlite",
                                         .database = t.database,
                                         .servers = "127.0.0.1:9", /* nobody there */
                                         .resolve = true,
                                         .probe = probe,
                                         .offline = offline,
                                         .rate = 100,
                                         .never_names = never,
                                         .n_never_names = 1,
                                         .findings = t.findings,
                                         .probes = t.probes,
                                         .refusal = only_loopback };
    char why[LAMP_STORE_WHY];
    lamp_rounds *r = NULL;
    if (lamp_rounds_start(&cfg, &r, why))
        fail_msg("%s", why);
    return r;
}

/* Plays the writer; says how many findings there were. */
static unsigned write_findings(unsigned *lost)
{
    struct lamp_finding f;
    bool changed = false;
    unsigned n = 0;
    while (lamp_findings_take(t.findings, &f) == LAMP_OK) {
        ok(t.store, lamp_store_begin(t.store));
        ok(t.store, lamp_poolbook_finding(t.store, &f, &changed));
        ok(t.store, lamp_store_commit(t.store));
        assert_false(f.kind == LAMP_FINDING_RESOLVED && f.resolved.server_id == 3);
        *lost += f.kind == LAMP_FINDING_RESOLVED && f.resolved.server_id == 4 && *f.resolved.error;
        n++;
    }
    return n;
}

static bool is_up(void)
{
    char reason[LAMP_POOL_REASON];
    struct lamp_pool_endpoint e;
    struct lamp_pool_change then = { .reason = reason };
    const struct lamp_addr a = test_addr("127.0.0.1");
    return lamp_store_pool_endpoint(t.store, &a, t.port, UINT64_MAX / 4, &e, &then) == LAMP_OK &&
           e.state == LAMP_POOL_UP && e.difficulty > 7;
}

static bool done(int64_t id, struct lamp_probe_order *o)
{
    return lamp_probes_get(t.probes, id, o) == LAMP_OK && o->done;
}

static void test_round(void **state)
{
    (void)state;
    unsigned lost = 0;
    lamp_rounds *r = start(true, false);
    WAIT_FOR(write_findings(&lost) + 1 && is_up() && lost > 0);
    struct lamp_probe_order o = { .port = t.port };
    int64_t id;
    /* what was probed of late is not asked again */
    snprintf(o.host, sizeof(o.host), "127.0.0.1");
    assert_int_equal(lamp_probes_order(t.probes, &o, &id), LAMP_OK);
    WAIT_FOR(done(id, &o));
    assert_string_equal(o.error, "");
    assert_int_equal(o.n, 1);
    assert_int_equal(o.results[0].state, LAMP_POOL_UP);
    assert_int_equal(atomic_load(&t.connections), 1);
    static const struct {
        const char *host, *error;
    } refused[] = { { "10.0.0.1", "private" },
                    { "169.254.169.254", "link-local" },
                    { "::ffff:192.168.0.1", "private" },
                    { "a.never.example", "never probed" } };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        o = (struct lamp_probe_order){ .port = 80 };
        snprintf(o.host, sizeof(o.host), "%s", refused[i].host);
        assert_int_equal(lamp_probes_order(t.probes, &o, &id), LAMP_OK);
        WAIT_FOR(done(id, &o));
        if (!strstr(o.error, refused[i].error))
            fail_msg("%s: %s", refused[i].host, o.error);
    }
    lamp_rounds_stop(r);
}

/* A server that is in no catalogue is asked because a sensor suspects who talks to it; once. */
static void test_suspect(void **state)
{
    (void)state;
    unsigned lost = 0;
    char why[160];
    int64_t id;
    bool changed;
    struct lamp_store_sensor sensor;
    const struct lamp_pool_edit gone = { .action = LAMP_POOL_DELETE, .id = 1 };
    struct lamp_track_conn c = { .miner_id = 1 };
    ok(t.store, lamp_store_begin(t.store));
    ok(t.store,
       lamp_store_pool_edit(t.store, &gone, "ann", TEST_NOW_US, why, sizeof(why), &id, &changed));
    ok(t.store, lamp_store_enroll(t.store, "s1", "north", TEST_NOW_US));
    ok(t.store, lamp_store_sensor(t.store, "s1", &sensor));
    c.sensor_ref = sensor.ref;
    c.site_ref = sensor.site_ref;
    c.row = test_row(1, lamp_clock_real_us(), lamp_clock_real_us());
    c.row.server_addr = test_addr("127.0.0.1");
    c.row.server_port = t.port;
    c.row.verdict = LAMP_VERDICT_SUSPECTED;
    ok(t.store, lamp_store_conn_save(t.store, &c, false));
    ok(t.store, lamp_store_commit(t.store));
    lamp_rounds *r = start(true, false);
    WAIT_FOR(write_findings(&lost) + 1 && is_up() && lamp_probes_status(t.probes).suspects == 1);
    lamp_rounds_stop(r);
    assert_int_equal(atomic_load(&t.connections), 1);
    r = start(true, false); /* it does not forget */
    WAIT_FOR(lamp_probes_status(t.probes).names_asked > 1);
    lamp_rounds_stop(r);
    assert_int_equal(atomic_load(&t.connections), 1);
}

/* Off until it is turned on, and then within seconds. */
static void test_switch(void **state)
{
    (void)state;
    unsigned lost = 0;
    struct lamp_probe_order o = { .port = t.port, .host = "127.0.0.1" };
    int64_t id;
    lamp_rounds *r = start(false, false);
    WAIT_FOR(lamp_probes_status(t.probes).resolving);
    assert_int_equal(lamp_probes_order(t.probes, &o, &id), LAMP_OK);
    WAIT_FOR(done(id, &o));
    assert_non_null(strstr(o.error, "probing is off"));
    assert_int_equal(atomic_load(&t.connections), 0);
    ok(t.store, lamp_store_begin(t.store));
    ok(t.store, lamp_store_pool_switch(t.store, LAMP_POOL_PROBE, true));
    ok(t.store, lamp_store_commit(t.store));
    WAIT_FOR(write_findings(&lost) + 1 && is_up());
    lamp_rounds_stop(r);
}

/* With made-up traffic nothing leaves the machine, whatever is switched on. */
static void test_offline(void **state)
{
    (void)state;
    struct lamp_probe_order o = { .port = t.port, .host = "127.0.0.1" };
    int64_t id;
    lamp_rounds *r = start(true, true);
    assert_int_equal(lamp_probes_order(t.probes, &o, &id), LAMP_OK);
    WAIT_FOR(done(id, &o));
    assert_non_null(strstr(o.error, "made up"));
    const struct lamp_probes_status s = lamp_probes_status(t.probes);
    assert_true(s.offline && !s.resolving && !s.probing);
    assert_int_equal(s.names_asked + s.connections, 0);
    lamp_rounds_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_suspect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_switch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_offline, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
