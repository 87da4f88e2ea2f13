/* SPDX-License-Identifier: Apache-2.0 */
/* What the SQLite store knows of the servers of suspected connections. */
#include "aggregator/store/sqlite.h"

int lamp_sqlite_op_suspects(lamp_store *s, uint64_t from_us, uint32_t limit, lamp_suspect_fn *fn,
                            void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT c.server, c.server_port, max(c.flags & 2), max(iif(c.sni <> '', c.sni,"
        " c.server_name)), coalesce(ep.state, 0), coalesce(ep.probed_us, 0) FROM conn c"
        " LEFT JOIN pool_endpoint ep ON ep.addr = c.server AND ep.port = c.server_port"
        " WHERE c.verdict = 2 AND c.last_us >= ?1 AND c.ip_proto = 6 AND c.tunnel_kind = ''"
        " AND NOT EXISTS (SELECT 1 FROM pair p WHERE p.site = c.site AND p.client = c.client"
        " AND p.vlan = c.vlan AND p.server = c.server AND p.server_port = c.server_port"
        " AND p.ip_proto = c.ip_proto AND p.mark > 0)"
        " GROUP BY c.server, c.server_port ORDER BY max(c.last_us) DESC LIMIT ?2",
        lamp_uint(from_us), lamp_int(limit));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_suspect v = { .addr = lamp_col_addr(st, 0),
                                        .port = (uint16_t)sqlite3_column_int(st, 1),
                                        .tls = sqlite3_column_int(st, 2) != 0,
                                        .name = lamp_col_str(st, 3),
                                        .state = (enum lamp_pool_state)sqlite3_column_int(st, 4),
                                        .probed_us = lamp_col_uint(st, 5) };
        if (!fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

static int find_other(struct lamp_sqlite *q, const struct lamp_track_pair *of, uint64_t from_us,
                      struct lamp_server_known *out)
{
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT t.name FROM pair p JOIN site t ON t.no = p.site WHERE p.verdict = 4"
        " AND p.server = ?1 AND p.server_port = ?2 AND p.ip_proto = ?3 AND p.last_us >= ?4"
        " AND NOT (p.site = ?5 AND p.client = ?6 AND p.vlan = ?7)"
        /* What an operator muted is no evidence. */
        " AND NOT EXISTS (SELECT 1 FROM proved WHERE kind = 0 AND addr = ?1 AND port = ?2"
        " AND wallet = '' AND word = 2) ORDER BY p.last_us DESC LIMIT 1",
        lamp_addr_blob(&of->server), lamp_int(of->server_port), lamp_int(of->ip_proto),
        lamp_uint(from_us), lamp_int(of->site_ref), lamp_addr_blob(&of->client),
        lamp_int(of->vlan));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got;
    out->mined = true;
    lamp_col_copy(st, 0, out->site, sizeof(out->site));
    sqlite3_reset(st);
    return LAMP_OK;
}

/* Only TCP is asked. */
static int find_probed(struct lamp_sqlite *q, const struct lamp_addr *server, uint16_t port,
                       uint8_t ip_proto, struct lamp_server_known *out)
{
    if (ip_proto != 6)
        return LAMP_OK;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT state, probed_us, reason, family, difficulty FROM pool_endpoint"
                   " WHERE addr = ? AND port = ?",
                   lamp_addr_blob(server), lamp_int(port));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got;
    out->state = (enum lamp_pool_state)sqlite3_column_int(st, 0);
    out->probed_us = lamp_col_uint(st, 1);
    lamp_col_copy(st, 2, out->reason, sizeof(out->reason));
    lamp_col_copy(st, 3, out->family, sizeof(out->family));
    out->difficulty = sqlite3_column_double(st, 4);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_server_known(lamp_store *s, const struct lamp_track_pair *of, uint64_t from_us,
                                struct lamp_server_known *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    *out = (struct lamp_server_known){ 0 };
    const int err = find_other(q, of, from_us, out);
    return err ? err : find_probed(q, &of->server, of->server_port, of->ip_proto, out);
}

int lamp_sqlite_op_server_probed(lamp_store *s, const struct lamp_conn_row *of,
                                 struct lamp_server_known *out)
{
    *out = (struct lamp_server_known){ 0 };
    return find_probed((struct lamp_sqlite *)s, &of->server_addr, of->server_port, of->ip_proto,
                       out);
}
