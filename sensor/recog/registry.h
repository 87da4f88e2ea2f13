/* SPDX-License-Identifier: Apache-2.0 */
/* registry: all recognisers, and which of them a line concerns. A method name is looked up once per
 * line, in one table of all names, so that the number of recognisers costs nothing. Read-only once
 * created; threads may share it. */
#pragma once

#include "sensor/recog/recog.h"

typedef struct lamp_registry lamp_registry;

/* All of them, in the order of recog.def. */
const struct lamp_recog *const *lamp_recogs(size_t *out_n);

/* LAMP_ENOMEM. */
LAMP_CHECK int lamp_registry_new(lamp_registry **out);
lamp_registry *lamp_registry_free(lamp_registry *r);

/* Bytes that one takes. */
size_t lamp_registry_memory(void);

/* A line and what was looked up of it; valid as long as the line is. */
struct lamp_saying {
    const struct lamp_jsonline *line;
    const struct lamp_jsonvalue *params; /* as struct lamp_method has it */
    const struct lamp_registry_run *run; /* registry.c: the entries of its method */
    const struct lamp_recog *asked;      /* registry.c: whose method was looked for last, */
    const struct lamp_method *found;     /* and what was found, or NULL */
};

struct lamp_saying lamp_saying_of(const lamp_registry *r, const struct lamp_jsonline *line);

/* What the line is to a recogniser and, where that says nothing, to its bases. */
struct lamp_finding lamp_saying_judge(struct lamp_saying *s, const struct lamp_recog *r);

/* The recogniser that gives the line the best grade, and among those the one it names most
 * firmly. wallets: whether those of node and wallet traffic are asked as well; any other that is at
 * least strong goes before them. NULL: it tells nothing. */
const struct lamp_recog *lamp_saying_best(const struct lamp_saying *s, bool wallets,
                                          struct lamp_finding *out);

/* Lets the recogniser, or else its bases, take the line into the session. dir: LAMP_UP from the
 * miner. Returns what the line proves given the session, or grade NONE. */
struct lamp_finding lamp_saying_take(struct lamp_saying *s, const struct lamp_recog *r,
                                     struct lamp_session *session, enum lamp_dir dir);

enum { LAMP_PROBE_LINES = 16 }; /* lines of a direction that are judged before giving up */

struct lamp_hit {
    struct lamp_finding finding;
    unsigned line; /* from 1 */
};

enum lamp_probe lamp_recog_probe(const lamp_registry *registry, const struct lamp_recog *r,
                                 struct lamp_bytes prefix, struct lamp_hit *out_hit);
