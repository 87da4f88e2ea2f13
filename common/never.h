/* SPDX-License-Identifier: Apache-2.0 */
/* never: what must never be blocked: prefixes from the configuration and what is found on the
 * machine itself (own addresses, default gateways, resolvers, connected networks). Plain data
 * of fixed size: at most LAMP_NEVER_MAX prefixes and LAMP_NEVER_NETS networks, more are
 * counted in `refused`. Not thread-safe; never logs. */
#pragma once

#include "common/addr.h"

enum { LAMP_NEVER_MAX = 512, LAMP_NEVER_NETS = 64 };

struct lamp_never {
    struct lamp_never_entry {
        struct lamp_prefix prefix;
        const char *reason; /* static: "own address", "resolver", ... */
    } v[LAMP_NEVER_MAX], nets[LAMP_NEVER_NETS];
    size_t n, n_nets, refused;
};

/* Adds a prefix unless one in the list covers it; drops those that it covers. So no two
 * entries overlap, as nftables wants it. */
void lamp_never_add(struct lamp_never *never, const struct lamp_prefix *prefix, const char *reason);
void lamp_never_add_addr(struct lamp_never *never, const struct lamp_addr *addr,
                         const char *reason);

/* Adds a network of ours: no remote address in it is blocked, but an inside host may be. */
void lamp_never_add_net(struct lamp_never *never, const struct lamp_prefix *prefix,
                        const char *reason);

/* Adds loopback, link-local, multicast, broadcast and the unspecified address. */
void lamp_never_add_fixed(struct lamp_never *never);

/* Adds what the machine says of itself: addresses and networks of all interfaces (networks wider
 * than /8, IPv6 /32, are left out), gateways of the default routes and the resolvers of
 * resolv.conf. Each part that cannot be read is left out; the
 * number of such parts is returned. root is put before the paths ("" outside tests). */
unsigned lamp_never_add_machine(struct lamp_never *never, const char *root);

/* The entry that shares an address with the prefix, or NULL. inside: the prefix is meant as inside
 * hosts, which the networks of lamp_never_add_net() do not protect. */
const struct lamp_never_entry *lamp_never_hit(const struct lamp_never *never,
                                              const struct lamp_prefix *prefix, bool inside);

/* Whether both hold the same prefixes in the same order. */
bool lamp_never_same(const struct lamp_never *a, const struct lamp_never *b);
