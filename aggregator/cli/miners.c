/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about miners: which there are, how one came about, and which are wanted. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"

#include <inttypes.h>
#include <stdio.h>

static const struct lamp_column miner_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "SITE", "site", lamp_cell_text },
    { "HOST", "host", lamp_cell_text },
    { "STATE", "state", lamp_cell_text },
    { "COIN", "coins", lamp_cell_newest },
    { "HASH RATE", "hashrate", lamp_cell_rate },
    { "SHARES", "shares.submitted", lamp_cell_number },
    { "WORKER", "workers", lamp_cell_newest },
    { "WALLET", "wallets", lamp_cell_newest },
    { "POOL", "pools", lamp_cell_newest },
    { "LAST", "last", lamp_cell_age },
    { NULL, NULL, NULL },
};

static const struct lamp_column connection_columns[] = {
    { "SERVER", "server.ip", lamp_cell_text },   { "PORT", "server.port", lamp_cell_number },
    { "VERDICT", "verdict", lamp_cell_text },    { "COIN", "coin", lamp_cell_text },
    { "FAMILY", "family", lamp_cell_text },      { "SHARES", "shares.submitted", lamp_cell_number },
    { "HASH RATE", "hashrate", lamp_cell_rate }, { "BYTES", "bytes", lamp_cell_traffic },
    { "LAST", "last", lamp_cell_age },           { NULL, NULL, NULL },
};

static void show_names(const char *label, const json_t *o, const char *key)
{
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(o, key), i, v)
    {
        char buf[LAMP_CELL];
        printf("%-12s %s\n", i ? "" : label, lamp_cell_text(v, "", 0, buf));
    }
}

/* The evidence of the newest connection that has any. */
static void show_evidence(const json_t *list, double now)
{
    size_t i, k;
    json_t *c, *e;
    json_array_foreach(list, i, c)
    {
        const json_t *evidence = json_object_get(c, "evidence");
        if (json_array_size(evidence) == 0)
            continue;
        printf("\nevidence of the newest connection\n");
        json_array_foreach(evidence, k, e)
        {
            char kind[LAMP_CELL], detail[LAMP_CELL], from[LAMP_CELL], field[LAMP_CELL],
                seen[LAMP_CELL], strength[LAMP_CELL], refute[LAMP_CELL];
            printf("  %-16s %s\n", lamp_cell_text(e, "kind", now, kind),
                   lamp_cell_text(e, "detail", now, detail));
            printf("  %-16s %s, in: %s, sent by: %s %s ago; refuted by: %s\n", "",
                   lamp_cell_text(e, "strength", now, strength),
                   lamp_cell_text(e, "seen_in", now, field), lamp_cell_text(e, "from", now, from),
                   lamp_cell_age(e, "time", now, seen),
                   lamp_cell_text(e, "refuted_by", now, refute));
        }
        return;
    }
}

static void show_miner(const json_t *m)
{
    const double now = lamp_cli_now();
    char a[LAMP_CELL], b[LAMP_CELL];
    const json_t *shares = json_object_get(m, "shares"), *rate = json_object_get(m, "hashrate");
    const json_t *connections = json_object_get(m, "connection_list");
    printf("miner        %" PRId64 ", %s at site %s\n", lamp_number(m, "id"),
           lamp_cell_text(m, "host", now, a), lamp_cell_text(m, "site", now, b));
    printf("state        %s, confidence %.0f %%\n", lamp_cell_text(m, "state", now, a),
           100 * json_number_value(json_object_get(m, "confidence")));
    printf("since        %s ago, ", lamp_cell_age(m, "since", now, a));
    printf("last seen %s ago\n", lamp_cell_age(m, "last", now, a));
    show_names("coin", m, "coins");
    show_names("wallet", m, "wallets");
    show_names("worker", m, "workers");
    show_names("software", m, "agents");
    show_names("pool", m, "pools");
    show_names("platform", m, "platforms");
    if (json_is_object(rate))
        printf("hash rate    %s, by %s\n", lamp_cell_rate(m, "hashrate", now, a),
               lamp_cell_text(rate, "method", now, b));
    printf("shares       %" PRId64 " submitted, %" PRId64 " accepted, %" PRId64
           " rejected, %" PRId64 " stale\n",
           lamp_number(shares, "submitted"), lamp_number(shares, "accepted"),
           lamp_number(shares, "rejected"), lamp_number(shares, "stale"));
    printf("traffic      %s, %" PRId64 " connections, %" PRId64 " open\n\n",
           lamp_cell_traffic(m, "bytes", now, a), lamp_number(m, "connections"),
           lamp_number(m, "open_connections"));
    lamp_table_print(connections, connection_columns, now);
    show_evidence(connections, now);
}

static int show_one_miner(lamp_client *c, const struct options *o, const char *id_text)
{
    char path[64];
    int64_t id;
    if (lamp_cli_number(id_text, "a miner", &id) != EXIT_GOOD)
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/miners/%" PRId64, id);
    return lamp_cli_get(c, o, path, show_miner);
}

int lamp_cli_miners(lamp_client *c, const struct options *o, char **args, int n)
{
    return n > 0 ? show_one_miner(c, o, args[0])
                 : lamp_cli_pages(c, o, "/miners?limit=1000", "miners", miner_columns);
}

static const struct lamp_column state_columns[] = {
    { "AGE", "at", lamp_cell_age }, { "STATE", "state", lamp_cell_text },
    { "BY", "by", lamp_cell_text }, { "REASON", "reason", lamp_cell_text },
    { NULL, NULL, NULL },
};

/* Which sensor saw it; several sites' sensors did what has none. */
static const char *seen_by(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    return json_is_null(lamp_at(row, path)) ? "(several sites)"
                                            : lamp_cell_text(row, path, now, buf);
}

static const struct lamp_column reason_columns[] = {
    { "FIRST", "first", lamp_cell_age },
    { "LAST", "last", lamp_cell_age },
    { "SENSOR", "sensor", seen_by },
    { "KIND", "kind", lamp_cell_text },
    { "DETAIL", "detail", lamp_cell_text },
    { "STRENGTH", "strength", lamp_cell_text },
    { NULL, NULL, NULL },
};

static void show_timeline(const json_t *answer)
{
    const double now = lamp_cli_now();
    const int64_t left_out = lamp_number(answer, "left_out");
    lamp_table_print(lamp_at(answer, "states"), state_columns, now);
    putchar('\n');
    lamp_table_print(lamp_at(answer, "reasons"), reason_columns, now);
    if (left_out)
        printf("and %" PRId64 " more\n", left_out);
}

int lamp_cli_timeline(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id;
    (void)n;
    if (lamp_cli_number(args[0], "a miner", &id) != EXIT_GOOD)
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/miners/%" PRId64 "/timeline", id);
    return lamp_cli_get(c, o, path, show_timeline);
}

int lamp_cli_mark(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id;
    (void)n;
    if (lamp_cli_number(args[0], "a miner", &id) != EXIT_GOOD)
        return EXIT_USAGE;
    if (!streq(args[1], "sanctioned") && !streq(args[1], "dismissed") && !streq(args[1], "none"))
        return lamp_cli_usage("'%.40s' is neither sanctioned, dismissed nor none", args[1]);
    snprintf(path, sizeof(path), "/miners/%" PRId64, id);
    json_t *body = json_pack("{s:s?, s:s?}", "mark", streq(args[1], "none") ? NULL : args[1],
                             "reason", o->reason);
    return lamp_cli_say(o, lamp_cli_send(c, o, "PATCH", path, body, NULL),
                        "miner %" PRId64 " is marked %s", id, args[1]);
}

/* ---- the owner's lists ---- */

static const struct lamp_column own_columns[] = {
    { "ID", "id", lamp_cell_number },     { "KIND", "kind", lamp_cell_text },
    { "VALUE", "value", lamp_cell_text }, { "SITE", "site", lamp_cell_all },
    { "AGE", "added", lamp_cell_age },    { "BY", "added_by", lamp_cell_text },
    { "NOTE", "note", lamp_cell_text },   { NULL, NULL, NULL },
};

static int add_own(lamp_client *c, const struct options *o, char **args)
{
    json_t *answer, *body = json_pack("{s:s, s:s, s:s?, s:s?}", "kind", args[1], "value", args[2],
                                      "site", o->site, "note", o->reason);
    const int result = lamp_cli_send(c, o, "POST", "/own", body, &answer);
    const int64_t id = lamp_number(answer, "id");
    json_decref(answer);
    return lamp_cli_say(o, result, "entry %" PRId64 " added", id);
}

/* The owner's lists: what is on them, one more, one less. */
int lamp_cli_own(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id;
    if (n == 0)
        return lamp_cli_list(c, o, "/own", "own", own_columns);
    if (n == 3 && streq(args[0], "add"))
        return add_own(c, o, args);
    if (n != 2 || !streq(args[0], "remove"))
        return lamp_cli_usage("'own' takes: add KIND VALUE, or remove ID");
    if (lamp_cli_number(args[1], "an entry", &id) != EXIT_GOOD)
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/own/%" PRId64, id);
    return lamp_cli_say(o, lamp_cli_call(c, o, "DELETE", path, NULL), "entry %" PRId64 " removed",
                        id);
}
