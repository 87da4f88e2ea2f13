/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/arena.h"

struct lamp_arena_block {
    struct lamp_arena_block *older;
    _Alignas(max_align_t) uint8_t data[];
};

enum { ALIGN = _Alignof(max_align_t) };

/* With AddressSanitizer every piece is a block of its own, so that it sees each overrun. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LAMP_ARENA_BLOCK 0
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define LAMP_ARENA_BLOCK 0
#endif
#ifndef LAMP_ARENA_BLOCK
#define LAMP_ARENA_BLOCK 4096
#endif

void lamp_arena_init(struct lamp_arena *a, size_t budget)
{
    *a = (struct lamp_arena){ .budget = budget };
}

void lamp_arena_done(struct lamp_arena *a)
{
    while (a->blocks) {
        struct lamp_arena_block *older = a->blocks->older;
        free(a->blocks);
        a->blocks = older;
    }
    a->next = NULL;
    a->left = 0;
}

static void *refuse(struct lamp_arena *a, int err)
{
    if (!a->error)
        a->error = err;
    return NULL;
}

void *lamp_arena_alloc(struct lamp_arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        return refuse(a, LAMP_EFULL);
    size_t need = size ? (size + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    if (need > a->left) {
        size_t most = a->budget > sizeof(struct lamp_arena_block)
                          ? a->budget - sizeof(struct lamp_arena_block)
                          : 0;
        if (need > most)
            return refuse(a, LAMP_EFULL);
        size_t room = lamp_min(most, need > LAMP_ARENA_BLOCK ? need : LAMP_ARENA_BLOCK);
        struct lamp_arena_block *block = calloc(1, sizeof(*block) + room);
        if (!block)
            return refuse(a, LAMP_ENOMEM);
        block->older = a->blocks;
        a->blocks = block;
        a->next = block->data;
        a->left = room;
        a->budget -= sizeof(*block) + room;
    }
    void *piece = a->next;
    a->next += need;
    a->left -= need;
    return piece;
}

static void *pb_alloc(void *arena, size_t size)
{
    return lamp_arena_alloc(arena, size);
}

static void pb_free(void *arena, void *piece)
{
    (void)arena;
    (void)piece;
}

ProtobufCAllocator lamp_arena_allocator(struct lamp_arena *a)
{
    return (ProtobufCAllocator){ .alloc = pb_alloc, .free = pb_free, .allocator_data = a };
}
