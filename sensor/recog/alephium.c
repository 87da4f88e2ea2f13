/* SPDX-License-Identifier: Apache-2.0 */
/* alephium: AlephiumStratum/1.0.0: a mining.hello as in EthereumStratum/2 but with a list, jobs and
 * shares as objects ([{"jobId", "fromGroup", "toGroup", "headerBlob", "txsBlob", "targetBlob"}, ..],
 * {"jobId", "fromGroup", "toGroup", "nonce", "worker"}), and alph_submitHashrate (AlephiumPool.cs of
 * miningcore, NiceHash's Alephium specification). */
#include "sensor/recog/stratum.h"

static const struct lamp_jsonvalue *first_job(const struct lamp_jsonline *line,
                                              const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *first = lamp_jsonline_item(line, params, 0);
    return first ? first : params;
}

static bool is_job(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *job = first_job(line, params);
    return lamp_jsonline_member(line, job, "headerBlob") &&
           lamp_jsonline_member(line, job, "jobId");
}

/* One message hands out a job for each pair of groups. */
static void on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *job = first_job(line, params);
    const struct lamp_weight w = { .hashes = lamp_target_hashes(lamp_jsonline_string(
                                       lamp_jsonline_member(line, job, "targetBlob"))) };
    lamp_session_job(s, lamp_jsonline_member(line, job, "jobId")->text, w.hashes > 0 ? &w : NULL);
}

/* [agent, host, port]. */
static bool is_hello(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_has_shape(line, params, "SSS*");
}

static void on_hello(struct lamp_session *s, const struct lamp_jsonline *line,
                     const struct lamp_jsonvalue *params)
{
    lamp_session_agent(s, lamp_jsonline_item(line, params, 0));
    lamp_session_host(s, lamp_jsonline_item(line, params, 1));
    lamp_stratum_on_request(s, line, params);
}

static bool is_submit(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *share = first_job(line, params);
    return lamp_jsonline_member(line, share, "jobId") &&
           lamp_jsonline_member(line, share, "fromGroup");
}

static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *share = first_job(line, params);
    lamp_session_user(s, lamp_jsonline_member(line, share, "worker"));
    lamp_stratum_share(s, line, lamp_jsonline_member(line, share, "jobId"));
}

/* ["AlephiumStratum/1.0.0", resume, timeout, ..]. */
static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *first =
        lamp_jsonline_item(line, lamp_jsonline_top(line, "result"), 0);
    if (lamp_begins_with(lamp_jsonline_string(first), "AlephiumStratum/"))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "answer to mining.hello",
                                      LAMP_FIRM_OWN };
    return (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, Alephium form", CERTAIN, DOWN, OWN),
      .fits = is_job, .take = on_notify },
    { LAMP_TELLS("mining.submit", "method mining.submit, Alephium form", CERTAIN, UP, OWN),
      .fits = is_submit, .take = on_submit },
    { LAMP_TELLS("mining.hello", "mining.hello with a list", CERTAIN, UP, ASKED), .fits = is_hello,
      .take = on_hello },
    { LAMP_SAYS("alph_submitHashrate", CERTAIN, UP, OWN), .take = lamp_stratum_on_hashrate },
};

const struct lamp_recog lamp_recog_alephium = {
    .name = "alephium",
    .family = "alephium",
    .wallet_family = "alephium-stratum",
    .algorithm = "blake3-alephium",
    .coin = "ALPH",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
};
