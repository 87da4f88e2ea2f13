/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody for some sites alone may see: the names, and a rule for every table there is. What
 * the rules do is api.accounts' to show. */
#include "aggregator/store/sqlite.h"
#include "tests/support/aggregator.h"

static const struct {
    const char *scope, *site;
    bool has;
} cases[] = {
    { "", "berlin", true },
    { "", "", true },
    { "berlin", "berlin", true },
    { "berlin", "berli", false },
    { "berlin", "berlin2", false },
    { "berlin", "", false },
    { "berlin\nporto", "porto", true },
    { "berlin\nporto", "berlin", true },
    { "berlin\nporto", "berlin\nporto", false },
    { "\n", "", false },
    { "\n", "berlin", false },
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (lamp_scope_has(cases[i].scope, cases[i].site, strlen(cases[i].site)) != cases[i].has)
            fail_msg("case %zu", i);
}

/* Whoever adds a table says in sqlite_scope.c who may see its rows. */
static void test_every_table_has_a_rule(void **state)
{
    (void)state;
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    size_t n = 0;
    sqlite3_stmt *st = lamp_sqlite_bind(q,
                                        "SELECT name FROM sqlite_schema WHERE type IN ('table', "
                                        "'view') AND name NOT LIKE 'sqlite%'",
                                        NULL, 0);
    while (lamp_sqlite_step(q, st) > 0) {
        n++;
        if (!lamp_sqlite_has_scope_rule(lamp_col_str(st, 0)))
            fail_msg("sqlite_scope.c has no rule for the table %s", lamp_col_str(st, 0));
    }
    assert_true(n > 15);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_every_table_has_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
