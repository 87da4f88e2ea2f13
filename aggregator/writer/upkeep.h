/* SPDX-License-Identifier: Apache-2.0 */
/* upkeep: when the store is maintained (lamp_store_maintain()): a slice each 10 s, and while there is
 * more to do one after another, with pauses that leave half of the time to what comes in: with less of
 * it for maintenance, rows would wait for it for as long as many keep coming. A slice that fails is rolled back and tried again a minute later; nothing else depends on it. The writer thread's. */
#pragma once

#include "aggregator/store/write.h"

struct lamp_upkeep {
    struct lamp_store_policy policy;
    uint64_t due_us; /* monotonic */
};

/* Maintains the store where it is due, in a transaction of its own; none may be open. busy: other work is
 * waiting. mono_us: now, by lamp_clock_mono_us(). */
void lamp_upkeep_run(struct lamp_upkeep *u, lamp_store *s, bool busy, uint64_t real_us,
                     uint64_t mono_us);
