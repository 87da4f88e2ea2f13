/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/evidence.h"
#include "tests/support/test.h"

#include <math.h>

enum { MOST = 8 };

/* Record lengths in the order of a login: an example of the design. */
static const struct lamp_mass sequence = { .5, 0 };

static void assert_near(const char *label, double got, double want)
{
    if (fabs(got - want) > 0.0006)
        fail_msg("%s: %.4f, not %.4f", label, got, want);
}

/* The worked examples of the design: a plain combination of everything that was seen. */
static void test_dempster(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        const struct lamp_mass *masses[MOST];
        double mining, probability;
    } cases[] = {
        { "nothing", { NULL }, 0, .5 },
        { "rhythm, no name", { &lamp_mass_plain_hello, &lamp_mass_rhythm, &sequence }, .81, .905 },
        { "with a stale address",
          { &lamp_mass_plain_hello, &lamp_mass_rhythm, &sequence, &lamp_mass_stale },
          .924,
          .962 },
        { "and a probe that says yes",
          { &lamp_mass_plain_hello, &lamp_mass_rhythm, &sequence, &lamp_mass_stale,
            &lamp_mass_probe_yes },
          .9992,
          .9996 },
        { "or no",
          { &lamp_mass_plain_hello, &lamp_mass_rhythm, &sequence, &lamp_mass_probe_no },
          .681,
          .761 },
        { "a browser with the word pool",
          { &lamp_mass_browser, &lamp_mass_keyword, &lamp_mass_rhythm_not },
          .0385,
          .096 },
        { "a pool's web site",
          { &lamp_mass_name, &lamp_mass_browser, &lamp_mass_rhythm_not },
          .795,
          .807 },
        { "listed and rhythm", { &lamp_mass_fresh, &lamp_mass_rhythm }, .98, .990 },
        { "rhythm and block clock", { &lamp_mass_rhythm, &lamp_mass_clock }, .96, .980 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_belief b = lamp_belief_none;
        for (size_t k = 0; k < MOST && cases[i].masses[k]; k++)
            b = lamp_belief_with(b, *cases[i].masses[k]);
        assert_near(cases[i].label, b.mining, cases[i].mining);
        assert_near(cases[i].label, lamp_belief_probability(&b), cases[i].probability);
        assert_near(cases[i].label, b.mining + b.benign + b.ignorance, 1);
    }
}

static void test_total_contradiction(void **state)
{
    (void)state;
    struct lamp_belief b = lamp_belief_with(lamp_belief_none, (struct lamp_mass){ 1, 0 });
    b = lamp_belief_with(b, (struct lamp_mass){ 0, 1 });
    assert_near("conflict", b.conflict, 1);
    assert_near("mining", b.mining, 1);
}

/* What is seen, as letters: the group and the mass. */
struct seen {
    enum lamp_ground ground;
    const struct lamp_mass *mass;
};

static void test_levels(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct seen seen[MOST];
        enum lamp_verdict verdict;
        double confidence;
    } cases[] = {
        { "nothing", { { 0, NULL } }, LAMP_VERDICT_NONE, 0 },
        { "shape alone", { { LAMP_GROUND_SHAPE, &lamp_mass_rhythm } }, LAMP_VERDICT_SUSPECTED, .8 },
        { "more of the same group",
          { { LAMP_GROUND_SHAPE, &lamp_mass_rhythm },
            { LAMP_GROUND_SHAPE, &lamp_mass_plain_hello },
            { LAMP_GROUND_SHAPE, &lamp_mass_rhythm_weak } },
          LAMP_VERDICT_SUSPECTED,
          .8 },
        { "weak shape", { { LAMP_GROUND_SHAPE, &lamp_mass_rhythm_weak } }, LAMP_VERDICT_NONE, 0 },
        { "a name alone",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_name } },
          LAMP_VERDICT_SUSPECTED,
          .985 },
        { "a stale address alone",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_stale } },
          LAMP_VERDICT_SUSPECTED,
          .8 },
        { "a word in a name",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_keyword } },
          LAMP_VERDICT_NONE,
          0 },
        { "a word and a weak rhythm",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_keyword },
            { LAMP_GROUND_SHAPE, &lamp_mass_rhythm_weak } },
          LAMP_VERDICT_NONE,
          0 },
        { "a name and a hello that many send",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_name },
            { LAMP_GROUND_SHAPE, &lamp_mass_plain_hello } },
          LAMP_VERDICT_SUSPECTED,
          .98575 },
        { "a name and a rhythm",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_name }, { LAMP_GROUND_SHAPE, &lamp_mass_rhythm } },
          LAMP_VERDICT_PROBABLE,
          .994 },
        { "a stale address and a rhythm",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_stale }, { LAMP_GROUND_SHAPE, &lamp_mass_rhythm } },
          LAMP_VERDICT_SUSPECTED,
          .92 },
        { "block clock and rhythm",
          { { LAMP_GROUND_TIME, &lamp_mass_clock }, { LAMP_GROUND_SHAPE, &lamp_mass_rhythm } },
          LAMP_VERDICT_PROBABLE,
          .98 },
        { "probe alone",
          { { LAMP_GROUND_PROBE, &lamp_mass_probe_yes } },
          LAMP_VERDICT_SUSPECTED,
          .995 },
        { "listed, probed, with a rhythm",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_fresh },
            { LAMP_GROUND_PROBE, &lamp_mass_probe_yes },
            { LAMP_GROUND_SHAPE, &lamp_mass_rhythm_weak } },
          LAMP_VERDICT_CONFIRMED,
          .9998 },
        { "a pool's web site",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_name }, { LAMP_GROUND_SHAPE, &lamp_mass_browser } },
          LAMP_VERDICT_SUSPECTED,
          .9206 },
        { "a pool's web site with a name and a clock",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_name },
            { LAMP_GROUND_TIME, &lamp_mass_clock },
            { LAMP_GROUND_SHAPE, &lamp_mass_browser } },
          LAMP_VERDICT_SUSPECTED,
          .9916 },
        { "a front name and a browser",
          { { LAMP_GROUND_IDENTITY, &lamp_mass_front }, { LAMP_GROUND_SHAPE, &lamp_mass_browser } },
          LAMP_VERDICT_NONE,
          0 },
        { "what is allowed",
          { { LAMP_GROUND_CONTENT, &lamp_mass_certain_both },
            { LAMP_GROUND_IDENTITY, &lamp_mass_allowed } },
          LAMP_VERDICT_SUSPECTED,
          .999 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_grounds g = { 0 };
        for (size_t k = 0; k < MOST && cases[i].seen[k].mass; k++)
            lamp_grounds_add(&g, cases[i].seen[k].ground, *cases[i].seen[k].mass);
        double confidence = -1;
        const enum lamp_verdict v = lamp_grounds_verdict(&g, &confidence);
        if (v != cases[i].verdict)
            fail_msg("%s: %s, not %s (%.4f)", cases[i].label, lamp_verdict_name(v),
                     lamp_verdict_name(cases[i].verdict), confidence);
        assert_near(cases[i].label, confidence, cases[i].confidence);
    }
}

/* Grades of the two sides. */
static void test_words(void **state)
{
    (void)state;
    static const struct {
        enum lamp_grade up, down;
        enum lamp_verdict verdict;
        double confidence;
    } cases[] = {
        { LAMP_GRADE_NONE, LAMP_GRADE_NONE, LAMP_VERDICT_NONE, 0 },
        { LAMP_GRADE_SUPPORT, LAMP_GRADE_SUPPORT, LAMP_VERDICT_NONE, 0 },
        { LAMP_GRADE_STRONG, LAMP_GRADE_NONE, LAMP_VERDICT_SUSPECTED, .7 },
        { LAMP_GRADE_STRONG, LAMP_GRADE_SUPPORT, LAMP_VERDICT_SUSPECTED, .7 },
        { LAMP_GRADE_STRONG, LAMP_GRADE_STRONG, LAMP_VERDICT_PROBABLE, .95 },
        { LAMP_GRADE_NONE, LAMP_GRADE_CERTAIN, LAMP_VERDICT_PROBABLE, .97 },
        { LAMP_GRADE_CERTAIN, LAMP_GRADE_SUPPORT, LAMP_VERDICT_CONFIRMED, .9999 },
        { LAMP_GRADE_CERTAIN, LAMP_GRADE_CERTAIN, LAMP_VERDICT_CONFIRMED, .9999 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int swap = 0; swap < 2; swap++) {
            struct lamp_grounds g = { 0 };
            lamp_grounds_said(&g, swap ? LAMP_DOWN : LAMP_UP, cases[i].up);
            lamp_grounds_said(&g, swap ? LAMP_UP : LAMP_DOWN, cases[i].down);
            double confidence;
            assert_int_equal(lamp_grounds_verdict(&g, &confidence), cases[i].verdict);
            assert_near("confidence", confidence, cases[i].confidence);
        }
}

/* A verdict never falls; a weaker one changes nothing at all. */
static void test_never_falls(void **state)
{
    (void)state;
    struct lamp_conn c = { .verdict = LAMP_VERDICT_PROBABLE, .confidence = .96 };
    lamp_verdict_raise(&c, LAMP_VERDICT_SUSPECTED, .99);
    assert_int_equal(c.verdict, LAMP_VERDICT_PROBABLE);
    assert_near("confidence", c.confidence, .96);
    lamp_verdict_raise(&c, LAMP_VERDICT_PROBABLE, .98);
    assert_near("confidence", c.confidence, .98);
    lamp_verdict_raise(&c, LAMP_VERDICT_CONFIRMED, .97);
    assert_int_equal(c.verdict, LAMP_VERDICT_CONFIRMED);
    assert_near("confidence", c.confidence, .97);
}

static void test_reasons(void **state)
{
    (void)state;
    struct lamp_conn c = { 0 };
    struct lamp_reason r = { .kind = "rhythm", .strength = "weak", .t_us = 5, .dir = LAMP_DOWN };
    lamp_reason_add(&c, &r, true, "score %d", 8);
    r.strength = NULL;
    lamp_reason_add(&c, &r, true, "score %d", 12);
    assert_int_equal(c.n_evidence, 1);
    assert_string_equal(c.evidence[0].detail, "score 12");
    lamp_reason_add(&c, &r, false, "score %d", 13);
    assert_int_equal(c.n_evidence, 2);
    for (int i = 0; i < 2 * LAMP_CONN_EVIDENCE; i++)
        lamp_reason_add(&c, &r, false, "%0300d", i);
    assert_int_equal(c.n_evidence, LAMP_CONN_EVIDENCE);
    assert_int_equal(strlen(c.evidence[2].detail), LAMP_CONN_DETAIL - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dempster),    cmocka_unit_test(test_total_contradiction),
        cmocka_unit_test(test_levels),      cmocka_unit_test(test_words),
        cmocka_unit_test(test_never_falls), cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
