/* SPDX-License-Identifier: Apache-2.0 */
/* resolver: looks names up, A and AAAA, with c-ares; owned and driven by one thread, which polls. At most
 * LAMP_RESOLVES at once. A name that is an address is its own answer. Aliases (CNAME) are followed, LAMP_RESOLVER_CHAIN
 * at most, also where the name server leaves that to us; one that leads over a name that is to be left alone has
 * no address. Never logs. */
#pragma once

#include "aggregator/store/pools.h"

#include <poll.h>

typedef struct lamp_resolver lamp_resolver;

enum { LAMP_RESOLVES = 32, LAMP_RESOLVER_FDS = 16, LAMP_RESOLVER_CHAIN = 8 };

/* r->server_id is the tag; addresses are distinct; v4-mapped AAAA are left out (RFC 4038 section 4.2). */
typedef void lamp_resolver_fn(const struct lamp_pool_resolution *r, void *arg);

/* Whether a name is to be left alone. */
typedef bool lamp_resolver_never_fn(const char *name, void *arg);

/* servers as for lamp_names_new(); never may be NULL. LAMP_EFORMAT, LAMP_ENOMEM. */
LAMP_CHECK int lamp_resolver_new(const char *servers, lamp_resolver_fn *fn,
                                 lamp_resolver_never_fn *never, void *arg, lamp_resolver **out);

/* Gives up what is under way; fn is not called any more. Accepts NULL. Returns NULL. */
lamp_resolver *lamp_resolver_free(lamp_resolver *r);

/* Asks; fn is called later, perhaps within this call. LAMP_EAGAIN: too many at once. */
LAMP_CHECK int lamp_resolver_ask(lamp_resolver *r, const char *name, int64_t tag);

/* What to poll for, and for how long at most (milliseconds, -1: for ever). */
size_t lamp_resolver_fds(lamp_resolver *r, struct pollfd fds[LAMP_RESOLVER_FDS], int *out_ms);
void lamp_resolver_run(lamp_resolver *r, const struct pollfd *fds, size_t n);
size_t lamp_resolver_busy(const lamp_resolver *r);
