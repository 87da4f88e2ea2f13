/* SPDX-License-Identifier: Apache-2.0 */
/* enroll: the command that has the aggregator take this sensor in, and what it leaves behind for
 * the daemon. Speaks to the terminal. */
#pragma once

#include "sensor/conf.h"

/* Fills what the configuration leaves empty with what the enrolment told: link.server_key,
 * link.list_key, sensor.site, sensor.name. Nothing where the configuration names another
 * aggregator. LAMP_ENOMEM. */
LAMP_CHECK int lamp_enroll_fill(struct lamp_sensor_conf *conf);

/* Makes the key if there is none and asks until there is a decision. token: as `davylamp enroll`
 * prints it, "-" to read it from standard input, NULL to wait for an operator. Returns the exit
 * status: 0 let in, 1 refused or failed, 2 wrong usage. */
int lamp_enroll_run(struct lamp_sensor_conf *conf, const char *token);

/* Prints the public key in use and its fingerprint, making the key first if there is none. Returns
 * the exit status. */
int lamp_enroll_show_key(struct lamp_sensor_conf *conf);
