/* SPDX-License-Identifier: Apache-2.0 */
/* spool: captures on their way in, as files of a folder of its own: one per capture, gone when it has been
 * analysed. Thread-safe, as long as one upload is written to and removed by one thread at a time. */
#pragma once

#include "common/err.h"
#include "common/util.h"

typedef struct lamp_spool lamp_spool;

/* Makes the folder if there is none, and removes whatever a former run has left in it. Negated errno,
 * LAMP_ENOMEM. */
LAMP_CHECK int lamp_spool_open(const char *folder, lamp_spool **out);
lamp_spool *lamp_spool_close(lamp_spool *s);

/* Bytes that the disk has left for us. */
uint64_t lamp_spool_free(const lamp_spool *s);

/* Writes into capture no of an upload at an offset. Negated errno: -ENOSPC the disk is full. */
LAMP_CHECK int lamp_spool_write(const lamp_spool *s, uint64_t upload, size_t no, uint64_t offset,
                                const void *data, size_t len);

/* Opens a capture for reading. LAMP_ENOENT: nothing was written (it is empty). Negated errno. */
LAMP_CHECK int lamp_spool_read(const lamp_spool *s, uint64_t upload, size_t no, int *out_fd);

/* Removes a capture, if it is there. */
void lamp_spool_remove(const lamp_spool *s, uint64_t upload, size_t no);
