/* SPDX-License-Identifier: Apache-2.0 */
/* analyze_report: the forms in which analyze tells what it found: JSON lines, CSV, an HTML
 * page, a table for people. Each writes rows as they come and keeps none. The JSON form is a
 * contract that scripts rely on: keys are added, never changed. Not thread-safe. */
#pragma once

#include "sensor/engine/conn.h"

#include <stdio.h>

struct lamp_report_error {
    char *file, *what;
};

struct lamp_report_summary {
    uint64_t files, packets, bytes, flows, connections;
    uint64_t verdicts[LAMP_VERDICT_CONFIRMED + 1]; /* connections by verdict */
    struct lamp_report_error *errors;              /* inputs that could not be read (fully) */
    size_t n_errors, n_errors_left_out;
};

struct lamp_report_form {
    void (*begin)(FILE *out);
    void (*connection)(FILE *out, const char *file, const struct lamp_conn *c);
    void (*end)(FILE *out, const struct lamp_report_summary *s);
};

extern const struct lamp_report_form lamp_report_json, lamp_report_csv, lamp_report_html,
    lamp_report_table;

/* The hash rate of a connection: by shares, else what the miner says of itself. */
struct lamp_rate lamp_report_rate(const struct lamp_conn *c);

/* "1.23 MH/s" into buf; "" for a rate of method NONE. */
const char *lamp_report_rate_text(const struct lamp_rate *r, const char *unit, char *buf,
                                  size_t size);
