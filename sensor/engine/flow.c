/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/flow.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

static_assert(sizeof(struct lamp_flow) <= 128, "a flow is two cache lines");

enum {
    WHEEL = 512,       /* slots; an idle flow's deadline is at most half a turn ahead */
    EVICT_TRIES = 256, /* flows looked at for one that may go */
    NONE = UINT32_MAX,
};

/* One place of the hash table: linear probing, deletion by shifting back. */
struct place {
    uint32_t hash;
    uint32_t flow; /* index into pool, from 1; 0: empty */
};

struct lamp_flows {
    struct lamp_flows_cfg cfg;
    /* cfg.max_flows nodes, the first n_used of which have been in use (so that memory which is
     * never needed is never touched); free ones of those are chained by `next` */
    struct lamp_flow *pool;
    uint32_t n_used, free;
    struct place *places;
    uint32_t mask;
    uint64_t seed[2];
    /* Timer wheel: a flow hangs in the slot of the tick its deadline had when it was put
     * there. Packets do not move it; the sweep does, if it finds the deadline moved. */
    uint64_t tick_us, tick, tick_start_us;
    uint32_t wheel[WHEEL];
    struct lamp_flows_counters n;
};

int lamp_flows_new(const struct lamp_flows_cfg *cfg, lamp_flows **out)
{
    assert(cfg && out);
    if (cfg->max_flows == 0 || cfg->max_flows > 1U << 30 || cfg->idle_us == 0 ||
        cfg->linger_us == 0)
        return LAMP_EINVAL;

    int err = LAMP_ENOMEM;
    lamp_flows *t = calloc(1, sizeof(*t));
    if (!t)
        return err;
    t->cfg = *cfg;
    t->tick_us = cfg->idle_us / (WHEEL / 2) + 1;
    size_t n = 2;
    while (n < 2 * cfg->max_flows)
        n *= 2;
    t->mask = (uint32_t)(n - 1);
    t->places = calloc(n, sizeof(*t->places));
    t->pool = aligned_alloc(64, cfg->max_flows * sizeof(*t->pool));
    if (!t->places || !t->pool)
        goto fail;
    if (getrandom(t->seed, sizeof(t->seed), 0) != sizeof(t->seed)) {
        err = -errno;
        goto fail;
    }

    memset(t->wheel, 0xff, sizeof(t->wheel));
    t->free = NONE;
    *out = t;
    return LAMP_OK;
fail:
    lamp_flows_free(t);
    return err;
}

lamp_flows *lamp_flows_free(lamp_flows *t)
{
    if (!t)
        return NULL;
    free(t->places);
    free(t->pool);
    free(t);
    return NULL;
}

/* -- key and hash -------------------------------------------------------------------- */

static uint64_t word(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Any order of the two ends will do, as long as it is always the same one. */
static bool src_is_first(const struct lamp_pkt *p)
{
    uint64_t s = word(p->src.b), d = word(p->dst.b);
    if (s != d)
        return s < d;
    s = word(p->src.b + 8), d = word(p->dst.b + 8);
    if (s != d)
        return s < d;
    return p->src_port <= p->dst_port;
}

static uint64_t rotl(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotl(v[1], 13) ^ v[0], v[0] = rotl(v[0], 32);
    v[2] += v[3], v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotl(v[1], 17) ^ v[2], v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    v[0] ^= m;
}

/* SipHash-1-3 (Aumasson and Bernstein, 2012) over the key's words. The upper halves of IPv4
 * addresses are all alike and left out. */
static uint32_t key_hash(const uint64_t seed[2], const struct lamp_flow_key *k)
{
    uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                      seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573 };
    uint64_t upper[2] = { word(k->addr[0].b), word(k->addr[1].b) };
    if (upper[0] | upper[1]) {
        sip_word(v, upper[0]);
        sip_word(v, upper[1]);
    }
    sip_word(v, word(k->addr[0].b + 8));
    sip_word(v, word(k->addr[1].b + 8));
    sip_word(v, (uint64_t)k->port[0] << 32 | (uint64_t)k->port[1] << 16 | k->ip_proto);
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    uint64_t h = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t)(h ^ h >> 32);
}

static bool key_eq(const struct lamp_flow_key *a, const struct lamp_flow_key *b)
{
    return lamp_addr_eq(&a->addr[0], &b->addr[0]) && lamp_addr_eq(&a->addr[1], &b->addr[1]) &&
           a->port[0] == b->port[0] && a->port[1] == b->port[1] && a->ip_proto == b->ip_proto;
}

/* -- hash table ---------------------------------------------------------------------- */

static struct lamp_flow *find(lamp_flows *t, const struct lamp_flow_key *key, uint32_t hash)
{
    for (uint32_t i = hash & t->mask; t->places[i].flow; i = (i + 1) & t->mask) {
        if (t->places[i].hash != hash)
            continue;
        struct lamp_flow *f = &t->pool[t->places[i].flow - 1];
        if (key_eq(&f->key, key))
            return f;
    }
    return NULL;
}

static void place_add(lamp_flows *t, uint32_t flow, uint32_t hash)
{
    uint32_t i = hash & t->mask;
    while (t->places[i].flow)
        i = (i + 1) & t->mask;
    t->places[i] = (struct place){ hash, flow + 1 };
}

static void place_remove(lamp_flows *t, uint32_t flow)
{
    uint32_t i = t->pool[flow].hash & t->mask;
    while (t->places[i].flow != flow + 1)
        i = (i + 1) & t->mask;
    /* close the hole: move up each later entry whose own place is not past the hole */
    for (uint32_t j = (i + 1) & t->mask; t->places[j].flow; j = (j + 1) & t->mask) {
        if (((j - t->places[j].hash) & t->mask) < ((j - i) & t->mask))
            continue;
        t->places[i] = t->places[j];
        i = j;
    }
    t->places[i].flow = 0;
}

/* -- timer wheel --------------------------------------------------------------------- */

static uint64_t timeout(const lamp_flows *t, const struct lamp_flow *f)
{
    return f->closing ? t->cfg.linger_us : t->cfg.idle_us;
}

/* The slot of the flow's present deadline, never the one being swept. */
static uint16_t due_slot(const lamp_flows *t, const struct lamp_flow *f)
{
    uint64_t tick = (f->last_us + timeout(t, f)) / t->tick_us;
    if (tick <= t->tick)
        tick = t->tick + 1;
    if (tick >= t->tick + WHEEL)
        tick = t->tick + WHEEL - 1;
    return (uint16_t)(tick % WHEEL);
}

static void wheel_add(lamp_flows *t, struct lamp_flow *f)
{
    uint32_t self = (uint32_t)(f - t->pool);
    f->wheel_slot = due_slot(t, f);
    f->prev = NONE;
    f->next = t->wheel[f->wheel_slot];
    if (f->next != NONE)
        t->pool[f->next].prev = self;
    t->wheel[f->wheel_slot] = self;
}

static void wheel_remove(lamp_flows *t, struct lamp_flow *f)
{
    if (f->prev != NONE)
        t->pool[f->prev].next = f->next;
    else
        t->wheel[f->wheel_slot] = f->next;
    if (f->next != NONE)
        t->pool[f->next].prev = f->prev;
}

static void wheel_move(lamp_flows *t, struct lamp_flow *f)
{
    wheel_remove(t, f);
    wheel_add(t, f);
}

/* -- life of a flow ------------------------------------------------------------------ */

static void end(lamp_flows *t, struct lamp_flow *f)
{
    if (t->cfg.ended)
        t->cfg.ended(f, t->cfg.arg);
    uint32_t self = (uint32_t)(f - t->pool);
    place_remove(t, self);
    wheel_remove(t, f);
    f->next = t->free;
    t->free = self;
    t->n.ended++;
    t->n.live--;
}

static void sweep(lamp_flows *t, uint32_t slot, uint64_t now_us)
{
    for (uint32_t i = t->wheel[slot], next; i != NONE; i = next) {
        struct lamp_flow *f = &t->pool[i];
        next = f->next;
        /* silent too long, or from a future that the clock has taken back */
        uint64_t away = now_us > f->last_us ? now_us - f->last_us : f->last_us - now_us;
        if (away >= timeout(t, f))
            end(t, f);
        else
            wheel_move(t, f);
    }
}

void lamp_flows_expire(lamp_flows *t, uint64_t now_us)
{
    if (now_us - t->tick_start_us < t->tick_us)
        return;
    uint64_t tick = now_us / t->tick_us, from = t->tick;
    if (tick < from && from - tick < WHEEL / 2)
        return; /* a little disorder */
    t->tick = tick;
    t->tick_start_us = tick * t->tick_us;
    if (tick < from)
        return; /* stepped back for good: each slot gets its turn within a round */
    uint64_t n = lamp_min(tick - from, WHEEL);
    for (uint64_t i = 0; i < n; i++)
        sweep(t, (uint32_t)((tick - n + 1 + i) % WHEEL), now_us);
}

void lamp_flows_end_all(lamp_flows *t)
{
    for (uint32_t slot = 0; slot < WHEEL; slot++)
        while (t->wheel[slot] != NONE)
            end(t, &t->pool[t->wheel[slot]]);
}

/* Ends the flow that was silent longest, near enough: slots are visited in the order of
 * their deadlines, and flows that moved on meanwhile are put where they belong. */
static bool evict(lamp_flows *t)
{
    struct lamp_flow *kept = NULL;
    unsigned tries = 0;
    for (uint32_t n = 1; n <= WHEEL && tries < EVICT_TRIES; n++) {
        uint32_t slot = (uint32_t)((t->tick + n) % WHEEL);
        for (uint32_t i = t->wheel[slot], next; i != NONE && tries < EVICT_TRIES; i = next) {
            struct lamp_flow *f = &t->pool[i];
            next = f->next;
            tries++;
            if (due_slot(t, f) != slot) {
                wheel_move(t, f);
            } else if (f->keep) {
                kept = kept ? kept : f;
            } else {
                t->n.evicted++;
                end(t, f);
                return true;
            }
        }
    }
    if (!kept)
        return false;
    t->n.evicted++;
    end(t, kept);
    return true;
}

static bool is_syn(const struct lamp_pkt *p)
{
    return p->ip_proto == LAMP_IPPROTO_TCP && p->tcp_flags & LAMP_TCP_SYN;
}

/* A node for a new flow; NULL: no room could be made. */
static struct lamp_flow *take_node(lamp_flows *t)
{
    if (t->free == NONE && t->n_used < t->cfg.max_flows)
        return &t->pool[t->n_used++];
    if (t->free == NONE && !evict(t))
        return NULL;
    struct lamp_flow *f = &t->pool[t->free];
    t->free = f->next;
    return f;
}

static struct lamp_flow *create(lamp_flows *t, const struct lamp_flow_key *key, uint32_t hash,
                                const struct lamp_pkt *pkt, bool src)
{
    struct lamp_flow *f = take_node(t);
    if (!f) {
        t->n.refused++;
        return NULL;
    }
    *f = (struct lamp_flow){ .key = *key, .hash = hash };

    /* src is the index of the sender. A SYN+ACK comes from the server. */
    if (is_syn(pkt)) {
        f->saw_syn = true;
        f->client = src ^ !!(pkt->tcp_flags & LAMP_TCP_ACK);
    } else {
        f->client = src ^ (key->port[src] < key->port[!src]);
    }
    f->n_vlans = pkt->n_vlans & 7U;
    for (unsigned i = 0; i < pkt->n_vlans; i++)
        f->vlans[i] = pkt->vlans[i];
    f->first_us = f->last_us = pkt->t_us;

    place_add(t, (uint32_t)(f - t->pool), hash);
    wheel_add(t, f);
    t->n.created++;
    t->n.live++;
    return f;
}

/* Whether a SYN in a known flow opens another connection on the same ports, rather than
 * being the first one's again. */
static bool is_reuse(const struct lamp_flow *f, const struct lamp_pkt *pkt, enum lamp_dir dir)
{
    if (!is_syn(pkt) || pkt->tcp_flags & (LAMP_TCP_ACK | LAMP_TCP_RST))
        return false;
    if (dir == LAMP_UP && f->has_seq_up)
        return pkt->tcp_seq + 1 != f->first_seq[LAMP_UP];
    return f->closing || f->n_payloads[LAMP_UP] || f->n_payloads[LAMP_DOWN];
}

static void tcp_state(lamp_flows *t, struct lamp_flow *f, const struct lamp_pkt *pkt,
                      enum lamp_dir dir)
{
    if (pkt->tcp_flags & LAMP_TCP_SYN) {
        f->first_seq[dir] = pkt->tcp_seq + 1;
        if (dir == LAMP_UP)
            f->has_seq_up = true;
        else
            f->has_seq_down = true;
    }
    if (!(pkt->tcp_flags & (LAMP_TCP_FIN | LAMP_TCP_RST)) || f->closing)
        return;
    if (pkt->tcp_flags & LAMP_TCP_FIN) {
        if (dir == LAMP_UP)
            f->fin_up = true;
        else
            f->fin_down = true;
    }
    if (pkt->tcp_flags & LAMP_TCP_RST || (f->fin_up && f->fin_down)) {
        f->closing = true;
        wheel_move(t, f);
    }
}

int lamp_flows_touch(lamp_flows *t, const struct lamp_pkt *pkt, struct lamp_flow **out,
                     enum lamp_dir *out_dir)
{
    bool src = !src_is_first(pkt);
    struct lamp_flow_key key;
    key.addr[src] = pkt->src;
    key.addr[!src] = pkt->dst;
    key.port[src] = pkt->src_port;
    key.port[!src] = pkt->dst_port;
    key.ip_proto = pkt->ip_proto;
    uint32_t hash = key_hash(t->seed, &key);

    struct lamp_flow *f = find(t, &key, hash);
    if (f && is_reuse(f, pkt, src == f->client ? LAMP_UP : LAMP_DOWN)) {
        end(t, f);
        f = NULL;
    }
    if (!f)
        f = create(t, &key, hash, pkt, src);
    if (!f)
        return LAMP_EFULL;

    enum lamp_dir dir = src == f->client ? LAMP_UP : LAMP_DOWN;
    f->packets[dir]++;
    f->bytes[dir] += pkt->frame_len;
    if (pkt->t_us > f->last_us)
        f->last_us = pkt->t_us;
    else if (pkt->t_us < f->first_us)
        f->first_us = pkt->t_us;
    if (pkt->tcp_flags & (LAMP_TCP_SYN | LAMP_TCP_FIN | LAMP_TCP_RST))
        tcp_state(t, f, pkt, dir);
    *out = f;
    *out_dir = dir;
    return LAMP_OK;
}

struct lamp_flows_counters lamp_flows_counters(const lamp_flows *t)
{
    return t->n;
}
