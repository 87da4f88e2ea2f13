/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about what the fleet learned by itself. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

static const struct lamp_column columns[] = {
    { "ID", "id", lamp_cell_number },         { "WHAT", "kind", lamp_cell_text },
    { "ADDRESS", "address", lamp_cell_text }, { "PORT", "port", lamp_cell_number },
    { "WALLET", "wallet", lamp_cell_text },   { "COIN", "coin", lamp_cell_text },
    { "POOL", "pool", lamp_cell_text },       { "VERDICT", "verdict", lamp_cell_text },
    { "MET AT", "site", lamp_cell_text },     { "LAST SEEN", "last", lamp_cell_age },
    { "STATE", "state", lamp_cell_text },     { "BY", "said_by", lamp_cell_text },
    { "NOTE", "note", lamp_cell_text },       { NULL, NULL, NULL },
};

static int say(lamp_client *c, const struct options *o, const char *word, char **args, int n)
{
    char path[64];
    int64_t id, days = 0;
    const bool extend = streq(word, "extend");
    const int result = lamp_cli_number(args[0], "what was learned", &id);
    if (result != EXIT_GOOD)
        return result;
    if (n > 2 || (n == 2 && (!extend || lamp_text_int(args[1], 1, 365, &days) != LAMP_OK)))
        return lamp_cli_usage("'knowledge extend ID [DAYS]' needs days from 1 to 365");
    json_t *body = json_pack("{s:s, s:s*}", "say", streq(word, "forget") ? "nothing" : word, "note",
                             o->reason);
    if (body && days)
        json_object_set_new(body, "days", json_integer(days));
    snprintf(path, sizeof(path), "/knowledge/%" PRId64, id);
    json_t *answer;
    const int done = lamp_cli_send(c, o, "PATCH", path, body, &answer);
    const char *state = json_string_value(json_object_get(answer, "state"));
    char cell[LAMP_CELL] = "";
    if (state)
        lamp_cell_safe(state, cell);
    json_decref(answer);
    return lamp_cli_say(o, done, "knowledge %" PRId64 " is %s; sensors know within a minute", id,
                        cell);
}

int lamp_cli_knowledge(lamp_client *c, const struct options *o, char **args, int n)
{
    static const char *const words[] = { "accept", "mute", "extend", "forget" };
    if (n == 0)
        return lamp_cli_pages(c, o, "/knowledge", "knowledge", columns);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (streq(args[0], words[i]) && n > 1)
            return say(c, o, words[i], args + 1, n - 1);
    return lamp_cli_usage("'knowledge' is followed by accept, mute, extend or forget, and an ID");
}
