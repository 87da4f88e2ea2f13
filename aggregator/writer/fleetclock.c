/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/fleetclock.h"

#define GATHER_US UINT64_C(20000000) /* nobody is in a hurry: it takes 20 blocks to tell anything */
#define FUTURE_US UINT64_C(5000000)
#define PAST_US UINT64_C(7200000000)

static struct lamp_msg message_of(struct lamp_coin_block *v, size_t n)
{
    return (struct lamp_msg){ .type = LAMP_MSG_COIN_BLOCKS, .u.coin_blocks = { v, n } };
}

static void tell_all(struct lamp_fleetclock *f, uint64_t now_us, struct lamp_answers *answers)
{
    struct lamp_coin_block v[LAMP_WIRE_COIN_BLOCKS_MAX];
    for (size_t i = 0; i < f->n_waiting; i++)
        v[i] = (struct lamp_coin_block){ lamp_bytes_of(f->waiting[i].coin), f->waiting[i].t_us };
    if (f->n_waiting) {
        const struct lamp_msg m = message_of(v, f->n_waiting);
        lamp_answers_add_all(answers, &m);
    }
    f->n_waiting = 0;
    f->due_us = now_us + GATHER_US;
}

/* The symbol of a coin that the catalogue has, or "". */
static void symbol_of(const lamp_catalogue *catalogue, struct lamp_bytes coin,
                      char out[LAMP_BLOCKCLOCK_SYMBOL])
{
    const size_t len = coin.len < LAMP_BLOCKCLOCK_SYMBOL ? coin.len : 0;
    if (len)
        memcpy(out, coin.data, len);
    out[len] = '\0';
    if (strlen(out) != len || (catalogue && !lamp_catalogue_coin(catalogue, out)))
        out[0] = '\0';
}

/* A block that came at t_us by our clock. */
static void take(struct lamp_fleetclock *f, const lamp_catalogue *catalogue, struct lamp_bytes coin,
                 uint64_t t_us, uint64_t now_us)
{
    char symbol[LAMP_BLOCKCLOCK_SYMBOL];
    const uint64_t refused = f->clock.refused;
    symbol_of(catalogue, coin, symbol);
    if (t_us > now_us + FUTURE_US || t_us + PAST_US < now_us) {
        f->refused++;
    } else if (lamp_blockclock_told(&f->clock, symbol, strlen(symbol), t_us)) {
        memcpy(f->waiting[f->n_waiting].coin, symbol, sizeof(symbol));
        f->waiting[f->n_waiting++].t_us = t_us;
    }
    f->refused += f->clock.refused - refused;
}

void lamp_fleetclock_record(struct lamp_fleetclock *f, const lamp_catalogue *catalogue,
                            const struct lamp_batch *b, int64_t ahead_us, uint64_t now_us,
                            struct lamp_answers *answers)
{
    for (size_t i = 0; i < b->n_conns; i++) {
        const struct lamp_conn_row *row = &b->conns[i];
        if (!row->block_ms || !row->coin.len)
            continue;
        const uint64_t said_us = b->t_from_us + UINT64_C(1000) * (row->block_ms - 1);
        take(f, catalogue, row->coin, said_us - (uint64_t)ahead_us, now_us);
        if (f->n_waiting == ARRAY_LEN(f->waiting))
            tell_all(f, now_us, answers);
    }
    if (now_us >= f->due_us)
        tell_all(f, now_us, answers);
}

void lamp_fleetclock_hello(const struct lamp_fleetclock *f, const struct lamp_letter *to,
                           struct lamp_answers *answers)
{
    _Static_assert((int)LAMP_BLOCKCLOCK_BLOCKS <= (int)LAMP_WIRE_COIN_BLOCKS_MAX, "");
    for (size_t i = 0; i < LAMP_BLOCKCLOCK_COINS; i++) {
        const struct lamp_blockclock_coin *k = &f->clock.coins[i];
        const size_t n = lamp_min(k->n, LAMP_BLOCKCLOCK_BLOCKS);
        struct lamp_coin_block v[LAMP_BLOCKCLOCK_BLOCKS];
        for (size_t j = 0; j < n; j++)
            v[j] = (struct lamp_coin_block){ lamp_bytes_of(k->coin),
                                             k->block_us[(k->n - n + j) % LAMP_BLOCKCLOCK_BLOCKS] };
        const struct lamp_msg m = message_of(v, n);
        if (n)
            lamp_answers_add(answers, to, &m);
    }
}
