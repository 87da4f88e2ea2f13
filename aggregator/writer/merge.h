/* SPDX-License-Identifier: Apache-2.0 */
/* merge: what one message of a sensor changes in the database, and what it is answered. The rules
 * of delivery (docs/WIRE.md) are here: a record counts if its number is the next of its stream,
 * and that number moves on in the same transaction. The writer thread's. */
#pragma once

#include "aggregator/handover/events.h"
#include "aggregator/policy/guard.h"
#include "aggregator/writer/answers.h"
#include "aggregator/writer/blocklist.h"
#include "aggregator/writer/fleetclock.h"
#include "aggregator/writer/keyring.h"
#include "aggregator/writer/samplebook.h"
#include "aggregator/writer/sets.h"
#include "aggregator/writer/touched.h"
#include "aggregator/writer/trackbook.h"
#include "aggregator/writer/watchlist.h"

/* What merging works on; all borrowed for the call. */
struct lamp_merge {
    lamp_store *store;
    lamp_blocklist *blocks;
    lamp_sets *sets;
    lamp_watchlist *watch;
    bool *watch_changed; /* set where a record adds to the watch list */
    lamp_keyring *keyring;
    lamp_touched *touched;
    lamp_alarms *alarms;
    lamp_rigs *rigs;
    lamp_guard *guard;
    lamp_habits *habits;
    lamp_samplebook *samples;        /* NULL: none are taken */
    lamp_trackbook *trackings;       /* NULL: nothing is tracked */
    const lamp_catalogue *catalogue; /* may be NULL */
    struct lamp_fleetclock *clock;   /* NULL: nobody is told of blocks */
    struct lamp_answers *answers;
    uint64_t epoch;                                /* of the database */
    uint32_t interval_ms;                          /* between summaries, told to sensors */
    uint64_t window_bytes;                         /* what a sensor may have under way */
    const struct lamp_server_key *next_server_key; /* serial 0: none is announced */
};

/* Takes a letter of a sensor into the transaction at hand. One of a sensor that is not enrolled
 * any more changes nothing. LAMP_ESTORE, LAMP_ENOMEM: roll back. */
LAMP_CHECK int lamp_merge_letter(const struct lamp_merge *m, const struct lamp_letter *letter);
