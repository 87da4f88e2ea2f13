/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/sets.h"

#include "proto/collect.h"

#include <sodium.h>
#include <stdio.h>

/* The way back from a serial to the one before it. */
struct step {
    uint64_t from_serial; /* the serial before */
    uint8_t from_digest[LAMP_WIRE_DIGEST_LEN];
    struct lamp_set back; /* changes that lead there */
};

struct list {
    const struct lamp_set_source *source;
    char site[LAMP_NAME_MAX];    /* "": for all */
    struct lamp_store_list head; /* serial 0: none published */
    uint64_t renew_us;
    bool dirty;
    bool is_published; /* `set` is what the head is of; not so where a restart came between */
    struct lamp_set set;
    struct step steps[LAMP_SETS_HISTORY]; /* newest first */
    size_t n_steps, n_changes;
};

struct lamp_sets {
    struct lamp_sets_cfg cfg;
    uint64_t epoch;
    struct list **lists;
    size_t n;
};

/* ---- lists ---- */

static void forget_steps(struct list *l, size_t keep)
{
    while (l->n_steps > keep) {
        struct step *last = &l->steps[--l->n_steps];
        l->n_changes -= last->back.n;
        lamp_set_done(&last->back);
    }
}

static struct list *list_free(struct list *l)
{
    if (!l)
        return NULL;
    forget_steps(l, 0);
    lamp_set_done(&l->set);
    free(l);
    return NULL;
}

static struct list *find(const lamp_sets *s, enum lamp_set_kind kind, const char *site)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->lists[i]->source->kind == kind &&
            streq(s->lists[i]->site, s->lists[i]->source->per_site ? site : ""))
            return s->lists[i];
    return NULL;
}

static uint64_t half_life_us(const lamp_sets *s)
{
    return s->cfg.ttl_s * UINT64_C(500000);
}

/* One of the steps in the database; false: those before it are of no use either. */
static bool load_step(const struct lamp_store_set_step *x, void *arg)
{
    struct list *l = arg;
    struct step *step = &l->steps[l->n_steps];
    struct lamp_msg *m;
    if (l->n_steps == LAMP_SETS_HISTORY ||
        lamp_msg_unpack(x->changes.data, x->changes.len, &m) != LAMP_OK)
        return false;
    const struct lamp_set_chunk *c = &m->u.set_chunk;
    const bool good = m->type == LAMP_MSG_SET_CHUNK &&
                      l->n_changes + c->n_entries <= LAMP_SETS_CHANGES &&
                      lamp_set_copy(c->entries, c->n_entries, &step->back) == LAMP_OK;
    lamp_msg_free(m);
    if (!good)
        return false;
    step->from_serial = x->from_serial;
    memcpy(step->from_digest, x->from_digest, sizeof(step->from_digest));
    l->n_changes += step->back.n;
    l->n_steps++;
    return true;
}

/* What was published before a restart goes on, with its history, if it is still the same list. */
static int restore(const lamp_sets *s, struct list *l, uint64_t now_us)
{
    uint8_t digest[LAMP_WIRE_DIGEST_LEN] = { 0 };
    int err = lamp_store_list(s->cfg.store, l->source->kind, l->site, &l->head);
    if (err == LAMP_ENOENT)
        err = LAMP_OK;
    if (!err)
        err = l->source->build(l->source->arg, l->site, now_us, &l->set);
    if (!err)
        err = lamp_set_digest(l->set.entries, l->set.n, digest);
    l->is_published = l->head.serial > 0 && memcmp(digest, l->head.digest, sizeof(digest)) == 0;
    l->dirty = !l->is_published;
    l->renew_us = l->head.expires_us > half_life_us(s) ? l->head.expires_us - half_life_us(s) : 0;
    if (!err && l->is_published)
        err = lamp_store_set_steps(s->cfg.store, l->source->kind, l->site, load_step, l);
    return err;
}

static int add_list(lamp_sets *s, const struct lamp_set_source *source, const char *site,
                    uint64_t now_us)
{
    if (find(s, source->kind, site))
        return LAMP_OK;
    struct list **lists = realloc(s->lists, (s->n + 1) * sizeof(*lists));
    if (!lists)
        return LAMP_ENOMEM;
    s->lists = lists;
    struct list *l = calloc(1, sizeof(*l));
    if (!l)
        return LAMP_ENOMEM;
    l->source = source;
    snprintf(l->site, sizeof(l->site), "%s", site);
    const int err = restore(s, l, now_us);
    if (err) {
        list_free(l);
        return err;
    }
    s->lists[s->n++] = l;
    return LAMP_OK;
}

/* The lists that are for all (site ""), or those of a site. */
static int add_lists(lamp_sets *s, const char *site, uint64_t now_us)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < s->cfg.n_sources && !err; i++)
        if (s->cfg.sources[i].per_site == (*site != '\0'))
            err = add_list(s, &s->cfg.sources[i], site, now_us);
    return err;
}

int lamp_sets_open(const struct lamp_sets_cfg *cfg, uint64_t now_us, lamp_sets **out)
{
    lamp_sets *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->cfg = *cfg;
    int err = lamp_store_epoch(cfg->store, &s->epoch);
    if (!err)
        err = add_lists(s, "", now_us);
    if (err) {
        lamp_sets_close(s);
        return err;
    }
    *out = s;
    return LAMP_OK;
}

lamp_sets *lamp_sets_close(lamp_sets *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->n; i++)
        list_free(s->lists[i]);
    free(s->lists);
    free(s);
    return NULL;
}

int lamp_sets_site(lamp_sets *s, const char *site, uint64_t now_us)
{
    return add_lists(s, site, now_us);
}

void lamp_sets_mark(lamp_sets *s, enum lamp_set_kind kind, const char *site)
{
    for (size_t i = 0; i < s->n; i++)
        s->lists[i]->dirty |=
            s->lists[i]->source->kind == kind && (*site == '\0' || streq(s->lists[i]->site, site));
}

/* ---- publishing ---- */

/* The steps as they are now, so that a restart goes on with them. One that is too long for a message
 * is not kept, nor are those before it. */
static int save_steps(const lamp_sets *s, const struct list *l)
{
    const enum lamp_set_kind kind = l->source->kind;
    const struct step *newest = l->n_steps > 0 ? &l->steps[0] : NULL;
    const bool is_kept = newest && newest->back.n <= LAMP_WIRE_SET_CHUNK_ENTRIES_MAX;
    const uint64_t oldest = is_kept ? l->steps[l->n_steps - 1].from_serial : INT64_MAX;
    int err = lamp_store_set_steps_forget(s->cfg.store, kind, l->site, oldest);
    if (err || !is_kept)
        return err;
    struct lamp_msg m = { .type = LAMP_MSG_SET_CHUNK };
    m.u.set_chunk.entries = newest->back.entries;
    m.u.set_chunk.n_entries = newest->back.n;
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len = 0;
    err = lamp_msg_pack(&m, &packed, &len);
    struct lamp_store_set_step x = { .from_serial = newest->from_serial,
                                     .changes = { packed, len } };
    memcpy(x.from_digest, newest->from_digest, sizeof(x.from_digest));
    return err ? err : lamp_store_set_step_put(s->cfg.store, kind, l->site, &x);
}

/* Notes how to get back from the new set to the one published; nothing is lost but deltas where
 * that cannot be kept. */
static void keep_step(struct list *l, const struct lamp_set *new)
{
    struct step step = { .from_serial = l->head.serial };
    memcpy(step.from_digest, l->head.digest, sizeof(step.from_digest));
    if (!l->is_published || lamp_set_diff(new, &l->set, &step.back) != LAMP_OK ||
        step.back.n > LAMP_SETS_CHANGES) {
        lamp_set_done(&step.back);
        forget_steps(l, 0);
        return;
    }
    forget_steps(l, LAMP_SETS_HISTORY - 1);
    while (l->n_steps > 0 && l->n_changes + step.back.n > LAMP_SETS_CHANGES)
        forget_steps(l, l->n_steps - 1);
    memmove(l->steps + 1, l->steps, l->n_steps * sizeof(*l->steps));
    l->steps[0] = step;
    l->n_steps++;
    l->n_changes += step.back.n;
}

static int renew(lamp_sets *s, struct list *l, uint64_t serial, uint64_t now_us)
{
    struct lamp_set set = { NULL, 0, NULL };
    struct lamp_store_list head = { .serial = serial, .expires_us = now_us + 2 * half_life_us(s) };
    int err = l->source->build(l->source->arg, l->site, now_us, &set);
    if (!err)
        err = lamp_set_digest(set.entries, set.n, head.digest);
    if (!err)
        err = lamp_store_list_put(s->cfg.store, l->source->kind, l->site, &head, (uint32_t)set.n,
                                  now_us);
    if (err) {
        lamp_set_done(&set);
        return err;
    }
    keep_step(l, &set);
    lamp_set_done(&l->set);
    l->set = set;
    l->head = head;
    l->renew_us = now_us + half_life_us(s);
    l->is_published = true;
    l->dirty = false;
    return save_steps(s, l);
}

static struct lamp_set_head head_of(const lamp_sets *s, const struct list *l)
{
    struct lamp_set_head h = { l->source->kind, s->epoch, l->head.serial, { 0 } };
    memcpy(h.digest, l->head.digest, sizeof(h.digest));
    return h;
}

/* When a list is to be made anew. A time further off than one life of a list comes from
 * before the clock was set back: sensors count on, so the list is due at once. */
static uint64_t renewal_us(const lamp_sets *s, const struct list *l, uint64_t now_us)
{
    const bool clock_was_set = l->renew_us > now_us + 2 * half_life_us(s);
    return l->dirty || clock_was_set ? 0 : l->renew_us;
}

/* Lists of one kind that are made together have one serial. */
static int publish_kind(lamp_sets *s, const struct lamp_set_source *source, uint64_t *io_serial,
                        uint64_t now_us, lamp_sets_fn *fn, void *arg)
{
    const uint64_t serial = *io_serial + 1;
    for (size_t i = 0; i < s->n; i++) {
        struct list *l = s->lists[i];
        if (l->source != source || renewal_us(s, l, now_us) > now_us)
            continue;
        const int err = renew(s, l, serial, now_us);
        if (err)
            return err;
        const struct lamp_set_head head = head_of(s, l);
        *io_serial = serial;
        fn(l->site, &head, arg);
    }
    return LAMP_OK;
}

int lamp_sets_publish(lamp_sets *s, uint64_t now_us, lamp_sets_fn *fn, void *arg)
{
    uint64_t serial = 0;
    int err = lamp_store_serial(s->cfg.store, &serial);
    for (size_t i = 0; i < s->cfg.n_sources && !err; i++)
        err = publish_kind(s, &s->cfg.sources[i], &serial, now_us, fn, arg);
    return err;
}

uint64_t lamp_sets_due_us(const lamp_sets *s, uint64_t now_us)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < s->n; i++) {
        const uint64_t t = renewal_us(s, s->lists[i], now_us);
        if (t < due)
            due = t;
    }
    return due;
}

int lamp_sets_head(const lamp_sets *s, enum lamp_set_kind kind, const char *site,
                   struct lamp_set_head *out)
{
    const struct list *l = find(s, kind, site);
    if (!l || !l->is_published)
        return LAMP_ENOENT;
    *out = head_of(s, l);
    return LAMP_OK;
}

/* ---- the answer to a query ---- */

/* How many steps back the set lies that the sensor has; n_steps: out of reach. */
static size_t steps_back(const lamp_sets *s, const struct list *l, const struct lamp_set_head *have)
{
    size_t i = 0;
    while (i < l->n_steps &&
           (have->epoch != s->epoch || have->serial != l->steps[i].from_serial ||
            memcmp(have->digest, l->steps[i].from_digest, sizeof(have->digest)) != 0))
        i++;
    return i;
}

/* What leads from the set some steps back to the newest one. */
static int changes_since(const struct list *l, size_t back, struct lamp_set *out)
{
    struct lamp_set at;
    int err = lamp_set_copy(l->set.entries, l->set.n, &at);
    for (size_t i = 0; i <= back && !err; i++) {
        struct lamp_set before;
        err = lamp_set_patch(&at, l->steps[i].back.entries, l->steps[i].back.n, &before);
        lamp_set_done(&at);
        if (!err)
            at = before;
    }
    if (err)
        return err;
    /* A REMOVE undone is an ADD, so the set before is one of ADDs as it was. */
    err = lamp_set_diff(&at, &l->set, out);
    lamp_set_done(&at);
    return err;
}

static int send_end(const lamp_sets *s, const struct list *l, const char *site,
                    const struct lamp_nonce *nonce, lamp_sets_send_fn *fn, void *arg)
{
    struct lamp_set_manifest manifest = {
        .site = lamp_bytes_of(site),
        .kind = l->source->kind,
        .epoch = s->epoch,
        .serial = l->head.serial,
        .expires_us = l->head.expires_us,
        .count = (uint32_t)l->set.n,
    };
    memcpy(manifest.digest, l->head.digest, sizeof(manifest.digest));
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len = 0;
    const int err = lamp_set_manifest_pack(&manifest, &packed, &len);
    if (err != LAMP_OK)
        return err;
    struct lamp_msg m = { .type = LAMP_MSG_SET_END };
    m.u.set_end.nonce = *nonce;
    m.u.set_end.manifest = (struct lamp_bytes){ packed, len };
    crypto_sign_detached(m.u.set_end.signature, NULL, packed, len, s->cfg.keys->list_secret);
    return fn(&m, arg);
}

int lamp_sets_answer(const lamp_sets *s, const char *site, const struct lamp_set_query *query,
                     lamp_sets_send_fn *fn, void *arg)
{
    const struct list *l = find(s, query->have.kind, site);
    if (!l || !l->is_published)
        return LAMP_ENOENT;
    struct lamp_set_begin begin = { .nonce = query->nonce,
                                    .kind = l->source->kind,
                                    .mode = LAMP_SET_FULL };
    struct lamp_set changes = { NULL, 0, NULL };
    const size_t back = query->have.serial > 0 ? steps_back(s, l, &query->have) : l->n_steps;
    if (back < l->n_steps) {
        const int err = changes_since(l, back, &changes);
        if (err)
            return err;
        begin.mode = changes.n <= l->set.n ? LAMP_SET_DELTA : LAMP_SET_FULL;
        begin.base_serial = begin.mode == LAMP_SET_DELTA ? query->have.serial : 0;
    }
    int err = lamp_collect_send(&begin, begin.mode == LAMP_SET_DELTA ? &changes : &l->set, fn, arg);
    lamp_set_done(&changes);
    return err ? err : send_end(s, l, site, &query->nonce, fn, arg);
}
