/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/notices.h"

#include "aggregator/store/sqlite.h"
#include "aggregator/store/sqlite_notices_schema.h"

#include <stdio.h>

struct lamp_notices {
    struct lamp_sqlite q; /* first: lamp_sqlite_close() frees it */
};

/* ---- opening ---- */

static int make_tables(struct lamp_sqlite *q)
{
    int64_t version = 0;
    const int err = lamp_sqlite_value(q, "PRAGMA user_version", &version);
    if (err || version == LAMP_NOTICES_VERSION)
        return err;
    if (version != 0) {
        snprintf(q->base.why, sizeof(q->base.why), "its version is %lld, this program knows %d",
                 (long long)version, LAMP_NOTICES_VERSION);
        return LAMP_ESTORE;
    }
    return sqlite3_exec(q->db, lamp_notices_schema, NULL, NULL, NULL) == SQLITE_OK
               ? LAMP_OK
               : lamp_sqlite_refuse(q);
}

int lamp_notices_open(const char *path, lamp_notices **out, char why[LAMP_NOTICES_WHY])
{
    lamp_notices *n = calloc(1, sizeof(*n));
    if (!n)
        return LAMP_ENOMEM;
    struct lamp_sqlite *q = &n->q;
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int err =
        sqlite3_open_v2(path, &q->db, flags, NULL) == SQLITE_OK ? LAMP_OK : lamp_sqlite_refuse(q);
    if (!err)
        err = lamp_sqlite_harden(q);
    if (!err)
        err = lamp_sqlite_set_durable(q);
    if (!err)
        err = make_tables(q);
    if (err) {
        snprintf(why, LAMP_NOTICES_WHY, "%.200s: %.300s", path, q->base.why);
        lamp_notices_close(n);
        return err;
    }
    *out = n;
    return LAMP_OK;
}

lamp_notices *lamp_notices_close(lamp_notices *n)
{
    if (n)
        lamp_sqlite_close(&n->q.base);
    return NULL;
}

const char *lamp_notices_why(const lamp_notices *n)
{
    return n->q.base.why;
}

/* ---- transactions ---- */

int lamp_notices_begin(lamp_notices *n)
{
    const int err = lamp_sqlite_exec(&n->q, "BEGIN IMMEDIATE", NULL, 0);
    n->q.in_transaction = !err;
    return err;
}

void lamp_notices_rollback(lamp_notices *n)
{
    if (n->q.in_transaction)
        (void)sqlite3_exec(n->q.db, "ROLLBACK", NULL, NULL, NULL);
    n->q.in_transaction = false;
}

/* Commits what went well, takes back what did not. */
static int finish(lamp_notices *n, int err)
{
    if (!err)
        err = lamp_sqlite_exec(&n->q, "COMMIT", NULL, 0);
    if (err)
        lamp_notices_rollback(n);
    n->q.in_transaction = false;
    return err;
}

/* ---- putting in ---- */

int lamp_notices_cursor(lamp_notices *n, const char *receiver, int64_t newest_alert, int64_t *out)
{
    struct lamp_sqlite *q = &n->q;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "INSERT INTO receiver (name, cursor) VALUES (?1, ?2)"
                                  " ON CONFLICT DO UPDATE SET cursor = min(cursor, ?2)"
                                  " RETURNING cursor",
                                  lamp_str(receiver), lamp_int(newest_alert));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = sqlite3_column_int64(st, 0);
    return lamp_sqlite_step(q, st);
}

int lamp_notices_put(lamp_notices *n, const char *receiver, const struct lamp_alert_view *v,
                     uint64_t now_us)
{
    struct lamp_sqlite *q = &n->q;
    const int err = LAMP_EXEC(
        q, "UPDATE receiver SET n_waiting = n_waiting + 1 WHERE name = ? AND n_waiting < ?",
        lamp_str(receiver), lamp_int(LAMP_NOTICES_MAX));
    if (err)
        return err;
    if (sqlite3_changes(q->db) == 0)
        return LAMP_EXEC(q, "UPDATE receiver SET left_out = left_out + 1 WHERE name = ?",
                         lamp_str(receiver));
    return LAMP_EXEC(q,
                     "INSERT INTO notice (receiver, alert, kind, subject, site, text, miner, count,"
                     " first_us, raised_us, last_us, put_us)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     lamp_str(receiver), lamp_int(v->id), lamp_int((int64_t)v->kind),
                     lamp_str(v->subject), lamp_str(v->site), lamp_str(v->text),
                     lamp_int(v->miner_id), lamp_uint(v->count), lamp_uint(v->first_us),
                     lamp_uint(v->raised_us), lamp_uint(v->last_us), lamp_uint(now_us));
}

int lamp_notices_end(lamp_notices *n, const char *receiver, int64_t cursor)
{
    return finish(n, LAMP_EXEC(&n->q, "UPDATE receiver SET cursor = ?2 WHERE name = ?1",
                               lamp_str(receiver), lamp_int(cursor)));
}

/* ---- taking out ---- */

/* A receiver while it is decided what it is told. */
struct turn {
    uint64_t waiting, left_out, window_us, window_n;
    int64_t head; /* its message that waits; 0: none */
    uint64_t head_due_us;
};

static int read_turn(struct lamp_sqlite *q, const char *receiver, struct turn *out)
{
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT n_waiting, left_out, window_us, window_n, m.id, m.due_us"
                                  " FROM receiver r LEFT JOIN message m ON m.id ="
                                  " (SELECT id FROM message WHERE receiver = r.name AND dead = 0"
                                  " ORDER BY id LIMIT 1) WHERE r.name = ?",
                                  lamp_str(receiver));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_EAGAIN;
    *out = (struct turn){ .waiting = lamp_col_uint(st, 0),
                          .left_out = lamp_col_uint(st, 1),
                          .window_us = lamp_col_uint(st, 2),
                          .window_n = lamp_col_uint(st, 3),
                          .head = sqlite3_column_int64(st, 4),
                          .head_due_us = lamp_col_uint(st, 5) };
    sqlite3_reset(st);
    return LAMP_OK;
}

/* Since when the first alert waits. */
static int waits_since(struct lamp_sqlite *q, const char *receiver, uint64_t *out)
{
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT put_us FROM notice WHERE receiver = ? AND message = 0"
                                  " ORDER BY alert LIMIT 1",
                                  lamp_str(receiver));
    const int got = lamp_sqlite_step(q, st);
    *out = got > 0 ? lamp_col_uint(st, 0) : 0;
    if (got > 0)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

/* What waits outside messages, by kind, into text. */
static int summarise(struct lamp_sqlite *q, const char *receiver, uint64_t left_out, char *text,
                     size_t size)
{
    size_t n = 0;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT kind, count(*) FROM notice WHERE receiver = ?"
                                  " AND message = 0 GROUP BY kind ORDER BY 2 DESC, 1",
                                  lamp_str(receiver));
    int got;
    *text = '\0';
    while ((got = lamp_sqlite_step(q, st)) > 0 && n < size)
        n += (size_t)snprintf(text + n, size - n, "%s%llu %s", n ? ", " : "",
                              (unsigned long long)lamp_col_uint(st, 1),
                              lamp_alert_name((enum lamp_alert_kind)sqlite3_column_int(st, 0)));
    if (got > 0)
        sqlite3_reset(st);
    if (left_out && n < size)
        (void)snprintf(text + n, size - n, "%s%llu for which there was no room", n ? ", " : "",
                       (unsigned long long)left_out);
    return got < 0 ? got : LAMP_OK;
}

/* Makes a message of what waits: with the last attempt that the pace leaves, of all of it. */
static int form(struct lamp_sqlite *q, const char *receiver, const struct lamp_pace *pace,
                uint64_t now_us, struct turn *t)
{
    const bool last = t->window_n + 1 >= pace->rate;
    uint64_t take = lamp_min(t->waiting, pace->batch);
    bool rest = last && t->waiting > take;
    if (pace->batch == 1 && (rest || t->left_out)) {
        take = 0; /* a message of one thing: here of a number */
        rest = last;
    }
    char summary[256] = "";
    int err = LAMP_EXEC(q,
                        "INSERT INTO message (receiver, made_us, n, more, summary)"
                        " VALUES (?, ?, ?, ?, '')",
                        lamp_str(receiver), lamp_uint(now_us), lamp_uint(take),
                        lamp_uint(t->left_out + (rest ? t->waiting - take : 0)));
    if (err)
        return err;
    t->head = sqlite3_last_insert_rowid(q->db);
    err = LAMP_EXEC(q,
                    "UPDATE notice SET message = ?2 WHERE id IN (SELECT id FROM notice WHERE"
                    " receiver = ?1 AND message = 0 ORDER BY alert LIMIT ?3)",
                    lamp_str(receiver), lamp_int(t->head), lamp_uint(take));
    if (!err && rest)
        err = summarise(q, receiver, t->left_out, summary, sizeof(summary));
    if (!err && rest)
        err = LAMP_EXEC(q, "DELETE FROM notice WHERE receiver = ? AND message = 0",
                        lamp_str(receiver));
    if (!err && *summary)
        err = LAMP_EXEC(q, "UPDATE message SET summary = ?2 WHERE id = ?1", lamp_int(t->head),
                        lamp_str(summary));
    if (!err)
        err = LAMP_EXEC(q, "UPDATE receiver SET n_waiting = ?2, left_out = 0 WHERE name = ?1",
                        lamp_str(receiver), lamp_uint(rest ? 0 : t->waiting - take));
    return err;
}

static void read_notice(sqlite3_stmt *st, struct lamp_notice *out)
{
    lamp_col_copy(st, 2, out->subject, sizeof(out->subject));
    lamp_col_copy(st, 3, out->site, sizeof(out->site));
    lamp_col_copy(st, 4, out->text, sizeof(out->text));
    out->v = (struct lamp_alert_view){ .id = sqlite3_column_int64(st, 0),
                                       .kind = (enum lamp_alert_kind)sqlite3_column_int(st, 1),
                                       .subject = out->subject,
                                       .site = out->site,
                                       .text = out->text,
                                       .miner_id = sqlite3_column_int64(st, 5),
                                       .count = lamp_col_uint(st, 6),
                                       .first_us = lamp_col_uint(st, 7),
                                       .raised_us = lamp_col_uint(st, 8),
                                       .last_us = lamp_col_uint(st, 9),
                                       .acked_by = "" };
}

static int read_message(struct lamp_sqlite *q, const char *receiver, int64_t id,
                        struct lamp_message *m)
{
    sqlite3_stmt *st = LAMP_QUERY(
        q, "SELECT made_us, more, summary, tries FROM message WHERE id = ?", lamp_int(id));
    int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    m->id = id;
    m->made_us = lamp_col_uint(st, 0);
    m->more = lamp_col_uint(st, 1);
    lamp_col_copy(st, 2, m->summary, sizeof(m->summary));
    m->tries = (uint32_t)lamp_col_uint(st, 3);
    m->n = 0;
    sqlite3_reset(st);
    st =
        LAMP_QUERY(q,
                   "SELECT alert, kind, subject, site, text, miner, count, first_us, raised_us,"
                   " last_us FROM notice WHERE receiver = ? AND message = ? ORDER BY alert LIMIT ?",
                   lamp_str(receiver), lamp_int(id), lamp_int(LAMP_MESSAGE_ALERTS));
    while ((got = lamp_sqlite_step(q, st)) > 0)
        read_notice(st, &m->v[m->n++]);
    return got;
}

/* LAMP_EAGAIN: nothing is due, *out_due_us says when. */
static int decide(struct lamp_sqlite *q, const char *receiver, const struct lamp_pace *pace,
                  uint64_t now_us, struct turn *t, uint64_t *out_due_us)
{
    uint64_t since_us = 0;
    *out_due_us = UINT64_MAX;
    int err = read_turn(q, receiver, t);
    if (err)
        return err;
    if (!t->head && t->waiting == 0)
        return LAMP_EAGAIN;
    if (now_us < t->window_us || now_us - t->window_us >= pace->interval_us) {
        t->window_us = now_us; /* a clock that was set back begins anew, too */
        t->window_n = 0;
    }
    if (!t->head && pace->gather_us)
        err = waits_since(q, receiver, &since_us);
    const uint64_t ready_us = t->head ? t->head_due_us : since_us + pace->gather_us;
    const bool ready = ready_us <= now_us || (!t->head && since_us > now_us);
    *out_due_us = t->window_n >= pace->rate ? t->window_us + pace->interval_us : ready_us;
    return err ? err : ready && t->window_n < pace->rate ? LAMP_OK : LAMP_EAGAIN;
}

int lamp_notices_take(lamp_notices *n, const char *receiver, const struct lamp_pace *pace,
                      uint64_t now_us, struct lamp_message *m, uint64_t *out_due_us)
{
    struct lamp_sqlite *q = &n->q;
    struct turn t = { .waiting = 0 };
    int err = decide(q, receiver, pace, now_us, &t, out_due_us);
    if (err)
        return err;
    err = lamp_notices_begin(n);
    if (!err && !t.head)
        err = form(q, receiver, pace, now_us, &t);
    if (!err)
        err = LAMP_EXEC(q, "UPDATE receiver SET window_us = ?2, window_n = ?3 WHERE name = ?1",
                        lamp_str(receiver), lamp_uint(t.window_us), lamp_uint(t.window_n + 1));
    if (!err)
        err = read_message(q, receiver, t.head, m);
    return finish(n, err);
}

/* ---- what became of it ---- */

static int forget_message(struct lamp_sqlite *q, const char *receiver, int64_t id)
{
    const int err = LAMP_EXEC(q, "DELETE FROM notice WHERE receiver = ? AND message = ?",
                              lamp_str(receiver), lamp_int(id));
    return err ? err : LAMP_EXEC(q, "DELETE FROM message WHERE id = ?", lamp_int(id));
}

int lamp_notices_sent(lamp_notices *n, const char *receiver, const struct lamp_message *m,
                      uint64_t now_us)
{
    struct lamp_sqlite *q = &n->q;
    int err = lamp_notices_begin(n);
    if (!err)
        err = forget_message(q, receiver, m->id);
    if (!err)
        err = LAMP_EXEC(q,
                        "UPDATE receiver SET messages = messages + 1, alerts = alerts + ?2,"
                        " more = more + ?3, sent_us = ?4, error = '' WHERE name = ?1",
                        lamp_str(receiver), lamp_uint(m->n), lamp_uint(m->more), lamp_uint(now_us));
    return finish(n, err);
}

/* One more was given up; where there are too many, the oldest goes. */
static int bury(struct lamp_sqlite *q, const char *receiver)
{
    sqlite3_stmt *st =
        LAMP_QUERY(q, "UPDATE receiver SET n_dead = n_dead + 1 WHERE name = ? RETURNING n_dead",
                   lamp_str(receiver));
    int got = lamp_sqlite_step(q, st);
    const uint64_t dead = got > 0 ? lamp_col_uint(st, 0) : 0;
    if (got > 0)
        got = lamp_sqlite_step(q, st);
    if (got < 0 || dead <= LAMP_DEAD_MAX)
        return got;
    st = LAMP_QUERY(q, "SELECT min(id) FROM message WHERE receiver = ? AND dead = 1",
                    lamp_str(receiver));
    got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got;
    const int64_t oldest = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    const int err = forget_message(q, receiver, oldest);
    return err ? err
               : LAMP_EXEC(
                     q,
                     "UPDATE receiver SET n_dead = n_dead - 1, dead_dropped = dead_dropped + 1"
                     " WHERE name = ?",
                     lamp_str(receiver));
}

int lamp_notices_failed(lamp_notices *n, const char *receiver, const struct lamp_message *m,
                        const char *error, uint64_t now_us, uint64_t due_us)
{
    struct lamp_sqlite *q = &n->q;
    int err = lamp_notices_begin(n);
    if (!err)
        err = LAMP_EXEC(q,
                        "UPDATE message SET tries = tries + 1, due_us = ?2, dead = (?2 = 0),"
                        " error = ?3 WHERE id = ?1",
                        lamp_int(m->id), lamp_uint(due_us), lamp_str(error));
    if (!err)
        err = LAMP_EXEC(q,
                        "UPDATE receiver SET failures = failures + 1, failed_us = ?2, error = ?3"
                        " WHERE name = ?1",
                        lamp_str(receiver), lamp_uint(now_us), lamp_str(error));
    if (!err && due_us == 0)
        err = bury(q, receiver);
    return finish(n, err);
}

int lamp_notices_retry(lamp_notices *n, const char *receiver, uint64_t now_us, uint64_t *out_n)
{
    struct lamp_sqlite *q = &n->q;
    uint64_t changed = 0;
    int err = lamp_notices_begin(n);
    if (!err) /* as if it were made now: it is not given up again at once */
        err = LAMP_EXEC(q,
                        "UPDATE message SET made_us = iif(dead, ?2, made_us), dead = 0, tries = 0,"
                        " due_us = 0 WHERE receiver = ?1 AND (dead = 1 OR due_us > 0)",
                        lamp_str(receiver), lamp_uint(now_us));
    if (!err) {
        changed = (uint64_t)sqlite3_changes(q->db);
        err = LAMP_EXEC(q, "UPDATE receiver SET n_dead = 0 WHERE name = ?", lamp_str(receiver));
    }
    err = finish(n, err);
    if (!err)
        *out_n = changed;
    return err;
}

/* ---- looking ---- */

int lamp_notices_counts(lamp_notices *n, const char *receiver, struct lamp_receiver_counts *out)
{
    struct lamp_sqlite *q = &n->q;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT n_waiting + left_out + (SELECT coalesce(sum(n), 0) FROM message"
                   " WHERE receiver = ?1 AND dead = 0), n_dead, messages, alerts, more, failures,"
                   " dead_dropped, sent_us, failed_us, error, (SELECT coalesce(min(due_us), 0)"
                   " FROM message WHERE receiver = ?1 AND dead = 0 AND due_us > 0)"
                   " FROM receiver WHERE name = ?1",
                   lamp_str(receiver));
    const int got = lamp_sqlite_step(q, st);
    *out = (struct lamp_receiver_counts){ 0 };
    if (got <= 0)
        return got; /* nothing was ever put in */
    out->queued = lamp_col_uint(st, 0);
    out->dead = lamp_col_uint(st, 1);
    out->messages = lamp_col_uint(st, 2);
    out->alerts = lamp_col_uint(st, 3);
    out->more = lamp_col_uint(st, 4);
    out->failures = lamp_col_uint(st, 5);
    out->dead_dropped = lamp_col_uint(st, 6);
    out->sent_us = lamp_col_uint(st, 7);
    out->failed_us = lamp_col_uint(st, 8);
    lamp_col_copy(st, 9, out->error, sizeof(out->error));
    out->due_us = lamp_col_uint(st, 10);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_notices_dead(lamp_notices *n, const char *receiver, uint32_t limit, lamp_dead_view_fn *fn,
                      void *arg)
{
    struct lamp_sqlite *q = &n->q;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT id, made_us, n, more, tries, error FROM message"
                                  " WHERE receiver = ? AND dead = 1 ORDER BY id DESC LIMIT ?",
                                  lamp_str(receiver), lamp_int(limit));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_dead_view v = { .id = sqlite3_column_int64(st, 0),
                                          .made_us = lamp_col_uint(st, 1),
                                          .alerts = lamp_col_uint(st, 2),
                                          .more = lamp_col_uint(st, 3),
                                          .tries = (uint32_t)lamp_col_uint(st, 4),
                                          .error = lamp_col_str(st, 5) };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}
