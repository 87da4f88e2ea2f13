/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/flow.h"

#include "common/min.h"
#include "common/pages.h"

#include <endian.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

static_assert(sizeof(struct lamp_flow) <= 128, "a flow is two cache lines");

enum {
    WHEEL = 512,       /* slots; an idle flow's deadline is at most half a turn ahead */
    SWARM = 16,        /* flows ended together */
    EVICT_TRIES = 256, /* flows looked at for one that may go, in the order of deadlines */
    EVICT_PROBES = 32, /* and at random, */
    EVICT_CHOICE = 4,  /* until so many may go */
    HOSTS_MIN = 256,   /* counts of flows by client, more for larger tables */
    HOSTS_MAX = 65536,
    KEY_WORDS = 6, /* of 64 bits: two addresses, ports and protocol, VLANs */
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
    uint64_t secret[2 * KEY_WORDS]; /* random, of aim_at() */
    /* How many flows clients own, by hash of their address: clients that share a count may be
     * taken for one large one, which costs them a flow of a full table at worst. */
    uint32_t *hosts, hosts_mask, hosts_over; /* hosts_over: counts above the share */
    uint64_t random;                         /* state of next_random() */
    /* Timer wheel: a flow hangs in the slot of the tick its deadline had when it was put
     * there. Packets do not move it; the sweep does, if it finds the deadline moved. */
    unsigned tick_shift; /* a tick is so many microseconds to the power of two */
    uint64_t tick, tick_start_us;
    uint64_t first_tick; /* no flow hangs in a slot between tick and this one */
    uint32_t wheel[WHEEL];
    struct lamp_flows_counters n;
};

/* Zeroed memory at the start of a page, in huge ones if the system has them. NULL: none. */
static void *take_pages(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    lamp_pages_want_huge(p, bytes);
    return p;
}

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
    if (t->cfg.host_share == 0)
        t->cfg.host_share = cfg->max_flows / 4;
    while (cfg->idle_us >> t->tick_shift >= WHEEL / 2)
        t->tick_shift++;
    size_t n = 2, hosts = HOSTS_MIN;
    while (n < 2 * cfg->max_flows)
        n *= 2;
    while (hosts < HOSTS_MAX && hosts < cfg->max_flows / 4)
        hosts *= 2;
    t->mask = (uint32_t)(n - 1);
    t->hosts_mask = (uint32_t)(hosts - 1);
    t->hosts = calloc(hosts, sizeof(*t->hosts));
    t->places = take_pages(n * sizeof(*t->places));
    t->pool = take_pages(cfg->max_flows * sizeof(*t->pool));
    if (!t->hosts || !t->places || !t->pool)
        goto fail;
    if (getrandom(t->secret, sizeof(t->secret), 0) != sizeof(t->secret)) {
        err = -errno;
        goto fail;
    }
    t->random = t->secret[0] | 1;

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
    if (t->places)
        munmap(t->places, ((size_t)t->mask + 1) * sizeof(*t->places));
    if (t->pool)
        munmap(t->pool, t->cfg.max_flows * sizeof(*t->pool));
    free(t->hosts);
    free(t);
    return NULL;
}

/* -- key and hash -------------------------------------------------------------------- */

static inline uint64_t word(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* The VLANs of a packet as one number: those that a flow remembers. */
static uint64_t vlan_word(const uint16_t *vlans, unsigned n)
{
    uint64_t w = n;
    for (unsigned i = 0; i < n; i++)
        w = w << 12 | vlans[i];
    return w;
}

/* What a word of a key adds to its hash: multilinear hashing (Lemire and Kaser, "Strongly universal
 * string hashing is fast", The Computer Journal 57, 2014, section 3, MULTILINEAR-HM). Without the
 * secrets, of which each word has two, nobody can choose two keys whose sums have the same upper half
 * with more than the chance of one in 2^32; and a word costs one multiplication. */
static inline uint64_t term(const uint64_t secret[2], uint64_t word)
{
    return (secret[0] + (uint32_t)word) * (secret[1] + (word >> 32));
}

/* Every bit of the sum moves every bit of the result, so that what lies in a row (ports, addresses)
 * does not lie in a row in the table: the end of MurmurHash3 (Appleby), which is a bijection. */
static inline uint64_t spread(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
    return h ^ h >> 33;
}

static inline void swap_where(uint64_t mask, uint64_t *a, uint64_t *b)
{
    const uint64_t other = (*a ^ *b) & mask;
    *a ^= other;
    *b ^= other;
}

/* Both addresses IPv4, mapped: all but the last four bytes are the same in every one. */
static inline bool are_v4(const uint64_t a[2], const uint64_t b[2])
{
    static const uint8_t mapped[8] = { 0, 0, 0xff, 0xff };
    const uint64_t mask = UINT32_MAX; /* of the bytes that come first, in memory */
    const uint64_t first4 = htole64(mask), want = word(mapped);
    return ((a[0] | b[0]) | ((a[1] ^ want) & first4) | ((b[1] ^ want) & first4)) == 0;
}

static inline uint64_t vlan_term(const lamp_flows *t, const struct lamp_pkt *p)
{
    return t->cfg.vlan_key ? term(t->secret + 10, vlan_word(p->vlans, p->n_vlans)) : 0;
}

/* Puts the ends in an order, of which any will do that is always the same one, and hashes them
 * with the protocol and, where it counts, the VLANs. Which way a packet goes is anyone's guess, so
 * nothing here branches on it. */
static __attribute__((noinline)) struct lamp_flow_aim aim_at_any(const lamp_flows *t,
                                                                 const struct lamp_pkt *p)
{
    uint64_t src[2] = { word(p->src.b), word(p->src.b + 8) };
    uint64_t dst[2] = { word(p->dst.b), word(p->dst.b + 8) };
    uint64_t src_port = p->src_port, dst_port = p->dst_port;
    bool swap = src_port > dst_port;
    swap = src[1] != dst[1] ? src[1] > dst[1] : swap;
    swap = src[0] != dst[0] ? src[0] > dst[0] : swap;
    const uint64_t mask = -(uint64_t)swap, *secret = t->secret;
    swap_where(mask, &src[0], &dst[0]);
    swap_where(mask, &src[1], &dst[1]);
    swap_where(mask, &src_port, &dst_port);
    const uint64_t h = term(secret, src[0]) + term(secret + 2, src[1]) + term(secret + 4, dst[0]) +
                       term(secret + 6, dst[1]) +
                       term(secret + 8, (uint64_t)p->ip_proto << 32 | src_port << 16 | dst_port);
    return (struct lamp_flow_aim){ spread(h + vlan_term(t, p)), 0, swap };
}

/* The same. Two IPv4 addresses have an order and a sum of their own, of two words: every other pair
 * of addresses is taken the other way. */
static inline struct lamp_flow_aim aim_at(const lamp_flows *t, const struct lamp_pkt *p)
{
    const uint64_t src[2] = { word(p->src.b), word(p->src.b + 8) };
    const uint64_t dst[2] = { word(p->dst.b), word(p->dst.b + 8) };
    if (!are_v4(src, dst))
        return aim_at_any(t, p);
    const uint64_t from = le64toh(src[1]) >> 32 << 16 | p->src_port;
    const uint64_t to = le64toh(dst[1]) >> 32 << 16 | p->dst_port;
    const bool swap = from > to;
    const uint64_t low = swap ? to : from, high = swap ? from : to;
    const uint64_t h =
        term(t->secret + 6, low) + term(t->secret + 8, high | (uint64_t)p->ip_proto << 48);
    return (struct lamp_flow_aim){ spread(h + vlan_term(t, p)), 0, swap };
}

/* Where a client's flows are counted. */
static uint32_t *host_count(const lamp_flows *t, const struct lamp_addr *client)
{
    const uint64_t h = term(t->secret, word(client->b)) + term(t->secret + 2, word(client->b + 8));
    return &t->hosts[spread(h) & t->hosts_mask];
}

/* Whether f is the packet's, given that their hashes are alike. */
static inline bool is_of(const lamp_flows *t, const struct lamp_flow *f, const struct lamp_pkt *p,
                         bool src)
{
    return lamp_addr_eq(&f->key.addr[src], &p->src) && lamp_addr_eq(&f->key.addr[!src], &p->dst) &&
           f->key.port[src] == p->src_port && f->key.port[!src] == p->dst_port &&
           f->key.ip_proto == p->ip_proto &&
           (!t->cfg.vlan_key || vlan_word(f->vlans, f->n_vlans) == vlan_word(p->vlans, p->n_vlans));
}

/* -- hash table ---------------------------------------------------------------------- */

static __attribute__((noinline)) struct lamp_flow *find(lamp_flows *t, const struct lamp_pkt *pkt,
                                                        const struct lamp_flow_aim *aim)
{
    const uint32_t hash = (uint32_t)aim->hash;
    for (uint32_t i = hash & t->mask; t->places[i].flow; i = (i + 1) & t->mask) {
        if (t->places[i].hash != hash)
            continue;
        struct lamp_flow *f = &t->pool[t->places[i].flow - 1];
        if (is_of(t, f, pkt, aim->src))
            return f;
    }
    return NULL;
}

void lamp_flows_aim(const lamp_flows *t, const struct lamp_pkt *pkts, size_t n,
                    struct lamp_flow_aim *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = aim_at(t, &pkts[i]);
    /* Nothing else is done in this loop and the next: what a request waits for is less the line than
     * the page it is in, and a processor finds several at once only where they are close in its work. */
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(&t->places[(uint32_t)out[i].hash & t->mask]);
}

void lamp_flows_fetch(const lamp_flows *t, const struct lamp_pkt *pkts, size_t n,
                      struct lamp_flow_aim *io)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t hash = (uint32_t)io[i].hash;
        uint32_t at = hash & t->mask;
        while (t->places[at].flow && t->places[at].hash != hash)
            at = (at + 1) & t->mask;
        io[i].flow = t->places[at].flow;
        if (!io[i].flow) { /* a new flow, most likely of its sender */
            __builtin_prefetch(host_count(t, &pkts[i].src), 1);
            continue;
        }
        const char *f = (const char *)&t->pool[io[i].flow - 1];
        __builtin_prefetch(f, 1);
        __builtin_prefetch(f + 64, 1);
    }
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

/* The tick of the flow's present deadline, never the one being swept. */
static uint64_t due_tick(const lamp_flows *t, const struct lamp_flow *f)
{
    uint64_t tick = (f->last_us + timeout(t, f)) >> t->tick_shift;
    if (tick <= t->tick)
        tick = t->tick + 1;
    if (tick >= t->tick + WHEEL)
        tick = t->tick + WHEEL - 1;
    return tick;
}

static void wheel_add(lamp_flows *t, struct lamp_flow *f)
{
    uint32_t self = (uint32_t)(f - t->pool);
    uint64_t tick = due_tick(t, f);
    if (tick < t->first_tick)
        t->first_tick = tick;
    f->wheel_slot = (uint16_t)(tick % WHEEL);
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

/* This and create() are kept out of the path of a packet in a known flow. */
static __attribute__((noinline)) void end(lamp_flows *t, struct lamp_flow *f)
{
    if (t->cfg.ended)
        t->cfg.ended(f, t->cfg.arg);
    uint32_t self = (uint32_t)(f - t->pool);
    place_remove(t, self);
    wheel_remove(t, f);
    uint32_t *owned = host_count(t, &f->key.addr[f->client]);
    if ((*owned)-- == t->cfg.host_share + 1)
        t->hosts_over--;
    f->live = false;
    f->next = t->free;
    t->free = self;
    t->n.ended++;
    t->n.live--;
}

static void end_swarm(lamp_flows *t, struct lamp_flow **due, size_t *io_n)
{
    for (size_t i = 0; i < *io_n; i++)
        end(t, due[i]);
    *io_n = 0;
}

/* Flows end in swarms: what ending each needs from memory is asked for before the first is ended. */
static void sweep(lamp_flows *t, uint32_t slot, uint64_t now_us)
{
    struct lamp_flow *due[SWARM];
    size_t n = 0;
    for (uint32_t i = t->wheel[slot], next; i != NONE; i = next) {
        struct lamp_flow *f = &t->pool[i];
        next = f->next;
        if (next != NONE)
            __builtin_prefetch(&t->pool[next]);
        /* silent too long, or from a future that the clock has taken back */
        uint64_t away = now_us > f->last_us ? now_us - f->last_us : f->last_us - now_us;
        if (away < timeout(t, f)) {
            wheel_move(t, f);
            continue;
        }
        due[n++] = f;
        __builtin_prefetch(&t->places[f->hash & t->mask], 1);
        __builtin_prefetch(host_count(t, &f->key.addr[f->client]), 1);
        if (n == SWARM)
            end_swarm(t, due, &n);
    }
    end_swarm(t, due, &n);
}

void lamp_flows_expire(lamp_flows *t, uint64_t now_us)
{
    if ((now_us - t->tick_start_us) >> t->tick_shift == 0)
        return;
    uint64_t tick = now_us >> t->tick_shift, from = t->tick;
    if (tick < from && from - tick < WHEEL / 2)
        return; /* a little disorder */
    t->tick = tick;
    t->tick_start_us = tick << t->tick_shift;
    t->first_tick = tick + 1;
    if (tick < from)
        return; /* stepped back for good: each slot gets its turn within a round */
    uint64_t n = lamp_min_u64(tick - from, WHEEL);
    for (uint64_t i = 0; i < n; i++)
        sweep(t, (uint32_t)((tick - n + 1 + i) % WHEEL), now_us);
}

void lamp_flows_calm(const lamp_flows *t, uint64_t *out_from_us, uint64_t *out_us)
{
    *out_from_us = t->tick_start_us;
    *out_us = UINT64_C(1) << t->tick_shift;
}

void lamp_flows_each(lamp_flows *t, lamp_flow_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < t->n_used; i++)
        if (t->pool[i].live)
            fn(&t->pool[i], arg);
}

void lamp_flows_end_all(lamp_flows *t)
{
    for (uint32_t i = 0; i < t->n_used; i++) {
        struct lamp_flow *f = &t->pool[i];
        if (!f->live)
            continue;
        if (t->cfg.ended)
            t->cfg.ended(f, t->cfg.arg);
        f->live = false;
        t->n.ended++;
        t->n.live--;
    }
    /* nothing is left: no need to take each out of its lists */
    const size_t places_bytes = ((size_t)t->mask + 1) * sizeof(*t->places);
    if (madvise(t->places, places_bytes, MADV_DONTNEED) != 0) /* zeroes, and costs less */
        memset(t->places, 0, places_bytes);
    memset(t->hosts, 0, ((size_t)t->hosts_mask + 1) * sizeof(*t->hosts));
    memset(t->wheel, 0xff, sizeof(t->wheel));
    t->hosts_over = t->n_used = 0;
    t->free = NONE;
}

/* -- eviction ------------------------------------------------------------------------ */

/* xorshift64 (Marsaglia, 2003): which flows are looked at is no secret worth more. */
static uint32_t next_random(lamp_flows *t)
{
    uint64_t x = t->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    t->random = x;
    return (uint32_t)(x >> 32);
}

/* The most silent of some flows met at random that may go: of clients over their share, or of
 * any. Clients over their share own so much of the table that a few tries find theirs. */
static struct lamp_flow *probe(lamp_flows *t, bool over_share)
{
    struct lamp_flow *best = NULL;
    for (unsigned i = 0, met = 0; i < EVICT_PROBES && met < EVICT_CHOICE; i++) {
        struct lamp_flow *f = &t->pool[(uint64_t)next_random(t) * t->n_used >> 32];
        if (!f->live || f->keep)
            continue;
        if (over_share && *host_count(t, &f->key.addr[f->client]) <= t->cfg.host_share)
            continue;
        met++;
        if (!best || f->last_us < best->last_us)
            best = f;
    }
    return best;
}

/* The flow that was silent longest, near enough: slots are visited in the order of their
 * deadlines, and flows that moved on meanwhile are put where they belong. NULL: only kept ones
 * were met, the first of which is *out_kept. */
static struct lamp_flow *oldest(lamp_flows *t, struct lamp_flow **out_kept)
{
    unsigned tries = 0;
    uint64_t tick = t->first_tick > t->tick ? t->first_tick : t->tick + 1;
    t->first_tick = tick;
    for (; tick <= t->tick + WHEEL && tries < EVICT_TRIES; tick++) {
        uint32_t slot = (uint32_t)(tick % WHEEL);
        for (uint32_t i = t->wheel[slot], next; i != NONE && tries < EVICT_TRIES; i = next) {
            struct lamp_flow *f = &t->pool[i];
            next = f->next;
            tries++;
            if (due_tick(t, f) % WHEEL != slot)
                wheel_move(t, f);
            else if (!f->keep)
                return f;
            else if (!*out_kept)
                *out_kept = f;
        }
        if (t->wheel[slot] == NONE && t->first_tick == tick)
            t->first_tick++;
    }
    return NULL;
}

static bool evict(lamp_flows *t)
{
    struct lamp_flow *kept = NULL, *f = t->hosts_over ? probe(t, true) : NULL;
    if (f)
        t->n.evicted_share++;
    else
        f = oldest(t, &kept);
    if (!f)
        f = probe(t, false);
    if (!f)
        f = kept;
    if (!f)
        return false;
    t->n.evicted++;
    end(t, f);
    return true;
}

/* -- packets ------------------------------------------------------------------------- */

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
    if (t->free != NONE)
        __builtin_prefetch(&t->pool[t->free].next, 1); /* the next one's turn comes soon */
    return f;
}

/* How likely the port is a client's. */
static unsigned port_rank(const lamp_flows *t, uint16_t port)
{
    if (port < 1024)
        return 0;
    if (t->cfg.catalogue && lamp_catalogue_is_pool_port(t->cfg.catalogue, port))
        return 1;
    return port < 32768 ? 2 : 3; /* where Linux begins to pick (ip(7)); others do higher up */
}

/* Which of the ends in f is the client, by the first packet seen. */
static bool client_of(const lamp_flows *t, const struct lamp_flow *f, const struct lamp_pkt *pkt,
                      bool src)
{
    if (is_syn(pkt)) /* a SYN+ACK comes from the server */
        return src ^ !!(pkt->tcp_flags & LAMP_TCP_ACK);
    const unsigned mine = port_rank(t, f->key.port[src]), other = port_rank(t, f->key.port[!src]);
    if (mine != other)
        return src ^ (mine < other);
    return src ^ (f->key.port[src] < f->key.port[!src]);
}

static __attribute__((noinline)) struct lamp_flow *create(lamp_flows *t, const struct lamp_pkt *pkt,
                                                          const struct lamp_flow_aim *aim)
{
    struct lamp_flow *f = take_node(t);
    if (!f) {
        t->n.refused++;
        return NULL;
    }
    const bool src = aim->src;
    *f = (struct lamp_flow){ .hash = (uint32_t)aim->hash, .live = true };
    f->key.addr[src] = pkt->src;
    f->key.addr[!src] = pkt->dst;
    f->key.port[src] = pkt->src_port;
    f->key.port[!src] = pkt->dst_port;
    f->key.ip_proto = pkt->ip_proto;
    f->saw_syn = is_syn(pkt);
    f->client = client_of(t, f, pkt, src);
    f->n_vlans = pkt->n_vlans & 7U;
    for (unsigned i = 0; i < pkt->n_vlans; i++)
        f->vlans[i] = pkt->vlans[i];
    f->first_us = f->last_us = pkt->t_us;

    place_add(t, (uint32_t)(f - t->pool), f->hash);
    wheel_add(t, f);
    if (++*host_count(t, &f->key.addr[f->client]) == t->cfg.host_share + 1)
        t->hosts_over++;
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

static __attribute__((noinline)) void tcp_state(lamp_flows *t, struct lamp_flow *f,
                                                const struct lamp_pkt *pkt, enum lamp_dir dir)
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

int lamp_flows_touch_aimed(lamp_flows *t, const struct lamp_pkt *pkt,
                           const struct lamp_flow_aim *aim, struct lamp_flow **out,
                           enum lamp_dir *out_dir)
{
    const bool src = aim->src;
    /* the node that was fetched, if it still is (or again) the packet's: no two are */
    struct lamp_flow *f = aim->flow ? &t->pool[aim->flow - 1] : NULL;
    if (!f || !f->live || !is_of(t, f, pkt, src))
        f = find(t, pkt, aim);
    if (f && is_reuse(f, pkt, src == f->client ? LAMP_UP : LAMP_DOWN)) {
        end(t, f);
        f = NULL;
    }
    if (!f)
        f = create(t, pkt, aim);
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

int lamp_flows_touch(lamp_flows *t, const struct lamp_pkt *pkt, struct lamp_flow **out,
                     enum lamp_dir *out_dir)
{
    struct lamp_flow_aim aim;
    lamp_flows_aim(t, pkt, 1, &aim);
    return lamp_flows_touch_aimed(t, pkt, &aim, out, out_dir);
}

struct lamp_flows_counters lamp_flows_counters(const lamp_flows *t)
{
    return t->n;
}
