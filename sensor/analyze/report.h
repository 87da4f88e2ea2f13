/* SPDX-License-Identifier: Apache-2.0 */
/* analyze_report: the forms in which analyze tells what it found: JSON lines, CSV, an HTML
 * page, a table for people. Each writes rows as they come and keeps none. The JSON form is a
 * contract that scripts rely on: keys are added, never changed. Not thread-safe. */
#pragma once

#include "common/devices.h"
#include "sensor/engine/conn.h"

#include <stdio.h>

struct lamp_report_error {
    char *file, *what;
};

struct lamp_report_summary {
    uint64_t files, packets, bytes, flows, connections;
    uint64_t pool_records; /* flow records with an end that was a pool's address then */
    uint64_t verdicts[LAMP_VERDICT_CONFIRMED + 1]; /* connections by verdict */
    struct lamp_report_error *errors;              /* inputs that could not be read (fully) */
    size_t n_errors, n_errors_left_out;
};

/* What is estimated from what was seen of a connection. */
struct lamp_report_estimate {
    struct lamp_rate rate;
    struct lamp_hardware hardware;
    double price; /* of a kWh; 0: not given */
};

struct lamp_report_form {
    void (*begin)(FILE *out);
    void (*connection)(FILE *out, const char *file, const struct lamp_conn *c,
                       const struct lamp_report_estimate *e);
    void (*end)(FILE *out, const struct lamp_report_summary *s);
};

extern const struct lamp_report_form lamp_report_json, lamp_report_csv, lamp_report_html,
    lamp_report_table;

/* The hash rate of a connection: by shares, else what the miner says of itself. */
struct lamp_rate lamp_report_rate(const struct lamp_conn *c);

/* "likely 3 x RTX 3080 (40 %), 720 W (610 W to 900 W), 4.32 a day", into buf; "" where nothing is
 * known. */
const char *lamp_report_power_text(const struct lamp_report_estimate *e, char *buf, size_t size);

/* "1.23 MH/s" into buf; "" for a rate of method NONE. */
const char *lamp_report_rate_text(const struct lamp_rate *r, const char *unit, char *buf,
                                  size_t size);
