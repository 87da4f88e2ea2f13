/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_trackings_schema: the tables of what is tracked, for sqlite_schema.h alone. */
#pragma once

/* order_: a packed ORDER, as of a sample, with the matches and the limits of each sample; what, state: enums of
 * samples.h and trackings.h. tracking of a sample: of whose ring it is; 0: of none. */
static const char lamp_schema_trackings[] =
    "CREATE TABLE tracking ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, wire INTEGER NOT NULL UNIQUE, what INTEGER NOT NULL,"
    " site TEXT NOT NULL, sensor TEXT NOT NULL, miner INTEGER NOT NULL, order_ BLOB NOT NULL,"
    " reason TEXT NOT NULL, created_by TEXT NOT NULL, created_us INTEGER NOT NULL,"
    " until_us INTEGER NOT NULL, ring INTEGER NOT NULL, ended_us INTEGER NOT NULL,"
    " ended_by TEXT NOT NULL, rows INTEGER NOT NULL, rows_refused INTEGER NOT NULL) STRICT;"
    "CREATE TABLE tracking_sensor ("
    " tracking INTEGER NOT NULL REFERENCES tracking, sensor INTEGER NOT NULL REFERENCES sensor,"
    " state INTEGER NOT NULL, words TEXT NOT NULL, asked_us INTEGER NOT NULL,"
    " changed_us INTEGER NOT NULL, PRIMARY KEY (tracking, sensor)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX tracking_sensor_open ON tracking_sensor (sensor) WHERE state <> 4;"
    "CREATE TABLE tracking_step ("
    " tracking INTEGER NOT NULL, step INTEGER NOT NULL, sensor INTEGER NOT NULL,"
    " bytes_out INTEGER NOT NULL, bytes_in INTEGER NOT NULL, packets_out INTEGER NOT NULL,"
    " packets_in INTEGER NOT NULL, PRIMARY KEY (tracking, step, sensor)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE sample ADD COLUMN tracking INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX sample_of_tracking ON sample (tracking) WHERE tracking <> 0;";
