/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's settings of sites, and the history of lists. */
#include "aggregator/store/sqlite.h"

int lamp_sqlite_op_settings(lamp_store *s, lamp_site_setting_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(
        q, "SELECT name, site, value, set_by, set_us FROM setting ORDER BY name, site", NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_site_setting x = { .set_us = lamp_col_uint(st, 4) };
        lamp_col_copy(st, 0, x.name, sizeof(x.name));
        lamp_col_copy(st, 1, x.site, sizeof(x.site));
        lamp_col_copy(st, 2, x.value, sizeof(x.value));
        lamp_col_copy(st, 3, x.set_by, sizeof(x.set_by));
        if (!fn(&x, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_setting_put(lamp_store *s, const struct lamp_site_setting *x)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "INSERT OR REPLACE INTO setting VALUES (?, ?, ?, ?, ?)", lamp_str(x->name),
                     lamp_str(x->site), lamp_str(x->value), lamp_str(x->set_by),
                     lamp_uint(x->set_us));
}

int lamp_sqlite_op_setting_remove(lamp_store *s, const char *name, const char *site)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q, "DELETE FROM setting WHERE name = ? AND site = ?", lamp_str(name),
                              lamp_str(site));
    return err == LAMP_OK && sqlite3_changes(q->db) == 0 ? LAMP_ENOENT : err;
}

/* ---- the history of lists ---- */

int lamp_sqlite_op_set_steps(lamp_store *s, enum lamp_set_kind kind, const char *site,
                             lamp_store_set_step_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT from_serial, from_digest, changes FROM set_step"
                                  " WHERE kind = ? AND site = ? ORDER BY from_serial DESC",
                                  lamp_int((int64_t)kind), lamp_str(site));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_store_set_step x = { .from_serial = lamp_col_uint(st, 0) };
        lamp_col_blob(st, 1, x.from_digest, sizeof(x.from_digest));
        x.changes =
            (struct lamp_bytes){ sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2) };
        if (!fn(&x, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_set_step_put(lamp_store *s, enum lamp_set_kind kind, const char *site,
                                const struct lamp_store_set_step *x)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "INSERT OR REPLACE INTO set_step VALUES (?, ?, ?, ?, ?)",
                     lamp_int((int64_t)kind), lamp_str(site), lamp_uint(x->from_serial),
                     lamp_blob(x->from_digest, sizeof(x->from_digest)),
                     lamp_blob(x->changes.data, x->changes.len));
}

int lamp_sqlite_op_set_steps_forget(lamp_store *s, enum lamp_set_kind kind, const char *site,
                                    uint64_t before_serial)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "DELETE FROM set_step WHERE kind = ? AND site = ? AND from_serial < ?",
                     lamp_int((int64_t)kind), lamp_str(site), lamp_uint(before_serial));
}
