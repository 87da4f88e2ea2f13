/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/classify_verdict.h"

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
    const struct lamp_reason reason = {
        .kind = kinds[f->dir],
        .field = line ? "JSON line" : "HTTP head",
        .strength = grades[f->grade],
        .refute = all->wallet ? "the server is no node of a coin"
                              : "the server is no pool: a test, a scanner or an echo service",
        .t_us = all->t_us,
        .dir = f->dir,
    };
    const char *side = f->dir == LAMP_UP ? "client" : "server";
    if (line)
        lamp_reason_add(c, &reason, false, "%s line %u: %s", side, line, f->what);
    else
        lamp_reason_add(c, &reason, false, "%s: %s", side, f->what);
}

static void raise_verdict(struct lamp_conn *conn, const struct lamp_findings *all)
{
    double confidence;
    const enum lamp_verdict verdict = lamp_grounds_verdict(&all->grounds, &confidence);
    lamp_verdict_raise(conn, verdict, confidence);
}

void lamp_verdict_note(struct lamp_conn *conn, struct lamp_findings *all,
                       const struct lamp_finding *f, uint32_t line)
{
    if (f->grade == LAMP_GRADE_NONE)
        return;
    const bool is_news = lamp_grounds_said(&all->grounds, f->dir, f->grade);
    add_evidence(conn, all, f, line);
    if (!is_news)
        return;
    if (all->wallet) {
        if (lamp_verdict_best(all) == LAMP_GRADE_CERTAIN)
            lamp_verdict_raise(conn, LAMP_VERDICT_WALLET, 0.97);
        return;
    }
    raise_verdict(conn, all);
}

void lamp_verdict_wallet(struct lamp_conn *conn, struct lamp_findings *all, const char *wallet,
                         const struct lamp_known_wallet *found)
{
    if (all->wallet)
        return;
    const struct lamp_reason r = {
        .kind = "known-wallet",
        .field = "user of the login",
        .strength = found->mass.mining >= lamp_mass_fresh.mining ? "strong" : "fair",
        .refute = "a name that many give for a wallet, at a server that is no pool",
        .t_us = all->t_us,
        .dir = LAMP_UP,
    };
    lamp_reason_add(conn, &r, true, "%s (met at %.40s, for %u more days): mined to: %s",
                    found->what, found->origin ? found->origin : "an unknown site",
                    found->ttl_s / 86400, wallet);
    lamp_grounds_add(&all->grounds, LAMP_GROUND_IDENTITY, found->mass);
    raise_verdict(conn, all);
}

void lamp_verdict_proven(struct lamp_conn *conn, struct lamp_findings *all)
{
    if (all->wallet || conn->verdict == LAMP_VERDICT_CONFIRMED)
        return;
    lamp_grounds_add(&all->grounds, LAMP_GROUND_CONTENT, lamp_mass_certain_both);
    raise_verdict(conn, all);
}
