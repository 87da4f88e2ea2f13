/* SPDX-License-Identifier: Apache-2.0 */
/* certificate: the names in a server's certificate, which TLS up to 1.2 sends in the clear (RFC 5246
 * 7.4.2; X.509: RFC 5280 4.1). Reads the first certificate of the list, as far as it is there. No
 * signature is checked: names are a hint of who the server says it is. Pure, bounded. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_CERTIFICATE_NAMES = 8 };

struct lamp_certificate {
    struct lamp_bytes names[LAMP_CERTIFICATE_NAMES]; /* commonName, then dNSName: as written */
    size_t n_names;
    bool self_signed; /* issuer and subject are the same */
};

/* Reads a Certificate handshake message (type, length, list). LAMP_EFORMAT: it is none, or breaks
 * off before the subject; *out is then untouched. */
LAMP_CHECK int lamp_certificate_message(struct lamp_bytes message, struct lamp_certificate *out);
