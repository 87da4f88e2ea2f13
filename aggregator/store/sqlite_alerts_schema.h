/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_alerts_schema: the tables of alerts, for sqlite_schema.h alone. */
#pragma once

/* Alerts (kind: enum lamp_alert_kind). */
static const char lamp_schema_alerts[] =
    "CREATE TABLE alert ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, subject TEXT NOT NULL,"
    " site TEXT NOT NULL, text TEXT NOT NULL, miner INTEGER NOT NULL, count INTEGER NOT NULL,"
    " first_us INTEGER NOT NULL, raised_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " resolved_us INTEGER NOT NULL DEFAULT 0, acked_us INTEGER NOT NULL DEFAULT 0,"
    " acked_by TEXT NOT NULL DEFAULT '', UNIQUE (kind, subject)) STRICT;"
    "CREATE INDEX alert_of_miner ON alert (miner) WHERE resolved_us = 0;";

/* What comes after: the owner's lists (kind: enum lamp_own_kind). */
static const char lamp_schema_own[] =
    "CREATE TABLE own ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, site TEXT NOT NULL,"
    " value TEXT NOT NULL, note TEXT NOT NULL, added_by TEXT NOT NULL, added_us INTEGER NOT NULL,"
    " UNIQUE (kind, site, value)) STRICT;";
