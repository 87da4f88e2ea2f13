/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that only read: status, sensors, miners, connections, traffic. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json.h"
#include "common/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
    PAGE = 200,
    PAGE_MAX = LAMP_API_PAGE_MAX,
    TRAFFIC_PAGE = 100,
    DETAIL_CONNECTIONS = 200,
    NAME_MAX_LEN = 64,
};

#define HOUR_US UINT64_C(3600000000)
#define DAY_US (24 * HOUR_US)
#define MINUTES_SPAN_US (7 * DAY_US) /* of one call's minutes, hours, days */
#define HOURS_SPAN_US (100 * DAY_US)
#define DAYS_SPAN_US (1100 * DAY_US)
#define TIME_MAX_S 4102444800.0 /* the year 2100 */

/* ---- parameters; each answers 400 and returns false where the value is wrong ---- */

bool lamp_api_bad(struct lamp_reply *reply, const char *name, const char *what)
{
    lamp_reply_error(reply, 400, "invalid", name, "%s must be %s.", name, what);
    return false;
}

bool lamp_api_int(const struct lamp_request *req, struct lamp_reply *reply, const char *name,
                  int64_t min, int64_t max, int64_t *io)
{
    char what[80];
    const char *text = lamp_request_query(req, name);
    if (!text || lamp_text_int(text, min, max, io) == LAMP_OK)
        return true;
    snprintf(what, sizeof(what), "a whole number from %" PRId64 " to %" PRId64, min, max);
    return lamp_api_bad(reply, name, what);
}

bool lamp_api_time(const struct lamp_request *req, struct lamp_reply *reply, const char *name,
                   uint64_t *io_us)
{
    double t;
    const char *text = lamp_request_query(req, name);
    if (!text)
        return true;
    if (lamp_text_double(text, 0, TIME_MAX_S, &t) != LAMP_OK)
        return lamp_api_bad(reply, name, "a time in seconds since 1970");
    *io_us = (uint64_t)llround(t * 1e6);
    return true;
}

bool lamp_api_span_of(const struct lamp_request *req, struct lamp_reply *reply, uint64_t max_us,
                      uint64_t *out_from_us, uint64_t *out_to_us)
{
    char what[80];
    uint64_t to_us = req->now_us;
    if (!lamp_api_time(req, reply, "to", &to_us))
        return false;
    uint64_t from_us = to_us > HOUR_US ? to_us - HOUR_US : 0;
    if (!lamp_api_time(req, reply, "from", &from_us))
        return false;
    snprintf(what, sizeof(what), "before to, and by at most %d days", (int)(max_us / DAY_US));
    if (from_us > to_us || to_us - from_us > max_us)
        return lamp_api_bad(reply, "from", what);
    *out_from_us = from_us;
    *out_to_us = to_us;
    return true;
}

bool lamp_api_span(const struct lamp_request *req, struct lamp_reply *reply, uint64_t *out_from_us,
                   uint64_t *out_to_us)
{
    return lamp_api_span_of(req, reply, MINUTES_SPAN_US, out_from_us, out_to_us);
}

bool lamp_api_name_of(const struct lamp_request *req, struct lamp_reply *reply, const char *name,
                      const char **out)
{
    *out = lamp_request_query(req, name);
    if (!*out || strlen(*out) <= NAME_MAX_LEN)
        return true;
    return lamp_api_bad(reply, name, "at most 64 characters");
}

bool lamp_api_site_of(const struct lamp_request *req, struct lamp_reply *reply, const char **out)
{
    return lamp_api_name_of(req, reply, "site", out);
}

bool lamp_api_sort_of(const struct lamp_request *req, struct lamp_reply *reply,
                      const char *const *names, struct lamp_sort *out)
{
    char what[160] = "one of these, or - and one of these:";
    const char *text = lamp_request_query(req, "sort");
    if (!text)
        return true;
    const char *name = text + (*text == '-');
    *out = (struct lamp_sort){ .up = *text != '-' };
    while (names[out->by] && !streq(names[out->by], name))
        out->by++;
    if (names[out->by])
        return true;
    for (size_t i = 0; names[i]; i++) {
        const size_t len = strlen(what);
        snprintf(what + len, sizeof(what) - len, " %s", names[i]);
    }
    return lamp_api_bad(reply, "sort", what);
}

static bool host_parameter(const struct lamp_request *req, struct lamp_reply *reply,
                           const char **out)
{
    struct lamp_addr a;
    *out = lamp_request_query(req, "host");
    if (!*out || lamp_addr_parse(*out, &a) == LAMP_OK)
        return true;
    return lamp_api_bad(reply, "host", "an address");
}

/* ---- pages: one row more than wanted is asked for, to learn whether there is a next page ---- */

struct page {
    struct lamp_json *j;
    struct lamp_api_power power; /* of pages of miners */
    size_t left;
    int64_t last_id;
    bool more;
};

static bool page_takes(struct page *p, int64_t id)
{
    if (p->left == 0) {
        p->more = true;
        return false;
    }
    p->left--;
    p->last_id = id;
    return true;
}

static void end_page(const struct page *p)
{
    lamp_json_end(p->j);
    if (p->more)
        lamp_json_int(p->j, "next", p->last_id);
    else
        lamp_json_null(p->j, "next");
    lamp_json_end(p->j);
}

/* ---- status and sensors ---- */

void lamp_api_get_status(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    if (lamp_api_write_status(api, s, &req->who, req->now_us, &reply->json) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
}

struct sensor_list {
    lamp_store *store;
    struct lamp_json *j;
    const char *id; /* NULL: all */
    bool found;
    int err;
};

static bool add_sensor_set(const struct lamp_sensor_set_view *v, void *arg)
{
    lamp_api_json_sensor_set(arg, v);
    return true;
}

static bool add_sensor(const struct lamp_sensor_view *v, void *arg)
{
    struct sensor_list *q = arg;
    if (q->id && !streq(v->id, q->id))
        return true;
    q->found = true;
    lamp_json_object(q->j, NULL);
    lamp_api_json_sensor_fields(q->j, v);
    lamp_json_array(q->j, "sets");
    q->err = lamp_store_sensor_sets(q->store, v->id, add_sensor_set, q->j);
    lamp_json_end(q->j);
    lamp_json_end(q->j);
    return !q->err && !q->id;
}

void lamp_api_get_sensors(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct sensor_list q = { .store = s, .j = &reply->json };
    lamp_json_object(&reply->json, NULL);
    lamp_json_array(&reply->json, "sensors");
    const int err = lamp_store_sensors(s, req->now_us, add_sensor, &q);
    lamp_json_end(&reply->json);
    lamp_json_end(&reply->json);
    if (err || q.err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

int lamp_api_write_sensor(lamp_store *s, const char *id, uint64_t now_us, struct lamp_json *j)
{
    struct sensor_list q = { .store = s, .j = j, .id = id };
    const int err = lamp_store_sensors(s, now_us, add_sensor, &q);
    return err ? err : q.err ? q.err : q.found ? LAMP_OK : LAMP_ENOENT;
}

/* ---- miners ---- */

struct lamp_api_power lamp_api_power_of(const lamp_api *api)
{
    return (struct lamp_api_power){ api->cfg.devices, api->cfg.facts };
}

static bool add_miner(const struct lamp_miner_view *v, void *arg)
{
    struct page *p = arg;
    if (!page_takes(p, v->id))
        return false;
    lamp_json_object(p->j, NULL);
    lamp_api_json_miner_fields(p->j, v, &p->power);
    lamp_json_end(p->j);
    return true;
}

static bool found_miner(const struct lamp_miner_view *v, void *arg)
{
    (void)v;
    *(bool *)arg = true;
    return false;
}

/* One page; LAMP_ENOENT: the row that it begins behind is gone. */
static int read_miners(lamp_store *s, const struct lamp_miner_filter *f, uint64_t now_us,
                       struct page *p)
{
    const struct lamp_miner_filter last = { .id = f->after_id, .limit = 1 };
    bool found = !f->after_id;
    int err = found ? LAMP_OK : lamp_store_miners(s, &last, now_us, found_miner, &found);
    if (err || !found)
        return err ? err : LAMP_ENOENT;
    lamp_json_object(p->j, NULL);
    lamp_json_array(p->j, "miners");
    err = lamp_store_miners(s, f, now_us, add_miner, p);
    end_page(p);
    return err;
}

void lamp_api_get_miners(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_miner_filter f = { 0 };
    int64_t limit = PAGE;
    if (!lamp_api_site_of(req, reply, &f.site) || !host_parameter(req, reply, &f.host) ||
        !lamp_api_int(req, reply, "limit", 1, PAGE_MAX, &limit) ||
        !lamp_api_int(req, reply, "after", 1, INT64_MAX, &f.after_id) ||
        !lamp_api_sort_of(req, reply, lamp_miner_sorts, &f.sort))
        return;
    f.limit = (uint32_t)limit + 1;

    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct page p = { .j = &reply->json, .power = lamp_api_power_of(app), .left = (size_t)limit };
    const int err = read_miners(s, &f, req->now_us, &p);
    if (err == LAMP_ENOENT)
        lamp_api_gone(reply);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

struct one_miner {
    struct lamp_json *j;
    struct lamp_api_power power;
    char unit[16];
    bool found;
};

/* Leaves the object open. */
static bool begin_miner(const struct lamp_miner_view *v, void *arg)
{
    struct one_miner *m = arg;
    lamp_json_object(m->j, NULL);
    lamp_api_json_miner_fields(m->j, v, &m->power);
    snprintf(m->unit, sizeof(m->unit), "%s", v->unit ? v->unit : "");
    m->found = true;
    return false;
}

int lamp_api_write_miner(const lamp_api *api, lamp_store *s, int64_t id, uint64_t now_us,
                         struct lamp_json *j)
{
    const struct lamp_miner_filter f = { .id = id, .limit = 1 };
    struct one_miner m = { .j = j, .power = lamp_api_power_of(api) };
    const int err = lamp_store_miners(s, &f, now_us, begin_miner, &m);
    if (m.found)
        lamp_json_end(j);
    return err ? err : m.found ? LAMP_OK : LAMP_ENOENT;
}

static bool add_connection(const struct lamp_conn_view *v, void *arg)
{
    struct page *p = arg;
    if (!page_takes(p, v->id))
        return false;
    lamp_api_json_connection(p->j, v);
    return true;
}

static bool add_minute(const struct lamp_minute_view *v, void *arg)
{
    struct one_miner *m = arg;
    lamp_api_json_minute(m->j, v, m->unit);
    return true;
}

/* The span of a miner's history, and what its rows are of. */
struct history {
    enum lamp_step step;
    bool automatic; /* the finest that fits the span and is still kept */
    uint64_t from_us, to_us;
};

static bool history_parameters(const struct lamp_request *req, struct lamp_reply *reply,
                               struct history *out)
{
    static const uint64_t spans[] = { MINUTES_SPAN_US, HOURS_SPAN_US, DAYS_SPAN_US };
    const char *name = lamp_request_query(req, "resolution");
    *out = (struct history){ .step = LAMP_STEP_MINUTE, .automatic = !name };
    while (name && !streq(name, lamp_step_name(out->step)))
        if (out->step++ == LAMP_STEP_DAY)
            return lamp_api_bad(reply, "resolution", "minute, hour or day");
    if (!lamp_api_span_of(req, reply, name ? spans[out->step] : DAYS_SPAN_US, &out->from_us,
                          &out->to_us))
        return false;
    while (out->automatic && out->to_us - out->from_us > spans[out->step])
        out->step++;
    return true;
}

static int write_history(const lamp_api *api, lamp_store *s, int64_t id, struct history h,
                         struct one_miner *m, char why[LAMP_CLICKHOUSE_WHY])
{
    uint64_t kept_us[3];
    lamp_past *past = api->cfg.past;
    int err = past ? lamp_store_past_kept_us(s, kept_us) : lamp_store_kept_us(s, kept_us);
    while (!err && h.automatic && h.step < LAMP_STEP_DAY && h.from_us < kept_us[h.step])
        h.step++;
    lamp_json_str(m->j, "resolution", lamp_step_name(h.step));
    lamp_json_array(m->j, "minutes");
    if (!err && past)
        err = lamp_past_minutes(past, s, id, h.step, h.from_us, h.to_us, why);
    if (!err)
        err = lamp_store_minutes(s, id, h.step, h.from_us, h.to_us, add_minute, m);
    lamp_json_end(m->j);
    return err;
}

static int write_detail(const lamp_api *api, lamp_store *s, const struct lamp_request *req,
                        const struct history *h, struct lamp_json *j, char why[LAMP_CLICKHOUSE_WHY])
{
    const struct lamp_miner_filter mf = { .id = req->id, .limit = 1 };
    const struct lamp_conn_filter cf = { .miner_id = req->id, .limit = DETAIL_CONNECTIONS };
    struct one_miner m = { .j = j, .power = lamp_api_power_of(api) };
    struct page p = { .j = j, .left = DETAIL_CONNECTIONS };
    int err = lamp_store_miners(s, &mf, req->now_us, begin_miner, &m);
    if (err || !m.found)
        return err ? err : LAMP_ENOENT;
    lamp_json_array(j, "connection_list");
    err = lamp_store_conns(s, &cf, req->now_us, add_connection, &p);
    lamp_json_end(j);
    if (err)
        return err;
    err = write_history(api, s, req->id, *h, &m, why);
    lamp_json_end(j);
    return err;
}

void lamp_api_get_miner(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct history h;
    char why[LAMP_CLICKHOUSE_WHY] = "";
    if (!history_parameters(req, reply, &h))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    const int err = write_detail(app, s, req, &h, &reply->json, why);
    if (err == LAMP_ENOENT)
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no miner %" PRId64 ".", req->id);
    else if (err)
        lamp_api_past_failed(s, &req->who, err, why, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_mark_miner(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "mark", "reason" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_MARK);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *mark = lamp_body_str(&b, "mark", 16, !json_object_get(req->body, "mark"));
    const char *reason = lamp_body_str(&b, "reason", sizeof(cmd.reason) - 1, false);
    if (b.failed)
        return;
    if (mark && streq(mark, "sanctioned")) {
        cmd.mark = LAMP_MARK_SANCTIONED;
    } else if (mark && streq(mark, "dismissed")) {
        cmd.mark = LAMP_MARK_DISMISSED;
    } else if (mark) {
        lamp_reply_error(reply, 400, "invalid", "mark",
                         "This must be sanctioned, dismissed or null.");
        return;
    }
    cmd.miner_id = req->id;
    snprintf(cmd.reason, sizeof(cmd.reason), "%s", reason ? reason : "");
    if (!lamp_api_run(app, req, &cmd, reply, &result))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    if (lamp_api_write_miner(app, s, req->id, req->now_us, &reply->json) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- connections ---- */

static bool found_connection(const struct lamp_conn_view *v, void *arg)
{
    (void)v;
    *(bool *)arg = true;
    return false;
}

/* One page; LAMP_ENOENT: the row that it begins behind is gone, and the order is not by number. */
static int read_connections(lamp_store *s, const struct lamp_conn_filter *f, uint64_t now_us,
                            struct page *p)
{
    const struct lamp_conn_filter last = { .id = f->after_id, .limit = 1 };
    bool found = !f->after_id || f->sort.by == LAMP_CONNS_BY_ID;
    int err = found ? LAMP_OK : lamp_store_conns(s, &last, now_us, found_connection, &found);
    if (err || !found)
        return err ? err : LAMP_ENOENT;
    lamp_json_object(p->j, NULL);
    lamp_json_array(p->j, "connections");
    err = lamp_store_conns(s, f, now_us, add_connection, p);
    end_page(p);
    return err;
}

void lamp_api_get_connections(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_conn_filter f = { 0 };
    int64_t limit = PAGE;
    if (!lamp_api_int(req, reply, "miner", 1, INT64_MAX, &f.miner_id) ||
        !lamp_api_site_of(req, reply, &f.site) ||
        !lamp_api_int(req, reply, "limit", 1, PAGE_MAX, &limit) ||
        !lamp_api_int(req, reply, "after", 1, INT64_MAX, &f.after_id) ||
        !lamp_api_sort_of(req, reply, lamp_conn_sorts, &f.sort))
        return;
    f.limit = (uint32_t)limit + 1;

    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct page p = { .j = &reply->json, .left = (size_t)limit };
    const int err = read_connections(s, &f, req->now_us, &p);
    if (err == LAMP_ENOENT)
        lamp_api_gone(reply);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- traffic ---- */

/* *out points at *addr where the parameter is given, else NULL. */
static bool addr_parameter(const struct lamp_request *req, struct lamp_reply *reply,
                           const char *name, struct lamp_addr *addr, const struct lamp_addr **out)
{
    const char *text = lamp_request_query(req, name);
    *out = text ? addr : NULL;
    if (!text || lamp_addr_parse(text, addr) == LAMP_OK)
        return true;
    return lamp_api_bad(reply, name, "an address");
}

static bool add_traffic(const struct lamp_traffic_view *v, void *arg)
{
    lamp_api_json_traffic(arg, v);
    return true;
}

void lamp_api_get_traffic(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_traffic_filter f = { .application = lamp_request_query(req, "application") };
    struct lamp_addr host, remote;
    int64_t limit = TRAFFIC_PAGE;
    if (!lamp_api_site_of(req, reply, &f.site) ||
        !addr_parameter(req, reply, "host", &host, &f.host) ||
        !addr_parameter(req, reply, "remote", &remote, &f.remote) ||
        !lamp_api_span_of(req, reply, DAYS_SPAN_US, &f.from_us, &f.to_us) ||
        !lamp_api_int(req, reply, "limit", 1, PAGE_MAX, &limit))
        return;
    f.limit = (uint32_t)limit;

    lamp_past *past = ((const lamp_api *)app)->cfg.past;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct lamp_traffic_view total;
    char why[LAMP_CLICKHOUSE_WHY] = "";
    lamp_json_object(&reply->json, NULL);
    lamp_json_array(&reply->json, "traffic");
    int err = past ? lamp_past_traffic(past, s, &f, false, why) : LAMP_OK;
    if (!err)
        err = lamp_store_traffic(s, &f, add_traffic, &reply->json);
    lamp_json_end(&reply->json);
    if (!err && past)
        err = lamp_past_traffic(past, s, &f, true, why);
    if (!err)
        err = lamp_store_traffic_total(s, &f, &total);
    if (!err)
        lamp_api_json_traffic_total(&reply->json, "total", &total);
    lamp_json_end(&reply->json);
    if (err)
        lamp_api_past_failed(s, &req->who, err, why, reply);
    lamp_api_reader_done(app, s);
}
