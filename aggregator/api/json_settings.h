/* SPDX-License-Identifier: Apache-2.0 */
/* json_settings: settings of sites, as the API writes them. */
#pragma once

#include "aggregator/store/store.h"
#include "common/json.h"

/* Writes what can be set at all (of: "sensor" or "site"), and what was set. */
void lamp_api_json_setting_known(struct lamp_json *j, const struct lamp_opt *o, const char *of);
void lamp_api_json_setting(struct lamp_json *j, const struct lamp_site_setting *x);
