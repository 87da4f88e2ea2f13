/* SPDX-License-Identifier: Apache-2.0 */
/* replay: capture files one after the other, at the pace of their packets' times or as fast as they
 * can be read. Time is the packets' own: lamp_replay_clock() runs with them, so that rates and
 * intervals mean what they meant when the capture was made.
 *
 * All files are opened by lamp_replay_add(), so that a process that may open none can read them. A file
 * that begins where the one before it ended goes on with it (rotated captures); one that begins earlier
 * is another recording, for which the clock steps back. A file that cannot be read to its end is told
 * of and left. Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "sensor/source/source.h"

typedef struct lamp_replay lamp_replay;

enum {
    LAMP_REPLAY_FILES = 16384,         /* most in one replay */
    LAMP_REPLAY_PAUSE_MAX_S = 60 * 60, /* a longer silence in the capture's time is passed over */
};

/* speed: 1 real time, 10 ten times that, 0 as fast as it is read. LAMP_ENOMEM. */
LAMP_CHECK int lamp_replay_new(unsigned speed, lamp_replay **out);
lamp_replay *lamp_replay_free(lamp_replay *r);

/* Opens a file, or every file below a folder in order of their names. LAMP_EFULL: more than
 * LAMP_REPLAY_FILES. LAMP_EINVAL: no regular file. LAMP_ENOMEM, negated errno; why names it. */
LAMP_CHECK int lamp_replay_add(lamp_replay *r, const char *path, char why[LAMP_SOURCE_WHY]);

/* How many files were opened. */
size_t lamp_replay_files(const lamp_replay *r);

/* Reads up to max frames that are due at now_us (CLOCK_MONOTONIC), all of one file and valid until the
 * next call. LAMP_OK: *out_n of them, at least one; *out_anew: another recording begins with them.
 * LAMP_EAGAIN: none is due for lamp_replay_wait_us(). LAMP_ECLOSED: the end of all files. Anything
 * else, as of lamp_source_open_file() and lamp_source_read(): a file was given up, `why` says which
 * and where; the next call goes on with the next one. */
LAMP_CHECK int lamp_replay_read(lamp_replay *r, uint64_t now_us, struct lamp_frame *frames,
                                size_t max, size_t *out_n, bool *out_anew,
                                char why[LAMP_SOURCE_WHY]);

/* How long after now_us the next frame is due; 0: at once. */
uint64_t lamp_replay_wait_us(const lamp_replay *r, uint64_t now_us);

/* The capture's time at now_us: never less than that of a frame read from this recording, nor more than
 * that of the next one. 0: none was read yet. */
uint64_t lamp_replay_clock(const lamp_replay *r, uint64_t now_us);
