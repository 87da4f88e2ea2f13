/* SPDX-License-Identifier: Apache-2.0 */
/* rows: a flow record out of the named texts of a line. Only for sensor/records/. */
#pragma once

#include "sensor/records/record.h"

enum lamp_row_part {
    LAMP_ROW_SRC,
    LAMP_ROW_DST,
    LAMP_ROW_SRC_PORT,
    LAMP_ROW_DST_PORT,
    LAMP_ROW_PROTO,
    LAMP_ROW_FIRST,
    LAMP_ROW_LAST,
    LAMP_ROW_DURATION,
    LAMP_ROW_BYTES,
    LAMP_ROW_PACKETS,
    LAMP_ROW_BYTES_BACK,
    LAMP_ROW_PACKETS_BACK,
    LAMP_ROW_VLAN,
    LAMP_ROW_PARTS
};

/* What the parts are called in one kind of file; a part may have several names. NULL-terminated. */
struct lamp_row_name {
    const char *name;
    enum lamp_row_part part;
};

/* What was worked out last: dates cost. Zero-initialise. */
struct lamp_row_memory {
    char hour[13]; /* "2026-11-27 15", as it was written */
    uint64_t hour_us;
    bool is_set, is_utc;
};

struct lamp_row {
    struct lamp_bytes parts[LAMP_ROW_PARTS]; /* empty: not told */
};

/* false: no addresses, no time or no traffic in it. Times are seconds since 1970, or dates: of UTC where a zone is
 * named (ISO 8601 with an offset), of this machine's zone otherwise, as nfdump prints them. */
bool lamp_row_record(const struct lamp_row *row, struct lamp_row_memory *m,
                     struct lamp_record *out);
