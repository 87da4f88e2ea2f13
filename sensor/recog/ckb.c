/* SPDX-License-Identifier: Apache-2.0 */
/* ckb: Stratum for Nervos CKB's Eaglesong: jobs are [job, header, height, parent, clean], shares [user,
 * job, nonce2], the difficulty is a target (ckb-gominer-demo's description); and the getWork form with
 * ckb_ in front, whose params are objects {"login", "agent", "worker"} (Claymore-like miners). */
#include "sensor/recog/stratum.h"

/* ["ckb_submitLogin"]: an object, or a list as Ethereum's. */
static void on_login(struct lamp_session *s, const struct lamp_jsonline *line,
                     const struct lamp_jsonvalue *params)
{
    lamp_session_worker(s, lamp_jsonline_top(line, "worker"));
    lamp_session_worker(s, lamp_jsonline_member(line, params, "worker"));
    lamp_session_agent(s, lamp_jsonline_member(line, params, "agent"));
    const struct lamp_jsonvalue *login = lamp_jsonline_member(line, params, "login");
    lamp_session_user(s, login ? login : lamp_jsonline_item(line, params, 0));
    lamp_stratum_on_request(s, line, params);
}

static void on_submit_work(struct lamp_session *s, const struct lamp_jsonline *line,
                           const struct lamp_jsonvalue *params)
{
    lamp_stratum_share(s, line, lamp_jsonline_item(line, params, 1));
}

/* [null, nonce1, 12]: both together have the 16 bytes of the header's nonce. */
static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    const size_t nonce1 = lamp_jsonline_string(lamp_jsonline_item(line, result, 1)).len / 2;
    double size = 0;
    if (lamp_has_shape(line, result, "0Xn") && nonce1 <= 16 &&
        lamp_jsonline_number(lamp_jsonline_item(line, result, 2), &size) &&
        size == (double)(16 - nonce1))
        return (struct lamp_finding){ LAMP_GRADE_STRONG, LAMP_DOWN, "answer to mining.subscribe",
                                      LAMP_FIRM_COMMON };
    return (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

static bool is_user(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_begins_with(lamp_jsonline_string(lamp_jsonline_item(line, params, 0)), "ckb1");
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.authorize", "mining.authorize with an address of CKB", CERTAIN, UP, ASKED),
      .fits = is_user },
    { LAMP_TELLS("mining.submit", "mining.submit with an address of CKB", CERTAIN, UP, ASKED),
      .fits = is_user },
    { LAMP_TELLS("mining.notify", "method mining.notify, CKB form", CERTAIN, DOWN, OWN),
      .shape = ".HnHb" },
    { LAMP_SAYS("ckb_submitLogin", CERTAIN, UP, OWN), .take = on_login },
    { LAMP_SAYS("ckb_getWork", CERTAIN, UP, OWN), .take = lamp_stratum_on_request },
    { LAMP_SAYS("ckb_submitWork", CERTAIN, UP, OWN), .take = on_submit_work },
    { LAMP_SAYS("ckb_submitHashrate", CERTAIN, UP, OWN), .take = lamp_stratum_on_hashrate },
};

const struct lamp_recog lamp_recog_ckb = {
    .name = "ckb",
    .family = "ckb",
    .algorithm = "eaglesong",
    .coin = "CKB",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
};
