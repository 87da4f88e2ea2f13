/* SPDX-License-Identifier: Apache-2.0 */
#include "common/blockclock.h"

#include <math.h>
#include <stdio.h>

#define SAME_BLOCK_US UINT64_C(10000000)

static uint64_t newest(const struct lamp_blockclock_coin *c)
{
    return c->n ? c->block_us[(c->n - 1) % LAMP_BLOCKCLOCK_BLOCKS] : 0;
}

static struct lamp_blockclock_coin *coin_of(struct lamp_blockclock *c, const char *coin)
{
    struct lamp_blockclock_coin *victim = &c->coins[0];
    for (size_t i = 0; i < LAMP_BLOCKCLOCK_COINS; i++) {
        if (streq(c->coins[i].coin, coin))
            return &c->coins[i];
        if (newest(&c->coins[i]) < newest(victim))
            victim = &c->coins[i];
    }
    *victim = (struct lamp_blockclock_coin){ 0 };
    snprintf(victim->coin, sizeof(victim->coin), "%s", coin);
    return victim;
}

void lamp_blockclock_block(struct lamp_blockclock *c, const char *coin, uint64_t t_us)
{
    struct lamp_blockclock_coin *k = coin_of(c, coin);
    if (k->n && t_us < newest(k) + SAME_BLOCK_US)
        return; /* the same block, or a clock that stepped back */
    k->block_us[k->n++ % LAMP_BLOCKCLOCK_BLOCKS] = t_us;
}

/* The similarity of one interval of `length` s whose first message came after `delay` s, m in all
 * (MineHunter section 4: ((n-d-1)/n)^m * (1 - d/n)). */
static double of_interval(double length, double delay, uint32_t m)
{
    if (m == 0)
        return -1;
    const double later = fmax(0, (length - delay - 1) / length);
    return pow(later, m) * (1 - delay / length);
}

double lamp_blockclock_similarity(const struct lamp_blockclock_coin *coin, const uint64_t *times_us,
                                  size_t n, uint64_t from_us, uint64_t to_us, uint32_t *out_blocks)
{
    const uint32_t kept = (uint32_t)lamp_min(coin->n, LAMP_BLOCKCLOCK_BLOCKS);
    double sum = 0;
    size_t at = 0;
    *out_blocks = 0;
    for (uint32_t i = coin->n - kept; i + 1 < coin->n; i++) {
        const uint64_t begin = coin->block_us[i % LAMP_BLOCKCLOCK_BLOCKS];
        const uint64_t end = coin->block_us[(i + 1) % LAMP_BLOCKCLOCK_BLOCKS];
        if (begin < from_us || end > to_us)
            continue;
        while (at < n && times_us[at] < begin)
            at++;
        const size_t first = at;
        while (at < n && times_us[at] < end)
            at++;
        const double delay = at > first ? (double)(times_us[first] - begin) / 1e6 : 0;
        sum += of_interval((double)(end - begin) / 1e6, delay, (uint32_t)(at - first));
        ++*out_blocks;
    }
    return *out_blocks ? sum / *out_blocks : -1;
}

const struct lamp_blockclock_coin *lamp_blockclock_match(const struct lamp_blockclock *c,
                                                         const uint64_t *times_us, size_t n,
                                                         uint64_t from_us, uint64_t to_us,
                                                         double *out_similarity,
                                                         uint32_t *out_blocks)
{
    const struct lamp_blockclock_coin *best = NULL;
    *out_similarity = LAMP_BLOCKCLOCK_ALIKE;
    for (size_t i = 0; i < LAMP_BLOCKCLOCK_COINS; i++) {
        uint32_t blocks;
        if (c->coins[i].n <= LAMP_BLOCKCLOCK_NEEDS)
            continue;
        const double s =
            lamp_blockclock_similarity(&c->coins[i], times_us, n, from_us, to_us, &blocks);
        if (blocks >= LAMP_BLOCKCLOCK_NEEDS && s > *out_similarity) {
            best = &c->coins[i];
            *out_similarity = s;
            *out_blocks = blocks;
        }
    }
    return best;
}
