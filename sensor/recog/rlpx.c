/* SPDX-License-Identifier: Apache-2.0 */
/* rlpx: how Ethereum nodes open their TCP connections (devp2p: rlpx.md, EIP-8): a length of two bytes
 * and an ECIES message of that length, which begins with an uncompressed public key (04). Before
 * EIP-8 the message had no length and 307 bytes. */
#include "common/cursor.h"
#include "sensor/recog/binary.h"

enum {
    KEY = 0x04,
    AUTH_MIN = 280, /* key, iv, MAC and the smallest body with its padding */
    AUTH_MAX = 800,
    AUTH_OLD = 307,
};

static bool is_auth(struct lamp_bytes p, uint32_t len)
{
    if (p.len < 3)
        return false;
    const uint32_t size = lamp_be16(p.data);
    if (p.data[2] == KEY && size + 2 == len && size >= AUTH_MIN && size <= AUTH_MAX)
        return true;
    return false;
}

static bool opens(struct lamp_bytes p, uint32_t len, uint16_t server_port)
{
    return is_auth(p, len) ||
           (len == AUTH_OLD && server_port == 30303 && p.len > 0 && p.data[0] == KEY);
}

static enum lamp_probe probe(const struct lamp_first *f, struct lamp_binary_hit *out)
{
    if (f->n_runs == 0)
        return LAMP_NEED_MORE;
    const struct lamp_run *auth = &f->runs[0];
    const struct lamp_bytes p = f->side[auth->dir];
    if (auth->dir != LAMP_UP || (f->n_runs > 1 && !opens(p, auth->len, f->server_port)))
        return LAMP_NO_MATCH;
    if (f->n_runs < 2)
        return auth->len > AUTH_MAX + 2 ? LAMP_NO_MATCH : LAMP_NEED_MORE;
    *out = (struct lamp_binary_hit){
        .what = "first message as long as its two bytes of length say, with an ECIES key",
        .coin = f->server_port == 30303 ? "ETH" : NULL,
        .dir = LAMP_UP,
        .confidence = 0.97,
    };
    return LAMP_MATCH;
}

const struct lamp_binary lamp_binary_rlpx = {
    .name = "rlpx", .family = "ethereum-rlpx", .opens = opens, .probe = probe
};
