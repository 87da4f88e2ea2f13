/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_samples_schema: the tables of packet samples, for sqlite_schema.h alone. */
#pragma once

/* order_: a packed ORDER, from which limits and matches are read; what, state: enums of samples.h. */
static const char lamp_schema_samples[] =
    "CREATE TABLE sample ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, wire INTEGER NOT NULL UNIQUE, what INTEGER NOT NULL,"
    " site TEXT NOT NULL, sensor TEXT NOT NULL, miner INTEGER NOT NULL, order_ BLOB NOT NULL,"
    " reason TEXT NOT NULL, created_by TEXT NOT NULL, created_us INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX sample_of_miner ON sample (miner) WHERE miner <> 0;"
    "CREATE TABLE sample_file ("
    " sample INTEGER NOT NULL REFERENCES sample, sensor INTEGER NOT NULL REFERENCES sensor,"
    " state INTEGER NOT NULL, words TEXT NOT NULL, packets INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, landed INTEGER NOT NULL, changed_us INTEGER NOT NULL,"
    " removed INTEGER NOT NULL, PRIMARY KEY (sample, sensor)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX sample_file_open ON sample_file (sensor) WHERE state <= 2;";
