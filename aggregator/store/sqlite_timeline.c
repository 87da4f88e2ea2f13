/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's memory of why a host is thought to mine, and what came of it. */
#include "aggregator/store/sqlite.h"

/* ---- reasons ---- */

/* Of two rows of a kind and detail, the texts that sort last stay: whichever came first. */
int lamp_sqlite_op_sighting(lamp_store *s, int64_t miner_id, int64_t sensor_ref,
                            const struct lamp_track_evidence *e, uint64_t first_us,
                            uint64_t last_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int before = sqlite3_total_changes(q->db);
    const int err = LAMP_EXEC(
        q,
        "INSERT INTO sighting SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE"
        " (SELECT count(*) FROM sighting WHERE miner = ?1) < ?11 OR EXISTS (SELECT 1 FROM sighting"
        " WHERE miner = ?1 AND kind = ?2 AND detail = ?3 AND sensor = ?4)"
        " ON CONFLICT DO UPDATE SET first_us = min(first_us, excluded.first_us),"
        " last_us = max(last_us, excluded.last_us), field = max(field, excluded.field),"
        " strength = max(strength, excluded.strength), refute = max(refute, excluded.refute),"
        " side = max(side, excluded.side)",
        lamp_int(miner_id), lamp_str(e->kind), lamp_str(e->detail), lamp_int(sensor_ref),
        lamp_str(e->field), lamp_str(e->strength), lamp_str(e->refute), lamp_int((int64_t)e->side),
        lamp_uint(first_us), lamp_uint(last_us), lamp_int(LAMP_SIGHTINGS_MAX));
    if (err != LAMP_OK || sqlite3_total_changes(q->db) != before)
        return err;
    return LAMP_EXEC(q, "UPDATE miner SET sightings_left_out = sightings_left_out + 1 WHERE id = ?",
                     lamp_int(miner_id));
}

static int left_out(struct lamp_sqlite *q, int64_t miner_id, uint64_t *out)
{
    sqlite3_stmt *st =
        LAMP_QUERY(q, "SELECT sightings_left_out FROM miner WHERE id = ?", lamp_int(miner_id));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    *out = lamp_col_uint(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_sightings(lamp_store *s, int64_t miner_id, lamp_sighting_view_fn *fn, void *arg,
                             uint64_t *out_left_out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int got = left_out(q, miner_id, out_left_out);
    if (got < 0)
        return got;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT g.kind, g.detail, g.field, g.strength, g.refute, g.side, n.id, g.first_us,"
        " g.last_us FROM sighting g LEFT JOIN sensor n ON n.no = g.sensor WHERE g.miner = ?"
        " ORDER BY g.first_us, g.kind, g.detail, n.id",
        lamp_int(miner_id));
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_sighting_view v = {
            .kind = lamp_col_str(st, 0),
            .detail = lamp_col_str(st, 1),
            .field = lamp_col_str(st, 2),
            .strength = lamp_col_str(st, 3),
            .refute = lamp_col_str(st, 4),
            .side = (enum lamp_side)sqlite3_column_int(st, 5),
            .sensor = lamp_col_str(st, 6),
            .first_us = lamp_col_uint(st, 7),
            .last_us = lamp_col_uint(st, 8),
        };
        if (!fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

/* ---- states ---- */

int lamp_sqlite_op_level(lamp_store *s, int64_t miner_id, int64_t sensor_ref,
                         enum lamp_verdict verdict, uint64_t at_us)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "INSERT INTO level VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                     " sensor = excluded.sensor, at_us = excluded.at_us"
                     " WHERE (excluded.at_us, excluded.sensor) < (at_us, sensor)",
                     lamp_int(miner_id), lamp_int((int64_t)verdict), lamp_int(sensor_ref),
                     lamp_uint(at_us));
}

int lamp_sqlite_op_step(lamp_store *s, int64_t miner_id, const struct lamp_step_view *v)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err =
        LAMP_EXEC(q, "INSERT INTO step (miner, at_us, state, who, reason) VALUES (?, ?, ?, ?, ?)",
                  lamp_int(miner_id), lamp_uint(v->at_us), lamp_str(v->state), lamp_str(v->by),
                  lamp_str(v->reason));
    return err ? err
               : LAMP_EXEC(q,
                           "DELETE FROM step WHERE miner = ?1 AND no <= (SELECT no FROM step"
                           " WHERE miner = ?1 ORDER BY no DESC LIMIT 1 OFFSET ?2)",
                           lamp_int(miner_id), lamp_int(LAMP_STEPS_MAX));
}

/* A level counts where none higher was reached before it. */
#define LEVELS                                                                                     \
    "SELECT at_us, CASE verdict WHEN 4 THEN 'confirmed' WHEN 3 THEN 'probable'"                    \
    " ELSE 'suspected' END, ifnull((SELECT id FROM sensor WHERE no = l.sensor), ''), '', 0"        \
    " FROM level l WHERE miner = ?1 AND verdict >= 2 AND NOT EXISTS (SELECT 1 FROM level h WHERE"  \
    " h.miner = ?1 AND h.verdict > l.verdict AND h.at_us <= l.at_us)"

int lamp_sqlite_op_steps(lamp_store *s, int64_t miner_id, uint64_t now_us, lamp_step_view_fn *fn,
                         void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    uint64_t unused;
    int got = left_out(q, miner_id, &unused);
    if (got < 0)
        return got;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT * FROM (" LEVELS " UNION ALL SELECT at_us, state, who, reason, no FROM step"
        " WHERE miner = ?1 UNION ALL SELECT last_us + ?3, 'ended', '', '', 0 FROM miner"
        " WHERE id = ?1 AND last_us + ?3 <= ?2) ORDER BY 1, 5",
        lamp_int(miner_id), lamp_uint(now_us), lamp_uint(LAMP_MINER_QUIET_US));
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_step_view v = { .at_us = lamp_col_uint(st, 0),
                                          .state = lamp_col_str(st, 1),
                                          .by = lamp_col_str(st, 2),
                                          .reason = lamp_col_str(st, 3) };
        if (!fn(&v, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}
