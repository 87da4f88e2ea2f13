/* SPDX-License-Identifier: Apache-2.0 */
/* discv4: how Ethereum nodes find each other over UDP (devp2p: discv4.md). A packet: hash of 32 bytes,
 * signature of 65 whose last byte is 0 or 1, type 1 to 6, then an RLP list that fills the rest; EIP-8
 * lets more follow. */
#include "common/cursor.h"
#include "sensor/recog/binary.h"

enum { RECOVERY_AT = 96, TYPE_AT = 97, DATA_AT = 98, PACKET_MAX = 1280 };

/* The length of the RLP list that begins here, with its own header; 0: there is none. */
static uint32_t list_length(struct lamp_bytes p)
{
    if (p.len < 3)
        return 0;
    if (p.data[0] >= 0xc0 && p.data[0] <= 0xf7)
        return 1U + (p.data[0] - 0xc0U);
    if (p.data[0] == 0xf8)
        return 2U + p.data[1];
    return p.data[0] == 0xf9 ? 3U + lamp_be16(p.data + 1) : 0;
}

static bool opens(struct lamp_bytes p, uint32_t len, uint16_t server_port)
{
    if (len <= DATA_AT || len > PACKET_MAX || p.len < DATA_AT + 3)
        return false;
    if (p.data[TYPE_AT] < 1 || p.data[TYPE_AT] > 6 || p.data[RECOVERY_AT] > 1)
        return false;
    const uint32_t list = list_length((struct lamp_bytes){ p.data + DATA_AT, p.len - DATA_AT });
    return list == len - DATA_AT || (list > 1 && list < len - DATA_AT && server_port == 30303);
}

static enum lamp_probe probe(const struct lamp_first *f, struct lamp_binary_hit *out)
{
    if (f->n_runs == 0)
        return LAMP_NEED_MORE;
    const struct lamp_run *r = &f->runs[0];
    if (f->ip_proto != LAMP_IPPROTO_UDP || !opens(f->side[r->dir], r->len, f->server_port))
        return LAMP_NO_MATCH;
    *out = (struct lamp_binary_hit){
        .what = "discovery packet: signature, type and an RLP list of just the right length",
        .coin = "ETH",
        .dir = (enum lamp_dir)r->dir,
        .confidence = 0.97,
    };
    return LAMP_MATCH;
}

const struct lamp_binary lamp_binary_discv4 = {
    .name = "discv4", .family = "ethereum-discv4", .opens = opens, .probe = probe
};
