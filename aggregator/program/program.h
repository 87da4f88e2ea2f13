/* SPDX-License-Identifier: Apache-2.0 */
/* program: the parts of davylamp-aggregator, and the steps of a run: lamp_aggregator_open() what is
 * on the disk, lamp_aggregator_start() the threads (writer, ingest, HTTP and what else the
 * configuration asks for), lamp_aggregator_stop(). Main's thread alone. These say on standard error
 * what is wrong, and return an exit status. */
#pragma once

#include "aggregator/api/api.h"
#include "aggregator/catalogue/rounds.h"
#include "aggregator/conf.h"
#include "aggregator/history/exporter.h"
#include "aggregator/history/past.h"
#include "aggregator/imports/imports.h"
#include "aggregator/ingest/door.h"
#include "aggregator/ingest/ingest.h"
#include "aggregator/notify/notify.h"
#include "aggregator/recovery.h"
#include "aggregator/writer/writer.h"

enum {
    LAMP_PROGRAM_WHY = 600,       /* bytes of a reason */
    LAMP_PROGRAM_WAIT_MS = 10000, /* for the writer's answer to a command */
};

struct lamp_aggregator {
    struct lamp_aggregator_conf conf;
    struct lamp_keys keys;
    struct lamp_prefix *never;
    size_t n_never;
    char database[4096], token_file[4096], samples[4096], imports_folder[4096];
    const char *argument; /* of the command; NULL: none */
    lamp_store *store;
    lamp_allow *allow;
    struct lamp_prefix *opted_out; /* is not probed */
    const char **opted_names;      /* likewise */
    size_t n_opted_out, n_opted_names;
    lamp_geo *geo;
    lamp_devices *devices;
    lamp_catalogue *catalogue; /* NULL: the watch list has no pools but those that were seen */
    lamp_cdn *cdn;             /* NULL: every address counts for what it is */
    lamp_names *names;
    lamp_facts *facts;
    struct lamp_http_tls tls;
    lamp_mailbox *inbox, *outbox;
    lamp_commands *commands;
    lamp_pending *pending;
    lamp_events *events;
    lamp_findings *findings;
    lamp_probes *probes;
    lamp_rounds *rounds;
    lamp_notify *notify; /* NULL: nobody is told of alerts */
    lamp_auth *auth;
    lamp_writer *writer;
    lamp_ingest *ingest;
    lamp_door *door;
    lamp_imports *imports;
    struct lamp_clickhouse_cfg clickhouse; /* of conf; url "": none */
    lamp_exporter *exporter;               /* NULL: history stays here */
    lamp_past *past;
    lamp_api *api;
};

/* Says why on standard error. Returns 1, an exit status. */
int lamp_complain(const char *why);

/* What no option alone tells (lamp_conf_check_fn): whether alerts can be told to anybody, and the
 * files and places that options name can be used. Asked by --check-config, and before a start. */
int lamp_aggregator_check(void *conf, char why[LAMP_CONF_WHY]);

/* Where ClickHouse is and who we are there, borrowed from *conf; url "": there is none. */
struct lamp_clickhouse_cfg lamp_aggregator_clickhouse(const struct lamp_aggregator_conf *conf);

/* Where the database is (also to g->database), for what is done before it is opened. */
struct lamp_recovery lamp_aggregator_recovery(struct lamp_aggregator *g);

/* Opens what a run needs of the disk: geo files, catalogue, certificate, database, and in it who
 * may connect. */
int lamp_aggregator_open(struct lamp_aggregator *g);

/* Reads the geo files anew. One that can't be read leaves the map as it was. */
void lamp_aggregator_open_geo(struct lamp_aggregator *g);

/* Who may connect, before anybody does: what the database knows, and what the file adds. */
int lamp_aggregator_load_sensors(struct lamp_aggregator *g);

/* Lets in the keys that the sensors file has and the database has not. ring: at the start, with the
 * store between begin and commit; NULL: through the writer. */
void lamp_aggregator_take_sensors(struct lamp_aggregator *g, lamp_keyring *ring);

/* Starts the threads. After an error lamp_aggregator_stop() ends those that run. */
int lamp_aggregator_start(struct lamp_aggregator *g);

/* Ends the threads in the order that loses nothing (no more input, what waits is committed, its
 * acknowledgements go out) and frees what *g holds; accepts what is half started. */
void lamp_aggregator_stop(struct lamp_aggregator *g);
