/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's policies and what came of them. */
#include "aggregator/store/sqlite.h"

#define MINUTE_US (60 * UINT64_C(1000000))

int lamp_sqlite_op_policies(lamp_store *s, lamp_policy_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(
        q,
        "SELECT id, name, mode, verdict, coin, site, pool, sanctioned, days, from_minute,"
        " to_minute, alert, block, everywhere, lease_s, longest_s, grace_s, created_by, mode_by,"
        " created_us, mode_us, place, sample, confidence FROM policy ORDER BY place, id",
        NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_policy p = {
            .id = sqlite3_column_int64(st, 0),
            .mode = (enum lamp_policy_mode)sqlite3_column_int(st, 2),
            .verdict = (enum lamp_verdict)sqlite3_column_int(st, 3),
            .sanctioned = sqlite3_column_int(st, 7) != 0,
            .days = (uint8_t)sqlite3_column_int(st, 8),
            .from_minute = (uint16_t)sqlite3_column_int(st, 9),
            .to_minute = (uint16_t)sqlite3_column_int(st, 10),
            .alert = sqlite3_column_int(st, 11) != 0,
            .block = (enum lamp_policy_block)sqlite3_column_int(st, 12),
            .everywhere = sqlite3_column_int(st, 13) != 0,
            .lease_s = (uint32_t)sqlite3_column_int64(st, 14),
            .longest_s = (uint32_t)sqlite3_column_int64(st, 15),
            .grace_s = (uint32_t)sqlite3_column_int64(st, 16),
            .created_us = lamp_col_uint(st, 19),
            .mode_us = lamp_col_uint(st, 20),
            .place = (uint32_t)sqlite3_column_int64(st, 21),
            .sample = (uint32_t)sqlite3_column_int64(st, 22),
            .confidence = (uint16_t)sqlite3_column_int(st, 23),
        };
        lamp_col_copy(st, 1, p.name, sizeof(p.name));
        lamp_col_copy(st, 4, p.coin, sizeof(p.coin));
        lamp_col_copy(st, 5, p.site, sizeof(p.site));
        lamp_col_copy(st, 6, p.pool, sizeof(p.pool));
        lamp_col_copy(st, 17, p.created_by, sizeof(p.created_by));
        lamp_col_copy(st, 18, p.mode_by, sizeof(p.mode_by));
        if (!fn(&p, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_policy_add(lamp_store *s, struct lamp_policy *p)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(
        q,
        "INSERT INTO policy (name, mode, verdict, coin, site, pool, sanctioned, days, from_minute,"
        " to_minute, alert, block, everywhere, lease_s, longest_s, grace_s, created_by, mode_by,"
        " created_us, mode_us, sample, confidence, place) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, 1 + count(*) FROM policy WHERE true ON CONFLICT DO NOTHING",
        lamp_str(p->name), lamp_int((int64_t)p->mode), lamp_int((int64_t)p->verdict),
        lamp_str(p->coin), lamp_str(p->site), lamp_str(p->pool), lamp_int(p->sanctioned),
        lamp_int(p->days), lamp_int(p->from_minute), lamp_int(p->to_minute), lamp_int(p->alert),
        lamp_int((int64_t)p->block), lamp_int(p->everywhere), lamp_int(p->lease_s),
        lamp_int(p->longest_s), lamp_int(p->grace_s), lamp_str(p->created_by), lamp_str(p->mode_by),
        lamp_uint(p->created_us), lamp_uint(p->mode_us), lamp_int(p->sample),
        lamp_int(p->confidence));
    if (err == LAMP_OK && sqlite3_changes(q->db) == 0)
        return LAMP_EEXIST;
    p->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

/* *out: a whole number that a query finds. LAMP_ENOENT: it finds none. */
static int one(struct lamp_sqlite *q, sqlite3_stmt *st, int64_t *out)
{
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    *out = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_policy_edit(lamp_store *s, const struct lamp_policy *p)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int64_t other;
    int err = one(q,
                  LAMP_QUERY(q, "SELECT id FROM policy WHERE name = ? AND id <> ?",
                             lamp_str(p->name), lamp_int(p->id)),
                  &other);
    if (err != LAMP_ENOENT)
        return err ? err : LAMP_EEXIST;
    err = LAMP_EXEC(
        q,
        "UPDATE policy SET name = ?2, mode = ?3, verdict = ?4, coin = ?5, site = ?6, pool = ?7,"
        " sanctioned = ?8, days = ?9, from_minute = ?10, to_minute = ?11, alert = ?12, block = ?13,"
        " everywhere = ?14, lease_s = ?15, longest_s = ?16, grace_s = ?17, mode_by = ?18,"
        " mode_us = ?19, sample = ?20, confidence = ?21 WHERE id = ?1",
        lamp_int(p->id), lamp_str(p->name), lamp_int((int64_t)p->mode),
        lamp_int((int64_t)p->verdict), lamp_str(p->coin), lamp_str(p->site), lamp_str(p->pool),
        lamp_int(p->sanctioned), lamp_int(p->days), lamp_int(p->from_minute),
        lamp_int(p->to_minute), lamp_int(p->alert), lamp_int((int64_t)p->block),
        lamp_int(p->everywhere), lamp_int(p->lease_s), lamp_int(p->longest_s), lamp_int(p->grace_s),
        lamp_str(p->mode_by), lamp_uint(p->mode_us), lamp_int(p->sample), lamp_int(p->confidence));
    if (err == LAMP_OK && sqlite3_changes(q->db) == 0)
        return LAMP_ENOENT;
    return err ? err : LAMP_EXEC(q, "DELETE FROM policy_hit WHERE policy = ?", lamp_int(p->id));
}

int lamp_sqlite_op_policy_place(lamp_store *s, int64_t id, uint32_t place)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int64_t old = 0;
    int err = one(q, LAMP_QUERY(q, "SELECT place FROM policy WHERE id = ?", lamp_int(id)), &old);
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "UPDATE policy SET place = min(?2, (SELECT count(*) FROM policy))"
                        " WHERE id = ?1",
                        lamp_int(id), lamp_int(place));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "UPDATE policy SET place = place - (place > ?2) + (place - (place > ?2) >="
                        " (SELECT place FROM policy WHERE id = ?1)) WHERE id <> ?1",
                        lamp_int(id), lamp_int(old));
    return err;
}

int lamp_sqlite_op_policy_mode(lamp_store *s, int64_t id, enum lamp_policy_mode mode,
                               const char *by, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err =
        LAMP_EXEC(q, "UPDATE policy SET mode = ?2, mode_by = ?3, mode_us = ?4 WHERE id = ?1",
                  lamp_int(id), lamp_int((int64_t)mode), lamp_str(by), lamp_uint(now_us));
    return err == LAMP_OK && sqlite3_changes(q->db) == 0 ? LAMP_ENOENT : err;
}

int lamp_sqlite_op_policy_remove(lamp_store *s, int64_t id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_EXEC(q, "DELETE FROM policy_hit WHERE policy = ?", lamp_int(id));
    if (err == LAMP_OK)
        err = lamp_sqlite_op_policy_place(s, id, LAMP_POLICIES_MAX); /* the others close up */
    return err ? err : LAMP_EXEC(q, "DELETE FROM policy WHERE id = ?", lamp_int(id));
}

/* A row is written when it is new, when something else came of it, and once a minute. */
int lamp_sqlite_op_policy_hit(lamp_store *s, const struct lamp_policy_hit *h)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(
        q,
        "INSERT INTO policy_hit (policy, site, host, vlan, server, server_port, ip_proto, miner,"
        " conn, dry_run, block, why, outcome, first_us, last_us, count)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?14, ?14, 1) ON CONFLICT DO UPDATE SET"
        " miner = excluded.miner, conn = excluded.conn, dry_run = excluded.dry_run,"
        " block = excluded.block, why = excluded.why, outcome = excluded.outcome,"
        " last_us = excluded.last_us, count = count + 1"
        " WHERE excluded.last_us >= last_us + ?15 OR excluded.block <> block"
        " OR excluded.dry_run <> dry_run",
        lamp_int(h->policy_id), lamp_str(h->site), lamp_addr_blob(&h->host), lamp_int(h->vlan),
        lamp_addr_blob(&h->server), lamp_int(h->server_port), lamp_int(h->ip_proto),
        lamp_int(h->miner_id), lamp_int(h->conn_id), lamp_int(h->dry_run), lamp_int(h->block_id),
        lamp_str(h->why), lamp_str(h->outcome), lamp_uint(h->last_us), lamp_uint(MINUTE_US));
    if (err != LAMP_OK || sqlite3_changes(q->db) == 0)
        return err;
    return LAMP_EXEC(q,
                     "DELETE FROM policy_hit WHERE rowid IN (SELECT rowid FROM policy_hit"
                     " WHERE policy = ?1 ORDER BY last_us DESC LIMIT -1 OFFSET ?2)",
                     lamp_int(h->policy_id), lamp_int(LAMP_POLICY_HITS_MAX));
}

int lamp_sqlite_op_policy_hits(lamp_store *s, int64_t policy_id, lamp_policy_hit_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT site, host, vlan, server, server_port, ip_proto, miner, conn, dry_run, block, why,"
        " outcome, first_us, last_us, count FROM policy_hit WHERE policy = ?"
        " ORDER BY last_us DESC",
        lamp_int(policy_id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_policy_hit h = {
            .policy_id = policy_id,
            .host = lamp_col_addr(st, 1),
            .vlan = (uint32_t)sqlite3_column_int64(st, 2),
            .server = lamp_col_addr(st, 3),
            .server_port = (uint16_t)sqlite3_column_int(st, 4),
            .ip_proto = (uint8_t)sqlite3_column_int(st, 5),
            .miner_id = sqlite3_column_int64(st, 6),
            .conn_id = sqlite3_column_int64(st, 7),
            .dry_run = sqlite3_column_int(st, 8) != 0,
            .block_id = sqlite3_column_int64(st, 9),
            .first_us = lamp_col_uint(st, 12),
            .last_us = lamp_col_uint(st, 13),
            .count = lamp_col_uint(st, 14),
        };
        lamp_col_copy(st, 0, h.site, sizeof(h.site));
        lamp_col_copy(st, 10, h.why, sizeof(h.why));
        lamp_col_copy(st, 11, h.outcome, sizeof(h.outcome));
        if (!fn(&h, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_block_past(lamp_store *s, const struct lamp_block *b, uint64_t from_us,
                              struct lamp_block_past *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT coalesce(sum(created_by LIKE 'policy %' AND approval <> 3), 0),"
                   " coalesce(max(iif(removed_by IN ('', 'expired'), 0, removed_us)), 0) FROM block"
                   " WHERE created_us >= ?1 AND kind = ?2 AND addr = ?3 AND len = ?4 AND port = ?5"
                   " AND (site = ?6 OR site = '' OR ?6 = '')",
                   lamp_uint(from_us), lamp_int((int64_t)b->kind), lamp_addr_blob(&b->prefix.addr),
                   lamp_int(b->prefix.len), lamp_int(b->port), lamp_str(b->site));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    out->by_policies = (uint32_t)sqlite3_column_int64(st, 0);
    out->lifted_us = lamp_col_uint(st, 1);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_server_wanted(lamp_store *s, const struct lamp_addr *server, uint16_t port,
                                 const char *site, bool *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT EXISTS (SELECT 1 FROM pair p JOIN site t ON t.no = p.site"
                                  " WHERE p.mark = 1 AND p.server = ?1 AND p.server_port = ?2"
                                  " AND (?3 = '' OR t.name = ?3))",
                                  lamp_addr_blob(server), lamp_int(port), lamp_str(site));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = sqlite3_column_int(st, 0) != 0;
    sqlite3_reset(st);
    return LAMP_OK;
}
