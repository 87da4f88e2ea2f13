/* SPDX-License-Identifier: Apache-2.0 */
/* opaque: connections that cannot be read as text: TLS, and binary protocols by how they begin. Of
 * TLS it reads the handshake in the clear (hello, server's version, certificate up to 1.2) and the
 * lengths and times of records; who the server is, by name or address, comes from the catalogue, the
 * watch list and DNS; the times are compared with the block clock. A browser's connection, or any that
 * moves much, is given up at once.
 * One per capture thread, not thread-safe; never logs, never reads a clock. All memory is taken at
 * creation. The engine asks as it does classify: lamp_opaque_peek() for a first payload,
 * lamp_opaque_open(), then lamp_opaque_stream() while it answers MORE. */
#pragma once

#include "common/blockclock.h"
#include "common/catalogue.h"
#include "common/err.h"
#include "sensor/engine/classify.h"
#include "sensor/engine/identity.h"
#include "sensor/engine/known.h"

typedef struct lamp_opaque lamp_opaque;
typedef struct lamp_dim lamp_dim; /* the state of one connection */

enum { LAMP_OPAQUE_LOOKS = 8 }; /* payloads of a direction that are worth a peek */

struct lamp_opaque_cfg {
    const lamp_catalogue *catalogue;     /* borrowed, may be NULL */
    const struct lamp_blockclock *clock; /* borrowed, may be NULL */
    const struct lamp_known *known;      /* pairs that mined of late; borrowed, may be NULL */
    size_t max_states;
};

struct lamp_opaque_counters {
    uint64_t opened;   /* connections a state was taken for */
    uint64_t refused;  /* found no free state, */
    uint64_t unnamed;  /* or, with a verdict, no free connection */
    uint64_t browsers; /* given up at their hello */
    uint64_t bulk;     /* given up because they moved too much */
};

/* LAMP_EINVAL: max_states is 0. LAMP_ENOMEM. */
LAMP_CHECK int lamp_opaque_new(const struct lamp_opaque_cfg *cfg, lamp_opaque **out);
lamp_opaque *lamp_opaque_free(lamp_opaque *o);
size_t lamp_opaque_memory(size_t max_states);

/* The blocks that were heard of elsewhere, from now on; borrowed, may be NULL. A connection is held against
 * cfg's clock first. */
void lamp_opaque_told(lamp_opaque *o, const struct lamp_blockclock *told);

/* The watch list from now on; borrowed until the next call, may be NULL. */
void lamp_opaque_watch(lamp_opaque *o, const lamp_watch *watch);

/* Whether a payload may begin something for us. len: as sent. saw_syn: the start was seen, so that
 * TLS begins with a handshake. A few compares. */
bool lamp_opaque_peek(struct lamp_bytes payload, uint32_t len, uint8_t ip_proto,
                      uint16_t server_port, bool saw_syn);

/* Takes a state. server_name: what DNS calls the server ("": unknown). LAMP_EFULL: counted. */
LAMP_CHECK int lamp_opaque_open(lamp_opaque *o, const struct lamp_flow_facts *facts,
                                const char *server_name, lamp_dim **out);

/* Whether no state is free. */
bool lamp_opaque_full(const lamp_opaque *o);

/* Bytes of one direction that begin at sequence number seq (0 for UDP), len of which were sent.
 * NEVER: of no interest, close it. */
enum lamp_interest lamp_opaque_stream(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir,
                                      struct lamp_bytes bytes, uint32_t len, uint32_t seq,
                                      uint64_t t_us);

/* The connection ends at t_us: judges it once more. */
void lamp_opaque_finish(lamp_opaque *o, lamp_dim *d, uint64_t t_us);

/* The connection, or NULL while the verdict is none; as lamp_inspect_conn(). */
struct lamp_conn *lamp_opaque_conn(lamp_dim *d);

void lamp_opaque_close(lamp_opaque *o, lamp_dim *d);

struct lamp_opaque_counters lamp_opaque_counters(const lamp_opaque *o);
