/* SPDX-License-Identifier: Apache-2.0 */
/* merging: what lamp_merge_letter() works on, over a database in a folder of the test: two enrolled
 * sensors (s1 of north, s2 of south) and the lists of their sites. Header only. */
#pragma once

#include "aggregator/policy/guard.h"
#include "aggregator/writer/merge.h"
#include "tests/support/aggregator.h"

#define MERGING_KEY_1 "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define MERGING_KEY_2 "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"

struct merging {
    lamp_store *store;
    lamp_allow *allow;
    lamp_blocklist *blocks;
    lamp_watchlist *watch;
    lamp_sets *sets;
    lamp_keyring *keyring;
    lamp_touched *touched;
    lamp_alarms *alarms;
    lamp_rigs *rigs;
    lamp_rules *rules;
    lamp_guard *guard;
    lamp_habits *habits;
    struct lamp_answers answers;
    struct lamp_keys keys;
    struct lamp_server_key next_key;
    bool watch_changed;
    struct lamp_merge m;
};

static inline void merging_blocks(const char *site, void *arg)
{
    (void)site, (void)arg;
}

static inline void merging_blocked(int64_t block_id, void *arg)
{
    (void)block_id, (void)arg;
}

static inline int merging_never(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    const struct lamp_set_entry e = { .action = LAMP_SET_ADD, .prefix = { { { 0xfd, 7 } }, 32 } };
    (void)arg, (void)site, (void)now_us;
    return lamp_set_copy(&e, 1, out);
}

static inline void merging_close_lists(struct merging *g)
{
    g->guard = lamp_guard_free(g->guard);
    g->rules = lamp_rules_free(g->rules);
    g->rigs = lamp_rigs_free(g->rigs);
    g->habits = lamp_habits_free(g->habits);
    g->alarms = lamp_alarms_free(g->alarms);
    g->sets = lamp_sets_close(g->sets);
    g->watch = lamp_watchlist_close(g->watch);
    g->blocks = lamp_blocklist_close(g->blocks);
}

static inline void merging_close(struct merging *g)
{
    lamp_answers_drop(&g->answers);
    lamp_keyring_free(g->keyring);
    merging_close_lists(g);
    lamp_touched_free(g->touched);
    lamp_allow_free(g->allow);
    lamp_store_close(g->store);
}

static inline void merging_published(const char *site, const struct lamp_set_head *head, void *arg)
{
    (void)site, (void)head, (void)arg;
}

static inline void merging_admit(struct merging *g, const char *key, const char *site,
                                 const char *name)
{
    struct lamp_command c = { .kind = LAMP_CMD_ADMIT, .actor = "test" };
    struct lamp_command_result r = { 0 };
    snprintf(c.key, sizeof(c.key), "%s", key);
    snprintf(c.site, sizeof(c.site), "%s", site);
    snprintf(c.name, sizeof(c.name), "%s", name);
    ok(g->store, lamp_keyring_command(g->keyring, &c, TEST_NOW_US, &r));
    assert_int_equal(r.err, LAMP_OK);
    ok(g->store, lamp_store_enroll(g->store, name, site, TEST_NOW_US));
}

/* What remembers something of the database: to be opened anew after a roll-back, as the writer does. */
static inline void merging_open_lists(struct merging *g)
{
    const struct lamp_blocklist_cfg blocks = { .store = g->store,
                                               .ttl_s = 7200,
                                               .changed = merging_blocks };
    const struct lamp_alarms_cfg alarms = { .store = g->store,
                                            .touched = g->touched,
                                            .started_us = TEST_NOW_US,
                                            .silent_us = 3600 * UINT64_C(1000000),
                                            .drops = 0.01 };
    merging_close_lists(g);
    ok(g->store, lamp_blocklist_open(&blocks, &g->blocks));
    ok(g->store, lamp_watchlist_open(g->store, NULL, &g->watch));
    ok(g->store, lamp_alarms_new(&alarms, &g->alarms));
    ok(g->store,
       lamp_habits_new(&(struct lamp_habits_cfg){ g->store, g->alarms, NULL, NULL }, &g->habits));
    const struct lamp_rigs_cfg rigs = { .store = g->store,
                                        .alarms = g->alarms,
                                        .rejected = 0.05,
                                        .silence_us = 600 * UINT64_C(1000000),
                                        .drop = 0.3,
                                        .habits = g->habits };
    ok(g->store, lamp_rigs_new(&rigs, &g->rigs));
    const struct lamp_rules_cfg rules = { g->store,        g->alarms, g->blocks,
                                          merging_blocked, NULL,      NULL };
    ok(g->store, lamp_rules_new(&rules, &g->rules));
    const struct lamp_guard_cfg guard = { g->store, g->alarms, .rigs = g->rigs, .rules = g->rules };
    ok(g->store, lamp_guard_new(&guard, &g->guard));
    const struct lamp_sets_cfg sets = {
        .store = g->store,
        .keys = &g->keys,
        .ttl_s = 7200,
        .sources = { { LAMP_SET_BLOCK, true, lamp_blocklist_build, g->blocks },
                     { LAMP_SET_NEVER, false, merging_never, NULL },
                     { LAMP_SET_WATCH, false, lamp_watchlist_build, g->watch } },
        .n_sources = 3,
    };
    ok(g->store, lamp_sets_open(&sets, TEST_NOW_US, &g->sets));
    ok(g->store, lamp_blocklist_site(g->blocks, "north"));
    ok(g->store, lamp_blocklist_site(g->blocks, "south"));
    ok(g->store, lamp_sets_site(g->sets, "north", TEST_NOW_US));
    ok(g->store, lamp_sets_site(g->sets, "south", TEST_NOW_US));
    g->m.blocks = g->blocks;
    g->m.watch = g->watch;
    g->m.alarms = g->alarms;
    g->m.rigs = g->rigs;
    g->m.guard = g->guard;
    g->m.habits = g->habits;
    g->m.sets = g->sets;
}

/* Opens folder/db, made if it is not there, and what stands on it. */
static inline void merging_open(struct merging *g, const char *folder)
{
    char why[256];
    struct lamp_store_sensor known;
    *g = (struct merging){ .store = open_store("sqlite", folder, false) };
    assert_int_equal(lamp_keys_load(folder, &g->keys, why, sizeof(why)), LAMP_OK);
    assert_int_equal(lamp_allow_new(&g->allow), LAMP_OK);
    ok(g->store, lamp_keyring_load(g->store, g->allow));
    assert_int_equal(lamp_touched_new(&g->touched), LAMP_OK);
    ok(g->store, lamp_keyring_new(g->store, g->allow, 3600, &g->keyring));
    lamp_answers_init(&g->answers);
    g->m = (struct lamp_merge){ .store = g->store,
                                .watch_changed = &g->watch_changed,
                                .keyring = g->keyring,
                                .touched = g->touched,
                                .answers = &g->answers,
                                .epoch = 7,
                                .interval_ms = 10000,
                                .window_bytes = 1 << 20,
                                .next_server_key = &g->next_key };
    if (lamp_store_sensor(g->store, "s1", &known) == LAMP_OK) {
        merging_open_lists(g);
        return;
    }
    ok(g->store, lamp_store_begin(g->store));
    merging_admit(g, MERGING_KEY_1, "north", "s1");
    merging_admit(g, MERGING_KEY_2, "south", "s2");
    merging_open_lists(g);
    ok(g->store, lamp_sets_publish(g->sets, TEST_NOW_US, merging_published, NULL));
    ok(g->store, lamp_store_commit(g->store));
    lamp_keyring_committed(g->keyring, NULL, NULL);
}

/* Takes a message of a sensor into the transaction at hand. */
static inline int merging_take(struct merging *g, bool first, struct lamp_msg *msg)
{
    struct lamp_letter l = { .at_us = TEST_NOW_US + 20000000,
                             .session = { { 9 } },
                             .session_bytes = 1000,
                             .cost = 100,
                             .msg = msg };
    snprintf(l.sensor, sizeof(l.sensor), "%s", first ? "s1" : "s2");
    snprintf(l.site, sizeof(l.site), "%s", first ? "north" : "south");
    snprintf(l.key, sizeof(l.key), "%s", first ? MERGING_KEY_1 : MERGING_KEY_2);
    return lamp_merge_letter(&g->m, &l);
}

static inline struct lamp_msg merging_summary(const struct lamp_stream_id *stream, uint64_t seq,
                                              struct lamp_bytes batch)
{
    struct lamp_msg m = { .type = LAMP_MSG_SUMMARY };
    m.u.summary = (struct lamp_summary){ .stream = *stream,
                                         .seq = seq,
                                         .t_from_us = TEST_NOW_US,
                                         .t_to_us = TEST_NOW_US + 10000000,
                                         .batch = batch };
    return m;
}
