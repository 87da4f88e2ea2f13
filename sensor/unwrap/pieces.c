/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/unwrap/pieces.h"

#include "common/pages.h"

struct lamp_pieces_buffer {
    struct lamp_held *owner; /* NULL: free */
    size_t len;
    uint8_t data[LAMP_PIECES_MAX];
};

struct lamp_pieces {
    size_t n, next;
    struct lamp_pieces_buffer buffers[];
};

size_t lamp_pieces_memory(size_t n)
{
    return sizeof(lamp_pieces) + n * sizeof(struct lamp_pieces_buffer);
}

int lamp_pieces_new(size_t n, lamp_pieces **out)
{
    if (n == 0)
        return LAMP_EINVAL;
    lamp_pieces *p = lamp_pages_calloc(1, lamp_pieces_memory(n));
    if (!p)
        return LAMP_ENOMEM;
    p->n = n;
    *out = p;
    return LAMP_OK;
}

lamp_pieces *lamp_pieces_free(lamp_pieces *p)
{
    free(p);
    return NULL;
}

/* Gives the buffer back, if there is one. */
static void release(struct lamp_held *h)
{
    if (h->buffer)
        h->buffer->owner = NULL;
    h->buffer = NULL;
}

static void take_buffer(lamp_pieces *p, struct lamp_held *h)
{
    struct lamp_pieces_buffer *b = &p->buffers[p->next++ % p->n];
    if (b->owner) {
        b->owner->lost = true;
        release(b->owner);
    }
    b->owner = h;
    b->len = 0;
    h->buffer = b;
}

bool lamp_held_add(lamp_pieces *p, struct lamp_held *h, struct lamp_bytes piece)
{
    if (h->lost || piece.len == 0)
        return !h->lost;
    if (!h->buffer)
        take_buffer(p, h);
    if (piece.len > sizeof(h->buffer->data) - h->buffer->len) {
        h->lost = true;
        release(h);
        return false;
    }
    memcpy(h->buffer->data + h->buffer->len, piece.data, piece.len);
    h->buffer->len += piece.len;
    return true;
}

bool lamp_held_whole(lamp_pieces *p, struct lamp_held *h, struct lamp_bytes last,
                     struct lamp_bytes *out)
{
    if (!h->buffer) {
        if (!h->lost)
            *out = last;
        return !h->lost;
    }
    if (!lamp_held_add(p, h, last))
        return false;
    *out = (struct lamp_bytes){ h->buffer->data, h->buffer->len };
    return true;
}

size_t lamp_held_length(const struct lamp_held *h)
{
    return h->buffer ? h->buffer->len : 0;
}

void lamp_held_drop(struct lamp_held *h)
{
    release(h);
    h->lost = false;
}
