/* SPDX-License-Identifier: Apache-2.0 */
/* How the API has something changed: one way, so that no route forgets what its caller may do. */
#include "aggregator/api/impl.h"

#include <stdio.h>

enum { COMMAND_WAIT_MS = 10000 };

struct lamp_command lamp_api_command(const struct lamp_request *req, enum lamp_command_kind kind)
{
    struct lamp_command c = { .kind = kind };
    memcpy(c.actor, req->who.user, sizeof(c.actor));
    memcpy(c.person, req->who.person, sizeof(c.person));
    return c;
}

/* ---- what a caller of some sites may change ---- */

struct found {
    bool any;
    char site[65]; /* of a block; "": every site */
};

static bool found_miner(const struct lamp_miner_view *v, void *arg)
{
    struct found *f = arg;
    (void)v;
    f->any = true;
    return false;
}

static bool found_block(const struct lamp_block_view *v, void *arg)
{
    struct found *f = arg;
    f->any = true;
    snprintf(f->site, sizeof(f->site), "%s", v->site);
    return false;
}

static bool found_alert(const struct lamp_alert_view *v, void *arg)
{
    struct found *f = arg;
    (void)v;
    f->any = true;
    return false;
}

static int alert_in_scope(lamp_store *s, int64_t id)
{
    const struct lamp_alert_filter filter = { .id = id };
    struct found f = { .any = false };
    const int err = lamp_store_alerts(s, &filter, found_alert, &f);
    return err ? err : f.any ? LAMP_OK : LAMP_ENOENT;
}

static int site_in_scope(const struct lamp_request *req, const char *site)
{
    return *site && lamp_scope_has(req->who.scope, site, strlen(site)) ? LAMP_OK : LAMP_EAUTH;
}

static int miner_in_scope(lamp_store *s, const struct lamp_request *req, int64_t id)
{
    const struct lamp_miner_filter filter = { .id = id, .limit = 1 };
    struct found f = { .any = false };
    const int err = lamp_store_miners(s, &filter, req->now_us, found_miner, &f);
    return err ? err : f.any ? LAMP_OK : LAMP_ENOENT;
}

static int block_in_scope(lamp_store *s, const struct lamp_request *req, int64_t id)
{
    const struct lamp_block_filter filter = { .id = id };
    struct found f = { .any = false };
    const int err = lamp_store_blocks(s, &filter, found_block, &f);
    return err ? err : f.any ? site_in_scope(req, f.site) : LAMP_ENOENT;
}

struct found_own {
    struct found f;
    int64_t id;
};

static bool found_own(const struct lamp_own *o, void *arg)
{
    struct found_own *w = arg;
    if (o->id != w->id)
        return true;
    w->f.any = true;
    snprintf(w->f.site, sizeof(w->f.site), "%s", o->site);
    return false;
}

static int own_in_scope(lamp_store *s, const struct lamp_request *req, int64_t id)
{
    struct found_own w = { .id = id };
    const int err = lamp_store_own(s, found_own, &w);
    return err ? err : w.f.any ? site_in_scope(req, w.f.site) : LAMP_ENOENT;
}

static bool found_sample(const struct lamp_sample *v, void *arg)
{
    struct found *f = arg;
    f->any = true;
    snprintf(f->site, sizeof(f->site), "%s", v->site);
    return false;
}

/* The files of a sensor that the scope shows may be had of any sample, which is theirs only where its
 * site is. */
static int sample_in_scope(lamp_store *s, const struct lamp_request *req,
                           const struct lamp_command *cmd)
{
    const struct lamp_sample_filter filter = { .id = cmd->sample.id, .limit = 1 };
    struct found f = { .any = false };
    const int err = lamp_store_samples(s, &filter, found_sample, &f);
    if (err || !f.any)
        return err ? err : LAMP_ENOENT;
    return cmd->sample_change == LAMP_SAMPLE_DOWNLOAD ? LAMP_OK : site_in_scope(req, f.site);
}

static bool found_tracking(const struct lamp_tracking *v, void *arg)
{
    return found_sample(&v->order, arg);
}

static int tracking_in_scope(lamp_store *s, const struct lamp_request *req, int64_t id)
{
    const struct lamp_tracking_filter filter = { .id = id, .limit = 1 };
    struct found f = { .any = false };
    const int err = lamp_store_trackings(s, &filter, found_tracking, &f);
    return err ? err : f.any ? site_in_scope(req, f.site) : LAMP_ENOENT;
}

static bool found_import(const struct lamp_import *i, void *arg)
{
    (void)i;
    *(bool *)arg = true;
    return false;
}

static int import_in_scope(lamp_store *s, int64_t id)
{
    bool any = false;
    const int err =
        lamp_store_imports(s, &(struct lamp_import_filter){ .id = id }, found_import, &any);
    return err ? err : any ? LAMP_OK : LAMP_ENOENT;
}

static bool found_baseline(const struct lamp_baseline *b, void *arg)
{
    (void)b;
    *(bool *)arg = true;
    return false;
}

static int baseline_in_scope(lamp_store *s, int64_t id)
{
    bool any = false;
    const int err =
        lamp_store_baselines(s, &(struct lamp_baseline_filter){ .id = id }, found_baseline, &any);
    return err ? err : any ? LAMP_OK : LAMP_ENOENT;
}

static int key_in_scope(lamp_store *s, int64_t id)
{
    struct lamp_sensor_key k;
    return lamp_store_key_find(s, NULL, id, &k);
}

/* The reader shows no more than the scope: what it does not find is not there for the caller. A new
 * kind of command is refused until it stands here. */
int lamp_api_in_scope(lamp_api *api, const struct lamp_request *req, const struct lamp_command *cmd)
{
    int err = LAMP_EAUTH;
    if (!*req->who.scope)
        return LAMP_OK;
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    switch (cmd->kind) {
    case LAMP_CMD_MARK:
        err = miner_in_scope(s, req, cmd->miner_id);
        break;
    case LAMP_CMD_UNBLOCK:
    case LAMP_CMD_DECIDE:
        err = block_in_scope(s, req, cmd->block_id);
        break;
    case LAMP_CMD_ACK:
        err = alert_in_scope(s, cmd->alert_id);
        break;
    case LAMP_CMD_OWN:
        err = cmd->approve ? site_in_scope(req, cmd->own.site) : own_in_scope(s, req, cmd->own.id);
        break;
    case LAMP_CMD_SAMPLE:
        err = cmd->sample_change == LAMP_SAMPLE_ORDER ? site_in_scope(req, cmd->sample.site)
                                                      : sample_in_scope(s, req, cmd);
        break;
    case LAMP_CMD_TRACKING:
        err = cmd->tracking_change == LAMP_TRACKING_START
                  ? site_in_scope(req, cmd->tracking.order.site)
                  : tracking_in_scope(s, req, cmd->tracking.id);
        break;
    case LAMP_CMD_IMPORT:
        err = cmd->import_change == LAMP_IMPORT_ADD ? site_in_scope(req, cmd->import.site)
                                                    : import_in_scope(s, cmd->import.id);
        break;
    case LAMP_CMD_SETTING:
        err = site_in_scope(req, cmd->setting.site);
        break;
    case LAMP_CMD_BASELINE:
        err = cmd->baseline.change <= LAMP_BASELINE_IMPORT
                  ? site_in_scope(req, cmd->baseline.at.site)
                  : baseline_in_scope(s, cmd->baseline.at.id);
        break;
    case LAMP_CMD_BLOCK:
    case LAMP_CMD_HOLD:
    case LAMP_CMD_TOKEN:
        err = site_in_scope(req, cmd->site);
        break;
    case LAMP_CMD_REVOKE:
    case LAMP_CMD_ROTATE:
        err = key_in_scope(s, cmd->key_id);
        break;
    case LAMP_CMD_USER_CHANGE:
    case LAMP_CMD_SESSION_END:
        err = streq(cmd->account.name, req->who.user) ? LAMP_OK : LAMP_EAUTH;
        break;
    default:
        break;
    }
    lamp_api_reader_done(api, s);
    return err;
}

static void out_of_scope(int err, struct lamp_reply *reply)
{
    if (err == LAMP_ENOENT)
        lamp_reply_error(reply, 404, "not_found", NULL, "There is none of that number.");
    else if (err == LAMP_EAUTH)
        lamp_reply_error(reply, 403, "forbidden", NULL,
                         "This is about sites that are not yours: name one of your own.");
    else
        lamp_reply_error(reply, 500, "internal", NULL, "The database refused.");
}

/* ---- commands ---- */

/* What the writer's refusals mean to the caller. */
static const struct {
    int err;
    unsigned status;
    const char *code, *field;
} refusals[] = {
    { LAMP_EPROTECTED, 409, "protected", "target" }, { LAMP_EOVERLAP, 409, "conflict", "target" },
    { LAMP_EEXIST, 409, "conflict", "target" },      { LAMP_EPOLICY, 409, "conflict", "target" },
    { LAMP_EAUTH, 403, "forbidden", NULL },          { LAMP_EFULL, 409, "conflict", NULL },
    { LAMP_ESITE, 400, "invalid", "site" },          { LAMP_EINVAL, 400, "invalid", "target" },
    { LAMP_EREJECTED, 409, "conflict", NULL },       { LAMP_ENOENT, 404, "not_found", NULL },
    { LAMP_EFORMAT, 400, "invalid", NULL },
};

bool lamp_api_run(lamp_api *api, const struct lamp_request *req, const struct lamp_command *cmd,
                  struct lamp_reply *reply, struct lamp_command_result *result)
{
    int err = lamp_api_in_scope(api, req, cmd);
    if (err) {
        free(cmd->edits); /* the queue would have */
        free(cmd->baseline.body);
        out_of_scope(err, reply);
        return false;
    }
    err = lamp_commands_run(api->cfg.commands, cmd, COMMAND_WAIT_MS, result);
    if (err) {
        reply->retry_after_s = 5;
        lamp_reply_error(reply, 503, "unavailable", NULL,
                         err == LAMP_ETIMEOUT
                             ? "The aggregator did not answer in time; it may still do it."
                             : "Too many changes are waiting: try again.");
        return false;
    }
    if (!result->err || result->err == LAMP_EAGAIN)
        return true;
    const char *why = *result->why ? result->why : lamp_strerror(result->err);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].err == result->err) {
            const char *field = cmd->kind < LAMP_CMD_USER_ADD ? refusals[i].field : NULL;
            lamp_reply_error(reply, refusals[i].status, refusals[i].code, field, "%s", why);
            return false;
        }
    }
    lamp_reply_error(reply, 500, "internal", NULL, "%s", why);
    return false;
}
