/* SPDX-License-Identifier: Apache-2.0 */
/* tracker: turns the connection rows of a record into connections and miners. A miner is an
 * inside host (site, address, VLAN) with at least one connection that is suspected, probable
 * or confirmed mining; wallet and node traffic alone makes none. All state is in the store, so
 * nothing is lost or doubled when a transaction is rolled back. The writer thread's. */
#pragma once

#include "aggregator/store/write.h"

/* What the tracker asks and tells. */
struct lamp_tracker {
    lamp_store *store;

    /* Whether a block in force covers this host's traffic to this server. */
    bool (*covered)(const struct lamp_miner_target *t, void *arg);

    /* A miner's row has changed. */
    void (*touched)(int64_t miner_id, void *arg);
    void *arg;

    /* A connection that is at least suspected to mine was merged: as it stands, and what the record
     * added to it. NULL: nobody asks. Returns LAMP_OK or what the merge shall fail with. */
    int (*mined)(const struct lamp_track_conn *c, const struct lamp_conn_row *delta, void *arg);

    const lamp_catalogue *catalogue; /* what a difficulty is worth; NULL: not known */
};

/* Which record a batch came in. */
struct lamp_record {
    const struct lamp_store_sensor *sensor;
    int64_t stream_ref;
    uint64_t seq;
    uint64_t now_us;
};

/* Merges a batch inside the transaction at hand. LAMP_ESTORE, LAMP_ENOMEM: roll back. */
LAMP_CHECK int lamp_tracker_merge(const struct lamp_tracker *t, const struct lamp_record *rec,
                                  const struct lamp_batch *b);
