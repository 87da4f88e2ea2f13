/* SPDX-License-Identifier: Apache-2.0 */
/* nodeport: what talks something binary at a port where the nodes of a coin listen by default (the
 * chainparams of each, as its default port) and is nothing else we know. A port alone proves
 * nothing, so that the confidence is low; it is asked last. Bitcoin's encrypted transport (BIP 324)
 * cannot be told otherwise: random bytes, at least 64 from each side. */
#include "sensor/recog/binary.h"

enum { KEY = 64 };

static const struct {
    const char *coin;
    uint16_t port;
    bool is_bip324;
} ports[] = {
    { "BTC", 8333, true },   { "BTC", 18333, true }, /* testnet3 */
    { "BTC", 38333, true },                          /* signet */
    { "LTC", 9333, false },  { "DASH", 9999, false }, { "DOGE", 22556, false },
    { "ZEC", 8233, false },  { "XMR", 18080, false }, { "ETH", 30303, false },
    { "ERG", 9030, false },  { "RVN", 8767, false },  { "DGB", 12024, false },
    { "GRIN", 3414, false }, { "XCH", 8444, false },
};

static size_t find(uint16_t port)
{
    size_t i = 0;
    while (i < ARRAY_LEN(ports) && ports[i].port != port)
        i++;
    return i;
}

/* The first `len` bytes are neither text nor TLS. */
static bool is_binary(struct lamp_bytes p, uint32_t len)
{
    size_t odd = 0;
    for (size_t i = 0; i < p.len && i < len && i < 16; i++)
        odd += (p.data[i] < 0x20 && p.data[i] != '\r' && p.data[i] != '\n' && p.data[i] != '\t') ||
               p.data[i] >= 0x7f;
    return odd >= 3 && !(p.data[0] >= 0x14 && p.data[0] <= 0x17 && p.data[1] == 3);
}

static bool opens(struct lamp_bytes p, uint32_t len, uint16_t server_port)
{
    return len >= 8 && p.len >= 8 && find(server_port) < ARRAY_LEN(ports) && is_binary(p, len);
}

static enum lamp_probe probe(const struct lamp_first *f, struct lamp_binary_hit *out)
{
    const size_t i = find(f->server_port);
    if (i == ARRAY_LEN(ports) || f->ip_proto != LAMP_IPPROTO_TCP)
        return LAMP_NO_MATCH;
    if (f->n_runs < 3)
        return LAMP_NEED_MORE;
    if (!opens(f->side[LAMP_UP], f->runs[0].len, f->server_port) ||
        !opens(f->side[LAMP_DOWN], f->runs[1].len, f->server_port) ||
        (ports[i].is_bip324 && (f->runs[0].len < KEY || f->runs[1].len < KEY)))
        return LAMP_NO_MATCH;
    *out = (struct lamp_binary_hit){
        .what = ports[i].is_bip324 ? "binary from 64 bytes on both ways, as BIP 324 begins, at the "
                                     "port of the coin's nodes"
                                   : "something binary at the port of the coin's nodes",
        .coin = ports[i].coin,
        .dir = LAMP_DOWN,
        .confidence = 0.3,
    };
    return LAMP_MATCH;
}

const struct lamp_binary lamp_binary_nodeport = {
    .name = "nodeport", .family = "node-port", .opens = opens, .probe = probe
};
