/* SPDX-License-Identifier: Apache-2.0 */
/* ethereumstratum: EthereumStratum/1.0.0 (NiceHash's specification) and 2.0.0 (EIP-1571 draft, A.
 * Lanfranchi). Version 1 announces itself in mining.subscribe and its answer, which other coins'
 * pools took over, so that only the job, [job, seed, header, clean], settles it. Version 2 has a
 * mining.hello, hexadecimal numbers, no "jsonrpc", and accepts a share by an answer with nothing but
 * an id. */
#include "sensor/recog/stratum.h"

static struct lamp_bytes text_of(const struct lamp_jsonline *line, const struct lamp_jsonvalue *in,
                                 const char *key)
{
    return lamp_jsonline_string(lamp_jsonline_member(line, in, key));
}

static bool is_name(struct lamp_bytes text)
{
    return lamp_begins_with(text, "EthereumStratum/");
}

/* ---- version 1 ---- */

static bool asks_for_it(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return is_name(lamp_jsonline_string(lamp_jsonline_item(line, params, 1)));
}

/* [["mining.notify", session, "EthereumStratum/1.0.0"], extranonce]. */
static bool is_subscribe_result(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *topic =
        lamp_jsonline_item(line, lamp_jsonline_top(line, "result"), 0);
    return is_name(lamp_jsonline_string(lamp_jsonline_item(line, topic, 2)));
}

/* ---- version 2 ---- */

static bool is_version_2(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return is_name(text_of(line, params, "proto"));
}

static void on_hello(struct lamp_session *s, const struct lamp_jsonline *line,
                     const struct lamp_jsonvalue *params)
{
    lamp_session_agent(s, lamp_jsonline_member(line, params, "agent"));
    lamp_session_host(s, lamp_jsonline_member(line, params, "host"));
    lamp_stratum_on_request(s, line, params);
}

static bool has_target(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_member(line, params, "target") ||
           lamp_jsonline_member(line, params, "extranonce");
}

/* {"epoch", "target", "algo", "extranonce"}: each only when it changes. */
static void on_set(struct lamp_session *s, const struct lamp_jsonline *line,
                   const struct lamp_jsonvalue *params)
{
    lamp_session_algorithm(s, text_of(line, params, "algo"));
    lamp_session_weight(
        s, (struct lamp_weight){ .hashes = lamp_target_hashes(text_of(line, params, "target")) });
}

/* [job, nonce, "w-<number>"], the last as mining.authorize was answered. */
static bool is_submit_2(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_begins_with(lamp_jsonline_string(lamp_jsonline_item(line, params, 2)), "w-");
}

static void on_submit_2(struct lamp_session *s, const struct lamp_jsonline *line,
                        const struct lamp_jsonvalue *params)
{
    lamp_stratum_share(s, line, lamp_jsonline_item(line, params, 0));
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    struct lamp_finding f = { .grade = LAMP_GRADE_NONE };
    if (lamp_jsonline_top(line, "method"))
        return f;
    if (is_subscribe_result(line))
        f = (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "answer to mining.subscribe",
                                   LAMP_FIRM_ASKED };
    else if (is_version_2(line, lamp_jsonline_top(line, "result")))
        f = (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "answer to mining.hello",
                                   LAMP_FIRM_OWN };
    return f;
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    const bool bare = !lamp_jsonline_top(line, "result") && !lamp_jsonline_top(line, "error");
    if (dir == LAMP_UP || !bare || lamp_jsonline_top(line, "method"))
        return lamp_recog_stratum1.follow(s, line, dir);
    const char *what = lamp_session_book(s, lamp_jsonline_top(line, "id"), LAMP_OUTCOME_ACCEPTED);
    return (struct lamp_finding){ what ? LAMP_GRADE_CERTAIN : LAMP_GRADE_NONE, dir, what,
                                  LAMP_FIRM_COMMON };
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.subscribe", "mining.subscribe for EthereumStratum", CERTAIN, UP, ASKED),
      .fits = asks_for_it },
    { LAMP_TELLS("mining.notify", "method mining.notify, EthereumStratum form", CERTAIN, DOWN, OWN),
      .shape = ".HHb" },
    { LAMP_TELLS("mining.hello", "mining.hello of EthereumStratum/2", CERTAIN, UP, OWN),
      .fits = is_version_2, .take = on_hello },
    { LAMP_SAYS("mining.set", CERTAIN, DOWN, OWN), .fits = has_target, .take = on_set },
    { LAMP_TELLS("mining.notify", "method mining.notify, EthereumStratum/2 form", CERTAIN, DOWN,
                 OWN),
      .shape = ".XHX" },
    { LAMP_TELLS("mining.submit", "method mining.submit, EthereumStratum/2 form", CERTAIN, UP, OWN),
      .shape = "SXS", .fits = is_submit_2, .take = on_submit_2 },
    { LAMP_SAYS("eth_submitHashrate", CERTAIN, UP, GUESS), .take = lamp_stratum_on_hashrate },
};

const struct lamp_recog lamp_recog_ethereumstratum = {
    .name = "ethereumstratum",
    .family = "ethereum-stratum",
    .wallet_family = "eth-proxy",
    .algorithm = "ethash",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
    .follow = follow,
};
