/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's packet samples. */
#include "aggregator/store/sqlite.h"

#include <stdio.h>

enum { LIST_MAX = 100 };

#define SAMPLE_COLUMNS                                                                             \
    "s.id, s.wire, s.what, s.site, s.sensor, s.miner, s.order_, s.reason, s.created_by,"           \
    " s.created_us, s.expires_us, s.tracking"
#define FILE_COLUMNS                                                                               \
    "f.sample, f.sensor, n.id, t.name, f.state, f.words, f.packets, f.bytes, f.landed,"            \
    " f.changed_us, f.removed"

int lamp_sqlite_read_order(struct lamp_sqlite *q, sqlite3_stmt *st, int i, struct lamp_sample *out)
{
    struct lamp_msg *m = NULL;
    const uint8_t *data = sqlite3_column_blob(st, i);
    const int err = lamp_msg_unpack(data, (size_t)sqlite3_column_bytes(st, i), &m);
    if (err || m->type != LAMP_MSG_ORDER) {
        lamp_msg_free(m);
        snprintf(q->base.why, sizeof(q->base.why), "an order of a sample is damaged");
        return LAMP_ESTORE;
    }
    const struct lamp_order *o = &m->u.order;
    out->packets_per_connection = o->packets_per_connection;
    out->packets = o->packets;
    out->duration_s = o->duration_s;
    out->snaplen = o->snaplen;
    out->bytes_max = o->bytes_max;
    out->n_matches = o->n_matches;
    if (o->n_matches)
        memcpy(out->matches, o->matches, o->n_matches * sizeof(*o->matches));
    lamp_msg_free(m);
    return LAMP_OK;
}

static int read_sample(struct lamp_sqlite *q, sqlite3_stmt *st, struct lamp_sample *out)
{
    *out = (struct lamp_sample){
        .id = sqlite3_column_int64(st, 0),
        .wire = lamp_col_uint(st, 1),
        .what = (enum lamp_sample_what)sqlite3_column_int(st, 2),
        .miner_id = sqlite3_column_int64(st, 5),
        .created_us = lamp_col_uint(st, 9),
        .expires_us = lamp_col_uint(st, 10),
        .tracking_id = sqlite3_column_int64(st, 11),
    };
    lamp_col_copy(st, 3, out->site, sizeof(out->site));
    lamp_col_copy(st, 4, out->sensor, sizeof(out->sensor));
    lamp_col_copy(st, 7, out->reason, sizeof(out->reason));
    lamp_col_copy(st, 8, out->created_by, sizeof(out->created_by));
    return lamp_sqlite_read_order(q, st, 6, out);
}

static void read_file(sqlite3_stmt *st, int from, struct lamp_sample_file *out)
{
    *out = (struct lamp_sample_file){
        .sample_id = sqlite3_column_int64(st, from),
        .sensor_ref = sqlite3_column_int64(st, from + 1),
        .state = (enum lamp_sample_state)sqlite3_column_int(st, from + 4),
        .packets = lamp_col_uint(st, from + 6),
        .bytes = lamp_col_uint(st, from + 7),
        .landed = lamp_col_uint(st, from + 8),
        .changed_us = lamp_col_uint(st, from + 9),
        .removed = sqlite3_column_int(st, from + 10) != 0,
    };
    lamp_col_copy(st, from + 2, out->sensor, sizeof(out->sensor));
    lamp_col_copy(st, from + 3, out->site, sizeof(out->site));
    lamp_col_copy(st, from + 5, out->words, sizeof(out->words));
}

int lamp_sqlite_op_samples(lamp_store *s, const struct lamp_sample_filter *f, lamp_sample_fn *fn,
                           void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT " SAMPLE_COLUMNS " FROM sample s WHERE (?1 = 0 OR s.id = ?1)"
                   " AND (?2 = 0 OR s.id < ?2) AND (?3 = 0 OR s.miner = ?3)"
                   " AND (?4 = 0 OR s.tracking = ?4) ORDER BY s.id DESC LIMIT ?5",
                   lamp_int(f->id), lamp_int(f->after_id), lamp_int(f->miner_id),
                   lamp_int(f->tracking_id), lamp_int(f->limit ? f->limit : LIST_MAX));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_sample v;
        const int err = read_sample(q, st, &v);
        if (err || !fn(&v, arg)) {
            sqlite3_reset(st);
            return err;
        }
    }
    return got;
}

int lamp_sqlite_op_sample_files(lamp_store *s, const struct lamp_sample_file_filter *f,
                                lamp_sample_file_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    /* Each its own text, so that each can use an index: there may be a million rows. */
#define FILES_OF(condition)                                                                        \
    "SELECT " FILE_COLUMNS " FROM sample_file f JOIN sensor n ON n.no = f.sensor"                  \
    " JOIN site t ON t.no = n.site WHERE " condition                                               \
    " AND (?2 = 0 OR f.sensor = ?2) AND (?3 = 0 OR f.state <= 2)"                                  \
    " AND (?4 = 0 OR (f.state > 2 AND f.landed > 0 AND f.removed = 0))"                            \
    " AND (?5 = 0 OR f.changed_us < ?5) ORDER BY f.changed_us, f.sample, n.id LIMIT ?6"
    const char *sql = f->sample_id ? FILES_OF("f.sample = ?1")
                      : f->open    ? FILES_OF("?1 = 0 AND f.state <= 2")
                                   : FILES_OF("?1 = 0");
    sqlite3_stmt *st = LAMP_QUERY(q, sql, lamp_int(f->sample_id), lamp_int(f->sensor_ref),
                                  lamp_int(f->open), lamp_int(f->kept), lamp_uint(f->before_us),
                                  lamp_int(f->limit ? (int64_t)f->limit : -1));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_sample_file v;
        read_file(st, 0, &v);
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_sample_add(lamp_store *s, struct lamp_sample *v)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const struct lamp_msg m = lamp_sample_order(v);
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len = 0;
    int err = lamp_msg_pack(&m, &packed, &len);
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "INSERT INTO sample (wire, what, site, sensor, miner, order_, reason,"
                        " created_by, created_us, expires_us, tracking)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        lamp_uint(v->wire), lamp_int((int64_t)v->what), lamp_str(v->site),
                        lamp_str(v->sensor), lamp_int(v->miner_id), lamp_blob(packed, len),
                        lamp_str(v->reason), lamp_str(v->created_by), lamp_uint(v->created_us),
                        lamp_uint(v->expires_us), lamp_int(v->tracking_id));
    if (err == LAMP_OK)
        v->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_sample_put(lamp_store *s, const struct lamp_sample_file *v)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "INSERT INTO sample_file (sample, sensor, state, words, packets, bytes,"
                     " landed, changed_us, removed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT DO UPDATE SET state = excluded.state, words = excluded.words,"
                     " packets = excluded.packets, bytes = excluded.bytes,"
                     " landed = excluded.landed, changed_us = excluded.changed_us,"
                     " removed = excluded.removed",
                     lamp_int(v->sample_id), lamp_int(v->sensor_ref), lamp_int((int64_t)v->state),
                     lamp_str(v->words), lamp_uint(v->packets), lamp_uint(v->bytes),
                     lamp_uint(v->landed), lamp_uint(v->changed_us), lamp_int(v->removed));
}

int lamp_sqlite_op_sample_of(lamp_store *s, uint64_t wire, int64_t sensor_ref,
                             struct lamp_sample *out, struct lamp_sample_file *out_file)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT " SAMPLE_COLUMNS ", " FILE_COLUMNS " FROM sample s"
                   " JOIN sample_file f ON f.sample = s.id JOIN sensor n ON n.no = f.sensor"
                   " JOIN site t ON t.no = n.site WHERE s.wire = ? AND f.sensor = ?",
                   lamp_uint(wire), lamp_int(sensor_ref));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    const int err = read_sample(q, st, out);
    read_file(st, 12, out_file);
    sqlite3_reset(st);
    return err;
}

int lamp_sqlite_op_sample_remove(lamp_store *s, int64_t id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q, "DELETE FROM sample_file WHERE sample = ?", lamp_int(id));
    return err ? err : LAMP_EXEC(q, "DELETE FROM sample WHERE id = ?", lamp_int(id));
}

int lamp_sqlite_op_sample_totals(lamp_store *s, struct lamp_sample_totals *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(
        q,
        "SELECT (SELECT count(*) FROM sample),"
        " (SELECT count(DISTINCT sample) FROM sample_file WHERE state <= 2),"
        " (SELECT coalesce(sum(landed), 0) FROM sample_file WHERE removed = 0),"
        " (SELECT count(DISTINCT f.sample) FROM sample_file f"
        "  JOIN sample s ON s.id = f.sample WHERE f.state <= 2 AND s.tracking <> 0)",
        NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = (struct lamp_sample_totals){ lamp_col_uint(st, 0), lamp_col_uint(st, 1),
                                        lamp_col_uint(st, 2), lamp_col_uint(st, 3) };
    sqlite3_reset(st);
    return LAMP_OK;
}
