/* SPDX-License-Identifier: Apache-2.0 */
/* bitcoin: Stratum v1 with the jobs of Bitcoin and all coins that kept its block header: [job,
 * previous hash, coinbase begin, coinbase end, [merkle branch, ..], version, bits, time, clean]
 * (the Stratum mining protocol page of the Bitcoin wiki). */
#include "sensor/recog/stratum.h"

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, Bitcoin form", CERTAIN, DOWN, OWN),
      .shape = ".HSSawwwb*" },
};

const struct lamp_recog lamp_recog_bitcoin = {
    .name = "bitcoin",
    .family = "stratum-v1",
    .wallet_family = "stratum-v1",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
