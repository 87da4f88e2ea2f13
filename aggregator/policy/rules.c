/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/policy/rules.h"

#include "aggregator/policy/match.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define SECOND_US UINT64_C(1000000)
#define MEMORY_US (30 * UINT64_C(86400) * SECOND_US) /* of who is a repeater */

enum { DAY_MINUTES = 1440, LEASE_MIN_S = 60, LEASE_MAX_S = 31536000 };

struct lamp_rules {
    struct lamp_rules_cfg cfg;
    struct lamp_policy policies[LAMP_POLICIES_MAX];
    size_t n;
};

static bool load(const struct lamp_policy *p, void *arg)
{
    lamp_rules *r = arg;
    if (r->n == LAMP_POLICIES_MAX)
        return false;
    r->policies[r->n++] = *p;
    return true;
}

int lamp_rules_reload(lamp_rules *r)
{
    r->n = 0;
    return lamp_store_policies(r->cfg.store, load, r);
}

int lamp_rules_new(const struct lamp_rules_cfg *cfg, lamp_rules **out)
{
    lamp_rules *r = calloc(1, sizeof(*r));
    if (!r)
        return LAMP_ENOMEM;
    r->cfg = *cfg;
    const int err = lamp_rules_reload(r);
    if (err != LAMP_OK) {
        free(r);
        return err;
    }
    *out = r;
    return LAMP_OK;
}

lamp_rules *lamp_rules_free(lamp_rules *r)
{
    free(r);
    return NULL;
}

const char *lamp_rule_problem(const struct lamp_policy *p)
{
    if (!p->name[0])
        return "A policy needs a name.";
    if (p->verdict < LAMP_VERDICT_PROBABLE)
        return "Only what is probable or confirmed may be acted on.";
    if (p->confidence > LAMP_POLICY_SURE)
        return "A confidence is from 0 to 1.";
    if (p->days == 0 || p->days > 0x7f || p->from_minute >= DAY_MINUTES ||
        p->to_minute >= DAY_MINUTES)
        return "Days are some of the week, hours from 00:00 to 23:59.";
    if (p->sample > LAMP_POLICY_SAMPLE_MAX)
        return "A sample has 10,000 packets of a connection at most.";
    if (!p->alert && p->sample == 0 && p->block == LAMP_POLICY_NOTHING)
        return "A policy raises an alert, takes a sample of packets, or blocks.";
    if (p->everywhere && p->block != LAMP_POLICY_SERVER)
        return "Only servers can be blocked everywhere: a host is inside one site.";
    if (p->block != LAMP_POLICY_NOTHING &&
        (p->lease_s < LEASE_MIN_S || p->longest_s < p->lease_s || p->longest_s > LEASE_MAX_S))
        return "A block lasts 60 s to a year, and the longest no less than the first.";
    return NULL;
}

/* ---- what fits ---- */

/* A time past midnight belongs to the day on which its span began. */
static bool is_time(const struct lamp_policy *p, unsigned weekday, unsigned minute)
{
    const unsigned before = (weekday + 6) % 7;
    if (p->from_minute <= p->to_minute)
        return p->days >> weekday & 1 && (p->from_minute == p->to_minute ||
                                          (minute >= p->from_minute && minute < p->to_minute));
    return (p->days >> weekday & 1 && minute >= p->from_minute) ||
           (p->days >> before & 1 && minute < p->to_minute);
}

bool lamp_rule_fits(const struct lamp_policy *p, const struct lamp_rules_news *n, char *why,
                    size_t size)
{
    static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
    const struct lamp_track_conn *c = n->conn;
    if (c->row.verdict < p->verdict || c->row.confidence < p->confidence ||
        (*p->site && !streq(p->site, n->site)) ||
        (*p->coin && strcasecmp(p->coin, c->text[LAMP_TEXT_COIN]) != 0) ||
        (*p->pool && !lamp_match_pool(p->pool, c)) ||
        (n->mark != LAMP_MARK_NONE && !p->sanctioned) || !is_time(p, n->weekday, n->minute))
        return false;
    const char *coin = c->text[LAMP_TEXT_COIN];
    char at[48] = "", sure[64] = "";
    if (p->confidence)
        snprintf(sure, sizeof(sure), "; confidence %.4g, at least %.4g wanted",
                 c->row.confidence / (double)LAMP_POLICY_SURE,
                 p->confidence / (double)LAMP_POLICY_SURE);
    if (p->days != 0x7f || p->from_minute != p->to_minute)
        snprintf(at, sizeof(at), "; %s %02u:%02u is in its hours", days[n->weekday % 7],
                 n->minute / 60, n->minute % 60);
    snprintf(why, size, "%s, at least %s wanted%s%s%.16s%s%.200s%s%.64s%s%s",
             lamp_verdict_name(c->row.verdict), lamp_verdict_name(p->verdict), sure,
             *p->coin ? "; coin " : "", *p->coin ? coin : "", *p->pool ? "; pool " : "", p->pool,
             *p->site ? "; site " : "", p->site,
             n->mark == LAMP_MARK_NONE ? "; not marked as wanted" : "; marked ones too", at);
    return true;
}

/* ---- what is done ---- */

static struct lamp_block block_of(const struct lamp_policy *p, const struct lamp_rules_news *n)
{
    const struct lamp_conn_row *row = &n->conn->row;
    const bool host = p->block == LAMP_POLICY_HOST;
    struct lamp_block b = { .kind = host ? LAMP_BLOCK_HOST : LAMP_BLOCK_REMOTE,
                            .prefix = { host ? row->client_addr : row->server_addr, 128 },
                            .port = host ? 0 : row->server_port,
                            .ip_proto = host ? 0 : row->ip_proto,
                            .created_us = n->now_us };
    snprintf(b.site, sizeof(b.site), "%s", p->everywhere ? "" : n->site);
    snprintf(b.created_by, sizeof(b.created_by), "policy %s", p->name);
    return b;
}

static uint32_t lease_of(const struct lamp_policy *p, uint32_t before)
{
    const uint64_t lease = (uint64_t)p->lease_s << (before < 20 ? before : 20);
    return lease < p->longest_s ? (uint32_t)lease : p->longest_s;
}

static int enter(lamp_rules *r, struct lamp_block *b, uint32_t lease_s, struct lamp_policy_hit *h)
{
    char why[256] = "", target[LAMP_PREFIX_STRLEN], object[32], detail[LAMP_PREFIX_STRLEN + 100];
    int err = h->dry_run ? lamp_blocklist_check(r->cfg.blocks, b, why, sizeof(why))
                         : lamp_blocklist_add(r->cfg.blocks, b, why, sizeof(why));
    if (err == LAMP_ESTORE || err == LAMP_ENOMEM)
        return err;
    if (err != LAMP_OK) {
        snprintf(h->outcome, sizeof(h->outcome), "not blocked: %.250s", why);
        return LAMP_OK;
    }
    const char *verb = h->dry_run ? "would be blocked" : "blocked";
    if (b->approval == LAMP_APPROVAL_WAITING)
        snprintf(h->outcome, sizeof(h->outcome), "%s once a second person approves it: %.150s",
                 verb, b->needs);
    else
        snprintf(h->outcome, sizeof(h->outcome), "%s for %u s", verb, lease_s);
    if (h->dry_run)
        return LAMP_OK;
    h->block_id = b->id;
    r->cfg.blocked(b->id, r->cfg.arg);
    snprintf(object, sizeof(object), "block %lld", (long long)b->id);
    snprintf(detail, sizeof(detail), "%s%s%s", lamp_prefix_str(&b->prefix, target),
             *b->site ? " at " : "", b->site);
    return lamp_store_audit(r->cfg.store, b->created_by, "block", object, detail, b->created_us);
}

static int block(lamp_rules *r, const struct lamp_policy *p, const struct lamp_rules_news *n,
                 struct lamp_policy_hit *h)
{
    struct lamp_block b = block_of(p, n);
    struct lamp_block_past past;
    bool wanted = false;
    const uint64_t from_us = n->now_us > MEMORY_US ? n->now_us - MEMORY_US : 0;
    int err = lamp_store_block_past(r->cfg.store, &b, from_us, &past);
    if (err == LAMP_OK && p->block == LAMP_POLICY_SERVER)
        err = lamp_store_server_wanted(r->cfg.store, &n->conn->row.server_addr,
                                       n->conn->row.server_port, b.site, &wanted);
    if (err != LAMP_OK)
        return err;
    if (wanted) {
        snprintf(h->outcome, sizeof(h->outcome),
                 "not blocked: a sanctioned rig mines at this server");
        return LAMP_OK;
    }
    if (past.lifted_us && n->now_us < past.lifted_us + p->grace_s * SECOND_US) {
        snprintf(h->outcome, sizeof(h->outcome),
                 "not blocked: a person lifted such a block %llu s ago",
                 (unsigned long long)((n->now_us - past.lifted_us) / SECOND_US));
        return LAMP_OK;
    }
    const uint32_t lease_s = lease_of(p, past.by_policies);
    b.expires_us = n->now_us + lease_s * SECOND_US;
    snprintf(b.reason, sizeof(b.reason), "%.256s", h->why);
    return enter(r, &b, lease_s, h);
}

/* Says more of what came of it. */
__attribute__((format(printf, 2, 3))) static void tell(struct lamp_policy_hit *h, const char *fmt,
                                                       ...)
{
    const size_t n = strlen(h->outcome);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(h->outcome + n, sizeof(h->outcome) - n, fmt, ap);
    va_end(ap);
}

static int sample(lamp_rules *r, const struct lamp_policy *p, const struct lamp_rules_news *n,
                  struct lamp_policy_hit *h)
{
    const char *sep = *h->outcome ? "; " : "";
    char why[160] = "this aggregator takes no samples";
    int64_t id = 0;
    if (h->dry_run) {
        tell(h, "%swould have %u packets of a connection kept", sep, p->sample);
        return LAMP_OK;
    }
    const int err =
        r->cfg.sample ? r->cfg.sample(p, n, &id, why, sizeof(why), r->cfg.arg) : LAMP_OK;
    if (err == LAMP_OK && id)
        tell(h, "%ssample %lld ordered", sep, (long long)id);
    else if (err == LAMP_OK)
        tell(h, "%sno sample: %.100s", sep, why);
    return err;
}

static int raise_alert(lamp_rules *r, const struct lamp_policy *p, const struct lamp_rules_news *n,
                       const struct lamp_policy_hit *h)
{
    struct lamp_alert a = { .kind = LAMP_ALERT_POLICY, .miner_id = n->conn->miner_id };
    char host[LAMP_ADDR_STRLEN];
    lamp_addr_str(&h->host, host);
    snprintf(a.site, sizeof(a.site), "%s", n->site);
    snprintf(a.subject, sizeof(a.subject), "%s: %s at %s", p->name, host, n->site);
    snprintf(a.text, sizeof(a.text), "Policy %s fits %s at %s: %.300s.", p->name, host, n->site,
             h->why);
    return lamp_alarms_set(r->cfg.alarms, &a, true, n->now_us);
}

static int act(lamp_rules *r, const struct lamp_policy *p, const struct lamp_rules_news *n,
               const char *why)
{
    const struct lamp_conn_row *row = &n->conn->row;
    struct lamp_policy_hit h = { .policy_id = p->id,
                                 .miner_id = n->conn->miner_id,
                                 .conn_id = n->conn->id,
                                 .host = row->client_addr,
                                 .server = row->server_addr,
                                 .vlan = row->vlan,
                                 .server_port = row->server_port,
                                 .ip_proto = row->ip_proto,
                                 .dry_run = p->mode == LAMP_POLICY_DRY_RUN,
                                 .last_us = n->now_us };
    int err = LAMP_OK;
    snprintf(h.site, sizeof(h.site), "%s", n->site);
    snprintf(h.why, sizeof(h.why), "%s", why);
    if (p->block != LAMP_POLICY_NOTHING)
        err = block(r, p, n, &h);
    else if (p->alert)
        tell(&h, h.dry_run ? "would raise an alert" : "raised an alert");
    if (err == LAMP_OK && p->sample)
        err = sample(r, p, n, &h);
    if (err == LAMP_OK && p->alert && !h.dry_run)
        err = raise_alert(r, p, n, &h);
    return err == LAMP_OK ? lamp_store_policy_hit(r->cfg.store, &h) : err;
}

int lamp_rules_mined(lamp_rules *r, const struct lamp_rules_news *n)
{
    const struct lamp_conn_row *row = &n->conn->row;
    const struct lamp_miner_target target = { .id = n->conn->miner_id,
                                              .site = n->site,
                                              .host = row->client_addr,
                                              .server_addr = row->server_addr,
                                              .server_port = row->server_port,
                                              .ip_proto = row->ip_proto };
    char why[512];
    int err = LAMP_OK;
    for (size_t i = 0; i < r->n && err == LAMP_OK; i++) {
        const struct lamp_policy *p = &r->policies[i];
        /* What is blocked already still sends until the block is in the kernel. */
        if (p->mode != LAMP_POLICY_OFF && lamp_rule_fits(p, n, why, sizeof(why)) &&
            !(p->block != LAMP_POLICY_NOTHING && lamp_blocklist_covers(r->cfg.blocks, &target)))
            err = act(r, p, n, why);
    }
    return err;
}
