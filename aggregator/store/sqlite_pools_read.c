/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from the catalogue. */
#include "aggregator/store/sqlite_pools.h"

#include <stdio.h>

enum { ROWS_DEFAULT = 1000 };

static int done(sqlite3_stmt *st, int got)
{
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}

/* ---- pools ---- */

/* Endpoints of a pool: at an address of one of its servers and a port that the server listens at. */
#define POOL_ENDPOINTS                                                                             \
    " FROM pool_server s JOIN pool_address a ON a.server = s.id JOIN pool_endpoint ep"             \
    " ON ep.addr = a.addr WHERE s.pool = ?1 AND EXISTS (SELECT 1 FROM pool_entry e"                \
    " WHERE e.server = s.id AND (e.port = ep.port OR e.port = 0))"

static int count_states(struct lamp_sqlite *q, struct lamp_pool_view *v)
{
    sqlite3_stmt *st =
        LAMP_QUERY(q, "SELECT ep.state, count(DISTINCT ep.id)" POOL_ENDPOINTS " GROUP BY ep.state",
                   lamp_int(v->id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const uint32_t n = (uint32_t)sqlite3_column_int64(st, 1);
        const int state = sqlite3_column_int(st, 0);
        v->up = state == LAMP_POOL_UP ? n : v->up;
        v->listen = state == LAMP_POOL_LISTEN ? n : v->listen;
        v->down = state == LAMP_POOL_DOWN ? n : v->down;
    }
    return got;
}

static bool has_state(const struct lamp_pool_view *v, const char *state)
{
    return !state || (streq(state, "up") && v->up) || (streq(state, "listen") && v->listen) ||
           (streq(state, "down") && v->down);
}

int lamp_sqlite_op_pools(lamp_store *s, const struct lamp_pool_filter *f, lamp_pool_view_fn *fn,
                         void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const uint64_t from_us =
        f->now_us > LAMP_POOL_ADDRESS_US ? f->now_us - LAMP_POOL_ADDRESS_US : 0;
    uint32_t left = f->limit ? f->limit : ROWS_DEFAULT;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT p.id, p.name,"
        " (SELECT group_concat(c, char(10)) FROM (SELECT DISTINCT e.coin AS c FROM pool_server s"
        "  JOIN pool_entry e ON e.server = s.id WHERE s.pool = p.id AND e.active AND e.coin <> ''"
        "  ORDER BY 1)),"
        " count(DISTINCT CASE WHEN e.active THEN s.id END), count(CASE WHEN e.active THEN 1 END),"
        " count(CASE WHEN NOT e.active THEN 1 END), max(e.changed_us),"
        " (SELECT count(DISTINCT a.addr) FROM pool_server s JOIN pool_address a ON a.server = s.id"
        "  WHERE s.pool = p.id AND a.last_us >= ?5)"
        " FROM pool p JOIN pool_server s ON s.pool = p.id JOIN pool_entry e ON e.server = s.id"
        " WHERE p.id > ?1 AND (?2 = 0 OR p.id = ?2)"
        " AND (?3 = '' OR instr(lower(p.name), lower(?3)) OR EXISTS (SELECT 1 FROM pool_server t"
        "  WHERE t.pool = p.id AND instr(t.fqdn, lower(?3))))"
        " AND (?4 = '' OR EXISTS (SELECT 1 FROM pool_server t JOIN pool_entry u ON u.server = t.id"
        "  WHERE t.pool = p.id AND u.active AND u.coin = ?4 COLLATE NOCASE))"
        " GROUP BY p.id ORDER BY p.id",
        lamp_int(f->after_id), lamp_int(f->id), lamp_str(f->text ? f->text : ""),
        lamp_str(f->coin ? f->coin : ""), lamp_uint(from_us));
    int got, err = LAMP_OK;
    while (left > 0 && (got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_pool_view v = {
            .id = sqlite3_column_int64(st, 0),
            .name = lamp_col_str(st, 1),
            .coins = lamp_col_str(st, 2),
            .servers = (uint32_t)sqlite3_column_int64(st, 3),
            .entries = (uint32_t)sqlite3_column_int64(st, 4),
            .muted = (uint32_t)sqlite3_column_int64(st, 5),
            .changed_us = lamp_col_uint(st, 6),
            .addresses = (uint32_t)sqlite3_column_int64(st, 7),
        };
        err = count_states(q, &v);
        if (err)
            break;
        if (!has_state(&v, f->state))
            continue;
        left--;
        if (!fn(&v, arg))
            break;
    }
    return err ? done(st, err) : done(st, left > 0 ? got : 0);
}

static int read_switch(struct lamp_sqlite *q, const char *key, bool *has, bool *on)
{
    sqlite3_stmt *st = LAMP_QUERY(q, "SELECT value FROM meta WHERE key = ?", lamp_str(key));
    const int got = lamp_sqlite_step(q, st);
    *has = got > 0;
    *on = got > 0 && sqlite3_column_int64(st, 0) != 0;
    return done(st, got);
}

int lamp_sqlite_op_pool_totals(lamp_store *s, struct lamp_pool_totals *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct lamp_pool_totals t = { 0 };
    sqlite3_stmt *st = lamp_sqlite_bind(
        q,
        "SELECT (SELECT count(*) FROM pool), (SELECT count(*) FROM pool_server),"
        " (SELECT count(DISTINCT addr) FROM pool_address),"
        " (SELECT count(*) FROM pool_entry WHERE active),"
        " (SELECT count(*) FROM pool_entry WHERE NOT active), count(*), sum(state = 1),"
        " sum(state = 2), sum(state = 3),"
        " coalesce((SELECT value FROM meta WHERE key = 'pools_refused'), 0) FROM pool_endpoint",
        NULL, 0);
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    uint64_t *const to[] = { &t.pools,     &t.servers, &t.addresses, &t.entries, &t.muted,
                             &t.endpoints, &t.up,      &t.listen,    &t.down,    &t.refused };
    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        *to[i] = lamp_col_uint(st, (int)i);
    sqlite3_reset(st);
    int err = read_switch(q, "pools_resolve", &t.has_resolve, &t.resolve);
    if (!err)
        err = read_switch(q, "pools_probe", &t.has_probe, &t.probe);
    if (!err)
        *out = t;
    return err;
}

/* ---- what belongs to a pool ---- */

int lamp_sqlite_op_pool_entries(lamp_store *s, const struct lamp_pool_entry_filter *f,
                                lamp_pool_entry_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT" LAMP_POOL_ENTRY_COLUMNS LAMP_POOL_ENTRY_FROM
        " WHERE e.id > ?1 AND (?2 = 0 OR e.id = ?2) AND (?3 = 0 OR s.pool = ?3)"
        " AND (?4 OR e.active) ORDER BY e.id LIMIT ?5",
        lamp_int(f->after_id), lamp_int(f->id), lamp_int(f->pool_id), lamp_int(f->with_deleted),
        lamp_int(f->limit ? f->limit : LAMP_POOL_ENTRIES_MAX));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_pool_entry e;
        lamp_sqlite_pool_entry(st, 0, &e);
        if (!fn(&e, arg))
            break;
    }
    return done(st, got);
}

int lamp_sqlite_op_pool_servers(lamp_store *s, int64_t pool_id, lamp_pool_server_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT s.id, s.pool, s.fqdn, s.cname, s.error, s.resolved_us"
                                  " FROM pool_server s WHERE (?1 = 0 OR s.pool = ?1)"
                                  " ORDER BY s.fqdn, s.id",
                                  lamp_int(pool_id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_pool_server v = { .id = sqlite3_column_int64(st, 0),
                                            .pool_id = sqlite3_column_int64(st, 1),
                                            .fqdn = lamp_col_str(st, 2),
                                            .cname = lamp_col_str(st, 3),
                                            .error = lamp_col_str(st, 4),
                                            .resolved_us = lamp_col_uint(st, 5) };
        if (!fn(&v, arg))
            break;
    }
    return done(st, got);
}

int lamp_sqlite_op_pool_addresses(lamp_store *s, int64_t pool_id, uint64_t from_us,
                                  lamp_pool_address_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT a.server, a.addr, a.first_us, a.last_us, (SELECT count(DISTINCT t.pool)"
                   " FROM pool_address b JOIN pool_server t ON t.id = b.server"
                   " WHERE b.addr = a.addr), s.cname FROM pool_address a"
                   " JOIN pool_server s ON s.id = a.server WHERE (?1 = 0 OR s.pool = ?1)"
                   " AND a.last_us >= ?2 ORDER BY a.server, a.last_us DESC, a.addr",
                   lamp_int(pool_id), lamp_uint(from_us));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_pool_address v = { .server_id = sqlite3_column_int64(st, 0),
                                             .addr = lamp_col_addr(st, 1),
                                             .first_us = lamp_col_uint(st, 2),
                                             .last_us = lamp_col_uint(st, 3),
                                             .pools = (uint32_t)sqlite3_column_int64(st, 4),
                                             .cname = lamp_col_str(st, 5) };
        if (!fn(&v, arg))
            break;
    }
    return done(st, got);
}

int lamp_sqlite_op_pool_endpoints(lamp_store *s, int64_t pool_id, const struct lamp_addr *addr,
                                  lamp_pool_endpoint_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        pool_id ? LAMP_QUERY(q,
                             "SELECT DISTINCT" LAMP_POOL_ENDPOINT_COLUMNS POOL_ENDPOINTS
                             " ORDER BY ep.addr, ep.port",
                             lamp_int(pool_id))
                : LAMP_QUERY(q,
                             "SELECT" LAMP_POOL_ENDPOINT_COLUMNS
                             " FROM pool_endpoint ep WHERE ep.addr = ?1 ORDER BY ep.port",
                             lamp_addr_blob(addr));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_pool_endpoint e;
        lamp_sqlite_pool_endpoint(st, 0, &e);
        if (!fn(&e, arg))
            break;
    }
    return done(st, got);
}

static int lend_changes(struct lamp_sqlite *q, int64_t endpoint, uint64_t from_us, uint32_t *left,
                        lamp_pool_change_fn *fn, void *arg)
{
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT at_us, state, reason, family FROM pool_change WHERE endpoint = ?1"
                   " AND at_us >= coalesce((SELECT max(at_us) FROM pool_change"
                   "  WHERE endpoint = ?1 AND at_us < ?2), 0) ORDER BY at_us",
                   lamp_int(endpoint), lamp_uint(from_us));
    int got = 0;
    while (*left > 0 && (got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_pool_change c = { endpoint, lamp_col_uint(st, 0),
                                            (enum lamp_pool_state)sqlite3_column_int(st, 1),
                                            lamp_col_str(st, 2), lamp_col_str(st, 3) };
        (*left)--;
        if (!fn(&c, arg))
            *left = 0;
    }
    return done(st, got);
}

int lamp_sqlite_op_pool_changes(lamp_store *s, int64_t pool_id, uint64_t from_us, uint32_t limit,
                                lamp_pool_change_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    uint32_t left = limit;
    sqlite3_stmt *st = LAMP_QUERY(
        q, "SELECT DISTINCT ep.id" POOL_ENDPOINTS " ORDER BY ep.addr, ep.port", lamp_int(pool_id));
    int got = 0, err = LAMP_OK;
    while (!err && left > 0 && (got = lamp_sqlite_step(q, st)) > 0)
        err = lend_changes(q, sqlite3_column_int64(st, 0), from_us, &left, fn, arg);
    return done(st, err ? err : got);
}

int lamp_sqlite_op_pool_versions(lamp_store *s, int64_t pool_id, uint32_t limit,
                                 lamp_pool_version_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT v.entry, v.no, v.at_us, v.actor, v.action, s.fqdn, v.port, v.coin,"
                   " v.algorithm, v.protocol, v.tls, v.active FROM pool_server s"
                   " JOIN pool_entry e ON e.server = s.id JOIN pool_version v ON v.entry = e.id"
                   " WHERE s.pool = ?1 ORDER BY v.at_us DESC, v.entry DESC, v.no DESC LIMIT ?2",
                   lamp_int(pool_id), lamp_int(limit));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_pool_version v = {
            .entry_id = sqlite3_column_int64(st, 0),
            .no = (uint32_t)sqlite3_column_int(st, 1),
            .at_us = lamp_col_uint(st, 2),
            .actor = lamp_col_str(st, 3),
            .action = lamp_col_str(st, 4),
            .fqdn = lamp_col_str(st, 5),
            .port = (uint16_t)sqlite3_column_int(st, 6),
            .coin = lamp_col_str(st, 7),
            .algorithm = lamp_col_str(st, 8),
            .protocol = lamp_col_str(st, 9),
            .tls = (enum lamp_pool_tls)sqlite3_column_int(st, 10),
            .active = sqlite3_column_int(st, 11) != 0,
        };
        if (!fn(&v, arg))
            break;
    }
    return done(st, got);
}

/* ---- look-up ---- */

/* Whether the entry was on the list at a time, and since when. */
static int listed_at(struct lamp_sqlite *q, const struct lamp_pool_entry *e, uint64_t at_us,
                     bool *out)
{
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT active FROM pool_version WHERE entry = ? AND at_us <= ?"
                                  " ORDER BY no DESC LIMIT 1",
                                  lamp_int(e->id), lamp_uint(at_us));
    const int got = lamp_sqlite_step(q, st);
    *out = got > 0 && sqlite3_column_int(st, 0) != 0;
    return done(st, got);
}

/* The state of an endpoint at a time; UNKNOWN: it was not probed before. */
static int state_at(struct lamp_sqlite *q, int64_t endpoint, uint64_t at_us,
                    struct lamp_pool_change *out, char reason[LAMP_POOL_REASON])
{
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT at_us, state, reason FROM pool_change WHERE endpoint = ?"
                                  " AND at_us <= ? ORDER BY at_us DESC LIMIT 1",
                                  lamp_int(endpoint), lamp_uint(at_us));
    const int got = lamp_sqlite_step(q, st);
    *out = (struct lamp_pool_change){ .endpoint_id = endpoint, .reason = reason, .family = "" };
    *reason = '\0';
    if (got > 0) {
        out->at_us = lamp_col_uint(st, 0);
        out->state = (enum lamp_pool_state)sqlite3_column_int(st, 1);
        lamp_col_copy(st, 2, reason, LAMP_POOL_REASON);
    }
    return done(st, got);
}

#define MATCH_COLUMNS                                                                              \
    "SELECT" LAMP_POOL_ENTRY_COLUMNS                                                               \
    ", a.addr, a.first_us, a.last_us, s.cname, (SELECT count(DISTINCT t.pool) FROM pool_address b" \
    " JOIN pool_server t ON t.id = b.server WHERE b.addr = a.addr)," LAMP_POOL_ENDPOINT_COLUMNS
#define MATCH_ENDPOINT " LEFT JOIN pool_endpoint ep ON ep.addr = a.addr AND ep.port = e.port"
#define MATCH_ORDER " ORDER BY e.active DESC, e.port, e.id LIMIT ?2"
#define BY_ADDRESS                                                                                 \
    " FROM pool_address a JOIN pool_server s ON s.id = a.server JOIN pool p ON p.id = s.pool"      \
    " JOIN pool_entry e ON e.server = s.id"
#define ADDRESS_IS " WHERE a.addr = ?1 AND (?3 = 0 OR e.port = ?3 OR e.port = 0)"
/* The address of a name that was seen last stands for all. */
#define BY_NAME                                                                                    \
    LAMP_POOL_ENTRY_FROM                                                                           \
    " LEFT JOIN pool_address a ON a.server = s.id AND a.addr = (SELECT b.addr FROM pool_address b" \
    " WHERE b.server = s.id ORDER BY b.last_us DESC LIMIT 1)"
#define NAME_IS " WHERE s.fqdn = ?1 AND (?3 = 0 OR e.port = ?3 OR e.port = 0)"
#define NAME_BELOW                                                                                 \
    " WHERE s.rname >= ?1 || '.' AND s.rname < ?1 || '/' AND (?3 = 0 OR e.port = ?3 OR e.port = "  \
    "0)"
#define PORT_IS " WHERE e.port = ?1"
/* Many entries have a common port or a common end of their names: which are lent is decided before what costs
 * most is looked up for each. */
#define FIRST_OF(from, is)                                                                         \
    " WHERE e.id IN (SELECT e.id" from is " ORDER BY e.active DESC, e.port, e.id LIMIT ?2)"

static sqlite3_stmt *match_query(struct lamp_sqlite *q, const struct lamp_pool_query *p,
                                 const char *name)
{
    switch (p->by) {
    case LAMP_POOL_BY_ADDRESS:
        return LAMP_QUERY(q, MATCH_COLUMNS BY_ADDRESS MATCH_ENDPOINT ADDRESS_IS MATCH_ORDER,
                          lamp_addr_blob(&p->addr), lamp_int(p->limit), lamp_int(p->port));
    case LAMP_POOL_BY_PORT:
        return LAMP_QUERY(q,
                          MATCH_COLUMNS BY_NAME MATCH_ENDPOINT FIRST_OF(" FROM pool_entry e",
                                                                        PORT_IS) MATCH_ORDER,
                          lamp_int(p->port), lamp_int(p->limit));
    case LAMP_POOL_BY_NAME:
        return LAMP_QUERY(q, MATCH_COLUMNS BY_NAME MATCH_ENDPOINT NAME_IS MATCH_ORDER,
                          lamp_str(name), lamp_int(p->limit), lamp_int(p->port));
    case LAMP_POOL_BELOW_NAME:
        return LAMP_QUERY(q,
                          MATCH_COLUMNS BY_NAME MATCH_ENDPOINT FIRST_OF(LAMP_POOL_ENTRY_FROM,
                                                                        NAME_BELOW) MATCH_ORDER,
                          lamp_str(name), lamp_int(p->limit), lamp_int(p->port));
    }
    return NULL;
}

static int count_matches(struct lamp_sqlite *q, const struct lamp_pool_query *p, const char *name,
                         uint64_t *out)
{
    sqlite3_stmt *st = NULL;
    switch (p->by) {
    case LAMP_POOL_BY_ADDRESS:
        st = LAMP_QUERY(q, "SELECT count(*)" BY_ADDRESS ADDRESS_IS, lamp_addr_blob(&p->addr),
                        lamp_int(0), lamp_int(p->port));
        break;
    case LAMP_POOL_BY_PORT:
        st = LAMP_QUERY(q, "SELECT count(*) FROM pool_entry e" PORT_IS, lamp_int(p->port));
        break;
    case LAMP_POOL_BY_NAME:
        st = LAMP_QUERY(q, "SELECT count(*)" LAMP_POOL_ENTRY_FROM NAME_IS, lamp_str(name),
                        lamp_int(0), lamp_int(p->port));
        break;
    case LAMP_POOL_BELOW_NAME:
        st = LAMP_QUERY(q, "SELECT count(*)" LAMP_POOL_ENTRY_FROM NAME_BELOW, lamp_str(name),
                        lamp_int(0), lamp_int(p->port));
        break;
    }
    const int got = lamp_sqlite_step(q, st);
    if (got > 0)
        *out = lamp_col_uint(st, 0);
    return done(st, got);
}

static int lend_match(struct lamp_sqlite *q, sqlite3_stmt *st, uint64_t at_us,
                      lamp_pool_match_fn *fn, void *arg, bool *more)
{
    enum { ADDRESS_AT = LAMP_POOL_ENTRY_N, ENDPOINT_AT = ADDRESS_AT + 5 };
    struct lamp_pool_entry e;
    char reason[LAMP_POOL_REASON] = "";
    lamp_sqlite_pool_entry(st, 0, &e);
    struct lamp_pool_match m = {
        .entry = &e,
        .listed_from_us = e.created_us,
        .has_address = sqlite3_column_type(st, ADDRESS_AT) != SQLITE_NULL,
        .addr = lamp_col_addr(st, ADDRESS_AT),
        .first_us = lamp_col_uint(st, ADDRESS_AT + 1),
        .last_us = lamp_col_uint(st, ADDRESS_AT + 2),
        .cname = lamp_col_str(st, ADDRESS_AT + 3),
        .pools = (uint32_t)sqlite3_column_int64(st, ADDRESS_AT + 4),
        .has_endpoint = sqlite3_column_type(st, ENDPOINT_AT) != SQLITE_NULL,
        .then = { .reason = reason, .family = "" },
    };
    int err = listed_at(q, &e, at_us, &m.listed);
    if (m.has_endpoint && !err) {
        lamp_sqlite_pool_endpoint(st, ENDPOINT_AT, &m.endpoint);
        err = state_at(q, m.endpoint.id, at_us, &m.then, reason);
    }
    if (!err)
        *more = fn(&m, arg);
    return err;
}

int lamp_sqlite_op_pool_lookup(lamp_store *s, const struct lamp_pool_query *p,
                               lamp_pool_match_fn *fn, void *arg, uint64_t *out_n)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    char name[LAMP_POOL_FQDN] = "";
    if (p->by == LAMP_POOL_BELOW_NAME)
        lamp_sqlite_pool_reverse(p->name, name);
    else if (p->by == LAMP_POOL_BY_NAME)
        snprintf(name, sizeof(name), "%s", p->name);
    int err = count_matches(q, p, name, out_n);
    if (err)
        return err;
    sqlite3_stmt *st = match_query(q, p, name);
    bool more = true;
    int got = 0;
    while (!err && more && (got = lamp_sqlite_step(q, st)) > 0)
        err = lend_match(q, st, p->at_us, fn, arg, &more);
    return done(st, err ? err : got);
}

int lamp_sqlite_op_pool_endpoint(lamp_store *s, const struct lamp_addr *addr, uint16_t port,
                                 uint64_t at_us, struct lamp_pool_endpoint *out,
                                 struct lamp_pool_change *then)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    char *reason = (char *)(uintptr_t)then->reason; /* the caller's buffer */
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT" LAMP_POOL_ENDPOINT_COLUMNS
                                  " FROM pool_endpoint ep WHERE ep.addr = ? AND ep.port = ?",
                                  lamp_addr_blob(addr), lamp_int(port));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    lamp_sqlite_pool_endpoint(st, 0, out);
    sqlite3_reset(st);
    return state_at(q, out->id, at_us, then, reason);
}

int lamp_sqlite_op_pool_port(lamp_store *s, uint16_t port, uint32_t limit, lamp_pool_port_fn *fn,
                             void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT p.name, e.coin, p.id, count(DISTINCT s.id)" LAMP_POOL_ENTRY_FROM
                   " WHERE e.port = ?1 AND e.active GROUP BY p.id, e.coin"
                   " ORDER BY 4 DESC, p.name, e.coin LIMIT ?2",
                   lamp_int(port), lamp_int(limit));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_pool_port v = { lamp_col_str(st, 0), lamp_col_str(st, 1),
                                          sqlite3_column_int64(st, 2),
                                          (uint32_t)sqlite3_column_int64(st, 3) };
        if (!fn(&v, arg))
            break;
    }
    return done(st, got);
}

/* ---- for the catalogue's thread ---- */

int lamp_sqlite_op_pool_targets(lamp_store *s, uint64_t from_us, lamp_pool_target_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT a.addr, e.port, s.fqdn, max(e.protocol), max(e.tls),"
        " coalesce(ep.probed_us, 0), coalesce(ep.up_us, 0), max(p.name),"
        " CASE WHEN min(e.coin) = max(e.coin) THEN max(e.coin) ELSE '' END,"
        " max(s.cname), min(e.legacy), (SELECT count(DISTINCT t.pool) FROM pool_address"
        " b JOIN pool_server t ON t.id = b.server WHERE b.addr = a.addr), max(p.id)" BY_ADDRESS
            MATCH_ENDPOINT " WHERE e.active AND e.port <> 0 AND a.last_us >= ?1"
        " GROUP BY a.addr, e.port ORDER BY coalesce(ep.probed_us, 0), a.addr, e.port",
        lamp_uint(from_us));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_pool_target t = { .addr = lamp_col_addr(st, 0),
                                            .port = (uint16_t)sqlite3_column_int(st, 1),
                                            .fqdn = lamp_col_str(st, 2),
                                            .protocol = lamp_col_str(st, 3),
                                            .tls = (enum lamp_pool_tls)sqlite3_column_int(st, 4),
                                            .probed_us = lamp_col_uint(st, 5),
                                            .up_us = lamp_col_uint(st, 6),
                                            .pool = lamp_col_str(st, 7),
                                            .coin = lamp_col_str(st, 8),
                                            .cname = lamp_col_str(st, 9),
                                            .legacy = sqlite3_column_int(st, 10) != 0,
                                            .pools = (uint32_t)sqlite3_column_int64(st, 11),
                                            .pool_id = sqlite3_column_int64(st, 12) };
        if (!fn(&t, arg))
            break;
    }
    return done(st, got);
}
