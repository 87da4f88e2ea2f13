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
    const lamp_catalogue *catalogue;
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

int lamp_watchlist_open(lamp_store *store, const lamp_catalogue *catalogue, uint64_t now_us,
                        lamp_watchlist **out)
{
    lamp_watchlist *w = calloc(1, sizeof(*w));
    if (!w)
        return LAMP_ENOMEM;
    w->catalogue = catalogue;
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
};

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

static void add_pool(struct builder *b, const struct lamp_pool *p)
{
    struct lamp_set_entry key = { .port = p->port };
    if (lamp_addr_parse(p->fqdn, &key.prefix.addr) == LAMP_OK)
        key.prefix.len = 128;
    else if (is_host_name(p->fqdn))
        key.name = lamp_bytes_of(p->fqdn);
    else
        return;
    add(b, &key, p->legacy ? WEIGHT_STALE : WEIGHT_POOL, "catalogue", p->coin, p->pool);
}

int lamp_watchlist_build(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    const lamp_watchlist *w = arg;
    size_t n_pools = 0;
    const struct lamp_pool *pools =
        w->catalogue ? lamp_catalogue_pools(w->catalogue, &n_pools) : NULL;
    struct builder b = { .max = lamp_min(w->n + n_pools, LAMP_WIRE_SET_ENTRIES_MAX) };
    (void)site;
    b.entries = calloc(b.max + 1, sizeof(*b.entries));
    b.texts = calloc(b.max + 1, sizeof(*b.texts));
    int err = b.entries && b.texts ? LAMP_OK : LAMP_ENOMEM;
    for (size_t i = 0; i < w->n && !err; i++)
        add_proved(&b, &w->v[i], now_us / DAY_US);
    for (size_t i = 0; i < n_pools && !err; i++)
        add_pool(&b, &pools[i]);
    if (!err)
        err = lamp_set_copy(b.entries, lamp_set_canonical(b.entries, b.n), out);
    free(b.entries);
    free(b.texts);
    return err;
}
