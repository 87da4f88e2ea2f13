/* SPDX-License-Identifier: Apache-2.0 */
/* nfcapd: the files that nfcapd and nfdump 1.7 write (layout version 2; nffile.h and nfxV3.h of nfdump 1.7.1, both little-endian).
 * A file is a header, then blocks of records, each a list of extensions. Packed (LZO, LZ4, bzip2, zstd) and encrypted ones are refused:
 * `nfdump -r FILE -w OUT` makes them plain. Only for sensor/records/. */
#pragma once

#include "sensor/records/recordfile.h"

#include <stdio.h>

bool lamp_nfcapd_is(const uint8_t *head, size_t len);

/* Reads the file from its begin; errors as lamp_recordfile_read(), whose `why` is told without the file's name. */
LAMP_CHECK int lamp_nfcapd_read(FILE *f, lamp_record_fn *fn, void *arg,
                                struct lamp_recordfile_counts *io, char why[LAMP_RECORDFILE_WHY]);
