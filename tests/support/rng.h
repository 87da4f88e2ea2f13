/* SPDX-License-Identifier: Apache-2.0 */
/* rng: seeded random numbers for made-up traffic: SplitMix64 (Steele, Lea, Flood: Fast
 * splittable pseudorandom number generators, OOPSLA 2014). Not for secrets. Header only;
 * a generator belongs to one thread. */
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>

struct lamp_rng {
    uint64_t state;
};

static inline uint64_t lamp_rng_u64(struct lamp_rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0, 1), 53 bits. */
static inline double lamp_rng_unit(struct lamp_rng *r)
{
    return (double)(lamp_rng_u64(r) >> 11) * 0x1p-53;
}

/* An exponential waiting time of the given mean. */
static inline double lamp_rng_exponential(struct lamp_rng *r, double mean)
{
    return -mean * log1p(-lamp_rng_unit(r));
}

/* Writes n hex digits and a NUL. Returns buf. */
static inline char *lamp_rng_hex(struct lamp_rng *r, size_t n, char *buf)
{
    for (size_t i = 0; i < n; i++)
        buf[i] = "0123456789abcdef"[lamp_rng_u64(r) >> 60];
    buf[n] = '\0';
    return buf;
}
