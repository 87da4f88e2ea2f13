/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint: what people compare to be sure of a key. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum {
    LAMP_FINGERPRINT = 40, /* eight groups of four hex digits with '-' between, and NUL */
    LAMP_KEY_BYTES = 32,
};

/* Reads 40 characters of Z85 (ZeroMQ RFC 32) into 32 bytes. LAMP_EFORMAT. */
LAMP_CHECK int lamp_z85_key(const char *text, uint8_t out[LAMP_KEY_BYTES]);

/* The first 128 bits of BLAKE2b-256 (RFC 7693, no key) over the 32 bytes of a CURVE public key. */
char *lamp_fingerprint(const uint8_t key[LAMP_KEY_BYTES], char out[LAMP_FINGERPRINT]);

/* Likewise of a key in Z85; "" where it is none. */
char *lamp_fingerprint_z85(const char *z85, char out[LAMP_FINGERPRINT]);
