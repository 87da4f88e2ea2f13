/* SPDX-License-Identifier: Apache-2.0 */
/* What the miners of several sites have in common, and who falls silent, in the SQLite store. */
#include "aggregator/store/sqlite.h"

static int put_trace(struct lamp_sqlite *q, const struct lamp_trace *t, bool *out_new)
{
    int err = LAMP_EXEC(q,
                        "UPDATE trace SET miner = ?4, last_us = max(last_us, ?5)"
                        " WHERE kind = ?1 AND value = ?2 AND site = ?3",
                        lamp_int((int64_t)t->kind), lamp_str(t->value), lamp_int(t->site_ref),
                        lamp_int(t->miner_id), lamp_uint(t->at_us));
    *out_new = err == LAMP_OK && sqlite3_changes(q->db) == 0;
    if (err || !*out_new)
        return err;
    err =
        LAMP_EXEC(q, "INSERT INTO trace (kind, value, site, miner, last_us) VALUES (?, ?, ?, ?, ?)",
                  lamp_int((int64_t)t->kind), lamp_str(t->value), lamp_int(t->site_ref),
                  lamp_int(t->miner_id), lamp_uint(t->at_us));
    if (!err)
        err = LAMP_EXEC(q, "DELETE FROM trace WHERE no <= ?",
                        lamp_int(sqlite3_last_insert_rowid(q->db) - LAMP_TRACES_MAX));
    const int dropped = sqlite3_changes(q->db);
    return err || dropped == 0
               ? err
               : LAMP_EXEC(q, "UPDATE meta SET value = value + ? WHERE key = 'traces_dropped'",
                           lamp_int(dropped));
}

int lamp_sqlite_op_trace(lamp_store *s, const struct lamp_trace *t,
                         int64_t miners[LAMP_TRACE_SITES], size_t *out_n)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    bool new_here = false;
    const int err = put_trace(q, t, &new_here);
    if (err)
        return err;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        /* Operators have the last word on a wallet (proved.h). */
        "SELECT miner FROM trace WHERE kind = ?1 AND value = ?2 AND (last_us >= ?3"
        " OR EXISTS (SELECT 1 FROM proved WHERE kind = 1 AND addr = x'' AND port = 0"
        " AND wallet = ?2 AND ?1 = ?6 AND (word = 1 OR until_us > ?7)))"
        " AND NOT EXISTS (SELECT 1 FROM proved WHERE kind = 1 AND addr = x''"
        " AND port = 0 AND wallet = ?2 AND ?1 = ?6 AND word = 2)"
        " ORDER BY site = ?4 DESC, site LIMIT ?5",
        lamp_int((int64_t)t->kind), lamp_str(t->value),
        lamp_uint(t->at_us > LAMP_TRACE_US ? t->at_us - LAMP_TRACE_US : 0), lamp_int(t->site_ref),
        lamp_int(LAMP_TRACE_SITES), lamp_int(LAMP_TRACE_WALLET), lamp_uint(t->at_us));
    size_t n = 0;
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0)
        miners[n++] = sqlite3_column_int64(st, 0);
    if (got < 0)
        return got;
    *out_n = n < 2 ? 0 : new_here ? n : 1;
    return LAMP_OK;
}

int lamp_sqlite_op_miners_quiet(lamp_store *s, uint64_t from_us, uint64_t to_us,
                                lamp_miner_id_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q, "SELECT id FROM miner WHERE last_us > ? AND last_us <= ?",
                                  lamp_uint(from_us), lamp_uint(to_us));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0)
        fn(sqlite3_column_int64(st, 0), arg);
    return got;
}
