/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect to the aggregator, and the audit log, in the SQLite store.
 *
 * The hash of an audit row is BLAKE2b-256 (RFC 7693, no key) over: the hash of the row before (32
 * zero bytes for the first), `no` and `at_us` (8 bytes each, little-endian), then actor, action,
 * object and detail, each as its length (4 bytes, little-endian) and its bytes. */
#include "aggregator/store/sqlite.h"

#include <sodium.h>
#include <stdio.h>

enum { HASH = 32 };

/* ---- keys ---- */

#define KEY_COLUMNS                                                                                \
    "id, key, sensor, site, state, added_by, ended_by, added_us, used_us, expires_us, ended_us,"   \
    " replace_us"

static void read_key(sqlite3_stmt *st, struct lamp_sensor_key *k)
{
    *k = (struct lamp_sensor_key){ .id = sqlite3_column_int64(st, 0),
                                   .state = (enum lamp_sensor_key_state)sqlite3_column_int(st, 4),
                                   .added_us = lamp_col_uint(st, 7),
                                   .used_us = lamp_col_uint(st, 8),
                                   .expires_us = lamp_col_uint(st, 9),
                                   .ended_us = lamp_col_uint(st, 10),
                                   .replace_us = lamp_col_uint(st, 11) };
    lamp_col_copy(st, 1, k->key, sizeof(k->key));
    lamp_col_copy(st, 2, k->sensor, sizeof(k->sensor));
    lamp_col_copy(st, 3, k->site, sizeof(k->site));
    lamp_col_copy(st, 5, k->added_by, sizeof(k->added_by));
    lamp_col_copy(st, 6, k->ended_by, sizeof(k->ended_by));
}

int lamp_sqlite_op_keys(lamp_store *s, const char *sensor, lamp_sensor_key_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        sensor
            ? LAMP_QUERY(q,
                         "SELECT " KEY_COLUMNS " FROM sensor_key WHERE sensor = ? ORDER BY id DESC",
                         lamp_str(sensor))
            : lamp_sqlite_bind(q, "SELECT " KEY_COLUMNS " FROM sensor_key ORDER BY sensor, id DESC",
                               NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_sensor_key k;
        read_key(st, &k);
        if (!fn(&k, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_key_find(lamp_store *s, const char *key, int64_t id, struct lamp_sensor_key *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        key ? LAMP_QUERY(q, "SELECT " KEY_COLUMNS " FROM sensor_key WHERE key = ?", lamp_str(key))
            : LAMP_QUERY(q, "SELECT " KEY_COLUMNS " FROM sensor_key WHERE id = ?", lamp_int(id));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    read_key(st, out);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_key_save(lamp_store *s, struct lamp_sensor_key *k)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const int err = LAMP_EXEC(
        q,
        "INSERT INTO sensor_key (id, key, sensor, site, state, added_by, ended_by, added_us,"
        " used_us, expires_us, ended_us, replace_us)"
        " VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        " ON CONFLICT (id) DO UPDATE SET key = excluded.key, sensor = excluded.sensor,"
        " site = excluded.site, state = excluded.state, added_by = excluded.added_by, ended_by = "
        "excluded.ended_by,"
        " added_us = excluded.added_us, used_us = excluded.used_us,"
        " expires_us = excluded.expires_us, ended_us = excluded.ended_us,"
        " replace_us = excluded.replace_us",
        lamp_int(k->id), lamp_str(k->key), lamp_str(k->sensor), lamp_str(k->site),
        lamp_int(k->state), lamp_str(k->added_by), lamp_str(k->ended_by), lamp_uint(k->added_us),
        lamp_uint(k->used_us), lamp_uint(k->expires_us), lamp_uint(k->ended_us),
        lamp_uint(k->replace_us));
    if (err == LAMP_OK && k->id == 0)
        k->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

/* ---- tokens ---- */

static void read_token(sqlite3_stmt *st, struct lamp_enroll_token *t)
{
    *t = (struct lamp_enroll_token){ .id = sqlite3_column_int64(st, 0),
                                     .created_us = lamp_col_uint(st, 5),
                                     .expires_us = lamp_col_uint(st, 6),
                                     .used_us = lamp_col_uint(st, 7) };
    lamp_col_blob(st, 1, t->digest, sizeof(t->digest));
    lamp_col_copy(st, 2, t->site, sizeof(t->site));
    lamp_col_copy(st, 3, t->name, sizeof(t->name));
    lamp_col_copy(st, 4, t->created_by, sizeof(t->created_by));
}

#define TOKEN_COLUMNS "id, digest, site, name, created_by, created_us, expires_us, used_us"

int lamp_sqlite_op_tokens(lamp_store *s, uint64_t now_us, lamp_enroll_token_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT " TOKEN_COLUMNS " FROM enroll_token WHERE used_us = 0 AND expires_us > ?"
                   " ORDER BY id DESC",
                   lamp_uint(now_us));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_enroll_token t;
        read_token(st, &t);
        if (!fn(&t, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_token_add(lamp_store *s, struct lamp_enroll_token *t)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    /* What was used or ran out a month ago has nothing more to say. */
    int err = LAMP_EXEC(q, "DELETE FROM enroll_token WHERE expires_us < ?",
                        lamp_int((int64_t)t->created_us - INT64_C(30) * 86400 * 1000000));
    if (err == LAMP_OK)
        err =
            LAMP_EXEC(q,
                      "INSERT INTO enroll_token (digest, site, name, created_by, created_us,"
                      " expires_us) VALUES (?, ?, ?, ?, ?, ?)",
                      lamp_blob(t->digest, sizeof(t->digest)), lamp_str(t->site), lamp_str(t->name),
                      lamp_str(t->created_by), lamp_uint(t->created_us), lamp_uint(t->expires_us));
    if (err == LAMP_OK)
        t->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_token_find(lamp_store *s, const uint8_t digest[LAMP_WIRE_DIGEST_LEN],
                              struct lamp_enroll_token *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q, "SELECT " TOKEN_COLUMNS " FROM enroll_token WHERE digest = ?",
                                  lamp_blob(digest, LAMP_WIRE_DIGEST_LEN));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    read_token(st, out);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_token_use(lamp_store *s, int64_t id, uint64_t now_us)
{
    return LAMP_EXEC((struct lamp_sqlite *)s, "UPDATE enroll_token SET used_us = ?2 WHERE id = ?1",
                     lamp_int(id), lamp_uint(now_us));
}

/* ---- the audit log ---- */

static void add_number(crypto_generichash_state *h, uint64_t v, size_t len)
{
    uint8_t b[8];
    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    crypto_generichash_update(h, b, len);
}

static void hash_row(const uint8_t before[HASH], const struct lamp_audit_view *a, uint8_t out[HASH])
{
    const char *const texts[] = { a->actor, a->action, a->object, a->detail };
    crypto_generichash_state h;
    crypto_generichash_init(&h, NULL, 0, HASH);
    crypto_generichash_update(&h, before, HASH);
    add_number(&h, (uint64_t)a->no, 8);
    add_number(&h, a->at_us, 8);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const size_t len = strlen(texts[i]);
        add_number(&h, len, 4);
        crypto_generichash_update(&h, (const uint8_t *)texts[i], len);
    }
    crypto_generichash_final(&h, out, HASH);
}

int lamp_sqlite_op_audit(lamp_store *s, const char *actor, const char *action, const char *object,
                         const char *detail, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct lamp_audit_view row = { 1, now_us, actor, action, object, detail };
    uint8_t before[HASH] = { 0 }, hash[HASH];
    sqlite3_stmt *st =
        lamp_sqlite_bind(q, "SELECT no, hash FROM audit ORDER BY no DESC LIMIT 1", NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got < 0)
        return got;
    if (got > 0) {
        row.no = sqlite3_column_int64(st, 0) + 1;
        lamp_col_blob(st, 1, before, sizeof(before));
        sqlite3_reset(st);
    }
    hash_row(before, &row, hash);
    return LAMP_EXEC(q,
                     "INSERT INTO audit (no, at_us, actor, action, object, detail, hash)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?)",
                     lamp_int(row.no), lamp_uint(now_us), lamp_str(actor), lamp_str(action),
                     lamp_str(object), lamp_str(detail), lamp_blob(hash, sizeof(hash)));
}

static struct lamp_audit_view read_audit(sqlite3_stmt *st)
{
    return (struct lamp_audit_view){ .no = sqlite3_column_int64(st, 0),
                                     .at_us = lamp_col_uint(st, 1),
                                     .actor = lamp_col_str(st, 2),
                                     .action = lamp_col_str(st, 3),
                                     .object = lamp_col_str(st, 4),
                                     .detail = lamp_col_str(st, 5) };
}

/* The newest row cannot vouch for itself: AUTOINCREMENT's own count tells whether rows are missing
 * at the end. */
int lamp_sqlite_op_audit_check(lamp_store *s, int64_t *out_bad_no)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    uint8_t before[HASH] = { 0 };
    int64_t want = 1, bad = 0;
    bool in_chain = false;
    sqlite3_stmt *st = lamp_sqlite_bind(
        q, "SELECT no, at_us, actor, action, object, detail, hash FROM audit ORDER BY no", NULL, 0);
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0 && !bad) {
        const struct lamp_audit_view a = read_audit(st);
        uint8_t kept[HASH], hash[HASH];
        const bool chained = sqlite3_column_bytes(st, 6) == HASH;
        lamp_col_blob(st, 6, kept, sizeof(kept));
        hash_row(before, &a, hash);
        if (!chained && !in_chain) { /* of a database from before there were hashes */
            want = a.no + 1;
            continue;
        }
        in_chain = true;
        if (a.no != want || memcmp(kept, hash, HASH) != 0)
            bad = a.no;
        memcpy(before, hash, HASH);
        want++;
    }
    sqlite3_reset(st);
    if (got < 0)
        return got;
    st = lamp_sqlite_bind(q, "SELECT seq FROM sqlite_sequence WHERE name = 'audit'", NULL, 0);
    got = lamp_sqlite_step(q, st);
    if (got < 0)
        return got;
    if (got > 0) {
        if (!bad && sqlite3_column_int64(st, 0) != want - 1)
            bad = want;
        sqlite3_reset(st);
    }
    *out_bad_no = bad;
    return LAMP_OK;
}
