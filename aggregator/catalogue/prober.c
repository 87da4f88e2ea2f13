/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/catalogue/prober.h"

#include "aggregator/catalogue/dialect.h"
#include "common/text.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

#define SECOND_US UINT64_C(1000000)

enum { ATTEMPTS = 3, WAYS = 8, BURST = 10 };

/* How one connection is made. */
struct mode {
    bool tls, http;
};

enum phase {
    FREE,
    NEXT, /* the next connection waits for its turn */
    CONNECTING,
    SHAKING, /* TLS */
    TALKING,
};

struct probe {
    enum phase phase;
    struct lamp_probe_target target;
    struct mode modes[ATTEMPTS];
    size_t n_modes, mode; /* mode: the one at hand */

    int fd;
    short events;
    gnutls_session_t tls;
    uint64_t began_us, until_us; /* of the connection; of what is waited for */

    const struct lamp_dialect *asked[LAMP_DIALECT_TRIES];
    size_t n_dialects, n_asked;
    char out[LAMP_DIALECT_REQUEST];
    size_t out_len, out_at;
    char in[LAMP_DIALECT_LINE + 1];
    size_t in_len, bytes; /* bytes: read of this connection */
    bool ended;           /* the server closed */

    struct lamp_pool_endpoint best; /* of all connections so far */
};

struct recent {
    struct lamp_addr addr;
    uint16_t port;
    uint64_t at_us; /* 0: free */
};

struct lamp_prober {
    struct lamp_prober_cfg cfg;
    gnutls_certificate_credentials_t credentials;
    struct lamp_prober_counters counters;
    double tokens;
    uint64_t tokens_us;
    struct recent *recent;
    struct probe *probes; /* LAMP_PROBES */
};

/* ---- limits ---- */

static bool take_token(lamp_prober *p, uint64_t mono_us)
{
    if (p->tokens_us && mono_us > p->tokens_us)
        p->tokens += (double)(mono_us - p->tokens_us) / 1e6 * p->cfg.rate;
    const double most = p->cfg.rate < BURST ? p->cfg.rate : BURST;
    p->tokens = p->tokens > most ? most : p->tokens;
    p->tokens_us = mono_us;
    if (p->tokens < 1)
        return false;
    p->tokens -= 1;
    return true;
}

/* A place for the destination. LAMP_EEXIST: it is there and fresh. LAMP_EAGAIN: no room. */
static int remember(lamp_prober *p, const struct lamp_probe_target *t, uint64_t mono_us,
                    struct recent **out)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < sizeof(t->addr.b); i++)
        h = (h ^ t->addr.b[i]) * 16777619u;
    h = (h ^ t->port) * 16777619u;
    struct recent *set = &p->recent[(h ^ h >> 15) % (LAMP_PROBE_RECENT / WAYS) * WAYS];
    struct recent *place = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        const bool fresh = set[i].at_us && set[i].at_us + LAMP_PROBE_AGAIN_US > mono_us;
        if (fresh && set[i].port == t->port && lamp_addr_eq(&set[i].addr, &t->addr))
            return LAMP_EEXIST;
        if (!fresh)
            place = &set[i];
    }
    *out = place;
    return place ? LAMP_OK : LAMP_EAGAIN;
}

/* ---- the end of a connection, and of a probe ---- */

static void set_reason(struct probe *b, enum lamp_pool_state state, const char *reason)
{
    /* The likeliest way came first: its words stay unless a later one found more. */
    static const int rank[] = { 0, 3, 2, 1 };
    if (b->best.state != LAMP_POOL_UNKNOWN && rank[state] <= rank[b->best.state])
        return;
    b->best.state = state;
    b->best.tls = b->modes[b->mode].tls;
    snprintf(b->best.reason, sizeof(b->best.reason), "%s", reason);
}

static void hang_up(struct probe *b)
{
    if (b->tls) {
        (void)gnutls_bye(b->tls, GNUTLS_SHUT_WR);
        gnutls_deinit(b->tls);
        b->tls = NULL;
    }
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

static void finish(lamp_prober *p, struct probe *b)
{
    hang_up(b);
    p->counters.up += b->best.state == LAMP_POOL_UP;
    p->counters.listen += b->best.state == LAMP_POOL_LISTEN;
    p->counters.down += b->best.state == LAMP_POOL_DOWN;
    b->phase = FREE;
    p->cfg.found(&b->target, &b->best, p->cfg.arg);
}

/* The connection said what it had to say. Another way is tried unless this one found a pool, or there is
 * nobody to talk to. */
static void end_attempt(lamp_prober *p, struct probe *b)
{
    hang_up(b);
    if (b->best.state == LAMP_POOL_UP || b->best.state == LAMP_POOL_DOWN ||
        b->mode + 1 >= b->n_modes) {
        finish(p, b);
        return;
    }
    b->mode++;
    b->phase = NEXT;
}

static void fail(lamp_prober *p, struct probe *b, enum lamp_pool_state state, const char *reason)
{
    set_reason(b, state, reason);
    end_attempt(p, b);
}

/* ---- talking ---- */

static ssize_t put(struct probe *b, const char *data, size_t len)
{
    if (!b->tls)
        return send(b->fd, data, len, MSG_NOSIGNAL);
    const ssize_t n = gnutls_record_send(b->tls, data, len);
    if (n >= 0)
        return n;
    errno = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? EAGAIN : EPIPE;
    return -1;
}

static ssize_t get(struct probe *b, char *data, size_t len)
{
    if (!b->tls)
        return recv(b->fd, data, len, 0);
    const ssize_t n = gnutls_record_recv(b->tls, data, len);
    if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
        errno = EAGAIN;
        return -1;
    }
    return n < 0 ? 0 : n; /* an error of TLS is an end */
}

static void ask_next(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    char addr[LAMP_ADDR_STRLEN];
    const char *host = *b->target.name ? b->target.name : lamp_addr_str(&b->target.addr, addr);
    b->out_len = lamp_dialect_request(b->asked[b->n_asked], (unsigned)b->n_asked + 1, host,
                                      b->target.port, b->out);
    b->out_at = 0;
    b->n_asked++;
    b->events = POLLIN | POLLOUT;
    b->until_us = mono_us + p->cfg.answer_us;
}

static void start_talking(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    const struct mode *m = &b->modes[b->mode];
    b->phase = TALKING;
    b->events = POLLIN;
    b->n_dialects = lamp_dialects_for(b->target.protocol, m->http, b->asked);
    b->n_asked = 0;
    if (m->http)
        b->n_dialects = 1; /* a connection a request; another would be another probe */
    if (m->http || *b->target.protocol)
        ask_next(p, b, mono_us);
    else
        b->until_us = mono_us + p->cfg.hush_us; /* some servers speak first */
}

/* Takes in what a line or body says. Returns whether it is a pool's. */
static bool take_words(lamp_prober *p, struct probe *b, const char *text, size_t len,
                       uint64_t mono_us)
{
    struct lamp_dialect_reply r;
    lamp_dialect_read(b->asked, b->n_asked, text, len, &r);
    if (*r.banner && !*b->best.banner)
        lamp_text_utf8((const uint8_t *)r.banner, strlen(r.banner), b->best.banner,
                       sizeof(b->best.banner));
    if (r.kind == LAMP_REPLY_JSON && b->best.state != LAMP_POOL_UP) {
        char reason[LAMP_POOL_REASON];
        snprintf(reason, sizeof(reason), "it speaks JSON, but says nothing of mining%s%.100s",
                 *r.said ? ": " : "", r.said);
        set_reason(b, LAMP_POOL_LISTEN, reason);
    }
    if (r.kind != LAMP_REPLY_MINING)
        return false;
    const bool first = b->best.state != LAMP_POOL_UP;
    set_reason(b, LAMP_POOL_UP, r.said);
    if (first)
        b->until_us = mono_us + p->cfg.more_us;
    /* An answer tells the family better than what any server may push. */
    if (first || strncmp(r.said, "it sent", 7) != 0)
        snprintf(b->best.family, sizeof(b->best.family), "%s", r.family);
    if (r.difficulty > 0 && b->best.difficulty <= 0)
        b->best.difficulty = r.difficulty;
    return true;
}

static const char *header(const char *head, const char *name, char *buf, size_t size)
{
    const char *at = strcasestr(head, name);
    *buf = '\0';
    if (at) {
        at += strlen(name);
        at += strspn(at, " ");
        lamp_text_utf8((const uint8_t *)at, lamp_min(strcspn(at, "\r\n"), size - 1), buf, size);
    }
    return buf;
}

/* The answer of a web server, once it ended or is long enough. */
static void read_http(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    char reason[LAMP_POOL_REASON], server[LAMP_POOL_BANNER], realm[80];
    b->in[b->in_len] = '\0';
    const int status = b->in_len > 12 ? (int)strtol(b->in + 9, NULL, 10) : 0;
    const char *body = strchr(b->in, '{');
    const char *end = body ? strrchr(body, '}') : NULL;
    header(b->in, "\nServer:", server, sizeof(server));
    header(b->in, "\nWWW-Authenticate:", realm, sizeof(realm));
    if (*server && !*b->best.banner)
        memcpy(b->best.banner, server, sizeof(server));
    if (end && b->n_asked && take_words(p, b, body, (size_t)(end - body) + 1, mono_us))
        return;
    if (status == 401 && strcasestr(realm, "jsonrpc"))
        snprintf(reason, sizeof(reason), "a node's RPC that asks for a password");
    else if (status >= 300 && status < 400)
        snprintf(reason, sizeof(reason), "a web server that redirects (%d), which is not followed",
                 status);
    else
        snprintf(reason, sizeof(reason), "a web server (%d), no mining", status);
    set_reason(b, LAMP_POOL_LISTEN, reason);
}

static bool is_http(const struct probe *b)
{
    return b->in_len >= 7 && memcmp(b->in, "HTTP/1.", 7) == 0;
}

static void take_lines(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    size_t from = 0;
    for (;;) {
        const char *nl = memchr(b->in + from, '\n', b->in_len - from);
        /* Some servers send no newline: what ended, or reads as JSON, is a line too. */
        const size_t len = nl ? (size_t)(nl - (b->in + from)) : b->in_len - from;
        if (len > 0) {
            const bool known = take_words(p, b, b->in + from, len, mono_us);
            if (!nl && !known)
                break;
        }
        if (!nl) {
            from = b->in_len;
            break;
        }
        from += len + 1;
    }
    memmove(b->in, b->in + from, b->in_len - from);
    b->in_len -= from;
}

/* What a connection that is over was like. */
static void conclude(lamp_prober *p, struct probe *b, const char *how, uint64_t mono_us)
{
    char reason[LAMP_POOL_REASON];
    if (b->modes[b->mode].http || is_http(b)) {
        if (is_http(b))
            read_http(p, b, mono_us);
        else if (b->bytes == 0)
            set_reason(b, LAMP_POOL_LISTEN, "it takes connections and does not answer over HTTP");
    }
    if (b->bytes == 0)
        snprintf(reason, sizeof(reason), "it takes connections%s and says nothing (%s)",
                 b->modes[b->mode].tls ? " over TLS" : "", how);
    else
        snprintf(reason, sizeof(reason), "it answers%s, but not as a pool (%zu bytes, %s)",
                 b->modes[b->mode].tls ? " over TLS" : "", b->bytes, how);
    set_reason(b, LAMP_POOL_LISTEN, reason);
    end_attempt(p, b);
}

/* Reads what there is. Returns false when the connection is over. */
static bool read_some(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    for (;;) {
        const size_t room = LAMP_DIALECT_LINE - b->in_len;
        if (room == 0 || b->bytes >= LAMP_PROBE_BYTES) {
            conclude(p, b, "more than a pool would send", mono_us);
            return false;
        }
        const ssize_t n = get(b, b->in + b->in_len, lamp_min(room, LAMP_PROBE_BYTES - b->bytes));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0) {
            conclude(p, b, "closed by it", mono_us);
            return false;
        }
        b->in_len += (size_t)n;
        b->bytes += (size_t)n;
        if (!b->modes[b->mode].http && !is_http(b))
            take_lines(p, b, mono_us);
    }
}

static void talk(lamp_prober *p, struct probe *b, short revents, uint64_t mono_us)
{
    if (b->out_at < b->out_len && revents & POLLOUT) {
        const ssize_t n = put(b, b->out + b->out_at, b->out_len - b->out_at);
        if (n > 0)
            b->out_at += (size_t)n;
        else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            conclude(p, b, "closed by it", mono_us);
            return;
        }
        if (b->out_at == b->out_len)
            b->events = POLLIN;
    }
    const bool had = revents & (POLLIN | POLLHUP | POLLERR);
    const bool buffered = b->tls && gnutls_record_check_pending(b->tls) > 0;
    if ((had || buffered) && !read_some(p, b, mono_us))
        return;
    const bool settled = b->best.state == LAMP_POOL_UP;
    if (settled && b->best.difficulty > 0)
        end_attempt(p, b);
}

/* Nothing came in time. */
static void time_is_up(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    if (b->phase == CONNECTING)
        fail(p, b, LAMP_POOL_DOWN, "it does not answer: no connection in time");
    else if (b->phase == SHAKING)
        fail(p, b, LAMP_POOL_LISTEN, "it takes connections and says nothing (no TLS in time)");
    else if (b->best.state == LAMP_POOL_UP)
        end_attempt(p, b);
    else if (b->n_asked < b->n_dialects && mono_us < b->began_us + LAMP_PROBE_ATTEMPT_US &&
             !is_http(b))
        ask_next(p, b, mono_us);
    else
        conclude(p, b, "no answer in time", mono_us);
}

/* ---- connecting ---- */

static void note_certificate(struct probe *b)
{
    unsigned n = 0;
    char name[256] = "";
    size_t size = sizeof(name) - 1;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(b->tls, &n);
    gnutls_x509_crt_t crt;
    if (!chain || n == 0 || gnutls_x509_crt_init(&crt) < 0)
        return;
    if (gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) >= 0) {
        if (gnutls_x509_crt_get_subject_alt_name(crt, 0, name, &size, NULL) < 0) {
            size = sizeof(name) - 1;
            if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) <
                0)
                size = 0;
        }
        lamp_text_utf8((const uint8_t *)name, size, b->best.certificate,
                       sizeof(b->best.certificate));
    }
    gnutls_x509_crt_deinit(crt);
}

static void shake(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    const int rc = gnutls_handshake(b->tls);
    if (rc == GNUTLS_E_SUCCESS) {
        note_certificate(b);
        start_talking(p, b, mono_us);
    } else if (gnutls_error_is_fatal(rc)) {
        char reason[LAMP_POOL_REASON];
        snprintf(reason, sizeof(reason), "it takes connections, but no TLS (%.100s)",
                 gnutls_strerror(rc));
        fail(p, b, LAMP_POOL_LISTEN, reason);
    } else {
        b->events = gnutls_record_get_direction(b->tls) ? POLLOUT : POLLIN;
    }
}

static bool open_tls(lamp_prober *p, struct probe *b)
{
    struct lamp_addr literal;
    if (gnutls_init(&b->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
        b->tls = NULL;
        return false;
    }
    const bool named = *b->target.name && lamp_addr_parse(b->target.name, &literal) != LAMP_OK;
    if (gnutls_set_default_priority(b->tls) < 0 ||
        gnutls_credentials_set(b->tls, GNUTLS_CRD_CERTIFICATE, p->credentials) < 0 ||
        (named && gnutls_server_name_set(b->tls, GNUTLS_NAME_DNS, b->target.name,
                                         strlen(b->target.name)) < 0))
        return false;
    gnutls_transport_set_int(b->tls, b->fd);
    return true;
}

static void connected(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    int err = 0;
    socklen_t len = sizeof(err);
    if (getsockopt(b->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err) {
        char reason[LAMP_POOL_REASON];
        snprintf(reason, sizeof(reason), "no connection: %.100s", lamp_strerror(-err));
        fail(p, b, LAMP_POOL_DOWN, reason);
        return;
    }
    if (!b->best.latency_us)
        b->best.latency_us = (uint32_t)lamp_min(mono_us - b->began_us, UINT32_MAX);
    if (!b->modes[b->mode].tls) {
        start_talking(p, b, mono_us);
        return;
    }
    b->phase = SHAKING;
    b->until_us = mono_us + p->cfg.answer_us;
    if (!open_tls(p, b))
        fail(p, b, LAMP_POOL_LISTEN, "TLS cannot be used here");
    else
        shake(p, b, mono_us);
}

static int dial(const struct probe *b)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(b->target.port) };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(b->target.port) };
    memcpy(&six.sin6_addr, b->target.addr.b, 16);
    memcpy(&four.sin_addr, b->target.addr.b + 12, 4);
    const bool v4 = lamp_addr_is_v4(&b->target.addr);
    const int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    const int rc = v4 ? connect(fd, (const struct sockaddr *)&four, sizeof(four))
                      : connect(fd, (const struct sockaddr *)&six, sizeof(six));
    if (rc == 0 || errno == EINPROGRESS)
        return fd;
    const int err = -errno;
    close(fd);
    return err;
}

/* Opens the connection of the mode at hand, when there is a token for it. */
static void begin_attempt(lamp_prober *p, struct probe *b, uint64_t mono_us)
{
    char reason[LAMP_POOL_REASON];
    const char *why = p->cfg.refuse(&b->target.addr, p->cfg.arg);
    if (why) {
        p->counters.refused++;
        finish(p, b);
        return;
    }
    if (!take_token(p, mono_us))
        return;
    b->phase = CONNECTING;
    b->began_us = mono_us;
    b->until_us = mono_us + p->cfg.connect_us;
    b->events = POLLOUT;
    b->in_len = b->bytes = b->out_len = b->out_at = 0;
    p->counters.connections++;
    b->fd = dial(b);
    if (b->fd < 0) {
        snprintf(reason, sizeof(reason), "no connection: %.100s", lamp_strerror(b->fd));
        b->fd = -1;
        fail(p, b, LAMP_POOL_DOWN, reason);
    }
}

/* The ways to try, likeliest first. */
static void plan(struct probe *b)
{
    const bool http = lamp_dialect_is_http(b->target.protocol);
    const bool tls_first = b->target.tls == LAMP_POOL_TLS_YES;
    b->modes[0] = (struct mode){ tls_first, http };
    b->modes[1] = (struct mode){ !tls_first, http };
    b->n_modes = 2;
    if (!*b->target.protocol) {
        b->modes[2] = (struct mode){ tls_first, true };
        b->n_modes = 3;
    }
}

/* ---- the interface ---- */

int lamp_prober_new(const struct lamp_prober_cfg *cfg, lamp_prober **out)
{
    if (!cfg->found || !cfg->refuse || cfg->rate == 0 || cfg->rate > LAMP_PROBE_RATE_MAX)
        return LAMP_EINVAL;
    lamp_prober *p = calloc(1, sizeof(*p));
    if (!p)
        return LAMP_ENOMEM;
    p->cfg = *cfg;
    p->cfg.connect_us = cfg->connect_us ? cfg->connect_us : 5 * SECOND_US;
    p->cfg.hush_us = cfg->hush_us ? cfg->hush_us : 2 * SECOND_US;
    p->cfg.answer_us = cfg->answer_us ? cfg->answer_us : 4 * SECOND_US;
    p->cfg.more_us = cfg->more_us ? cfg->more_us : 3 * SECOND_US / 2;
    p->tokens = 1;
    p->recent = calloc(LAMP_PROBE_RECENT, sizeof(*p->recent));
    p->probes = calloc(LAMP_PROBES, sizeof(*p->probes));
    if (!p->recent || !p->probes || gnutls_certificate_allocate_credentials(&p->credentials) < 0) {
        lamp_prober_free(p);
        return LAMP_ENOMEM;
    }
    *out = p;
    return LAMP_OK;
}

lamp_prober *lamp_prober_free(lamp_prober *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; p->probes && i < LAMP_PROBES; i++)
        if (p->probes[i].phase != FREE)
            hang_up(&p->probes[i]);
    if (p->credentials)
        gnutls_certificate_free_credentials(p->credentials);
    free(p->recent);
    free(p->probes);
    free(p);
    return NULL;
}

int lamp_prober_start(lamp_prober *p, const struct lamp_probe_target *t, uint64_t mono_us,
                      const char **why)
{
    struct probe *b = NULL;
    struct recent *place = NULL;
    *why = p->cfg.refuse(&t->addr, p->cfg.arg);
    if (!*why && t->port == 0)
        *why = "no port";
    if (*why) {
        p->counters.refused++;
        return LAMP_EPROTECTED;
    }
    for (size_t i = 0; i < LAMP_PROBES && !b; i++)
        if (p->probes[i].phase == FREE)
            b = &p->probes[i];
    if (!b)
        return LAMP_EAGAIN;
    const int err = remember(p, t, mono_us, &place);
    p->counters.too_soon += err == LAMP_EEXIST;
    p->counters.crowded += err == LAMP_EAGAIN;
    if (err)
        return err;
    *place = (struct recent){ t->addr, t->port, mono_us ? mono_us : 1 };
    *b = (struct probe){ .phase = NEXT, .target = *t, .fd = -1 };
    b->best.addr = t->addr;
    b->best.port = t->port;
    plan(b);
    p->counters.started++;
    begin_attempt(p, b, mono_us);
    return LAMP_OK;
}

size_t lamp_prober_fds(lamp_prober *p, struct pollfd fds[LAMP_PROBES], uint64_t *out_due_us)
{
    size_t n = 0;
    *out_due_us = UINT64_MAX;
    for (size_t i = 0; i < LAMP_PROBES; i++) {
        const struct probe *b = &p->probes[i];
        if (b->phase == FREE)
            continue;
        const uint64_t due_us =
            b->phase == NEXT ? p->tokens_us + SECOND_US / p->cfg.rate : b->until_us;
        *out_due_us = due_us < *out_due_us ? due_us : *out_due_us;
        if (b->phase != NEXT)
            fds[n++] = (struct pollfd){ .fd = b->fd, .events = b->events };
    }
    return n;
}

static void go_on(lamp_prober *p, struct probe *b, short revents, uint64_t mono_us)
{
    if (b->phase == NEXT)
        begin_attempt(p, b, mono_us);
    else if (revents && b->phase == CONNECTING)
        connected(p, b, mono_us);
    else if (revents && b->phase == SHAKING)
        shake(p, b, mono_us);
    else if (revents)
        talk(p, b, revents, mono_us);
    if (b->phase != FREE && b->phase != NEXT && mono_us >= b->until_us)
        time_is_up(p, b, mono_us);
    /* Slow words keep nobody: a connection has its time, whatever comes. */
    if (b->phase == TALKING && mono_us >= b->began_us + LAMP_PROBE_ATTEMPT_US)
        conclude(p, b, "too slow", mono_us);
}

void lamp_prober_run(lamp_prober *p, const struct pollfd *fds, size_t n, uint64_t mono_us)
{
    size_t k = 0;
    for (size_t i = 0; i < LAMP_PROBES; i++) {
        struct probe *b = &p->probes[i];
        if (b->phase == FREE)
            continue;
        const bool polled = b->phase != NEXT && k < n && fds[k].fd == b->fd;
        const short revents = polled ? fds[k].revents : 0;
        k += polled;
        go_on(p, b, revents, mono_us);
    }
}

struct lamp_prober_counters lamp_prober_counters(const lamp_prober *p)
{
    return p->counters;
}

size_t lamp_prober_busy(const lamp_prober *p)
{
    size_t n = 0;
    for (size_t i = 0; i < LAMP_PROBES; i++)
        n += p->probes[i].phase != FREE;
    return n;
}
