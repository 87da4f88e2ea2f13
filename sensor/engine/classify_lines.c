/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/classify_lines.h"

static void give_up(struct lamp_lines *l)
{
    lamp_held_drop(&l->held);
    l->in_line = false;
}

/* The line ends with the bytes of piece. LAMP_LINES_MORE: it was too long to be kept. */
static enum lamp_lines_event end_line(struct lamp_lines *l, lamp_pieces *pieces,
                                      struct lamp_bytes piece, struct lamp_jsonline *out)
{
    struct lamp_bytes text;
    const bool whole = l->in_line && lamp_held_whole(pieces, &l->held, piece, &text);
    give_up(l); /* what text points to stays as it is until the next piece is kept */
    if (!whole)
        return LAMP_LINES_MORE;
    return lamp_jsonline_parse(text, out) == LAMP_OK ? LAMP_LINES_LINE : LAMP_LINES_ODD;
}

/* Nearly every line comes whole, and is no sooner found than read. */
static bool take_whole(const struct lamp_lines *l, struct lamp_bytes *bytes,
                       struct lamp_jsonline *out)
{
    size_t used;
    if (!lamp_jsonsplit_between(&l->split) ||
        lamp_jsonline_first(*bytes, !l->split.document, out, &used) != LAMP_OK)
        return false;
    *bytes = (struct lamp_bytes){ bytes->data + used, bytes->len - used };
    return true;
}

enum lamp_lines_event lamp_lines_next(struct lamp_lines *l, lamp_pieces *pieces,
                                      struct lamp_bytes *bytes, struct lamp_jsonline *out)
{
    if (take_whole(l, bytes, out))
        return LAMP_LINES_LINE;
    const struct lamp_bytes all = *bytes;
    size_t begin = 0;
    for (size_t at = 0; at < all.len; at++) {
        const enum lamp_jsonsplit_event event = lamp_jsonsplit_next(&l->split, all, &at);
        if (event == LAMP_SPLIT_BEGIN) {
            begin = at;
            l->in_line = true;
        } else if (event == LAMP_SPLIT_END) {
            *bytes = (struct lamp_bytes){ all.data + at + 1, all.len - at - 1 };
            const struct lamp_bytes piece = { all.data + begin, at + 1 - begin };
            const enum lamp_lines_event ended = end_line(l, pieces, piece, out);
            if (ended != LAMP_LINES_MORE)
                return ended;
        } else if (event == LAMP_SPLIT_BROKEN) {
            *bytes = (struct lamp_bytes){ all.data + at + 1, all.len - at - 1 };
            const bool inside = l->in_line;
            give_up(l);
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
