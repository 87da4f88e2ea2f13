/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about the audit log: what people did, and whether the log is whole. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json.h"

enum { PAGE = 500, PAGE_MAX = 1000 };

struct page {
    struct lamp_json *j;
    const char *actor, *action, *object; /* NULL: any */
    int64_t after, left, last;           /* after 0: from the newest on */
    bool more;
};

static bool fits(const char *want, const char *is)
{
    return !want || streq(want, is);
}

/* The log grows with what people do, not with traffic: it is read through from its end. */
static bool add_audit(const struct lamp_audit_view *v, void *arg)
{
    struct page *p = arg;
    if ((p->after && v->no >= p->after) || !fits(p->actor, v->actor) ||
        !fits(p->action, v->action) || !fits(p->object, v->object))
        return true;
    if (p->left == 0) {
        p->more = true;
        return false;
    }
    p->left--;
    p->last = v->no;
    lamp_api_json_audit(p->j, v);
    return true;
}

void lamp_api_get_audit(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct page p = { .j = &reply->json,
                      .actor = lamp_request_query(req, "actor"),
                      .action = lamp_request_query(req, "action"),
                      .object = lamp_request_query(req, "object"),
                      .left = PAGE };
    if (!lamp_api_int(req, reply, "limit", 1, PAGE_MAX, &p.left) ||
        !lamp_api_int(req, reply, "after", 1, INT64_MAX, &p.after))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(p.j, NULL);
    lamp_json_array(p.j, "audit");
    const int err = lamp_store_audits(s, UINT32_MAX, add_audit, &p);
    lamp_json_end(p.j);
    if (p.more)
        lamp_json_int(p.j, "next", p.last);
    else
        lamp_json_null(p.j, "next");
    lamp_json_end(p.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_check_audit(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_json *j = &reply->json;
    int64_t bad_no = 0;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    if (lamp_store_audit_check(s, &bad_no) == LAMP_OK) {
        lamp_json_object(j, NULL);
        lamp_json_bool(j, "whole", bad_no == 0);
        if (bad_no)
            lamp_json_int(j, "broken_at", bad_no);
        else
            lamp_json_null(j, "broken_at");
        lamp_json_end(j);
    } else {
        lamp_api_store_failed(s, reply);
    }
    lamp_api_reader_done(app, s);
}
