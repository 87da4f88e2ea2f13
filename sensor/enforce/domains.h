/* SPDX-License-Identifier: Apache-2.0 */
/* domains: which addresses the names of a block list have right now, by the DNS answers that
 * the sensor sees. A domain stands for itself and every name below it. An answer counts only
 * where the server is one that this router trusts, since any host can send what looks like an
 * answer; private, local and multicast addresses never count.
 *
 * Bounded: LAMP_DOMAINS_MAX bindings, LAMP_DOMAINS_ADDRS of one name; the one that runs out first
 * gives way. Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "common/addr.h"

enum {
    LAMP_DOMAINS_MAX = 2048,
    LAMP_DOMAINS_ADDRS = 32,      /* of one name */
    LAMP_DOMAINS_TTL_MIN_S = 300, /* programs keep what they resolved longer than they should */
    LAMP_DOMAINS_TTL_MAX_S = 24 * 3600,
};

struct lamp_domain_binding {
    char name[254]; /* lower case; "": free */
    struct lamp_addr addr;
    uint64_t until_us;
};

struct lamp_domains {
    struct lamp_domain_binding v[LAMP_DOMAINS_MAX];
    size_t n;
    uint64_t refused; /* answers that do not count: server, address or name */
    uint64_t evicted;
};

/* Notes an answer. Returns whether it is news: a new address, or one that now holds much longer. */
bool lamp_domains_add(struct lamp_domains *d, struct lamp_bytes name, const struct lamp_addr *addr,
                      uint32_t ttl_s, uint64_t now_us);

/* Forgets what is over. Returns whether there was any. */
bool lamp_domains_expire(struct lamp_domains *d, uint64_t now_us);

/* Whether name is the domain or lies below it. */
bool lamp_domain_covers(struct lamp_bytes domain, const char *name);

/* The bindings as text, a line "name address until_us" each, and back (lines that make no sense
 * are left out). *out is the caller's to free(). LAMP_ENOMEM. */
LAMP_CHECK int lamp_domains_write(const struct lamp_domains *d, char **out, size_t *out_len);
void lamp_domains_read(struct lamp_domains *d, char *text, uint64_t now_us);
