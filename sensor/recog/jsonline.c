/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/jsonline.h"

#include "common/text.h"

#include <endian.h>

/* ---- one object ---- */

struct level {
    int16_t value; /* index of the container in the table */
    uint16_t children;
    bool is_array;
};

struct parser {
    const uint8_t *p, *end;
    struct lamp_jsonline *out;
    struct level stack[LAMP_JSONLINE_DEPTH];
    size_t depth;
    struct lamp_bytes key; /* of the value that comes next */
    bool one_line;         /* a line feed may stand nowhere in the object */
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blank(struct parser *s)
{
    while (s->p < s->end && is_blank(*s->p) && !(s->one_line && *s->p == '\n'))
        s->p++;
}

/* Whether one of the eight bytes is c (Mycroft, 1987; a bit stands at the first that is). */
static uint64_t has_byte(uint64_t word, uint8_t c)
{
    const uint64_t ones = 0x0101010101010101, x = word ^ ones * c;
    return (x - ones) & ~x & ones << 7;
}

/* The first byte from p on that means something in a string: quote, backslash or line feed. Nearly
 * all bytes of a line are in strings, so they are passed over eight at a time. */
static const uint8_t *string_special(const uint8_t *p, const uint8_t *end)
{
    for (uint64_t word; end - p >= (ptrdiff_t)sizeof(word); p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        word = le64toh(word);
        const uint64_t hit = has_byte(word, '"') | has_byte(word, '\\') | has_byte(word, '\n');
        if (hit)
            return p + __builtin_ctzll(hit) / 8;
    }
    while (p < end && *p != '"' && *p != '\\' && *p != '\n')
        p++;
    return p;
}

/* The text of the string that starts at s->p, moving past its closing quote. */
static int take_string(struct parser *s, struct lamp_bytes *out)
{
    const uint8_t *start = ++s->p;
    for (; (s->p = string_special(s->p, s->end)) < s->end; s->p++) {
        if (*s->p == '"') {
            *out = (struct lamp_bytes){ start, (size_t)(s->p++ - start) };
            return LAMP_OK;
        }
        if (*s->p == '\\' && ++s->p == s->end)
            break;
        if (s->one_line && *s->p == '\n')
            return LAMP_EFORMAT;
    }
    return LAMP_ETRUNC;
}

/* Enters a value of the innermost container; its index, or -1 where a limit leaves it out. */
static int16_t add_value(struct parser *s, enum lamp_json_type type, struct lamp_bytes text)
{
    struct level *in = s->depth ? &s->stack[s->depth - 1] : NULL;
    if (in && s->depth > 1 && in->children >= LAMP_JSONLINE_CHILDREN)
        return -1;
    if (s->out->n == LAMP_JSONLINE_VALUES)
        return -1;
    if (in)
        in->children++;
    const int known = s->depth == 1 ? lamp_jsonline_known(s->key) : -1;
    if (known >= 0 && s->out->top[known] == 0)
        s->out->top[known] = s->out->n;
    s->out->v[s->out->n] = (struct lamp_jsonvalue){
        .key = s->key,
        .text = text,
        .parent = in ? in->value : (int16_t)-1,
        .after = (uint16_t)(s->out->n + 1),
        .type = (uint8_t)type,
    };
    return (int16_t)s->out->n++;
}

/* What a byte is inside an object and outside of its strings. */
enum { PLAIN, OPENS, CLOSES, QUOTE, LINE_FEED };
static const uint8_t kinds[256] = {
    ['{'] = OPENS, ['['] = OPENS, ['}'] = CLOSES, [']'] = CLOSES, ['"'] = QUOTE, ['\n'] = LINE_FEED,
};

/* Moves from p, *io_depth levels deep, over what lies inside level `outer`, up to what needs a closer look:
 * the byte that closes that level or opens one too many, a line feed, or the quote of a string that does
 * not simply end. */
static const uint8_t *pass_inside(const uint8_t *p, const uint8_t *end, unsigned outer,
                                  unsigned *io_depth)
{
    unsigned depth = *io_depth;
    for (; p < end; p++) {
        const uint8_t kind = kinds[*p];
        if (kind == PLAIN)
            continue;
        if (kind == OPENS && depth < LAMP_JSONLINE_DEPTH) {
            depth++;
        } else if (kind == CLOSES && depth > outer) {
            depth--;
        } else if (kind == QUOTE) {
            const uint8_t *const closing = string_special(p + 1, end);
            if (closing == end || *closing != '"')
                break;
            p = closing;
        } else {
            break;
        }
    }
    *io_depth = depth;
    return p;
}

/* Moves past a container that is left out: only where it ends is of interest. */
static int skip_container(struct parser *s)
{
    const unsigned outer = (unsigned)s->depth + 1;
    unsigned depth = outer;
    for (s->p++;;) {
        s->p = pass_inside(s->p, s->end, outer, &depth);
        if (s->p == s->end)
            return LAMP_ETRUNC;
        const uint8_t kind = kinds[*s->p];
        struct lamp_bytes text;
        int err = LAMP_OK;
        if (kind == QUOTE)
            err = take_string(s, &text);
        else if (kind == OPENS || (kind == LINE_FEED && s->one_line))
            err = LAMP_EFORMAT;
        else
            s->p++;
        if (err || kind == CLOSES)
            return err;
    }
}

static int open_container(struct parser *s, bool is_array)
{
    if (s->depth == LAMP_JSONLINE_DEPTH)
        return LAMP_EFORMAT;
    const struct lamp_bytes from = { s->p, 0 };
    const int16_t v = add_value(s, is_array ? LAMP_JSON_ARRAY : LAMP_JSON_OBJECT, from);
    if (v < 0)
        return skip_container(s);
    s->stack[s->depth++] = (struct level){ .value = v, .is_array = is_array };
    s->p++;
    return LAMP_OK;
}

static void close_container(struct parser *s)
{
    const int16_t v = s->stack[--s->depth].value;
    s->p++;
    s->out->v[v].text.len = (size_t)(s->p - s->out->v[v].text.data);
    s->out->v[v].after = s->out->n;
}

/* Bytes that end a number, true, false or null. */
static const bool ends_word[256] = {
    ['\0'] = true, [' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, [','] = true,
    [']'] = true,  ['}'] = true, [':'] = true,  ['"'] = true,  ['['] = true,  ['{'] = true,
};

/* A number, true, false or null. */
static int take_word(struct parser *s)
{
    const uint8_t *start = s->p;
    while (s->p < s->end && !ends_word[*s->p])
        s->p++;
    const struct lamp_bytes word = { start, (size_t)(s->p - start) };
    if (s->p == s->end)
        return LAMP_ETRUNC;
    enum lamp_json_type type;
    if (lamp_bytes_eq(word, "null"))
        type = LAMP_JSON_NULL;
    else if (lamp_bytes_eq(word, "true"))
        type = LAMP_JSON_TRUE;
    else if (lamp_bytes_eq(word, "false"))
        type = LAMP_JSON_FALSE;
    else if (word.len && (*start == '-' || (*start >= '0' && *start <= '9')))
        type = LAMP_JSON_NUMBER;
    else
        return LAMP_EFORMAT;
    (void)add_value(s, type, word);
    return LAMP_OK;
}

/* A value; a container is only opened. */
static int take_value(struct parser *s)
{
    skip_blank(s);
    if (s->p == s->end)
        return LAMP_ETRUNC;
    if (*s->p == '{' || *s->p == '[')
        return open_container(s, *s->p == '[');
    if (*s->p != '"')
        return take_word(s);
    struct lamp_bytes text;
    const int err = take_string(s, &text);
    if (!err)
        (void)add_value(s, LAMP_JSON_STRING, text);
    return err;
}

/* A key and its colon. */
static int take_key(struct parser *s)
{
    skip_blank(s);
    if (s->p == s->end)
        return LAMP_ETRUNC;
    if (*s->p != '"')
        return LAMP_EFORMAT;
    const int err = take_string(s, &s->key);
    if (err)
        return err;
    skip_blank(s);
    if (s->p == s->end)
        return LAMP_ETRUNC;
    return *s->p++ == ':' ? LAMP_OK : LAMP_EFORMAT;
}

/* The next child of the innermost container, or its end. first: nothing came before. */
static int take_child(struct parser *s, bool first, bool *out_closed)
{
    const bool is_array = s->stack[s->depth - 1].is_array;
    skip_blank(s);
    if (s->p == s->end)
        return LAMP_ETRUNC;
    if (*s->p == (is_array ? ']' : '}')) {
        close_container(s);
        *out_closed = true;
        return LAMP_OK;
    }
    if (!first && *s->p++ != ',')
        return LAMP_EFORMAT;
    *out_closed = false;
    s->key = (struct lamp_bytes){ NULL, 0 };
    const int err = is_array ? LAMP_OK : take_key(s);
    return err ? err : take_value(s);
}

/* The object that the bytes begin with, but for blanks; s->p is behind it then. */
static int take_object(struct parser *s)
{
    s->out->n = 0;
    memset(s->out->top, 0, sizeof(s->out->top));
    skip_blank(s);
    if (s->p == s->end)
        return LAMP_ETRUNC;
    if (*s->p != '{')
        return LAMP_EFORMAT;
    int err = open_container(s, false);
    for (bool first = true; !err && s->depth > 0;) {
        const size_t depth = s->depth;
        bool closed = false;
        err = take_child(s, first, &closed);
        first = !closed && s->depth > depth;
    }
    s->out->text = s->out->v[0].text;
    return err;
}

int lamp_jsonline_parse(struct lamp_bytes text, struct lamp_jsonline *out)
{
    if (text.len > LAMP_JSONLINE_MAX)
        return LAMP_EFULL;
    struct parser s = { .p = text.data,
                        .end = text.data ? text.data + text.len : NULL,
                        .out = out };
    const int err = take_object(&s);
    skip_blank(&s);
    return err ? err : s.p == s.end ? LAMP_OK : LAMP_EFORMAT;
}

int lamp_jsonline_first(struct lamp_bytes bytes, bool one_line, struct lamp_jsonline *out,
                        size_t *out_used)
{
    const uint8_t *const end = bytes.data + lamp_min(bytes.len, (size_t)LAMP_JSONLINE_MAX);
    struct parser s = { .p = bytes.data, .end = end, .out = out, .one_line = one_line };
    const int err = take_object(&s);
    *out_used = (size_t)(s.p - bytes.data);
    return err;
}

/* ---- look-ups ---- */

const struct lamp_jsonvalue *lamp_jsonline_find(const struct lamp_jsonline *l,
                                                const struct lamp_jsonvalue *in,
                                                struct lamp_bytes key)
{
    if (!in || in->type != LAMP_JSON_OBJECT)
        return NULL;
    for (size_t i = (size_t)(in - l->v) + 1; i < in->after; i = l->v[i].after)
        if (l->v[i].key.len == key.len && key.len > 0 && l->v[i].key.data[0] == key.data[0] &&
            memcmp(l->v[i].key.data, key.data, key.len) == 0)
            return &l->v[i];
    return NULL;
}

const struct lamp_jsonvalue *lamp_jsonline_item(const struct lamp_jsonline *l,
                                                const struct lamp_jsonvalue *in, size_t index)
{
    if (!in || in->type != LAMP_JSON_ARRAY)
        return NULL;
    for (size_t i = (size_t)(in - l->v) + 1; i < in->after; i = l->v[i].after)
        if (index-- == 0)
            return &l->v[i];
    return NULL;
}

size_t lamp_jsonline_count(const struct lamp_jsonline *l, const struct lamp_jsonvalue *in)
{
    size_t n = 0;
    if (in)
        for (size_t i = (size_t)(in - l->v) + 1; i < in->after; i = l->v[i].after)
            n++;
    return n;
}

bool lamp_jsonline_number(const struct lamp_jsonvalue *v, double *out)
{
    char text[48];
    if (!v || (v->type != LAMP_JSON_NUMBER && v->type != LAMP_JSON_STRING) ||
        v->text.len >= sizeof(text))
        return false;
    memcpy(text, v->text.data, v->text.len);
    text[v->text.len] = '\0';
    return strlen(text) == v->text.len && lamp_text_double(text, -1e300, 1e300, out) == LAMP_OK;
}

/* Writes a code point below U+10000 as UTF-8; surrogates come out as what they are, invalid. */
static size_t put_utf8(unsigned c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    out[0] = (uint8_t)(0xe0 | c >> 12);
    out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c & 0x3f));
    return 3;
}

size_t lamp_jsonline_unescape(struct lamp_bytes text, uint8_t *buf, size_t size)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    size_t n = 0;
    for (size_t i = 0; i < text.len && n + 3 <= size; i++) {
        if (text.data[i] != '\\' || i + 1 == text.len) {
            buf[n++] = text.data[i];
            continue;
        }
        const uint8_t c = text.data[++i];
        uint8_t code[2];
        size_t code_len;
        if (c == 'u' && text.len - i > 4 &&
            lamp_hex_decode((const char *)text.data + i + 1, 4, code, 2, &code_len) == LAMP_OK) {
            n += put_utf8((unsigned)code[0] << 8 | code[1], buf + n);
            i += 4;
        } else {
            const char *at = c ? strchr(from, c) : NULL;
            buf[n++] = at ? (uint8_t)to[at - from] : c;
        }
    }
    return n;
}

/* ---- the stream ---- */

enum { BETWEEN, INSIDE, SKIPPING };

void lamp_jsonsplit_resync(struct lamp_jsonsplit *s)
{
    *s = (struct lamp_jsonsplit){ .state = SKIPPING };
}

static enum lamp_jsonsplit_event broken(struct lamp_jsonsplit *s, uint8_t c)
{
    *s =
        (struct lamp_jsonsplit){ .state = c == '\n' ? BETWEEN : SKIPPING, .document = s->document };
    return LAMP_SPLIT_BROKEN;
}

static enum lamp_jsonsplit_event inside(struct lamp_jsonsplit *s, uint8_t c)
{
    if (c == '\n' && !s->document)
        return broken(s, c);
    if (s->begun) {
        if (is_blank(c))
            return LAMP_SPLIT_INSIDE;
        if (c != '"' && c != '}')
            return broken(s, c);
        s->begun = false;
    }
    if (s->in_string) {
        if (s->escaped)
            s->escaped = false;
        else if (c == '\\')
            s->escaped = true;
        else if (c == '"')
            s->in_string = false;
    } else if (c == '"') {
        s->in_string = true;
    } else if (c == '{' || c == '[') {
        if (++s->depth > LAMP_JSONLINE_DEPTH)
            return broken(s, c);
    } else if ((c == '}' || c == ']') && --s->depth == 0) {
        s->state = BETWEEN;
        return LAMP_SPLIT_END;
    }
    return LAMP_SPLIT_INSIDE;
}

enum lamp_jsonsplit_event lamp_jsonsplit_byte(struct lamp_jsonsplit *s, uint8_t c)
{
    switch (s->state) {
    case INSIDE:
        return inside(s, c);
    case SKIPPING:
        if (c == '\n')
            s->state = BETWEEN;
        return LAMP_SPLIT_SKIPPED;
    default:
        if (is_blank(c) || c == '\0')
            return LAMP_SPLIT_BLANK;
        if (c != '{')
            return broken(s, c);
        *s = (struct lamp_jsonsplit){
            .state = INSIDE, .depth = 1, .begun = true, .document = s->document
        };
        return LAMP_SPLIT_BEGIN;
    }
}

bool lamp_jsonsplit_between(const struct lamp_jsonsplit *s)
{
    return s->state == BETWEEN;
}

enum lamp_jsonsplit_event lamp_jsonsplit_next(struct lamp_jsonsplit *s, struct lamp_bytes bytes,
                                              size_t *io_at)
{
    const uint8_t *p = bytes.data + *io_at, *const end = bytes.data + bytes.len;
    for (; p < end; p++) {
        if (s->in_string && !s->escaped) {
            p = string_special(p, end);
        } else if (s->state == INSIDE && !s->begun && !s->in_string) {
            unsigned depth = s->depth;
            p = pass_inside(p, end, 1, &depth);
            s->depth = (uint8_t)depth;
        } else if (s->state == SKIPPING) {
            const uint8_t *const feed = memchr(p, '\n', (size_t)(end - p));
            p = feed ? feed : end;
        }
        if (p == end)
            break;
        const enum lamp_jsonsplit_event e = lamp_jsonsplit_byte(s, *p);
        if (e == LAMP_SPLIT_BEGIN || e == LAMP_SPLIT_END || e == LAMP_SPLIT_BROKEN) {
            *io_at = (size_t)(p - bytes.data);
            return e;
        }
    }
    *io_at = bytes.len;
    return LAMP_SPLIT_INSIDE;
}
