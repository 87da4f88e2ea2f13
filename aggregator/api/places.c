/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about addresses: where they are, whose they are, what they are called, and the files
 * that say so. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json.h"
#include "common/clock.h"

#include <stdio.h>

enum { ADDRESSES_MAX = 100 };

static void write_address(const lamp_api *api, uint64_t mono_us, const struct lamp_addr *a,
                          struct lamp_json *j)
{
    char name[LAMP_NAME_TEXT];
    struct lamp_address_view v = { .addr = *a, .host_name = name };
    v.host_name_state = lamp_names_find(api->cfg.names, a, mono_us, name);
    if (api->cfg.geo)
        lamp_geo_find(api->cfg.geo, a, &v.place);
    lamp_api_json_address(j, &v);
}

void lamp_api_get_addresses(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const lamp_api *api = app;
    const uint64_t mono_us = lamp_clock_mono_us();
    const char *at = lamp_request_query(req, "ip");
    size_t n = 0;
    lamp_json_object(&reply->json, NULL);
    lamp_json_array(&reply->json, "addresses");
    for (bool more = at != NULL; more; n++) {
        char text[LAMP_ADDR_STRLEN];
        struct lamp_addr a;
        const size_t len = strcspn(at, ",");
        snprintf(text, sizeof(text), "%.*s", (int)lamp_min(len, sizeof(text)), at);
        if (n == ADDRESSES_MAX || len >= sizeof(text) || lamp_addr_parse(text, &a) != LAMP_OK) {
            lamp_reply_error(reply, 400, "invalid", "ip",
                             "ip must be 1 to %d addresses with commas between them.",
                             ADDRESSES_MAX);
            return;
        }
        write_address(api, mono_us, &a, &reply->json);
        more = at[len] == ',';
        at += len + more;
    }
    if (n == 0) {
        lamp_reply_error(reply, 400, "invalid", "ip", "ip is needed.");
        return;
    }
    lamp_json_end(&reply->json);
    lamp_json_end(&reply->json);
}

static void add_source(const struct lamp_geo_source *s, void *arg)
{
    struct lamp_json *j = arg;
    lamp_json_object(j, NULL);
    lamp_json_str(j, "name", s->name);
    lamp_json_bytes(j, "type", lamp_bytes_of(s->type)); /* the file's words */
    lamp_json_bytes(j, "description", lamp_bytes_of(s->text));
    lamp_json_time(j, "built", s->built_us);
    lamp_json_bool(j, "old", s->old);
    lamp_json_end(j);
}

void lamp_api_get_geo(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const lamp_api *api = app;
    struct lamp_json *j = &reply->json;
    struct lamp_names_counters c = { 0 };
    if (api->cfg.names)
        c = lamp_names_counters(api->cfg.names);
    lamp_json_object(j, NULL);
    lamp_json_array(j, "sources");
    if (api->cfg.geo)
        lamp_geo_sources(api->cfg.geo, req->now_us, add_source, j);
    lamp_json_end(j);
    lamp_json_str(j, "attribution", api->cfg.geo_attribution);
    lamp_json_object(j, "host_names");
    lamp_json_bool(j, "on", api->cfg.names != NULL);
    lamp_json_uint(j, "asked", c.asked);
    lamp_json_uint(j, "answered", c.answered);
    lamp_json_uint(j, "failed", c.failed);
    lamp_json_uint(j, "evicted", c.evicted);
    lamp_json_uint(j, "waiting", c.waiting);
    lamp_json_end(j);
    lamp_json_end(j);
}
