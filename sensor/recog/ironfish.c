/* SPDX-License-Identifier: Apache-2.0 */
/* ironfish: Iron Fish's Stratum: the words of mining.*, but named values in "body" (version 2, Team Red
 * Miner's note): subscribe {"version", "agent", "publicAddress", "name"}, subscribed {"clientId", "xn"},
 * set_target {"target"}, notify {"miningRequestId", "header"}, submit {"miningRequestId",
 * "randomness", "graffiti"}, submitted {"id", "result"}. */
#include "sensor/recog/stratum.h"

static bool has_body(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    (void)params;
    const struct lamp_jsonvalue *body = lamp_jsonline_top(line, "body");
    return body && body->type == LAMP_JSON_OBJECT;
}

static void on_subscribe(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *body)
{
    lamp_session_user(s, lamp_jsonline_member(line, body, "publicAddress"));
    lamp_session_worker(s, lamp_jsonline_member(line, body, "name"));
    lamp_session_agent(s, lamp_jsonline_member(line, body, "agent"));
    lamp_session_request(s, line, "answer to mining.subscribe");
}

static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *body)
{
    lamp_stratum_share(s, line, lamp_jsonline_member(line, body, "miningRequestId"));
}

static void on_set_target(struct lamp_session *s, const struct lamp_jsonline *line,
                          const struct lamp_jsonvalue *body)
{
    const struct lamp_bytes target =
        lamp_jsonline_string(lamp_jsonline_member(line, body, "target"));
    lamp_session_weight(s, (struct lamp_weight){ .hashes = lamp_target_hashes(target) });
}

static void on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *body)
{
    const struct lamp_jsonvalue *id = lamp_jsonline_member(line, body, "miningRequestId");
    if (id)
        lamp_session_job(s, id->text, NULL);
}

/* {"id": of the share, "result": true or false, "message"}. */
static void on_submitted(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *body)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_member(line, body, "result");
    const bool ok = result && result->type == LAMP_JSON_TRUE;
    const struct lamp_jsonvalue *message = lamp_jsonline_member(line, body, "message");
    const enum lamp_outcome no = lamp_session_is_stale(lamp_jsonline_string(message))
                                     ? LAMP_OUTCOME_STALE
                                     : LAMP_OUTCOME_REJECTED;
    (void)lamp_session_book(s, lamp_jsonline_member(line, body, "id"),
                            ok ? LAMP_OUTCOME_ACCEPTED : no);
}

static const struct lamp_method methods[] = {
    { LAMP_SAYS("mining.subscribe", CERTAIN, UP, OWN), .fits = has_body, .take = on_subscribe },
    { LAMP_SAYS("mining.submit", CERTAIN, UP, OWN), .fits = has_body, .take = on_submit },
    { LAMP_SAYS("mining.get_status", CERTAIN, UP, OWN) },
    { LAMP_SAYS("mining.subscribed", CERTAIN, DOWN, OWN) },
    { LAMP_SAYS("mining.set_target", CERTAIN, DOWN, OWN), .fits = has_body, .take = on_set_target },
    { LAMP_SAYS("mining.notify", CERTAIN, DOWN, OWN), .fits = has_body, .take = on_notify },
    { LAMP_SAYS("mining.submitted", CERTAIN, DOWN, OWN), .take = on_submitted },
    { LAMP_SAYS("mining.wait_for_work", CERTAIN, DOWN, OWN) },
    { LAMP_SAYS("mining.disconnect", CERTAIN, DOWN, OWN) },
};

const struct lamp_recog lamp_recog_ironfish = {
    .name = "ironfish",
    .family = "ironfish",
    .algorithm = "fishhash",
    .coin = "IRON",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
