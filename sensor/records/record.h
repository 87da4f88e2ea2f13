/* SPDX-License-Identifier: Apache-2.0 */
/* record: a flow record of a router or a collector, whatever it came in. Plain data. Its bytes are those of IP
 * packets, without what a link puts around them, unlike the frames that sources count. */
#pragma once

#include "common/addr.h"
#include "common/min.h"

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

/* Whether it can be a measurement: no packet has more than IP's 65535 bytes, and where packets are not told no link
 * carries more than 400 Gbit/s. */
static inline bool lamp_record_is_plausible(const struct lamp_record *r)
{
    const uint64_t lasted_us = r->last_us > r->first_us ? r->last_us - r->first_us : 0;
    const uint64_t bytes_a_second = UINT64_C(50000000000);
    for (unsigned i = 0; i < 2; i++) {
        const uint64_t seconds = lamp_min_u64(lasted_us / 1000000, 86400) + 1;
        const uint64_t most = r->packets[i] ? lamp_min_u64(r->packets[i], LAMP_RECORD_MAX) * 65535
                                            : seconds * bytes_a_second;
        if (r->packets[i] > LAMP_RECORD_MAX || r->bytes[i] > lamp_min_u64(most, LAMP_RECORD_MAX))
            return false;
    }
    return true;
}

typedef void lamp_record_fn(const struct lamp_record *r, void *arg);
