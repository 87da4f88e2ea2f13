/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/unwrap/http.h"

#include <strings.h>

#define LENGTH_MAX (UINT64_C(1) << 53)

/* The text up to the first c, which is taken off *rest as well; all of it if there is none. */
static struct lamp_bytes take_until(struct lamp_bytes *rest, uint8_t c)
{
    const uint8_t *at = rest->len ? memchr(rest->data, c, rest->len) : NULL;
    const struct lamp_bytes text = { rest->data, at ? (size_t)(at - rest->data) : rest->len };
    const size_t used = text.len + (at ? 1 : 0);
    if (rest->len) {
        rest->data += used;
        rest->len -= used;
    }
    return text;
}

static struct lamp_bytes trimmed(struct lamp_bytes t)
{
    while (t.len && (t.data[0] == ' ' || t.data[0] == '\t')) {
        t.data++;
        t.len--;
    }
    while (t.len && strchr(" \t\r", t.data[t.len - 1]) && t.data[t.len - 1])
        t.len--;
    return t;
}

static bool is_word(struct lamp_bytes text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

static bool begins(struct lamp_bytes text, const char *word)
{
    const size_t n = strlen(word);
    return text.len >= n && strncasecmp((const char *)text.data, word, n) == 0;
}

/* Whether a list such as "gzip, chunked" has the word. */
static bool has_item(struct lamp_bytes list, const char *word)
{
    while (list.len) {
        struct lamp_bytes item = take_until(&list, ',');
        if (is_word(trimmed(take_until(&item, ';')), word))
            return true;
    }
    return false;
}

static bool number(struct lamp_bytes text, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || n > max / 10)
            return false;
        n = n * 10 + (text.data[i] - '0');
    }
    *out = n;
    return text.len > 0 && n <= max;
}

static int first_line(struct lamp_bytes line, struct lamp_http_head *h)
{
    line = trimmed(line);
    uint64_t n;
    if (begins(line, "HTTP/1.")) {
        (void)take_until(&line, ' ');
        if (!number(take_until(&line, ' '), 999, &n) || n < 100)
            return LAMP_EFORMAT;
        h->is_response = true;
        h->status = (unsigned)n;
        return LAMP_OK;
    }
    h->method = take_until(&line, ' ');
    h->target = take_until(&line, ' ');
    return h->method.len && h->target.len && begins(line, "HTTP/1.") ? LAMP_OK : LAMP_EFORMAT;
}

/* Headers of getwork and getblocktemplate: what miners tell of themselves and pools answer with
 * (Bitcoin wiki, "Getwork"; BIP 22). */
static const char *mining_header(struct lamp_bytes name)
{
    static const struct {
        const char *name, *what;
    } known[] = {
        { "X-Mining-Extensions", "header X-Mining-Extensions" },
        { "X-Mining-Hashrate", "header X-Mining-Hashrate" },
        { "X-Mining-Identifier", "header X-Mining-Identifier" },
        { "X-Long-Polling", "header X-Long-Polling" },
        { "X-Roll-NTime", "header X-Roll-NTime" },
        { "X-Stratum", "header X-Stratum" },
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (is_word(name, known[i].name))
            return known[i].what;
    return NULL;
}

static void header(struct lamp_bytes name, struct lamp_bytes value, struct lamp_http_head *h)
{
    if (is_word(name, "host")) {
        h->host = value;
    } else if (is_word(name, "user-agent")) {
        h->agent = value;
    } else if (is_word(name, "authorization")) {
        if (begins(value, "basic ")) {
            (void)take_until(&value, ' ');
            h->basic = trimmed(value);
        }
    } else if (is_word(name, "content-length")) {
        h->has_length = number(value, LENGTH_MAX, &h->length);
    } else if (is_word(name, "transfer-encoding")) {
        h->chunked = has_item(value, "chunked");
    } else if (is_word(name, "upgrade")) {
        h->websocket = has_item(value, "websocket");
    } else if (is_word(name, "sec-websocket-extensions")) {
        h->deflate = has_item(value, "permessage-deflate");
    } else if (!h->mining && begins(name, "x-")) {
        h->mining = mining_header(name);
    }
}

int lamp_http_head(struct lamp_bytes head, struct lamp_http_head *out)
{
    *out = (struct lamp_http_head){ 0 };
    const int err = first_line(take_until(&head, '\n'), out);
    while (!err && head.len) {
        struct lamp_bytes line = take_until(&head, '\n');
        const struct lamp_bytes name = take_until(&line, ':');
        if (line.len)
            header(name, trimmed(line), out);
    }
    return err;
}

void lamp_http_authority(struct lamp_bytes text, struct lamp_bytes *out_host, uint16_t *out_port)
{
    struct lamp_bytes rest = text;
    uint64_t port = 0;
    if (text.len && text.data[0] == '[') {
        rest.data++;
        rest.len--;
        *out_host = take_until(&rest, ']');
        (void)take_until(&rest, ':');
    } else {
        *out_host = take_until(&rest, ':');
    }
    *out_port = number(rest, UINT16_MAX, &port) ? (uint16_t)port : 0;
}

int lamp_http_basic(struct lamp_bytes text, uint8_t *buf, size_t size, struct lamp_bytes *out_user,
                    struct lamp_bytes *out_password)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;
    while (text.len && text.data[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.data[i] ? strchr(digits, text.data[i]) : NULL;
        if (!at)
            return LAMP_EFORMAT;
        bits = bits << 6 | (uint32_t)(at - digits);
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        if (n == size)
            return LAMP_EFULL;
        buf[n++] = (uint8_t)(bits >> n_bits);
    }
    struct lamp_bytes rest = { buf, n };
    if (!n || !memchr(buf, ':', n))
        return LAMP_EFORMAT;
    *out_user = take_until(&rest, ':');
    *out_password = rest;
    return LAMP_OK;
}
