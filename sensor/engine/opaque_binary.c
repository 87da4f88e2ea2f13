/* SPDX-License-Identifier: Apache-2.0 */
/* Protocols that are told by their first bytes and runs: nodes, wallets, Stratum V2. */
#include "sensor/engine/opaque_impl.h"

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
    struct lamp_conn *c = lamp_dim_conn(o, d);
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
        lamp_dim_identify_server(o, d, t_us);
        lamp_dim_evaluate(o, d, t_us);
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

bool lamp_dim_take_binary(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes bytes,
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
