/* SPDX-License-Identifier: Apache-2.0 */
/* warthog: Stratum for Warthog's Janushash: jobs are [job, previous hash, merkle prefix of 32 or 64
 * bytes, version, bits, time, clean], shares [user, job, extranonce2, time, nonce] (Pool Mining in
 * Warthog). */
#include "sensor/recog/stratum.h"

/* An address has 48 hex digits (20 bytes and a checksum of 4), as no other coin's. */
static bool is_user(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    enum { DIGITS = 48 };
    const struct lamp_bytes user = lamp_jsonline_string(lamp_jsonline_item(line, params, 0));
    return user.len >= DIGITS && lamp_is_hex((struct lamp_bytes){ user.data, DIGITS }, DIGITS) &&
           (user.len == DIGITS || user.data[DIGITS] == '.');
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.authorize", "mining.authorize with an address of Warthog", CERTAIN, UP,
                 ASKED),
      .fits = is_user },
    { LAMP_TELLS("mining.submit", "mining.submit with an address of Warthog", CERTAIN, UP, ASKED),
      .fits = is_user },
    { LAMP_TELLS("mining.notify", "method mining.notify, Warthog form", CERTAIN, DOWN, OWN),
      .shape = ".HXwwwb" },
};

const struct lamp_recog lamp_recog_warthog = {
    .name = "warthog",
    .family = "warthog",
    .algorithm = "janushash",
    .coin = "WART",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
