/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/shape.h"

#include <assert.h>

uint64_t lamp_uint_load(const void *p, size_t size)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (size) {
    case 1:
        memcpy(&u8, p, 1);
        return u8;
    case 2:
        memcpy(&u16, p, 2);
        return u16;
    case 4:
        memcpy(&u32, p, 4);
        return u32;
    default:
        assert(size == 8);
        memcpy(&u64, p, 8);
        return u64;
    }
}

void lamp_uint_store(void *p, size_t size, uint64_t v)
{
    uint8_t u8 = (uint8_t)v;
    uint16_t u16 = (uint16_t)v;
    uint32_t u32 = (uint32_t)v;
    switch (size) {
    case 1:
        memcpy(p, &u8, 1);
        return;
    case 2:
        memcpy(p, &u16, 2);
        return;
    case 4:
        memcpy(p, &u32, 4);
        return;
    default:
        assert(size == 8);
        memcpy(p, &v, 8);
        return;
    }
}

bool lamp_is_zero(const void *p, size_t len)
{
    for (const uint8_t *b = p; len > 0; b++, len--)
        if (*b)
            return false;
    return true;
}

/* What one field needs on either side. */
struct side {
    void *value;
    void *count; /* NULL where the kind has none */
};

static size_t count_of(const void *count)
{
    size_t n;
    memcpy(&n, count, sizeof(n));
    return n;
}

static void *pointer_at(const void *value)
{
    void *p;
    memcpy(&p, value, sizeof(p));
    return p;
}

static void set_pointer(void *value, const void *p)
{
    memcpy(value, &p, sizeof(p));
}

static void set_count(void *count, size_t n)
{
    memcpy(count, &n, sizeof(n));
}

/* ---- ours to theirs ---- */

static int list_to_pb(const struct lamp_field *f, struct side ours, struct lamp_arena *a,
                      struct side theirs)
{
    size_t n = count_of(ours.count);
    if (n > f->max)
        return LAMP_EFULL;
    if (n == 0)
        return LAMP_OK;
    ProtobufCMessage **items = lamp_arena_alloc(a, n * sizeof(ProtobufCMessage *));
    if (!items)
        return a->error;
    const uint8_t *item = pointer_at(ours.value);
    for (size_t i = 0; i < n; i++, item += f->sub->size) {
        int rc = lamp_shape_to_pb(f->sub, item, a, &items[i]);
        if (rc)
            return rc;
    }
    set_pointer(theirs.value, items);
    set_count(theirs.count, n);
    return LAMP_OK;
}

static int field_to_pb(const struct lamp_field *f, struct side ours, struct lamp_arena *a,
                       struct side theirs)
{
    ProtobufCMessage *sub = NULL;
    struct lamp_bytes bytes;
    uint64_t v;
    size_t n;

    switch (f->kind) {
    case LAMP_FIELD_INT:
    case LAMP_FIELD_REASON:
        v = lamp_uint_load(ours.value, f->ours_size);
        if (v > f->max)
            return LAMP_EINVAL;
        lamp_uint_store(theirs.value, f->theirs_size, v);
        return LAMP_OK;
    case LAMP_FIELD_ID:
    case LAMP_FIELD_OPT_ID:
        if (f->kind == LAMP_FIELD_OPT_ID && lamp_is_zero(ours.value, (size_t)f->max))
            return LAMP_OK;
        memcpy(theirs.value, &(ProtobufCBinaryData){ (size_t)f->max, ours.value },
               sizeof(ProtobufCBinaryData));
        return LAMP_OK;
    case LAMP_FIELD_BYTES:
        memcpy(&bytes, ours.value, sizeof(bytes));
        if (bytes.len > f->max)
            return LAMP_EFULL;
        memcpy(theirs.value, &(ProtobufCBinaryData){ bytes.len, (uint8_t *)bytes.data },
               sizeof(ProtobufCBinaryData));
        return LAMP_OK;
    case LAMP_FIELD_SUB:
        if (lamp_is_zero(ours.value, f->ours_size))
            return LAMP_OK;
        int rc = lamp_shape_to_pb(f->sub, ours.value, a, &sub);
        set_pointer(theirs.value, sub);
        return rc;
    case LAMP_FIELD_LIST:
        return list_to_pb(f, ours, a, theirs);
    case LAMP_FIELD_U64_LIST:
    case LAMP_FIELD_U64_ARRAY:
        n = count_of(ours.count);
        if (n > f->max)
            return LAMP_EFULL;
        set_pointer(theirs.value,
                    f->kind == LAMP_FIELD_U64_ARRAY ? ours.value : pointer_at(ours.value));
        set_count(theirs.count, n);
        return LAMP_OK;
    }
    return LAMP_EINVAL;
}

int lamp_shape_to_pb(const struct lamp_shape *shape, const void *ours, struct lamp_arena *a,
                     ProtobufCMessage **out)
{
    ProtobufCMessage *pb = lamp_arena_alloc(a, shape->descriptor->sizeof_message);
    if (!pb)
        return a->error;
    shape->descriptor->message_init(pb);
    /* protobuf-c takes pointers to non-const also where it only reads. */
    uint8_t *from = (uint8_t *)ours, *to = (uint8_t *)pb;
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct lamp_field *f = &shape->fields[i];
        int rc = field_to_pb(f, (struct side){ from + f->ours, from + f->ours_n }, a,
                             (struct side){ to + f->theirs, to + f->theirs_n });
        if (rc)
            return rc;
    }
    *out = pb;
    return LAMP_OK;
}

/* ---- theirs to ours ---- */

static int list_from_pb(const struct lamp_field *f, struct side theirs, struct lamp_arena *a,
                        struct side ours)
{
    size_t n = count_of(theirs.count);
    if (n > f->max)
        return LAMP_EFULL;
    if (n == 0)
        return LAMP_OK;
    uint8_t *items = lamp_arena_alloc(a, n * f->sub->size);
    if (!items)
        return a->error;
    ProtobufCMessage *const *subs = pointer_at(theirs.value);
    for (size_t i = 0; i < n; i++) {
        int rc = lamp_shape_from_pb(f->sub, subs[i], a, items + i * f->sub->size);
        if (rc)
            return rc;
    }
    set_pointer(ours.value, items);
    set_count(ours.count, n);
    return LAMP_OK;
}

/* Both kinds of uint64 sequences hold values below 2^63, like LAMP_U64. */
static int u64s_from_pb(const struct lamp_field *f, struct side theirs, struct side ours)
{
    size_t n = count_of(theirs.count);
    const uint64_t *v = pointer_at(theirs.value);
    if (n > f->max)
        return LAMP_EFULL;
    for (size_t i = 0; i < n; i++)
        if (v[i] > INT64_MAX)
            return LAMP_EFORMAT;
    if (f->kind == LAMP_FIELD_U64_LIST)
        set_pointer(ours.value, v);
    else if (n > 0)
        memcpy(ours.value, v, n * sizeof(*v));
    set_count(ours.count, n);
    return LAMP_OK;
}

static int field_from_pb(const struct lamp_field *f, struct side theirs, struct lamp_arena *a,
                         struct side ours)
{
    const ProtobufCMessage *sub;
    ProtobufCBinaryData bytes;
    uint64_t v;

    switch (f->kind) {
    case LAMP_FIELD_INT:
    case LAMP_FIELD_REASON:
        v = lamp_uint_load(theirs.value, f->theirs_size);
        if (v > f->max && f->kind == LAMP_FIELD_INT)
            return LAMP_EFORMAT;
        lamp_uint_store(ours.value, f->ours_size, v > f->max ? 0 : v);
        return LAMP_OK;
    case LAMP_FIELD_ID:
    case LAMP_FIELD_OPT_ID:
        memcpy(&bytes, theirs.value, sizeof(bytes));
        if (bytes.len == 0 && f->kind == LAMP_FIELD_OPT_ID)
            return LAMP_OK;
        if (bytes.len != f->max)
            return LAMP_EFORMAT;
        memcpy(ours.value, bytes.data, bytes.len);
        return LAMP_OK;
    case LAMP_FIELD_BYTES:
        memcpy(&bytes, theirs.value, sizeof(bytes));
        if (bytes.len > f->max)
            return LAMP_EFULL;
        memcpy(ours.value, &(struct lamp_bytes){ bytes.data, bytes.len },
               sizeof(struct lamp_bytes));
        return LAMP_OK;
    case LAMP_FIELD_SUB:
        sub = pointer_at(theirs.value);
        return sub ? lamp_shape_from_pb(f->sub, sub, a, ours.value) : LAMP_OK;
    case LAMP_FIELD_LIST:
        return list_from_pb(f, theirs, a, ours);
    case LAMP_FIELD_U64_LIST:
    case LAMP_FIELD_U64_ARRAY:
        return u64s_from_pb(f, theirs, ours);
    }
    return LAMP_EINVAL;
}

int lamp_shape_from_pb(const struct lamp_shape *shape, const ProtobufCMessage *pb,
                       struct lamp_arena *a, void *ours)
{
    uint8_t *from = (uint8_t *)pb, *to = ours;
    memset(ours, 0, shape->size);
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct lamp_field *f = &shape->fields[i];
        int rc = field_from_pb(f, (struct side){ from + f->theirs, from + f->theirs_n }, a,
                               (struct side){ to + f->ours, to + f->ours_n });
        if (rc)
            return rc;
    }
    return shape->check ? shape->check(ours) : LAMP_OK;
}

/* ---- bytes ---- */

int lamp_shape_pack(const ProtobufCMessage *pb, size_t limit, uint8_t **out, size_t *out_len)
{
    size_t len = protobuf_c_message_get_packed_size(pb);
    if (len > limit)
        return LAMP_EFULL;
    uint8_t *data = malloc(len + 1); /* an empty message still gets a pointer */
    if (!data)
        return LAMP_ENOMEM;
    *out_len = protobuf_c_message_pack(pb, data);
    *out = data;
    return LAMP_OK;
}

int lamp_shape_unpack(const ProtobufCMessageDescriptor *descriptor, struct lamp_bytes packed,
                      size_t limit, struct lamp_arena *a, ProtobufCMessage **out)
{
    if (packed.len > limit)
        return LAMP_EFULL;
    ProtobufCAllocator allocator = lamp_arena_allocator(a);
    ProtobufCMessage *pb =
        protobuf_c_message_unpack(descriptor, &allocator, packed.len, packed.data);
    if (!pb)
        return a->error ? a->error : LAMP_EFORMAT;
    *out = pb;
    return LAMP_OK;
}
