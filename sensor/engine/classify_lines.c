/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/classify_lines.h"

static void give_up(struct lamp_lines *l)
{
    lamp_held_drop(&l->held);
    l->in_line = false;
}

/* The line ends with the bytes of piece. */
static bool end_line(struct lamp_lines *l, lamp_pieces *pieces, struct lamp_bytes piece,
                     struct lamp_bytes *out)
{
    const bool whole = l->in_line && lamp_held_whole(pieces, &l->held, piece, out);
    give_up(l); /* what *out points to stays as it is until the next piece is kept */
    return whole;
}

enum lamp_lines_event lamp_lines_next(struct lamp_lines *l, lamp_pieces *pieces,
                                      struct lamp_bytes *bytes, struct lamp_bytes *out)
{
    const struct lamp_bytes all = *bytes;
    size_t begin = 0;
    for (size_t at = 0; at < all.len; at++) {
        const enum lamp_jsonsplit_event event = lamp_jsonsplit_next(&l->split, all, &at);
        if (event == LAMP_SPLIT_BEGIN) {
            begin = at;
            l->in_line = true;
        } else if (event == LAMP_SPLIT_END || event == LAMP_SPLIT_BROKEN) {
            *bytes = (struct lamp_bytes){ all.data + at + 1, all.len - at - 1 };
            if (event == LAMP_SPLIT_END &&
                end_line(l, pieces, (struct lamp_bytes){ all.data + begin, at + 1 - begin }, out))
                return LAMP_LINES_LINE;
            const bool inside = l->in_line;
            give_up(l);
            if (event == LAMP_SPLIT_BROKEN)
                return inside ? LAMP_LINES_BROKEN : LAMP_LINES_STRAY;
        }
    }
    if (l->in_line)
        (void)lamp_held_add(pieces, &l->held,
                            (struct lamp_bytes){ all.data + begin, all.len - begin });
    *bytes = (struct lamp_bytes){ all.data + all.len, 0 };
    return LAMP_LINES_MORE;
}

void lamp_lines_anew(struct lamp_lines *l, bool is_message)
{
    give_up(l);
    l->split = (struct lamp_jsonsplit){ .document = is_message };
}

void lamp_lines_gap(struct lamp_lines *l)
{
    give_up(l);
    lamp_jsonsplit_resync(&l->split);
}

void lamp_lines_done(struct lamp_lines *l)
{
    give_up(l);
}
