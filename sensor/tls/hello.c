/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/tls/hello.h"

#include "common/cursor.h"

enum {
    RECORD_HEADER = 5,
    RECORD_MAX = (1 << 14) + 256,
    TYPE_CHANGE_CIPHER = 20,
    TYPE_HANDSHAKE = 22,
    TYPE_DATA = 23,
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    RANDOM_BYTES = 32,
    SESSION_ID_MAX = 32,
    EXT_SERVER_NAME = 0,
    EXT_ALPN = 16,
    EXT_SUPPORTED_VERSIONS = 43,
    NAME_TYPE_HOST = 0,
};

/* A length-prefixed part of `c`: what of it is there. `cut` is set where it goes on past the
 * end; only the part that is there may then be read. */
static struct lamp_cursor part(struct lamp_cursor *c, size_t len, bool *cut)
{
    size_t there = lamp_cursor_left(c);
    if (len > there)
        *cut = true;
    else
        there = len;
    const uint8_t *p = lamp_cursor_take(c, there);
    return lamp_cursor_of(p, there);
}

bool lamp_tls_is_record(struct lamp_bytes payload)
{
    if (payload.len < RECORD_HEADER)
        return false;
    const uint8_t *p = payload.data;
    size_t len = (size_t)p[3] << 8 | p[4];
    return p[0] >= TYPE_CHANGE_CIPHER && p[0] <= TYPE_DATA && p[1] == 3 && p[2] <= 4 && len > 0 &&
           len <= RECORD_MAX;
}

/* RFC 6066 section 3. The list holds one host_name in practice; the first one counts. */
static bool read_server_name(struct lamp_cursor ext, struct lamp_tls_hello *hello)
{
    size_t list = lamp_cursor_be16(&ext);
    if (ext.bad || list > lamp_cursor_left(&ext))
        return false;
    uint8_t type = lamp_cursor_u8(&ext);
    size_t len = lamp_cursor_be16(&ext);
    const uint8_t *name = lamp_cursor_take(&ext, len);
    if (ext.bad)
        return false;
    if (type == NAME_TYPE_HOST && hello->sni.len == 0)
        hello->sni = (struct lamp_bytes){ name, len };
    return true;
}

/* RFC 7301 section 3.1. */
static bool read_alpn(struct lamp_cursor ext, struct lamp_tls_hello *hello)
{
    size_t list = lamp_cursor_be16(&ext);
    if (ext.bad || list > lamp_cursor_left(&ext))
        return false;
    for (unsigned i = 0; i < LAMP_TLS_ALPN_MAX && lamp_cursor_left(&ext) > 0; i++) {
        size_t len = lamp_cursor_u8(&ext);
        const uint8_t *p = lamp_cursor_take(&ext, len);
        if (ext.bad || len == 0)
            return false;
        struct lamp_bytes offer = { p, len };
        if (i == 0)
            hello->alpn = offer;
        hello->web |= lamp_bytes_eq(offer, "h2") || lamp_bytes_eq(offer, "http/1.1") ||
                      lamp_bytes_eq(offer, "http/1.0");
    }
    return true;
}

static bool read_extensions(struct lamp_cursor c, struct lamp_tls_hello *hello)
{
    while (lamp_cursor_left(&c) > 0) {
        uint16_t type = lamp_cursor_be16(&c);
        size_t len = lamp_cursor_be16(&c);
        if (c.bad)
            return hello->cut;
        bool cut = false;
        struct lamp_cursor ext = part(&c, len, &cut);
        if (cut)
            return hello->cut; /* lengths within a hello that is all here must fit */
        if (type == EXT_SERVER_NAME && !read_server_name(ext, hello))
            return false;
        if (type == EXT_ALPN && !read_alpn(ext, hello))
            return false;
    }
    return true;
}

/* A ClientHello behind its message header; hello->cut says whether more of it is to come. */
static int read_hello(struct lamp_cursor c, struct lamp_tls_hello *hello)
{
    hello->version = lamp_cursor_be16(&c);
    if (!c.bad && hello->version >> 8 != 3)
        return LAMP_EFORMAT;
    lamp_cursor_skip(&c, RANDOM_BYTES);
    size_t session = lamp_cursor_u8(&c);
    if (session > SESSION_ID_MAX)
        return LAMP_EFORMAT;
    lamp_cursor_skip(&c, session);
    size_t ciphers = lamp_cursor_be16(&c);
    if (!c.bad && (ciphers == 0 || ciphers % 2 != 0))
        return LAMP_EFORMAT;
    const uint8_t *list = lamp_cursor_take(&c, ciphers);
    if (list)
        hello->ciphers = (struct lamp_bytes){ list, ciphers };
    lamp_cursor_skip(&c, lamp_cursor_u8(&c));
    if (c.bad && !hello->cut)
        return LAMP_EFORMAT;
    if (!c.bad && lamp_cursor_left(&c) > 0) { /* a hello may end here: TLS 1.0 without any */
        size_t extensions = lamp_cursor_be16(&c);
        bool cut = c.bad;
        struct lamp_cursor all = part(&c, extensions, &cut);
        hello->extensions = (struct lamp_bytes){ all.p, lamp_cursor_left(&all) };
        if ((cut && !hello->cut) || !read_extensions(all, hello))
            return LAMP_EFORMAT;
    }
    return LAMP_OK;
}

static int read_message(struct lamp_cursor c, struct lamp_tls_hello *hello)
{
    uint8_t type = lamp_cursor_u8(&c);
    size_t len = (size_t)lamp_cursor_u8(&c) << 16;
    len |= lamp_cursor_be16(&c);
    if (c.bad || type != CLIENT_HELLO)
        return LAMP_EFORMAT;
    struct lamp_cursor body = part(&c, len, &hello->cut);
    return read_hello(body, hello);
}

int lamp_tls_hello_message(struct lamp_bytes message, struct lamp_tls_hello *out)
{
    struct lamp_tls_hello hello = { 0 };
    if (read_message(lamp_cursor_of(message.data, message.len), &hello) != LAMP_OK)
        return LAMP_EFORMAT;
    *out = hello;
    return LAMP_OK;
}

int lamp_tls_client_hello(struct lamp_bytes payload, struct lamp_tls_hello *out)
{
    if (!lamp_tls_is_record(payload) || payload.data[0] != TYPE_HANDSHAKE)
        return LAMP_EFORMAT;
    struct lamp_tls_hello hello = { 0 };
    struct lamp_cursor all = lamp_cursor_of(payload.data, payload.len);
    lamp_cursor_skip(&all, 3);
    struct lamp_cursor record = part(&all, lamp_cursor_be16(&all), &hello.cut);
    if (read_message(record, &hello) != LAMP_OK)
        return LAMP_EFORMAT;
    *out = hello;
    return LAMP_OK;
}

bool lamp_tls_server_hello(struct lamp_bytes message, uint16_t *out_version)
{
    struct lamp_cursor c = lamp_cursor_of(message.data, message.len);
    if (lamp_cursor_u8(&c) != SERVER_HELLO || !lamp_cursor_skip(&c, 3))
        return false;
    const uint16_t legacy = lamp_cursor_be16(&c);
    if (c.bad || legacy >> 8 != 3)
        return false;
    *out_version = legacy;
    lamp_cursor_skip(&c, RANDOM_BYTES);
    lamp_cursor_skip(&c, lamp_cursor_u8(&c));
    lamp_cursor_skip(&c, 2 + 1 + 2); /* cipher, compression, length of extensions */
    while (!c.bad && lamp_cursor_left(&c) >= 4) {
        const uint16_t type = lamp_cursor_be16(&c);
        const size_t len = lamp_cursor_be16(&c);
        const uint8_t *p = lamp_cursor_take(&c, len);
        if (p && type == EXT_SUPPORTED_VERSIONS && len == 2)
            *out_version = lamp_be16(p);
    }
    return true;
}
