/* SPDX-License-Identifier: Apache-2.0 */
/* conflux: Stratum for Conflux: jobs are [job, (height,) hash, boundary], shares [worker, job, nonce,
 * hash], and answers lists of words: ["true"], or ["false", reason] (Stratum Protocol in Conflux-Rust;
 * pools add the height). */
#include "sensor/recog/stratum.h"

static void on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    lamp_stratum_job_with_target(s, line, params, lamp_jsonline_count(line, params) - 1);
}

static bool is_user(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return lamp_begins_with(lamp_jsonline_string(lamp_jsonline_item(line, params, 0)), "cfx:");
}

static struct lamp_finding follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir)
{
    const struct lamp_jsonvalue *word =
        lamp_jsonline_item(line, lamp_jsonline_top(line, "result"), 0);
    if (dir == LAMP_UP || !lamp_bytes_eq(lamp_jsonline_string(word), "false"))
        return lamp_recog_stratum1.follow(s, line, dir);
    const char *what = lamp_session_book(s, lamp_jsonline_top(line, "id"), LAMP_OUTCOME_REJECTED);
    return (struct lamp_finding){ what ? LAMP_GRADE_CERTAIN : LAMP_GRADE_NONE, dir, what,
                                  LAMP_FIRM_COMMON };
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, Conflux form", CERTAIN, DOWN, OWN),
      .shape = "HHX", .take = on_notify },
    { LAMP_TELLS("mining.notify", "method mining.notify, Conflux form", CERTAIN, DOWN, OWN),
      .shape = ".nHX", .take = on_notify },
    { LAMP_TELLS("mining.notify", "method mining.notify, Conflux form", CERTAIN, DOWN, OWN),
      .shape = ".dHH", .take = on_notify },
    { LAMP_TELLS("mining.submit", "method mining.submit, Conflux form", CERTAIN, UP, OWN),
      .shape = "SHXH" },
    { LAMP_TELLS("mining.authorize", "mining.authorize with an address of Conflux", CERTAIN, UP,
                 OWN),
      .fits = is_user },
};

const struct lamp_recog lamp_recog_conflux = {
    .name = "conflux",
    .family = "conflux",
    .algorithm = "octopus",
    .coin = "CFX",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .follow = follow,
};
