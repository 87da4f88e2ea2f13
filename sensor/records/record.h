/* SPDX-License-Identifier: Apache-2.0 */
/* record: a flow record of a router or a collector, whatever it came in. Plain data. Its bytes are those of IP
 * packets, without what a link puts around them, unlike the frames that sources count. */
#pragma once

#include "common/addr.h"

enum { LAMP_RECORD_FORWARD, LAMP_RECORD_BACK };

/* More bytes or packets in one record than this are no measurement: 1 TiB. */
#define LAMP_RECORD_MAX (UINT64_C(1) << 40)

struct lamp_record {
    struct lamp_addr src, dst;
    uint16_t src_port, dst_port;
    uint8_t ip_proto;
    uint8_t tcp_flags;          /* of all its packets; 0: none, or not known */
    uint16_t vlan;              /* 0: none, or not known */
    uint64_t first_us, last_us; /* microseconds since 1970 */
    uint64_t bytes[2],
        packets[2];    /* from src, and back to it where the record has both ways; of all packets:
                                      what was sampled is multiplied already */
    uint32_t sampling; /* one of so many packets was looked at; 1: every one */
    const char *name;  /* how the source of the records calls dst; borrowed; NULL: not said */
};

typedef void lamp_record_fn(const struct lamp_record *r, void *arg);
