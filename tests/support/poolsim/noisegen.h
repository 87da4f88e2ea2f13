/* SPDX-License-Identifier: Apache-2.0 */
/* noisegen: traffic that is not mining, for capture files: an HTTP download, a DNS look-up, a
 * TLS session (a well-formed ClientHello, then random records). Not thread-safe. */
#pragma once

#include "tests/support/capfile.h"

struct sim_noise {
    const char *kind;   /* "http", "dns", "tls" */
    const char *host;   /* at most 63 characters a label, 200 in all */
    const char *answer; /* dns: IPv4 address */
    uint64_t bytes;     /* http, tls: size of the answer */
    uint64_t rtt_us;
};

/* Writes one exchange from *t_us on and moves *t_us to its end. LAMP_EINVAL: unknown kind or
 * bad name. Errors of capfile. */
LAMP_CHECK int sim_noise_write(struct lamp_capflow *f, const struct sim_noise *n, uint64_t *t_us);
