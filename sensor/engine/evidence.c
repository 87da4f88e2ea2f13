/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/evidence.h"

#include <math.h>

const struct lamp_mass lamp_mass_certain_both = { .9999, 0 };
const struct lamp_mass lamp_mass_certain = { .94, 0 };
const struct lamp_mass lamp_mass_strong_both = { .90, 0 };
const struct lamp_mass lamp_mass_strong = { .40, 0 };
const struct lamp_mass lamp_mass_fresh = { .95, 0 };
const struct lamp_mass lamp_mass_stale = { .60, 0 };
const struct lamp_mass lamp_mass_name = { .97, 0 };
const struct lamp_mass lamp_mass_front = { .40, 0 };
const struct lamp_mass lamp_mass_keyword = { .25, 0 };
const struct lamp_mass lamp_mass_plain_hello = { .05, 0 };
const struct lamp_mass lamp_mass_browser = { 0, .70 };
const struct lamp_mass lamp_mass_rhythm = { .60, 0 };
const struct lamp_mass lamp_mass_rhythm_weak = { .25, 0 };
const struct lamp_mass lamp_mass_rhythm_not = { 0, .60 };
const struct lamp_mass lamp_mass_clock = { .90, 0 };
const struct lamp_mass lamp_mass_probe_yes = { .99, 0 };
const struct lamp_mass lamp_mass_probe_no = { 0, .50 };
const struct lamp_mass lamp_mass_allowed = { 0, .90 };

const struct lamp_belief lamp_belief_none = { .ignorance = 1 };

#define CONFLICT_MAX 0.6     /* evidence that contradicts itself more raises no alarm */
#define PROBABLE_MIN 0.95    /* probability for an alarm */
#define SUSPECTED_MIN 0.70   /* and for a suspicion */
#define CERTAINTY_MAX 0.9999 /* nothing is surer than that */
#define COUNTS_MIN 0.25      /* mass for mining from which a group supports another */
#define SUSPICIOUS_MIN 0.60  /* mass for mining from which a group is suspicious by itself */

struct lamp_belief lamp_belief_with(struct lamp_belief b, struct lamp_mass m)
{
    const double open = 1 - m.mining - m.benign;
    const double conflict = b.mining * m.benign + b.benign * m.mining;
    if (conflict >= 1) {
        b.conflict = 1;
        return b;
    }
    const double rest = 1 - conflict;
    return (struct lamp_belief){
        .mining = (b.mining * m.mining + b.mining * open + b.ignorance * m.mining) / rest,
        .benign = (b.benign * m.benign + b.benign * open + b.ignorance * m.benign) / rest,
        .ignorance = b.ignorance * open / rest,
        .conflict = 1 - (1 - b.conflict) * rest,
    };
}

void lamp_grounds_add(struct lamp_grounds *g, enum lamp_ground ground, struct lamp_mass m)
{
    struct lamp_mass *best = &g->best[ground];
    if (m.mining > best->mining)
        best->mining = m.mining;
    if (m.benign > best->benign)
        best->benign = m.benign;
}

bool lamp_grounds_said(struct lamp_grounds *g, enum lamp_dir dir, enum lamp_grade grade)
{
    if (grade <= g->side[dir])
        return false;
    g->side[dir] = grade;
    const enum lamp_grade up = g->side[LAMP_UP], down = g->side[LAMP_DOWN];
    const enum lamp_grade more = up > down ? up : down, less = up > down ? down : up;
    if (more == LAMP_GRADE_CERTAIN)
        lamp_grounds_add(g, LAMP_GROUND_CONTENT,
                         less != LAMP_GRADE_NONE ? lamp_mass_certain_both : lamp_mass_certain);
    else if (more == LAMP_GRADE_STRONG)
        lamp_grounds_add(g, LAMP_GROUND_CONTENT,
                         less == LAMP_GRADE_STRONG ? lamp_mass_strong_both : lamp_mass_strong);
    return true;
}

/* What speaks for and what speaks against count as two pieces of evidence of the group. */
struct lamp_belief lamp_grounds_belief(const struct lamp_grounds *g)
{
    struct lamp_belief b = lamp_belief_none;
    for (size_t i = 0; i < LAMP_GROUNDS; i++) {
        if (g->best[i].mining > 0)
            b = lamp_belief_with(b, (struct lamp_mass){ g->best[i].mining, 0 });
        if (g->best[i].benign > 0)
            b = lamp_belief_with(b, (struct lamp_mass){ 0, g->best[i].benign });
    }
    return b;
}

static unsigned groups_from(const struct lamp_grounds *g, double mass)
{
    unsigned n = 0;
    for (size_t i = 0; i < LAMP_GROUNDS; i++)
        n += g->best[i].mining >= mass;
    return n;
}

bool lamp_grounds_is_indirect(const struct lamp_grounds *g)
{
    return g->best[LAMP_GROUND_CONTENT].mining < lamp_mass_strong_both.mining;
}

/* Who the server is and that it answers as a pool does, with a rhythm to fit: as good as words. */
static bool is_confirmed(const struct lamp_grounds *g)
{
    return g->best[LAMP_GROUND_CONTENT].mining >= lamp_mass_certain_both.mining ||
           (g->best[LAMP_GROUND_PROBE].mining >= lamp_mass_probe_yes.mining &&
            g->best[LAMP_GROUND_IDENTITY].mining >= lamp_mass_fresh.mining &&
            g->best[LAMP_GROUND_SHAPE].mining >= lamp_mass_rhythm_weak.mining);
}

static bool is_probable(const struct lamp_grounds *g, double probability)
{
    if (!lamp_grounds_is_indirect(g))
        return true; /* one certain side, or both sides strong */
    const bool more_than_shape = g->best[LAMP_GROUND_CONTENT].mining >= COUNTS_MIN ||
                                 g->best[LAMP_GROUND_IDENTITY].mining >= COUNTS_MIN ||
                                 g->best[LAMP_GROUND_TIME].mining >= COUNTS_MIN ||
                                 g->best[LAMP_GROUND_PROBE].mining >= COUNTS_MIN;
    return probability >= PROBABLE_MIN && more_than_shape && groups_from(g, COUNTS_MIN) >= 2;
}

enum lamp_verdict lamp_grounds_verdict(const struct lamp_grounds *g, double *out_confidence)
{
    const struct lamp_belief b = lamp_grounds_belief(g);
    const double p = round(lamp_belief_probability(&b) * 1e4) / 1e4;
    *out_confidence = p < CERTAINTY_MAX ? p : CERTAINTY_MAX;
    if (b.conflict <= CONFLICT_MAX) {
        if (is_confirmed(g))
            return LAMP_VERDICT_CONFIRMED;
        if (is_probable(g, p))
            return LAMP_VERDICT_PROBABLE;
    }
    const bool said = g->best[LAMP_GROUND_CONTENT].mining >= lamp_mass_strong.mining;
    if (p >= SUSPECTED_MIN && (said || groups_from(g, SUSPICIOUS_MIN) >= 1))
        return LAMP_VERDICT_SUSPECTED;
    *out_confidence = 0;
    return LAMP_VERDICT_NONE;
}

void lamp_verdict_raise(struct lamp_conn *c, enum lamp_verdict v, double confidence)
{
    if (v > c->verdict || (v == c->verdict && confidence > c->confidence)) {
        c->verdict = v;
        c->confidence = confidence;
    }
}
