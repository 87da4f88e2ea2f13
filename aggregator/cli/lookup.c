/* SPDX-License-Identifier: Apache-2.0 */
/* The command that says all that is known of an address, a name or a port. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/addr.h"
#include "common/clock.h"
#include "common/text.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

enum {
    PATH = 1024,
    LOOKUP_PATH = 16 + LAMP_CLI_LOOKUPS * (LAMP_ADDR_STRLEN + 1),
    LOOKUP_WAIT_US = 5 * 1000 * 1000, /* for host names */
    LOOKUP_AGAIN_MS = 100,
};

/* "Nuremberg, Bavaria, DE": what of it is known. */
static const char *place(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    static const char *const parts[] = { "city", "region", "country" };
    char part[LAMP_CELL];
    (void)path;
    *buf = '\0';
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const size_t len = strlen(buf);
        if (json_is_string(json_object_get(row, parts[i])))
            snprintf(buf + len, LAMP_CELL - len, "%s%s", len ? ", " : "",
                     lamp_cell_text(row, parts[i], now, part));
    }
    if (!*buf)
        snprintf(buf, LAMP_CELL, json_is_true(json_object_get(row, "private")) ? "private" : "-");
    return buf;
}

static const char *system_number(const json_t *row, const char *path, double now,
                                 char buf[LAMP_CELL])
{
    (void)now;
    if (!json_is_integer(lamp_at(row, path)))
        return "-";
    snprintf(buf, LAMP_CELL, "AS%" PRId64, lamp_number(row, path));
    return buf;
}

static const char *host_name(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const char *state = json_string_value(lamp_at(row, "host_name_state"));
    const bool open = state && (streq(state, "pending") || streq(state, "failed"));
    return open && !json_is_string(lamp_at(row, path)) ? "no answer"
                                                       : lamp_cell_text(row, path, now, buf);
}

static const struct lamp_column address_columns[] = {
    { "ADDRESS", "ip", lamp_cell_text },     { "PLACE", "", place },
    { "AS", "asn", system_number },          { "AS NAME", "as_name", lamp_cell_text },
    { "HOST NAME", "host_name", host_name }, { NULL, NULL, NULL },
};

/* Joins the addresses with commas and asks, again while a host name is on its way. */
static int run_places(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[LOOKUP_PATH] = "/addresses?ip=";
    for (int i = 0; i < n; i++) {
        const size_t len = strlen(path);
        snprintf(path + len, sizeof(path) - len, "%s%s", i ? "," : "", args[i]);
    }
    json_t *answer = NULL;
    const uint64_t until_us = lamp_clock_mono_us() + LOOKUP_WAIT_US;
    for (bool pending = true; pending;) {
        json_decref(answer);
        if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
            return EXIT_FAILED;
        size_t i;
        json_t *a;
        pending = false;
        json_array_foreach(json_object_get(answer, "addresses"), i, a)
        {
            const char *state = json_string_value(json_object_get(a, "host_name_state"));
            pending |= state && streq(state, "pending");
        }
        pending = pending && lamp_clock_mono_us() < until_us;
        if (pending)
            poll(NULL, 0, LOOKUP_AGAIN_MS);
    }
    if (o->json)
        lamp_cli_print_lines(json_object_get(answer, "addresses"));
    else
        lamp_table_print(json_object_get(answer, "addresses"), address_columns, 0);
    json_decref(answer);
    return EXIT_GOOD;
}

/* Seconds since 1970. */
static bool parse_time(const char *text, double *out)
{
    static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
    if (lamp_text_double(text, 0, 4e9, out) == LAMP_OK)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm tm = { 0 };
        const char *end = strptime(text, forms[i], &tm);
        if (end && (*end == '\0' || streq(end, "Z"))) {
            *out = (double)timegm(&tm);
            return true;
        }
    }
    return false;
}

static void show_lookup(const json_t *a)
{
    char query[LAMP_CELL], answer[LAMP_CELL], summary[LAMP_CELL], b[LAMP_CELL], d[LAMP_CELL],
        e[LAMP_CELL], f[LAMP_CELL];
    size_t i;
    json_t *m;
    printf("%s: %s. %s\n", lamp_cell_text(a, "query", 0, query),
           lamp_cell_text(a, "answer", 0, answer), lamp_cell_text(a, "summary", 0, summary));
    json_array_foreach(json_object_get(a, "matches"), i, m)
    {
        const json_t *entry = json_object_get(m, "entry"), *then = json_object_get(m, "then");
        if (i == 10)
            puts("  ...");
        if (i >= 10)
            continue;
        printf("  %s:%s  %s  %s%s%s\n", lamp_cell_text(entry, "fqdn", 0, b),
               lamp_cell_number(entry, "port", 0, d), lamp_cell_text(entry, "pool", 0, e),
               lamp_cell_text(entry, "coin", 0, f), json_is_object(then) ? "  " : "",
               json_is_object(then) ? lamp_cell_text(then, "state", 0, query) : "");
    }
    json_array_foreach(json_object_get(a, "port_pools"), i, m)
    {
        if (i < 10)
            printf("  %s  %s  %s servers\n", lamp_cell_text(m, "pool", 0, b),
                   lamp_cell_text(m, "coin", 0, d), lamp_cell_number(m, "servers", 0, e));
    }
}

/* What the catalogue knows of addresses, names and ports. */
static int run_catalogue(lamp_client *c, const struct options *o, char **args, int n)
{
    double t = 0;
    if (o->at && !parse_time(o->at, &t))
        return lamp_cli_usage("--at needs seconds since 1970 or YYYY-MM-DD[THH:MM[:SS]]");
    for (int i = 0; i < n; i++) {
        char path[PATH], text[800];
        json_t *answer = NULL;
        if (!lamp_client_escape(args[i], text, sizeof(text)))
            return lamp_cli_usage("that is too long");
        if (o->at)
            snprintf(path, sizeof(path), "/lookup?q=%s&at=%.6f", text, t);
        else
            snprintf(path, sizeof(path), "/lookup?q=%s", text);
        if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
            return EXIT_FAILED;
        if (o->json)
            lamp_cli_print(answer);
        else
            show_lookup(answer);
        json_decref(answer);
    }
    return EXIT_GOOD;
}

/* Where addresses are, and what the catalogue knows of them, of names and of ports. */
int lamp_cli_lookup(lamp_client *c, const struct options *o, char **args, int n)
{
    char *addresses[LAMP_CLI_LOOKUPS];
    int n_addresses = 0;
    for (int i = 0; i < n; i++) {
        struct lamp_addr a;
        if (lamp_addr_parse(args[i], &a) == LAMP_OK)
            addresses[n_addresses++] = args[i];
    }
    const int result = n_addresses ? run_places(c, o, addresses, n_addresses) : EXIT_GOOD;
    return result ? result : run_catalogue(c, o, args, n);
}
