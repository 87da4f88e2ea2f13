/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_imports_schema: the tables of imported captures, for sqlite_schema.h alone. */
#pragma once

/* Imports (state: enum lamp_import_state), and what was found in them: json is a connection as
 * `davylamp-sensor analyze` tells it. No table of live history refers to these. */
static const char lamp_schema_imports[] =
    "CREATE TABLE import ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL, from_server INTEGER NOT NULL,"
    " name TEXT NOT NULL, site TEXT NOT NULL, created_by TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,"
    " files INTEGER NOT NULL, size INTEGER NOT NULL, files_done INTEGER NOT NULL,"
    " files_failed INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " connections INTEGER NOT NULL, wallets INTEGER NOT NULL, suspected INTEGER NOT NULL,"
    " probable INTEGER NOT NULL, confirmed INTEGER NOT NULL, conns_left_out INTEGER NOT NULL,"
    " minutes_left_out INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " answer TEXT NOT NULL, error TEXT NOT NULL) STRICT;"
    "CREATE TABLE import_file ("
    " import INTEGER NOT NULL REFERENCES import, no INTEGER NOT NULL, name TEXT NOT NULL,"
    " size INTEGER NOT NULL, packets INTEGER NOT NULL, connections INTEGER NOT NULL,"
    " verdict INTEGER NOT NULL, error TEXT NOT NULL,"
    " PRIMARY KEY (import, no)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE import_conn ("
    " import INTEGER NOT NULL REFERENCES import, no INTEGER NOT NULL, file INTEGER NOT NULL,"
    " verdict INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (import, no)) STRICT;"
    "CREATE TABLE import_minute ("
    " import INTEGER NOT NULL REFERENCES import, minute INTEGER NOT NULL, file INTEGER NOT NULL,"
    " packets INTEGER NOT NULL, bytes INTEGER NOT NULL, mining_up INTEGER NOT NULL,"
    " mining_down INTEGER NOT NULL, submitted INTEGER NOT NULL, accepted INTEGER NOT NULL,"
    " rejected INTEGER NOT NULL, jobs INTEGER NOT NULL,"
    " PRIMARY KEY (import, minute, file)) STRICT, WITHOUT ROWID;";
