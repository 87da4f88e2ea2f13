/* SPDX-License-Identifier: Apache-2.0 */
/* link: the process that talks to the aggregator: spools what capture sends, delivers it, and
 * passes block lists on to enforce and its answers back. The only one with an inet socket. */
#pragma once

#include "sensor/conf.h"
#include "sensor/link/spool.h"

/* Serves until a signal ends it. capture_fd and enforce_fd: channels; taken: shared memory in which it
 * finds what the link process before it left behind, and leaves its own (NULL: it does not); ready_fd:
 * gets one byte once the spool and the key are open. Returns an exit status: 0, LAMP_EXIT_CONFIG, or 1. */
int lamp_link_run(const struct lamp_sensor_conf *conf, int capture_fd, int enforce_fd,
                  struct lamp_spool_taken *taken, int ready_fd);
