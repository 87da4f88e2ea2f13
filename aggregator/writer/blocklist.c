/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/blocklist.h"

#include <stdio.h>

enum {
    BLOCKS_MAX = LAMP_WIRE_SET_ENTRIES_MAX, /* in force, over all sites */
    SHORTEST_V4 = 96 + 24,                  /* prefix lengths of the 16-byte form */
    SHORTEST_V6 = 48,
    APPROVED_V4 = 96 + 16, /* the same with an approval */
    APPROVED_V6 = 32,
    FEW_HOSTS = 2,                           /* of a site may be blocked, however few it has */
    DOMAINS_MAX = LAMP_WIRE_LOCAL_NAMES_MAX, /* what a sensor follows */
};

#define HOUR_US (UINT64_C(3600) * 1000000)

struct site {
    char name[LAMP_NAME_MAX];
    uint64_t hold_serial; /* 0: not held */
    char release_by[LAMP_NAME_MAX];
};

struct lamp_blocklist {
    struct lamp_blocklist_cfg cfg;
    struct lamp_prefix *never;
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
        .approval = v->approval,
    };
    snprintf(b->site, sizeof(b->site), "%s", v->site);
    snprintf(b->name, sizeof(b->name), "%s", v->name);
    snprintf(b->created_by, sizeof(b->created_by), "%s", v->created_by);
    snprintf(b->person, sizeof(b->person), "%s", v->person);
    return true;
}

int lamp_blocklist_open(const struct lamp_blocklist_cfg *cfg, lamp_blocklist **out)
{
    lamp_blocklist *l = calloc(1, sizeof(*l));
    if (!l)
        return LAMP_ENOMEM;
    int err = LAMP_ENOMEM;
    l->cfg = *cfg;
    l->never = calloc(cfg->n_never + 1, sizeof(*l->never));
    l->blocks = calloc(BLOCKS_MAX, sizeof(*l->blocks));
    if (!l->never || !l->blocks)
        goto fail;
    if (cfg->n_never)
        memcpy(l->never, cfg->never, cfg->n_never * sizeof(*l->never));
    err = lamp_store_blocks(cfg->store, &(struct lamp_block_filter){ 0 }, load_block, l);
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
    if (p->len < (lamp_addr_is_v4(&p->addr) ? APPROVED_V4 : APPROVED_V6)) {
        snprintf(why, size, "the prefix is too wide: at most /16 (IPv4) or /32 (IPv6)");
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

/* Two labels or more of letters, digits, '-' and '_', in lower case. */
static int check_domain(const lamp_blocklist *l, const struct lamp_block *b, char *why, size_t size)
{
    size_t label = 0, dots = 0, n = 0;
    bool good = b->name[0] != '\0';
    for (const char *c = b->name; *c && good; c++) {
        const bool is_dot = *c == '.';
        good = is_dot
                   ? label > 0
                   : (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';
        dots += is_dot;
        label = is_dot ? 0 : label + 1;
        good &= label <= 63;
    }
    if (!good || dots == 0 || label == 0) {
        snprintf(why, size, "a domain is a name of two labels or more, such as pool.example");
        return LAMP_EINVAL;
    }
    for (size_t i = 0; i < l->n_blocks; i++)
        n += l->blocks[i].kind == LAMP_BLOCK_DOMAIN;
    if (n < DOMAINS_MAX)
        return LAMP_OK;
    snprintf(why, size, "%d domains are blocked, which is the most there can be", DOMAINS_MAX);
    return LAMP_EFULL;
}

static struct site *find_site(const lamp_blocklist *l, const char *name)
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
           a->ip_proto == b->ip_proto && streq(a->site, b->site) && streq(a->name, b->name);
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
    const int err = b->kind == LAMP_BLOCK_HOST     ? check_host(b, why, size)
                    : b->kind == LAMP_BLOCK_DOMAIN ? check_domain(l, b, why, size)
                                                   : check_remote(b, why, size);
    if (err != LAMP_OK)
        return err;
    /* The addresses of a domain are the sensors' to protect. */
    for (size_t i = 0; i < l->cfg.n_never && b->kind != LAMP_BLOCK_DOMAIN; i++) {
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

/* ---- what one person may not do alone ---- */

/* Writes why into needs, or "". */
static int find_needs(const lamp_blocklist *l, struct lamp_block *b)
{
    const struct lamp_prefix *p = &b->prefix;
    uint32_t n = 0, seen = 0, hosts = 1;
    b->needs[0] = '\0';
    if (b->kind == LAMP_BLOCK_REMOTE &&
        p->len < (lamp_addr_is_v4(&p->addr) ? SHORTEST_V4 : SHORTEST_V6)) {
        snprintf(b->needs, sizeof(b->needs), "wider than /24 (IPv6: /48)");
        return LAMP_OK;
    }
    const size_t an_hour =
        l->n_blocks / 20 > LAMP_BLOCKLIST_HOUR ? l->n_blocks / 20 : LAMP_BLOCKLIST_HOUR;
    const uint64_t from_us = b->created_us > HOUR_US ? b->created_us - HOUR_US : 0;
    int err = lamp_store_blocks_since(l->cfg.store, b->site, from_us, &n);
    if (err != LAMP_OK || n >= an_hour) {
        snprintf(b->needs, sizeof(b->needs), "more than %zu blocks within an hour", an_hour);
        return err;
    }
    if (b->kind != LAMP_BLOCK_HOST)
        return LAMP_OK;
    for (size_t i = 0; i < l->n_blocks; i++)
        hosts += l->blocks[i].kind == LAMP_BLOCK_HOST && streq(l->blocks[i].site, b->site);
    err =
        hosts > FEW_HOSTS ? lamp_store_site_hosts(l->cfg.store, b->site, from_us, &seen) : LAMP_OK;
    if (hosts > LAMP_BLOCKLIST_HOSTS)
        snprintf(b->needs, sizeof(b->needs), "more than %d hosts of the site",
                 LAMP_BLOCKLIST_HOSTS);
    else if (hosts > FEW_HOSTS && hosts * 10 > seen)
        snprintf(b->needs, sizeof(b->needs), "more than a tenth of the %u hosts of the site", seen);
    return err;
}

/* ---- changes ---- */

int lamp_blocklist_check(const lamp_blocklist *l, struct lamp_block *b, char *why, size_t size)
{
    int err = check(l, b, why, size);
    if (err == LAMP_OK)
        err = find_needs(l, b);
    b->approval = !b->needs[0]          ? LAMP_APPROVAL_NONE
                  : l->cfg.no_approvals ? LAMP_APPROVAL_GIVEN
                                        : LAMP_APPROVAL_WAITING;
    return err;
}

int lamp_blocklist_add(lamp_blocklist *l, struct lamp_block *b, char *why, size_t size)
{
    int err = lamp_blocklist_check(l, b, why, size);
    if (err == LAMP_OK)
        err = lamp_store_block_add(l->cfg.store, b);
    if (err != LAMP_OK)
        return err;
    l->blocks[l->n_blocks++] = *b;
    l->cfg.changed(b->site, l->cfg.arg);
    return LAMP_OK;
}

static bool is_in_force(const struct lamp_block *b)
{
    return b->approval != LAMP_APPROVAL_WAITING;
}

int lamp_blocklist_decide(lamp_blocklist *l, int64_t id, bool approve, const struct lamp_asker *by,
                          uint64_t now_us, char *why, size_t size)
{
    size_t i = 0;
    while (i < l->n_blocks && (l->blocks[i].id != id || is_in_force(&l->blocks[i])))
        i++;
    if (i == l->n_blocks) {
        snprintf(why, size, "no block %lld waits for an approval", (long long)id);
        return LAMP_ENOENT;
    }
    struct lamp_block *b = &l->blocks[i];
    if (approve && streq(b->person, by->person)) {
        snprintf(why, size, "%s entered it: another person has to approve it", by->person);
        return LAMP_EAUTH;
    }
    const int err = lamp_store_block_decide(l->cfg.store, id, approve, by->name, now_us);
    if (err != LAMP_OK)
        return err;
    l->cfg.changed(b->site, l->cfg.arg);
    b->approval = LAMP_APPROVAL_GIVEN;
    if (!approve)
        *b = l->blocks[--l->n_blocks];
    return LAMP_OK;
}

/* ---- sites that are held ---- */

int lamp_blocklist_hold(lamp_blocklist *l, const char *site, uint64_t serial, const char *by,
                        uint64_t now_us, char *why, size_t size)
{
    struct site *s = find_site(l, site);
    if (!s || s->hold_serial > 0) {
        snprintf(why, size, s ? "site %s is held already" : "no sensor is enrolled at site %s",
                 site);
        return s ? LAMP_EEXIST : LAMP_ENOENT;
    }
    const int err = lamp_store_site_hold(l->cfg.store, site, by, serial, now_us);
    if (err == LAMP_OK)
        s->hold_serial = serial;
    return err;
}

/* What is for the site that its held list has not; *out_news: how much of it nobody approved. */
static int coming(lamp_blocklist *l, struct site *s, uint64_t now_us, struct lamp_set *out,
                  size_t *out_news)
{
    struct lamp_set held, all;
    const uint64_t serial = s->hold_serial;
    int err = lamp_blocklist_build(l, s->name, now_us, &held);
    if (err != LAMP_OK)
        return err;
    s->hold_serial = 0;
    err = lamp_blocklist_build(l, s->name, now_us, &all);
    s->hold_serial = serial;
    if (err == LAMP_OK) {
        err = lamp_set_diff(&held, &all, out);
        lamp_set_done(&all);
    }
    lamp_set_done(&held);
    *out_news = 0;
    for (size_t i = 0; err == LAMP_OK && i < out->n; i++)
        *out_news += out->entries[i].action == LAMP_SET_ADD && !out->entries[i].approved;
    return err;
}

/* With so many at once the sensors want to know that somebody approved them. */
static int approve_all(lamp_blocklist *l, const struct lamp_set *news, const char *by,
                       uint64_t now_us)
{
    int err = LAMP_OK;
    for (size_t k = 0; k < news->n && err == LAMP_OK; k++) {
        for (size_t i = 0; i < l->n_blocks && err == LAMP_OK; i++) {
            struct lamp_block *b = &l->blocks[i];
            if ((uint64_t)b->id != news->entries[k].id || b->approval != LAMP_APPROVAL_NONE)
                continue;
            err = lamp_store_block_decide(l->cfg.store, b->id, true, by, now_us);
            b->approval = LAMP_APPROVAL_GIVEN;
        }
    }
    return err;
}

int lamp_blocklist_release(lamp_blocklist *l, const char *site, const struct lamp_asker *by,
                           uint64_t now_us, char *why, size_t size)
{
    struct site *s = find_site(l, site);
    struct lamp_set news;
    size_t n = 0;
    if (!s || s->hold_serial == 0) {
        snprintf(why, size, "site %s is not held", site);
        return LAMP_ENOENT;
    }
    int err = coming(l, s, now_us, &news, &n);
    if (err != LAMP_OK)
        return err;
    const bool many = n > LAMP_BLOCKLIST_HOUR;
    if (many && !l->cfg.no_approvals && (!s->release_by[0] || streq(s->release_by, by->person))) {
        lamp_set_done(&news);
        snprintf(s->release_by, sizeof(s->release_by), "%s", by->person);
        snprintf(why, size, "%zu blocks would come at once: another person has to release it too",
                 n);
        err = lamp_store_site_release_asked(l->cfg.store, site, by->person);
        return err == LAMP_OK ? LAMP_EAGAIN : err;
    }
    if (many)
        err = approve_all(l, &news, by->name, now_us);
    lamp_set_done(&news);
    if (err == LAMP_OK)
        err = lamp_store_site_hold(l->cfg.store, site, NULL, 0, now_us);
    if (err != LAMP_OK)
        return err;
    s->hold_serial = 0;
    s->release_by[0] = '\0';
    l->cfg.changed(site, l->cfg.arg);
    return LAMP_OK;
}

static int end_at(lamp_blocklist *l, size_t i, const char *by, uint64_t now_us)
{
    const int err = lamp_store_block_end(l->cfg.store, l->blocks[i].id, by, now_us);
    if (err != LAMP_OK)
        return err;
    l->cfg.changed(l->blocks[i].site, l->cfg.arg);
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
        if (!at_site(b, t->site) || !is_in_force(b) || b->kind == LAMP_BLOCK_DOMAIN)
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

struct builder {
    struct lamp_set_entry *entries;
    struct lamp_block *blocks; /* own the names */
    size_t n, max;
    uint64_t now_us;
    uint32_t ttl_s;
};

static void add_entry(struct builder *x, const struct lamp_block *b)
{
    if (b->expires_us <= x->now_us || !is_in_force(b) || x->n == x->max)
        return;
    const uint64_t left_s = (b->expires_us - x->now_us + 999999) / 1000000;
    struct lamp_block *own = &x->blocks[x->n];
    *own = *b;
    x->entries[x->n++] = (struct lamp_set_entry){
        .action = LAMP_SET_ADD,
        .prefix = b->prefix,
        .name = lamp_bytes_of(own->name),
        .port = b->port,
        .ip_proto = b->ip_proto,
        .inside = b->kind == LAMP_BLOCK_HOST,
        .approved = b->approval == LAMP_APPROVAL_GIVEN,
        .ttl_s = left_s < x->ttl_s ? (uint32_t)left_s : x->ttl_s,
        .id = (uint64_t)b->id,
    };
}

static bool add_held(const struct lamp_block_view *v, void *arg)
{
    struct lamp_block b = { .id = v->id,
                            .kind = v->kind,
                            .prefix = v->prefix,
                            .port = v->port,
                            .ip_proto = v->ip_proto,
                            .approval = v->approval,
                            .expires_us = v->expires_us };
    snprintf(b.name, sizeof(b.name), "%s", v->name);
    add_entry(arg, &b);
    return true;
}

int lamp_blocklist_build(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    const lamp_blocklist *l = arg;
    const struct site *s = find_site(l, site);
    const bool held = s && s->hold_serial > 0;
    struct builder x = { .now_us = now_us, .ttl_s = l->cfg.ttl_s };
    x.max = held ? BLOCKS_MAX : l->n_blocks;
    x.entries = calloc(x.max + 1, sizeof(*x.entries));
    x.blocks = calloc(x.max + 1, sizeof(*x.blocks));
    int err = x.entries && x.blocks ? LAMP_OK : LAMP_ENOMEM;
    const struct lamp_block_filter f = { .in_list = held ? s->hold_serial : 0, .site = site };
    if (err == LAMP_OK && held)
        err = lamp_store_blocks(l->cfg.store, &f, add_held, &x);
    for (size_t i = 0; i < l->n_blocks && err == LAMP_OK && !held; i++)
        if (at_site(&l->blocks[i], site))
            add_entry(&x, &l->blocks[i]);
    if (err == LAMP_OK)
        err = lamp_set_copy(x.entries, lamp_set_canonical(x.entries, x.n), out);
    free(x.entries);
    free(x.blocks);
    return err;
}

int lamp_blocklist_site(lamp_blocklist *l, const char *site)
{
    struct lamp_site_hold hold;
    if (find_site(l, site))
        return LAMP_OK;
    const int err = lamp_store_site_held(l->cfg.store, site, &hold);
    if (err)
        return err;
    if ((l->n_sites & (l->n_sites - 1)) == 0) { /* room grows by doubling */
        void *sites = realloc(l->sites, (2 * l->n_sites + 1) * sizeof(*l->sites));
        if (!sites)
            return LAMP_ENOMEM;
        l->sites = sites;
    }
    struct site *s = &l->sites[l->n_sites++];
    *s = (struct site){ .hold_serial = hold.serial };
    snprintf(s->name, sizeof(s->name), "%s", site);
    memcpy(s->release_by, hold.release_by, sizeof(s->release_by));
    return LAMP_OK;
}

int lamp_blocklist_expire(lamp_blocklist *l, uint64_t now_us, lamp_block_changed_fn *fn, void *arg)
{
    for (size_t i = l->n_blocks; i-- > 0;) {
        const int64_t id = l->blocks[i].id;
        if (l->blocks[i].expires_us > now_us)
            continue;
        const int err = end_at(l, i, "expired", now_us);
        if (err)
            return err;
        fn(id, arg);
    }
    return LAMP_OK;
}

uint64_t lamp_blocklist_due_us(const lamp_blocklist *l)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < l->n_blocks; i++)
        if (l->blocks[i].expires_us < due)
            due = l->blocks[i].expires_us;
    return due;
}
