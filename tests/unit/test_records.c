/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/tls/records.h"
#include "tests/support/test.h"

enum { MOST = 16 };

struct seen {
    uint16_t length[MOST];
    size_t n, body;
};

static void take(struct lamp_records *r, const uint8_t *p, size_t len, struct seen *s)
{
    uint8_t *copy = guarded_dup(p, len);
    struct lamp_bytes bytes = { copy, len };
    struct lamp_record rec;
    while (lamp_records_next(r, &bytes, &rec)) {
        if (rec.begins && s->n < MOST)
            s->length[s->n++] = rec.length;
        s->body += rec.piece.len;
    }
    assert_int_equal(bytes.len, 0);
    guarded_free(copy);
}

/* Three records; where they begin is known. */
static const uint8_t stream[] = { 22, 3,  1, 0, 3, 1, 2, 3, 20, 3, 3, 0, 1,
                                  1,  23, 3, 3, 0, 6, 9, 9, 9,  9, 9, 9 };

static void test_split_anywhere(void **state)
{
    (void)state;
    for (size_t a = 0; a <= sizeof(stream); a++)
        for (size_t b = a; b <= sizeof(stream); b++) {
            struct lamp_records r = { 0 };
            struct seen s = { 0 };
            take(&r, stream, a, &s);
            take(&r, stream + a, b - a, &s);
            take(&r, stream + b, sizeof(stream) - b, &s);
            assert_int_equal(s.n, 3);
            assert_int_equal(s.length[0] + 10 * s.length[1] + 100 * s.length[2], 613);
            assert_int_equal(s.body, 10);
            assert_false(r.broken);
        }
}

/* Bytes a to b are missing: inside a record that does no harm, else the record is missed and the
 * next piece that begins like one is the new start. */
static void test_gaps(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        size_t from, to, records;
    } cases[] = {
        { "inside the first body", 6, 7, 3 },     { "the end of the first body", 6, 8, 3 },
        { "a whole record", 8, 14, 2 },           { "a header's middle", 10, 14, 2 },
        { "a body and half a header", 7, 11, 1 }, { "the last header", 14, 19, 2 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_records r = { 0 };
        struct seen s = { 0 };
        take(&r, stream, cases[i].from, &s);
        lamp_records_gap(&r, (uint32_t)(cases[i].to - cases[i].from));
        take(&r, stream + cases[i].to, sizeof(stream) - cases[i].to, &s);
        if (s.n != cases[i].records || r.broken)
            fail_msg("%s: %zu records, broken %d", cases[i].label, s.n, r.broken);
        /* and the next record is found in any case */
        const size_t before = s.n;
        take(&r, stream, 8, &s);
        assert_int_equal(s.n, before + 1);
    }
}

static void test_no_records(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        const char *bytes;
        size_t len;
    } cases[] = {
        { "text", "{\"id\":1}", 8 },
        { "type", "\x18\x03\x03\0\x05", 5 },
        { "version", "\x17\x02\x03\0\x05", 5 },
        { "empty", "\x17\x03\x03\0\0", 5 },
        { "too long", "\x17\x03\x03\x50\0", 5 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_records r = { 0 };
        struct seen s = { 0 };
        take(&r, (const uint8_t *)cases[i].bytes, cases[i].len, &s);
        if (!r.broken || s.n)
            fail_msg("%s", cases[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_anywhere),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_no_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
