/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use the API, in the SQLite store. */
#include "aggregator/store/sqlite.h"

#include <stdio.h>

static bool role_is_known(int role)
{
    return role >= LAMP_ROLE_VIEWER && role <= LAMP_ROLE_ADMIN;
}

/* A row that makes no sense lets nobody in. */
static int senseless(struct lamp_sqlite *q, sqlite3_stmt *st, const char *name)
{
    snprintf(q->base.why, sizeof(q->base.why), "the account or token '%.64s' has no known role",
             name);
    sqlite3_reset(st);
    return LAMP_ESTORE;
}

int lamp_sqlite_op_accounts(lamp_store *s, lamp_account_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(q,
                                        "SELECT name, hash, role, scope, disabled, created_us,"
                                        " password_us FROM account ORDER BY name",
                                        NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const int role = sqlite3_column_int(st, 2);
        struct lamp_account a = { .role = (enum lamp_role)role,
                                  .disabled = sqlite3_column_int(st, 4) != 0,
                                  .created_us = lamp_col_uint(st, 5),
                                  .password_us = lamp_col_uint(st, 6) };
        lamp_col_copy(st, 0, a.name, sizeof(a.name));
        lamp_col_copy(st, 1, a.hash, sizeof(a.hash));
        lamp_col_copy(st, 3, a.scope, sizeof(a.scope));
        if (!role_is_known(role))
            return senseless(q, st, a.name);
        if (!fn(&a, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_account_save(lamp_store *s, const struct lamp_account *a)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "INSERT OR REPLACE INTO account (name, hash, role, scope, disabled,"
                     " created_us, password_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                     lamp_str(a->name), lamp_str(a->hash), lamp_int(a->role), lamp_str(a->scope),
                     lamp_int(a->disabled), lamp_uint(a->created_us), lamp_uint(a->password_us));
}

int lamp_sqlite_op_account_delete(lamp_store *s, const char *name)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q, "DELETE FROM account WHERE name = ?", lamp_str(name));
    return err ? err : sqlite3_changes(q->db) ? LAMP_OK : LAMP_ENOENT;
}

int lamp_sqlite_op_api_tokens(lamp_store *s, lamp_api_token_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        lamp_sqlite_bind(q,
                         "SELECT id, name, digest, role, scope, created_by, created_us, expires_us,"
                         " used_us FROM access_token ORDER BY id",
                         NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const int role = sqlite3_column_int(st, 3);
        struct lamp_api_token t = { .id = sqlite3_column_int64(st, 0),
                                    .role = (enum lamp_role)role,
                                    .created_us = lamp_col_uint(st, 6),
                                    .expires_us = lamp_col_uint(st, 7),
                                    .used_us = lamp_col_uint(st, 8) };
        lamp_col_copy(st, 1, t.name, sizeof(t.name));
        lamp_col_blob(st, 2, t.digest, sizeof(t.digest));
        lamp_col_copy(st, 4, t.scope, sizeof(t.scope));
        lamp_col_copy(st, 5, t.created_by, sizeof(t.created_by));
        if (!role_is_known(role))
            return senseless(q, st, t.name);
        if (!fn(&t, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_api_token_save(lamp_store *s, struct lamp_api_token *t)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err =
        LAMP_EXEC(q,
                  "INSERT OR REPLACE INTO access_token (id, name, digest, role, scope, created_by,"
                  " created_us, expires_us, used_us) VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?)",
                  lamp_int(t->id), lamp_str(t->name), lamp_blob(t->digest, sizeof(t->digest)),
                  lamp_int(t->role), lamp_str(t->scope), lamp_str(t->created_by),
                  lamp_uint(t->created_us), lamp_uint(t->expires_us), lamp_uint(t->used_us));
    if (err == LAMP_OK && t->id == 0)
        t->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_api_token_delete(lamp_store *s, int64_t id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q, "DELETE FROM access_token WHERE id = ?", lamp_int(id));
    return err ? err : sqlite3_changes(q->db) ? LAMP_OK : LAMP_ENOENT;
}
