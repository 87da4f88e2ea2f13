/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/policy/alarms.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/statvfs.h>

#define SECOND_US UINT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)

#define TICK_US (10 * SECOND_US)
#define CALM_US (5 * MINUTE_US)              /* without drops or losses until their alert ends */
#define CLOCK_OFF_US (30 * INT64_C(1000000)) /* as merge.c puts times right */
#define SPOOL_FULL 0.8

/* What was seen of a sensor at the tick before. */
struct sensor {
    char id[LAMP_NAME_MAX];
    uint64_t packets, drops, lost;
    uint64_t drops_us, lost_us; /* when there were too many, or any, last; 0: never */
    uint64_t at_us;             /* of the tick that saw it last */
    uint32_t calm;              /* bit k: the store knows that there is no alert of kind k */
};

struct lamp_alarms {
    struct lamp_alarms_cfg cfg;
    uint64_t due_us;
    struct sensor *sensors; /* LAMP_ALARMS_SENSORS places */
    size_t n;
};

int lamp_alarms_new(const struct lamp_alarms_cfg *cfg, lamp_alarms **out)
{
    lamp_alarms *a = calloc(1, sizeof(*a));
    if (!a)
        return LAMP_ENOMEM;
    a->cfg = *cfg;
    a->sensors = calloc(LAMP_ALARMS_SENSORS, sizeof(*a->sensors));
    if (!a->sensors) {
        free(a);
        return LAMP_ENOMEM;
    }
    *out = a;
    return LAMP_OK;
}

lamp_alarms *lamp_alarms_free(lamp_alarms *a)
{
    if (a)
        free(a->sensors);
    free(a);
    return NULL;
}

int lamp_alarms_set(lamp_alarms *a, const struct lamp_alert *alert, bool holds, uint64_t now_us)
{
    int64_t id = 0;
    bool is_new;
    const int err =
        holds ? lamp_store_alert_raise(a->cfg.store, alert, now_us, &id, &is_new)
              : lamp_store_alert_resolve(a->cfg.store, alert->kind, alert->subject, now_us, &id);
    if (err == LAMP_OK && id && a->cfg.touched)
        lamp_touched_add(a->cfg.touched, LAMP_EVENT_ALERT, id, "");
    return err == LAMP_EFULL ? LAMP_OK : err; /* the store counted it */
}

static void on_ended(int64_t id, void *arg)
{
    const lamp_alarms *a = arg;
    if (a->cfg.touched)
        lamp_touched_add(a->cfg.touched, LAMP_EVENT_ALERT, id, "");
}

int lamp_alarms_end(lamp_alarms *a, int64_t miner_id, uint32_t kinds, const char *why,
                    uint64_t now_us)
{
    return lamp_store_alerts_end(a->cfg.store, miner_id, kinds, why, now_us, on_ended, a);
}

/* An alert about a sensor or, without one, the aggregator. */
__attribute__((format(printf, 4, 5))) static struct lamp_alert about(enum lamp_alert_kind kind,
                                                                     const char *sensor,
                                                                     const char *site,
                                                                     const char *fmt, ...)
{
    struct lamp_alert alert = { .kind = kind };
    va_list ap;
    snprintf(alert.subject, sizeof(alert.subject), "%s%s", *sensor ? "sensor " : "aggregator",
             sensor);
    snprintf(alert.site, sizeof(alert.site), "%s", site);
    va_start(ap, fmt);
    vsnprintf(alert.text, sizeof(alert.text), fmt, ap);
    va_end(ap);
    return alert;
}

int lamp_alarms_spool(lamp_alarms *a, const char *sensor, const char *site, uint64_t bytes,
                      uint64_t quota_bytes, uint64_t now_us)
{
    const double full = quota_bytes ? (double)bytes / (double)quota_bytes : 0;
    const struct lamp_alert alert = about(LAMP_ALERT_SPOOL_FILLING, sensor, site,
                                          "The spool of sensor %s is full to %.0f %%: what does "
                                          "not fit any more is lost, the oldest first.",
                                          sensor, 100 * full);
    return lamp_alarms_set(a, &alert, full >= SPOOL_FULL, now_us);
}

/* ---- what only the clock shows ---- */

static uint64_t since(uint64_t now_us, uint64_t then_us)
{
    return now_us > then_us ? now_us - then_us : 0;
}

struct look {
    lamp_alarms *a;
    uint64_t now_us;
    size_t at; /* where the next sensor probably is */
    struct verdict {
        struct lamp_alert alert;
        bool holds;
    } * v;
    size_t n, max;
    bool failed;
};

/* They come in the same order each time. */
static struct sensor *find_sensor(struct look *l, const char *id, bool *out_new)
{
    lamp_alarms *a = l->a;
    *out_new = false;
    for (size_t i = 0; i < a->n; i++) {
        const size_t at = (l->at + i) % a->n;
        if (streq(a->sensors[at].id, id)) {
            l->at = at + 1;
            return &a->sensors[at];
        }
    }
    if (a->n == LAMP_ALARMS_SENSORS)
        return NULL;
    struct sensor *s = &a->sensors[a->n++];
    *s = (struct sensor){ .packets = 0 };
    snprintf(s->id, sizeof(s->id), "%s", id);
    *out_new = true;
    return s;
}

/* s NULL: not about a sensor, or about one whose state nobody remembers. */
static void conclude(struct look *l, struct sensor *s, bool holds, struct lamp_alert alert)
{
    const uint32_t bit = UINT32_C(1) << (alert.kind % 32);
    if (s && !holds && s->calm & bit)
        return;
    if (s)
        s->calm = holds ? s->calm & ~bit : s->calm | bit;
    if (l->n == l->max) {
        const size_t max = l->max ? 2 * l->max : 64;
        void *v = realloc(l->v, max * sizeof(*l->v));
        if (!v) {
            l->failed = true;
            return;
        }
        l->v = v;
        l->max = max;
    }
    l->v[l->n++] = (struct verdict){ alert, holds };
}

/* Drops and losses are counters: what counts is how they grew since the tick before. */
static void look_at_counters(struct look *l, struct sensor *s, bool is_new,
                             const struct lamp_sensor_view *v)
{
    const uint64_t drops = v->kernel_drops + v->interface_drops;
    const uint64_t missed = drops > s->drops ? drops - s->drops : 0;
    const uint64_t seen = v->packets > s->packets ? v->packets - s->packets : 0;
    const double share = missed ? (double)missed / (double)(missed + seen) : 0;
    if (!is_new && missed && share > l->a->cfg.drops)
        s->drops_us = l->now_us;
    if (!is_new && v->lost_records > s->lost)
        s->lost_us = l->now_us;
    s->packets = v->packets;
    s->drops = drops;
    s->lost = v->lost_records;
    if (is_new || s->drops_us == l->now_us || since(l->now_us, s->drops_us) >= CALM_US)
        conclude(l, s, s->drops_us == l->now_us,
                 about(LAMP_ALERT_PACKETS_DROPPED, v->id, v->site,
                       "Sensor %s missed %.1f %% of the packets within seconds: its capture is "
                       "too slow for the link.",
                       v->id, 100 * share));
    if (is_new || s->lost_us == l->now_us || since(l->now_us, s->lost_us) >= CALM_US)
        conclude(l, s, s->lost_us == l->now_us,
                 about(LAMP_ALERT_RECORDS_LOST, v->id, v->site,
                       "Summaries of sensor %s are lost: %llu since it was enrolled.", v->id,
                       (unsigned long long)v->lost_records));
}

static bool look_at_sensor(const struct lamp_sensor_view *v, void *arg)
{
    struct look *l = arg;
    const struct lamp_alarms_cfg *cfg = &l->a->cfg;
    bool is_new;
    struct sensor *s = find_sensor(l, v->id, &is_new);
    if (!s)
        return true;
    const uint64_t heard_us = v->last_seen_us > cfg->started_us ? v->last_seen_us : cfg->started_us;
    const int64_t offset = v->clock_offset_us;
    const bool refused = v->about_serial > 0 || v->list_state == LAMP_SET_REFUSED ||
                         v->list_state == LAMP_SET_ROLLED_BACK;
    conclude(l, s, v->last_seen_us && since(l->now_us, heard_us) > cfg->silent_us,
             about(LAMP_ALERT_SENSOR_SILENT, v->id, v->site,
                   "Sensor %s at %s was last heard of %llu s ago.", v->id, v->site,
                   (unsigned long long)(since(l->now_us, v->last_seen_us) / SECOND_US)));
    conclude(l, s, offset > CLOCK_OFF_US || offset < -CLOCK_OFF_US,
             about(LAMP_ALERT_CLOCK_OFF, v->id, v->site, "The clock of sensor %s is %lld s %s.",
                   v->id, (long long)(offset < 0 ? -offset : offset) / 1000000,
                   offset < 0 ? "behind" : "ahead"));
    conclude(l, s, refused,
             about(LAMP_ALERT_LIST_REFUSED, v->id, v->site, "Sensor %s %s a block list%s%s.", v->id,
                   v->list_state == LAMP_SET_ROLLED_BACK ? "took back" : "refused",
                   *v->list_error ? ": " : "", v->list_error));
    look_at_counters(l, s, is_new, v);
    s->at_us = l->now_us;
    return true;
}

/* Of a sensor that is enrolled no longer nothing holds. */
static void forget_gone(struct look *l)
{
    static const enum lamp_alert_kind kinds[] = {
        LAMP_ALERT_SENSOR_SILENT, LAMP_ALERT_CLOCK_OFF,    LAMP_ALERT_LIST_REFUSED,
        LAMP_ALERT_SPOOL_FILLING, LAMP_ALERT_RECORDS_LOST, LAMP_ALERT_PACKETS_DROPPED,
    };
    lamp_alarms *a = l->a;
    for (size_t i = a->n; i-- > 0;) {
        if (a->sensors[i].at_us == l->now_us)
            continue;
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
            conclude(l, NULL, false, about(kinds[k], a->sensors[i].id, "", "%s", ""));
        a->sensors[i] = a->sensors[--a->n];
    }
}

static void look_at_disk(struct look *l)
{
    struct statvfs fs;
    const char *folder = l->a->cfg.folder;
    if (!folder || !*folder || statvfs(folder, &fs) < 0 || fs.f_blocks == 0)
        return;
    const double left = (double)fs.f_bavail / (double)fs.f_blocks;
    conclude(l, NULL, left < l->a->cfg.disk_free,
             about(LAMP_ALERT_DISK_FILLING, "", "",
                   "Of the disk of the database %.1f %% is free (%s).", 100 * left, folder));
}

static bool add_quiet(const struct lamp_alert_view *v, void *arg)
{
    struct lamp_alert alert = { .kind = v->kind };
    if (v->kind == LAMP_ALERT_NO_SHARES || v->kind == LAMP_ALERT_BASELINE_SILENT)
        return true; /* that it is quiet is what it is about */
    snprintf(alert.subject, sizeof(alert.subject), "%s", v->subject);
    conclude(arg, NULL, false, alert);
    return true;
}

uint64_t lamp_alarms_due_us(const lamp_alarms *a)
{
    return a->due_us;
}

int lamp_alarms_tick(lamp_alarms *a, uint64_t now_us)
{
    struct look l = { .a = a, .now_us = now_us };
    a->due_us = now_us + TICK_US;
    int err = lamp_store_sensors(a->cfg.store, now_us, look_at_sensor, &l);
    if (err == LAMP_OK)
        err = lamp_store_alerts_quiet(a->cfg.store, since(now_us, LAMP_MINER_QUIET_US), add_quiet,
                                      &l);
    if (err == LAMP_OK)
        forget_gone(&l);
    look_at_disk(&l);
    if (err == LAMP_OK && l.failed)
        err = LAMP_ENOMEM;
    for (size_t i = 0; i < l.n && err == LAMP_OK; i++)
        err = lamp_alarms_set(a, &l.v[i].alert, l.v[i].holds, now_us);
    free(l.v);
    return err;
}
