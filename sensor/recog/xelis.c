/* SPDX-License-Identifier: Apache-2.0 */
/* xelis: the Xelis Stratum protocol (Vipor.net's specification): mining.authorize is [wallet, worker,
 * password], jobs are [job, time, header, algorithm, clean], before that [job, work hash, public key,
 * clean]; shares [worker, job, (time,) nonce]; the pool pings, the miner pongs; a difficulty is a
 * number of hashes. */
#include "sensor/recog/stratum.h"

static struct lamp_bytes string_at(const struct lamp_jsonline *line,
                                   const struct lamp_jsonvalue *params, size_t i)
{
    return lamp_jsonline_string(lamp_jsonline_item(line, params, i));
}

static bool is_job(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_begins_with(string_at(line, params, 3), "xel");
}

static void on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    lamp_session_algorithm(s, string_at(line, params, 3));
    lamp_stratum_on_notify(s, line, params);
}

static bool is_user(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_begins_with(string_at(line, params, 0), "xel:");
}

static void on_authorize(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *params)
{
    lamp_session_user(s, lamp_jsonline_item(line, params, 0));
    if (lamp_jsonline_count(line, params) >= 3)
        lamp_session_worker(s, lamp_jsonline_item(line, params, 1));
    lamp_stratum_on_request(s, line, params);
}

/* The first item is the worker's name, as a rule without the wallet. */
static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    if (is_user(line, params))
        lamp_session_user(s, lamp_jsonline_item(line, params, 0));
    else
        lamp_session_worker(s, lamp_jsonline_item(line, params, 0));
    lamp_stratum_share(s, line, lamp_jsonline_item(line, params, 1));
}

/* [session, extranonce, 32, public key]. */
static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    double size = 0;
    if (!lamp_jsonline_top(line, "method") && lamp_has_shape(line, result, "SHnX*") &&
        lamp_jsonline_number(lamp_jsonline_item(line, result, 2), &size) && size == 32)
        return (struct lamp_finding){ LAMP_GRADE_STRONG, LAMP_DOWN, "answer to mining.subscribe",
                                      LAMP_FIRM_COMMON };
    return (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, Xelis form", CERTAIN, DOWN, OWN),
      .shape = ".XXSb", .fits = is_job, .take = on_notify },
    { LAMP_TELLS("mining.authorize", "mining.authorize with an address of Xelis", CERTAIN, UP, OWN),
      .fits = is_user, .take = on_authorize },
    { LAMP_SAYS("mining.submit", CERTAIN, UP, GUESS), .take = on_submit },
    { LAMP_SAYS("mining.print", CERTAIN, DOWN, COMMON) },
};

const struct lamp_recog lamp_recog_xelis = {
    .name = "xelis",
    .family = "xelis",
    .algorithm = "xelishash-v3",
    .coin = "XEL",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
};
