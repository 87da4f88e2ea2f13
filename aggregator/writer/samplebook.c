/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/samplebook.h"

#include "aggregator/store/samples.h"
#include "aggregator/store/write.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#define SECOND_US UINT64_C(1000000)
#define TICK_US (30 * SECOND_US)
#define DAY_US (86400 * SECOND_US)

enum { TOLD_AT_ONCE = 1000 /* sensors of open orders, in one tick */ };

struct lamp_samplebook {
    struct lamp_samplebook_cfg cfg;
    uint64_t due_us; /* of the next tick; 0: at once */
};

int lamp_samplebook_new(const struct lamp_samplebook_cfg *cfg, lamp_samplebook **out)
{
    if (mkdir(cfg->folder, 0700) < 0 && errno != EEXIST)
        return -errno;
    lamp_samplebook *b = calloc(1, sizeof(*b));
    if (!b)
        return LAMP_ENOMEM;
    b->cfg = *cfg;
    *out = b;
    return LAMP_OK;
}

lamp_samplebook *lamp_samplebook_free(lamp_samplebook *b)
{
    free(b);
    return NULL;
}

static bool is_open(const struct lamp_sample_file *f)
{
    return f->state <= LAMP_SAMPLE_ARRIVING;
}

/* ---- files ---- */

static void drop_file(const lamp_samplebook *b, struct lamp_sample_file *f)
{
    char path[PATH_MAX];
    lamp_sample_path(b->cfg.folder, f->sample_id, f->sensor_ref, path, sizeof(path));
    (void)unlink(path); /* one that is not there is no harm */
    f->removed = true;
}

/* Writes at the end of what has landed, and returns when it is on disk. Negated errno. */
static int write_file(const lamp_samplebook *b, const struct lamp_sample_file *f,
                      struct lamp_bytes data)
{
    char path[PATH_MAX];
    size_t done = 0;
    lamp_sample_path(b->cfg.folder, f->sample_id, f->sensor_ref, path, sizeof(path));
    LAMP_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size < f->landed)
        return LAMP_EIO; /* what is said to have landed went with a roll-back */
    while (done < data.len) {
        const ssize_t n = pwrite(fd, data.data + done, data.len - done, (off_t)(f->landed + done));
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return fdatasync(fd) < 0 ? -errno : LAMP_OK;
}

static bool take_one(const struct lamp_sample_file *v, void *arg)
{
    memcpy(arg, v, sizeof(*v));
    return false;
}

/* Drops the oldest file that is over; *out_any: there was one. */
static int drop_oldest(lamp_samplebook *b, uint64_t before_us, bool *out_any)
{
    const struct lamp_sample_file_filter filter = { .kept = true,
                                                    .before_us = before_us,
                                                    .limit = 1 };
    struct lamp_sample_file f = { .sample_id = 0 };
    const int err = lamp_store_sample_files(b->cfg.store, &filter, take_one, &f);
    *out_any = f.sample_id != 0;
    if (err || !*out_any)
        return err;
    drop_file(b, &f);
    return lamp_store_sample_put(b->cfg.store, &f);
}

/* Makes room for some bytes; *out_room: there is. */
static int make_room(lamp_samplebook *b, size_t len, bool *out_room)
{
    for (;;) {
        struct lamp_sample_totals t;
        bool any = false;
        int err = lamp_store_sample_totals(b->cfg.store, &t);
        *out_room = !err && t.bytes + len <= b->cfg.quota_bytes;
        if (err || *out_room)
            return err;
        err = drop_oldest(b, 0, &any);
        if (err || !any)
            return err;
    }
}

/* ---- commands ---- */

static bool recruit(const struct lamp_sensor_view *s, void *arg)
{
    struct lamp_recruits *w = arg;
    if ((*w->v->site && !streq(w->v->site, s->site)) ||
        (*w->v->sensor && !streq(w->v->sensor, s->id)))
        return true;
    w->too_many = w->n == LAMP_SAMPLE_SENSORS;
    if (!w->too_many)
        snprintf(w->ids[w->n++], sizeof(w->ids[0]), "%s", s->id);
    return !w->too_many;
}

int lamp_samplebook_recruit(lamp_store *s, const struct lamp_sample *v, uint64_t now_us,
                            struct lamp_recruits *out, struct lamp_command_result *r)
{
    *out = (struct lamp_recruits){ .v = v, .ids = calloc(LAMP_SAMPLE_SENSORS, sizeof(*out->ids)) };
    if (!out->ids)
        return LAMP_ENOMEM;
    const int err = lamp_store_sensors(s, now_us, recruit, out);
    if (err)
        return err;
    if (out->n == 0) {
        snprintf(r->why, sizeof(r->why), "no sensor is enrolled%s%s%s%s",
                 *v->sensor ? " by the name " : "", v->sensor, *v->site ? " at site " : "",
                 v->site);
        return LAMP_ENOENT;
    }
    if (out->too_many) {
        snprintf(r->why, sizeof(r->why), "that is more than %d sensors: name a site",
                 LAMP_SAMPLE_SENSORS);
        return LAMP_EFULL;
    }
    return LAMP_OK;
}

uint64_t lamp_samplebook_draw(void)
{
    uint64_t wire = 0;
    while (wire == 0) {
        randombytes_buf(&wire, sizeof(wire));
        wire >>= 1; /* numbers of messages are below 2^63 */
    }
    return wire;
}

static int enter(lamp_samplebook *b, const struct lamp_sample *v, const struct lamp_recruits *w,
                 struct lamp_answers *answers, uint64_t now_us)
{
    const struct lamp_msg order = lamp_sample_order(v);
    int err = LAMP_OK;
    for (size_t i = 0; i < w->n && !err; i++) {
        struct lamp_store_sensor sensor;
        err = lamp_store_sensor(b->cfg.store, w->ids[i], &sensor);
        const struct lamp_sample_file f = { .sample_id = v->id,
                                            .sensor_ref = err ? 0 : sensor.ref,
                                            .changed_us = now_us };
        if (!err)
            err = lamp_store_sample_put(b->cfg.store, &f);
        if (!err)
            lamp_answers_add_sensor(answers, w->ids[i], &order);
    }
    return err;
}

struct oldest {
    int64_t id; /* 0: none is over */
    lamp_samplebook *b;
    bool of_ring; /* only those of rings */
    int err;
};

static bool find_open(const struct lamp_sample_file *f, void *arg)
{
    (void)f;
    *(bool *)arg = true;
    return false;
}

/* The last one it is called with is the oldest. */
static bool find_over(const struct lamp_sample *v, void *arg)
{
    struct oldest *o = arg;
    const struct lamp_sample_file_filter f = { .sample_id = v->id, .open = true, .limit = 1 };
    bool open = false;
    if (o->of_ring && v->tracking_id == 0)
        return true;
    o->err = lamp_store_sample_files(o->b->cfg.store, &f, find_open, &open);
    o->id = open ? o->id : v->id;
    return !o->err;
}

static bool take_sample(const struct lamp_sample *v, void *arg)
{
    memcpy(arg, v, sizeof(*v));
    return false;
}

struct dropping {
    const lamp_samplebook *b;
    struct lamp_answers *answers;
    struct lamp_msg m;
};

static struct lamp_msg cancel_of(uint64_t wire)
{
    return (struct lamp_msg){ .type = LAMP_MSG_ORDER,
                              .u.order = { .id = wire, .kind = LAMP_ORDER_CANCEL } };
}

static bool drop_each(const struct lamp_sample_file *v, void *arg)
{
    const struct dropping *d = arg;
    struct lamp_sample_file f = *v;
    if (is_open(v))
        lamp_answers_add_sensor(d->answers, v->sensor, &d->m);
    drop_file(d->b, &f);
    return true;
}

int lamp_samplebook_remove(lamp_samplebook *b, int64_t id, struct lamp_answers *answers)
{
    const struct lamp_sample_filter one = { .id = id, .limit = 1 };
    const struct lamp_sample_file_filter f = { .sample_id = id };
    struct lamp_sample v = { .id = 0 };
    int err = lamp_store_samples(b->cfg.store, &one, take_sample, &v);
    struct dropping d = { b, answers, cancel_of(v.wire) };
    if (!err)
        err = lamp_store_sample_files(b->cfg.store, &f, drop_each, &d);
    return err ? err : lamp_store_sample_remove(b->cfg.store, id);
}

/* Room for one order more; those of rings leave half of it, and all that is kept, to people. */
static int check_number(lamp_samplebook *b, bool of_ring, struct lamp_answers *answers,
                        struct lamp_command_result *r)
{
    struct lamp_sample_totals t;
    struct oldest o = { .b = b, .of_ring = of_ring };
    const struct lamp_sample_filter all = { .limit = LAMP_SAMPLES_KEPT };
    int err = lamp_store_sample_totals(b->cfg.store, &t);
    if (!err && of_ring && t.rings_open >= LAMP_SAMPLES_RINGS) {
        snprintf(r->why, sizeof(r->why), "%d samples of rings are under way", LAMP_SAMPLES_RINGS);
        return LAMP_EFULL;
    }
    if (!err && t.open >= LAMP_SAMPLES_OPEN) {
        snprintf(r->why, sizeof(r->why), "%d samples are under way: wait, or cancel one",
                 LAMP_SAMPLES_OPEN);
        return LAMP_EFULL;
    }
    if (err || t.kept < LAMP_SAMPLES_KEPT)
        return err;
    err = lamp_store_samples(b->cfg.store, &all, find_over, &o);
    err = err ? err : o.err;
    if (!err && o.id == 0) {
        snprintf(r->why, sizeof(r->why), "%d samples are kept, none of which may go",
                 LAMP_SAMPLES_KEPT);
        return LAMP_EFULL;
    }
    return err ? err : lamp_samplebook_remove(b, o.id, answers);
}

int lamp_samplebook_order(lamp_samplebook *b, const struct lamp_sample *order,
                          struct lamp_answers *answers, uint64_t now_us,
                          struct lamp_command_result *r)
{
    struct lamp_sample v = *order;
    struct lamp_recruits w = { .ids = NULL };
    int err = lamp_samplebook_recruit(b->cfg.store, &v, now_us, &w, r);
    if (!err)
        err = check_number(b, v.tracking_id != 0, answers, r); /* last: it may take one out */
    v.wire = lamp_samplebook_draw();
    v.created_us = now_us;
    v.expires_us = now_us + v.expires_us;
    if (!err)
        err = lamp_store_sample_add(b->cfg.store, &v);
    if (!err)
        err = enter(b, &v, &w, answers, now_us);
    free(w.ids);
    r->key_id = v.id;
    b->due_us = 0;
    return err;
}

struct cancelling {
    lamp_samplebook *b;
    struct lamp_answers *answers;
    uint64_t wire, now_us;
    struct lamp_sample_file *v;
    size_t n;
};

static bool collect(const struct lamp_sample_file *f, void *arg)
{
    struct cancelling *x = arg;
    if (x->n < LAMP_SAMPLE_SENSORS)
        x->v[x->n++] = *f;
    return true;
}

/* Ends what is open of a sample, and takes one of which nothing is open out. */
static int cancel(lamp_samplebook *b, const struct lamp_sample *v, struct lamp_answers *answers,
                  uint64_t now_us, bool *out_removed)
{
    struct cancelling x = { .v = calloc(LAMP_SAMPLE_SENSORS, sizeof(*x.v)) };
    const struct lamp_sample_file_filter open = { .sample_id = v->id, .open = true };
    const struct lamp_msg m = cancel_of(v->wire);
    if (!x.v)
        return LAMP_ENOMEM;
    int err = lamp_store_sample_files(b->cfg.store, &open, collect, &x);
    for (size_t i = 0; i < x.n && !err; i++) {
        struct lamp_sample_file *f = &x.v[i];
        drop_file(b, f);
        f->state = LAMP_SAMPLE_CANCELLED;
        f->changed_us = now_us;
        lamp_answers_add_sensor(answers, f->sensor, &m);
        err = lamp_store_sample_put(b->cfg.store, f);
    }
    *out_removed = x.n == 0;
    if (!err && x.n == 0)
        err = lamp_samplebook_remove(b, v->id, answers);
    free(x.v);
    return err;
}

int lamp_samplebook_command(lamp_samplebook *b, const struct lamp_command *c,
                            struct lamp_answers *answers, uint64_t now_us,
                            struct lamp_command_result *r)
{
    static const char *const actions[] = { "order", "cancel", "download" };
    struct lamp_sample v = { .id = 0 };
    char object[40], detail[400];
    bool removed = false;
    int err = LAMP_OK;
    if (c->sample_change == LAMP_SAMPLE_ORDER) {
        v = c->sample;
        snprintf(v.created_by, sizeof(v.created_by), "%s", c->actor);
        err = lamp_samplebook_order(b, &v, answers, now_us, r);
    } else {
        const struct lamp_sample_filter f = { .id = c->sample.id, .limit = 1 };
        err = lamp_store_samples(b->cfg.store, &f, take_sample, &v);
        if (!err && v.id == 0) {
            snprintf(r->why, sizeof(r->why), "no sample has number %" PRId64, c->sample.id);
            err = LAMP_ENOENT;
        }
        r->key_id = v.id;
    }
    if (!err && c->sample_change == LAMP_SAMPLE_CANCEL)
        err = cancel(b, &v, answers, now_us, &removed);
    if (err)
        return err;
    snprintf(object, sizeof(object), "sample %" PRId64, r->key_id);
    snprintf(detail, sizeof(detail), "%s%s%s%s%s%s%s", lamp_sample_what_name(v.what),
             *v.site ? " at " : "", v.site,
             c->sample_change == LAMP_SAMPLE_DOWNLOAD ? " from " : "",
             c->sample_change == LAMP_SAMPLE_DOWNLOAD ? c->sample.sensor : "",
             *v.reason ? ": " : "", v.reason);
    return lamp_store_audit(b->cfg.store, c->actor,
                            removed ? "remove sample" : actions[c->sample_change], object, detail,
                            now_us);
}

/* ---- what sensors say ---- */

static void acknowledge(struct lamp_answers *answers, const struct lamp_letter *letter, uint64_t id,
                        uint64_t next_offset, bool over)
{
    const struct lamp_msg m = { .type = LAMP_MSG_SAMPLE_ACK,
                                .u.sample_ack = { id, next_offset, over } };
    lamp_answers_add(answers, letter, &m);
}

static void end(const lamp_samplebook *b, struct lamp_sample_file *f, enum lamp_sample_state state,
                const char *words)
{
    f->state = state;
    if (words != f->words)
        snprintf(f->words, sizeof(f->words), "%s", words);
    if (state != LAMP_SAMPLE_DONE)
        drop_file(b, f);
}

static void on_status(const lamp_samplebook *b, const struct lamp_order_status *st,
                      struct lamp_sample_file *f)
{
    char words[sizeof(f->words)];
    lamp_text_safe(st->detail.data, st->detail.len, words, sizeof(words));
    f->packets = st->packets;
    f->bytes = st->bytes;
    switch (st->state) {
    case LAMP_ORDER_ACCEPTED:
    case LAMP_ORDER_RUNNING:
        f->state = LAMP_SAMPLE_RUNNING;
        break;
    case LAMP_ORDER_DONE:
        f->state = LAMP_SAMPLE_ARRIVING;
        snprintf(f->words, sizeof(f->words), "%s", words);
        break;
    case LAMP_ORDER_REFUSED:
        end(b, f, LAMP_SAMPLE_REFUSED, words);
        break;
    case LAMP_ORDER_FAILED:
        end(b, f, LAMP_SAMPLE_FAILED, words);
        break;
    case LAMP_ORDER_STATE_NONE:
        break;
    }
}

/* A chunk that follows what is here; others change nothing, and the answer says where to go on. */
static int on_chunk(lamp_samplebook *b, const struct lamp_sample_chunk *c,
                    const struct lamp_sample *v, struct lamp_sample_file *f)
{
    bool room = true;
    if (c->offset != f->landed || (c->data.len == 0 && !c->last))
        return LAMP_OK;
    if (c->data.len > v->bytes_max - lamp_min(f->landed, v->bytes_max)) {
        end(b, f, LAMP_SAMPLE_FAILED, "the sensor sent more than was ordered");
        return LAMP_OK;
    }
    const int err = c->data.len ? make_room(b, c->data.len, &room) : LAMP_OK;
    if (err)
        return err;
    if (!room) {
        end(b, f, LAMP_SAMPLE_FAILED, "no room: samples.quota is used up");
        return LAMP_OK;
    }
    const int failed = c->data.len ? write_file(b, f, c->data) : LAMP_OK;
    if (failed) {
        char words[120];
        snprintf(words, sizeof(words), "the aggregator cannot keep it: %s", lamp_strerror(failed));
        end(b, f, LAMP_SAMPLE_FAILED, words);
        return LAMP_OK;
    }
    f->landed += c->data.len;
    f->state = LAMP_SAMPLE_ARRIVING;
    if (c->last)
        end(b, f, LAMP_SAMPLE_DONE, f->words);
    return LAMP_OK;
}

int lamp_samplebook_letter(lamp_samplebook *b, const struct lamp_letter *letter, int64_t sensor_ref,
                           struct lamp_answers *answers)
{
    const struct lamp_msg *m = letter->msg;
    const bool is_chunk = m->type == LAMP_MSG_SAMPLE_CHUNK;
    const uint64_t id = is_chunk ? m->u.sample_chunk.order_id : m->u.order_status.id;
    struct lamp_sample v;
    struct lamp_sample_file f;
    int err = lamp_store_sample_of(b->cfg.store, id, sensor_ref, &v, &f);
    if (err && err != LAMP_ENOENT)
        return err;
    if (err == LAMP_ENOENT || !is_open(&f)) {
        acknowledge(answers, letter, id, 0, true);
        return LAMP_OK;
    }
    if (is_chunk)
        err = on_chunk(b, &m->u.sample_chunk, &v, &f);
    else
        on_status(b, &m->u.order_status, &f);
    f.changed_us = letter->at_us;
    if (!err)
        err = lamp_store_sample_put(b->cfg.store, &f);
    if (!err && (is_chunk || !is_open(&f)))
        acknowledge(answers, letter, id, f.landed, !is_open(&f));
    return err;
}

struct telling {
    const struct lamp_samplebook *b;
    struct lamp_answers *answers;
    const struct lamp_letter *letter; /* NULL: whichever session the sensor has */
    int err;
};

static bool tell_order(const struct lamp_sample_file *f, void *arg)
{
    struct telling *t = arg;
    const struct lamp_sample_filter filter = { .id = f->sample_id, .limit = 1 };
    struct lamp_sample v = { .id = 0 };
    t->err = lamp_store_samples(t->b->cfg.store, &filter, take_sample, &v);
    if (t->err || v.id == 0)
        return !t->err;
    const struct lamp_msg m = lamp_sample_order(&v);
    if (t->letter)
        lamp_answers_add(t->answers, t->letter, &m);
    else
        lamp_answers_add_sensor(t->answers, f->sensor, &m);
    return true;
}

int lamp_samplebook_hello(lamp_samplebook *b, const struct lamp_letter *letter, int64_t sensor_ref,
                          struct lamp_answers *answers)
{
    struct telling t = { b, answers, letter, LAMP_OK };
    const struct lamp_sample_file_filter f = { .sensor_ref = sensor_ref, .open = true };
    const int err = lamp_store_sample_files(b->cfg.store, &f, tell_order, &t);
    return err ? err : t.err;
}

/* ---- time ---- */

uint64_t lamp_samplebook_due_us(const lamp_samplebook *b)
{
    return b->due_us;
}

/* An order that a sensor has begun with gets a day more for its way here. */
static int expire(lamp_samplebook *b, const struct lamp_sample_file *known, uint64_t now_us)
{
    const struct lamp_sample_filter filter = { .id = known->sample_id, .limit = 1 };
    struct lamp_sample v = { .id = 0 };
    struct lamp_sample_file f = *known;
    const int err = lamp_store_samples(b->cfg.store, &filter, take_sample, &v);
    const uint64_t more_us = f.state == LAMP_SAMPLE_ORDERED ? 0 : DAY_US + v.duration_s * SECOND_US;
    if (err || now_us < v.expires_us + more_us)
        return err;
    end(b, &f, LAMP_SAMPLE_EXPIRED,
        f.state == LAMP_SAMPLE_ORDERED ? "the sensor was not heard of in time"
                                       : "the sensor did not send it in time");
    f.changed_us = now_us;
    return lamp_store_sample_put(b->cfg.store, &f);
}

int lamp_samplebook_tick(lamp_samplebook *b, struct lamp_answers *answers, uint64_t now_us)
{
    const struct lamp_sample_file_filter open = { .open = true, .limit = TOLD_AT_ONCE };
    struct cancelling x = { .v = calloc(LAMP_SAMPLE_SENSORS, sizeof(*x.v)) };
    struct telling t = { b, answers, NULL, LAMP_OK };
    const uint64_t keep_us = b->cfg.keep_days * DAY_US;
    bool any = true;
    if (!x.v)
        return LAMP_ENOMEM;
    int err = lamp_store_sample_files(b->cfg.store, &open, collect, &x);
    for (size_t i = 0; i < x.n && !err; i++)
        err = expire(b, &x.v[i], now_us);
    free(x.v);
    if (!err)
        err = lamp_store_sample_files(b->cfg.store, &open, tell_order, &t);
    err = err ? err : t.err;
    while (!err && any && keep_us && now_us > keep_us)
        err = drop_oldest(b, now_us - keep_us, &any);
    b->due_us = now_us + (x.n ? TICK_US : 3600 * SECOND_US);
    return err;
}
