/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer publishes to sensors, and what stands on the same rows: blocks, sets, alarms, rules. */
#include "aggregator/writer/writer_impl.h"
#include "common/clock.h"

#include <stdio.h>

/* New endpoints are gathered for a while, so that a busy hour does not write to every sensor each
 * second. */
enum { WATCH_GATHER_US = 10 * 1000 * 1000 };

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

int lamp_writer_refresh_miners(lamp_writer *w)
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

void lamp_writer_close_lists(lamp_writer *w)
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

int lamp_writer_open_lists(lamp_writer *w)
{
    const uint64_t now_us = lamp_clock_real_us();
    const struct lamp_blocklist_cfg blocks = { .store = w->store,
                                               .never = w->cfg.never,
                                               .n_never = w->cfg.n_never,
                                               .ttl_s = w->cfg.list_ttl_s,
                                               .no_approvals = w->cfg.no_approvals,
                                               .changed = on_blocks,
                                               .arg = w };
    lamp_writer_close_lists(w);
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

uint64_t lamp_writer_watch_due_us(const lamp_writer *w)
{
    return w->watch_us ? w->watch_us + WATCH_GATHER_US : UINT64_MAX;
}

uint64_t lamp_writer_lists_due_us(const lamp_writer *w, uint64_t now_us)
{
    const uint64_t blocks = lamp_blocklist_due_us(w->blocks);
    const uint64_t sets = lamp_sets_due_us(w->sets, now_us);
    return blocks < sets ? blocks : sets;
}

int lamp_writer_publish(lamp_writer *w, uint64_t now_us)
{
    const int err = lamp_blocklist_expire(w->blocks, now_us, on_expired, w);
    return err == LAMP_OK ? lamp_sets_publish(w->sets, now_us, on_list, w) : err;
}

/* ---- the allow table ---- */

int lamp_writer_enroll(lamp_writer *w, uint64_t now_us)
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
