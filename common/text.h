/* SPDX-License-Identifier: Apache-2.0 */
/* text: strict number parsing, and making text from the wire safe to show.
 * No allocation, thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

/* Parses a whole decimal integer (optional sign, nothing else) within [min, max].
 * LAMP_EFORMAT: not an integer. LAMP_ERANGE: outside the bounds. */
LAMP_CHECK int lamp_text_int(const char *text, int64_t min, int64_t max, int64_t *out);

/* Parses a finite decimal number. LAMP_EFORMAT, LAMP_ERANGE as above. */
LAMP_CHECK int lamp_text_double(const char *text, double min, double max, double *out);

/* The length in bytes of the valid UTF-8 sequence at p (1 to 4), or 0 if there is none
 * (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
size_t lamp_utf8_len(const uint8_t *p, size_t left);

/* Copies at most len bytes of untrusted text as one printable line: what is not valid UTF-8,
 * control characters (C0, DEL, C1) and bidirectional overrides become \xNN byte by byte, a
 * backslash becomes \\. Always terminates; cuts at a whole character when buf is full.
 * Returns buf. */
char *lamp_text_safe(const uint8_t *data, size_t len, char *buf, size_t size);

/* As lamp_text_safe, but only NUL and what is not valid UTF-8 are escaped (as \xNN): the form
 * stored and put into JSON, whose own escaping covers control characters. */
char *lamp_text_utf8(const uint8_t *data, size_t len, char *buf, size_t size);

/* Decodes hex digits (an optional 0x before them) into out; *out_len gets the byte count.
 * LAMP_EFORMAT: odd count or not hex. LAMP_EFULL: longer than size. */
LAMP_CHECK int lamp_hex_decode(const char *hex, size_t len, uint8_t *out, size_t size,
                               size_t *out_len);

/* Whether all of len bytes are hex digits, of either case; true where there are none. */
bool lamp_hex_is(const char *text, size_t len);

/* Writes 2 * len hex digits and a NUL. Returns buf. */
char *lamp_hex_encode(const uint8_t *data, size_t len, char *buf);
