/* SPDX-License-Identifier: Apache-2.0 */
/* dns: the question of a DNS message and the addresses its answers give (RFC 1035 4, RFC 3596).
 * Pure functions, no allocation. Bounded: names are 255 bytes on the wire, compression
 * pointers only lead backwards and at most LAMP_DNS_HOPS of them are followed, at most
 * LAMP_DNS_RECORDS answers are looked at and LAMP_DNS_ADDRS addresses kept. */
#pragma once

#include "common/addr.h"

enum {
    LAMP_DNS_NAME = 254, /* longest name as text with its NUL: 253 characters */
    LAMP_DNS_HOPS = 32,
    LAMP_DNS_RECORDS = 64,
    LAMP_DNS_ADDRS = 16,
};

struct lamp_dns_addr {
    struct lamp_addr addr;
    uint32_t ttl_s;
};

struct lamp_dns {
    char name[LAMP_DNS_NAME]; /* of the first question, lower case, without the last dot */
    uint16_t type;            /* of the question: 1 A, 28 AAAA */
    bool is_response;
    uint8_t rcode;
    /* The A and AAAA answers for the name or for what CNAMEs make of it, in their order. The
     * ttl is the smallest on the way. */
    struct lamp_dns_addr addrs[LAMP_DNS_ADDRS];
    size_t n_addrs;
    bool cut; /* the message goes on past these bytes, or past our limits */
};

/* Reads one message as it stands in a UDP payload (in TCP it follows a length of two bytes,
 * which the caller takes off). Names that are no host names (anything but letters, digits,
 * '-', '_') are LAMP_EFORMAT, as is whatever is no standard query or answer with one question.
 * On error *out is untouched. */
LAMP_CHECK int lamp_dns_parse(struct lamp_bytes message, struct lamp_dns *out);
