/* SPDX-License-Identifier: Apache-2.0 */
/* arena: memory that is handed out piece by piece within a budget and freed all at once.
 * It is also the allocator that protobuf-c unpacks hostile bytes with: whatever a message
 * makes the library allocate, unknown fields included, is counted and never exceeds the
 * budget. Not thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

#include <protobuf-c/protobuf-c.h>

struct lamp_arena_block;

struct lamp_arena {
    struct lamp_arena_block *blocks; /* owned */
    uint8_t *next;                   /* free part of the newest block */
    size_t left;                     /* its length, bytes */
    size_t budget;                   /* bytes that may still be taken from the heap */
    int error;                       /* first refusal: LAMP_EFULL or LAMP_ENOMEM */
};

void lamp_arena_init(struct lamp_arena *a, size_t budget);
void lamp_arena_done(struct lamp_arena *a);

/* size zeroed bytes, aligned for any type, or NULL (a->error says why). */
void *lamp_arena_alloc(struct lamp_arena *a, size_t size);

/* The arena as protobuf-c wants it; freeing through it does nothing. */
ProtobufCAllocator lamp_arena_allocator(struct lamp_arena *a);
