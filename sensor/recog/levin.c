/* SPDX-License-Identifier: Apache-2.0 */
/* levin: the peer-to-peer protocol of Monero and other CryptoNote coins. A header of 33 bytes:
 * signature, length of what follows, whether an answer is wanted, command, result, flags, version,
 * all little-endian (monero: docs/LEVIN_PROTOCOL.md). The handshake names the network. */
#include "sensor/recog/binary.h"

enum { SIGNATURE = 8, HEADER = 33, LENGTH_MAX = 100 << 20 };

static const uint8_t signature[SIGNATURE] = { 0x01, 0x21, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01 };

/* Monero's network id: cryptonote_config.h, NETWORK_ID. */
static const uint8_t monero[16] = { 0x12, 0x30, 0xf1, 0x71, 0x61, 0x04, 0x41, 0x61,
                                    0x17, 0x31, 0x00, 0x82, 0x16, 0xa1, 0xa1, 0x10 };

static bool opens(struct lamp_bytes p, uint32_t len, uint16_t server_port)
{
    (void)len;
    (void)server_port;
    return p.len >= 2 && p.data[0] == signature[0] &&
           memcmp(p.data, signature, lamp_min(p.len, SIGNATURE)) == 0;
}

static enum lamp_probe side(struct lamp_bytes p)
{
    if (p.len < HEADER)
        return memcmp(p.data ? p.data : signature, signature, lamp_min(p.len, SIGNATURE)) == 0
                   ? LAMP_NEED_MORE
                   : LAMP_NO_MATCH;
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | p.data[SIGNATURE + i];
    return memcmp(p.data, signature, SIGNATURE) == 0 && length <= LENGTH_MAX && p.data[16] <= 1
               ? LAMP_MATCH
               : LAMP_NO_MATCH;
}

/* Who speaks first decides. */
static enum lamp_probe probe(const struct lamp_first *f, struct lamp_binary_hit *out)
{
    if (f->n_runs == 0)
        return LAMP_NEED_MORE;
    const enum lamp_dir dir = (enum lamp_dir)f->runs[0].dir;
    const struct lamp_bytes p = f->side[dir];
    const enum lamp_probe found = side(p);
    if (found != LAMP_MATCH)
        return found;
    const bool named = memmem(p.data, p.len, monero, sizeof(monero)) != NULL;
    *out = (struct lamp_binary_hit){
        .what = named ? "Levin handshake of the Monero network" : "Levin message header",
        .coin = named || f->server_port == 18080 ? "XMR" : NULL,
        .dir = dir,
        .confidence = 0.99,
    };
    return LAMP_MATCH;
}

const struct lamp_binary lamp_binary_levin = {
    .name = "levin", .family = "monero-p2p", .opens = opens, .probe = probe
};
