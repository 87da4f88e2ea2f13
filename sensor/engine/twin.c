/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/twin.h"

enum { AT_ONCE = 32 };

struct place {
    uint64_t print;
    uint64_t when; /* 48 bits of microseconds, 16 of the VLANs */
};

struct lamp_twins {
    struct place places[LAMP_TWIN_PLACES];
};

int lamp_twins_new(lamp_twins **out)
{
    lamp_twins *t = calloc(1, sizeof(*t));
    if (!t)
        return LAMP_ENOMEM;
    *out = t;
    return LAMP_OK;
}

lamp_twins *lamp_twins_free(lamp_twins *t)
{
    free(t);
    return NULL;
}

/* One round of what MurmurHash3 (Appleby) ends with: each bit of v moves all of h. */
static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0xff51afd7ed558ccd;
    return h ^ h >> 32;
}

/* What copies of the packet have in common. */
static uint64_t print_of(const struct lamp_pkt *pkt, const struct lamp_flow_aim *aim)
{
    uint64_t h = mix(aim->hash, (uint64_t)pkt->ip_id << 48 | (uint64_t)pkt->frag_off << 32 |
                                    (uint64_t)pkt->checksum << 16 | (uint64_t)pkt->tcp_flags << 8 |
                                    aim->src);
    h = mix(h, (uint64_t)pkt->tcp_seq << 32 | pkt->tcp_ack);
    return mix(h, pkt->payload_orig_len);
}

static uint16_t vlan_mark(const struct lamp_pkt *pkt)
{
    unsigned mark = pkt->n_vlans;
    for (unsigned i = 0; i < pkt->n_vlans; i++)
        mark = mark * 31 + pkt->vlans[i];
    return (uint16_t)mark;
}

/* Whether nothing but time and place tells a sender's repetition from a copy. */
static bool is_ambiguous(const struct lamp_pkt *pkt)
{
    return pkt->ip_id == 0 && (pkt->ip_proto != LAMP_IPPROTO_TCP || pkt->payload_orig_len == 0);
}

/* Given that the prints are the same. when: of the packet, as in a place. */
static bool is_again(const struct place *p, const struct lamp_pkt *pkt, uint64_t when)
{
    const uint64_t now = when >> 16, then = p->when >> 16;
    const uint64_t away = now > then ? now - then : then - now;
    return away <= LAMP_TWIN_US && (!is_ambiguous(pkt) || (uint16_t)p->when != (uint16_t)when);
}

/* Whether the packet is a copy of one seen before; if not, it is remembered. */
static inline bool is_copy(lamp_twins *t, const struct lamp_pkt *pkt, uint64_t print)
{
    struct place *p = &t->places[print % LAMP_TWIN_PLACES];
    const uint64_t when = pkt->t_us << 16 | (pkt->n_vlans ? vlan_mark(pkt) : 0);
    if (p->print == print && is_again(p, pkt, when))
        return true;
    *p = (struct place){ print, when };
    return false;
}

void lamp_twins_mark(lamp_twins *t, const struct lamp_pkt *pkts, const struct lamp_flow_aim *aims,
                     size_t n, enum lamp_decode *io_outcomes)
{
    uint64_t prints[AT_ONCE];
    for (size_t from = 0, to; from < n; from = to) {
        to = lamp_min(n, from + AT_ONCE);
        for (size_t i = from; i < to; i++) {
            prints[i - from] = print_of(&pkts[i], &aims[i]);
            __builtin_prefetch(&t->places[prints[i - from] % LAMP_TWIN_PLACES], 1);
        }
        for (size_t i = from; i < to; i++)
            if (lamp_decode_is_packet(io_outcomes[i]) && is_copy(t, &pkts[i], prints[i - from]))
                io_outcomes[i] = LAMP_DECODE_DUPLICATE;
    }
}
