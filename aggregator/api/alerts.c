/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about alerts. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json_alerts.h"
#include "common/text.h"

#include <stdio.h>

enum { LIMIT = 200 };

struct list {
    struct lamp_json *j;
    uint32_t n;
    int64_t last;
};

static bool add_alert(const struct lamp_alert_view *v, void *arg)
{
    struct list *l = arg;
    lamp_api_json_alert(l->j, v);
    l->n++;
    l->last = v->id;
    return true;
}

int lamp_api_write_alert(lamp_store *s, int64_t id, struct lamp_json *j)
{
    struct list l = { .j = j };
    const int err = lamp_store_alerts(s, &(struct lamp_alert_filter){ .id = id }, add_alert, &l);
    return err ? err : l.n ? LAMP_OK : LAMP_ENOENT;
}

static bool found_alert(const struct lamp_alert_view *v, void *arg)
{
    (void)v;
    *(bool *)arg = true;
    return false;
}

/* One page; LAMP_ENOENT: the row that it begins behind is gone, and the order is not by number. */
static int read_alerts(lamp_store *s, const struct lamp_alert_filter *f, struct list *l)
{
    const struct lamp_alert_filter last = { .id = f->after_id };
    struct lamp_alert_counts counts;
    bool found = !f->after_id || f->sort.by == LAMP_ALERTS_BY_ID;
    int err = found ? LAMP_OK : lamp_store_alerts(s, &last, found_alert, &found);
    if (!err)
        err = lamp_store_alert_counts(s, &counts);
    if (err || !found)
        return err ? err : LAMP_ENOENT;
    lamp_json_object(l->j, NULL);
    lamp_json_array(l->j, "alerts");
    err = lamp_store_alerts(s, f, add_alert, l);
    lamp_json_end(l->j);
    if (l->n == f->limit)
        lamp_json_int(l->j, "next", l->last);
    else
        lamp_json_null(l->j, "next");
    lamp_json_uint(l->j, "open", counts.open);
    lamp_json_uint(l->j, "unacknowledged", counts.unacknowledged);
    lamp_json_uint(l->j, "refused", counts.refused);
    lamp_json_end(l->j);
    return err;
}

void lamp_api_get_alerts(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_alert_filter f = { 0 };
    struct list l = { .j = &reply->json };
    int64_t limit = LIMIT;
    const char *open = lamp_request_query(req, "open");
    if (!lamp_api_site_of(req, reply, &f.site) ||
        !lamp_api_int(req, reply, "limit", 1, LAMP_API_PAGE_MAX, &limit) ||
        !lamp_api_int(req, reply, "after", 1, INT64_MAX, &f.after_id) ||
        !lamp_api_sort_of(req, reply, lamp_alert_sorts, &f.sort))
        return;
    if (open && !streq(open, "0") && !streq(open, "1")) {
        lamp_reply_error(reply, 400, "invalid", "open", "This must be 0 or 1.");
        return;
    }
    f.open = open && *open == '1';
    f.limit = (uint32_t)limit;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    const int err = read_alerts(s, &f, &l);
    if (err == LAMP_ENOENT)
        lamp_api_gone(reply);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_acknowledge(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_ACK);
    struct lamp_command_result result;
    cmd.alert_id = req->id;
    if (!lamp_api_run(app, req, &cmd, reply, &result))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    if (lamp_api_write_alert(s, req->id, &reply->json) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- the owner's lists ---- */

struct own_list {
    struct lamp_json *j;
    int64_t id; /* 0: all */
};

static bool add_own(const struct lamp_own *o, void *arg)
{
    const struct own_list *l = arg;
    if (l->id == 0 || l->id == o->id)
        lamp_api_json_own(l->j, o);
    return true;
}

void lamp_api_get_own(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct own_list l = { .j = &reply->json };
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(&reply->json, NULL);
    lamp_json_array(&reply->json, "own");
    const int err = lamp_store_own(s, add_own, &l);
    lamp_json_end(&reply->json);
    lamp_json_end(&reply->json);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

static void copy_text(struct lamp_body *b, const char *name, bool required, char *buf, size_t size)
{
    const char *text = lamp_body_str(b, name, size - 1, required);
    snprintf(buf, size, "%s", text ? text : "");
}

void lamp_api_add_own(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "kind", "value", "site", "note" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_OWN);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    struct lamp_own *o = &cmd.own;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *kind = lamp_body_str(&b, "kind", 16, true);
    while (kind && o->kind < LAMP_OWN_KINDS && !streq(kind, lamp_own_name(o->kind)))
        o->kind++;
    copy_text(&b, "value", true, o->value, sizeof(o->value));
    copy_text(&b, "site", false, o->site, sizeof(o->site));
    copy_text(&b, "note", false, o->note, sizeof(o->note));
    cmd.approve = true;
    if (b.failed)
        return;
    if (o->kind == LAMP_OWN_KINDS) {
        lamp_reply_error(reply, 400, "invalid", "kind", "This must be wallet, pool or worker.");
        return;
    }
    if (!lamp_api_run(app, req, &cmd, reply, &result))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct own_list l = { &reply->json, result.key_id };
    reply->status = 201;
    if (lamp_store_own(s, add_own, &l) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_remove_own(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_OWN);
    struct lamp_command_result result;
    cmd.own.id = req->id;
    if (lamp_api_run(app, req, &cmd, reply, &result))
        reply->status = 204;
}
