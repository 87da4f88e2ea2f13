/* SPDX-License-Identifier: Apache-2.0 */
/* hash: SipHash-1-3 (Aumasson and Bernstein, 2012) of a few bytes, for tables that strangers
 * fill. Header only, pure. */
#pragma once

#include "common/util.h"

#include <endian.h>

static inline void lamp_sip_round(uint64_t v[4])
{
#define LAMP_ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))
    v[0] += v[1], v[1] = LAMP_ROTL(v[1], 13) ^ v[0], v[0] = LAMP_ROTL(v[0], 32);
    v[2] += v[3], v[3] = LAMP_ROTL(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = LAMP_ROTL(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = LAMP_ROTL(v[1], 17) ^ v[2], v[2] = LAMP_ROTL(v[2], 32);
#undef LAMP_ROTL
}

static inline uint64_t lamp_hash(const uint64_t seed[2], const void *data, size_t len)
{
    uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                      seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573 };
    const uint8_t *p = data;
    for (size_t left = len;; p += 8) {
        uint64_t m = 0;
        memcpy(&m, p, left < 8 ? left : 8);
        m = le64toh(m) | (left < 8 ? (uint64_t)len << 56 : 0);
        v[3] ^= m;
        lamp_sip_round(v);
        v[0] ^= m;
        if (left < 8)
            break;
        left -= 8;
    }
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 3; i++)
        lamp_sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The largest power of two that is at most n; 1 for 0. */
static inline uint32_t lamp_pow2_below(size_t n)
{
    uint32_t p = 1;
    while (p < 1U << 30 && (size_t)p * 2 <= n)
        p *= 2;
    return p;
}
