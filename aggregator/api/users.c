/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about who may use the API: accounts, tokens, sessions, one's own password. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json.h"

#include <sodium.h>
#include <stdio.h>

enum {
    PASSWORD_MIN = 12,
    PASSWORD_MAX = 256,
    TTL_MIN_S = 60,
    TTL_MAX_S = 10 * 366 * 86400,
};

/* ---- bodies ---- */

static void read_name(struct lamp_body *b, char out[LAMP_ACCOUNT_NAME])
{
    const char *name = lamp_body_str(b, "name", LAMP_ACCOUNT_NAME - 1, true);
    if (!name)
        return;
    if (!lamp_account_name_ok(name))
        lamp_body_fail(b, "name", "A name is 1 to 64 letters, digits and . _ @ -");
    snprintf(out, LAMP_ACCOUNT_NAME, "%s", name);
}

/* Leaves *out as it is where the field is missing and not needed. */
static bool read_role(struct lamp_body *b, bool required, enum lamp_role *out)
{
    const char *text = lamp_body_str(b, "role", 16, required);
    if (!text)
        return false;
    *out = lamp_role_of(text);
    if (*out == LAMP_ROLE_NONE)
        lamp_body_fail(b, "role", "This must be viewer, operator or admin.");
    return true;
}

static void add_site(struct lamp_body *b, const json_t *site, char out[LAMP_SCOPE])
{
    const char *text = json_string_value(site);
    const size_t at = strlen(out), len = json_string_length(site);
    if (!text || len == 0 || len > 64 || strchr(text, '\n') || strlen(text) != len)
        lamp_body_fail(b, "sites", "A site is a text of 1 to 64 bytes.");
    else if (at + len + 2 > LAMP_SCOPE)
        lamp_body_fail(b, "sites", "The names of the sites are too long together.");
    else
        snprintf(out + at, LAMP_SCOPE - at, "%s%s", at ? "\n" : "", text);
}

/* "sites": null (every site) or a list; false where it is missing. */
static bool read_scope(struct lamp_body *b, char out[LAMP_SCOPE])
{
    const json_t *sites = json_object_get(b->object, "sites");
    size_t i;
    json_t *site;
    *out = '\0';
    if (!sites)
        return false;
    if (json_is_null(sites))
        return true;
    if (json_array_size(sites) == 0)
        lamp_body_fail(b, "sites", "This must be null for every site, or a list of names.");
    json_array_foreach(sites, i, site) add_site(b, site, out);
    return true;
}

/* A new password in its argon2id form; false where the field is missing, or after answering. */
static bool read_password(lamp_api *api, struct lamp_body *b, const char *field, bool required,
                          char out[LAMP_ACCOUNT_HASH])
{
    const char *password = lamp_body_str(b, field, PASSWORD_MAX, required);
    if (!password || b->failed)
        return false;
    if (strlen(password) < PASSWORD_MIN) {
        lamp_body_fail(b, field, "A password has at least 12 bytes.");
        return false;
    }
    const int err = lamp_auth_hash(api->cfg.auth, password, out);
    if (err) {
        lamp_api_auth_failed(err, b->reply);
        b->failed = true;
    }
    return !err;
}

/* ---- accounts ---- */

struct list {
    struct lamp_json *j;
    const lamp_api *api;
    const char *name; /* of the one that is wanted; NULL: all */
    int64_t id;       /* likewise; 0: all */
};

static bool add_account(const struct lamp_account *a, void *arg)
{
    const struct list *l = arg;
    if (!l->name || streq(l->name, a->name))
        lamp_api_json_account(l->j, a);
    return true;
}

void lamp_api_get_users(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct list l = { .j = &reply->json };
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "users");
    const int err = lamp_store_accounts(s, add_account, &l);
    lamp_json_end(l.j);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

static void answer_user(lamp_api *api, const struct lamp_request *req, const char *name,
                        struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    struct list l = { .j = &reply->json, .name = name };
    if (lamp_store_accounts(s, add_account, &l) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
}

void lamp_api_add_user(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "name", "role", "password", "sites" };
    struct lamp_body b = { req->body, reply, false };
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_USER_ADD);
    struct lamp_command_result r;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    read_name(&b, c.account.name);
    (void)read_role(&b, true, &c.account.role);
    (void)read_scope(&b, c.account.scope);
    (void)read_password(app, &b, "password", true, c.account.hash);
    if (b.failed || !lamp_api_run(app, req, &c, reply, &r))
        return;
    reply->status = 201;
    answer_user(app, req, c.account.name, reply);
}

void lamp_api_change_user(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "role", "password", "sites", "disabled" };
    struct lamp_body b = { req->body, reply, false };
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_USER_CHANGE);
    struct lamp_command_result r;
    if (!lamp_account_name_ok(req->name)) {
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no account of that name.");
        return;
    }
    snprintf(c.account.name, sizeof(c.account.name), "%s", req->name);
    lamp_body_known(&b, names, ARRAY_LEN(names));
    c.change |= read_role(&b, false, &c.account.role) ? LAMP_CHANGE_ROLE : 0;
    c.change |= read_scope(&b, c.account.scope) ? LAMP_CHANGE_SCOPE : 0;
    if (json_object_get(req->body, "disabled")) {
        c.account.disabled = lamp_body_bool(&b, "disabled");
        c.change |= LAMP_CHANGE_DISABLED;
    }
    c.change |=
        read_password(app, &b, "password", false, c.account.hash) ? LAMP_CHANGE_PASSWORD : 0;
    if (!b.failed && !c.change)
        lamp_body_fail(&b, NULL, "Nothing is to be changed.");
    if (!b.failed && lamp_api_run(app, req, &c, reply, &r))
        answer_user(app, req, c.account.name, reply);
}

void lamp_api_delete_user(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_USER_DELETE);
    struct lamp_command_result r;
    if (!lamp_account_name_ok(req->name)) {
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no account of that name.");
        return;
    }
    snprintf(c.account.name, sizeof(c.account.name), "%s", req->name);
    if (lamp_api_run(app, req, &c, reply, &r))
        reply->status = 204;
}

/* ---- tokens ---- */

static bool add_token(const struct lamp_api_token *v, void *arg)
{
    const struct list *l = arg;
    struct lamp_api_token t = *v;
    const uint64_t used_us = lamp_auth_token_used(l->api->cfg.auth, t.id);
    t.used_us = used_us > t.used_us ? used_us : t.used_us;
    lamp_api_json_api_token(l->j, &t, NULL);
    return true;
}

void lamp_api_get_tokens(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct list l = { .j = &reply->json, .api = app };
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "tokens");
    const int err = lamp_store_api_tokens(s, add_token, &l);
    lamp_json_end(l.j);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_add_token(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "name", "role", "sites", "ttl" };
    struct lamp_body b = { req->body, reply, false };
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_API_TOKEN);
    struct lamp_command_result r;
    char text[LAMP_API_TOKEN_TEXT];
    lamp_body_known(&b, names, ARRAY_LEN(names));
    read_name(&b, c.api_token.name);
    (void)read_role(&b, true, &c.api_token.role);
    (void)read_scope(&b, c.api_token.scope);
    const int64_t ttl_s = lamp_body_int(&b, "ttl", TTL_MIN_S, TTL_MAX_S, 0);
    if (b.failed)
        return;
    if (ttl_s)
        c.api_token.expires_us = req->now_us + (uint64_t)ttl_s * 1000000;
    lamp_auth_make_token(text, c.api_token.digest);
    if (lamp_api_run(app, req, &c, reply, &r)) {
        c.api_token.id = r.key_id;
        c.api_token.created_us = req->now_us;
        memcpy(c.api_token.created_by, c.person, sizeof(c.person));
        lamp_api_json_api_token(&reply->json, &c.api_token, text);
        reply->status = 201;
    }
    sodium_memzero(text, sizeof(text));
}

void lamp_api_revoke_token(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_API_REVOKE);
    struct lamp_command_result r;
    c.api_token.id = req->id;
    if (lamp_api_run(app, req, &c, reply, &r))
        reply->status = 204;
}

/* ---- sessions ---- */

/* Whose sessions a request is about: NULL: everybody's, for those who look after accounts. */
static const char *whose(const struct lamp_request *req)
{
    return req->who.role == LAMP_ROLE_ADMIN && !*req->who.scope ? NULL : req->who.user;
}

void lamp_api_get_sessions(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const lamp_api *api = app;
    struct lamp_json *j = &reply->json;
    struct lamp_session_view *v = calloc(LAMP_SESSIONS_MAX, sizeof(*v));
    if (!v) {
        lamp_api_auth_failed(LAMP_ENOMEM, reply);
        return;
    }
    const size_t n = lamp_auth_sessions(api->cfg.auth, whose(req), req->now_us, v);
    lamp_json_object(j, NULL);
    lamp_json_array(j, "sessions");
    for (size_t i = 0; i < n; i++)
        lamp_api_json_session(j, &v[i], v[i].id == req->who.session_id);
    lamp_json_end(j);
    lamp_json_end(j);
    free(v);
}

void lamp_api_end_session(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_SESSION_END);
    struct lamp_command_result r;
    if (lamp_auth_end_session(api->cfg.auth, req->id, whose(req), req->now_us, c.account.name) !=
        LAMP_OK)
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no session of that number.");
    else if (lamp_api_run(api, req, &c, reply, &r))
        reply->status = 204;
}

void lamp_api_set_password(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "old", "new" };
    lamp_api *api = app;
    struct lamp_body b = { req->body, reply, false };
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_USER_CHANGE);
    struct lamp_command_result r;
    struct lamp_identity who;
    char session[LAMP_SESSION_ID];
    if (req->who.token_id) {
        lamp_reply_error(reply, 403, "forbidden", NULL, "A token has no password.");
        return;
    }
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *old = lamp_body_str(&b, "old", PASSWORD_MAX, true);
    (void)lamp_body_str(&b, "new", PASSWORD_MAX, true);
    if (b.failed)
        return;
    int err = lamp_auth_check(api->cfg.auth, req->who.user, old, &req->from, req->now_us);
    if (err == LAMP_EAUTH) {
        lamp_reply_error(reply, 403, "forbidden", "old", "This is not your password.");
        return;
    }
    if (err) {
        lamp_api_auth_failed(err, reply);
        return;
    }
    memcpy(c.account.name, req->who.user, sizeof(c.account.name));
    c.change = LAMP_CHANGE_PASSWORD;
    if (!read_password(api, &b, "new", true, c.account.hash) ||
        !lamp_api_run(api, req, &c, reply, &r))
        return;
    /* All sessions of the account are over, so that nobody stays in who knew the old one. */
    err = lamp_auth_renew(api->cfg.auth, req->who.user, &req->from, req->now_us, session, &who);
    if (err)
        lamp_api_auth_failed(err, reply);
    else
        lamp_api_session_answer(api, session, &who, reply);
}
