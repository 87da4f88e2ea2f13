/* SPDX-License-Identifier: Apache-2.0 */
/* What the aggregator may set, and what of it a sensor takes. */
#include "common/log.h"
#include "common/settings.h"
#include "sensor/settings.h"
#include "tests/support/test.h"

static const struct lamp_opt *option(const char *key)
{
    for (size_t i = 0; i < lamp_sensor_conf_spec.n_opts; i++)
        if (streq(lamp_sensor_conf_spec.opts[i].key, key))
            return &lamp_sensor_conf_spec.opts[i];
    fail_msg("the sensor has no option %s", key);
    return NULL;
}

/* What the aggregator checks is what the sensor checks. */
static void test_same_limits(void **state)
{
    (void)state;
    size_t n;
    const struct lamp_opt *all = lamp_settings(&n);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        const struct lamp_opt *own = option(all[i].key);
        assert_true(strlen(all[i].key) < LAMP_SETTING_NAME);
        assert_ptr_equal(lamp_setting_find(all[i].key), &all[i]);
        assert_int_equal(all[i].type, own->type);
        assert_int_equal(all[i].min, own->min);
        assert_int_equal(all[i].max, own->max);
        assert_string_equal(all[i].def, own->def);
        assert_true(!all[i].unit == !own->unit && (!own->unit || streq(all[i].unit, own->unit)));
        assert_true(!all[i].values == !own->values);
        assert_true(!own->values || streq(all[i].values, own->values));
    }
    assert_null(lamp_setting_find("sensor.site"));
    assert_null(lamp_setting_find("enforce.mode"));
}

static void load(char **argv, int argc, struct lamp_sensor_conf *out)
{
    int first;
    *out = (struct lamp_sensor_conf){ 0 };
    assert_int_equal(lamp_conf_load(&lamp_sensor_conf_spec, argc, argv, out, &first),
                     LAMP_CONF_RUN);
}

/* One entry each, over a sensor whose file (here the command line) sets capture.interval. */
static const struct {
    const char *name, *value, *detail;
    int64_t interval, rows, rate;
    bool tunnels;
    int level;
} cases[] = {
    { "capture.traffic_rows", "50", "", 7, 50, 131072, true, LAMP_LOG_INFO },
    { "capture.tunnels", "false", "", 7, 2000, 131072, false, LAMP_LOG_INFO },
    { "link.sample_rate", "2048", "", 7, 2000, 2048, true, LAMP_LOG_INFO },
    { "log.level", "debug", "", 7, 2000, 131072, true, LAMP_LOG_DEBUG },
    { "capture.interval", "3", "not taken: capture.interval: set on this sensor", 7, 2000, 131072,
      true, LAMP_LOG_INFO },
    { "capture.traffic_rows", "0", "not taken: capture.traffic_rows: expected 1..100000, got '0'",
      7, 2000, 131072, true, LAMP_LOG_INFO },
    { "capture.traffic_rows", "9 9",
      "not taken: capture.traffic_rows: expected 1..100000, got '9?9'", 7, 2000, 131072, true,
      LAMP_LOG_INFO },
    { "sensor.site", "other", "not taken: sensor.site: not known here", 7, 2000, 131072, true,
      LAMP_LOG_INFO },
    { "link.endpoint", "tcp://h:1", "not taken: link.endpoint: not known here", 7, 2000, 131072,
      true, LAMP_LOG_INFO },
    { "of.tomorrow", "", "not taken: of.tomorrow: not known here", 7, 2000, 131072, true,
      LAMP_LOG_INFO },
};

static void test_apply(void **state)
{
    (void)state;
    char *argv[] = { "sensor", "--config", "/dev/null", "--capture-interval", "7", NULL };
    struct lamp_sensor_conf base, now;
    load(argv, 5, &base);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char detail[LAMP_SETTINGS_DETAIL];
        const struct lamp_set_entry e = { .action = LAMP_SET_ADD,
                                          .name = lamp_bytes_of(cases[i].name),
                                          .text = lamp_bytes_of(cases[i].value) };
        lamp_settings_apply(&base, &e, 1, &now, detail);
        if (!streq(detail, cases[i].detail))
            fail_msg("%s = %s: %s", cases[i].name, cases[i].value, detail);
        assert_int_equal(now.capture.interval_s, cases[i].interval);
        assert_int_equal(now.capture.traffic_rows, cases[i].rows);
        assert_int_equal(now.link.sample_rate, cases[i].rate);
        assert_int_equal(now.capture.tunnels, cases[i].tunnels);
        assert_int_equal(now.log_level, cases[i].level);
        assert_ptr_equal(now.site, base.site);
    }
    lamp_sensor_conf_free(&base);
}

/* Many that are not taken: told as far as there is room, and no further. */
static void test_many(void **state)
{
    (void)state;
    char *argv[] = { "sensor", "--config", "/dev/null", NULL };
    struct lamp_sensor_conf base, now;
    static char name[LAMP_WIRE_SET_NAME_MAX + 1];
    struct lamp_set_entry e[20];
    char detail[LAMP_SETTINGS_DETAIL];
    load(argv, 3, &base);
    memset(name, 'x', sizeof(name) - 1);
    for (size_t i = 0; i < ARRAY_LEN(e); i++)
        e[i] = (struct lamp_set_entry){ .name = lamp_bytes_of(name), .text = lamp_bytes_of("1") };
    lamp_settings_apply(&base, e, ARRAY_LEN(e), &now, detail);
    assert_int_equal(strlen(detail), LAMP_SETTINGS_DETAIL - 1);
    lamp_sensor_conf_free(&base);
}

static int feed(const struct lamp_msg *m, void *arg)
{
    assert_false(lamp_settings_feed(arg, m));
    return LAMP_OK;
}

/* Ends a set with a manifest of the serial; 0: with none. */
static bool end(struct lamp_settings *s, uint64_t serial)
{
    struct lamp_msg m = { .type = LAMP_MSG_SET_END };
    const struct lamp_set_manifest manifest = {
        .site = lamp_bytes_of("north"), .kind = LAMP_SET_POLICY, .epoch = 5, .serial = serial
    };
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len = 0;
    if (serial)
        assert_int_equal(lamp_set_manifest_pack(&manifest, &packed, &len), LAMP_OK);
    m.u.set_end.manifest = (struct lamp_bytes){ packed, len };
    return lamp_settings_feed(s, &m);
}

/* As enforce passes it on: whole, of other kinds too, and an empty one when it is over. */
static void test_feed(void **state)
{
    (void)state;
    char *argv[] = { "sensor", "--config", "/dev/null", NULL };
    struct lamp_sensor_conf base;
    struct lamp_settings s;
    struct lamp_set_entry e = { .action = LAMP_SET_ADD,
                                .name = lamp_bytes_of("capture.interval"),
                                .text = lamp_bytes_of("3") };
    const struct lamp_set set = { &e, 1, NULL };
    const struct lamp_set none = { NULL, 0, NULL };
    struct lamp_set_begin begin = { .kind = LAMP_SET_POLICY, .mode = LAMP_SET_FULL };
    load(argv, 3, &base);
    lamp_settings_init(&s, &base);
    assert_int_equal(s.now.capture.interval_s, 10);
    assert_int_equal(s.head.serial, 0);

    begin.kind = LAMP_SET_WATCH;
    assert_int_equal(lamp_collect_send(&begin, &set, feed, &s), LAMP_OK);
    assert_false(end(&s, 1));
    assert_int_equal(s.now.capture.interval_s, 10);

    begin.kind = LAMP_SET_POLICY;
    assert_int_equal(lamp_collect_send(&begin, &set, feed, &s), LAMP_OK);
    assert_true(end(&s, 2));
    assert_int_equal(s.now.capture.interval_s, 3);
    assert_int_equal(s.head.serial, 2);
    assert_int_equal(s.head.epoch, 5);
    assert_false(end(&s, 3)); /* of nothing that began */

    assert_int_equal(lamp_collect_send(&begin, &none, feed, &s), LAMP_OK);
    assert_true(end(&s, 0));
    assert_int_equal(s.now.capture.interval_s, 10);
    assert_int_equal(s.head.serial, 0);
    lamp_settings_done(&s);
    lamp_sensor_conf_free(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_limits),
        cmocka_unit_test(test_apply),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_feed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
