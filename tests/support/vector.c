/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/vector.h"

#include "common/io.h"
#include "common/text.h"

#include <stdio.h>

int lamp_vector_unescape(const char *text, char *buf, size_t size, size_t *out_len)
{
    static const char from[] = "nrt0\\", to[] = "\n\r\t\0\\";
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        if (n == size)
            return LAMP_EFULL;
        if (*p != '\\') {
            buf[n++] = *p;
            continue;
        }
        const char *hit = *++p ? strchr(from, *p) : NULL;
        uint8_t byte;
        size_t len;
        if (hit) {
            buf[n++] = to[hit - from];
        } else if (*p == 'x' && p[1] && p[2] && !lamp_hex_decode(p + 1, 2, &byte, 1, &len)) {
            buf[n++] = (char)byte;
            p += 2;
        } else {
            return LAMP_EFORMAT;
        }
    }
    *out_len = n;
    return LAMP_OK;
}

size_t lamp_vector_frame(const char *text, size_t len, bool masked, char *buf)
{
    size_t n = 0;
    buf[n++] = (char)0x81;
    buf[n++] = (char)((len < 126 ? len : 126) | (masked ? 0x80 : 0));
    if (len >= 126) {
        buf[n++] = (char)(len >> 8);
        buf[n++] = (char)len;
    }
    const char key[] = { 0x37, (char)0xfa, 0x21, (char)len };
    for (size_t i = 0; masked && i < sizeof(key); i++)
        buf[n++] = key[i];
    for (size_t i = 0; i < len; i++)
        buf[n++] = masked ? (char)(text[i] ^ key[i & 3]) : text[i];
    return n;
}

/* Adds what one side sends, of a kind as the header tells. */
static int add_line(struct lamp_vector *v, bool up, char kind, const char *text)
{
    if (v->n_lines == LAMP_VECTOR_LINES)
        return LAMP_EFULL;
    const size_t text_len = strlen(text), room = text_len + 64;
    char *copy = malloc(room);
    if (!copy)
        return LAMP_ENOMEM;
    size_t len = 0;
    int err = LAMP_OK;
    if (kind == ' ')
        len = (size_t)snprintf(copy, room, "%s\n", text);
    else if (kind == 'h')
        len = (size_t)snprintf(copy, room, "%s\r\n", text);
    else if (kind == 'b')
        len = (size_t)snprintf(copy, room, "Content-Length: %zu\r\n\r\n%s", text_len, text);
    else if (kind == 'w' && text_len <= UINT16_MAX)
        len = lamp_vector_frame(text, text_len, up, copy);
    else
        err = kind == '|' ? lamp_vector_unescape(text, copy, room, &len) : LAMP_EFORMAT;
    if (err) {
        free(copy);
        return err;
    }
    v->lines[v->n_lines++] = (struct lamp_vector_line){ up, copy, len };
    return LAMP_OK;
}

static int add_want(struct lamp_vector *v, char *text)
{
    char *rest = text;
    if (v->n_wants == LAMP_VECTOR_WANTS)
        return LAMP_EFORMAT;
    v->wants[v->n_wants].key = strsep(&rest, " ");
    v->wants[v->n_wants++].value = rest ? rest : "";
    return LAMP_OK;
}

static int add_item(struct lamp_vector *v, char *line)
{
    if (line[0] == '\0' || line[0] == '#')
        return LAMP_OK;
    const bool is_said = line[0] == '>' || line[0] == '<';
    if (is_said && line[1] && line[1] != ' ')
        return line[2] == ' ' ? add_line(v, line[0] == '>', line[1], line + 3) : LAMP_EFORMAT;
    if (line[1] != ' ')
        return LAMP_EFORMAT;
    char *rest = line + 2;
    switch (line[0]) {
    case '>':
    case '<':
        return add_line(v, line[0] == '>', ' ', rest);
    case '=':
        return add_want(v, rest);
    case '!':
        v->midstream |= streq(rest, "midstream");
        v->swapped |= streq(rest, "swapped");
        return streq(rest, "midstream") || streq(rest, "swapped") ? LAMP_OK : LAMP_EFORMAT;
    default:
        return LAMP_EFORMAT;
    }
}

int lamp_vector_load(const char *path, struct lamp_vector *out)
{
    struct lamp_vector v = { 0 };
    size_t len;
    int err = lamp_io_read_file(path, 1 << 20, &v.text, &len);
    if (err)
        return err;
    char *rest = v.text;
    for (char *line; !err && (line = strsep(&rest, "\n"));)
        err = add_item(&v, line);
    if (err) {
        lamp_vector_done(&v);
        return err;
    }
    *out = v;
    return LAMP_OK;
}

void lamp_vector_done(struct lamp_vector *v)
{
    for (size_t i = 0; i < v->n_lines; i++)
        free(v->lines[i].text);
    free(v->text);
    memset(v, 0, sizeof(*v));
}

const char *lamp_vector_want(const struct lamp_vector *v, const char *key)
{
    for (size_t i = 0; i < v->n_wants; i++)
        if (streq(v->wants[i].key, key))
            return v->wants[i].value;
    return NULL;
}
