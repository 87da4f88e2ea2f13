/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about what is tracked. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

static const struct lamp_column tracking_columns[] = {
    { "ID", "id", lamp_cell_number },          { "AGE", "created", lamp_cell_age },
    { "WHAT", "what", lamp_cell_target },      { "SITE", "site", lamp_cell_all },
    { "SENSORS", "sensors", lamp_cell_count }, { "STATE", "state", lamp_cell_text },
    { "ROWS", "rows", lamp_cell_number },      { "BY", "created_by", lamp_cell_text },
    { "REASON", "reason", lamp_cell_text },    { NULL, NULL, NULL },
};

static const struct lamp_column sensor_columns[] = {
    { "SENSOR", "sensor", lamp_cell_text },     { "SITE", "site", lamp_cell_text },
    { "STATE", "state", lamp_cell_text },       { "AGE", "changed", lamp_cell_age },
    { "PACKETS", "packets", lamp_cell_number }, { "BYTES", "bytes", lamp_cell_number },
    { "WORDS", "words", lamp_cell_text },       { NULL, NULL, NULL },
};

static const struct lamp_column step_columns[] = {
    { "AGE", "from", lamp_cell_age },
    { "BYTES OUT", "bytes.out", lamp_cell_number },
    { "BYTES IN", "bytes.in", lamp_cell_number },
    { "PACKETS OUT", "packets.out", lamp_cell_number },
    { "PACKETS IN", "packets.in", lamp_cell_number },
    { NULL, NULL, NULL },
};

static void show_sensors(const json_t *answer)
{
    lamp_table_print(json_object_get(answer, "sensors"), sensor_columns, lamp_cli_now());
}

static void show_steps(const json_t *answer)
{
    lamp_table_print(json_object_get(answer, "steps"), step_columns, lamp_cli_now());
}

static int start(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *answer, *body = json_pack("{s:s*, s:s*}", "site", o->site, "reason", o->reason);
    int used = 0;
    int result = body ? lamp_cli_target(body, "track start", args, n, &used) : EXIT_GOOD;
    if (body && result == EXIT_GOOD)
        result = lamp_cli_values(body, args + used, n - used);
    if (result != EXIT_GOOD) {
        json_decref(body);
        return result;
    }
    result = lamp_cli_send(c, o, "POST", "/trackings", body, &answer);
    const int64_t id = lamp_number(answer, "id");
    const size_t sensors = json_array_size(json_object_get(answer, "sensors"));
    json_decref(answer);
    return lamp_cli_say(o, result, "tracking %" PRId64 " is asked of %zu sensors", id, sensors);
}

int lamp_cli_track(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id = 0;
    if (n == 0 || (n == 1 && streq(args[0], "list")))
        return lamp_cli_list(c, o, "/trackings", "trackings", tracking_columns);
    if (n > 1 && streq(args[0], "start"))
        return start(c, o, args + 1, n - 1);
    if (n == 2 && lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'%.40s' is no number of a tracking", args[1]);
    if (n == 2 && streq(args[0], "show")) {
        snprintf(path, sizeof(path), "/trackings/%" PRId64, id);
        return lamp_cli_get(c, o, path, show_sensors);
    }
    if (n == 2 && streq(args[0], "history")) {
        snprintf(path, sizeof(path), "/trackings/%" PRId64 "/steps", id);
        return lamp_cli_get(c, o, path, show_steps);
    }
    if (n == 2 && streq(args[0], "stop")) {
        snprintf(path, sizeof(path), "/trackings/%" PRId64 "/end", id);
        return lamp_cli_say(o, lamp_cli_call(c, o, "POST", path, NULL),
                            "tracking %" PRId64 " has ended", id);
    }
    if (n == 2 && streq(args[0], "remove")) {
        snprintf(path, sizeof(path), "/trackings/%" PRId64, id);
        return lamp_cli_say(o, lamp_cli_call(c, o, "DELETE", path, NULL),
                            "tracking %" PRId64 " is taken out, with its samples", id);
    }
    return lamp_cli_usage("'track' takes: list, start WHAT [KEY=VALUE]..., show ID, history ID, "
                          "stop ID, remove ID");
}
