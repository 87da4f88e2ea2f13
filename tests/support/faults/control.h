/* SPDX-License-Identifier: Apache-2.0 */
/* control: a file mapped by the harness and by one peer (a sensor or the aggregator). What the
 * harness wants of the peer goes in, what the peer did comes out; it outlives kill -9 and cuts of
 * power, so it is what the invariant is checked against. */
#pragma once

#include "proto/wire.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define FAULT_CONTROL "LAMP_FAULT_CONTROL" /* the file */
#define FAULT_DISK "LAMP_FAULT_DISK"       /* the folder whose file calls are watched */
#define FAULT_LOG "LAMP_FAULT_LOG"         /* where they are written down; absent: nowhere */

enum { TRACE_MAX = 1 << 20 };

enum trace_kind {
    TRACE_SPOOLED = 1, /* batch `number` is record `seq` of `stream`, and safe */
    TRACE_ACKED,       /* the sensor was told that all records below `seq` are safe */
    TRACE_REWOUND,     /* and then that they are not: only below `seq` */
};

struct trace {
    enum trace_kind kind;
    struct lamp_stream_id stream;
    uint64_t seq, number;
};

struct control {
    /* For the peer. */
    _Atomic uint64_t pause_us; /* between two batches; 0: make none */
    _Atomic uint64_t left;     /* batches still to make */
    _Atomic int64_t step_us;   /* its real-time clock is off by this */
    _Atomic bool disk_full;
    /* From the peer. */
    _Atomic uint64_t next_number; /* of batches made, from 1 */
    _Atomic uint64_t clock_us;    /* of its monotonic clock, which the test scales */
    _Atomic uint64_t n;
    struct trace trace[TRACE_MAX];
};

/* Maps the file, making it if it is not there. NULL: no. */
static inline struct control *control_map(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    void *p = MAP_FAILED;
    if (ftruncate(fd, (off_t)sizeof(struct control)) == 0)
        p = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return p == MAP_FAILED ? NULL : p;
}

/* By the peer, from one thread. What does not fit is dropped, which the checker notices. */
static inline void trace_add(struct control *c, enum trace_kind kind,
                             const struct lamp_stream_id *stream, uint64_t seq, uint64_t number)
{
    const uint64_t n = atomic_load(&c->n);
    if (n < TRACE_MAX)
        c->trace[n] = (struct trace){ kind, *stream, seq, number };
    atomic_store(&c->n, n + 1);
}
