/* SPDX-License-Identifier: Apache-2.0 */
/* Packs as SQL has them. */
#include "aggregator/store/packs_read.h"
#include "aggregator/store/vtab.h"

/* ---- pack_has(), pack_damaged() ---- */

static struct lamp_bytes value_bytes(sqlite3_value *v)
{
    const void *data = sqlite3_value_blob(v); /* before its length is asked for */
    return (struct lamp_bytes){ data, (size_t)sqlite3_value_bytes(v) };
}

static void has(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const struct lamp_bytes keys = value_bytes(argv[0]);
    struct lamp_cursor c = lamp_cursor_of(keys.data, keys.len);
    bool yes = true;
    for (int i = 1; i < argc && yes; i++) {
        struct lamp_pack_addresses a;
        const struct lamp_bytes what = value_bytes(argv[i]);
        size_t at;
        yes = lamp_pack_addresses(&c, &a) && (what.len == 0 || lamp_pack_find(&a, what, &at));
    }
    sqlite3_result_int(ctx, yes);
}

static void damaged(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct lamp_pack p;
    (void)argc;
    const int err = lamp_pack_read(value_bytes(argv[0]), value_bytes(argv[1]), &p);
    if (!err)
        lamp_pack_done(&p);
    if (err == LAMP_ENOMEM)
        sqlite3_result_error_nomem(ctx);
    else
        sqlite3_result_int(ctx, err != LAMP_OK);
}

/* ---- pack_rows(), an eponymous virtual table (sqlite.org/vtab.html#tabfunc2) ---- */

enum {
    COL_INSIDE,
    COL_REMOTE,
    COL_PROTO,
    COL_PORT,
    COL_APPLICATION,
    COL_NAME,
    COL_BYTES_OUT,
    COL_FIRST = COL_BYTES_OUT + LAMP_PACK_COUNTS,
    COL_LAST,
    COL_KEYS,
    COL_BODY,
    COL_ONLY_INSIDE,
    COL_ONLY_REMOTE,
};

struct rows {
    sqlite3_vtab_cursor base; /* first */
    uint8_t *bytes;           /* keys and body */
    struct lamp_pack pack;
    bool only_inside, only_remote;
    size_t at, inside, remote;
    struct lamp_pack_row row;
};

static int rows_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **err)
{
    (void)aux, (void)argc, (void)argv, (void)err;
    return lamp_vtab_connect(
        db,
        "CREATE TABLE x (inside BLOB, remote BLOB, ip_proto INTEGER, service_port INTEGER,"
        " application TEXT, remote_name TEXT, bytes_out INTEGER, bytes_in INTEGER,"
        " packets_out INTEGER, packets_in INTEGER, flows INTEGER, first INTEGER,"
        " last INTEGER, keys HIDDEN, body HIDDEN, only_inside HIDDEN, only_remote HIDDEN)",
        out);
}

/* Which columns rows_filter() is given a value of, in order; idxNum has a bit for each. */
static const int given[] = { COL_KEYS,        COL_BODY,   COL_ONLY_INSIDE,
                             COL_ONLY_REMOTE, COL_INSIDE, COL_REMOTE };

static int rows_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    int n = 0;
    info->idxNum = 0;
    for (size_t g = 0; g < ARRAY_LEN(given); g++)
        for (int i = 0; i < info->nConstraint; i++) {
            if (info->aConstraint[i].iColumn != given[g] || !info->aConstraint[i].usable ||
                info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
                continue;
            info->aConstraintUsage[i].argvIndex = ++n;
            info->aConstraintUsage[i].omit = given[g] >= COL_KEYS;
            info->idxNum |= 1 << g;
            break;
        }
    if ((info->idxNum & 3) != 3)
        return SQLITE_CONSTRAINT; /* without a pack there are no rows */
    info->estimatedRows = info->idxNum > 3 ? 10 : 500;
    info->estimatedCost = (double)info->estimatedRows;
    return SQLITE_OK;
}

static int rows_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
    (void)vtab;
    struct rows *r = calloc(1, sizeof(*r));
    if (!r)
        return SQLITE_NOMEM;
    *out = &r->base;
    return SQLITE_OK;
}

static void rows_drop(struct rows *r)
{
    lamp_pack_done(&r->pack);
    free(r->bytes);
    r->bytes = NULL;
}

static int rows_close(sqlite3_vtab_cursor *cursor)
{
    struct rows *r = (struct rows *)cursor;
    rows_drop(r);
    free(r);
    return SQLITE_OK;
}

/* Goes to the first row from r->at on that is asked for. */
static void rows_settle(struct rows *r)
{
    const struct lamp_pack *p = &r->pack;
    while (r->at < p->n && ((r->only_inside && p->rows[r->at].inside != r->inside) ||
                            (r->only_remote && p->rows[r->at].remote != r->remote)))
        r->at++;
    if (r->at < p->n)
        lamp_pack_row_at(p, r->at, &r->row);
}

static int rows_next(sqlite3_vtab_cursor *cursor)
{
    struct rows *r = (struct rows *)cursor;
    r->at++;
    rows_settle(r);
    return SQLITE_OK;
}

/* Notes that only rows with an address are wanted; there are none where it is not one of these, or not the one that was
 * noted before. */
static void want(struct rows *r, bool inside, bool any_if_empty, struct lamp_bytes what)
{
    const struct lamp_pack_addresses *a = inside ? &r->pack.inside : &r->pack.remote;
    bool *only = inside ? &r->only_inside : &r->only_remote;
    size_t *is = inside ? &r->inside : &r->remote, at = 0;
    if (what.len == 0 && any_if_empty)
        return;
    if (!lamp_pack_find(a, what, &at) || (*only && *is != at))
        r->at = r->pack.n;
    *only = true;
    *is = at;
}

static int rows_filter(sqlite3_vtab_cursor *cursor, int idx, const char *idx_str, int argc,
                       sqlite3_value **argv)
{
    struct rows *r = (struct rows *)cursor;
    (void)idx_str, (void)argc;
    rows_drop(r);
    r->only_inside = r->only_remote = false;
    r->at = 0;
    const struct lamp_bytes keys = value_bytes(argv[0]), body = value_bytes(argv[1]);
    r->bytes = malloc(keys.len + body.len + 1); /* the values are gone when this returns */
    if (!r->bytes)
        return SQLITE_NOMEM;
    if (keys.len)
        memcpy(r->bytes, keys.data, keys.len);
    if (body.len)
        memcpy(r->bytes + keys.len, body.data, body.len);
    if (lamp_pack_read((struct lamp_bytes){ r->bytes, keys.len },
                       (struct lamp_bytes){ r->bytes + keys.len, body.len },
                       &r->pack) == LAMP_ENOMEM)
        return SQLITE_NOMEM;
    for (size_t g = 2, n = 2; g < ARRAY_LEN(given); g++)
        if (idx & 1 << g)
            want(r, given[g] == COL_INSIDE || given[g] == COL_ONLY_INSIDE, given[g] >= COL_KEYS,
                 value_bytes(argv[n++]));
    rows_settle(r);
    return SQLITE_OK;
}

static int rows_eof(sqlite3_vtab_cursor *cursor)
{
    const struct rows *r = (const struct rows *)cursor;
    return r->at >= r->pack.n;
}

static int rows_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int col)
{
    const struct lamp_pack_row *row = &((const struct rows *)cursor)->row;
    switch (col) {
    case COL_INSIDE:
        lamp_vtab_bytes(ctx, row->key.inside);
        break;
    case COL_REMOTE:
        lamp_vtab_bytes(ctx, row->key.remote);
        break;
    case COL_PROTO:
        sqlite3_result_int64(ctx, (sqlite3_int64)row->key.ip_proto);
        break;
    case COL_PORT:
        sqlite3_result_int64(ctx, (sqlite3_int64)row->key.service_port);
        break;
    case COL_APPLICATION:
        lamp_vtab_text(ctx, row->key.application);
        break;
    case COL_NAME:
        lamp_vtab_text(ctx, row->key.name);
        break;
    case COL_FIRST:
        sqlite3_result_int64(ctx, (sqlite3_int64)row->first);
        break;
    case COL_LAST:
        sqlite3_result_int64(ctx, (sqlite3_int64)row->last);
        break;
    default:
        if (col < COL_FIRST)
            sqlite3_result_int64(ctx, (sqlite3_int64)row->key.counts[col - COL_BYTES_OUT]);
        else
            sqlite3_result_null(ctx); /* the arguments: nobody asks for them back */
    }
    return SQLITE_OK;
}

static int rows_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((const struct rows *)cursor)->at;
    return SQLITE_OK;
}

/* ---- all of them ---- */

int lamp_packs_register(sqlite3 *db)
{
    static const sqlite3_module module = {
        .xConnect = rows_connect,
        .xBestIndex = rows_best_index,
        .xDisconnect = lamp_vtab_disconnect,
        .xOpen = rows_open,
        .xClose = rows_close,
        .xFilter = rows_filter,
        .xNext = rows_next,
        .xEof = rows_eof,
        .xColumn = rows_column,
        .xRowid = rows_rowid,
    };
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    const int err = lamp_parts_register(db);
    if (err)
        return err;
    int rc = sqlite3_create_module_v2(db, "pack_rows", &module, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "pack_has", 3, flags, NULL, has, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "pack_damaged", 2, flags, NULL, damaged, NULL, NULL,
                                        NULL);
    return rc == SQLITE_OK ? LAMP_OK : LAMP_ESTORE;
}
