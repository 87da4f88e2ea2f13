/* SPDX-License-Identifier: Apache-2.0 */
/* guarded: copies of exactly the right size, so that AddressSanitizer sees one byte read too
 * far on either side, also of an empty input. Header only. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint8_t *guarded_dup(const void *data, size_t len)
{
    uint8_t *base = malloc(len + 1);
    if (!base)
        abort();
    if (len)
        memcpy(base + 1, data, len);
    return base + 1;
}

static inline void guarded_free(uint8_t *copy)
{
    free(copy - 1);
}
