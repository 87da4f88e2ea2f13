/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about blocks, and the reading of bodies. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json.h"
#include "common/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>

enum {
    TTL_MIN_S = 60,
    TTL_MAX_S = 31536000,
    TTL_DEFAULT_S = 86400,
};

/* ---- bodies ---- */

void lamp_body_fail(struct lamp_body *b, const char *field, const char *message)
{
    if (!b->failed)
        lamp_reply_error(b->reply, 400, "invalid", field, "%s", message);
    b->failed = true;
}

void lamp_body_known(struct lamp_body *b, const char *const *names, size_t n)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)b->object, key, value)
    {
        size_t i = 0;
        while (i < n && !streq(names[i], key))
            i++;
        if (i == n)
            lamp_body_fail(b, key, "There is no such field.");
    }
}

const char *lamp_body_str(struct lamp_body *b, const char *name, size_t max, bool required)
{
    char message[80];
    const json_t *v = json_object_get(b->object, name);
    if (!v && required)
        lamp_body_fail(b, name, "This field is needed.");
    if (!v || (json_is_null(v) && !required))
        return NULL;
    if (!json_is_string(v)) {
        lamp_body_fail(b, name, "This must be a string.");
        return NULL;
    }
    if (json_string_length(v) > max) {
        snprintf(message, sizeof(message), "This is longer than %zu bytes.", max);
        lamp_body_fail(b, name, message);
        return NULL;
    }
    return json_string_value(v);
}

int64_t lamp_body_int(struct lamp_body *b, const char *name, int64_t min, int64_t max, int64_t def)
{
    char message[100];
    const json_t *v = json_object_get(b->object, name);
    if (!v || json_is_null(v))
        return def;
    if (json_is_integer(v) && json_integer_value(v) >= min && json_integer_value(v) <= max)
        return json_integer_value(v);
    snprintf(message, sizeof(message),
             "This must be a whole number from %" PRId64 " to %" PRId64 ".", min, max);
    lamp_body_fail(b, name, message);
    return def;
}

bool lamp_body_bool(struct lamp_body *b, const char *name)
{
    const json_t *v = json_object_get(b->object, name);
    if (!json_is_boolean(v))
        lamp_body_fail(b, name, "This must be true or false.");
    return json_is_true(v);
}

/* ---- writing blocks ---- */

static bool add_block_sensor(const struct lamp_block_sensor_view *v, void *arg)
{
    lamp_api_json_block_sensor(arg, v);
    return true;
}

struct block_list {
    lamp_store *store;
    struct lamp_json *j;
    uint64_t now_us;
    bool found;
    int err;
};

static bool add_block(const struct lamp_block_view *v, void *arg)
{
    struct block_list *l = arg;
    l->found = true;
    lamp_json_object(l->j, NULL);
    lamp_api_json_block_fields(l->j, v, l->now_us);
    lamp_json_array(l->j, "sensors");
    l->err = lamp_store_block_sensors(l->store, v->id, add_block_sensor, l->j);
    lamp_json_end(l->j);
    lamp_json_end(l->j);
    return !l->err;
}

int lamp_api_write_block(lamp_store *s, int64_t id, uint64_t now_us, struct lamp_json *j)
{
    struct block_list l = { .store = s, .j = j, .now_us = now_us };
    const int err = lamp_store_blocks(s, &(struct lamp_block_filter){ .id = id }, add_block, &l);
    return err ? err : l.err ? l.err : l.found ? LAMP_OK : LAMP_ENOENT;
}

void lamp_api_get_blocks(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const char *removed = lamp_request_query(req, "removed");
    if (removed && !streq(removed, "true") && !streq(removed, "false")) {
        lamp_reply_error(reply, 400, "invalid", "removed", "removed must be true or false.");
        return;
    }
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct lamp_json *j = &reply->json;
    struct block_list l = { .store = s, .j = j, .now_us = req->now_us };
    const struct lamp_block_filter f = { .with_removed = removed && streq(removed, "true") };
    struct lamp_status_view status;
    lamp_json_object(j, NULL);
    lamp_json_array(j, "blocks");
    int err = lamp_store_blocks(s, &f, add_block, &l);
    lamp_json_end(j);
    if (!err)
        err = l.err ? l.err : lamp_store_status(s, req->now_us, &status);
    if (!err) {
        lamp_json_uint(j, "epoch", status.list_epoch);
        lamp_json_uint(j, "serial", status.list_serial);
        lamp_json_end(j);
    } else {
        lamp_api_store_failed(s, reply);
    }
    lamp_api_reader_done(app, s);
}

/* ---- changing blocks ---- */

static void read_target(struct lamp_body *b, struct lamp_command *cmd)
{
    const bool domain = cmd->block_kind == LAMP_BLOCK_DOMAIN;
    const char *target =
        lamp_body_str(b, "target", domain ? sizeof(cmd->name) - 1 : LAMP_PREFIX_STRLEN, true);
    if (!target)
        return;
    if (domain) {
        for (size_t i = 0; target[i]; i++)
            cmd->name[i] = (char)tolower((unsigned char)target[i]);
        return;
    }
    const int err = lamp_prefix_parse(target, &cmd->prefix);
    if (err == LAMP_ECANON)
        lamp_body_fail(b, "target", "The bits of the address past the prefix length must be zero.");
    else if (err)
        lamp_body_fail(b, "target", "This must be an address or a prefix such as 203.0.113.0/28.");
    else if (cmd->block_kind == LAMP_BLOCK_HOST && cmd->prefix.len != 128)
        lamp_body_fail(b, "target", "An inside host is a single address.");
}

static void read_choice(struct lamp_body *b, const char *name, const char *zero, const char *one,
                        bool *out_one)
{
    char message[64];
    const char *text = lamp_body_str(b, name, 16, false);
    *out_one = text && streq(text, one);
    if (!text || *out_one || streq(text, zero))
        return;
    snprintf(message, sizeof(message), "This must be %s or %s.", zero, one);
    lamp_body_fail(b, name, message);
}

static void read_kind(struct lamp_body *b, struct lamp_command *cmd)
{
    static const char *const kinds[] = { "remote", "host", "domain" };
    const char *text = lamp_body_str(b, "kind", 16, false);
    size_t i = 0;
    while (text && i < ARRAY_LEN(kinds) && !streq(text, kinds[i]))
        i++;
    if (i == ARRAY_LEN(kinds))
        lamp_body_fail(b, "kind", "This must be remote, host or domain.");
    else
        cmd->block_kind = (enum lamp_block_kind)i;
}

/* The body of POST /blocks; false after answering what is wrong. */
static bool read_block(const struct lamp_request *req, struct lamp_reply *reply,
                       struct lamp_command *cmd)
{
    static const char *const names[] = { "kind", "target", "port", "transport",
                                         "site", "reason", "ttl" };
    struct lamp_body b = { req->body, reply, false };
    bool udp;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    read_kind(&b, cmd);
    const bool host = cmd->block_kind == LAMP_BLOCK_HOST;
    read_target(&b, cmd);
    cmd->port = (uint16_t)lamp_body_int(&b, "port", 1, UINT16_MAX, 0);
    read_choice(&b, "transport", "tcp", "udp", &udp);
    const json_t *transport = json_object_get(req->body, "transport");
    if (transport && !json_is_null(transport))
        cmd->ip_proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
    const char *site = lamp_body_str(&b, "site", sizeof(cmd->site) - 1, false);
    const char *reason = lamp_body_str(&b, "reason", sizeof(cmd->reason) - 1, false);
    snprintf(cmd->site, sizeof(cmd->site), "%s", site ? site : "");
    snprintf(cmd->reason, sizeof(cmd->reason), "%s", reason ? reason : "");
    cmd->ttl_s = (uint32_t)lamp_body_int(&b, "ttl", TTL_MIN_S, TTL_MAX_S, TTL_DEFAULT_S);
    if (host && !*cmd->site)
        lamp_body_fail(&b, "site",
                       "An inside host needs its site, since sites may share addresses.");
    return !b.failed;
}

void lamp_api_add_block(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_BLOCK);
    struct lamp_command_result result;
    if (!read_block(req, reply, &cmd) || !lamp_api_run(api, req, &cmd, reply, &result))
        return;

    lamp_store *s = lamp_api_reader(api, req->who.scope);
    const int err = lamp_api_write_block(s, result.block_id, req->now_us, &reply->json);
    if (err)
        lamp_api_store_failed(s, reply);
    else
        reply->status = 201;
    lamp_api_reader_done(api, s);
}

void lamp_api_decide_block(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "approve" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_DECIDE);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    cmd.block_id = req->id;
    cmd.approve = lamp_body_bool(&b, "approve");
    if (b.failed || !lamp_api_run(app, req, &cmd, reply, &result))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    if (lamp_api_write_block(s, req->id, req->now_us, &reply->json) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- sites that are held ---- */

struct site_list {
    const struct lamp_api *api;
    struct lamp_json *j;
    const char *name; /* NULL: all */
};

static bool add_site(const struct lamp_site_view *v, void *arg)
{
    const struct site_list *l = arg;
    if (!l->name || streq(l->name, v->name))
        lamp_api_json_site(l->j, v, l->api->cfg.facts);
    return true;
}

void lamp_api_get_sites(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct site_list l = { .api = app, .j = &reply->json };
    (void)req;
    lamp_json_object(&reply->json, NULL);
    lamp_json_array(&reply->json, "sites");
    const int err = lamp_store_sites(s, add_site, &l);
    lamp_json_end(&reply->json);
    lamp_json_end(&reply->json);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* Holding is done at once; so is a release, unless so much would come that another person has to ask
 * for it too: then the answer is 202, and says who asked. */
void lamp_api_hold_site(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "site", "hold" };
    lamp_api *api = app;
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_HOLD);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *site = lamp_body_str(&b, "site", sizeof(cmd.site) - 1, true);
    cmd.approve = lamp_body_bool(&b, "hold");
    if (b.failed)
        return;
    snprintf(cmd.site, sizeof(cmd.site), "%s", site);
    if (!lamp_api_run(api, req, &cmd, reply, &result))
        return;
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    struct site_list l = { api, &reply->json, site };
    reply->status = result.err == LAMP_EAGAIN ? 202 : 200;
    if (lamp_store_sites(s, add_site, &l) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
}

void lamp_api_remove_block(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_UNBLOCK);
    struct lamp_command_result result;
    cmd.block_id = req->id;
    if (lamp_api_run(app, req, &cmd, reply, &result))
        reply->status = 204;
}
