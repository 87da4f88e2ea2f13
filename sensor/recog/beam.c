/* SPDX-License-Identifier: Apache-2.0 */
/* beam: Beam's own Stratum: the members stand beside the method: login {"api_key"}, job {"id", "input",
 * "difficulty", "height"}, solution {"id" of the job, "nonce", "output"}, and result {"id", "code"} as
 * the answer to either (BeamMW's Mining protocol API). */
#include "sensor/recog/stratum.h"

#include <math.h>

enum { CODE_OK, CODE_ACCEPTED, CODE_REJECTED, CODE_EXPIRED };

static bool is_login(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_string(lamp_jsonline_member(line, params, "api_key")).len > 0;
}

static bool is_job(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_member(line, params, "id") &&
           lamp_jsonline_member(line, params, "difficulty") &&
           lamp_is_hex(lamp_jsonline_string(lamp_jsonline_member(line, params, "input")), 64);
}

static bool is_solution(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_member(line, params, "id") &&
           lamp_is_hex(lamp_jsonline_string(lamp_jsonline_member(line, params, "nonce")), 0) &&
           lamp_is_hex(lamp_jsonline_string(lamp_jsonline_member(line, params, "output")), 0);
}

static bool is_result(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_member(line, params, "code") && lamp_jsonline_member(line, params, "id");
}

static void on_login(struct lamp_session *s, const struct lamp_jsonline *line,
                     const struct lamp_jsonvalue *params)
{
    lamp_session_user(s, lamp_jsonline_member(line, params, "api_key"));
    lamp_session_request(s, line, "answer to login");
}

/* The difficulty is packed: 24 bits of mantissa below a hidden one, above them the exponent. */
static void on_job(struct lamp_session *s, const struct lamp_jsonline *line,
                   const struct lamp_jsonvalue *params)
{
    double packed = 0;
    struct lamp_weight w = { 0 };
    if (lamp_jsonline_number(lamp_jsonline_member(line, params, "difficulty"), &packed) &&
        packed >= 0 && packed <= UINT32_MAX) {
        const uint32_t p = (uint32_t)packed;
        w.hashes = ldexp((1u << 24) | (p & 0xffffff), (int)(p >> 24) - 24);
    }
    lamp_session_job(s, lamp_jsonline_member(line, params, "id")->text, &w);
}

static void on_solution(struct lamp_session *s, const struct lamp_jsonline *line,
                        const struct lamp_jsonvalue *params)
{
    lamp_session_share(s, line, lamp_jsonline_member(line, params, "id")->text,
                       "answer to solution");
}

static void on_result(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    double code = CODE_REJECTED;
    (void)lamp_jsonline_number(lamp_jsonline_member(line, params, "code"), &code);
    const bool ok = code == CODE_OK || code == CODE_ACCEPTED;
    const enum lamp_outcome no = code == CODE_EXPIRED ? LAMP_OUTCOME_STALE : LAMP_OUTCOME_REJECTED;
    (void)lamp_session_book(s, lamp_jsonline_member(line, params, "id"),
                            ok ? LAMP_OUTCOME_ACCEPTED : no);
}

static const struct lamp_method methods[] = {
    { LAMP_SAYS("login", CERTAIN, UP, OWN), .fits = is_login, .take = on_login },
    { LAMP_SAYS("job", CERTAIN, DOWN, OWN), .fits = is_job, .take = on_job },
    { LAMP_SAYS("solution", CERTAIN, UP, OWN), .fits = is_solution, .take = on_solution },
    { LAMP_SAYS("result", SUPPORT, DOWN, COMMON), .fits = is_result, .take = on_result },
};

const struct lamp_recog lamp_recog_beam = {
    .name = "beam",
    .family = "beam",
    .wallet_family = "beam-stratum",
    .algorithm = "beamhash3",
    .coin = "BEAM",
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
