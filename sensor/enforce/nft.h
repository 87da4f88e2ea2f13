/* SPDX-License-Identifier: Apache-2.0 */
/* nft: the table `inet davylamp` as text for libnftables, and back. What is rendered is one
 * transaction: traffic meets the old rules or the new ones and nothing in between.
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

#include "sensor/enforce/plan.h"

#define LAMP_NFT_TABLE "davylamp"

enum { LAMP_NFT_WHY = 256, LAMP_NFT_DIGEST = 32 };

struct lamp_nft_table {
    enum lamp_enforce_mode mode; /* OFF: no table; DRY_RUN: count, let through */
    int priority;                /* of the chain; the firewall's own filter is 0 */
    const struct lamp_never *never;
    const struct lamp_element *v; /* as in a plan */
    size_t n;
};

/* The transaction that makes the table anew, whatever was there; *out is the caller's to free().
 * LAMP_ENOMEM. */
LAMP_CHECK int lamp_nft_render(const struct lamp_nft_table *t, uint64_t now_us, char **out);

/* What becomes of an element. */
struct lamp_nft_change {
    const struct lamp_element *drop, *add; /* NULL: none; both: the same key, renewed */
};

/* The transaction that changes elements of a table that is there. LAMP_ENOMEM. */
LAMP_CHECK int lamp_nft_render_changes(const struct lamp_nft_change *c, size_t n, uint64_t now_us,
                                       char **out);

/* What a listing says of the table. */
struct lamp_nft_seen {
    uint8_t rules[LAMP_NFT_DIGEST]; /* of the chain and its rules */
    size_t missing;                 /* elements that should be there and are not */
    size_t foreign; /* elements that are there and should not be, or hold too long */
};

/* Reads what `nft -j list` prints of the table: puts the counters into the elements v (in order),
 * marks those it `seen`, and says how the kernel's table differs from them and the never list at
 * now_us. Of a listing of the chain alone only `rules` means something. LAMP_EFORMAT: not that
 * JSON. LAMP_ENOENT: there is no chain. */
LAMP_CHECK int lamp_nft_parse(const char *json, const struct lamp_never *never,
                              struct lamp_element *v, size_t n, uint64_t now_us,
                              struct lamp_nft_seen *out);

/* The kernel, or what a test puts in its place. */
struct lamp_nft_backend {
    void *arg;
    /* Runs one transaction. LAMP_EKERNEL: refused as a whole, why has nft's words. */
    int (*apply)(void *arg, const char *commands, char why[LAMP_NFT_WHY]);
    /* Lists the table as JSON, or the chain alone, which is quick however many elements there are;
     * *out is the caller's to free(). LAMP_ENOENT: no table. */
    int (*list)(void *arg, bool chain_alone, char **out);
};

/* The kernel through libnftables. Needs CAP_NET_ADMIN to apply. LAMP_ENOMEM. */
LAMP_CHECK int lamp_nft_open(struct lamp_nft_backend *out);
void lamp_nft_close(struct lamp_nft_backend *b);
