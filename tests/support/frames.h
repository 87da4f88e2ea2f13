/* SPDX-License-Identifier: Apache-2.0 */
/* frames: single frames by hand, for tests that need one odd header rather than a whole
 * conversation (that is capfile's work). Header only; checksums are left zero, since nothing
 * in the sensor checks them. */
#pragma once

#include "sensor/engine/packet.h"

#include <assert.h>

enum { FRAME_MAX = 4096 };

struct frame {
    uint8_t b[FRAME_MAX];
    size_t len;
};

static inline void put(struct frame *f, const void *data, size_t len)
{
    assert(f->len + len <= sizeof(f->b));
    memcpy(f->b + f->len, data, len);
    f->len += len;
}

static inline void put8(struct frame *f, unsigned v)
{
    put(f, &(uint8_t){ (uint8_t)v }, 1);
}

static inline void put16(struct frame *f, unsigned v)
{
    put8(f, v >> 8);
    put8(f, v);
}

static inline void put32(struct frame *f, uint32_t v)
{
    put16(f, v >> 16);
    put16(f, v & 0xffff);
}

static inline void put_ether(struct frame *f, unsigned type)
{
    put(f, (const uint8_t[12]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 }, 12);
    put16(f, type);
}

static inline void put_vlan(struct frame *f, unsigned id, unsigned type)
{
    put16(f, id);
    put16(f, type);
}

/* An IPv4 header without options for `len` bytes after it. */
static inline void put_ip4(struct frame *f, unsigned proto, uint32_t src, uint32_t dst, size_t len)
{
    put16(f, 0x4500);
    put16(f, (unsigned)len + 20);
    put32(f, 0x00004000); /* id, do not fragment */
    put8(f, 64);
    put8(f, proto);
    put16(f, 0);
    put32(f, src);
    put32(f, dst);
}

/* An IPv6 header; the addresses are fd00::src and fd00::dst. */
static inline void put_ip6(struct frame *f, unsigned next, uint8_t src, uint8_t dst, size_t len)
{
    put32(f, 0x60000000);
    put16(f, (unsigned)len);
    put8(f, next);
    put8(f, 64);
    put(f, (const uint8_t[16]){ [0] = 0xfd, [15] = src }, 16);
    put(f, (const uint8_t[16]){ [0] = 0xfd, [15] = dst }, 16);
}

static inline void put_tcp(struct frame *f, uint16_t sport, uint16_t dport, uint32_t seq,
                           unsigned flags)
{
    put16(f, sport);
    put16(f, dport);
    put32(f, seq);
    put32(f, 0);
    put8(f, 0x50);
    put8(f, flags);
    put32(f, 0xffff0000); /* window, checksum */
    put16(f, 0);
}

static inline void put_udp(struct frame *f, uint16_t sport, uint16_t dport, size_t len)
{
    put16(f, sport);
    put16(f, dport);
    put16(f, (unsigned)len + 8);
    put16(f, 0);
}
