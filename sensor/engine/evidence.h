/* SPDX-License-Identifier: Apache-2.0 */
/* evidence: how what was seen becomes a verdict. Each piece of evidence belongs to a group of
 * what has the same cause and says how much it speaks for mining, how much against it, and
 * leaves the rest open (masses of Dempster and Shafer). Of a group only the strongest for and
 * the strongest against count, since things with one cause prove it only once; groups are
 * combined by Dempster's rule (G. Shafer, A Mathematical Theory of Evidence, 1976, chapter 3).
 * Hard rules stand above the sum: docs/DETECTION.md lists them. Pure functions over plain data,
 * thread-safe. */
#pragma once

#include "common/verdict.h"
#include "sensor/engine/conn.h"
#include "sensor/recog/recog.h"

enum lamp_ground {
    LAMP_GROUND_CONTENT,  /* what the two ends say */
    LAMP_GROUND_IDENTITY, /* who the server is: name, address and port, certificate */
    LAMP_GROUND_SHAPE,    /* sizes, rhythm, fingerprints */
    LAMP_GROUND_TIME,     /* work that comes when a coin's blocks do */
    LAMP_GROUND_PROBE,    /* what the server answered when it was asked */
    LAMP_GROUNDS
};

/* What one piece of evidence says; mining + benign <= 1, the rest is ignorance. */
struct lamp_mass {
    double mining, benign;
};

/* The masses in use (initial values, to be learned on a site's own traffic). */
extern const struct lamp_mass lamp_mass_certain_both, lamp_mass_certain, lamp_mass_strong_both,
    lamp_mass_strong, lamp_mass_fresh, lamp_mass_stale, lamp_mass_name, lamp_mass_front,
    lamp_mass_keyword, lamp_mass_plain_hello, lamp_mass_browser, lamp_mass_rhythm,
    lamp_mass_rhythm_weak, lamp_mass_rhythm_not, lamp_mass_clock, lamp_mass_probe_yes,
    lamp_mass_probe_no, lamp_mass_allowed;

/* What is known of one connection; zero-initialise. */
struct lamp_grounds {
    struct lamp_mass best[LAMP_GROUNDS];
    enum lamp_grade side[2]; /* best grade of what each side said, by enum lamp_dir */
};

/* The state of belief; the three masses add up to 1. */
struct lamp_belief {
    double mining, benign, ignorance;
    double conflict; /* how much of the evidence contradicts itself: 0 to 1 */
};

/* Combines one mass into a belief; begin with lamp_belief_none. A total contradiction (conflict 1)
 * leaves the belief as it was. */
extern const struct lamp_belief lamp_belief_none;
struct lamp_belief lamp_belief_with(struct lamp_belief b, struct lamp_mass m);

/* The probability to act on: belief in mining and half of what is open. */
static inline double lamp_belief_probability(const struct lamp_belief *b)
{
    return b->mining + b->ignorance / 2;
}

/* Takes a piece of evidence in. */
void lamp_grounds_add(struct lamp_grounds *g, enum lamp_ground ground, struct lamp_mass m);

/* The same for what a side said (enum lamp_dir relative to the miner). */
bool lamp_grounds_said(struct lamp_grounds *g, enum lamp_dir dir, enum lamp_grade grade);

/* All groups together. */
struct lamp_belief lamp_grounds_belief(const struct lamp_grounds *g);

/* The verdict and its confidence (0 to 1) by the hard rules. */
enum lamp_verdict lamp_grounds_verdict(const struct lamp_grounds *g, double *out_confidence);

/* Whether anything but what the ends say made the verdict: such a verdict has to hold in two
 * evaluations before it alarms. */
bool lamp_grounds_is_indirect(const struct lamp_grounds *g);

/* Raises the verdict of *c; a lower one changes nothing, the same one may gain confidence. */
void lamp_verdict_raise(struct lamp_conn *c, enum lamp_verdict v, double confidence);
