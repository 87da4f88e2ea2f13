/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's memory of who mined where, and what operators say to it. */
#include "aggregator/store/sqlite.h"

int lamp_sqlite_op_pair_find(lamp_store *s, struct lamp_track_pair *p)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT verdict, confidence, last_us FROM pair WHERE site = ? AND client = ? AND vlan = ?"
        " AND server = ? AND server_port = ? AND ip_proto = ?",
        lamp_int(p->site_ref), lamp_addr_blob(&p->client), lamp_int(p->vlan),
        lamp_addr_blob(&p->server), lamp_int(p->server_port), lamp_int(p->ip_proto));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    p->verdict = (enum lamp_verdict)sqlite3_column_int(st, 0);
    p->confidence = (uint32_t)sqlite3_column_int(st, 1);
    p->last_us = lamp_col_uint(st, 2);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_pair_mark(lamp_store *s, const struct lamp_track_pair *p,
                             struct lamp_pair_mark *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT coalesce(max(iif(server = ?4 AND server_port = ?5 AND ip_proto = ?6, mark, 0)), 0),"
        " coalesce(max(mark = 1), 0) FROM pair WHERE site = ?1 AND client = ?2 AND vlan = ?3"
        " AND mark > 0",
        lamp_int(p->site_ref), lamp_addr_blob(&p->client), lamp_int(p->vlan),
        lamp_addr_blob(&p->server), lamp_int(p->server_port), lamp_int(p->ip_proto));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    out->mark = (enum lamp_mark)sqlite3_column_int(st, 0);
    out->rig = sqlite3_column_int(st, 1) != 0;
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_pair_save(lamp_store *s, const struct lamp_track_pair *p)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(
        q,
        "INSERT INTO pair (site, client, vlan, server, server_port, ip_proto, verdict, confidence,"
        " last_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " verdict = excluded.verdict, confidence = excluded.confidence, last_us = excluded.last_us",
        lamp_int(p->site_ref), lamp_addr_blob(&p->client), lamp_int(p->vlan),
        lamp_addr_blob(&p->server), lamp_int(p->server_port), lamp_int(p->ip_proto),
        lamp_int((int64_t)p->verdict), lamp_int(p->confidence), lamp_uint(p->last_us));
    if (err != LAMP_OK || p->last_us < LAMP_PAIR_US)
        return err;
    return LAMP_EXEC(q, "DELETE FROM pair WHERE mark = 0 AND last_us < ?",
                     lamp_uint(p->last_us - LAMP_PAIR_US));
}

int lamp_sqlite_op_miner_mark(lamp_store *s, int64_t miner_id, enum lamp_mark mark, const char *by,
                              const char *reason, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q, "SELECT 1 FROM miner WHERE id = ?", lamp_int(miner_id));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    sqlite3_reset(st);
    /* The server of the newest connection is always among them, whatever was forgotten. */
    const int err =
        LAMP_EXEC(q,
                  "INSERT INTO pair (site, client, vlan, server, server_port, ip_proto, verdict,"
                  " confidence, last_us) SELECT site, host, vlan, server, server_port, ip_proto,"
                  " verdict, confidence, last_us FROM miner WHERE id = ? ON CONFLICT DO NOTHING",
                  lamp_int(miner_id));
    if (err != LAMP_OK)
        return err;
    return LAMP_EXEC(q,
                     "UPDATE pair SET mark = ?2, marked_by = ?3, reason = ?4, marked_us = ?5"
                     " WHERE (site, client, vlan) ="
                     " (SELECT site, host, vlan FROM miner WHERE id = ?1)",
                     lamp_int(miner_id), lamp_int((int64_t)mark), lamp_str(by), lamp_str(reason),
                     lamp_uint(now_us));
}

int lamp_sqlite_mark(struct lamp_sqlite *q, int64_t miner_id, uint64_t last_us,
                     struct lamp_sqlite_mark *out)
{
    *out = (struct lamp_sqlite_mark){ 0 };
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT p.mark, p.marked_by, p.reason, p.marked_us FROM miner m JOIN pair p"
        " ON p.site = m.site AND p.client = m.host AND p.vlan = m.vlan WHERE m.id = ?1"
        " AND p.last_us >= ?2 ORDER BY p.mark = 0 DESC, p.marked_us DESC LIMIT 1",
        lamp_int(miner_id), lamp_uint(last_us > LAMP_PAIR_US ? last_us - LAMP_PAIR_US : 0));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got;
    out->mark = (enum lamp_mark)sqlite3_column_int(st, 0);
    lamp_col_copy(st, 1, out->by, sizeof(out->by));
    lamp_col_copy(st, 2, out->reason, sizeof(out->reason));
    out->at_us = lamp_col_uint(st, 3);
    sqlite3_reset(st);
    return LAMP_OK;
}
