/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_alerts_schema: the tables of alerts, for sqlite_schema.h alone. */
#pragma once

/* What version 13 adds (kind: enum lamp_alert_kind). */
static const char lamp_schema_alerts[] =
    "CREATE TABLE alert ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, subject TEXT NOT NULL,"
    " site TEXT NOT NULL, text TEXT NOT NULL, miner INTEGER NOT NULL, count INTEGER NOT NULL,"
    " first_us INTEGER NOT NULL, raised_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " resolved_us INTEGER NOT NULL DEFAULT 0, acked_us INTEGER NOT NULL DEFAULT 0,"
    " acked_by TEXT NOT NULL DEFAULT '', UNIQUE (kind, subject)) STRICT;"
    "CREATE INDEX alert_of_miner ON alert (miner) WHERE resolved_us = 0;";
