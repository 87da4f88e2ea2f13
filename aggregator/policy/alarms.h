/* SPDX-License-Identifier: Apache-2.0 */
/* alarms: raises alerts, ends them where their condition ends, and looks after what only a glance at
 * the clock shows: sensors that fall silent, drop packets, lose summaries, have a wrong clock or
 * refuse lists, miners that stopped, a disk that fills. The writer thread's, inside its
 * transactions; what changed is told once those are committed (touched.h). */
#pragma once

#include "aggregator/store/write.h"
#include "aggregator/writer/touched.h"

typedef struct lamp_alarms lamp_alarms;

struct lamp_alarms_cfg {
    lamp_store *store;     /* all borrowed */
    lamp_touched *touched; /* may be NULL */
    const char *folder;    /* of the database; NULL or "": its disk is not looked at */
    uint64_t started_us;   /* real time: what was before is no silence of a sensor */
    uint64_t silent_us;    /* a sensor that is not heard of for so long is silent */
    double drops;          /* 0 to 1: more of the packets missed is an alert */
    double disk_free;      /* 0 to 1: less of the disk free is an alert */
};

enum { LAMP_ALARMS_SENSORS = 4096 }; /* looked after; of more nothing is told */

LAMP_CHECK int lamp_alarms_new(const struct lamp_alarms_cfg *cfg, lamp_alarms **out);
lamp_alarms *lamp_alarms_free(lamp_alarms *a);

/* A condition holds, or it does not (any more). LAMP_ESTORE. */
LAMP_CHECK int lamp_alarms_set(lamp_alarms *a, const struct lamp_alert *alert, bool holds,
                               uint64_t now_us);

/* A person said something of a miner that ends its alerts of some kinds (bit k: kind k); why: a sentence. LAMP_ESTORE. */
LAMP_CHECK int lamp_alarms_end(lamp_alarms *a, int64_t miner_id, uint32_t kinds, const char *why,
                               uint64_t now_us);

/* A sensor says how full its spool is. LAMP_ESTORE. */
LAMP_CHECK int lamp_alarms_spool(lamp_alarms *a, const char *sensor, const char *site,
                                 uint64_t bytes, uint64_t quota_bytes, uint64_t now_us);

/* When lamp_alarms_tick() has work next, and that work. LAMP_ESTORE, LAMP_ENOMEM. */
uint64_t lamp_alarms_due_us(const lamp_alarms *a);
LAMP_CHECK int lamp_alarms_tick(lamp_alarms *a, uint64_t now_us);
