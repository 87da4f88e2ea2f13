/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/upkeep.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>

enum {
    EVERY_US = 10 * 1000 * 1000,
    FAILED_US = 60 * 1000 * 1000,
    MORE_US = 5 * 1000, /* between two slices of many */
};

void lamp_upkeep_run(struct lamp_upkeep *u, lamp_store *s, bool busy, uint64_t real_us,
                     uint64_t mono_us)
{
    if (mono_us < u->due_us)
        return;
    struct lamp_maintained done = { .more = false };
    int err = lamp_store_begin(s);
    if (err == LAMP_OK)
        err = lamp_store_maintain(s, &u->policy, real_us, &done);
    if (err == LAMP_OK)
        err = lamp_store_commit(s);
    if (err != LAMP_OK) {
        lamp_log_limited(LAMP_LOG_WARN, "writer",
                         "the database is not kept small for now error=\"%s\"",
                         err == LAMP_ESTORE ? lamp_store_why(s) : lamp_strerror(err));
        lamp_store_rollback(s);
    } else if (done.damaged_parts > 0) {
        lamp_log(LAMP_LOG_WARN, "writer",
                 "rows of traffic were damaged, those before the damage are kept parts=%" PRIu64
                 " from_s=%" PRIu64,
                 done.damaged_parts, done.damaged_from_us / 1000000);
    }
    const uint64_t now_us = lamp_clock_mono_us();
    const uint64_t took_us = now_us > mono_us ? now_us - mono_us : 0;
    u->due_us = now_us + (err != LAMP_OK ? FAILED_US
                          : !done.more   ? EVERY_US
                          : busy         ? MORE_US + took_us
                                         : MORE_US);
}
