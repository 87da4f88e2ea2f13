/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line makes of values: cells, and lists as tables. */
#include "aggregator/cli/table.h"
#include "common/util.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

static const double NOW = 1000000;

static const struct {
    const char *row, *path;
    lamp_cell_fn *cell;
    const char *words;
} cells[] = {
    { "{\"a\":\"x\"}", "a", lamp_cell_text, "x" },
    { "{\"a\":{\"b\":\"x\"}}", "a.b", lamp_cell_text, "x" },
    { "{\"a\":{\"b\":\"x\"}}", "a.c", lamp_cell_text, "-" },
    { "{\"a\":null}", "a.b.c", lamp_cell_text, "-" },
    { "{\"a\":\"\"}", "a", lamp_cell_text, "-" },
    { "{\"a\":\"\\u001b[2J\"}", "a", lamp_cell_text, "\\x1b[2J" },
    { "{\"a\":null}", "a", lamp_cell_all, "all" },
    { "{\"a\":\"\"}", "a", lamp_cell_all, "all" },
    { "{\"a\":\"berlin\"}", "a", lamp_cell_all, "berlin" },
    { "{\"a\":-7}", "a", lamp_cell_number, "-7" },
    { "{}", "a", lamp_cell_number, "0" },
    { "{\"a\":true}", "a", lamp_cell_yes, "yes" },
    { "{\"a\":1}", "a", lamp_cell_yes, "no" },
    { "{\"a\":1023}", "a", lamp_cell_bytes, "1023 B" },
    { "{\"a\":1536}", "a", lamp_cell_bytes, "1.50 KiB" },
    { "{\"a\":1125899906842624000}", "a", lamp_cell_bytes, "1000 PiB" },
    { "{\"a\":{\"up\":1024,\"down\":1024}}", "a", lamp_cell_traffic, "2.00 KiB" },
    { "{\"a\":{\"value\":12500000,\"unit\":\"H/s\"}}", "a", lamp_cell_rate, "12.5 MH/s" },
    { "{\"a\":null}", "a", lamp_cell_rate, "-" },
    { "{\"a\":[]}", "a", lamp_cell_newest, "-" },
    { "{\"a\":[\"x\"]}", "a", lamp_cell_newest, "x" },
    { "{\"a\":[\"x\",\"y\",\"z\"]}", "a", lamp_cell_newest, "x (+2)" },
    { "{\"a\":999995}", "a", lamp_cell_age, "5 s" },
    { "{\"a\":999881}", "a", lamp_cell_age, "119 s" },
    { "{\"a\":999880}", "a", lamp_cell_age, "2 min" },
    { "{\"a\":1000005}", "a", lamp_cell_age, "0 s" },
    { "{\"a\":null}", "a", lamp_cell_age, "-" },
    { "{\"a\":1172800}", "a", lamp_cell_left, "2 d" },
    { "{\"a\":999999}", "a", lamp_cell_left, "ended" },
    { "{\"a\":null}", "a", lamp_cell_left, "-" },
};

static void test_cells(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        char buf[LAMP_CELL];
        json_t *row = json_loads(cells[i].row, 0, NULL);
        assert_non_null(row);
        const char *words = cells[i].cell(row, cells[i].path, NOW, buf);
        if (!streq(words, cells[i].words))
            fail_msg("case %zu: %s instead of %s", i, words, cells[i].words);
        json_decref(row);
    }
}

static const struct lamp_column columns[] = {
    { "ID", "id", lamp_cell_number },
    { "NAME", "name", lamp_cell_text },
    { "LAST", "last", lamp_cell_text },
    { NULL, NULL, NULL },
};

/* Columns stand below each other, also with letters of several bytes; what is too wide is cut, but
 * never within a letter. */
static void test_table(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"id\":1,\"name\":\"m\xc3\xbcnchen\",\"last\":\"a\"},"
        "{\"id\":200,\"name\":\"x\",\"last\":"
        "\"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
        "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
        "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
        "0123456789012345678901234567890\"}]";
    static const char want[] =
        "ID   NAME     LAST\n"
        "1    m\xc3\xbcnchen  a\n"
        "200  x        "
        "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
        "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
        "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
        "01234567890123456…\n";
    char got[1024] = "";
    json_t *list = json_loads(text, 0, NULL);
    FILE *to = tmpfile();
    assert_true(list && to);
    fflush(stdout);
    const int kept = dup(STDOUT_FILENO);
    assert_true(kept >= 0 && dup2(fileno(to), STDOUT_FILENO) >= 0);
    lamp_table_print(list, columns, NOW);
    fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    close(kept);
    rewind(to);
    const size_t n = fread(got, 1, sizeof(got) - 1, to);
    fclose(to);
    json_decref(list);
    got[n] = '\0';
    assert_string_equal(got, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
