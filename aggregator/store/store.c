/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/store.h"

#include "aggregator/store/backend.h"

#include <stdio.h>

/* The second argument of a line is for CMake. */
#define LAMP_STORE(name, package) extern const struct lamp_store_ops lamp_store_backend_##name;
#include "aggregator/store/store.def"
#undef LAMP_STORE

static const struct lamp_store_ops *const backends[] = {
#define LAMP_STORE(name, package) &lamp_store_backend_##name,
#include "aggregator/store/store.def"
#undef LAMP_STORE
};

const struct lamp_store_ops *const *lamp_store_backends(size_t *out_n)
{
    *out_n = ARRAY_LEN(backends);
    return backends;
}

static const struct lamp_store_ops *find(const char *backend, char why[LAMP_STORE_WHY])
{
    for (size_t i = 0; i < ARRAY_LEN(backends); i++)
        if (streq(backends[i]->name, backend))
            return backends[i];
    snprintf(why, LAMP_STORE_WHY, "no store is called \"%s\"", backend);
    return NULL;
}

int lamp_store_open(const char *backend, const char *where, bool read_only, lamp_store **out,
                    char why[LAMP_STORE_WHY])
{
    const struct lamp_store_ops *ops = find(backend, why);
    return ops ? ops->open(where, read_only, out, why) : LAMP_ENOENT;
}

int lamp_store_check(const char *backend, const char *where, uint32_t limit_ms,
                     enum lamp_store_health *out, char why[LAMP_STORE_WHY])
{
    const struct lamp_store_ops *ops = find(backend, why);
    return ops ? ops->safety->check(where, limit_ms, out, why) : LAMP_ENOENT;
}

int lamp_store_backup(const char *backend, const char *where, const char *file,
                      lamp_store_going_fn *going, void *arg, char why[LAMP_STORE_WHY])
{
    const struct lamp_store_ops *ops = find(backend, why);
    return ops ? ops->safety->backup(where, file, going, arg, why) : LAMP_ENOENT;
}

int lamp_store_restore(const char *backend, const char *where, const char *file, uint64_t now_us,
                       struct lamp_restored *out, char why[LAMP_STORE_WHY])
{
    const struct lamp_store_ops *ops = find(backend, why);
    return ops ? ops->safety->restore(where, file, now_us, out, why) : LAMP_ENOENT;
}

int lamp_store_set_aside(const char *backend, const char *where, uint64_t now_us,
                         char kept[LAMP_STORE_PATH], char why[LAMP_STORE_WHY])
{
    const struct lamp_store_ops *ops = find(backend, why);
    return ops ? ops->safety->set_aside(where, now_us, kept, why) : LAMP_ENOENT;
}

lamp_store *lamp_store_close(lamp_store *s)
{
    if (s)
        s->ops->close(s);
    return NULL;
}

const char *lamp_store_why(const lamp_store *s)
{
    return s->why;
}

void lamp_store_rollback(lamp_store *s)
{
    s->ops->rollback(s);
}

const char *lamp_miner_state_name(enum lamp_miner_state s)
{
    static const char *const names[] = { "suspected", "probable",  "confirmed", "sanctioned",
                                         "blocked",   "dismissed", "ended" };
    return names[s];
}

const char *lamp_step_name(enum lamp_step s)
{
    static const char *const names[] = { "minute", "hour", "day" };
    return names[s];
}

uint64_t lamp_step_minutes(enum lamp_step s)
{
    static const uint64_t minutes[] = { 1, 60, 1440 };
    return minutes[s];
}

const char *lamp_key_state_name(enum lamp_sensor_key_state s)
{
    static const char *const names[] = { "unknown", "active", "retired", "revoked", "rejected" };
    return names[(size_t)s < ARRAY_LEN(names) ? s : 0];
}

#define LAMP_OP(name, params, args)                                                                \
    int lamp_store_##name params                                                                   \
    {                                                                                              \
        return s->ops->name args;                                                                  \
    }
#include "aggregator/store/ops.def"
