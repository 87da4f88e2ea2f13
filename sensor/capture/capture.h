/* SPDX-License-Identifier: Apache-2.0 */
/* capture: the process that reads hostile packets and can do nothing else: it opens its
 * interfaces, gives up all privilege, feeds one engine and sends summaries to the link. */
#pragma once

#include "sensor/conf.h"

/* Serves until a signal ends it; fd: channel to the link, ready_fd: gets one byte once all
 * interfaces are open. Returns an exit status: 0, LAMP_EXIT_CONFIG, or 1 (start it again). */
int lamp_capture_run(const struct lamp_sensor_conf *conf, int fd, int ready_fd);
