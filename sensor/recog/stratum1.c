/* SPDX-License-Identifier: Apache-2.0 */
/* stratum1: Stratum v1, mining.* over JSON lines: what Bitcoin pools began with and all dialects
 * share. Formats: the Stratum mining protocol page of the Bitcoin wiki, BIP 310 (mining.configure),
 * ZIP 301 (host and port in mining.subscribe). What only one coin says is in that dialect's file. */
#include "sensor/recog/stratum.h"

#include "common/text.h"

static struct lamp_bytes string_at(const struct lamp_jsonline *line,
                                   const struct lamp_jsonvalue *params, size_t i)
{
    return lamp_jsonline_string(lamp_jsonline_item(line, params, i));
}

/* ---- what the miner says ---- */

void lamp_stratum_on_request(struct lamp_session *s, const struct lamp_jsonline *line,
                             const struct lamp_jsonvalue *params)
{
    (void)params;
    lamp_session_request(s, line, "answer to a mining request");
}

/* [agent, session, host, port]: the last two since ZIP 301. */
static void on_subscribe(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *params)
{
    lamp_session_agent(s, lamp_jsonline_item(line, params, 0));
    lamp_session_host(s, lamp_jsonline_item(line, params, 2));
    lamp_session_request(s, line, "answer to mining.subscribe");
}

static void on_authorize(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *params)
{
    lamp_session_user(s, lamp_jsonline_item(line, params, 0));
    lamp_session_password(s, lamp_jsonline_item(line, params, 1));
    lamp_stratum_on_request(s, line, params);
}

/* [[extension, ..], {"extension.parameter": value}]. Rolling the block version exists for sha256d
 * alone; info.* names the hardware's software. */
static void on_configure(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *extensions = lamp_jsonline_item(line, params, 0);
    const struct lamp_jsonvalue *values = lamp_jsonline_item(line, params, 1);
    const size_t n = lamp_jsonline_count(line, extensions);
    for (size_t i = 0; i < n; i++)
        if (lamp_bytes_eq(string_at(line, extensions, i), "version-rolling"))
            s->algorithm_hint = "sha256d";
    if (!*s->conn.agent)
        lamp_session_agent(s, lamp_jsonline_member(line, values, "info.sw-version"));
    lamp_session_host(s, lamp_jsonline_member(line, values, "info.connection-url"));
    lamp_stratum_on_request(s, line, params);
}

void lamp_stratum_share(struct lamp_session *s, const struct lamp_jsonline *line,
                        const struct lamp_jsonvalue *job)
{
    lamp_session_share(s, line, job ? job->text : (struct lamp_bytes){ NULL, 0 },
                       "answer to mining.submit");
}

void lamp_stratum_on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                            const struct lamp_jsonvalue *params)
{
    lamp_session_user(s, lamp_jsonline_item(line, params, 0));
    lamp_stratum_share(s, line, lamp_jsonline_item(line, params, 1));
}

void lamp_stratum_on_hashrate(struct lamp_session *s, const struct lamp_jsonline *line,
                              const struct lamp_jsonvalue *params)
{
    lamp_session_self_rate(s, lamp_hex_value(string_at(line, params, 0)));
    lamp_stratum_on_request(s, line, params);
}

/* ---- what the pool says ---- */

void lamp_stratum_on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                            const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *id = lamp_jsonline_item(line, params, 0);
    if (id)
        lamp_session_job(s, id->text, NULL);
}

void lamp_stratum_job_with_target(struct lamp_session *s, const struct lamp_jsonline *line,
                                  const struct lamp_jsonvalue *params, size_t at)
{
    const struct lamp_weight w = { .hashes = lamp_target_hashes(string_at(line, params, at)) };
    const struct lamp_jsonvalue *id = lamp_jsonline_item(line, params, 0);
    lamp_session_job(s, id->text, w.hashes > 0 ? &w : NULL);
}

static void on_set_difficulty(struct lamp_session *s, const struct lamp_jsonline *line,
                              const struct lamp_jsonvalue *params)
{
    struct lamp_weight w = { 0 };
    if (lamp_jsonline_number(lamp_jsonline_item(line, params, 0), &w.difficulty))
        lamp_session_weight(s, w);
}

static void on_set_target(struct lamp_session *s, const struct lamp_jsonline *line,
                          const struct lamp_jsonvalue *params)
{
    lamp_session_weight(
        s, (struct lamp_weight){ .hashes = lamp_target_hashes(string_at(line, params, 0)) });
}

/* The answer to mining.subscribe: [[["mining.notify", ..], ..], extranonce1, size], or with
 * one list level less. */
static bool is_subscribe_result(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *v = lamp_jsonline_top(line, "result");
    for (int level = 0; level < 3 && v; level++) {
        v = lamp_jsonline_item(line, v, 0);
        const struct lamp_bytes s = lamp_jsonline_string(v);
        if (lamp_bytes_eq(s, "mining.notify") || lamp_bytes_eq(s, "mining.set_difficulty") ||
            lamp_bytes_eq(s, "mining.set_target"))
            return true;
    }
    return false;
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    if (!lamp_jsonline_top(line, "method") && is_subscribe_result(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "answer to mining.subscribe",
                                      LAMP_FIRM_COMMON };
    if (lamp_jsonline_member(line, lamp_jsonline_top(line, "result"), "version-rolling.mask"))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "answer to mining.configure",
                                      LAMP_FIRM_COMMON };
    /* Whoever gets this, even for bytes that are no request, has reached the port of a pool. */
    if (!lamp_jsonline_top(line, "method") && lamp_is_stratum_error(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "refusal with a Stratum code",
                                      LAMP_FIRM_GUESS };
    return (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    struct lamp_finding f = { .grade = LAMP_GRADE_NONE, .dir = dir };
    if (dir == LAMP_UP)
        return f;
    enum lamp_outcome outcome = LAMP_OUTCOME_NONE;
    f.what = lamp_session_answer(s, line, &outcome);
    if (!f.what)
        return f;
    /* A yes to a mining request, or a refusal with one of stratum's own codes (20 to 25 in an
     * array), can only come from a pool; any JSON-RPC server says "method not found". */
    if (outcome == LAMP_OUTCOME_ACCEPTED || lamp_is_stratum_error(line))
        f.grade = LAMP_GRADE_CERTAIN;
    return f;
}

/* Bitcoin's form, [user, job, extranonce2, time, nonce(, version bits)]: miners on CPUs count the nonce up,
 * hardware scatters it, and no layout fits then. Each nonce is a hash. */
static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *job = lamp_jsonline_item(line, params, 1);
    const uint32_t shares = s->conn.shares.submitted;
    lamp_stratum_on_submit(s, line, params);
    if (s->conn.shares.submitted > shares && lamp_is_hex(string_at(line, params, 4), 8))
        lamp_session_nonce(s, job->text, string_at(line, params, 4), true);
}

static const struct lamp_method methods[] = {
    { LAMP_SAYS("mining.subscribe", CERTAIN, UP, COMMON), .take = on_subscribe },
    { LAMP_SAYS("mining.authorize", CERTAIN, UP, COMMON), .take = on_authorize },
    { LAMP_SAYS("mining.auth", CERTAIN, UP, COMMON), .take = on_authorize },
    { LAMP_SAYS("mining.configure", CERTAIN, UP, COMMON), .take = on_configure },
    { LAMP_SAYS("mining.submit", CERTAIN, UP, COMMON), .take = on_submit },
    { LAMP_SAYS("mining.extranonce.subscribe", CERTAIN, UP, COMMON),
      .take = lamp_stratum_on_request },
    { LAMP_SAYS("mining.suggest_difficulty", CERTAIN, UP, COMMON),
      .take = lamp_stratum_on_request },
    { LAMP_SAYS("mining.suggest_target", CERTAIN, UP, COMMON), .take = lamp_stratum_on_request },
    { LAMP_SAYS("mining.get_transactions", CERTAIN, UP, COMMON), .take = lamp_stratum_on_request },
    { LAMP_SAYS("mining.multi_version", CERTAIN, UP, COMMON), .take = lamp_stratum_on_request },
    { LAMP_SAYS("mining.hello", CERTAIN, UP, COMMON), .take = lamp_stratum_on_request },
    { LAMP_SAYS("mining.noop", CERTAIN, UP, COMMON), .take = lamp_stratum_on_request },
    { LAMP_SAYS("mining.hashrate", CERTAIN, UP, COMMON), .take = lamp_stratum_on_hashrate },
    { LAMP_SAYS("mining.ping", NONE, UP, GUESS) }, /* either side may */
    { LAMP_SAYS("mining.pong", NONE, UP, GUESS) },
    { LAMP_SAYS("mining.notify", CERTAIN, DOWN, COMMON), .take = lamp_stratum_on_notify },
    { LAMP_SAYS("mining.set_difficulty", CERTAIN, DOWN, COMMON), .take = on_set_difficulty },
    { LAMP_SAYS("mining.set_target", CERTAIN, DOWN, COMMON), .take = on_set_target },
    { LAMP_SAYS("mining.set_extranonce", CERTAIN, DOWN, COMMON) },
    { LAMP_SAYS("mining.set_version_mask", CERTAIN, DOWN, COMMON) },
    { LAMP_SAYS("mining.set_goal", CERTAIN, DOWN, COMMON) },
    { LAMP_SAYS("mining.reconnect", CERTAIN, DOWN, COMMON) },
    { LAMP_SAYS("mining.bye", CERTAIN, DOWN, COMMON) },
    { LAMP_SAYS("client.reconnect", STRONG, DOWN, COMMON) },
    { LAMP_SAYS("client.show_message", STRONG, DOWN, COMMON) },
    { LAMP_SAYS("client.get_version", STRONG, DOWN, COMMON) },
};

const struct lamp_recog lamp_recog_stratum1 = {
    .name = "stratum1",
    .family = "stratum-v1",
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
    .follow = follow,
};
