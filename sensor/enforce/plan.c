/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/plan.h"

#include <stdio.h>

#define SECOND_US UINT64_C(1000000)
enum { TCP = 6, UDP = 17 };

static bool is_v4(const struct lamp_prefix *p)
{
    return p->len >= 96 && lamp_addr_is_v4(&p->addr);
}

bool lamp_element_is_v4(const struct lamp_element *e)
{
    return is_v4(&e->prefix);
}

enum lamp_shape_of_set lamp_element_shape(const struct lamp_element *e)
{
    if (e->port)
        return LAMP_PORT;
    if (e->ip_proto)
        return LAMP_PROTO;
    return e->prefix.len == 128 ? LAMP_HOST : LAMP_NET;
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_set(const struct lamp_element *x, const struct lamp_element *y)
{
    int c;
    if ((c = order(x->inside, y->inside)) ||
        (c = order(lamp_element_shape(x), lamp_element_shape(y))) ||
        (c = order(!is_v4(&x->prefix), !is_v4(&y->prefix))) ||
        (c = order(x->ip_proto, y->ip_proto)))
        return c;
    return order(x->port, y->port);
}

int lamp_element_cmp(const void *a, const void *b)
{
    const struct lamp_element *x = a, *y = b;
    const int c = by_set(x, y);
    if (c)
        return c;
    const int addr = memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b));
    return addr ? addr : order(x->prefix.len, y->prefix.len);
}

/* Of equal keys the one that holds longer first, so that it is the one that stays. */
static int longest_first(const void *a, const void *b)
{
    const struct lamp_element *x = a, *y = b;
    const int c = lamp_element_cmp(a, b);
    return c ? c : order(y->until_us, x->until_us);
}

/* In this order a wider prefix comes right before those it covers. */
static size_t drop_covered(struct lamp_element *v, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct lamp_element *last = kept ? &v[kept - 1] : NULL;
        if (last && by_set(last, &v[i]) == 0 && lamp_prefix_overlap(&last->prefix, &v[i].prefix))
            continue;
        v[kept++] = v[i];
    }
    return kept;
}

/* When an entry ends: by its own time, the list's, and at most a day from now. 0: over.
 * However the clock was set, it holds no longer than it did when it was accepted. */
static uint64_t entry_until(const struct lamp_plan_in *in, const struct lamp_set_entry *e,
                            uint64_t now_us)
{
    uint64_t life_us = in->expires_us > in->accepted_us ? in->expires_us - in->accepted_us : 0;
    if (e->ttl_s > 0 && e->ttl_s * SECOND_US < life_us)
        life_us = e->ttl_s * SECOND_US;
    if (life_us > LAMP_PLAN_LIFE_MAX_S * SECOND_US)
        life_us = LAMP_PLAN_LIFE_MAX_S * SECOND_US;
    uint64_t until_us = in->accepted_us + life_us;
    if (until_us > now_us + life_us)
        until_us = now_us + life_us;
    if (in->cap_us && until_us > in->cap_us)
        until_us = in->cap_us;
    return until_us > now_us ? until_us : 0;
}

static void refuse(struct lamp_plan *p, uint64_t id, int code, const char *detail)
{
    if (p->code == LAMP_OK) {
        p->code = code;
        snprintf(p->detail, sizeof(p->detail), "%s", detail);
    }
    for (size_t i = 0; i < p->n_refused; i++)
        if (p->refused_ids[i] == id)
            return;
    if (p->n_refused < LAMP_PLAN_REFUSED_MAX)
        p->refused_ids[p->n_refused++] = id;
}

/* Adds an entry with an address, as one or two elements. */
static void add_entry(const struct lamp_plan_in *in, const struct lamp_set_entry *e,
                      const struct lamp_prefix *prefix, uint64_t until_us, struct lamp_plan *p)
{
    const struct lamp_never_entry *never = lamp_never_hit(in->never, prefix, e->inside);
    char text[LAMP_PREFIX_STRLEN], detail[LAMP_PLAN_DETAIL];
    lamp_prefix_str(prefix, text);
    if (never) {
        snprintf(detail, sizeof(detail), "%s is protected here: %s", text, never->reason);
        refuse(p, e->id, LAMP_EPROTECTED, detail);
        return;
    }
    const uint8_t protos[] = { e->ip_proto ? e->ip_proto : TCP, UDP };
    const size_t n = e->port && !e->ip_proto ? 2 : 1;
    if (p->n + n > LAMP_PLAN_ELEMENTS_MAX) {
        refuse(p, e->id, LAMP_EFULL, "more addresses than the kernel may hold");
        return;
    }
    for (size_t i = 0; i < n; i++)
        p->v[p->n++] = (struct lamp_element){ .prefix = *prefix,
                                              .id = e->id,
                                              .until_us = until_us,
                                              .port = e->port,
                                              .ip_proto = e->port ? protos[i] : e->ip_proto,
                                              .inside = e->inside };
}

static void add_domain(const struct lamp_plan_in *in, const struct lamp_set_entry *e,
                       uint64_t until_us, uint64_t now_us, struct lamp_plan *p)
{
    if (p->n_domains == LAMP_WIRE_LOCAL_NAMES_MAX) {
        refuse(p, e->id, LAMP_EFULL, "more names than can be followed");
        return;
    }
    p->n_domains++;
    for (size_t i = 0; in->domains && i < in->domains->n; i++) {
        const struct lamp_domain_binding *b = &in->domains->v[i];
        if (b->until_us <= now_us || !lamp_domain_covers(e->name, b->name))
            continue;
        const struct lamp_prefix host = { b->addr, 128 };
        add_entry(in, e, &host, b->until_us < until_us ? b->until_us : until_us, p);
    }
}

/* The most elements that there can be. */
static size_t room_for(const struct lamp_plan_in *in)
{
    size_t n = 1;
    for (size_t i = 0; i < in->n_entries && n < LAMP_PLAN_ELEMENTS_MAX; i++)
        n += in->entries[i].name.len == 0 ? 2 : in->domains ? 2 * in->domains->n : 0;
    return lamp_min(n, LAMP_PLAN_ELEMENTS_MAX);
}

int lamp_plan_make(const struct lamp_plan_in *in, uint64_t now_us, struct lamp_plan *out)
{
    struct lamp_plan p = { .n = 0 };
    p.v = calloc(room_for(in), sizeof(*p.v));
    if (!p.v)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < in->n_entries; i++) {
        const struct lamp_set_entry *e = &in->entries[i];
        const uint64_t until_us = entry_until(in, e, now_us);
        if (until_us == 0)
            continue;
        if (e->name.len > 0)
            add_domain(in, e, until_us, now_us, &p);
        else
            add_entry(in, e, &e->prefix, until_us, &p);
    }
    qsort(p.v, p.n, sizeof(*p.v), longest_first);
    p.n = drop_covered(p.v, p.n);
    *out = p;
    return LAMP_OK;
}

void lamp_plan_done(struct lamp_plan *p)
{
    free(p->v);
    *p = (struct lamp_plan){ .n = 0 };
}

struct lamp_element *lamp_plan_find(const struct lamp_plan *p, const struct lamp_element *key)
{
    return p->n ? bsearch(key, p->v, p->n, sizeof(*p->v), lamp_element_cmp) : NULL;
}
