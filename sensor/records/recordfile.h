/* SPDX-License-Identifier: Apache-2.0 */
/* recordfile: flow records out of files: nfcapd's (nfdump 1.7, as they are; see nfcapd.c), what `nfdump -o csv` prints,
 * Zeek's conn.log (TSV and JSON) and Suricata's EVE (flow or netflow events; of a file that has both, the kind that
 * comes first). EVE's bytes are of Ethernet frames: 14 a packet, and 4 a tag, are taken off. A line or record that
 * cannot be used is counted and passed over. Bounded memory; never logs, never reads a clock. */
#pragma once

#include "common/err.h"
#include "sensor/records/record.h"

enum { LAMP_RECORDFILE_WHY = 512, LAMP_RECORDFILE_LINE = 1 << 16 };

struct lamp_recordfile_counts {
    uint64_t records;  /* lent */
    uint64_t unusable; /* records or lines without addresses, times or traffic */
    uint64_t other;    /* records or lines of something else: events, comments, exporters */
};

/* Whether the file begins like one of these: what to call it ("nfcapd file"); NULL: it does not, or cannot be read. */
const char *lamp_recordfile_kind(const char *path);

/* Lends every record of such a file to fn. *out tells also of what came before an error. LAMP_EUNSUPPORTED: packed, encrypted or
 * of another version; LAMP_ETRUNC, LAMP_EFORMAT: damaged from some place on, which `why` tells; LAMP_ENOMEM, negated
 * errno. */
LAMP_CHECK int lamp_recordfile_read(const char *path, lamp_record_fn *fn, void *arg,
                                    struct lamp_recordfile_counts *out,
                                    char why[LAMP_RECORDFILE_WHY]);
