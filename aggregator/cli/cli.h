/* SPDX-License-Identifier: Apache-2.0 */
/* cli: what the commands of davylamp share: their options and how they speak. */
#pragma once

#include "aggregator/cli/client.h"

#include <getopt.h>

enum { EXIT_GOOD, EXIT_FAILED, EXIT_USAGE };

/* The options that only some commands take. */
enum lamp_cli_option {
    TAKES_PORT = 1 << 0,
    TAKES_SITE = 1 << 1,
    TAKES_REASON = 1 << 2,
    TAKES_TTL = 1 << 3,
    TAKES_HOST = 1 << 4,
    TAKES_NAME = 1 << 5,
    TAKES_ROLE = 1 << 6,
    TAKES_PASSWORD = 1 << 7,
    TAKES_VERIFY = 1 << 8,
    TAKES_AT = 1 << 9,
    TAKES_SERVER = 1 << 10,
};

enum { LAMP_CLI_SITES = 32 };

struct options {
    const char *url, *token_file;
    bool json, host, verify;
    int64_t port, ttl_s;                   /* 0: not given */
    const char *server;                    /* a path on it */
    const char *site, *reason, *name, *at; /* site: the last one given */
    const char *sites[LAMP_CLI_SITES];     /* every one given */
    size_t n_sites;
    const char *role, *password_file;
    unsigned given; /* bits of enum lamp_cli_option */
};

typedef int lamp_cli_fn(lamp_client *c, const struct options *o, char **args, int n);

/* Says what is wrong with a call of the program; EXIT_USAGE. */
int lamp_cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

double lamp_cli_now(void);

/* One object on one line of ASCII; and each of a list. */
void lamp_cli_print(const json_t *value);
void lamp_cli_print_lines(const json_t *list);

/* GET path, then the objects of `name` as JSON lines or by show(). */
int lamp_cli_list(lamp_client *c, const struct options *o, const char *path, const char *name,
                  void (*show)(const json_t *list, double now));

/* What all of it comes to, and how a miner came about (fleet.c). */
lamp_cli_fn lamp_cli_estimates, lamp_cli_timeline;

/* A copy of the database (backup.c). */
lamp_cli_fn lamp_cli_backup;

/* Packet samples (samples.c). */
lamp_cli_fn lamp_cli_sample;

/* Imports of captures. */
lamp_cli_fn lamp_cli_import, lamp_cli_imports;

/* Alerts out (notify.c), policies, accounts, tokens and sessions (users.c). */
lamp_cli_fn lamp_cli_export, lamp_cli_notify, lamp_cli_policies, lamp_cli_users, lamp_cli_tokens,
    lamp_cli_sessions;
