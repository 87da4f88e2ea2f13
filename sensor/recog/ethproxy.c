/* SPDX-License-Identifier: Apache-2.0 */
/* ethproxy: Ethereum's getWork protocol over JSON lines: eth_submitLogin, eth_getWork,
 * eth_submitWork, eth_submitHashrate (the Ethereum wiki's JSON-RPC page). Other eth_* methods belong to
 * wallets and nodes and are no sign of mining. */
#include "sensor/recog/stratum.h"

/* The work of an answer or push: ["0x<header>", "0x<seed>", "0x<target>"(, "0x<height>")].
 * NULL if the line has none. */
static const struct lamp_jsonvalue *work_of(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    const size_t n = lamp_jsonline_count(line, result);
    if (lamp_jsonline_top(line, "method") || n < 3 || n > 5)
        return NULL;
    for (size_t i = 0; i < 3; i++)
        if (!lamp_is_hex(lamp_jsonline_string(lamp_jsonline_item(line, result, i)), 64))
            return NULL;
    return result;
}

/* Three hashes are also what a node returns for three log entries, so a push counts by the
 * leading zeros that a pool's target has: 32 bits are certain (2^-32 by chance). Small numbers
 * as 32-byte words have far more than any target, and no header hash is one. */
static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    struct lamp_finding f = { LAMP_GRADE_NONE, LAMP_DOWN, "work package", LAMP_FIRM_OWN };
    const struct lamp_jsonvalue *work = work_of(line);
    if (!work)
        return f;
    const double header =
        lamp_target_hashes(lamp_jsonline_string(lamp_jsonline_item(line, work, 0)));
    const double hashes =
        lamp_target_hashes(lamp_jsonline_string(lamp_jsonline_item(line, work, 2)));
    if (header > 0 && header < 0x1p64 && hashes >= 65536 && hashes < 0x1p100)
        f.grade = hashes >= 4294967296.0 ? LAMP_GRADE_CERTAIN : LAMP_GRADE_STRONG;
    return f;
}

/* ---- following ---- */

/* [user, password]; the worker may stand beside the method. */
static void on_login(struct lamp_session *s, const struct lamp_jsonline *line,
                     const struct lamp_jsonvalue *params)
{
    lamp_session_worker(s, lamp_jsonline_top(line, "worker"));
    lamp_session_user(s, lamp_jsonline_item(line, params, 0));
    lamp_stratum_on_request(s, line, params);
}

static void on_get_work(struct lamp_session *s, const struct lamp_jsonline *line,
                        const struct lamp_jsonvalue *params)
{
    (void)params;
    lamp_session_request(s, line, "answer to eth_getWork");
}

/* [nonce, header, mix]: the header names the work. */
static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    lamp_session_share(s, line, lamp_jsonline_string(lamp_jsonline_item(line, params, 1)),
                       "answer to eth_submitWork");
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    struct lamp_finding f = { .grade = LAMP_GRADE_NONE, .dir = dir };
    if (dir == LAMP_UP)
        return f;
    const struct lamp_jsonvalue *work = work_of(line);
    if (work) {
        const struct lamp_bytes header = lamp_jsonline_string(lamp_jsonline_item(line, work, 0));
        const struct lamp_weight w = { .hashes = lamp_target_hashes(lamp_jsonline_string(
                                           lamp_jsonline_item(line, work, 2))) };
        lamp_session_job(s, header, &w);
    }
    enum lamp_outcome outcome = LAMP_OUTCOME_NONE;
    f.what = lamp_session_answer(s, line, &outcome);
    if (f.what && outcome == LAMP_OUTCOME_ACCEPTED)
        f.grade = LAMP_GRADE_CERTAIN;
    return f;
}

static const struct lamp_method methods[] = {
    { LAMP_SAYS("eth_submitLogin", CERTAIN, UP, OWN), .take = on_login },
    { LAMP_SAYS("eth_login", CERTAIN, UP, OWN), .take = on_login },
    { LAMP_SAYS("eth_getWork", CERTAIN, UP, OWN), .take = on_get_work },
    { LAMP_SAYS("eth_submitWork", CERTAIN, UP, OWN), .take = on_submit },
    /* also said to the pools of other coins, which a job will tell */
    { LAMP_SAYS("eth_submitHashrate", CERTAIN, UP, GUESS), .take = lamp_stratum_on_hashrate },
};

const struct lamp_recog lamp_recog_ethproxy = {
    .name = "ethproxy",
    .family = "eth-proxy",
    .wallet_family = "eth-proxy",
    .algorithm = "ethash",
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
    .follow = follow,
};
