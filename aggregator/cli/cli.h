/* SPDX-License-Identifier: Apache-2.0 */
/* cli: what the commands of davylamp share: their options and how they speak. */
#pragma once

#include "aggregator/cli/client.h"
#include "aggregator/cli/table.h"

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
    TAKES_CSV = 1 << 11,
    TAKES_SORT = 1 << 12,
    TAKES_LIST = TAKES_CSV | TAKES_SORT,
};

enum {
    LAMP_CLI_SITES = 32,
    LAMP_CLI_LOOKUPS = 100, /* addresses in one call */
};

struct options {
    const char *url, *token_file;
    const char *ca; /* file of certificates to trust; NULL: the system's */
    bool json, csv, host, verify;
    const char *sort;                      /* NULL: as the API has it */
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

/* "packets=200" into the body of a call: a number, true for "yes", else text. An exit status. */
int lamp_cli_values(json_t *body, char **args, int n);

/* One object on one line of ASCII; and each of a list. */
void lamp_cli_print(const json_t *value);
void lamp_cli_print_lines(const json_t *list);

/* The number that is meant by an argument, of `what` ("a block"). EXIT_USAGE, which is said: it is none. */
int lamp_cli_number(const char *text, const char *what, int64_t *out);

/* Calls method path, and prints the answer where JSON is asked for. *answer is for people: NULL where it
 * was printed, or is nothing; answer NULL: they are not shown it. */
int lamp_cli_call(lamp_client *c, const struct options *o, const char *method, const char *path,
                  json_t **answer);

/* The same with a body, which is taken; NULL: it could not be made of the arguments. */
int lamp_cli_send(lamp_client *c, const struct options *o, const char *method, const char *path,
                  json_t *body, json_t **answer);

/* GET path; the answer as JSON or by show(). */
int lamp_cli_get(lamp_client *c, const struct options *o, const char *path,
                 void (*show)(const json_t *answer));

/* Tells people how a call went that went well; returns its result. */
int lamp_cli_say(const struct options *o, int result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* GET path, then the objects of the list `name` in the answer as JSON lines, as CSV or as a table, in the order
 * that is asked for. */
int lamp_cli_list(lamp_client *c, const struct options *o, const char *path, const char *name,
                  const struct lamp_column *columns);

/* The same of all pages of a list that comes in pages. */
int lamp_cli_pages(lamp_client *c, const struct options *o, const char *path, const char *name,
                   const struct lamp_column *columns);

/* All pages of a list as one file for a spreadsheet. */
int lamp_cli_csv(lamp_client *c, const struct options *o, const char *path);

/* Lends every object of all pages of a list to fn. */
int lamp_cli_each(lamp_client *c, const char *path, const char *name,
                  void (*fn)(const json_t *row, void *arg), void *arg);

/* The fleet as a whole, its traffic, what its mining comes to, what needs a person (fleet.c). */
lamp_cli_fn lamp_cli_status, lamp_cli_traffic, lamp_cli_estimates, lamp_cli_alerts;

/* What is wrong with it, and what to do (doctor.c). */
lamp_cli_fn lamp_cli_doctor;

/* Miners, how one came about, and the owner's lists (miners.c). */
lamp_cli_fn lamp_cli_miners, lamp_cli_timeline, lamp_cli_mark, lamp_cli_own;

/* Sensors and their keys (sensors.c). */
lamp_cli_fn lamp_cli_sensors, lamp_cli_enroll;

/* Blocks, and sites whose block list is held (blocks.c). */
lamp_cli_fn lamp_cli_blocks, lamp_cli_block, lamp_cli_unblock, lamp_cli_approve, lamp_cli_refuse,
    lamp_cli_sites, lamp_cli_hold, lamp_cli_release;

/* All that is known of an address, name or port (lookup.c), the catalogue of pools (pools.c), and
 * questions to their servers (probes.c). */
lamp_cli_fn lamp_cli_lookup, lamp_cli_pools, lamp_cli_probe, lamp_cli_catalogue;

/* What the fleet learned by itself (knowledge.c). */
lamp_cli_fn lamp_cli_knowledge;

/* Policies (policies.c), alerts out (notify.c). */
lamp_cli_fn lamp_cli_policies, lamp_cli_notify, lamp_cli_export;

/* Packet samples (samples.c), captures handed in (imports.c). */
lamp_cli_fn lamp_cli_sample, lamp_cli_import, lamp_cli_imports;

/* What samples and trackings are of (samples.c): a word of `args` and what it needs, into the body of a call. *out_used:
 * how many of n these were. An exit status. */
int lamp_cli_target(json_t *body, const char *command, char **args, int n, int *out_used);

/* Cells: the same of a row, "remote 203.0.113.11:10300"; how many things a list has. */
const char *lamp_cell_target(const json_t *row, const char *path, double now, char buf[LAMP_CELL]);
const char *lamp_cell_count(const json_t *row, const char *path, double now, char buf[LAMP_CELL]);

/* What is tracked (trackings.c). */
lamp_cli_fn lamp_cli_track;

/* What is usual with rigs (baselines.c). */
lamp_cli_fn lamp_cli_baseline;

/* Who may use the API, and what they did (users.c). */
lamp_cli_fn lamp_cli_users, lamp_cli_tokens, lamp_cli_sessions, lamp_cli_audit;

/* A copy of the database (backup.c). */
lamp_cli_fn lamp_cli_backup;

/* Settings that sensors get from here (settings.c). */
lamp_cli_fn lamp_cli_settings;
