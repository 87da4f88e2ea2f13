/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/writer.h"

#include "aggregator/policy/guard.h"
#include "aggregator/writer/accounts.h"
#include "aggregator/writer/importbook.h"
#include "aggregator/writer/merge.h"
#include "aggregator/writer/policybook.h"
#include "aggregator/writer/poolbook.h"
#include "aggregator/writer/sitebook.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define SECOND_US UINT64_C(1000000)

enum {
    GROUP_MAX = LAMP_ANSWERS_ACKS_MAX, /* letters in one transaction */
    GROUP_US = 1000000,                /* how long one may stay open */
    COMMANDS_MAX = 32,                 /* answered together */
    FAILURES_MAX = 3,
    WINDOW_MAX = 4 * 1024 * 1024, /* what a sensor may have under way */
    WINDOW_MIN = 64 * 1024,
    WATCH_GATHER_US = 10 * 1000 * 1000,
};

struct lamp_writer {
    struct lamp_writer_cfg cfg;
    lamp_store *store;
    lamp_blocklist *blocks;
    lamp_keyring *keyring;
    lamp_watchlist *watch;
    lamp_sets *sets;
    lamp_alarms *alarms;
    lamp_rigs *rigs;
    lamp_rules *rules;
    lamp_guard *guard;
    lamp_habits *habits;
    struct lamp_baselinebook baselines;
    lamp_samplebook *samples; /* NULL: none are taken */
    lamp_trackbook *trackings;
    struct lamp_fleetclock clock;
    uint64_t
        watch_us; /* monotonic: since when the watch list waits to be published; 0: it does not */
    lamp_touched *touched;
    uint64_t epoch;
    uint64_t
        quiet_us; /* those heard of last until then are known to have ended; 0: not looked yet */
    struct lamp_upkeep upkeep;
    pthread_t thread;
    int stop_fd;
    _Atomic bool failed;

    bool open;                   /* a transaction is */
    uint64_t opened_us;          /* monotonic */
    unsigned letters;            /* in it */
    unsigned failures;           /* in a row */
    struct lamp_answers answers; /* wait for the commit */
    struct lamp_command_result results[COMMANDS_MAX];
    size_t n_results;    /* likewise */
    bool blocks_changed; /* miners must be looked at again */
    bool accounts_changed;
};

/* ---- what blocks change ---- */

static void on_expired(int64_t block_id, void *arg)
{
    lamp_writer *w = arg;
    lamp_touched_add(w->touched, LAMP_EVENT_BLOCK, block_id, "");
    w->blocks_changed = true;
}

static void on_blocks(const char *site, void *arg)
{
    const lamp_writer *w = arg;
    if (w->sets)
        lamp_sets_mark(w->sets, LAMP_SET_BLOCK, site);
}

/* Miners whose block state is no longer right. */
struct flips {
    lamp_writer *w;
    struct {
        int64_t id;
        bool blocked;
    } * v;
    size_t n;
    bool failed;
};

static bool find_flip(const struct lamp_miner_target *t, void *arg)
{
    struct flips *f = arg;
    const bool blocked = lamp_blocklist_covers(f->w->blocks, t);
    if (blocked == t->blocked)
        return true;
    if (f->n % 64 == 0) {
        void *v = realloc(f->v, (f->n + 64) * sizeof(*f->v));
        if (!v) {
            f->failed = true;
            return false;
        }
        f->v = v;
    }
    f->v[f->n].id = t->id;
    f->v[f->n++].blocked = blocked;
    return true;
}

static int refresh_miners(lamp_writer *w)
{
    struct flips f = { .w = w };
    int err = lamp_store_miner_targets(w->store, 0, find_flip, &f);
    if (err == LAMP_OK && f.failed)
        err = LAMP_ENOMEM;
    for (size_t i = 0; i < f.n && err == LAMP_OK; i++) {
        err = lamp_store_miner_blocked(w->store, f.v[i].id, f.v[i].blocked);
        if (err == LAMP_OK)
            err =
                lamp_store_step(w->store, f.v[i].id,
                                &(struct lamp_step_view){ f.v[i].blocked ? "blocked" : "unblocked",
                                                          "", "", lamp_clock_real_us() });
        lamp_touched_add(w->touched, LAMP_EVENT_MINER, f.v[i].id, "");
    }
    free(f.v);
    w->blocks_changed = false;
    return err;
}

/* ---- sets ---- */

static void on_list(const char *site, const struct lamp_set_head *head, void *arg)
{
    lamp_writer *w = arg;
    struct lamp_msg m = { .type = LAMP_MSG_SET_NOTIFY };
    m.u.set_notify.head = *head;
    lamp_answers_add_site(&w->answers, site, &m);
}

static int build_never(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    const lamp_writer *w = arg;
    struct lamp_set_entry *e = calloc(w->cfg.n_never + 1, sizeof(*e));
    (void)site, (void)now_us;
    if (!e)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < w->cfg.n_never; i++)
        e[i] = (struct lamp_set_entry){ .action = LAMP_SET_ADD, .prefix = w->cfg.never[i] };
    const int err = lamp_set_copy(e, lamp_set_canonical(e, w->cfg.n_never), out);
    free(e);
    return err;
}

static void close_lists(lamp_writer *w)
{
    w->guard = lamp_guard_free(w->guard);
    w->rigs = lamp_rigs_free(w->rigs);
    w->habits = lamp_habits_free(w->habits);
    w->rules = lamp_rules_free(w->rules);
    w->alarms = lamp_alarms_free(w->alarms);
    w->sets = lamp_sets_close(w->sets);
    w->watch = lamp_watchlist_close(w->watch);
    w->blocks = lamp_blocklist_close(w->blocks);
}

static void on_policy_block(int64_t block_id, void *arg)
{
    lamp_writer *w = arg;
    w->blocks_changed = true;
    lamp_touched_add(w->touched, LAMP_EVENT_BLOCK, block_id, "");
}

static int on_policy_sample(const struct lamp_policy *p, const struct lamp_rules_news *n,
                            int64_t *out_id, char *why, size_t size, void *arg)
{
    lamp_writer *w = arg;
    return lamp_policybook_sample(w->store, w->samples, &w->answers, p, n, out_id, why, size);
}

static int open_guard(lamp_writer *w)
{
    struct lamp_guard_cfg guard = { .store = w->store };
    struct lamp_alarms_cfg alarms = w->cfg.alarms;
    alarms.store = w->store;
    alarms.touched = w->touched;
    struct lamp_rigs_cfg rigs = w->cfg.rigs;
    int err = lamp_alarms_new(&alarms, &w->alarms);
    if (err == LAMP_OK)
        err = lamp_habits_new(
            &(struct lamp_habits_cfg){ w->store, w->alarms, w->cfg.asn, w->cfg.asn_arg },
            &w->habits);
    w->baselines = (struct lamp_baselinebook){ w->store, w->habits, w->cfg.asn, w->cfg.asn_arg, 0 };
    rigs.store = w->store;
    rigs.alarms = guard.alarms = w->alarms;
    rigs.habits = w->habits;
    if (err == LAMP_OK)
        err = lamp_rigs_new(&rigs, &w->rigs);
    const struct lamp_rules_cfg rules = { w->store,        w->alarms, w->blocks,
                                          on_policy_block, w,         on_policy_sample };
    if (err == LAMP_OK)
        err = lamp_rules_new(&rules, &w->rules);
    guard.rigs = w->rigs;
    guard.rules = w->rules;
    return err == LAMP_OK ? lamp_guard_new(&guard, &w->guard) : err;
}

/* Opens, or after a roll-back opens anew, what remembers something of the database. */
static int open_lists(lamp_writer *w)
{
    const uint64_t now_us = lamp_clock_real_us();
    const struct lamp_blocklist_cfg blocks = { .store = w->store,
                                               .never = w->cfg.never,
                                               .n_never = w->cfg.n_never,
                                               .ttl_s = w->cfg.list_ttl_s,
                                               .no_approvals = w->cfg.no_approvals,
                                               .changed = on_blocks,
                                               .arg = w };
    close_lists(w);
    int err = lamp_blocklist_open(&blocks, &w->blocks);
    if (err == LAMP_OK)
        err = lamp_watchlist_open(w->store, w->cfg.cdn, &w->watch);
    if (err == LAMP_OK)
        err = open_guard(w);
    if (err != LAMP_OK)
        return err;
    const struct lamp_sets_cfg sets = {
        .store = w->store,
        .keys = w->cfg.keys,
        .ttl_s = w->cfg.list_ttl_s,
        .sources = { { LAMP_SET_BLOCK, true, lamp_blocklist_build, w->blocks },
                     { LAMP_SET_NEVER, false, build_never, w },
                     { LAMP_SET_WATCH, false, lamp_watchlist_build, w->watch },
                     { LAMP_SET_POLICY, true, lamp_sitebook_build, w->store } },
        .n_sources = 4,
    };
    return lamp_sets_open(&sets, now_us, &w->sets);
}

/* New endpoints are gathered for a while, so that a busy hour does not write to every sensor each
 * second. */
static uint64_t watch_due_us(const lamp_writer *w)
{
    return w->watch_us ? w->watch_us + WATCH_GATHER_US : UINT64_MAX;
}

static uint64_t lists_due_us(const lamp_writer *w, uint64_t now_us)
{
    const uint64_t blocks = lamp_blocklist_due_us(w->blocks);
    const uint64_t sets = lamp_sets_due_us(w->sets, now_us);
    return blocks < sets ? blocks : sets;
}

static int publish(lamp_writer *w, uint64_t now_us)
{
    const int err = lamp_blocklist_expire(w->blocks, now_us, on_expired, w);
    return err == LAMP_OK ? lamp_sets_publish(w->sets, now_us, on_list, w) : err;
}

/* ---- the allow table ---- */

/* The allow table as it stands becomes the enrolled sensors and the sites that have lists. */
static int enroll(lamp_writer *w, uint64_t now_us)
{
    LAMP_AUTO_FREE struct lamp_allowed *v = NULL;
    size_t n = 0;
    int err = lamp_allow_copy(w->cfg.allow, &v, &n);
    if (err == LAMP_OK)
        err = lamp_store_unenroll_all(w->store);
    for (size_t i = 0; i < n && err == LAMP_OK; i++) {
        err = lamp_store_enroll(w->store, v[i].id, v[i].site, now_us);
        if (err == LAMP_OK)
            err = lamp_blocklist_site(w->blocks, v[i].site);
        if (err == LAMP_OK)
            err = lamp_sets_site(w->sets, v[i].site, now_us);
    }
    lamp_touched_add(w->touched, LAMP_EVENT_STATUS, 0, "");
    return err;
}

/* What each sensor may have under way: as much as is good for it while there is room, and under
 * overload an equal share of the room that is left, so that one sensor with a full spool does
 * not keep the others out. Less credit is the only brake: nothing that came is thrown away. */
static uint64_t window_bytes(const lamp_writer *w)
{
    const size_t n = lamp_allow_active(w->cfg.allow);
    const size_t share = lamp_mailbox_room(w->cfg.inbox) / (n ? n : 1);
    return share > WINDOW_MAX ? WINDOW_MAX : share < WINDOW_MIN ? WINDOW_MIN : share;
}

/* ---- transactions ---- */

static int begin(lamp_writer *w)
{
    if (w->open)
        return LAMP_OK;
    const int err = lamp_store_begin(w->store);
    if (err == LAMP_OK) {
        w->open = true;
        w->opened_us = lamp_clock_mono_us();
        w->letters = 0;
    }
    return err;
}

/* Undoes everything since begin(): nothing of it was acknowledged, so it all comes again. */
static void undo(lamp_writer *w, int why)
{
    lamp_log(LAMP_LOG_ERROR, "writer",
             "the store refused; nothing of this group counts error=\"%s\"",
             why == LAMP_ESTORE ? lamp_store_why(w->store) : lamp_strerror(why));
    lamp_store_rollback(w->store);
    w->open = false;
    lamp_answers_drop(&w->answers);
    lamp_keyring_dropped(w->keyring);
    for (size_t i = 0; i < w->n_results; i++) {
        struct lamp_command_result *r = &w->results[i];
        if (r->err == LAMP_OK) {
            r->err = LAMP_ESTORE;
            snprintf(r->why, sizeof(r->why), "the database refused; see the aggregator's log");
        }
    }
    w->failures++;
    int err = open_lists(w);
    if (err == LAMP_OK)
        err = lamp_store_begin(w->store);
    if (err == LAMP_OK)
        err = enroll(w, lamp_clock_real_us());
    if (err == LAMP_OK)
        err = lamp_store_commit(w->store);
    if (err != LAMP_OK)
        lamp_store_rollback(w->store);
    if ((err != LAMP_OK || w->failures >= FAILURES_MAX) && !atomic_exchange(&w->failed, true)) {
        lamp_log(LAMP_LOG_ERROR, "writer", "giving up: the store keeps refusing");
        kill(getpid(), SIGTERM);
    }
}

static void answer_commands(lamp_writer *w)
{
    for (size_t i = 0; i < w->n_results; i++)
        lamp_commands_answer(w->cfg.commands, &w->results[i]);
    w->n_results = 0;
}

/* A session that goes on with a key that ended is ended now, not at its next message. */
static void on_key_lost(const char *sensor, void *arg)
{
    lamp_writer *w = arg;
    lamp_answers_add_sensor(&w->answers, sensor, NULL);
}

/* Publishes lists, commits, and only then lets answers and events go. err: of the work so far. */
static void touch_miner(int64_t id, void *arg)
{
    const lamp_writer *w = arg;
    lamp_touched_add(w->touched, LAMP_EVENT_MINER, id, "");
}

/* Nothing comes of a miner that falls silent, so browsers are told when its time is over. */
static int tell_of_ended(lamp_writer *w, uint64_t now_us)
{
    if (now_us < LAMP_MINER_QUIET_US)
        return LAMP_OK;
    const uint64_t to_us = now_us - LAMP_MINER_QUIET_US, from_us = w->quiet_us;
    w->quiet_us = to_us;
    return from_us == 0 || from_us >= to_us
               ? LAMP_OK
               : lamp_store_miners_quiet(w->store, from_us, to_us, touch_miner, w);
}

static void finish(lamp_writer *w, int err)
{
    const uint64_t now_us = lamp_clock_real_us();
    if (err == LAMP_OK && watch_due_us(w) <= lamp_clock_mono_us()) {
        lamp_sets_mark(w->sets, LAMP_SET_WATCH, "");
        w->watch_us = 0;
    }
    if (err == LAMP_OK && lists_due_us(w, now_us) <= now_us) {
        err = begin(w);
        if (err == LAMP_OK)
            err = publish(w, now_us);
    }
    if (err == LAMP_OK && lamp_keyring_due_us(w->keyring) <= now_us) {
        err = begin(w);
        if (err == LAMP_OK)
            err = lamp_keyring_expire(w->keyring, now_us);
    }
    if (err == LAMP_OK && lamp_alarms_due_us(w->alarms) <= now_us) {
        err = begin(w);
        if (err == LAMP_OK)
            err = lamp_alarms_tick(w->alarms, now_us);
        if (err == LAMP_OK)
            err = tell_of_ended(w, now_us);
    }
    if (err == LAMP_OK && w->samples && lamp_samplebook_due_us(w->samples) <= now_us) {
        err = begin(w);
        if (err == LAMP_OK)
            err = lamp_samplebook_tick(w->samples, &w->answers, now_us);
    }
    if (err == LAMP_OK && lamp_trackbook_due_us(w->trackings) <= now_us) {
        err = begin(w);
        if (err == LAMP_OK)
            err = lamp_trackbook_tick(w->trackings, &w->answers, now_us);
    }
    if (err == LAMP_OK && w->baselines.due_us <= now_us) {
        err = begin(w);
        if (err == LAMP_OK)
            err = lamp_baselinebook_tick(&w->baselines, now_us);
    }
    if (err == LAMP_OK && w->blocks_changed)
        err = begin(w);
    if (err == LAMP_OK && w->blocks_changed)
        err = refresh_miners(w);
    if (err == LAMP_OK && w->open)
        err = lamp_store_commit(w->store);
    if (err == LAMP_OK) {
        w->open = false;
        w->failures = 0;
        lamp_keyring_committed(w->keyring, on_key_lost, w);
        if (w->accounts_changed && w->cfg.accounts_changed)
            w->cfg.accounts_changed(w->store, w->cfg.arg);
        lamp_answers_send(&w->answers, w->cfg.outbox, now_us);
    } else {
        undo(w, err);
    }
    w->accounts_changed = false;
    answer_commands(w);
    lamp_touched_publish(w->touched, lamp_clock_mono_us(), w->cfg.events);
}

/* ---- commands ---- */

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

static int carry_out(lamp_writer *w, const struct lamp_command *c, uint64_t now_us,
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

/* Who did what to what. */
static int audit(lamp_writer *w, const struct lamp_command *c, const struct lamp_command_result *r,
                 uint64_t now_us)
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

static void touch(lamp_writer *w, const struct lamp_command *c, const struct lamp_command_result *r)
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

/* Carries out the commands that wait. Returns an error only where the transaction is spoilt. */
static int take_commands(lamp_writer *w)
{
    struct lamp_command c;
    while (w->n_results < COMMANDS_MAX && lamp_commands_take(w->cfg.commands, &c) == LAMP_OK) {
        struct lamp_command_result *r = &w->results[w->n_results++];
        *r = (struct lamp_command_result){ 0 };
        const uint64_t now_us = lamp_clock_real_us();
        r->err = begin(w);
        if (r->err == LAMP_OK)
            r->err = carry_out(w, &c, now_us, r);
        const bool done = r->err == LAMP_OK || r->err == LAMP_EAGAIN;
        const int err = done ? audit(w, &c, r, now_us) : r->err;
        if (err == LAMP_ESTORE || err == LAMP_ENOMEM) {
            r->err = err;
            snprintf(r->why, sizeof(r->why), "the database refused; see the aggregator's log");
            return err;
        }
        if (r->err == LAMP_OK)
            touch(w, &c, r);
    }
    return LAMP_OK;
}

/* ---- the thread ---- */

/* Takes letters until the group is full or none waits. */
static int take_letters(lamp_writer *w)
{
    bool watch_changed = false;
    const struct lamp_merge merge = { .store = w->store,
                                      .blocks = w->blocks,
                                      .keyring = w->keyring,
                                      .sets = w->sets,
                                      .watch = w->watch,
                                      .watch_changed = &watch_changed,
                                      .alarms = w->alarms,
                                      .rigs = w->rigs,
                                      .guard = w->guard,
                                      .habits = w->habits,
                                      .samples = w->samples,
                                      .trackings = w->trackings,
                                      .catalogue = w->cfg.catalogue,
                                      .clock = &w->clock,
                                      .touched = w->touched,
                                      .answers = &w->answers,
                                      .epoch = w->epoch,
                                      .interval_ms = w->cfg.interval_ms,
                                      .window_bytes = window_bytes(w),
                                      .next_server_key = &w->cfg.next_server_key };
    struct lamp_allowed who;
    int err = LAMP_OK;
    while (err == LAMP_OK && w->letters < GROUP_MAX &&
           (!w->open || lamp_clock_mono_us() - w->opened_us < GROUP_US)) {
        struct lamp_letter *l = lamp_mailbox_take(w->cfg.inbox);
        if (!l)
            break;
        err = begin(w);
        /* What came before its key was revoked and waited here since does not count. */
        if (err == LAMP_OK && lamp_allow_find(w->cfg.allow, l->key, &who) == LAMP_OK)
            err = lamp_merge_letter(&merge, l);
        w->letters++;
        lamp_letter_free(l);
    }
    if (watch_changed && w->watch_us == 0)
        w->watch_us = lamp_clock_mono_us();
    return err;
}

/* Takes what the catalogue's thread found. */
static int take_findings(lamp_writer *w)
{
    struct lamp_finding f;
    bool changed = false;
    int err = LAMP_OK;
    for (unsigned n = 0; w->cfg.findings && n < GROUP_MAX && err == LAMP_OK; n++) {
        if (lamp_findings_take(w->cfg.findings, &f) != LAMP_OK)
            break;
        err = begin(w);
        if (err == LAMP_OK)
            err = lamp_poolbook_finding(w->store, &f, &changed);
    }
    if (changed && w->watch_us == 0)
        w->watch_us = lamp_clock_mono_us();
    return err;
}

/* How long from now until due, at most a minute, in case the clock was set. */
static uint64_t left_us(uint64_t due_us, uint64_t now_us)
{
    const uint64_t left = due_us > now_us ? due_us - now_us : 0;
    return left < 60 * SECOND_US ? left : 60 * SECOND_US;
}

static int wait_ms(const lamp_writer *w)
{
    if (atomic_load(&w->failed))
        return 1000; /* only waiting for the end */
    const uint64_t now_us = lamp_clock_real_us();
    const uint64_t mono_us = lamp_clock_mono_us();
    const uint64_t lists = left_us(lists_due_us(w, now_us), now_us);
    const uint64_t events = left_us(lamp_touched_due_us(w->touched), mono_us);
    const uint64_t watch = left_us(watch_due_us(w), mono_us);
    const uint64_t keys = left_us(lamp_keyring_due_us(w->keyring), now_us);
    const uint64_t alarms = left_us(lamp_alarms_due_us(w->alarms), now_us);
    const uint64_t baselines = left_us(w->baselines.due_us, now_us);
    const uint64_t samples =
        w->samples ? left_us(lamp_samplebook_due_us(w->samples), now_us) : UINT64_MAX;
    const uint64_t trackings = left_us(lamp_trackbook_due_us(w->trackings), now_us);
    const uint64_t first = lists < events ? lists : events;
    uint64_t second = watch < keys ? watch : keys;
    const uint64_t upkeep = left_us(w->upkeep.due_us, mono_us);
    second = alarms < second ? alarms : second;
    second = upkeep < second ? upkeep : second;
    second = samples < second ? samples : second;
    second = baselines < second ? baselines : second;
    second = trackings < second ? trackings : second;
    return lamp_clock_poll_ms(first < second ? first : second);
}

static void *run(void *arg)
{
    lamp_writer *w = arg;
    (void)pthread_setname_np(pthread_self(), "writer"); /* for top(1) and the like */
    bool stopping = false;
    for (;;) {
        struct pollfd fds[] = {
            { w->stop_fd, POLLIN, 0 },
            { lamp_mailbox_fd(w->cfg.inbox), POLLIN, 0 },
            { lamp_commands_fd(w->cfg.commands), POLLIN, 0 },
            { w->cfg.findings ? lamp_findings_fd(w->cfg.findings) : -1, POLLIN, 0 },
        };
        (void)poll(fds, ARRAY_LEN(fds), stopping ? 0 : wait_ms(w));
        stopping |= fds[0].revents != 0;
        if (stopping && !fds[1].revents && !fds[2].revents)
            return NULL;
        w->letters = 0;
        int err = take_commands(w);
        if (err == LAMP_OK)
            err = take_letters(w);
        if (err == LAMP_OK)
            err = take_findings(w);
        finish(w, err);
        if (!stopping && !atomic_load(&w->failed))
            lamp_upkeep_run(&w->upkeep, w->store, w->letters > 0, lamp_clock_real_us(),
                            lamp_clock_mono_us());
    }
}

static void free_writer(lamp_writer *w)
{
    lamp_answers_drop(&w->answers);
    close_lists(w);
    lamp_keyring_free(w->keyring);
    lamp_samplebook_free(w->samples);
    lamp_trackbook_free(w->trackings);
    lamp_touched_free(w->touched);
    if (w->stop_fd >= 0)
        close(w->stop_fd);
    free(w);
}

/* Brings in the catalogue that the program ships with. */
static int seed(lamp_writer *w, uint64_t now_us)
{
    if (!w->cfg.catalogue)
        return LAMP_OK;
    int err = lamp_store_begin(w->store);
    if (err == LAMP_OK)
        err = lamp_store_pool_seed(w->store, w->cfg.catalogue, now_us);
    return err == LAMP_OK ? lamp_store_commit(w->store) : err;
}

static int prepare(lamp_writer *w)
{
    const uint64_t now_us = lamp_clock_real_us();
    int err = lamp_touched_new(&w->touched);
    if (err == LAMP_OK)
        err = lamp_store_epoch(w->store, &w->epoch);
    if (err == LAMP_OK)
        err = seed(w, now_us);
    if (err == LAMP_OK)
        err = open_lists(w);
    w->cfg.samples.store = w->store;
    if (err == LAMP_OK && w->cfg.samples.folder)
        err = lamp_samplebook_new(&w->cfg.samples, &w->samples);
    const struct lamp_trackbook_cfg trackings = { w->store, w->samples, w->cfg.tracking_days };
    if (err == LAMP_OK)
        err = lamp_trackbook_new(&trackings, &w->trackings);
    if (err == LAMP_OK)
        err = lamp_keyring_new(w->store, w->cfg.allow, w->cfg.overlap_s, &w->keyring);
    if (err == LAMP_OK)
        err = lamp_store_begin(w->store);
    if (err == LAMP_OK)
        err = lamp_store_set_interval(w->store, w->cfg.interval_ms * UINT64_C(1000));
    if (err == LAMP_OK)
        err = enroll(w, now_us);
    if (err == LAMP_OK)
        err = lamp_keyring_note_server(w->keyring, w->cfg.keys->curve_public, now_us);
    if (err == LAMP_OK)
        err = publish(w, now_us);
    if (err == LAMP_OK)
        err = lamp_importbook_open(w->store, now_us);
    if (err == LAMP_OK)
        err = lamp_store_commit(w->store);
    if (err != LAMP_OK)
        lamp_store_rollback(w->store);
    lamp_answers_drop(&w->answers); /* nobody is connected yet */
    return err;
}

int lamp_writer_start(const struct lamp_writer_cfg *cfg, lamp_writer **out)
{
    lamp_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return LAMP_ENOMEM;
    w->cfg = *cfg;
    w->cfg.alarms.started_us = lamp_clock_real_us();
    w->store = cfg->store;
    w->upkeep.policy = cfg->policy;
    lamp_answers_init(&w->answers);
    w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = w->stop_fd >= 0 ? prepare(w) : -errno;
    if (err == LAMP_OK && pthread_create(&w->thread, NULL, run, w) != 0)
        err = LAMP_EIO;
    if (err != LAMP_OK) {
        free_writer(w);
        return err;
    }
    *out = w;
    return LAMP_OK;
}

lamp_writer *lamp_writer_stop(lamp_writer *w)
{
    if (!w)
        return NULL;
    (void)eventfd_write(w->stop_fd, 1);
    pthread_join(w->thread, NULL);
    free_writer(w);
    return NULL;
}

bool lamp_writer_failed(const lamp_writer *w)
{
    return atomic_load(&w->failed);
}

uint64_t lamp_writer_blocks_refused(const lamp_writer *w)
{
    return atomic_load(&w->clock.refused);
}
