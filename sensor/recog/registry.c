/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/recog.h"

#include <strings.h>

#define LAMP_RECOG(n) extern const struct lamp_recog lamp_recog_##n;
#include "sensor/recog/recog.def"
#undef LAMP_RECOG

static const struct lamp_recog *const all[] = {
#define LAMP_RECOG(n) &lamp_recog_##n,
#include "sensor/recog/recog.def"
#undef LAMP_RECOG
};

const struct lamp_recog *const *lamp_recogs(size_t *out_n)
{
    *out_n = ARRAY_LEN(all);
    return all;
}

enum lamp_probe lamp_recog_probe(const struct lamp_recog *r, struct lamp_bytes prefix,
                                 struct lamp_hit *out_hit)
{
    struct lamp_jsonsplit split = { 0 };
    struct lamp_jsonline line;
    line.in_http = false;
    size_t begin = 0;
    unsigned lines = 0;
    for (size_t i = 0; i < prefix.len; i++) {
        switch (lamp_jsonsplit_byte(&split, prefix.data[i])) {
        case LAMP_SPLIT_BROKEN:
            return LAMP_NO_MATCH;
        case LAMP_SPLIT_BEGIN:
            begin = i;
            break;
        case LAMP_SPLIT_INSIDE:
            if (i - begin >= LAMP_JSONLINE_MAX)
                return LAMP_NO_MATCH;
            break;
        case LAMP_SPLIT_END: {
            const struct lamp_bytes text = { prefix.data + begin, i + 1 - begin };
            lines++;
            if (lamp_jsonline_parse(text, &line) != LAMP_OK)
                return LAMP_NO_MATCH;
            const struct lamp_finding f = r->judge(&line);
            if (f.grade == LAMP_GRADE_CERTAIN) {
                *out_hit = (struct lamp_hit){ f, lines };
                return LAMP_MATCH;
            }
            if (lines == LAMP_PROBE_LINES)
                return LAMP_NO_MATCH;
            break;
        }
        default:
            break;
        }
    }
    return LAMP_NEED_MORE;
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

static const bool hex_digit[256] = {
    ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true,
    ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true, ['a'] = true, ['b'] = true,
    ['c'] = true, ['d'] = true, ['e'] = true, ['f'] = true, ['A'] = true, ['B'] = true,
    ['C'] = true, ['D'] = true, ['E'] = true, ['F'] = true,
};

bool lamp_is_hex(struct lamp_bytes text, size_t n)
{
    if (text.len >= 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x') {
        text.data += 2;
        text.len -= 2;
    }
    if (text.len == 0 || (n && text.len != n))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!hex_digit[text.data[i]])
            return false;
    return true;
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
