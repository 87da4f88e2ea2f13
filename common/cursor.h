/* SPDX-License-Identifier: Apache-2.0 */
/* cursor: bounded reading of hostile bytes. No read ever passes the end: a read that
 * does not fit gives zero, sets `bad` and leaves the position at the end, so a parser
 * may read a whole header and test once. Header only, no allocation. */
#pragma once

#include "common/util.h"

struct lamp_cursor {
    const uint8_t *p;   /* next byte */
    const uint8_t *end; /* one past the last byte */
    bool bad;           /* some read did not fit */
};

static inline struct lamp_cursor lamp_cursor_of(const void *data, size_t len)
{
    const uint8_t *p = data;
    return (struct lamp_cursor){ p, p ? p + len : p, false };
}

/* Two and four bytes in network byte order, which have to be there. */
static inline uint16_t lamp_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t lamp_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline size_t lamp_cursor_left(const struct lamp_cursor *c)
{
    return (size_t)(c->end - c->p);
}

/* Whether n more bytes are there; marks the cursor bad if not. */
static inline bool lamp_cursor_need(struct lamp_cursor *c, size_t n)
{
    if (!c->bad && lamp_cursor_left(c) >= n)
        return true;
    c->bad = true;
    c->p = c->end;
    return false;
}

/* The next n bytes, or NULL. */
static inline const uint8_t *lamp_cursor_take(struct lamp_cursor *c, size_t n)
{
    if (!lamp_cursor_need(c, n))
        return NULL;
    const uint8_t *p = c->p;
    c->p += n;
    return p;
}

static inline bool lamp_cursor_skip(struct lamp_cursor *c, size_t n)
{
    return lamp_cursor_take(c, n) != NULL;
}

static inline uint8_t lamp_cursor_u8(struct lamp_cursor *c)
{
    const uint8_t *p = lamp_cursor_take(c, 1);
    return p ? p[0] : 0;
}

/* Network byte order. */
static inline uint16_t lamp_cursor_be16(struct lamp_cursor *c)
{
    const uint8_t *p = lamp_cursor_take(c, 2);
    return p ? lamp_be16(p) : 0;
}

static inline uint32_t lamp_cursor_be32(struct lamp_cursor *c)
{
    const uint8_t *p = lamp_cursor_take(c, 4);
    return p ? lamp_be32(p) : 0;
}

static inline uint16_t lamp_cursor_le16(struct lamp_cursor *c)
{
    const uint8_t *p = lamp_cursor_take(c, 2);
    return (uint16_t)(p ? p[1] << 8 | p[0] : 0);
}

static inline uint32_t lamp_cursor_le32(struct lamp_cursor *c)
{
    const uint8_t *p = lamp_cursor_take(c, 4);
    return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0] : 0;
}
