/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/watchlist.h"

#include "common/address.h"
#include "common/text.h"
#include "common/walletname.h"

#include <stdio.h>

#define DAY_US (UINT64_C(86400) * 1000000)

enum {
    TEXT = LAMP_WIRE_SET_TEXT_MAX + 1,
    WEIGHT_CONFIRMED = 90,
    WEIGHT_PROBABLE = 60,
    WEIGHT_POOL = 60,
    WEIGHT_STALE = 30, /* not seen since yesterday; a pool that is said to serve no longer */
};

struct lamp_watchlist {
    lamp_store *store;
    const lamp_cdn *cdn;
    struct kept {
        struct lamp_proved v[LAMP_PROVED_MAX]; /* by address and port, or by wallet */
        size_t n;
    } kinds[LAMP_PROVED_KINDS];
};

/* ---- what is noted ---- */

static int compare(const struct lamp_proved *a, const struct lamp_proved *b)
{
    const int c = memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));
    if (c)
        return c;
    return a->port != b->port ? (a->port > b->port) - (a->port < b->port)
                              : strcmp(a->wallet, b->wallet);
}

/* The place of one, or where it would go. */
static size_t place_of(const struct kept *k, const struct lamp_proved *p)
{
    size_t from = 0, to = k->n;
    while (from < to) {
        const size_t mid = from + (to - from) / 2;
        if (compare(&k->v[mid], p) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

/* Whether it is on the list: a wallet only if it is one person's for sure, or somebody said so. */
static bool is_listed(const struct lamp_proved *p, uint64_t now_us)
{
    const enum lamp_proved_state state = lamp_proved_state_of(p, now_us);
    if (state == LAMP_PROVED_OVER || state == LAMP_PROVED_SILENCED)
        return false;
    return p->kind == LAMP_PROVED_SERVER || state == LAMP_PROVED_KEPT || p->until_us > now_us ||
           lamp_address_check(lamp_bytes_of(p->wallet)).check == LAMP_ADDRESS_RIGHT;
}

/* Makes room: what somebody said a word to stays. */
static int drop_oldest(lamp_watchlist *w, struct kept *k)
{
    size_t oldest = k->n;
    for (size_t i = 0; i < k->n; i++)
        if (k->v[i].said_us == 0 && (oldest == k->n || k->v[i].last_us < k->v[oldest].last_us))
            oldest = i;
    const int err = lamp_store_proved_remove(w->store, k->v[oldest].id);
    if (!err)
        memmove(&k->v[oldest], &k->v[oldest + 1], (--k->n - oldest) * sizeof(k->v[0]));
    return err;
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

/* Evidence that is only this list's own word must neither keep an endpoint on it for ever nor bring
 * another there. */
static bool is_proof(const struct lamp_conn_row *row)
{
    if (row->verdict < LAMP_VERDICT_PROBABLE || row->tunnel_kind.len > 0 || row->server_port == 0 ||
        lamp_addr_is_private(&row->server_addr) || lamp_addr_is_multicast(&row->server_addr))
        return false;
    for (size_t i = 0; i < row->n_evidence && row->verdict != LAMP_VERDICT_CONFIRMED; i++)
        if (lamp_bytes_eq(row->evidence[i].kind, "address") ||
            lamp_bytes_eq(row->evidence[i].kind, "known-wallet"))
            return false;
    return true;
}

/* One that is known already is written again each day, and when it is confirmed. The list is another one if what
 * is kept is on it. */
static int note(lamp_watchlist *w, struct lamp_proved *p, bool *io_changed)
{
    struct kept *k = &w->kinds[p->kind];
    size_t at = place_of(k, p);
    struct lamp_proved *known = &k->v[at];
    if (at < k->n && compare(known, p) == 0) {
        if (p->last_us / DAY_US <= known->last_us / DAY_US && known->confirmed >= p->confirmed)
            return LAMP_OK;
        known->last_us = p->last_us > known->last_us ? p->last_us : known->last_us;
        known->confirmed |= p->confirmed;
        *io_changed |= is_listed(known, p->last_us);
        return lamp_store_proved_put(w->store, known);
    }
    int err = k->n == LAMP_PROVED_MAX ? drop_oldest(w, k) : LAMP_OK;
    if (!err)
        err = lamp_store_proved_put(w->store, p);
    if (err)
        return err;
    at = place_of(k, p);
    memmove(&k->v[at + 1], &k->v[at], (k->n++ - at) * sizeof(k->v[0]));
    k->v[at] = *p;
    *io_changed |= is_listed(p, p->last_us);
    return LAMP_OK;
}

/* A wallet longer than any that is known is none. */
static bool is_wallet(const struct lamp_conn_row *row)
{
    return row->verdict == LAMP_VERDICT_CONFIRMED && row->wallet.len > 0 &&
           row->wallet.len < sizeof(((struct lamp_proved *)NULL)->wallet);
}

int lamp_watchlist_note(lamp_watchlist *w, const char *site, const struct lamp_conn_row *row,
                        bool *io_changed)
{
    struct lamp_proved p = { .kind = LAMP_PROVED_WALLET,
                             .confirmed = row->verdict == LAMP_VERDICT_CONFIRMED,
                             .first_us = row->last_us,
                             .last_us = row->last_us };
    put_text(p.site, sizeof(p.site), lamp_bytes_of(site));
    put_text(p.coin, sizeof(p.coin), row->coin);
    put_text(p.pool, sizeof(p.pool), row->pool);
    int err = LAMP_OK;
    if (is_wallet(row)) {
        lamp_text_utf8(row->wallet.data, row->wallet.len, p.wallet, sizeof(p.wallet));
        err = note(w, &p, io_changed);
    }
    if (err || !is_proof(row))
        return err;
    p.id = 0;
    p.kind = LAMP_PROVED_SERVER;
    p.wallet[0] = '\0';
    p.addr = row->server_addr;
    p.port = row->server_port;
    return note(w, &p, io_changed);
}

/* ---- what operators say ---- */

static struct lamp_proved *find(lamp_watchlist *w, int64_t id, struct kept **out_kind)
{
    for (size_t i = 0; i < LAMP_PROVED_KINDS; i++) {
        *out_kind = &w->kinds[i];
        for (size_t k = 0; k < w->kinds[i].n; k++)
            if (w->kinds[i].v[k].id == id)
                return &w->kinds[i].v[k];
    }
    return NULL;
}

static size_t spoken(const struct kept *k)
{
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        n += k->v[i].said_us > 0;
    return n;
}

/* A word that has run out is none any more: takes back the one that did first, if any did. */
static int take_back_old(lamp_watchlist *w, struct kept *k, uint64_t now_us)
{
    struct lamp_proved *old = NULL;
    for (size_t i = 0; i < k->n; i++) {
        struct lamp_proved *p = &k->v[i];
        if (p->said_us > 0 && p->word == LAMP_PROVED_NOTHING && p->until_us <= now_us &&
            (!old || p->until_us < old->until_us))
            old = p;
    }
    if (!old)
        return LAMP_OK;
    old->said_us = old->until_us = 0;
    *old->said_by = *old->note = '\0';
    return lamp_store_proved_put(w->store, old);
}

static int audit(lamp_watchlist *w, const struct lamp_command *c, const struct lamp_proved *p,
                 uint64_t now_us)
{
    static const char *const actions[] = {
        [LAMP_SAY_ACCEPT] = "accept",
        [LAMP_SAY_MUTE] = "mute",
        [LAMP_SAY_EXTEND] = "extend",
        [LAMP_SAY_NOTHING] = "take back the word on",
    };
    char addr[LAMP_ADDR_STRLEN], detail[300], object[40], days[32] = "";
    if (c->proved.say == LAMP_SAY_EXTEND)
        snprintf(days, sizeof(days), " for %u days", c->proved.days);
    if (p->kind == LAMP_PROVED_SERVER)
        snprintf(detail, sizeof(detail), "server %s port %u%s", lamp_addr_str(&p->addr, addr),
                 p->port, days);
    else
        snprintf(detail, sizeof(detail), "wallet %s%s", p->wallet, days);
    snprintf(object, sizeof(object), "knowledge %lld", (long long)p->id);
    return lamp_store_audit(w->store, c->actor, actions[c->proved.say], object, detail, now_us);
}

int lamp_watchlist_say(lamp_watchlist *w, const struct lamp_command *c, uint64_t now_us,
                       struct lamp_command_result *r)
{
    struct kept *k;
    struct lamp_proved *p = find(w, c->proved.id, &k);
    if (!p) {
        snprintf(r->why, sizeof(r->why), "nothing that was learned has number %lld",
                 (long long)c->proved.id);
        return LAMP_ENOENT;
    }
    const bool nothing = c->proved.say == LAMP_SAY_NOTHING;
    const bool one_more = p->said_us == 0 && !nothing;
    int err = LAMP_OK;
    if (one_more && spoken(k) >= LAMP_PROVED_SPOKEN)
        err = take_back_old(w, k, now_us);
    if (err)
        return err;
    if (one_more && spoken(k) >= LAMP_PROVED_SPOKEN) {
        snprintf(r->why, sizeof(r->why), "%d of a kind with a word are the most there can be",
                 LAMP_PROVED_SPOKEN);
        return LAMP_EFULL;
    }
    p->word = c->proved.say == LAMP_SAY_ACCEPT ? LAMP_PROVED_ACCEPTED
              : c->proved.say == LAMP_SAY_MUTE ? LAMP_PROVED_MUTED
                                               : LAMP_PROVED_NOTHING;
    p->until_us = c->proved.say == LAMP_SAY_EXTEND ? now_us + c->proved.days * DAY_US : 0;
    p->said_us = nothing ? 0 : now_us;
    snprintf(p->said_by, sizeof(p->said_by), "%s", nothing ? "" : c->actor);
    snprintf(p->note, sizeof(p->note), "%s", nothing ? "" : c->proved.note);
    r->key_id = p->id;
    err = lamp_store_proved_put(w->store, p);
    return err ? err : audit(w, c, p, now_us);
}

/* ---- life ---- */

/* What older versions took for a proof and is_proof() does not is left out. */
static bool load(const struct lamp_proved *p, void *arg)
{
    lamp_watchlist *w = arg;
    if (p->kind >= LAMP_PROVED_KINDS || w->kinds[p->kind].n == LAMP_PROVED_MAX ||
        (p->kind == LAMP_PROVED_SERVER &&
         (lamp_addr_is_private(&p->addr) || lamp_addr_is_multicast(&p->addr))))
        return true;
    struct kept *k = &w->kinds[p->kind];
    k->v[k->n++] = *p;
    return true;
}

static int compare_any(const void *a, const void *b)
{
    return compare(a, b);
}

int lamp_watchlist_open(lamp_store *store, const lamp_cdn *cdn, lamp_watchlist **out)
{
    lamp_watchlist *w = calloc(1, sizeof(*w));
    if (!w)
        return LAMP_ENOMEM;
    w->store = store;
    w->cdn = cdn;
    const int err = lamp_store_proved(store, 0, load, w);
    if (err) {
        lamp_watchlist_close(w);
        return err;
    }
    for (size_t i = 0; i < LAMP_PROVED_KINDS; i++)
        qsort(w->kinds[i].v, w->kinds[i].n, sizeof(w->kinds[i].v[0]), compare_any);
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

static void add_proved(struct builder *b, const struct lamp_proved *p, uint64_t now_us)
{
    const enum lamp_proved_state state = lamp_proved_state_of(p, now_us);
    const bool server = p->kind == LAMP_PROVED_SERVER;
    char name[LAMP_WALLET_NAME];
    /* In whole days; a clock that was wrong must not give an endpoint more than its days. */
    const uint64_t most = (server ? LAMP_PROVED_SERVER_DAYS : LAMP_PROVED_WALLET_DAYS) + 1;
    const uint64_t end_us = lamp_proved_end_us(p);
    const uint64_t left = end_us == UINT64_MAX ? most : end_us / DAY_US - now_us / DAY_US;
    const uint64_t days = left < most || p->until_us > now_us ? left : most;
    struct lamp_set_entry key = { .prefix = { p->addr, server ? 128 : 0 },
                                  .port = p->port,
                                  .ttl_s = (uint32_t)(days * 86400) };
    const struct name *at = server ? NULL : keep_name(b, lamp_wallet_name(p->wallet, name));
    if (at)
        key.name = lamp_bytes_of(at->text);
    if (server || at)
        add(b, &key,
            state == LAMP_PROVED_OLD                    ? WEIGHT_STALE
            : state == LAMP_PROVED_KEPT || p->confirmed ? WEIGHT_CONFIRMED
                                                        : WEIGHT_PROBABLE,
            p->site, p->coin, p->pool);
}

/* What somebody spoke about goes before the others, and of these what was seen last. */
static int by_worth(const void *a, const void *b)
{
    const struct lamp_proved *const *x = a, *const *y = b;
    if (((*x)->said_us > 0) != ((*y)->said_us > 0))
        return (*x)->said_us > 0 ? -1 : 1;
    return ((*x)->last_us < (*y)->last_us) - ((*x)->last_us > (*y)->last_us);
}

static int add_wallets(struct builder *b, const struct kept *k, uint64_t now_us)
{
    const struct lamp_proved **v = calloc(k->n + 1, sizeof(struct lamp_proved *));
    size_t n = 0;
    if (!v)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < k->n; i++)
        if (is_listed(&k->v[i], now_us))
            v[n++] = &k->v[i];
    qsort(v, n, sizeof(struct lamp_proved *), by_worth);
    for (size_t i = 0; i < n && i < LAMP_PROVED_LISTED; i++)
        add_proved(b, v[i], now_us);
    free(v);
    return LAMP_OK;
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
    const struct kept *servers = &w->kinds[LAMP_PROVED_SERVER];
    for (size_t i = 0; i < servers->n && !err; i++)
        if (is_listed(&servers->v[i], now_us))
            add_proved(&b, &servers->v[i], now_us);
    if (!err)
        err = add_wallets(&b, &w->kinds[LAMP_PROVED_WALLET], now_us);
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
