/* SPDX-License-Identifier: Apache-2.0 */
/* touched: which objects changed since browsers were last told, so that each is told of at most
 * once a second. At most 8,192 objects; past that the rest share one status event. The writer
 * thread's. */
#pragma once

#include "aggregator/handover/events.h"

typedef struct lamp_touched lamp_touched;

LAMP_CHECK int lamp_touched_new(lamp_touched **out);
lamp_touched *lamp_touched_free(lamp_touched *t);

/* Notes a change; name is a sensor's, else "". */
void lamp_touched_add(lamp_touched *t, enum lamp_event_kind kind, int64_t id, const char *name);

/* Publishes what has waited long enough (now_us is monotonic); call after a commit and when due. */
void lamp_touched_publish(lamp_touched *t, uint64_t now_us, lamp_events *to);

/* When there is something to publish next; UINT64_MAX: nothing waits. */
uint64_t lamp_touched_due_us(const lamp_touched *t);
