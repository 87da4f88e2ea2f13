/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"
#include "tests/support/test.h"

#include <sodium.h>

static struct lamp_set_entry entry(const char *prefix, uint16_t port)
{
    struct lamp_set_entry e = { .port = port, .ttl_s = 60 };
    if (lamp_prefix_parse(prefix, &e.prefix) != LAMP_OK)
        fail_msg("bad prefix %s", prefix);
    return e;
}

static struct lamp_set_entry named(const char *name)
{
    return (struct lamp_set_entry){ .name = lamp_bytes_of(name) };
}

static int digest(const struct lamp_set_entry *e, size_t n, uint8_t out[LAMP_WIRE_DIGEST_LEN])
{
    return lamp_set_digest(e, n, out);
}

static void test_order(void **state)
{
    (void)state;
    struct lamp_set_entry inside = entry("0.0.0.0", 0), tcp = entry("192.0.2.1", 80);
    inside.inside = true;
    tcp.ip_proto = 6;
    const struct lamp_set_entry ordered[] = {
        named("a.example"),
        named("a.example2"),
        named("b"),
        entry("192.0.2.0/24", 0),
        entry("192.0.2.0", 0),
        entry("192.0.2.1", 0),
        entry("192.0.2.1", 80),
        tcp,
        entry("192.0.2.1", 443),
        entry("2001:db8::/32", 0),
        inside,
    };
    for (size_t i = 0; i < ARRAY_LEN(ordered); i++)
        for (size_t k = 0; k < ARRAY_LEN(ordered); k++) {
            int c = lamp_set_entry_cmp(&ordered[i], &ordered[k]);
            if ((c < 0) != (i < k) || (c == 0) != (i == k))
                fail_msg("entry %zu against %zu: %d", i, k, c);
        }
}

/* The layout of docs/WIRE.md, written out once more by hand. */
static void test_layout(void **state)
{
    (void)state;
    struct lamp_set_entry e[2] = { named("x.example"), entry("192.0.2.1", 0x1234) };
    e[0].text = lamp_bytes_of("why");
    e[1].ip_proto = 6;
    e[1].ttl_s = 0x01020304;
    e[1].id = 0x1122334455667788;
    e[1].action = LAMP_SET_ADD;
    static const uint8_t layout[] = {
        0, 0,   0,    0,    0,    0,    0,    0,    0,    0,    0,   0,   0,    0,    0, 0, 0, 0,
        0, 0,   0,    0,    0,    0,    0,    0,    0,    0,    0,   0,   0,    0,    0, 9, 0, 3,
        0, 'x', '.',  'e',  'x',  'a',  'm',  'p',  'l',  'e',  'w', 'h', 'y',  0,    0, 0, 0, 0,
        0, 0,   0,    0,    0,    0xff, 0xff, 192,  0,    2,    1,   128, 0x34, 0x12, 6, 0, 4, 3,
        2, 1,   0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0,   0,   0,    0,
    };
    uint8_t want[LAMP_WIRE_DIGEST_LEN], got[LAMP_WIRE_DIGEST_LEN];
    crypto_generichash(want, sizeof(want), layout, sizeof(layout), NULL, 0);
    assert_int_equal(digest(e, 2, got), LAMP_OK);
    assert_memory_equal(got, want, sizeof(want));
}

/* BLAKE2b-256 of nothing, as RFC 7693 implementations give it. */
static void test_empty(void **state)
{
    (void)state;
    static const uint8_t want[] = { 0x0e, 0x57, 0x51, 0xc0, 0x26, 0xe5, 0x43, 0xb2,
                                    0xe8, 0xab, 0x2e, 0xb0, 0x60, 0x99, 0xda, 0xa1,
                                    0xd1, 0xe5, 0xdf, 0x47, 0x77, 0x8f, 0x77, 0x87,
                                    0xfa, 0xab, 0x45, 0xcd, 0xf1, 0x2f, 0xe3, 0xa8 };
    uint8_t got[LAMP_WIRE_DIGEST_LEN];
    assert_int_equal(digest(NULL, 0, got), LAMP_OK);
    assert_memory_equal(got, want, sizeof(want));
}

/* Every field but the action counts. */
static void test_each_field_counts(void **state)
{
    (void)state;
    struct lamp_set_entry base = entry("192.0.2.0/24", 80), v[9];
    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        v[i] = base;
    v[0] = entry("192.0.3.0/24", 80);
    v[1] = entry("192.0.2.0/25", 80);
    v[2].port = 81;
    v[3].ip_proto = 17;
    v[4].inside = true;
    v[5].ttl_s++;
    v[6].id++;
    v[7].text = lamp_bytes_of("t");
    v[8].approved = true;
    uint8_t want[LAMP_WIRE_DIGEST_LEN], got[LAMP_WIRE_DIGEST_LEN];
    assert_int_equal(digest(&base, 1, want), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        assert_int_equal(digest(&v[i], 1, got), LAMP_OK);
        assert_memory_not_equal(got, want, sizeof(want));
    }
    base.action = LAMP_SET_ADD;
    assert_int_equal(digest(&base, 1, got), LAMP_OK);
    assert_memory_equal(got, want, sizeof(want));
}

static void test_refusals(void **state)
{
    (void)state;
    struct lamp_set_entry host_bits = entry("192.0.2.1", 0), other_side = entry("192.0.2.1", 0),
                          long_name = { .name = { (const uint8_t *)"", 254 } };
    host_bits.prefix.len = 120;
    other_side.inside = true;
    const struct {
        const char *label;
        struct lamp_set_entry e[3];
        size_t n;
        int want;
    } cases[] = {
        { "sorted", { entry("192.0.2.1", 0), entry("192.0.2.2", 0) }, 2, LAMP_OK },
        { "not sorted", { entry("192.0.2.2", 0), entry("192.0.2.1", 0) }, 2, LAMP_ECANON },
        { "twice", { entry("192.0.2.1", 0), entry("192.0.2.1", 0) }, 2, LAMP_ECANON },
        { "host bits", { host_bits }, 1, LAMP_ECANON },
        { "capitals", { named("Pool.example") }, 1, LAMP_ECANON },
        { "name too long", { long_name }, 1, LAMP_EFULL },
        { "overlap", { entry("192.0.2.0/24", 0), entry("192.0.2.9", 0) }, 2, LAMP_EOVERLAP },
        { "overlap, another between",
          { entry("192.0.2.0/24", 0), entry("192.0.2.0", 7), entry("192.0.2.9", 0) },
          3,
          LAMP_EOVERLAP },
        { "other port", { entry("192.0.2.0/24", 0), entry("192.0.2.9", 7) }, 2, LAMP_OK },
        { "other side", { entry("192.0.2.0/24", 0), other_side }, 2, LAMP_OK },
        { "neighbours", { entry("192.0.2.0/25", 0), entry("192.0.2.128/25", 0) }, 2, LAMP_OK },
        { "two names", { named("a"), named("b") }, 2, LAMP_OK },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t out[LAMP_WIRE_DIGEST_LEN] = { 1, 2, 3 }, before[LAMP_WIRE_DIGEST_LEN];
        memcpy(before, out, sizeof(out));
        int rc = digest(cases[i].e, cases[i].n, out);
        if (rc != cases[i].want)
            fail_msg("%s: %s", cases[i].label, lamp_strerror(rc));
        assert_true((memcmp(before, out, sizeof(out)) != 0) == (rc == LAMP_OK));
    }
}

static void test_large_set(void **state)
{
    (void)state;
    struct lamp_set_entry *e = calloc(LAMP_WIRE_SET_ENTRIES_MAX + 1, sizeof(*e));
    assert_non_null(e);
    for (unsigned i = 0; i <= LAMP_WIRE_SET_ENTRIES_MAX; i++) {
        uint8_t v4[] = { 198, 18, (uint8_t)(i >> 8), (uint8_t)i };
        e[i].prefix = (struct lamp_prefix){ lamp_addr_from_v4(v4), 128 };
    }
    uint8_t out[LAMP_WIRE_DIGEST_LEN];
    assert_int_equal(digest(e, LAMP_WIRE_SET_ENTRIES_MAX, out), LAMP_OK);
    assert_int_equal(digest(e, LAMP_WIRE_SET_ENTRIES_MAX + 1, out), LAMP_EFULL);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),    cmocka_unit_test(test_layout),
        cmocka_unit_test(test_empty),    cmocka_unit_test(test_each_field_counts),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_large_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
