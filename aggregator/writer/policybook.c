/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/policybook.h"

#include <stdio.h>

#define SECOND_US UINT64_C(1000000)
#define DAY_US (UINT64_C(86400) * SECOND_US)

enum { SAMPLE_TIMES = 10, SAMPLE_BYTES = 4 * 1024 * 1024, SAMPLE_S = 300, SAMPLE_WAIT_S = 3600 };

struct standing {
    size_t n;
    int64_t id;
    uint16_t confidence; /* of the policy with this id */
};

static bool count_policy(const struct lamp_policy *p, void *arg)
{
    struct standing *there = arg;
    there->n++;
    if (p->id == there->id)
        there->confidence = p->confidence;
    return true;
}

static int refuse(struct lamp_command_result *r, int err, const char *why)
{
    snprintf(r->why, sizeof(r->why), "%s", why);
    return err;
}

/* ADD and EDIT: the terms are those of the command. */
static int take_terms(lamp_store *store, const struct lamp_command *c, uint64_t now_us,
                      struct lamp_command_result *r)
{
    struct lamp_policy p = c->policy;
    struct standing there = { .id = p.id };
    const char *problem = lamp_rule_problem(&p);
    int err = lamp_store_policies(store, count_policy, &there);
    if (err != LAMP_OK)
        return err;
    if (c->policy_change == LAMP_POLICY_EDIT && c->keep_confidence)
        p.confidence = there.confidence;
    if (problem)
        return refuse(r, LAMP_EINVAL, problem);
    if (c->policy_change == LAMP_POLICY_ADD && there.n >= LAMP_POLICIES_MAX)
        return refuse(r, LAMP_EFULL, "there are 64 policies, which is the most there can be");
    p.mode = LAMP_POLICY_DRY_RUN;
    p.created_us = p.mode_us = now_us;
    snprintf(p.created_by, sizeof(p.created_by), "%s", c->actor);
    snprintf(p.mode_by, sizeof(p.mode_by), "%s", c->actor);
    err = c->policy_change == LAMP_POLICY_ADD ? lamp_store_policy_add(store, &p)
                                              : lamp_store_policy_edit(store, &p);
    r->key_id = p.id;
    return err == LAMP_EEXIST ? refuse(r, err, "a policy has this name already") : err;
}

int lamp_policybook_command(lamp_store *store, const struct lamp_command *c, uint64_t now_us,
                            struct lamp_command_result *r)
{
    const struct lamp_policy *p = &c->policy;
    int err = LAMP_OK;
    r->key_id = p->id;
    switch (c->policy_change) {
    case LAMP_POLICY_ADD:
    case LAMP_POLICY_EDIT:
        err = take_terms(store, c, now_us, r);
        break;
    case LAMP_POLICY_MODE:
        err = lamp_store_policy_mode(store, p->id, p->mode, c->actor, now_us);
        break;
    case LAMP_POLICY_PLACE:
        err = lamp_store_policy_place(store, p->id, p->place);
        break;
    case LAMP_POLICY_REMOVE:
        err = lamp_store_policy_remove(store, p->id);
        break;
    }
    if (err == LAMP_ENOENT)
        snprintf(r->why, sizeof(r->why), "no policy has number %lld", (long long)p->id);
    return err;
}

/* ---- samples ---- */

struct earlier {
    const char *by;
    uint64_t after_us;
    int64_t id; /* 0: none */
};

static bool find_earlier(const struct lamp_sample *v, void *arg)
{
    struct earlier *e = arg;
    if (v->created_us > e->after_us && streq(v->created_by, e->by))
        e->id = v->id;
    return e->id == 0;
}

int lamp_policybook_sample(lamp_store *store, lamp_samplebook *samples,
                           struct lamp_answers *answers, const struct lamp_policy *p,
                           const struct lamp_rules_news *n, int64_t *out_id, char *why, size_t size)
{
    const struct lamp_conn_row *row = &n->conn->row;
    struct lamp_command_result result = { .key_id = 0 };
    struct lamp_command c = { .kind = LAMP_CMD_SAMPLE, .sample_change = LAMP_SAMPLE_ORDER };
    *out_id = 0;
    snprintf(c.actor, sizeof(c.actor), "policy %s", p->name);
    struct earlier e = { c.actor, n->now_us > DAY_US ? n->now_us - DAY_US : 0, 0 };
    int err = lamp_store_samples(
        store, &(struct lamp_sample_filter){ .miner_id = n->conn->miner_id }, find_earlier, &e);
    if (err || e.id) {
        snprintf(why, size, "sample %lld is less than a day old", (long long)e.id);
        return err;
    }
    if (!samples) {
        snprintf(why, size, "this aggregator takes no samples");
        return LAMP_OK;
    }
    c.sample = (struct lamp_sample){
        .what = LAMP_SAMPLE_MINER,
        .miner_id = n->conn->miner_id,
        .packets_per_connection = p->sample,
        .packets = p->sample * SAMPLE_TIMES < LAMP_POLICY_SAMPLE_MAX ? p->sample * SAMPLE_TIMES
                                                                     : LAMP_POLICY_SAMPLE_MAX,
        .duration_s = SAMPLE_S,
        .snaplen = 65535,
        .bytes_max = SAMPLE_BYTES,
        .matches = { { .host = row->client_addr,
                       .remote = row->server_addr,
                       .remote_port = row->server_port,
                       .ip_proto = row->ip_proto } },
        .n_matches = 1,
        .expires_us = SAMPLE_WAIT_S * SECOND_US,
    };
    snprintf(c.sample.site, sizeof(c.sample.site), "%s", n->site);
    snprintf(c.sample.reason, sizeof(c.sample.reason), "policy %s", p->name);
    err = lamp_samplebook_command(samples, &c, answers, n->now_us, &result);
    *out_id = err == LAMP_OK ? result.key_id : 0;
    if (err == LAMP_ESTORE || err == LAMP_ENOMEM)
        return err;
    snprintf(why, size, "%s", result.why);
    return LAMP_OK;
}
