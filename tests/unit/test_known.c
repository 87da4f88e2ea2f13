/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/known.h"
#include "tests/support/test.h"

#define S UINT64_C(1000000)

static struct lamp_conn conn(uint32_t host, enum lamp_verdict v, uint64_t last_us)
{
    const uint8_t v4[] = { 10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host };
    return (struct lamp_conn){ .client = lamp_addr_from_v4(v4),
                               .server = lamp_addr_from_v4((const uint8_t[]){ 203, 0, 113, 9 }),
                               .server_port = 443,
                               .ip_proto = 6,
                               .verdict = v,
                               .confidence = 0.96,
                               .last_us = last_us };
}

static enum lamp_verdict verdict_of(const struct lamp_known *k, uint32_t host, uint64_t now_us)
{
    const struct lamp_conn c = conn(host, LAMP_VERDICT_NONE, 0);
    const struct lamp_known_pair *p =
        lamp_known_find(k, &c.client, &c.server, c.server_port, c.ip_proto, now_us);
    return p ? p->verdict : LAMP_VERDICT_NONE;
}

static void note(struct lamp_known *k, uint32_t host, enum lamp_verdict v, uint64_t last_us)
{
    const struct lamp_conn c = conn(host, v, last_us);
    lamp_known_note(k, &c);
}

/* It rises, does not fall within a day, and is forgotten a day after the verdict was last given. */
static void test_hysteresis(void **state)
{
    (void)state;
    static struct lamp_known k;
    note(&k, 1, LAMP_VERDICT_SUSPECTED, S);
    assert_int_equal(verdict_of(&k, 1, S), LAMP_VERDICT_NONE);
    note(&k, 1, LAMP_VERDICT_PROBABLE, S);
    assert_int_equal(verdict_of(&k, 1, S), LAMP_VERDICT_PROBABLE);
    note(&k, 1, LAMP_VERDICT_CONFIRMED, 2 * S);
    note(&k, 1, LAMP_VERDICT_PROBABLE, 3 * S);
    assert_int_equal(verdict_of(&k, 1, 3 * S), LAMP_VERDICT_CONFIRMED);
    assert_int_equal(verdict_of(&k, 1, 2 * S + LAMP_KNOWN_US - 1), LAMP_VERDICT_CONFIRMED);
    assert_int_equal(verdict_of(&k, 1, 2 * S + LAMP_KNOWN_US), LAMP_VERDICT_NONE);
    note(&k, 1, LAMP_VERDICT_PROBABLE, 2 * S + LAMP_KNOWN_US);
    assert_int_equal(verdict_of(&k, 1, 2 * S + LAMP_KNOWN_US), LAMP_VERDICT_PROBABLE);
    assert_int_equal(verdict_of(&k, 2, 3 * S), LAMP_VERDICT_NONE);
}

/* Far more pairs than places: the newest are there, and nothing is mixed up. */
static void test_bounded(void **state)
{
    (void)state;
    static struct lamp_known k;
    enum { N = 20 * LAMP_KNOWN_PAIRS };
    for (uint32_t i = 0; i < N; i++)
        note(&k, i, i % 2 ? LAMP_VERDICT_CONFIRMED : LAMP_VERDICT_PROBABLE, S + i);
    uint32_t found = 0;
    for (uint32_t i = 0; i < N; i++) {
        const enum lamp_verdict v = verdict_of(&k, i, S + N);
        found += v != LAMP_VERDICT_NONE;
        if (v != LAMP_VERDICT_NONE)
            assert_int_equal(v, i % 2 ? LAMP_VERDICT_CONFIRMED : LAMP_VERDICT_PROBABLE);
    }
    assert_int_equal(verdict_of(&k, N - 1, S + N), LAMP_VERDICT_CONFIRMED);
    assert_true(found > LAMP_KNOWN_PAIRS * 9 / 10 && found <= LAMP_KNOWN_PAIRS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hysteresis),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
