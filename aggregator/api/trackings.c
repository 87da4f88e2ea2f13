/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about what is tracked. */
#include "aggregator/api/impl.h"

#include <stdio.h>

#define SECOND_US UINT64_C(1000000)

enum {
    LIMIT = 100,
    LIMIT_MAX = 1000,
    DURATION_S = 3600,
    DURATION_MIN_S = 60,
    DURATION_MAX_S = 7 * 86400,
    RING = 4,
    STEP_MAX_S = 86400,
    SHOWN_S = 3600, /* of a history, where nothing else is asked for */
    /* of each sample of a ring */
    SAMPLE_PACKETS = 1000,
    SAMPLE_S = 300,
    SAMPLE_BYTES = 1024 * 1024,
    SAMPLE_SNAPLEN = 65535,
};

/* ---- JSON ---- */

struct list {
    lamp_store *s;
    struct lamp_json *j;
    bool sums; /* with what each sensor saw: of one, since it is added up from its steps */
    uint32_t n;
    int64_t last;
    int err;
};

static bool write_sensor(const struct lamp_tracking_sensor *s, void *arg)
{
    const struct list *l = arg;
    struct lamp_json *j = l->j;
    lamp_json_object(j, NULL);
    lamp_json_str(j, "sensor", s->sensor);
    lamp_json_str(j, "site", s->site);
    lamp_json_str(j, "state", lamp_tracking_state_name(s->state));
    lamp_json_str(j, "words", s->words);
    if (l->sums) {
        lamp_json_uint(j, "bytes", s->bytes);
        lamp_json_uint(j, "packets", s->packets);
    } else {
        lamp_json_null(j, "bytes");
        lamp_json_null(j, "packets");
    }
    lamp_json_time(j, "changed", s->changed_us);
    lamp_json_end(j);
    return true;
}

static bool write_tracking(const struct lamp_tracking *v, void *arg)
{
    struct list *l = arg;
    struct lamp_json *j = l->j;
    const struct lamp_sample *o = &v->order;
    const struct lamp_tracking_sensor_filter sensors = { .tracking_id = v->id, .sums = l->sums };
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", v->id);
    lamp_api_write_target(j, o);
    lamp_json_str(j, "state", v->ended_us ? "over" : "tracking");
    lamp_json_uint(j, "ring", v->ring);
    lamp_json_uint(j, "duration", (o->expires_us - o->created_us) / SECOND_US);
    lamp_json_str(j, "reason", o->reason);
    lamp_json_str(j, "created_by", o->created_by);
    lamp_json_time(j, "created", o->created_us);
    lamp_json_time(j, "until", o->expires_us);
    lamp_json_time(j, "ended", v->ended_us);
    lamp_json_str(j, "ended_by", *v->ended_by ? v->ended_by : NULL);
    lamp_json_uint(j, "rows", v->rows);
    lamp_json_uint(j, "rows_refused", v->rows_refused);
    lamp_json_array(j, "sensors");
    l->err = lamp_store_tracking_sensors(l->s, &sensors, write_sensor, l);
    lamp_json_end(j);
    lamp_json_end(j);
    l->n++;
    l->last = v->id;
    return !l->err;
}

void lamp_api_get_trackings(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_json *j = &reply->json;
    struct lamp_tracking_filter f = { .id = 0 };
    struct list l = { .j = j };
    struct lamp_api_page page = { .limit = LIMIT, .most = LIMIT_MAX };
    if (!lamp_api_page(req, reply, &page) ||
        !lamp_api_int(req, reply, "miner", 1, INT64_MAX, &f.miner_id))
        return;
    f.limit = page.limit;
    f.after_id = page.after;
    lamp_store *s = l.s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(j, NULL);
    lamp_json_array(j, "trackings");
    int err = lamp_store_trackings(s, &f, write_tracking, &l);
    err = err ? err : l.err;
    lamp_api_end_page(j, &page, l.n, l.last);
    lamp_json_end(j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

static void not_found(const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_reply_error(reply, 404, "not_found", NULL, "There is no tracking %lld.",
                     (long long)req->id);
}

static void answer(lamp_api *api, const struct lamp_request *req, int64_t id,
                   struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    struct list l = { .s = s, .j = &reply->json, .sums = true };
    const struct lamp_tracking_filter f = { .id = id, .limit = 1 };
    int err = lamp_store_trackings(s, &f, write_tracking, &l);
    err = err ? err : l.err;
    if (err)
        lamp_api_store_failed(s, reply);
    else if (l.n == 0)
        not_found(req, reply);
    lamp_api_reader_done(api, s);
}

void lamp_api_get_tracking(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    answer(app, req, req->id, reply);
}

/* ---- the history ---- */

static bool take_tracking(const struct lamp_tracking *v, void *arg)
{
    memcpy(arg, v, sizeof(*v));
    return false;
}

static bool write_step(const struct lamp_tracking_step *v, void *arg)
{
    struct lamp_json *j = arg;
    lamp_json_object(j, NULL);
    lamp_json_time(j, "from", v->from_us);
    lamp_json_object(j, "bytes");
    lamp_json_uint(j, "out", v->bytes_out);
    lamp_json_uint(j, "in", v->bytes_in);
    lamp_json_end(j);
    lamp_json_object(j, "packets");
    lamp_json_uint(j, "out", v->packets_out);
    lamp_json_uint(j, "in", v->packets_in);
    lamp_json_end(j);
    lamp_json_end(j);
    return true;
}

/* What is asked for; to_us 0: up to now, or the end; from_us UINT64_MAX: an hour of it. False after answering. */
static bool read_span(const struct lamp_request *req, struct lamp_reply *reply,
                      struct lamp_tracking_step_filter *f)
{
    int64_t step_s = LAMP_WIRE_TRACK_STEP_S;
    f->from_us = UINT64_MAX;
    if (!lamp_api_int(req, reply, "step", LAMP_WIRE_TRACK_STEP_S, STEP_MAX_S, &step_s) ||
        !lamp_api_time(req, reply, "from", &f->from_us) ||
        !lamp_api_time(req, reply, "to", &f->to_us))
        return false;
    if (step_s % LAMP_WIRE_TRACK_STEP_S)
        return lamp_api_bad(reply, "step", "a multiple of 10 seconds");
    f->step_s = (uint32_t)step_s;
    return true;
}

/* False after answering. */
static bool complete_span(const struct lamp_request *req, struct lamp_reply *reply,
                          const struct lamp_tracking *v, struct lamp_tracking_step_filter *f)
{
    if (f->to_us == 0)
        f->to_us = v->ended_us ? v->ended_us : req->now_us;
    if (f->from_us == UINT64_MAX)
        f->from_us = f->to_us > SHOWN_S * SECOND_US ? f->to_us - SHOWN_S * SECOND_US : 0;
    if (f->from_us > f->to_us)
        return lamp_api_bad(reply, "from", "a time before `to`");
    if ((f->to_us - f->from_us) / (f->step_s * SECOND_US) > LAMP_TRACKING_STEPS_ASKED)
        return lamp_api_bad(reply, "step", "longer: that would be more than 10,000 steps");
    return true;
}

void lamp_api_get_tracking_steps(void *app, const struct lamp_request *req,
                                 struct lamp_reply *reply)
{
    struct lamp_json *j = &reply->json;
    struct lamp_tracking v = { .id = 0 };
    const struct lamp_tracking_filter one = { .id = req->id, .limit = 1 };
    struct lamp_tracking_step_filter f = { .tracking_id = req->id };
    if (!read_span(req, reply, &f))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    int err = lamp_store_trackings(s, &one, take_tracking, &v);
    if (!err && v.id == 0) {
        not_found(req, reply);
    } else if (!err && complete_span(req, reply, &v, &f)) {
        lamp_json_object(j, NULL);
        lamp_json_time(j, "from", f.from_us);
        lamp_json_time(j, "to", f.to_us);
        lamp_json_uint(j, "step", f.step_s);
        lamp_json_array(j, "steps");
        err = lamp_store_tracking_steps(s, &f, write_step, j);
        lamp_json_end(j);
        lamp_json_end(j);
    }
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- changes ---- */

static void read_tracking(const struct lamp_request *req, struct lamp_reply *reply,
                          struct lamp_tracking *v, bool *out_good)
{
    static const char *const names[] = { "what", "host",   "remote",   "transport", "miner",
                                         "site", "sensor", "duration", "ring",      "reason" };
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    lamp_api_read_target(&b, &v->order);
    v->order.expires_us =
        (uint64_t)lamp_body_int(&b, "duration", DURATION_MIN_S, DURATION_MAX_S, DURATION_S) *
        SECOND_US;
    v->ring = (uint32_t)lamp_body_int(&b, "ring", 0, LAMP_TRACKING_RING, RING);
    v->order.packets = v->order.packets_per_connection = SAMPLE_PACKETS;
    v->order.duration_s = SAMPLE_S;
    v->order.bytes_max = SAMPLE_BYTES;
    v->order.snaplen = SAMPLE_SNAPLEN;
    if (!b.failed && v->order.what == LAMP_SAMPLE_EVERYTHING)
        lamp_body_fail(&b, "what", "This must be host, remote, connection or miner.");
    *out_good = !b.failed;
}

void lamp_api_add_tracking(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_TRACKING);
    struct lamp_command_result result;
    bool good;
    cmd.tracking_change = LAMP_TRACKING_START;
    read_tracking(req, reply, &cmd.tracking, &good);
    if (!good || !lamp_api_resolve_target(app, req, reply, &cmd.tracking.order) ||
        !lamp_api_run(app, req, &cmd, reply, &result))
        return;
    answer(app, req, result.key_id, reply);
    if (reply->status == 200)
        reply->status = 201;
}

static bool change(void *app, const struct lamp_request *req, struct lamp_reply *reply, bool remove)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_TRACKING);
    struct lamp_command_result result;
    cmd.tracking_change = remove ? LAMP_TRACKING_REMOVE : LAMP_TRACKING_END;
    cmd.tracking.id = req->id;
    return lamp_api_run(app, req, &cmd, reply, &result);
}

void lamp_api_end_tracking(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    if (change(app, req, reply, false))
        answer(app, req, req->id, reply);
}

void lamp_api_remove_tracking(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    if (change(app, req, reply, true))
        reply->status = 204;
}
