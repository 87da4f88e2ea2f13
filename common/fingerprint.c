/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fingerprint.h"

#include <sodium.h>
#include <stdio.h>

enum { Z85_LEN = 40, GROUPS = 8 };

/* Five digits of base 85, most significant first, are four bytes likewise (ZeroMQ RFC 32). */
int lamp_z85_key(const char *text, uint8_t out[LAMP_KEY_BYTES])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 ".-:+=^!/*?&<>()[]{}@%$#";
    uint8_t key[LAMP_KEY_BYTES];
    if (strlen(text) != Z85_LEN)
        return LAMP_EFORMAT;
    for (size_t i = 0; i < LAMP_KEY_BYTES / 4; i++) {
        uint64_t v = 0;
        for (size_t k = 0; k < 5; k++) {
            const char *d = strchr(digits, text[5 * i + k]);
            if (!d)
                return LAMP_EFORMAT;
            v = v * 85 + (uint64_t)(d - digits);
        }
        if (v > UINT32_MAX)
            return LAMP_EFORMAT;
        for (size_t k = 0; k < 4; k++)
            key[4 * i + k] = (uint8_t)(v >> (24 - 8 * k));
    }
    memcpy(out, key, sizeof(key));
    return LAMP_OK;
}

char *lamp_fingerprint(const uint8_t key[LAMP_KEY_BYTES], char out[LAMP_FINGERPRINT])
{
    uint8_t hash[32];
    size_t n = 0;
    crypto_generichash(hash, sizeof(hash), key, LAMP_KEY_BYTES, NULL, 0);
    for (size_t i = 0; i < GROUPS; i++)
        n += (size_t)snprintf(out + n, LAMP_FINGERPRINT - n, "%s%02x%02x", i ? "-" : "",
                              hash[2 * i], hash[2 * i + 1]);
    return out;
}

char *lamp_fingerprint_z85(const char *z85, char out[LAMP_FINGERPRINT])
{
    uint8_t key[LAMP_KEY_BYTES];
    out[0] = '\0';
    return lamp_z85_key(z85, key) == LAMP_OK ? lamp_fingerprint(key, out) : out;
}
