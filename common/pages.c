/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((uintptr_t)2 << 20) /* of x86-64 and, with pages of 4 KiB, arm64 */

void lamp_pages_want_huge(void *p, size_t bytes)
{
    const uintptr_t begin = ((uintptr_t)p + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    const uintptr_t end = ((uintptr_t)p + bytes) & ~(HUGE_PAGE - 1);
    if (begin < end)
        (void)madvise((char *)p + (begin - (uintptr_t)p), end - begin, MADV_HUGEPAGE);
}

void *lamp_pages_calloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (p)
        lamp_pages_want_huge(p, n * size); /* which fits, or there were no p */
    return p;
}
