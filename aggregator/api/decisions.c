/* SPDX-License-Identifier: Apache-2.0 */
/* The block list as bouncers of CrowdSec take it: GET /v1/decisions/stream of its Local API
 * (crowdsecurity.github.io/api_doc/lapi, "getDecisionsStream"). A decision is about an address or a prefix
 * outside; CrowdSec knows no ports, sites or names, so blocks of an inside host or a domain are left out, and
 * those of one port unless the configuration says that they are to be widened. */
#include "aggregator/api/impl.h"

#include "common/clock.h"

#include <stdio.h>

enum { DECISIONS_MAX = 20000 };

#define SECOND_US UINT64_C(1000000)
#define SLACK_US (5 * SECOND_US)       /* between the writer's clock and the commit that shows */
#define UNKNOWN_US (86400 * SECOND_US) /* whose last time is not known: what ended since */
#define FOR_EVER_S 31536000

struct decision {
    int64_t id;
    struct lamp_prefix prefix;
    uint64_t from_us, until_us; /* in force; until_us 0: no end */
    bool in_force;
};

struct decisions {
    const lamp_api *api;
    uint64_t now_us;
    struct decision *v; /* DECISIONS_MAX places */
    size_t n;
};

static bool add_block(const struct lamp_block_view *b, void *arg)
{
    struct decisions *d = arg;
    if (b->kind != LAMP_BLOCK_REMOTE || (b->port && !d->api->cfg.widen_decisions) ||
        b->approval == LAMP_APPROVAL_WAITING || b->approval == LAMP_APPROVAL_REFUSED)
        return true;
    const bool over = b->expires_us && b->expires_us <= d->now_us;
    d->v[d->n++] = (struct decision){
        .id = b->id,
        .prefix = b->prefix,
        .from_us = b->decided_us > b->created_us ? b->decided_us : b->created_us,
        .until_us = b->removed_us ? b->removed_us : b->expires_us,
        .in_force = b->removed_us == 0 && !over,
    };
    return d->n < DECISIONS_MAX;
}

/* By prefix, those in force first, of these the one that lasts longest. */
static int compare(const void *a, const void *b)
{
    const struct decision *x = a, *y = b;
    int order = memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b));
    if (order == 0)
        order = (int)x->prefix.len - (int)y->prefix.len;
    if (order == 0)
        order = (int)y->in_force - (int)x->in_force;
    const uint64_t x_end = x->until_us - 1, y_end = y->until_us - 1; /* no end: the last of all */
    return order ? order : x_end < y_end ? 1 : x_end > y_end ? -1 : 0;
}

static bool same_prefix(const struct decision *a, const struct decision *b)
{
    return a->prefix.len == b->prefix.len && lamp_addr_eq(&a->prefix.addr, &b->prefix.addr);
}

static void write_decision(struct lamp_json *j, const struct decision *d, uint64_t now_us)
{
    char value[LAMP_PREFIX_STRLEN], duration[32];
    const int64_t left_s =
        d->until_us == 0 ? FOR_EVER_S : ((int64_t)d->until_us - (int64_t)now_us) / 1000000;
    snprintf(duration, sizeof(duration), "%llds",
             (long long)(d->in_force  ? (left_s > 0 ? left_s : 1)
                         : left_s < 0 ? left_s
                                      : -1));
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", d->id);
    lamp_json_str(j, "origin", "davylamp");
    lamp_json_str(j, "type", "ban");
    lamp_json_str(j, "scope", d->prefix.len == 128 ? "Ip" : "Range");
    lamp_json_str(j, "value", lamp_prefix_str(&d->prefix, value));
    lamp_json_str(j, "duration", duration);
    lamp_json_str(j, "scenario", "davylamp/mining");
    lamp_json_end(j);
}

/* Each prefix once: what began (began) or ended since then. */
static void write_list(struct lamp_json *j, const char *key, const struct decisions *d, bool began,
                       uint64_t since_us)
{
    lamp_json_array(j, key);
    for (size_t i = 0; i < d->n; i++) {
        const struct decision *x = &d->v[i];
        if (i > 0 && same_prefix(x, x - 1))
            continue; /* said already: with what is in force, if anything is */
        if (x->in_force == began && (began ? x->from_us : x->until_us) >= since_us)
            write_decision(j, x, d->now_us);
    }
    lamp_json_end(j);
}

/* Where it is noted when this token last took the stream; else where there is room for it. */
static struct lamp_pull *pull_of(lamp_api *api, int64_t token_id)
{
    struct lamp_pull *at = &api->pulls[0];
    for (size_t i = 0; i < LAMP_API_PULLS; i++) {
        if (api->pulls[i].token_id == token_id)
            return &api->pulls[i];
        if (api->pulls[i].at_us < at->at_us)
            at = &api->pulls[i]; /* the one that was longest away makes room */
    }
    return at;
}

/* When this token last took the stream; 0: it is not known. */
static uint64_t last_pull(lamp_api *api, int64_t token_id)
{
    pthread_mutex_lock(&api->pulls_lock);
    const struct lamp_pull *at = pull_of(api, token_id);
    const uint64_t last_us = at->token_id == token_id ? at->at_us : 0;
    pthread_mutex_unlock(&api->pulls_lock);
    return last_us;
}

static void note_pull(lamp_api *api, int64_t token_id, uint64_t now_us)
{
    pthread_mutex_lock(&api->pulls_lock);
    *pull_of(api, token_id) = (struct lamp_pull){ token_id, now_us };
    pthread_mutex_unlock(&api->pulls_lock);
}

void lamp_api_get_decisions(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    const char *startup = lamp_request_query(req, "startup");
    const struct lamp_block_filter f = { .with_removed = true };
    if (startup && !streq(startup, "true") && !streq(startup, "false")) {
        lamp_reply_error(reply, 400, "invalid", "startup", "This must be true or false.");
        return;
    }
    struct decisions d = { .api = api, .now_us = req->now_us };
    d.v = calloc(DECISIONS_MAX, sizeof(*d.v));
    if (!d.v) {
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
        return;
    }
    const uint64_t last_us = last_pull(api, req->who.token_id);
    const bool all = (startup && *startup == 't') || last_us < SLACK_US;
    const uint64_t since_us = all ? 0 : last_us - SLACK_US;
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    const int err = lamp_store_blocks(s, &f, add_block, &d);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
    if (!err) {
        note_pull(api, req->who.token_id, req->now_us);
        qsort(d.v, d.n, sizeof(*d.v), compare);
        lamp_json_object(&reply->json, NULL);
        write_list(&reply->json, "new", &d, true, since_us);
        write_list(&reply->json, "deleted", &d, false, all ? req->now_us - UNKNOWN_US : since_us);
        lamp_json_end(&reply->json);
    }
    free(d.v);
}
