/* SPDX-License-Identifier: Apache-2.0 */
/* binary: what a recogniser of a protocol is that is no text. Each is one file that exports one
 * constant, named in binary.def. It sees the first bytes of both directions and the lengths of the
 * first messages; it keeps no state. Constants, so thread-safe. */
#pragma once

#include "common/util.h"
#include "common/verdict.h"
#include "sensor/engine/conn.h"
#include "sensor/recog/recog.h"

enum {
    LAMP_FIRST_BYTES = 64, /* of each direction that are kept at most */
    LAMP_FIRST_RUNS = 6,   /* messages whose lengths are kept */
};

/* A message: what one side sends until the other does. */
struct lamp_run {
    uint8_t dir; /* enum lamp_dir */
    uint32_t len;
};

/* How a flow begins. Where its start was not seen, it is what was seen first. */
struct lamp_first {
    uint8_t ip_proto;
    uint16_t server_port;
    struct lamp_bytes side[2]; /* the first bytes, by enum lamp_dir; may be the whole first piece */
    struct lamp_run runs[LAMP_FIRST_RUNS];
    uint8_t n_runs; /* the last of them may still grow */
};

struct lamp_binary_hit {
    const char *what; /* static: what was seen */
    const char *coin; /* static: symbol; NULL unknown */
    enum lamp_dir dir;
    double confidence; /* of a wallet verdict */
};

struct lamp_binary {
    const char *name;   /* the file's */
    const char *family; /* in verdicts: "bitcoin-p2p" */
    bool mining;        /* of no node or wallet but of mining: evidence of its shape */

    /* Whether a first payload may be the protocol's: a few compares. len: as sent, of which the bytes
     * may be only a part. */
    bool (*opens)(struct lamp_bytes payload, uint32_t len, uint16_t server_port);

    /* The contract of lamp_recog_probe(): a final answer never changes when more comes. */
    enum lamp_probe (*probe)(const struct lamp_first *first, struct lamp_binary_hit *out);
};

/* All of one transport protocol, in the order of binary.def. */
const struct lamp_binary *const *lamp_binaries(size_t *out_n);

/* Whether the payload may begin one of them over that transport. */
bool lamp_binary_opens(uint8_t ip_proto, struct lamp_bytes payload, uint32_t len,
                       uint16_t server_port);
