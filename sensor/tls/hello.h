/* SPDX-License-Identifier: Apache-2.0 */
/* tls: what a TLS ClientHello says in the clear: the server's name and the protocols offered
 * (RFC 8446 4.1.2, RFC 6066 3, RFC 7301). Pure functions over borrowed bytes; at most the
 * first record is read, so a hello that goes on in a later segment or record gives what its
 * first part holds; who puts the message together first gives it whole. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_TLS_ALPN_MAX = 8 }; /* offers looked at */

struct lamp_tls_hello {
    uint16_t version;                      /* legacy_version of the hello */
    struct lamp_bytes sni;                 /* host_name as sent; empty: none seen */
    struct lamp_bytes alpn;                /* the first protocol offered; empty: none seen */
    bool web;                              /* some offer is HTTP: "h2", "http/1.1" or "http/1.0" */
    bool cut;                              /* the hello goes on past these bytes */
    struct lamp_bytes ciphers, extensions; /* the lists as sent, as far as they are there */
};

/* Reads the start of a client's stream. LAMP_EFORMAT: not a ClientHello, or one whose
 * lengths contradict each other; *out is then untouched. */
LAMP_CHECK int lamp_tls_client_hello(struct lamp_bytes payload, struct lamp_tls_hello *out);

/* The same for a handshake message without its record headers: type, length, hello. */
LAMP_CHECK int lamp_tls_hello_message(struct lamp_bytes message, struct lamp_tls_hello *out);

enum {
    LAMP_TLS_JA4 = 37, /* "t13d1516h2_8daaf6152771_e5627efa2ab1" and its NUL */
    LAMP_TLS_CIPHERS = 128,
    LAMP_TLS_EXTENSIONS = 48,
    LAMP_TLS_SIGNATURES = 48,
};

/* What a hello offers, without the values that are put in at random (RFC 8701): all that its
 * fingerprint is made of. Of longer lists the first values. */
struct lamp_tls_offer {
    uint16_t ciphers[LAMP_TLS_CIPHERS], extensions[LAMP_TLS_EXTENSIONS],
        signatures[LAMP_TLS_SIGNATURES];
    uint8_t n_ciphers, n_extensions, n_signatures;
    uint8_t all_extensions; /* with server name and ALPN, which are not in the list */
    uint16_t version;       /* the highest offered; 0: the hello was cut, there is no fingerprint */
    bool sni;
    char alpn[3]; /* as JA4 has it */
};

void lamp_tls_offer_of(const struct lamp_tls_hello *hello, struct lamp_tls_offer *out);

/* The JA4 fingerprint of a hello over TCP (FoxIO's technical_details/JA4.md): what a program offers,
 * whatever the order. Costs two SHA-256. Empty where the hello was cut. */
void lamp_tls_ja4(const struct lamp_tls_offer *offer, char out[LAMP_TLS_JA4]);

/* What a ServerHello message says; false: it is none. out_version: of the session, from
 * supported_versions (RFC 8446 4.2.1) where it is given. */
bool lamp_tls_server_hello(struct lamp_bytes message, uint16_t *out_version);

/* Whether the bytes begin with a TLS record of a plausible version and type. */
bool lamp_tls_is_record(struct lamp_bytes payload);
