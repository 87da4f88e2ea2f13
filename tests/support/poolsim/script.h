/* SPDX-License-Identifier: Apache-2.0 */
/* script: the text from which `poolsim write` makes a capture file. One statement a line:
 *
 *   # comment
 *   start 1767600000          seconds since 1970 of the first frame (fraction allowed)
 *   seed 7                    of everything random in the file
 *   flow NAME KIND            a conversation; KIND: stratum-v1 cryptonote eth-proxy raw http dns tls
 *     client 10.1.0.21:49152
 *     server 203.0.113.9:3333
 *     ...                     see flow_opts in script.c, or `poolsim write --help`
 *     c TEXT   s TEXT         (raw) a line of the client, of the server; LF is added
 *     C TEXT   S TEXT         (raw) bytes with \n \r \t \0 \\ \xNN escapes; nothing is added
 *     wait SECONDS            (raw) before the next of these
 *   end
 *
 * Owns everything it read; not thread-safe. Limits: SIM_SCRIPT_BYTES of text, 4096 flows. */
#pragma once

#include "common/err.h"
#include "tests/support/poolsim/opts.h"

enum { SIM_SCRIPT_BYTES = 16 << 20, SIM_SCRIPT_FLOWS = 4096, SIM_VLANS = 4 };

/* A raw line: 'c', 's' (LF follows), 'C', 'S' (escapes) or 'w' (wait, seconds). */
struct sim_script_line {
    char what;
    const char *text;
};

struct sim_script_flow {
    const char *name, *kind;
    struct sim_endpoint client, server;
    const char *vlan; /* ids, outermost first, commas between */
    double at;        /* seconds after the start of the file */
    double rtt;       /* seconds */
    uint64_t mss;
    double retransmit, reorder; /* probabilities */
    const char *hide;           /* "up" or "down": that direction is not captured */
    bool midstream;             /* no handshake */
    const char *end;            /* "fin" (default), "rst", "open" */

    const char *user, *agent, *password;
    double difficulty, hashrate, share_every, job_every, idle_every, claim, reject, duration;
    uint64_t shares;
    bool no_answer; /* the pool stays silent */

    uint64_t bytes;            /* http, tls: size of the answer */
    const char *host, *answer; /* http, dns, tls: name; dns: address in the answer */

    struct sim_script_line *lines; /* raw */
    size_t n_lines;
};

struct sim_script {
    double start;
    uint64_t seed;
    struct sim_script_flow *flows;
    size_t n_flows;
    char *text; /* what every string above points into */
};

/* Reads and checks a whole script. LAMP_EFORMAT: `why` says "FILE:LINE: what". Other errors
 * as lamp_io_read_file(). */
LAMP_CHECK int sim_script_load(const char *path, struct sim_script *out, char why[SIM_WHY]);
void sim_script_done(struct sim_script *s);

/* The keys of a flow block, for --help. */
void sim_script_help(void);
