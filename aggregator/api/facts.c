/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/facts.h"

#include "aggregator/store/facts.h"
#include "common/text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct fact {
    char site[65];
    bool priced, placed;
    double price, latitude, longitude;
};

/* By site; those of all are at "". */
struct list {
    struct fact *v;
    size_t n, room;
};

struct lamp_facts {
    pthread_rwlock_t lock; /* guards set */
    struct list file, set;
};

/* Where the facts of a site are, or would go. */
static size_t place_of(const struct list *l, const char *site)
{
    size_t from = 0, to = l->n;
    while (from < to) {
        const size_t mid = from + (to - from) / 2;
        if (strcmp(l->v[mid].site, site) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static const struct fact *find(const struct list *l, const char *site)
{
    const size_t at = place_of(l, site);
    return at < l->n && streq(l->v[at].site, site) ? &l->v[at] : NULL;
}

/* The facts of a site, new ones where there are none; NULL: out of memory. */
static struct fact *facts_of(struct list *l, const char *site)
{
    const size_t at = place_of(l, site);
    if (at < l->n && streq(l->v[at].site, site))
        return &l->v[at];
    if (l->n == l->room) {
        const size_t room = 2 * l->room + 16;
        void *v = realloc(l->v, room * sizeof(*l->v));
        if (!v)
            return NULL;
        l->v = v;
        l->room = room;
    }
    memmove(&l->v[at + 1], &l->v[at], (l->n++ - at) * sizeof(*l->v));
    l->v[at] = (struct fact){ 0 };
    snprintf(l->v[at].site, sizeof(l->v[at].site), "%s", site);
    return &l->v[at];
}

/* ---- what the configuration says ---- */

static int add_price(struct list *l, const char *line)
{
    char site[65];
    double price;
    const char *equals = strrchr(line, '=');
    const size_t len = equals ? (size_t)(equals - line) : 0;
    if (len == 0 || len >= sizeof(site) ||
        lamp_text_double(equals + 1, 0, LAMP_PRICE_MAX, &price) != LAMP_OK)
        return LAMP_EFORMAT;
    snprintf(site, sizeof(site), "%.*s", (int)len, line);
    struct fact *f = facts_of(l, site);
    if (!f)
        return LAMP_ENOMEM;
    f->priced = true;
    f->price = price;
    return LAMP_OK;
}

static int add_place(struct list *l, const char *line)
{
    const char *site;
    double latitude, longitude;
    if (lamp_fact_place(line, &latitude, &longitude, &site) != LAMP_OK || !*site ||
        strlen(site) >= sizeof(l->v->site))
        return LAMP_EFORMAT;
    struct fact *f = facts_of(l, site);
    if (!f)
        return LAMP_ENOMEM;
    f->placed = true;
    f->latitude = latitude;
    f->longitude = longitude;
    return LAMP_OK;
}

static int add_lines(struct list *l, const struct lamp_strlist *lines,
                     int (*add)(struct list *, const char *), const char *key, const char *form,
                     char *why, size_t size)
{
    for (size_t i = 0; i < lines->n; i++) {
        const int err = add(l, lines->v[i]);
        if (err == LAMP_EFORMAT)
            snprintf(why, size, "%s: \"%.100s\" is not %s", key, lines->v[i], form);
        else if (err)
            snprintf(why, size, "%s", lamp_strerror(err));
        if (err)
            return err;
    }
    return LAMP_OK;
}

int lamp_facts_new(double price, const struct lamp_strlist *prices,
                   const struct lamp_strlist *places, lamp_facts **out, char *why, size_t size)
{
    lamp_facts *f = calloc(1, sizeof(*f));
    struct fact *all = f ? facts_of(&f->file, "") : NULL;
    if (!all) {
        free(f);
        snprintf(why, size, "out of memory");
        return LAMP_ENOMEM;
    }
    pthread_rwlock_init(&f->lock, NULL);
    all->priced = true;
    all->price = price;
    int err = add_lines(&f->file, prices, add_price, "sites.prices", "SITE=PRICE", why, size);
    if (!err)
        err = add_lines(&f->file, places, add_place, "sites.places", "LATITUDE LONGITUDE SITE", why,
                        size);
    if (err)
        lamp_facts_free(f);
    else
        *out = f;
    return err;
}

lamp_facts *lamp_facts_free(lamp_facts *f)
{
    if (f) {
        pthread_rwlock_destroy(&f->lock);
        free(f->file.v);
        free(f->set.v);
        free(f);
    }
    return NULL;
}

/* ---- what is set ---- */

struct loading {
    struct list list;
    bool failed;
};

/* What could not be set is not there: a value that makes no sense tells nothing. */
static bool add_setting(const struct lamp_site_setting *x, void *arg)
{
    struct loading *l = arg;
    double price, latitude, longitude;
    const bool priced = streq(x->name, LAMP_FACT_PRICE) &&
                        lamp_text_double(x->value, 0, LAMP_PRICE_MAX, &price) == LAMP_OK;
    const bool placed = streq(x->name, LAMP_FACT_PLACE) &&
                        lamp_fact_place(x->value, &latitude, &longitude, NULL) == LAMP_OK;
    if (!priced && !placed)
        return true;
    struct fact *f = facts_of(&l->list, x->site);
    l->failed = !f;
    if (f && priced) {
        f->priced = true;
        f->price = price;
    }
    if (f && placed) {
        f->placed = true;
        f->latitude = latitude;
        f->longitude = longitude;
    }
    return !l->failed;
}

int lamp_facts_load(lamp_facts *f, lamp_store *s)
{
    struct loading l = { .failed = false };
    /* Read under the lock: of two that load, the later has what is newer. */
    pthread_rwlock_wrlock(&f->lock);
    int err = lamp_store_settings(s, add_setting, &l);
    if (!err && l.failed)
        err = LAMP_ENOMEM;
    if (!err) {
        const struct list before = f->set;
        f->set = l.list;
        l.list = before;
    }
    pthread_rwlock_unlock(&f->lock);
    free(l.list.v);
    return err;
}

double lamp_facts_price(lamp_facts *f, const char *site)
{
    if (!f)
        return 0;
    pthread_rwlock_rdlock(&f->lock);
    const char *of = site ? site : "";
    const struct fact *const in_order[] = { find(&f->set, of), find(&f->file, of),
                                            find(&f->set, ""), find(&f->file, "") };
    double price = 0;
    for (size_t i = site && *site ? 0 : 2; i < ARRAY_LEN(in_order); i++)
        if (in_order[i] && in_order[i]->priced) {
            price = in_order[i]->price;
            break;
        }
    pthread_rwlock_unlock(&f->lock);
    return price;
}

bool lamp_facts_place(lamp_facts *f, const char *site, double *out_latitude, double *out_longitude)
{
    if (!f)
        return false;
    pthread_rwlock_rdlock(&f->lock);
    const struct fact *p = find(&f->set, site);
    if (!p || !p->placed)
        p = find(&f->file, site);
    const bool placed = p && p->placed;
    if (placed) {
        *out_latitude = p->latitude;
        *out_longitude = p->longitude;
    }
    pthread_rwlock_unlock(&f->lock);
    return placed;
}
