/* SPDX-License-Identifier: Apache-2.0 */
/* writer_impl: what the files of the writer share. writer.c has the thread and its transactions,
 * writer_lists.c what remembers something of the database and is published to sensors, writer_commands.c
 * what people ask for. All within a transaction, on the writer's thread. */
#pragma once

#include "aggregator/policy/guard.h"
#include "aggregator/writer/merge.h"
#include "aggregator/writer/policybook.h"
#include "aggregator/writer/sitebook.h"
#include "aggregator/writer/writer.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LAMP_WRITER_COMMANDS_MAX = 32 /* answered together */ };

struct lamp_writer {
    struct lamp_writer_cfg cfg;
    lamp_store *store;
    lamp_blocklist *blocks;
    lamp_keyring *keyring;
    lamp_watchlist *watch;
    lamp_sets *sets;
    lamp_alarms *alarms;
    lamp_rigs *rigs;
    lamp_rules *rules;
    lamp_guard *guard;
    lamp_habits *habits;
    struct lamp_baselinebook baselines;
    lamp_samplebook *samples; /* NULL: none are taken */
    lamp_trackbook *trackings;
    struct lamp_fleetclock clock;
    uint64_t
        watch_us; /* monotonic: since when the watch list waits to be published; 0: it does not */
    lamp_touched *touched;
    uint64_t epoch;
    uint64_t
        quiet_us; /* those heard of last until then are known to have ended; 0: not looked yet */
    struct lamp_upkeep upkeep;
    pthread_t thread;
    int stop_fd;
    _Atomic bool failed;

    bool open;                   /* a transaction is */
    uint64_t opened_us;          /* monotonic */
    unsigned letters;            /* in it */
    unsigned failures;           /* in a row */
    struct lamp_answers answers; /* wait for the commit */
    struct lamp_command_result results[LAMP_WRITER_COMMANDS_MAX];
    size_t n_results;    /* likewise */
    bool blocks_changed; /* miners must be looked at again */
    bool accounts_changed;
};

/* ---- lists: writer_lists.c ---- */

/* Opens, or after a roll-back opens anew, what remembers something of the database. */
LAMP_CHECK int lamp_writer_open_lists(lamp_writer *w);
void lamp_writer_close_lists(lamp_writer *w);

/* The allow table as it stands becomes the enrolled sensors and the sites that have lists. */
LAMP_CHECK int lamp_writer_enroll(lamp_writer *w, uint64_t now_us);

/* When the watch list is to be marked as changed (monotonic), and when some list is to be published. */
uint64_t lamp_writer_watch_due_us(const lamp_writer *w);
uint64_t lamp_writer_lists_due_us(const lamp_writer *w, uint64_t now_us);

/* Ends blocks whose lease is over, publishes what changed and tells the sensors of it. */
LAMP_CHECK int lamp_writer_publish(lamp_writer *w, uint64_t now_us);

/* Has miners say that they are blocked where a block in force covers them, and no others. */
LAMP_CHECK int lamp_writer_refresh_miners(lamp_writer *w);

/* ---- commands: writer_commands.c ---- */

/* Does what the command says. LAMP_ESTORE, LAMP_ENOMEM: roll back; other errors are the answer. */
LAMP_CHECK int lamp_writer_carry_out(lamp_writer *w, const struct lamp_command *c, uint64_t now_us,
                                     struct lamp_command_result *r);

/* Puts on record who did what to what, where nobody else has, and marks what changed for browsers. */
LAMP_CHECK int lamp_writer_audit(lamp_writer *w, const struct lamp_command *c,
                                 const struct lamp_command_result *r, uint64_t now_us);
void lamp_writer_touch(lamp_writer *w, const struct lamp_command *c,
                       const struct lamp_command_result *r);
