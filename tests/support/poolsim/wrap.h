/* SPDX-License-Identifier: Apache-2.0 */
/* wrap: what stands around the lines of a mining conversation on the wire: HTTP, WebSocket, the openings of
 * SOCKS 4a and 5, of HTTP CONNECT and of the PROXY protocol, and Stratum V2, of which only the lengths of
 * messages are true: the lines never leave the process, random bytes of the length of the message go out
 * in their place. Both ends; bytes in, bytes out, no sockets. Not thread-safe. */
#pragma once

#include "tests/support/poolsim/net.h"

enum sim_wrap_kind {
    SIM_WRAP_NONE,
    SIM_WRAP_HTTP,
    SIM_WRAP_WEBSOCKET,
    SIM_WRAP_SOCKS4A,
    SIM_WRAP_SOCKS5,
    SIM_WRAP_CONNECT,
    SIM_WRAP_PROXY,
    SIM_WRAP_SV2,
};

/* "none", "http", "websocket", "socks4a", "socks5", "http-connect", "proxy-protocol", "sv2". LAMP_ENOENT. */
LAMP_CHECK int sim_wrap_parse(const char *name, enum sim_wrap_kind *out);

/* What a family is spoken in unless something else is asked for. */
enum sim_wrap_kind sim_wrap_of(const char *family);

enum { SIM_RAW_BYTES = 65536 };

struct sim_raw {
    char buf[SIM_RAW_BYTES];
    size_t len;
};

struct sim_wrap {
    enum sim_wrap_kind kind;
    bool is_pool;
    unsigned stage; /* of the opening; lines may go out when it is over */
    bool open;
    const char *host; /* whom the miner wants to reach; borrowed, as those below */
    uint16_t port;
    const char *user, *password, *agent, *family;
    struct lamp_rng rng;
    struct sim_raw in, out;
};

/* The miner's first bytes. */
void sim_wrap_begin(struct sim_wrap *w);

/* Reads what is there; whole lines go to *lines. LAMP_ECLOSED: end. LAMP_EFULL: a line is too long. Negated
 * errno. */
LAMP_CHECK int sim_wrap_read(struct sim_wrap *w, int fd, struct sim_lines *lines);

/* Wraps the lines that wait, once the opening is over, and sends as much as the socket takes. Adds what
 * was sent to *bytes. Negated errno. */
LAMP_CHECK int sim_wrap_flush(struct sim_wrap *w, struct sim_out *lines, int fd, uint64_t *bytes);

/* Whether there is something to send. */
bool sim_wrap_waits(const struct sim_wrap *w, const struct sim_out *lines);
