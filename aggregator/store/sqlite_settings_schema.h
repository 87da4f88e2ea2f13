/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_settings_schema: settings of sites and the history of lists, for sqlite_schema.h alone. */
#pragma once

/* Options of their sensors that operators set for a site ("": for every site). */
static const char lamp_schema_settings[] =
    "CREATE TABLE setting ("
    " name TEXT NOT NULL, site TEXT NOT NULL, value TEXT NOT NULL, set_by TEXT NOT NULL,"
    " set_us INTEGER NOT NULL, PRIMARY KEY (name, site)) STRICT, WITHOUT ROWID;"
    /* The way back from each of the newest lists to the one before it (kind: enum lamp_set_kind);
     * changes: a packed SET_CHUNK. */
    "CREATE TABLE set_step ("
    " kind INTEGER NOT NULL, site TEXT NOT NULL, from_serial INTEGER NOT NULL,"
    " from_digest BLOB NOT NULL, changes BLOB NOT NULL,"
    " PRIMARY KEY (kind, site, from_serial)) STRICT, WITHOUT ROWID;";
