/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/records/ledger.h"

#include "common/text.h"
#include "sensor/rollup/hash.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/random.h>

enum {
    OF_TEXT = 72,
    NAME_TEXT = 112,
    SLICES_MIN = 3,  /* records of a way that tell how even it is */
    WEB_PORT = 8080, /* pool ports that carry everything else as well */
    WEB_TLS_PORT = 8443,
    WEB_OTHER_PORT = 8888,
    FIRST_FREE_PORT = 1024,
    FIRST_CLIENT_PORT = 32768, /* where Linux begins to pick (ip(7)) */
};

/* The shape of mining in records (after the sizes and rates of detection's rhythm): */
#define AGE_US UINT64_C(180000000)  /* 120 s, and a minute for a second look */
#define SLICE_US UINT64_C(10000000) /* shorter records say nothing of a pace */
#define RATE_MAX 2500.0             /* payload bytes a second, both ways */
#define PACKETS_A_MINUTE_MIN 0.3
#define PACKETS_A_MINUTE_MAX 180.0 /* each way, bare acknowledgements included */
#define MESSAGE_MIN 10.0           /* payload bytes a packet, each way */
#define MESSAGE_UP_MAX 400.0
#define MESSAGE_DOWN_MAX 1000.0
#define EVEN_MAX 0.5 /* standard deviation of the pace, as a part of its mean */

/* A conversation that may be mining. */
struct talk {
    uint64_t hash;
    struct talk *next;            /* in its slot, or free */
    struct talk *older, *younger; /* by when it was last heard of */
    struct lamp_addr client, server;
    uint16_t client_port, server_port, vlan;
    uint8_t ip_proto, tcp_flags;
    bool is_conn;
    uint64_t first_us, last_us, heard_us;    /* heard: by our clock */
    uint64_t bytes[2], packets[2];           /* of all records, by enum lamp_dir */
    uint64_t conn_bytes[2], conn_packets[2]; /* of those since it is a connection */
    uint32_t records, sampling;
    double pace_sum, pace_squares; /* payload bytes a second of the client's records */
    uint32_t paces;
    struct lamp_identity identity;
    uint64_t identity_us;
    bool by_name;
    enum lamp_verdict verdict;
    double confidence;
    uint64_t id, found_us, found_packets;
    char of[OF_TEXT], name[NAME_TEXT];
};

struct lamp_ledger {
    struct lamp_ledger_cfg cfg;
    lamp_ledger_fn *ended;
    void *arg;
    const lamp_watch *watch;
    lamp_rollup *rollup; /* NULL: not wanted */
    struct talk *pool, *free, **slots, *oldest, *youngest;
    size_t mask;
    uint64_t seed[2], next_id;
    struct lamp_ledger_counters n;
    struct lamp_conn conn; /* lent */
};

int lamp_ledger_new(const struct lamp_ledger_cfg *cfg, lamp_ledger_fn *ended, void *arg,
                    lamp_ledger **out)
{
    assert(cfg && ended && out);
    if (cfg->max_talks == 0 || cfg->max_talks > 1U << 24)
        return LAMP_EINVAL;
    lamp_ledger *l = calloc(1, sizeof(*l));
    if (!l)
        return LAMP_ENOMEM;
    size_t slots = 1;
    while (slots < cfg->max_talks)
        slots *= 2;
    l->cfg = *cfg;
    l->ended = ended;
    l->arg = arg;
    l->next_id = cfg->first_id;
    l->mask = slots - 1;
    l->pool = calloc(cfg->max_talks, sizeof(*l->pool));
    l->slots = calloc(slots, sizeof(struct talk *));
    int err = l->pool && l->slots ? LAMP_OK : LAMP_ENOMEM;
    if (!err && getrandom(l->seed, sizeof(l->seed), 0) != sizeof(l->seed))
        err = -errno;
    if (!err && cfg->rollup)
        err = lamp_rollup_new(cfg->rollup, &l->rollup);
    if (err) {
        lamp_ledger_free(l);
        return err;
    }
    for (size_t i = cfg->max_talks; i-- > 0; l->free = &l->pool[i])
        l->pool[i].next = l->free;
    *out = l;
    return LAMP_OK;
}

lamp_ledger *lamp_ledger_free(lamp_ledger *l)
{
    if (!l)
        return NULL;
    lamp_rollup_free(l->rollup);
    free(l->pool);
    free(l->slots);
    free(l);
    return NULL;
}

/* ---- what records tell ---- */

static double payload(const struct talk *t, unsigned dir)
{
    /* an IPv4 or IPv6 header, and TCP's with times (RFC 7323) or UDP's */
    const bool is_tcp = t->ip_proto == LAMP_IPPROTO_TCP;
    const double head = (lamp_addr_is_v4(&t->server) ? 20 : 40) + (is_tcp ? 32 : 8);
    return fmax(0, (double)t->bytes[dir] - head * (double)t->packets[dir]);
}

static double seconds(const struct talk *t)
{
    return (double)(t->last_us - t->first_us) / 1e6;
}

/* How far the pace varies: 0 is always the same. Negative: too little is known. */
static double unevenness(const struct talk *t)
{
    if (t->paces < SLICES_MIN || t->pace_sum <= 0)
        return -1;
    const double mean = t->pace_sum / t->paces;
    return sqrt(fmax(0, t->pace_squares / t->paces - mean * mean)) / mean;
}

/* Bare headers are no verdict; those of a SYN have 8 bytes more than others. */
static bool has_spoken(const struct talk *t)
{
    for (unsigned dir = 0; dir < 2; dir++)
        if (payload(t, dir) > 8 * (double)t->packets[dir])
            return true;
    return false;
}

static bool is_small(const struct talk *t, unsigned dir, double most)
{
    const double per_packet = payload(t, dir) / fmax(1, (double)t->packets[dir]);
    const double per_minute = (double)t->packets[dir] / seconds(t) * 60;
    return per_packet >= MESSAGE_MIN && per_packet <= most && per_minute >= PACKETS_A_MINUTE_MIN &&
           per_minute <= PACKETS_A_MINUTE_MAX;
}

/* What the shape is worth as evidence: 0: nothing. Sampling leaves no shape. */
static double shape_of(const struct talk *t)
{
    if (t->ip_proto != LAMP_IPPROTO_TCP || t->sampling > 1 || t->last_us - t->first_us < AGE_US ||
        (payload(t, LAMP_UP) + payload(t, LAMP_DOWN)) / seconds(t) > RATE_MAX ||
        !is_small(t, LAMP_UP, MESSAGE_UP_MAX) || !is_small(t, LAMP_DOWN, MESSAGE_DOWN_MAX))
        return 0;
    const double varies = unevenness(t);
    return varies >= 0 && varies <= EVEN_MAX ? lamp_mass_rhythm.mining
                                             : lamp_mass_rhythm_weak.mining;
}

/* ---- connections as others know them ---- */

static void tell_identity(const struct talk *t, struct lamp_conn *c)
{
    char ip[LAMP_ADDR_STRLEN];
    const struct lamp_identity *i = &t->identity;
    const struct lamp_reason r = {
        .kind = t->by_name ? "name" : "address",
        .field = t->by_name ? "name in the record" : "address and port of the server",
        .refute = "the host serves something else as well: a web site, an API",
        .strength = i->mass.mining >= lamp_mass_fresh.mining ? "strong" : "fair",
        .t_us = t->identity_us,
        .dir = LAMP_UP,
    };
    lamp_reason_add(c, &r, false, "%s port %u: %s%s%s",
                    t->by_name ? t->name : lamp_addr_str(&t->server, ip), t->server_port, i->what,
                    i->pool ? ", " : "", i->pool ? i->pool : "");
}

static void tell_shape(const struct talk *t, double mass, struct lamp_conn *c)
{
    char even[48] = "";
    const double varies = unevenness(t);
    const struct lamp_reason r = {
        .kind = "flow-shape",
        .field = "sizes and times of the records",
        .refute = "a probe that is not answered as by a pool, another service at that port",
        .strength = mass >= lamp_mass_rhythm.mining ? "fair" : "weak",
        .t_us = t->last_us,
        .dir = LAMP_UP,
    };
    if (varies >= 0)
        snprintf(even, sizeof(even), ", a pace that varies by %.0f %%", 100 * varies);
    lamp_reason_add(c, &r, false,
                    "%.0f s of small messages both ways: %.0f B up, %.0f B down a packet%s",
                    seconds(t), payload(t, LAMP_UP) / (double)t->packets[LAMP_UP],
                    payload(t, LAMP_DOWN) / (double)t->packets[LAMP_DOWN], even);
}

static const struct lamp_conn *fill(lamp_ledger *l, const struct talk *t, bool ended)
{
    struct lamp_conn *c = &l->conn;
    const struct lamp_reason flow = {
        .kind = LAMP_FLOW_ONLY, .field = "flow records", .t_us = t->first_us, .dir = LAMP_UP
    };
    *c = (struct lamp_conn){
        .id = t->id,
        .client = t->client,
        .server = t->server,
        .client_port = t->client_port,
        .server_port = t->server_port,
        .ip_proto = t->ip_proto,
        .n_vlans = t->vlan ? 1 : 0,
        .vlans = { t->vlan },
        .midstream = !(t->tcp_flags & LAMP_TCP_SYN),
        .ended = ended,
        .ip_bytes = true,
        .first_us = t->first_us,
        .last_us = t->last_us,
        .bytes = { t->conn_bytes[0], t->conn_bytes[1] },
        .packets = { t->conn_packets[0], t->conn_packets[1] },
        .found_us = t->found_us,
        .found_packets = t->found_packets,
        .verdict = t->verdict,
        .confidence = t->confidence,
        .family = LAMP_FLOW_ONLY,
        .pool = t->identity.pool,
        .coin = t->identity.coin,
    };
    const struct lamp_coin *coin =
        c->coin && l->cfg.catalogue ? lamp_catalogue_coin(l->cfg.catalogue, c->coin) : NULL;
    c->algorithm = coin ? coin->algorithm : NULL;
    snprintf(c->server_name, sizeof(c->server_name), "%s", t->name);
    if (t->sampling > 1)
        lamp_reason_add(c, &flow, false, "%s, no packets seen: 1 of %u was counted, and multiplied",
                        t->of, t->sampling);
    else
        lamp_reason_add(c, &flow, false, "%s, no packets seen", t->of);
    if (t->identity.mass.mining > 0)
        tell_identity(t, c);
    const double shape = shape_of(t);
    if (shape > 0)
        tell_shape(t, shape, c);
    return c;
}

/* ---- the table of conversations ---- */

static void unlink_age(lamp_ledger *l, struct talk *t)
{
    *(t->older ? &t->older->younger : &l->oldest) = t->younger;
    *(t->younger ? &t->younger->older : &l->youngest) = t->older;
}

static void link_youngest(lamp_ledger *l, struct talk *t)
{
    t->older = l->youngest;
    t->younger = NULL;
    *(l->youngest ? &l->youngest->younger : &l->oldest) = t;
    l->youngest = t;
}

static void end_talk(lamp_ledger *l, struct talk *t)
{
    struct talk **at = &l->slots[t->hash & l->mask];
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    unlink_age(l, t);
    if (t->is_conn) {
        l->n.conns_live--;
        l->ended(fill(l, t, true), l->arg);
    }
    t->next = l->free;
    l->free = t;
}

/* A record as the client and the server see it. */
struct view {
    const struct lamp_record *r;
    const struct lamp_addr *client, *server;
    uint16_t client_port, server_port;
    bool is_back; /* src is the server */
    struct lamp_identity identity;
    bool by_name;
};

static uint64_t hash_of(const lamp_ledger *l, const struct view *v)
{
    uint8_t key[2 * sizeof(struct lamp_addr) + 8] = { 0 };
    const uint16_t rest[] = { v->client_port, v->server_port, v->r->vlan, v->r->ip_proto };
    memcpy(key, v->client, sizeof(*v->client));
    memcpy(key + sizeof(*v->client), v->server, sizeof(*v->server));
    memcpy(key + 2 * sizeof(*v->client), rest, sizeof(rest));
    return lamp_hash(l->seed, key, sizeof(key));
}

static struct talk *talk_of(lamp_ledger *l, const struct view *v)
{
    const uint64_t hash = hash_of(l, v);
    for (struct talk *t = l->slots[hash & l->mask]; t; t = t->next)
        if (t->hash == hash && t->client_port == v->client_port &&
            t->server_port == v->server_port && t->vlan == v->r->vlan &&
            t->ip_proto == v->r->ip_proto && lamp_addr_eq(&t->client, v->client) &&
            lamp_addr_eq(&t->server, v->server))
            return t;
    if (!l->free) {
        l->n.evicted++;
        end_talk(l, l->oldest);
    }
    struct talk *t = l->free;
    l->free = t->next;
    *t = (struct talk){
        .hash = hash,
        .next = l->slots[hash & l->mask],
        .client = *v->client,
        .server = *v->server,
        .client_port = v->client_port,
        .server_port = v->server_port,
        .vlan = v->r->vlan,
        .ip_proto = v->r->ip_proto,
        .first_us = v->r->first_us,
        .sampling = 1,
    };
    l->slots[hash & l->mask] = t;
    link_youngest(l, t);
    return t;
}

/* ---- judging ---- */

static void judge(lamp_ledger *l, struct talk *t)
{
    struct lamp_grounds g = { 0 };
    double confidence;
    if (!has_spoken(t))
        return;
    lamp_grounds_add(&g, LAMP_GROUND_IDENTITY, t->identity.mass);
    lamp_grounds_add(&g, LAMP_GROUND_SHAPE, (struct lamp_mass){ shape_of(t), 0 });
    const enum lamp_verdict v = lamp_grounds_verdict(&g, &confidence);
    assert(v <= LAMP_VERDICT_PROBABLE); /* no words, no probe */
    if (v < t->verdict || v == LAMP_VERDICT_NONE)
        return; /* a verdict never falls */
    if (!t->is_conn) {
        t->is_conn = true;
        t->id = l->next_id++;
        l->n.conns_live++;
    }
    if (v == LAMP_VERDICT_PROBABLE && t->found_us == 0) {
        t->found_us = t->last_us;
        t->found_packets = t->packets[0] + t->packets[1];
    }
    t->confidence = v > t->verdict ? confidence : fmax(confidence, t->confidence);
    t->verdict = v;
}

/* ---- records ---- */

static struct lamp_identity identify(const lamp_ledger *l, const struct lamp_addr *addr,
                                     uint16_t port, uint64_t t_us)
{
    const struct lamp_identity watched = lamp_identity_of_address(l->watch, addr, port);
    const struct lamp_endpoint *e = l->cfg.endpoints && watched.mass.mining < lamp_mass_fresh.mining
                                        ? lamp_endpoints_find(l->cfg.endpoints, addr, port, t_us)
                                        : NULL;
    if (!e)
        return watched;
    return (struct lamp_identity){ e->port ? lamp_mass_fresh : lamp_mass_stale, e->pool, e->coin,
                                   e->port ? "a pool's address and port at that time"
                                           : "a pool's address at that time" };
}

static unsigned port_rank(const lamp_ledger *l, uint16_t port)
{
    if (port < FIRST_FREE_PORT)
        return 0;
    if (l->cfg.catalogue && lamp_catalogue_is_pool_port(l->cfg.catalogue, port))
        return 1;
    return port < FIRST_CLIENT_PORT ? 2 : 3;
}

/* Which end serves: the one that is known as a pool, else as packets without a SYN have it (flow.c). */
static struct view view_of(const lamp_ledger *l, const struct lamp_record *r)
{
    struct view v = { .r = r };
    v.identity = identify(l, &r->dst, r->dst_port, r->first_us);
    if (r->name && v.identity.mass.mining <= lamp_mass_stale.mining) {
        const struct lamp_identity named =
            lamp_identity_of_name(l->cfg.catalogue, l->watch, lamp_bytes_of(r->name), r->dst_port);
        v.by_name = named.mass.mining > v.identity.mass.mining;
        if (v.by_name)
            v.identity = named;
    }
    if (v.identity.mass.mining == 0) {
        v.identity = identify(l, &r->src, r->src_port, r->first_us);
        v.is_back = v.identity.mass.mining > 0;
    }
    if (v.identity.mass.mining == 0) {
        const unsigned src = port_rank(l, r->src_port), dst = port_rank(l, r->dst_port);
        v.is_back = !r->name && (src != dst ? src < dst : r->src_port < r->dst_port);
    }
    v.client = v.is_back ? &r->dst : &r->src;
    v.server = v.is_back ? &r->src : &r->dst;
    v.client_port = v.is_back ? r->dst_port : r->src_port;
    v.server_port = v.is_back ? r->src_port : r->dst_port;
    return v;
}

static bool is_mining_port(const lamp_ledger *l, uint16_t port)
{
    return port >= FIRST_FREE_PORT && port != WEB_PORT && port != WEB_TLS_PORT &&
           port != WEB_OTHER_PORT && l->cfg.catalogue &&
           lamp_catalogue_is_pool_port(l->cfg.catalogue, port);
}

static void add_pace(struct talk *t, const struct view *v)
{
    const struct lamp_record *r = v->r;
    const unsigned up = v->is_back; /* the index of what the client sent */
    if (r->last_us - r->first_us < SLICE_US || r->packets[up] == 0)
        return;
    const double pace = (double)r->bytes[up] / ((double)(r->last_us - r->first_us) / 1e6);
    t->pace_sum += pace;
    t->pace_squares += pace * pace;
    t->paces++;
}

static void add_to_talk(lamp_ledger *l, struct talk *t, const struct view *v, const char *of)
{
    const struct lamp_record *r = v->r;
    unlink_age(l, t);
    link_youngest(l, t);
    t->records++;
    t->tcp_flags |= r->tcp_flags;
    if (r->first_us < t->first_us)
        t->first_us = r->first_us;
    if (r->last_us > t->last_us)
        t->last_us = r->last_us;
    if (r->sampling > t->sampling)
        t->sampling = r->sampling;
    for (unsigned dir = 0; dir < 2; dir++) {
        t->bytes[dir ^ v->is_back] += r->bytes[dir];
        t->packets[dir ^ v->is_back] += r->packets[dir];
    }
    add_pace(t, v);
    if (v->identity.mass.mining > t->identity.mass.mining) {
        t->identity = v->identity;
        t->identity_us = r->first_us;
        t->by_name = v->by_name;
    }
    if (!t->of[0])
        snprintf(t->of, sizeof(t->of), "%s", of);
    if (r->name && !t->name[0])
        lamp_text_utf8((const uint8_t *)r->name, strlen(r->name), t->name, sizeof(t->name));
    judge(l, t);
    for (unsigned dir = 0; dir < 2 && t->is_conn; dir++) {
        t->conn_bytes[dir ^ v->is_back] += r->bytes[dir];
        t->conn_packets[dir ^ v->is_back] += r->packets[dir];
    }
}

static void add_to_rest(lamp_ledger *l, const struct view *v)
{
    const struct lamp_record *r = v->r;
    const unsigned back = v->is_back;
    const struct lamp_rollup_flow f = {
        .client = v->client,
        .server = v->server,
        .server_port = v->server_port,
        .ip_proto = r->ip_proto,
        .is_new = !v->is_back,
        .first_us = r->first_us,
        .last_us = r->last_us,
        .bytes = { r->bytes[back], r->bytes[!back] },
        .packets = { r->packets[back], r->packets[!back] },
    };
    if (l->rollup)
        lamp_rollup_add(l->rollup, &f);
}

/* Adds to *io what both ways have; false: that would be too much. */
static bool add_up(uint64_t *io, const uint64_t ways[2])
{
    const uint64_t left = LAMP_LEDGER_MAX - *io;
    if (ways[0] > left || ways[1] > left - ways[0])
        return false;
    *io += ways[0] + ways[1];
    return true;
}

void lamp_ledger_record(lamp_ledger *l, const struct lamp_record *r, uint64_t now_us,
                        const char *of)
{
    struct lamp_ledger_counters n = l->n;
    if (!add_up(&n.packets, r->packets) || !add_up(&n.bytes, r->bytes)) {
        l->n.refused++;
        return;
    }
    l->n = n;
    const struct view v = view_of(l, r);
    const bool has_ports = r->ip_proto == LAMP_IPPROTO_TCP || r->ip_proto == LAMP_IPPROTO_UDP;
    struct talk *t = NULL;
    l->n.records++;
    l->n.pool_records += v.identity.mass.mining > 0;
    if (has_ports && (v.identity.mass.mining > 0 ||
                      (r->ip_proto == LAMP_IPPROTO_TCP && is_mining_port(l, v.server_port)))) {
        t = talk_of(l, &v);
        t->heard_us = now_us;
        add_to_talk(l, t, &v, of);
    }
    if (!t || !t->is_conn)
        add_to_rest(l, &v);
}

void lamp_ledger_watch(lamp_ledger *l, const lamp_watch *watch)
{
    l->watch = watch;
}

void lamp_ledger_limit(lamp_ledger *l, size_t rows)
{
    if (l->rollup)
        lamp_rollup_limit(l->rollup, rows);
}

void lamp_ledger_expire(lamp_ledger *l, uint64_t now_us)
{
    while (l->oldest && now_us > l->oldest->heard_us &&
           now_us - l->oldest->heard_us > l->cfg.idle_us)
        end_talk(l, l->oldest);
}

void lamp_ledger_conns(lamp_ledger *l, lamp_ledger_fn *fn, void *arg)
{
    for (const struct talk *t = l->oldest; t; t = t->younger)
        if (t->is_conn)
            fn(fill(l, t, false), arg);
}

void lamp_ledger_rollups(lamp_ledger *l, lamp_rollup_fn *fn, void *arg)
{
    if (l->rollup)
        lamp_rollup_drain(l->rollup, fn, arg);
}

void lamp_ledger_finish(lamp_ledger *l)
{
    while (l->oldest)
        end_talk(l, l->oldest);
}

struct lamp_ledger_counters lamp_ledger_counters(const lamp_ledger *l)
{
    struct lamp_ledger_counters n = l->n;
    if (l->rollup)
        n.rollup = lamp_rollup_counters(l->rollup);
    return n;
}
