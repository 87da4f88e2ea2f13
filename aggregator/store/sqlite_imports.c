/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's imported captures. */
#include "aggregator/store/sqlite.h"

enum { PAGE = 100, CONNS_PAGE = 200 };

int lamp_sqlite_op_imports(lamp_store *s, const struct lamp_import_filter *f, lamp_import_fn *fn,
                           void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT id, state, from_server, name, site, created_by, created_us, started_us, ended_us,"
        " files, size, files_done, files_failed, packets, bytes, connections, wallets, suspected,"
        " probable, confirmed, conns_left_out, minutes_left_out, first_us, last_us, answer, error"
        " FROM import WHERE (?1 = 0 OR id = ?1) AND (?2 = 0 OR id < ?2) ORDER BY id DESC LIMIT ?3",
        lamp_int(f->id), lamp_int(f->after_id), lamp_int(f->limit ? f->limit : PAGE));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_import i = {
            .id = sqlite3_column_int64(st, 0),
            .state = (enum lamp_import_state)sqlite3_column_int(st, 1),
            .from_server = sqlite3_column_int(st, 2) != 0,
            .created_us = lamp_col_uint(st, 6),
            .started_us = lamp_col_uint(st, 7),
            .ended_us = lamp_col_uint(st, 8),
            .files = lamp_col_uint(st, 9),
            .size = lamp_col_uint(st, 10),
            .sum = { .files_done = lamp_col_uint(st, 11),
                     .files_failed = lamp_col_uint(st, 12),
                     .packets = lamp_col_uint(st, 13),
                     .bytes = lamp_col_uint(st, 14),
                     .connections = lamp_col_uint(st, 15),
                     .conns_left_out = lamp_col_uint(st, 20),
                     .minutes_left_out = lamp_col_uint(st, 21),
                     .first_us = lamp_col_uint(st, 22),
                     .last_us = lamp_col_uint(st, 23) },
        };
        for (int v = LAMP_VERDICT_WALLET; v <= LAMP_VERDICT_CONFIRMED; v++)
            i.sum.verdicts[v] = lamp_col_uint(st, 15 + v);
        lamp_col_copy(st, 3, i.name, sizeof(i.name));
        lamp_col_copy(st, 4, i.site, sizeof(i.site));
        lamp_col_copy(st, 5, i.created_by, sizeof(i.created_by));
        lamp_col_copy(st, 24, i.answer, sizeof(i.answer));
        lamp_col_copy(st, 25, i.error, sizeof(i.error));
        if (!fn(&i, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_import_files(lamp_store *s, int64_t id, lamp_import_file_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT no, name, size, packets, connections, verdict, error"
                                  " FROM import_file WHERE import = ? ORDER BY no",
                                  lamp_int(id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_import_file f = { .no = (uint32_t)sqlite3_column_int64(st, 0),
                                      .size = lamp_col_uint(st, 2),
                                      .packets = lamp_col_uint(st, 3),
                                      .connections = lamp_col_uint(st, 4),
                                      .verdict = (enum lamp_verdict)sqlite3_column_int(st, 5) };
        lamp_col_copy(st, 1, f.name, sizeof(f.name));
        lamp_col_copy(st, 6, f.error, sizeof(f.error));
        if (!fn(&f, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_import_conns(lamp_store *s, const struct lamp_import_conn_filter *f,
                                lamp_import_conn_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT no, file, verdict, json FROM import_conn"
                   " WHERE import = ?1 AND no > ?2 AND verdict >= ?3"
                   " ORDER BY no LIMIT ?4",
                   lamp_int(f->import_id), lamp_int(f->after_id), lamp_int((int64_t)f->least),
                   lamp_int(f->limit ? f->limit : CONNS_PAGE));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_import_conn c = {
            .id = sqlite3_column_int64(st, 0),
            .file = (uint32_t)sqlite3_column_int64(st, 1),
            .verdict = (enum lamp_verdict)sqlite3_column_int(st, 2),
            .json = lamp_col_str(st, 3),
            .json_len = (size_t)sqlite3_column_bytes(st, 3),
        };
        if (!fn(&c, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

/* The minutes of all files together. */
int lamp_sqlite_op_import_minutes(lamp_store *s, int64_t id, lamp_import_minute_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT minute, sum(packets), sum(bytes), sum(mining_up),"
                                  " sum(mining_down), sum(submitted), sum(accepted),"
                                  " sum(rejected), sum(jobs) FROM import_minute"
                                  " WHERE import = ? GROUP BY minute ORDER BY minute",
                                  lamp_int(id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_import_minute m = { .minute = lamp_col_uint(st, 0),
                                              .packets = lamp_col_uint(st, 1),
                                              .bytes = lamp_col_uint(st, 2),
                                              .mining_up = lamp_col_uint(st, 3),
                                              .mining_down = lamp_col_uint(st, 4),
                                              .submitted = lamp_col_uint(st, 5),
                                              .accepted = lamp_col_uint(st, 6),
                                              .rejected = lamp_col_uint(st, 7),
                                              .jobs = lamp_col_uint(st, 8) };
        if (!fn(&m, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

/* ---- writing ---- */

int lamp_sqlite_op_import_add(lamp_store *s, struct lamp_import *i)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q,
                              "INSERT INTO import VALUES (NULL, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?,"
                              " 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '')",
                              lamp_int((int64_t)i->state), lamp_int(i->from_server),
                              lamp_str(i->name), lamp_str(i->site), lamp_str(i->created_by),
                              lamp_uint(i->created_us), lamp_uint(i->files), lamp_uint(i->size));
    i->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_import_state(lamp_store *s, int64_t id, enum lamp_import_state state,
                                const char *answer, const char *error, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err =
        LAMP_EXEC(q,
                  "UPDATE import SET state = ?2, answer = ?3, error = ?4,"
                  " started_us = iif(?2 = 2, ?5, started_us), ended_us = iif(?2 > 2, ?5, 0)"
                  " WHERE id = ?1 AND state < 3",
                  lamp_int(id), lamp_int((int64_t)state), lamp_str(answer), lamp_str(error),
                  lamp_uint(now_us));
    return err == LAMP_OK && sqlite3_changes(q->db) == 0 ? LAMP_ENOENT : err;
}

static int add_rows(struct lamp_sqlite *q, int64_t id, const struct lamp_import_rows *r)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < r->n_conns && err == LAMP_OK; i++) {
        const struct lamp_import_conn *c = &r->conns[i];
        err = LAMP_EXEC(q, "INSERT INTO import_conn VALUES (?, ?, ?, ?, ?)", lamp_int(id),
                        lamp_int(c->id), lamp_int(c->file), lamp_int((int64_t)c->verdict),
                        lamp_text((struct lamp_bytes){ (const uint8_t *)c->json, c->json_len }));
    }
    for (size_t i = 0; i < r->n_minutes && err == LAMP_OK; i++) {
        const struct lamp_import_minute *m = &r->minutes[i];
        err = LAMP_EXEC(q,
                        "INSERT OR REPLACE INTO import_minute VALUES"
                        " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        lamp_int(id), lamp_uint(m->minute), lamp_int(m->file),
                        lamp_uint(m->packets), lamp_uint(m->bytes), lamp_uint(m->mining_up),
                        lamp_uint(m->mining_down), lamp_uint(m->submitted), lamp_uint(m->accepted),
                        lamp_uint(m->rejected), lamp_uint(m->jobs));
    }
    const struct lamp_import_file *f = r->file;
    if (err == LAMP_OK && f)
        err =
            LAMP_EXEC(q, "INSERT INTO import_file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lamp_int(id),
                      lamp_int(f->no), lamp_str(f->name), lamp_uint(f->size), lamp_uint(f->packets),
                      lamp_uint(f->connections), lamp_int((int64_t)f->verdict), lamp_str(f->error));
    return err;
}

int lamp_sqlite_op_import_rows(lamp_store *s, int64_t id, const struct lamp_import_rows *r)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const struct lamp_import_sum *n = &r->sum;
    const int err = LAMP_EXEC(
        q,
        "UPDATE import SET files = ?2, files_done = ?3, files_failed = ?4, packets = ?5,"
        " bytes = ?6, connections = ?7, wallets = ?8, suspected = ?9, probable = ?10,"
        " confirmed = ?11, conns_left_out = ?12, minutes_left_out = ?13, first_us = ?14,"
        " last_us = ?15 WHERE id = ?1 AND state = 2",
        lamp_int(id), lamp_uint(r->files), lamp_uint(n->files_done), lamp_uint(n->files_failed),
        lamp_uint(n->packets), lamp_uint(n->bytes), lamp_uint(n->connections),
        lamp_uint(n->verdicts[LAMP_VERDICT_WALLET]), lamp_uint(n->verdicts[LAMP_VERDICT_SUSPECTED]),
        lamp_uint(n->verdicts[LAMP_VERDICT_PROBABLE]),
        lamp_uint(n->verdicts[LAMP_VERDICT_CONFIRMED]), lamp_uint(n->conns_left_out),
        lamp_uint(n->minutes_left_out), lamp_uint(n->first_us), lamp_uint(n->last_us));
    if (err == LAMP_OK && sqlite3_changes(q->db) == 0)
        return LAMP_ENOENT; /* deleted or cancelled meanwhile */
    return err == LAMP_OK ? add_rows(q, id, r) : err;
}

int lamp_sqlite_op_import_delete(lamp_store *s, int64_t id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_EXEC(q, "DELETE FROM import_conn WHERE import = ?", lamp_int(id));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q, "DELETE FROM import_minute WHERE import = ?", lamp_int(id));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q, "DELETE FROM import_file WHERE import = ?", lamp_int(id));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q, "DELETE FROM import WHERE id = ?", lamp_int(id));
    return err == LAMP_OK && sqlite3_changes(q->db) == 0 ? LAMP_ENOENT : err;
}

int lamp_sqlite_op_import_oldest(lamp_store *s, uint64_t before_us, uint32_t most, int64_t *out_id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT id FROM import WHERE state > 2 AND (ended_us < ?1 OR"
                                  " (SELECT count(*) FROM import) > ?2) ORDER BY id LIMIT 1",
                                  lamp_uint(before_us), lamp_int(most));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    *out_id = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_imports_interrupted(lamp_store *s, const char *error, uint64_t now_us)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "UPDATE import SET state = 4, error = ?1, ended_us = ?2 WHERE state < 3",
                     lamp_str(error), lamp_uint(now_us));
}
