/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/engine/reasm.h"

/* What a stream delivered: its bytes, with a '|' wherever a gap was told. */
struct sink {
    char text[1 << 16];
    size_t len;
    unsigned stop_after; /* deliveries after which it wants no more; 0: never */
};

static bool collect(struct lamp_bytes bytes, bool gap, void *arg)
{
    struct sink *s = arg;
    assert_true(bytes.len > 0);
    assert_true(s->len + bytes.len + 2 < sizeof(s->text));
    if (gap)
        s->text[s->len++] = '|';
    memcpy(s->text + s->len, bytes.data, bytes.len);
    s->len += bytes.len;
    s->text[s->len] = '\0';
    return s->stop_after == 0 || --s->stop_after > 0;
}

struct step {
    uint32_t seq;
    const char *bytes;
    uint32_t orig_len; /* 0: all of it was captured */
    uint32_t at_ms;
};

#define SEG(n, text)                                                                               \
    {                                                                                              \
        .seq = (n), .bytes = (text)                                                                \
    }
#define CUT(n, text, sent)                                                                         \
    {                                                                                              \
        .seq = (n), .bytes = (text), .orig_len = (sent)                                            \
    }
#define AT(n, text, ms)                                                                            \
    {                                                                                              \
        .seq = (n), .bytes = (text), .at_ms = (ms)                                                 \
    }

static const struct {
    const char *label, *want;
    struct step steps[10];
} cases[] = {
    { "in order", "abcdef", { SEG(0, "abc"), SEG(3, "def") } },
    { "swapped", "abcdef", { SEG(0, "ab"), SEG(4, "ef"), SEG(2, "cd") } },
    { "backwards", "abcdefgh", { SEG(0, "ab"), SEG(6, "gh"), SEG(4, "ef"), SEG(2, "cd") } },
    { "repeated", "abcdef", { SEG(0, "abc"), SEG(0, "abc"), SEG(3, "def"), SEG(0, "abcdef") } },
    { "repeated and more", "abcdef", { SEG(0, "abc"), SEG(1, "bcdef") } },
    { "keep-alive", "abcdef", { SEG(0, "abc"), SEG(2, "c"), SEG(3, "def") } },
    { "early one twice", "abcdef", { SEG(0, "ab"), SEG(4, "ef"), SEG(4, "ef"), SEG(2, "cd") } },
    { "first copy wins", "abcdefg", { SEG(0, "ab"), SEG(4, "ef"), SEG(3, "dXYg"), SEG(2, "c") } },
    { "overlap bridges two",
      "abcdefghi",
      { SEG(0, "a"), SEG(3, "d"), SEG(6, "g"), SEG(2, "cXefXhi"), SEG(1, "b") } },
    { "overlap behind", "abcdef", { SEG(0, "ab"), SEG(3, "de"), SEG(4, "Xf"), SEG(2, "c") } },
    { "fills past the early one", "abcdefgh", { SEG(0, "ab"), SEG(3, "d"), SEG(2, "cXefgh") } },
    { "gap given up in time",
      "ab|efgh|kl",
      { SEG(0, "ab"), SEG(4, "ef"), AT(6, "gh", 2100), AT(10, "kl", 2200) } },
    { "each gap has its time",
      "ab|ef|ijkl",
      { SEG(0, "ab"), SEG(4, "ef"), AT(8, "ij", 2100), AT(10, "kl", 4200) } },
    { "clock stepped back", "ab|efgh", { AT(0, "ab", 9000), AT(4, "ef", 9000), AT(6, "gh", 10) } },
    { "cut by the snapshot length", "ab|efgh", { CUT(0, "ab", 4), SEG(4, "ef"), SEG(6, "gh") } },
    { "cut before an early one", "ab|gh", { CUT(0, "ab", 6), SEG(6, "gh") } },
    { "payload not captured at all", "|ef", { CUT(0, "", 4), SEG(4, "ef") } },
    { "strays",
      "abcdef",
      { SEG(0, "abc"), SEG(0x40000000, "X"), SEG(0x90000000, "X"), SEG(3, "def") } },
    { "moved for good",
      "abc|ZZ",
      { SEG(0, "abc"), SEG(0x40000000, "X"), SEG(0x40000001, "X"), SEG(0x40000002, "X"),
        SEG(0x40000003, "ZZ") } },
};

static lamp_reasm *new_reasm(size_t memory)
{
    lamp_reasm *r;
    assert_int_equal(lamp_reasm_new(memory, &r), LAMP_OK);
    return r;
}

static void feed(lamp_reasm *r, struct lamp_stream *s, struct sink *sink, const struct step *step,
                 uint32_t base)
{
    size_t len = strlen(step->bytes);
    uint8_t *copy = guarded_dup(step->bytes, len);
    struct lamp_segment seg = {
        .seq = base + step->seq,
        .payload = { copy, len },
        .orig_len = step->orig_len ? step->orig_len : (uint32_t)len,
        .t_us = 1000000 + (uint64_t)step->at_ms * 1000,
    };
    lamp_reasm_segment(r, s, &seg, collect, sink);
    guarded_free(copy);
}

/* Every case from several starting numbers, so that each also runs across the wrap. */
static void test_order(void **state)
{
    (void)state;
    static const uint32_t bases[] = { 0, 5000, UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 4 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t b = 0; b < ARRAY_LEN(bases); b++) {
            lamp_reasm *r = new_reasm(1 << 20);
            static struct sink sink;
            struct lamp_stream s;
            sink.len = 0;
            lamp_stream_init(&s);
            for (size_t n = 0; n < ARRAY_LEN(cases[i].steps) && cases[i].steps[n].bytes; n++)
                feed(r, &s, &sink, &cases[i].steps[n], bases[b]);
            lamp_reasm_flush(r, &s, collect, &sink);
            if (strcmp(sink.text, cases[i].want) != 0)
                fail_msg("%s from %u: got %s, want %s", cases[i].label, bases[b], sink.text,
                         cases[i].want);
            lamp_stream_done(r, &s);
            lamp_reasm_free(r);
        }
    }
}

static void test_expected_start(void **state)
{
    (void)state;
    lamp_reasm *r = new_reasm(1 << 20);
    struct sink *sink = calloc(1, sizeof(*sink));
    struct lamp_stream s;
    lamp_stream_init(&s);
    lamp_stream_start(&s, 100);
    feed(r, &s, sink, &(struct step)SEG(103, "def"), 0);
    assert_int_equal(sink->len, 0);
    feed(r, &s, sink, &(struct step)SEG(100, "abc"), 0);
    assert_string_equal(sink->text, "abcdef");
    free(sink);
    lamp_reasm_free(r);
}

/* A hole that never fills: no more than the stream's blocks wait, then it is given up. */
static void test_stream_cap(void **state)
{
    (void)state;
    lamp_reasm *r = new_reasm(1 << 20);
    struct sink *sink = calloc(1, sizeof(*sink));
    struct lamp_stream s;
    lamp_stream_init(&s);
    feed(r, &s, sink, &(struct step)SEG(0, "a"), 0);
    for (uint32_t i = 0; i < LAMP_REASM_STREAM_BLOCKS; i++)
        feed(r, &s, sink, &(struct step)SEG(10 + i, "b"), 0);
    assert_int_equal(s.n_blocks, LAMP_REASM_STREAM_BLOCKS);
    assert_string_equal(sink->text, "a");
    feed(r, &s, sink, &(struct step)SEG(10 + LAMP_REASM_STREAM_BLOCKS, "c"), 0);
    assert_int_equal(s.n_blocks, 0);
    assert_string_equal(sink->text, "a|bbbbbbbbbbbbc");
    assert_int_equal(lamp_reasm_counters(r).gaps, 1);
    assert_int_equal(lamp_reasm_counters(r).dropped_bytes, 0);
    free(sink);
    lamp_reasm_free(r);
}

/* One huge early segment and a store of two blocks: what does not fit is counted. */
static void test_store_cap(void **state)
{
    (void)state;
    lamp_reasm *r = new_reasm(2 * (LAMP_REASM_BLOCK_BYTES + 16));
    static struct sink sink;
    static char big[4001];
    memset(big, 'x', sizeof(big) - 1);
    struct lamp_stream s, other;
    lamp_stream_init(&s);
    lamp_stream_init(&other);
    feed(r, &s, &sink, &(struct step)SEG(0, "a"), 0);
    feed(r, &s, &sink, &(struct step)SEG(2, big), 0);
    assert_int_equal(s.n_blocks, 2);
    assert_int_equal(lamp_reasm_counters(r).dropped_bytes, 4000 - 2 * LAMP_REASM_BLOCK_BYTES);
    feed(r, &other, &sink, &(struct step)SEG(0, "o"), 0);
    feed(r, &other, &sink, &(struct step)SEG(5, "lost"), 0);
    assert_int_equal(other.n_blocks, 0);

    lamp_stream_done(r, &s); /* gives the blocks back */
    lamp_stream_start(&s, 0);
    feed(r, &s, &sink, &(struct step)SEG(1, "bc"), 0);
    assert_int_equal(s.n_blocks, 1);
    lamp_reasm_free(r);
}

static void test_stops(void **state)
{
    (void)state;
    lamp_reasm *r = new_reasm(1 << 20);
    struct sink *sink = calloc(1, sizeof(*sink));
    sink->stop_after = 1;
    struct lamp_stream s;
    lamp_stream_init(&s);
    lamp_stream_start(&s, 0);
    feed(r, &s, sink, &(struct step)SEG(2, "cd"), 0);
    feed(r, &s, sink, &(struct step)SEG(0, "ab"), 0);
    assert_string_equal(sink->text, "ab");
    lamp_stream_done(r, &s);
    free(sink);
    lamp_reasm_free(r);
}

/* The first copy wins; that there was another is counted. */
static void test_conflicts(void **state)
{
    (void)state;
    static const struct {
        const char *label, *want;
        struct step steps[4];
        unsigned conflicts;
    } conflict_cases[] = {
        { "same again", "abcdef", { SEG(0, "abc"), SEG(0, "abc"), SEG(3, "def") }, 0 },
        { "other bytes", "abcdef", { SEG(0, "abc"), SEG(0, "aXc"), SEG(3, "def") }, 1 },
        { "other and more", "abcdef", { SEG(0, "abc"), SEG(1, "Xcdef") }, 1 },
        { "same and more", "abcdef", { SEG(0, "abc"), SEG(1, "bcdef") }, 0 },
        { "before an early one", "abcdef", { SEG(0, "a"), SEG(3, "de"), SEG(1, "bcXXf") }, 1 },
        { "early twice", "abcdef", { SEG(0, "a"), SEG(3, "def"), SEG(3, "dXf"), SEG(1, "bc") }, 1 },
        { "early again", "abcdef", { SEG(0, "a"), SEG(3, "def"), SEG(4, "ef"), SEG(1, "bc") }, 0 },
        { "before the start", "def", { SEG(3, "def"), SEG(0, "abcdef") }, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(conflict_cases); i++) {
        lamp_reasm *r = new_reasm(1 << 20);
        static struct sink sink;
        struct lamp_stream s;
        sink.len = 0;
        lamp_stream_init(&s);
        for (size_t n = 0; n < 4 && conflict_cases[i].steps[n].bytes; n++)
            feed(r, &s, &sink, &conflict_cases[i].steps[n], UINT32_MAX - 2);
        assert_string_equal(sink.text, conflict_cases[i].want);
        if (lamp_reasm_counters(r).conflicts != conflict_cases[i].conflicts)
            fail_msg("%s", conflict_cases[i].label);
        lamp_stream_done(r, &s);
        lamp_reasm_free(r);
    }
}

static void test_limits(void **state)
{
    (void)state;
    lamp_reasm *r = NULL;
    assert_int_equal(lamp_reasm_new(100, &r), LAMP_EINVAL);
    assert_null(r);
    assert_null(lamp_reasm_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),      cmocka_unit_test(test_expected_start),
        cmocka_unit_test(test_stream_cap), cmocka_unit_test(test_store_cap),
        cmocka_unit_test(test_stops),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_conflicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
