/* SPDX-License-Identifier: Apache-2.0 */
/* disk: a program linked with disk.c has its file calls (as SQLite makes them) pass through here:
 * they can fail from the n-th on or as on a full disk, and be written down so that cut.h can tell
 * what of them a loss of power would have left. Only files below one folder are meant. */
#pragma once

#include "common/util.h"

/* One call as written down, followed by len bytes of a name or of data. */
struct disk_entry {
    uint32_t op; /* enum disk_op */
    uint32_t file;
    uint64_t at, len; /* offset or size; bytes that follow */
};

enum disk_op {
    DISK_NAME = 1, /* `file` stands for this name in the folder from now on */
    DISK_CREATE,
    DISK_WRITE,
    DISK_TRUNCATE, /* to `at` */
    DISK_SYNC,
    DISK_UNLINK,
    DISK_RENAME, /* to file number `at` */
    DISK_SYNC_DIR,
};

/* Watches a folder from now on; log_fd -1: write nothing down. A program started with the
 * environment of control.h need not call it. */
void disk_watch(const char *folder, int log_fd);

/* The n-th file call from now on (from 1) fails with error, and those after it if `all`;
 * 0: none does. Reading counts too. */
void disk_fail(uint64_t n, int error, bool all);

/* File calls since disk_fail(). */
uint64_t disk_calls(void);

/* Writing fails with ENOSPC while *flag is set. */
void disk_full_flag(const _Atomic bool *flag);
