/* SPDX-License-Identifier: Apache-2.0 */
/* http: the web server: libmicrohttpd with a small pool of epoll threads. It limits, parses and
 * answers; what is said is the caller's (routes, dashboard files). Loopback addresses are
 * served as they are; any other address needs the caller's word that plain HTTP is meant.
 *
 * Limits: 1536 connections, 128 of one address unless a proxy stands in front, bodies of 64 KiB (pieces of uploads: 1 MiB, eight at
 * a time, from whoever may upload), 16 KiB of headers, 15 s from
 * connecting (or from the last answer) to the end of the headers, 30 s for a whole request
 * (event streams excepted). */
#pragma once

#include "aggregator/http/auth.h"
#include "aggregator/http/static.h"
#include "common/json.h"

#include <jansson.h>

typedef struct lamp_http lamp_http;
struct MHD_Connection;

enum {
    LAMP_HTTP_BODY_MAX = 64 * 1024,
    LAMP_HTTP_PIECE_MAX = 1024 * 1024,
    LAMP_HTTP_QUERY_MAX = 10, /* parameters a route may name */
    LAMP_HTTP_WHY = 256,
    LAMP_HTTP_CLASSES = 5, /* of status: 1xx to 5xx */
};

/* What a handler learns of a request; all borrowed for the call. */
struct lamp_request {
    struct MHD_Connection *conn;
    const struct lamp_route *route;
    int64_t id;               /* the {id} of the path */
    const char *name;         /* the {name} of the path */
    char name_text[65];       /* where name is, if something follows it in the path */
    const json_t *body;       /* an object; NULL unless the route takes a body */
    struct lamp_bytes piece;  /* of a route that takes bytes */
    struct lamp_identity who; /* role NONE: nobody logged in */
    struct lamp_addr from;
    uint64_t now_us;
    bool has_query;
};

/* What a handler answers: the body in json, or error(), or a stream. */
struct lamp_reply {
    unsigned status; /* preset to 200 */
    struct lamp_json json;
    const char *type;            /* of the body; NULL: application/json */
    char *text;                  /* the body, of malloc(), taken; NULL: it is in json */
    char cookie[160];            /* Set-Cookie; "" none */
    unsigned retry_after_s;      /* 0: not said */
    struct MHD_Response *stream; /* taken; instead of json */
    const char *save_as;         /* the file a browser makes of it; NULL: it shows it */
    char *next;                  /* of malloc(), taken: the next page, by its path (RFC 8288) */
    bool tagged;                 /* a 200 gets an ETag, or is 304 to whoever has it already */
};

typedef void lamp_route_fn(void *app, const struct lamp_request *req, struct lamp_reply *reply);

enum lamp_route_flag {
    LAMP_ROUTE_BODY = 1 << 0,  /* takes a JSON object */
    LAMP_ROUTE_PIECE = 1 << 2, /* takes bytes as they are (application/octet-stream) */
    LAMP_ROUTE_FLEET = 1 << 1, /* about more than sites: refused to whoever may see only some */
};

struct lamp_route {
    const char *method;                     /* "GET" */
    const char *path;                       /* "/api/v1/miners/{id}", "/api/v1/users/{name}/x" */
    enum lamp_role role;                    /* the least that may call it */
    unsigned flags;                         /* of enum lamp_route_flag */
    const char *query[LAMP_HTTP_QUERY_MAX]; /* parameters it understands; others are refused */
    lamp_route_fn *fn;
};

/* What a handler has answered with 200 and JSON may be made into something else. */
typedef void lamp_finish_fn(void *app, const struct lamp_request *req, struct lamp_reply *reply);

struct lamp_http_cfg {
    const char *listen;              /* "127.0.0.1:8080", "[::1]:8080"; port 0: any free one */
    bool plain_ok;                   /* serve plain HTTP on an address that is not loopback */
    bool behind_proxy;               /* all come from one address: a TLS proxy's */
    const char *certificate, *key;   /* PEM, to serve TLS; NULL: plain HTTP */
    unsigned threads;                /* 1 to 16 */
    const struct lamp_route *routes; /* borrowed while the server runs, as all below */
    size_t n_routes;
    void *app;              /* given to the handlers */
    lamp_finish_fn *finish; /* of calls that have a query; may be NULL */
    lamp_auth *auth;
    const lamp_static *files;
};

/* Starts serving. LAMP_EINVAL: the listen address makes no sense, or plain HTTP would leave the
 * machine. LAMP_EIO: the port cannot be had. `why` says it in a sentence. LAMP_ENOMEM. */
LAMP_CHECK int lamp_http_start(const struct lamp_http_cfg *cfg, lamp_http **out,
                               char why[LAMP_HTTP_WHY]);

/* Stops taking connections; streams must have been ended before (see stream.h). */
lamp_http *lamp_http_stop(lamp_http *h);

/* The port served. */
uint16_t lamp_http_port(const lamp_http *h);

/* Answers given since the start, by class of status. */
void lamp_http_counts(const lamp_http *h, uint64_t out[LAMP_HTTP_CLASSES]);

/* Cuts connections that are past their time; called about once a second. */
void lamp_http_tick(lamp_http *h, uint64_t mono_us);

/* Turns a reply into an error: {"error":{"code","message","field"}}; field NULL: none. */
void lamp_reply_error(struct lamp_reply *reply, unsigned status, const char *code,
                      const char *field, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* A query parameter or a header; NULL where it was not sent. */
const char *lamp_request_query(const struct lamp_request *req, const char *name);
/* The path and query of the same request for the rows behind number `after`; of malloc(). NULL: no memory. */
char *lamp_request_next(const struct lamp_request *req, int64_t after);

const char *lamp_request_header(const struct lamp_request *req, const char *name);
