/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of sites: what operators may set, what becomes of it in the set of a site. */
#include "aggregator/writer/sitebook.h"
#include "tests/support/aggregator.h"

struct fixture {
    char *folder;
    lamp_store *s;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_enroll(f->s, "s2", "south", TEST_NOW_US));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

/* value NULL: takes it back. */
static int command(struct fixture *f, const char *name, const char *site, const char *value)
{
    struct lamp_command c = { .kind = LAMP_CMD_SETTING, .actor = "ann", .approve = value != NULL };
    struct lamp_command_result r = { 0 };
    snprintf(c.setting.name, sizeof(c.setting.name), "%s", name);
    snprintf(c.setting.site, sizeof(c.setting.site), "%s", site);
    snprintf(c.setting.value, sizeof(c.setting.value), "%s", value ? value : "");
    const int err = lamp_sitebook_command(f->s, &c, TEST_NOW_US, &r);
    if (err == LAMP_ESTORE)
        fail_msg("%s", lamp_store_why(f->s));
    assert_true((err == LAMP_OK) == (r.why[0] == '\0')); /* each refusal says why */
    return err;
}

static const struct {
    const char *label, *name, *site, *value;
    int want;
} cases[] = {
    { "a number", "capture.interval", "north", "30", LAMP_OK },
    { "for all", "capture.interval", "", "300", LAMP_OK },
    { "a word", "log.level", "", "debug", LAMP_OK },
    { "yes or no", "capture.tunnels", "south", "false", LAMP_OK },
    { "again", "capture.tunnels", "south", "true", LAMP_OK },
    { "above the limit", "capture.interval", "", "301", LAMP_EFORMAT },
    { "below it", "capture.interval", "", "0", LAMP_EFORMAT },
    { "no number", "capture.interval", "", "soon", LAMP_EFORMAT },
    { "nothing", "log.level", "", "", LAMP_EFORMAT },
    { "no such word", "log.level", "", "loud", LAMP_EFORMAT },
    { "not from here", "sensor.site", "", "x", LAMP_ENOENT },
    { "not from here either", "enforce.mode", "", "off", LAMP_ENOENT },
    { "a price", "site.price", "north", "0.25", LAMP_OK },
    { "a price for all", "site.price", "", "0.3", LAMP_OK },
    { "no price", "site.price", "", "cheap", LAMP_EFORMAT },
    { "a place", "site.place", "north", "59.91 10.75", LAMP_OK },
    { "a place for all", "site.place", "", "59.91 10.75", LAMP_EFORMAT },
    { "no place on earth", "site.place", "north", "95 10", LAMP_EFORMAT },
    { "a place of no site", "site.place", "west", "59.91 10.75", LAMP_ENOENT },
    { "no such site", "log.level", "west", "debug", LAMP_ENOENT },
    { "taken back", "capture.tunnels", "south", NULL, LAMP_OK },
    { "taken back twice", "capture.tunnels", "south", NULL, LAMP_ENOENT },
    { "never set", "capture.tunnels", "", NULL, LAMP_ENOENT },
};

static void test_commands(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const int got = command(f, cases[i].name, cases[i].site, cases[i].value);
        if (got != cases[i].want)
            fail_msg("%s: %s", cases[i].label, lamp_strerror(got));
    }
}

/* The settings of a site as "name=value ..." */
static const char *set_of(struct fixture *f, const char *site)
{
    static char text[512];
    struct lamp_set set;
    size_t len = 0;
    ok(f->s, lamp_sitebook_build(f->s, site, TEST_NOW_US, &set));
    text[0] = '\0';
    for (size_t i = 0; i < set.n; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s=%.*s", i ? " " : "",
                             (int)set.entries[i].name.len, (const char *)set.entries[i].name.data,
                             (int)set.entries[i].text.len, (const char *)set.entries[i].text.data);
    lamp_set_done(&set);
    return text;
}

static void test_set(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(set_of(f, "north"), "");
    assert_int_equal(command(f, "site.price", "", "0.25"), LAMP_OK); /* nothing for sensors */
    assert_int_equal(command(f, "site.place", "north", "59.91 10.75"), LAMP_OK);
    assert_int_equal(command(f, "log.level", "", "debug"), LAMP_OK);
    assert_int_equal(command(f, "capture.interval", "", "60"), LAMP_OK);
    assert_int_equal(command(f, "capture.interval", "north", "5"), LAMP_OK);
    assert_int_equal(command(f, "capture.tunnels", "south", "false"), LAMP_OK);
    assert_string_equal(set_of(f, "north"), "capture.interval=5 log.level=debug");
    assert_string_equal(set_of(f, "south"),
                        "capture.interval=60 capture.tunnels=false log.level=debug");
    assert_int_equal(command(f, "capture.interval", "north", NULL), LAMP_OK);
    assert_string_equal(set_of(f, "north"), "capture.interval=60 log.level=debug");
    assert_int_equal(command(f, "log.level", "", NULL), LAMP_OK);
    assert_int_equal(command(f, "capture.interval", "", NULL), LAMP_OK);
    assert_string_equal(set_of(f, "north"), "");
    assert_string_equal(set_of(f, "south"), "capture.tunnels=false");
}

/* Of as many as there can be each can be changed, and there can be no other. */
static void test_full(void **state)
{
    struct fixture *f = *state;
    struct lamp_site_setting x = { .name = "capture.interval", .value = "60", .set_by = "ann" };
    for (unsigned i = 0; i < LAMP_SITEBOOK_MAX; i++) {
        if (i > 0)
            snprintf(x.site, sizeof(x.site), "%u", i);
        ok(f->s, lamp_store_setting_put(f->s, &x));
    }
    assert_int_equal(command(f, "capture.interval", "", "30"), LAMP_OK);
    assert_int_equal(command(f, "capture.interval", "north", "30"), LAMP_EFULL);
    assert_int_equal(command(f, "log.level", "", "debug"), LAMP_EFULL);
    assert_int_equal(command(f, "capture.interval", "", NULL), LAMP_OK);
    assert_int_equal(command(f, "log.level", "", "debug"), LAMP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
