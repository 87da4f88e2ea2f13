/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_rollup: how rows of connections as they came are added to those of minutes, hours and days, and how rows of
 * other traffic were before version 30. Included by
 * sqlite_maintain.c and schemas only. ?1, ?2: the last minute and site of the slice; ?3: the first minute that is
 * kept. */
#pragma once

#include "aggregator/store/sqlite.h"

/* Sums stop short of what a column holds: no honest one gets there, and a hostile one must not make the
 * database refuse. Below 2^53 they are exact. */
#define SUM(column) "CAST(min(total(" column "), 4e18) AS INTEGER)"
#define ADD(column) column " = min(" column " + excluded." column ", 4000000000000000000)"

#define TRAFFIC_SUMS                                                                               \
    SUM("bytes_out")                                                                               \
    ", " SUM("bytes_in") ", " SUM("packets_out") ", " SUM("packets_in") ", " SUM("flows")
#define TRAFFIC_ADDED                                                                              \
    " ON CONFLICT DO UPDATE SET " ADD("bytes_out") ", " ADD("bytes_in") ", " ADD(                  \
        "packets_out") ", " ADD("packets_in") ", " ADD("flows")
#define TRAFFIC_INTO(table, time, inside, remote, more, rows, added)                               \
    "INSERT INTO " table " SELECT " time ", site, " inside ", " remote ", ip_proto,"               \
    " service_port, application, " TRAFFIC_SUMS more rows " GROUP BY 1, 2, 3, 4, 5, 6,"            \
    " 7" TRAFFIC_ADDED added
#define TRAFFIC_FIRST_LAST ", min(minute), max(minute)"
#define TRAFFIC_SPAN                                                                               \
    ", first_minute = min(first_minute, excluded.first_minute),"                                   \
    " last_minute = max(last_minute, excluded.last_minute)"
#define TRAFFIC_NAME ", remote_name = max(remote_name, excluded.remote_name)"

/* clang-format off */
#define CONN_INTO(table, time)                                                                     \
    "INSERT INTO " table " SELECT " time ", site, host, vlan, conn, "                              \
    SUM("bytes_up") ", " SUM("bytes_down") ", " SUM("packets_up") ", " SUM("packets_down") ", "    \
    SUM("jobs") ", " SUM("submitted") ", " SUM("accepted") ", " SUM("rejected") ", " SUM("stale")  \
    ", total(work), total(squares), max(self_rate)"                                                \
    " FROM conn_minute WHERE (minute, site) <= (?1, ?2) AND minute >= ?3 GROUP BY 1, 2, 3, 4, 5"   \
    " ON CONFLICT DO UPDATE SET " ADD("bytes_up") ", " ADD("bytes_down") ", " ADD("packets_up")    \
    ", " ADD("packets_down") ", " ADD("jobs") ", " ADD("submitted") ", " ADD("accepted") ", "      \
    ADD("rejected") ", " ADD("stale") ", work = work + excluded.work,"                             \
    " squares = squares + excluded.squares, self_rate = max(self_rate, excluded.self_rate)"
/* clang-format on */

#define CONN_INTO_MINUTE CONN_INTO("conn_by_minute", "minute")
#define CONN_INTO_HOUR CONN_INTO("conn_by_hour", "minute / 60")
#define CONN_INTO_DAY CONN_INTO("conn_by_day", "minute / 1440")
