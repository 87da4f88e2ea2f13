/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_history_out_schema: how far history went to another place (history.h), for sqlite_schema.h alone. */
#pragma once

/* tbl: kind * 3 + step. history_no: of the last group that came late; history_lost: rows.
 * Where it goes is in history_place, once it goes. */
static const char lamp_schema_history_out[] =
    "CREATE TABLE history_cursor ("
    " tbl INTEGER PRIMARY KEY, sent_time INTEGER NOT NULL, sent_site INTEGER NOT NULL,"
    " claimed_time INTEGER NOT NULL, claimed_site INTEGER NOT NULL, begin INTEGER NOT NULL) STRICT;"
    "CREATE TABLE history_late ("
    " tbl INTEGER NOT NULL, time INTEGER NOT NULL, site INTEGER NOT NULL, no INTEGER NOT NULL,"
    " since_us INTEGER NOT NULL, PRIMARY KEY (tbl, time, site)) STRICT, WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('history_id', random() & 0x3fffffffffffffff), ('history_no', 0),"
    " ('history_lost', 0);";
