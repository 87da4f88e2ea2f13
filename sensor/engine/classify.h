/* SPDX-License-Identifier: Apache-2.0 */
/* classify: decides from the in-order bytes of a flow whether it is mining, and follows
 * what a mining connection says (wallet, jobs, shares). One per capture thread, not
 * thread-safe; never logs, never reads a clock. All memory is taken at creation:
 * cfg.max_inspected states; a flow that finds none free is counted and goes uninspected.
 *
 * The engine asks in this order, for every packet with payload of a flow:
 *   1. lamp_classify_peek() on the raw payload of a flow without state, to learn whether
 *      reassembly is worth starting;
 *   2. lamp_classify_stream() with in-order bytes, while it answers MORE. */
#pragma once

#include "common/blockclock.h"
#include "common/catalogue.h"
#include "common/err.h"
#include "sensor/engine/conn.h"
#include "sensor/engine/identity.h"

typedef struct lamp_classify lamp_classify;
typedef struct lamp_inspect lamp_inspect; /* the state of one inspected flow */

struct lamp_classify_cfg {
    const lamp_catalogue *catalogue; /* borrowed, may be NULL */
    size_t max_inspected;            /* flows inspected or followed at once */
    struct lamp_blockclock *clock;   /* told of new blocks; borrowed, may be NULL */
};

struct lamp_classify_counters {
    uint64_t inspected;      /* flows a state was taken for */
    uint64_t refused;        /* flows that found no free state */
    uint64_t matched;        /* flows some recogniser matched */
    uint64_t left_out_bytes; /* of sessions that said more than their budget lets be read */
};

enum lamp_interest {
    LAMP_INTEREST_SKIP,  /* not this packet; ask again with the next one */
    LAMP_INTEREST_MORE,  /* reassemble from here and hand the bytes over */
    LAMP_INTEREST_NEVER, /* never mining by content: do not ask again */
};

/* Who talks to whom, as the engine saw it so far; the classifier may find that the sides are
 * the other way round (see lamp_inspect_swapped()). */
struct lamp_flow_facts {
    struct lamp_addr client, server;
    uint16_t client_port, server_port;
    uint8_t ip_proto;
    bool saw_syn; /* then client is certain */
    uint64_t first_us;
};

/* LAMP_EINVAL: max_inspected is 0. LAMP_ENOMEM. */
LAMP_CHECK int lamp_classify_new(const struct lamp_classify_cfg *cfg, lamp_classify **out);
lamp_classify *lamp_classify_free(lamp_classify *c);

/* The watch list from now on, which wallets are looked up in; borrowed until the next call, may be NULL. */
void lamp_classify_watch(lamp_classify *c, const lamp_watch *watch);

/* Looks at the first bytes of one packet's payload. n_payloads: how many payload packets of
 * that direction came before. Costs a few compares; touches no flow state. */
enum lamp_interest lamp_classify_peek(struct lamp_bytes payload, enum lamp_dir dir,
                                      uint32_t n_payloads);

/* Takes a state for a flow. LAMP_EFULL: none is free (counted). */
LAMP_CHECK int lamp_classify_open(lamp_classify *c, const struct lamp_flow_facts *facts,
                                  lamp_inspect **out);

/* Whether no state is free. */
bool lamp_classify_full(const lamp_classify *c);

/* Hands over the next in-order bytes of one direction (dir relative to facts.client: LAMP_UP
 * from it). gap: bytes before these are missing. NEVER: no recogniser can match any more and
 * the state may be closed. After a match it stays MORE, to follow the lines; those of a session that
 * says far more than a miner does are left out, and counted, until it has paused. */
enum lamp_interest lamp_classify_stream(lamp_classify *c, lamp_inspect *s, enum lamp_dir dir,
                                        struct lamp_bytes bytes, bool gap, uint64_t t_us);

/* The connection found so far, or NULL while the verdict is none. Counters of packets and
 * bytes, first_us and last_us in it are the engine's to fill (relative to conn->client).
 * Valid until lamp_classify_close(). */
struct lamp_conn *lamp_inspect_conn(lamp_inspect *s);

/* The engine has put a name into the connection: looks up the pool that it belongs to. */
void lamp_inspect_named(lamp_inspect *s);

/* Whether the classifier found that facts.client is in truth the pool. */
bool lamp_inspect_swapped(const lamp_inspect *s);

/* Gives the state back. */
void lamp_classify_close(lamp_classify *c, lamp_inspect *s);

struct lamp_classify_counters lamp_classify_counters(const lamp_classify *c);

/* Bytes that a classifier of so many states takes. */
size_t lamp_classify_memory(size_t max_inspected);
