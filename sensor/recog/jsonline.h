/* SPDX-License-Identifier: Apache-2.0 */
/* jsonline: reads one JSON object of a line protocol into a flat table of values, in one pass
 * over the bytes, without recursion or allocation. The table borrows the bytes. Tolerates any
 * key order and white space (RFC 8259), does not check numbers and escapes to the letter.
 * Limits: 16 KiB of text, 16 levels, 192 values, 48 of one inner array or object; values
 * past a limit are left out, the rest stays usable. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum {
    LAMP_JSONLINE_MAX = 16384,
    LAMP_JSONLINE_DEPTH = 16,
    LAMP_JSONLINE_VALUES = 192,
    LAMP_JSONLINE_CHILDREN = 48,
};

enum lamp_json_type {
    LAMP_JSON_NULL,
    LAMP_JSON_TRUE,
    LAMP_JSON_FALSE,
    LAMP_JSON_NUMBER,
    LAMP_JSON_STRING,
    LAMP_JSON_ARRAY,
    LAMP_JSON_OBJECT,
};

struct lamp_jsonvalue {
    struct lamp_bytes key;  /* as written between the quotes; empty inside an array */
    struct lamp_bytes text; /* as written; a string without its quotes, escapes undecoded */
    int16_t parent;         /* index of the container, 0 being the line's object */
    uint16_t after;         /* index behind the value and all in it: the next of the container */
    uint8_t type;           /* enum lamp_json_type */
};

struct lamp_jsonline {
    struct lamp_bytes text;                        /* of the object */
    struct lamp_jsonvalue v[LAMP_JSONLINE_VALUES]; /* v[0] is the object itself */
    uint16_t n;
    uint16_t top[5]; /* of members often asked for, by lamp_jsonline_known(); 0: not there */
    bool in_http;    /* the caller's: the body of an HTTP message */
};

/* Reads one object, which has to be all of `text` but for white space. LAMP_ETRUNC: it ends
 * too early. LAMP_EFORMAT: no JSON object, or deeper than the limit. LAMP_EFULL: too long. */
LAMP_CHECK int lamp_jsonline_parse(struct lamp_bytes text, struct lamp_jsonline *out);

/* The same for an object that the bytes only begin with; *out_used bytes are it and the blanks before
 * it. one_line: a line feed may stand neither before it nor in it (LAMP_EFORMAT). */
LAMP_CHECK int lamp_jsonline_first(struct lamp_bytes bytes, bool one_line,
                                   struct lamp_jsonline *out, size_t *out_used);

/* The member of an object, or item number i of an array; NULL if there is none (also when
 * `in` is NULL or of another type, so that look-ups may be chained). */
const struct lamp_jsonvalue *lamp_jsonline_find(const struct lamp_jsonline *l,
                                                const struct lamp_jsonvalue *in,
                                                struct lamp_bytes key);
static inline const struct lamp_jsonvalue *lamp_jsonline_member(const struct lamp_jsonline *l,
                                                                const struct lamp_jsonvalue *in,
                                                                const char *key)
{
    return lamp_jsonline_find(l, in, lamp_bytes_of(key)); /* keys are literals: no strlen() */
}
const struct lamp_jsonvalue *lamp_jsonline_item(const struct lamp_jsonline *l,
                                                const struct lamp_jsonvalue *in, size_t i);

/* How many items or members the table holds of a container. */
size_t lamp_jsonline_count(const struct lamp_jsonline *l, const struct lamp_jsonvalue *in);

/* The place in `top` of a key; -1: it has none. With a literal the compiler knows. */
static inline int lamp_jsonline_known(struct lamp_bytes key)
{
#define LAMP_IS(s) (key.len == sizeof(s) - 1 && memcmp(key.data, s, sizeof(s) - 1) == 0)
    return LAMP_IS("id")       ? 0
           : LAMP_IS("method") ? 1
           : LAMP_IS("params") ? 2
           : LAMP_IS("result") ? 3
           : LAMP_IS("error")  ? 4
                               : -1;
#undef LAMP_IS
}

/* A member of the line's object. */
static inline const struct lamp_jsonvalue *lamp_jsonline_top(const struct lamp_jsonline *l,
                                                             const char *key)
{
    const int known = lamp_jsonline_known(lamp_bytes_of(key));
    if (known < 0)
        return lamp_jsonline_member(l, &l->v[0], key);
    return l->top[known] ? &l->v[l->top[known]] : NULL;
}

/* The text of a string, empty for NULL and other types. */
static inline struct lamp_bytes lamp_jsonline_string(const struct lamp_jsonvalue *v)
{
    return v && v->type == LAMP_JSON_STRING ? v->text : (struct lamp_bytes){ NULL, 0 };
}

/* Whether there is a value other than null. */
static inline bool lamp_jsonline_given(const struct lamp_jsonvalue *v)
{
    return v && v->type != LAMP_JSON_NULL;
}

/* A number, also one written as a string ("2048"); false: neither. */
bool lamp_jsonline_number(const struct lamp_jsonvalue *v, double *out);

/* Decodes the escapes of a string's text into buf (cut when full); returns the length. */
size_t lamp_jsonline_unescape(struct lamp_bytes text, uint8_t *buf, size_t size);

/* Splits a byte stream into such objects: where one starts and where it ends. An object begins
 * with a brace and a quote (or a brace that closes it), and ends with its last brace, so a missing
 * line feed holds nothing up; a line feed inside one, or other text on a line, gives up the line.
 * Zero-initialise. */
struct lamp_jsonsplit {
    uint8_t state; /* enum in jsonline.c */
    uint8_t depth;
    bool in_string, escaped;
    bool begun;    /* nothing but blanks came after the first brace */
    bool document; /* the caller's: a line feed may stand inside an object (a whole message) */
};

enum lamp_jsonsplit_event {
    LAMP_SPLIT_BLANK, /* between objects */
    LAMP_SPLIT_BEGIN, /* this byte opens an object */
    LAMP_SPLIT_INSIDE,
    LAMP_SPLIT_END,     /* this byte closes it */
    LAMP_SPLIT_BROKEN,  /* this byte cannot stand here; what follows up to the line's end */
    LAMP_SPLIT_SKIPPED, /* is skipped */
};

enum lamp_jsonsplit_event lamp_jsonsplit_byte(struct lamp_jsonsplit *s, uint8_t c);

/* The same for the bytes from *io_at on, up to the next BEGIN, END or BROKEN, whose byte *io_at
 * is then; else *io_at is the end. About two instructions for a byte of a string. */
enum lamp_jsonsplit_event lamp_jsonsplit_next(struct lamp_jsonsplit *s, struct lamp_bytes bytes,
                                              size_t *io_at);

/* Whether the next object, if any, has not begun. */
bool lamp_jsonsplit_between(const struct lamp_jsonsplit *s);

/* Starts over in the middle of a stream (bytes are missing): skips to the next line. */
void lamp_jsonsplit_resync(struct lamp_jsonsplit *s);
