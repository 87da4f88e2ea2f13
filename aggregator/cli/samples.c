/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about packet samples. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

int lamp_cli_target(json_t *body, const char *command, char **args, int n, int *out_used)
{
    static const struct {
        const char *what, *fields[2];
        int n;
    } kinds[] = { { "everything", { NULL }, 0 },
                  { "host", { "host" }, 1 },
                  { "remote", { "remote" }, 1 },
                  { "connection", { "host", "remote" }, 2 },
                  { "miner", { "miner" }, 1 } };
    size_t k = 0;
    while (k < ARRAY_LEN(kinds) && !streq(kinds[k].what, args[0]))
        k++;
    if (k == ARRAY_LEN(kinds))
        return lamp_cli_usage("'%s' is about everything, a host, remote, connection or miner, "
                              "not '%.40s'",
                              command, args[0]);
    if (n < 1 + kinds[k].n)
        return lamp_cli_usage("'%s %s' needs %s", command, args[0],
                              kinds[k].n == 2 ? "two ADDRESS:PORT" : "what it is about");
    *out_used = 1 + kinds[k].n;
    int err = json_object_set_new(body, "what", json_string(args[0]));
    for (int i = 0; i < kinds[k].n && !err; i++) {
        int64_t id;
        const bool number =
            streq(args[0], "miner") && lamp_text_int(args[1], 1, INT64_MAX, &id) == LAMP_OK;
        err = json_object_set_new(body, kinds[k].fields[i],
                                  number ? json_integer(id) : json_string(args[1 + i]));
    }
    return err ? lamp_cli_usage("the order is not UTF-8") : EXIT_GOOD;
}

static int add_sample(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *answer, *body = json_pack("{s:s*, s:s*}", "site", o->site, "reason", o->reason);
    int used = 0;
    int result = body ? lamp_cli_target(body, "sample add", args, n, &used) : EXIT_GOOD;
    if (body && result == EXIT_GOOD)
        result = lamp_cli_values(body, args + used, n - used);
    if (result != EXIT_GOOD) {
        json_decref(body);
        return result;
    }
    result = lamp_cli_send(c, o, "POST", "/samples", body, &answer);
    const int64_t id = lamp_number(answer, "id");
    const size_t sensors = json_array_size(json_object_get(answer, "sensors"));
    json_decref(answer);
    return lamp_cli_say(o, result, "sample %" PRId64 " is ordered of %zu sensors", id, sensors);
}

static const struct lamp_column file_columns[] = {
    { "SENSOR", "sensor", lamp_cell_text },
    { "SITE", "site", lamp_cell_text },
    { "STATE", "state", lamp_cell_text },
    { "AGE", "changed", lamp_cell_age },
    { "PACKETS", "packets", lamp_cell_number },
    { "BYTES", "bytes", lamp_cell_number },
    { "HERE", "landed", lamp_cell_number },
    { "WORDS", "words", lamp_cell_text },
    { NULL, NULL, NULL },
};

static void show_files(const json_t *answer)
{
    lamp_table_print(json_object_get(answer, "sensors"), file_columns, lamp_cli_now());
}

static int show_sample(lamp_client *c, const struct options *o, int64_t id)
{
    char path[64];
    snprintf(path, sizeof(path), "/samples/%" PRId64, id);
    return lamp_cli_get(c, o, path, show_files);
}

static int get_file(lamp_client *c, char **args, int n, int64_t id)
{
    char path[160], name[120];
    if (strspn(args[1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
            strlen(args[1]) ||
        strlen(args[1]) > 64)
        return lamp_cli_usage("'%.40s' is no name of a sensor", args[1]);
    snprintf(path, sizeof(path), "/samples/%" PRId64 "/%s.pcapng", id, args[1]);
    snprintf(name, sizeof(name), "sample-%" PRId64 "-%s.pcapng", id, args[1]);
    const char *to = n > 2 ? args[2] : name;
    FILE *f = fopen(to, "wbe");
    if (!f) {
        fprintf(stderr, "davylamp: %s cannot be written\n", to);
        return EXIT_FAILED;
    }
    const int err = lamp_client_fetch(c, path, f);
    if (fclose(f) != 0 || err) {
        if (!err)
            fprintf(stderr, "davylamp: %s cannot be written\n", to);
        (void)remove(to);
        return EXIT_FAILED;
    }
    printf("%s\n", to);
    return EXIT_GOOD;
}

static int cancel(lamp_client *c, const struct options *o, int64_t id)
{
    char path[64];
    snprintf(path, sizeof(path), "/samples/%" PRId64, id);
    return lamp_cli_say(o, lamp_cli_call(c, o, "DELETE", path, NULL),
                        "sample %" PRId64 " is cancelled, or taken out if it was over", id);
}

const char *lamp_cell_target(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    char what[LAMP_CELL], host[LAMP_CELL], remote[LAMP_CELL];
    const json_t *m = json_array_get(lamp_at(row, "matches"), 0);
    const bool host_said = json_is_string(lamp_at(m, "host"));
    const bool remote_said = json_is_string(lamp_at(m, "remote"));
    if (json_is_integer(lamp_at(row, "miner")))
        snprintf(buf, LAMP_CELL, "miner %" PRId64, lamp_number(row, "miner"));
    else
        snprintf(buf, LAMP_CELL, "%.12s%s%.40s%s%.40s", lamp_cell_text(row, path, now, what),
                 host_said ? " " : "", host_said ? lamp_cell_text(m, "host", now, host) : "",
                 remote_said ? " " : "",
                 remote_said ? lamp_cell_text(m, "remote", now, remote) : "");
    return buf;
}

const char *lamp_cell_count(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    snprintf(buf, LAMP_CELL, "%zu", json_array_size(lamp_at(row, path)));
    return buf;
}

static const struct lamp_column sample_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "AGE", "created", lamp_cell_age },
    { "WHAT", "what", lamp_cell_target },
    { "SITE", "site", lamp_cell_all },
    { "SENSORS", "sensors", lamp_cell_count },
    { "STATE", "state", lamp_cell_text },
    { "BY", "created_by", lamp_cell_text },
    { "REASON", "reason", lamp_cell_text },
    { NULL, NULL, NULL },
};

int lamp_cli_sample(lamp_client *c, const struct options *o, char **args, int n)
{
    int64_t id = 0;
    if (n == 0 || (n == 1 && streq(args[0], "list")))
        return lamp_cli_list(c, o, "/samples", "samples", sample_columns);
    if (n == 1 && lamp_text_int(args[0], 1, INT64_MAX, &id) == LAMP_OK)
        return show_sample(c, o, id);
    if (n > 1 && streq(args[0], "add"))
        return add_sample(c, o, args + 1, n - 1);
    if (n > 1 && lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'%.40s' is no number of a sample", args[1]);
    if (n == 2 && streq(args[0], "cancel"))
        return cancel(c, o, id);
    if ((n == 3 || n == 4) && streq(args[0], "get"))
        return get_file(c, args + 1, n - 1, id);
    return lamp_cli_usage(
        "'sample' takes: list, ID, add WHAT [KEY=VALUE]..., get ID SENSOR [FILE], "
        "cancel ID");
}
