/* SPDX-License-Identifier: Apache-2.0 */
/* ergo: Stratum for Ergo's Autolykos: jobs are [job, height, message, "", "", version, b, "", clean],
 * where b, a decimal number, is the target of a share; shares are [user, job, extranonce2, time or "",
 * nonce] (ErgoJob.cs of miningcore). Pools that set a difficulty other than 1 mean 2^32 hashes by a
 * unit of it, and b is the network's then (NiceHash's Autolykos specification). */
#include "sensor/recog/stratum.h"

#include <math.h>

static void on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    const struct lamp_bytes digits = lamp_jsonline_string(lamp_jsonline_item(line, params, 6));
    double b = 0;
    for (size_t i = 0; i < digits.len && i < 80; i++)
        b = b * 10 + (digits.data[i] - '0');
    const double difficulty = s->current.difficulty;
    const bool by_b = difficulty == 0 || (difficulty > 0.999 && difficulty < 1.001);
    struct lamp_weight w = { .difficulty = difficulty, .hashes = b > 0 ? ldexp(1, 256) / b : 0 };
    if (!by_b)
        w.hashes = 0;
    lamp_session_job(s, lamp_jsonline_item(line, params, 0)->text, &w);
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, Ergo form", CERTAIN, DOWN, OWN),
      .shape = ".nHee.deb", .take = on_notify },
    { LAMP_TELLS("mining.submit", "method mining.submit, Ergo form", CERTAIN, UP, ASKED),
      .shape = "SSXeX" },
};

const struct lamp_recog lamp_recog_ergo = {
    .name = "ergo",
    .family = "ergo",
    .algorithm = "autolykos2",
    .coin = "ERG",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
