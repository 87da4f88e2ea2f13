/* SPDX-License-Identifier: Apache-2.0 */
/* alloc: memory that runs out: of SQLite (faulty_sqlite(), before its first use), and of whatever is
 * linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc. Header only, one thread. */
#pragma once

#include "common/util.h"

#include <sqlite3.h>

static uint64_t alloc_calls, alloc_fail_at; /* the n-th call from alloc_fail() on */
static sqlite3_mem_methods sqlite_memory;

static inline void alloc_fail(uint64_t n)
{
    alloc_calls = 0;
    alloc_fail_at = n;
}

static inline bool alloc_fails(void)
{
    return ++alloc_calls == alloc_fail_at;
}

static inline void *faulty_sqlite_malloc(int size)
{
    return alloc_fails() ? NULL : sqlite_memory.xMalloc(size);
}

static inline void *faulty_sqlite_realloc(void *p, int size)
{
    return alloc_fails() ? NULL : sqlite_memory.xRealloc(p, size);
}

static inline int faulty_sqlite(void)
{
    int rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory);
    if (rc != SQLITE_OK)
        return rc;
    /* Otherwise a part of every connection comes out of one block. */
    rc = sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    sqlite3_mem_methods mine = sqlite_memory;
    mine.xMalloc = faulty_sqlite_malloc;
    mine.xRealloc = faulty_sqlite_realloc;
    return rc == SQLITE_OK ? sqlite3_config(SQLITE_CONFIG_MALLOC, &mine) : rc;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
    return alloc_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return alloc_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return alloc_fails() ? NULL : __real_realloc(p, size);
}
