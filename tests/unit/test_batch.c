/* SPDX-License-Identifier: Apache-2.0 */
/* The columnar batch: round trip with odd values, every maximum, hostile columns. */
#include "fleet.pb-c.h"
#include "proto/wire_priv.h"
#include "tests/support/test.h"

#include <math.h>

static uint8_t long_text[300];

static struct lamp_bytes text_of(size_t len)
{
    return (struct lamp_bytes){ long_text, len };
}

/* A batch of every odd value; the rows are static. */
static struct lamp_batch sample(void)
{
    static struct lamp_conn_row conns[3];
    static struct lamp_rollup_row rollups[2];
    static struct lamp_name_row names[1];
    static struct lamp_track_row tracks[2];
    static struct lamp_evidence evidence[LAMP_WIRE_EVIDENCE_MAX], port;
    memset(conns, 0, sizeof(conns));
    memset(long_text, 'x', sizeof(long_text));

    struct lamp_conn_row *c = &conns[0];
    *c = (struct lamp_conn_row){ .conn_id = UINT64_MAX,
                                 .client_addr = lamp_addr_from_v4((uint8_t[]){ 10, 0, 0, 5 }),
                                 .client_port = 65535,
                                 .server_port = 3333,
                                 .ip_proto = 6,
                                 .vlan = 100 | 2u << 24,
                                 .first_us = 1,
                                 .last_us = INT64_MAX,
                                 .bytes_up = LAMP_WIRE_COUNT_MAX,
                                 .bytes_down = 1,
                                 .packets_up = 2,
                                 .packets_down = 3,
                                 .jobs = UINT32_MAX,
                                 .submitted = 5,
                                 .accepted = 4,
                                 .rejected = 1,
                                 .stale = 1,
                                 .work_hashes = 1e300,
                                 .work_shares = UINT32_MAX,
                                 .verdict = LAMP_VERDICT_CONFIRMED,
                                 .confidence = 10000,
                                 .family = lamp_bytes_of("stratum-v1"),
                                 .coin = lamp_bytes_of("BTC"),
                                 .algorithm = lamp_bytes_of("sha256d"),
                                 .wallet = lamp_bytes_of("bc1q\xff\x01"),
                                 .worker = lamp_bytes_of("rig<script>"),
                                 .agent = lamp_bytes_of("cgminer"),
                                 .pool = lamp_bytes_of("BTC"),
                                 .server_name = text_of(256),
                                 .sni = text_of(1),
                                 .ja4 = { (const uint8_t *)"a\0b", 3 },
                                 .hash_unit = lamp_bytes_of("H/s"),
                                 .tunnel_kind = lamp_bytes_of("socks5"),
                                 .tunnel_host = lamp_bytes_of("pool.example.org"),
                                 .tunnel_port = UINT16_MAX,
                                 .difficulty = 5e-324,
                                 .self_rate = 0.5,
                                 .flags = UINT32_MAX,
                                 .platform = lamp_bytes_of("nicehash"),
                                 .devices = UINT32_MAX,
                                 .work_method = LAMP_RATE_HASH_VALUE,
                                 .hash_values = 16,
                                 .other_method = LAMP_RATE_TIMING,
                                 .other_rate = 2,
                                 .other_low = 1,
                                 .other_high = 1e300,
                                 .block_ms = UINT32_MAX,
                                 .early_shares = 7,
                                 .evidence = evidence,
                                 .n_evidence = LAMP_WIRE_EVIDENCE_MAX };
    for (size_t i = 0; i < c->n_evidence; i++)
        evidence[i] =
            (struct lamp_evidence){ lamp_bytes_of("grammar"),         text_of(i),
                                    lamp_bytes_of("JSON line"),       lamp_bytes_of("certain"),
                                    lamp_bytes_of("an echo service"), i,
                                    (enum lamp_side)(i % 3) };
    conns[2].client_port = 7;
    conns[2].n_evidence = 1;
    port.kind = lamp_bytes_of("port");
    conns[2].evidence = &port;

    rollups[0] = (struct lamp_rollup_row){ .minute = 28333333,
                                           .ip_proto = 255,
                                           .service_port = 53,
                                           .application = lamp_bytes_of("dns"),
                                           .remote_name = lamp_bytes_of("BTC"),
                                           .bytes_out = 9,
                                           .bytes_in = 8,
                                           .packets_out = 7,
                                           .packets_in = 6,
                                           .flows = 5 };
    memset(&rollups[1], 0, sizeof(rollups[1]));
    names[0] = (struct lamp_name_row){ .name = lamp_bytes_of("pool.example"),
                                       .ttl_s = 60,
                                       .seen_us = 999 };
    names[0].addr.b[0] = 0x20;

    tracks[0] = (struct lamp_track_row){ INT64_MAX, 179000000, 1, 2, 3, LAMP_WIRE_COUNT_MAX };
    tracks[1] = (struct lamp_track_row){ 1, 0, 0, 0, 0, 0 };

    struct lamp_batch b = { .t_from_us = 1000,
                            .t_to_us = 2000,
                            .mono_from_us = 3,
                            .mono_to_us = INT64_MAX,
                            .conns = conns,
                            .n_conns = ARRAY_LEN(conns),
                            .rollups = rollups,
                            .n_rollups = ARRAY_LEN(rollups),
                            .names = names,
                            .n_names = ARRAY_LEN(names),
                            .tracks = tracks,
                            .n_tracks = ARRAY_LEN(tracks) };
    memset(b.cap_run, 0xab, sizeof(b.cap_run));
    b.counters = (struct lamp_sensor_counters){
        .packets = 1, .decode = { 5, 0, 7 }, .n_decode = 3, .cpu_us = 12
    };
    return b;
}

static void pack(const struct lamp_batch *b, uint8_t **out, size_t *out_len)
{
    int rc = lamp_batch_pack(b, out, out_len);
    if (rc)
        fail_msg("pack: %s", lamp_strerror(rc));
}

static bool same(struct lamp_bytes a, struct lamp_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void assert_conn_equal(const struct lamp_conn_row *a, const struct lamp_conn_row *b)
{
#define EQ(member) assert_true(a->member == b->member)
    EQ(conn_id);
    EQ(client_port);
    EQ(server_port);
    EQ(ip_proto);
    EQ(vlan);
    EQ(first_us);
    EQ(last_us);
    EQ(bytes_up);
    EQ(bytes_down);
    EQ(packets_up);
    EQ(packets_down);
    EQ(jobs);
    EQ(submitted);
    EQ(accepted);
    EQ(rejected);
    EQ(stale);
    EQ(work_hashes);
    EQ(work_shares);
    EQ(verdict);
    EQ(confidence);
    EQ(difficulty);
    EQ(self_rate);
    EQ(flags);
    EQ(n_evidence);
    EQ(devices);
    EQ(work_method);
    EQ(hash_values);
    EQ(other_method);
    EQ(other_rate);
    EQ(other_low);
    EQ(other_high);
    EQ(block_ms);
    EQ(early_shares);
#undef EQ
    assert_true(lamp_addr_eq(&a->client_addr, &b->client_addr));
    assert_true(lamp_addr_eq(&a->server_addr, &b->server_addr));
#define EQ(member) assert_true(same(a->member, b->member))
    EQ(family);
    EQ(coin);
    EQ(algorithm);
    EQ(wallet);
    EQ(worker);
    EQ(agent);
    EQ(pool);
    EQ(server_name);
    EQ(sni);
    EQ(ja4);
    EQ(hash_unit);
    EQ(tunnel_kind);
    EQ(tunnel_host);
    EQ(platform);
    assert_int_equal(a->tunnel_port, b->tunnel_port);
    for (size_t i = 0; i < a->n_evidence; i++) {
        EQ(evidence[i].kind);
        EQ(evidence[i].detail);
        EQ(evidence[i].field);
        EQ(evidence[i].strength);
        EQ(evidence[i].refute);
        assert_int_equal(a->evidence[i].t_us, b->evidence[i].t_us);
        assert_int_equal(a->evidence[i].side, b->evidence[i].side);
    }
#undef EQ
}

static void test_round_trip(void **state)
{
    (void)state;
    struct lamp_batch b = sample(), *got = NULL;
    uint8_t *packed = NULL, *again = NULL;
    size_t len = 0, again_len = 0;
    pack(&b, &packed, &len);
    uint8_t *copy = guarded_dup(packed, len);
    assert_int_equal(lamp_batch_unpack((struct lamp_bytes){ copy, len }, &got), LAMP_OK);
    guarded_free(copy); /* the batch must own all it shows */

    assert_memory_equal(got->cap_run, b.cap_run, sizeof(b.cap_run));
    assert_int_equal(got->mono_to_us, INT64_MAX);
    assert_memory_equal(&got->counters, &b.counters, sizeof(b.counters));
    assert_int_equal(got->n_conns, b.n_conns);
    for (size_t i = 0; i < b.n_conns; i++)
        assert_conn_equal(&got->conns[i], &b.conns[i]);
    assert_int_equal(got->n_rollups, 2);
    assert_int_equal(got->rollups[0].minute, 28333333);
    assert_int_equal(got->rollups[0].ip_proto, 255);
    assert_int_equal(got->rollups[0].packets_in, 6);
    assert_true(lamp_bytes_eq(got->rollups[0].application, "dns"));
    assert_true(lamp_bytes_eq(got->rollups[0].remote_name, "BTC"));
    assert_int_equal(got->rollups[1].minute, 0);
    assert_int_equal(got->n_names, 1);
    assert_int_equal(got->names[0].seen_us, 999);
    assert_true(lamp_bytes_eq(got->names[0].name, "pool.example"));
    assert_int_equal(got->n_tracks, b.n_tracks);
    assert_memory_equal(got->tracks, b.tracks, b.n_tracks * sizeof(*b.tracks));

    pack(got, &again, &again_len);
    assert_int_equal(again_len, len);
    assert_memory_equal(again, packed, len);
    lamp_batch_free(got);
    free(packed);
    free(again);
}

static void test_small_things(void **state)
{
    (void)state;
    struct lamp_batch b = { .t_from_us = 5 }, *got = NULL;
    uint8_t *packed = NULL;
    size_t len = 0;
    pack(&b, &packed, &len); /* nothing at all */
    assert_int_equal(lamp_batch_unpack((struct lamp_bytes){ packed, len }, &got), LAMP_OK);
    assert_int_equal(got->n_conns + got->n_rollups + got->n_names, 0);
    lamp_batch_free(got);
    free(packed);

    struct lamp_conn_row row = { .wallet = text_of(300), .first_us = 5, .last_us = 5 };
    b.conns = &row;
    b.n_conns = 1;
    pack(&b, &packed, &len); /* a string too long is cut, absent columns read as zero */
    assert_int_equal(lamp_batch_unpack((struct lamp_bytes){ packed, len }, &got), LAMP_OK);
    assert_int_equal(got->conns[0].wallet.len, LAMP_WIRE_STRING_MAX);
    assert_int_equal(got->conns[0].first_us, 5);
    assert_int_equal(got->conns[0].verdict, LAMP_VERDICT_NONE);
    lamp_batch_free(got);
    free(packed);
    assert_null(lamp_batch_free(NULL));
}

/* The largest batch that the maxima allow fits the budget; one string more does not. */
static void test_maxima(void **state)
{
    (void)state;
    enum { TEXT = 4 };
    static char texts[LAMP_WIRE_STRINGS_MAX + 1][TEXT + 1];
    static struct lamp_evidence evidence[LAMP_WIRE_EVIDENCE_MAX];
    struct lamp_conn_row *conns = calloc(LAMP_WIRE_CONN_ROWS_MAX + 1, sizeof(*conns));
    struct lamp_rollup_row *rollups = calloc(LAMP_WIRE_ROLLUP_ROWS_MAX + 1, sizeof(*rollups));
    struct lamp_name_row *names = calloc(LAMP_WIRE_NAME_ROWS_MAX + 1, sizeof(*names));
    assert_true(conns && rollups && names);
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(snprintf(texts[i], sizeof(texts[i]), "%04x", i), TEXT);
    for (unsigned i = 0; i < LAMP_WIRE_CONN_ROWS_MAX; i++) {
        conns[i].wallet = lamp_bytes_of(texts[i]);
        conns[i].worker = lamp_bytes_of(texts[i + LAMP_WIRE_CONN_ROWS_MAX]);
        conns[i].evidence = evidence;
        conns[i].n_evidence = LAMP_WIRE_EVIDENCE_MAX;
        conns[i].bytes_up = i;
        conns[i].first_us = i;
        conns[i].conn_id = i;
    }
    for (unsigned i = 0; i < LAMP_WIRE_ROLLUP_ROWS_MAX; i++)
        rollups[i].application = lamp_bytes_of(texts[i + LAMP_WIRE_ROLLUP_ROWS_MAX]);
    struct lamp_batch b = { .conns = conns,
                            .n_conns = LAMP_WIRE_CONN_ROWS_MAX,
                            .rollups = rollups,
                            .n_rollups = LAMP_WIRE_ROLLUP_ROWS_MAX,
                            .names = names,
                            .n_names = LAMP_WIRE_NAME_ROWS_MAX },
                      *got = NULL;
    uint8_t *packed = NULL;
    size_t len = 0;
    pack(&b, &packed, &len);
    assert_int_equal(lamp_batch_unpack((struct lamp_bytes){ packed, len }, &got), LAMP_OK);
    assert_int_equal(got->n_conns, LAMP_WIRE_CONN_ROWS_MAX);
    assert_true(lamp_bytes_eq(got->rollups[LAMP_WIRE_ROLLUP_ROWS_MAX - 1].application, "1fff"));
    lamp_batch_free(got);
    free(packed);
    packed = NULL;

    names[0].name = lamp_bytes_of(texts[LAMP_WIRE_STRINGS_MAX]);
    assert_int_equal(lamp_batch_pack(&b, &packed, &len), LAMP_EFULL);
    names[0].name.len = 0;
    b.n_conns++;
    assert_int_equal(lamp_batch_pack(&b, &packed, &len), LAMP_EFULL);
    b.n_conns = 1;
    b.n_rollups++;
    assert_int_equal(lamp_batch_pack(&b, &packed, &len), LAMP_EFULL);
    b.n_rollups = 1;
    b.n_names++;
    assert_int_equal(lamp_batch_pack(&b, &packed, &len), LAMP_EFULL);
    b.n_names = 1;
    conns[0].n_evidence++;
    assert_int_equal(lamp_batch_pack(&b, &packed, &len), LAMP_EFULL);
    assert_null(packed);
    free(conns);
    free(rollups);
    free(names);
}

static void test_pack_refuses_values(void **state)
{
    (void)state;
    const struct lamp_conn_row wrong[] = {
        { .difficulty = NAN },
        { .work_hashes = INFINITY },
        { .self_rate = -1.0 },
        { .confidence = 10001 },
        { .verdict = (enum lamp_verdict)5 },
        { .first_us = UINT64_MAX },
        { .bytes_up = LAMP_WIRE_COUNT_MAX + 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct lamp_conn_row row = wrong[i];
        struct lamp_batch b = { .conns = &row, .n_conns = 1 };
        uint8_t *out = NULL;
        size_t len;
        if (lamp_batch_pack(&b, &out, &len) != LAMP_EINVAL)
            fail_msg("row %zu was packed", i);
        assert_null(out);
    }
}

/* ---- hostile batches, made with the generated code ---- */

static int unpack_pb(const Davylamp__V1__Batch *pb)
{
    size_t len = davylamp__v1__batch__get_packed_size(pb);
    uint8_t *data = malloc(len + 1);
    assert_non_null(data);
    davylamp__v1__batch__pack(pb, data);
    struct lamp_batch *b = NULL;
    int rc = lamp_batch_unpack((struct lamp_bytes){ data, len }, &b);
    assert_true((rc == 0) == (b != NULL));
    lamp_batch_free(b);
    free(data);
    return rc;
}

static void test_unpack_refuses_columns(void **state)
{
    (void)state;
    static uint32_t u32[3] = { 1, 1, 1 };
    static uint64_t u64[3];
    static int64_t times[3] = { 0, 0, 0 };
    static double reals[3];
    static uint8_t bytes[49];
    static char text[LAMP_WIRE_STRING_MAX + 1];
    ProtobufCBinaryData strings[] = { { 1, (uint8_t *)text } };
    Davylamp__V1__ConnectionRows rows = DAVYLAMP__V1__CONNECTION_ROWS__INIT;
    Davylamp__V1__Batch b = DAVYLAMP__V1__BATCH__INIT;
    b.cap_run = (ProtobufCBinaryData){ 16, bytes };
    b.t_from_us = 100;
    b.connections = &rows;
    b.strings = strings;
    b.n_strings = 1;
    rows.n = 3;
    assert_int_equal(unpack_pb(&b), LAMP_OK);

#define REFUSED(change, undo, want)                                                                \
    do {                                                                                           \
        change;                                                                                    \
        assert_int_equal(unpack_pb(&b), (want));                                                   \
        undo;                                                                                      \
        assert_int_equal(unpack_pb(&b), LAMP_OK);                                                  \
    } while (0)

    rows.conn_id = u64;
    rows.client_port = u32;
    rows.first_us = times;
    rows.difficulty = reals;
    rows.wallet = u32;
    rows.bytes_up = u64;
    rows.evidence_count = u32;
    rows.evidence_kind = u32;
    rows.evidence_detail = u32;
    rows.client_addr.data = bytes;
    rows.verdict = u32;
    rows.confidence = u32;

    REFUSED(rows.n_conn_id = 2, rows.n_conn_id = 3, LAMP_EFORMAT);
    REFUSED(rows.n_client_port = 1, rows.n_client_port = 3, LAMP_EFORMAT);
    REFUSED(rows.client_addr.len = 47, rows.client_addr.len = 48, LAMP_EFORMAT);
    REFUSED(rows.client_addr.len = 49, rows.client_addr.len = 0, LAMP_EFORMAT);
    REFUSED(rows.client_addr.len = 32, rows.client_addr.len = 48, LAMP_EFORMAT);
    REFUSED(u32[1] = 65536, u32[1] = 1, LAMP_EFORMAT); /* port */
    rows.n_client_port = 0;
    rows.n_wallet = 3;
    REFUSED(u32[2] = 2, u32[2] = 1, LAMP_EFORMAT); /* string index */
    rows.n_wallet = 0;
    rows.n_verdict = 3;
    REFUSED(u32[2] = 5, u32[2] = 1, LAMP_EFORMAT);
    rows.n_verdict = 0;
    rows.n_confidence = 3;
    REFUSED(u32[2] = 10001, u32[2] = 1, LAMP_EFORMAT);
    rows.n_confidence = 0;
    rows.n_first_us = 3;
    REFUSED(times[0] = -101, times[0] = -100, LAMP_EFORMAT); /* before 1970 */
    REFUSED(times[0] = INT64_MAX, times[0] = INT64_MAX - 100, LAMP_EFORMAT);
    rows.n_difficulty = 3;
    REFUSED(reals[0] = NAN, reals[0] = 0, LAMP_EFORMAT);
    REFUSED(reals[1] = INFINITY, reals[1] = 0, LAMP_EFORMAT);
    REFUSED(reals[2] = -1e-9, reals[2] = 1e9, LAMP_EFORMAT);
    rows.n_bytes_up = 3;
    REFUSED(u64[0] = LAMP_WIRE_COUNT_MAX + 1, u64[0] = 0, LAMP_EFORMAT);
    REFUSED((rows.n_evidence_count = 3, rows.n_evidence_kind = 3, rows.n_evidence_detail = 2),
            rows.n_evidence_detail = 3, LAMP_EFORMAT);
    REFUSED(rows.n_evidence_count = 2, rows.n_evidence_count = 3, LAMP_EFORMAT);
    REFUSED(rows.n_evidence_count = 0, rows.n_evidence_kind = rows.n_evidence_detail = 0,
            LAMP_EFORMAT);
    rows.n_evidence_count = 3;
    rows.n_evidence_kind = rows.n_evidence_detail = 3;
    REFUSED(u32[0] = 17, u32[0] = 1, LAMP_EFULL); /* pairs of one row */
    rows.evidence_side = u32;
    REFUSED(rows.n_evidence_side = 2, rows.n_evidence_side = 0, LAMP_EFORMAT);
    rows.n_evidence_side = 3;
    rows.n_evidence_kind = rows.n_evidence_detail = 0; /* zeros may be left out */
    u32[0] = u32[1] = 1;
    REFUSED(u32[2] = 3, u32[2] = 1, LAMP_EFORMAT); /* no side of that number */
    rows.evidence_t_us = times;
    rows.n_evidence_t_us = 3;
    REFUSED(times[2] = INT64_MAX, times[2] = 0, LAMP_EFORMAT);
    rows.n_evidence_side = rows.n_evidence_t_us = 0;
    rows.n_evidence_count = 0;

    REFUSED(b.cap_run.len = 15, b.cap_run.len = 16, LAMP_EFORMAT);
    REFUSED(b.t_from_us = UINT64_MAX, b.t_from_us = 100, LAMP_EFORMAT);
    REFUSED(strings[0].len = LAMP_WIRE_STRING_MAX + 1, strings[0].len = 0, LAMP_EFULL);
#undef REFUSED
}

static void test_unpack_refuses_counts(void **state)
{
    (void)state;
    static uint8_t bytes[16];
    static ProtobufCBinaryData strings[LAMP_WIRE_STRINGS_MAX + 1];
    static uint64_t decode[LAMP_WIRE_DECODE_MAX + 1];
    Davylamp__V1__Batch b = DAVYLAMP__V1__BATCH__INIT;
    b.cap_run = (ProtobufCBinaryData){ 16, bytes };

    /* A row count costs the sender two bytes: it is bounded before rows are made of it. */
    Davylamp__V1__ConnectionRows conns = DAVYLAMP__V1__CONNECTION_ROWS__INIT;
    Davylamp__V1__RollupRows rollups = DAVYLAMP__V1__ROLLUP_ROWS__INIT;
    Davylamp__V1__NameRows names = DAVYLAMP__V1__NAME_ROWS__INIT;
    Davylamp__V1__TrackRows tracks = DAVYLAMP__V1__TRACK_ROWS__INIT;
    tracks.n = LAMP_WIRE_TRACK_ROWS_MAX;
    b.tracks = &tracks;
    conns.n = LAMP_WIRE_CONN_ROWS_MAX;
    rollups.n = LAMP_WIRE_ROLLUP_ROWS_MAX;
    names.n = LAMP_WIRE_NAME_ROWS_MAX;
    b.connections = &conns;
    b.rollups = &rollups;
    b.names = &names;
    assert_int_equal(unpack_pb(&b), LAMP_OK);
    conns.n = UINT32_MAX;
    assert_int_equal(unpack_pb(&b), LAMP_EFULL);
    conns.n = 0;
    rollups.n++;
    assert_int_equal(unpack_pb(&b), LAMP_EFULL);
    rollups.n = 0;
    names.n++;
    assert_int_equal(unpack_pb(&b), LAMP_EFULL);
    names.n = 0;
    tracks.n++;
    assert_int_equal(unpack_pb(&b), LAMP_EFULL);
    tracks.n = 0;

    b.strings = strings;
    b.n_strings = LAMP_WIRE_STRINGS_MAX;
    assert_int_equal(unpack_pb(&b), LAMP_OK);
    b.n_strings++;
    assert_int_equal(unpack_pb(&b), LAMP_EFULL);
    b.n_strings = 0;

    Davylamp__V1__SensorCounters counters = DAVYLAMP__V1__SENSOR_COUNTERS__INIT;
    b.counters = &counters;
    counters.decode = decode;
    counters.n_decode = LAMP_WIRE_DECODE_MAX;
    assert_int_equal(unpack_pb(&b), LAMP_OK);
    counters.n_decode++;
    assert_int_equal(unpack_pb(&b), LAMP_EFULL);
}

static void test_truncated_and_flipped(void **state)
{
    (void)state;
    struct lamp_batch b = sample(), *got = NULL;
    uint8_t *packed = NULL;
    size_t len = 0;
    uint64_t random = 7;
    pack(&b, &packed, &len);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = guarded_dup(packed, cut);
        if (lamp_batch_unpack((struct lamp_bytes){ copy, cut }, &got) == LAMP_OK)
            lamp_batch_free(got); /* cut between two fields */
        guarded_free(copy);
    }
    for (int round = 0; round < 20000; round++) {
        uint8_t *copy = guarded_dup(packed, len);
        for (int flips = 0; flips <= round % 3; flips++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            copy[(random >> 33) % len] ^= (uint8_t)(1u << (random >> 61));
        }
        if (lamp_batch_unpack((struct lamp_bytes){ copy, len }, &got) == LAMP_OK) {
            uint8_t *again = NULL;
            size_t again_len;
            assert_int_equal(lamp_batch_pack(got, &again, &again_len), LAMP_OK);
            free(again);
            lamp_batch_free(got);
        }
        guarded_free(copy);
    }
    free(packed);
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    struct lamp_batch b = sample();
    uint8_t *packed = NULL;
    size_t len = 0, budget = 0;
    pack(&b, &packed, &len);
    for (;; budget += 16) {
        struct lamp_batch *got = NULL;
        int rc = lamp_batch_unpack_within(budget, (struct lamp_bytes){ packed, len }, &got);
        lamp_batch_free(got);
        if (rc == LAMP_OK)
            break;
        assert_int_equal(rc, LAMP_EFULL);
        assert_null(got);
    }
    assert_true(budget > len && budget < 64 * 1024);
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_small_things),
        cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_pack_refuses_values),
        cmocka_unit_test(test_unpack_refuses_columns),
        cmocka_unit_test(test_unpack_refuses_counts),
        cmocka_unit_test(test_truncated_and_flipped),
        cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
