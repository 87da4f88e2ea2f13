/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/known.h"

enum { WAYS = 4 }; /* places a pair may be in */

/* Rounds of what MurmurHash3 (Appleby) ends with. Collisions cost a memory, nothing else. */
static size_t set_of(const struct lamp_addr *client, const struct lamp_addr *server, uint16_t port)
{
    uint64_t words[4], h = port;
    memcpy(words, client, 16);
    memcpy(words + 2, server, 16);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        h = (h ^ words[i]) * 0xff51afd7ed558ccd;
        h ^= h >> 33;
    }
    return (size_t)(h % (LAMP_KNOWN_PAIRS / WAYS)) * WAYS;
}

static bool is_fresh(const struct lamp_known_pair *p, uint64_t now_us)
{
    return p->verdict != LAMP_VERDICT_NONE && now_us < p->last_us + LAMP_KNOWN_US;
}

static const struct lamp_known_pair *find(const struct lamp_known *k,
                                          const struct lamp_addr *client,
                                          const struct lamp_addr *server, uint16_t server_port,
                                          uint8_t ip_proto)
{
    const struct lamp_known_pair *p = &k->pairs[set_of(client, server, server_port)];
    for (size_t i = 0; i < WAYS; i++, p++)
        if (p->verdict != LAMP_VERDICT_NONE && p->server_port == server_port &&
            p->ip_proto == ip_proto && lamp_addr_eq(&p->client, client) &&
            lamp_addr_eq(&p->server, server))
            return p;
    return NULL;
}

void lamp_known_note(struct lamp_known *k, const struct lamp_conn *c)
{
    if (c->verdict < LAMP_VERDICT_PROBABLE || c->recalled)
        return;
    const struct lamp_known_pair *was =
        find(k, &c->client, &c->server, c->server_port, c->ip_proto);
    struct lamp_known_pair *p = &k->pairs[set_of(&c->client, &c->server, c->server_port)];
    if (was) {
        p = &k->pairs[was - k->pairs];
    } else {
        struct lamp_known_pair *const set = p;
        for (size_t i = 1; i < WAYS; i++)
            if (set[i].last_us < p->last_us)
                p = &set[i];
    }
    if (was && is_fresh(was, c->last_us) && c->verdict < was->verdict)
        return;
    *p = (struct lamp_known_pair){ c->client,  c->server,     c->server_port, c->ip_proto,
                                   c->verdict, c->confidence, c->last_us };
}

const struct lamp_known_pair *lamp_known_find(const struct lamp_known *k,
                                              const struct lamp_addr *client,
                                              const struct lamp_addr *server, uint16_t server_port,
                                              uint8_t ip_proto, uint64_t now_us)
{
    const struct lamp_known_pair *p = find(k, client, server, server_port, ip_proto);
    return p && is_fresh(p, now_us) ? p : NULL;
}
