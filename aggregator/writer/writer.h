/* SPDX-License-Identifier: Apache-2.0 */
/* writer: the thread that alone writes to the store. It merges what ingest hands over, carries
 * out the API's commands, keeps the lists that sensors get, and commits after at most 1 s or 256 letters,
 * at once when nothing waits. A record and its stream's next sequence number are committed
 * together; acknowledgements and events leave only after the commit, so what is acknowledged
 * is in the database, once. */
#pragma once

#include "aggregator/allow.h"
#include "aggregator/handover/command.h"
#include "aggregator/handover/events.h"
#include "aggregator/handover/findings.h"
#include "aggregator/handover/mailbox.h"
#include "aggregator/policy/rigs.h"
#include "aggregator/writer/baselinebook.h"
#include "aggregator/writer/keyring.h"
#include "aggregator/writer/samplebook.h"
#include "aggregator/writer/trackbook.h"
#include "aggregator/writer/upkeep.h"
#include "common/catalogue.h"
#include "common/cdn.h"

typedef struct lamp_writer lamp_writer;

struct lamp_writer_cfg {
    lamp_store *store;            /* read-write; the writer's alone until the stop */
    const struct lamp_keys *keys; /* all borrowed until the stop */
    lamp_allow *allow;
    lamp_mailbox *inbox, *outbox;
    lamp_commands *commands;
    lamp_events *events;
    lamp_findings *findings;         /* NULL: nothing is looked up or probed */
    const struct lamp_prefix *never; /* our own addresses are among them */
    size_t n_never;
    uint32_t list_ttl_s;
    uint32_t interval_ms;            /* between summaries, told to sensors */
    const lamp_catalogue *catalogue; /* what the catalogue begins with; may be NULL */
    const lamp_cdn *cdn;             /* for the watch list; may be NULL */
    bool no_approvals;               /* one person is enough for any block */
    uint32_t overlap_s;              /* how long a sensor's old key holds beside its new one */
    struct lamp_server_key next_server_key; /* serial 0: none is announced */
    struct lamp_alarms_cfg alarms;          /* store, touched and started_us are the writer's */
    struct lamp_rigs_cfg rigs;              /* store, alarms and habits are */
    lamp_asn_fn *asn;                       /* whose network an address is in; may be NULL */
    void *asn_arg;
    struct lamp_store_policy policy;    /* how long what is kept */
    struct lamp_samplebook_cfg samples; /* store is the writer's; folder NULL: none are taken */
    uint32_t tracking_days;             /* how long what was tracked is kept; 0: for ever */

    /* Called on the writer's thread once a change of accounts or tokens is committed, before its
     * command is answered; may read from the store. NULL: nobody wants to know. */
    void (*accounts_changed)(lamp_store *store, void *arg);
    void *arg;
};

/* Enrols the sensors of the allow table (lamp_keyring_load()), loads the lists and starts the
 * thread.
 * LAMP_ESTORE (lamp_store_why()), LAMP_ENOMEM, LAMP_EIO. */
LAMP_CHECK int lamp_writer_start(const struct lamp_writer_cfg *cfg, lamp_writer **out);

/* Works off what waits, commits, then ends the thread. Accepts NULL. Returns NULL. */
lamp_writer *lamp_writer_stop(lamp_writer *w);

/* Blocks of coins that sensors told of and that were not passed on (fleetclock.h). */
uint64_t lamp_writer_blocks_refused(const lamp_writer *w);

/* Whether the thread gave up since the database refused three times in a row; it then has sent
 * SIGTERM to the process. */
bool lamp_writer_failed(const lamp_writer *w);
