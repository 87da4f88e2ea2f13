/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor: the parent of the three processes. It starts them, starts again with growing
 * pauses what ends by itself, passes signals on and tells systemd. It parses nothing and
 * talks to nobody. */
#pragma once

#include "sensor/conf.h"

/* Runs the sensor until SIGTERM or SIGINT. Returns the exit status of the program. */
int lamp_supervise(const struct lamp_sensor_conf *conf);
