/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about the catalogue of pools. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/csv.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum {
    CHUNK = 250, /* entries of an import in one call; the API takes 500 of 64 KiB */
    CELL = 256,
    PATH = 1024,
};

static const char *const fields[] = {
    "pool", "fqdn", "port", "coin", "algorithm", "protocol", "tls"
};

/* A member as text that is safe to print; "-" for none. */
static const char *cell(const json_t *o, const char *key, char buf[CELL])
{
    const json_t *v = json_object_get(o, key);
    const char *s = json_string_value(v);
    if (json_is_integer(v))
        snprintf(buf, CELL, "%lld", (long long)json_integer_value(v));
    else
        lamp_text_safe((const uint8_t *)(s && *s ? s : "-"), s && *s ? strlen(s) : 1, buf, CELL);
    return buf;
}

/* ---- reading ---- */

static const char *coins(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    enum { SHOWN = 4 };
    const json_t *coin;
    size_t i;
    *buf = '\0';
    json_array_foreach(lamp_at(row, path), i, coin)
    {
        char one[LAMP_CELL];
        const size_t n = strlen(buf);
        if (i < SHOWN)
            snprintf(buf + n, LAMP_CELL - n, "%s%.16s", i ? " " : "",
                     lamp_cell_text(coin, "", now, one));
        else if (i == SHOWN)
            snprintf(buf + n, LAMP_CELL - n, " ...");
    }
    return buf;
}

static const struct lamp_column pool_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "POOL", "name", lamp_cell_text },
    { "SERVERS", "servers", lamp_cell_number },
    { "ADDRESSES", "addresses", lamp_cell_number },
    { "UP", "up", lamp_cell_number },
    { "LISTEN", "listen", lamp_cell_number },
    { "DOWN", "down", lamp_cell_number },
    { "COINS", "coins", coins },
    { NULL, NULL, NULL },
};

static int list(lamp_client *c, const struct options *o, const char *text)
{
    char path[PATH] = "/pools?limit=1000", part[400];
    if (text && !lamp_client_escape(text, part, sizeof(part)))
        return lamp_cli_usage("that is too long");
    if (text)
        snprintf(path, sizeof(path), "/pools?limit=1000&q=%s", part);
    return lamp_cli_pages(c, o, path, "pools", pool_columns);
}

static const char *when(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const double t = json_number_value(lamp_at(row, path));
    const time_t seconds = (time_t)t;
    struct tm tm;
    (void)now;
    if (t <= 0 || !gmtime_r(&seconds, &tm) || !strftime(buf, LAMP_CELL, "%Y-%m-%d %H:%M", &tm))
        return "-";
    return buf;
}

static const char *entry_tls(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    char tls[LAMP_CELL];
    snprintf(buf, LAMP_CELL, "%.40s%s", lamp_cell_text(row, path, now, tls),
             json_is_true(lamp_at(row, "active")) ? "" : "  (deleted)");
    return buf;
}

static const struct lamp_column entry_columns[] = {
    { "ENTRY", "id", lamp_cell_number },
    { "SERVER", "fqdn", lamp_cell_text },
    { "PORT", "port", lamp_cell_number },
    { "COIN", "coin", lamp_cell_text },
    { "ALGORITHM", "algorithm", lamp_cell_text },
    { "PROTOCOL", "protocol", lamp_cell_text },
    { "TLS", "tls", entry_tls },
    { NULL, NULL, NULL },
};

static const struct lamp_column address_columns[] = {
    { "ADDRESS", "address", lamp_cell_text }, { "FIRST", "first", when }, { "LAST", "last", when },
    { "NOTE", "weak", lamp_cell_text },       { NULL, NULL, NULL },
};

static const struct lamp_column endpoint_columns[] = {
    { "ADDRESS", "address", lamp_cell_text },
    { "PORT", "port", lamp_cell_number },
    { "STATE", "state", lamp_cell_text },
    { "SINCE", "since", when },
    { "PROBED", "probed", when },
    { "REASON", "reason", lamp_cell_text },
    { NULL, NULL, NULL },
};

static int show(lamp_client *c, const struct options *o, const char *id)
{
    char path[PATH], name[LAMP_CELL];
    json_t *answer = NULL, *server;
    size_t i;
    snprintf(path, sizeof(path), "/pools/%.20s", id);
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json) {
        lamp_cli_print(answer);
        json_decref(answer);
        return EXIT_GOOD;
    }
    printf("%s\n\n", lamp_cell_text(answer, "pool.name", 0, name));
    lamp_table_print(lamp_at(answer, "entries"), entry_columns, 0);
    json_array_foreach(lamp_at(answer, "servers"), i, server)
    {
        if (json_array_size(lamp_at(server, "addresses")) == 0)
            continue;
        printf("\n%s\n", lamp_cell_text(server, "fqdn", 0, name));
        lamp_table_print(lamp_at(server, "addresses"), address_columns, 0);
    }
    putchar('\n');
    lamp_table_print(lamp_at(answer, "endpoints"), endpoint_columns, 0);
    json_decref(answer);
    return EXIT_GOOD;
}

/* ---- export and import ---- */

/* A CSV field (RFC 4180), with an apostrophe before what a spreadsheet would take for a formula. */
static void put_field(const char *s, char end)
{
    printf("\"%s", strchr("=+-@\t\r", *s) && *s ? "'" : "");
    for (; *s; s++)
        printf(*s == '"' ? "\"\"" : "%c", *s);
    printf("\"%c", end);
}

static void export_entry(const json_t *v, void *arg)
{
    const bool *json = arg;
    json_t *o = json_object();
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const json_t *member = json_object_get(v, fields[i]);
        char buf[CELL];
        if (*json) {
            json_object_set(o, fields[i], (json_t *)(uintptr_t)member);
            continue;
        }
        put_field(json_is_null(member) ? "" : cell(v, fields[i], buf),
                  i + 1 < ARRAY_LEN(fields) ? ',' : '\n');
    }
    if (*json)
        lamp_cli_print(o);
    json_decref(o);
}

static int export(lamp_client *c, const struct options *o)
{
    bool json = o->json;
    if (!json)
        puts("pool,fqdn,port,coin,algorithm,protocol,tls");
    return lamp_cli_each(c, "/pool-entries?limit=1000", "entries", export_entry, &json);
}

struct import {
    lamp_client *client;
    json_t *chunk;
    json_int_t changed, same, refused;
    bool failed;
};

static void flush_chunk(struct import *m)
{
    json_t *answer = NULL, *body = json_pack("{s:O}", "entries", m->chunk);
    if (json_array_size(m->chunk) == 0 || m->failed || !body) {
        json_decref(body);
        return;
    }
    m->failed = lamp_client_call(m->client, "POST", "/pool-entries", body, &answer) != LAMP_OK;
    json_decref(body);
    json_array_clear(m->chunk);
    if (m->failed)
        return;
    m->changed += json_integer_value(json_object_get(answer, "changed"));
    m->same += json_integer_value(json_object_get(answer, "same"));
    m->refused += json_integer_value(json_object_get(answer, "refused"));
    const char *why = json_string_value(json_object_get(answer, "first_refused"));
    if (why)
        fprintf(stderr, "davylamp: %s\n", why);
    json_decref(answer);
}

/* Takes the reference. */
static void add_object(struct import *m, json_t *o)
{
    json_array_append_new(m->chunk, o);
    if (json_array_size(m->chunk) == CHUNK)
        flush_chunk(m);
}

static int add_row(void *arg, char *const *v, const struct lamp_csv *at)
{
    struct import *m = arg;
    json_t *o = json_object();
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        int64_t port;
        const char *s = v[i] + (v[i][0] == '\'' && strchr("=+-@", v[i][1]) && v[i][1]);
        if (!*s)
            continue;
        if (i != 2) {
            json_object_set_new(o, fields[i], json_string(s));
        } else if (lamp_text_int(s, 1, 65535, &port) == LAMP_OK) {
            json_object_set_new(o, fields[i], json_integer(port));
        } else {
            json_decref(o);
            return lamp_csv_fail(at, "port is no number from 1 to 65535");
        }
    }
    add_object(m, o);
    return m->failed ? LAMP_EIO : LAMP_OK;
}

static int import_csv(struct import *m, const char *folder, const char *file)
{
    struct lamp_csv_table table = { .file = file, .limit = 65536, .add = add_row };
    char *text = NULL, why[300] = "";
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        table.columns[i] = fields[i];
    const int err = lamp_csv_load(folder, &table, m, &text, why, sizeof(why));
    free(text);
    if (err && !m->failed)
        fprintf(stderr, "davylamp: %s\n", why);
    return err;
}

/* Objects one after the other, as an export has them, or one array of them. */
static int import_json(struct import *m, const char *path)
{
    FILE *in = fopen(path, "re");
    json_error_t error = { .text = "cannot be read" };
    json_t *v, *o;
    size_t i, n = 0;
    while (in && !m->failed && (v = json_loadf(in, JSON_DISABLE_EOF_CHECK, &error))) {
        n++;
        if (json_is_array(v))
            json_array_foreach(v, i, o) add_object(m, json_incref(o));
        else
            add_object(m, json_incref(v));
        json_decref(v);
        for (int c = getc(in); c != EOF; c = getc(in))
            if (c != '\n' && c != ' ' && c != '\r') {
                ungetc(c, in);
                break;
            }
    }
    const bool ended = in && feof(in) && n > 0;
    if (in)
        fclose(in);
    if (!ended && !m->failed)
        fprintf(stderr, "davylamp: %s: %s\n", path, error.text);
    return ended ? LAMP_OK : LAMP_EFORMAT;
}

static int import(lamp_client *c, bool json, const char *path)
{
    struct import m = { .client = c, .chunk = json_array() };
    const size_t len = strlen(path);
    const char *slash = strrchr(path, '/');
    char folder[PATH] = ".";
    if (slash)
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash == path ? 1 : slash - path), path);
    const bool is_csv = len > 4 && streq(path + len - 4, ".csv");
    const int err =
        is_csv ? import_csv(&m, folder, slash ? slash + 1 : path) : import_json(&m, path);
    flush_chunk(&m);
    json_decref(m.chunk);
    if (json)
        printf("{\"changed\":%" PRId64 ",\"same\":%" PRId64 ",\"refused\":%" PRId64 "}\n",
               (int64_t)m.changed, (int64_t)m.same, (int64_t)m.refused);
    else
        printf("%" PRId64 " changed, %" PRId64 " as they were, %" PRId64 " refused\n",
               (int64_t)m.changed, (int64_t)m.same, (int64_t)m.refused);
    return err || m.failed ? EXIT_FAILED : EXIT_GOOD;
}

/* ---- changing ---- */

/* Puts arguments like coin=XMR into the body. */
static bool take_fields(json_t *body, char **args, int n)
{
    for (int i = 0; i < n; i++) {
        const size_t len = strcspn(args[i], "=");
        char name[16];
        int64_t port;
        size_t k = 2; /* pool and fqdn are not among them */
        snprintf(name, sizeof(name), "%.*s", (int)lamp_min(len, sizeof(name)), args[i]);
        while (k < ARRAY_LEN(fields) && !streq(fields[k], name))
            k++;
        if (k == ARRAY_LEN(fields) || args[i][len] != '=')
            return false;
        const char *value = args[i] + len + 1;
        if (k != 2)
            json_object_set_new(body, name, *value ? json_string(value) : json_null());
        else if (lamp_text_int(value, 1, 65535, &port) == LAMP_OK)
            json_object_set_new(body, name, json_integer(port));
        else
            return false;
    }
    return true;
}

/* Takes body. */
static int change(lamp_client *c, bool json, const char *method, const char *id, json_t *body)
{
    char path[PATH], a[CELL], b[CELL], d[CELL];
    json_t *answer = NULL;
    snprintf(path, sizeof(path), "/pool-entries%s%.20s", id ? "/" : "", id ? id : "");
    const int err = lamp_client_call(c, method, path, body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (json && answer)
        lamp_cli_print(answer);
    else if (answer)
        printf("entry %s: %s:%s\n", cell(answer, "id", a), cell(answer, "fqdn", b),
               cell(answer, "port", d));
    else if (!json)
        puts("deleted; 'pools undo' brings it back");
    json_decref(answer);
    return EXIT_GOOD;
}

int lamp_cli_pools(lamp_client *c, const struct options *o, char **args, int n)
{
    const char *what = n > 0 ? args[0] : "list";
    json_t *body = NULL;
    int64_t id;
    if (streq(what, "list") && n <= 2)
        return list(c, o, n == 2 ? args[1] : NULL);
    if (streq(what, "export") && n == 1)
        return export(c, o);
    if (streq(what, "import") && n == 2)
        return import(c, o->json, args[1]);
    if (streq(what, "add") && n >= 3) {
        body = json_pack("{s:s, s:s}", "pool", args[1], "fqdn", args[2]);
        if (body && take_fields(body, args + 3, n - 3))
            return change(c, o->json, "POST", NULL, body);
        json_decref(body);
        return lamp_cli_usage(
            "a field is port=, coin=, algorithm=, protocol= or tls= with its value");
    }
    if (n < 2 || lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage(
            "pools takes list [TEXT], show ID, export, import FILE, add POOL HOST "
            "[FIELD=VALUE]..., "
            "edit ENTRY FIELD=VALUE..., delete ENTRY or undo ENTRY");
    if (streq(what, "show") && n == 2)
        return show(c, o, args[1]);
    if (streq(what, "delete") && n == 2)
        return change(c, o->json, "DELETE", args[1], NULL);
    if (streq(what, "undo") && n == 2)
        return change(c, o->json, "PATCH", args[1], json_pack("{s:b}", "undo", 1));
    if (streq(what, "edit") && n > 2) {
        body = json_object();
        if (take_fields(body, args + 2, n - 2))
            return change(c, o->json, "PATCH", args[1], body);
        json_decref(body);
        return lamp_cli_usage(
            "a field is port=, coin=, algorithm=, protocol= or tls= with its value");
    }
    return lamp_cli_usage("pools knows no such command");
}
