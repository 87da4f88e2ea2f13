/* SPDX-License-Identifier: Apache-2.0 */
/* getblocktemplate: decentralised mining over JSON-RPC in HTTP: the miner asks for a block to fill,
 * and hands it in with submitblock. Formats: BIP 22, BIP 23. Who asks may be a miner or the server
 * of a pool that asks its own node. */
#include "sensor/recog/recog.h"

static const struct lamp_method methods[] = {
    { LAMP_SAYS("getblocktemplate", CERTAIN, UP, OWN) },
    { LAMP_SAYS("submitblock", CERTAIN, UP, OWN) },
};

/* Monero's daemon has a method of that name, which names the wallet (monerorpc.c). */
static const struct lamp_method *method_of(const struct lamp_jsonline *line)
{
    return lamp_jsonline_member(line, lamp_jsonline_top(line, "params"), "wallet_address")
               ? NULL
               : lamp_method_find(methods, ARRAY_LEN(methods), line);
}

/* The template of an answer (BIP 22, "Block Template Request"); NULL: none. */
static const struct lamp_jsonvalue *template_of(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    return lamp_is_hex(
               lamp_jsonline_string(lamp_jsonline_member(line, result, "previousblockhash")), 64) &&
                   lamp_is_hex(lamp_jsonline_string(lamp_jsonline_member(line, result, "bits")),
                               8) &&
                   (lamp_jsonline_member(line, result, "coinbasevalue") ||
                    lamp_jsonline_member(line, result, "coinbasetxn"))
               ? result
               : NULL;
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    const struct lamp_method *m = method_of(line);
    if (m)
        return m->is;
    if (template_of(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "block template",
                                      LAMP_FIRM_OWN };
    return (struct lamp_finding){ LAMP_GRADE_NONE, LAMP_UP, NULL, LAMP_FIRM_OWN };
}

/* ---- following ---- */

static void follow_miner(struct lamp_session *s, const struct lamp_jsonline *line)
{
    s->null_is_yes = true; /* BIP 22, "submitblock": null, or a text that says why not */
    const struct lamp_method *m = method_of(line);
    if (!m)
        return; /* what else is asked of a node proves nothing */
    if (streq(m->name, "submitblock"))
        lamp_session_share(s, line, (struct lamp_bytes){ NULL, 0 }, "answer to submitblock");
    else
        lamp_session_request(s, line, "answer to getblocktemplate");
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    if (dir == LAMP_UP) {
        follow_miner(s, line);
        return (struct lamp_finding){ LAMP_GRADE_NONE, dir, NULL, LAMP_FIRM_OWN };
    }
    const struct lamp_jsonvalue *block = template_of(line);
    if (block) {
        const struct lamp_weight w = { .hashes = lamp_target_hashes(lamp_jsonline_string(
                                           lamp_jsonline_member(line, block, "target"))) };
        lamp_session_job(s, (struct lamp_bytes){ NULL, 0 }, &w);
    }
    return lamp_judge_http_answer(s, line);
}

const struct lamp_recog lamp_recog_getblocktemplate = {
    .name = "getblocktemplate",
    .family = "getblocktemplate",
    .http = true,
    .judge = judge,
    .follow = follow,
};
