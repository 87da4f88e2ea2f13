/* SPDX-License-Identifier: Apache-2.0 */
/* queue: summaries of the capture process that the link has not taken yet, in order. Owns copies. At most
 * LAMP_QUEUE_MAX_BYTES of them: then the oldest are given up and counted. Thread-safe; never logs. */
#pragma once

#include "common/err.h"
#include "common/util.h"

typedef struct lamp_queue lamp_queue;

enum { LAMP_QUEUE_MAX_BYTES = 8 * 1024 * 1024 };

/* LAMP_ENOMEM. */
LAMP_CHECK int lamp_queue_new(lamp_queue **out);
lamp_queue *lamp_queue_free(lamp_queue *q);

/* Adds a copy of a record; n_rows and n_bytes are what is lost with it. Without memory it is lost. */
void lamp_queue_add(lamp_queue *q, const uint8_t *data, size_t len, size_t n_rows,
                    uint64_t n_bytes);

/* Sends what is in it to the channel, as much as it takes. LAMP_ECLOSED: nobody reads it any more. */
LAMP_CHECK int lamp_queue_send(lamp_queue *q, int channel_fd);

/* Bytes that wait. */
size_t lamp_queue_bytes(lamp_queue *q);

/* Rows and traffic bytes of the records that were given up. */
void lamp_queue_lost(lamp_queue *q, uint64_t *out_rows, uint64_t *out_bytes);
