/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json.h"

#include "common/text.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void lamp_json_init(struct lamp_json *j, size_t limit)
{
    *j = (struct lamp_json){ .limit = limit };
}

void lamp_json_init_fixed(struct lamp_json *j, char *buf, size_t size)
{
    *j = (struct lamp_json){ .buf = buf, .cap = size, .limit = size, .fixed = true };
    buf[0] = '\0';
}

void lamp_json_done(struct lamp_json *j)
{
    if (!j->fixed)
        free(j->buf);
    *j = (struct lamp_json){ 0 };
}

void lamp_json_reset(struct lamp_json *j)
{
    j->len = 0;
    j->failed = false;
    j->depth = 0;
    if (j->buf)
        j->buf[0] = '\0';
}

int lamp_json_error(const struct lamp_json *j)
{
    return j->failed ? LAMP_EFULL : LAMP_OK;
}

char *lamp_json_take(struct lamp_json *j, size_t *out_len)
{
    assert(!j->fixed && j->depth == 0);
    char *text = j->buf;
    *out_len = j->len;
    if (j->failed) {
        free(text);
        text = NULL;
    }
    lamp_json_init(j, j->limit);
    return text;
}

static bool reserve(struct lamp_json *j, size_t more)
{
    if (j->failed)
        return false;
    const size_t need = j->len + more + 1;
    if (need > j->limit) {
        j->failed = true;
        return false;
    }
    if (need <= j->cap)
        return true;
    size_t cap = j->cap ? j->cap : 512;
    while (cap < need)
        cap *= 2;
    char *buf = realloc(j->buf, cap);
    if (!buf) {
        j->failed = true;
        return false;
    }
    j->buf = buf;
    j->cap = cap;
    return true;
}

static void put(struct lamp_json *j, const char *s, size_t n)
{
    if (!reserve(j, n))
        return;
    memcpy(j->buf + j->len, s, n);
    j->len += n;
    j->buf[j->len] = '\0';
}

/* How many bytes from s on are ASCII that stands for itself in a string. */
static size_t plain_run(const uint8_t *s, size_t len)
{
    size_t n = 0;
    while (n < len && s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

static void put_quoted(struct lamp_json *j, const uint8_t *s, size_t len)
{
    static const char short_form[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };
    put(j, "\"", 1);
    for (size_t i = 0; i < len;) {
        const size_t run = plain_run(s + i, len - i);
        if (run > 0) {
            put(j, (const char *)s + i, run);
            i += run;
            continue;
        }
        size_t n = lamp_utf8_len(s + i, len - i);
        char esc[8];
        if (n == 0)
            put(j, esc, (size_t)snprintf(esc, sizeof(esc), "\\\\x%02x", s[i]));
        else if (s[i] == '"' || s[i] == '\\')
            put(j, esc, (size_t)snprintf(esc, sizeof(esc), "\\%c", s[i]));
        else if (s[i] < sizeof(short_form) && short_form[s[i]])
            put(j, esc, (size_t)snprintf(esc, sizeof(esc), "\\%c", short_form[s[i]]));
        else if (s[i] < 0x20 || s[i] == 0x7f)
            put(j, esc, (size_t)snprintf(esc, sizeof(esc), "\\u%04x", s[i]));
        else
            put(j, (const char *)s + i, n);
        i += n ? n : 1;
    }
    put(j, "\"", 1);
}

/* The comma and the key before a value. */
static void lead(struct lamp_json *j, const char *key)
{
    if (j->depth > 0) {
        const unsigned at = j->depth - 1U;
        assert(j->is_array[at] == !key);
        if (j->has_items[at])
            put(j, ",", 1);
        j->has_items[at] = true;
    }
    if (key) {
        put_quoted(j, (const uint8_t *)key, strlen(key));
        put(j, ":", 1);
    }
}

static void open_level(struct lamp_json *j, const char *key, bool array)
{
    lead(j, key);
    assert(j->depth < LAMP_JSON_DEPTH);
    j->is_array[j->depth] = array;
    j->has_items[j->depth] = false;
    j->depth++;
    put(j, array ? "[" : "{", 1);
}

void lamp_json_object(struct lamp_json *j, const char *key)
{
    open_level(j, key, false);
}

void lamp_json_array(struct lamp_json *j, const char *key)
{
    open_level(j, key, true);
}

void lamp_json_end(struct lamp_json *j)
{
    assert(j->depth > 0);
    j->depth--;
    put(j, j->is_array[j->depth] ? "]" : "}", 1);
}

void lamp_json_raw(struct lamp_json *j, const char *key, const char *json, size_t len)
{
    lead(j, key);
    put(j, json, len);
}

void lamp_json_null(struct lamp_json *j, const char *key)
{
    lamp_json_raw(j, key, "null", 4);
}

void lamp_json_bool(struct lamp_json *j, const char *key, bool v)
{
    lamp_json_raw(j, key, v ? "true" : "false", v ? 4 : 5);
}

void lamp_json_int(struct lamp_json *j, const char *key, int64_t v)
{
    char t[24];
    lamp_json_raw(j, key, t, (size_t)snprintf(t, sizeof(t), "%" PRId64, v));
}

void lamp_json_uint(struct lamp_json *j, const char *key, uint64_t v)
{
    char t[24];
    lamp_json_raw(j, key, t, (size_t)snprintf(t, sizeof(t), "%" PRIu64, v));
}

enum { DOUBLE_MAX = 320 }; /* of any number of digits; 17 need 24 */

static int print_double(char t[DOUBLE_MAX], int digits, double v)
{
    return snprintf(t, DOUBLE_MAX, "%.*g", digits, v);
}

void lamp_json_double(struct lamp_json *j, const char *key, double v)
{
    char t[DOUBLE_MAX];
    if (!isfinite(v)) {
        lamp_json_null(j, key);
        return;
    }
    /* The shortest form that reads back as the same number. Most are short; for the others it is
     * searched for by halves, since a form with more digits is no less close. */
    int n = print_double(t, 6, v);
    if (strtod(t, NULL) != v) {
        int least = 7, enough = 17;
        while (least < enough) {
            const int digits = (least + enough) / 2;
            print_double(t, digits, v);
            if (strtod(t, NULL) == v)
                enough = digits;
            else
                least = digits + 1;
        }
        n = print_double(t, enough, v);
    }
    lamp_json_raw(j, key, t, (size_t)n);
}

void lamp_json_estimate(struct lamp_json *j, const char *key, double v)
{
    char t[DOUBLE_MAX];
    if (isfinite(v))
        lamp_json_raw(j, key, t, (size_t)print_double(t, 6, v));
    else
        lamp_json_null(j, key);
}

void lamp_json_time(struct lamp_json *j, const char *key, uint64_t t_us)
{
    char t[40];
    if (t_us == 0) {
        lamp_json_null(j, key);
        return;
    }
    const int n = snprintf(t, sizeof(t), "%" PRIu64 ".%06" PRIu64, t_us / 1000000, t_us % 1000000);
    lamp_json_raw(j, key, t, (size_t)n);
}

void lamp_json_bytes(struct lamp_json *j, const char *key, struct lamp_bytes s)
{
    if (s.len == 0) {
        lamp_json_null(j, key);
        return;
    }
    lead(j, key);
    put_quoted(j, s.data, s.len);
}

void lamp_json_str(struct lamp_json *j, const char *key, const char *s)
{
    lamp_json_bytes(j, key, s ? lamp_bytes_of(s) : (struct lamp_bytes){ 0 });
}

void lamp_json_newline(struct lamp_json *j)
{
    put(j, "\n", 1);
}
