/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/policy/guard.h"

#include <stdio.h>
#include <time.h>

struct lamp_guard {
    struct lamp_guard_cfg cfg;
};

int lamp_guard_new(const struct lamp_guard_cfg *cfg, lamp_guard **out)
{
    lamp_guard *g = calloc(1, sizeof(*g));
    if (!g)
        return LAMP_ENOMEM;
    g->cfg = *cfg;
    *out = g;
    return LAMP_OK;
}

lamp_guard *lamp_guard_free(lamp_guard *g)
{
    free(g);
    return NULL;
}

/* "10.0.0.7 at north", with the VLAN where there is one. */
static void name_host(const struct lamp_guard_news *n, char *buf, size_t size)
{
    char addr[LAMP_ADDR_STRLEN], vlan[24] = "";
    if (n->conn->row.vlan)
        snprintf(vlan, sizeof(vlan), " (VLAN %u)", n->conn->row.vlan & 0xfff);
    snprintf(buf, size, "%s%s at %s", lamp_addr_str(&n->conn->row.client_addr, addr), vlan,
             n->site);
}

/* A probable miner that becomes a confirmed one is no probable one any more. */
static int alert_miner(lamp_guard *g, const struct lamp_guard_news *n, bool marked)
{
    const struct lamp_track_conn *c = n->conn;
    const bool confirmed = c->row.verdict == LAMP_VERDICT_CONFIRMED;
    struct lamp_alert a = { .miner_id = c->miner_id };
    char host[LAMP_ADDR_STRLEN + LAMP_NAME_MAX + 40], server[LAMP_ADDR_STRLEN];
    const char *coin = c->text[LAMP_TEXT_COIN], *wallet = c->text[LAMP_TEXT_WALLET];
    name_host(n, host, sizeof(host));
    snprintf(a.subject, sizeof(a.subject), "%s", host);
    snprintf(a.site, sizeof(a.site), "%s", n->site);
    snprintf(a.text, sizeof(a.text), "%s %s%s%.16s at %s port %u%s%.100s.", host,
             confirmed ? "mines" : "probably mines", *coin ? " " : "", coin,
             lamp_addr_str(&c->row.server_addr, server), c->row.server_port,
             *wallet ? ", wallet " : "", wallet);
    a.kind = LAMP_ALERT_MINER_CONFIRMED;
    if (marked || confirmed) {
        const int err = lamp_alarms_set(g->cfg.alarms, &a, !marked, n->now_us);
        if (err != LAMP_OK)
            return err;
    }
    a.kind = LAMP_ALERT_MINER_PROBABLE;
    return lamp_alarms_set(g->cfg.alarms, &a, !marked && !confirmed, n->now_us);
}

/* The hours of a policy are those of the aggregator's time zone. */
static int hold_against_rules(lamp_guard *g, const struct lamp_guard_news *n, enum lamp_mark mark)
{
    const time_t now = (time_t)(n->now_us / 1000000);
    struct tm tm = { 0 };
    localtime_r(&now, &tm);
    return lamp_rules_mined(g->cfg.rules, &(struct lamp_rules_news){
                                              .site = n->site,
                                              .conn = n->conn,
                                              .mark = mark,
                                              .now_us = n->now_us,
                                              .weekday = (unsigned)(tm.tm_wday + 6) % 7,
                                              .minute = (unsigned)(tm.tm_hour * 60 + tm.tm_min),
                                          });
}

int lamp_guard_mined(lamp_guard *g, const struct lamp_guard_news *n)
{
    const struct lamp_conn_row *r = &n->conn->row;
    struct lamp_pair_mark mark;
    if (r->verdict < LAMP_VERDICT_PROBABLE)
        return LAMP_OK;
    int err = lamp_store_pair_mark(g->cfg.store,
                                   &(struct lamp_track_pair){ .site_ref = n->conn->site_ref,
                                                              .client = r->client_addr,
                                                              .server = r->server_addr,
                                                              .vlan = r->vlan,
                                                              .server_port = r->server_port,
                                                              .ip_proto = r->ip_proto },
                                   &mark);
    bool judged = false;
    if (err == LAMP_OK && mark.rig)
        err = lamp_rigs_mined(g->cfg.rigs,
                              &(struct lamp_rig_news){ .site = n->site,
                                                       .sensor = n->sensor,
                                                       .conn = n->conn,
                                                       .delta = n->delta,
                                                       .at_us = n->at_us },
                              &judged);
    if (err == LAMP_OK)
        err = alert_miner(g, n, judged || mark.mark != LAMP_MARK_NONE);
    return err == LAMP_OK ? hold_against_rules(g, n, mark.mark) : err;
}

int lamp_guard_marked(lamp_guard *g, int64_t miner_id, enum lamp_mark mark, const char *by,
                      const char *reason, uint64_t now_us)
{
    enum {
        MINERS = 1U << LAMP_ALERT_MINER_PROBABLE | 1U << LAMP_ALERT_MINER_CONFIRMED |
                 1U << LAMP_ALERT_POLICY,
        RIGS = 1U << LAMP_ALERT_FOREIGN_WALLET | 1U << LAMP_ALERT_FOREIGN_POOL |
               1U << LAMP_ALERT_UNKNOWN_WORKER | 1U << LAMP_ALERT_SHARES_REJECTED |
               1U << LAMP_ALERT_NO_SHARES | 1U << LAMP_ALERT_RATE_DROPPED |
               1U << LAMP_ALERT_BASELINE_SILENT,
    };
    static const struct {
        uint32_t kinds;
        const char *said;
    } ends[] = {
        [LAMP_MARK_NONE] = { RIGS, "unmarked" },
        [LAMP_MARK_SANCTIONED] = { MINERS, "sanctioned" },
        [LAMP_MARK_DISMISSED] = { MINERS | RIGS, "dismissed" },
    };
    char why[LAMP_ALERT_TEXT / 2];
    snprintf(why, sizeof(why), "It ended since %.64s %s the miner%s%.120s.", by, ends[mark].said,
             *reason ? ": " : "", reason);
    if (mark != LAMP_MARK_SANCTIONED)
        lamp_rigs_forget(g->cfg.rigs, miner_id);
    return lamp_alarms_end(g->cfg.alarms, miner_id, ends[mark].kinds, why, now_us);
}
