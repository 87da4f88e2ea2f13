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
 * length and bytes of application and of remote_name, bytes_out, bytes_in, packets_out, packets_in, flows, each
 * as in packed.h. */
#pragma once

#include "aggregator/store/packed.h"

#include <sqlite3.h>

/* A row as it is read, borrowed from what it is read of; addresses of 4 or 16 bytes. */
struct lamp_part_row {
    struct lamp_bytes inside, remote, application, name;
    uint64_t ip_proto, service_port;
    uint64_t counts[5]; /* bytes out, in, packets out, in, flows */
};

/* The next row of a part. False: there is none left, or c->bad: what is left is none. */
bool lamp_part_next(struct lamp_cursor *c, struct lamp_part_row *out);

/* Adds a row behind the others. LAMP_ENOMEM, LAMP_EFULL (a text longer than any on the wire): nothing is added. */
LAMP_CHECK int lamp_part_add(struct lamp_part *p, const struct lamp_rollup_row *r);

/* Frees what the rows take. */
void lamp_part_done(struct lamp_part *p);

/* Makes both functions known to a handle. LAMP_ESTORE. */
LAMP_CHECK int lamp_parts_register(sqlite3 *db);
