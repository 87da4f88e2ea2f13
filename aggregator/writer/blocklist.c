/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/blocklist.h"

#include <stdio.h>

enum {
    BLOCKS_MAX = LAMP_WIRE_SET_ENTRIES_MAX, /* in force, over all sites */
    SHORTEST_V4 = 96 + 24,                  /* prefix lengths of the 16-byte form */
    SHORTEST_V6 = 48,
};

struct site {
    char name[LAMP_NAME_MAX];
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

static bool is_site(const lamp_blocklist *l, const char *name)
{
    for (size_t i = 0; i < l->n_sites; i++)
        if (streq(l->sites[i].name, name))
            return true;
    return false;
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
    if (b->site[0] && !is_site(l, b->site)) {
        snprintf(why, size, "no sensor is enrolled at site %s", b->site);
        return LAMP_ENOENT;
    }
    const int err =
        b->kind == LAMP_BLOCK_HOST ? check_host(b, why, size) : check_remote(b, why, size);
    if (err != LAMP_OK)
        return err;
    for (size_t i = 0; i < l->cfg.n_never; i++) {
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

int lamp_blocklist_add(lamp_blocklist *l, struct lamp_block *b, char *why, size_t size)
{
    int err = check(l, b, why, size);
    if (err == LAMP_OK)
        err = lamp_store_block_add(l->cfg.store, b);
    if (err != LAMP_OK)
        return err;
    l->blocks[l->n_blocks++] = *b;
    l->cfg.changed(b->site, l->cfg.arg);
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

int lamp_blocklist_build(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    const lamp_blocklist *l = arg;
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
            .approved = true,
            .ttl_s = left_s < l->cfg.ttl_s ? (uint32_t)left_s : l->cfg.ttl_s,
            .id = (uint64_t)b->id,
        };
    }
    n = lamp_set_canonical(e, n);
    const int err = lamp_set_copy(e, n, out);
    free(e);
    return err;
}

int lamp_blocklist_site(lamp_blocklist *l, const char *site)
{
    if (is_site(l, site))
        return LAMP_OK;
    struct site *sites = realloc(l->sites, (l->n_sites + 1) * sizeof(*sites));
    if (!sites)
        return LAMP_ENOMEM;
    l->sites = sites;
    snprintf(sites[l->n_sites++].name, sizeof(sites->name), "%s", site);
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
