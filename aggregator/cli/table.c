/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/cli/table.h"

#include "common/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
    COLUMNS_MAX = 15,
    WIDE = 48, /* longer cells are cut */
};

/* ---- values ---- */

const json_t *lamp_at(const json_t *o, const char *path)
{
    for (; o && *path; path += *path == '.') {
        const size_t len = strcspn(path, ".");
        o = json_object_getn(o, path, len);
        path += len;
    }
    return o;
}

int64_t lamp_number(const json_t *o, const char *path)
{
    return json_integer_value(lamp_at(o, path));
}

const char *lamp_cell_safe(const char *text, char buf[LAMP_CELL])
{
    return lamp_text_safe((const uint8_t *)text, strlen(text), buf, LAMP_CELL);
}

/* ---- cells ---- */

const char *lamp_cell_text(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const char *s = json_string_value(lamp_at(row, path));
    (void)now;
    return s && *s ? lamp_cell_safe(s, buf) : "-";
}

const char *lamp_cell_all(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const char *s = json_string_value(lamp_at(row, path));
    return s && *s ? lamp_cell_text(row, path, now, buf) : "all";
}

const char *lamp_cell_number(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    snprintf(buf, LAMP_CELL, "%" PRId64, lamp_number(row, path));
    return buf;
}

const char *lamp_cell_yes(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now, (void)buf;
    return json_is_true(lamp_at(row, path)) ? "yes" : "no";
}

const char *lamp_cell_newest(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const json_t *list = lamp_at(row, path);
    const size_t n = json_array_size(list);
    const char *first = json_string_value(json_array_get(list, 0));
    (void)now;
    if (!first)
        return "-";
    char text[LAMP_CELL - 32];
    lamp_text_safe((const uint8_t *)first, strlen(first), text, sizeof(text));
    if (n > 1)
        snprintf(buf, LAMP_CELL, "%s (+%zu)", text, n - 1);
    else
        snprintf(buf, LAMP_CELL, "%s", text);
    return buf;
}

static const char *scaled(double v, double base, const char *const *units, size_t n,
                          char buf[LAMP_CELL])
{
    size_t i = 0;
    while (fabs(v) >= base && i + 1 < n) {
        v /= base;
        i++;
    }
    snprintf(buf, LAMP_CELL, "%.*f %s",
             i == 0 || fabs(v) >= 100 ? 0
             : fabs(v) >= 10          ? 1
                                      : 2,
             v, units[i]);
    return buf;
}

static const char *bytes(double v, char buf[LAMP_CELL])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    return scaled(v, 1024, units, ARRAY_LEN(units), buf);
}

const char *lamp_cell_bytes(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    return bytes((double)lamp_number(row, path), buf);
}

const char *lamp_cell_traffic(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const json_t *both = lamp_at(row, path);
    (void)now;
    return bytes((double)(lamp_number(both, "up") + lamp_number(both, "down")), buf);
}

const char *lamp_cell_rate(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    static const char *const prefixes[] = { "", "k", "M", "G", "T", "P", "E" };
    const json_t *rate = lamp_at(row, path);
    if (!json_is_object(rate))
        return "-";
    char value[LAMP_CELL], unit[LAMP_CELL];
    scaled(json_number_value(lamp_at(rate, "value")), 1000, prefixes, ARRAY_LEN(prefixes), value);
    snprintf(buf, LAMP_CELL, "%.32s%.16s", value, lamp_cell_text(rate, "unit", now, unit));
    return buf;
}

static const char *span(double seconds, char buf[LAMP_CELL])
{
    static const struct {
        double seconds;
        const char *unit;
    } units[] = {
        { 86400, "d" },
        { 3600, "h" },
        { 60, "min" },
        { 1, "s" },
    };
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && seconds < 2 * units[i].seconds)
        i++;
    snprintf(buf, LAMP_CELL, "%.0f %s", floor(seconds / units[i].seconds), units[i].unit);
    return buf;
}

const char *lamp_cell_age(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const double at = json_number_value(lamp_at(row, path));
    return at > 0 ? span(now > at ? now - at : 0, buf) : "-";
}

const char *lamp_cell_left(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const double at = json_number_value(lamp_at(row, path));
    return at <= 0 ? "-" : at <= now ? "ended" : span(at - now, buf);
}

/* ---- tables ---- */

/* Characters of UTF-8 text, which is close enough to columns. */
static size_t width(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Writes a cell, cut to WIDE characters; how many it took. */
static size_t put_cell(const char *s)
{
    size_t n = width(s), shown = 0;
    if (n <= WIDE) {
        fputs(s, stdout);
        return n;
    }
    while (shown < WIDE - 1) {
        do
            putchar(*s++);
        while (((unsigned char)*s & 0xc0) == 0x80);
        shown++;
    }
    fputs("…", stdout);
    return WIDE;
}

/* A line: the cells of a row (NULL: the heads), but for the last one as wide as their columns. */
static void put_line(const json_t *row, const struct lamp_column *columns, size_t n,
                     const size_t *widths, double now)
{
    for (size_t i = 0; i < n; i++) {
        char buf[LAMP_CELL];
        const struct lamp_column *c = &columns[i];
        const size_t w = put_cell(row ? c->cell(row, c->path, now, buf) : c->head);
        if (i + 1 < n)
            printf("%*s", (int)(widths[i] - w + 2), "");
    }
    putchar('\n');
}

void lamp_table_print(const json_t *list, const struct lamp_column *columns, double now)
{
    size_t widths[COLUMNS_MAX], n = 0, i;
    json_t *row;
    for (; n < COLUMNS_MAX && columns[n].head; n++)
        widths[n] = width(columns[n].head);
    json_array_foreach(list, i, row)
    {
        for (size_t k = 0; k < n; k++) {
            char buf[LAMP_CELL];
            const size_t w = width(columns[k].cell(row, columns[k].path, now, buf));
            if (lamp_min(w, WIDE) > widths[k])
                widths[k] = lamp_min(w, WIDE);
        }
    }
    put_line(NULL, columns, n, widths, now);
    json_array_foreach(list, i, row) put_line(row, columns, n, widths, now);
}
