/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/blocklist.h"

#include <sodium.h>
#include <stdio.h>

enum {
    BLOCKS_MAX = LAMP_WIRE_SET_ENTRIES_MAX, /* in force, over all sites */
    SHORTEST_V4 = 96 + 24,                  /* prefix lengths of the 16-byte form */
    SHORTEST_V6 = 48,
    CHUNK = LAMP_WIRE_SET_CHUNK_ENTRIES_MAX,
};

/* A site's list as its sensors get it. */
struct site {
    char name[LAMP_NAME_MAX];
    struct lamp_store_list head; /* serial 0: none published */
    uint64_t renew_us;
    bool dirty;                     /* a block of the site was added or ended */
    struct lamp_set_entry *entries; /* canonical */
    size_t n;
};

struct lamp_blocklist {
    lamp_store *store;
    const struct lamp_keys *keys;
    struct lamp_prefix *never;
    size_t n_never;
    uint32_t ttl_s;
    uint64_t epoch;
    struct lamp_block *blocks; /* in force, BLOCKS_MAX places */
    size_t n_blocks;
    struct site *sites;
    size_t n_sites;
};

static bool at_site(const struct lamp_block *b, const char *site)
{
    return b->site[0] == '\0' || streq(b->site, site);
}

/* ---- loading ---- */

static bool load_block(const struct lamp_block_view *v, void *arg)
{
    lamp_blocklist *l = arg;
    if (l->n_blocks == BLOCKS_MAX)
        return false;
    struct lamp_block *b = &l->blocks[l->n_blocks++];
    *b = (struct lamp_block){
        .id = v->id,
        .kind = v->kind,
        .prefix = v->prefix,
        .port = v->port,
        .ip_proto = v->ip_proto,
        .created_us = v->created_us,
        .expires_us = v->expires_us,
    };
    snprintf(b->site, sizeof(b->site), "%s", v->site);
    return true;
}

int lamp_blocklist_open(const struct lamp_blocklist_cfg *cfg, lamp_blocklist **out)
{
    lamp_blocklist *l = calloc(1, sizeof(*l));
    if (!l)
        return LAMP_ENOMEM;
    int err = LAMP_ENOMEM;
    l->store = cfg->store;
    l->keys = cfg->keys;
    l->ttl_s = cfg->ttl_s;
    l->n_never = cfg->n_never;
    l->never = calloc(cfg->n_never + 1, sizeof(*l->never));
    l->blocks = calloc(BLOCKS_MAX, sizeof(*l->blocks));
    if (!l->never || !l->blocks)
        goto fail;
    if (cfg->n_never)
        memcpy(l->never, cfg->never, cfg->n_never * sizeof(*l->never));
    err = lamp_store_epoch(l->store, &l->epoch);
    if (err == LAMP_OK)
        err = lamp_store_blocks(l->store, &(struct lamp_block_filter){ 0 }, load_block, l);
    if (err != LAMP_OK)
        goto fail;
    *out = l;
    return LAMP_OK;
fail:
    lamp_blocklist_close(l);
    return err;
}

lamp_blocklist *lamp_blocklist_close(lamp_blocklist *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < l->n_sites; i++)
        free(l->sites[i].entries);
    free(l->sites);
    free(l->blocks);
    free(l->never);
    free(l);
    return NULL;
}

/* ---- what may be blocked ---- */

static bool is_loopback(const struct lamp_addr *a)
{
    static const uint8_t zero[16];
    if (lamp_addr_is_v4(a))
        return a->b[12] == 127 || a->b[12] == 0;
    return memcmp(a->b, zero, 15) == 0 && a->b[15] <= 1;
}

static int check_remote(const struct lamp_block *b, char *why, size_t size)
{
    const struct lamp_prefix *p = &b->prefix;
    if (lamp_addr_is_private(&p->addr)) {
        snprintf(why, size,
                 "private and local addresses are never blocked as remote; block an "
                 "inside host of a site instead");
        return LAMP_EPROTECTED;
    }
    if (lamp_addr_is_multicast(&p->addr)) {
        snprintf(why, size, "multicast and broadcast addresses are never blocked");
        return LAMP_EPROTECTED;
    }
    if (p->len < (lamp_addr_is_v4(&p->addr) ? SHORTEST_V4 : SHORTEST_V6)) {
        snprintf(why, size, "the prefix is too wide: at most /24 (IPv4) or /48 (IPv6)");
        return LAMP_EPOLICY;
    }
    return LAMP_OK;
}

static int check_host(const struct lamp_block *b, char *why, size_t size)
{
    const struct lamp_prefix *p = &b->prefix;
    if (b->site[0] == '\0') {
        snprintf(why, size, "an inside host needs its site, since sites share private addresses");
        return LAMP_EINVAL;
    }
    if (p->len != 128) {
        snprintf(why, size, "an inside host is one address, not a network");
        return LAMP_EPOLICY;
    }
    if (is_loopback(&p->addr) || lamp_addr_is_multicast(&p->addr)) {
        snprintf(why, size, "loopback, multicast and broadcast addresses are never blocked");
        return LAMP_EPROTECTED;
    }
    return LAMP_OK;
}

static const struct site *find_site(const lamp_blocklist *l, const char *name)
{
    for (size_t i = 0; i < l->n_sites; i++)
        if (streq(l->sites[i].name, name))
            return &l->sites[i];
    return NULL;
}

static bool same_target(const struct lamp_block *a, const struct lamp_block *b)
{
    return a->kind == b->kind && a->prefix.len == b->prefix.len &&
           lamp_addr_eq(&a->prefix.addr, &b->prefix.addr) && a->port == b->port &&
           a->ip_proto == b->ip_proto && streq(a->site, b->site);
}

static int check(const lamp_blocklist *l, const struct lamp_block *b, char *why, size_t size)
{
    if (b->prefix.len > 128 || !lamp_prefix_is_canonical(&b->prefix)) {
        snprintf(why, size, "the prefix has bits set past its length");
        return LAMP_ECANON;
    }
    if (b->ip_proto != 0 && b->ip_proto != 6 && b->ip_proto != 17) {
        snprintf(why, size, "the transport must be tcp, udp or any");
        return LAMP_EINVAL;
    }
    if (b->site[0] && !find_site(l, b->site)) {
        snprintf(why, size, "no sensor is enrolled at site %s", b->site);
        return LAMP_ENOENT;
    }
    const int err =
        b->kind == LAMP_BLOCK_HOST ? check_host(b, why, size) : check_remote(b, why, size);
    if (err != LAMP_OK)
        return err;
    for (size_t i = 0; i < l->n_never; i++) {
        if (lamp_prefix_overlap(&l->never[i], &b->prefix)) {
            char text[LAMP_PREFIX_STRLEN];
            snprintf(why, size, "%s is on the never list", lamp_prefix_str(&l->never[i], text));
            return LAMP_EPROTECTED;
        }
    }
    for (size_t i = 0; i < l->n_blocks; i++) {
        if (same_target(&l->blocks[i], b)) {
            snprintf(why, size, "block %lld has this target already", (long long)l->blocks[i].id);
            return LAMP_EEXIST;
        }
    }
    if (l->n_blocks == BLOCKS_MAX) {
        snprintf(why, size, "%d blocks are in force, which is the most there can be", BLOCKS_MAX);
        return LAMP_EFULL;
    }
    return LAMP_OK;
}

/* ---- changes ---- */

static void mark(lamp_blocklist *l, const struct lamp_block *b)
{
    for (size_t i = 0; i < l->n_sites; i++)
        l->sites[i].dirty |= at_site(b, l->sites[i].name);
}

int lamp_blocklist_add(lamp_blocklist *l, struct lamp_block *b, char *why, size_t size)
{
    int err = check(l, b, why, size);
    if (err == LAMP_OK)
        err = lamp_store_block_add(l->store, b);
    if (err != LAMP_OK)
        return err;
    l->blocks[l->n_blocks++] = *b;
    mark(l, b);
    return LAMP_OK;
}

static int end_at(lamp_blocklist *l, size_t i, const char *by, uint64_t now_us)
{
    const int err = lamp_store_block_end(l->store, l->blocks[i].id, by, now_us);
    if (err != LAMP_OK)
        return err;
    mark(l, &l->blocks[i]);
    l->blocks[i] = l->blocks[--l->n_blocks];
    return LAMP_OK;
}

int lamp_blocklist_end(lamp_blocklist *l, int64_t id, const char *by, uint64_t now_us, char *why,
                       size_t size)
{
    for (size_t i = 0; i < l->n_blocks; i++)
        if (l->blocks[i].id == id)
            return end_at(l, i, by, now_us);
    snprintf(why, size, "block %lld is not in force", (long long)id);
    return LAMP_ENOENT;
}

bool lamp_blocklist_covers(const lamp_blocklist *l, const struct lamp_miner_target *t)
{
    for (size_t i = 0; i < l->n_blocks; i++) {
        const struct lamp_block *b = &l->blocks[i];
        if (!at_site(b, t->site))
            continue;
        if (b->kind == LAMP_BLOCK_HOST ? lamp_prefix_has(&b->prefix, &t->host)
                                       : lamp_prefix_has(&b->prefix, &t->server_addr) &&
                                             (b->port == 0 || b->port == t->server_port) &&
                                             (b->ip_proto == 0 || b->ip_proto == t->ip_proto))
            return true;
    }
    return false;
}

/* ---- the list of a site ---- */

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Groups what may not overlap; in a group the wider prefix, then the longer lease, first. */
static int wider_first(const void *a, const void *b)
{
    const struct lamp_set_entry *x = a, *y = b;
    int c;
    if ((c = order(x->inside, y->inside)) || (c = order(x->port, y->port)) ||
        (c = order(x->ip_proto, y->ip_proto)) ||
        (c = memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b))) ||
        (c = order(x->prefix.len, y->prefix.len)))
        return c;
    return order(y->ttl_s, x->ttl_s);
}

/* Prefixes are nested or apart, so in this order only the last one kept can cover the next. */
static size_t drop_covered(struct lamp_set_entry *e, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct lamp_set_entry *last = kept ? &e[kept - 1] : NULL;
        if (last && last->inside == e[i].inside && last->port == e[i].port &&
            last->ip_proto == e[i].ip_proto && lamp_prefix_overlap(&last->prefix, &e[i].prefix))
            continue;
        e[kept++] = e[i];
    }
    return kept;
}

static int build(const lamp_blocklist *l, const char *site, uint64_t now_us,
                 struct lamp_set_entry **out, size_t *out_n)
{
    struct lamp_set_entry *e = calloc(l->n_blocks + 1, sizeof(*e));
    if (!e)
        return LAMP_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < l->n_blocks; i++) {
        const struct lamp_block *b = &l->blocks[i];
        if (!at_site(b, site) || b->expires_us <= now_us)
            continue;
        const uint64_t left_s = (b->expires_us - now_us + 999999) / 1000000;
        e[n++] = (struct lamp_set_entry){
            .action = LAMP_SET_ADD,
            .prefix = b->prefix,
            .port = b->port,
            .ip_proto = b->ip_proto,
            .inside = b->kind == LAMP_BLOCK_HOST,
            .ttl_s = left_s < l->ttl_s ? (uint32_t)left_s : l->ttl_s,
            .id = (uint64_t)b->id,
        };
    }
    qsort(e, n, sizeof(*e), wider_first);
    n = drop_covered(e, n);
    qsort(e, n, sizeof(*e), lamp_set_entry_cmp);
    *out = e;
    *out_n = n;
    return LAMP_OK;
}

int lamp_blocklist_site(lamp_blocklist *l, const char *site, uint64_t now_us)
{
    if (find_site(l, site))
        return LAMP_OK;
    struct site s = { 0 };
    snprintf(s.name, sizeof(s.name), "%s", site);
    int err = lamp_store_list(l->store, site, &s.head);
    if (err == LAMP_ENOENT)
        err = LAMP_OK;
    if (err == LAMP_OK)
        err = build(l, site, now_us, &s.entries, &s.n);
    if (err != LAMP_OK)
        return err;

    /* What was published before a restart goes on if it is still the same list. */
    uint8_t digest[LAMP_WIRE_DIGEST_LEN] = { 0 };
    err = lamp_set_digest(s.entries, s.n, digest);
    s.dirty = s.head.serial == 0 || memcmp(digest, s.head.digest, sizeof(digest)) != 0;
    const uint64_t half_us = (uint64_t)l->ttl_s * 500000;
    s.renew_us = s.head.expires_us > half_us ? s.head.expires_us - half_us : 0;
    struct site *sites = err == LAMP_OK ? realloc(l->sites, (l->n_sites + 1) * sizeof(s)) : NULL;
    if (!sites) {
        free(s.entries);
        return err == LAMP_OK ? LAMP_ENOMEM : err;
    }
    l->sites = sites;
    l->sites[l->n_sites++] = s;
    return LAMP_OK;
}

static int renew(lamp_blocklist *l, struct site *s, uint64_t serial, uint64_t now_us)
{
    struct lamp_set_entry *entries = NULL;
    size_t n = 0;
    int err = build(l, s->name, now_us, &entries, &n);
    if (err != LAMP_OK)
        return err;
    const uint64_t ttl_us = (uint64_t)l->ttl_s * 1000000;
    struct lamp_store_list head = { .serial = serial, .expires_us = now_us + ttl_us };
    err = lamp_set_digest(entries, n, head.digest);
    if (err == LAMP_OK)
        err = lamp_store_list_put(l->store, s->name, &head, (uint32_t)n, now_us);
    if (err != LAMP_OK) {
        free(entries);
        return err;
    }
    free(s->entries);
    s->entries = entries;
    s->n = n;
    s->head = head;
    s->renew_us = now_us + ttl_us / 2;
    s->dirty = false;
    return LAMP_OK;
}

static struct lamp_set_head head_of(const lamp_blocklist *l, const struct site *s)
{
    struct lamp_set_head h = { LAMP_SET_BLOCK, l->epoch, s->head.serial, { 0 } };
    memcpy(h.digest, s->head.digest, sizeof(h.digest));
    return h;
}

/* When a site's list is to be made anew. A time further off than one life of a list comes from
 * before the clock was set back: sensors count on, so the list is due at once. */
static uint64_t renewal_us(const lamp_blocklist *l, const struct site *s, uint64_t now_us)
{
    const bool clock_was_set = s->renew_us > now_us + (uint64_t)l->ttl_s * 1000000;
    return s->dirty || clock_was_set ? 0 : s->renew_us;
}

int lamp_blocklist_publish(lamp_blocklist *l, uint64_t now_us, lamp_blocklist_fn *fn, void *arg)
{
    uint64_t serial = 0;
    int err = lamp_store_serial(l->store, &serial);
    for (size_t i = l->n_blocks; i-- > 0 && err == LAMP_OK;) {
        if (l->blocks[i].expires_us > now_us)
            continue;
        const struct lamp_blocklist_news news = { .expired_id = l->blocks[i].id };
        err = end_at(l, i, "expired", now_us);
        if (err == LAMP_OK)
            fn(&news, arg);
    }
    for (size_t i = 0; i < l->n_sites && err == LAMP_OK; i++) {
        struct site *s = &l->sites[i];
        if (renewal_us(l, s, now_us) > now_us)
            continue;
        err = renew(l, s, serial + 1, now_us);
        if (err == LAMP_OK)
            fn(&(struct lamp_blocklist_news){ .site = s->name, .head = head_of(l, s) }, arg);
    }
    return err;
}

uint64_t lamp_blocklist_due_us(const lamp_blocklist *l, uint64_t now_us)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < l->n_blocks; i++)
        if (l->blocks[i].expires_us < due)
            due = l->blocks[i].expires_us;
    for (size_t i = 0; i < l->n_sites; i++) {
        const uint64_t t = renewal_us(l, &l->sites[i], now_us);
        if (t < due)
            due = t;
    }
    return due;
}

int lamp_blocklist_head(const lamp_blocklist *l, const char *site, struct lamp_set_head *out)
{
    const struct site *s = find_site(l, site);
    if (!s || s->head.serial == 0)
        return LAMP_ENOENT;
    *out = head_of(l, s);
    return LAMP_OK;
}

/* ---- the answer to a query ---- */

static int send_end(const lamp_blocklist *l, const struct site *s, const struct lamp_nonce *nonce,
                    lamp_blocklist_send_fn *fn, void *arg)
{
    struct lamp_set_manifest manifest = {
        .site = lamp_bytes_of(s->name),
        .kind = LAMP_SET_BLOCK,
        .epoch = l->epoch,
        .serial = s->head.serial,
        .expires_us = s->head.expires_us,
        .count = (uint32_t)s->n,
    };
    memcpy(manifest.digest, s->head.digest, sizeof(manifest.digest));
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len = 0;
    const int err = lamp_set_manifest_pack(&manifest, &packed, &len);
    if (err != LAMP_OK)
        return err;
    struct lamp_msg m = { .type = LAMP_MSG_SET_END };
    m.u.set_end.nonce = *nonce;
    m.u.set_end.manifest = (struct lamp_bytes){ packed, len };
    crypto_sign_detached(m.u.set_end.signature, NULL, packed, len, l->keys->list_secret);
    return fn(&m, arg);
}

int lamp_blocklist_answer(const lamp_blocklist *l, const char *site, const struct lamp_nonce *nonce,
                          lamp_blocklist_send_fn *fn, void *arg)
{
    const struct site *s = find_site(l, site);
    if (!s || s->head.serial == 0)
        return LAMP_ENOENT;
    const size_t chunks = (s->n + CHUNK - 1) / CHUNK;
    struct lamp_msg begin = { .type = LAMP_MSG_SET_BEGIN };
    begin.u.set_begin =
        (struct lamp_set_begin){ *nonce, LAMP_SET_BLOCK, LAMP_SET_FULL, 0, (uint32_t)chunks };
    int err = fn(&begin, arg);
    for (size_t i = 0; i < chunks && err == LAMP_OK; i++) {
        struct lamp_msg m = { .type = LAMP_MSG_SET_CHUNK };
        m.u.set_chunk = (struct lamp_set_chunk){ *nonce, (uint32_t)i, s->entries + i * CHUNK,
                                                 lamp_min(CHUNK, s->n - i * CHUNK) };
        err = fn(&m, arg);
    }
    return err == LAMP_OK ? send_end(l, s, nonce, fn, arg) : err;
}
