/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/unwrap/inflate.h"

#define ZLIB_CONST
#include <stddef.h>
#include <zlib.h>

enum {
    RAW_WINDOW = -15,  /* the largest window, no header (zlib.h, inflateInit2) */
    ARENA = 48 * 1024, /* zlib needs about 7 KiB and the window's 32 */
};

struct lamp_inflater {
    struct lamp_inflate *owner; /* NULL: free */
    uint64_t used_at;           /* a count of uses */
    z_stream z;
    size_t taken;
    _Alignas(max_align_t) uint8_t arena[ARENA];
};

struct lamp_inflaters {
    size_t n;
    uint64_t uses;
    struct lamp_inflater all[];
};

size_t lamp_inflaters_memory(size_t n)
{
    return sizeof(lamp_inflaters) + n * sizeof(struct lamp_inflater);
}

int lamp_inflaters_new(size_t n, lamp_inflaters **out)
{
    if (n == 0)
        return LAMP_EINVAL;
    lamp_inflaters *p = calloc(1, lamp_inflaters_memory(n));
    if (!p)
        return LAMP_ENOMEM;
    p->n = n;
    *out = p;
    return LAMP_OK;
}

lamp_inflaters *lamp_inflaters_free(lamp_inflaters *p)
{
    free(p);
    return NULL;
}

static voidpf arena_take(voidpf arg, uInt items, uInt size)
{
    struct lamp_inflater *f = arg;
    const size_t bytes = ((size_t)items * size + 15) & ~(size_t)15;
    if (bytes > sizeof(f->arena) - f->taken)
        return NULL;
    void *p = f->arena + f->taken;
    f->taken += bytes;
    return p;
}

static void arena_give(voidpf arg, voidpf address)
{
    (void)arg; /* all at once, when the decompressor is set up anew */
    (void)address;
}

static void lose(struct lamp_inflate *h)
{
    if (h->own)
        h->own->owner = NULL;
    h->own = NULL;
    h->lost = true;
}

/* A free decompressor, or the one that was not used longest, set up for h. */
static bool take(lamp_inflaters *p, struct lamp_inflate *h)
{
    struct lamp_inflater *f = &p->all[0];
    for (size_t i = 0; i < p->n && f->owner; i++)
        if (!p->all[i].owner || p->all[i].used_at < f->used_at)
            f = &p->all[i];
    if (f->owner)
        lose(f->owner);
    f->taken = 0;
    f->z = (z_stream){ .zalloc = arena_take, .zfree = arena_give, .opaque = f };
    if (inflateInit2(&f->z, RAW_WINDOW) != Z_OK)
        return false;
    f->owner = h;
    h->own = f;
    return true;
}

size_t lamp_inflate(lamp_inflaters *p, struct lamp_inflate *h, struct lamp_bytes *in, uint8_t *out,
                    size_t size)
{
    if (h->lost || (!h->own && !take(p, h))) {
        h->lost = true;
        return 0;
    }
    struct lamp_inflater *f = h->own;
    f->used_at = ++p->uses;
    f->z.next_in = in->data;
    f->z.avail_in = (uInt)lamp_min(in->len, UINT32_MAX);
    f->z.next_out = out;
    f->z.avail_out = (uInt)lamp_min(size, UINT32_MAX);
    const int err = inflate(&f->z, Z_SYNC_FLUSH);
    const size_t used = in->len - f->z.avail_in, n = size - f->z.avail_out;
    in->data += used;
    in->len -= used;
    if (err != Z_OK && err != Z_BUF_ERROR && err != Z_STREAM_END)
        lose(h);
    /* A message may end with a final block (RFC 7692 7.2.3.4); what follows begins anew. */
    if (err == Z_STREAM_END && inflateReset(&f->z) != Z_OK)
        lose(h);
    return n;
}

void lamp_inflate_done(struct lamp_inflate *h)
{
    if (h->own)
        h->own->owner = NULL;
    *h = (struct lamp_inflate){ 0 };
}
