/* SPDX-License-Identifier: Apache-2.0 */
/* What the fleet learned by itself, in the SQLite store. */
#include "aggregator/store/sqlite.h"

int lamp_sqlite_op_proved(lamp_store *s, int64_t id, lamp_proved_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT id, kind, addr, port, wallet, confirmed, first_us, last_us, site, coin, pool, word,"
        " until_us, said_by, note, said_us FROM proved WHERE ?1 = 0 OR id = ?1 ORDER BY id DESC",
        lamp_int(id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_proved p = { .id = sqlite3_column_int64(st, 0),
                                 .kind = (enum lamp_proved_kind)sqlite3_column_int(st, 1),
                                 .port = (uint16_t)sqlite3_column_int(st, 3),
                                 .confirmed = sqlite3_column_int(st, 5) != 0,
                                 .first_us = lamp_col_uint(st, 6),
                                 .last_us = lamp_col_uint(st, 7),
                                 .word = (enum lamp_proved_word)sqlite3_column_int(st, 11),
                                 .until_us = lamp_col_uint(st, 12),
                                 .said_us = lamp_col_uint(st, 15) };
        if (p.kind == LAMP_PROVED_SERVER)
            p.addr = lamp_col_addr(st, 2);
        lamp_col_copy(st, 4, p.wallet, sizeof(p.wallet));
        lamp_col_copy(st, 8, p.site, sizeof(p.site));
        lamp_col_copy(st, 9, p.coin, sizeof(p.coin));
        lamp_col_copy(st, 10, p.pool, sizeof(p.pool));
        lamp_col_copy(st, 13, p.said_by, sizeof(p.said_by));
        lamp_col_copy(st, 14, p.note, sizeof(p.note));
        if (!fn(&p, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_proved_put(lamp_store *s, struct lamp_proved *p)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const size_t len = p->kind == LAMP_PROVED_SERVER ? sizeof(p->addr.b) : 0;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "INSERT INTO proved (kind, addr, port, wallet, confirmed, first_us, last_us, site, coin,"
        " pool, word, until_us, said_by, note, said_us)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        " ON CONFLICT DO UPDATE SET confirmed = ?5, last_us = ?7, word = ?11, until_us = ?12,"
        " said_by = ?13, note = ?14, said_us = ?15 RETURNING id",
        lamp_int((int64_t)p->kind), lamp_blob(p->addr.b, len), lamp_int(p->port),
        lamp_str(p->wallet), lamp_int(p->confirmed), lamp_uint(p->first_us), lamp_uint(p->last_us),
        lamp_str(p->site), lamp_str(p->coin), lamp_str(p->pool), lamp_int((int64_t)p->word),
        lamp_uint(p->until_us), lamp_str(p->said_by), lamp_str(p->note), lamp_uint(p->said_us));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    p->id = sqlite3_column_int64(st, 0);
    return lamp_sqlite_step(q, st);
}

int lamp_sqlite_op_proved_remove(lamp_store *s, int64_t id)
{
    return LAMP_EXEC((struct lamp_sqlite *)s, "DELETE FROM proved WHERE id = ?", lamp_int(id));
}
