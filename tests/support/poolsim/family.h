/* SPDX-License-Identifier: Apache-2.0 */
/* family: what a mining protocol family gives session.c; one file each. */
#pragma once

#include "tests/support/poolsim/session.h"

#include <jansson.h>

struct sim_family {
    const char *name;
    double default_difficulty;
    bool asks; /* the miner asks for work; the pool pushes none */

    void (*pool_line)(struct sim_pool *p, const json_t *msg, struct sim_out *out);
    void (*pool_job)(struct sim_pool *p, bool clean, struct sim_out *out);
    void (*pool_retarget)(struct sim_pool *p, struct sim_out *out); /* NULL: job says it */

    void (*client_hello)(struct sim_client *c, struct sim_out *out);
    void (*client_line)(struct sim_client *c, const json_t *msg, struct sim_out *out);
    void (*client_share)(struct sim_client *c, struct sim_out *out);
    void (*client_idle)(struct sim_client *c, double hashrate, struct sim_out *out); /* or NULL */

    double (*work)(double difficulty); /* NULL: it is no number of hashes */
};

/* One of the families that differ in words alone (dialects.c), or NULL. */
const struct sim_family *sim_dialect_find(const char *name);

extern const struct sim_family sim_stratum1, sim_cryptonote, sim_ethproxy;

/* Helpers of the families. */

/* The string member, or "" where there is none. */
const char *sim_str(const json_t *object, const char *key);

/* Copies text, cutting what does not fit. */
void sim_copy(char *dst, size_t size, const char *src);

/* Decides on a share for an existing job and counts it; true: accepted. */
bool sim_pool_judge(struct sim_pool *p);

/* Counts the answer to a share. */
void sim_client_answered(struct sim_client *c, bool accepted);
