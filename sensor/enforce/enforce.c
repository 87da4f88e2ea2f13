/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/enforce.h"

#include "common/io.h"
#include "sensor/enforce/sidesets.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum {
    SECOND_US = 1000 * 1000,
    READ_EVERY_S = 10, /* counters, never list, reconciliation */
    READ_MANY_EVERY_S = 30,
    NAMES_EVERY_US = 10 * SECOND_US,
    STATUS_EVERY_US = 300 * SECOND_US,
    UNPROVED_AGE_S = 600,         /* a restored list whose age the clock denies */
    JUST_OVER_US = 2 * SECOND_US, /* whether the kernel still has an element is not known */
    NAMES_FILE_MAX = 1024 * 1024,
};

/* The bindings of names outlive the process, since programs do not ask DNS again for a while. */
static const char names_file[] = "names";

struct lamp_enforce {
    struct lamp_enforce_cfg cfg;
    char off_flag[PATH_MAX];
    lamp_signedset *set; /* the block list */
    lamp_sidesets *sides;

    struct lamp_never never;
    struct lamp_addr aggregator;
    bool has_aggregator;
    struct lamp_domains domains;
    bool domains_changed; /* not in the file yet */
    bool domains_due;     /* not in the kernel yet */

    /* What is in the kernel. `counted` has, for each id in hand, what elements that are gone or made
     * anew had counted. */
    struct lamp_plan plan;
    struct lamp_set_hits *counted;
    size_t n_counted;
    uint8_t rules[LAMP_NFT_DIGEST]; /* of the chain as we left it */
    struct lamp_never never_in_kernel;
    bool in_kernel;

    enum lamp_set_state state;
    int code;
    char detail[LAMP_NFT_WHY];
    struct lamp_set_head about;
    bool off, changed, names_due;
    uint64_t cap_us;       /* of a restored list; 0: none */
    unsigned confirm_left; /* ticks; 0: nothing waits */
    unsigned read_left;    /* ticks */
    uint64_t status_us, names_us;
    uint64_t repairs, flows_cut;
    struct lamp_set_hits report[LAMP_WIRE_HITS_MAX];
    struct lamp_local_name names[LAMP_WIRE_LOCAL_NAMES_MAX];
};

static bool elapsed(uint64_t now_us, uint64_t since_us, uint64_t span_us)
{
    return since_us == 0 || now_us < since_us || now_us - since_us >= span_us;
}

static enum lamp_enforce_mode mode_of(const lamp_enforce *e)
{
    return e->off ? LAMP_ENFORCE_OFF : e->cfg.mode;
}

static void set_state(lamp_enforce *e, enum lamp_set_state state, int code, const char *detail)
{
    e->state = state;
    e->code = code;
    e->changed = true;
    e->about = (struct lamp_set_head){ .kind = LAMP_SET_BLOCK };
    if (detail != e->detail)
        snprintf(e->detail, sizeof(e->detail), "%s", detail);
}

/* What is in force, in the words of SET_STATUS. */
static void state_in_force(lamp_enforce *e, uint64_t now_us)
{
    if (mode_of(e) == LAMP_ENFORCE_OFF)
        set_state(e, LAMP_SET_OFF, LAMP_OK, e->off ? "panic on this router" : "");
    else if (lamp_signedset_head(e->set).serial == 0)
        set_state(e, LAMP_SET_EMPTY, LAMP_OK, "");
    else if (lamp_signedset_expires_us(e->set) <= now_us)
        set_state(e, LAMP_SET_EXPIRED, LAMP_EEXPIRED, "nobody renewed the list");
    else
        set_state(e, lamp_signedset_is_confirmed(e->set) ? LAMP_SET_CONFIRMED : LAMP_SET_APPLIED,
                  e->plan.code, e->plan.detail);
}

/* ---- what must never be blocked ---- */

/* Builds the never list anew; true if it differs from the one in use. */
static bool refresh_never(lamp_enforce *e)
{
    struct lamp_never fresh = { .n = 0 };
    lamp_never_add_fixed(&fresh);
    for (size_t i = 0; i < e->cfg.n_never; i++)
        lamp_never_add(&fresh, &e->cfg.never[i], "enforce.never");
    size_t n;
    const struct lamp_set_entry *sent = lamp_sidesets_entries(e->sides, LAMP_SET_NEVER, &n);
    for (size_t i = 0; i < n; i++)
        lamp_never_add(&fresh, &sent[i].prefix, "the aggregator's never list");
    if (e->has_aggregator)
        lamp_never_add_addr(&fresh, &e->aggregator, "aggregator");
    (void)lamp_never_add_machine(&fresh,
                                 e->cfg.root); /* a part that cannot be read protects nothing */
    if (lamp_never_same(&fresh, &e->never))
        return false;
    e->never = fresh;
    return true;
}

/* ---- counters ---- */

static int by_id(const void *a, const void *b)
{
    const struct lamp_set_hits *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static struct lamp_set_hits *counted(const lamp_enforce *e, uint64_t id)
{
    const struct lamp_set_hits key = { .id = id };
    return e->n_counted ? bsearch(&key, e->counted, e->n_counted, sizeof(key), by_id) : NULL;
}

/* The ids of the list in hand, with what those that were there before have counted. */
static int adopt_ids(lamp_enforce *e)
{
    size_t n;
    const struct lamp_set_entry *entries = lamp_signedset_entries(e->set, &n);
    struct lamp_set_hits *fresh = calloc(n + 1, sizeof(*fresh));
    if (!fresh)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct lamp_set_hits *old = counted(e, entries[i].id);
        fresh[i] = old ? *old : (struct lamp_set_hits){ .id = entries[i].id };
    }
    qsort(fresh, n, sizeof(*fresh), by_id);
    free(e->counted);
    e->counted = fresh;
    e->n_counted = n;
    return LAMP_OK;
}

/* An element leaves the kernel, or comes back with a counter of zero. */
static void keep_count(lamp_enforce *e, const struct lamp_element *element)
{
    struct lamp_set_hits *h = counted(e, element->id);
    if (!h)
        return;
    h->packets += element->packets;
    h->bytes += element->bytes;
}

/* ---- the kernel ---- */

/* Reads the table. false: it is not as we left it, so it must be made anew. */
static bool read_table(lamp_enforce *e, uint64_t now_us)
{
    char *json;
    struct lamp_nft_seen seen;
    uint64_t before = 0, after = 0;
    if (e->cfg.backend.list(e->cfg.backend.arg, false, &json) != LAMP_OK)
        return false;
    for (size_t i = 0; i < e->plan.n; i++)
        before += e->plan.v[i].packets;
    const int err = lamp_nft_parse(json, &e->never_in_kernel, e->plan.v, e->plan.n, now_us, &seen);
    free(json);
    for (size_t i = 0; i < e->plan.n; i++)
        after += e->plan.v[i].packets;
    e->changed |= after != before;
    return !err && memcmp(e->rules, seen.rules, sizeof(seen.rules)) == 0 && seen.missing == 0 &&
           seen.foreign == 0;
}

/* Notes what the rules look like that we have just written. */
static void note_rules(lamp_enforce *e)
{
    char *json;
    struct lamp_nft_seen seen = { .missing = 0 };
    if (e->cfg.backend.list(e->cfg.backend.arg, true, &json) != LAMP_OK)
        return; /* the next look finds them strange and writes them anew */
    if (lamp_nft_parse(json, &e->never_in_kernel, NULL, 0, 0, &seen) == LAMP_OK)
        memcpy(e->rules, seen.rules, sizeof(seen.rules));
    free(json);
}

static int run(lamp_enforce *e, char *text, char why[LAMP_NFT_WHY])
{
    const int err = e->cfg.backend.apply(e->cfg.backend.arg, text, why);
    free(text);
    return err;
}

/* Makes the table anew: the old one or the new one, and nothing in between. */
static int write_whole(lamp_enforce *e, const struct lamp_plan *plan, uint64_t now_us,
                       char why[LAMP_NFT_WHY])
{
    const struct lamp_nft_table t = { mode_of(e), e->cfg.priority, &e->never, plan->v, plan->n };
    char *text;
    int err = lamp_nft_render(&t, now_us, &text);
    if (!err)
        err = run(e, text, why);
    if (!err)
        for (size_t i = 0; i < e->plan.n; i++)
            keep_count(e, &e->plan.v[i]);
    return err;
}

/* Whether the kernel's element will do for the one that is planned: it ends no later, and has more
 * than half of its life before it. */
static bool will_do(const struct lamp_element *have, const struct lamp_element *want,
                    uint64_t now_us)
{
    return have->id == want->id && have->until_us <= want->until_us && have->until_us > now_us &&
           have->until_us - now_us > (want->until_us - now_us) / 2;
}

struct changes {
    struct lamp_nft_change *v;
    size_t n;
    bool unsure; /* whether the kernel still has what is to be dropped */
};

/* What leads from the plan in force to the next one; both are in order. */
static int find_changes(const lamp_enforce *e, const struct lamp_plan *next, uint64_t now_us,
                        struct changes *out)
{
    struct changes c = { .v = calloc(e->plan.n + next->n + 1, sizeof(*c.v)) };
    if (!c.v)
        return LAMP_ENOMEM;
    size_t i = 0, j = 0;
    while (i < e->plan.n || j < next->n) {
        const struct lamp_element *have = i < e->plan.n ? &e->plan.v[i] : NULL;
        const struct lamp_element *want = j < next->n ? &next->v[j] : NULL;
        const int order = !have ? 1 : !want ? -1 : lamp_element_cmp(have, want);
        i += order <= 0;
        j += order >= 0;
        if (order == 0 && will_do(have, want, now_us))
            continue;
        struct lamp_nft_change *change = &c.v[c.n];
        *change = (struct lamp_nft_change){ order <= 0 ? have : NULL, order >= 0 ? want : NULL };
        if (change->drop && have->until_us + JUST_OVER_US <= now_us)
            change->drop = NULL; /* the kernel has let go of it */
        else if (change->drop && have->until_us <= now_us + JUST_OVER_US)
            c.unsure = true;
        c.n += change->drop || change->add;
    }
    *out = c;
    return LAMP_OK;
}

/* Changes the elements of the table that is there; those that stay keep time and counter. */
static int write_changes(lamp_enforce *e, const struct changes *c, struct lamp_plan *next,
                         uint64_t now_us, char why[LAMP_NFT_WHY])
{
    char *text;
    int err = LAMP_OK;
    if (c->n > 0)
        err = lamp_nft_render_changes(c->v, c->n, now_us, &text);
    if (c->n > 0 && !err)
        err = run(e, text, why);
    if (err)
        return err;
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].drop)
            keep_count(e, c->v[i].drop);
    for (size_t i = 0; i < next->n; i++) {
        struct lamp_element *want = &next->v[i];
        const struct lamp_element *have = lamp_plan_find(&e->plan, want);
        if (have && will_do(have, want, now_us))
            *want = *have;
    }
    return LAMP_OK;
}

/* Ends the connections that elements cover which were not in force before. */
static void cut_flows(lamp_enforce *e, const struct lamp_plan *next)
{
    if (mode_of(e) != LAMP_ENFORCE_ON || !e->cfg.cut.cut)
        return;
    struct lamp_element *fresh = calloc(next->n + 1, sizeof(*fresh));
    lamp_cut_index *index = NULL;
    size_t n = 0, n_cut = 0;
    for (size_t i = 0; fresh && i < next->n; i++)
        if (!e->in_kernel || !lamp_plan_find(&e->plan, &next->v[i]))
            fresh[n++] = next->v[i];
    if (n > 0 && lamp_cut_index_new(fresh, n, &index) == LAMP_OK &&
        e->cfg.cut.cut(e->cfg.cut.arg, index, &n_cut) == LAMP_OK)
        e->flows_cut += n_cut;
    lamp_cut_index_free(index);
    free(fresh);
}

static int make_plan(lamp_enforce *e, uint64_t now_us, struct lamp_plan *out)
{
    struct lamp_plan_in in = {
        .accepted_us = lamp_signedset_accepted_us(e->set),
        .expires_us = lamp_signedset_expires_us(e->set),
        .cap_us = e->cap_us,
        .never = &e->never,
        .domains = &e->domains,
    };
    in.entries = lamp_signedset_entries(e->set, &in.n_entries);
    return lamp_plan_make(&in, now_us, out);
}

/* Brings the kernel in line with the list in hand, in one transaction: with the whole table where
 * that is asked for or more than a quarter changes, else with the elements that change. */
static int bring_in_line(lamp_enforce *e, bool whole, uint64_t now_us, char why[LAMP_NFT_WHY])
{
    struct lamp_plan next;
    struct changes c = { .n = 0 };
    int err = make_plan(e, now_us, &next);
    if (err)
        return err;
    const enum lamp_enforce_mode mode = mode_of(e);
    whole |= !e->in_kernel || mode == LAMP_ENFORCE_OFF;
    if (!whole)
        err = find_changes(e, &next, now_us, &c);
    if (!err && !whole)
        whole = c.unsure || c.n > 64 + (e->plan.n + next.n) / 8 ||
                write_changes(e, &c, &next, now_us, why) != LAMP_OK;
    if (!err && whole)
        err = write_whole(e, &next, now_us, why);
    free(c.v);
    if (err) {
        lamp_plan_done(&next);
        return err;
    }
    cut_flows(e, &next);
    lamp_plan_done(&e->plan);
    e->plan = next;
    e->in_kernel = mode != LAMP_ENFORCE_OFF;
    if (e->in_kernel && whole) {
        e->never_in_kernel = e->never;
        note_rules(e);
    }
    return LAMP_OK;
}

static int apply(lamp_enforce *e, bool whole, uint64_t now_us)
{
    char why[LAMP_NFT_WHY] = "";
    if (e->in_kernel && !read_table(e, now_us))
        whole = true;
    const int err = bring_in_line(e, whole, now_us, why);
    if (err == LAMP_ENOMEM)
        return err; /* the next tick tries again */
    if (err) {
        e->in_kernel = false;
        set_state(e, LAMP_SET_REFUSED, err, why[0] ? why : lamp_strerror(err));
        return err;
    }
    state_in_force(e, now_us);
    return LAMP_OK;
}

/* ---- lists ---- */

static int on_set(lamp_enforce *e, const struct lamp_msg *m, uint64_t now_us)
{
    char detail[LAMP_SIGNEDSET_DETAIL];
    int err;
    if (lamp_sidesets_take(e->sides, m, now_us, &err))
        return err || !refresh_never(e) ? err : apply(e, true, now_us);
    err = lamp_signedset_feed(e->set, m, now_us, detail);
    if (err == LAMP_EAGAIN)
        return LAMP_OK;
    if (err == LAMP_EEXIST) {
        e->changed = true; /* somebody asked: say again what is in force */
        return e->state == LAMP_SET_REFUSED ? apply(e, false, now_us) : LAMP_OK;
    }
    if (err) {
        set_state(e, LAMP_SET_REFUSED, err, detail);
        e->about = lamp_signedset_refused(e->set);
        return err;
    }
    e->cap_us = 0;
    e->names_due = true;
    err = adopt_ids(e);
    const bool whole = refresh_never(e);
    if (!err)
        err = apply(e, whole, now_us);
    /* A list that drops nothing cuts nothing. */
    e->confirm_left = e->cfg.confirm_s;
    if (mode_of(e) != LAMP_ENFORCE_ON) {
        e->confirm_left = 0;
        if (lamp_signedset_confirm(e->set) == LAMP_OK && !err)
            state_in_force(e, now_us);
    }
    return err;
}

static void on_answer(lamp_enforce *e, const struct lamp_set_head *have, uint64_t now_us)
{
    const struct lamp_set_head head = lamp_signedset_head(e->set);
    if (e->confirm_left == 0 || !e->in_kernel || have->epoch != head.epoch ||
        have->serial != head.serial || memcmp(have->digest, head.digest, sizeof(head.digest)) != 0)
        return;
    e->confirm_left = 0;
    const int err = lamp_signedset_confirm(e->set);
    if (e->state == LAMP_SET_APPLIED)
        state_in_force(e, now_us);
    if (err)
        set_state(e, e->state, err, "the list in force could not be kept for a restart");
}

static void roll_back(lamp_enforce *e, uint64_t now_us)
{
    const int err = lamp_signedset_rollback(e->set);
    const struct lamp_set_head about = lamp_signedset_refused(e->set);
    char detail[LAMP_NFT_WHY];
    snprintf(detail, sizeof(detail),
             "with serial %llu in force the aggregator could not be reached for %u s%s",
             (unsigned long long)about.serial, e->cfg.confirm_s,
             err ? "; it could not be noted for a restart" : "");
    e->names_due = true;
    if (adopt_ids(e) == LAMP_OK && apply(e, true, now_us) == LAMP_OK) {
        set_state(e, LAMP_SET_ROLLED_BACK, LAMP_ETIMEOUT, detail);
        e->about = about;
    }
}

/* ---- names ---- */

static bool is_trusted(const lamp_enforce *e, const struct lamp_addr *server)
{
    for (size_t i = 0; i < e->cfg.n_resolvers; i++)
        if (lamp_prefix_has(&e->cfg.resolvers[i], server))
            return true;
    for (size_t i = 0; i < e->never.n; i++)
        if (e->never.v[i].prefix.len == 128 && lamp_addr_eq(&e->never.v[i].prefix.addr, server) &&
            (streq(e->never.v[i].reason, "resolver") || streq(e->never.v[i].reason, "own address")))
            return true;
    return false;
}

/* The longest name of the list that is the name or lies above it; empty: none. So a host that asks
 * for ever new names below one domain fills no table. */
static struct lamp_bytes wanted(const lamp_enforce *e, const struct lamp_local_name *name)
{
    size_t n;
    char text[LAMP_WIRE_SET_NAME_MAX + 1];
    struct lamp_bytes best = { NULL, 0 };
    const struct lamp_set_entry *entries = lamp_signedset_entries(e->set, &n);
    if (name->name.len == 0 || name->name.len >= sizeof(text))
        return best;
    memcpy(text, name->name.data, name->name.len);
    text[name->name.len] = '\0';
    for (size_t i = 0; i < n; i++)
        if (entries[i].name.len > best.len && lamp_domain_covers(entries[i].name, text))
            best = entries[i].name;
    return best;
}

/* The kernel follows with the next tick, so at most once a second. */
static void on_names(lamp_enforce *e, const struct lamp_local_names *m, uint64_t now_us)
{
    for (size_t i = 0; i < m->n_names; i++) {
        const struct lamp_local_name *n = &m->names[i];
        const struct lamp_bytes domain = wanted(e, n);
        if (domain.len > 0 && is_trusted(e, &n->server))
            e->domains_changed |= lamp_domains_add(&e->domains, domain, &n->addr, n->ttl_s, now_us);
        else
            e->domains.refused++;
    }
    e->domains_due |= e->domains_changed;
}

static void keep_domains(lamp_enforce *e)
{
    char path[PATH_MAX];
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/%s", e->cfg.set.dir, names_file);
    if (lamp_domains_write(&e->domains, &text, &len) == LAMP_OK &&
        lamp_io_replace_file(path, text, len, 0600) == LAMP_OK)
        e->domains_changed = false; /* else the next read tries again */
}

static void restore_domains(lamp_enforce *e, uint64_t now_us)
{
    char path[PATH_MAX];
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/%s", e->cfg.set.dir, names_file);
    if (lamp_io_read_file(path, NAMES_FILE_MAX, &text, &len) == LAMP_OK)
        lamp_domains_read(&e->domains, text, now_us);
}

bool lamp_enforce_names(lamp_enforce *e, uint64_t now_us, struct lamp_local_names *out)
{
    size_t n_entries, n = 0;
    const struct lamp_set_entry *entries = lamp_signedset_entries(e->set, &n_entries);
    if (!e->names_due && !elapsed(now_us, e->names_us, NAMES_EVERY_US))
        return false;
    for (size_t i = 0; i < n_entries && n < LAMP_WIRE_LOCAL_NAMES_MAX; i++)
        if (entries[i].name.len > 0)
            e->names[n++] = (struct lamp_local_name){ .name = entries[i].name };
    const bool due = n > 0 || e->names_due;
    e->names_due = false;
    e->names_us = now_us;
    *out = (struct lamp_local_names){ e->names, n };
    return due;
}

/* ---- life ---- */

int lamp_enforce_new(const struct lamp_enforce_cfg *cfg, uint64_t now_us, lamp_enforce **out)
{
    lamp_enforce *e = calloc(1, sizeof(*e));
    if (!e)
        return LAMP_ENOMEM;
    e->cfg = *cfg;
    snprintf(e->off_flag, sizeof(e->off_flag), "%s/%s", cfg->set.dir, LAMP_ENFORCE_OFF_FLAG);
    int restore_err;
    e->cfg.set.kind = LAMP_SET_BLOCK;
    int err = lamp_signedset_open(&e->cfg.set, now_us, &e->set, &restore_err);
    if (!err)
        err = lamp_sidesets_new(&cfg->set, now_us, &e->sides);
    if (!err)
        err = adopt_ids(e);
    if (err)
        goto fail;
    if (now_us + SECOND_US < lamp_signedset_accepted_us(e->set))
        e->cap_us = now_us + (uint64_t)UNPROVED_AGE_S * SECOND_US;
    e->off = access(e->off_flag, F_OK) == 0;
    e->names_due = true;
    restore_domains(e, now_us);
    (void)refresh_never(e);
    err = apply(e, true, now_us);
    if (err == LAMP_ENOMEM)
        goto fail;
    if (!err && restore_err && mode_of(e) != LAMP_ENFORCE_OFF)
        set_state(e, restore_err == LAMP_EEXPIRED ? LAMP_SET_EXPIRED : LAMP_SET_EMPTY, restore_err,
                  "the list kept from before the restart cannot be used");
    *out = e;
    return LAMP_OK;
fail:
    lamp_enforce_free(e);
    return err;
}

lamp_enforce *lamp_enforce_free(lamp_enforce *e)
{
    if (!e)
        return NULL;
    if (e->domains_changed)
        keep_domains(e);
    lamp_signedset_free(e->set);
    lamp_sidesets_free(e->sides);
    lamp_plan_done(&e->plan);
    free(e->counted);
    free(e);
    return NULL;
}

static int on_local_state(lamp_enforce *e, const struct lamp_local_state *s, uint64_t now_us)
{
    e->changed |= s->session_up; /* a new session: the aggregator may not know what is in force */
    if (s->session_up)
        lamp_sidesets_repeat(e->sides);
    if (!s->has_addr)
        return LAMP_OK;
    e->aggregator = s->aggregator_addr;
    e->has_aggregator = true;
    return refresh_never(e) ? apply(e, true, now_us) : LAMP_OK;
}

int lamp_enforce_message(lamp_enforce *e, struct lamp_bytes packed, uint64_t now_us)
{
    struct lamp_msg *m;
    int err = lamp_msg_unpack(packed.data, packed.len, &m);
    if (err)
        return err;
    switch (m->type) {
    case LAMP_MSG_SET_BEGIN:
    case LAMP_MSG_SET_CHUNK:
    case LAMP_MSG_SET_END:
        err = on_set(e, m, now_us);
        break;
    case LAMP_MSG_LOCAL_REPLY:
        lamp_sidesets_holds(e->sides, &m->u.local_reply.head);
        break;
    case LAMP_MSG_LOCAL_STATE:
        err = on_local_state(e, &m->u.local_state, now_us);
        break;
    case LAMP_MSG_LOCAL_ANSWER:
        on_answer(e, &m->u.local_answer.have, now_us);
        break;
    case LAMP_MSG_LOCAL_NAMES:
        on_names(e, &m->u.local_names, now_us);
        break;
    default:
        break;
    }
    lamp_msg_free(m);
    return err;
}

/* The table as the kernel has it against what it should be. */
static void reconcile(lamp_enforce *e, uint64_t now_us)
{
    bool whole = refresh_never(e);
    (void)lamp_domains_expire(&e->domains, now_us);
    if (e->domains_changed)
        keep_domains(e);
    if (mode_of(e) == LAMP_ENFORCE_OFF)
        return;
    if (e->in_kernel && !read_table(e, now_us)) {
        e->repairs++;
        whole = true;
    }
    const enum lamp_set_state state = e->state;
    const struct lamp_set_head about = e->about;
    char why[LAMP_NFT_WHY] = "";
    const bool was_in_kernel = e->in_kernel;
    const int err = bring_in_line(e, whole, now_us, why);
    if (err) {
        e->in_kernel = false;
        set_state(e, LAMP_SET_REFUSED, err, why[0] ? why : lamp_strerror(err));
    } else if (whole || !was_in_kernel) {
        /* What was said of a refused list stays true. */
        if (about.serial == 0 || (state != LAMP_SET_REFUSED && state != LAMP_SET_ROLLED_BACK))
            state_in_force(e, now_us);
        e->changed = true;
    }
}

void lamp_enforce_tick(lamp_enforce *e, uint64_t now_us)
{
    lamp_sidesets_tick(e->sides, now_us);
    const bool off = access(e->off_flag, F_OK) == 0;
    const bool over = lamp_signedset_expires_us(e->set) <= now_us;
    const bool in_force = e->state == LAMP_SET_APPLIED || e->state == LAMP_SET_CONFIRMED;
    /* The second where the clock was set back. */
    if (off != e->off || (in_force && over) || (e->state == LAMP_SET_EXPIRED && !over)) {
        e->off = off;
        (void)apply(e, off || !e->in_kernel, now_us); /* the state says it; next try in 10 s */
    }
    if (e->confirm_left > 0 && mode_of(e) == LAMP_ENFORCE_ON && e->in_kernel &&
        --e->confirm_left == 0)
        roll_back(e, now_us);
    if (e->domains_due) {
        e->domains_due = false;
        e->read_left = 0;
    }
    if (e->read_left > 0) {
        e->read_left--;
        return;
    }
    e->read_left = (e->plan.n > LAMP_ENFORCE_MANY ? READ_MANY_EVERY_S : READ_EVERY_S) - 1;
    reconcile(e, now_us);
}

/* ---- what the aggregator is told ---- */

/* The entries that were hit, at most LAMP_WIRE_HITS_MAX, by id. */
static size_t collect_hits(lamp_enforce *e)
{
    struct lamp_set_hits *all = calloc(e->n_counted + 1, sizeof(*all));
    size_t n = 0;
    if (!all)
        return 0;
    if (e->n_counted)
        memcpy(all, e->counted, e->n_counted * sizeof(*all));
    for (size_t i = 0; i < e->plan.n; i++) {
        const struct lamp_set_hits *h = counted(e, e->plan.v[i].id);
        if (!h)
            continue;
        all[h - e->counted].packets += e->plan.v[i].packets;
        all[h - e->counted].bytes += e->plan.v[i].bytes;
    }
    for (size_t i = 0; i < e->n_counted && n < LAMP_WIRE_HITS_MAX; i++)
        if (all[i].packets > 0)
            e->report[n++] = all[i];
    free(all);
    return n;
}

bool lamp_enforce_status(lamp_enforce *e, uint64_t now_us, struct lamp_set_status *out)
{
    if (!e->changed && !elapsed(now_us, e->status_us, STATUS_EVERY_US)) {
        const bool due = lamp_sidesets_status(e->sides, now_us, out);
        out->mode = mode_of(e);
        return due;
    }
    e->changed = false;
    e->status_us = now_us;
    *out = (struct lamp_set_status){
        .head = lamp_signedset_head(e->set),
        .state = e->state,
        .code = e->code,
        .detail = lamp_bytes_of(e->detail),
        .hits = e->report,
        .n_hits = collect_hits(e),
        .refused_ids = e->plan.refused_ids,
        .n_refused_ids = e->plan.n_refused,
        .mode = mode_of(e),
        .t_us = now_us,
        .about = e->about,
        .elements = (uint32_t)(e->in_kernel ? e->plan.n : 0),
        .repairs = e->repairs,
        .flows_cut = e->flows_cut,
    };
    return true;
}

struct lamp_set_head lamp_enforce_head(const lamp_enforce *e, enum lamp_set_kind kind)
{
    return kind == LAMP_SET_BLOCK ? lamp_signedset_head(e->set)
                                  : lamp_sidesets_head(e->sides, kind);
}

int lamp_enforce_tell(lamp_enforce *e, lamp_signedset_msg_fn *fn, void *arg)
{
    return lamp_sidesets_tell(e->sides, fn, arg);
}

/* ---- panic ---- */

static int flag_path(const char *state_dir, char path[PATH_MAX])
{
    const int n =
        snprintf(path, PATH_MAX, "%s/" LAMP_ENFORCE_DIR "/" LAMP_ENFORCE_OFF_FLAG, state_dir);
    return n >= PATH_MAX ? -ENAMETOOLONG : LAMP_OK;
}

int lamp_enforce_panic(const char *state_dir, char why[LAMP_NFT_WHY])
{
    /* The table first: whatever happens to the flag, traffic flows again at once. */
    const struct lamp_nft_table none = { .mode = LAMP_ENFORCE_OFF };
    struct lamp_nft_backend kernel;
    char *text = NULL;
    int err = lamp_nft_open(&kernel);
    if (err)
        return err;
    err = lamp_nft_render(&none, 0, &text);
    if (!err)
        err = kernel.apply(kernel.arg, text, why);
    free(text);
    lamp_nft_close(&kernel);

    char path[PATH_MAX];
    int flag_err = flag_path(state_dir, path);
    if (!flag_err) {
        char *slash = strrchr(path, '/');
        *slash = '\0';
        flag_err = lamp_io_mkdirs(path, 0755);
        *slash = '/';
    }
    if (!flag_err)
        flag_err = lamp_io_replace_file(path, "panic\n", 6, 0644);
    return err ? err : flag_err;
}

int lamp_enforce_resume(const char *state_dir)
{
    char path[PATH_MAX];
    const int err = flag_path(state_dir, path);
    if (err)
        return err;
    return unlink(path) < 0 && errno != ENOENT ? -errno : LAMP_OK;
}
