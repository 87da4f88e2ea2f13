/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/policy/rigs.h"

#include "aggregator/policy/match.h"
#include "aggregator/store/spread.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define SECOND_US UINT64_C(1000000)
#define STEP_US (20 * SECOND_US)
#define GAP_US (30 * SECOND_US)       /* a longer one in what a sensor tells starts anew */
#define GOOD_US (10 * 60 * SECOND_US) /* by the lists again for so long, and the alert ends */
#define RARE 20.7                     /* -ln(1e-9) */
#define UNLIKELY 13.8                 /* -ln(1e-6) */

enum {
    STEPS = 180,       /* an hour */
    BASE_STEPS = 30,   /* ten minutes at least to compare with */
    BASE_SHARES = 30,  /* and so many shares */
    SHARES_LEAST = 10, /* accepted in an hour: fewer say little about silence */
    SHARES_EVER = 3,   /* fewer say nothing */
    REJECTED_LEAST = 5,
    STEPS_A_MINUTE = 3,
    GONE_LEAST_S = 60, /* without a packet */
};

static const unsigned windows_s[] = { 60, 120, 300, 600, 1200 };

struct step {
    uint64_t no; /* STEP_US since 1970; 0: nothing */
    double work, squares;
    double difficulties; /* of the shares that were accepted, added up */
    uint32_t accepted, rejected;
    uint64_t packets;
};

/* What is wrong with a rig by the lists; the order of enum lamp_own_kind. */
struct foreign {
    bool known; /* how it stands in the store */
    bool open;
    uint64_t bad_us; /* when it was seen last; 0: never */
};

struct rig {
    char site[LAMP_NAME_MAX], sensor[LAMP_NAME_MAX];
    struct lamp_addr host;
    uint32_t vlan;
    int64_t miner_id;
    uint64_t from_us, until_us;     /* what is known of it without a gap */
    uint64_t share_us, accepted_us; /* newest; 0: none */
    uint64_t active_us;             /* newest packet of its mining; 0: none */
    double accepted, difficulties;  /* since from_us, as in struct step */
    double difficulty;              /* now; 0: not known */
    bool mined;                     /* a share of it was ever seen */
    struct step steps[STEPS];
    struct foreign foreign[LAMP_OWN_KINDS];
    bool gone, silent, rejecting,
        slow;    /* alerts that last, as far as is known; gone: no packets, silent: no shares */
    bool hushed; /* it is silent, and an alert of its baseline says so */
    bool known;  /* whether that is */
    double base; /* of the alert about its rate: hashes per second */
};

struct lamp_rigs {
    struct lamp_rigs_cfg cfg;
    struct lamp_own *own;
    size_t n_own;
    struct rig **rigs; /* LAMP_RIGS_MAX places */
    size_t n, at;
    uint64_t refused;
};

/* ---- the owner's lists ---- */

static bool load_own(const struct lamp_own *o, void *arg)
{
    lamp_rigs *r = arg;
    if (r->n_own < LAMP_OWN_MAX)
        r->own[r->n_own++] = *o;
    return true;
}

int lamp_rigs_reload(lamp_rigs *r)
{
    r->n_own = 0;
    return lamp_store_own(r->cfg.store, load_own, r);
}

int lamp_rigs_new(const struct lamp_rigs_cfg *cfg, lamp_rigs **out)
{
    lamp_rigs *r = calloc(1, sizeof(*r));
    if (!r)
        return LAMP_ENOMEM;
    r->cfg = *cfg;
    r->own = calloc(LAMP_OWN_MAX, sizeof(*r->own));
    r->rigs = calloc(LAMP_RIGS_MAX, sizeof(struct rig *));
    const int err = r->own && r->rigs ? lamp_rigs_reload(r) : LAMP_ENOMEM;
    if (err != LAMP_OK) {
        lamp_rigs_free(r);
        return err;
    }
    *out = r;
    return LAMP_OK;
}

lamp_rigs *lamp_rigs_free(lamp_rigs *r)
{
    if (!r)
        return NULL;
    for (size_t i = 0; r->rigs && i < r->n; i++)
        free(r->rigs[i]);
    free(r->rigs);
    free(r->own);
    free(r);
    return NULL;
}

void lamp_rigs_forget(lamp_rigs *r, int64_t miner_id)
{
    for (size_t i = r->n; i-- > 0;) {
        if (r->rigs[i]->miner_id != miner_id)
            continue;
        free(r->rigs[i]);
        r->rigs[i] = r->rigs[--r->n];
        r->rigs[r->n] = NULL;
    }
    r->at = 0;
}

uint64_t lamp_rigs_refused(const lamp_rigs *r)
{
    return r->refused;
}

/* Hex wallets (0x...) have no case. */
static bool is_wallet(const struct lamp_own *o, const char *wallet)
{
    return strncmp(o->value, "0x", 2) == 0 ? strcasecmp(o->value, wallet) == 0
                                           : streq(o->value, wallet);
}

/* "rig*" stands for all names that begin so. */
static bool is_worker(const struct lamp_own *o, const char *worker)
{
    const size_t n = strlen(o->value);
    return n > 0 && o->value[n - 1] == '*' ? strncmp(o->value, worker, n - 1) == 0
                                           : streq(o->value, worker);
}

enum judgement { NO_WORD, GOOD, FOREIGN };

/* What a list says of a connection, or where there is none for the site the baseline of the rig: nothing where
 * nothing is known. */
static enum judgement judge(const lamp_rigs *r, enum lamp_own_kind kind, const char *site,
                            const struct lamp_track_conn *c)
{
    const char *text = kind == LAMP_OWN_WALLET   ? c->text[LAMP_TEXT_WALLET]
                       : kind == LAMP_OWN_WORKER ? c->text[LAMP_TEXT_WORKER]
                                                 : "pool";
    enum judgement j = NO_WORD;
    for (size_t i = 0; i < r->n_own && *text; i++) {
        const struct lamp_own *o = &r->own[i];
        if (o->kind != kind || (*o->site && !streq(o->site, site)))
            continue;
        j = FOREIGN;
        if (kind == LAMP_OWN_POOL     ? lamp_match_pool(o->value, c)
            : kind == LAMP_OWN_WALLET ? is_wallet(o, text)
                                      : is_worker(o, text))
            return GOOD;
    }
    if (j != NO_WORD || kind != LAMP_OWN_WALLET || !r->cfg.habits)
        return j;
    switch (lamp_habits_wallet(r->cfg.habits, site, &c->row.client_addr, text)) {
    case LAMP_HABITS_KNOWN:
        return GOOD;
    case LAMP_HABITS_FOREIGN:
        return FOREIGN;
    default:
        return NO_WORD;
    }
}

/* ---- alerts ---- */

static void name_rig(const struct rig *g, char *buf, size_t size)
{
    char addr[LAMP_ADDR_STRLEN], vlan[24] = "";
    if (g->vlan)
        snprintf(vlan, sizeof(vlan), " (VLAN %u)", g->vlan & 0xfff);
    snprintf(buf, size, "%s%s at %s", lamp_addr_str(&g->host, addr), vlan, g->site);
}

__attribute__((format(printf, 6, 7))) static int set(lamp_rigs *r, const struct rig *g,
                                                     enum lamp_alert_kind kind, bool holds,
                                                     uint64_t at_us, const char *fmt, ...)
{
    struct lamp_alert a = { .kind = kind, .miner_id = g->miner_id };
    char rest[LAMP_ALERT_TEXT / 2];
    va_list ap;
    name_rig(g, a.subject, sizeof(a.subject));
    memcpy(a.site, g->site, sizeof(a.site));
    va_start(ap, fmt);
    vsnprintf(rest, sizeof(rest), fmt, ap);
    va_end(ap);
    snprintf(a.text, sizeof(a.text), "Rig %.200s %.250s.", a.subject, rest);
    return lamp_alarms_set(r->cfg.alarms, &a, holds, at_us);
}

static int set_foreign(lamp_rigs *r, struct rig *g, enum lamp_own_kind kind, bool holds,
                       const struct lamp_track_conn *c, uint64_t at_us)
{
    static const enum lamp_alert_kind kinds[LAMP_OWN_KINDS] = {
        [LAMP_OWN_WALLET] = LAMP_ALERT_FOREIGN_WALLET,
        [LAMP_OWN_POOL] = LAMP_ALERT_FOREIGN_POOL,
        [LAMP_OWN_WORKER] = LAMP_ALERT_UNKNOWN_WORKER,
    };
    struct foreign *f = &g->foreign[kind];
    char addr[LAMP_ADDR_STRLEN] = "";
    int err;
    if (c)
        lamp_addr_str(&c->row.server_addr, addr);
    if (kind == LAMP_OWN_WALLET)
        err = set(r, g, kinds[kind], holds, at_us, "mines to wallet %.120s, which is not yours",
                  c ? c->text[LAMP_TEXT_WALLET] : "");
    else if (kind == LAMP_OWN_POOL)
        err = set(r, g, kinds[kind], holds, at_us,
                  "mines at %.60s port %u (%.100s), no pool of yours", addr,
                  c ? c->row.server_port : 0, c ? c->text[LAMP_TEXT_SERVER_NAME] : "");
    else
        err = set(r, g, kinds[kind], holds, at_us, "mines as worker %.120s, which is not expected",
                  c ? c->text[LAMP_TEXT_WORKER] : "");
    f->known = true;
    f->open = holds;
    return err;
}

/* ---- what is known of a rig ---- */

static struct rig *find(lamp_rigs *r, const struct lamp_rig_news *n)
{
    const struct lamp_conn_row *row = &n->conn->row;
    for (size_t i = 0; i < r->n; i++) {
        struct rig *g = r->rigs[(r->at + i) % r->n];
        if (g->vlan == row->vlan && lamp_addr_eq(&g->host, &row->client_addr) &&
            streq(g->site, n->site)) {
            r->at = (r->at + i + 1) % r->n;
            return g;
        }
    }
    struct rig *g = r->n < LAMP_RIGS_MAX ? calloc(1, sizeof(*g)) : NULL;
    if (!g) {
        r->refused++;
        return NULL;
    }
    g->host = row->client_addr;
    g->vlan = row->vlan;
    g->from_us = n->at_us;
    snprintf(g->site, sizeof(g->site), "%s", n->site);
    r->rigs[r->n++] = g;
    return g;
}

static struct step *step_at(struct rig *g, uint64_t at_us)
{
    const uint64_t no = at_us / STEP_US;
    struct step *s = &g->steps[no % STEPS];
    if (s->no > no)
        return NULL;
    if (s->no < no)
        *s = (struct step){ .no = no };
    return s;
}

/* Starts anew: what was before is no measure any more. */
static void forget(struct rig *g, uint64_t from_us)
{
    memset(g->steps, 0, sizeof(g->steps));
    g->from_us = from_us;
    g->accepted = g->difficulties = 0;
    g->share_us = g->accepted_us = g->mined ? from_us : 0;
    g->active_us = g->active_us > from_us ? g->active_us : from_us;
}

static int judge_all(lamp_rigs *r, struct rig *g, const struct lamp_rig_news *n, bool *out_judged)
{
    static const enum lamp_own_kind kinds[] = { LAMP_OWN_POOL, LAMP_OWN_WALLET, LAMP_OWN_WORKER };
    bool wallet_is_foreign = false;
    int err = LAMP_OK;
    for (size_t i = 0; i < ARRAY_LEN(kinds) && err == LAMP_OK; i++) {
        const enum judgement j = judge(r, kinds[i], g->site, n->conn);
        struct foreign *f = &g->foreign[kinds[i]];
        *out_judged |= j != NO_WORD && kinds[i] != LAMP_OWN_WORKER;
        wallet_is_foreign |= j == FOREIGN && kinds[i] == LAMP_OWN_WALLET;
        /* Who mines to a wallet of another's has names of another's too. */
        if (j == FOREIGN && !(kinds[i] == LAMP_OWN_WORKER && wallet_is_foreign)) {
            f->bad_us = n->at_us;
            err = set_foreign(r, g, kinds[i], true, n->conn, n->at_us);
        } else if (j != FOREIGN && (!f->known || f->open) && n->at_us >= f->bad_us + GOOD_US) {
            err = set_foreign(r, g, kinds[i], false, NULL, n->at_us);
        }
    }
    return err;
}

int lamp_rigs_mined(lamp_rigs *r, const struct lamp_rig_news *n, bool *out_judged)
{
    const struct lamp_conn_row *d = n->delta;
    *out_judged = false;
    struct rig *g = find(r, n);
    if (!g)
        return LAMP_OK;
    snprintf(g->sensor, sizeof(g->sensor), "%s", n->sensor);
    g->miner_id = n->conn->miner_id;
    g->difficulty = n->conn->row.difficulty;
    struct step *s = step_at(g, n->at_us > 0 ? n->at_us - 1 : 0);
    const uint64_t packets = d->packets_up + d->packets_down;
    g->active_us = packets && n->at_us > g->active_us ? n->at_us : g->active_us;
    if (s) {
        s->packets += packets;
        s->work += d->work_hashes;
        s->squares += d->work_hashes * d->work_hashes / (d->work_shares ? d->work_shares : 1);
        s->accepted += d->accepted;
        s->difficulties += d->accepted * n->conn->row.difficulty;
        g->accepted += d->accepted;
        g->difficulties += d->accepted * n->conn->row.difficulty;
        s->rejected += d->rejected + d->stale;
    }
    if (d->submitted + d->accepted + d->rejected + d->stale > 0) {
        g->share_us = n->at_us;
        g->accepted_us = d->accepted || !g->mined ? n->at_us : g->accepted_us;
        g->mined = true;
    }
    return judge_all(r, g, n, out_judged);
}

/* ---- the look at a rig ---- */

struct sum {
    double seconds, work, squares;
    double difficulties, accepted, rejected;
};

/* The steps that begin within [from_us, to_us). */
static struct sum sum_of(const struct rig *g, uint64_t from_us, uint64_t to_us)
{
    const uint64_t first = (from_us + STEP_US - 1) / STEP_US;
    struct sum x = { .seconds = to_us > first * STEP_US
                                    ? (double)(to_us - first * STEP_US) / (double)SECOND_US
                                    : 0 };
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *s = &g->steps[i];
        if (s->no < first || s->no * STEP_US >= to_us)
            continue;
        x.work += s->work;
        x.squares += s->squares;
        x.accepted += s->accepted;
        x.difficulties += s->difficulties;
        x.rejected += s->rejected;
    }
    return x;
}

/* -ln of the bound of the chance to see n or fewer where m are expected. */
static double surprise_few(double n, double m)
{
    return n >= m ? 0 : m - n + (n > 0 ? n * log(n / m) : 0);
}

/* The same to see k or more of n where each comes with chance p. */
static double surprise_many(double k, double n, double p)
{
    const double q = k / n;
    if (q <= p)
        return 0;
    return n * (q * log(q / p) + (q < 1 ? (1 - q) * log((1 - q) / (1 - p)) : 0));
}

static bool rejects(const lamp_rigs *r, const struct rig *g, uint64_t now_us)
{
    for (size_t i = 0; i < ARRAY_LEN(windows_s); i++) {
        const uint64_t w_us = windows_s[i] * SECOND_US;
        const struct sum x = sum_of(g, now_us > w_us ? now_us - w_us : 0, now_us);
        const double n = x.accepted + x.rejected;
        if (x.rejected >= REJECTED_LEAST && x.rejected >= r->cfg.rejected * n &&
            surprise_many(x.rejected, n, r->cfg.rejected / 2) >= UNLIKELY)
            return true;
    }
    return false;
}

/* Whether it was watched for long enough to say that what the store knows of before is over. */
static bool settles(const struct rig *g, uint64_t now_us)
{
    return !g->known && now_us >= g->from_us + GOOD_US;
}

static int look_at_rejected(lamp_rigs *r, struct rig *g, uint64_t now_us)
{
    const struct sum x = sum_of(g, now_us - 600 * SECOND_US, now_us);
    const double n = x.accepted + x.rejected;
    if (!g->rejecting && rejects(r, g, now_us)) {
        g->rejecting = true;
        return set(r, g, LAMP_ALERT_SHARES_REJECTED, true, now_us,
                   "has %.0f %% of its shares rejected, %.0f in ten minutes", 100 * x.rejected / n,
                   x.rejected);
    }
    const bool over = n >= 10 && x.rejected < r->cfg.rejected / 2 * n;
    if ((g->rejecting && over) || (!g->rejecting && settles(g, now_us))) {
        if (g->rejecting)
            forget(g, now_us);
        g->rejecting = false;
        return set(r, g, LAMP_ALERT_SHARES_REJECTED, false, now_us, "%s", "");
    }
    return LAMP_OK;
}

/* The hour before its newest share (of those that were accepted). */
static struct sum hour_before(const struct rig *g, uint64_t until_us)
{
    const uint64_t hour_us = until_us - STEPS * STEP_US + STEP_US;
    return sum_of(g, hour_us > g->from_us ? hour_us : g->from_us, until_us);
}

/* How many shares should have come since: by how many came before, fewer where they became harder. */
static double missing(const struct rig *g, const struct sum *x, uint64_t now_us, uint64_t since_us)
{
    if (x->seconds <= 0 || now_us <= since_us)
        return 0;
    const double n = x->accepted / x->seconds * (double)(now_us - since_us) / (double)SECOND_US;
    const double before = x->accepted > 0 ? x->difficulties / x->accepted : 0;
    return g->difficulty > before && before > 0 ? n * before / g->difficulty : n;
}

/* Seconds without a packet that are no chance, by the whole minutes before the newest one; 0: not known. */
static double quiet_s(const struct rig *g)
{
    const uint64_t minute_us = STEPS_A_MINUTE * STEP_US, end = g->active_us / minute_us;
    uint64_t m = (g->from_us + minute_us - 1) / minute_us;
    struct lamp_spread_sum sum = { 0 };
    if (m + STEPS / STEPS_A_MINUTE - 1 < end)
        m = end - STEPS / STEPS_A_MINUTE + 1;
    for (; m < end; m++) {
        uint64_t packets = 0;
        for (uint64_t no = m * STEPS_A_MINUTE; no < (m + 1) * STEPS_A_MINUTE; no++)
            packets += g->steps[no % STEPS].no == no ? g->steps[no % STEPS].packets : 0;
        lamp_spread_add(&sum, (double)packets);
    }
    const struct lamp_spread spread = lamp_spread_of(&sum);
    return lamp_spread_quiet_s(&spread, sum.n, GONE_LEAST_S);
}

/* Whether anything of its mining is on the wire; a host with a baseline is its baseline's to watch. */
static int look_at_presence(lamp_rigs *r, struct rig *g, uint64_t now_us)
{
    const bool back = now_us < g->active_us + STEP_US;
    if (r->cfg.habits && lamp_habits_listens(r->cfg.habits, g->site, &g->host)) {
        g->gone = false;
        return LAMP_OK;
    }
    if (back && (g->gone || settles(g, now_us))) {
        if (g->gone)
            forget(g, now_us);
        g->gone = false;
        return set(r, g, LAMP_ALERT_BASELINE_SILENT, false, now_us, "%s", "");
    }
    const double without_s =
        now_us > g->active_us ? (double)(now_us - g->active_us) / (double)SECOND_US : 0;
    const double most_s = without_s >= GONE_LEAST_S ? quiet_s(g) : 0;
    if (g->gone || g->silent || most_s <= 0 || without_s < most_s)
        return LAMP_OK;
    g->gone = true;
    return set(r, g, LAMP_ALERT_BASELINE_SILENT, true, now_us,
               "has sent and received nothing of its mining for %.0f seconds; after %.0f that is "
               "no chance",
               without_s, most_s);
}

/* Of one that has shares seldom the hour says too little: all that is known of it counts. */
static bool is_silent(const lamp_rigs *r, const struct rig *g, uint64_t now_us)
{
    const uint64_t quiet_us = now_us > g->accepted_us ? now_us - g->accepted_us : 0;
    struct sum x = hour_before(g, g->accepted_us);
    if (x.accepted < SHARES_LEAST) {
        x.accepted = g->accepted;
        x.difficulties = g->difficulties;
        x.seconds = (double)(g->accepted_us - g->from_us) / (double)SECOND_US;
    }
    if (x.accepted < SHARES_EVER || x.seconds * 1e6 < BASE_STEPS * STEP_US)
        return false;
    return quiet_us >= r->cfg.silence_us && missing(g, &x, now_us, g->accepted_us) >= RARE;
}

static int look_at_silence(lamp_rigs *r, struct rig *g, uint64_t now_us)
{
    if (!g->mined)
        return LAMP_OK;
    const bool back = now_us < g->accepted_us + STEP_US;
    if (r->cfg.habits && lamp_habits_silent(r->cfg.habits, g->site, &g->host)) {
        g->hushed = true;
    } else if (g->hushed && back) {
        g->hushed = false;
        forget(g, now_us);
    }
    if (back && (g->silent || settles(g, now_us))) {
        if (g->silent)
            forget(g, now_us);
        g->silent = false;
        return set(r, g, LAMP_ALERT_NO_SHARES, false, now_us, "%s", "");
    }
    if (g->silent || g->gone || g->slow || g->rejecting || g->hushed || !is_silent(r, g, now_us))
        return LAMP_OK;
    g->silent = true;
    return set(r, g, LAMP_ALERT_NO_SHARES, true, now_us,
               "has had no share accepted for %.0f minutes",
               (double)(now_us - g->accepted_us) / (60 * (double)SECOND_US));
}

/* Whether the hash rate of some window is too low for chance. *out_base: what it was before. */
static bool is_slow(const lamp_rigs *r, const struct rig *g, uint64_t now_us, double *out_base,
                    double *out_rate)
{
    for (size_t i = 0; i < ARRAY_LEN(windows_s); i++) {
        const uint64_t from_us = now_us - windows_s[i] * SECOND_US;
        const struct sum x = sum_of(g, from_us, now_us);
        const uint64_t hour_us = now_us - STEPS * STEP_US + STEP_US;
        const struct sum base =
            sum_of(g, hour_us > g->from_us + STEP_US ? hour_us : g->from_us + STEP_US,
                   now_us - (uint64_t)(x.seconds * 1e6));
        const double shares = base.squares > 0 ? base.work * base.work / base.squares : 0;
        if (base.seconds < BASE_STEPS * STEP_US / 1e6 || shares < BASE_SHARES || x.seconds <= 0)
            continue;
        const double rate = base.work / base.seconds, now_rate = x.work / x.seconds;
        const double share = fmax(base.squares / base.work, x.work > 0 ? x.squares / x.work : 0);
        const double expected = rate * (1 - 3 / sqrt(shares)) * x.seconds / share;
        *out_base = rate;
        *out_rate = now_rate;
        if (now_rate < (1 - r->cfg.drop) * rate && surprise_few(x.work / share, expected) >= RARE)
            return true;
    }
    return false;
}

static int look_at_rate(lamp_rigs *r, struct rig *g, uint64_t now_us)
{
    double base = 0, rate = 0;
    const struct sum x = sum_of(g, now_us - 300 * SECOND_US, now_us);
    const bool over = x.seconds > 0 && x.work / x.seconds >= (1 - r->cfg.drop / 2) * g->base;
    if (g->slow ? over : settles(g, now_us)) {
        if (g->slow)
            forget(g, now_us);
        g->slow = false;
        return set(r, g, LAMP_ALERT_RATE_DROPPED, false, now_us, "%s", "");
    }
    /* One that may well be off is for look_at_silence(). */
    const struct sum before = hour_before(g, g->share_us);
    if (g->slow || g->gone || g->silent || g->hushed || g->rejecting ||
        missing(g, &before, now_us, g->share_us) >= UNLIKELY ||
        !is_slow(r, g, now_us, &base, &rate))
        return LAMP_OK;
    g->slow = true;
    g->base = base;
    return set(r, g, LAMP_ALERT_RATE_DROPPED, true, now_us,
               "makes %.0f %% of the hash rate that it made before", 100 * rate / base);
}

int lamp_rigs_interval(lamp_rigs *r, const char *sensor, uint64_t from_us, uint64_t to_us)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < r->n && err == LAMP_OK; i++) {
        struct rig *g = r->rigs[i];
        if (!streq(g->sensor, sensor) || to_us <= g->until_us)
            continue;
        if (g->until_us && from_us > g->until_us + GAP_US)
            forget(g, from_us);
        g->until_us = to_us;
        if (to_us < g->from_us + 60 * SECOND_US)
            continue;
        err = look_at_rejected(r, g, to_us);
        if (err == LAMP_OK)
            err = look_at_presence(r, g, to_us);
        if (err == LAMP_OK)
            err = look_at_silence(r, g, to_us);
        if (err == LAMP_OK)
            err = look_at_rate(r, g, to_us);
        g->known |= settles(g, to_us);
    }
    return err;
}
