/* SPDX-License-Identifier: Apache-2.0 */
/* kaspa: Stratum for Kaspa and its forks, which says it is EthereumStratum/1.0.0: jobs are [job, four
 * 64-bit words of the header's hash, time], or [job, the hash and time as 80 hex digits] for hardware;
 * shares are [user, job, nonce]; the extranonce comes unasked (kaspa-stratum-bridge). */
#include "sensor/recog/stratum.h"

/* Addresses name their chain, so a user name does. */
static bool is_user(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    static const char *const chains[] = { "kaspa:",   "karlsen:", "pyrin:",  "nexellia:",
                                          "spectre:", "hoosat:",  "astrix:", "kaspatest:" };
    const struct lamp_bytes user = lamp_jsonline_string(lamp_jsonline_item(line, params, 0));
    for (size_t i = 0; i < ARRAY_LEN(chains); i++)
        if (lamp_begins_with(user, chains[i]))
            return true;
    return false;
}

static bool is_job(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *work = lamp_jsonline_item(line, params, 1);
    return lamp_has_shape(line, work, "nnnn") || lamp_is_hex(lamp_jsonline_string(work), 80);
}

/* [true, "EthereumStratum/1.0.0"]. */
static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    if (lamp_has_shape(line, result, "bS") &&
        lamp_begins_with(lamp_jsonline_string(lamp_jsonline_item(line, result, 1)),
                         "EthereumStratum/"))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "answer to mining.subscribe",
                                      LAMP_FIRM_OWN };
    return (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, Kaspa form", CERTAIN, DOWN, OWN),
      .fits = is_job },
    { LAMP_TELLS("mining.authorize", "mining.authorize with an address of Kaspa's form", CERTAIN,
                 UP, OWN),
      .fits = is_user },
    { LAMP_TELLS("mining.submit", "mining.submit with an address of Kaspa's form", CERTAIN, UP,
                 OWN),
      .fits = is_user },
    { LAMP_SAYS("set_extranonce", STRONG, DOWN, COMMON), .shape = "X*" },
};

const struct lamp_recog lamp_recog_kaspa = {
    .name = "kaspa",
    .family = "kaspa",
    .wallet_family = "kaspa-stratum",
    .algorithm = "kheavyhash",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
};
