/* SPDX-License-Identifier: Apache-2.0 */
/* never: what this router must never block: prefixes from the configuration and what it finds
 * on the machine itself (own addresses, default gateways, resolvers, the aggregator). Plain
 * data of fixed size: at most LAMP_NEVER_MAX prefixes, more are counted in `refused`. Not
 * thread-safe; never logs. */
#pragma once

#include "common/addr.h"

enum { LAMP_NEVER_MAX = 512 };

struct lamp_never {
    struct lamp_never_entry {
        struct lamp_prefix prefix;
        const char *reason; /* static: "own address", "resolver", ... */
    } v[LAMP_NEVER_MAX];
    size_t n, refused;
};

/* Adds a prefix unless one in the list covers it; drops those that it covers. So no two
 * entries overlap, as nftables wants it. */
void lamp_never_add(struct lamp_never *never, const struct lamp_prefix *prefix, const char *reason);
void lamp_never_add_addr(struct lamp_never *never, const struct lamp_addr *addr,
                         const char *reason);

/* Adds loopback, link-local, multicast, broadcast and the unspecified address. */
void lamp_never_add_fixed(struct lamp_never *never);

/* Adds what the machine says of itself: addresses of all interfaces, gateways of the default
 * routes and the resolvers of resolv.conf. Each part that cannot be read is left out; the
 * number of such parts is returned. root is put before the paths ("" outside tests). */
unsigned lamp_never_add_machine(struct lamp_never *never, const char *root);

/* The entry that shares an address with the prefix, or NULL. */
const struct lamp_never_entry *lamp_never_hit(const struct lamp_never *never,
                                              const struct lamp_prefix *prefix);

/* Whether both hold the same prefixes in the same order. */
bool lamp_never_same(const struct lamp_never *a, const struct lamp_never *b);
