/* SPDX-License-Identifier: Apache-2.0 */
/* packed: how rows of traffic are written into values of the database: numbers as in Protocol Buffers (varint, 7 bits
 * a byte, the lowest first), bytes behind their length. Header only; for store/parts.c and store/packs.c. */
#pragma once

#include "common/cursor.h"
#include "proto/wire.h"

enum {
    LAMP_PACKED_NUMBER = 10,                         /* bytes at most */
    LAMP_PACKED_TEXT = 4 * LAMP_WIRE_STRING_MAX + 1, /* as the tracker makes it storable */
};

/* Bytes that grow. */
struct lamp_part {
    uint8_t *data;
    size_t len, size;
};

/* Makes room for `more` bytes behind the others. LAMP_ENOMEM. */
static inline int lamp_packed_room(struct lamp_part *p, size_t more)
{
    if (p->size - p->len >= more)
        return LAMP_OK;
    const size_t size = 2 * p->size + more;
    uint8_t *data = realloc(p->data, size);
    if (!data)
        return LAMP_ENOMEM;
    p->data = data;
    p->size = size;
    return LAMP_OK;
}

/* Both write where there is room and return what is behind. */
static inline uint8_t *lamp_put_number(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *lamp_put_bytes(uint8_t *p, const void *data, size_t len)
{
    p = lamp_put_number(p, len);
    if (len)
        memcpy(p, data, len);
    return p + len;
}

/* 0, and c->bad, where there is none. */
static inline uint64_t lamp_get_number(struct lamp_cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *b = lamp_cursor_take(c, 1);
        if (!b)
            return 0;
        v |= (uint64_t)(*b & 0x7f) << shift;
        if (*b < 0x80)
            return v;
    }
    c->bad = true;
    return 0;
}

/* Borrowed from what is read; longer than max: none, and c->bad. */
static inline struct lamp_bytes lamp_get_bytes(struct lamp_cursor *c, size_t max)
{
    const uint64_t len = lamp_get_number(c);
    if (len > max)
        c->bad = true;
    const uint8_t *data = c->bad ? NULL : lamp_cursor_take(c, (size_t)len);
    return data ? (struct lamp_bytes){ data, (size_t)len } : (struct lamp_bytes){ NULL, 0 };
}
