/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/writer.h"

#include "aggregator/writer/importbook.h"
#include "aggregator/writer/poolbook.h"
#include "aggregator/writer/writer_impl.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define SECOND_US UINT64_C(1000000)

enum {
    GROUP_MAX = LAMP_ANSWERS_ACKS_MAX, /* letters in one transaction */
    GROUP_US = 1000000,                /* how long one may stay open */
    FAILURES_MAX = 3,
    WINDOW_MAX = 4 * 1024 * 1024, /* what a sensor may have under way */
    WINDOW_MIN = 64 * 1024,
};

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
    int err = lamp_writer_open_lists(w);
    if (err == LAMP_OK)
        err = lamp_store_begin(w->store);
    if (err == LAMP_OK)
        err = lamp_writer_enroll(w, lamp_clock_real_us());
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

/* Publishes lists, commits, and only then lets answers and events go. err: of the work so far. */
static void finish(lamp_writer *w, int err)
{
    const uint64_t now_us = lamp_clock_real_us();
    if (err == LAMP_OK && lamp_writer_watch_due_us(w) <= lamp_clock_mono_us()) {
        lamp_sets_mark(w->sets, LAMP_SET_WATCH, "");
        w->watch_us = 0;
    }
    if (err == LAMP_OK && lamp_writer_lists_due_us(w, now_us) <= now_us) {
        err = begin(w);
        if (err == LAMP_OK)
            err = lamp_writer_publish(w, now_us);
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
        err = lamp_writer_refresh_miners(w);
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

/* ---- the thread ---- */

/* Carries out the commands that wait. Returns an error only where the transaction is spoilt. */
static int take_commands(lamp_writer *w)
{
    struct lamp_command c;
    while (w->n_results < LAMP_WRITER_COMMANDS_MAX &&
           lamp_commands_take(w->cfg.commands, &c) == LAMP_OK) {
        struct lamp_command_result *r = &w->results[w->n_results++];
        *r = (struct lamp_command_result){ 0 };
        const uint64_t now_us = lamp_clock_real_us();
        r->err = begin(w);
        if (r->err == LAMP_OK)
            r->err = lamp_writer_carry_out(w, &c, now_us, r);
        const bool done = r->err == LAMP_OK || r->err == LAMP_EAGAIN;
        const int err = done ? lamp_writer_audit(w, &c, r, now_us) : r->err;
        if (err == LAMP_ESTORE || err == LAMP_ENOMEM) {
            r->err = err;
            snprintf(r->why, sizeof(r->why), "the database refused; see the aggregator's log");
            return err;
        }
        if (r->err == LAMP_OK)
            lamp_writer_touch(w, &c, r);
    }
    return LAMP_OK;
}

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
    const uint64_t now_us = lamp_clock_real_us(), mono_us = lamp_clock_mono_us();
    const uint64_t left[] = {
        left_us(lamp_writer_lists_due_us(w, now_us), now_us),
        left_us(lamp_touched_due_us(w->touched), mono_us),
        left_us(lamp_writer_watch_due_us(w), mono_us),
        left_us(lamp_keyring_due_us(w->keyring), now_us),
        left_us(lamp_alarms_due_us(w->alarms), now_us),
        left_us(w->baselines.due_us, now_us),
        w->samples ? left_us(lamp_samplebook_due_us(w->samples), now_us) : UINT64_MAX,
        left_us(lamp_trackbook_due_us(w->trackings), now_us),
        left_us(w->upkeep.due_us, mono_us),
    };
    uint64_t least = left[0];
    for (size_t i = 1; i < ARRAY_LEN(left); i++)
        least = left[i] < least ? left[i] : least;
    return lamp_clock_poll_ms(least);
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
    lamp_writer_close_lists(w);
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
        err = lamp_writer_open_lists(w);
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
        err = lamp_writer_enroll(w, now_us);
    if (err == LAMP_OK)
        err = lamp_keyring_note_server(w->keyring, w->cfg.keys->curve_public, now_us);
    if (err == LAMP_OK)
        err = lamp_writer_publish(w, now_us);
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
