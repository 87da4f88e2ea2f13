/* SPDX-License-Identifier: Apache-2.0 */
/* rounds: the thread that keeps the catalogue up to date: looks each server's name up every
 * LAMP_ROUND_RESOLVE_US, probes each entry at each address every LAMP_ROUND_PROBE_US, both spread over
 * the time, asks the servers of connections that sensors suspect at once, and carries out what operators
 * order. What it finds goes to the writer (findings.h). It
 * reads through a store handle of its own. Probing is off until somebody turns it on. */
#pragma once

#include "aggregator/catalogue/prober.h"
#include "aggregator/handover/findings.h"
#include "aggregator/handover/probes.h"

typedef struct lamp_rounds lamp_rounds;

#define LAMP_ROUND_RESOLVE_US (UINT64_C(1800) * 1000000)
#define LAMP_ROUND_PROBE_US (UINT64_C(3) * 3600 * 1000000)

struct lamp_rounds_cfg {
    const char *backend, *database;  /* as for lamp_store_open() */
    const char *servers;             /* DNS, as for lamp_names_new() */
    bool resolve, probe;             /* what holds until an operator says otherwise */
    bool offline;                    /* nothing leaves the machine, whatever anybody says */
    unsigned rate;                   /* connections of probes a second */
    const struct lamp_prefix *never; /* borrowed, as all below: is not probed */
    size_t n_never;
    const char *const *never_names; /* nor is what these are called, or below */
    size_t n_never_names;
    lamp_findings *findings;
    lamp_probes *probes;
    /* For tests: instead of lamp_probe_refusal(). */
    const char *(*refusal)(const struct lamp_addr *a);
};

/* Opens the store and starts the thread. LAMP_EFORMAT: servers make no sense. LAMP_ESTORE, LAMP_ENOMEM,
 * negated errno; `why` says it (LAMP_STORE_WHY bytes). */
LAMP_CHECK int lamp_rounds_start(const struct lamp_rounds_cfg *cfg, lamp_rounds **out, char *why);

/* Ends the thread; what is under way is given up. Accepts NULL. Returns NULL. */
lamp_rounds *lamp_rounds_stop(lamp_rounds *r);
