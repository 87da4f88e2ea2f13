/* SPDX-License-Identifier: Apache-2.0 */
/* api: the REST API of docs/api/openapi.yaml, the event stream and the dashboard, served over
 * one store. Reads go through read-only store handles of its own, one per HTTP thread; what
 * changes something goes to the writer thread as a command. */
#pragma once

#include "aggregator/api/facts.h"
#include "aggregator/handover/command.h"
#include "aggregator/handover/events.h"
#include "aggregator/handover/mailbox.h"
#include "aggregator/handover/pending.h"
#include "aggregator/handover/probes.h"
#include "aggregator/history/exporter.h"
#include "aggregator/history/past.h"
#include "aggregator/http/auth.h"
#include "aggregator/http/http.h"
#include "aggregator/http/tls.h"
#include "aggregator/imports/imports.h"
#include "aggregator/notify/notify.h"
#include "aggregator/places/geo.h"
#include "aggregator/places/names.h"
#include "aggregator/store/store.h"
#include "common/cdn.h"
#include "common/devices.h"

typedef struct lamp_api lamp_api;

struct lamp_api_cfg {
    const char *listen;              /* "127.0.0.1:8080" */
    bool plain_ok;                   /* plain HTTP may leave the machine */
    bool widen_decisions;            /* CrowdSec gets blocks of one port as blocks of the address */
    bool behind_tls;                 /* a TLS proxy is in front */
    const struct lamp_http_tls *tls; /* borrowed; NULL: plain HTTP */
    const char *web_folder;          /* the built dashboard; need not exist */
    const char *backend, *database;  /* as for lamp_store_open(); the writer's is open */
    bool sample_mode;                /* the traffic is made up: the dashboard says so */
    const char *samples;             /* folder of packet samples, borrowed */
    uint64_t started_us;
    lamp_geo *geo;               /* borrowed, as all below; NULL: nothing is known of places */
    lamp_names *names;           /* NULL: host names are not asked for */
    const lamp_devices *devices; /* NULL: no devices are estimated */
    lamp_facts *facts;           /* prices and places of sites; NULL: none */
    const lamp_cdn *cdn;         /* NULL: no address counts as one of a content network */
    const char *geo_attribution; /* what the licences of the geo files want said; may be "" */
    const struct lamp_prefix
        *never; /* what is never blocked; the first n_never_said are the operator's, */
    size_t n_never, n_never_said; /* the others addresses of this machine */
    lamp_auth *auth;
    lamp_events *events;
    lamp_commands *commands;
    lamp_probes *probes;       /* NULL: nothing is looked up or probed */
    lamp_notify *notify;       /* NULL: nobody is told of alerts */
    lamp_exporter *exporter;   /* NULL: no history leaves the store */
    lamp_past *past;           /* what it took; NULL: nothing */
    lamp_imports *imports;     /* NULL: captures are not taken */
    lamp_pending *pending;     /* who waits to be let in */
    const uint8_t *server_key; /* the public one that sensors must find, 32 bytes */

    /* For /metrics. */
    bool metrics_open;                          /* to everybody who can connect */
    lamp_mailbox *inbox, *outbox;               /* of the writer; NULL: not told */
    void (*more_metrics)(FILE *out, void *arg); /* writes more of them (metrics.h); may be NULL */
    void *arg;
};

/* Starts the server. `why` says what failed. LAMP_EINVAL, LAMP_EIO (the port is taken),
 * LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_api_start(const struct lamp_api_cfg *cfg, lamp_api **out,
                              char why[LAMP_STORE_WHY]);

/* Ends all streams and requests, then stops. Accepts NULL. Returns NULL. */
lamp_api *lamp_api_stop(lamp_api *a);

uint16_t lamp_api_port(const lamp_api *a);
bool lamp_api_has_dashboard(const lamp_api *a);

/* Every route, for the check against openapi.yaml. */
const struct lamp_route *lamp_api_routes(size_t *out_n);
