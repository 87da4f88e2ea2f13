/* SPDX-License-Identifier: Apache-2.0 */
/* kawpow: Stratum for KawPow and the other ProgPow coins: jobs are [job, header, seed, target, clean,
 * height, bits], shares [user, job, nonce, header, mix] as ethminer's, and miners report their hash
 * rate as to an Ethereum pool (NiceHash's KawPow specification, kawpowminer). */
#include "sensor/recog/stratum.h"

#include <ctype.h>

static void on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    lamp_stratum_job_with_target(s, line, params, 3);
}

/* ethminer's shares look the same, but are paid to "0x..": what is paid to an address in base58, 33 to 35
 * characters of it, is a coin of ProgPow's. An account name tells nothing. */
static bool is_user(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    const struct lamp_bytes user = lamp_jsonline_string(lamp_jsonline_item(line, params, 0));
    size_t n = 0;
    while (n < user.len && isalnum(user.data[n]) && !strchr("0OIl", user.data[n]))
        n++;
    return n >= 33 && n <= 35 && (n == user.len || user.data[n] == '.' || user.data[n] == '/');
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.submit", "mining.submit, KawPow form", CERTAIN, UP, ASKED),
      .shape = "S.XHH", .fits = is_user },
    { LAMP_TELLS("mining.notify", "method mining.notify, KawPow form", CERTAIN, DOWN, OWN),
      .shape = ".HHHbnS", .take = on_notify },
    { LAMP_SAYS("eth_submitHashrate", CERTAIN, UP, GUESS), .take = lamp_stratum_on_hashrate },
};

const struct lamp_recog lamp_recog_kawpow = {
    .name = "kawpow",
    .family = "kawpow",
    .wallet_family = "kawpow-stratum",
    .algorithm = "kawpow",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
