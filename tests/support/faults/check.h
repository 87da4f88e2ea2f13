/* SPDX-License-Identifier: Apache-2.0 */
/* check: the invariant of the link, from what lies on the disks after a run: every batch that a
 * sensor made durable is merged exactly once, still in its spool, or declared lost. Works
 * on files alone, so it knows nothing of the programs but their formats. */
#pragma once

#include "tests/support/faults/control.h"

enum { FAULT_ROWS_MAX = 512, CHECK_SENSORS_MAX = 16 };

/* The remote address of row `row` of batch `number`: unique, so that the database can tell. */
static inline struct lamp_addr fault_address(uint64_t number, uint16_t row)
{
    struct lamp_addr a = { { 0x20, 0x01, 0x0d, 0xb8 } };
    for (int i = 0; i < 8; i++)
        a.b[6 + i] = (uint8_t)(number >> (56 - 8 * i));
    a.b[14] = (uint8_t)(row >> 8);
    a.b[15] = (uint8_t)row;
    return a;
}

struct check_sensor {
    const char *name;  /* as the aggregator knows it */
    const char *spool; /* its spool.db; not open in any process */
    const struct control *control;
    uint64_t rows; /* of each batch */
};

struct check_result {
    uint64_t spooled, merged, waiting, lost; /* batches; waiting: in the spool alone */
    uint64_t duplicates;                     /* that the aggregator met and did not count */
    uint64_t residue;                        /* violations; the first are told on stderr */
};

/* Checks a database against the sensors that fed it. LAMP_ESTORE: a file could not be
 * read (why on stderr). */
LAMP_CHECK int check_run(const char *database, const struct check_sensor *sensors, size_t n,
                         struct check_result *out);

/* The acknowledgements of a sensor are all in the database: what must hold after every crash of
 * the aggregator, before the sensor has had a chance to heal it. */
LAMP_CHECK int check_acked(const char *database, const struct check_sensor *sensors, size_t n,
                           struct check_result *out);
