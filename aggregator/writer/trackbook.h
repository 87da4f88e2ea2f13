/* SPDX-License-Identifier: Apache-2.0 */
/* trackbook: what is tracked, at the aggregator: what operators ask for becomes TRACK messages, said again until it
 * ends by time or by hand; rows of sensors become steps in the store; a ring of packet samples is kept up by the
 * samplebook (docs/WIRE.md, "Tracking"). Everything is in the store, so a restart changes nothing.
 * Bounded: the limits of store/trackings.h; kept for keep_days after the end. The writer thread's, inside its
 * transaction. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/writer/answers.h"
#include "aggregator/writer/samplebook.h"

typedef struct lamp_trackbook lamp_trackbook;

struct lamp_trackbook_cfg {
    lamp_store *store;        /* borrowed, as is samples */
    lamp_samplebook *samples; /* NULL: rings are not kept up */
    uint32_t keep_days;       /* 0: for ever */
};

/* LAMP_ENOMEM. */
LAMP_CHECK int lamp_trackbook_new(const struct lamp_trackbook_cfg *cfg, lamp_trackbook **out);
lamp_trackbook *lamp_trackbook_free(lamp_trackbook *b);

/* A command LAMP_CMD_TRACKING. LAMP_ENOENT: no sensor, or no tracking, is meant. LAMP_EFULL: as many as there may
 * be. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_trackbook_command(lamp_trackbook *b, const struct lamp_command *c,
                                      struct lamp_answers *answers, uint64_t now_us,
                                      struct lamp_command_result *r);

/* A session of the sensor began: it hears again what it is to track. LAMP_ESTORE. */
LAMP_CHECK int lamp_trackbook_hello(lamp_trackbook *b, const struct lamp_letter *letter,
                                    int64_t sensor_ref, struct lamp_answers *answers);

/* Takes an ORDER_STATUS. LAMP_ENOENT: it is about no tracking. LAMP_ESTORE. */
LAMP_CHECK int lamp_trackbook_status(lamp_trackbook *b, const struct lamp_letter *letter,
                                     int64_t sensor_ref, struct lamp_answers *answers);

/* Takes the rows of a batch; those that were not asked for change nothing, are counted, and answered with CANCEL.
 * LAMP_ESTORE. */
LAMP_CHECK int lamp_trackbook_rows(lamp_trackbook *b, const struct lamp_letter *letter,
                                   int64_t sensor_ref, const struct lamp_track_row *rows, size_t n,
                                   struct lamp_answers *answers);

/* When lamp_trackbook_tick() has work next: it ends what is over, asks again, keeps rings up and drops what is too
 * old. */
uint64_t lamp_trackbook_due_us(const lamp_trackbook *b);
LAMP_CHECK int lamp_trackbook_tick(lamp_trackbook *b, struct lamp_answers *answers,
                                   uint64_t now_us);
