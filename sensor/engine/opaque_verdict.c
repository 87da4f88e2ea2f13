/* SPDX-License-Identifier: Apache-2.0 */
/* Who the server is, what its rhythm and its times say, and what all of that amounts to. */
#include "common/text.h"
#include "sensor/engine/opaque_impl.h"

#include <stdio.h>

enum { EVALUATIONS = 2 /* that have to agree before other than words alarm */ };

struct lamp_conn *lamp_dim_conn(lamp_opaque *o, lamp_dim *d)
{
    if (d->slot)
        return &d->slot->conn;
    struct slot *s = o->free_slot;
    if (s) {
        o->free_slot = s->next_free;
    } else if (o->n_used_slots < o->n_slots) {
        s = &o->slots[o->n_used_slots++];
    } else {
        o->n.unnamed++;
        return NULL;
    }
    d->slot = s;
    const struct lamp_flow_facts *a = &d->facts;
    s->conn = (struct lamp_conn){
        .client = a->client,
        .server = a->server,
        .client_port = a->client_port,
        .server_port = a->server_port,
        .ip_proto = a->ip_proto,
        .midstream = !a->saw_syn,
        .first_us = a->first_us,
        .work_from_us = a->first_us,
    };
    return &s->conn;
}

/* Keeps the stronger identity. kind: of the evidence. */
static void identify(lamp_dim *d, struct lamp_identity found, const char *kind,
                     struct lamp_bytes name, uint64_t t_us)
{
    lamp_grounds_add(&d->grounds, LAMP_GROUND_IDENTITY, found.mass);
    if (found.mass.mining <= d->identity.mass.mining)
        return;
    d->identity = found;
    d->identity_kind = kind;
    d->identity_us = t_us;
    lamp_text_utf8(name.data, name.len, d->identity_name, sizeof(d->identity_name));
}

void lamp_dim_identify_name(lamp_opaque *o, lamp_dim *d, const char *kind, struct lamp_bytes name,
                            uint64_t t_us)
{
    const struct lamp_identity found =
        lamp_identity_of_name(o->cfg.catalogue, o->watch, name, d->facts.server_port);
    if (found.mass.mining > 0)
        identify(d, found, kind, name, t_us);
    else if (lamp_identity_hint(name)) {
        d->hint = true;
        lamp_grounds_add(&d->grounds, LAMP_GROUND_IDENTITY, lamp_mass_keyword);
    }
}

void lamp_dim_identify_server(lamp_opaque *o, lamp_dim *d, uint64_t t_us)
{
    const struct lamp_identity found =
        lamp_identity_of_address(o->watch, &d->facts.server, d->facts.server_port);
    if (found.mass.mining > 0)
        identify(d, found, "address", (struct lamp_bytes){ 0 }, t_us);
    if (d->server_name[0])
        lamp_dim_identify_name(o, d, "dns-name", lamp_bytes_of(d->server_name), t_us);
}

/* The part of the traffic that an identity of that kind comes from; NULL: words of any name. */
static const char *identity_field(const char *kind)
{
    return !kind                            ? "name of the server"
           : streq(kind, "tls-name")        ? "server_name of the ClientHello"
           : streq(kind, "tls-certificate") ? "names in the certificate"
           : streq(kind, "dns-name")        ? "DNS answer"
                                            : "address and port of the server";
}

static void tell_identity(struct lamp_conn *c, const lamp_dim *d)
{
    static const char refute[] = "the host serves something else as well: a web site, an API";
    const struct lamp_identity *i = &d->identity;
    struct lamp_reason r = {
        .kind = d->identity_kind ? d->identity_kind : "name-words",
        .field = identity_field(d->identity_kind),
        .refute = refute,
        .t_us = d->identity_kind ? d->identity_us : d->facts.first_us,
        .dir = d->identity_kind && streq(d->identity_kind, "tls-certificate") ? LAMP_DOWN : LAMP_UP,
    };
    if (d->identity_kind) {
        r.strength = i->mass.mining >= lamp_mass_fresh.mining ? "strong" : "fair";
        lamp_reason_add(c, &r, true, "%s port %u: %s%s%s", d->identity_name, d->facts.server_port,
                        i->what, i->pool ? ", " : "", i->pool ? i->pool : "");
    } else if (d->hint) {
        r.strength = "weak";
        lamp_reason_add(c, &r, true, "%s: its words hint at mining",
                        d->sni[0] ? d->sni : d->server_name);
    }
}

static void tell_hello(struct lamp_conn *c, const lamp_dim *d)
{
    if (!c->ja4[0])
        return;
    const struct lamp_reason r = {
        .kind = "tls-hello",
        .field = "ClientHello",
        .refute = "every program with the same TLS library sends this hello",
        .strength = d->offers_protocol ? "speaks against" : "weak",
        .t_us = d->hello_us,
        .dir = LAMP_UP,
    };
    lamp_reason_add(c, &r, true, "ClientHello %s, JA4 %s%s",
                    d->offers_protocol ? "offers a protocol as browsers do" : "without ALPN",
                    c->ja4, d->self_signed ? ", self-signed certificate" : "");
}

static void tell_rhythm(struct lamp_conn *c, const lamp_dim *d, int score, uint64_t t_us)
{
    char text[LAMP_CONN_DETAIL];
    lamp_behaviour_tell(&d->behaviour, text, sizeof(text));
    const struct lamp_reason r = {
        .kind = "rhythm",
        .field = "sizes and times of the messages",
        .strength = score >= LAMP_BEHAVIOUR_STRONG ? "fair"
                    : score > LAMP_BEHAVIOUR_NONE  ? "weak"
                                                   : "speaks against",
        .refute = "a probe that is not answered as by a pool, or messages that change their sizes",
        .t_us = t_us,
        .dir = LAMP_UP,
    };
    lamp_reason_add(c, &r, true, "%d of 14 points: %s", score, text);
}

static void fill_conn(const lamp_opaque *o, struct lamp_conn *c, const lamp_dim *d)
{
    c->family = d->is_sv2 ? "stratum-v2" : "tls-mining";
    c->tls = d->kind == KIND_TLS;
    if (d->facts.saw_syn && d->behaviour.is_early_over)
        c->early_shares = 1 + d->behaviour.early;
    snprintf(c->sni, sizeof(c->sni), "%s", d->sni);
    if (!c->ja4[0])
        lamp_tls_ja4(&d->offer, c->ja4);
    const struct lamp_identity *i = &d->identity;
    if (i->pool)
        c->pool = i->pool;
    if (i->coin && !c->coin) {
        c->coin = i->coin;
        const struct lamp_coin *coin =
            o->cfg.catalogue ? lamp_catalogue_coin(o->cfg.catalogue, i->coin) : NULL;
        c->algorithm = coin ? coin->algorithm : NULL;
    }
}

/* Whether the server speaks when a coin's blocks come. */
static void compare_clock(lamp_opaque *o, lamp_dim *d, uint64_t now_us)
{
    if (d->n_heard < LAMP_BLOCKCLOCK_NEEDS)
        return;
    uint64_t times_us[LAMP_DIM_HEARD];
    const size_t n = lamp_min(d->n_heard, LAMP_DIM_HEARD);
    for (size_t i = 0; i < n; i++)
        times_us[i] =
            d->facts.first_us + UINT64_C(1000) * d->heard_ms[(d->n_heard - n + i) % LAMP_DIM_HEARD];
    double similarity = 0;
    uint32_t blocks = 0;
    const struct lamp_blockclock *const clocks[] = { o->cfg.clock, o->told };
    const struct lamp_blockclock_coin *coin = NULL;
    for (size_t i = 0; i < ARRAY_LEN(clocks) && !coin; i++)
        coin = clocks[i] ? lamp_blockclock_match(clocks[i], times_us, n, times_us[0], now_us,
                                                 &similarity, &blocks)
                         : NULL;
    if (!coin)
        return;
    lamp_grounds_add(&d->grounds, LAMP_GROUND_TIME, lamp_mass_clock);
    struct lamp_conn *c = lamp_dim_conn(o, d);
    if (!c)
        return;
    const struct lamp_reason r = {
        .kind = "block-clock",
        .field = "times of the server's messages",
        .strength = "strong",
        .refute = "messages that stop coming when blocks do",
        .t_us = now_us,
        .dir = LAMP_DOWN,
    };
    lamp_reason_add(c, &r, true, "the server speaks soon after %u blocks of %s, similarity %.2f",
                    blocks, coin->coin, similarity);
    const struct lamp_coin *known =
        o->cfg.catalogue ? lamp_catalogue_coin(o->cfg.catalogue, coin->coin) : NULL;
    if (known && !c->coin) {
        c->coin = known->symbol;
        c->algorithm = known->algorithm;
    }
}

/* Takes what the rhythm says into the grounds; the points, or INT32_MIN where it is too early. */
static int weigh_rhythm(lamp_dim *d, uint64_t now_us)
{
    if (!lamp_behaviour_is_ripe(&d->behaviour, now_us))
        return INT32_MIN;
    const int score = lamp_behaviour_score(&d->behaviour, now_us);
    lamp_grounds_add(&d->grounds, LAMP_GROUND_SHAPE,
                     score >= LAMP_BEHAVIOUR_STRONG ? lamp_mass_rhythm
                     : score >= LAMP_BEHAVIOUR_WEAK ? lamp_mass_rhythm_weak
                     : score <= LAMP_BEHAVIOUR_NONE ? lamp_mass_rhythm_not
                                                    : (struct lamp_mass){ 0, 0 });
    return score;
}

/* What the same client was found to do at this server and port within a day. A hello that offers a
 * protocol is another program's; NULL then, and where nothing is known. */
static const struct lamp_known_pair *recall(const lamp_opaque *o, const lamp_dim *d,
                                            uint64_t now_us)
{
    const struct lamp_flow_facts *a = &d->facts;
    return o->cfg.known && !d->offers_protocol
               ? lamp_known_find(o->cfg.known, &a->client, &a->server, a->server_port, a->ip_proto,
                                 now_us)
               : NULL;
}

static void tell_known(struct lamp_conn *c, const struct lamp_known_pair *p, uint64_t now_us)
{
    const struct lamp_reason r = {
        .kind = "known-pair",
        .field = "addresses and port",
        .strength = "strong",
        .refute = "another service that has taken over the server's address and port",
        .t_us = now_us,
        .dir = LAMP_UP,
    };
    lamp_reason_add(c, &r, true, "the same client was %s at this server and port within a day",
                    lamp_verdict_name(p->verdict));
}

void lamp_dim_evaluate(lamp_opaque *o, lamp_dim *d, uint64_t now_us)
{
    const bool due = now_us - d->evaluated_us >= LAMP_DIM_EVALUATE_US;
    if (due)
        d->evaluated_us = now_us;
    const int score = weigh_rhythm(d, now_us);
    compare_clock(o, d, now_us);
    double confidence;
    enum lamp_verdict v = lamp_grounds_verdict(&d->grounds, &confidence);
    if (v >= LAMP_VERDICT_PROBABLE) {
        if (due && d->evaluations < EVALUATIONS)
            d->evaluations++;
        if (d->evaluations < EVALUATIONS)
            v = LAMP_VERDICT_SUSPECTED;
    }
    const struct lamp_known_pair *known = recall(o, d, now_us);
    const bool recalled = known && known->verdict > v;
    if (recalled) {
        v = known->verdict;
        confidence = known->confidence;
    }
    struct lamp_conn *c = v == LAMP_VERDICT_NONE ? lamp_opaque_conn(d) : lamp_dim_conn(o, d);
    if (!c)
        return;
    fill_conn(o, c, d);
    c->recalled = recalled;
    if (recalled)
        tell_known(c, known, now_us);
    tell_identity(c, d);
    tell_hello(c, d);
    if (score >= LAMP_BEHAVIOUR_WEAK)
        tell_rhythm(c, d, score, now_us);
    lamp_verdict_raise(c, v, confidence);
}
