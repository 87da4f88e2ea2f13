/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox: what stays possible for a process of the sensor once it has opened what it needs:
 * resource limits, landlock (files), seccomp (system calls). Entered once, for good, after
 * lamp_privilege_drop() and before the process starts threads. Builds with sanitizers have
 * none, since these make system calls of their own. */
#pragma once

#include "common/err.h"
#include "sensor/process/filter.h"

enum lamp_sandbox_kind {
    LAMP_SANDBOX_CAPTURE,
    LAMP_SANDBOX_LINK,
    LAMP_SANDBOX_ENFORCE,
    LAMP_SANDBOX_ANALYZE, /* of standard input */
};

struct lamp_sandbox {
    enum lamp_sandbox_kind kind;
    const char *folder; /* link, enforce: the only folder whose files it may change */
    /* capture, analyze: */
    int write_fds[LAMP_FILTER_WRITE_FDS]; /* the only descriptors it may write to; -1: none */
    unsigned threads;                     /* how many it will start; of capture alone */
    size_t memory_bytes;                  /* private memory it may take beyond what it has */
};

/* Enters the sandbox. *out_landlock: whether the kernel has landlock; without, the rest holds.
 * LAMP_EUNSUPPORTED: a build with sanitizers, nothing was done. LAMP_EKERNEL: seccomp refused.
 * LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_sandbox_enter(const struct lamp_sandbox *s, bool *out_landlock);
