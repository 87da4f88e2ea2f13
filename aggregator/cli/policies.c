/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about policies. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

/* "lease=60" into the body: a number, a list of days, yes or no, else text. NULL: it has no '='. */
static json_t *rule_value(const char *name, const char *text)
{
    int64_t n;
    double sure;
    if (streq(name, "confidence") && lamp_text_double(text, 0, 1, &sure) == LAMP_OK)
        return json_real(sure);
    if (streq(name, "days")) {
        json_t *days = json_array();
        while (days && *text) {
            const size_t len = strcspn(text, ",");
            json_array_append_new(days, json_stringn(text, len));
            text += len + (text[len] == ',');
        }
        return days;
    }
    if (streq(text, "yes") || streq(text, "no"))
        return json_boolean(*text == 'y');
    if (lamp_text_int(text, 0, INT64_MAX, &n) == LAMP_OK)
        return json_integer(n);
    return json_string(text);
}

/* Puts "NAME=VALUE" texts into terms. LAMP_EFORMAT: said. */
static int take_terms(json_t *terms, char **args, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];
        const size_t len = strcspn(args[i], "=");
        if (!args[i][len] || len >= sizeof(name)) {
            (void)lamp_cli_usage("'%.40s' is not NAME=VALUE", args[i]);
            return LAMP_EFORMAT;
        }
        snprintf(name, sizeof(name), "%.*s", (int)len, args[i]);
        if (json_object_set_new(terms, name, rule_value(name, args[i] + len + 1)) != 0) {
            (void)lamp_cli_usage("the policy is not UTF-8");
            return LAMP_EFORMAT;
        }
    }
    return LAMP_OK;
}

/* Takes body. */
static int send_policy(lamp_client *c, const struct options *o, const char *method,
                       const char *path, json_t *body, const char *what)
{
    json_t *answer = NULL;
    const int err = lamp_client_call(c, method, path, body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    const int64_t id = json_integer_value(json_object_get(answer, "id"));
    if (o->json && answer)
        lamp_cli_print(answer);
    else if (!o->json && what)
        printf("policy %" PRId64 " %s\n", id, what);
    else if (!o->json)
        printf("policy %" PRId64 " is in dry run; 'davylamp policies %" PRId64
               "' shows what it would do\n",
               id, id);
    json_decref(answer);
    return EXIT_GOOD;
}

static int add_policy(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *body = json_pack("{s:s}", "name", args[0]);
    if (!body)
        return lamp_cli_usage("the policy is not UTF-8");
    if (take_terms(body, args + 1, n - 1) != LAMP_OK) {
        json_decref(body);
        return EXIT_USAGE;
    }
    return send_policy(c, o, "POST", "/policies", body, NULL);
}

/* The terms of a policy as they stand; NULL: said. */
static json_t *terms_of(lamp_client *c, int64_t id)
{
    static const char *const others[] = { "id",      "mode",    "place",     "created_by",
                                          "created", "mode_by", "mode_since" };
    json_t *answer = NULL, *p, *found = NULL;
    size_t i;
    if (lamp_client_call(c, "GET", "/policies", NULL, &answer) != LAMP_OK)
        return NULL;
    json_array_foreach(json_object_get(answer, "policies"), i,
                       p) if (json_integer_value(json_object_get(p, "id")) == id) found =
        json_incref(p);
    json_decref(answer);
    if (!found)
        fprintf(stderr, "davylamp: no policy has number %" PRId64 "\n", id);
    for (i = 0; found && i < ARRAY_LEN(others); i++)
        json_object_del(found, others[i]);
    return found;
}

static int change_policy(lamp_client *c, const struct options *o, int64_t id, char **args, int n)
{
    char path[64];
    json_t *terms = terms_of(c, id);
    if (!terms)
        return EXIT_FAILED;
    if (take_terms(terms, args, n) != LAMP_OK) {
        json_decref(terms);
        return EXIT_USAGE;
    }
    snprintf(path, sizeof(path), "/policies/%" PRId64, id);
    return send_policy(c, o, "PUT", path, terms, NULL);
}

static int move_policy(lamp_client *c, const struct options *o, int64_t id, const char *to)
{
    char path[64];
    int64_t place;
    if (lamp_text_int(to, 1, INT32_MAX, &place) != LAMP_OK)
        return lamp_cli_usage("'policies move' needs a place, 1 for the first");
    snprintf(path, sizeof(path), "/policies/%" PRId64, id);
    return send_policy(c, o, "PATCH", path, json_pack("{s:I}", "place", (json_int_t)place),
                       "is moved");
}

static const struct lamp_column hit_columns[] = {
    { "AGE", "last", lamp_cell_age },
    { "SITE", "site", lamp_cell_text },
    { "HOST", "host", lamp_cell_text },
    { "SERVER", "server", lamp_cell_text },
    { "PORT", "port", lamp_cell_number },
    { "SEEN", "count", lamp_cell_number },
    { "OUTCOME", "outcome", lamp_cell_text },
    { "WHY", "why", lamp_cell_text },
    { NULL, NULL, NULL },
};

static int show_hits(lamp_client *c, const struct options *o, int64_t id)
{
    char path[64];
    json_t *answer = NULL;
    snprintf(path, sizeof(path), "/policies/%" PRId64 "/dry-run", id);
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print_lines(json_object_get(answer, "hits"));
    else
        lamp_table_print(json_object_get(answer, "hits"), hit_columns, lamp_cli_now());
    json_decref(answer);
    return EXIT_GOOD;
}

static const char *lease(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    snprintf(buf, LAMP_CELL, "%" PRId64 "-%" PRId64, lamp_number(row, path),
             lamp_number(row, "longest"));
    return buf;
}

static const char *confidence(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    snprintf(buf, LAMP_CELL, "%.4g", json_number_value(json_object_get(row, path)));
    return buf;
}

static const struct lamp_column policy_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "PLACE", "place", lamp_cell_number },
    { "NAME", "name", lamp_cell_text },
    { "MODE", "mode", lamp_cell_text },
    { "SINCE", "mode_since", lamp_cell_age },
    { "VERDICT", "verdict", lamp_cell_text },
    { "CONFIDENCE", "confidence", confidence },
    { "COIN", "coin", lamp_cell_text },
    { "POOL", "pool", lamp_cell_text },
    { "SITE", "site", lamp_cell_all },
    { "HOURS", "hours", lamp_cell_text },
    { "ALERT", "alert", lamp_cell_yes },
    { "SAMPLE", "sample", lamp_cell_number },
    { "BLOCK", "block", lamp_cell_text },
    { "LEASE S", "lease", lease },
    { NULL, NULL, NULL },
};

int lamp_cli_policies(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id = 0;
    json_t *answer = NULL, *body = NULL;
    if (n == 0)
        return lamp_cli_list(c, o, "/policies", "policies", policy_columns);
    if (n == 1 && lamp_text_int(args[0], 1, INT64_MAX, &id) == LAMP_OK)
        return show_hits(c, o, id);
    if (n > 1 && streq(args[0], "add"))
        return add_policy(c, o, args + 1, n - 1);
    if (n > 2 && streq(args[0], "change") && lamp_text_int(args[1], 1, INT64_MAX, &id) == LAMP_OK)
        return change_policy(c, o, id, args + 2, n - 2);
    if (n == 3 && streq(args[0], "move") && lamp_text_int(args[1], 1, INT64_MAX, &id) == LAMP_OK)
        return move_policy(c, o, id, args[2]);
    const bool remove = streq(args[0], "remove");
    const bool mode = streq(args[0], "on") || streq(args[0], "off") || streq(args[0], "dry-run");
    if (n != 2 || (!remove && !mode) || lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage(
            "'policies' takes: ID, add NAME [KEY=VALUE]..., change ID KEY=VALUE..., move ID PLACE,"
            " on|dry-run|off|remove ID");
    snprintf(path, sizeof(path), "/policies/%" PRId64, id);
    if (mode)
        body = json_pack("{s:s}", "mode", args[0]);
    const int err = lamp_client_call(c, remove ? "DELETE" : "PATCH", path, body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (o->json && answer)
        lamp_cli_print(answer);
    else if (!o->json)
        printf("policy %" PRId64 " is %s\n", id, remove ? "removed" : args[0]);
    json_decref(answer);
    return EXIT_GOOD;
}
