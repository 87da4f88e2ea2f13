/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/classify_verdict.h"

#include <stdio.h>

/* The ladder of docs/DETECTION.md: certain with anything from the other side is confirmed,
 * certain one way probable; everyday words in the right form are probable both ways and
 * suspected one way. */
static void raise_verdict(struct lamp_conn *c, const struct lamp_findings *f)
{
    const enum lamp_grade up = f->best[LAMP_UP], down = f->best[LAMP_DOWN];
    enum lamp_verdict verdict = LAMP_VERDICT_NONE;
    double confidence = 0;
    if (f->wallet) {
        if (up == LAMP_GRADE_CERTAIN || down == LAMP_GRADE_CERTAIN) {
            verdict = LAMP_VERDICT_WALLET;
            confidence = 0.97;
        }
    } else if (up != LAMP_GRADE_NONE && down != LAMP_GRADE_NONE &&
               (up == LAMP_GRADE_CERTAIN || down == LAMP_GRADE_CERTAIN)) {
        verdict = LAMP_VERDICT_CONFIRMED;
        confidence = 0.9999;
    } else if (up == LAMP_GRADE_CERTAIN || down == LAMP_GRADE_CERTAIN) {
        verdict = LAMP_VERDICT_PROBABLE;
        confidence = 0.97;
    } else if (up == LAMP_GRADE_STRONG && down == LAMP_GRADE_STRONG) {
        verdict = LAMP_VERDICT_PROBABLE;
        confidence = 0.95;
    } else if (up == LAMP_GRADE_STRONG || down == LAMP_GRADE_STRONG) {
        verdict = LAMP_VERDICT_SUSPECTED;
        confidence = 0.7;
    }
    if (verdict > c->verdict) {
        c->verdict = verdict;
        c->confidence = confidence;
    }
}

static const char *const kinds[] = { [LAMP_UP] = "grammar-client", [LAMP_DOWN] = "grammar-server" };

/* Whether the reason was noted before. Recognisers name their reasons by constants, so that nearly
 * always the pointer tells; text is compared where it does not. */
static bool is_noted(const struct lamp_findings *all, const struct lamp_finding *f)
{
    for (int by_text = 0; by_text < 2; by_text++)
        for (size_t i = 0; i < all->n_noted; i++) {
            const struct lamp_finding *n = &all->noted[i];
            if (n->dir == f->dir && n->grade == f->grade &&
                (by_text ? streq(n->what, f->what) : n->what == f->what))
                return true;
        }
    return false;
}

/* Adds a reason, unless it was given already. */
static void add_evidence(struct lamp_conn *c, struct lamp_findings *all,
                         const struct lamp_finding *f, uint32_t line)
{
    static const char *const grades[] = { "", "supports", "strong", "certain" };
    if (c->n_evidence == LAMP_CONN_EVIDENCE || is_noted(all, f))
        return;
    all->noted[all->n_noted++] = *f;
    struct lamp_conn_evidence *e = &c->evidence[c->n_evidence++];
    e->kind = kinds[f->dir];
    const char *side = f->dir == LAMP_UP ? "client" : "server", *grade = grades[f->grade];
    if (line)
        snprintf(e->detail, sizeof(e->detail), "%s line %u: %s (%s)", side, line, f->what, grade);
    else
        snprintf(e->detail, sizeof(e->detail), "%s: %s (%s)", side, f->what, grade);
}

void lamp_verdict_note(struct lamp_conn *conn, struct lamp_findings *all,
                       const struct lamp_finding *f, uint32_t line)
{
    if (f->grade == LAMP_GRADE_NONE)
        return;
    if (f->grade > all->best[f->dir])
        all->best[f->dir] = f->grade;
    add_evidence(conn, all, f, line);
    raise_verdict(conn, all);
}
