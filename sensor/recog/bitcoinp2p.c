/* SPDX-License-Identifier: Apache-2.0 */
/* bitcoinp2p: the peer-to-peer protocol of Bitcoin and its relatives, version 1. A message: network
 * magic, command of 12 bytes padded with NULs, length, checksum (Bitcoin developer reference, P2P
 * Network, Message Headers). The magic tells the network. */
#include "common/cursor.h"
#include "sensor/recog/binary.h"

#include <ctype.h>

enum { HEADER = 24, COMMAND_AT = 4, COMMAND = 12, LENGTH_MAX = 32 << 20 };

static const struct {
    uint32_t magic; /* as sent, first byte highest */
    const char *coin;
} networks[] = {
    { 0xf9beb4d9, "BTC" }, { 0x0b110907, "BTC" }, /* testnet3 */
    { 0x1c163f28, "BTC" },                        /* testnet4 */
    { 0x0a03cf40, "BTC" },                        /* signet */
    { 0xfabfb5da, "BTC" },                        /* regtest */
    { 0xf9beb4fe, "NMC" }, { 0xfbc0b6db, "LTC" }, { 0xc0c0c0c0, "DOGE" }, { 0xbf0c6bbd, "DASH" },
    { 0xe3e1f3e8, "BCH" }, { 0x24e92764, "ZEC" }, { 0xfac3b6da, "DGB" },  { 0x5241564e, "RVN" },
};

static const char *network(uint32_t magic, bool *known)
{
    for (size_t i = 0; i < ARRAY_LEN(networks); i++)
        if (networks[i].magic == magic) {
            *known = true;
            return networks[i].coin;
        }
    *known = false;
    return NULL;
}

/* Letters and digits, then NULs to the end; as far as it is there. */
static bool is_command(struct lamp_bytes b)
{
    bool ended = false;
    if (b.len == 0 || !islower(b.data[0]))
        return b.len == 0;
    for (size_t i = 0; i < b.len; i++) {
        const uint8_t c = b.data[i];
        if (c == 0)
            ended = true;
        else if (ended || !(islower(c) || isdigit(c) || c == '_'))
            return false;
    }
    return true;
}

static bool opens(struct lamp_bytes p, uint32_t len, uint16_t server_port)
{
    (void)len;
    (void)server_port;
    if (p.len < COMMAND_AT + 2)
        return false;
    /* a network we do not know is believed if it opens with "version" */
    bool known;
    network(lamp_be32(p.data), &known);
    const struct lamp_bytes command = { p.data + COMMAND_AT,
                                        lamp_min(p.len - COMMAND_AT, COMMAND) };
    return (known && is_command(command)) ||
           (command.len == COMMAND && memcmp(command.data, "version\0\0\0\0", COMMAND) == 0);
}

static enum lamp_probe side(struct lamp_bytes p, const char **out_coin)
{
    if (p.len < HEADER)
        return LAMP_NEED_MORE;
    bool known;
    const char *coin = network(lamp_be32(p.data), &known);
    const uint8_t *command = p.data + COMMAND_AT;
    const uint8_t *l = command + COMMAND;
    const uint32_t length =
        (uint32_t)l[3] << 24 | (uint32_t)l[2] << 16 | (uint32_t)l[1] << 8 | l[0];
    if (length > LENGTH_MAX || !is_command((struct lamp_bytes){ command, COMMAND }) ||
        (!known && memcmp(command, "version\0\0\0\0", COMMAND) != 0))
        return LAMP_NO_MATCH;
    *out_coin = coin;
    return LAMP_MATCH;
}

/* Who speaks first decides. */
static enum lamp_probe probe(const struct lamp_first *f, struct lamp_binary_hit *out)
{
    if (f->n_runs == 0)
        return LAMP_NEED_MORE;
    const enum lamp_dir dir = (enum lamp_dir)f->runs[0].dir;
    const char *coin = NULL;
    const enum lamp_probe found = side(f->side[dir], &coin);
    if (found == LAMP_MATCH)
        *out = (struct lamp_binary_hit){
            .what = "network magic and command of a peer-to-peer message",
            .coin = coin,
            .dir = dir,
            .confidence = 0.99,
        };
    return found;
}

const struct lamp_binary lamp_binary_bitcoinp2p = {
    .name = "bitcoinp2p", .family = "bitcoin-p2p", .opens = opens, .probe = probe
};
