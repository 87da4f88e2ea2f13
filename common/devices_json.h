/* SPDX-License-Identifier: Apache-2.0 */
/* devices_json: how analyze and the aggregator write hardware and power. */
#pragma once

#include "common/devices.h"
#include "common/json.h"

/* Writes a value with its interval; null where the interval ends at 0. */
void lamp_devices_json_range(struct lamp_json *j, const char *key, const struct lamp_range *r);

/* Writes the members "devices" and "power" into the open object; null where nothing is known.
 * price: of a kWh in the operator's currency; 0: not known, costs are null. */
void lamp_devices_json(struct lamp_json *j, const struct lamp_hardware *h, double price);
