/* SPDX-License-Identifier: Apache-2.0 */
/* pieces: where a message that came in several pieces is put together. Most messages come whole
 * and need none of this, so a few buffers serve all flows in turn: who holds one longest loses it
 * and its message. All memory is taken at creation. Not thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_PIECES_MAX = 16384 }; /* longest message, bytes */

typedef struct lamp_pieces lamp_pieces;

/* What was kept of one message; embedded in who collects it, zero-initialised. */
struct lamp_held {
    struct lamp_pieces_buffer *buffer; /* NULL: nothing is kept */
    bool lost;                         /* the buffer went to somebody else */
};

/* n buffers. LAMP_EINVAL: n is 0. LAMP_ENOMEM. */
LAMP_CHECK int lamp_pieces_new(size_t n, lamp_pieces **out);
lamp_pieces *lamp_pieces_free(lamp_pieces *p);

/* Bytes that n buffers take. */
size_t lamp_pieces_memory(size_t n);

/* Keeps a copy of the bytes behind those kept before. False: the message is lost, because it is
 * too long or its buffer went to somebody else; lamp_held_drop() makes ready for another. */
bool lamp_held_add(lamp_pieces *p, struct lamp_held *h, struct lamp_bytes piece);

/* The message, of which `last` are the bytes after those kept: `last` itself if none were. False:
 * lost. *out lasts until the next call. */
bool lamp_held_whole(lamp_pieces *p, struct lamp_held *h, struct lamp_bytes last,
                     struct lamp_bytes *out);

/* Bytes kept so far. */
size_t lamp_held_length(const struct lamp_held *h);

/* Forgets the message and gives the buffer back. */
void lamp_held_drop(struct lamp_held *h);
