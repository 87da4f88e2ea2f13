/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the catalogue (pools.h). Private to sqlite_schema.h. */
#pragma once

/* pool_server.rname: the labels of fqdn in reverse, so that what lies below a name stands together.
 * pool_entry.seed: the installed data (meta 'pools_seed') that named it last. State, tls: enum
 * lamp_pool_state, lamp_pool_tls. */
static const char lamp_schema_pools[] =
    "CREATE TABLE pool (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL COLLATE NOCASE UNIQUE) STRICT;"
    "CREATE TABLE pool_server ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, pool INTEGER NOT NULL REFERENCES pool,"
    " fqdn TEXT NOT NULL, rname TEXT NOT NULL, cname TEXT NOT NULL DEFAULT '',"
    " error TEXT NOT NULL DEFAULT '', resolved_us INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (pool, fqdn)) STRICT;"
    "CREATE INDEX pool_server_fqdn ON pool_server (fqdn);"
    "CREATE INDEX pool_server_rname ON pool_server (rname);"
    "CREATE TABLE pool_address ("
    " server INTEGER NOT NULL REFERENCES pool_server, addr BLOB NOT NULL,"
    " first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " PRIMARY KEY (server, addr)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX pool_address_addr ON pool_address (addr);"
    "CREATE TABLE pool_entry ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, server INTEGER NOT NULL REFERENCES pool_server,"
    " port INTEGER NOT NULL, coin TEXT NOT NULL, algorithm TEXT NOT NULL, protocol TEXT NOT NULL,"
    " tls INTEGER NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, legacy INTEGER NOT NULL,"
    " installed INTEGER NOT NULL, edited INTEGER NOT NULL, active INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, changed_by TEXT NOT NULL,"
    " versions INTEGER NOT NULL, seed INTEGER NOT NULL, UNIQUE (server, port, coin)) STRICT;"
    "CREATE INDEX pool_entry_port ON pool_entry (port);"
    "CREATE TABLE pool_version ("
    " entry INTEGER NOT NULL REFERENCES pool_entry, no INTEGER NOT NULL, at_us INTEGER NOT NULL,"
    " actor TEXT NOT NULL, action TEXT NOT NULL, port INTEGER NOT NULL, coin TEXT NOT NULL,"
    " algorithm TEXT NOT NULL, protocol TEXT NOT NULL, tls INTEGER NOT NULL,"
    " active INTEGER NOT NULL, PRIMARY KEY (entry, no)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE pool_endpoint ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, addr BLOB NOT NULL, port INTEGER NOT NULL,"
    " state INTEGER NOT NULL, since_us INTEGER NOT NULL, probed_us INTEGER NOT NULL,"
    " up_us INTEGER NOT NULL, reason TEXT NOT NULL, family TEXT NOT NULL, tls INTEGER NOT NULL,"
    " banner TEXT NOT NULL, certificate TEXT NOT NULL, difficulty REAL NOT NULL,"
    " latency_us INTEGER NOT NULL, UNIQUE (addr, port)) STRICT;"
    "CREATE TABLE pool_change ("
    " endpoint INTEGER NOT NULL REFERENCES pool_endpoint, at_us INTEGER NOT NULL,"
    " state INTEGER NOT NULL, reason TEXT NOT NULL, family TEXT NOT NULL,"
    " PRIMARY KEY (endpoint, at_us)) STRICT, WITHOUT ROWID;";
