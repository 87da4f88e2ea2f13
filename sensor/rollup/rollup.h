/* SPDX-License-Identifier: Apache-2.0 */
/* rollup: all traffic that is no mining connection, added up per minute, inside host, remote
 * address, protocol, service port and application; and the names that DNS, TLS and HTTP give
 * the remotes. One per capture thread, not thread-safe; never logs, never reads a clock.
 *
 * All memory is taken at creation. What finds no row goes into the minute's "other" row
 * (addresses all zero), as does what is past the largest cfg.top rows when they are drained:
 * the sum of all rows is always the sum of what was put in. Rows live in small sets; a new
 * one replaces the smallest of its set if that is smaller, which then goes into "other".
 *
 * Inside is the end that cfg.inside covers. Where it covers both ends or neither, inside is the client. */
#pragma once

#include "common/addr.h"
#include "sensor/engine/conn.h"

typedef struct lamp_rollup lamp_rollup;

enum { LAMP_ROLLUP_TOP = 2000 }; /* rows a minute by default */

/* name (lower case) has the address, says the server. */
typedef void lamp_rollup_dns_fn(const char *name, const struct lamp_addr *addr,
                                const struct lamp_addr *server, uint32_t ttl_s, void *arg);

struct lamp_rollup_cfg {
    size_t memory_bytes;              /* for rows and names together */
    size_t top;                       /* most rows of one drain; 0: LAMP_ROLLUP_TOP */
    const struct lamp_prefix *inside; /* copied; NULL: private addresses alone are inside */
    size_t n_inside;
    bool private_too;              /* so are private addresses, beside `inside` */
    lamp_rollup_dns_fn *on_answer; /* told of each address in a DNS answer; NULL: nobody is */
    void *on_answer_arg;
};

/* What rollup keeps of a flow: the flow owner's memory. All zero at the flow's start. */
struct lamp_rollup_mark {
    uint32_t name; /* a reference of names.h: the server's name that the client gave */
    uint8_t app;   /* enum lamp_app, by what was seen */
};

/* A flow's traffic since it was last added. */
struct lamp_rollup_flow {
    const struct lamp_addr *client, *server;
    uint16_t server_port;
    uint8_t ip_proto;
    bool is_new; /* not added before: counts as a flow */
    struct lamp_rollup_mark mark;
    uint64_t first_us, last_us;    /* of the flow; the minute is that of last_us */
    uint64_t bytes[2], packets[2]; /* by enum lamp_dir */
};

/* A row; texts are valid during the call that lends it. */
struct lamp_rollup_sum {
    uint64_t minute; /* since 1970 */
    struct lamp_addr inside, remote;
    uint8_t ip_proto;                      /* 0 in an "other" row */
    uint16_t service_port;                 /* the server's, whichever side that is */
    const char *application, *remote_name; /* "": unknown */
    uint64_t bytes_out, bytes_in, packets_out, packets_in;
    uint32_t flows;
};
typedef void lamp_rollup_fn(const struct lamp_rollup_sum *row, void *arg);

struct lamp_rollup_counters {
    uint64_t other_flows; /* additions and rows that went into "other" */
    uint64_t dns_messages, dns_bad;
    uint64_t names_refused, names_evicted;
};

/* LAMP_EINVAL: under 32 KiB. LAMP_ENOMEM. Negated errno: no random bytes. */
LAMP_CHECK int lamp_rollup_new(const struct lamp_rollup_cfg *cfg, lamp_rollup **out);
lamp_rollup *lamp_rollup_free(lamp_rollup *r);

/* Whether lamp_rollup_look() wants a payload: the first two of each direction and, from a
 * name server, every one. n_payloads: how many came before in that direction. */
static inline bool lamp_rollup_wants(uint16_t server_port, unsigned n_payloads)
{
    return n_payloads < 2 || server_port == 53;
}

/* Looks at a payload between a client and `server` for application and names. */
void lamp_rollup_look(lamp_rollup *r, uint8_t ip_proto, const struct lamp_addr *server,
                      uint16_t server_port, enum lamp_dir dir, struct lamp_bytes payload,
                      uint64_t t_us, struct lamp_rollup_mark *io);

/* Adds a flow's traffic; nothing happens where there is none. */
void lamp_rollup_add(lamp_rollup *r, const struct lamp_rollup_flow *f);

/* Most rows of a drain from now on; 0: LAMP_ROLLUP_TOP. */
void lamp_rollup_limit(lamp_rollup *r, size_t top);

/* Lends every row, the largest first and the "other" rows last, and starts anew. */
void lamp_rollup_drain(lamp_rollup *r, lamp_rollup_fn *fn, void *arg);

/* The name that DNS gave an address by at_us, and the text of a mark's name; "": none. Valid
 * until the next look. */
const char *lamp_rollup_dns_name(const lamp_rollup *r, const struct lamp_addr *addr,
                                 uint64_t at_us);
const char *lamp_rollup_mark_name(const lamp_rollup *r, const struct lamp_rollup_mark *mark);

struct lamp_rollup_counters lamp_rollup_counters(const lamp_rollup *r);
