/* SPDX-License-Identifier: Apache-2.0 */
/* estimates: what all miners of a site, a coin or the fleet come to: hash rates, devices, power and
 * costs with intervals (common/sum.h). Pure but for memory. Limits: 1,024 groups, 32 algorithms of
 * each, 512 models; what is beyond counts in the total and in left_out. */
#pragma once

#include "aggregator/api/json.h"

enum { LAMP_ESTIMATE_NAME = 128 }; /* a site or coin with NUL */
enum lamp_estimate_by { LAMP_BY_FLEET, LAMP_BY_SITE, LAMP_BY_COIN };

typedef struct lamp_estimates lamp_estimates;

LAMP_CHECK int lamp_estimates_new(enum lamp_estimate_by by, lamp_estimates **out);
lamp_estimates *lamp_estimates_free(lamp_estimates *e);

/* Counts a miner in: one that is at least probable, not dismissed, and has an open connection. */
void lamp_estimates_add(lamp_estimates *e, const struct lamp_miner_view *v,
                        const struct lamp_api_power *power);

/* Writes the object Estimates of docs/api/openapi.yaml, groups and models with the most watts first. */
void lamp_estimates_json(lamp_estimates *e, struct lamp_json *j);
