/* SPDX-License-Identifier: Apache-2.0 */
/* genworst: captures that are meant to cost as much as they can, each with its like: frames of the same
 * number and lengths, every one a packet of a flow that nobody saw before with noise in it.
 *   collide    flows whose ends lie in rows, swapped and mirrored, as one would try to make them collide
 *   nested     4 VLAN tags, 8 MPLS labels, 8 IP headers, then TCP
 *   vain       VXLAN in VXLAN to the limit, and nothing in the last one
 *   fragments  datagrams in fragments of 8 bytes, every second one first
 *   segments   stratum lines in segments of one byte
 *   disorder   the same, every second byte first
 *   json       stratum lines of 1,400 bytes, 14 levels deep
 */
#include "tests/support/frames.h"
#include "tests/support/rng.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gen {
    FILE *out;
    struct lamp_rng rng;
    bool random; /* write the like of each frame instead */
    uint64_t n;
};

/* The frame, or its like. */
static void write_frame(struct gen *g, struct frame *f)
{
    if (g->random) {
        const size_t len = f->len < 54 ? 54 : f->len;
        f->len = 0;
        const uint64_t ends = lamp_rng_u64(&g->rng), ports = lamp_rng_u64(&g->rng);
        put_ether(f, 0x0800);
        put_ip4(f, 6, (uint32_t)ends, (uint32_t)(ends >> 32), len - 34);
        put_tcp(f, (uint16_t)ports, (uint16_t)(ports >> 16), (uint32_t)(ports >> 32), 0x18);
        while (f->len < len) {
            const uint64_t noise = lamp_rng_u64(&g->rng);
            put(f, &noise, len - f->len < sizeof(noise) ? len - f->len : sizeof(noise));
        }
    }
    const uint64_t t_us = 1700000000000000 + g->n++ * 2;
    const uint32_t len = (uint32_t)f->len,
                   head[4] = { (uint32_t)(t_us / 1000000), (uint32_t)(t_us % 1000000), len, len };
    fwrite(head, sizeof(head), 1, g->out);
    fwrite(f->b, len, 1, g->out);
}

static void pad(struct frame *f, size_t n)
{
    while (n-- > 0)
        put8(f, 0xaa);
}

/* A TCP segment of the flow number `flow` from its client. */
static void segment(struct gen *g, uint32_t flow, uint32_t seq, uint8_t flags, const void *payload,
                    size_t len)
{
    struct frame f = { .len = 0 };
    put_ether(&f, 0x0800);
    put_ip4(&f, 6, 0x0a000000 + flow, 0xc6120001, 20 + len);
    put_tcp(&f, 40000, 3333, seq, flags);
    put(&f, payload, len);
    write_frame(g, &f);
}

static void collide(struct gen *g, uint32_t i)
{
    struct frame f = { .len = 0 };
    const uint32_t k = i / 2;
    const uint16_t a = (uint16_t)(1024 + (k & 0xff)), z = (uint16_t)(2048 + (k >> 8 & 0xff));
    const bool mirror = i & 1; /* the same two addresses, with the ports of the ends exchanged */
    put_ether(&f, 0x0800);
    put_ip4(&f, 6, 0x0a000000 + (k & 0xff), 0x0a010000 + (k >> 8), 26);
    put_tcp(&f, mirror ? z : a, mirror ? a : z, 1, 0x18);
    pad(&f, 6);
    write_frame(g, &f);
}

static void nested(struct gen *g, uint32_t i)
{
    enum { TAGS = 4, LABELS = 8, HEADERS = 8 };
    struct frame f = { .len = 0 };
    put_ether(&f, 0x8100);
    for (unsigned k = 0; k < TAGS; k++)
        put_vlan(&f, 1 + k, k + 1 < TAGS ? 0x8100 : 0x8847);
    for (unsigned k = 0; k < LABELS; k++)
        put32(&f, (16 + k) << 12 | (k + 1 == LABELS ? 0x100U : 0U) | 64);
    for (unsigned k = 0; k < HEADERS; k++)
        put_ip4(&f, k + 1 < HEADERS ? 4 : 6, 0x0a000000 + i, 0xc6120001 + k,
                (HEADERS - 1 - k) * 20 + 30);
    put_tcp(&f, 40000, 443, 1, 0x18);
    pad(&f, 10);
    write_frame(g, &f);
}

static void vain(struct gen *g, uint32_t i)
{
    enum { LEVELS = 8, LEVEL = 50 };
    struct frame f = { .len = 0 };
    for (unsigned k = 0; k < LEVELS; k++) {
        const size_t inside = (LEVELS - 1 - k) * LEVEL + 14;
        put_ether(&f, 0x0800);
        put_ip4(&f, 17, 0x0a000000 + i, 0xc6120001 + k, 16 + inside);
        put_udp(&f, 40000, 4789, 8 + inside);
        put(&f, (const uint8_t[8]){ 8 }, 8);
    }
    put_ether(&f, 0x88cc);
    write_frame(g, &f);
}

static void fragments(struct gen *g, uint32_t i)
{
    enum { PIECES = 32 };
    const uint32_t datagram = i / PIECES, k = i % PIECES;
    /* 0 2 4 ... 1 3 5: each of the first leaves a hole */
    const uint32_t piece = k < PIECES / 2 ? 2 * k : 2 * (k - PIECES / 2) + 1;
    struct frame f = { .len = 0 };
    put_ether(&f, 0x0800);
    put_ip4(&f, 17, 0x0a000000 + datagram, 0xc6120001, 8);
    f.b[18] = (uint8_t)(datagram >> 8);
    f.b[19] = (uint8_t)datagram;
    f.b[20] = piece + 1 < PIECES ? 0x20 : 0;
    f.b[21] = (uint8_t)piece;
    if (piece == 0)
        put_udp(&f, 40000, 53, PIECES * 8 - 8);
    else
        pad(&f, 8);
    pad(&f, 18); /* what Ethernet fills up with */
    write_frame(g, &f);
}

static const char line[] =
    "{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"davylamp-sample.rig\",\"5f2c\","
    "\"00000000abcd1234\",\"6553f100\",\"1b04864c\"]}\n";

static void segments(struct gen *g, uint32_t i, bool disorder)
{
    const uint32_t flow = i >> 14, at = i & 0x3fff;
    const uint32_t k = disorder ? at ^ 1 : at;
    if (at == 0)
        segment(g, flow, 0, 2, "", 0);
    segment(g, flow, 1 + k, 0x18, &line[k % (sizeof(line) - 1)], 1);
}

static void json(struct gen *g, uint32_t i)
{
    char b[1400];
    const uint32_t flow = i >> 10;
    size_t n = (size_t)snprintf(
        b, sizeof(b), "{\"id\":%u,\"method\":\"mining.submit\",\"params\":[\"w\",\"j\"],\"x\":", i);
    while (n < 1300) {
        for (unsigned k = 0; k < 13; k++)
            n += (size_t)snprintf(b + n, sizeof(b) - n, "[");
        for (unsigned k = 0; k < 13; k++)
            n += (size_t)snprintf(b + n, sizeof(b) - n, "]");
        n += (size_t)snprintf(b + n, sizeof(b) - n, ",\"\\\\\":");
    }
    n += (size_t)snprintf(b + n, sizeof(b) - n, "1}\n");
    if ((i & 0x3ff) == 0)
        segment(g, flow, 0, 2, "", 0);
    segment(g, flow, 1 + (i & 0x3ff) * (uint32_t)n, 0x18, b, n);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: genworst KIND PACKETS FILE.pcap [random]\n", stderr);
        return 2;
    }
    struct gen g = { .out = fopen(argv[3], "wbe"), .rng = { .state = 1 }, .random = argc > 4 };
    const uint32_t packets = (uint32_t)strtoul(argv[2], NULL, 10);
    const uint32_t header[6] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1 };
    if (!g.out || fwrite(header, sizeof(header), 1, g.out) != 1)
        return 1;
    for (uint32_t i = 0; i < packets; i++) {
        if (strcmp(argv[1], "collide") == 0)
            collide(&g, i);
        else if (strcmp(argv[1], "nested") == 0)
            nested(&g, i);
        else if (strcmp(argv[1], "vain") == 0)
            vain(&g, i);
        else if (strcmp(argv[1], "fragments") == 0)
            fragments(&g, i);
        else if (strcmp(argv[1], "segments") == 0)
            segments(&g, i, false);
        else if (strcmp(argv[1], "disorder") == 0)
            segments(&g, i, true);
        else if (strcmp(argv[1], "json") == 0)
            json(&g, i);
        else
            return 2;
    }
    return fclose(g.out) == 0 ? 0 : 1;
}
