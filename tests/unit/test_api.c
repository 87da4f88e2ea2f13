/* SPDX-License-Identifier: Apache-2.0 */
/* The API over real HTTP on a loopback port, with a store of known rows and a thread that answers
 * commands as the writer would. */
#include "aggregator/api/api.h"
#include "common/clock.h"
#include "common/enroll.h"
#include "common/io.h"
#include "tests/support/fake_store.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { WAIT_MS = 20000 };

static struct {
    char folder[64], token_file[96], password[LAMP_PASSWORD], token[160];
    lamp_store *store;
    lamp_auth *auth;
    lamp_events *events;
    lamp_commands *commands;
    lamp_pending *pending;
    struct lamp_command last; /* that was not about blocks */
    lamp_facts *facts;
    lamp_api *api;
    pthread_t writer;
    atomic_bool stop;
} t;

/* ---- one request ---- */

struct answer {
    long status;
    char head[8192], body[262144];
    size_t head_len, body_len;
    json_t *json;
};

static size_t take(char *data, size_t size, size_t n, char *buf, size_t cap, size_t *len)
{
    const size_t add = size * n;
    if (*len + add >= cap)
        return 0;
    memcpy(buf + *len, data, add);
    *len += add;
    buf[*len] = '\0';
    return add;
}

static size_t take_head(char *data, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    return take(data, size, n, a->head, sizeof(a->head), &a->head_len);
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    return take(data, size, n, a->body, sizeof(a->body), &a->body_len);
}

/* Sends a request; headers is a ';'-ended list of lines, NULL: token and JSON. */
static void call(const char *method, const char *path, const char *headers, const char *body,
                 struct answer *a)
{
    char url[4608], line[512];
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    if (!headers) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", t.token);
        list = curl_slist_append(list, line);
        list = curl_slist_append(list, "Content-Type: application/json");
    }
    for (const char *h = headers; h && *h; h += strcspn(h, "|") + (strchr(h, '|') != NULL)) {
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(h, "|"), h);
        list = curl_slist_append(list, line);
    }
    memset(a, 0, sizeof(*a));
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", lamp_api_port(t.api), path);
    CURL *c = curl_easy_init();
    assert_non_null(c);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c, CURLOPT_NOBODY, (long)streq(method, "HEAD"));
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)WAIT_MS);
    if (body)
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    const CURLcode rc = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
    curl_easy_cleanup(c);
    curl_slist_free_all(list);
    if (rc != CURLE_OK)
        fail_msg("%s %s: %s", method, path, curl_easy_strerror(rc));
    a->json = json_loadb(a->body, a->body_len, JSON_REJECT_DUPLICATES, NULL);
}

static void done(struct answer *a)
{
    json_decref(a->json);
}

static bool has_header(const struct answer *a, const char *line)
{
    return strcasestr(a->head, line) != NULL;
}

/* Checks an error's status, code and field ("" any). */
static void want_error(struct answer *a, long status, const char *code, const char *field)
{
    const json_t *e = json_object_get(a->json, "error");
    const char *got = json_string_value(json_object_get(e, "code"));
    const char *where = json_string_value(json_object_get(e, "field"));
    if (a->status != status || !got || !streq(got, code) ||
        (*field && (!where || !streq(where, field))))
        fail_msg("want %ld %s %s, got %ld %s", status, code, field, a->status, a->body);
    assert_true(json_is_string(json_object_get(e, "message")));
}

/* ---- set-up ---- */

static const uint8_t server_key[32] = { 1, 2, 3 };

static void *play_writer(void *arg)
{
    (void)arg;
    int64_t next_id = 1;
    struct pollfd fd = { .fd = lamp_commands_fd(t.commands), .events = POLLIN };
    while (!atomic_load(&t.stop)) {
        struct lamp_command cmd;
        poll(&fd, 1, 50);
        while (lamp_commands_take(t.commands, &cmd) == LAMP_OK) {
            struct lamp_command_result r = { 0 };
            char target[LAMP_PREFIX_STRLEN];
            lamp_prefix_str(&cmd.prefix, target);
            if (cmd.kind >= LAMP_CMD_TOKEN) {
                t.last = cmd;
                r.key_id = cmd.kind == LAMP_CMD_REVOKE || cmd.kind == LAMP_CMD_BASELINE ? 2 : 1;
                r.expires_us = FAKE_FAR_US;
                snprintf(r.site, sizeof(r.site), "%s", cmd.site);
                if (streq(cmd.site, "nowhere"))
                    r = (struct lamp_command_result){ .err = LAMP_ESITE, .why = "No such site." };
                if (cmd.key_id == 99)
                    r = (struct lamp_command_result){ .err = LAMP_ENOENT, .why = "No such key." };
            } else if (cmd.kind == LAMP_CMD_MARK) {
                if (!fake_store_mark(&cmd))
                    r = (struct lamp_command_result){ .err = LAMP_ENOENT, .why = "No such miner." };
            } else if (cmd.kind == LAMP_CMD_POLICY) {
                r.key_id = 1;
            } else if (cmd.kind == LAMP_CMD_OWN) {
                r.key_id = 1;
                if (streq(cmd.own.value, "4double"))
                    r = (struct lamp_command_result){ .err = LAMP_EEXIST,
                                                      .why = "this wallet is on the list already" };
                if (!cmd.approve && cmd.own.id != 1)
                    r = (struct lamp_command_result){ .err = LAMP_ENOENT, .why = "no entry" };
            } else if (cmd.kind == LAMP_CMD_ACK) {
                r.err = cmd.alert_id == 2 ? LAMP_OK : LAMP_ENOENT;
            } else if (cmd.kind == LAMP_CMD_HOLD) {
                r.err = cmd.approve ? LAMP_OK : LAMP_EAGAIN;
            } else if (cmd.kind == LAMP_CMD_DECIDE && cmd.block_id == 998) {
                r = (struct lamp_command_result){ .err = LAMP_EAUTH, .why = "You entered it." };
            } else if (cmd.kind == LAMP_CMD_DECIDE) {
                r = (struct lamp_command_result){ .err = LAMP_ENOENT, .why = "No such block." };
            } else if (cmd.kind == LAMP_CMD_UNBLOCK) {
                if (!fake_store_remove_block(cmd.block_id))
                    r = (struct lamp_command_result){ .err = LAMP_ENOENT, .why = "No such block." };
            } else if (streq(target, "192.0.2.1")) {
                r = (struct lamp_command_result){ .err = LAMP_EPROTECTED, .why = "Protected." };
            } else if (streq(target, "192.0.2.2")) {
                r = (struct lamp_command_result){ .err = LAMP_EEXIST, .why = "Blocked already." };
            } else {
                r.block_id = next_id++;
                fake_store_add_block(&cmd, r.block_id);
            }
            lamp_commands_answer(t.commands, &r);
        }
    }
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    char why[LAMP_STORE_WHY] = "", *text;
    size_t len;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(t.folder, sizeof(t.folder), "/tmp/lamp-api-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    assert_int_equal(lamp_store_open("fake", "", false, &t.store, why), LAMP_OK);
    snprintf(t.token_file, sizeof(t.token_file), "%s/token", t.folder);
    assert_int_equal(lamp_auth_open(t.store, t.token_file, lamp_clock_real_us(), &t.auth,
                                    t.password, why, sizeof(why)),
                     LAMP_OK);
    assert_int_equal(lamp_io_read_file(t.token_file, sizeof(t.token) - 1, &text, &len), LAMP_OK);
    snprintf(t.token, sizeof(t.token), "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
    assert_int_equal(lamp_events_new(&t.events), LAMP_OK);
    assert_int_equal(lamp_commands_new(&t.commands), LAMP_OK);
    assert_int_equal(lamp_pending_new(&t.pending), LAMP_OK);
    static char place[] = "52.52 13.405 " FAKE_SITE;
    static char *lines[] = { place };
    char fault[128];
    assert_int_equal(lamp_facts_new(0.25, &(struct lamp_strlist){ 0 },
                                    &(struct lamp_strlist){ lines, 1 }, &t.facts, fault,
                                    sizeof(fault)),
                     LAMP_OK);
    static struct lamp_prefix never[2];
    assert_int_equal(lamp_prefix_parse("203.0.113.0/24", &never[0]), LAMP_OK);
    assert_int_equal(lamp_prefix_parse("2001:db8::1", &never[1]), LAMP_OK);
    const struct lamp_api_cfg cfg = { .listen = "127.0.0.1:0",
                                      .web_folder = "/nonexistent",
                                      .backend = "fake",
                                      .database = "",
                                      .sample_mode = true,
                                      .started_us = FAKE_NOW_US,
                                      .facts = t.facts,
                                      .never = never,
                                      .n_never = ARRAY_LEN(never),
                                      .n_never_said = 1,
                                      .auth = t.auth,
                                      .events = t.events,
                                      .commands = t.commands,
                                      .pending = t.pending,
                                      .server_key = server_key };
    const int err = lamp_api_start(&cfg, &t.api, why);
    if (err)
        fail_msg("%s", why);
    assert_int_equal(pthread_create(&t.writer, NULL, play_writer, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lamp_api_stop(t.api);
    lamp_facts_free(t.facts);
    atomic_store(&t.stop, true);
    pthread_join(t.writer, NULL);
    lamp_auth_close(t.auth);
    lamp_commands_free(t.commands);
    lamp_pending_free(t.pending);
    lamp_events_free(t.events);
    lamp_store_close(t.store);
    unlink(t.token_file);
    curl_global_cleanup();
    return rmdir(t.folder);
}

static void login(char cookie[100])
{
    struct answer a;
    char body[128];
    snprintf(body, sizeof(body), "{\"user\":\"admin\",\"password\":\"%s\"}", t.password);
    call("POST", "/api/v1/session", "Content-Type: application/json", body, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(json_string_value(json_object_get(a.json, "role")), "admin");
    const char *set = strcasestr(a.head, "Set-Cookie: davylamp_session=");
    assert_non_null(set);
    assert_true(has_header(&a, "; Path=/; HttpOnly; SameSite=Strict"));
    snprintf(cookie, 100, "%.*s", (int)strcspn(set + 12, ";"), set + 12);
    done(&a);
}

/* ---- tests ---- */

static void test_every_route_needs_its_role(void **state)
{
    (void)state;
    size_t n;
    const struct lamp_route *routes = lamp_api_routes(&n);
    for (size_t i = 0; i < n; i++) {
        struct answer a;
        char path[128];
        const char *brace = strchr(routes[i].path, '{');
        snprintf(path, sizeof(path), "%.*s%s%s", (int)strcspn(routes[i].path, "{"), routes[i].path,
                 brace ? "1" : "", brace ? strchr(brace, '}') + 1 : "");
        if (routes[i].role == LAMP_ROLE_NONE)
            continue;
        call(routes[i].method, path, "Content-Type: application/json", NULL, &a);
        want_error(&a, 401, "unauthorized", "");
        assert_true(has_header(&a, "WWW-Authenticate: Bearer"));
        done(&a);
        call(routes[i].method, path,
             "Authorization: Bearer davylamp_00|Cookie: davylamp_session=00", NULL, &a);
        want_error(&a, 401, "unauthorized", "");
        done(&a);
    }
}

static const struct {
    const char *method, *path;
    long status;
    const char *allow;
} paths[] = {
    { "GET", "/api/v1/nothing", 404, NULL },
    { "GET", "/api", 404, NULL },
    { "GET", "/api/v1/miners/", 404, NULL },
    { "GET", "/api/v1/miners/abc", 404, NULL },
    { "GET", "/api/v1/miners/+3", 404, NULL },
    { "GET", "/api/v1/miners/99999999999999999999", 404, NULL },
    { "GET", "/api/v1/miners/77", 404, NULL },
    { "GET", "/api/v1/miners/3/timeline", 200, NULL },
    { "GET", "/api/v1/miners/77/timeline", 404, NULL },
    { "GET", "/api/v1/miners/3/timelines", 404, NULL },
    { "GET", "/api/v1/miners/3/", 404, NULL },
    { "GET", "/api/v1/miners/x/timeline", 404, NULL },
    { "POST", "/api/v1/miners/3/timeline", 405, "GET" },
    { "POST", "/api/v1/miners", 405, "GET" },
    { "PUT", "/api/v1/blocks", 405, "GET, POST" },
    { "GET", "/api/v1/blocks/1", 405, "PATCH, DELETE" },
    { "POST", "/", 405, "GET, HEAD" },
    { "HEAD", "/api/v1/status", 200, NULL },
    { "HEAD", "/api/v1/events", 200, NULL },
    { "GET", "/missing.js", 404, NULL },
    { "GET", "/../../etc/passwd.txt", 404, NULL },
    { "GET", "/%2e%2e/%2e%2e/etc/passwd.txt", 404, NULL },
};

static void test_paths_and_methods(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct answer a;
        char allow[64];
        call(paths[i].method, paths[i].path, NULL, NULL, &a);
        if (a.status != paths[i].status)
            fail_msg("%s %s: %ld %s", paths[i].method, paths[i].path, a.status, a.body);
        snprintf(allow, sizeof(allow), "\r\nAllow: %s\r\n", paths[i].allow ? paths[i].allow : "");
        if (paths[i].allow && !has_header(&a, allow))
            fail_msg("%s %s: %s", paths[i].method, paths[i].path, a.head);
        done(&a);
    }
}

static void test_security_headers_are_everywhere(void **state)
{
    (void)state;
    static const char *const pages[] = { "/", "/api/v1/health", "/api/v1/nothing", "/x.js" };
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        struct answer a;
        call("GET", pages[i], "", NULL, &a);
        assert_true(has_header(&a,
                               "Content-Security-Policy: default-src 'none'; script-src 'self'; "
                               "style-src 'self'; img-src 'self' data:; connect-src 'self'; "));
        assert_true(has_header(&a, "require-trusted-types-for 'script'"));
        assert_true(has_header(&a, "X-Content-Type-Options: nosniff"));
        assert_true(has_header(&a, "Referrer-Policy: no-referrer"));
        assert_true(has_header(&a, "Cross-Origin-Opener-Policy: same-origin"));
        assert_false(has_header(&a, "Access-Control-Allow-Origin"));
        done(&a);
    }
}

static void test_views(void **state)
{
    (void)state;
    struct answer a;
    call("GET", "/api/v1/health", "", NULL, &a);
    assert_string_equal(json_string_value(json_object_get(a.json, "status")), "ok");
    done(&a);

    call("GET", "/api/v1/status", NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_true(has_header(&a, "Cache-Control: no-store"));
    assert_true(json_is_true(json_object_get(a.json, "sample_mode")));
    json_int_t online;
    assert_int_equal(json_unpack(a.json, "{s:{s:I}}", "sensors", "online", &online), 0);
    assert_int_equal(online, 2);
    done(&a);

    call("GET", "/api/v1/sensors", NULL, NULL, &a);
    const char *state_name;
    double offset;
    json_int_t drops;
    json_t *version;
    assert_int_equal(json_unpack(a.json, "{s:[{s:o,s:f,s:I,s:{s:s}}]}", "sensors", "version",
                                 &version, "clock_offset", &offset, "drops", &drops, "enforcement",
                                 "state", &state_name),
                     0);
    assert_true(json_is_null(version));
    assert_int_equal(drops, 5);
    assert_true(offset == -1.5);
    assert_string_equal(state_name, "rolled-back");
    json_int_t elements, repairs, cut, about;
    assert_int_equal(json_unpack(a.json, "{s:[{s:{s:I,s:I,s:I,s:{s:I}}}]}", "sensors",
                                 "enforcement", "elements", &elements, "repairs", &repairs,
                                 "flows_cut", &cut, "about", "serial", &about),
                     0);
    assert_true(elements == 12 && repairs == 3 && cut == 4 && about == 42);
    const char *kind = NULL;
    assert_int_equal(json_unpack(a.json, "{s:[{s:[{s:s,s:s}]}]}", "sensors", "sets", "kind", &kind,
                                 "state", &state_name),
                     0);
    assert_string_equal(kind, "watch");
    assert_string_equal(state_name, "confirmed");
    done(&a);

    call("GET", "/api/v1/traffic?limit=1&host=10.1.0.23&application=https&from=0&to=60", NULL, NULL,
         &a);
    const char *application;
    json_int_t in, all;
    assert_int_equal(json_unpack(a.json, "{s:[{s:s,s:{s:I}}],s:{s:{s:I}}}", "traffic",
                                 "application", &application, "bytes", "in", &in, "total", "bytes",
                                 "in", &all),
                     0);
    assert_string_equal(application, "https");
    assert_int_equal(in, 900);
    assert_int_equal(all, 907); /* whatever the limit */
    done(&a);
    call("GET", "/api/v1/traffic", NULL, NULL, &a);
    assert_true(json_is_null(
        json_object_get(json_array_get(json_object_get(a.json, "traffic"), 1), "host")));
    done(&a);

    call("GET", "/api/v1/session", NULL, NULL, &a);
    assert_string_equal(json_string_value(json_object_get(a.json, "user")), "cli");
    assert_true(json_is_null(json_object_get(a.json, "expires")));
    done(&a);
}

static void test_reports(void **state)
{
    (void)state;
    struct answer a;
    const char *coin, *of, *site, *reason;
    json_int_t mining, wallet, n;
    double t_s, latitude, price;
    call("GET", "/api/v1/coins?by=pool", NULL, NULL, &a);
    assert_int_equal(json_unpack(a.json, "{s:[{s:s,s:s,s:{s:I,s:I},s:I},{s:n,s:s}]}", "coins",
                                 "coin", &coin, "of", &of, "bytes", "mining", &mining, "wallet",
                                 &wallet, "hosts", &n, "coin", "of", &site),
                     0);
    assert_string_equal(coin, "XMR");
    assert_string_equal(of, "[2001:db8::9]:3333");
    assert_string_equal(site, "203.0.113.9:0");
    assert_true(mining == 900 && wallet == 50 && n == 2);
    done(&a);
    call("GET", "/api/v1/coins?by=wallet&limit=1", NULL, NULL, &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "coins")), 1);
    assert_int_equal(json_unpack(a.json, "{s:[{s:s}]}", "coins", "of", &of), 0);
    assert_non_null(strstr(of, "<img src=x"));
    done(&a);
    call("GET", "/api/v1/coins?site=nowhere", NULL, NULL, &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "coins")), 0);
    done(&a);

    call("GET", "/api/v1/coins/series?step=120", NULL, NULL, &a);
    assert_int_equal(
        json_unpack(a.json, "{s:[{s:f,s:{s:I}}]}", "points", "t", &t_s, "bytes", "mining", &mining),
        0);
    assert_true(t_s == 120 && mining == 900);
    done(&a);

    call("GET", "/api/v1/gaps?sensor=" FAKE_SENSOR, NULL, NULL, &a);
    assert_int_equal(
        json_unpack(a.json, "{s:[{s:I,s:s}]}", "gaps", "records", &n, "reason", &reason), 0);
    assert_int_equal(n, 4);
    assert_non_null(strstr(reason, "<img src=x"));
    done(&a);

    call("GET", "/api/v1/never", NULL, NULL, &a);
    const char *target, *source;
    assert_int_equal(json_unpack(a.json, "{s:[{s:s,s:s},{s:s}]}", "never", "target", &target,
                                 "source", &source, "source", &site),
                     0);
    assert_string_equal(target, "203.0.113.0/24");
    assert_string_equal(source, "configuration");
    assert_string_equal(site, "aggregator");
    done(&a);

    call("GET", "/api/v1/sites", NULL, NULL, &a);
    assert_int_equal(
        json_unpack(a.json, "{s:[{s:f,s:f}]}", "sites", "latitude", &latitude, "price", &price), 0);
    assert_true(latitude == 52.52 && price == 0.25);
    done(&a);
}

/* A hostile name comes back as the same text, only bytes that are no UTF-8 are spelt out; in the
 * raw JSON no control character stands. */
static void test_hostile_text_is_data(void **state)
{
    (void)state;
    static const char want[] = "<img src=x onerror=alert(1)>\"'\\\x1b[2J\xe2\x80\xae\\xff\t";
    struct answer a;
    const char *worker;
    call("GET", "/api/v1/miners/3", NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_true(has_header(&a, "Content-Type: application/json"));
    assert_int_equal(json_unpack(a.json, "{s:[s]}", "workers", &worker), 0);
    assert_string_equal(worker, want);
    assert_int_equal(json_unpack(a.json, "{s:[{s:s}]}", "connection_list", "worker", &worker), 0);
    assert_string_equal(worker, want);
    for (size_t i = 0; i < a.body_len; i++)
        assert_true((unsigned char)a.body[i] >= 0x20);
    done(&a);
}

static void test_miner_detail(void **state)
{
    (void)state;
    struct answer a;
    json_int_t outer, inner, connection;
    const char *detail, *wallet;
    call("GET", "/api/v1/miners/3", NULL, NULL, &a);
    assert_int_equal(json_unpack(a.json, "{s:[I,I],s:[s,s],s:[{s:I,s:[{s:s}]}]}", "vlan", &outer,
                                 &inner, "wallets", &wallet, &wallet, "connection_list", "id",
                                 &connection, "evidence", "detail", &detail),
                     0);
    assert_int_equal(outer, 100);
    assert_int_equal(inner, 7);
    assert_string_equal(wallet, "48def");
    assert_int_equal(connection, 11);
    assert_string_equal(detail, "4 shares \\xff");
    const json_t *minute = json_array_get(json_object_get(a.json, "minutes"), 0);
    assert_true(json_is_null(json_object_get(minute, "hashrate")));
    assert_true(json_is_null(json_object_get(minute, "self_reported")));
    assert_int_equal(json_integer_value(json_object_get(minute, "t")), 1699999980);
    done(&a);
    static const struct {
        const char *query, *want;
    } cases[] = { { "", "minute" },
                  { "?from=0&to=604800", "minute" },
                  { "?from=0&to=604801", "hour" },
                  { "?from=0&to=8640001", "day" },
                  { "?from=0&to=60&resolution=day", "day" } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[80];
        snprintf(path, sizeof(path), "/api/v1/miners/3%s", cases[i].query);
        call("GET", path, NULL, NULL, &a);
        assert_string_equal(json_string_value(json_object_get(a.json, "resolution")),
                            cases[i].want);
        done(&a);
    }
}

static void test_pages(void **state)
{
    (void)state;
    struct answer a;
    json_int_t id, next;
    call("GET", "/api/v1/miners?limit=2&site=berlin", NULL, NULL, &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "miners")), 2);
    assert_int_equal(json_unpack(a.json, "{s:I}", "next", &next), 0);
    assert_int_equal(next, 2);
    done(&a);
    call("GET", "/api/v1/miners?limit=2&after=2", NULL, NULL, &a);
    assert_int_equal(json_unpack(a.json, "{s:[{s:I}],s:n}", "miners", "id", &id, "next"), 0);
    assert_int_equal(id, 1);
    done(&a);
    call("GET", "/api/v1/miners?site=paris", NULL, NULL, &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "miners")), 0);
    done(&a);
    call("GET", "/api/v1/connections?miner=3", NULL, NULL, &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "connections")), 1);
    done(&a);
}

/* A page does not end silently where nothing tells any more where it begins. */
static void test_pages_behind_what_is_gone(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool gone;
    } cases[] = {
        { "/api/v1/miners?after=987654", true },
        { "/api/v1/miners?sort=site&after=987654", true },
        { "/api/v1/miners?sort=site&after=2", false },
        { "/api/v1/connections?sort=-bytes&after=987654", true },
        { "/api/v1/connections?sort=-bytes&after=11&format=csv", false },
        { "/api/v1/connections?sort=-bytes&after=987654&format=csv", true },
        { "/api/v1/connections?after=987654", false },
        { "/api/v1/alerts?sort=last&after=987654", true },
        { "/api/v1/alerts?after=987654", false },
        { "/api/v1/samples?sort=state&after=987654", true },
        { "/api/v1/samples?after=987654", false },
        { "/api/v1/pools?sort=name&after=987654&format=csv", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a;
        call("GET", cases[i].path, NULL, NULL, &a);
        if (a.status != (cases[i].gone ? 410 : 200))
            fail_msg("%s: %ld", cases[i].path, a.status);
        if (cases[i].gone)
            want_error(&a, 410, "gone", "after");
        done(&a);
    }
}

static const struct {
    const char *path, *field;
} bad_queries[] = {
    { "/api/v1/coins?by=colour", "by" },
    { "/api/v1/coins?limit=1001", "limit" },
    { "/api/v1/coins/series?step=59", "step" },
    { "/api/v1/coins/series?from=0", "from" },
    { "/api/v1/miners?limit=0", "limit" },
    { "/api/v1/miners?limit=1001", "limit" },
    { "/api/v1/miners?limit=ten", "limit" },
    { "/api/v1/miners?limit=", "limit" },
    { "/api/v1/miners?limit=5%00", "limit" },
    { "/api/v1/miners?limit=5&limit=6", "limit" },
    { "/api/v1/miners?colour=red", "colour" },
    { "/api/v1/miners?host=nowhere", "host" },
    { "/api/v1/miners?after=-1", "after" },
    { "/api/v1/miners/3?from=x", "from" },
    { "/api/v1/miners/3?from=5&to=4", "from" },
    { "/api/v1/miners/3?from=0&to=4000000000", "from" },
    { "/api/v1/miners/3?to=1e99", "to" },
    { "/api/v1/miners/3?resolution=week", "resolution" },
    { "/api/v1/miners/3?from=0&to=700000&resolution=minute", "from" },
    { "/api/v1/connections?miner=x", "miner" },
    { "/api/v1/traffic?remote=here", "remote" },
    { "/api/v1/traffic?from=5&to=4", "from" },
    { "/api/v1/estimates?by=colour", "by" },
    { "/api/v1/blocks?removed=maybe", "removed" },
    { "/api/v1/status?x", "x" },
};

static void test_bad_queries_name_the_parameter(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_queries); i++) {
        struct answer a;
        call("GET", bad_queries[i].path, NULL, NULL, &a);
        want_error(&a, 400, "invalid", bad_queries[i].field);
        done(&a);
    }
}

static const struct {
    const char *body, *field;
    long status;
    const char *code;
} bad_blocks[] = {
    { "", "", 400, "invalid" },
    { "nonsense", "", 400, "invalid" },
    { "[]", "", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"target\":\"1.1.1.1\"}", "", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\"} x", "", 400, "invalid" },
    { "{}", "target", 400, "invalid" },
    { "{\"target\":7}", "target", 400, "invalid" },
    { "{\"target\":null}", "target", 400, "invalid" },
    { "{\"target\":\"example.org\"}", "target", 400, "invalid" },
    { "{\"target\":\"203.0.113.7/24\"}", "target", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"port\":0}", "port", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"port\":65536}", "port", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"port\":\"80\"}", "port", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"port\":80.0}", "port", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"transport\":\"icmp\"}", "transport", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"ttl\":59}", "ttl", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"ttl\":1e9}", "ttl", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"kind\":\"all\"}", "kind", 400, "invalid" },
    { "{\"target\":\"203.0.113.7\",\"colour\":1}", "colour", 400, "invalid" },
    { "{\"target\":\"10.0.0.1\",\"kind\":\"host\"}", "site", 400, "invalid" },
    { "{\"target\":\"10.0.0.0/24\",\"kind\":\"host\",\"site\":\"berlin\"}", "target", 400,
      "invalid" },
    { "{\"target\":\"192.0.2.1\"}", "target", 409, "protected" },
    { "{\"target\":\"192.0.2.2\"}", "target", 409, "conflict" },
};

static void test_bad_blocks_name_the_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_blocks); i++) {
        struct answer a;
        call("POST", "/api/v1/blocks", NULL, bad_blocks[i].body, &a);
        want_error(&a, bad_blocks[i].status, bad_blocks[i].code, bad_blocks[i].field);
        done(&a);
    }
    char *big = malloc(70001);
    assert_non_null(big);
    memset(big, ' ', 70000);
    big[70000] = '\0';
    struct answer a;
    call("POST", "/api/v1/blocks", NULL, big, &a);
    assert_int_equal(a.status, 413);
    done(&a);
    free(big);
}

static void test_mark(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
        long status;
        const char *code, *field, *as;
    } cases[] = {
        { "/api/v1/miners/3", "{\"mark\":\"sanctioned\",\"reason\":\"ours\"}", 200, "", "",
          "sanctioned" },
        { "/api/v1/miners/3", "{\"mark\":\"dismissed\"}", 200, "", "", "dismissed" },
        { "/api/v1/miners/3", "{\"mark\":null}", 200, "", "", NULL },
        { "/api/v1/miners/3", "{\"mark\":\"fine\"}", 400, "invalid", "mark", NULL },
        { "/api/v1/miners/3", "{}", 400, "invalid", "mark", NULL },
        { "/api/v1/miners/3", "{\"mark\":null,\"x\":1}", 400, "invalid", "x", NULL },
        { "/api/v1/miners/77", "{\"mark\":\"dismissed\"}", 404, "not_found", "", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a;
        call("PATCH", cases[i].path, NULL, cases[i].body, &a);
        if (cases[i].status != 200) {
            want_error(&a, cases[i].status, cases[i].code, cases[i].field);
        } else {
            const char *as =
                json_string_value(json_object_get(json_object_get(a.json, "mark"), "as"));
            if (a.status != 200 || !as != !cases[i].as || (as && !streq(as, cases[i].as)))
                fail_msg("case %zu: %ld %s", i, a.status, a.body);
        }
        done(&a);
    }
}

static void test_block_and_unblock(void **state)
{
    (void)state;
    struct answer a;
    char path[64];
    json_int_t id, port, ttl_left;
    const char *target, *by, *sensor_state;
    int active;
    call("POST", "/api/v1/blocks", NULL,
         "{\"target\":\"203.0.113.0/28\",\"port\":3333,\"transport\":\"tcp\",\"reason\":null}", &a);
    assert_int_equal(a.status, 201);
    assert_int_equal(json_unpack(a.json, "{s:I,s:s,s:I,s:s,s:b,s:[{s:s}]}", "id", &id, "target",
                                 &target, "port", &port, "created_by", &by, "active", &active,
                                 "sensors", "state", &sensor_state),
                     0);
    assert_string_equal(target, "203.0.113.0/28");
    assert_int_equal(port, 3333);
    assert_string_equal(by, "cli");
    assert_true(active);
    assert_string_equal(sensor_state, "applied");
    done(&a);

    call("GET", "/api/v1/blocks", NULL, NULL, &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "blocks")), 1);
    assert_int_equal(json_unpack(a.json, "{s:I}", "serial", &ttl_left), 0);
    done(&a);

    snprintf(path, sizeof(path), "/api/v1/blocks/%d", (int)id);
    call("DELETE", path, NULL, NULL, &a);
    assert_int_equal(a.status, 204);
    assert_int_equal(a.body_len, 0);
    done(&a);
    call("DELETE", path, NULL, NULL, &a);
    want_error(&a, 404, "not_found", "");
    done(&a);
    call("GET", "/api/v1/blocks?removed=true", NULL, NULL, &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "blocks")), 1);
    done(&a);
}

static const struct {
    const char *headers;
    long status;
} origins[] = {
    { "Content-Type: application/json|Origin: http://evil.example", 403 },
    { "Content-Type: application/json|Origin: null", 403 },
    { "Content-Type: application/json|Sec-Fetch-Site: cross-site", 403 },
    { "Content-Type: application/json|Sec-Fetch-Site: same-site", 403 },
    { "Content-Type: text/plain", 400 },
    { "Content-Type: application/jsonp", 400 },
    { "Content-Type:", 400 },
    { "Content-Type: application/json|Sec-Fetch-Site: same-origin", 404 },
    { "Content-Type: application/json; charset=utf-8", 404 },
};

static void test_other_sites_cannot_use_the_cookie(void **state)
{
    (void)state;
    char cookie[100], headers[400];
    struct answer a;
    login(cookie);
    for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
        snprintf(headers, sizeof(headers), "Cookie: %s|%s", cookie, origins[i].headers);
        call("DELETE", "/api/v1/blocks/999", headers, NULL, &a);
        if (a.status != origins[i].status)
            fail_msg("%s: %ld %s", origins[i].headers, a.status, a.body);
        done(&a);
    }
    snprintf(headers, sizeof(headers),
             "Cookie: %s|Content-Type: application/json|Origin: "
             "http://127.0.0.1:%u",
             cookie, lamp_api_port(t.api));
    call("DELETE", "/api/v1/session", headers, NULL, &a);
    assert_int_equal(a.status, 204);
    assert_true(has_header(&a, "Max-Age=0"));
    done(&a);
    call("GET", "/api/v1/session", headers, NULL, &a);
    want_error(&a, 401, "unauthorized", "");
    done(&a);
}

static void test_login_errors(void **state)
{
    (void)state;
    struct answer a;
    static const char json_type[] = "Content-Type: application/json";
    call("POST", "/api/v1/session", json_type, "{\"user\":\"admin\"}", &a);
    want_error(&a, 400, "invalid", "password");
    done(&a);
    for (int i = 0; i < 5; i++) {
        call("POST", "/api/v1/session", json_type, "{\"user\":\"nobody\",\"password\":\"x\"}", &a);
        want_error(&a, 401, "unauthorized", "");
        assert_false(has_header(&a, "Set-Cookie"));
        done(&a);
    }
    call("POST", "/api/v1/session", json_type, "{\"user\":\"nobody\",\"password\":\"x\"}", &a);
    want_error(&a, 429, "rate_limited", "");
    assert_true(has_header(&a, "Retry-After: 60"));
    done(&a);
}

static void test_store_errors_are_told(void **state)
{
    (void)state;
    struct answer a;
    fake_store_break(true);
    call("GET", "/api/v1/status", NULL, NULL, &a);
    want_error(&a, 500, "internal", "");
    done(&a);
    call("GET", "/api/v1/miners", NULL, NULL, &a);
    want_error(&a, 500, "internal", "");
    assert_null(json_object_get(a.json, "miners"));
    done(&a);
    fake_store_break(false);
}

/* What did not change is not sent again; what did is, and errors and changes have no tag. */
static void test_tags(void **state)
{
    (void)state;
    struct answer a;
    char headers[400], tag[64];
    call("GET", "/api/v1/miners?limit=1", NULL, NULL, &a);
    const char *at = strcasestr(a.head, "ETag: ");
    assert_non_null(at);
    snprintf(tag, sizeof(tag), "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
    done(&a);
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s|If-None-Match: \"x\", %s", t.token,
             tag);
    call("GET", "/api/v1/miners?limit=1", headers, NULL, &a);
    assert_int_equal(a.status, 304);
    assert_int_equal(a.body_len, 0);
    assert_true(has_header(&a, tag));
    done(&a);
    call("GET", "/api/v1/miners?limit=2", headers, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_false(has_header(&a, tag));
    done(&a);
    call("GET", "/api/v1/miners/77", NULL, NULL, &a);
    assert_int_equal(a.status, 404);
    assert_false(has_header(&a, "ETag"));
    done(&a);
}

/* ---- the command line program ---- */

/* Runs davylamp with arguments; returns its exit status and what it said on both outputs. */
static int run_cli(const char *arguments, char *out, size_t size)
{
    char command[1024];
    snprintf(command, sizeof(command), "%s --url http://127.0.0.1:%u --token-file %s %s 2>&1",
             LAMP_CLI, lamp_api_port(t.api), t.token_file, arguments);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    const size_t n = fread(out, 1, size - 1, p);
    out[n] = '\0';
    return WEXITSTATUS(pclose(p));
}

static const struct {
    const char *arguments;
    int status;
    const char *says;
} commands[] = {
    { "status", 0, "2 of 3 online" },
    { "sensors", 0, "sensor-berlin  online" },
    { "miners", 0, "1.00 kH/s" },
    { "miners 3", 0, "203.0.113.7  3333" },
    { "--json miners", 0, "{\"id\":3,\"site\":\"berlin\"" },
    { "traffic", 0, "10.1.0.23" },
    { "traffic", 0, "in all 100 B out, 907 B in, 1 flows" },
    { "--json traffic", 0, "{\"total\":{\"bytes\":{\"out\":100,\"in\":907}" },
    { "block --port 3333 198.51.100.9", 0, " entered" },
    { "blocks", 0, "198.51.100.9" },
    { "blocks", 0, "1 applied" },
    { "miners 77", 1, "There is no miner 77." },
    { "timeline 3", 0, "STRENGTH" },
    { "timeline x", 2, "not the number of a miner" },
    { "estimates", 0, "COST A DAY" },
    { "--json estimates coin", 0, "\"estimates\":" },
    { "estimates planet", 2, "by site or by coin" },
    { "completion", 0, "block) cmd=$word opts=' --port --site --reason --ttl --host';" },
    { "completion | bash -n && echo parsed", 0, "parsed" },
    { "block nowhere", 1, "target: This must be an address" },
    { "unblock 999", 1, "No such block." },
    { "block Pool.example", 0, " entered" },
    { "blocks", 0, "pool.example" },
    { "approve 999", 1, "No such block." },
    { "refuse 999", 1, "No such block." },
    { "approve 998", 1, "You entered it." },
    { "approve x", 2, "not the number of a block" },
    { "sites", 0, "berlin" },
    { "hold berlin", 0, "held" },
    { "release berlin", 0, "another person" },
    { "audit", 0, "site x" },
    { "policies", 0, "no-xmr" },
    { "policies 1", 0, "would be blocked" },
    { "policies 99", 1, "There is no policy 99." },
    { "policies add p days=mon,fri hours=22:00-06:00 block=host lease=60", 0, "is in dry run" },
    { "policies add p hours=8-9", 1, "hours: This must look like" },
    { "policies add p days=someday", 1, "days: These must be some of" },
    { "policies add p block=everything", 1, "block: This must be nothing" },
    { "policies add p verdict=suspected", 1, "verdict: This must be" },
    { "policies add p sanctioned=maybe", 1, "sanctioned: This must be true" },
    { "policies add p color=red", 1, "color: " },
    { "policies add p color", 2, "is not NAME=VALUE" },
    { "policies on 1", 0, "policy 1 is on" },
    { "policies remove 1", 0, "policy 1 is removed" },
    { "policies upside 1", 2, "'policies' takes" },
    { "own", 0, "4mine" },
    { "own add wallet 4mine --site berlin", 0, "entry 1 added" },
    { "own add wallet 4double", 1, "on the list already" },
    { "own add purse 4mine", 1, "kind: This must be wallet, pool or worker." },
    { "own remove 1", 0, "entry 1 removed" },
    { "own remove 99", 1, "no entry" },
    { "own remove x", 2, "not the number of an entry" },
    { "own lose 1", 2, "add KIND VALUE" },
    { "baseline", 0, "10.0.0.7" },
    { "baseline 2", 0, "no chance yet" },
    { "--json baseline 2", 0, "\"state\":\"draft\"" },
    { "baseline 3", 1, "There is no baseline 3" },
    { "baseline learn 10.0.0.7", 2, "HOST with --site" },
    { "baseline learn x --site berlin", 1, "host: This must be an address" },
    { "baseline learn 10.0.0.7 --site berlin window=5", 1, "window: " },
    { "baseline learn 10.0.0.7 --site berlin window=3600 by_asn=yes", 0, "baseline 2 has a draft" },
    { "baseline accept 2", 0, "baseline 2 has a new version" },
    { "baseline block 2 5", 0, "notes the block" },
    { "baseline copy 2 10.0.0.8 --site berlin", 0, "baseline 2 has a draft" },
    { "baseline delete 2", 0, "taken out" },
    { "baseline accept 2 x", 2, "number of an unexpected destination" },
    { "baseline block 2 9", 1, "no unexpected destination" },
    { "baseline export 2", 0, "\"format\":\"davylamp-baseline\"" },
    { "baseline import /dev/null 10.0.0.8 --site berlin", 1, "/dev/null" },
    { "baseline delete x", 2, "not the number of a baseline" },
    { "sample", 0, "remote" },
    { "sample 2", 0, "refused" },
    { "--json sample 2", 0, "\"remote_port\":3333" },
    { "sample 3", 1, "There is no sample 3" },
    { "sample add something", 2, "is about everything, a host" },
    { "sample add remote", 2, "needs what it is about" },
    { "sample add everything packets", 2, "is not NAME=VALUE" },
    { "sample add everything packets=0", 1, "packets: " },
    { "sample add host 10.0.0.1", 1, "site: An inside host needs its site" },
    { "sample add connection 10.0.0.1 203.0.113.9:3333 --site x", 1, "host: This must look like" },
    { "sample get 2", 2, "'sample' takes" },
    { "sample get 2 ../x", 2, "is no name of a sensor" },
    { "sample get 2 " FAKE_SENSOR " /dev/null/x", 1, "cannot be written" },
    { "sample cancel x", 2, "is no number of a sample" },
    { "track", 0, "over" },
    { "track show 2", 0, "refused" },
    { "--json track show 2", 0, "\"remote_port\":3333" },
    { "track history 2", 0, "BYTES OUT" },
    { "track history 3", 1, "There is no tracking 3" },
    { "track start everything", 1, "what: This must be host" },
    { "track stop x", 2, "is no number of a tracking" },
    { "alerts", 0, "sensor-silent" },
    { "alerts all", 0, "ended" },
    { "--json alerts", 0, "\"technique\":\"T1496\"" },
    { "alerts some", 2, "'alerts' takes: all, ack ID" },
    { "alerts ack", 2, "'alerts' takes: all, ack ID" },
    { "alerts ack x", 2, "not the number of an alert" },
    { "doctor", 1, "sensor-" },
    { "--json doctor", 1, "\"advice\":" },
    { "alerts ack 2", 0, "alert 2 acknowledged" },
    { "alerts ack 99", 1, "not found" },
    { "", 2, "no command given" },
    { "fly", 2, "there is no command 'fly'" },
    { "mark 3 dismissed", 0, "miner 3 is marked dismissed" },
    { "mark 77 none", 1, "No such miner." },
    { "mark 3 nice", 2, "neither sanctioned" },
    { "unblock", 2, "needs an argument" },
    { "unblock x", 2, "not the number of a block" },
    { "status now", 2, "one argument too many" },
    { "--port 0 block 1.2.3.4", 2, "--port needs a number" },
    { "--site berlin status", 2, "does not take that option" },
    { "--port 1 --site berlin enroll", 2, "does not take that option" },
    { "enroll", 2, "needs --site" },
    { "sensors list", 0, FAKE_SENSOR },
    { "sensors keys", 0, "FINGERPRINT" },
    { "sensors keys more", 2, "takes nothing more" },
    { "sensors frob", 2, "there is no 'sensors frob'" },
    { "sensors approve 1", 2, "needs --site" },
    { "sensors revoke", 2, "needs one key" },
    { "sensors revoke 1 --site a", 2, "does not take that option" },
    { "sensors revoke nobody", 1, "no key is called 'nobody'" },
    { "sensors revoke " FAKE_SENSOR, 0, "revoked: sensor " FAKE_SENSOR },
    { "sensors rotate 1", 0, "asked for a new key" },
    { "sensors rotate 2", 1, "no key is called '2'" },
    { "enroll --site berlin", 0, "lamp1-" },
    { "block --host 10.0.0.1", 2, "--host needs --site" },
    { "--colour status", 2, "--colour" },
    { "--help", 0, "Usage: davylamp" },
    { "--version", 0, "davylamp " },
    { "--token-file /nonexistent status", 1, "/nonexistent: No such file" },
    { "--url http://127.0.0.1:1 status", 1, "check that davylamp-aggregator runs" },
};

static void test_command_line(void **state)
{
    (void)state;
    static char out[65536];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const int status = run_cli(commands[i].arguments, out, sizeof(out));
        if (status != commands[i].status || !strstr(out, commands[i].says))
            fail_msg("davylamp %s: %d %s", commands[i].arguments, status, out);
        for (const char *p = out; *p; p++)
            if ((unsigned char)*p < ' ' && *p != '\n')
                fail_msg("davylamp %s: control character %d", commands[i].arguments, *p);
        assert_null(strstr(out, "\xe2\x80\xae"));
    }
}

/* ---- raw connections ---- */

static int connect_raw(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_port = htons(lamp_api_port(t.api)),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static void send_raw(int fd, const char *text)
{
    assert_int_equal(lamp_io_write_full(fd, text, strlen(text)), LAMP_OK);
}

/* Reads until the text holds `want`; false at the end of the stream or the time. */
static bool read_until(int fd, char *buf, size_t size, const char *want)
{
    const uint64_t deadline_us = lamp_clock_mono_us() + WAIT_MS * UINT64_C(1000);
    size_t len = strlen(buf);
    while (!strstr(buf, want)) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (len + 1 >= size || lamp_clock_mono_us() > deadline_us || poll(&p, 1, WAIT_MS) != 1)
            return false;
        const ssize_t n = read(fd, buf + len, size - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        buf[len] = '\0';
    }
    return true;
}

static int open_stream(const char *extra)
{
    char request[512];
    const int fd = connect_raw();
    snprintf(request, sizeof(request),
             "GET /api/v1/events HTTP/1.1\r\nHost: x\r\n"
             "Authorization: Bearer %s\r\n%s\r\n",
             t.token, extra);
    send_raw(fd, request);
    return fd;
}

static void test_smuggling_is_refused(void **state)
{
    (void)state;
    char buf[4096] = "";
    const int fd = connect_raw();
    send_raw(fd, "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_true(read_until(fd, buf, sizeof(buf), "\r\n"));
    assert_non_null(strstr(buf, " 400 "));
    close(fd);
}

static void test_events_arrive(void **state)
{
    (void)state;
    char buf[65536] = "", id[64];
    lamp_events_publish(t.events, LAMP_EVENT_MINER, 3, NULL); /* nobody was there for this one */
    const int fd = open_stream("");
    assert_true(read_until(fd, buf, sizeof(buf), "retry: 2000"));
    assert_non_null(strcasestr(buf, "Content-Type: text/event-stream"));
    lamp_events_publish(t.events, LAMP_EVENT_MINER, 3, NULL);
    assert_true(read_until(fd, buf, sizeof(buf), "event: miner\ndata: {\"id\":3,"));
    lamp_events_publish(t.events, LAMP_EVENT_MINER, 404, NULL);
    lamp_events_publish(t.events, LAMP_EVENT_SENSOR, 0, FAKE_SENSOR);
    assert_true(read_until(fd, buf, sizeof(buf), "event: sensor\ndata: {\"id\":\"" FAKE_SENSOR));
    assert_null(strstr(buf, "404"));
    lamp_events_publish(t.events, LAMP_EVENT_STATUS, 0, NULL);
    assert_true(read_until(fd, buf, sizeof(buf), "event: status\ndata: {\"version\":"));

    /* A stream that resumes gets what came in between; one of another run is told so. */
    const char *at = strstr(buf, "id: ");
    assert_non_null(at);
    snprintf(id, sizeof(id), "Last-Event-ID: %.*s\r\n", (int)strcspn(at + 4, "\n"), at + 4);
    close(fd);
    char again[65536] = "";
    const int resumed = open_stream(id);
    assert_true(read_until(resumed, again, sizeof(again), "event: sensor"));
    assert_null(strstr(again, "event: miner"));
    close(resumed);
    char other[65536] = "";
    const int stranger = open_stream("Last-Event-ID: abc-1\r\n");
    assert_true(read_until(stranger, other, sizeof(other), "event: gap\ndata: {}\n\n"));
    close(stranger);
}

/* Many status changes in a moment leave as one or two events, and the last is not lost. */
static void test_status_is_throttled(void **state)
{
    (void)state;
    char buf[65536] = "";
    const int fd = open_stream("");
    assert_true(read_until(fd, buf, sizeof(buf), "retry: 2000"));
    lamp_events_publish(t.events, LAMP_EVENT_STATUS, 0, NULL);
    assert_true(read_until(fd, buf, sizeof(buf), "event: status"));
    for (int i = 0; i < 50; i++)
        lamp_events_publish(t.events, LAMP_EVENT_STATUS, 0, NULL);
    lamp_events_publish(t.events, LAMP_EVENT_MINER, 3, NULL);
    assert_true(read_until(fd, buf, sizeof(buf), "event: miner"));
    const char *after = strstr(buf, "event: miner");
    char tail[65536] = "";
    snprintf(tail, sizeof(tail), "%s", after);
    assert_true(strstr(tail, "event: status") ||
                read_until(fd, tail, sizeof(tail), "event: status"));
    close(fd);
}

static void test_streams_are_capped(void **state)
{
    (void)state;
    char cookie[100], request[512];
    int fds[9];
    login(cookie);
    snprintf(request, sizeof(request),
             "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", cookie);
    for (int i = 0; i < 9; i++) {
        char buf[4096] = "";
        fds[i] = connect_raw();
        send_raw(fds[i], request);
        assert_true(read_until(fds[i], buf, sizeof(buf), i < 8 ? "retry: 2000" : "\r\n\r\n"));
        assert_non_null(strstr(buf, i < 8 ? " 200 " : " 503 "));
    }
    /* The end of the session ends its streams. */
    char headers[200];
    struct answer a;
    snprintf(headers, sizeof(headers), "Cookie: %s|Content-Type: application/json", cookie);
    call("DELETE", "/api/v1/session", headers, NULL, &a);
    assert_int_equal(a.status, 204);
    done(&a);
    char buf[4096] = "";
    assert_true(read_until(fds[0], buf, sizeof(buf), "0\r\n\r\n"));
    for (int i = 0; i < 9; i++)
        close(fds[i]);
}

/* Stopping with an open, silent stream must end it, not the process. Kept last: others need the
 * server. */
static void test_stop_with_open_streams(void **state)
{
    (void)state;
    char buf[4096] = "";
    const int fd = open_stream("");
    assert_true(read_until(fd, buf, sizeof(buf), "retry: 2000"));
    t.api = lamp_api_stop(t.api);
    assert_false(read_until(fd, buf, sizeof(buf), "never sent"));
    close(fd);
}

/* Addresses in the order asked for, with what the files say; no files and no resolver: unknown. */
static void test_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "?ip=",
                                       "?ip=1.2.3",
                                       "?ip=1.2.3.4,",
                                       "?ip=1.2.3.4,,::1",
                                       "?ip=1.2.3.4%20",
                                       "?adress=1.2.3.4" };
    struct answer a;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/api/v1/addresses%s", bad[i]);
        call("GET", path, NULL, NULL, &a);
        want_error(&a, 400, "invalid", "");
        done(&a);
    }
    call("GET", "/api/v1/addresses?ip=203.0.113.7,10.0.0.1,2001:db8::1", NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    const json_t *list = json_object_get(a.json, "addresses");
    assert_int_equal(json_array_size(list), 3);
    const json_t *first = json_array_get(list, 0), *second = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(first, "ip")), "203.0.113.7");
    assert_true(json_is_null(json_object_get(first, "country")));
    assert_true(json_is_false(json_object_get(first, "private")));
    assert_true(json_is_true(json_object_get(second, "private")));
    assert_string_equal(json_string_value(json_object_get(first, "host_name_state")), "off");
    done(&a);

    char many[4096] = "/api/v1/addresses?ip=::1";
    for (unsigned i = 0; i < 100; i++)
        strncat(many, ",::1", sizeof(many) - strlen(many) - 1);
    call("GET", many, NULL, NULL, &a);
    want_error(&a, 400, "invalid", "ip");
    done(&a);

    call("GET", "/api/v1/geo", NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(json_array_size(json_object_get(a.json, "sources")), 0);
    assert_true(json_is_false(json_object_get(json_object_get(a.json, "host_names"), "on")));
    done(&a);
}

/* ---- who may connect ---- */

/* A stranger who asks to be let in; returns its number. */
static int64_t knock(const char *key, const char *name)
{
    static struct lamp_pending_row rows[LAMP_PENDING_MAX];
    struct lamp_pending_row r = { .from = { { 0 } } };
    uint64_t refused;
    bool fresh;
    snprintf(r.key, sizeof(r.key), "%s", key);
    snprintf(r.name, sizeof(r.name), "%s", name);
    assert_int_equal(lamp_pending_ask(t.pending, &r, FAKE_NOW_US, &fresh), LAMP_OK);
    const size_t n = lamp_pending_copy(t.pending, rows, &refused);
    return rows[n - 1].id;
}

static size_t count_pending(void)
{
    static struct lamp_pending_row rows[LAMP_PENDING_MAX];
    uint64_t refused;
    return lamp_pending_copy(t.pending, rows, &refused);
}

static void test_keys(void **state)
{
    (void)state;
    struct answer a;
    const int64_t id = knock(FAKE_KEY, "<b>router</b>");
    call("GET", "/api/v1/keys", NULL, NULL, &a);
    assert_int_equal(a.status, 200);
    const json_t *key = json_array_get(json_object_get(a.json, "keys"), 0);
    const json_t *pending = json_array_get(json_object_get(a.json, "pending"), 0);
    const json_t *open = json_array_get(json_object_get(a.json, "enrollments"), 0);
    const char *print = json_string_value(json_object_get(key, "fingerprint"));
    assert_string_equal(json_string_value(json_object_get(key, "state")), "active");
    assert_int_equal(strlen(print), 39);
    assert_string_equal(json_string_value(json_object_get(pending, "fingerprint")), print);
    assert_string_equal(json_string_value(json_object_get(pending, "name")), "<b>router</b>");
    assert_true(json_is_null(json_object_get(open, "token")));
    done(&a);

    char path[64];
    snprintf(path, sizeof(path), "/api/v1/pending/%lld", (long long)id);
    static const struct {
        const char *body, *field;
    } bad[] = {
        { "{}", "action" },
        { "{\"action\":\"revoke\",\"site\":\"a\"}", "action" },
        { "{\"action\":\"approve\"}", "site" },
        { "{\"action\":\"approve\",\"site\":7}", "site" },
        { "{\"action\":\"approve\",\"site\":\"a\",\"key\":\"b\"}", "key" },
        { "{\"action\":\"approve\",\"site\":\"nowhere\"}", "site" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        call("POST", path, NULL, bad[i].body, &a);
        want_error(&a, 400, "invalid", bad[i].field);
        done(&a);
    }
    assert_int_equal(count_pending(), 1);
    call("POST", "/api/v1/pending/4711", NULL, "{\"action\":\"reject\"}", &a);
    want_error(&a, 404, "not_found", "");
    done(&a);
    call("POST", path, NULL, "{\"action\":\"approve\",\"site\":\"berlin\",\"name\":\"r1\"}", &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(t.last.kind, LAMP_CMD_ADMIT);
    assert_string_equal(t.last.key, FAKE_KEY);
    assert_string_equal(t.last.site, "berlin");
    assert_string_equal(t.last.name, "r1");
    assert_string_equal(t.last.actor, "cli");
    assert_int_equal(count_pending(), 0); /* decided about */
    done(&a);

    call("POST", "/api/v1/keys/1", NULL, "{\"action\":\"revoke\"}", &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(t.last.kind, LAMP_CMD_REVOKE);
    assert_int_equal(t.last.key_id, 1);
    assert_string_equal(json_string_value(json_object_get(a.json, "state")), "revoked");
    done(&a);
    call("POST", "/api/v1/keys/99", NULL, "{\"action\":\"rotate\"}", &a);
    want_error(&a, 404, "not_found", "");
    done(&a);
}

/* The answer carries the aggregator's key and a secret whose digest alone goes on. */
static void test_enrollment(void **state)
{
    (void)state;
    struct answer a;
    struct lamp_token token;
    uint8_t digest[32];
    call("POST", "/api/v1/enrollments", NULL, "{\"site\":\"berlin\",\"ttl\":60}", &a);
    assert_int_equal(a.status, 201);
    const char *text = json_string_value(json_object_get(a.json, "token"));
    assert_non_null(text);
    assert_int_equal(lamp_token_decode(text, &token), LAMP_OK);
    assert_memory_equal(token.server_key, server_key, sizeof(server_key));
    lamp_token_digest(token.secret, digest);
    assert_memory_equal(t.last.digest, digest, sizeof(digest));
    assert_int_equal(t.last.ttl_s, 60);
    done(&a);
    call("POST", "/api/v1/enrollments", NULL, "{\"site\":\"berlin\",\"ttl\":59}", &a);
    want_error(&a, 400, "invalid", "ttl");
    done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_every_route_needs_its_role),
        cmocka_unit_test(test_paths_and_methods),
        cmocka_unit_test(test_security_headers_are_everywhere),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_enrollment),
        cmocka_unit_test(test_hostile_text_is_data),
        cmocka_unit_test(test_miner_detail),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_pages_behind_what_is_gone),
        cmocka_unit_test(test_bad_queries_name_the_parameter),
        cmocka_unit_test(test_bad_blocks_name_the_field),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_block_and_unblock),
        cmocka_unit_test(test_other_sites_cannot_use_the_cookie),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_streams_are_capped),
        cmocka_unit_test(test_login_errors),
        cmocka_unit_test(test_store_errors_are_told),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_smuggling_is_refused),
        cmocka_unit_test(test_events_arrive),
        cmocka_unit_test(test_status_is_throttled),
        cmocka_unit_test(test_stop_with_open_streams),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
