/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/aggregator.h"

#include "aggregator/sensors_file.h"

#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define HEX "54FCBA24E93249969316FB617C872BB0C1D1FF14800427C594CBFACF1BC2D652"

static const struct {
    const char *label, *text, *error; /* error NULL: good */
    size_t n;
} cases[] = {
    { "empty", "", NULL, 0 },
    { "comments", "# KEY SITE NAME\n\n   # more\n", NULL, 0 },
    { "one", KEY " north s1\n", NULL, 1 },
    { "hex, tabs, no newline", HEX "\tnorth\ts1", NULL, 1 },
    { "short key", "abc north s1\n", ":1: the key", 0 },
    { "bad site", KEY " no/rth s1\n", ":1: the site", 0 },
    { "two fields", "# x\n" KEY " north\n", ":2: a line is", 0 },
    { "four fields", KEY " north s1 s2\n", ":1: a line is", 0 },
    { "same key", KEY " a s1\n" HEX " a s2\n", "the same key", 0 },
};

static void test_files(void **state)
{
    (void)state;
    char *folder = new_folder(), path[128];
    snprintf(path, sizeof(path), "%s/sensors", folder);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *errors = NULL;
        size_t size = 0, n = 0;
        FILE *file = fopen(path, "w"), *err = open_memstream(&errors, &size);
        assert_true(file && err);
        fputs(cases[i].text, file);
        fclose(file);
        struct lamp_allowed *v = NULL;
        const int got = lamp_sensors_file_read(path, err, &v, &n);
        fclose(err);
        if ((got == LAMP_OK) != !cases[i].error ||
            (cases[i].error && !strstr(errors, cases[i].error)))
            fail_msg("%s: got %s, said %s", cases[i].label, lamp_strerror(got), errors);
        assert_int_equal(n, cases[i].n);
        if (n) {
            assert_string_equal(v[0].key, KEY);
            assert_string_equal(v[0].site, "north");
            assert_string_equal(v[0].id, "s1");
            assert_true(v[0].active);
        }
        free(v);
        free(errors);
    }
    remove_folder(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_files) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
