/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about the catalogue share. Private to store/sqlite_pools*.c. */
#pragma once

#include "aggregator/store/sqlite.h"

/* The columns of an entry in the order in which lamp_sqlite_pool_entry() reads them from `at` on. */
#define LAMP_POOL_ENTRY_COLUMNS                                                                    \
    " e.id, s.pool, e.server, p.name, s.fqdn, e.port, e.coin, e.algorithm, e.protocol, e.kind,"    \
    " e.source, e.tls, e.legacy, e.installed, e.edited, e.active, e.created_us, e.changed_us,"     \
    " e.changed_by, e.versions"
#define LAMP_POOL_ENTRY_FROM                                                                       \
    " FROM pool_entry e JOIN pool_server s ON s.id = e.server JOIN pool p ON p.id = s.pool"
enum { LAMP_POOL_ENTRY_N = 20 };
void lamp_sqlite_pool_entry(sqlite3_stmt *st, int at, struct lamp_pool_entry *out);

/* Likewise of an endpoint. */
#define LAMP_POOL_ENDPOINT_COLUMNS                                                                 \
    " ep.id, ep.addr, ep.port, ep.state, ep.since_us, ep.probed_us, ep.up_us, ep.reason,"          \
    " ep.family, ep.tls, ep.banner, ep.certificate, ep.difficulty, ep.latency_us"
void lamp_sqlite_pool_endpoint(sqlite3_stmt *st, int at, struct lamp_pool_endpoint *out);

/* An entry by its id. LAMP_ENOENT. */
LAMP_CHECK int lamp_sqlite_pool_entry_find(struct lamp_sqlite *q, int64_t id,
                                           struct lamp_pool_entry *out);

/* "pool.example.com" as "com.example.pool", so that what lies below a name stands together. */
void lamp_sqlite_pool_reverse(const char *fqdn, char out[LAMP_POOL_FQDN]);
