/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/packs.h"

#include <assert.h>
#include <stddef.h>

enum {
    COUNTS = 5,
    ROW_LEAST = 8, /* bytes that a row takes at least */
    V4 = 4,
    V6 = 16,
};

/* Bytes that rows point to. */
struct lamp_pack_piece {
    struct lamp_pack_piece *next;
    uint8_t data[];
};

/* ---- in order ---- */

/* The shorter first: addresses of IPv4, then those of IPv6. */
static int compare_bytes(struct lamp_bytes a, struct lamp_bytes b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.data, b.data, a.len) : 0;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_service(const struct lamp_part_row *a, const struct lamp_part_row *b)
{
    int by = compare_numbers(a->ip_proto, b->ip_proto);
    if (!by)
        by = compare_numbers(a->service_port, b->service_port);
    return by ? by : compare_bytes(a->application, b->application);
}

static int compare_row(const void *va, const void *vb)
{
    const struct lamp_part_row *a = &((const struct lamp_pack_row *)va)->key,
                               *b = &((const struct lamp_pack_row *)vb)->key;
    int by = compare_bytes(a->inside, b->inside);
    if (!by)
        by = compare_bytes(a->remote, b->remote);
    return by ? by : compare_service(a, b);
}

/* As SQL's max() of texts has it. */
static bool text_is_more(struct lamp_bytes a, struct lamp_bytes b)
{
    const size_t len = lamp_min(a.len, b.len);
    const int by = len ? memcmp(a.data, b.data, len) : 0;
    return by ? by > 0 : a.len > b.len;
}

static void add_row(struct lamp_pack_row *to, const struct lamp_pack_row *r)
{
    for (size_t i = 0; i < COUNTS; i++)
        to->key.counts[i] = lamp_min(to->key.counts[i] + r->key.counts[i], LAMP_PACK_SUM_MAX);
    if (r->first < to->first)
        to->first = r->first;
    if (r->last > to->last)
        to->last = r->last;
    if (text_is_more(r->key.name, to->key.name))
        to->key.name = r->key.name;
}

void lamp_pack_rows_merge(struct lamp_pack_rows *rows)
{
    size_t n = 0;
    if (rows->n == 0)
        return;
    qsort(rows->v, rows->n, sizeof(*rows->v), compare_row);
    for (size_t i = 1; i < rows->n; i++) {
        if (compare_row(&rows->v[n], &rows->v[i]) == 0)
            add_row(&rows->v[n], &rows->v[i]);
        else
            rows->v[++n] = rows->v[i];
    }
    rows->n = n + 1;
}

/* ---- gathering ---- */

static int room_for(struct lamp_pack_rows *rows, size_t more)
{
    if (rows->size - rows->n >= more)
        return LAMP_OK;
    const size_t size = 2 * rows->size + more;
    struct lamp_pack_row *v = reallocarray(rows->v, size, sizeof(*v));
    if (!v)
        return LAMP_ENOMEM;
    rows->v = v;
    rows->size = size;
    return LAMP_OK;
}

/* A copy that lives as long as the rows; NULL: there is no memory. */
static uint8_t *copy_for(struct lamp_pack_rows *rows, struct lamp_bytes b)
{
    struct lamp_pack_piece *p = malloc(sizeof(*p) + b.len);
    if (!p)
        return NULL;
    if (b.len)
        memcpy(p->data, b.data, b.len);
    p->next = rows->pieces;
    rows->pieces = p;
    return p->data;
}

static int append(struct lamp_pack_rows *rows, const struct lamp_pack_row *r)
{
    const int err = room_for(rows, 1);
    if (err)
        return err;
    struct lamp_pack_row *to = &rows->v[rows->n++];
    *to = *r;
    for (size_t i = 0; i < COUNTS; i++)
        to->key.counts[i] = lamp_min(to->key.counts[i], LAMP_PACK_SUM_MAX);
    return LAMP_OK;
}

int lamp_pack_rows_part(struct lamp_pack_rows *rows, uint64_t minute, struct lamp_bytes body,
                        bool *out_damaged)
{
    const uint8_t *copy = copy_for(rows, body);
    if (!copy)
        return LAMP_ENOMEM;
    struct lamp_cursor c = lamp_cursor_of(copy, body.len);
    struct lamp_pack_row r = { .first = minute, .last = minute };
    int err = LAMP_OK;
    while (!err && lamp_part_next(&c, &r.key))
        err = append(rows, &r);
    if (!err)
        *out_damaged = c.bad;
    return err;
}

void lamp_pack_rows_clear(struct lamp_pack_rows *rows)
{
    for (struct lamp_pack_piece *p = rows->pieces; p;) {
        struct lamp_pack_piece *next = p->next;
        free(p);
        p = next;
    }
    rows->pieces = NULL;
    rows->n = 0;
}

void lamp_pack_rows_done(struct lamp_pack_rows *rows)
{
    lamp_pack_rows_clear(rows);
    free(rows->v);
    *rows = (struct lamp_pack_rows){ 0 };
}

/* ---- writing ---- */

/* The places of n rows in a list of what differs of them, which is n_differ long and begins with first[0], a row
 * that has it. */
struct places {
    uint32_t *of;
    const struct lamp_pack_row **first;
    size_t n_differ;
};

typedef int compare_fn(const struct lamp_part_row *a, const struct lamp_part_row *b);

static int compare_remote(const struct lamp_part_row *a, const struct lamp_part_row *b)
{
    return compare_bytes(a->remote, b->remote);
}

static int compare_name(const struct lamp_part_row *a, const struct lamp_part_row *b)
{
    return compare_bytes(a->name, b->name);
}

#define SORTED_BY(name, compare)                                                                   \
    static int name(const void *a, const void *b)                                                  \
    {                                                                                              \
        return compare(&(*(const struct lamp_pack_row *const *)a)->key,                            \
                       &(*(const struct lamp_pack_row *const *)b)->key);                           \
    }
SORTED_BY(by_remote, compare_remote)
SORTED_BY(by_service, compare_service)
SORTED_BY(by_name, compare_name)

static int find_places(const struct lamp_pack_row *rows, size_t n, compare_fn *compare,
                       int (*by)(const void *, const void *), struct places *out)
{
    *out = (struct places){ .of = calloc(n, sizeof(*out->of)),
                            .first = calloc(n, sizeof(*out->first)) };
    const struct lamp_pack_row **sorted = out->first;
    if (!out->of || !out->first)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &rows[i];
    qsort(sorted, n, sizeof(struct lamp_pack_row *), by);
    size_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && compare(&sorted[last]->key, &sorted[i]->key) != 0)
            sorted[++last] = sorted[i];
        out->of[sorted[i] - rows] = (uint32_t)last;
    }
    out->n_differ = last + 1;
    return LAMP_OK;
}

static void free_places(struct places *p)
{
    free(p->of);
    free(p->first);
}

static size_t count_short(const struct lamp_pack_row *const *first, size_t n, size_t member)
{
    size_t k = 0;
    for (; k < n; k++) {
        const struct lamp_bytes *a =
            (const struct lamp_bytes *)((const uint8_t *)&first[k]->key + member);
        if (a->len != V4)
            break;
    }
    return k;
}

/* `first`: a row of each of n addresses, in order. */
static int write_addresses(struct lamp_part *keys, const struct lamp_pack_row *const *first,
                           size_t n, size_t member)
{
    const size_t n_v4 = count_short(first, n, member);
    const int err = lamp_packed_room(keys, 2 * LAMP_PACKED_NUMBER + n * V6);
    if (err)
        return err;
    uint8_t *at = lamp_put_number(keys->data + keys->len, n_v4);
    at = lamp_put_number(at, n - n_v4);
    for (size_t i = 0; i < n; i++) {
        const struct lamp_bytes *a =
            (const struct lamp_bytes *)((const uint8_t *)&first[i]->key + member);
        const size_t len = i < n_v4 ? V4 : V6;
        memcpy(at, a->data, len);
        at += len;
    }
    keys->len = (size_t)(at - keys->data);
    return LAMP_OK;
}

static int write_texts(struct lamp_part *body, const struct places *p, bool services)
{
    int err = lamp_packed_room(body, LAMP_PACKED_NUMBER);
    if (err)
        return err;
    body->len = (size_t)(lamp_put_number(body->data + body->len, p->n_differ) - body->data);
    for (size_t i = 0; i < p->n_differ; i++) {
        const struct lamp_part_row *r = &p->first[i]->key;
        const struct lamp_bytes text = services ? r->application : r->name;
        err = lamp_packed_room(body, 3 * LAMP_PACKED_NUMBER + text.len);
        if (err)
            return err;
        uint8_t *at = body->data + body->len;
        if (services) {
            at = lamp_put_number(at, r->ip_proto);
            at = lamp_put_number(at, r->service_port);
        }
        at = lamp_put_bytes(at, text.data, text.len);
        body->len = (size_t)(at - body->data);
    }
    return LAMP_OK;
}

static bool have_spans(const struct lamp_pack_row *rows, size_t n, uint64_t minute)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].first != minute || rows[i].last != minute)
            return true;
    return false;
}

/* What is written of a pack: its rows, the places where each inside address begins, and of the other lists. */
struct writing {
    const struct lamp_pack_row *rows;
    size_t n, n_inside;
    const struct lamp_pack_row **inside;
    struct places remote, service, name;
};

static int write_columns(const struct writing *w, uint64_t minute, bool spans,
                         struct lamp_part *body)
{
    const int err = lamp_packed_room(body, (w->n_inside + 10 * w->n) * LAMP_PACKED_NUMBER);
    if (err)
        return err;
    const struct lamp_pack_row *const end = w->rows + w->n;
    uint8_t *at = body->data + body->len;
    for (size_t i = 0; i < w->n_inside; i++)
        at = lamp_put_number(
            at, (uint64_t)((i + 1 < w->n_inside ? w->inside[i + 1] : end) - w->inside[i]));
    for (size_t i = 0, inside = 0, last = 0; i < w->n; i++) {
        const bool begins = inside < w->n_inside && w->inside[inside] == &w->rows[i];
        inside += begins;
        at = lamp_put_number(at, w->remote.of[i] - (begins ? 0 : last));
        last = w->remote.of[i];
    }
    for (size_t i = 0; i < w->n; i++)
        at = lamp_put_number(at, w->service.of[i]);
    for (size_t i = 0; i < w->n; i++)
        at = lamp_put_number(at, w->name.of[i]);
    for (size_t k = 0; k < COUNTS; k++)
        for (size_t i = 0; i < w->n; i++)
            at = lamp_put_number(at, w->rows[i].key.counts[k]);
    for (size_t i = 0; i < w->n && spans; i++)
        at = lamp_put_number(at, w->rows[i].first - minute);
    for (size_t i = 0; i < w->n && spans; i++)
        at = lamp_put_number(at, w->rows[i].last - w->rows[i].first);
    body->len = (size_t)(at - body->data);
    return LAMP_OK;
}

static int write_all(struct writing *w, uint64_t minute, struct lamp_part *keys,
                     struct lamp_part *body)
{
    const bool spans = have_spans(w->rows, w->n, minute);
    for (size_t i = 0; i < w->n; i++)
        if (i == 0 || compare_bytes(w->rows[i - 1].key.inside, w->rows[i].key.inside) != 0)
            w->inside[w->n_inside++] = &w->rows[i];
    int err = find_places(w->rows, w->n, compare_remote, by_remote, &w->remote);
    if (!err)
        err = find_places(w->rows, w->n, compare_service, by_service, &w->service);
    if (!err)
        err = find_places(w->rows, w->n, compare_name, by_name, &w->name);
    if (!err)
        err = write_addresses(keys, w->inside, w->n_inside, offsetof(struct lamp_part_row, inside));
    if (!err)
        err = write_addresses(keys, w->remote.first, w->remote.n_differ,
                              offsetof(struct lamp_part_row, remote));
    if (!err)
        err = lamp_packed_room(body, 3 * LAMP_PACKED_NUMBER);
    if (err)
        return err;
    uint8_t *at = lamp_put_number(body->data, minute);
    at = lamp_put_number(at, spans);
    at = lamp_put_number(at, w->n);
    body->len = (size_t)(at - body->data);
    err = write_texts(body, &w->service, true);
    if (!err)
        err = write_texts(body, &w->name, false);
    return err ? err : write_columns(w, minute, spans, body);
}

int lamp_pack_write(const struct lamp_pack_row *rows, size_t n, uint64_t minute,
                    struct lamp_part *keys, struct lamp_part *body)
{
    struct writing w = { .rows = rows, .n = n, .inside = calloc(n ? n : 1, sizeof(*w.inside)) };
    assert(n > 0);
    keys->len = body->len = 0;
    const int err = w.inside ? write_all(&w, minute, keys, body) : LAMP_ENOMEM;
    free_places(&w.remote);
    free_places(&w.service);
    free_places(&w.name);
    free(w.inside);
    return err;
}

/* ---- reading ---- */

/* Addresses of a pack, in order. */
struct addresses {
    const uint8_t *v4, *v6;
    size_t n_v4, n_v6;
};

struct service {
    uint64_t ip_proto, port;
    struct lamp_bytes application;
};

struct packed_row {
    uint32_t inside, remote, service, name;
    uint64_t counts[COUNTS], first, last;
};

/* A pack that was read; what it has points into the keys and the body. */
struct pack {
    struct addresses inside, remote;
    struct service *services;
    struct lamp_bytes *names;
    struct packed_row *rows;
    size_t n, n_services, n_names;
};

static void pack_done(struct pack *p)
{
    free(p->services);
    free(p->names);
    free(p->rows);
    *p = (struct pack){ 0 };
}

static bool get_addresses(struct lamp_cursor *c, struct addresses *out)
{
    const uint64_t n_v4 = lamp_get_number(c), n_v6 = lamp_get_number(c);
    if (n_v4 > lamp_cursor_left(c) / V4 || n_v6 > lamp_cursor_left(c) / V6) {
        c->bad = true;
        return false;
    }
    out->n_v4 = (size_t)n_v4;
    out->n_v6 = (size_t)n_v6;
    out->v4 = lamp_cursor_take(c, out->n_v4 * V4);
    out->v6 = lamp_cursor_take(c, out->n_v6 * V6);
    return !c->bad;
}

static size_t count_addresses(const struct addresses *a)
{
    return a->n_v4 + a->n_v6;
}

static struct lamp_bytes address_at(const struct addresses *a, size_t i)
{
    return i < a->n_v4 ? (struct lamp_bytes){ a->v4 + i * V4, V4 }
                       : (struct lamp_bytes){ a->v6 + (i - a->n_v4) * V6, V6 };
}

/* False: it is none of these. */
static bool find_address(const struct addresses *a, struct lamp_bytes what, size_t *out)
{
    if (what.len != V4 && what.len != V6)
        return false;
    size_t low = what.len == V4 ? 0 : a->n_v4, high = what.len == V4 ? a->n_v4 : count_addresses(a);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int by = memcmp(address_at(a, middle).data, what.data, what.len);
        if (by == 0) {
            *out = middle;
            return true;
        }
        if (by < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* How many there are, of which each takes `least` bytes at least. */
static size_t get_count(struct lamp_cursor *c, size_t least)
{
    const uint64_t n = lamp_get_number(c);
    if (n > lamp_cursor_left(c) / least) {
        c->bad = true;
        return 0;
    }
    return (size_t)n;
}

static int get_texts(struct lamp_cursor *c, struct pack *p)
{
    p->n_services = get_count(c, 3);
    p->services = calloc(p->n_services + 1, sizeof(*p->services));
    for (size_t i = 0; p->services && i < p->n_services; i++) {
        struct service *s = &p->services[i];
        s->ip_proto = lamp_get_number(c);
        s->port = lamp_get_number(c);
        s->application = lamp_get_bytes(c, LAMP_PACKED_TEXT);
        c->bad |= s->ip_proto > UINT8_MAX || s->port > UINT16_MAX;
    }
    p->n_names = get_count(c, 1);
    p->names = calloc(p->n_names + 1, sizeof(*p->names));
    for (size_t i = 0; p->names && i < p->n_names; i++)
        p->names[i] = lamp_get_bytes(c, LAMP_PACKED_TEXT);
    return p->services && p->names ? LAMP_OK : LAMP_ENOMEM;
}

static uint32_t get_place(struct lamp_cursor *c, size_t n)
{
    const uint64_t v = lamp_get_number(c);
    c->bad |= v >= n;
    return (uint32_t)v;
}

static void get_places(struct lamp_cursor *c, struct pack *p)
{
    const size_t n_inside = count_addresses(&p->inside), n_remote = count_addresses(&p->remote);
    size_t filled = 0;
    for (size_t i = 0; i < n_inside && !c->bad; i++) {
        const uint64_t run = lamp_get_number(c);
        if (run > p->n - filled)
            c->bad = true;
        for (uint64_t k = 0; k < run && !c->bad; k++)
            p->rows[filled++].inside = (uint32_t)i;
    }
    c->bad |= filled != p->n;
    for (size_t i = 0; i < p->n && !c->bad; i++) {
        const bool goes_on = i > 0 && p->rows[i].inside == p->rows[i - 1].inside;
        const uint64_t v = lamp_get_number(c);
        const size_t from = goes_on ? p->rows[i - 1].remote : 0;
        c->bad |= v >= n_remote - from;
        p->rows[i].remote = (uint32_t)(from + v);
    }
    for (size_t i = 0; i < p->n && !c->bad; i++)
        p->rows[i].service = get_place(c, p->n_services);
    for (size_t i = 0; i < p->n && !c->bad; i++)
        p->rows[i].name = get_place(c, p->n_names);
}

static int get_rows(struct lamp_cursor *c, struct pack *p, uint64_t minute, bool spans)
{
    p->rows = calloc(p->n + 1, sizeof(*p->rows));
    if (!p->rows)
        return LAMP_ENOMEM;
    get_places(c, p);
    for (size_t k = 0; k < COUNTS; k++)
        for (size_t i = 0; i < p->n; i++)
            p->rows[i].counts[k] = lamp_min(lamp_get_number(c), LAMP_PACK_SUM_MAX);
    for (size_t i = 0; i < p->n; i++)
        p->rows[i].first = minute + (spans ? lamp_get_number(c) : 0);
    for (size_t i = 0; i < p->n; i++)
        p->rows[i].last = p->rows[i].first + (spans ? lamp_get_number(c) : 0);
    return c->bad || lamp_cursor_left(c) ? LAMP_EFORMAT : LAMP_OK;
}

/* LAMP_EFORMAT, LAMP_ENOMEM: there are no rows. */
static int pack_read(struct lamp_bytes keys, struct lamp_bytes body, struct pack *out)
{
    struct pack p = { .n = 0 };
    struct lamp_cursor k = lamp_cursor_of(keys.data, keys.len);
    struct lamp_cursor c = lamp_cursor_of(body.data, body.len);
    if (!get_addresses(&k, &p.inside) || !get_addresses(&k, &p.remote) || lamp_cursor_left(&k))
        return LAMP_EFORMAT;
    const uint64_t minute = lamp_get_number(&c), spans = lamp_get_number(&c);
    p.n = get_count(&c, ROW_LEAST);
    if (c.bad || spans > 1 || minute > LAMP_PACK_SUM_MAX)
        return LAMP_EFORMAT;
    int err = get_texts(&c, &p);
    if (!err)
        err = get_rows(&c, &p, minute, spans != 0);
    if (err)
        pack_done(&p);
    else
        *out = p;
    return err;
}

static void row_at(const struct pack *p, size_t i, struct lamp_pack_row *out)
{
    const struct packed_row *r = &p->rows[i];
    const struct service *s = &p->services[r->service];
    *out = (struct lamp_pack_row){
        .key = { .inside = address_at(&p->inside, r->inside),
                 .remote = address_at(&p->remote, r->remote),
                 .application = s->application,
                 .name = p->names[r->name],
                 .ip_proto = s->ip_proto,
                 .service_port = s->port },
        .first = r->first,
        .last = r->last,
    };
    memcpy(out->key.counts, r->counts, sizeof(r->counts));
}

int lamp_pack_rows_pack(struct lamp_pack_rows *rows, struct lamp_bytes keys, struct lamp_bytes body)
{
    struct pack p;
    const uint8_t *own_keys = copy_for(rows, keys), *own_body = copy_for(rows, body);
    int err = own_keys && own_body ? LAMP_OK : LAMP_ENOMEM;
    if (!err)
        err = pack_read((struct lamp_bytes){ own_keys, keys.len },
                        (struct lamp_bytes){ own_body, body.len }, &p);
    if (err)
        return err;
    err = room_for(rows, p.n);
    for (size_t i = 0; i < p.n && !err; i++)
        row_at(&p, i, &rows->v[rows->n++]);
    pack_done(&p);
    return err;
}

/* ---- pack_has(), pack_damaged() ---- */

static struct lamp_bytes value_bytes(sqlite3_value *v)
{
    const void *data = sqlite3_value_blob(v); /* before its length is asked for */
    return (struct lamp_bytes){ data, (size_t)sqlite3_value_bytes(v) };
}

static void has(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const struct lamp_bytes keys = value_bytes(argv[0]);
    struct lamp_cursor c = lamp_cursor_of(keys.data, keys.len);
    bool yes = true;
    for (int i = 1; i < argc && yes; i++) {
        struct addresses a;
        const struct lamp_bytes what = value_bytes(argv[i]);
        size_t at;
        yes = get_addresses(&c, &a) && (what.len == 0 || find_address(&a, what, &at));
    }
    sqlite3_result_int(ctx, yes);
}

static void damaged(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct pack p;
    (void)argc;
    const int err = pack_read(value_bytes(argv[0]), value_bytes(argv[1]), &p);
    if (!err)
        pack_done(&p);
    if (err == LAMP_ENOMEM)
        sqlite3_result_error_nomem(ctx);
    else
        sqlite3_result_int(ctx, err != LAMP_OK);
}

/* ---- pack_of(): a pack out of rows, with the length of its keys before them ---- */

static void gather_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct lamp_pack_rows *rows = sqlite3_aggregate_context(ctx, sizeof(*rows));
    (void)argc;
    if (!rows) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    struct lamp_pack_row r = {
        .key = { .ip_proto = (uint64_t)sqlite3_value_int64(argv[2]) & UINT8_MAX,
                 .service_port = (uint64_t)sqlite3_value_int64(argv[3]) & UINT16_MAX },
        .first = (uint64_t)sqlite3_value_int64(argv[11]),
        .last = (uint64_t)sqlite3_value_int64(argv[12]),
    };
    struct lamp_bytes *const own[] = { &r.key.inside, &r.key.remote, &r.key.application,
                                       &r.key.name };
    static const int from[] = { 0, 1, 4, 5 };
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        const struct lamp_bytes b = value_bytes(argv[from[i]]);
        const size_t len = lamp_min(b.len, LAMP_PACKED_TEXT);
        own[i]->data = copy_for(rows, (struct lamp_bytes){ b.data, len });
        own[i]->len = len;
        if (!own[i]->data) {
            sqlite3_result_error_nomem(ctx);
            return;
        }
    }
    for (size_t i = 0; i < COUNTS; i++)
        r.key.counts[i] = (uint64_t)sqlite3_value_int64(argv[6 + i]);
    const bool addresses = (r.key.inside.len == V4 || r.key.inside.len == V6) &&
                           (r.key.remote.len == V4 || r.key.remote.len == V6);
    if (addresses && append(rows, &r) != LAMP_OK)
        sqlite3_result_error_nomem(ctx);
}

static void gather_end(sqlite3_context *ctx)
{
    struct lamp_pack_rows *rows = sqlite3_aggregate_context(ctx, 0);
    struct lamp_part keys = { 0 }, body = { 0 }, whole = { 0 };
    if (!rows || rows->n == 0) {
        if (rows)
            lamp_pack_rows_done(rows);
        return;
    }
    lamp_pack_rows_merge(rows);
    uint64_t minute = rows->v[0].first;
    for (size_t i = 1; i < rows->n; i++)
        minute = lamp_min(minute, rows->v[i].first);
    int err = lamp_pack_write(rows->v, rows->n, minute, &keys, &body);
    if (!err)
        err = lamp_packed_room(&whole, LAMP_PACKED_NUMBER + keys.len + body.len);
    if (!err) {
        uint8_t *at = lamp_put_bytes(whole.data, keys.data, keys.len);
        memcpy(at, body.data, body.len);
        at += body.len;
        sqlite3_result_blob64(ctx, whole.data, (sqlite3_uint64)(at - whole.data), SQLITE_TRANSIENT);
    } else {
        sqlite3_result_error_nomem(ctx);
    }
    lamp_part_done(&keys);
    lamp_part_done(&body);
    lamp_part_done(&whole);
    lamp_pack_rows_done(rows);
}

/* The user data says which half. */
static void half(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const struct lamp_bytes whole = value_bytes(argv[0]);
    struct lamp_cursor c = lamp_cursor_of(whole.data, whole.len);
    const struct lamp_bytes keys = lamp_get_bytes(&c, whole.len);
    (void)argc;
    if (c.bad)
        sqlite3_result_null(ctx);
    else if (sqlite3_user_data(ctx))
        sqlite3_result_blob64(ctx, c.p, lamp_cursor_left(&c), SQLITE_TRANSIENT);
    else
        sqlite3_result_blob64(ctx, keys.data, keys.len, SQLITE_TRANSIENT);
}

/* ---- pack_rows(), an eponymous virtual table (sqlite.org/vtab.html#tabfunc2) ---- */

enum {
    COL_INSIDE,
    COL_REMOTE,
    COL_PROTO,
    COL_PORT,
    COL_APPLICATION,
    COL_NAME,
    COL_BYTES_OUT,
    COL_FIRST = COL_BYTES_OUT + COUNTS,
    COL_LAST,
    COL_KEYS,
    COL_BODY,
    COL_ONLY_INSIDE,
    COL_ONLY_REMOTE,
};

struct rows {
    sqlite3_vtab_cursor base; /* first */
    uint8_t *bytes;           /* keys and body */
    struct pack pack;
    bool only_inside, only_remote;
    size_t at, inside, remote;
    struct lamp_pack_row row;
};

static int rows_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **err)
{
    (void)aux, (void)argc, (void)argv, (void)err;
    int rc = sqlite3_declare_vtab(
        db, "CREATE TABLE x (inside BLOB, remote BLOB, ip_proto INTEGER, service_port INTEGER,"
            " application TEXT, remote_name TEXT, bytes_out INTEGER, bytes_in INTEGER,"
            " packets_out INTEGER, packets_in INTEGER, flows INTEGER, first INTEGER,"
            " last INTEGER, keys HIDDEN, body HIDDEN, only_inside HIDDEN, only_remote HIDDEN)");
    /* It only looks at its arguments, so views of a file that is not trusted may use it. */
    if (rc == SQLITE_OK)
        rc = sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    if (rc != SQLITE_OK)
        return rc;
    *out = calloc(1, sizeof(**out));
    return *out ? SQLITE_OK : SQLITE_NOMEM;
}

static int rows_disconnect(sqlite3_vtab *vtab)
{
    free(vtab);
    return SQLITE_OK;
}

/* Which columns rows_filter() is given a value of, in order; idxNum has a bit for each. */
static const int given[] = { COL_KEYS,        COL_BODY,   COL_ONLY_INSIDE,
                             COL_ONLY_REMOTE, COL_INSIDE, COL_REMOTE };

static int rows_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    int n = 0;
    info->idxNum = 0;
    for (size_t g = 0; g < ARRAY_LEN(given); g++)
        for (int i = 0; i < info->nConstraint; i++) {
            if (info->aConstraint[i].iColumn != given[g] || !info->aConstraint[i].usable ||
                info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
                continue;
            info->aConstraintUsage[i].argvIndex = ++n;
            info->aConstraintUsage[i].omit = given[g] >= COL_KEYS;
            info->idxNum |= 1 << g;
            break;
        }
    if ((info->idxNum & 3) != 3)
        return SQLITE_CONSTRAINT; /* without a pack there are no rows */
    info->estimatedRows = info->idxNum > 3 ? 10 : 500;
    info->estimatedCost = (double)info->estimatedRows;
    return SQLITE_OK;
}

static int rows_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
    (void)vtab;
    struct rows *r = calloc(1, sizeof(*r));
    if (!r)
        return SQLITE_NOMEM;
    *out = &r->base;
    return SQLITE_OK;
}

static void rows_drop(struct rows *r)
{
    pack_done(&r->pack);
    free(r->bytes);
    r->bytes = NULL;
}

static int rows_close(sqlite3_vtab_cursor *cursor)
{
    struct rows *r = (struct rows *)cursor;
    rows_drop(r);
    free(r);
    return SQLITE_OK;
}

/* Goes to the first row from r->at on that is asked for. */
static void rows_settle(struct rows *r)
{
    const struct pack *p = &r->pack;
    while (r->at < p->n && ((r->only_inside && p->rows[r->at].inside != r->inside) ||
                            (r->only_remote && p->rows[r->at].remote != r->remote)))
        r->at++;
    if (r->at < p->n)
        row_at(p, r->at, &r->row);
}

static int rows_next(sqlite3_vtab_cursor *cursor)
{
    struct rows *r = (struct rows *)cursor;
    r->at++;
    rows_settle(r);
    return SQLITE_OK;
}

/* Notes that only rows with an address are wanted; there are none where it is not one of these. */
static void want(struct rows *r, bool inside, bool any_if_empty, struct lamp_bytes what)
{
    const struct addresses *a = inside ? &r->pack.inside : &r->pack.remote;
    if (what.len == 0 && any_if_empty)
        return;
    if (!find_address(a, what, inside ? &r->inside : &r->remote))
        r->at = r->pack.n;
    if (inside)
        r->only_inside = true;
    else
        r->only_remote = true;
}

static int rows_filter(sqlite3_vtab_cursor *cursor, int idx, const char *idx_str, int argc,
                       sqlite3_value **argv)
{
    struct rows *r = (struct rows *)cursor;
    (void)idx_str, (void)argc;
    rows_drop(r);
    r->only_inside = r->only_remote = false;
    r->at = 0;
    const struct lamp_bytes keys = value_bytes(argv[0]), body = value_bytes(argv[1]);
    r->bytes = malloc(keys.len + body.len + 1); /* the values are gone when this returns */
    if (!r->bytes)
        return SQLITE_NOMEM;
    if (keys.len)
        memcpy(r->bytes, keys.data, keys.len);
    if (body.len)
        memcpy(r->bytes + keys.len, body.data, body.len);
    if (pack_read((struct lamp_bytes){ r->bytes, keys.len },
                  (struct lamp_bytes){ r->bytes + keys.len, body.len }, &r->pack) == LAMP_ENOMEM)
        return SQLITE_NOMEM;
    for (size_t g = 2, n = 2; g < ARRAY_LEN(given); g++)
        if (idx & 1 << g)
            want(r, given[g] == COL_INSIDE || given[g] == COL_ONLY_INSIDE, given[g] >= COL_KEYS,
                 value_bytes(argv[n++]));
    rows_settle(r);
    return SQLITE_OK;
}

static int rows_eof(sqlite3_vtab_cursor *cursor)
{
    const struct rows *r = (const struct rows *)cursor;
    return r->at >= r->pack.n;
}

static void give_bytes(sqlite3_context *ctx, struct lamp_bytes b)
{
    sqlite3_result_blob64(ctx, b.len ? (const void *)b.data : "", b.len, SQLITE_TRANSIENT);
}

static void give_text(sqlite3_context *ctx, struct lamp_bytes b)
{
    sqlite3_result_text64(ctx, b.len ? (const char *)b.data : "", b.len, SQLITE_TRANSIENT,
                          SQLITE_UTF8);
}

static int rows_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int col)
{
    const struct lamp_pack_row *row = &((const struct rows *)cursor)->row;
    switch (col) {
    case COL_INSIDE:
        give_bytes(ctx, row->key.inside);
        break;
    case COL_REMOTE:
        give_bytes(ctx, row->key.remote);
        break;
    case COL_PROTO:
        sqlite3_result_int64(ctx, (sqlite3_int64)row->key.ip_proto);
        break;
    case COL_PORT:
        sqlite3_result_int64(ctx, (sqlite3_int64)row->key.service_port);
        break;
    case COL_APPLICATION:
        give_text(ctx, row->key.application);
        break;
    case COL_NAME:
        give_text(ctx, row->key.name);
        break;
    case COL_FIRST:
        sqlite3_result_int64(ctx, (sqlite3_int64)row->first);
        break;
    case COL_LAST:
        sqlite3_result_int64(ctx, (sqlite3_int64)row->last);
        break;
    default:
        if (col < COL_FIRST)
            sqlite3_result_int64(ctx, (sqlite3_int64)row->key.counts[col - COL_BYTES_OUT]);
        else
            sqlite3_result_null(ctx); /* the arguments: nobody asks for them back */
    }
    return SQLITE_OK;
}

static int rows_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((const struct rows *)cursor)->at;
    return SQLITE_OK;
}

/* ---- all of them ---- */

int lamp_packs_register(sqlite3 *db)
{
    static const sqlite3_module module = {
        .xConnect = rows_connect,
        .xBestIndex = rows_best_index,
        .xDisconnect = rows_disconnect,
        .xOpen = rows_open,
        .xClose = rows_close,
        .xFilter = rows_filter,
        .xNext = rows_next,
        .xEof = rows_eof,
        .xColumn = rows_column,
        .xRowid = rows_rowid,
    };
    static int second;
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    const int err = lamp_parts_register(db);
    if (err)
        return err;
    int rc = sqlite3_create_module_v2(db, "pack_rows", &module, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "pack_has", 3, flags, NULL, has, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "pack_damaged", 2, flags, NULL, damaged, NULL, NULL,
                                        NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "pack_keys", 1, flags, NULL, half, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "pack_body", 1, flags, &second, half, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "pack_of", 13, flags, NULL, NULL, gather_step,
                                        gather_end, NULL);
    return rc == SQLITE_OK ? LAMP_OK : LAMP_ESTORE;
}
