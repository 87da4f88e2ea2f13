/* SPDX-License-Identifier: Apache-2.0 */
/* json: a streaming JSON writer (RFC 8259). It writes into a buffer that grows up to a
 * limit, or into a fixed one; commas, quoting and escaping are its work, pairing begin and
 * end is the caller's (asserted). Bytes that are not valid UTF-8 appear as the text \xNN
 * (a JSON string holding backslash, x, two digits). Numbers that JSON has no form for (NaN,
 * infinities) become null. Reading JSON is jansson's work. Not thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_JSON_DEPTH = 16 };

struct lamp_json {
    char *buf; /* owned unless fixed; always terminated */
    size_t len, cap, limit;
    bool fixed, failed; /* failed: out of room; the text is cut and unusable */
    uint8_t depth;
    bool is_array[LAMP_JSON_DEPTH], has_items[LAMP_JSON_DEPTH];
};

/* A growing writer of at most limit bytes, terminator included; free with lamp_json_done(). */
void lamp_json_init(struct lamp_json *j, size_t limit);
void lamp_json_init_fixed(struct lamp_json *j, char *buf, size_t size);
void lamp_json_done(struct lamp_json *j);

/* Forgets the text and keeps the memory. */
void lamp_json_reset(struct lamp_json *j);

/* LAMP_EFULL: the limit was passed or memory ran out. */
LAMP_CHECK int lamp_json_error(const struct lamp_json *j);

/* Takes the text out (free() it); NULL after an error. *out_len gets its length. The writer is then as
 * lamp_json_init() leaves it. */
char *lamp_json_take(struct lamp_json *j, size_t *out_len);

/* Each writes one value; key is NULL inside an array and at the top. */
void lamp_json_object(struct lamp_json *j, const char *key);
void lamp_json_array(struct lamp_json *j, const char *key);
void lamp_json_end(struct lamp_json *j);
void lamp_json_null(struct lamp_json *j, const char *key);
void lamp_json_bool(struct lamp_json *j, const char *key, bool v);
void lamp_json_int(struct lamp_json *j, const char *key, int64_t v);
void lamp_json_uint(struct lamp_json *j, const char *key, uint64_t v);
/* The shortest form that reads back as the same number; null for what is not finite. */
void lamp_json_double(struct lamp_json *j, const char *key, double v);
/* The same of a value that is known to six digits at best: several times cheaper. */
void lamp_json_estimate(struct lamp_json *j, const char *key, double v);

/* Seconds with six decimals from microseconds; null for 0. */
void lamp_json_time(struct lamp_json *j, const char *key, uint64_t t_us);

/* A string; null where s is NULL or empty ("unknown is null, never an empty string"). */
void lamp_json_str(struct lamp_json *j, const char *key, const char *s);
void lamp_json_bytes(struct lamp_json *j, const char *key, struct lamp_bytes s);

/* Inserts text that is JSON already. */
void lamp_json_raw(struct lamp_json *j, const char *key, const char *json, size_t len);

/* A bare newline between top-level values (JSON lines). */
void lamp_json_newline(struct lamp_json *j);
