/* SPDX-License-Identifier: Apache-2.0 */
/* opts: named values for poolsim's command lines (`--name value`) and script blocks (`name value`),
 * one table for both. Not thread-safe. */
#pragma once

#include "common/addr.h"
#include "common/err.h"
#include "common/util.h"

enum sim_opt_type {
    SIM_OPT_STR,      /* const char *: borrowed from the input */
    SIM_OPT_DOUBLE,   /* double, not negative */
    SIM_OPT_UINT,     /* uint64_t */
    SIM_OPT_FLAG,     /* bool; takes no value */
    SIM_OPT_ENDPOINT, /* struct sim_endpoint: address:port */
};

struct sim_endpoint {
    struct lamp_addr addr;
    uint16_t port; /* 0: not given */
};

struct sim_opt {
    const char *name;
    enum sim_opt_type type;
    void *dst;
    const char *help;
};

enum { SIM_WHY = 256 };

/* Sets one option. LAMP_ENOENT: no such name. LAMP_EFORMAT: bad value. `why` gets a sentence. */
LAMP_CHECK int sim_opt_set(const struct sim_opt *opts, size_t n, const char *name,
                           const char *value, char why[SIM_WHY]);

/* Reads a command line from argv[first] on; at most max_rest words that are no options go to
 * rest. LAMP_EFORMAT: `why` says what is wrong. */
LAMP_CHECK int sim_opt_argv(const struct sim_opt *opts, size_t n, int argc, char **argv, int first,
                            const char **rest, size_t max_rest, char why[SIM_WHY]);

/* Prints the options, one a line, on stdout. */
void sim_opt_help(const struct sim_opt *opts, size_t n);
