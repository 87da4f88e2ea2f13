/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_proved_schema: what the fleet learned by itself. Included by sqlite_schema.h only. */
#pragma once

/* kind, word: enums of proved.h; addr x'' of a wallet. What connections of the last week proved before (verdict 3:
 * probable, 4: confirmed; flags 131080: memory and the fleet's word, which are no proof; 65536: the server answered as
 * a pool) is the first that is in it: each server once, met where the connection that began first was, but none within
 * the ranges of lamp_addr_is_private() and lamp_addr_is_multicast() (low: the first of one; high: the first after). */
#define LAMP_V4 "x'00000000000000000000ffff"
static const char lamp_schema_proved[] =
    "CREATE TABLE proved ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, addr BLOB NOT NULL,"
    " port INTEGER NOT NULL, wallet TEXT NOT NULL, confirmed INTEGER NOT NULL,"
    " first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, site TEXT NOT NULL, coin TEXT NOT NULL,"
    " pool TEXT NOT NULL, word INTEGER NOT NULL DEFAULT 0, until_us INTEGER NOT NULL DEFAULT 0,"
    " said_by TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',"
    " said_us INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, addr, port, wallet)) STRICT;"
    "INSERT INTO proved (kind, addr, port, wallet, confirmed, first_us, last_us, site, coin, pool)"
    " WITH range (low, high) AS (VALUES"
    " (" LAMP_V4 "00', " LAMP_V4 "01'), (" LAMP_V4 "0a', " LAMP_V4 "0b'),"
    " (" LAMP_V4 "6440', " LAMP_V4 "6480'), (" LAMP_V4 "7f', " LAMP_V4 "80'),"
    " (" LAMP_V4 "a9fe', " LAMP_V4 "a9ff'), (" LAMP_V4 "ac10', " LAMP_V4 "ac20'),"
    " (" LAMP_V4 "c0a8', " LAMP_V4 "c0a9'), (" LAMP_V4 "e0', " LAMP_V4 "f0'),"
    " (" LAMP_V4 "ffffffff', x'000000000000000000010000'),"
    " (x'', x'00000000000000000000000000000002'),"
    " (x'fc', x'fe'), (x'fe80', x'fec0'), (x'ff', x'ffffffffffffffffffffffffffffffffff'))"
    " SELECT 0, server, server_port, '', confirmed, first_us, last_us, name, coin, pool FROM ("
    "SELECT c.server, c.server_port, max(c.verdict = 4) OVER of_one AS confirmed, c.first_us,"
    " max(c.last_us) OVER of_one AS last_us, t.name, substr(c.coin, 1, 16) AS coin,"
    " substr(c.pool, 1, 64) AS pool, row_number() OVER (PARTITION BY c.server, c.server_port"
    "  ORDER BY c.first_us, c.id) AS nth FROM conn c JOIN site t ON t.no = c.site"
    " WHERE c.verdict >= 3 AND c.server_port > 0 AND c.tunnel_kind = '' AND c.flags & 131080 = 0"
    " AND c.last_us > (SELECT max(last_us) FROM conn) - 604800000000"
    " AND (c.verdict > 3 OR c.flags & 65536 OR NOT EXISTS"
    " (SELECT 1 FROM evidence e WHERE e.conn = c.id AND e.kind = 'address'))"
    " AND NOT EXISTS (SELECT 1 FROM range r WHERE c.server >= r.low AND c.server < r.high)"
    " WINDOW of_one AS (PARTITION BY c.server, c.server_port))"
    " WHERE nth = 1 ORDER BY last_us DESC LIMIT 4096;";
