/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/vector.h"

#include "common/io.h"

#include <stdio.h>

/* A line of the conversation, with its LF. */
static int add_line(struct lamp_vector *v, bool up, const char *text)
{
    if (v->n_lines == LAMP_VECTOR_LINES)
        return LAMP_EFULL;
    char *copy;
    const int len = asprintf(&copy, "%s\n", text);
    if (len < 0)
        return LAMP_ENOMEM;
    v->lines[v->n_lines++] = (struct lamp_vector_line){ up, copy, (size_t)len };
    return LAMP_OK;
}

static int add_want(struct lamp_vector *v, char *text)
{
    char *space = strchr(text, ' ');
    if (!space || v->n_wants == LAMP_VECTOR_WANTS)
        return LAMP_EFORMAT;
    *space = '\0';
    v->wants[v->n_wants].key = text;
    v->wants[v->n_wants++].value = space + 1;
    return LAMP_OK;
}

static int add_item(struct lamp_vector *v, char *line)
{
    if (line[0] == '\0' || line[0] == '#')
        return LAMP_OK;
    if (line[1] != ' ')
        return LAMP_EFORMAT;
    char *rest = line + 2;
    switch (line[0]) {
    case '>':
    case '<':
        return add_line(v, line[0] == '>', rest);
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
