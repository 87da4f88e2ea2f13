/* SPDX-License-Identifier: Apache-2.0 */
/* util: the few macros and helpers that every module uses. Header only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LAMP_STR2(x) #x
#define LAMP_STR(x) LAMP_STR2(x)

/* Borrowed bytes: not terminated, not owned. data may be NULL where len is 0. */
struct lamp_bytes {
    const uint8_t *data;
    size_t len;
};

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Whether the bytes spell exactly the C string s. */
static inline bool lamp_bytes_eq(struct lamp_bytes b, const char *s)
{
    return b.len == strlen(s) && (b.len == 0 || memcmp(b.data, s, b.len) == 0);
}

static inline struct lamp_bytes lamp_bytes_of(const char *s)
{
    return (struct lamp_bytes){ (const uint8_t *)s, strlen(s) };
}

static inline size_t lamp_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline void lamp_cleanup_free(void *p)
{
    void *mem;
    memcpy(&mem, p, sizeof(mem));
    free(mem);
}

static inline void lamp_cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* For locals only: LAMP_AUTO_FREE char *s = NULL; LAMP_AUTO_CLOSE int fd = -1; */
#define LAMP_AUTO_FREE __attribute__((cleanup(lamp_cleanup_free)))
#define LAMP_AUTO_CLOSE __attribute__((cleanup(lamp_cleanup_close)))
