/* SPDX-License-Identifier: Apache-2.0 */
/* vtab: what table-valued functions of ours share (sqlite.org/vtab.html#tabfunc2): they have no state
 * of their own beside a cursor, and only look at their arguments. Private to store/. */
#pragma once

#include "common/util.h"

#include <sqlite3.h>
#include <stdlib.h>

/* Makes a table of these columns (CREATE TABLE) that views of a file that is not trusted may use. An
 * SQLite result code. */
static inline int lamp_vtab_connect(sqlite3 *db, const char *columns, sqlite3_vtab **out)
{
    int rc = sqlite3_declare_vtab(db, columns);
    if (rc == SQLITE_OK)
        rc = sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    if (rc != SQLITE_OK)
        return rc;
    *out = calloc(1, sizeof(**out));
    return *out ? SQLITE_OK : SQLITE_NOMEM;
}

static inline int lamp_vtab_disconnect(sqlite3_vtab *vtab)
{
    free(vtab);
    return SQLITE_OK;
}

/* Results that are copied; an empty one is no NULL. */
static inline void lamp_vtab_bytes(sqlite3_context *ctx, struct lamp_bytes b)
{
    sqlite3_result_blob64(ctx, b.len ? (const void *)b.data : "", b.len, SQLITE_TRANSIENT);
}

static inline void lamp_vtab_text(sqlite3_context *ctx, struct lamp_bytes b)
{
    sqlite3_result_text64(ctx, b.len ? (const char *)b.data : "", b.len, SQLITE_TRANSIENT,
                          SQLITE_UTF8);
}
