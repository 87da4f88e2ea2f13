/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite: what the files of the SQLite backend share: the handle, prepared statements kept for
 * its life, and typed values to bind. Private to store/sqlite*.c. */
#pragma once

#include "aggregator/store/backend.h"
#include "aggregator/store/packs.h"

#include <assert.h>
#include <sqlite3.h>

enum { LAMP_SQLITE_STATEMENTS = 512 };

struct lamp_sqlite {
    struct lamp_store base; /* first: a lamp_store * is one of these */
    sqlite3 *db;
    bool in_transaction;
    bool scoped; /* reads through the views of sqlite_scope.c */
    bool read_only;
    bool history_on;          /* the writer's: history leaves this store (history.h) */
    bool past_any;            /* rows of the past are lent */
    bool past_writable;       /* query_only is off for them */
    int64_t past_spans_until; /* likewise the first minute, hour or day of a miner */
    int64_t past_until; /* the first minute that answers take from the tables; 0: as asked for */
    char scope[LAMP_SCOPE];
    int64_t prune_conn;    /* how far maintain() got through the connections */
    struct lamp_part part; /* rows of one minute of one record that no statement has put in yet */
    struct {
        int64_t minute, site_ref, stream_ref, seq,
            place; /* place: of its first row in the record */
    } part_of;
    uint32_t part_next; /* the place of the row that would be the next of it */
    struct {
        const char *sql;
        sqlite3_stmt *st;
    } cache[LAMP_SQLITE_STATEMENTS];
};

/* The version of the tables that this program makes. */
extern const uint64_t lamp_sqlite_version;

/* A value for a ?; made by the functions below. */
struct lamp_sqlv {
    enum { LAMP_SQL_INT, LAMP_SQL_REAL, LAMP_SQL_TEXT, LAMP_SQL_BLOB } type;
    int64_t i;
    double d;
    const void *p;
    size_t len;
};

static inline struct lamp_sqlv lamp_int(int64_t v)
{
    return (struct lamp_sqlv){ .type = LAMP_SQL_INT, .i = v };
}

/* Unsigned counts stop at INT64_MAX, which no honest count reaches. */
static inline struct lamp_sqlv lamp_uint(uint64_t v)
{
    return lamp_int(v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static inline struct lamp_sqlv lamp_real(double v)
{
    return (struct lamp_sqlv){ .type = LAMP_SQL_REAL, .d = v };
}

static inline struct lamp_sqlv lamp_str(const char *s)
{
    return (struct lamp_sqlv){ .type = LAMP_SQL_TEXT, .p = s, .len = strlen(s) };
}

static inline struct lamp_sqlv lamp_text(struct lamp_bytes b)
{
    return (struct lamp_sqlv){ .type = LAMP_SQL_TEXT,
                               .p = b.len ? (const void *)b.data : "",
                               .len = b.len };
}

static inline struct lamp_sqlv lamp_blob(const void *p, size_t len)
{
    return (struct lamp_sqlv){ .type = LAMP_SQL_BLOB, .p = p, .len = len };
}

static inline struct lamp_sqlv lamp_addr_blob(const struct lamp_addr *a)
{
    return lamp_blob(a->b, sizeof(a->b));
}

/* The statement for a string literal (the pointer is the key), reset and bound. NULL: the
 * database refused, base.why says what. Borrowed until the next use of the same literal. */
sqlite3_stmt *lamp_sqlite_bind(struct lamp_sqlite *q, const char *sql, const struct lamp_sqlv *v,
                               size_t n);

/* Puts in the rows that wait in q->part; every other statement of the handle does it before it begins.
 * LAMP_ESTORE. */
LAMP_CHECK int lamp_sqlite_flush_part(struct lamp_sqlite *q);

/* Of a handle whose db was just opened: the settings against a file that somebody else may have touched,
 * and those that make a commit durable. LAMP_ESTORE. */
LAMP_CHECK int lamp_sqlite_harden(struct lamp_sqlite *q);
LAMP_CHECK int lamp_sqlite_set_durable(struct lamp_sqlite *q);

/* The first number that a query gives. LAMP_ESTORE: none, too. */
LAMP_CHECK int lamp_sqlite_value(struct lamp_sqlite *q, const char *sql, int64_t *out);

/* Closes the handle, of malloc(), with its statements. */
void lamp_sqlite_close(lamp_store *s);

/* Notes what the database said as why the call failed. Returns LAMP_ESTORE. */
int lamp_sqlite_refuse(struct lamp_sqlite *q);

/* 1: a row is there. 0: no more rows, the statement is reset. LAMP_ESTORE. */
LAMP_CHECK int lamp_sqlite_step(struct lamp_sqlite *q, sqlite3_stmt *st);

/* Runs a statement that gives no rows. */
LAMP_CHECK int lamp_sqlite_exec(struct lamp_sqlite *q, const char *sql, const struct lamp_sqlv *v,
                                size_t n);

#define LAMP_VALUES(...)                                                                           \
    (const struct lamp_sqlv[]){ __VA_ARGS__ },                                                     \
        sizeof((const struct lamp_sqlv[]){ __VA_ARGS__ }) / sizeof(struct lamp_sqlv)
#define LAMP_QUERY(q, sql, ...) lamp_sqlite_bind((q), (sql), LAMP_VALUES(__VA_ARGS__))
#define LAMP_EXEC(q, sql, ...) lamp_sqlite_exec((q), (sql), LAMP_VALUES(__VA_ARGS__))

/* Columns of the row at hand. Text is "" where NULL, and gone at the next step. */
static inline uint64_t lamp_col_uint(sqlite3_stmt *st, int i)
{
    return (uint64_t)sqlite3_column_int64(st, i);
}

static inline const char *lamp_col_str(sqlite3_stmt *st, int i)
{
    const unsigned char *s = sqlite3_column_text(st, i);
    return s ? (const char *)s : "";
}

/* Copies a text column, cut to size. */
void lamp_col_copy(sqlite3_stmt *st, int i, char *buf, size_t size);

/* The mark of a miner heard of last at last_us: NONE unless all its pairs of the day before are marked,
 * else the newest of theirs. */
struct lamp_sqlite_mark {
    enum lamp_mark mark;
    char by[LAMP_NAME_MAX], reason[257];
    uint64_t at_us;
};
LAMP_CHECK int lamp_sqlite_mark(struct lamp_sqlite *q, int64_t miner_id, uint64_t last_us,
                                struct lamp_sqlite_mark *out);

/* The first minute, hour and day that are kept, by enum lamp_step. */
LAMP_CHECK int lamp_sqlite_floors(struct lamp_sqlite *q, uint64_t out[3]);

/* The evidence of a connection (its id in the store): *out_n of LAMP_WIRE_EVIDENCE_MAX. */
struct lamp_track_evidence;
LAMP_CHECK int lamp_sqlite_evidence(struct lamp_sqlite *q, int64_t conn_id,
                                    struct lamp_track_evidence *out, size_t *out_n);

/* The SQL for an address as tables of history have it: of IPv4 the 4 bytes alone. */
#define LAMP_SHORT(column)                                                                         \
    "CASE WHEN substr(" column ", 1, 12) = x'00000000000000000000ffff' THEN substr(" column        \
    ", 13) ELSE " column " END"

/* Copies a blob column of exactly len bytes; zeroes where it is not. */
void lamp_col_blob(sqlite3_stmt *st, int i, void *buf, size_t len);

static inline struct lamp_addr lamp_col_addr(sqlite3_stmt *st, int i)
{
    struct lamp_addr a;
    const void *p = sqlite3_column_blob(st, i);
    if (p && sqlite3_column_bytes(st, i) == 4)
        return lamp_addr_from_v4(p);
    lamp_col_blob(st, i, a.b, sizeof(a.b));
    return a;
}

/* The limits and matches of a sample, from column i, a packed ORDER. LAMP_ESTORE: what is written there is none. */
LAMP_CHECK int lamp_sqlite_read_order(struct lamp_sqlite *q, sqlite3_stmt *st, int i,
                                      struct lamp_sample *out);

/* Whether readers for some sites alone have a rule for a table (else it seems empty to them). */
bool lamp_sqlite_has_scope_rule(const char *table);

/* The operations, spread over sqlite*.c. */
#define LAMP_OP(name, params, args) int lamp_sqlite_op_##name params;
#include "aggregator/store/ops.def"
#undef LAMP_OP
