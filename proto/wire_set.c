/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <assert.h>
#include <sodium.h>

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int name_cmp(struct lamp_bytes a, struct lamp_bytes b)
{
    size_t both = lamp_min(a.len, b.len);
    int c = both ? memcmp(a.data, b.data, both) : 0;
    return c ? c : order(a.len, b.len);
}

static int addr_cmp(const struct lamp_set_entry *x, const struct lamp_set_entry *y)
{
    int c = memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b));
    return c ? c : order(x->prefix.len, y->prefix.len);
}

int lamp_set_entry_cmp(const void *a, const void *b)
{
    const struct lamp_set_entry *x = a, *y = b;
    int c;
    if ((c = order(x->inside, y->inside)) || (c = addr_cmp(x, y)) ||
        (c = order(x->port, y->port)) || (c = order(x->ip_proto, y->ip_proto)))
        return c;
    return name_cmp(x->name, y->name);
}

/* The order that puts overlapping prefixes side by side: first what must be equal. */
static int overlap_order(const struct lamp_set_entry *x, const struct lamp_set_entry *y)
{
    int c;
    if ((c = order(x->inside, y->inside)) || (c = order(x->port, y->port)) ||
        (c = order(x->ip_proto, y->ip_proto)))
        return c;
    return addr_cmp(x, y);
}

static int overlap_cmp(const void *a, const void *b)
{
    return overlap_order(*(const struct lamp_set_entry *const *)a,
                         *(const struct lamp_set_entry *const *)b);
}

static int check_overlap(const struct lamp_set_entry *entries, size_t n)
{
    const struct lamp_set_entry **by_side = calloc(n ? n : 1, sizeof(*by_side));
    if (!by_side)
        return LAMP_ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (entries[i].prefix.len > 0)
            by_side[count++] = &entries[i];
    qsort(by_side, count, sizeof(*by_side), overlap_cmp);

    int rc = LAMP_OK;
    for (size_t i = 1; i < count && !rc; i++) {
        const struct lamp_set_entry *x = by_side[i - 1], *y = by_side[i];
        if (x->inside == y->inside && x->port == y->port && x->ip_proto == y->ip_proto &&
            lamp_prefix_overlap(&x->prefix, &y->prefix))
            rc = LAMP_EOVERLAP;
    }
    free(by_side);
    return rc;
}

static bool is_canonical(const struct lamp_set_entry *e)
{
    for (size_t i = 0; i < e->name.len; i++)
        if (e->name.data[i] >= 'A' && e->name.data[i] <= 'Z')
            return false;
    return lamp_prefix_is_canonical(&e->prefix);
}

/* Groups what may not overlap; in a group the wider prefix, then the longer lease, first. */
static int wider_first(const void *a, const void *b)
{
    const struct lamp_set_entry *x = a, *y = b;
    int c;
    if ((c = overlap_order(x, y)) || (c = name_cmp(x->name, y->name)))
        return c;
    return order(y->ttl_s, x->ttl_s);
}

/* Prefixes are nested or apart, so in this order only the last one kept can cover the next. */
size_t lamp_set_canonical(struct lamp_set_entry *e, size_t n)
{
    qsort(e, n, sizeof(*e), wider_first);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct lamp_set_entry *last = kept ? &e[kept - 1] : NULL;
        if (last && last->inside == e[i].inside && last->port == e[i].port &&
            last->ip_proto == e[i].ip_proto && lamp_prefix_overlap(&last->prefix, &e[i].prefix) &&
            name_cmp(last->name, e[i].name) == 0)
            continue;
        e[kept++] = e[i];
    }
    qsort(e, kept, sizeof(*e), lamp_set_entry_cmp);
    return kept;
}

static uint8_t *put_le(uint8_t *p, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *p++ = (uint8_t)(v >> (8 * i));
    return p;
}

/* The layout of docs/WIRE.md, "Digest of a set". */
static void hash_entry(crypto_generichash_state *state, const struct lamp_set_entry *e)
{
    uint8_t head[16 + 1 + 2 + 1 + 1 + 4 + 8 + 2 + 2], *p = head;
    memcpy(p, e->prefix.addr.b, 16);
    p = put_le(p + 16, e->prefix.len, 1);
    p = put_le(p, e->port, 2);
    p = put_le(p, e->ip_proto, 1);
    p = put_le(p, (uint64_t)e->inside | (uint64_t)e->approved << 1, 1);
    p = put_le(p, e->ttl_s, 4);
    p = put_le(p, e->id, 8);
    p = put_le(p, e->name.len, 2);
    p = put_le(p, e->text.len, 2);
    crypto_generichash_update(state, head, (size_t)(p - head));
    crypto_generichash_update(state, e->name.data, e->name.len);
    crypto_generichash_update(state, e->text.data, e->text.len);
}

int lamp_set_digest(const struct lamp_set_entry *entries, size_t n,
                    uint8_t out[LAMP_WIRE_DIGEST_LEN])
{
    if (n > LAMP_WIRE_SET_ENTRIES_MAX)
        return LAMP_EFULL;
    for (size_t i = 0; i < n; i++) {
        if (entries[i].name.len > LAMP_WIRE_SET_NAME_MAX ||
            entries[i].text.len > LAMP_WIRE_SET_TEXT_MAX)
            return LAMP_EFULL;
        if (!is_canonical(&entries[i]) ||
            (i > 0 && lamp_set_entry_cmp(&entries[i - 1], &entries[i]) >= 0))
            return LAMP_ECANON;
    }
    int rc = check_overlap(entries, n);
    if (rc)
        return rc;

    crypto_generichash_state state;
    if (crypto_generichash_init(&state, NULL, 0, LAMP_WIRE_DIGEST_LEN) != 0)
        return LAMP_EINVAL;
    for (size_t i = 0; i < n; i++)
        hash_entry(&state, &entries[i]);
    return crypto_generichash_final(&state, out, LAMP_WIRE_DIGEST_LEN) == 0 ? LAMP_OK : LAMP_EINVAL;
}

/* ---- sets of their own memory, and the way from one to another ---- */

static struct lamp_bytes keep_text(uint8_t **at, struct lamp_bytes b)
{
    const struct lamp_bytes copy = { b.len ? *at : NULL, b.len };
    if (b.len)
        memcpy(*at, b.data, b.len);
    *at += b.len;
    return copy;
}

int lamp_set_copy(const struct lamp_set_entry *entries, size_t n, struct lamp_set *out)
{
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size += entries[i].name.len + entries[i].text.len;
    struct lamp_set s = { calloc(n + 1, sizeof(*s.entries)), n, malloc(size) };
    if (!s.entries || !s.text) {
        lamp_set_done(&s);
        return LAMP_ENOMEM;
    }
    uint8_t *at = s.text;
    for (size_t i = 0; i < n; i++) {
        s.entries[i] = entries[i];
        s.entries[i].name = keep_text(&at, entries[i].name);
        s.entries[i].text = keep_text(&at, entries[i].text);
    }
    *out = s;
    return LAMP_OK;
}

void lamp_set_done(struct lamp_set *s)
{
    free(s->entries);
    free(s->text);
    *s = (struct lamp_set){ NULL, 0, NULL };
}

/* Whether entries of the same key say the same. */
static bool same_content(const struct lamp_set_entry *a, const struct lamp_set_entry *b)
{
    return a->ttl_s == b->ttl_s && a->id == b->id && a->approved == b->approved &&
           name_cmp(a->text, b->text) == 0;
}

int lamp_set_diff(const struct lamp_set *from, const struct lamp_set *to, struct lamp_set *out)
{
    struct lamp_set_entry *v = calloc(from->n + to->n + 1, sizeof(*v));
    if (!v)
        return LAMP_ENOMEM;
    size_t n = 0;
    for (size_t i = 0, j = 0; i < from->n || j < to->n;) {
        const struct lamp_set_entry *old = i < from->n ? &from->entries[i] : NULL;
        const struct lamp_set_entry *new = j < to->n ? &to->entries[j] : NULL;
        assert(old || new); /* or it would be over */
        const int c = !old ? 1 : !new ? -1 : lamp_set_entry_cmp(old, new);
        i += c <= 0;
        j += c >= 0;
        if (c == 0 && same_content(old, new))
            continue;
        v[n] = c < 0 ? *old : *new;
        v[n++].action = c < 0 ? LAMP_SET_REMOVE : LAMP_SET_ADD;
    }
    const int err = lamp_set_copy(v, n, out);
    free(v);
    return err;
}

int lamp_set_patch(const struct lamp_set *base, const struct lamp_set_entry *delta, size_t n_delta,
                   struct lamp_set *out)
{
    for (size_t j = 1; j < n_delta; j++)
        if (lamp_set_entry_cmp(&delta[j - 1], &delta[j]) >= 0)
            return LAMP_ECANON;
    struct lamp_set_entry *v = calloc(base->n + n_delta + 1, sizeof(*v));
    if (!v)
        return LAMP_ENOMEM;
    size_t n = 0;
    int err = LAMP_OK;
    for (size_t i = 0, j = 0; !err && (i < base->n || j < n_delta);) {
        const struct lamp_set_entry *have = i < base->n ? &base->entries[i] : NULL;
        const struct lamp_set_entry *change = j < n_delta ? &delta[j] : NULL;
        assert(have || change);
        const int c = !have ? 1 : !change ? -1 : lamp_set_entry_cmp(have, change);
        i += c <= 0;
        j += c >= 0;
        if (c < 0)
            v[n++] = *have;
        else if (change->action == LAMP_SET_ADD)
            v[n++] = *change;
        else if (change->action != LAMP_SET_REMOVE || c > 0)
            err = LAMP_EFORMAT;
    }
    if (!err)
        err = lamp_set_copy(v, n, out);
    free(v);
    return err;
}
