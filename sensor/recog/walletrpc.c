/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/walletrpc.h"

struct lamp_finding lamp_walletrpc_judge(const struct lamp_method *table, size_t n,
                                         const struct lamp_jsonline *line)
{
    const struct lamp_method *m = lamp_method_find(table, n, line);
    return m ? m->is : (struct lamp_finding){ LAMP_GRADE_NONE, LAMP_UP, NULL, LAMP_FIRM_OWN };
}

struct lamp_finding lamp_walletrpc_follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                          enum lamp_dir dir)
{
    struct lamp_finding f = { LAMP_GRADE_NONE, dir, NULL, LAMP_FIRM_OWN };
    if (dir == LAMP_UP) {
        if (lamp_jsonline_top(line, "method"))
            lamp_session_request(s, line, "answer to a wallet");
        return f;
    }
    enum lamp_outcome outcome = LAMP_OUTCOME_NONE;
    f.what = lamp_session_answer(s, line, &outcome);
    if (f.what)
        f.grade = LAMP_GRADE_SUPPORT;
    return f;
}
