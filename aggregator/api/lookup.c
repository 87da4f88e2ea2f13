/* SPDX-License-Identifier: Apache-2.0 */
/* GET /lookup: what an investigator asks of an address, an address and port, a port or a name: is it
 * mining, which pool, which coin, and was it then? */
#include "aggregator/api/impl.h"

#include "aggregator/api/pools_json.h"
#include "common/text.h"

#include <ctype.h>
#include <stdio.h>

enum {
    MATCHES = 100,
    PORT_POOLS = 50,
    TEXT = 400,
};

/* How sure the answer is. The first that holds is told. */
enum answer {
    ANSWER_UNKNOWN, /* nothing is known; that is no proof that it mines not */
    ANSWER_MAYBE, /* of a port alone, of what lies beside or below a listed name, of a shared address */
    ANSWER_WAS, /* known, but not at that time */
    ANSWER_YES,
};
static const char *const answers[] = { "unknown", "maybe", "was", "yes" };

struct question {
    enum { ASK_ADDRESS, ASK_ENDPOINT, ASK_PORT, ASK_NAME } kind;
    struct lamp_addr addr;
    uint16_t port; /* 0: none */
    char name[LAMP_POOL_FQDN];
    uint64_t at_us, now_us;
};
static const char *const kinds[] = { "address", "endpoint", "port", "name" };

/* ---- the question ---- */

static bool parse_name(const char *text, size_t len, struct question *q)
{
    bool letter = false;
    if (len > 0 && text[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof(q->name))
        return false;
    for (size_t i = 0; i < len; i++) {
        const char c = (char)tolower((unsigned char)text[i]);
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", c) ||
            (c == '.' && (i == 0 || text[i - 1] == '.')))
            return false;
        letter |= isalpha((unsigned char)c) != 0;
        q->name[i] = c;
    }
    q->name[len] = '\0';
    return letter;
}

/* "203.0.113.7", "203.0.113.7:3333", "[2001:db8::7]:3333", "3333", ":3333", "pool.example" or
 * "pool.example:3333"; a scheme before it ("stratum+tcp://") and a path behind it are left out. */
static bool parse(const char *text, struct question *q)
{
    char buf[TEXT];
    int64_t port;
    const char *scheme = strstr(text, "://");
    text = scheme ? scheme + 3 : text;
    text += strspn(text, " ");
    snprintf(buf, sizeof(buf), "%.*s", (int)strcspn(text, "/? "), text);
    if (lamp_addr_parse(buf, &q->addr) == LAMP_OK) {
        q->kind = ASK_ADDRESS;
        return true;
    }
    if (lamp_endpoint_parse(buf, &q->addr, &q->port) == LAMP_OK) {
        q->kind = ASK_ENDPOINT;
        return q->port != 0;
    }
    const char *digits = buf[0] == ':' ? buf + 1 : buf;
    if (lamp_text_int(digits, 1, 65535, &port) == LAMP_OK && isdigit((unsigned char)*digits)) {
        q->kind = ASK_PORT;
        q->port = (uint16_t)port;
        return true;
    }
    const size_t len = strcspn(buf, ":");
    q->kind = ASK_NAME;
    if (buf[len] == ':') {
        if (lamp_text_int(buf + len + 1, 1, 65535, &port) != LAMP_OK)
            return false;
        q->port = (uint16_t)port;
    }
    return parse_name(buf, len, q);
}

/* ---- the answer ---- */

struct finding {
    struct lamp_json *j;
    const lamp_cdn *cdn;
    const struct question *q;
    const char *how; /* "address", "name", "below", "above", "port" */
    enum answer answer;
    size_t n;
    char pool[LAMP_POOL_NAME], coin[LAMP_POOL_WORD]; /* of the best match */
    char fqdn[LAMP_POOL_FQDN];
    char weak[160]; /* why the answer is weak; "" it is not */
};

/* Whether the name led to the address at the time asked about: a look-up answers for some hours. */
static bool led_there(const struct lamp_pool_match *m, uint64_t at_us)
{
    return m->first_us <= at_us + LAMP_POOL_ADDRESS_US &&
           (m->last_us >= LAMP_POOL_LITERAL_US || at_us <= m->last_us + LAMP_POOL_ADDRESS_US);
}

static enum answer judge(const struct finding *f, const struct lamp_pool_match *m, const char *weak)
{
    const bool by_address = streq(f->how, "address");
    const bool port_fits = f->q->port == 0 || m->entry->port == f->q->port;
    if (!m->listed || (by_address && !led_there(m, f->q->at_us)))
        return ANSWER_WAS;
    if ((by_address && weak) || !port_fits || streq(f->how, "below") || streq(f->how, "above") ||
        streq(f->how, "port"))
        return ANSWER_MAYBE;
    return ANSWER_YES;
}

static bool add_match(const struct lamp_pool_match *m, void *arg)
{
    struct finding *f = arg;
    struct lamp_json *j = f->j;
    char why[160];
    const char *weak =
        m->has_address ? lamp_api_pool_weak(f->cdn, &m->addr, m->cname, m->pools, why, sizeof(why))
                       : NULL;
    const enum answer answer = judge(f, m, weak);
    if (f->n++ == 0 || answer > f->answer) {
        f->answer = answer;
        snprintf(f->pool, sizeof(f->pool), "%s", m->entry->pool);
        snprintf(f->coin, sizeof(f->coin), "%s", m->entry->coin);
        snprintf(f->fqdn, sizeof(f->fqdn), "%s", m->entry->fqdn);
        snprintf(f->weak, sizeof(f->weak), "%s", weak && streq(f->how, "address") ? weak : "");
    }
    lamp_json_object(j, NULL);
    lamp_json_str(j, "how", f->how);
    lamp_json_str(j, "answer", answers[answer]);
    lamp_api_json_pool_entry(j, "entry", m->entry);
    lamp_json_bool(j, "listed", m->listed);
    lamp_json_time(j, "listed_from", m->listed_from_us);
    if (m->has_address) {
        const struct lamp_pool_address a = { m->entry->server_id, m->addr,  m->first_us,
                                             m->last_us,          m->pools, m->cname };
        lamp_api_json_pool_address(j, "address", &a, f->cdn);
    } else {
        lamp_json_null(j, "address");
    }
    if (m->has_endpoint) {
        lamp_api_json_pool_endpoint(j, "endpoint", &m->endpoint);
        lamp_api_json_pool_change(j, "then", &m->then);
    } else {
        lamp_json_null(j, "endpoint");
        lamp_json_null(j, "then");
    }
    lamp_json_end(j);
    return true;
}

static int find(lamp_store *s, struct finding *f, struct lamp_pool_query *p, uint64_t *total)
{
    uint64_t n = 0;
    p->at_us = f->q->at_us;
    p->limit = MATCHES;
    const int err = lamp_store_pool_lookup(s, p, add_match, f, &n);
    *total += n;
    return err;
}

/* A name: as it is; what lies below it; the listed name that it lies below, nearest first. */
static int find_name(lamp_store *s, struct finding *f, uint64_t *total)
{
    struct lamp_pool_query p = { .by = LAMP_POOL_BY_NAME, .name = f->q->name, .port = f->q->port };
    f->how = "name";
    int err = find(s, f, &p, total);
    if (!err && f->q->port && f->n == 0) { /* the name, at another port */
        p.port = 0;
        err = find(s, f, &p, total);
    }
    p.port = f->q->port;
    if (!err && f->n == 0) {
        f->how = "below";
        p.by = LAMP_POOL_BELOW_NAME;
        err = find(s, f, &p, total);
    }
    const char *up = f->q->name;
    p.by = LAMP_POOL_BY_NAME;
    while (!err && f->n == 0 && (up = strchr(up, '.')) && strchr(++up, '.')) {
        f->how = "above";
        p.name = up;
        err = find(s, f, &p, total);
    }
    return err;
}

static int find_all(lamp_store *s, struct finding *f, uint64_t *total)
{
    struct lamp_pool_query p = { .addr = f->q->addr, .port = f->q->port };
    switch (f->q->kind) {
    case ASK_NAME:
        return find_name(s, f, total);
    case ASK_PORT:
        p.by = LAMP_POOL_BY_PORT;
        f->how = "port";
        return find(s, f, &p, total);
    default:
        break;
    }
    p.by = LAMP_POOL_BY_ADDRESS;
    f->how = "address";
    int err = find(s, f, &p, total);
    if (!err && p.port && f->n == 0) { /* the address, at another port */
        p.port = 0;
        err = find(s, f, &p, total);
    }
    return err;
}

/* ---- what was probed there, listed or not ---- */

static bool add_endpoint(const struct lamp_pool_endpoint *e, void *arg)
{
    lamp_api_json_pool_endpoint(arg, NULL, e);
    return true;
}

struct probed {
    bool found;
    struct lamp_pool_endpoint is;
    struct lamp_pool_change then;
    char reason[LAMP_POOL_REASON];
};

static int write_probed(lamp_store *s, struct finding *f, struct probed *p)
{
    int err = LAMP_OK;
    p->then.reason = p->reason;
    lamp_json_array(f->j, "endpoints");
    if (f->q->kind == ASK_ADDRESS)
        err = lamp_store_pool_endpoints(s, 0, &f->q->addr, add_endpoint, f->j);
    if (f->q->kind == ASK_ENDPOINT) {
        err = lamp_store_pool_endpoint(s, &f->q->addr, f->q->port, f->q->at_us, &p->is, &p->then);
        p->found = err == LAMP_OK;
        if (p->found)
            lamp_api_json_pool_endpoint(f->j, NULL, &p->is);
        err = err == LAMP_ENOENT ? LAMP_OK : err;
    }
    lamp_json_end(f->j);
    if (p->found)
        lamp_api_json_pool_change(f->j, "then", &p->then);
    else
        lamp_json_null(f->j, "then");
    /* A server that spoke as a pool does is one, whoever lists it. */
    if (p->found && p->then.state == LAMP_POOL_UP)
        f->answer = ANSWER_YES;
    else if (p->found && f->n == 0 && p->is.up_us)
        f->answer = ANSWER_WAS;
    return err;
}

static bool add_port(const struct lamp_pool_port *p, void *arg)
{
    struct lamp_json *j = arg;
    lamp_json_object(j, NULL);
    lamp_json_int(j, "pool_id", p->pool_id);
    lamp_json_str(j, "pool", p->pool);
    lamp_json_str(j, "coin", p->coin);
    lamp_json_uint(j, "servers", p->servers);
    lamp_json_end(j);
    return true;
}

static int write_port(lamp_store *s, struct finding *f)
{
    int err = LAMP_OK;
    lamp_json_array(f->j, "port_pools");
    if (f->q->kind == ASK_PORT)
        err = lamp_store_pool_port(s, f->q->port, PORT_POOLS, add_port, f->j);
    lamp_json_end(f->j);
    return err;
}

/* The answer as a sentence. */
static void write_summary(const struct finding *f, const struct probed *p, uint64_t total)
{
    const bool then = f->q->at_us < f->q->now_us;
    const char *coin = *f->coin ? f->coin : "coins unknown";
    char text[TEXT + LAMP_POOL_FQDN];
    if (f->q->kind == ASK_PORT && total)
        snprintf(text, sizeof(text),
                 "%llu entries of pools listen at this port; a port alone proves nothing.",
                 (unsigned long long)total);
    else if (p->found && p->then.state == LAMP_POOL_UP)
        snprintf(text, sizeof(text), "It %s as a mining pool%s%s (%s).",
                 then ? "answered" : "answers", f->n ? ": " : "", f->pool, p->reason);
    else if (f->answer == ANSWER_YES)
        snprintf(text, sizeof(text), "%s a server of %s (%s): %s.", then ? "It was then" : "It is",
                 f->pool, coin, f->fqdn);
    else if (f->answer == ANSWER_MAYBE)
        snprintf(text, sizeof(text), "It may be a server of %s (%s): %s%s%s.", f->pool, coin,
                 f->fqdn, *f->weak ? "; " : "", f->weak);
    else if (f->answer == ANSWER_WAS)
        snprintf(text, sizeof(text), "It is known of another time, not of this one%s%s.",
                 f->n ? ": " : "", f->pool);
    else
        snprintf(text, sizeof(text),
                 "The catalogue does not know it. That is no proof that it is no mining service.");
    lamp_json_str(f->j, "summary", text);
}

void lamp_api_get_lookup(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    const lamp_api *api = app;
    const char *text = lamp_request_query(req, "q");
    struct question q = { .at_us = req->now_us, .now_us = req->now_us };
    if (!lamp_api_time(req, reply, "at", &q.at_us))
        return;
    if (!text || strlen(text) >= TEXT || !parse(text, &q)) {
        (void)lamp_api_bad(reply, "q", "an address, an address and port, a port or a host name");
        return;
    }
    struct lamp_json *j = &reply->json;
    struct finding f = { .j = j, .cdn = api->cfg.cdn, .q = &q };
    struct probed p = { .found = false };
    uint64_t total = 0;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(j, NULL);
    lamp_json_str(j, "query", text);
    lamp_json_str(j, "kind", kinds[q.kind]);
    lamp_json_time(j, "at", q.at_us);
    lamp_json_array(j, "matches");
    int err = find_all(s, &f, &total);
    lamp_json_end(j);
    if (!err)
        err = write_probed(s, &f, &p);
    if (!err)
        err = write_port(s, &f);
    lamp_json_uint(j, "total", total);
    lamp_json_str(j, "answer", answers[f.answer]);
    write_summary(&f, &p, total);
    lamp_json_end(j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}
