/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/allow.h"

#include "common/io.h"
#include "common/text.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <zmq.h>

enum { SENSORS_MAX = 16384, FILE_MAX = 8 * 1024 * 1024, FIELDS = 3, Z85_LEN = 40, KEY_LEN = 32 };

struct list {
    struct lamp_allowed *v; /* by key */
    size_t n;
};

struct lamp_allow {
    pthread_mutex_t lock;
    struct list list;
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

static bool take_name(const char *text, char *out, size_t size)
{
    const size_t len = strlen(text);
    if (len == 0 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i]))
            return false;
    memcpy(out, text, len + 1);
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
    *out = (struct lamp_allowed){ 0 };
    if (n == 0 || (hash && (n != FIELDS || strlen(f[0]) != Z85_LEN)))
        return NULL;
    if (n != FIELDS)
        return "a line is KEY SITE NAME";
    if (!take_key(f[0], out->key))
        return "the key is neither 40 characters of Z85 nor 64 hex digits";
    if (!take_name(f[1], out->site, sizeof(out->site)))
        return "the site may have letters, digits, '.', '_' and '-', at most 64";
    if (!take_name(f[2], out->id, sizeof(out->id)))
        return "the name may have letters, digits, '.', '_' and '-', at most 64";
    return NULL;
}

/* ---- the file ---- */

/* Tells of keys or names that stand there twice. */
static unsigned find_doubles(const char *path, struct list *l, FILE *errors)
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

static int parse(const char *path, char *text, FILE *errors, struct list *l)
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
        if (l->n == SENSORS_MAX) {
            fprintf(errors, "%s:%u: more than %d sensors\n", path, line_no, SENSORS_MAX);
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

static int read_list(const char *path, FILE *errors, struct list *out)
{
    LAMP_AUTO_FREE char *text = NULL;
    size_t len = 0;
    struct list l = { 0 };
    int err = lamp_io_read_file(path, FILE_MAX, &text, &len);
    if (err == -ENOENT) {
        *out = l;
        return LAMP_OK;
    }
    if (err == LAMP_OK)
        err = parse(path, text, errors, &l);
    else
        fprintf(errors, "%s: %s\n", path, lamp_strerror(err));
    if (err == LAMP_OK)
        *out = l;
    else
        free(l.v);
    return err;
}

int lamp_allow_load(const char *path, FILE *errors, lamp_allow **out)
{
    lamp_allow *a = calloc(1, sizeof(*a));
    if (!a)
        return LAMP_ENOMEM;
    const int err = read_list(path, errors, &a->list);
    if (err != LAMP_OK) {
        free(a);
        return err;
    }
    pthread_mutex_init(&a->lock, NULL);
    *out = a;
    return LAMP_OK;
}

lamp_allow *lamp_allow_free(lamp_allow *a)
{
    if (a) {
        pthread_mutex_destroy(&a->lock);
        free(a->list.v);
        free(a);
    }
    return NULL;
}

int lamp_allow_reload(lamp_allow *a, const char *path, FILE *errors)
{
    struct list l;
    const int err = read_list(path, errors, &l);
    if (err != LAMP_OK)
        return err;
    pthread_mutex_lock(&a->lock);
    free(a->list.v);
    a->list = l;
    pthread_mutex_unlock(&a->lock);
    return LAMP_OK;
}

int lamp_allow_find(lamp_allow *a, const char *key, struct lamp_allowed *out)
{
    struct lamp_allowed want = { 0 };
    if (strlen(key) != Z85_LEN)
        return LAMP_ENOENT;
    memcpy(want.key, key, Z85_LEN + 1);
    pthread_mutex_lock(&a->lock);
    const struct lamp_allowed *got =
        a->list.n ? bsearch(&want, a->list.v, a->list.n, sizeof(want), by_key) : NULL;
    if (got)
        *out = *got;
    pthread_mutex_unlock(&a->lock);
    return got ? LAMP_OK : LAMP_ENOENT;
}

int lamp_allow_copy(lamp_allow *a, struct lamp_allowed **out, size_t *out_n)
{
    pthread_mutex_lock(&a->lock);
    struct lamp_allowed *v = calloc(a->list.n + 1, sizeof(*v));
    if (v && a->list.n)
        memcpy(v, a->list.v, a->list.n * sizeof(*v));
    *out_n = v ? a->list.n : *out_n;
    pthread_mutex_unlock(&a->lock);
    if (!v)
        return LAMP_ENOMEM;
    *out = v;
    return LAMP_OK;
}
