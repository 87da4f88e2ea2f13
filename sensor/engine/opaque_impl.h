/* SPDX-License-Identifier: Apache-2.0 */
/* opaque_impl: what the files of opaque share: a connection that is looked into, and the steps of looking.
 * opaque.c keeps them, opaque_tls.c and opaque_binary.c read what they say, opaque_verdict.c weighs it. */
#pragma once

#include "sensor/engine/behaviour.h"
#include "sensor/engine/opaque.h"
#include "sensor/recog/binary.h"
#include "sensor/tls/hello.h"
#include "sensor/tls/records.h"
#include "sensor/unwrap/pieces.h"

enum {
    LAMP_DIM_HEARD = 128, /* times of server messages kept for the block clock */
    LAMP_DIM_NAME = 128,
};
#define LAMP_DIM_EVALUATE_US UINT64_C(60000000) /* between two weighings */

enum kind { KIND_UNKNOWN, KIND_TLS, KIND_BINARY };

struct lamp_dim {
    struct lamp_dim *next_free;
    struct lamp_flow_facts facts;
    uint8_t kind;       /* enum kind */
    bool settled;       /* node or wallet: nothing more to find out */
    bool is_hello_over; /* the client's hello was read, or never will be */
    bool is_answered;   /* the server sent a record: it does speak TLS */
    bool shaken[2];     /* no more handshake in the clear from that side */
    bool seq_known[2];
    bool is_sv2;
    uint8_t evaluations;   /* in which it was probable */
    uint16_t version;      /* of the TLS session; 0 unknown */
    uint32_t n_up_records; /* of data, of TLS */
    uint32_t next_seq[2];
    struct lamp_records records[2];
    struct lamp_held held[2]; /* handshake messages */

    struct lamp_identity identity; /* the strongest so far */
    const char *identity_kind;     /* static: kind of its evidence */
    uint64_t identity_us, hello_us, evaluated_us;
    bool hint, offers_protocol, self_signed;
    char sni[LAMP_DIM_NAME], server_name[LAMP_DIM_NAME], identity_name[LAMP_DIM_NAME];
    struct lamp_tls_offer offer;

    uint8_t first[2][LAMP_FIRST_BYTES], n_first[2];
    struct lamp_run runs[LAMP_FIRST_RUNS];
    uint8_t n_runs;

    struct lamp_behaviour behaviour;
    uint32_t heard_ms[LAMP_DIM_HEARD]; /* since facts.first_us; the last ones, a ring */
    uint32_t n_heard;
    struct lamp_grounds grounds;
    struct slot *slot; /* the connection; NULL: no verdict */
};

struct slot {
    struct slot *next_free;
    struct lamp_conn conn;
};

struct lamp_opaque {
    struct lamp_opaque_cfg cfg;
    struct lamp_opaque_counters n;
    const lamp_watch *watch;
    const struct lamp_blockclock *told; /* may be NULL */
    struct lamp_dim *pool, *free;
    struct slot *slots, *free_slot;
    size_t n_used, n_slots, n_used_slots;
    lamp_pieces *pieces;
};

/* The connection to report, made when first needed; NULL: there is no room (counted). */
struct lamp_conn *lamp_dim_conn(lamp_opaque *o, lamp_dim *d);

/* Looks a name of the server up, and keeps what it tells if that is stronger. kind: of the evidence. */
void lamp_dim_identify_name(lamp_opaque *o, lamp_dim *d, const char *kind, struct lamp_bytes name,
                            uint64_t t_us);

/* Who the server is by what is known before it says a word. */
void lamp_dim_identify_server(lamp_opaque *o, lamp_dim *d, uint64_t t_us);

/* Weighs all there is at now_us; the connection's verdict rises by it, or comes to be. */
void lamp_dim_evaluate(lamp_opaque *o, lamp_dim *d, uint64_t now_us);

/* Bytes in order of one side. False: it is of no interest, or none of the protocols we know. len: on the wire. */
bool lamp_dim_take_tls(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes bytes,
                       uint64_t t_us);
bool lamp_dim_take_binary(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes bytes,
                          uint32_t len, uint64_t t_us);
