/* SPDX-License-Identifier: Apache-2.0 */
/* http_tls: certificate and key of the web server, looked over before it starts, so that what is
 * wrong with them is told in words. Read once: a renewed certificate needs a restart. */
#pragma once

#include "common/err.h"
#include "common/util.h"

#include <stddef.h>
#include <stdint.h>

struct lamp_http_tls {
    char *certificate, *key; /* PEM, ours to free; NULL: no TLS */
    uint64_t expires_us;     /* when the certificate ends (real time) */
};

/* Reads a chain of PEM certificates, the server's own first, and its key. The key's file may be
 * read by its owner and group alone. LAMP_EINVAL: the files cannot be used; `why` (size bytes) says
 * which and what to do. LAMP_ENOMEM. */
LAMP_CHECK int lamp_http_tls_load(const char *certificate_file, const char *key_file,
                                  struct lamp_http_tls *out, char *why, size_t size);

/* Forgets the key; may be called on one that was never loaded. */
void lamp_http_tls_wipe(struct lamp_http_tls *t);
