/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include "fleet.pb-c.h"
#include "proto/shape.h"
#include "proto/wire_priv.h"

#include <assert.h>
#include <math.h>
#include <sodium.h>

/* ---- the head of a batch ---- */

#define LAMP_OURS struct lamp_sensor_counters
#define LAMP_THEIRS Davylamp__V1__SensorCounters
static const struct lamp_field counters_fields[] = {
    LAMP_U64(packets),
    LAMP_U64(bytes),
    LAMP_U64(kernel_drops),
    LAMP_U64(interface_drops),
    LAMP_U64_ARRAY(decode, LAMP_WIRE_DECODE_MAX),
    LAMP_U64(flows_new),
    LAMP_U64(flows_evicted),
    LAMP_U64(flows_refused),
    LAMP_U64(flows_live),
    LAMP_U64(conns_live),
    LAMP_U64(conns_refused),
    LAMP_U64(reasm_dropped_bytes),
    LAMP_U64(summary_rows_dropped),
    LAMP_U64(memory_bytes),
    LAMP_U64(cpu_us),
    LAMP_U64_ARRAY(decode_bytes, LAMP_WIRE_DECODE_MAX),
    LAMP_U64(refused_bytes),
    LAMP_U64(rollup_other),
    LAMP_U64(names_dropped),
    LAMP_U64(summary_bytes_dropped),
    LAMP_U64_ARRAY(records, LAMP_WIRE_RECORDS_MAX),
};
LAMP_SHAPE(counters, sensor_counters, sensor_counters, counters_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_batch
#define LAMP_THEIRS Davylamp__V1__Batch
static const struct lamp_field batch_fields[] = {
    LAMP_ID(cap_run),     LAMP_U64(t_from_us),          LAMP_U64(t_to_us),   LAMP_U64(mono_from_us),
    LAMP_U64(mono_to_us), LAMP_SUB(counters, counters), LAMP_FLAG(recorded),
};
LAMP_SHAPE(batch_head, batch, batch, batch_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

/* ---- the columns ----
 * Rows travel as one array per field. A column whose every value is zero may be left out;
 * a column that is there has exactly one value for each row. */

enum column_kind {
    COLUMN_INT,    /* unsigned of any width, at most max */
    COLUMN_TIME,   /* µs since 1970; on the wire relative to t_from_us */
    COLUMN_REAL,   /* finite and not negative */
    COLUMN_STRING, /* 1 + index into the batch's strings */
    COLUMN_ADDR,   /* 16 bytes a row in one bytes field */
};

struct column {
    enum column_kind kind;
    size_t ours, ours_size;  /* in the row struct */
    size_t theirs, theirs_n; /* pointer (or ProtobufCBinaryData) and count */
    size_t theirs_size;      /* of one value */
    uint64_t max;
};

struct table {
    const ProtobufCMessageDescriptor *descriptor;
    const struct column *columns;
    size_t n_columns;
    size_t row_size;
    uint32_t rows_max;
};

#define COLUMN(kind_, name, max_)                                                                  \
    {                                                                                              \
        .kind = COLUMN_##kind_, .ours = offsetof(LAMP_OURS, name),                                 \
        .ours_size = LAMP_MEMBER_SIZE(LAMP_OURS, name), .theirs = offsetof(LAMP_THEIRS, name),     \
        .theirs_n = offsetof(LAMP_THEIRS, n_##name),                                               \
        .theirs_size = sizeof(*((LAMP_THEIRS *)0)->name), .max = (max_)                            \
    }
#define INT(name, max) COLUMN(INT, name, max)
#define COUNT(name) COLUMN(INT, name, LAMP_WIRE_COUNT_MAX)
#define COUNT32(name) COLUMN(INT, name, UINT32_MAX)
#define TIME(name) COLUMN(TIME, name, 0)
#define REAL(name) COLUMN(REAL, name, 0)
#define STRING(name) COLUMN(STRING, name, 0)
#define ADDR(name)                                                                                 \
    {                                                                                              \
        .kind = COLUMN_ADDR, .ours = offsetof(LAMP_OURS, name),                                    \
        .ours_size = sizeof(struct lamp_addr), .theirs = offsetof(LAMP_THEIRS, name)               \
    }

#define LAMP_OURS struct lamp_conn_row
#define LAMP_THEIRS Davylamp__V1__ConnectionRows
static const struct column conn_columns[] = {
    INT(conn_id, UINT64_MAX),
    ADDR(client_addr),
    ADDR(server_addr),
    INT(client_port, UINT16_MAX),
    INT(server_port, UINT16_MAX),
    INT(ip_proto, UINT8_MAX),
    INT(vlan, UINT32_MAX),
    TIME(first_us),
    TIME(last_us),
    COUNT(bytes_up),
    COUNT(bytes_down),
    COUNT(packets_up),
    COUNT(packets_down),
    INT(verdict, LAMP_VERDICT_CONFIRMED),
    INT(confidence, 10000),
    STRING(family),
    STRING(coin),
    STRING(algorithm),
    STRING(wallet),
    STRING(worker),
    STRING(agent),
    STRING(pool),
    STRING(server_name),
    STRING(sni),
    STRING(ja4),
    COUNT32(jobs),
    COUNT32(submitted),
    COUNT32(accepted),
    COUNT32(rejected),
    COUNT32(stale),
    REAL(work_hashes),
    REAL(difficulty),
    REAL(self_rate),
    INT(flags, UINT32_MAX),
    STRING(hash_unit),
    COUNT32(work_shares),
    STRING(tunnel_kind),
    STRING(tunnel_host),
    INT(tunnel_port, UINT16_MAX),
    STRING(platform),
    COUNT32(devices),
    INT(work_method, LAMP_RATE_TIMING),
    COUNT32(hash_values),
    INT(other_method, LAMP_RATE_TIMING),
    REAL(other_rate),
    REAL(other_low),
    REAL(other_high),
    COUNT32(block_ms),
    COUNT32(early_shares),
};
#undef LAMP_OURS
#undef LAMP_THEIRS
static const struct table conn_table = {
    &davylamp__v1__connection_rows__descriptor,
    conn_columns,
    ARRAY_LEN(conn_columns),
    sizeof(struct lamp_conn_row),
    LAMP_WIRE_CONN_ROWS_MAX,
};

/* Evidence of all rows, one after another; the columns of ours without the prefix. */
#define EVIDENCE(kind_, name, max_)                                                                \
    {                                                                                              \
        .kind = COLUMN_##kind_, .ours = offsetof(struct lamp_evidence, name),                      \
        .ours_size = LAMP_MEMBER_SIZE(struct lamp_evidence, name),                                 \
        .theirs = offsetof(Davylamp__V1__ConnectionRows, evidence_##name),                         \
        .theirs_n = offsetof(Davylamp__V1__ConnectionRows, n_evidence_##name),                     \
        .theirs_size = sizeof(*((Davylamp__V1__ConnectionRows *)0)->evidence_##name),              \
        .max = (max_)                                                                              \
    }
static const struct column evidence_columns[] = {
    EVIDENCE(STRING, kind, 0),
    EVIDENCE(STRING, detail, 0),
    EVIDENCE(STRING, field, 0),
    EVIDENCE(STRING, strength, 0),
    EVIDENCE(STRING, refute, 0),
    EVIDENCE(TIME, t_us, 0),
    EVIDENCE(INT, side, LAMP_SIDE_SERVER),
};

#define LAMP_OURS struct lamp_rollup_row
#define LAMP_THEIRS Davylamp__V1__RollupRows
static const struct column rollup_columns[] = {
    INT(minute, LAMP_WIRE_COUNT_MAX),
    ADDR(inside_addr),
    ADDR(remote_addr),
    INT(ip_proto, UINT8_MAX),
    INT(service_port, UINT16_MAX),
    STRING(application),
    COUNT(bytes_out),
    COUNT(bytes_in),
    COUNT(packets_out),
    COUNT(packets_in),
    COUNT32(flows),
    STRING(remote_name),
};
#undef LAMP_OURS
#undef LAMP_THEIRS
static const struct table rollup_table = {
    &davylamp__v1__rollup_rows__descriptor,
    rollup_columns,
    ARRAY_LEN(rollup_columns),
    sizeof(struct lamp_rollup_row),
    LAMP_WIRE_ROLLUP_ROWS_MAX,
};

#define LAMP_OURS struct lamp_name_row
#define LAMP_THEIRS Davylamp__V1__NameRows
static const struct column name_columns[] = {
    ADDR(addr),
    STRING(name),
    COUNT32(ttl_s),
    TIME(seen_us),
};
#undef LAMP_OURS
#undef LAMP_THEIRS
static const struct table name_table = {
    &davylamp__v1__name_rows__descriptor,
    name_columns,
    ARRAY_LEN(name_columns),
    sizeof(struct lamp_name_row),
    LAMP_WIRE_NAME_ROWS_MAX,
};

#define LAMP_OURS struct lamp_track_row
#define LAMP_THEIRS Davylamp__V1__TrackRows
static const struct column track_columns[] = {
    INT(order_id, INT64_MAX), INT(step, LAMP_WIRE_COUNT_MAX),
    COUNT(bytes_out),         COUNT(bytes_in),
    COUNT(packets_out),       COUNT(packets_in),
};
#undef LAMP_OURS
#undef LAMP_THEIRS
static const struct table track_table = {
    &davylamp__v1__track_rows__descriptor,
    track_columns,
    ARRAY_LEN(track_columns),
    sizeof(struct lamp_track_row),
    LAMP_WIRE_TRACK_ROWS_MAX,
};

/* ---- packing ---- */

enum { SLOTS = 2 * LAMP_WIRE_STRINGS_MAX }; /* a power of two, at most half full */

struct packer {
    struct lamp_arena arena;
    ProtobufCBinaryData *strings;
    uint16_t *slots; /* hash table over strings: 1 + index, 0 = free */
    size_t n_strings;
    const uint8_t *hash_key; /* cap_run: hosts on the wire do not know it */
    uint64_t t_from_us;
};

/* The column value of a string: 1 + its index, 0 for an empty one. */
static int intern(struct packer *p, struct lamp_bytes s, uint32_t *out)
{
    _Static_assert(crypto_shorthash_KEYBYTES == LAMP_MEMBER_SIZE(struct lamp_batch, cap_run), "");
    size_t len = lamp_min(s.len, LAMP_WIRE_STRING_MAX);
    if (len == 0) {
        *out = 0;
        return LAMP_OK;
    }
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, s.data, len, p->hash_key);
    size_t slot = lamp_uint_load(hash, sizeof(hash)) % SLOTS;
    for (; p->slots[slot]; slot = (slot + 1) % SLOTS) {
        const ProtobufCBinaryData *known = &p->strings[p->slots[slot] - 1];
        if (known->len == len && memcmp(known->data, s.data, len) == 0) {
            *out = p->slots[slot];
            return LAMP_OK;
        }
    }
    if (p->n_strings == LAMP_WIRE_STRINGS_MAX)
        return LAMP_EFULL;
    p->strings[p->n_strings++] = (ProtobufCBinaryData){ len, (uint8_t *)s.data };
    p->slots[slot] = (uint16_t)p->n_strings;
    *out = p->slots[slot];
    return LAMP_OK;
}

static int value_to_pb(struct packer *p, const struct column *c, const void *ours, void *theirs)
{
    struct lamp_bytes s;
    double real;
    uint64_t v;
    uint32_t index;
    int rc;

    switch (c->kind) {
    case COLUMN_INT:
        v = lamp_uint_load(ours, c->ours_size);
        if (v > c->max)
            return LAMP_EINVAL;
        lamp_uint_store(theirs, c->theirs_size, v);
        return LAMP_OK;
    case COLUMN_TIME:
        v = lamp_uint_load(ours, sizeof(v));
        if (v > INT64_MAX)
            return LAMP_EINVAL;
        lamp_uint_store(theirs, sizeof(v), v - p->t_from_us);
        return LAMP_OK;
    case COLUMN_REAL:
        memcpy(&real, ours, sizeof(real));
        if (!isfinite(real) || real < 0)
            return LAMP_EINVAL;
        real += 0.0; /* -0 becomes 0 */
        memcpy(theirs, &real, sizeof(real));
        return LAMP_OK;
    case COLUMN_STRING:
        memcpy(&s, ours, sizeof(s));
        rc = intern(p, s, &index);
        if (!rc)
            memcpy(theirs, &index, sizeof(index));
        return rc;
    case COLUMN_ADDR:
        memcpy(theirs, ours, sizeof(struct lamp_addr));
        return LAMP_OK;
    }
    return LAMP_EINVAL;
}

static int column_to_pb(struct packer *p, const struct column *c, const uint8_t *rows, size_t n,
                        size_t row_size, uint8_t *pb)
{
    size_t size = c->kind == COLUMN_ADDR ? sizeof(struct lamp_addr) : c->theirs_size;
    uint8_t *values = lamp_arena_alloc(&p->arena, n * size);
    if (!values)
        return p->arena.error;
    for (size_t i = 0; i < n; i++) {
        int rc = value_to_pb(p, c, rows + i * row_size + c->ours, values + i * size);
        if (rc)
            return rc;
    }
    if (lamp_is_zero(values, n * size))
        return LAMP_OK;
    if (c->kind == COLUMN_ADDR) {
        memcpy(pb + c->theirs, &(ProtobufCBinaryData){ n * size, values },
               sizeof(ProtobufCBinaryData));
    } else {
        memcpy(pb + c->theirs, &values, sizeof(values));
        memcpy(pb + c->theirs_n, &n, sizeof(n));
    }
    return LAMP_OK;
}

/* The generated message of all rows, or NULL in *out when there are none. */
static int table_to_pb(struct packer *p, const struct table *t, const void *rows, size_t n,
                       void *out)
{
    if (n > t->rows_max)
        return LAMP_EFULL;
    if (n == 0)
        return LAMP_OK;
    ProtobufCMessage *pb = lamp_arena_alloc(&p->arena, t->descriptor->sizeof_message);
    if (!pb)
        return p->arena.error;
    t->descriptor->message_init(pb);
    for (size_t i = 0; i < t->n_columns; i++) {
        int rc = column_to_pb(p, &t->columns[i], rows, n, t->row_size, (uint8_t *)pb);
        if (rc)
            return rc;
    }
    memcpy(out, &pb, sizeof(pb));
    return LAMP_OK;
}

/* Evidence: one count per row, then the reasons of all rows one after another. */
static int evidence_to_pb(struct packer *p, const struct lamp_conn_row *rows, size_t n,
                          Davylamp__V1__ConnectionRows *pb)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].n_evidence > LAMP_WIRE_EVIDENCE_MAX)
            return LAMP_EFULL;
        total += rows[i].n_evidence;
    }
    if (total == 0)
        return LAMP_OK;
    struct lamp_evidence *all = lamp_arena_alloc(&p->arena, total * sizeof(*all));
    pb->evidence_count = lamp_arena_alloc(&p->arena, n * sizeof(*pb->evidence_count));
    if (!all || !pb->evidence_count)
        return p->arena.error;
    for (size_t i = 0; i < n; i++) {
        pb->evidence_count[i] = (uint32_t)rows[i].n_evidence;
        for (size_t k = 0; k < rows[i].n_evidence; k++)
            all[at++] = rows[i].evidence[k];
    }
    pb->n_evidence_count = n;
    for (size_t i = 0; i < ARRAY_LEN(evidence_columns); i++) {
        const int rc = column_to_pb(p, &evidence_columns[i], (const uint8_t *)all, total,
                                    sizeof(*all), (uint8_t *)pb);
        if (rc)
            return rc;
    }
    return LAMP_OK;
}

static int batch_to_pb(struct packer *p, const struct lamp_batch *b, Davylamp__V1__Batch **out)
{
    ProtobufCMessage *message = NULL;
    int rc = lamp_shape_to_pb(&batch_head, b, &p->arena, &message);
    if (rc)
        return rc;
    Davylamp__V1__Batch *pb = (void *)message;

    p->strings = lamp_arena_alloc(&p->arena, LAMP_WIRE_STRINGS_MAX * sizeof(*p->strings));
    p->slots = lamp_arena_alloc(&p->arena, SLOTS * sizeof(*p->slots));
    if (!p->strings || !p->slots)
        return p->arena.error;
    rc = table_to_pb(p, &conn_table, b->conns, b->n_conns, &pb->connections);
    if (!rc && pb->connections) {
        pb->connections->n = (uint32_t)b->n_conns;
        rc = evidence_to_pb(p, b->conns, b->n_conns, pb->connections);
    }
    if (!rc)
        rc = table_to_pb(p, &rollup_table, b->rollups, b->n_rollups, &pb->rollups);
    if (!rc)
        rc = table_to_pb(p, &name_table, b->names, b->n_names, &pb->names);
    if (!rc)
        rc = table_to_pb(p, &track_table, b->tracks, b->n_tracks, &pb->tracks);
    if (rc)
        return rc;
    if (pb->rollups)
        pb->rollups->n = (uint32_t)b->n_rollups;
    if (pb->names)
        pb->names->n = (uint32_t)b->n_names;
    if (pb->tracks)
        pb->tracks->n = (uint32_t)b->n_tracks;
    pb->strings = p->strings;
    pb->n_strings = p->n_strings;
    *out = pb;
    return LAMP_OK;
}

int lamp_batch_pack(const struct lamp_batch *b, uint8_t **out, size_t *out_len)
{
    struct packer p = { .hash_key = b->cap_run, .t_from_us = b->t_from_us };
    lamp_arena_init(&p.arena, LAMP_WIRE_BUDGET);
    Davylamp__V1__Batch *pb = NULL;
    int rc = batch_to_pb(&p, b, &pb);
    if (!rc)
        rc = lamp_shape_pack(&pb->base, LAMP_WIRE_BATCH_MAX, out, out_len);
    lamp_arena_done(&p.arena);
    return rc;
}

/* ---- unpacking ---- */

/* What lamp_batch_unpack() hands out is the first member of this. */
struct owned_batch {
    struct lamp_batch batch;
    struct lamp_arena arena;
};

struct unpacker {
    struct lamp_arena *arena;
    const Davylamp__V1__Batch *pb;
};

static int string_at(const struct unpacker *u, uint32_t index, struct lamp_bytes *out)
{
    if (index > u->pb->n_strings)
        return LAMP_EFORMAT;
    const ProtobufCBinaryData *s = index ? &u->pb->strings[index - 1] : NULL;
    *out = s ? (struct lamp_bytes){ s->data, s->len } : (struct lamp_bytes){ 0 };
    return LAMP_OK;
}

static int time_at(const struct unpacker *u, int64_t relative_us, uint64_t *out)
{
    int64_t t_us;
    if (__builtin_add_overflow((int64_t)u->pb->t_from_us, relative_us, &t_us) || t_us < 0)
        return LAMP_EFORMAT;
    *out = (uint64_t)t_us;
    return LAMP_OK;
}

static int value_from_pb(const struct unpacker *u, const struct column *c, const void *theirs,
                         void *ours)
{
    struct lamp_bytes s;
    double real;
    uint64_t v;
    int rc;

    switch (c->kind) {
    case COLUMN_INT:
        v = lamp_uint_load(theirs, c->theirs_size);
        if (v > c->max)
            return LAMP_EFORMAT;
        lamp_uint_store(ours, c->ours_size, v);
        return LAMP_OK;
    case COLUMN_TIME:
        rc = time_at(u, (int64_t)lamp_uint_load(theirs, sizeof(v)), &v);
        if (!rc)
            memcpy(ours, &v, sizeof(v));
        return rc;
    case COLUMN_REAL:
        memcpy(&real, theirs, sizeof(real));
        if (!isfinite(real) || real < 0)
            return LAMP_EFORMAT;
        memcpy(ours, &real, sizeof(real));
        return LAMP_OK;
    case COLUMN_STRING:
        rc = string_at(u, (uint32_t)lamp_uint_load(theirs, sizeof(uint32_t)), &s);
        if (!rc)
            memcpy(ours, &s, sizeof(s));
        return rc;
    case COLUMN_ADDR:
        memcpy(ours, theirs, sizeof(struct lamp_addr));
        return LAMP_OK;
    }
    return LAMP_EFORMAT;
}

/* Values and count of a column as it arrived. */
static const uint8_t *column_of(const struct column *c, const uint8_t *pb, size_t *n, size_t *size)
{
    const uint8_t *values;
    if (c->kind == COLUMN_ADDR) {
        ProtobufCBinaryData bytes;
        memcpy(&bytes, pb + c->theirs, sizeof(bytes));
        *size = sizeof(struct lamp_addr);
        *n = bytes.len % *size ? SIZE_MAX : bytes.len / *size;
        return bytes.data;
    }
    memcpy(&values, pb + c->theirs, sizeof(values));
    memcpy(n, pb + c->theirs_n, sizeof(*n));
    *size = c->theirs_size;
    return values;
}

static int column_from_pb(const struct unpacker *u, const struct column *c, const uint8_t *pb,
                          uint8_t *rows, size_t n, size_t row_size)
{
    static const uint8_t zero[sizeof(uint64_t)];
    size_t got, size;
    const uint8_t *values = column_of(c, pb, &got, &size);
    if (got != n && got != 0)
        return LAMP_EFORMAT;
    if (got == 0 && c->kind != COLUMN_TIME)
        return LAMP_OK; /* the rows are zero already */
    for (size_t i = 0; i < n; i++) {
        int rc = value_from_pb(u, c, got ? values + i * size : zero, rows + i * row_size + c->ours);
        if (rc)
            return rc;
    }
    return LAMP_OK;
}

/* The rows of a table in the arena, in *out, a pointer to rows. */
static int table_from_pb(const struct unpacker *u, const struct table *t,
                         const ProtobufCMessage *pb, uint32_t n, void *out)
{
    if (n > t->rows_max)
        return LAMP_EFULL;
    uint8_t *rows = lamp_arena_alloc(u->arena, n * t->row_size);
    if (!rows)
        return u->arena->error;
    for (size_t i = 0; i < t->n_columns; i++) {
        int rc = column_from_pb(u, &t->columns[i], (const uint8_t *)pb, rows, n, t->row_size);
        if (rc)
            return rc;
    }
    memcpy(out, &rows, sizeof(rows));
    return LAMP_OK;
}

static int evidence_from_pb(const struct unpacker *u, const Davylamp__V1__ConnectionRows *pb,
                            struct lamp_conn_row *rows)
{
    size_t total = 0;
    if (pb->n_evidence_count != 0 && pb->n_evidence_count != pb->n)
        return LAMP_EFORMAT;
    for (size_t i = 0; i < pb->n_evidence_count; i++) {
        if (pb->evidence_count[i] > LAMP_WIRE_EVIDENCE_MAX)
            return LAMP_EFULL;
        total += pb->evidence_count[i];
    }
    struct lamp_evidence *all = lamp_arena_alloc(u->arena, total * sizeof(*all));
    if (!all)
        return u->arena->error;
    for (size_t i = 0; i < ARRAY_LEN(evidence_columns); i++) {
        const int rc = column_from_pb(u, &evidence_columns[i], (const uint8_t *)pb, (uint8_t *)all,
                                      total, sizeof(*all));
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < pb->n_evidence_count; i++) {
        rows[i].evidence = all;
        rows[i].n_evidence = pb->evidence_count[i];
        all += pb->evidence_count[i];
    }
    return LAMP_OK;
}

static int check_strings(const Davylamp__V1__Batch *pb)
{
    if (pb->n_strings > LAMP_WIRE_STRINGS_MAX)
        return LAMP_EFULL;
    for (size_t i = 0; i < pb->n_strings; i++)
        if (pb->strings[i].len > LAMP_WIRE_STRING_MAX)
            return LAMP_EFULL;
    return LAMP_OK;
}

static int batch_from_pb(const struct unpacker *u, struct lamp_batch *b)
{
    const Davylamp__V1__Batch *pb = u->pb;
    int rc = lamp_shape_from_pb(&batch_head, &pb->base, u->arena, b);
    if (!rc)
        rc = check_strings(pb);
    if (!rc && pb->connections) {
        rc = table_from_pb(u, &conn_table, &pb->connections->base, pb->connections->n, &b->conns);
        b->n_conns = rc ? 0 : pb->connections->n;
        if (!rc)
            rc = evidence_from_pb(u, pb->connections, b->conns);
    }
    if (!rc && pb->rollups) {
        rc = table_from_pb(u, &rollup_table, &pb->rollups->base, pb->rollups->n, &b->rollups);
        b->n_rollups = rc ? 0 : pb->rollups->n;
    }
    if (!rc && pb->names) {
        rc = table_from_pb(u, &name_table, &pb->names->base, pb->names->n, &b->names);
        b->n_names = rc ? 0 : pb->names->n;
    }
    if (!rc && pb->tracks) {
        rc = table_from_pb(u, &track_table, &pb->tracks->base, pb->tracks->n, &b->tracks);
        b->n_tracks = rc ? 0 : pb->tracks->n;
    }
    return rc;
}

int lamp_batch_unpack_within(size_t budget, struct lamp_bytes packed, struct lamp_batch **out)
{
    struct owned_batch *o = calloc(1, sizeof(*o));
    if (!o)
        return LAMP_ENOMEM;
    lamp_arena_init(&o->arena, budget);

    ProtobufCMessage *pb = NULL;
    int rc = lamp_shape_unpack(&davylamp__v1__batch__descriptor, packed, LAMP_WIRE_BATCH_MAX,
                               &o->arena, &pb);
    if (!rc)
        rc = batch_from_pb(&(struct unpacker){ &o->arena, (const void *)pb }, &o->batch);
    if (rc) {
        lamp_batch_free(&o->batch);
        return rc;
    }
    *out = &o->batch;
    return LAMP_OK;
}

int lamp_batch_unpack(struct lamp_bytes packed, struct lamp_batch **out)
{
    return lamp_batch_unpack_within(LAMP_WIRE_BUDGET, packed, out);
}

struct lamp_batch *lamp_batch_free(struct lamp_batch *b)
{
    if (b) {
        struct owned_batch *o = (struct owned_batch *)b;
        lamp_arena_done(&o->arena);
        free(o);
    }
    return NULL;
}
