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
    if (f->n_waiting) {
        const struct lamp_msg m = message_of(f->waiting, f->n_waiting);
        lamp_answers_add_all(answers, &m);
    }
    f->n_waiting = 0;
    f->due_us = now_us + GATHER_US;
}

/* A place with the coin's name in the clock, which outlives the row. */
static struct lamp_bytes name_of(const struct lamp_fleetclock *f, struct lamp_bytes coin)
{
    for (size_t i = 0; i < LAMP_BLOCKCLOCK_COINS; i++) {
        const struct lamp_bytes name = lamp_bytes_of(f->clock.coins[i].coin);
        if (name.len == coin.len && memcmp(name.data, coin.data, coin.len) == 0)
            return name;
    }
    return (struct lamp_bytes){ 0 };
}

void lamp_fleetclock_record(struct lamp_fleetclock *f, const struct lamp_batch *b, uint64_t now_us,
                            struct lamp_answers *answers)
{
    for (size_t i = 0; i < b->n_conns; i++) {
        const struct lamp_conn_row *row = &b->conns[i];
        if (!row->block_ms || !row->coin.len)
            continue;
        const uint64_t t_us = b->t_from_us + UINT64_C(1000) * (row->block_ms - 1);
        if (t_us > now_us + FUTURE_US || t_us + PAST_US < now_us) {
            f->refused++;
            continue;
        }
        if (!lamp_blockclock_told(&f->clock, (const char *)row->coin.data, row->coin.len, t_us))
            continue;
        f->waiting[f->n_waiting++] = (struct lamp_coin_block){ name_of(f, row->coin), t_us };
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
