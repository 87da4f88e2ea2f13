/* SPDX-License-Identifier: Apache-2.0 */
/* min: the smaller of two numbers that have 64 bits on every processor: bytes counted, times. lamp_min() of util.h is
 * for sizes, which a processor of 32 bits would cut. Header only. */
#pragma once

#include <stdint.h>

static inline uint64_t lamp_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
