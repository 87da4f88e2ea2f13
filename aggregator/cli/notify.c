/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about receivers of alerts, and exports for other tools. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

static int show_test(const char *name, const json_t *answer)
{
    char safe[512];
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (json_is_true(json_object_get(answer, "sent"))) {
        printf("%s took the test message\n", name);
        return EXIT_GOOD;
    }
    fprintf(stderr, "davylamp: %s: %s\n", name,
            error ? lamp_text_safe((const uint8_t *)error, strlen(error), safe, sizeof(safe))
                  : "not sent");
    return EXIT_FAILED;
}

static const struct lamp_column receiver_columns[] = {
    { "NAME", "name", lamp_cell_text },
    { "KIND", "kind", lamp_cell_text },
    { "TO", "url", lamp_cell_text },
    { "MESSAGES", "messages", lamp_cell_number },
    { "ALERTS", "alerts", lamp_cell_number },
    { "MORE", "more", lamp_cell_number },
    { "SENT", "sent", lamp_cell_age },
    { "WAIT", "queued", lamp_cell_number },
    { "DEAD", "dead", lamp_cell_number },
    { "LAST ERROR", "error", lamp_cell_text },
    { NULL, NULL, NULL },
};

int lamp_cli_notify(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[80];
    json_t *answer = NULL;
    int code = EXIT_GOOD;
    if (n == 0)
        return lamp_cli_list(c, o, "/notify", "receivers", receiver_columns);
    const bool test = streq(args[0], "test");
    if (n != 2 || (!test && !streq(args[0], "retry")))
        return lamp_cli_usage("'notify' takes: test NAME, retry NAME");
    if (strlen(args[1]) > 32 ||
        strspn(args[1], "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(args[1]))
        return lamp_cli_usage("'%.40s' is not the name of a receiver", args[1]);
    snprintf(path, sizeof(path), "/notify/%s/%s", args[1], args[0]);
    if (lamp_client_call(c, "POST", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json) {
        lamp_cli_print(answer);
        code = test && !json_is_true(json_object_get(answer, "sent")) ? EXIT_FAILED : EXIT_GOOD;
    } else if (test) {
        code = show_test(args[1], answer);
    } else {
        printf("%" PRId64 " messages are tried again\n",
               (int64_t)json_integer_value(json_object_get(answer, "messages")));
    }
    json_decref(answer);
    return code;
}

int lamp_cli_export(lamp_client *c, const struct options *o, char **args, int n)
{
    const bool misp = streq(args[0], "misp"), event = misp && n == 2 && streq(args[1], "event");
    (void)o;
    if ((!misp && !streq(args[0], "stix")) || (n == 2 && !event))
        return lamp_cli_usage("'export' takes: stix, misp, misp event");
    const char *path = event ? "/export/misp?format=event" : misp ? "/export/misp" : "/export/stix";
    if (lamp_client_fetch(c, path, stdout) != LAMP_OK)
        return EXIT_FAILED;
    if (event || !misp)
        putchar('\n');
    return EXIT_GOOD;
}
