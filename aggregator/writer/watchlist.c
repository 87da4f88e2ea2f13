/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/watchlist.h"

#include <stdio.h>

#define DAY_US (UINT64_C(86400) * 1000000)

enum {
    TEXT = LAMP_WIRE_SET_TEXT_MAX + 1,
    WEIGHT_CONFIRMED = 90,
    WEIGHT_PROBABLE = 60,
    WEIGHT_POOL = 60,
    WEIGHT_STALE = 30, /* not seen since yesterday; a pool that is said to serve no longer */
};

/* A server that a connection proved. */
struct proved {
    struct lamp_addr addr;
    uint16_t port;
    bool confirmed;
    uint64_t day; /* of its newest such connection, since 1970 */
    char origin[LAMP_NAME_MAX], coin[24], pool[80];
};

struct lamp_watchlist {
    lamp_store *store;
    const lamp_cdn *cdn;
    struct proved v[LAMP_WATCH_PROVED]; /* by address and port */
    size_t n;
};

/* ---- what is noted ---- */

static int by_endpoint(const struct proved *p, const struct lamp_addr *addr, uint16_t port)
{
    const int c = memcmp(p->addr.b, addr->b, sizeof(addr->b));
    return c ? c : (p->port > port) - (p->port < port);
}

/* The place of an endpoint, or where it would go. */
static size_t place_of(const lamp_watchlist *w, const struct lamp_addr *addr, uint16_t port)
{
    size_t from = 0, to = w->n;
    while (from < to) {
        const size_t mid = from + (to - from) / 2;
        if (by_endpoint(&w->v[mid], addr, port) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static void drop_oldest(lamp_watchlist *w)
{
    size_t oldest = 0;
    for (size_t i = 1; i < w->n; i++)
        if (w->v[i].day < w->v[oldest].day)
            oldest = i;
    memmove(&w->v[oldest], &w->v[oldest + 1], (--w->n - oldest) * sizeof(w->v[0]));
}

/* A text that may stand in an entry: no tabs nor other control characters. */
static void put_text(char *out, size_t size, struct lamp_bytes b)
{
    size_t n = 0;
    for (size_t i = 0; i < b.len && n + 1 < size; i++)
        if (b.data[i] >= ' ' && b.data[i] != 0x7f)
            out[n++] = (char)b.data[i];
    out[n] = '\0';
}

/* Evidence that is only this list's own word must not keep an endpoint on it for ever. */
static bool is_proof(const struct lamp_conn_row *row)
{
    if (row->verdict < LAMP_VERDICT_PROBABLE || row->tunnel_kind.len > 0 || row->server_port == 0 ||
        lamp_addr_is_private(&row->server_addr) || lamp_addr_is_multicast(&row->server_addr))
        return false;
    for (size_t i = 0; i < row->n_evidence && row->verdict != LAMP_VERDICT_CONFIRMED; i++)
        if (lamp_bytes_eq(row->evidence[i].kind, "address"))
            return false;
    return true;
}

bool lamp_watchlist_note(lamp_watchlist *w, const char *site, const struct lamp_conn_row *row)
{
    if (!is_proof(row))
        return false;
    const uint64_t day = row->last_us / DAY_US;
    const bool confirmed = row->verdict == LAMP_VERDICT_CONFIRMED;
    size_t at = place_of(w, &row->server_addr, row->server_port);
    struct proved *p = &w->v[at];
    if (at < w->n && by_endpoint(p, &row->server_addr, row->server_port) == 0) {
        const bool news = day > p->day || (confirmed && !p->confirmed);
        p->day = day > p->day ? day : p->day;
        p->confirmed |= confirmed;
        return news;
    }
    if (w->n == LAMP_WATCH_PROVED) {
        drop_oldest(w);
        at = place_of(w, &row->server_addr, row->server_port);
        p = &w->v[at];
    }
    memmove(p + 1, p, (w->n++ - at) * sizeof(*p));
    *p = (struct proved){ row->server_addr, row->server_port, confirmed, day, "", "", "" };
    put_text(p->origin, sizeof(p->origin), lamp_bytes_of(site));
    put_text(p->coin, sizeof(p->coin), row->coin);
    put_text(p->pool, sizeof(p->pool), row->pool);
    return true;
}

/* ---- life ---- */

static bool load(const char *site, const struct lamp_conn_row *row, void *arg)
{
    (void)lamp_watchlist_note(arg, site, row);
    return true;
}

int lamp_watchlist_open(lamp_store *store, const lamp_cdn *cdn, uint64_t now_us,
                        lamp_watchlist **out)
{
    lamp_watchlist *w = calloc(1, sizeof(*w));
    if (!w)
        return LAMP_ENOMEM;
    w->store = store;
    w->cdn = cdn;
    const uint64_t span_us = LAMP_WATCH_DAYS * DAY_US;
    const int err = lamp_store_proofs(store, now_us > span_us ? now_us - span_us : 0, load, w);
    if (err) {
        lamp_watchlist_close(w);
        return err;
    }
    *out = w;
    return LAMP_OK;
}

lamp_watchlist *lamp_watchlist_close(lamp_watchlist *w)
{
    free(w);
    return NULL;
}

/* ---- the list ---- */

struct builder {
    struct lamp_set_entry *entries;
    char (*texts)[TEXT];
    size_t n, max;
    const lamp_cdn *cdn;
    struct name {
        struct name *next;
        char text[LAMP_POOL_FQDN];
    } * names; /* that entries point to: the store's are gone after its call */
};

static const struct name *keep_name(struct builder *b, const char *text)
{
    if (b->names && streq(b->names->text, text))
        return b->names;
    struct name *n = calloc(1, sizeof(*n));
    if (n) {
        snprintf(n->text, sizeof(n->text), "%s", text);
        n->next = b->names;
        b->names = n;
    }
    return n;
}

static void add(struct builder *b, const struct lamp_set_entry *key, unsigned weight,
                const char *origin, const char *coin, const char *pool)
{
    if (b->n == b->max)
        return;
    char *text = b->texts[b->n];
    const int len =
        snprintf(text, TEXT, "%u\t%s\t%s\t%s", weight, origin, coin ? coin : "", pool ? pool : "");
    struct lamp_set_entry *e = &b->entries[b->n++];
    *e = *key;
    e->action = LAMP_SET_ADD;
    e->text =
        (struct lamp_bytes){ (const uint8_t *)text, len < TEXT ? (size_t)len : (size_t)TEXT - 1 };
}

static void add_proved(struct builder *b, const struct proved *p, uint64_t today)
{
    const uint64_t end = p->day + LAMP_WATCH_DAYS;
    if (end < today)
        return;
    const bool fresh = p->day + 1 >= today;
    /* A clock that was wrong must not give an endpoint more than its days. */
    const uint64_t left = end - today <= LAMP_WATCH_DAYS ? end - today : LAMP_WATCH_DAYS;
    const struct lamp_set_entry key = { .prefix = { p->addr, 128 },
                                        .port = p->port,
                                        .ttl_s = (uint32_t)((left + 1) * 86400) };
    add(b, &key,
        !fresh         ? WEIGHT_STALE
        : p->confirmed ? WEIGHT_CONFIRMED
                       : WEIGHT_PROBABLE,
        p->origin, p->coin, p->pool);
}

static bool is_host_name(const char *name)
{
    if (strlen(name) > LAMP_WIRE_SET_NAME_MAX || !strchr(name, '.') || *name == '.')
        return false;
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr("-_.", *c)))
            return false;
    return name[strlen(name) - 1] != '.';
}

/* By name: the name is the pool's, whatever stands behind it. */
static bool add_entry(const struct lamp_pool_entry *e, void *arg)
{
    struct builder *b = arg;
    struct lamp_set_entry key = { .port = e->port };
    struct lamp_addr literal;
    if (lamp_addr_parse(e->fqdn, &literal) == LAMP_OK || !is_host_name(e->fqdn))
        return true; /* addresses come with the targets */
    const struct name *at = keep_name(b, e->fqdn);
    if (at) {
        key.name = lamp_bytes_of(at->text);
        add(b, &key, e->legacy ? WEIGHT_STALE : WEIGHT_POOL, "catalogue", e->coin, e->pool);
    }
    return true;
}

/* By address: only as strong as the pool is alone there, and of late. */
static bool add_target(const struct lamp_pool_target *t, void *arg)
{
    struct builder *b = arg;
    const struct lamp_set_entry key = { .prefix = { t->addr, 128 }, .port = t->port };
    if (lamp_addr_is_private(&t->addr) || lamp_addr_is_multicast(&t->addr))
        return true;
    const bool weak =
        t->legacy || t->pools > 1 || lamp_cdn_find(b->cdn, &t->addr, t->cname) != NULL;
    add(b, &key, weak ? WEIGHT_STALE : WEIGHT_POOL, "catalogue", t->coin, t->pool);
    return true;
}

int lamp_watchlist_build(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    const lamp_watchlist *w = arg;
    struct builder b = { .max = LAMP_WIRE_SET_ENTRIES_MAX, .cdn = w->cdn };
    const struct lamp_pool_entry_filter all = { .with_deleted = false };
    (void)site;
    b.entries = calloc(b.max + 1, sizeof(*b.entries));
    b.texts = calloc(b.max + 1, sizeof(*b.texts));
    int err = b.entries && b.texts ? LAMP_OK : LAMP_ENOMEM;
    for (size_t i = 0; i < w->n && !err; i++)
        add_proved(&b, &w->v[i], now_us / DAY_US);
    if (!err)
        err = lamp_store_pool_entries(w->store, &all, add_entry, &b);
    if (!err)
        err = lamp_store_pool_targets(w->store, now_us > DAY_US ? now_us - DAY_US : 0, add_target,
                                      &b);
    if (!err)
        err = lamp_set_copy(b.entries, lamp_set_canonical(b.entries, b.n), out);
    while (b.names) {
        struct name *next = b.names->next;
        free(b.names);
        b.names = next;
    }
    free(b.entries);
    free(b.texts);
    return err;
}
