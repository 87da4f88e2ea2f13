/* SPDX-License-Identifier: Apache-2.0 */
/* names: host names seen on the wire, and which addresses DNS answers gave them. Two tables of
 * fixed size in sets of LAMP_NAMES_WAYS; a full set gives up the entry that was used (names)
 * or runs out (addresses) first. The hash is keyed with random bytes. A name is held by a
 * reference that stops working when its place goes to another name. Not thread-safe; never
 * logs, never reads a clock. */
#pragma once

#include "common/addr.h"

typedef struct lamp_names lamp_names;

enum {
    LAMP_NAMES_WAYS = 8,
    LAMP_NAMES_TEXT = 112, /* longest name kept, with its NUL */
};

struct lamp_names_counters {
    uint64_t kept;    /* names taken in anew */
    uint64_t refused; /* too long, or no host name */
    uint64_t evicted; /* names and addresses that made room */
};

/* Three quarters of memory_bytes hold names, one quarter addresses. LAMP_EINVAL: under 8 KiB.
 * LAMP_ENOMEM. Negated errno: no random bytes. */
LAMP_CHECK int lamp_names_new(size_t memory_bytes, lamp_names **out);
lamp_names *lamp_names_free(lamp_names *n);

/* The reference of a name in any case, with or without a last dot or a port; 0 where it is no
 * host name (an address literal is none). */
uint32_t lamp_names_intern(lamp_names *n, struct lamp_bytes name, uint64_t now_us);

/* The text of a reference; "" for 0 and for one whose place was given away. Valid until the
 * next lamp_names_intern(). */
const char *lamp_names_text(const lamp_names *n, uint32_t ref);

/* Notes that a DNS answer of now_us gave the address to the name for ttl_s. */
void lamp_names_bind(lamp_names *n, const struct lamp_addr *addr, uint32_t ref, uint32_t ttl_s,
                     uint64_t now_us);

/* The newest name of an address that held at at_us (a minute of grace past the TTL, as
 * programs use what they resolved a little longer); 0: none. */
uint32_t lamp_names_of(const lamp_names *n, const struct lamp_addr *addr, uint64_t at_us);

/* The same in two steps: where an address is looked for, which memory begins to fetch, and what is there. */
uint32_t lamp_names_aim(const lamp_names *n, const struct lamp_addr *addr);
uint32_t lamp_names_of_aimed(const lamp_names *n, uint32_t aim, const struct lamp_addr *addr,
                             uint64_t at_us);

struct lamp_names_counters lamp_names_counters(const lamp_names *n);
