/* SPDX-License-Identifier: Apache-2.0 */
/* classify_verdict: from what was found in the two directions of a connection to its verdict, its
 * confidence and the reasons that a person can read. Thread-safe. */
#pragma once

#include "sensor/engine/evidence.h"
#include "sensor/engine/identity.h"
#include "sensor/recog/recog.h"

/* What was found of a connection so far; zero-initialise. */
struct lamp_findings {
    struct lamp_grounds grounds;
    bool wallet;   /* of node or wallet traffic: no more than that verdict */
    uint64_t t_us; /* time of the bytes that are being read; the caller's to set */
    uint8_t n_noted;
    struct lamp_finding noted[LAMP_CONN_EVIDENCE]; /* what stands in the evidence */
};

/* Takes a finding in: keeps its grade and its reason (each reason once, LAMP_CONN_EVIDENCE at
 * most) and raises the verdict of *conn, which never falls. line: where it was found, from 1; 0: in the head
 * of an HTTP message. */
void lamp_verdict_note(struct lamp_conn *conn, struct lamp_findings *all,
                       const struct lamp_finding *f, uint32_t line);

/* Shares whose hashes meet the target of their job: what they stand for is mining, whoever of the two
 * is not seen. Raises the verdict, unless this is wallet traffic. */
void lamp_verdict_proven(struct lamp_conn *conn, struct lamp_findings *all);

/* The wallet of a login is on the watch list (found): a reason more, and an identity, which raises the verdict,
 * unless this is wallet traffic. */
void lamp_verdict_wallet(struct lamp_conn *conn, struct lamp_findings *all, const char *wallet,
                         const struct lamp_known_wallet *found);

/* The better grade of the two sides. */
static inline enum lamp_grade lamp_verdict_best(const struct lamp_findings *all)
{
    const enum lamp_grade *side = all->grounds.side;
    return side[0] > side[1] ? side[0] : side[1];
}
