/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/cli/pools.h"

#include "common/csv.h"
#include "common/text.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

enum { GOOD, FAILED, USAGE };
enum {
    CHUNK = 250, /* entries of an import in one call; the API takes 500 of 64 KiB */
    CELL = 256,
    PATH = 1024,
    LAMP_HOST = 254,
};

static const char *const fields[] = {
    "pool", "fqdn", "port", "coin", "algorithm", "protocol", "tls"
};

static int usage(const char *what)
{
    fprintf(stderr, "davylamp: %s (see davylamp --help)\n", what);
    return USAGE;
}

static void print_line(const json_t *v)
{
    json_dumpf(v, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(16));
    putchar('\n');
}

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

static const char *when(const json_t *o, const char *key, char buf[CELL])
{
    const double t = json_number_value(json_object_get(o, key));
    const time_t seconds = (time_t)t;
    struct tm tm;
    if (t <= 0 || !gmtime_r(&seconds, &tm) || !strftime(buf, CELL, "%Y-%m-%d %H:%M", &tm))
        snprintf(buf, CELL, "-");
    return buf;
}

/* Percent-encodes what is not unreserved (RFC 3986 section 2.3). */
static bool escape(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; *text; text++) {
        const char c = *text;
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || strchr("-._~", c);
        if (n + 4 > size)
            return false;
        n += (size_t)snprintf(out + n, size - n, plain ? "%c" : "%%%02X", (unsigned char)c);
    }
    return true;
}

/* ---- reading ---- */

/* Lends every object of all pages of a list. */
static int each(lamp_client *c, const char *path, const char *key,
                void (*fn)(const json_t *v, void *arg), void *arg)
{
    json_int_t after = 0;
    do {
        char page[PATH];
        json_t *answer = NULL, *v;
        size_t i;
        snprintf(page, sizeof(page), "%s%cafter=%" PRId64, path, strchr(path, '?') ? '&' : '?',
                 (int64_t)after);
        if (lamp_client_call(c, "GET", page, NULL, &answer) != LAMP_OK)
            return FAILED;
        json_array_foreach(json_object_get(answer, key), i, v) fn(v, arg);
        after = json_integer_value(json_object_get(answer, "next"));
        json_decref(answer);
    } while (after);
    return GOOD;
}

static void show_pool(const json_t *v, void *arg)
{
    const bool *json = arg;
    char id[CELL], name[CELL], servers[CELL], addresses[CELL], up[CELL], listen[CELL], down[CELL];
    char coins[CELL] = "";
    const json_t *coin;
    size_t i;
    if (*json) {
        print_line(v);
        return;
    }
    json_array_foreach(json_object_get(v, "coins"), i, coin)
    {
        char one[CELL];
        const char *s = json_string_value(coin);
        const size_t n = strlen(coins);
        lamp_text_safe((const uint8_t *)(s ? s : ""), s ? strlen(s) : 0, one, sizeof(one));
        if (i < 4)
            snprintf(coins + n, sizeof(coins) - n, "%s%.16s", i ? " " : "", one);
        else if (i == 4)
            snprintf(coins + n, sizeof(coins) - n, " ...");
    }
    printf("%-6s%-32.31s%8s%10s%5s%8s%6s  %s\n", cell(v, "id", id), cell(v, "name", name),
           cell(v, "servers", servers), cell(v, "addresses", addresses), cell(v, "up", up),
           cell(v, "listen", listen), cell(v, "down", down), coins);
}

static int list(lamp_client *c, bool json, const char *text)
{
    char path[PATH] = "/pools?limit=1000", part[400];
    if (text && !escape(text, part, sizeof(part)))
        return usage("that is too long");
    if (text)
        snprintf(path, sizeof(path), "/pools?limit=1000&q=%s", part);
    if (!json)
        printf("%-6s%-32s%8s%10s%5s%8s%6s  %s\n", "ID", "POOL", "SERVERS", "ADDRESSES", "UP",
               "LISTEN", "DOWN", "COINS");
    return each(c, path, "pools", show_pool, &json);
}

static int show(lamp_client *c, bool json, const char *id)
{
    char path[PATH], a[CELL], b[CELL], d[CELL], e[CELL], f[CELL], g[CELL];
    json_t *answer = NULL, *v, *u;
    size_t i, k;
    snprintf(path, sizeof(path), "/pools/%.20s", id);
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return FAILED;
    if (json) {
        print_line(answer);
        json_decref(answer);
        return GOOD;
    }
    printf("%s\n\nENTRY  SERVER:PORT  COIN  ALGORITHM  PROTOCOL  TLS\n",
           cell(json_object_get(answer, "pool"), "name", a));
    json_array_foreach(json_object_get(answer, "entries"), i, v)
        printf("%s  %s:%s  %s  %s  %s  %s%s\n", cell(v, "id", a), cell(v, "fqdn", b),
               cell(v, "port", d), cell(v, "coin", e), cell(v, "algorithm", f),
               cell(v, "protocol", g), json_string_value(json_object_get(v, "tls")),
               json_is_true(json_object_get(v, "active")) ? "" : "  (deleted)");
    puts("\nADDRESS  NAME  FIRST  LAST  NOTE");
    json_array_foreach(json_object_get(answer, "servers"), i, v)
        json_array_foreach(json_object_get(v, "addresses"), k, u)
            printf("%s  %s  %s  %s  %s\n", cell(u, "address", a), cell(v, "fqdn", b),
                   when(u, "first", d), when(u, "last", e), cell(u, "weak", f));
    puts("\nENDPOINT  STATE  SINCE  PROBED  REASON");
    json_array_foreach(json_object_get(answer, "endpoints"), i, v) printf(
        "%s port %s  %s  %s  %s  %s\n", cell(v, "address", a), cell(v, "port", b),
        cell(v, "state", d), when(v, "since", e), when(v, "probed", f), cell(v, "reason", g));
    json_decref(answer);
    return GOOD;
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
        print_line(o);
    json_decref(o);
}

static int export(lamp_client *c, bool json)
{
    if (!json)
        puts("pool,fqdn,port,coin,algorithm,protocol,tls");
    return each(c, "/pool-entries?limit=1000", "entries", export_entry, &json);
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
    return err || m.failed ? FAILED : GOOD;
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
        return FAILED;
    if (json && answer)
        print_line(answer);
    else if (answer)
        printf("entry %s: %s:%s\n", cell(answer, "id", a), cell(answer, "fqdn", b),
               cell(answer, "port", d));
    else if (!json)
        puts("deleted; 'pools undo' brings it back");
    json_decref(answer);
    return GOOD;
}

int lamp_cli_pools(lamp_client *c, bool json, char **args, int n)
{
    const char *what = n > 0 ? args[0] : "list";
    json_t *body = NULL;
    int64_t id;
    if (streq(what, "list") && n <= 2)
        return list(c, json, n == 2 ? args[1] : NULL);
    if (streq(what, "export") && n == 1)
        return export(c, json);
    if (streq(what, "import") && n == 2)
        return import(c, json, args[1]);
    if (streq(what, "add") && n >= 3) {
        body = json_pack("{s:s, s:s}", "pool", args[1], "fqdn", args[2]);
        if (body && take_fields(body, args + 3, n - 3))
            return change(c, json, "POST", NULL, body);
        json_decref(body);
        return usage("a field is port=, coin=, algorithm=, protocol= or tls= with its value");
    }
    if (n < 2 || lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK)
        return usage("pools takes list [TEXT], show ID, export, import FILE, add POOL HOST "
                     "[FIELD=VALUE]..., "
                     "edit ENTRY FIELD=VALUE..., delete ENTRY or undo ENTRY");
    if (streq(what, "show") && n == 2)
        return show(c, json, args[1]);
    if (streq(what, "delete") && n == 2)
        return change(c, json, "DELETE", args[1], NULL);
    if (streq(what, "undo") && n == 2)
        return change(c, json, "PATCH", args[1], json_pack("{s:b}", "undo", 1));
    if (streq(what, "edit") && n > 2) {
        body = json_object();
        if (take_fields(body, args + 2, n - 2))
            return change(c, json, "PATCH", args[1], body);
        json_decref(body);
        return usage("a field is port=, coin=, algorithm=, protocol= or tls= with its value");
    }
    return usage("pools knows no such command");
}

/* ---- look-up ---- */

/* Seconds since 1970. */
static bool parse_time(const char *text, double *out)
{
    static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
    if (lamp_text_double(text, 0, 4e9, out) == LAMP_OK)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm tm = { 0 };
        const char *end = strptime(text, forms[i], &tm);
        if (end && (*end == '\0' || streq(end, "Z"))) {
            *out = (double)timegm(&tm);
            return true;
        }
    }
    return false;
}

static void show_lookup(const json_t *a)
{
    char query[CELL], answer[CELL], summary[CELL], b[CELL], d[CELL], e[CELL], f[CELL];
    size_t i;
    json_t *m;
    printf("%s: %s. %s\n", cell(a, "query", query), cell(a, "answer", answer),
           cell(a, "summary", summary));
    json_array_foreach(json_object_get(a, "matches"), i, m)
    {
        const json_t *entry = json_object_get(m, "entry"), *then = json_object_get(m, "then");
        if (i == 10)
            puts("  ...");
        if (i >= 10)
            continue;
        printf("  %s:%s  %s  %s%s%s\n", cell(entry, "fqdn", b), cell(entry, "port", d),
               cell(entry, "pool", e), cell(entry, "coin", f), json_is_object(then) ? "  " : "",
               json_is_object(then) ? cell(then, "state", query) : "");
    }
    json_array_foreach(json_object_get(a, "port_pools"), i, m)
    {
        if (i < 10)
            printf("  %s  %s  %s servers\n", cell(m, "pool", b), cell(m, "coin", d),
                   cell(m, "servers", e));
    }
}

int lamp_cli_lookup(lamp_client *c, bool json, const char *at, char **args, int n)
{
    double t = 0;
    if (at && !parse_time(at, &t))
        return usage("--at needs seconds since 1970 or YYYY-MM-DD[THH:MM[:SS]]");
    for (int i = 0; i < n; i++) {
        char path[PATH], text[800];
        json_t *answer = NULL;
        if (!escape(args[i], text, sizeof(text)))
            return usage("that is too long");
        if (at)
            snprintf(path, sizeof(path), "/lookup?q=%s&at=%.6f", text, t);
        else
            snprintf(path, sizeof(path), "/lookup?q=%s", text);
        if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
            return FAILED;
        if (json)
            print_line(answer);
        else
            show_lookup(answer);
        json_decref(answer);
    }
    return GOOD;
}

/* ---- probing ---- */

static int show_probe(const json_t *o, bool json)
{
    char a[CELL], b[CELL], d[CELL], e[CELL];
    size_t i;
    json_t *v;
    const char *error = json_string_value(json_object_get(o, "error"));
    if (json)
        print_line(o);
    else if (error)
        fprintf(stderr, "davylamp: %s\n", cell(o, "error", a));
    json_array_foreach(json_object_get(o, "results"), i, v) if (!json)
        printf("%s port %s: %s, %s\n", cell(v, "address", a), cell(v, "port", b),
               cell(v, "state", d), cell(v, "reason", e));
    return error ? FAILED : GOOD;
}

/* Takes body. */
static int run_probe(lamp_client *c, bool json, json_t *body)
{
    enum { AGAIN_MS = 200, TIMES = 300 };
    char path[64];
    json_t *answer = NULL;
    const int err = lamp_client_call(c, "POST", "/probes", body, &answer);
    json_decref(body);
    if (err)
        return FAILED;
    snprintf(path, sizeof(path), "/probes/%lld",
             (long long)json_integer_value(json_object_get(answer, "id")));
    for (int i = 0; i < TIMES && !json_is_true(json_object_get(answer, "done")); i++) {
        poll(NULL, 0, AGAIN_MS);
        json_decref(answer);
        answer = NULL;
        if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
            return FAILED;
    }
    const int result = show_probe(answer, json);
    json_decref(answer);
    return result;
}

int lamp_cli_probe(lamp_client *c, bool json, const char *what)
{
    char host[LAMP_HOST];
    int64_t number;
    if (lamp_text_int(what, 1, INT64_MAX, &number) == LAMP_OK)
        return run_probe(c, json, json_pack("{s:I}", "pool", (json_int_t)number));
    const char *colon = strrchr(what, ':');
    const char *from = what + (*what == '[');
    size_t len = colon ? (size_t)(colon - from) : 0;
    if (len > 0 && from[len - 1] == ']')
        len--;
    if (!colon || len == 0 || len >= sizeof(host) ||
        lamp_text_int(colon + 1, 1, 65535, &number) != LAMP_OK)
        return usage("probe needs HOST:PORT, or the number of a pool");
    snprintf(host, sizeof(host), "%.*s", (int)len, from);
    json_t *body = json_pack("{s:s, s:I}", "host", host, "port", (json_int_t)number);
    return body ? run_probe(c, json, body) : usage("HOST is not UTF-8");
}

int lamp_cli_catalogue(lamp_client *c, bool json, char **args, int n)
{
    json_t *answer = NULL, *body = NULL;
    if (n == 2 && (streq(args[0], "resolve") || streq(args[0], "probe")) &&
        (streq(args[1], "on") || streq(args[1], "off")))
        body = json_pack("{s:b}", args[0], streq(args[1], "on"));
    else if (n != 0)
        return usage("catalogue takes nothing, or resolve or probe and on or off");
    const int err = lamp_client_call(c, body ? "PATCH" : "GET", "/catalogue", body, &answer);
    json_decref(body);
    if (err)
        return FAILED;
    if (json)
        print_line(answer);
    else if (n == 2)
        printf("%s is turned %s\n", args[0], args[1]);
    else
        printf(
            "pools %lld, servers %lld, entries %lld; endpoints up %lld, listen %lld, down %lld\n"
            "resolve %s, probe %s\n",
            json_integer_value(json_object_get(answer, "pools")),
            json_integer_value(json_object_get(answer, "servers")),
            json_integer_value(json_object_get(answer, "entries")),
            json_integer_value(json_object_get(answer, "up")),
            json_integer_value(json_object_get(answer, "listen")),
            json_integer_value(json_object_get(answer, "down")),
            json_is_true(json_object_get(json_object_get(answer, "resolve"), "on")) ? "on" : "off",
            json_is_true(json_object_get(json_object_get(answer, "probe"), "on")) ? "on" : "off");
    json_decref(answer);
    return GOOD;
}
