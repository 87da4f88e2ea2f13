/* SPDX-License-Identifier: Apache-2.0 */
/* redial: when to try the aggregator again: after 1 s, then twice as long each time up to 32 s, 10 %
 * sooner or later, so that a fleet does not come back in one wave. Header only. */
#pragma once

#include <sodium.h>
#include <stdint.h>

enum { LAMP_REDIAL_FIRST_US = 1000 * 1000, LAMP_REDIAL_LAST_US = 32 * LAMP_REDIAL_FIRST_US };

struct lamp_redial {
    uint64_t at_us;   /* monotonic: no attempt before */
    uint64_t wait_us; /* the next pause */
};

/* The next attempt may be made at once, and the pause after it is the shortest again. */
static inline void lamp_redial_reset(struct lamp_redial *r)
{
    *r = (struct lamp_redial){ 0, LAMP_REDIAL_FIRST_US };
}

/* An attempt failed or a session ended: the next one follows after a pause, of pause_us at least. */
static inline void lamp_redial_later(struct lamp_redial *r, uint64_t pause_us, uint64_t now_us)
{
    const uint64_t wait_us = pause_us > r->wait_us ? pause_us : r->wait_us;
    r->at_us = now_us + wait_us * 9 / 10 + randombytes_uniform((uint32_t)(wait_us / 5));
    r->wait_us = r->wait_us * 2 < LAMP_REDIAL_LAST_US ? r->wait_us * 2 : LAMP_REDIAL_LAST_US;
}
