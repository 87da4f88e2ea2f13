/* SPDX-License-Identifier: Apache-2.0 */
/* enroll: what both sides of an enrolment agree on. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum {
    LAMP_TOKEN_KEY = 32,
    LAMP_TOKEN_SECRET = 16,
    LAMP_TOKEN_TEXT = 71, /* with NUL */
};

/* What an operator carries to a new sensor: the aggregator's public key, so that nobody else can
 * take the sensor in, and a secret that lets one key in, once. As text "lamp1-" and 64 characters
 * of base64url (RFC 4648 section 5, no padding): 32 bytes key, 16 bytes secret. */
struct lamp_token {
    uint8_t server_key[LAMP_TOKEN_KEY], secret[LAMP_TOKEN_SECRET];
};

/* Writes the text. Returns out. */
char *lamp_token_encode(const struct lamp_token *t, char out[LAMP_TOKEN_TEXT]);

/* Reads it; space around it does not matter. LAMP_EFORMAT. */
LAMP_CHECK int lamp_token_decode(const char *text, struct lamp_token *out);

/* BLAKE2b-256 of the secret: all that the aggregator keeps. */
void lamp_token_digest(const uint8_t secret[LAMP_TOKEN_SECRET], uint8_t out[32]);

/* The endpoint of strangers that goes with the one of sensors, where no other is configured: its
 * port and one. LAMP_EINVAL: not tcp://HOST:PORT with a port from 1 to 65534. LAMP_EFULL. */
LAMP_CHECK int lamp_enroll_endpoint(const char *sensors, char *out, size_t size);
