/* SPDX-License-Identifier: Apache-2.0 */
/* identity: whether a server is known as a mining pool, by its name or its address: in the installed
 * catalogue, in the watch list that the aggregator keeps, or by the words of its name; and whether a
 * wallet is on that list. Pure
 * look-ups; a watch list is read-only once made, so threads may share it. */
#pragma once

#include "common/addr.h"
#include "common/catalogue.h"
#include "sensor/engine/evidence.h"

typedef struct lamp_watch lamp_watch;

enum { LAMP_WATCH_MAX = 65536 }; /* entries of a watch list */

/* An endpoint or a name to look for. */
struct lamp_watch_entry {
    struct lamp_addr addr;   /* all zero: by name */
    const char *name;        /* NULL: by address */
    uint16_t port;           /* 0: any */
    const char *pool, *coin; /* NULL: unknown; borrowed, as what is found by it keeps them */
    const char *origin;      /* NULL: unknown; who has it on the list */
    uint32_t ttl_s;          /* how long it will be on the list; 0: unknown */
    bool fresh;              /* verified within a day; else stale */
    bool mute;               /* no evidence, whatever the catalogue says */
};

/* Copies n entries, their names and origins. LAMP_EFULL: more than LAMP_WATCH_MAX. LAMP_ENOMEM. */
LAMP_CHECK int lamp_watch_new(const struct lamp_watch_entry *entries, size_t n, lamp_watch **out);
lamp_watch *lamp_watch_free(lamp_watch *w);

/* What a look-up found. */
struct lamp_identity {
    struct lamp_mass mass;   /* 0: nothing */
    const char *pool, *coin; /* the catalogue's or watch list's; NULL: unknown */
    const char *what;        /* static: "a pool's host and port" */
};

/* By name (case, a last dot do not matter) and port. watch may be NULL, catalogue too. */
struct lamp_identity lamp_identity_of_name(const lamp_catalogue *catalogue, const lamp_watch *watch,
                                           struct lamp_bytes name, uint16_t port);

/* By address and port, which only a watch list knows. */
struct lamp_identity lamp_identity_of_address(const lamp_watch *watch, const struct lamp_addr *addr,
                                              uint16_t port);

/* What is known of a wallet. */
struct lamp_known_wallet {
    struct lamp_mass mass; /* 0: nothing */
    const char *what;      /* static */
    const char *origin;    /* who has it on the list, as long as that is there; NULL: unknown */
    uint32_t ttl_s;        /* how long it will be on it; 0: unknown */
};

/* A wallet that somebody was mining to, which only a watch list knows (by lamp_wallet_name()). */
struct lamp_known_wallet lamp_identity_of_wallet(const lamp_watch *watch, const char *wallet);

/* Whether the words of a name hint at mining: a coin beside pool, mine or mining, or a word that is
 * used for nothing else. */
bool lamp_identity_hint(struct lamp_bytes name);
