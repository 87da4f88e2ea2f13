/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/unwrap/prefix.h"

#include "common/text.h"

#include <stdio.h>

enum {
    PROXY1_MAX = 107, /* proxy-protocol.txt 2.1, with CRLF */
    PROXY2_HEADER = 16,
    SOCKS4_TEXT_MAX = 255,
};

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void set_host(struct lamp_tunnel *t, const char *kind, struct lamp_bytes host, uint16_t port)
{
    t->kind = kind;
    t->port = port;
    lamp_text_utf8(host.data, host.len, t->host, sizeof(t->host));
}

static void set_addr(struct lamp_tunnel *t, const char *kind, const uint8_t *addr, size_t len,
                     uint16_t port)
{
    char text[LAMP_ADDR_STRLEN];
    struct lamp_addr a;
    if (len == 4)
        a = lamp_addr_from_v4(addr);
    else
        memcpy(a.b, addr, sizeof(a.b));
    set_host(t, kind, lamp_bytes_of(lamp_addr_str(&a, text)), port);
}

/* ---- PROXY protocol ---- */

int lamp_proxy1_length(struct lamp_bytes b)
{
    const size_t n = lamp_min(b.len, PROXY1_MAX);
    const uint8_t *lf = n ? memchr(b.data, '\n', n) : NULL;
    return lf ? (int)(lf - b.data) + 1 : b.len < PROXY1_MAX ? 0 : -1;
}

/* "PROXY TCP4 <source> <destination> <source port> <destination port>\r\n" */
void lamp_proxy1_tunnel(struct lamp_bytes b, struct lamp_tunnel *t)
{
    char line[PROXY1_MAX + 1], source[64], destination[64];
    unsigned port, other;
    memcpy(line, b.data, b.len);
    line[b.len] = '\0';
    struct lamp_addr a;
    if (sscanf(line, "PROXY TCP%*1[46] %63s %63s %5u %5u", source, destination, &port, &other) ==
            4 &&
        port <= UINT16_MAX && lamp_addr_parse(source, &a) == LAMP_OK)
        set_host(t, "proxy-protocol", lamp_bytes_of(source), (uint16_t)port);
}

int lamp_proxy2_length(struct lamp_bytes b)
{
    if (b.len < PROXY2_HEADER)
        return 0;
    const int n = PROXY2_HEADER + be16(b.data + 14);
    if (b.data[12] >> 4 != 2 || n > LAMP_PREFIX_MAX)
        return -1;
    return b.len < (size_t)n ? 0 : n;
}

void lamp_proxy2_tunnel(struct lamp_bytes b, struct lamp_tunnel *t)
{
    const uint8_t *p = b.data + PROXY2_HEADER;
    const size_t addr = b.data[13] >> 4 == 1 ? 4 : 16; /* AF_INET, AF_INET6 */
    const bool inet = b.data[13] >> 4 == 1 || b.data[13] >> 4 == 2;
    if ((b.data[12] & 0xf) == 1 && inet && b.len >= PROXY2_HEADER + 2 * addr + 4)
        set_addr(t, "proxy-protocol", p, addr, be16(p + 2 * addr));
}

/* ---- SOCKS 4 and 4a ---- */

/* 4, command, port, address, user, NUL; with an address 0.0.0.x a host and NUL. */
int lamp_socks4_request_length(struct lamp_bytes b)
{
    if (b.len < 9)
        return 0;
    const bool named = b.data[4] == 0 && b.data[5] == 0 && b.data[6] == 0 && b.data[7] != 0;
    size_t n = 8;
    for (int text = 0; text < (named ? 2 : 1); text++) {
        const size_t most = lamp_min(b.len - n, SOCKS4_TEXT_MAX + 1);
        const uint8_t *nul = most ? memchr(b.data + n, 0, most) : NULL;
        if (!nul)
            return most > SOCKS4_TEXT_MAX ? -1 : 0;
        n = (size_t)(nul - b.data) + 1;
    }
    return b.data[1] == 1 ? (int)n : -1; /* CONNECT */
}

void lamp_socks4_tunnel(struct lamp_bytes b, struct lamp_tunnel *t)
{
    const uint16_t port = be16(b.data + 2);
    const size_t user = strlen((const char *)b.data + 8);
    if (user + 9 == b.len)
        set_addr(t, "socks4", b.data + 4, 4, port);
    else
        set_host(t, "socks4a", (struct lamp_bytes){ b.data + user + 9, b.len - user - 10 }, port);
}

int lamp_socks4_reply_length(struct lamp_bytes b)
{
    return b.len < 8 ? 0 : b.data[1] == 0x5a ? 8 : -1; /* request granted */
}

/* ---- SOCKS 5 ---- */

int lamp_socks5_hello_length(struct lamp_bytes b)
{
    if (b.len < 2)
        return 0;
    if (b.data[0] != 5 || b.data[1] == 0)
        return -1;
    return b.len < 2u + b.data[1] ? 0 : 2 + b.data[1];
}

/* Length of a request or reply: 5, command or answer, 0, kind of address, address, port. */
static int address_message(struct lamp_bytes b)
{
    if (b.len < 5)
        return 0;
    int n = 6;
    switch (b.data[3]) {
    case 1:
        n += 4;
        break;
    case 3:
        n += 1 + b.data[4];
        break;
    case 4:
        n += 16;
        break;
    default:
        return -1;
    }
    return b.data[2] != 0 ? -1 : b.len < (size_t)n ? 0 : n;
}

int lamp_socks5_request_length(struct lamp_bytes b)
{
    if (b.len < 2)
        return 0;
    if (b.data[0] == 1) { /* RFC 1929: 1, length, user, length, password */
        const size_t user = 2u + b.data[1];
        if (b.len <= user)
            return 0;
        const size_t n = user + 1 + b.data[user];
        return b.len < n ? 0 : (int)n;
    }
    return b.data[0] == 5 && b.data[1] == 1 ? address_message(b) : -1;
}

void lamp_socks5_tunnel(struct lamp_bytes b, struct lamp_tunnel *t)
{
    const uint16_t port = be16(b.data + b.len - 2);
    if (b.data[3] == 3)
        set_host(t, "socks5", (struct lamp_bytes){ b.data + 5, b.data[4] }, port);
    else
        set_addr(t, "socks5", b.data + 4, b.data[3] == 1 ? 4 : 16, port);
}

int lamp_socks5_method_length(struct lamp_bytes b)
{
    return b.len < 2 ? 0 : b.data[0] == 5 && b.data[1] != 0xff ? 2 : -1;
}

int lamp_socks5_reply_length(struct lamp_bytes b)
{
    if (b.len < 2)
        return 0;
    if (b.data[1] != 0)
        return -1;
    return b.data[0] == 1 ? 2 : b.data[0] == 5 ? address_message(b) : -1;
}
