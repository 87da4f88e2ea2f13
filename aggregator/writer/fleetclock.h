/* SPDX-License-Identifier: Apache-2.0 */
/* fleetclock: when blocks of coins came, as all sensors together heard of it from work that pools
 * handed out in the clear; told to every sensor, so that one at whose site nothing mines in the clear
 * can hold its encrypted connections against them (common/blockclock.h). In memory only: after a
 * start it fills again. After a roll-back, blocks of that transaction reach sensors with their next
 * session. Plain data; the writer thread's. */
#pragma once

#include "aggregator/writer/answers.h"
#include "common/blockclock.h"

struct lamp_fleetclock {
    struct lamp_blockclock clock;
    struct lamp_coin_block
        waiting[LAMP_WIRE_COIN_BLOCKS_MAX]; /* to be told; coin lent from clock */
    size_t n_waiting;
    uint64_t due_us;  /* when those that wait are told */
    uint64_t refused; /* blocks of no such time as now */
};

/* Takes the blocks of a record that came at now_us (its times put right), and tells every sensor what
 * has been news for some seconds. */
void lamp_fleetclock_record(struct lamp_fleetclock *f, const struct lamp_batch *b, uint64_t now_us,
                            struct lamp_answers *answers);

/* Answers a HELLO with the blocks of the last hours. */
void lamp_fleetclock_hello(const struct lamp_fleetclock *f, const struct lamp_letter *to,
                           struct lamp_answers *answers);
