/* SPDX-License-Identifier: Apache-2.0 */
/* beneath: files below a folder, with no way out of it: openat2(2) with RESOLVE_BENEATH, and no
 * symbolic link is followed at all. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

/* Opens a regular file for reading; *out_size gets its length. LAMP_ENOENT. LAMP_EAUTH: the path leads out
 * of the folder or over a symbolic link. LAMP_EFORMAT: no regular file. Negated errno; -ENOSYS: the
 * kernel is older than 5.6. */
LAMP_CHECK int lamp_beneath_open(int folder, const char *path, int *out_fd, uint64_t *out_size);

/* Paths of regular files, relative to the folder, malloc'ed. */
struct lamp_beneath_list {
    char **v;
    size_t n;
    uint64_t left_out; /* more than max, or deeper than 16 folders */
};

/* Lists path, if it is a file, or the regular files below it, by name. Errors as above; folders below that
 * cannot be read count as left out. LAMP_ENOMEM. Free it in any case. */
LAMP_CHECK int lamp_beneath_list(int folder, const char *path, size_t max,
                                 struct lamp_beneath_list *out);
void lamp_beneath_list_free(struct lamp_beneath_list *l);
