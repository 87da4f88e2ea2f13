/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about packet samples. What is in a packet may be anybody's secret: whoever sees that there is a
 * sample does not see its packets. */
#include "aggregator/api/impl.h"

#include "aggregator/http/download.h"
#include "common/pcapng_out.h"

#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>

enum {
    LIMIT = 100,
    LIMIT_MAX = 1000,
    PACKETS_MAX = 10000,
    DURATION_MAX_S = 3600,
    BYTES_MIN = 4096,
    BYTES_MAX = 16 * 1024 * 1024,
    SNAPLEN_MIN = 64,
    SNAPLEN_MAX = 65535,
    WAIT_MIN_S = 60,
    WAIT_MAX_S = 7 * 86400,
};

/* ---- JSON ---- */

static void write_end(struct lamp_json *j, const char *key, const struct lamp_addr *a)
{
    static const struct lamp_addr any;
    char text[LAMP_ADDR_STRLEN];
    lamp_json_str(j, key, lamp_addr_eq(a, &any) ? NULL : lamp_addr_str(a, text));
}

static void write_port(struct lamp_json *j, const char *key, uint16_t port)
{
    if (port)
        lamp_json_uint(j, key, port);
    else
        lamp_json_null(j, key);
}

static void write_match(struct lamp_json *j, const struct lamp_order_match *m)
{
    lamp_json_object(j, NULL);
    write_end(j, "host", &m->host);
    write_port(j, "host_port", m->host_port);
    write_end(j, "remote", &m->remote);
    write_port(j, "remote_port", m->remote_port);
    lamp_json_str(j, "transport",
                  m->ip_proto == IPPROTO_UDP   ? "udp"
                  : m->ip_proto == IPPROTO_TCP ? "tcp"
                                               : NULL);
    lamp_json_end(j);
}

void lamp_api_write_target(struct lamp_json *j, const struct lamp_sample *v)
{
    lamp_json_str(j, "what", lamp_sample_what_name(v->what));
    lamp_json_str(j, "site", v->site);
    lamp_json_str(j, "sensor", v->sensor);
    if (v->miner_id)
        lamp_json_int(j, "miner", v->miner_id);
    else
        lamp_json_null(j, "miner");
    lamp_json_array(j, "matches");
    for (size_t i = 0; i < v->n_matches; i++)
        write_match(j, &v->matches[i]);
    lamp_json_end(j);
}

struct list {
    lamp_store *s;
    struct lamp_json *j;
    uint32_t n;
    int64_t last;
    int err;
    enum lamp_sample_state state; /* of the sample at hand */
    bool any;
};

static bool write_file(const struct lamp_sample_file *f, void *arg)
{
    struct list *l = arg;
    struct lamp_json *j = l->j;
    lamp_json_object(j, NULL);
    lamp_json_str(j, "sensor", f->sensor);
    lamp_json_str(j, "site", f->site);
    lamp_json_str(j, "state", lamp_sample_state_name(f->state));
    lamp_json_str(j, "words", f->words);
    lamp_json_uint(j, "packets", f->packets);
    lamp_json_uint(j, "bytes", f->bytes);
    lamp_json_uint(j, "landed", f->landed);
    lamp_json_bool(j, "file", f->state == LAMP_SAMPLE_DONE && f->landed > 0 && !f->removed);
    lamp_json_time(j, "changed", f->changed_us);
    lamp_json_end(j);
    /* What is furthest from its end says how far the whole is. */
    if (!l->any || f->state < l->state)
        l->state = f->state;
    l->any = true;
    return true;
}

static bool write_sample(const struct lamp_sample *v, void *arg)
{
    struct list *l = arg;
    struct lamp_json *j = l->j;
    const struct lamp_sample_file_filter files = { .sample_id = v->id };
    l->any = false;
    l->state = LAMP_SAMPLE_ORDERED;
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", v->id);
    lamp_api_write_target(j, v);
    if (v->tracking_id)
        lamp_json_int(j, "tracking", v->tracking_id);
    else
        lamp_json_null(j, "tracking");
    lamp_json_uint(j, "packets", v->packets);
    lamp_json_uint(j, "packets_per_connection", v->packets_per_connection);
    lamp_json_uint(j, "duration", v->duration_s);
    lamp_json_uint(j, "bytes", v->bytes_max);
    lamp_json_uint(j, "snaplen", v->snaplen);
    lamp_json_str(j, "reason", v->reason);
    lamp_json_str(j, "created_by", v->created_by);
    lamp_json_time(j, "created", v->created_us);
    lamp_json_time(j, "expires", v->expires_us);
    lamp_json_array(j, "sensors");
    l->err = lamp_store_sample_files(l->s, &files, write_file, l);
    lamp_json_end(j);
    lamp_json_str(j, "state", lamp_sample_state_name(l->state));
    lamp_json_end(j);
    l->n++;
    l->last = v->id;
    return !l->err;
}

/* One sample by itself. LAMP_ENOENT. */
static int answer_sample(lamp_store *s, int64_t id, struct lamp_json *j)
{
    struct list l = { .s = s, .j = j };
    const struct lamp_sample_filter f = { .id = id, .limit = 1 };
    const int err = lamp_store_samples(s, &f, write_sample, &l);
    return err ? err : l.err ? l.err : l.n ? LAMP_OK : LAMP_ENOENT;
}

void lamp_api_get_samples(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_json *j = &reply->json;
    struct lamp_sample_filter f = { .id = 0 };
    struct list l = { .j = j };
    struct lamp_api_page page = { .limit = LIMIT, .most = LIMIT_MAX };
    if (!lamp_api_page(req, reply, &page) ||
        !lamp_api_int(req, reply, "miner", 1, INT64_MAX, &f.miner_id) ||
        !lamp_api_int(req, reply, "tracking", 1, INT64_MAX, &f.tracking_id))
        return;
    f.limit = page.limit;
    f.after_id = page.after;
    lamp_store *s = l.s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(j, NULL);
    lamp_json_array(j, "samples");
    int err = lamp_store_samples(s, &f, write_sample, &l);
    err = err ? err : l.err;
    lamp_api_end_page(j, &page, l.n, l.last);
    lamp_json_end(j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

static void answer(lamp_api *api, const struct lamp_request *req, int64_t id,
                   struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    const int err = answer_sample(s, id, &reply->json);
    if (err == LAMP_ENOENT)
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no sample %lld.", (long long)id);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
}

void lamp_api_get_sample(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    answer(app, req, req->id, reply);
}

/* ---- ordering ---- */

/* "ADDRESS" or "ADDRESS:PORT". */
static void read_end(struct lamp_body *b, const char *name, bool with_port, struct lamp_addr *addr,
                     uint16_t *port)
{
    const char *text = lamp_body_str(b, name, LAMP_ADDR_STRLEN + 10, true);
    if (!text)
        return;
    if (lamp_endpoint_parse(text, addr, port) == LAMP_OK && *port)
        return;
    *port = 0;
    if (with_port)
        lamp_body_fail(b, name, "This must look like 203.0.113.5:3333 or [2001:db8::5]:3333.");
    else if (lamp_addr_parse(text, addr) != LAMP_OK)
        lamp_body_fail(b, name, "This must be an address, or an address and port.");
}

static void read_transport(struct lamp_body *b, struct lamp_order_match *m)
{
    const char *text = lamp_body_str(b, "transport", 8, false);
    if (text && !streq(text, "tcp") && !streq(text, "udp"))
        lamp_body_fail(b, "transport", "This must be tcp or udp.");
    m->ip_proto = text ? (streq(text, "udp") ? IPPROTO_UDP : IPPROTO_TCP) : 0;
}

static void read_what(struct lamp_body *b, struct lamp_sample *v)
{
    const char *text = lamp_body_str(b, "what", 16, true);
    while (text && v->what < LAMP_SAMPLE_WHATS && !streq(text, lamp_sample_what_name(v->what)))
        v->what++;
    struct lamp_order_match *m = &v->matches[0];
    const bool one = v->what == LAMP_SAMPLE_CONNECTION;
    if (v->what == LAMP_SAMPLE_WHATS) {
        lamp_body_fail(b, "what", "This must be everything, host, remote, connection or miner.");
        return;
    }
    v->n_matches = v->what != LAMP_SAMPLE_EVERYTHING;
    if (v->what == LAMP_SAMPLE_HOST || one)
        read_end(b, "host", one, &m->host, &m->host_port);
    if (v->what == LAMP_SAMPLE_REMOTE || one)
        read_end(b, "remote", one, &m->remote, &m->remote_port);
    if (v->what != LAMP_SAMPLE_EVERYTHING && v->what != LAMP_SAMPLE_MINER)
        read_transport(b, m);
    if (one && m->ip_proto == 0)
        m->ip_proto = IPPROTO_TCP;
    const int64_t miner = lamp_body_int(b, "miner", 1, INT64_MAX, 0);
    if (v->what == LAMP_SAMPLE_MINER)
        v->miner_id = miner;
    if (v->what == LAMP_SAMPLE_MINER && miner == 0)
        lamp_body_fail(b, "miner", "The number of the miner is missing.");
}

void lamp_api_read_target(struct lamp_body *b, struct lamp_sample *v)
{
    read_what(b, v);
    const char *site = lamp_body_str(b, "site", sizeof(v->site) - 1, false);
    const char *sensor = lamp_body_str(b, "sensor", sizeof(v->sensor) - 1, false);
    const char *reason = lamp_body_str(b, "reason", sizeof(v->reason) - 1, false);
    snprintf(v->site, sizeof(v->site), "%s", site ? site : "");
    snprintf(v->sensor, sizeof(v->sensor), "%s", sensor ? sensor : "");
    snprintf(v->reason, sizeof(v->reason), "%s", reason ? reason : "");
    if (!b->failed && (v->what == LAMP_SAMPLE_HOST || v->what == LAMP_SAMPLE_CONNECTION) &&
        !*v->site && !*v->sensor)
        lamp_body_fail(b, "site",
                       "An inside host needs its site, since sites may share addresses.");
}

static void read_sample(const struct lamp_request *req, struct lamp_reply *reply,
                        struct lamp_sample *v, bool *out_good)
{
    static const char *const names[] = { "what",     "host",   "remote", "transport",
                                         "miner",    "site",   "sensor", "packets",
                                         "duration", "bytes",  "wait",   "packets_per_connection",
                                         "reason",   "snaplen" };
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    lamp_api_read_target(&b, v);
    v->packets = (uint32_t)lamp_body_int(&b, "packets", 1, PACKETS_MAX, 100);
    v->packets_per_connection =
        (uint32_t)lamp_body_int(&b, "packets_per_connection", 1, PACKETS_MAX, 5);
    v->duration_s = (uint32_t)lamp_body_int(&b, "duration", 1, DURATION_MAX_S, 60);
    v->bytes_max = (uint64_t)lamp_body_int(&b, "bytes", BYTES_MIN, BYTES_MAX, 1024 * 1024);
    v->snaplen = (uint32_t)lamp_body_int(&b, "snaplen", SNAPLEN_MIN, SNAPLEN_MAX, SNAPLEN_MAX);
    v->expires_us =
        (uint64_t)lamp_body_int(&b, "wait", WAIT_MIN_S, WAIT_MAX_S, 3600) * UINT64_C(1000000);
    *out_good = !b.failed;
}

static bool take_site(const struct lamp_miner_view *m, void *arg)
{
    struct lamp_sample *v = arg;
    snprintf(v->site, sizeof(v->site), "%s", m->site);
    v->matches[0] = (struct lamp_order_match){ .host = m->host };
    v->n_matches = 1;
    return false;
}

struct servers {
    struct lamp_sample *v;
    struct lamp_order_match found[LAMP_WIRE_MATCHES_MAX];
    size_t n;
    bool too_many;
};

static bool take_server(const struct lamp_conn_view *c, void *arg)
{
    struct servers *w = arg;
    for (size_t i = 0; i < w->n; i++)
        if (lamp_addr_eq(&w->found[i].remote, &c->row.server_addr) &&
            w->found[i].remote_port == c->row.server_port)
            return true;
    w->too_many = w->n == LAMP_WIRE_MATCHES_MAX;
    if (!w->too_many)
        w->found[w->n++] = (struct lamp_order_match){ .host = w->v->matches[0].host,
                                                      .remote = c->row.server_addr,
                                                      .remote_port = c->row.server_port,
                                                      .ip_proto = c->row.ip_proto };
    return !w->too_many;
}

/* A miner is its host with the servers that it mined at; with too many of them, its host. LAMP_ENOENT. */
static int resolve_miner(lamp_store *s, uint64_t now_us, struct lamp_sample *v)
{
    struct servers w = { .v = v };
    const struct lamp_miner_filter miner = { .id = v->miner_id, .limit = 1 };
    const struct lamp_conn_filter conns = { .miner_id = v->miner_id, .limit = 1000 };
    v->n_matches = 0;
    int err = lamp_store_miners(s, &miner, now_us, take_site, v);
    if (!err && v->n_matches == 0)
        return LAMP_ENOENT;
    if (!err)
        err = lamp_store_conns(s, &conns, now_us, take_server, &w);
    if (!err && !w.too_many && w.n) {
        memcpy(v->matches, w.found, w.n * sizeof(w.found[0]));
        v->n_matches = w.n;
    }
    return err;
}

static bool take_sensor(const struct lamp_sensor_view *n, void *arg)
{
    struct lamp_sample *v = arg;
    if (!streq(n->id, v->sensor))
        return true;
    snprintf(v->site, sizeof(v->site), "%s", n->site);
    return false;
}

bool lamp_api_resolve_target(lamp_api *api, const struct lamp_request *req,
                             struct lamp_reply *reply, struct lamp_sample *v)
{
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    int err = LAMP_OK;
    if (*v->sensor && !*v->site)
        err = lamp_store_sensors(s, req->now_us, take_sensor, v);
    if (!err && *v->sensor && !*v->site)
        lamp_reply_error(reply, 404, "not_found", "sensor", "There is no sensor of that name.");
    else if (!err && v->what == LAMP_SAMPLE_MINER)
        err = resolve_miner(s, req->now_us, v);
    if (err == LAMP_ENOENT)
        lamp_reply_error(reply, 404, "not_found", "miner", "There is no miner %lld.",
                         (long long)v->miner_id);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
    return !err && reply->status == 200;
}

void lamp_api_add_sample(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_SAMPLE);
    struct lamp_command_result result;
    bool good;
    cmd.sample_change = LAMP_SAMPLE_ORDER;
    read_sample(req, reply, &cmd.sample, &good);
    if (!good || !lamp_api_resolve_target(app, req, reply, &cmd.sample) ||
        !lamp_api_run(app, req, &cmd, reply, &result))
        return;
    answer(app, req, result.key_id, reply);
    if (reply->status == 200)
        reply->status = 201;
}

void lamp_api_cancel_sample(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_SAMPLE);
    struct lamp_command_result result;
    cmd.sample_change = LAMP_SAMPLE_CANCEL;
    cmd.sample.id = req->id;
    if (lamp_api_run(app, req, &cmd, reply, &result))
        reply->status = 204;
}

/* ---- the file ---- */

struct found {
    const char *sensor;
    struct lamp_sample v;
    struct lamp_sample_file f; /* sample_id 0: none */
};

static bool take_sample(const struct lamp_sample *v, void *arg)
{
    ((struct found *)arg)->v = *v;
    return false;
}

static bool take_file(const struct lamp_sample_file *f, void *arg)
{
    struct found *w = arg;
    if (!streq(f->sensor, w->sensor))
        return true;
    w->f = *f;
    return false;
}

static int find_file(lamp_store *s, int64_t id, struct found *w)
{
    const struct lamp_sample_filter sample = { .id = id, .limit = 1 };
    const struct lamp_sample_file_filter file = { .sample_id = id };
    int err = lamp_store_samples(s, &sample, take_sample, w);
    if (!err && w->v.id)
        err = lamp_store_sample_files(s, &file, take_file, w);
    return err;
}

/* Site, order, reason and who, as comments of the section header. */
static int send_file(const lamp_api *api, const struct found *w, struct lamp_reply *reply)
{
    char path[PATH_MAX], name[200], order[256], why[300], who[160];
    uint8_t head[1024];
    snprintf(order, sizeof(order), "davylamp sample %lld: %s at site %s, sensor %s",
             (long long)w->v.id, lamp_sample_what_name(w->v.what), w->f.site, w->f.sensor);
    snprintf(why, sizeof(why), "reason: %s", *w->v.reason ? w->v.reason : "none given");
    snprintf(who, sizeof(who), "ordered by %s at %llu", w->v.created_by,
             (unsigned long long)(w->v.created_us / 1000000));
    const char *const comments[] = { order, why, who };
    const size_t len = lamp_pcapng_out_section(head, sizeof(head), comments, ARRAY_LEN(comments));
    lamp_sample_path(api->cfg.samples, w->f.sample_id, w->f.sensor_ref, path, sizeof(path));
    snprintf(name, sizeof(name), "sample-%lld-%.100s.pcapng", (long long)w->v.id, w->f.sensor);
    for (char *p = name; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            *p = '_';
    const struct lamp_download d = { .type = "application/x-pcapng",
                                     .name = name,
                                     .head = head,
                                     .head_len = len,
                                     .path = path,
                                     .size = w->f.landed };
    return lamp_reply_download(reply, &d);
}

void lamp_api_get_sample_file(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char suffix[] = ".pcapng";
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_SAMPLE);
    struct lamp_command_result result;
    char sensor[65] = "";
    struct found w = { .sensor = sensor };
    const size_t len = strlen(req->name);
    if (len >= sizeof(suffix) && streq(req->name + len - (sizeof(suffix) - 1), suffix))
        snprintf(sensor, sizeof(sensor), "%.*s", (int)(len - (sizeof(suffix) - 1)), req->name);
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    const int err = find_file(s, req->id, &w);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
    if (err)
        return;
    const bool there =
        w.f.sample_id && w.f.state == LAMP_SAMPLE_DONE && w.f.landed > 0 && !w.f.removed;
    cmd.sample_change = LAMP_SAMPLE_DOWNLOAD;
    cmd.sample.id = req->id;
    snprintf(cmd.sample.sensor, sizeof(cmd.sample.sensor), "%s", sensor);
    if (there && !lamp_api_run(app, req, &cmd, reply, &result))
        return;
    if (!there || send_file(app, &w, reply) != LAMP_OK)
        lamp_reply_error(reply, 404, "not_found", NULL,
                         "There is no such file: the sample is not done, was empty, or is not kept "
                         "any more.");
}
