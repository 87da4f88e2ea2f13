/* SPDX-License-Identifier: Apache-2.0 */
/* blockclock: when the blocks of a coin came, learned from the work that pools hand out in the
 * clear, and how well the messages of another connection keep to it. A pool of the coin sends new
 * work just after each block, whatever it is wrapped in, so that connections whose server speaks
 * soon after nearly every block mine that coin (the similarity is that of S. Zhang et al.,
 * "MineHunter", ACSAC 2021). Coins whose blocks come every few seconds tell nothing that way and
 * are left out. Plain data of fixed size; not thread-safe; time is passed in. */
#pragma once

#include "common/util.h"

enum {
    LAMP_BLOCKCLOCK_COINS = 16,  /* coins remembered; more are refused while these live */
    LAMP_BLOCKCLOCK_BLOCKS = 64, /* of each */
    LAMP_BLOCKCLOCK_SYMBOL = 16, /* bytes of a symbol with its NUL */
    LAMP_BLOCKCLOCK_NEEDS = 20,  /* blocks before a connection may be matched */
};
#define LAMP_BLOCKCLOCK_ALIKE 0.6 /* similarity from which they match */
#define LAMP_BLOCKCLOCK_LIVES_US                                                                   \
    UINT64_C(7200000000) /* a coin without a block gives its place away */

struct lamp_blockclock_coin {
    char coin[LAMP_BLOCKCLOCK_SYMBOL]; /* "": free */
    uint64_t block_us[LAMP_BLOCKCLOCK_BLOCKS];
    uint32_t n; /* blocks taken; the newest LAMP_BLOCKCLOCK_BLOCKS are kept, in order */
};

struct lamp_blockclock {
    struct lamp_blockclock_coin coins[LAMP_BLOCKCLOCK_COINS];
    uint64_t refused; /* blocks of coins for which there was no place */
};

/* Notes that a pool of the coin announced a new block at t_us, in any order. Whether it was news:
 * what lies within 10 s of a block that is known is the same one, told by another pool. */
bool lamp_blockclock_block(struct lamp_blockclock *c, const char *coin, uint64_t t_us);

/* The same of a block that somebody else heard of, who may say anything: what is no symbol of a coin
 * (at most 15 of A to Z and 0 to 9; len bytes) is refused. */
bool lamp_blockclock_told(struct lamp_blockclock *c, const char *coin, size_t len, uint64_t t_us);

/* How well messages at times_us (ascending, n of them: what a server sent unasked) keep to the coin's
 * blocks: the mean over the intervals between blocks that lie in from_us to to_us, -1 to 1. Intervals
 * under 10 s are left out. *out_blocks: how many counted; 0 gives similarity -1. */
double lamp_blockclock_similarity(const struct lamp_blockclock_coin *coin, const uint64_t *times_us,
                                  size_t n, uint64_t from_us, uint64_t to_us, uint32_t *out_blocks);

/* The coin that the messages keep to best, if they do over enough blocks (LAMP_BLOCKCLOCK_NEEDS,
 * LAMP_BLOCKCLOCK_ALIKE), else NULL. */
const struct lamp_blockclock_coin *lamp_blockclock_match(const struct lamp_blockclock *c,
                                                         const uint64_t *times_us, size_t n,
                                                         uint64_t from_us, uint64_t to_us,
                                                         double *out_similarity,
                                                         uint32_t *out_blocks);
