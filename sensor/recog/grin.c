/* SPDX-License-Identifier: Apache-2.0 */
/* grin: Grin's Stratum and its forks': login as in cryptonote, getjobtemplate, job {"difficulty",
 * "height", "job_id", "pre_pow"}, submit {"edge_bits", "height", "job_id", "nonce", "pow"}; answers
 * repeat the method, and the id is the same in all messages (Grin's doc/stratum/stratum.md). */
#include "sensor/recog/stratum.h"

extern const struct lamp_recog lamp_recog_cryptonote;

static bool is_login(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    const struct lamp_bytes agent =
        lamp_jsonline_string(lamp_jsonline_member(line, params, "agent"));
    return lamp_jsonline_member(line, params, "login") && lamp_begins_with(agent, "grin-miner");
}

/* Whether the line answers the method that it names. */
static bool is_answer(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    (void)params;
    return lamp_jsonline_top(line, "result") || lamp_jsonline_top(line, "error");
}

static bool is_request(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return !is_answer(line, params);
}

static bool is_job(const struct lamp_jsonline *line, const struct lamp_jsonvalue *job)
{
    return lamp_jsonline_member(line, job, "job_id") &&
           lamp_is_hex(lamp_jsonline_string(lamp_jsonline_member(line, job, "pre_pow")), 0);
}

static bool is_template(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    (void)params;
    return is_job(line, lamp_jsonline_top(line, "result"));
}

static bool is_submit(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_member(line, params, "pow") &&
           lamp_jsonline_member(line, params, "job_id") &&
           lamp_jsonline_member(line, params, "nonce");
}

static void on_job(struct lamp_session *s, const struct lamp_jsonline *line,
                   const struct lamp_jsonvalue *job)
{
    struct lamp_weight w = { 0 };
    (void)lamp_jsonline_number(lamp_jsonline_member(line, job, "difficulty"), &w.difficulty);
    lamp_session_job(s, lamp_jsonline_member(line, job, "job_id")->text, &w);
}

static void on_template(struct lamp_session *s, const struct lamp_jsonline *line,
                        const struct lamp_jsonvalue *params)
{
    (void)params;
    on_job(s, line, lamp_jsonline_top(line, "result"));
}

static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    lamp_session_share(s, line, lamp_jsonline_member(line, params, "job_id")->text,
                       "answer to submit");
}

static void on_request(struct lamp_session *s, const struct lamp_jsonline *line,
                       const struct lamp_jsonvalue *params)
{
    (void)s, (void)line, (void)params; /* its answer tells itself */
}

/* Only logins and shares wait for their answers here, since all messages have one id. */
static void on_answer(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    (void)params;
    enum lamp_outcome outcome;
    (void)lamp_session_answer(s, line, &outcome);
}

static void on_login(struct lamp_session *s, const struct lamp_jsonline *line,
                     const struct lamp_jsonvalue *params)
{
    lamp_session_user(s, lamp_jsonline_member(line, params, "login"));
    lamp_session_agent(s, lamp_jsonline_member(line, params, "agent"));
    lamp_session_request(s, line, "answer to login");
}

static const struct lamp_method methods[] = {
    { LAMP_SAYS("login", CERTAIN, UP, OWN), .fits = is_login, .take = on_login },
    { LAMP_TELLS("login", "answer to login", SUPPORT, DOWN, COMMON), .fits = is_answer,
      .take = on_answer },
    { LAMP_TELLS("getjobtemplate", "answer to getjobtemplate", CERTAIN, DOWN, OWN),
      .fits = is_template, .take = on_template },
    { LAMP_SAYS("getjobtemplate", CERTAIN, UP, OWN), .fits = is_request, .take = on_request },
    { LAMP_SAYS("job", CERTAIN, DOWN, OWN), .fits = is_job, .take = on_job },
    { LAMP_SAYS("submit", CERTAIN, UP, OWN), .fits = is_submit, .take = on_submit },
    { LAMP_TELLS("submit", "answer to submit", SUPPORT, DOWN, COMMON), .fits = is_answer,
      .take = on_answer },
    { LAMP_SAYS("keepalive", SUPPORT, UP, COMMON), .fits = is_request, .take = on_request },
    { LAMP_SAYS("status", SUPPORT, UP, COMMON), .fits = is_request, .take = on_request },
    { LAMP_TELLS("keepalive", "answer to keepalive", SUPPORT, DOWN, COMMON), .fits = is_answer,
      .take = on_request },
    { LAMP_TELLS("status", "answer to status", SUPPORT, DOWN, COMMON), .fits = is_answer,
      .take = on_request },
};

const struct lamp_recog lamp_recog_grin = {
    .name = "grin",
    .family = "grin",
    .wallet_family = "grin-stratum",
    .algorithm = "cuckatoo32",
    .base = &lamp_recog_cryptonote,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
