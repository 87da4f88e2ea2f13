/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about what all of it comes to, and how one miner came about. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/show.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

int lamp_cli_estimates(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    json_t *answer = NULL;
    const char *by = n > 0 ? args[0] : "site";
    if (!streq(by, "site") && !streq(by, "coin"))
        return lamp_cli_usage("'estimates' are by site or by coin, not by '%.40s'", by);
    snprintf(path, sizeof(path), "/estimates?by=%s", by);
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        lamp_show_estimates(answer, by);
    json_decref(answer);
    return EXIT_GOOD;
}

int lamp_cli_timeline(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id;
    json_t *answer = NULL;
    (void)n;
    if (lamp_text_int(args[0], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'%.40s' is not the number of a miner", args[0]);
    snprintf(path, sizeof(path), "/miners/%" PRId64 "/timeline", id);
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        lamp_show_timeline(answer, lamp_cli_now());
    json_decref(answer);
    return EXIT_GOOD;
}
