/* SPDX-License-Identifier: Apache-2.0 */
/* csv: reads the tables that the programs ship with (RFC 4180, with LF or CRLF, quotes only around
 * whole fields; the first row names the columns). Files of at most 16 MiB and 32 columns. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_CSV_COLUMNS = 32 };

/* Where a file is being read; for lamp_csv_fail(). */
struct lamp_csv {
    const char *path;
    char *p;       /* rest of the file; fields are terminated in place */
    unsigned line; /* of the row read last */
    unsigned next_line;
    char *fields[LAMP_CSV_COLUMNS];
    size_t n_fields;
    char *why;
    size_t why_size;
};

/* One kind of file: its name, the columns used, and what becomes of a row. */
struct lamp_csv_table {
    const char *file;
    const char *columns[12]; /* NULL-terminated */
    size_t limit;            /* rows; more make loading fail rather than vanish */
    /* v: the columns in that order. LAMP_OK, or what lamp_csv_fail() returned. */
    int (*add)(void *arg, char *const *v, const struct lamp_csv *at);
};

/* Reads folder/file and hands each row to t->add. *out_text holds the strings of all rows; the
 * caller frees it, also after an error. On failure says in `why` (size bytes) which file and line.
 * LAMP_ENOENT, LAMP_EFORMAT, LAMP_EFULL, LAMP_EINVAL, LAMP_ENOMEM, or what reading the file said. */
LAMP_CHECK int lamp_csv_load(const char *folder, const struct lamp_csv_table *t, void *arg,
                             char **out_text, char *why, size_t size);

/* Says that the row at hand is wrong. Returns LAMP_EFORMAT. */
int lamp_csv_fail(const struct lamp_csv *c, const char *what);
