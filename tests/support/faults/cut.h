/* SPDX-License-Identifier: Apache-2.0 */
/* cut: what a loss of power leaves of a folder: disk.c wrote down what a program did to it,
 * starting from a copy. Kept for sure is what fsync(2) was called for (names: what the folder was
 * synced for); of the rest, calls survive or not, in any order, and writes in sectors of 512 bytes,
 * as the seed has it. */
#pragma once

#include "common/err.h"
#include "tests/support/rng.h"

/* Replaces the content of `folder` by what is left of `base` after the calls in `log`. Mapped files
 * (-shm) are left out. LAMP_EFORMAT: the log makes no sense. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int cut_power(const char *base, const char *log, const char *folder,
                         struct lamp_rng *rng);

/* Makes `to` a copy of the files of folder `from` (but for -shm), replacing what is there. */
LAMP_CHECK int copy_folder(const char *from, const char *to);
