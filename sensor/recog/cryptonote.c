/* SPDX-License-Identifier: Apache-2.0 */
/* cryptonote: the pool protocol of Monero and its kin: login, job, submit, keepalived; with
 * "jsonrpc" (XMRig) and without (older miners). Formats: STRATUM.md and STRATUM_EXT.md of
 * xmrig-proxy's documentation. The method names are everyday words, so a line
 * counts only by the members of its params. */
#include "common/text.h"
#include "sensor/recog/proof.h"
#include "sensor/recog/recog.h"

#include <strings.h>

static struct lamp_bytes text_of(const struct lamp_jsonline *line, const struct lamp_jsonvalue *in,
                                 const char *key)
{
    return lamp_jsonline_string(lamp_jsonline_member(line, in, key));
}

/* A CryptoNote address begins the login: at least 90 base58 characters (standard ones have
 * 95, integrated ones 106). */
static bool is_address(struct lamp_bytes login)
{
    size_t n = 0;
    while (n < login.len && login.data[n] &&
           strchr("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", login.data[n]))
        n++;
    return n >= 90 && n <= 110;
}

/* Whether the "algo" list of a login names proof-of-work algorithms of the family. */
static bool has_algorithms(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    const struct lamp_bytes first = lamp_jsonline_string(
        lamp_jsonline_item(line, lamp_jsonline_member(line, params, "algo"), 0));
    return first.len >= 4 && memchr(first.data, '/', first.len) &&
           (strncasecmp((const char *)first.data, "rx/", 3) == 0 ||
            strncasecmp((const char *)first.data, "cn", 2) == 0 ||
            strncasecmp((const char *)first.data, "argon2/", 7) == 0);
}

static bool is_login(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return text_of(line, params, "login").len && (lamp_jsonline_member(line, params, "pass") ||
                                                  lamp_jsonline_member(line, params, "agent") ||
                                                  lamp_jsonline_member(line, params, "algo") ||
                                                  lamp_jsonline_member(line, params, "rigid"));
}

static bool is_certain_login(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return is_login(line, params) &&
           (is_address(text_of(line, params, "login")) || has_algorithms(line, params) ||
            lamp_is_miner_agent(text_of(line, params, "agent")));
}

/* A job as a whole, or one whose blob the miner makes itself (self-select). */
static bool is_job(const struct lamp_jsonline *line, const struct lamp_jsonvalue *job)
{
    const struct lamp_bytes blob = text_of(line, job, "blob");
    return lamp_jsonline_member(line, job, "job_id") &&
           ((blob.len >= 100 && lamp_is_hex(blob, 0)) ||
            (lamp_jsonline_member(line, job, "pool_wallet") &&
             lamp_jsonline_member(line, job, "extra_nonce")));
}

/* The job of an answer to login, or to getjob, which has no more than it. NULL: none. */
static const struct lamp_jsonvalue *job_in_answer(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    const struct lamp_jsonvalue *job = lamp_jsonline_member(line, result, "job");
    if (!job)
        job = result;
    return is_job(line, job) ? job : NULL;
}

static bool is_submit(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_member(line, params, "job_id") &&
           lamp_is_hex(text_of(line, params, "nonce"), 0) &&
           lamp_is_hex(text_of(line, params, "result"), 64);
}

/* {"id", "job_id", "blob", "height", ..}: the block a self-selecting miner made. */
static bool is_template(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_member(line, params, "job_id") &&
           lamp_is_hex(text_of(line, params, "blob"), 0);
}

static bool has_id(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return params != &line->v[0] && lamp_jsonline_member(line, params, "id");
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    if (job_in_answer(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "job in an answer",
                                      LAMP_FIRM_OWN };
    return (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

/* ---- following ---- */

static void on_login(struct lamp_session *s, const struct lamp_jsonline *line,
                     const struct lamp_jsonvalue *params)
{
    lamp_session_user(s, lamp_jsonline_member(line, params, "login"));
    lamp_session_worker(s, lamp_jsonline_member(line, params, "rigid"));
    lamp_session_agent(s, lamp_jsonline_member(line, params, "agent"));
    lamp_session_request(s, line, "answer to login");
}

/* Jobs of Monero before RandomX (major block version 12, November 2019) do not name their
 * algorithm; the version is the first byte of the blob. */
static void guess_algorithm(struct lamp_session *s, struct lamp_bytes blob)
{
    uint8_t version;
    size_t len;
    if (blob.len >= 2 &&
        lamp_hex_decode((const char *)blob.data, 2, &version, 1, &len) == LAMP_OK && version < 7)
        s->algorithm_hint = "cryptonight";
}

static void on_job(struct lamp_session *s, const struct lamp_jsonline *line,
                   const struct lamp_jsonvalue *job)
{
    const struct lamp_bytes algorithm = text_of(line, job, "algo");
    const struct lamp_bytes blob = text_of(line, job, "blob");
    if (algorithm.len)
        lamp_session_algorithm(s, algorithm);
    else
        guess_algorithm(s, blob);
    const struct lamp_bytes target = text_of(line, job, "target");
    const struct lamp_weight w = { .hashes = lamp_compact_target_hashes(target) };
    const struct lamp_bytes id = lamp_jsonline_member(line, job, "job_id")->text;
    lamp_session_job(s, id, &w);
}

static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    const struct lamp_bytes job = lamp_jsonline_member(line, params, "job_id")->text;
    if (!lamp_session_share(s, line, job, "answer to submit"))
        return;
    lamp_proof_cryptonote_share(s, job, text_of(line, params, "result"));
    lamp_session_nonce(s, job, text_of(line, params, "nonce"), true);
}

static void on_request(struct lamp_session *s, const struct lamp_jsonline *line,
                       const struct lamp_jsonvalue *params)
{
    (void)params;
    lamp_session_request(s, line, "answer to a request");
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    struct lamp_finding f = { .grade = LAMP_GRADE_NONE, .dir = dir };
    if (dir == LAMP_UP) {
        if (lamp_jsonline_top(line, "method"))
            on_request(s, line, NULL);
        return f;
    }
    const struct lamp_jsonvalue *job = job_in_answer(line);
    if (job)
        on_job(s, line, job);
    enum lamp_outcome outcome = LAMP_OUTCOME_NONE;
    f.what = lamp_session_answer(s, line, &outcome);
    /* Many services answer "OK" to a login of theirs. */
    const struct lamp_bytes status = text_of(line, lamp_jsonline_top(line, "result"), "status");
    if (f.what && (lamp_bytes_eq(status, "OK") || lamp_bytes_eq(status, "KEEPALIVED")))
        f.grade = LAMP_GRADE_SUPPORT;
    return f;
}

static const struct lamp_method methods[] = {
    { LAMP_SAYS("login", CERTAIN, UP, COMMON), .fits = is_certain_login, .take = on_login },
    { LAMP_SAYS("login", STRONG, UP, COMMON), .fits = is_login, .take = on_login },
    { LAMP_SAYS("submit", CERTAIN, UP, OWN), .fits = is_submit, .take = on_submit },
    { LAMP_SAYS("block_template", CERTAIN, UP, OWN), .fits = is_template, .take = on_request },
    { LAMP_SAYS("keepalived", STRONG, UP, COMMON), .fits = has_id, .take = on_request },
    { LAMP_SAYS("getjob", STRONG, UP, COMMON), .fits = has_id, .take = on_request },
    { LAMP_SAYS("job", CERTAIN, DOWN, OWN), .fits = is_job, .take = on_job },
};

const struct lamp_recog lamp_recog_cryptonote = {
    .name = "cryptonote",
    .family = "cryptonote",
    .wallet_family = "cryptonote",
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
    .follow = follow,
};
