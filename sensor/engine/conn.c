/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/conn.h"

#include <stdarg.h>
#include <stdio.h>

void lamp_reason_add(struct lamp_conn *c, const struct lamp_reason *r, bool replace,
                     const char *format, ...)
{
    struct lamp_conn_evidence *e = NULL;
    for (size_t i = 0; replace && !e && i < c->n_evidence; i++)
        if (streq(c->evidence[i].kind, r->kind) && c->evidence[i].dir == r->dir)
            e = &c->evidence[i];
    if (!e && c->n_evidence < LAMP_CONN_EVIDENCE)
        e = &c->evidence[c->n_evidence++];
    if (!e)
        return;
    *e = (struct lamp_conn_evidence){
        .kind = r->kind,
        .field = r->field,
        .strength = r->strength,
        .refute = r->refute,
        .t_us = r->t_us,
        .dir = r->dir,
    };
    va_list args;
    va_start(args, format);
    vsnprintf(e->detail, sizeof(e->detail), format, args);
    va_end(args);
}
