/* SPDX-License-Identifier: Apache-2.0 */
/* filter: which system calls a process of the sensor may make, as a seccomp filter. A call that
 * is not allowed kills the whole process with SIGSYS. Not thread-safe: install it before
 * the process starts threads, which inherit it. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_FILTER_WRITE_FDS = 4 };

/* capture: a short list of what is allowed, everything else kills. It may not open, create,
 * name or connect anything. write and send reach write_fds alone (-1 entries are skipped): a packet
 * socket could otherwise put frames on the wire. threads: whether it may start threads of its
 * own. LAMP_EKERNEL: refused by the kernel. LAMP_ENOMEM. */
LAMP_CHECK int lamp_filter_capture(const int write_fds[LAMP_FILTER_WRITE_FDS], bool threads);

/* analyze of standard input: as capture, and it may ask what its descriptors are. */
LAMP_CHECK int lamp_filter_analyze(const int write_fds[LAMP_FILTER_WRITE_FDS]);

/* link: everything but starting programs or processes, memory that is writable and executable, and
 * what only an administrator or a debugger needs; sockets of the internet, unix and netlink
 * families only. Errors as above. */
LAMP_CHECK int lamp_filter_link(void);

/* enforce: as link, and of the sockets only unix and netlink. Errors as above. */
LAMP_CHECK int lamp_filter_enforce(void);
