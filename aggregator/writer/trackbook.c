/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/trackbook.h"

#include "aggregator/store/write.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

#define SECOND_US UINT64_C(1000000)
#define DAY_US (86400 * SECOND_US)
#define STEP_US (LAMP_WIRE_TRACK_STEP_S * SECOND_US)
#define TICK_US (30 * SECOND_US)
#define SILENT_US (60 * SECOND_US) /* a sensor that is there answers within */
#define SLACK_US (600 * SECOND_US) /* between our clock and that of rows */

enum {
    TOLD_AT_ONCE = 1000, /* sensors, in one tick */
    CANCELS_MAX = 8,     /* for a record: as many as a sensor tracks */
};

struct lamp_trackbook {
    struct lamp_trackbook_cfg cfg;
    uint64_t due_us; /* of the next tick; 0: at once */
};

int lamp_trackbook_new(const struct lamp_trackbook_cfg *cfg, lamp_trackbook **out)
{
    lamp_trackbook *b = calloc(1, sizeof(*b));
    if (!b)
        return LAMP_ENOMEM;
    b->cfg = *cfg;
    *out = b;
    return LAMP_OK;
}

lamp_trackbook *lamp_trackbook_free(lamp_trackbook *b)
{
    free(b);
    return NULL;
}

/* ---- messages ---- */

/* What is left of it, rounded up; borrows the matches of *v. */
static struct lamp_msg track_of(const struct lamp_tracking *v, uint64_t now_us)
{
    struct lamp_msg m = { .type = LAMP_MSG_TRACK };
    const uint64_t until_us = v->order.expires_us;
    const uint64_t left_us = until_us > now_us ? until_us - now_us : 0;
    m.u.order = (struct lamp_order){
        .id = v->order.wire,
        .kind = left_us && !v->ended_us ? LAMP_ORDER_SAMPLE : LAMP_ORDER_CANCEL,
        .duration_s = (uint32_t)((left_us + SECOND_US - 1) / SECOND_US),
        .matches = (struct lamp_order_match *)(uintptr_t)v->order.matches,
        .n_matches = v->order.n_matches,
    };
    return m;
}

static struct lamp_msg cancel_of(uint64_t wire)
{
    return (struct lamp_msg){ .type = LAMP_MSG_TRACK,
                              .u.order = { .id = wire, .kind = LAMP_ORDER_CANCEL } };
}

static bool take_tracking(const struct lamp_tracking *v, void *arg)
{
    memcpy(arg, v, sizeof(*v));
    return false;
}

/* id 0 in *out: there is none. */
static int load(const lamp_trackbook *b, int64_t id, struct lamp_tracking *out)
{
    const struct lamp_tracking_filter f = { .id = id, .limit = 1 };
    out->id = 0;
    return lamp_store_trackings(b->cfg.store, &f, take_tracking, out);
}

/* ---- commands ---- */

static int enter(const lamp_trackbook *b, const struct lamp_tracking *v,
                 const struct lamp_recruits *w, struct lamp_answers *answers, uint64_t now_us)
{
    const struct lamp_msg m = track_of(v, now_us);
    int err = LAMP_OK;
    for (size_t i = 0; i < w->n && !err; i++) {
        struct lamp_store_sensor sensor;
        err = lamp_store_sensor(b->cfg.store, w->ids[i], &sensor);
        const struct lamp_tracking_sensor s = { .tracking_id = v->id,
                                                .sensor_ref = err ? 0 : sensor.ref,
                                                .asked_us = now_us,
                                                .changed_us = now_us };
        if (!err)
            err = lamp_store_tracking_sensor_put(b->cfg.store, &s);
        if (!err)
            lamp_answers_add_sensor(answers, w->ids[i], &m);
    }
    return err;
}

struct samples_of {
    int64_t id[LAMP_SAMPLES_KEPT];
    size_t n;
};

static bool collect_sample(const struct lamp_sample *v, void *arg)
{
    struct samples_of *w = arg;
    if (w->n < LAMP_SAMPLES_KEPT)
        w->id[w->n++] = v->id;
    return true;
}

static int remove_samples(const lamp_trackbook *b, int64_t tracking_id,
                          struct lamp_answers *answers)
{
    struct samples_of *w = calloc(1, sizeof(*w));
    const struct lamp_sample_filter f = { .tracking_id = tracking_id, .limit = LAMP_SAMPLES_KEPT };
    int err = w ? lamp_store_samples(b->cfg.store, &f, collect_sample, w) : LAMP_ENOMEM;
    for (size_t i = 0; w && i < w->n && !err && b->cfg.samples; i++)
        err = lamp_samplebook_remove(b->cfg.samples, w->id[i], answers);
    free(w);
    return err;
}

static int remove_tracking(const lamp_trackbook *b, int64_t id, struct lamp_answers *answers)
{
    const int err = remove_samples(b, id, answers);
    return err ? err : lamp_store_tracking_remove(b->cfg.store, id);
}

/* The last that it is called with is the oldest. */
static bool take_over(const struct lamp_tracking *v, void *arg)
{
    if (v->ended_us)
        *(int64_t *)arg = v->id;
    return true;
}

/* Room for one more. */
static int check_number(const lamp_trackbook *b, const struct lamp_tracking *v,
                        struct lamp_answers *answers, struct lamp_command_result *r)
{
    struct lamp_tracking_totals t;
    const struct lamp_tracking_filter all = { .limit = UINT32_MAX };
    int64_t oldest = 0;
    int err = lamp_store_tracking_totals(b->cfg.store, v->order.site, &t);
    if (err)
        return err;
    const char *where = *v->order.site ? " at this site" : "";
    if (t.open >= LAMP_TRACKINGS_OPEN)
        snprintf(r->why, sizeof(r->why), "%d trackings go on already: end one",
                 LAMP_TRACKINGS_OPEN);
    else if (t.site_open >= LAMP_TRACKINGS_SITE)
        snprintf(r->why, sizeof(r->why), "%d trackings go on%s already: end one",
                 LAMP_TRACKINGS_SITE, where);
    else if (v->ring && t.site_rings >= LAMP_TRACKINGS_SITE_RINGS)
        snprintf(r->why, sizeof(r->why),
                 "%d trackings with packet samples go on%s already: end one, or track without",
                 LAMP_TRACKINGS_SITE_RINGS, where);
    if (*r->why) {
        err = lamp_store_tracking_refused(b->cfg.store, 1, 0);
        return err ? err : LAMP_EFULL;
    }
    if (t.kept < LAMP_TRACKINGS_KEPT)
        return LAMP_OK;
    err = lamp_store_trackings(b->cfg.store, &all, take_over, &oldest);
    return err || !oldest ? err : remove_tracking(b, oldest, answers);
}

static int start(lamp_trackbook *b, const struct lamp_command *c, struct lamp_answers *answers,
                 uint64_t now_us, struct lamp_command_result *r)
{
    struct lamp_tracking v = c->tracking;
    struct lamp_recruits w = { .ids = NULL };
    int err = lamp_samplebook_recruit(b->cfg.store, &v.order, now_us, &w, r);
    if (!err)
        err = check_number(b, &v, answers, r); /* last: it may take one out */
    v.order.wire = lamp_samplebook_draw();
    v.order.created_us = now_us;
    v.order.expires_us = now_us + c->tracking.order.expires_us;
    snprintf(v.order.created_by, sizeof(v.order.created_by), "%s", c->actor);
    if (!err)
        err = lamp_store_tracking_add(b->cfg.store, &v);
    if (!err)
        err = enter(b, &v, &w, answers, now_us);
    free(w.ids);
    r->key_id = v.id;
    b->due_us = 0;
    return err;
}

struct calling_off {
    struct lamp_answers *answers;
    struct lamp_msg m;
};

static bool call_off(const struct lamp_tracking_sensor *s, void *arg)
{
    struct calling_off *x = arg;
    lamp_answers_add_sensor(x->answers, s->sensor, &x->m);
    return true;
}

/* Ends one that goes on. The sample that is under way comes to its own end. */
static int end(const lamp_trackbook *b, const struct lamp_tracking *v, const char *by,
               struct lamp_answers *answers, uint64_t at_us)
{
    struct calling_off x = { answers, cancel_of(v->order.wire) };
    const struct lamp_tracking_sensor_filter f = { .tracking_id = v->id, .open = true };
    if (v->ended_us)
        return LAMP_OK;
    const int err = lamp_store_tracking_sensors(b->cfg.store, &f, call_off, &x);
    return err ? err : lamp_store_tracking_end(b->cfg.store, v->id, at_us, by);
}

int lamp_trackbook_command(lamp_trackbook *b, const struct lamp_command *c,
                           struct lamp_answers *answers, uint64_t now_us,
                           struct lamp_command_result *r)
{
    static const char *const actions[] = { "track", "end tracking", "remove tracking" };
    struct lamp_tracking v = c->tracking;
    char object[40], detail[400];
    int err = LAMP_OK;
    if (c->tracking_change == LAMP_TRACKING_START) {
        err = start(b, c, answers, now_us, r);
    } else {
        err = load(b, c->tracking.id, &v);
        if (!err && v.id == 0) {
            snprintf(r->why, sizeof(r->why), "no tracking has number %" PRId64, c->tracking.id);
            err = LAMP_ENOENT;
        }
        r->key_id = v.id;
    }
    const bool news = !v.ended_us || c->tracking_change == LAMP_TRACKING_REMOVE;
    if (!err && c->tracking_change != LAMP_TRACKING_START)
        err = end(b, &v, c->actor, answers, now_us);
    if (!err && c->tracking_change == LAMP_TRACKING_REMOVE)
        err = remove_tracking(b, v.id, answers);
    if (err || !news)
        return err;
    snprintf(object, sizeof(object), "tracking %" PRId64, r->key_id);
    snprintf(detail, sizeof(detail), "%s%s%s%s%s", lamp_sample_what_name(v.order.what),
             *v.order.site ? " at " : "", v.order.site, *v.order.reason ? ": " : "",
             v.order.reason);
    return lamp_store_audit(b->cfg.store, c->actor, actions[c->tracking_change], object, detail,
                            now_us);
}

/* ---- what sensors say ---- */

int lamp_trackbook_status(lamp_trackbook *b, const struct lamp_letter *letter, int64_t sensor_ref,
                          struct lamp_answers *answers)
{
    const struct lamp_order_status *st = &letter->msg->u.order_status;
    struct lamp_tracking v;
    struct lamp_tracking_sensor s;
    const int err = lamp_store_tracking_of(b->cfg.store, st->id, sensor_ref, &v, &s);
    if (err)
        return err;
    if (v.ended_us) {
        const struct lamp_msg m = cancel_of(st->id);
        if (st->state == LAMP_ORDER_RUNNING)
            lamp_answers_add(answers, letter, &m);
        return LAMP_OK;
    }
    if (st->state == LAMP_ORDER_ACCEPTED || st->state == LAMP_ORDER_RUNNING)
        s.state = LAMP_TRACKING_RUNS;
    else if (st->state == LAMP_ORDER_REFUSED || st->state == LAMP_ORDER_FAILED)
        s.state = LAMP_TRACKING_REFUSED;
    lamp_text_safe(st->detail.data, st->detail.len, s.words, sizeof(s.words));
    s.changed_us = letter->at_us;
    return lamp_store_tracking_sensor_put(b->cfg.store, &s);
}

static bool is_of_its_time(const struct lamp_tracking *v, uint64_t step)
{
    if (step > (UINT64_MAX - SLACK_US) / STEP_US)
        return false; /* it would come round again */
    const uint64_t at_us = step * STEP_US;
    const uint64_t to_us = v->ended_us ? v->ended_us : v->order.expires_us;
    return at_us + SLACK_US >= v->order.created_us && at_us <= to_us + SLACK_US;
}

/* Rows of one order; v: NULL, it was not asked for. */
static int take_rows(const lamp_trackbook *b, const struct lamp_tracking *v, int64_t sensor_ref,
                     const struct lamp_track_row *rows, size_t n)
{
    uint64_t added = 0, refused = 0;
    int err = LAMP_OK;
    for (size_t i = 0; i < n && !err; i++) {
        bool is_new = false;
        if (!v || v->rows + added >= LAMP_TRACKING_ROWS || !is_of_its_time(v, rows[i].step)) {
            refused++;
            continue;
        }
        err = lamp_store_tracking_row(b->cfg.store, v->id, sensor_ref, &rows[i], &is_new);
        added += is_new;
    }
    if (!err && v)
        err = lamp_store_tracking_count(b->cfg.store, v->id, added, refused);
    if (!err && refused)
        err = lamp_store_tracking_refused(b->cfg.store, 0, refused);
    return err;
}

int lamp_trackbook_rows(lamp_trackbook *b, const struct lamp_letter *letter, int64_t sensor_ref,
                        const struct lamp_track_row *rows, size_t n, struct lamp_answers *answers)
{
    size_t of_one, cancelled = 0;
    for (size_t i = 0; i < n; i += of_one) {
        struct lamp_tracking v;
        struct lamp_tracking_sensor s;
        for (of_one = 1; i + of_one < n && rows[i + of_one].order_id == rows[i].order_id;)
            of_one++;
        int err = lamp_store_tracking_of(b->cfg.store, rows[i].order_id, sensor_ref, &v, &s);
        const bool known = err == LAMP_OK;
        if (known || err == LAMP_ENOENT)
            err = take_rows(b, known ? &v : NULL, sensor_ref, rows + i, of_one);
        if (err)
            return err;
        if ((!known || v.ended_us) && cancelled++ < CANCELS_MAX) { /* it comes with more */
            const struct lamp_msg m = cancel_of(rows[i].order_id);
            lamp_answers_add(answers, letter, &m);
        }
    }
    return LAMP_OK;
}

struct telling {
    const lamp_trackbook *b;
    struct lamp_answers *answers;
    const struct lamp_letter *letter; /* NULL: whichever session the sensor has */
    uint64_t now_us;
    int err;
};

static bool tell(const struct lamp_tracking_sensor *s, void *arg)
{
    struct telling *t = arg;
    struct lamp_tracking v;
    t->err = load(t->b, s->tracking_id, &v);
    if (t->err || v.id == 0)
        return !t->err;
    const struct lamp_msg m = track_of(&v, t->now_us);
    if (t->letter)
        lamp_answers_add(t->answers, t->letter, &m);
    else
        lamp_answers_add_sensor(t->answers, s->sensor, &m);
    return true;
}

int lamp_trackbook_hello(lamp_trackbook *b, const struct lamp_letter *letter, int64_t sensor_ref,
                         struct lamp_answers *answers)
{
    struct telling t = { b, answers, letter, letter->at_us, LAMP_OK };
    const struct lamp_tracking_sensor_filter f = { .sensor_ref = sensor_ref, .open = true };
    const int err = lamp_store_tracking_sensors(b->cfg.store, &f, tell, &t);
    return err ? err : t.err;
}

/* ---- time ---- */

uint64_t lamp_trackbook_due_us(const lamp_trackbook *b)
{
    return b->due_us;
}

/* The samples of a ring, newest first. */
struct ring {
    const lamp_trackbook *b;
    struct {
        int64_t id;
        uint64_t created_us, landed;
        bool open;
    } v[2 * LAMP_TRACKING_RING];
    size_t n;
    int err;
};

static bool note_file(const struct lamp_sample_file *f, void *arg)
{
    struct ring *r = arg;
    r->v[r->n].open |= f->state <= LAMP_SAMPLE_ARRIVING;
    r->v[r->n].landed += f->removed ? 0 : f->landed;
    return true;
}

static bool note_sample(const struct lamp_sample *v, void *arg)
{
    struct ring *r = arg;
    const struct lamp_sample_file_filter f = { .sample_id = v->id };
    r->v[r->n].id = v->id;
    r->v[r->n].created_us = v->created_us;
    r->err = lamp_store_sample_files(r->b->cfg.store, &f, note_file, r);
    r->n++;
    return !r->err && r->n < ARRAY_LEN(r->v);
}

/* Those beyond the newest `keep`, and those that nothing came of, go. */
static int trim(const struct ring *r, size_t keep, struct lamp_answers *answers)
{
    size_t kept = 0;
    int err = LAMP_OK;
    for (size_t i = 0; i < r->n && !err; i++) {
        if (r->v[i].open || (r->v[i].landed && kept < keep))
            kept++;
        else
            err = lamp_samplebook_remove(r->b->cfg.samples, r->v[i].id, answers);
    }
    return err;
}

/* One sample after another; after one that nothing came of not before its time would be over. */
static int keep_up_ring(const lamp_trackbook *b, const struct lamp_tracking *v,
                        struct lamp_answers *answers, uint64_t now_us)
{
    struct ring r = { .b = b };
    struct lamp_command_result result = { 0 };
    const struct lamp_sample_filter f = { .tracking_id = v->id, .limit = ARRAY_LEN(r.v) };
    int err = lamp_store_samples(b->cfg.store, &f, note_sample, &r);
    err = err ? err : r.err;
    const uint64_t pause_us = r.n && !r.v[0].landed ? v->order.duration_s * SECOND_US : 0;
    if (err || (r.n && (r.v[0].open || now_us < r.v[0].created_us + pause_us)))
        return err;
    err = trim(&r, v->ring, answers);
    struct lamp_sample next = v->order;
    next.tracking_id = v->id;
    next.expires_us =
        2 * v->order.duration_s * SECOND_US; /* counted from now: to wait for the sensor */
    if (!err)
        err = lamp_samplebook_order(b->cfg.samples, &next, answers, now_us, &result);
    return err == LAMP_EFULL || err == LAMP_ENOENT ? LAMP_OK : err; /* the next tick tries again */
}

struct all {
    struct lamp_tracking *v; /* LAMP_TRACKINGS_OPEN */
    size_t n;
};

static bool collect(const struct lamp_tracking *v, void *arg)
{
    struct all *w = arg;
    w->v[w->n++] = *v;
    return w->n < LAMP_TRACKINGS_OPEN;
}

struct silent {
    struct lamp_tracking_sensor *v; /* TOLD_AT_ONCE */
    size_t n;
};

static bool collect_silent(const struct lamp_tracking_sensor *s, void *arg)
{
    struct silent *w = arg;
    if (s->state == LAMP_TRACKING_ASKED && s->heard_us > s->asked_us + SILENT_US)
        w->v[w->n++] = *s;
    return w->n < TOLD_AT_ONCE;
}

/* Sensors that were heard of since they were asked, but of this. */
static int note_silent(const lamp_trackbook *b, uint64_t now_us)
{
    struct silent w = { .v = calloc(TOLD_AT_ONCE, sizeof(*w.v)) };
    const struct lamp_tracking_sensor_filter f = { .open = true };
    int err = w.v ? lamp_store_tracking_sensors(b->cfg.store, &f, collect_silent, &w) : LAMP_ENOMEM;
    for (size_t i = 0; i < w.n && !err; i++) {
        w.v[i].state = LAMP_TRACKING_UNKNOWN;
        w.v[i].changed_us = now_us;
        snprintf(w.v[i].words, sizeof(w.v[i].words),
                 "the sensor is there and does not answer: its build knows no tracking");
        err = lamp_store_tracking_sensor_put(b->cfg.store, &w.v[i]);
    }
    free(w.v);
    return err;
}

struct old {
    uint64_t before_us;
    int64_t id[LAMP_TRACKINGS_KEPT];
    size_t n;
};

static bool collect_old(const struct lamp_tracking *v, void *arg)
{
    struct old *o = arg;
    if (v->ended_us && v->ended_us < o->before_us)
        o->id[o->n++] = v->id;
    return o->n < ARRAY_LEN(o->id);
}

static int drop_old(const lamp_trackbook *b, struct lamp_answers *answers, uint64_t now_us)
{
    const uint64_t keep_us = b->cfg.keep_days * DAY_US;
    struct old o = { .before_us = keep_us && now_us > keep_us ? now_us - keep_us : 0 };
    const struct lamp_tracking_filter f = { .limit = UINT32_MAX };
    int err = lamp_store_trackings(b->cfg.store, &f, collect_old, &o);
    for (size_t i = 0; i < o.n && !err; i++)
        err = remove_tracking(b, o.id[i], answers);
    return err;
}

int lamp_trackbook_tick(lamp_trackbook *b, struct lamp_answers *answers, uint64_t now_us)
{
    struct all w = { .v = calloc(LAMP_TRACKINGS_OPEN, sizeof(*w.v)) };
    const struct lamp_tracking_filter open = { .open = true, .limit = LAMP_TRACKINGS_OPEN };
    struct telling t = { b, answers, NULL, now_us, LAMP_OK };
    const struct lamp_tracking_sensor_filter told = { .open = true, .limit = TOLD_AT_ONCE };
    if (!w.v)
        return LAMP_ENOMEM;
    int err = lamp_store_trackings(b->cfg.store, &open, collect, &w);
    uint64_t due_us = now_us + (w.n ? TICK_US : 3600 * SECOND_US);
    for (size_t i = 0; i < w.n && !err; i++) {
        const uint64_t until_us = w.v[i].order.expires_us;
        if (until_us <= now_us)
            err = end(b, &w.v[i], "", answers, until_us);
        else if (w.v[i].ring && b->cfg.samples)
            err = keep_up_ring(b, &w.v[i], answers, now_us);
        due_us = until_us > now_us && until_us < due_us ? until_us : due_us;
    }
    if (!err && w.n)
        err = note_silent(b, now_us);
    if (!err && w.n)
        err = lamp_store_tracking_sensors(b->cfg.store, &told, tell, &t);
    err = err ? err : t.err;
    if (!err)
        err = drop_old(b, answers, now_us);
    free(w.v);
    b->due_us = due_us;
    return err;
}
