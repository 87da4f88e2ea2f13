/* SPDX-License-Identifier: Apache-2.0 */
/* dialect: what a probe says to a server and what it makes of the answer. One request of each family,
 * with an agent that says what it is, no wallet and no work: the replies, errors too, tell a pool. Pure.
 * Sources: the exchanges of each family as its miners have them (Stratum v1, ZIP 301, EthereumStratum
 * 1.0.0 and 2.0.0, xmrig's STRATUM, Grin's stratum.md, the Stratum V2 handshake), BIP 22 and Bitcoin's and
 * Monero's RPC documentation. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum {
    LAMP_DIALECT_REQUEST = 1024, /* longest request, bytes */
    LAMP_DIALECT_LINE = 16384,   /* longest line that is read */
    LAMP_DIALECT_TRIES = 3,      /* dialects tried in one connection */
};

struct lamp_dialect; /* static */

/* What to try in one connection for a protocol of the catalogue ("": unknown), likeliest first; http:
 * over HTTP, of which each try takes a connection. Returns how many. */
size_t lamp_dialects_for(const char *protocol, bool http,
                         const struct lamp_dialect *out[LAMP_DIALECT_TRIES]);
const char *lamp_dialect_family(const struct lamp_dialect *d);

/* Whether the protocol is one that is spoken over HTTP. */
bool lamp_dialect_is_http(const char *protocol);

/* Writes the request with this number; host: what the server is called. Returns its length. */
size_t lamp_dialect_request(const struct lamp_dialect *d, unsigned id, const char *host,
                            uint16_t port, char out[LAMP_DIALECT_REQUEST]);

struct lamp_dialect_reply {
    enum {
        LAMP_REPLY_NOISE,  /* nothing that is known */
        LAMP_REPLY_JSON,   /* JSON, of something else, or of nothing that was asked */
        LAMP_REPLY_MINING, /* what a pool says */
    } kind;
    const char *family; /* of MINING; static */
    char said[120];     /* what in it says so, or an error's text */
    double difficulty;  /* 0: not told */
    char banner[120];   /* the server's own words; "" none */
};

/* Reads one line or body. asked: the dialects by number from 1 on, n of them. */
void lamp_dialect_read(const struct lamp_dialect *const *asked, size_t n, const char *line,
                       size_t len, struct lamp_dialect_reply *out);
