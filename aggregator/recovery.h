/* SPDX-License-Identifier: Apache-2.0 */
/* recovery: what is done about the database while nobody serves it: the look at it before a start, the
 * way back to a backup, and setting a damaged one aside. Says on stderr what went wrong, and what to do. */
#pragma once

#include "common/err.h"

#include <stdint.h>

/* Where a database is: as for lamp_store_open(). */
struct lamp_recovery {
    const char *backend, *database;
    const char *state_dir; /* of the keys */
};

/* Makes this process the only one to have the database (flock(2) on DATABASE.lock, until it ends).
 * LAMP_EAGAIN: another has it. LAMP_EIO. */
LAMP_CHECK int lamp_recovery_lock(const struct lamp_recovery *r);

/* Looks the database over, for limit_s seconds at most; 0: not at all. LAMP_EDIGEST: it is damaged.
 * LAMP_ESTORE: it cannot be opened. */
LAMP_CHECK int lamp_recovery_check(const struct lamp_recovery *r, uint32_t limit_s);

/* The commands `restore FILE` and `set-aside`: both lock and both return an exit status. */
int lamp_recovery_restore(const struct lamp_recovery *r, const char *file);
int lamp_recovery_set_aside(const struct lamp_recovery *r);
