/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about baselines. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- showing ---- */

static const struct lamp_column baselines[] = {
    { "ID", "id", lamp_cell_number },           { "HOST", "host", lamp_cell_text },
    { "SITE", "site", lamp_cell_text },         { "STATE", "state", lamp_cell_text },
    { "VERSION", "version", lamp_cell_number }, { "UNEXPECTED", "unexpected", lamp_cell_number },
    { "MINER", "miner", lamp_cell_number },     { "AGE", "created", lamp_cell_age },
    { "BY", "created_by", lamp_cell_text },     { NULL, NULL, NULL },
};

static const struct lamp_column places[] = {
    { "DESTINATION", "remote", lamp_cell_text },
    { "PORT", "port", lamp_cell_number },
    { "NAME", "name", lamp_cell_text },
    { "POOL", "pool", lamp_cell_text },
    { "ASN", "asn", lamp_cell_number },
    { "APPLICATION", "application", lamp_cell_text },
    { "KNOWN BY", "by", lamp_cell_text },
    { "BYTES", "bytes", lamp_cell_bytes },
    { "MINUTES", "minutes", lamp_cell_number },
    { "EVERY (S)", "period", lamp_cell_number },
    { NULL, NULL, NULL },
};

static const struct lamp_column unexpected[] = {
    { "NO", "id", lamp_cell_number },      { "DESTINATION", "remote", lamp_cell_text },
    { "PORT", "port", lamp_cell_number },  { "NAME", "name", lamp_cell_text },
    { "ASN", "asn", lamp_cell_number },    { "APPLICATION", "application", lamp_cell_text },
    { "STATE", "state", lamp_cell_text },  { "SEEN", "last", lamp_cell_age },
    { "BYTES", "bytes", lamp_cell_bytes }, { NULL, NULL, NULL },
};

static const struct lamp_column versions[] = {
    { "VERSION", "version", lamp_cell_number },
    { "AGE", "at", lamp_cell_age },
    { "BY", "by", lamp_cell_text },
    { "DESTINATIONS", "destinations", lamp_cell_number },
    { "WHAT", "note", lamp_cell_text },
    { NULL, NULL, NULL },
};

static void show_body(const char *what, const json_t *b)
{
    static const char *const kinds[] = { "mining", "other" };
    char wallet[LAMP_CELL];
    const json_t *w;
    size_t i;
    if (!json_is_object(b))
        return;
    printf("%s: learned from %" PRId64 " minutes\n", what, lamp_number(b, "minutes"));
    for (i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *s = json_object_get(b, kinds[i]);
        printf("  %s traffic: %.0f bytes a minute, %.0f to %.0f is no chance yet\n", kinds[i],
               json_number_value(json_object_get(s, "mean")),
               json_number_value(json_object_get(s, "low")),
               json_number_value(json_object_get(s, "high")));
    }
    if (json_is_number(json_object_get(b, "quiet")))
        printf("  silent after %.0f seconds\n", json_number_value(json_object_get(b, "quiet")));
    json_array_foreach(json_object_get(b, "wallets"), i, w)
        printf("  wallet %s\n", lamp_cell_safe(json_string_value(w), wallet));
    lamp_table_print(json_object_get(b, "destinations"), places, 0);
}

static void show_detail(const json_t *answer)
{
    lamp_table_print(json_object_get(answer, "baseline"), baselines, lamp_cli_now());
    show_body("in force", json_object_get(answer, "current"));
    show_body("draft, to be accepted", json_object_get(answer, "draft"));
    if (json_array_size(json_object_get(answer, "unexpected")) > 0) {
        printf("unexpected:\n");
        lamp_table_print(json_object_get(answer, "unexpected"), unexpected, lamp_cli_now());
    }
    if (json_array_size(json_object_get(answer, "versions")) > 0)
        lamp_table_print(json_object_get(answer, "versions"), versions, lamp_cli_now());
}

static int show(lamp_client *c, const struct options *o, int64_t id)
{
    char path[64];
    snprintf(path, sizeof(path), "/baselines/%" PRId64, id);
    return lamp_cli_get(c, o, path, show_detail);
}

/* ---- changing ---- */

/* Sends the body, which it takes, and says in words what came of it. */
static int change(lamp_client *c, const struct options *o, const char *path, json_t *body,
                  const char *done)
{
    json_t *answer;
    const int result = lamp_cli_send(c, o, "POST", path, body, &answer);
    const int64_t id = lamp_number(json_array_get(json_object_get(answer, "baseline"), 0), "id");
    json_decref(answer);
    return lamp_cli_say(o, result, "baseline %" PRId64 " %s", id, done);
}

/* "miner ID" or "HOST" with --site. */
static json_t *whose(const struct options *o, char **args, int n, int *out_used)
{
    int64_t id;
    *out_used = 0;
    if (n > 1 && streq(args[0], "miner") && lamp_text_int(args[1], 1, INT64_MAX, &id) == LAMP_OK) {
        *out_used = 2;
        return json_pack("{s:I}", "miner", (json_int_t)id);
    }
    if (n == 0 || !o->site)
        return NULL;
    *out_used = 1;
    return json_pack("{s:s, s:s}", "host", args[0], "site", o->site);
}

static int learn(lamp_client *c, const struct options *o, char **args, int n)
{
    int used;
    json_t *body = whose(o, args, n, &used);
    if (!body)
        return lamp_cli_usage("'baseline learn' needs miner ID, or HOST with --site");
    const int result = lamp_cli_values(body, args + used, n - used);
    if (result != EXIT_GOOD) {
        json_decref(body);
        return result;
    }
    return change(c, o, "/baselines", body, "has a draft, or learns one: see it, then accept it");
}

static int copy(lamp_client *c, const struct options *o, int64_t id, char **args, int n)
{
    char path[64];
    int used;
    json_t *body = whose(o, args, n, &used);
    if (!body || used != n) {
        json_decref(body);
        return lamp_cli_usage("'baseline copy ID' needs miner ID, or HOST with --site");
    }
    snprintf(path, sizeof(path), "/baselines/%" PRId64 "/copy", id);
    return change(c, o, path, body, "has a draft: see it, then accept it");
}

/* The draft, an older version, or what was said to an unexpected destination. */
static int say(lamp_client *c, const struct options *o, const char *action, int64_t id, char **args,
               int n)
{
    char path[64];
    int64_t no = 0;
    const bool draft = n == 0 && streq(action, "accept");
    const bool again = n == 1 && streq(action, "accept") && strncmp(args[0], "version=", 8) == 0;
    if (!draft &&
        (n != 1 || lamp_text_int(args[0] + (again ? 8 : 0), 1, INT64_MAX, &no) != LAMP_OK))
        return lamp_cli_usage("'baseline %s ID' needs the number of an unexpected destination",
                              action);
    snprintf(path, sizeof(path), "/baselines/%" PRId64 "/%s", id,
             draft || again ? "accept" : "destinations");
    json_t *body = draft   ? json_pack("{s:s*}", "note", o->reason)
                   : again ? json_pack("{s:I, s:s*}", "version", (json_int_t)no, "note", o->reason)
                           : json_pack("{s:I, s:s, s:s*}", "destination", (json_int_t)no, "action",
                                       action, "reason", streq(action, "block") ? o->reason : NULL);
    return change(c, o, path, body,
                  streq(action, "accept")  ? "has a new version"
                  : streq(action, "watch") ? "watches it"
                                           : "notes the block");
}

static int export(lamp_client *c, const struct options *o, int64_t id, const char *to)
{
    char path[64];
    snprintf(path, sizeof(path), "/baselines/%" PRId64 "/export", id);
    if (!to)
        return lamp_cli_get(c, o, path, lamp_cli_print);
    FILE *f = fopen(to, "wbe");
    if (!f) {
        fprintf(stderr, "davylamp: %s cannot be written\n", to);
        return EXIT_FAILED;
    }
    const int err = lamp_client_fetch(c, path, f);
    const bool bad = fclose(f) != 0;
    if (!err && bad)
        fprintf(stderr, "davylamp: %s cannot be written\n", to);
    if (err || bad)
        (void)remove(to);
    return err || bad ? EXIT_FAILED : EXIT_GOOD;
}

static int import(lamp_client *c, const struct options *o, const char *from, char **args, int n)
{
    json_error_t problem;
    int used;
    json_t *body = whose(o, args, n, &used);
    if (!body || used != n) {
        json_decref(body);
        return lamp_cli_usage("'baseline import FILE' needs miner ID, or HOST with --site");
    }
    json_t *doc = json_load_file(from, 0, &problem);
    if (!doc || json_object_set_new(body, "document", doc) != 0) {
        fprintf(stderr, "davylamp: %s: %s\n", from, doc ? "no memory" : problem.text);
        json_decref(body);
        return EXIT_FAILED;
    }
    return change(c, o, "/baselines", body, "has a draft: see it, then accept it");
}

static int take_out(lamp_client *c, const struct options *o, int64_t id)
{
    char path[64];
    snprintf(path, sizeof(path), "/baselines/%" PRId64, id);
    return lamp_cli_say(o, lamp_cli_call(c, o, "DELETE", path, NULL),
                        "baseline %" PRId64 " is taken out", id);
}

int lamp_cli_baseline(lamp_client *c, const struct options *o, char **args, int n)
{
    int64_t id = 0;
    if (n == 0 || (n == 1 && streq(args[0], "list")))
        return lamp_cli_list(c, o, "/baselines", "baselines", baselines);
    if (n > 1 && streq(args[0], "learn"))
        return learn(c, o, args + 1, n - 1);
    if (n > 2 && streq(args[0], "import"))
        return import(c, o, args[1], args + 2, n - 2);
    if (n == 1 && lamp_text_int(args[0], 1, INT64_MAX, &id) == LAMP_OK)
        return show(c, o, id);
    if (n > 1 && lamp_cli_number(args[1], "a baseline", &id) != EXIT_GOOD)
        return EXIT_USAGE;
    if (n == 2 && streq(args[0], "show"))
        return show(c, o, id);
    if (n > 1 && (streq(args[0], "accept") || streq(args[0], "watch") || streq(args[0], "block")))
        return say(c, o, args[0], id, args + 2, n - 2);
    if (n > 2 && streq(args[0], "copy"))
        return copy(c, o, id, args + 2, n - 2);
    if ((n == 2 || n == 3) && streq(args[0], "export"))
        return export(c, o, id, n == 3 ? args[2] : NULL);
    if (n == 2 && streq(args[0], "delete"))
        return take_out(c, o, id);
    return lamp_cli_usage(
        "'baseline' takes: list, [show] ID, learn WHOSE [KEY=VALUE]..., accept ID "
        "[N|version=N], watch ID N, block ID N, copy ID WHOSE, export ID [FILE], "
        "import FILE WHOSE, delete ID");
}
