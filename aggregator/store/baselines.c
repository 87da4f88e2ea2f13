/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/baselines.h"

const char *lamp_baseline_by_name(enum lamp_baseline_by by)
{
    static const char *const names[] = { "address", "name", "pool", "asn" };
    return names[(size_t)by < ARRAY_LEN(names) ? by : 0];
}

const char *lamp_baseline_say_name(enum lamp_baseline_say s)
{
    static const char *const names[] = { "new", "watched", "blocked" };
    return names[(size_t)s < ARRAY_LEN(names) ? s : 0];
}

bool lamp_baseline_knows(const struct lamp_baseline_entry *e, const struct lamp_baseline_place *at)
{
    const struct lamp_baseline_place *was = &e->at;
    if (was->ip_proto != at->ip_proto || was->port != at->port)
        return false;
    return lamp_addr_eq(&was->remote, &at->remote) ||
           (e->by == LAMP_BASELINE_BY_NAME && *at->name && streq(was->name, at->name)) ||
           (e->by == LAMP_BASELINE_BY_POOL && *at->pool && streq(was->pool, at->pool)) ||
           (e->by == LAMP_BASELINE_BY_ASN && at->asn && was->asn == at->asn);
}

enum lamp_baseline_by lamp_baseline_by_of(const struct lamp_baseline_place *at, bool by_asn)
{
    return *at->pool           ? LAMP_BASELINE_BY_POOL
           : by_asn && at->asn ? LAMP_BASELINE_BY_ASN
           : *at->name         ? LAMP_BASELINE_BY_NAME
                               : LAMP_BASELINE_BY_ADDRESS;
}

struct sought {
    int64_t id;
    struct lamp_baseline_news *out;
    bool found;
};

static bool take_sought(const struct lamp_baseline_news *n, void *arg)
{
    struct sought *x = arg;
    x->found = n->id == x->id;
    if (x->found)
        *x->out = *n;
    return !x->found;
}

int lamp_baseline_news_find(lamp_store *s, int64_t id, int64_t news_id,
                            struct lamp_baseline_news *out)
{
    struct sought x = { .id = news_id, .out = out };
    const int err = lamp_store_baseline_news(s, id, take_sought, &x);
    return err ? err : x.found ? LAMP_OK : LAMP_ENOENT;
}
