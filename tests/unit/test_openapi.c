/* SPDX-License-Identifier: Apache-2.0 */
/* docs/api/openapi.yaml says what the code does: the same routes, and objects of the same keys. The
 * file keeps to a layout simple enough to be read line by line. */
#include "aggregator/api/api.h"
#include "aggregator/api/backup.h"
#include "aggregator/api/estimates.h"
#include "aggregator/api/impl.h"
#include "aggregator/api/json.h"
#include "aggregator/api/json_alerts.h"
#include "aggregator/api/json_imports.h"
#include "aggregator/api/json_settings.h"
#include "aggregator/api/pools_json.h"
#include "common/io.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <math.h>

static char *yaml;

static int load(void **state)
{
    (void)state;
    size_t len;
    return lamp_io_read_file(LAMP_OPENAPI, 1 << 20, &yaml, &len);
}

static int unload(void **state)
{
    (void)state;
    free(yaml);
    return 0;
}

/* The next line at *at without its newline; false at the end. */
static bool next_line(const char **at, char *line, size_t size)
{
    if (!**at)
        return false;
    const size_t len = strcspn(*at, "\n");
    snprintf(line, size, "%.*s", (int)len, *at);
    *at += len + ((*at)[len] == '\n');
    return true;
}

static bool route_is_served(const char *method, const char *path)
{
    size_t n;
    const struct lamp_route *routes = lamp_api_routes(&n);
    for (size_t i = 0; i < n; i++) {
        const char *tail = routes[i].path + strlen("/api/v1");
        if (strcasecmp(routes[i].method, method) == 0 && streq(tail, path))
            return true;
    }
    return false;
}

/* Every method of every path of the file is served, and no more than those. */
static void test_routes(void **state)
{
    (void)state;
    static const char *const methods[] = { "get", "post", "put", "patch", "delete" };
    char line[512], path[128] = "";
    size_t n_served, n = 0;
    const char *at = strstr(yaml, "\npaths:\n") + strlen("\npaths:\n");
    while (next_line(&at, line, sizeof(line)) && line[0] == ' ') {
        if (strncmp(line, "  /", 3) == 0)
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(line + 2, ":"), line + 2);
        for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
            char want[32];
            snprintf(want, sizeof(want), "    %s:", methods[i]);
            if (!streq(line, want))
                continue;
            n++;
            if (!route_is_served(methods[i], path))
                fail_msg("openapi.yaml names %s %s, which is not served", methods[i], path);
        }
    }
    lamp_api_routes(&n_served);
    assert_int_equal(n, n_served);
}

/* The `required` list of a schema as a set of keys. */
static json_t *required_of(const char *schema)
{
    char head[64], line[1024];
    json_t *set = json_object();
    snprintf(head, sizeof(head), "\n    %s:\n", schema);
    const char *at = strstr(strstr(yaml, "\n  schemas:\n"), head);
    if (!at)
        fail_msg("no schema %s", schema);
    at += strlen(head);
    while (next_line(&at, line, sizeof(line)) && strncmp(line, "      ", 6) == 0) {
        if (strncmp(line, "      required: [", 17) != 0)
            continue;
        for (char *p = line + 17; *p && *p != ']';) {
            p += *p == '"'; /* "no" is a word of YAML */
            const size_t len = strcspn(p, "\",]");
            json_object_setn_new(set, p, len, json_null());
            p += len + strspn(p + len, "\", ");
        }
    }
    return set;
}

static void check_object(const char *schema, json_t *object)
{
    json_t *required = required_of(schema), *value;
    const char *key;
    assert_true(json_is_object(object));
    json_object_foreach(required, key, value) if (!json_object_get(object, key))
        fail_msg("%s: %s is promised and missing", schema, key);
    json_object_foreach(object, key, value) if (!json_object_get(required, key))
        fail_msg("%s: %s is sent and not promised", schema, key);
    json_decref(required);
}

static json_t *parse(struct lamp_json *j)
{
    size_t len;
    char *text = lamp_json_take(j, &len);
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    lamp_json_done(j);
    return object;
}

static void check_keys(const char *schema, struct lamp_json *j)
{
    json_t *object = parse(j);
    check_object(schema, object);
    json_decref(object);
}

static void test_imports(void **state)
{
    (void)state;
    struct lamp_json j;
    const struct lamp_imports_progress progress = { .received = 1 };
    lamp_json_init(&j, 65536);
    lamp_api_json_import(&j, &(struct lamp_import){ .id = 1 }, &progress);
    json_t *o = parse(&j);
    check_object("Import", o);
    check_object("ImportProgress", json_object_get(o, "progress"));
    json_decref(o);
    lamp_json_init(&j, 65536);
    lamp_api_json_import_file(&j, &(struct lamp_import_file){ .no = 1 });
    check_keys("ImportFile", &j);
    lamp_json_init(&j, 65536);
    lamp_api_json_import_minute(&j, &(struct lamp_import_minute){ .minute = 1 });
    check_keys("ImportMinute", &j);
    lamp_json_init(&j, 65536);
    lamp_api_json_import_conn(&j, &(struct lamp_import_conn){ 1, 1, LAMP_VERDICT_NONE, "{}", 2 });
    check_keys("ImportConnection", &j);
}

/* What a rate stands for, where something is known of it. */
/* A kWh costs 0.3, and 0.5 at north. */
static lamp_facts *new_facts(void)
{
    static char dear[] = "north=0.5";
    static char *lines[] = { dear };
    char why[128];
    lamp_facts *f;
    assert_int_equal(lamp_facts_new(0.3, &(struct lamp_strlist){ lines, 1 },
                                    &(struct lamp_strlist){ 0 }, &f, why, sizeof(why)),
                     LAMP_OK);
    return f;
}

static void test_devices(void **state)
{
    (void)state;
    lamp_facts *facts = new_facts();
    lamp_devices *devices;
    char why[256];
    assert_int_equal(lamp_devices_load(LAMP_DATA, &devices, why, sizeof(why)), LAMP_OK);
    const struct lamp_miner_view miner = { .algorithms = "sha256d\nscrypt",
                                           .rate = { 1e14, 9e13, 1.1e14, LAMP_RATE_SHARES, 0 } };
    struct lamp_json j;
    lamp_json_init(&j, 65536);
    lamp_json_object(&j, NULL);
    lamp_api_json_miner_fields(&j, &miner, &(struct lamp_api_power){ devices, facts });
    lamp_json_end(&j);
    json_t *o = parse(&j);
    json_t *d = json_object_get(o, "devices"), *p = json_object_get(o, "power");
    check_object("Devices", d);
    check_object("DeviceModel", json_array_get(json_object_get(d, "models"), 0));
    check_object("Power", p);
    check_object("Range", json_object_get(p, "cost_per_day"));
    json_decref(o);
    lamp_facts_free(facts);
    lamp_devices_free(devices);
}

/* Three miners of two sites: what is counted, what adds up, and what the file promises of it. */
static void test_estimates(void **state)
{
    (void)state;
    lamp_devices *devices;
    lamp_estimates *e;
    char why[256];
    struct lamp_json j;
    lamp_facts *facts = new_facts();
    assert_int_equal(lamp_devices_load(LAMP_DATA, &devices, why, sizeof(why)), LAMP_OK);
    assert_int_equal(lamp_estimates_new(LAMP_BY_SITE, &e), LAMP_OK);
    struct lamp_miner_view v = { .site = "north",
                                 .algorithms = "sha256d\nscrypt",
                                 .verdict = LAMP_VERDICT_CONFIRMED,
                                 .state = LAMP_MINER_CONFIRMED,
                                 .open_connections = 1,
                                 .rate = { 1e14, 9e13, 1.1e14, LAMP_RATE_SHARES, 2.6e25 } };
    const struct lamp_api_power power = { devices, facts };
    lamp_estimates_add(e, &v, &power);
    lamp_estimates_add(e, &v, &power);
    v.site = "south";
    lamp_estimates_add(e, &v, &power);
    v.verdict = LAMP_VERDICT_SUSPECTED;
    lamp_estimates_add(e, &v, &power);
    v.verdict = LAMP_VERDICT_CONFIRMED;
    v.state = LAMP_MINER_DISMISSED;
    lamp_estimates_add(e, &v, &power);
    v.state = LAMP_MINER_BLOCKED;
    v.open_connections = 0;
    lamp_estimates_add(e, &v, &power);
    lamp_json_init(&j, 65536);
    lamp_estimates_json(e, &j);
    json_t *o = parse(&j);
    check_object("Estimates", o);
    json_t *total = json_object_get(o, "total"), *groups = json_object_get(o, "estimates");
    check_object("Estimate", total);
    check_object("EstimateRate", json_array_get(json_object_get(total, "hashrates"), 0));
    check_object("EstimateModel", json_array_get(json_object_get(o, "models"), 0));
    check_object("EstimateKinds", json_object_get(o, "other_models"));
    assert_int_equal(json_array_size(groups), 2);
    double watts[2], cost[2], all, rate;
    int miners;
    const char *name;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(json_unpack(json_array_get(groups, i), "{s:s,s:{s:F},s:{s:F}}", "name",
                                     &name, "watts", "value", &watts[i], "cost_per_day", "value",
                                     &cost[i]),
                         0);
    assert_string_equal(name, "south"); /* the larger one first */
    assert_int_equal(json_unpack(total, "{s:i,s:{s:F},s:[{s:F}]}", "miners", &miners, "watts",
                                 "value", &all, "hashrates", "value", &rate),
                     0);
    assert_int_equal(miners, 3);
    assert_true(rate > 2.999e14 && rate < 3.001e14);
    assert_true(all > 0 && fabs(all / watts[0] - 1.5) < 0.001); /* of means, all three alike */
    assert_true(fabs(cost[0] / (watts[0] * 0.024 * 0.5) - 1) < 0.001);
    assert_true(fabs(cost[1] / (watts[1] * 0.024 * 0.3) - 1) < 0.001);
    json_decref(o);
    lamp_estimates_free(e);
    lamp_facts_free(facts);
    lamp_devices_free(devices);
}

static void test_history_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *scope;
        enum lamp_role role;
        bool told, why;
    } cases[] = {
        { "", LAMP_ROLE_NONE, true, false },     { "", LAMP_ROLE_VIEWER, true, false },
        { "", LAMP_ROLE_OPERATOR, true, true },  { "", LAMP_ROLE_ADMIN, true, true },
        { "a", LAMP_ROLE_VIEWER, false, false }, { "a", LAMP_ROLE_ADMIN, false, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_identity who = { .role = cases[i].role };
        struct lamp_exporter_state s = { .fault = LAMP_CLICKHOUSE_LOGIN,
                                         .faults = { [LAMP_CLICKHOUSE_LOGIN] = 1 },
                                         .why = "Code: 516 on db7.example" };
        struct lamp_json j;
        struct lamp_reply reply = { .status = 0 };
        snprintf(who.scope, sizeof(who.scope), "%s", cases[i].scope);
        lamp_json_init(&reply.json, 4096);
        lamp_api_past_failed(NULL, &who, LAMP_EIO, s.why, &reply);
        assert_int_equal(reply.status, 503);
        assert_int_equal(strstr(reply.json.buf, "db7") != NULL, cases[i].why);
        lamp_json_done(&reply.json);
        assert_int_equal(lamp_api_history_told(&who, &s), cases[i].told);
        lamp_json_init(&j, 65536);
        lamp_api_json_status(&j, &(struct lamp_status_view){ .sensors = 1 }, 1, 2, false,
                             cases[i].told ? &s : NULL);
        assert_int_equal(strstr(j.buf, "db7") != NULL, cases[i].why);
        assert_int_equal(strstr(j.buf, "\"login\"") != NULL, cases[i].told);
        check_keys("Status", &j);
    }
}

static void test_objects(void **state)
{
    (void)state;
    struct lamp_json j;
    lamp_json_init(&j, 65536);
    lamp_api_json_status(&j, &(struct lamp_status_view){ .sensors = 1 }, 1, 2, false, NULL);
    check_keys("Status", &j);

    lamp_json_init(&j, 65536);
    lamp_json_object(&j, NULL);
    lamp_api_json_sensor_fields(&j, &(struct lamp_sensor_view){ .id = "a" });
    lamp_json_array(&j, "sets");
    lamp_api_json_sensor_set(&j, &(struct lamp_sensor_set_view){ .kind = LAMP_SET_WATCH });
    lamp_json_end(&j);
    lamp_json_end(&j);
    check_keys("Sensor", &j);

    lamp_json_init(&j, 65536);
    lamp_json_object(&j, NULL);
    lamp_api_json_miner_fields(&j, &(struct lamp_miner_view){ .id = 1 },
                               &(struct lamp_api_power){ NULL, NULL });
    lamp_json_end(&j);
    check_keys("Miner", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_sighting(&j, &(struct lamp_sighting_view){ .kind = "share" });
    check_keys("TimelineReason", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_step(&j, &(struct lamp_step_view){ .state = "ended" });
    check_keys("TimelineState", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_minute(&j, &(struct lamp_minute_view){ .minute = 1 }, "H/s");
    check_keys("Minute", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_connection(&j, &(struct lamp_conn_view){ .id = 1 });
    check_keys("Connection", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_key(&j, &(struct lamp_sensor_key){ .id = 1 });
    check_keys("SensorKey", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_pending(&j, &(struct lamp_pending_row){ .id = 1 });
    check_keys("PendingKey", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_token(&j, &(struct lamp_enroll_token){ .id = 1 }, NULL);
    check_keys("Enrollment", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_alert(&j, &(struct lamp_alert_view){ .id = 1 });
    check_keys("Alert", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_own(&j, &(struct lamp_own){ .id = 1 });
    check_keys("Own", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_setting(&j, &(struct lamp_site_setting){ .name = "log.level" });
    check_keys("Setting", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_setting_known(&j, lamp_setting_find("log.level"), "sensor");
    check_keys("SettingKnown", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_policy(&j, &(struct lamp_policy){ .id = 1 });
    check_keys("Policy", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_policy_hit(&j, &(struct lamp_policy_hit){ .policy_id = 1 });
    check_keys("PolicyHit", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_account(&j, &(struct lamp_account){ .role = LAMP_ROLE_VIEWER });
    check_keys("User", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_api_token(&j, &(struct lamp_api_token){ .id = 1 }, NULL);
    check_keys("Token", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_session(&j, &(struct lamp_session_view){ .id = 1 }, true);
    check_keys("OpenSession", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_address(&j, &(struct lamp_address_view){ .host_name = "" });
    check_keys("Address", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_traffic(&j, &(struct lamp_traffic_view){ .is_other = true });
    check_keys("Traffic", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_traffic_total(&j, NULL, &(struct lamp_traffic_view){ .flows = 1 });
    check_keys("TrafficTotal", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_site(&j, &(struct lamp_site_view){ "a", "b", "c", 1, 2, 3 }, NULL);
    check_keys("Site", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_backup(&j, &(struct lamp_backup_view){ .state = LAMP_BACKUP_NONE }, "db");
    check_keys("Backup", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_coin(&j, &(struct lamp_coin_view){ .coin = "XMR" }, LAMP_COINS_BY_POOL);
    check_keys("CoinShare", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_coin_point(&j, &(struct lamp_coin_view){ .coin = "" });
    check_keys("CoinPoint", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_gap(&j, &(struct lamp_gap_view){ .sensor = "a" });
    check_keys("Gap", &j);

    lamp_json_init(&j, 65536);
    lamp_json_object(&j, NULL);
    lamp_api_json_block_fields(&j, &(struct lamp_block_view){ .id = 1 }, 0);
    lamp_json_array(&j, "sensors");
    lamp_json_end(&j);
    lamp_json_end(&j);
    check_keys("Block", &j);
}

/* The same for the catalogue. */
static void test_pools(void **state)
{
    (void)state;
    struct lamp_json j;
    lamp_json_init(&j, 65536);
    lamp_api_json_pool(&j, NULL, &(struct lamp_pool_view){ .id = 1, .coins = "" });
    check_keys("Pool", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_pool_entry(&j, NULL, &(struct lamp_pool_entry){ .id = 1 });
    check_keys("PoolEntry", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_pool_address(&j, NULL, &(struct lamp_pool_address){ .cname = "" }, NULL);
    check_keys("PoolAddress", &j);

    lamp_json_init(&j, 65536);
    lamp_json_object(&j, NULL);
    lamp_api_json_pool_server_fields(&j, &(struct lamp_pool_server){ .id = 1 });
    lamp_json_array(&j, "addresses");
    lamp_json_end(&j);
    lamp_json_end(&j);
    check_keys("PoolServer", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_pool_endpoint(&j, NULL, &(struct lamp_pool_endpoint){ .id = 1 });
    check_keys("PoolEndpoint", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_pool_change(&j, NULL, &(struct lamp_pool_change){ .at_us = 1 });
    check_keys("PoolChange", &j);

    lamp_json_init(&j, 65536);
    lamp_api_json_pool_version(&j, &(struct lamp_pool_version){ .no = 1 });
    check_keys("PoolVersion", &j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_imports), cmocka_unit_test(test_devices),
        cmocka_unit_test(test_routes),  cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_objects), cmocka_unit_test(test_history_is_told),
        cmocka_unit_test(test_pools),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
