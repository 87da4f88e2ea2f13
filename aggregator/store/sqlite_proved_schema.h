/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_proved_schema: what the fleet learned by itself. Included by sqlite_schema.h only. */
#pragma once

/* kind, word: enums of proved.h; addr x'' of a wallet. What connections of the last week proved before (verdict 3:
 * probable, 4: confirmed; flags 131080: memory and the fleet's word, which
 * are no proof; 65536: the server answered as a pool) is the first that is in it. */
static const char lamp_schema_proved[] =
    "CREATE TABLE proved ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, addr BLOB NOT NULL,"
    " port INTEGER NOT NULL, wallet TEXT NOT NULL, confirmed INTEGER NOT NULL,"
    " first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, site TEXT NOT NULL, coin TEXT NOT NULL,"
    " pool TEXT NOT NULL, word INTEGER NOT NULL DEFAULT 0, until_us INTEGER NOT NULL DEFAULT 0,"
    " said_by TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',"
    " said_us INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, addr, port, wallet)) STRICT;"
    "INSERT INTO proved (kind, addr, port, wallet, confirmed, first_us, last_us, site, coin, pool)"
    " SELECT 0, c.server, c.server_port, '', max(c.verdict = 4), min(c.first_us), max(c.last_us),"
    " t.name, substr(c.coin, 1, 16), substr(c.pool, 1, 64) FROM conn c JOIN site t ON t.no = c.site"
    " WHERE c.verdict >= 3 AND c.server_port > 0 AND c.tunnel_kind = '' AND c.flags & 131080 = 0"
    " AND c.last_us > (SELECT max(last_us) FROM conn) - 604800000000"
    " AND (c.verdict > 3 OR c.flags & 65536 OR NOT EXISTS"
    " (SELECT 1 FROM evidence e WHERE e.conn = c.id AND e.kind = 'address'))"
    " GROUP BY c.server, c.server_port ORDER BY max(c.last_us) DESC LIMIT 4096;";
