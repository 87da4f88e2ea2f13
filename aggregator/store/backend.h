/* SPDX-License-Identifier: Apache-2.0 */
/* backend: what one file of store/ provides: a constant lamp_store_backend_NAME of this type,
 * and NAME on a line of store.def. See docs/ADD_A_STORE.md. */
#pragma once

#include "aggregator/store/baselines.h"
#include "aggregator/store/history.h"
#include "aggregator/store/pools.h"
#include "aggregator/store/safety.h"
#include "aggregator/store/samples.h"
#include "aggregator/store/trackings.h"
#include "aggregator/store/write.h"

struct lamp_store_ops {
    const char *name;

    /* As lamp_store_open(); the handle begins with struct lamp_store. */
    int (*open)(const char *where, bool read_only, lamp_store **out, char why[LAMP_STORE_WHY]);
    void (*close)(lamp_store *s);
    void (*rollback)(lamp_store *s);
    const struct lamp_store_safety *safety;

#define LAMP_OP(name, params, args) int(*name) params;
#include "aggregator/store/ops.def"
#undef LAMP_OP
};

struct lamp_store {
    const struct lamp_store_ops *ops;
    char why[LAMP_STORE_WHY]; /* what the last failed call said */
};

/* Every backend of store.def, so that a test can go over them. */
const struct lamp_store_ops *const *lamp_store_backends(size_t *out_n);
