/* SPDX-License-Identifier: Apache-2.0 */
/* catalogue: the facts the programs ship with: coins (address forms, algorithm), algorithms
 * (hashes per difficulty 1) and pools (name, port, coin), read from the CSV files of a
 * folder (`data/` in the source, share/davylamp in a package). Read-only after loading, so
 * threads may share it. Limits: 1,024 coins, 1,024 algorithms, 16,384 pool rows; rows
 * past a limit make loading fail rather than vanish. */
#pragma once

#include "common/err.h"
#include "common/util.h"

typedef struct lamp_catalogue lamp_catalogue;

struct lamp_algorithm {
    const char *name;        /* "randomx" */
    const char *unit;        /* "H/s", "Sol/s", "G/s" */
    double hashes_per_diff1; /* expected hashes for a share of difficulty 1; 0: unknown */
};

struct lamp_coin {
    const char *symbol;    /* "XMR" */
    const char *name;      /* "Monero" */
    const char *algorithm; /* name in algorithms.csv */
    const char *protocol;  /* family customary for the coin: "cryptonote" */
};

struct lamp_pool {
    const char *pool; /* "2Miners" */
    const char *fqdn;
    uint16_t port;    /* 0: any */
    const char *coin; /* NULL: several or unknown */
    const char *algorithm;
    bool legacy;          /* no longer served: its status is legacy or dead */
    const char *protocol; /* family, as in coins.csv; "unknown" */
    const char *tls;      /* "yes", "no", "both", "unknown" */
    const char *kind;     /* "pool-endpoint", "pool-host", "web-miner", "ioc-host", ... */
    const char *source;   /* who lists it */
};

/* Loads coins.csv, algorithms.csv and pools.csv from a folder. On failure says in `why`
 * (size bytes) which file and line. LAMP_ENOENT, LAMP_EFORMAT, LAMP_EFULL, LAMP_ENOMEM. */
LAMP_CHECK int lamp_catalogue_load(const char *folder, lamp_catalogue **out, char *why,
                                   size_t size);
lamp_catalogue *lamp_catalogue_free(lamp_catalogue *c);

/* NULL where the catalogue has none. Names are compared without regard to case; an
 * algorithm is also found by its aliases. */
const struct lamp_coin *lamp_catalogue_coin(const lamp_catalogue *c, const char *symbol);
const struct lamp_algorithm *lamp_catalogue_algorithm(const lamp_catalogue *c, const char *name);

/* The pool row of host name and port; a row without a port serves every port. */
const struct lamp_pool *lamp_catalogue_pool(const lamp_catalogue *c, struct lamp_bytes fqdn,
                                            uint16_t port);

/* Some row of the host name, whatever its port: one that serves every port if there is such. */
const struct lamp_pool *lamp_catalogue_host(const lamp_catalogue *c, struct lamp_bytes fqdn);

/* All pool rows, by host name, then port. */
const struct lamp_pool *lamp_catalogue_pools(const lamp_catalogue *c, size_t *out_n);

/* Whether any pool listens on the port. */
bool lamp_catalogue_is_pool_port(const lamp_catalogue *c, uint16_t port);

/* The row of a pool (its name, not a host's) that has a port of its own for each coin; of several
 * the legacy one or the other, as asked. NULL: none. */
const struct lamp_pool *lamp_catalogue_pool_at_port(const lamp_catalogue *c, const char *pool,
                                                    uint16_t port, bool legacy);

/* What the form of a wallet's address tells. */
struct lamp_wallet_match {
    const struct lamp_coin *coin;           /* NULL: none fits, or several that are mined alike */
    unsigned n;                             /* how many fit */
    const struct lamp_algorithm *algorithm; /* of all that fit; NULL: none does, or they differ */
};

/* The coin whose address form the wallet matches among those of the protocol family (NULL:
 * all that share mining.*). Forks share address forms: then only the coins of the algorithm count, if
 * it is given and any of them has it, and it is the one that is mined at three times as many pools as
 * any other. */
struct lamp_wallet_match lamp_catalogue_wallet(const lamp_catalogue *c, struct lamp_bytes wallet,
                                               const char *family, const char *algorithm);

/* The coin mined with an algorithm among those of the family: the only one (*out_only), or the one
 * that is, or was, mined at three times as many pools as any other, or NULL. It has to be mined
 * today. */
const struct lamp_coin *lamp_catalogue_coin_of_algorithm(const lamp_catalogue *c,
                                                         const char *algorithm, const char *family,
                                                         bool *out_only);
