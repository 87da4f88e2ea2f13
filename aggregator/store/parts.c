/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/parts.h"

#include "aggregator/store/vtab.h"

enum { ROW_MAX = 2 * 17 + 9 * LAMP_PACKED_NUMBER + 2 * LAMP_PACKED_TEXT, GROW = 64 * 1024 };

/* ---- packing ---- */

static uint8_t *put_addr(uint8_t *p, const struct lamp_addr *a)
{
    static const struct lamp_addr zero;
    if (lamp_addr_is_v4(a))
        return lamp_put_bytes(p, a->b + 12, 4);
    return lamp_put_bytes(p, a->b, lamp_addr_eq(a, &zero) ? 0 : sizeof(a->b));
}

int lamp_part_add(struct lamp_part *p, const struct lamp_rollup_row *r)
{
    if (r->application.len > LAMP_PACKED_TEXT || r->remote_name.len > LAMP_PACKED_TEXT)
        return LAMP_EFULL;
    const int err = lamp_packed_room(p, p->size ? ROW_MAX : GROW);
    if (err)
        return err;
    uint8_t *at = p->data + p->len;
    at = put_addr(at, &r->inside_addr);
    at = put_addr(at, &r->remote_addr);
    at = lamp_put_number(at, r->ip_proto);
    at = lamp_put_number(at, r->service_port);
    at = lamp_put_bytes(at, r->application.data, r->application.len);
    at = lamp_put_bytes(at, r->remote_name.data, r->remote_name.len);
    at = lamp_put_number(at, r->bytes_out);
    at = lamp_put_number(at, r->bytes_in);
    at = lamp_put_number(at, r->packets_out);
    at = lamp_put_number(at, r->packets_in);
    at = lamp_put_number(at, r->flows);
    p->len = (size_t)(at - p->data);
    return LAMP_OK;
}

void lamp_part_done(struct lamp_part *p)
{
    free(p->data);
    *p = (struct lamp_part){ 0 };
}

/* ---- unpacking ---- */

static struct lamp_bytes get_addr(struct lamp_cursor *c)
{
    static const struct lamp_addr zero;
    const struct lamp_bytes a = lamp_get_bytes(c, sizeof(zero.b));
    if (a.len != 0 && a.len != 4 && a.len != sizeof(zero.b))
        c->bad = true;
    return a.len ? a : (struct lamp_bytes){ zero.b, sizeof(zero.b) };
}

bool lamp_part_next(struct lamp_cursor *c, struct lamp_part_row *out)
{
    if (lamp_cursor_left(c) == 0)
        return false;
    out->inside = get_addr(c);
    out->remote = get_addr(c);
    out->ip_proto = lamp_get_number(c);
    out->service_port = lamp_get_number(c);
    out->application = lamp_get_bytes(c, LAMP_PACKED_TEXT);
    out->name = lamp_get_bytes(c, LAMP_PACKED_TEXT);
    for (size_t i = 0; i < ARRAY_LEN(out->counts); i++)
        out->counts[i] = lamp_get_number(c);
    if (out->ip_proto > UINT8_MAX || out->service_port > UINT16_MAX)
        c->bad = true;
    return !c->bad;
}

/* ---- part_damaged() ---- */

static void damaged(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const void *body = sqlite3_value_blob(argv[0]); /* before its length is asked for */
    struct lamp_cursor c = lamp_cursor_of(body, (size_t)sqlite3_value_bytes(argv[0]));
    struct lamp_part_row row;
    (void)argc;
    while (lamp_part_next(&c, &row))
        ;
    sqlite3_result_int(ctx, c.bad);
}

/* ---- part_rows(), an eponymous virtual table (sqlite.org/vtab.html#tabfunc2) ---- */

enum {
    COL_PLACE,
    COL_INSIDE,
    COL_REMOTE,
    COL_PROTO,
    COL_PORT,
    COL_APPLICATION,
    COL_NAME,
    COL_BYTES_OUT,
    COL_FLOWS = COL_BYTES_OUT + 4,
    COL_BODY
};

struct rows {
    sqlite3_vtab_cursor base; /* first */
    uint8_t *body;
    size_t len;
    struct lamp_cursor at;
    sqlite3_int64 place;
    bool over;
    struct lamp_part_row row;
};

static int rows_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **err)
{
    (void)aux, (void)argc, (void)argv, (void)err;
    return lamp_vtab_connect(
        db,
        "CREATE TABLE x (place INTEGER, inside BLOB, remote BLOB, ip_proto INTEGER,"
        " service_port INTEGER, application TEXT, remote_name TEXT, bytes_out INTEGER,"
        " bytes_in INTEGER, packets_out INTEGER, packets_in INTEGER, flows INTEGER,"
        " body HIDDEN)",
        out);
}

static int rows_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != COL_BODY || !info->aConstraint[i].usable ||
            info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->estimatedCost = 500;
        info->estimatedRows = 500;
        return SQLITE_OK;
    }
    return SQLITE_CONSTRAINT; /* without a body there are no rows */
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

static int rows_close(sqlite3_vtab_cursor *cursor)
{
    struct rows *r = (struct rows *)cursor;
    free(r->body);
    free(r);
    return SQLITE_OK;
}

static int rows_next(sqlite3_vtab_cursor *cursor)
{
    struct rows *r = (struct rows *)cursor;
    r->place++;
    r->over = !lamp_part_next(&r->at, &r->row);
    return SQLITE_OK;
}

static int rows_filter(sqlite3_vtab_cursor *cursor, int idx, const char *idx_str, int argc,
                       sqlite3_value **argv)
{
    struct rows *r = (struct rows *)cursor;
    (void)idx, (void)idx_str, (void)argc;
    const void *body = sqlite3_value_blob(argv[0]); /* gone when this returns */
    r->len = (size_t)sqlite3_value_bytes(argv[0]);
    free(r->body);
    r->body = malloc(r->len + 1);
    if (!r->body)
        return SQLITE_NOMEM;
    if (r->len)
        memcpy(r->body, body, r->len);
    r->at = lamp_cursor_of(r->body, r->len);
    r->place = -1;
    return rows_next(cursor);
}

static int rows_eof(sqlite3_vtab_cursor *cursor)
{
    return ((const struct rows *)cursor)->over;
}

static int rows_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int col)
{
    const struct rows *r = (const struct rows *)cursor;
    switch (col) {
    case COL_PLACE:
        sqlite3_result_int64(ctx, r->place);
        break;
    case COL_INSIDE:
        lamp_vtab_bytes(ctx, r->row.inside);
        break;
    case COL_REMOTE:
        lamp_vtab_bytes(ctx, r->row.remote);
        break;
    case COL_PROTO:
        sqlite3_result_int64(ctx, (sqlite3_int64)r->row.ip_proto);
        break;
    case COL_PORT:
        sqlite3_result_int64(ctx, (sqlite3_int64)r->row.service_port);
        break;
    case COL_APPLICATION:
        lamp_vtab_text(ctx, r->row.application);
        break;
    case COL_NAME:
        lamp_vtab_text(ctx, r->row.name);
        break;
    case COL_BODY:
        sqlite3_result_blob64(ctx, r->body, r->len, SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_result_int64(
            ctx, (sqlite3_int64)lamp_min(r->row.counts[col - COL_BYTES_OUT], INT64_MAX));
    }
    return SQLITE_OK;
}

static int rows_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
    *out = ((const struct rows *)cursor)->place;
    return SQLITE_OK;
}

int lamp_parts_register(sqlite3 *db)
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
    int rc = sqlite3_create_module_v2(db, "part_rows", &module, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "part_damaged", 1,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                        damaged, NULL, NULL, NULL);
    return rc == SQLITE_OK ? LAMP_OK : LAMP_ESTORE;
}
