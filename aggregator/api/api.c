/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/api.h"

#include "aggregator/api/backup.h"
#include "aggregator/api/impl.h"
#include "aggregator/api/json.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/version.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>

enum {
    TICK_MS = 1000,
    GATHER_MS = 50, /* events of this time leave together */
    EVENT_JSON_MAX = 256 * 1024,
    BODY = LAMP_ROUTE_BODY,
    FLEET = LAMP_ROUTE_FLEET,
    PIECE = LAMP_ROUTE_PIECE,
};

#define USED_US UINT64_C(60000000) /* how often the use of tokens is written down */

/* clang-format off: a route a line */
static const struct lamp_route routes[] = {
    { "GET", "/api/v1/health", LAMP_ROLE_NONE, 0, { NULL }, lamp_api_get_health },
    { "GET", "/api/v1/session", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_session },
    { "POST", "/api/v1/session", LAMP_ROLE_NONE, BODY, { NULL }, lamp_api_login },
    { "DELETE", "/api/v1/session", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_logout },
    { "POST", "/api/v1/session/password", LAMP_ROLE_VIEWER, BODY, { NULL }, lamp_api_set_password },
    { "GET", "/api/v1/sessions", LAMP_ROLE_VIEWER, 0, { "format", "sort" }, lamp_api_get_sessions },
    { "DELETE", "/api/v1/sessions/{id}", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_end_session },
    { "GET", "/api/v1/users", LAMP_ROLE_ADMIN, FLEET, { "format", "sort" }, lamp_api_get_users },
    { "POST", "/api/v1/users", LAMP_ROLE_ADMIN, FLEET | BODY, { NULL }, lamp_api_add_user },
    { "PATCH",
      "/api/v1/users/{name}",
      LAMP_ROLE_ADMIN,
      FLEET | BODY,
      { NULL },
      lamp_api_change_user },
    { "DELETE", "/api/v1/users/{name}", LAMP_ROLE_ADMIN, FLEET, { NULL }, lamp_api_delete_user },
    { "GET", "/api/v1/tokens", LAMP_ROLE_ADMIN, FLEET, { "format", "sort" }, lamp_api_get_tokens },
    { "POST", "/api/v1/tokens", LAMP_ROLE_ADMIN, FLEET | BODY, { NULL }, lamp_api_add_token },
    { "DELETE", "/api/v1/tokens/{id}", LAMP_ROLE_ADMIN, FLEET, { NULL }, lamp_api_revoke_token },
    { "GET", "/api/v1/status", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_status },
    { "GET", "/api/v1/sensors", LAMP_ROLE_VIEWER, 0, { "format", "sort" }, lamp_api_get_sensors },
    { "GET",
      "/api/v1/miners",
      LAMP_ROLE_VIEWER,
      0,
      { "site", "host", "limit", "after", "format", "sort" },
      lamp_api_get_miners },
    { "GET",
      "/api/v1/miners/{id}",
      LAMP_ROLE_VIEWER,
      0,
      { "from", "to", "resolution" },
      lamp_api_get_miner },
    { "GET", "/api/v1/miners/{id}/timeline", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_timeline },
    { "PATCH", "/api/v1/miners/{id}", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_mark_miner },
    { "GET",
      "/api/v1/connections",
      LAMP_ROLE_VIEWER,
      0,
      { "miner", "site", "limit", "after", "format", "sort" },
      lamp_api_get_connections },
    { "GET",
      "/api/v1/traffic",
      LAMP_ROLE_VIEWER,
      0,
      { "site", "host", "remote", "application", "from", "to", "limit", "format" },
      lamp_api_get_traffic },
    { "GET", "/api/v1/estimates", LAMP_ROLE_VIEWER, 0, { "by", "site" }, lamp_api_get_estimates },
    { "GET", "/api/v1/addresses", LAMP_ROLE_VIEWER, 0, { "ip" }, lamp_api_get_addresses },
    { "GET", "/api/v1/geo", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_geo },
    { "GET",
      "/api/v1/blocks",
      LAMP_ROLE_VIEWER,
      0,
      { "removed", "format", "sort" },
      lamp_api_get_blocks },
    { "POST", "/api/v1/blocks", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_add_block },
    { "PATCH", "/api/v1/blocks/{id}", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_decide_block },
    { "GET", "/api/v1/sites", LAMP_ROLE_VIEWER, 0, { "format", "sort" }, lamp_api_get_sites },
    { "POST", "/api/v1/sites", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_hold_site },
    { "GET",
      "/api/v1/audit",
      LAMP_ROLE_OPERATOR,
      FLEET,
      { "actor", "action", "object", "limit", "after", "format" },
      lamp_api_get_audit },
    { "GET", "/api/v1/audit/check", LAMP_ROLE_OPERATOR, FLEET, { NULL }, lamp_api_check_audit },
    { "DELETE", "/api/v1/blocks/{id}", LAMP_ROLE_OPERATOR, 0, { NULL }, lamp_api_remove_block },
    { "GET",
      "/api/v1/coins",
      LAMP_ROLE_VIEWER,
      0,
      { "by", "site", "from", "to", "limit", "format" },
      lamp_api_get_coins },
    { "GET",
      "/api/v1/coins/series",
      LAMP_ROLE_VIEWER,
      0,
      { "site", "from", "to", "step" },
      lamp_api_get_coin_series },
    { "GET",
      "/api/v1/gaps",
      LAMP_ROLE_VIEWER,
      0,
      { "sensor", "format", "sort" },
      lamp_api_get_gaps },
    { "GET", "/api/v1/never", LAMP_ROLE_VIEWER, 0, { "format", "sort" }, lamp_api_get_never },
    { "GET", "/api/v1/keys", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_keys },
    { "POST", "/api/v1/keys/{id}", LAMP_ROLE_ADMIN, BODY, { NULL }, lamp_api_change_key },
    { "POST",
      "/api/v1/pending/{id}",
      LAMP_ROLE_ADMIN,
      FLEET | BODY,
      { NULL },
      lamp_api_decide_pending },
    { "POST", "/api/v1/enrollments", LAMP_ROLE_ADMIN, BODY, { NULL }, lamp_api_add_enrollment },
    { "GET", "/api/v1/catalogue", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_catalogue },
    { "PATCH",
      "/api/v1/catalogue",
      LAMP_ROLE_ADMIN,
      FLEET | BODY,
      { NULL },
      lamp_api_switch_catalogue },
    { "POST", "/api/v1/probes", LAMP_ROLE_OPERATOR, FLEET | BODY, { NULL }, lamp_api_add_probe },
    { "GET", "/api/v1/probes/{id}", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_probe },
    { "GET",
      "/api/v1/pools",
      LAMP_ROLE_VIEWER,
      0,
      { "q", "coin", "state", "limit", "after", "format", "sort" },
      lamp_api_get_pools },
    { "GET", "/api/v1/pools/{id}", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_pool },
    { "GET",
      "/api/v1/pools/{id}/history",
      LAMP_ROLE_VIEWER,
      0,
      { "from" },
      lamp_api_get_pool_history },
    { "GET",
      "/api/v1/pool-entries",
      LAMP_ROLE_VIEWER,
      0,
      { "pool", "deleted", "limit", "after", "format" },
      lamp_api_get_pool_entries },
    { "POST", "/api/v1/pool-entries", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_add_pool_entry },
    { "PATCH",
      "/api/v1/pool-entries/{id}",
      LAMP_ROLE_OPERATOR,
      BODY,
      { NULL },
      lamp_api_change_pool_entry },
    { "DELETE",
      "/api/v1/pool-entries/{id}",
      LAMP_ROLE_OPERATOR,
      0,
      { NULL },
      lamp_api_delete_pool_entry },
    { "GET", "/api/v1/lookup", LAMP_ROLE_VIEWER, 0, { "q", "at" }, lamp_api_get_lookup },
    { "GET",
      "/api/v1/knowledge",
      LAMP_ROLE_VIEWER,
      0,
      { "kind", "state", "limit", "after", "format", "sort" },
      lamp_api_get_knowledge },
    { "PATCH",
      "/api/v1/knowledge/{id}",
      LAMP_ROLE_OPERATOR,
      FLEET | BODY,
      { NULL },
      lamp_api_say_knowledge },
    { "GET",
      "/api/v1/alerts",
      LAMP_ROLE_VIEWER,
      0,
      { "open", "site", "limit", "after", "format", "sort" },
      lamp_api_get_alerts },
    { "POST",
      "/api/v1/alerts/{id}/acknowledge",
      LAMP_ROLE_OPERATOR,
      0,
      { NULL },
      lamp_api_acknowledge },
    { "GET", "/api/v1/policies", LAMP_ROLE_VIEWER, 0, { "format", "sort" }, lamp_api_get_policies },
    { "POST", "/api/v1/policies", LAMP_ROLE_OPERATOR, FLEET | BODY, { NULL }, lamp_api_add_policy },
    { "PUT",
      "/api/v1/policies/{id}",
      LAMP_ROLE_OPERATOR,
      FLEET | BODY,
      { NULL },
      lamp_api_edit_policy },
    { "PATCH",
      "/api/v1/policies/{id}",
      LAMP_ROLE_OPERATOR,
      FLEET | BODY,
      { NULL },
      lamp_api_change_policy },
    { "DELETE",
      "/api/v1/policies/{id}",
      LAMP_ROLE_OPERATOR,
      FLEET,
      { NULL },
      lamp_api_remove_policy },
    { "GET", "/api/v1/policies/{id}/dry-run", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_dry_run },
    { "GET", "/api/v1/settings", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_settings },
    { "PUT", "/api/v1/settings/{name}", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_put_setting },
    { "DELETE",
      "/api/v1/settings/{name}",
      LAMP_ROLE_OPERATOR,
      0,
      { "site" },
      lamp_api_delete_setting },
    { "GET", "/api/v1/own", LAMP_ROLE_VIEWER, 0, { "format", "sort" }, lamp_api_get_own },
    { "POST", "/api/v1/own", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_add_own },
    { "DELETE", "/api/v1/own/{id}", LAMP_ROLE_OPERATOR, 0, { NULL }, lamp_api_remove_own },
    { "GET", "/api/v1/metrics", LAMP_ROLE_NONE, 0, { NULL }, lamp_api_get_metrics },
    { "GET", "/api/v1/backup", LAMP_ROLE_ADMIN, FLEET, { NULL }, lamp_api_get_backup },
    { "POST", "/api/v1/backup", LAMP_ROLE_ADMIN, FLEET, { NULL }, lamp_api_make_backup },
    { "DELETE", "/api/v1/backup", LAMP_ROLE_ADMIN, FLEET, { NULL }, lamp_api_delete_backup },
    { "GET", "/api/v1/backup/file", LAMP_ROLE_ADMIN, FLEET, { NULL }, lamp_api_read_backup },
    { "GET", "/api/v1/notify", LAMP_ROLE_ADMIN, FLEET, { NULL }, lamp_api_get_notify },
    { "POST",
      "/api/v1/notify/{name}/test",
      LAMP_ROLE_ADMIN,
      FLEET,
      { NULL },
      lamp_api_test_notify },
    { "POST",
      "/api/v1/notify/{name}/retry",
      LAMP_ROLE_ADMIN,
      FLEET,
      { NULL },
      lamp_api_retry_notify },
    { "GET", "/api/v1/export/stix", LAMP_ROLE_VIEWER, 0, { "from", "to" }, lamp_api_get_stix },
    { "GET",
      "/api/v1/export/misp",
      LAMP_ROLE_VIEWER,
      0,
      { "from", "to", "format" },
      lamp_api_get_misp },
    { "GET",
      "/api/v1/decisions/stream",
      LAMP_ROLE_VIEWER,
      0,
      { "startup", "scopes", "origins", "scenarios_containing", "scenarios_not_containing" },
      lamp_api_get_decisions },
    { "GET",
      "/api/v1/samples",
      LAMP_ROLE_VIEWER,
      0,
      { "miner", "tracking", "limit", "after", "format", "sort" },
      lamp_api_get_samples },
    { "POST", "/api/v1/samples", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_add_sample },
    { "GET", "/api/v1/samples/{id}", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_sample },
    { "DELETE", "/api/v1/samples/{id}", LAMP_ROLE_OPERATOR, 0, { NULL }, lamp_api_cancel_sample },
    { "GET",
      "/api/v1/samples/{id}/{name}",
      LAMP_ROLE_OPERATOR,
      0,
      { NULL },
      lamp_api_get_sample_file },
    { "GET",
      "/api/v1/trackings",
      LAMP_ROLE_VIEWER,
      0,
      { "miner", "limit", "after", "format", "sort" },
      lamp_api_get_trackings },
    { "POST", "/api/v1/trackings", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_add_tracking },
    { "GET", "/api/v1/trackings/{id}", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_tracking },
    { "DELETE",
      "/api/v1/trackings/{id}",
      LAMP_ROLE_OPERATOR,
      0,
      { NULL },
      lamp_api_remove_tracking },
    { "POST",
      "/api/v1/trackings/{id}/end",
      LAMP_ROLE_OPERATOR,
      0,
      { NULL },
      lamp_api_end_tracking },
    { "GET",
      "/api/v1/trackings/{id}/steps",
      LAMP_ROLE_VIEWER,
      0,
      { "from", "to", "step" },
      lamp_api_get_tracking_steps },
    { "GET",
      "/api/v1/imports",
      LAMP_ROLE_VIEWER,
      0,
      { "limit", "after", "format", "sort" },
      lamp_api_get_imports },
    { "POST", "/api/v1/imports", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_add_import },
    { "GET", "/api/v1/imports/{id}", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_import },
    { "DELETE", "/api/v1/imports/{id}", LAMP_ROLE_OPERATOR, 0, { NULL }, lamp_api_delete_import },
    { "GET",
      "/api/v1/imports/{id}/connections",
      LAMP_ROLE_VIEWER,
      0,
      { "verdict", "limit", "after" },
      lamp_api_get_import_conns },
    { "PUT",
      "/api/v1/imports/{id}/data",
      LAMP_ROLE_OPERATOR,
      PIECE,
      { "offset" },
      lamp_api_put_import },
    { "POST",
      "/api/v1/imports/{id}/cancel",
      LAMP_ROLE_OPERATOR,
      0,
      { NULL },
      lamp_api_cancel_import },
    { "GET",
      "/api/v1/baselines",
      LAMP_ROLE_VIEWER,
      0,
      { "site", "format", "sort" },
      lamp_api_get_baselines },
    { "POST", "/api/v1/baselines", LAMP_ROLE_OPERATOR, BODY, { NULL }, lamp_api_add_baseline },
    { "GET", "/api/v1/baselines/{id}", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_baseline },
    { "DELETE",
      "/api/v1/baselines/{id}",
      LAMP_ROLE_OPERATOR,
      0,
      { NULL },
      lamp_api_delete_baseline },
    { "GET",
      "/api/v1/baselines/{id}/series",
      LAMP_ROLE_VIEWER,
      0,
      { "from", "to" },
      lamp_api_get_baseline_series },
    { "GET",
      "/api/v1/baselines/{id}/export",
      LAMP_ROLE_VIEWER,
      0,
      { "version" },
      lamp_api_export_baseline },
    { "POST",
      "/api/v1/baselines/{id}/accept",
      LAMP_ROLE_OPERATOR,
      BODY,
      { NULL },
      lamp_api_accept_baseline },
    { "POST",
      "/api/v1/baselines/{id}/copy",
      LAMP_ROLE_OPERATOR,
      BODY,
      { NULL },
      lamp_api_copy_baseline },
    { "POST",
      "/api/v1/baselines/{id}/destinations",
      LAMP_ROLE_OPERATOR,
      BODY,
      { NULL },
      lamp_api_say_baseline },
    { "GET", "/api/v1/events", LAMP_ROLE_VIEWER, 0, { NULL }, lamp_api_get_events },
};
/* clang-format on */

const struct lamp_route *lamp_api_routes(size_t *out_n)
{
    *out_n = ARRAY_LEN(routes);
    return routes;
}

/* ---- readers ---- */

lamp_store *lamp_api_reader(lamp_api *api, const char *scope)
{
    struct lamp_reader *kind = api->readers[*scope != '\0'];
    lamp_store *s = NULL;
    pthread_mutex_lock(&api->readers_lock);
    for (size_t i = 0; i < LAMP_API_THREADS && !s; i++) {
        if (!kind[i].busy) {
            kind[i].busy = true;
            s = kind[i].store;
        }
    }
    pthread_mutex_unlock(&api->readers_lock);
    assert(s);
    if (*scope) {
        const int err = lamp_store_scope(s, scope);
        assert(!err); /* it was given one before */
        (void)err;
    }
    return s;
}

void lamp_api_reader_done(lamp_api *api, lamp_store *s)
{
    if (api->cfg.past && lamp_store_past_clear(s) != LAMP_OK)
        lamp_log_limited(LAMP_LOG_WARN, "api", "rows of the past stay where they are error=\"%s\"",
                         lamp_store_why(s));
    pthread_mutex_lock(&api->readers_lock);
    for (size_t i = 0; i < 2 * LAMP_API_THREADS; i++) {
        struct lamp_reader *r = &api->readers[i / LAMP_API_THREADS][i % LAMP_API_THREADS];
        if (r->store == s)
            r->busy = false;
    }
    pthread_mutex_unlock(&api->readers_lock);
}

void lamp_api_store_failed(const lamp_store *s, struct lamp_reply *reply)
{
    lamp_reply_error(reply, 500, "internal", NULL, "The database refused: %s.", lamp_store_why(s));
}

/* ---- session and health ---- */

void lamp_api_get_health(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    (void)app, (void)req;
    lamp_json_object(&reply->json, NULL);
    lamp_json_str(&reply->json, "status", "ok");
    lamp_json_str(&reply->json, "version", LAMP_VERSION);
    lamp_json_end(&reply->json);
}

static void write_identity(struct lamp_json *j, const struct lamp_identity *who)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "user", who->user);
    lamp_json_str(j, "role", lamp_role_name(who->role));
    lamp_api_json_scope(j, "sites", who->scope);
    lamp_json_bool(j, "token", who->token_id != 0);
    lamp_json_time(j, "expires", who->expires_us);
    lamp_json_end(j);
}

void lamp_api_get_session(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    (void)app;
    write_identity(&reply->json, &req->who);
}

static void set_cookie(const lamp_api *api, struct lamp_reply *reply, const char *session)
{
    snprintf(reply->cookie, sizeof(reply->cookie),
             "davylamp_session=%s; Path=/; HttpOnly; SameSite=Strict%s%s", session,
             *session ? "" : "; Max-Age=0", api->cfg.behind_tls || api->cfg.tls ? "; Secure" : "");
}

void lamp_api_session_answer(const lamp_api *api, const char *session,
                             const struct lamp_identity *who, struct lamp_reply *reply)
{
    set_cookie(api, reply, session);
    write_identity(&reply->json, who);
}

void lamp_api_auth_failed(int err, struct lamp_reply *reply)
{
    if (err == LAMP_EAUTH) {
        lamp_reply_error(reply, 401, "unauthorized", NULL, "Wrong user or password.");
    } else if (err == LAMP_EFULL || err == LAMP_EAGAIN) {
        reply->retry_after_s = err == LAMP_EFULL ? 60 : 1;
        lamp_reply_error(reply, 429, "rate_limited", NULL,
                         err == LAMP_EFULL ? "Too many failed attempts: wait a minute, or an hour "
                                             "after many of them."
                                           : "Busy with other passwords: try again.");
    } else {
        reply->retry_after_s = 5;
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
    }
}

void lamp_api_login(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "user", "password" };
    lamp_api *api = app;
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *user = lamp_body_str(&b, "user", 64, true);
    const char *password = lamp_body_str(&b, "password", 256, true);
    if (b.failed)
        return;

    char session[LAMP_SESSION_ID];
    struct lamp_identity who;
    const int err =
        lamp_auth_login(api->cfg.auth, user, password, &req->from, req->now_us, session, &who);
    if (err) {
        lamp_api_auth_failed(err, reply);
        return;
    }
    /* Whoever was logged in with this browser is replaced, not joined. */
    lamp_auth_logout(api->cfg.auth, &req->who);
    lamp_api_session_answer(api, session, &who, reply);
}

void lamp_api_logout(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    lamp_auth_logout(api->cfg.auth, &req->who);
    set_cookie(api, reply, "");
    reply->status = 204;
}

/* ---- events ---- */

void lamp_api_get_events(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    lamp_streams_open(api->streams, req, reply);
}

static char *render_event(void *app, const struct lamp_event *ev, const char *scope,
                          size_t *out_len)
{
    lamp_api *api = app;
    lamp_store *s = lamp_api_reader(api, scope);
    const uint64_t now_us = lamp_clock_real_us();
    struct lamp_json j;
    struct lamp_identity anybody = { .role = LAMP_ROLE_VIEWER }; /* one text for all of a scope */
    int err = LAMP_ENOENT;
    snprintf(anybody.scope, sizeof(anybody.scope), "%s", scope);
    lamp_json_init(&j, EVENT_JSON_MAX);
    switch (ev->kind) {
    case LAMP_EVENT_STATUS:
        err = lamp_api_write_status(api, s, &anybody, now_us, &j);
        break;
    case LAMP_EVENT_SENSOR:
        err = lamp_api_write_sensor(s, ev->name, now_us, &j);
        break;
    case LAMP_EVENT_MINER:
        err = lamp_api_write_miner(api, s, ev->id, now_us, &j);
        break;
    case LAMP_EVENT_BLOCK:
        err = lamp_api_write_block(s, ev->id, now_us, &j);
        break;
    case LAMP_EVENT_ALERT:
        err = lamp_api_write_alert(s, ev->id, &j);
        break;
    }
    lamp_api_reader_done(api, s);
    char *text = err ? NULL : lamp_json_take(&j, out_len);
    lamp_json_done(&j);
    return text;
}

/* Called on the writer's thread, so it only leaves a note. */
static void on_event(void *arg)
{
    const lamp_api *api = arg;
    const uint64_t one = 1;
    (void)!write(api->wake_fd, &one, sizeof(one));
}

/* Has it written down when tokens were last used; nobody waits for the answer. */
static void note_used_tokens(const lamp_api *api)
{
    struct lamp_command c = { .kind = LAMP_CMD_API_USED };
    struct lamp_command_result r;
    while ((c.api_token.id = lamp_auth_used_token(api->cfg.auth, &c.api_token.used_us)) != 0)
        (void)!lamp_commands_run(api->cfg.commands, &c, 0, &r);
}

/* The ticker: wakes the streams after events and every second, and enforces time limits. */
static void *tick(void *arg)
{
    lamp_api *api = arg;
    struct pollfd fds[] = { { .fd = api->stop_fd, .events = POLLIN },
                            { .fd = api->wake_fd, .events = POLLIN } };
    uint64_t noted_us = lamp_clock_mono_us();
    for (;;) {
        uint64_t n;
        poll(fds, 2, TICK_MS);
        if (!(fds[0].revents & POLLIN) && fds[1].revents & POLLIN) {
            (void)!read(api->wake_fd, &n, sizeof(n));
            poll(fds, 1, GATHER_MS);
        }
        if (fds[0].revents & POLLIN)
            return NULL;
        const uint64_t mono_us = lamp_clock_mono_us();
        lamp_streams_tick(api->streams, lamp_clock_real_us(), mono_us);
        lamp_http_tick(api->http, mono_us);
        if (mono_us >= noted_us + USED_US) {
            note_used_tokens(api);
            noted_us = mono_us;
        }
    }
}

/* ---- start and stop ---- */

static int open_parts(lamp_api *api, char why[LAMP_STORE_WHY])
{
    const struct lamp_api_cfg *cfg = &api->cfg;
    char http_why[LAMP_HTTP_WHY];
    int err = lamp_static_load(cfg->web_folder, &api->files);
    if (err) {
        snprintf(why, LAMP_STORE_WHY, "%s: %s", cfg->web_folder, lamp_strerror(err));
        return err;
    }
    for (size_t i = 0; i < 2 * LAMP_API_THREADS; i++) {
        struct lamp_reader *r = &api->readers[i / LAMP_API_THREADS][i % LAMP_API_THREADS];
        err = lamp_store_open(cfg->backend, cfg->database, true, &r->store, why);
        if (!err && i >= LAMP_API_THREADS) {
            err = lamp_store_scope(r->store, "\n"); /* no site at all until somebody asks */
            if (err)
                snprintf(why, LAMP_STORE_WHY, "%s", lamp_store_why(r->store));
        }
        if (err)
            return err;
    }
    if (cfg->facts && (err = lamp_facts_load(cfg->facts, api->readers[0][0].store)) != LAMP_OK) {
        snprintf(why, LAMP_STORE_WHY, "%s", lamp_store_why(api->readers[0][0].store));
        return err;
    }
    api->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    api->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = api->wake_fd < 0 || api->stop_fd < 0 ? -errno : LAMP_OK;
    if (!err)
        err = lamp_streams_new(cfg->events, cfg->auth, cfg->started_us, render_event, api,
                               &api->streams);
    if (!err)
        err = lamp_backup_new(cfg->backend, cfg->database, &api->backup);
    if (err) {
        snprintf(why, LAMP_STORE_WHY, "%s", lamp_strerror(err));
        return err;
    }
    const struct lamp_http_cfg http = {
        .listen = cfg->listen,
        .plain_ok = cfg->plain_ok,
        .behind_proxy = cfg->behind_tls,
        .certificate = cfg->tls ? cfg->tls->certificate : NULL,
        .key = cfg->tls ? cfg->tls->key : NULL,
        .threads = LAMP_API_THREADS,
        .routes = routes,
        .n_routes = ARRAY_LEN(routes),
        .app = api,
        .finish = lamp_api_finish,
        .auth = cfg->auth,
        .files = api->files,
    };
    err = lamp_http_start(&http, &api->http, http_why);
    if (err)
        snprintf(why, LAMP_STORE_WHY, "%s", http_why);
    return err;
}

/* Signals are read by main, so no thread of ours may take one: the mask of this thread, which the
 * threads of the web server and the ticker inherit, is full while they start. */
int lamp_api_start(const struct lamp_api_cfg *cfg, lamp_api **out, char why[LAMP_STORE_WHY])
{
    assert(cfg && cfg->auth && cfg->events && cfg->commands && cfg->pending && cfg->server_key &&
           out && why);
    lamp_api *api = calloc(1, sizeof(*api));
    if (!api) {
        snprintf(why, LAMP_STORE_WHY, "out of memory");
        return LAMP_ENOMEM;
    }
    api->cfg = *cfg;
    api->wake_fd = api->stop_fd = -1;
    pthread_mutex_init(&api->readers_lock, NULL);
    pthread_mutex_init(&api->pulls_lock, NULL);
    pthread_mutex_init(&api->lists_lock, NULL);

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = open_parts(api, why);
    if (!err) {
        err = -pthread_create(&api->ticker, NULL, tick, api);
        api->ticking = !err;
        if (err)
            snprintf(why, LAMP_STORE_WHY, "no thread: %s", lamp_strerror(err));
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        lamp_api_stop(api);
        return err;
    }
    lamp_events_set_waker(cfg->events, on_event, api);
    *out = api;
    return LAMP_OK;
}

lamp_api *lamp_api_stop(lamp_api *api)
{
    if (!api)
        return NULL;
    const uint64_t one = 1;
    lamp_events_set_waker(api->cfg.events, NULL, NULL);
    if (api->ticking) {
        (void)!write(api->stop_fd, &one, sizeof(one));
        pthread_join(api->ticker, NULL);
    }
    if (api->streams)
        lamp_streams_end(api->streams);
    lamp_http_stop(api->http);
    lamp_streams_free(api->streams);
    lamp_backup_free(api->backup);
    for (size_t i = 0; i < 2 * LAMP_API_THREADS; i++)
        lamp_store_close(api->readers[i / LAMP_API_THREADS][i % LAMP_API_THREADS].store);
    lamp_static_free(api->files);
    if (api->wake_fd >= 0)
        close(api->wake_fd);
    if (api->stop_fd >= 0)
        close(api->stop_fd);
    pthread_mutex_destroy(&api->readers_lock);
    pthread_mutex_destroy(&api->pulls_lock);
    pthread_mutex_destroy(&api->lists_lock);
    free(api);
    return NULL;
}

uint16_t lamp_api_port(const lamp_api *api)
{
    return lamp_http_port(api->http);
}

bool lamp_api_has_dashboard(const lamp_api *api)
{
    return lamp_static_is_built(api->files);
}
