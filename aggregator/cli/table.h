/* SPDX-License-Identifier: Apache-2.0 */
/* table: answers of the API for people: cells, units, ages, and lists as tables. Text from the
 * network is made safe for a terminal. Everything goes to stdout. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { LAMP_CELL = 160 }; /* bytes of a cell */

/* One cell of a row: what is at `path` of it ("shares.submitted": the member of a member), in words.
 * Gives buf or a constant; "-" for what is not known. now: seconds since 1970. */
typedef const char *lamp_cell_fn(const json_t *row, const char *path, double now,
                                 char buf[LAMP_CELL]);

struct lamp_column {
    const char *head, *path;
    lamp_cell_fn *cell;
};

/* Prints the objects of a list, a line each. The columns end with one without a head, 15 at most;
 * cells are cut to 48 characters. */
void lamp_table_print(const json_t *list, const struct lamp_column *columns, double now);

/* Cells of text, numbers, bytes, and yes or no. */
lamp_cell_fn lamp_cell_text, lamp_cell_number, lamp_cell_bytes, lamp_cell_yes;

/* Text, "all" where there is none: a site, a total. */
lamp_cell_fn lamp_cell_all;

/* "12 s", "5 min", "3 h", "2 d": since a time, until a time ("ended": it has passed). */
lamp_cell_fn lamp_cell_age, lamp_cell_left;

/* The newest entry of a list, and how many more there are: "wallet (+2)". */
lamp_cell_fn lamp_cell_newest;

/* "1.25 MH/s", of an object with value and unit. */
lamp_cell_fn lamp_cell_rate;

/* Bytes up and down together, of an object with both. */
lamp_cell_fn lamp_cell_traffic;

/* The value at a path; NULL. And as a number; 0. */
const json_t *lamp_at(const json_t *o, const char *path);
int64_t lamp_number(const json_t *o, const char *path);

/* Text of the network, made safe. */
const char *lamp_cell_safe(const char *text, char buf[LAMP_CELL]);
