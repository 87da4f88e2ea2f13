/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer puts into the catalogue. */
#include "aggregator/store/sqlite_pools.h"

#include <ctype.h>
#include <stdio.h>

/* ---- names ---- */

/* Lower case without a dot at the end; false where it is no name of two labels or more (RFC 1123
 * section 2.1, and the underscores that some use) and no address. */
static bool canonical_host(const char *text, char out[LAMP_POOL_FQDN])
{
    struct lamp_addr a;
    char addr[LAMP_ADDR_STRLEN];
    if (lamp_addr_parse(text, &a) == LAMP_OK) {
        snprintf(out, LAMP_POOL_FQDN, "%s", lamp_addr_str(&a, addr));
        return true;
    }
    size_t n = strlen(text), label = 0, dots = 0;
    if (n > 0 && text[n - 1] == '.')
        n--;
    if (n == 0 || n >= LAMP_POOL_FQDN)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char c = (char)tolower((unsigned char)text[i]);
        if (c == '.' ? label == 0 : !strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", c))
            return false;
        label = c == '.' ? 0 : label + 1;
        dots += c == '.';
        if (label > 63)
            return false;
        out[i] = c;
    }
    out[n] = '\0';
    return dots > 0 && label > 0;
}

void lamp_sqlite_pool_reverse(const char *fqdn, char out[LAMP_POOL_FQDN])
{
    size_t end = strnlen(fqdn, LAMP_POOL_FQDN - 1), n = 0;
    while (end > 0) {
        size_t at = end;
        while (at > 0 && fqdn[at - 1] != '.')
            at--;
        memcpy(out + n, fqdn + at, end - at);
        n += end - at;
        if (at > 0)
            out[n++] = '.';
        end = at > 0 ? at - 1 : 0;
    }
    out[n] = '\0';
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* ---- rows ---- */

void lamp_sqlite_pool_entry(sqlite3_stmt *st, int at, struct lamp_pool_entry *out)
{
    *out = (struct lamp_pool_entry){
        .id = sqlite3_column_int64(st, at),
        .pool_id = sqlite3_column_int64(st, at + 1),
        .server_id = sqlite3_column_int64(st, at + 2),
        .port = (uint16_t)sqlite3_column_int(st, at + 5),
        .tls = (enum lamp_pool_tls)sqlite3_column_int(st, at + 11),
        .legacy = sqlite3_column_int(st, at + 12) != 0,
        .installed = sqlite3_column_int(st, at + 13) != 0,
        .edited = sqlite3_column_int(st, at + 14) != 0,
        .active = sqlite3_column_int(st, at + 15) != 0,
        .created_us = lamp_col_uint(st, at + 16),
        .changed_us = lamp_col_uint(st, at + 17),
        .versions = (uint32_t)sqlite3_column_int(st, at + 19),
    };
    lamp_col_copy(st, at + 3, out->pool, sizeof(out->pool));
    lamp_col_copy(st, at + 4, out->fqdn, sizeof(out->fqdn));
    lamp_col_copy(st, at + 6, out->coin, sizeof(out->coin));
    lamp_col_copy(st, at + 7, out->algorithm, sizeof(out->algorithm));
    lamp_col_copy(st, at + 8, out->protocol, sizeof(out->protocol));
    lamp_col_copy(st, at + 9, out->kind, sizeof(out->kind));
    lamp_col_copy(st, at + 10, out->source, sizeof(out->source));
    lamp_col_copy(st, at + 18, out->changed_by, sizeof(out->changed_by));
}

int lamp_sqlite_pool_entry_find(struct lamp_sqlite *q, int64_t id, struct lamp_pool_entry *out)
{
    sqlite3_stmt *st = LAMP_QUERY(
        q, "SELECT" LAMP_POOL_ENTRY_COLUMNS LAMP_POOL_ENTRY_FROM " WHERE e.id = ?", lamp_int(id));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    lamp_sqlite_pool_entry(st, 0, out);
    sqlite3_reset(st);
    return LAMP_OK;
}

/* The one number that a query gives. LAMP_ENOENT: none. */
static int one_int(struct lamp_sqlite *q, sqlite3_stmt *st, int64_t *out)
{
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    *out = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return LAMP_OK;
}

static int meta_put(struct lamp_sqlite *q, const char *key, int64_t value)
{
    return LAMP_EXEC(q,
                     "INSERT INTO meta (key, value) VALUES (?1, ?2)"
                     " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                     lamp_str(key), lamp_int(value));
}

/* Counts what a limit keeps out. Returns LAMP_EFULL. */
static int refuse_row(struct lamp_sqlite *q)
{
    const int err = LAMP_EXEC(q,
                              "INSERT INTO meta (key, value) VALUES (?1, 1)"
                              " ON CONFLICT (key) DO UPDATE SET value = value + 1",
                              lamp_str("pools_refused"));
    return err ? err : LAMP_EFULL;
}

/* LAMP_EFULL (counted) where a query that counts rows says limit or more. */
static int check_room(struct lamp_sqlite *q, sqlite3_stmt *st, int64_t limit)
{
    int64_t n = 0;
    const int err = one_int(q, st, &n);
    return err ? err : n >= limit ? refuse_row(q) : LAMP_OK;
}

static int pool_of(struct lamp_sqlite *q, const char *name, int64_t *out)
{
    int err = one_int(q, LAMP_QUERY(q, "SELECT id FROM pool WHERE name = ?", lamp_str(name)), out);
    if (err != LAMP_ENOENT)
        return err;
    err = LAMP_EXEC(q, "INSERT INTO pool (name) VALUES (?)", lamp_str(name));
    *out = sqlite3_last_insert_rowid(q->db);
    return err;
}

static int server_of(struct lamp_sqlite *q, int64_t pool, const char *fqdn, uint64_t now_us,
                     int64_t *out)
{
    char rname[LAMP_POOL_FQDN];
    struct lamp_addr literal;
    int err = one_int(q,
                      LAMP_QUERY(q, "SELECT id FROM pool_server WHERE pool = ? AND fqdn = ?",
                                 lamp_int(pool), lamp_str(fqdn)),
                      out);
    if (err != LAMP_ENOENT)
        return err;
    err = check_room(q, lamp_sqlite_bind(q, "SELECT count(*) FROM pool_server", NULL, 0),
                     LAMP_POOL_SERVERS_MAX);
    lamp_sqlite_pool_reverse(fqdn, rname);
    if (!err)
        err = LAMP_EXEC(q, "INSERT INTO pool_server (pool, fqdn, rname) VALUES (?, ?, ?)",
                        lamp_int(pool), lamp_str(fqdn), lamp_str(rname));
    if (err)
        return err;
    *out = sqlite3_last_insert_rowid(q->db);
    if (lamp_addr_parse(fqdn, &literal) == LAMP_OK)
        err =
            LAMP_EXEC(q, "INSERT INTO pool_address VALUES (?, ?, ?, ?)", lamp_int(*out),
                      lamp_addr_blob(&literal), lamp_uint(now_us), lamp_uint(LAMP_POOL_LITERAL_US));
    return err;
}

/* Notes what the entry is from now on. */
static int add_version(struct lamp_sqlite *q, int64_t entry, const char *actor, const char *action,
                       uint64_t now_us)
{
    int err = LAMP_EXEC(q,
                        "INSERT INTO pool_version SELECT id, versions, ?2, ?3, ?4, port, coin,"
                        " algorithm, protocol, tls, active FROM pool_entry WHERE id = ?1",
                        lamp_int(entry), lamp_uint(now_us), lamp_str(actor), lamp_str(action));
    if (!err)
        err = LAMP_EXEC(q,
                        "DELETE FROM pool_version WHERE entry = ?1 AND no <="
                        " (SELECT versions FROM pool_entry WHERE id = ?1) - ?2",
                        lamp_int(entry), lamp_int(LAMP_POOL_VERSIONS_MAX));
    return err;
}

static int insert_entry(struct lamp_sqlite *q, const struct lamp_pool_entry *e, int64_t seed,
                        uint64_t now_us, int64_t *out_id)
{
    int err = check_room(q, lamp_sqlite_bind(q, "SELECT count(*) FROM pool_entry", NULL, 0),
                         LAMP_POOL_ENTRIES_MAX);
    if (!err)
        err = LAMP_EXEC(q,
                        "INSERT INTO pool_entry (server, port, coin, algorithm, protocol, tls,"
                        " kind, source, legacy, installed, edited, active, created_us, changed_us,"
                        " changed_by, versions, seed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
                        " ?10, ?11, 1, ?12, ?12, ?13, 1, ?14)",
                        lamp_int(e->server_id), lamp_int(e->port), lamp_str(e->coin),
                        lamp_str(e->algorithm), lamp_str(e->protocol), lamp_int(e->tls),
                        lamp_str(e->kind), lamp_str(e->source), lamp_int(e->legacy),
                        lamp_int(e->installed), lamp_int(e->edited), lamp_uint(now_us),
                        lamp_str(e->changed_by), lamp_int(seed));
    if (err)
        return err;
    *out_id = sqlite3_last_insert_rowid(q->db);
    return add_version(q, *out_id, e->changed_by, e->installed ? "install" : "add", now_us);
}

/* Saves an entry that is there already, as its next version. */
static int update_entry(struct lamp_sqlite *q, const struct lamp_pool_entry *e, const char *action,
                        uint64_t now_us)
{
    const int err =
        LAMP_EXEC(q,
                  "UPDATE pool_entry SET port = ?2, coin = ?3, algorithm = ?4,"
                  " protocol = ?5, tls = ?6, kind = ?7, source = ?8, legacy = ?9,"
                  " edited = ?10, active = ?11, changed_us = ?12, changed_by = ?13,"
                  " versions = versions + 1 WHERE id = ?1",
                  lamp_int(e->id), lamp_int(e->port), lamp_str(e->coin), lamp_str(e->algorithm),
                  lamp_str(e->protocol), lamp_int(e->tls), lamp_str(e->kind), lamp_str(e->source),
                  lamp_int(e->legacy), lamp_int(e->edited), lamp_int(e->active), lamp_uint(now_us),
                  lamp_str(e->changed_by));
    return err ? err : add_version(q, e->id, e->changed_by, action, now_us);
}

static int entry_at(struct lamp_sqlite *q, int64_t server, uint16_t port, const char *coin,
                    int64_t *out_id)
{
    return one_int(
        q,
        LAMP_QUERY(q, "SELECT id FROM pool_entry WHERE server = ? AND port = ? AND coin = ?",
                   lamp_int(server), lamp_int(port), lamp_str(coin)),
        out_id);
}

/* ---- the data that the program ships with ---- */

/* FNV-1a, of a text with its end. */
static uint64_t hash_text(uint64_t h, const char *s)
{
    for (s = s ? s : "";; s++) {
        h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
        if (!*s)
            return h;
    }
}

static int64_t hash_of(const struct lamp_pool *v, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) {
        const char *const texts[] = { v[i].pool,     v[i].fqdn, v[i].coin, v[i].algorithm,
                                      v[i].protocol, v[i].tls,  v[i].kind, v[i].source };
        for (size_t k = 0; k < ARRAY_LEN(texts); k++)
            h = hash_text(h, texts[k]);
        h = (h ^ v[i].port ^ (uint64_t)v[i].legacy << 16) * UINT64_C(0x100000001b3);
    }
    return (int64_t)(h >> 1);
}

static void put(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text && !streq(text, "unknown") ? text : "");
}

static bool same_facts(const struct lamp_pool_entry *a, const struct lamp_pool_entry *b)
{
    return streq(a->algorithm, b->algorithm) && streq(a->protocol, b->protocol) &&
           streq(a->kind, b->kind) && streq(a->source, b->source) && a->tls == b->tls &&
           a->legacy == b->legacy && a->active == b->active;
}

static int seed_one(struct lamp_sqlite *q, const struct lamp_pool *p, int64_t seed, uint64_t now_us)
{
    struct lamp_pool_entry e = {
        .port = p->port, .legacy = p->legacy, .installed = true, .active = true
    };
    struct lamp_pool_entry old;
    snprintf(e.changed_by, sizeof(e.changed_by), "installed");
    put(e.coin, sizeof(e.coin), p->coin);
    put(e.algorithm, sizeof(e.algorithm), p->algorithm);
    put(e.protocol, sizeof(e.protocol), p->protocol);
    put(e.kind, sizeof(e.kind), p->kind);
    put(e.source, sizeof(e.source), p->source);
    if (lamp_pool_tls_parse(p->tls, &e.tls))
        e.tls = LAMP_POOL_TLS_UNKNOWN;
    /* What is no name of a host cannot be looked up; such rows serve the sensors alone. */
    if (!canonical_host(p->fqdn, e.fqdn))
        return LAMP_OK;
    char name[LAMP_POOL_NAME];
    snprintf(name, sizeof(name), "%.64s", *p->pool ? p->pool : e.fqdn);
    int err = pool_of(q, name, &e.pool_id);
    if (!err)
        err = server_of(q, e.pool_id, e.fqdn, now_us, &e.server_id);
    if (!err)
        err = entry_at(q, e.server_id, e.port, e.coin, &e.id);
    if (err == LAMP_ENOENT)
        return insert_entry(q, &e, seed, now_us, &e.id);
    if (!err)
        err = LAMP_EXEC(q, "UPDATE pool_entry SET seed = ?2, installed = 1 WHERE id = ?1",
                        lamp_int(e.id), lamp_int(seed));
    if (!err)
        err = lamp_sqlite_pool_entry_find(q, e.id, &old);
    if (!err && !old.edited && !same_facts(&e, &old))
        err = update_entry(q, &e, "install", now_us);
    return err;
}

/* An installed entry that is in the data no more; LAMP_ENOENT: there is none. */
static int retire_one(struct lamp_sqlite *q, int64_t seed, uint64_t now_us)
{
    struct lamp_pool_entry e;
    int64_t id = 0;
    int err = one_int(q,
                      LAMP_QUERY(q,
                                 "SELECT id FROM pool_entry WHERE installed AND active AND NOT"
                                 " edited AND seed <> ? LIMIT 1",
                                 lamp_int(seed)),
                      &id);
    if (!err)
        err = lamp_sqlite_pool_entry_find(q, id, &e);
    if (err)
        return err;
    e.active = false;
    snprintf(e.changed_by, sizeof(e.changed_by), "installed");
    return update_entry(q, &e, "install", now_us);
}

int lamp_sqlite_op_pool_seed(lamp_store *s, const lamp_catalogue *c, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    size_t n = 0;
    const struct lamp_pool *v = lamp_catalogue_pools(c, &n);
    const int64_t seed = hash_of(v, n);
    int64_t before = 0;
    int err = one_int(
        q, LAMP_QUERY(q, "SELECT value FROM meta WHERE key = ?", lamp_str("pools_seed")), &before);
    if (err == LAMP_OK && before == seed)
        return LAMP_OK;
    if (err == LAMP_ENOENT)
        err = LAMP_OK;
    for (size_t i = 0; i < n && !err; i++) {
        err = seed_one(q, &v[i], seed, now_us);
        if (err == LAMP_EFULL)
            err = LAMP_OK; /* counted */
    }
    while (!err)
        err = retire_one(q, seed, now_us);
    return err == LAMP_ENOENT ? meta_put(q, "pools_seed", seed) : err;
}

/* ---- what operators change ---- */

static int check_texts(const struct lamp_pool_edit *e, char *why, size_t size)
{
    if (is_plain(e->pool) && is_plain(e->coin) && is_plain(e->algorithm) && is_plain(e->protocol))
        return LAMP_OK;
    snprintf(why, size, "a text has control characters");
    return LAMP_EFORMAT;
}

static void take_fields(const struct lamp_pool_edit *e, unsigned set, struct lamp_pool_entry *out)
{
    if (set & LAMP_POOL_SET_PORT)
        out->port = e->port;
    if (set & LAMP_POOL_SET_COIN)
        memcpy(out->coin, e->coin, sizeof(out->coin));
    if (set & LAMP_POOL_SET_ALGORITHM)
        memcpy(out->algorithm, e->algorithm, sizeof(out->algorithm));
    if (set & LAMP_POOL_SET_PROTOCOL)
        memcpy(out->protocol, e->protocol, sizeof(out->protocol));
    if (set & LAMP_POOL_SET_TLS)
        out->tls = e->tls;
}

static int do_add(struct lamp_sqlite *q, const struct lamp_pool_edit *e, const char *actor,
                  uint64_t now_us, char *why, size_t size, int64_t *out_id, bool *out_changed)
{
    struct lamp_pool_entry n = { .active = true, .edited = true }, old;
    int64_t id = 0;
    if (!*e->pool) {
        snprintf(why, size, "the pool needs a name");
        return LAMP_EFORMAT;
    }
    if (!canonical_host(e->fqdn, n.fqdn)) {
        snprintf(why, size, "that is no host name of two labels or more, and no address");
        return LAMP_EFORMAT;
    }
    take_fields(e, ~0u, &n);
    snprintf(n.kind, sizeof(n.kind), "%s", n.port ? "pool-endpoint" : "pool-host");
    snprintf(n.changed_by, sizeof(n.changed_by), "%s", actor);
    int err = pool_of(q, e->pool, &n.pool_id);
    if (!err)
        err = server_of(q, n.pool_id, n.fqdn, now_us, &n.server_id);
    if (!err)
        err = entry_at(q, n.server_id, n.port, n.coin, &id);
    *out_changed = true;
    if (err == LAMP_ENOENT)
        return insert_entry(q, &n, 0, now_us, out_id);
    if (!err)
        err = lamp_sqlite_pool_entry_find(q, id, &old);
    if (err)
        return err;
    *out_id = n.id = id;
    memcpy(n.kind, old.kind, sizeof(n.kind));
    memcpy(n.source, old.source, sizeof(n.source));
    n.legacy = old.legacy;
    *out_changed = !same_facts(&n, &old);
    return *out_changed ? update_entry(q, &n, old.active ? "edit" : "add", now_us) : LAMP_OK;
}

/* What the entry was before its last change. */
static int read_version(struct lamp_sqlite *q, struct lamp_pool_entry *e)
{
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT port, coin, algorithm, protocol, tls, active"
                                  " FROM pool_version WHERE entry = ? AND no = ?",
                                  lamp_int(e->id), lamp_int((int64_t)e->versions - 1));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    e->port = (uint16_t)sqlite3_column_int(st, 0);
    lamp_col_copy(st, 1, e->coin, sizeof(e->coin));
    lamp_col_copy(st, 2, e->algorithm, sizeof(e->algorithm));
    lamp_col_copy(st, 3, e->protocol, sizeof(e->protocol));
    e->tls = (enum lamp_pool_tls)sqlite3_column_int(st, 4);
    e->active = sqlite3_column_int(st, 5) != 0;
    sqlite3_reset(st);
    return LAMP_OK;
}

static int undo_into(struct lamp_sqlite *q, struct lamp_pool_entry *n, char *why, size_t size)
{
    int err = read_version(q, n);
    if (err == LAMP_ENOENT && n->versions == 1 && !n->installed) {
        n->active = false; /* adding is undone by taking away */
        return LAMP_OK;
    }
    if (err == LAMP_ENOENT)
        snprintf(why, size, "there is no change to undo");
    return err;
}

static int do_change(struct lamp_sqlite *q, const struct lamp_pool_edit *e, const char *actor,
                     uint64_t now_us, char *why, size_t size, bool *out_changed)
{
    static const char *const actions[] = { "add", "edit", "delete", "undo" };
    struct lamp_pool_entry old, n;
    int64_t other = 0;
    int err = lamp_sqlite_pool_entry_find(q, e->id, &old);
    if (err) {
        if (err == LAMP_ENOENT)
            snprintf(why, size, "there is no such entry");
        return err;
    }
    n = old;
    if (e->action == LAMP_POOL_EDIT)
        take_fields(e, e->set, &n);
    else if (e->action == LAMP_POOL_DELETE)
        n.active = false;
    else
        err = undo_into(q, &n, why, size);
    if (err)
        return err;
    *out_changed = !same_facts(&n, &old) || n.port != old.port || !streq(n.coin, old.coin);
    if (!*out_changed)
        return LAMP_OK;
    err = entry_at(q, n.server_id, n.port, n.coin, &other);
    if (err == LAMP_OK && other != n.id) {
        snprintf(why, size, "another entry of this server has that port and coin");
        return LAMP_EEXIST;
    }
    if (err && err != LAMP_ENOENT)
        return err;
    n.edited = true;
    snprintf(n.changed_by, sizeof(n.changed_by), "%s", actor);
    return update_entry(q, &n, actions[e->action], now_us);
}

int lamp_sqlite_op_pool_edit(lamp_store *s, const struct lamp_pool_edit *e, const char *actor,
                             uint64_t now_us, char *why, size_t why_size, int64_t *out_id,
                             bool *out_changed)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = check_texts(e, why, why_size);
    if (!err && e->action == LAMP_POOL_ADD)
        err = do_add(q, e, actor, now_us, why, why_size, out_id, out_changed);
    else if (!err) {
        *out_id = e->id;
        err = do_change(q, e, actor, now_us, why, why_size, out_changed);
    }
    if (err == LAMP_EFULL)
        snprintf(why, why_size, "the catalogue is full");
    return err;
}

int lamp_sqlite_op_pool_switch(lamp_store *s, enum lamp_pool_switch which, bool on)
{
    return meta_put((struct lamp_sqlite *)s,
                    which == LAMP_POOL_RESOLVE ? "pools_resolve" : "pools_probe", on);
}

/* ---- what the catalogue's thread found ---- */

static int note_address(struct lamp_sqlite *q, int64_t server, const struct lamp_addr *a,
                        uint64_t now_us, bool *changed)
{
    int64_t last_us = 0;
    int err =
        one_int(q,
                LAMP_QUERY(q, "SELECT last_us FROM pool_address WHERE server = ? AND addr = ?",
                           lamp_int(server), lamp_addr_blob(a)),
                &last_us);
    if (err && err != LAMP_ENOENT)
        return err;
    *changed |= err == LAMP_ENOENT || (uint64_t)last_us + LAMP_POOL_ADDRESS_US < now_us;
    return LAMP_EXEC(q,
                     "INSERT INTO pool_address VALUES (?1, ?2, ?3, ?3) ON CONFLICT (server, addr)"
                     " DO UPDATE SET last_us = max(last_us, excluded.last_us)",
                     lamp_int(server), lamp_addr_blob(a), lamp_uint(now_us));
}

int lamp_sqlite_op_pool_resolved(lamp_store *s, const struct lamp_pool_resolution *r,
                                 uint64_t now_us, bool *out_changed)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    bool changed = false;
    int err = LAMP_EXEC(q,
                        "UPDATE pool_server SET resolved_us = ?2, cname = ?3, error = ?4"
                        " WHERE id = ?1",
                        lamp_int(r->server_id), lamp_uint(now_us), lamp_str(r->cname),
                        lamp_str(r->error));
    if (!err && sqlite3_changes(q->db) == 0)
        return LAMP_ENOENT;
    for (size_t i = 0; i < r->n && !err; i++)
        err = note_address(q, r->server_id, &r->addrs[i], now_us, &changed);
    if (!err && changed)
        err = LAMP_EXEC(q,
                        "DELETE FROM pool_address WHERE server = ?1 AND addr IN (SELECT addr FROM"
                        " pool_address WHERE server = ?1 ORDER BY last_us DESC LIMIT -1 OFFSET ?2)",
                        lamp_int(r->server_id), lamp_int(LAMP_POOL_ADDRESSES_MAX));
    if (!err)
        *out_changed = changed;
    return err;
}

void lamp_sqlite_pool_endpoint(sqlite3_stmt *st, int at, struct lamp_pool_endpoint *out)
{
    *out = (struct lamp_pool_endpoint){
        .id = sqlite3_column_int64(st, at),
        .addr = lamp_col_addr(st, at + 1),
        .port = (uint16_t)sqlite3_column_int(st, at + 2),
        .state = (enum lamp_pool_state)sqlite3_column_int(st, at + 3),
        .since_us = lamp_col_uint(st, at + 4),
        .probed_us = lamp_col_uint(st, at + 5),
        .up_us = lamp_col_uint(st, at + 6),
        .tls = sqlite3_column_int(st, at + 9) != 0,
        .difficulty = sqlite3_column_double(st, at + 12),
        .latency_us = (uint32_t)sqlite3_column_int64(st, at + 13),
    };
    lamp_col_copy(st, at + 7, out->reason, sizeof(out->reason));
    lamp_col_copy(st, at + 8, out->family, sizeof(out->family));
    lamp_col_copy(st, at + 10, out->banner, sizeof(out->banner));
    lamp_col_copy(st, at + 11, out->certificate, sizeof(out->certificate));
}

static int add_change(struct lamp_sqlite *q, const struct lamp_pool_endpoint *e)
{
    int err = LAMP_EXEC(q, "INSERT OR REPLACE INTO pool_change VALUES (?, ?, ?, ?, ?)",
                        lamp_int(e->id), lamp_uint(e->probed_us), lamp_int(e->state),
                        lamp_str(e->reason), lamp_str(e->family));
    if (!err)
        err = LAMP_EXEC(q,
                        "DELETE FROM pool_change WHERE endpoint = ?1 AND at_us <= (SELECT at_us"
                        " FROM pool_change WHERE endpoint = ?1 ORDER BY at_us DESC LIMIT 1 OFFSET"
                        " ?2)",
                        lamp_int(e->id), lamp_int(LAMP_POOL_CHANGES_MAX));
    return err;
}

int lamp_sqlite_op_pool_probed(lamp_store *s, const struct lamp_pool_endpoint *e, bool *out_changed)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    struct lamp_pool_endpoint old = { .state = LAMP_POOL_UNKNOWN }, n = *e;
    struct lamp_pool_change then;
    char reason[LAMP_POOL_REASON];
    then.reason = reason;
    int err = lamp_sqlite_op_pool_endpoint(s, &e->addr, e->port, 0, &old, &then);
    const bool fresh = err == LAMP_ENOENT;
    if (fresh)
        err = check_room(q, lamp_sqlite_bind(q, "SELECT count(*) FROM pool_endpoint", NULL, 0),
                         LAMP_POOL_ENDPOINTS_MAX);
    if (err)
        return err;
    const bool changed = fresh || old.state != n.state || !streq(old.family, n.family) ||
                         !streq(old.reason, n.reason);
    n.id = old.id;
    n.since_us = fresh || old.state != n.state ? n.probed_us : old.since_us;
    n.up_us = n.state == LAMP_POOL_UP ? n.probed_us : old.up_us;
    err = LAMP_EXEC(
        q,
        "INSERT INTO pool_endpoint (addr, port, state, since_us, probed_us, up_us, reason, family,"
        " tls, banner, certificate, difficulty, latency_us)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
        " ON CONFLICT (addr, port) DO UPDATE SET state = excluded.state,"
        " since_us = excluded.since_us, probed_us = excluded.probed_us, up_us = excluded.up_us,"
        " reason = excluded.reason, family = excluded.family, tls = excluded.tls,"
        " banner = excluded.banner, certificate = excluded.certificate,"
        " difficulty = excluded.difficulty, latency_us = excluded.latency_us",
        lamp_addr_blob(&n.addr), lamp_int(n.port), lamp_int(n.state), lamp_uint(n.since_us),
        lamp_uint(n.probed_us), lamp_uint(n.up_us), lamp_str(n.reason), lamp_str(n.family),
        lamp_int(n.tls), lamp_str(n.banner), lamp_str(n.certificate), lamp_real(n.difficulty),
        lamp_int(n.latency_us));
    if (!err && fresh)
        n.id = sqlite3_last_insert_rowid(q->db);
    if (!err && changed)
        err = add_change(q, &n);
    if (!err)
        *out_changed = changed;
    return err;
}
