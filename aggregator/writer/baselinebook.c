/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/baselinebook.h"

#include <inttypes.h>
#include <stdio.h>

#define MINUTE_US UINT64_C(60000000)
#define TICK_US (30 * UINT64_C(1000000))
#define LATE_US (2 * MINUTE_US) /* after its end a window is whole */

static bool take_one(const struct lamp_baseline *b, void *arg)
{
    memcpy(arg, b, sizeof(*b));
    return false;
}

/* LAMP_ENOENT. */
static int find(struct lamp_baselinebook *b, int64_t id, struct lamp_baseline *out,
                struct lamp_command_result *r)
{
    *out = (struct lamp_baseline){ .id = 0 };
    const int err =
        lamp_store_baselines(b->store, &(struct lamp_baseline_filter){ .id = id }, take_one, out);
    if (err || (id && out->id == id))
        return err;
    snprintf(r->why, sizeof(r->why), "no baseline has number %" PRId64, id);
    return LAMP_ENOENT;
}

static int audit(struct lamp_baselinebook *b, const struct lamp_command *c,
                 const struct lamp_baseline *v, const char *action, const char *detail,
                 uint64_t now_us)
{
    char object[40], text[LAMP_ADDR_STRLEN + LAMP_NAME_MAX + 300], host[LAMP_ADDR_STRLEN];
    snprintf(object, sizeof(object), "baseline %" PRId64, v->id);
    snprintf(text, sizeof(text), "%s at %s%s%s", lamp_addr_str(&v->host, host), v->site,
             *detail ? ": " : "", detail);
    return lamp_store_audit(b->store, c->actor, action, object, text, now_us);
}

/* ---- drafts ---- */

static bool count(const struct lamp_baseline *b, void *arg)
{
    (void)b;
    ++*(size_t *)arg;
    return true;
}

/* The baseline of a host, made (not yet saved) where there is none. */
static int need(struct lamp_baselinebook *b, const struct lamp_command *c, uint64_t now_us,
                struct lamp_baseline *out, struct lamp_command_result *r)
{
    const struct lamp_baseline *at = &c->baseline.at;
    const struct lamp_baseline_filter same = { .site = at->site, .host = &at->host };
    bool wanted = false;
    size_t n = 0;
    *out = (struct lamp_baseline){ .id = 0 };
    int err = lamp_store_host_wanted(b->store, at->site, &at->host, &wanted);
    if (err == LAMP_OK && !wanted) {
        snprintf(r->why, sizeof(r->why),
                 "no mining of this host is sanctioned: mark it as wanted first");
        return LAMP_EPOLICY;
    }
    if (err == LAMP_OK)
        err = lamp_store_baselines(b->store, &same, take_one, out);
    if (err || out->id)
        return err;
    err = lamp_store_baselines(b->store, &(struct lamp_baseline_filter){ .id = 0 }, count, &n);
    if (err == LAMP_OK && n >= LAMP_BASELINES_MAX) {
        snprintf(r->why, sizeof(r->why), "%d baselines are the most there can be",
                 LAMP_BASELINES_MAX);
        return LAMP_EFULL;
    }
    *out = *at;
    out->id = 0;
    out->version = 0;
    out->created_us = now_us;
    snprintf(out->created_by, sizeof(out->created_by), "%s", c->actor);
    return err;
}

static int put_draft(struct lamp_baselinebook *b, struct lamp_baseline *v,
                     const struct lamp_baseline_body *body, const char *by, uint64_t now_us)
{
    struct lamp_baseline_version draft = { .version = 0, .at_us = now_us };
    snprintf(draft.by, sizeof(draft.by), "%s", by);
    v->learn_from_us = v->learn_to_us = 0;
    const int err = lamp_store_baseline_save(b->store, v);
    return err ? err : lamp_store_baseline_put(b->store, v->id, &draft, body);
}

static int learn_window(struct lamp_baselinebook *b, const struct lamp_baseline *v,
                        uint64_t from_us, uint64_t to_us, struct lamp_baseline_body *out)
{
    const struct lamp_learning l = { v->site, v->host, from_us, to_us, v->by_asn, b->asn, b->arg };
    return lamp_learn(b->store, &l, out);
}

/* A window that is over is learned at once, another when it is. */
static int learn(struct lamp_baselinebook *b, const struct lamp_command *c, uint64_t now_us,
                 struct lamp_command_result *r)
{
    const struct lamp_baseline *at = &c->baseline.at;
    const bool later = at->learn_to_us > now_us;
    struct lamp_baseline v;
    uint64_t kept_us[3] = { 0 };
    int err = need(b, c, now_us, &v, r);
    if (err == LAMP_OK)
        err = lamp_store_kept_us(b->store, kept_us);
    if (err == LAMP_OK && at->learn_from_us < kept_us[LAMP_STEP_MINUTE]) {
        snprintf(r->why, sizeof(r->why), "minutes are not kept for so long: choose a shorter time");
        return LAMP_EPOLICY;
    }
    if (err)
        return err;
    v.by_asn = at->by_asn;
    if (later) {
        v.learn_from_us = at->learn_from_us;
        v.learn_to_us = at->learn_to_us;
        err = lamp_store_baseline_save(b->store, &v);
        if (err == LAMP_OK)
            err = lamp_store_baseline_undraft(b->store, v.id);
        b->due_us = 0;
    } else {
        LAMP_AUTO_FREE struct lamp_baseline_body *body = malloc(sizeof(*body));
        err = body ? learn_window(b, &v, at->learn_from_us, at->learn_to_us, body) : LAMP_ENOMEM;
        if (err == LAMP_EAGAIN) {
            snprintf(r->why, sizeof(r->why),
                     "too little is known of this host in that time: %d minutes are needed",
                     LAMP_BASELINE_MINUTES_LEAST);
            return LAMP_EPOLICY;
        }
        if (err == LAMP_OK)
            err = put_draft(b, &v, body, c->actor, now_us);
    }
    r->key_id = v.id;
    return err ? err : audit(b, c, &v, "learn baseline", "", now_us);
}

static int import(struct lamp_baselinebook *b, const struct lamp_command *c, uint64_t now_us,
                  struct lamp_command_result *r)
{
    struct lamp_baseline v;
    int err = need(b, c, now_us, &v, r);
    if (err == LAMP_OK)
        err = put_draft(b, &v, c->baseline.body, c->actor, now_us);
    r->key_id = v.id;
    return err ? err : audit(b, c, &v, "import baseline", c->reason, now_us);
}

/* ---- versions ---- */

struct covered {
    const struct lamp_baseline_body *body;
    int64_t ids[LAMP_BASELINE_NEWS];
    size_t n;
};

static bool find_covered(const struct lamp_baseline_news *n, void *arg)
{
    struct covered *x = arg;
    for (uint32_t i = 0; i < x->body->n_entries && x->n < LAMP_BASELINE_NEWS; i++) {
        if (lamp_baseline_knows(&x->body->entries[i], &n->at)) {
            x->ids[x->n++] = n->id;
            break;
        }
    }
    return true;
}

/* The body is in force from now on; what it knows is unexpected no longer. */
static int put_in_force(struct lamp_baselinebook *b, struct lamp_baseline *v,
                        const struct lamp_baseline_body *body, const struct lamp_command *c,
                        const char *note, uint64_t now_us)
{
    struct lamp_baseline_version version = { .version = v->version + 1, .at_us = now_us };
    struct covered x = { .body = body };
    snprintf(version.by, sizeof(version.by), "%s", c->actor);
    snprintf(version.note, sizeof(version.note), "%s", note);
    v->version++;
    int err = lamp_store_baseline_put(b->store, v->id, &version, body);
    if (err == LAMP_OK)
        err = lamp_store_baseline_save(b->store, v);
    if (err == LAMP_OK)
        err = lamp_store_baseline_news(b->store, v->id, find_covered, &x);
    for (size_t i = 0; i < x.n && err == LAMP_OK; i++)
        err = lamp_store_baseline_forget(b->store, x.ids[i]);
    return err ? err : lamp_habits_reload(b->habits, v->id, now_us);
}

static int accept(struct lamp_baselinebook *b, const struct lamp_command *c, uint64_t now_us,
                  struct lamp_command_result *r)
{
    struct lamp_baseline v;
    char note[LAMP_BASELINE_NOTE];
    int err = find(b, c->baseline.at.id, &v, r);
    LAMP_AUTO_FREE struct lamp_baseline_body *body = err ? NULL : malloc(sizeof(*body));
    if (err == LAMP_OK)
        err = body ? lamp_store_baseline_body(b->store, v.id, c->baseline.version, body)
                   : LAMP_ENOMEM;
    if (err == LAMP_ENOENT && !*r->why)
        snprintf(r->why, sizeof(r->why),
                 c->baseline.version ? "version %u is not kept" : "there is no draft to accept",
                 c->baseline.version);
    if (err)
        return err;
    if (c->baseline.version)
        snprintf(note, sizeof(note), "version %u again", c->baseline.version);
    else
        snprintf(note, sizeof(note), "%s", *c->reason ? c->reason : "learned");
    err = put_in_force(b, &v, body, c, note, now_us);
    if (err == LAMP_OK && c->baseline.version == 0)
        err = lamp_store_baseline_undraft(b->store, v.id);
    r->key_id = v.id;
    return err ? err : audit(b, c, &v, "accept baseline", note, now_us);
}

/* ---- unexpected destinations ---- */

static int accept_news(struct lamp_baselinebook *b, const struct lamp_command *c,
                       struct lamp_baseline *v, const struct lamp_baseline_news *n,
                       const char *what, uint64_t now_us, struct lamp_command_result *r)
{
    LAMP_AUTO_FREE struct lamp_baseline_body *body = malloc(sizeof(*body));
    char note[LAMP_BASELINE_NOTE];
    const int err =
        body ? lamp_store_baseline_body(b->store, v->id, v->version, body) : LAMP_ENOMEM;
    if (err)
        return err;
    if (body->n_entries == LAMP_BASELINE_ENTRIES) {
        snprintf(r->why, sizeof(r->why), "a baseline has room for %d destinations",
                 LAMP_BASELINE_ENTRIES);
        return LAMP_EFULL;
    }
    body->entries[body->n_entries++] = (struct lamp_baseline_entry){
        .at = n->at,
        .by = lamp_baseline_by_of(&n->at, c->baseline.by_asn),
        .bytes = n->bytes,
        .packets = n->packets,
    };
    snprintf(note, sizeof(note), "accepted %.200s", what);
    return put_in_force(b, v, body, c, note, now_us);
}

static int say(struct lamp_baselinebook *b, const struct lamp_command *c, uint64_t now_us,
               struct lamp_command_result *r)
{
    static const char *const actions[] = { "unwatch destination", "watch destination",
                                           "block destination" };
    struct lamp_baseline_news n;
    struct lamp_baseline v;
    char what[LAMP_ADDR_STRLEN + 160], addr[LAMP_ADDR_STRLEN];
    int err = find(b, c->baseline.at.id, &v, r);
    if (err == LAMP_OK)
        err = lamp_baseline_news_find(b->store, v.id, c->baseline.news_id, &n);
    if (err == LAMP_ENOENT && !*r->why)
        snprintf(r->why, sizeof(r->why), "no unexpected destination has number %" PRId64,
                 c->baseline.news_id);
    if (err)
        return err;
    snprintf(what, sizeof(what), "%s port %u%s%.100s", lamp_addr_str(&n.at.remote, addr), n.at.port,
             *n.at.name ? " " : "", n.at.name);
    r->key_id = v.id;
    if (c->baseline.accept) {
        err = accept_news(b, c, &v, &n, what, now_us, r);
    } else {
        n.say = c->baseline.say;
        snprintf(n.by, sizeof(n.by), "%s", c->actor);
        err = lamp_store_baseline_note(b->store, v.id, &n);
        if (err == LAMP_OK)
            err = lamp_habits_reload(b->habits, v.id, now_us);
    }
    return err ? err
               : audit(b, c, &v,
                       c->baseline.accept ? "accept destination" : actions[c->baseline.say], what,
                       now_us);
}

static int forget(struct lamp_baselinebook *b, const struct lamp_command *c, uint64_t now_us,
                  struct lamp_command_result *r)
{
    struct lamp_baseline v;
    int err = find(b, c->baseline.at.id, &v, r);
    if (err == LAMP_OK)
        err = lamp_store_baseline_remove(b->store, v.id);
    if (err == LAMP_OK)
        err = lamp_habits_reload(b->habits, v.id, now_us);
    return err ? err : audit(b, c, &v, "delete baseline", "", now_us);
}

int lamp_baselinebook_command(struct lamp_baselinebook *b, const struct lamp_command *c,
                              uint64_t now_us, struct lamp_command_result *r)
{
    switch (c->baseline.change) {
    case LAMP_BASELINE_LEARN:
        return learn(b, c, now_us, r);
    case LAMP_BASELINE_IMPORT:
        return import(b, c, now_us, r);
    case LAMP_BASELINE_ACCEPT:
        return accept(b, c, now_us, r);
    case LAMP_BASELINE_SAY:
        return say(b, c, now_us, r);
    case LAMP_BASELINE_DELETE:
        return forget(b, c, now_us, r);
    }
    return LAMP_EINVAL;
}

/* ---- windows that are over ---- */

struct due {
    uint64_t now_us;
    struct lamp_baseline v; /* id 0: none */
};

static bool find_due(const struct lamp_baseline *v, void *arg)
{
    struct due *d = arg;
    if (v->learn_from_us == 0 || d->now_us < v->learn_to_us + LATE_US)
        return true;
    d->v = *v;
    return false;
}

/* One at a time. Of what could not be learned the end of the window stays, as a sign of it. */
int lamp_baselinebook_tick(struct lamp_baselinebook *b, uint64_t now_us)
{
    struct due d = { .now_us = now_us };
    const struct lamp_baseline_filter all = { .id = 0 };
    b->due_us = now_us + TICK_US;
    int err = lamp_store_baselines(b->store, &all, find_due, &d);
    if (err || d.v.id == 0)
        return err;
    LAMP_AUTO_FREE struct lamp_baseline_body *body = malloc(sizeof(*body));
    b->due_us = now_us;
    err = body ? learn_window(b, &d.v, d.v.learn_from_us, d.v.learn_to_us, body) : LAMP_ENOMEM;
    if (err == LAMP_OK)
        return put_draft(b, &d.v, body, d.v.created_by, now_us);
    d.v.learn_from_us = 0;
    return err == LAMP_EAGAIN ? lamp_store_baseline_save(b->store, &d.v) : err;
}
