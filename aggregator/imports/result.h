/* SPDX-License-Identifier: Apache-2.0 */
/* result: what `davylamp-sensor analyze` says of the captures of one import, line by line, checked, since
 * it read hostile input, and made rows of; and the answer to "is there a miner in it?". Not thread-safe.
 *
 * Limits: LAMP_IMPORT_CONNS_MAX connections and LAMP_IMPORT_MINUTES_MAX minutes of an import; what finds
 * no room, or is not what analyze says, is counted as left out. */
#pragma once

#include "aggregator/store/imports.h"
#include "common/err.h"
#include "common/util.h"

typedef struct lamp_result lamp_result;

/* Takes rows when there are enough of them; they are gone after the call. file is set with the last
 * rows of a capture. */
typedef void lamp_result_rows_fn(const struct lamp_import_rows *rows, void *arg);

LAMP_CHECK int lamp_result_new(uint64_t files, lamp_result_rows_fn *fn, void *arg,
                               lamp_result **out);
lamp_result *lamp_result_free(lamp_result *r);

/* The next capture begins. */
void lamp_result_file(lamp_result *r, const char *name, uint64_t size);

/* A line about it. */
void lamp_result_line(lamp_result *r, const char *line, size_t len);

/* It is over; error NULL: but for what the lines say it was read to its end. dropped: lines that
 * were too long. */
void lamp_result_file_end(lamp_result *r, const char *error, uint64_t dropped);

const struct lamp_import_sum *lamp_result_sum(const lamp_result *r);

/* The error of the first capture that has one; "" none. */
const char *lamp_result_error(const lamp_result *r);

/* The answer in one line, with the evidence. Returns buf. */
const char *lamp_result_answer(const lamp_result *r, char *buf, size_t size);
