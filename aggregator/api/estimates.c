/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/estimates.h"

#include "aggregator/api/impl.h"
#include "common/devices_json.h"
#include "common/sum.h"

#include <math.h>
#include <stdio.h>

enum {
    GROUPS_MAX = 1024,
    RATES_MAX = 32, /* algorithms of a group */
    MODELS_MAX = 512,
    QUIET_MINUTES = 15, /* silence after which no connection is open */
};

/* What all estimates of devices have in common, as relative standard deviations: the table's own
 * error, and of power what surrounds the cards of a rig (5 to 15 %, evenly: 0.1 / sqrt(12) / 1.1)
 * and how much of a CPU's design power mining takes (half to all: 0.5 / sqrt(12) / 0.75). */
#define TABLE_ERROR 0.05
#define RIG_ERROR 0.026
#define CPU_ERROR 0.19

struct rate_of {
    char algorithm[64], unit[16];
    struct lamp_sum sum;
};

struct group {
    char name[LAMP_ESTIMATE_NAME];
    uint32_t miners;
    size_t n_rates;
    struct rate_of *rates;
    struct lamp_sum devices, watts, cost;
    double kinds[3]; /* devices to expect of each kind */
};

/* Of one model, over all miners. */
struct model {
    const char *kind, *vendor, *model; /* in the table of devices */
    uint32_t miners;
    double count, watts; /* to expect */
};

struct lamp_estimates {
    enum lamp_estimate_by by;
    struct group total;
    struct group *groups;
    size_t n, capacity;
    uint32_t left_out;
    struct model models[MODELS_MAX];
    size_t n_models;
    double others[3]; /* devices of each kind that are of no model above */
};

int lamp_estimates_new(enum lamp_estimate_by by, lamp_estimates **out)
{
    lamp_estimates *e = calloc(1, sizeof(*e));
    if (!e)
        return LAMP_ENOMEM;
    e->by = by;
    *out = e;
    return LAMP_OK;
}

lamp_estimates *lamp_estimates_free(lamp_estimates *e)
{
    if (!e)
        return NULL;
    for (size_t i = 0; i < e->n; i++)
        free(e->groups[i].rates);
    free(e->total.rates);
    free(e->groups);
    free(e);
    return NULL;
}

/* ---- adding ---- */

/* NULL: there is no room. */
static struct group *group_of(lamp_estimates *e, const char *name)
{
    for (size_t i = 0; i < e->n; i++)
        if (streq(e->groups[i].name, name))
            return &e->groups[i];
    if (e->n == GROUPS_MAX)
        return NULL;
    if (e->n == e->capacity) {
        const size_t capacity = e->capacity ? 2 * e->capacity : 16;
        struct group *v = realloc(e->groups, capacity * sizeof(*v));
        if (!v)
            return NULL;
        e->groups = v;
        e->capacity = capacity;
    }
    struct group *g = &e->groups[e->n++];
    *g = (struct group){ 0 };
    snprintf(g->name, sizeof(g->name), "%s", name);
    return g;
}

static void add_rate(struct group *g, const char *algorithm, const char *unit,
                     const struct lamp_rate *r)
{
    size_t i = 0;
    while (i < g->n_rates &&
           !(streq(g->rates[i].algorithm, algorithm) && streq(g->rates[i].unit, unit)))
        i++;
    if (i == RATES_MAX || r->method == LAMP_RATE_NONE)
        return;
    if (!g->rates)
        g->rates = calloc(RATES_MAX, sizeof(*g->rates));
    if (!g->rates)
        return;
    if (i == g->n_rates) {
        g->n_rates++;
        snprintf(g->rates[i].algorithm, sizeof(g->rates[i].algorithm), "%s", algorithm);
        snprintf(g->rates[i].unit, sizeof(g->rates[i].unit), "%s", unit);
    }
    lamp_sum_add_rate(&g->rates[i].sum, r);
}

static void add_hardware(struct group *g, const struct lamp_hardware *h, double price)
{
    const double watts_error =
        hypot(TABLE_ERROR, h->kinds[0] * RIG_ERROR + h->kinds[1] * CPU_ERROR);
    lamp_sum_add(&g->devices, &h->count_moments, TABLE_ERROR, &h->count);
    lamp_sum_add(&g->watts, &h->watts_moments, watts_error, &h->watts);
    lamp_sum_add_times(&g->cost, &h->watts_moments, watts_error, &h->watts,
                       lamp_kwh_per_day(price));
    for (size_t k = 0; k < ARRAY_LEN(g->kinds); k++)
        g->kinds[k] += h->kinds[k] * h->count_moments.mean;
}

static struct model *model_of(lamp_estimates *e, const struct lamp_hardware_guess *g)
{
    for (size_t i = 0; i < e->n_models; i++)
        if (streq(e->models[i].model, g->model) && streq(e->models[i].vendor, g->vendor))
            return &e->models[i];
    if (e->n_models == MODELS_MAX)
        return NULL;
    struct model *m = &e->models[e->n_models++];
    *m = (struct model){ g->kind, g->vendor, g->model, 0, 0, 0 };
    return m;
}

static void add_models(lamp_estimates *e, const struct lamp_hardware *h)
{
    double left[3];
    for (size_t k = 0; k < ARRAY_LEN(left); k++)
        left[k] = h->kinds[k] * h->count_moments.mean;
    for (size_t i = 0; i < h->n; i++) {
        const struct lamp_hardware_guess *g = &h->guesses[i];
        const double count = g->probability * g->count.value;
        struct model *m = model_of(e, g);
        if (!m)
            continue;
        m->miners++;
        m->count += count;
        m->watts += g->probability * g->watts.value;
        for (size_t k = 0; k < ARRAY_LEN(left); k++)
            left[k] -= streq(g->kind, lamp_hardware_kinds[k]) ? count : 0;
    }
    for (size_t k = 0; k < ARRAY_LEN(left); k++)
        e->others[k] += left[k] > 0 ? left[k] : 0;
}

/* The newest of a '\n'-separated list; "" where there is none. */
static const char *newest(const char *lines, char *buf, size_t size)
{
    lines = lines ? lines : "";
    snprintf(buf, size, "%.*s", (int)strcspn(lines, "\n"), lines);
    return buf;
}

void lamp_estimates_add(lamp_estimates *e, const struct lamp_miner_view *v,
                        const struct lamp_api_power *power)
{
    char name[LAMP_ESTIMATE_NAME], algorithm[64];
    if (v->verdict < LAMP_VERDICT_PROBABLE || v->state == LAMP_MINER_DISMISSED ||
        v->open_connections == 0)
        return;
    struct lamp_hardware h;
    newest(v->algorithms, algorithm, sizeof(algorithm));
    lamp_devices_estimate(power->devices, &v->rate, algorithm, v->devices, &h);
    snprintf(name, sizeof(name), "%s", e->by == LAMP_BY_SITE && v->site ? v->site : "");
    if (e->by == LAMP_BY_COIN)
        newest(v->coins, name, sizeof(name));
    struct group *const into[] = { &e->total, e->by == LAMP_BY_FLEET ? NULL : group_of(e, name) };
    for (size_t i = 0; i < ARRAY_LEN(into); i++) {
        if (!into[i])
            continue;
        into[i]->miners++;
        add_rate(into[i], algorithm, v->unit && *v->unit ? v->unit : "H/s", &v->rate);
        add_hardware(into[i], &h, lamp_facts_price(power->facts, v->site));
    }
    e->left_out += e->by != LAMP_BY_FLEET && !into[1];
    add_models(e, &h);
}

/* ---- writing ---- */

static void range(struct lamp_json *j, const char *key, const struct lamp_sum *s, double factor)
{
    const struct lamp_range r = lamp_sum_range(s);
    lamp_devices_json_range(
        j, key, &(struct lamp_range){ r.value * factor, r.low * factor, r.high * factor });
}

static void group_json(struct lamp_json *j, const char *key, const struct group *g)
{
    lamp_json_object(j, key);
    lamp_json_str(j, "name", *g->name ? g->name : NULL);
    lamp_json_uint(j, "miners", g->miners);
    lamp_json_uint(j, "with_devices", g->devices.n);
    lamp_json_array(j, "hashrates");
    for (size_t i = 0; i < g->n_rates; i++) {
        const struct rate_of *r = &g->rates[i];
        const struct lamp_range sum = lamp_sum_range(&r->sum);
        lamp_json_object(j, NULL);
        lamp_json_str(j, "algorithm", *r->algorithm ? r->algorithm : NULL);
        lamp_json_str(j, "unit", r->unit);
        lamp_json_uint(j, "miners", r->sum.n);
        lamp_json_estimate(j, "value", sum.value);
        lamp_json_estimate(j, "low", sum.low);
        lamp_json_estimate(j, "high", sum.high);
        lamp_json_end(j);
    }
    lamp_json_end(j);
    range(j, "devices", &g->devices, 1);
    lamp_json_object(j, "kinds");
    for (size_t k = 0; k < ARRAY_LEN(g->kinds); k++)
        lamp_json_estimate(j, lamp_hardware_kinds[k], g->kinds[k]);
    lamp_json_end(j);
    range(j, "watts", &g->watts, 1);
    range(j, "kwh_per_day", &g->watts, lamp_kwh_per_day(1));
    range(j, "cost_per_day", &g->cost, 1);
    lamp_json_uint(j, "with_price", g->cost.n);
    lamp_json_end(j);
}

static int more_watts(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    const int watts = (x->watts.mean < y->watts.mean) - (x->watts.mean > y->watts.mean);
    return watts ? watts : strcmp(x->name, y->name);
}

static int more_of_model(const void *a, const void *b)
{
    const struct model *x = a, *y = b;
    const int count = (x->count < y->count) - (x->count > y->count);
    return count ? count : strcmp(x->model, y->model);
}

static void model_json(struct lamp_json *j, const struct model *m)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "kind", m->kind);
    lamp_json_str(j, "vendor", m->vendor);
    lamp_json_str(j, "model", m->model);
    lamp_json_uint(j, "miners", m->miners);
    lamp_json_estimate(j, "count", m->count);
    lamp_json_estimate(j, "watts", m->watts);
    lamp_json_end(j);
}

void lamp_estimates_json(lamp_estimates *e, struct lamp_json *j)
{
    static const char *const by[] = { "fleet", "site", "coin" };
    if (e->n)
        qsort(e->groups, e->n, sizeof(*e->groups), more_watts);
    qsort(e->models, e->n_models, sizeof(*e->models), more_of_model);
    lamp_json_object(j, NULL);
    lamp_json_str(j, "by", by[e->by]);
    lamp_json_array(j, "estimates");
    for (size_t i = 0; i < e->n; i++)
        group_json(j, NULL, &e->groups[i]);
    lamp_json_end(j);
    group_json(j, "total", &e->total);
    lamp_json_array(j, "models");
    for (size_t i = 0; i < e->n_models; i++)
        model_json(j, &e->models[i]);
    lamp_json_end(j);
    lamp_json_object(j, "other_models");
    for (size_t k = 0; k < ARRAY_LEN(e->others); k++)
        lamp_json_estimate(j, lamp_hardware_kinds[k], e->others[k]);
    lamp_json_end(j);
    lamp_json_uint(j, "left_out", e->left_out);
    lamp_json_end(j);
}

/* ---- the route ---- */

struct adding {
    lamp_estimates *e;
    struct lamp_api_power power;
};

static bool add_miner(const struct lamp_miner_view *v, void *arg)
{
    const struct adding *a = arg;
    lamp_estimates_add(a->e, v, &a->power);
    return true;
}

void lamp_api_get_estimates(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_miner_filter f = { .limit = UINT32_MAX };
    const char *by = lamp_request_query(req, "by");
    enum lamp_estimate_by what = LAMP_BY_FLEET;
    if (by && streq(by, "site")) {
        what = LAMP_BY_SITE;
    } else if (by && streq(by, "coin")) {
        what = LAMP_BY_COIN;
    } else if (by && !streq(by, "fleet")) {
        lamp_reply_error(reply, 400, "invalid", "by", "by must be site, coin or fleet.");
        return;
    }
    if (!lamp_api_site_of(req, reply, &f.site))
        return;
    const uint64_t quiet_us = QUIET_MINUTES * UINT64_C(60000000);
    f.from_us = req->now_us > quiet_us ? req->now_us - quiet_us : 0;
    struct adding a = { .power = lamp_api_power_of(app) };
    if (lamp_estimates_new(what, &a.e) != LAMP_OK) {
        lamp_reply_error(reply, 503, "busy", NULL, "Out of memory.");
        return;
    }
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    if (lamp_store_miners(s, &f, req->now_us, add_miner, &a) == LAMP_OK)
        lamp_estimates_json(a.e, &reply->json);
    else
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
    lamp_estimates_free(a.e);
}
