/* SPDX-License-Identifier: Apache-2.0 */
#include "common/blockclock.h"

#include <math.h>
#include <stdio.h>

#define SAME_BLOCK_US UINT64_C(10000000)

static uint64_t newest(const struct lamp_blockclock_coin *c)
{
    return c->n ? c->block_us[(c->n - 1) % LAMP_BLOCKCLOCK_BLOCKS] : 0;
}

/* The place of a coin that has a block at t_us. NULL: there is none. */
static struct lamp_blockclock_coin *coin_of(struct lamp_blockclock *c, const char *coin,
                                            uint64_t t_us)
{
    struct lamp_blockclock_coin *oldest = &c->coins[0];
    for (size_t i = 0; i < LAMP_BLOCKCLOCK_COINS; i++) {
        if (streq(c->coins[i].coin, coin))
            return &c->coins[i];
        if (newest(&c->coins[i]) < newest(oldest))
            oldest = &c->coins[i];
    }
    if (oldest->n && newest(oldest) + LAMP_BLOCKCLOCK_LIVES_US > t_us)
        return NULL;
    *oldest = (struct lamp_blockclock_coin){ 0 };
    snprintf(oldest->coin, sizeof(oldest->coin), "%s", coin);
    return oldest;
}

bool lamp_blockclock_block(struct lamp_blockclock *c, const char *coin, uint64_t t_us)
{
    struct lamp_blockclock_coin *k = coin_of(c, coin, t_us);
    if (!k) {
        c->refused++;
        return false;
    }
    uint64_t *v = k->block_us;
    const uint32_t kept = (uint32_t)lamp_min(k->n, LAMP_BLOCKCLOCK_BLOCKS);
    uint32_t at = k->n; /* its place among all that were taken */
    while (at > k->n - kept && v[(at - 1) % LAMP_BLOCKCLOCK_BLOCKS] > t_us)
        at--;
    const bool is_first = at == k->n - kept, is_last = at == k->n;
    if ((!is_first && t_us - v[(at - 1) % LAMP_BLOCKCLOCK_BLOCKS] < SAME_BLOCK_US) ||
        (!is_last && v[at % LAMP_BLOCKCLOCK_BLOCKS] - t_us < SAME_BLOCK_US))
        return false;
    if (is_first && kept == LAMP_BLOCKCLOCK_BLOCKS)
        return false; /* older than all that are kept */
    for (uint32_t i = k->n++; i > at; i--)
        v[i % LAMP_BLOCKCLOCK_BLOCKS] = v[(i - 1) % LAMP_BLOCKCLOCK_BLOCKS];
    v[at % LAMP_BLOCKCLOCK_BLOCKS] = t_us;
    return true;
}

bool lamp_blockclock_told(struct lamp_blockclock *c, const char *coin, size_t len, uint64_t t_us)
{
    char symbol[LAMP_BLOCKCLOCK_SYMBOL];
    bool is_symbol = len > 0 && len < sizeof(symbol);
    for (size_t i = 0; i < len && is_symbol; i++)
        is_symbol = (coin[i] >= 'A' && coin[i] <= 'Z') || (coin[i] >= '0' && coin[i] <= '9');
    if (!is_symbol) {
        c->refused++;
        return false;
    }
    memcpy(symbol, coin, len);
    symbol[len] = '\0';
    return lamp_blockclock_block(c, symbol, t_us);
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
