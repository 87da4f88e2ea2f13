/* SPDX-License-Identifier: Apache-2.0 */
/* stratum1: Stratum v1, mining.* over JSON lines, as Bitcoin pools speak it and as other
 * coins took it over (Zcash ZIP 301, KawPow, EthereumStratum). Formats: the Stratum mining
 * protocol page of the Bitcoin wiki, BIP 310, ZIP 301, NiceHash's EthereumStratum/1.0.0. */
#include "common/text.h"
#include "sensor/recog/recog.h"

static const struct lamp_method methods[] = {
    LAMP_METHOD("mining.subscribe", CERTAIN, UP),
    LAMP_METHOD("mining.authorize", CERTAIN, UP),
    LAMP_METHOD("mining.configure", CERTAIN, UP),
    LAMP_METHOD("mining.submit", CERTAIN, UP),
    LAMP_METHOD("mining.extranonce.subscribe", CERTAIN, UP),
    LAMP_METHOD("mining.suggest_difficulty", CERTAIN, UP),
    LAMP_METHOD("mining.suggest_target", CERTAIN, UP),
    LAMP_METHOD("mining.get_transactions", CERTAIN, UP),
    LAMP_METHOD("mining.multi_version", CERTAIN, UP),
    LAMP_METHOD("mining.hello", CERTAIN, UP),
    LAMP_METHOD("mining.noop", CERTAIN, UP),
    LAMP_METHOD("mining.hashrate", CERTAIN, UP),
    LAMP_METHOD("mining.notify", CERTAIN, DOWN),
    LAMP_METHOD("mining.set_difficulty", CERTAIN, DOWN),
    LAMP_METHOD("mining.set_target", CERTAIN, DOWN),
    LAMP_METHOD("mining.set_extranonce", CERTAIN, DOWN),
    LAMP_METHOD("mining.set_version_mask", CERTAIN, DOWN),
    LAMP_METHOD("mining.set_goal", CERTAIN, DOWN),
    LAMP_METHOD("mining.set", CERTAIN, DOWN),
    LAMP_METHOD("client.reconnect", STRONG, DOWN),
    LAMP_METHOD("client.show_message", STRONG, DOWN),
    LAMP_METHOD("client.get_version", STRONG, DOWN),
};

/* The answer to mining.subscribe: [[["mining.notify", ..], ..], extranonce1, size], or with
 * one list level less, or naming a dialect ("EthereumStratum/1.0.0"). */
static bool is_subscribe_result(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *v = lamp_jsonline_top(line, "result");
    for (int level = 0; level < 3 && v; level++) {
        v = lamp_jsonline_item(line, v, 0);
        const struct lamp_bytes s = lamp_jsonline_string(v);
        if (lamp_bytes_eq(s, "mining.notify") || lamp_bytes_eq(s, "mining.set_difficulty"))
            return true;
    }
    return false;
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    const struct lamp_method *m = lamp_method_find(methods, ARRAY_LEN(methods), line);
    if (m)
        return (struct lamp_finding){ m->grade, m->dir, m->what };
    if (!lamp_jsonline_top(line, "method") && is_subscribe_result(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "answer to mining.subscribe" };
    /* Whoever gets this, even for bytes that are no request, has reached the port of a pool. */
    if (!lamp_jsonline_top(line, "method") && lamp_is_stratum_error(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN,
                                      "refusal with a Stratum code" };
    return (struct lamp_finding){ LAMP_GRADE_NONE, LAMP_UP, NULL };
}

/* ---- what the miner says ---- */

/* [agent, session, host, port]: the last two since ZIP 301. */
static void on_subscribe(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *params)
{
    lamp_session_agent(s, lamp_jsonline_item(line, params, 0));
    const struct lamp_bytes host = lamp_jsonline_string(lamp_jsonline_item(line, params, 2));
    if (host.len && !*s->conn.server_name && memchr(host.data, '.', host.len))
        lamp_text_utf8(host.data, host.len, s->conn.server_name, sizeof(s->conn.server_name));
}

/* BIP 310: rolling the block version exists for sha256d alone. */
static void on_configure(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *extensions = lamp_jsonline_item(line, params, 0);
    const size_t n = lamp_jsonline_count(line, extensions);
    for (size_t i = 0; i < n; i++)
        if (lamp_bytes_eq(lamp_jsonline_string(lamp_jsonline_item(line, extensions, i)),
                          "version-rolling"))
            s->algorithm_hint = "sha256d";
}

static struct lamp_finding follow_miner(struct lamp_session *s, const struct lamp_jsonline *line)
{
    const struct lamp_finding none = { LAMP_GRADE_NONE, LAMP_UP, NULL };
    const struct lamp_method *m = lamp_method_find(methods, ARRAY_LEN(methods), line);
    if (!m || m->dir != LAMP_UP)
        return none;
    const struct lamp_jsonvalue *params = lamp_jsonline_top(line, "params");
    const struct lamp_jsonvalue *first = lamp_jsonline_item(line, params, 0);
    if (streq(m->name, "mining.submit")) {
        if (!s->user_in_login_only)
            lamp_session_user(s, first);
        const struct lamp_jsonvalue *job = lamp_jsonline_item(line, params, 1);
        lamp_session_share(s, line, job ? job->text : (struct lamp_bytes){ NULL, 0 },
                           "answer to mining.submit");
        return none;
    }
    if (streq(m->name, "mining.subscribe")) {
        on_subscribe(s, line, params);
        lamp_session_request(s, line, "answer to mining.subscribe");
        return none;
    }
    if (streq(m->name, "mining.authorize")) {
        lamp_session_user(s, first);
        lamp_session_password(s, lamp_jsonline_item(line, params, 1));
    } else if (streq(m->name, "mining.configure")) {
        on_configure(s, line, params);
    } else if (streq(m->name, "mining.hello")) {
        lamp_session_agent(s, lamp_jsonline_member(line, params, "agent"));
        s->user_in_login_only = true;
    }
    lamp_session_request(s, line, "answer to a mining request");
    return none;
}

/* ---- what the pool says ---- */

/* Dialects are told apart by the shape of their jobs: ZIP 301 has eight params beginning with
 * the block version, KawPow seven with the height, EthereumStratum two hashes. */
static const char *algorithm_of_job(const struct lamp_jsonline *line,
                                    const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *second = lamp_jsonline_item(line, params, 1);
    switch (lamp_jsonline_count(line, params)) {
    case 8:
        return lamp_bytes_eq(lamp_jsonline_string(second), "04000000") ? "equihash-200-9" : NULL;
    case 7: {
        const struct lamp_jsonvalue *height = lamp_jsonline_item(line, params, 5);
        return height && height->type == LAMP_JSON_NUMBER ? "kawpow" : NULL;
    }
    case 4:
    case 5:
        return lamp_is_hex(lamp_jsonline_string(second), 64) &&
                       lamp_is_hex(lamp_jsonline_string(lamp_jsonline_item(line, params, 2)), 64)
                   ? "ethash"
                   : NULL;
    default:
        return NULL;
    }
}

static void on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *id = lamp_jsonline_item(line, params, 0);
    if (!id)
        return;
    const char *algorithm = algorithm_of_job(line, params);
    if (algorithm)
        s->algorithm_hint = algorithm;
    lamp_session_job(s, id->text, NULL);
}

static struct lamp_finding follow_answer(struct lamp_session *s, const struct lamp_jsonline *line)
{
    struct lamp_finding f = { LAMP_GRADE_NONE, LAMP_DOWN, NULL };
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

static struct lamp_finding follow_pool(struct lamp_session *s, const struct lamp_jsonline *line)
{
    const struct lamp_finding none = { LAMP_GRADE_NONE, LAMP_DOWN, NULL };
    const struct lamp_method *m = lamp_method_find(methods, ARRAY_LEN(methods), line);
    if (!m)
        return follow_answer(s, line);
    const struct lamp_jsonvalue *params = lamp_jsonline_top(line, "params");
    const struct lamp_jsonvalue *first = lamp_jsonline_item(line, params, 0);
    if (streq(m->name, "mining.notify")) {
        on_notify(s, line, params);
    } else if (streq(m->name, "mining.set_difficulty")) {
        struct lamp_weight w = { 0 };
        if (lamp_jsonline_number(first, &w.difficulty))
            lamp_session_weight(s, w);
    } else if (streq(m->name, "mining.set_target")) {
        lamp_session_weight(
            s, (struct lamp_weight){ .hashes = lamp_target_hashes(lamp_jsonline_string(first)) });
    } else if (streq(m->name, "mining.set")) {
        lamp_session_algorithm(s, lamp_jsonline_string(lamp_jsonline_member(line, params, "algo")));
        lamp_session_weight(
            s, (struct lamp_weight){ .hashes = lamp_target_hashes(lamp_jsonline_string(
                                         lamp_jsonline_member(line, params, "target"))) });
    }
    return none;
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    return dir == LAMP_UP ? follow_miner(s, line) : follow_pool(s, line);
}

const struct lamp_recog lamp_recog_stratum1 = {
    .name = "stratum1",
    .family = "stratum-v1",
    .wallet_family = NULL,
    .judge = judge,
    .follow = follow,
};
