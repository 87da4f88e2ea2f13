/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/proved.h"

#define DAY_US (UINT64_C(86400) * 1000000)

const char *lamp_proved_kind_name(enum lamp_proved_kind k)
{
    static const char *const names[] = { "server", "wallet" };
    return k < ARRAY_LEN(names) ? names[k] : "unknown";
}

const char *lamp_proved_state_name(enum lamp_proved_state s)
{
    static const char *const names[] = { "fresh", "old", "over", "accepted", "muted" };
    return s < ARRAY_LEN(names) ? names[s] : "unknown";
}

/* By whole days, so that a list does not change each second; the day of the end counts. */
uint64_t lamp_proved_end_us(const struct lamp_proved *p)
{
    const uint64_t days =
        p->kind == LAMP_PROVED_SERVER ? LAMP_PROVED_SERVER_DAYS : LAMP_PROVED_WALLET_DAYS;
    const uint64_t end_us = (p->last_us / DAY_US + days + 1) * DAY_US;
    if (p->word != LAMP_PROVED_NOTHING)
        return UINT64_MAX;
    return p->until_us > end_us ? p->until_us : end_us;
}

enum lamp_proved_state lamp_proved_state_of(const struct lamp_proved *p, uint64_t now_us)
{
    if (p->word == LAMP_PROVED_MUTED)
        return LAMP_PROVED_SILENCED;
    if (p->word == LAMP_PROVED_ACCEPTED)
        return LAMP_PROVED_KEPT;
    if (lamp_proved_end_us(p) <= now_us)
        return LAMP_PROVED_OVER;
    return p->until_us > now_us || p->last_us / DAY_US + 1 >= now_us / DAY_US ? LAMP_PROVED_FRESH
                                                                              : LAMP_PROVED_OLD;
}
