/* SPDX-License-Identifier: Apache-2.0 */
/* alerts_found: the alerts of a store, counted. */
#pragma once

#include "tests/support/aggregator.h"

#include <stdio.h>

struct found {
    size_t n, open;
    int64_t after;
    enum lamp_alert_kind kind; /* of the newest */
    char text[LAMP_ALERT_TEXT];
};

static inline bool add_found(const struct lamp_alert_view *v, void *arg)
{
    struct found *x = arg;
    if (v->id <= x->after)
        return true;
    if (x->n++ == 0) {
        x->kind = v->kind;
        snprintf(x->text, sizeof(x->text), "%s", v->text);
    }
    x->open += v->resolved_us == 0;
    return true;
}

/* Those that have a number above `after`. */
static inline struct found alerts_found(lamp_store *s, int64_t after)
{
    struct found x = { .after = after };
    ok(s, lamp_store_alerts(s, &(struct lamp_alert_filter){ .limit = 1000 }, add_found, &x));
    return x;
}

static inline bool take_number(const struct lamp_alert_view *v, void *arg)
{
    *(int64_t *)arg = v->id;
    return false;
}

/* The number of the newest; 0. */
static inline int64_t newest_alert(lamp_store *s)
{
    int64_t id = 0;
    ok(s, lamp_store_alerts(s, &(struct lamp_alert_filter){ .limit = 1 }, take_number, &id));
    return id;
}
