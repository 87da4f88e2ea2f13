/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_fleet_schema: what several sites have in common. Included by sqlite_schema.h only. */
#pragma once

/* Which site showed which value (kind: enum lamp_trace_kind), and which of its miners did last. The number of a
 * row says how old it is: the oldest go. miner_last is for those that fall silent. */
static const char lamp_schema_fleet[] =
    "CREATE TABLE trace ("
    " no INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, value TEXT NOT NULL,"
    " site INTEGER NOT NULL, miner INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " UNIQUE (kind, value, site)) STRICT;"
    "INSERT INTO meta VALUES ('traces_dropped', 0);"
    "CREATE INDEX miner_last ON miner (last_us);";
