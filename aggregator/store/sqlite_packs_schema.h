/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_packs_schema: rows of other traffic that were added up (packs.h). Included by sqlite_schema.h only. */
#pragma once

/* clang-format off */
#define PACK_VIEW(step, time, first_last)                                                          \
    "CREATE VIEW traffic_" time " AS SELECT p.time AS " time ", p.site, r.inside, r.remote,"       \
    " r.ip_proto, r.service_port, r.application, r.bytes_out, r.bytes_in, r.packets_out,"          \
    " r.packets_in, r.flows, " first_last "r.remote_name FROM traffic_pack p"                      \
    " CROSS JOIN pack_rows(p.keys, p.body) r WHERE p.step = " step ";"
#define FIRST_LAST "r.first AS first_minute, r.last AS last_minute, "
#define MINUTE_COLUMNS                                                                             \
    "minute, site, inside, remote, ip_proto, service_port, application, bytes_out, bytes_in,"      \
    " packets_out, packets_in, flows"

/* What version 30 adds. no: several packs of a minute (hour, day) of a site. traffic_late: how many packs came to them
 * after the first, where these were not made into one yet. made_*: struct lamp_sqlite_made. The rows of the tables of
 * before are made into packs by lamp_sqlite_pack_old(), after which these tables go. */
static const char lamp_schema_packs[] =
    "CREATE TABLE traffic_pack ("
    " step INTEGER NOT NULL, time INTEGER NOT NULL, site INTEGER NOT NULL, no INTEGER NOT NULL,"
    " keys BLOB NOT NULL, body BLOB NOT NULL, UNIQUE (step, time, site, no)) STRICT;"
    "CREATE TABLE traffic_late ("
    " step INTEGER NOT NULL, time INTEGER NOT NULL, site INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY (step, time, site)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX traffic_late_many ON traffic_late (n) WHERE n >= 8;"
    "INSERT INTO meta VALUES ('made_hour', -1), ('made_hour_site', 9223372036854775807),"
    " ('made_day', -1), ('made_day_site', 9223372036854775807);"
    "DROP VIEW traffic_minutes;"
    "ALTER TABLE traffic_minute RENAME TO old_minute;"
    "ALTER TABLE traffic_hour RENAME TO old_hour;"
    "ALTER TABLE traffic_day RENAME TO old_day;"
    PACK_VIEW("0", "minute", "")
    PACK_VIEW("1", "hour", FIRST_LAST)
    PACK_VIEW("2", "day", FIRST_LAST)
    "CREATE VIEW traffic_minutes AS SELECT " MINUTE_COLUMNS " FROM rollup_minute"
    " UNION ALL SELECT " MINUTE_COLUMNS " FROM traffic_minute;";
/* clang-format on */
