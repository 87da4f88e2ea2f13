/* SPDX-License-Identifier: Apache-2.0 */
/* ethstratum: Ethash over plain Stratum v1, ethminer's stratum1+tcp: jobs are [job, header, seed,
 * target, clean], shares [user, job, nonce, header, mix], and the worker may stand beside the method
 * (EthStratumClient.cpp of ethminer). */
#include "sensor/recog/stratum.h"

static void on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    lamp_stratum_job_with_target(s, line, params, 3);
}

static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    lamp_stratum_on_submit(s, line, params);
    lamp_session_worker(s, lamp_jsonline_top(line, "worker"));
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, ethminer's form", CERTAIN, DOWN, OWN),
      .shape = ".HHHb", .take = on_notify },
    { LAMP_SAYS("mining.submit", CERTAIN, UP, GUESS), .take = on_submit },
    { LAMP_SAYS("eth_submitHashrate", CERTAIN, UP, GUESS), .take = lamp_stratum_on_hashrate },
};

const struct lamp_recog lamp_recog_ethstratum = {
    .name = "ethstratum",
    .family = "stratum-v1",
    .wallet_family = "eth-proxy",
    .algorithm = "ethash",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
