/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_schema: the tables of the SQLite store, version 30 (PRAGMA user_version). Included by
 * sqlite.c only. Times are microseconds since 1970, addresses 16 bytes. Rows that grow with
 * traffic are clustered by time and only ever appended. */
#pragma once

#include "aggregator/store/sqlite_alerts_schema.h"
#include "aggregator/store/sqlite_baselines_schema.h"
#include "aggregator/store/sqlite_fleet_schema.h"
#include "aggregator/store/sqlite_history_out_schema.h"
#include "aggregator/store/sqlite_history_schema.h"
#include "aggregator/store/sqlite_imports_schema.h"
#include "aggregator/store/sqlite_packs_schema.h"
#include "aggregator/store/sqlite_parts_schema.h"
#include "aggregator/store/sqlite_pools_schema.h"
#include "aggregator/store/sqlite_proved_schema.h"
#include "aggregator/store/sqlite_samples_schema.h"
#include "aggregator/store/sqlite_settings_schema.h"
#include "aggregator/store/sqlite_trackings_schema.h"

#define LAMP_SCHEMA_LATEST 31
enum {
    LAMP_SCHEMA_VERSION = LAMP_SCHEMA_LATEST,
    LAMP_SCHEMA_PACKS = 30,  /* the first with packs, which lamp_sqlite_pack_old() makes */
    LAMP_SCHEMA_VACUUM = 17, /* the first whose files can give room back to the disk */
};

static const char lamp_schema[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE site (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"

    "CREATE TABLE sensor ("
    " no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, site INTEGER NOT NULL REFERENCES site,"
    " enrolled INTEGER NOT NULL, enrolled_us INTEGER NOT NULL, version TEXT NOT NULL DEFAULT '',"
    " last_seen_us INTEGER NOT NULL DEFAULT 0, data_us INTEGER NOT NULL DEFAULT 0,"
    " clock_offset_us INTEGER NOT NULL DEFAULT 0, batches INTEGER NOT NULL DEFAULT 0,"
    " rows INTEGER NOT NULL DEFAULT 0, duplicates INTEGER NOT NULL DEFAULT 0,"
    " lost_records INTEGER NOT NULL DEFAULT 0, uplink_bytes INTEGER NOT NULL DEFAULT 0,"
    " flows_live INTEGER NOT NULL DEFAULT 0, memory_bytes INTEGER NOT NULL DEFAULT 0,"
    " list_mode INTEGER NOT NULL DEFAULT 0, list_state INTEGER NOT NULL DEFAULT 0,"
    " list_epoch INTEGER NOT NULL DEFAULT 0, list_serial INTEGER NOT NULL DEFAULT 0,"
    " list_at_us INTEGER NOT NULL DEFAULT 0, list_error TEXT NOT NULL DEFAULT '') STRICT;"

    /* Counters are cumulative within one run of a capture process. */
    "CREATE TABLE capture_run ("
    " sensor INTEGER NOT NULL REFERENCES sensor, run BLOB NOT NULL, packets INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, kernel_drops INTEGER NOT NULL, interface_drops INTEGER NOT NULL,"
    " flows_evicted INTEGER NOT NULL, cpu_us INTEGER NOT NULL,"
    " PRIMARY KEY (sensor, run)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE stream ("
    " no INTEGER PRIMARY KEY, sensor INTEGER NOT NULL REFERENCES sensor, id BLOB NOT NULL,"
    " next_seq INTEGER NOT NULL, closed INTEGER NOT NULL, created_us INTEGER NOT NULL,"
    " UNIQUE (sensor, id)) STRICT;"

    "CREATE TABLE gap ("
    " no INTEGER PRIMARY KEY, sensor INTEGER NOT NULL REFERENCES sensor, stream INTEGER NOT NULL,"
    " from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, from_us INTEGER NOT NULL,"
    " to_us INTEGER NOT NULL, flows INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " reason TEXT NOT NULL, at_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE miner ("
    " id INTEGER PRIMARY KEY, site INTEGER NOT NULL REFERENCES site, host BLOB NOT NULL,"
    " vlan INTEGER NOT NULL, verdict INTEGER NOT NULL, confidence INTEGER NOT NULL,"
    " blocked INTEGER NOT NULL, server BLOB NOT NULL, server_port INTEGER NOT NULL,"
    " ip_proto INTEGER NOT NULL, coins TEXT NOT NULL, families TEXT NOT NULL,"
    " algorithms TEXT NOT NULL, wallets TEXT NOT NULL, workers TEXT NOT NULL,"
    " agents TEXT NOT NULL, pools TEXT NOT NULL, sensors TEXT NOT NULL,"
    " bytes_up INTEGER NOT NULL, bytes_down INTEGER NOT NULL, packets_up INTEGER NOT NULL,"
    " packets_down INTEGER NOT NULL, jobs INTEGER NOT NULL, submitted INTEGER NOT NULL,"
    " accepted INTEGER NOT NULL, rejected INTEGER NOT NULL, stale INTEGER NOT NULL,"
    " connections INTEGER NOT NULL, since_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " UNIQUE (site, host, vlan)) STRICT;"

    /* `recent` is an array of struct lamp_recent: a cache for rates, in this machine's order. */
    "CREATE TABLE conn ("
    " id INTEGER PRIMARY KEY, miner INTEGER NOT NULL, sensor INTEGER NOT NULL REFERENCES sensor,"
    " site INTEGER NOT NULL REFERENCES site, run BLOB NOT NULL, conn_id INTEGER NOT NULL,"
    " client BLOB NOT NULL, server BLOB NOT NULL, client_port INTEGER NOT NULL,"
    " server_port INTEGER NOT NULL, ip_proto INTEGER NOT NULL, vlan INTEGER NOT NULL,"
    " first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, bytes_up INTEGER NOT NULL,"
    " bytes_down INTEGER NOT NULL, packets_up INTEGER NOT NULL, packets_down INTEGER NOT NULL,"
    " jobs INTEGER NOT NULL, submitted INTEGER NOT NULL, accepted INTEGER NOT NULL,"
    " rejected INTEGER NOT NULL, stale INTEGER NOT NULL, work REAL NOT NULL,"
    " squares REAL NOT NULL, verdict INTEGER NOT NULL, confidence INTEGER NOT NULL,"
    " difficulty REAL NOT NULL, self_rate REAL NOT NULL, flags INTEGER NOT NULL,"
    " family TEXT NOT NULL, coin TEXT NOT NULL, algorithm TEXT NOT NULL, wallet TEXT NOT NULL,"
    " worker TEXT NOT NULL, agent TEXT NOT NULL, pool TEXT NOT NULL, server_name TEXT NOT NULL,"
    " sni TEXT NOT NULL, ja4 TEXT NOT NULL, hash_unit TEXT NOT NULL, recent BLOB NOT NULL,"
    " UNIQUE (sensor, run, conn_id)) STRICT;"
    "CREATE INDEX conn_miner ON conn (miner);"

    "CREATE TABLE evidence ("
    " conn INTEGER NOT NULL REFERENCES conn, place INTEGER NOT NULL, kind TEXT NOT NULL,"
    " detail TEXT NOT NULL, PRIMARY KEY (conn, place)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE conn_minute ("
    " minute INTEGER NOT NULL, site INTEGER NOT NULL, host BLOB NOT NULL, vlan INTEGER NOT NULL,"
    " conn INTEGER NOT NULL, stream INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " bytes_up INTEGER NOT NULL, bytes_down INTEGER NOT NULL, packets_up INTEGER NOT NULL,"
    " packets_down INTEGER NOT NULL, jobs INTEGER NOT NULL, submitted INTEGER NOT NULL,"
    " accepted INTEGER NOT NULL, rejected INTEGER NOT NULL, stale INTEGER NOT NULL,"
    " work REAL NOT NULL, squares REAL NOT NULL, self_rate REAL NOT NULL,"
    " PRIMARY KEY (minute, site, host, vlan, conn, stream, seq)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE rollup_minute ("
    " minute INTEGER NOT NULL, site INTEGER NOT NULL, stream INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, place INTEGER NOT NULL, inside BLOB NOT NULL, remote BLOB NOT NULL,"
    " ip_proto INTEGER NOT NULL, service_port INTEGER NOT NULL, application TEXT NOT NULL,"
    " remote_name TEXT NOT NULL, bytes_out INTEGER NOT NULL, bytes_in INTEGER NOT NULL,"
    " packets_out INTEGER NOT NULL, packets_in INTEGER NOT NULL, flows INTEGER NOT NULL,"
    " PRIMARY KEY (minute, site, stream, seq, place)) STRICT, WITHOUT ROWID;"

    /* add_serial and end_serial: the first list with the block, and the first without it again;
     * 0: none yet. AUTOINCREMENT, since ids are on the wire and must not come back. */
    "CREATE TABLE block ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, addr BLOB NOT NULL,"
    " len INTEGER NOT NULL, port INTEGER NOT NULL, ip_proto INTEGER NOT NULL, site TEXT NOT NULL,"
    " reason TEXT NOT NULL, created_by TEXT NOT NULL, created_us INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL, removed_by TEXT NOT NULL DEFAULT '',"
    " removed_us INTEGER NOT NULL DEFAULT 0, add_serial INTEGER NOT NULL DEFAULT 0,"
    " end_serial INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX block_in_force ON block (id) WHERE removed_us = 0;"
    "CREATE INDEX block_unpublished ON block (id)"
    " WHERE add_serial = 0 OR (removed_us > 0 AND end_serial = 0);"

    /* state: see sqlite_blocks.c. raw_*: hits as last reported, since they start over. */
    "CREATE TABLE block_sensor ("
    " block INTEGER NOT NULL REFERENCES block, sensor INTEGER NOT NULL REFERENCES sensor,"
    " state INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',"
    " serial INTEGER NOT NULL DEFAULT 0, at_us INTEGER NOT NULL DEFAULT 0,"
    " hit_packets INTEGER NOT NULL DEFAULT 0, hit_bytes INTEGER NOT NULL DEFAULT 0,"
    " raw_packets INTEGER NOT NULL DEFAULT 0, raw_bytes INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (block, sensor)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX block_sensor_open ON block_sensor (sensor, block) WHERE state <> 4;"

    "CREATE TABLE set_history ("
    " site TEXT NOT NULL, serial INTEGER NOT NULL, digest BLOB NOT NULL, entries INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL, at_us INTEGER NOT NULL,"
    " PRIMARY KEY (site, serial)) STRICT, WITHOUT ROWID;";

/* What version 2 adds to version 1: where the frames of a capture run ended that are in no
 * connection and no rollup. outcome: index in the sensor's decode.def; from
 * 64 on: 64 and the index in its netflow.def, with a count where packets are. */
static const char lamp_schema_2[] =
    "CREATE TABLE capture_outcome ("
    " sensor INTEGER NOT NULL REFERENCES sensor, run BLOB NOT NULL, outcome INTEGER NOT NULL,"
    " packets INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " PRIMARY KEY (sensor, run, outcome)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE capture_run ADD COLUMN refused_packets INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE capture_run ADD COLUMN refused_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE capture_run ADD COLUMN rows_dropped INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE capture_run ADD COLUMN bytes_dropped INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE capture_run ADD COLUMN rollup_other INTEGER NOT NULL DEFAULT 0;";

/* What version 3 adds: what stands between a connection's server and the pool. */
static const char lamp_schema_3[] =
    "ALTER TABLE conn ADD COLUMN tunnel_kind TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE conn ADD COLUMN tunnel_host TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE conn ADD COLUMN tunnel_port INTEGER NOT NULL DEFAULT 0;";

/* What version 4 adds. stream.to_us: end of the newest interval merged. sensor.shared_key_us:
 * when two sensors were last seen to use its key; 0: never. */
static const char lamp_schema_4[] =
    "ALTER TABLE stream ADD COLUMN to_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sensor ADD COLUMN shared_key_us INTEGER NOT NULL DEFAULT 0;";

/* What version 5 adds: the rest of a sensor's SET_STATUS. list_about_*: the list that it refused or
 * rolled back, if that is another than the one in force; list_rejected_*: the newest that it rolled
 * back, which it will not take again. */
static const char lamp_schema_5[] =
    "ALTER TABLE sensor ADD COLUMN list_elements INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sensor ADD COLUMN list_repairs INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sensor ADD COLUMN list_flows_cut INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sensor ADD COLUMN list_about_epoch INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sensor ADD COLUMN list_about_serial INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sensor ADD COLUMN list_rejected_epoch INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sensor ADD COLUMN list_rejected_serial INTEGER NOT NULL DEFAULT 0;";

/* What version 6 adds: where a reason was seen, how far it goes and what would gainsay it (side: enum
 * lamp_side); what else is known of a connection's rate (methods: enum lamp_rate_method). */
static const char lamp_schema_6[] =
    "ALTER TABLE evidence ADD COLUMN field TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE evidence ADD COLUMN strength TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE evidence ADD COLUMN refute TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE evidence ADD COLUMN t_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE evidence ADD COLUMN side INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE conn ADD COLUMN platform TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE conn ADD COLUMN devices INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE conn ADD COLUMN work_method INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE conn ADD COLUMN hash_values INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE conn ADD COLUMN other_method INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE conn ADD COLUMN other_rate REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE conn ADD COLUMN other_low REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE conn ADD COLUMN other_high REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE miner ADD COLUMN platforms TEXT NOT NULL DEFAULT '';";

/* What version 7 adds: who mined where of late, and what an operator said to it (mark: enum lamp_mark). */
static const char lamp_schema_7[] =
    "CREATE TABLE pair ("
    " site INTEGER NOT NULL, client BLOB NOT NULL, vlan INTEGER NOT NULL, server BLOB NOT NULL,"
    " server_port INTEGER NOT NULL, ip_proto INTEGER NOT NULL, verdict INTEGER NOT NULL,"
    " confidence INTEGER NOT NULL, last_us INTEGER NOT NULL, mark INTEGER NOT NULL DEFAULT 0,"
    " marked_by TEXT NOT NULL DEFAULT '', marked_us INTEGER NOT NULL DEFAULT 0,"
    " reason TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY (site, client, vlan, server, server_port, ip_proto)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX pair_to_forget ON pair (last_us) WHERE mark = 0;";

/* What version 8 adds: lists of every kind (enum lamp_set_kind; 2 is the block list) in set_history,
 * and what a sensor says of those that are no block list. Serials are of all kinds together. */
static const char lamp_schema_8[] =
    "ALTER TABLE set_history ADD COLUMN kind INTEGER NOT NULL DEFAULT 2;"
    "CREATE TABLE sensor_set ("
    " sensor INTEGER NOT NULL REFERENCES sensor, kind INTEGER NOT NULL, state INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL, serial INTEGER NOT NULL, at_us INTEGER NOT NULL,"
    " error TEXT NOT NULL, PRIMARY KEY (sensor, kind)) STRICT, WITHOUT ROWID;";

/* What version 9 adds: blocks by name; those that wait for a second person (approval: enum
 * lamp_approval; needs: why); sites that get no changes (hold_serial: the list they keep; release_by:
 * who asked to end it); and what operators did. */
static const char lamp_schema_9[] =
    "ALTER TABLE block ADD COLUMN name TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE block ADD COLUMN approval INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE block ADD COLUMN needs TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE block ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE block ADD COLUMN decided_us INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX block_created ON block (created_us);"
    "ALTER TABLE site ADD COLUMN held_by TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE site ADD COLUMN held_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE site ADD COLUMN hold_serial INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE site ADD COLUMN release_by TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE audit ("
    " no INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, actor TEXT NOT NULL,"
    " action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL) STRICT;";

/* What version 10 adds: who may connect (states: enum lamp_sensor_key_state), tokens that let one key in (see sqlite_keys.c). */
static const char lamp_schema_10[] =
    "CREATE TABLE sensor_key ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, sensor TEXT NOT NULL,"
    " site TEXT NOT NULL, state INTEGER NOT NULL, added_by TEXT NOT NULL,"
    " added_us INTEGER NOT NULL, used_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
    " ended_us INTEGER NOT NULL, ended_by TEXT NOT NULL, replace_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX sensor_key_of ON sensor_key (sensor);"
    "CREATE TABLE enroll_token ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, site TEXT NOT NULL,"
    " name TEXT NOT NULL, created_by TEXT NOT NULL, created_us INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL, used_us INTEGER NOT NULL DEFAULT 0) STRICT;"
    "ALTER TABLE audit ADD COLUMN hash BLOB NOT NULL DEFAULT x'';"
    "ALTER TABLE sensor ADD COLUMN server_key_serial INTEGER NOT NULL DEFAULT 0;";

/* What version 11 adds: when each reason was seen (sensor 0: by the aggregator), when each verdict was
 * reached, and what happened to a miner since. */
static const char lamp_schema_11[] =
    "CREATE TABLE sighting ("
    " miner INTEGER NOT NULL REFERENCES miner, kind TEXT NOT NULL, detail TEXT NOT NULL,"
    " sensor INTEGER NOT NULL, field TEXT NOT NULL, strength TEXT NOT NULL, refute TEXT NOT NULL,"
    " side INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " PRIMARY KEY (miner, kind, detail, sensor)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE miner ADD COLUMN sightings_left_out INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE level ("
    " miner INTEGER NOT NULL REFERENCES miner, verdict INTEGER NOT NULL, sensor INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL, PRIMARY KEY (miner, verdict)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE step ("
    " no INTEGER PRIMARY KEY, miner INTEGER NOT NULL REFERENCES miner, at_us INTEGER NOT NULL,"
    " state TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL) STRICT;"
    "CREATE INDEX step_of ON step (miner);";

/* What version 15 adds: disabled accounts, scopes ('\n'-separated names of sites), the end of tokens. The
 * tables account and api_token had no version before. */
static const char lamp_schema_accounts[] =
    "CREATE TABLE IF NOT EXISTS account ("
    " name TEXT PRIMARY KEY, hash TEXT NOT NULL, role INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL) STRICT;"
    "ALTER TABLE account ADD COLUMN scope TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE account ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN password_us INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE IF NOT EXISTS api_token ("
    " name TEXT PRIMARY KEY, digest BLOB NOT NULL, role INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE access_token ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, digest BLOB NOT NULL UNIQUE,"
    " role INTEGER NOT NULL, scope TEXT NOT NULL, created_by TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, used_us INTEGER NOT NULL) STRICT;"
    "INSERT INTO access_token (name, digest, role, scope, created_by, created_us, expires_us, "
    "used_us)"
    " SELECT name, digest, role, '', 'aggregator', created_us, 0, 0 FROM api_token ORDER BY name;"
    "DROP TABLE api_token;";

/* What version 18 adds: who is behind the account or token that entered a block. */
static const char lamp_schema_person[] =
    "ALTER TABLE block ADD COLUMN person TEXT NOT NULL DEFAULT '';"
    "UPDATE block SET person = coalesce((SELECT t.created_by FROM access_token t"
    " WHERE t.name = block.created_by), created_by);";

/* What version 19 adds: when what a connection and the lists of a miner show was said, by which the newest
 * counts in whatever order it comes (pack_said() and pack_listed()). */
static const char lamp_schema_order[] =
    "ALTER TABLE conn ADD COLUMN said BLOB NOT NULL DEFAULT x'';"
    "ALTER TABLE miner ADD COLUMN listed BLOB NOT NULL DEFAULT x'';";

/* What leads from each version to the next. */
static const char *const lamp_upgrades[LAMP_SCHEMA_LATEST] = {
    lamp_schema,
    lamp_schema_2,
    lamp_schema_3,
    lamp_schema_4,
    lamp_schema_5,
    lamp_schema_6,
    lamp_schema_7,
    lamp_schema_8,
    lamp_schema_9,
    lamp_schema_10,
    lamp_schema_11,
    lamp_schema_pools,
    lamp_schema_alerts,
    lamp_schema_own,
    lamp_schema_accounts,
    lamp_schema_policies,
    lamp_schema_history,
    lamp_schema_person,
    lamp_schema_order,
    lamp_schema_samples,
    lamp_schema_fleet,
    lamp_schema_imports,
    lamp_schema_parts,
    lamp_schema_settings,
    lamp_schema_policies_2,
    lamp_schema_baselines,
    lamp_schema_trackings,
    lamp_schema_proved,
    lamp_schema_history_out,
    lamp_schema_packs,
    lamp_schema_policies_3,
};
