/* SPDX-License-Identifier: Apache-2.0 */
#include "common/devices.h"

#include "common/csv.h"
#include "common/text.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

enum {
    MAX_ROWS = 4096,
    MAX_MODELS = 256, /* of one algorithm */
    EXACT_COUNTS = 12,
    GRID = 9, /* points of the normal distribution, from -2 to 2 sigma */
    MAX_POINTS = MAX_MODELS * (EXACT_COUNTS + GRID + 1),
};

const char *const lamp_hardware_kinds[3] = { "gpu", "cpu", "asic" };
enum { GPU, CPU, ASIC };

/* A row of the table, or several of one model taken together. */
struct device {
    const char *vendor, *model, *algorithm;
    int kind; /* of lamp_hardware_kinds */
    double rate, watts,
        spread; /* watts 0: unknown; spread: highest by lowest rate of the sources */
};

struct lamp_devices {
    char *text;            /* the file; every string points into it */
    struct device *models; /* while loading: rows; then by algorithm and model */
    size_t n;
};

/* Devices mine the two ways of Ethereum's algorithm alike. */
static const char *alike(const char *algorithm)
{
    return strcasecmp(algorithm, "etchash") == 0 ? "ethash" : algorithm;
}

/* ---- the models ---- */

/* Rows of one model are different cards, settings or sources: their mean, in logarithms, and how far
 * they lie apart. Rows without power count for the rate alone. */
static struct device merged(const struct device *rows, size_t n)
{
    struct device m = rows[0];
    double rate = 0, watts = 0, low = rows[0].rate, high = low;
    size_t with_watts = 0;
    for (size_t i = 0; i < n; i++) {
        rate += log(rows[i].rate);
        low = fmin(low, rows[i].rate / sqrt(rows[i].spread));
        high = fmax(high, rows[i].rate * sqrt(rows[i].spread));
        if (rows[i].watts > 0) {
            watts += rows[i].watts / rows[i].rate;
            with_watts++;
        }
    }
    m.rate = exp(rate / (double)n);
    m.watts = with_watts ? watts / (double)with_watts * m.rate : 0;
    m.spread = high / low;
    return m;
}

static int by_model(const void *a, const void *b)
{
    const struct device *x = a, *y = b;
    const int algorithm = strcasecmp(x->algorithm, y->algorithm);
    return algorithm ? algorithm : strcasecmp(x->model, y->model);
}

static void merge_rows(lamp_devices *d)
{
    size_t n_models = 0;
    qsort(d->models, d->n, sizeof(d->models[0]), by_model);
    for (size_t i = 0, end; i < d->n; i = end) {
        for (end = i + 1; end < d->n && by_model(&d->models[i], &d->models[end]) == 0;)
            end++;
        d->models[n_models++] = merged(d->models + i, end - i);
    }
    d->n = n_models;
}

/* The models of an algorithm, which lie together; at most MAX_MODELS. */
static const struct device *models_of(const lamp_devices *d, const char *algorithm, size_t *out_n)
{
    size_t first = 0, past = d->n;
    while (first < past) {
        const size_t middle = (first + past) / 2;
        if (strcasecmp(d->models[middle].algorithm, algorithm) < 0)
            first = middle + 1;
        else
            past = middle;
    }
    size_t n = 0;
    while (first + n < d->n && n < MAX_MODELS &&
           strcasecmp(d->models[first + n].algorithm, algorithm) == 0)
        n++;
    *out_n = n;
    return d->models + first;
}

/* ---- loading ---- */

static int add_row(void *arg, char *const *v, const struct lamp_csv *at)
{
    lamp_devices *d = arg;
    struct device *row = &d->models[d->n];
    *row = (struct device){ .vendor = v[1], .model = v[2], .algorithm = alike(v[3]), .kind = -1 };
    for (int k = 0; k < 3; k++)
        if (streq(v[0], lamp_hardware_kinds[k]))
            row->kind = k;
    if (row->kind < 0)
        return lamp_csv_fail(at, "kind is neither gpu, cpu nor asic");
    if (lamp_text_double(v[4], 0, 1e24, &row->rate) || row->rate <= 0)
        return lamp_csv_fail(at, "hashrate is not a number above 0");
    if (*v[5] && lamp_text_double(v[5], 0, 1e6, &row->watts))
        return lamp_csv_fail(at, "power_w is not a number");
    if (lamp_text_double(v[6], 1, 100, &row->spread))
        return lamp_csv_fail(at, "spread is not a number from 1 on");
    d->n++;
    return LAMP_OK;
}

static const struct lamp_csv_table table = {
    "devices.csv",
    { "kind", "vendor", "model", "algorithm", "hashrate", "power_w", "spread" },
    MAX_ROWS,
    add_row,
};

int lamp_devices_load(const char *folder, lamp_devices **out, char *why, size_t size)
{
    lamp_devices *d = calloc(1, sizeof(*d));
    int err = LAMP_ENOMEM;
    if (d)
        d->models = calloc(MAX_ROWS, sizeof(*d->models));
    if (d && d->models)
        err = lamp_csv_load(folder, &table, d, &d->text, why, size);
    else
        snprintf(why, size, "%s", lamp_strerror(err));
    if (err) {
        lamp_devices_free(d);
        return err;
    }
    merge_rows(d);
    *out = d;
    return LAMP_OK;
}

lamp_devices *lamp_devices_free(lamp_devices *d)
{
    if (d) {
        free(d->models);
        free(d->text);
        free(d);
    }
    return NULL;
}

/* ---- the distribution ---- */

/* So many of one model, and how likely that is. */
struct point {
    uint16_t model;
    double count, share, weight, watts;
};

struct distribution {
    const struct device *models;
    size_t n_models;
    struct point points[MAX_POINTS];
    size_t n;
    double weight;
};

/* The least weight that changes anything, and the distance in sigmas where the normal distribution falls
 * below it. */
static const double least_weight = 1e-9, far = 6.5;

static void add_point(struct distribution *q, size_t model, double count, double share,
                      double weight)
{
    static const double rig[] = { [GPU] = 1.10, [CPU] = 1.0, [ASIC] = 1.0 };
    const struct device *m = &q->models[model];
    if (!(weight > least_weight))
        return;
    q->points[q->n++] = (struct point){ .model = (uint16_t)model,
                                        .count = count,
                                        .share = share,
                                        .weight = weight,
                                        .watts = m->watts * count * share * rig[m->kind] };
    q->weight += weight;
}

/* Every number of one model that the rate allows; known: the number there is, or 0. */
static void add_model(struct distribution *q, size_t model, const struct lamp_rate *r, double known)
{
    static const double tuning[] = { [GPU] = 0.10, [CPU] = 0.25, [ASIC] = 0.10 };
    /* how common it is that only a part of one device is used */
    static const double in_part[] = { [GPU] = 0.02, [CPU] = 0.3, [ASIC] = 0.005 };
    const struct device *m = &q->models[model];
    const double measured = r->low > 0 && r->high > r->low ? log(r->high / r->low) / 3.92 : 0;
    const double own = hypot(tuning[m->kind], log(m->spread) / 2);
    const double sigma = hypot(measured, own), mean = r->value / m->rate;
    if (known > 0) {
        const double z = log(mean / known) / sigma;
        add_point(q, model, known, 1, exp(-z * z / 2));
        return;
    }
    for (int k = 1; k <= EXACT_COUNTS; k++) {
        const double z = log(mean / k) / sigma;
        if (fabs(z) < far)
            add_point(q, model, k, 1, exp(-z * z / 2) / k / k);
    }
    if (mean < 1)
        add_point(q, model, 1, mean, in_part[m->kind] * mean);
    if (mean * exp(2 * sigma) < EXACT_COUNTS)
        return;
    for (int i = 0; i < GRID; i++) {
        const double z = -2 + 0.5 * i, k = round(mean * exp(z * sigma));
        if (k > EXACT_COUNTS) /* the sum over whole numbers as an integral */
            add_point(q, model, k, 1, exp(-z * z / 2) * 0.5 * sigma / k);
    }
}

static int by_count(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    return (x->count > y->count) - (x->count < y->count);
}

static int by_watts(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    return (x->watts > y->watts) - (x->watts < y->watts);
}

/* The median and the middle 95 % of sorted points; watts: of those whose power is known. */
static struct lamp_range range_of(const struct point *p, size_t n, bool watts)
{
    static const double quantiles[] = { 0.025, 0.5, 0.975 };
    double total = 0, sum = 0, found[3] = { 0 };
    size_t q = 0;
    for (size_t i = 0; i < n; i++)
        total += watts && p[i].watts <= 0 ? 0 : p[i].weight;
    for (size_t i = 0; i < n; i++) {
        if (watts && p[i].watts <= 0)
            continue;
        sum += p[i].weight;
        for (; q < 3 && sum >= quantiles[q] * total * (1 - 1e-12); q++)
            found[q] = watts ? p[i].watts : p[i].count;
    }
    return (struct lamp_range){ found[1], found[0], found[2] };
}

/* Mean and variance of the points; watts: of those whose power is known. */
static struct lamp_moments moments_of(const struct point *p, size_t n, bool watts)
{
    double weight = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = watts ? p[i].watts : p[i].count;
        if (watts && v <= 0)
            continue;
        weight += p[i].weight;
        sum += p[i].weight * v;
        squares += p[i].weight * v * v;
    }
    const double mean = weight > 0 ? sum / weight : 0;
    return (struct lamp_moments){ mean, weight > 0 ? fmax(0, squares / weight - mean * mean) : 0 };
}

/* What is around the cards of a rig takes 5 to 15 %: the middle is in the points already. A CPU's
 * figure is its design power, of which mining takes half to all. */
static struct lamp_range at_the_wall(struct lamp_range w, double gpu, double cpu)
{
    w.low *= (1 - gpu * (1 - 1.05 / 1.10)) * (1 - cpu * 0.5);
    w.high *= 1 + gpu * (1.15 / 1.10 - 1);
    return w;
}

static void guess_of(struct distribution *q, size_t model, double weight,
                     struct lamp_hardware_guess *out)
{
    const struct device *m = &q->models[model];
    struct point mine[EXACT_COUNTS + GRID + 1];
    size_t n = 0;
    double share = 0;
    for (size_t i = 0; i < q->n; i++)
        if (q->points[i].model == model) {
            mine[n++] = q->points[i];
            share += q->points[i].share * q->points[i].weight;
        }
    *out = (struct lamp_hardware_guess){ .kind = lamp_hardware_kinds[m->kind],
                                         .vendor = m->vendor,
                                         .model = m->model,
                                         .rate = m->rate,
                                         .share = share / weight,
                                         .probability = weight / q->weight };
    qsort(mine, n, sizeof(mine[0]), by_count);
    out->count = range_of(mine, n, false);
    qsort(mine, n, sizeof(mine[0]), by_watts);
    out->watts = at_the_wall(range_of(mine, n, true), m->kind == GPU, m->kind == CPU);
}

static void summarise(struct distribution *q, struct lamp_hardware *out)
{
    double weights[MAX_MODELS] = { 0 };
    for (size_t i = 0; i < q->n; i++) {
        weights[q->points[i].model] += q->points[i].weight;
        out->kinds[q->models[q->points[i].model].kind] += q->points[i].weight / q->weight;
    }
    while (out->n < LAMP_HARDWARE_GUESSES) {
        size_t best = 0;
        for (size_t m = 1; m < q->n_models; m++)
            if (weights[m] > weights[best])
                best = m;
        if (!(weights[best] > 0))
            break;
        guess_of(q, best, weights[best], &out->guesses[out->n++]);
        weights[best] = 0;
    }
    qsort(q->points, q->n, sizeof(q->points[0]), by_count);
    out->count = range_of(q->points, q->n, false);
    out->count_moments = moments_of(q->points, q->n, false);
    out->watts_moments = moments_of(q->points, q->n, true);
    qsort(q->points, q->n, sizeof(q->points[0]), by_watts);
    out->watts = at_the_wall(range_of(q->points, q->n, true), out->kinds[GPU], out->kinds[CPU]);
}

void lamp_devices_estimate(const lamp_devices *d, const struct lamp_rate *rate,
                           const char *algorithm, unsigned known_count, struct lamp_hardware *out)
{
    *out = (struct lamp_hardware){ 0 };
    if (!d || !algorithm || rate->method == LAMP_RATE_NONE || !(rate->value > 0) ||
        !isfinite(rate->value))
        return;
    struct distribution *q = malloc(sizeof(*q)); /* large, and filled as far as it is used */
    if (!q)
        return;
    q->n = 0;
    q->weight = 0;
    q->models = models_of(d, alike(algorithm), &q->n_models);
    for (size_t m = 0; m < q->n_models; m++)
        add_model(q, m, rate, known_count);
    if (q->n > 0)
        summarise(q, out);
    free(q);
}
