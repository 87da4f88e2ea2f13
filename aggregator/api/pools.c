/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about the catalogue: pools, what belongs to them, and changing it. */
#include "aggregator/api/impl.h"

#include "aggregator/api/pools_json.h"
#include "common/text.h"

#include <stdio.h>

enum {
    PAGE = 1000,
    VERSIONS = 500,
    CHANGES = 5000,
    IMPORT_MAX = 500, /* entries in one call */
};
#define HISTORY_US (UINT64_C(30) * 86400 * 1000000)

/* ---- lists ---- */

struct list {
    struct lamp_json *j;
    const char *key; /* of a pool; NULL: in a list */
    int64_t last_id;
    uint32_t n;
};

static bool add_pool(const struct lamp_pool_view *v, void *arg)
{
    struct list *l = arg;
    lamp_api_json_pool(l->j, l->key, v);
    l->last_id = v->id;
    l->n++;
    return true;
}

static bool add_entry(const struct lamp_pool_entry *e, void *arg)
{
    struct list *l = arg;
    lamp_api_json_pool_entry(l->j, NULL, e);
    l->last_id = e->id;
    l->n++;
    return true;
}

void lamp_api_get_pools(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_api_page page = { .limit = PAGE, .most = PAGE };
    const char *state = lamp_request_query(req, "state");
    if (!lamp_api_page(req, reply, &page))
        return;
    if (state && !streq(state, "up") && !streq(state, "listen") && !streq(state, "down")) {
        lamp_api_bad(reply, "state", "up, listen or down");
        return;
    }
    const struct lamp_pool_filter f = { .text = lamp_request_query(req, "q"),
                                        .coin = lamp_request_query(req, "coin"),
                                        .state = state,
                                        .after_id = page.after,
                                        .limit = page.limit,
                                        .now_us = req->now_us };
    struct list l = { .j = &reply->json };
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "pools");
    const int err = lamp_store_pools(s, &f, add_pool, &l);
    lamp_api_end_page(l.j, &page, l.n, l.last_id);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_get_pool_entries(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_api_page page = { .limit = PAGE, .most = PAGE };
    int64_t pool = 0;
    if (!lamp_api_page(req, reply, &page) || !lamp_api_int(req, reply, "pool", 1, INT64_MAX, &pool))
        return;
    const char *deleted = lamp_request_query(req, "deleted");
    const struct lamp_pool_entry_filter f = { .pool_id = pool,
                                              .after_id = page.after,
                                              .limit = page.limit,
                                              .with_deleted = deleted && streq(deleted, "1") };
    struct list l = { .j = &reply->json };
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "entries");
    const int err = lamp_store_pool_entries(s, &f, add_entry, &l);
    lamp_api_end_page(l.j, &page, l.n, l.last_id);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- one pool ---- */

/* Addresses come by server; they are gathered first, since the store lends one thing at a time. */
struct gathered {
    struct address {
        int64_t server_id;
        struct lamp_addr addr;
        uint64_t first_us, last_us;
        uint32_t pools;
        char cname[LAMP_POOL_FQDN];
    } * v;
    size_t n, room;
    bool failed;
};

static bool gather(const struct lamp_pool_address *v, void *arg)
{
    struct gathered *g = arg;
    if (g->n == g->room) {
        const size_t room = g->room ? 2 * g->room : 64;
        void *grown = realloc(g->v, room * sizeof(*g->v));
        if (!grown) {
            g->failed = true;
            return false;
        }
        g->v = grown;
        g->room = room;
    }
    g->v[g->n] = (struct address){ v->server_id, v->addr, v->first_us, v->last_us, v->pools, "" };
    snprintf(g->v[g->n++].cname, LAMP_POOL_FQDN, "%s", v->cname);
    return true;
}

struct servers {
    struct lamp_json *j;
    const lamp_cdn *cdn;
    const struct gathered *addresses;
};

static bool add_server(const struct lamp_pool_server *v, void *arg)
{
    const struct servers *l = arg;
    lamp_json_object(l->j, NULL);
    lamp_api_json_pool_server_fields(l->j, v);
    lamp_json_array(l->j, "addresses");
    for (size_t i = 0; i < l->addresses->n; i++) {
        const struct address *a = &l->addresses->v[i];
        const struct lamp_pool_address view = { a->server_id, a->addr,  a->first_us,
                                                a->last_us,   a->pools, a->cname };
        if (a->server_id == v->id)
            lamp_api_json_pool_address(l->j, NULL, &view, l->cdn);
    }
    lamp_json_end(l->j);
    lamp_json_end(l->j);
    return true;
}

static bool add_endpoint(const struct lamp_pool_endpoint *e, void *arg)
{
    lamp_api_json_pool_endpoint(arg, NULL, e);
    return true;
}

static int write_parts(const lamp_api *api, lamp_store *s, int64_t id, struct lamp_json *j)
{
    struct gathered g = { 0 };
    struct list l = { .j = j };
    const struct servers servers = { j, api->cfg.cdn, &g };
    const struct lamp_pool_entry_filter f = { .pool_id = id, .with_deleted = true };
    int err = lamp_store_pool_addresses(s, id, 0, gather, &g);
    if (!err && g.failed)
        err = LAMP_ENOMEM;
    lamp_json_array(j, "servers");
    if (!err)
        err = lamp_store_pool_servers(s, id, add_server, (void *)(uintptr_t)&servers);
    lamp_json_end(j);
    lamp_json_array(j, "entries");
    if (!err)
        err = lamp_store_pool_entries(s, &f, add_entry, &l);
    lamp_json_end(j);
    lamp_json_array(j, "endpoints");
    if (!err)
        err = lamp_store_pool_endpoints(s, id, NULL, add_endpoint, j);
    lamp_json_end(j);
    free(g.v);
    return err;
}

static bool write_pool(lamp_store *s, int64_t id, uint64_t now_us, struct lamp_json *j,
                       struct lamp_reply *reply)
{
    struct list l = { .j = j, .key = "pool" };
    const struct lamp_pool_filter f = { .id = id, .now_us = now_us };
    const int err = lamp_store_pools(s, &f, add_pool, &l);
    if (err)
        lamp_api_store_failed(s, reply);
    else if (l.n == 0)
        lamp_reply_error(reply, 404, "not_found", NULL, "No pool has this number.");
    return !err && l.n > 0;
}

void lamp_api_get_pool(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct lamp_json *j = &reply->json;
    lamp_json_object(j, NULL);
    if (write_pool(s, req->id, req->now_us, j, reply)) {
        if (write_parts(app, s, req->id, j))
            lamp_api_store_failed(s, reply);
        else
            lamp_json_end(j);
    }
    lamp_api_reader_done(app, s);
}

/* ---- history ---- */

struct history {
    struct lamp_json *j;
    int64_t endpoint;
};

static bool add_change(const struct lamp_pool_change *c, void *arg)
{
    struct history *h = arg;
    if (h->endpoint != c->endpoint_id) {
        if (h->endpoint) {
            lamp_json_end(h->j);
            lamp_json_end(h->j);
        }
        lamp_json_object(h->j, NULL);
        lamp_json_int(h->j, "endpoint_id", c->endpoint_id);
        lamp_json_array(h->j, "changes");
        h->endpoint = c->endpoint_id;
    }
    lamp_api_json_pool_change(h->j, NULL, c);
    return true;
}

static bool add_version(const struct lamp_pool_version *v, void *arg)
{
    lamp_api_json_pool_version(arg, v);
    return true;
}

void lamp_api_get_pool_history(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    uint64_t from_us = req->now_us - HISTORY_US;
    if (!lamp_api_time(req, reply, "from", &from_us))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct history h = { &reply->json, 0 };
    lamp_json_object(h.j, NULL);
    lamp_json_time(h.j, "from", from_us);
    lamp_json_array(h.j, "endpoints");
    int err = lamp_store_pool_changes(s, req->id, from_us, CHANGES, add_change, &h);
    if (h.endpoint) {
        lamp_json_end(h.j);
        lamp_json_end(h.j);
    }
    lamp_json_end(h.j);
    lamp_json_array(h.j, "versions");
    if (!err)
        err = lamp_store_pool_versions(s, req->id, VERSIONS, add_version, h.j);
    lamp_json_end(h.j);
    lamp_json_end(h.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- changing ---- */

static void take_text(struct lamp_body *b, const char *name, bool required, char *out, size_t size)
{
    const char *text = lamp_body_str(b, name, size - 1, required);
    snprintf(out, size, "%s", text ? text : "");
}

static void take_tls(struct lamp_body *b, struct lamp_pool_edit *e)
{
    const char *tls = lamp_body_str(b, "tls", 16, false);
    if (!tls || lamp_pool_tls_parse(tls, &e->tls) == LAMP_OK)
        return;
    if (!b->failed)
        lamp_reply_error(b->reply, 400, "invalid", "tls", "This must be yes, no, both or unknown.");
    b->failed = true;
}

static void read_entry(struct lamp_body *b, struct lamp_pool_edit *e)
{
    static const char *const names[] = { "pool",      "fqdn",     "port", "coin",
                                         "algorithm", "protocol", "tls" };
    e->action = LAMP_POOL_ADD;
    lamp_body_known(b, names, ARRAY_LEN(names));
    take_text(b, "pool", true, e->pool, sizeof(e->pool));
    take_text(b, "fqdn", true, e->fqdn, sizeof(e->fqdn));
    e->port = (uint16_t)lamp_body_int(b, "port", 1, 65535, 0);
    take_text(b, "coin", false, e->coin, sizeof(e->coin));
    take_text(b, "algorithm", false, e->algorithm, sizeof(e->algorithm));
    take_text(b, "protocol", false, e->protocol, sizeof(e->protocol));
    take_tls(b, e);
}

static void answer_entry(lamp_api *api, const struct lamp_request *req, int64_t id,
                         struct lamp_reply *reply)
{
    struct list l = { .j = &reply->json };
    const struct lamp_pool_entry_filter f = { .id = id, .with_deleted = true };
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    const int err = lamp_store_pool_entries(s, &f, add_entry, &l);
    if (err)
        lamp_api_store_failed(s, reply);
    else if (l.n == 0)
        lamp_reply_error(reply, 404, "not_found", NULL, "No entry has this number.");
    lamp_api_reader_done(api, s);
}

/* One edit, of which the answer is the entry. */
static bool run_edit(lamp_api *api, const struct lamp_request *req, const struct lamp_pool_edit *e,
                     struct lamp_reply *reply, struct lamp_command_result *r)
{
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_POOLS);
    c.edits = malloc(sizeof(*e));
    if (!c.edits) {
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
        return false;
    }
    *c.edits = *e;
    c.n_edits = 1;
    return lamp_api_run(api, req, &c, reply, r);
}

static void import(lamp_api *api, const struct lamp_request *req, const json_t *entries,
                   struct lamp_reply *reply)
{
    const size_t n = json_array_size(entries);
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_POOLS);
    struct lamp_command_result r;
    if (n == 0 || n > IMPORT_MAX) {
        lamp_reply_error(reply, 400, "invalid", "entries",
                         "This must be a list of 1 to %d entries.", IMPORT_MAX);
        return;
    }
    /* one more, so that a list of one is an import too and is answered as such */
    c.edits = calloc(n + 1, sizeof(*c.edits));
    if (!c.edits) {
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
        return;
    }
    struct lamp_body b = { NULL, reply, false };
    for (size_t i = 0; i < n && !b.failed; i++) {
        b.object = json_array_get(entries, i);
        if (json_is_object(b.object)) {
            read_entry(&b, &c.edits[i]);
        } else {
            lamp_reply_error(reply, 400, "invalid", "entries", "Each entry must be an object.");
            b.failed = true;
        }
    }
    c.n_edits = n;
    if (b.failed) {
        free(c.edits);
        return;
    }
    if (!lamp_api_run(api, req, &c, reply, &r))
        return;
    lamp_json_object(&reply->json, NULL);
    lamp_json_uint(&reply->json, "changed", r.n_changed);
    lamp_json_uint(&reply->json, "same", r.n_same);
    lamp_json_uint(&reply->json, "refused", r.n_bad);
    lamp_json_str(&reply->json, "first_refused", r.n_bad ? r.why : NULL);
    lamp_json_end(&reply->json);
}

void lamp_api_add_pool_entry(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const json_t *entries = json_object_get(req->body, "entries");
    if (json_is_array(entries) && json_object_size(req->body) == 1) {
        import(app, req, entries, reply);
        return;
    }
    struct lamp_body b = { req->body, reply, false };
    struct lamp_pool_edit e = { .action = LAMP_POOL_ADD };
    struct lamp_command_result r;
    read_entry(&b, &e);
    if (b.failed || !run_edit(app, req, &e, reply, &r))
        return;
    answer_entry(app, req, r.pool_entry, reply);
    if (reply->status == 200 && r.n_changed)
        reply->status = 201;
}

/* Which fields a change names. */
static void read_change(struct lamp_body *b, struct lamp_pool_edit *e)
{
    static const char *const names[] = { "port", "coin", "algorithm", "protocol", "tls" };
    lamp_body_known(b, names, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_object_get(b->object, names[i]))
            e->set |= 1u << i; /* LAMP_POOL_SET_* in this order */
    e->port = (uint16_t)lamp_body_int(b, "port", 1, 65535, 0);
    take_text(b, "coin", false, e->coin, sizeof(e->coin));
    take_text(b, "algorithm", false, e->algorithm, sizeof(e->algorithm));
    take_text(b, "protocol", false, e->protocol, sizeof(e->protocol));
    take_tls(b, e);
}

void lamp_api_change_pool_entry(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_body b = { req->body, reply, false };
    struct lamp_pool_edit e = { .action = LAMP_POOL_EDIT, .id = req->id };
    struct lamp_command_result r;
    const json_t *undo = json_object_get(req->body, "undo");
    if (undo && json_is_true(undo) && json_object_size(req->body) == 1)
        e.action = LAMP_POOL_UNDO;
    else
        read_change(&b, &e);
    if (!b.failed && run_edit(app, req, &e, reply, &r))
        answer_entry(app, req, req->id, reply);
}

void lamp_api_delete_pool_entry(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const struct lamp_pool_edit e = { .action = LAMP_POOL_DELETE, .id = req->id };
    struct lamp_command_result r;
    if (run_edit(app, req, &e, reply, &r))
        reply->status = 204;
}

/* ---- the whole ---- */

static void write_rounds(struct lamp_json *j, lamp_probes *probes)
{
    struct lamp_probes_status s = { .offline = true };
    if (probes)
        s = lamp_probes_status(probes);
    lamp_json_object(j, "resolve");
    lamp_json_bool(j, "on", s.resolving);
    lamp_json_uint(j, "names", s.names_asked);
    lamp_json_uint(j, "failed", s.names_failed);
    lamp_json_end(j);
    lamp_json_object(j, "probe");
    lamp_json_bool(j, "on", s.probing);
    lamp_json_uint(j, "probes", s.probes);
    lamp_json_uint(j, "connections", s.connections);
    lamp_json_uint(j, "refused", s.refused);
    lamp_json_uint(j, "too_soon", s.too_soon);
    lamp_json_uint(j, "crowded", s.crowded);
    lamp_json_uint(j, "waiting", s.waiting);
    lamp_json_uint(j, "suspects", s.suspects);
    lamp_json_end(j);
    lamp_json_bool(j, "offline", s.offline);
    lamp_json_uint(j, "dropped", s.dropped);
}

static void write_catalogue(lamp_api *api, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_pool_totals t;
    struct lamp_json *j = &reply->json;
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    const int err = lamp_store_pool_totals(s, &t);
    if (err) {
        lamp_api_store_failed(s, reply);
        lamp_api_reader_done(api, s);
        return;
    }
    lamp_api_reader_done(api, s);
    lamp_json_object(j, NULL);
    lamp_json_uint(j, "pools", t.pools);
    lamp_json_uint(j, "servers", t.servers);
    lamp_json_uint(j, "addresses", t.addresses);
    lamp_json_uint(j, "entries", t.entries);
    lamp_json_uint(j, "muted", t.muted);
    lamp_json_uint(j, "endpoints", t.endpoints);
    lamp_json_uint(j, "up", t.up);
    lamp_json_uint(j, "listen", t.listen);
    lamp_json_uint(j, "down", t.down);
    lamp_json_uint(j, "refused", t.refused);
    write_rounds(j, api->cfg.probes);
    lamp_json_end(j);
}

void lamp_api_get_catalogue(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    (void)req;
    write_catalogue(app, req, reply);
}

static bool switch_one(lamp_api *api, const struct lamp_request *req, struct lamp_reply *reply,
                       const char *name, enum lamp_pool_switch which)
{
    const json_t *v = json_object_get(req->body, name);
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_SWITCH);
    struct lamp_command_result r;
    if (!v)
        return true;
    if (!json_is_boolean(v)) {
        lamp_reply_error(reply, 400, "invalid", name, "This must be true or false.");
        return false;
    }
    c.pool_switch = which;
    c.approve = json_is_true(v);
    return lamp_api_run(api, req, &c, reply, &r);
}

void lamp_api_switch_catalogue(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "resolve", "probe" };
    lamp_api *api = app;
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    if (b.failed || !switch_one(api, req, reply, "resolve", LAMP_POOL_RESOLVE) ||
        !switch_one(api, req, reply, "probe", LAMP_POOL_PROBE))
        return;
    write_catalogue(api, req, reply);
}

/* ---- probes on demand ---- */

static void write_order(struct lamp_json *j, const struct lamp_probe_order *o)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", o->id);
    lamp_json_bool(j, "done", o->done);
    lamp_json_str(j, "host", o->host);
    if (o->port)
        lamp_json_uint(j, "port", o->port);
    else
        lamp_json_null(j, "port");
    lamp_json_str(j, "error", o->error);
    lamp_json_array(j, "results");
    for (size_t i = 0; i < o->n; i++)
        lamp_api_json_pool_endpoint(j, NULL, &o->results[i]);
    lamp_json_end(j);
    lamp_json_end(j);
}

void lamp_api_add_probe(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "host", "port", "pool" };
    lamp_api *api = app;
    struct lamp_body b = { req->body, reply, false };
    struct lamp_probe_order o = { .id = 0 };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    o.pool_id = lamp_body_int(&b, "pool", 1, INT64_MAX, 0);
    take_text(&b, "host", o.pool_id == 0, o.host, sizeof(o.host));
    o.port = (uint16_t)lamp_body_int(&b, "port", 1, 65535, 0);
    if (!b.failed && o.pool_id == 0 && (!*o.host || o.port == 0)) {
        lamp_reply_error(reply, 400, "invalid", o.port ? "host" : "port",
                         "A host and a port are needed, or a pool.");
        return;
    }
    if (b.failed)
        return;
    if (!api->cfg.probes || lamp_probes_order(api->cfg.probes, &o, &o.id)) {
        reply->retry_after_s = 5;
        lamp_reply_error(reply, 503, "unavailable", NULL,
                         "Too many probes are waiting: try again.");
        return;
    }
    write_order(&reply->json, &o);
    reply->status = 202;
}

void lamp_api_get_probe(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const lamp_api *api = app;
    struct lamp_probe_order o;
    if (!api->cfg.probes || lamp_probes_get(api->cfg.probes, req->id, &o))
        lamp_reply_error(reply, 404, "not_found", NULL,
                         "No probe has this number, or it was too long ago.");
    else
        write_order(&reply->json, &o);
}
