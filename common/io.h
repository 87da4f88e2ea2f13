/* SPDX-License-Identifier: Apache-2.0 */
/* io: whole files, durable replacement, folders. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

/* Reads a whole file of at most limit bytes; *out is terminated and the caller's to free().
 * LAMP_EFULL: longer. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_io_read_file(const char *path, size_t limit, char **out, size_t *out_len);

/* Replaces a file so that after a crash the old or the new content is there: writes
 * path.tmp with the mode, fsync, rename, fsync of the folder. Negated errno. */
LAMP_CHECK int lamp_io_replace_file(const char *path, const void *data, size_t len, int mode);

/* Writes exactly len bytes, through EINTR and (where fd is non-blocking) poll. Negated errno. */
LAMP_CHECK int lamp_io_write_full(int fd, const void *buf, size_t len);

/* Makes a folder and its parents (mode for new ones). Negated errno. */
LAMP_CHECK int lamp_io_mkdirs(const char *path, int mode);

/* The path of a file that is named from the folder of the running program. Negated errno. */
LAMP_CHECK int lamp_io_beside_program(const char *name, char *buf, size_t size);

/* As root gives a file to whoever owns its folder, since what serves it is seldom root; else does
 * nothing. Negated errno. */
LAMP_CHECK int lamp_io_give_to_folder(const char *path);
