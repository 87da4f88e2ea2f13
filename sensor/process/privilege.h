/* SPDX-License-Identifier: Apache-2.0 */
/* privilege: what a process of the sensor gives up once it has opened what it needs. */
#pragma once

#include "common/err.h"
#include "common/util.h"

#include <sys/types.h>

/* Looks a user up. LAMP_ENOENT: there is no such user; the outputs are then 0 (root). */
LAMP_CHECK int lamp_privilege_user(const char *user, uid_t *out_uid, gid_t *out_gid);

/* Becomes the user with the capabilities of the mask alone (bit n: capability n, 0: none),
 * for good: nothing in the inheritable and ambient sets, nothing beyond them in the bounding set,
 * no_new_privs, no core dumps, no debugger of the same user. Where the process is not root, gives
 * up every capability outside the mask and keeps the user. Negated errno. */
LAMP_CHECK int lamp_privilege_drop(uid_t uid, gid_t gid, uint64_t capabilities);

/* Closes every file descriptor from 3 on but those of the list (-1 entries are skipped). */
void lamp_privilege_close_others(const int *keep, size_t n);
