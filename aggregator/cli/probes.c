/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that ask servers whether they are pools, and say how the catalogue stands. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

static int show_probe(const json_t *o, bool json)
{
    char a[LAMP_CELL], b[LAMP_CELL], d[LAMP_CELL], e[LAMP_CELL];
    size_t i;
    json_t *v;
    const char *error = json_string_value(json_object_get(o, "error"));
    if (json)
        lamp_cli_print(o);
    else if (error)
        fprintf(stderr, "davylamp: %s\n", lamp_cell_text(o, "error", 0, a));
    json_array_foreach(json_object_get(o, "results"), i, v) if (!json)
        printf("%s port %s: %s, %s\n", lamp_cell_text(v, "address", 0, a),
               lamp_cell_number(v, "port", 0, b), lamp_cell_text(v, "state", 0, d),
               lamp_cell_text(v, "reason", 0, e));
    return error ? EXIT_FAILED : EXIT_GOOD;
}

/* Takes body. */
static int run_probe(lamp_client *c, bool json, json_t *body)
{
    enum { AGAIN_MS = 200, TIMES = 300 };
    char path[64];
    json_t *answer = NULL;
    const int err = lamp_client_call(c, "POST", "/probes", body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    snprintf(path, sizeof(path), "/probes/%" PRId64, lamp_number(answer, "id"));
    for (int i = 0; i < TIMES && !json_is_true(json_object_get(answer, "done")); i++) {
        poll(NULL, 0, AGAIN_MS);
        json_decref(answer);
        answer = NULL;
        if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
            return EXIT_FAILED;
    }
    const int result = show_probe(answer, json);
    json_decref(answer);
    return result;
}

int lamp_cli_probe(lamp_client *c, const struct options *o, char **args, int n)
{
    enum { HOST = 254 }; /* the longest name of DNS (RFC 1035 2.3.4), with its end */
    const char *what = args[0];
    char host[HOST];
    int64_t number;
    (void)n;
    if (lamp_text_int(what, 1, INT64_MAX, &number) == LAMP_OK)
        return run_probe(c, o->json, json_pack("{s:I}", "pool", (json_int_t)number));
    const char *colon = strrchr(what, ':');
    const char *from = what + (*what == '[');
    size_t len = colon ? (size_t)(colon - from) : 0;
    if (len > 0 && from[len - 1] == ']')
        len--;
    if (!colon || len == 0 || len >= sizeof(host) ||
        lamp_text_int(colon + 1, 1, 65535, &number) != LAMP_OK)
        return lamp_cli_usage("probe needs HOST:PORT, or the number of a pool");
    snprintf(host, sizeof(host), "%.*s", (int)len, from);
    json_t *body = json_pack("{s:s, s:I}", "host", host, "port", (json_int_t)number);
    return body ? run_probe(c, o->json, body) : lamp_cli_usage("HOST is not UTF-8");
}

int lamp_cli_catalogue(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *answer = NULL, *body = NULL;
    if (n == 2 && (streq(args[0], "resolve") || streq(args[0], "probe")) &&
        (streq(args[1], "on") || streq(args[1], "off")))
        body = json_pack("{s:b}", args[0], streq(args[1], "on"));
    else if (n != 0)
        return lamp_cli_usage("catalogue takes nothing, or resolve or probe and on or off");
    const int err = lamp_client_call(c, body ? "PATCH" : "GET", "/catalogue", body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else if (n == 2)
        printf("%s is turned %s\n", args[0], args[1]);
    else
        printf(
            "pools %" PRId64 ", servers %" PRId64 ", entries %" PRId64 "; endpoints up %" PRId64
            ", listen %" PRId64 ", down %" PRId64 "\n"
            "resolve %s, probe %s\n",
            lamp_number(answer, "pools"), lamp_number(answer, "servers"),
            lamp_number(answer, "entries"), lamp_number(answer, "up"),
            lamp_number(answer, "listen"), lamp_number(answer, "down"),
            json_is_true(json_object_get(json_object_get(answer, "resolve"), "on")) ? "on" : "off",
            json_is_true(json_object_get(json_object_get(answer, "probe"), "on")) ? "on" : "off");
    json_decref(answer);
    return EXIT_GOOD;
}
