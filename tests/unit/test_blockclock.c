/* SPDX-License-Identifier: Apache-2.0 */
#include "common/blockclock.h"
#include "tests/support/rng.h"
#include "tests/support/test.h"

#include <math.h>

#define S UINT64_C(1000000)

enum { HEARD = 128 };

static void test_same_block(void **state)
{
    static const struct {
        uint64_t t_s;
        bool is_news;
        uint64_t kept_s[5]; /* in order; 0: no more */
    } steps[] = {
        { 100, true, { 100 } },
        { 104, false, { 100 } }, /* another pool, a little later */
        { 91, false, { 100 } },  /* and one that was quicker */
        { 110, true, { 100, 110 } },
        { 50, true, { 50, 100, 110 } }, /* told of late, or a clock that steps back */
        { 75, true, { 50, 75, 100, 110 } },
        { 84, false, { 50, 75, 100, 110 } },
        { 41, false, { 50, 75, 100, 110 } },
        { 300, true, { 50, 75, 100, 110, 300 } },
    };
    (void)state;
    struct lamp_blockclock c = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        assert_int_equal(lamp_blockclock_block(&c, "XMR", steps[i].t_s * S), steps[i].is_news);
        for (size_t k = 0; k < ARRAY_LEN(steps[i].kept_s); k++)
            assert_int_equal(c.coins[0].block_us[k], steps[i].kept_s[k] * S);
    }
    assert_string_equal(c.coins[0].coin, "XMR");
}

/* Of a full clock the oldest goes for what is newer, and what is older still is none of it. */
static void test_full(void **state)
{
    (void)state;
    struct lamp_blockclock c = { 0 };
    for (unsigned i = 0; i < LAMP_BLOCKCLOCK_BLOCKS; i++)
        assert_true(lamp_blockclock_block(&c, "XMR", (1000 + 100 * i) * S));
    assert_false(lamp_blockclock_block(&c, "XMR", 500 * S));
    assert_true(lamp_blockclock_block(&c, "XMR", 1050 * S));
    const struct lamp_blockclock_coin *k = &c.coins[0];
    for (uint32_t i = k->n - LAMP_BLOCKCLOCK_BLOCKS; i + 1 < k->n; i++)
        assert_true(k->block_us[i % LAMP_BLOCKCLOCK_BLOCKS] <
                    k->block_us[(i + 1) % LAMP_BLOCKCLOCK_BLOCKS]);
    assert_int_equal(k->block_us[(k->n - LAMP_BLOCKCLOCK_BLOCKS) % LAMP_BLOCKCLOCK_BLOCKS],
                     1050 * S);
}

/* Coins that live keep their places, whatever else is told of. */
static void test_limits(void **state)
{
    (void)state;
    struct lamp_blockclock c = { 0 };
    char name[16];
    for (unsigned i = 0; i < LAMP_BLOCKCLOCK_COINS; i++) {
        snprintf(name, sizeof(name), "C%u", i);
        assert_true(lamp_blockclock_block(&c, name, (1000 + i) * S));
    }
    assert_false(lamp_blockclock_block(&c, "NEW", 1100 * S));
    assert_int_equal(c.refused, 1);
    assert_true(lamp_blockclock_block(&c, "NEW", 1000 * S + LAMP_BLOCKCLOCK_LIVES_US));
    assert_string_equal(c.coins[0].coin, "NEW"); /* in the place of the one heard of longest ago */
    assert_int_equal(c.coins[0].n, 1);
}

static void test_told(void **state)
{
    static const struct {
        const char *coin;
        bool taken;
    } cases[] = { { "XMR", true },  { "BTC2", true },  { "ABCDEFGHIJKLMNO", true },
                  { "", false },    { "xmr", false },  { "ABCDEFGHIJKLMNOP", false },
                  { "X R", false }, { "X\nR", false }, { "\xc3\x84", false } };
    (void)state;
    struct lamp_blockclock c = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const uint64_t refused = c.refused;
        assert_int_equal(lamp_blockclock_told(&c, cases[i].coin, strlen(cases[i].coin), 1000 * S),
                         cases[i].taken);
        assert_int_equal(c.refused - refused, cases[i].taken ? 0 : 1);
    }
}

/* One interval of 100 s by the formula: d = 2, m = 3: (97/100)^3 * 0.98. */
static void test_formula(void **state)
{
    (void)state;
    struct lamp_blockclock c = { 0 };
    for (unsigned i = 0; i < 3; i++)
        lamp_blockclock_block(&c, "XMR", (1000 + 100 * i) * S);
    const uint64_t heard[] = { 1002 * S, 1040 * S, 1070 * S };
    uint32_t blocks;
    double got = lamp_blockclock_similarity(&c.coins[0], heard, 3, 1000 * S, 1100 * S, &blocks);
    assert_int_equal(blocks, 1);
    assert_true(fabs(got - 0.97 * 0.97 * 0.97 * 0.98) < 1e-9);
    /* nothing in the second interval counts -1 */
    got = lamp_blockclock_similarity(&c.coins[0], heard, 3, 1000 * S, 1200 * S, &blocks);
    assert_int_equal(blocks, 2);
    assert_true(fabs(got - (0.97 * 0.97 * 0.97 * 0.98 - 1) / 2) < 1e-9);
    assert_true(lamp_blockclock_similarity(&c.coins[0], heard, 3, 0, 1, &blocks) < -0.99);
}

/* Work of the same coin matches, that of another or chatter does not, for any seed. */
static void test_match(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct lamp_rng rng = { seed };
        struct lamp_blockclock c = { 0 };
        uint64_t follows[HEARD], chatter[HEARD];
        size_t n = 0, k = 0;
        double t = 1000, other = 1000, talk = 1000;
        for (unsigned i = 0; i < 40; i++) {
            t += 12 + lamp_rng_exponential(&rng, 110);
            lamp_blockclock_block(&c, "XMR", (uint64_t)(t * 1e6));
            if (lamp_rng_unit(&rng) < 0.97)
                follows[n++] = (uint64_t)((t + 0.2 + lamp_rng_unit(&rng)) * 1e6);
            other += 12 + lamp_rng_exponential(&rng, 60);
            lamp_blockclock_block(&c, "RVN", (uint64_t)(other * 1e6));
        }
        while (talk < t && k < HEARD)
            chatter[k++] = (uint64_t)((talk += lamp_rng_exponential(&rng, 60)) * 1e6);
        double similarity;
        uint32_t blocks = 0;
        const struct lamp_blockclock_coin *coin = lamp_blockclock_match(
            &c, follows, n, 1000 * S, (uint64_t)(t * 1e6), &similarity, &blocks);
        assert_non_null(coin);
        assert_string_equal(coin->coin, "XMR");
        assert_true(blocks >= LAMP_BLOCKCLOCK_NEEDS);
        assert_null(lamp_blockclock_match(&c, chatter, k, 1000 * S, (uint64_t)(t * 1e6),
                                          &similarity, &blocks));
        /* too few blocks tell nothing */
        assert_null(lamp_blockclock_match(&c, follows, n, (uint64_t)((t - 600) * 1e6),
                                          (uint64_t)(t * 1e6), &similarity, &blocks));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_block), cmocka_unit_test(test_full),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_told),
        cmocka_unit_test(test_formula),    cmocka_unit_test(test_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
