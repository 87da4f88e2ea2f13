/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about sensors and their keys. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/keys.h"
#include "aggregator/cli/table.h"

#include <inttypes.h>
#include <stdio.h>

/* "online", "silent", or that another sensor was seen to use its key within the last hour. */
static const char *presence(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const json_t *shared = lamp_at(row, "shared_key");
    (void)buf;
    if (json_is_number(shared) && now - json_number_value(shared) < 3600)
        return "shared key";
    return json_is_true(lamp_at(row, path)) ? "online" : "silent";
}

/* "confirmed 41", "rolled-back 42, holds 41". */
static const char *list_state(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    char state[LAMP_CELL];
    const json_t *e = lamp_at(row, path), *about = lamp_at(e, "about");
    const char *word = lamp_cell_text(e, "state", now, state);
    if (json_is_object(about))
        snprintf(buf, LAMP_CELL, "%.60s %" PRId64 ", holds %" PRId64, word,
                 lamp_number(about, "serial"), lamp_number(e, "serial"));
    else
        snprintf(buf, LAMP_CELL, "%.60s %" PRId64, word, lamp_number(e, "serial"));
    return buf;
}

/* "watch 57, never refused". */
static const char *set_states(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    size_t i, len = 0;
    json_t *v;
    snprintf(buf, LAMP_CELL, "-");
    json_array_foreach(lamp_at(row, path), i, v)
    {
        char kind[LAMP_CELL], state[LAMP_CELL], serial[LAMP_CELL];
        const char *word = lamp_cell_text(v, "state", now, state);
        if (streq(word, "confirmed"))
            word = lamp_cell_number(v, "serial", now, serial);
        if (len < LAMP_CELL)
            len += (size_t)snprintf(buf + len, LAMP_CELL - len, "%s%.20s %.40s", len ? ", " : "",
                                    lamp_cell_text(v, "kind", now, kind), word);
    }
    return buf;
}

static const struct lamp_column sensor_columns[] = {
    { "SITE", "site", lamp_cell_text },
    { "SENSOR", "id", lamp_cell_text },
    { "STATE", "online", presence },
    { "SEEN", "last_seen", lamp_cell_age },
    { "VERSION", "version", lamp_cell_text },
    { "WATCHED", "bytes", lamp_cell_bytes },
    { "DROPS", "drops", lamp_cell_number },
    { "LOST", "lost", lamp_cell_number },
    { "BLOCKING", "enforcement.mode", lamp_cell_text },
    { "LIST", "enforcement", list_state },
    { "IN KERNEL", "enforcement.elements", lamp_cell_number },
    { "CUT", "enforcement.flows_cut", lamp_cell_number },
    { "REPAIRS", "enforcement.repairs", lamp_cell_number },
    { "OTHER LISTS", "sets", set_states },
    { NULL, NULL, NULL },
};

/* ---- who may connect ---- */

static const char *key_state(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const bool stays = json_is_null(lamp_at(row, "expires"));
    return stays || !json_is_null(lamp_at(row, "ended")) ? lamp_cell_text(row, path, now, buf)
                                                         : "being replaced";
}

static const struct lamp_column key_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "SITE", "site", lamp_cell_text },
    { "SENSOR", "sensor", lamp_cell_text },
    { "STATE", "state", key_state },
    { "USED", "used", lamp_cell_age },
    { "ADDED", "added", lamp_cell_age },
    { "BY", "added_by", lamp_cell_text },
    { "FINGERPRINT", "fingerprint", lamp_cell_text },
    { NULL, NULL, NULL },
};

static const struct lamp_column pending_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "ASKS AS", "name", lamp_cell_text },
    { "OF SITE", "site", lamp_cell_text },
    { "FROM", "address", lamp_cell_text },
    { "LAST", "last", lamp_cell_age },
    { "ASKED", "asks", lamp_cell_number },
    { "VERSION", "version", lamp_cell_text },
    { "FINGERPRINT", "fingerprint", lamp_cell_text },
    { NULL, NULL, NULL },
};

/* How many sensors hold the newest key that the aggregator announced. */
static void show_announced(const json_t *sensors)
{
    int64_t newest = 0;
    size_t i, n = 0;
    json_t *s;
    json_array_foreach(sensors, i, s)
    {
        const int64_t serial = lamp_number(s, "server_key_serial");
        n = serial > newest ? 1 : n + (serial == newest);
        newest = serial > newest ? serial : newest;
    }
    if (newest)
        printf("The newest key that the aggregator announced is held by %zu of %zu sensors.\n", n,
               json_array_size(sensors));
}

static void show_keys(const json_t *answer, const json_t *sensors, double now)
{
    const json_t *pending = json_object_get(answer, "pending");
    const int64_t refused = lamp_number(answer, "pending_refused");
    lamp_table_print(json_object_get(answer, "keys"), key_columns, now);
    if (json_array_size(pending) > 0) {
        puts("\nWaiting to be let in. Compare the fingerprint with what `davylamp-sensor key` says "
             "there:");
        lamp_table_print(pending, pending_columns, now);
    }
    if (refused)
        printf("%" PRId64 " questions of strangers found the list of those who wait full.\n",
               refused);
    if (json_array_size(json_object_get(answer, "enrollments")) > 0)
        printf("%zu tokens of `davylamp enroll` can still be used.\n",
               json_array_size(json_object_get(answer, "enrollments")));
    show_announced(sensors);
}

static int list_keys(lamp_client *c, const struct options *o)
{
    json_t *answer = NULL;
    if (lamp_client_call(c, "GET", "/keys", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    json_t *sensors = NULL;
    int result = EXIT_GOOD;
    if (o->json) {
        lamp_cli_print(answer);
    } else if (lamp_client_call(c, "GET", "/sensors", NULL, &sensors) == LAMP_OK) {
        show_keys(answer, json_object_get(sensors, "sensors"), lamp_cli_now());
        json_decref(sensors);
    } else {
        result = EXIT_FAILED;
    }
    json_decref(answer);
    return result;
}

static void show_key(const char *done, const json_t *key)
{
    char sensor[LAMP_CELL], site[LAMP_CELL], print[LAMP_CELL];
    printf("%s: sensor %s of site %s, fingerprint %s\n", done,
           lamp_cell_text(key, "sensor", 0, sensor), lamp_cell_text(key, "site", 0, site),
           lamp_cell_text(key, "fingerprint", 0, print));
}

/* Sends the body (taken) and says what came of it. */
static int change_key(lamp_client *c, const struct options *o, const char *kind, const json_t *key,
                      json_t *body, const char *done)
{
    char path[64];
    json_t *answer;
    snprintf(path, sizeof(path), "/%s/%" PRId64, kind, lamp_number(key, "id"));
    const int result = lamp_cli_send(c, o, "POST", path, body, &answer);
    if (answer)
        show_key(done, answer);
    json_decref(answer);
    return result;
}

struct key_command {
    const char *name;
    const char *list;    /* where the key is: pending or keys */
    const char *said;    /* the member that may name it too */
    const char *done;    /* for people */
    bool all_that_match; /* else exactly one must */
    unsigned takes;
};

static const struct key_command key_commands[] = {
    { "approve", "pending", "name", "let in", false, TAKES_SITE | TAKES_NAME },
    { "reject", "pending", "name", "kept out", false, 0 },
    { "revoke", "keys", "sensor", "revoked", true, 0 },
    { "rotate", "keys", "sensor", "asked for a new key", false, 0 },
};

static json_t *key_body(const struct key_command *k, const struct options *o)
{
    json_t *body = json_pack("{s:s}", "action", k->name);
    if (body && o->site)
        json_object_set_new(body, "site", json_string(o->site));
    if (body && o->name)
        json_object_set_new(body, "name", json_string(o->name));
    return body;
}

/* Whether a key of the list can be meant: one that holds, and (to rotate) is not on its way out. */
static bool may_be_meant(const struct key_command *k, const json_t *key)
{
    const char *state = json_string_value(json_object_get(key, "state"));
    return !state || (streq(state, "active") &&
                      (!streq(k->name, "rotate") || json_is_null(json_object_get(key, "expires"))));
}

static int run_key_command(lamp_client *c, const struct options *o, const struct key_command *k,
                           const char *text)
{
    json_t *answer = NULL, *key, *found[16] = { NULL };
    size_t i, n = 0;
    int result = EXIT_GOOD;
    if (lamp_client_call(c, "GET", "/keys", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    json_array_foreach(json_object_get(answer, k->list), i, key)
    {
        if (n < ARRAY_LEN(found) && may_be_meant(k, key) && lamp_cli_names(key, text, k->said))
            found[n++] = key;
    }
    if (n == 0 || (n > 1 && !k->all_that_match)) {
        fprintf(stderr, "davylamp: %s '%.64s' (see davylamp sensors keys)\n",
                n ? "more than one key is meant by" : "no key is called", text);
        result = EXIT_FAILED;
        n = 0;
    }
    for (i = 0; i < n && result == EXIT_GOOD; i++)
        result = change_key(c, o, k->list, found[i], key_body(k, o), k->done);
    json_decref(answer);
    return result;
}

int lamp_cli_sensors(lamp_client *c, const struct options *o, char **args, int n)
{
    const char *what = n > 0 ? args[0] : "list";
    const bool list = streq(what, "list");
    if ((list || streq(what, "keys")) && (n > 1 || o->given & ~(unsigned)TAKES_LIST))
        return lamp_cli_usage("'sensors %s' takes nothing more", what);
    if (list)
        return lamp_cli_list(c, o, "/sensors", "sensors", sensor_columns);
    if (streq(what, "keys"))
        return list_keys(c, o);
    for (size_t i = 0; i < ARRAY_LEN(key_commands); i++) {
        const struct key_command *k = &key_commands[i];
        if (!streq(k->name, what))
            continue;
        if (n != 2)
            return lamp_cli_usage("'sensors %s' needs one key", what);
        if (o->given & ~k->takes)
            return lamp_cli_usage("'sensors %s' does not take that option", what);
        if ((k->takes & TAKES_SITE) && !o->site)
            return lamp_cli_usage("'sensors %s' needs --site", what);
        return run_key_command(c, o, k, args[1]);
    }
    return lamp_cli_usage("there is no 'sensors %.40s'", what);
}

static void show_token(const json_t *token)
{
    char text[LAMP_CELL], left[LAMP_CELL];
    puts(lamp_cell_text(token, "token", 0, text));
    fprintf(stderr,
            "Good for one sensor and %s. On it: davylamp-sensor --link-endpoint tcp://HOST:PORT "
            "enroll TOKEN\n",
            lamp_cell_left(token, "expires", lamp_cli_now(), left));
}

int lamp_cli_enroll(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *answer, *body = NULL;
    (void)args, (void)n;
    if (!o->site)
        return lamp_cli_usage("'enroll' needs --site");
    body = json_pack("{s:s, s:s*}", "site", o->site, "name", o->name);
    if (body && o->ttl_s)
        json_object_set_new(body, "ttl", json_integer(o->ttl_s));
    const int result = lamp_cli_send(c, o, "POST", "/enrollments", body, &answer);
    if (answer)
        show_token(answer);
    json_decref(answer);
    return result;
}
