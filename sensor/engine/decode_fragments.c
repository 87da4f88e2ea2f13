/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/decode_fragments.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

enum { WAYS = 4, MAX_DATAGRAMS = 1 << 20, RANGES = 6 };

struct range {
    uint32_t start, end;
};

struct datagram {
    struct lamp_datagram_key key;
    uint64_t t_us; /* of the first fragment; 0: not in use */
    struct lamp_addr src, dst;
    uint32_t seq, ack; /* seq: of the datagram's payload byte `payload_at` */
    uint32_t payload_at;
    uint32_t length; /* of the datagram's payload; 0: the last fragment was not seen */
    uint16_t src_port, dst_port;
    uint8_t ip_proto, tcp_flags, n_ranges;
    struct range ranges[RANGES]; /* what was seen of it; disjoint, not adjacent, any order */
};

struct lamp_fragments {
    uint64_t seed[2];
    uint64_t evicted;
    size_t mask; /* sets - 1 */
    struct datagram *pool;
};

int lamp_fragments_new(size_t max, lamp_fragments **out)
{
    assert(out);
    if (max == 0 || max > MAX_DATAGRAMS)
        return LAMP_EINVAL;
    lamp_fragments *t = calloc(1, sizeof(*t));
    if (!t)
        return LAMP_ENOMEM;
    size_t sets = 1;
    while (sets * WAYS < max)
        sets *= 2;
    t->mask = sets - 1;
    t->pool = calloc(sets * WAYS, sizeof(*t->pool));
    int err = t->pool ? LAMP_OK : LAMP_ENOMEM;
    if (err == LAMP_OK && getrandom(t->seed, sizeof(t->seed), 0) != sizeof(t->seed))
        err = -errno;
    if (err != LAMP_OK) {
        lamp_fragments_free(t);
        return err;
    }
    *out = t;
    return LAMP_OK;
}

lamp_fragments *lamp_fragments_free(lamp_fragments *t)
{
    if (!t)
        return NULL;
    free(t->pool);
    free(t);
    return NULL;
}

/* A keyed mix: multiply and fold, each word under a secret. Collisions cost nobody more than
 * WAYS comparisons, so this need not withstand more than guessing. */
static uint64_t mix(uint64_t h, uint64_t word, uint64_t secret)
{
    const uint64_t a = h ^ word, b = secret | 1;
#ifdef __SIZEOF_INT128__
    __extension__ const unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
#else /* the same by halves: processors of 32 bits */
    const uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
    const uint64_t up = (a >> 32) * (b & UINT32_MAX), down = (a & UINT32_MAX) * (b >> 32);
    const uint64_t middle = (low >> 32) + (up & UINT32_MAX) + (down & UINT32_MAX);
    return a * b ^ ((a >> 32) * (b >> 32) + (up >> 32) + (down >> 32) + (middle >> 32));
#endif
}

static struct datagram *set_of(const lamp_fragments *t, const struct lamp_datagram_key *key)
{
    uint64_t words[sizeof(*key) / 8], h = t->seed[1];
    static_assert(sizeof(*key) % 8 == 0, "a key is whole words, without padding");
    memcpy(words, key, sizeof(*key));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        h = mix(h, words[i], t->seed[0]);
    return t->pool + (h & t->mask) * WAYS;
}

static bool is_live(const struct datagram *d, uint64_t now_us)
{
    return d->t_us != 0 && now_us - d->t_us < LAMP_FRAGMENT_US;
}

static struct datagram *find(const lamp_fragments *t, const struct lamp_datagram_key *key)
{
    struct datagram *set = set_of(t, key);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].t_us != 0 && memcmp(&set[i].key, key, sizeof(*key)) == 0)
            return &set[i];
    return NULL;
}

/* The place for a new datagram: its own old one, a free one, or the oldest. */
static struct datagram *make_room(lamp_fragments *t, const struct lamp_datagram_key *key,
                                  uint64_t now_us)
{
    struct datagram *d = find(t, key);
    if (d)
        return d;
    struct datagram *set = set_of(t, key), *oldest = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (!is_live(&set[i], now_us))
            return &set[i];
        if (set[i].t_us < oldest->t_us)
            oldest = &set[i];
    }
    t->evicted++;
    return oldest;
}

/* Adds what a fragment covers. */
static enum lamp_fragment_fit cover(struct datagram *d, uint32_t start, uint32_t end)
{
    for (unsigned i = 0; i < d->n_ranges; i++)
        if (start < d->ranges[i].end && d->ranges[i].start < end)
            return LAMP_FRAGMENT_OVERLAPS;
    struct range add = { start, end };
    for (unsigned i = 0; i < d->n_ranges;) {
        struct range *r = &d->ranges[i];
        if (r->end != add.start && r->start != add.end) {
            i++;
            continue;
        }
        add.start = r->start < add.start ? r->start : add.start;
        add.end = r->end > add.end ? r->end : add.end;
        *r = d->ranges[--d->n_ranges];
    }
    if (d->n_ranges == RANGES)
        return LAMP_FRAGMENT_PIECES;
    d->ranges[d->n_ranges++] = add;
    return LAMP_FRAGMENT_FITS;
}

void lamp_fragments_first(lamp_fragments *t, const struct lamp_datagram_key *key,
                          const struct lamp_fragment *fragment, const struct lamp_pkt *first,
                          uint32_t payload_at)
{
    struct datagram *d = make_room(t, key, fragment->t_us);
    bool syn = first->tcp_flags & LAMP_TCP_SYN; /* takes a sequence number (RFC 9293 3.4) */
    *d = (struct datagram){
        .key = *key,
        .t_us = fragment->t_us ? fragment->t_us : 1,
        .src = first->src,
        .dst = first->dst,
        .src_port = first->src_port,
        .dst_port = first->dst_port,
        .ip_proto = first->ip_proto,
        .tcp_flags = first->tcp_flags & (uint8_t) ~(LAMP_TCP_SYN | LAMP_TCP_FIN | LAMP_TCP_RST),
        .seq = first->tcp_seq + syn,
        .ack = first->tcp_ack,
        .payload_at = payload_at,
        .ranges = { { fragment->start, fragment->end } },
        .n_ranges = 1,
    };
}

enum lamp_fragment_fit lamp_fragments_later(lamp_fragments *t, const struct lamp_datagram_key *key,
                                            const struct lamp_fragment *fragment,
                                            struct lamp_pkt *pkt, bool *out_stream)
{
    struct datagram *d = find(t, key);
    if (!d || !is_live(d, fragment->t_us))
        return LAMP_FRAGMENT_ORPHAN;
    enum lamp_fragment_fit fit = LAMP_FRAGMENT_FITS;
    if (fragment->end > fragment->start)
        fit = cover(d, fragment->start, fragment->end);
    if (fit != LAMP_FRAGMENT_FITS)
        return fit;

    pkt->src = d->src;
    pkt->dst = d->dst;
    pkt->src_port = d->src_port;
    pkt->dst_port = d->dst_port;
    pkt->ip_proto = d->ip_proto;
    pkt->tcp_flags = d->tcp_flags;
    pkt->tcp_ack = d->ack;
    bool stream = d->payload_at != 0 && fragment->start >= d->payload_at;
    pkt->tcp_seq = stream ? d->seq + (fragment->start - d->payload_at) : 0;
    if (fragment->last)
        d->length = fragment->end;
    if (d->n_ranges == 1 && d->ranges[0].start == 0 && d->ranges[0].end == d->length)
        d->t_us = 0; /* complete: its number may come back at once */
    *out_stream = stream;
    return LAMP_FRAGMENT_FITS;
}

uint64_t lamp_fragments_evicted(const lamp_fragments *t)
{
    return t->evicted;
}
