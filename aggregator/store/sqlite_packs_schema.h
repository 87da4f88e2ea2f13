/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_packs_schema: rows of other traffic that were added up (packs.h). Included by sqlite_schema.h only. */
#pragma once

#define PACKED(step, time, first, last, name)                                                      \
    "INSERT INTO traffic_pack SELECT " step ", time, site, row_number() OVER"                      \
    " (PARTITION BY time, site ORDER BY inside) - 1, pack_keys(p), pack_body(p) FROM ("            \
    "SELECT " time " AS time, site, inside, pack_of(inside, remote, ip_proto, service_port,"       \
    " application, " name ", bytes_out, bytes_in, packets_out, packets_in, flows, " first          \
    ", " last ") AS p FROM traffic_" time " h GROUP BY 1, 2, 3) WHERE p IS NOT NULL;"              \
    "DROP TABLE traffic_" time ";"
#define NAME_OF_DAY(day)                                                                           \
    "ifnull((SELECT d.remote_name FROM traffic_day d WHERE d.day = " day                           \
    " AND d.site = h.site AND d.inside = h.inside AND d.remote = h.remote"                         \
    " AND d.ip_proto = h.ip_proto AND d.service_port = h.service_port"                             \
    " AND d.application = h.application), '')"
#define PACK_VIEW(step, time, first_last)                                                          \
    "CREATE VIEW traffic_" time " AS SELECT p.time AS " time ", p.site, r.inside, r.remote,"       \
    " r.ip_proto, r.service_port, r.application, r.bytes_out, r.bytes_in, r.packets_out,"          \
    " r.packets_in, r.flows, " first_last "r.remote_name FROM traffic_pack p"                      \
    " CROSS JOIN pack_rows(p.keys, p.body) r WHERE p.step = " step ";"

/* What version 30 adds. no: several packs of a minute (hour, day) of a site. made_*: struct lamp_sqlite_made; until now
 * every minute was added to its hour and day at once. */
static const char lamp_schema_packs[] =
    "CREATE TABLE traffic_pack ("
    " step INTEGER NOT NULL, time INTEGER NOT NULL, site INTEGER NOT NULL, no INTEGER NOT NULL,"
    " keys BLOB NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (step, time, site, no)) STRICT, WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('made_hour', ifnull((SELECT max(hour) FROM traffic_hour), -1)),"
    " ('made_hour_site', 9223372036854775807),"
    " ('made_day', ifnull((SELECT max(day) FROM traffic_day), -1)),"
    " ('made_day_site', 9223372036854775807);"
    "DROP VIEW traffic_minutes;" /* */
    PACKED("0", "minute", "minute", "minute", NAME_OF_DAY("minute / 1440")) PACKED(
        "1", "hour", "first_minute", "last_minute",
        NAME_OF_DAY("hour / 24")) PACKED("2", "day", "first_minute", "last_minute",
                                         "remote_name") PACK_VIEW("0", "minute", "")
        PACK_VIEW("1", "hour", "r.first AS first_minute, r.last AS last_minute, ") PACK_VIEW(
            "2", "day",
            "r.first AS first_minute, r.last AS last_minute, ") "CREATE VIEW traffic_minutes AS "
                                                                "SELECT minute, site, inside, "
                                                                "remote, ip_proto, service_port,"
                                                                " application, bytes_out, "
                                                                "bytes_in, packets_out, "
                                                                "packets_in, flows FROM "
                                                                "rollup_minute"
                                                                " UNION ALL SELECT minute, site, "
                                                                "inside, remote, ip_proto, "
                                                                "service_port,"
                                                                " application, bytes_out, "
                                                                "bytes_in, packets_out, "
                                                                "packets_in, flows FROM "
                                                                "traffic_minute;";
