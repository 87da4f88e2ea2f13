/* SPDX-License-Identifier: Apache-2.0 */
/* classify_lines: cuts the bytes of one direction into JSON objects, wherever the bytes were split
 * on their way, and hands each over whole. Not thread-safe. */
#pragma once

#include "sensor/recog/jsonline.h"
#include "sensor/unwrap/pieces.h"

/* One direction; zero-initialise, give back with lamp_lines_done(). */
struct lamp_lines {
    struct lamp_jsonsplit split;
    struct lamp_held held; /* the begun line's earlier pieces */
    bool in_line;
};

enum lamp_lines_event {
    LAMP_LINES_MORE,   /* all bytes are used up */
    LAMP_LINES_LINE,   /* an object is complete and was read */
    LAMP_LINES_ODD,    /* an object is complete, but no JSON as we read it, or too long */
    LAMP_LINES_STRAY,  /* a byte that begins no object; it and the rest of its line are skipped */
    LAMP_LINES_BROKEN, /* a byte that cannot stand in an object; the same */
};

/* Looks through *bytes and moves it past what was used up, until something happens. *out is the
 * object of LAMP_LINES_LINE and lasts until the next call; its in_http is left alone. */
enum lamp_lines_event lamp_lines_next(struct lamp_lines *l, lamp_pieces *pieces,
                                      struct lamp_bytes *bytes, struct lamp_jsonline *out);

/* Forgets what was begun: a stream or, if so, a whole message begins, which may have line feeds
 * inside its objects. */
void lamp_lines_anew(struct lamp_lines *l, bool is_message);

/* Bytes are missing: goes on with the next line. */
void lamp_lines_gap(struct lamp_lines *l);

void lamp_lines_done(struct lamp_lines *l);
