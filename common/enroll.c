/* SPDX-License-Identifier: Apache-2.0 */
#include "common/enroll.h"

#include "common/text.h"

#include <sodium.h>
#include <stdio.h>

static const char prefix[] = "lamp1-";

enum { PREFIX = sizeof(prefix) - 1, DIGITS = 64 };

_Static_assert(sizeof(struct lamp_token) * 4 == DIGITS * 3, "48 bytes are 64 digits");
_Static_assert(PREFIX + DIGITS + 1 == LAMP_TOKEN_TEXT, "text");

char *lamp_token_encode(const struct lamp_token *t, char out[LAMP_TOKEN_TEXT])
{
    memcpy(out, prefix, PREFIX);
    sodium_bin2base64(out + PREFIX, DIGITS + 1, (const uint8_t *)t, sizeof(*t),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return out;
}

int lamp_token_decode(const char *text, struct lamp_token *out)
{
    struct lamp_token t;
    size_t n = 0;
    text += strspn(text, " \t\r\n");
    const size_t len = strcspn(text, " \t\r\n");
    if (text[len + strspn(text + len, " \t\r\n")] != '\0' || len != LAMP_TOKEN_TEXT - 1 ||
        memcmp(text, prefix, PREFIX) != 0 ||
        sodium_base642bin((uint8_t *)&t, sizeof(t), text + PREFIX, DIGITS, NULL, &n, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        n != sizeof(t))
        return LAMP_EFORMAT;
    *out = t;
    return LAMP_OK;
}

void lamp_token_digest(const uint8_t secret[LAMP_TOKEN_SECRET], uint8_t out[32])
{
    crypto_generichash(out, 32, secret, LAMP_TOKEN_SECRET, NULL, 0);
}

int lamp_enroll_endpoint(const char *sensors, char *out, size_t size)
{
    const char *colon = strrchr(sensors, ':');
    int64_t port;
    if (strncmp(sensors, "tcp://", 6) != 0 || colon < sensors + 6 ||
        lamp_text_int(colon + 1, 1, UINT16_MAX - 1, &port) != LAMP_OK)
        return LAMP_EINVAL;
    const int n = snprintf(out, size, "%.*s:%d", (int)(colon - sensors), sensors, (int)port + 1);
    return n > 0 && (size_t)n < size ? LAMP_OK : LAMP_EFULL;
}
