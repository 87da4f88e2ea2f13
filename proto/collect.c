/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/collect.h"

static int begin(struct lamp_collect *c, const struct lamp_set_begin *m)
{
    if (m->chunks > LAMP_WIRE_SET_CHUNKS_MAX)
        return LAMP_EFULL;
    c->begin = *m;
    c->is_open = true;
    return LAMP_EAGAIN;
}

static bool belongs(const struct lamp_collect *c, const struct lamp_nonce *nonce)
{
    return c->is_open && memcmp(&c->begin.nonce, nonce, sizeof(*nonce)) == 0;
}

static int chunk(struct lamp_collect *c, const struct lamp_set_chunk *m)
{
    if (!belongs(c, &m->nonce) || m->index != c->next_chunk || m->index >= c->begin.chunks)
        return LAMP_EPROTO;
    if (c->n_entries + m->n_entries > LAMP_WIRE_SET_ENTRIES_MAX)
        return LAMP_EFULL;
    const int err = lamp_set_copy(m->entries, m->n_entries, &c->chunks[m->index]);
    if (err)
        return err;
    c->n_entries += m->n_entries;
    c->next_chunk++;
    return LAMP_EAGAIN;
}

static int end(const struct lamp_collect *c, const struct lamp_set_end *m, struct lamp_set *out)
{
    if (!belongs(c, &m->nonce))
        return LAMP_EPROTO;
    if (c->next_chunk != c->begin.chunks)
        return LAMP_ETRUNC;
    struct lamp_set_entry *all = calloc(c->n_entries + 1, sizeof(*all));
    if (!all)
        return LAMP_ENOMEM;
    size_t n = 0;
    for (uint32_t i = 0; i < c->next_chunk; i++)
        for (size_t k = 0; k < c->chunks[i].n; k++)
            all[n++] = c->chunks[i].entries[k];
    const int err = lamp_set_copy(all, n, out);
    free(all);
    return err;
}

int lamp_collect_feed(struct lamp_collect *c, const struct lamp_msg *m, struct lamp_set *out)
{
    int err = LAMP_EINVAL;
    if (m->type == LAMP_MSG_SET_BEGIN) {
        lamp_collect_done(c);
        err = begin(c, &m->u.set_begin);
    } else if (m->type == LAMP_MSG_SET_CHUNK) {
        err = chunk(c, &m->u.set_chunk);
    } else if (m->type == LAMP_MSG_SET_END) {
        err = end(c, &m->u.set_end, out);
    }
    if (err != LAMP_EAGAIN)
        lamp_collect_done(c);
    return err;
}

void lamp_collect_done(struct lamp_collect *c)
{
    for (uint32_t i = 0; i < c->next_chunk; i++)
        lamp_set_done(&c->chunks[i]);
    c->is_open = false;
    c->next_chunk = 0;
    c->n_entries = 0;
}

int lamp_collect_send(const struct lamp_set_begin *begin, const struct lamp_set *set,
                      lamp_collect_send_fn *fn, void *arg)
{
    const size_t each = LAMP_WIRE_SET_CHUNK_ENTRIES_MAX;
    struct lamp_msg m = { .type = LAMP_MSG_SET_BEGIN, .u.set_begin = *begin };
    m.u.set_begin.chunks = (uint32_t)((set->n + each - 1) / each);
    int err = fn(&m, arg);
    for (size_t from = 0; from < set->n && err == LAMP_OK; from += each) {
        m = (struct lamp_msg){ .type = LAMP_MSG_SET_CHUNK };
        m.u.set_chunk =
            (struct lamp_set_chunk){ begin->nonce, (uint32_t)(from / each), set->entries + from,
                                     lamp_min(each, set->n - from) };
        err = fn(&m, arg);
    }
    return err;
}
