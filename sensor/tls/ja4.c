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
    TEXT_MAX = 5 * (LAMP_TLS_CIPHERS + LAMP_TLS_EXTENSIONS + LAMP_TLS_SIGNATURES), /* "1301," */
    HASH_DIGITS = 12,
    COUNT_MAX = 99,
};

/* ---- what is offered ---- */

/* The values that RFC 8701 has clients put in at random: 0a0a, 1a1a, ... fafa. */
static bool is_grease(uint16_t v)
{
    return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

static void add_value(uint16_t *list, uint8_t *n, size_t max, uint16_t v)
{
    if (!is_grease(v) && *n < max)
        list[(*n)++] = v;
}

static void read_versions(struct lamp_cursor ext, struct lamp_tls_offer *o)
{
    lamp_cursor_skip(&ext, 1);
    while (lamp_cursor_left(&ext) >= 2) {
        const uint16_t v = lamp_cursor_be16(&ext);
        if (!is_grease(v) && v > o->version)
            o->version = v;
    }
}

static void read_extensions(struct lamp_bytes all, struct lamp_tls_offer *o)
{
    struct lamp_cursor c = lamp_cursor_of(all.data, all.len);
    while (lamp_cursor_left(&c) >= 4) {
        const uint16_t type = lamp_cursor_be16(&c);
        const size_t len = lamp_cursor_be16(&c);
        const uint8_t *p = lamp_cursor_take(&c, len);
        if (!p || is_grease(type))
            continue;
        struct lamp_cursor ext = lamp_cursor_of(p, len);
        if (o->all_extensions < COUNT_MAX)
            o->all_extensions++;
        o->sni |= type == EXT_SERVER_NAME;
        if (type != EXT_SERVER_NAME && type != EXT_ALPN)
            add_value(o->extensions, &o->n_extensions, LAMP_TLS_EXTENSIONS, type);
        if (type == EXT_SUPPORTED_VERSIONS)
            read_versions(ext, o);
        if (type == EXT_SIGNATURE_ALGORITHMS) {
            lamp_cursor_skip(&ext, 2);
            while (lamp_cursor_left(&ext) >= 2)
                add_value(o->signatures, &o->n_signatures, LAMP_TLS_SIGNATURES,
                          lamp_cursor_be16(&ext));
        }
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

void lamp_tls_offer_of(const struct lamp_tls_hello *hello, struct lamp_tls_offer *out)
{
    *out = (struct lamp_tls_offer){ 0 };
    if (hello->cut)
        return;
    struct lamp_cursor c = lamp_cursor_of(hello->ciphers.data, hello->ciphers.len);
    while (lamp_cursor_left(&c) >= 2)
        add_value(out->ciphers, &out->n_ciphers, LAMP_TLS_CIPHERS, lamp_cursor_be16(&c));
    read_extensions(hello->extensions, out);
    if (out->version == 0)
        out->version = hello->version;
    put_alpn(hello->alpn, out->alpn);
}

/* ---- its fingerprint ---- */

static int by_value(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Appends "002f,0035". */
static size_t put_values(const uint16_t *list, size_t n, char *out, size_t at)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        if (i)
            out[at++] = ',';
        for (int shift = 12; shift >= 0; shift -= 4)
            out[at++] = digits[list[i] >> shift & 15];
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

void lamp_tls_ja4(const struct lamp_tls_offer *offer, char out[LAMP_TLS_JA4])
{
    out[0] = '\0';
    if (offer->version == 0)
        return;
    struct lamp_tls_offer o = *offer;
    qsort(o.ciphers, o.n_ciphers, sizeof(o.ciphers[0]), by_value);
    qsort(o.extensions, o.n_extensions, sizeof(o.extensions[0]), by_value);

    char text[TEXT_MAX], ciphers[HASH_DIGITS + 1], extensions[HASH_DIGITS + 1];
    put_hash(text, put_values(o.ciphers, o.n_ciphers, text, 0), ciphers);
    size_t len = put_values(o.extensions, o.n_extensions, text, 0);
    if (o.n_signatures) {
        text[len++] = '_';
        len = put_values(o.signatures, o.n_signatures, text, len);
    }
    put_hash(text, len, extensions);
    snprintf(out, LAMP_TLS_JA4, "t%s%c%02u%02u%s_%s_%s", version_text(o.version), o.sni ? 'd' : 'i',
             (unsigned)lamp_min(o.n_ciphers, COUNT_MAX) % 100, o.all_extensions % 100U, o.alpn,
             ciphers, extensions);
}
