/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks, published lists and what each sensor made of them. */
#include "aggregator/store/sqlite.h"

#include "common/text.h"

#include <stdio.h>

/* block_sensor.state; the partial index of the schema names REMOVED. */
enum { PENDING, SENT, APPLIED, FAILED, REMOVED };
static const char *const state_names[] = { "pending", "sent", "applied", "failed", "removed" };

enum { HISTORY_S = 24 * 3600 };

/* ---- blocks ---- */

int lamp_sqlite_op_block_add(lamp_store *s, struct lamp_block *b)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(
        q,
        "INSERT INTO block (kind, addr, len, port, ip_proto, site, reason, created_by,"
        " created_us, expires_us, name, approval, needs, person)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        lamp_int((int64_t)b->kind), lamp_addr_blob(&b->prefix.addr), lamp_int(b->prefix.len),
        lamp_int(b->port), lamp_int(b->ip_proto), lamp_str(b->site), lamp_str(b->reason),
        lamp_str(b->created_by), lamp_uint(b->created_us), lamp_uint(b->expires_us),
        lamp_str(b->name), lamp_int((int64_t)b->approval), lamp_str(b->needs), lamp_str(b->person));
    if (err != LAMP_OK)
        return err;
    b->id = sqlite3_last_insert_rowid(q->db);
    return LAMP_EXEC(q,
                     "INSERT INTO block_sensor (block, sensor, at_us) SELECT ?1, s.no, ?3"
                     " FROM sensor s JOIN site t ON t.no = s.site"
                     " WHERE s.enrolled = 1 AND (?2 = '' OR t.name = ?2)",
                     lamp_int(b->id), lamp_str(b->site), lamp_uint(b->created_us));
}

int lamp_sqlite_op_block_end(lamp_store *s, int64_t id, const char *by, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_EXEC(q,
                        "UPDATE block SET removed_us = ?2, removed_by = ?3"
                        " WHERE id = ?1 AND removed_us = 0",
                        lamp_int(id), lamp_uint(now_us), lamp_str(by));
    if (err == LAMP_OK && sqlite3_changes(q->db) == 0)
        err = LAMP_ENOENT;
    /* A sensor that never got the block has nothing to lift. */
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "UPDATE block_sensor SET state = 4, error = '', at_us = ?2"
                        " WHERE block = ?1 AND state = 0",
                        lamp_int(id), lamp_uint(now_us));
    return err;
}

int lamp_sqlite_op_block_decide(lamp_store *s, int64_t id, bool approve, const char *by,
                                uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err =
        LAMP_EXEC(q,
                  "UPDATE block SET approval = ?2, decided_by = ?3, decided_us = ?4"
                  " WHERE id = ?1 AND removed_us = 0 AND approval < 2",
                  lamp_int(id), lamp_int(approve ? LAMP_APPROVAL_GIVEN : LAMP_APPROVAL_REFUSED),
                  lamp_str(by), lamp_uint(now_us));
    if (err == LAMP_OK && sqlite3_changes(q->db) == 0)
        return LAMP_ENOENT;
    return err || approve ? err : lamp_sqlite_op_block_end(s, id, by, now_us);
}

static int count(struct lamp_sqlite *q, sqlite3_stmt *st, uint32_t *out)
{
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = (uint32_t)sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_blocks_since(lamp_store *s, const char *site, uint64_t from_us, uint32_t *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    return count(q,
                 LAMP_QUERY(q,
                            "SELECT coalesce(max(iif(site = '', 0, n)), 0)"
                            " + coalesce(sum(iif(site = '', n, 0)), 0) FROM"
                            " (SELECT site, count(*) AS n FROM block WHERE created_us > ?1"
                            " AND approval = 0 AND (?2 = '' OR site = '' OR site = ?2)"
                            " GROUP BY site)",
                            lamp_uint(from_us), lamp_str(site)),
                 out);
}

int lamp_sqlite_op_site_hosts(lamp_store *s, const char *site, uint64_t from_us, uint32_t *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    return count(q,
                 LAMP_QUERY(q,
#define OF_SITE "site = (SELECT no FROM site WHERE name = ?2)"
                            "SELECT count(*) FROM (SELECT inside FROM rollup_minute"
                            " WHERE minute >= ?1 AND " OF_SITE " UNION SELECT r.inside"
                            " FROM traffic_pack p CROSS JOIN pack_rows(p.keys, p.body) r"
                            " WHERE p.step = 0 AND p.time >= ?1 AND p." OF_SITE
                            ") WHERE inside <> zeroblob(16)",
                            lamp_uint(from_us / 60000000), lamp_str(site)),
                 out);
}

int lamp_sqlite_op_blocks(lamp_store *s, const struct lamp_block_filter *f, lamp_block_view_fn *fn,
                          void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
#define BLOCK_SELECT                                                                               \
    "SELECT id, kind, addr, len, port, ip_proto, site, reason, created_by, created_us,"            \
    " expires_us, removed_by, removed_us, name, approval, needs, decided_by, decided_us,"          \
    " person"                                                                                      \
    " FROM block WHERE "
    sqlite3_stmt *st;
    if (f->id)
        st = LAMP_QUERY(q, BLOCK_SELECT "id = ?", lamp_int(f->id));
    else if (f->in_list)
        st = LAMP_QUERY(q,
                        BLOCK_SELECT "add_serial > 0 AND add_serial <= ?1"
                                     " AND (end_serial = 0 OR end_serial > ?1)"
                                     " AND (site = '' OR site = ?2) ORDER BY id",
                        lamp_uint(f->in_list), lamp_str(f->site));
    else if (f->with_removed)
        st = LAMP_QUERY(q,
                        BLOCK_SELECT "removed_us = 0 OR id IN (SELECT id FROM block"
                                     " WHERE removed_us > 0 ORDER BY removed_us DESC, id DESC"
                                     " LIMIT ?)"
                                     " ORDER BY id DESC",
                        lamp_int(LAMP_BLOCKS_ENDED_MAX));
    else
        st = lamp_sqlite_bind(q, BLOCK_SELECT "removed_us = 0 ORDER BY id DESC", NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_block_view v = {
            .id = sqlite3_column_int64(st, 0),
            .kind = (enum lamp_block_kind)sqlite3_column_int(st, 1),
            .prefix = { lamp_col_addr(st, 2), (uint8_t)sqlite3_column_int(st, 3) },
            .port = (uint16_t)sqlite3_column_int(st, 4),
            .ip_proto = (uint8_t)sqlite3_column_int(st, 5),
            .site = lamp_col_str(st, 6),
            .reason = lamp_col_str(st, 7),
            .created_by = lamp_col_str(st, 8),
            .created_us = lamp_col_uint(st, 9),
            .expires_us = lamp_col_uint(st, 10),
            .removed_by = lamp_col_str(st, 11),
            .removed_us = lamp_col_uint(st, 12),
            .name = lamp_col_str(st, 13),
            .approval = (enum lamp_approval)sqlite3_column_int(st, 14),
            .needs = lamp_col_str(st, 15),
            .decided_by = lamp_col_str(st, 16),
            .decided_us = lamp_col_uint(st, 17),
            .person = lamp_col_str(st, 18),
        };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_block_sensors(lamp_store *s, int64_t block_id, lamp_block_sensor_view_fn *fn,
                                 void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT s.id, t.name, b.state, b.error, b.serial, b.at_us,"
                                  " b.hit_packets, b.hit_bytes FROM block_sensor b"
                                  " JOIN sensor s ON s.no = b.sensor JOIN site t ON t.no = s.site"
                                  " WHERE b.block = ? ORDER BY t.name, s.id",
                                  lamp_int(block_id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const unsigned state = (unsigned)sqlite3_column_int(st, 2);
        const struct lamp_block_sensor_view v = {
            .sensor = lamp_col_str(st, 0),
            .site = lamp_col_str(st, 1),
            .state = state_names[state < ARRAY_LEN(state_names) ? state : PENDING],
            .error = lamp_col_str(st, 3),
            .serial = lamp_col_uint(st, 4),
            .at_us = lamp_col_uint(st, 5),
            .hit_packets = lamp_col_uint(st, 6),
            .hit_bytes = lamp_col_uint(st, 7),
        };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

/* ---- published lists ---- */

int lamp_sqlite_op_list(lamp_store *s, enum lamp_set_kind kind, const char *site,
                        struct lamp_store_list *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT serial, expires_us, digest FROM set_history"
                                  " WHERE kind = ? AND site = ? ORDER BY serial DESC LIMIT 1",
                                  lamp_int((int64_t)kind), lamp_str(site));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    out->serial = lamp_col_uint(st, 0);
    out->expires_us = lamp_col_uint(st, 1);
    lamp_col_blob(st, 2, out->digest, sizeof(out->digest));
    sqlite3_reset(st);
    return LAMP_OK;
}

/* The blocks that were added or ended since get the serial of the list that says so. */
static int note_blocks(struct lamp_sqlite *q, const char *site, uint64_t serial)
{
    int err = LAMP_EXEC(q,
                        "UPDATE block SET end_serial = ?2 WHERE removed_us > 0 AND end_serial = 0"
                        " AND (site = ?1 OR site = '') AND NOT EXISTS"
                        " (SELECT 1 FROM site WHERE name = ?1 AND held_us > 0)",
                        lamp_str(site), lamp_uint(serial));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "UPDATE block SET add_serial = ?2 WHERE add_serial = 0"
                        " AND approval IN (0, 2) AND (site = ?1 OR site = '') AND NOT EXISTS"
                        " (SELECT 1 FROM site WHERE name = ?1 AND held_us > 0)",
                        lamp_str(site), lamp_uint(serial));
    return err;
}

int lamp_sqlite_op_list_put(lamp_store *s, enum lamp_set_kind kind, const char *site,
                            const struct lamp_store_list *l, uint32_t count, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const uint64_t keep_us = (uint64_t)HISTORY_S * 1000000;
    int err = LAMP_EXEC(q,
                        "INSERT INTO set_history (site, serial, digest, entries, expires_us, at_us,"
                        " kind) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        lamp_str(site), lamp_uint(l->serial),
                        lamp_blob(l->digest, sizeof(l->digest)), lamp_int(count),
                        lamp_uint(l->expires_us), lamp_uint(now_us), lamp_int((int64_t)kind));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "INSERT INTO meta VALUES ('serial', ?)"
                        " ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
                        lamp_uint(l->serial));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "DELETE FROM set_history WHERE kind = ? AND site = ? AND serial < ?"
                        " AND at_us < ?",
                        lamp_int((int64_t)kind), lamp_str(site), lamp_uint(l->serial),
                        lamp_uint(now_us > keep_us ? now_us - keep_us : 0));
    if (err == LAMP_OK && kind == LAMP_SET_BLOCK)
        err = note_blocks(q, site, l->serial);
    return err;
}

int lamp_sqlite_op_serial(lamp_store *s, uint64_t *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(q, "SELECT value FROM meta WHERE key = 'serial'", NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got < 0)
        return got;
    *out = got ? lamp_col_uint(st, 0) : 0;
    sqlite3_reset(st);
    return LAMP_OK;
}

/* ---- what sensors say ---- */

/* Runs an UPDATE ... RETURNING block and passes each id on. */
static int changed(struct lamp_sqlite *q, sqlite3_stmt *st, lamp_block_changed_fn *fn, void *arg)
{
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0)
        fn(sqlite3_column_int64(st, 0), arg);
    return got;
}

int lamp_sqlite_op_list_sent(lamp_store *s, int64_t sensor_ref, uint64_t serial, uint64_t now_us,
                             lamp_block_changed_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    return changed(q,
                   LAMP_QUERY(q,
                              "UPDATE block_sensor SET state = 1, serial = ?2, at_us = ?3"
                              " WHERE sensor = ?1 AND state = 0 AND block IN"
                              " (SELECT id FROM block WHERE removed_us = 0 AND add_serial > 0"
                              " AND add_serial <= ?2) RETURNING block",
                              lamp_int(sensor_ref), lamp_uint(serial), lamp_uint(now_us)),
                   fn, arg);
}

struct report {
    struct lamp_sqlite *q;
    int64_t sensor;
    const struct lamp_set_status *st;
    const char *detail;
    uint64_t now_us;
    lamp_block_changed_fn *fn;
    void *arg;
};

/* Past 63 bits SQLite adds in floating point, which an INTEGER column refuses: a sensor that
 * reports absurd counts again and again must not get that far. */
#define HITS_MAX (UINT64_C(1) << 60)

static struct lamp_sqlv hit_count(uint64_t n)
{
    return lamp_uint(n < HITS_MAX ? n : HITS_MAX);
}

static int note_hits(const struct report *r)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < r->st->n_hits && err == LAMP_OK; i++) {
        const struct lamp_set_hits *h = &r->st->hits[i];
        err = changed(r->q,
                      LAMP_QUERY(r->q,
                                 "UPDATE block_sensor SET"
                                 " hit_packets = min(?5, hit_packets + ?3"
                                 " - iif(?3 >= raw_packets, raw_packets, 0)),"
                                 " hit_bytes = min(?5, hit_bytes + ?4"
                                 " - iif(?4 >= raw_bytes, raw_bytes, 0)),"
                                 " raw_packets = ?3, raw_bytes = ?4"
                                 " WHERE block = ?1 AND sensor = ?2"
                                 " AND (raw_packets <> ?3 OR raw_bytes <> ?4) RETURNING block",
                                 lamp_uint(h->id), lamp_int(r->sensor), hit_count(h->packets),
                                 hit_count(h->bytes), lamp_uint(HITS_MAX)),
                      r->fn, r->arg);
    }
    return err;
}

/* The serial of the list in force; where the site is held, the one whose blocks the list still has. */
static uint64_t in_list(const struct report *r)
{
    const uint64_t serial = r->st->head.serial;
    sqlite3_stmt *st = LAMP_QUERY(r->q,
                                  "SELECT t.hold_serial FROM site t JOIN sensor s ON s.site = t.no"
                                  " WHERE s.no = ? AND t.held_us > 0",
                                  lamp_int(r->sensor));
    if (lamp_sqlite_step(r->q, st) <= 0)
        return serial;
    const uint64_t held = lamp_col_uint(st, 0);
    sqlite3_reset(st);
    return held < serial ? held : serial;
}

/* The list of that serial is in force: what it ended is removed, what its never list keeps out
 * failed, the rest is applied (in a dry run with a word about it). */
static int note_applied(const struct report *r)
{
    const uint64_t serial = in_list(r);
    int err = changed(r->q,
                      LAMP_QUERY(r->q,
                                 "UPDATE block_sensor SET state = 4, error = '', serial = ?2,"
                                 " at_us = ?3 WHERE sensor = ?1 AND state <> 4 AND block IN"
                                 " (SELECT id FROM block WHERE end_serial > 0 AND end_serial <= ?2)"
                                 " RETURNING block",
                                 lamp_int(r->sensor), lamp_uint(serial), lamp_uint(r->now_us)),
                      r->fn, r->arg);
    for (size_t i = 0; i < r->st->n_refused_ids && err == LAMP_OK; i++)
        err = changed(r->q,
                      LAMP_QUERY(r->q,
                                 "UPDATE block_sensor SET at_us = iif(state = 3, at_us, ?4),"
                                 " state = 3, serial = ?3, error = ?5"
                                 " WHERE block = ?2 AND sensor = ?1 AND state <> 4"
                                 " AND (state <> 3 OR serial <> ?3 OR error <> ?5) RETURNING block",
                                 lamp_int(r->sensor), lamp_uint(r->st->refused_ids[i]),
                                 lamp_uint(serial), lamp_uint(r->now_us), lamp_str(r->detail)),
                      r->fn, r->arg);
    if (err == LAMP_OK)
        err = changed(r->q,
                      LAMP_QUERY(r->q,
                                 "UPDATE block_sensor SET state = 2, error = ?4, serial = ?2,"
                                 " at_us = ?3 WHERE sensor = ?1 AND state <> 4"
                                 " AND (state <> 2 OR error <> ?4)"
                                 " AND NOT (state = 3 AND serial = ?2) AND block IN"
                                 " (SELECT id FROM block WHERE removed_us = 0"
                                 " AND add_serial > 0 AND add_serial <= ?2) RETURNING block",
                                 lamp_int(r->sensor), lamp_uint(serial), lamp_uint(r->now_us),
                                 lamp_str(r->st->mode == LAMP_ENFORCE_DRY_RUN
                                              ? "dry run: counted, not dropped"
                                              : "")),
                      r->fn, r->arg);
    return err;
}

/* The list that it is about is not in force: blocks that came with it failed. */
static int note_failed(const struct report *r)
{
    const bool is_other = r->st->about.serial > 0;
    return changed(r->q,
                   LAMP_QUERY(r->q,
                              "UPDATE block_sensor SET state = 3, error = ?4, serial = ?2,"
                              " at_us = ?3 WHERE sensor = ?1 AND state <> 4"
                              " AND (state < 2 OR (state = 2 AND serial >= ?2)) AND block IN"
                              " (SELECT id FROM block WHERE removed_us = 0 AND add_serial > ?5"
                              " AND add_serial <= ?2) RETURNING block",
                              lamp_int(r->sensor),
                              lamp_uint(is_other ? r->st->about.serial : r->st->head.serial),
                              lamp_uint(r->now_us), lamp_str(r->detail),
                              lamp_uint(is_other ? r->st->head.serial : 0)),
                   r->fn, r->arg);
}

/* Nothing is in force at all: blocks are removed if they ended, else in the given state. */
static int note_nothing(const struct report *r, int state)
{
    int err = changed(r->q,
                      LAMP_QUERY(r->q,
                                 "UPDATE block_sensor SET state = 4, error = '', at_us = ?2"
                                 " WHERE sensor = ?1 AND state <> 4 AND block IN"
                                 " (SELECT id FROM block WHERE removed_us > 0) RETURNING block",
                                 lamp_int(r->sensor), lamp_uint(r->now_us)),
                      r->fn, r->arg);
    if (err == LAMP_OK)
        err = changed(r->q,
                      LAMP_QUERY(r->q,
                                 "UPDATE block_sensor SET state = ?3, error = ?4, at_us = ?2"
                                 " WHERE sensor = ?1 AND state <> 4 AND state <> ?3"
                                 " RETURNING block",
                                 lamp_int(r->sensor), lamp_uint(r->now_us), lamp_int(state),
                                 lamp_str(state == FAILED ? r->detail : "")),
                      r->fn, r->arg);
    return err;
}

static int note_sensor(const struct report *r)
{
    const struct lamp_set_status *st = r->st;
    int err = LAMP_EXEC(
        r->q,
        "UPDATE sensor SET list_mode = ?2, list_state = ?3, list_epoch = ?4,"
        " list_serial = ?5, list_at_us = ?6, list_error = ?7, list_elements = ?8,"
        " list_repairs = ?9, list_flows_cut = ?10, list_about_epoch = ?11,"
        " list_about_serial = ?12 WHERE no = ?1",
        lamp_int(r->sensor), lamp_int((int64_t)st->mode), lamp_int((int64_t)st->state),
        lamp_uint(st->head.epoch), lamp_uint(st->head.serial), lamp_uint(r->now_us),
        lamp_str(st->code < 0 ? r->detail : ""), lamp_int(st->elements), lamp_uint(st->repairs),
        lamp_uint(st->flows_cut), lamp_uint(st->about.epoch), lamp_uint(st->about.serial));
    if (err == LAMP_OK && (st->state == LAMP_SET_ROLLED_BACK || st->code == LAMP_EREJECTED))
        err =
            LAMP_EXEC(r->q,
                      "UPDATE sensor SET list_rejected_epoch = ?2, list_rejected_serial = ?3"
                      " WHERE no = ?1",
                      lamp_int(r->sensor), lamp_uint(st->about.epoch), lamp_uint(st->about.serial));
    return err;
}

int lamp_sqlite_op_list_status(lamp_store *s, int64_t sensor_ref, const struct lamp_set_status *st,
                               uint64_t now_us, lamp_block_changed_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    char detail[LAMP_STORE_WHY];
    lamp_text_utf8(st->detail.data, st->detail.len, detail, sizeof(detail));
    if (!*detail)
        snprintf(detail, sizeof(detail), "%s",
                 st->code < 0                    ? lamp_strerror(st->code)
                 : st->state == LAMP_SET_OFF     ? "blocking is off at this sensor"
                 : st->state == LAMP_SET_EXPIRED ? "the list expired at this sensor"
                                                 : "kept out by the sensor's never list");
    const struct report r = { q, sensor_ref, st, detail, now_us, fn, arg };
    uint64_t epoch = 0;
    int err = lamp_sqlite_op_epoch(s, &epoch);
    if (err == LAMP_OK)
        err = note_sensor(&r);
    if (err != LAMP_OK)
        return err;
    switch (st->state) {
    case LAMP_SET_APPLIED:
    case LAMP_SET_CONFIRMED:
    case LAMP_SET_EMPTY:
        if (st->head.epoch == epoch && st->head.serial > 0) {
            err = note_applied(&r);
            return err == LAMP_OK ? note_hits(&r) : err;
        }
        return note_nothing(&r, PENDING);
    case LAMP_SET_REFUSED:
    case LAMP_SET_ROLLED_BACK:
        /* What is refused has an epoch of its own where it is another list than the one in force. */
        if ((st->about.serial > 0 ? st->about.epoch : st->head.epoch) == epoch)
            err = note_failed(&r);
        return err == LAMP_OK ? note_hits(&r) : err;
    case LAMP_SET_EXPIRED:
    case LAMP_SET_OFF:
        return note_nothing(&r, FAILED);
    case LAMP_SET_STATE_NONE:
    case LAMP_SET_STAGED:
        break;
    }
    return LAMP_OK;
}

/* ---- the other sets ---- */

int lamp_sqlite_op_set_status(lamp_store *s, int64_t sensor_ref, const struct lamp_set_status *st,
                              uint64_t now_us)
{
    char detail[LAMP_STORE_WHY];
    lamp_text_utf8(st->detail.data, st->detail.len, detail, sizeof(detail));
    return LAMP_EXEC(
        (struct lamp_sqlite *)s, "INSERT OR REPLACE INTO sensor_set VALUES (?, ?, ?, ?, ?, ?, ?)",
        lamp_int(sensor_ref), lamp_int((int64_t)st->head.kind), lamp_int((int64_t)st->state),
        lamp_uint(st->head.epoch), lamp_uint(st->head.serial), lamp_uint(now_us),
        lamp_str(*detail || st->code == LAMP_OK ? detail : lamp_strerror(st->code)));
}

int lamp_sqlite_op_sensor_sets(lamp_store *s, const char *id, lamp_sensor_set_view_fn *fn,
                               void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT x.kind, x.state, x.epoch, x.serial, x.at_us, x.error"
                                  " FROM sensor_set x JOIN sensor s ON s.no = x.sensor"
                                  " WHERE s.id = ? ORDER BY x.kind",
                                  lamp_str(id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_sensor_set_view v = {
            .kind = (enum lamp_set_kind)sqlite3_column_int(st, 0),
            .state = (enum lamp_set_state)sqlite3_column_int(st, 1),
            .epoch = lamp_col_uint(st, 2),
            .serial = lamp_col_uint(st, 3),
            .at_us = lamp_col_uint(st, 4),
            .error = lamp_col_str(st, 5),
        };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

/* ---- sites that are held, and what operators did ---- */

int lamp_sqlite_op_site_hold(lamp_store *s, const char *site, const char *by, uint64_t serial,
                             uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(q,
                              "UPDATE site SET held_by = ?2, hold_serial = ?3, held_us = ?4,"
                              " release_by = '' WHERE name = ?1",
                              lamp_str(site), lamp_str(by ? by : ""), lamp_uint(by ? serial : 0),
                              lamp_uint(by ? now_us : 0));
    return err == LAMP_OK && sqlite3_changes(q->db) == 0 ? LAMP_ENOENT : err;
}

int lamp_sqlite_op_site_held(lamp_store *s, const char *site, struct lamp_site_hold *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q, "SELECT hold_serial, release_by FROM site WHERE name = ? AND held_us > 0",
                   lamp_str(site));
    const int got = lamp_sqlite_step(q, st);
    if (got < 0)
        return got;
    *out = (struct lamp_site_hold){ .serial = 0 };
    if (got > 0) {
        out->serial = lamp_col_uint(st, 0);
        lamp_col_copy(st, 1, out->release_by, sizeof(out->release_by));
        sqlite3_reset(st);
    }
    return LAMP_OK;
}

int lamp_sqlite_op_site_release_asked(lamp_store *s, const char *site, const char *by)
{
    return LAMP_EXEC((struct lamp_sqlite *)s, "UPDATE site SET release_by = ?2 WHERE name = ?1",
                     lamp_str(site), lamp_str(by));
}

int lamp_sqlite_op_sites(lamp_store *s, lamp_site_view_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = lamp_sqlite_bind(
        q,
        "SELECT t.name, t.held_by, t.release_by, t.held_us, t.hold_serial, count(*) FROM site t"
        " JOIN sensor s ON s.site = t.no WHERE s.enrolled = 1 GROUP BY t.no ORDER BY t.name",
        NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_site_view v = {
            .name = lamp_col_str(st, 0),
            .held_by = lamp_col_str(st, 1),
            .release_by = lamp_col_str(st, 2),
            .held_us = lamp_col_uint(st, 3),
            .hold_serial = lamp_col_uint(st, 4),
            .sensors = (uint32_t)sqlite3_column_int64(st, 5),
        };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_audits(lamp_store *s, uint32_t limit, lamp_audit_view_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT no, at_us, actor, action, object, detail FROM audit ORDER BY no DESC"
                   " LIMIT ?",
                   lamp_int(limit));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_audit_view v = {
            .no = sqlite3_column_int64(st, 0),
            .at_us = lamp_col_uint(st, 1),
            .actor = lamp_col_str(st, 2),
            .action = lamp_col_str(st, 3),
            .object = lamp_col_str(st, 4),
            .detail = lamp_col_str(st, 5),
        };
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}
