/* SPDX-License-Identifier: Apache-2.0 */
/* nexa: Stratum for Nexa: jobs are [job, header commitment, height, bits] (NexaPool.cs of miningcore);
 * all else is as in Bitcoin's. */
#include "sensor/recog/stratum.h"

static bool is_user(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_begins_with(lamp_jsonline_string(lamp_jsonline_item(line, params, 0)), "nexa:");
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, Nexa form", CERTAIN, DOWN, OWN),
      .shape = ".Hnw*" },
    { LAMP_TELLS("mining.authorize", "mining.authorize with an address of Nexa", CERTAIN, UP, OWN),
      .fits = is_user },
    { LAMP_TELLS("mining.submit", "mining.submit with an address of Nexa", CERTAIN, UP, OWN),
      .fits = is_user },
};

const struct lamp_recog lamp_recog_nexa = {
    .name = "nexa",
    .family = "nexa",
    .algorithm = "nexapow",
    .coin = "NEXA",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
