/* SPDX-License-Identifier: Apache-2.0 */
/* handshake: Stratum for Handshake: jobs are [job, previous hash, merkle root, witness root, tree root,
 * reserved root, version, bits, time], or, where the miner builds the coinbase, [job, previous hash,
 * coinbase begin, coinbase end, [merkle branch, ..], tree root, filter root, reserved root, version,
 * bits, time, clean] (the hstratum specification). */
#include "sensor/recog/stratum.h"

static bool is_user(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_begins_with(lamp_jsonline_string(lamp_jsonline_item(line, params, 0)), "hs1");
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.authorize", "mining.authorize with an address of Handshake", CERTAIN, UP,
                 ASKED),
      .fits = is_user },
    { LAMP_TELLS("mining.submit", "mining.submit with an address of Handshake", CERTAIN, UP, ASKED),
      .fits = is_user },
    { LAMP_TELLS("mining.notify", "method mining.notify, Handshake form", CERTAIN, DOWN, OWN),
      .shape = ".HHHHHwww*" },
    { LAMP_TELLS("mining.notify", "method mining.notify, hstratum form", CERTAIN, DOWN, OWN),
      .shape = ".HSSaHHHwww*" },
};

const struct lamp_recog lamp_recog_handshake = {
    .name = "handshake",
    .family = "handshake",
    .algorithm = "blake2b-sha3",
    .coin = "HNS",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
