/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about who may connect: keys, strangers that wait, tokens. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json.h"
#include "common/enroll.h"
#include "common/fingerprint.h"
#include "common/text.h"

#include <sodium.h>
#include <stdio.h>

enum {
    TTL_MIN_S = 60,
    TTL_MAX_S = 7 * 86400,
    TTL_DEFAULT_S = 900,
};

/* ---- reading ---- */

static bool add_key(const struct lamp_sensor_key *k, void *arg)
{
    lamp_api_json_key(arg, k);
    return true;
}

static bool add_token(const struct lamp_enroll_token *t, void *arg)
{
    lamp_api_json_token(arg, t, NULL);
    return true;
}

void lamp_api_get_keys(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    struct lamp_json *j = &reply->json;
    struct lamp_pending_row *rows = calloc(LAMP_PENDING_MAX, sizeof(*rows));
    if (!rows) {
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
        return;
    }
    uint64_t refused = 0;
    /* Who waits belongs to no site yet. */
    const size_t n = *req->who.scope ? 0 : lamp_pending_copy(api->cfg.pending, rows, &refused);
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    lamp_json_object(j, NULL);
    lamp_json_array(j, "keys");
    int err = lamp_store_keys(s, NULL, add_key, j);
    lamp_json_end(j);
    lamp_json_array(j, "pending");
    for (size_t i = 0; i < n; i++)
        lamp_api_json_pending(j, &rows[i]);
    lamp_json_end(j);
    lamp_json_uint(j, "pending_refused", refused);
    lamp_json_array(j, "enrollments");
    if (!err)
        err = lamp_store_tokens(s, req->now_us, add_token, j);
    lamp_json_end(j);
    lamp_json_end(j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
    free(rows);
}

/* ---- changing ---- */

static void take_text(struct lamp_body *b, const char *name, bool required, char out[65])
{
    const char *text = lamp_body_str(b, name, 64, required);
    snprintf(out, 65, "%s", text ? text : "");
}

void lamp_api_add_enrollment(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "site", "name", "ttl" };
    lamp_api *api = app;
    struct lamp_body b = { req->body, reply, false };
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_TOKEN);
    struct lamp_command_result r;
    struct lamp_token token;
    char text[LAMP_TOKEN_TEXT];
    lamp_body_known(&b, names, ARRAY_LEN(names));
    take_text(&b, "site", true, c.site);
    take_text(&b, "name", false, c.name);
    c.ttl_s = (uint32_t)lamp_body_int(&b, "ttl", TTL_MIN_S, TTL_MAX_S, TTL_DEFAULT_S);
    if (b.failed)
        return;
    memcpy(token.server_key, api->cfg.server_key, sizeof(token.server_key));
    randombytes_buf(token.secret, sizeof(token.secret));
    lamp_token_digest(token.secret, c.digest);
    if (lamp_api_run(api, req, &c, reply, &r)) {
        struct lamp_enroll_token t = { .id = r.key_id,
                                       .created_us = req->now_us,
                                       .expires_us = r.expires_us };
        memcpy(t.site, r.site, sizeof(t.site));
        memcpy(t.name, r.name, sizeof(t.name));
        snprintf(t.created_by, sizeof(t.created_by), "%s", c.actor);
        lamp_api_json_token(&reply->json, &t, lamp_token_encode(&token, text));
        reply->status = 201;
    }
    sodium_memzero(&token, sizeof(token));
    sodium_memzero(text, sizeof(text));
}

/* The body's "action", one of two; true for the second. Answers 400 where it is neither. */
static bool second_action(struct lamp_body *b, const char *first, const char *second)
{
    const char *action = lamp_body_str(b, "action", 16, true);
    if (!action || streq(action, first))
        return false;
    if (streq(action, second))
        return true;
    lamp_reply_error(b->reply, 400, "invalid", "action", "This must be %s or %s.", first, second);
    b->failed = true;
    return false;
}

static void answer_key(lamp_api *api, const struct lamp_request *req, int64_t id,
                       struct lamp_reply *reply)
{
    struct lamp_sensor_key k;
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    const int err = lamp_store_key_find(s, NULL, id, &k);
    if (err)
        lamp_api_store_failed(s, reply);
    else
        lamp_api_json_key(&reply->json, &k);
    lamp_api_reader_done(api, s);
}

void lamp_api_change_key(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "action" };
    struct lamp_body b = { req->body, reply, false };
    struct lamp_command_result r;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const bool rotate = second_action(&b, "revoke", "rotate");
    struct lamp_command c = lamp_api_command(req, rotate ? LAMP_CMD_ROTATE : LAMP_CMD_REVOKE);
    c.key_id = req->id;
    if (!b.failed && lamp_api_run(app, req, &c, reply, &r))
        answer_key(app, req, r.key_id, reply);
}

void lamp_api_decide_pending(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "action", "site", "name" };
    lamp_api *api = app;
    struct lamp_body b = { req->body, reply, false };
    struct lamp_pending_row row;
    struct lamp_command_result r;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const bool reject = second_action(&b, "approve", "reject");
    struct lamp_command c = lamp_api_command(req, reject ? LAMP_CMD_REJECT : LAMP_CMD_ADMIT);
    take_text(&b, "site", !reject, c.site);
    take_text(&b, "name", false, c.name);
    if (b.failed)
        return;
    if (lamp_pending_get(api->cfg.pending, req->id, &row) != LAMP_OK) {
        lamp_reply_error(reply, 404, "not_found", NULL, "No sensor waits under this number.");
        return;
    }
    memcpy(c.key, row.key, sizeof(c.key));
    if (!*c.name)
        snprintf(c.name, sizeof(c.name), "%s", row.name);
    if (!lamp_api_run(api, req, &c, reply, &r))
        return;
    lamp_pending_drop(api->cfg.pending, row.key);
    answer_key(api, req, r.key_id, reply);
}
