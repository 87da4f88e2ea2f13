/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/lift.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Masses of what a probe found, and of an address that is verified. */
#define PROBE_YES 0.99
#define PROBE_NO 0.50
#define VERIFIED 0.95

#define PROBABLE_MIN 0.95
#define CERTAINTY_MAX 0.9999

/* Above, what a pool said of difficulty or a sensor of shares is made up. */
#define SHARE_HASHES_MAX 1e30
enum { EARLY_SHARES_MAX = 100000 };

/* With what speaks for mining: of the probability p for it (belief and half of what is open), what was
 * against, or open, shrinks by what is not left open. */
static double with(double p, double mass)
{
    return 1 - (1 - p) * (1 - mass);
}

/* With what speaks against, by Dempster's rule, where nothing else does: 2p - 1 is believed, the rest open. */
static double without(double p, double mass)
{
    const double believed = p > 0.5 ? 2 * p - 1 : 0, open = 1 - believed;
    return (believed * (1 - mass) + open * (1 - mass) / 2) / (1 - believed * mass);
}

/* What the sensor's own reasons amount to, by group. */
struct groups {
    bool identity; /* who the server is: listed, and verified */
    bool other;    /* something besides that */
    bool rhythm;
};

static bool is_one_of(const char *word, const char *const words[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (streq(word, words[i]))
            return true;
    return false;
}

static struct groups groups_of(const struct lamp_track_conn *c)
{
    static const char *const identities[] = { "address", "tls-name", "dns-name",
                                              "tls-certificate" };
    static const char *const others[] = { "rhythm", "block-clock", "grammar-client",
                                          "grammar-server" };
    struct groups g = { false, false, false };
    for (size_t i = 0; i < c->n_evidence; i++) {
        const struct lamp_track_evidence *e = &c->evidence[i];
        if (streq(e->strength, "speaks against"))
            continue;
        g.identity |=
            streq(e->strength, "strong") && is_one_of(e->kind, identities, ARRAY_LEN(identities));
        g.other |= is_one_of(e->kind, others, ARRAY_LEN(others));
        g.rhythm |= streq(e->kind, "rhythm");
    }
    return g;
}

__attribute__((format(printf, 5, 6))) static void tell(struct lamp_lift *l, const char *kind,
                                                       const char *strength, const char *refute,
                                                       const char *fmt, ...)
{
    struct lamp_track_evidence *e = &l->evidence[l->n_evidence++];
    va_list ap;
    *e = (struct lamp_track_evidence){ .side = LAMP_SIDE_SERVER };
    snprintf(e->kind, sizeof(e->kind), "%s", kind);
    snprintf(e->strength, sizeof(e->strength), "%s", strength);
    snprintf(e->refute, sizeof(e->refute), "%s", refute);
    va_start(ap, fmt);
    vsnprintf(e->detail, sizeof(e->detail), fmt, ap);
    va_end(ap);
}

void lamp_lift_weigh(const struct lamp_track_conn *c, uint32_t confidence,
                     const struct lamp_server_known *k, uint64_t now_us, struct lamp_lift *out)
{
    const struct groups g = groups_of(c);
    const bool up = k->state == LAMP_POOL_UP;
    const bool probed =
        k->probed_us && now_us < k->probed_us + (up ? LAMP_POOL_YES_US : LAMP_POOL_NO_US);
    const bool yes = probed && up, no = probed && k->state == LAMP_POOL_LISTEN;
    const bool fleet = k->mined && !g.identity;
    double p = confidence > 5000 ? confidence / 1e4 : 0.5;
    *out = (struct lamp_lift){ .verdict = LAMP_VERDICT_SUSPECTED };
    if (fleet)
        p = with(p, VERIFIED);
    if (yes)
        p = with(p, PROBE_YES);
    if (no)
        p = without(p, PROBE_NO);
    if (yes)
        tell(out, "probe", "strong", "another service at the server's address and port",
             "asked, the server answers as a pool does (%s): %s", k->family, k->reason);
    if (no)
        tell(out, "probe", "speaks against",
             "a pool that answers those alone whom it knows, or only in a protocol of its own",
             "asked, the server does not answer as a pool does: %s", k->reason);
    if (fleet)
        tell(out, "fleet", "strong", "another service at the server's address and port",
             "another client, at %s, was confirmed to mine at this server within a day", k->site);
    out->confidence = (uint32_t)lround(1e4 * (p < CERTAINTY_MAX ? p : CERTAINTY_MAX));
    if (p < PROBABLE_MIN || !(yes || (fleet && g.other)))
        return;
    out->verdict =
        yes && (g.identity || fleet) && g.rhythm ? LAMP_VERDICT_CONFIRMED : LAMP_VERDICT_PROBABLE;
    out->flags = (yes ? (uint32_t)LAMP_CONN_PROBED : 0U) | (fleet ? (uint32_t)LAMP_CONN_FLEET : 0U);
}

struct lamp_rate lamp_lift_rate(const struct lamp_server_known *k, const lamp_catalogue *catalogue,
                                const char *algorithm, uint32_t shares, uint64_t now_us)
{
    double hashes = 0;
    if (streq(k->family, "cryptonote")) {
        hashes = k->difficulty;
    } else if (streq(k->family, "stratum-v1") && catalogue) {
        const struct lamp_algorithm *a = lamp_catalogue_algorithm(catalogue, algorithm);
        hashes = a ? k->difficulty * a->hashes_per_diff1 : 0;
    }
    struct lamp_rate r = { .method = LAMP_RATE_NONE };
    if (hashes > 0 && hashes < SHARE_HASHES_MAX && shares <= EARLY_SHARES_MAX &&
        k->state == LAMP_POOL_UP && now_us < k->probed_us + LAMP_POOL_YES_US)
        r = lamp_rate_from_shares(hashes * shares, shares, LAMP_WIRE_EARLY_S);
    if (r.method != LAMP_RATE_NONE)
        r.method = LAMP_RATE_TIMING;
    return r;
}
