/* SPDX-License-Identifier: Apache-2.0 */
/* records: where the records of one direction of a TLS connection begin, and how long they are
 * (RFC 8446 section 5.1). Bytes that are missing inside a record do no harm; where a header is
 * missing, the next piece that begins like a record is the new start. Also finds its way into a
 * stream whose start was not seen. 16 bytes of state; not thread-safe. */
#pragma once

#include "common/util.h"

enum lamp_tls_type {
    LAMP_TLS_CHANGE_CIPHER = 20,
    LAMP_TLS_ALERT = 21,
    LAMP_TLS_HANDSHAKE = 22,
    LAMP_TLS_DATA = 23,
};

/* One direction; zero-initialise. */
struct lamp_records {
    uint8_t head[5], n_head; /* of the header that is being read */
    uint16_t left;           /* bytes of the record that are still to come */
    bool lost;               /* a header was missed: waits for what looks like one */
    bool broken;             /* what came is no record */
};

struct lamp_record {
    uint8_t type;            /* enum lamp_tls_type */
    bool begins;             /* its header has just been read */
    uint16_t length;         /* of its body */
    struct lamp_bytes piece; /* what of the body is here */
};

/* Takes bytes up to the end of a record or of the bytes and moves *bytes past them. False: nothing
 * to tell, and *bytes is used up. */
bool lamp_records_next(struct lamp_records *r, struct lamp_bytes *bytes, struct lamp_record *out);

/* So many bytes before the next ones are missing. */
void lamp_records_gap(struct lamp_records *r, uint32_t missing);
