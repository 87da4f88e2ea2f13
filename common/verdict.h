/* SPDX-License-Identifier: Apache-2.0 */
/* verdict: what the sensor says of a connection; shared by sensor, wire and aggregator. */
#pragma once

#include "common/err.h"
#include "common/util.h"

/* Ordered by weight: a verdict only rises while a connection lives. The numbers are on the wire. */
enum lamp_verdict {
    LAMP_VERDICT_NONE = 0,
    LAMP_VERDICT_WALLET = 1,    /* node or wallet traffic of a coin: no alarm */
    LAMP_VERDICT_SUSPECTED = 2, /* no alarm */
    LAMP_VERDICT_PROBABLE = 3,  /* alarm */
    LAMP_VERDICT_CONFIRMED = 4, /* alarm */
};

/* Bits of ConnectionRows.flags. */
enum lamp_conn_flag {
    LAMP_CONN_MIDSTREAM = 1, /* the start of the connection was not seen */
    LAMP_CONN_TLS = 2,
    LAMP_CONN_ENDED = 4,     /* no further rows of this connection follow */
    LAMP_CONN_RECALLED = 8,  /* the verdict is that of an earlier connection of client and server */
    LAMP_CONN_IP_BYTES = 16, /* of flow records: bytes are those of IP packets, not of frames */
    LAMP_CONN_SAID = 0xffff, /* what a sensor may say; those above are the aggregator's */

    LAMP_CONN_PROBED = 1 << 16, /* its server answered as a pool does when it was asked */
    LAMP_CONN_FLEET = 1 << 17, /* another client in the fleet was confirmed to mine at its server */
};

/* Who sent what a piece of evidence rests on. The numbers are on the wire. */
enum lamp_side { LAMP_SIDE_UNKNOWN = 0, LAMP_SIDE_CLIENT = 1, LAMP_SIDE_SERVER = 2 };

/* "client", "server"; NULL: not known. */
const char *lamp_side_name(enum lamp_side s);

/* "confirmed", ...; "none" for LAMP_VERDICT_NONE. */
const char *lamp_verdict_name(enum lamp_verdict v);

/* LAMP_EFORMAT: not a verdict's name. */
LAMP_CHECK int lamp_verdict_parse(const char *name, enum lamp_verdict *out);
