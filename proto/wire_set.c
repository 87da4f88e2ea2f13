/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

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
static int overlap_cmp(const void *a, const void *b)
{
    const struct lamp_set_entry *x = *(const struct lamp_set_entry *const *)a;
    const struct lamp_set_entry *y = *(const struct lamp_set_entry *const *)b;
    int c;
    if ((c = order(x->inside, y->inside)) || (c = order(x->port, y->port)) ||
        (c = order(x->ip_proto, y->ip_proto)))
        return c;
    return addr_cmp(x, y);
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
    p = put_le(p, e->inside, 1);
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
