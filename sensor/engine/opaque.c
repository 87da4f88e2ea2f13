/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/opaque.h"

#include "common/pages.h"
#include "sensor/engine/opaque_impl.h"

enum {
    STATES_PER_CONN = 4,
    MIN_CONNS = 8,
    STATES_PER_BUFFER = 32, /* of handshakes that come in pieces */
    MIN_BUFFERS = 8,
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

void lamp_opaque_told(lamp_opaque *o, const struct lamp_blockclock *told)
{
    o->told = told;
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
            lamp_dim_identify_server(o, d, t_us);
    }
    bool more;
    if (d->kind == KIND_TLS) {
        follow_seq(d, dir, bytes, seq);
        more = lamp_dim_take_tls(o, d, dir, bytes, t_us);
    } else {
        more = lamp_dim_take_binary(o, d, dir, bytes, len, t_us);
    }
    if (!d->settled && t_us - d->evaluated_us >= LAMP_DIM_EVALUATE_US)
        lamp_dim_evaluate(o, d, t_us);
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
        lamp_dim_evaluate(o, d, t_us);
}
