/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cursor.h"
#include "sensor/tls/hello.h"

#include <ctype.h>
#include <sodium/crypto_hash_sha256.h>
#include <stdio.h>

enum {
    EXT_SERVER_NAME = 0,
    EXT_SIGNATURE_ALGORITHMS = 13,
    EXT_ALPN = 16,
    EXT_SUPPORTED_VERSIONS = 43,
    VALUES_MAX = 256,              /* of a list; more are left out */
    TEXT_MAX = 2 * 5 * VALUES_MAX, /* "1301,": extensions, then signature algorithms */
    HASH_DIGITS = 12,
    COUNT_MAX = 99,
};

/* The values that RFC 8701 has clients put in at random: 0a0a, 1a1a, ... fafa. */
static bool is_grease(uint16_t v)
{
    return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

struct values {
    uint16_t v[VALUES_MAX];
    size_t n;
};

static void add_value(struct values *list, uint16_t v)
{
    if (!is_grease(v) && list->n < VALUES_MAX)
        list->v[list->n++] = v;
}

static int by_value(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Appends "002f,0035". */
static size_t put_values(const struct values *list, char *out, size_t at)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            out[at++] = ',';
        for (int shift = 12; shift >= 0; shift -= 4)
            out[at++] = digits[list->v[i] >> shift & 15];
    }
    return at;
}

static void put_hash(const char *text, size_t len, char out[HASH_DIGITS + 1])
{
    uint8_t hash[crypto_hash_sha256_BYTES] = { 0 };
    if (len)
        crypto_hash_sha256(hash, (const uint8_t *)text, len);
    for (size_t i = 0; i < HASH_DIGITS / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

struct offer {
    struct values ciphers, extensions, signatures;
    size_t n_extensions; /* all but the random ones */
    uint16_t version;
    bool sni;
};

static void read_versions(struct lamp_cursor ext, struct offer *o)
{
    lamp_cursor_skip(&ext, 1);
    while (lamp_cursor_left(&ext) >= 2) {
        const uint16_t v = lamp_cursor_be16(&ext);
        if (!is_grease(v) && v > o->version)
            o->version = v;
    }
}

static void read_extensions(struct lamp_bytes all, struct offer *o)
{
    struct lamp_cursor c = lamp_cursor_of(all.data, all.len);
    while (lamp_cursor_left(&c) >= 4) {
        const uint16_t type = lamp_cursor_be16(&c);
        const size_t len = lamp_cursor_be16(&c);
        const uint8_t *p = lamp_cursor_take(&c, len);
        if (!p || is_grease(type))
            continue;
        struct lamp_cursor ext = lamp_cursor_of(p, len);
        o->n_extensions++;
        o->sni |= type == EXT_SERVER_NAME;
        if (type != EXT_SERVER_NAME && type != EXT_ALPN)
            add_value(&o->extensions, type);
        if (type == EXT_SUPPORTED_VERSIONS)
            read_versions(ext, o);
        if (type == EXT_SIGNATURE_ALGORITHMS) {
            lamp_cursor_skip(&ext, 2);
            while (lamp_cursor_left(&ext) >= 2)
                add_value(&o->signatures, lamp_cursor_be16(&ext));
        }
    }
}

static const char *version_text(uint16_t v)
{
    switch (v) {
    case 0x0304:
        return "13";
    case 0x0303:
        return "12";
    case 0x0302:
        return "11";
    case 0x0301:
        return "10";
    case 0x0300:
        return "s3";
    default:
        return "00";
    }
}

/* First and last character of the first protocol offered; where one is no letter or digit, first
 * and last digit of it in hex. */
static void put_alpn(struct lamp_bytes alpn, char out[3])
{
    static const char digits[] = "0123456789abcdef";
    if (alpn.len == 0) {
        memcpy(out, "00", 3);
        return;
    }
    const uint8_t first = alpn.data[0], last = alpn.data[alpn.len - 1];
    const bool plain = first < 128 && isalnum(first) && last < 128 && isalnum(last);
    out[0] = (char)(plain ? first : digits[first >> 4]);
    out[1] = (char)(plain ? last : digits[last & 15]);
    out[2] = '\0';
}

void lamp_tls_ja4(const struct lamp_tls_hello *hello, char out[LAMP_TLS_JA4])
{
    out[0] = '\0';
    if (hello->cut)
        return;
    struct offer o = { 0 };
    struct lamp_cursor c = lamp_cursor_of(hello->ciphers.data, hello->ciphers.len);
    while (lamp_cursor_left(&c) >= 2)
        add_value(&o.ciphers, lamp_cursor_be16(&c));
    read_extensions(hello->extensions, &o);
    if (o.version == 0)
        o.version = hello->version;
    qsort(o.ciphers.v, o.ciphers.n, sizeof(o.ciphers.v[0]), by_value);
    qsort(o.extensions.v, o.extensions.n, sizeof(o.extensions.v[0]), by_value);

    char text[TEXT_MAX], ciphers[HASH_DIGITS + 1], extensions[HASH_DIGITS + 1], alpn[3];
    put_hash(text, put_values(&o.ciphers, text, 0), ciphers);
    size_t len = put_values(&o.extensions, text, 0);
    if (o.signatures.n) {
        text[len++] = '_';
        len = put_values(&o.signatures, text, len);
    }
    put_hash(text, len, extensions);
    put_alpn(hello->alpn, alpn);
    snprintf(out, LAMP_TLS_JA4, "t%s%c%02u%02u%s_%s_%s", version_text(o.version), o.sni ? 'd' : 'i',
             (unsigned)lamp_min(o.ciphers.n, COUNT_MAX),
             (unsigned)lamp_min(o.n_extensions, COUNT_MAX), alpn, ciphers, extensions);
}
