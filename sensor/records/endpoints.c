/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/records/endpoints.h"

#include "common/csv.h"
#include "common/text.h"
#include "sensor/rollup/hash.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

struct lamp_endpoints {
    struct lamp_endpoint *v; /* by address, port, time */
    size_t n, room;
    uint32_t *slots; /* 1 + the first entry of an address and port; 0: free. Open addressing */
    size_t mask;
    uint64_t seed[2];
    char *text;
};

static uint64_t hash_of(const lamp_endpoints *e, const struct lamp_addr *addr, uint16_t port)
{
    uint8_t key[sizeof(addr->b) + 2];
    memcpy(key, addr->b, sizeof(addr->b));
    memcpy(key + sizeof(addr->b), &port, 2);
    return lamp_hash(e->seed, key, sizeof(key));
}

static bool is_same(const struct lamp_endpoint *a, const struct lamp_addr *addr, uint16_t port)
{
    return a->port == port && lamp_addr_eq(&a->addr, addr);
}

static const struct lamp_endpoint *find_at(const lamp_endpoints *e, const struct lamp_addr *addr,
                                           uint16_t port, uint64_t t_us)
{
    for (size_t i = (size_t)hash_of(e, addr, port) & e->mask; e->slots[i]; i = (i + 1) & e->mask) {
        const struct lamp_endpoint *at = &e->v[e->slots[i] - 1];
        if (!is_same(at, addr, port))
            continue;
        for (; at < e->v + e->n && is_same(at, addr, port); at++)
            if (t_us >= at->since_us && t_us <= at->until_us)
                return at;
        return NULL;
    }
    return NULL;
}

const struct lamp_endpoint *lamp_endpoints_find(const lamp_endpoints *e,
                                                const struct lamp_addr *addr, uint16_t port,
                                                uint64_t t_us)
{
    const struct lamp_endpoint *at = find_at(e, addr, port, t_us);
    return at ? at : find_at(e, addr, 0, t_us);
}

/* ---- reading ---- */

/* "": otherwise. */
static bool read_time(const char *text, uint64_t otherwise_us, uint64_t *out)
{
    int64_t s;
    struct tm t = { 0 };
    const char *end;
    if (!*text) {
        *out = otherwise_us;
        return true;
    }
    if (lamp_text_int(text, 0, INT64_C(1) << 40, &s) == LAMP_OK) {
        *out = (uint64_t)s * 1000000;
        return true;
    }
    end = strptime(text, "%Y-%m-%d", &t);
    if (end && *end)
        end = strptime(end, "T%H:%M:%SZ", &t);
    s = timegm(&t);
    if (!end || *end || s < 0)
        return false;
    *out = (uint64_t)s * 1000000;
    return true;
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

static int add(void *arg, char *const *v, const struct lamp_csv *at)
{
    lamp_endpoints *e = arg;
    struct lamp_endpoint p = { .pool = text_or_null(v[2]), .coin = text_or_null(v[3]) };
    int64_t port;
    if (lamp_addr_parse(v[0], &p.addr) != LAMP_OK)
        return lamp_csv_fail(at, "not an address");
    if (lamp_text_int(*v[1] ? v[1] : "0", 0, UINT16_MAX, &port) != LAMP_OK)
        return lamp_csv_fail(at, "not a port");
    if (!read_time(v[4], 0, &p.since_us) || !read_time(v[5], UINT64_MAX, &p.until_us))
        return lamp_csv_fail(at, "not a time");
    p.port = (uint16_t)port;
    if (e->n == e->room) {
        const size_t room = e->room ? 2 * e->room : 256;
        struct lamp_endpoint *more = realloc(e->v, room * sizeof(*more));
        if (!more)
            return LAMP_ENOMEM;
        e->v = more;
        e->room = room;
    }
    e->v[e->n++] = p;
    return LAMP_OK;
}

static int by_endpoint(const void *a, const void *b)
{
    const struct lamp_endpoint *x = a, *y = b;
    const int addr = memcmp(x->addr.b, y->addr.b, sizeof(x->addr.b));
    if (addr || x->port != y->port)
        return addr ? addr : x->port - y->port;
    return (x->since_us > y->since_us) - (x->since_us < y->since_us);
}

static int make_index(lamp_endpoints *e)
{
    size_t slots = 8;
    while (slots < 2 * e->n)
        slots *= 2;
    if (e->n)
        qsort(e->v, e->n, sizeof(*e->v), by_endpoint);
    e->mask = slots - 1;
    e->slots = calloc(slots, sizeof(*e->slots));
    if (!e->slots)
        return LAMP_ENOMEM;
    if (getrandom(e->seed, sizeof(e->seed), 0) != sizeof(e->seed))
        return -errno;
    for (size_t k = 0; k < e->n; k++) {
        const struct lamp_endpoint *p = &e->v[k];
        if (k && is_same(p - 1, &p->addr, p->port))
            continue;
        size_t i = (size_t)hash_of(e, &p->addr, p->port) & e->mask;
        while (e->slots[i])
            i = (i + 1) & e->mask;
        e->slots[i] = (uint32_t)k + 1;
    }
    return LAMP_OK;
}

int lamp_endpoints_load(const char *path, lamp_endpoints **out, char *why, size_t size)
{
    const char *slash = strrchr(path, '/');
    const struct lamp_csv_table table = {
        .file = slash ? slash + 1 : path,
        .columns = { "address", "port", "pool", "coin", "since", "until" },
        .limit = LAMP_ENDPOINTS_MAX,
        .add = add,
    };
    char folder[4096] = ".";
    if (slash && snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path) >=
                     (int)sizeof(folder)) {
        snprintf(why, size, "the path is too long");
        return LAMP_EINVAL;
    }
    lamp_endpoints *e = calloc(1, sizeof(*e));
    snprintf(why, size, "out of memory");
    int err = e ? lamp_csv_load(folder, &table, e, &e->text, why, size) : LAMP_ENOMEM;
    if (err == LAMP_OK)
        err = make_index(e);
    if (err) {
        lamp_endpoints_free(e);
        return err;
    }
    *out = e;
    return LAMP_OK;
}

lamp_endpoints *lamp_endpoints_free(lamp_endpoints *e)
{
    if (!e)
        return NULL;
    free(e->v);
    free(e->slots);
    free(e->text);
    free(e);
    return NULL;
}
