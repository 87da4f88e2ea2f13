/* SPDX-License-Identifier: Apache-2.0 */
/* settings: the options of a sensor that its aggregator may set for the sensors of a site (docs/WIRE.md,
 * the policy set): what can change while it runs, needs neither file nor privilege, and cuts no sensor
 * off. Their limits are those of the sensor's own configuration. */
#pragma once

#include "common/conf.h"

enum { LAMP_SETTING_NAME = 65, LAMP_SETTING_VALUE = 65 }; /* with NUL */

/* All of them; the offsets are of nothing. */
const struct lamp_opt *lamp_settings(size_t *out_n);

/* NULL: no option of this name can be set from the aggregator. */
const struct lamp_opt *lamp_setting_find(const char *name);
