/* SPDX-License-Identifier: Apache-2.0 */
#include "common/csv.h"

#include "common/io.h"

#include <errno.h>
#include <stdio.h>

enum { MAX_FILE = 16 << 20 };

/* ---- rows ---- */

int lamp_csv_fail(const struct lamp_csv *c, const char *what)
{
    snprintf(c->why, c->why_size, "%s:%u: %s", c->path, c->line, what);
    return LAMP_EFORMAT;
}

/* Ends the field at *end (a comma, line end or the NUL) and moves past it; false: end of row. */
static bool csv_end_field(struct lamp_csv *c, char *end, char *terminator)
{
    const bool more = *end == ',';
    if (*end == '\r' && end[1] == '\n')
        end++;
    if (*end == '\n')
        c->next_line++;
    c->p = *end ? end + 1 : end;
    *terminator = '\0';
    return more;
}

static int csv_quoted(struct lamp_csv *c, bool *out_more)
{
    char *in = c->p + 1, *out = in;
    c->fields[c->n_fields++] = out;
    for (;; in++) {
        if (*in == '\0')
            return lamp_csv_fail(c, "quote is never closed");
        if (*in == '"' && *++in != '"')
            break;
        if (*in == '\n')
            c->next_line++;
        *out++ = *in;
    }
    if (*in && *in != ',' && *in != '\n' && !(*in == '\r' && in[1] == '\n'))
        return lamp_csv_fail(c, "text after a closing quote");
    *out_more = csv_end_field(c, in, out);
    return LAMP_OK;
}

static int csv_plain(struct lamp_csv *c, bool *out_more)
{
    char *end = c->p + strcspn(c->p, ",\"\r\n");
    if (*end == '"')
        return lamp_csv_fail(c, "quote inside an unquoted field");
    if (*end == '\r' && end[1] != '\n')
        return lamp_csv_fail(c, "carriage return without line feed");
    c->fields[c->n_fields++] = c->p;
    *out_more = csv_end_field(c, end, end);
    return LAMP_OK;
}

/* Reads the next row into c->fields. LAMP_ECLOSED: end of file. LAMP_EFORMAT (why is set). */
static int csv_row(struct lamp_csv *c)
{
    if (*c->p == '\0')
        return LAMP_ECLOSED;
    c->line = c->next_line;
    c->n_fields = 0;
    for (bool more = true; more;) {
        if (c->n_fields == LAMP_CSV_COLUMNS)
            return lamp_csv_fail(c, "too many columns");
        const int err = *c->p == '"' ? csv_quoted(c, &more) : csv_plain(c, &more);
        if (err)
            return err;
    }
    return LAMP_OK;
}

/* ---- tables ---- */

static int find_columns(const struct lamp_csv *c, const struct lamp_csv_table *t, size_t *index)
{
    for (size_t i = 0; t->columns[i]; i++) {
        for (index[i] = 0; index[i] < c->n_fields; index[i]++)
            if (streq(c->fields[index[i]], t->columns[i]))
                break;
        if (index[i] == c->n_fields) {
            char what[64];
            snprintf(what, sizeof(what), "no column named %s", t->columns[i]);
            return lamp_csv_fail(c, what);
        }
    }
    return LAMP_OK;
}

static int read_rows(const struct lamp_csv_table *t, struct lamp_csv *csv, void *arg)
{
    size_t index[ARRAY_LEN(t->columns)] = { 0 };
    int err = csv_row(csv);
    if (err)
        return err == LAMP_ECLOSED ? lamp_csv_fail(csv, "the file is empty") : err;
    const size_t width = csv->n_fields;
    if ((err = find_columns(csv, t, index)))
        return err;

    for (size_t rows = 0; (err = csv_row(csv)) == LAMP_OK; rows++) {
        if (csv->n_fields != width)
            return lamp_csv_fail(csv, "number of columns differs from the first line's");
        if (rows == t->limit) {
            (void)lamp_csv_fail(csv, "too many rows");
            return LAMP_EFULL;
        }
        char *v[ARRAY_LEN(t->columns)] = { NULL };
        for (size_t i = 0; t->columns[i]; i++)
            v[i] = csv->fields[index[i]];
        if ((err = t->add(arg, v, csv)))
            return err;
    }
    return err == LAMP_ECLOSED ? LAMP_OK : err;
}

int lamp_csv_load(const char *folder, const struct lamp_csv_table *t, void *arg, char **out_text,
                  char *why, size_t size)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/%s", folder, t->file) >= (int)sizeof(path)) {
        snprintf(why, size, "the folder's path is too long");
        return LAMP_EINVAL;
    }
    size_t len;
    const int err = lamp_io_read_file(path, MAX_FILE, out_text, &len);
    if (err) {
        snprintf(why, size, "%s: %s", path, lamp_strerror(err));
        return err == -ENOENT ? LAMP_ENOENT : err;
    }
    struct lamp_csv csv = {
        .path = path, .p = *out_text, .line = 1, .next_line = 1, .why = why, .why_size = size
    };
    if (strlen(*out_text) != len)
        return lamp_csv_fail(&csv, "a NUL byte in the text");
    return read_rows(t, &csv, arg);
}
