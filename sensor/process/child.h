/* SPDX-License-Identifier: Apache-2.0 */
/* child: what the capture, link and enforce processes have in common. */
#pragma once

#include "common/err.h"
#include "common/util.h"
#include "sensor/process/sandbox.h"

/* Exit status of a process that cannot work as configured: if it is so from the start, the
 * program ends with 1 instead of starting it again. */
enum { LAMP_EXIT_CONFIG = 2 };

/* Right after fork: the process's name, an end with the parent's, and SIGTERM as the only
 * signal that is listened to. */
void lamp_child_begin(const char *name);

/* Whether SIGTERM came. */
bool lamp_child_stopping(void);

/* One byte to the parent: all is open. */
void lamp_child_ready(int ready_fd);

/* Gives up privileges (lamp_privilege_drop()), with a line in the log where that is not possible
 * as configured. LAMP_EAUTH: refused by the kernel, logged. LAMP_ECLOSED: the parent is gone. */
LAMP_CHECK int lamp_child_drop(const char *name, const char *user, uint64_t capabilities);

/* Enters the sandbox, with a line in the log if that fails. LAMP_EKERNEL. */
LAMP_CHECK int lamp_child_confine(const char *name, const struct lamp_sandbox *sandbox);
