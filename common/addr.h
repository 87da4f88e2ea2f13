/* SPDX-License-Identifier: Apache-2.0 */
/* addr: IPv6 and IPv4 addresses in one form: 16 bytes in network order, IPv4 mapped
 * into ::ffff:0:0/96 (RFC 4291 section 2.5.5.2), and prefixes of them. Plain data,
 * no allocation, thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

#define LAMP_ADDR_STRLEN 46   /* longest text form with its NUL */
#define LAMP_PREFIX_STRLEN 50 /* the same with "/128" */

struct lamp_addr {
    uint8_t b[16];
};

/* len counts bits of the 16-byte form: an IPv4 /24 is 120. */
struct lamp_prefix {
    struct lamp_addr addr;
    uint8_t len;
};

static inline bool lamp_addr_is_v4(const struct lamp_addr *a)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

static inline bool lamp_addr_eq(const struct lamp_addr *a, const struct lamp_addr *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* From 4 bytes in network order. */
struct lamp_addr lamp_addr_from_v4(const uint8_t v4[4]);

/* Parses "192.0.2.1" or "2001:db8::1". LAMP_EFORMAT otherwise. */
LAMP_CHECK int lamp_addr_parse(const char *text, struct lamp_addr *out);

/* Parses "192.0.2.0/24", "2001:db8::/32" or a bare address (its full length). Host bits
 * must be zero (LAMP_ECANON). LAMP_EFORMAT: not a prefix. */
LAMP_CHECK int lamp_prefix_parse(const char *text, struct lamp_prefix *out);

/* Parses "192.0.2.1:3333", "[2001:db8::1]:3333". LAMP_EFORMAT, LAMP_ERANGE (port). */
LAMP_CHECK int lamp_endpoint_parse(const char *text, struct lamp_addr *out_addr,
                                   uint16_t *out_port);

/* Writes the usual text form (dotted for mapped IPv4) into buf and returns buf. */
const char *lamp_addr_str(const struct lamp_addr *a, char buf[LAMP_ADDR_STRLEN]);

/* Writes "addr/len" in the length of the address family, without "/len" when the prefix
 * is one address. Returns buf. */
const char *lamp_prefix_str(const struct lamp_prefix *p, char buf[LAMP_PREFIX_STRLEN]);

/* Whether the prefix covers the address, and whether two prefixes share an address. */
bool lamp_prefix_has(const struct lamp_prefix *p, const struct lamp_addr *a);
bool lamp_prefix_overlap(const struct lamp_prefix *a, const struct lamp_prefix *b);

/* Whether every bit past len is zero. */
bool lamp_prefix_is_canonical(const struct lamp_prefix *p);

/* Whether the address is of private or local use: RFC 1918, RFC 6598 (100.64/10),
 * RFC 3927 (169.254/16), loopback, RFC 4193 (fc00::/7), RFC 4291 (fe80::/10, ::1, ::). */
bool lamp_addr_is_private(const struct lamp_addr *a);

/* Whether the address is a multicast or broadcast address (224/4, 255.255.255.255, ff00::/8). */
bool lamp_addr_is_multicast(const struct lamp_addr *a);
