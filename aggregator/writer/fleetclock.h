/* SPDX-License-Identifier: Apache-2.0 */
/* fleetclock: when blocks of coins came, as all sensors together heard of it from work that pools
 * handed out in the clear; told to every sensor, so that one at whose site nothing mines in the clear
 * can hold its encrypted connections against them (common/blockclock.h). In memory only: after a
 * start it fills again. After a roll-back, blocks of that transaction reach sensors with their next
 * session. Plain data; the writer thread's. */
#pragma once

#include "aggregator/writer/answers.h"
#include "common/blockclock.h"
#include "common/catalogue.h"

#include <stdatomic.h>

struct lamp_fleetclock {
    struct lamp_blockclock clock;
    struct {
        char coin[LAMP_BLOCKCLOCK_SYMBOL];
        uint64_t t_us;
    } waiting[LAMP_WIRE_COIN_BLOCKS_MAX]; /* to be told */
    size_t n_waiting;
    uint64_t due_us;          /* when those that wait are told */
    _Atomic uint64_t refused; /* of no coin, of no such time as now, or there was no place */
};

/* Takes the blocks of a record that came at now_us from a sensor whose clock is ahead_us ahead of ours, and
 * tells every sensor what has been news for some seconds. Coins are those of the catalogue (NULL: any symbol). */
void lamp_fleetclock_record(struct lamp_fleetclock *f, const lamp_catalogue *catalogue,
                            const struct lamp_batch *b, int64_t ahead_us, uint64_t now_us,
                            struct lamp_answers *answers);

/* Answers a HELLO with the blocks of the last hours. */
void lamp_fleetclock_hello(const struct lamp_fleetclock *f, const struct lamp_letter *to,
                           struct lamp_answers *answers);
