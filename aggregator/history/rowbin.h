/* SPDX-License-Identifier: Apache-2.0 */
/* rowbin: rows of history as ClickHouse reads and writes them (RowBinary: clickhouse.com/docs/interfaces/formats),
 * numbers with the low byte first, texts behind their length as a varint, a FixedString and a DateTime (32 bits of seconds) as
 * they are. */
#pragma once

#include "aggregator/store/history.h"
#include "common/cursor.h"

/* Rows for one INSERT; zeroed it is empty. */
struct lamp_rowbin {
    uint8_t *data;
    size_t len, size, rows;
};

/* The columns that lamp_rowbin_add() writes, in order, as SQL names them. */
const char *lamp_rowbin_columns(enum lamp_history_kind kind);

/* Adds a row of a table, of this aggregator. LAMP_ENOMEM, LAMP_EFULL (a text longer than any there is): it is not added. */
LAMP_CHECK int lamp_rowbin_add(struct lamp_rowbin *b, unsigned table, uint64_t aggregator,
                               const struct lamp_history_row *r);
void lamp_rowbin_done(struct lamp_rowbin *b);

/* The next row of an answer: of traffic site, inside, remote, ip_proto, service_port, application, remote_name, the
 * five counts, first, last; of connections time and the nine counts, work, squares, self_rate. Texts point into the answer.
 * False: there is none left, or c->bad. */
bool lamp_rowbin_get(struct lamp_cursor *c, enum lamp_history_kind kind,
                     struct lamp_history_row *out);
