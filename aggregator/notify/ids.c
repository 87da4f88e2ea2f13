/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/notify/ids.h"

#include <gnutls/crypto.h>
#include <sodium.h>
#include <stdio.h>

enum { SHA1 = 20 };

/* Drawn once at random: the namespace of what Davylamp names. */
static const uint8_t namespace[16] = { 0x3f, 0x0c, 0x6e, 0x5a, 0x91, 0x77, 0x4d, 0x2b,
                                       0xa4, 0x18, 0x5d, 0xe0, 0x72, 0xc9, 0x36, 0x8b };

static size_t put_addr(const struct lamp_addr *a, uint8_t *p)
{
    const size_t from = lamp_addr_is_v4(a) ? 12 : 0;
    memcpy(p, a->b + from, sizeof(a->b) - from);
    return sizeof(a->b) - from;
}

static size_t put_port(uint16_t port, uint8_t *p)
{
    p[0] = (uint8_t)(port >> 8);
    p[1] = (uint8_t)port;
    return 2;
}

const char *lamp_community_id(uint8_t ip_proto, const struct lamp_addr *a, uint16_t a_port,
                              const struct lamp_addr *b, uint16_t b_port,
                              char out[LAMP_COMMUNITY_ID])
{
    uint8_t data[2 + 16 + 16 + 2 + 2 + 2] = { 0 }, digest[SHA1]; /* begins with the seed */
    const int order = memcmp(a->b, b->b, sizeof(a->b));
    const bool swap = order > 0 || (order == 0 && a_port > b_port);
    size_t n = 2;
    n += put_addr(swap ? b : a, data + n);
    n += put_addr(swap ? a : b, data + n);
    data[n++] = ip_proto;
    data[n++] = 0;
    n += put_port(swap ? b_port : a_port, data + n);
    n += put_port(swap ? a_port : b_port, data + n);
    out[0] = '\0';
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, data, n, digest) < 0)
        return out;
    out[0] = '1';
    out[1] = ':';
    sodium_bin2base64(out + 2, LAMP_COMMUNITY_ID - 2, digest, sizeof(digest),
                      sodium_base64_VARIANT_ORIGINAL);
    return out;
}

const char *lamp_uuid_of(const char *name, char out[LAMP_UUID])
{
    uint8_t u[SHA1] = { 0 };
    char data[sizeof(namespace) + 512];
    const size_t room = sizeof(data) - sizeof(namespace);
    memcpy(data, namespace, sizeof(namespace));
    const size_t len =
        lamp_min((size_t)snprintf(data + sizeof(namespace), room, "%s", name), room - 1);
    (void)gnutls_hash_fast(GNUTLS_DIG_SHA1, data, sizeof(namespace) + len, u);
    u[6] = (uint8_t)((u[6] & 0x0f) | 0x50);
    u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
    snprintf(out, LAMP_UUID, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
    return out;
}
