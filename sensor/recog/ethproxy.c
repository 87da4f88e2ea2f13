/* SPDX-License-Identifier: Apache-2.0 */
/* ethproxy: Ethereum's getWork protocol over JSON lines: eth_submitLogin, eth_getWork,
 * eth_submitWork, eth_submitHashrate (the Ethereum wiki's JSON-RPC page). Other eth_* methods belong to
 * wallets and nodes and are no sign of mining. */
#include "sensor/recog/recog.h"

/* Ethereum's last block of proof of work, 2022-09-15 06:42:42 UTC. */
#define MERGE_US (UINT64_C(1663224162) * 1000000)

static const struct lamp_method methods[] = {
    LAMP_METHOD("eth_submitLogin", CERTAIN, UP),    LAMP_METHOD("eth_login", CERTAIN, UP),
    LAMP_METHOD("eth_getWork", CERTAIN, UP),        LAMP_METHOD("eth_submitWork", CERTAIN, UP),
    LAMP_METHOD("eth_submitHashrate", CERTAIN, UP),
};

/* The work of an answer or push: ["0x<header>", "0x<seed>", "0x<target>"(, "0x<height>")].
 * NULL if the line has none. */
static const struct lamp_jsonvalue *work_of(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    const size_t n = lamp_jsonline_count(line, result);
    if (lamp_jsonline_top(line, "method") || n < 3 || n > 5)
        return NULL;
    for (size_t i = 0; i < 3; i++)
        if (!lamp_is_hex(lamp_jsonline_string(lamp_jsonline_item(line, result, i)), 64))
            return NULL;
    return result;
}

/* Three hashes are also what a node returns for three log entries, so a push counts by the
 * leading zeros that a pool's target has: 32 bits are certain (2^-32 by chance). Small numbers
 * as 32-byte words have far more than any target, and no header hash is one. */
static struct lamp_finding judge_work(const struct lamp_jsonline *line)
{
    struct lamp_finding f = { LAMP_GRADE_NONE, LAMP_DOWN, "work package" };
    const struct lamp_jsonvalue *work = work_of(line);
    if (!work)
        return f;
    const double header =
        lamp_target_hashes(lamp_jsonline_string(lamp_jsonline_item(line, work, 0)));
    const double hashes =
        lamp_target_hashes(lamp_jsonline_string(lamp_jsonline_item(line, work, 2)));
    if (header > 0 && header < 0x1p64 && hashes >= 65536 && hashes < 0x1p100)
        f.grade = hashes >= 4294967296.0 ? LAMP_GRADE_CERTAIN : LAMP_GRADE_STRONG;
    return f;
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    const struct lamp_method *m = lamp_method_find(methods, ARRAY_LEN(methods), line);
    return m ? (struct lamp_finding){ m->grade, m->dir, m->what } : judge_work(line);
}

/* ---- following ---- */

/* params [hash rate as hex, rig id]. */
static void on_hashrate(struct lamp_session *s, struct lamp_bytes hex)
{
    const double inverse = lamp_target_hashes(hex); /* 2^256 / value */
    const double rate = inverse > 0 ? 0x1p256 / inverse : 0;
    if (rate > 0 && rate < 1e18)
        s->conn.self_rate = rate;
}

static void follow_miner(struct lamp_session *s, const struct lamp_jsonline *line)
{
    const struct lamp_method *m = lamp_method_find(methods, ARRAY_LEN(methods), line);
    if (!m)
        return;
    const struct lamp_jsonvalue *params = lamp_jsonline_top(line, "params");
    if (streq(m->name, "eth_submitWork")) {
        lamp_session_share(s, line, lamp_jsonline_string(lamp_jsonline_item(line, params, 1)),
                           "answer to eth_submitWork");
        return;
    }
    if (streq(m->name, "eth_submitHashrate"))
        on_hashrate(s, lamp_jsonline_string(lamp_jsonline_item(line, params, 0)));
    if (streq(m->name, "eth_submitLogin") || streq(m->name, "eth_login")) {
        lamp_session_worker(s, lamp_jsonline_top(line, "worker"));
        lamp_session_user(s, lamp_jsonline_item(line, params, 0));
        /* All coins of the family share Ethereum's address form; while it was mined, it had
         * nearly all of the hash rate. */
        if (s->catalogue && s->conn.first_us < MERGE_US)
            lamp_session_coin(s, lamp_catalogue_coin(s->catalogue, "ETH"), LAMP_COIN_BY_LIKENESS,
                              "what most such addresses were mining for until September 2022");
    }
    lamp_session_request(s, line,
                         streq(m->name, "eth_getWork") ? "answer to eth_getWork"
                                                       : "answer to a mining request");
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    struct lamp_finding f = { LAMP_GRADE_NONE, dir, NULL };
    if (dir == LAMP_UP) {
        follow_miner(s, line);
        return f;
    }
    const struct lamp_jsonvalue *work = work_of(line);
    if (work) {
        const struct lamp_bytes header = lamp_jsonline_string(lamp_jsonline_item(line, work, 0));
        const struct lamp_weight w = { .hashes = lamp_target_hashes(lamp_jsonline_string(
                                           lamp_jsonline_item(line, work, 2))) };
        lamp_session_job(s, header, &w);
    }
    enum lamp_outcome outcome = LAMP_OUTCOME_NONE;
    f.what = lamp_session_answer(s, line, &outcome);
    if (f.what && outcome == LAMP_OUTCOME_ACCEPTED)
        f.grade = LAMP_GRADE_CERTAIN;
    return f;
}

const struct lamp_recog lamp_recog_ethproxy = {
    .name = "ethproxy",
    .family = "eth-proxy",
    .wallet_family = "eth-proxy",
    .algorithm = "ethash",
    .judge = judge,
    .follow = follow,
};
