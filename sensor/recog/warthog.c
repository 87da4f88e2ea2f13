/* SPDX-License-Identifier: Apache-2.0 */
/* warthog: Stratum for Warthog's Janushash: jobs are [job, previous hash, merkle prefix of 32 or 64
 * bytes, version, bits, time, clean], shares [user, job, extranonce2, time, nonce] (Pool Mining in
 * Warthog). */
#include "sensor/recog/stratum.h"

static const struct lamp_method methods[] = {
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
