/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_baselines_schema: the tables of baselines, for sqlite_schema.h alone. */
#pragma once

/* version 0 of baseline_version is a draft; by_ and say: enums of baselines.h. */
static const char lamp_schema_baselines[] =
    "CREATE TABLE baseline ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, host BLOB NOT NULL,"
    " version INTEGER NOT NULL, learn_from_us INTEGER NOT NULL, learn_to_us INTEGER NOT NULL,"
    " by_asn INTEGER NOT NULL, created_us INTEGER NOT NULL, created_by TEXT NOT NULL,"
    " news_left_out INTEGER NOT NULL, UNIQUE (site, host)) STRICT;"
    "CREATE TABLE baseline_version ("
    " baseline INTEGER NOT NULL REFERENCES baseline, version INTEGER NOT NULL,"
    " from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, minutes INTEGER NOT NULL,"
    " mining_mean REAL NOT NULL, mining_sd REAL NOT NULL, mining_most REAL NOT NULL,"
    " mining_carry REAL NOT NULL, other_mean REAL NOT NULL, other_sd REAL NOT NULL,"
    " other_most REAL NOT NULL, other_carry REAL NOT NULL, packets_mean REAL NOT NULL,"
    " packets_sd REAL NOT NULL, packets_most REAL NOT NULL, packets_carry REAL NOT NULL,"
    " wallets TEXT NOT NULL, left_out INTEGER NOT NULL, entries INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL, by_ TEXT NOT NULL, note TEXT NOT NULL,"
    " PRIMARY KEY (baseline, version)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE baseline_entry ("
    " baseline INTEGER NOT NULL REFERENCES baseline, version INTEGER NOT NULL,"
    " place INTEGER NOT NULL, remote BLOB NOT NULL, ip_proto INTEGER NOT NULL,"
    " port INTEGER NOT NULL, asn INTEGER NOT NULL, mining INTEGER NOT NULL, name TEXT NOT NULL,"
    " pool TEXT NOT NULL, application TEXT NOT NULL, by_ INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " packets INTEGER NOT NULL, minutes INTEGER NOT NULL, period REAL NOT NULL,"
    " jitter REAL NOT NULL, PRIMARY KEY (baseline, version, place)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE baseline_news ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, baseline INTEGER NOT NULL REFERENCES baseline,"
    " remote BLOB NOT NULL, ip_proto INTEGER NOT NULL, port INTEGER NOT NULL,"
    " asn INTEGER NOT NULL, mining INTEGER NOT NULL, name TEXT NOT NULL, pool TEXT NOT NULL,"
    " application TEXT NOT NULL, say INTEGER NOT NULL, first_us INTEGER NOT NULL,"
    " last_us INTEGER NOT NULL, bytes INTEGER NOT NULL, packets INTEGER NOT NULL,"
    " by_ TEXT NOT NULL) STRICT;"
    "CREATE INDEX baseline_news_of ON baseline_news (baseline, last_us);";
