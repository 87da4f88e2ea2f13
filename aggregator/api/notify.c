/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about receivers of alerts. */
#include "aggregator/api/impl.h"

#include "aggregator/store/notices.h"

#include <stdio.h>

enum { DEAD_SHOWN = 20, WHY = 256 };

static bool add_dead(const struct lamp_dead_view *v, void *arg)
{
    struct lamp_json *j = arg;
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", v->id);
    lamp_json_time(j, "made", v->made_us);
    lamp_json_uint(j, "alerts", v->alerts);
    lamp_json_uint(j, "more", v->more);
    lamp_json_uint(j, "tries", v->tries);
    lamp_json_str(j, "error", v->error);
    lamp_json_end(j);
    return true;
}

/* The paths of webhooks are secrets as often as not: what is shown is where to. */
static void write_target(struct lamp_json *j, const struct lamp_receiver *r)
{
    char url[LAMP_RECEIVER_URL];
    const char *host = strstr(r->url, "://");
    const size_t n = host ? (size_t)(host + 3 - r->url) + strcspn(host + 3, "/?#") : 0;
    snprintf(url, sizeof(url), "%.*s", (int)n, r->url);
    lamp_json_str(j, "url", url);
}

static void write_config(struct lamp_json *j, const struct lamp_receiver *r)
{
    lamp_json_str(j, "name", r->name);
    lamp_json_str(j, "kind", lamp_receiver_kind_name(r->kind));
    write_target(j, r);
    lamp_json_str(j, "format", r->kind != LAMP_RECEIVER_SYSLOG ? NULL : r->ecs ? "ecs" : "cef");
    lamp_json_array(j, "to");
    for (size_t i = 0; i < r->n_to; i++)
        lamp_json_str(j, NULL, r->to[i]);
    lamp_json_end(j);
    lamp_json_uint(j, "rate", r->rate);
    lamp_json_uint(j, "interval", r->interval_us / 1000000);
    lamp_json_uint(j, "keep_days", r->keep_us / UINT64_C(86400000000));
    lamp_json_str(j, "severity", lamp_severity_name(r->severity));
    lamp_json_array(j, "sites");
    for (size_t i = 0; i < r->n_sites; i++)
        lamp_json_str(j, NULL, r->sites[i]);
    lamp_json_end(j);
}

static int write_receiver(lamp_notify *n, const struct lamp_receiver *r, struct lamp_json *j)
{
    struct lamp_receiver_counts c;
    int err = lamp_notify_counts(n, r->name, &c);
    if (err)
        return err;
    lamp_json_object(j, NULL);
    write_config(j, r);
    lamp_json_uint(j, "queued", c.queued);
    lamp_json_uint(j, "messages", c.messages);
    lamp_json_uint(j, "alerts", c.alerts);
    lamp_json_uint(j, "more", c.more);
    lamp_json_uint(j, "failures", c.failures);
    lamp_json_uint(j, "dead", c.dead);
    lamp_json_uint(j, "dead_dropped", c.dead_dropped);
    lamp_json_time(j, "sent", c.sent_us);
    lamp_json_time(j, "failed", c.failed_us);
    lamp_json_time(j, "next_try", c.due_us);
    lamp_json_str(j, "error", c.error);
    lamp_json_array(j, "dead_letters");
    err = lamp_notify_dead(n, r->name, DEAD_SHOWN, add_dead, j);
    lamp_json_end(j);
    lamp_json_end(j);
    return err;
}

static void queue_failed(struct lamp_reply *reply)
{
    lamp_reply_error(reply, 500, "internal", NULL, "The queue of messages refused.");
}

void lamp_api_get_notify(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const lamp_api *api = app;
    const struct lamp_receiver *r;
    int err = LAMP_OK;
    (void)req;
    lamp_json_object(&reply->json, NULL);
    lamp_json_array(&reply->json, "receivers");
    for (size_t i = 0; !err && (r = lamp_notify_receiver(api->cfg.notify, i)); i++)
        err = write_receiver(api->cfg.notify, r, &reply->json);
    lamp_json_end(&reply->json);
    lamp_json_end(&reply->json);
    if (err)
        queue_failed(reply);
}

/* Notes in the audit log what is done with req's receiver; false after answering why not. */
static bool note(lamp_api *api, const struct lamp_request *req, const char *action,
                 struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_NOTE);
    struct lamp_command_result result;
    const struct lamp_receiver *r;
    for (size_t i = 0; (r = lamp_notify_receiver(api->cfg.notify, i)); i++)
        if (streq(r->name, req->name))
            break;
    if (!r) {
        lamp_reply_error(reply, 404, "not_found", NULL, "No receiver has this name.");
        return false;
    }
    snprintf(cmd.name, sizeof(cmd.name), "%s", action);
    snprintf(cmd.reason, sizeof(cmd.reason), "receiver %s", r->name);
    return lamp_api_run(api, req, &cmd, reply, &result);
}

void lamp_api_test_notify(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    char why[WHY] = "";
    if (!note(api, req, "notify.test", reply))
        return;
    const int err = lamp_notify_test(api->cfg.notify, req->name, why);
    if (err == LAMP_EAGAIN) {
        reply->retry_after_s = 15;
        lamp_reply_error(reply, 429, "rate_limited", NULL, "Another test is under way: try again.");
        return;
    }
    lamp_json_object(&reply->json, NULL);
    lamp_json_bool(&reply->json, "sent", !err);
    lamp_json_str(&reply->json, "error", err && !*why ? lamp_strerror(err) : why);
    lamp_json_end(&reply->json);
}

void lamp_api_retry_notify(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    uint64_t n = 0;
    if (!note(api, req, "notify.retry", reply))
        return;
    if (lamp_notify_retry(api->cfg.notify, req->name, &n)) {
        queue_failed(reply);
        return;
    }
    lamp_json_object(&reply->json, NULL);
    lamp_json_uint(&reply->json, "messages", n);
    lamp_json_end(&reply->json);
}
