/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/packs.h"

#include "aggregator/store/packs_read.h"

#include <assert.h>
#include <stddef.h>

enum {
    ROW_LEAST = 8, /* bytes that a row takes at least */
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
    for (size_t i = 0; i < LAMP_PACK_COUNTS; i++)
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

/* Room that lives as long as the rows; NULL: there is no memory. */
static uint8_t *room_of(struct lamp_pack_rows *rows, size_t len)
{
    struct lamp_pack_piece *p = malloc(sizeof(*p) + len);
    if (!p)
        return NULL;
    p->next = rows->pieces;
    rows->pieces = p;
    return p->data;
}

static uint8_t *copy_for(struct lamp_pack_rows *rows, struct lamp_bytes b)
{
    uint8_t *to = room_of(rows, b.len);
    if (to && b.len)
        memcpy(to, b.data, b.len);
    return to;
}

static int append(struct lamp_pack_rows *rows, const struct lamp_pack_row *r)
{
    const int err = room_for(rows, 1);
    if (err)
        return err;
    struct lamp_pack_row *to = &rows->v[rows->n++];
    *to = *r;
    for (size_t i = 0; i < LAMP_PACK_COUNTS; i++)
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

static void free_pieces(struct lamp_pack_piece *p)
{
    while (p) {
        struct lamp_pack_piece *next = p->next;
        free(p);
        p = next;
    }
}

void lamp_pack_rows_clear(struct lamp_pack_rows *rows)
{
    free_pieces(rows->pieces);
    rows->pieces = NULL;
    rows->n = 0;
}

void lamp_pack_rows_done(struct lamp_pack_rows *rows)
{
    lamp_pack_rows_clear(rows);
    free(rows->v);
    *rows = (struct lamp_pack_rows){ 0 };
}

/* What a row points to. */
static void list_bytes(struct lamp_pack_row *r, struct lamp_bytes *out[4])
{
    struct lamp_bytes *const b[] = { &r->key.inside, &r->key.remote, &r->key.application,
                                     &r->key.name };
    memcpy(out, b, sizeof(b));
}

static size_t count_bytes(struct lamp_pack_row *r)
{
    struct lamp_bytes *b[4];
    size_t n = 0;
    list_bytes(r, b);
    for (size_t i = 0; i < ARRAY_LEN(b); i++)
        n += b[i]->len;
    return n;
}

/* Copies what a row points to, which it then points to; returns what is behind. */
static uint8_t *move_bytes(struct lamp_pack_row *r, uint8_t *to)
{
    struct lamp_bytes *b[4];
    list_bytes(r, b);
    for (size_t i = 0; i < ARRAY_LEN(b); i++) {
        if (b[i]->len)
            memcpy(to, b[i]->data, b[i]->len);
        b[i]->data = to;
        to += b[i]->len;
    }
    return to;
}

int lamp_pack_rows_add(struct lamp_pack_rows *rows, const struct lamp_pack_row *r)
{
    struct lamp_pack_row own = *r;
    uint8_t *to = room_of(rows, count_bytes(&own));
    if (!to)
        return LAMP_ENOMEM;
    (void)move_bytes(&own, to);
    return append(rows, &own);
}

int lamp_pack_rows_own(struct lamp_pack_rows *rows)
{
    struct lamp_pack_piece *old = rows->pieces;
    size_t len = 0;
    for (size_t i = 0; i < rows->n; i++)
        len += count_bytes(&rows->v[i]);
    uint8_t *to = room_of(rows, len);
    if (!to)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < rows->n; i++)
        to = move_bytes(&rows->v[i], to);
    rows->pieces->next = NULL;
    free_pieces(old);
    return LAMP_OK;
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
        if (a->len != LAMP_PACK_V4)
            break;
    }
    return k;
}

/* `first`: a row of each of n addresses, in order. */
static int write_addresses(struct lamp_part *keys, const struct lamp_pack_row *const *first,
                           size_t n, size_t member)
{
    const size_t n_v4 = count_short(first, n, member);
    const int err = lamp_packed_room(keys, 2 * LAMP_PACKED_NUMBER + n * LAMP_PACK_V6);
    if (err)
        return err;
    uint8_t *at = lamp_put_number(keys->data + keys->len, n_v4);
    at = lamp_put_number(at, n - n_v4);
    for (size_t i = 0; i < n; i++) {
        const struct lamp_bytes *a =
            (const struct lamp_bytes *)((const uint8_t *)&first[i]->key + member);
        const size_t len = i < n_v4 ? LAMP_PACK_V4 : LAMP_PACK_V6;
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
    for (size_t k = 0; k < LAMP_PACK_COUNTS; k++)
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

void lamp_pack_done(struct lamp_pack *p)
{
    free(p->services);
    free(p->names);
    free(p->rows);
    *p = (struct lamp_pack){ 0 };
}

bool lamp_pack_addresses(struct lamp_cursor *c, struct lamp_pack_addresses *out)
{
    const uint64_t n_v4 = lamp_get_number(c), n_v6 = lamp_get_number(c);
    if (n_v4 > lamp_cursor_left(c) / LAMP_PACK_V4 || n_v6 > lamp_cursor_left(c) / LAMP_PACK_V6) {
        c->bad = true;
        return false;
    }
    out->n_v4 = (size_t)n_v4;
    out->n_v6 = (size_t)n_v6;
    out->v4 = lamp_cursor_take(c, out->n_v4 * LAMP_PACK_V4);
    out->v6 = lamp_cursor_take(c, out->n_v6 * LAMP_PACK_V6);
    return !c->bad;
}

static size_t count_addresses(const struct lamp_pack_addresses *a)
{
    return a->n_v4 + a->n_v6;
}

static struct lamp_bytes address_at(const struct lamp_pack_addresses *a, size_t i)
{
    return i < a->n_v4 ? (struct lamp_bytes){ a->v4 + i * LAMP_PACK_V4, LAMP_PACK_V4 }
                       : (struct lamp_bytes){ a->v6 + (i - a->n_v4) * LAMP_PACK_V6, LAMP_PACK_V6 };
}

/* Each is more than the one before: else some were not found. */
static bool are_in_order(const struct lamp_pack_addresses *a)
{
    for (size_t i = 1; i < count_addresses(a); i++)
        if (compare_bytes(address_at(a, i - 1), address_at(a, i)) >= 0)
            return false;
    return true;
}

/* False: it is none of these. */
bool lamp_pack_find(const struct lamp_pack_addresses *a, struct lamp_bytes what, size_t *out)
{
    if (what.len != LAMP_PACK_V4 && what.len != LAMP_PACK_V6)
        return false;
    size_t low = what.len == LAMP_PACK_V4 ? 0 : a->n_v4,
           high = what.len == LAMP_PACK_V4 ? a->n_v4 : count_addresses(a);
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

static int get_texts(struct lamp_cursor *c, struct lamp_pack *p)
{
    p->n_services = get_count(c, 3);
    p->services = calloc(p->n_services + 1, sizeof(*p->services));
    for (size_t i = 0; p->services && i < p->n_services; i++) {
        struct lamp_pack_service *s = &p->services[i];
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

static void get_places(struct lamp_cursor *c, struct lamp_pack *p)
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

static int get_rows(struct lamp_cursor *c, struct lamp_pack *p, uint64_t minute, bool spans)
{
    p->rows = calloc(p->n + 1, sizeof(*p->rows));
    if (!p->rows)
        return LAMP_ENOMEM;
    get_places(c, p);
    for (size_t k = 0; k < LAMP_PACK_COUNTS; k++)
        for (size_t i = 0; i < p->n; i++)
            p->rows[i].counts[k] = lamp_min(lamp_get_number(c), LAMP_PACK_SUM_MAX);
    for (size_t i = 0; i < p->n; i++)
        p->rows[i].first = minute + (spans ? lamp_get_number(c) : 0);
    for (size_t i = 0; i < p->n; i++)
        p->rows[i].last = p->rows[i].first + (spans ? lamp_get_number(c) : 0);
    return c->bad || lamp_cursor_left(c) ? LAMP_EFORMAT : LAMP_OK;
}

/* LAMP_EFORMAT, LAMP_ENOMEM: there are no rows. */
int lamp_pack_read(struct lamp_bytes keys, struct lamp_bytes body, struct lamp_pack *out)
{
    struct lamp_pack p = { .n = 0 };
    struct lamp_cursor k = lamp_cursor_of(keys.data, keys.len);
    struct lamp_cursor c = lamp_cursor_of(body.data, body.len);
    if (!lamp_pack_addresses(&k, &p.inside) || !lamp_pack_addresses(&k, &p.remote) ||
        lamp_cursor_left(&k) || !are_in_order(&p.inside) || !are_in_order(&p.remote))
        return LAMP_EFORMAT;
    const uint64_t minute = lamp_get_number(&c), spans = lamp_get_number(&c);
    p.n = get_count(&c, ROW_LEAST);
    if (c.bad || spans > 1 || minute > LAMP_PACK_SUM_MAX)
        return LAMP_EFORMAT;
    int err = get_texts(&c, &p);
    if (!err)
        err = get_rows(&c, &p, minute, spans != 0);
    if (err)
        lamp_pack_done(&p);
    else
        *out = p;
    return err;
}

void lamp_pack_row_at(const struct lamp_pack *p, size_t i, struct lamp_pack_row *out)
{
    const struct lamp_packed_row *r = &p->rows[i];
    const struct lamp_pack_service *s = &p->services[r->service];
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
    struct lamp_pack p;
    const uint8_t *own_keys = copy_for(rows, keys), *own_body = copy_for(rows, body);
    int err = own_keys && own_body ? LAMP_OK : LAMP_ENOMEM;
    if (!err)
        err = lamp_pack_read((struct lamp_bytes){ own_keys, keys.len },
                             (struct lamp_bytes){ own_body, body.len }, &p);
    if (err)
        return err;
    err = room_for(rows, p.n);
    for (size_t i = 0; i < p.n && !err; i++)
        lamp_pack_row_at(&p, i, &rows->v[rows->n++]);
    lamp_pack_done(&p);
    return err;
}
