/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/pending.h"

#include <pthread.h>

#define IDLE_US (LAMP_PENDING_IDLE_S * UINT64_C(1000000))

struct lamp_pending {
    pthread_mutex_t lock;
    struct lamp_pending_row rows[LAMP_PENDING_MAX]; /* by id; id 0: free */
    size_t n;
    int64_t last_id;
    uint64_t refused;
};

int lamp_pending_new(lamp_pending **out)
{
    lamp_pending *p = calloc(1, sizeof(*p));
    if (!p)
        return LAMP_ENOMEM;
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return LAMP_OK;
}

lamp_pending *lamp_pending_free(lamp_pending *p)
{
    if (p) {
        pthread_mutex_destroy(&p->lock);
        free(p);
    }
    return NULL;
}

static void remove_at(lamp_pending *p, size_t i)
{
    p->n--;
    memmove(&p->rows[i], &p->rows[i + 1], (p->n - i) * sizeof(p->rows[0]));
}

/* Whether the sources are the same: IPv4 by address, IPv6 by its /64. */
static bool same_source(const struct lamp_addr *a, const struct lamp_addr *b)
{
    return memcmp(a, b, lamp_addr_is_v4(a) ? sizeof(*a) : 8) == 0;
}

/* Makes room for a row of the source; false: there is none. */
static bool make_room(lamp_pending *p, const struct lamp_addr *from, uint64_t now_us)
{
    for (size_t i = p->n; i-- > 0;)
        if (now_us - p->rows[i].last_us > IDLE_US && now_us > p->rows[i].last_us)
            remove_at(p, i);
    size_t of_source = 0;
    for (size_t i = 0; i < p->n; i++)
        of_source += same_source(&p->rows[i].from, from);
    return p->n < LAMP_PENDING_MAX && of_source < LAMP_PENDING_OF_SOURCE;
}

static struct lamp_pending_row *find(lamp_pending *p, const char *key)
{
    for (size_t i = 0; i < p->n; i++)
        if (streq(p->rows[i].key, key))
            return &p->rows[i];
    return NULL;
}

static int ask(lamp_pending *p, const struct lamp_pending_row *row, uint64_t now_us, bool *out_new)
{
    struct lamp_pending_row *r = find(p, row->key);
    *out_new = !r;
    if (!r) {
        if (!make_room(p, &row->from, now_us)) {
            p->refused++;
            return LAMP_EFULL;
        }
        r = &p->rows[p->n++];
        *r = *row;
        r->id = ++p->last_id;
        r->first_us = now_us;
        r->asks = 0;
    }
    memcpy(r->name, row->name, sizeof(r->name));
    memcpy(r->site, row->site, sizeof(r->site));
    memcpy(r->version, row->version, sizeof(r->version));
    r->from = row->from;
    r->last_us = now_us;
    r->asks++;
    return LAMP_OK;
}

int lamp_pending_ask(lamp_pending *p, const struct lamp_pending_row *row, uint64_t now_us,
                     bool *out_new)
{
    pthread_mutex_lock(&p->lock);
    const int err = ask(p, row, now_us, out_new);
    pthread_mutex_unlock(&p->lock);
    return err;
}

int lamp_pending_get(lamp_pending *p, int64_t id, struct lamp_pending_row *out)
{
    int err = LAMP_ENOENT;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n; i++) {
        if (p->rows[i].id == id) {
            *out = p->rows[i];
            err = LAMP_OK;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

void lamp_pending_drop(lamp_pending *p, const char *key)
{
    pthread_mutex_lock(&p->lock);
    const struct lamp_pending_row *r = find(p, key);
    if (r)
        remove_at(p, (size_t)(r - p->rows));
    pthread_mutex_unlock(&p->lock);
}

size_t lamp_pending_copy(lamp_pending *p, struct lamp_pending_row out[LAMP_PENDING_MAX],
                         uint64_t *out_refused)
{
    pthread_mutex_lock(&p->lock);
    const size_t n = p->n;
    memcpy(out, p->rows, n * sizeof(*out));
    *out_refused = p->refused;
    pthread_mutex_unlock(&p->lock);
    return n;
}
