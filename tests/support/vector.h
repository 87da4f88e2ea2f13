/* SPDX-License-Identifier: Apache-2.0 */
/* vector: the test vectors of tests/data/recog: a conversation and what is to be found in it.
 * A text file, one item a line:
 *   # comment
 *   > text     the client's line (an LF is added)
 *   < text     the server's line
 *   >| text    bytes with \n \r \t \0 \\ \xNN escapes; nothing is added
 *   >h text    a line of an HTTP head (CRLF is added)
 *   >b text    Content-Length, the end of the head and this body
 *   >w text    a WebSocket text frame, masked if the client's
 *              (the same four with < for the server)
 *   ! word     "midstream": the start was not seen; "swapped": the engine takes the server
 *              for the client
 *   = key value   an expectation, as test_recog.c reads it
 * A vector owns its texts. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_VECTOR_LINES = 256, LAMP_VECTOR_WANTS = 32 };

struct lamp_vector_line {
    bool up;
    char *text; /* as sent */
    size_t len;
};

struct lamp_vector {
    char *text;
    struct lamp_vector_line lines[LAMP_VECTOR_LINES];
    size_t n_lines;
    struct {
        const char *key, *value;
    } wants[LAMP_VECTOR_WANTS];
    size_t n_wants;
    bool midstream, swapped;
};

/* LAMP_EFORMAT, LAMP_EFULL: the file is wrong. Negated errno. Free with lamp_vector_done(). */
LAMP_CHECK int lamp_vector_load(const char *path, struct lamp_vector *out);
void lamp_vector_done(struct lamp_vector *v);

/* Decodes the escapes of text into buf. LAMP_EFORMAT: an escape is none. LAMP_EFULL. */
LAMP_CHECK int lamp_vector_unescape(const char *text, char *buf, size_t size, size_t *out_len);

/* Writes a WebSocket text frame of len bytes, at most 65535, to buf, which has room for
 * len + LAMP_VECTOR_FRAME bytes; masked with a key of its own if so. Returns its length. */
enum { LAMP_VECTOR_FRAME = 8 };
size_t lamp_vector_frame(const char *text, size_t len, bool masked, char *buf);

/* The value of an expectation, or NULL. */
const char *lamp_vector_want(const struct lamp_vector *v, const char *key);
