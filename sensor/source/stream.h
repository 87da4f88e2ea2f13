/* SPDX-License-Identifier: Apache-2.0 */
/* stream: the bytes of a file or of standard input, in order, unpacked on the way if they are
 * compressed (gzip of one or more members, zstd). Nothing is kept of what was read, so input
 * that unpacks to far more than its size costs time and no memory. Only for sensor/source/. */
#pragma once

#include "sensor/source/impl.h"

typedef struct lamp_stream lamp_stream;

/* path "-": standard input, which is not closed. LAMP_ENOENT, LAMP_EFORMAT: a folder or empty,
 * LAMP_ENOMEM, negated errno; why names path. */
LAMP_CHECK int lamp_stream_open(const char *path, lamp_stream **out, char why[LAMP_SOURCE_WHY]);

/* The same with a descriptor of a file, which it takes, also on failure; path is for messages. It does not
 * ask for the size, since a process in its sandbox may not. */
LAMP_CHECK int lamp_stream_open_fd(int fd, const char *path, lamp_stream **out,
                                   char why[LAMP_SOURCE_WHY]);
lamp_stream *lamp_stream_close(lamp_stream *s);

/* Reads what is there, waiting for one byte at least; *out_n is 0 at the end. LAMP_ETRUNC,
 * LAMP_EFORMAT: the compressed data are cut or damaged, negated errno; *out_what says so in a
 * few words. size must not be 0. */
LAMP_CHECK int lamp_stream_read(lamp_stream *s, uint8_t *buf, size_t size, size_t *out_n,
                                const char **out_what);

/* How many bytes there are in all; UINT64_MAX: not known (a pipe, compressed). */
uint64_t lamp_stream_size(const lamp_stream *s);
