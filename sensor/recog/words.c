/* SPDX-License-Identifier: Apache-2.0 */
/* words: what recognisers share to tell one text from another. */
#include "common/text.h"
#include "sensor/recog/recog.h"

#include <strings.h>

bool lamp_is_hex(struct lamp_bytes text, size_t n)
{
    if (text.len >= 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x') {
        text.data += 2;
        text.len -= 2;
    }
    if (text.len == 0 || (n && text.len != n))
        return false;
    return lamp_hex_is((const char *)text.data, text.len);
}

bool lamp_is_stratum_error(const struct lamp_jsonline *line)
{
    const struct lamp_jsonvalue *error = lamp_jsonline_top(line, "error");
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    double code = 0;
    return lamp_jsonline_number(lamp_jsonline_item(line, error, 0), &code) && code >= 20 &&
           code <= 25 && lamp_jsonline_string(lamp_jsonline_item(line, error, 1)).len &&
           (!lamp_jsonline_given(result) || result->type == LAMP_JSON_FALSE);
}

const struct lamp_method *lamp_method_find(const struct lamp_method *table, size_t n,
                                           const struct lamp_jsonline *line)
{
    const struct lamp_bytes method = lamp_jsonline_string(lamp_jsonline_top(line, "method"));
    if (!lamp_jsonline_top(line, "params") && !lamp_jsonline_top(line, "id"))
        return NULL;
    for (size_t i = 0; method.len && i < n; i++)
        if (table[i].name_len == method.len && memcmp(table[i].name, method.data, method.len) == 0)
            return &table[i];
    return NULL;
}

struct lamp_finding lamp_judge_http_answer(struct lamp_session *s, const struct lamp_jsonline *line)
{
    struct lamp_finding f = { LAMP_GRADE_NONE, LAMP_DOWN, NULL, LAMP_FIRM_OWN };
    enum lamp_outcome outcome = LAMP_OUTCOME_NONE;
    f.what = lamp_session_answer(s, line, &outcome);
    if (f.what && lamp_is_stratum_error(line))
        f.grade = LAMP_GRADE_CERTAIN;
    else if (f.what && outcome == LAMP_OUTCOME_ACCEPTED)
        f.grade = LAMP_GRADE_SUPPORT;
    return f;
}

bool lamp_is_miner_agent(struct lamp_bytes agent)
{
    static const char *const names[] = {
        "xmrig",        "xmr-stak",     "xmr/",         "cgminer",    "bfgminer",
        "sgminer",      "cpuminer",     "ccminer",      "ethminer",   "t-rex",
        "teamredminer", "lolminer",     "nbminer",      "gminer",     "bzminer",
        "godminer",     "srbminer",     "phoenixminer", "claymore",   "ewbf",
        "miniz",        "bmminer",      "nerdminer",    "bosminer",   "antminer",
        "whatsminer",   "iceriver",     "bitaxe",       "grin-miner", "ckbminer",
        "rigel",        "onezerominer", "wildrig",      "nanominer",  "minergate",
        "cast_xmr",     "cryptodredge", "xmrigcc",      "meta-miner", "node-cryptonight",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const size_t len = strlen(names[i]);
        if (agent.len >= len && strncasecmp((const char *)agent.data, names[i], len) == 0)
            return true;
    }
    return false;
}

bool lamp_begins_with(struct lamp_bytes text, const char *prefix)
{
    const size_t n = strlen(prefix);
    return text.len >= n && memcmp(text.data, prefix, n) == 0;
}

static bool is_decimal(struct lamp_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.len > 0;
}

static bool is_letter(const struct lamp_jsonvalue *v, char letter)
{
    const struct lamp_bytes text = lamp_jsonline_string(v);
    switch (letter) {
    case 'H':
        return lamp_is_hex(text, 64);
    case 'w':
        return lamp_is_hex(text, 8);
    case 'X':
        return lamp_is_hex(text, 0);
    case 'd':
        return is_decimal(text);
    case 'S':
        return text.len > 0;
    case 'e':
        return v->type == LAMP_JSON_STRING && text.len == 0;
    case 'n':
        return v->type == LAMP_JSON_NUMBER;
    case 'b':
        return v->type == LAMP_JSON_TRUE || v->type == LAMP_JSON_FALSE;
    case '0':
        return v->type == LAMP_JSON_NULL;
    case 'a':
        return v->type == LAMP_JSON_ARRAY;
    case 'o':
        return v->type == LAMP_JSON_OBJECT;
    default:
        return letter == '.';
    }
}

bool lamp_has_shape(const struct lamp_jsonline *line, const struct lamp_jsonvalue *array,
                    const char *shape)
{
    if (!array || array->type != LAMP_JSON_ARRAY)
        return false;
    size_t i = (size_t)(array - line->v) + 1;
    for (; i < array->after && *shape && *shape != '*'; i = line->v[i].after)
        if (!is_letter(&line->v[i], *shape++))
            return false;
    return *shape == '*' || (!*shape && i >= array->after);
}
