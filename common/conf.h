/* SPDX-License-Identifier: Apache-2.0 */
/* conf: one option table per program yields configuration file (libconfig), environment,
 * command line, --help, --check-config and --print-config.
 *
 * Precedence, weakest first: default, file, conf.d files beside it, environment
 * (DAVYLAMP_LINK_ENDPOINT for "link.endpoint"), command line (--link-endpoint VALUE).
 * Every bad value is reported with where it stands (file:line, variable or option), all of
 * them, not only the first. Not thread-safe; used before threads start. */
#pragma once

#include "common/err.h"
#include "common/util.h"

#include <stdio.h>

enum lamp_opt_type {
    LAMP_OPT_BOOL,   /* bool */
    LAMP_OPT_INT,    /* int64_t within [min, max] */
    LAMP_OPT_DOUBLE, /* double within [min, max] */
    LAMP_OPT_STR,    /* char *, never NULL after loading; max = longest length, 0: 4096 */
    LAMP_OPT_LIST,   /* struct lamp_strlist; a libconfig list or one string split at commas */
    LAMP_OPT_ENUM,   /* int: index into values ("off|dry-run|enforce") */
};

struct lamp_strlist {
    char **v;
    size_t n; /* at most 256 */
};

struct lamp_opt {
    const char *key; /* "link.endpoint": group and name in the file */
    enum lamp_opt_type type;
    size_t offset;      /* offsetof() into the program's configuration struct */
    int64_t min, max;   /* bounds of INT and DOUBLE, longest STR */
    const char *def;    /* default as text; lists separated by commas */
    const char *unit;   /* "s", "bytes"; NULL: none */
    const char *values; /* ENUM only */
    const char *help;   /* one sentence */
};

enum { LAMP_CONF_WHY = 512 };

/* Checks what one option alone cannot tell; says in `why` what is wrong. */
typedef int lamp_conf_check_fn(void *conf, char why[LAMP_CONF_WHY]);

struct lamp_conf_spec {
    const char *program;      /* "davylamp-sensor" */
    const char *usage;        /* lines after the program name in --help */
    const char *about;        /* what the program does, a sentence or two */
    const char *default_file; /* read when it exists and --config is not given */
    const struct lamp_opt *opts;
    size_t n_opts;
    lamp_conf_check_fn *check; /* what --check-config checks besides; NULL: nothing */
    size_t
        given; /* offsetof() a uint64_t that notes which of 64 options were given; 0: nobody asks */
};

enum lamp_conf_action {
    LAMP_CONF_RUN,        /* options are loaded, go on */
    LAMP_CONF_EXIT_OK,    /* --help, --version, --check-config, --print-config: done */
    LAMP_CONF_EXIT_USAGE, /* something was wrong and has been said on stderr: exit 2 */
};

/* Loads into *conf (zeroed by the caller; lamp_conf_free() releases it whatever the
 * result). Arguments that are not options stay in argv from *out_first on. Also understands
 * -c/--config FILE, -h/--help, -V/--version, --check-config, --print-config. */
enum lamp_conf_action lamp_conf_load(const struct lamp_conf_spec *spec, int argc, char **argv,
                                     void *conf, int *out_first);

/* Loads defaults, the file (with its conf.d) and the environment over what *conf holds, for a
 * reload into a fresh struct; command line options are not seen again. Errors go to
 * `errors`. LAMP_EFORMAT: at least one was reported. */
LAMP_CHECK int lamp_conf_load_file(const struct lamp_conf_spec *spec, const char *path, void *conf,
                                   FILE *errors);

/* Whether the file, the environment or the command line set the option; spec->given is there. */
bool lamp_conf_is_given(const struct lamp_conf_spec *spec, const void *conf, const char *key);

/* Sets one BOOL, INT, DOUBLE or ENUM option from text, in a struct that may be a plain copy of a loaded
 * one. LAMP_ENOENT: no such option, or of another type. LAMP_EFORMAT: `why` says what is expected. */
LAMP_CHECK int lamp_conf_set(const struct lamp_conf_spec *spec, void *conf, const char *key,
                             const char *text, char why[LAMP_CONF_WHY]);

/* Whether text is a value of such an option. LAMP_EFORMAT: `why` says what is expected. */
LAMP_CHECK int lamp_opt_check(const struct lamp_opt *o, const char *text, char why[LAMP_CONF_WHY]);

void lamp_conf_free(const struct lamp_conf_spec *spec, void *conf);

/* The value as the file would have it, and the whole configuration in that form. */
void lamp_conf_print(const struct lamp_conf_spec *spec, const void *conf, FILE *out);
void lamp_conf_help(const struct lamp_conf_spec *spec, FILE *out);
