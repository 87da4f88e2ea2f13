/* SPDX-License-Identifier: Apache-2.0 */
/* kaspagrpc: a node of Kaspa speaks gRPC in the clear, to wallets and to other nodes: HTTP/2 with its
 * preface (RFC 9113 section 3.4) at one of the ports of kaspad and rusty-kaspa. What is called comes in a
 * later message and packed by HPACK, so that it rests on preface, port and an answer in HTTP/2. */
#include "sensor/recog/binary.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum { PREFACE = sizeof(preface) - 1, FRAME_HEADER = 9, SETTINGS = 4 };

static bool is_port(uint16_t port)
{
    return port == 16110 || port == 16111 || port == 16210 || port == 16211; /* 162xx: testnet */
}

static bool opens(struct lamp_bytes p, uint32_t len, uint16_t server_port)
{
    return is_port(server_port) && len >= PREFACE && p.len >= PREFACE &&
           memcmp(p.data, preface, PREFACE) == 0;
}

/* The server's first frame is SETTINGS, of stream 0, without an acknowledgement (section 3.4). */
static bool is_settings(struct lamp_bytes p)
{
    static const uint8_t rest[] = { SETTINGS, 0, 0, 0, 0, 0 };
    return p.data[0] == 0 && p.data[1] == 0 && memcmp(p.data + 3, rest, sizeof(rest)) == 0;
}

static enum lamp_probe probe(const struct lamp_first *f, struct lamp_binary_hit *out)
{
    const struct lamp_bytes up = f->side[LAMP_UP], down = f->side[LAMP_DOWN];
    if (f->ip_proto != LAMP_IPPROTO_TCP || !is_port(f->server_port) ||
        memcmp(up.data, preface, lamp_min(up.len, PREFACE)) != 0)
        return LAMP_NO_MATCH;
    if (up.len < PREFACE || down.len < FRAME_HEADER)
        return LAMP_NEED_MORE;
    if (!is_settings(down))
        return LAMP_NO_MATCH;
    *out = (struct lamp_binary_hit){
        .what = "gRPC in the clear at a port of the coin's nodes",
        .coin = "KAS",
        .dir = LAMP_DOWN,
        .confidence = 0.9,
    };
    return LAMP_MATCH;
}

const struct lamp_binary lamp_binary_kaspagrpc = {
    .name = "kaspagrpc", .family = "kaspa-grpc", .opens = opens, .probe = probe
};
