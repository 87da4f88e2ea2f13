/* SPDX-License-Identifier: Apache-2.0 */
/* tls: what a TLS ClientHello says in the clear: the server's name and the protocols offered
 * (RFC 8446 4.1.2, RFC 6066 3, RFC 7301). Pure functions over borrowed bytes; at most the
 * first record is read, so a hello that goes on in a later segment or record gives what its
 * first part holds. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_TLS_ALPN_MAX = 8 }; /* offers looked at */

struct lamp_tls_hello {
    uint16_t version;       /* legacy_version of the hello */
    struct lamp_bytes sni;  /* host_name as sent; empty: none seen */
    struct lamp_bytes alpn; /* the first protocol offered; empty: none seen */
    bool web;               /* some offer is HTTP: "h2", "http/1.1" or "http/1.0" */
    bool cut;               /* the hello goes on past these bytes */
};

/* Reads the start of a client's stream. LAMP_EFORMAT: not a ClientHello, or one whose
 * lengths contradict each other; *out is then untouched. */
LAMP_CHECK int lamp_tls_client_hello(struct lamp_bytes payload, struct lamp_tls_hello *out);

/* Whether the bytes begin with a TLS record of a plausible version and type. */
bool lamp_tls_is_record(struct lamp_bytes payload);
