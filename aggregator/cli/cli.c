/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/cli/cli.h"

#include "common/clock.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { PATH = 1200 };

int lamp_cli_usage(const char *fmt, ...)
{
    va_list ap;
    fputs("davylamp: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs(" (see davylamp --help)\n", stderr);
    return EXIT_USAGE;
}

double lamp_cli_now(void)
{
    return (double)lamp_clock_real_us() / 1e6;
}

void lamp_cli_print(const json_t *value)
{
    /* ASCII alone, so that no text from the network can play with a terminal; 16 digits are what
     * times in microseconds need. */
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(16));
    putchar('\n');
}

void lamp_cli_print_lines(const json_t *list)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v) lamp_cli_print(v);
}

int lamp_cli_number(const char *text, const char *what, int64_t *out)
{
    return lamp_text_int(text, 1, INT64_MAX, out) == LAMP_OK
               ? EXIT_GOOD
               : lamp_cli_usage("'%.40s' is not the number of %s", text, what);
}

static int call(lamp_client *c, const struct options *o, const char *method, const char *path,
                const json_t *body, json_t **out_answer)
{
    json_t *answer = NULL;
    const int err = lamp_client_call(c, method, path, body, &answer);
    if (!err && o->json && answer)
        lamp_cli_print(answer);
    if (out_answer)
        *out_answer = o->json ? NULL : json_incref(answer);
    json_decref(answer);
    return err ? EXIT_FAILED : EXIT_GOOD;
}

int lamp_cli_call(lamp_client *c, const struct options *o, const char *method, const char *path,
                  json_t **answer)
{
    return call(c, o, method, path, NULL, answer);
}

int lamp_cli_send(lamp_client *c, const struct options *o, const char *method, const char *path,
                  json_t *body, json_t **answer)
{
    if (answer)
        *answer = NULL;
    const int result =
        body ? call(c, o, method, path, body, answer) : lamp_cli_usage("an argument is not UTF-8");
    json_decref(body);
    return result;
}

int lamp_cli_get(lamp_client *c, const struct options *o, const char *path,
                 void (*show)(const json_t *answer))
{
    json_t *answer;
    const int result = lamp_cli_call(c, o, "GET", path, &answer);
    if (answer)
        show(answer);
    json_decref(answer);
    return result;
}

int lamp_cli_say(const struct options *o, int result, const char *fmt, ...)
{
    va_list ap;
    if (result != EXIT_GOOD || o->json)
        return result;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    return result;
}

/* The path with a parameter more, if its value is not NULL. */
static const char *with(const char *path, const char *name, const char *value, char buf[PATH])
{
    if (!value)
        return path;
    snprintf(buf, PATH, "%.1000s%c%.20s=%.100s", path, strchr(path, '?') ? '&' : '?', name, value);
    return buf;
}

/* The text without its first line. */
static const char *past_line(const char *text)
{
    return text + strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n');
}

int lamp_cli_csv(lamp_client *c, const struct options *o, const char *path)
{
    char sorted[PATH], format[PATH], page[PATH], number[24];
    const char *base = with(with(path, "sort", o->sort, sorted), "format", "csv", format);
    int64_t next = 0;
    bool first = true;
    do {
        char *text = NULL;
        size_t len;
        FILE *f = open_memstream(&text, &len);
        if (!f)
            return EXIT_FAILED;
        snprintf(number, sizeof(number), "%" PRId64, next);
        const int err =
            lamp_client_fetch_page(c, with(base, "after", first ? NULL : number, page), f, &next);
        fclose(f);
        if (!err) /* each page names its columns */
            fputs(first ? text : past_line(text), stdout);
        free(text);
        if (err)
            return EXIT_FAILED;
        first = false;
    } while (next);
    return EXIT_GOOD;
}

int lamp_cli_each(lamp_client *c, const char *path, const char *name,
                  void (*fn)(const json_t *row, void *arg), void *arg)
{
    json_int_t after = 0;
    do {
        char page[PATH];
        json_t *answer = NULL, *row;
        size_t i;
        snprintf(page, sizeof(page), "%s", path);
        if (after)
            snprintf(page, sizeof(page), "%s%cafter=%" PRId64, path, strchr(path, '?') ? '&' : '?',
                     (int64_t)after);
        if (lamp_client_call(c, "GET", page, NULL, &answer) != LAMP_OK)
            return EXIT_FAILED;
        json_array_foreach(json_object_get(answer, name), i, row) fn(row, arg);
        after = json_integer_value(json_object_get(answer, "next"));
        json_decref(answer);
    } while (after);
    return EXIT_GOOD;
}

static void print_row(const json_t *row, void *arg)
{
    (void)arg;
    lamp_cli_print(row);
}

static void keep_row(const json_t *row, void *arg)
{
    json_array_append(arg, (json_t *)(uintptr_t)row);
}

int lamp_cli_pages(lamp_client *c, const struct options *o, const char *path, const char *name,
                   const struct lamp_column *columns)
{
    char sorted[PATH];
    if (o->csv)
        return lamp_cli_csv(c, o, path);
    path = with(path, "sort", o->sort, sorted);
    if (o->json)
        return lamp_cli_each(c, path, name, print_row, NULL);
    json_t *all = json_array();
    const int result = all ? lamp_cli_each(c, path, name, keep_row, all) : EXIT_FAILED;
    if (result == EXIT_GOOD)
        lamp_table_print(all, columns, lamp_cli_now());
    json_decref(all);
    return result;
}

int lamp_cli_list(lamp_client *c, const struct options *o, const char *path, const char *name,
                  const struct lamp_column *columns)
{
    char sorted[PATH];
    json_t *answer = NULL;
    if (o->csv)
        return lamp_cli_csv(c, o, path);
    if (lamp_client_call(c, "GET", with(path, "sort", o->sort, sorted), NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    const json_t *list = json_object_get(answer, name);
    if (o->json)
        lamp_cli_print_lines(list);
    else
        lamp_table_print(list, columns, lamp_cli_now());
    json_decref(answer);
    return EXIT_GOOD;
}

int lamp_cli_values(json_t *body, char **args, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];
        int64_t v;
        const size_t len = strcspn(args[i], "=");
        if (!args[i][len] || len >= sizeof(name))
            return lamp_cli_usage("'%.40s' is not NAME=VALUE", args[i]);
        snprintf(name, sizeof(name), "%.*s", (int)len, args[i]);
        const char *text = args[i] + len + 1;
        json_t *value = lamp_text_int(text, 0, INT64_MAX, &v) == LAMP_OK ? json_integer(v)
                        : streq(text, "yes")                             ? json_true()
                                                                         : json_string(text);
        if (json_object_set_new(body, name, value) != 0)
            return lamp_cli_usage("'%.40s' is not UTF-8", args[i]);
    }
    return EXIT_GOOD;
}
