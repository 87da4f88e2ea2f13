/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask for through the API, and what main asks for. */
#include "aggregator/writer/accounts.h"
#include "aggregator/writer/importbook.h"
#include "aggregator/writer/poolbook.h"
#include "aggregator/writer/writer_impl.h"
#include "common/clock.h"

#include <stdio.h>

#define SECOND_US UINT64_C(1000000)

static int on_block(lamp_writer *w, const struct lamp_command *c, uint64_t now_us,
                    struct lamp_command_result *r)
{
    struct lamp_block b = {
        .kind = c->block_kind,
        .prefix = c->prefix,
        .port = c->port,
        .ip_proto = c->ip_proto,
        .created_us = now_us,
        .expires_us = now_us + c->ttl_s * SECOND_US,
    };
    snprintf(b.name, sizeof(b.name), "%s", c->name);
    snprintf(b.site, sizeof(b.site), "%s", c->site);
    snprintf(b.reason, sizeof(b.reason), "%s", c->reason);
    snprintf(b.created_by, sizeof(b.created_by), "%s", c->actor);
    snprintf(b.person, sizeof(b.person), "%s", c->person);
    const int err = lamp_blocklist_add(w->blocks, &b, r->why, sizeof(r->why));
    r->block_id = err == LAMP_OK ? b.id : 0;
    return err;
}

static int on_hold(lamp_writer *w, const struct lamp_command *c, uint64_t now_us,
                   struct lamp_command_result *r)
{
    const struct lamp_asker asker = { c->actor, c->person };
    struct lamp_set_head head = { .serial = 0 };
    if (!c->approve)
        return lamp_blocklist_release(w->blocks, c->site, &asker, now_us, r->why, sizeof(r->why));
    const int err = lamp_sets_head(w->sets, LAMP_SET_BLOCK, c->site, &head);
    if (err == LAMP_ENOENT)
        snprintf(r->why, sizeof(r->why), "no list was published for site %s", c->site);
    return err ? err
               : lamp_blocklist_hold(w->blocks, c->site, head.serial, c->actor, now_us, r->why,
                                     sizeof(r->why));
}

/* A command about keys. A sensor that is let in needs its site's list; one that is asked for a new
 * key is told at once where it has a session. */
static int on_key_command(lamp_writer *w, const struct lamp_command *c, uint64_t now_us,
                          struct lamp_command_result *r)
{
    int err = lamp_keyring_command(w->keyring, c, now_us, r);
    if (err == LAMP_OK && (c->kind == LAMP_CMD_ADMIT || c->kind == LAMP_CMD_ENROLL))
        err = lamp_blocklist_site(w->blocks, r->site);
    if (err == LAMP_OK && (c->kind == LAMP_CMD_ADMIT || c->kind == LAMP_CMD_ENROLL))
        err = lamp_sets_site(w->sets, r->site, now_us);
    if (err == LAMP_OK && c->kind == LAMP_CMD_ROTATE) {
        const struct lamp_msg m = { .type = LAMP_MSG_KEY_STATE,
                                    .u.key_state.order = LAMP_KEY_ORDER_REPLACE };
        lamp_answers_add_sensor(&w->answers, r->name, &m);
    }
    if (err == LAMP_OK && c->kind == LAMP_CMD_ANNOUNCE) {
        const struct lamp_msg m = { .type = LAMP_MSG_SERVER_KEY, .u.server_key = c->server_key };
        w->cfg.next_server_key = c->server_key;
        lamp_answers_add_all(&w->answers, &m);
    } else if (err == LAMP_OK) {
        lamp_touched_add(w->touched, LAMP_EVENT_SENSOR, 0, r->name);
        lamp_touched_add(w->touched, LAMP_EVENT_STATUS, 0, "");
    }
    return err;
}

static int on_mark(lamp_writer *w, const struct lamp_command *c, uint64_t now_us)
{
    const char *state = c->mark == LAMP_MARK_NONE ? "unmarked"
                        : c->mark == LAMP_MARK_SANCTIONED
                            ? lamp_miner_state_name(LAMP_MINER_SANCTIONED)
                            : lamp_miner_state_name(LAMP_MINER_DISMISSED);
    int err = lamp_store_miner_mark(w->store, c->miner_id, c->mark, c->actor, c->reason, now_us);
    if (err == LAMP_OK)
        err = lamp_guard_marked(w->guard, c->miner_id, c->mark, c->actor, c->reason, now_us);
    return err ? err
               : lamp_store_step(w->store, c->miner_id,
                                 &(struct lamp_step_view){ state, c->actor, c->reason, now_us });
}

/* Adds to the owner's lists, or takes off. */
static int on_own(lamp_writer *w, const struct lamp_command *c, uint64_t now_us,
                  struct lamp_command_result *r)
{
    struct lamp_own o = c->own;
    o.added_us = now_us;
    snprintf(o.added_by, sizeof(o.added_by), "%s", c->actor);
    int err =
        c->approve ? lamp_store_own_add(w->store, &o) : lamp_store_own_remove(w->store, c->own.id);
    r->key_id = o.id;
    if (err == LAMP_EEXIST)
        snprintf(r->why, sizeof(r->why), "this %s is on the list already", lamp_own_name(o.kind));
    else if (err == LAMP_EFULL)
        snprintf(r->why, sizeof(r->why), "%d entries are the most there can be", LAMP_OWN_MAX);
    else if (err == LAMP_ENOENT)
        snprintf(r->why, sizeof(r->why), "no entry has number %lld", (long long)o.id);
    return err == LAMP_OK ? lamp_rigs_reload(w->rigs) : err;
}

int lamp_writer_carry_out(lamp_writer *w, const struct lamp_command *c, uint64_t now_us,
                          struct lamp_command_result *r)
{
    const struct lamp_asker asker = { c->actor, c->person };
    int err;
    r->block_id = c->block_id;
    if (c->kind >= LAMP_CMD_USER_ADD) {
        w->accounts_changed = true;
        return lamp_accounts_command(w->store, c, now_us, r);
    }
    switch (c->kind) {
    case LAMP_CMD_BLOCK:
        return on_block(w, c, now_us, r);
    case LAMP_CMD_UNBLOCK:
        return lamp_blocklist_end(w->blocks, c->block_id, c->actor, now_us, r->why, sizeof(r->why));
    case LAMP_CMD_DECIDE:
        return lamp_blocklist_decide(w->blocks, c->block_id, c->approve, &asker, now_us, r->why,
                                     sizeof(r->why));
    case LAMP_CMD_HOLD:
        return on_hold(w, c, now_us, r);
    case LAMP_CMD_POOLS:
    case LAMP_CMD_SWITCH:
        err = lamp_poolbook_command(w->store, c, now_us, r);
        if (err == LAMP_OK && r->n_changed && w->watch_us == 0)
            w->watch_us = lamp_clock_mono_us();
        return err;
    case LAMP_CMD_NOTE:
        return lamp_store_audit(w->store, c->actor, c->name, c->reason, "", now_us);
    case LAMP_CMD_SAMPLE:
        return w->samples ? lamp_samplebook_command(w->samples, c, &w->answers, now_us, r)
                          : LAMP_EUNSUPPORTED;
    case LAMP_CMD_TRACKING:
        return lamp_trackbook_command(w->trackings, c, &w->answers, now_us, r);
    case LAMP_CMD_IMPORT:
        return lamp_importbook_command(w->store, c, now_us, r);
    case LAMP_CMD_HISTORY:
        return lamp_store_history_note(w->store, &c->history);
    case LAMP_CMD_BASELINE:
        return lamp_baselinebook_command(&w->baselines, c, now_us, r);
    case LAMP_CMD_PROVED:
        err = lamp_watchlist_say(w->watch, c, now_us, r);
        if (err == LAMP_OK && w->watch_us == 0)
            w->watch_us = lamp_clock_mono_us();
        return err;
    case LAMP_CMD_POLICY:
        err = lamp_policybook_command(w->store, c, now_us, r);
        return err == LAMP_OK ? lamp_rules_reload(w->rules) : err;
    case LAMP_CMD_OWN:
        return on_own(w, c, now_us, r);
    case LAMP_CMD_SETTING:
        err = lamp_sitebook_command(w->store, c, now_us, r);
        if (err == LAMP_OK && lamp_setting_find(c->setting.name))
            lamp_sets_mark(w->sets, LAMP_SET_POLICY, c->setting.site);
        return err;
    case LAMP_CMD_ACK:
        return lamp_store_alert_ack(w->store, c->alert_id, c->actor, now_us);
    case LAMP_CMD_MARK:
        return on_mark(w, c, now_us);
    default:
        return on_key_command(w, c, now_us, r);
    }
}

static const char *policy_change_name(const struct lamp_command *c)
{
    switch (c->policy_change) {
    case LAMP_POLICY_ADD:
        return c->policy.name;
    case LAMP_POLICY_EDIT:
        return "changed";
    case LAMP_POLICY_PLACE:
        return "moved";
    case LAMP_POLICY_REMOVE:
        return "removed";
    case LAMP_POLICY_MODE:
        break;
    }
    return lamp_policy_mode_name(c->policy.mode);
}

int lamp_writer_audit(lamp_writer *w, const struct lamp_command *c,
                      const struct lamp_command_result *r, uint64_t now_us)
{
    if (c->kind >= LAMP_CMD_TOKEN)
        return LAMP_OK; /* the keyring, a book or accounts.c has said it */
    static const char *const actions[] = { "block",       "unblock", "mark",   "refuse", "release",
                                           "acknowledge", "own",     "policy", "set" };
    char object[LAMP_NAME_MAX + 80], detail[LAMP_PREFIX_STRLEN + 300], prefix[LAMP_PREFIX_STRLEN];
    const char *action = c->kind == LAMP_CMD_DECIDE && c->approve     ? "approve"
                         : c->kind == LAMP_CMD_HOLD && c->approve     ? "hold"
                         : r->err == LAMP_EAGAIN                      ? "ask to release"
                         : c->kind == LAMP_CMD_OWN && !c->approve     ? "disown"
                         : c->kind == LAMP_CMD_SETTING && !c->approve ? "unset"
                                                                      : actions[c->kind];
    if (c->kind == LAMP_CMD_HOLD)
        snprintf(object, sizeof(object), "site %s", c->site);
    else if (c->kind == LAMP_CMD_POLICY)
        snprintf(object, sizeof(object), "policy %lld", (long long)r->key_id);
    else if (c->kind == LAMP_CMD_SETTING)
        snprintf(object, sizeof(object), "%s%s%s", c->setting.name, *c->setting.site ? " at " : "",
                 c->setting.site);
    else if (c->kind == LAMP_CMD_OWN)
        snprintf(object, sizeof(object), "entry %lld", (long long)r->key_id);
    else if (c->kind == LAMP_CMD_ACK)
        snprintf(object, sizeof(object), "alert %lld", (long long)c->alert_id);
    else if (c->kind == LAMP_CMD_MARK)
        snprintf(object, sizeof(object), "miner %lld", (long long)c->miner_id);
    else
        snprintf(object, sizeof(object), "block %lld", (long long)r->block_id);
    if (c->kind == LAMP_CMD_BLOCK)
        snprintf(detail, sizeof(detail), "%s%s%s",
                 c->block_kind == LAMP_BLOCK_DOMAIN ? c->name : lamp_prefix_str(&c->prefix, prefix),
                 *c->site ? " at " : "", c->site);
    else
        snprintf(detail, sizeof(detail), "%s",
                 c->kind == LAMP_CMD_MARK                    ? c->reason
                 : c->kind == LAMP_CMD_OWN                   ? c->own.value
                 : c->kind == LAMP_CMD_SETTING && c->approve ? c->setting.value
                 : c->kind == LAMP_CMD_POLICY                ? policy_change_name(c)
                                                             : "");
    return lamp_store_audit(w->store, c->actor, action, object, detail, now_us);
}

void lamp_writer_touch(lamp_writer *w, const struct lamp_command *c,
                       const struct lamp_command_result *r)
{
    if (c->kind >= LAMP_CMD_TOKEN)
        return;
    if (c->kind == LAMP_CMD_MARK) {
        lamp_touched_add(w->touched, LAMP_EVENT_MINER, c->miner_id, "");
    } else if (c->kind == LAMP_CMD_ACK) {
        lamp_touched_add(w->touched, LAMP_EVENT_ALERT, c->alert_id, "");
    } else if (c->kind != LAMP_CMD_HOLD && c->kind != LAMP_CMD_OWN && c->kind != LAMP_CMD_POLICY &&
               c->kind != LAMP_CMD_SETTING) {
        w->blocks_changed = true;
        lamp_touched_add(w->touched, LAMP_EVENT_BLOCK, r->block_id, "");
    }
    lamp_touched_add(w->touched, LAMP_EVENT_STATUS, 0, "");
}
