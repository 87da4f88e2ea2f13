/* SPDX-License-Identifier: Apache-2.0 */
/* http: the head of an HTTP/1 message (RFC 9112) as far as mining needs it: how long the body is,
 * what the connection turns into, who asks whom. Pure functions over borrowed bytes. */
#pragma once

#include "common/err.h"
#include "common/util.h"

struct lamp_http_head {
    bool is_response;
    unsigned status;                  /* of a response, 100..999 */
    struct lamp_bytes method, target; /* of a request */
    struct lamp_bytes host;           /* Host as sent, with its port */
    struct lamp_bytes agent;          /* User-Agent */
    struct lamp_bytes basic;          /* Authorization, what follows "Basic " */
    const char *mining; /* static: the first header that only mining knows; NULL: none */

    bool has_length, chunked;
    uint64_t length; /* Content-Length; at most 2^53 */
    bool websocket;  /* Upgrade: websocket */
    bool deflate;    /* permessage-deflate (RFC 7692) offered or agreed */
};

/* Reads a whole head, blank line included or not. LAMP_EFORMAT: the first line is none of HTTP/1;
 * *out is then undefined. Header lines that are none are passed over. */
LAMP_CHECK int lamp_http_head(struct lamp_bytes head, struct lamp_http_head *out);

/* Splits "host:port" or "[address]:port" (RFC 3986 3.2); *out_port is 0 where there is none or it
 * is not a number. The brackets do not belong to *out_host. */
void lamp_http_authority(struct lamp_bytes text, struct lamp_bytes *out_host, uint16_t *out_port);

/* Decodes the credentials of Basic authorization (RFC 7617) into buf and parts them at the first
 * colon. LAMP_EFORMAT: no base64 or no colon. LAMP_EFULL: longer than size. */
LAMP_CHECK int lamp_http_basic(struct lamp_bytes text, uint8_t *buf, size_t size,
                               struct lamp_bytes *out_user, struct lamp_bytes *out_password);
