/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about blocks, and the sites whose block lists are held. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* How many sensors have it in which state: "2 applied, 1 failed". */
static const char *sensor_states(const json_t *row, const char *path, double now,
                                 char buf[LAMP_CELL])
{
    static const char *const states[] = { "applied", "sent", "pending", "failed", "removed" };
    size_t len = 0;
    (void)now;
    snprintf(buf, LAMP_CELL, "-");
    for (size_t k = 0; k < ARRAY_LEN(states); k++) {
        size_t i, n = 0;
        json_t *s;
        json_array_foreach(lamp_at(row, path), i, s)
        {
            const char *state = json_string_value(json_object_get(s, "state"));
            n += state && streq(state, states[k]);
        }
        if (n && len < LAMP_CELL)
            len += (size_t)snprintf(buf + len, LAMP_CELL - len, "%s%zu %s", len ? ", " : "", n,
                                    states[k]);
    }
    return buf;
}

/* The packets that all sensors dropped for it. */
static const char *dropped(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    double n = 0;
    size_t i;
    json_t *s;
    (void)now;
    json_array_foreach(lamp_at(row, path), i, s) n += json_number_value(lamp_at(s, "hits.packets"));
    snprintf(buf, LAMP_CELL, "%.0f", n);
    return buf;
}

static const char *port(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    return lamp_number(row, path) ? lamp_cell_number(row, path, now, buf) : "any";
}

static bool waits(const json_t *block)
{
    const char *state = json_string_value(lamp_at(block, "approval.state"));
    return state && streq(state, "waiting");
}

static const char *ends(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    return waits(row)                              ? "waits"
           : !json_is_true(lamp_at(row, "active")) ? "ended"
                                                   : lamp_cell_left(row, path, now, buf);
}

static const struct lamp_column block_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "KIND", "kind", lamp_cell_text },
    { "TARGET", "target", lamp_cell_text },
    { "PORT", "port", port },
    { "SITE", "site", lamp_cell_all },
    { "BY", "created_by", lamp_cell_text },
    { "ENDS IN", "expires", ends },
    { "SENSORS", "sensors", sensor_states },
    { "DROPPED", "sensors", dropped },
    { "REASON", "reason", lamp_cell_text },
    { NULL, NULL, NULL },
};

int lamp_cli_blocks(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    return lamp_cli_list(c, o, "/blocks", "blocks", block_columns);
}

static void show_entered(const json_t *block)
{
    char needs[LAMP_CELL];
    if (waits(block))
        printf("block %" PRId64 " waits for the approval of another person: %s\n",
               lamp_number(block, "id"), lamp_cell_text(block, "approval.needs", 0, needs));
    else
        printf("block %" PRId64 " entered; 'davylamp blocks' shows when the sensors have it\n",
               lamp_number(block, "id"));
}

/* What has a letter and a dot, and neither slash nor colon, is the name of a domain. */
static const char *kind_of(const struct options *o, const char *target)
{
    bool letter = false;
    for (const char *c = target; *c; c++)
        letter |= isalpha((unsigned char)*c) != 0;
    const bool name = letter && strchr(target, '.') && !strpbrk(target, "/:");
    return o->host ? "host" : name ? "domain" : "remote";
}

static json_t *block_request(const struct options *o, const char *target)
{
    json_t *body = json_pack("{s:s, s:s}", "kind", kind_of(o, target), "target", target);
    if (o->port)
        json_object_set_new(body, "port", json_integer(o->port));
    if (o->site)
        json_object_set_new(body, "site", json_string(o->site));
    if (o->reason)
        json_object_set_new(body, "reason", json_string(o->reason));
    if (o->ttl_s)
        json_object_set_new(body, "ttl", json_integer(o->ttl_s));
    return body;
}

int lamp_cli_block(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *answer;
    (void)n;
    if (o->host && !o->site)
        return lamp_cli_usage("--host needs --site, since sites may share inside addresses");
    const int result = lamp_cli_send(c, o, "POST", "/blocks", block_request(o, args[0]), &answer);
    if (answer)
        show_entered(answer);
    json_decref(answer);
    return result;
}

int lamp_cli_unblock(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id;
    (void)n;
    if (lamp_cli_number(args[0], "a block", &id) != EXIT_GOOD)
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/blocks/%" PRId64, id);
    return lamp_cli_say(o, lamp_cli_call(c, o, "DELETE", path, NULL), "block %" PRId64 " lifted",
                        id);
}

static int decide(lamp_client *c, const struct options *o, const char *id_text, bool approve)
{
    char path[64];
    int64_t id;
    if (lamp_cli_number(id_text, "a block", &id) != EXIT_GOOD)
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/blocks/%" PRId64, id);
    return lamp_cli_say(
        o, lamp_cli_send(c, o, "PATCH", path, json_pack("{s:b}", "approve", approve), NULL),
        "block %" PRId64 " %s", id, approve ? "approved" : "refused");
}

int lamp_cli_approve(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return decide(c, o, args[0], true);
}

int lamp_cli_refuse(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return decide(c, o, args[0], false);
}

static const char *held(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    return json_is_object(lamp_at(row, "held")) ? lamp_cell_age(row, path, now, buf) : "no";
}

static const struct lamp_column site_columns[] = {
    { "SITE", "site", lamp_cell_text },
    { "SENSORS", "sensors", lamp_cell_number },
    { "HELD", "held.at", held },
    { "BY", "held.by", lamp_cell_text },
    { "RELEASE ASKED BY", "held.release_asked_by", lamp_cell_text },
    { NULL, NULL, NULL },
};

int lamp_cli_sites(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    return lamp_cli_list(c, o, "/sites", "sites", site_columns);
}

static int hold(lamp_client *c, const struct options *o, const char *site, bool on)
{
    json_t *answer;
    const int result = lamp_cli_send(c, o, "POST", "/sites",
                                     json_pack("{s:s, s:b}", "site", site, "hold", on), &answer);
    const bool still = json_is_object(json_object_get(answer, "held"));
    json_decref(answer);
    return lamp_cli_say(o, result, "%s",
                        on ? "held"
                        : still
                            ? "so much would come at once that another person has to release it too"
                            : "released");
}

int lamp_cli_hold(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return hold(c, o, args[0], true);
}

int lamp_cli_release(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return hold(c, o, args[0], false);
}
