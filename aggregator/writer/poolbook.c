/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/poolbook.h"

#include "aggregator/store/write.h"

#include <inttypes.h>
#include <stdio.h>

static bool take_entry(const struct lamp_pool_entry *e, void *arg)
{
    memcpy(arg, e, sizeof(*e));
    return false;
}

static int audit_one(lamp_store *store, const struct lamp_command *c, int64_t id, uint64_t now_us)
{
    static const char *const actions[] = { "add pool entry", "change pool entry",
                                           "delete pool entry", "undo pool entry" };
    struct lamp_pool_entry e = { .id = 0 };
    char object[40], detail[LAMP_POOL_NAME + LAMP_POOL_FQDN + LAMP_POOL_WORD + 16];
    const struct lamp_pool_entry_filter f = { .id = id, .with_deleted = true };
    const int err = lamp_store_pool_entries(store, &f, take_entry, &e);
    if (err)
        return err;
    snprintf(object, sizeof(object), "pool entry %" PRId64, id);
    snprintf(detail, sizeof(detail), "%s %s:%u%s%s", e.pool, e.fqdn, e.port, *e.coin ? " " : "",
             e.coin);
    return lamp_store_audit(store, c->actor, actions[c->edits[0].action], object, detail, now_us);
}

static int audit_import(lamp_store *store, const struct lamp_command *c,
                        const struct lamp_command_result *r, uint64_t now_us)
{
    char detail[120];
    snprintf(detail, sizeof(detail), "%u entries changed, %u as they were, %u refused",
             r->n_changed, r->n_same, r->n_bad);
    return lamp_store_audit(store, c->actor, "import", "pool entries", detail, now_us);
}

static int edit(lamp_store *store, const struct lamp_command *c, uint64_t now_us,
                struct lamp_command_result *r)
{
    for (size_t i = 0; i < c->n_edits; i++) {
        char why[sizeof(r->why) - 40] = "";
        int64_t id = 0;
        bool changed = false;
        const int err = lamp_store_pool_edit(store, &c->edits[i], c->actor, now_us, why,
                                             sizeof(why), &id, &changed);
        if (err == LAMP_ESTORE || err == LAMP_ENOMEM)
            return err;
        if (err && c->n_edits == 1) {
            snprintf(r->why, sizeof(r->why), "%s", why);
            return err;
        }
        if (err && r->n_bad++ == 0)
            snprintf(r->why, sizeof(r->why), "entry %zu: %s", i + 1, why);
        if (!err) {
            r->pool_entry = id;
            r->n_changed += changed;
            r->n_same += !changed;
        }
    }
    if (c->n_edits == 1)
        return r->n_changed ? audit_one(store, c, r->pool_entry, now_us) : LAMP_OK;
    return audit_import(store, c, r, now_us);
}

int lamp_poolbook_command(lamp_store *store, const struct lamp_command *c, uint64_t now_us,
                          struct lamp_command_result *r)
{
    if (c->kind == LAMP_CMD_POOLS)
        return edit(store, c, now_us, r);
    const int err = lamp_store_pool_switch(store, c->pool_switch, c->approve);
    return err ? err
               : lamp_store_audit(store, c->actor, c->approve ? "turn on" : "turn off",
                                  c->pool_switch == LAMP_POOL_PROBE ? "probing of pools"
                                                                    : "resolving of pools",
                                  "", now_us);
}

int lamp_poolbook_finding(lamp_store *store, const struct lamp_finding *f, bool *out_changed)
{
    bool changed = false;
    const int err = f->kind == LAMP_FINDING_RESOLVED
                        ? lamp_store_pool_resolved(store, &f->resolved, f->at_us, &changed)
                        : lamp_store_pool_probed(store, &f->probed, &changed);
    /* A server that is there no more, or a full table, which is counted, is no error of the writer's. */
    if (err && err != LAMP_ENOENT && err != LAMP_EFULL)
        return err;
    if (f->kind == LAMP_FINDING_RESOLVED)
        *out_changed |= changed;
    return LAMP_OK;
}
