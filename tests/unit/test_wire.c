/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the envelope: round trips, refusals, hostile bytes. test_batch.c has the batch. */
#include "fleet.pb-c.h"
#include "proto/wire_priv.h"
#include "tests/support/test.h"
#include "tests/support/wire_samples.h"

/* Linked with --wrap: the allocation after fail_after others fails. */
static size_t fail_after = SIZE_MAX;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static bool fails_now(void)
{
    return fail_after != SIZE_MAX && fail_after-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

static struct lamp_msg *unpack(const uint8_t *data, size_t len)
{
    struct lamp_msg *m = NULL;
    uint8_t *copy = guarded_dup(data, len);
    int rc = lamp_msg_unpack(copy, len, &m);
    guarded_free(copy); /* the message must own all it shows */
    if (rc)
        fail_msg("unpack: %s", lamp_strerror(rc));
    return m;
}

/* Packs an envelope of the generated code and tells what unpacking says. */
static int unpack_pb(Davylamp__V1__Envelope__BodyCase body, void *message)
{
    Davylamp__V1__Envelope e = DAVYLAMP__V1__ENVELOPE__INIT;
    e.body_case = body;
    e.hello = message;
    size_t len = davylamp__v1__envelope__get_packed_size(&e);
    uint8_t *data = malloc(len + 1);
    assert_non_null(data);
    davylamp__v1__envelope__pack(&e, data);
    struct lamp_msg *m = NULL;
    int rc = lamp_msg_unpack(data, len, &m);
    assert_true((rc == 0) == (m != NULL));
    lamp_msg_free(m);
    free(data);
    return rc;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct lamp_msg sample;
        wire_sample(i, &sample);
        uint8_t *packed = NULL, *again = NULL;
        size_t len = 0, again_len = 0;
        assert_int_equal(lamp_msg_pack(&sample, &packed, &len), LAMP_OK);
        struct lamp_msg *m = unpack(packed, len);
        assert_int_equal(m->type, sample.type);
        assert_int_equal(lamp_msg_pack(m, &again, &again_len), LAMP_OK);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, packed, len);
        lamp_msg_free(m);
        free(packed);
        free(again);
    }
}

static void test_values_arrive(void **state)
{
    (void)state;
    struct lamp_msg sample;
    uint8_t *packed = NULL;
    size_t len = 0;

    wire_sample_of(LAMP_MSG_HELLO, &sample);
    assert_int_equal(lamp_msg_pack(&sample, &packed, &len), LAMP_OK);
    struct lamp_msg *m = unpack(packed, len);
    assert_int_equal(m->u.hello.proto_max, sample.u.hello.proto_max);
    assert_memory_equal(m->u.hello.session.b, sample.u.hello.session.b, LAMP_WIRE_SESSION_LEN);
    assert_true(lamp_bytes_eq(m->u.hello.build, "davylamp 0.1.0"));
    assert_int_equal(m->u.hello.n_streams, sample.u.hello.n_streams);
    assert_memory_equal(m->u.hello.streams, sample.u.hello.streams,
                        sample.u.hello.n_streams * sizeof(*sample.u.hello.streams));
    assert_int_equal(m->u.hello.block_list.kind, LAMP_SET_BLOCK);
    assert_int_equal(m->u.hello.spool_quota_bytes, sample.u.hello.spool_quota_bytes);
    lamp_msg_free(m);
    free(packed);

    wire_sample_of(LAMP_MSG_SET_CHUNK, &sample);
    assert_int_equal(lamp_msg_pack(&sample, &packed, &len), LAMP_OK);
    m = unpack(packed, len);
    assert_int_equal(m->u.set_chunk.n_entries, 3);
    const struct lamp_set_entry *e = m->u.set_chunk.entries;
    assert_int_equal(e[0].prefix.len, 120);
    assert_true(lamp_addr_eq(&e[0].prefix.addr, &sample.u.set_chunk.entries[0].prefix.addr));
    assert_int_equal(e[0].port, 3333);
    assert_true(e[1].inside);
    assert_int_equal(e[1].ttl_s, UINT32_MAX);
    assert_true(lamp_bytes_eq(e[2].name, "pool.example"));
    assert_int_equal(e[2].prefix.len, 0);
    lamp_msg_free(m);
    free(packed);

    wire_sample_of(LAMP_MSG_SET_STATUS, &sample);
    assert_int_equal(lamp_msg_pack(&sample, &packed, &len), LAMP_OK);
    m = unpack(packed, len);
    assert_int_equal(m->u.set_status.code, LAMP_EPROTECTED);
    assert_int_equal(m->u.set_status.n_refused_ids, 2);
    assert_int_equal(m->u.set_status.refused_ids[1], INT64_MAX);
    assert_int_equal(m->u.set_status.hits[0].bytes, 1500);
    assert_int_equal(m->u.set_status.mode, LAMP_ENFORCE_DRY_RUN);
    lamp_msg_free(m);
    free(packed);
}

static void test_local_state(void **state)
{
    (void)state;
    static const bool has[] = { true, false };
    for (size_t i = 0; i < ARRAY_LEN(has); i++) {
        struct lamp_msg s = { .type = LAMP_MSG_LOCAL_STATE };
        s.u.local_state = (struct lamp_local_state){ .has_addr = has[i], .session_up = true };
        memset(s.u.local_state.aggregator_addr.b, 7, 16);
        uint8_t *packed = NULL;
        size_t len = 0;
        assert_int_equal(lamp_msg_pack(&s, &packed, &len), LAMP_OK);
        struct lamp_msg *m = unpack(packed, len);
        assert_true(m->u.local_state.has_addr == has[i]);
        assert_true(m->u.local_state.session_up);
        lamp_msg_free(m);
        free(packed);
    }
}

static void test_other(void **state)
{
    (void)state;
    static const uint8_t unknown_member[] = { 0xfa, 0x06, 0x02, 0x08, 0x01 }; /* number 111 */
    struct lamp_msg *m = unpack(unknown_member, sizeof(unknown_member));
    assert_int_equal(m->type, LAMP_MSG_OTHER);
    assert_string_equal(lamp_msg_name(m->type), "OTHER");
    uint8_t *packed = NULL;
    size_t len = 0;
    assert_int_equal(lamp_msg_pack(m, &packed, &len), LAMP_EINVAL);
    assert_null(packed);
    lamp_msg_free(m);
    m = unpack(unknown_member, 0);
    assert_int_equal(m->type, LAMP_MSG_OTHER);
    lamp_msg_free(m);
    assert_string_equal(lamp_msg_name(LAMP_MSG_SET_BEGIN), "SET_BEGIN");
    assert_null(lamp_msg_free(NULL));
}

/* Every list and every bytes field, one past its maximum. */
static void test_pack_refuses_past_maximum(void **state)
{
    (void)state;
    static uint8_t big[LAMP_WIRE_BATCH_MAX + 1];
    static struct lamp_stream_state states[LAMP_WIRE_STREAMS_MAX + 1];
    static struct lamp_stream_next nexts[LAMP_WIRE_STREAMS_MAX + 1];
    static struct lamp_set_head heads[LAMP_WIRE_SETS_MAX + 1];
    static struct lamp_set_entry entries[LAMP_WIRE_SET_CHUNK_ENTRIES_MAX + 1];
    static struct lamp_set_hits hits[LAMP_WIRE_HITS_MAX + 1];
    static uint64_t ids[LAMP_WIRE_HITS_MAX + 1];
    static struct lamp_order_match matches[LAMP_WIRE_MATCHES_MAX + 1];
    struct lamp_set_entry long_name = { .name = { big, LAMP_WIRE_SET_NAME_MAX + 1 } };
    struct lamp_set_entry long_text = { .text = { big, LAMP_WIRE_SET_TEXT_MAX + 1 } };
#define MSG(type_, member, ...)                                                                    \
    {                                                                                              \
        .type = LAMP_MSG_##type_, .u.member = { __VA_ARGS__ }                                      \
    }
    const struct lamp_msg full[] = {
        MSG(HELLO, hello, .build = { big, 65 }),
        MSG(HELLO, hello, .boot_id = { big, 37 }),
        MSG(HELLO, hello, .streams = states, .n_streams = ARRAY_LEN(states)),
        MSG(WELCOME, welcome, .streams = nexts, .n_streams = ARRAY_LEN(nexts)),
        MSG(WELCOME, welcome, .sets = heads, .n_sets = ARRAY_LEN(heads)),
        MSG(ACK, ack, .streams = nexts, .n_streams = ARRAY_LEN(nexts)),
        MSG(SUMMARY, summary, .batch = { big, sizeof(big) }),
        MSG(SET_CHUNK, set_chunk, .entries = entries, .n_entries = ARRAY_LEN(entries)),
        MSG(SET_CHUNK, set_chunk, .entries = &long_name, .n_entries = 1),
        MSG(SET_CHUNK, set_chunk, .entries = &long_text, .n_entries = 1),
        MSG(SET_END, set_end, .manifest = { big, LAMP_WIRE_MANIFEST_MAX + 1 }),
        MSG(SET_STATUS, set_status, .detail = { big, LAMP_WIRE_DETAIL_MAX + 1 }),
        MSG(SET_STATUS, set_status, .hits = hits, .n_hits = ARRAY_LEN(hits)),
        MSG(SET_STATUS, set_status, .refused_ids = ids, .n_refused_ids = ARRAY_LEN(ids)),
    };
    const struct lamp_msg many[] = {
        MSG(ORDER, order, .matches = matches, .n_matches = ARRAY_LEN(matches)),
        MSG(TRACK, order, .matches = matches, .n_matches = ARRAY_LEN(matches)),
        MSG(ORDER_STATUS, order_status, .detail = { big, LAMP_WIRE_DETAIL_MAX + 1 }),
        MSG(SAMPLE_CHUNK, sample_chunk, .data = { big, LAMP_WIRE_CHUNK_MAX + 1 }),
        MSG(LOCAL_SAMPLE, local_sample, .data = { big, LAMP_WIRE_LOCAL_SAMPLE_MAX + 1 }),
    };
    const struct lamp_msg wrong[] = {
        MSG(ORDER, order, .kind = LAMP_ORDER_CANCEL + 1),
        MSG(ORDER, order, .id = UINT64_MAX),
        MSG(TRACK, order, .kind = LAMP_ORDER_CANCEL + 1),
        MSG(ORDER_STATUS, order_status, .state = LAMP_ORDER_FAILED + 1),
        MSG(HELLO, hello, .t_real_us = UINT64_MAX),
        MSG(BYE, bye, .reason = LAMP_BYE_PROTOCOL + 1),
        MSG(LOSS, loss, .reason = LAMP_LOSS_CRASH + 1),
        MSG(SET_BEGIN, set_begin, .chunks = LAMP_WIRE_SET_CHUNKS_MAX + 1),
        MSG(SET_BEGIN, set_begin, .kind = LAMP_SET_POLICY + 1),
        MSG(SET_STATUS, set_status, .mode = LAMP_ENFORCE_ON + 1),
        { .type = LAMP_MSG_OTHER },
        { .type = (enum lamp_msg_type)45 },
    };
#undef MSG
    uint8_t *out = NULL;
    size_t len;
    for (size_t i = 0; i < ARRAY_LEN(full); i++)
        if (lamp_msg_pack(&full[i], &out, &len) != LAMP_EFULL)
            fail_msg("full %zu (%s) was packed", i, lamp_msg_name(full[i].type));
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        if (lamp_msg_pack(&many[i], &out, &len) != LAMP_EFULL)
            fail_msg("many %zu (%s) was packed", i, lamp_msg_name(many[i].type));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (lamp_msg_pack(&wrong[i], &out, &len) != LAMP_EINVAL)
            fail_msg("wrong %zu (%s) was packed", i, lamp_msg_name(wrong[i].type));
    assert_null(out);
}

static uint8_t some[LAMP_WIRE_BATCH_MAX + 1];

#define BYTES(n) ((ProtobufCBinaryData){ (n), some })

static void test_unpack_refuses_ids(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65 };
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        size_t n = lengths[i];
        Davylamp__V1__Ping ping = DAVYLAMP__V1__PING__INIT;
        ping.session = BYTES(n);
        assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_PING, &ping),
                         n == 8 ? LAMP_OK : LAMP_EFORMAT);
        Davylamp__V1__Summary summary = DAVYLAMP__V1__SUMMARY__INIT;
        summary.stream = BYTES(n);
        assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SUMMARY, &summary),
                         n == 16 || n == 0 ? LAMP_OK : LAMP_EFORMAT);
        Davylamp__V1__SetReset reset = DAVYLAMP__V1__SET_RESET__INIT;
        reset.nonce = BYTES(n);
        assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_RESET, &reset),
                         n == 16 ? LAMP_OK : LAMP_EFORMAT);
        Davylamp__V1__SetEnd end = DAVYLAMP__V1__SET_END__INIT;
        end.nonce = BYTES(16);
        end.signature = BYTES(n);
        assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_END, &end),
                         n == 64 ? LAMP_OK : LAMP_EFORMAT);
        Davylamp__V1__SetHead head = DAVYLAMP__V1__SET_HEAD__INIT;
        Davylamp__V1__SetNotify notify = DAVYLAMP__V1__SET_NOTIFY__INIT;
        notify.head = &head;
        head.digest = BYTES(n);
        assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_NOTIFY, &notify),
                         n == 32 || n == 0 ? LAMP_OK : LAMP_EFORMAT);
        Davylamp__V1__Enroll enroll = DAVYLAMP__V1__ENROLL__INIT;
        enroll.token = BYTES(n);
        assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_ENROLL, &enroll),
                         n == 16 || n == 0 ? LAMP_OK : LAMP_EFORMAT);
        Davylamp__V1__KeyRotate rotate = DAVYLAMP__V1__KEY_ROTATE__INIT;
        rotate.public_key = BYTES(n);
        assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_KEY_ROTATE, &rotate),
                         n == 32 ? LAMP_OK : LAMP_EFORMAT);
    }
}

static void test_unpack_refuses_past_maximum(void **state)
{
    (void)state;
    Davylamp__V1__StreamNext next = DAVYLAMP__V1__STREAM_NEXT__INIT;
    next.stream = BYTES(16);
    Davylamp__V1__StreamNext *nexts[LAMP_WIRE_STREAMS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(nexts); i++)
        nexts[i] = &next;
    Davylamp__V1__Ack ack = DAVYLAMP__V1__ACK__INIT;
    ack.session = BYTES(8);
    ack.streams = nexts;
    ack.n_streams = LAMP_WIRE_STREAMS_MAX;
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_ACK, &ack), LAMP_OK);
    ack.n_streams++;
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_ACK, &ack), LAMP_EFULL);

    static uint64_t ids[LAMP_WIRE_HITS_MAX + 1];
    Davylamp__V1__SetStatus status = DAVYLAMP__V1__SET_STATUS__INIT;
    status.refused_ids = ids;
    status.n_refused_ids = LAMP_WIRE_HITS_MAX;
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_STATUS, &status), LAMP_OK);
    ids[3] = UINT64_MAX;
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_STATUS, &status), LAMP_EFORMAT);
    ids[3] = 0;
    status.n_refused_ids++;
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_STATUS, &status), LAMP_EFULL);

    Davylamp__V1__Hello hello = DAVYLAMP__V1__HELLO__INIT;
    hello.session = BYTES(8);
    hello.build = BYTES(64);
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_HELLO, &hello), LAMP_OK);
    hello.build = BYTES(65);
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_HELLO, &hello), LAMP_EFULL);

    Davylamp__V1__Summary summary = DAVYLAMP__V1__SUMMARY__INIT;
    summary.batch = BYTES(LAMP_WIRE_BATCH_MAX);
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SUMMARY, &summary), LAMP_OK);
    summary.batch = BYTES(LAMP_WIRE_BATCH_MAX + 1);
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SUMMARY, &summary), LAMP_EFULL);
}

/* What a message of a newer peer says: a reason that this build does not know only explains less, but
 * a kind, mode or state that it does not know refuses the message. */
static void test_newer_values(void **state)
{
    (void)state;
    static const int newer[] = { LAMP_LOSS_CRASH + 1, 1000, -1 };
    for (size_t i = 0; i < ARRAY_LEN(newer); i++) {
        Davylamp__V1__Loss loss = DAVYLAMP__V1__LOSS__INIT;
        Davylamp__V1__Bye bye = DAVYLAMP__V1__BYE__INIT;
        Davylamp__V1__Envelope e = DAVYLAMP__V1__ENVELOPE__INIT;
        uint8_t data[256];
        loss.stream = BYTES(16);
        loss.from_seq = loss.to_seq = 7;
        loss.reason = (Davylamp__V1__LossReason)newer[i];
        e.body_case = DAVYLAMP__V1__ENVELOPE__BODY_LOSS;
        e.loss = &loss;
        struct lamp_msg *m = unpack(data, davylamp__v1__envelope__pack(&e, data));
        assert_int_equal(m->type, LAMP_MSG_LOSS);
        assert_int_equal(m->u.loss.to_seq, 7);
        assert_int_equal(m->u.loss.reason, LAMP_LOSS_UNSPECIFIED);
        lamp_msg_free(m);
        bye.reason = (Davylamp__V1__ByeReason)(newer[i] + 1);
        e.body_case = DAVYLAMP__V1__ENVELOPE__BODY_BYE;
        e.bye = &bye;
        m = unpack(data, davylamp__v1__envelope__pack(&e, data));
        assert_int_equal(m->u.bye.reason, LAMP_BYE_UNSPECIFIED);
        lamp_msg_free(m);
    }
    Davylamp__V1__SetBegin begin = DAVYLAMP__V1__SET_BEGIN__INIT;
    begin.nonce = BYTES(16);
    begin.kind = (Davylamp__V1__SetKind)(LAMP_SET_POLICY + 1);
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_BEGIN, &begin), LAMP_EFORMAT);
    Davylamp__V1__SetStatus status = DAVYLAMP__V1__SET_STATUS__INIT;
    status.state = (Davylamp__V1__SetState)(LAMP_SET_OFF + 1);
    assert_int_equal(unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_STATUS, &status), LAMP_EFORMAT);
}

static void test_unpack_refuses_entries(void **state)
{
    (void)state;
    static uint8_t v4[16] = { [10] = 0xff, 0xff, 192, 0, 2, 0 }, v6[16] = { 0x20, 0x01 };
    static const struct {
        const char *label;
        uint8_t *addr;
        size_t addr_len;
        uint32_t prefix_len, port, ip_proto, name_len, text_len;
        int want;
    } cases[] = {
        { "IPv4", v4, 16, 120, 65535, 6, 0, 0, LAMP_OK },
        { "IPv6", v6, 16, 32, 0, 17, 0, 0, LAMP_OK },
        { "all IPv4", v4, 16, 96, 0, 0, 0, 0, LAMP_OK },
        { "IPv4 cut into the mapping", v4, 16, 95, 0, 0, 0, 0, LAMP_EFORMAT },
        { "prefix too long", v6, 16, 129, 0, 0, 0, 0, LAMP_EFORMAT },
        { "4-byte address", v4, 4, 32, 0, 0, 0, 0, LAMP_EFORMAT },
        { "port", v6, 16, 128, 65536, 0, 0, 0, LAMP_EFORMAT },
        { "protocol", v6, 16, 128, 0, 1, 0, 0, LAMP_EFORMAT },
        { "protocol past a byte", v6, 16, 128, 0, 262, 0, 0, LAMP_EFORMAT },
        { "name", NULL, 0, 0, 0, 0, 253, 0, LAMP_OK },
        { "long name", NULL, 0, 0, 0, 0, 254, 0, LAMP_EFULL },
        { "name and address", v6, 16, 128, 0, 0, 5, 0, LAMP_EFORMAT },
        { "policy text", NULL, 0, 0, 0, 0, 0, 256, LAMP_OK },
        { "long text", NULL, 0, 0, 0, 0, 0, 257, LAMP_EFULL },
        { "nothing", NULL, 0, 0, 0, 0, 0, 0, LAMP_EFORMAT },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Davylamp__V1__SetEntry entry = DAVYLAMP__V1__SET_ENTRY__INIT, *entries[] = { &entry };
        Davylamp__V1__SetChunk chunk = DAVYLAMP__V1__SET_CHUNK__INIT;
        chunk.nonce = BYTES(16);
        chunk.entries = entries;
        chunk.n_entries = 1;
        entry.addr = (ProtobufCBinaryData){ cases[i].addr_len, cases[i].addr };
        entry.prefix_len = cases[i].prefix_len;
        entry.port = cases[i].port;
        entry.ip_proto = cases[i].ip_proto;
        entry.name = BYTES(cases[i].name_len);
        entry.text = BYTES(cases[i].text_len);
        int rc = unpack_pb(DAVYLAMP__V1__ENVELOPE__BODY_SET_CHUNK, &chunk);
        if (rc != cases[i].want)
            fail_msg("%s: %s", cases[i].label, lamp_strerror(rc));
    }
}

/* A cut message is refused or reads as a shorter one; it never crashes. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct lamp_msg sample;
        wire_sample(i, &sample);
        uint8_t *packed = NULL;
        size_t len = 0;
        assert_int_equal(lamp_msg_pack(&sample, &packed, &len), LAMP_OK);
        for (size_t cut = 1; cut < len; cut++) { /* of 0 bytes is OTHER */
            uint8_t *copy = guarded_dup(packed, cut);
            struct lamp_msg *m = NULL;
            assert_int_equal(lamp_msg_unpack(copy, cut, &m), LAMP_EFORMAT);
            assert_null(m);
            guarded_free(copy);
        }
        free(packed);
    }
}

static void test_bit_flips(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct lamp_msg sample;
        wire_sample(i, &sample);
        uint8_t *packed = NULL;
        size_t len = 0, survived = 0;
        assert_int_equal(lamp_msg_pack(&sample, &packed, &len), LAMP_OK);
        for (int round = 0; round < 2000; round++) {
            uint8_t *copy = guarded_dup(packed, len);
            for (int flips = 0; flips <= round % 3; flips++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                copy[(random >> 33) % len] ^= (uint8_t)(1u << (random >> 61));
            }
            struct lamp_msg *m = NULL;
            if (lamp_msg_unpack(copy, len, &m) == LAMP_OK) {
                uint8_t *again = NULL;
                size_t again_len;
                int rc = lamp_msg_pack(m, &again, &again_len);
                assert_int_equal(rc, m->type == LAMP_MSG_OTHER ? LAMP_EINVAL : LAMP_OK);
                free(again);
                survived++;
            }
            lamp_msg_free(m);
            guarded_free(copy);
        }
        assert_true(survived < 2000);
        free(packed);
    }
}

static void test_every_malloc_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct lamp_msg sample, *m = NULL;
        wire_sample(i, &sample);
        uint8_t *packed = NULL;
        size_t len = 0, nth = 0;
        int rc = LAMP_ENOMEM;
        for (; rc; nth++) {
            fail_after = nth;
            rc = lamp_msg_pack(&sample, &packed, &len);
            fail_after = SIZE_MAX;
            assert_true(rc == LAMP_OK || (rc == LAMP_ENOMEM && !packed));
        }
        assert_true(nth > 2);
        rc = LAMP_ENOMEM;
        for (nth = 0; rc; nth++) {
            fail_after = nth;
            rc = lamp_msg_unpack(packed, len, &m);
            fail_after = SIZE_MAX;
            assert_true(rc == LAMP_OK || (rc == LAMP_ENOMEM && !m));
        }
        assert_true(nth > 2);
        lamp_msg_free(m);
        free(packed);
    }
}

/* Each budget from nothing upwards makes another allocation the first that fails. */
static void test_every_budget(void **state)
{
    (void)state;
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct lamp_msg sample;
        wire_sample(i, &sample);
        uint8_t *packed = NULL;
        size_t len = 0, budget = 0;
        assert_int_equal(lamp_msg_pack(&sample, &packed, &len), LAMP_OK);
        for (;; budget += 16) {
            struct lamp_msg *m = NULL;
            int rc = lamp_msg_unpack_within(budget, packed, len, &m);
            lamp_msg_free(m);
            if (rc == LAMP_OK)
                break;
            assert_int_equal(rc, LAMP_EFULL);
            assert_null(m);
        }
        assert_true(budget > 0 && budget < 256 * 1024);
        free(packed);
    }
}

/* A message of empty sub-messages, and one of unknown fields, are small on the wire and large
 * in memory. */
static void test_budget(void **state)
{
    (void)state;
    enum { COUNT = 250000 };
    static uint8_t data[8 + 4 * COUNT];
    struct lamp_msg *m = NULL;

    size_t body = 2 * COUNT, len = 0;
    data[len++] = 6 << 3 | 2; /* Envelope.ack */
    data[len++] = (uint8_t)(body & 0x7f) | 0x80;
    data[len++] = (uint8_t)(body >> 7 & 0x7f) | 0x80;
    data[len++] = (uint8_t)(body >> 14);
    for (size_t i = 0; i < COUNT; i++) {
        data[len++] = 2 << 3 | 2; /* Ack.streams, empty */
        data[len++] = 0;
    }
    assert_int_equal(lamp_msg_unpack(data, len, &m), LAMP_EFULL);
    for (size_t i = 4; i < len; i += 2)
        data[i] = 15 << 3; /* unknown varint field */
    assert_int_equal(lamp_msg_unpack(data, len, &m), LAMP_EFULL);

    uint8_t *long_one = calloc(1, LAMP_WIRE_MSG_MAX + 1);
    assert_non_null(long_one);
    assert_int_equal(lamp_msg_unpack(long_one, LAMP_WIRE_MSG_MAX + 1, &m), LAMP_EFULL);
    free(long_one);
    assert_null(m);
}

static void test_manifest(void **state)
{
    (void)state;
    static const char site_name[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    struct lamp_set_manifest m = { .site = lamp_bytes_of(site_name),
                                   .kind = LAMP_SET_BLOCK,
                                   .epoch = 1,
                                   .serial = 7,
                                   .expires_us = 9,
                                   .count = 10000,
                                   .flags = 3,
                                   .digest = { 1, 2, 3 } },
                             got = { 0 };
    char site[65];
    uint8_t *packed = NULL;
    size_t len = 0;
    assert_int_equal(lamp_set_manifest_pack(&m, &packed, &len), LAMP_OK);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = guarded_dup(packed, cut);
        bool only_flags_cut = cut == len - 2;
        assert_int_equal(lamp_set_manifest_unpack((struct lamp_bytes){ copy, cut }, site, &got),
                         only_flags_cut ? LAMP_OK : LAMP_EFORMAT);
        guarded_free(copy);
    }
    assert_int_equal(lamp_set_manifest_unpack((struct lamp_bytes){ packed, len }, site, &got),
                     LAMP_OK);
    free(packed);
    assert_string_equal(site, site_name);
    assert_true(lamp_bytes_eq(got.site, site_name));
    assert_int_equal(got.serial, 7);
    assert_int_equal(got.count, 10000);
    assert_memory_equal(got.digest, m.digest, sizeof(m.digest));

    packed = NULL;
    m.count = 10001;
    assert_int_equal(lamp_set_manifest_pack(&m, &packed, &len), LAMP_EINVAL);
    m.count = 1;
    m.site.len = 65;
    assert_int_equal(lamp_set_manifest_pack(&m, &packed, &len), LAMP_EFULL);
    assert_null(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_values_arrive),
        cmocka_unit_test(test_local_state),
        cmocka_unit_test(test_other),
        cmocka_unit_test(test_pack_refuses_past_maximum),
        cmocka_unit_test(test_unpack_refuses_ids),
        cmocka_unit_test(test_unpack_refuses_past_maximum),
        cmocka_unit_test(test_newer_values),
        cmocka_unit_test(test_unpack_refuses_entries),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_every_malloc_fails),
        cmocka_unit_test(test_every_budget),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
