/* SPDX-License-Identifier: Apache-2.0 */
/* inflate: unpacks the messages of WebSocket's permessage-deflate (RFC 7692), whose window may go
 * on from message to message. A few decompressors serve all streams in turn: who has not used one
 * longest loses it, and with it its stream. All memory is taken at creation. Not thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

typedef struct lamp_inflaters lamp_inflaters;

/* One direction's place; embedded in who uses it, zero-initialised. */
struct lamp_inflate {
    struct lamp_inflater *own; /* NULL: none yet */
    bool lost;                 /* it went to somebody else, or the data was no deflate */
};

/* n decompressors. LAMP_EINVAL: n is 0. LAMP_ENOMEM. */
LAMP_CHECK int lamp_inflaters_new(size_t n, lamp_inflaters **out);
lamp_inflaters *lamp_inflaters_free(lamp_inflaters *p);

/* Bytes that n decompressors take. */
size_t lamp_inflaters_memory(size_t n);

/* Unpacks from *in, moving it past what was used, into at most size bytes at out; returns how
 * many came. More may follow, also where *in is used up, while a call fills out. 0 with h->lost
 * set: the stream cannot be read any more. */
size_t lamp_inflate(lamp_inflaters *p, struct lamp_inflate *h, struct lamp_bytes *in, uint8_t *out,
                    size_t size);

/* Gives the decompressor back; *h is as new. */
void lamp_inflate_done(struct lamp_inflate *h);
