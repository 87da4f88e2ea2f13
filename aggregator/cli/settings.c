/* SPDX-License-Identifier: Apache-2.0 */
/* The command about settings of sites. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"

#include <inttypes.h>
#include <stdio.h>

static const struct lamp_column set_columns[] = {
    { "SETTING", "name", lamp_cell_text }, { "SITE", "site", lamp_cell_all },
    { "VALUE", "value", lamp_cell_text },  { "BY", "set_by", lamp_cell_text },
    { "SINCE", "set", lamp_cell_age },     { NULL, NULL, NULL },
};

/* What it may be: "1..300 s", "true|false", "LATITUDE LONGITUDE". */
static const char *range(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    char unit[LAMP_CELL];
    const char *type = json_string_value(lamp_at(row, path));
    if (type && streq(type, "choice"))
        return lamp_cell_text(row, "choices", now, buf);
    if (type && streq(type, "place"))
        return "\"LATITUDE LONGITUDE\"";
    if (!type || (!streq(type, "integer") && !streq(type, "number")))
        return "true|false";
    const bool has_unit = json_is_string(lamp_at(row, "unit"));
    snprintf(buf, LAMP_CELL, "%" PRId64 "..%" PRId64 "%s%.20s", lamp_number(row, "min"),
             lamp_number(row, "max"), has_unit ? " " : "",
             has_unit ? lamp_cell_text(row, "unit", now, unit) : "");
    return buf;
}

static const struct lamp_column known_columns[] = {
    { "CAN BE SET", "name", lamp_cell_text },
    { "TO", "type", range },
    { "DEFAULT", "default", lamp_cell_text },
    { "MEANING", "help", lamp_cell_text },
    { NULL, NULL, NULL },
};

static int show(lamp_client *c, const struct options *o)
{
    json_t *answer = NULL;
    if (o->json)
        return lamp_cli_list(c, o, "/settings", "settings", set_columns);
    const int result = lamp_cli_call(c, o, "GET", "/settings", &answer);
    const json_t *settings = json_object_get(answer, "settings");
    if (json_array_size(settings) > 0) {
        lamp_table_print(settings, set_columns, lamp_cli_now());
        putchar('\n');
    }
    if (answer)
        lamp_table_print(json_object_get(answer, "known"), known_columns, lamp_cli_now());
    json_decref(answer);
    return result;
}

int lamp_cli_settings(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[512], name[200], site[200];
    const char *where = o->site ? o->site : "all sites";
    if (n == 0)
        return show(c, o);
    const bool is_set = n == 3 && streq(args[0], "set");
    if (!is_set && !(n == 2 && streq(args[0], "unset")))
        return lamp_cli_usage("'settings' takes: set NAME VALUE, or unset NAME");
    if (!lamp_client_escape(args[1], name, sizeof(name)) ||
        !lamp_client_escape(o->site ? o->site : "", site, sizeof(site)))
        return lamp_cli_usage("a name is too long");
    if (is_set) {
        snprintf(path, sizeof(path), "/settings/%s", name);
        json_t *body = json_pack("{s:s, s:s?}", "value", args[2], "site", o->site);
        return lamp_cli_say(o, lamp_cli_send(c, o, "PUT", path, body, NULL), "%s is %s: %s",
                            args[1], args[2], where);
    }
    snprintf(path, sizeof(path), "/settings/%s%s%s", name, *site ? "?site=" : "", site);
    return lamp_cli_say(o, lamp_cli_call(c, o, "DELETE", path, NULL), "%s is no longer set: %s",
                        args[1], where);
}
