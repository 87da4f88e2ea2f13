/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about the catalogue over real HTTP, with a real store and the writer's own commands. */
#include "aggregator/api/api.h"
#include "aggregator/writer/poolbook.h"
#include "tests/support/aggregator.h"

#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#define HOUR (UINT64_C(3600) * 1000000)

static struct {
    char *folder, token[160];
    lamp_store *store; /* the writer's */
    lamp_auth *auth;
    lamp_events *events;
    lamp_commands *commands;
    lamp_pending *pending;
    lamp_probes *probes;
    lamp_cdn *cdn;
    lamp_api *api;
    pthread_t writer;
    atomic_bool stop;
    uint64_t t0;
} t;

/* ---- one request ---- */

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    fwrite(data, size, n, arg);
    return size * n;
}

/* The answer's JSON, json_decref() it; fails where the status is another. */
static json_t *call(const char *method, const char *path, const char *body, long want)
{
    char url[1024], line[200], *text = NULL;
    size_t len = 0;
    long status = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    snprintf(line, sizeof(line), "Authorization: Bearer %s", t.token);
    struct curl_slist *list = curl_slist_append(NULL, line);
    list = curl_slist_append(list, "Content-Type: application/json");
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/api/v1%s", lamp_api_port(t.api), path);
    CURL *c = curl_easy_init();
    assert_non_null(c);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 20000L);
    if (body)
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    assert_int_equal(curl_easy_perform(c), CURLE_OK);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    curl_slist_free_all(list);
    fclose(out);
    if (status != want)
        fail_msg("%s %s %s: %ld %s", method, path, body ? body : "", status, text);
    json_t *json = len ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    free(text);
    return json;
}

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* ---- set-up ---- */

static void *play_writer(void *arg)
{
    (void)arg;
    while (!atomic_load(&t.stop)) {
        struct pollfd fd = { .fd = lamp_commands_fd(t.commands), .events = POLLIN };
        struct lamp_command cmd;
        poll(&fd, 1, 50);
        while (lamp_commands_take(t.commands, &cmd) == LAMP_OK) {
            struct lamp_command_result r = { 0 };
            ok(t.store, lamp_store_begin(t.store));
            r.err = lamp_poolbook_command(t.store, &cmd, lamp_clock_real_us(), &r);
            ok(t.store, lamp_store_commit(t.store));
            lamp_commands_answer(t.commands, &r);
        }
    }
    return NULL;
}

/* A pool of two servers, one of them at an address of a content network, with a past. */
static void fill(void)
{
    static const struct lamp_pool_edit edits[] = {
        { .action = LAMP_POOL_ADD,
          .pool = "One",
          .fqdn = "eu.one.example",
          .port = 3333,
          .coin = "XMR" },
        { .action = LAMP_POOL_ADD,
          .pool = "One",
          .fqdn = "us.one.example",
          .port = 4444,
          .coin = "BTC" },
        { .action = LAMP_POOL_ADD,
          .pool = "Two",
          .fqdn = "two.example",
          .port = 3333,
          .coin = "XMR" },
    };
    const struct lamp_pool_resolution names[] = {
        { .server_id = 1, .addrs = { test_addr("203.0.113.7") }, .n = 1 },
        { .server_id = 2, .addrs = { test_addr("104.16.0.9") }, .n = 1 },
        { .server_id = 3, .addrs = { test_addr("2001:db8::7") }, .n = 1 },
    };
    char why[160];
    int64_t id;
    bool changed;
    ok(t.store, lamp_store_begin(t.store));
    for (size_t i = 0; i < ARRAY_LEN(edits); i++)
        ok(t.store,
           lamp_store_pool_edit(t.store, &edits[i], "ann", t.t0, why, sizeof(why), &id, &changed));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        ok(t.store, lamp_store_pool_resolved(t.store, &names[i], t.t0, &changed));
    struct lamp_pool_endpoint e = { .addr = test_addr("203.0.113.7"),
                                    .port = 3333,
                                    .state = LAMP_POOL_UP,
                                    .reason = "it answers",
                                    .probed_us = t.t0 + HOUR };
    ok(t.store, lamp_store_pool_probed(t.store, &e, &changed));
    e.state = LAMP_POOL_DOWN;
    e.probed_us = t.t0 + 3 * HOUR;
    ok(t.store, lamp_store_pool_probed(t.store, &e, &changed));
    /* in no catalogue, and it spoke as a pool does */
    e.addr = test_addr("198.51.100.1");
    e.state = LAMP_POOL_UP;
    ok(t.store, lamp_store_pool_probed(t.store, &e, &changed));
    ok(t.store, lamp_store_commit(t.store));
}

static int set_up(void **state)
{
    (void)state;
    char why[LAMP_STORE_WHY] = "", password[LAMP_PASSWORD], database[300], token_file[300];
    static const uint8_t server_key[32] = { 1 };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    t.t0 = lamp_clock_real_us() - 30 * HOUR;
    t.folder = new_folder();
    t.store = open_store("sqlite", t.folder, false);
    fill();
    snprintf(database, sizeof(database), "%s/db", t.folder);
    snprintf(token_file, sizeof(token_file), "%s/token", t.folder);
    assert_int_equal(lamp_auth_open(t.store, token_file, lamp_clock_real_us(), &t.auth, password,
                                    why, sizeof(why)),
                     LAMP_OK);
    FILE *in = fopen(token_file, "r");
    assert_non_null(in);
    assert_non_null(fgets(t.token, sizeof(t.token), in));
    fclose(in);
    t.token[strcspn(t.token, "\n")] = '\0';
    assert_int_equal(lamp_events_new(&t.events), LAMP_OK);
    assert_int_equal(lamp_commands_new(&t.commands), LAMP_OK);
    assert_int_equal(lamp_pending_new(&t.pending), LAMP_OK);
    assert_int_equal(lamp_probes_new(&t.probes), LAMP_OK);
    assert_int_equal(lamp_cdn_load(LAMP_DATA, &t.cdn, why, sizeof(why)), LAMP_OK);
    const struct lamp_api_cfg cfg = { .listen = "127.0.0.1:0",
                                      .web_folder = "/nonexistent",
                                      .backend = "sqlite",
                                      .database = database,
                                      .started_us = 1,
                                      .cdn = t.cdn,
                                      .auth = t.auth,
                                      .events = t.events,
                                      .commands = t.commands,
                                      .pending = t.pending,
                                      .probes = t.probes,
                                      .server_key = server_key };
    if (lamp_api_start(&cfg, &t.api, why))
        fail_msg("%s", why);
    assert_int_equal(pthread_create(&t.writer, NULL, play_writer, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lamp_api_stop(t.api);
    atomic_store(&t.stop, true);
    pthread_join(t.writer, NULL);
    lamp_auth_close(t.auth);
    lamp_commands_free(t.commands);
    lamp_pending_free(t.pending);
    lamp_probes_free(t.probes);
    lamp_events_free(t.events);
    lamp_cdn_free(t.cdn);
    lamp_store_close(t.store);
    remove_folder(t.folder);
    free(t.folder);
    curl_global_cleanup();
    return 0;
}

/* ---- look-up ---- */

/* What an investigator asks; hours are after the pool became known, 0: now. */
static void test_lookup(void **state)
{
    (void)state;
    static const struct {
        const char *q;
        double hours;
        const char *kind, *answer, *how, *says;
    } table[] = {
        { "eu.one.example", 0, "name", "yes", "name", "One (XMR)" },
        { "EU.One.Example.", 0, "name", "yes", "name", "One" },
        { "stratum%2Btcp://eu.one.example:3333/x", 0, "name", "yes", "name", "One" },
        { "eu.one.example:9", 0, "name", "maybe", "name", "One" },
        { "one.example", 0, "name", "maybe", "below", "One" },
        { "a.b.two.example", 0, "name", "maybe", "above", "Two" },
        { "example.org", 0, "name", "unknown", NULL, "no proof" },
        { "eu.one.example", -1, "name", "was", "name", "another time" },
        { "203.0.113.7", 1, "address", "yes", "address", "One" },
        { "203.0.113.7:3333", 1.5, "endpoint", "yes", "address", "answered as a mining pool" },
        { "203.0.113.7:3333", 3.5, "endpoint", "was", "address", "another time" },
        { "203.0.113.7:3333", 0, "endpoint", "was", "address", "another time" },
        { "203.0.113.7:25", 1, "endpoint", "maybe", "address", "One" },
        { "203.0.113.8", 1, "address", "unknown", NULL, "no proof" },
        { "104.16.0.9", 1, "address", "maybe", "address", "Cloudflare" },
        { "2001:db8::7", 1, "address", "yes", "address", "Two" },
        { "[2001:db8::7]:3333", 1, "endpoint", "yes", "address", "Two" },
        { "198.51.100.1:3333", 0, "endpoint", "yes", NULL, "answers as a mining pool" },
        { "3333", 0, "port", "maybe", "port", "proves nothing" },
        { ":3333", 0, "port", "maybe", "port", "proves nothing" },
        { "1", 0, "port", "unknown", NULL, "no proof" },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char path[256], at[64] = "";
        if (table[i].hours != 0)
            snprintf(at, sizeof(at), "&at=%.0f", (double)t.t0 / 1e6 + table[i].hours * 3600);
        snprintf(path, sizeof(path), "/lookup?q=%s%s", table[i].q, at);
        json_t *a = call("GET", path, NULL, 200);
        const json_t *first = json_array_get(json_object_get(a, "matches"), 0);
        if (!streq(str(a, "kind"), table[i].kind) || !streq(str(a, "answer"), table[i].answer) ||
            !strstr(str(a, "summary"), table[i].says) ||
            (table[i].how ? !streq(str(first, "how"), table[i].how) : first != NULL)) {
            char *text = json_dumps(a, JSON_COMPACT);
            fail_msg("%s after %g h: %s", table[i].q, table[i].hours, text);
        }
        json_decref(a);
    }
    static const char *const wrong[] = { "", "a b", "70000", "1.2.3.4:0", "-", "x:y", "..", "%00" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/lookup?q=%s", streq(wrong[i], "a b") ? "@" : wrong[i]);
        json_decref(call("GET", path, NULL, 400));
    }
}

static void test_port(void **state)
{
    (void)state;
    json_t *a = call("GET", "/lookup?q=3333", NULL, 200);
    const json_t *pools = json_object_get(a, "port_pools");
    assert_int_equal(json_array_size(pools), 2);
    assert_string_equal(str(json_array_get(pools, 0), "pool"), "One");
    assert_string_equal(str(json_array_get(pools, 0), "coin"), "XMR");
    assert_int_equal(json_integer_value(json_object_get(a, "total")), 2);
    json_decref(a);
}

/* ---- reading and changing ---- */

static void test_pool(void **state)
{
    (void)state;
    json_t *a = call("GET", "/pools/1", NULL, 200);
    assert_string_equal(str(json_object_get(a, "pool"), "name"), "One");
    const json_t *servers = json_object_get(a, "servers");
    assert_int_equal(json_array_size(servers), 2);
    const json_t *addresses = json_object_get(json_array_get(servers, 1), "addresses");
    assert_non_null(strstr(str(json_array_get(addresses, 0), "weak"), "Cloudflare"));
    assert_int_equal(json_array_size(json_object_get(a, "entries")), 2);
    assert_string_equal(str(json_array_get(json_object_get(a, "endpoints"), 0), "state"), "down");
    json_decref(a);
    a = call("GET", "/pools/1/history", NULL, 200);
    const json_t *one = json_array_get(json_object_get(a, "endpoints"), 0);
    assert_int_equal(json_array_size(json_object_get(one, "changes")), 2);
    assert_true(json_array_size(json_object_get(a, "versions")) >= 2);
    json_decref(a);
    json_decref(call("GET", "/pools/99", NULL, 404));
    json_decref(call("GET", "/pools/1/nothing", NULL, 404));
}

static void test_changes(void **state)
{
    (void)state;
    json_t *a =
        call("POST", "/pool-entries",
             "{\"pool\":\"Three\",\"fqdn\":\"Three.Example\",\"port\":5555,\"tls\":\"yes\"}", 201);
    char path[64];
    const json_int_t id = json_integer_value(json_object_get(a, "id"));
    assert_string_equal(str(a, "fqdn"), "three.example");
    assert_string_equal(str(a, "changed_by"), "cli");
    json_decref(a);
    snprintf(path, sizeof(path), "/pool-entries/%lld", (long long)id);
    a = call("PATCH", path, "{\"port\":6666,\"coin\":\"ETC\"}", 200);
    assert_int_equal(json_integer_value(json_object_get(a, "port")), 6666);
    assert_string_equal(str(a, "tls"), "yes");
    json_decref(a);
    a = call("PATCH", path, "{\"undo\":true}", 200);
    assert_int_equal(json_integer_value(json_object_get(a, "port")), 5555);
    json_decref(a);
    assert_null(call("DELETE", path, NULL, 204));
    a = call("PATCH", path, "{\"undo\":true}", 200);
    assert_true(json_is_true(json_object_get(a, "active")));
    json_decref(a);

    static const struct {
        const char *method, *path, *body;
        long status;
    } bad[] = {
        { "PATCH", "/catalogue", "{\"probe\":1}", 400 },
        { "POST", "/probes", "{\"host\":\"a.example\"}", 400 },
        { "GET", "/probes/77", NULL, 404 },
        { "POST", "/pool-entries", "{\"pool\":\"P\",\"fqdn\":\"no host\"}", 400 },
        { "POST", "/pool-entries", "{\"pool\":\"P\"}", 400 },
        { "POST", "/pool-entries", "{\"pool\":\"P\",\"fqdn\":\"a.b\",\"port\":0}", 400 },
        { "POST", "/pool-entries", "{\"pool\":\"P\",\"fqdn\":\"a.b\",\"tls\":\"so\"}", 400 },
        { "POST", "/pool-entries", "{\"entries\":[]}", 400 },
        { "POST", "/pool-entries", "{\"entries\":[3]}", 400 },
        { "PATCH", "/pool-entries/1", "{\"fqdn\":\"a.b\"}", 400 },
        { "PATCH", "/pool-entries/999", "{\"port\":1}", 404 },
        { "DELETE", "/pool-entries/999", NULL, 404 },
        { "GET", "/pools?limit=0", NULL, 400 },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        json_decref(call(bad[i].method, bad[i].path, bad[i].body, bad[i].status));
}

/* What makes no sense is counted, and the rest comes in; a second time nothing changes. */
static void test_import(void **state)
{
    (void)state;
    static const char body[] = "{\"entries\":[{\"pool\":\"Im\",\"fqdn\":\"im.example\",\"port\":1},"
                               "{\"pool\":\"Im\",\"fqdn\":\"localhost\"},"
                               "{\"pool\":\"Im\",\"fqdn\":\"im2.example\",\"coin\":\"BTC\"}]}";
    for (int round = 0; round < 2; round++) {
        json_t *a = call("POST", "/pool-entries", body, 200);
        assert_int_equal(json_integer_value(json_object_get(a, "changed")), round ? 0 : 2);
        assert_int_equal(json_integer_value(json_object_get(a, "same")), round ? 2 : 0);
        assert_int_equal(json_integer_value(json_object_get(a, "refused")), 1);
        assert_int_equal(strncmp(str(a, "first_refused"), "entry 2: ", 9), 0);
        json_decref(a);
    }
    json_t *a = call("GET", "/pools?q=im2", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(a, "pools")), 1);
    json_decref(a);
}

/* The switches are noted for the thread that looks at them; an order waits for it. */
static void test_probes(void **state)
{
    (void)state;
    struct lamp_pool_totals totals;
    struct lamp_probe_order o;
    json_decref(call("PATCH", "/catalogue", "{\"probe\":true,\"resolve\":false}", 200));
    ok(t.store, lamp_store_pool_totals(t.store, &totals));
    assert_true(totals.has_probe && totals.probe && totals.has_resolve && !totals.resolve);
    json_t *a = call("POST", "/probes", "{\"host\":\"203.0.113.7\",\"port\":3333}", 202);
    const json_int_t id = json_integer_value(json_object_get(a, "id"));
    assert_true(json_is_false(json_object_get(a, "done")));
    json_decref(a);
    assert_int_equal(lamp_probes_take(t.probes, &o), LAMP_OK);
    assert_string_equal(o.host, "203.0.113.7");
    o.done = true;
    o.n = 1;
    o.results[0] = (struct lamp_pool_endpoint){ .state = LAMP_POOL_LISTEN, .port = 3333 };
    lamp_probes_answer(t.probes, &o);
    char path[64];
    snprintf(path, sizeof(path), "/probes/%lld", (long long)id);
    a = call("GET", path, NULL, 200);
    assert_string_equal(str(json_array_get(json_object_get(a, "results"), 0), "state"), "listen");
    json_decref(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup), cmocka_unit_test(test_port),
        cmocka_unit_test(test_pool),   cmocka_unit_test(test_changes),
        cmocka_unit_test(test_import), cmocka_unit_test(test_probes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
