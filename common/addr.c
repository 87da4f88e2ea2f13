/* SPDX-License-Identifier: Apache-2.0 */
#include "common/addr.h"

#include "common/text.h"

#include <arpa/inet.h>
#include <stdio.h>

struct lamp_addr lamp_addr_from_v4(const uint8_t v4[4])
{
    struct lamp_addr a = { .b = { [10] = 0xff, [11] = 0xff } };
    memcpy(a.b + 12, v4, 4);
    return a;
}

int lamp_addr_parse(const char *text, struct lamp_addr *out)
{
    uint8_t v4[4];
    struct lamp_addr a;
    if (inet_pton(AF_INET, text, v4) == 1) {
        *out = lamp_addr_from_v4(v4);
        return LAMP_OK;
    }
    if (inet_pton(AF_INET6, text, a.b) == 1) {
        *out = a;
        return LAMP_OK;
    }
    return LAMP_EFORMAT;
}

bool lamp_prefix_is_canonical(const struct lamp_prefix *p)
{
    if (p->len > 128)
        return false;
    for (unsigned bit = p->len; bit < 128; bit++)
        if (p->addr.b[bit / 8] & (0x80U >> (bit % 8)))
            return false;
    return true;
}

int lamp_prefix_parse(const char *text, struct lamp_prefix *out)
{
    char buf[LAMP_PREFIX_STRLEN];
    size_t len = strlen(text);
    if (len >= sizeof(buf))
        return LAMP_EFORMAT;
    memcpy(buf, text, len + 1);

    char *slash = strchr(buf, '/');
    if (slash)
        *slash++ = '\0';
    struct lamp_prefix p = { .len = 128 };
    int err = lamp_addr_parse(buf, &p.addr);
    if (err)
        return err;
    if (slash) {
        const unsigned base = lamp_addr_is_v4(&p.addr) && !strchr(buf, ':') ? 96 : 0;
        int64_t bits;
        if (lamp_text_int(slash, 0, 128 - base, &bits) != LAMP_OK)
            return LAMP_EFORMAT;
        p.len = (uint8_t)(base + (unsigned)bits);
    }
    if (!lamp_prefix_is_canonical(&p))
        return LAMP_ECANON;
    *out = p;
    return LAMP_OK;
}

int lamp_endpoint_parse(const char *text, struct lamp_addr *out_addr, uint16_t *out_port)
{
    char buf[LAMP_ADDR_STRLEN + 8];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof(buf))
        return LAMP_EFORMAT;
    size_t len = (size_t)(colon - text);
    const char *host = text;
    if (len >= 2 && text[0] == '[') {
        if (text[len - 1] != ']')
            return LAMP_EFORMAT;
        host++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return LAMP_EFORMAT; /* a bare IPv6 address: the port would be a guess */
    }
    memcpy(buf, host, len);
    buf[len] = '\0';

    struct lamp_addr a;
    int64_t port;
    int err = lamp_addr_parse(buf, &a);
    if (err)
        return err;
    err = lamp_text_int(colon + 1, 1, 65535, &port);
    if (err)
        return err;
    *out_addr = a;
    *out_port = (uint16_t)port;
    return LAMP_OK;
}

const char *lamp_addr_str(const struct lamp_addr *a, char buf[LAMP_ADDR_STRLEN])
{
    if (lamp_addr_is_v4(a))
        inet_ntop(AF_INET, a->b + 12, buf, LAMP_ADDR_STRLEN);
    else
        inet_ntop(AF_INET6, a->b, buf, LAMP_ADDR_STRLEN);
    return buf;
}

const char *lamp_prefix_str(const struct lamp_prefix *p, char buf[LAMP_PREFIX_STRLEN])
{
    const bool v4 = lamp_addr_is_v4(&p->addr) && p->len >= 96;
    char text[LAMP_ADDR_STRLEN];
    lamp_addr_str(&p->addr, text);
    if (p->len >= 128)
        snprintf(buf, LAMP_PREFIX_STRLEN, "%s", text);
    else
        snprintf(buf, LAMP_PREFIX_STRLEN, "%s/%u", text, v4 ? p->len - 96U : p->len);
    return buf;
}

/* Whether the first len bits agree. */
static bool same_bits(const struct lamp_addr *a, const struct lamp_addr *b, unsigned len)
{
    const unsigned whole = len / 8, rest = len % 8;
    if (memcmp(a->b, b->b, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    const uint8_t mask = (uint8_t)(0xff00U >> rest);
    return (a->b[whole] & mask) == (b->b[whole] & mask);
}

bool lamp_prefix_has(const struct lamp_prefix *p, const struct lamp_addr *a)
{
    return same_bits(&p->addr, a, p->len);
}

bool lamp_prefix_overlap(const struct lamp_prefix *a, const struct lamp_prefix *b)
{
    return same_bits(&a->addr, &b->addr, a->len < b->len ? a->len : b->len);
}

/* A prefix as bytes, for the tables below; IPv4 ones are given in mapped form. */
#define V4(a, b, c, d, bits)                                                                       \
    {                                                                                              \
        { { [10] = 0xff, [11] = 0xff, a, b, c, d } }, 96 + (bits)                                  \
    }

static bool in_table(const struct lamp_prefix *table, size_t n, const struct lamp_addr *a)
{
    for (size_t i = 0; i < n; i++)
        if (lamp_prefix_has(&table[i], a))
            return true;
    return false;
}

bool lamp_addr_is_private(const struct lamp_addr *a)
{
    static const struct lamp_prefix table[] = {
        V4(10, 0, 0, 0, 8),        V4(172, 16, 0, 0, 12), V4(192, 168, 0, 0, 16),
        V4(100, 64, 0, 0, 10),     V4(127, 0, 0, 0, 8),   V4(169, 254, 0, 0, 16),
        V4(0, 0, 0, 0, 8),         { { { 0xfc } }, 7 },   { { { 0xfe, 0x80 } }, 10 },
        { { { [15] = 1 } }, 128 }, { { { 0 } }, 128 },
    };
    return in_table(table, ARRAY_LEN(table), a);
}

bool lamp_addr_is_multicast(const struct lamp_addr *a)
{
    static const struct lamp_prefix table[] = {
        V4(224, 0, 0, 0, 4),
        V4(255, 255, 255, 255, 32),
        { { { 0xff } }, 8 },
    };
    return in_table(table, ARRAY_LEN(table), a);
}
