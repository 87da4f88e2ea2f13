/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_history: what maintenance and reading mind of history that leaves the SQLite store. Private to
 * store/sqlite*.c. */
#pragma once

#include "aggregator/store/sqlite.h"

/* Before rows as they came, up to minute and site `last`, are added up: notes the groups of them that were claimed already. LAMP_ESTORE. */
LAMP_CHECK int lamp_sqlite_history_grown(struct lamp_sqlite *q, enum lamp_history_kind kind,
                                         struct lamp_history_at last, uint64_t now_us);

/* The first minute (hour, day) that may hold rows which were not sent; INT64_MAX where none have to be. */
LAMP_CHECK int lamp_sqlite_history_unsent(struct lamp_sqlite *q, enum lamp_step step, int64_t *out);

/* Before the minutes (hours, days) from `from` to before `floor` go: counts what of them was not sent. */
LAMP_CHECK int lamp_sqlite_history_forget(struct lamp_sqlite *q, enum lamp_step step, uint64_t from,
                                          uint64_t floor);

/* Of a new handle: makes room for rows of the past. LAMP_ESTORE. */
LAMP_CHECK int lamp_sqlite_past_open(struct lamp_sqlite *q);
