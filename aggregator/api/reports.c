/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that add up or list what belongs to no single miner: coins, gaps, the never list. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json.h"
#include "common/text.h"

#include <stdio.h>

enum {
    ROWS = 200,
    ROWS_MAX = 1000,
    POINTS_MAX = 20000,
    GAPS_MAX = 500,
    STEP_MIN_S = 60,
    STEP_MAX_S = 86400,
    STEP_DEFAULT_S = 300,
};

/* ---- coins ---- */

static bool read_by(const struct lamp_request *req, struct lamp_reply *reply,
                    enum lamp_coin_by *out)
{
    static const char *const names[] = { "site", "host", "pool", "platform", "wallet" };
    const char *text = lamp_request_query(req, "by");
    size_t i = 0;
    while (text && i < ARRAY_LEN(names) && !streq(text, names[i]))
        i++;
    if (i == ARRAY_LEN(names))
        return lamp_api_bad(reply, "by", "site, host, pool, platform or wallet");
    *out = (enum lamp_coin_by)i;
    return true;
}

struct coins {
    struct lamp_json *j;
    enum lamp_coin_by by;
};

static bool add_coin(const struct lamp_coin_view *v, void *arg)
{
    const struct coins *c = arg;
    if (c->by == LAMP_COINS_BY_TIME)
        lamp_api_json_coin_point(c->j, v);
    else
        lamp_api_json_coin(c->j, v, c->by);
    return true;
}

/* Answers with the array `key` of what the filter finds. */
static void answer_coins(lamp_api *api, const struct lamp_request *req,
                         const struct lamp_coin_filter *f, const char *key,
                         struct lamp_reply *reply)
{
    struct coins c = { &reply->json, f->by };
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    lamp_json_object(c.j, NULL);
    lamp_json_array(c.j, key);
    const int err = lamp_store_coins(s, f, add_coin, &c);
    lamp_json_end(c.j);
    lamp_json_end(c.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
}

void lamp_api_get_coins(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_coin_filter f = { .by = LAMP_COINS_BY_SITE };
    int64_t limit = ROWS;
    if (!read_by(req, reply, &f.by) || !lamp_api_site_of(req, reply, &f.site) ||
        !lamp_api_span(req, reply, &f.from_us, &f.to_us) ||
        !lamp_api_int(req, reply, "limit", 1, ROWS_MAX, &limit))
        return;
    f.limit = (uint32_t)limit;
    answer_coins(app, req, &f, "coins", reply);
}

void lamp_api_get_coin_series(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_coin_filter f = { .by = LAMP_COINS_BY_TIME, .limit = POINTS_MAX };
    int64_t step_s = STEP_DEFAULT_S;
    if (!lamp_api_site_of(req, reply, &f.site) ||
        !lamp_api_span(req, reply, &f.from_us, &f.to_us) ||
        !lamp_api_int(req, reply, "step", STEP_MIN_S, STEP_MAX_S, &step_s))
        return;
    f.step_minutes = (uint32_t)(step_s / STEP_MIN_S);
    answer_coins(app, req, &f, "points", reply);
}

/* ---- gaps ---- */

static bool add_gap(const struct lamp_gap_view *v, void *arg)
{
    lamp_api_json_gap(arg, v);
    return true;
}

void lamp_api_get_gaps(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const char *sensor;
    if (!lamp_api_name_of(req, reply, "sensor", &sensor))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(&reply->json, NULL);
    lamp_json_array(&reply->json, "gaps");
    const int err = lamp_store_gaps(s, sensor, GAPS_MAX, add_gap, &reply->json);
    lamp_json_end(&reply->json);
    lamp_json_end(&reply->json);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- what is never blocked ---- */

void lamp_api_get_never(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const struct lamp_api *api = app;
    struct lamp_json *j = &reply->json;
    (void)req;
    lamp_json_object(j, NULL);
    lamp_json_array(j, "never");
    for (size_t i = 0; i < api->cfg.n_never; i++) {
        char target[LAMP_PREFIX_STRLEN];
        lamp_json_object(j, NULL);
        lamp_json_str(j, "target", lamp_prefix_str(&api->cfg.never[i], target));
        lamp_json_str(j, "source", i < api->cfg.n_never_said ? "configuration" : "aggregator");
        lamp_json_end(j);
    }
    lamp_json_end(j);
    lamp_json_end(j);
}
