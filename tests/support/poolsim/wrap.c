/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/poolsim/wrap.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* The example of RFC 6455 section 1.3: a key and the answer to it. */
#define WS_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZbRK+xOo="

static const char *const names[] = { "none",   "http",         "websocket",      "socks4a",
                                     "socks5", "http-connect", "proxy-protocol", "sv2" };

int sim_wrap_parse(const char *name, enum sim_wrap_kind *out)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (streq(names[i], name)) {
            *out = (enum sim_wrap_kind)i;
            return LAMP_OK;
        }
    }
    return LAMP_ENOENT;
}

enum sim_wrap_kind sim_wrap_of(const char *family)
{
    static const char *const http[] = { "getwork", "getblocktemplate", "eth-getwork",
                                        "monero-rpc" };
    for (size_t i = 0; i < ARRAY_LEN(http); i++)
        if (streq(http[i], family))
            return SIM_WRAP_HTTP;
    return streq(family, "websocket-miner") ? SIM_WRAP_WEBSOCKET
           : streq(family, "stratum-v2")    ? SIM_WRAP_SV2
                                            : SIM_WRAP_NONE;
}

/* ---- bytes ---- */

static void fill(struct sim_wrap *w, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (uint8_t)(lamp_rng_u64(&w->rng) >> 56);
}

static void put(struct sim_raw *r, const void *data, size_t len)
{
    if (len > sizeof(r->buf) - r->len)
        return; /* the other end will miss it and say so */
    memcpy(r->buf + r->len, data, len);
    r->len += len;
}

__attribute__((format(printf, 2, 3))) static void put_text(struct sim_raw *r, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n < sizeof(text))
        put(r, text, (size_t)n);
}

static void take(struct sim_raw *r, size_t n)
{
    r->len -= n;
    memmove(r->buf, r->buf + n, r->len);
}

/* A line for the session; false: there is no room. */
static bool give(struct sim_lines *l, const char *text, size_t len)
{
    memmove(l->buf, l->buf + l->used, l->len - l->used);
    l->len -= l->used;
    l->used = 0;
    if (len + 1 > sizeof(l->buf) - l->len)
        return false;
    memcpy(l->buf + l->len, text, len);
    l->buf[l->len + len] = '\n';
    l->len += len + 1;
    return true;
}

/* Length of the head up to its empty line; 0: more has to come. */
static size_t head_len(const struct sim_raw *r)
{
    const char *end = memmem(r->buf, r->len, "\r\n\r\n", 4);
    return end ? (size_t)(end - r->buf) + 4 : 0;
}

/* ---- openings ---- */

/* What each side says before the lines; in turns, the miner first. */
static void say_miner(struct sim_wrap *w)
{
    const uint8_t port[2] = { (uint8_t)(w->port >> 8), (uint8_t)w->port };
    struct sim_raw *o = &w->out;
    if (w->kind == SIM_WRAP_SOCKS4A) {
        put(o, "\x04\x01", 2);
        put(o, port, 2);
        put(o, "\0\0\0\x01miner", 10); /* with its NUL */
        put(o, w->host, strlen(w->host) + 1);
    } else if (w->kind == SIM_WRAP_SOCKS5 && w->stage == 0) {
        put(o, "\x05\x01\0", 3);
    } else if (w->kind == SIM_WRAP_SOCKS5) {
        const uint8_t len = (uint8_t)strlen(w->host);
        put(o, "\x05\x01\0\x03", 4);
        put(o, &len, 1);
        put(o, w->host, len);
        put(o, port, 2);
    } else if (w->kind == SIM_WRAP_CONNECT) {
        put_text(o, "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", w->host, w->port, w->host,
                 w->port);
    } else if (w->kind == SIM_WRAP_WEBSOCKET) {
        put_text(o,
                 "GET /proxy HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: " WS_KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n",
                 w->host);
    } else if (w->kind == SIM_WRAP_PROXY) {
        put_text(o, "PROXY TCP4 192.0.2.10 192.0.2.20 40000 %u\r\n", w->port);
    } else if (w->kind == SIM_WRAP_SV2) {
        uint8_t key[64];
        fill(w, key, sizeof(key));
        put(o, key, sizeof(key));
    }
}

static void say_pool(struct sim_wrap *w)
{
    struct sim_raw *o = &w->out;
    uint8_t act2[234];
    switch (w->kind) {
    case SIM_WRAP_SOCKS4A:
        put(o, "\0\x5a\0\0\0\0\0\0", 8);
        break;
    case SIM_WRAP_SOCKS5:
        if (w->stage == 0)
            put(o, "\x05\0", 2);
        else
            put(o, "\x05\0\0\x01\0\0\0\0\0\0", 10);
        break;
    case SIM_WRAP_CONNECT:
        put_text(o, "HTTP/1.1 200 Connection established\r\n\r\n");
        break;
    case SIM_WRAP_WEBSOCKET:
        put_text(o, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Accept: " WS_ACCEPT "\r\n\r\n");
        break;
    case SIM_WRAP_SV2:
        fill(w, act2, sizeof(act2));
        put(o, act2, sizeof(act2));
        break;
    default:
        break;
    }
}

/* How many bytes the other side's turn takes; 0: more has to come. */
static size_t turn_len(const struct sim_wrap *w)
{
    const struct sim_raw *r = &w->in;
    const char *end;
    size_t n;
    switch (w->kind) {
    case SIM_WRAP_SOCKS4A: /* the host follows the user's NUL */
        end = r->len > 8 ? memchr(r->buf + 8, '\0', r->len - 8) : NULL;
        end = end ? memchr(end + 1, '\0', r->len - (size_t)(end + 1 - r->buf)) : NULL;
        n = !w->is_pool ? 8 : end ? (size_t)(end + 1 - r->buf) : 0;
        break;
    case SIM_WRAP_SOCKS5:
        n = !w->is_pool     ? (w->stage == 0 ? 2 : 10)
            : w->stage == 0 ? 3
            : r->len > 4    ? 7 + (size_t)(uint8_t)r->buf[4]
                            : 0;
        break;
    case SIM_WRAP_PROXY:
        end = memchr(r->buf, '\n', r->len);
        n = end ? (size_t)(end + 1 - r->buf) : 0;
        break;
    case SIM_WRAP_SV2:
        n = w->is_pool ? 64 : 234;
        break;
    default:
        n = head_len(r);
    }
    return n <= r->len ? n : 0;
}

static unsigned turns(const struct sim_wrap *w)
{
    return w->kind == SIM_WRAP_SOCKS5 ? 2 : 1;
}

void sim_wrap_begin(struct sim_wrap *w)
{
    say_miner(w);
    w->open = w->kind == SIM_WRAP_NONE || w->kind == SIM_WRAP_HTTP || w->kind == SIM_WRAP_PROXY;
}

/* The other side's turns, and our answers to them. */
static void take_turns(struct sim_wrap *w)
{
    if (w->is_pool && (w->kind == SIM_WRAP_NONE || w->kind == SIM_WRAP_HTTP))
        w->open = true;
    size_t n;
    while (!w->open && (n = turn_len(w)) > 0) {
        take(&w->in, n);
        if (w->is_pool)
            say_pool(w);
        w->open = ++w->stage == turns(w);
        if (!w->is_pool && !w->open)
            say_miner(w);
    }
}

/* ---- Stratum V2 ---- */

/* Messages by what the lines call them, and their length on the wire: 22 bytes of header, payload and 16
 * of authentication. The first byte says which it is; it looks as random as the others. */
static const struct {
    const char *method;
    uint16_t len;
} messages[] = {
    { "setup", 158 }, { "setup.success", 44 }, { "open", 104 },          { "open.success", 113 },
    { "job", 83 },    { "submit", 62 },        { "submit.success", 58 }, { "target", 74 },
};

static void sv2_out(struct sim_wrap *w, const char *line, size_t len)
{
    uint8_t frame[256];
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        char quoted[40];
        const int n = snprintf(quoted, sizeof(quoted), "\"%s\"", messages[i].method);
        if (!memmem(line, len, quoted, (size_t)n))
            continue;
        fill(w, frame, messages[i].len);
        frame[0] = (uint8_t)((frame[0] & ~7u) | i);
        put(&w->out, frame, messages[i].len);
    }
}

static bool sv2_in(struct sim_wrap *w, struct sim_lines *lines)
{
    while (w->in.len > 0) {
        const size_t i = (uint8_t)w->in.buf[0] & 7;
        char line[80];
        if (w->in.len < messages[i].len)
            return true;
        const int n = snprintf(line, sizeof(line), "{\"method\":\"%s\",\"params\":[\"1\"]}",
                               messages[i].method);
        take(&w->in, messages[i].len);
        if (!give(lines, line, (size_t)n))
            return false;
    }
    return true;
}

/* ---- WebSocket (RFC 6455 section 5.2) ---- */

enum { WS_TEXT = 0x81, WS_MASKED = 0x80, WS_SHORT = 125, WS_16_BITS = 126 };

static void ws_out(struct sim_wrap *w, const char *line, size_t len)
{
    uint8_t mask[4] = { 0 }, head[4] = { WS_TEXT };
    const uint8_t masked = w->is_pool ? 0 : WS_MASKED;
    size_t n = 2;
    if (len > WS_SHORT) {
        head[1] = masked | WS_16_BITS;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
        n = 4;
    } else {
        head[1] = (uint8_t)(masked | len);
    }
    put(&w->out, head, n);
    if (masked) {
        fill(w, mask, sizeof(mask));
        put(&w->out, mask, sizeof(mask));
    }
    for (size_t i = 0; i < len; i++) {
        const uint8_t c = (uint8_t)line[i] ^ mask[i % 4];
        put(&w->out, &c, 1);
    }
}

static bool ws_in(struct sim_wrap *w, struct sim_lines *lines)
{
    struct sim_raw *r = &w->in;
    while (r->len >= 2) {
        const uint8_t *b = (const uint8_t *)r->buf;
        const bool wide = (b[1] & 127) == WS_16_BITS;
        const size_t mask_at = wide ? 4 : 2, at = mask_at + (b[1] & WS_MASKED ? 4 : 0);
        if (r->len < at)
            return true;
        const size_t len = wide ? (size_t)(b[2] << 8 | b[3]) : b[1] & 127u;
        if (r->len < at + len)
            return true;
        for (size_t i = 0; at != mask_at && i < len; i++)
            r->buf[at + i] = (char)(r->buf[at + i] ^ r->buf[mask_at + i % 4]);
        if (!give(lines, r->buf + at, len))
            return false;
        take(r, at + len);
    }
    return true;
}

/* ---- HTTP ---- */

static void http_out(struct sim_wrap *w, const char *line, size_t len)
{
    char account[2 * SIM_TEXT], basic[4 * SIM_TEXT] = "";
    if (w->is_pool) {
        put_text(&w->out,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 len);
    } else {
        const bool eth = streq(w->family, "eth-getwork");
        snprintf(account, sizeof(account), "%s:%s", w->user, w->password);
        sodium_bin2base64(basic, sizeof(basic), (const uint8_t *)account, strlen(account),
                          sodium_base64_VARIANT_ORIGINAL);
        put_text(&w->out, "POST /%s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n",
                 streq(w->family, "monero-rpc") ? "json_rpc" : "", eth ? w->user : "", w->host,
                 w->agent);
        if (!eth)
            put_text(&w->out, "Authorization: Basic %s\r\n", basic);
        if (streq(w->family, "getwork"))
            put_text(&w->out, "X-Mining-Extensions: longpoll midstate rollntime submitold\r\n");
        put_text(&w->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", len);
    }
    put(&w->out, line, len);
}

static bool http_in(struct sim_wrap *w, struct sim_lines *lines)
{
    static const char field[] = "Content-Length:";
    struct sim_raw *r = &w->in;
    size_t head;
    while ((head = head_len(r)) > 0) {
        const char *at = memmem(r->buf, head, field, sizeof(field) - 1);
        const size_t len = at ? strtoul(at + sizeof(field) - 1, NULL, 10) : 0;
        if (len > sizeof(r->buf) - head)
            return false;
        if (r->len < head + len)
            return true;
        if (len && !give(lines, r->buf + head, len))
            return false;
        take(r, head + len);
    }
    return true;
}

/* ---- both ways ---- */

static bool plain_in(struct sim_wrap *w, struct sim_lines *lines)
{
    char *end;
    while ((end = memchr(w->in.buf, '\n', w->in.len))) {
        const size_t len = (size_t)(end - w->in.buf);
        if (!give(lines, w->in.buf, len))
            return false;
        take(&w->in, len + 1);
    }
    return true;
}

int sim_wrap_read(struct sim_wrap *w, int fd, struct sim_lines *lines)
{
    struct sim_raw *r = &w->in;
    if (r->len == sizeof(r->buf))
        return LAMP_EFULL;
    const ssize_t n = read(fd, r->buf + r->len, sizeof(r->buf) - r->len);
    if (n == 0)
        return LAMP_ECLOSED;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? LAMP_OK : -errno;
    r->len += (size_t)n;
    lines->bytes += (uint64_t)n;
    take_turns(w);
    if (!w->open)
        return LAMP_OK;
    const bool fits = w->kind == SIM_WRAP_HTTP        ? http_in(w, lines)
                      : w->kind == SIM_WRAP_WEBSOCKET ? ws_in(w, lines)
                      : w->kind == SIM_WRAP_SV2       ? sv2_in(w, lines)
                                                      : plain_in(w, lines);
    return fits ? LAMP_OK : LAMP_EFULL;
}

static void wrap_line(struct sim_wrap *w, const char *line, size_t len)
{
    if (w->kind == SIM_WRAP_HTTP) {
        http_out(w, line, len);
    } else if (w->kind == SIM_WRAP_WEBSOCKET) {
        ws_out(w, line, len);
    } else if (w->kind == SIM_WRAP_SV2) {
        sv2_out(w, line, len);
    } else {
        put(&w->out, line, len);
        put(&w->out, "\n", 1);
    }
}

int sim_wrap_flush(struct sim_wrap *w, struct sim_out *lines, int fd, uint64_t *bytes)
{
    const char *end, *line = lines->buf;
    while (w->open && (end = memchr(line, '\n', lines->len - (size_t)(line - lines->buf)))) {
        wrap_line(w, line, (size_t)(end - line));
        line = end + 1;
    }
    lines->len -= (size_t)(line - lines->buf);
    memmove(lines->buf, line, lines->len);
    if (w->out.len == 0)
        return LAMP_OK;
    const ssize_t n = write(fd, w->out.buf, w->out.len);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? LAMP_OK : -errno;
    *bytes += (uint64_t)n;
    take(&w->out, (size_t)n);
    return LAMP_OK;
}

bool sim_wrap_waits(const struct sim_wrap *w, const struct sim_out *lines)
{
    return w->out.len > 0 || (w->open && lines->len > 0);
}
