/* SPDX-License-Identifier: Apache-2.0 */
/* endpoints: which address and port was a pool's, and when: a table that is read from a file, to answer for flow
 * records of the past. Read-only once made, so threads may share it. */
#pragma once

#include "common/addr.h"

typedef struct lamp_endpoints lamp_endpoints;

enum { LAMP_ENDPOINTS_MAX = 1 << 20 };

struct lamp_endpoint {
    struct lamp_addr addr;
    uint16_t port;               /* 0: every port */
    uint64_t since_us, until_us; /* until: UINT64_MAX where it still is one */
    const char *pool, *coin;     /* NULL: not said */
};

/* Reads a CSV file with a head: address, port, pool, coin, since and until, the last four of which may be missing or
 * empty; times are "2024-05-01", "2024-05-01T12:00:00Z" or seconds since 1970. On failure says in `why` (size bytes)
 * which line. LAMP_ENOENT, LAMP_EFORMAT, LAMP_EFULL, LAMP_ENOMEM,
 * LAMP_EINVAL: the path is too long; negated errno. */
LAMP_CHECK int lamp_endpoints_load(const char *path, lamp_endpoints **out, char *why, size_t size);
lamp_endpoints *lamp_endpoints_free(lamp_endpoints *e);

/* The entry of an address and port, or of the address at every port, that held at t_us; NULL: none. */
const struct lamp_endpoint *lamp_endpoints_find(const lamp_endpoints *e,
                                                const struct lamp_addr *addr, uint16_t port,
                                                uint64_t t_us);
