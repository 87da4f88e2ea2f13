/* SPDX-License-Identifier: Apache-2.0 */
/* shape: how a plain struct of wire.h and its generated protobuf-c twin correspond, as a
 * table of fields, and the two functions that walk such a table. Private to proto/.
 *
 * A field table is written between definitions of LAMP_OURS and LAMP_THEIRS, the two struct
 * types; most fields have the same name in both. */
#pragma once

#include "proto/arena.h"

enum lamp_field_kind {
    LAMP_FIELD_INT,       /* integer, enum or bool of any width; max = highest value */
    LAMP_FIELD_REASON,    /* enum that only explains: what is past max reads as 0, "not said" */
    LAMP_FIELD_ID,        /* byte array of exactly max bytes */
    LAMP_FIELD_OPT_ID,    /* the same; absent reads as zeros, zeros are left out */
    LAMP_FIELD_BYTES,     /* struct lamp_bytes of at most max bytes */
    LAMP_FIELD_SUB,       /* embedded struct; absent reads as zeros */
    LAMP_FIELD_LIST,      /* pointer and count of structs, at most max */
    LAMP_FIELD_U64_LIST,  /* pointer and count of uint64_t, at most max */
    LAMP_FIELD_U64_ARRAY, /* array of max uint64_t and its count */
};

struct lamp_shape;

struct lamp_field {
    enum lamp_field_kind kind;
    size_t ours, ours_n, ours_size; /* offset of value and count, size of value */
    size_t theirs, theirs_n, theirs_size;
    uint64_t max;
    const struct lamp_shape *sub;
};

struct lamp_shape {
    const ProtobufCMessageDescriptor *descriptor;
    size_t size; /* of our struct */
    const struct lamp_field *fields;
    size_t n_fields;
    int (*check)(void *ours); /* after unpacking; NULL: nothing more to check */
};

#define LAMP_MEMBER_SIZE(type, member) sizeof(((type *)0)->member)

/* One field; what follows max_ are further members. */
#define LAMP_PAIR(kind_, o, t, max_, ...)                                                          \
    {                                                                                              \
        .kind = LAMP_FIELD_##kind_, .ours = offsetof(LAMP_OURS, o),                                \
        .ours_size = LAMP_MEMBER_SIZE(LAMP_OURS, o), .theirs = offsetof(LAMP_THEIRS, t),           \
        .theirs_size = LAMP_MEMBER_SIZE(LAMP_THEIRS, t), .max = (max_), __VA_ARGS__                \
    }
#define LAMP_COUNTS(name)                                                                          \
    .ours_n = offsetof(LAMP_OURS, n_##name), .theirs_n = offsetof(LAMP_THEIRS, n_##name)

/* Whole-width integers. uint64 values stay below 2^63, so that every store can hold them. */
#define LAMP_U64(name) LAMP_PAIR(INT, name, name, INT64_MAX)
#define LAMP_U32(name) LAMP_PAIR(INT, name, name, UINT32_MAX)
#define LAMP_UPTO(name, max) LAMP_PAIR(INT, name, name, max)
#define LAMP_REASON(name, max) LAMP_PAIR(REASON, name, name, max)
#define LAMP_FLAG(name) LAMP_PAIR(INT, name, name, 1)
#define LAMP_ID(name) LAMP_PAIR(ID, name, name, LAMP_MEMBER_SIZE(LAMP_OURS, name))
#define LAMP_OPT_ID(name) LAMP_PAIR(OPT_ID, name, name, LAMP_MEMBER_SIZE(LAMP_OURS, name))
#define LAMP_BYTES(name, max) LAMP_PAIR(BYTES, name, name, max)
#define LAMP_SUB(name, shape) LAMP_PAIR(SUB, name, name, 0, .sub = &(shape))
#define LAMP_LIST(name, max, shape)                                                                \
    LAMP_PAIR(LIST, name, name, max, .sub = &(shape), LAMP_COUNTS(name))
#define LAMP_U64_LIST(name, max) LAMP_PAIR(U64_LIST, name, name, max, LAMP_COUNTS(name))
#define LAMP_U64_ARRAY(name, max) LAMP_PAIR(U64_ARRAY, name, name, max, LAMP_COUNTS(name))

/* A shape named `name` over `fields`. */
#define LAMP_SHAPE(name, type, pb, fields_, ...)                                                   \
    static const struct lamp_shape name = { .descriptor = &davylamp__v1__##pb##__descriptor,       \
                                            .size = sizeof(struct lamp_##type),                    \
                                            .fields = (fields_),                                   \
                                            .n_fields = ARRAY_LEN(fields_),                        \
                                            __VA_ARGS__ }

/* Makes the protobuf-c message of *ours in the arena; it borrows bytes and numbers from
 * ours. LAMP_EFULL: a field above its maximum, or the arena's budget. LAMP_EINVAL: a number
 * outside its range. LAMP_ENOMEM. */
LAMP_CHECK int lamp_shape_to_pb(const struct lamp_shape *shape, const void *ours,
                                struct lamp_arena *a, ProtobufCMessage **out);

/* Fills *ours (any content before) from a message; pointers in it lead into the message and
 * the arena. LAMP_EFORMAT: a value outside its type. LAMP_EFULL: a maximum or the budget.
 * LAMP_ENOMEM. */
LAMP_CHECK int lamp_shape_from_pb(const struct lamp_shape *shape, const ProtobufCMessage *pb,
                                  struct lamp_arena *a, void *ours);

/* Packs a message into bytes the caller frees. LAMP_EFULL: longer than limit. LAMP_ENOMEM. */
LAMP_CHECK int lamp_shape_pack(const ProtobufCMessage *pb, size_t limit, uint8_t **out,
                               size_t *out_len);

/* Unpacks bytes into the arena. LAMP_EFORMAT: not such a message. LAMP_EFULL: longer than
 * limit, or past the arena's budget. LAMP_ENOMEM. */
LAMP_CHECK int lamp_shape_unpack(const ProtobufCMessageDescriptor *descriptor,
                                 struct lamp_bytes packed, size_t limit, struct lamp_arena *a,
                                 ProtobufCMessage **out);

/* Integers of 1, 2, 4 or 8 bytes at any address. */
uint64_t lamp_uint_load(const void *p, size_t size);
void lamp_uint_store(void *p, size_t size, uint64_t v);

bool lamp_is_zero(const void *p, size_t len);
