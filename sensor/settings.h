/* SPDX-License-Identifier: Apache-2.0 */
/* settings: the configuration of a sensor's process with what the aggregator set for the site (the policy
 * set, docs/WIRE.md). What the sensor's own file, environment or command line says stands; a name that
 * this build does not know and a value that it does not take change nothing, and are told.
 * Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "proto/collect.h"
#include "sensor/conf.h"

enum { LAMP_SETTINGS_DETAIL = 200 };

/* Fills *out with a copy of *base with the settings of the set in it; it borrows what base owns. detail
 * gets which of them were not taken, and why; "": all were. */
void lamp_settings_apply(const struct lamp_sensor_conf *base, const struct lamp_set_entry *v,
                         size_t n, struct lamp_sensor_conf *out, char detail[LAMP_SETTINGS_DETAIL]);

/* What a process was told of the set, by the messages in which enforce passes it on. */
struct lamp_settings {
    const struct lamp_sensor_conf *base; /* borrowed */
    struct lamp_sensor_conf now;         /* to be used */
    struct lamp_set_head head;           /* of the set held; serial 0: none */
    struct lamp_collect incoming;
    bool open; /* what comes is of a policy set */
    char detail[LAMP_SETTINGS_DETAIL];
};

void lamp_settings_init(struct lamp_settings *s, const struct lamp_sensor_conf *base);
void lamp_settings_done(struct lamp_settings *s);

/* Takes SET_BEGIN, SET_CHUNK or SET_END, of whatever kind. Returns whether `now` was made anew. */
bool lamp_settings_feed(struct lamp_settings *s, const struct lamp_msg *m);
