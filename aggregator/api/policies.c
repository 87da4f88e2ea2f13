/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about policies. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json_alerts.h"

#include <math.h>
#include <stdio.h>

enum {
    TTL_MAX_S = 31536000,
    LEASE_S = 3600,
    LONGEST_S = 7 * 86400,
    GRACE_S = 86400,
    EVERY_DAY = 0x7f,
};

struct list {
    struct lamp_json *j;
    int64_t id; /* 0: all */
    size_t n;
};

static bool add_policy(const struct lamp_policy *p, void *arg)
{
    struct list *l = arg;
    if (l->id == 0 || l->id == p->id) {
        lamp_api_json_policy(l->j, p);
        l->n++;
    }
    return true;
}

void lamp_api_get_policies(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct list l = { .j = &reply->json };
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(&reply->json, NULL);
    lamp_json_array(&reply->json, "policies");
    const int err = lamp_store_policies(s, add_policy, &l);
    lamp_json_end(&reply->json);
    lamp_json_end(&reply->json);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

static bool add_hit(const struct lamp_policy_hit *h, void *arg)
{
    lamp_api_json_policy_hit(arg, h);
    return true;
}

void lamp_api_get_dry_run(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_json *j = &reply->json;
    struct list l = { .j = j, .id = req->id };
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(j, NULL);
    lamp_json_array(j, "policy");
    int err = lamp_store_policies(s, add_policy, &l);
    lamp_json_end(j);
    lamp_json_array(j, "hits");
    if (!err)
        err = lamp_store_policy_hits(s, req->id, add_hit, j);
    lamp_json_end(j);
    lamp_json_end(j);
    if (err)
        lamp_api_store_failed(s, reply);
    else if (l.n == 0)
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no policy %lld.",
                         (long long)req->id);
    lamp_api_reader_done(app, s);
}

/* ---- changing ---- */

static void fail(struct lamp_body *b, const char *field, const char *message)
{
    if (!b->failed)
        lamp_reply_error(b->reply, 400, "invalid", field, "%s", message);
    b->failed = true;
}

static void read_text(struct lamp_body *b, const char *name, bool required, char *buf, size_t size)
{
    const char *text = lamp_body_str(b, name, size - 1, required);
    snprintf(buf, size, "%s", text ? text : "");
}

static bool read_flag(struct lamp_body *b, const char *name, bool def)
{
    const json_t *v = json_object_get(b->object, name);
    if (v && !json_is_null(v) && !json_is_boolean(v))
        fail(b, name, "This must be true or false.");
    return json_is_boolean(v) ? json_is_true(v) : def;
}

static void read_verdict(struct lamp_body *b, struct lamp_policy *p)
{
    const char *text = lamp_body_str(b, "verdict", 16, false);
    p->verdict = LAMP_VERDICT_CONFIRMED;
    if (text &&
        (lamp_verdict_parse(text, &p->verdict) != LAMP_OK || p->verdict < LAMP_VERDICT_PROBABLE))
        fail(b, "verdict", "This must be probable or confirmed.");
}

/* 0 to 1; null is 0. False: nothing is said of it. */
static bool read_confidence(struct lamp_body *b, struct lamp_policy *p)
{
    const json_t *v = json_object_get(b->object, "confidence");
    const double sure = json_number_value(v);
    if (v && !json_is_null(v) && !(json_is_number(v) && sure >= 0 && sure <= 1))
        fail(b, "confidence", "This must be a number from 0 to 1.");
    else
        p->confidence = (uint16_t)lround(sure * LAMP_POLICY_SURE);
    return v != NULL;
}

static void read_action(struct lamp_body *b, struct lamp_policy *p)
{
    const char *text = lamp_body_str(b, "block", 16, false);
    p->block = LAMP_POLICY_NOTHING;
    while (text && p->block < LAMP_POLICY_BLOCKS && !streq(text, lamp_policy_block_name(p->block)))
        p->block++;
    if (p->block == LAMP_POLICY_BLOCKS)
        fail(b, "block", "This must be nothing, host or server.");
}

/* Days as an array of names, hours as "08:00-18:00". */
static void read_times(struct lamp_body *b, struct lamp_policy *p)
{
    static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
    const json_t *days = json_object_get(b->object, "days"), *day;
    const char *hours = lamp_body_str(b, "hours", 11, false);
    unsigned from_h, from_m, to_h, to_m;
    size_t i;
    char end;
    p->days = json_is_array(days) ? 0 : EVERY_DAY;
    if (days && !json_is_array(days) && !json_is_null(days))
        fail(b, "days", "This must be a list.");
    json_array_foreach(days, i, day)
    {
        const char *name = json_string_value(day);
        size_t k = 0;
        while (k < ARRAY_LEN(names) && !(name && streq(name, names[k])))
            k++;
        if (k == ARRAY_LEN(names))
            fail(b, "days", "These must be some of mon, tue, wed, thu, fri, sat, sun.");
        else
            p->days |= (uint8_t)(1U << k);
    }
    if (!hours)
        return;
    if (sscanf(hours, "%2u:%2u-%2u:%2u%c", &from_h, &from_m, &to_h, &to_m, &end) != 4 ||
        from_h > 23 || to_h > 23 || from_m > 59 || to_m > 59) {
        fail(b, "hours", "This must look like 08:00-18:00.");
        return;
    }
    p->from_minute = (uint16_t)(from_h * 60 + from_m);
    p->to_minute = (uint16_t)(to_h * 60 + to_m);
}

static void answer_policy(lamp_api *api, const struct lamp_request *req, int64_t id,
                          struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    struct list l = { .j = &reply->json, .id = id };
    if (lamp_store_policies(s, add_policy, &l) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
}

/* The terms of a new policy, or the new ones of another. */
static void read_terms(struct lamp_body *b, struct lamp_policy *p)
{
    static const char *const names[] = { "name",       "verdict", "coin",   "pool",
                                         "site",       "days",    "hours",  "sanctioned",
                                         "alert",      "block",   "lease",  "longest",
                                         "everywhere", "grace",   "sample", "confidence" };
    lamp_body_known(b, names, ARRAY_LEN(names));
    read_text(b, "name", true, p->name, sizeof(p->name));
    read_text(b, "coin", false, p->coin, sizeof(p->coin));
    read_text(b, "pool", false, p->pool, sizeof(p->pool));
    read_text(b, "site", false, p->site, sizeof(p->site));
    read_verdict(b, p);
    read_action(b, p);
    read_times(b, p);
    p->sanctioned = read_flag(b, "sanctioned", false);
    p->everywhere = read_flag(b, "everywhere", false);
    p->sample = (uint32_t)lamp_body_int(b, "sample", 0, LAMP_POLICY_SAMPLE_MAX, 0);
    p->alert = read_flag(b, "alert", p->block == LAMP_POLICY_NOTHING && p->sample == 0);
    p->lease_s = (uint32_t)lamp_body_int(b, "lease", 60, TTL_MAX_S, LEASE_S);
    p->longest_s = (uint32_t)lamp_body_int(b, "longest", 60, TTL_MAX_S,
                                           p->lease_s > LONGEST_S ? p->lease_s : LONGEST_S);
    p->grace_s = (uint32_t)lamp_body_int(b, "grace", 0, TTL_MAX_S, GRACE_S);
}

static void put_policy(void *app, const struct lamp_request *req, struct lamp_reply *reply,
                       bool add)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_POLICY);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    cmd.policy_change = add ? LAMP_POLICY_ADD : LAMP_POLICY_EDIT;
    read_terms(&b, &cmd.policy);
    cmd.keep_confidence = !read_confidence(&b, &cmd.policy);
    cmd.policy.id = add ? 0 : req->id;
    if (b.failed || !lamp_api_run(app, req, &cmd, reply, &result))
        return;
    if (add)
        reply->status = 201;
    answer_policy(app, req, result.key_id, reply);
}

void lamp_api_add_policy(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    put_policy(app, req, reply, true);
}

void lamp_api_edit_policy(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    put_policy(app, req, reply, false);
}

void lamp_api_change_policy(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "mode", "place" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_POLICY);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    cmd.policy.id = req->id;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *mode = lamp_body_str(&b, "mode", 16, false);
    cmd.policy.place = (uint32_t)lamp_body_int(&b, "place", 1, LAMP_POLICIES_MAX, 0);
    cmd.policy_change = mode ? LAMP_POLICY_MODE : LAMP_POLICY_PLACE;
    while (mode && cmd.policy.mode < LAMP_POLICY_MODES &&
           !streq(mode, lamp_policy_mode_name(cmd.policy.mode)))
        cmd.policy.mode++;
    if (cmd.policy.mode == LAMP_POLICY_MODES)
        fail(&b, "mode", "This must be off, dry-run or on.");
    if (!mode == !cmd.policy.place)
        fail(&b, NULL, "Either a mode or a place is needed.");
    if (!b.failed && lamp_api_run(app, req, &cmd, reply, &result))
        answer_policy(app, req, req->id, reply);
}

void lamp_api_remove_policy(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_POLICY);
    struct lamp_command_result result;
    cmd.policy_change = LAMP_POLICY_REMOVE;
    cmd.policy.id = req->id;
    if (lamp_api_run(app, req, &cmd, reply, &result))
        reply->status = 204;
}
