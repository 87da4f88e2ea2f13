/* SPDX-License-Identifier: Apache-2.0 */
/* packs: rows of other traffic that were added up, those of a minute, hour or day of a site in two values of the
 * database, in order and by column: an added-up row for itself takes three times the room, and to be put into a table
 * between others ten times the time.
 *
 * Keys: how many inside addresses of 4 bytes and of 16 there are, those of 4 bytes in order, those of 16; the same of
 * remote ones. Body: a minute since 1970 that none of it is before, 1 if the rows have a first and a last minute of their
 * own (else 0, and it is this one); how many rows; how many services and of each ip_proto, port and application; how many
 * names and these; of each inside address how many rows it has; then of all rows the place of the remote address
 * behind that of the row before with the same inside address, then those of the service and of the name, bytes
 * out, bytes in, packets out, packets in, flows, and where there are such, first minute and how much later the last one
 * is. Numbers and texts are as in packed.h.
 *
 * SQL has them by the table-valued function pack_rows(keys, body [, inside, remote]): inside, remote (of IPv4 the 4
 * bytes alone), ip_proto, service_port, application, remote_name, bytes_out, bytes_in, packets_out, packets_in, flows,
 * first, last (minutes); with addresses (x'' is any) those that have them. pack_has(keys, inside, remote) is 0 where
 * there are none, so that the body need not be read. A damaged pack has no rows; pack_damaged(keys, body) is 1 of it. */
#pragma once

#include "aggregator/store/parts.h"

/* What a sum stops short of: no honest one gets there. */
#define LAMP_PACK_SUM_MAX UINT64_C(4000000000000000000)

struct lamp_pack_row {
    struct lamp_part_row key; /* with its sums */
    uint64_t first, last;     /* minutes since 1970 */
};

/* Rows while they are gathered, with a copy of the bytes that they point to. */
struct lamp_pack_rows {
    struct lamp_pack_row *v;
    size_t n, size;
    struct lamp_pack_piece *pieces;
};

/* Adds the rows of a part, all of one minute. *out_damaged: it could not be read to its end; the rows before that are
 * there. LAMP_ENOMEM: some may be. */
LAMP_CHECK int lamp_pack_rows_part(struct lamp_pack_rows *rows, uint64_t minute,
                                   struct lamp_bytes body, bool *out_damaged);

/* Adds the rows of a pack. LAMP_EFORMAT: it is damaged, none of it was added. LAMP_ENOMEM. */
LAMP_CHECK int lamp_pack_rows_pack(struct lamp_pack_rows *rows, struct lamp_bytes keys,
                                   struct lamp_bytes body);

/* Adds a row with a copy of what it points to. LAMP_ENOMEM. */
LAMP_CHECK int lamp_pack_rows_add(struct lamp_pack_rows *rows, const struct lamp_pack_row *r);

/* After rows were merged: keeps of what was copied only what they still point to. LAMP_ENOMEM: all of it is kept. */
LAMP_CHECK int lamp_pack_rows_own(struct lamp_pack_rows *rows);

/* Puts them in order and makes one of those with the same key. */
void lamp_pack_rows_merge(struct lamp_pack_rows *rows);

/* Writes n rows, in order, into keys and body, which are emptied first. minute: what none of them is before.
 * LAMP_ENOMEM. */
LAMP_CHECK int lamp_pack_write(const struct lamp_pack_row *rows, size_t n, uint64_t minute,
                               struct lamp_part *keys, struct lamp_part *body);

/* Drops the rows, and keeps what they may be put into again; frees that, too. */
void lamp_pack_rows_clear(struct lamp_pack_rows *rows);
void lamp_pack_rows_done(struct lamp_pack_rows *rows);

/* Makes these functions and those of parts known to a handle, which every reader of the views of traffic has to. LAMP_ESTORE. */
LAMP_CHECK int lamp_packs_register(sqlite3 *db);
