/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sensors_file.h"

#include "common/io.h"
#include "common/text.h"

#include <errno.h>
#include <zmq.h>

enum { FILE_MAX = 8 * 1024 * 1024, FIELDS = 3, Z85_LEN = 40, KEY_LEN = 32 };

struct lines {
    struct lamp_allowed *v;
    size_t n;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct lamp_allowed *)a)->key, ((const struct lamp_allowed *)b)->key);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct lamp_allowed *)a)->id, ((const struct lamp_allowed *)b)->id);
}

/* ---- one line ---- */

static bool take_key(const char *text, char out[Z85_LEN + 1])
{
    uint8_t raw[KEY_LEN];
    size_t len = 0;
    if (strlen(text) == Z85_LEN) {
        memcpy(out, text, Z85_LEN + 1);
        return zmq_z85_decode(raw, text) != NULL;
    }
    return lamp_hex_decode(text, strlen(text), raw, sizeof(raw), &len) == LAMP_OK &&
           len == KEY_LEN && zmq_z85_encode(out, raw, KEY_LEN) != NULL;
}

static bool take_name(const char *text, char *out)
{
    if (!lamp_allow_is_name(text))
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* Splits a line in place; returns how many fields there are (at most FIELDS + 1). */
static size_t split(char *line, char *fields[FIELDS])
{
    size_t n = 0;
    char *rest = line;
    for (char *p; (p = strsep(&rest, " \t\r")) != NULL;) {
        if (!*p)
            continue;
        if (n == FIELDS)
            return FIELDS + 1;
        fields[n++] = p;
    }
    return n;
}

/* NULL: good (out->id "" for a line without a sensor), else what is wrong. */
static const char *take_line(char *line, struct lamp_allowed *out)
{
    char *f[FIELDS] = { 0 };
    const bool hash = line[strspn(line, " \t")] == '#';
    const size_t n = split(line, f);
    *out = (struct lamp_allowed){ .active = true };
    if (n == 0 || (hash && (n != FIELDS || strlen(f[0]) != Z85_LEN)))
        return NULL;
    if (n != FIELDS)
        return "a line is KEY SITE NAME";
    if (!take_key(f[0], out->key))
        return "the key is neither 40 characters of Z85 nor 64 hex digits";
    if (!take_name(f[1], out->site))
        return "the site may have letters, digits, '.', '_' and '-', at most 64";
    if (!take_name(f[2], out->id))
        return "the name may have letters, digits, '.', '_' and '-', at most 64";
    return NULL;
}

/* ---- the file ---- */

/* Tells of keys or names that stand there twice. */
static unsigned find_doubles(const char *path, struct lines *l, FILE *errors)
{
    unsigned bad = 0;
    qsort(l->v, l->n, sizeof(*l->v), by_id);
    for (size_t i = 1; i < l->n; i++) {
        if (streq(l->v[i - 1].id, l->v[i].id)) {
            fprintf(errors, "%s: the name %s is there twice\n", path, l->v[i].id);
            bad++;
        }
    }
    qsort(l->v, l->n, sizeof(*l->v), by_key);
    for (size_t i = 1; i < l->n; i++) {
        if (streq(l->v[i - 1].key, l->v[i].key)) {
            fprintf(errors, "%s: %s and %s have the same key\n", path, l->v[i - 1].id, l->v[i].id);
            bad++;
        }
    }
    return bad;
}

static int parse(const char *path, char *text, FILE *errors, struct lines *l)
{
    unsigned line_no = 0, bad = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        struct lamp_allowed a;
        line_no++;
        const char *what = take_line(line, &a);
        if (what) {
            fprintf(errors, "%s:%u: %s\n", path, line_no, what);
            bad++;
            continue;
        }
        if (!a.id[0])
            continue;
        if (l->n == LAMP_ALLOW_MAX) {
            fprintf(errors, "%s:%u: more than %d sensors\n", path, line_no, LAMP_ALLOW_MAX);
            return LAMP_EFULL;
        }
        if (l->n % 64 == 0) {
            struct lamp_allowed *v = realloc(l->v, (l->n + 64) * sizeof(*v));
            if (!v)
                return LAMP_ENOMEM;
            l->v = v;
        }
        l->v[l->n++] = a;
    }
    if (l->n)
        bad += find_doubles(path, l, errors);
    return bad ? LAMP_EFORMAT : LAMP_OK;
}

int lamp_sensors_file_read(const char *path, FILE *errors, struct lamp_allowed **out, size_t *out_n)
{
    LAMP_AUTO_FREE char *text = NULL;
    size_t len = 0;
    struct lines l = { 0 };
    int err = lamp_io_read_file(path, FILE_MAX, &text, &len);
    if (err == LAMP_OK)
        err = parse(path, text, errors, &l);
    else if (err == -ENOENT)
        err = LAMP_OK;
    else
        fprintf(errors, "%s: %s\n", path, lamp_strerror(err));
    if (err != LAMP_OK) {
        free(l.v);
        return err;
    }
    *out = l.v;
    *out_n = l.n;
    return LAMP_OK;
}
