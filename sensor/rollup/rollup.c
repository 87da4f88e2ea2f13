/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/rollup/rollup.h"

#include "common/min.h"
#include "common/pages.h"
#include "sensor/rollup/apps.h"
#include "sensor/rollup/dns.h"
#include "sensor/rollup/hash.h"
#include "sensor/rollup/names.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

enum {
    MIN_MEMORY = 32 * 1024,
    WAYS = 8,
    OTHERS = 8, /* minutes that may be in work at once */
    PENDING = 32,
};

#define MINUTE_US UINT64_C(60000000)

/* What a row is of; no padding, as it is hashed and compared as bytes. */
struct key {
    struct lamp_addr inside, remote;
    uint32_t minute;
    uint16_t service_port;
    uint8_t ip_proto, app;
};
static_assert(sizeof(struct key) == 40, "a key has no padding");

struct row {
    struct key key;
    uint64_t bytes[2], packets[2]; /* [0] out, [1] in */
    uint32_t flows, name;
};

/* What tells which row of a set a flow belongs to, or gives up, in two cache lines instead of one
 * for each row. Rows are taken in order, so that the first free one is behind all others. */
struct head {
    uint32_t tag[WAYS];  /* of the key's hash; 0: free */
    uint64_t size[WAYS]; /* size_of() the row */
} __attribute__((aligned(128)));

/* Traffic on its way into a row: flows end in swarms, so what a few of them need from memory is asked
 * for together before the first is added. */
struct pending {
    struct row add;
    uint64_t hash, first_us;
    uint32_t name, aim; /* name: the mark's; aim: of lamp_names_aim() */
    bool remote_serves; /* so that its name is the remote's */
};

struct lamp_rollup {
    size_t top;
    struct lamp_prefix *inside;
    size_t n_inside;
    bool private_too;
    lamp_rollup_dns_fn *on_answer;
    void *on_answer_arg;
    lamp_names *names;
    struct head *heads;
    struct row *rows, **sorted; /* both sets * WAYS */
    uint32_t sets;              /* power of two */
    struct row others[OTHERS];
    struct pending pending[PENDING];
    size_t n_pending;
    uint64_t seed[2];
    struct lamp_rollup_counters n;
};

void lamp_rollup_limit(lamp_rollup *r, size_t top)
{
    r->top = top ? top : LAMP_ROLLUP_TOP;
}

int lamp_rollup_new(const struct lamp_rollup_cfg *cfg, lamp_rollup **out)
{
    assert(cfg && out);
    if (cfg->memory_bytes < MIN_MEMORY)
        return LAMP_EINVAL;
    lamp_rollup *r = calloc(1, sizeof(*r));
    if (!r)
        return LAMP_ENOMEM;
    size_t half = cfg->memory_bytes / 2;
    int err = lamp_names_new(half, &r->names);
    if (err != LAMP_OK)
        goto fail;
    err = LAMP_ENOMEM;
    r->private_too = cfg->private_too || !cfg->inside;
    r->on_answer = cfg->on_answer;
    r->on_answer_arg = cfg->on_answer_arg;
    lamp_rollup_limit(r, cfg->top);
    r->sets = lamp_pow2_below(
        half / (sizeof(struct head) + WAYS * (sizeof(struct row) + sizeof(struct row *))));
    r->heads = aligned_alloc(sizeof(struct head), r->sets * sizeof(*r->heads));
    r->rows = lamp_pages_calloc((size_t)r->sets * WAYS, sizeof(*r->rows));
    r->sorted = calloc((size_t)r->sets * WAYS, sizeof(struct row *));
    if (!r->heads || !r->rows || !r->sorted)
        goto fail;
    lamp_pages_want_huge(r->heads, r->sets * sizeof(*r->heads));
    memset(r->heads, 0, r->sets * sizeof(*r->heads));
    if (cfg->inside) {
        r->inside = calloc(cfg->n_inside + 1, sizeof(*r->inside));
        if (!r->inside)
            goto fail;
        memcpy(r->inside, cfg->inside, cfg->n_inside * sizeof(*r->inside));
        r->n_inside = cfg->n_inside;
    }
    if (getrandom(r->seed, sizeof(r->seed), 0) != sizeof(r->seed)) {
        err = -errno;
        goto fail;
    }
    *out = r;
    return LAMP_OK;
fail:
    lamp_rollup_free(r);
    return err;
}

lamp_rollup *lamp_rollup_free(lamp_rollup *r)
{
    if (!r)
        return NULL;
    lamp_names_free(r->names);
    free(r->heads);
    free(r->rows);
    free(r->sorted);
    free(r->inside);
    free(r);
    return NULL;
}

/* -- names --------------------------------------------------------------------------- */

static void settle(lamp_rollup *r);

static void look_dns(lamp_rollup *r, const struct lamp_addr *server, struct lamp_bytes message,
                     uint64_t t_us)
{
    struct lamp_dns d;
    r->n.dns_messages++;
    if (lamp_dns_parse(message, &d) != LAMP_OK) {
        r->n.dns_bad++;
        return;
    }
    if (d.n_addrs == 0)
        return;
    const uint32_t ref = lamp_names_intern(r->names, lamp_bytes_of(d.name), t_us);
    for (size_t i = 0; i < d.n_addrs; i++) {
        lamp_names_bind(r->names, &d.addrs[i].addr, ref, d.addrs[i].ttl_s, t_us);
        if (r->on_answer)
            r->on_answer(d.name, &d.addrs[i].addr, server, d.addrs[i].ttl_s, r->on_answer_arg);
    }
}

void lamp_rollup_look(lamp_rollup *r, uint8_t ip_proto, const struct lamp_addr *server,
                      uint16_t server_port, enum lamp_dir dir, struct lamp_bytes payload,
                      uint64_t t_us, struct lamp_rollup_mark *io)
{
    if (r->n_pending > 0)
        settle(r); /* before the names change */
    const struct lamp_bytes message = lamp_app_dns(ip_proto, server_port, payload);
    if (message.len > 0) {
        if (dir == LAMP_DOWN) /* the answer repeats the question */
            look_dns(r, server, message, t_us);
        return;
    }
    const struct lamp_app_seen seen = lamp_app_look(ip_proto, server_port, dir, payload);
    if (seen.app != LAMP_APP_UNKNOWN && io->app != LAMP_APP_HTTPS)
        io->app = (uint8_t)seen.app;
    if (seen.name.len > 0 && io->name == 0)
        io->name = lamp_names_intern(r->names, seen.name, t_us);
}

const char *lamp_rollup_dns_name(const lamp_rollup *r, const struct lamp_addr *addr, uint64_t at_us)
{
    return lamp_names_text(r->names, lamp_names_of(r->names, addr, at_us));
}

const char *lamp_rollup_mark_name(const lamp_rollup *r, const struct lamp_rollup_mark *mark)
{
    return lamp_names_text(r->names, mark->name);
}

/* -- sums ---------------------------------------------------------------------------- */

static bool is_inside(const lamp_rollup *r, const struct lamp_addr *a)
{
    if (r->private_too && lamp_addr_is_private(a))
        return true;
    for (size_t i = 0; i < r->n_inside; i++)
        if (lamp_prefix_has(&r->inside[i], a))
            return true;
    return false;
}

static void merge(struct row *into, const struct row *from)
{
    for (unsigned i = 0; i < 2; i++) {
        into->bytes[i] += from->bytes[i];
        into->packets[i] += from->packets[i];
    }
    into->flows += from->flows;
    if (from->name)
        into->name = from->name;
}

static bool is_free(const struct row *row)
{
    return row->packets[0] + row->packets[1] == 0;
}

static uint64_t size_of(const struct row *row)
{
    return row->bytes[0] + row->bytes[1];
}

/* The "other" row of the minute; of another one where more minutes are in work than we keep. */
static void merge_other(lamp_rollup *r, const struct row *from)
{
    struct row *o = &r->others[0];
    for (struct row *i = r->others; i < r->others + OTHERS; i++) {
        if (is_free(i)) {
            o = i;
            o->key.minute = from->key.minute;
            break;
        }
        if (i->key.minute == from->key.minute) {
            o = i;
            break;
        }
    }
    merge(o, from);
    o->name = 0;
    r->n.other_flows++;
}

static struct head *head_of(const lamp_rollup *r, uint64_t hash)
{
    return &r->heads[hash & (r->sets - 1)];
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) | 1;
}

/* Adds to the row of its key, or to a new one. */
static void put(lamp_rollup *r, const struct row *add, uint64_t hash)
{
    struct head *head = head_of(r, hash);
    struct row *rows = &r->rows[(size_t)(head - r->heads) * WAYS];
    const uint32_t tag = tag_of(hash);
    unsigned least = 0;
    for (unsigned i = 0; i < WAYS && head->tag[least] != 0; i++) {
        if (head->tag[i] == tag && memcmp(&rows[i].key, &add->key, sizeof(add->key)) == 0) {
            merge(&rows[i], add);
            head->size[i] = size_of(&rows[i]);
            return;
        }
        if (head->tag[i] == 0 || head->size[i] < head->size[least])
            least = i;
    }
    if (head->tag[least] != 0) {
        if (head->size[least] >= size_of(add)) {
            merge_other(r, add);
            return;
        }
        merge_other(r, &rows[least]);
    }
    rows[least] = *add;
    head->tag[least] = tag;
    head->size[least] = size_of(add);
}

/* Has memory begin to fetch the row that put() will most likely want. */
static void fetch_row(const lamp_rollup *r, uint64_t hash)
{
    const struct head *head = head_of(r, hash);
    const uint32_t tag = tag_of(hash);
    unsigned at = 0;
    for (unsigned i = 0; i < WAYS && head->tag[at] != 0 && head->tag[at] != tag; i++)
        if (head->tag[i] == 0 || head->tag[i] == tag || head->size[i] < head->size[at])
            at = i;
    const char *row = (const char *)&r->rows[(size_t)(head - r->heads) * WAYS + at];
    __builtin_prefetch(row, 1);
    __builtin_prefetch(row + sizeof(struct row) - 1, 1);
}

/* Adds what is pending. */
static void settle(lamp_rollup *r)
{
    const struct pending *end = r->pending + r->n_pending;
    for (const struct pending *p = r->pending; p < end; p++)
        fetch_row(r, p->hash);
    for (struct pending *p = r->pending; p < end; p++) {
        if (p->remote_serves)
            p->add.name =
                lamp_names_text(r->names, p->name)[0]
                    ? p->name
                    : lamp_names_of_aimed(r->names, p->aim, &p->add.key.remote, p->first_us);
        put(r, &p->add, p->hash);
    }
    r->n_pending = 0;
}

void lamp_rollup_add(lamp_rollup *r, const struct lamp_rollup_flow *f)
{
    const bool swap = !is_inside(r, f->client) && is_inside(r, f->server);
    struct row add = {
        .key = {
            .inside = swap ? *f->server : *f->client,
            .remote = swap ? *f->client : *f->server,
            .minute = (uint32_t)lamp_min_u64(f->last_us / MINUTE_US, UINT32_MAX),
            .service_port = f->server_port,
            .ip_proto = f->ip_proto,
            .app = f->mark.app ? f->mark.app : (uint8_t)lamp_app_of_port(f->ip_proto, f->server_port),
        },
        .bytes = { f->bytes[swap], f->bytes[!swap] },
        .packets = { f->packets[swap], f->packets[!swap] },
        .flows = f->is_new,
    };
    if (is_free(&add))
        return;
    if (r->n_pending == PENDING)
        settle(r);
    struct pending *p = &r->pending[r->n_pending++];
    *p = (struct pending){
        .add = add,
        .hash = lamp_hash(r->seed, &add.key, sizeof(add.key)),
        .first_us = f->first_us,
        .name = f->mark.name,
        .aim = swap ? 0 : lamp_names_aim(r->names, f->server),
        .remote_serves = !swap,
    };
    const char *head = (const char *)head_of(r, p->hash);
    __builtin_prefetch(head, 1);
    __builtin_prefetch(head + 64, 1);
}

/* -- out ----------------------------------------------------------------------------- */

/* The same order whatever the order of bytes in a number is. */
static int compare_keys(const struct key *a, const struct key *b)
{
    const int c = memcmp(a, b, offsetof(struct key, minute));
    if (c)
        return c;
    if (a->minute != b->minute)
        return a->minute < b->minute ? -1 : 1;
    if (a->service_port != b->service_port)
        return a->service_port < b->service_port ? -1 : 1;
    return a->ip_proto != b->ip_proto ? a->ip_proto - b->ip_proto : a->app - b->app;
}

static int larger_first(const void *a, const void *b)
{
    const struct row *const *x = a, *const *y = b;
    const uint64_t p = size_of(*x), q = size_of(*y);
    return p < q ? 1 : p > q ? -1 : compare_keys(&(*x)->key, &(*y)->key);
}

static void lend(const lamp_rollup *r, const struct row *row, lamp_rollup_fn *fn, void *arg)
{
    const struct lamp_rollup_sum sum = {
        .minute = row->key.minute,
        .inside = row->key.inside,
        .remote = row->key.remote,
        .ip_proto = row->key.ip_proto,
        .service_port = row->key.service_port,
        .application = lamp_app_name(row->key.app),
        .remote_name = lamp_names_text(r->names, row->name),
        .bytes_out = row->bytes[0],
        .bytes_in = row->bytes[1],
        .packets_out = row->packets[0],
        .packets_in = row->packets[1],
        .flows = row->flows,
    };
    fn(&sum, arg);
}

void lamp_rollup_drain(lamp_rollup *r, lamp_rollup_fn *fn, void *arg)
{
    size_t n = 0;
    settle(r);
    for (size_t i = 0; i < (size_t)r->sets * WAYS; i++)
        if (r->heads[i / WAYS].tag[i % WAYS] != 0)
            r->sorted[n++] = &r->rows[i];
    qsort(r->sorted, n, sizeof(struct row *), larger_first);
    for (size_t i = 0; i < n; i++) {
        if (i < r->top)
            lend(r, r->sorted[i], fn, arg);
        else
            merge_other(r, r->sorted[i]);
    }
    for (unsigned i = 0; i < OTHERS; i++)
        if (!is_free(&r->others[i]))
            lend(r, &r->others[i], fn, arg);
    memset(r->heads, 0, r->sets * sizeof(*r->heads));
    memset(r->others, 0, sizeof(r->others));
}

struct lamp_rollup_counters lamp_rollup_counters(const lamp_rollup *r)
{
    struct lamp_rollup_counters n = r->n;
    const struct lamp_names_counters names = lamp_names_counters(r->names);
    n.names_refused = names.refused;
    n.names_evicted = names.evicted;
    return n;
}
