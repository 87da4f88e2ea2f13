/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/newblock.h"

/* The height that a job names: of the message, or of the job in the answer to a login. */
static bool height_of(const struct lamp_jsonline *line, double *out)
{
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    const struct lamp_jsonvalue *const places[] = {
        lamp_jsonline_top(line, "params"),
        lamp_jsonline_member(line, result, "job"),
        &line->v[0],
    };
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (lamp_jsonline_number(lamp_jsonline_member(line, places[i], "height"), out))
            return true;
    return false;
}

/* Some item of the parameters of mining.notify is true: clean_jobs, at whatever place the dialect
 * has it. */
static bool is_clean(const struct lamp_jsonline *line)
{
    if (!lamp_bytes_eq(lamp_jsonline_string(lamp_jsonline_top(line, "method")), "mining.notify"))
        return false;
    const struct lamp_jsonvalue *params = lamp_jsonline_top(line, "params");
    const size_t n = lamp_jsonline_count(line, params);
    for (size_t i = 0; i < n; i++) {
        const struct lamp_jsonvalue *v = lamp_jsonline_item(line, params, i);
        if (v && v->type == LAMP_JSON_TRUE)
            return true;
    }
    return false;
}

bool lamp_newblock(const struct lamp_jsonline *line, double *io_height)
{
    double height;
    const double last = *io_height;
    if (height_of(line, &height)) {
        *io_height = height;
        return last > 0 && height > last;
    }
    if (!is_clean(line))
        return false;
    *io_height = 1; /* no height, but no longer the first job */
    return last > 0;
}
