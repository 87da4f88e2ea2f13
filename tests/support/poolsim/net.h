/* SPDX-License-Identifier: Apache-2.0 */
/* net: what poolsim's live commands share: non-blocking TCP sockets, line buffers, a signal
 * descriptor to end by. One thread. */
#pragma once

#include "common/err.h"
#include "tests/support/poolsim/opts.h"
#include "tests/support/poolsim/session.h"

/* A listening socket in *out_fd; negated errno. */
LAMP_CHECK int sim_listen(const struct sim_endpoint *at, int *out_fd);

/* Starts a connection (from `source` unless its text is NULL); it is up when the socket gets
 * writable and sim_connected() says LAMP_OK. Negated errno. */
LAMP_CHECK int sim_connect(const struct sim_endpoint *to, const struct lamp_addr *source,
                           int *out_fd);
LAMP_CHECK int sim_connected(int fd);

/* Lets the kernel end the connection when sent bytes stay unconfirmed for so long
 * (TCP_USER_TIMEOUT, RFC 5482), so that a blocked miner's old connection does not linger. */
void sim_give_up_after(int fd, unsigned ms);

/* Closes at once with RST: nothing that is still queued is sent. */
void sim_abort(int fd);

/* A descriptor that becomes readable at SIGINT or SIGTERM, which no longer end the process. */
LAMP_CHECK int sim_signals(int *out_fd);

/* Received lines that wait to be read (wrap.h puts them there). */
struct sim_lines {
    char buf[SIM_LINE_BYTES];
    size_t len, used;
    uint64_t bytes; /* received in all */
};

/* The next whole line without its LF, valid until the next read; false: none. */
bool sim_lines_next(struct sim_lines *l, const char **out_line, size_t *out_len);

/* Milliseconds for poll() from now_us to a moment, at most 1000; 0 when it has passed. */
int sim_poll_ms(uint64_t now_us, uint64_t until_us);
