/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cdn.h"

#include "common/csv.h"

#include <strings.h>

enum { ROWS_MAX = 4096 };

struct lamp_cdn {
    char *text; /* the file; the strings below point into it */
    struct row {
        const char *name, *suffix; /* suffix NULL: it is the prefix */
        struct lamp_prefix prefix;
    } rows[ROWS_MAX];
    size_t n;
};

static int add(void *arg, char *const *v, const struct lamp_csv *at)
{
    lamp_cdn *c = arg;
    struct row *r = &c->rows[c->n];
    r->name = v[0];
    r->suffix = v[1][0] == '.' ? v[1] : NULL;
    if (!*v[0] || (!r->suffix && lamp_prefix_parse(v[1], &r->prefix)))
        return lamp_csv_fail(at,
                             "this needs a name and a prefix, or a name that begins with a dot");
    c->n++;
    return LAMP_OK;
}

int lamp_cdn_load(const char *folder, lamp_cdn **out, char *why, size_t size)
{
    static const struct lamp_csv_table table = { "cdn.csv", { "name", "range" }, ROWS_MAX, add };
    lamp_cdn *c = calloc(1, sizeof(*c));
    if (!c)
        return LAMP_ENOMEM;
    const int err = lamp_csv_load(folder, &table, c, &c->text, why, size);
    if (err)
        lamp_cdn_free(c);
    else
        *out = c;
    return err;
}

lamp_cdn *lamp_cdn_free(lamp_cdn *c)
{
    if (c)
        free(c->text);
    free(c);
    return NULL;
}

static bool ends_with(const char *name, const char *suffix)
{
    const size_t n = strlen(name), m = strlen(suffix);
    return n > m && strcasecmp(name + n - m, suffix) == 0;
}

const char *lamp_cdn_find(const lamp_cdn *c, const struct lamp_addr *a, const char *cname)
{
    for (size_t i = 0; c && i < c->n; i++) {
        const struct row *r = &c->rows[i];
        if (r->suffix ? ends_with(cname, r->suffix) : lamp_prefix_has(&r->prefix, a))
            return r->name;
    }
    return NULL;
}
