/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about baselines. */
#include "aggregator/api/impl.h"

#include "aggregator/store/spread.h"

#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>

#define SECOND_US UINT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define DAY_US (1440 * MINUTE_US)

enum {
    FORMAT_VERSION = 1,
    WINDOW_S = 1800,
    WINDOW_MIN_S = 600,
    WINDOW_MAX_S = LAMP_BASELINE_DAYS_MOST * 86400,
    SPAN_S = 3 * 3600,
    BLOCK_TTL_S = 24 * 3600,
    BLOCK_TTL_MIN_S = 60,
    BLOCK_TTL_MAX_S = 30 * 86400,
};

/* Whole numbers that a double holds. */
#define COUNT_MAX (INT64_C(1) << 53)

/* ---- JSON ---- */

static void write_text(struct lamp_json *j, const char *key, const char *text)
{
    lamp_json_str(j, key, *text ? text : NULL);
}

static void write_place(struct lamp_json *j, const struct lamp_baseline_place *at)
{
    char addr[LAMP_ADDR_STRLEN];
    lamp_json_str(j, "remote", lamp_addr_str(&at->remote, addr));
    lamp_json_uint(j, "port", at->port);
    lamp_json_uint(j, "protocol", at->ip_proto);
    if (at->asn)
        lamp_json_uint(j, "asn", at->asn);
    else
        lamp_json_null(j, "asn");
    write_text(j, "name", at->name);
    write_text(j, "pool", at->pool);
    write_text(j, "application", at->application);
    lamp_json_bool(j, "mining", at->mining);
}

/* low and high: between which chance leaves a minute; null where nothing is known. */
static void write_spread(struct lamp_json *j, const char *key, const struct lamp_spread *s,
                         uint32_t minutes)
{
    const struct lamp_bounds b = lamp_spread_bounds(s, minutes, 1);
    lamp_json_object(j, key);
    lamp_json_double(j, "mean", s->mean);
    lamp_json_double(j, "sd", s->sd);
    lamp_json_double(j, "most", s->most);
    lamp_json_double(j, "carry", s->carry);
    lamp_json_double(j, "low", b.low);
    if (isfinite(b.high))
        lamp_json_double(j, "high", b.high);
    else
        lamp_json_null(j, "high");
    lamp_json_end(j);
}

static void write_entry(struct lamp_json *j, const struct lamp_baseline_entry *e)
{
    lamp_json_object(j, NULL);
    write_place(j, &e->at);
    lamp_json_str(j, "by", lamp_baseline_by_name(e->by));
    lamp_json_uint(j, "bytes", e->bytes);
    lamp_json_uint(j, "packets", e->packets);
    lamp_json_uint(j, "minutes", e->minutes);
    if (e->period_min > 0) {
        lamp_json_double(j, "period", 60 * e->period_min);
        lamp_json_double(j, "jitter", 60 * e->jitter_min);
    } else {
        lamp_json_null(j, "period");
        lamp_json_null(j, "jitter");
    }
    lamp_json_end(j);
}

/* The fields of a body; the caller opens and closes the object. */
static void write_body(struct lamp_json *j, const struct lamp_baseline_body *b)
{
    lamp_json_time(j, "from", b->from_us);
    lamp_json_time(j, "to", b->to_us);
    lamp_json_uint(j, "minutes", b->minutes);
    write_spread(j, "mining", &b->mining, b->minutes);
    write_spread(j, "other", &b->other, b->minutes);
    write_spread(j, "packets", &b->packets, b->minutes);
    const double quiet_s =
        lamp_spread_quiet_s(&b->packets, b->minutes, b->mining.mean > 0 ? 60 : 180);
    if (quiet_s > 0)
        lamp_json_double(j, "quiet", quiet_s);
    else
        lamp_json_null(j, "quiet");
    lamp_json_array(j, "wallets");
    for (uint32_t i = 0; i < b->n_wallets; i++)
        lamp_json_str(j, NULL, b->wallets[i]);
    lamp_json_end(j);
    lamp_json_array(j, "destinations");
    for (uint32_t i = 0; i < b->n_entries; i++)
        write_entry(j, &b->entries[i]);
    lamp_json_end(j);
    lamp_json_uint(j, "left_out", b->left_out);
}

static const char *state_of(const struct lamp_baseline *b)
{
    return b->learn_from_us ? "learning"
           : b->has_draft   ? "draft"
           : b->learn_to_us ? "too-little"
           : b->version     ? "in-force"
                            : "empty";
}

struct list {
    lamp_store *s;
    struct lamp_json *j;
    struct lamp_baseline b; /* the last one */
    size_t n;
    int err;
};

static bool count_new(const struct lamp_baseline_news *n, void *arg)
{
    *(uint64_t *)arg += n->say == LAMP_BASELINE_NEW;
    return true;
}

static bool take_miner(const struct lamp_miner_view *v, void *arg)
{
    *(int64_t *)arg = v->id;
    return false;
}

static bool write_baseline(const struct lamp_baseline *b, void *arg)
{
    struct list *l = arg;
    struct lamp_json *j = l->j;
    char host[LAMP_ADDR_STRLEN];
    uint64_t fresh = 0;
    int64_t miner = 0;
    const struct lamp_miner_filter filter = { .site = b->site,
                                              .host = lamp_addr_str(&b->host, host),
                                              .limit = 1 };
    l->err = lamp_store_baseline_news(l->s, b->id, count_new, &fresh);
    if (!l->err)
        l->err = lamp_store_miners(l->s, &filter, 0, take_miner, &miner);
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", b->id);
    lamp_json_str(j, "site", b->site);
    lamp_json_str(j, "host", host);
    if (miner)
        lamp_json_int(j, "miner", miner);
    else
        lamp_json_null(j, "miner");
    lamp_json_str(j, "state", state_of(b));
    lamp_json_uint(j, "version", b->version);
    lamp_json_time(j, "learn_to", b->learn_to_us);
    lamp_json_bool(j, "by_asn", b->by_asn);
    lamp_json_uint(j, "unexpected", fresh);
    lamp_json_uint(j, "left_out", b->news_left_out);
    lamp_json_time(j, "created", b->created_us);
    lamp_json_str(j, "created_by", b->created_by);
    lamp_json_end(j);
    l->b = *b;
    l->n++;
    return !l->err;
}

void lamp_api_get_baselines(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_baseline_filter f = { .id = 0 };
    struct list l = { .j = &reply->json };
    if (!lamp_api_site_of(req, reply, &f.site))
        return;
    lamp_store *s = l.s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "baselines");
    int err = lamp_store_baselines(s, &f, write_baseline, &l);
    err = err ? err : l.err;
    lamp_json_end(l.j);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* One baseline as a list has it. LAMP_ENOENT. */
static int write_one(lamp_store *s, int64_t id, struct lamp_json *j, struct lamp_baseline *out)
{
    struct list l = { .s = s, .j = j };
    const struct lamp_baseline_filter f = { .id = id };
    const int err = lamp_store_baselines(s, &f, write_baseline, &l);
    *out = l.b;
    return err ? err : l.err ? l.err : l.n ? LAMP_OK : LAMP_ENOENT;
}

static int write_version(lamp_store *s, int64_t id, uint32_t version, const char *key,
                         struct lamp_json *j)
{
    LAMP_AUTO_FREE struct lamp_baseline_body *b = malloc(sizeof(*b));
    const int err = b ? lamp_store_baseline_body(s, id, version, b) : LAMP_ENOMEM;
    if (err == LAMP_ENOENT)
        lamp_json_null(j, key);
    if (err)
        return err == LAMP_ENOENT ? LAMP_OK : err;
    lamp_json_object(j, key);
    write_body(j, b);
    lamp_json_end(j);
    return LAMP_OK;
}

static bool write_head(const struct lamp_baseline_version *v, void *arg)
{
    struct lamp_json *j = arg;
    lamp_json_object(j, NULL);
    lamp_json_uint(j, "version", v->version);
    lamp_json_time(j, "at", v->at_us);
    lamp_json_str(j, "by", v->by);
    lamp_json_str(j, "note", v->note);
    lamp_json_time(j, "from", v->from_us);
    lamp_json_time(j, "to", v->to_us);
    lamp_json_uint(j, "minutes", v->minutes);
    lamp_json_uint(j, "destinations", v->entries);
    lamp_json_end(j);
    return true;
}

static bool write_news(const struct lamp_baseline_news *n, void *arg)
{
    struct lamp_json *j = arg;
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", n->id);
    write_place(j, &n->at);
    lamp_json_str(j, "state", lamp_baseline_say_name(n->say));
    write_text(j, "said_by", n->by);
    lamp_json_time(j, "first", n->first_us);
    lamp_json_time(j, "last", n->last_us);
    lamp_json_uint(j, "bytes", n->bytes);
    lamp_json_uint(j, "packets", n->packets);
    lamp_json_end(j);
    return true;
}

static int write_detail(lamp_store *s, int64_t id, struct lamp_json *j)
{
    struct lamp_baseline b;
    lamp_json_object(j, NULL);
    lamp_json_array(j, "baseline");
    int err = write_one(s, id, j, &b);
    lamp_json_end(j);
    if (!err && b.version)
        err = write_version(s, id, b.version, "current", j);
    else if (!err)
        lamp_json_null(j, "current");
    if (!err)
        err = write_version(s, id, 0, "draft", j);
    lamp_json_array(j, "versions");
    if (!err)
        err = lamp_store_baseline_versions(s, id, write_head, j);
    lamp_json_end(j);
    lamp_json_array(j, "unexpected");
    if (!err)
        err = lamp_store_baseline_news(s, id, write_news, j);
    lamp_json_end(j);
    lamp_json_end(j);
    return err;
}

static void no_such(int64_t id, struct lamp_reply *reply)
{
    lamp_reply_error(reply, 404, "not_found", NULL, "There is no baseline %" PRId64 ".", id);
}

static void answer(lamp_api *api, const struct lamp_request *req, int64_t id,
                   struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    const int err = write_detail(s, id, &reply->json);
    if (err == LAMP_ENOENT)
        no_such(id, reply);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
}

void lamp_api_get_baseline(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    answer(app, req, req->id, reply);
}

/* ---- live beside it ---- */

struct series {
    struct lamp_json *j;
    const struct lamp_baseline_body *body; /* NULL: none is in force */
    uint64_t minute;                       /* at hand; 0: none */
    uint64_t mining, other, unexpected, packets;
};

static void end_minute(struct series *x)
{
    if (x->minute == 0)
        return;
    lamp_json_object(x->j, NULL);
    lamp_json_time(x->j, "time", x->minute * MINUTE_US);
    lamp_json_uint(x->j, "mining", x->mining);
    lamp_json_uint(x->j, "other", x->other);
    lamp_json_uint(x->j, "unexpected", x->unexpected);
    lamp_json_uint(x->j, "packets", x->packets);
    lamp_json_end(x->j);
    x->mining = x->other = x->unexpected = x->packets = 0;
}

static bool add_minute(const struct lamp_host_minute *m, void *arg)
{
    struct series *x = arg;
    bool known = x->body == NULL || m->packets_out == 0;
    if (m->minute != x->minute)
        end_minute(x);
    x->minute = m->minute;
    for (uint32_t i = 0; !known && i < x->body->n_entries; i++)
        known = lamp_baseline_knows(&x->body->entries[i], &m->at);
    *(!known ? &x->unexpected : m->at.mining ? &x->mining : &x->other) += m->bytes;
    x->packets += m->packets;
    return true;
}

static bool take_baseline(const struct lamp_baseline *b, void *arg)
{
    memcpy(arg, b, sizeof(*b));
    return false;
}

static int write_series(lamp_store *s, int64_t id, uint64_t from_us, uint64_t to_us,
                        struct lamp_json *j)
{
    struct lamp_baseline b = { .id = 0 };
    struct series x = { .j = j };
    int err =
        lamp_store_baselines(s, &(struct lamp_baseline_filter){ .id = id }, take_baseline, &b);
    if (err || b.id == 0)
        return err ? err : LAMP_ENOENT;
    LAMP_AUTO_FREE struct lamp_baseline_body *body = b.version ? malloc(sizeof(*body)) : NULL;
    if (b.version)
        err = body ? lamp_store_baseline_body(s, id, b.version, body) : LAMP_ENOMEM;
    x.body = body;
    if (err)
        return err;
    lamp_json_object(j, NULL);
    lamp_json_time(j, "from", from_us);
    lamp_json_time(j, "to", to_us);
    lamp_json_array(j, "minutes");
    if (!err)
        err = lamp_store_host_minutes(s, b.site, &b.host, from_us, to_us, add_minute, &x);
    end_minute(&x);
    lamp_json_end(j);
    lamp_json_end(j);
    return err;
}

void lamp_api_get_baseline_series(void *app, const struct lamp_request *req,
                                  struct lamp_reply *reply)
{
    uint64_t from_us = 0, to_us = req->now_us;
    if (!lamp_api_time(req, reply, "from", &from_us) || !lamp_api_time(req, reply, "to", &to_us))
        return;
    if (from_us == 0)
        from_us = to_us > SPAN_S * SECOND_US ? to_us - SPAN_S * SECOND_US : 0;
    if (from_us > to_us || to_us - from_us > DAY_US) {
        lamp_api_bad(reply, "from", "a time before `to`, by a day at most");
        return;
    }
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    const int err = write_series(s, req->id, from_us, to_us, &reply->json);
    if (err == LAMP_ENOENT)
        no_such(req->id, reply);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_export_baseline(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_json *j = &reply->json;
    struct lamp_baseline b = { .id = 0 };
    int64_t version = 0;
    char host[LAMP_ADDR_STRLEN];
    if (!lamp_api_int(req, reply, "version", 1, UINT32_MAX, &version))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    int err =
        lamp_store_baselines(s, &(struct lamp_baseline_filter){ .id = req->id }, take_baseline, &b);
    const uint32_t which = version ? (uint32_t)version : b.version;
    if (!err && (b.id == 0 || which == 0))
        err = LAMP_ENOENT;
    LAMP_AUTO_FREE struct lamp_baseline_body *body = err ? NULL : malloc(sizeof(*body));
    if (!err)
        err = body ? lamp_store_baseline_body(s, b.id, which, body) : LAMP_ENOMEM;
    if (!err) {
        lamp_json_object(j, NULL);
        lamp_json_str(j, "format", "davylamp-baseline");
        lamp_json_uint(j, "format_version", FORMAT_VERSION);
        lamp_json_str(j, "site", b.site);
        lamp_json_str(j, "host", lamp_addr_str(&b.host, host));
        lamp_json_uint(j, "version", which);
        write_body(j, body);
        lamp_json_end(j);
    } else if (err == LAMP_ENOENT) {
        lamp_reply_error(reply, 404, "not_found", NULL,
                         "There is no baseline %" PRId64 ", or none of that version.", req->id);
    } else {
        lamp_api_store_failed(s, reply);
    }
    lamp_api_reader_done(app, s);
}

/* ---- reading a document ---- */

struct reading {
    char what[160]; /* where it is wrong; "" nowhere yet */
};

static void wrong(struct reading *r, const char *field)
{
    if (!*r->what)
        snprintf(r->what, sizeof(r->what), "This is no baseline that davylamp wrote: %.60s.",
                 field);
}

static double number(struct reading *r, const json_t *o, const char *name, double max)
{
    const json_t *v = json_object_get(o, name);
    const double x = json_is_number(v) ? json_number_value(v) : 0;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_number(v) || !(x >= 0 && x <= max)) {
        wrong(r, name);
        return 0;
    }
    return x;
}

static void text(struct reading *r, const json_t *o, const char *name, char *buf, size_t size)
{
    const json_t *v = json_object_get(o, name);
    *buf = '\0';
    if (!v || json_is_null(v))
        return;
    if (!json_is_string(v) || json_string_length(v) >= size ||
        strlen(json_string_value(v)) != json_string_length(v))
        wrong(r, name);
    else
        snprintf(buf, size, "%s", json_string_value(v));
}

static struct lamp_spread read_spread(struct reading *r, const json_t *doc, const char *name)
{
    const json_t *o = json_object_get(doc, name);
    if (!json_is_object(o))
        wrong(r, name);
    return (struct lamp_spread){ number(r, o, "mean", 1e15), number(r, o, "sd", 1e15),
                                 number(r, o, "most", 1e15), number(r, o, "carry", 0.9) };
}

static void read_entry(struct reading *r, const json_t *o, struct lamp_baseline_entry *e)
{
    char addr[LAMP_ADDR_STRLEN], by[16];
    text(r, o, "remote", addr, sizeof(addr));
    text(r, o, "by", by, sizeof(by));
    text(r, o, "name", e->at.name, sizeof(e->at.name));
    text(r, o, "pool", e->at.pool, sizeof(e->at.pool));
    text(r, o, "application", e->at.application, sizeof(e->at.application));
    if (lamp_addr_parse(addr, &e->at.remote) != LAMP_OK)
        wrong(r, "remote");
    while (e->by < LAMP_BASELINE_BYS && !streq(by, lamp_baseline_by_name(e->by)))
        e->by++;
    if (e->by == LAMP_BASELINE_BYS) {
        e->by = LAMP_BASELINE_BY_ADDRESS;
        wrong(r, "by");
    }
    e->at.port = (uint16_t)number(r, o, "port", UINT16_MAX);
    e->at.ip_proto = (uint8_t)number(r, o, "protocol", UINT8_MAX);
    e->at.asn = (uint32_t)number(r, o, "asn", UINT32_MAX);
    e->at.mining = json_is_true(json_object_get(o, "mining"));
    e->bytes = (uint64_t)number(r, o, "bytes", (double)COUNT_MAX);
    e->packets = (uint64_t)number(r, o, "packets", (double)COUNT_MAX);
    e->minutes = (uint32_t)number(r, o, "minutes", UINT32_MAX);
    e->period_min = number(r, o, "period", 60.0 * WINDOW_MAX_S) / 60;
    e->jitter_min = number(r, o, "jitter", 60.0 * WINDOW_MAX_S) / 60;
}

static void read_lists(struct reading *r, const json_t *doc, struct lamp_baseline_body *out)
{
    const json_t *wallets = json_object_get(doc, "wallets"), *v;
    const json_t *places = json_object_get(doc, "destinations");
    size_t i;
    if (!json_is_array(wallets) || json_array_size(wallets) > LAMP_BASELINE_WALLETS)
        wrong(r, "wallets");
    if (!json_is_array(places) || json_array_size(places) > LAMP_BASELINE_ENTRIES)
        wrong(r, "destinations");
    if (*r->what)
        return;
    json_array_foreach(wallets, i, v)
    {
        const char *w = json_string_value(v);
        if (w && *w && strlen(w) < sizeof(out->wallets[0]) && !strchr(w, '\n'))
            snprintf(out->wallets[out->n_wallets++], sizeof(out->wallets[0]), "%s", w);
        else
            wrong(r, "wallets");
    }
    json_array_foreach(places, i, v) read_entry(r, v, &out->entries[out->n_entries++]);
}

/* A document as the export wrote it; free() it. NULL after answering what is wrong. */
static struct lamp_baseline_body *read_document(struct lamp_body *b, const json_t *doc)
{
    struct reading r = { "" };
    char format[32];
    struct lamp_baseline_body *out = calloc(1, sizeof(*out));
    if (!out) {
        lamp_body_fail(b, "document", "Out of memory: try again.");
        return NULL;
    }
    text(&r, doc, "format", format, sizeof(format));
    if (!streq(format, "davylamp-baseline") ||
        json_integer_value(json_object_get(doc, "format_version")) != FORMAT_VERSION)
        wrong(&r, "format");
    out->from_us = (uint64_t)(number(&r, doc, "from", 1e11) * 1e6);
    out->to_us = (uint64_t)(number(&r, doc, "to", 1e11) * 1e6);
    if (out->from_us == 0 || out->to_us < out->from_us)
        wrong(&r, "from");
    out->minutes = (uint32_t)number(&r, doc, "minutes", WINDOW_MAX_S);
    out->mining = read_spread(&r, doc, "mining");
    out->other = read_spread(&r, doc, "other");
    out->packets = read_spread(&r, doc, "packets");
    read_lists(&r, doc, out);
    if (*r.what) {
        lamp_body_fail(b, "document", r.what);
        free(out);
        return NULL;
    }
    return out;
}

/* ---- changing ---- */

static bool take_target(const struct lamp_miner_view *v, void *arg)
{
    struct lamp_baseline *b = arg;
    snprintf(b->site, sizeof(b->site), "%s", v->site);
    b->host = v->host;
    return false;
}

/* Whose baseline it is: a miner, or a site and a host. False after answering. */
static bool read_whose(lamp_api *api, const struct lamp_request *req, struct lamp_body *b,
                       struct lamp_baseline *out)
{
    const int64_t miner = lamp_body_int(b, "miner", 1, INT64_MAX, 0);
    const char *site = lamp_body_str(b, "site", sizeof(out->site) - 1, miner == 0);
    const char *host = lamp_body_str(b, "host", LAMP_ADDR_STRLEN, miner == 0);
    if (b->failed)
        return false;
    if (miner == 0) {
        snprintf(out->site, sizeof(out->site), "%s", site);
        if (lamp_addr_parse(host, &out->host) != LAMP_OK)
            lamp_body_fail(b, "host", "This must be an address.");
        return !b->failed;
    }
    const struct lamp_miner_filter f = { .id = miner, .limit = 1 };
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    const int err = lamp_store_miners(s, &f, req->now_us, take_target, out);
    if (err)
        lamp_api_store_failed(s, b->reply);
    else if (!*out->site)
        lamp_reply_error(b->reply, 404, "not_found", "miner", "There is no miner %" PRId64 ".",
                         miner);
    lamp_api_reader_done(api, s);
    return !err && *out->site;
}

/* A yes or no that may be left out: no. */
static bool read_yes(struct lamp_body *b, const char *name)
{
    const json_t *v = json_object_get(b->object, name);
    return v && !json_is_null(v) && lamp_body_bool(b, name);
}

/* Learns from the time before now, or from now on, or takes a document. */
void lamp_api_add_baseline(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "miner", "site",   "host",    "window",
                                         "begin", "by_asn", "document" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_BASELINE);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    struct lamp_baseline *at = &cmd.baseline.at;
    const json_t *doc = json_object_get(req->body, "document");
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const uint64_t window_us =
        (uint64_t)lamp_body_int(&b, "window", WINDOW_MIN_S, WINDOW_MAX_S, WINDOW_S) * SECOND_US;
    const char *begin = lamp_body_str(&b, "begin", 8, false);
    const bool now = begin && streq(begin, "now");
    if (begin && !now && !streq(begin, "before"))
        lamp_body_fail(&b, "begin", "This must be now or before.");
    at->by_asn = read_yes(&b, "by_asn");
    at->learn_from_us = now ? req->now_us : req->now_us - window_us;
    at->learn_to_us = at->learn_from_us + window_us;
    if (!read_whose(app, req, &b, at))
        return;
    if (doc && !json_is_null(doc)) {
        cmd.baseline.change = LAMP_BASELINE_IMPORT;
        at->learn_from_us = at->learn_to_us = 0;
        if (!(cmd.baseline.body = read_document(&b, doc)))
            return;
    }
    if (!lamp_api_run(app, req, &cmd, reply, &result))
        return;
    answer(app, req, result.key_id, reply);
    if (reply->status == 200)
        reply->status = 201;
}

void lamp_api_accept_baseline(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "version", "note" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_BASELINE);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *note = lamp_body_str(&b, "note", sizeof(cmd.reason) - 1, false);
    cmd.baseline.change = LAMP_BASELINE_ACCEPT;
    cmd.baseline.at.id = req->id;
    cmd.baseline.version = (uint32_t)lamp_body_int(&b, "version", 1, UINT32_MAX, 0);
    snprintf(cmd.reason, sizeof(cmd.reason), "%s", note ? note : "");
    if (!b.failed && lamp_api_run(app, req, &cmd, reply, &result))
        answer(app, req, req->id, reply);
}

/* The baseline in force becomes a draft of another host. */
void lamp_api_copy_baseline(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "miner", "site", "host" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_BASELINE);
    struct lamp_command_result result;
    struct lamp_baseline from = { .id = 0 };
    struct lamp_body b = { req->body, reply, false };
    lamp_body_known(&b, names, ARRAY_LEN(names));
    cmd.baseline.change = LAMP_BASELINE_IMPORT;
    if (!read_whose(app, req, &b, &cmd.baseline.at))
        return;
    struct lamp_baseline_body *body = malloc(sizeof(*body));
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    int err = body ? lamp_store_baselines(s, &(struct lamp_baseline_filter){ .id = req->id },
                                          take_baseline, &from)
                   : LAMP_ENOMEM;
    if (!err)
        err = from.id && from.version ? lamp_store_baseline_body(s, from.id, from.version, body)
                                      : LAMP_ENOENT;
    if (err == LAMP_ENOENT)
        lamp_reply_error(reply, 404, "not_found", NULL,
                         "There is no baseline %" PRId64 " that was accepted.", req->id);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
    if (err) {
        free(body);
        return;
    }
    cmd.baseline.body = body;
    snprintf(cmd.reason, sizeof(cmd.reason), "of baseline %" PRId64, req->id);
    if (!lamp_api_run(app, req, &cmd, reply, &result))
        return;
    answer(app, req, result.key_id, reply);
    if (reply->status == 200)
        reply->status = 201;
}

void lamp_api_delete_baseline(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_BASELINE);
    struct lamp_command_result result;
    cmd.baseline.change = LAMP_BASELINE_DELETE;
    cmd.baseline.at.id = req->id;
    if (lamp_api_run(app, req, &cmd, reply, &result))
        reply->status = 204;
}

/* ---- unexpected destinations ---- */

/* The block list has it before the baseline says so: a block that is refused changes nothing here. */
static bool block(lamp_api *api, const struct lamp_request *req, const struct lamp_command *say,
                  const char *reason, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_BLOCK);
    struct lamp_command_result result;
    struct lamp_baseline_news n;
    struct lamp_baseline v = { .id = 0 };
    char host[LAMP_ADDR_STRLEN];
    cmd.ttl_s = say->ttl_s;
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    int err =
        lamp_store_baselines(s, &(struct lamp_baseline_filter){ .id = req->id }, take_baseline, &v);
    if (!err)
        err = lamp_baseline_news_find(s, v.id, say->baseline.news_id, &n);
    if (err == LAMP_ENOENT)
        lamp_reply_error(reply, 404, "not_found", "destination",
                         "There is no unexpected destination of that number.");
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
    if (err)
        return false;
    cmd.block_kind = LAMP_BLOCK_REMOTE;
    cmd.prefix = (struct lamp_prefix){ n.at.remote, 128 };
    if (n.at.ip_proto == IPPROTO_TCP || n.at.ip_proto == IPPROTO_UDP) {
        cmd.port = n.at.port;
        cmd.ip_proto = n.at.ip_proto;
    }
    snprintf(cmd.site, sizeof(cmd.site), "%s", v.site);
    if (reason)
        snprintf(cmd.reason, sizeof(cmd.reason), "%s", reason);
    else
        snprintf(cmd.reason, sizeof(cmd.reason), "not in the baseline of %s",
                 lamp_addr_str(&v.host, host));
    return lamp_api_run(api, req, &cmd, reply, &result);
}

void lamp_api_say_baseline(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "destination", "action", "by_asn", "ttl", "reason" };
    static const char *const actions[] = { "unwatch", "watch", "block" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_BASELINE);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    size_t i = 0;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *action = lamp_body_str(&b, "action", 8, true);
    cmd.baseline.change = LAMP_BASELINE_SAY;
    cmd.baseline.at.id = req->id;
    cmd.baseline.news_id = lamp_body_int(&b, "destination", 1, INT64_MAX, 0);
    if (cmd.baseline.news_id == 0)
        lamp_body_fail(&b, "destination", "This field is needed.");
    const char *reason = lamp_body_str(&b, "reason", sizeof(cmd.reason) - 1, false);
    cmd.ttl_s = (uint32_t)lamp_body_int(&b, "ttl", BLOCK_TTL_MIN_S, BLOCK_TTL_MAX_S, BLOCK_TTL_S);
    cmd.baseline.by_asn = read_yes(&b, "by_asn");
    cmd.baseline.accept = action && streq(action, "accept");
    while (action && i < ARRAY_LEN(actions) && !streq(action, actions[i]))
        i++;
    if (i == ARRAY_LEN(actions) && !cmd.baseline.accept)
        lamp_body_fail(&b, "action", "This must be accept, watch, block or unwatch.");
    if (b.failed)
        return;
    cmd.baseline.say = cmd.baseline.accept ? LAMP_BASELINE_NEW : (enum lamp_baseline_say)i;
    if (cmd.baseline.say == LAMP_BASELINE_BLOCKED && !block(app, req, &cmd, reason, reply))
        return;
    if (lamp_api_run(app, req, &cmd, reply, &result))
        answer(app, req, req->id, reply);
}
