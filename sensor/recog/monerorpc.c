/* SPDX-License-Identifier: Apache-2.0 */
/* monerorpc: mining straight at a Monero node (or its kin): get_block_template with the wallet that
 * is to be paid, submit_block with the found block. Formats: Monero's documentation of the daemon's
 * JSON-RPC; XMRig's daemon mode. */
#include "sensor/recog/recog.h"

static bool method_is(const struct lamp_jsonline *line, const char *with, const char *without)
{
    const struct lamp_bytes m = lamp_jsonline_string(lamp_jsonline_top(line, "method"));
    return lamp_bytes_eq(m, with) || lamp_bytes_eq(m, without);
}

static const struct lamp_jsonvalue *wallet_of(const struct lamp_jsonline *line)
{
    return lamp_jsonline_member(line, lamp_jsonline_top(line, "params"), "wallet_address");
}

static bool asks_template(const struct lamp_jsonline *line)
{
    return method_is(line, "get_block_template", "getblocktemplate") &&
           lamp_jsonline_string(wallet_of(line)).len > 0;
}

/* A block is hundreds of hex digits. It begins with a major and a minor version, neither of them 0,
 * where one of Bitcoin has a little-endian 32-bit version. */
static bool submits_block(const struct lamp_jsonline *line)
{
    const struct lamp_bytes block =
        lamp_jsonline_string(lamp_jsonline_item(line, lamp_jsonline_top(line, "params"), 0));
    return method_is(line, "submit_block", "submitblock") && block.len >= 152 &&
           lamp_is_hex(block, 0) && memcmp(block.data, "00", 2) != 0 &&
           memcmp(block.data + 2, "000000", 6) != 0;
}

static const struct lamp_jsonvalue *template_of(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    return lamp_is_hex(
               lamp_jsonline_string(lamp_jsonline_member(line, result, "blocktemplate_blob")), 0) &&
                   lamp_jsonline_member(line, result, "reserved_offset")
               ? result
               : NULL;
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    if (asks_template(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_UP, "block template for a wallet",
                                      LAMP_FIRM_OWN };
    if (submits_block(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_UP, "method submit_block",
                                      LAMP_FIRM_OWN };
    if (template_of(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "blocktemplate_blob",
                                      LAMP_FIRM_OWN };
    return (struct lamp_finding){ LAMP_GRADE_NONE, LAMP_UP, NULL, LAMP_FIRM_OWN };
}

/* ---- following ---- */

static void follow_miner(struct lamp_session *s, const struct lamp_jsonline *line)
{
    if (submits_block(line)) {
        lamp_session_share(s, line, (struct lamp_bytes){ NULL, 0 }, "answer to submit_block");
        return;
    }
    if (!asks_template(line))
        return; /* what else is asked of a node proves nothing */
    lamp_session_user(s, wallet_of(line));
    lamp_session_request(s, line, "answer to get_block_template");
}

static void on_template(struct lamp_session *s, const struct lamp_jsonline *line,
                        const struct lamp_jsonvalue *block)
{
    struct lamp_weight w = { 0 };
    if (lamp_jsonline_number(lamp_jsonline_member(line, block, "difficulty"), &w.hashes))
        w.difficulty = w.hashes;
    if (lamp_jsonline_member(line, block, "seed_hash"))
        s->algorithm_hint = "randomx";
    lamp_session_job(s, (struct lamp_bytes){ NULL, 0 }, &w);
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    if (dir == LAMP_UP) {
        follow_miner(s, line);
        return (struct lamp_finding){ LAMP_GRADE_NONE, dir, NULL, LAMP_FIRM_OWN };
    }
    const struct lamp_jsonvalue *block = template_of(line);
    if (block)
        on_template(s, line, block);
    return lamp_judge_http_answer(s, line);
}

const struct lamp_recog lamp_recog_monerorpc = {
    .name = "monerorpc",
    .family = "monero-rpc",
    .wallet_family = "cryptonote",
    .http = true,
    .judge = judge,
    .follow = follow,
};
