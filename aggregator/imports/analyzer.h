/* SPDX-License-Identifier: Apache-2.0 */
/* analyzer: `davylamp-sensor analyze` over one capture, in a process of its own that reads it from
 * standard input and can open nothing else (analyze --confined). The process is limited in memory,
 * processor time and time, may make no file, and ends with the thread that started it. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_ANALYZER_WHY = 400 };

struct lamp_analyzer_cfg {
    const char *program, *catalogue; /* davylamp-sensor; its folder of pools */
    uint64_t memory_bytes;           /* private memory; 0: what analyze allows itself */
    unsigned cpu_s, wall_s;          /* of one capture */
};

/* A line of its answer, without newline, terminated. */
typedef void lamp_analyzer_line_fn(const char *line, size_t len, void *arg);

/* Called several times a second; true: give up. */
typedef bool lamp_analyzer_idle_fn(void *arg);

/* Has it read fd (borrowed) from where that stands; the offset of fd tells how far it is. LAMP_OK: it came
 * to its end, also where it could not read all. LAMP_ECLOSED: given up. LAMP_EIO: `why` says in a sentence what
 * ended it; lines may have come before. Lines longer than 1 MiB are dropped and counted. */
LAMP_CHECK int lamp_analyzer_run(const struct lamp_analyzer_cfg *cfg, int fd,
                                 lamp_analyzer_line_fn *line, lamp_analyzer_idle_fn *idle,
                                 void *arg, uint64_t *out_dropped, char why[LAMP_ANALYZER_WHY]);
