/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: looks at all that a sensor needs of its machine and its network, and says what is wrong and
 * what to do. It changes nothing, and the daemon may run meanwhile: the connection that it opens to the
 * aggregator says no word. */
#pragma once

#include "sensor/conf.h"

enum lamp_health { LAMP_HEALTH_OK, LAMP_HEALTH_DOUBT, LAMP_HEALTH_FAULT };

/* What one look found; advice is "" where nothing is to be done. */
typedef void lamp_doctor_tell_fn(void *arg, enum lamp_health health, const char *what,
                                 const char *found, const char *advice);

/* Looks at everything, in some seconds; tells each result. handshake_ms: how long the aggregator may take to answer. */
void lamp_doctor_examine(struct lamp_sensor_conf *conf, unsigned handshake_ms,
                         lamp_doctor_tell_fn *tell, void *arg);

/* What the kernel says of the clock (adjtimex(2)), as a look: of its return value and status. */
enum lamp_health lamp_doctor_clock(int state, int status);

/* The command: prints the results. Returns the exit status: 0 no fault, 1 there is one. */
int lamp_doctor_run(struct lamp_sensor_conf *conf);
