/* SPDX-License-Identifier: Apache-2.0 */
/* An enrolled sensor that is hostile: what it can make one message cost, from the bytes on the wire to
 * the database, and what it can do to another site. */
#include "tests/support/merging.h"

#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum {
    MESSAGE_MAX = 16 * 1024 * 1024, /* heap that one message may cost */
    STORE_MAX =
        (16 + 2) * 1024 * 1024 /* SQLite's: its page cache, which all messages share, and some */
};

/* ---- counting what the program allocates ---- */

static _Atomic int64_t live, peak;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static void *add(void *p)
{
    const int64_t now =
        atomic_fetch_add(&live, (int64_t)malloc_usable_size(p)) + (int64_t)malloc_usable_size(p);
    if (now > atomic_load(&peak))
        atomic_store(&peak, now);
    return p;
}

static void take_off(void *p)
{
    atomic_fetch_sub(&live, (int64_t)malloc_usable_size(p));
}

void *__wrap_malloc(size_t size)
{
    return add(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return add(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
    const int64_t before = (int64_t)malloc_usable_size(p);
    void *q = __real_realloc(p, size);
    if (q)
        atomic_fetch_sub(&live, before);
    return q ? add(q) : NULL;
}

void __wrap_free(void *p)
{
    take_off(p);
    __real_free(p);
}

/* ---- what is sent ---- */

struct fixture {
    char *folder;
    struct merging g;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    merging_open(&f->g, f->folder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    merging_close(&f->g);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

struct cost {
    int64_t ours, store;
};

/* The whole way of a message from sensor s1, committed. Returns the heap it took at its peak. */
static struct cost cost_of(struct fixture *f, const uint8_t *data, size_t len)
{
    struct lamp_msg *m = NULL;
    const int64_t before = atomic_load(&live);
    atomic_store(&peak, before);
    sqlite3_memory_highwater(1);
    const int64_t store_before = sqlite3_memory_used();
    const int err = lamp_msg_unpack(data, len, &m);
    if (!err) {
        ok(f->g.store, lamp_store_begin(f->g.store));
        ok(f->g.store, merging_take(&f->g, true, m));
        ok(f->g.store, lamp_store_commit(f->g.store));
        lamp_msg_free(m);
    }
    const struct cost cost = { atomic_load(&peak) - before,
                               sqlite3_memory_highwater(0) - store_before };
    lamp_answers_drop(&f->g.answers);
    return cost;
}

static void must_be_cheap(struct fixture *f, const char *what, uint8_t *data, size_t len)
{
    const struct cost cost = cost_of(f, data, len);
    printf("%s: %zu bytes cost %lld KiB, and %lld KiB of SQLite's\n", what, len,
           (long long)(cost.ours / 1024), (long long)(cost.store / 1024));
    if (cost.ours > MESSAGE_MAX || cost.store > STORE_MAX)
        fail_msg("%s: %zu bytes cost %lld", what, len, (long long)cost.ours);
    free(data);
}

static char text[LAMP_WIRE_STRINGS_MAX - 100][64];

static struct lamp_bytes a_text(size_t i)
{
    char *s = text[i % ARRAY_LEN(text)];
    snprintf(s, sizeof(text[0]), "hostile-%zu-and-as-long-as-it-may-be-here", i % ARRAY_LEN(text));
    return lamp_bytes_of(s);
}

/* As many rows of as many kinds as one batch can have. */
static void make_full_batch(uint8_t **out, size_t *out_len)
{
    static struct lamp_conn_row conns[LAMP_WIRE_CONN_ROWS_MAX];
    static struct lamp_rollup_row rollups[LAMP_WIRE_ROLLUP_ROWS_MAX];
    static struct lamp_evidence evidence[LAMP_WIRE_CONN_ROWS_MAX * LAMP_WIRE_EVIDENCE_MAX];
    struct lamp_batch b = test_batch(conns, 0, TEST_NOW_US, TEST_NOW_US + 10000000);
    for (size_t i = 0; i < ARRAY_LEN(rollups); i++)
        rollups[i] = (struct lamp_rollup_row){
            .minute = TEST_NOW_US / 60000000,
            .inside_addr = { { 0xfd, 1, [12] = 1, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i } },
            .ip_proto = 6,
            .application = a_text(i),
            .remote_name = a_text(i * 7),
            .bytes_in = LAMP_WIRE_COUNT_MAX,
            .flows = 1
        };
    for (size_t i = 0; i < ARRAY_LEN(evidence); i++)
        evidence[i] = (struct lamp_evidence){ a_text(i), a_text(i * 3), a_text(i * 5),   a_text(i),
                                              a_text(i), TEST_NOW_US,   LAMP_SIDE_CLIENT };
    for (size_t i = 0; i < ARRAY_LEN(conns); i++) {
        conns[i] = test_row(i + 1, TEST_NOW_US, TEST_NOW_US + 5);
        conns[i].client_addr.b[14] = (uint8_t)(i >> 8);
        conns[i].client_addr.b[15] = (uint8_t)i;
        conns[i].wallet = a_text(i);
        conns[i].worker = a_text(i + 1);
        conns[i].evidence = &evidence[i * LAMP_WIRE_EVIDENCE_MAX];
        conns[i].n_evidence = LAMP_WIRE_EVIDENCE_MAX;
    }
    b.conns = conns;
    b.rollups = rollups;
    /* As much as goes into LAMP_WIRE_BATCH_MAX. */
    for (size_t n = ARRAY_LEN(conns);; n = n * 9 / 10) {
        b.n_conns = n;
        b.n_rollups = lamp_min(2 * n, ARRAY_LEN(rollups));
        const int err = lamp_batch_pack(&b, out, out_len);
        if (err != LAMP_EFULL) {
            assert_int_equal(err, LAMP_OK);
            return;
        }
    }
}

static void test_full_batch(void **state)
{
    struct fixture *f = *state;
    LAMP_AUTO_FREE uint8_t *batch = NULL;
    uint8_t *data;
    size_t batch_len, len;
    make_full_batch(&batch, &batch_len);
    assert_true(batch_len > LAMP_WIRE_BATCH_MAX * 3 / 4);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        const struct lamp_msg m = merging_summary(&(struct lamp_stream_id){ { 1 } }, seq,
                                                  (struct lamp_bytes){ batch, batch_len });
        assert_int_equal(lamp_msg_pack(&m, &data, &len), LAMP_OK);
        must_be_cheap(f, "a full batch", data, len);
    }
}

/* A megabyte of one field over and over: nested messages without content, and fields that no build
 * knows. */
static void test_repeated(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *what;
        uint8_t bytes[8];
        size_t len;
    } cases[] = {
        { "empty HELLOs", { 0x0a, 0 }, 2 },
        { "HELLOs of empty streams", { 0x0a, 2, 0x42, 0 }, 4 },
        { "empty SET_CHUNKs", { 0x9a, 1, 0 }, 3 },
        { "unknown fields", { 0xf8, 0x3f, 1 }, 3 },
        { "unknown bytes", { 0xfa, 0x3f, 0 }, 3 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t *data = malloc(LAMP_WIRE_MSG_MAX);
        assert_non_null(data);
        size_t len = 0;
        for (; len + cases[i].len <= LAMP_WIRE_MSG_MAX; len += cases[i].len)
            memcpy(data + len, cases[i].bytes, cases[i].len);
        must_be_cheap(f, cases[i].what, data, len);
    }
    /* The same within a batch, which is unpacked later, by the writer. */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        LAMP_AUTO_FREE uint8_t *batch = malloc(LAMP_WIRE_BATCH_MAX);
        uint8_t *data;
        size_t len = 0, packed_len;
        assert_non_null(batch);
        for (; len + cases[i].len <= LAMP_WIRE_BATCH_MAX; len += cases[i].len)
            memcpy(batch + len, cases[i].bytes, cases[i].len);
        const struct lamp_msg m = merging_summary(&(struct lamp_stream_id){ { 2 } }, i + 1,
                                                  (struct lamp_bytes){ batch, len });
        assert_int_equal(lamp_msg_pack(&m, &data, &packed_len), LAMP_OK);
        must_be_cheap(f, "a batch of such", data, packed_len);
    }
}

/* The full set of every kind is asked for, and hits are told of blocks that there are not. */
static void test_sets(void **state)
{
    struct fixture *f = *state;
    uint8_t *data;
    size_t len;
    struct lamp_set_hits hits[LAMP_WIRE_HITS_MAX];
    for (size_t i = 0; i < ARRAY_LEN(hits); i++)
        hits[i] = (struct lamp_set_hits){ i + 1, 1, 1 };
    struct lamp_msg m = { .type = LAMP_MSG_SET_STATUS };
    m.u.set_status = (struct lamp_set_status){ .head = { .kind = LAMP_SET_BLOCK, .serial = 1 },
                                               .state = LAMP_SET_CONFIRMED,
                                               .hits = hits,
                                               .n_hits = ARRAY_LEN(hits) };
    assert_int_equal(lamp_msg_pack(&m, &data, &len), LAMP_OK);
    must_be_cheap(f, "hits", data, len);
    m = (struct lamp_msg){ .type = LAMP_MSG_SET_QUERY };
    m.u.set_query.have.kind = LAMP_SET_WATCH;
    assert_int_equal(lamp_msg_pack(&m, &data, &len), LAMP_OK);
    must_be_cheap(f, "a question", data, len);
}

/* A watch list as long as there may be one, with names and texts of a usual length; those before
 * `changed` differ with it. */
static int build_long(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    static char names[LAMP_WIRE_SET_ENTRIES_MAX][64], texts[LAMP_WIRE_SET_ENTRIES_MAX][80];
    static struct lamp_set_entry e[LAMP_WIRE_SET_ENTRIES_MAX];
    const size_t changed = *(const size_t *)arg;
    (void)site, (void)now_us;
    for (size_t i = 0; i < ARRAY_LEN(e); i++) {
        snprintf(names[i], sizeof(names[i]), "server-%zu.of-a-pool-with-a-long-name.example", i);
        snprintf(texts[i], sizeof(texts[i]), "%zu\tsite-of-a-customer\tmonero\tpool number %zu",
                 i < changed ? changed % 100 : 50, i);
        e[i] = (struct lamp_set_entry){ .action = LAMP_SET_ADD,
                                        .port = 3333,
                                        .name = lamp_bytes_of(names[i]),
                                        .text = lamp_bytes_of(texts[i]) };
    }
    return lamp_set_copy(e, lamp_set_canonical(e, ARRAY_LEN(e)), out);
}

/* Questions about such a list: for all of it, and for what changed since some lists before (each step back
 * makes a list of its own, one at a time). */
static void test_long_list(void **state)
{
    struct fixture *f = *state;
    size_t changed = 0;
    const struct lamp_sets_cfg cfg = { .store = f->g.store,
                                       .keys = &f->g.keys,
                                       .ttl_s = 7200,
                                       .sources = { { LAMP_SET_WATCH, false, build_long,
                                                      &changed } },
                                       .n_sources = 1 };
    struct lamp_msg m = { .type = LAMP_MSG_SET_QUERY };
    uint8_t *data;
    size_t len;
    f->g.sets = lamp_sets_close(f->g.sets);
    ok(f->g.store, lamp_store_begin(f->g.store));
    ok(f->g.store, lamp_sets_open(&cfg, TEST_NOW_US, &f->g.sets));
    for (; changed < 8; changed++) {
        lamp_sets_mark(f->g.sets, LAMP_SET_WATCH, "");
        ok(f->g.store, lamp_sets_publish(f->g.sets, TEST_NOW_US, merging_published, NULL));
        if (changed == 0)
            ok(f->g.store, lamp_sets_head(f->g.sets, LAMP_SET_WATCH, "north", &m.u.set_query.have));
    }
    ok(f->g.store, lamp_store_commit(f->g.store));
    f->g.m.sets = f->g.sets;
    assert_int_equal(lamp_msg_pack(&m, &data, &len), LAMP_OK);
    must_be_cheap(f, "a question for what changed of a long list", data, len);
    m.u.set_query.have.serial = 0;
    assert_int_equal(lamp_msg_pack(&m, &data, &len), LAMP_OK);
    must_be_cheap(f, "a question for all of a long list", data, len);
}

/* ---- another's site ---- */

struct seen {
    unsigned miners, others;
};

static bool note_site(const struct lamp_miner_target *t, void *arg)
{
    struct seen *s = arg;
    s->miners += streq(t->site, "south");
    s->others += streq(t->site, "north");
    return true;
}

static void take(struct fixture *f, bool first, struct lamp_msg m)
{
    ok(f->g.store, lamp_store_begin(f->g.store));
    ok(f->g.store, merging_take(&f->g, first, &m));
    ok(f->g.store, lamp_store_commit(f->g.store));
    lamp_answers_drop(&f->g.answers);
}

/* s1 names the stream of s2 in everything that names one: what s2 has stays as it is, and what s1 says
 * is of its own site. */
static void test_other_site(void **state)
{
    struct fixture *f = *state;
    const struct lamp_stream_id theirs = { { 3 } };
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 5);
    const struct lamp_batch b = test_batch(&row, 1, TEST_NOW_US, TEST_NOW_US + 10000000);
    LAMP_AUTO_FREE uint8_t *batch = NULL;
    size_t len;
    assert_int_equal(lamp_batch_pack(&b, &batch, &len), LAMP_OK);
    const struct lamp_bytes packed = { batch, len };
    take(f, false, merging_summary(&theirs, 1, packed));

    struct lamp_store_sensor s2;
    struct lamp_store_stream before, after;
    struct seen seen = { 0 };
    ok(f->g.store, lamp_store_sensor(f->g.store, "s2", &s2));
    ok(f->g.store, lamp_store_stream(f->g.store, s2.ref, &theirs, &before));
    struct lamp_stream_state state_of = { theirs, 1, 9, 0 };
    struct lamp_msg hello = { .type = LAMP_MSG_HELLO };
    hello.u.hello = (struct lamp_hello){ .proto_min = 1,
                                         .proto_max = 1,
                                         .streams = &state_of,
                                         .n_streams = 1,
                                         .current_stream = theirs };
    take(f, true, hello);
    take(f, true, merging_summary(&theirs, 2, packed)); /* the next that s2 will send */
    take(f, true, merging_summary(&theirs, 1, packed));
    take(f, true,
         (struct lamp_msg){ .type = LAMP_MSG_LOSS,
                            .u.loss = { .stream = theirs, .from_seq = 1, .to_seq = 1000 } });
    take(f, true,
         (struct lamp_msg){ .type = LAMP_MSG_CLOSE,
                            .u.close = { .stream = theirs, .last_seq = 1 } });
    ok(f->g.store, lamp_store_stream(f->g.store, s2.ref, &theirs, &after));
    assert_int_equal(after.next_seq, before.next_seq);
    assert_int_equal(after.ref, before.ref);
    assert_false(after.closed);
    ok(f->g.store, lamp_store_miner_targets(f->g.store, 0, note_site, &seen));
    assert_int_equal(seen.miners, 1);
    assert_int_equal(seen.others, 1);
    take(f, false, merging_summary(&theirs, 2, packed)); /* and s2 goes on */
    ok(f->g.store, lamp_store_stream(f->g.store, s2.ref, &theirs, &after));
    assert_int_equal(after.next_seq, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_site, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
