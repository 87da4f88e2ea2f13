/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/accounts.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>

static const char schema[] = "CREATE TABLE IF NOT EXISTS account ("
                             " name TEXT PRIMARY KEY, hash TEXT NOT NULL, role INTEGER NOT NULL,"
                             " created_us INTEGER NOT NULL) STRICT;"
                             "CREATE TABLE IF NOT EXISTS api_token ("
                             " name TEXT PRIMARY KEY, digest BLOB NOT NULL, role INTEGER NOT NULL,"
                             " created_us INTEGER NOT NULL) STRICT;";

struct lamp_accounts {
    sqlite3 *db;
};

const char *lamp_role_name(enum lamp_role r)
{
    static const char *const names[] = { "none", "viewer", "operator", "admin" };
    return (size_t)r < ARRAY_LEN(names) ? names[r] : "none";
}

int lamp_accounts_open(const char *database, lamp_accounts **out, char *why, size_t size)
{
    assert(database && out && why && size);
    lamp_accounts *a = calloc(1, sizeof(*a));
    if (!a)
        return LAMP_ENOMEM;
    int rc = sqlite3_open_v2(database, &a->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(a->db, 5000);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(a->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(a->db, schema, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        snprintf(why, size, "%s: %s", database, a->db ? sqlite3_errmsg(a->db) : "out of memory");
        lamp_accounts_close(a);
        return LAMP_ESTORE;
    }
    *out = a;
    return LAMP_OK;
}

lamp_accounts *lamp_accounts_close(lamp_accounts *a)
{
    if (a)
        sqlite3_close(a->db);
    free(a);
    return NULL;
}

static bool role_is_known(int role)
{
    return role >= LAMP_ROLE_VIEWER && role <= LAMP_ROLE_ADMIN;
}

/* Copies a text column; false where it is missing, empty or too long. */
static bool column_text(sqlite3_stmt *st, int col, char *buf, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(st, col);
    const size_t len = text ? strlen(text) : 0;
    if (len == 0 || len >= size)
        return false;
    memcpy(buf, text, len + 1);
    return true;
}

static bool read_account(sqlite3_stmt *st, void *out)
{
    struct lamp_account *v = out;
    const int role = sqlite3_column_int(st, 2);
    v->role = (enum lamp_role)role;
    return column_text(st, 0, v->name, sizeof(v->name)) &&
           column_text(st, 1, v->hash, sizeof(v->hash)) && role_is_known(role);
}

static bool read_token(sqlite3_stmt *st, void *out)
{
    struct lamp_api_token *v = out;
    const int role = sqlite3_column_int(st, 2);
    const void *digest = sqlite3_column_blob(st, 1);
    v->role = (enum lamp_role)role;
    if (!digest || sqlite3_column_bytes(st, 1) != LAMP_TOKEN_DIGEST || !role_is_known(role))
        return false;
    memcpy(v->digest, digest, LAMP_TOKEN_DIGEST);
    return column_text(st, 0, v->name, sizeof(v->name));
}

/* Reads at most LAMP_ACCOUNTS_MAX rows of `size` bytes each, one by read_one, into out. */
static int read_all(lamp_accounts *a, const char *sql, bool (*read_one)(sqlite3_stmt *, void *),
                    void *out, size_t size, size_t *out_n)
{
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(a->db, sql, -1, &st, NULL) != SQLITE_OK)
        return LAMP_ESTORE;
    int err = LAMP_OK, rc;
    size_t n = 0;
    while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (n == LAMP_ACCOUNTS_MAX)
            err = LAMP_EFULL;
        else if (!read_one(st, (char *)out + n++ * size))
            err = LAMP_EFORMAT;
    }
    if (!err && rc != SQLITE_DONE)
        err = LAMP_ESTORE;
    sqlite3_finalize(st);
    if (!err)
        *out_n = n;
    return err;
}

int lamp_accounts_read(lamp_accounts *a, struct lamp_account out[LAMP_ACCOUNTS_MAX], size_t *out_n)
{
    return read_all(a, "SELECT name, hash, role FROM account ORDER BY name", read_account, out,
                    sizeof(*out), out_n);
}

int lamp_accounts_read_tokens(lamp_accounts *a, struct lamp_api_token out[LAMP_ACCOUNTS_MAX],
                              size_t *out_n)
{
    return read_all(a, "SELECT name, digest, role FROM api_token ORDER BY name", read_token, out,
                    sizeof(*out), out_n);
}

int lamp_accounts_put(lamp_accounts *a, const struct lamp_account *account, uint64_t now_us)
{
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(a->db, "INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", -1, &st,
                           NULL) != SQLITE_OK)
        return LAMP_ESTORE;
    sqlite3_bind_text(st, 1, account->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, account->hash, -1, SQLITE_STATIC);
    sqlite3_bind_int(st, 3, (int)account->role);
    sqlite3_bind_int64(st, 4, (int64_t)now_us);
    sqlite3_step(st);
    return sqlite3_finalize(st) == SQLITE_OK ? LAMP_OK : LAMP_ESTORE;
}

int lamp_accounts_put_token(lamp_accounts *a, const struct lamp_api_token *token, uint64_t now_us)
{
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(a->db, "INSERT OR REPLACE INTO api_token VALUES (?, ?, ?, ?)", -1, &st,
                           NULL) != SQLITE_OK)
        return LAMP_ESTORE;
    sqlite3_bind_text(st, 1, token->name, -1, SQLITE_STATIC);
    sqlite3_bind_blob(st, 2, token->digest, LAMP_TOKEN_DIGEST, SQLITE_STATIC);
    sqlite3_bind_int(st, 3, (int)token->role);
    sqlite3_bind_int64(st, 4, (int64_t)now_us);
    sqlite3_step(st);
    return sqlite3_finalize(st) == SQLITE_OK ? LAMP_OK : LAMP_ESTORE;
}
