/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/importbook.h"

#include "aggregator/store/write.h"

#include <inttypes.h>
#include <stdio.h>

enum { EXPIRE_AT_ONCE = 8 };

int lamp_importbook_open(lamp_store *store, uint64_t now_us)
{
    return lamp_store_imports_interrupted(
        store, "The aggregator was ended before this was done: import it again.", now_us);
}

static int audit(lamp_store *store, const struct lamp_command *c, const char *action, int64_t id,
                 uint64_t now_us)
{
    char object[40];
    snprintf(object, sizeof(object), "import %" PRId64, id);
    return lamp_store_audit(store, c->actor, action, object, c->import.name, now_us);
}

static int add(lamp_store *store, const struct lamp_command *c, uint64_t now_us,
               struct lamp_command_result *r)
{
    struct lamp_import i = c->import;
    i.created_us = now_us;
    snprintf(i.created_by, sizeof(i.created_by), "%s", c->actor);
    const int err = lamp_store_import_add(store, &i);
    r->key_id = i.id;
    return err ? err : audit(store, c, "import", i.id, now_us);
}

static int expire(lamp_store *store, const struct lamp_command *c)
{
    int64_t id;
    int err = LAMP_OK;
    for (unsigned n = 0; n < EXPIRE_AT_ONCE && err == LAMP_OK; n++) {
        err = lamp_store_import_oldest(store, c->import.ended_us, (uint32_t)c->import.files, &id);
        if (err == LAMP_OK)
            err = lamp_store_import_delete(store, id);
    }
    return err == LAMP_ENOENT ? LAMP_OK : err;
}

static int change(lamp_store *store, const struct lamp_command *c, uint64_t now_us)
{
    const struct lamp_import *i = &c->import;
    int err;
    switch (c->import_change) {
    case LAMP_IMPORT_MOVE:
        return lamp_store_import_state(store, i->id, i->state, i->answer, i->error, now_us);
    case LAMP_IMPORT_FOUND:
        return lamp_store_import_rows(store, i->id, c->import_rows);
    case LAMP_IMPORT_CANCEL:
        err = lamp_store_import_state(store, i->id, LAMP_IMPORT_CANCELLED, "", "", now_us);
        return err ? err : audit(store, c, "cancel import", i->id, now_us);
    case LAMP_IMPORT_DELETE:
        err = lamp_store_import_delete(store, i->id);
        return err ? err : audit(store, c, "delete import", i->id, now_us);
    default:
        return expire(store, c);
    }
}

int lamp_importbook_command(lamp_store *store, const struct lamp_command *c, uint64_t now_us,
                            struct lamp_command_result *r)
{
    if (c->import_change == LAMP_IMPORT_ADD)
        return add(store, c, now_us, r);
    const int err = change(store, c, now_us);
    if (err == LAMP_ENOENT)
        snprintf(r->why, sizeof(r->why), "no import has number %" PRId64 "%s", c->import.id,
                 c->import_change == LAMP_IMPORT_CANCEL ? " and is under way" : "");
    return err;
}
