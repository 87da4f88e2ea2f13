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

/* And policies (mode, block: enums of policies.h), with what came of them. */
static const char lamp_schema_policies[] =
    "CREATE TABLE policy ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, mode INTEGER NOT NULL,"
    " verdict INTEGER NOT NULL, coin TEXT NOT NULL, site TEXT NOT NULL, pool TEXT NOT NULL,"
    " sanctioned INTEGER NOT NULL, days INTEGER NOT NULL, from_minute INTEGER NOT NULL,"
    " to_minute INTEGER NOT NULL, alert INTEGER NOT NULL, block INTEGER NOT NULL,"
    " everywhere INTEGER NOT NULL, lease_s INTEGER NOT NULL, longest_s INTEGER NOT NULL,"
    " grace_s INTEGER NOT NULL, created_by TEXT NOT NULL, mode_by TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, mode_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE policy_hit ("
    " policy INTEGER NOT NULL REFERENCES policy, site TEXT NOT NULL, host BLOB NOT NULL,"
    " vlan INTEGER NOT NULL, server BLOB NOT NULL, server_port INTEGER NOT NULL,"
    " ip_proto INTEGER NOT NULL, miner INTEGER NOT NULL, conn INTEGER NOT NULL,"
    " dry_run INTEGER NOT NULL, block INTEGER NOT NULL, why TEXT NOT NULL, outcome TEXT NOT NULL,"
    " first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, count INTEGER NOT NULL,"
    " UNIQUE (policy, site, host, vlan, server, server_port, ip_proto)) STRICT;"
    "CREATE INDEX policy_hit_newest ON policy_hit (policy, last_us);"
    "CREATE INDEX block_of_target ON block (addr, created_us);"
    "CREATE INDEX pair_wanted ON pair (server, server_port) WHERE mark = 1;";

/* The order of policies, and how many packets of a connection one has kept; and by what the servers of
 * suspected connections are found, and others that mine there. */
static const char lamp_schema_policies_2[] =
    "ALTER TABLE policy ADD COLUMN place INTEGER NOT NULL DEFAULT 0;"
    "UPDATE policy SET place = (SELECT count(*) FROM policy q WHERE q.id <= policy.id);"
    "ALTER TABLE policy ADD COLUMN sample INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX conn_suspected ON conn (last_us) WHERE verdict = 2;"
    "CREATE INDEX pair_confirmed ON pair (server, server_port) WHERE verdict = 4;";

/* And how confident the verdict has to be, in 1/10000. */
static const char lamp_schema_policies_3[] =
    "ALTER TABLE policy ADD COLUMN confidence INTEGER NOT NULL DEFAULT 0;";
