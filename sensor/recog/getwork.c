/* SPDX-License-Identifier: Apache-2.0 */
/* getwork: the first mining protocol of Bitcoin: JSON-RPC over HTTP, a request for each piece of
 * work and the same method with one param to hand in. Format: Bitcoin wiki, "Getwork", with its
 * headers X-Mining-Extensions, X-Long-Polling and X-Roll-NTime. */
#include "sensor/recog/recog.h"

static bool is_getwork(const struct lamp_jsonline *line)
{
    return lamp_bytes_eq(lamp_jsonline_string(lamp_jsonline_top(line, "method")), "getwork") &&
           (lamp_jsonline_top(line, "params") || lamp_jsonline_top(line, "id"));
}

/* The work of an answer: {"data": 256 hex digits, "target": 64 hex digits, ..}; longer data belongs
 * to other coins. NULL: none. */
static const struct lamp_jsonvalue *work_of(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    const struct lamp_bytes data = lamp_jsonline_string(lamp_jsonline_member(line, result, "data"));
    return data.len >= 160 && lamp_is_hex(data, 0) &&
                   lamp_is_hex(lamp_jsonline_string(lamp_jsonline_member(line, result, "target")),
                               64)
               ? result
               : NULL;
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    if (is_getwork(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_UP, "method getwork",
                                      LAMP_FIRM_OWN };
    if (work_of(line))
        return (struct lamp_finding){ LAMP_GRADE_CERTAIN, LAMP_DOWN, "data and target of work",
                                      LAMP_FIRM_OWN };
    return (struct lamp_finding){ LAMP_GRADE_NONE, LAMP_UP, NULL, LAMP_FIRM_OWN };
}

static struct lamp_finding judge_head(const struct lamp_http_head *head)
{
    return (struct lamp_finding){ LAMP_GRADE_CERTAIN, head->is_response ? LAMP_DOWN : LAMP_UP,
                                  head->mining, LAMP_FIRM_OWN };
}

/* ---- following ---- */

static void follow_miner(struct lamp_session *s, const struct lamp_jsonline *line)
{
    const struct lamp_bytes data =
        lamp_jsonline_string(lamp_jsonline_item(line, lamp_jsonline_top(line, "params"), 0));
    if (!is_getwork(line))
        return; /* what else is asked of a node proves nothing */
    if (data.len)
        lamp_session_share(s, line, (struct lamp_bytes){ NULL, 0 }, "answer to a share");
    else
        lamp_session_request(s, line, "answer to getwork");
}

/* The target is a little-endian number; pools let all of its lower digits be f or 0. */
static double hashes_of(struct lamp_bytes target)
{
    uint8_t reversed[64];
    if (target.len != sizeof(reversed))
        return 0;
    for (size_t i = 0; i < sizeof(reversed); i += 2) {
        reversed[i] = target.data[62 - i];
        reversed[i + 1] = target.data[63 - i];
    }
    return lamp_target_hashes((struct lamp_bytes){ reversed, sizeof(reversed) });
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    if (dir == LAMP_UP) {
        follow_miner(s, line);
        return (struct lamp_finding){ LAMP_GRADE_NONE, dir, NULL, LAMP_FIRM_OWN };
    }
    const struct lamp_jsonvalue *work = work_of(line);
    if (work) {
        const struct lamp_weight w = { .hashes = hashes_of(lamp_jsonline_string(
                                           lamp_jsonline_member(line, work, "target"))) };
        lamp_session_job(s, (struct lamp_bytes){ NULL, 0 }, &w);
    }
    return lamp_judge_http_answer(s, line);
}

const struct lamp_recog lamp_recog_getwork = {
    .name = "getwork",
    .family = "getwork",
    .http = true,
    .judge = judge,
    .judge_head = judge_head,
    .follow = follow,
};
