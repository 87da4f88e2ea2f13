/* SPDX-License-Identifier: Apache-2.0 */
/* io: whole files, durable replacement, and length-prefixed frames on pipes. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

/* Reads a whole file of at most limit bytes; *out is terminated and the caller's to free().
 * LAMP_EFULL: longer. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_io_read_file(const char *path, size_t limit, char **out, size_t *out_len);

/* Replaces a file so that after a crash the old or the new content is there: writes
 * path.tmp with the mode, fsync, rename, fsync of the folder. Negated errno. */
LAMP_CHECK int lamp_io_replace_file(const char *path, const void *data, size_t len, int mode);

/* Reads or writes exactly len bytes, through EINTR and (where fd is non-blocking) poll.
 * LAMP_ECLOSED: end of file. Negated errno. */
LAMP_CHECK int lamp_io_read_full(int fd, void *buf, size_t len);
LAMP_CHECK int lamp_io_write_full(int fd, const void *buf, size_t len);

/* One frame on a pipe or stream socket: u32 length, little-endian, then the bytes. Reading
 * takes at most limit bytes (LAMP_EFULL: the peer sent more, drop it) into memory the
 * caller frees. LAMP_ECLOSED, LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_io_read_frame(int fd, size_t limit, uint8_t **out, size_t *out_len);
LAMP_CHECK int lamp_io_write_frame(int fd, const void *data, size_t len);

/* Makes a folder and its parents (mode for new ones). Negated errno. */
LAMP_CHECK int lamp_io_mkdirs(const char *path, int mode);
