/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/sitebook.h"

#include "aggregator/store/facts.h"

#include <stdio.h>

/* ---- changes ---- */

struct search {
    const char *site;
    bool found;
};

static bool match_site(const struct lamp_site_view *v, void *arg)
{
    struct search *s = arg;
    s->found |= streq(v->name, s->site);
    return !s->found;
}

struct others {
    const struct lamp_site_setting *than; /* which takes the place of its like */
    size_t n;
};

static bool count(const struct lamp_site_setting *x, void *arg)
{
    struct others *o = arg;
    o->n += !streq(x->name, o->than->name) || !streq(x->site, o->than->site);
    return true;
}

static int set(lamp_store *s, const struct lamp_site_setting *x, char *why, size_t size)
{
    char expected[LAMP_CONF_WHY];
    struct search search = { x->site, *x->site == '\0' };
    struct others others = { .than = x };
    const struct lamp_opt *o = lamp_setting_find(x->name), *fact = lamp_fact_find(x->name);
    if (!o && !fact) {
        snprintf(why, size, "no setting of this name can be given to sensors or sites");
        return LAMP_ENOENT;
    }
    if ((fact ? lamp_fact_check(fact, x->site, x->value, expected)
              : lamp_opt_check(o, x->value, expected)) != LAMP_OK) {
        snprintf(why, size, "%.200s", expected);
        return LAMP_EFORMAT;
    }
    int err = search.found ? LAMP_OK : lamp_store_sites(s, match_site, &search);
    if (!err)
        err = lamp_store_settings(s, count, &others);
    if (!err && !search.found) {
        snprintf(why, size, "there is no site of this name");
        return LAMP_ENOENT;
    }
    if (!err && others.n >= LAMP_SITEBOOK_MAX) {
        snprintf(why, size, "%d settings are the most there can be", LAMP_SITEBOOK_MAX);
        return LAMP_EFULL;
    }
    return err ? err : lamp_store_setting_put(s, x);
}

int lamp_sitebook_command(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                          struct lamp_command_result *out)
{
    struct lamp_site_setting x = c->setting;
    x.set_us = now_us;
    snprintf(x.set_by, sizeof(x.set_by), "%s", c->actor);
    if (c->approve)
        return set(s, &x, out->why, sizeof(out->why));
    const int err = lamp_store_setting_remove(s, x.name, x.site);
    if (err == LAMP_ENOENT)
        snprintf(out->why, sizeof(out->why), "nobody has set this%s",
                 *x.site ? " for the site" : "");
    return err;
}

/* ---- the set ---- */

struct builder {
    const char *site;
    struct lamp_site_setting *v; /* the newest one each of a name */
    size_t n, room;
    bool failed;
};

/* They come by name, a site's own after that of all. */
static bool add(const struct lamp_site_setting *x, void *arg)
{
    struct builder *b = arg;
    if ((*x->site && !streq(x->site, b->site)) || !lamp_setting_find(x->name))
        return true;
    if (b->n > 0 && streq(b->v[b->n - 1].name, x->name))
        b->n--;
    if (b->n == b->room) {
        void *v = realloc(b->v, (b->room + 16) * sizeof(*b->v));
        if (!v) {
            b->failed = true;
            return false;
        }
        b->v = v;
        b->room += 16;
    }
    b->v[b->n++] = *x;
    return true;
}

int lamp_sitebook_build(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    struct builder b = { .site = site };
    (void)now_us;
    int err = lamp_store_settings(arg, add, &b);
    struct lamp_set_entry *e = err || b.failed ? NULL : calloc(b.n + 1, sizeof(*e));
    for (size_t i = 0; e && i < b.n; i++)
        e[i] = (struct lamp_set_entry){ .action = LAMP_SET_ADD,
                                        .name = lamp_bytes_of(b.v[i].name),
                                        .text = lamp_bytes_of(b.v[i].value) };
    if (!err)
        err = e ? lamp_set_copy(e, lamp_set_canonical(e, b.n), out) : LAMP_ENOMEM;
    free(e);
    free(b.v);
    return err;
}
