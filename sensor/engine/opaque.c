/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/opaque.h"

#include "common/pages.h"
#include "common/text.h"
#include "sensor/engine/behaviour.h"
#include "sensor/recog/binary.h"
#include "sensor/tls/certificate.h"
#include "sensor/tls/hello.h"
#include "sensor/tls/records.h"
#include "sensor/unwrap/pieces.h"

#include <stdio.h>

enum {
    STATES_PER_CONN = 4,
    MIN_CONNS = 8,
    STATES_PER_BUFFER = 32, /* of handshakes that come in pieces */
    MIN_BUFFERS = 8,
    HEARD = 128,     /* times of server messages kept for the block clock */
    EVALUATIONS = 2, /* that have to agree before other than words alarm */
    NAME = 128,
    HANDSHAKE_HEADER = 4,
    HANDSHAKE_MAX = LAMP_PIECES_MAX,
};
#define EVALUATE_US UINT64_C(60000000)

enum kind { KIND_UNKNOWN, KIND_TLS, KIND_BINARY };

struct lamp_dim {
    struct lamp_dim *next_free;
    struct lamp_flow_facts facts;
    uint8_t kind;       /* enum kind */
    bool settled;       /* node or wallet: nothing more to find out */
    bool is_hello_over; /* the client's hello was read, or never will be */
    bool is_answered;   /* the server sent a record: it does speak TLS */
    bool shaken[2];     /* no more handshake in the clear from that side */
    bool seq_known[2];
    bool is_sv2;
    uint8_t evaluations;   /* in which it was probable */
    uint16_t version;      /* of the TLS session; 0 unknown */
    uint32_t n_up_records; /* of data, of TLS */
    uint32_t next_seq[2];
    struct lamp_records records[2];
    struct lamp_held held[2]; /* handshake messages */

    struct lamp_identity identity; /* the strongest so far */
    const char *identity_kind;     /* static: kind of its evidence */
    uint64_t identity_us, hello_us, evaluated_us;
    bool hint, offers_protocol, self_signed;
    char sni[NAME], server_name[NAME], identity_name[NAME];
    struct lamp_tls_offer offer;

    uint8_t first[2][LAMP_FIRST_BYTES], n_first[2];
    struct lamp_run runs[LAMP_FIRST_RUNS];
    uint8_t n_runs;

    struct lamp_behaviour behaviour;
    uint32_t heard_ms[HEARD]; /* since facts.first_us; the last ones, a ring */
    uint32_t n_heard;
    struct lamp_grounds grounds;
    struct slot *slot; /* the connection; NULL: no verdict */
};

struct slot {
    struct slot *next_free;
    struct lamp_conn conn;
};

struct lamp_opaque {
    struct lamp_opaque_cfg cfg;
    struct lamp_opaque_counters n;
    const lamp_watch *watch;
    struct lamp_dim *pool, *free;
    struct slot *slots, *free_slot;
    size_t n_used, n_slots, n_used_slots;
    lamp_pieces *pieces;
};

static size_t at_least(size_t n, size_t least)
{
    return n > least ? n : least;
}

size_t lamp_opaque_memory(size_t max_states)
{
    return sizeof(lamp_opaque) + max_states * sizeof(struct lamp_dim) +
           at_least(max_states / STATES_PER_CONN, MIN_CONNS) * sizeof(struct slot) +
           lamp_pieces_memory(at_least(max_states / STATES_PER_BUFFER, MIN_BUFFERS));
}

int lamp_opaque_new(const struct lamp_opaque_cfg *cfg, lamp_opaque **out)
{
    if (cfg->max_states == 0)
        return LAMP_EINVAL;
    lamp_opaque *o = calloc(1, sizeof(*o));
    if (!o)
        return LAMP_ENOMEM;
    o->cfg = *cfg;
    o->n_slots = at_least(cfg->max_states / STATES_PER_CONN, MIN_CONNS);
    o->pool = lamp_pages_calloc(cfg->max_states, sizeof(*o->pool));
    o->slots = lamp_pages_calloc(o->n_slots, sizeof(*o->slots));
    const size_t buffers = at_least(cfg->max_states / STATES_PER_BUFFER, MIN_BUFFERS);
    if (!o->pool || !o->slots || lamp_pieces_new(buffers, &o->pieces) != LAMP_OK) {
        lamp_opaque_free(o);
        return LAMP_ENOMEM;
    }
    *out = o;
    return LAMP_OK;
}

lamp_opaque *lamp_opaque_free(lamp_opaque *o)
{
    if (o) {
        free(o->pool);
        free(o->slots);
        lamp_pieces_free(o->pieces);
        free(o);
    }
    return NULL;
}

void lamp_opaque_watch(lamp_opaque *o, const lamp_watch *watch)
{
    o->watch = watch;
}

struct lamp_opaque_counters lamp_opaque_counters(const lamp_opaque *o)
{
    return o->n;
}

struct lamp_conn *lamp_opaque_conn(lamp_dim *d)
{
    return d->slot ? &d->slot->conn : NULL;
}

/* ---- whether to look at all ---- */

bool lamp_opaque_peek(struct lamp_bytes p, uint32_t len, uint8_t ip_proto, uint16_t server_port,
                      bool saw_syn)
{
    if (ip_proto == LAMP_IPPROTO_TCP && p.len >= 5 && p.data[1] == 3 &&
        (p.data[0] == LAMP_TLS_HANDSHAKE || (p.data[0] == LAMP_TLS_DATA && !saw_syn)) &&
        lamp_tls_is_record(p))
        return true;
    return p.len > 0 && lamp_binary_opens(ip_proto, p, len, server_port);
}

bool lamp_opaque_full(const lamp_opaque *o)
{
    return !o->free && o->n_used == o->cfg.max_states;
}

int lamp_opaque_open(lamp_opaque *o, const struct lamp_flow_facts *facts, const char *server_name,
                     lamp_dim **out)
{
    lamp_dim *d = o->free;
    if (d) {
        o->free = d->next_free;
    } else if (o->n_used < o->cfg.max_states) {
        d = &o->pool[o->n_used++];
    } else {
        o->n.refused++;
        return LAMP_EFULL;
    }
    *d = (struct lamp_dim){ .facts = *facts };
    const size_t len = strnlen(server_name, sizeof(d->server_name) - 1);
    memcpy(d->server_name, server_name, len); /* zeros are behind it */
    o->n.opened++;
    *out = d;
    return LAMP_OK;
}

void lamp_opaque_close(lamp_opaque *o, lamp_dim *d)
{
    lamp_held_drop(&d->held[0]);
    lamp_held_drop(&d->held[1]);
    if (d->slot) {
        d->slot->next_free = o->free_slot;
        o->free_slot = d->slot;
        d->slot = NULL;
    }
    d->next_free = o->free;
    o->free = d;
}

/* ---- verdicts ---- */

/* The connection to report, made when first needed; NULL: there is no room (counted). */
static struct lamp_conn *conn_of(lamp_opaque *o, lamp_dim *d)
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

static void identify_name(lamp_opaque *o, lamp_dim *d, const char *kind, struct lamp_bytes name,
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

/* Who the server is by what is known before it says a word. */
static void identify_server(lamp_opaque *o, lamp_dim *d, uint64_t t_us)
{
    const struct lamp_identity found =
        lamp_identity_of_address(o->watch, &d->facts.server, d->facts.server_port);
    if (found.mass.mining > 0)
        identify(d, found, "address", (struct lamp_bytes){ 0 }, t_us);
    if (d->server_name[0])
        identify_name(o, d, "dns-name", lamp_bytes_of(d->server_name), t_us);
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
    if (d->facts.saw_syn && d->behaviour.is_early_over) {
        c->early_shares = d->behaviour.early;
        c->early_ms = LAMP_BEHAVIOUR_EARLY_MS;
    }
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
    if (!o->cfg.clock || d->n_heard < LAMP_BLOCKCLOCK_NEEDS)
        return;
    uint64_t times_us[HEARD];
    const size_t n = lamp_min(d->n_heard, HEARD);
    for (size_t i = 0; i < n; i++)
        times_us[i] =
            d->facts.first_us + UINT64_C(1000) * d->heard_ms[(d->n_heard - n + i) % HEARD];
    double similarity;
    uint32_t blocks;
    const struct lamp_blockclock_coin *coin =
        lamp_blockclock_match(o->cfg.clock, times_us, n, times_us[0], now_us, &similarity, &blocks);
    if (!coin)
        return;
    lamp_grounds_add(&d->grounds, LAMP_GROUND_TIME, lamp_mass_clock);
    struct lamp_conn *c = conn_of(o, d);
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

static void evaluate(lamp_opaque *o, lamp_dim *d, uint64_t now_us)
{
    const bool due = now_us - d->evaluated_us >= EVALUATE_US;
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
    struct lamp_conn *c = v == LAMP_VERDICT_NONE ? lamp_opaque_conn(d) : conn_of(o, d);
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

/* ---- TLS ---- */

/* False: it is of no interest. */
static bool on_hello(lamp_opaque *o, lamp_dim *d, struct lamp_bytes message, uint64_t t_us)
{
    struct lamp_tls_hello hello;
    d->is_hello_over = true;
    if (lamp_tls_hello_message(message, &hello) != LAMP_OK)
        return true;
    d->hello_us = t_us;
    if (hello.sni.len > 0)
        identify_name(o, d, "tls-name", hello.sni, t_us);
    d->offers_protocol = hello.alpn.len > 0;
    if (d->offers_protocol && d->identity.mass.mining < lamp_mass_front.mining) {
        o->n.browsers++;
        return false;
    }
    lamp_text_utf8(hello.sni.data, hello.sni.len, d->sni, sizeof(d->sni));
    lamp_tls_offer_of(&hello, &d->offer);
    lamp_grounds_add(&d->grounds, LAMP_GROUND_SHAPE,
                     d->offers_protocol ? lamp_mass_browser : lamp_mass_plain_hello);
    if (d->is_answered)
        evaluate(o, d, t_us);
    return true;
}

static void on_certificate(lamp_opaque *o, lamp_dim *d, struct lamp_bytes message, uint64_t t_us)
{
    struct lamp_certificate cert;
    if (lamp_certificate_message(message, &cert) != LAMP_OK)
        return;
    d->self_signed = cert.self_signed;
    for (size_t i = 0; i < cert.n_names; i++) {
        struct lamp_bytes name = cert.names[i];
        if (name.len > 2 && name.data[0] == '*' && name.data[1] == '.')
            name = (struct lamp_bytes){ name.data + 2, name.len - 2 };
        identify_name(o, d, "tls-certificate", name, t_us);
    }
    evaluate(o, d, t_us);
}

/* Whole handshake messages of what is there so far. False: the connection is of no interest. */
static bool read_messages(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes all,
                          uint64_t t_us)
{
    enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE = 11, SERVER_DONE = 14 };
    while (all.len >= HANDSHAKE_HEADER) {
        const uint8_t type = all.data[0];
        const size_t len =
            HANDSHAKE_HEADER + ((size_t)all.data[1] << 16 | (size_t)all.data[2] << 8 | all.data[3]);
        if (len > HANDSHAKE_MAX)
            d->shaken[dir] = true;
        if (len > all.len)
            return true;
        const struct lamp_bytes message = { all.data, len };
        if (dir == LAMP_UP) {
            d->shaken[dir] = true;
            return type != CLIENT_HELLO || d->is_hello_over || on_hello(o, d, message, t_us);
        }
        if (type == SERVER_HELLO && !d->version)
            (void)lamp_tls_server_hello(message, &d->version);
        if (type == CERTIFICATE)
            on_certificate(o, d, message, t_us);
        if (type == CERTIFICATE || type == SERVER_DONE)
            d->shaken[dir] = true;
        if (d->shaken[dir])
            return true;
        all.data += len;
        all.len -= len;
    }
    return true;
}

/* A piece of a handshake record. What comes in one piece is read where it stands. */
static bool on_handshake(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes piece,
                         uint64_t t_us)
{
    struct lamp_held *h = &d->held[dir];
    struct lamp_bytes all;
    if (!lamp_held_whole(o->pieces, h, piece, &all)) {
        d->shaken[dir] = true;
        return true;
    }
    if (!read_messages(o, d, dir, all, t_us))
        return false;
    /* what stays is read again with more: a hello and a flight are a few pieces */
    if (!d->shaken[dir] && !lamp_held_add(o->pieces, h, piece))
        d->shaken[dir] = true;
    return true;
}

/* A record of data has begun. Where it is part of the handshake (TLS 1.3: the server's up to the
 * client's first, which is its Finished) it tells nothing. */
static void on_data(lamp_dim *d, enum lamp_dir dir, uint32_t len, uint64_t t_us)
{
    if (dir == LAMP_UP)
        d->n_up_records++;
    if (d->version == 0x0304 && (d->n_up_records == 0 || (dir == LAMP_UP && d->n_up_records == 1)))
        return;
    const uint32_t unasked = d->behaviour.unasked;
    lamp_behaviour_message(&d->behaviour, dir, len, t_us);
    if (d->behaviour.unasked != unasked && t_us >= d->facts.first_us)
        d->heard_ms[d->n_heard++ % HEARD] = (uint32_t)((t_us - d->facts.first_us) / 1000);
}

static bool take_tls(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes bytes,
                     uint64_t t_us)
{
    struct lamp_record r;
    while (lamp_records_next(&d->records[dir], &bytes, &r)) {
        if (r.type == LAMP_TLS_HANDSHAKE && !d->shaken[dir]) {
            if (!on_handshake(o, d, dir, r.piece, t_us))
                return false;
        } else if (!d->shaken[dir]) {
            d->shaken[dir] = r.type == LAMP_TLS_CHANGE_CIPHER || r.type == LAMP_TLS_DATA;
        }
        if (d->shaken[dir])
            lamp_held_drop(&d->held[dir]);
        if (dir == LAMP_DOWN && !d->is_answered) {
            d->is_answered = true;
            evaluate(o, d, t_us);
        }
        if (r.begins && r.type == LAMP_TLS_DATA)
            on_data(d, dir, r.length + 5U, t_us);
    }
    return !d->records[dir].broken;
}

/* ---- binary protocols ---- */

static void note_run(lamp_dim *d, enum lamp_dir dir, uint32_t len)
{
    if (d->n_runs > 0 && d->runs[d->n_runs - 1].dir == dir)
        d->runs[d->n_runs - 1].len += len;
    else if (d->n_runs < LAMP_FIRST_RUNS)
        d->runs[d->n_runs++] = (struct lamp_run){ (uint8_t)dir, len };
}

static void matched(lamp_opaque *o, lamp_dim *d, const struct lamp_binary *b,
                    const struct lamp_binary_hit *hit, uint64_t t_us)
{
    struct lamp_conn *c = conn_of(o, d);
    if (!c)
        return;
    struct lamp_reason r = {
        .kind = hit->dir == LAMP_UP ? "protocol-client" : "protocol-server",
        .field = "first bytes",
        .strength = hit->confidence >= 0.9 ? "certain" : "weak",
        .refute = hit->confidence >= 0.9 ? NULL : "another service at that port",
        .t_us = t_us,
        .dir = hit->dir,
    };
    c->family = b->family;
    if (b->mining) {
        r.strength = "fair";
        r.refute = "another protocol whose first messages have just these lengths";
        d->is_sv2 = true;
        lamp_grounds_add(&d->grounds, LAMP_GROUND_SHAPE, lamp_mass_rhythm);
        lamp_reason_add(c, &r, true, "%s", hit->what);
        identify_server(o, d, t_us);
        evaluate(o, d, t_us);
        return;
    }
    d->settled = true;
    lamp_reason_add(c, &r, true, "%s, port %u", hit->what, d->facts.server_port);
    if (hit->coin) {
        const struct lamp_coin *coin =
            o->cfg.catalogue ? lamp_catalogue_coin(o->cfg.catalogue, hit->coin) : NULL;
        c->coin = hit->coin;
        c->algorithm = coin ? coin->algorithm : NULL;
    }
    lamp_verdict_raise(c, LAMP_VERDICT_WALLET, hit->confidence);
}

/* False: it is none of those we know. */
static bool take_binary(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes bytes,
                        uint32_t len, uint64_t t_us)
{
    if (d->is_sv2) {
        lamp_behaviour_message(&d->behaviour, dir, len, t_us);
        return true;
    }
    note_run(d, dir, len);
    const bool anew = d->n_first[dir] == 0;
    const size_t n = lamp_min(bytes.len, LAMP_FIRST_BYTES - (size_t)d->n_first[dir]);
    memcpy(d->first[dir] + d->n_first[dir], bytes.data, n);
    d->n_first[dir] = (uint8_t)(d->n_first[dir] + n);
    struct lamp_first first = {
        .ip_proto = d->facts.ip_proto,
        .server_port = d->facts.server_port,
        .side = { { d->first[0], d->n_first[0] }, { d->first[1], d->n_first[1] } },
        .n_runs = d->n_runs,
    };
    if (anew)
        first.side[dir] = bytes;
    memcpy(first.runs, d->runs, sizeof(first.runs));
    size_t n_all;
    const struct lamp_binary *const *all = lamp_binaries(&n_all);
    bool open = false;
    for (size_t i = 0; i < n_all; i++) {
        struct lamp_binary_hit hit;
        const enum lamp_probe v = all[i]->probe(&first, &hit);
        if (v == LAMP_MATCH) {
            matched(o, d, all[i], &hit, t_us);
            return d->slot != NULL;
        }
        open |= v == LAMP_NEED_MORE;
    }
    return open && d->n_runs < LAMP_FIRST_RUNS;
}

/* ---- bytes ---- */

/* Notes what is missing before the bytes that begin at seq. */
static void follow_seq(lamp_dim *d, enum lamp_dir dir, struct lamp_bytes bytes, uint32_t seq)
{
    const uint32_t missing = seq - d->next_seq[dir];
    if (d->seq_known[dir] && missing != 0) {
        lamp_records_gap(&d->records[dir], missing);
        if (!d->shaken[dir]) {
            lamp_held_drop(&d->held[dir]);
            d->shaken[dir] = true;
        }
    }
    d->seq_known[dir] = true;
    d->next_seq[dir] = seq + (uint32_t)bytes.len;
}

enum lamp_interest lamp_opaque_stream(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir,
                                      struct lamp_bytes bytes, uint32_t len, uint32_t seq,
                                      uint64_t t_us)
{
    if (d->settled || bytes.len == 0)
        return LAMP_INTEREST_MORE;
    const bool is_tcp = d->facts.ip_proto == LAMP_IPPROTO_TCP;
    if (d->kind == KIND_UNKNOWN) {
        d->kind = is_tcp && lamp_tls_is_record(bytes) ? KIND_TLS : KIND_BINARY;
        d->evaluated_us = t_us;
        if (d->kind == KIND_TLS)
            identify_server(o, d, t_us);
    }
    bool more;
    if (d->kind == KIND_TLS) {
        follow_seq(d, dir, bytes, seq);
        more = take_tls(o, d, dir, bytes, t_us);
    } else {
        more = take_binary(o, d, dir, bytes, len, t_us);
    }
    if (!d->settled && t_us - d->evaluated_us >= EVALUATE_US)
        evaluate(o, d, t_us);
    if (d->slot)
        return LAMP_INTEREST_MORE; /* a verdict does not go away */
    if (more && lamp_behaviour_is_bulk(&d->behaviour)) {
        o->n.bulk++;
        more = false;
    }
    return more ? LAMP_INTEREST_MORE : LAMP_INTEREST_NEVER;
}

void lamp_opaque_finish(lamp_opaque *o, lamp_dim *d, uint64_t t_us)
{
    if (!d->settled && (d->kind == KIND_TLS || d->is_sv2))
        evaluate(o, d, t_us);
}
