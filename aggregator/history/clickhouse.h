/* SPDX-License-Identifier: Apache-2.0 */
/* clickhouse: one ClickHouse server over HTTP (clickhouse.com/docs/interfaces/http). One handle per thread; calls
 * block, each for no longer than its time. What a server answers is taken as hostile: its length, its headers and
 * its time are limited, and an answer without ClickHouse's own headers is none. The password is read from its file
 * for each request, goes into a header and nowhere else. Redirects are not followed, no proxy of the environment is
 * used, certificates are verified. */
#pragma once

#include "common/err.h"
#include "common/util.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct lamp_clickhouse lamp_clickhouse;

enum { LAMP_CLICKHOUSE_WHY = 320, LAMP_CLICKHOUSE_SCHEMA = 1 };

/* What was wrong, for counters and for whoever repairs it. */
enum lamp_clickhouse_fault {
    LAMP_CLICKHOUSE_AWAY,    /* no connection, or no answer in time */
    LAMP_CLICKHOUSE_TLS,     /* its certificate */
    LAMP_CLICKHOUSE_LOGIN,   /* user, password, or what that user may do */
    LAMP_CLICKHOUSE_FULL,    /* its disk */
    LAMP_CLICKHOUSE_REFUSED, /* it answers with another error */
    LAMP_CLICKHOUSE_ANSWER,  /* it answers nonsense, too much, or is no ClickHouse */
    LAMP_CLICKHOUSE_FAULTS
};
const char *lamp_clickhouse_fault_name(enum lamp_clickhouse_fault f);

struct lamp_clickhouse_cfg {
    const char *url;           /* "https://history.example:8443"; "": there is none */
    const char *database;      /* a name of letters, digits and _, as cluster */
    const char *cluster;       /* of Distributed tables; "": this server alone */
    const char *user;          /* "": default */
    const char *password_file; /* ""; else its first line */
    const char *ca;            /* "": the system's certificates */
    bool plain_ok;             /* a password may go over plain HTTP to another machine */
};

/* Whether a configuration makes sense. LAMP_EINVAL: `why` says what does not. */
LAMP_CHECK int lamp_clickhouse_check(const struct lamp_clickhouse_cfg *cfg,
                                     char why[LAMP_CLICKHOUSE_WHY]);

/* Tells the place where its tables are from others (lamp_store_history_start()), by url, database and cluster. 0: none. */
uint64_t lamp_clickhouse_place(const struct lamp_clickhouse_cfg *cfg);

/* cfg and *stop are borrowed for the handle's life; once *stop (NULL: never) is set calls give up. Connects to
 * nothing. LAMP_ENOMEM. */
LAMP_CHECK int lamp_clickhouse_new(const struct lamp_clickhouse_cfg *cfg, const atomic_bool *stop,
                                   lamp_clickhouse **out);
lamp_clickhouse *lamp_clickhouse_free(lamp_clickhouse *c);

/* What the last call that failed said, as a printable line, and its kind. */
const char *lamp_clickhouse_why(const lamp_clickhouse *c);
enum lamp_clickhouse_fault lamp_clickhouse_fault_of(const lamp_clickhouse *c);

/* Runs a statement, with `body` (may be empty) as the data of an INSERT. The answer, of at most `most` bytes, is lent in *out
 * until the next call. LAMP_EIO (see lamp_clickhouse_why()), LAMP_ENOMEM. */
LAMP_CHECK int lamp_clickhouse_run(lamp_clickhouse *c, const char *sql, struct lamp_bytes body,
                                   unsigned limit_s, size_t most, struct lamp_bytes *out);

/* Makes what is missing of the database and its tables. Tables of a version that this program does not know are
 * an error. */
LAMP_CHECK int lamp_clickhouse_make_schema(lamp_clickhouse *c);

/* The statements of that, for a server that nobody else makes them on. */
void lamp_clickhouse_print_schema(const struct lamp_clickhouse_cfg *cfg, FILE *out);

/* Writes a text as SQL quotes it. */
void lamp_clickhouse_quote(FILE *out, struct lamp_bytes text);
