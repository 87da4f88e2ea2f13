/* SPDX-License-Identifier: Apache-2.0 */
/* qatum: the pool protocol of Qubic: no method, the id says what a line is: 1 subscribe {"wallet",
 * "worker"}, 2 computor {"computorId"}, 3 seed {"seed"}, 4 submit {"nonce", "seed", "computorId"}, 5
 * hash rate, 6 difficulty; answers have the id of the request and {"result", "error"} (qatum-protocol's
 * documentation). A solution threshold is no number of hashes, so no work is counted. */
#include "sensor/recog/stratum.h"

enum { ID_SUBSCRIBE = 1, ID_COMPUTOR, ID_SEED, ID_SUBMIT, ID_HASHRATE, ID_DIFFICULTY };

/* Qubic's identities are 60 capital letters. */
static bool is_identity(struct lamp_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 'A' || text.data[i] > 'Z')
            return false;
    return text.len == 60;
}

static struct lamp_bytes text_of(const struct lamp_jsonline *line, const char *key)
{
    return lamp_jsonline_string(lamp_jsonline_top(line, key));
}

/* The message's number, 0 where it is none of these; checks the members it has to have. */
static int kind_of(const struct lamp_jsonline *line)
{
    double id = 0;
    if (lamp_jsonline_top(line, "method") ||
        !lamp_jsonline_number(lamp_jsonline_top(line, "id"), &id) || id < 1 || id > ID_DIFFICULTY)
        return 0;
    const bool computor = is_identity(text_of(line, "computorId"));
    const bool seed = lamp_is_hex(text_of(line, "seed"), 64);
    const bool ok[] = {
        [ID_SUBSCRIBE] = is_identity(text_of(line, "wallet")) && lamp_jsonline_top(line, "worker"),
        [ID_COMPUTOR] = computor,
        [ID_SEED] = seed,
        [ID_SUBMIT] = computor && seed && lamp_is_hex(text_of(line, "nonce"), 64),
        [ID_HASHRATE] = computor && lamp_jsonline_top(line, "hashrate"),
        [ID_DIFFICULTY] = lamp_jsonline_top(line, "difficulty") != NULL,
    };
    return ok[(int)id] ? (int)id : 0;
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    static const struct lamp_finding kinds[] = {
        [0] = { .grade = LAMP_GRADE_NONE },
        [ID_SUBSCRIBE] = { LAMP_GRADE_CERTAIN, LAMP_UP, "subscription of a Qubic identity",
                           LAMP_FIRM_OWN },
        [ID_COMPUTOR] = { LAMP_GRADE_CERTAIN, LAMP_DOWN, "computor to work for", LAMP_FIRM_OWN },
        [ID_SEED] = { LAMP_GRADE_STRONG, LAMP_DOWN, "mining seed", LAMP_FIRM_OWN },
        [ID_SUBMIT] = { LAMP_GRADE_CERTAIN, LAMP_UP, "solution for a computor", LAMP_FIRM_OWN },
        [ID_HASHRATE] = { LAMP_GRADE_CERTAIN, LAMP_UP, "hash rate for a computor", LAMP_FIRM_OWN },
        [ID_DIFFICULTY] = { LAMP_GRADE_SUPPORT, LAMP_DOWN, "difficulty", LAMP_FIRM_COMMON },
    };
    return kinds[kind_of(line)];
}

static void take_miner(struct lamp_session *s, const struct lamp_jsonline *line)
{
    double rate = 0;
    switch (kind_of(line)) {
    case ID_SUBSCRIBE:
        lamp_session_user(s, lamp_jsonline_top(line, "wallet"));
        lamp_session_worker(s, lamp_jsonline_top(line, "worker"));
        lamp_session_request(s, line, "answer to the subscription");
        break;
    case ID_SUBMIT:
        lamp_session_share(s, line, text_of(line, "seed"), "answer to a solution");
        break;
    case ID_HASHRATE:
        if (lamp_jsonline_number(lamp_jsonline_top(line, "hashrate"), &rate))
            lamp_session_self_rate(s, rate);
        break;
    default:
        break;
    }
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    struct lamp_finding f = { .grade = LAMP_GRADE_NONE, .dir = dir };
    if (dir == LAMP_UP) {
        take_miner(s, line);
        return f;
    }
    const struct lamp_jsonvalue *idle = lamp_jsonline_top(line, "isEmpty");
    if (kind_of(line) == ID_SEED && !(idle && idle->type == LAMP_JSON_TRUE))
        lamp_session_job(s, text_of(line, "seed"), NULL);
    enum lamp_outcome outcome;
    f.what = lamp_session_answer(s, line, &outcome);
    if (f.what)
        f.grade = LAMP_GRADE_SUPPORT;
    return f;
}

const struct lamp_recog lamp_recog_qatum = {
    .name = "qatum",
    .family = "qatum",
    .algorithm = "qubic",
    .judge = judge,
    .follow = follow,
};
