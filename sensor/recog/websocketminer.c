/* SPDX-License-Identifier: Apache-2.0 */
/* websocketminer: what miners in web pages say to their proxies. Two dialects: messages with a "type"
 * (coinhive and its successors: auth, authed, job, submit, hash_accepted) and with an "identifier"
 * (webminerpool: handshake, job, solved, hashsolved). Format: the source of the free proxy for the
 * former, the free server of the latter. Types are everyday words, so members have to fit. */
#include "sensor/recog/recog.h"

static struct lamp_bytes text_of(const struct lamp_jsonline *line, const struct lamp_jsonvalue *in,
                                 const char *key)
{
    return lamp_jsonline_string(lamp_jsonline_member(line, in, key));
}

/* The members of a message: in "params" where it has a type, beside the identifier. */
static const struct lamp_jsonvalue *members_of(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *params = lamp_jsonline_top(line, "params");
    return params && lamp_jsonline_top(line, "type") ? params : &line->v[0];
}

static struct lamp_bytes kind_of(const struct lamp_jsonline *line)
{
    const struct lamp_bytes type = lamp_jsonline_string(lamp_jsonline_top(line, "type"));
    return type.len ? type : lamp_jsonline_string(lamp_jsonline_top(line, "identifier"));
}

static bool is_job(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *in = members_of(line);
    const struct lamp_bytes blob = text_of(line, in, "blob");
    return lamp_bytes_eq(kind_of(line), "job") && blob.len >= 100 && lamp_is_hex(blob, 0) &&
           lamp_jsonline_member(line, in, "job_id");
}

static bool is_share(const struct lamp_jsonline *line)
{
    const struct lamp_bytes kind = kind_of(line);
    const struct lamp_jsonvalue *in = members_of(line);
    return (lamp_bytes_eq(kind, "submit") || lamp_bytes_eq(kind, "solved")) &&
           lamp_jsonline_member(line, in, "job_id") && lamp_is_hex(text_of(line, in, "nonce"), 0);
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    const struct lamp_bytes kind = kind_of(line);
    const struct lamp_jsonvalue *in = members_of(line);
    if (!kind.len || lamp_jsonline_top(line, "method"))
        return (struct lamp_finding){ LAMP_GRADE_NONE, LAMP_UP, NULL, LAMP_FIRM_OWN };
    if (lamp_bytes_eq(kind, "auth") && text_of(line, in, "site_key").len)
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_UP, "auth with a site_key",
                                      LAMP_FIRM_OWN };
    if (lamp_bytes_eq(kind, "handshake") && text_of(line, in, "login").len &&
        (lamp_jsonline_member(line, in, "pool") || lamp_jsonline_member(line, in, "password")))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_UP, "handshake for a pool",
                                      LAMP_FIRM_OWN };
    if (is_share(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_UP, "share of a web miner",
                                      LAMP_FIRM_OWN };
    if (is_job(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "job for a web miner",
                                      LAMP_FIRM_OWN };
    if (lamp_bytes_eq(kind, "hashsolved"))
        return (struct lamp_finding){ LAMP_GRADE_STRONG, LAMP_DOWN, "hashsolved", LAMP_FIRM_OWN };
    if ((lamp_bytes_eq(kind, "authed") || lamp_bytes_eq(kind, "hash_accepted")) &&
        lamp_jsonline_member(line, in, "hashes"))
        return (struct lamp_finding){ LAMP_GRADE_STRONG, LAMP_DOWN, "hashes of a web miner",
                                      LAMP_FIRM_OWN };
    return (struct lamp_finding){ LAMP_GRADE_NONE, LAMP_UP, NULL, LAMP_FIRM_OWN };
}

/* ---- following ---- */

static void follow_miner(struct lamp_session *s, const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *in = members_of(line);
    const struct lamp_bytes kind = kind_of(line);
    if (is_share(line)) {
        lamp_session_share(s, line, lamp_jsonline_member(line, in, "job_id")->text, "share");
    } else if (lamp_bytes_eq(kind, "auth")) {
        lamp_session_user(s, lamp_jsonline_member(line, in, "site_key"));
        lamp_session_worker(s, lamp_jsonline_member(line, in, "user"));
    } else if (lamp_bytes_eq(kind, "handshake")) {
        lamp_session_user(s, lamp_jsonline_member(line, in, "login"));
    }
}

static void on_job(struct lamp_session *s, const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *in = members_of(line);
    const struct lamp_bytes target = text_of(line, in, "target");
    const struct lamp_weight w = { .hashes = lamp_compact_target_hashes(target) };
    lamp_session_algorithm(s, text_of(line, in, "algo"));
    lamp_session_job(s, lamp_jsonline_member(line, in, "job_id")->text, &w);
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    const struct lamp_finding none = { LAMP_GRADE_NONE, dir, NULL, LAMP_FIRM_OWN };
    const struct lamp_bytes kind = kind_of(line);
    if (dir == LAMP_UP)
        follow_miner(s, line);
    else if (is_job(line))
        on_job(s, line);
    else if (lamp_bytes_eq(kind, "hash_accepted") || lamp_bytes_eq(kind, "hashsolved"))
        lamp_session_outcome(s, LAMP_OUTCOME_ACCEPTED);
    else if (lamp_bytes_eq(kind, "error") || lamp_bytes_eq(kind, "banned"))
        lamp_session_outcome(s, LAMP_OUTCOME_REJECTED);
    return none;
}

const struct lamp_recog lamp_recog_websocketminer = {
    .name = "websocketminer",
    .family = "websocket-miner",
    .wallet_family = "cryptonote",
    .judge = judge,
    .follow = follow,
};
