/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/http.h"

#include "aggregator/http/listen.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

#include <assert.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    CONNECTIONS_MAX = 1536,
    PER_ADDRESS_MAX = 128,         /* behind a proxy all come from one */
    CONNECTION_MEMORY = 16 * 1024, /* headers of one request */
    IDLE_S = 30,
    HEADERS_S = 15,
    BODY_S = 30,
    ANSWER_S = 600,
    JSON_MAX = 16 * 1024 * 1024,
    PIECES_MAX = 8, /* of uploads, in memory at a time */
};

/* Where a connection stands; each has its own time limit. */
enum phase { PHASE_HEADERS, PHASE_BODY, PHASE_ANSWER, PHASE_STREAM };

static const unsigned phase_limit_s[] = { HEADERS_S, BODY_S, ANSWER_S, 0 };

struct peer {
    struct peer *next, **prev;
    int fd;
    enum phase phase;
    uint64_t since_us; /* of the phase, monotonic */
};

struct lamp_http {
    struct lamp_http_cfg cfg;
    struct MHD_Daemon *daemon;
    uint16_t port;
    pthread_mutex_t lock; /* guards the list of peers */
    struct peer *peers;
    _Atomic uint64_t answers[LAMP_HTTP_CLASSES];
    unsigned pieces; /* being received, under the lock */
};

/* One request while its body arrives. */
struct exchange {
    char *body;
    size_t len, room, max;
    bool too_long;
    bool is_piece; /* counted in lamp_http.pieces */
    bool no_room;  /* for a piece: it is dropped */
};

/* What browsers and tools of the last ten years speak (RFC 9325 section 3.1). */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static const struct {
    const char *name, *value;
} security_headers[] = {
    { "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
      "connect-src 'self'; font-src 'self'; worker-src 'self'; base-uri 'none'; "
      "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
      "trusted-types svelte-trusted-html fleet-worker" },
    { "X-Content-Type-Options", "nosniff" },
    { "Referrer-Policy", "no-referrer" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
};

/* ---- time limits of connections ---- */

static void enter_phase(lamp_http *h, struct MHD_Connection *conn, enum phase phase)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *p = info ? info->socket_context : NULL;
    if (!p)
        return;
    pthread_mutex_lock(&h->lock);
    p->phase = phase;
    p->since_us = lamp_clock_mono_us();
    pthread_mutex_unlock(&h->lock);
}

static void on_connection(void *arg, struct MHD_Connection *conn, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    lamp_http *h = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct peer *p = info ? calloc(1, sizeof(*p)) : NULL;
        if (!p)
            return;
        p->fd = info->connect_fd;
        p->since_us = lamp_clock_mono_us();
        pthread_mutex_lock(&h->lock);
        p->prev = &h->peers;
        p->next = h->peers;
        if (p->next)
            p->next->prev = &p->next;
        h->peers = p;
        pthread_mutex_unlock(&h->lock);
        *context = p;
    } else if (*context) {
        struct peer *p = *context;
        pthread_mutex_lock(&h->lock);
        *p->prev = p->next;
        if (p->next)
            p->next->prev = p->prev;
        pthread_mutex_unlock(&h->lock);
        free(p);
        *context = NULL;
    }
}

void lamp_http_tick(lamp_http *h, uint64_t mono_us)
{
    /* A peer leaves the list before its socket is closed, so fd is still the peer's. */
    pthread_mutex_lock(&h->lock);
    for (struct peer *p = h->peers; p; p = p->next) {
        const unsigned limit_s = phase_limit_s[p->phase];
        if (limit_s && mono_us > p->since_us + limit_s * UINT64_C(1000000))
            shutdown(p->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&h->lock);
}

/* ---- answers ---- */

void lamp_reply_error(struct lamp_reply *reply, unsigned status, const char *code,
                      const char *field, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);

    struct lamp_json *j = &reply->json;
    lamp_json_reset(j);
    reply->status = status;
    lamp_json_object(j, NULL);
    lamp_json_object(j, "error");
    lamp_json_str(j, "code", code);
    lamp_json_str(j, "message", message);
    lamp_json_str(j, "field", field);
    lamp_json_end(j);
    lamp_json_end(j);
}

static void add_header(struct MHD_Response *r, const char *name, const char *value)
{
    if (value && *value && MHD_add_response_header(r, name, value) != MHD_YES)
        lamp_log_limited(LAMP_LOG_DEBUG, "http", "header refused name=%s", name);
}

/* Queues the response with the headers that every answer has; takes it. */
static enum MHD_Result send_response(struct MHD_Connection *conn, unsigned status,
                                     struct MHD_Response *r)
{
    if (!r)
        return MHD_NO;
    for (size_t i = 0; i < ARRAY_LEN(security_headers); i++)
        add_header(r, security_headers[i].name, security_headers[i].value);
    const enum MHD_Result ok = MHD_queue_response(conn, status, r);
    MHD_destroy_response(r);
    return ok;
}

static const char *header(struct MHD_Connection *conn, const char *name)
{
    return MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
}

/* The tag of an answer (RFC 9110 section 8.8.3): a digest of its text. */
static void tag_of(const char *text, size_t len, char out[40])
{
    uint8_t digest[16];
    char hex[2 * sizeof(digest) + 1];
    crypto_generichash(digest, sizeof(digest), (const uint8_t *)text, len, NULL, 0);
    snprintf(out, 40, "\"%s\"", lamp_hex_encode(digest, sizeof(digest), hex));
}

static enum MHD_Result send_reply(struct MHD_Connection *conn, struct lamp_reply *reply,
                                  const char *allow)
{
    char tag[40] = "";
    struct MHD_Response *r = reply->stream;
    if (!r) {
        if (lamp_json_error(&reply->json) != LAMP_OK)
            lamp_reply_error(reply, 500, "internal", NULL, "The answer is too long to be sent.");
        size_t len = 0;
        char *text = reply->text;
        if (text)
            len = strlen(text);
        else if (reply->status != 204)
            text = lamp_json_take(&reply->json, &len);
        if (text && reply->status == 200 && reply->tagged) {
            tag_of(text, len, tag);
            const char *known = header(conn, "If-None-Match");
            if (known && strstr(known, tag)) {
                free(text);
                text = NULL;
                reply->status = 304;
            }
        }
        if (text)
            r = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
        else
            r = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
        if (!r) {
            free(text);
            return MHD_NO;
        }
        if (text)
            add_header(r, "Content-Type", reply->type ? reply->type : "application/json");
    }
    char seconds[16] = "", name[80] = "";
    if (reply->save_as && reply->status == 200)
        snprintf(name, sizeof(name), "attachment; filename=\"davylamp-%.40s.csv\"", reply->save_as);
    if (reply->retry_after_s)
        snprintf(seconds, sizeof(seconds), "%u", reply->retry_after_s);
    add_header(r, "Cache-Control", "no-store");
    add_header(r, "ETag", tag);
    add_header(r, "Set-Cookie", reply->cookie);
    add_header(r, "Retry-After", seconds);
    add_header(r, "Allow", allow);
    add_header(r, "Content-Disposition", name);
    add_header(r, "Link", reply->next);
    add_header(r, "WWW-Authenticate", reply->status == 401 ? "Bearer realm=\"davylamp\"" : NULL);
    return send_response(conn, reply->status, r);
}

static enum MHD_Result send_file(const lamp_http *h, struct MHD_Connection *conn, const char *path)
{
    const struct lamp_static_file *f =
        lamp_static_find(h->cfg.files, path, header(conn, "Accept-Encoding"));
    if (!f) {
        struct lamp_reply reply = { 0 };
        lamp_json_init(&reply.json, JSON_MAX);
        lamp_reply_error(&reply, 404, "not_found", NULL, "There is no such page.");
        const enum MHD_Result ok = send_reply(conn, &reply, NULL);
        lamp_json_done(&reply.json);
        return ok;
    }
    const char *known = header(conn, "If-None-Match");
    const bool same = known && strstr(known, f->etag);
    struct MHD_Response *r = MHD_create_response_from_buffer(
        same ? 0 : f->len, (void *)(uintptr_t)f->data, MHD_RESPMEM_PERSISTENT);
    if (!r)
        return MHD_NO;
    add_header(r, "ETag", f->etag);
    add_header(r, "Cache-Control",
               f->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    add_header(r, "Vary", f->varies ? "Accept-Encoding" : NULL);
    if (!same) {
        add_header(r, "Content-Type", f->type);
        add_header(r, "Content-Encoding", f->encoding);
    }
    return send_response(conn, same ? 304 : 200, r);
}

/* ---- requests ---- */

const char *lamp_request_header(const struct lamp_request *req, const char *name)
{
    return header(req->conn, name);
}

const char *lamp_request_query(const struct lamp_request *req, const char *name)
{
    return MHD_lookup_connection_value(req->conn, MHD_GET_ARGUMENT_KIND, name);
}

static void put_escaped(FILE *f, const char *s)
{
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if ((c | 32) >= 'a' && (c | 32) <= 'z')
            putc(c, f);
        else
            fprintf(f, (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ? "%c" : "%%%02X",
                    c);
    }
}

static enum MHD_Result put_parameter(void *arg, enum MHD_ValueKind kind, const char *key,
                                     const char *value)
{
    (void)kind;
    FILE *f = arg;
    if (streq(key, "after"))
        return MHD_YES;
    put_escaped(f, key);
    putc('=', f);
    put_escaped(f, value ? value : "");
    putc('&', f);
    return MHD_YES;
}

char *lamp_request_next(const struct lamp_request *req, int64_t after)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return NULL;
    fprintf(f, "<%s?", req->route->path);
    MHD_get_connection_values(req->conn, MHD_GET_ARGUMENT_KIND, put_parameter, f);
    fprintf(f, "after=%" PRId64 ">; rel=\"next\"", after);
    const bool whole = !ferror(f);
    if (fclose(f) == 0 && whole)
        return text;
    free(text);
    return NULL;
}

/* Whether the path is the route's; {id} stands for a positive number, and something may follow; {name}
 * for a text. */
static bool path_matches(const char *pattern, const char *path, struct lamp_request *req)
{
    const char *brace = strchr(pattern, '{');
    if (!brace)
        return streq(pattern, path);
    const size_t n = (size_t)(brace - pattern);
    if (strncmp(pattern, path, n) != 0)
        return false;
    if (strncmp(brace, "{name}", 6) == 0) {
        const size_t name_len = strcspn(path + n, "/");
        if (name_len == 0 || !streq(path + n + name_len, brace + 6))
            return false;
        req->name = path + n;
        if (brace[6] && name_len < sizeof(req->name_text)) {
            memcpy(req->name_text, path + n, name_len);
            req->name_text[name_len] = '\0';
            req->name = req->name_text;
        }
        return !brace[6] || req->name == req->name_text;
    }
    char number[24];
    const size_t len = strspn(path + n, "0123456789");
    if (len == 0 || len >= sizeof(number) ||
        !path_matches(brace + strlen("{id}"), path + n + len, req))
        return false;
    memcpy(number, path + n, len);
    number[len] = '\0';
    return lamp_text_int(number, 0, INT64_MAX, &req->id) == LAMP_OK;
}

/* The route of a request. NULL: no such path, or (allow is not empty) not this method. */
static const struct lamp_route *find_route(const lamp_http *h, const char *method, const char *path,
                                           struct lamp_request *req, char allow[64])
{
    const char *want = streq(method, "HEAD") ? "GET" : method;
    size_t n = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < h->cfg.n_routes; i++) {
        const struct lamp_route *r = &h->cfg.routes[i];
        if (!path_matches(r->path, path, req))
            continue;
        if (streq(r->method, want))
            return r;
        n += (size_t)snprintf(allow + n, 64 - n, "%s%s", n ? ", " : "", r->method);
        assert(n < 64);
    }
    return NULL;
}

struct query_check {
    const struct lamp_route *route;
    const char *bad;
    unsigned seen; /* bit i: route->query[i] was there */
};

static enum MHD_Result check_parameter(void *arg, enum MHD_ValueKind kind, const char *key,
                                       size_t key_len, const char *value, size_t value_len)
{
    (void)kind;
    struct query_check *c = arg;
    if (strlen(key) == key_len && (!value || strlen(value) == value_len)) {
        for (unsigned i = 0; i < LAMP_HTTP_QUERY_MAX && c->route->query[i]; i++) {
            if (streq(c->route->query[i], key) && !(c->seen & 1u << i)) {
                c->seen |= 1u << i;
                return MHD_YES;
            }
        }
    }
    c->bad = key;
    return MHD_NO;
}

/* A browser says where a request comes from; one from another site is refused. Programs that
 * are no browsers say nothing and carry no cookie of ours unasked. */
static bool is_same_origin(struct MHD_Connection *conn)
{
    const char *site = header(conn, "Sec-Fetch-Site");
    if (site && !streq(site, "same-origin") && !streq(site, "none"))
        return false;
    const char *origin = header(conn, "Origin"), *host = header(conn, "Host");
    if (!origin)
        return true;
    const char *authority = strstr(origin, "://");
    return authority && host && streq(authority + 3, host);
}

static bool has_type(struct MHD_Connection *conn, const char *want)
{
    const char *type = header(conn, "Content-Type");
    const size_t n = strlen(want);
    return type && strncasecmp(type, want, n) == 0 &&
           (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

/* What a browser sends to other sites without asking them first is none of these (Fetch, "CORS-safelisted
 * request-header"). */
static const char *type_of(const struct lamp_route *r)
{
    return r->flags & LAMP_ROUTE_PIECE ? "application/octet-stream" : "application/json";
}

static bool identify(const lamp_http *h, struct lamp_request *req)
{
    static const char scheme[] = "Bearer ";
    const char *authorization = header(req->conn, "Authorization");
    if (authorization)
        return strncasecmp(authorization, scheme, sizeof(scheme) - 1) == 0 &&
               lamp_auth_token(h->cfg.auth, authorization + sizeof(scheme) - 1, req->now_us,
                               &req->who) == LAMP_OK;
    const char *key = header(req->conn, "X-Api-Key"); /* as bouncers of CrowdSec have it */
    if (key)
        return lamp_auth_token(h->cfg.auth, key, req->now_us, &req->who) == LAMP_OK;
    const char *cookie =
        MHD_lookup_connection_value(req->conn, MHD_COOKIE_KIND, "davylamp_session");
    return cookie && lamp_auth_session(h->cfg.auth, cookie, req->now_us, &req->who) == LAMP_OK;
}

static bool is_unsafe(const struct lamp_route *r)
{
    return !streq(r->method, "GET");
}

/* Says what forbids the request; false then. */
static bool admit(const lamp_http *h, struct lamp_request *req, struct lamp_reply *reply)
{
    const struct lamp_route *r = req->route;
    if (is_unsafe(r) && !is_same_origin(req->conn)) {
        lamp_reply_error(reply, 403, "forbidden", NULL, "The request comes from another site.");
        return false;
    }
    const bool known = identify(h, req);
    if (!known && r->role != LAMP_ROLE_NONE) {
        lamp_reply_error(reply, 401, "unauthorized", NULL,
                         "Log in first, or send an API token that is known here.");
        return false;
    }
    if (req->who.role < r->role) {
        lamp_reply_error(reply, 403, "forbidden", NULL, "This needs the role %s, yours is %s.",
                         lamp_role_name(r->role), lamp_role_name(req->who.role));
        return false;
    }
    if (r->flags & LAMP_ROUTE_FLEET && *req->who.scope) {
        lamp_reply_error(reply, 403, "forbidden", NULL,
                         "This is about the whole fleet, and you may see some sites alone.");
        return false;
    }
    if (is_unsafe(r) && !has_type(req->conn, type_of(r))) {
        lamp_reply_error(reply, 400, "invalid", "Content-Type", "Send Content-Type: %s.",
                         type_of(r));
        return false;
    }
    struct query_check c = { .route = r };
    req->has_query =
        MHD_get_connection_values_n(req->conn, MHD_GET_ARGUMENT_KIND, check_parameter, &c) > 0;
    if (c.bad) {
        lamp_reply_error(reply, 400, "invalid", c.bad,
                         "This parameter is unknown here or was given twice.");
        return false;
    }
    return true;
}

/* The body as an object; NULL after saying what is wrong with it. */
static json_t *parse_body(const struct exchange *x, struct lamp_reply *reply)
{
    json_error_t e;
    json_t *body = json_loadb(x->body ? x->body : "", x->len, JSON_REJECT_DUPLICATES, &e);
    if (!body) {
        lamp_reply_error(reply, 400, "invalid", NULL, "Not JSON: line %d, column %d: %s.", e.line,
                         e.column, e.text);
    } else if (!json_is_object(body)) {
        lamp_reply_error(reply, 400, "invalid", NULL, "The body must be a JSON object.");
        json_decref(body);
        body = NULL;
    }
    return body;
}

static void address_of(struct MHD_Connection *conn, struct lamp_addr *out)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = info ? info->client_addr : NULL;
    *out = (struct lamp_addr){ 0 };
    if (sa && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        uint8_t v4[4];
        memcpy(v4, &in.sin_addr, sizeof(v4));
        *out = lamp_addr_from_v4(v4);
    } else if (sa && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        memcpy(out->b, &in6.sin6_addr, sizeof(out->b));
    }
}

static void dispatch(const lamp_http *h, struct lamp_request *req, const struct exchange *x,
                     struct lamp_reply *reply)
{
    if (!admit(h, req, reply))
        return;
    json_t *body = NULL;
    const unsigned takes = req->route->flags & (LAMP_ROUTE_BODY | LAMP_ROUTE_PIECE);
    if (x->no_room) {
        reply->retry_after_s = 1;
        lamp_reply_error(reply, 503, "unavailable", NULL, "Too many uploads at once: try again.");
        return;
    }
    if (takes && x->too_long) {
        lamp_reply_error(reply, 413, "invalid", NULL, "The body is longer than %zu bytes.", x->max);
        return;
    }
    req->piece = (struct lamp_bytes){ (const uint8_t *)x->body, x->len };
    if (takes & LAMP_ROUTE_BODY) {
        body = parse_body(x, reply);
        if (!body)
            return;
        req->body = body;
    }
    req->route->fn(h->cfg.app, req, reply);
    if (h->cfg.finish && req->has_query && reply->status == 200 && !reply->stream && !reply->text)
        h->cfg.finish(h->cfg.app, req, reply);
    json_decref(body);
}

static enum MHD_Result answer(lamp_http *h, struct MHD_Connection *conn, const char *path,
                              const char *method, const struct exchange *x)
{
    char allow[64] = "";
    struct lamp_request req = { .conn = conn, .now_us = lamp_clock_real_us() };
    if (streq(path, "/metrics")) /* where Prometheus looks unless told otherwise */
        path = "/api/v1/metrics";
    const bool is_api = strncmp(path, "/api/", 5) == 0 || streq(path, "/api");
    req.route = find_route(h, method, path, &req, allow);
    const bool reads = streq(method, "GET") || streq(method, "HEAD");
    if (!is_api && !req.route && reads) {
        enter_phase(h, conn, PHASE_ANSWER);
        return send_file(h, conn, path);
    }
    struct lamp_reply reply = { .status = 200 };
    lamp_json_init(&reply.json, JSON_MAX);
    address_of(conn, &req.from);
    if (req.route) {
        reply.tagged = reads;
        dispatch(h, &req, x, &reply);
    } else if (*allow || !is_api) {
        if (!is_api)
            snprintf(allow, sizeof(allow), "GET, HEAD");
        lamp_reply_error(&reply, 405, "method_not_allowed", NULL, "Use %s here.", allow);
    } else {
        lamp_reply_error(&reply, 404, "not_found", NULL, "The API has no such path.");
    }
    enter_phase(h, conn, reply.stream ? PHASE_STREAM : PHASE_ANSWER);
    const enum MHD_Result ok = send_reply(conn, &reply, allow);
    const unsigned status_class = reply.status / 100 - 1;
    atomic_fetch_add(&h->answers[status_class < LAMP_HTTP_CLASSES ? status_class : 4], 1);
    lamp_json_done(&reply.json);
    free(reply.next);
    return ok;
}

/* Whoever sends a piece of an upload is known before it is taken. Without room for it, it is dropped as it
 * comes and refused at its end: a connection that is closed while it sends would not hear why. */
static bool admit_piece(lamp_http *h, struct lamp_request *req, struct exchange *x,
                        struct lamp_reply *reply)
{
    if (!admit(h, req, reply))
        return false;
    pthread_mutex_lock(&h->lock);
    x->is_piece = h->pieces < PIECES_MAX;
    h->pieces += x->is_piece;
    pthread_mutex_unlock(&h->lock);
    x->no_room = !x->is_piece;
    return true;
}

/* What is wrong with a request, decided before its body is taken. Both length
 * headers at once is how requests are smuggled past proxies (RFC 9112 section 6.1). */
static enum MHD_Result refuse_early(lamp_http *h, struct MHD_Connection *conn, const char *path,
                                    const char *method, struct exchange *x, bool *refused)
{
    struct lamp_reply reply = { .status = 200 };
    struct lamp_request req = { .conn = conn, .now_us = lamp_clock_real_us() };
    char allow[64];
    req.route = find_route(h, method, path, &req, allow);
    const bool piece = req.route && req.route->flags & LAMP_ROUTE_PIECE;
    x->max = piece ? LAMP_HTTP_PIECE_MAX : LAMP_HTTP_BODY_MAX;
    address_of(conn, &req.from);
    const char *length = header(conn, "Content-Length");
    int64_t n = 0;
    *refused = true;
    lamp_json_init(&reply.json, JSON_MAX);
    if (length && header(conn, "Transfer-Encoding"))
        lamp_reply_error(&reply, 400, "invalid", "Transfer-Encoding",
                         "Send either Content-Length or Transfer-Encoding.");
    else if (length && lamp_text_int(length, 0, (int64_t)x->max, &n) == LAMP_ERANGE)
        lamp_reply_error(&reply, 413, "invalid", NULL, "The body is longer than %zu bytes.",
                         x->max);
    else
        *refused = piece && !admit_piece(h, &req, x, &reply);
    const enum MHD_Result ok = *refused ? send_reply(conn, &reply, NULL) : MHD_YES;
    lamp_json_done(&reply.json);
    return ok;
}

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *size)
{
    if (x->no_room || x->len + *size > x->max) {
        x->too_long = true;
    } else {
        if (x->len + *size > x->room) {
            const size_t room = lamp_min(2 * (x->len + *size), x->max);
            char *body = realloc(x->body, room);
            if (!body)
                return MHD_NO;
            x->body = body;
            x->room = room;
        }
        memcpy(x->body + x->len, data, *size);
        x->len += *size;
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **cls)
{
    (void)version;
    lamp_http *h = arg;
    if (!*cls) {
        bool refused;
        struct exchange *x = calloc(1, sizeof(*x));
        if (!x)
            return MHD_NO;
        const enum MHD_Result ok = refuse_early(h, conn, url, method, x, &refused);
        *cls = x; /* on_completed() frees it */
        if (!refused)
            enter_phase(h, conn, PHASE_BODY);
        return ok;
    }
    if (*size)
        return take_body(*cls, data, size);
    return answer(h, conn, url, method, *cls);
}

static void on_completed(void *arg, struct MHD_Connection *conn, void **cls,
                         enum MHD_RequestTerminationCode code)
{
    (void)code;
    lamp_http *h = arg;
    struct exchange *x = *cls;
    if (x && x->is_piece) {
        pthread_mutex_lock(&h->lock);
        h->pieces--;
        pthread_mutex_unlock(&h->lock);
    }
    if (x)
        free(x->body);
    free(x);
    *cls = NULL;
    enter_phase(h, conn, PHASE_HEADERS);
}

/* ---- start and stop ---- */

__attribute__((format(printf, 2, 0))) static void log_debug(void *arg, const char *fmt, va_list ap)
{
    (void)arg;
    char line[256];
    vsnprintf(line, sizeof(line), fmt, ap);
    line[strcspn(line, "\r\n")] = '\0';
    lamp_log_limited(LAMP_LOG_DEBUG, "http", "%s", line);
}

int lamp_http_start(const struct lamp_http_cfg *cfg, lamp_http **out, char why[LAMP_HTTP_WHY])
{
    assert(cfg && out && why && cfg->threads >= 1 && cfg->threads <= 16);
    lamp_http *h = calloc(1, sizeof(*h));
    if (!h) {
        snprintf(why, LAMP_HTTP_WHY, "out of memory");
        return LAMP_ENOMEM;
    }
    h->cfg = *cfg;
    pthread_mutex_init(&h->lock, NULL);
    int fd = -1;
    int err = lamp_http_listen(cfg->listen, cfg->plain_ok || cfg->certificate, &fd, &h->port, why,
                               LAMP_HTTP_WHY);
    if (err) {
        lamp_http_stop(h);
        return err;
    }
    const struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cfg->certificate },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)cfg->key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
        { MHD_OPTION_END, 0, NULL },
    };
    static const struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
    *out = h; /* before the first request, which may ask for it */
    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
            (cfg->certificate ? MHD_USE_TLS : 0),
        0, NULL, NULL, on_request, h, MHD_OPTION_ARRAY, cfg->certificate ? tls : none,
        MHD_OPTION_EXTERNAL_LOGGER, log_debug, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_THREAD_POOL_SIZE, cfg->threads, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)(cfg->behind_proxy ? CONNECTIONS_MAX : PER_ADDRESS_MAX),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
    if (!h->daemon) {
        snprintf(why, LAMP_HTTP_WHY, "the web server does not start on %.64s", cfg->listen);
        close(fd);
        *out = lamp_http_stop(h);
        return LAMP_EIO;
    }
    return LAMP_OK;
}

lamp_http *lamp_http_stop(lamp_http *h)
{
    if (!h)
        return NULL;
    if (h->daemon)
        MHD_stop_daemon(h->daemon); /* closes the listening socket */
    pthread_mutex_destroy(&h->lock);
    free(h);
    return NULL;
}

uint16_t lamp_http_port(const lamp_http *h)
{
    return h->port;
}

void lamp_http_counts(const lamp_http *h, uint64_t out[LAMP_HTTP_CLASSES])
{
    for (size_t i = 0; i < LAMP_HTTP_CLASSES; i++)
        out[i] = atomic_load(&h->answers[i]);
}
