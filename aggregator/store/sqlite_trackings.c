/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's trackings. */
#include "aggregator/store/sqlite.h"

enum { LIST_MAX = 100 };

/* More in 10 s is no traffic (880 Gbit/s), and sums of a tracking's rows stay far from 2^63. */
#define STEP_MOST (UINT64_C(1) << 40)

#define TRACKING_COLUMNS                                                                           \
    "t.id, t.wire, t.what, t.site, t.sensor, t.miner, t.order_, t.reason, t.created_by,"           \
    " t.created_us, t.until_us, t.ring, t.ended_us, t.ended_by, t.rows, t.rows_refused"
#define SENSOR_COLUMNS                                                                             \
    "k.tracking, k.sensor, n.id, p.name, k.state, k.words, k.asked_us, k.changed_us,"              \
    " n.last_seen_us"

static int read_tracking(struct lamp_sqlite *q, sqlite3_stmt *st, struct lamp_tracking *out)
{
    *out = (struct lamp_tracking){
        .id = sqlite3_column_int64(st, 0),
        .order = { .wire = lamp_col_uint(st, 1),
                   .what = (enum lamp_sample_what)sqlite3_column_int(st, 2),
                   .miner_id = sqlite3_column_int64(st, 5),
                   .created_us = lamp_col_uint(st, 9),
                   .expires_us = lamp_col_uint(st, 10) },
        .ring = (uint32_t)sqlite3_column_int64(st, 11),
        .ended_us = lamp_col_uint(st, 12),
        .rows = lamp_col_uint(st, 14),
        .rows_refused = lamp_col_uint(st, 15),
    };
    lamp_col_copy(st, 3, out->order.site, sizeof(out->order.site));
    lamp_col_copy(st, 4, out->order.sensor, sizeof(out->order.sensor));
    lamp_col_copy(st, 7, out->order.reason, sizeof(out->order.reason));
    lamp_col_copy(st, 8, out->order.created_by, sizeof(out->order.created_by));
    lamp_col_copy(st, 13, out->ended_by, sizeof(out->ended_by));
    return lamp_sqlite_read_order(q, st, 6, &out->order);
}

static void read_sensor(sqlite3_stmt *st, int from, struct lamp_tracking_sensor *out)
{
    *out = (struct lamp_tracking_sensor){
        .tracking_id = sqlite3_column_int64(st, from),
        .sensor_ref = sqlite3_column_int64(st, from + 1),
        .state = (enum lamp_tracking_state)sqlite3_column_int(st, from + 4),
        .asked_us = lamp_col_uint(st, from + 6),
        .changed_us = lamp_col_uint(st, from + 7),
        .heard_us = lamp_col_uint(st, from + 8),
    };
    lamp_col_copy(st, from + 2, out->sensor, sizeof(out->sensor));
    lamp_col_copy(st, from + 3, out->site, sizeof(out->site));
    lamp_col_copy(st, from + 5, out->words, sizeof(out->words));
}

int lamp_sqlite_op_trackings(lamp_store *s, const struct lamp_tracking_filter *f,
                             lamp_tracking_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT " TRACKING_COLUMNS " FROM tracking t WHERE (?1 = 0 OR t.id = ?1)"
                   " AND (?2 = 0 OR t.id < ?2) AND (?3 = 0 OR t.miner = ?3)"
                   " AND (?4 = 0 OR t.ended_us = 0) ORDER BY t.id DESC LIMIT ?5",
                   lamp_int(f->id), lamp_int(f->after_id), lamp_int(f->miner_id), lamp_int(f->open),
                   lamp_int(f->limit ? f->limit : LIST_MAX));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_tracking v;
        const int err = read_tracking(q, st, &v);
        if (err || !fn(&v, arg)) {
            sqlite3_reset(st);
            return err;
        }
    }
    return got;
}

int lamp_sqlite_op_tracking_sensors(lamp_store *s, const struct lamp_tracking_sensor_filter *f,
                                    lamp_tracking_sensor_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    /* Each its own text, so that each can use an index: there may be 100,000 rows, and 10 million steps. */
#define SENSORS_OF(bytes, packets, sums, condition)                                                \
    "SELECT " SENSOR_COLUMNS ", " bytes ", " packets " FROM tracking_sensor k"                     \
    " JOIN sensor n ON n.no = k.sensor JOIN site p ON p.no = n.site"                               \
    " JOIN tracking t ON t.id = k.tracking" sums " WHERE " condition                               \
    " AND (?2 = 0 OR k.sensor = ?2) AND (?3 = 0 OR t.ended_us = 0)"                                \
    " ORDER BY k.changed_us, k.tracking, n.id LIMIT ?4"
#define SUMS                                                                                       \
    " LEFT JOIN (SELECT sensor, sum(bytes_out + bytes_in) AS bytes,"                               \
    "  sum(packets_out + packets_in) AS packets FROM tracking_step"                                \
    "  WHERE tracking = ?1 GROUP BY sensor) b ON b.sensor = k.sensor"
    const char *sql =
        f->tracking_id && f->sums
            ? SENSORS_OF("coalesce(b.bytes, 0)", "coalesce(b.packets, 0)", SUMS, "k.tracking = ?1")
        : f->tracking_id ? SENSORS_OF("0", "0", "", "k.tracking = ?1")
        : f->sensor_ref && f->open
            ? SENSORS_OF("0", "0", "", "?1 = 0 AND k.sensor = ?2 AND k.state <> 4")
            : SENSORS_OF("0", "0", "", "?1 = 0");
    sqlite3_stmt *st = LAMP_QUERY(q, sql, lamp_int(f->tracking_id), lamp_int(f->sensor_ref),
                                  lamp_int(f->open), lamp_int(f->limit ? (int64_t)f->limit : -1));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_tracking_sensor v;
        read_sensor(st, 0, &v);
        v.bytes = lamp_col_uint(st, 9);
        v.packets = lamp_col_uint(st, 10);
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_tracking_steps(lamp_store *s, const struct lamp_tracking_step_filter *f,
                                  lamp_tracking_step_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const uint64_t step_us = LAMP_WIRE_TRACK_STEP_S * UINT64_C(1000000);
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT step / ?4 * ?4, sum(bo), sum(bi), sum(po), sum(pi) FROM (SELECT step,"
                   " max(bytes_out) AS bo, max(bytes_in) AS bi, max(packets_out) AS po,"
                   " max(packets_in) AS pi FROM tracking_step"
                   " WHERE tracking = ?1 AND step >= ?2 AND step < ?3 GROUP BY step)"
                   " GROUP BY step / ?4 ORDER BY 1",
                   lamp_int(f->tracking_id), lamp_uint(f->from_us / step_us),
                   lamp_uint((f->to_us + step_us - 1) / step_us),
                   lamp_int(f->step_s / LAMP_WIRE_TRACK_STEP_S));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_tracking_step v = { lamp_col_uint(st, 0) * step_us, lamp_col_uint(st, 1),
                                              lamp_col_uint(st, 2), lamp_col_uint(st, 3),
                                              lamp_col_uint(st, 4) };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_tracking_add(lamp_store *s, struct lamp_tracking *v)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const struct lamp_sample *o = &v->order;
    const struct lamp_msg m = lamp_sample_order(o);
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len = 0;
    int err = lamp_msg_pack(&m, &packed, &len);
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "INSERT INTO tracking (wire, what, site, sensor, miner, order_, reason,"
                        " created_by, created_us, until_us, ring, ended_us, ended_by, rows,"
                        " rows_refused) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, 0)",
                        lamp_uint(o->wire), lamp_int((int64_t)o->what), lamp_str(o->site),
                        lamp_str(o->sensor), lamp_int(o->miner_id), lamp_blob(packed, len),
                        lamp_str(o->reason), lamp_str(o->created_by), lamp_uint(o->created_us),
                        lamp_uint(o->expires_us), lamp_int(v->ring));
    if (err == LAMP_OK)
        v->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_tracking_end(lamp_store *s, int64_t id, uint64_t at_us, const char *by)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q, "UPDATE tracking SET ended_us = ?2, ended_by = ?3 WHERE id = ?1",
                              lamp_int(id), lamp_uint(at_us), lamp_str(by));
    return err ? err
               : LAMP_EXEC(q,
                           "UPDATE tracking_sensor SET state = 4, changed_us = ?2"
                           " WHERE tracking = ?1 AND state IN (0, 1)",
                           lamp_int(id), lamp_uint(at_us));
}

int lamp_sqlite_op_tracking_sensor_put(lamp_store *s, const struct lamp_tracking_sensor *v)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "INSERT INTO tracking_sensor (tracking, sensor, state, words, asked_us,"
                     " changed_us) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                     " state = excluded.state, words = excluded.words,"
                     " changed_us = excluded.changed_us",
                     lamp_int(v->tracking_id), lamp_int(v->sensor_ref), lamp_int((int64_t)v->state),
                     lamp_str(v->words), lamp_uint(v->asked_us), lamp_uint(v->changed_us));
}

int lamp_sqlite_op_tracking_of(lamp_store *s, uint64_t wire, int64_t sensor_ref,
                               struct lamp_tracking *out, struct lamp_tracking_sensor *out_sensor)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT " TRACKING_COLUMNS ", " SENSOR_COLUMNS " FROM tracking t"
                   " JOIN tracking_sensor k ON k.tracking = t.id JOIN sensor n ON n.no = k.sensor"
                   " JOIN site p ON p.no = n.site WHERE t.wire = ? AND k.sensor = ?",
                   lamp_uint(wire), lamp_int(sensor_ref));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    const int err = read_tracking(q, st, out);
    read_sensor(st, 16, out_sensor);
    sqlite3_reset(st);
    return err;
}

int lamp_sqlite_op_tracking_row(lamp_store *s, int64_t id, int64_t sensor_ref,
                                const struct lamp_track_row *row, bool *out_new)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const struct lamp_sqlv v[] = { lamp_int(id),
                                   lamp_uint(row->step),
                                   lamp_int(sensor_ref),
                                   lamp_uint(row->bytes_out),
                                   lamp_uint(row->bytes_in),
                                   lamp_uint(row->packets_out),
                                   lamp_uint(row->packets_in),
                                   lamp_uint(STEP_MOST) };
    const int err = lamp_sqlite_exec(q,
                                     "INSERT OR IGNORE INTO tracking_step VALUES (?1, ?2, ?3,"
                                     " min(?4, ?8), min(?5, ?8), min(?6, ?8), min(?7, ?8))",
                                     v, ARRAY_LEN(v));
    *out_new = !err && sqlite3_changes(q->db) == 1;
    if (err || *out_new)
        return err;
    return lamp_sqlite_exec(q,
                            "UPDATE tracking_step SET bytes_out = min(bytes_out + ?4, ?8),"
                            " bytes_in = min(bytes_in + ?5, ?8),"
                            " packets_out = min(packets_out + ?6, ?8),"
                            " packets_in = min(packets_in + ?7, ?8)"
                            " WHERE tracking = ?1 AND step = ?2 AND sensor = ?3",
                            v, ARRAY_LEN(v));
}

int lamp_sqlite_op_tracking_count(lamp_store *s, int64_t id, uint64_t rows, uint64_t refused)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "UPDATE tracking SET rows = rows + ?2, rows_refused = rows_refused + ?3"
                     " WHERE id = ?1",
                     lamp_int(id), lamp_uint(rows), lamp_uint(refused));
}

int lamp_sqlite_op_tracking_remove(lamp_store *s, int64_t id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_EXEC(q, "DELETE FROM tracking_step WHERE tracking = ?", lamp_int(id));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q, "DELETE FROM tracking_sensor WHERE tracking = ?", lamp_int(id));
    return err ? err : LAMP_EXEC(q, "DELETE FROM tracking WHERE id = ?", lamp_int(id));
}

int lamp_sqlite_op_tracking_totals(lamp_store *s, const char *site,
                                   struct lamp_tracking_totals *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT count(*), count(*) FILTER (WHERE ended_us = 0),"
                   " count(*) FILTER (WHERE ended_us = 0 AND (site IN ('', ?1) OR ?1 = '')),"
                   " count(*) FILTER (WHERE ended_us = 0 AND ring > 0 AND"
                   "  (site IN ('', ?1) OR ?1 = '')),"
                   " coalesce((SELECT value FROM meta WHERE key = 'trackings_refused'), 0),"
                   " coalesce((SELECT value FROM meta WHERE key = 'tracking_rows_refused'), 0)"
                   " FROM tracking",
                   lamp_str(site));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = (struct lamp_tracking_totals){ lamp_col_uint(st, 0), lamp_col_uint(st, 1),
                                          lamp_col_uint(st, 2), lamp_col_uint(st, 3),
                                          lamp_col_uint(st, 4), lamp_col_uint(st, 5) };
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_tracking_refused(lamp_store *s, uint64_t trackings, uint64_t rows)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "INSERT INTO meta VALUES ('trackings_refused', ?1),"
                     " ('tracking_rows_refused', ?2)"
                     " ON CONFLICT DO UPDATE SET value = value + excluded.value",
                     lamp_uint(trackings), lamp_uint(rows));
}
