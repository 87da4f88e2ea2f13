/* SPDX-License-Identifier: Apache-2.0 */
/* Places and systems of addresses from files in both layouts, written by tests/support/mmdb.pl. */
#include "aggregator/places/geo.h"
#include "common/clock.h"
#include "tests/support/aggregator.h"

#include <math.h>
#include <sys/wait.h>

#define DAY_US UINT64_C(86400000000)

static char *folder;

static char *file(const char *name)
{
    static char paths[16][256];
    static unsigned next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof(paths[0]), "%s/%s.mmdb", folder, name);
    return path;
}

static lamp_geo *open_geo(const char *const *paths, size_t n)
{
    char why[512] = "";
    lamp_geo *g = NULL;
    assert_int_equal(lamp_geo_new(paths, n, &g), LAMP_OK);
    if (lamp_geo_reload(g, why, sizeof(why)) != LAMP_OK)
        fail_msg("%s", why);
    return g;
}

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        struct lamp_place want;
    } cases[] = {
        { "203.0.113.9",
          { "DE", "Bavaria", "Nuremberg", true, 49.45, 11.08, 0, 64500, "Example <b>Hosting</b>",
            1 } },
        { "198.51.100.1", { .country = "FR" } },
        { "198.51.100.200", { .country = "" } },
        /* the flat layout, with floats, from the third file */
        { "192.0.2.55", { "US", "California", "Mountain View", true, 37.4, -122.1, 2, 0, "", 0 } },
        { "2001:db8:1::7",
          { .country = "SE", .asn = 4200000000u, .as_source = 1 } }, /* 200 degrees */
        { "2001:db8:2::7", { .asn = 4200000000u, .as_source = 1 } },
        { "2a00::1", { .country = "" } },
        { "10.1.2.3", { .country = "" } },
        { "ff02::1", { .country = "" } },
    };
    const char *paths[] = { file("places"), file("systems"), file("flat") };
    lamp_geo *g = open_geo(paths, 3);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_addr a = test_addr(cases[i].ip);
        const struct lamp_place *want = &cases[i].want;
        struct lamp_place got;
        lamp_geo_find(g, &a, &got);
        if (!streq(got.country, want->country) || !streq(got.region, want->region) ||
            !streq(got.city, want->city) || got.has_coordinates != want->has_coordinates ||
            (want->has_coordinates && (fabs(got.latitude - want->latitude) > 1e-4 ||
                                       fabs(got.longitude - want->longitude) > 1e-4)) ||
            (*want->country && got.place_source != want->place_source) || got.asn != want->asn ||
            !streq(got.as_name, want->as_name) || (want->asn && got.as_source != want->as_source))
            fail_msg("%s: got %s/%s/%s %d %f %f from %u, AS%u %s from %u", cases[i].ip, got.country,
                     got.region, got.city, got.has_coordinates, got.latitude, got.longitude,
                     got.place_source, got.asn, got.as_name, got.as_source);
    }
    lamp_geo_free(g);
}

struct seen {
    unsigned n, old;
    uint64_t built_us;
    char names[256];
};

static void note_source(const struct lamp_geo_source *s, void *arg)
{
    struct seen *seen = arg;
    const size_t len = strlen(seen->names);
    snprintf(seen->names + len, sizeof(seen->names) - len, "%s (%s: %s) ", s->name, s->type,
             s->text);
    seen->n++;
    seen->old += s->old;
    seen->built_us = s->built_us;
}

static void test_sources(void **state)
{
    (void)state;
    const char *paths[] = { file("places"), file("flat") };
    lamp_geo *g = open_geo(paths, 2);
    struct seen now = { 0 };
    lamp_geo_sources(g, lamp_clock_real_us(), note_source, &now);
    assert_string_equal(now.names, "places.mmdb (Test-City: Made up for tests: places) "
                                   "flat.mmdb (city ipv4: Made up for tests: flat) ");
    assert_int_equal(now.old, 0);
    struct seen later = { 0 };
    lamp_geo_sources(g, now.built_us + (LAMP_GEO_OLD_DAYS * DAY_US) + 1, note_source, &later);
    assert_int_equal(later.old, 2);
    lamp_geo_free(g);
}

/* What cannot be opened is told with its name; what was open stays in use. */
static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *label, *bytes, *says;
    } cases[] = {
        { "missing", NULL, "No such file" },
        { "empty", "", "bad.mmdb: " },
        { "text", "this is no database", "bad.mmdb: " },
    };
    char why[512];
    const char *paths[] = { file("swap"), file("bad") };
    lamp_geo *g;
    assert_int_equal(lamp_geo_new(paths, 9, &g), LAMP_EFULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unlink(paths[0]);
        unlink(paths[1]);
        assert_int_equal(link(file("places"), paths[0]), 0);
        assert_int_equal(link(file("systems"), paths[1]), 0);
        g = open_geo(paths, 2);
        unlink(paths[1]);
        FILE *f = cases[i].bytes ? fopen(paths[1], "w") : NULL;
        if (f) {
            fputs(cases[i].bytes, f);
            fclose(f);
        }
        assert_int_not_equal(lamp_geo_reload(g, why, sizeof(why)), LAMP_OK);
        if (!strstr(why, cases[i].says))
            fail_msg("%s: %s", cases[i].label, why);
        struct lamp_place p;
        const struct lamp_addr a = test_addr("203.0.113.9");
        lamp_geo_find(g, &a, &p);
        assert_string_equal(p.country, "DE");
        assert_int_equal(p.asn, 64500);
        lamp_geo_free(g);
    }
}

/* Every byte of the data section changed once: whatever comes out, nothing breaks. */
static void test_damaged(void **state)
{
    (void)state;
    FILE *f = fopen(file("places"), "r");
    static uint8_t bytes[65536];
    const size_t len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    assert_in_range(len, 1000, sizeof(bytes) - 1);
    const char *path = file("damaged");
    lamp_geo *g;
    assert_int_equal(lamp_geo_new(&path, 1, &g), LAMP_OK);
    unsigned opened = 0;
    for (size_t i = 0; i < len; i += 7) {
        char why[512];
        bytes[i] ^= 0xff;
        unlink(path);
        f = fopen(path, "w");
        assert_int_equal(fwrite(bytes, 1, len, f), len);
        fclose(f);
        bytes[i] ^= 0xff;
        opened += lamp_geo_reload(g, why, sizeof(why)) == LAMP_OK;
        struct lamp_place p;
        const struct lamp_addr a = test_addr("203.0.113.9");
        lamp_geo_find(g, &a, &p);
    }
    assert_true(opened > 0);
    lamp_geo_free(g);
}

static int make_files(void **state)
{
    (void)state;
    char command[512];
    folder = new_folder();
    snprintf(command, sizeof(command), "perl %s %s", LAMP_MMDB_WRITER, folder);
    return system(command);
}

static int remove_files(void **state)
{
    (void)state;
    remove_folder(folder);
    free(folder);
    return 0;
}

int main(void)
{
    if (system("perl -MMaxMind::DB::Writer::Tree -e 1 2>/dev/null") != 0) {
        puts("skipped: libmaxmind-db-writer-perl is not installed");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
