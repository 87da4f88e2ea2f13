/* SPDX-License-Identifier: Apache-2.0 */
/* nft: the table `inet davylamp` as text for libnftables, and back. One transaction replaces
 * the whole table, so traffic meets the old rules or the new ones and nothing in between.
 *
 *   chain lamp_forward   forward hook, before the firewall's own chains; never an output chain
 *   never4, never6       prefixes that are let through before anything else is asked
 *   <side><shape><4|6>   what is dropped, both ways, whatever the state of the connection:
 *                        side "out" (a remote address) or "in" (an inside host), shape host,
 *                        net, proto (address and protocol) or port (address, protocol, port)
 *
 * Elements carry a timeout: when nobody renews them the kernel lets go of them by itself.
 * Rendering and parsing are pure; the kernel is behind struct lamp_nft_backend. Not
 * thread-safe; never logs. */
#pragma once

#include "proto/wire.h"
#include "sensor/enforce/never.h"

#define LAMP_NFT_TABLE "davylamp"

enum { LAMP_NFT_WHY = 256 };

struct lamp_nft_plan {
    enum lamp_enforce_mode mode; /* OFF: no table; DRY_RUN: count, let through */
    int priority;                /* of the chain; the firewall's own filter is 0 */
    const struct lamp_never *never;
    const struct lamp_set_entry *entries; /* canonical (lamp_set_digest()), no names */
    size_t n_entries;                     /* ttl_s: what is left of it, 1 or more */
};

/* The transaction for a plan; *out is the caller's to free(). LAMP_ENOMEM. */
LAMP_CHECK int lamp_nft_render(const struct lamp_nft_plan *plan, char **out);

/* Reads element counters from what `nft -j list table` prints into hits[i] of entries[i]
 * (ids are not touched). An entry may be several elements: they are added up; one that the
 * kernel holds no more keeps hits[i] at 0. LAMP_EFORMAT: not that JSON. */
LAMP_CHECK int lamp_nft_parse_hits(const char *json, const struct lamp_set_entry *entries, size_t n,
                                   struct lamp_set_hits *hits);

/* The kernel, or what a test puts in its place. */
struct lamp_nft_backend {
    void *arg;
    /* Runs one transaction. LAMP_EKERNEL: refused as a whole, why has nft's words. */
    int (*apply)(void *arg, const char *commands, char why[LAMP_NFT_WHY]);
    /* Lists the table as JSON; *out is the caller's to free(). LAMP_ENOENT: no table. */
    int (*list)(void *arg, char **out);
};

/* The kernel through libnftables. Needs CAP_NET_ADMIN to apply. LAMP_ENOMEM. */
LAMP_CHECK int lamp_nft_open(struct lamp_nft_backend *out);
void lamp_nft_close(struct lamp_nft_backend *b);
