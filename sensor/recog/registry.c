/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/registry.h"

#define LAMP_RECOG(n) extern const struct lamp_recog lamp_recog_##n;
#include "sensor/recog/recog.def"
#undef LAMP_RECOG

static const struct lamp_recog *const all[] = {
#define LAMP_RECOG(n) &lamp_recog_##n,
#include "sensor/recog/recog.def"
#undef LAMP_RECOG
};

/* A method in the table of a recogniser. Those of one name stand together, in the order of
 * recog.def and of the tables. */
struct entry {
    const struct lamp_recog *recog;
    const struct lamp_method *method;
};

struct lamp_registry_run {
    const struct entry *first;
    size_t n;
};

struct lamp_registry {
    struct entry *entries;
    struct lamp_registry_run *slots; /* open addressing by the hash of the name; n 0: free */
    size_t n_slots;                  /* a power of two */
};

const struct lamp_recog *const *lamp_recogs(size_t *out_n)
{
    *out_n = ARRAY_LEN(all);
    return all;
}

/* ---- which tables a method stands in ---- */

static bool is_named(const struct lamp_method *m, struct lamp_bytes name)
{
    return m->name_len == name.len && memcmp(m->name, name.data, name.len) == 0;
}

/* Names differ in their length and at their ends ("mining.notify", "mining.submit"). */
static size_t hash_of(struct lamp_bytes name)
{
    uint64_t h = name.len, word = 0;
    const size_t n = lamp_min(name.len, sizeof(word));
    memcpy(&word, name.data + name.len - n, n);
    h = (h ^ word) * 0xff51afd7ed558ccd;
    return (size_t)(h >> 40);
}

static const struct lamp_registry_run *find_run(const lamp_registry *r, struct lamp_bytes name)
{
    size_t at = hash_of(name) & (r->n_slots - 1);
    while (r->slots[at].n && !is_named(r->slots[at].first->method, name))
        at = (at + 1) & (r->n_slots - 1);
    return &r->slots[at];
}

/* Copies all entries of the name, from that of recogniser number `from` on, to the end of out. */
static size_t gather(struct entry *out, size_t from, struct lamp_bytes name)
{
    size_t n = 0;
    for (size_t i = from; i < ARRAY_LEN(all); i++)
        for (size_t k = 0; k < all[i]->n_methods; k++)
            if (is_named(&all[i]->methods[k], name))
                out[n++] = (struct entry){ all[i], &all[i]->methods[k] };
    return n;
}

int lamp_registry_new(lamp_registry **out)
{
    size_t n = 0, used = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        n += all[i]->n_methods;
    lamp_registry *r = calloc(1, sizeof(*r));
    if (!r)
        return LAMP_ENOMEM;
    for (r->n_slots = 2; r->n_slots < 2 * n;)
        r->n_slots *= 2;
    r->entries = calloc(n + 1, sizeof(*r->entries));
    r->slots = calloc(r->n_slots, sizeof(*r->slots));
    if (!r->entries || !r->slots) {
        lamp_registry_free(r);
        return LAMP_ENOMEM;
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (size_t k = 0; k < all[i]->n_methods; k++) {
            const struct lamp_method *m = &all[i]->methods[k];
            const struct lamp_bytes name = { (const uint8_t *)m->name, m->name_len };
            struct lamp_registry_run *slot = &r->slots[find_run(r, name) - r->slots];
            if (slot->n)
                continue;
            *slot =
                (struct lamp_registry_run){ r->entries + used, gather(r->entries + used, i, name) };
            used += slot->n;
        }
    *out = r;
    return LAMP_OK;
}

lamp_registry *lamp_registry_free(lamp_registry *r)
{
    if (r) {
        free(r->entries);
        free(r->slots);
        free(r);
    }
    return NULL;
}

size_t lamp_registry_memory(void)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        n += all[i]->n_methods;
    return sizeof(lamp_registry) + (n + 1) * sizeof(struct entry) +
           4 * n * sizeof(struct lamp_registry_run);
}

/* ---- reading a line ---- */

struct lamp_saying lamp_saying_of(const lamp_registry *r, const struct lamp_jsonline *line)
{
    static const struct lamp_registry_run none = { NULL, 0 };
    struct lamp_saying s = { .line = line, .run = &none };
    const struct lamp_bytes method = lamp_jsonline_string(lamp_jsonline_top(line, "method"));
    s.params = lamp_jsonline_top(line, "params");
    if (!s.params)
        s.params = lamp_jsonline_top(line, "body");
    /* with none of these it is no message but, say, a log entry about one */
    if (method.len && (s.params || lamp_jsonline_top(line, "id")))
        s.run = find_run(r, method);
    if (!s.params)
        s.params = &line->v[0];
    return s;
}

static bool fits(const struct lamp_method *m, const struct lamp_saying *s)
{
    return (!m->shape || lamp_has_shape(s->line, s->params, m->shape)) &&
           (!m->fits || m->fits(s->line, s->params));
}

/* The first entry of the recogniser that fits; NULL: none. */
static const struct lamp_method *method_of(const struct lamp_recog *r, struct lamp_saying *s)
{
    if (s->asked == r)
        return s->found;
    s->asked = r;
    s->found = NULL;
    for (size_t i = 0; i < s->run->n && !s->found; i++) {
        const struct entry *e = &s->run->first[i];
        if (e->recog == r && fits(e->method, s))
            s->found = e->method;
    }
    return s->found;
}

static struct lamp_finding judge_alone(const struct lamp_recog *r, struct lamp_saying *s)
{
    const struct lamp_method *m = method_of(r, s);
    if (m)
        return m->is;
    return r->judge ? r->judge(s->line) : (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

struct lamp_finding lamp_saying_judge(struct lamp_saying *s, const struct lamp_recog *r)
{
    struct lamp_finding f = { .grade = LAMP_GRADE_NONE };
    for (; r && f.grade == LAMP_GRADE_NONE; r = r->base)
        f = judge_alone(r, s);
    return f;
}

/* The best so far. */
struct choice {
    const struct lamp_recog *recog;
    struct lamp_finding finding;
};

static void consider(struct choice *best, const struct lamp_saying *s, const struct lamp_recog *r,
                     const struct lamp_finding *f)
{
    if (s->line->in_http && !r->http && f->grade < LAMP_GRADE_CERTAIN)
        return; /* everyday words of a line protocol, in a protocol that is none */
    const struct lamp_finding *b = &best->finding;
    const bool outranks =
        best->recog && best->recog->wallet && !r->wallet && f->grade >= LAMP_GRADE_STRONG;
    if (outranks || f->grade > b->grade ||
        (f->grade != LAMP_GRADE_NONE && f->grade == b->grade && f->firm > b->firm))
        *best = (struct choice){ r, *f };
}

const struct lamp_recog *lamp_saying_best(const struct lamp_saying *s, bool wallets,
                                          struct lamp_finding *out)
{
    struct choice best = { .recog = NULL };
    for (int listed = 0; listed < 3; listed++) {
        for (size_t i = 0; listed != 1 && i < ARRAY_LEN(all); i++) {
            const struct lamp_recog *r = all[i];
            /* first those that know no methods; last the others, for lines that have none */
            if (!r->judge || (r->n_methods > 0) != (listed == 2) || (r->wallet && !wallets))
                continue;
            const struct lamp_finding f = r->judge(s->line);
            consider(&best, s, r, &f);
        }
        for (size_t i = 0; listed == 1 && i < s->run->n; i++) {
            const struct entry *e = &s->run->first[i];
            if (fits(e->method, s))
                consider(&best, s, e->recog, &e->method->is);
        }
        if (listed == 1 && best.recog && !best.recog->wallet)
            break;
    }
    *out = best.finding;
    return best.recog;
}

struct lamp_finding lamp_saying_take(struct lamp_saying *s, const struct lamp_recog *r,
                                     struct lamp_session *session, enum lamp_dir dir)
{
    bool is_listed = false;
    for (const struct lamp_recog *a = r; a; a = a->base) {
        const struct lamp_method *m = method_of(a, s);
        is_listed |= m != NULL;
        if (!m || !m->take || m->is.dir != dir)
            continue;
        m->take(session, s->line, s->params);
        return (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
    }
    while (r && (is_listed || !r->follow))
        r = r->base;
    return r ? r->follow(session, s->line, dir) : (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

enum lamp_probe lamp_recog_probe(const lamp_registry *registry, const struct lamp_recog *r,
                                 struct lamp_bytes prefix, struct lamp_hit *out_hit)
{
    struct lamp_jsonsplit split = { 0 };
    struct lamp_jsonline line;
    line.in_http = false;
    size_t begin = 0;
    unsigned lines = 0;
    for (size_t i = 0; i < prefix.len; i++) {
        switch (lamp_jsonsplit_byte(&split, prefix.data[i])) {
        case LAMP_SPLIT_BROKEN:
            return LAMP_NO_MATCH;
        case LAMP_SPLIT_BEGIN:
            begin = i;
            break;
        case LAMP_SPLIT_INSIDE:
            if (i - begin >= LAMP_JSONLINE_MAX)
                return LAMP_NO_MATCH;
            break;
        case LAMP_SPLIT_END: {
            const struct lamp_bytes text = { prefix.data + begin, i + 1 - begin };
            lines++;
            if (lamp_jsonline_parse(text, &line) != LAMP_OK)
                return LAMP_NO_MATCH;
            struct lamp_saying saying = lamp_saying_of(registry, &line);
            const struct lamp_finding f = lamp_saying_judge(&saying, r);
            if (f.grade == LAMP_GRADE_CERTAIN) {
                *out_hit = (struct lamp_hit){ f, lines };
                return LAMP_MATCH;
            }
            if (lines == LAMP_PROBE_LINES)
                return LAMP_NO_MATCH;
            break;
        }
        default:
            break;
        }
    }
    return LAMP_NEED_MORE;
}
