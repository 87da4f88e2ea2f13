/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader for some sites alone sees of the SQLite store.
 *
 * Temporary views take the place of the tables (sqlite.org/lang_naming.html: temp comes first), so
 * that every query there is, and every one to come, sees only rows of these sites. A table without
 * a rule here seems empty: what is new is shown to nobody before somebody has thought about it. */
#include "aggregator/store/sqlite.h"

#include <stdio.h>

#define SITES "SELECT no FROM main.site WHERE in_scope(name)"
#define SENSORS "SELECT no FROM main.sensor WHERE site IN (" SITES ")"

#define IMPORT "import IN (SELECT id FROM main.import WHERE in_scope(site))"

#define BASELINE "baseline IN (SELECT id FROM main.baseline WHERE in_scope(site))"

#define MINER "EXISTS (SELECT 1 FROM main.miner m WHERE m.id = miner AND m.site IN (" SITES "))"

static const struct {
    const char *table, *where;
} rules[] = {
    { "account", "0" },
    { "access_token", "0" },
    { "audit", "0" },
    { "meta", "1" },
    { "site", "in_scope(name)" },
    { "sensor", "site IN (" SITES ")" },
    { "miner", "site IN (" SITES ")" },
    { "conn", "site IN (" SITES ")" },
    { "conn_minute", "site IN (" SITES ")" },
    { "rollup_minute", "site IN (" SITES ")" },
    { "rollup_part", "site IN (" SITES ")" },
    { "traffic_pack", "site IN (" SITES ")" },
    { "traffic_late", "0" }, /* the writer's alone */
    { "traffic_minute", "site IN (" SITES ")" },
    { "traffic_hour", "site IN (" SITES ")" },
    { "traffic_day", "site IN (" SITES ")" },
    { "traffic_minutes", "site IN (" SITES ")" },
    { "conn_by_minute", "site IN (" SITES ")" },
    { "conn_by_hour", "site IN (" SITES ")" },
    { "conn_by_day", "site IN (" SITES ")" },
    { "conn_minutes", "site IN (" SITES ")" },
    { "trace", "0" }, /* the fleet's, and the writer's alone */
    { "proved", "in_scope(site)" },
    { "pair", "site IN (" SITES ")" },
    { "capture_run", "sensor IN (" SENSORS ")" },
    { "capture_outcome", "sensor IN (" SENSORS ")" },
    { "stream", "sensor IN (" SENSORS ")" },
    { "gap", "sensor IN (" SENSORS ")" },
    { "sensor_set", "sensor IN (" SENSORS ")" },
    { "block_sensor", "sensor IN (" SENSORS ")" },
    { "evidence",
      "EXISTS (SELECT 1 FROM main.conn c WHERE c.id = conn AND c.site IN (" SITES "))" },
    { "sighting", MINER },
    { "level", MINER },
    { "step", MINER },
    { "alert", "in_scope(site)" },
    { "own", "site = '' OR in_scope(site)" },
    { "policy", "site = '' OR in_scope(site)" },
    { "policy_hit", "in_scope(site)" },
    { "set_step", "0" }, /* the writer's alone */
    { "setting", "site = '' OR in_scope(site)" },
    { "sample", "site = '' OR in_scope(site)" },
    { "sample_file", "sensor IN (" SENSORS ")" },
    { "tracking", "site = '' OR in_scope(site)" },
    { "tracking_sensor", "sensor IN (" SENSORS ")" },
    { "tracking_step", "sensor IN (" SENSORS ")" },
    { "baseline", "in_scope(site)" },
    { "baseline_version", BASELINE },
    { "baseline_entry", BASELINE },
    { "baseline_news", BASELINE },
    { "history_cursor", "1" },
    { "history_late", "0" }, /* the writer's alone */
    { "pool", "1" },         /* the catalogue is about nobody's site */
    { "pool_server", "1" },
    { "pool_address", "1" },
    { "pool_entry", "1" },
    { "pool_version", "1" },
    { "pool_endpoint", "1" },
    { "pool_change", "1" },
    { "import", "in_scope(site)" },
    { "import_file", IMPORT },
    { "import_conn", IMPORT },
    { "import_minute", IMPORT },
    /* A block of every site is one of theirs too. */
    { "block", "site = '' OR in_scope(site)" },
    { "set_history", "site = '' OR in_scope(site)" },
    { "sensor_key", "in_scope(site)" },
    { "enroll_token", "in_scope(site)" },
};

bool lamp_sqlite_has_scope_rule(const char *table)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (streq(rules[i].table, table))
            return true;
    return false;
}

static const char *rule_of(const char *table)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (streq(rules[i].table, table))
            return rules[i].where;
    return "0";
}

static void in_scope(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    const struct lamp_sqlite *q = sqlite3_user_data(ctx);
    const char *site = (const char *)sqlite3_value_text(args[0]);
    (void)n;
    sqlite3_result_int(
        ctx, site && lamp_scope_has(q->scope, site, (size_t)sqlite3_value_bytes(args[0])));
}

static int exec(struct lamp_sqlite *q, const char *sql)
{
    if (sqlite3_exec(q->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return LAMP_OK;
    snprintf(q->base.why, sizeof(q->base.why), "%s", sqlite3_errmsg(q->db));
    return LAMP_ESTORE;
}

/* One view a table; the names come from the schema, so they are quoted. */
static int make_views(struct lamp_sqlite *q)
{
    sqlite3_stmt *st = lamp_sqlite_bind(q,
                                        "SELECT name FROM main.sqlite_schema WHERE type IN "
                                        "('table', 'view') AND name NOT LIKE 'sqlite\\_%'"
                                        " ESCAPE '\\'",
                                        NULL, 0);
    char *all = NULL;
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const char *table = lamp_col_str(st, 0);
        char *grown = sqlite3_mprintf("%zCREATE TEMP VIEW \"%w\" AS SELECT * FROM main.\"%w\" WHERE"
                                      " %s;",
                                      all, table, table, rule_of(table));
        if (!grown) {
            sqlite3_reset(st);
            return LAMP_ENOMEM;
        }
        all = grown;
    }
    const int err = got < 0 ? got : all ? exec(q, all) : LAMP_OK;
    sqlite3_free(all);
    return err;
}

int lamp_sqlite_op_scope(lamp_store *s, const char *scope)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    assert(strlen(scope) < sizeof(q->scope));
    snprintf(q->scope, sizeof(q->scope), "%s", scope);
    if (q->scoped || !*scope)
        return LAMP_OK;
    int err = sqlite3_create_function_v2(q->db, "in_scope", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS, q,
                                         in_scope, NULL, NULL, NULL) == SQLITE_OK
                  ? LAMP_OK
                  : LAMP_ENOMEM;
    if (err == LAMP_OK) /* the file itself is open for reading alone */
        err = exec(q, "PRAGMA query_only = OFF");
    if (err == LAMP_OK)
        err = make_views(q);
    if (err == LAMP_OK)
        err = exec(q, "PRAGMA query_only = ON");
    q->scoped = err == LAMP_OK;
    return err;
}
