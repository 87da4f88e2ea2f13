/* SPDX-License-Identifier: Apache-2.0 */
/* parts: rows of other traffic as they came, many of one minute packed into one value. Writing a row for
 * itself takes SQLite some twenty times as long as it takes to put its bytes behind those of the row before, and
 * most rows are read once only: when their minute is over and they are added up.
 *
 * The table-valued function part_rows(body) gives SQL the rows of a part: place, inside, remote (of IPv4 the 4
 * bytes alone), ip_proto, service_port, application, remote_name, bytes_out, bytes_in, packets_out, packets_in,
 * flows. A body that is damaged (it has no checksum: where its numbers make no sense) has the rows before that, so
 * that one bad value keeps nothing else from being read; part_damaged(body) is 1 for such a body.
 *
 * A row is: length of inside (4, 16; 0: all zero) and its bytes, the same of remote, ip_proto, service_port,
 * length and bytes of application and of remote_name, bytes_out, bytes_in, packets_out, packets_in, flows; numbers
 * are as in Protocol Buffers (varint, 7 bits a byte, the lowest first). */
#pragma once

#include "proto/wire.h"

#include <sqlite3.h>

/* Rows of one part while they are gathered. */
struct lamp_part {
    uint8_t *data;
    size_t len, size;
};

/* Adds a row behind the others. LAMP_ENOMEM, LAMP_EFULL (a text longer than any on the wire): nothing is added. */
LAMP_CHECK int lamp_part_add(struct lamp_part *p, const struct lamp_rollup_row *r);

/* Frees what the rows take. */
void lamp_part_done(struct lamp_part *p);

/* Makes both functions known to a handle, which every reader of the view rollup_minute has to. LAMP_ESTORE. */
LAMP_CHECK int lamp_parts_register(sqlite3 *db);
