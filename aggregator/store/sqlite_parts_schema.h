/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_parts_schema: rows of other traffic as they came, many in one (parts.h). Included by sqlite_schema.h only. */
#pragma once

#include "aggregator/store/sqlite_rollup.h"

/* Rows that wait in the table of rows are added up before their time, which changes nothing of what is read. */
#define FROM_ROWS(floor, time)                                                                     \
    " FROM rollup_minute WHERE " time " >= (SELECT value FROM meta WHERE key = '" floor "')"
#define INTO_FROM_ROWS(table, time, more, floor, added)                                            \
    TRAFFIC_INTO(table, time, LAMP_SHORT("inside"), LAMP_SHORT("remote"), more,                    \
                 FROM_ROWS(floor, time), added)                                                    \
    ";"

static const char lamp_schema_parts[] = INTO_FROM_ROWS("traffic_minute", "minute", "",
                                                       "minute_floor", "")
    INTO_FROM_ROWS("traffic_hour", "minute / 60", TRAFFIC_FIRST_LAST, "hour_floor", TRAFFIC_SPAN)
        INTO_FROM_ROWS("traffic_day", "minute / 1440", TRAFFIC_FIRST_LAST ", max(remote_name)",
                       "day_floor", TRAFFIC_SPAN TRAFFIC_NAME) /* */
    "DROP VIEW traffic_minutes;"
    "DROP TABLE rollup_minute;"
    /* place: of the first row in its record. */
    "CREATE TABLE rollup_part ("
    " minute INTEGER NOT NULL, site INTEGER NOT NULL, stream INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (minute, site, stream, seq, place)) STRICT, WITHOUT ROWID;"
    "CREATE VIEW rollup_minute AS SELECT p.minute, p.site, p.stream, p.seq,"
    " p.place + r.place AS place, r.inside, r.remote, r.ip_proto, r.service_port, r.application,"
    " r.remote_name, r.bytes_out, r.bytes_in, r.packets_out, r.packets_in, r.flows"
    " FROM rollup_part p CROSS JOIN part_rows(p.body) r;"
    "CREATE VIEW traffic_minutes AS SELECT minute, site, inside, remote, ip_proto, service_port,"
    " application, bytes_out, bytes_in, packets_out, packets_in, flows FROM rollup_minute"
    " UNION ALL SELECT * FROM traffic_minute;";
