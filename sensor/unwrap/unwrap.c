/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/unwrap/unwrap.h"

#include "common/text.h"
#include "sensor/unwrap/prefix.h"

#include <strings.h>

enum { SCRATCH = 2048, CONTROL_MAX = 125 };

enum state {
    FRESH, /* what comes next is not known yet */
    PLAIN, /* nothing is around it any more */
    DEAD,  /* nothing can be taken off */
    /* messages that are collected until they are whole */
    PROXY1,
    PROXY2,
    SOCKS4_REQUEST,
    SOCKS4_REPLY,
    SOCKS5_HELLO,
    SOCKS5_REQUEST,
    SOCKS5_METHOD,
    SOCKS5_REPLY,
    HTTP_HEAD,
    /* bytes that are passed on or over as they come */
    HTTP_BODY,
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_DATA,
    CHUNK_END,
    TRAILER,
    TRAILER_LINE,
    WS_HEADER,
    WS_DATA,
};

struct lamp_unwrapper {
    lamp_pieces *pieces;
    lamp_inflaters *inflaters;
    uint8_t in[SCRATCH], out[SCRATCH];
};

size_t lamp_unwrapper_memory(size_t n_pieces, size_t n_inflaters)
{
    return sizeof(lamp_unwrapper) + lamp_pieces_memory(n_pieces) +
           lamp_inflaters_memory(n_inflaters);
}

int lamp_unwrapper_new(size_t n_pieces, size_t n_inflaters, lamp_unwrapper **out)
{
    lamp_unwrapper *w = calloc(1, sizeof(*w));
    if (!w)
        return LAMP_ENOMEM;
    int err = lamp_pieces_new(n_pieces, &w->pieces);
    if (!err)
        err = lamp_inflaters_new(n_inflaters, &w->inflaters);
    if (err) {
        lamp_unwrapper_free(w);
        return err;
    }
    *out = w;
    return LAMP_OK;
}

lamp_unwrapper *lamp_unwrapper_free(lamp_unwrapper *w)
{
    if (w) {
        lamp_pieces_free(w->pieces);
        lamp_inflaters_free(w->inflaters);
        free(w);
    }
    return NULL;
}

lamp_pieces *lamp_unwrapper_pieces(lamp_unwrapper *w)
{
    return w->pieces;
}

static void used(struct lamp_bytes *bytes, size_t n)
{
    bytes->data += n;
    bytes->len -= n;
}

/* What of the bytes belongs to something of which `left` are to come. */
static struct lamp_bytes part_of(const struct lamp_bytes *bytes, uint64_t left)
{
    return (struct lamp_bytes){ bytes->data, left < bytes->len ? (size_t)left : bytes->len };
}

/* ---- what begins here ---- */

static const struct {
    const char *text;
    uint8_t len, state;
} words[] = {
    { "POST ", 5, HTTP_HEAD },       { "GET ", 4, HTTP_HEAD },
    { "PUT ", 4, HTTP_HEAD },        { "HEAD ", 5, HTTP_HEAD },
    { "OPTIONS ", 8, HTTP_HEAD },    { "CONNECT ", 8, HTTP_HEAD },
    { "HTTP/1.", 7, HTTP_HEAD },     { "PROXY TCP", 9, PROXY1 },
    { "PROXY UNKNOWN", 13, PROXY1 }, { "\r\n\r\n\0\r\nQUIT\n", 12, PROXY2 },
};

/* Length of a WebSocket frame's header; 0: not all of it is there. */
static size_t frame_header_length(const uint8_t *p, size_t n)
{
    if (n < 2)
        return 0;
    const uint8_t len = p[1] & 0x7f;
    const size_t all = 2u + (len == 126 ? 2 : len == 127 ? 8 : 0) + (p[1] & 0x80 ? 4 : 0);
    return n < all ? 0 : all;
}

/* A WebSocket frame met in mid-stream: a whole text or binary message that begins with a brace. */
static enum state decide_frame(const uint8_t *p, size_t n)
{
    const size_t header = frame_header_length(p, n);
    if (header == 0 || n == header)
        return n > 2 && (p[1] & 0x7f) == 127 ? PLAIN : FRESH; /* no line is that long */
    const uint8_t mask = p[1] & 0x80 ? p[header - 4] : 0;
    return (p[header] ^ mask) == '{' ? WS_HEADER : PLAIN;
}

/* What the first n bytes of a stream or message begin; FRESH: they do not tell yet. Told by 15
 * bytes at the latest. */
static enum state decide(const uint8_t *p, size_t n, enum lamp_dir dir)
{
    bool open = false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (memcmp(p, words[i].text, lamp_min(n, words[i].len)) != 0)
            continue;
        if (n >= words[i].len)
            return words[i].state;
        open = true;
    }
    if (open)
        return FRESH;
    switch (p[0]) {
    case 5:
        return dir == LAMP_UP ? SOCKS5_HELLO : SOCKS5_METHOD;
    case 4:
        return n < 2 ? FRESH : p[1] == 1 && dir == LAMP_UP ? SOCKS4_REQUEST : PLAIN;
    case 0:
        return n < 2 ? FRESH : p[1] == 0x5a && dir == LAMP_DOWN ? SOCKS4_REPLY : PLAIN;
    case 0x81:
    case 0x82:
        return decide_frame(p, n);
    default:
        return PLAIN;
    }
}

/* Enters a state with the bytes that were kept while it was not known. */
static void enter(lamp_unwrapper *w, struct lamp_unwrap_half *h, enum state state)
{
    h->state = (uint8_t)state;
    h->searched = 0;
    h->plain = state == PLAIN;
    if (state == WS_HEADER) {
        memcpy(h->header, h->fresh, h->n_fresh);
        h->n_header = h->n_fresh;
    } else if (state != PLAIN) {
        lamp_held_drop(&h->held);
        (void)lamp_held_add(w->pieces, &h->held, (struct lamp_bytes){ h->fresh, h->n_fresh });
    }
}

static enum lamp_unwrap_event on_fresh(lamp_unwrapper *w, struct lamp_unwrap_half *h,
                                       enum lamp_dir dir, struct lamp_bytes *bytes,
                                       struct lamp_unwrapped *out)
{
    uint8_t all[sizeof(h->fresh) * 2];
    const size_t more = lamp_min(bytes->len, sizeof(h->fresh));
    memcpy(all, h->fresh, h->n_fresh);
    memcpy(all + h->n_fresh, bytes->data, more);
    enum state state = decide(all, h->n_fresh + more, dir);
    if (state == FRESH && h->n_fresh + more <= sizeof(h->fresh)) {
        memcpy(h->fresh, all, h->n_fresh + more);
        h->n_fresh = (uint8_t)(h->n_fresh + more);
        used(bytes, more);
        return LAMP_UNWRAP_MORE;
    }
    if (state == FRESH || h->layers == LAMP_UNWRAP_LAYERS)
        state = PLAIN;
    enter(w, h, state);
    const uint8_t n = h->n_fresh;
    h->n_fresh = 0;
    if (state != PLAIN || n == 0)
        return LAMP_UNWRAP_MORE;
    out->bytes = (struct lamp_bytes){ h->fresh, n };
    out->given = false;
    out->anew = true;
    h->plain = false;
    return LAMP_UNWRAP_BYTES;
}

/* ---- messages that stand in front ---- */

/* Goes on behind a wrapper. */
static void peeled(struct lamp_unwrap_half *h)
{
    h->layers++;
    h->state = FRESH;
}

/* What a proxy says in front tells less than where the client goes. */
static void take_prefix(struct lamp_unwrap *u, struct lamp_unwrap_half *h, struct lamp_bytes b)
{
    switch (h->state) {
    case PROXY1:
        lamp_proxy1_tunnel(b, &u->tunnel);
        break;
    case PROXY2:
        lamp_proxy2_tunnel(b, &u->tunnel);
        break;
    case SOCKS4_REQUEST:
        lamp_socks4_tunnel(b, &u->tunnel);
        break;
    case SOCKS5_HELLO:
        h->state = SOCKS5_REQUEST;
        return;
    case SOCKS5_METHOD:
        h->state = SOCKS5_REPLY;
        return;
    case SOCKS5_REQUEST:
    case SOCKS5_REPLY:
        if (b.data[0] == 1)
            return; /* user and password, or their answer: the same comes once more */
        if (h->state == SOCKS5_REQUEST)
            lamp_socks5_tunnel(b, &u->tunnel);
        break;
    default:
        break;
    }
    peeled(h);
}

static int head_length(struct lamp_unwrap_half *h, struct lamp_bytes b)
{
    for (size_t i = h->searched; i < b.len; i++) {
        const uint8_t *lf = memchr(b.data + i, '\n', b.len - i);
        if (!lf)
            break;
        i = (size_t)(lf - b.data);
        h->searched = (uint16_t)i;
        if (i + 1 < b.len && b.data[i + 1] == '\n')
            return (int)i + 2;
        if (i + 2 < b.len && b.data[i + 1] == '\r' && b.data[i + 2] == '\n')
            return (int)i + 3;
    }
    return b.len < LAMP_UNWRAP_HEAD_MAX ? 0 : -1;
}

static int message_length(struct lamp_unwrap_half *h, struct lamp_bytes b)
{
    switch (h->state) {
    case PROXY1:
        return lamp_proxy1_length(b);
    case PROXY2:
        return lamp_proxy2_length(b);
    case SOCKS4_REQUEST:
        return lamp_socks4_request_length(b);
    case SOCKS4_REPLY:
        return lamp_socks4_reply_length(b);
    case SOCKS5_HELLO:
        return lamp_socks5_hello_length(b);
    case SOCKS5_REQUEST:
        return lamp_socks5_request_length(b);
    case SOCKS5_METHOD:
        return lamp_socks5_method_length(b);
    case SOCKS5_REPLY:
        return lamp_socks5_reply_length(b);
    default:
        return head_length(h, b);
    }
}

/* ---- HTTP ---- */

/* "http://host:port/..." in a request: it goes to a proxy. */
static void forward_proxy(struct lamp_unwrap *u, struct lamp_bytes target)
{
    static const char scheme[] = "http://";
    const size_t n = sizeof(scheme) - 1;
    if (target.len <= n || memcmp(target.data, scheme, n) != 0)
        return;
    struct lamp_bytes authority = { target.data + n, target.len - n }, host;
    const uint8_t *slash = memchr(authority.data, '/', authority.len);
    if (slash)
        authority.len = (size_t)(slash - authority.data);
    lamp_http_authority(authority, &host, &u->tunnel.port);
    if (u->tunnel.port == 0)
        u->tunnel.port = 80;
    u->tunnel.kind = "http-proxy";
    lamp_text_utf8(host.data, host.len, u->tunnel.host, sizeof(u->tunnel.host));
}

static void on_request(struct lamp_unwrap *u, struct lamp_unwrap_half *h,
                       const struct lamp_http_head *head)
{
    if (lamp_bytes_eq(head->method, "CONNECT")) {
        struct lamp_bytes host;
        lamp_http_authority(head->target, &host, &u->tunnel.port);
        u->tunnel.kind = "http-connect";
        lamp_text_utf8(host.data, host.len, u->tunnel.host, sizeof(u->tunnel.host));
        u->connecting = true;
        peeled(h);
        return;
    }
    if (h->n_heads == 1 && lamp_bytes_eq(head->method, "GET") && !head->websocket && !head->mining)
        u->hopeless = true; /* a browser */
    forward_proxy(u, head->target);
    if (head->websocket) {
        h->state = WS_HEADER;
        h->layers++;
    } else if (head->chunked) {
        h->state = CHUNK_SIZE;
    } else if (head->length > 0) {
        h->state = HTTP_BODY;
        h->left = head->length;
    }
}

static void on_response(struct lamp_unwrap *u, struct lamp_unwrap_half *h,
                        const struct lamp_http_head *head)
{
    if (head->status == 101) {
        h->state = WS_HEADER;
        h->layers++;
    } else if (u->connecting && head->status / 100 == 2) {
        u->connecting = false;
        peeled(h);
    } else if (head->status < 200 || head->status == 204 || head->status == 304) {
        return; /* no body */
    } else if (head->chunked) {
        h->state = CHUNK_SIZE;
    } else if (head->has_length) {
        h->state = head->length > 0 ? HTTP_BODY : FRESH;
        h->left = head->length;
    } else {
        peeled(h); /* until the end of the connection; also the yes to a CONNECT nobody saw */
    }
}

static enum lamp_unwrap_event take_head(struct lamp_unwrap *u, struct lamp_unwrap_half *h,
                                        struct lamp_bytes text, struct lamp_unwrapped *out)
{
    h->state = FRESH;
    h->n_heads = (uint8_t)(h->n_heads + (h->n_heads < UINT8_MAX));
    h->begun = h->silent = h->sniffed = false;
    h->left = 0;
    h->n_header = 0;
    if (lamp_http_head(text, &out->head) != LAMP_OK) {
        h->state = DEAD;
        return LAMP_UNWRAP_MORE;
    }
    if (out->head.is_response)
        on_response(u, h, &out->head);
    else
        on_request(u, h, &out->head);
    return LAMP_UNWRAP_HEAD;
}

/* Collects one of the messages before the states that pass bytes on. */
static enum lamp_unwrap_event collect(lamp_unwrapper *w, struct lamp_unwrap *u,
                                      struct lamp_unwrap_half *h, struct lamp_bytes *bytes,
                                      struct lamp_unwrapped *out)
{
    const size_t before = lamp_held_length(&h->held);
    const size_t more = lamp_min(bytes->len, LAMP_UNWRAP_HEAD_MAX - before);
    struct lamp_bytes all;
    const bool whole =
        lamp_held_whole(w->pieces, &h->held, (struct lamp_bytes){ bytes->data, more }, &all);
    const int n = whole ? message_length(h, all) : -1;
    if (n == 0 && before == 0)
        (void)lamp_held_add(w->pieces, &h->held, all);
    if (n <= 0) {
        used(bytes, more);
        if (n < 0) {
            h->state = DEAD;
            lamp_held_drop(&h->held);
        }
        return LAMP_UNWRAP_MORE;
    }
    used(bytes, (size_t)n - before);
    all.len = (size_t)n;
    enum lamp_unwrap_event event = LAMP_UNWRAP_MORE;
    if (h->state == HTTP_HEAD)
        event = take_head(u, h, all, out);
    else
        take_prefix(u, h, all);
    lamp_held_drop(&h->held); /* what *out points to stays until somebody keeps something */
    h->searched = 0;
    return event;
}

/* ---- bodies ---- */

/* Whether bytes of a message are to come out; a message is wanted if it begins with a brace. */
static bool wanted(struct lamp_unwrap *u, struct lamp_unwrap_half *h, enum lamp_dir dir,
                   struct lamp_bytes b)
{
    if (h->sniffed)
        return !h->silent;
    size_t i = 0;
    while (i < b.len && (b.data[i] == ' ' || (b.data[i] >= '\t' && b.data[i] <= '\r')))
        i++;
    if (i == b.len)
        return false;
    h->sniffed = true;
    h->silent = b.data[i] != '{';
    if (h->silent && dir == LAMP_UP)
        u->hopeless = true; /* miners ask in JSON */
    return !h->silent;
}

static enum lamp_unwrap_event put_out(struct lamp_unwrap_half *h, struct lamp_bytes b, bool given,
                                      struct lamp_unwrapped *out)
{
    out->bytes = b;
    out->anew = !h->begun;
    out->message = true;
    out->given = given;
    h->begun = true;
    return LAMP_UNWRAP_BYTES;
}

static enum lamp_unwrap_event on_body(struct lamp_unwrap *u, struct lamp_unwrap_half *h,
                                      enum lamp_dir dir, struct lamp_bytes *bytes,
                                      struct lamp_unwrapped *out)
{
    const struct lamp_bytes b = part_of(bytes, h->left);
    used(bytes, b.len);
    h->left -= b.len;
    const bool is_wanted = wanted(u, h, dir, b);
    out->http = true;
    if (h->left == 0)
        h->state = h->state == CHUNK_DATA ? CHUNK_END : FRESH;
    return is_wanted ? put_out(h, b, true, out) : LAMP_UNWRAP_MORE;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of what stands around chunks (RFC 9112 7.1). */
static void on_chunk_byte(struct lamp_unwrap_half *h, uint8_t c)
{
    const int digit = hex_digit(c);
    switch (h->state) {
    case CHUNK_SIZE:
        if (digit >= 0 && h->left < (UINT64_C(1) << 48)) {
            h->left = h->left * 16 + (unsigned)digit;
            return;
        }
        h->state = c == ';' || c == ' ' || c == '\r' || c == '\n' ? CHUNK_EXTENSION : DEAD;
        if (c != '\n')
            return;
        __attribute__((fallthrough));
    case CHUNK_EXTENSION:
        if (c == '\n')
            h->state = h->left > 0 ? CHUNK_DATA : TRAILER;
        return;
    case CHUNK_END:
        if (c == '\n')
            h->state = CHUNK_SIZE;
        else if (c != '\r')
            h->state = DEAD;
        return;
    case TRAILER:
        if (c == '\n')
            h->state = FRESH;
        else if (c != '\r')
            h->state = TRAILER_LINE;
        return;
    default:
        if (c == '\n')
            h->state = TRAILER;
    }
}

/* ---- WebSocket ---- */

/* A frame's header is complete. */
static void frame_begins(struct lamp_unwrap_half *h)
{
    const uint8_t *p = h->header;
    const uint8_t opcode = p[0] & 0xf;
    const bool control = opcode >= 8;
    h->masked = p[1] & 0x80;
    h->mask_at = 0;
    h->left = p[1] & 0x7f;
    if (h->left == 126) {
        h->left = (uint64_t)p[2] << 8 | p[3];
    } else if (h->left == 127) {
        h->left = 0;
        for (int i = 2; i < 10; i++)
            h->left = h->left << 8 | p[i];
    }
    h->state = WS_DATA;
    h->final = p[0] & 0x80;
    h->opcode = opcode;
    if (p[0] & 0x30 || (opcode > 2 && opcode < 8) || opcode > 10 || h->left >> 63 ||
        (control && (!h->final || h->left > CONTROL_MAX || p[0] & 0x40)))
        h->state = DEAD;
    if (control || opcode == 0)
        return;
    h->begun = h->silent = h->sniffed = false;
    h->packed = p[0] & 0x40;
    h->unpacked = 0;
}

/* The frame is over: the next header comes, or first what a packed message leaves out. */
static void frame_ends(struct lamp_unwrap_half *h)
{
    h->n_header = 0;
    h->state = WS_HEADER;
    if (h->opcode < 8 && h->final && h->packed && !h->tail) {
        h->tail = true; /* RFC 7692 7.2.2 */
        h->left = 4;
        h->state = WS_DATA;
        return;
    }
    h->tail = false;
}

/* Unpacks what is in b, moving it past what was used; false: nothing came out. */
static bool unpack(lamp_unwrapper *w, struct lamp_unwrap_half *h, struct lamp_bytes *b,
                   struct lamp_bytes *out)
{
    const size_t n = lamp_inflate(w->inflaters, &h->inflate, b, w->out, sizeof(w->out));
    h->more = n == sizeof(w->out);
    h->unpacked += (uint32_t)n;
    if (h->inflate.lost || h->unpacked > LAMP_UNWRAP_MESSAGE_MAX) {
        h->state = DEAD;
        return false;
    }
    *out = (struct lamp_bytes){ w->out, n };
    return n > 0;
}

static enum lamp_unwrap_event on_frame_data(lamp_unwrapper *w, struct lamp_unwrap *u,
                                            struct lamp_unwrap_half *h, enum lamp_dir dir,
                                            struct lamp_bytes *bytes, struct lamp_unwrapped *out)
{
    static const uint8_t tail[] = { 0, 0, 0xff, 0xff };
    const bool control = h->opcode >= 8;
    struct lamp_bytes b = part_of(bytes, h->left);
    if (h->tail)
        b = (struct lamp_bytes){ tail + (4 - h->left), (size_t)h->left };
    const uint8_t *mask = h->header + h->n_header - 4;
    if (!control && !h->tail && h->masked) {
        b.len = lamp_min(b.len, sizeof(w->in));
        for (size_t i = 0; i < b.len; i++)
            w->in[i] = b.data[i] ^ mask[(h->mask_at + i) & 3];
        b.data = w->in;
    }
    struct lamp_bytes text = b;
    size_t n = b.len;
    bool some = !control;
    if (!control && h->packed) {
        some = unpack(w, h, &b, &text);
        n -= b.len;
    }
    if (!h->tail)
        used(bytes, n);
    h->mask_at = (uint8_t)((h->mask_at + n) & 3);
    h->left -= n;
    if (h->left == 0 && !h->more && h->state == WS_DATA)
        frame_ends(h);
    some = some && text.len && wanted(u, h, dir, text);
    return some ? put_out(h, text, !h->masked && !h->packed, out) : LAMP_UNWRAP_MORE;
}

static void on_frame_header(struct lamp_unwrap_half *h, struct lamp_bytes *bytes)
{
    while (bytes->len && !frame_header_length(h->header, h->n_header)) {
        h->header[h->n_header++] = bytes->data[0];
        used(bytes, 1);
    }
    if (frame_header_length(h->header, h->n_header))
        frame_begins(h);
    if (h->state == WS_DATA && h->left == 0)
        frame_ends(h);
}

/* ---- all together ---- */

static enum lamp_unwrap_event step(lamp_unwrapper *w, struct lamp_unwrap *u, enum lamp_dir dir,
                                   struct lamp_bytes *bytes, struct lamp_unwrapped *out)
{
    struct lamp_unwrap_half *h = &u->half[dir];
    switch (h->state) {
    case FRESH:
        return on_fresh(w, h, dir, bytes, out);
    case PLAIN:
        out->bytes = *bytes;
        out->given = true;
        out->anew = h->plain;
        h->plain = false;
        used(bytes, bytes->len);
        return LAMP_UNWRAP_BYTES;
    case DEAD:
        used(bytes, bytes->len);
        return LAMP_UNWRAP_MORE;
    case HTTP_BODY:
    case CHUNK_DATA:
        return on_body(u, h, dir, bytes, out);
    case CHUNK_SIZE:
    case CHUNK_EXTENSION:
    case CHUNK_END:
    case TRAILER:
    case TRAILER_LINE:
        on_chunk_byte(h, bytes->data[0]);
        used(bytes, 1);
        return LAMP_UNWRAP_MORE;
    case WS_HEADER:
        on_frame_header(h, bytes);
        return LAMP_UNWRAP_MORE;
    case WS_DATA:
        return on_frame_data(w, u, h, dir, bytes, out);
    default:
        return collect(w, u, h, bytes, out);
    }
}

enum lamp_unwrap_event lamp_unwrap_next(lamp_unwrapper *w, struct lamp_unwrap *u, enum lamp_dir dir,
                                        struct lamp_bytes *bytes, struct lamp_unwrapped *out)
{
    const struct lamp_unwrap_half *h = &u->half[dir];
    out->anew = out->message = out->http = false;
    enum lamp_unwrap_event event = LAMP_UNWRAP_MORE;
    while (event == LAMP_UNWRAP_MORE &&
           (bytes->len || (h->state == WS_DATA && (h->more || h->tail))))
        event = step(w, u, dir, bytes, out);
    return event;
}

void lamp_unwrap_gap(struct lamp_unwrap *u, enum lamp_dir dir)
{
    struct lamp_unwrap_half *h = &u->half[dir];
    const bool frames = h->state == WS_HEADER || h->state == WS_DATA;
    lamp_held_drop(&h->held);
    if (h->packed)
        lamp_inflate_done(&h->inflate);
    h->n_fresh = h->n_header = 0;
    h->tail = h->more = false;
    /* Messages of WebSocket miners are segments of their own, so a frame comes next as a rule. Of
     * anything else the lines are read wherever they are; a head ends that (again()). */
    h->state = frames ? WS_HEADER : PLAIN;
    h->inflate.lost = frames && h->packed;
    h->begun = h->silent = h->sniffed = h->plain = false;
}

/* Whether an HTTP head has something that mining may begin with, or goes on in a later segment,
 * which may. */
static bool head_is_telling(struct lamp_bytes p)
{
    if (!memmem(p.data, p.len, "\n\r\n", 3) && !memmem(p.data, p.len, "\n\n", 2))
        return true;
    static const char *const lines[] = { "Upgrade: websocket", "X-Mining-",
                                         "X-Long-Polling:", "X-Roll-NTime:", "X-Stratum:" };
    for (const uint8_t *lf; p.len && (lf = memchr(p.data, '\n', p.len));) {
        used(&p, (size_t)(lf - p.data) + 1);
        if (p.len && (p.data[0] | 0x20) != 'u' && (p.data[0] | 0x20) != 'x')
            continue;
        for (size_t i = 0; i < ARRAY_LEN(lines); i++)
            if (p.len >= strlen(lines[i]) &&
                strncasecmp((const char *)p.data, lines[i], strlen(lines[i])) == 0)
                return true;
    }
    return false;
}

/* Whether an answer is JSON: its Content-Type has the word. */
static bool head_has_json(struct lamp_bytes p)
{
    static const char line[] = "Content-Type: application/json";
    const size_t n = sizeof(line) - 1;
    for (const uint8_t *lf; p.len && (lf = memchr(p.data, '\n', p.len));) {
        used(&p, (size_t)(lf - p.data) + 1);
        if (p.len >= n && strncasecmp((const char *)p.data, line, n) == 0)
            return true;
    }
    return false;
}

static bool starts(struct lamp_bytes p, const char *text, size_t len)
{
    return p.len >= len && memcmp(p.data, text, len) == 0;
}

static enum lamp_unwrap_first maybe(bool is)
{
    return is ? LAMP_UNWRAP_FIRST_MAYBE : LAMP_UNWRAP_FIRST_OTHER;
}

enum lamp_unwrap_first lamp_unwrap_first(struct lamp_bytes p)
{
    if (p.len < 2)
        return LAMP_UNWRAP_FIRST_OTHER;
    switch (p.data[0]) {
    case 'P':
        return maybe(starts(p, "POST ", 5) || starts(p, "PROXY ", 6));
    case 'C':
        return maybe(starts(p, "CONNECT ", 8));
    case 'G':
        if (!starts(p, "GET ", 4))
            return LAMP_UNWRAP_FIRST_OTHER;
        return head_is_telling(p) ? LAMP_UNWRAP_FIRST_MAYBE : LAMP_UNWRAP_FIRST_NEVER;
    case 'H':
        if (!starts(p, "HTTP/1.", 7))
            return LAMP_UNWRAP_FIRST_OTHER;
        return head_is_telling(p) || head_has_json(p) ? LAMP_UNWRAP_FIRST_MAYBE
                                                      : LAMP_UNWRAP_FIRST_NEVER;
    case '\r':
        return maybe(starts(p, "\r\n\r\n\0\r\nQUIT\n", 12));
    case 5: /* methods offered; or the one chosen */
        return maybe(p.len == 2u + p.data[1] || p.len == 2);
    case 4:
        return maybe(p.data[1] == 1 && p.len >= 9 && p.data[p.len - 1] == 0);
    case 0:
        return maybe(p.data[1] == 0x5a && p.len == 8);
    case 0x81:
    case 0x82:
        return maybe(decide_frame(p.data, lamp_min(p.len, 16)) == WS_HEADER);
    default:
        return LAMP_UNWRAP_FIRST_OTHER;
    }
}

bool lamp_unwrap_again(struct lamp_unwrap *u, enum lamp_dir dir, struct lamp_bytes rest)
{
    struct lamp_unwrap_half *h = &u->half[dir];
    if (h->state != PLAIN || decide(rest.data, lamp_min(rest.len, sizeof(h->fresh)), dir) == PLAIN)
        return false;
    h->state = FRESH;
    h->layers = 0;
    return true;
}

void lamp_unwrap_done(struct lamp_unwrap *u)
{
    for (int dir = 0; dir < 2; dir++) {
        lamp_held_drop(&u->half[dir].held);
        lamp_inflate_done(&u->half[dir].inflate);
    }
}
