/* SPDX-License-Identifier: Apache-2.0 */
/* pages: memory of large tables that are read here and there. Where the system gives them (madvise), it
 * lies in huge pages: finding a page is most of what a look-up there costs, and each page that is touched for
 * the first time a way into the kernel. Thread-safe. */
#pragma once

#include <stddef.h>

/* As calloc(3); the caller frees it with free(3). Memory is taken from the system as it is touched: of
 * tables of 2 MiB and more, in steps of that. */
void *lamp_pages_calloc(size_t n, size_t size);

/* Asks for huge pages behind what is a whole one of p's. */
void lamp_pages_want_huge(void *p, size_t bytes);
