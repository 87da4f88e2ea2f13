/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about settings: what the sensors of a site get from here, and what is set of sites themselves. */
#include "aggregator/api/impl.h"
#include "aggregator/api/json_settings.h"
#include "aggregator/store/facts.h"

#include <stdio.h>

static bool write_value(const struct lamp_site_setting *x, void *arg)
{
    lamp_api_json_setting(arg, x);
    return true;
}

void lamp_api_get_settings(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_json *j = &reply->json;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    size_t n, n_facts;
    const struct lamp_opt *known = lamp_settings(&n), *facts = lamp_facts_known(&n_facts);
    lamp_json_object(j, NULL);
    lamp_json_array(j, "known");
    for (size_t i = 0; i < n; i++)
        lamp_api_json_setting_known(j, &known[i], "sensor");
    for (size_t i = 0; i < n_facts; i++)
        lamp_api_json_setting_known(j, &facts[i], "site");
    lamp_json_end(j);
    lamp_json_array(j, "settings");
    const int err = lamp_store_settings(s, write_value, j);
    lamp_json_end(j);
    lamp_json_end(j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

struct same {
    const struct lamp_site_setting *want;
    struct lamp_json *j;
};

static bool write_same(const struct lamp_site_setting *x, void *arg)
{
    const struct same *s = arg;
    if (!streq(x->name, s->want->name) || !streq(x->site, s->want->site))
        return true;
    lamp_api_json_setting(s->j, x);
    return false;
}

/* What is set of a site holds from the next answer on. False after answering 500. */
static bool renew(lamp_api *api, const struct lamp_request *req, struct lamp_reply *reply)
{
    if (!api->cfg.facts || !lamp_fact_find(req->name))
        return true;
    lamp_store *s = lamp_api_reader(api, ""); /* every site */
    const int err = lamp_facts_load(api->cfg.facts, s);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
    return err == LAMP_OK;
}

void lamp_api_put_setting(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "site", "value" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_SETTING);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    struct lamp_site_setting *x = &cmd.setting;
    cmd.approve = true;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *value = lamp_body_str(&b, "value", sizeof(x->value) - 1, true);
    const char *site = lamp_body_str(&b, "site", sizeof(x->site) - 1, false);
    snprintf(x->name, sizeof(x->name), "%s", req->name);
    snprintf(x->value, sizeof(x->value), "%s", value ? value : "");
    snprintf(x->site, sizeof(x->site), "%s", site ? site : "");
    if (b.failed || !lamp_api_run(app, req, &cmd, reply, &result) || !renew(app, req, reply))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    if (lamp_store_settings(s, write_same, &(struct same){ x, &reply->json }) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_delete_setting(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_SETTING);
    struct lamp_command_result result;
    const char *site;
    if (!lamp_api_site_of(req, reply, &site))
        return;
    snprintf(cmd.setting.name, sizeof(cmd.setting.name), "%s", req->name);
    snprintf(cmd.setting.site, sizeof(cmd.setting.site), "%s", site ? site : "");
    if (lamp_api_run(app, req, &cmd, reply, &result) && renew(app, req, reply))
        reply->status = 204;
}
